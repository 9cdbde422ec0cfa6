"""Mixtures in the compiled kernel: the networks of the array code, bit for bit the same however they are dealt out."""

from __future__ import annotations

import pickle

import numba
import numpy as np
import pytest
import sympy
from sample_ensembles import MIXTURES, THIRD, WIDTHS, formula_net, points

from diagrams.architectures import cos_net, network, relu_net
from diagrams.distributions import Gaussian, StudentT
from diagrams.independence import Discrete, mixture
from diagrams.symbols import symbol
from numerics import Ensemble, blocks, compare
from numerics.mixed import MixedNetworks

SLOW = [name for name in MIXTURES if name.startswith(("gauss of", "erf", "linear")) or name == "relu"]


@pytest.mark.parametrize(
    ("name", "dtype", "bound"),
    [
        # a kernel is compiled for each; the slow ones differ from others by an activation or a type
        *(pytest.param(name, "float64", 1e-12, marks=[pytest.mark.slow] * (name in SLOW)) for name in MIXTURES),
        ("cos", "float32", 3e-6),
        ("cos of random width", "float32", 3e-6),
        *(
            pytest.param(name, "float32", 3e-6, marks=pytest.mark.slow)
            for name in ("gauss", "gauss of random width", "relu of random width", "feature of random width")
        ),
    ],
)
def test_networks_and_sums_are_those_of_array_code(name, dtype, bound):
    mixed = MIXTURES[name]
    compiled, reference = (Ensemble(mixed, n_nets=20_000, seed=5, backend=b, dtype=dtype) for b in ("numba", "numpy"))
    assert compiled._source.is_compiled
    assert len(mixed.laws) >= 2
    assert compiled._attrs()["backend"] == "numba"
    found, expected = (e.sample(points(mixed), start=100, count=700) for e in (compiled, reference))
    assert found.dtype == np.dtype(dtype)
    assert np.abs(found - expected).max() < bound * np.abs(expected).max()
    sums, wanted = (e.block_sums(points(mixed), max_points=3).sums for e in (compiled, reference))
    assert np.all(np.abs(sums - wanted).max(axis=0) < bound * np.abs(wanted).max(axis=0).max())


def test_every_network_is_one_with_the_values_that_were_drawn():
    """Against networks with fixed parameters, which know nothing of mixtures."""
    net, x = cos_net(), [[0.3], [-1.0]]
    mixed = mixture(net, {"sigma_w0": Discrete((1, 3)), "sigma_w1": Discrete((1, 2))}).at(N=4)
    drawn = Ensemble(mixed, n_nets=300, seed=8)
    block = drawn.block_size
    shared = [drawn._source.shared_values(b.index, 0, b.n_nets) for b in drawn.blocks]
    values = {name: np.concatenate([s[name] for s in shared]) for name in mixed.shared}
    assert len(shared) == 60
    assert block == 5
    seen = 0
    for w0 in (1, 3):
        for w1 in (1, 2):
            fixed = Ensemble(net.at(N=4, sigma_w0=w0, sigma_w1=w1), n_nets=300, seed=8, backend="numpy").sample(x)
            chosen = (values["sigma_w0"] == w0) & (values["sigma_w1"] == w1)
            np.testing.assert_allclose(drawn.sample(x)[chosen], fixed[chosen], atol=1e-13)
            assert not np.any(np.isclose(drawn.sample(x)[~chosen], fixed[~chosen]).all(axis=1))
            seen += chosen.sum()
    assert seen == 300


