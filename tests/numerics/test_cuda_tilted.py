"""Tilted densities in the CUDA kernel: its text run on the host, with threads and barriers, against the CPU kernels."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sample_ensembles import TILTS, points

from diagrams.architectures import cos_net
from diagrams.independence import neuron_sum, tilted
from diagrams.symbols import symbol
from numerics import Ensemble
from numerics.backends import usable_gpu
from numerics.blocks import Block, block_summer, nobody
from numerics.broken import _weighted
from numerics.kernels._cuda_kernels import tilted_source
from numerics.kernels.layout import SHARED_BYTES, SumLayout
from numerics.potentials import network_functions

SEED = 2**40 + 3
DTYPES = ("float64", "float32")
BLOCKS = [Block(0, 0, 700), Block(1, 0, 1), Block(2, 0, 300)]  # several units, several groups, and one network


def ensemble(net, backend: str, dtype: str = "float64", n_nets: int = 1000, seed: int = SEED) -> Ensemble:
    return Ensemble(net, n_nets=n_nets, seed=seed, dtype=dtype, backend=backend)


def rows(net, backend: str, dtype: str = "float64", seed: int = SEED) -> np.ndarray:
    source = _weighted(ensemble(net, backend, dtype, seed=seed))
    return np.concatenate(list(block_summer(source, points(net), 3, 700)(BLOCKS, nobody)))


def distance(found, expected) -> float:
    """Return the largest deviation in units of the largest number of its column."""
    return float((np.abs(found - expected).max(axis=0) / np.abs(expected).max(axis=0)).max())


@pytest.mark.parametrize(
    ("name", "dtype", "backend"),
    [("cos", "float64", "numba"), ("cos", "float32", "numpy"), ("field", "float64", "numpy"),
     ("family", "float32", "numpy"), ("feature", "float64", "numpy")],
)  # fmt: skip
def test_text_of_the_device_makes_the_weights_and_sums_of_the_cpu(cupy_on_the_host, name, dtype, backend):
    bound, net = 1e-12 if dtype == "float64" else 3e-6, TILTS[name]
    there, here = (ensemble(net, b, dtype) for b in ("cupy", backend))
    found, expected = (e.log_weights(start=5, count=200) for e in (there, here))
    assert distance(found, expected) < bound
    assert distance(found, here.log_weights(start=6, count=200)) > 0.1
    (phi, values), (wanted, logs) = (_weighted(e).weighted_outputs(points(net))(1, 3, 9) for e in (there, here))
    assert phi.dtype == np.dtype(dtype)
    assert distance(phi, wanted) < bound
    assert distance(values.T, logs.T) < bound
    found, expected = rows(net, "cupy", dtype), rows(net, backend, dtype)
    assert np.abs(found[:, 0] - expected[:, 0]).max() < bound * max(1, np.abs(logs).max())
    assert distance(found[:, 1:], expected[:, 1:]) < 3 * bound
    assert distance(found[:, 1:], rows(net, backend, dtype, seed=SEED + 1)[:, 1:]) > 0.1


def test_weights_of_another_strength_are_noticed(cupy_on_the_host):
    net = TILTS["cos"]
    assert distance(rows(net, "cupy")[:, 1:], rows(net.at(alpha=0.501), "numpy")[:, 1:]) > 1e-5


def test_sums_do_not_depend_on_the_grid_or_on_calls(cupy_on_the_host, monkeypatch):
    net = TILTS["family"]
    whole = rows(net, "cupy")
    assert len(set(whole[:, 0])) == 3  # largest weights
    for name, value in (("_FEWEST_UNITS", 1), ("_PARTIAL_BYTES", 1), ("_BLOCKS_PER_PROCESSOR", 2)):
        monkeypatch.setattr(f"numerics.kernels.cuda.{name}", value)
        monkeypatch.setattr("numerics.blocks._SECONDS_PER_CALL", 1e-9)
        assert np.array_equal(rows(net, "cupy"), whole)


@pytest.mark.parametrize("order", [1, 2])
def test_an_ensemble_on_a_device_is_that_of_the_cpu(cupy_on_the_host, order):
    net = TILTS["family"]
    there, here = (ensemble(net, b) for b in ("cupy", "numba"))
    x = points(net)[:2]
    made = [(e.connected_correlators(x, max_points=2), e.correlator_derivatives(x, order=order, max_points=2))
            for e in (there, here)]  # fmt: skip
    for found, expected in zip(*made, strict=True):
        assert found.dataset.attrs["backend"] == "cupy"
        for n in (1, 2):
            pull = (found.values(n) - expected.values(n)) / expected.errors(n)
            assert np.abs(pull).max() < 1e-8
            assert found.errors(n) == pytest.approx(expected.errors(n), rel=1e-8)
    sizes = [e.dataset.attrs["effective_sample_size"] for e, _ in made]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-11)
    assert sizes[0] < 990  # weights differ


def test_weights_of_any_size(cupy_on_the_host):
    """Log weights of thousands: sums are relative to the largest one."""
    net = cos_net(input_dim=1)
    near, far = (
        rows(tilted(net, neuron_sum(net.w0**2) + shift).at(N=3, sigma_w0=1, sigma_w1=1, alpha=0.3), "cupy")
        for shift in (0, 10_000)
    )
    assert far[:, 0] == pytest.approx(near[:, 0] - 3000, abs=1e-9)
    assert far[:, 1:] == pytest.approx(near[:, 1:], rel=1e-9)


def test_networks_of_no_weight(cupy_on_the_host):
    """Log weights that overflow to minus infinity count as no weight; where all do, there is nothing to measure."""
    net = cos_net(input_dim=1)
    steep = tilted(net, neuron_sum(net.w0**2) ** 100).at(N=3, sigma_w0=60, sigma_w1=1, alpha=1)
    (phi, (logs,)), found = (
        _weighted(ensemble(steep, "cupy")).weighted_outputs(points(net))(0, 0, 700),
        rows(steep, "cupy"),
    )
    is_none = logs == -np.inf
    assert is_none[:8].all()  # of the first threads
    assert 10 < is_none.sum() < 690
    weights = np.exp(logs - logs.max())
    assert found[0, :3] == pytest.approx([logs.max(), weights.sum(), (weights**2).sum()], rel=1e-12)
    assert found[0, 3:6] == pytest.approx(weights @ phi, rel=1e-12)
    none = tilted(net, neuron_sum(net.w0**2) ** 2).at(N=3, sigma_w0=1e90, sigma_w1=1, alpha=1e200)
    with pytest.raises(FloatingPointError, match="weights or sums are not finite"):
        ensemble(none, "cupy").connected_correlators([[0.0]], max_points=2)


def device_source(net, dtype: str, is_weighted: bool) -> str:
    source = _weighted(ensemble(net, "numpy", dtype))
    model = source.networks.model
    functions = network_functions(net.base, source.expressions, [symbol("N"), net.strength])
    n_variables = 3 * model.n_outputs + (not is_weighted)
    layout = SumLayout.fitting(n_variables, 4, dtype, has_weights=is_weighted)
    return tilted_source(model.neuron, model.input_dim, 3, dtype, layout, functions, is_weighted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "is_weighted"), [("cos", True), ("cos", False), ("family", True), ("feature", True)])
def test_kernels_compile_and_stay_within_registers(name, is_weighted, dtype):
    nvrtc = pytest.importorskip("cupy.cuda", reason='needs cupy: pip install "nnft[test]"').nvrtc
    program = nvrtc.createProgram(device_source(TILTS[name], dtype, is_weighted), "kernel.cu", [], [])
    nvrtc.compileProgram(program, ["--gpu-architecture=sm_90", "-std=c++17", "--ptxas-options=-v"])
    assert nvrtc.getCUBIN(program)
    log = nvrtc.getProgramLog(program)
    used = log[log.index("Compiling entry function 'add_units'") :].split("Compiling entry function")[1]
    stack, *spills = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill", used).groups()
    assert spills == ["0", "0"]
    assert name == "feature" or stack == "0"  # the library's cosine of any argument takes a stack
    assert int(re.search(r"Used (\d+) registers", used).group(1)) <= (96 if dtype == "float64" else 64)
    assert int(re.search(r"(\d+) bytes smem", used).group(1)) <= SHARED_BYTES


def test_layouts_leave_room_for_weights():
    for n_fields, max_points, dtype in (
        (3, 4, "float64"),
        (12, 4, "float32"),
        (200, 2, "float64"),
        (678, 1, "float64"),
    ):
        layout = SumLayout.fitting(n_fields, max_points, dtype, has_weights=True)
        size = np.dtype(dtype).itemsize
        assert (layout.n_rows + 2) * (layout.lanes + 1) * size + 16 * layout.lanes <= SHARED_BYTES
    with pytest.raises(ValueError, match=r"takes up to 678 outputs times points in float64, got 679"):
        SumLayout.fitting(679, 1, "float64", has_weights=True)


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TILTS)
def test_device_agrees_with_the_host(name, dtype):
    bound, net = 1e-12 if dtype == "float64" else 2e-5, TILTS[name]
    there, here = (ensemble(net, b, dtype, n_nets=20_000) for b in ("cupy", "numpy"))
    assert distance(there.log_weights(count=500), here.log_weights(count=500)) < bound
    found, expected = rows(net, "cupy", dtype), rows(net, "numpy", dtype)
    assert np.array_equal(found, rows(net, "cupy", dtype))
    assert found[:, 0] == pytest.approx(expected[:, 0], rel=bound)
    assert distance(found[:, 1:], expected[:, 1:]) < 10 * bound
    x = points(net)[:2]
    derived, wanted = (e.correlator_derivatives(x, order=2, max_points=2) for e in (there, here))
    assert np.abs((derived.values(2) - wanted.values(2)) / wanted.errors(2)).max() < 1e4 * bound


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
def test_results_of_the_device_do_not_depend_on_the_grid(monkeypatch):
    net = TILTS["cos"]
    there = ensemble(net, "cupy", "float32", n_nets=5_000_000)
    before = there.connected_correlators(points(net))
    monkeypatch.setattr("numerics.kernels.cuda._BLOCKS_PER_PROCESSOR", 1)
    monkeypatch.setattr("numerics.kernels.cuda._PARTIAL_BYTES", 1 << 16)
    assert there.connected_correlators(points(net)).dataset.identical(before.dataset)
