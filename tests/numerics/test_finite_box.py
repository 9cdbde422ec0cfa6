"""Diagrams of finite theories as numbers: against integrals written out by hand, exact moments and sampled networks."""

from __future__ import annotations

from functools import cache
from itertools import product
from math import perm, prod

import numpy as np
import pytest

from diagrams import cutoff_propagator, local_action, phi4, phi4_net, phi_n, symbol
from diagrams.cumulants import set_partitions
from diagrams.engineering import deform
from diagrams.finite_width import finite_width_correlators
from diagrams.interactions import LocalInteraction
from diagrams.regions import Box, GaussianWeight
from numerics import Ensemble, compare
from numerics.finite_box import correlator_values
from numerics.finite_width import interacting_values
from numerics.mode_monte_carlo import change_by_interaction
from numerics.propagators import CutoffPropagator

LINE = np.array([-1.0, 0.0, 0.7])[:, None]


def legendre(n: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    t, w = np.polynomial.legendre.leggauss(n)
    return (low + high) / 2 + (high - low) / 2 * t, (high - low) / 2 * w


def propagator(r, mass: float, cutoff: float) -> np.ndarray:
    """Return the propagator in one dimension by quadrature over momenta."""
    p, w = legendre(400, 0, cutoff)
    return np.cos(np.multiply.outer(np.abs(r), p)) @ (w / (p**2 + mass**2)) / np.pi


class TestPropagator:
    @pytest.mark.parametrize("dim", [1, 3])
    def test_closed_forms(self, dim):
        r = np.array([0.0, 0.3, 2.0, 9.0])
        exact = [
            float(cutoff_propagator(input_dim=dim, mass=0.7, cutoff=6, separation=s).evalf(15)) for s in r.tolist()
        ]
        np.testing.assert_allclose(CutoffPropagator(dim, 0.7, 6.0)(r), exact, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("dim", [1, 2, 3, 4])
    def test_tadpole(self, dim):
        exact = float(cutoff_propagator(input_dim=dim, mass=0.2, cutoff=20).evalf(15))
        assert CutoffPropagator(dim, 0.2, 20.0).at_zero == pytest.approx(exact, rel=1e-12)

    def test_two_dimensions_against_plane_waves(self):
        k, w = legendre(80, 0, 4)
        angle = 2 * np.pi * np.arange(120) / 120
        x = np.array([0.4, -1.1])
        wave = np.cos(np.multiply.outer(k, np.cos(angle) * x[0] + np.sin(angle) * x[1])).mean(axis=1)
        exact = (w * k / (k**2 + 1) * wave).sum() / (2 * np.pi)
        found = CutoffPropagator(2, 1.0, 4.0).between(x[None], np.zeros((1, 2)))
        assert found.item() == pytest.approx(exact, abs=1e-14)


class TestDiagrams:
    def _matrices(self, mass=1.0, cutoff=6.0, weight=None):
        z, w = legendre(200, -2, 2) if weight is None else legendre(300, -8 * weight, 8 * weight)
        if weight is not None:
            w = w * np.exp(-(z**2) / (2 * weight**2))
        x = LINE[:, 0]
        between = [propagator(np.subtract.outer(a, b), mass, cutoff) for a, b in ((x, x), (x, z), (z, z))]
        return *between, float(propagator(0.0, mass, cutoff)), w

    @pytest.mark.parametrize("weight", [None, 1.0], ids=["box", "weight"])
    def test_two_points_to_second_order(self, weight):
        region = {"box": 4} if weight is None else {"weight": weight}
        series = phi4(mass=1, coupling=0.8, cutoff=6, **region).correlator(legs=2, order=2)
        found = correlator_values(series, LINE)
        xx, xz, zz, g0, w = self._matrices(weight=weight)
        first = -0.8 / 2 * g0 * (xz * w) @ xz.T
        chain = g0**2 * (xz * w) @ zz @ (xz * w).T / 4
        double = g0 * (xz * (w * (zz**2 @ w))) @ xz.T / 4
        sunset = (xz * w) @ zz**3 @ (xz * w).T / 6
        second = 0.8**2 * (chain + double + sunset)
        for value, exact in zip(found.orders.values(), (xx, first, second), strict=True):
            np.testing.assert_allclose(value, exact, rtol=0, atol=1e-11)
        np.testing.assert_allclose(found.through(1), xx + first, rtol=0, atol=1e-11)
        assert found.quadrature_error < 1e-9
        without_sunset = 0.8**2 * (chain + double)
        assert np.abs(found.orders[2,] - without_sunset).max() > 1e-4

    def test_four_points_to_second_order(self):
        series = phi4(mass=1, coupling=0.8, cutoff=6, box=4).correlator(legs=4, order=2)
        found = correlator_values(series, LINE)
        _, xz, zz, g0, w = self._matrices()
        tree = -0.8 * np.einsum("az,bz,cz,dz,z->abcd", xz, xz, xz, xz, w, optimize=True)
        pair = np.einsum("az,bz,z->abz", xz, xz, w)
        bubble = np.einsum("abz,zy,cdy->abcd", pair, zz**2, pair, optimize=True) / 2
        bubbles = bubble + bubble.transpose(0, 2, 1, 3) + bubble.transpose(0, 3, 2, 1)
        dressed = (xz * w) @ zz * g0
        leg = np.einsum("az,bz,cz,dz,z->abcd", dressed, xz, xz, xz, w, optimize=True) / 2
        legs = sum(np.moveaxis(leg, 0, i) for i in range(4))
        np.testing.assert_allclose(found.orders[1,], tree, rtol=0, atol=1e-11)
        np.testing.assert_allclose(found.orders[2,], 0.8**2 * (bubbles + legs), rtol=0, atol=1e-11)

    def test_first_order_in_two_dimensions(self):
        """-(lambda/2) G(0) int G G with a tensor grid of another kind."""
        x = np.array([[0.0, 0.0], [0.4, -0.3]])
        series = phi4(mass=1, coupling=1, cutoff=3, box=2, input_dim=2).correlator(legs=2, order=1)
        found = correlator_values(series, x, tolerance=1e-8)
        t, w = legendre(40, -1, 1)
        nodes = np.array(list(product(t, t)))
        G = CutoffPropagator(2, 1.0, 3.0)
        legs = G.between(x, nodes)
        exact = -G.at_zero / 2 * (legs * np.multiply.outer(w, w).ravel()) @ legs.T
        np.testing.assert_allclose(found.orders[1,], exact, rtol=0, atol=1e-10)

    def test_other_powers_of_the_field(self):
        xx, xz, _, g0, w = self._matrices()
        six = correlator_values(phi_n(6, mass=1, coupling=2, cutoff=6, box=4).correlator(legs=2, order=1), LINE)
        np.testing.assert_allclose(six.orders[1,], -2 * g0**2 / 8 * (xz * w) @ xz.T, rtol=0, atol=1e-11)
        theory = local_action({3: 0.3, 4: 0.8}, mass=1, cutoff=6, box=4)
        one = correlator_values(theory.correlator(legs=1, order={"g_3": 1, "g_4": 0}), LINE)
        np.testing.assert_allclose(one.values, -0.3 / 2 * g0 * xz @ w, rtol=0, atol=1e-11)
        both = correlator_values(theory.correlator(legs=2, order={"g_3": 0, "g_4": 1}), LINE)
        np.testing.assert_allclose(both.values, xx - 0.8 / 2 * g0 * (xz * w) @ xz.T, rtol=0, atol=1e-11)

    def test_what_it_refuses(self):
        with pytest.raises(TypeError, match="finite theory"):
            correlator_values(phi4(mass=1, coupling=1).correlator(legs=2, order=1), LINE)
        with pytest.raises(ValueError, match=r"\['lambda', 'm'\]"):
            correlator_values(phi4(cutoff=6, box=4).correlator(legs=2, order=1), LINE)
        with pytest.raises(ValueError, match="shape"):
            correlator_values(phi4(mass=1, coupling=1, cutoff=6, box=4).correlator(legs=2, order=1), LINE[:, 0])
        huge = phi4(mass=1, coupling=1, cutoff=40, box=20, input_dim=2).correlator(legs=2, order=1)
        with pytest.raises(ValueError, match="quadrature nodes"):
            correlator_values(huge, [[0.0, 0.0]])


class TestComparison:
    """The cell of the public contract, at a coupling that shows."""

    NET = phi4_net(input_dim=1, mass=1, cutoff=8, coupling=0.5, box=4.0)

    def _measured(self, max_points=2):
        return Ensemble(self.NET.at(N=300), n_nets=20_000, seed=3).sample(LINE).correlators(max_points=max_points)

    def test_networks_follow_the_diagrams(self):
        measured = self._measured()
        theory = phi4(mass=1, coupling=0.5, cutoff=8, box=4.0, input_dim=1)
        found = compare(theory.correlator(legs=2, order=2), measured)
        assert found.orders == (2,)
        assert found.max_pull < 4
        assert 1e-4 < found.p_value <= 1
        assert "quadrature error" in found.label
        assert "O(lambda^3)" in found.label
        wrong = phi4(mass=1, coupling=12, cutoff=8, box=4.0)
        assert compare(wrong.correlator(legs=2, order=1), measured).max_pull > 10

    def test_what_cannot_be_compared(self):
        measured = self._measured()
        theory = phi4(mass=1, coupling=0.5, cutoff=8, box=4.0)
        with pytest.raises(ValueError, match="max_points=4"):
            compare(theory.correlator(legs=4, order=1), measured)
        flat = phi4(mass=1, coupling=0.5, cutoff=4, box=2.0, input_dim=2)
        with pytest.raises(ValueError, match="input_dim=2"):
            compare(flat.correlator(legs=2, order=1), measured)
        with pytest.raises(ValueError, match="no numbers"):
            compare(phi4(cutoff=8, box=4).correlator(legs=2, order=1), measured)


@cache
def cosine_moment(points: tuple[float, ...], cutoff: float, mass: float) -> float:
    """Return E[a^n prod h(x_i)] of one neuron by product-to-sum; a standard normal, uniform momenta."""
    n = len(points)
    k, w = legendre(60, 0, cutoff)
    amplitude = (2 * cutoff / np.pi / (k**2 + mass**2)) ** (n / 2)
    signs = [s for s in product((1, -1), repeat=n) if sum(s) == 0]
    waves = sum(np.cos(k * np.dot(s, points)) for s in signs) / 2**n
    return float(prod(range(1, n, 2)) * (w / cutoff * amplitude * waves).sum())


def exact_first_order(x: float, y: float, width: int, mass: float, cutoff: float, length: float) -> float:
    """Return d<phi(x) phi(y)>/dlambda at zero from full moments of N independent neurons, by all their coincidences."""

    def full(points: tuple[float, ...]) -> float:
        total = 0.0
        for blocks in set_partitions(range(len(points)), even=True):
            term = perm(width, len(blocks)) / width ** (len(points) / 2)
            total += term * prod(cosine_moment(tuple(points[i] for i in b), cutoff, mass) for b in blocks)
        return total

    z, w = legendre(20, -length / 2, length / 2)
    cov = [full((x, y, s, s, s, s)) - full((x, y)) * full((s, s, s, s)) for s in z]
    return -float(w @ np.array(cov)) / 24


class TestFiniteWidth:
    def test_first_order_is_exact_in_the_width(self):
        net = phi4_net(mass=1, cutoff=4, coupling=0.5, box=2).at(N=7)
        found = interacting_values(finite_width_correlators(net, order={"1/N": None, "lambda": 1}), 2, [[0.0], [0.6]])
        slope = sum(v for key, v in found.orders.items() if key[1] == 1) / 0.5
        exact = exact_first_order(0.0, 0.6, 7, 1.0, 4.0, 2.0)
        assert slope[0, 1] == pytest.approx(exact, rel=1e-7)
        assert found.orders[0, 1][0, 1] / 0.5 != pytest.approx(exact, rel=0.2)

    @pytest.mark.parametrize("dim", [1, 2])
    def test_infinite_width_is_the_field_theory(self, dim):
        points = np.array([[0.0, 0.0], [0.3, 0.2]])[:, :dim]
        net = phi4_net(input_dim=dim, mass=1, cutoff=4, coupling=0.5, box=2).at(N=50)
        one = interacting_values(
            finite_width_correlators(net, order={"1/N": 0, "lambda": 2 if dim == 1 else 1}), 2, points
        )
        theory = phi4(mass=1, coupling=0.5, cutoff=4, box=2, input_dim=dim)
        other = correlator_values(theory.correlator(legs=2, order=2 if dim == 1 else 1), points)
        for key, value in other.orders.items():
            np.testing.assert_allclose(one.orders[0, *key], value, rtol=0, atol=1e-9)

    def test_four_points_without_interaction(self):
        """Zeroth order is the connected 4-point function of the free net."""
        net = phi4_net(mass=1, cutoff=4, coupling=0.5, box=2).at(N=7)
        found = interacting_values(
            finite_width_correlators(net, order={"1/N": 1, "lambda": 0}, max_points=4), 4, [[0.0], [0.6]]
        )
        exact = float(net.base.connected_correlators(max_points=4)[4](0, 0, 0.6, 0.6).evalf())
        assert found.orders[1, 0][0, 0, 1, 1] == pytest.approx(exact, rel=1e-8)

    def test_several_couplings(self):
        base = phi4_net(mass=1, cutoff=4, coupling=0.5, box=2).base.at(N=7)
        net = deform(base, LocalInteraction({4: 0.5, 6: 0.25}, Box(2)))
        found = interacting_values(finite_width_correlators(net, order={"1/N": 0, "g_4": 1, "g_6": 1}), 2, [[0.0]])
        six = correlator_values(phi_n(6, mass=1, coupling=0.25, cutoff=4, box=2).correlator(legs=2, order=1), [[0.0]])
        np.testing.assert_allclose(found.orders[0, 0, 1], six.orders[1,], atol=1e-10)

    def test_what_it_refuses(self):
        net = phi4_net(mass=1, cutoff=4, coupling=symbol("lambda"), box=2).at(N=7)
        found = finite_width_correlators(net, order={"1/N": 0, "lambda": 1})
        with pytest.raises(ValueError, match="no numbers"):
            interacting_values(found, 2, [[0.0]])
        with pytest.raises(ValueError, match="free scalar net"):
            interacting_values(net.base.connected_correlators(max_points=2), 2, [[0.0]])

    def test_networks_are_on_the_line(self):
        """The change by a weak interaction at N = 25; what finite width adds is several times the ordinary tadpole."""
        net = phi4_net(mass=1, cutoff=10, coupling=0.03, box=8).at(N=25)
        points = np.array([[0.0], [0.5]])
        change, errors = change_by_interaction(Ensemble(net, n_nets=60_000, seed=11).sample(points))
        found = interacting_values(finite_width_correlators(net, order={"1/N": 2, "lambda": 2}), 2, points)
        index = ([0, 0, 1], [0, 1, 1])
        predicted = sum(value for key, value in found.orders.items() if key[1])[index]
        assert np.abs((change - predicted) / errors).max() < 4
        infinite = sum(value for key, value in found.orders.items() if key[1] and not key[0])[index]
        assert np.abs((change - infinite) / errors).min() > 10


@pytest.mark.slow
@pytest.mark.parametrize("width", [25, 100, 400])
def test_every_width_is_on_the_predicted_line(width):
    net = phi4_net(mass=1, cutoff=10, coupling=0.1, box=8).at(N=width)
    points = np.array([[0.0], [0.5], [1.0]])
    n_nets = {25: 1_500_000, 100: 600_000, 400: 200_000}[width]
    measured = Ensemble(net, n_nets=n_nets, seed=5).connected_correlators(points, max_points=2)
    assert compare(finite_width_correlators(net, order={"1/N": 2, "lambda": 2}), measured).max_pull < 4
    if width == 25:
        alone = phi4(mass=1, coupling=0.1, cutoff=10, box=8).correlator(legs=2, order=2)
        assert compare(alone, measured).max_pull > 10


def test_gaussian_weight_and_box_are_different_theories():
    both = [
        correlator_values(phi4(mass=1, coupling=1, cutoff=6, **region).correlator(legs=2, order=1), LINE).values
        for region in ({"box": 4}, {"weight": float(GaussianWeight(1).length)})
    ]
    assert np.abs(both[0] - both[1]).max() > 1e-3
