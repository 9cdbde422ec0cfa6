"""Sums of monomials in tiles of inner products, samples of single neurons, and features at pairs of points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diagrams import cos_net, relu_net, scalar_net
from numerics.conditional_method import pair_model, pairs_of
from numerics.estimators import monomial_sums, n_monomials
from numerics.forward import network_outputs
from numerics.kernels import LANES, index_tuples, neuron_round
from numerics.kernels._sums_source import sums_module
from numerics.kernels.buffers import arrays_side_by_side
from numerics.kernels.cpu import EnsembleKernel, monomial_tables
from numerics.kernels.tiles import monomial_tiles
from numerics.methods import neuron_model

CASES = [(1, 1), (1, 4), (2, 2), (3, 3), (5, 5), (6, 4), (6, 6), (16, 4), (64, 2)]
SEED = 2**35 + 1


@pytest.mark.parametrize("even_only", [False, True])
@pytest.mark.parametrize(("n_fields", "max_points"), CASES)
def test_every_monomial_is_one_product_of_its_tiles(n_fields, max_points, even_only):
    tiles = monomial_tiles(n_fields, max_points, even_only)
    tuples = [tuple(t) for g in range(1, max_points + 1) for t in index_tuples(n_fields, g).tolist()]
    rows = [*tuples[: tiles.n_rows - 1], ()]
    lines = [(table, n_left) for table, n_left in ((tiles.squares, 4), (tiles.oblongs, 2)) for table in table]
    found = [
        (place, tuple(sorted(rows[members[s % n_left]] + rows[members[n_left + s // n_left]])))
        for (members, n_left), places in zip(lines, tiles.places, strict=True)
        for s, place in enumerate(places)
        if place >= 0
    ]
    stored = (max_points + 1) // 2
    wanted = [(i, t) for i, t in enumerate(tuples) if not even_only or len(t) <= stored or len(t) % 2 == 0]
    assert sorted(found) == wanted


def test_few_products_are_of_no_use():
    for n_fields, max_points, most in ((6, 4, 1.35), (10, 4, 1.12), (16, 4, 1.05), (16, 6, 1.02)):
        tiles = monomial_tiles(n_fields, max_points)
        assert tiles.places.size <= most * n_monomials(n_fields, max_points)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_of_whole_numbers_are_exact(dtype):
    module = sums_module(dtype)
    for n_fields, max_points in ((1, 4), (3, 3), (6, 4), (5, 6)):
        values = np.random.default_rng(n_fields).integers(-3, 4, size=(LANES, n_fields)).astype(np.float64)
        tiles, factors = monomial_tiles(n_fields, max_points), monomial_tables(n_fields, max_points)[0]
        (rows,) = arrays_side_by_side([((tiles.n_rows, LANES), dtype)])
        rows[:n_fields], rows[-1] = values.T, 1
        before = np.arange(n_monomials(n_fields, max_points), dtype=np.float64)
        sums = tiles.filled(before[None])
        module.fill_monomials(rows, factors)
        module.add_tiles(rows, tiles.squares, tiles.oblongs, sums[0])
        total = np.full((1, len(before)), np.nan)
        tiles.empty(sums, total)
        assert np.array_equal(total[0] - before, monomial_sums(np, values, max_points))


@pytest.mark.parametrize("n_nets", [1, 700, 1500])
def test_single_neurons_are_those_of_networks(n_nets):
    """The compiled sums, in portions, are those of array code; the neurons of a round add up to a network."""
    net, x = relu_net(input_dim=2, hidden_bias=False).at(N=9, sigma_w0=1, sigma_w1=1), np.eye(2)
    model = neuron_model(net)
    phi = network_outputs(np, model, x, block=3, start=0, count=n_nets, seed=SEED)
    kernel = EnsembleKernel(model, x, max_points=4, seed=SEED, dtype="float64")
    sums = np.zeros((2, 1, kernel.n_monomials))
    kernel.add([3], [n_nets], 0, 12, sums[0])
    for group in range(12):
        kernel.add([3], [n_nets], group, group + 1, sums[1])
    assert np.array_equal(*sums)
    assert sums[0, 0] == pytest.approx(monomial_sums(np, phi, 4), rel=1e-12, abs=1e-12)
    assert kernel.outputs(3, n_nets // 2, n_nets - n_nets // 2) == pytest.approx(phi[n_nets // 2 :], rel=0, abs=1e-14)
    n = neuron_round(model.neuron, 2, "float64").n_neurons
    assert n > 1
    whole = replace(model, neuron=replace(model.neuron, is_alone=False), width=n)
    if n_nets >= n * LANES:
        together = network_outputs(np, whole, x, block=3, start=0, count=LANES, seed=SEED)
        assert phi[: n * LANES].reshape(n, LANES, 2).sum(axis=0) == pytest.approx(together, rel=0, abs=1e-14)
        assert len(np.unique(phi[phi[:, 0] > 0, 0])) == (phi[:, 0] > 0).sum()


PAIR_NETS = {
    "cos": (cos_net(input_dim=1).at(N=7, sigma_w0=1, sigma_w1=1), np.array([[-0.8], [0.3], [1.0]])),
    "relu, d = 2": (relu_net(input_dim=2).at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=1), np.array([[0.5, -0.2], [1, 2]])),
    "scalar": (scalar_net(input_dim=1, mass=1, cutoff=4).at(N=6), np.array([[0.1], [0.4], [0.9], [1.2]])),
    "one point": (cos_net(input_dim=2).at(N=3, sigma_w0=1, sigma_w1=1), np.array([[0.5, 1.0]])),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in ("relu, d = 2", "one point"))) for n in PAIR_NETS]
)
def test_features_once_a_point_make_the_same_pairs(name):
    """Array code evaluates the product of features at every pair, the compiled kernel the feature at every point."""
    net, x = PAIR_NETS[name]
    model, pairs = pair_model(net), pairs_of(x)
    kernel = EnsembleKernel(model, pairs, max_points=2, seed=SEED, dtype="float64")
    expected = network_outputs(np, model, pairs, block=2, start=0, count=300, seed=SEED)
    assert kernel.outputs(2, 0, 300) == pytest.approx(expected, rel=1e-12, abs=1e-13)
    sums = np.zeros((1, kernel.n_monomials))
    kernel.add([2], [300], 0, 3, sums)
    assert sums[0] == pytest.approx(monomial_sums(np, expected, 2), rel=1e-12)


def test_pairs_of_other_points_are_refused():
    net, x = PAIR_NETS["cos"]
    pairs = pairs_of(x)
    for wrong in (pairs[::-1], pairs[:-1], np.vstack([pairs, pairs[:1]])):
        with pytest.raises(ValueError, match="all pairs i <= j"):
            EnsembleKernel(pair_model(net), wrong, max_points=2, seed=SEED, dtype="float64")
