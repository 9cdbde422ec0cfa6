"""What is asked of a model: legs, limits and filters, and the lists of vertices that can meet them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from diagrams._field_blocks import HalfEdgeTable
from diagrams._vertex_lists import Bound, Counts, vertex_counts

MAX_HALF_EDGES = 255  # mates are kept as bytes
Joins = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Request:
    """What to enumerate.

    Parameters
    ----------
    legs : tuple of int
        Half-edge type of each external leg.
    loops : int or None
    orders : tuple of Bound
    connected, bridgeless, self_loops, tadpoles, amputated, labelled : bool
    shape : int
        Filters of :mod:`diagrams._field_shapes` on finished diagrams.
    odd : tuple of int
        Drop fermion loops to which an odd number of half-edges of these types is attached.
    """

    legs: Counts
    loops: int | None
    orders: tuple[Bound, ...]
    connected: bool = True
    bridgeless: bool = False
    self_loops: bool = True
    tadpoles: bool = True
    amputated: bool = False
    labelled: bool = True
    odd: Counts = ()
    shape: int = 0


@cache
def wanted_counts(table: HalfEdgeTable, request: Request) -> list[Counts]:
    """Return how often each vertex of the model can occur, without repetition."""
    if request.connected:
        return counts_with_components(table, request, request.legs, 1)
    return list(dict.fromkeys(counts for counts, _, _ in attached_lists(table, request)))


def attached_lists(table: HalfEdgeTable, request: Request) -> Iterator[tuple[Counts, Counts, list[Joins]]]:
    """Iterate over (vertices, types of the legs at them, ways to join the other legs) of diagrams of any components."""
    joinings: dict[Counts, list[Joins]] = {}
    for joins in _leg_joinings(table, request.legs, tuple(range(len(request.legs)))):
        joined = {leg for pair in joins for leg in pair}
        free = sorted(t for leg, t in enumerate(request.legs) if leg not in joined)
        joinings.setdefault(tuple(free), []).append(joins)
    nothing = (0,) * len(table.vertices)
    for attached, ways in joinings.items():
        # every component has a leg or a loop
        most = len(attached) + request.loops if request.loops is not None else 1
        empty = not attached and request.legs and all(b.low <= 0 <= b.high for b in request.orders)
        lists = dict.fromkeys((nothing,) if empty and not request.loops else ())
        for components in range(1, most + 1):
            lists |= dict.fromkeys(n for n in counts_with_components(table, request, attached, components) if any(n))
        for counts in lists:
            yield counts, attached, ways


def counts_with_components(
    table: HalfEdgeTable, request: Request, attached: Sequence[int], components: int
) -> list[Counts]:
    """Return how often each vertex occurs when the legs ``attached`` and all vertices form so many components.

    Raises
    ------
    ValueError
        If there are infinitely many lists, or diagrams are too large.
    """
    bounds = list(request.orders)
    if request.loops is not None:  # sum (degree - 2) = legs + 2 (loops - components)
        excess = len(attached) + 2 * (request.loops - components)
        bounds.append(Bound(tuple([len(v) - 2 for v in table.vertices]), excess, excess))
    found = vertex_counts(table, attached, bounds)
    for n in found:
        if len(request.legs) + sum(k * len(v) for k, v in zip(n, table.vertices, strict=True)) > MAX_HALF_EDGES:
            raise ValueError(f"diagrams with more than {MAX_HALF_EDGES} half-edges are not supported")
    return found


def is_rigid(table: HalfEdgeTable, counts: Counts, legs: Sequence[int]) -> bool:
    """Tell whether connected diagrams with these vertices have no automorphisms: see :mod:`diagrams._rigid`."""
    present = [table.vertices[m] for m, n in enumerate(counts) if n]
    return len(legs) > 0 and all(len(set(v)) == len(v) for v in present)


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
