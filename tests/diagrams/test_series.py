"""Series: arithmetic, truncation and remainders against ordinary polynomials, printing, errors."""

from __future__ import annotations

import pickle

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams.generate import enumerate_diagrams
from diagrams.series import Series
from diagrams.symbols import symbol

N, alpha, lam = symbol("N"), symbol("alpha"), symbol("lambda")
ONE, TWO = (1 / N,), (1 / N, alpha)
half = sympy.Rational(1, 2)


def series(coefficients, remainder=None):
    """Make a series in 1/N from {exponent: coefficient}."""
    cut = None if remainder is None else (sympy.sympify(remainder),)
    return Series(ONE, tuple(((sympy.sympify(k),), c) for k, c in coefficients.items()), cut)


# --- arithmetic with one parameter --------------------------------------------------------------------------------
# A series with a remainder stands for all functions that continue it. The independent route continues both factors
# with terms of unknown coefficients; what these touch must be left out, everything else must be right and kept.

exponents = st.integers(-2, 8).map(lambda k: sympy.Rational(k, 2))
coefficients = st.dictionaries(exponents, st.integers(-3, 3).filter(bool), min_size=1, max_size=4)


@st.composite
def cut_series(draw):
    terms = draw(coefficients)
    cut = draw(st.one_of(st.none(), st.integers(1, 6).map(lambda k: max(terms) + sympy.Rational(k, 2))))
    return terms, cut


def continued(terms, cut, name):
    """Return the function with unknown coefficients at and beyond the cut."""
    known = {k: sympy.Integer(c) for k, c in terms.items()}
    if cut is not None:
        known |= {cut + sympy.Rational(j, 2): sympy.Symbol(f"{name}{j}") for j in range(4)}
    return known


def product(a, b):
    result = {}
    for k1, c1 in a.items():
        for k2, c2 in b.items():
            result[k1 + k2] = result.get(k1 + k2, 0) + c1 * c2
    return {k: sympy.expand(c) for k, c in result.items()}


def known_part(function):
    """Return the exponents below the first one with an unknown coefficient, and that exponent."""
    unknown = [k for k, c in function.items() if sympy.sympify(c).free_symbols]
    cut = min(unknown, default=None)
    return {k: c for k, c in function.items() if c != 0 and (cut is None or k < cut)}, cut


@settings(max_examples=80, deadline=None)
@given(cut_series(), cut_series())
def test_sum_and_product_keep_exactly_what_is_known(first, second):
    a, b = series(*first), series(*second)
    known_a, known_b = continued(*first, "a"), continued(*second, "b")
    total = {k: known_a.get(k, 0) + known_b.get(k, 0) for k in known_a | known_b}
    for found, truth in ((a + b, total), (a * b, product(known_a, known_b))):
        expected, cut = known_part(truth)
        assert found.remainder == (None if cut is None else (cut,))
        assert dict(found.items()) == expected
        assert found.parameters == ONE


@settings(max_examples=60, deadline=None)
@given(cut_series(), cut_series(), cut_series())
def test_ring_rules(first, second, third):
    a, b, c = (series(*s) for s in (first, second, third))
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * 3 == 3 * a == a + a + a
    # distributing may lose orders, when leading terms cancel in b + c, but never changes one
    factored, multiplied = a * (b + c), a * b + a * c
    for k in set(factored) | set(multiplied):
        cuts = [s.remainder[0] for s in (factored, multiplied) if s.remainder is not None]
        if all(k < cut for cut in cuts):
            assert factored[k] == multiplied[k]


def test_product_by_hand():
    a = series({0: 1, 1: 2}, 3)  # 1 + 2/N + O(N^-3)
    b = series({half: 5}, 2)  # 5/sqrt(N) + O(N^-2)
    assert a * b == series({half: 5, half + 1: 10}, 2)
    assert b * b == series({1: 25}, sympy.Rational(5, 2))
    assert a * a == series({0: 1, 1: 4, 2: 4}, 3)
    assert a * symbol("x_1") == series({0: symbol("x_1"), 1: 2 * symbol("x_1")}, 3)
    assert a * 0 == series({}, 3)


def test_leading_order_moves_the_remainder_of_the_other_factor():
    inverse = series({-2: 1}, 1)  # N^2 + O(1/N)
    assert inverse * series({0: 1}, 4) == series({-2: 1}, 1)
    assert inverse * series({0: 1}, 2) == series({-2: 1}, 0)


def test_product_with_nothing_known():
    """A factor that is only a remainder; the answer may claim less than is true, never more."""
    nothing = series({}, 3)
    found = series({0: 1}, 2) * nothing
    assert len(found) == 0
    assert found.remainder[0] <= 3
    assert (series({}, 3) + series({1: 4}, 2)) == series({1: 4}, 2)