@pytest.mark.parametrize(
    ("net", "fixed"),
    [
        (cos_net(), {"sigma_w0": 1, "sigma_w1": 2}),
        (relu_net(), {"sigma_w0": 1, "sigma_w1": 2, "sigma_b0": 1}),  # four neurons are added at once
        (formula_net(), {"s": 2}),
    ],
    ids=["cos", "relu", "formula"],
)
def test_every_network_has_the_neurons_of_its_width(net, fixed):
    """Against networks of fixed width; one neuron more, or one less, would show."""
    x = [[0.3], [-1.0]]
    name, *others = fixed
    mixed = mixture(net, {"N": WIDTHS, name: Discrete((fixed[name], 3))}).at(**{n: fixed[n] for n in others})
    drawn = Ensemble(mixed, n_nets=300, seed=8)
    values = [drawn._source.shared_values(b.index, 0, b.n_nets) for b in drawn.blocks]
    widths, shared = (np.concatenate([v[n] for v in values]) for n in ("N", name))
    found, seen = drawn.sample(x), 0

    def networks(width, value):
        numbers = {**fixed, name: value, "N": width}
        return Ensemble(net.at(**numbers), n_nets=300, seed=8, backend="numpy").sample(x) * np.sqrt(width)

    for width in map(int, WIDTHS.values):
        for value in (fixed[name], 3):
            chosen = (widths == width) & (shared == value)
            expected, one_more = (networks(n, value)[chosen] / np.sqrt(width) for n in (width, width + 1))
            np.testing.assert_allclose(found[chosen], expected, atol=1e-13)
            is_seen = np.abs(one_more - expected).max(axis=1) > 1e-6  # a neuron of ReLU may be zero at all points
            assert is_seen.mean() > (0.4 if net.name == "relu" else 0.99)
            seen += chosen.sum()
    assert seen == 300


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_neurons_that_a_network_does_not_have_may_overflow(dtype):
    w, x = symbol("w"), symbol("x")
    net = network(sympy.exp(w * x), parameters={w: Gaussian(symbol("s") ** 2)}, point=x).at(sigma_w1=1)
    scale = 400 if dtype == "float64" else 50
    mixed = mixture(net, {"N": Discrete((1, 40)), "s": Discrete((1, scale))})
    with np.errstate(all="ignore"):  # inf - inf
        found, expected = (
            Ensemble(mixed, n_nets=2000, seed=1, backend=b, dtype=dtype).sample([[1.0]])[:, 0]
            for b in ("numba", "numpy")
        )
    drawn = Ensemble(mixed, n_nets=2000, seed=1, dtype=dtype)
    values = [drawn._source.shared_values(b.index, 0, b.n_nets) for b in drawn.blocks]
    widths, scales = (np.concatenate([v[n] for v in values]) for n in ("N", "s"))
    narrow, many = ((widths == n) & (scales == scale) for n in (1, 40))
    usual = narrow & np.isfinite(expected)
    assert usual.sum() > 0.9 * narrow.sum() > 300
    assert np.isfinite(expected[many]).mean() < 0.5  # so most neighbours in a group of lanes overflow
    assert not np.isfinite(found[narrow & ~usual]).any()
    rtol, atol = 1e-10 if dtype == "float64" else 1e-4, np.finfo(dtype).tiny
    np.testing.assert_allclose(found[usual], expected[usual], rtol=rtol, atol=atol)


def test_correlators_of_random_widths():
    """Exact in the average over widths; a width off by one, or the average width, would show."""
    options = {"sigma_w0": 1, "sigma_w1": 1}

    def net(*widths):
        return mixture(cos_net(), {"N": Discrete(widths, (THIRD, 2 * THIRD))}).at(**options)

    measured = Ensemble(net(1, 4), n_nets=2_000_000, seed=12).connected_correlators([[0.3], [-1.0], [0.8]])
    assert measured.dataset.attrs["backend"] == "numba"
    assert compare(net(1, 4), measured).max_pull < 5
    for wrong in (net(2, 4), net(1, 5), net(1, 3), cos_net().at(N=3, **options)):
        failed = compare(wrong, measured)
        assert np.abs(failed.pulls_of(2)).max() < 5  # which does not depend on the width
        assert np.abs(failed.pulls_of(4)).max() > 10


