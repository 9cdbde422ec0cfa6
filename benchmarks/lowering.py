"""Time the lowering of a four-point coupling: a sum of Gaussians times polynomials in four variables.

Run as ``python benchmarks/lowering.py [--quick] [--out FOLDER]``. Every competitor gets the same expression and the
same arrays. Compilation and runs are timed in processor time of one thread; a run is the smallest of several.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import random
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numba
import numpy as np
import sympy
from _record import processor, write

from diagrams.symbols import external_point
from numerics._arrangement import arrange
from numerics._printer import eliminate_common
from numerics.lower import lower

X = tuple(external_point(i) for i in range(1, 5))
CHANNELS = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
Evaluate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    terms: int
    method: str
    compile_s: float
    ns_per_point: float
    max_relative_difference: float


def coupling(n_terms: int, *, seed: int = 0) -> sympy.Expr:
    """Return ``sum_k c_k P_k(x) exp(-Q_k(x))``: one-loop integrals of two vertices with Gaussian lines.

    Each term is a channel (pairing of the legs), a width s and a number k of internal lines, which fix the quadratic
    form, and a Gaussian moment of the two vertices (powers up to 2 each), expanded. 300 terms share 36 exponentials.
    """
    rng = random.Random(seed)
    widths = (sympy.Rational(1, 2), sympy.Rational(1, 3), sympy.Integer(1), sympy.Integer(2))
    shapes = list(product(CHANNELS, (1, 2, 3), product(range(3), repeat=2), widths))
    rng.shuffle(shapes)
    terms = []
    for ((a, b), (c, d)), k, (p, q), s in shapes[:n_terms]:
        inverse = sympy.Matrix([[s * (2 + k), -s * k], [-s * k, s * (2 + k)]]).inv()
        source = sympy.Matrix([s * (X[a] + X[b]), s * (X[c] + X[d])])
        mean = inverse * source
        exponent = sympy.expand((source.T * mean)[0] / 2 - s / 2 * sum(x**2 for x in X))
        polynomial = sympy.expand(_moment(p, q, mean, inverse))
        weight = sympy.Rational(rng.randint(1, 9), rng.randint(1, 9)) * 2 * sympy.pi * sympy.sqrt(inverse.det())
        terms.append(weight * polynomial * sympy.exp(exponent))
    return sympy.Add(*terms)


def _moment(p: int, q: int, mean: sympy.Matrix, covariance: sympy.Matrix) -> sympy.Expr:
    """Return E[z**p w**q] of two Gaussian variables for p, q <= 2, by pairing."""
    if p < q:
        return _moment(q, p, mean[::-1], covariance[::-1, ::-1])
    (z, w), a, b, c = mean, covariance[0, 0], covariance[1, 1], covariance[0, 1]
    return {
        (0, 0): sympy.S.One,
        (1, 0): z,
        (1, 1): z * w + c,
        (2, 0): z**2 + a,
        (2, 1): (z**2 + a) * w + 2 * c * z,
        (2, 2): (z**2 + a) * (w**2 + b) + 4 * c * z * w + 2 * c**2,
    }[p, q]


def ours(expression: sympy.Expr, dtype: str) -> Evaluate:
    kernel = lower(expression, arguments=X, dtype=dtype)
    return lambda points: kernel(*points.astype(dtype, copy=False))


def lambdify_numpy(expression: sympy.Expr) -> Evaluate:
    function = sympy.lambdify(X, expression, "numpy", cse=True)
    n = 4096
    return lambda points: np.concatenate([function(*points[:, i : i + n]) for i in range(0, points.shape[1], n)])


def numba_on_lambdify(expression: sympy.Expr) -> Evaluate:
    scalar = numba.njit(sympy.lambdify(X, expression, "math", cse=True))

    @numba.njit
    def loop(points: np.ndarray, out: np.ndarray) -> None:
        for i in range(out.size):
            out[i] = scalar(points[0, i], points[1, i], points[2, i], points[3, i])

    def evaluate(points: np.ndarray) -> np.ndarray:
        out = np.empty(points.shape[1])
        loop(points, out)
        return out

    return evaluate


def jax_jit(expression: sympy.Expr) -> Evaluate:
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax

    jax.config.update("jax_enable_x64", True)
    function = jax.jit(sympy.lambdify(X, sympy.N(expression, 17), "jax", cse=True))
    return lambda points: np.asarray(function(*points))


def symengine_llvm(expression: sympy.Expr) -> Evaluate:
    import symengine

    function = symengine.Lambdify(list(X), [sympy.N(expression, 17)], backend="llvm", cse=True)
    return lambda points: function(np.ascontiguousarray(points.T)).ravel()


def gcc(expression: sympy.Expr) -> Evaluate:
    """Return a C loop over shared subexpressions, whose calls of ``exp`` gcc turns into vector calls of libmvec."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise ImportError("gcc is not on the path", name="gcc")
    replacements, (reduced,) = sympy.cse([expression])
    names = [str(x) for x in X]
    lines = [f"const double {n} = points[{k} * n + i];" for k, n in enumerate(names)]
    lines += [f"const double {symbol} = {sympy.ccode(value)};" for symbol, value in replacements]
    body = "\n".join([*lines, f"out[i] = {sympy.ccode(reduced)};"])
    text = "#include <math.h>\nvoid evaluate(const double* restrict points, double* restrict out, long n) {\n"
    text += f"for (long i = 0; i < n; i++) {{\n{body}\n}}}}\n"
    folder = Path(tempfile.mkdtemp(dir=os.environ["NNFT_CACHE_DIR"]))
    (folder / "kernel.c").write_text(text)
    options = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", "kernel.so", "kernel.c", "-lm"], cwd=folder, check=True)
    function = ctypes.CDLL(str(folder / "kernel.so")).evaluate

    def evaluate(points: np.ndarray) -> np.ndarray:
        points = np.ascontiguousarray(points)
        out = np.empty(points.shape[1])
        places = (ctypes.c_void_p(a.ctypes.data) for a in (points, out))
        function(*places, ctypes.c_long(out.size))
        return out

    return evaluate


