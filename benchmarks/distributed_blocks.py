"""Blocks of networks on a Dask LocalCluster: the same bits for any workers and tasks, and what a task costs.

The same sums by this process alone, and on 1 and 2 workers of one thread each with tasks of several lengths. The cost
of a task is the wall time of the cluster beyond that of the work, divided by the number of tasks, so that it holds its
part of what a run costs once (about a dozen ms to begin and to end). Work is the time inside the tasks over the workers
("ms a task"), or, as what Dask does beside them slows them down, the time that this process needs on as many threads as
there are workers ("against alone"; for a few long tasks this is the noise of the machine). "Dask alone" is the cost of
tasks that do nothing. Estimates made of the sums take the same time everywhere and are left out.
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

import numerics.ensemble
from diagrams import cos_net
from numerics import Ensemble, distributed

X = np.linspace(-1, 1, 6)[:, None]
LENGTHS = (0.0, 0.1, 1.0)  # seconds per task; 0: one row each


class Tally:
    """Counts the tasks of a run, the seconds inside them, and the seconds until all sums are there."""

    def __init__(self) -> None:
        self.tasks, self.inside, self.wall = 0, 0.0, 0.0
        self._learn, self._collected = distributed._Plan.learn, numerics.ensemble.collected

    def __enter__(self) -> Tally:
        def learn(plan: Any, networks: int, seconds: float) -> None:
            self.tasks += 1
            self.inside += seconds
            self._learn(plan, networks, seconds)

        def collected(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return self._collected(*arguments)
            finally:
                self.wall += time.perf_counter() - start

        distributed._Plan.learn, numerics.ensemble.collected = learn, collected
        return self

    def __exit__(self, *_: object) -> None:
        distributed._Plan.learn, numerics.ensemble.collected = self._learn, self._collected


def idle(_: int) -> None:
    """Do nothing on a worker."""


def dask_alone(client: Client, tasks: int = 500) -> float:
    """Return the milliseconds of a task that does nothing."""
    start = time.perf_counter()
    client.gather(client.map(idle, range(tasks), pure=False))
    return 1e3 * (time.perf_counter() - start) / tasks


def alone(ensemble: Ensemble, threads: int) -> tuple[Any, float]:
    """Return the estimate by this process, and the seconds until all sums were there."""
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        with Tally() as tally:
            found = ensemble.connected_correlators(X)
        return found, tally.wall
    finally:
        numba.set_num_threads(before)


def measure(ensemble: Ensemble, client: Client, n_workers: int, length: float) -> dict[str, Any]:
    """Return the figures of one length of tasks: the fastest of three runs, each beside this process alone."""
    distributed.SECONDS_PER_TASK = length
    runs, reference = [], []
    for _ in range(3):
        expected, seconds = alone(ensemble, n_workers)
        reference.append(seconds)
        with Tally() as tally:
            sums = ensemble.connected_correlators(X, client=client)
        assert sums.dataset.identical(expected.dataset), "the cluster gave other bits"
        runs.append((tally.wall, tally.tasks, tally.inside))
    wall, tasks, inside = min(runs)
    return {
        "workers": n_workers, "seconds_per_task": length, "tasks": tasks, "wall": wall, "inside": inside,
        "alone": min(reference), "overhead_ms": 1e3 * (wall - inside / n_workers) / tasks,
        "overhead_against_alone_ms": 1e3 * (wall - min(reference)) / tasks, "identical": True,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the networks")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for distributed_blocks-<cpu>.json")
    arguments = parser.parse_args()
    net = cos_net().at(N=100, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(net, n_nets=2**21 if arguments.quick else 2**23, seed=5, dtype="float32")
    ensemble.connected_correlators(X)  # compiles
    rows: list[dict[str, Any]] = []
    print(
        f"{'workers':>8}{'s per task':>12}{'tasks':>8}{'wall s':>9}{'inside s':>10}{'alone s':>9}{'ms a task':>11}"
        f"{'against alone':>15}"
    )
    for n_workers in (1, 2):
        options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            ensemble.connected_correlators(X, client=client)  # compiles
            for length in LENGTHS:
                row = measure(ensemble, client, n_workers, length)
                rows.append(row)
                print(
                    f"{n_workers:8}{length:12g}{row['tasks']:8}{row['wall']:9.2f}{row['inside']:10.2f}{row['alone']:9.2f}"
                    f"{row['overhead_ms']:11.2f}{row['overhead_against_alone_ms']:15.2f}", flush=True,
                )  # fmt: skip
            rows.append({"workers": n_workers, "dask_alone_ms": dask_alone(client)})
            print(f"{n_workers:8}  Dask alone: {rows[-1]['dask_alone_ms']:.2f} ms a task", flush=True)
    if arguments.out:
        packages = ("distributed", "numba", "numpy")
        print("wrote", write(arguments.out, "distributed_blocks", rows, packages=packages, networks=ensemble.n_nets))


if __name__ == "__main__":
    main()
