"""Canonical form of a matrix whose rows become known one after another, compiled.

A symmetric matrix is *canonical* when the rows of its strict upper triangle, read one after another, are
lexicographically largest among all renumberings that keep the colours of the vertices. ``cells[i]`` numbers the places
that nothing before row ``i`` tells apart (by the first of them), and the entries of a canonical matrix do not increase
within a cell. Renumberings are tried place by place: ``images[i]`` lists the vertices as they stand before place ``i``
is filled, those already placed first. Walking down the chain of stabilisers of the full matrix gives the order and
generators of its automorphism group (orderly generation in the sense of Read and Faradzev).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]


@compiled
def compare_row(A: Ints, n: int, i: int, cells: Ints, images: Ints) -> int:
    """Compare row ``i`` with the row of the vertex that ``images[i]`` puts there, its best arrangement.

    Fills ``images[i + 1]`` as far as the rows agree. Returns 1, 0, -1 for larger, equal, smaller.
    """
    p = images[i, i]
    for t in range(i + 1):
        images[i + 1, t] = images[i, t]
    start = i + 1
    while start < n:
        end = start + 1
        while end < n and cells[i, end] == cells[i, start]:
            end += 1
        for t in range(start, end):  # insertion sort of the cell, largest entries first
            vertex = images[i, t]
            entry = A[p, vertex]
            u = t
            while u > start and A[p, images[i + 1, u - 1]] < entry:
                images[i + 1, u] = images[i + 1, u - 1]
                u -= 1
            images[i + 1, u] = vertex
        for t in range(start, end):
            entry = A[p, images[i + 1, t]]
            if entry != A[i, t]:
                return 1 if entry > A[i, t] else -1
        start = end
    return 0


@compiled
def search(A: Ints, n: int, last: int, base: int, image: int, cells: Ints, images: Ints, tried: Ints) -> int:
    """Look for a renumbering that fixes places before ``base``, puts ``image`` there and makes known rows larger.

    Only rows up to ``last`` are known, so only those vertices can be images. Returns 1 if there is one, 0 when one
    leaves the known rows equal (it is ``images[last + 1]``), -1 if all are smaller.
    """
    for t in range(n):
        images[base, t] = t
    images[base, base] = image
    images[base, image] = base
    i = base
    while True:
        sign = compare_row(A, n, i, cells, images)
        if sign > 0:
            return 1
        if sign == 0:
            if i == last:
                return 0
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


@compiled
def prefix_is_canonical(A: Ints, n: int, last: int, cells: Ints, images: Ints, tried: Ints) -> bool:
    """Tell whether no renumbering makes rows ``0 .. last`` larger, as far as these rows tell."""
    for level in range(last + 1):
        image = level + 1
        while image <= last and cells[level, image] == cells[level, level]:
            if search(A, n, last, level, image, cells, images, tried) == 1:
                return False
            image += 1
    return True


@compiled
def refine(A: Ints, n: int, i: int, cells: Ints) -> None:
    """Set the cells after row ``i``: places stay together when they were and have the same entry in that row."""
    for t in range(n):
        if t > i + 1 and cells[i, t] == cells[i, t - 1] and A[i, t] == A[i, t - 1]:
            cells[i + 1, t] = cells[i + 1, t - 1]
        else:
            cells[i + 1, t] = t


@compiled
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@compiled
def automorphisms(
    A: Ints,
    n: int,
    cells: Ints,
    images: Ints,
    tried: Ints,
    parent: Ints,
    failed: Ints,
    generators: Ints,
    levels: Ints,
    carriers: int,
) -> tuple[int, int, int]:
    """Return (group order, order of its action on the first ``carriers`` vertices, number of generators).

    All are zero if the matrix is not canonical.

    Generator g fixes all vertices before ``levels[g]`` and moves that one (a strong generating set). ``parent`` and
    ``failed`` (n,) are workspace.
    """
    for v in range(n):
        parent[v] = v
    order, acting, n_generators = 1, 1, 0
    for level in range(n - 2, -1, -1):
        end = level + 1
        while end < n and cells[level, end] == cells[level, level]:
            end += 1
        if end == level + 1:
            continue
        failed[:] = 0
        for image in range(level + 1, end):
            root = _find(parent, image)
            if root == _find(parent, level) or failed[root]:
                continue
            outcome = search(A, n, n - 1, level, image, cells, images, tried)
            if outcome == 1:
                return 0, 0, 0
            if outcome < 0:
                failed[root] = 1
                continue
            for v in range(n):
                generators[n_generators, v] = images[n, v]
                a, b = _find(parent, v), _find(parent, images[n, v])
                if a != b:
                    parent[max(a, b)] = min(a, b)
            levels[n_generators] = level
            n_generators += 1
        orbit = 0
        for v in range(level, end):
            orbit += _find(parent, v) == _find(parent, level)
        order *= orbit
        if level < carriers:
            acting *= orbit
    return order, acting, n_generators
