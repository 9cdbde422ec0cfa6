"""Diagrams contracted on quadrature nodes: two-loop phi^4 with six points, against opt_einsum and numpy.einsum.

All get the same matrices: opt_einsum each line and weight as an operand, with its best order (dynamic programming,
found before the clock starts); numpy.einsum its greedy order. Results are compared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import opt_einsum
from _record import write

from diagrams import phi4
from diagrams.graph import FeynmanGraph
from numerics import grid_amplitude, grid_amplitudes
from numerics.node_sums import GridLines

POINTS = 6
NAMES = {"ee11|22|ee|": "chain of two bubbles", "ee12|e22|e|": "bubble with corrected vertex"}


def lines(n_nodes: int) -> GridLines:
    """Return the propagator exp(-|x|)/2 between six points and the nodes of a trapezoidal rule."""
    z, x = np.linspace(-6, 6, n_nodes), np.linspace(-1, 1, POINTS)
    weights = np.full(n_nodes, z[1] - z[0])

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-np.abs(a[:, None] - b)) / 2

    return GridLines(between(x, x), between(x, z), between(z, z), weights)


def operands(graph: FeynmanGraph, grid: GridLines) -> tuple[str, list[np.ndarray]]:
    names, arrays = [], []
    for edge in graph.edges:
        u, v = sorted(edge)
        names.append(opt_einsum.get_symbol(u) + opt_einsum.get_symbol(v))
        arrays.append(grid.leg if u < graph.n_legs else grid.inner)
    for v in graph.vertices:
        names.append(opt_einsum.get_symbol(v))
        arrays.append(grid.weights)
    return f"{','.join(names)}->{''.join(opt_einsum.get_symbol(i) for i in range(graph.n_legs))}", arrays


def best(run: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    found, value = np.inf, None
    for _ in range(repeat):
        start = time.perf_counter()
        value = run()
        found = min(found, time.perf_counter() - start)
    return found, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--quick", action="store_true", help="up to 1024 nodes")
    arguments = parser.parse_args()
    two_loops = [g for g in phi4().diagrams(legs=4, max_loops=2, one_particle_irreducible=True) if g.n_vertices == 3]
    chosen = {NAMES[g.nickel_index]: g for g in two_loops if g.nickel_index in NAMES}
    rows = []
    for n_nodes in (64, 256, 1024) if arguments.quick else (64, 256, 1024, 4096):
        grid, repeat = lines(n_nodes), 5 if n_nodes < 2000 else 2
        for name, graph in chosen.items():
            equation, arrays = operands(graph, grid)
            path = opt_einsum.contract_path(equation, *arrays, optimize="dp")[0]
            grid_amplitude(graph, grid)  # finds its order
            ours, value = best(lambda g=graph, q=grid: grid_amplitude(g, q), repeat)
            peer, expected = best(lambda e=equation, a=arrays, p=path: opt_einsum.contract(e, *a, optimize=p), repeat)
            row = {"diagram": name, "nodes": n_nodes, "seconds": ours, "opt_einsum": peer,
                   "difference": float(np.abs(value - expected).max() / np.abs(expected).max())}  # fmt: skip
            if n_nodes == 64:
                row["numpy_einsum"] = best(lambda e=equation, a=arrays: np.einsum(e, *a, optimize="greedy"), 1)[0]
            rows.append(row)
            print(
                f"{name:30} {n_nodes:5}  {1e3 * ours:9.2f} ms  opt_einsum {1e3 * peer:9.2f} ms ({peer / ours:.2f})",
                flush=True,
            )
        together, _ = best(lambda q=grid: grid_amplitudes(two_loops, q, {4: 1.0}), repeat)
        rows.append({"diagram": f"all {len(two_loops)} 1PI two-loop diagrams", "nodes": n_nodes, "seconds": together})
        print(f"all {len(two_loops)} {'1PI two-loop diagrams':26} {n_nodes:5}  {1e3 * together:9.2f} ms", flush=True)
        product, _ = best(lambda q=grid: q.inner @ q.inner, repeat)
        rows.append({"diagram": "one matrix product of the nodes", "nodes": n_nodes, "seconds": product})
    print(write(arguments.out, "contraction", rows, packages=("numpy", "opt_einsum", "nnft"), threads=os.cpu_count()))


if __name__ == "__main__":
    main()
