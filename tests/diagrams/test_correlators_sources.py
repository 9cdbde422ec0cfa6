"""Connected correlators from functions, numbers on points and moments."""

from __future__ import annotations

import pickle
from itertools import product
from math import factorial

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net
from diagrams.correlators import ConnectedCorrelators
from diagrams.pointfunctions import PointFunction
from diagrams.symbols import coordinates, external_point, symbol
from numerics.point_action import coupling_tensors, point_action

N = symbol("N")
PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]


def kernel(x, y):
    return sympy.exp(-((x - y) ** 2) / 2)


def quartic(*x):
    return sum(kernel(x[a], x[b]) * kernel(x[c], x[d]) for (a, b), (c, d) in PAIRINGS) / N


# --- functions --------------------------------------------------------------------------------------------------------


def test_functions_with_their_powers_of_n():
    Gc = ConnectedCorrelators.from_functions({2: kernel, 4: quartic})
    assert Gc[2](0, 1) == sympy.exp(sympy.Rational(-1, 2))
    assert Gc[4](0, 0, 0, 0) == 3 / N
    assert [list(Gc[n].series) for n in (1, 2, 3, 4)] == [[], [0], [], [1]]
    assert Gc.source.is_even
    assert not Gc[4].survives()
    assert pickle.loads(pickle.dumps(Gc)) == Gc
    assert hash(Gc) == hash(pickle.loads(pickle.dumps(Gc)))
    both = ConnectedCorrelators.from_functions({2: lambda x, y: (1 + 1 / N) * kernel(x, y) + 1 / sympy.sqrt(N)})
    assert list(both[2].series) == [0, sympy.Rational(1, 2), 1]


def test_functions_of_a_net_give_its_action():
    net = cos_net(input_dim=2)
    known = net.connected_correlators(max_points=4)
    given = {n: known[n].series.as_expr() for n in (2, 4)}
    Gc = ConnectedCorrelators.from_functions(given, input_dim=2)
    x = [(1, 2), (0, 1), (3, -1), (1, 1)]
    assert sympy.expand(Gc[4](*x) - known[4](*x)) == 0
    ours, theirs = Gc.action(order=1), known.action(order=1)
    assert [(n, s.terms) for n, s in ours.couplings] == [(n, s.terms) for n, s in theirs.couplings]
    scaled = {n: known[n].series[sympy.Rational(n, 2) - 1] for n in (2, 4)}
    independent = ConnectedCorrelators.from_functions(scaled, input_dim=2, scaling="independent")
    assert independent[4].series == Gc[4].series
    explicit = ConnectedCorrelators.from_functions(scaled, input_dim=2, scaling={2: 0, 4: 1}, width=7)
    assert sympy.expand(explicit[4](*x) - known[4](*x).subs(N, 7)) == 0


def test_abstract_points():
    x = [external_point(i + 1) for i in range(4)]
    Gc = ConnectedCorrelators.from_functions(
        {2: PointFunction("G", *x[:2]), 3: lambda a, b, c: PointFunction("G3", a, b, c) / sympy.sqrt(N)}, input_dim=None
    )
    y = symbol("y_1")
    assert Gc[2](x[0], y) == PointFunction("G", x[0], y)
    assert not Gc.source.is_even
    assert not Gc.source.is_dimension_explicit
    assert list(Gc[3].series) == [sympy.Rational(1, 2)]
    assert "G_c^{(3)}" in Gc.to_latex()


@pytest.mark.parametrize(
    ("functions", "options", "error", "message"),
    [
        ({2: lambda x, y: x * y**2}, {}, ValueError, "not symmetric: exchanging x_1 and x_2"),
        ({3: lambda x, y, z: sympy.sin(x) * y * z}, {}, ValueError, "not symmetric"),
        ({2: lambda x, y: symbol("x_3")}, {}, ValueError, "contains"),
        ({2: lambda x, y: 1 / (N + 1)}, {}, ValueError, "sum of powers of N"),
        ({2: lambda x, y: 1 / N}, {"scaling": "independent"}, ValueError, "contains N"),
        ({2: lambda x, y: 1}, {"scaling": {4: 1}}, ValueError, "scaling must be"),
        ({2: lambda x, y: "text"}, {}, TypeError, "sympy expression"),
        ({2: lambda x, y: 1}, {"input_dim": 0}, ValueError, "positive integer"),
        ({0: lambda: 1}, {}, ValueError, "positive integers"),
        ({}, {}, TypeError, "mapping"),
        ({2: lambda x, y: 1}, {"width": -3}, ValueError, "width must be positive"),
    ],
)
def test_functions_that_are_refused(functions, options, error, message):
    with pytest.raises(error, match=message):
        ConnectedCorrelators.from_functions(functions, **options)


def test_symmetry_is_seen_through_different_forms():
    point = coordinates(1, 1)[0], coordinates(2, 1)[0]
    expr = sympy.sin(point[0] - point[1]) ** 2 + sympy.cos(2 * point[0] - 2 * point[1])
    assert ConnectedCorrelators.from_functions({2: expr})[2](1, 1) == 1
    hidden = (1 - sympy.cos(2 * point[0]) - 2 * sympy.sin(point[0]) ** 2) * point[1]  # zero, but not as written
    assert ConnectedCorrelators.from_functions({2: hidden}).max_points == 2


# --- numbers on points ------------------------------------------------------------------------------------------------


def tables(net, x, orders):
    Gc = net.connected_correlators(max_points=max(orders))
    return {
        n: np.array([float(Gc[n](*(x[i] for i in index))) for index in product(range(len(x)), repeat=n)]).reshape(
            (len(x),) * n
        )
        for n in orders
    }


