"""The compiled kernel of field integrals: polynomials of the field summed over quadrature nodes, without keeping it.

Lanes are networks. Cosine neurons are not evaluated node by node: along each line of equidistant nodes a cosine obeys
``c[s + 1] = 2 cos(k h) c[s] - c[s - 1]``, two multiplications and additions a node. A batch of neurons is kept while
its lines are filled, so that the sums of one line stay in the first-level cache. Other neurons are evaluated at nodes
as at any other points.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from textwrap import indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import elementary
from numerics._codegen import load_module
from numerics.field_functionals import FieldFunctional
from numerics.kernels import LANES, Neuron, neuron_round, philox
from numerics.kernels._cpu_source import evaluate_source, kernel_source
from numerics.kernels.buffers import group_buffers
from numerics.kernels.features import FeatureNeuron, Layout
from numerics.kernels.threads import share_out
from numerics.model import NetworkModel

Floats = NDArray[np.float64]

#: Lines are padded to an even number of nodes: two rows of cosines take turns to hold the next one. Every loop over
#: lanes writes to two rows and reads from three at most, as many as LLVM is ready to test for overlap (8 pairs).
_STRIDE = 2
_BATCH = 8  # neurons kept while lines are filled: 8 x 5 rows of 1 kB
_COSINES = ("cos", "scalar")

_COMMON = """
@njit(fastmath=FLAGS, error_model='numpy')
def polynomials(grid, table, scratch, values):
    top = table.shape[2] - 1
    for t in range(table.shape[0]):
        total = values[t]
        for l in range(LANES):
            total[l] = ZERO
        for q in range(table.shape[1]):
            row = grid[q]
            c = table[t, q, top]
            for l in range(LANES):
                scratch[l] = c
            for n in range(top - 1, -1, -1):
                c = table[t, q, n]
                for l in range(LANES):
                    scratch[l] = scratch[l] * row[l] + c
            for l in range(LANES):
                total[l] += scratch[l]


@njit(nogil=True, fastmath=FLAGS, error_model='numpy', cache=True)
def field_groups(blocks, groups, width, points, offsets, constants, tables, scale, bias, key0, key1,
                 n_fields, starts, step, n_steps, table, buffers, rows, outputs):
    words, opening, normals, phases, scratch = buffers
    for g in range(blocks.shape[0]):
        one_group(blocks[g], groups[g] * LANES, width, points, offsets, constants, tables, scale, bias, key0, key1,
                  n_fields, starts, step, n_steps, table, words, opening, normals, phases, scratch, rows, outputs[g])
"""

_DIRECT = """
@njit(fastmath=FLAGS, error_model='numpy', inline='always')
def one_group(block, first, width, points, offsets, numbers, tables, scale, bias, key0, key1,
              n_fields, starts, step, n_steps, table, words, opening, normals, phases, scratch, rows, outputs):
    n_points = points.shape[0]
{evaluate}
    for i in range(n_fields):
        for l in range(LANES):
            outputs[i, l] = rows[i, l]
    polynomials(rows[n_fields:], table, np.empty(LANES), outputs[n_fields:])
"""

_LINES = """
@njit(fastmath=FLAGS, error_model='numpy')
def keep(k, slot, step, constants, normals, phases, scratch, kept):
    for l in range(LANES):
{loads}
        kept[slot, 0, l] = amplitude
        kept[slot, 1, l] = phase
        kept[slot, 2, l] = TWO * {cos}(w0 * step)
{stores}

@njit(fastmath=FLAGS, error_model='numpy')
def add_lines(n_kept, starts, step, n_steps, kept, old, new, grid):
    for i in range(starts.shape[0]):
{places}
        half = n_steps // 2
        for slot in range(n_kept):
            amplitude = kept[slot, 0]
            phase = kept[slot, 1]
            twice = kept[slot, 2]
{waves}
            for l in range(LANES):
                new[l] = amplitude[l] * {cos}(phase[l] + {argument})
            for l in range(LANES):
                old[l] = amplitude[l] * {cos}(phase[l] + {argument} - w0[l] * step)
            for s in range(i * half, (i + 1) * half):
                row = grid[0, s]
                for l in range(LANES):
                    b = new[l]
                    row[l] += b
                    old[l] = twice[l] * b - old[l]
                row = grid[1, s]
                for l in range(LANES):
                    b = old[l]
                    row[l] += b
                    new[l] = twice[l] * b - new[l]


