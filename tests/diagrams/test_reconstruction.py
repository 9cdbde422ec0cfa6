"""Actions from connected correlators: the one-variable table, exact models, and the round trip W -> S -> W."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial

import pytest
import sympy

from diagrams import cos_net, one_variable_couplings
from diagrams.reconstruction import coupling_diagrams
from diagrams.round_trip import composite_graphs
from diagrams.symbols import symbol

k3, k4, k5, k6, k7 = (symbol(f"k{r}") for r in range(3, 8))
half = sympy.Rational(1, 2)

# coefficients of g_n at N^-e, from an expansion of -log p by computer algebra (Edgeworth series)
TABLE = {
    (1, half): "k3/2",
    (1, 3 * half): "-5*k3**3/8 + 2*k3*k4/3 - k5/8",
    (1, 5 * half): "15*k3**5/8 - 185*k3**3*k4/48 + 53*k3**2*k5/48 + 11*k3*k4**2/8 - 5*k3*k6/24 - 5*k4*k5/16 + k7/48",
    (2, 0): "1",
    (2, 1): "k4/2 - k3**2",
    (2, 2): "25*k3**4/8 - 109*k3**2*k4/24 + 25*k3*k5/24 + 2*k4**2/3 - k6/8",
    (3, half): "-k3",
    (3, 3 * half): "4*k3**3 - 7*k3*k4/2 + k5/2",
    (3, 5 * half): "-175*k3**5/8 + 159*k3**3*k4/4 - 39*k3**2*k5/4 - 149*k3*k4**2/12 + 37*k3*k6/24 + 19*k4*k5/8 - k7/8",
    (4, 1): "3*k3**2 - k4",
    (4, 2): "-24*k3**4 + 59*k3**2*k4/2 - 11*k3*k5/2 - 7*k4**2/2 + k6/2",
    (5, 3 * half): "-15*k3**3 + 10*k3*k4 - k5",
    (5, 5 * half): "192*k3**5 - 605*k3**3*k4/2 + 125*k3**2*k5/2 + 80*k3*k4**2 - 8*k3*k6 - 25*k4*k5/2 + k7/2",
    (6, 2): "105*k3**4 - 105*k3**2*k4 + 15*k3*k5 + 10*k4**2 - k6",
}


@pytest.fixture(scope="module")
def couplings():
    return one_variable_couplings(order=3)


@pytest.mark.parametrize(("n", "exponent"), TABLE, ids=lambda v: str(v))
def test_one_variable_table(couplings, n, exponent):
    expected = sympy.sympify(TABLE[n, exponent], locals={f"k{r}": symbol(f"k{r}") for r in range(3, 8)})
    assert couplings[n][exponent] == expected


def test_table_has_no_other_entries_through_order_two(couplings):
    found = {(n, e) for n, series in couplings.items() for e in series if e <= sympy.Rational(5, 2)}
    assert {key for key in found if not (key[0] == 7 and key[1] == 5 * half)} == set(TABLE)


def test_keys_are_integers_for_even_and_halves_for_odd(couplings):
    assert sorted(couplings) == list(range(1, 9))
    for n, series in couplings.items():
        assert all((e - sympy.Rational(n, 2)).is_integer for e in series)
    assert couplings[4][2] == couplings[4][sympy.Integer(2)]
    with pytest.raises(KeyError, match="was not computed"):
        couplings[4][4]


def _gamma(couplings, n):
    """Substitute k_r = (r-1)!, the cumulants of a standardised Gamma(a) variable with N -> a."""
    values = {symbol(f"k{r}"): sympy.Integer(factorial(r - 1)) for r in range(3, 20)}
    return {e: c.xreplace(values) for e, c in couplings[n].items()}


def test_gamma_model_through_five_orders():
    couplings = one_variable_couplings(order=5)
    assert _gamma(couplings, 1) == {half: 1, **{e: 0 for e in couplings[1] if e != half}}
    for n in range(2, 13):
        tree, one_loop = sympy.Rational(n, 2) - 1, sympy.Rational(n, 2)
        sign = (-1) ** n * factorial(n - 1)
        expected = dict.fromkeys(couplings[n], 0) | {tree: sign}
        if one_loop in expected:
            expected[one_loop] = -sign
        assert _gamma(couplings, n) == expected


def test_gamma_model_detects_a_wrong_coefficient(couplings):
    wrong = couplings[4][2] + k6 / 24
    values = {symbol(f"k{r}"): factorial(r - 1) for r in range(3, 9)}
    assert wrong.subs(values) != -6


def _times(a, b):
    """Multiply power series in 1/N."""
    return [sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


def _derivatives_of_log(moments):
    """Return kappa_n from moments m_0 = 1, m_1, ... (series in 1/N) by the standard recursion."""
    kappa = [None]
    for n in range(1, len(moments)):
        total = moments[n]
        for j in range(1, n):
            product = _times(kappa[j], moments[n - j])
            total = [t - comb(n - 1, j - 1) * c for t, c in zip(total, product, strict=True)]
        kappa.append(total)
    return kappa


def test_linear_net_against_its_characteristic_function():
    """phi = sum W_i w_i has the characteristic function (1 + t^2/N)^(-N/2): -log p at zero through N^-5.

    Integration by parts gives int t^(k+2) chi / int t^k chi = N (k + 1) / (N - k - 3).
    """
    order = 5
    moments = [[Fraction(1)] + [Fraction(0)] * order]
    for k in range(0, 2 * order + 2, 2):
        ratio = [Fraction((k + 1) * (k + 3) ** j) for j in range(order + 1)]
        moments += [[Fraction(0)] * (order + 1), _times(moments[-1], ratio)]
    derivatives = [[(-1) ** (k // 2) * c for c in m] for k, m in enumerate(moments)]  # of p at zero, over p(0)
    exact = _derivatives_of_log(derivatives)
    couplings = one_variable_couplings(order=order)
    # kappa_2k = (2k-1)! N^(1-k)
    values = {symbol(f"k{r}"): sympy.Integer(0 if r % 2 else factorial(r - 1)) for r in range(3, 13)}
    for n in range(2, 2 * order + 3, 2):
        assert any(exact[n])
        for e, c in couplings[n].items():
            assert c.xreplace(values) == -sympy.Rational(exact[n][int(e)].numerator, exact[n][int(e)].denominator)


def test_tree_sums():
    sums = [
        sum(abs(c) for c in sympy.Poly(one_variable_couplings(order=n)[n][sympy.Rational(n, 2) - 1]).coeffs())
        for n in (3, 4)
    ]
    assert sums == [1, 4]
    weights = [coupling_diagrams(n, 0, even=False).labelled_weight() for n in range(3, 9)]
    assert weights == [1, 4, 26, 236, 2752, 39208]


@pytest.mark.parametrize(
    ("n", "loops", "even", "count", "weight"),
    [
        (2, 1, True, 1, Fraction(1, 2)),
        (2, 2, True, 4, Fraction(19, 24)),
        (2, 3, True, 18, Fraction(23, 12)),
        (4, 1, True, 8, Fraction(4)),
        (4, 2, True, 62, Fraction(395, 24)),
        (6, 0, True, 11, Fraction(11)),
        (6, 1, True, 187, Fraction(101)),
        (2, 1, False, 3, Fraction(3, 2)),
        (2, 2, False, 35, Fraction(19, 2)),
        (4, 0, False, 4, Fraction(4)),
        (4, 1, False, 111, Fraction(63)),
    ],
)
def test_counts_and_weights(n, loops, even, count, weight):
    labelled = coupling_diagrams(n, loops, even=even, labelled=True)
    exchangeable = coupling_diagrams(n, loops, even=even)
    assert (len(labelled), labelled.total_weight()) == (count, weight)
    assert sum(d.multiplicity for d in exchangeable) == count
    assert exchangeable.labelled_weight() == weight


def test_cos_net_action_is_complete_through_second_order():
    action = cos_net(input_dim=1).connected_correlators(max_points=6).action(order=2)
    assert [n for n, _ in action.couplings] == [2, 4, 6]
    counts = {(n, e): len(s.diagrams_at(e)) for n, s in action.couplings for e in s}
    assert counts == {(2, 0): 1, (2, 1): 1, (2, 2): 4, (4, 1): 1, (4, 2): 3, (6, 2): 2}
    assert action.coupling(6).diagrams_at(2)[-1].multiplicity in (1, 10)
    assert sum(d.multiplicity for d in action.coupling(6).diagrams) == 11


@pytest.mark.parametrize(
    ("n", "even"),
    [(n, True) for n in (2, 4, 6)] + [(n, False) for n in range(1, 7)],
    ids=lambda v: {True: "even", False: "any"}[v] if isinstance(v, bool) else str(v),
)
def test_round_trip_closes(n, even):
    """All diagrams of the action cancel but the correlator that was put in."""
    order = 2 if n < 5 else 3 if even else 2
    found = composite_graphs(n, order, even=even)
    lead = sympy.Rational(n, 2) - 1
    if n == 1 or lead > order:
        assert found == {}
        return
    (graphs,) = found.values()
    ((graph, weight),) = graphs.items()
    assert list(found) == [lead]
    assert weight == 1
    assert graph.n_vertices == (0 if n == 2 else 1)
    assert graph.n_loops == 0


def test_round_trip_notices_a_wrong_sign(monkeypatch):
    from diagrams import round_trip

    right = round_trip._coupling_terms
    monkeypatch.setattr(
        round_trip, "_coupling_terms", lambda n, loops, even: [(g, abs(w)) for g, w in right(n, loops, even)]
    )
    found = composite_graphs(4, 2, even=True)
    assert len(found) > 1
    assert sum(len(graphs) for graphs in found.values()) > 1


def test_correlators_of_the_action_are_those_of_the_net():
    for d in (1, 2):
        source = cos_net(input_dim=d).connected_correlators(max_points=6)
        back = source.action(order=2).correlators(order=2)
        assert list(back.keys()) == list(range(1, 7))
        for n in range(1, 7):
            assert back[n].expr == source[n].expr
        assert back[4].series.remainder == (3,)


def test_errors():
    correlators = cos_net(input_dim=1).connected_correlators(max_points=4)
    with pytest.raises(ValueError, match=r"needs the connected correlators of \[6\] points"):
        correlators.action(order=2)
    with pytest.raises(ValueError, match="order must be >= 0, got -1"):
        correlators.action(order=-1)
    with pytest.raises(TypeError, match=r"order must be an integer >= 0, got 1\.5"):
        correlators.action(order=1.5)
    with pytest.raises(ValueError, match="order must be >= 0"):
        one_variable_couplings(order=-2)
    action = correlators.action(order=1)
    with pytest.raises(ValueError, match="odd couplings of an even action vanish"):
        action.coupling(3)
    with pytest.raises(ValueError, match="known through N"):
        action.correlators(order=2)
    with pytest.raises(ValueError, match="order must be >= 0"):
        action.correlators(order=-1)
