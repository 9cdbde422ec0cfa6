"""Monte Carlo over the modes of the field: the oscillator in one dimension, diagrams and networks in two."""

from __future__ import annotations

import numpy as np
import pytest

from diagrams import phi4, phi4_net
from numerics import Ensemble
from numerics.finite_box import correlator_values
from numerics.mode_monte_carlo import change_by_interaction, field_monte_carlo
from numerics.oscillator import oscillator_correlators
from numerics.propagators import CutoffPropagator

LINE = np.array([[0.0], [0.5]])
PLANE = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]])


def _free(points: np.ndarray, cutoff: float) -> np.ndarray:
    return CutoffPropagator(points.shape[1], 1.0, cutoff).between(points, points)[np.triu_indices(len(points))]


@pytest.mark.parametrize(
    ("couplings", "region"),
    [({4: 1.0}, {"box": 8.0}), ({4: 1.0}, {"weight": 1.5}), ({6: 10.0}, {"box": 4.0})],
    ids=["phi^4 in a box", "phi^4 with a weight", "phi^6"],
)
def test_one_dimension_is_the_oscillator(couplings, region):
    samples = field_monte_carlo(LINE, cutoff=10, coupling=couplings, n_fields=30_000, seed=1, **region)
    change, errors = change_by_interaction(samples)
    exact = oscillator_correlators(LINE, coupling=couplings, cutoff=10, max_points=2, tolerance=1e-7, **region)
    expected = exact.values(2) - _free(LINE, 10.0)
    assert np.abs((change - expected) / errors).max() < 4
    assert np.abs((change - 1.5 * expected) / errors).min() > 10
    assert samples.diagnostics["quadrature_error"] < 1e-5


def test_two_dimensions_are_the_diagrams():
    samples = field_monte_carlo(PLANE, cutoff=4, coupling=0.3, box=3.0, input_dim=2, n_fields=12_000, seed=3)
    change, errors = change_by_interaction(samples)
    series = phi4(mass=1, coupling=0.3, cutoff=4, box=3.0, input_dim=2).correlator(legs=2, order=2)
    orders = correlator_values(series, PLANE, tolerance=1e-6).orders
    expected = (orders[1,] + orders[2,])[np.triu_indices(3)]
    assert np.abs((change - expected) / errors).max() < 4
    assert np.abs((change - 2 * expected) / errors).min() > 10
    full = samples.correlators(max_points=2)
    assert np.abs((full.values(2) - _free(PLANE, 4.0) - expected) / full.errors(2)).max() < 4


@pytest.mark.slow
def test_two_dimensions_are_wide_networks():
    """lambda = 2 at N = 500: no expansion is used."""
    region = {"cutoff": 4, "coupling": 2.0, "box": 2.0, "input_dim": 2}
    modes = change_by_interaction(field_monte_carlo(PLANE, n_fields=6_000, seed=5, **region))
    net = phi4_net(mass=1, **region).at(N=500)
    networks = change_by_interaction(Ensemble(net, n_nets=2000, seed=6).sample(PLANE))
    assert np.abs((modes[0] - networks[0]) / np.hypot(modes[1], networks[1])).max() < 4
    assert np.abs(networks[0] / networks[1]).min() > 5


def test_draws_are_reproducible_and_seeds_differ():
    first, again, other = (field_monte_carlo(LINE, box=4.0, n_fields=100, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.fields, again.fields)
    assert np.abs(first.fields - other.fields).max() > 0.1
    sequence = field_monte_carlo(LINE, box=4.0, n_fields=100, seed=np.random.SeedSequence(1))
    np.testing.assert_array_equal(first.fields, sequence.fields)


def test_without_interaction_weights_are_one():
    samples = field_monte_carlo(LINE, box=4.0, coupling=0.0, n_fields=100)
    np.testing.assert_array_equal(samples.log_weights, 0.0)
    change, errors = change_by_interaction(samples)
    np.testing.assert_allclose([change, errors], 0.0, atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "either box"),
        ({"box": 1.0, "weight": 1.0}, "either box"),
        ({"box": 8.0, "coupling": -1.0}, "coupling must be >= 0"),
        ({"box": 8.0, "coupling": {3: 1.0}}, "cannot be normalised"),
        ({"box": 8.0, "cutoff": 0.0}, "must be positive"),
        ({"box": 8.0, "input_dim": 3}, "1 and 2 dimensions"),
        ({"box": 8.0, "n_fields": 3}, "n_fields"),
    ],
)
def test_what_it_refuses(arguments, match):
    with pytest.raises(ValueError, match=match):
        field_monte_carlo(LINE, **arguments)


def test_changes_need_blocks():
    samples = field_monte_carlo(LINE, box=4.0, n_fields=100)
    one = type(samples)(samples.fields, samples.log_weights, samples.points, (100,), samples.label, samples.attrs)
    with pytest.raises(ValueError, match="two blocks"):
        change_by_interaction(one)
