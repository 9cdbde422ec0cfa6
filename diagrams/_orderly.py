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


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def _start_search(n: int, level: int, image: int, images: Ints) -> None:
    for t in range(n):
        images[level, t] = t
    images[level, level] = image
    images[level, image] = level


@njit(cache=True)
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


@njit(cache=True)
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True)
def _automorphisms(
    A: Ints, n: int, cells: Ints, images: Ints, tried: Ints, parent: Ints, failed: Ints, generators: Ints
) -> tuple[int, int]:
    """Return (order of the automorphism group, number of generators), or (0, 0) if the matrix is not canonical."""
    for v in range(n):
        parent[v] = v
    order = 1
    n_generators = 0
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
                return 0, 0
            if outcome < 0:
                failed[root] = 1
                continue
            for v in range(n):
                generators[n_generators, v] = images[n, v]
                a, b = _find(parent, v), _find(parent, images[n, v])
                if a != b:
                    parent[max(a, b)] = min(a, b)
            n_generators += 1
        orbit = 0
        for v in range(level, end):
            orbit += _find(parent, v) == _find(parent, level)
        order *= orbit
    return order, n_generators


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def _refine(A: Ints, n: int, i: int, cells: Ints) -> None:
    """Cells after row ``i``: vertices stay together when they were and have the same entry in that row."""
    for t in range(n):
        if t > i + 1 and cells[i, t] == cells[i, t - 1] and A[i, t] == A[i, t - 1]:
            cells[i + 1, t] = cells[i + 1, t - 1]
        else:
            cells[i + 1, t] = t


@njit(cache=True)
def _grown(array: Bytes, used: int) -> Bytes:
    larger = np.empty((max(64, 2 * array.shape[0]), array.shape[1]), array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(cache=True)
def skeletons(
    degrees: Ints, colours: Ints, connected: bool, bridgeless: bool
) -> tuple[Bytes, NDArray[np.int64], Bytes, NDArray[np.int64]]:
    """Generate all canonical multigraphs without self-loops.

    Parameters
    ----------
    degrees : int64 array (n,)
        Number of lines to other vertices at each vertex; n >= 2.
    colours : int64 array (n,)
        Vertices of equal colour may be exchanged; equal colours stand together and have equal degrees.
    connected, bridgeless : bool
        Keep only connected graphs, only graphs that no single line disconnects (implies connected).

    Returns
    -------
    adjacency : uint8 array (m, n (n - 1) / 2)
        Strict upper triangles, row by row.
    order : int64 array (m,)
        Order of the automorphism group (of vertices; exchanges of parallel lines are not counted).
    generators : uint8 array (k, n)
        Generators of the groups, as images of the vertices.
    first : int64 array (m + 1,)
        ``generators[first[g] : first[g + 1]]`` belong to graph g.
    """
    n = degrees.size
    A = np.zeros((n, n), np.int64)
    missing = degrees.copy()
    cells = np.zeros((n + 1, n), np.int64)
    images = np.zeros((n + 2, n), np.int64)
    tried, parent, failed = np.zeros(n + 1, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    seen, stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found = np.zeros((n * n, n), np.int64)
    adjacency = np.empty((64, n * (n - 1) // 2), np.uint8)
    order = np.empty((64, 1), np.int64)
    first = np.zeros((64, 1), np.int64)
    generators = np.empty((64, n), np.uint8)
    n_graphs, n_generators = 0, 0
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
        _refine(A, n, i, cells)
        if i < n - 2:
            keep = not (connected or bridgeless) or _may_connect(A, n, i, missing, bridgeless, seen, stack)
            if keep and (i == 0 or _prefix_is_canonical(A, n, i, cells, images, tried)):
                i, j, entering = i + 1, i + 2, True
            continue
        if missing[n - 1]:
            continue
        if (connected or bridgeless) and not _may_connect(A, n, n - 1, missing, bridgeless, seen, stack):
            continue
        if bridgeless and _has_bridge(A, n, seen, stack):
            continue
        size, count = _automorphisms(A, n, cells, images, tried, parent, failed, found)
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
        for g in range(count):
            for v in range(n):
                generators[n_generators + g, v] = found[g, v]
        n_generators += count
        n_graphs += 1
        first[n_graphs, 0] = n_generators
    return adjacency[:n_graphs], order[:n_graphs, 0], generators[:n_generators], first[: n_graphs + 1, 0]


@njit(cache=True)
def leg_assignments(counts: Ints, permutations: Ints) -> tuple[Bytes, NDArray[np.int64]]:
    """Distribute labelled legs over vertices, one representative of each orbit under vertex permutations.

    Parameters
    ----------
    counts : int64 array (v,)
        Number of legs of each of the v leg-carrying vertices; the labels are ``0 .. sum(counts) - 1``.
    permutations : int64 array (g, v)
        All elements of the group acting on those vertices.

    Returns
    -------
    owners : uint8 array (k, n)
        The vertex (position in ``counts``) of each label.
    stabiliser : int64 array (k,)
        Number of group elements that leave the assignment as it is.
    """
    n = counts.sum()
    left = counts.copy()
    owner = np.full(n, -1, np.int64)
    owners = np.empty((64, n), np.uint8)
    stabiliser = np.empty((64, 1), np.int64)
    found, place = 0, 0
    while place >= 0:
        v = owner[place]
        if v >= 0:
            left[v] += 1
        v += 1
        while v < counts.size and left[v] == 0:
            v += 1
        if v == counts.size:
            owner[place] = -1
            place -= 1
            continue
        owner[place] = v
        left[v] -= 1
        if place < n - 1:
            place += 1
            continue
        fixed = 0
        for g in range(permutations.shape[0]):
            difference = 0
            for t in range(n):
                difference = permutations[g, owner[t]] - owner[t]
                if difference:
                    break
            if difference < 0:
                fixed = -1
                break
            fixed += difference == 0
        if fixed > 0:
            if found == owners.shape[0]:
                owners, stabiliser = _grown(owners, found), _grown(stabiliser, found)
            for t in range(n):
                owners[found, t] = owner[t]
            stabiliser[found, 0] = fixed
            found += 1
    return owners[:found], stabiliser[:found, 0]