@pytest.mark.parametrize("name", ["cos", "cos of random width"])
def test_sums_do_not_depend_on_threads_calls_or_order(monkeypatch, name):
    mixed = MIXTURES[name]
    ensemble = Ensemble(mixed, n_nets=300_000, seed=6)
    x, threads = points(mixed), numba.get_num_threads()
    some = ensemble.blocks[:7] + ensemble.blocks[-2:]  # the last block is shorter
    assert some[-1].n_nets < some[0].n_nets
    whole = ensemble.block_sums(x, blocks=some).sums
    try:
        numba.set_num_threads(1)
        assert np.array_equal(ensemble.block_sums(x, blocks=some).sums, whole)
    finally:
        numba.set_num_threads(threads)
    monkeypatch.setattr(blocks, "_SECONDS_PER_CALL", 1e-9)  # one group of lanes a call
    assert np.array_equal(ensemble.block_sums(x, blocks=some).sums, whole)
    assert np.array_equal(ensemble.block_sums(x, blocks=some[::-1]).sums, whole[::-1])
    assert np.array_equal(pickle.loads(pickle.dumps(ensemble)).block_sums(x, blocks=some).sums, whole)
    other = Ensemble(mixed, n_nets=300_000, seed=7).block_sums(x, blocks=some).sums
    assert not np.any(other == whole)


def test_shared_values_of_a_block_in_several_calls_are_drawn_once(monkeypatch):
    asked, shared_values = [], MixedNetworks.shared_values

    def counted(self, block, start, count):
        asked.append((block, start, count))
        return shared_values(self, block, start, count)

    ensemble = Ensemble(MIXTURES["cos"], n_nets=300_000, seed=6)
    monkeypatch.setattr(MixedNetworks, "shared_values", counted)
    monkeypatch.setattr(blocks, "_SECONDS_PER_CALL", 1e-9)
    ensemble.block_sums(points(MIXTURES["cos"]), blocks=ensemble.blocks[:3])
    assert ensemble.block_size == 3 * 128
    assert sorted(place for place in asked if place != (0, 0, 1)) == [(b, 0, 3 * 128) for b in range(3)]


def test_the_memory_of_a_call_does_not_grow_with_the_networks():
    source = Ensemble(MIXTURES["cos"], n_nets=10**9)._source
    kernel = source.kernel(points(MIXTURES["cos"]), 4)
    for n_groups in (1, 77, 7630):
        groups, at_once = kernel.portions(100.0, n_groups * 128)
        assert 1 <= min(groups, n_groups) * at_once <= 2048
        assert at_once >= numba.get_num_threads()


def test_splines_that_depend_on_a_random_width_are_for_array_code():
    w, x = symbol("w"), symbol("x")
    net = network(sympy.cos(w * x), parameters={w: StudentT(5, 1 / symbol("N"))}, point=x).at(sigma_w1=1)
    mixed = mixture(net, {"N": Discrete((1, 4))})
    with pytest.raises(NotImplementedError, match=r"has random parameters \['N'\]"):
        MixedNetworks(mixed, 0, "numba", "float64")
    ensemble = Ensemble(mixed, n_nets=100, seed=2)
    assert not ensemble._source.is_compiled
    assert ensemble._attrs()["backend"] == "numpy"
    widths = np.concatenate([ensemble._source.shared_values(b.index, 0, b.n_nets)["N"] for b in ensemble.blocks])
    for n in (1, 4):
        fixed = Ensemble(net.at(N=n), n_nets=100, seed=2, backend="numpy").sample([[0.5]])
        assert np.array_equal(ensemble.sample([[0.5]])[widths == n], fixed[widths == n])


@pytest.mark.parametrize("wrong", [0, -2, sympy.Rational(5, 2), symbol("n")])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_widths_are_positive_integers(wrong, backend):
    mixed = mixture(cos_net(), {"N": Discrete((1, wrong))}).at(sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match=f"positive integers as values, got {wrong} in mixture"):
        Ensemble(mixed, n_nets=10, backend=backend)
