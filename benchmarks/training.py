"""An ensemble of 100 networks 784-50-10 trained at once, against 100 PyTorch runs of the same schedule one by one.

Adam and gradient descent, batches of 64, mean squared error, float32, no biases. Rates count the floating-point
operations of the matrix products alone, and are compared with a large square product in numpy and torch (the faster
counts). Both are measured in turns, so that other programs hurt both, the best of some repetitions counts, and in two
ways: by the clock on all cores, and by the processor time of one thread, which other programs hardly change. A few
PyTorch runs are timed, on one thread and on all, and scaled to 100.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
from _record import write
from threadpoolctl import threadpool_limits

from numerics.layered_nets import LayeredNet
from numerics.training import train_ensemble

SHAPE, BATCH, RATE = (784, 50, 10), 64, 1e-3
N_NETS = 100
FLOPS = BATCH * (4 * SHAPE[0] * SHAPE[1] + 6 * SHAPE[1] * SHAPE[2])  # no gradient of the inputs
SIDE = 2048
SHORT = 20  # steps of the run that is taken off a longer one
CORES = os.cpu_count() or 1
HAS_TORCH = importlib.util.find_spec("torch") is not None


def data(steps: int = 100) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps * BATCH, SHAPE[0]), dtype=np.float32)
    return x, np.eye(10, dtype=np.float32)[rng.integers(0, 10, len(x))]


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use that many threads for ours, for BLAS and for torch."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    if HAS_TORCH:
        import torch

        torch.set_num_threads(n)
    with threadpool_limits(n):
        yield
    numba.set_num_threads(before)


def ensemble_run(steps: int, backend: str, optimizer: str, n_nets: int) -> Callable[[], Any]:
    """Return a function that trains an ensemble; with jax it returns seconds of its own, without compilation."""
    x, y = data()
    net = LayeredNet(SHAPE)
    start = net.initial(n_nets, seed=0, dtype="float32")

    def run() -> Any:
        done: list[float] = []

        def note(finished: int, total: int) -> None:
            done.append(time.perf_counter())

        train_ensemble(
            net, x, y, n_nets=n_nets, steps=steps, batch_size=BATCH, optimizer=optimizer, learning_rate=RATE,
            dtype="float32", record=(steps,), losses=False, keep_parameters=False, initial=start, callback=note,
            backend=backend,
        )  # fmt: skip
        # jax compiles in every run, with the first chunk: the others are timed and scaled to all
        return (done[-1] - done[0]) * len(done) / (len(done) - 1) if backend == "jax" else None

    return run


def torch_run(optimizer: str) -> Callable[[], Any]:
    """Return a function that trains one network in PyTorch for 100 steps."""
    import torch

    x, y = (torch.tensor(a) for a in data())

    def run() -> None:
        model = torch.nn.Sequential(
            torch.nn.Linear(SHAPE[0], SHAPE[1], bias=False), torch.nn.ReLU(),
            torch.nn.Linear(SHAPE[1], SHAPE[2], bias=False),
        )  # fmt: skip
        make = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
        optimise, loss = make(model.parameters(), lr=RATE), torch.nn.MSELoss()
        for i in range(0, len(x), BATCH):
            optimise.zero_grad()
            loss(model(x[i : i + BATCH]), y[i : i + BATCH]).backward()
            optimise.step()

    return run


def products() -> dict[str, Callable[[], Any]]:
    """Return the large product of each library."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    out = np.empty_like(a)
    found: dict[str, Callable[[], Any]] = {"numpy": lambda: np.matmul(a, a, out=out)}
    if HAS_TORCH:
        import torch

        t = torch.tensor(a)
        found["torch"] = lambda: t @ t
    return found


def timed(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Return seconds of one call: those it returns, or of the clock."""
    start = clock()
    own = run()
    return own if isinstance(own, float) else clock() - start


def rates(steps: int, backend: str, optimizer: str, n_nets: int, repeat: int, clock: Any) -> dict[str, Any]:
    """Return the rates of steps and of products in GFLOP/s, the best of turns, and their ratio.

    ``whole`` are the seconds of 100 networks with everything, the rate is that of the steps alone: of the difference of
    a long and a short run (jax: of all chunks but the first).
    """
    square = products()
    runs = {"long": ensemble_run(steps, backend, optimizer, n_nets)}
    if backend == "numba":
        runs["short"] = ensemble_run(SHORT, backend, optimizer, n_nets)
    best = dict.fromkeys([*runs, *square], np.inf)
    runs["long"]()
    for _ in range(repeat):
        for name, run in (*square.items(), *runs.items()):
            best[name] = min(best[name], timed(run, clock))
    counted = steps - SHORT if "short" in runs else steps
    rate = FLOPS * n_nets * counted / (best["long"] - (best["short"] if "short" in runs else 0)) / 1e9
    product = {name: 2 * SIDE**3 / best[name] / 1e9 for name in square}
    whole = best["long"] * N_NETS / n_nets
    return {"whole": whole, "rate": rate, "products": product, "fraction": rate / max(product.values())}


def measured(steps: int, backend: str, optimizer: str, repeat: int) -> dict[str, Any]:
    """Return one row: all cores by the clock, one thread by its processor time, PyTorch both ways."""
    row: dict[str, Any] = {"backend": backend, "optimizer": optimizer, "steps": steps, "n_nets": N_NETS}
    with threads(CORES):
        row["all_cores"] = rates(steps, backend, optimizer, N_NETS, repeat, time.perf_counter)
    if backend == "numba":  # jax does its work on threads of its own
        with threads(1):
            row["one_thread"] = rates(steps, backend, optimizer, 10, 2 * repeat, time.thread_time)
    if HAS_TORCH:
        other = torch_run(optimizer)
        for name, n, clock in (("all_cores", CORES, time.perf_counter), ("one_core", 1, time.perf_counter),
                               ("one_thread", 1, time.thread_time)):  # fmt: skip
            with threads(n):
                row[f"torch_{name}"] = N_NETS * steps / 100 * min(timed(other, clock) for _ in range(repeat + 1))
        row["ratio"] = min(row["torch_all_cores"], row["torch_one_core"]) / row["all_cores"]["whole"]
        if "one_thread" in row:
            row["ratio_one_thread"] = row["torch_one_thread"] / row["one_thread"]["whole"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps and repetitions")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for training-<cpu>.json")
    arguments = parser.parse_args()
    steps, repeat = (120, 3) if arguments.quick else (220, 8)
    rows = []
    for backend in ("numba", "jax"):
        for optimizer in ("adam", "sgd"):
            rows.append(measured(steps, backend, optimizer, repeat))
            row = rows[-1]
            for name in ("all_cores", "one_thread"):
                if name in row:
                    r = row[name]
                    print(f"{backend} {optimizer} {name}: {r['whole']:.3f} s, {r['rate']:.0f} GFLOP/s, products "
                          f"{max(r['products'].values()):.0f}, fraction {r['fraction']:.2f}", flush=True)  # fmt: skip
            print({k: round(v, 2) for k, v in row.items() if k.startswith(("torch", "ratio"))}, flush=True)
    if arguments.out:
        packages = ("jax", "optax", "numpy", "numba", "scipy", *(["torch"] if HAS_TORCH else []))
        print("wrote", write(arguments.out, "training", rows, packages=packages, unit="s", threads=CORES))


if __name__ == "__main__":
    main()
