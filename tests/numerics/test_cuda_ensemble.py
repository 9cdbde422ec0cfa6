"""The CUDA ensemble kernel: compiled without a device, and its text run on the host against the CPU kernels."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net
from diagrams.distributions import Gaussian, StudentT, Uniform, UniformPhase
from diagrams.momenta import Ball
from diagrams.symbols import symbol
from numerics import Ensemble
from numerics.backends import usable_gpu
from numerics.forward import network_outputs
from numerics.kernels import philox
from numerics.kernels._cuda_kernels import kernel_source
from numerics.kernels._cuda_source import network_source, sums_source
from numerics.kernels.cpu import EnsembleKernel
from numerics.kernels.layout import SumLayout
from numerics.methods import neuron_model
from numerics.model import NetworkModel

SEED = 2**40 + 3
POINTS = np.random.default_rng(0).normal(size=(3, 2))
DTYPES = ("float64", "float32")
MAX_POINTS = 4


def custom_net():
    """Two outputs, and every kind of parameter density: ball, uniform, Gaussian with a mean, and Student's t."""
    k1, k2, c, a, t, x, y = (symbol(name) for name in ("k_1", "k_2", "c", "a", "t", "x", "y"))
    feature = a * sympy.cos(k1 * x + k2 * y + c) / sympy.sqrt(1 + k1**2 + k2**2) + sympy.tanh(t * x) / 5
    laws = {
        (k1, k2): Ball(sympy.Integer(2), 2),
        c: UniformPhase(),
        a: Gaussian(sympy.Rational(1, 4), sympy.Integer(1)),
        t: StudentT(3),
    }
    net = network(feature, parameters=laws, point=(x, y), readout=Uniform(-2, 3), output_dim=2, output_bias=True)
    return net.at(N=3, sigma_b1=0.5)


NETS = {
    "cos": cos_net(input_dim=2, output_bias=True).at(N=7, sigma_w0=1.3, sigma_w1=0.7, sigma_b1=0.4),
    "gauss": gauss_net(input_dim=2).at(N=6, sigma_w0=0.5, sigma_w1=1, sigma_b0=0.2),
    "relu": relu_net(input_dim=2, output_dim=2, mean_w1=1).at(N=5, sigma_w0=1, sigma_w1=1.1, sigma_b0=0.4),
    "erf": erf_net(input_dim=2).at(N=6, sigma_w0=1, sigma_w1=1, sigma_b0=0.5),
    "linear": linear_net(input_dim=2).at(N=3, sigma_w0=1, sigma_w1=1),
    "custom": custom_net(),
}

MODELS = {name: NetworkModel.of(net) for name, net in NETS.items()} | {"alone": neuron_model(NETS["relu"])}

HARNESS = """
extern "C" void sample_{tag}(u32 block, int start, int count, int width, const real* points, const real* offsets,
        const real* constants, const real* tables, real scale, real bias, u32 key0, u32 key1, real* out) {{
    for (int i = 0; i < count; i++)
        evaluate(start + i, block, width, points, offsets, constants, tables, scale, bias, key0, key1,
                 out + i * N_FIELDS);
}}
extern "C" void add_{tag}(const real* fields, int count, const int* factors, const unsigned short* parts,
                          double* sums) {{
    static real rows[(N_ROWS + 1) * PITCH];
    for (int first = 0; first < count; first += LANES) {{
        int n = count - first < LANES ? count - first : LANES;
        for (int lane = 0; lane < n; lane++) fill_lane(lane, fields + (first + lane) * N_FIELDS, factors, rows);
        for (int thread = 0; thread < LANES; thread++) add_monomials(thread, n, rows, parts, sums);
    }}
}}
"""


