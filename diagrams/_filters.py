"""Filters on the shape of a skeleton, compiled: irreducibility, amputation, vertex connectivity, planarity.

The definitions are those of :mod:`diagrams.topology`, which the functions here decide on adjacency matrices: on a
complete connected graph, and on a graph of which only the first rows are known. Lines between vertices with known rows
and the others are all known, so the others may be taken for one vertex: a cut of the smaller graph is a cut of every
completion, and a vertex at which it falls apart is an articulation vertex of every completion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._planarity import is_planar, search_depth_first

Ints = NDArray[np.int64]

TWO_PARTICLE_IRREDUCIBLE = 1
AMPUTATED = 2
VERTEX_TWO_CONNECTED = 4
PLANAR = 8

_LINES_TO_CUT = 3  # a two-particle-irreducible diagram falls apart only when three lines are cut


@compiled
def _cuts_are_large(B: Ints, m: int, scratch: Ints) -> bool:
    """Return True if every cut of the connected graph has three lines or more (Stoer and Wagner).

    Vertices are taken in the order of most lines to those taken already; the last one alone is a smallest cut between
    it and the last but one, which may then be taken for one vertex.
    """
    C, joined = scratch[: m * m].reshape(m, m), scratch[m * m : m * m + m]
    for v in range(m):
        degree = 0
        for w in range(m):
            C[v, w] = B[v, w]
            degree += B[v, w]
        if degree < _LINES_TO_CUT:
            return False
    while m > 2:
        for v in range(m):
            joined[v] = C[0, v]
        joined[0] = -1
        before, latest = 0, 0
        for _ in range(m - 1):
            before, latest, most = latest, -1, -1
            for v in range(m):
                if joined[v] > most:
                    latest, most = v, joined[v]
            cut = joined[latest]
            joined[latest] = -1
            for v in range(m):
                if joined[v] >= 0:
                    joined[v] += C[latest, v]
        if cut < _LINES_TO_CUT:
            return False
        for v in range(m):
            if v != before and v != latest:
                C[before, v] += C[latest, v]
                C[v, before] = C[before, v]
        m -= 1
        for v in range(m):  # the last vertex moves to the place of the one that is gone
            C[latest, v] = C[m, v]
            C[v, latest] = C[v, m]
    return C[0, 1] >= _LINES_TO_CUT


@compiled
def _self_loops_allow(n: int, loops: Ints, flags: int) -> bool:
    """Check that no self-loop makes its vertex an articulation vertex."""
    if flags & VERTEX_TWO_CONNECTED:
        for v in range(n):
            if loops[v] > (1 if n == 1 else 0):
                return False
    return True


@compiled
def _cuts_allow(B: Ints, m: int, counts: Ints, n_legs: int, prefix: bool, flags: int, scratch: Ints) -> bool:
    """Check what lines or vertices cut, on two or more vertices.

    ``prefix`` says that the last vertex stands for several, with all legs that ``counts`` does not have.
    """
    if n_legs < 2:  # no leg correction is possible
        flags &= ~AMPUTATED
    if flags & ~PLANAR == 0:
        return True
    walk, legs = scratch[: 5 * m].reshape(5, m), scratch[5 * m : 6 * m]
    root = m - 1 if prefix else 0
    if search_depth_first(B, m, root, 0, walk) < m:
        return False
    if flags & AMPUTATED:
        for v in range(m):
            legs[v] = counts[v]
        for place in range(m - 1, 0, -1):  # legs behind the line to the parent, which the root is not
            v = walk[0, place]
            beyond = legs[v]
            if walk[2, v] == place and min(beyond, n_legs - beyond) == 1:
                return False
            legs[walk[3, v]] += beyond
    if flags & VERTEX_TWO_CONNECTED:
        from_root = 0
        for place in range(1, m):
            v = walk[0, place]
            p = walk[3, v]
            from_root += p == root
            if walk[2, v] >= walk[1, p] and (p != root or (from_root > 1 and not prefix)):
                return False
    if flags & TWO_PARTICLE_IRREDUCIBLE:
        for place in range(1, m):
            if walk[2, walk[0, place]] == place:  # a bridge
                return False
        return _cuts_are_large(B, m, scratch)
    return True


@compiled
def _planar_with_legs(A: Ints, n: int, counts: Ints, scratch: Ints) -> bool:
    """Return True if the graph is planar with a vertex at infinity next to all vertices that have legs."""
    S = scratch[: (n + 1) * (n + 1)].reshape(n + 1, n + 1)
    for v in range(n):
        for w in range(v):
            S[v, w] = S[w, v] = A[v, w]
        S[v, n] = S[n, v] = counts[v]
    return is_planar(S, n + 1, scratch[(n + 1) * (n + 1) :])


@compiled
def passes(A: Ints, n: int, counts: Ints, loops: Ints, flags: int, scratch: Ints) -> bool:
    """Return True if a connected skeleton passes all filters in ``flags``.

    Parameters
    ----------
    A : int64 array (n, n)
        Symmetric multiplicities of lines between different vertices, zero on the diagonal.
    n : int
        Number of vertices, at least one.
    counts, loops : int64 arrays (n,)
        External legs and self-loops of each vertex.
    flags : int
        Sum of the constants of this module.
    scratch : int64 array
        At least ``16 (n + 2)^2`` entries of any value.
    """
    if not _self_loops_allow(n, loops, flags):
        return False
    if n == 1:
        return True
    if not _cuts_allow(A, n, counts, counts[:n].sum(), False, flags, scratch):
        return False
    return not flags & PLANAR or _planar_with_legs(A, n, counts, scratch)


@compiled
def may_pass(A: Ints, n: int, last: int, missing: Ints, counts: Ints, loops: Ints, flags: int, scratch: Ints) -> bool:
    """Return False only if no connected completion of the rows ``0 .. last`` passes the filters in ``flags``.

    Planarity is left for the end: most prefixes of few loops are planar, so that testing them costs more than it saves
    (measured: 1.1 to 2 times the time of an enumeration of planar diagrams).

    Parameters
    ----------
    A, n, counts, loops, flags, scratch
        As in :func:`passes`; entries of ``A`` between two vertices after ``last`` do not matter.
    last : int
        The last row known.
    missing : int64 array (n,)
        Half-edges of each vertex that are not joined yet (to vertices after ``last``).
    """
    if not _self_loops_allow(n, loops, flags):
        return False
    if n == 1 or flags & ~PLANAR == 0:
        return True
    if last >= n - 2:  # all lines are known
        return _cuts_allow(A, n, counts, counts[:n].sum(), False, flags, scratch)
    m = last + 2
    B, kept = scratch[: m * m].reshape(m, m), scratch[m * m : m * m + m]
    n_legs = 0
    for v in range(n):
        n_legs += counts[v]
        if v > last and flags & TWO_PARTICLE_IRREDUCIBLE:
            degree = missing[v]
            for w in range(last + 1):
                degree += A[v, w]
            if degree < _LINES_TO_CUT:
                return False
    for v in range(last + 1):
        kept[v] = counts[v]
        for w in range(last + 1):
            B[v, w] = A[v, w]
        B[v, last + 1] = 0
        for w in range(last + 1, n):
            B[v, last + 1] += A[v, w]
        B[last + 1, v] = B[v, last + 1]
    B[last + 1, last + 1], kept[last + 1] = 0, 0
    return _cuts_allow(B, m, kept, n_legs, True, flags, scratch[m * m + m :])