def test_product_of_two_remainders_below_order_zero():
    assert (series({}, -3) * series({}, -2)).remainder[0] <= -5


def test_sum_drops_what_lies_beyond_either_remainder():
    found = series({0: 1, 2: 7}, 3) + series({0: 1}, 1)
    assert found == series({0: 2}, 1)
    assert series({0: 1}) + series({1: 1}) == series({0: 1, 1: 1})
    assert (series({0: 1}) + series({1: 1})).remainder is None
    assert series({0: 1, 1: 2}, 3) + series({0: -1}) == series({1: 2}, 3)


def test_map_keeps_orders_and_drops_zeros():
    s = series({0: symbol("x_1"), 1: symbol("x_1") - 1, 2: 3}, 4)
    assert s.map(lambda c: c.subs(symbol("x_1"), 1)) == series({0: 1, 2: 3}, 4)


# --- two parameters -----------------------------------------------------------------------------------------------


def test_two_parameters_are_cut_independently():
    a = Series(TWO, (((0, 0), 1), ((1, 0), 2), ((0, 1), 3), ((half, 1), 5)), (2, 2))
    b = Series(TWO, (((0, 0), 1), ((1, 1), 7)), (3, 2))
    found = a * b
    assert found.remainder == (2, 2)
    assert dict(found.items()) == {(0, 0): 1, (1, 0): 2, (0, 1): 3, (half, 1): 5, (1, 1): 7}
    # with one order of the first parameter in front, its unknown terms move up and those of the second do not
    shifted = found * Series(TWO, (((1, 0), 1),))
    assert shifted.remainder == (3, 2)
    assert list(shifted) == [(1, 0), (1, 1), (2, 0), (half + 1, 1), (2, 1)]
    assert (a + b).remainder == (2, 2)
    assert (a + b)[0, 1] == 3


def test_terms_come_by_total_order():
    a = Series(TWO, (((2, 0), 1), ((0, 1), 2), ((1, 0), 3), ((0, 0), 4), ((half, 0), 5)))
    assert list(a) == [(0, 0), (half, 0), (0, 1), (1, 0), (2, 0)]


def test_truncation():
    a = series({0: 1, half: 2, 1: 3, 2: 4}, 3)
    assert a.truncate((1,)) == series({0: 1, half: 2}, 1)
    assert a.truncate((3,)) == a
    assert series({0: 1, 5: 2}).truncate((5,)) == series({0: 1}, 5)
    assert a.truncate((2,)).truncate((1,)) == a.truncate((1,))
    two = Series(TWO, (((0, 0), 1), ((1, 0), 2), ((0, 1), 3)), (2, 2))
    assert two.truncate((1, 2)) == Series(TWO, (((0, 0), 1), ((0, 1), 3)), (1, 2))
    with pytest.raises(ValueError, match=r"known to \(3,\) up to \(4,\)"):
        a.truncate((4,))
    with pytest.raises(ValueError, match="cannot extend"):
        two.truncate((1, 3))


# --- reading ------------------------------------------------------------------------------------------------------


def test_series_reads_like_a_mapping():
    s = series({1: lam, half: 2, 0: 0, 2: sympy.Rational(1, 3)}, 3)
    assert (len(s), list(s)) == (3, [half, 1, 2])
    assert [s[0], s[half], s[1], s[2], s[sympy.Rational(3, 2)]] == [0, 2, lam, sympy.Rational(1, 3), 0]
    assert dict(s.items()) == {half: 2, 1: lam, 2: sympy.Rational(1, 3)}
    assert 1 in s
    assert half in s
    assert 0 not in s
    assert 7 not in s
    assert s[(1,)] == s[1] == lam
    two = Series(TWO, (((1, 0), 5),), (2, 1))
    assert (two[1, 0], two[0, 0], list(two)) == (5, 0, [(1, 0)])


def test_equal_exponents_are_merged():
    assert Series(ONE, (((1,), lam), ((1,), 2), ((0,), 1), ((0,), -1))) == series({1: lam + 2})


def test_as_expr_drops_the_remainder():
    assert series({0: 1, half: lam, 2: 3}, 3).as_expr() == 1 + lam / sympy.sqrt(N) + 3 / N**2
    assert Series(TWO, (((1, 2), 5),), (2, 3)).as_expr() == 5 * alpha**2 / N
    assert series({}, 1).as_expr() == 0