def layout_of(name: str, dtype: str) -> SumLayout:
    return SumLayout.fitting(MODELS[name].n_outputs * len(POINTS), MAX_POINTS, dtype)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The text of all kernels but the barriers, compiled by the C++ compiler without fused multiply-adds."""
    if (compiler := shutil.which("g++")) is None:
        pytest.skip("needs the C++ compiler g++")
    parts = ["#include <math.h>\n"]
    for name, model in MODELS.items():
        for dtype in DTYPES:
            tag = f"{name}_{dtype}"
            text = network_source(model.neuron, 2, len(POINTS), dtype)
            parts.append(
                f"namespace {tag} {{\n{text}{sums_source(layout_of(name, dtype))}{HARNESS.format(tag=tag)}}}\n"
            )
    folder = tmp_path_factory.mktemp("host")
    (folder / "kernels.cpp").write_text("".join(parts))
    options = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "kernels.cpp", "-o", "kernels.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "kernels.so"))


def sampled(host, name: str, dtype: str, *, block: int = 5, start: int = 0, count: int = 300, seed: int = SEED):
    model = MODELS[name]
    arrays = [np.ascontiguousarray(a, dtype=dtype) for a in model.arrays(POINTS)]
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float
    out = np.empty((count, model.n_outputs * len(POINTS)), dtype=dtype)
    getattr(host, f"sample_{name}_{dtype}")(
        ctypes.c_uint(block), start, count, model.width, *(ctypes.c_void_p(a.ctypes.data) for a in arrays),
        real(model.output_scale), real(model.output_bias), *(ctypes.c_uint(k) for k in philox.key_words(seed)),
        ctypes.c_void_p(out.ctypes.data),
    )  # fmt: skip
    return out


@cache
def reference(name: str, dtype: str, **place: int):
    place = {"block": 5, "start": 0, "count": 300, "seed": SEED} | place
    return network_outputs(np, MODELS[name], POINTS, **place, dtype=dtype)


def distance(found, expected) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_text_of_the_device_draws_the_networks_of_the_reference(host, name, dtype):
    bound = 1e-12 if dtype == "float64" else 2e-5
    found = sampled(host, name, dtype)
    assert found.dtype == dtype
    assert distance(found, reference(name, dtype)) < bound
    assert np.array_equal(sampled(host, name, dtype, start=100, count=9), found[100:109])
    for wrong in ({"seed": SEED + 1}, {"seed": SEED - 2**40}, {"block": 6}, {"start": 1}):
        assert distance(sampled(host, name, dtype, **wrong), reference(name, dtype)) > 0.1


@pytest.mark.parametrize(("name", "dtype"), [("cos", "float64"), ("cos", "float32"), ("custom", "float64")])
def test_text_of_the_device_makes_the_sums_of_the_cpu_kernel(host, name, dtype):
    model, layout = MODELS[name], layout_of(name, dtype)
    fields = sampled(host, name, dtype)
    sums = np.zeros(layout.n_monomials)
    tables = fields, layout.factors(), layout.parts()
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in tables]
    getattr(host, f"add_{name}_{dtype}")(pointers[0], len(fields), *pointers[1:], ctypes.c_void_p(sums.ctypes.data))
    kernel = EnsembleKernel(model, POINTS, max_points=MAX_POINTS, seed=SEED, dtype=dtype)
    expected = np.zeros((1, kernel.n_monomials))
    kernel.add([5], [300], 0, 3, expected)
    assert distance(sums, expected[0]) < (1e-12 if dtype == "float64" else 2e-5)
    kernel.add([6], [300], 0, 3, wrong := np.zeros_like(expected))
    assert distance(sums, wrong[0]) > 1e-3


def test_ensemble_on_a_device_is_that_of_the_cpu(cupy_on_the_host, monkeypatch):
    monkeypatch.setattr("numerics.ensemble.block_size", lambda n_nets: 600)
    there, here = (Ensemble(NETS["cos"], n_nets=930, seed=SEED, backend=b) for b in ("cupy", "numpy"))
    assert there.backend == "cupy"
    assert distance(there.sample(POINTS, start=150, count=500), here.sample(POINTS, start=150, count=500)) < 1e-12
    sums = there.block_sums(POINTS).sums
    assert distance(sums, here.block_sums(POINTS).sums) < 1e-12
    assert distance(sums, Ensemble(NETS["cos"], n_nets=930, seed=SEED + 1).block_sums(POINTS).sums) > 1e-3
    for name, value in (("_FEWEST_UNITS", 1), ("_PARTIAL_BYTES", 1), ("_BLOCKS_PER_PROCESSOR", 3)):
        monkeypatch.setattr(f"numerics.kernels.cuda.{name}", value)
        assert np.array_equal(there.block_sums(POINTS).sums, sums)
    assert there.connected_correlators(POINTS).dataset.attrs["backend"] == "cupy"


def test_monomials_are_products_of_rows_for_any_number_of_them():
    fields = np.random.default_rng(1).normal(size=6)
    for n_fields, max_points, dtype in ((2, 6, "float64"), (6, 4, "float32"), (6, 6, "float64"), (6, 1, "float32")):
        layout = SumLayout.fitting(n_fields, max_points, dtype)
        rows = list(fields[:n_fields])
        for i, j in layout.factors()[n_fields:]:
            rows.append(rows[i] * rows[j])
        made = np.prod(np.array([*rows, 1.0])[layout.parts()], axis=1)
        powers = [
            np.prod(fields[list(t)])
            for n in range(1, max_points + 1)
            for t in np.ndindex(*(n_fields,) * n)
            if list(t) == sorted(t)
        ]
        assert made == pytest.approx(powers, rel=1e-14)
    assert SumLayout.fitting(64, 4, "float64").lanes == 64
    with pytest.raises(ValueError, match=r"takes up to 681 outputs times points in float64, got 1000: use fewer"):
        SumLayout.fitting(1000, 2, "float64")


# registers a thread may have for half of the threads of a processor to be resident, and no memory for spills
REGISTERS = {"float32": 64, "float64": 96}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["cos", "erf", "custom"])
def test_kernels_compile_and_stay_within_registers(name, dtype):
    nvrtc = pytest.importorskip("cupy.cuda", reason='needs cupy: pip install "nnft[test]"').nvrtc
    model = MODELS[name]
    source = kernel_source(model.neuron, 2, len(POINTS), dtype, layout_of(name, dtype))
    assert dtype == "float64" or not re.search(r"\d\.\d*(e-?\d+)?(?![\dfe])", source.partition("typedef")[2])
    program = nvrtc.createProgram(source, "kernel.cu", [], [])
    nvrtc.compileProgram(program, ["--gpu-architecture=sm_90", "-std=c++17", "--ptxas-options=-v"])
    assert nvrtc.getCUBIN(program)
    log = nvrtc.getProgramLog(program)
    used = log[log.index("Compiling entry function 'add_units'") :].split("Compiling entry function")[1]
    spills = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", used)
    registers = int(re.search(r"Used (\d+) registers", used).group(1))
    assert spills is not None
    if name != "custom":  # the library's cosine of any argument takes a stack
        assert spills.groups() == ("0", "0", "0")
        assert registers <= REGISTERS[dtype]
    assert registers <= 128


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETS)
def test_device_agrees_with_the_host(name, dtype):
    bound = 1e-12 if dtype == "float64" else 2e-5
    there, here = (Ensemble(NETS[name], n_nets=10_000, seed=SEED, dtype=dtype, backend=b) for b in ("cupy", "numba"))
    assert distance(there.sample(POINTS, count=500), here.sample(POINTS, count=500)) < bound
    found, expected = (e.block_sums(POINTS).sums for e in (there, here))
    assert np.array_equal(found, there.block_sums(POINTS).sums)
    assert distance(found, expected) < 10 * bound


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
def test_results_of_the_device_do_not_depend_on_the_grid(monkeypatch):
    from numerics.kernels import cuda

    ensemble = Ensemble(NETS["cos"], n_nets=5_000_000, seed=3, dtype="float32", backend="cupy")
    sums = ensemble.block_sums(POINTS).sums
    monkeypatch.setattr(cuda, "_BLOCKS_PER_PROCESSOR", 1)
    monkeypatch.setattr(cuda, "_PARTIAL_BYTES", 1 << 16)
    assert np.array_equal(ensemble.block_sums(POINTS).sums, sums)
