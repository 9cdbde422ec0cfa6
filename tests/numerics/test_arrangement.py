"""Arranging expressions for few operations: the value stays the same, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

from diagrams.symbols import external_point
from numerics import _arrangement
from numerics._arrangement import arrange, essential_forms
from numerics._printer import eliminate_common
from numerics.lower import lower

X = tuple(external_point(i) for i in range(1, 5))
a, b, c, d = X


def restored(expressions):
    """Write the shared values back into the results."""
    replacements, reduced = arrange(tuple(expressions))
    values = dict(replacements)
    while any(e.free_symbols & set(values) for e in reduced):
        reduced = tuple(e.xreplace(values) for e in reduced)
    return reduced


def cost(arrangement):
    replacements, reduced = arrangement
    return sum(sympy.count_ops(e) for e in (*(v for _, v in replacements), *reduced))


def gaussian_sum(n_terms):
    """Return terms that share exponentials and depend on a + b and c + d apart from them."""
    u, v = a + b, c + d
    terms = [
        sympy.Rational(k + 1, k + 3) * sympy.expand((u + k * v) ** (k % 4) * (1 + u**2)) * sympy.exp(-(k % 3 + 1) * q)
        for k in range(n_terms)
        for q in [sympy.expand((u - v) ** 2 / 4 + (a**2 + b**2 + c**2 + d**2) / 2)]
    ]
    return sympy.Add(*terms)


EXPRESSIONS = {
    "gaussians": gaussian_sum(12),
    "product of exponentials": (sympy.exp(a * b) + 2) * (sympy.exp(-a * b) + c) ** 2,
    "irrational numbers": sympy.sqrt(2) * sympy.pi * (a + b) ** 2 * sympy.exp(-a) + sympy.E * sympy.exp(-a) * a,
    "functions": sympy.cos(a + b) ** 2 * sympy.erf(a * b + 2 * a * c) + sympy.log(1 + (a - b) ** 2) / (1 + c**2),
    "selection": sympy.Piecewise((a * b, a < b), (sympy.exp(a), True)) * (a + b) + sympy.Max(a, c),
    "function in an exponent": sympy.exp(-sympy.cos(a - b)) * (c + d) ** 3 + sympy.exp(-sympy.cos(b - a)) * c,
    "high power": (a + b + c + d) ** 40,
    "number": sympy.Rational(3, 7),
    "cancels": sympy.exp((a + b) ** 2) - sympy.exp(a**2 + 2 * a * b + b**2) + a,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_is_unchanged(name):
    expression = EXPRESSIONS[name]
    (result,) = restored([expression])
    for seed in range(3):
        point = dict(zip(X, map(sympy.Rational, np.random.default_rng(seed).integers(-9, 10, 4) / 8), strict=True))
        expected, found = (sympy.N(e.subs(point), 30) for e in (expression, result))
        assert abs(expected - found) <= 1e-25 * max(1, abs(expected))


def test_terms_with_the_same_exponential_are_merged():
    expression = gaussian_sum(24)
    arranged = arrange((expression,))
    assert cost(arranged) < 0.4 * cost(eliminate_common((expression,)))
    replacements, reduced = arranged
    waves = set().union(*(e.atoms(sympy.exp) for e in (*(v for _, v in replacements), *reduced)))
    assert len(waves) == 3


def test_value_and_gradient_share_their_exponentials():
    expression = gaussian_sum(24)
    replacements, reduced = arrange((expression, *(expression.diff(x) for x in X)))
    waves = set().union(*(e.atoms(sympy.exp) for e in (*(v for _, v in replacements), *reduced)))
    assert len(waves) == 3


def test_exponents_far_from_the_origin_keep_their_digits():
    wave = sympy.exp(-((a - b) ** 2))
    expression = sympy.Add(*(sympy.expand((k + a + b) ** 3 * (1 + k * (c + d) ** 3)) * wave for k in range(1, 12)))
    assert len(arrange((expression,))[0]) < len(eliminate_common((expression,))[0])
    kernel = lower(expression, arguments=X)
    point = [sympy.Integer(10**6), sympy.Integer(10**6) + sympy.Rational(3, 8), sympy.Rational(1, 4), sympy.Integer(2)]
    expected = float(sympy.N(expression.subs(dict(zip(X, point, strict=True))), 30))
    assert kernel(*map(float, point)) == pytest.approx(expected, rel=1e-12)


def test_linear_forms_of_a_polynomial():
    one = sympy.S.One
    # (x - 2 y)^2 z + (x - 2 y) over the generators x, y, z
    terms = {
        ((0, 2), (2, 1)): 1,
        ((0, 1), (1, 1), (2, 1)): -4,
        ((1, 2), (2, 1)): 4,
        ((0, 1),): 1,
        ((1, 1),): -2,
    }
    polynomial = {(monomial, one): Fraction(value) for monomial, value in terms.items()}
    forms, reduced = essential_forms(polynomial)
    assert forms == {0: {0: 1, 1: -2}, 2: {2: 1}}
    assert reduced == {(((0, 2), (2, 1)), one): 1, (((0, 1),), one): 1}
    spoiled = polynomial | {(((1, 1),), one): Fraction(-3)}  # depends on x and y separately
    assert essential_forms(spoiled) == ({}, spoiled)


def test_products_that_would_explode_stay_as_they_are(monkeypatch):
    expression = sympy.Mul(*((a + k) * (b - k) + c * d for k in range(1, 9)))
    monkeypatch.setattr(_arrangement, "_MOST_PRODUCTS", 50)
    arrange.cache_clear()
    assert arrange((expression,)) == eliminate_common((expression,))
    arrange.cache_clear()


def test_a_wrong_linear_form_would_be_noticed(monkeypatch):
    right = essential_forms

    def wrong(polynomial):
        forms, reduced = right(polynomial)
        return {g: {h: 2 * v if h != g else v for h, v in form.items()} for g, form in forms.items()}, reduced

    monkeypatch.setattr(_arrangement, "essential_forms", wrong)
    arrange.cache_clear()
    expression = gaussian_sum(12)
    points = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    kernel = lower(expression, arguments=X, backend="numpy")
    spoiled = kernel(*points)
    arrange.cache_clear()
    monkeypatch.undo()
    expected = lower(sympy.expand(expression) + 0, arguments=X, backend="numpy")(*points)
    assert np.max(np.abs(spoiled - expected)) > 1e-3
    arrange.cache_clear()


def test_float32_and_float64_agree():
    points = np.random.default_rng(1).uniform(-1, 1, (4, 100))
    results = [lower(gaussian_sum(12), arguments=X, dtype=t)(*points.astype(t)) for t in ("float64", "float32")]
    assert np.allclose(*results, rtol=2e-5, atol=1e-5)
