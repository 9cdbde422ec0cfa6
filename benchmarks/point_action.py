"""Time the action on a finite set of points: couplings as tensors, value, gradient and Hessian on many fields.

Run as ``python benchmarks/point_action.py [--quick] [--out FOLDER]``. "Cold" is the first call of a process, with the
symbolic correlators and the diagrams made on the way; "warm" the median of further calls.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from _record import write

WORKER = """
import json, sys, time
import numpy as np
from diagrams import cos_net
from numerics import point_action
n_points, order, repeats = map(int, sys.argv[1:])
net = cos_net(input_dim=1).at(N=40, sigma_w0=1, sigma_w1=1)
x = np.linspace(-1, 1, n_points)[:, None] * n_points / 4
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    action = point_action(net, x, order=order)
    times.append(time.perf_counter() - start)
phi = np.random.default_rng(0).normal(size=(100_000, n_points)) / 2
row = {"cold_s": times[0], "warm_s": times[1:]}
for name in ("value", "gradient", "hessian"):
    start = time.perf_counter()
    getattr(action, name)(phi)
    row[name + "_us_per_field"] = (time.perf_counter() - start) / len(phi) * 1e6
print(json.dumps(row))
"""
CASES = [(2, 2, None), (4, 2, None), (8, 2, None), (2, 3, None), (4, 3, 5.0)]  # points, order, warm seconds asked for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for n_points, order, asked in CASES[:2] if arguments.quick else CASES:
        command = [sys.executable, "-c", WORKER, str(n_points), str(order), "1" if arguments.quick else "5"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout)
        figures["warm_s"] = statistics.median(figures["warm_s"])
        row = {"net": "cos", "n_points": n_points, "order": order, "warm_asked_s": asked}
        row |= {name: round(value, 4) for name, value in figures.items()}
        rows.append(row)
        limit = "" if asked is None else f"   (warm, asked: {asked:g} s)"
        shown = f"cold {row['cold_s']:8.3f} s   warm {row['warm_s']:8.3f} s"
        shown += f"   gradient {row['gradient_us_per_field']} us"
        print(f"{n_points} points through N^-{order}   {shown}{limit}", flush=True)
    print(write(arguments.out, "point_action", rows, packages=("numpy", "sympy", "opt_einsum")))


if __name__ == "__main__":
    main()
