"""Lists of vertices: all multisets of vertex types that can make up a graph, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _is_graphical(rest: Ints, size: int, connected: bool, fewest: int) -> bool:
    """Check necessary conditions on the numbers of lines to other vertices."""
    total, most, least = 0, 0, 1 << 30
    for v in range(size):
        total += rest[v]
        most = max(most, rest[v])
        least = min(least, rest[v])
    if total % 2 or 2 * most > total:
        return False
    if size == 1 or not connected:
        return True
    return least >= fewest and total >= 2 * (size - 1)


@njit(cache=True, nogil=True)
def vertex_multisets(
    types: Ints, excess: int, legs: int, connected: bool, bridgeless: bool
) -> tuple[Bytes, NDArray[np.int64]]:
    """Return all multisets of types with sum (degree - 2) = excess and ``legs`` legs in all.

    Parameters
    ----------
    types : int64 array (K, 3)
        The (degree, legs, self-loops) allowed, in the order in which vertices of a list stand.
    excess, legs : int
    connected : bool
        Leave out lists on which no connected graph exists.
    bridgeless : bool
        Leave out lists with a vertex that a single line joins to the rest.

    Returns
    -------
    lists : uint8 array (T, V, 3)
        Filled up with zeros, in lexicographic order of types.
    sizes : int64 array (T,)
    """
    v_max = max(1, excess)
    fewest = 2 if bridgeless else 1
    chosen, rest = np.zeros(v_max, np.int64), np.zeros(v_max, np.int64)
    lists = np.zeros((64, v_max, 3), np.uint8)
    sizes = np.zeros(64, np.int64)
    found, depth, next_type, excess_left, legs_left = 0, 0, 0, excess, legs
    while True:
        fits = False
        while excess_left > 0 and next_type < types.shape[0]:
            if types[next_type, 0] - 2 <= excess_left and types[next_type, 1] <= legs_left:
                fits = True
                break
            if types[next_type, 1] == 0 and legs_left > 0:
                break  # types without legs come last: the legs cannot be placed any more
            next_type += 1
        if fits:
            chosen[depth] = next_type
            degree, n, loops = types[next_type]
            rest[depth] = degree - n - 2 * loops
            excess_left -= degree - 2
            legs_left -= n
            depth += 1
            continue
        if excess_left == 0 and legs_left == 0 and _is_graphical(rest, depth, connected, fewest):
            if found == lists.shape[0]:
                lists = np.concatenate((lists, np.zeros_like(lists)))
                sizes = np.concatenate((sizes, np.zeros_like(sizes)))
            for v in range(depth):
                for part in range(3):
                    lists[found, v, part] = types[chosen[v], part]
            sizes[found] = depth
            found += 1
        if depth == 0:
            break
        depth -= 1
        excess_left += types[chosen[depth], 0] - 2
        legs_left += types[chosen[depth], 1]
        next_type = chosen[depth] + 1
    return lists[:found], sizes[:found]
