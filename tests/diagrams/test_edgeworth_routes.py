"""Edgeworth expansions against the diagrammatic action, an exact model and exact moments."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import factorial

import numpy as np
import pytest
import sympy

from diagrams import edgeworth_density, edgeworth_log_density, one_variable_couplings
from diagrams._edgeworth_vector import edgeworth_expansion
from diagrams.symbols import symbol
from numerics.point_action import coupling_tensors

X = symbol("x")


def test_log_density_is_minus_the_diagrammatic_action():
    couplings, log_density = one_variable_couplings(order=3), edgeworth_log_density(order=3)
    powers = sorted({e for series in couplings.values() for e in series if e <= 3} - {0})
    assert powers[-1] == 3
    for e in powers:
        polynomial = sympy.Poly(log_density[e], X)
        for n, series in couplings.items():
            expected = -series[e] / sympy.factorial(n) if e in series else 0
            assert sympy.expand(polynomial.coeff_monomial(X**n) - expected) == 0, (n, e)
        assert polynomial.degree() <= 2 * e + 2


def test_a_wrong_sign_of_a_cumulant_would_be_noticed():
    k4 = symbol("k4")
    wrong = edgeworth_log_density(order=1)[1].subs(k4, -k4)
    assert sympy.Poly(wrong, X).coeff_monomial(X**4) != -one_variable_couplings(order=1)[4][1] / 24


@pytest.mark.parametrize("order", [1, 2])
def test_moments_of_the_density_are_those_put_in(order):
    density = edgeworth_density(order=order)
    k3, k4 = symbol("k3"), symbol("k4")
    gaussian = [0 if n % 2 else sympy.factorial2(n - 1) for n in range(30)]

    def moment(n, e):
        polynomial = sympy.Poly(sympy.expand(sympy.expand_func(density[e] / density[0])), X)
        return sympy.expand(sum(c * gaussian[m + n] for (m,), c in polynomial.terms()))

    for e in [k for k in density if k > 0]:
        assert moment(0, e) == 0
    half = sympy.Rational(1, 2)
    assert [moment(n, half) for n in (1, 2, 3, 4)] == [0, 0, k3, 0]
    assert [moment(n, 1) for n in (1, 2, 3, 4)] == [0, 0, 0, k4]


def test_gamma_density_is_approached_by_the_next_power():
    # standardised Gamma(a): k_r = (r - 1)!, N = a
    cumulants = {r: sympy.Integer(factorial(r - 1)) for r in range(3, 9)}
    x = sympy.Rational(1, 2)

    def exact(a):
        y = a + sympy.sqrt(a) * x
        return sympy.log(a) / 2 + (a - 1) * sympy.log(y) - y - sympy.loggamma(a)

    for order in (1, 2):
        series = edgeworth_log_density(order=order, cumulants=cumulants).as_expr()
        residual = [float(sympy.N(exact(a) - series.subs({symbol("N"): a, X: x}), 40)) for a in (400, 1600)]
        assert np.log(residual[0] / residual[1]) / np.log(4) == pytest.approx(order + 0.5, abs=0.12)


def random_tensors(size, top, step, seed):
    rng = np.random.default_rng(seed)
    tensors = {}
    for r in range(2, top + 1, step):
        tensor = np.full((size,) * r, Fraction(0), dtype=object)
        for index in np.ndindex(*tensor.shape):
            if tuple(sorted(index)) == index:
                value = Fraction(int(rng.integers(-9, 10)), 8)
                for p in set(permutations(index)):
                    tensor[p] = value
        tensors[r] = tensor
    for i in range(size):
        tensors[2][i, i] = Fraction(5)
    return tensors


@pytest.mark.parametrize(("size", "order", "step"), [(2, 1, 1), (2, 2, 2), (3, 2, 2), (3, 1, 1)])
def test_vector_expansion_equals_the_diagrams(size, order, step):
    tensors = random_tensors(size, 2 * order + 2, step, seed=size)
    found = edgeworth_expansion(tensors, order=order).couplings()
    expected = coupling_tensors(tensors, order=order, even=step == 2)
    for n, parts in expected.items():
        for e, tensor in parts.items():
            assert (np.asarray(found[n].get(e, 0)) == tensor).all(), (n, e)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"order": -1}, "order must be >= 0"),
        ({"order": 1, "variance": -1}, "variance"),
        ({"order": 2, "cumulants": {3: 1, 4: 1}}, "5"),
    ],
    ids=["order", "variance", "missing"],
)
def test_bad_input(arguments, text):
    with pytest.raises(ValueError, match=text):
        edgeworth_density(**arguments)
