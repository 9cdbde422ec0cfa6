from __future__ import annotations

import dataclasses
from math import comb

import numpy as np
import pytest

from diagrams.architectures import cos_net
from numerics.backends import usable_gpu
from numerics.ensemble import Ensemble
from numerics.estimators import monomial_sums
from numerics.forward import _raw_numbers, network_outputs
from numerics.kernels import NEURONS, index_tuples, neuron_round
from numerics.kernels.cpu import EnsembleKernel, monomial_tables
from numerics.model import NetworkModel

SEED = 2**40 + 3
POINTS = np.random.default_rng(0).normal(size=(4, 5))


def model_of(input_dim: int, width: int, *, bias: float = 0.4) -> NetworkModel:
    values = {"N": width, "sigma_w0": 1.3, "sigma_w1": 0.7} | ({"sigma_b1": bias} if bias else {})
    return NetworkModel.of(cos_net(input_dim=input_dim, output_bias=bool(bias)).at(**values))


def outputs(model: NetworkModel, *, count: int, start: int = 0, block: int = 5, dtype: str = "float64", xp=np):
    x = POINTS[:, : model.input_dim]
    return network_outputs(xp, model, x, block=block, start=start, count=count, seed=SEED, dtype=dtype)


@pytest.mark.parametrize("width", [1, 2, 7, 20])
@pytest.mark.parametrize("input_dim", [1, 2, 3, 5])
def test_compiled_kernel_is_the_same_ensemble(input_dim, width):
    model = model_of(input_dim, width)
    kernel = EnsembleKernel(model, POINTS[:, :input_dim], max_points=4, seed=SEED, dtype="float64")
    sums = np.zeros((1, kernel.n_monomials))
    kernel.add([5], [300], 0, 3, sums)
    expected = monomial_sums(np, outputs(model, count=300), 4)
    assert sums[0] == pytest.approx(expected, rel=0, abs=1e-13 * 300)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-4)])
def test_the_widest_networks(dtype, bound):
    """Sums of 10^5 neurons, in two blocks; outputs are of order one."""
    model = model_of(1, 10**5)
    kernel = EnsembleKernel(model, POINTS[:2, :1], max_points=2, seed=SEED, dtype=dtype)
    for block in (0, 5):
        expected = network_outputs(np, model, POINTS[:2, :1], block=block, start=0, count=6, seed=SEED, dtype=dtype)
        assert kernel.outputs(block, 0, 6) == pytest.approx(expected, rel=0, abs=bound)


@pytest.mark.parametrize("input_dim", [1, 2])
def test_compiled_kernel_in_float32(input_dim):
    model = model_of(input_dim, 7)
    kernel = EnsembleKernel(model, POINTS[:, :input_dim], max_points=4, seed=SEED, dtype="float32")
    sums = np.zeros((1, kernel.n_monomials))
    kernel.add([5], [300], 0, 3, sums)
    phi = outputs(model, count=300, dtype="float32")
    assert phi.dtype == np.float32
    assert sums[0] == pytest.approx(monomial_sums(np, phi.astype(float), 4), rel=0, abs=1e-6 * 300)


# from the definition in numerics.kernels, in Python's integers and 30 digits
GOLDEN = {
    1: (5, [0.16908033778694306, 0.28763447705804507, -0.7122243316008041, -0.6099628952538324]),
    2: (7, [0.5101104834449094, 0.11411113471779764, -0.6686194449659968, -0.38566978561985554]),
}


@pytest.mark.parametrize("input_dim", [1, 2])
def test_the_stream_of_the_cos_net_is_what_it_always_was(input_dim):
    width, golden = GOLDEN[input_dim]
    net = cos_net(input_dim=input_dim, output_bias=input_dim == 1)
    values = {"N": width, "sigma_w0": 1.3, "sigma_w1": 0.7} | ({"sigma_b1": 0.4} if input_dim == 1 else {})
    x = np.linspace(-1, 1, 2 * input_dim).reshape(2, input_dim)
    ensemble = Ensemble(net.at(**values), n_nets=300, seed=SEED, backend="numpy")
    assert ensemble.sample(x, start=100, count=2).ravel() == pytest.approx(golden, rel=1e-13)


def test_compiled_kernel_with_several_outputs_and_means():
    net = cos_net(input_dim=5, output_dim=2, mean_w1=1, output_bias=True)
    model = NetworkModel.of(net.at(N=7, sigma_w0=1.3, sigma_w1=0.7, sigma_b1=0.4))
    kernel = EnsembleKernel(model, POINTS, max_points=3, seed=SEED, dtype="float64")
    sums = np.zeros((1, kernel.n_monomials))
    kernel.add([5], [300], 0, 3, sums)
    phi = outputs(model, count=300)
    assert phi.shape == (300, 8)
    assert sums[0] == pytest.approx(monomial_sums(np, phi, 3), rel=0, abs=1e-13 * 300 * 10)


