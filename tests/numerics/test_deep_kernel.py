"""Deep networks in compiled code: the networks of the array code, bit for bit the same however they are dealt out."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
import sympy

from diagrams import deep_net, symbol
from numerics import Ensemble, blocks
from numerics.deep_networks import DeepNetworks
from numerics.kernels import given

X = np.random.default_rng(4).uniform(-1, 1, (3, 2))
TANH = sympy.tanh(symbol("z"))
SCALES = {"sigma_w0": sympy.Rational(3, 2), "sigma_w1": sympy.Rational(6, 5)}
BIASES = {"sigma_b0": sympy.Rational(3, 10), "sigma_b1": sympy.Rational(1, 5)}


def plain_net(activation, depth, width, **options):
    return deep_net(activation=activation, depth=depth, input_dim=2, **options).at(N=width, **SCALES)


def biased_net(activation, depth, width):
    net = deep_net(
        activation=activation, depth=depth, input_dim=2, output_dim=3, hidden_bias=True, output_bias=True
    )  # fmt: skip
    return net.at(N=width, **SCALES, **BIASES)


def both(net, **options):
    return (Ensemble(net, **{"n_nets": 20_000, "seed": 5, **options}, backend=b) for b in ("numba", "numpy"))


@pytest.mark.parametrize(
    ("activation", "dtype", "bound"),
    [
        ("relu", "float64", 1e-13),
        ("cos", "float64", 1e-13),
        ("cos", "float32", 3e-6),
        ("erf", "float32", 3e-6),
        pytest.param("erf", "float64", 1e-13, marks=pytest.mark.slow),
        pytest.param("linear", "float64", 1e-13, marks=pytest.mark.slow),
        pytest.param(TANH, "float64", 1e-13, marks=pytest.mark.slow),
        pytest.param(TANH, "float32", 3e-6, marks=pytest.mark.slow),
    ],
)
def test_networks_and_sums_are_those_of_array_code(activation, dtype, bound):
    """Layers that end within a chunk of words or fill several, and a single one."""
    for net in (plain_net(activation, 2, 33), biased_net(activation, 3, 7), biased_net(activation, 1, 1)):
        compiled, reference = both(net, dtype=dtype)
        assert compiled._source.is_compiled
        assert compiled._attrs()["backend"] == "numba"
        found, expected = (e.sample(X, start=100, count=500) for e in (compiled, reference))
        assert found.dtype == np.dtype(dtype)
        assert np.abs(found - expected).max() < bound * np.abs(expected).max()
        part = compiled.blocks[:3] + compiled.blocks[-1:]
        sums, wanted = (e.block_sums(X, max_points=3, blocks=part).sums for e in (compiled, reference))
        assert np.abs(sums - wanted).max() < bound * np.abs(wanted).max()


def test_every_number_has_its_place():
    """A weight at another place, or a bias or phase left out, is not within rounding."""
    net = biased_net("cos", 2, 7)
    ensemble = Ensemble(net, n_nets=50, seed=5)
    p, found = ensemble.parameters(), ensemble.sample(X)

    def outputs(p):
        h = np.broadcast_to(X.T, (50, *X.T.shape))
        for k in range(2):
            h = np.cos(np.einsum("nij,njx->nix", p[f"W{k}"], h) + (p[f"b{k}"] + p[f"c{k}"])[..., None])
        return np.einsum("nij,njx->nix", p["W2"], h) + p["b2"][..., None]

    np.testing.assert_allclose(found, outputs(p), atol=1e-13)
    wrong = [{**p, "W1": p["W1"].swapaxes(1, 2)}, {**p, "W2": p["W2"][:, ::-1]}]
    wrong += [{**p, name: 0 * p[name]} for name in ("b0", "c0", "b1", "c1", "b2")]
    for other in wrong:
        assert np.abs(outputs(other) - found).max(axis=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("activation", ["relu", "cos"])
def test_covariances_given_the_hidden_layers(activation):
    net = biased_net(activation, 2, 7)
    pairs = np.hstack([X[[0, 0, 1, 2]], X[[0, 1, 2, 2]]])
    sources = [replace(e._source, is_conditional=True) for e in both(net)]
    assert isinstance(sources[0], DeepNetworks)
    found, expected = (s.outputs(pairs)(2, 10, 300) for s in sources)
    np.testing.assert_allclose(found, expected, atol=1e-13)
    swapped = sources[1].outputs(pairs[::-1])(2, 10, 300)
    assert np.abs(found - swapped).max() > 0.1


def test_sums_do_not_depend_on_threads_calls_batches_or_order(monkeypatch):
    net = biased_net("cos", 2, 7)
    ensemble = Ensemble(net, n_nets=300_000, seed=6)
    threads = numba.get_num_threads()
    some = ensemble.blocks[:7] + ensemble.blocks[-2:]  # the last block is shorter
    assert some[-1].n_nets < some[0].n_nets
    whole = ensemble.block_sums(X, max_points=2, blocks=some).sums
    try:
        numba.set_num_threads(1)
        assert np.array_equal(ensemble.block_sums(X, max_points=2, blocks=some).sums, whole)
    finally:
        numba.set_num_threads(threads)
    monkeypatch.setattr(given, "_BATCH", 1)  # one group of lanes at a time
    assert np.array_equal(ensemble.block_sums(X, max_points=2, blocks=some).sums, whole)
    monkeypatch.setattr(blocks, "_SECONDS_PER_CALL", 1e-9)  # and a call
    assert np.array_equal(ensemble.block_sums(X, max_points=2, blocks=some).sums, whole)
    assert np.array_equal(ensemble.block_sums(X, max_points=2, blocks=some[::-1]).sums, whole[::-1])
    other = Ensemble(net, n_nets=300_000, seed=7).block_sums(X, max_points=2, blocks=some).sums
    assert not np.any(other == whole)


def test_networks_do_not_depend_on_who_asks():
    """Few networks fill some strips of a group only."""
    ensemble = Ensemble(biased_net("relu", 2, 7), n_nets=20_000, seed=6)
    outputs = ensemble._source.outputs(X)
    whole = outputs(3, 0, 500)
    for start, count in ((0, 1), (31, 2), (120, 300), (499, 1)):
        np.testing.assert_array_equal(outputs(3, start, count), whole[start : start + count])
    assert outputs(3, 5, 0).shape == (0, 9)


def test_blocks_that_share_a_strip():
    """Small blocks are evaluated side by side: each has the networks of its own number."""
    compiled, reference = both(biased_net("cos", 2, 7), n_nets=500)
    assert compiled.block_size == 8
    together = compiled.block_sums(X, max_points=2).sums
    alone = [compiled.block_sums(X, max_points=2, blocks=[b]).sums[0] for b in compiled.blocks]
    np.testing.assert_array_equal(together, alone)
    wanted = reference.block_sums(X, max_points=2).sums
    bound = 1e-12 * np.abs(wanted).max()
    assert np.abs(together - wanted).max() < bound
    assert np.abs(together[1:] - wanted[:-1]).max(axis=1).min() > 1e6 * bound
