"""Whole modules around the printed statements: a numba function, a numpy function, a CUDA kernel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import indent

from diagrams.typing import Expr
from numerics import elementary
from numerics._arrangement import arrange
from numerics._printer import Dialect, Writer

#: Points that a numba function treats together; every point goes through the same vector code, whatever its place.
LANES = 256


def module_source(language: str, dtype: str, expressions: tuple[Expr, ...], symbols: Sequence[Expr]) -> str:
    """Return source that evaluates all expressions at each of n points.

    Parameters
    ----------
    language : {"numba", "numpy", "cuda"}
        ``evaluate(inputs, outputs, start, stop)`` over tuples of flat arrays for the first two; for CUDA, a kernel
        ``evaluate(input_0, ..., output_0, ..., n)`` with a grid-stride loop.
    dtype : {"float64", "float32"}
        Type of all arrays.
    expressions : tuple of sympy.Expr
        One for each output.
    symbols : sequence of sympy.Symbol
        One for each input.

    Returns
    -------
    str
    """
    names = _input_names(symbols)
    writer = Writer(Dialect(language, dtype), dict(zip(symbols, names, strict=True)))
    replacements, reduced = arrange(expressions)
    for symbol, value in replacements:
        writer.define(symbol, value)
    results = [writer.result(value) for value in reduced]
    used = set().union(*(e.free_symbols for e in expressions))
    inputs = [(k, name) for k, (s, name) in enumerate(zip(symbols, names, strict=True)) if s in used]
    build = {"numba": _numba, "numpy": _numpy, "cuda": _cuda}[language]
    return build(dtype, writer, inputs, results, max(1, len(symbols)))


def _input_names(symbols: Sequence[Expr]) -> list[str]:
    names: list[str] = []
    for symbol in symbols:
        name = "in_" + re.sub(r"\W+", "_", symbol.name, flags=re.ASCII).strip("_")
        names.append(name if name not in names else f"{name}_{len(names)}_")
    return names


def _numba(dtype: str, writer: Writer, inputs: list[tuple[int, str]], results: list[str], n_inputs: int) -> str:
    constants = "".join(f"{name} = np.float32({text})\n" for text, name in writer.constants.items())
    array = f"numba.types.Array(numba.{dtype}, 1, 'C', readonly={{}})"
    load = [f"x[{row * LANES} + lane] = inputs[{k}][first + lane]" for row, (k, _) in enumerate(inputs)]
    read = [f"{name} = x[{row * LANES} + lane]" for row, (_, name) in enumerate(inputs)]
    write = [f"y[{row * LANES} + lane] = {text}" for row, text in enumerate(results)]
    store = [f"outputs[{row}][first + lane] = y[{row * LANES} + lane]" for row in range(len(results))]
    return f"""\
import math

{elementary.library(writer.elementary, dtype)}
{constants}
INPUTS = numba.types.UniTuple({array.format(True)}, {n_inputs})
OUTPUTS = numba.types.UniTuple({array.format(False)}, {len(results)})
SIGNATURE = numba.void(INPUTS, OUTPUTS, numba.int64, numba.int64)


@numba.njit([SIGNATURE], cache=True, nogil=True, error_model="numpy", fastmath=FASTMATH)
def evaluate(inputs, outputs, start, stop):
    x = np.ones({max(1, len(inputs)) * LANES}, np.{dtype})
    y = np.empty({len(results) * LANES}, np.{dtype})
    for first in range(start, stop, {LANES}):
        count = {LANES} if stop - first > {LANES} else stop - first
        for lane in range(count):
{_block(load or ["pass"], 12)}
        for lane in range({LANES}):
{_block([*read, *writer.lines, *write], 12)}
        for lane in range(count):
{_block(store, 12)}
"""


def _numpy(dtype: str, writer: Writer, inputs: list[tuple[int, str]], results: list[str], n_inputs: int) -> str:
    read = [f"{name} = inputs[{k}][start:stop]" for k, name in inputs]
    write = [f"outputs[{row}][start:stop] = {text}" for row, text in enumerate(results)]
    return f"""\
import numpy as np
from scipy import special


def evaluate(inputs, outputs, start, stop):
{_block([*read, *writer.lines, *write], 4)}
"""


def _cuda(dtype: str, writer: Writer, inputs: list[tuple[int, str]], results: list[str], n_inputs: int) -> str:
    real = "double" if dtype == "float64" else "float"
    parameters = [f"const {real}* __restrict__ input_{k}" for k in range(n_inputs)]
    parameters += [f"{real}* __restrict__ output_{k}" for k in range(len(results))]
    read = [f"const {real} {name} = input_{k}[i];" for k, name in inputs]
    write = [f"output_{row}[i] = {text};" for row, text in enumerate(results)]
    return f"""\
extern "C" __global__ void evaluate({", ".join(parameters)}, const long long n)
{{
    const long long stride = (long long)blockDim.x * gridDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {{
{_block([*read, *writer.lines, *write], 8)}
    }}
}}
"""


def _block(lines: Sequence[str], spaces: int) -> str:
    return indent("\n".join(lines), " " * spaces)
