"""Attaching external legs to skeletons: one representative of each orbit of labelled legs, and no other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@compiled
def _acting_group(generators: Bytes, n: int, k: int) -> Bytes:
    """Return all ways in which the group permutes vertices ``0 .. k-1``, by products of transversals.

    Those vertices are a union of colours, so they are mapped among themselves; an element is fixed by its images of
    them up to the pointwise stabiliser, which is where the chain of stabilisers stops.
    """
    elements = np.empty((1, n), np.uint8)
    elements[0] = np.arange(n).astype(np.uint8)
    transversal = np.empty((n, n), np.uint8)
    for level in range(k - 1, -1, -1):
        reached = np.zeros(n, np.bool_)
        reached[level] = True
        transversal[0] = np.arange(n).astype(np.uint8)
        size, done = 1, 0
        while done < size:
            for g in range(generators.shape[0]):
                if generators[g, -1] >= level and not reached[generators[g, transversal[done, level]]]:
                    for v in range(n):
                        transversal[size, v] = generators[g, transversal[done, v]]
                    reached[transversal[size, level]] = True
                    size += 1
            done += 1
        if size > 1:  # every element is a transversal member after one of the stabiliser
            larger = np.empty((size * elements.shape[0], n), np.uint8)
            for t in range(size):
                for e in range(elements.shape[0]):
                    for v in range(n):
                        larger[t * elements.shape[0] + e, v] = transversal[t, elements[e, v]]
            elements = larger
    return elements


@compiled
def leg_owners(counts: Ints, elements: Bytes) -> Bytes:
    """Distribute labelled legs over vertices, one representative of each orbit, shape (orbits, legs).

    The owner of each label in turn is the smallest of its orbit under the elements that fix all owners so far; once
    every vertex with legs owns one, only the identity is left, so all orbits have the size of the group.
    """
    n = counts.sum()
    left = counts.copy()
    owner = np.full(n, -1, np.int64)
    active = np.empty((n + 1, elements.shape[0]), np.int64)
    n_active = np.zeros(n + 1, np.int64)
    n_active[0] = elements.shape[0]
    for e in range(elements.shape[0]):
        active[0, e] = e
    owners = np.empty((16, n), np.uint8)
    found, place = 0, 0
    while place >= 0:
        v = owner[place]
        if v >= 0:
            left[v] += 1
        v += 1
        while v < counts.size:
            smallest = left[v] > 0
            if smallest and n_active[place] > 1:
                for a in range(n_active[place]):
                    if elements[active[place, a], v] < v:
                        smallest = False
                        break
            if smallest:
                break
            v += 1
        if v == counts.size:
            owner[place] = -1
            place -= 1
            continue
        owner[place] = v
        left[v] -= 1
        if place < n - 1:
            kept = 0
            for a in range(n_active[place]):
                if elements[active[place, a], v] == v:
                    active[place + 1, kept] = active[place, a]
                    kept += 1
            place += 1
            n_active[place] = kept
            continue
        if found == owners.shape[0]:
            owners = np.concatenate((owners, np.empty_like(owners)))
        for t in range(n):
            owners[found, t] = owner[t]
        found += 1
    return owners[:found]


@compiled
def attach_legs(
    types: Bytes,
    sizes: Ints,
    vertex_list: Ints,
    acting: Ints,
    generators: Bytes,
    first: Ints,
    n_graphs: Ints,
    patterns: Bytes,
) -> tuple[NDArray[np.int32], Bytes]:
    """Put labelled legs on skeletons in all ways that are not related by automorphisms.

    Parameters
    ----------
    types, sizes, vertex_list, generators, first
        As in and from :func:`diagrams._orderly.skeletons`.
    acting : int64 array (S,)
        Order of the group in which automorphisms permute the vertices with legs.
    n_graphs : int64 array (S,)
        Number of graphs that each skeleton gives; known beforehand, since all orbits have the size of that group.
    patterns : uint8 array (P, n)
        Ways to join legs directly: 255 for a leg that goes to a vertex, else the leg that it is joined to.

    Returns
    -------
    skeleton : int32 array (G,)
    owners : uint8 array (G, n)
        Vertex of each leg; ``V + b`` for a leg joined to leg b.
    """
    total = n_graphs.sum()
    skeleton, owners = np.empty(total, np.int32), np.empty((total, patterns.shape[1]), np.uint8)
    row, last_list = 0, -1
    plain = np.empty((0, 0), np.uint8)
    for s in range(vertex_list.size):
        t = vertex_list[s]
        n = sizes[t]
        counts = types[t, :n, 1].astype(np.int64)
        counts = counts[: (counts > 0).sum()]
        if acting[s] > 1:
            group = _acting_group(generators[first[s] : first[s + 1]], n, counts.size)
            chosen = leg_owners(counts, group)
        else:
            if t != last_list:  # without symmetry all skeletons of a list share the assignments
                identity = np.arange(n).astype(np.uint8).reshape(1, n)
                plain = leg_owners(counts, identity) if counts.size else np.empty((1, 0), np.uint8)
                last_list = t
            chosen = plain
        for p in range(patterns.shape[0]):
            for c in range(chosen.shape[0]):
                place = 0
                for leg in range(patterns.shape[1]):
                    if patterns[p, leg] == 255:
                        owners[row, leg] = chosen[c, place]
                        place += 1
                    else:
                        owners[row, leg] = n + patterns[p, leg]
                skeleton[row] = s
                row += 1
    return skeleton, owners


@compiled
def symmetry_factors(adjacency: Bytes, start: Ints, order: Ints, local: Ints) -> Ints:
    """Return the order of the automorphism group of each skeleton, exchanges of parallel lines included.

    ``order`` (S,) counts permutations of vertices, ``local`` (S,) flips and exchanges of self-loops and whatever else
    multiplies the result. An order beyond 2**62 is returned as -1.
    """
    result = np.empty(order.size, np.int64)
    for s in range(order.size):
        factor, size = order[s], float(order[s]) * float(local[s])
        for q in range(start[s], start[s + 1]):
            for f in range(2, adjacency[q] + 1):
                factor *= f
                size *= f
        result[s] = factor * local[s] if size < 2.0**62 else -1
    return result
