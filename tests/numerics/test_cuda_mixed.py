"""Mixtures in the CUDA kernel: its text run on the host, with threads and barriers, against the CPU kernels."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy
from sample_ensembles import MIXTURES, mixed_net, points

from diagrams.architectures import linear_net, network
from diagrams.distributions import StudentT
from diagrams.independence import Discrete, mixture
from diagrams.symbols import symbol
from numerics import Ensemble
from numerics.backends import usable_gpu
from numerics.blocks import Block, block_summer, nobody
from numerics.kernels._cuda_kernels import mixed_source
from numerics.kernels.layout import SumLayout
from numerics.kernels.shared_values import SharedValues
from numerics.mixed import MixedNetworks

SEED = 2**40 + 3
DTYPES = ("float64", "float32")
# no text of its own for random widths of other nets; many coordinates are a loop
LEFT_OUT = {f"{name} of random width" for name in ("gauss", "erf", "linear")}
LINEAR = {"linear": mixed_net(linear_net(input_dim=20, hidden_bias=True)).at(N=7)}
CASES = {name: net for name, net in (MIXTURES | LINEAR).items() if name not in LEFT_OUT}
BLOCKS = [Block(0, 0, 700), Block(1, 0, 1), Block(2, 0, 300)]  # several units, several groups, and one network


def ensemble(mixed, backend: str, dtype: str = "float64", n_nets: int = 1000, seed: int = SEED) -> Ensemble:
    return Ensemble(mixed, n_nets=n_nets, seed=seed, dtype=dtype, backend=backend)


def sums(mixed, backend: str, dtype: str = "float64", seed: int = SEED) -> np.ndarray:
    source = ensemble(mixed, backend, dtype, seed=seed)._source
    return np.concatenate(list(block_summer(source, points(mixed), 3, 700)(BLOCKS, nobody)))


def distance(found, expected) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("name", "dtype"), [*((n, "float64") for n in CASES), ("gauss", "float32")])
def test_text_of_the_device_makes_the_networks_of_the_reference(cupy_on_the_host, name, dtype):
    bound, mixed = 1e-12 if dtype == "float64" else 3e-6, CASES[name]
    there, here = (ensemble(mixed, b, dtype) for b in ("cupy", "numpy"))
    assert there._source.is_compiled
    assert len(mixed.laws) >= 2
    found, expected = (e.sample(points(mixed), start=5, count=300) for e in (there, here))
    assert found.dtype == np.dtype(dtype)
    assert distance(found, expected) < bound
    assert distance(found, here.sample(points(mixed), start=6, count=300)) > 0.1
    made, wanted = sums(mixed, "cupy", dtype), sums(mixed, "numpy", dtype)
    assert distance(made, wanted) < bound
    assert distance(made, sums(mixed, "numpy", dtype, seed=SEED + 1)) > 1e-3


@pytest.mark.parametrize("which", ["sigma_w0", "N"])
def test_numbers_of_a_neighbour_are_noticed(cupy_on_the_host, monkeypatch, which):
    mixed, joined = CASES["cos of random width"], SharedValues.joined
    right = sums(mixed, "cupy")

    def shifted(self, *place):
        values = joined(self, *place)
        return {**values, which: np.roll(values[which], 1)}

    monkeypatch.setattr(SharedValues, "joined", shifted)
    assert distance(sums(mixed, "cupy")[[0, 2]], right[[0, 2]]) > 1e-3


def test_sums_do_not_depend_on_the_grid_or_on_calls(cupy_on_the_host, monkeypatch):
    mixed, asked, shared_values = CASES["relu of random width"], [], MixedNetworks.shared_values
    whole = sums(mixed, "cupy")

    def counted(self, block, start, count):
        asked.append((block, start, count))
        return shared_values(self, block, start, count)

    monkeypatch.setattr(MixedNetworks, "shared_values", counted)
    monkeypatch.setattr("numerics.blocks._SECONDS_PER_CALL", 1e-9)
    for name, value in (("cuda._BLOCKS_PER_PROCESSOR", 2), ("cuda_mixed._NUMBER_BYTES", 1)):  # then a unit in a call
        monkeypatch.setattr(f"numerics.kernels.{name}", value)
        asked.clear()
        assert np.array_equal(sums(mixed, "cupy"), whole)
        assert [b for b, _, _ in asked[2:]] == [0, 1, 2]  # once, whatever the calls


def test_an_ensemble_on_a_device_is_that_of_the_cpu(cupy_on_the_host):
    mixed = CASES["cos of random width"]
    there, here = (ensemble(mixed, b) for b in ("cupy", "numba"))
    found, expected = (e.connected_correlators(points(mixed), max_points=3) for e in (there, here))
    assert found.dataset.attrs["backend"] == "cupy"
    for n in (1, 2, 3):
        assert np.abs((found.values(n) - expected.values(n)) / expected.errors(n)).max() < 1e-9
        assert found.errors(n) == pytest.approx(expected.errors(n), rel=1e-9)


def test_splines_that_depend_on_a_random_width_are_for_array_code(cupy_on_the_host):
    w, x = symbol("w"), symbol("x")
    net = network(sympy.cos(w * x), parameters={w: StudentT(5, 1 / symbol("N"))}, point=x).at(sigma_w1=1)
    there = ensemble(mixture(net, {"N": Discrete((1, 4))}), "cupy")
    assert there._attrs()["backend"] == "cupy"
    assert not there._source.is_compiled


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["cos", "relu of random width", "feature"])
def test_kernels_compile_and_stay_within_registers(name, dtype):
    nvrtc = pytest.importorskip("cupy.cuda", reason='needs cupy: pip install "nnft[test]"').nvrtc
    source = ensemble(CASES[name], "numba", dtype)._source
    model = source._model(source.shared_values(0, 0, 1))
    layout = SumLayout.fitting(3 * model.n_outputs, 4, dtype)
    text = mixed_source(model.neuron, model.input_dim, 3, dtype, layout, len(model.lane_rows))
    assert dtype == "float64" or not re.search(r"\d\.\d*(e-?\d+)?(?![\dfe])", text.partition("typedef")[2])
    program = nvrtc.createProgram(text, "kernel.cu", [], [])
    nvrtc.compileProgram(program, ["--gpu-architecture=sm_90", "-std=c++17", "--ptxas-options=-v"])
    assert nvrtc.getCUBIN(program)
    log = nvrtc.getProgramLog(program)
    used = log[log.index("Compiling entry function 'add_units'") :].split("Compiling entry function")[1]
    stack, *spills = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill", used).groups()
    assert spills == ["0", "0"]
    assert name == "feature" or stack == "0"  # the library's cosine of any argument takes a stack
    most = 128 if name == "feature" else 96 if dtype == "float64" else 64
    assert int(re.search(r"Used (\d+) registers", used).group(1)) <= most


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_device_agrees_with_the_host(name, dtype):
    bound, mixed = 1e-12 if dtype == "float64" else 2e-5, CASES[name]
    there, here = (ensemble(mixed, b, dtype) for b in ("cupy", "numpy"))
    assert distance(there.sample(points(mixed), count=500), here.sample(points(mixed), count=500)) < bound
    found = sums(mixed, "cupy", dtype)
    assert np.array_equal(found, sums(mixed, "cupy", dtype))
    assert distance(found, sums(mixed, "numpy", dtype)) < 10 * bound


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
def test_results_of_the_device_do_not_depend_on_the_grid(monkeypatch):
    there = ensemble(CASES["cos"], "cupy", "float32", n_nets=2_000_000)
    before = there.block_sums(points(CASES["cos"])).sums
    monkeypatch.setattr("numerics.kernels.cuda._BLOCKS_PER_PROCESSOR", 1)
    monkeypatch.setattr("numerics.kernels.cuda_mixed._NUMBER_BYTES", 1 << 20)
    assert np.array_equal(there.block_sums(points(CASES["cos"])).sums, before)
