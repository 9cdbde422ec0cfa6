"""Connected graphs with given vertex degrees, vertices of one and two lines included."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

from diagrams._weights import WeightedVertices
from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.series import Exponents

Valences = tuple[int, ...]


def valence_lists(
    vertices: dict[str, tuple[int, Exponents]], legs: int, highest: tuple[int, ...]
) -> dict[int, set[Valences]]:
    """Return, for each number of loops, the degrees of the vertices that connected diagrams through an order can have.

    Parameters
    ----------
    vertices : dict from name to (valence, exponents)
        Every vertex must have a positive power, or there would be infinitely many diagrams.
    legs : int
    highest : tuple of int

    Raises
    ------
    ValueError
        If there are infinitely many.
    """
    found: dict[int, set[Valences]] = {}
    if not vertices:
        return {0: {()}} if legs == 2 else {}
    types = tuple((valence, name) for name, (valence, _) in vertices.items())
    weights = tuple(tuple(Fraction(int(e.p), int(e.q)) for e in key) for _, key in vertices.values())
    problem = WeightedVertices(types, weights, tuple(map(Fraction, highest)), legs, True)
    for counts in problem.counts():
        degrees = sorted(v for (v, _), n in zip(types, counts, strict=True) for _ in range(n))
        found.setdefault(problem.n_loops(counts), set()).add(tuple(degrees))
    return found


@cache
def graphs_with_valences(valences: Valences, legs: int, loops: int, *, labelled: bool) -> tuple[FeynmanGraph, ...]:
    """Return the connected graphs with the vertex degrees given, those of degree one and two included.

    A vertex of degree one closes a leg; vertices of degree two are put on the lines of a graph without them.

    Parameters
    ----------
    valences : tuple of int
        In increasing order.
    legs, loops : int
    labelled : bool
        Labelled or exchangeable legs.

    Examples
    --------
    >>> [g.symmetry_factor for g in graphs_with_valences((2, 4), 2, 1, labelled=True)]
    [2, 2, 2]
    """
    ones, twos = valences.count(1), valences.count(2)
    large = tuple(v for v in valences if v > 2)
    level = set(_skeletons(large, legs, ones, loops, labelled))
    if not large and not legs and not ones and twos:  # a ring of vertices of degree two
        level, twos = {FeynmanGraph(0, ((0, 0),), (CORRELATOR,))}, twos - 1
    for _ in range(twos):
        level = {h for g in level for h in _insertions(g)}
    return tuple(sorted(level))


def _skeletons(large: Valences, legs: int, ones: int, loops: int, labelled: bool) -> Iterator[FeynmanGraph]:
    # all legs labelled first when some of them will be closed: enumeration knows of one kind of legs only
    found = enumerated(large, legs + ones, loops, labelled=labelled or ones > 0)
    for graph in found.by_valences().get(large, Diagrams()):
        kinds = (CORRELATOR,) * (graph.n_vertices + ones)
        yield FeynmanGraph(legs, graph.edges, kinds, labelled=labelled) if ones else graph


@cache
def enumerated(valences: Valences, legs: int, loops: int, *, labelled: bool) -> Diagrams:
    """Return the diagrams with vertices of the degrees given (3 and more), as correlators."""
    allowed = tuple(sorted(set(valences))) or (4,)  # a bare line is there whatever is allowed
    return enumerate_diagrams(valences=allowed, legs=legs, loops=loops, labelled=labelled).with_kind(CORRELATOR)


def _insertions(graph: FeynmanGraph) -> Iterator[FeynmanGraph]:
    """Put a vertex of degree two on each line in turn."""
    new = graph.n_legs + graph.n_vertices
    for edge in set(graph.edges):
        edges = list(graph.edges)
        edges.remove(edge)
        kinds = (CORRELATOR,) * (graph.n_vertices + 1)
        yield FeynmanGraph(graph.n_legs, (*edges, (edge[0], new), (new, edge[1])), kinds, labelled=graph.labelled)
