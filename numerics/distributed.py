"""Blocks of networks on a Dask cluster: the same sums, bit for bit, whatever the workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.blocks import Block, row_sums
from numerics.sources import Source

_TASKS_PER_WORKER = 8  # so that workers that are late or lost cost little
_LARGEST_TASK = 1 << 23  # networks
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

    n_workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    networks = sum(b.n_nets for _, blocks in rows for b in blocks)
    n_tasks = max(_TASKS_PER_WORKER * n_workers, -(-networks // _LARGEST_TASK))
    step = max(1, -(-len(rows) // n_tasks))
    # handed to every task: what is scattered would be lost with its worker
    futures = [
        client.submit(_task, source, points, rows[i : i + step], max_points, size, pure=False, retries=_RETRIES)
        for i in range(0, len(rows), step)
    ]
    try:
        for _, found in as_completed(futures, with_results=True):
            yield from found
    finally:
        client.cancel(futures)


def _task(
    source: Source,
    points: NDArray[np.float64],
    rows: Sequence[tuple[int, Sequence[Block]]],
    max_points: int,
    size: int,
) -> list[tuple[int, int, NDArray[np.float64]]]:
    import numba
    from distributed import get_worker

    with _ONE_AT_A_TIME:
        before = numba.get_num_threads()
        numba.set_num_threads(max(1, min(numba.config.NUMBA_NUM_THREADS, get_worker().state.nthreads)))
        try:
            return [
                (number, sum(b.n_nets for b in blocks), row_sums(source, blocks, points, max_points, size))
                for number, blocks in rows
            ]
        finally:
            numba.set_num_threads(before)