def test_values_on_points():
    net, x = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1), [0, sympy.Rational(1, 2)]
    given = tables(net, x, (2, 4))
    Gc = ConnectedCorrelators.from_values(given, points=[0.0, 0.5], width=20)
    assert float(Gc[2](0, 1)) == pytest.approx(given[2][0, 1], rel=1e-15)
    assert float(Gc[4](0, 1, 1, 1)) == pytest.approx(given[4][0, 1, 1, 1], rel=1e-14)
    assert Gc[4].expr.free_symbols == {external_point(i) for i in range(1, 5)}
    assert list(Gc[4].series) == [1]
    np.testing.assert_allclose(Gc.source.tensor(4), given[4])
    np.testing.assert_allclose(Gc.source.scaled_tensors(4)[4], 20 * given[4])
    np.testing.assert_allclose(Gc.source.points, [[0.0], [0.5]])
    assert Gc.action(order=1).coupling(4)[1].has(PointFunction)
    assert pickle.loads(pickle.dumps(Gc)) == Gc
    assert hash(Gc) == hash(pickle.loads(pickle.dumps(Gc)))
    assert "G^{(2)}_{x_{1} x_{2}}" in Gc[2].to_latex()
    with pytest.raises(ValueError, match="labels of their points, 0 to 1, got 2"):
        Gc[2](0, 2)
    with pytest.raises(ValueError, match="labels"):
        Gc[2](0, 0.5)


def test_values_on_points_give_the_couplings_of_their_net():
    net, x = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1), [0, sympy.Rational(1, 2)]
    Gc = ConnectedCorrelators.from_values(tables(net, x, (2, 4)), points=[0.0, 0.5], width=20)
    found = coupling_tensors(Gc.source.scaled_tensors(4), order=1, even=True)
    expected = point_action(net, [[0.0], [0.5]], order=1).orders
    assert [list(found[n]) for n in found] == [list(expected[n]) for n in expected]
    for n, parts in expected.items():
        for order, tensor in parts.items():
            np.testing.assert_allclose(found[n][order], tensor, rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({2: [[1, 2], [3, 1]]}, {}, "not symmetric"),
        ({2: [[1, 2, 3], [2, 1, 3]]}, {}, "equal axes"),
        ({2: [1, 2]}, {}, "equal axes"),
        ({2: [[1, np.nan], [np.nan, 1]]}, {}, "not finite"),
        ({2: np.eye(2), 4: np.zeros((3,) * 4)}, {}, "same points"),
        ({2: np.eye(2)}, {"points": [[0.0], [1.0], [2.0]]}, "of shape"),
        ({2: np.eye(2)}, {"width": 0}, "width must be positive"),
        ({2: np.eye(2)}, {"width": N}, "a width that is a number"),
    ],
)
def test_values_that_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        ConnectedCorrelators.from_values(values, **options)


# --- moments ----------------------------------------------------------------------------------------------------------


def test_cumulants_of_a_gamma_variable():
    # moments of Gamma(a): a(a+1)...(a+n-1); cumulants (n-1)! a
    a = 3
    moments = {n: np.full((1,) * n, float(np.prod([a + k for k in range(n)]))) for n in range(1, 6)}
    Gc = ConnectedCorrelators.from_moments(moments)
    for n in range(1, 6):
        assert abs(float(Gc[n](*[0] * n)) - factorial(n - 1) * a) < 1e-9
    assert not Gc.source.is_even


def test_cumulants_of_correlated_counts():
    # (A + C, B + C) of independent Poisson numbers: joint cumulants are sums of rates
    rng = np.random.default_rng(0)
    draws = rng.poisson([1.0, 2.0, 0.5], (4000, 3))
    pair = np.stack([draws[:, 0] + draws[:, 2], draws[:, 1] + draws[:, 2]], 1).astype(float)
    moments = {n: np.mean([_outer(row, n) for row in pair], 0) for n in (1, 2, 3)}
    Gc = ConnectedCorrelators.from_moments(moments)
    centred = pair - pair.mean(0)
    assert float(Gc[2](0, 1)) == pytest.approx((centred[:, 0] * centred[:, 1]).mean(), rel=1e-10)
    assert float(Gc[3](0, 1, 1)) == pytest.approx((centred[:, 0] * centred[:, 1] ** 2).mean(), rel=1e-10)
    assert float(Gc[1](0)) == pytest.approx(pair[:, 0].mean(), rel=1e-12)


def _outer(row, n):
    result = np.array(1.0)
    for _ in range(n):
        result = np.multiply.outer(result, row)
    return result


def test_moments_as_functions():
    def four(a, b, c, d):
        return sum(kernel(*p) * kernel(*q) for p, q in [((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c))]) + 1 / N

    Gc = ConnectedCorrelators.from_moments({2: kernel, 4: four})
    assert Gc[4].series.as_expr() == 1 / N
    assert Gc.source.is_even

    def mean(x):
        return symbol("m") * x

    shifted = ConnectedCorrelators.from_moments({1: mean, 2: lambda x, y: kernel(x, y) + mean(x) * mean(y)})
    assert shifted[1](2) == 2 * symbol("m")
    assert shifted[2](1, 2) == sympy.exp(sympy.Rational(-1, 2))


def test_moments_that_are_refused():
    with pytest.raises(ValueError, match=r"moments of \[2\] points too"):
        ConnectedCorrelators.from_moments({1: [1.0], 3: np.ones((1, 1, 1))})
    with pytest.raises(TypeError, match="all moments as functions or all as arrays"):
        ConnectedCorrelators.from_moments({1: [1.0], 2: kernel})
