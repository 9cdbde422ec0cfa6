"""An ensemble of 100 networks 784-50-10 trained at once, against 100 PyTorch runs of the same schedule one by one.

Adam, batches of 64, mean squared error, float32, on all cores. Rates count the floating-point operations of the matrix
products alone, and are compared with a large square product of the same machine in numpy, jax and torch (the fastest
counts) and with the two products of a step alone. A few PyTorch runs are timed and scaled to 100.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _record import write

from numerics.layered_nets import LayeredNet
from numerics.training import train_ensemble

SHAPE, BATCH, RATE = (784, 50, 10), 64, 1e-3
N_NETS = 100
FLOPS = BATCH * (4 * SHAPE[0] * SHAPE[1] + 6 * SHAPE[1] * SHAPE[2])  # no gradient of the inputs


def data(steps: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps * BATCH, SHAPE[0]), dtype=np.float32)
    return x, np.eye(10, dtype=np.float32)[rng.integers(0, 10, len(x))]


def seconds(run: Callable[[], Any], repeat: int) -> float:
    """Return the best wall time of several calls after a first one."""
    run()
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def ensemble_seconds(steps: int, chunk: int, optimizer: str, repeat: int) -> float:
    """Return seconds for the steps, compilation taken off: the difference of a long and a short run."""
    x, y = data(steps)
    net = LayeredNet(SHAPE)
    start = net.initial(N_NETS, seed=0, dtype="float32")

    def run(n: int) -> float:
        begun: list[float] = []

        def note(done: int, total: int) -> None:
            begun.append(time.perf_counter())

        train_ensemble(
            net, x, y, n_nets=N_NETS, steps=n, batch_size=BATCH, optimizer=optimizer, learning_rate=RATE,
            dtype="float32", chunk=chunk, record=(n,), keep_parameters=False, initial=start, callback=note,
        )  # fmt: skip
        # the first chunk compiles; the others are timed and scaled to all
        return (begun[-1] - begun[0]) * len(begun) / (len(begun) - 1)

    return min(run(steps) for _ in range(repeat))


def torch_seconds(steps: int, n_runs: int, optimizer: str) -> float:
    """Return seconds of 100 runs, from a few."""
    import torch

    x, y = (torch.tensor(a) for a in data(steps))

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

    return N_NETS * seconds(run, n_runs)


def product_rates(repeat: int, chunk: int) -> dict[str, float]:
    """Return GFLOP/s of the large product, and of the two products of a step for one chunk in jax."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    a = rng.standard_normal((2048, 2048), dtype=np.float32)
    times = {"numpy": seconds(lambda: a @ a, repeat)}
    b, dot = jnp.asarray(a), jax.jit(jnp.dot)
    times["jax"] = seconds(lambda: dot(b, b).block_until_ready(), repeat)
    if importlib.util.find_spec("torch"):
        import torch

        t = torch.tensor(a)
        times["torch"] = seconds(lambda: t @ t, repeat)
    x, w = b[:BATCH, :784], jnp.asarray(rng.standard_normal((784, chunk * SHAPE[1]), dtype=np.float32))
    there = seconds(lambda: dot(x, w).block_until_ready(), 20 * repeat)
    xt, h = jnp.asarray(np.asarray(x).T), dot(x, w)
    back = seconds(lambda: dot(xt, h).block_until_ready(), 20 * repeat)
    large = {name: 2 * 2048**3 / s / 1e9 for name, s in times.items()}
    return {**large, "products_of_a_step": 4 * BATCH * w.size / (there + back) / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps and repetitions")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for training-<cpu>.json")
    arguments = parser.parse_args()
    steps, repeat = (50, 1) if arguments.quick else (200, 3)
    rows = []
    for optimizer in ("adam", "sgd"):
        for chunk in (10,) if arguments.quick else (5, 10, 20):
            rates = product_rates(repeat + 2, chunk)
            ours = ensemble_seconds(steps, chunk, optimizer, repeat)
            row = {"optimizer": optimizer, "chunk": chunk, "steps": steps, "nnft": ours, "product_rates": rates}
            row["rate"] = FLOPS * N_NETS * steps / ours / 1e9
            row["fraction"] = row["rate"] / max(rates[k] for k in ("numpy", "jax", "torch") if k in rates)
            row["fraction_of_products"] = row["rate"] / rates["products_of_a_step"]
            if importlib.util.find_spec("torch"):
                row["torch"] = torch_seconds(steps, repeat, optimizer)
                row["ratio"] = row["torch"] / ours
            rows.append(row)
            print(" ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
    if arguments.out:
        packages = ("jax", "optax", "numpy", *(["torch"] if importlib.util.find_spec("torch") else []))
        print("wrote", write(arguments.out, "training", rows, packages=packages, unit="s", threads=os.cpu_count()))


if __name__ == "__main__":
    main()
