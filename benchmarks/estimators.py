"""CPU time to one per cent of the connected four-point function, at N = 100, for every method of measuring it.

Each row takes six points and all 126 components of the four-point function: the time that brings the root mean square
of the standard errors to 1 % of that of the values, from a run of a fraction of a second and the law that errors fall
as one over the square root of the time. For Sobol sequences, whose errors fall faster, it is the time of the shortest
run that reaches 1 %, and extrapolated from the longest one ("sobol, long"). The peer is plain sampling of whole
networks in batched numpy (and torch, where it can be imported) in float32, whose estimator has the same error per
network as ours: its time is its time per network times the networks that ours needs. Ours is float64, but for the rows
that say otherwise.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _ensemble_peers import BATCHES, numpy_batch, torch_batch
from _record import write

from diagrams import cos_net, erf_net, relu_net
from numerics import Ensemble

WIDTH = 100
NETS = {
    "cos": lambda d: cos_net(input_dim=d).at(N=WIDTH, sigma_w0=1, sigma_w1=1),
    "relu": lambda d: relu_net(input_dim=d, hidden_bias=False).at(N=WIDTH, sigma_w0=1, sigma_w1=1),
    "erf": lambda d: erf_net(input_dim=d).at(N=WIDTH, sigma_w0=1, sigma_w1=1, sigma_b0=1),
}
RUNS = {  # method, type, networks or neurons
    "network, f32": ("network", "float32", 2**20),
    "conditional": ("conditional", "float64", 2**18),
    "neuron": ("neuron", "float64", 2**22),
    "neuron, f32": ("neuron", "float32", 2**22),
}
SOBOL = [2**k for k in range(8, 18)]


def points(name: str, d: int) -> np.ndarray:
    """Return six points, positive ones for relu."""
    x = np.linspace(0.2, 1.2, 6)[:, None] if name == "relu" else np.linspace(-1, 1, 6)[:, None]
    return x if d == 1 else np.hstack([x, x[[3, 0, 5, 1, 4, 2]]])


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def relative_error(measured: Any) -> float:
    return float(np.linalg.norm(measured.errors(4)) / np.linalg.norm(measured.values(4)))


def seconds_per_network(name: str, d: int, x: np.ndarray, batch: Callable[..., Any]) -> float:
    best = np.inf
    for size in BATCHES:
        run = batch(name, d, "float32", WIDTH, size, x)
        run()
        for _ in range(3):
            repeats = max(1, 4096 // size)
            spent = timed(lambda run=run, repeats=repeats: [run() for _ in range(repeats)])[0]
            best = min(best, spent / (repeats * size))
    return best


def measure(name: str, d: int, quick: bool) -> dict[str, Any]:
    """Return the CPU seconds to 1 % of each method for one net."""
    net, x = NETS[name](d), points(name, d)
    row: dict[str, Any] = {"net": f"{name}, d = {d}"}
    exact = np.linalg.norm(Ensemble(net, n_nets=2**16, seed=9).connected_correlators(x, method="neuron").values(4))
    for label, (method, dtype, n) in RUNS.items():
        ensemble = Ensemble(net, n_nets=n // 8 if quick else n, seed=1, dtype=dtype)
        ensemble.connected_correlators(x, method=method)  # compiles
        spent, measured = timed(lambda e=ensemble, m=method: e.connected_correlators(x, method=m))
        error = float(np.linalg.norm(measured.errors(4)) / exact)
        row[label] = {"cpu_seconds": spent * (error / 0.01) ** 2, "run": spent, "error": error, "n": ensemble.n_nets}
    for n in SOBOL:
        ensemble = Ensemble(net, n_nets=n, seed=1)
        runs = [timed(lambda e=ensemble: e.connected_correlators(x, method="neuron", sampling="sobol")) for _ in "abc"]
        spent, measured = min(runs, key=lambda run: run[0])
        if relative_error(measured) < 0.01:
            row["sobol"] = {"cpu_seconds": spent, "run": spent, "error": relative_error(measured), "n": n}
            break
    row["sobol, long"] = _extrapolated(net, x)
    networks = row["network, f32"]["n"] * (row["network, f32"]["error"] / 0.01) ** 2
    row["networks needed"] = networks
    row["numpy"] = {"cpu_seconds": networks * seconds_per_network(name, d, x, numpy_batch)}
    if importlib.util.find_spec("torch"):
        row["torch"] = {"cpu_seconds": networks * seconds_per_network(name, d, x, torch_batch)}
    peer = min(row[p]["cpu_seconds"] for p in ("numpy", "torch") if p in row)
    row["ratios"] = {m: peer / row[m]["cpu_seconds"] for m in (*RUNS, "sobol", "sobol, long") if m in row}
    return row


def _extrapolated(net: Any, x: np.ndarray) -> dict[str, Any]:
    ensemble = Ensemble(net, n_nets=SOBOL[-1], seed=1)
    runs = [timed(lambda: ensemble.connected_correlators(x, method="neuron", sampling="sobol")) for _ in "abc"]
    spent, measured = min(runs, key=lambda run: run[0])
    error = relative_error(measured)
    return {"cpu_seconds": spent * (error / 0.01) ** 2, "run": spent, "error": error, "n": SOBOL[-1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="d = 1 only, shorter runs")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for estimators-<cpu>.json")
    arguments = parser.parse_args()
    rows = []
    columns = ("numpy", "torch", *RUNS, "sobol", "sobol, long")
    print("CPU seconds to 1 % of the connected four-point function, N = 100 (ratio to the best peer)")
    print(f"{'':>12}" + "".join(f"{c:>22}" for c in columns))
    for d in (1,) if arguments.quick else (1, 2):
        for name in NETS:
            rows.append(row := measure(name, d, arguments.quick))
            cells = [
                f"{row[c]['cpu_seconds']:.2e}" + (f" ({row['ratios'][c]:.1e})" if c in row["ratios"] else "")
                if c in row
                else "-"
                for c in columns
            ]
            print(f"{row['net']:>12}" + "".join(f"{c:>22}" for c in cells), flush=True)
    if arguments.out:
        packages = ("numba", "numpy", "scipy") + (("torch",) if importlib.util.find_spec("torch") else ())
        print(f"written to {write(arguments.out, 'estimators', rows, packages=packages)}")


if __name__ == "__main__":
    main()
