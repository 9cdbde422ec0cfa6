"""Orderly generation of vertex-coloured multigraphs: every isomorphism class once, never compared with another.

A graph on vertices ``0 .. n-1`` is given by its adjacency matrix (multiplicities, no self-loops: those are part of a
vertex's colour). Rows of the strict upper triangle are filled one after another, with the largest entries first, so
that graphs come out in decreasing order of their matrices; what no canonical matrix begins with is abandoned
(:mod:`diagrams._canonical_search`). To go on later, the last matrix is all that is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams._canonical_search import automorphisms, prefix_is_canonical, refine
from diagrams._compile import compiled
from diagrams._connectivity import row_is_allowed
from diagrams._filters import PLANAR, may_pass, passes

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_UNTESTED_ROWS = 4  # before the last: testing the complete matrix costs less than testing these too


@compiled
def _fill_row(A: Ints, n: int, i: int, is_first: bool, missing: Ints, cells: Ints, capacity: Ints) -> bool:
    """Put the first or the next possible filling into row ``i``; false (and an empty row) if there is none."""
    j = i + 1 if is_first else n - 1
    while True:
        if is_first:  # the largest entry that degrees and the order inside the cell allow
            value = min(missing[i], missing[j])
            if j > i + 1 and cells[i, j] == cells[i, j - 1]:
                value = min(value, A[i, j - 1])
        else:
            value = A[i, j] - 1
            missing[i] += A[i, j]
            missing[j] += A[i, j]
        if value < 0 or missing[i] - value > capacity[i, j]:
            A[i, j] = 0
            A[j, i] = 0
            if j == i + 1:
                return False
            j -= 1
            is_first = False
            continue
        A[i, j] = value
        A[j, i] = value
        missing[i] -= value
        missing[j] -= value
        if j == n - 1:
            return True
        j += 1
        is_first = True


@compiled
def _prepare_row(n: int, i: int, missing: Ints, capacity: Ints) -> bool:
    """Set how many lines the vertices after each place can take; false if no graph has what rows from ``i`` on lack."""
    total, most = 0, 0
    for t in range(n - 1, i - 1, -1):
        capacity[i, t] = total
        total += missing[t]
        most = max(most, missing[t])
    return 2 * most <= total


@compiled
def _table(rows: int, columns: int) -> Ints:
    return np.zeros((rows, columns), np.int64)


@compiled
def _bytes(rows: int, columns: int) -> Bytes:
    return np.empty((rows, columns), np.uint8)


@compiled
def _restore(
    A: Ints, n: int, rows: int, entries: Bytes, missing: Ints, cells: Ints, capacity: Ints, closed: Ints, walk: Ints
) -> None:
    """Set the state of a search that has just accepted rows before ``rows``, given as an upper triangle."""
    place = 0
    for v in range(n):
        walk[6, v] = 0
    for i in range(rows):
        _prepare_row(n, i, missing, capacity)
        for j in range(i + 1, n):
            A[i, j] = entries[place]
            A[j, i] = entries[place]
            missing[i] -= A[i, j]
            missing[j] -= A[i, j]
            place += 1
        refine(A, n, i, cells)
        row_is_allowed(A, n, i, missing, walk[6], n + 1, False, True, closed, walk)
    if rows < n:
        _prepare_row(n, rows, missing, capacity)


@compiled
def _grown(array: Any, used: int, least: int) -> Any:
    """Return a longer array that begins with the same ``used`` rows and has ``least`` more."""
    larger = np.empty((2 * used + least, array.shape[1]), array.dtype)
    for r in range(used):
        for c in range(array.shape[1]):
            larger[r, c] = array[r, c]
    return larger


@compiled
def _begin_list(types: Bytes, n: int, A: Ints, missing: Ints, counts: Ints, loops: Ints, cells: Ints) -> int:
    """Set the state before the first row of a list; returns the number of vertices with legs."""
    carriers = 0
    for v in range(n):
        counts[v], loops[v] = types[v, 1], types[v, 2]
        missing[v] = types[v, 0] - counts[v] - 2 * loops[v]
        carriers += counts[v] > 0
        is_equal = v > 0
        for part in range(3):
            is_equal = is_equal and types[v, part] == types[v - 1, part]
        cells[0, v] = cells[0, v - 1] if is_equal else v
        for w in range(n):
            A[v, w] = 0
    return carriers


@compiled
def skeletons(
    types: Bytes,
    sizes: Ints,
    components: int,
    bridgeless: bool,
    tadpoles: bool,
    filters: int | None,
    depth: int,
    worth: Ints,
    limit: int,
    stop: Bytes,
    entries: Bytes,
    known: int,
    fixed: int,
) -> tuple[Bytes, Ints, Ints, Ints, Bytes, Ints, bool]:
    """Generate all canonical multigraphs on each of many lists of vertices.

    Parameters
    ----------
    types : uint8 array (T, V, 3)
        Lists of (degree, external legs, self-loops), filled up to V entries; vertices with legs come first, equal
        vertices stand together.
    sizes : int64 array (T,)
        Number of vertices of each list.
    components : int
        Number of connected components wanted (0 for the empty list).
    bridgeless : bool
        Only graphs that no single line disconnects.
    tadpoles : bool
        False drops graphs in which a line splits off a part without legs.
    filters : int or None
        Sum of constants of :mod:`diagrams._filters`; for connected graphs only. What filters need is compiled only
        where they are not None.
    depth : int
        Make only the first ``depth`` rows, the others being empty: what some graph can begin with. 0: all rows.
    worth : int64 array (T,)
        What each graph on a list counts for, times the order in which its automorphisms permute vertices with legs
        (at least 1 for each graph).
    limit : int
        Stop when the graphs made count for this much.
    stop : uint8 array (1,)
        Stop soon after another thread puts a one there.
    entries : uint8 array (n (n - 1) / 2,)
        Upper triangle of the first list with which to begin: as it is, or after it if ``known > fixed``.
    known, fixed : int
        Number of rows that ``entries`` holds, and of those that stay on the first list (both 0: begin anew).

    Returns
    -------
    adjacency : uint8 array
        Strict upper triangles, row by row, one graph after the other.
    start : int64 array (S + 1,)
        Where each begins.
    vertex_list : int64 array (S,)
        List of vertices of each graph.
    order : int64 array (S, 2)
        Order of the automorphism group (of vertices; exchanges of parallel lines are not counted), and of the group
        in which it permutes the vertices with legs.
    generators : uint8 array (k, V + 1)
        Strong generators as images of the vertices; the last entry is the first vertex that is moved.
    first : int64 array (S + 1,)
        ``generators[first[s] : first[s + 1]]`` belong to graph s.
    is_complete : bool
        These are all.
    """
    v_max = types.shape[1]
    A, missing, tried = _table(v_max, v_max), _table(1, v_max)[0], _table(1, v_max + 2)[0]
    counts, loops = _table(1, v_max)[0], _table(1, v_max)[0]
    cells, capacity, images = _table(v_max + 1, v_max), _table(v_max + 1, v_max), _table(v_max + 2, v_max)
    closed, walk, found = _table(v_max + 1, 2), _table(8, v_max), _table(v_max * v_max + 1, v_max)
    levels = _table(1, v_max * v_max + 1)[0]
    scratch = _table(1, 0 if filters is None else 16 * (v_max + 2) ** 2)[0]
    adjacency, generators = _bytes(1024, 1), _bytes(64, v_max + 1)
    start, first, vertex_list, order = _table(64, 1), _table(64, 1), _table(64, 1), _table(64, 2)
    used, n_graphs, n_generators, is_complete = 0, 0, 0, True
    for t in range(sizes.size):
        n = sizes[t]
        carriers = _begin_list(types[t], n, A, missing, counts, loops, cells)
        last = depth if depth else n - 1
        kept = fixed if t == 0 else 0
        i, is_first = kept, True
        if t == 0 and known > kept:
            i, is_first = known - 1, False
        _restore(A, n, known if t == 0 else 0, entries, missing, cells, capacity, closed, walk)
        if n < 2:  # one vertex, or none, is a graph by itself
            i = -1 if components != n or (n and missing[0]) else 0
        while i >= kept:
            size, acting, count = 1, 1, 0
            if n < 2:
                i = -1
                if filters is not None and n and not passes(A, n, counts, loops, filters, scratch):
                    continue
            else:
                if not _fill_row(A, n, i, is_first, missing, cells, capacity):
                    i -= 1
                    is_first = False
                    continue
                is_first = False
                if stop[0]:
                    break
                if not _prepare_row(n, i + 1, missing, capacity):
                    continue
                if not row_is_allowed(A, n, i, missing, counts, components, bridgeless, tadpoles, closed, walk):
                    continue
                refine(A, n, i, cells)
                if (  # the first part keeps the rest from being compiled where there are no filters
                    filters is not None
                    and i < n - 2
                    and not may_pass(A, n, i, missing, counts, loops, filters, scratch)
                ):
                    continue
                if 0 < i < n - 1 - _UNTESTED_ROWS and not prefix_is_canonical(A, n, i, cells, images, tried):
                    continue
                if i < last - 1:
                    i += 1
                    is_first = True
                    continue
                if last == n - 1:
                    if closed[n - 1, 0] + n - closed[n - 1, 1] != components:
                        continue
                    if (
                        filters is not None
                        and filters & ~PLANAR
                        and not passes(A, n, counts, loops, filters & ~PLANAR, scratch)
                    ):
                        continue
                    size, acting, count = automorphisms(
                        A, n, cells, images, tried, walk[6], walk[7], found, levels, carriers
                    )
                    if size == 0:
                        continue
                    if filters is not None and filters & PLANAR and not passes(A, n, counts, loops, PLANAR, scratch):
                        continue
            if n_graphs + 2 > start.shape[0]:
                start, first = _grown(start, n_graphs + 1, 1), _grown(first, n_graphs + 1, 1)
                vertex_list, order = _grown(vertex_list, n_graphs, 2), _grown(order, n_graphs, 2)
            if n_generators + count > generators.shape[0]:
                generators = _grown(generators, n_generators, count)
            if used + n * n > adjacency.shape[0]:
                adjacency = _grown(adjacency, used, n * n)
            for a in range(n):
                for b in range(a + 1, n):
                    adjacency[used, 0] = A[a, b]
                    used += 1
            for g in range(n_generators, n_generators + count):
                for v in range(n):
                    generators[g, v] = found[g - n_generators, v]
                generators[g, v_max] = levels[g - n_generators]
            n_generators += count
            vertex_list[n_graphs, 0], order[n_graphs, 0], order[n_graphs, 1] = t, size, acting
            n_graphs += 1
            start[n_graphs, 0], first[n_graphs, 0] = used, n_generators
            limit -= max(1, worth[t] // acting)
            if limit <= 0:
                break
        if limit <= 0 or stop[0]:
            is_complete = i < kept and t == sizes.size - 1
            break
    return (
        adjacency[:used, 0].copy(),
        start[: n_graphs + 1, 0].copy(),
        vertex_list[:n_graphs, 0].copy(),
        order[:n_graphs].copy(),
        generators[:n_generators].copy(),
        first[: n_graphs + 1, 0].copy(),
        is_complete,
    )
