"""The compiled CPU kernel of networks with functions of their parameters: weights of a tilted density, or scores.

It is the kernel of :mod:`numerics.kernels.cpu` with rows of sums over neurons. Sums of weighted monomials are sums of
products of a row with a weighted one, so they are made by the same tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics._codegen import load_module
from numerics.kernels import LANES, N_HEADS, Neuron
from numerics.kernels._cpu_source import kernel_source
from numerics.kernels._sums_source import TILE
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.kernels.buffers import arrays_side_by_side, group_buffers
from numerics.kernels.cpu import EnsembleKernel
from numerics.kernels.features import FeatureNeuron
from numerics.kernels.threads import share_out

if TYPE_CHECKING:
    from numerics.model import NetworkModel

Floats = NDArray[np.float64]


@cache
def _module(neuron: Neuron | FeatureNeuron, input_dim: int, dtype: str, functions: NetworkFunctions) -> Any:
    source = kernel_source(neuron, input_dim, dtype, network=functions)
    return load_module(source, label=f"tilted_{neuron.label}_{input_dim}d_{dtype}")


class TiltedKernel(EnsembleKernel):
    """The compiled kernel of networks with functions of their parameters.

    Parameters
    ----------
    model : NetworkModel
        Of networks of one density.
    points : array (n_points, input_dim)
    functions : NetworkFunctions
    numbers : sequence of float
        Values of ``functions.numbers``.
    max_points : int
        Highest degree of the monomials.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
        Type of the evaluation of fields; functions are float64 always.
    shift : array (n_values,), optional
        Functions minus these numbers are further variables, after the fields. Without, the first function is the log
        weight of a network: a row of sums is the largest log weight of the block, the sum of the weights relative to
        that one and of their squares, and the weighted sums of monomials.
    """

    def __init__(
        self,
        model: NetworkModel,
        points: Floats,
        functions: NetworkFunctions,
        numbers: Sequence[float],
        *,
        max_points: int,
        seed: int,
        dtype: str,
        shift: Floats | None = None,
    ) -> None:
        self._functions, self._is_weighted = functions, shift is None
        n_more = 0 if shift is None else len(functions.values)
        super().__init__(model, points, max_points=max_points, seed=seed, dtype=dtype, n_more=n_more)
        factor = float(model.input_scale) / (model.neuron.argument_unit if isinstance(model.neuron, Neuron) else 1.0)
        self._known = np.array([factor, *numbers], dtype=np.float64)
        self._shift = np.zeros(0) if shift is None else np.array(shift, dtype=np.float64)
        if self._is_weighted:
            self._arguments = (*self._arguments[:-2], *self._tiles.weighted_rows())

    def _made_module(self, neuron: Neuron | FeatureNeuron, input_dim: int, dtype: str) -> Any:
        return _module(neuron, input_dim, dtype, self._functions)

    def space(self) -> tuple[Any, ...]:
        """Return buffers and rows, those of weighted monomials after the others."""
        n_rows = self._tiles.n_rows
        shape = ((1 + self._is_weighted) * n_rows, LANES)
        buffers, (rows,) = group_buffers(self._plan, self._module.SCRATCH_ROWS, self._dtype, (shape, self._dtype))
        rows[n_rows - 1] = 1
        return buffers, rows

    def _network(self) -> tuple[NDArray[Any], ...]:
        """Return the rows of sums over neurons and of functions, and the weights of a group of networks."""
        n_sums, n_values = len(self._functions.sums), len(self._functions.values)
        return tuple(
            arrays_side_by_side([((n, LANES), "float64") for n in (n_sums, n_values)] + [((LANES,), "float64")])
        )

    def add(self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: Floats) -> None:
        """Add lane groups of each block to its row of ``sums``, see :meth:`EnsembleKernel.add`."""
        numbers, counts = np.array(blocks, dtype=np.int64), np.array(sizes, dtype=np.int64)
        n_heads = N_HEADS if self._is_weighted else 0
        heads, monomials = sums[:, :n_heads], sums[:, n_heads:]
        if self._is_weighted:
            heads[heads[:, 1] == 0, 0] = -np.inf  # blocks that begin here
        no_values = np.empty((0, len(self._functions.values), LANES))

        def some(first: int, stop: int) -> None:
            part = slice(first, stop)
            tiles = self._tiles.filled(monomials[part])
            own = np.ascontiguousarray(heads[part]) if self._is_weighted else np.empty((0, N_HEADS))
            self._module.add_blocks(
                numbers[part], counts[part], group0, group1, *self._arguments, *self.space(), tiles, self._nothing,
                self._known, self._network(), self._shift, own, no_values,
            )  # fmt: skip
            self._tiles.empty(tiles, monomials[part])
            if self._is_weighted:
                heads[part] = own

        share_out(some, len(numbers))

    def outputs(self, block: int, start: int, count: int) -> NDArray[np.floating[Any]]:
        """Return the outputs of networks of a block, shape (count, n_fields)."""
        return self.sample(block, start, count)[0]

    def sample(self, block: int, start: int, count: int) -> tuple[NDArray[np.floating[Any]], Floats]:
        """Return outputs (count, n_fields) and functions (n_values, count) of networks of a block."""
        group0, group1 = start // LANES, -(-(start + count) // LANES)
        fields = np.empty((group1 - group0, self._n_fields, LANES), dtype=self._dtype)
        values = np.empty((group1 - group0, len(self._functions.values), LANES))
        number, no_tiles, no_heads = np.array([block]), np.empty((1, 0, TILE)), np.empty((0, N_HEADS))

        def some(first: int, stop: int) -> None:
            start, end = group0 + first, group0 + stop
            self._module.add_blocks(
                number, np.array([end * LANES]), start, end, *self._arguments, *self.space(), no_tiles,
                fields[first:stop], self._known, self._network(), self._shift, no_heads, values[first:stop],
            )  # fmt: skip

        share_out(some, len(fields))
        wanted = slice(start - group0 * LANES, start - group0 * LANES + count)
        flat = fields.transpose(0, 2, 1).reshape(len(fields) * LANES, -1 if self._n_fields else 0)[wanted]
        functions = values.transpose(1, 0, 2).reshape(values.shape[1], -1)[:, wanted]
        return np.ascontiguousarray(flat), np.ascontiguousarray(functions)
