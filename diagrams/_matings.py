"""Compiled functions of arrays of mates: ``mates[g, h]`` is the half-edge joined to half-edge ``h`` of diagram ``g``.

Half-edges ``0 .. n_legs - 1`` are the ends of external legs.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@njit(cache=True)
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True)
def fermion_signs(mates: Bytes, n_legs: int, through: Ints, fermionic: Bools, conjugate: Bools) -> Ints:
    """Return the sign of each diagram.

    A fermion line enters a vertex at ``h`` and leaves it at ``through[h]``. Every closed line gives -1. The open
    lines, each with the leg that is not ``conjugate`` in front, list the fermionic legs in some order; the sign is
    that of the permutation that brings them into increasing order.
    """
    n_graphs, n_ends = mates.shape
    signs = np.ones(n_graphs, np.int64)
    seen = np.zeros(n_ends, np.bool_)
    listed = np.zeros(n_legs, np.int64)
    for g in range(n_graphs):
        seen[:] = False
        n_listed = 0
        for leg in range(n_legs):
            if seen[leg] or not fermionic[leg]:
                continue
            h = np.int64(mates[g, leg])
            while h >= n_legs:
                seen[h] = True
                seen[through[h]] = True
                h = np.int64(mates[g, through[h]])
            seen[leg] = True
            seen[h] = True
            front = not (conjugate[leg] and not conjugate[h])
            listed[n_listed] = leg if front else h
            listed[n_listed + 1] = h if front else leg
            n_listed += 2
        for a in range(n_listed):
            for b in range(a):
                if listed[b] > listed[a]:
                    signs[g] = -signs[g]
        for h0 in range(n_legs, n_ends):
            if seen[h0] or through[h0] < 0:
                continue
            signs[g] = -signs[g]
            h = np.int64(h0)
            while not seen[h]:
                seen[h] = True
                seen[through[h]] = True
                h = np.int64(mates[g, through[h]])
    return signs


@njit(cache=True)
def has_odd_fermion_loop(mates: Bytes, n_legs: int, through: Ints, nodes: Ints, parity: Ints) -> Bools:
    """Tell for each diagram whether the ``parity`` of the nodes on some closed fermion line adds up to odd."""
    n_graphs, n_ends = mates.shape
    result = np.zeros(n_graphs, np.bool_)
    seen = np.zeros(n_ends, np.bool_)
    for g in range(n_graphs):
        seen[:] = False
        for leg in range(n_legs):
            h = np.int64(mates[g, leg])
            while h >= n_legs and through[h] >= 0 and not seen[h]:
                seen[h] = True
                seen[through[h]] = True
                h = np.int64(mates[g, through[h]])
        for h0 in range(n_legs, n_ends):
            if seen[h0] or through[h0] < 0:
                continue
            total = 0
            h = np.int64(h0)
            while not seen[h]:
                total += parity[nodes[h]]
                seen[h] = True
                seen[through[h]] = True
                h = np.int64(mates[g, through[h]])
            if total % 2:
                result[g] = True
                break
    return result


@njit(cache=True)
def component_counts(mates: Bytes, nodes: Ints) -> Ints:
    """Return the number of connected components of each diagram."""
    n_graphs, n_ends = mates.shape
    n_nodes = nodes[n_ends - 1] + 1
    counts = np.full(n_graphs, n_nodes, np.int64)
    parent = np.zeros(n_nodes, np.int64)
    for g in range(n_graphs):
        for v in range(n_nodes):
            parent[v] = v
        for h in range(n_ends):
            a, b = _find(parent, nodes[h]), _find(parent, nodes[mates[g, h]])
            if a != b:
                parent[a] = b
                counts[g] -= 1
    return counts


@njit(cache=True)
def has_contracted_self_loop(mates: Bytes, nodes: Ints, cuttable: Bools) -> Bools:
    """Tell whether a cuttable line begins and ends at one node when all other lines shrink to points."""
    n_graphs, n_ends = mates.shape
    n_nodes = nodes[n_ends - 1] + 1
    result = np.zeros(n_graphs, np.bool_)
    parent = np.zeros(n_nodes, np.int64)
    for g in range(n_graphs):
        for v in range(n_nodes):
            parent[v] = v
        for h in range(n_ends):
            if not cuttable[h]:
                parent[_find(parent, nodes[h])] = _find(parent, nodes[mates[g, h]])
        for h in range(n_ends):
            if cuttable[h] and _find(parent, nodes[h]) == _find(parent, nodes[mates[g, h]]):
                result[g] = True
                break
    return result


@njit(cache=True)
def matings(
    codes: Ints, bits: int, skeleton: Ints, owners: Ints, first: Ints, types: Ints, partner: Ints, loops: Ints
) -> Bytes:
    """Write diagrams as arrays of mates.

    Parameters
    ----------
    codes : int64 array (m, V (V - 1) / 2)
        Lines between vertices of each skeleton, see :mod:`diagrams._orderly_fields`; ``bits`` bits for each type.
    skeleton : int64 array (G,)
        Skeleton of each diagram.
    owners : int64 array (G, n)
        Vertex of each leg; ``V + b`` joins the leg directly to leg ``b``.
    first : int64 array (V + 1,)
        First half-edge of each vertex, legs counted.
    types : int64 array (H,)
        Type of each half-edge.
    partner : int64 array (T,)
    loops : int64 array (V, T)
        Self-loops of each vertex, given at the smaller type of a pair.
    """
    n_graphs, n_legs = owners.shape
    n_vertices = first.size - 1
    n_types = partner.size
    n_ends = types.size
    mates = np.zeros((n_graphs, n_ends), np.uint8)
    # half-edges of each type at each vertex stand in a list; free[v, t] is the next unused place in it
    places = np.zeros((n_vertices, n_types, n_ends), np.int64)
    free = np.zeros((n_vertices, n_types), np.int64)
    for v in range(n_vertices):
        for h in range(first[v], first[v + 1]):
            places[v, types[h], free[v, types[h]]] = h
            free[v, types[h]] += 1
    for g in range(n_graphs):
        free[:] = 0
        for leg in range(n_legs):
            v = owners[g, leg]
            if v >= n_vertices:
                mates[g, leg] = v - n_vertices
                continue
            t = partner[types[leg]]
            h = places[v, t, free[v, t]]
            free[v, t] += 1
            mates[g, leg] = h
            mates[g, h] = leg
        place = 0
        for v in range(n_vertices):
            for w in range(v, n_vertices):
                code = 0
                if w > v:
                    code = codes[skeleton[g], place]
                    place += 1
                for t in range(n_types):
                    count = loops[v, t] if w == v else (code >> (bits * t)) & ((1 << bits) - 1)
                    p = partner[t]
                    for _ in range(count):
                        a = places[v, t, free[v, t]]
                        free[v, t] += 1
                        b = places[w, p, free[w, p]]
                        free[w, p] += 1
                        mates[g, a] = b
                        mates[g, b] = a
    return mates


@njit(cache=True)
def _grown(array: Ints, used: int) -> Ints:
    larger = np.empty((max(64, 2 * array.shape[0]), array.shape[1]), array.dtype)
    for i in range(used):
        for j in range(array.shape[1]):
            larger[i, j] = array[i, j]
    return larger


@njit(cache=True)
def leg_assignments(counts: Ints, labels: Ints, permutations: Ints) -> tuple[Ints, Ints]:
    """Distribute legs of several types over vertices, one representative of each orbit under vertex permutations.

    Parameters
    ----------
    counts : int64 array (v, T)
        How many legs of each type sit at each of the v leg-carrying vertices.
    labels : int64 array (n,)
        Type of each leg.
    permutations : int64 array (g, v)
        All elements of the group acting on those vertices.

    Returns
    -------
    owners : int64 array (k, n)
        The vertex (position in ``counts``) of each leg.
    stabiliser : int64 array (k,)
        Number of group elements that leave the assignment as it is.
    """
    n = labels.size
    left = counts.copy()
    owner = np.full(n, -1, np.int64)
    owners = np.empty((64, n), np.int64)
    stabiliser = np.empty((64, 1), np.int64)
    found, place = 0, 0
    while place >= 0:
        v, t = owner[place], labels[place]
        if v >= 0:
            left[v, t] += 1
        v += 1
        while v < counts.shape[0] and left[v, t] == 0:
            v += 1
        if v == counts.shape[0]:
            owner[place] = -1
            place -= 1
            continue
        owner[place] = v
        left[v, t] -= 1
        if place < n - 1:
            place += 1
            continue
        fixed = 0
        for g in range(permutations.shape[0]):
            difference = 0
            for leg in range(n):
                difference = permutations[g, owner[leg]] - owner[leg]
                if difference:
                    break
            if difference < 0:
                fixed = -1
                break
            fixed += difference == 0
        if fixed > 0:
            if found == owners.shape[0]:
                owners, stabiliser = _grown(owners, found), _grown(stabiliser, found)
            for leg in range(n):
                owners[found, leg] = owner[leg]
            stabiliser[found, 0] = fixed
            found += 1
    return owners[:found], stabiliser[:found, 0]
