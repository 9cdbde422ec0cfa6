"""Components and bridges of a multigraph whose rows become known one after another, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]


@compiled
def row_is_allowed(
    A: Ints,
    n: int,
    i: int,
    missing: Ints,
    counts: Ints,
    components: int,
    bridgeless: bool,
    tadpoles: bool,
    closed: Ints,
    walk: Ints,
) -> bool:
    """Tell whether a graph with row ``i`` as it is can still have the wanted components and no forbidden bridge.

    ``missing`` (n,) holds the lines that each vertex lacks, ``counts`` (n,) its legs. ``closed[i]`` (2,) holds the
    number of components that lacked no line before row ``i``, and of their vertices; it is set for row ``i + 1``.
    ``walk`` (6, n) is workspace.

    A part that has just become complete holds the vertex ``i`` or a new neighbour of it, so that the neighbours tell
    in most cases that there is none, and that no walk through the graph is needed.
    """
    closed[i + 1, 0], closed[i + 1, 1] = closed[i, 0], closed[i, 1]
    lines, open_lines, open_ends, is_complete = 0, 0, 0, False
    for w in range(i + 1, n):
        if A[i, w]:
            lines += A[i, w]
            open_ends += missing[w]
            if missing[w]:
                open_lines += A[i, w]
            elif A[i, w] == 1:
                is_complete = True
    if lines == 0:  # nothing changes, unless this vertex is alone
        for w in range(i):
            if A[i, w]:
                return True
    no_bridges = bridgeless or not tadpoles
    if open_ends > (1 if no_bridges else 0) and not (no_bridges and (is_complete or open_lines < 2)):
        return True
    if not no_bridges:
        size, open_ends = _reached(A, n, i, missing, walk)
        if open_ends:
            return True
        closed[i + 1, 0] += 1
        closed[i + 1, 1] += size
        return closed[i + 1, 0] < components or closed[i + 1, 1] == n
    size = _walk_through(A, n, i, missing, counts, walk)
    open_ends, n_legs = walk[4, i], walk[5, i]
    if open_ends == 0:
        closed[i + 1, 0] += 1
        closed[i + 1, 1] += size
        if closed[i + 1, 0] >= components and closed[i + 1, 1] < n:
            return False
    elif open_ends == 1 and (bridgeless or (n_legs == 0 and not tadpoles)):
        return False
    return not _has_bridge(n, i, bridgeless, walk)


@compiled
def _reached(A: Ints, n: int, root: int, missing: Ints, walk: Ints) -> tuple[int, int]:
    """Return the number of vertices of a component that has no line left at ``root``, and of lines that they lack."""
    stack, seen = walk[0], walk[1]
    for v in range(n):
        seen[v] = 0
    stack[0], seen[root] = root, 1
    size, place, open_ends = 1, 0, 0
    while place < size and size < n and open_ends == 0:
        v = stack[place]
        place += 1
        for w in range(n):
            if A[v, w] and not seen[w]:
                seen[w] = 1
                stack[size] = w
                size += 1
                open_ends += missing[w]
    return size, open_ends


@compiled
def _walk_through(A: Ints, n: int, root: int, missing: Ints, counts: Ints, walk: Ints) -> int:
    """Walk through a component depth first, and return the number of its vertices.

    Sets for each vertex the rows of ``walk``: its place in the order (0 if not in the component), the earliest place
    that one line from it or from below reaches, its parent, the neighbour to look at next, and the lines that it and
    those below it lack and their legs.
    """
    order, low, parent, following, ends, legs = walk[0], walk[1], walk[2], walk[3], walk[4], walk[5]
    for v in range(n):
        order[v] = 0
    visited, v = 1, root
    order[v], low[v], parent[v], following[v], ends[v], legs[v] = 1, 1, -1, 0, missing[v], counts[v]
    while True:
        w = following[v]
        if w < n:
            following[v] += 1
            if A[v, w] and order[w] == 0:
                visited += 1
                order[w], low[w], parent[w], following[w] = visited, visited, v, 0
                ends[w], legs[w] = missing[w], counts[w]
                v = w
            elif A[v, w] and (w != parent[v] or A[v, w] > 1):
                low[v] = min(low[v], order[w])
            continue
        p = parent[v]
        if p < 0:
            return visited
        low[p] = min(low[p], low[v])
        ends[p] += ends[v]
        legs[p] += legs[v]
        v = p


@compiled
def _has_bridge(n: int, root: int, bridgeless: bool, walk: Ints) -> bool:
    """Look for a forbidden line that alone joins two parts of a component, one of which lacks no line.

    Every such line is forbidden if ``bridgeless``, else those with a complete part that has no leg.
    """
    order, low, ends, legs = walk[0], walk[1], walk[4], walk[5]
    for v in range(n):
        if order[v] > 1 and low[v] == order[v]:
            if ends[v] == 0 and (bridgeless or legs[v] == 0):
                return True
            if ends[v] == ends[root] and (bridgeless or legs[v] == legs[root]):
                return True
    return False
