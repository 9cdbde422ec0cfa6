"""Compiled functions of arrays of mates: ``mates[g, h]`` is the half-edge joined to half-edge ``h`` of diagram ``g``.

Half-edges ``0 .. n_legs - 1`` are the ends of external legs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@compiled
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
def matings(
    codes: Ints,
    bits: int,
    of_list: Ints,
    slots: Ints,
    skeleton: Ints,
    owners: Bytes,
    first: Ints,
    types: Ints,
    partner: Ints,
    loops: Ints,
) -> Bytes:
    """Write diagrams as arrays of mates.

    Parameters
    ----------
    codes : int64 array (m, V (V - 1) / 2)
        Lines between vertices of each skeleton, see :mod:`diagrams._orderly_fields`; ``bits`` bits for each type.
    of_list : int64 array (m,)
        List of vertices of each skeleton.
    slots : int64 array (L, V)
        Number that each vertex of a list gets.
    skeleton : int64 array (G,)
        Skeleton of each diagram.
    owners : uint8 array (G, n)
        Vertex of each leg; ``V + b`` joins the leg directly to leg ``b``.
    first : int64 array (V + 1,)
        First half-edge of each numbered vertex, legs counted.
    types : int64 array (H,)
        Type of each half-edge.
    partner : int64 array (T,)
    loops : int64 array (L, V, T)
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
        list_ = of_list[skeleton[g]]
        slot = slots[list_]
        for leg in range(n_legs):
            owner = np.int64(owners[g, leg])
            if owner >= n_vertices:
                mates[g, leg] = owner - n_vertices
                continue
            v, t = slot[owner], partner[types[leg]]
            h = places[v, t, free[v, t]]
            free[v, t] += 1
            mates[g, leg] = h
            mates[g, h] = leg
        place = 0
        for i in range(n_vertices):
            for j in range(i, n_vertices):
                code = np.int64(0)
                if j > i:
                    code = codes[skeleton[g], place]
                    place += 1
                    if code == 0:
                        continue
                v, w = slot[i], slot[j]
                for t in range(n_types):
                    count = loops[list_, i, t] if j == i else (code >> (bits * t)) & ((1 << bits) - 1)
                    p = partner[t]
                    for _ in range(count):
                        a = places[v, t, free[v, t]]
                        free[v, t] += 1
                        b = places[w, p, free[w, p]]
                        free[w, p] += 1
                        mates[g, a] = b
                        mates[g, b] = a
    return mates
