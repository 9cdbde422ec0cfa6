"""Networks per second of the compiled ensemble kernel against batched array code.

Each row measures the sums behind the connected correlators to four points at six points (209 components): the compiled
kernel, and a cache-sized batched pipeline over numpy's fastest generator (SFC64) and, if they can be imported, torch
and jitted JAX. The nets are those with closed forms at their simplest: Cos-net, ReLU without biases, erf with standard
normal biases of both layers, and the Gauss-net. ``cuda`` is the CUDA kernel, wall time, where there is a device.
Rates are per second of CPU time of one thread, the best of several repetitions taken in turn, so that a noisy machine
disturbs all alike; the last columns are wall time on all threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numba
import numpy as np
from _record import write

from diagrams.architectures import cos_net, erf_net, gauss_net, relu_net
from numerics.backends import usable_gpu
from numerics.kernels import LANES, special_functions
from numerics.kernels.cpu import EnsembleKernel
from numerics.model import NetworkModel

N_POINTS = 6
PAIRS = np.array(list(combinations_with_replacement(range(N_POINTS), 2)))
NETS = {"cos": cos_net, "relu": relu_net, "erf": erf_net, "gauss": gauss_net}
SPREADS = {"cos": 0.0, "relu": 0.0, "erf": 1.0, "gauss": 0.3}  # standard deviation of the hidden bias
BATCHES = (64, 256, 1024)  # networks at a time; the best is reported
SECONDS = {True: 0.15, False: 0.6}  # CPU time of one repetition


def hidden(lib: Any, name: str, argument: Any, squares: Any) -> Any:
    """Return the feature in numpy or torch; ``squares`` is |x|^2 / d of each point."""
    if name == "relu":
        return lib.relu(argument) if hasattr(lib, "relu") else np.maximum(argument, 0)
    if name == "erf":
        return lib.erf(argument) if hasattr(lib, "erf") else special_functions(np).erf(argument)
    return lib.cos(argument) if name == "cos" else lib.exp(argument - (squares + SPREADS["gauss"] ** 2))


def numpy_batch(name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray) -> Callable[[], Any]:
    rng = np.random.Generator(np.random.SFC64(0))
    x, real = points.astype(dtype), np.dtype(dtype).type
    squares = (x * x).sum(axis=1) / real(input_dim)

    def run() -> Any:
        w0 = rng.standard_normal((size, width, input_dim), dtype=real) * real(input_dim**-0.5)
        w1 = rng.standard_normal((size, 1, width), dtype=real)
        argument = w0 @ x.T
        if name == "cos":
            argument += rng.random((size, width, 1), dtype=real) * real(2 * np.pi)
        elif SPREADS[name]:
            argument += rng.standard_normal((size, width, 1), dtype=real) * real(SPREADS[name])
        phi = np.matmul(w1, hidden(np, name, argument, squares))[:, 0] * real(width**-0.5)
        if name == "erf":
            phi += rng.standard_normal((size, 1), dtype=real)
        pairs = phi[:, PAIRS[:, 0]] * phi[:, PAIRS[:, 1]]
        return phi.sum(0), pairs.sum(0), pairs.T @ phi, pairs.T @ pairs

    return run


def torch_batch(name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, dtype)
    x, left, right = torch.tensor(points, dtype=kind), *torch.tensor(PAIRS).T
    squares = (x * x).sum(1) / input_dim

    def run() -> Any:
        w0 = torch.randn(size, width, input_dim, dtype=kind) * input_dim**-0.5
        w1 = torch.randn(size, 1, width, dtype=kind)
        argument = w0 @ x.T
        if name == "cos":
            argument += torch.rand(size, width, 1, dtype=kind) * (2 * np.pi)
        elif SPREADS[name]:
            argument += torch.randn(size, width, 1, dtype=kind) * SPREADS[name]
        phi = torch.matmul(w1, hidden(torch, name, argument, squares))[:, 0] * width**-0.5
        if name == "erf":
            phi += torch.randn(size, 1, dtype=kind)
        pairs = phi[:, left] * phi[:, right]
        return phi.sum(0), pairs.sum(0), pairs.T @ phi, pairs.T @ pairs

    return run


def model_of(name: str, input_dim: int, width: int) -> NetworkModel:
    options = {"cos": {}, "relu": {"hidden_bias": False}, "erf": {"output_bias": True}, "gauss": {}}[name]
    bias = {"sigma_b0": SPREADS[name]} if SPREADS[name] else {}
    bias |= {"sigma_b1": 1} if name == "erf" else {}
    net = NETS[name](input_dim=input_dim, **options)
    return NetworkModel.of(net.at(N=width, sigma_w0=1, sigma_w1=1, **bias))


def jax_batch(name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray) -> Callable[[], Any]:
    import jax

    jax.config.update("jax_enable_x64", True)
    lib, rng = jax.numpy, jax.random
    x = lib.asarray(points, dtype=dtype)
    squares = (x * x).sum(axis=1) / input_dim

    @jax.jit
    def sums(key: Any) -> Any:
        keys = rng.split(key, 4)
        argument = rng.normal(keys[0], (size, width, input_dim), dtype) * input_dim**-0.5 @ x.T
        if name == "cos":
            argument += rng.uniform(keys[1], (size, width, 1), dtype) * (2 * np.pi)
        elif SPREADS[name]:
            argument += rng.normal(keys[1], (size, width, 1), dtype) * SPREADS[name]
        if name == "relu":
            values = lib.maximum(argument, 0)
        else:
            values = jax.scipy.special.erf(argument) if name == "erf" else hidden(lib, name, argument, squares)
        phi = lib.matmul(rng.normal(keys[2], (size, 1, width), dtype), values)[:, 0] * width**-0.5
        phi = phi + rng.normal(keys[3], (size, 1), dtype) if name == "erf" else phi
        pairs = phi[:, PAIRS[:, 0]] * phi[:, PAIRS[:, 1]]
        return phi.sum(0), pairs.sum(0), pairs.T @ phi, pairs.T @ pairs

    keys = iter(range(1 << 60))
    return lambda: jax.block_until_ready(sums(rng.key(next(keys))))


def compiled(name: str, input_dim: int, dtype: str, width: int, n_blocks: int, points: np.ndarray) -> Callable[[], Any]:
    kernel = EnsembleKernel(model_of(name, input_dim, width), points, max_points=4, seed=0, dtype=dtype)
    blocks, sizes, sums = list(range(n_blocks)), [8 * LANES] * n_blocks, np.zeros((n_blocks, kernel.n_monomials))
    return lambda: kernel.add(blocks, sizes, 0, 8, sums)


PEERS = {"numpy": numpy_batch, "torch": torch_batch, "jax": jax_batch}


def peer_names() -> list[str]:
    return [name for name in PEERS if importlib.util.find_spec(name)]


def cuda_rate(name: str, input_dim: int, dtype: str, width: int, points: np.ndarray) -> float | str:
    """Return networks per second of wall time on a CUDA device, or that none was there."""
    if not usable_gpu():
        return "not measured"
    from numerics.kernels.cuda import EnsembleKernel as CudaKernel

    kernel = CudaKernel(model_of(name, input_dim, width), points, max_points=4, seed=0, dtype=dtype)
    n_groups = 1 << 13
    sums = np.zeros((64, kernel.n_monomials))
    best = np.inf
    for _ in range(4):  # the first one compiles
        start = time.perf_counter()
        kernel.add(range(64), [n_groups * LANES] * 64, 0, n_groups, sums)
        best = min(best, time.perf_counter() - start)
    return 64 * n_groups * LANES / best


def cpu_seconds(run: Callable[[], Any], repeat: int) -> float:
    start = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - start) / repeat


def measure(net: str, input_dim: int, dtype: str, width: int, *, quick: bool) -> dict[str, Any]:
    points = np.linspace(-1, 1, N_POINTS * input_dim).reshape(N_POINTS, input_dim)
    n_blocks = max(2, round(SECONDS[quick] * 1e8 / (8 * LANES * (width + 10)))) // 2 * 2
    runs = {("numba", 8 * LANES * n_blocks): compiled(net, input_dim, dtype, width, n_blocks, points)}
    peers = {name: PEERS[name] for name in peer_names()}
    for name, make in peers.items():
        runs |= {(name, size): make(net, input_dim, dtype, width, size, points) for size in BATCHES}
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    repeats = {key: max(1, round(SECONDS[quick] / cpu_seconds(run, 2))) for key, run in runs.items()}
    rates: dict[str, float] = {}
    for _ in range(3 if quick else 7):
        for (name, size), run in runs.items():
            rate = size / cpu_seconds(run, repeats[name, size])
            rates[name] = max(rates.get(name, 0.0), rate)
    numba.set_num_threads(threads)
    return {
        "net": net,
        "input_dim": input_dim,
        "dtype": dtype,
        "width": width,
        **rates,
        "wall": wall_rate(runs, quick=quick),
        "cuda": cuda_rate(net, input_dim, dtype, width, points),
    }


def wall_rate(runs: dict[tuple[str, int], Callable[[], Any]], *, quick: bool) -> float:
    """Return networks per second of wall time of the compiled kernel on all threads."""
    ((size, run),) = [(size, run) for (name, size), run in runs.items() if name == "numba"]
    best = np.inf
    for _ in range(3 if quick else 7):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return size / best


def cases(*, quick: bool) -> list[tuple[str, int, str, int]]:
    """Return (net, input_dim, dtype, width): the Cos-net in full, the other nets at one width."""
    cos = product(["cos"], (1, 2), ("float32", "float64"), (100,) if quick else (10, 100, 1000))
    others = product(["erf", "relu"] if quick else ["erf", "relu", "gauss"], (1, 2), ("float32", "float64"), (100,))
    return [*sorted(cos, key=lambda case: case[3]), *others]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and repetitions, under a minute")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for ensemble-<cpu>.json")
    arguments = parser.parse_args()
    rows = []
    names = ["numba", *peer_names()]
    heads = [f"{n}/s/core" for n in names] + ["ratio", f"wall, {numba.get_num_threads()} threads", "cuda, wall"]
    print(f"{'case':>24}" + "".join(f"{head:>17}" for head in heads))
    for net, input_dim, dtype, width in cases(quick=arguments.quick):
        row = measure(net, input_dim, dtype, width, quick=arguments.quick)
        row["ratio"] = row["numba"] / max(row[name] for name in names[1:])
        rows.append(row)
        rates = "".join(f"{row[name]:17.4g}" for name in names)
        case = f"{net} d={input_dim} {dtype} N={width}"
        print(f"{case:>24}{rates}{row['ratio']:17.1f}{row['wall']:17.4g}{row['cuda']:>17}", flush=True)
    if arguments.out:
        threads = numba.get_num_threads()
        unit = "networks per second"
        print(
            "wrote",
            write(arguments.out, "ensemble", rows, packages=("numba", *peer_names()), unit=unit, threads=threads),
        )


if __name__ == "__main__":
    main()
