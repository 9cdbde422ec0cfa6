"""Orderly generation of vertex-coloured multigraphs: every isomorphism class once, never compared with another.

A graph on vertices ``0 .. n-1`` is given by its adjacency matrix (multiplicities, no self-loops: those are part of a
vertex's colour). Rows of the strict upper triangle are filled one after another, with the largest entries first, so
that graphs come out in decreasing order of their matrices; what no canonical matrix begins with is abandoned
(:mod:`diagrams._canonical_search`). To go on later, the last matrix is all that is needed.
"""

from __future__ import annotations

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
def _restore(
    A: Ints, n: int, rows: int, entries: Bytes, missing: Ints, cells: Ints, capacity: Ints, parts: Ints, closed: Ints
) -> None:
    """Set the state of a search that has just accepted rows before ``rows``, given as an upper triangle."""
    no_legs, walk = np.zeros(n, np.int64), np.zeros((6, n), np.int64)
    place = 0
    for i in range(rows):
        _prepare_row(n, i, missing, capacity)
        for j in range(i + 1, n):
            A[i, j] = entries[place]
            A[j, i] = entries[place]
            missing[i] -= A[i, j]
            missing[j] -= A[i, j]
            place += 1
        refine(A, n, i, cells)
        row_is_allowed(A, n, i, missing, no_legs, n + 1, False, True, parts, closed, walk)
    if rows < n:
        _prepare_row(n, rows, missing, capacity)


@compiled
def _grown(array: Bytes, used: int) -> Bytes:
    larger = np.empty((2 * array.shape[0], array.shape[1]), array.dtype)
    larger[:used] = array[:used]
    return larger


@compiled
def _upper_triangle(A: Ints, n: int, entries: Bytes) -> None:
    place = 0
    for a in range(n):
        for b in range(a + 1, n):
            entries[place] = A[a, b]
            place += 1


