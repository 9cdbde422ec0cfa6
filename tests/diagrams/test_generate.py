"""Enumeration against all Wick contractions, zero-dimensional generating functions and published counts."""

from __future__ import annotations

import pickle
import tracemalloc
from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations
from math import factorial, prod

import networkx as nx
import numpy as np
import pytest

from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph

MAX_ENDS = 12  # half-edges, external legs included, that are paired by brute force
ANY = range(3, 40)
EVEN = range(4, 40, 2)


# --- every Wick contraction ---------------------------------------------------------------------------------------


def all_pairings(ends):
    """Iterate over the perfect matchings of a list (not the routine of the package)."""
    if not ends:
        yield []
        return
    first, rest = ends[0], ends[1:]
    for i, second in enumerate(rest):
        for tail in all_pairings(rest[:i] + rest[i + 1 :]):
            yield [(first, second), *tail]


def least_form(edges, legs, degrees, free_legs):
    """Return the smallest edge list over renumberings of vertices of equal degree (and of the legs)."""
    forms = []
    for places in permutations(range(len(degrees))):
        if all(degrees[v] == degrees[p] for v, p in enumerate(places)):
            for leg in permutations(range(legs)) if free_legs else [range(legs)]:
                move = [*leg, *(legs + p for p in places)]
                forms.append(tuple(sorted(tuple(sorted((move[u], move[v]))) for u, v in edges)))
    return (tuple(degrees), min(forms))


@cache
def contractions(legs, degrees):
    """Return {edges: number of Wick contractions} for labelled legs and numbered vertices."""
    owner = [*range(legs)] + [legs + v for v, d in enumerate(degrees) for _ in range(d)]
    found = Counter()
    for pairing in all_pairings(list(range(len(owner)))):
        found[tuple(sorted((owner[a], owner[b]) for a, b in pairing))] += 1
    return found


@cache
def wick_classes(legs, degrees, labelled):
    """Return {least form: sum of contractions / (V! prod d!) (/ n! if legs are free)}, one entry per diagram."""
    shared = prod(factorial(degrees.count(d)) * factorial(d) ** degrees.count(d) for d in set(degrees))
    if not labelled:
        shared *= factorial(legs)
    classes = Counter()
    for edges, number in contractions(legs, degrees).items():
        classes[least_form(edges, legs, degrees, not labelled)] += number
    return {form: Fraction(number, shared) for form, number in classes.items()}


def form_of(graph):
    """Return the least form of an enumerated graph: its vertices put in order of degree."""
    n = graph.n_legs
    degree = Counter(node for e in graph.edges for node in e)
    order = sorted(range(n, n + graph.n_vertices), key=degree.__getitem__)
    place = {leg: leg for leg in range(n)} | {v: n + i for i, v in enumerate(order)}
    edges = [(place[u], place[v]) for u, v in graph.edges]
    return least_form(edges, n, [degree[v] for v in order], not graph.labelled)


def plain(form, legs):
    degrees, edges = form
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(legs + len(degrees)))
    graph.add_edges_from(edges)
    return graph


def shape(form, legs):
    """Return (connected, loops, 1PI, self-loops, tadpoles) with networkx."""
    graph = plain(form, legs)
    parts = nx.number_connected_components(graph)
    bridge = tadpole = False
    for u, v, key in graph.edges(keys=True):
        if min(u, v) >= legs:
            rest = graph.copy()
            rest.remove_edge(u, v, key)
            if nx.number_connected_components(rest) > parts:
                bridge = True
                tadpole |= any(min(nx.node_connected_component(rest, w)) >= legs for w in (u, v))
    loops = graph.number_of_edges() - graph.number_of_nodes() + parts
    return parts == 1, loops, parts == 1 and not bridge and len(form[0]) > 0, nx.number_of_selfloops(graph), tadpole


