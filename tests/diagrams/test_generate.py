"""Enumeration against zero-dimensional generating functions and published counts."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from math import factorial, prod

import pytest

from diagrams.generate import enumerate_diagrams

ANY = range(3, 40)
EVEN = range(4, 40, 2)


# Polynomials in x are lists of Fractions; power series in two variables are dicts {(a, b): coefficient}.


def polynomial_product(p, q):
    result = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        if a:
            for j, b in enumerate(q):
                result[i + j] += a * b
    return result


def vertex(degree, normal_ordered):
    """Return x^d / d!, or the Hermite polynomial over d!, whose lines never begin and end at itself."""
    p = [Fraction(0)] * (degree + 1)
    for k in range(degree // 2 + 1 if normal_ordered else 1):
        p[degree - 2 * k] = Fraction((-1) ** k, 2**k * factorial(k) * factorial(degree - 2 * k))
    return p


@cache
def log_z(valences, top, legs, normal_ordered=False):
    """Return L[T][n], the coefficients of log <exp(sum_d t^(d-2) x^d/d! + J x)> in t^T J^n, x standard normal."""
    exponential = [[Fraction(1)]]
    for T in range(1, top + 1):
        total = [Fraction(0)] * (3 * T + 1)
        for d in valences:
            if d - 2 <= T:
                term = polynomial_product(vertex(d, normal_ordered), exponential[T - (d - 2)])
                for k, c in enumerate(term):
                    total[k] += Fraction(d - 2, T) * c
        exponential.append(total)

    def normal_moment(k):
        return 0 if k % 2 else prod(range(1, k, 2))

    z = [
        [sum(c * normal_moment(k + n) for k, c in enumerate(p)) / factorial(n) for n in range(legs + 1)]
        for p in exponential
    ]
    inverse = [
        Fraction(0) if n % 2 else Fraction((-1) ** (n // 2), 2 ** (n // 2) * factorial(n // 2)) for n in range(legs + 1)
    ]
    log = [[Fraction(int(n == 2), 2) for n in range(legs + 1)]]
    for T in range(1, top + 1):
        rest = list(z[T])
        for s in range(1, T):
            for n, c in enumerate(polynomial_product(log[s], z[T - s])[: legs + 1]):
                rest[n] -= Fraction(s, T) * c
        log.append(polynomial_product(rest, inverse)[: legs + 1])
    return log


def connected_sum(valences, legs, loops, normal_ordered=False):
    """Return the sum of 1/|Aut| over connected diagrams with labelled legs."""
    excess = legs + 2 * (loops - 1)
    if excess < 0:
        return Fraction(0)
    return factorial(legs) * log_z(tuple(valences), excess, legs, normal_ordered)[excess][legs]


def series_product(a, b, limit):
    result = Counter()
    for (i, j), x in a.items():
        for (k, l), y in b.items():
            if limit(i + k, j + l):
                result[i + k, j + l] += x * y
    return result


def generating_function(valences, max_legs, max_loops, normal_ordered):
    """Return W(J, hbar) = sum W_nL J^n/n! hbar^L."""
    log = log_z(tuple(valences), max(max_legs + 2 * (max_loops - 1), 0), max_legs, normal_ordered)
    pairs = [(n, loops) for n in range(max_legs + 1) for loops in range(max_loops + 1) if n + 2 * loops >= 2]
    return {(n, loops): log[n + 2 * loops - 2][n] for n, loops in pairs}


def full_sum(valences, legs, loops):
    """Return the sum over all diagrams, vacuum parts included, from exp W."""

    def limit(n, order):
        return n <= legs and order <= loops

    W = {k: c for k, c in generating_function(valences, legs, loops, False).items() if c}
    power, total = Counter({(0, 0): Fraction(1)}), Counter()
    for k in range(1, legs + loops + 1):
        power = series_product(power, W, limit)
        for key, c in power.items():
            total[key] += c / factorial(k)
    return factorial(legs) * Fraction(total[legs, loops])


@cache
def legendre(valences, degree, loops, normal_ordered=False):
    """Return W, and J(phi, hbar) that solves phi = dW/dJ, through total degree ``degree``."""

    def limit(a, b):
        return a + b <= degree and b <= loops

    W = generating_function(valences, degree + 1, loops, normal_ordered)
    interacting = {(n - 1, b): n * c for (n, b), c in W.items() if n and c and limit(n - 1, b)}
    interacting.pop((1, 0))  # the free part J
    J = Counter({(1, 0): Fraction(1)})
    for _ in range(degree + 1):
        fresh, power = Counter({(1, 0): Fraction(1)}), Counter({(0, 0): Fraction(1)})
        for a in range(degree + 1):
            row = {(0, b): c for (k, b), c in interacting.items() if k == a}
            for key, c in series_product(power, row, limit).items():
                fresh[key] -= c
            power = series_product(power, J, limit)
        J = fresh
    return W, J


def irreducible_sum(valences, legs, loops, normal_ordered=False):
    """Return the sum over 1PI diagrams: -Gamma = -phi^2/2 + sum P_nL phi^n/n! hbar^L."""
    if legs == 0:
        return no_tadpole_sum(valences, 0, loops, normal_ordered)
    _, J = legendre(tuple(valences), max(legs - 1 + loops, 1), loops, normal_ordered)
    if (legs, loops) == (2, 0):
        return 1 - J[1, 0]
    return -factorial(legs - 1) * Fraction(J[legs - 1, loops])


def no_tadpole_sum(valences, legs, loops, normal_ordered=False):
    """Return the n-th derivative of W at the source that makes <phi> vanish (n = 0 or n >= 2)."""
    W, J = legendre(tuple(valences), max(legs + loops, 1), loops, normal_ordered)
    shift = Counter({k: c for k, c in J.items() if k[0] == 0})
    total = Fraction(0)
    power = Counter({(0, 0): Fraction(1)})
    for k in range(loops + 1):
        for loop in range(loops + 1):
            if (legs + k, loop) in W:
                total += W[legs + k, loop] * prod(range(k + 1, legs + k + 1)) * power[0, loops - loop]
        power = series_product(power, shift, lambda a, b: b <= loops)
    return total


SUMS = [
    ("phi3", (3,), 0, 5),
    ("phi3", (3,), 1, 4),
    ("phi3", (3,), 2, 4),
    ("phi3", (3,), 3, 3),
    ("phi3", (3,), 4, 3),
    ("phi3", (3,), 6, 1),
    ("phi4", (4,), 0, 8),
    ("phi4", (4,), 2, 7),
    ("phi4", (4,), 4, 5),
    ("phi4", (4,), 6, 3),
    ("phi4", (4,), 8, 1),
    ("phi6", (6,), 0, 9),
    ("phi6", (6,), 2, 8),
    ("phi6", (6,), 4, 6),
    ("phi3 and phi4", (3, 4), 0, 4),
    ("phi3 and phi4", (3, 4), 2, 3),
    ("phi3 and phi4", (3, 4), 3, 2),
    ("even", EVEN, 0, 6),
    ("even", EVEN, 2, 5),
    ("even", EVEN, 4, 4),
    ("even", EVEN, 6, 2),
    ("any", ANY, 0, 4),
    ("any", ANY, 1, 4),
    ("any", ANY, 2, 3),
    ("any", ANY, 3, 3),
    ("any", ANY, 4, 2),
    ("any", ANY, 5, 1),
]
SUMS_IDS = [f"{name} {legs} legs {loops} loops" for name, _, legs, loops in SUMS]


def test_zero_dimensional_reference_is_right():
    """The oracle itself against closed forms: the free theory, and sums done by hand."""
    assert connected_sum((4,), 0, 2) == Fraction(1, 8)
    assert connected_sum((3,), 0, 2) == Fraction(5, 24)
    assert connected_sum((4,), 4, 0) == connected_sum((4,), 2, 0) == 1
    assert connected_sum((4,), 0, 2, normal_ordered=True) == 0
    assert irreducible_sum((4,), 4, 1) == Fraction(3, 2)
    assert irreducible_sum((3,), 1, 1) == irreducible_sum((3,), 2, 1) == Fraction(1, 2)
    assert full_sum((4,), 4, 0) == 1 + 3
    assert full_sum((4,), 4, 1) == Fraction(3, 2) + 4 * Fraction(1, 2) + 6 * Fraction(1, 2)


@pytest.mark.parametrize(("name", "valences", "legs", "loops"), SUMS, ids=SUMS_IDS)
def test_sum_of_weights_of_connected_diagrams(name, valences, legs, loops):
    for order in range(loops + 1):
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=order)
        assert ds.total_weight() == connected_sum(valences, legs, order)
        free = enumerate_diagrams(valences=valences, legs=legs, loops=order, labelled=False)
        assert free.labelled_weight() == connected_sum(valences, legs, order)
        assert free.total_weight() == connected_sum(valences, legs, order) / factorial(legs)
        if order and (legs, order) != (1, 1):
            assert (len(ds) > 0) == (connected_sum(valences, legs, order) > 0)


@pytest.mark.parametrize(("name", "valences", "legs", "loops"), SUMS, ids=SUMS_IDS)
def test_sum_of_weights_without_self_loops(name, valences, legs, loops):
    for order in range(loops + 1):
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=order, self_loops=False)
        assert ds.total_weight() == connected_sum(valences, legs, order, normal_ordered=True)


@pytest.mark.parametrize(("name", "valences", "legs", "loops"), SUMS, ids=SUMS_IDS)
@pytest.mark.parametrize("self_loops", [True, False], ids=["with self-loops", "without self-loops"])
def test_sum_of_weights_of_irreducible_diagrams(name, valences, legs, loops, self_loops):
    top = min(loops, 4)
    for order in range(top + 1):
        ds = enumerate_diagrams(
            valences=valences, legs=legs, loops=order, one_particle_irreducible=True, self_loops=self_loops
        )
        assert ds.total_weight() == irreducible_sum(valences, legs, order, normal_ordered=not self_loops)


@pytest.mark.parametrize(
    ("name", "valences", "legs", "loops"),
    [case for case in SUMS if case[2] != 1],
    ids=[name for name, case in zip(SUMS_IDS, SUMS, strict=True) if case[2] != 1],
)
def test_sum_of_weights_without_tadpoles(name, valences, legs, loops):
    for order in range(min(loops, 3) + 1):
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=order, tadpoles=False)
        assert ds.total_weight() == no_tadpole_sum(valences, legs, order)


FULL = [((3,), 0, 4), ((3,), 1, 3), ((3,), 2, 2), ((3,), 3, 2), ((3,), 4, 1), ((3,), 5, 0), ((4,), 0, 5), ((4,), 2, 4)]
FULL += [
    ((4,), 4, 3),
    ((4,), 6, 1),
    ((4,), 8, 0),
    ((6,), 2, 5),
    ((3, 4), 2, 2),
    ((3, 4), 4, 1),
    (ANY, 2, 2),
    (EVEN, 4, 2),
]


@pytest.mark.parametrize(
    ("valences", "legs", "loops"),
    FULL,
    ids=str,
)
def test_sum_of_weights_of_all_diagrams(valences, legs, loops):
    for order in range(loops + 1):
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=order, connected=False)
        assert ds.total_weight() == full_sum(valences, legs, order)
        free = enumerate_diagrams(valences=valences, legs=legs, loops=order, connected=False, labelled=False)
        assert free.labelled_weight() == full_sum(valences, legs, order)
        assert sum(int(b.multiplicity.sum()) for b in free.blocks) == len(ds)


# --- published numbers --------------------------------------------------------------------------------------------

PHI3, PHI4 = (3,), (4,)
COUNTS = [
    ("phi4 2 legs", PHI4, 2, 8, {}, 27607),
    ("phi4 4 legs", PHI4, 4, 6, {}, 72314),
    ("phi4 8 legs", PHI4, 8, 2, {}, 97335),
    ("phi4 vacuum", PHI4, 0, 9, {}, 1635),
    ("phi3 2 legs", PHI3, 2, 6, {}, 45519),
    ("phi3 4 legs", PHI3, 4, 4, {}, 71172),
    ("phi3 vacuum", PHI3, 0, 6, {}, 388),
    ("phi4 1PI 2 legs", PHI4, 2, 8, {"one_particle_irreducible": True}, 15237),
    ("phi4 1PI 4 legs", PHI4, 4, 6, {"one_particle_irreducible": True}, 25722),
    ("phi3 1PI 2 legs", PHI3, 2, 6, {"one_particle_irreducible": True}, 4999),
    ("even 2 legs", EVEN, 2, 6, {}, 3197),
    ("even 4 legs", EVEN, 4, 5, {}, 31819),
    ("even 8 legs", EVEN, 8, 2, {}, 170129),
    ("any 2 legs", ANY, 2, 4, {}, 8475),
    ("any 4 legs", ANY, 4, 3, {}, 75388),
]


@pytest.mark.parametrize(("name", "valences", "legs", "loops", "options", "count"), COUNTS, ids=[c[0] for c in COUNTS])
def test_counts_and_sums_on_which_other_programs_agree(name, valences, legs, loops, options, count):
    ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, **options)
    assert len(ds) == count
    assert ds.nbytes <= 100 * len(ds)
    reference = irreducible_sum if options else connected_sum
    assert ds.total_weight() == reference(valences, legs, loops)


@pytest.mark.parametrize(
    ("valences", "legs", "loops", "count", "weight"),
    [
        (EVEN, 2, 1, 1, "1/2"),
        (EVEN, 2, 2, 4, "19/24"),
        (EVEN, 2, 3, 18, "23/12"),
        (EVEN, 4, 1, 8, "4"),
        (EVEN, 4, 2, 62, "395/24"),
        (EVEN, 6, 0, 11, "11"),
        (EVEN, 6, 1, 187, "101"),
        (ANY, 2, 1, 3, "3/2"),
        (ANY, 2, 2, 35, "19/2"),
        (ANY, 4, 0, 4, "4"),
        (ANY, 4, 1, 111, "63"),
    ],
)
def test_counts_and_sums_behind_an_action(valences, legs, loops, count, weight):
    ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops)
    assert (len(ds), ds.total_weight()) == (count, Fraction(weight))


def test_trees_with_labelled_leaves():
    """OEIS A000311; for cubic trees the double factorials."""
    trees = [enumerate_diagrams(valences=ANY, legs=n, loops=0) for n in range(3, 8)]
    assert [len(t) for t in trees] == [1, 4, 26, 236, 2752]
    assert [t.total_weight() for t in trees] == [1, 4, 26, 236, 2752]
    cubic = [len(enumerate_diagrams(valences=(3,), legs=n, loops=0)) for n in range(3, 10)]
    assert cubic == [1, 3, 15, 105, 945, 10395, 135135]


def test_cubic_trees_with_free_leaves():
    """OEIS A000672. Vertices with one line to others come last: their orders are not tried before all else."""
    trees = [len(enumerate_diagrams(valences=(3,), legs=n, loops=0, labelled=False)) for n in range(3, 19)]
    assert trees == [1, 1, 1, 2, 2, 4, 6, 11, 18, 37, 66, 135, 265, 552, 1132, 2410]
