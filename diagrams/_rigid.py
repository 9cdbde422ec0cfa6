"""Generation of rigid diagrams: all half-edges of a vertex differ, and there is at least one labelled leg.

A connected diagram of that kind has no automorphism but the identity, and it is walked through in exactly one way:
start at the first leg, always go on from the first half-edge found so far that is still open, and number the vertices
as they turn up. Every choice of where that half-edge ends (an open half-edge found before, another leg, a new vertex)
belongs to a different diagram, so nothing is ever compared.

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
def _has_bridge(mate: Ints, n_legs: int, owner: Ints, found: Ints, entrance: Ints, cuttable: Bools, mask: Ints) -> bool:
    """Tell whether a single cuttable line disconnects the finished diagram.

    The lines by which vertices were found form a tree; every other line gets a bit. The bits of the lines that leave
    the part behind a tree line add up (exclusive or) to zero exactly when there is none.
    """
    for v in range(mask.size):
        mask[v] = 0
    bit = np.int64(1)
    for h in range(n_legs, mate.size):
        g = mate[h]
        u, v = owner[h], owner[g]
        if g > h and entrance[u] != h and entrance[v] != g:
            mask[u] ^= bit
            mask[v] ^= bit
            bit <<= 1
    for k in range(found.size - 1, 0, -1):
        v = found[k]
        h = mate[entrance[v]]
        if mask[v] == 0 and cuttable[entrance[v]]:
            return True
        mask[owner[h]] ^= mask[v]
    return False


@njit(cache=True)
def _pairings(open_ends: Ints, partner: Ints) -> int:
    """Return the number of ways to join open half-edges to one another."""
    ways = 1
    for t in range(partner.size):
        if t == partner[t]:
            for k in range(open_ends[t] - 1, 1, -2):
                ways *= k
        elif t < partner[t]:
            for k in range(open_ends[t], 1, -1):
                ways *= k
    return ways


@njit(cache=True)
def rigid_diagrams(
    n_legs: int,
    types: Ints,
    owner: Ints,
    first: Ints,
    kind_start: Ints,
    place: Ints,
    partner: Ints,
    cuttable: Bools,
    bridgeless: bool,
    self_loops: bool,
    store: bool,
    limit: int,
) -> tuple[int, Bytes]:
    """Generate all connected diagrams with given legs and vertices.

    Parameters
    ----------
    n_legs : int
        Number of legs, at least 1; their ends are the half-edges ``0 .. n_legs - 1``.
    types : int64 array (H,)
        Type of each half-edge; the types at a vertex differ.
    owner : int64 array (H,)
        Vertex of each half-edge, -1 for legs.
    first : int64 array (V + 1,)
        First half-edge of each vertex; equal vertices stand together.
    kind_start : int64 array (K + 1,)
        First vertex of each kind of equal vertices.
    place : int64 array (K, T)
        Which half-edge of such a vertex is of that type, -1 for none.
    partner : int64 array (T,)
        The type that each type is joined to.
    cuttable : bool array (H,)
        False for half-edges whose line is not a propagator and so never counts as a bridge.
    bridgeless, self_loops : bool
        Keep only diagrams that no single line disconnects; keep those with a line from a vertex to itself.
    store : bool
        False counts only.
    limit : int
        Stop when more diagrams than this are found.

    Returns
    -------
    count : int
        Number of diagrams, ``limit + 1`` if there are more than ``limit``.
    mates : uint8 array (count, H)
        The half-edge joined to each half-edge; no rows when only counting.
    """
    n_ends, n_vertices, n_kinds, n_types = types.size, first.size - 1, place.shape[0], partner.size
    depth_max = n_ends // 2 + 1
    mate = np.full(n_ends, -1, np.int64)
    current, choice = np.zeros(depth_max, np.int64), np.full(depth_max, -1, np.int64)
    new_kind, scanned = np.full(depth_max, -1, np.int64), np.zeros(depth_max, np.int64)
    listed, length = np.zeros((n_types, n_ends), np.int64), np.zeros(n_types, np.int64)
    open_ends, waiting = np.zeros(n_types, np.int64), np.zeros(n_types, np.int64)  # of vertices found, of legs
    used, queue, n_queue = np.zeros(n_kinds, np.int64), np.zeros(n_ends, np.int64), 0
    found, entrance, mask = (
        np.zeros(n_vertices, np.int64),
        np.zeros(n_vertices, np.int64),
        np.zeros(n_vertices, np.int64),
    )
    mates = np.empty((64 if store else 0, n_ends), np.uint8)
    for leg in range(1, n_legs):
        listed[types[leg], length[types[leg]]] = leg
        length[types[leg]] += 1
        waiting[types[leg]] += 1
    count, n_found, n_open, n_waiting, depth = 0, 0, 1, n_legs - 1, 0
    free = not (store or bridgeless) and self_loops
    open_ends[types[0]] = 1
    while depth >= 0:
        h = current[depth]
        c = choice[depth]
        s = types[h]
        t = partner[s]
        if c >= 0:  # take back the present choice
            g = mate[h]
            mate[h] = -1
            mate[g] = -1
            open_ends[s] += 1
            n_open += 1
            if g < n_legs:
                waiting[t] += 1
                n_waiting += 1
            else:
                open_ends[t] += 1
                n_open += 1
            k = new_kind[depth]
            if k >= 0:
                used[k] -= 1
                n_found -= 1
                v = kind_start[k] + used[k]
                for e in range(first[v], first[v + 1]):
                    length[types[e]] -= 1
                    open_ends[types[e]] -= 1
                n_open -= first[v + 1] - first[v]
                n_queue -= first[v + 1] - first[v]
                new_kind[depth] = -1
        c += 1
        while c < length[t]:
            g = listed[t, c]
            if mate[g] < 0 and g != h and (self_loops or owner[g] != owner[h]):
                break
            c += 1
        if c >= length[t]:
            k = c - length[t]
            while k < n_kinds and (place[k, t] < 0 or used[k] == kind_start[k + 1] - kind_start[k]):
                k += 1
            if k == n_kinds:
                choice[depth] = -1
                depth -= 1
                continue
            c = length[t] + k
            v = kind_start[k] + used[k]
            used[k] += 1
            found[n_found] = v
            n_found += 1
            new_kind[depth] = k
            g = first[v] + place[k, t]
            entrance[v] = g
            for e in range(first[v], first[v + 1]):
                listed[types[e], length[types[e]]] = e
                length[types[e]] += 1
                open_ends[types[e]] += 1
                queue[n_queue] = e
                n_queue += 1
            n_open += first[v + 1] - first[v]
        choice[depth] = c
        mate[h] = g
        mate[g] = h
        open_ends[s] -= 1
        n_open -= 1
        if g < n_legs:
            waiting[t] -= 1
            n_waiting -= 1
        else:
            open_ends[t] -= 1
            n_open -= 1
        if n_found == n_vertices:
            # no vertex can supply an end for the legs still waiting
            if open_ends[s] < waiting[t] or open_ends[t] < waiting[s]:
                continue
            if free and n_waiting == 0:
                count += _pairings(open_ends, partner)
                continue
        elif n_open == 0:
            continue
        last, other = -1, -1
        if n_open > 0:
            q = scanned[depth]
            while mate[queue[q]] >= 0:
                q += 1
            if n_open == 1 and bridgeless and n_found < n_vertices and cuttable[queue[q]]:
                continue
            if n_open > 2 or n_waiting or n_found < n_vertices:
                depth += 1
                current[depth] = queue[q]
                scanned[depth] = q
                continue
            last = queue[q]  # only one line is left
            q += 1
            while mate[queue[q]] >= 0:
                q += 1
            other = queue[q]
            if not self_loops and owner[last] == owner[other]:
                continue
            mate[last] = other
            mate[other] = last
        if n_waiting == 0 and not (bridgeless and _has_bridge(mate, n_legs, owner, found, entrance, cuttable, mask)):
            if store:
                if count == mates.shape[0]:
                    larger = np.empty((2 * count, n_ends), np.uint8)
                    for g in range(count):
                        for e in range(n_ends):
                            larger[g, e] = mates[g, e]
                    mates = larger
                for e in range(n_ends):
                    mates[count, e] = mate[e]
            count += 1
        if last >= 0:
            mate[last] = -1
            mate[other] = -1
        if count > limit:
            break
    return count, mates[: count if store else 0]
