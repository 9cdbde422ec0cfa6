"""Diagrams of several fields as arrays: which half-edge is joined to which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from diagrams import _matings
from diagrams.graph import FeynmanGraph


@dataclass(frozen=True)
class HalfEdgeTable:
    """A model in numbers: types of half-edges, and the vertices as tuples of types.

    Parameters
    ----------
    names : tuple of str
        Half-edge types, ``"psi"`` and ``"psi*"`` for a complex field.
    partner : tuple of int
        The type that each type is joined to: its conjugate, or itself.
    fields : tuple of str
        Field of each type.
    arrows, grassmann, cuttable : tuple of bool
        For each type: its lines are drawn with a direction; it anticommutes; its lines are propagators.
    vertices : tuple of tuple of int
        Types of the half-edges of each vertex of the model.
    kinds : tuple of str
        ``"interaction"`` or ``"correlator"`` for each vertex.
    """

    names: tuple[str, ...]
    partner: tuple[int, ...]
    fields: tuple[str, ...]
    arrows: tuple[bool, ...]
    grassmann: tuple[bool, ...]
    cuttable: tuple[bool, ...]
    vertices: tuple[tuple[int, ...], ...]
    kinds: tuple[str, ...]

    @cached_property
    def is_plain(self) -> bool:
        """True for one field without direction: its name then need not be written on the lines."""
        return len(set(self.fields)) == 1 and not any(self.arrows)

    def count(self, vertex: int, half_edge: int) -> int:
        """Return how many half-edges of one type a vertex has."""
        return self.vertices[vertex].count(half_edge)

    def fermion_partners(self, vertex: int) -> list[int]:
        """Return for each half-edge of a vertex the place of the other one of its bilinear, -1 for a boson."""
        fermions = [i for i, t in enumerate(self.vertices[vertex]) if self.grassmann[t]]
        pairs = dict(zip(fermions[::2], fermions[1::2], strict=True))
        pairs |= {b: a for a, b in pairs.items()}
        return [pairs.get(i, -1) for i in range(len(self.vertices[vertex]))]


@dataclass(frozen=True, eq=False)
class FieldBlock:
    """Diagrams with the same legs and the same list of vertices, as arrays.

    Half-edges are numbered: first one for each leg, then those of each vertex in the order of the model.

    Parameters
    ----------
    table : HalfEdgeTable
    legs : tuple of int
        Half-edge type of each external leg.
    vertices : tuple of int
        Which vertex of the model each vertex is.
    mates : uint8 array (G, number of half-edges)
        The half-edge that each half-edge is joined to.
    symmetry : int64 array (G,)
        Order of the automorphism group, legs fixed.
    kind : str, optional
        One kind for all vertices instead of those of the model.
    labelled : bool, optional
        False for exchangeable legs: those of one type may be permuted.
    exchanged : int64 array (G,), optional
        With exchangeable legs, the number of labelled diagrams behind each member.
    """

    table: HalfEdgeTable
    legs: tuple[int, ...]
    vertices: tuple[int, ...]
    mates: NDArray[np.uint8]
    symmetry: NDArray[np.int64]
    kind: str | None = None
    labelled: bool = True
    exchanged: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.mates)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.mates, self.symmetry) + (() if self.exchanged is None else (self.exchanged,))
        return sum(a.nbytes for a in arrays if 0 not in a.strides)  # a constant takes no memory

    @property
    def multiplicity(self) -> NDArray[np.int64]:
        """Number of labelled diagrams behind each member."""
        return np.ones(len(self), np.int64) if self.exchanged is None else self.exchanged

    @property
    def leg_permutations(self) -> int:
        """Number of ways to number the legs of each type."""
        return prod(map(factorial, Counter(self.legs).values()))

    @property
    def n_legs(self) -> int:
        """Number of external legs."""
        return len(self.legs)

    def valences(self) -> dict[tuple[int, ...], NDArray[np.intp]]:
        """Return the members with each multiset of vertex degrees: all of them have the same."""
        return {tuple(sorted(len(self.table.vertices[m]) for m in self.vertices)): np.arange(len(self))}

    @cached_property
    def types(self) -> NDArray[np.int64]:
        """Type of each half-edge."""
        return np.array([*self.legs, *(t for m in self.vertices for t in self.table.vertices[m])], np.int64)

    @cached_property
    def nodes(self) -> NDArray[np.int64]:
        """Node of each half-edge; leg ends come first."""
        n = len(self.legs)
        sizes = [1] * n + [len(self.table.vertices[m]) for m in self.vertices]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def through(self) -> NDArray[np.int64]:
        """The half-edge on which a fermion line that comes in at a half-edge goes on, -1 for bosons and legs."""
        result = [-1] * len(self.legs)
        for m in self.vertices:
            first = len(result)
            result += [first + p if p >= 0 else -1 for p in self.table.fermion_partners(m)]
        return np.array(result, np.int64)

    @property
    def signs(self) -> NDArray[np.int64]:
        """Sign of each member: -1 for each closed fermion loop, times the order in which the legs are joined.

        Exchangeable legs are taken in the order of the fields of the model, each before its conjugate.
        """
        if not self.labelled and any(n > 1 and self.table.grassmann[t] for t, n in Counter(self.legs).items()):
            raise ValueError(
                "with exchangeable legs the sign is defined only if no two legs of one fermion can change places; "
                "use labelled=True"
            )
        conjugate = np.array([self.table.names[t].endswith("*") for t in self.types], bool)
        fermionic = np.array(self.table.grassmann, bool)[self.types]
        signs = _matings.fermion_signs(self.mates, len(self.legs), self.through, fermionic, conjugate)
        if not self.labelled:
            order = [t for t in self.legs if self.table.grassmann[t]]
            signs = signs * (-1) ** sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
        return signs

    @property
    def cycles(self) -> NDArray[np.int64]:
        """Number of independent cycles of each member."""
        n_components = _matings.component_counts(self.mates, self.nodes)
        return np.asarray(self.mates.shape[1] // 2 - (int(self.nodes[-1]) + 1) + n_components)

    def graph(self, index: int) -> FeynmanGraph:
        """Make one member as a FeynmanGraph."""
        table = self.table
        types, nodes = self.types.tolist(), self.nodes.tolist()
        edges, fields = [], []
        for h, g in enumerate(self.mates[index].tolist()):
            if h < g:
                tail, head = (h, g) if table.names[types[h]].endswith("*") else (g, h)
                edges.append((nodes[tail], nodes[head]))
                fields.append(table.fields[types[h]])
        directed = {table.fields[t] for t in types if table.arrows[t]}
        kinds = tuple(self.kind or table.kinds[m] for m in self.vertices)
        shown = () if table.is_plain else tuple(fields)
        return FeynmanGraph(len(self.legs), tuple(edges), kinds, shown, tuple(directed), self.labelled)

    def take(self, chosen: NDArray[np.intp]) -> FieldBlock:
        """Return the block with some of its members."""
        exchanged = None if self.exchanged is None else self.exchanged[chosen]
        return replace(self, mates=self.mates[chosen], symmetry=self.symmetry[chosen], exchanged=exchanged)

    def with_kind(self, kind: str) -> FieldBlock:
        """Return the block with every vertex of one kind."""
        return replace(self, kind=kind)

    def without_odd_fermion_loops(self, odd: tuple[int, ...]) -> FieldBlock:
        """Drop members with a fermion loop to which an odd number of half-edges of the types ``odd`` is attached."""
        n_nodes = int(self.nodes[-1]) + 1
        parity = np.zeros(n_nodes, np.int64)
        np.add.at(parity, self.nodes, np.isin(self.types, odd))
        found = _matings.has_odd_fermion_loop(self.mates, len(self.legs), self.through, self.nodes, parity % 2)
        return self.take(np.flatnonzero(~found))

    def without_contracted_self_loops(self) -> FieldBlock:
        """Drop members with a propagator whose ends coincide when the lines that are not propagators shrink."""
        cuttable = np.array(self.table.cuttable, bool)[self.types]
        if cuttable.all():
            return self
        return self.take(np.flatnonzero(~_matings.has_contracted_self_loop(self.mates, self.nodes, cuttable)))


def block_of(table: HalfEdgeTable, graph: FeynmanGraph) -> FieldBlock:
    """Return the block that holds one given diagram; its symmetry factor is not computed again.

    Raises
    ------
    ValueError
        If the diagram has lines or vertices that the model does not have.
    """
    fields = graph.fields or (table.fields[0],) * len(graph.edges)
    ends: list[list[tuple[int, int]]] = [[] for _ in range(graph.n_legs + graph.n_vertices)]  # (type, line)
    for line, ((u, v), field) in enumerate(zip(graph.edges, fields, strict=True)):
        types = [t for t, f in enumerate(table.fields) if f == field]
        if not types:
            raise ValueError(f"field {field!r} is not in the model, which has {sorted(set(table.fields))}")
        tail, head = types[-1], types[0]  # a complex line runs from the conjugate half-edge to the other one
        if tail != head and field not in graph.directed and _is_reversed(table, graph, (u, v), tail, head):
            tail, head = head, tail
        ends[u].append((tail, line))
        ends[v].append((head, line))
    shapes = {(k, tuple(sorted(v))): m for m, (k, v) in enumerate(zip(table.kinds, table.vertices, strict=True))}
    places: list[list[int]] = [[] for _ in graph.edges]
    vertices = []
    for leg in range(graph.n_legs):
        places[ends[leg][0][1]].append(leg)
    n_ends = graph.n_legs
    for at, kind in zip(ends[graph.n_legs :], graph.kinds, strict=True):
        key = kind, tuple(sorted(t for t, _ in at))
        if key not in shapes:
            raise ValueError(f"the model has no {kind} vertex with half-edges {[table.names[t] for t in key[1]]}")
        vertices.append(shapes[key])
        left = list(at)
        for t in table.vertices[shapes[key]]:
            end = next(e for e in left if e[0] == t)
            left.remove(end)
            places[end[1]].append(n_ends)
            n_ends += 1
    mates = np.zeros((1, n_ends), np.uint8)
    for a, b in places:
        mates[0, a], mates[0, b] = b, a
    legs = tuple(ends[leg][0][0] for leg in range(graph.n_legs))
    symmetry = np.array([graph.symmetry_factor], np.int64)
    return FieldBlock(table, legs, tuple(vertices), mates, symmetry, labelled=graph.labelled)


def _is_reversed(table: HalfEdgeTable, graph: FeynmanGraph, edge: tuple[int, int], tail: int, head: int) -> bool:
    """Tell whether the kinds of the vertices at a line without arrow ask for the other direction."""
    for node, half_edge in zip(edge, (tail, head), strict=True):
        if node >= graph.n_legs:
            kind = graph.kinds[node - graph.n_legs]
            return not any(half_edge in v for v, k in zip(table.vertices, table.kinds, strict=True) if k == kind)
    return False
