"""Orderly generation of vertex-coloured multigraphs whose lines have types and directions.

As in :mod:`diagrams._orderly`, but an entry of the matrix is a *code*: for each half-edge type, how many half-edges of
that type of the row's vertex are joined to the column's vertex, packed into ``bits`` bits each. The code seen from the
other end holds the same numbers at the partner types. Rows are filled with the largest codes first, non-increasing in a
cell of vertices that nothing so far tells apart, and a prefix of rows that is not canonical is abandoned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._canonical_search import automorphisms, prefix_is_canonical, refine
from diagrams._compile import compiled
from diagrams._field_filters import drops
from diagrams._line_codes import largest_code, line_exchanges, reserve

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


class SkeletonLists(NamedTuple):
    """Lists of vertices with their legs and self-loops.

    Parameters
    ----------
    lists : int64 array (L, n)
        The classes of the vertices of each list; equal ones stand together, those with legs first.
    rest : int64 array (K, T)
        Number of half-edges of each type at a vertex of each class that go to other vertices.
    legs : int64 array (K,)
        Number of legs at a vertex of each class.
    factors : int64 array (K,)
        What a vertex of each class contributes to the order of the automorphism group.
    versions : int64 array (L,)
        Number of ways to put labelled legs on the vertices of each list.
    partner : int64 array (T,)
        The type that each type is joined to.
    cuttable : bool array (T,)
        False for types whose lines are not propagators and so are never cut.
    bits : int
        Bits for one count in a code.
    """

    lists: Ints
    rest: Ints
    legs: Ints
    factors: Ints
    versions: Ints
    partner: Ints
    cuttable: Bools
    bits: int


class SkeletonState(NamedTuple):
    """Where the search is; ``at`` holds the list, row, column and whether that entry is new."""

    at: Ints
    A: Ints
    missing: Ints
    cells: Ints
    behind: Ints  # (n, n + 1, T): for each row the half-edges that vertices from a place on had when it was begun


class Skeletons(NamedTuple):
    """Canonical multigraphs.

    Parameters
    ----------
    codes : int64 array (m, n (n - 1) / 2)
        Strict upper triangles, row by row.
    of_list : int64 array (m,)
        List of vertices of each.
    acting : int64 array (m,)
        Order of the group in which automorphisms permute the vertices with legs.
    size : float array (m,)
        Order of the automorphism group with legs that move, approximately.
    exact : int64 array (m,)
        The same where it is smaller than 2**62.
    generators : uint8 array (k, n + 1)
        Strong generators as images of the vertices; the last entry is the first vertex that is moved.
    first : int64 array (m + 1,)
        ``generators[first[g] : first[g + 1]]`` belong to graph g.
    """

    codes: Ints
    of_list: Ints
    acting: Ints
    size: NDArray[np.float64]
    exact: Ints
    generators: Bytes
    first: Ints


def skeleton_start(lists: SkeletonLists) -> SkeletonState:
    """Return the state at the beginning."""
    n = lists.lists.shape[1]
    return SkeletonState(
        np.array([0, -1, 0, 0]),
        np.zeros((n, n), np.int64),
        np.zeros((n, lists.partner.size), np.int64),
        np.zeros((n + 1, n), np.int64),
        np.zeros((n, n + 1, lists.partner.size), np.int64),
    )


@compiled
def _may_connect(
    A: Ints,
    n: int,
    last: int,
    missing: Ints,
    cuttable: Bools,
    legs: Ints,
    n_legs: int,
    flags: int,
    seen: Ints,
    stack: Ints,
) -> bool:
    """Reject when a part is closed before the graph is complete, or would close through a line that a filter drops."""
    seen[:] = 0
    for source in range(last + 1):
        if seen[source]:
            continue
        seen[source] = 1
        stack[0] = source
        depth, size, behind, open_ends, open_cuttable = 1, 0, 0, 0, 0
        while depth:
            depth -= 1
            v = stack[depth]
            size += 1
            behind += legs[v]
            for t in range(cuttable.size):
                open_ends += missing[v, t]
                open_cuttable += missing[v, t] * cuttable[t]
            for w in range(n):
                if A[v, w] and not seen[w]:
                    seen[w] = 1
                    stack[depth] = w
                    depth += 1
        if size < n and open_ends == 0:
            return False
        if size < n and flags and open_ends == 1 and open_cuttable == 1 and drops(flags, behind, n_legs):
            return False
    return True


@compiled
def _is_single(code: int, cuttable: Bools, bits: int) -> bool:
    """Tell whether a code stands for one propagator and nothing else."""
    for t in range(cuttable.size):
        if code == 1 << (bits * t):
            return bool(cuttable[t])
    return False


@compiled
def _reached(A: Ints, n: int, i: int, j: int, legs: Ints, seen: Ints, stack: Ints) -> int:
    """Return the number of legs of the part that hangs together with ``i`` without the line to ``j``."""
    seen[:] = 0
    seen[i] = 1
    stack[0] = i
    depth, behind = 1, 0
    while depth:
        depth -= 1
        v = stack[depth]
        behind += legs[v]
        for w in range(n):
            if A[v, w] and not seen[w] and not (v == i and w == j) and not (v == j and w == i):
                seen[w] = 1
                stack[depth] = w
                depth += 1
    return behind


@compiled
def _is_dropped(A: Ints, n: int, cuttable: Bools, bits: int, legs: Ints, flags: int, seen: Ints, stack: Ints) -> bool:
    """Tell whether the complete graph has a propagator that a filter does not allow."""
    for i in range(n):
        for j in range(i + 1, n):
            if not A[i, j] or not _is_single(A[i, j], cuttable, bits):
                continue
            behind = _reached(A, n, i, j, legs, seen, stack)
            if not seen[j] and drops(flags, behind, behind + _reached(A, n, j, i, legs, seen, stack)):
                return True
    return False


@compiled
def _grown(array: Ints, used: int) -> Ints:
    larger = np.empty((2 * array.shape[0], array.shape[1]), array.dtype)
    larger[:used] = array[:used]
    return larger


@compiled
def _skeletons(
    given: SkeletonLists, state: SkeletonState, connected: bool, flags: int, labelled: bool, limit: int, budget: int
) -> Any:
    """See :func:`skeletons`; returns the fields of :class:`Skeletons`."""
    partner, cuttable, bits = given.partner, given.cuttable, given.bits
    A, missing, cells, behind = state.A, state.missing, state.cells, state.behind
    n_lists, n = given.lists.shape
    limits = np.zeros((2, partner.size), np.int64)
    images, tried = np.zeros((n + 2, n), np.int64), np.zeros(n + 1, np.int64)
    parent, failed = np.zeros(n, np.int64), np.zeros(n, np.int64)
    seen, stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found, levels = np.zeros((n * n, n), np.int64), np.zeros(n * n, np.int64)
    codes, info = np.empty((64, n * (n - 1) // 2), np.int64), np.empty((64, 3), np.int64)
    symmetry = np.empty((64, 1), np.float64)
    first, generators = np.zeros((64, 1), np.int64), np.empty((64, n + 1), np.uint8)
    n_graphs, n_generators, n_diagrams, step = 0, 0, 0, 0
    current, n_legs, carriers = -1, 0, 0
    classes = np.zeros(n, np.int64)
    legs = np.zeros(n, np.int64)
    t, i, j, entering = state.at[0], state.at[1], state.at[2], state.at[3] == 1
    while t < n_lists and n_diagrams < limit and step < budget:
        step += 1
        if t != current:
            current = t
            classes = given.lists[t]
            legs = given.legs[classes]
            n_legs, carriers = legs.sum(), (legs > 0).sum()
        if i < 0:  # begin with a list
            cells[0, 0] = 0
            for v in range(n):
                missing[v] = given.rest[classes[v]]
                if v:
                    cells[0, v] = cells[0, v - 1] if classes[v] == classes[v - 1] else v
            A[:] = 0
            i, j, entering = 0, 1, True
            if n > 1:
                continue
            t, i = t + 1, -1
            if missing.sum():
                continue
            size, acting, count = 1, 1, 0
        else:
            if entering:  # codes in a cell do not increase
                if j == i + 1:  # what lies behind a place of this row does not change while the row is filled
                    for w in range(n - 1, i, -1):
                        for p in range(partner.size):
                            behind[i, w, p] = behind[i, w + 1, p] + missing[w, p]
                below = np.int64(1) << 62
                if j > i + 1 and cells[i, j] == cells[i, j - 1]:
                    below = A[i, j - 1] + 1
                entering = False
            else:  # take back the present code and try the next smaller one
                below = A[i, j]
                reserve(missing, i, j, below, bits, partner, -1)
            code = largest_code(missing, behind, i, j, below, bits, partner, limits)
            if code < 0:
                A[i, j], A[j, i] = 0, 0
                if j > i + 1:
                    j -= 1
                elif i > 0:
                    i, j = i - 1, n - 1
                else:
                    t, i = t + 1, -1
                continue
            A[j, i] = reserve(missing, i, j, code, bits, partner, 1)
            A[i, j] = code
            if j < n - 1:
                j, entering = j + 1, True
                continue
            refine(A, n, i, cells)
            if connected and not _may_connect(A, n, min(i, n - 2), missing, cuttable, legs, n_legs, flags, seen, stack):
                continue
            if i < n - 2:
                if i == 0 or prefix_is_canonical(A, n, i, cells, images, tried):
                    i, j, entering = i + 1, i + 2, True
                continue
            if missing[n - 1].sum() or (flags and _is_dropped(A, n, cuttable, bits, legs, flags, seen, stack)):
                continue
            size, acting, count = automorphisms(A, n, cells, images, tried, parent, failed, found, levels, carriers)
            if size == 0:
                continue
        if n_graphs + 1 >= info.shape[0]:
            codes, info, first = _grown(codes, n_graphs), _grown(info, n_graphs), _grown(first, n_graphs + 1)
            symmetry = _grown(symmetry, n_graphs)
        while n_generators + count > generators.shape[0]:
            generators = _grown(generators, n_generators)
        place = 0
        for a in range(n):
            for b in range(a + 1, n):
                codes[n_graphs, place] = A[a, b]
                place += 1
        exact = size
        for v in range(n):
            exact *= given.factors[classes[v]]
        symmetry[n_graphs, 0] = np.float64(size)
        for v in range(n):
            symmetry[n_graphs, 0] *= given.factors[classes[v]]
        symmetry[n_graphs, 0] = line_exchanges(codes[n_graphs], bits, partner.size, symmetry[n_graphs, 0])
        info[n_graphs, 0] = t - 1 if n == 1 else t
        info[n_graphs, 1] = acting
        info[n_graphs, 2] = line_exchanges(codes[n_graphs], bits, partner.size, exact)
        for g in range(count):
            generators[n_generators + g, n] = levels[g]
            for v in range(n):
                generators[n_generators + g, v] = found[g, v]
        n_generators += count
        n_diagrams += given.versions[info[n_graphs, 0]] // acting if labelled else 1
        n_graphs += 1
        first[n_graphs, 0] = n_generators
    state.at[0], state.at[1], state.at[2], state.at[3] = t, i, j, entering
    # a plain tuple: an interrupt that arrives while numba makes a named one would crash the interpreter
    return (
        codes[:n_graphs],
        info[:n_graphs, 0].copy(),
        info[:n_graphs, 1].copy(),
        symmetry[:n_graphs, 0].copy(),
        info[:n_graphs, 2].copy(),
        generators[:n_generators],
        first[: n_graphs + 1, 0].copy(),
    )


def skeletons(
    given: SkeletonLists, state: SkeletonState, connected: bool, flags: int, labelled: bool, limit: int, budget: int
) -> Skeletons:
    """Go on with the generation of all canonical multigraphs without self-loops on lists of vertices.

    Parameters
    ----------
    given, state : SkeletonLists, SkeletonState
        The state is changed; ``state.at[0]`` is the number of lists after the last graph.
    connected : bool
        Only connected graphs.
    flags : int
        Filters of :mod:`diagrams._field_filters`.
    labelled : bool
        Legs are labelled, so that a graph stands for ``versions / acting`` diagrams.
    limit, budget : int
        Stop after graphs that stand for so many diagrams, or so many steps.
    """
    return Skeletons(*_skeletons(given, state, connected, flags, labelled, limit, budget))
