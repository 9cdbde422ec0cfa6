"""Generation of diagrams of several fields in tasks that do not depend on one another, piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import factorial, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._class_lists import class_lists
from diagrams._field_blocks import FieldBlock, HalfEdgeTable
from diagrams._field_filters import AMPUTATED, BRIDGELESS, NO_TADPOLES
from diagrams._field_legs import attach_legs
from diagrams._field_request import Joins, Request, attached_lists, is_rigid, wanted_counts
from diagrams._matings import matings
from diagrams._orderly_fields import SkeletonLists, Skeletons, skeleton_start, skeletons
from diagrams._vertex_lists import Counts, VertexClass, half_edge_counts
from diagrams._walk import WalkModel, walk_start, walks
from diagrams._walk_orders import walk_orders

LISTS_PER_TASK = 16
# steps of a search after which it can be stopped: hundredths of a second
_WALK_BUDGET = 1 << 18
_ORDERLY_BUDGET = 1 << 14
_LARGE = 2**62
# beyond this many legs of one type, or orders of equal half-edges, skeletons are found faster
_MOST_LEGS, _MOST_ORDERS = 2, 20000
_FEW_HALF_EDGES = 26  # walks that join no more of them take about a millisecond
_N_PARTS, _MANY_VERTICES = 8, 12  # walks through so many vertices take longer than a few threads to start
Ints = NDArray[np.int64]


class Piece(NamedTuple):
    """Some diagrams; ``n_made`` of them before filters that are applied afterwards."""

    block: FieldBlock
    n_made: int


@dataclass(frozen=True)
class Task:
    """Diagrams with one list of vertices, or some of them.

    Parameters
    ----------
    table : HalfEdgeTable
    request : Request
    counts : tuple of int
        How often each vertex of the model occurs.
    attached : tuple of int
        Types of the legs that end at vertices.
    ways : tuple
        Ways to join the other legs in pairs.
    """

    table: HalfEdgeTable
    request: Request
    counts: Counts
    attached: Counts
    ways: tuple[Joins, ...]

    @cached_property
    def vertices(self) -> Counts:
        """The vertices of the model, one entry for each vertex of a diagram."""
        return tuple(m for m, n in enumerate(self.counts) for _ in range(n))

    @cached_property
    def flags(self) -> int:
        """Filters on single lines."""
        request = self.request
        wanted = ((request.bridgeless, BRIDGELESS), (not request.tadpoles, NO_TADPOLES), (request.amputated, AMPUTATED))
        return sum(bit for on, bit in wanted if on)

    @cached_property
    def types(self) -> Ints:
        """Type of each half-edge."""
        return np.array([*self.request.legs, *(t for m in self.vertices for t in self.table.vertices[m])], np.int64)

    @cached_property
    def first(self) -> Ints:
        """First half-edge of each vertex."""
        return np.cumsum([len(self.request.legs), *(len(self.table.vertices[m]) for m in self.vertices)])

    def block(self, mates: NDArray[np.uint8], symmetry: Ints, exchanged: Ints | None) -> FieldBlock:
        """Return diagrams as a block."""
        request = self.request
        return FieldBlock(
            self.table, request.legs, self.vertices, mates, symmetry, labelled=request.labelled, exchanged=exchanged
        )

    def pieces(self, size: int) -> Iterator[FieldBlock | None]:
        """Iterate over all diagrams, about ``size`` at a time (and nothing, to let others look in, now and then)."""
        raise NotImplementedError


def tasks(table: HalfEdgeTable, request: Request) -> Iterator[Task]:
    """Iterate over tasks that make all diagrams together, in a fixed order."""
    if not request.connected:
        for counts, attached, ways in attached_lists(table, request):
            yield from _orderly_tasks(table, request, counts, attached, ways)
        return
    legs = request.legs
    for counts in wanted_counts(table, request):
        if not any(counts):
            if len(legs) == 2 and table.partner[legs[0]] == legs[1] and not request.bridgeless:
                yield from _orderly_tasks(table, request, counts, (), [((0, 1),)])
        elif _suits_walks(table, request, counts):
            n_parts = _N_PARTS if sum(counts) >= _MANY_VERTICES else 1
            yield from (WalkTask(table, request, counts, legs, (), part, n_parts) for part in range(n_parts))
        else:
            yield from _orderly_tasks(table, request, counts, legs, [()])


def _suits_walks(table: HalfEdgeTable, request: Request, counts: Counts) -> bool:
    """Tell whether walks are the shorter way: always without equal half-edges, else if there are few orders of them."""
    legs = request.legs
    if not legs or is_rigid(table, counts, legs):
        return bool(legs)
    orders = 1
    for vertex, n in zip(table.vertices, counts, strict=True):
        orders *= prod(map(factorial, Counter(vertex).values())) ** n
    few_legs = not request.labelled or max(Counter(legs).values()) <= _MOST_LEGS
    return few_legs and orders <= _MOST_ORDERS


def is_little(table: HalfEdgeTable, request: Request) -> bool:
    """Tell whether there are only walks, and so few that another thread would take longer to start."""
    if not (request.connected and request.legs):
        return False
    return all(
        _suits_walks(table, request, counts)
        and len(request.legs) + sum(n * len(v) for n, v in zip(counts, table.vertices, strict=True)) <= _FEW_HALF_EDGES
        for counts in wanted_counts(table, request)
    )


def _orderly_tasks(
    table: HalfEdgeTable, request: Request, counts: Counts, attached: Counts, ways: Sequence[Joins]
) -> Iterator[Task]:
    if not request.labelled:
        ways = ways[:1]
    if not any(counts):
        yield OrderlyTask(table, request, counts, attached, tuple(ways), (), np.zeros((1, 0), np.int64))
        return
    supply = half_edge_counts(table, attached)
    task = Task(table, request, counts, attached, tuple(ways))
    classes, lists = class_lists(
        table,
        counts,
        tuple(supply[p] for p in table.partner),
        self_loops=request.self_loops,
        connected=request.connected,
        flags=task.flags,
    )
    for start in range(0, len(lists), LISTS_PER_TASK):
        some = lists[start : start + LISTS_PER_TASK]
        yield OrderlyTask(table, request, counts, attached, tuple(ways), classes, some)


@dataclass(frozen=True)
class WalkTask(Task):
    """Connected diagrams with legs, by walks; one of several parts of them."""

    part: int = 0
    n_parts: int = 1

    @cached_property
    def root(self) -> int:
        """The leg to begin with: the first one of the type that occurs least often, so that few walks are compared."""
        legs = self.request.legs
        return 0 if self.request.labelled else legs.index(min(legs, key=lambda t: (legs.count(t), legs.index(t))))

    @cached_property
    def model(self) -> WalkModel:
        """The half-edges as compiled code takes them."""
        table, legs = self.table, self.request.legs
        shapes = [table.vertices[m] for m in self.vertices]
        present = [v for v, n in zip(table.vertices, self.counts, strict=True) if n]
        owner = [-1] * len(legs) + [i for i, v in enumerate(shapes) for _ in v]
        twin = [-1] * len(legs)
        for v in shapes:
            start = len(twin)
            twin += [max((start + j for j in range(i) if v[j] == t), default=-1) for i, t in enumerate(v)]
        return WalkModel(
            len(legs),
            self.root,
            self.types,
            np.array(twin, np.int64),
            np.array(owner, np.int64),
            self.first,
            np.array([0, *accumulate(n for n in self.counts if n)], np.int64),
            np.array([[v.index(t) if t in v else -1 for t in range(len(table.names))] for v in present], np.int64),
            np.array(table.partner, np.int64),
            np.array([table.cuttable[t] for t in self.types.tolist()], bool),
        )

    def pieces(self, size: int) -> Iterator[FieldBlock | None]:
        """Iterate over all diagrams, see :meth:`Task.pieces`."""
        state = walk_start(self.model)
        request = self.request
        while state.at[0] >= 0:
            mates = walks(
                self.model,
                state,
                self.flags,
                request.self_loops,
                not request.labelled,
                self.part,
                self.n_parts,
                size,
                _WALK_BUDGET,
            )
            yield self._block(mates) if len(mates) else None

    def _orders(self, mates: NDArray[np.uint8], *, pooled: bool, compare: bool) -> Ints:
        model = self.model
        kind_of = np.repeat(np.arange(len(model.place)), np.diff(model.kind_start))
        orders: Ints = walk_orders(
            mates,
            model.n_legs,
            self.root,
            pooled,
            compare,
            self.types,
            model.owner,
            self.first,
            kind_of,
            model.kind_start,
        )
        return orders

    def _block(self, mates: NDArray[np.uint8]) -> FieldBlock:
        request, legs = self.request, self.request.legs
        is_rigid = bool((self.model.twin < 0).all())
        if is_rigid and (request.labelled or legs.count(legs[self.root]) == 1):
            orders: Ints = np.broadcast_to(np.int64(1), len(mates))
        else:
            orders = self._orders(mates, pooled=not request.labelled, compare=True)
            mates, orders = mates[orders > 0], orders[orders > 0]
        if request.labelled:
            return self.block(mates, orders, None)
        fixed = 1 if is_rigid else self._orders(mates, pooled=False, compare=False)
        permutations = prod(map(factorial, Counter(legs).values()))
        return self.block(mates, orders, permutations * fixed // orders)


@dataclass(frozen=True, eq=False)
class OrderlyTask(Task):
    """Diagrams on some lists of vertex classes."""

    classes: tuple[VertexClass, ...]
    lists: Ints

    @cached_property
    def versions(self) -> int:
        """Number of ways to number the legs at vertices and to join the others, if all vertices were different."""
        return len(self.ways) * prod(map(factorial, Counter(self.attached).values()))

    @cached_property
    def model(self) -> SkeletonLists:
        """The lists as compiled code takes them."""
        table, classes = self.table, self.classes
        flips = [2 if t == p else 1 for t, p in enumerate(table.partner)]
        bits = max(1, max((n for c in classes for n in c.rest), default=0).bit_length())
        if bits * len(table.names) > 62:
            raise ValueError(
                f"model with {len(table.names)} half-edge types and vertices with "
                f"{max(max(c.rest) for c in classes)} equal half-edges: more than the generator can hold; use fewer "
                "fields or lower valences"
            )
        at_vertex = [prod(map(factorial, c.legs)) for c in classes]
        factors = [prod(f**n * factorial(n) for f, n in zip(flips, c.loops, strict=True)) for c in classes]
        if not self.request.labelled:
            factors = [f * a for f, a in zip(factors, at_vertex, strict=True)]
        versions = [self.versions // prod(at_vertex[c] for c in row) for row in self.lists.tolist()]
        if max(*factors, self.versions, 0) >= _LARGE:
            raise ValueError("symmetry factors or numbers of diagrams beyond 2**62 are not supported for models")
        return SkeletonLists(
            self.lists,
            np.array([c.rest for c in classes], np.int64).reshape(len(classes), len(table.names)),
            np.array([sum(c.legs) for c in classes], np.int64),
            np.array(factors, np.int64),
            np.array(versions, np.int64),
            np.array(table.partner, np.int64),
            np.array(table.cuttable, bool),
            bits,
        )

    @cached_property
    def joined(self) -> Ints:
        """For each way to join legs directly the leg that each leg is joined to, -1 for none."""
        result = np.full((len(self.ways), len(self.request.legs)), -1, np.int64)
        for row, joins in zip(result, self.ways, strict=True):
            for a, b in joins:
                row[a], row[b] = b, a
        return result

    @cached_property
    def swaps(self) -> int:
        """Order of the group that permutes the legs joined directly, when legs are exchangeable."""
        partner, legs = self.table.partner, self.request.legs
        pairs = Counter(min(legs[a], legs[b]) for a, b in self.ways[0]) if self.ways else Counter()
        return prod(factorial(n) * (2**n if partner[t] == t else 1) for t, n in pairs.items())

    def pieces(self, size: int) -> Iterator[FieldBlock | None]:
        """Iterate over all diagrams, see :meth:`Task.pieces`."""
        if not self.vertices:
            yield self._bare()
            return
        state, request = skeleton_start(self.model), self.request
        while state.at[0] < len(self.lists):
            found = skeletons(self.model, state, request.connected, self.flags, request.labelled, size, _ORDERLY_BUDGET)
            yield self._block(found) if len(found.codes) else None

    def _bare(self) -> FieldBlock:
        """Return the diagrams without vertices."""
        n = len(self.ways)
        symmetry = np.full(n, 1 if self.request.labelled else self.swaps, np.int64)
        permutations = prod(map(factorial, Counter(self.request.legs).values()))
        exchanged = None if self.request.labelled else permutations // symmetry
        return self.block(self.joined.astype(np.uint8), symmetry, exchanged)

    def _block(self, found: Skeletons) -> FieldBlock:
        if found.size.max() * self.swaps >= _LARGE:
            raise ValueError("symmetry factors beyond 2**62 are not supported for models with several fields")
        n_legs, n_vertices = len(self.request.legs), len(self.vertices)
        counts = np.array([c.legs for c in self.classes], np.int64)[:, list(self.table.partner)][self.lists]
        if self.request.labelled:
            n_graphs = self.model.versions[found.of_list] // found.acting
            labels = np.array(self.request.legs, np.int64)
            skeleton, owners = attach_legs(
                counts, found.of_list, found.acting, found.generators, found.first, n_graphs, labels, self.joined
            )
            symmetry, exchanged = (found.exact // found.acting)[skeleton], None
        else:
            skeleton = np.arange(len(found.codes))
            owners = self._ordered_owners(counts)[found.of_list]
            symmetry = found.exact * self.swaps
            permutations = prod(map(factorial, Counter(self.request.legs).values()))
            at_vertices = self.versions // self.model.versions[found.of_list]
            exchanged = permutations // (found.acting * at_vertices * self.swaps)
        owners = owners.reshape(len(skeleton), n_legs)
        vertex = np.array([c.vertex for c in self.classes], np.int64)[self.lists]
        slots = np.empty_like(self.lists)
        np.put_along_axis(slots, np.argsort(vertex, axis=1, kind="stable"), np.arange(n_vertices)[None, :], axis=1)
        loops = np.array([c.loops for c in self.classes], np.int64)[self.lists]
        partner, bits = self.model.partner, self.model.bits
        mates = matings(
            found.codes, bits, found.of_list, slots, skeleton, owners, self.first, self.types, partner, loops
        )
        return self.block(mates, symmetry, exchanged)

    def _ordered_owners(self, counts: Ints) -> NDArray[np.uint8]:
        """Return the vertex of each leg of each list when legs are exchangeable."""
        legs, n_vertices = self.request.legs, len(self.vertices)
        owners = np.zeros((len(self.lists), len(legs)), np.uint8)
        for leg, other in enumerate(self.joined[0].tolist()):
            owners[:, leg] = n_vertices + max(other, 0)
        for t in set(legs):
            free = [leg for leg, u in enumerate(legs) if u == t and self.joined[0, leg] < 0]
            for row, at in zip(owners, counts[:, :, t], strict=True):
                row[free] = np.repeat(np.arange(n_vertices), at)
        return owners