@compiled
def _skeletons(
    types: Bytes,
    n: int,
    components: int,
    bridgeless: bool,
    tadpoles: bool,
    filters: int,
    depth: int,
    worth: int,
    limit: int,
    stop: Bytes,
    entries: Bytes,
    known: int,
    fixed: int,
) -> tuple[Bytes, Ints, Bytes, Ints, int, bool]:
    """Generate canonical multigraphs without self-loops on one list of ``n`` vertices (two or more).

    Arguments as in :func:`skeletons`, for one list. Returns upper triangles (m, n (n - 1) / 2), orders (m, 2),
    generators (k, n + 1), where they begin (m + 1, 1), what is left of ``limit``, and whether these are all.
    """
    counts, loops = types[:n, 1].astype(np.int64), types[:n, 2].astype(np.int64)
    A, missing = np.zeros((n, n), np.int64), types[:n, 0] - counts - 2 * loops
    cells, capacity = np.zeros((n + 1, n), np.int64), np.zeros((n + 1, n), np.int64)
    images, tried = np.zeros((n + 2, n), np.int64), np.zeros(n + 1, np.int64)
    parts, closed, walk = np.zeros((n + 1, n), np.int64), np.zeros((n + 1, 2), np.int64), np.zeros((8, n), np.int64)
    found, levels = np.zeros((n * n, n), np.int64), np.zeros(n * n, np.int64)
    scratch = np.zeros(16 * (n + 2) ** 2 if filters else 0, np.int64)
    adjacency, generators = np.empty((64, n * (n - 1) // 2), np.uint8), np.empty((64, n + 1), np.uint8)
    order, first = np.empty((64, 2), np.int64), np.zeros((64, 1), np.int64)
    n_graphs, n_generators = 0, 0
    carriers = (counts > 0).sum()
    for t in range(n):
        cells[0, t] = cells[0, t - 1] if t and (types[t] == types[t - 1]).all() else t
        parts[0, t] = t
    _restore(A, n, known, entries, missing, cells, capacity, parts, closed)
    i, is_first = (known, True) if known == fixed else (known - 1, False)
    while i >= fixed:
        if not _fill_row(A, n, i, is_first, missing, cells, capacity):
            i -= 1
            is_first = False
            continue
        is_first = False
        if stop[0]:
            break
        if not _prepare_row(n, i + 1, missing, capacity):
            continue
        if not row_is_allowed(A, n, i, missing, counts, components, bridgeless, tadpoles, parts, closed, walk):
            continue
        refine(A, n, i, cells)
        if i < n - 2 and filters and not may_pass(A, n, i, missing, counts, loops, filters, scratch):
            continue
        if 0 < i < n - 1 - _UNTESTED_ROWS and not prefix_is_canonical(A, n, i, cells, images, tried):
            continue
        if i < depth - 1:
            i += 1
            is_first = True
            continue
        size, acting, count = 1, 1, 0
        if depth == n - 1:
            if closed[n - 1, 0] + n - closed[n - 1, 1] != components:
                continue
            if filters & ~PLANAR and not passes(A, n, counts, loops, filters & ~PLANAR, scratch):
                continue
            size, acting, count = automorphisms(A, n, cells, images, tried, walk[6], walk[7], found, levels, carriers)
            if size == 0:
                continue
            if filters & PLANAR and not passes(A, n, counts, loops, PLANAR, scratch):
                continue
        if n_graphs + 1 >= order.shape[0]:
            adjacency, order, first = _grown(adjacency, n_graphs), _grown(order, n_graphs), _grown(first, n_graphs + 1)
        while n_generators + count > generators.shape[0]:
            generators = _grown(generators, n_generators)
        _upper_triangle(A, n, adjacency[n_graphs])
        order[n_graphs, 0] = size
        order[n_graphs, 1] = acting
        for g in range(count):
            generators[n_generators + g, n] = levels[g]
            for v in range(n):
                generators[n_generators + g, v] = found[g, v]
        n_generators += count
        n_graphs += 1
        first[n_graphs, 0] = n_generators
        limit -= max(1, worth // acting)
        if limit <= 0:
            break
    is_complete = i < fixed
    return adjacency[:n_graphs], order[:n_graphs], generators[:n_generators], first[: n_graphs + 1], limit, is_complete


@compiled
def _single_vertex_fits(types: Bytes, n: int, components: int, filters: int) -> bool:
    """Tell whether a list of one vertex, or of none, is a graph by itself."""
    if n == 0 or components != n:
        return components == n
    counts, loops = types[:1, 1].astype(np.int64), types[:1, 2].astype(np.int64)
    if types[0, 0] != counts[0] + 2 * loops[0]:
        return False
    return filters == 0 or passes(np.zeros((1, 1), np.int64), 1, counts, loops, filters, np.zeros(144, np.int64))


@compiled
def skeletons(
    types: Bytes,
    sizes: Ints,
    components: int,
    bridgeless: bool,
    tadpoles: bool,
    filters: int,
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
    filters : int
        Sum of constants of :mod:`diagrams._filters`; for connected graphs only.
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
    adjacency, used = np.empty((1024, 1), np.uint8), 0
    start, first = np.zeros((64, 1), np.int64), np.zeros((64, 1), np.int64)
    vertex_list, order = np.empty((64, 1), np.int64), np.empty((64, 2), np.int64)
    generators = np.empty((64, v_max + 1), np.uint8)
    n_found, n_generators, is_complete = 0, 0, True
    for t in range(sizes.size):
        n = sizes[t]
        if n > 1:
            rows, orders, moves, begin, limit, is_complete = _skeletons(
                types[t],
                n,
                components,
                bridgeless,
                tadpoles,
                filters,
                depth if depth else n - 1,
                worth[t],
                limit,
                stop,
                entries,
                known if t == 0 else 0,
                fixed if t == 0 else 0,
            )
        else:
            is_new = _single_vertex_fits(types[t], n, components, filters)
            rows = np.empty((1 if is_new else 0, 0), np.uint8)
            orders, begin = np.ones((1, 2), np.int64), np.zeros((2, 1), np.int64)
            moves = np.empty((0, n + 1), np.uint8)
            limit -= worth[t] if is_new else 0
        while used + rows.size > adjacency.shape[0]:
            adjacency = _grown(adjacency, used)
        while n_found + rows.shape[0] + 1 > start.shape[0]:
            start, first = _grown(start, n_found + 1), _grown(first, n_found + 1)
            vertex_list, order = _grown(vertex_list, n_found), _grown(order, n_found)
        while n_generators + moves.shape[0] > generators.shape[0]:
            generators = _grown(generators, n_generators)
        for g in range(moves.shape[0]):
            for v in range(n):
                generators[n_generators + g, v] = moves[g, v]
            generators[n_generators + g, v_max] = moves[g, n]
        for r in range(rows.shape[0]):
            for q in range(rows.shape[1]):
                adjacency[used + q, 0] = rows[r, q]
            used += rows.shape[1]
            vertex_list[n_found, 0] = t
            order[n_found] = orders[r]
            n_found += 1
            start[n_found, 0] = used
            first[n_found, 0] = n_generators + begin[r + 1, 0]
        n_generators += moves.shape[0]
        if limit <= 0 or stop[0]:
            is_complete = is_complete and t == sizes.size - 1
            break
    return (
        adjacency[:used, 0].copy(),
        start[: n_found + 1, 0].copy(),
        vertex_list[:n_found, 0].copy(),
        order[:n_found].copy(),
        generators[:n_generators].copy(),
        first[: n_found + 1, 0].copy(),
        is_complete,
    )
