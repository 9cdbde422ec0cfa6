"""Blocks of networks on a Dask cluster: the same sums, bit for bit, whatever the workers.

Tasks are as long as :data:`SECONDS_PER_TASK`, by the speed of those that are done: long against what Dask needs for a
task, and short enough that a worker that is late or lost costs little.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.blocks import Block, row_sums
from numerics.sources import Source

SECONDS_PER_TASK = 1.0
_GROWTH = 8  # a task has at most so many times the networks of the largest before: the first ones compile
_WAITING = 2  # tasks for each worker, one of them running
_SECONDS_BETWEEN_COUNTS = 5.0  # of workers, which may come and go
_RETRIES = 5
_ONE_AT_A_TIME = threading.Lock()  # kernels use all threads of a worker by themselves


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
    from distributed import as_completed

    plan = _Plan(rows)
    futures: set[Any] = set()
    finished = as_completed(with_results=True)

    def submit(n_workers: int) -> None:
        while plan.left and len(futures) < _WAITING * n_workers:
            # all is handed to every task: what is scattered would be lost with its worker
            future = client.submit(
                _task, source, points, plan.take(n_workers), max_points, size, pure=False, retries=_RETRIES
            )
            futures.add(future)
            finished.add(future)

    try:
        n_workers, counted = _n_workers(client), time.monotonic()
        submit(n_workers)
        for future, (found, seconds) in finished:
            futures.discard(future)
            plan.learn(sum(n for _, n, _ in found), seconds)
            if time.monotonic() > counted + _SECONDS_BETWEEN_COUNTS:
                n_workers, counted = _n_workers(client), time.monotonic()
            submit(n_workers)
            yield from found
    finally:
        client.cancel(list(futures))


def _n_workers(client: Any) -> int:
    return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


class _Plan:
    """Deals out rows in portions of about equal time."""

    def __init__(self, rows: Sequence[tuple[int, Sequence[Block]]]) -> None:
        self._rows, self._next = rows, 0
        self._networks = np.cumsum([0, *(sum(b.n_nets for b in blocks) for _, blocks in rows)])
        self._rate, self._largest = 0.0, 0

    @property
    def left(self) -> bool:
        """Whether there are rows that nobody has."""
        return self._next < len(self._rows)

    def learn(self, networks: int, seconds: float) -> None:
        """Take note of a task; the fastest counts, as others waited or compiled."""
        self._rate = max(self._rate, networks / max(seconds, 1e-9))
        self._largest = max(self._largest, networks)

    def take(self, n_workers: int) -> Sequence[tuple[int, Sequence[Block]]]:
        """Return the next rows: one at least, and not more than a fair share of what is left."""
        done, total = int(self._networks[self._next]), int(self._networks[-1])
        wanted = min(self._rate * SECONDS_PER_TASK, _GROWTH * self._largest, (total - done) / (_WAITING * n_workers))
        stop = int(np.searchsorted(self._networks, done + wanted, side="right")) - 1
        first, self._next = self._next, max(self._next + 1, min(stop, len(self._rows)))
        return self._rows[first : self._next]


def _task(
    source: Source,
    points: NDArray[np.float64],
    rows: Sequence[tuple[int, Sequence[Block]]],
    max_points: int,
    size: int,
) -> tuple[list[tuple[int, int, NDArray[np.float64]]], float]:
    """Return the rows, each with its number and its networks, and the seconds that they took."""
    import numba
    from distributed import get_worker

    with _ONE_AT_A_TIME:
        before = numba.get_num_threads()
        numba.set_num_threads(max(1, min(numba.config.NUMBA_NUM_THREADS, get_worker().state.nthreads)))
        start = time.perf_counter()
        try:
            found = [
                (number, sum(b.n_nets for b in blocks), row_sums(source, blocks, points, max_points, size))
                for number, blocks in rows
            ]
            return found, time.perf_counter() - start
        finally:
            numba.set_num_threads(before)