@cache
def brute_force(valences, legs, labelled):
    """Return {form: (weight, shape)} of every diagram with at most MAX_ENDS half-edges."""
    found = {}
    for n_vertices in range(MAX_ENDS // min(valences) + 1):
        for degrees in combinations_with_replacement(sorted(valences), n_vertices):
            if (legs + sum(degrees)) % 2 == 0 and 0 < legs + sum(degrees) <= MAX_ENDS:
                for form, weight in wick_classes(legs, degrees, labelled).items():
                    found[form] = (weight, shape(form, legs))
    return found


def highest_loops(truth):
    return max(s[1] for _, s in truth.values() if s[0])


def within_reach(ds, legs):
    """Return blocks of the graphs that have at most MAX_ENDS half-edges."""
    parts = [part for degrees, part in ds.by_valences().items() if legs + sum(degrees) <= MAX_ENDS]
    return [block for part in parts for block in part.blocks]


BRUTE = [((3,), n) for n in range(5)] + [((4,), n) for n in (0, 2, 4)] + [((3, 4), n) for n in range(6)]
BRUTE += [((3, 4, 5, 6), n) for n in (2, 3, 4)]
BRUTE_IDS = [f"valences {v}, {n} legs" for v, n in BRUTE]


@pytest.mark.parametrize(("valences", "legs"), BRUTE, ids=BRUTE_IDS)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_connected_diagrams_are_the_classes_of_wick_contractions(valences, legs, labelled):
    truth = brute_force(valences, legs, labelled)
    for loops in range(highest_loops(truth) + 1):
        expected = {form: w for form, (w, s) in truth.items() if s[:2] == (True, loops)}
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=labelled)
        found = [
            (d, s) for b in within_reach(ds, legs) for d, s in zip(Diagrams((b,)), b.symmetry.tolist(), strict=True)
        ]
        weights = {form_of(d): Fraction(1, s) for d, s in found}
        assert len(weights) == len(found)
        assert weights == expected


LOOSE = [((3,), 0, 3), ((3,), 1, 3), ((3,), 2, 2), ((3,), 3, 2), ((3,), 4, 1), ((4,), 0, 5), ((4,), 2, 4), ((4,), 4, 2)]
LOOSE += [((4,), 6, 1), ((3, 4), 0, 3), ((3, 4), 1, 3), ((3, 4), 2, 2), ((3, 4), 3, 1), ((3, 4, 5, 6), 4, 1)]


@pytest.mark.parametrize(
    ("valences", "legs", "max_loops"),
    LOOSE,
    ids=str,
)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_disconnected_diagrams_are_the_classes_of_wick_contractions(valences, legs, max_loops, labelled):
    truth = brute_force(valences, legs, labelled)
    for loops in range(max_loops + 1):
        expected = {form: w for form, (w, s) in truth.items() if s[1] == loops}
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, connected=False, labelled=labelled)
        found = list(Diagrams(tuple(within_reach(ds, legs))))
        weights = {form_of(d): Fraction(1, d.symmetry_factor) for d in found}
        assert len(weights) == len(found)
        assert weights == expected


@pytest.mark.parametrize(("valences", "legs"), BRUTE, ids=BRUTE_IDS)
@pytest.mark.parametrize(
    "options",
    [
        {"one_particle_irreducible": True},
        {"self_loops": False},
        {"tadpoles": False},
        {"self_loops": False, "tadpoles": False},
        {"one_particle_irreducible": True, "self_loops": False, "tadpoles": False},
    ],
    ids=["1PI", "no self-loops", "no tadpoles", "neither", "all three"],
)
def test_filters_agree_with_networkx(valences, legs, options):
    truth = brute_force(valences, legs, True)
    for loops in range(highest_loops(truth) + 1):
        expected = set()
        for form, (_, (connected, n_loops, irreducible, self_loops, tadpole)) in truth.items():
            keep = connected and n_loops == loops
            keep = keep and (irreducible or "one_particle_irreducible" not in options)
            keep = keep and (not self_loops or "self_loops" not in options)
            if keep and not (tadpole and "tadpoles" in options):
                expected.add(form)
        ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, **options)
        assert {form_of(d) for b in within_reach(ds, legs) for d in Diagrams((b,))} == expected


# --- zero-dimensional field theory --------------------------------------------------------------------------------
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


# --- one run against another --------------------------------------------------------------------------------------

