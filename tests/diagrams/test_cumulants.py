"""Set partitions, pairings and moments <-> cumulants against recursions and known distributions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, factorial, prod

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams.cumulants import (
    cumulant_from_moments,
    cumulants_from_moments,
    moment_from_cumulants,
    moments_from_cumulants,
    pairings,
    set_partitions,
)

BELL = [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147]  # OEIS A000110
EVEN_BLOCKS = [1, 0, 1, 0, 4, 0, 31, 0, 379]  # OEIS A005046 at even n
DOUBLE_FACTORIALS = {0: 1, 2: 1, 4: 3, 6: 15, 8: 105, 10: 945}


def as_sets(partition):
    return frozenset(frozenset(block) for block in partition)


@pytest.mark.parametrize(("n", "count"), list(enumerate(BELL)))
def test_number_of_set_partitions_is_bell(n, count):
    found = list(set_partitions(range(n)))
    assert len(found) == count
    assert len({as_sets(p) for p in found}) == count
    for partition in found:
        assert sorted(x for block in partition for x in block) == list(range(n))
        assert all(partition)


@pytest.mark.parametrize(("n", "count"), list(enumerate(EVEN_BLOCKS)))
def test_partitions_into_even_blocks(n, count):
    found = {as_sets(p) for p in set_partitions(range(n), even=True)}
    assert len(found) == len(list(set_partitions(range(n), even=True))) == count
    if n:
        assert found == {p for p in map(as_sets, set_partitions(range(n))) if all(len(b) % 2 == 0 for b in p)}


@pytest.mark.parametrize("n", range(1, 8))
def test_block_numbers_are_stirling(n):
    sizes = [len(p) for p in set_partitions(range(n))]
    assert [sizes.count(k) for k in range(1, n + 1)] == [stirling(n, k) for k in range(1, n + 1)]


@pytest.mark.parametrize("n", range(11))
def test_number_of_pairings(n):
    found = list(pairings(range(n)))
    assert len(found) == len({as_sets(p) for p in found}) == DOUBLE_FACTORIALS.get(n, 0)
    assert all(sorted(x for pair in p for x in pair) == list(range(n)) for p in found)


def test_equal_items_stay_distinct():
    assert len(list(set_partitions("aaa"))) == 5
    assert list(pairings("aaaa")) == [(("a", "a"), ("a", "a"))] * 3
    assert list(set_partitions("")) == [()]
    assert list(pairings("")) == [()]


# --- one variable: the recursion m_n = sum_k C(n-1, k-1) kappa_k m_(n-k) is the independent route ------------------


def moments_by_recursion(cumulants):
    moments = [Fraction(1)]
    for n in range(1, len(cumulants) + 1):
        moments.append(sum(comb(n - 1, k - 1) * cumulants[k - 1] * moments[n - k] for k in range(1, n + 1)))
    return moments[1:]


def by_size(values):
    return lambda block: values[len(block) - 1]


def stirling(n, k):
    return sum((-1) ** (k - j) * comb(k, j) * j**n for j in range(k + 1)) // factorial(k)


def gaussian_moment(n, mean, variance):
    terms = (comb(n, k) * prod(range(1, k, 2)) * mean ** (n - k) * variance ** (k // 2) for k in range(0, n + 1, 2))
    return sum(terms, Fraction(0))


ORDERS = range(1, 9)
RATE = Fraction(3, 7)
BERNOULLI = ["1/2", "1/6", "0", "-1/30", "0", "1/42", "0", "-1/30"]  # B_1 with the sign of the mean
# moments from sums or integrals, cumulants from the logarithm of the characteristic function
DISTRIBUTIONS = {
    "Poisson": ([sum(stirling(n, k) * RATE**k for k in range(n + 1)) for n in ORDERS], [RATE] * 8),
    "exponential": ([factorial(n) / RATE**n for n in ORDERS], [factorial(n - 1) / RATE**n for n in ORDERS]),
    "Gaussian": ([gaussian_moment(n, RATE, 4) for n in ORDERS], [RATE, Fraction(4), *[Fraction(0)] * 6]),
    "fair sign": ([Fraction(1 - n % 2) for n in ORDERS], [Fraction(c) for c in (0, 1, 0, -2, 0, 16, 0, -272)]),
    "uniform on (0, 1)": (
        [Fraction(1, n + 1) for n in ORDERS],
        [Fraction(b) / n for n, b in zip(ORDERS, BERNOULLI, strict=True)],
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_known_distributions_to_order_eight(name):
    moments, cumulants = DISTRIBUTIONS[name]
    assert moments_by_recursion(cumulants) == moments, "the reference values must agree with one another"
    for n in ORDERS:
        assert cumulant_from_moments(range(n), by_size(moments)) == cumulants[n - 1]
        assert moment_from_cumulants(range(n), by_size(cumulants)) == moments[n - 1]
        if name == "fair sign":
            assert cumulant_from_moments(range(n), by_size(moments), even=True) == cumulants[n - 1]
            assert moment_from_cumulants(range(n), by_size(cumulants), even=True) == moments[n - 1]


fractions = st.fractions(min_value=-5, max_value=5, max_denominator=30)


@settings(max_examples=25, deadline=None)
@given(st.lists(fractions, min_size=7, max_size=7))
def test_moments_follow_the_recursion_and_come_back(cumulants):
    moments = moments_by_recursion(cumulants)
    for n in range(1, 8):
        assert moment_from_cumulants(range(n), by_size(cumulants)) == moments[n - 1]
        assert cumulant_from_moments(range(n), by_size(moments)) == cumulants[n - 1]


# --- several variables --------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(*[fractions] * 3), min_size=1, max_size=4),
    st.lists(fractions, min_size=3, max_size=3),
    st.permutations([0, 0, 1, 2, 1]),
)
def test_joint_cumulants_of_a_discrete_variable(support, shift, items):
    """Symmetric, unchanged by shifts (beyond the first) and multilinear: properties that define cumulants."""

    def moment(block, values):
        return Fraction(sum(prod((v[i] for i in block), start=Fraction(1)) for v in values), len(values))

    value = cumulant_from_moments(items, lambda b: moment(b, support))
    assert value == cumulant_from_moments(sorted(items), lambda b: moment(b, support))
    moved = [tuple(a + s for a, s in zip(v, shift, strict=True)) for v in support]
    assert value == cumulant_from_moments(items, lambda b: moment(b, moved))
    scaled = [(2 * v[0], 3 * v[1], -v[2]) for v in support]
    assert cumulant_from_moments(items, lambda b: moment(b, scaled)) == 2**2 * 3**2 * -1 * value


@settings(max_examples=25, deadline=None)
@given(st.lists(fractions, min_size=2, max_size=4), st.lists(fractions, min_size=2, max_size=4))
def test_joint_cumulants_of_independent_variables_vanish_and_sums_add(first, second):
    def mean(values, power):
        return sum((v**power for v in values), Fraction(0)) / len(values)

    def moment(block):
        return mean(first, block.count("x")) * mean(second, block.count("y"))

    for items in ("xy", "xxy", "xxyy", "xyyy"):
        assert cumulant_from_moments(items, moment) == 0
    pairs = list(product(first, second))
    for n in range(1, 6):
        together = cumulant_from_moments("s" * n, lambda b: sum((x + y) ** len(b) for x, y in pairs) / len(pairs))
        apart = sum(cumulant_from_moments("s" * n, lambda b, v=v: mean(v, len(b))) for v in (first, second))
        assert together == apart


def test_wick_theorem():
    """A Gaussian moment is the sum over pairings of products of covariances."""
    covariance = {(i, j): Fraction(i * j + (i == j), i + j) for i in range(1, 7) for j in range(1, 7)}
    found = moment_from_cumulants(range(1, 7), lambda b: covariance[b] if len(b) == 2 else 0)
    assert found == sum(prod(covariance[pair] for pair in p) for p in pairings(range(1, 7)))
    assert found != 0


def test_explicit_fourth_cumulant_symbolically():
    m = sympy.Function("m")
    found = cumulant_from_moments("abcd", lambda b: m(*map(sympy.Symbol, b)), even=True)
    a, b, c, d = sympy.symbols("a b c d")
    assert found == m(a, b, c, d) - m(a, b) * m(c, d) - m(a, c) * m(b, d) - m(a, d) * m(b, c)


def test_arrays_are_taken_elementwise():
    moments = {1: np.array([0.5, 1.0]), 2: np.array([1.0, 3.0]), 3: np.array([2.0, 10.0])}
    found = cumulant_from_moments("aaa", lambda b: moments[len(b)])
    np.testing.assert_allclose(found, [2.0 - 3 * 0.5 * 1.0 + 2 * 0.125, 10.0 - 3 * 1.0 * 3.0 + 2.0], rtol=1e-14)


# --- one variable ---------------------------------------------------------------------------------------------------


def test_sequences_are_inverse_to_each_other_to_order_ten():
    rng = np.random.default_rng(3)
    numbers = [Fraction(int(v), 7) for v in rng.integers(-9, 10, 10)]
    assert cumulants_from_moments(moments_from_cumulants(numbers)) == numbers
    assert moments_from_cumulants(cumulants_from_moments(numbers)) == numbers
    symbols = list(sympy.symbols("m1:7"))
    assert moments_from_cumulants(cumulants_from_moments(symbols)) == symbols
    assert cumulants_from_moments(symbols)[2] == symbols[2] - 3 * symbols[0] * symbols[1] + 2 * symbols[0] ** 3


def test_sequences_agree_with_the_joint_formulas():
    moments = [Fraction(k * k + 1, 3) for k in range(1, 8)]
    joint = [cumulant_from_moments("a" * n, lambda block: moments[len(block) - 1]) for n in range(1, 8)]
    assert cumulants_from_moments(moments) == joint
    back = [moment_from_cumulants("a" * n, lambda block: joint[len(block) - 1]) for n in range(1, 8)]
    assert moments_from_cumulants(joint) == back == moments


def test_sequences_of_arrays():
    """An exponential and a Gamma(2) side by side: kappa_n = a (n - 1)!."""
    moments = [np.array([1.0, 2.0]), np.array([2.0, 6.0]), np.array([6.0, 24.0]), np.array([24.0, 120.0])]
    found = cumulants_from_moments(moments)
    assert np.allclose(found, [[1, 2], [1, 2], [2, 4], [6, 12]])
    assert cumulants_from_moments([]) == moments_from_cumulants([]) == []
