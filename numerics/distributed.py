"""Blocks of networks on a Dask cluster: the same sums, bit for bit, whatever the workers.

A task is given rows of sums for about :data:`SECONDS_PER_TASK`, by the speed of those that are done, and stops after
that time at the end of a row: long against what Dask needs for a task, and short enough that a worker that is late or
lost costs little. What a task did not come to is dealt out again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numerics.blocks import Block, BlockSummer, block_summer, nobody, row_totals
from numerics.sources import Source

SECONDS_PER_TASK = 1.0
_SHORTEST = 0.02  # seconds: the rest is not dealt out in smaller shares
_WAITING = 2  # tasks for each worker at least, one of them running
_MOST_WAITING = 64
_RESERVE = 0.1  # seconds of work that wait for each worker, so that none is idle while results come and tasks go
_SECONDS_BETWEEN_COUNTS = 5.0  # of workers, which may come and go
_RETRIES = 5
_ONE_AT_A_TIME = threading.Lock()  # kernels use all threads of a worker by themselves

_Portion: TypeAlias = Sequence[tuple[int, Sequence[Block]]]


def require_client(client: Any) -> Any:
    """Return the client if it is one.

    Raises
    ------
    ImportError
        If ``distributed`` is not installed.
    TypeError
        If it is no ``distributed.Client``.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ImportError('client= needs Dask: pip install "nnft[distributed]"') from None
    if not isinstance(client, Client):
        raise TypeError(f"client must be a distributed.Client, got {type(client).__name__}")
    return client


