"""Chains over the modes of the field at infinite width, against weighted fields and the oscillator."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import field_monte_carlo, oscillator_correlators, sample_field
from numerics.propagators import CutoffPropagator

POINTS = [[0.0], [0.5]]


@pytest.mark.parametrize("method", ["hmc", "pcn"])
def test_chains_are_the_weighted_fields(method):
    region = {"cutoff": 4, "box": 2}
    samples = sample_field(POINTS, coupling=30, method=method, n_draws=1500, seed=3, **region)
    assert samples.method == method
    found = samples.correlators()

    def pulls(coupling, n):
        modes = field_monte_carlo(POINTS, coupling=coupling, n_fields=60_000, seed=1, **region).correlators()
        return (found.values(n) - modes.values(n)) / np.hypot(found.errors(n), modes.errors(n))

    assert np.abs(pulls(30, 2)).max() < 4
    assert np.abs(pulls(30, 4)).max() < 4
    assert np.abs(pulls(10, 2)).max() > 10
    assert {"r_hat", "ess_bulk", "acceptance"} <= set(samples.diagnostics)


def test_where_weights_are_worth_nothing():
    """lambda = 100 in a box of 12: few weighted fields would count, chains are the oscillator."""
    region = {"cutoff": 15, "box": 12}
    samples = sample_field(POINTS, coupling=100, n_draws=800, seed=1, **region)
    found = samples.correlators(max_points=2)

    def exact(coupling):
        return oscillator_correlators(POINTS, coupling=coupling, max_points=2, first_order=False, **region).values(2)

    assert np.abs((found.values(2) - exact(100)) / found.errors(2)).max() < 4
    assert np.abs((found.values(2) - exact(50)) / found.errors(2)).max() > 8


def test_without_an_interaction_it_is_the_propagator():
    samples = sample_field(POINTS, coupling={4: 1e-6}, cutoff=5, box=2, n_draws=1000, seed=2)
    found = samples.correlators(max_points=2)
    exact = CutoffPropagator(1, 1.0, 5.0).between(np.array(POINTS), np.array(POINTS))[np.triu_indices(2)]
    assert np.abs((found.values(2) - exact) / found.errors(2)).max() < 4


@pytest.mark.parametrize(
    ("options", "message"),
    [({"method": "nuts"}, "no method 'nuts'"), ({"n_chains": 2}, "n_chains"), ({"coupling": -1}, "must be >= 0")],
)
def test_what_it_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        sample_field(POINTS, box=2, **options)
