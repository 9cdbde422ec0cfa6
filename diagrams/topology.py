"""What the shape of a diagram tells: reducibility, planarity, divergent subgraphs and the routing of momenta.

:data:`FILTERS` lists the properties that diagrams are selected by, with the names that QGRAF gives to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter

from diagrams._divergences import Subgraph, internal_lines, subdivergences, superficial_degree
from diagrams._routing import MomentumRouting, loop_momentum_basis
from diagrams.graph import Edge, FeynmanGraph, _components

__all__ = [
    "FILTERS",
    "Filter",
    "MomentumRouting",
    "Subgraph",
    "articulation_vertices",
    "has_diloop",
    "has_leg_correction",
    "has_parallel_lines",
    "has_self_energy",
    "has_self_loop",
    "has_snail",
    "is_bipartite",
    "is_cycle_irreducible",
    "is_planar",
    "is_simple",
    "is_two_particle_irreducible",
    "is_vertex_two_connected",
    "loop_momentum_basis",
    "qgraf_filter",
    "subdivergences",
    "superficial_degree",
]


def articulation_vertices(graph: FeynmanGraph) -> tuple[int, ...]:
    """Return the vertices at which the amputated diagram (vertices and internal lines) falls apart.

    These are the vertices shared by several blocks: splitting one separates internal lines that hung together. A
    self-loop is a block of its own, and external legs do not count.

    Examples
    --------
    >>> chain = FeynmanGraph(4, ((0, 4), (1, 4), (4, 5), (4, 5), (5, 6), (5, 6), (6, 2), (6, 3)))
    >>> [chain.valences[v - chain.n_legs] for v in articulation_vertices(chain)]
    [4]
    """
    return tuple(v for v in graph.vertices if len(_internal_pieces(graph, v)) > 1)


def is_vertex_two_connected(graph: FeynmanGraph) -> bool:
    """Return True if the diagram is connected, has a vertex, and has no articulation vertex (QGRAF: ``onevi``).

    As in :func:`articulation_vertices` the legs are amputated, and a single line between two vertices counts as
    one block, so that the answer does not imply one-particle irreducibility.

    Examples
    --------
    >>> is_vertex_two_connected(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    True
    """
    return graph.is_connected and graph.n_vertices > 0 and not articulation_vertices(graph)


def is_two_particle_irreducible(graph: FeynmanGraph) -> bool:
    """Return True if the diagram has a vertex and stays connected when any one or two internal lines are cut.

    Legs count as ends: the one-loop four-point diagram falls into two vertices with legs when both of its lines
    are cut, so it is two-particle reducible.

    Examples
    --------
    >>> is_two_particle_irreducible(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    True
    >>> is_two_particle_irreducible(FeynmanGraph(4, ((0, 4), (1, 4), (4, 5), (4, 5), (5, 2), (5, 3))))
    False
    """
    if not graph.is_one_particle_irreducible:
        return False
    inner = internal_lines(graph)
    return all(_is_joined(graph, {a, b}) for i, a in enumerate(inner) for b in inner[:i])


def is_planar(graph: FeynmanGraph) -> bool:
    """Return True if the diagram can be drawn without crossings with all legs reaching one point at infinity.

    The order of the legs around the diagram is free. Parallel lines and self-loops never hinder.

    Examples
    --------
    >>> is_planar(FeynmanGraph(4, ((0, 4), (1, 5), (2, 6), (3, 7), (4, 5), (5, 6), (6, 7), (7, 4))))
    True
    """
    import networkx as nx

    infinity = -1
    joined = nx.Graph((infinity if u < graph.n_legs else u, v) for u, v in (sorted(e) for e in graph.edges))
    return bool(nx.check_planarity(joined)[0])


def has_leg_correction(graph: FeynmanGraph) -> bool:
    """Return True if an external leg carries a self-energy insertion (QGRAF: ``onshell`` excludes these).

    That is an internal line that, when cut, splits off exactly one leg from one or more others: its momentum is
    the momentum of that leg. Amputated diagrams have none. A line that splits off no leg is a tadpole instead,
    see :attr:`FeynmanGraph.has_tadpole` (QGRAF: ``notadpole``); a one-point diagram has only those.

    Examples
    --------
    >>> has_leg_correction(FeynmanGraph(3, ((0, 3), (3, 4), (3, 4), (4, 5), (1, 5), (2, 5))))
    True
    """
    for line in internal_lines(graph):
        u, v = graph.edges[line]
        rest = [e for i, e in enumerate(graph.edges) if i != line]
        parts = [c for c in _components(_n_nodes(graph), rest) if u in c or v in c]
        counts = sorted(_count_legs(graph, part) for part in parts)
        if len(parts) == 2 and counts[0] == 1:
            return True
    return False


def has_snail(graph: FeynmanGraph) -> bool:
    """Return True if a part without legs hangs on the rest at a single vertex (QGRAF: ``nosnail`` excludes these).

    No external momentum flows through such a part. Self-loops and tadpoles are snails. In a component with one leg
    or none there is no external momentum at all; there the part has to share its vertex with other internal lines,
    so that a diagram of a single block has no snail.

    Examples
    --------
    >>> has_snail(FeynmanGraph(2, ((0, 2), (1, 2), (2, 2))))
    True
    >>> has_snail(FeynmanGraph(1, ((0, 1), (1, 1))))
    False
    """
    n_legs = {v: _count_legs(graph, c) for c in _components(_n_nodes(graph), graph.edges) for v in c}
    for v in graph.vertices:
        pieces = _internal_pieces(graph, v)
        if (n_legs[v] > 1 or len(pieces) > 1) and any(not _count_legs(graph, piece) for piece in pieces):
            return True
    return False


def has_self_energy(graph: FeynmanGraph) -> bool:
    """Return True if a line or a leg carries a self-energy insertion (QGRAF: ``nosigma`` excludes these).

    That is a connected part with a vertex and without leg ends that exactly two lines join to the rest, so that both
    have the same momentum. The two legs of a two-point diagram do not count: what they join is all of it.

    Examples
    --------
    >>> has_self_energy(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    False
    >>> has_self_energy(FeynmanGraph(2, ((0, 2), (1, 2), (2, 3), (2, 3), (3, 3))))
    True
    """
    lines = [i for i, (u, v) in enumerate(graph.edges) if u != v]
    for n, i in enumerate(lines):
        for j in lines[:n]:
            ends = (graph.edges[i], graph.edges[j])
            if all(min(e) < graph.n_legs for e in ends):
                continue
            parts = _components(_n_nodes(graph), [e for k, e in enumerate(graph.edges) if k not in (i, j)])
            if any(min(p) >= graph.n_legs and all(len(p & set(e)) == 1 for e in ends) for p in parts):
                return True
    return False


def has_self_loop(graph: FeynmanGraph) -> bool:
    """Return True if a line begins and ends at one vertex (QGRAF: ``noselfloop`` excludes these)."""
    return graph.n_self_loops > 0


def has_diloop(graph: FeynmanGraph) -> bool:
    """Return True if two different vertices are joined by more than one line (QGRAF: ``nodiloop`` excludes these)."""
    return any(m > 1 and u != v for (u, v), m in Counter(map(_unordered, graph.internal_edges)).items())


def has_parallel_lines(graph: FeynmanGraph) -> bool:
    """Return True if two lines have the same ends; two self-loops at a vertex do (QGRAF: ``noparallel``)."""
    return max(Counter(map(_unordered, graph.internal_edges)).values(), default=0) > 1


def is_simple(graph: FeynmanGraph) -> bool:
    """Return True if no line begins and ends at one vertex and no two lines have the same ends (QGRAF: ``simple``)."""
    return not has_self_loop(graph) and not has_parallel_lines(graph)


def is_bipartite(graph: FeynmanGraph) -> bool:
    """Return True if the vertices can be given two colours so that each line joins both (QGRAF: ``bipart``).

    All cycles then have an even number of lines; a self-loop is a cycle of one line.

    Examples
    --------
    >>> [is_bipartite(FeynmanGraph.from_nickel(text)) for text in ("e111|e|", "12|22||", "ee0|")]
    [True, False, False]
    """
    inner = graph.internal_edges
    copies = 2 * _n_nodes(graph)  # in the double cover, a component is bipartite when it falls into two
    twice = [(2 * u + a, 2 * v + 1 - a) for u, v in inner for a in (0, 1)]
    return all(not {2 * v, 2 * v + 1} <= part for part in _components(copies, twice) for v in graph.vertices)


def is_cycle_irreducible(graph: FeynmanGraph) -> bool:
    """Return True if all cycles lie in one block, or there are none (QGRAF: ``cycli``).

    Then any two lines that lie on cycles lie on a common one. A self-loop is a block of its own. Bridges, leg
    corrections included, do not matter.

    Examples
    --------
    >>> [is_cycle_irreducible(FeynmanGraph.from_nickel(text)) for text in ("ee11|ee|", "ee11|22|ee|", "ee1|22|ee|")]
    [True, False, True]
    """
    import networkx as nx

    lines = Counter(_unordered(e) for e in graph.internal_edges if e[0] != e[1])
    blocks = nx.biconnected_component_edges(nx.Graph(lines.keys()))
    cyclic = [b for b in map(list, blocks) if len(b) > 1 or lines[_unordered(b[0])] > 1]
    return graph.n_self_loops + len(cyclic) <= 1


@dataclass(frozen=True)
class Filter:
    """A property that a diagram is selected by; the object itself is a predicate for :meth:`Diagrams.filter`.

    Parameters
    ----------
    qgraf : str
        Name of the option of QGRAF that selects the same diagrams; empty if it has none.
    opposite : str
        Its option for all other diagrams; empty if it has none.
    option : str
        Argument of :func:`diagrams.enumerate_diagrams` that makes only these diagrams; empty if there is none.
    definition : str
        What is selected.
    predicate : callable
        Function of a diagram.
    wanted : bool
        What the predicate has to return.
    """

    qgraf: str
    opposite: str
    option: str
    definition: str
    predicate: Callable[[FeynmanGraph], bool]
    wanted: bool = True

    def __call__(self, graph: FeynmanGraph) -> bool:
        """Return True if the diagram is selected."""
        return self.predicate(graph) == self.wanted


FILTERS = (
    Filter(
        "onepi",
        "onepr",
        "one_particle_irreducible=True",
        "connected, with a vertex, and still connected when any internal line is cut",
        attrgetter("is_one_particle_irreducible"),
    ),
    Filter(
        "",
        "",
        "two_particle_irreducible=True",
        "1PI, and still connected (vertices with legs included) when any two internal lines are cut",
        is_two_particle_irreducible,
    ),
    Filter(
        "onshell",
        "offshell",
        "amputated=True",
        "no internal line that, when cut, splits off exactly one leg from one or more others",
        has_leg_correction,
        wanted=False,
    ),
    Filter(
        "nosigma",
        "sigma",
        "",
        "no part without legs that exactly two lines join to the rest (a self-energy on a line or a leg)",
        has_self_energy,
        wanted=False,
    ),
    Filter(
        "nosnail",
        "snail",
        "",
        "no part without legs that hangs on the rest at a single vertex (self-loops and tadpoles are such parts)",
        has_snail,
        wanted=False,
    ),
    Filter(
        "notadpole",
        "tadpole",
        "tadpoles=False",
        "no internal line that, when cut, splits off a part without legs",
        attrgetter("has_tadpole"),
        wanted=False,
    ),
    Filter(
        "noselfloop",
        "",
        "self_loops=False",
        "no line that begins and ends at one vertex",
        has_self_loop,
        wanted=False,
    ),
    Filter("nodiloop", "", "", "no two different vertices joined by more than one line", has_diloop, wanted=False),
    Filter(
        "noparallel",
        "",
        "",
        "no two lines with the same ends (nor two self-loops at one vertex)",
        has_parallel_lines,
        wanted=False,
    ),
    Filter("simple", "notsimple", "", "neither self-loops nor two lines with the same ends", is_simple),
    Filter(
        "onevi",
        "onevr",
        "vertex_two_connected=True",
        "connected, with a vertex, and no vertex at which the amputated diagram falls apart",
        is_vertex_two_connected,
    ),
    Filter("bipart", "nonbipart", "", "every cycle has an even number of lines", is_bipartite),
    Filter("cycli", "cyclr", "", "all cycles lie in one block (or there are none)", is_cycle_irreducible),
    Filter(
        "", "", "planar=True", "can be drawn without crossings with all legs reaching one point at infinity", is_planar
    ),
)


def qgraf_filter(name: str) -> Callable[[FeynmanGraph], bool]:
    """Return the predicate for an option of QGRAF, such as ``"nosigma"`` or its opposite ``"sigma"``.

    Raises
    ------
    ValueError
        For a name that is not in :data:`FILTERS`.

    Examples
    --------
    >>> from diagrams import enumerate_diagrams
    >>> ds = enumerate_diagrams(valences=(3,), legs=4, loops=1)
    >>> len(ds), len(ds.filter(qgraf_filter("nosigma")))
    (39, 9)
    """
    for row in FILTERS:
        if name and name == row.qgraf:
            return row
        if name and name == row.opposite:
            return replace(row, qgraf=row.opposite, opposite=row.qgraf, option="", wanted=not row.wanted)
    known = [n for row in FILTERS for n in (row.qgraf, row.opposite) if n]
    raise ValueError(f"unknown filter {name!r}; QGRAF's names for filters of one field are {known}")


def _internal_pieces(graph: FeynmanGraph, v: int) -> list[set[int]]:
    """Return the parts with a vertex into which removing ``v`` splits its component; a self-loop gives ``{v}``."""
    around = {w for e in graph.edges if v in e for w in e} - {v}
    parts = _components(_n_nodes(graph), [e for e in graph.edges if v not in e])
    pieces = [part for part in parts if part & around and max(part) >= graph.n_legs]
    return pieces + [{v}] * graph.edges.count((v, v))


def _is_joined(graph: FeynmanGraph, cut: set[int]) -> bool:
    return len(_components(_n_nodes(graph), [e for i, e in enumerate(graph.edges) if i not in cut])) == 1


def _count_legs(graph: FeynmanGraph, nodes: set[int]) -> int:
    return sum(v < graph.n_legs for v in nodes)


def _n_nodes(graph: FeynmanGraph) -> int:
    return graph.n_legs + graph.n_vertices


def _unordered(edge: Edge) -> Edge:
    return min(edge), max(edge)