def rows_on_cluster(
    client: Any,
    source: Source,
    rows: Sequence[tuple[int, Sequence[Block]]],
    points: NDArray[np.float64],
    max_points: int,
    size: int,
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Iterate over finished rows in the order in which workers return them, as (number, networks, sums).

    A row is the sum over some blocks in a fixed order, made by a single worker, so it does not depend on the cluster. A
    task holds several rows; those of a worker that is lost are run again elsewhere.

    Parameters
    ----------
    client : distributed.Client
    source : Source
    rows : sequence of (int, sequence of Block)
        Number of the row, and its blocks.
    points, max_points, size
        As for :func:`numerics.blocks.collected`.
    """
    from distributed.protocol.pickle import dumps

    cluster = _Cluster(client, dumps((source, points, max_points, size)))
    plan = _Plan(rows)
    try:
        while plan.left or cluster.waiting:
            cluster.submit(plan.portions(len(cluster.waiting), cluster.n_workers()))
            for portion, (sums, seconds) in cluster.finished(plan.reserve(cluster.n_workers())):
                done = portion[: len(sums)]
                plan.learn(_n_networks(done), seconds)
                plan.take_back(portion[len(sums) :])
                yield from ((row[0], _n_networks([row]), total) for row, total in zip(done, sums, strict=True))
    finally:
        cluster.cancel()


def _n_networks(portion: _Portion) -> int:
    """Return the networks in some rows."""
    return sum(b.n_nets for _, blocks in portion for b in blocks)


class _Cluster:
    """The tasks that a client has on its cluster.

    Whatever is said to the scheduler is said for many tasks at once, as it costs about as much as a task. All of the
    definition goes with every task: what is scattered would be lost with its worker.
    """

    def __init__(self, client: Any, definition: bytes) -> None:
        self._client, self._task = client, partial(_task, definition, SECONDS_PER_TASK)
        self.waiting: dict[Any, _Portion] = {}
        self._n_workers, self._counted = 0, 0.0

    def n_workers(self) -> int:
        """Return the number of workers, counted now and then."""
        if not self._n_workers or time.monotonic() > self._counted + _SECONDS_BETWEEN_COUNTS:
            self._n_workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
            self._counted = time.monotonic()
        return self._n_workers

    def submit(self, portions: Sequence[_Portion]) -> None:
        """Hand out tasks."""
        if not portions:
            return
        # Dask holds back tasks of groups with more than two for each thread, and sends the next when one is done
        name, n = uuid.uuid4(), 2 * self._n_workers
        keys = [(f"nnft-{name}-{i // n}", i) for i in range(len(portions))]
        tables = [_as_table(portion) for portion in portions]
        futures = self._client.map(self._task, tables, key=keys, pure=False, retries=_RETRIES)
        self.waiting.update(zip(futures, portions, strict=True))

    def finished(self, reserve: float) -> Iterator[tuple[_Portion, tuple[NDArray[np.float64], float]]]:
        """Wait for a task, or for half of many, and iterate over the rows and results of all that are done.

        ``reserve`` is the time in seconds for which workers have enough to do.
        """
        from distributed import wait

        until = time.monotonic() + reserve
        while len(done := [f for f in self.waiting if f.done()]) < len(self.waiting) / 2 and time.monotonic() < until:
            time.sleep(reserve / 10)
        if not done:
            wait(list(self.waiting), return_when="FIRST_COMPLETED")
            done = [f for f in self.waiting if f.done()]
        for future, result in zip(done, self._client.gather(done), strict=True):
            yield self.waiting.pop(future), result

    def cancel(self) -> None:
        """Take back what is not done."""
        if self.waiting:
            self._client.cancel(list(self.waiting))


class _Plan:
    """Deals out rows in portions of about equal time."""

    def __init__(self, rows: Sequence[tuple[int, Sequence[Block]]]) -> None:
        self._rows = deque(rows)
        self._left, self._handed_out = _n_networks(rows), 0  # networks
        self._rate = 0.0  # networks a second on a worker

    @property
    def left(self) -> bool:
        """Whether there are rows that nobody has."""
        return bool(self._rows)

    def learn(self, networks: int, seconds: float) -> None:
        """Take note of what a task has done; the fastest counts, as others waited or compiled."""
        self._rate = max(self._rate, networks / max(seconds, 1e-9))
        self._handed_out -= networks

    def take_back(self, portion: _Portion) -> None:
        """Take rows that a task did not come to."""
        self._rows.extendleft(reversed(portion))
        self._left += (networks := _n_networks(portion))
        self._handed_out -= networks

    def reserve(self, n_workers: int) -> float:
        """Return the seconds of work that wait for each worker; none as long as the speed is unknown."""
        return min(_RESERVE, self._handed_out / self._rate / n_workers) if self._rate else 0.0

    def portions(self, n_waiting: int, n_workers: int) -> list[_Portion]:
        """Return what to hand out when so many tasks wait for the workers."""
        found: list[_Portion] = []
        while self.left and (n := n_waiting + len(found)) < n_workers * _MOST_WAITING:
            if n >= n_workers * _WAITING and (not self._rate or self.reserve(n_workers) >= _RESERVE):
                break
            found.append(self.take(n_workers))
        return found

    def take(self, n_workers: int) -> _Portion:
        """Return the next rows: one at least, and not more than a fair share of what is left."""
        wanted = max(self._left / (_WAITING * n_workers), self._rate * _SHORTEST)
        wanted = min(wanted, self._rate * SECONDS_PER_TASK) if self._rate else wanted
        portion = [self._rows.popleft()]
        networks = _n_networks(portion)
        while self._rows and (more := networks + _n_networks([self._rows[0]])) <= wanted:
            portion.append(self._rows.popleft())
            networks = more
        self._left -= networks
        self._handed_out += networks
        return portion


def _as_table(portion: _Portion) -> NDArray[np.int64]:
    """Return the blocks of rows as numbers, shape (n_blocks, 4): row, block, first network, networks."""
    return np.array([(number, b.index, b.start, b.n_nets) for number, blocks in portion for b in blocks], np.int64)


def _from_table(table: NDArray[np.int64]) -> list[list[Block]]:
    """Return the blocks of each row."""
    firsts = np.flatnonzero(np.diff(table[:, 0], prepend=table[0, 0] - 1))
    blocks = [Block(*numbers) for numbers in table[:, 1:].tolist()]
    return [blocks[i:j] for i, j in zip(firsts, [*firsts[1:], None], strict=True)]


@lru_cache(maxsize=2)
def _summer(definition: bytes) -> tuple[Source, BlockSummer]:
    """Return the networks, and what makes sums of blocks on this worker; prepared once for all tasks of a run."""
    from distributed.protocol.pickle import loads

    source, *rest = loads(definition)
    return source, block_summer(source, *rest)


def _in_time(rows: Sequence[Sequence[Block]], deadline: float) -> Iterator[Block]:
    """Iterate over the blocks of the first row, and of others that are begun before the deadline."""
    for i, row in enumerate(rows):
        if i and time.perf_counter() > deadline:
            return
        yield from row


def _task(definition: bytes, limit: float, table: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Return sums of rows, as many as there is time for, shape (n_done, n_monomials), and the seconds they took."""
    import numba
    from distributed import get_worker

    with _ONE_AT_A_TIME:
        before = numba.get_num_threads()
        numba.set_num_threads(max(1, min(numba.config.NUMBA_NUM_THREADS, get_worker().state.nthreads)))
        try:
            (source, summer), rows = _summer(definition), _from_table(table)
            start = time.perf_counter()
            parts = summer(_in_time(rows, start + limit), nobody)
            sums = np.array(list(row_totals(source, parts, [len(row) for row in rows])))
            return sums, time.perf_counter() - start
        finally:
            numba.set_num_threads(before)
