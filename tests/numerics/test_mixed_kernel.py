"""Mixtures in the compiled kernel: the networks of the array code, bit for bit the same however they are dealt out."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net
from diagrams.distributions import Constant, Gaussian, StudentT, Uniform
from diagrams.independence import Discrete, Gamma, SquareRoot, mixture
from diagrams.symbols import symbol
from numerics import Ensemble, blocks
from numerics.mixed import MixedNetworks

THIRD = sympy.Rational(1, 3)
LAWS = {
    "sigma_w0": Discrete((1, 2)),
    "sigma_w1": SquareRoot(Gamma(2, THIRD)),
    "sigma_b0": SquareRoot(Gamma(3, THIRD / 10)),
    "sigma_b1": Discrete((0, THIRD)),
}


def shared_feature():
    """A net of the library's general kind: shared widths of Gaussian, uniform and constant draws, and a spline."""
    w, b, c, t, x = (symbol(name) for name in ("w", "b", "c", "t", "x"))
    s, h = symbol("s"), symbol("h")
    laws = {w: Gaussian(s**2), b: Uniform(-h, 2 * h), c: Constant(s * h), t: StudentT(5)}
    feature = sympy.tanh(w * x + b) + c * sympy.cos(t * x)
    net = network(feature, parameters=laws, point=x, output_dim=2, output_bias=True)
    mixed = mixture(net, {"s": Discrete((1, 2)), "h": Gamma(2, THIRD), "sigma_b1": LAWS["sigma_b1"]})
    return mixed.at(N=5, sigma_w1=1)


def mixed_net(net):
    return mixture(net, {name: law for name, law in LAWS.items() if name in net._symbols()}).at(N=7)


MIXTURES = {
    "cos": mixed_net(cos_net(output_bias=True)),
    "gauss": mixed_net(gauss_net(output_dim=2, mean_w1=1)),
    "relu": mixed_net(relu_net(input_dim=2, mean_w1=1, output_bias=True)),
    "erf": mixed_net(erf_net(output_dim=2, output_bias=True)),
    "linear": mixed_net(linear_net(input_dim=6, hidden_bias=True)),
    "feature": shared_feature(),
}


def points(mixed) -> np.ndarray:
    return np.random.default_rng(4).uniform(-1, 1, (3, mixed.input_dim))


@pytest.mark.parametrize(
    ("name", "dtype", "bound"),
    [
        # a kernel is compiled for each; the slow ones differ from others by an activation or a type
        *(
            pytest.param(name, "float64", 1e-12, marks=[pytest.mark.slow] * (name in ("relu", "erf", "linear")))
            for name in MIXTURES
        ),
        ("cos", "float32", 3e-6),
        pytest.param("gauss", "float32", 3e-6, marks=pytest.mark.slow),
    ],
)
def test_networks_and_sums_are_those_of_array_code(name, dtype, bound):
    mixed = MIXTURES[name]
    compiled, reference = (Ensemble(mixed, n_nets=20_000, seed=5, backend=b, dtype=dtype) for b in ("numba", "numpy"))
    assert compiled._source.is_compiled
    assert len(mixed.laws) >= 3
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


def test_sums_do_not_depend_on_threads_calls_or_order(monkeypatch):
    mixed = MIXTURES["cos"]
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


def test_a_random_width_is_for_array_code():
    mixed = mixture(cos_net(), {"N": Discrete((1, 4))}).at(sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match="networks of one width, not a random N: use backend='numpy'"):
        MixedNetworks(mixed, 0, "numba", "float64")
    ensemble = Ensemble(mixed, n_nets=100)
    assert not ensemble._source.is_compiled
    assert ensemble._attrs()["backend"] == "numpy"
