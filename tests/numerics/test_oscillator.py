"""The oscillator in a finite region: free limit, known levels, perturbation theory, cutoff, and what it refuses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from diagrams import local_action, phi4, phi_n
from numerics.finite_box import correlator_values
from numerics.oscillator import ground_state_energies, matched_couplings, oscillator_correlators
from numerics.propagators import CutoffPropagator

TIMES = np.array([[0.0], [-0.7], [1.2]])


def free(r: float, mass: float = 1.0) -> float:
    return float(np.exp(-mass * abs(r)) / (2 * mass))


@pytest.mark.parametrize("region", [{"box": 3.0}, {"weight": 1.0}], ids=["box", "weight"])
@pytest.mark.parametrize("cutoff", [None, 6.0], ids=["no cutoff", "cutoff"])
def test_without_interaction_it_is_the_propagator(region, cutoff):
    found = oscillator_correlators(TIMES, mass=0.8, coupling=0.0, cutoff=cutoff, tolerance=1e-8, **region)
    gaps = np.abs(np.subtract.outer(TIMES[:, 0], TIMES[:, 0]))[np.triu_indices(3)]
    exact = np.exp(-0.8 * gaps) / 1.6 if cutoff is None else CutoffPropagator(1, 0.8, 6.0)(gaps)
    np.testing.assert_allclose(found.values(2), exact, rtol=0, atol=1e-9)
    for n in (1, 3, 4):
        np.testing.assert_allclose(found.values(n), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("couplings", "energy"),
    [
        ({4: 24.0}, 0.803770651234),  # p^2/2 + q^2/2 + q^4 (Bender and Wu 1969)
        ({4: 12.0}, 1.392351641530 / 2),  # p^2 + q^2 + q^4 halved
        ({6: 360.0}, 1.435624619003 / 2),  # p^2 + q^2 + q^6 halved
    ],
    ids=["quartic", "half the quartic", "sextic"],
)
def test_known_ground_states(couplings, energy):
    assert ground_state_energies(coupling=couplings)[0] == pytest.approx(energy, abs=1e-10)


def test_the_long_box_is_the_ground_state():
    """<q^2> of the ground state is twice the slope of its energy with the square of the mass."""
    lam, step = 3.0, 1e-4
    inside = oscillator_correlators([[0.0]], coupling=lam, box=40.0, max_points=2).values(2)[0]
    # at another mass the basis is another one, but the sum of the terms is the same Hamiltonian
    levels = [ground_state_energies(mass=np.sqrt(1 + s), coupling=lam)[0] for s in (step, -step)]
    assert inside == pytest.approx((levels[0] - levels[1]) / step, abs=1e-7)


def test_a_mass_in_all_of_a_long_box():
    """phi^2 can be solved: far from the ends the mass is another one."""
    found = oscillator_correlators([[0.0], [0.5]], coupling={2: 0.44}, box=40.0, max_points=4)
    np.testing.assert_allclose(found.values(2)[:2], [free(0, 1.2), free(0.5, 1.2)], atol=1e-9)
    np.testing.assert_allclose(found.values(4), 0, atol=1e-9)


def _tadpole(x: float, y: float, weight, low: float, high: float) -> float:
    """-(1/2) G(0) int f(z) G(x, z) G(z, y) dz with the propagator of all momenta."""
    places = sorted({p for p in (x, y) if low < p < high})
    edges = [low, *places, high]
    pieces = pairwise(edges)
    return -free(0) / 2 * sum(quad(lambda z: weight(z) * free(x - z) * free(z - y), a, b)[0] for a, b in pieces)


@pytest.mark.parametrize(
    ("region", "weight", "edge"),
    [({"box": 3.0}, lambda z: 1.0, 1.5), ({"weight": 0.6}, lambda z: np.exp(-(z**2) / 0.72), 5.0)],
    ids=["box", "weight"],
)
def test_first_order_is_the_tadpole(region, weight, edge):
    """Points inside and outside of the region."""
    times = np.array([[0.0], [1.0], [2.5]])
    steps = np.array([0.004, 0.008, 0.012])
    runs = [oscillator_correlators(times, coupling=s, max_points=2, tolerance=1e-10, **region).values(2) for s in steps]
    rows, columns = np.triu_indices(3)
    changes = np.array(runs) - np.array([free(times[i, 0] - times[j, 0]) for i, j in zip(rows, columns, strict=True)])
    slopes = np.linalg.solve(np.vander(steps, 4, increasing=True)[:, 1:], changes)[0]
    exact = [_tadpole(times[i, 0], times[j, 0], weight, -edge, edge) for i, j in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(slopes, exact, rtol=2e-4)


@pytest.mark.parametrize("legs", [2, 4])
def test_first_and_second_order_are_the_diagrams(legs):
    """A fit at small lambda against the diagrams in the same box with the same cutoff, high enough not to matter."""
    points = np.array([[0.0], [0.6]])
    series = phi4(mass=1, coupling=1, cutoff=25, box=4).correlator(legs=legs, order=2)
    orders = correlator_values(series, points, tolerance=1e-7).orders
    steps = np.linspace(0.005, 0.04, 6)
    runs = [
        oscillator_correlators(points, coupling=s, box=4, cutoff=25, max_points=legs, first_order=False) for s in steps
    ]
    values = np.array([r.values(legs) for r in runs])
    if legs == 2:
        values = values - orders[0,][np.triu_indices(2)]
    index = tuple(runs[0].indices(legs).T)
    fitted = np.linalg.lstsq(np.vander(steps, 6, increasing=True)[:, 1:], values, rcond=None)[0]
    np.testing.assert_allclose(fitted[0], orders[1,][index], rtol=1e-3)
    np.testing.assert_allclose(fitted[1], orders[2,][index], rtol=1e-2)
    assert np.abs(fitted[1] / (2 * orders[2,][index]) - 1).min() > 0.4  # a factor would be seen


@pytest.mark.parametrize(
    ("couplings", "legs"), [({6: 1.0}, 2), ({6: 1.0}, 4), ({3: 0.2, 4: 1.0}, 1), ({3: 0.2, 4: 1.0}, 3)]
)
def test_other_powers_at_first_order(couplings, legs):
    points = np.array([[0.0], [0.6]])
    if 6 in couplings:
        series = phi_n(6, mass=1, coupling=1, cutoff=30, box=4).correlator(legs=legs, order=1)
    else:
        theory = local_action({3: 0.2, 4: 1.0}, mass=1, cutoff=30, box=4)
        series = theory.correlator(legs=legs, order={"g_3": 1, "g_4": 0})
    first = sum(v for key, v in correlator_values(series, points, tolerance=1e-7).orders.items() if any(key))
    small = {n: 1e-4 * g for n, g in couplings.items()}
    found = oscillator_correlators(points, coupling=small, box=4, cutoff=30, max_points=legs, first_order=False)
    change = found.values(legs)
    if legs == 2:
        gaps = np.abs(np.subtract.outer(points[:, 0], points[:, 0]))[np.triu_indices(2)]
        change = change - CutoffPropagator(1, 1.0, 30.0)(gaps)
    np.testing.assert_allclose(change / 1e-4, first[tuple(found.indices(legs).T)], rtol=4e-3)


def test_strong_coupling_at_the_points_of_reference():
    """lambda = 1, cutoff 10, box 8: second order is no test here."""
    times = [[0.0], [0.5]]
    exact = oscillator_correlators(times, coupling=1.0, box=8.0, cutoff=10.0).values(2)[0]
    theory = phi4(mass=1, coupling=1, cutoff=10, box=8)
    perturbative = correlator_values(theory.correlator(legs=2, order=2), times)
    assert exact == pytest.approx(0.42389, abs=3e-5)
    assert abs(perturbative.values[0, 0] / exact - 1) > 0.01
    weak = oscillator_correlators(times, coupling=0.1, box=8.0, cutoff=10.0).values(2)[0]
    found = correlator_values(phi4(mass=1, coupling=0.1, cutoff=10, box=8).correlator(legs=2, order=2), times)
    assert found.values[0, 0] == pytest.approx(weak, abs=2e-5)
    assert abs(found.through(1)[0, 0] - weak) > 1.5e-4


def test_matched_tadpole():
    """At first order the shifted mass cancels what the vertex sees of momenta above the cutoff."""
    delta = 0.5 - CutoffPropagator(1, 1.0, 10.0).at_zero
    assert matched_couplings({4: 2.0}, 1.0, 10.0) == pytest.approx({4: 2.0, 2: -delta})
    assert matched_couplings({6: 2.0}, 1.0, 10.0) == pytest.approx({6: 2.0, 4: -delta, 2: delta**2 / 4})
    assert matched_couplings({4: 2.0}, 1.0, None) == {4: 2.0}


def test_the_part_of_first_order_can_be_left_out():
    plain, added = (
        oscillator_correlators([[0.0]], coupling=1.0, box=8.0, cutoff=10.0, first_order=f) for f in (False, True)
    )
    for n in (2, 4):
        np.testing.assert_allclose(added.values(n) - plain.values(n), plain.cutoff_corrections[n], atol=1e-14)
        assert (plain.cutoff_corrections[n] > 0).all()
    assert "cutoff correction" in str(added)


def test_times_in_any_order():
    times = np.array([[0.9], [-0.4], [0.9], [2.5]])
    found = oscillator_correlators(times, coupling=1.0, box=3.0)
    sorted_ones = oscillator_correlators(np.sort(times, axis=0), coupling=1.0, box=3.0)
    assert found.values(2)[0] == pytest.approx(sorted_ones.values(2)[4], abs=1e-14)
    pairs = found.indices(2).tolist()
    assert found.values(2)[pairs.index([0, 2])] == pytest.approx(found.values(2)[0], abs=1e-14)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "either box"),
        ({"box": 1, "weight": 1}, "either box"),
        ({"box": -1}, "side of the box"),
        ({"box": 1, "mass": 0}, "mass must be positive"),
        ({"box": 1, "cutoff": -2}, "cutoff must be positive"),
        ({"box": 1, "coupling": -1}, "unbounded below"),
        ({"box": 1, "coupling": {3: 1}}, "unbounded below"),
        ({"box": 1, "max_points": 7}, "max_points"),
    ],
)
def test_what_it_refuses(arguments, match):
    with pytest.raises(ValueError, match=match):
        oscillator_correlators([[0.0]], **arguments)


def test_it_does_not_return_what_has_not_converged():
    with pytest.raises(ArithmeticError, match="states"):
        oscillator_correlators([[0.0]], coupling=1e7, box=8.0, tolerance=1e-12)
