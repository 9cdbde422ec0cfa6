"""Work shared out among threads: compiled functions that let go of the interpreter's lock, called on ranges.

Ranges are taken one after the other by whichever thread is free. Against the parallel loops of numba this saves half of
the compile time, and threads of a Dask worker may call kernels at the same time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numba

_SHARES = 8  # ranges for each thread, so that none waits long for the last


def n_threads() -> int:
    """Return the number of threads that kernels run on (``numba.set_num_threads``)."""
    return int(numba.get_num_threads())


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(int(numba.config.NUMBA_NUM_THREADS), thread_name_prefix="nnft")


if hasattr(os, "register_at_fork"):  # threads do not outlive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


def share_out(work: Callable[[int, int], None], n: int) -> None:
    """Call ``work(start, stop)`` on ranges that make up ``range(n)``, on several threads.

    Returns when all is done. The calling thread takes part; where it is interrupted, the others end with what they are
    at. Which ranges there are is no matter of results: work on one must not depend on the others.

    Parameters
    ----------
    work : callable
        Compiled code without the interpreter's lock, for the most part.
    n : int
    """
    threads = min(n_threads(), n)
    step = max(1, -(-n // (threads * _SHARES))) if threads > 1 else n
    starts = deque(range(0, n, step)) if n else deque()

    def run() -> None:
        while starts:
            try:
                start = starts.popleft()
            except IndexError:  # another thread was faster
                return
            work(start, min(start + step, n))

    others = [_pool().submit(run) for _ in range(threads - 1)]
    try:
        run()
    finally:
        starts.clear()
        for other in others:
            if not other.cancel():
                other.result()
