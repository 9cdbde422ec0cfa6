"""Planarity of small simple graphs, compiled: faces grown path by path in every block.

Method of Demoucron, Malgrange and Pertuiset (1964): start with one line, and put paths of what is left into faces that
touch all of its points of attachment. A part that fits into no face proves that the graph is not planar; one that fits
into a single face goes there first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]

_FEWEST_LINES = 9  # of a graph that is not planar: K_{3,3} has nine lines
_FEWEST_CYCLES = 4  # and four independent cycles, K_5 has six
_LEFT, _DRAWN = 1, 2  # a line still to be drawn, and one that is


@compiled
def search_depth_first(B: Ints, n: int, root: int, visited: int, walk: Ints) -> int:
    """Visit the vertices that can be reached from ``root`` in depth-first order.

    Parameters
    ----------
    B : int64 array (n, n)
        Multiplicities of lines; the diagonal does not matter.
    n, root : int
    visited : int
        Number of vertices that earlier calls visited; with 0 the tables are made new.
    walk : int64 array (5, >= n), changed
        Rows: the vertices as visited; for each vertex its place in that order (-1 if not visited); the earliest place
        that it or its descendants reach by one line that is not the one to its parent; its parent (-1 for a root); and
        the neighbour to look at next.

    Returns
    -------
    int
        Number of vertices visited so far.
    """
    sequence, order, low, parent, following = walk[0], walk[1], walk[2], walk[3], walk[4]
    if visited == 0:
        for v in range(n):
            order[v] = -1
    v = root
    parent[v] = -1
    while True:
        if order[v] < 0:
            sequence[visited] = v
            order[v] = visited
            low[v] = visited
            following[v] = 0
            visited += 1
        w = following[v]
        while w < n:
            if w != v and B[v, w]:
                if order[w] < 0:
                    break
                if w != parent[v] or B[v, w] > 1:
                    low[v] = min(low[v], order[w])
            w += 1
        following[v] = w + 1
        if w < n:
            parent[w] = v
            v = w
            continue
        if parent[v] < 0:
            return visited
        low[parent[v]] = min(low[parent[v]], low[v])
        v = parent[v]


@compiled
def _only_face(touches: Ints, n_faces: int, n: int, ends: Ints) -> tuple[int, int]:
    """Return how many faces touch all of the ``ends`` (two stands for more), and one of them (-1 if there is none)."""
    count, found = 0, -1
    for f in range(n_faces):
        fits = True
        for v in range(n):
            if ends[v] and not touches[f, v]:
                fits = False
                break
        if fits:
            count += 1
            found = f
            if count > 1:
                break
    return count, found


@compiled
def _tightest_part(
    lines: Ints, n: int, touches: Ints, n_faces: int, placed: Ints, work: Ints
) -> tuple[int, int, int, int]:
    """Choose the part of what is not drawn that has the fewest faces to go to.

    A part is a line between two placed vertices, or a connected set of other vertices with all its lines. Returns a
    face (-1 if a part fits into none), a placed vertex at which the part is attached, and the vertex at the other end
    of a line, or else (-1) a vertex of the part next to that placed one.
    """
    ends, reached, stack = work[0], work[1], work[2]
    best, face, start, end, seed = 3, -1, -1, -1, -1
    reached[:] = 0
    for u in range(n):
        if placed[u]:
            for w in range(u):
                if placed[w] and lines[u, w] == _LEFT:
                    ends[:] = 0
                    ends[u] = ends[w] = 1
                    count, found = _only_face(touches, n_faces, n, ends)
                    if count < best:
                        best, face, start, end, seed = count, found, u, w, -1
        elif not reached[u]:
            ends[:] = 0
            attached, inner, depth = -1, -1, 1
            stack[0] = u
            reached[u] = 1
            while depth:
                depth -= 1
                v = stack[depth]
                for w in range(n):
                    if lines[v, w] and placed[w]:
                        ends[w] = 1
                        attached, inner = w, v
                    elif lines[v, w] and not reached[w]:
                        reached[w] = 1
                        stack[depth] = w
                        depth += 1
            count, found = _only_face(touches, n_faces, n, ends)
            if count < best:
                best, face, start, end, seed = count, found, attached, -1, inner
        if best == 0:
            return -1, start, end, seed
        if best == 1:
            break
    return face, start, end, seed


@compiled
def _path_through_part(lines: Ints, n: int, placed: Ints, start: int, seed: int, path: Ints, work: Ints) -> int:
    """Find a shortest path from ``start`` by way of ``seed`` through the part to another placed vertex.

    Fills ``path`` from that vertex to ``start`` and returns its number of vertices.
    """
    before, queue = work[0], work[1]
    before[:] = -1
    before[seed] = start
    queue[0] = seed
    done, size, end = 0, 1, -1
    while end < 0:  # a block has no part with a single vertex of attachment
        v = queue[done]
        done += 1
        for w in range(n):
            if not lines[v, w] or w == start:
                continue
            if placed[w]:
                end = w
                before[w] = v
                break
            if before[w] < 0:
                before[w] = v
                queue[size] = w
                size += 1
    length = 0
    v = end
    while v != start:
        path[length] = v
        length += 1
        v = before[v]
    path[length] = start
    return length + 1


@compiled
def _split_face(
    faces: Ints, touches: Ints, sizes: Ints, face: int, new: int, path: Ints, length: int, copy: Ints
) -> None:
    """Draw a path between two vertices of a face; one half of it becomes the face ``new``."""
    size, i, j = sizes[face], 0, 0
    for k in range(size):
        v = faces[face, k]
        copy[k] = v
        touches[face, v] = 0
        if v == path[0]:
            i = k
        elif v == path[length - 1]:
            j = k
    step = 1 if i < j else -1
    first, low, high = (1 if i < j else length - 2), min(i, j), max(i, j)
    sizes[face], sizes[new] = high - low + length - 1, size - high + low + length - 1
    for k in range(low, high + 1):
        faces[face, k - low] = copy[k]
    for k in range(size - high + low + 1):
        faces[new, k] = copy[(high + k) % size]
    for k in range(length - 2):  # from low to high closes the second face, backwards the first
        v = path[first + step * k]
        faces[face, sizes[face] - 1 - k] = v
        faces[new, size - high + low + 1 + k] = v
    for f in (face, new):
        for k in range(sizes[f]):
            touches[f, faces[f, k]] = 1


@compiled
def _block_is_planar(S: Ints, members: Ints, n: int, scratch: Ints) -> bool:
    """Return True if the block on the first ``n`` of ``members`` is planar."""
    lines = scratch[: n * n].reshape(n, n)
    n_lines = 0
    for u in range(n):
        for w in range(n):
            lines[u, w] = _LEFT if u != w and S[members[u], members[w]] > 0 else 0
            n_lines += lines[u, w]
    n_lines //= 2
    if n_lines - n + 1 < _FEWEST_CYCLES:
        return True
    if n_lines > 3 * n - 6:
        return False
    faces = scratch[n * n : 3 * n * n].reshape(2 * n, n)  # the vertices around each face, one after another
    touches = scratch[3 * n * n : 5 * n * n].reshape(2 * n, n)
    work = scratch[5 * n * n : 5 * n * n + 6 * n].reshape(6, n)
    placed, path = work[0], work[1]
    sizes = scratch[5 * n * n + 6 * n : 5 * n * n + 8 * n]
    placed[:] = 0
    touches[:] = 0
    first = 0
    while not lines[0, first]:
        first += 1
    faces[0, 0], faces[0, 1], sizes[0], n_faces = 0, first, 2, 1
    for v in (0, first):
        touches[0, v] = 1
        placed[v] = 1
    lines[0, first] = lines[first, 0] = _DRAWN
    n_left = n_lines - 1
    while n_left:
        face, start, end, seed = _tightest_part(lines, n, touches, n_faces, placed, work[2:])
        if face < 0:
            return False
        if seed < 0:
            path[0], path[1], length = start, end, 2
        else:
            length = _path_through_part(lines, n, placed, start, seed, path, work[2:])
        for k in range(length - 1):
            lines[path[k], path[k + 1]] = lines[path[k + 1], path[k]] = _DRAWN
            placed[path[k]] = 1
        n_left -= length - 1
        _split_face(faces, touches, sizes, face, n_faces, path, length, work[2])
        n_faces += 1
    return True


@compiled
def is_planar(S: Ints, n: int, scratch: Ints) -> bool:
    """Return True if the graph with the symmetric (n, n) matrix ``S`` can be drawn without crossings.

    Entries on the diagonal do not matter, positive ones off the diagonal are lines. ``scratch`` holds at least
    ``5 n^2 + 15 n`` entries.
    """
    n_lines = 0
    for u in range(n):
        for w in range(u):
            n_lines += S[u, w] > 0
    if n_lines < _FEWEST_LINES:
        return True
    if n_lines > 3 * n - 6:
        return False
    walk = scratch[: 5 * n].reshape(5, n)
    block, members, rest = scratch[5 * n : 6 * n], scratch[6 * n : 7 * n], scratch[7 * n :]
    visited, n_blocks = 0, 0
    for root in range(n):
        if visited == 0 or walk[1, root] < 0:
            visited = search_depth_first(S, n, root, visited, walk)
    for place in range(n):  # a vertex belongs to the block of the line to its parent
        v = walk[0, place]
        p = walk[3, v]
        if p < 0:
            block[v] = -1
        elif walk[2, v] >= walk[1, p]:
            block[v] = n_blocks
            n_blocks += 1
        else:
            block[v] = block[p]
    for b in range(n_blocks):
        size = 0
        for place in range(n):
            v = walk[0, place]
            if block[v] == b:
                if size == 0:
                    members[0] = walk[3, v]
                    size = 1
                members[size] = v
                size += 1
        if not _block_is_planar(S, members, size, rest):
            return False
    return True
