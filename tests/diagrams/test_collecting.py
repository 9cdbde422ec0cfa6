"""Collecting terms that share an exponential: the value stays, the number of terms falls."""

from __future__ import annotations

import random

import pytest
import sympy

from diagrams.collecting import collect_exponentials
from diagrams.symbols import symbol

s, x, y, z = (symbol(name) for name in ("sigma_w0", "x_1", "x_2", "x_3"))
WAVE = sympy.exp(-s * (x - y) ** 2 / 2)
OTHER = sympy.exp(-s * (y - z) ** 2)


def random_expression(rng, depth=3):
    leaves = [s, x, y, sympy.Rational(rng.randint(-5, 5), 3), WAVE, OTHER, (x - y) ** 2, (y - x) ** 3, sympy.sqrt(s)]
    if depth == 0:
        return rng.choice(leaves)
    parts = [random_expression(rng, depth - 1) for _ in range(2)]
    return rng.choice([sympy.Add, sympy.Mul, lambda a, b: (a + b) ** 2])(*parts)


@pytest.mark.parametrize("seed", range(20))
def test_value_is_unchanged(seed):
    rng = random.Random(seed)
    expr = random_expression(rng)
    point = {v: sympy.Rational(rng.randint(1, 9), 7) for v in (s, x, y, z)}
    difference = sympy.N((collect_exponentials(expr) - expr).xreplace(point), 30)
    scale = 1 + abs(sympy.N(expr.xreplace(point), 30))
    assert abs(difference) < 1e-25 * scale


def test_each_exponential_appears_once():
    expr = (s * (x - y) ** 2 - 1) * WAVE + WAVE * (3 + OTHER) * s - 2 * OTHER * WAVE
    terms = sympy.Add.make_args(collect_exponentials(expr))
    exponentials = [tuple(sorted(map(str, t.atoms(sympy.exp)))) for t in terms]
    assert len(terms) == len(set(exponentials)) == 2


def test_opposite_differences_cancel():
    assert collect_exponentials((x - y) * WAVE + (y - x) * WAVE) == 0
    assert collect_exponentials((x - y) ** 2 * WAVE - (y - x) ** 2 * WAVE) == 0
    assert collect_exponentials((x - y) ** 2 * WAVE + (y - x) ** 2 * WAVE) == 2 * (x - y) ** 2 * WAVE


def test_powers_of_an_exponential_are_kept_apart():
    assert collect_exponentials(WAVE**2 + WAVE) == WAVE**2 + WAVE


def test_no_exponential():
    assert collect_exponentials(sympy.Integer(3)) == 3
    assert collect_exponentials(x * s + 2 * x * s) == 3 * s * x
