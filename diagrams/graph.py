"""FeynmanGraph: one Feynman diagram as a frozen, canonical, hashable value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import factorial, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diagrams._canonical import canonical_order
from diagrams._legs import leg_owners
from diagrams._permutations import coset_representatives, group_elements

if TYPE_CHECKING:
    import networkx as nx

    from diagrams.topology import MomentumRouting, Subgraph

INTERACTION = "interaction"
CORRELATOR = "correlator"
KINDS = (INTERACTION, CORRELATOR)

Edge = tuple[int, int]


class Automorphisms(NamedTuple):
    """Node permutations that keep a graph: how many, and generators as images of the nodes."""

    order: int
    generators: list[list[int]]


@dataclass(frozen=True, order=True)
class FeynmanGraph:
    """A Feynman diagram: external legs, vertices and the lines between them.

    Nodes ``0 .. n_legs - 1`` are the ends of external legs, the following ones are vertices. The constructor
    puts the vertices into canonical order, so two graphs are equal (and hash alike) exactly when they are
    isomorphic with every labelled leg in its place; with exchangeable legs, when they are isomorphic at all.

    Parameters
    ----------
    n_legs : int
        Number of external legs.
    edges : tuple of (int, int)
        The lines; repeat a pair for a multiple line, ``(v, v)`` is a self-loop. An external leg is a line from a
        leg node; a line between two leg nodes is a bare propagator.
    kinds : tuple of str, optional
        ``"interaction"`` (default) or ``"correlator"`` for each vertex.
    fields : tuple of str, optional
        Name of the field on each line; default one real field for all of them.
    directed : tuple of str, optional
        Names of the complex fields, whose lines point from the first node of an edge to the second.
    labelled : bool, optional
        False for exchangeable legs: the symmetry factor then counts permutations of legs too.

    Raises
    ------
    ValueError
        If the nodes are not contiguous, a leg does not end in exactly one line, or the lengths disagree.

    Examples
    --------
    >>> sunset = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1)))
    >>> sunset.n_loops, sunset.symmetry_factor, sunset.valences
    (2, 6, (4, 4))
    """

    n_legs: int
    edges: tuple[Edge, ...]
    kinds: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    directed: tuple[str, ...] = ()
    labelled: bool = True
    _automorphisms: Automorphisms = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_nodes(self.n_legs, self.edges)
        n_nodes = max((max(e) for e in self.edges), default=self.n_legs - 1) + 1
        n_vertices = n_nodes - self.n_legs
        kinds = self.kinds or (INTERACTION,) * n_vertices
        fields = self.fields or ("",) * len(self.edges)
        self._validate(n_nodes, kinds, fields)
        matrix = _line_matrix(n_nodes, self.edges, fields, frozenset(self.directed))
        legs = [(0, i if self.labelled else 0, "") for i in range(self.n_legs)]
        colours = legs + [(1, len(matrix[self.n_legs + v][self.n_legs + v]), k) for v, k in enumerate(kinds)]
        canonical = canonical_order(colours, matrix)
        place = {node: i for i, node in enumerate(canonical.order)}
        lines = sorted(
            (_orient(place[u], place[v], f in self.directed), f) for (u, v), f in zip(self.edges, fields, strict=True)
        )
        object.__setattr__(self, "edges", tuple(e for e, _ in lines))
        object.__setattr__(self, "fields", tuple(f for _, f in lines) if any(fields) else ())
        ordered = tuple(kinds[node - self.n_legs] for node in canonical.order if node >= self.n_legs)
        object.__setattr__(self, "kinds", ordered)
        object.__setattr__(self, "directed", tuple(sorted(set(self.directed))))
        generators = [[place[g[node]] for node in canonical.order] for g in canonical.generators]
        object.__setattr__(self, "_automorphisms", Automorphisms(canonical.n_automorphisms, generators))

    def _validate(self, n_nodes: int, kinds: tuple[str, ...], fields: tuple[str, ...]) -> None:
        if self.n_legs < 0:
            raise ValueError(f"n_legs must be >= 0, got {self.n_legs}")
        if n_nodes == 0 or not self.edges:
            raise ValueError("a Feynman graph needs at least one line")
        ends = Counter(node for edge in self.edges for node in edge)
        missing = [node for node in range(n_nodes) if not ends[node]]
        if missing:
            raise ValueError(
                f"nodes must be 0 .. {n_nodes - 1} and each must carry a line; without one: {missing}. "
                "Number the leg ends first, then the vertices."
            )
        dangling = [leg for leg in range(self.n_legs) if ends[leg] != 1]
        if dangling:
            raise ValueError(f"each external leg ends exactly one line; leg(s) {dangling} do not")
        if len(kinds) != n_nodes - self.n_legs:
            raise ValueError(f"kinds has {len(kinds)} entries for {n_nodes - self.n_legs} vertices")
        unknown = sorted(set(kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"unknown vertex kind(s) {unknown}; allowed: {list(KINDS)}")
        if len(fields) != len(self.edges):
            raise ValueError(f"fields has {len(fields)} entries for {len(self.edges)} lines")
        if not set(self.directed) <= set(fields):
            raise ValueError(
                f"directed must hold names of fields on the lines {sorted(set(fields))}, got {self.directed!r}"
            )

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.kinds)

    @property
    def vertices(self) -> range:
        """The node numbers of the vertices."""
        return range(self.n_legs, self.n_legs + self.n_vertices)

    @cached_property
    def valences(self) -> tuple[int, ...]:
        """Number of half-edges at each vertex, in canonical order."""
        ends = Counter(node for edge in self.edges for node in edge)
        return tuple(ends[v] for v in self.vertices)

    @property
    def internal_edges(self) -> tuple[Edge, ...]:
        """The lines between two vertices (self-loops included)."""
        return tuple(e for e in self.edges if min(e) >= self.n_legs)

    @property
    def external_edges(self) -> tuple[Edge, ...]:
        """The lines that end at an external leg."""
        return tuple(e for e in self.edges if min(e) < self.n_legs)

    @cached_property
    def n_components(self) -> int:
        """Number of connected components."""
        return len(_components(self.n_legs + self.n_vertices, self.edges))

    @property
    def is_connected(self) -> bool:
        """True if the graph hangs together."""
        return self.n_components == 1

    @property
    def n_loops(self) -> int:
        """Number of independent cycles, lines - nodes + components."""
        return len(self.edges) - self.n_legs - self.n_vertices + self.n_components

    @property
    def n_self_loops(self) -> int:
        """Number of lines that begin and end at one vertex."""
        return sum(u == v for u, v in self.edges)

    @cached_property
    def symmetry_factor(self) -> int:
        """Order of the automorphism group; labelled legs stay fixed, exchangeable ones may be permuted.

        Permutations of vertices, times exchanges of parallel lines, times flips and exchanges of self-loops
        (a directed self-loop cannot be flipped).
        """
        lines = Counter(zip(self.edges, self.fields or ("",) * len(self.edges), strict=True))
        local = prod(
            factorial(m) * (2**m if u == v and f not in self.directed else 1) for ((u, v), f), m in lines.items()
        )
        return local * self._automorphisms.order

    @cached_property
    def multiplicity(self) -> int:
        """Number of distinct labelled diagrams that this one stands for (1 if its legs are labelled)."""
        if self.labelled:
            return 1
        fixed = FeynmanGraph(self.n_legs, self.edges, self.kinds, self.fields, self.directed)
        ways = prod(factorial(n) for n in Counter(self._leg_types).values())
        return ways * fixed.symmetry_factor // self.symmetry_factor

    @cached_property
    def _leg_types(self) -> tuple[tuple[str, int], ...]:
        """Field of each leg, and which end of a directed line it is: legs of one type can change places."""
        types = [("", 0)] * self.n_legs
        for i, edge in enumerate(self.edges):
            field = self.fields[i] if self.fields else ""
            for end, node in enumerate(edge):
                if node < self.n_legs:
                    types[node] = (field, end if field in self.directed else 0)
        return tuple(types)

    @cached_property
    def has_bridge(self) -> bool:
        """True if cutting one internal line would disconnect its component (one-particle reducible)."""
        return any(True for _ in self._bridges())

    @property
    def is_one_particle_irreducible(self) -> bool:
        """True if the graph is connected, has a vertex, and no internal line disconnects it when cut."""
        return self.is_connected and self.n_vertices > 0 and not self.has_bridge

    @property
    def one_particle_irreducible(self) -> bool:
        """The same as :attr:`is_one_particle_irreducible`, by the name of the option that asks for it.

        Examples
        --------
        >>> FeynmanGraph.from_nickel("ee11|ee|").one_particle_irreducible
        True
        """
        return self.is_one_particle_irreducible

    @cached_property
    def has_tadpole(self) -> bool:
        """True if cutting one internal line would split off a part without external legs."""
        n_nodes = self.n_legs + self.n_vertices
        for bridge in self._bridges():
            rest = list(self.edges)
            rest.remove(bridge)
            before = next(c for c in _components(n_nodes, self.edges) if bridge[0] in c)
            parts = [c for c in _components(n_nodes, rest) if c <= before]
            if any(min(c) >= self.n_legs for c in parts):
                return True
        return False

    def _bridges(self) -> Iterator[Edge]:
        n_nodes = self.n_legs + self.n_vertices
        for edge in sorted(set(self.internal_edges)):
            if edge[0] != edge[1] and self.edges.count(edge) == 1:
                rest = [e for e in self.edges if e != edge]
                if len(_components(n_nodes, rest)) > self.n_components:
                    yield edge

    @property
    def graph(self) -> nx.MultiGraph:
        """The diagram as a new :class:`networkx.MultiGraph` (a MultiDiGraph if a field is directed).

        Nodes ``x1, x2, ...`` are legs (``kind="leg"``), nodes ``1, 2, ...`` vertices with ``kind`` and
        ``valence``; edges carry ``field`` and ``external``.
        """
        import networkx as nx

        graph = nx.MultiDiGraph() if self.directed else nx.MultiGraph()
        names = [f"x{i + 1}" for i in range(self.n_legs)] + list(range(1, self.n_vertices + 1))
        graph.add_nodes_from((names[i], {"kind": "leg", "label": i + 1}) for i in range(self.n_legs))
        for v, kind, valence in zip(self.vertices, self.kinds, self.valences, strict=True):
            graph.add_node(names[v], kind=kind, valence=valence)
        for (u, v), f in zip(self.edges, self.fields or ("",) * len(self.edges), strict=True):
            arrow = {"directed": f in self.directed} if self.directed else {}
            graph.add_edge(names[u], names[v], field=f, external=min(u, v) < self.n_legs, **arrow)
        return graph

    def with_exchangeable_legs(self) -> FeynmanGraph:
        """Return the same diagram with legs that may be permuted."""
        return FeynmanGraph(self.n_legs, self.edges, self.kinds, self.fields, self.directed, labelled=False)

    def labelled_versions(self) -> tuple[tuple[int, ...], ...]:
        """Return one leg permutation for each distinct labelled diagram behind exchangeable legs.

        A permutation ``p`` puts label ``p[i]`` on leg node ``i``; legs of different fields keep their labels apart.
        """
        types = self._leg_types
        if len(set(types)) > 1:
            found = coset_representatives(self.n_legs, [g[: self.n_legs] for g in self._automorphisms.generators])
            return tuple(p for p in found if all(types[i] == types[j] for i, j in enumerate(p)))
        if not self.n_legs or any(max(edge) < self.n_legs for edge in self.edges):  # no legs, or legs joined to legs
            return coset_representatives(self.n_legs, [g[: self.n_legs] for g in self._automorphisms.generators])
        owner = {min(edge): max(edge) for edge in self.external_edges}
        carriers = sorted(set(owner.values()))
        nodes = [[leg for leg in range(self.n_legs) if owner[leg] == v] for v in carriers]
        place = {v: i for i, v in enumerate(carriers)}
        images = [[place[g[v]] for v in carriers] for g in self._automorphisms.generators]
        group = np.array(sorted(group_elements(len(carriers), images)), np.uint8)
        owners = leg_owners(np.array([len(legs) for legs in nodes], np.int64), group)
        order = np.array([leg for legs in nodes for leg in legs])
        permutations = np.empty_like(owners, dtype=np.intp)
        # the labels of one vertex go to its leg nodes in increasing order
        permutations[:, order] = np.argsort(owners, axis=1, kind="stable")
        return tuple(map(tuple, permutations.tolist()))

    def relabel_legs(self, permutation: Sequence[int]) -> FeynmanGraph:
        """Return the labelled diagram whose leg node ``i`` carries the label ``permutation[i]``."""
        if sorted(permutation) != list(range(self.n_legs)):
            raise ValueError(f"a leg permutation holds each of 0 .. {self.n_legs - 1} once, got {tuple(permutation)}")
        move = list(permutation) + list(self.vertices)
        edges = tuple((move[u], move[v]) for u, v in self.edges)
        return FeynmanGraph(self.n_legs, edges, self.kinds, self.fields, self.directed)

    def with_kind(self, kind: str) -> FeynmanGraph:
        """Return the same diagram with every vertex of one kind."""
        kinds = (kind,) * self.n_vertices
        return FeynmanGraph(self.n_legs, self.edges, kinds, self.fields, self.directed, self.labelled)

    def __reduce__(self) -> tuple[Any, ...]:
        return FeynmanGraph, (self.n_legs, self.edges, self.kinds, self.fields, self.directed, self.labelled)

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph, *, legs: Sequence[Hashable] | None = None, labelled: bool = True
    ) -> FeynmanGraph:
        """Return a diagram from a networkx graph; see :func:`diagrams.nickel.from_networkx`."""
        from diagrams.nickel import from_networkx

        return from_networkx(graph, legs=legs, labelled=labelled)

    @classmethod
    def from_nickel(cls, text: str) -> FeynmanGraph:
        """Return the diagram with a Nickel index, its legs exchangeable; see :func:`diagrams.nickel.from_nickel`."""
        from diagrams.nickel import from_nickel

        return from_nickel(text)

    @cached_property
    def nickel_index(self) -> str:
        """The Nickel index, which knows the shape of a diagram but not its leg labels, fields or kinds."""
        from diagrams.nickel import nickel_index

        return nickel_index(self)

    def to_dot(self) -> str:
        """Return Graphviz source of the diagram."""
        from diagrams.nickel import to_dot

        return to_dot(self)

    def loop_momentum_basis(self) -> MomentumRouting:
        """Return loop momenta and the momentum of every line; see :func:`diagrams.topology.loop_momentum_basis`."""
        from diagrams.topology import loop_momentum_basis

        return loop_momentum_basis(self)

    def subdivergences(self, *, dimension: int = 4) -> tuple[Subgraph, ...]:
        """Return the divergent 1PI proper subgraphs; see :func:`diagrams.topology.subdivergences`."""
        from diagrams.topology import subdivergences

        return subdivergences(self, dimension=dimension)

    @property
    def is_planar(self) -> bool:
        """True if the diagram can be drawn without crossings, its legs running outwards."""
        from diagrams.topology import is_planar

        return is_planar(self)

    def to_tikz(self) -> str:
        """Return a plain TikZ picture of the diagram."""
        from diagrams.draw import to_tikz

        return to_tikz(self)

    def plot(self, ax: Any | None = None) -> Any:
        """Draw the diagram on matplotlib axes (default: of a new figure) and return them."""
        from diagrams.axes import plot_diagram

        return plot_diagram(self, ax)

    def _repr_svg_(self) -> str:
        from diagrams.draw import to_svg

        return to_svg(self)

    def __str__(self) -> str:
        lines = Counter(self.edges)
        names = [f"x{i + 1}" for i in range(self.n_legs)] + [str(i + 1) for i in range(self.n_vertices)]
        shown = " ".join(f"{names[u]}-{names[v]}" + (f"*{m}" if m > 1 else "") for (u, v), m in lines.items())
        return f"[{shown}] loops={self.n_loops} symmetry={self.symmetry_factor}"


def _check_nodes(n_legs: int, edges: Sequence[Edge]) -> None:
    for value in (n_legs, *(node for edge in edges for node in edge)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"nodes and n_legs must be integers, got {value!r}")
    wrong = [tuple(edge) for edge in edges if len(edge) != 2 or min(edge) < 0]
    if wrong:
        raise ValueError(f"an edge is a pair of nodes numbered from 0, got {wrong}")


def _orient(u: int, v: int, directed: bool) -> Edge:
    return (u, v) if directed or u <= v else (v, u)


def _line_matrix(
    n_nodes: int, edges: Sequence[Edge], fields: Sequence[str], directed: frozenset[str]
) -> list[list[tuple[Any, ...]]]:
    """Return the sorted (field, direction) labels of the lines between every two nodes."""
    lines: Mapping[Edge, list[tuple[str, int]]] = {}
    lines = {(u, v): [] for edge in edges for u, v in (edge, edge[::-1])}
    for (u, v), f in zip(edges, fields, strict=True):
        arrow = f in directed
        lines[u, v].append((f, 1 if arrow else 0))
        if u != v:
            lines[v, u].append((f, -1 if arrow else 0))
    return [[tuple(sorted(lines.get((u, v), ()))) for v in range(n_nodes)] for u in range(n_nodes)]


def _components(n_nodes: int, edges: Sequence[Edge]) -> list[set[int]]:
    parts = {node: {node} for node in range(n_nodes)}
    for u, v in edges:
        if parts[u] is not parts[v]:
            small, large = sorted((parts[u], parts[v]), key=len)
            large |= small
            for node in small:
                parts[node] = large
    return list({id(p): p for p in parts.values()}.values())
