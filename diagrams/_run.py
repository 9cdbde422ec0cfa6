"""Running the compiled generator: lists of vertices in, blocks of graphs out, piece by piece, stoppable.

The search is cut into tasks that depend on the request alone, so that graphs come in the same order and pieces
whatever the number of cores: some lists of vertices each, or a part of one list that has many graphs, namely those
whose matrices begin with given rows.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import combinations
from math import factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._legs import attach_legs, symmetry_factors
from diagrams._orderly import skeletons
from diagrams._request import Request, VertexLists
from diagrams._tables import LARGE, ListTables, list_costs
from diagrams.collection import GraphBlock
from diagrams.cumulants import pairings

N_CORES = os.cpu_count() or 1
_SMALL = 400.0  # cost of work that takes no longer, about a millisecond, than another thread would gain
_TASK = 500.0  # cost of the work of one task
_LOOK_AHEAD = 16 * N_CORES  # tasks
_DEEPEST = 10  # rows by which a list is cut
_MOST_PARTS = 256  # of one list
_ATTACHED = 255  # in a pattern: this leg goes to a vertex
_NO_ROWS = np.zeros(0, np.uint8)


class TooManyGraphsError(MemoryError):
    """There are more graphs than there is room for."""


class Task(NamedTuple):
    """Lists of vertices ``begin .. end - 1``.

    On the first one only graphs that begin with the first ``fixed`` rows of ``entries``, and of those only what comes
    after the ``known`` rows if ``known > fixed``.
    """

    begin: int
    end: int
    entries: NDArray[np.uint8] = _NO_ROWS
    known: int = 0
    fixed: int = 0

    def after(self, vertex_list: int, entries: NDArray[np.uint8], size: int) -> Task:
        """Return what is left of the task after a skeleton with ``size`` vertices."""
        if size < 2:
            return Task(vertex_list + 1, self.end)
        return Task(vertex_list, self.end, entries, size - 1, self.fixed if vertex_list == self.begin else 0)


class Piece(NamedTuple):
    """Graphs made by one step of a task, and the last skeleton among them."""

    block: GraphBlock
    is_complete: bool
    vertex_list: int
    entries: NDArray[np.uint8]


class Stage:
    """Lists of vertices together with what can be said of them before the search."""

    def __init__(self, request: Request, lists: VertexLists) -> None:
        self.request, self.lists = request, lists
        self.tables = ListTables(request, lists)
        if request.labelled:
            self.patterns = _patterns(request.legs, lists.n_joined)
        else:
            self.owners = _ordered_owners(lists.types, lists.sizes, request.legs, lists.n_joined)
        self.costs = list_costs(lists.types, lists.sizes, self.tables.worth)

    def tasks(self, after: Task | None = None) -> Iterator[Task]:
        """Iterate over all tasks, or over what is left of them ``after`` a skeleton.

        ``after`` is the rest of the task that holds all lists, as made by :meth:`Task.after`.
        """
        n_lists = len(self.lists.sizes)
        begin = 0
        while begin < n_lists:
            end, cost = begin + 1, self.costs[begin]
            if cost < 2 * _TASK or self.lists.sizes[begin] < 5:
                while end < n_lists and cost + self.costs[end] < _TASK:
                    cost += self.costs[end]
                    end += 1
                if after is None or after.begin < begin:
                    yield Task(begin, end)
                elif after.begin < end:
                    yield after._replace(end=end)
            elif after is None or after.begin < begin:
                yield from self._parts(begin, None)
            elif after.begin == begin:
                yield from self._parts(begin, after)
            begin = end

    def _parts(self, t: int, after: Task | None) -> Iterator[Task]:
        """Cut one list by the first rows of the matrices."""
        n = int(self.lists.sizes[t])
        wanted = min(self.costs[t] / _TASK, _MOST_PARTS)
        depth, (rows, _) = 1, self._beginnings(t, 1)
        while len(rows) < wanted and depth < min(n // 2, _DEEPEST):
            deeper, are_all = self._beginnings(t, depth + 1)
            if not are_all:
                break
            depth, rows = depth + 1, deeper
        here = -1
        if after is not None:
            used = sum(n - 1 - i for i in range(depth))
            here = int(np.flatnonzero((rows[:, :used] == after.entries[:used]).all(axis=1))[0])
            yield after._replace(end=t + 1, fixed=depth)
        for row in rows[here + 1 :]:
            yield Task(t, t + 1, row, depth, depth)

    def _beginnings(self, t: int, depth: int) -> tuple[NDArray[np.uint8], bool]:
        """Return the first rows that matrices on a list can have, and whether these are all."""
        worth, never = np.ones(1, np.int64), np.zeros(1, np.uint8)
        found = self._search(Task(t, t + 1), depth, worth, 16 * _MOST_PARTS, never)
        return found[0].reshape(len(found[2]), -1), found[-1]

    def _search(
        self, task: Task, depth: int, worth: NDArray[np.int64], limit: int, stop: NDArray[np.uint8]
    ) -> tuple[Any, ...]:
        types, sizes = self.lists.types[task.begin : task.end], self.lists.sizes[task.begin : task.end]
        asked = self.request
        options = (self.lists.components, asked.bridgeless, asked.tadpoles, asked.filters or None, depth)
        found: tuple[Any, ...] = skeletons(
            types, sizes, *options, worth, limit, stop, task.entries, task.known, task.fixed
        )
        return found

    def piece(self, task: Task, limit: int, room: int, stop: NDArray[np.uint8]) -> Piece:
        """Return the graphs of a task, stopping at the first skeleton with which there are ``limit`` of them.

        Raises
        ------
        TooManyGraphsError
            If there are more than ``room``.
        """
        lists = slice(task.begin, task.end)
        worth = self.tables.worth[lists]
        adjacency, start, vertex_list, order, generators, first, is_complete = self._search(task, 0, worth, limit, stop)
        types, sizes, local = self.lists.types[lists], self.lists.sizes[lists], self.tables.local[lists]
        acting = order[:, 1]
        n_graphs = self.tables.n_graphs[lists][vertex_list] // acting
        if (n_graphs.sum() if self.request.labelled else len(n_graphs)) > room:
            raise TooManyGraphsError
        if self.request.labelled:
            factors = _exact_factors(adjacency, start, order[:, 0] // acting, local[vertex_list])
            counts = n_graphs.astype(np.int64)
            skeleton, owners = attach_legs(types, sizes, vertex_list, acting, generators, first, counts, self.patterns)
            symmetry = factors[skeleton]
            multiplicity = np.broadcast_to(np.int64(1), skeleton.shape)
        else:
            symmetry = _exact_factors(adjacency, start, order[:, 0], local[vertex_list])
            skeleton = np.arange(len(vertex_list), dtype=np.int32)
            owners = self.owners[lists][vertex_list]
            multiplicity = n_graphs
        block = GraphBlock(
            types,
            sizes,
            adjacency,
            start,
            vertex_list,
            skeleton,
            owners,
            symmetry,
            multiplicity,
            labelled=self.request.labelled,
        )
        last = int(vertex_list[-1]) if len(vertex_list) else -1
        return Piece(block, bool(is_complete), task.begin + last, adjacency[start[-2] :] if last >= 0 else _NO_ROWS)


def run(stages: Sequence[Stage], room: int) -> list[GraphBlock]:
    """Return all graphs, in order.

    Compiled code runs in threads without the interpreter lock, so that the main thread can be interrupted; it then
    tells the others to stop. Little work is done at once.

    Raises
    ------
    TooManyGraphsError
        If there are more than ``room`` graphs.
    """
    stop = np.zeros(1, np.uint8)
    if sum(stage.costs.sum() for stage in stages) < _SMALL:
        whole = ((stage, Task(0, len(stage.lists.sizes))) for stage in stages)
        return _within(room, (stage.piece(task, room + 1, room, stop).block for stage, task in whole))
    with ThreadPoolExecutor(max_workers=N_CORES) as pool:
        try:
            return _within(room, _in_order(pool, stages, room, stop))
        except BaseException:
            stop[0] = 1
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _in_order(
    pool: ThreadPoolExecutor, stages: Sequence[Stage], room: int, stop: NDArray[np.uint8]
) -> Iterator[GraphBlock]:
    """Iterate over the graphs of all tasks, a few of which are in work."""
    window: deque[Future[Piece]] = deque()
    for stage in stages:
        for task in stage.tasks():
            window.append(pool.submit(stage.piece, task, room + 1, room, stop))
            while len(window) > _LOOK_AHEAD or (window and window[0].done()):
                yield window.popleft().result().block
    while window:
        yield window.popleft().result().block


def _within(room: int, made: Iterable[GraphBlock]) -> list[GraphBlock]:
    blocks = []
    for block in made:
        room -= len(block)
        if room < 0:
            raise TooManyGraphsError
        if len(block):
            blocks.append(block)
    return blocks


def _exact_factors(
    adjacency: NDArray[np.uint8], start: NDArray[np.int64], order: NDArray[np.int64], local: NDArray[Any]
) -> NDArray[Any]:
    """Return symmetry factors as int64, or as Python integers if one of them is too large."""
    if local.dtype != object or len(local) == 0 or local.max() < LARGE:
        factors = symmetry_factors(adjacency, start, order, local.astype(np.int64))
        if len(factors) == 0 or factors.min() >= 0:
            return np.asarray(factors)
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
    counts = types[:, :, 1].ravel()
    vertices = np.tile(np.arange(types.shape[1], dtype=np.uint8), len(sizes))
    owners[:, :attached] = np.repeat(vertices, counts).reshape(len(sizes), attached)
    owners[:, attached:] = sizes[:, None] + attached + (np.arange(2 * n_joined) ^ 1)
    return owners
