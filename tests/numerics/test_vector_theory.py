"""O(n) theory three ways: networks of several outputs, the oscillator in n dimensions, diagrams with their indices."""

from __future__ import annotations

import numpy as np
import pytest

from diagrams import o_n_theory, phi4, phi4_net
from diagrams.latex import aslatex
from numerics import Ensemble, compare, correlator_values, o_n_oscillator_correlators, oscillator_correlators
from numerics.interacting_samples import sample_interacting
from numerics.phi4 import _first_order
from numerics.vector_width import vector_first_order

POINTS = [[0.0], [0.5]]
REGION = {"cutoff": 5, "box": 4}


def _product_basis(lam: float, length: float, early: float, late: float, size: int = 26) -> list[float]:
    """G_11, G_12 and the connected 1122 and 1111 at two times, from both oscillators in the basis of their product."""
    q = np.diag(np.sqrt(np.arange(1, size + 8)), 1)
    q = (q + q.T) / np.sqrt(2)
    one, x, x2, x4 = np.eye(size), *(np.linalg.matrix_power(q, n)[:size, :size] for n in (1, 2, 4))
    potential = lam / 24 * (np.kron(x4, one) + 2 * np.kron(x2, x2) + np.kron(one, x4))
    energies, vectors = np.linalg.eigh(np.diag(np.add.outer(np.arange(size), np.arange(size)).ravel()) + potential)
    a, b = np.kron(x, one), np.kron(one, x)
    vacuum = np.eye(1, size * size)[0]

    def after(state, time):
        return vectors @ (np.exp(-(energies - energies[0]) * time) * (vectors.T @ state))

    def moment(first, second):
        state = first @ after(vacuum, early + length / 2)
        return vacuum @ after(second @ after(state, late - early), length / 2 - late)

    norm = vacuum @ after(vacuum, length)
    two, same = moment(a, a) / norm, (moment(a @ a, np.eye(size**2)) / norm, moment(np.eye(size**2), a @ a) / norm)
    mixed = moment(a @ b, a @ b) / norm - two**2
    return [two, moment(a, b) / norm, mixed, moment(a @ a, a @ a) / norm - same[0] * same[1] - 2 * two**2]


def test_two_components_in_the_product_basis():
    found = o_n_oscillator_correlators([[-0.5], [0.7]], components=2, box=4.0, coupling=2.0)
    legs = {
        n: found.indices(n).tolist() for n in (2, 4)
    }  # 0 and 1 are the times of component 1, 2 and 3 of component 2
    values = [found.values(2)[legs[2].index(i)] for i in ([0, 1], [0, 3])]
    values += [found.values(4)[legs[4].index(i)] for i in ([0, 1, 2, 3], [0, 0, 1, 1])]
    exact = _product_basis(2.0, 4.0, -0.5, 0.7)
    np.testing.assert_allclose(values, exact, atol=1e-8)
    assert abs(exact[2]) > 1e-3


@pytest.mark.parametrize("region", [{"box": 3.0, "cutoff": 6.0}, {"weight": 0.7}], ids=["box, cutoff", "weight"])
def test_one_component_is_the_oscillator(region):
    couplings = {4: 1.0, 6: 3.0}
    one = oscillator_correlators([[0.7], [-0.4]], coupling=couplings, **region)
    radial = o_n_oscillator_correlators([[0.7], [-0.4]], components=1, coupling=couplings, **region)
    for n in (2, 4):
        np.testing.assert_allclose(radial.values(n), one.values(n), atol=1e-9)


