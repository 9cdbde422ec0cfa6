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
    parts: Ints,
    closed: Ints,
    walk: Ints,
) -> bool:
    """Tell whether a graph with row ``i`` as it is can still have the wanted components and no forbidden bridge.

    ``missing`` (n,) holds the lines that each vertex lacks, ``counts`` (n,) its legs. ``parts[i]`` (n,) numbers the
    components before row ``i``, ``closed[i]`` (2,) holds the number of those that lack no line, and of their vertices:
    both are set for row ``i + 1``. ``walk`` (6, n) is workspace.
    """
    closed[i + 1, 0], closed[i + 1, 1] = closed[i, 0], closed[i, 1]
    if not _join_row(A, n, i, parts):
        return True
    size, open_ends, n_legs = 0, 0, 0
    for v in range(n):
        if parts[i + 1, v] == parts[i + 1, i]:
            size += 1
            open_ends += missing[v]
            n_legs += counts[v]
    if open_ends == 0:
        closed[i + 1, 0] += 1
        closed[i + 1, 1] += size
        if closed[i + 1, 0] >= components and closed[i + 1, 1] < n:
            return False
    elif open_ends == 1 and (bridgeless or (n_legs == 0 and not tadpoles)):
        return False
    return (tadpoles and not bridgeless) or not _has_bridge(A, n, i, missing, counts, bridgeless, walk)


@compiled
def _join_row(A: Ints, n: int, i: int, parts: Ints) -> bool:
    """Set the components after row ``i``; false if the row adds nothing to what was known."""
    label = parts[i, i]
    is_new = True
    for v in range(n):
        parts[i + 1, v] = parts[i, v]
        if v != i and parts[i, v] == label:
            is_new = False
    for w in range(i + 1, n):
        if A[i, w]:
            is_new = True
            other = parts[i + 1, w]
            if other != label:
                for v in range(n):
                    if parts[i + 1, v] == other:
                        parts[i + 1, v] = label
    return is_new


@compiled
def _has_bridge(A: Ints, n: int, root: int, missing: Ints, counts: Ints, bridgeless: bool, walk: Ints) -> bool:
    """Look for a forbidden line that alone joins two parts of a component, one of which lacks no line.

    Every such line is forbidden if ``bridgeless``, else those with a complete part that has no leg.
    """
    order, low, parent, following, ends, legs = walk[0], walk[1], walk[2], walk[3], walk[4], walk[5]
    order[:] = 0
    visited, v = 1, root
    order[v], low[v], parent[v], following[v], ends[v], legs[v] = 1, 1, -1, 0, missing[v], counts[v]
    while True:  # depth first; low is the earliest vertex that is reached by one line from below
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
            break
        low[p] = min(low[p], low[v])
        ends[p] += ends[v]
        legs[p] += legs[v]
        v = p
    for v in range(n):
        if order[v] > 1 and low[v] == order[v]:
            if ends[v] == 0 and (bridgeless or legs[v] == 0):
                return True
            if ends[v] == ends[root] and (bridgeless or legs[v] == legs[root]):
                return True
    return False
