"""Actions from correlators that are expansions in several parameters, against inversions without diagrams."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import sympy
from inversion import couplings as inverted

from diagrams import ConnectedCorrelators, composite, cos_net, one_variable_couplings
from diagrams.composite import composite_decorated
from diagrams.decorated import DecoratedGraph
from diagrams.expansion import expand_in
from diagrams.independence import neuron_sum
from diagrams.pointfunctions import PointFunction, expand_channels, function_latex
from diagrams.reconstruction import coefficient_function, ordered_diagrams, reconstruction_functions
from diagrams.round_trip import ReconstructedCorrelators
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.vertex_orders import vertex_orders
from numerics.contract import diagram_sum

half = Fraction(1, 2)
BOTH = {"1/N": 1, "alpha": 1}


@dataclass(frozen=True)
class Numbers:
    """Correlators of one variable, or abstract ones: {(n, key): coefficient}."""

    table: tuple
    names: tuple = ("1/N", "alpha")
    is_even: bool = False
    input_dim: int = 1
    is_dimension_explicit: bool = False

    @property
    def width(self):
        return symbol("N")

    def correlator_series(self, n):
        parameters = tuple(1 / symbol("N") if name == "1/N" else symbol(name) for name in self.names)
        return Series(parameters, tuple((key, value) for (m, key), value in self.table if m == n))


def _correlators(table, max_points=8, **options):
    return ConnectedCorrelators(Numbers(tuple(table.items()), **options), max_points)


def _number(expr, values):
    """Return a coefficient of zero dimensions: functions are numbers, integrals go over one point."""
    flat = expand_channels(expr).replace(sympy.Integral, lambda f, *_: f)
    return flat.replace(PointFunction, lambda name, *_: values[str(name)])


TWO_PARAMETERS = {
    (2, (0, 0)): 2,
    (2, (1, 0)): Fraction(1, 3),
    (2, (0, 1)): Fraction(-3, 5),
    (3, (half, 0)): Fraction(2, 7),
    (3, (half, 1)): 3,
    (3, (0, 1)): Fraction(1, 2),
    (4, (1, 0)): Fraction(5, 3),
    (4, (1, 1)): -2,
    (4, (0, 2)): Fraction(3, 4),
    (5, (Fraction(3, 2), 0)): Fraction(-1, 5),
    (6, (2, 0)): Fraction(11, 2),
}


def _engine(table, order):
    exact = {(n, tuple(map(sympy.Rational, key))): sympy.Rational(v) for (n, key), v in table.items()}
    correlators = _correlators(exact)
    functions = reconstruction_functions(correlators, order)
    values = {name: exact[place] for name, place in functions.items()} | {"D": 1 / exact[2, (0, 0)]}
    found = {}
    for n, series in correlators.action(order=order).couplings:
        for key, c in series.terms:
            if value := _number(c, values):
                found[n, tuple(Fraction(str(e)) for e in key)] = Fraction(str(value))
    return found


def _reference(table, order):
    highest = tuple(order.values())
    tensors = {
        (n, tuple(map(Fraction, key))): np.full((1,) * n, Fraction(v), object)
        for (n, key), v in table.items()
        if (n, any(key)) != (2, False) and all(e <= h for e, h in zip(key, highest, strict=True))
    }
    inverse = 1 / Fraction(table[2, (0, 0)])
    reference = inverted(tensors, np.array([[inverse]], object), highest)
    return {place: t.reshape(-1)[0] for place, t in reference.items()} | {(2, (Fraction(0),) * 2): inverse}


@pytest.mark.parametrize("order", [{"1/N": 1, "alpha": 1}, {"1/N": 0, "alpha": 2}], ids=["both", "alpha"])
def test_two_parameters_in_zero_dimensions(order):
    found = _engine(TWO_PARAMETERS, order)
    assert found == _reference(TWO_PARAMETERS, order)
    assert len(found) > 7
    flipped = TWO_PARAMETERS | {(2, (0, 1)): Fraction(3, 5)}
    wrong = _reference(flipped, order)
    assert found[2, (0, 1)] != wrong[2, (0, 1)]


def test_one_variable_table_at_third_and_fourth_order():
    """All rows through N^-4 at rational cumulants, the N^-3 rows among them."""
    rng = np.random.default_rng(3)
    k = {r: Fraction(int(rng.integers(-9, 9)), int(rng.integers(1, 9))) for r in range(3, 11)}
    cumulants = {(r, (Fraction(r, 2) - 1,)): np.full((1,) * r, v, object) for r, v in k.items()}
    reference = inverted(cumulants, np.array([[Fraction(1)]], object), (4,))
    found = _one_variable(k, 4)
    expected = {(n, key[0]): t.reshape(-1)[0] for (n, key), t in reference.items()}
    assert found == expected
    assert (2, 3) in found
    wrong = _one_variable(k | {4: -k[4]}, 4)
    assert wrong != expected


def _one_variable(k, order):
    values = {symbol(f"k{r}"): sympy.Rational(v.numerator, v.denominator) for r, v in k.items()}
    found = {}
    for n, series in one_variable_couplings(order=order).items():
        for e, c in series.items():
            value = sympy.Rational(c.subs(values)) - (1 if (n, e) == (2, 0) else 0)
            if value:
                found[n, Fraction(int(e.p), int(e.q))] = Fraction(int(value.p), int(value.q))
    return found


def test_relu_net_in_one_dimension():
    """phi(x > 0) = x Y with the characteristic function [(1 + (1 + t^2/N)^(-1/2))/2]^N, kernel x x'/2."""
    u = sympy.Symbol("u")
    single = sympy.series(sympy.log((1 + (1 + u) ** sympy.Rational(-1, 2)) / 2), u, 0, 6).removeO()
    kappa = {2 * j: single.coeff(u, j) * (-1) ** j * sympy.factorial(2 * j) for j in range(1, 6)}
    assert [kappa[n] for n in (2, 4, 6)] == [sympy.Rational(1, 2), sympy.Rational(15, 4), sympy.Rational(165, 2)]
    standard = {r: Fraction(str(kappa[r] * 2 ** (r // 2))) if r % 2 == 0 else Fraction(0) for r in range(3, 11)}
    cumulants = {(r, (Fraction(r, 2) - 1,)): np.full((1,) * r, v, object) for r, v in standard.items() if v}
    reference = inverted(cumulants, np.array([[Fraction(1)]], object), (4,))
    assert _one_variable(standard, 4) == {(n, key[0]): t.reshape(-1)[0] for (n, key), t in reference.items()}


def _random_tensors(m, even, top, seed):
    rng = np.random.default_rng(seed)
    result = {}
    for r in range(4 if even else 3, top + 1, 2 if even else 1):
        tensor = np.empty((m,) * r, object)
        for index in np.ndindex(tensor.shape):
            if list(index) == sorted(index):
                value = Fraction(int(rng.integers(-5, 6)), int(rng.integers(1, 5)))
                for p in set(permutations(index)):
                    tensor[p] = value
        result[r] = tensor
    return result


@pytest.mark.parametrize(
    ("even", "order"),
    [(True, 2), (False, 1), pytest.param(False, 2, marks=pytest.mark.slow)],
    ids=["even", "odd, one loop", "odd"],
)
def test_random_tensors_through_two_loops(even, order):
    m = 3
    given = _random_tensors(m, even, 2 * order + 2, seed=m)
    inverse = np.array([[Fraction(3), Fraction(1), 0], [Fraction(1), Fraction(2), Fraction(-1)], [0, Fraction(-1), 2]])
    table = {(r, (sympy.Rational(r, 2) - 1,)): 1 for r in (2, *given)}
    correlators = _correlators(table, 2 * order + 2, names=("1/N",), is_even=even)
    action = correlators.action(order=order)
    tensors = {f"G{r}": t for r, t in given.items()} | {"D": inverse}
    cumulants = {(r, (Fraction(r, 2) - 1,)): t for r, t in given.items()}
    reference = inverted(cumulants, inverse, (order,))
    seen = 0
    for n, series in action.couplings:
        for key, found in series.sources.items():
            if (n, key[0]) != (2, 0):
                value = diagram_sum(found, action.reconstruction_rules, tensors)
                expected = reference[n, (Fraction(int(key[0].p), int(key[0].q)),)]
                assert (value == expected).all()
                assert not (value == -expected).all()
                seen += 1
    assert seen == len([1 for n, _ in reference if n])


def test_decorated_tensors_at_two_points():
    """Several parameters and two points: corrections to the kernel that do not commute with it."""
    rng = np.random.default_rng(1)
    g3 = _random_tensors(2, False, 4, seed=5)
    more = _random_tensors(2, False, 4, seed=6)
    shift = np.array([[Fraction(1), Fraction(2)], [Fraction(2), Fraction(-1, 3)]], object)
    inverse = np.array([[Fraction(2), Fraction(1)], [Fraction(1), Fraction(3)]], object)
    exact = {(3, (half, 0)): g3[3], (3, (half, 1)): more[3], (4, (1, 0)): g3[4], (4, (1, 1)): more[4]}
    exact |= {(2, (0, 1)): shift, (2, (1, 1)): shift @ shift * int(rng.integers(1, 4))}
    keys = {(n, tuple(map(sympy.Rational, key))): 1 for n, key in exact} | {(2, (0, 0)): 1}
    action = _correlators(keys, 4).action(order=BOTH)
    functions = action.reconstruction_rules.functions
    tensors = {name: exact[n, tuple(Fraction(int(e.p), int(e.q)) for e in key)] for name, (n, key) in functions.items()}
    reference = inverted(exact, inverse, (1, 1))
    found = {
        (n, tuple(Fraction(int(e.p), int(e.q)) for e in key)): diagram_sum(
            diagrams, action.reconstruction_rules, tensors | {"D": inverse}
        )
        for n, series in action.couplings
        for key, diagrams in series.sources.items()
        if n != 2 or any(key)
    }
    assert {k for k in found if np.any(found[k] != 0)} == set(reference)
    assert all((found[k] == reference[k]).all() for k in reference)


@pytest.fixture(scope="module")
def tilted():
    net = cos_net(input_dim=1)
    broken = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2, strength="alpha")
    return broken.connected_correlators(max_points=4, order={"alpha": 1})


def test_tilted_cos_net(tilted):
    action = tilted.action(order=BOTH)
    assert reconstruction_functions(tilted, BOTH) == {"G2[1,1]": (2, (1, 1)), "G4[1,0]": (4, (1, 0))}
    x1, x2, y1, y2 = (symbol(n) for n in ("x_1", "x_2", "y_1", "y_2"))
    names = PointFunction("D", x1, y1) * PointFunction("D", x2, y2) * PointFunction("G2[1,1]", y1, y2)
    limits = ((y, -sympy.oo, sympy.oo) for y in (y1, y2))
    assert action.coupling(2)[1, 1] == -sympy.Integral(names, *limits)
    s, v = symbol("sigma_w0") ** 2, x1 - x2  # first derivative of the two-point function at order 1/N
    expected = symbol("sigma_w1") ** 2 * s**3 * v**2 * sympy.exp(-s * v**2 / 2)
    assert sympy.expand(coefficient_function(tilted, "G2[1,1]", order=BOTH)(x1, x2) - expected) == 0
    assert isinstance(action.coupling(2).diagrams_at((1, 1))[0], DecoratedGraph)


def test_tilted_net_closes(tilted):
    back = ReconstructedCorrelators(tilted.action(order=BOTH), BOTH)
    for n in (2, 4):
        series = back.correlator_series(n)
        assert len(series) == (2 if n == 2 else 1)
        assert all(sympy.expand(c - tilted[n].series[key]) == 0 for key, c in series.terms)


ABSTRACT = {
    (2, (0, 0)): 1,
    (2, (1, 0)): 1,
    (2, (0, 1)): 1,
    (3, (sympy.Rational(1, 2), 0)): 1,
    (3, (sympy.Rational(1, 2), 1)): 1,
    (4, (1, 0)): 1,
}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_round_trip_closes_with_two_parameters(n):
    vertices = vertex_orders(_correlators(ABSTRACT, 4), BOTH)
    found = composite_decorated(n, vertices)
    assert set(found) == {tuple(map(sympy.Rational, key)) for m, key in ABSTRACT if m == n}
    for key, graphs in found.items():
        ((graph, weight),) = graphs.items()
        assert weight == 1
        assert graph.n_vertices == (1 if any(key) else 0)


def test_round_trip_notices_a_wrong_sign(monkeypatch):
    right = composite.coupling_terms
    monkeypatch.setattr(
        composite,
        "coupling_terms",
        lambda n, v: {key: [(g, abs(w)) for g, w in terms] for key, terms in right(n, v).items()},
    )
    found = composite_decorated(2, vertex_orders(_correlators(ABSTRACT, 4), BOTH))
    assert sum(len(graphs) for graphs in found.values()) > 3


def test_symmetry_factors_of_decorated_diagrams():
    """Sums of 1/|Aut| agree with those of plain diagrams when every vertex has the same two choices."""
    table = {(2, (0, 0)): 1, (4, (1, 0)): 1, (4, (1, 1)): 1}
    vertices = vertex_orders(_correlators(table, 6, is_even=True), {"1/N": 2, "alpha": 2})
    for labelled in (True, False):
        found = ordered_diagrams(4, vertices, labelled=labelled)
        weights = {key: ds.labelled_weight() for key, ds in found.items()}
        assert [weights[2, a] for a in range(3)] == [Fraction(7, 2), 7, Fraction(7, 2)]


def test_mixture_with_its_variance_as_a_parameter():
    """G_c4 = (1 + v) G_iid + v sum_3 K K: what survives N -> infinity needs a parameter of its own."""
    v, N = symbol("v"), symbol("N")

    def K(x, y):
        return sympy.exp(-((x - y) ** 2) / 2)

    def four(a, b, c, d):
        pairs = K(a, b) * K(c, d) + K(a, c) * K(b, d) + K(a, d) * K(b, c)
        return v * pairs + (1 + v) / N * (3 * K(a + b, c + d) + 3 * K(a + c, b + d) + 3 * K(a + d, b + c) - pairs)

    mixed = ConnectedCorrelators.from_functions({2: K, 4: four})
    with pytest.raises(ValueError, match=r"4-point correlator has a part of order zero.*expand_in"):
        mixed.action(order=1)
    expanded = expand_in(mixed, {"v": 1})
    action = expanded.action(order={"1/N": 1, "v": 0})
    assert {(n, key) for n, s in action.couplings for key in s} == {(2, (0, 0)), (2, (1, 0)), (4, (1, 0))}
    action = expanded.action(order={"1/N": 0, "v": 1})
    value = action.coupling(4)[0, 1]
    assert value.has(PointFunction("G4[0,1]", *(symbol(f"y_{i}") for i in range(1, 5))))
    with pytest.raises(ValueError, match=r"needs the connected correlators of \[6\] points"):
        expanded.action(order={"1/N": 1, "v": 1})
    with pytest.raises(ValueError, match="only known below order 2"):
        expanded.action(order={"1/N": 0, "v": 2})


def test_deep_net():
    from diagrams import deep_net

    net = deep_net(activation="cos", depth=2)
    correlators = net.connected_correlators(max_points=4)
    action = correlators.action(order=1)
    assert set(reconstruction_functions(correlators, 1)) == {"G2[1]", "G4"}
    assert len(action.coupling(2).diagrams_at(1)) == 2
    with pytest.raises(ValueError, match="only known below order 2"):
        correlators.action(order=2)


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({(2, (0, 1)): 1, (4, (1, 0)): 1}, "no part of order zero"),
        ({(2, (0, 0)): 1, (3, (0, 0)): 1}, "3-point correlator has a part of order zero"),
        ({(2, (0, 0)): 1, (2, (-1, 1)): 1}, "1/N to the power -1"),
    ],
    ids=["no free part", "survives", "grows"],
)
def test_correlators_without_an_expansion(table, match):
    with pytest.raises(ValueError, match=match):
        _correlators(table).action(order=BOTH)


@pytest.mark.parametrize(
    ("order", "error", "match"),
    [
        (1, ValueError, "give the order of each"),
        ({"1/N": 1}, ValueError, r"does not name \['alpha'\]"),
        ({"1/N": 1, "beta": 1}, ValueError, r"unknown expansion parameter\(s\) \['beta'\]"),
        ({"1/N": 1, "alpha": 0.5}, TypeError, "must be an integer"),
        ({"1/N": -1, "alpha": 1}, ValueError, "must be >= 0"),
    ],
    ids=["plain", "missing", "unknown", "half", "negative"],
)
def test_orders_refused(order, error, match):
    with pytest.raises(error, match=match):
        _correlators(TWO_PARAMETERS).action(order=order)


@pytest.mark.parametrize(
    ("orders", "error", "match"),
    [
        ({}, TypeError, "give the symbols"),
        ({"alpha": 1}, ValueError, "expansion parameters already"),
        ({"v": 1.5}, TypeError, "must be an integer"),
    ],
    ids=["none", "taken", "half"],
)
def test_expansions_refused(orders, error, match):
    with pytest.raises(error, match=match):
        expand_in(_correlators(TWO_PARAMETERS), orders)


def test_mean_is_shifted_away():
    table = {(1, (0, 0)): 5, (2, (0, 0)): 1, (3, (sympy.Rational(1, 2), 0)): 1, (4, (1, 0)): 1}
    with_mean, without = _correlators(table, 4), _correlators({k: v for k, v in table.items() if k[0] > 1}, 4)
    first, second = with_mean.action(order=BOTH), without.action(order=BOTH)
    assert first.couplings == second.couplings
    assert "without its mean" in first.kinetic_latex
    assert "without its mean" not in second.kinetic_latex


def test_names():
    assert function_latex("G4[1,0]") == r"\hat G_{4}^{(1,0)}"
    assert function_latex("G4") == r"\hat G_c^{(4)}"
    correlators = _correlators(ABSTRACT, 4)
    with pytest.raises(ValueError, match="there is no coefficient function 'G9'"):
        coefficient_function(correlators, "G9", order=BOTH)
