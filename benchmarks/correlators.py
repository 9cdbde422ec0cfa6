"""Time the derivation of connected correlators: independent neurons, a tilt of the density, the reconstructed action.

Run as ``python benchmarks/correlators.py [--quick] [--out FOLDER]``. Every workload runs in a process of its own, so
that no cache of an earlier one helps; imports are not counted. The figure is the median of several processes.
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
import sys, time
from diagrams import *
from diagrams.independence import mixture, neuron_sum, Gamma, SquareRoot
net = {net}
start = time.perf_counter()
result = {work}
print(time.perf_counter() - start)
"""
NETS = {
    "cos": "cos_net(input_dim=1)",
    "cos, d = 3": "cos_net(input_dim=3)",
    "gauss": "gauss_net(input_dim=1)",
    "linear": "linear_net(input_dim=1)",
    "relu, no bias": "relu_net(input_dim=1, hidden_bias=False)",
    "scalar": "scalar_net(input_dim=1)",
}
TILT = 'net.tilted(neuron_sum(net.w0**2)**2 / net.N**2).connected_correlators(max_points={n}, order={{"alpha": {r}}})'
MIXTURE = 'mixture(net, {"sigma_w1": SquareRoot(Gamma(2, 1))}).connected_correlators(max_points=6)[6].expr'


@dataclass(frozen=True)
class Workload:
    name: str
    net: str
    work: str
    asked_s: float | None = None


def workloads(quick: bool) -> list[Workload]:
    found = []
    for n, asked in ((4, None), (6, 1.0), (8, 20.0)):
        for name, net in NETS.items():
            if quick and (n == 8 or name not in ("cos", "gauss")):
                continue
            work = f"net.connected_correlators(max_points={n})[{n}].expr"
            found.append(Workload(f"{name}: {n}-point", net, work, asked))
    for n, r, asked in ((2, 1, None), (4, 1, 10.0), (2, 2, None)):
        work = TILT.format(n=n, r=r) + f"[{n}].expr"
        found.append(Workload(f"cos: {n}-point, tilt to order {r}", NETS["cos"], work, asked))
    found.append(Workload("cos: 6-point, mixture", NETS["cos"], MIXTURE))
    if not quick:
        found.append(Workload("one-variable couplings through N^-5", "None", "one_variable_couplings(order=5)", 30.0))
        action = "net.connected_correlators(max_points=8).action(order=3)"
        found.append(Workload("cos: action through N^-3", NETS["cos"], action, 60.0))
    return found


def seconds(work: Workload, repeats: int) -> float:
    text = SETUP.format(net=work.net, work=work.work)
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
    print(write(arguments.out, "correlators", rows, packages=("sympy",)))


if __name__ == "__main__":
    main()
