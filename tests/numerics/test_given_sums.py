"""Compiled sums of monomials of given outputs, and sums of networks in compiled code: against array code."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
import sympy

from diagrams import cos_net, deep_net, erf_net, gauss_net, independent_sum, relu_net, symbol
from numerics import Ensemble, blocks
from numerics.estimators import monomial_sums, n_monomials
from numerics.kernels import LANES, given
from numerics.mixed import SumOfNetworks

TOTAL = independent_sum(
    cos_net(input_dim=2).at(N=5, sigma_w0=1, sigma_w1=1),
    relu_net(input_dim=2).at(N=3, sigma_w0=1, sigma_w1=2, sigma_b0=1),
    gauss_net(input_dim=2, output_bias=True).at(N=2, sigma_w0=1, sigma_w1=1, sigma_b0=1, sigma_b1=1),
)
X = np.random.default_rng(4).uniform(-1, 1, (3, 2))


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-14), ("float32", 2e-7)])
@pytest.mark.parametrize("count", [1, LANES, 1000])
def test_sums_of_rows(dtype, bound, count, monkeypatch):
    values = np.random.default_rng(1).standard_normal((count, 4)).astype(dtype)
    sums = given.GivenSums(4, 5, dtype)
    found = np.ones(n_monomials(4, 5))
    sums.add_rows(values, found)
    wanted = monomial_sums(np, values.astype(np.float64), 5)
    size = bound * monomial_sums(np, np.abs(values.astype(np.float64)), 5)
    assert np.all(np.abs(found - 1 - wanted) < 10 * size + bound)
    without = monomial_sums(np, values[:-1].astype(np.float64), 5)  # the last network, alone in its group or not
    assert np.any(np.abs(found - 1 - without) > 1e3 * size + bound)
    in_steps = np.ones_like(found)
    monkeypatch.setattr(given, "_BATCH", 1)  # one group at a time
    sums.add_rows(values, in_steps)
    np.testing.assert_array_equal(in_steps, found)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 3e-6)])
def test_sums_of_networks_are_those_of_array_code(dtype, bound):
    compiled, reference = (Ensemble(TOTAL, n_nets=20_000, seed=5, backend=b, dtype=dtype) for b in ("numba", "numpy"))
    assert compiled._source.is_compiled
    assert not reference._source.is_compiled
    assert compiled._attrs()["backend"] == "numba"
    found, expected = (e.sample(X, start=100, count=700) for e in (compiled, reference))
    assert found.dtype == np.dtype(dtype)
    assert np.abs(found - expected).max() < bound * np.abs(expected).max()
    parts = [p.outputs(X)(0, 20, 50) for p in compiled._source.parts]
    np.testing.assert_array_equal(compiled._source.outputs(X)(0, 20, 50), parts[0] + parts[1] + parts[2])
    sums, wanted = (e.block_sums(X, max_points=4).sums for e in (compiled, reference))
    scale = np.abs(wanted).max(axis=0).max()
    assert np.all(np.abs(sums - wanted).max(axis=0) < bound * scale)
    for left_out in range(3):
        some = SumOfNetworks(tuple(p for i, p in enumerate(compiled._source.parts) if i != left_out))
        object.__setattr__(other := replace(compiled), "_source", some)
        assert np.abs(other.block_sums(X, max_points=4).sums - wanted).max() > 1e-3 * scale


def test_sums_do_not_depend_on_threads_calls_batches_or_order(monkeypatch):
    ensemble = Ensemble(TOTAL, n_nets=300_000, seed=6)
    threads = numba.get_num_threads()
    some = ensemble.blocks[:7] + ensemble.blocks[-2:]  # the last block is shorter
    assert some[-1].n_nets < some[0].n_nets
    whole = ensemble.block_sums(X, blocks=some).sums
    try:
        numba.set_num_threads(1)
        assert np.array_equal(ensemble.block_sums(X, blocks=some).sums, whole)
    finally:
        numba.set_num_threads(threads)
    monkeypatch.setattr(given, "_BATCH", 1)  # one group of lanes at a time
    assert np.array_equal(ensemble.block_sums(X, blocks=some).sums, whole)
    monkeypatch.setattr(blocks, "_SECONDS_PER_CALL", 1e-9)  # and a call
    assert np.array_equal(ensemble.block_sums(X, blocks=some).sums, whole)
    assert np.array_equal(ensemble.block_sums(X, blocks=some[::-1]).sums, whole[::-1])
    other = Ensemble(TOTAL, n_nets=300_000, seed=7).block_sums(X, blocks=some).sums
    assert not np.any(other == whole)


def test_checkpoints_and_progress(tmp_path):
    ensemble = Ensemble(TOTAL, n_nets=3000, seed=7)
    whole = ensemble.connected_correlators(X, max_points=2)
    kept = ensemble.connected_correlators(X, max_points=2, checkpoint=tmp_path / "c")
    again = ensemble.connected_correlators(X, max_points=2, checkpoint=tmp_path / "c")
    assert kept.dataset.identical(whole.dataset)
    assert again.dataset.identical(whole.dataset)
    told = []
    kernel = ensemble._source.kernel(X, 2)
    list(blocks.summed_compiled(kernel, n_monomials(3, 2), ensemble.block_size, ensemble.blocks, told.append))
    assert sum(told) == 3000


def test_an_activation_that_only_scipy_has():
    """Networks of array code, sums that are compiled."""
    net = deep_net(activation=sympy.asinh(symbol("z")), depth=2, input_dim=2).at(N=4, sigma_w0=1, sigma_w1=1)
    compiled, reference = (Ensemble(net, n_nets=2000, seed=5, backend=b) for b in ("numba", "numpy"))
    assert not compiled._source.is_compiled
    sums, wanted = (e.block_sums(X, max_points=3).sums for e in (compiled, reference))
    np.testing.assert_allclose(sums, wanted, atol=1e-12 * np.abs(wanted).max())
    p, phi = reference.parameters(), X.T
    for k in range(2):
        phi = np.arcsinh(np.einsum("nij,njx->nix", p[f"W{k}"], np.broadcast_to(phi, (2000, *phi.shape[-2:]))))
    np.testing.assert_allclose(compiled.sample(X), np.einsum("nij,njx->nix", p["W2"], phi)[:, 0], atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("count", "n_fields", "max_points"), [(1, 1, 1), (300, 4, 4), (1000, 3, 6), (128, 6, 3)])
def test_weighted_sums_of_whole_numbers_are_exact(count, n_fields, max_points, dtype):
    rng = np.random.default_rng(count)
    values = rng.integers(-2, 3, size=(count, n_fields)).astype(dtype)
    weights = rng.integers(0, 4, size=count).astype(dtype)
    sums = given.GivenSums(n_fields, max_points, dtype, is_weighted=True).monomial_sums(values, weights)
    expected = monomial_sums(np, values.astype(np.float64), max_points, weights.astype(np.float64))
    assert np.array_equal(sums, expected)
    if count > 1:
        assert not np.array_equal(sums, monomial_sums(np, values.astype(np.float64), max_points))


@pytest.mark.parametrize("sampling", ["sobol", "antithetic", "importance"])
def test_sampled_neurons_have_the_sums_of_array_code(sampling):
    nets = {"sobol": erf_net(), "antithetic": relu_net(mean_w1=1), "importance": gauss_net()}
    net = nets[sampling].at(N=10, sigma_w0=0.3, sigma_w1=1, sigma_b0=0.3)
    found, expected = (
        Ensemble(net, n_nets=5000, seed=4, backend=b).connected_correlators(
            [[0.1], [0.5]], method="neuron", sampling=sampling
        )
        for b in ("numba", "numpy")
    )
    assert (found.dataset.attrs["backend"], expected.dataset.attrs["backend"]) == ("numba", "numpy")
    for n in (2, 4):
        assert found.values(n) == pytest.approx(expected.values(n), rel=1e-9, abs=1e-3 * expected.errors(n).max())
        assert found.errors(n) == pytest.approx(expected.errors(n), rel=1e-6)
