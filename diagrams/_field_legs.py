"""Attaching labelled legs of several types to skeletons, one representative of each orbit, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._legs import _acting_group

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@compiled
def _leg_owners(counts: Ints, labels: Ints, elements: Bytes) -> Bytes:
    """Distribute legs of the types ``labels`` over vertices with ``counts[v, t]`` each, shape (orbits, legs).

    As :func:`diagrams._legs.leg_owners`: the owner of each leg is the smallest of its orbit under the elements that fix
    all owners so far. Every vertex owns a leg in the end, so that all orbits have the size of the group.
    """
    n, v_max = labels.size, counts.shape[0]
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
        v, t = owner[place], labels[place]
        if v >= 0:
            left[v, t] += 1
        v += 1
        while v < v_max:
            smallest = left[v, t] > 0
            if smallest and n_active[place] > 1:
                for a in range(n_active[place]):
                    if elements[active[place, a], v] < v:
                        smallest = False
                        break
            if smallest:
                break
            v += 1
        if v == v_max:
            owner[place] = -1
            place -= 1
            continue
        owner[place] = v
        left[v, t] -= 1
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
        for leg in range(n):
            owners[found, leg] = owner[leg]
        found += 1
    return owners[:found]


@compiled
def attach_legs(
    counts: Ints,
    of_list: Ints,
    acting: Ints,
    generators: Bytes,
    first: Ints,
    n_graphs: Ints,
    labels: Ints,
    joined: Ints,
) -> tuple[Ints, Bytes]:
    """Put labelled legs on skeletons in all ways that are not related by automorphisms.

    Parameters
    ----------
    counts : int64 array (L, n, T)
        Legs of each type at the vertices of each list; vertices with legs come first.
    of_list, acting, generators, first
        As in :class:`diagrams._orderly_fields.Skeletons`.
    n_graphs : int64 array (S,)
        Number of graphs that each skeleton gives.
    labels : int64 array (legs,)
        Type of each leg.
    joined : int64 array (W, legs)
        Ways to join legs directly: -1 for a leg that goes to a vertex, else the leg that it is joined to.

    Returns
    -------
    skeleton : int64 array (G,)
    owners : uint8 array (G, legs)
        Vertex of each leg; ``n + b`` for a leg joined to leg b.
    """
    n = counts.shape[1]
    total = n_graphs.sum()
    skeleton, owners = np.empty(total, np.int64), np.empty((total, labels.size), np.uint8)
    identity = np.arange(n).astype(np.uint8).reshape(1, n)
    row = 0
    for s in range(of_list.size):
        at = counts[of_list[s]]
        carriers = 0
        while carriers < n and at[carriers].sum():
            carriers += 1
        elements = identity
        if acting[s] > 1:
            elements = _acting_group(generators[first[s] : first[s + 1]], n, carriers)
        for w in range(joined.shape[0]):
            free = np.flatnonzero(joined[w] < 0)
            chosen = np.empty((1, 0), np.uint8)
            if free.size:
                chosen = _leg_owners(at[:carriers], labels[free], elements)
            for c in range(chosen.shape[0]):
                for leg in range(labels.size):
                    owners[row, leg] = n + max(joined[w, leg], 0)
                for place in range(free.size):
                    owners[row, free[place]] = chosen[c, place]
                skeleton[row] = s
                row += 1
    return skeleton, owners
