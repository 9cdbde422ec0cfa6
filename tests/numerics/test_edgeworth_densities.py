"""Edgeworth densities of fields on points against sampled networks."""

from __future__ import annotations

import numpy as np
import pytest

from diagrams import cos_net
from numerics import Ensemble, edgeworth_density, point_action

NET = cos_net(input_dim=1).at(N=8, sigma_w0=1, sigma_w1=1)
X = np.array([[0.0], [0.7]])


def deviation(order, *, sign=1.0):
    """Return chi^2 of binned samples in standard deviations from its mean."""
    density = edgeworth_density(NET, X[:1], order=order)
    samples = Ensemble(NET, n_nets=400_000, seed=3).sample(X[:1])[:, 0]
    edges = np.linspace(-1.6, 1.6, 17)
    cumulative = density.cumulative(edges[:, None])
    gaussian = edgeworth_density(NET, X[:1], order=0).cumulative(edges[:, None])
    expected = np.diff(gaussian + sign * (cumulative - gaussian)) * len(samples)
    counts = np.histogram(samples, edges)[0]
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    return (chi2 - len(counts)) / np.sqrt(2 * len(counts))


def test_sampled_density():
    assert abs(deviation(3)) < 4
    assert deviation(0) > 10
    assert deviation(3, sign=-1.0) > 10


def test_log_density_differs_from_the_diagrammatic_action_by_a_constant():
    density, action = edgeworth_density(NET, X, order=2), point_action(NET, X, order=2)
    phi = np.random.default_rng(0).normal(size=(20, 2)) * 0.7
    total = density.log_density(phi) + action.value(phi)
    assert np.ptp(total) < 1e-10
    assert np.ptp(density.log_density(phi) - action.value(phi)) > 0.1


def test_marginal_is_the_density_of_one_point():
    pair, single = edgeworth_density(NET, X, order=2), edgeworth_density(NET, X[1:], order=2)
    phi = np.linspace(-2, 2, 9)[:, None]
    assert np.allclose(pair.marginal(1).density(phi), single.density(phi), rtol=1e-10)


def test_singular_points_are_refused():
    with pytest.raises(ValueError, match="point"):
        edgeworth_density(NET, [[0.0], [1e-9]], order=1)
