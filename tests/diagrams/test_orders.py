"""Diagrams to an order: against zero-dimensional series, brute-force Wick contraction and the plain enumeration."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, factorial, prod

import pytest

from diagrams import Diagrams, FeynmanGraph, enumerate_diagrams
from diagrams._weights import WeightedVertices
from diagrams.graph import CORRELATOR, INTERACTION
from diagrams.orders import concatenate, diagrams_to_order
from diagrams.reconstruction import coupling_diagrams

N_COUNTING = {r: Fraction(r, 2) - 1 for r in range(3, 13)}
EVEN_N_COUNTING = {r: w for r, w in N_COUNTING.items() if r % 2 == 0}


# --- the zero-dimensional theory ------------------------------------------------------------------------------------


def moment(k):
    """<phi^k> of a Gaussian of variance one."""
    return prod(range(1, k, 2)) if k % 2 == 0 else 0


@cache
def weight(valences, counts, legs, connected):
    """Sum of 1/|Aut| with labelled legs and given vertices: int exp(-phi^2/2 + sum x_v phi^v / v!) phi^legs.

    Connected parts from the component of the first leg, or of a vertex of the first kind that occurs.
    """
    half_edges = legs + sum(v * n for v, n in zip(valences, counts, strict=True))
    total = Fraction(
        moment(half_edges), prod(factorial(v) ** n * factorial(n) for v, n in zip(valences, counts, strict=True))
    )
    if not connected:
        return total
    marked = next((i for i, n in enumerate(counts) if n), None)
    if not legs and marked is None:
        return Fraction(0)
    for part in product(*(range(n + 1) for n in counts)):
        rest = tuple(n - k for n, k in zip(counts, part, strict=True))
        for attached in range(legs + 1):
            if (part, attached) == (counts, legs):
                continue
            ways = comb(legs - 1, attached - 1) if legs and attached else 0
            if not legs:
                ways = Fraction(part[marked], counts[marked])
            if ways:
                own = weight(valences, part, attached, True)
                total -= ways * own * weight(valences, rest, legs - attached, False)
    return total


def expected_weights(weights, legs, order, connected=True, limit=8):
    """Return the weight for each power, from all numbers of vertices up to a limit."""
    keys = list(weights)
    valences = tuple(key[0] if isinstance(key, tuple) else key for key in keys)
    several = isinstance(order, dict)
    names = list(order) if several else [""]
    rows = [[Fraction(weights[k].get(p, 0)) for p in names] if several else [Fraction(weights[k])] for k in keys]
    highest = list(order.values()) if several else [order]
    found = Counter()
    for counts in product(range(limit + 1), repeat=len(keys)):
        powers = tuple(sum(n * row[p] for n, row in zip(counts, rows, strict=True)) for p in range(len(names)))
        if all(h is None or x <= h for x, h in zip(powers, highest, strict=True)):
            loops_times_two = 2 + sum(n * (v - 2) for n, v in zip(counts, valences, strict=True)) - legs
            if not connected or loops_times_two >= 0:
                found[powers if several else powers[0]] += weight(valences, counts, legs, connected)
    return {power: value for power, value in found.items() if value}


def test_the_zero_dimensional_weights():
    """phi^4: <phi^2> = 1 - lambda/2 + 2 lambda^2/3 - 11 lambda^3/8 (vertices count +1), connected."""
    assert [weight((4,), (n,), 2, True) for n in range(4)] == [1, Fraction(1, 2), Fraction(2, 3), Fraction(11, 8)]
    assert weight((4,), (1,), 0, True) == Fraction(1, 8)
    assert weight((4,), (2,), 0, True) == Fraction(1, 48) + Fraction(1, 16)


CASES = {
    "coupling": ({4: 1}, 2, 3),
    "coupling, vacuum": ({4: 1}, 0, 3),
    "coupling, four legs": ({4: 1}, 4, 2),
    "one over N": ({r: w for r, w in EVEN_N_COUNTING.items() if r <= 8}, 2, 3),
    "one over N, odd": ({r: w for r, w in N_COUNTING.items() if r <= 6}, 1, Fraction(3, 2)),
    "halves": ({3: Fraction(1, 2), 4: 1}, 3, Fraction(5, 2)),
    "two parameters": ({3: {"g": 1}, 4: {"lambda": 1}}, 2, {"g": 2, "lambda": 2}),
    "two parameters, one not limited": ({3: {"g": 1}, 4: {"g": 2, "lambda": 1}}, 1, {"g": 3, "lambda": None}),
    "a counterterm": ({4: 1, 2: 1}, 2, 3),
    "a counterterm of its own": ({4: {"lambda": 1}, 2: {"m": 1}}, 2, {"lambda": 2, "m": 2}),
    "sources": ({3: {"g": 1}, 1: {"J": 1}}, 1, {"g": 2, "J": 3}),
    "sources limited by the Euler relation": ({3: 1, 1: 0}, 2, 2),
    "sources of negative weight": ({4: {"a": 1}, 1: {"a": 0, "b": -1}}, 0, {"a": 2, "b": 3}),
    "kinds": ({4: {"lambda": 1}, (4, CORRELATOR): {"N": 1}}, 2, {"lambda": 2, "N": 1}),
    "kinds and counterterms": (
        {4: {"lambda": 1}, 2: {"lambda": 1}, (4, CORRELATOR): {"N": 1}, (6, CORRELATOR): {"N": 2}},
        2,
        {"lambda": 1, "N": 2},
    ),
    "kinds, three legs": ({3: {"g": 1}, (3, CORRELATOR): {"N": Fraction(1, 2)}}, 3, {"g": 2, "N": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_weights_of_the_zero_dimensional_theory(name):
    weights, legs, order = CASES[name]
    found = diagrams_to_order(weights, legs=legs, order=order)
    assert {power: ds.labelled_weight() for power, ds in found.items()} == expected_weights(weights, legs, order)
    assert all(d.is_connected and d.n_legs == legs for ds in found.values() for d in ds[:50])


@pytest.mark.parametrize(
    ("weights", "legs", "order"),
    [({4: 1}, 2, 2), ({4: 1}, 4, 1), ({3: 1, 2: 1}, 2, 2), ({3: {"g": 1}, 1: {"J": 1}}, 1, {"g": 2, "J": 2})],
)
def test_disconnected_diagrams_of_the_zero_dimensional_theory(weights, legs, order):
    found = diagrams_to_order(weights, legs=legs, order=order, connected=False)
    expected = expected_weights(weights, legs, order, connected=False)
    assert {power: ds.total_weight() for power, ds in found.items()} == expected


def test_wrong_weights_would_be_noticed():
    weights, legs, order = CASES["a counterterm"]
    found = {power: ds.labelled_weight() for power, ds in diagrams_to_order(weights, legs=legs, order=order).items()}
    assert found != expected_weights({4: 1, 2: 2}, legs, order)
    assert found != expected_weights({4: 1}, legs, order)
    assert found != expected_weights(weights, legs, order, connected=False)


# --- brute force ----------------------------------------------------------------------------------------------------


def contractions(half_edges):
    """Iterate over all ways to join half-edges in pairs."""
    if not half_edges:
        yield ()
        return
    first, *rest = half_edges
    for i, other in enumerate(rest):
        for pairs in contractions(rest[:i] + rest[i + 1 :]):
            yield ((first, other), *pairs)


def wick(vertices, legs):
    """Return the sum of 1/|Aut| for each connected diagram with these vertices: contractions over n! and v!."""
    owners = list(range(legs)) + [legs + i for i, (v, _) in enumerate(vertices) for _ in range(v)]
    kinds = tuple(kind for _, kind in vertices)
    found = Counter()
    for pairs in contractions(list(range(len(owners)))):
        graph = FeynmanGraph(legs, tuple(tuple(sorted((owners[a], owners[b]))) for a, b in pairs), kinds)
        if graph.is_connected:
            found[graph] += 1
    copies = prod(factorial(n) for n in Counter(vertices).values()) * prod(factorial(v) for v, _ in vertices)
    return {graph: Fraction(n, copies) for graph, n in found.items()}


@pytest.mark.parametrize(
    ("weights", "legs", "order"),
    [
        ({4: {"a": 1}, 2: {"b": 1}}, 2, {"a": 1, "b": 1}),
        ({3: {"a": 1}, 4: {"b": 1}}, 2, {"a": 2, "b": 1}),
        ({3: {"a": 1}, 4: {"b": 1}}, 3, {"a": 1, "b": 1}),
        ({3: {"a": 1}, (3, CORRELATOR): {"b": 1}}, 2, {"a": 1, "b": 1}),
        ({4: {"a": 1}, (4, CORRELATOR): {"b": 1}}, 2, {"a": 1, "b": 1}),
        ({3: {"a": 1}, 1: {"b": 1}}, 1, {"a": 2, "b": 3}),
        ({4: {"a": 1}, (2, CORRELATOR): {"b": 1}, 1: {"c": 1}}, 0, {"a": 1, "b": 1, "c": 2}),
    ],
)
def test_brute_force_contraction(weights, legs, order):
    found = diagrams_to_order(weights, legs=legs, order=order)
    keys = [key if isinstance(key, tuple) else (key, INTERACTION) for key in weights]
    checked = 0
    for counts in product(*(range(n + 1) for n in (3, 3, 3)[: len(keys)])):
        vertices = [key for key, n in zip(keys, counts, strict=True) for _ in range(n)]
        powers = tuple(sum(n * w.get(p, 0) for n, w in zip(counts, weights.values(), strict=True)) for p in order)
        half_edges = legs + sum(v for v, _ in vertices)
        if not vertices or half_edges > 10 or any(x > h for x, h in zip(powers, order.values(), strict=True)):
            continue
        expected = wick(vertices, legs)
        ours = [
            d
            for d in found.get(powers, Diagrams())
            if sorted(zip(d.valences, d.kinds, strict=True)) == sorted(vertices)
        ]
        assert {d: Fraction(1, d.symmetry_factor) for d in ours} == expected
        assert len(ours) == len(expected)
        checked += len(ours)
    assert checked >= 3


# --- other enumerations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"one_particle_irreducible": True},
        {"self_loops": False},
        {"tadpoles": False},
        {"labelled": False},
        {"labelled": False, "one_particle_irreducible": True, "self_loops": False},
    ],
    ids=str,
)
def test_powers_of_one_coupling_are_numbers_of_loops(options):
    found = diagrams_to_order({4: 1}, legs=4, order=3, **options)
    for power, ds in found.items():
        assert ds == enumerate_diagrams(valences=(4,), legs=4, loops=int(power) - 1, **options)
        assert {d.n_vertices for d in ds} == {int(power)}
    assert list(found) == [1, 2, 3] if options.get("one_particle_irreducible") else list(found)[:1] == [1]


@pytest.mark.parametrize("even", [True, False], ids=["even", "odd"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_counting_in_one_over_n_is_the_loop_expansion(n, even):
    """Vertices of r legs of weight r/2 - 1: power n/2 - 1 + L, as in the couplings of the reconstruction."""
    if even and n % 2:
        assert diagrams_to_order(EVEN_N_COUNTING, legs=n, order=3) == {}
        return
    weights = {(r, CORRELATOR): w for r, w in (EVEN_N_COUNTING if even else N_COUNTING).items()}
    loops = 2 if n < 3 else 1
    found = diagrams_to_order(weights, legs=n, order=Fraction(n, 2) - 1 + loops, labelled=False)
    bare = found.pop(0, None) if n == 2 else None
    assert (bare is not None) == (n == 2)
    for power, ds in found.items():
        loop = int(power - Fraction(n, 2) + 1)
        assert ds == coupling_diagrams(n, loop, even=even)
        assert all(set(d.kinds) == {CORRELATOR} for d in ds)
    assert len(found) == sum(len(coupling_diagrams(n, k, even=even)) > 0 for k in range(loops + 1))


def test_both_expansions_at_once_have_the_diagrams_of_each():
    weights = {4: {"lambda": 1}, (4, CORRELATOR): {"1/N": 1}, (6, CORRELATOR): {"1/N": 2}}
    found = diagrams_to_order(weights, legs=2, order={"lambda": 1, "1/N": 2})
    assert found[1, 0] == enumerate_diagrams(valences=(4,), legs=2, loops=1)
    expected = [
        d.with_kind(CORRELATOR)
        for loops in (1, 2)
        for d in enumerate_diagrams(valences=(4, 6), legs=2, loops=loops)
        if sum(r // 2 - 1 for r in d.valences) == 2
    ]
    assert Counter(found[0, 2]) == Counter(expected)
    assert {kind for d in found[1, 1] for kind in d.kinds} == {INTERACTION, CORRELATOR}


def test_mass_counterterms_are_chains():
    found = diagrams_to_order({2: 1}, legs=2, order=4)
    assert [(len(ds), ds.total_weight()) for ds in found.values()] == [(1, 1)] * 5
    loops = diagrams_to_order({2: 1}, legs=0, order=4)  # -1/2 log(1 - m^2): closed chains
    assert {int(p): ds.total_weight() for p, ds in loops.items()} == {k: Fraction(1, 2 * k) for k in range(1, 5)}


def test_options_of_the_general_generator():
    weights, order = {4: 1, 2: 1}, 3
    everything = diagrams_to_order(weights, legs=2, order=order)
    chosen = diagrams_to_order(weights, legs=2, order=order, one_particle_irreducible=True, self_loops=False)
    for power, ds in everything.items():
        expected = ds.filter(lambda d: d.is_one_particle_irreducible and not d.n_self_loops)
        assert chosen.get(power, Diagrams()) == expected


@pytest.mark.parametrize(
    ("option", "predicate"),
    [("tadpoles", lambda d: not d.has_tadpole), ("self_loops", lambda d: not d.n_self_loops)],
)
def test_filters_of_the_general_generator(option, predicate):
    weights, order = {3: {"g": 1}, (4, CORRELATOR): {"1/N": 1}, 2: {"m": 1}}, {"g": 2, "1/N": 1, "m": 1}
    everything = diagrams_to_order(weights, legs=2, order=order)
    chosen = diagrams_to_order(weights, legs=2, order=order, **{option: False})
    assert 0 < sum(map(len, chosen.values())) < sum(map(len, everything.values()))
    for power, ds in everything.items():
        assert chosen.get(power, Diagrams()) == ds.filter(predicate)


@pytest.mark.parametrize("name", ["a counterterm", "sources", "kinds", "kinds, three legs", "two parameters"])
def test_exchangeable_legs(name):
    weights, legs, order = CASES[name]
    labelled = diagrams_to_order(weights, legs=legs, order=order)
    free = diagrams_to_order(weights, legs=legs, order=order, labelled=False)
    assert list(labelled) == list(free)
    for power, ds in free.items():
        assert ds.labelled_weight() == labelled[power].total_weight()
        assert sum(d.multiplicity for d in ds) == len(labelled[power])
        assert set(ds) == {d.with_exchangeable_legs() for d in labelled[power]}


def test_concatenation_and_order_of_powers():
    found = diagrams_to_order({3: {"g": 1}, 4: {"lambda": 1}}, legs=2, order={"g": 2, "lambda": 2})
    assert list(found) == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)]
    assert len(concatenate(found)) == sum(map(len, found.values()))
    assert Counter(concatenate(found)) == Counter(d for ds in found.values() for d in ds)
    assert concatenate({}) == Diagrams()


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "legs", "order", "culprits"),
    [
        ({4: 1, 2: 0}, 2, 3, r"\[\(2, 'interaction'\)\]"),
        ({4: 0}, 2, 3, r"\[\(4, 'interaction'\)\]"),
        ({4: {"a": 1}, (6, CORRELATOR): {"b": 1}}, 2, {"a": 1, "b": None}, r"\[\(6, 'correlator'\)\]"),
        ({4: 1, 3: -1}, 2, 3, r"\[\(4, 'interaction'\), \(3, 'interaction'\)\]"),
        ({4: {"a": 1}, 1: {"b": 1}}, 0, {"a": None, "b": None}, r"\[\(4, .*\(1, .*\]"),
    ],
)
def test_infinite_sets_name_the_vertices_responsible(weights, legs, order, culprits):
    with pytest.raises(ValueError, match=f"infinitely many diagrams: .* vertices {culprits}"):
        diagrams_to_order(weights, legs=legs, order=order)


@pytest.mark.parametrize(
    ("weights", "order", "error", "text"),
    [
        ({}, 1, ValueError, "weights is empty"),
        ({0: 1}, 1, ValueError, "at least one half-edge, got 0"),
        ({"4": 1}, 1, TypeError, "valence such as 4 .* got '4'"),
        ({True: 1}, 1, TypeError, "got True"),
        ({(4, "blob"): 1}, 1, ValueError, "unknown vertex kind 'blob'"),
        ({4: 0.5}, 1, TypeError, r"weight of vertex \(4, 'interaction'\) must be an exact number .* got 0.5"),
        ({4: 1}, 1.0, TypeError, "order must be an exact number"),
        ({4: 1}, {"g": 1}, ValueError, r"weight of vertex \(4, 'interaction'\) must be {parameter: power}"),
        ({4: {"g": 1}}, 1, ValueError, "give order={parameter: highest}"),
        ({4: {"g": 1}}, {"h": 1}, ValueError, r"does not name the parameters \['g'\]"),
        ({4: {"g": 1}}, {"g": 1, "h": 1}, ValueError, r"no vertex has a weight in \['h'\]"),
        ({4: 1, (4, INTERACTION): 1}, 1, ValueError, "given twice"),
    ],
)
def test_bad_weights_and_orders(weights, order, error, text):
    with pytest.raises(error, match=text):
        diagrams_to_order(weights, legs=2, order=order)


def test_bad_options():
    with pytest.raises(TypeError, match=r"unknown options \['irreducible'\]; allowed: .*'one_particle_irreducible'"):
        diagrams_to_order({4: 1}, legs=2, order=1, irreducible=True)
    with pytest.raises(TypeError, match=r"unknown options \['loops'\]"):
        diagrams_to_order({4: 1}, legs=2, order=1, loops=2)
    with pytest.raises(ValueError, match="legs"):
        diagrams_to_order({4: 1}, legs=-1, order=1)
    with pytest.raises(MemoryError, match="max_graphs=2"):
        diagrams_to_order({4: 1}, legs=4, order=3, max_graphs=2)


def test_no_diagrams_is_an_empty_mapping():
    assert diagrams_to_order({4: 1}, legs=3, order=3) == {}
    assert diagrams_to_order({4: 1}, legs=2, order=-1) == {}
    assert diagrams_to_order({4: 1}, legs=0, order=0) == {}


# --- the numbers of vertices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_lists_of_vertices_by_trying_all(seed):
    """Random weights, also negative ones: the limits from elimination never leave out a list."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for _ in range(20):
        size = int(rng.integers(1, 4))
        vertices = tuple((int(v), INTERACTION) for v in rng.integers(1, 6, size))
        weights = tuple(tuple(Fraction(int(w)) for w in rng.integers(-1, 3, 2)) for _ in range(size))
        problem = WeightedVertices(vertices, weights, (Fraction(3), Fraction(2)), int(rng.integers(0, 4)), True)
        try:
            found = problem.counts()
        except ValueError:
            continue
        top = max((max(n) for n in found), default=0) + 3
        expected = []
        for counts in product(range(top + 1), repeat=size):
            half_edges = problem.legs + sum(n * v for n, (v, _) in zip(counts, vertices, strict=True))
            loops = 1 + Fraction(sum(n * (v - 2) for n, (v, _) in zip(counts, vertices, strict=True)) - problem.legs, 2)
            powers = problem.powers(counts)
            if (
                half_edges % 2 == 0
                and loops >= 0
                and powers[0] <= 3
                and powers[1] <= 2
                and (any(counts) or problem.legs == 2)
            ):
                expected.append(counts)
        assert sorted(found) == sorted(expected)


def test_limits_that_only_two_parameters_together_give():
    weights = ((Fraction(1), Fraction(-1)), (Fraction(-1), Fraction(2)))
    problem = WeightedVertices(((4, INTERACTION), (6, INTERACTION)), weights, (Fraction(2), Fraction(3)), 0, False)
    assert max(n for _, n in problem.counts()) == 5  # the sum of the inequalities
    assert all(a - b <= 2 and 2 * b - a <= 3 for a, b in problem.counts())