def test_the_slope_in_the_coupling_is_the_first_order_of_three_components():
    """Without a cutoff: the tadpole with (n + 2)/6, and the tree with a third of each pairing of indices."""
    x, size = np.array([0.0, 0.3]), 0.01
    t, w = np.polynomial.legendre.leggauss(40)
    parts = [(a + (b - a) * (t + 1) / 2, (b - a) / 2 * w) for a, b in ((-1, 0), (0, 0.3), (0.3, 1))]
    z, weights = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    legs = np.exp(-np.abs(x[:, None] - z)) / 2
    for n in (2, 4):
        runs = [
            o_n_oscillator_correlators(x[:, None], components=3, coupling=g, box=2, max_points=n, tolerance=1e-12)
            for g in (0, size, 2 * size)
        ]
        slope = (-3 * runs[0].values(n) + 4 * runs[1].values(n) - runs[2].values(n)) / (2 * size)
        a, p = np.divmod(runs[0].indices(n), 2)
        same = [(a[:, i] == a[:, j]) * 1.0 for i, j in ((0, 1), (0, n - 1), (0, n // 2), (1, n // 2), (n // 2, n - 1))]
        factor = -5 / 12 * same[0]
        if n == 4:
            factor = -(same[0] * same[4] + same[2] * (a[:, 1] == a[:, 3]) + same[1] * same[3]) / 3
        exact = factor * (np.prod(legs[p], axis=1) @ weights)
        np.testing.assert_allclose(slope, exact, atol=3e-3 * np.abs(exact).max())


def test_one_component_of_the_theory_is_phi4():
    vector = o_n_theory(1, {4: "lambda"}, values={"lambda": 0.5}, mass=1, **REGION)
    for legs in (2, 4):
        expected = correlator_values(phi4(mass=1, coupling=0.5, **REGION).correlator(legs=legs, order=2), POINTS)
        found = correlator_values(vector.correlator(legs=legs, order=2), POINTS)
        np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize("width", [5, 200])
def test_first_order_of_one_component_is_that_of_the_bipartite_diagrams(width):
    one = _first_order(phi4_net(mass=1, coupling=0.1, **REGION).at(N=width), 2, np.array(POINTS)).change(width)
    net = phi4_net(mass=1, coupling=0.1, components=2, **REGION)
    terms = vector_first_order(net, POINTS)
    engine = correlator_values(o_n_theory(2, {4: 0.1}, mass=1, **REGION).correlator(legs=2, order=1), POINTS)
    np.testing.assert_allclose(terms[0], engine.orders[(1,)][np.triu_indices(4)], atol=1e-12)
    # n (n + 2) A + 4 (n + 2) B: components alone do not give A and B, so that n = 1 is taken from the same sums
    from numerics.vector_width import _at_one_component

    a, b, c = _at_one_component(net, net.interaction.terms[0], np.array(POINTS), 1, 1.0)
    np.testing.assert_allclose((0.1 * (a + b / width + c / width**2))[np.triu_indices(2)], one, rtol=1e-9)


def test_first_order_of_sampled_networks():
    """The joint cumulant with Delta S has the first order at N = 10; that of infinite width is far off."""
    net = phi4_net(mass=1, components=2, **REGION).at(N=10)
    found = Ensemble(net, n_nets=30_000, seed=2).correlator_derivatives(POINTS, strength="lambda", max_points=2)
    terms = vector_first_order(phi4_net(mass=1, coupling=1, components=2, **REGION), POINTS)
    exact = terms[0] + terms[1] / 10 + terms[2] / 100
    assert np.abs((found.values(2) - exact) / found.errors(2)).max() < 4
    assert np.abs((found.values(2) - terms[0]) / found.errors(2)).max() > 6


def test_networks_of_two_outputs_are_the_oscillator_in_two_dimensions():
    net = phi4_net(mass=1, coupling=1, components=2, **REGION)
    terms = vector_first_order(net, POINTS)
    at_width = terms[1] / 512 + terms[2] / 512**2  # beyond it there are terms of second order over the width
    samples = sample_interacting(net.at(N=512), POINTS, method="hmc", n_draws=1500, seed=2)
    found = samples.correlators(max_points=2)

    def pulls(coupling):
        exact = o_n_oscillator_correlators(POINTS, components=2, coupling=coupling, max_points=2, **REGION)
        return (found.values(2) - at_width - exact.values(2)) / found.errors(2)

    assert np.abs(pulls(1)).max() < 4
    assert np.abs(pulls(3)).max() > 10


def test_networks_compare_with_the_diagrams_of_all_components():
    series = o_n_theory(2, {4: 0.1}, mass=1, **REGION).correlator(legs=2, order=1)
    net = phi4_net(mass=1, coupling=0.1, components=2, **REGION).at(N=500)
    measured = Ensemble(net, n_nets=4000, seed=3).connected_correlators(POINTS, max_points=2)
    assert compare(series, measured).max_pull < 4
    with pytest.raises(ValueError, match=r"3 output\(s\), the measured points 1 coordinates and 2 output"):
        compare(o_n_theory(3, {4: 0.1}, mass=1, **REGION).correlator(legs=2, order=1), measured)


def test_latex_of_the_finite_theory():
    shown = aslatex(o_n_theory(2, mass=1, **REGION))
    assert r"\frac{\lambda}{4!} \int_{\left[-2, 2\right]} dx\; (\phi_a \phi_a)^{2}" in shown
    assert r"\delta_{ab}\, G(x, y) = \int_{|p| < 5}" in shown
    assert o_n_theory(mass=1, **REGION).free_parameters == ("N_c", "lambda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "positive integer"),
        ({"coupling": {3: 1, 4: 1}}, "even powers"),
        ({"coupling": -1}, "unbounded below"),
        ({"max_points": 5}, "2 to 4"),
    ],
)
def test_what_the_oscillator_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        o_n_oscillator_correlators([[0.0]], box=2, **options)


def test_what_the_first_order_refuses():
    with pytest.raises(ValueError, match="one quartic"):
        vector_first_order(phi4_net(mass=1, coupling=1, **REGION), POINTS)
