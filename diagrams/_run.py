"""Running the compiled generator: lists of vertices in, blocks of graphs out, on all cores, stoppable."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from math import comb, factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._legs import attach_legs, symmetry_factors
from diagrams._orderly import skeletons
from diagrams.collection import GraphBlock
from diagrams.cumulants import pairings

_TASKS_PER_CORE = 4
_ATTACHED = 255  # in a pattern: this leg goes to a vertex
_LARGE = 2**62
_SMALL = range(16)  # table entries that fit 62 bits in both tables
_FACTORIALS = np.array([factorial(k) for k in range(256)], object)
_FLIPS = np.array([2**k * factorial(k) for k in range(256)], object)  # of k self-loops at a vertex


class VertexLists(NamedTuple):
    """Lists of vertices for classes of graphs that have as many components and directly joined legs.

    ``types`` (T, V, 3) and ``sizes`` (T,) as in :func:`diagrams._orderly.skeletons`.
    """

    types: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    components: int
    n_joined: int


class Request(NamedTuple):
    """What is asked for."""

    legs: int
    bridgeless: bool
    tadpoles: bool
    labelled: bool


class TooManyGraphsError(MemoryError):
    """There are more graphs than there is room for."""


def run(request: Request, lists: VertexLists, room: int) -> list[GraphBlock]:
    """Return the graphs on the given lists of vertices, in order.

    Compiled code runs in threads without the interpreter lock, so that the main thread can be interrupted; it then
    tells the others to stop.

    Raises
    ------
    TooManyGraphsError
        If there are more than ``room`` graphs.
    """
    stop = np.zeros(1, np.uint8)
    n_cores = os.cpu_count() or 1
    cuts = np.array_split(np.arange(len(lists.sizes)), min(len(lists.sizes), _TASKS_PER_CORE * n_cores) or 1)
    tasks = [lists._replace(types=lists.types[cut], sizes=lists.sizes[cut]) for cut in cuts if len(cut)]
    with ThreadPoolExecutor(max_workers=n_cores) as pool:
        futures = [pool.submit(_task, request, task, room, stop) for task in tasks]
        blocks: list[GraphBlock] = []
        try:
            for future in futures:
                blocks += [block for block in [future.result()] if len(block)]
                room_left = room - sum(map(len, blocks))
                if room_left < 0:
                    raise TooManyGraphsError
        except BaseException:
            stop[0] = 1
            for future in futures:
                future.cancel()
            raise
    return blocks


def _task(request: Request, lists: VertexLists, room: int, stop: NDArray[np.uint8]) -> GraphBlock:
    types, sizes, n_joined = lists.types, lists.sizes, lists.n_joined
    components = np.full(len(sizes), lists.components)
    adjacency, start, vertex_list, order, generators, first = skeletons(
        types, sizes, components, request.bridgeless, request.tadpoles, room, stop
    )
    if len(vertex_list) > room:
        raise TooManyGraphsError
    attached = request.legs - 2 * n_joined
    at_vertices, flips = _products(_FACTORIALS, types[:, :, 1]), _products(_FLIPS, types[:, :, 2])
    joinings = comb(request.legs, attached) * prod(range(1, 2 * n_joined, 2))
    assignments = joinings * factorial(attached)
    per_list = (assignments if assignments < _LARGE else np.array(assignments, object)) // at_vertices
    acting = order[:, 1]
    n_graphs = per_list[vertex_list] // acting
    if request.labelled:
        if n_graphs.sum() > room:
            raise TooManyGraphsError
        factors = _exact_factors(adjacency, start, order[:, 0] // acting, flips[vertex_list])
        patterns = _patterns(request.legs, n_joined)
        counts = n_graphs.astype(np.int64)
        skeleton, owners = attach_legs(types, sizes, vertex_list, acting, generators, first, counts, patterns)
        symmetry = factors[skeleton]
        multiplicity = np.broadcast_to(np.int64(1), skeleton.shape)
    else:
        swaps = np.array(2**n_joined * factorial(n_joined), object)
        local = flips.astype(object) * at_vertices * swaps
        symmetry = _exact_factors(adjacency, start, order[:, 0], local[vertex_list])
        skeleton = np.arange(len(vertex_list), dtype=np.int32)
        owners = _ordered_owners(types, sizes, request.legs, n_joined)[vertex_list]
        multiplicity = n_graphs
    return GraphBlock(
        types, sizes, adjacency, start, vertex_list, skeleton, owners, symmetry, multiplicity, labelled=request.labelled
    )


def _products(table: NDArray[Any], entries: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the product of table[entry] along each row: int64, or Python integers if one is too large."""
    if entries.max(initial=0) < len(_SMALL) and table[: len(_SMALL)].astype(float)[entries].prod(axis=1).max() < _LARGE:
        return np.asarray(table[: len(_SMALL)].astype(np.int64)[entries].prod(axis=1))
    return np.asarray(table[entries].prod(axis=1))


def _exact_factors(
    adjacency: NDArray[np.uint8], start: NDArray[np.int64], order: NDArray[np.int64], local: NDArray[Any]
) -> NDArray[Any]:
    """Return symmetry factors as int64, or as Python integers if one of them is too large."""
    if len(local) == 0 or local.max() < _LARGE:
        factors = symmetry_factors(adjacency, start, order, local.astype(np.int64))
        if (factors >= 0).all():
            return factors
    exact = np.empty(len(order), object)
    for s, (size, factor) in enumerate(zip(order.tolist(), local.tolist(), strict=True)):
        exact[s] = size * factor * prod(factorial(m) for m in adjacency[start[s] : start[s + 1]].tolist())
    return exact


def _patterns(legs: int, n_joined: int) -> NDArray[np.uint8]:
    """Return all ways to join ``n_joined`` pairs of legs directly."""
    rows = []
    for chosen in combinations(range(legs), 2 * n_joined):
        for pairs in pairings(chosen):
            row = np.full(legs, _ATTACHED, np.uint8)
            for a, b in pairs:
                row[a], row[b] = b, a
            rows.append(row)
    return np.array(rows, np.uint8).reshape(len(rows), legs)


def _ordered_owners(types: NDArray[np.uint8], sizes: NDArray[np.int64], legs: int, n_joined: int) -> NDArray[np.uint8]:
    """Return the vertex of each leg of each list when legs are exchangeable; joined legs come last."""
    owners = np.empty((len(sizes), legs), np.uint8)
    attached = legs - 2 * n_joined
    vertices = np.arange(types.shape[1], dtype=np.uint8)
    for row, counts in zip(owners, types[:, :, 1], strict=True):
        row[:attached] = np.repeat(vertices, counts)
    partner = attached + (np.arange(2 * n_joined) ^ 1)
    owners[:, attached:] = sizes[:, None] + partner
    return owners
