"""Local theories: diagrams, amplitudes, correlators, Feynman rules of three kinds."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import networkx as nx
import pytest
import sympy

from diagrams import phi4, phi_n
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.pointfunctions import ChannelSum, PointFunction, expand_channels
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.symbols import symbol

lam = symbol("lambda")
x1, x2, y1, y2 = (symbol(s) for s in ("x_1", "x_2", "y_1", "y_2"))


def G(a, b):
    return PointFunction("G", a, b)


def integrate(expr, *points):
    return sympy.Integral(expr, *((p, -sympy.oo, sympy.oo) for p in points))


def test_two_point_diagrams_and_amplitudes():
    theory = phi4()
    diagrams = theory.diagrams(legs=2, max_loops=2)
    assert [(d.n_loops, d.symmetry_factor) for d in diagrams] == [(0, 1), (1, 2), (2, 4), (2, 4), (2, 6)]
    assert isinstance(diagrams[-1].graph, nx.MultiGraph)
    assert theory.amplitude(diagrams[0]) == G(x1, x2)
    assert theory.amplitude(diagrams[1]) == -lam / 2 * integrate(G(x1, y1) * G(x2, y1) * G(y1, y1), y1)
    sunset = lam**2 / 6 * integrate(G(x1, y1) * G(y1, y2) ** 3 * G(x2, y2), y1, y2)
    assert theory.amplitude(diagrams[-1]) == sunset


@pytest.mark.parametrize("k", [3, 4, 6])
@pytest.mark.parametrize("legs", [1, 2, 3, 4])
def test_correlators_against_the_zero_dimensional_integral(k, legs):
    """With G = 1 and no volume the series is that of log <exp(J x - lambda x^k/k!)> for a standard normal x."""
    order = 3 if k == 3 else 2
    series = phi_n(k).correlator(legs=legs, order=order)
    expected = _zero_dimensional_cumulant(k, legs, order)
    for e in range(order + 1):
        value = series[e].replace(lambda t: isinstance(t, PointFunction), lambda t: sympy.S.One)
        value = value.replace(lambda t: isinstance(t, sympy.Integral), lambda t: t.function)
        assert value == expected[e]


def _zero_dimensional_cumulant(k, legs, order):
    """Expand E[x^j exp(-lam x^k/k!)] in moments of a standard normal and take cumulants recursively."""

    def normal(n):
        return 0 if n % 2 else factorial(n) // (2 ** (n // 2) * factorial(n // 2))

    def moment(j):
        return [Fraction((-1) ** v * normal(j + k * v), factorial(v) * factorial(k) ** v) for v in range(order + 1)]

    def multiply(a, b):
        return [sum((a[i] * b[e - i] for i in range(e + 1)), Fraction(0)) for e in range(order + 1)]

    def divide(a, b):
        q = []
        for e in range(order + 1):
            q.append((a[e] - sum((q[i] * b[e - i] for i in range(e)), Fraction(0))) / b[0])
        return q

    m = [divide(moment(j), moment(0)) for j in range(legs + 1)]
    kappa = [None]
    for n in range(1, legs + 1):
        value = m[n]
        for j in range(1, n):
            binomial = Fraction(factorial(n - 1), factorial(j - 1) * factorial(n - j))
            value = [v - binomial * w for v, w in zip(value, multiply(kappa[j], m[n - j]), strict=True)]
        kappa.append(value)
    return [sympy.Rational(c.numerator, c.denominator) for c in kappa[legs]]


def test_numeric_coupling_is_the_expansion_parameter():
    symbolic = phi4().correlator(legs=2, order=2)
    numeric = phi4(mass=1, coupling=sympy.Rational(1, 2)).correlator(legs=2, order=2)
    assert numeric.as_expr() == symbolic.as_expr().subs(lam, sympy.Rational(1, 2))


def test_diagrams_attached_to_a_correlator():
    series = phi4().correlator(legs=4, order=2)
    assert len(series.diagrams_at(1)) == 1
    assert sum(1 / sympy.Integer(d.symmetry_factor) for d in series.diagrams_at(2)) == sympy.Rational(7, 2)
    assert len(series.diagrams) == 1 + len(series.diagrams_at(2))


def test_correlators_collection():
    correlators = phi4().correlators(order=2)
    assert correlators.max_points == 6
    assert correlators[3].series.terms == ()
    assert correlators[6].series[1] == 0
    assert len(correlators[6].series.diagrams_at(2)) == 10


def test_impossible_legs_give_an_empty_collection():
    assert len(phi4().diagrams(legs=3, max_loops=2)) == 0
    assert phi4().correlator(legs=3, order=2).terms == ()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: phi_n(2), ValueError, "k >= 3, got 2"),
        (lambda: phi_n(2.5), TypeError, "integer"),
        (lambda: phi4(mass=0), ValueError, "mass must be positive"),
        (lambda: phi4(mass=float("nan")), ValueError, "finite and real"),
        (lambda: phi4(coupling=sympy.I), ValueError, "finite and real"),
        (lambda: phi4().diagrams(legs=-2, max_loops=1), ValueError, "legs must be >= 0, got -2"),
        (lambda: phi4().diagrams(legs=2, max_loops=-1), ValueError, "max_loops must be >= 0"),
        (lambda: phi4().diagrams(legs=2, max_loops=1.0), TypeError, "max_loops must be an integer"),
        (lambda: phi4().correlator(legs=0, order=1), ValueError, "at least one leg"),
        (lambda: phi4().correlator(legs=2, order=-1), ValueError, "order must be >= 0"),
        (lambda: phi4().coupling(3), ValueError, r"available: n in \[4\]"),
        (lambda: phi4().reconstruction_rules, ValueError, "not reconstructed"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_rules_refuse_foreign_vertices():
    tree = FeynmanGraph(3, ((0, 3), (1, 3), (2, 3)))
    with pytest.raises(ValueError, match="no interaction vertex with 3 half-edges"):
        phi4().amplitude(tree)
    with pytest.raises(ValueError, match="not reconstructed"):
        phi4().amplitude(tree.with_kind(CORRELATOR))


def _mixed_first_order():
    """All connected graphs of <phi(x) phi(y)> with one quartic vertex joined to correlator blobs."""
    # vertex node last; blobs carry the two legs and the four slots of the vertex
    return {
        "12 G2 G2 G2": (
            FeynmanGraph(2, ((0, 2), (2, 5), (1, 3), (3, 5), (4, 5), (4, 5)), kinds=(CORRELATOR,) * 3 + (INTERACTION,)),
            12,
        ),
        "6 G2 Gc4": (
            FeynmanGraph(2, ((0, 2), (1, 2), (2, 4), (2, 4), (3, 4), (3, 4)), kinds=(CORRELATOR,) * 2 + (INTERACTION,)),
            6,
        ),
        "4 G2 Gc4": (
            FeynmanGraph(2, ((0, 2), (2, 4), (1, 3), (3, 4), (3, 4), (3, 4)), kinds=(CORRELATOR,) * 2 + (INTERACTION,)),
            4,
        ),
        "Gc6": (FeynmanGraph(2, ((0, 2), (1, 2), (2, 3), (2, 3), (2, 3), (2, 3)), kinds=(CORRELATOR, INTERACTION)), 1),
    }


@pytest.mark.parametrize("name", _mixed_first_order())
def test_mixed_rules_give_the_exact_first_order_at_finite_width(name):
    """d G2 = -(lambda/24) int [12 G2 G2 G2 + 4 G2 Gc4 + 4 Gc4 G2 + 6 G2 Gc4 + Gc6], term by term."""
    graph, count = _mixed_first_order()[name]
    vertex = VertexRule(INTERACTION, 4, -lam, None, True, (sympy.S.One, sympy.S.Zero))
    rules = FeynmanRules.mixed([vertex], (2, 4, 6), (lam, 1 / symbol("N")))
    assert sympy.Rational(24, graph.symmetry_factor) == count
    amplitude = rules.amplitude(graph)
    (integral,) = amplitude.atoms(sympy.Integral)
    assert amplitude == -lam * count / 24 * integral
    assert len(integral.limits) == 1  # one vertex point; blobs have no points of their own
    blobs = [t for t in sympy.preorder_traversal(integral.function) if isinstance(t, PointFunction)]
    assert sum(len(b.points) * int(integral.function.as_powers_dict().get(b, 1)) for b in set(blobs)) == 6
    n_blob_orders = sum(sympy.Rational(int(b.name[2:]), 2) - 1 for b in set(blobs))
    assert rules.order(graph) == (1, n_blob_orders)


def test_mixed_rules_refuse_wrong_lines():
    vertex = VertexRule(INTERACTION, 4, -lam, None, True, (sympy.S.One,))
    rules = FeynmanRules.mixed([vertex], (2,), (lam,))
    with pytest.raises(ValueError, match="do not join leg to interaction"):
        rules.amplitude(FeynmanGraph(4, ((0, 4), (1, 4), (2, 4), (3, 4))))


def test_point_functions_and_channel_sums():
    assert PointFunction("G", x2, x1) == G(x1, x2)
    assert PointFunction("G4", x1, x1, y1, x2).free_symbols == {x1, x2, y1}
    assert G(x1, y1).subs(y1, x2) == G(x1, x2)
    channels = ChannelSum.of(G(x1, y1), [(0, 1), (1, 0)])
    assert expand_channels(3 * channels) == 3 * (G(x1, y1) + G(x2, y1))
    assert str(channels) == "[G(x_1, y_1) + 1 perms]"
    assert ChannelSum.of(G(x1, y1), [(0, 1)]) == G(x1, y1)