def test_orders_beyond_the_remainder_are_refused():
    s = series({0: 1}, 2)
    assert s[sympy.Rational(3, 2)] == 0
    for k in (2, 5):
        with pytest.raises(KeyError, match=rf"exponent {k} was not computed.*O\(N\^-2\).*higher order"):
            s[k]
    two = Series(TWO, (((0, 0), 1),), (2, 1))
    for key in ((2, 0), (0, 1), (5, 5)):
        with pytest.raises(KeyError, match=r"O\(N\^-2\) \+ O\(alpha\)"):
            two[key]
    assert series({0: 1})[100] == 0


def test_wrong_numbers_of_exponents():
    with pytest.raises(KeyError, match="one exponent for each"):
        series({0: 1})[0, 1]
    with pytest.raises(KeyError, match="one exponent for each"):
        Series(TWO, ())[1]
    with pytest.raises(ValueError, match=r"\(1, 2\) has 2 exponents; the series has 1"):
        Series(ONE, (((1, 2), 1),))
    with pytest.raises(ValueError, match=r"remainder \(1, 2\) has 2 exponents; the series has 1"):
        Series(ONE, (), (1, 2))


def test_terms_beyond_the_remainder_are_refused():
    for k in (2, 3):
        with pytest.raises(ValueError, match=rf"\({k},\) lies at or beyond the remainder \(2,\)"):
            Series(ONE, (((k,), 1),), (2,))
    with pytest.raises(ValueError, match="lies at or beyond"):
        Series(TWO, (((0, 1), 1),), (2, 1))


def test_only_expansions_in_the_same_parameters_combine():
    other = Series((lam,), (((1,), 1),))
    with pytest.raises(ValueError, match="cannot combine expansions"):
        series({0: 1}) + other
    with pytest.raises(ValueError, match="cannot combine expansions"):
        series({0: 1}) * other
    with pytest.raises(TypeError):
        series({0: 1}) + 1


# --- printing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (series({0: 1, 1: sympy.Rational(3, 8)}, 3), "1 * (1) + N^-1 * (3/8) + O(N^-3)"),
        (series({half: 2}), "N^(-1/2) * (2)"),
        (series({-1: 2}, 0), "N * (2) + O(1)"),
        (series({}, 2), "0 + O(N^-2)"),
        (series({}), "0"),
        (
            Series(TWO, (((1, 1), lam), ((0, 2), 5)), (2, 3)),
            "alpha^2 * (5) + N^-1 alpha * (lambda) + O(N^-2) + O(alpha^3)",
        ),
        (Series((lam,), (((1,), -1), ((2,), half)), (3,)), "lambda * (-1) + lambda^2 * (1/2) + O(lambda^3)"),
    ],
    ids=["integers", "half", "negative", "empty", "zero", "two parameters", "lambda"],
)
def test_text(value, text):
    assert str(value) == text


def test_latex_shows_orders_and_remainder():
    shown = series({half: lam, 2: 3}, 3).to_latex()
    assert shown.index("N^{-1/2}") < shown.index("N^{-2}") < shown.index(r"O\!\left(N^{-3}\right)")
    assert series({half: 1})._repr_latex_().startswith("$")
    assert "O" not in series({0: lam}).to_latex()
    two = Series(TWO, (((1, 1), lam),), (2, 3)).to_latex()
    assert r"N^{-1}\,\alpha" in two
    assert r"O\!\left(\alpha^{3}\right)" in two


# --- values and diagrams ------------------------------------------------------------------------------------------


def test_series_are_hashable_picklable_values():
    s = series({0: 1, half: lam}, 2)
    assert hash(s) == hash(series({half: lam, 0: 1}, 2))
    assert pickle.loads(pickle.dumps(s)) == s
    assert s != series({0: 1, half: lam}, 3)
    assert s != series({0: 1, half: lam})
    with pytest.raises(AttributeError):
        s.remainder = None


def test_diagrams_behind_a_series():
    sources = {(sympy.Integer(k),): enumerate_diagrams(valences=(4,), legs=2, loops=k) for k in (0, 1, 2)}
    s = Series(ONE, (((0,), 1), ((1,), 2), ((2,), 3)), (3,), sources)
    assert len(s.diagrams) == 1 + 1 + 3
    assert [d.n_loops for d in s.diagrams] == [0, 1, 2, 2, 2]
    assert s.diagrams_at(2) == sources[(2,)]
    assert len(s.truncate((2,)).diagrams) == 2
    assert len(s.map(lambda c: 2 * c).diagrams) == 5
    assert s == Series(ONE, (((0,), 1), ((1,), 2), ((2,), 3)), (3,)), "diagrams take no part in comparisons"
    with pytest.raises(KeyError, match="no diagrams at exponent 5"):
        s.diagrams_at(5)
    with pytest.raises(ValueError, match="not computed from diagrams"):
        _ = series({0: 1}).diagrams
