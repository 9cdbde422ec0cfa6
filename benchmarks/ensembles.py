"""The compiled ensemble kernel against batched array code, against the machine, and over threads, points and widths.

- ``rates``: networks per second for the sums behind the connected correlators to four points at six points (209
  components), N = 100: the compiled kernel, and a cache-sized batched pipeline over numpy's fastest generator (SFC64)
  and, if they can be imported, torch and jitted JAX. The nets are those with closed forms at their simplest: Cos-net,
  ReLU without biases, erf with standard normal biases of both layers, and the Gauss-net. Rates are per second of CPU
  time of one thread, the best of several repetitions taken in turn, so that a noisy machine disturbs all alike; "wall"
  is wall time on all threads, ``cuda`` the CUDA kernel where there is a device.
- ``limit`` is what the machine allows: the vector instructions of the kernel for one network, counted in its machine
  code (``_kernel_counts.py``), at the rates at which this machine executes vector instructions, measured in the same
  run (``_vector_rates.py``); ``fraction`` is the rate over it.
- ``threads``, ``points``, ``width``: the Cos-net in float32 over threads, points, degree and width.
- ``script``: torch modules made one at a time, their outputs concatenated in the loop.
- ``memory``: peak of fresh processes over the number of networks (``_peak_memory.py``).

The time to a given standard error, for all methods of measuring, is in ``estimators.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numba
import numpy as np
from _ensemble_peers import BATCHES, PEERS, Run, model_of, one_module_at_a_time, peer_names
from _instruction_counts import KINDS, available
from _kernel_counts import MOST_MONOMIALS, points_for, vector_instructions
from _record import write
from _vector_rates import limit, rates

from numerics.backends import usable_gpu
from numerics.kernels import LANES
from numerics.kernels.cpu import EnsembleKernel

SECONDS = {True: 0.08, False: 0.25}  # CPU time of one repetition
REPETITIONS = {True: 3, False: 6}
LARGEST_BATCH = 2**25  # numbers in an array of a batch
LARGEST_SUMS = 2**22  # numbers in the sums of a run

Case = dict[str, Any]  # net, input_dim, dtype, width, n_points, max_points


def case_of(net: str, input_dim: int, dtype: str, width: int = 100, n_points: int = 6, max_points: int = 4) -> Case:
    names = ("net", "input_dim", "dtype", "width", "n_points", "max_points")
    return dict(zip(names, (net, input_dim, dtype, width, n_points, max_points), strict=True))


def rate_cases(quick: bool) -> list[Case]:
    if quick:
        return [case_of(*c) for c in (("cos", 1, "float32"), ("cos", 1, "float64"), ("relu", 1, "float32"))]
    cases = [case_of(*c) for c in product(("cos", "relu", "erf"), (1, 2), ("float32", "float64"))]
    return [*cases, case_of("gauss", 1, "float32"), case_of("gauss", 1, "float64")]


def point_cases(quick: bool) -> list[Case]:
    sizes = [(m, n) for n in (2, 4) for m in (1, 6, 16, 64)] + [(6, 6), (16, 6)]
    if quick:
        sizes = [(1, 2), (6, 2), (16, 2), (6, 6)]
    return [case_of("cos", 1, "float32", n_points=m, max_points=n) for m, n in sizes]


def width_cases(quick: bool) -> list[Case]:
    return [case_of("cos", 1, "float32", width) for width in ((1, 10, 1000) if quick else 10 ** np.arange(6))]


class Compiled:
    """The compiled kernel of a case; a run adds as many networks as take about a given CPU time."""

    def __init__(self, case: Case, seconds: float) -> None:
        model = model_of(case["net"], case["input_dim"], int(case["width"]))
        points = points_for(case["n_points"], case["input_dim"])
        options = {"max_points": case["max_points"], "seed": 0, "dtype": case["dtype"]}
        self._kernel = EnsembleKernel(model, points, **options)
        n_blocks = 64 * -(-numba.get_num_threads() // 16)
        while n_blocks > 2 and n_blocks * self._kernel.n_monomials > LARGEST_SUMS:
            n_blocks //= 2
        self._prepare(n_blocks, 1)
        self()  # compiles
        while self._blocks > 2 and cpu_seconds(self, 1) > seconds:
            self._prepare(self._blocks // 2, 1)
        while cpu_seconds(self, 1) < seconds / 2:
            self._prepare(self._blocks, 2 * self._groups)

    def _prepare(self, n_blocks: int, groups: int) -> None:
        self._blocks, self._groups = n_blocks, groups
        self._sums = np.zeros((n_blocks, self._kernel.n_monomials))

    @property
    def size(self) -> int:
        """Networks of one run."""
        return self._blocks * self._groups * LANES

    def __call__(self) -> None:
        """Add the networks of one run."""
        sizes = [self._groups * LANES] * self._blocks
        self._kernel.add(list(range(self._blocks)), sizes, 0, self._groups, self._sums)


def cpu_seconds(run: Run, repeat: int) -> float:
    start = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - start) / repeat


def wall_seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fastest_batch(peer: str, case: Case, quick: bool) -> tuple[int, Run]:
    """Return the size of a batch and the run of a peer that has most networks per second."""
    largest = LARGEST_BATCH // (case["width"] * case["n_points"])
    sizes = [size for size in (BATCHES[1:2] if quick else BATCHES) if size <= largest] or BATCHES[:1]
    points = points_for(case["n_points"], case["input_dim"])
    shape = (case["net"], case["input_dim"], case["dtype"], int(case["width"]))
    runs = {size: PEERS[peer](*shape, size, points, case["max_points"]) for size in sizes}
    for run in runs.values():
        run()
    return min(runs.items(), key=lambda item: cpu_seconds(item[1], 2) / item[0])


def cpu_rates(case: Case, peers: list[str], quick: bool) -> tuple[dict[str, float], Compiled]:
    """Return networks per second of CPU time of one thread, and the compiled kernel."""
    seconds, threads = SECONDS[quick], numba.get_num_threads()
    numba.set_num_threads(1)
    kernel = Compiled(case, seconds)
    runs: dict[str, tuple[int, Run]] = {"numba": (kernel.size, kernel)}
    runs |= {peer: fastest_batch(peer, case, quick) for peer in peers}
    repeats = {name: max(1, round(seconds / max(cpu_seconds(run, 1), 1e-6))) for name, (_, run) in runs.items()}
    found = dict.fromkeys(runs, 0.0)
    for _ in range(REPETITIONS[quick]):
        for name, (size, run) in runs.items():
            found[name] = max(found[name], size / cpu_seconds(run, repeats[name]))
    numba.set_num_threads(threads)
    return found, kernel


def cuda_rate(case: Case) -> float | str:
    """Return networks per second of wall time on a CUDA device, or that none was there."""
    if not usable_gpu():
        return "not measured"
    from numerics.kernels.cuda import EnsembleKernel as CudaKernel

    model, points = model_of(case["net"], case["input_dim"], case["width"]), points_for(6, case["input_dim"])
    kernel = CudaKernel(model, points, max_points=4, seed=0, dtype=case["dtype"])
    n_groups = 1 << 13
    sums = np.zeros((64, kernel.n_monomials))
    run = lambda: kernel.add(range(64), [n_groups * LANES] * 64, 0, n_groups, sums)  # noqa: E731
    return 64 * n_groups * LANES / min(wall_seconds(run) for _ in range(4))  # the first one compiles


def against_limit(case: Case, rate: float, speed: dict[str, float] | None) -> dict[str, Any]:
    """Return the counted instructions, the limit in networks per second of one thread, and the fraction reached."""
    names = ("instructions", *KINDS, "limit", "fraction")
    if speed is None or comb(case["n_points"] + case["max_points"], case["max_points"]) > MOST_MONOMIALS:
        return dict.fromkeys(names)
    counts = vector_instructions(**case)
    most = 1 / limit(counts, speed, case["dtype"])
    return dict(zip(names, (sum(counts.values()), *counts.values(), most, rate / most), strict=True))


def rate_row(case: Case, speed: dict[str, float] | None, quick: bool) -> dict[str, Any]:
    found, kernel = cpu_rates(case, peer_names(), quick)
    wall = kernel.size / min(wall_seconds(kernel) for _ in range(REPETITIONS[quick]))
    return {
        "table": "rates", **{k: case[k] for k in ("net", "input_dim", "dtype", "width")}, **found,
        "ratio": found["numba"] / max(rate for name, rate in found.items() if name != "numba"),
        **against_limit(case, found["numba"], speed), "wall": wall, "cuda": cuda_rate(case),
    }  # fmt: skip


def scaling_row(table: str, case: Case, speed: dict[str, float] | None, quick: bool) -> dict[str, Any]:
    peers = [name for name in ("torch", "numpy") if name in peer_names()][:1]
    found, _ = cpu_rates(case, peers, quick)
    names = ("n_points", "max_points") if table == "points" else ("width",)
    rest = {f"ratio to {peers[0]}": found["numba"] / found[peers[0]], **against_limit(case, found["numba"], speed)}
    return {"table": table, **{k: int(case[k]) for k in names}, **found, **rest}


def thread_rows(quick: bool) -> list[dict[str, Any]]:
    """Return networks per second of wall time on one thread, two, and so on."""
    most = numba.get_num_threads()
    threads = [t for t in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128) if t < most] + [most]
    rows = []
    for width, dtype in ((100, "float32"),) if quick else ((100, "float32"), (100, "float64"), (1, "float32")):
        kernel = Compiled(case_of("cos", 1, dtype, width), most * SECONDS[quick])
        best = dict.fromkeys(threads, np.inf)
        for _ in range(3 * REPETITIONS[quick]):
            for t in threads:
                numba.set_num_threads(t)
                best[t] = min(best[t], wall_seconds(kernel))
        numba.set_num_threads(most)
        for t in threads:
            shape = {"table": "threads", "dtype": dtype, "width": width, "threads": t}
            rows.append(shape | {"networks per second": kernel.size / best[t], "speedup": best[1] / best[t]})
    return rows


def memory_rows(sizes: list[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Iterate over the peak memory of fresh processes, for pairs of a width and a number of networks.

    The kernel is on disk before the first of them, as it is at all runs but the very first one of an installation.
    """
    _peak_memory(1, LANES)
    for width, networks in sizes:
        yield {"table": "memory", "width": width, "networks": networks, **_peak_memory(width, networks)}