def test_one_network_by_the_textbook_formula():
    model, x = model_of(3, 7), POINTS[:, :3]
    plan = neuron_round(model.neuron, 3, "float64")
    index = np.arange(2, dtype=np.uint64)
    normals, phases = _raw_numbers(np, model, plan, index, 5, np.arange(7, dtype=np.uint64), SEED, "float64")
    w0, b0 = normals[1, :7, 1:] * 1.3 / np.sqrt(3), phases[1, :7, 0] * 2 * np.pi
    phi = (normals[1, :7, 0] * 0.7 / np.sqrt(7) * np.cos(x @ w0.T + b0)).sum(axis=1)
    unbiased = dataclasses.replace(model, output_bias=0.0)
    assert outputs(unbiased, count=2)[1] == pytest.approx(phi, rel=0, abs=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_parameters_have_their_densities(dtype):
    model = model_of(2, 100)
    plan = neuron_round(NEURONS["cos"], 2, dtype)
    rounds, index = np.arange(100, dtype=np.uint64), np.arange(2000, dtype=np.uint64)
    normals, phases = _raw_numbers(np, model, plan, index, 0, rounds, SEED, dtype)
    readout, first, second = np.moveaxis(normals, -1, 0)
    for drawn in (readout, first, second):
        z = drawn.astype(float).ravel()
        for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
            assert abs((z**power).mean() - moment) < 5 * np.sqrt(variance / z.size)
    assert abs((readout * first).mean()) < 5 / np.sqrt(readout.size)
    waves = np.exp(2j * np.pi * phases.astype(float).ravel())
    assert max(abs((waves**k).mean()) for k in (1, 2, 3)) < 5 / np.sqrt(phases.size)


def test_any_slice_of_a_block_holds_the_same_networks():
    model = model_of(2, 20)
    whole = outputs(model, count=700)
    assert outputs(model, start=300, count=11) == pytest.approx(whole[300:311], rel=0, abs=1e-14)
    assert outputs(model, count=0).shape == (0, 4)
    assert not np.any(outputs(model, count=700, block=6) == whole)


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
def test_cupy_is_the_same_ensemble():
    import cupy

    model = model_of(3, 20)
    assert cupy.asnumpy(outputs(model, count=300, xp=cupy)) == pytest.approx(outputs(model, count=300), abs=1e-12)


@pytest.mark.parametrize("max_points", [1, 2, 3, 4, 5, 6])
def test_monomial_tables_build_every_monomial_in_order(max_points):
    factors, products = monomial_tables(3, max_points)
    primes = np.array([2, 3, 5])
    rows: list[int] = []
    for p, (a, b) in enumerate(factors):
        rows.append(int(primes[p]) if a < 0 else rows[a] * rows[b])
    found = rows + [rows[a] * rows[b] for a, b in products]
    expected = [int(primes[t].prod()) for g in range(1, max_points + 1) for t in index_tuples(3, g)]
    assert found == expected


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("start", "count"), [(0, 700), (3, 1), (120, 300), (699, 1), (10, 0)])
def test_compiled_samples_are_the_reference_samples(dtype, start, count):
    net = cos_net(input_dim=2, output_bias=True).at(N=7, sigma_w0=1, sigma_w1=1, sigma_b1=1)
    x = np.array([[0.1, -0.4], [1.0, 0.3], [-0.7, 0.2]])
    compiled, reference = (
        Ensemble(net, n_nets=700, seed=4, backend=b, dtype=dtype).sample(x, start=start, count=count)
        for b in ("numba", "numpy")
    )
    assert compiled.shape == (count, 3)
    assert compiled.dtype == np.dtype(dtype)
    np.testing.assert_allclose(compiled, reference, atol=1e-13 if dtype == "float64" else 2e-5)


def test_odd_products_may_be_left_out():
    """The others keep their bits and their places; with six points products of three fields are needed as factors."""
    model, n = model_of(2, 3), len(POINTS)
    for max_points in (4, 5, 6):
        full, even = (
            EnsembleKernel(model, POINTS[:, :2], max_points=max_points, seed=SEED, dtype="float64", even_only=flag)
            for flag in (False, True)
        )
        sums = np.zeros((2, 1, full.n_monomials))
        full.add([5], [300], 0, 3, sums[0])
        even.add([5], [300], 0, 3, sums[1])
        degrees = np.arange(1, max_points + 1)
        degree = np.repeat(degrees, [comb(n + g - 1, g) for g in degrees])
        left_out = (degree % 2 == 1) & (degree > (max_points + 1) // 2)
        assert np.array_equal(sums[0, 0, ~left_out], sums[1, 0, ~left_out])
        assert left_out.any()
        assert not sums[1, 0, left_out].any()
        assert sums[0, 0].all()
