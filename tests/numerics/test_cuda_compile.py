from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net
from diagrams.symbols import symbol
from numerics.backends import usable_gpu
from numerics.lower import cuda_source, lower

nvrtc = pytest.importorskip("cupy.cuda", reason='needs cupy: pip install "nnft[test]"').nvrtc

X, Y = symbol("x_1"), symbol("x_2")
ARCHITECTURES = ("sm_80", "sm_90")
EVERYTHING = [
    sympy.exp(-((X - Y) ** 2)) * sympy.log(2 + X**2) / (1 + Y**4),
    sympy.erf(X) + sympy.erfc(Y) + sympy.tanh(X) * sympy.sinh(Y) * sympy.cosh(X),
    sympy.cos(X) + sympy.sin(Y) + sympy.tan(X) + sympy.atan2(X, Y) + sympy.asin(X / 9) + sympy.acos(Y / 9),
    sympy.sqrt(1 + X**2) + sympy.Abs(X) ** sympy.Rational(1, 3) + (2 + X**2) ** sympy.Rational(-3, 2),
    sympy.Max(X, Y, 0) + sympy.Min(X, Y) + sympy.sign(X) + sympy.Heaviside(Y),
    sympy.Piecewise((X, (X > 0) & (Y < 1)), (Y, sympy.Or(X > Y, Y > 3)), (1, True)),
    sympy.Rational(1, 3),
]


def compile_source(source: str, architecture: str) -> bytes:
    """Compile with NVRTC, which needs neither a GPU nor a driver; raise with its log."""
    program = nvrtc.createProgram(source, "kernel.cu", [], [])
    try:
        nvrtc.compileProgram(program, [f"--gpu-architecture={architecture}", "-std=c++17"])
    except nvrtc.NVRTCError as error:
        raise ValueError(nvrtc.getProgramLog(program)) from error
    return nvrtc.getCUBIN(program)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_function_compiles(dtype, architecture):
    assert compile_source(cuda_source(EVERYTHING, arguments=[X, Y], dtype=dtype), architecture)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_correlator_compiles(architecture):
    net = cos_net(input_dim=2).at(N=20, sigma_w0=1, sigma_w1=1)
    source = cuda_source(net.connected_correlators(max_points=4)[4])
    assert source.count("const double* __restrict__") == 8
    assert compile_source(source, architecture)


def test_broken_source_is_refused():
    source = cuda_source(X + Y, arguments=[X, Y]).replace("in_x_1 +", "in_x_one +")
    with pytest.raises(ValueError, match='identifier "in_x_one" is undefined'):
        compile_source(source, "sm_90")


def test_float32_source_holds_no_double():
    source = cuda_source(EVERYTHING[:5], arguments=[X, Y], dtype="float32")
    assert "double" not in source
    assert "0.33333334f" in source


def test_index_has_64_bits():
    source = cuda_source(X, arguments=[X])
    assert "for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride)" in source


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-13), ("float32", 2e-5)], ids=["float64", "float32"])
def test_gpu_agrees_with_numpy(dtype, bound):
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-1, 1, (700, 1)), rng.uniform(-1, 1, 500)
    on_gpu = lower(EVERYTHING, arguments=[X, Y], backend="cupy", dtype=dtype)(x, y)
    reference = lower(EVERYTHING, arguments=[X, Y], backend="numpy")(x.astype(dtype), y.astype(dtype))
    for computed, expected in zip(on_gpu, reference, strict=True):
        assert computed.dtype == dtype
        assert computed.shape == (700, 500)
        np.testing.assert_allclose(computed.get(), expected, rtol=bound, atol=bound)
