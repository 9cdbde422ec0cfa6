"""Running the compiled generator: lists of vertices in, blocks of graphs out, on all cores, stoppable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from math import comb, factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._legs import attach_legs, symmetry_factors
from diagrams._orderly import skeletons
from diagrams.collection import GraphBlock, VertexType
from diagrams.cumulants import pairings

_LISTS_PER_TASK = 16
_ATTACHED = 255  # in a pattern: this leg goes to a vertex


class VertexList(NamedTuple):
    """The vertices of a class of graphs: their types, the components they form, pairs of legs joined directly."""

    types: tuple[VertexType, ...]
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


def run(request: Request, lists: Sequence[VertexList], n_joined: int, room: int) -> list[GraphBlock]:
    """Return the graphs on the given lists of vertices, which share ``n_joined``, in order.

    Compiled code runs in threads without the interpreter lock, so that the main thread can be interrupted; it then
    tells the others to stop.

    Raises
    ------
    TooManyGraphsError
        If there are more than ``room`` graphs.
    """
    stop = np.zeros(1, np.uint8)
    tasks = [lists[i : i + _LISTS_PER_TASK] for i in range(0, len(lists), _LISTS_PER_TASK)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        futures = [pool.submit(_task, request, task, n_joined, room, stop) for task in tasks]
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


def _task(
    request: Request, lists: Sequence[VertexList], n_joined: int, room: int, stop: NDArray[np.uint8]
) -> GraphBlock:
    sizes = np.array([len(entry.types) for entry in lists])
    types = np.zeros((len(lists), max(1, sizes.max()), 3), np.uint8)
    for row, entry in zip(types, lists, strict=True):
        row[: len(entry.types)] = np.array(entry.types, np.uint8).reshape(-1, 3)
    components = np.array([entry.components for entry in lists])
    adjacency, start, vertex_list, order, generators, first = skeletons(
        types, sizes, components, request.bridgeless, request.tadpoles, room, stop
    )
    if len(vertex_list) > room:
        raise TooManyGraphsError
    attached = request.legs - 2 * n_joined
    at_vertices = [prod(factorial(n) for _, n, _ in entry.types) for entry in lists]
    flips = [prod(2**o * factorial(o) for _, _, o in entry.types) for entry in lists]
    joinings = comb(request.legs, attached) * prod(range(1, 2 * n_joined, 2))
    per_list = [joinings * factorial(attached) // local for local in at_vertices]
    acting = order[:, 1]
    if request.labelled:
        symmetry = _exact_factors(adjacency, start, order[:, 0] // acting, flips, vertex_list)
        n_graphs = [per_list[t] // g for t, g in zip(vertex_list.tolist(), acting.tolist(), strict=True)]
        if sum(n_graphs) > room:
            raise TooManyGraphsError
        counts = np.array(n_graphs, np.int64)
        patterns = _patterns(request.legs, n_joined)
        skeleton, owners = attach_legs(types, sizes, vertex_list, acting, generators, first, counts, patterns)
        symmetry = symmetry[skeleton]
        multiplicity = np.broadcast_to(np.int64(1), skeleton.shape)
    else:
        swaps = 2**n_joined * factorial(n_joined)
        local = [f * v * swaps for f, v in zip(flips, at_vertices, strict=True)]
        symmetry = _exact_factors(adjacency, start, order[:, 0], local, vertex_list)
        skeleton = np.arange(len(vertex_list), dtype=np.int32)
        owners = np.array([_owners(entry, n_joined) for entry in lists], np.uint8).reshape(len(lists), -1)[vertex_list]
        multiplicity = np.array(per_list, dtype=object)[vertex_list] // acting
        multiplicity = multiplicity.astype(np.int64)
    return GraphBlock(
        types, sizes, adjacency, start, vertex_list, skeleton, owners, symmetry, multiplicity, labelled=request.labelled
    )


def _exact_factors(
    adjacency: NDArray[np.uint8],
    start: NDArray[np.int64],
    order: NDArray[np.int64],
    local: list[int],
    vertex_list: NDArray[np.int64],
) -> NDArray[Any]:
    """Return symmetry factors as int64, or as an object array of Python integers if one of them is too large."""
    if max(local) < 2**62:
        factors = symmetry_factors(adjacency, start, order, np.array(local, np.int64)[vertex_list])
        if (factors >= 0).all():
            return factors
    exact = np.empty(len(order), object)
    for s, (t, size) in enumerate(zip(vertex_list.tolist(), order.tolist(), strict=True)):
        exact[s] = size * local[t] * prod(factorial(m) for m in adjacency[start[s] : start[s + 1]].tolist())
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


def _owners(entry: VertexList, n_joined: int) -> list[int]:
    """Return the vertex of each leg when legs are exchangeable; joined legs come last."""
    owner = [v for v, (_, n, _) in enumerate(entry.types) for _ in range(n)]
    return owner + [len(entry.types) + len(owner) + (i ^ 1) for i in range(2 * n_joined)]
