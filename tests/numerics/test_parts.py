"""Integration by parts over output weights: conditional moments, known averages, estimates."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import sympy

from diagrams import cos_net, phi4_net
from diagrams.architectures import scalar_net
from diagrams.distributions import Uniform
from diagrams.engineering import deform
from diagrams.interactions import LocalInteraction
from diagrams.regions import Box, GaussianWeight, Sites
from numerics.ensemble import Ensemble
from numerics.kernels import index_tuples
from numerics.kernels.scalar_chains import chain_kernels
from numerics.parts import ConditionalFields, conditional_moments
from numerics.scalar_density import ScalarDensity

POINTS = np.array([[0.0], [0.7]])


def _net(dim=1, region=None, couplings=None, width=20, **options):
    base = scalar_net(input_dim=dim, mass=1, cutoff=4, **options).at(N=width)
    return deform(base, LocalInteraction(couplings or {4: 1}, region=region or Box(2)))


NETS = {
    "phi4": _net(),
    "phi4 in d=2": _net(dim=2),
    "phi4 in d=3": _net(dim=3, width=8),
    "phi6 with a weight": _net(region=GaussianWeight(1), couplings={3: 0.2, 4: 0.5, 6: 1}),
    "other momenta": _net(alpha=0),
    "sites": _net(region=Sites(((0,), (1,)), (1, 0.5)), couplings={4: 2}, width=70),
}


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_fields_and_interaction_are_those_of_the_ensemble(net):
    ensemble = Ensemble(net, n_nets=4000, seed=3)
    points = np.zeros((2, net.input_dim))
    points[1] = 0.3
    density = ScalarDensity.of(ensemble)
    fields, actions, _ = ConditionalFields(density, points, 2)((1, 5, 40))
    block = ensemble.blocks[1]
    expected = ensemble.sample(points, start=block.start + 5, count=40)
    np.testing.assert_allclose(fields, expected.fields, atol=1e-12)
    np.testing.assert_allclose(actions, -expected.log_weights, atol=2e-6)


def _hermite(width: int, nodes: int = 100):
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    z = np.array(list(product(x, repeat=width)))
    return z, np.prod(np.array(list(product(w, repeat=width))), axis=1)


@pytest.mark.parametrize("couplings", [{4: 1}, {3: 0.3, 4: 0.5, 6: 2}], ids=["phi4", "phi3 phi4 phi6"])
@pytest.mark.parametrize("sign", [1, -1], ids=["right", "wrong sign"])
def test_moments_are_exact_for_given_momenta_and_phases(couplings, sign):
    """For two neurons the average over output weights is a Gauss-Hermite sum: both sides of the identity agree."""
    density = ScalarDensity.of(Ensemble(_net(couplings=couplings, width=2), n_nets=100, seed=1))
    weights, probability = _hermite(2)
    z = np.zeros((len(weights), 64))
    z[:, :2] = weights
    k, c = np.zeros((len(z), 1, 64)), np.zeros((len(z), 64))
    k[:, 0, :2], c[:, :2] = (0.8, -2.5), (0.4, 1.9)
    fields, actions = np.empty((len(z), 2)), np.empty(len(z))
    conditional = ConditionalFields(density, POINTS, 4)
    parts = np.empty((len(z), conditional.n_parts))
    chain_kernels().measure_all(z, k, c, *density.grid, POINTS, fields, actions, parts, *conditional.tables)
    parts[:, : parts.shape[1] - 3] *= sign
    moments = conditional_moments(parts, 2, 4)
    boltzmann = probability * np.exp(-actions)
    found, expected = moments @ boltzmann, []
    for n in range(1, 5):
        for index in index_tuples(2, n):
            expected.append((np.prod(fields[:, index], axis=1) * boltzmann).sum())
    error = np.abs(found - expected).max() / boltzmann.sum()
    assert error < 1e-7 if sign == 1 else error > 1e-2


@pytest.mark.parametrize("name", ["phi4", "phi4 in d=2", "phi6 with a weight", "other momenta"])
def test_known_averages_of_the_free_net(name):
    net = NETS[name]
    ensemble = Ensemble(net, n_nets=4000, seed=5)
    density = ScalarDensity.of(ensemble)
    points = np.zeros((2, net.input_dim))
    points[1] = 0.5
    actions, kernels = [], []
    for block in ensemble.blocks[:20]:
        _, s, parts = ConditionalFields(density, points, 2)((block.index, 0, block.n_nets))
        actions.append(s)
        kernels.append(parts[:, -3:])
    s, k = np.concatenate(actions), np.concatenate(kernels)
    assert abs(s.mean() - density.mean_interaction) < 4 * s.std() / len(s) ** 0.5
    exact = density.propagator(points)[np.triu_indices(2)]
    pulls = (k.mean(axis=0) - exact) / (k.std(axis=0) / len(k) ** 0.5)
    assert np.abs(pulls).max() < 4
    # the interaction of Gaussian fields, without the 1/N of the four-point function, would be seen
    narrow = ScalarDensity.of(Ensemble(_net(width=2), n_nets=100))
    assert narrow.mean_interaction > 1.2 * ScalarDensity.of(Ensemble(_net(width=2000), n_nets=100)).mean_interaction


@pytest.mark.parametrize("lam", [0.2, 1.0])
def test_parts_agree_with_reweighting_and_gain(lam):
    net = phi4_net(mass=1, cutoff=5, coupling=lam, box=4).at(N=64)
    ensemble = Ensemble(net, n_nets=20_000, seed=9)
    parts = ensemble.connected_correlators(POINTS, method="parts")
    plain = ensemble.connected_correlators(POINTS)
    for n in (2, 4):
        pulls = (parts.values(n) - plain.values(n)) / np.hypot(parts.errors(n), plain.errors(n))
        assert np.abs(pulls).max() < 4
        assert (plain.errors(n) > 5 * parts.errors(n)).all()  # 25 times in variance at the least
    other = Ensemble(phi4_net(mass=1, cutoff=5, coupling=1.2 * lam, box=4).at(N=64), n_nets=20_000, seed=9)
    wrong = other.connected_correlators(POINTS, method="parts", max_points=2)
    assert np.abs((wrong.values(2) - parts.values(2)) / parts.errors(2)).max() > 10
    assert parts.dataset.attrs["method"] == "integration by parts, reweighted"


def test_errors_cover():
    net = phi4_net(mass=1, cutoff=4, coupling=1, box=2).at(N=8)
    estimates = [
        Ensemble(net, n_nets=512, seed=s).connected_correlators(POINTS, method="parts", max_points=2) for s in range(40)
    ]
    values, errors = (np.array([getattr(e, kind)(2) for e in estimates]) for kind in ("values", "errors"))
    inside = np.abs(values - values.mean(axis=0)) < errors
    assert 0.55 < inside.mean() < 0.8
    assert (np.abs(values - values.mean(axis=0)) < errors / 3).mean() < 0.45


def test_what_has_no_conditional_moments():
    with pytest.raises(ValueError, match="networks with an interaction"):
        Ensemble(cos_net().at(N=5, sigma_w0=1, sigma_w1=1), n_nets=100).connected_correlators([[0.0]], method="parts")
    phi4 = phi4_net(mass=1, cutoff=4, coupling=1, box=2)
    with pytest.raises(ValueError, match="up to max_points=4"):
        Ensemble(phi4.at(N=5), n_nets=100).connected_correlators([[0.0]], method="parts", max_points=5)
    flat = phi4_net(mass=1, cutoff=4, coupling=1, box=2, readout=Uniform(-sympy.sqrt(3), sympy.sqrt(3))).at(N=5)
    with pytest.raises(ValueError, match="not standard normal"):
        Ensemble(flat, n_nets=100).connected_correlators([[0.0]], method="parts")
    with pytest.raises(ValueError, match="backend='numba' in float64"):
        Ensemble(phi4.at(N=5), n_nets=100, dtype="float32").connected_correlators([[0.0]], method="parts")
