"""Theories that are finite on their own: how they are written, what they refuse, and what stays as it was."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy
from scipy.integrate import quad

from diagrams import aslatex, local_action, o_n_theory, phi4, phi4_net, phi_n, symbol
from diagrams.engineering import deform
from diagrams.finite_box import CutoffAction, CutoffSeries
from diagrams.finite_width import finite_width_correlators
from diagrams.interactions import BilocalInteraction, LocalInteraction
from diagrams.regions import Box, GaussianWeight

NUMBERS = {"mass": 1, "coupling": 0.5, "cutoff": 8, "box": 4.0, "input_dim": 1}


def test_without_cutoff_and_region_nothing_changes():
    theory = phi4(mass=1, coupling=0.5)
    assert not isinstance(theory, CutoffAction)
    assert not isinstance(theory.correlator(legs=2, order=2), CutoffSeries)
    assert not theory.correlator(legs=2, order=1)[1].has(sympy.Symbol("f"))


def test_the_series_has_the_diagrams_and_the_weight():
    series = phi4(**NUMBERS).correlator(legs=2, order=2)
    assert [d.symmetry_factor for d in series.diagrams] == [1, 2, 4, 4, 6]
    assert str(series[1]) == "-Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1)*f(y_1), (y_1, -oo, oo))/2"
    plain = phi4().correlator(legs=2, order=2)
    for key in series:
        integrals = sympy.Add.make_args(series[key])
        assert len(integrals) == len(sympy.Add.make_args(plain[key]))
    assert series.as_expr().coeff(symbol("lambda")) == 0  # the number is put in


@pytest.mark.parametrize(
    ("region", "shown"),
    [({"box": 4}, r"\int_{\left[-2, 2\right]} dx"), ({"weight": 2}, r"e^{-x^2 / \left(2 \cdot 4\right)}")],
    ids=["box", "weight"],
)
def test_latex_shows_region_and_cutoff(region, shown):
    text = aslatex(phi4(mass=2, coupling=0.5, cutoff=8, **region))
    assert shown in text
    assert r"\int_{|p| < 8}" in text
    assert r"\frac{1}{2 \cdot 4!}" in text
    assert "f_{1}" in aslatex(phi4(mass=2, coupling=0.5, cutoff=8, **region).correlator(legs=4, order=1))


def test_amplitude_has_the_weight_at_every_vertex():
    theory = phi4(**NUMBERS)
    sunset = theory.diagrams(legs=2, max_loops=2)[-1]
    (integral,) = theory.amplitude(sunset).atoms(sympy.Integral)
    assert str(integral.function).count("f(y_") == 2


def test_values_are_values():
    theory = phi4(**NUMBERS)
    assert theory == phi4(**NUMBERS)
    assert hash(theory) == hash(phi4(**NUMBERS))
    assert theory != phi4(**{**NUMBERS, "cutoff": 9})
    series = theory.correlator(legs=2, order=2)
    assert pickle.loads(pickle.dumps(series)).theory == theory
    cut = series.truncate((2,))
    assert isinstance(cut, CutoffSeries)
    assert (cut.theory, cut.legs, len(cut)) == (theory, 2, 2)
    assert not isinstance(series.map(lambda c: 2 * c), CutoffSeries)  # no longer the correlator of the theory


def test_the_tadpole_is_elementary():
    assert phi4(mass=1, coupling=1, cutoff=10, box=8).propagator_at_zero == sympy.atan(10) / sympy.pi


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("alpha", ["-5/2", "-1/2", "1/2", "1"])
def test_normalisations_of_momenta_are_elementary(dim, alpha):
    """The density (k^2 + m^2)^(-alpha - 1) in the ball, against quadrature of the modulus."""
    alpha = sympy.Rational(alpha)
    found = phi4_net(input_dim=dim, alpha=alpha).base.feature.momenta.normalisation
    assert not found.has(sympy.hyper, sympy.Integral)
    area = {1: 2, 2: 2 * np.pi, 3: 4 * np.pi, 4: 2 * np.pi**2}[dim]
    exact = quad(lambda k: area * k ** (dim - 1) * (k**2 + 1.69) ** float(-alpha - 1), 0, 4)[0]
    assert float(found.subs({symbol("m"): 1.3, symbol("Lambda"): 4})) == pytest.approx(exact, rel=1e-10)


def test_the_width_can_be_given_at_once():
    whole = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4, width=100, components=2)
    assert whole == phi4_net(mass=1, cutoff=8, coupling=0.5, box=4, components=2).at(N=100)
    with pytest.raises(ValueError, match="positive integer"):
        phi4_net(mass=1, cutoff=8, coupling=0.5, box=4, width=0)


def test_the_mass_is_readable():
    assert str(phi4(mass=1)).startswith("S[phi] = ∫dx [ 1/2 (∇phi)^2 + 1/2 phi^2 + ")
    assert "+ 2 phi^2 + " in str(phi4(mass=2))
    assert "1/2 m^2 phi_a phi_a" in str(o_n_theory(2))
    assert "1/2 phi_a phi_a" in str(o_n_theory(2, mass=1))


def test_free_parameters_are_named():
    theory = phi4(cutoff=symbol("Lambda"), box=symbol("L"))
    assert theory.free_parameters == ("L", "Lambda", "lambda", "m")
    assert phi4(**NUMBERS).free_parameters == ()
    assert phi_n(6, mass=1, coupling=2, cutoff=5, weight=1).free_parameters == ()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cutoff": 8}, "give cutoff=... and box"),
        ({"box": 4}, "give cutoff=... and box"),
        ({"input_dim": 2}, "give cutoff=... and box"),
        ({"cutoff": 8, "box": 4, "weight": 1}, "not both"),
        ({"cutoff": 0, "box": 4}, "cutoff must be positive"),
        ({"cutoff": 8, "box": -4}, "side of the box must be positive"),
        ({"cutoff": 8, "box": 4, "coupling": -1}, "unbounded below"),
        ({"cutoff": 8, "box": 4, "mass": 0}, "mass must be positive"),
    ],
)
def test_bad_theories_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        phi4(**{"mass": 1, "coupling": 0.5, **arguments})


def test_odd_potentials_are_refused():
    with pytest.raises(ValueError, match="unbounded below"):
        phi_n(3, mass=1, coupling=1, cutoff=8, box=4)
    both = local_action({3: 0.1, 4: 1}, mass=1, cutoff=8, box=4)
    assert both.valences == (3, 4)


class TestFiniteWidth:
    """The bipartite rule, with names for the couplings."""

    NET = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4).at(N=100)

    def test_orders_are_those_asked_for(self):
        found = finite_width_correlators(self.NET, order={"1/N": 1, "lambda": 1})
        assert list(map(str, found.source.parameters)) == ["1/N", "lambda"]
        assert set(found[2].series) == {(0, 0), (0, 1), (1, 1)}

    def test_infinite_width_has_the_ordinary_diagrams(self):
        found = finite_width_correlators(self.NET, order={"1/N": 0, "lambda": 2})
        ordinary = phi4().correlator(legs=2, order=2)
        factors = sorted(g.symmetry_factor for g in found.source.diagrams(2))
        assert factors == sorted(d.symmetry_factor for d in ordinary.diagrams)

    def test_several_couplings_keep_their_powers_as_names(self):
        net = deform(self.NET.base, LocalInteraction({4: 1, 6: 2}, GaussianWeight(1)))
        found = finite_width_correlators(net, order={"1/N": 0, "g_4": 1, "g_6": 1})
        assert list(map(str, found.source.parameters)) == ["1/N", "g_4", "g_6"]

    def test_what_it_refuses(self):
        with pytest.raises(TypeError, match="deformed ensemble"):
            finite_width_correlators(self.NET.base, order={"1/N": 1, "lambda": 1})
        with pytest.raises(TypeError, match="must name 1/N"):
            finite_width_correlators(self.NET, order={"lambda": 1})
        kernel = BilocalInteraction(sympy.exp(-((symbol("x_1") - symbol("x_2")) ** 2)), Box(4))
        with pytest.raises(ValueError, match="only local"):
            finite_width_correlators(deform(self.NET.base, kernel), order={"1/N": 1, "lambda": 1})
