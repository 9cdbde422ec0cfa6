"""Enumeration against all Wick contractions."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations
from math import factorial, prod

import networkx as nx
import pytest

from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams

MAX_ENDS = 12  # half-edges, external legs included, that are paired by brute force


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
