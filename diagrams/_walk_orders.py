"""Which of the walks through one diagram is the smallest, and how many look the same: see :mod:`diagrams._walk`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_LEG, _OLD, _NEW = 0, 1 << 20, 1 << 40  # what a half-edge can be joined to, in increasing order


@compiled
def walk_orders(
    mates: Bytes,
    n_legs: int,
    root: int,
    pooled: bool,
    compare: bool,
    types: Ints,
    owner: Ints,
    first: Ints,
    kind_of: Ints,
    kind_start: Ints,
) -> Ints:
    """Return the order of the automorphism group of each diagram, 0 for those whose walk is not the smallest.

    Parameters
    ----------
    mates : uint8 array (G, H)
        From :func:`diagrams._walk.walks`, half-edges numbered by the walk.
    n_legs, root, types, owner, first, kind_start
        As in :class:`diagrams._walk.WalkModel`.
    pooled : bool
        Legs of one type may be permuted.
    compare : bool
        False counts the automorphisms of diagrams even if their walk is not the smallest.
    kind_of : int64 array (V,)
        Kind of each vertex.

    Notes
    -----
    All walks through a diagram are tried as long as they look like the one given. Equal half-edges whose lines end at
    the same vertex are tried once, and counted.
    """
    n_graphs, n_ends = mates.shape
    n_vertices = first.size - 1
    orders = np.zeros(n_graphs, np.int64)
    named, taken = np.zeros(n_ends, np.bool_), np.zeros(n_ends, np.bool_)  # half-edges, and places of the walk
    position, queue = np.zeros(n_ends, np.int64), np.zeros(n_ends, np.int64)
    seat, holder = np.zeros(n_vertices, np.int64), np.zeros(n_vertices, np.int64)
    places, read = np.zeros(n_ends, np.int64), np.zeros(n_ends, np.int64)  # for each step
    tried, fresh = np.zeros(n_ends, np.int64), np.zeros(n_ends, np.bool_)
    ways = np.zeros(n_ends + 1, np.int64)
    mate = np.zeros(n_ends, np.int64)
    for g in range(n_graphs):
        for h in range(n_ends):
            mate[h] = mates[g, h]
            named[h] = False
            taken[h] = False
        for v in range(n_vertices):
            seat[v] = -1
            holder[v] = -1
        n_queue, level, is_smaller = 0, 0, False
        places[0], tried[0], fresh[0], read[0], ways[0] = root, -1, False, 0, 1
        while level >= 0:
            s, last = places[level], tried[level]
            r = mate[s]  # where the walk given goes on
            if s < n_legs:
                begin, end = (0, n_legs) if pooled else (root, root + 1)
            else:
                v = holder[owner[s]]
                begin, end = first[v], first[v + 1]
            if last >= 0:  # take back
                o = mate[last]
                named[last] = False
                named[o] = False
                taken[s] = False
                taken[r] = False
                if fresh[level]:
                    seat[owner[o]] = -1
                    holder[owner[r]] = -1
                    n_queue -= first[owner[r] + 1] - first[owner[r]]
                    fresh[level] = False
            wanted = _LEG + r
            if r >= n_legs:
                wanted = _NEW + kind_of[owner[r]] if holder[owner[r]] < 0 else _OLD + position[r]
            chosen, n_equal = -1, 0
            for e in range(begin, end):
                if types[e] != types[s] or named[e]:
                    continue
                o = mate[e]
                if chosen >= 0:  # the same line as the one chosen?
                    p = mate[chosen]
                    if p < n_legs or o < n_legs:
                        is_equal = pooled and p < n_legs and o < n_legs
                    else:
                        is_equal = owner[o] == owner[p]
                    if is_equal:
                        n_equal += 1
                        continue
                    if last >= 0 or not compare:
                        continue
                if o < n_legs:  # exchangeable legs are numbered as they turn up
                    key = _LEG + (r if pooled and r < n_legs else o)
                elif seat[owner[o]] < 0:
                    key = _NEW + kind_of[owner[o]]
                else:
                    q = first[seat[owner[o]]]
                    while types[q] != types[o] or taken[q] or q == s:
                        q += 1
                    key = _OLD + position[q]
                if key < wanted and compare:
                    is_smaller = True
                    break
                if key == wanted and chosen < 0 and e > last:
                    if last >= 0:  # was it counted with one that was tried before?
                        is_counted = False
                        for f in range(begin, e):
                            if types[f] == types[s] and not named[f]:
                                p = mate[f]
                                if p < n_legs or o < n_legs:
                                    is_counted |= pooled and p < n_legs and o < n_legs
                                else:
                                    is_counted |= owner[o] == owner[p]
                        if is_counted:
                            continue
                    chosen, n_equal = e, 1
            if is_smaller:
                orders[g] = 0
                break
            if chosen < 0:
                level -= 1
                continue
            o = mate[chosen]
            tried[level] = chosen
            named[chosen] = True
            named[o] = True
            taken[s] = True
            taken[r] = True
            ways[level + 1] = ways[level] * n_equal
            if o >= n_legs and seat[owner[o]] < 0:
                w = owner[r]
                seat[owner[o]] = w
                holder[w] = owner[o]
                fresh[level] = True
                for q in range(first[w], first[w + 1]):
                    position[q] = n_queue
                    queue[n_queue] = q
                    n_queue += 1
            q = read[level]
            while q < n_queue and taken[queue[q]]:
                q += 1
            if q == n_queue:
                orders[g] += ways[level + 1]
                continue
            level += 1
            places[level], tried[level], fresh[level], read[level] = queue[q], -1, False, q
    return orders