METHODS: dict[str, Callable[[sympy.Expr], Evaluate]] = {
    "nnft, numba float64": lambda e: ours(e, "float64"),
    "nnft, numba float32": lambda e: ours(e, "float32"),
    "lambdify numpy, cse, chunked": lambdify_numpy,
    "njit(lambdify math, cse)": numba_on_lambdify,
    "jax.jit(lambdify, cse)": jax_jit,
    "symengine llvm, cse": symengine_llvm,
    "gcc -O3 -ffast-math, cse": gcc,
}

QUICK = ("nnft, numba float64", "lambdify numpy, cse, chunked")  # the others compile for long


def seconds() -> float:
    """Return the processor time of this process and of the compilers that it has run."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(n_terms: int, *, methods: Iterable[str], n_points: int, repeats: int) -> Iterator[Row]:
    expression = coupling(n_terms)
    points = np.random.default_rng(0).uniform(-1, 1, (4, n_points))
    reference = lower(expression, arguments=X, backend="numpy")(*points)
    arrange.cache_clear()
    eliminate_common.cache_clear()  # every method pays for its own elimination of common subexpressions
    for name in methods:
        start = seconds()
        try:
            evaluate = METHODS[name](expression)
            evaluate(points[:, :16].copy())
        except ImportError as error:
            print(f"{n_terms:5d}  {name:30s} not installed ({error.name})", flush=True)
            continue
        compile_s = seconds() - start
        best = math.inf
        for _ in range(repeats):
            start = time.process_time()
            result = evaluate(points)
            best = min(best, time.process_time() - start)
        difference = float(np.max(np.abs(result - reference)) / np.max(np.abs(reference)))
        yield Row(n_terms, name, compile_s, best / n_points * 1e9, difference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10^5 points, fewer repetitions and competitors")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for lowering-<cpu>.json")
    options = parser.parse_args()
    numba.set_num_threads(1)
    n_points, repeats = (10**5, 2) if options.quick else (10**6, 3)
    rows = []
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["NNFT_CACHE_DIR"] = directory  # so that compilation is timed, not the cache
        print(f"{processor()}, {n_points} points")
        print(f"{'terms':>5s}  {'method':30s} {'compile s':>10s} {'ns/point':>10s} {'difference':>11s}")
        for n_terms in (60, 300):
            methods = QUICK if options.quick and n_terms > 60 else METHODS
            for row in measure(n_terms, methods=methods, n_points=n_points, repeats=repeats):
                rows.append(row)
                figures = f"{row.compile_s:10.2f} {row.ns_per_point:10.1f} {row.max_relative_difference:11.1e}"
                print(f"{row.terms:5d}  {row.method:30s} {figures}", flush=True)
    if options.out:
        figures = [asdict(row) for row in rows]
        print("wrote", write(options.out, "lowering", figures, packages=("numba", "sympy", "numpy"), n_points=n_points))


if __name__ == "__main__":
    main()