@njit(fastmath=FLAGS, error_model='numpy', inline='always')
def one_group(block, first, width, points, offsets, constants, tables, scale, bias, key0, key1,
              n_fields, starts, step, n_steps, table, words, opening, normals, phases, scratch, rows, outputs):
    nodes = np.zeros((starts.shape[0] * n_steps, LANES))
    grid = nodes.reshape((2, starts.shape[0] * n_steps // 2, LANES))
    kept = np.empty(({batch}, {n_kept}, LANES))
    old = np.empty(LANES)
    new = np.empty(LANES)
    for i in range(n_fields):
        for l in range(LANES):
            outputs[i, l] = ZERO
    open_words(first, key1, opening)
    n_rounds = (width + {n_neurons} - 1) // {n_neurons}
    slot = np.int64(0)  # a literal would be compiled for by itself
    for r in range(n_rounds + (bias > ZERO)):
        draw(block, r if r < n_rounds else {output_round}, key0, key1, opening, words)
        transform(words, normals, phases)
        for k in range(min({n_neurons}, width - {n_neurons} * r)):
            add_neuron(k, points, offsets, constants, tables, normals, phases, scratch, outputs)
            keep(k, slot, step, constants, normals, phases, scratch, kept)
            slot += 1
            if slot == {batch}:
                add_lines(slot, starts, step, n_steps, kept, old, new, grid)
                slot = 0
    if slot > 0:
        add_lines(slot, starts, step, n_steps, kept, old, new, grid)
    shift = normals[0, 0]
    for i in range(n_fields):
        for l in range(LANES):
            outputs[i, l] = outputs[i, l] * scale + bias * shift[l]
    for q in range(nodes.shape[0]):
        for l in range(LANES):
            nodes[q, l] = nodes[q, l] * scale + bias * shift[l]
    polynomials(nodes, table, old, outputs[n_fields:])
"""


def has_lines(model: NetworkModel) -> bool:
    """Return whether neurons are cosines, which run along lines by a recurrence."""
    return model.neuron.name in _COSINES


@cache
def _module(neuron: Neuron | FeatureNeuron, input_dim: int) -> Any:
    source = kernel_source(neuron, input_dim, "float64", functions=("cos_turns",))
    if neuron.name in _COSINES:
        body = _line_source(neuron, input_dim)
    else:
        plan = neuron_round(neuron, input_dim, "float64")
        body = _DIRECT.format(evaluate=indent(evaluate_source(neuron, plan, input_dim), " " * 4))
    return load_module(source + body + _COMMON, label=f"field_{neuron.label}_{input_dim}d")


def _line_source(neuron: Neuron | FeatureNeuron, dim: int) -> str:
    """Return the functions for cosines: amplitude, phase and wave numbers (in turns) of a neuron, then its lines."""
    loads = _cos_loads(neuron, dim) if isinstance(neuron, Neuron) else _feature_loads(neuron, dim)
    return _LINES.format(
        loads=_block(loads, 8), stores=_block([f"kept[slot, {3 + mu}, l] = w{mu}" for mu in range(dim)], 8),
        places=_block([f"x{mu} = starts[i, {mu}]" for mu in range(dim)], 8),
        waves=_block([f"w{mu} = kept[slot, {3 + mu}]" for mu in range(dim)], 12),
        argument=" + ".join(f"w{mu}[l] * x{mu}" for mu in range(dim)),
        cos=elementary.function_name("cos_turns", "float64"), batch=_BATCH, n_kept=3 + dim,
        n_neurons=neuron_round(neuron, dim, "float64").n_neurons, output_round=philox.OUTPUT_ROUND,
    ).replace("TWO *", "2.0 *")  # fmt: skip


def _cos_loads(neuron: Neuron, dim: int) -> list[str]:
    """Return the lines for the Cos-net: normals are the weights, starts are scaled as points are."""
    n = neuron.n_normals(dim)

    def normal(j: int) -> str:
        return f"normals[(k * {n} + {j}) % 2, (k * {n} + {j}) // 2, l]"

    weight = f"{normal(0)} * constants[1] + constants[2]" if neuron.has_mean else normal(0)
    phase = "phases[k, l]" if neuron.bias == "phase" else "ZERO"
    return [f"amplitude = {weight}", f"phase = {phase}", *(f"w{mu} = {normal(1 + mu)}" for mu in range(dim))]


def _feature_loads(neuron: FeatureNeuron, dim: int) -> list[str]:
    """Return the lines for the scalar net: its parameters stay in the scratch buffer once the neuron was added."""
    layout, turns = Layout(neuron), repr(0.5 / np.pi)
    waves = [f"w{mu} = {layout.at(s)} * {turns}" for mu, s in enumerate(neuron.parameters[:dim])]
    return [f"amplitude = {layout.at((0, 0))}", f"phase = {layout.at(neuron.parameters[dim])} * {turns}", *waves]


def _block(lines: Sequence[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in lines)


class FieldKernel:
    """Fields at points and values of a functional, for networks of one architecture, compiled.

    Parameters
    ----------
    model : NetworkModel
        Of one output.
    points : array (n_points, input_dim)
    functional : FieldFunctional
        Without bilocal terms.
    seed : int
    """

    def __init__(self, model: NetworkModel, points: Floats, functional: FieldFunctional, *, seed: int) -> None:
        self._n_fields, self._n_values = len(points), len(functional.table)
        self._module = _module(model.neuron, model.input_dim)
        self._plan = neuron_round(model.neuron, model.input_dim, "float64")
        starts, step, n_steps, table, places = np.zeros((0, model.input_dim)), 0.0, 1, functional.table, points
        if has_lines(model):
            starts, step, n_steps, table = _lines(functional)
            starts, step = starts * model.input_scale, step * model.input_scale
        else:
            places = np.concatenate([points, functional.nodes])
        x, offsets, constants, tables = (np.ascontiguousarray(a, dtype=np.float64) for a in model.arrays(places))
        key = (np.uint64(word) for word in philox.key_words(seed))
        scales = float(model.output_scale), float(model.output_bias)
        self._n_rows = len(x)
        model_arguments = (model.width, x, offsets, constants, tables, *scales, *key)
        lines = (np.ascontiguousarray(starts), float(step), n_steps, np.ascontiguousarray(table))
        self._arguments = (*model_arguments, self._n_fields, *lines)
        self._nodes_times_width = table.shape[1] * model.width

    @property
    def groups_per_call(self) -> int:
        """Groups of lanes that take about a tenth of a second on one thread, at most 256."""
        return int(max(1, min(256, 0.1 / (LANES * 3e-10 * self._nodes_times_width))))

    def __call__(self, blocks: Sequence[int], groups: Sequence[int]) -> Floats:
        """Return fields, then values, of groups of lanes, shape (n_groups, n_points + n_values, LANES)."""
        outputs = np.empty((len(blocks), self._n_fields + self._n_values, LANES))
        numbers = np.asarray(blocks, dtype=np.int64), np.asarray(groups, dtype=np.int64)

        def some(first: int, stop: int) -> None:
            part = slice(first, stop)
            shape = (self._n_rows, LANES)
            buffers, (rows,) = group_buffers(self._plan, self._module.SCRATCH_ROWS, "float64", (shape, "float64"))
            self._module.field_groups(*(n[part] for n in numbers), *self._arguments, buffers, rows, outputs[part])

        share_out(some, len(blocks))
        return outputs


def _lines(functional: FieldFunctional) -> tuple[Floats, float, int, Floats]:
    """Return starts, step, steps per line (a multiple of _STRIDE) and the table in the order of the lines."""
    if len(functional.grids) == 1 and functional.grids[0].weights.shape[1] > 1:
        grid = functional.grids[0]
        starts, step, n_steps = grid.starts, grid.step, grid.weights.shape[1]
    else:
        starts, step, n_steps = functional.nodes, 0.0, 1
    length = -(-n_steps // _STRIDE) * _STRIDE
    n_values, _, degrees = functional.table.shape
    table = np.zeros((n_values, len(starts), length, degrees))
    table[:, :, :n_steps] = functional.table.reshape(n_values, len(starts), n_steps, degrees)
    # node s of a line is in plane s % _STRIDE: LLVM tests for overlap of rows over whole loops at once, and rows of
    # one plane that alternate would fail the test and be left scalar
    planes = table.reshape(n_values, -1, _STRIDE, degrees).transpose(0, 2, 1, 3)
    return starts, step, length, np.ascontiguousarray(planes).reshape(n_values, -1, degrees)