RUNS = [
    ((3,), 2, 3, {}),
    ((3,), 4, 1, {}),
    ((4,), 2, 4, {}),
    ((4,), 4, 2, {}),
    ((3, 4), 3, 1, {}),
    (EVEN, 4, 2, {}),
    (EVEN, 6, 0, {}),
    (ANY, 3, 1, {}),
    ((4,), 4, 2, {"one_particle_irreducible": True}),
    ((4,), 4, 2, {"self_loops": False}),
    ((3,), 3, 2, {"tadpoles": False}),
    ((4,), 2, 2, {"connected": False}),
    ((4,), 4, 1, {"connected": False}),
    ((3,), 4, 1, {"connected": False, "tadpoles": False, "self_loops": False}),
]


def run(case, **more):
    valences, legs, loops, options = case
    return enumerate_diagrams(valences=valences, legs=legs, loops=loops, **options, **more)


@pytest.mark.parametrize("case", RUNS, ids=str)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_graphs_of_a_run_are_distinct_and_carry_their_own_symmetry(case, labelled):
    ds = run(case, labelled=labelled)
    graphs = list(ds)
    assert len(set(graphs)) == len(graphs) == len(ds) > 0
    assert all(d.labelled == labelled for d in graphs)
    symmetry = [s for b in ds.blocks for s in b.symmetry.tolist()]
    multiplicity = [m for b in ds.blocks for m in b.multiplicity.tolist()]
    assert symmetry == [d.symmetry_factor for d in graphs]
    assert multiplicity == [d.multiplicity for d in graphs]
    assert {(d.n_legs, d.n_loops) for d in graphs} == {(case[1], case[2])}
    assert {v for d in graphs for v in d.valences} <= set(case[0])


@pytest.mark.parametrize("case", RUNS, ids=str)
def test_exchangeable_legs_group_the_labelled_diagrams(case):
    labelled, free = run(case), run(case, labelled=False)
    groups = labelled.group_by(FeynmanGraph.with_exchangeable_legs)
    assert set(groups) == set(free)
    for graph in free:
        members = groups[graph]
        assert len(members) == graph.multiplicity
        assert members.total_weight() == Fraction(factorial(graph.n_legs), graph.symmetry_factor)
        assert {graph.relabel_legs(p) for p in graph.labelled_versions()} == set(members)
    assert free.labelled_weight() == labelled.total_weight()
    assert free.weights_by_valences() == labelled.weights_by_valences()


@pytest.mark.parametrize("case", [c for c in RUNS if not c[3]], ids=str)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_options_equal_filtering_afterwards(case, labelled):
    everything = run(case, labelled=labelled)

    def kept(**options):
        return set(run((*case[:3], options), labelled=labelled))

    assert kept(one_particle_irreducible=True) == set(everything.filter(lambda d: d.is_one_particle_irreducible))
    assert kept(self_loops=False) == set(everything.filter(lambda d: not d.n_self_loops))
    assert kept(tadpoles=False) == set(everything.filter(lambda d: not d.has_tadpole))
    both = kept(self_loops=False, tadpoles=False)
    assert both == set(everything.filter(lambda d: not d.n_self_loops and not d.has_tadpole))
    loose = run((*case[:3], {"connected": False}), labelled=labelled)
    assert set(everything) == set(loose.filter(lambda d: d.is_connected))


def test_valences_given_in_any_order_or_twice():
    first = enumerate_diagrams(valences=(3, 4), legs=2, loops=2)
    assert list(first) == list(enumerate_diagrams(valences=[4, 3, 4], legs=2, loops=2))
    assert first == enumerate_diagrams(valences=np.array([3, 4]), legs=np.int64(2), loops=np.int64(2))


def test_bare_propagators():
    propagator = FeynmanGraph(2, ((0, 1),))
    assert list(enumerate_diagrams(valences=(4,), legs=2, loops=0)) == [propagator]
    assert len(enumerate_diagrams(valences=(4,), legs=2, loops=0, one_particle_irreducible=True)) == 0
    assert len(enumerate_diagrams(valences=(6,), legs=4, loops=0, connected=False)) == 3
    (free,) = enumerate_diagrams(valences=(6,), legs=6, loops=0, connected=False, labelled=False).filter(
        lambda d: not d.n_vertices
    )
    assert (free.symmetry_factor, free.multiplicity) == (48, 15)