def _peak_memory(width: int, networks: int) -> dict[str, float]:
    script = str(Path(__file__).with_name("_peak_memory.py"))
    command = [sys.executable, script, "--networks", str(networks), "--width", str(width)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def memory_sizes(networks: int | None, quick: bool) -> list[tuple[int, int]]:
    """Return widths and numbers of networks: up to a given number at N = 100, and 10^9 (quick: 10^7) at N = 1."""
    most = networks or (10**6 if quick else 10**8)
    wide = [10**k for k in range(6, 12) if 10**k < most] + [most]
    return [*((100, n) for n in wide), (1, 10**7 if quick else 10**9)]


def script_row(quick: bool) -> dict[str, Any]:
    """Return networks per second of torch modules made one at a time, and of the kernel."""
    n_nets, case = 500 if quick else 5000, case_of("erf", 1, "float32")
    script = one_module_at_a_time(n_nets, case["width"], points_for(6, 1))
    found, kernel = cpu_rates(case, [], quick)
    cpu, wall = np.inf, np.inf
    for _ in range(2):
        start = time.process_time()
        wall = min(wall, wall_seconds(script))
        cpu = min(cpu, time.process_time() - start)
    kernel_wall = min(wall_seconds(kernel) for _ in range(REPETITIONS[quick]))
    return {
        "table": "one torch module at a time, outputs concatenated in the loop", "networks": n_nets,
        "script, one thread": n_nets / cpu, "script, wall": n_nets / wall,
        "numba, one thread": found["numba"], "numba, wall, all threads": kernel.size / kernel_wall,
        "ratio, one thread": found["numba"] * cpu / n_nets, "ratio, wall": kernel.size / kernel_wall * wall / n_nets,
    }  # fmt: skip


def show(row: dict[str, Any], heads: tuple[str, ...] | None) -> tuple[str, ...]:
    """Print a row, and a head where its columns differ from those of the last one."""
    cells = {k: v for k, v in row.items() if k != "table"}
    if tuple(cells) != heads:
        print(f"\n{row['table']}\n" + "".join(f"{name:>{max(13, len(name) + 2)}}" for name in cells))
    for name, value in cells.items():
        text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{text:>{max(13, len(name) + 2)}}", end="")
    print(flush=True)
    return tuple(cells)


def all_rows(networks: int | None, quick: bool) -> Iterator[dict[str, Any]]:
    """Iterate over all rows; what starts or copies processes comes before torch and jax are loaded."""
    speed = rates() if available() else None
    if speed is not None:
        yield {"table": "vector instructions of one thread per second"} | speed
    print("counting instructions ...", file=sys.stderr, flush=True)
    tables = {"rates": rate_cases(quick), "points": point_cases(quick), "width": width_cases(quick)}
    for case in (case for cases in tables.values() for case in cases):
        against_limit(case, 1.0, speed)
    yield from memory_rows(memory_sizes(networks, quick))
    yield from thread_rows(quick)
    yield from (rate_row(case, speed, quick) for case in tables["rates"])
    for table in ("points", "width"):
        yield from (scaling_row(table, case, speed, quick) for case in tables[table])
    if "torch" in peer_names():
        yield script_row(quick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer cases and repetitions, under a minute")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for ensembles-<cpu>.json")
    parser.add_argument(
        "--networks",
        type=lambda text: int(float(text)),
        help="most networks of width 100 whose memory is measured (1e8)",
    )
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    heads = None
    for row in all_rows(arguments.networks, arguments.quick):
        rows.append(row)
        heads = show(row, heads)
    if arguments.out:
        threads, unit = numba.get_num_threads(), "networks per second"
        packages = ("numba", *peer_names())
        print("wrote", write(arguments.out, "ensembles", rows, packages=packages, unit=unit, threads=threads))


if __name__ == "__main__":
    main()
