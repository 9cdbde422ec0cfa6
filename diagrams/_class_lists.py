"""Lists of vertices with legs and self-loops: all ways to spread these over given vertices, compiled."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._field_blocks import HalfEdgeTable
from diagrams._field_filters import NO_TADPOLES, drops
from diagrams._vertex_lists import Counts, VertexClass, vertex_classes

Ints = NDArray[np.int64]


def class_lists(
    table: HalfEdgeTable, counts: Counts, legs: Counts, *, self_loops: bool, connected: bool, flags: int
) -> tuple[tuple[VertexClass, ...], Ints]:
    """Return the classes of vertices, and all lists of them with each vertex of the model ``counts`` times.

    ``legs`` holds for each half-edge type the number of half-edges that end in external legs. The lists (L, n) hold
    positions of classes, those with legs first.
    """
    present = tuple(m for m, n in enumerate(counts) if n)
    classes, rest, attached, begin = _class_arrays(table, present, legs, self_loops)
    todo = np.repeat(np.arange(len(present)), [counts[m] for m in present])
    allowed = _allowed(table, classes, sum(legs), connected and len(todo) > 1, flags)
    found: Ints = _lists(todo, begin, rest, attached, allowed, np.array(legs), np.array(table.partner), connected)
    return classes, found


@cache
def _class_arrays(
    table: HalfEdgeTable, present: tuple[int, ...], legs: Counts, self_loops: bool
) -> tuple[tuple[VertexClass, ...], Ints, Ints, Ints]:
    """Return the classes in the order of lists, their half-edges as arrays, and those of each vertex of the model."""
    classes = sorted((c for m in present for c in vertex_classes(table, m, legs, self_loops)), key=lambda c: c.key)
    rest, attached = (np.array([c[i] for c in classes], np.int64).reshape(len(classes), -1) for i in (3, 1))
    of_vertex = [[i for i, c in enumerate(classes) if c.vertex == m] for m in present]
    begin = np.full((len(present), 1 + max(map(len, of_vertex))), -1, np.int64)
    for row, places in zip(begin, of_vertex, strict=True):
        row[: len(places)] = places
    return tuple(classes), rest, attached, begin


def _allowed(
    table: HalfEdgeTable, classes: tuple[VertexClass, ...], n_legs: int, connected: bool, flags: int
) -> NDArray[np.bool_]:
    """Tell which vertices can be part of a graph: not alone, and not at the end of a line that a filter drops."""
    result = np.ones(len(classes), bool)
    for i, c in enumerate(classes):
        if sum(c.rest) == 1 and table.cuttable[c.rest.index(1)]:
            dropped = drops(flags, sum(c.legs), n_legs) if connected else flags & NO_TADPOLES and not sum(c.legs)
            result[i] = not dropped
        elif connected and not sum(c.rest):
            result[i] = False
    return result


@compiled
def _is_graphical(chosen: Ints, rest: Ints, partner: Ints, connected: bool) -> bool:
    """Check necessary conditions on the numbers of lines to other vertices."""
    n, n_types = chosen.size, partner.size
    supply = np.zeros(n_types, np.int64)
    for c in chosen:
        supply += rest[c]
    if connected and n > 1 and supply.sum() < 2 * (n - 1):
        return False
    for t in range(n_types):
        p = partner[t]
        if (t == p and supply[t] % 2) or supply[t] != supply[p]:
            return False
        for c in chosen:
            if rest[c, t] > supply[p] - rest[c, p]:
                return False
    return True


@compiled
def _lists(
    todo: Ints,
    places: Ints,
    rest: Ints,
    attached: Ints,
    allowed: NDArray[np.bool_],
    legs: Ints,
    partner: Ints,
    connected: bool,
) -> Ints:
    """Choose a class for every vertex; equal vertices take classes in order."""
    n = todo.size
    left = legs.copy()
    at = np.full(n, -1, np.int64)  # position in places[todo[i]]
    chosen = np.zeros(n, np.int64)
    lists, found = np.empty((64, n), np.int64), 0
    i = 0
    while i >= 0:
        if at[i] < 0:
            at[i] = at[i - 1] if i and todo[i] == todo[i - 1] else 0
        else:
            left += attached[chosen[i]]
            at[i] += 1
        fits = False
        while places[todo[i], at[i]] >= 0:
            c = places[todo[i], at[i]]
            if allowed[c] and (attached[c] <= left).all():
                fits = True
                break
            at[i] += 1
        if not fits:
            at[i] = -1
            i -= 1
            continue
        chosen[i] = places[todo[i], at[i]]
        left -= attached[chosen[i]]
        if i < n - 1:
            i += 1
            continue
        if left.any() or not _is_graphical(chosen, rest, partner, connected):
            continue
        if found == lists.shape[0]:
            lists = np.concatenate((lists, np.empty_like(lists)))
        lists[found] = np.sort(chosen)
        found += 1
    return lists[:found]
