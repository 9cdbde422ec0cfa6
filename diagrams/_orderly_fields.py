"""Orderly generation of vertex-coloured multigraphs whose lines have types and directions.

As in :mod:`diagrams._orderly`, but an entry of the matrix is a *code*: for each half-edge type, how many half-edges of
that type of the row's vertex are joined to the column's vertex, packed into ``bits`` bits each. The code seen from the
other end holds the same numbers at the partner types. A graph is canonical when the rows of the strict upper triangle
are lexicographically largest among all renumberings that keep the colours; rows are filled with the largest codes
first, non-increasing in a cell of vertices that nothing so far tells apart, and a prefix of rows that some renumbering
makes larger is abandoned. The same search on the full matrix gives |Aut| and generators by a chain of stabilisers.

All compiled functions live in this one file, because the on-disk cache of numba notices edits of the file of the
function that is called and of no other.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@njit(cache=True)
def _compare_row(A: Ints, n: int, i: int, cells: Ints, images: Ints) -> int:
    """Compare row ``i`` with the best arrangement of the row of ``images[i, i]``: 1, 0, -1 for larger, equal, smaller.

    Fills ``images[i + 1]`` as far as the rows agree.
    """
    p = images[i, i]
    for t in range(i + 1):
        images[i + 1, t] = images[i, t]
    start = i + 1
    while start < n:
        end = start + 1
        while end < n and cells[i, end] == cells[i, start]:
            end += 1
        for t in range(start, end):  # insertion sort of the cell, largest codes first
            vertex = images[i, t]
            code = A[p, vertex]
            u = t
            while u > start and A[p, images[i + 1, u - 1]] < code:
                images[i + 1, u] = images[i + 1, u - 1]
                u -= 1
            images[i + 1, u] = vertex
        for t in range(start, end):
            code = A[p, images[i + 1, t]]
            if code != A[i, t]:
                return 1 if code > A[i, t] else -1
        start = end
    return 0


@njit(cache=True)
def _search(A: Ints, n: int, last: int, base: int, image: int, cells: Ints, images: Ints, tried: Ints) -> int:
    """Look for a renumbering that fixes places below ``base``, puts ``image`` there and makes known rows larger.

    Rows up to ``last`` are known. Returns 1 if there is one, 0 when one leaves them equal (it is
    ``images[last + 1]``), -1 if all are smaller. Only vertices with known rows can be images.
    """
    for t in range(n):
        images[base, t] = t
    images[base, base] = image
    images[base, image] = base
    i = base
    while True:
        sign = _compare_row(A, n, i, cells, images)
        if sign > 0 or (sign == 0 and i == last):
            return sign
        if sign == 0:
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
def _prefix_is_canonical(A: Ints, n: int, last: int, cells: Ints, images: Ints, tried: Ints) -> bool:
    """Necessary condition with rows ``0 .. last`` known."""
    for level in range(last + 1):
        image = level + 1
        while image <= last and cells[level, image] == cells[level, level]:
            if _search(A, n, last, level, image, cells, images, tried) == 1:
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
    order, n_generators = 1, 0
    for level in range(n - 2, -1, -1):
        end = level + 1
        while end < n and cells[level, end] == cells[level, level]:
            end += 1
        for v in range(n):
            failed[v] = 0
        for image in range(level + 1, end):
            root = _find(parent, image)
            if root == _find(parent, level) or failed[root]:
                continue
            outcome = _search(A, n, n - 1, level, image, cells, images, tried)
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
def _may_connect(
    A: Ints, n: int, last: int, missing: Ints, cuttable: Bools, bridgeless: bool, seen: Ints, stack: Ints
) -> bool:
    """Reject when a component is closed before the graph is complete (or would close through a single propagator)."""
    for v in range(n):
        seen[v] = 0
    for source in range(last + 1):
        if seen[source]:
            continue
        seen[source] = 1
        stack[0] = source
        depth, size, open_ends, open_cuttable = 1, 0, 0, 0
        while depth:
            depth -= 1
            v = stack[depth]
            size += 1
            for t in range(cuttable.size):
                open_ends += missing[v, t]
                open_cuttable += missing[v, t] * cuttable[t]
            for w in range(n):
                if A[v, w] and not seen[w]:
                    seen[w] = 1
                    stack[depth] = w
                    depth += 1
        if size < n and (open_ends == 0 or (bridgeless and open_ends == 1 and open_cuttable == 1)):
            return False
    return True


@njit(cache=True)
def _is_single(code: int, cuttable: Bools, bits: int) -> bool:
    """Tell whether a code stands for one propagator and nothing else."""
    for t in range(cuttable.size):
        if code == 1 << (bits * t):
            return bool(cuttable[t])
    return False


@njit(cache=True)
def _has_bridge(A: Ints, n: int, cuttable: Bools, bits: int, seen: Ints, stack: Ints) -> bool:
    """Tell whether a single propagator disconnects the graph."""
    for i in range(n):
        for j in range(i + 1, n):
            if not _is_single(A[i, j], cuttable, bits):
                continue
            for v in range(n):
                seen[v] = 0
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
    """Cells after row ``i``: vertices stay together when they were and have the same code in that row."""
    for t in range(n):
        same = t > i + 1 and cells[i, t] == cells[i, t - 1] and A[i, t] == A[i, t - 1]
        cells[i + 1, t] = cells[i + 1, t - 1] if same else t


@njit(cache=True)
def _grown(array: Ints, used: int) -> Ints:
    larger = np.empty((max(64, 2 * array.shape[0]), array.shape[1]), array.dtype)
    for i in range(used):
        for j in range(array.shape[1]):
            larger[i, j] = array[i, j]
    return larger


@njit(cache=True)
def _reserve(missing: Ints, i: int, j: int, code: int, bits: int, partner: Ints, sign: int) -> int:
    """Take the half-edges of a code away from ``i`` and ``j`` (``sign`` -1 gives them back); return the reverse."""
    reverse = 0
    for t in range(partner.size):
        count = (code >> (bits * t)) & ((1 << bits) - 1)
        missing[i, t] -= sign * count
        missing[j, partner[t]] -= sign * count
        reverse |= count << (bits * partner[t])
    return reverse


@njit(cache=True)
def _largest_code(missing: Ints, i: int, j: int, below: int, bits: int, partner: Ints, limits: Ints) -> int:
    """Return the largest code smaller than ``below`` that vertices ``i`` and ``j`` can take, -1 if there is none.

    Vertex ``i`` must be able to place its other half-edges at the vertices after ``j``. ``limits`` is workspace.
    """
    n_types = partner.size
    smallest, largest = 0, 0
    for t in range(n_types):
        p = partner[t]
        capacity = 0
        for w in range(j + 1, missing.shape[0]):
            capacity += missing[w, p]
        limits[0, t] = max(0, missing[i, t] - capacity)
        limits[1, t] = min(missing[i, t], missing[j, p])
        if limits[0, t] > limits[1, t]:
            return -1
        smallest |= limits[0, t] << (bits * t)
        largest |= limits[1, t] << (bits * t)
    if largest < below:
        return largest
    if smallest >= below:
        return -1
    # follow the digits of below - 1 from the top; where one cannot be followed, everything after it is largest
    code, t = 0, n_types - 1
    while t >= 0:
        digit = ((below - 1) >> (bits * t)) & ((1 << bits) - 1)
        if digit > limits[1, t]:
            break
        if digit < limits[0, t]:  # go back to the last digit that can be made smaller
            t += 1
            while (code >> (bits * t)) & ((1 << bits) - 1) == limits[0, t]:
                code &= ~(((1 << bits) - 1) << (bits * t))
                t += 1
            code -= 1 << (bits * t)
            t -= 1
            break
        code |= digit << (bits * t)
        t -= 1
    while t >= 0:
        code |= limits[1, t] << (bits * t)
        t -= 1
    return code


@njit(cache=True)
def skeletons(
    rest: Ints, colours: Ints, partner: Ints, cuttable: Bools, bits: int, connected: bool, bridgeless: bool
) -> tuple[Ints, Ints, Bytes, Ints]:
    """Generate all canonical multigraphs without self-loops.

    Parameters
    ----------
    rest : int64 array (n, T)
        Number of half-edges of each type at each vertex that go to other vertices; n >= 2.
    colours : int64 array (n,)
        Vertices of equal colour may be exchanged; equal colours stand together and have equal ``rest``.
    partner : int64 array (T,)
        The type that each type is joined to.
    cuttable : bool array (T,)
        False for types whose lines are not propagators and so never count as bridges.
    bits : int
        Bits for one count in a code.
    connected, bridgeless : bool
        Keep only connected graphs, only graphs that no single line disconnects (implies connected).

    Returns
    -------
    codes : int64 array (m, n (n - 1) / 2)
        Strict upper triangles, row by row.
    order : int64 array (m,)
        Order of the automorphism group (of vertices; exchanges of parallel lines are not counted).
    generators : uint8 array (k, n)
        Generators of the groups, as images of the vertices.
    first : int64 array (m + 1,)
        ``generators[first[g] : first[g + 1]]`` belong to graph g.
    """
    n = rest.shape[0]
    A = np.zeros((n, n), np.int64)
    missing, limits = rest.copy(), np.zeros((2, partner.size), np.int64)
    cells, images, tried = np.zeros((n + 1, n), np.int64), np.zeros((n + 2, n), np.int64), np.zeros(n + 1, np.int64)
    parent, failed = np.zeros(n, np.int64), np.zeros(n, np.int64)
    seen, stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found = np.zeros((n * n, n), np.int64)
    codes, order = np.empty((64, n * (n - 1) // 2), np.int64), np.empty((64, 1), np.int64)
    first, generators = np.zeros((64, 1), np.int64), np.empty((64, n), np.uint8)
    n_graphs, n_generators = 0, 0
    for t in range(1, n):
        cells[0, t] = cells[0, t - 1] if colours[t] == colours[t - 1] else t
    i, j, entering = 0, 1, True
    while True:
        if entering:  # codes in a cell do not increase
            below = np.int64(1) << 62
            if j > i + 1 and cells[i, j] == cells[i, j - 1]:
                below = A[i, j - 1] + 1
            entering = False
        else:  # take back the present code and try the next smaller one
            below = A[i, j]
            _reserve(missing, i, j, below, bits, partner, -1)
        code = _largest_code(missing, i, j, below, bits, partner, limits)
        if code < 0:
            A[i, j], A[j, i] = 0, 0
            if j > i + 1:
                j -= 1
            elif i > 0:
                i, j = i - 1, n - 1
            else:
                break
            continue
        A[j, i] = _reserve(missing, i, j, code, bits, partner, 1)
        A[i, j] = code
        if j < n - 1:
            j, entering = j + 1, True
            continue
        _refine(A, n, i, cells)
        if connected and not _may_connect(A, n, min(i, n - 2), missing, cuttable, bridgeless, seen, stack):
            continue
        if i < n - 2:
            if i == 0 or _prefix_is_canonical(A, n, i, cells, images, tried):
                i, j, entering = i + 1, i + 2, True
            continue
        left = 0
        for t in range(partner.size):
            left += missing[n - 1, t]
        if left or (bridgeless and _has_bridge(A, n, cuttable, bits, seen, stack)):
            continue
        size, count = _automorphisms(A, n, cells, images, tried, parent, failed, found)
        if size == 0:
            continue
        if n_graphs + 1 >= order.shape[0]:
            codes, order, first = _grown(codes, n_graphs), _grown(order, n_graphs), _grown(first, n_graphs + 1)
        while n_generators + count > generators.shape[0]:
            generators = _grown(generators, n_generators)
        place = 0
        for a in range(n):
            for b in range(a + 1, n):
                codes[n_graphs, place] = A[a, b]
                place += 1
        order[n_graphs, 0] = size
        for g in range(count):
            for v in range(n):
                generators[n_generators + g, v] = found[g, v]
        n_generators += count
        n_graphs += 1
        first[n_graphs, 0] = n_generators
    return codes[:n_graphs], order[:n_graphs, 0], generators[:n_generators], first[: n_graphs + 1, 0]
