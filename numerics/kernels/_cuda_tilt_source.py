"""Source text of functions of the parameters of whole networks in the CUDA kernel, and of weighted sums.

As on the CPU (:mod:`numerics.kernels._tilt_source`), every neuron adds its terms to sums in double precision when it is
drawn. Weights are relative to the largest one of the networks so far, and sums so far are brought to the same factor.
"""

from __future__ import annotations

from textwrap import indent
from typing import Any

from diagrams.typing import Expr
from numerics.kernels import N_HEADS, Neuron
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.kernels.features import FeatureNeuron, printed_statements
from numerics.kernels.layout import SumLayout

_FUNCTIONS = """enum {{ N_SUMS = {n_sums}, N_VALUES = {n_values} }};

DEVICE void evaluate_functions(const double* known, const double* terms, double* values) {{
{values}}}

"""

# A row of sums: the largest log weight, the sum of weights, that of their squares, and those of weighted monomials.
_WEIGHTED_SUMS = """
enum {{ N_HEADS = {n_heads}, N_COLUMNS = N_HEADS + N_MONOMIALS }};

DEVICE double least_log() {{ return as_real(0xfff0000000000000ull); }}

DEVICE double weight_of(double log, double top) {{ return log == least_log() ? 0.0 : exp(log - top); }}

DEVICE double largest(double top, const double* logs, int count) {{
    for (int lane = 0; lane < count; lane++) top = logs[lane] > top ? logs[lane] : top;
    return top;
}}

DEVICE void weigh_lane(int lane, double weight, double* weights, real* rows) {{
    weights[lane] = weight;
    rows[(N_ROWS + 1) * PITCH + lane] = (real)weight;
}}

DEVICE void add_weighted(int thread, int count, double factor, const double* weights, const real* rows,
                         const unsigned short* parts, double* sums) {{
    for (int column = 1 + thread; column < N_COLUMNS; column += LANES) {{
        double s = 0;
        if (column < N_HEADS) {{
            for (int lane = 0; lane < count; lane++)
                s += column == 1 ? weights[lane] : weights[lane] * weights[lane];
        }} else {{
            const unsigned short* part = parts + {n_parts} * (column - N_HEADS);
            real t = 0;
            for (int lane = 0; lane < count; lane++) {{
                real product = rows[(N_ROWS + 1) * PITCH + lane];
                UNROLL
                for (int j = 0; j < {n_parts}; j++) product *= rows[part[j] * PITCH + lane];
                t += product;
            }}
            s = t;
        }}
        sums[column] = sums[column] * (column == 2 ? factor * factor : factor) + s;
    }}
}}

DEVICE double joined_sum(int column, const double* units, long long n_units, const double* before) {{
    double top = before[0], total = before[column];
    for (long long u = 0; u < n_units; u++) {{
        const double* unit = units + u * N_COLUMNS;
        const double larger = largest(top, unit, 1);
        double here = weight_of(top, larger), there = weight_of(unit[0], larger);
        here = column == 2 ? here * here : here;
        there = column == 2 ? there * there : there;
        total = total * here + unit[column] * there;
        top = larger;
    }}
    return column == 0 ? top : total;
}}
"""


def functions_source(functions: NetworkFunctions) -> str:
    """Return ``evaluate_functions``: functions of a network from the sums over its neurons."""
    names = _numbers(functions) | {s: f"s{i}" for i, s in enumerate(functions.sums)}
    lines = []
    for row, value in enumerate(functions.values):
        loads = [f"const double s{i} = terms[{i}];" for i, s in enumerate(functions.sums) if value.has(s)]
        lines += _scope(value, functions, names, loads, f"values[{row}] =")
    return _FUNCTIONS.format(
        n_sums=len(functions.sums), n_values=len(functions.values), values=indent("\n".join(lines) + "\n", " " * 4)
    )


def term_lines(functions: NetworkFunctions, neuron: Neuron | FeatureNeuron, input_dim: int) -> list[str]:
    """Return the statements that add what a neuron adds to the sums, where its parameters are drawn."""
    texts = _parameter_texts(neuron, input_dim)
    names = _numbers(functions) | {s: f"q{i}" for i, s in enumerate(functions.parameters)}
    lines = []
    for row, term in enumerate(functions.terms):
        loads = [f"const double q{i} = {texts[i]};" for i, s in enumerate(functions.parameters) if term.has(s)]
        lines += _scope(term, functions, names, loads, f"terms[{row}] +=")
    return lines


def weighted_sums_source(layout: SumLayout) -> str:
    """Return the text of what a thread adds to weighted sums."""
    return _WEIGHTED_SUMS.format(n_heads=N_HEADS, n_parts=layout.n_parts)


def _numbers(functions: NetworkFunctions) -> dict[Any, str]:
    return {s: f"g{i}" for i, s in enumerate(functions.numbers)}


def _scope(
    expression: Expr, functions: NetworkFunctions, names: dict[Any, str], loads: list[str], target: str
) -> list[str]:
    """Return the statements that give the value of an expression to a target, with names of their own."""
    loads = loads + [
        f"const double g{i} = known[{1 + i}];" for i, s in enumerate(functions.numbers) if expression.has(s)
    ]  # fmt: skip
    lines, result = printed_statements(expression, "cuda", "float64", names)
    return ["{", *(f"    {line}" for line in [*loads, *lines, f"{target} {result};"]), "}"]


def _parameter_texts(neuron: Neuron | FeatureNeuron, input_dim: int) -> list[str]:
    """Return the text of every parameter of a neuron, output weights first."""
    n = neuron.n_outputs
    if isinstance(neuron, FeatureNeuron):
        return [f"(double){name}{j}" for name, count in (("w", n), ("p", len(neuron.parameters))) for j in range(count)]
    texts = [f"(double)normals[{a}] * (double)constants[1] + (double)constants[2]" for a in range(n)]
    texts += [f"(double)normals[{n + mu}] * known[0]" for mu in range(input_dim)]
    if neuron.bias == "phase":
        turns = "(double)phases[0]"
        texts.append(f"({turns} - floor({turns} + 0.5)) * {2 * 3.141592653589793!r}")
    elif neuron.bias == "normal":
        texts.append(f"(double)normals[{n + input_dim}] * (double)constants[0]")
    return texts
