"""Local actions with several couplings and parameters: diagrams, orders and amplitudes against exact integrals."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from formal_series import at_one_point, cumulants, deformed_moments, without_zeros

from diagrams import phi4, phi_n
from diagrams.pointfunctions import PointFunction
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import Action, local_action

g, lam, kappa, delta, j, c = (symbol(s) for s in ("g", "lambda", "kappa", "delta", "j", "c"))
half = Fraction(1, 2)

# couplings, expansion, order, and the same as (n, exponents, coefficient) for the exact integral
THEORIES = {
    "phi3+phi4": ({3: "g", 4: "lambda"}, None, {"g": 2, "lambda": 2}, [(3, (1, 0), 1), (4, (0, 1), 1)]),
    "phi4+phi6": ({4: "lambda", 6: "kappa"}, None, {"lambda": 2, "kappa": 1}, [(4, (1, 0), 1), (6, (0, 1), 1)]),
    "mass counterterm": ({2: "delta", 4: "lambda"}, None, {"delta": 2, "lambda": 2}, [(2, (1, 0), 1), (4, (0, 1), 1)]),
    "source": ({1: "j", 3: "g"}, None, {"j": 3, "g": 2}, [(1, (1, 0), 1), (3, (0, 1), 1)]),
    "everything": (
        {1: "j", 2: "delta", 3: "g", 4: "lambda"},
        None,
        {"j": 1, "delta": 1, "g": 1, "lambda": 1},
        [(1, (1, 0, 0, 0), 1), (2, (0, 1, 0, 0), 1), (3, (0, 0, 1, 0), 1), (4, (0, 0, 0, 1), 1)],
    ),
    "coupling counterterm": (
        {4: lam + 3 * lam**2 / 7, 2: -lam / 2 + 5 * lam**2},
        None,
        {"lambda": 3},
        [(4, (1,), 1), (4, (2,), Fraction(3, 7)), (2, (1,), -half), (2, (2,), 5)],
    ),
    "one small parameter": (
        {3: 2 * sympy.sqrt(lam), 4: lam},
        None,
        {"lambda": 2},
        [(3, (half,), 2), (4, (1,), 1)],
    ),
    "no lowest power": (
        {4: lam + g**2},
        ("g", "lambda"),
        {"g": 2, "lambda": 1},
        [(4, (0, 1), 1), (4, (2, 0), 1)],
    ),
}


@pytest.mark.parametrize("legs", [1, 2, 3])
@pytest.mark.parametrize("name", THEORIES)
def test_correlators_against_the_zero_dimensional_integral(name, legs):
    couplings, expansion, order, terms = THEORIES[name]
    series = local_action(couplings, expansion=expansion).correlator(legs=legs, order=order)
    highest = tuple(order.values())
    expected = cumulants(deformed_moments(terms, highest, legs), highest)[legs]
    assert at_one_point(series) == without_zeros(expected)


def test_the_zero_dimensional_integral_notices_a_wrong_sign_and_a_missing_order():
    couplings, _, order, terms = THEORIES["coupling counterterm"]
    found = at_one_point(local_action(couplings).correlator(legs=2, order=order))
    for wrong in ([(4, (1,), 1), (4, (2,), -Fraction(3, 7)), *terms[2:]], [terms[0], terms[2]]):
        assert found != without_zeros(cumulants(deformed_moments(wrong, (3,), 2), (3,))[2])


def test_constant_source_of_any_power_at_each_order():
    """<phi> = -j + (lambda/6) j^3 + ... in zero dimensions: trees with any number of sources."""
    series = local_action({1: "j", 4: "lambda"}, expansion="lambda").correlator(legs=1, order=2)
    found = at_one_point(series)
    terms = [(1, (1, 0), 1), (4, (0, 1), 1)]
    highest = (9, 2)
    expected = cumulants(deformed_moments(terms, highest, 1), highest)[1]
    for order in range(3):
        polynomial = sum(v * j ** k[0] for k, v in without_zeros(expected).items() if k[1] == order)
        assert sympy.expand(found[(order,)] - polynomial) == 0


def test_amplitudes_have_their_points():
    series = local_action({2: "delta", 3: "g"}).correlator(legs=2, order={"delta": 1, "g": 0})
    x1, x2, y1 = (symbol(s) for s in ("x_1", "x_2", "y_1"))
    line = PointFunction("G", x1, y1) * PointFunction("G", x2, y1)
    assert series[1, 0] == -sympy.Integral(line, (y1, -sympy.oo, sympy.oo))
    (graph,) = series.diagrams_at((1, 0))
    assert graph.valences == (2,)
    assert local_action({2: "delta", 3: "g"}).amplitude(graph) == delta * series[1, 0]


def test_diagrams_are_attached_to_each_order():
    series = local_action({3: "g", 4: "lambda"}).correlator(legs=2, order={"g": 2, "lambda": 1})
    assert series.parameters == (g, lam)
    assert series.remainder == (3, 2)
    assert set(series) == {(0, 0), (0, 1), (2, 0), (2, 1)}
    for key in series:
        weights = sum(sympy.Rational(1, d.symmetry_factor) for d in series.diagrams_at(key))
        sign = (-1) ** sum(key)
        assert at_one_point(series)[key] == sign * weights


def test_rational_powers_stop_at_the_next_half():
    series = local_action({3: 2 * sympy.sqrt(lam), 4: lam}).correlator(legs=1, order=1)
    assert list(series) == [sympy.Rational(1, 2)]
    assert series.remainder == (sympy.Rational(3, 2),)


def test_numbers_are_values_of_the_parameters():
    theory = local_action({3: 0.1, 4: 0.5})
    assert theory.parameters == (symbol("g_3"), symbol("g_4"))
    named = local_action({3: "g", 4: "lambda"}, values={"g": 0.1, lam: 0.5})
    order = {"g_3": 2, "g_4": 1}
    numeric = theory.correlator(legs=2, order=order)
    symbolic = local_action({3: "g", 4: "lambda"}).correlator(legs=2, order={"g": 2, "lambda": 1})
    expected = symbolic.as_expr().subs({g: sympy.Rational(1, 10), lam: half})
    assert sympy.expand(numeric.as_expr() - expected) == 0
    assert sympy.expand(named.correlator(legs=2, order={"g": 2, "lambda": 1}).as_expr() - expected) == 0
    assert numeric[2, 1] == symbolic[2, 1]
    assert sympy.expand(theory.correlators(order=order)[2].expr - expected) == 0
    assert numeric.truncate((1, 2)).as_expr().free_symbols == symbolic.as_expr().free_symbols - {g, lam}


def test_numeric_phi4_expands_in_lambda():
    theory = phi4(mass=1, coupling=0.5)
    series = theory.correlator(legs=4, order=2)
    assert series.parameters == (lam,)
    assert list(series) == [1, 2]
    assert not series.as_expr().has(lam)
    assert theory.amplitude(series.diagrams[0]) == series[1] / 2
    assert phi4(coupling=g).parameters == (g,)
    assert phi4(coupling=2 * g).correlator(legs=4, order=1).as_expr().has(g)


def test_max_points():
    assert local_action({3: "g", 4: "lambda"}).correlators(order={"g": 2, "lambda": 1}).max_points == 6
    assert phi_n(3).correlators(order=4).max_points == 6
    assert local_action({2: "delta"}).correlators(order=3).max_points == 2


def test_couplings_as_series_and_what_is_not_known():
    series = Series((lam,), (((1,), 1), ((2,), c)), remainder=(3,))
    theory = local_action({4: series})
    assert theory.coupling(4)[2] == c
    assert theory.correlator(legs=4, order=2)[2].has(c)
    with pytest.raises(ValueError, match=r"g_4 is known below lambda\^3"):
        theory.correlator(legs=4, order=3)


@pytest.mark.parametrize(
    ("theory", "note"),
    [
        (phi4(), ""),
        (phi4(coupling=-1), "g_4 = -1 is negative"),
        (phi_n(3), "g_3 multiplies an odd power"),
        (local_action({3: "g", 4: "lambda"}), ""),
        (local_action({4: "lambda", 6: "kappa"}, values={"kappa": -2}), "g_6 = -2"),
    ],
    ids=lambda v: repr(v) if isinstance(v, Action) else "",
)
def test_unbounded_potentials_are_formal(theory, note):
    assert note in " ".join(theory.notes)
    assert bool(theory.notes) is bool(note)
    assert ("unbounded below" in str(theory)) is bool(note)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: local_action({}), TypeError, "at least one coupling"),
        (lambda: local_action({0: lam}), ValueError, "at least one field"),
        (lambda: local_action({2.5: lam}), TypeError, "integers >= 1"),
        (lambda: local_action({4: "lambda"}, mass=-1), ValueError, "mass must be positive"),
        (lambda: local_action({4: c}, expansion="lambda"), ValueError, "g_4 has a term without an expansion parameter"),
        (lambda: local_action({4: lam + 1}), ValueError, "without an expansion parameter"),
        (lambda: local_action({4: 1 / lam}), ValueError, "non-negative powers"),
        (lambda: local_action({4: sympy.sin(lam)}), ValueError, "non-negative powers"),
        (lambda: local_action({4: lam}, expansion=()), ValueError, "at least one expansion parameter"),
        (lambda: local_action({4: lam}, expansion=(1,)), TypeError, "symbols or their names"),
        (lambda: local_action({4: lam}, values={"mu": 1}), ValueError, r"values names 'mu'.*\['lambda'\]"),
        (lambda: local_action({4: sympy.oo}), ValueError, "finite and real"),
        (lambda: local_action({3: "g", 4: "lambda"}).correlator(legs=2, order=2), ValueError, "'g', 'lambda'"),
        (lambda: local_action({3: "g", 4: "lambda"}).correlator(legs=2, order={"g": 2}), ValueError, "does not name"),
        (lambda: phi4().correlator(legs=2, order={"mu": 2}), ValueError, "mu"),
        (lambda: phi4().correlator(legs=2, order={"lambda": -1}), ValueError, "must be >= 0"),
        (lambda: phi4().correlator(legs=2, order=1.5), TypeError, "must be an integer"),
        (lambda: local_action({2: "delta", 4: "lambda"}).diagrams(legs=2, max_loops=1), ValueError, r"\['g_2'\]"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_vertex_without_a_power_is_named():
    series = {4: Series((lam,), (((1,), 1),)), 6: Series((lam,), (((0,), 1),))}
    theory = Action(tuple(series.items()), (lam,), True, "", "")
    with pytest.raises(ValueError, match=r"infinitely many diagrams.*\(6, 'interaction'\)"):
        theory.correlator(legs=2, order=1)
