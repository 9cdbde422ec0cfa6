"""Superficial degrees of divergence, and the divergent subgraphs of a diagram."""

from __future__ import annotations

from dataclasses import dataclass

from diagrams.graph import Edge, FeynmanGraph


@dataclass(frozen=True, order=True)
class Subgraph:
    """A one-particle-irreducible part of a diagram.

    Parameters
    ----------
    lines : tuple of int
        Positions of its lines in ``graph.edges``.
    vertices : tuple of int
        The nodes at the ends of these lines.
    n_loops : int
        Number of independent cycles.
    n_legs : int
        Half-edges by which its vertices hold on to the rest of the diagram and to external legs.
    degree : int
        Superficial degree of divergence, dimension * loops - 2 * lines.
    """

    lines: tuple[int, ...]
    vertices: tuple[int, ...]
    n_loops: int
    n_legs: int
    degree: int


def superficial_degree(graph: FeynmanGraph, *, dimension: int = 4) -> int:
    """Return the superficial degree of divergence D L - 2 I of a diagram of scalar fields.

    L counts loops and I internal lines; every line is a scalar propagator and no vertex has derivatives.

    Examples
    --------
    >>> sunset = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1)))
    >>> superficial_degree(sunset), superficial_degree(sunset, dimension=3)
    (2, 0)
    """
    _check_dimension(dimension)
    return dimension * graph.n_loops - 2 * len(graph.internal_edges)


def subdivergences(graph: FeynmanGraph, *, dimension: int = 4) -> tuple[Subgraph, ...]:
    """Return the superficially divergent one-particle-irreducible proper subgraphs of a diagram of scalar fields.

    A subgraph is a set of internal lines with their end vertices; parallel lines are different lines. It counts if
    it is connected, stays so when any of its lines is cut (subgraphs that share one vertex are allowed to form a
    larger one), and has degree D L - 2 I >= 0. The set of all internal lines itself is left out.

    Parameters
    ----------
    graph : FeynmanGraph
    dimension : int
        Dimension D of space.

    Returns
    -------
    tuple of Subgraph
        Ordered by number of loops, then by lines.

    Notes
    -----
    Every bridgeless connected subgraph is a union of simple cycles each of which meets the union of the earlier
    ones (ear decomposition), so unions of cycles are enumerated, not subsets of lines.

    Examples
    --------
    The sunset contains three bubbles, one for each pair of its lines:

    >>> sunset = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1)))
    >>> [(s.lines, s.n_loops, s.degree) for s in subdivergences(sunset)]
    [((2, 3), 1, 0), ((2, 4), 1, 0), ((3, 4), 1, 0)]
    """
    _check_dimension(dimension)
    whole = frozenset(internal_lines(graph))
    found = (_subgraph(graph, lines, dimension) for lines in _bridgeless_subgraphs(graph) - {whole})
    return tuple(sorted((s for s in found if s.degree >= 0), key=lambda s: (s.n_loops, s)))


def _bridgeless_subgraphs(graph: FeynmanGraph) -> set[frozenset[int]]:
    """Return all connected sets of internal lines without bridges."""
    cycles = [(lines, _ends(graph, lines)) for lines in _simple_cycles(graph)]
    found = {lines for lines, _ in cycles}
    queue = sorted(found, key=sorted)
    for lines in queue:
        ends = _ends(graph, lines)
        for cycle, nodes in cycles:
            union = lines | cycle
            if union not in found and not ends.isdisjoint(nodes):
                found.add(union)
                queue.append(union)
    return found


def _simple_cycles(graph: FeynmanGraph) -> list[frozenset[int]]:
    """Return the line sets of all cycles that visit no vertex twice (self-loops and pairs of lines included)."""
    inner = [(line, *graph.edges[line]) for line in internal_lines(graph)]
    found = {frozenset((line,)): None for line, u, v in inner if u == v}
    around: dict[int, list[Edge]] = {v: [] for v in graph.vertices}
    for line, u, v in inner:
        if u != v:
            around[u].append((v, line))
            around[v].append((u, line))

    def walk(start: int, node: int, visited: frozenset[int], lines: frozenset[int]) -> None:
        for w, line in around[node]:
            if w == start and len(lines) > 0 and line not in lines:
                found[lines | {line}] = None
            elif w > start and w not in visited:
                walk(start, w, visited | {w}, lines | {line})

    for start in graph.vertices:
        walk(start, start, frozenset(), frozenset())
    return list(found)


def _subgraph(graph: FeynmanGraph, lines: frozenset[int], dimension: int) -> Subgraph:
    vertices = _ends(graph, lines)
    n_loops = len(lines) - len(vertices) + 1
    n_legs = sum(graph.valences[v - graph.n_legs] for v in vertices) - 2 * len(lines)
    degree = dimension * n_loops - 2 * len(lines)
    return Subgraph(tuple(sorted(lines)), tuple(sorted(vertices)), n_loops, n_legs, degree)


def internal_lines(graph: FeynmanGraph) -> list[int]:
    """Return the positions of the lines between vertices (self-loops included)."""
    return [i for i, e in enumerate(graph.edges) if min(e) >= graph.n_legs]


def _ends(graph: FeynmanGraph, lines: frozenset[int]) -> set[int]:
    return {v for line in lines for v in graph.edges[line]}


def _check_dimension(dimension: int) -> None:
    if isinstance(dimension, bool) or not isinstance(dimension, int):
        raise TypeError(f"dimension must be an integer such as 4, got {dimension!r}")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