@pytest.mark.parametrize(
    ("valences", "legs", "loops", "options"),
    [
        ((4,), 3, 1, {}),
        ((4,), 1, 0, {"connected": False}),
        ((6,), 2, 1, {}),
        ((3,), 0, 0, {}),
        ((3,), 0, 1, {}),
        ((3,), 1, 0, {}),
        ((5,), 4, 0, {}),
        ((4,), 0, 0, {"connected": False}),
        ((4,), 0, 1, {"connected": False}),
        ((3,), 4, 0, {"one_particle_irreducible": True}),
        ((4,), 0, 2, {"self_loops": False}),
        ((3,), 1, 1, {"self_loops": False}),
    ],
    ids=str,
)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_impossible_requests_give_an_empty_collection(valences, legs, loops, options, labelled):
    ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=labelled, **options)
    assert (len(ds), ds.total_weight(), ds.labelled_weight(), list(ds)) == (0, 0, 0, [])
    assert ds == Diagrams()
    assert repr(ds) == "<Diagrams: 0 diagrams, sum of 1/|Aut| = 0>"


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"valences": ()}, ValueError, r"valences is empty.*\(4,\)"),
        ({"valences": (2, 4)}, ValueError, "valence 2 is not allowed.*at least 3"),
        ({"valences": (1,)}, ValueError, "valence 1 is not allowed"),
        ({"valences": (-4,)}, ValueError, "valence -4 is not allowed"),
        ({"valences": (4.0,)}, TypeError, "valences must be integers, got 4.0"),
        ({"valences": ("4",)}, TypeError, "valences must be integers, got '4'"),
        ({"valences": (True,)}, TypeError, "valences must be integers, got True"),
        ({"valences": (4, "a")}, TypeError, "valences must be integers"),
        ({"valences": 4}, TypeError, r"valences.*4"),
        ({"legs": -1}, ValueError, "legs must be >= 0, got -1"),
        ({"legs": 2.0}, TypeError, "legs must be an integer, got 2.0"),
        ({"legs": "2"}, TypeError, "legs must be an integer, got '2'"),
        ({"legs": True}, TypeError, "legs must be an integer, got True"),
        ({"loops": -2}, ValueError, "loops must be >= 0, got -2"),
        ({"loops": None}, TypeError, "loops must be an integer, got None"),
        ({"one_particle_irreducible": True, "connected": False}, ValueError, "needs connected=True"),
    ],
    ids=str,
)
def test_argument_errors_say_what_was_given(change, error, text):
    with pytest.raises(error, match=text):
        enumerate_diagrams(**({"valences": (4,), "legs": 2, "loops": 1} | change))


def test_arguments_are_keyword_only():
    with pytest.raises(TypeError):
        enumerate_diagrams((4,), 2, 1)


def test_too_many_graphs_are_refused():
    request = {"valences": (4,), "legs": 4, "loops": 2}
    exact = len(enumerate_diagrams(**request))
    assert len(enumerate_diagrams(**request, max_graphs=exact)) == exact
    with pytest.raises(
        MemoryError,
        match=rf"{exact} diagrams with legs=4, loops=2, valences=\(4,\).*max_graphs={exact - 1}; .*labelled=False",
    ):
        enumerate_diagrams(**request, max_graphs=exact - 1)
    assert len(enumerate_diagrams(**request, max_graphs=exact - 1, labelled=False)) < exact


def test_refusing_takes_little_memory():
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError):
            enumerate_diagrams(valences=(6,), legs=14, loops=0, max_graphs=100)  # 126,126 graphs in one block
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # the graphs alone would take 2.5 MB
    finally:
        tracemalloc.stop()


def test_large_symmetry_factors_are_exact():
    ds = enumerate_diagrams(valences=(30,), legs=18, loops=6, labelled=False)
    (single,) = ds[:1]
    assert single.symmetry_factor == factorial(18) * 2**6 * factorial(6)
    assert ds.total_weight() == Fraction(1, single.symmetry_factor)


# --- the collection -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collection():
    ds = enumerate_diagrams(valences=(3, 4), legs=2, loops=2)
    assert len(ds) > 20
    return ds


