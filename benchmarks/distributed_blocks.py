"""Blocks of networks on a Dask LocalCluster: the same bits for any workers and tasks, and what a task costs.

The same ensemble on this machine alone, and on 1 and 2 workers of one thread each with tasks of several lengths. The
cost of a task is the wall time of the cluster beyond that of the work, which is the time inside the tasks over the
workers, for each task; "Dask alone" is the same for tasks that do nothing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
from _record import write
from distributed import Client, LocalCluster

from diagrams import cos_net
from numerics import Ensemble, distributed

X = np.linspace(-1, 1, 6)[:, None]
LENGTHS = (0.0, 0.1, 1.0)  # seconds per task; 0: one row each


class Tally:
    """Counts the tasks of a run and the seconds inside them."""

    def __init__(self) -> None:
        self.tasks, self.seconds = 0, 0.0
        self._learn = distributed._Plan.learn

    def __enter__(self) -> Tally:
        def learn(plan: Any, networks: int, seconds: float) -> None:
            self.tasks += 1
            self.seconds += seconds
            self._learn(plan, networks, seconds)

        distributed._Plan.learn = learn
        return self

    def __exit__(self, *_: object) -> None:
        distributed._Plan.learn = self._learn


def idle(_: int) -> None:
    """Do nothing on a worker."""


def dask_alone(client: Client, tasks: int = 500) -> float:
    """Return the milliseconds of a task that does nothing."""
    start = time.perf_counter()
    client.gather(client.map(idle, range(tasks), pure=False))
    return 1e3 * (time.perf_counter() - start) / tasks


def measure(ensemble: Ensemble, client: Client, n_workers: int, length: float, alone: Any) -> dict[str, Any]:
    """Return the figures of one length of tasks, the fastest of three runs."""
    distributed.SECONDS_PER_TASK = length
    runs = []
    for _ in range(3):
        with Tally() as tally:
            start = time.perf_counter()
            sums = ensemble.connected_correlators(X, client=client)
            wall = time.perf_counter() - start
        assert sums.dataset.identical(alone.dataset), "the cluster gave other bits"
        runs.append((wall, tally.tasks, tally.seconds))
    wall, tasks, seconds = min(runs)
    return {
        "workers": n_workers, "seconds_per_task": length, "tasks": tasks, "wall": wall, "inside": seconds,
        "overhead_ms": 1e3 * (wall - seconds / n_workers) / tasks, "identical": True,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the networks")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for distributed_blocks-<cpu>.json")
    arguments = parser.parse_args()
    net = cos_net().at(N=100, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(net, n_nets=2**21 if arguments.quick else 2**23, seed=5, dtype="float32")
    ensemble.connected_correlators(X)
    start = time.perf_counter()
    alone = ensemble.connected_correlators(X)
    rows: list[dict[str, Any]] = [
        {"workers": 0, "threads": numba.get_num_threads(), "wall": time.perf_counter() - start}
    ]
    print(f"this process, {rows[0]['threads']} threads: {rows[0]['wall']:.2f} s")
    print(f"{'workers':>8}{'s per task':>12}{'tasks':>8}{'wall s':>9}{'inside s':>10}{'ms a task':>11}  same bits")
    for n_workers in (1, 2):
        options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            ensemble.connected_correlators(X, client=client)  # compiles
            for length in LENGTHS:
                row = measure(ensemble, client, n_workers, length, alone)
                rows.append(row)
                print(
                    f"{n_workers:8}{length:12g}{row['tasks']:8}{row['wall']:9.2f}{row['inside']:10.2f}"
                    f"{row['overhead_ms']:11.2f}  {row['identical']}", flush=True,
                )  # fmt: skip
            rows.append({"workers": n_workers, "dask_alone_ms": dask_alone(client)})
            print(f"{n_workers:8}  Dask alone: {rows[-1]['dask_alone_ms']:.2f} ms a task", flush=True)
    if arguments.out:
        packages = ("distributed", "numba", "numpy")
        print("wrote", write(arguments.out, "distributed_blocks", rows, packages=packages, networks=ensemble.n_nets))


if __name__ == "__main__":
    main()
