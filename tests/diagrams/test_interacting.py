"""Interactions on top of an ensemble of finite width: bipartite diagrams against exact integrals and known formulas."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import pytest
import sympy
from formal_series import at_one_point, cumulants, deformed_moments, moments_of, without_zeros

from diagrams import ConnectedCorrelators, cos_net, phi4, symbol
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.interacting import interacting_correlators
from diagrams.interactions import LocalInteraction
from diagrams.pointfunctions import PointFunction
from diagrams.regions import Box, GaussianWeight
from diagrams.theory import local_action

N, lam = symbol("N"), symbol("lambda")
x1, x2, y1 = (symbol(s) for s in ("x_1", "x_2", "y_1"))
half = Fraction(1, 2)


def _abstract(**powers):
    """Correlators G2, G3, ... of abstract points with given powers of 1/N."""
    names = {int(name[1:]): e for name, e in powers.items()}
    functions = {n: lambda *x, n=n, e=e: PointFunction(f"G{n}", *x) * N ** (-e) for n, e in names.items()}
    return ConnectedCorrelators.from_functions(functions, input_dim=None)


def _integral(integrand):
    return sympy.Integral(integrand, (y1, -sympy.oo, sympy.oo))


def test_first_order_exact_in_the_width_term_by_term():
    """d G2 = -(lambda/24) int [12 G2 G2 G2 + 4 G2 G4 + 4 G4 G2 + 6 G2 G4 + G6]."""
    base = _abstract(G2=0, G4=1, G6=2)
    found = interacting_correlators(base, {4: lam}, order={"1/N": None, "lambda": 1})[2].series

    def g(*points):
        return PointFunction(f"G{len(points)}", *points)

    assert found[0, 0] == g(x1, x2)
    assert found[0, 1] == -sympy.Rational(12, 24) * _integral(g(x1, y1) * g(x2, y1) * g(y1, y1))
    assert sympy.expand(found[1, 1]) == -sympy.Rational(1, 24) * (
        4 * _integral(g(x1, y1) * g(x2, y1, y1, y1))
        + 4 * _integral(g(x2, y1) * g(x1, y1, y1, y1))
        + 6 * _integral(g(y1, y1) * g(x1, x2, y1, y1))
    )
    assert found[2, 1] == -sympy.Rational(1, 24) * _integral(g(x1, x2, y1, y1, y1, y1))
    assert set(found) == {(0, 0), (0, 1), (1, 1), (2, 1)}
    assert found.remainder == (sympy.oo, 2)


def _linear_net(r):
    return {} if r % 2 else {(Fraction(r, 2) - 1, 0): Fraction(factorial(r - 1))}


def _gamma(r):
    return {} if r < 2 else {(Fraction(r, 2) - 1, 0, 0): Fraction(factorial(r - 1))}


def _with_mean(r):
    return {1: {(0, 0): Fraction(2, 3)}, 2: {(0, 0): Fraction(1)}, 3: {(half, 0): Fraction(5)}}.get(r, {})


# cumulants of one variable with the powers of (1/N, couplings), interaction, orders
ENSEMBLES = {
    "linear net, phi^4": (_linear_net, {4: "lambda"}, {"1/N": 2, "lambda": 2}),
    "Gamma, phi^3 + phi^4": (_gamma, {3: "g", 4: "lambda"}, {"1/N": 1, "g": 1, "lambda": 1}),
    "mean and skewness, phi^3": (_with_mean, {3: "lambda"}, {"1/N": 1, "lambda": 2}),
    "mass term": (_linear_net, {2: "lambda"}, {"1/N": 2, "lambda": 3}),
    "source": (_linear_net, {1: "lambda"}, {"1/N": 2, "lambda": 4}),
}


def _base(kappa, top):
    functions = {}
    for r in range(1, top + 1):
        if kappa(r):
            ((key, value),) = kappa(r).items()
            number = sympy.Rational(value.numerator, value.denominator) * N ** (-sympy.Rational(key[0]))
            functions[r] = number
    return ConnectedCorrelators.from_functions(functions, input_dim=None)


def _exact(kappa, interaction, highest, legs, sign=1):
    places = {n: i for i, n in enumerate(interaction, start=1)}
    terms = [(n, tuple(int(j == i) for j in range(len(highest))), Fraction(sign)) for n, i in places.items()]
    slots = sum(n * highest[i] for n, i in places.items())
    moments = moments_of(kappa, highest, legs + slots)
    found = cumulants(deformed_moments(terms, highest, legs, lambda j: moments[j]), highest)[legs]
    return without_zeros(found)


@pytest.mark.parametrize("legs", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_all_orders_of_one_variable(name, legs):
    kappa, interaction, order = ENSEMBLES[name]
    highest = tuple(order.values())
    found = interacting_correlators(_base(kappa, 6), interaction, order=order, max_points=4)[legs].series
    assert at_one_point(found) == _exact(kappa, interaction, highest, legs)


def test_a_wrong_sign_and_a_missing_blob_are_noticed():
    kappa, interaction, order = ENSEMBLES["linear net, phi^4"]
    highest = tuple(order.values())
    found = at_one_point(interacting_correlators(_base(kappa, 6), interaction, order=order)[2].series)
    assert found != _exact(kappa, interaction, highest, 2, sign=-1)
    without_sextic = interacting_correlators(_base(kappa, 4), interaction, order=order)[2].series
    assert at_one_point(without_sextic) != found
    assert without_sextic[1, 1] == interacting_correlators(_base(kappa, 6), interaction, order=order)[2].series[1, 1]


@pytest.mark.parametrize("legs", [1, 2, 3, 4])
def test_infinite_width_gives_the_ordinary_rules(legs):
    """With propagators only, bipartite diagrams are ordinary ones whose lines have become blobs of degree two."""
    couplings, order = {3: "g", 4: "lambda"}, {"g": 2, "lambda": 1}
    base = ConnectedCorrelators.from_functions({2: lambda x, y: PointFunction("G", x, y)}, input_dim=None)
    mixed = interacting_correlators(base, couplings, order={"1/N": 0, **order})
    assert mixed.max_points == 6
    ordinary = local_action(couplings).correlator(legs=legs, order=order)
    series = mixed[legs].series
    assert set(series) == {(0, *key) for key in ordinary}
    for key in ordinary:
        merged = {_merged(d): d.symmetry_factor for d in series.diagrams_at((0, *key))}
        assert merged == {d: d.symmetry_factor for d in ordinary.diagrams_at(key)}
        assert at_one_point(series)[0, *key] == at_one_point(ordinary)[key]


def _merged(graph):
    """Replace every blob of degree two by a line."""
    kinds = dict(zip(graph.vertices, graph.kinds, strict=True))
    ends = {v: [] for v, kind in kinds.items() if kind == CORRELATOR}
    for u, v in graph.edges:
        blob, other = (u, v) if kinds.get(u) == CORRELATOR else (v, u)
        ends[blob].append(other)
    inner = [v for v, kind in kinds.items() if kind == INTERACTION]
    place = {v: graph.n_legs + i for i, v in enumerate(inner)} | {i: i for i in range(graph.n_legs)}
    return FeynmanGraph(graph.n_legs, tuple((place[a], place[b]) for a, b in ends.values()))


@pytest.mark.parametrize("region", [None, Box(3), GaussianWeight(2)], ids=["space", "box", "Gaussian weight"])
def test_correlators_of_a_net_are_written_out(region):
    Gc = cos_net(input_dim=1).connected_correlators(max_points=6)
    found = interacting_correlators(Gc, {4: lam}, order={"1/N": 2, "lambda": 1}, region=region)[2].series
    G2, G4 = (Gc[n].series for n in (2, 4))

    def at(series, *points):
        places = [symbol(f"x_{i + 1}") for i in range(len(points))]
        return series.terms[0][1].xreplace(dict(zip(places, points, strict=True)))

    weight = sympy.exp(-(y1**2) / 8) if isinstance(region, GaussianWeight) else 1
    edge = sympy.Rational(3, 2) if isinstance(region, Box) else sympy.oo
    expected = (
        -weight
        / 24
        * (
            4 * at(G2, x1, y1) * at(G4, x2, y1, y1, y1)
            + 4 * at(G2, x2, y1) * at(G4, x1, y1, y1, y1)
            + 6 * at(G2, y1, y1) * at(G4, x1, x2, y1, y1)
        )
    )
    integrals = found[1, 1].atoms(sympy.Integral)
    assert {i.limits for i in integrals} == {(sympy.Tuple(y1, -edge, edge),)}
    numbers = {x1: 0.3, x2: -0.7, y1: 0.45, symbol("sigma_w0"): 1.1, symbol("sigma_w1"): 0.9}
    assert _at(found[1, 1], numbers) == pytest.approx(_at(expected, numbers), rel=1e-12)


def test_number_of_neurons_and_numeric_couplings_are_put_in():
    Gc = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=6)
    found = interacting_correlators(Gc, LocalInteraction({4: 0.5}, region=Box(1)), order={"1/N": 2, "g_4": 1})
    assert found.max_points == 6
    value = _at(found[2](0.1, 0.2), {y1: 0.3})
    by_hand = 0.0
    for (e, r), c in found[2].series.terms:
        by_hand += _at(c, {x1: 0.1, x2: 0.2, y1: 0.3}) * 20.0 ** -float(e) * 0.5 ** int(r)
    assert value == pytest.approx(by_hand, rel=1e-12)


def _at(expr, numbers):
    """The integrand at some numbers."""
    return float(expr.replace(lambda t: isinstance(t, sympy.Integral), lambda t: t.function).subs(numbers))


def test_two_dimensions():
    Gc = cos_net(input_dim=2).connected_correlators(max_points=2)
    found = interacting_correlators(Gc, {4: lam}, order={"1/N": 0, "lambda": 1})[2].series[0, 1]
    (integral,) = found.atoms(sympy.Integral)
    assert [str(limits[0]) for limits in integral.limits] == ["y_{1,1}", "y_{1,2}"]
    assert integral.function.has(symbol("x_{2,2}"))


def test_a_surviving_correlator_is_not_cut_off():
    """With kappa_4 of order N^0 the 6-point function counts too, whatever the order in 1/N."""
    kappa = {2: 1, 4: 3, 6: 7, 8: sympy.Rational(1, 2), 10: 4}
    base = ConnectedCorrelators.from_functions({n: sympy.sympify(v) for n, v in kappa.items()}, input_dim=None)
    found = interacting_correlators(base, {4: lam}, order={"1/N": 0, "lambda": 2})[2].series

    def table(r):
        return {(0, 0): Fraction(str(kappa[r]))} if r in kappa else {}

    assert at_one_point(found) == _exact(table, {4: lam}, (0, 2), 2)


def test_several_parameters_of_the_ensemble():
    from diagrams.expansion import expand_in

    v = symbol("v")
    functions = {2: lambda *x: sympy.S.One, 4: lambda *x: 3 * v + 5 / N, 6: lambda *x: 7 * v**2 + v / N}
    base = expand_in(ConnectedCorrelators.from_functions(functions), {"v": 1})
    found = interacting_correlators(base, {4: lam}, order={"1/N": 1, "v": 1, "lambda": 1}, max_points=2)[2].series
    table = {2: {(0, 0, 0): 1}, 4: {(0, 1, 0): 3, (1, 0, 0): 5}, 6: {(1, 1, 0): 1}}

    def kappa(r):
        return {k: Fraction(c) for k, c in table.get(r, {}).items()}

    moments = moments_of(kappa, (1, 1, 1), 6)
    terms = [(4, (0, 0, 1), 1)]
    exact = cumulants(deformed_moments(terms, (1, 1, 1), 2, lambda j: moments[j]), (1, 1, 1))[2]
    assert at_one_point(found) == without_zeros(exact)
    assert [str(p) for p in found.parameters] == ["1/N", "v", "lambda"]


def test_diagrams_and_rules_are_attached():
    base = _abstract(G2=0, G4=1, G6=2)
    source = interacting_correlators(base, {4: lam}, order={"1/N": 2, "lambda": 1}).source
    rules = source.rules(2)
    for graph in source.correlator_series(2).diagrams_at((1, 1)):
        assert rules.order(graph) == (1, 1)
        assert set(source.amplitude(graph)) == {(1, 1)}
        assert rules.amplitude(graph).has(sympy.Integral)
    assert len(source.correlator_series(2).diagrams_at((1, 1))) == 3


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda Gc: interacting_correlators(Gc, {}, order=1), TypeError, "an interaction is a mapping"),
        (lambda Gc: interacting_correlators(Gc, {0: lam}, order=1), ValueError, "at least one field"),
        (lambda Gc: interacting_correlators(Gc, {4: lam}, order=1), ValueError, "'1/N', 'lambda'"),
        (lambda Gc: interacting_correlators(Gc, {4: lam}, order={"1/N": 1}), ValueError, "does not name"),
        (lambda Gc: interacting_correlators(Gc, {4: lam}, order={"1/N": -1, "lambda": 1}), ValueError, "must be >= 0"),
        (
            lambda Gc: interacting_correlators(Gc, {4: lam}, order={"1/N": 1, "lambda": None}),
            TypeError,
            "must be an integer",
        ),
        (
            lambda Gc: interacting_correlators(Gc, {4: lam + 1}, order={"1/N": 1, "lambda": 1}),
            ValueError,
            "without an expansion parameter",
        ),
        (
            lambda Gc: interacting_correlators(Gc, {4: lam}, order={"1/N": 3, "lambda": 1}),
            ValueError,
            "up to 6 points.*max_points=4",
        ),
        (
            lambda Gc: interacting_correlators(Gc, {4: lam}, order={"1/N": 1, "lambda": 1}, max_points=9)[9].series,
            None,
            "",
        ),
        (
            lambda Gc: interacting_correlators(
                Gc, LocalInteraction({4: lam}, region=Box(1)), order={"1/N": 1, "lambda": 1}, region=Box(2)
            ),
            ValueError,
            "knows its own region",
        ),
        (
            lambda Gc: interacting_correlators(Gc, {2: lambda x, y: lam * x}, order={"1/N": 1, "lambda": 1}),
            ValueError,
            "symmetric",
        ),
    ],
)
def test_errors(call, error, text):
    correlators = cos_net(input_dim=1).connected_correlators(max_points=4)
    if error is None:
        assert call(correlators).terms == ()
        return
    with pytest.raises(error, match=text):
        call(correlators)


def test_correlators_have_it_as_a_method():
    base = cos_net(input_dim=1).connected_correlators(max_points=6)
    order = {"1/N": 1, "lambda": 1}
    box = Box(2)
    found = base.with_interaction({4: lam}, order=order, region=box)
    assert found == interacting_correlators(base, {4: lam}, order=order, region=box)
    assert found != base.with_interaction({4: lam}, order=order, region=Box(3))
    assert max(base.with_interaction({4: lam}, order=order, region=box, max_points=2)) == 2


def test_a_net_of_several_outputs_is_refused():
    with pytest.raises(ValueError, match="one component"):
        interacting_correlators(
            cos_net(input_dim=1, output_dim=2).connected_correlators(max_points=4),
            {4: lam},
            order={"1/N": 1, "lambda": 1},
        )


def test_names_must_differ():
    Gc = interacting_correlators(_abstract(G2=0), {4: lam}, order={"1/N": 0, "lambda": 1})
    with pytest.raises(ValueError, match=r"\['lambda'\] are expansion parameters of the ensemble already"):
        interacting_correlators(Gc, {3: lam}, order={"1/N": 0, "lambda": 1})
    assert phi4().correlators(order=1).source.width == N
