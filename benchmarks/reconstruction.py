"""Time actions from connected correlators: one variable, the Cos-net, two parameters, moments of one neuron.

Run as ``python benchmarks/reconstruction.py [--quick] [--out FOLDER]``. Every workload runs in a process of its own, so
that no cache of an earlier one helps; imports and the choice of the net are not counted. Median of several processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from _record import write

SETUP = """
import time
from diagrams import *
from diagrams.independence import neuron_sum
from diagrams.moment_form import in_moments
net = cos_net(input_dim=1)
start = time.perf_counter()
result = {work}
print(time.perf_counter() - start)
"""
TILT = 'net.tilted(neuron_sum(net.w0**2)**2 / net.N**2).connected_correlators(max_points=4, order={"alpha": 1})'
ACTION = "net.connected_correlators(max_points={top}).action(order={order})"


@dataclass(frozen=True)
class Workload:
    name: str
    work: str
    asked_s: float | None = None


def workloads(quick: bool) -> list[Workload]:
    top = 3 if quick else 5
    asked = None if quick else 30.0
    found = [Workload(f"one-variable couplings through N^-{top}", f"one_variable_couplings(order={top})", asked)]
    for order in (1, 2) if quick else (1, 2, 3):
        work = ACTION.format(top=2 * order + 2, order=order)
        found.append(Workload(f"cos: action through N^-{order}", work, 60.0 if order == 3 else None))
    found.append(Workload("cos, tilted: action to 1/N and alpha", TILT + '.action(order={"1/N": 1, "alpha": 1})'))
    found.append(Workload("cos: N^-2 in moments", f"in_moments({ACTION.format(top=6, order=2)})"))
    return found


def seconds(work: Workload, repeats: int) -> float:
    text = SETUP.format(work=work.work)
    runs = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
        runs.append(float(done.stdout))
    return statistics.median(runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for work in workloads(arguments.quick):
        row = asdict(work) | {"seconds": round(seconds(work, 1 if arguments.quick else 3), 4)}
        rows.append(row)
        asked = "" if work.asked_s is None else f"   (asked: {work.asked_s:g} s)"
        print(f"{work.name:<40} {row['seconds']:8.3f} s{asked}", flush=True)
    print(write(arguments.out, "reconstruction", rows, packages=("sympy",)))


if __name__ == "__main__":
    main()
