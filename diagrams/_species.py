"""Enumeration of diagrams of several fields: vertex lists, then rigid or orderly generation of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from diagrams._field_blocks import FieldBlock, HalfEdgeTable
from diagrams._matings import leg_assignments, matings
from diagrams._orderly_fields import skeletons
from diagrams._permutations import group_elements
from diagrams._rigid import rigid_diagrams
from diagrams._vertex_lists import Bound, Counts, VertexClass, class_lists, half_edge_counts, vertex_counts

MAX_HALF_EDGES = 255  # mates are kept as bytes
Ints = NDArray[np.int64]
Joins = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Request:
    """What to enumerate: legs as half-edge types, loops or none, bounds on orders, and filters."""

    legs: Counts
    loops: int | None
    orders: tuple[Bound, ...]
    connected: bool
    bridgeless: bool
    self_loops: bool
    max_graphs: int


def field_blocks(table: HalfEdgeTable, request: Request) -> Iterator[FieldBlock]:
    """Iterate over the diagrams, in blocks with one list of vertices each."""
    if request.connected:
        yield from _connected_blocks(table, request)
    else:
        yield from _all_blocks(table, request)


def count_diagrams(table: HalfEdgeTable, request: Request) -> int:
    """Return the number of connected diagrams; those of rigid models are not kept."""
    total = 0
    for counts in _vertex_counts(table, request, request.legs, 1):
        if is_rigid(table, counts, request.legs):
            total += _rigid(table, counts, request, store=False)[0]
        else:
            total += sum(len(b) for b in _counted_blocks(table, counts, request))
    return total


def is_rigid(table: HalfEdgeTable, counts: Counts, legs: Sequence[int]) -> bool:
    """Tell whether connected diagrams with these vertices have no automorphisms: see :mod:`diagrams._rigid`."""
    present = [table.vertices[m] for m, n in enumerate(counts) if n]
    return len(legs) > 0 and all(len(set(v)) == len(v) for v in present)


def _vertex_counts(table: HalfEdgeTable, request: Request, legs: Counts, components: int) -> list[Counts]:
    bounds = list(request.orders)
    if request.loops is not None:  # sum (degree - 2) = legs + 2 (loops - components)
        excess = Fraction(len(legs) + 2 * (request.loops - components))
        bounds.append(Bound(tuple(Fraction(len(v) - 2) for v in table.vertices), excess, excess))
    found = vertex_counts(table, legs, bounds)
    for n in found:
        if len(legs) + sum(k * len(v) for k, v in zip(n, table.vertices, strict=True)) > MAX_HALF_EDGES:
            raise ValueError(f"diagrams with more than {MAX_HALF_EDGES} half-edges are not supported")
    return found


def _connected_blocks(table: HalfEdgeTable, request: Request) -> Iterator[FieldBlock]:
    for counts in _vertex_counts(table, request, request.legs, 1):
        yield from _counted_blocks(table, counts, request)


def _counted_blocks(table: HalfEdgeTable, counts: Counts, request: Request) -> Iterator[FieldBlock]:
    """Iterate over connected diagrams with each vertex of the model ``counts`` times."""
    legs = request.legs
    if not any(counts):
        if len(legs) == 2 and table.partner[legs[0]] == legs[1] and not request.bridgeless:
            yield FieldBlock(table, legs, (), np.array([[1, 0]], np.uint8), np.ones(1, np.int64))
    elif is_rigid(table, counts, legs):
        n, mates = _rigid(table, counts, request, store=True)
        vertices = tuple(m for m, k in enumerate(counts) for _ in range(k))
        check_size(n, request)
        yield FieldBlock(table, legs, vertices, mates, np.ones(n, np.int64))
    else:
        yield from _orderly_blocks(table, counts, request, legs, [()])


def check_size(n: int, request: Request) -> None:
    """Refuse to keep too many diagrams.

    Raises
    ------
    MemoryError
        If there are more than ``request.max_graphs``.
    """
    if n > request.max_graphs:
        raise MemoryError(f"more than max_graphs={request.max_graphs} diagrams; raise max_graphs, or only count them")


def _rigid(table: HalfEdgeTable, counts: Counts, request: Request, *, store: bool) -> tuple[int, NDArray[np.uint8]]:
    if not any(counts):
        blocks = _counted_blocks(table, counts, request)
        return sum(len(b) for b in blocks), np.zeros((0, 2), np.uint8)
    legs = request.legs
    present = [m for m, n in enumerate(counts) if n]
    vertices = [m for m in present for _ in range(counts[m])]
    degrees = np.array([len(table.vertices[m]) for m in vertices])
    types = np.array([*legs, *(t for m in vertices for t in table.vertices[m])], np.int64)
    owner = np.concatenate([np.full(len(legs), -1), np.repeat(np.arange(len(vertices)), degrees)])
    place = np.array([[_position(table.vertices[m], t) for t in range(len(table.names))] for m in present])
    found: tuple[int, NDArray[np.uint8]] = rigid_diagrams(
        len(legs),
        types,
        owner,
        np.cumsum([len(legs), *degrees]),
        np.cumsum([0, *(counts[m] for m in present)]),
        place,
        np.array(table.partner, np.int64),
        np.array(table.cuttable, bool)[types],
        request.bridgeless,
        request.self_loops,
        store,
        request.max_graphs if store else np.iinfo(np.int64).max - 1,
    )
    return found


def _position(vertex: Counts, half_edge: int) -> int:
    return vertex.index(half_edge) if half_edge in vertex else -1


def _all_blocks(table: HalfEdgeTable, request: Request) -> Iterator[FieldBlock]:
    """Iterate over diagrams with any number of components, some legs perhaps joined directly."""
    joinings: dict[Counts, list[Joins]] = {}
    for joins in _leg_joinings(table, request.legs, tuple(range(len(request.legs)))):
        joined = {leg for pair in joins for leg in pair}
        free = sorted(t for leg, t in enumerate(request.legs) if leg not in joined)
        joinings.setdefault(tuple(free), []).append(joins)
    for attached, ways in joinings.items():
        # every component has a leg or a loop
        most = len(attached) + request.loops if request.loops is not None else 1
        lists = dict.fromkeys(() if attached else ((0,) * len(table.vertices),))
        for components in range(1, most + 1):
            lists |= dict.fromkeys(n for n in _vertex_counts(table, request, attached, components) if any(n))
        for counts in lists:
            for block in _orderly_blocks(table, counts, request, attached, ways):
                keep = block if request.loops is None else block.take(np.flatnonzero(block.cycles == request.loops))
                if len(keep):
                    yield keep


def _leg_joinings(table: HalfEdgeTable, legs: Counts, free: Counts) -> Iterator[Joins]:
    """Iterate over all ways to join some of the free legs in pairs."""
    if not free:
        yield ()
        return
    first, rest = free[0], free[1:]
    yield from _leg_joinings(table, legs, rest)
    for other in rest:
        if legs[other] == table.partner[legs[first]]:
            left = tuple(leg for leg in rest if leg != other)
            yield from (((first, other), *joins) for joins in _leg_joinings(table, legs, left))


def _orderly_blocks(
    table: HalfEdgeTable, counts: Counts, request: Request, attached: Counts, ways: Sequence[Joins]
) -> Iterator[FieldBlock]:
    """Iterate over diagrams whose legs of types ``attached`` end at vertices, the others being joined in ``ways``."""
    if not any(counts):
        if request.legs:
            codes, one = np.zeros((1, 0), np.int64), np.ones(1, np.int64)
            placed = _placed(table, request, (), ways, [(0 * one, ((),))])
            yield _block(table, request.legs, (), codes, one, placed, 1)
        return
    supply = half_edge_counts(table, attached)
    at_vertices = tuple(supply[p] for p in table.partner)
    for classes in class_lists(
        table,
        counts,
        at_vertices,
        self_loops=request.self_loops,
        connected=request.connected,
        bridgeless=request.bridgeless,
    ):
        yield from _class_list_blocks(table, classes, request, ways)


def _class_list_blocks(
    table: HalfEdgeTable, classes: tuple[VertexClass, ...], request: Request, ways: Sequence[Joins]
) -> Iterator[FieldBlock]:
    bits = max(1, max(n for c in classes for n in c.rest).bit_length())
    if bits * len(table.names) > 62:
        raise ValueError(
            f"model with {len(table.names)} half-edge types and vertices with {max(max(c.rest) for c in classes)} "
            "equal half-edges: more than the generator can hold; use fewer fields or lower valences"
        )
    codes, order, generators, first = _skeletons(table, classes, request, bits)
    if len(codes) == 0:
        return
    symmetry = order * _local_symmetry(table, classes) * _line_exchanges(codes, bits, len(table.names))
    groups = _leg_groups(classes, generators, first)
    members = [(graphs, group) for group, graphs in groups.items()]
    placed = _placed(table, request, classes, ways, members)
    yield _block(table, request.legs, classes, codes, symmetry, placed, bits)


def _skeletons(
    table: HalfEdgeTable, classes: tuple[VertexClass, ...], request: Request, bits: int
) -> tuple[Ints, Ints, NDArray[np.uint8], Ints]:
    n = len(classes)
    if n == 1:
        m = int(not any(classes[0].rest))
        return np.zeros((m, 0), np.int64), np.ones(m, np.int64), np.zeros((0, 1), np.uint8), np.zeros(m + 1, np.int64)
    found: tuple[Ints, Ints, NDArray[np.uint8], Ints] = skeletons(
        np.array([c.rest for c in classes], np.int64),
        np.cumsum([0] + [a != b for a, b in pairwise(classes)]),
        np.array(table.partner, np.int64),
        np.array(table.cuttable, bool),
        bits,
        request.connected,
        request.bridgeless,
    )
    return found


def _local_symmetry(table: HalfEdgeTable, classes: tuple[VertexClass, ...]) -> int:
    """Return the exchanges of self-loops at each vertex, and the flips of those without direction."""
    flips = [2 if t == p else 1 for t, p in enumerate(table.partner)]
    return prod(f**n * factorial(n) for c in classes for f, n in zip(flips, c.loops, strict=True))


def _line_exchanges(codes: Ints, bits: int, n_types: int) -> Ints:
    factorials = np.array([factorial(min(k, 20)) for k in range(2**bits)])
    result = np.ones(len(codes), np.int64)
    for t in range(n_types):
        result *= factorials[(codes >> (bits * t)) & (2**bits - 1)].prod(axis=1)
    return result


Group = tuple[tuple[int, ...], ...]


def _leg_groups(classes: tuple[VertexClass, ...], generators: NDArray[np.uint8], first: Ints) -> dict[Group, Ints]:
    """Sort skeletons by the group in which their automorphisms permute the vertices with legs."""
    carriers = [v for v, c in enumerate(classes) if any(c.legs)]
    position = {v: i for i, v in enumerate(carriers)}
    trivial = (tuple(range(len(carriers))),)
    sorted_out: dict[Group, list[int]] = {}
    rows = [[tuple(position[v] for v in row) for row in generators[:, carriers].tolist()]]
    for g, (a, b) in enumerate(pairwise(first.tolist())):
        group = tuple(sorted(group_elements(len(carriers), rows[0][a:b]))) if b > a and carriers else trivial
        sorted_out.setdefault(group, []).append(g)
    return {group: np.array(graphs, np.int64) for group, graphs in sorted_out.items()}


Placed = tuple[Ints, Ints, Ints]  # skeleton, owners of the legs, what the order of the group is divided by


def _placed(
    table: HalfEdgeTable,
    request: Request,
    classes: tuple[VertexClass, ...],
    ways: Sequence[Joins],
    members: Sequence[tuple[Ints, Group]],
) -> Placed:
    """Put the labelled legs on vertices, one representative of each orbit, the joined ones on each other."""
    legs, n_placed = request.legs, 0
    carriers = [v for v, c in enumerate(classes) if any(c.legs)]
    counts = np.array([[classes[v].legs[p] for p in table.partner] for v in carriers], np.int64)
    skeleton, owners, divisor = [], [], []
    for graphs, group in members:
        for joins in ways:
            partner = dict(joins) | {b: a for a, b in joins}
            attached = [leg for leg in range(len(legs)) if leg not in partner]
            chosen, stabiliser = _assignments(counts, np.array([legs[leg] for leg in attached], np.int64), group)
            n_placed += len(graphs) * len(chosen)
            check_size(n_placed, request)
            full = np.zeros((len(chosen), len(legs)), np.int64)
            full[:, attached] = np.array(carriers, np.int64)[chosen] if attached else 0
            for leg, other in partner.items():
                full[:, leg] = len(classes) + other
            skeleton.append(np.repeat(graphs, len(full)))
            owners.append(np.tile(full, (len(graphs), 1)))
            divisor.append(np.tile(len(group) // stabiliser, len(graphs)))
    ranked = np.argsort(np.concatenate(skeleton), kind="stable")
    return np.concatenate(skeleton)[ranked], np.concatenate(owners)[ranked], np.concatenate(divisor)[ranked]


def _assignments(counts: Ints, labels: Ints, group: Group) -> tuple[Ints, Ints]:
    if labels.size == 0:
        return np.zeros((1, 0), np.int64), np.full(1, len(group), np.int64)
    found: tuple[Ints, Ints] = leg_assignments(counts, labels, np.array(group, np.int64))
    return found


def _block(
    table: HalfEdgeTable,
    legs: Counts,
    classes: tuple[VertexClass, ...],
    codes: Ints,
    symmetry: Ints,
    placed: Placed,
    bits: int,
) -> FieldBlock:
    skeleton, owners, divisor = placed
    vertices = tuple(c.vertex for c in classes)
    sizes = [len(table.vertices[m]) for m in vertices]
    types = np.array([*legs, *(t for m in vertices for t in table.vertices[m])], np.int64)
    loops = np.array([c.loops for c in classes], np.int64).reshape(len(classes), len(table.names))
    first = np.cumsum([len(legs), *sizes])
    mates = matings(codes, bits, skeleton, owners, first, types, np.array(table.partner, np.int64), loops)
    return FieldBlock(table, legs, vertices, mates, symmetry[skeleton] // divisor)