SLICES = [slice(None), slice(3), slice(-3, None), slice(2, 17), slice(None, None, 5), slice(None, None, -1)]
SLICES += [slice(17, 2, -4), slice(5, 5), slice(1000, None), slice(-1000, 4)]


@pytest.mark.parametrize("chosen", SLICES, ids=str)
def test_slices_are_collections(collection, chosen):
    part = collection[chosen]
    assert isinstance(part, Diagrams)
    graphs = list(collection)[chosen]
    assert list(part) == graphs
    assert len(part) == len(graphs)
    assert part.total_weight() == sum((Fraction(1, d.symmetry_factor) for d in graphs), Fraction(0))


def test_indices(collection):
    graphs = list(collection)
    assert [collection[i] for i in range(len(graphs))] == graphs
    assert [collection[-i] for i in range(1, len(graphs) + 1)] == graphs[::-1]
    assert collection[np.int64(3)] == graphs[3]
    assert list(reversed(collection)) == graphs[::-1]
    assert collection.index(graphs[7]) == 7
    assert graphs[7] in collection
    assert FeynmanGraph(2, ((0, 1),)) not in collection
    for i in (len(graphs), -len(graphs) - 1):
        with pytest.raises(IndexError, match=f"diagram {i} of a collection of {len(graphs)}"):
            collection[i]


def test_filter_and_group_by(collection):
    graphs = list(collection)
    kept = collection.filter(lambda d: d.n_self_loops == 1)
    assert 0 < len(kept) < len(graphs)
    assert list(kept) == [d for d in graphs if d.n_self_loops == 1]
    assert len(collection.filter(lambda d: False)) == 0
    assert len(Diagrams().filter(lambda d: True)) == 0
    groups = collection.group_by(lambda d: d.symmetry_factor)
    assert list(groups) == list(dict.fromkeys(d.symmetry_factor for d in graphs))
    for key, group in groups.items():
        assert list(group) == [d for d in graphs if d.symmetry_factor == key]
        assert group.total_weight() == Fraction(len(group), key)
    assert Diagrams().group_by(len) == {}


def test_concatenation_and_equality(collection):
    first, second = collection[:10], collection[10:]
    assert list(first + second) == list(collection)
    assert first + second == second + first == collection
    assert hash(first + second) == hash(second + first) == hash(collection)
    assert first != second
    assert collection != first
    assert first + first != first
    assert collection[:1] + collection[:2] != collection[:2] + collection[1:2]
    assert collection != list(collection)
    assert Diagrams.concatenate([first, Diagrams(), second]) == collection
    assert Diagrams.concatenate([]) == Diagrams()
    assert len(Diagrams()) == 0


def test_weights_of_mixed_collections():
    two = enumerate_diagrams(valences=(4,), legs=2, loops=2, labelled=False)
    four = enumerate_diagrams(valences=(4,), legs=4, loops=1)
    expected = connected_sum((4,), 2, 2) + connected_sum((4,), 4, 1)
    assert (two + four).labelled_weight() == (four + two).labelled_weight() == expected
    assert (two + four).total_weight() == connected_sum((4,), 2, 2) / 2 + connected_sum((4,), 4, 1)


def test_weights_by_valences(collection):
    expected = Counter()
    for d in collection:
        expected[tuple(sorted(d.valences))] += Fraction(1, d.symmetry_factor)
    assert collection.weights_by_valences() == expected


def test_kind_of_all_vertices(collection):
    changed = collection.with_kind(CORRELATOR)
    assert list(changed) == [d.with_kind(CORRELATOR) for d in collection]
    assert changed != collection
    assert changed[3:5].filter(lambda d: set(d.kinds) == {CORRELATOR}) == changed[3:5]


def test_collection_is_a_picklable_value_that_names_itself(collection):
    again = pickle.loads(pickle.dumps(collection))
    assert list(again) == list(collection)
    assert repr(collection[:2]) == f"<Diagrams: 2 diagrams, sum of 1/|Aut| = {collection[:2].total_weight()}>"
    with pytest.raises(AttributeError):
        collection.blocks = ()


def test_order_is_by_vertices_then_self_loops(collection):
    keys = [(d.n_vertices, -d.n_self_loops) for d in collection]
    assert keys == sorted(keys)
