"""The CUDA kernel of networks with functions of their parameters: weights of a tilted density, or scores.

It is the kernel of :mod:`numerics.kernels.cuda` with sums over neurons in double precision. A partial sum of weighted
monomials is relative to the largest weight of its own networks; partial sums are brought to a common factor in order,
so that results depend neither on the device nor on the grid here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import N_HEADS, Neuron
from numerics.kernels._cuda_kernels import tilted_source
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.kernels.cuda import EnsembleKernel
from numerics.kernels.layout import SumLayout

if TYPE_CHECKING:
    from numerics.model import NetworkModel

Floats = NDArray[np.float64]


class TiltedKernel(EnsembleKernel):
    """The CUDA kernel of networks with functions of their parameters.

    Parameters
    ----------
    model, points, functions, numbers, max_points, seed, dtype, shift
        As for :class:`numerics.kernels.tilted.TiltedKernel`.

    Raises
    ------
    ValueError
        If the variables do not fit the shared memory of a block.
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
        self._has_points = bool(len(points))
        places = points if self._has_points else np.zeros((1, model.input_dim))  # no array of a kernel is empty
        super().__init__(model, places, max_points=max_points, seed=seed, dtype=dtype)
        factor = float(model.input_scale) / (model.neuron.argument_unit if isinstance(model.neuron, Neuron) else 1.0)
        means = np.zeros(len(functions.values)) if shift is None else shift
        more = np.array([factor, *numbers], dtype=np.float64), np.array(means, dtype=np.float64)
        self._arguments = (*self._arguments, *(self._xp.asarray(a) for a in more))

    def _made_layout(self, max_points: int) -> SumLayout:
        n_variables = self._n_fields + (0 if self._is_weighted else len(self._functions.values))
        return SumLayout.fitting(n_variables, max_points, self._dtype.name, has_weights=self._is_weighted)

    def _made_source(self, model: NetworkModel, n_points: int) -> str:
        shape = model.neuron, model.input_dim, n_points, self._dtype.name
        return tilted_source(*shape, self.layout, self._functions, self._is_weighted)

    @property
    def _n_columns(self) -> int:
        return self.n_monomials + N_HEADS * self._is_weighted

    def add(self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: Floats) -> None:
        """Add lane groups of each block to its row of ``sums``, see :meth:`EnsembleKernel.add`."""
        if self._is_weighted:
            sums[sums[:, 1] == 0, 0] = -np.inf  # blocks that begin here
        super().add(blocks, sizes, group0, group1, sums)

    def _joined(self, partial: Any, per_block: int, sums: Any) -> Any:
        if not self._is_weighted:
            return super()._joined(partial, per_block, sums)
        joined = self._xp.empty(sums.shape)  # the largest weight so far is read by all threads of a row
        self._add_partial(partial, per_block, sums, joined)
        return joined

    def outputs(self, block: int, start: int, count: int) -> Any:
        """Return the outputs of networks of a block, shape (count, n_fields)."""
        return self.sample(block, start, count)[0]

    def sample(self, block: int, start: int, count: int) -> tuple[NDArray[np.floating[Any]], Floats]:
        """Return outputs (count, n_fields) and functions (n_values, count) of networks of a block, on the host."""
        values = self._xp.empty((len(self._functions.values), count))
        fields = self._sampled(block, start, count, self._arguments, values)
        return fields.get()[:, : self._n_fields * self._has_points], values.get()
