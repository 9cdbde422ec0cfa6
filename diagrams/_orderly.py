"""Orderly generation of vertex-coloured multigraphs: every isomorphism class once, never compared with another.

A graph on vertices ``0 .. n-1`` is given by its adjacency matrix (multiplicities, no self-loops: those are part of a
vertex's colour). It is *canonical* when the rows of the strict upper triangle, read one after another, are
lexicographically largest among all renumberings that keep the colours. Rows are filled one after another, with the
largest entries first; a vertex's entries are non-increasing inside every cell of vertices that nothing so far tells
apart. A prefix of rows that some renumbering makes larger is abandoned; the same search on the full matrix walks down a
chain of stabilisers, so that the order of the automorphism group and generators of it come with each graph
(orderly generation in the sense of Read and Faradzev).

All compiled functions live in this one file, because the on-disk cache of numba notices edits of the file of the
function that is called and of no other.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _compare_row(A: Ints, n: int, i: int, cells: Ints, images: Ints) -> int:
    """Compare row ``i`` with the row of the vertex that ``images[i]`` puts there, its best arrangement.

    Fills ``images[i + 1]`` as far as the rows agree. Returns 1, 0, -1 for larger, equal, smaller.
    """
    p = images[i, i]
    for t in range(i + 1):
        images[i + 1, t] = images[i, t]
    start = i + 1
    while start < n:
        end = start + 1
        while end < n and cells[i, end] == cells[i, start]:
            end += 1
        for t in range(start, end):  # insertion sort of the cell, largest entries first
            vertex = images[i, t]
            entry = A[p, vertex]
            u = t
            while u > start and A[p, images[i + 1, u - 1]] < entry:
                images[i + 1, u] = images[i + 1, u - 1]
                u -= 1
            images[i + 1, u] = vertex
        for t in range(start, end):
            entry = A[p, images[i + 1, t]]
            if entry != A[i, t]:
                return 1 if entry > A[i, t] else -1
        start = end
    return 0


@njit(cache=True, nogil=True)
def _search(A: Ints, n: int, last: int, base: int, cells: Ints, images: Ints, tried: Ints) -> int:
    """Look for a renumbering that makes rows ``base .. last`` larger, with ``images[base]`` chosen by the caller.

    Returns 1 if there is one, 0 when one leaves them equal (it is ``images[last + 1]``), -1 if all are smaller.
    Only vertices up to ``last`` have known rows, so only they can be images.
    """
    i = base
    while True:
        sign = _compare_row(A, n, i, cells, images)
        if sign > 0:
            return 1
        if sign == 0:
            if i == last:
                return 0
            i += 1
            tried[i] = i
        while True:  # next image at level i, or back to a level that has one left
            if i == base:
                return -1
            c = tried[i]
            while c < n and cells[i, c] == cells[i, i] and images[i, c] > last:
                c += 1
            if c < n and cells[i, c] == cells[i, i]:
                images[i, c], images[i, i] = images[i, i], images[i, c]
                tried[i] = c + 1
                break
            i -= 1


@njit(cache=True, nogil=True)
def _start_search(n: int, level: int, image: int, images: Ints) -> None:
    for t in range(n):
        images[level, t] = t
    images[level, level] = image
    images[level, image] = level


@njit(cache=True, nogil=True)
def _prefix_is_canonical(A: Ints, n: int, last: int, cells: Ints, images: Ints, tried: Ints) -> bool:
    """Necessary condition with rows ``0 .. last`` known."""
    for level in range(last + 1):
        image = level + 1
        while image <= last and cells[level, image] == cells[level, level]:
            _start_search(n, level, image, images)
            if _search(A, n, last, level, cells, images, tried) == 1:
                return False
            image += 1
    return True


@njit(cache=True, nogil=True)
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True, nogil=True)
def _automorphisms(
    A: Ints,
    n: int,
    cells: Ints,
    images: Ints,
    tried: Ints,
    parent: Ints,
    failed: Ints,
    generators: Ints,
    levels: Ints,
    carriers: int,
) -> tuple[int, int, int]:
    """Return (group order, order of its action on the first ``carriers`` vertices, number of generators).

    All are zero if the matrix is not canonical.

    Generator g fixes all vertices before ``levels[g]`` and moves that one (a strong generating set).
    """
    for v in range(n):
        parent[v] = v
    order, acting, n_generators = 1, 1, 0
    for level in range(n - 2, -1, -1):
        end = level + 1
        while end < n and cells[level, end] == cells[level, level]:
            end += 1
        failed[:] = 0
        for image in range(level + 1, end):
            root = _find(parent, image)
            if root == _find(parent, level) or failed[root]:
                continue
            _start_search(n, level, image, images)
            outcome = _search(A, n, n - 1, level, cells, images, tried)
            if outcome == 1:
                return 0, 0, 0
            if outcome < 0:
                failed[root] = 1
                continue
            for v in range(n):
                generators[n_generators, v] = images[n, v]
                a, b = _find(parent, v), _find(parent, images[n, v])
                if a != b:
                    parent[max(a, b)] = min(a, b)
            levels[n_generators] = level
            n_generators += 1
        orbit = 0
        for v in range(level, end):
            orbit += _find(parent, v) == _find(parent, level)
        order *= orbit
        if level < carriers:
            acting *= orbit
    return order, acting, n_generators


@njit(cache=True, nogil=True)
def _may_connect(A: Ints, n: int, last: int, missing: Ints, bridgeless: bool, seen: Ints, stack: Ints) -> bool:
    """Reject when a component is closed before the graph is complete (or would close through a single line)."""
    seen[:] = 0
    for source in range(last + 1):
        if seen[source]:
            continue
        seen[source] = 1
        stack[0] = source
        depth, size, open_ends = 1, 0, 0
        while depth:
            depth -= 1
            v = stack[depth]
            size += 1
            open_ends += missing[v]
            for w in range(n):
                if A[v, w] and not seen[w]:
                    seen[w] = 1
                    stack[depth] = w
                    depth += 1
        if size < n and (open_ends == 0 or (bridgeless and open_ends == 1)):
            return False
    return True


@njit(cache=True, nogil=True)
def _has_bridge(A: Ints, n: int, seen: Ints, stack: Ints) -> bool:
    for i in range(n):
        for j in range(i + 1, n):
            if A[i, j] != 1:
                continue
            seen[:] = 0
            seen[i] = 1
            stack[0] = i
            depth = 1
            while depth and not seen[j]:
                depth -= 1
                v = stack[depth]
                for w in range(n):
                    if A[v, w] and not seen[w] and not (v == i and w == j):
                        seen[w] = 1
                        stack[depth] = w
                        depth += 1
            if not seen[j]:
                return True
    return False


@njit(cache=True, nogil=True)
def _refine(A: Ints, n: int, i: int, cells: Ints) -> None:
    """Cells after row ``i``: vertices stay together when they were and have the same entry in that row."""
    for t in range(n):
        if t > i + 1 and cells[i, t] == cells[i, t - 1] and A[i, t] == A[i, t - 1]:
            cells[i + 1, t] = cells[i + 1, t - 1]
        else:
            cells[i + 1, t] = t


@njit(cache=True, nogil=True)
def _grown(array: Bytes, used: int) -> Bytes:
    larger = np.empty((2 * array.shape[0], array.shape[1]), array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(cache=True, nogil=True)
def _count_components(A: Ints, n: int, seen: Ints, stack: Ints) -> int:
    seen[:] = 0
    count = 0
    for source in range(n):
        if seen[source]:
            continue
        count += 1
        seen[source] = 1
        stack[0] = source
        depth = 1
        while depth:
            depth -= 1
            v = stack[depth]
            for w in range(n):
                if A[v, w] and not seen[w]:
                    seen[w] = 1
                    stack[depth] = w
                    depth += 1
    return count


@njit(cache=True, nogil=True)
def _has_tadpole(A: Ints, n: int, counts: Ints, seen: Ints, stack: Ints) -> bool:
    """Check for a line that splits off a part without legs."""
    for i in range(n):
        for j in range(n):
            if A[i, j] != 1:
                continue
            seen[:] = 0
            seen[i] = 1
            stack[0] = i
            depth = 1
            n_legs = 0
            while depth and not seen[j]:
                depth -= 1
                v = stack[depth]
                n_legs += counts[v]
                for w in range(n):
                    if A[v, w] and not seen[w] and not (v == i and w == j):
                        seen[w] = 1
                        stack[depth] = w
                        depth += 1
            if not seen[j] and n_legs == 0:
                return True
    return False


@njit(cache=True, nogil=True)
def _skeletons(
    degrees: Ints,
    colours: Ints,
    counts: Ints,
    components: int,
    bridgeless: bool,
    tadpoles: bool,
    limit: int,
    stop: Bytes,
) -> tuple[Bytes, Ints, Bytes, Ints]:
    """Generate all canonical multigraphs without self-loops on one list of vertices (two or more).

    Arguments as in :func:`skeletons`, for one list: lines to other vertices and legs of each vertex, and its colour.
    Returns upper triangles (m, n (n - 1) / 2), orders (m, 2), generators (k, n + 1) and where they begin (m + 1, 1).
    """
    n = degrees.size
    A = np.zeros((n, n), np.int64)
    missing = degrees.copy()
    cells = np.zeros((n + 1, n), np.int64)
    images = np.zeros((n + 2, n), np.int64)
    tried, parent, failed = np.zeros(n + 1, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    seen, stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found, levels = np.zeros((n * n, n), np.int64), np.zeros(n * n, np.int64)
    adjacency = np.empty((64, n * (n - 1) // 2), np.uint8)
    order = np.empty((64, 2), np.int64)
    first = np.zeros((64, 1), np.int64)
    generators = np.empty((64, n + 1), np.uint8)
    n_graphs, n_generators = 0, 0
    connected = components == 1
    carriers = (counts > 0).sum()
    for t in range(1, n):
        cells[0, t] = cells[0, t - 1] if colours[t] == colours[t - 1] else t
    i, j, entering = 0, 1, True
    while True:
        if entering:  # the largest entry that degrees and the order inside the cell allow
            value = min(missing[i], missing[j])
            if j > i + 1 and cells[i, j] == cells[i, j - 1]:
                value = min(value, A[i, j - 1])
            entering = False
        else:  # take back the present entry and try the next smaller one
            value = A[i, j] - 1
            missing[i] += A[i, j]
            missing[j] += A[i, j]
        capacity = 0
        for t in range(j + 1, n):
            capacity += missing[t]
        if value < 0 or missing[i] - value > capacity:
            A[i, j] = 0
            A[j, i] = 0
            if j > i + 1:
                j -= 1
            elif i > 0:
                i, j = i - 1, n - 1
            else:
                break
            continue
        A[i, j] = value
        A[j, i] = value
        missing[i] -= value
        missing[j] -= value
        if j < n - 1:
            j += 1
            entering = True
            continue
        if missing[i]:
            continue
        if stop[0]:
            break
        _refine(A, n, i, cells)
        if i < n - 2:
            keep = not connected or _may_connect(A, n, i, missing, bridgeless, seen, stack)
            if keep and (i == 0 or _prefix_is_canonical(A, n, i, cells, images, tried)):
                i, j, entering = i + 1, i + 2, True
            continue
        if missing[n - 1]:
            continue
        if connected and not _may_connect(A, n, n - 1, missing, bridgeless, seen, stack):
            continue
        if bridgeless and _has_bridge(A, n, seen, stack):
            continue
        if not connected and _count_components(A, n, seen, stack) != components:
            continue
        if not tadpoles and _has_tadpole(A, n, counts, seen, stack):
            continue
        size, acting, count = _automorphisms(A, n, cells, images, tried, parent, failed, found, levels, carriers)
        if size == 0:
            continue
        if n_graphs + 1 >= order.shape[0]:
            adjacency, order, first = _grown(adjacency, n_graphs), _grown(order, n_graphs), _grown(first, n_graphs + 1)
        while n_generators + count > generators.shape[0]:
            generators = _grown(generators, n_generators)
        place = 0
        for a in range(n):
            for b in range(a + 1, n):
                adjacency[n_graphs, place] = A[a, b]
                place += 1
        order[n_graphs, 0] = size
        order[n_graphs, 1] = acting
        for g in range(count):
            generators[n_generators + g, n] = levels[g]
            for v in range(n):
                generators[n_generators + g, v] = found[g, v]
        n_generators += count
        n_graphs += 1
        first[n_graphs, 0] = n_generators
        if n_graphs > limit:
            break
    return adjacency[:n_graphs], order[:n_graphs], generators[:n_generators], first[: n_graphs + 1]


@njit(cache=True, nogil=True)
def _colours(types: Bytes, n: int) -> Ints:
    colours = np.zeros(n, np.int64)
    for v in range(1, n):
        colours[v] = colours[v - 1] + (not (types[v] == types[v - 1]).all())
    return colours


@njit(cache=True, nogil=True)
def skeletons(
    types: Bytes, sizes: Ints, components: Ints, bridgeless: bool, tadpoles: bool, limit: int, stop: Bytes
) -> tuple[Bytes, Ints, Ints, Ints, Bytes, Ints]:
    """Generate all canonical multigraphs on each of many lists of vertices.

    Parameters
    ----------
    types : uint8 array (T, V, 3)
        Lists of (degree, external legs, self-loops), filled up to V entries; vertices with legs come first, equal
        vertices stand together.
    sizes : int64 array (T,)
        Number of vertices of each list.
    components : int64 array (T,)
        Number of connected components wanted (0 for the empty list).
    bridgeless : bool
        Only graphs that no single line disconnects.
    tadpoles : bool
        False drops graphs in which a line splits off a part without legs.
    limit : int
        Stop after more graphs than this.
    stop : uint8 array (1,)
        Stop soon after another thread puts a one there.

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
    """
    v_max = types.shape[1]
    adjacency, used = np.empty((1024, 1), np.uint8), 0
    start, first = np.zeros((64, 1), np.int64), np.zeros((64, 1), np.int64)
    vertex_list, order = np.empty((64, 1), np.int64), np.empty((64, 2), np.int64)
    generators = np.empty((64, v_max + 1), np.uint8)
    n_found, n_generators = 0, 0
    for t in range(sizes.size):
        n = sizes[t]
        counts = types[t, :n, 1].astype(np.int64)
        degrees = types[t, :n, 0] - counts - 2 * types[t, :n, 2].astype(np.int64)
        if n > 1:
            rows, orders, moves, begin = _skeletons(
                degrees, _colours(types[t], n), counts, components[t], bridgeless, tadpoles, limit - n_found, stop
            )
        else:
            rows = np.empty((1 if degrees.sum() == 0 and components[t] == n else 0, 0), np.uint8)
            orders, begin = np.ones((1, 2), np.int64), np.zeros((2, 1), np.int64)
            moves = np.empty((0, n + 1), np.uint8)
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
        if n_found > limit or stop[0]:
            break
    return (
        adjacency[:used, 0].copy(),
        start[: n_found + 1, 0].copy(),
        vertex_list[:n_found, 0].copy(),
        order[:n_found].copy(),
        generators[:n_generators].copy(),
        first[: n_found + 1, 0].copy(),
    )
