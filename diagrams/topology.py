"""What the shape of a diagram tells: reducibility, planarity, divergent subgraphs and the routing of momenta."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import sympy

from diagrams.graph import Edge, FeynmanGraph, _components
from diagrams.symbols import symbol
from diagrams.typing import Expr


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
    inner = _internal_lines(graph)
    return all(_is_joined(graph, {a, b}) for i, a in enumerate(inner) for b in inner[:i])


def is_planar(graph: FeynmanGraph) -> bool:
    """Return True if the diagram can be drawn without crossings with all legs reaching one point at infinity.

    The order of the legs around the diagram is free. Parallel lines and self-loops never hinder.

    Examples
    --------
    >>> is_planar(FeynmanGraph(4, ((0, 4), (1, 5), (2, 6), (3, 7), (4, 5), (5, 6), (6, 7), (7, 4))))
    True
    """
    infinity = -1
    joined = nx.Graph((infinity if u < graph.n_legs else u, v) for u, v in (sorted(e) for e in graph.edges))
    return bool(nx.check_planarity(joined)[0])


def has_leg_correction(graph: FeynmanGraph) -> bool:
    """Return True if an external leg carries a self-energy insertion (QGRAF: ``onshell`` excludes these).

    That is an internal line that, when cut, splits off exactly one leg from one or more others: its momentum is
    the momentum of that leg. Amputated diagrams have none. A line that splits off no leg is a tadpole instead,
    see :attr:`FeynmanGraph.has_tadpole` (QGRAF: ``notadpole``).

    Examples
    --------
    >>> has_leg_correction(FeynmanGraph(3, ((0, 3), (3, 4), (3, 4), (4, 5), (1, 5), (2, 5))))
    True
    """
    for line in _internal_lines(graph):
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
    whole = frozenset(_internal_lines(graph))
    found = (_subgraph(graph, lines, dimension) for lines in _bridgeless_subgraphs(graph) - {whole})
    return tuple(sorted((s for s in found if s.degree >= 0), key=lambda s: (s.n_loops, s)))


@dataclass(frozen=True)
class MomentumRouting:
    """Momenta of all lines in terms of loop momenta l_1, ..., l_L and external momenta p_1, ..., p_n.

    All external momenta flow in. In every component the momentum of the last leg is minus the sum of the others,
    so its column of coefficients is zero. The momentum of a line ``(u, v)`` of ``graph.edges`` flows from u to v.

    Parameters
    ----------
    graph : FeynmanGraph
    chords : tuple of int
        The line that carries l_1, the line that carries l_2, ...; the other lines form spanning trees.
    loop_coefficients, external_coefficients : tuple of tuple of int
        One row for each line of ``graph.edges``, one column for each loop momentum or external leg.
    """

    graph: FeynmanGraph
    chords: tuple[int, ...]
    loop_coefficients: tuple[tuple[int, ...], ...]
    external_coefficients: tuple[tuple[int, ...], ...]

    @property
    def tree(self) -> tuple[int, ...]:
        """The lines of the spanning trees."""
        return tuple(i for i in range(len(self.graph.edges)) if i not in self.chords)

    @cached_property
    def momenta(self) -> tuple[Expr, ...]:
        """The momentum of each line as a sympy expression; one symbol stands for a vector."""
        return tuple(sympy.Add(*(c * symbol(f"{x}_{k}") for c, x, k in self._terms(i))) for i in self._rows)

    @cached_property
    def latex(self) -> tuple[str, ...]:
        """The momentum of each line as LaTeX, loop momenta first."""
        return tuple(self._line_latex(i) for i in self._rows)

    @property
    def _rows(self) -> range:
        return range(len(self.graph.edges))

    def _terms(self, line: int) -> list[tuple[int, str, int]]:
        rows = (("l", self.loop_coefficients[line]), ("p", self.external_coefficients[line]))
        return [(c, name, k) for name, row in rows for k, c in enumerate(row, 1) if c]

    def _line_latex(self, line: int) -> str:
        text = " ".join(f"{'-' if c < 0 else '+'} {name}_{{{k}}}" for c, name, k in self._terms(line))
        return text.replace("- ", "-", 1) if text.startswith("-") else text.removeprefix("+ ") or "0"

    def _repr_latex_(self) -> str:
        n = self.graph.n_legs
        names = [f"x_{{{i + 1}}}" if i < n else str(i - n + 1) for i in range(_n_nodes(self.graph))]
        rows = (rf"{names[u]} \to {names[v]}: & {self.latex[i]}" for i, (u, v) in enumerate(self.graph.edges))
        return r"$\displaystyle \begin{array}{rl}" + r" \\ ".join(rows) + r"\end{array}$"


def loop_momentum_basis(graph: FeynmanGraph) -> MomentumRouting:
    """Return a choice of loop momenta, with momentum conserved at every vertex.

    Every component gets a spanning tree of shortest paths to its last leg (to its first vertex if it has no leg),
    and each line outside carries a loop momentum of its own. External momenta thus flow along shortest paths to
    the last leg, and among equally short ones along those already in use; they never touch a chord.

    Examples
    --------
    >>> routing = loop_momentum_basis(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    >>> [(edge, str(p)) for edge, p in zip(routing.graph.edges, routing.momenta)]
    [((0, 2), 'p_1'), ((1, 3), '-p_1'), ((2, 3), '-l_1 - l_2 + p_1'), ((2, 3), 'l_1'), ((2, 3), 'l_2')]
    """
    parents, inwards = _spanning_forest(graph)
    tree = {line for line, _ in parents.values()}
    chords = tuple(i for i in range(len(graph.edges)) if i not in tree)
    L, n = len(chords), graph.n_legs
    load = [[0] * (L + n) for _ in range(_n_nodes(graph))]
    rows = [[0] * (L + n) for _ in graph.edges]
    for leg in range(n):
        load[leg][L + leg] = 1
    for k, line in enumerate(chords):
        tail, head = graph.edges[line]
        load[tail][k] -= 1
        load[head][k] += 1
        rows[line][k] = 1
    for node in inwards:
        line, towards = parents[node]
        sign = 1 if graph.edges[line][0] == node else -1
        rows[line] = [sign * x for x in load[node]]
        load[towards] = [a + b for a, b in zip(load[towards], load[node], strict=True)]
    return MomentumRouting(graph, chords, tuple(tuple(row[:L]) for row in rows), tuple(tuple(row[L:]) for row in rows))


def _spanning_forest(graph: FeynmanGraph) -> tuple[dict[int, tuple[int, int]], list[int]]:
    """Return (line, next node) towards the root for each node but the roots, and these nodes from far to near."""
    around: list[list[Edge]] = [[] for _ in range(_n_nodes(graph))]
    for line, (u, v) in enumerate(graph.edges):
        around[u].append((v, line))
        around[v].append((u, line))
    parents: dict[int, tuple[int, int]] = {}
    inwards: list[int] = []
    for component in _components(_n_nodes(graph), graph.edges):
        root = max((v for v in component if v < graph.n_legs), default=min(component))
        distance = _distances(root, around)
        used = {root}
        for node in sorted(component):  # legs come first: their momenta share lines
            while node not in used:
                nearer = [(w not in used, w, i) for w, i in around[node] if distance[w] < distance[node]]
                _, towards, line = min(nearer)
                parents[node] = line, towards
                used.add(node)
                node = towards
        inwards += sorted(component - {root}, key=lambda v: (-distance[v], v))
    return parents, inwards


def _distances(root: int, around: list[list[Edge]]) -> dict[int, int]:
    distance = {root: 0}
    queue = [root]
    for node in queue:
        for w, _ in around[node]:
            if w not in distance:
                distance[w] = distance[node] + 1
                queue.append(w)
    return distance


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
    inner = [(line, *graph.edges[line]) for line in _internal_lines(graph)]
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


def _internal_pieces(graph: FeynmanGraph, v: int) -> list[set[int]]:
    """Return the parts with a vertex into which removing ``v`` splits its component; a self-loop gives ``{v}``."""
    around = {w for e in graph.edges if v in e for w in e} - {v}
    parts = _components(_n_nodes(graph), [e for e in graph.edges if v not in e])
    pieces = [part for part in parts if part & around and max(part) >= graph.n_legs]
    return pieces + [{v}] * graph.edges.count((v, v))


def _internal_lines(graph: FeynmanGraph) -> list[int]:
    return [i for i, e in enumerate(graph.edges) if min(e) >= graph.n_legs]


def _is_joined(graph: FeynmanGraph, cut: set[int]) -> bool:
    return len(_components(_n_nodes(graph), [e for i, e in enumerate(graph.edges) if i not in cut])) == 1


def _ends(graph: FeynmanGraph, lines: frozenset[int]) -> set[int]:
    return {v for line in lines for v in graph.edges[line]}


def _count_legs(graph: FeynmanGraph, nodes: set[int]) -> int:
    return sum(v < graph.n_legs for v in nodes)


def _n_nodes(graph: FeynmanGraph) -> int:
    return graph.n_legs + graph.n_vertices


def _check_dimension(dimension: int) -> None:
    if isinstance(dimension, bool) or not isinstance(dimension, int):
        raise TypeError(f"dimension must be an integer such as 4, got {dimension!r}")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
