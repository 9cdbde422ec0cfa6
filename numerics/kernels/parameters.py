"""The compiled kernel that draws the parameters of networks, from the same random numbers as their outputs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics._codegen import load_module
from numerics.kernels import LANES, neuron_round, philox
from numerics.kernels._cpu_source import kernel_source
from numerics.kernels.buffers import group_buffers
from numerics.kernels.features import FeatureNeuron, Layout
from numerics.kernels.threads import share_out
from numerics.model import NetworkModel

_DRAW = """
@njit(nogil=True, error_model='numpy', cache=True)
def draw_parameters(group0, group1, block, start, width, constants, tables, key0, key1, rows, buffers, out):
    words, opening, normals, phases, scratch = buffers
    for g in range(group0, group1):
        first = (start // LANES + g) * LANES
        low = max(start - first, 0)
        high = min(start + out.shape[1] - first, LANES)
        open_words(first, key1, opening)
        for r in range((width + {n_neurons} - 1) // {n_neurons}):
            draw(block, r, key0, key1, opening, words)
            transform(words, normals, phases)
            for k in range(min({n_neurons}, width - {n_neurons} * r)):
                prepare(k * {n_normals}, k * {n_uniforms}, constants, tables, normals, phases, scratch)
                for p in range(out.shape[0]):
                    for l in range(low, high):
                        out[p, first - start + l, {n_neurons} * r + k] = scratch[rows[p] * LANES + l]
"""


@cache
def _module(neuron: FeatureNeuron, input_dim: int) -> Any:
    n_neurons = neuron_round(neuron, input_dim, "float64").n_neurons
    text = _DRAW.format(n_neurons=n_neurons, n_normals=neuron.n_normals(0), n_uniforms=neuron.n_uniforms)
    source = kernel_source(neuron, input_dim, "float64") + text
    return load_module(source, label=f"parameters_{neuron.label}_{input_dim}d")


def drawn_parameters(
    model: NetworkModel, *, block: int, start: int, count: int, seed: int
) -> tuple[NDArray[np.float64], ...]:
    """Return output weights, then hidden parameters, each (count, N).

    Parameters
    ----------
    model : NetworkModel
        Whose neuron is a FeatureNeuron.
    block, start, count : int
        Networks ``start`` to ``start + count`` of a block.
    seed : int
    """
    assert isinstance(model.neuron, FeatureNeuron)
    layout = Layout(model.neuron)
    rows = [layout.rows[a, j] for a, draw in enumerate(model.neuron.draws) for j in range(len(draw.symbols))]
    out = np.empty((len(rows), count, int(model.width)))
    _, _, constants, tables = (
        np.ascontiguousarray(a, dtype=np.float64) for a in model.arrays(np.zeros((0, model.input_dim)))
    )
    key = (np.uint64(word) for word in philox.key_words(seed))
    module = _module(model.neuron, model.input_dim)
    numbers = block, start, int(model.width), constants, tables, *key, np.array(rows)
    plan = neuron_round(model.neuron, model.input_dim, "float64")

    def some(group0: int, group1: int) -> None:
        buffers, _ = group_buffers(plan, module.SCRATCH_ROWS, "float64")
        module.draw_parameters(group0, group1, *numbers, buffers, out)

    share_out(some, -(-(start % LANES + count) // LANES))
    return tuple(out)
