"""The CUDA kernel of networks whose parameters, or widths, differ from network to network.

It is the kernel of :mod:`numerics.kernels.cuda` with one more array, the numbers of every network. Shared values are
drawn on the host; a thread reads the numbers of its network, and takes as many neurons as its network has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import LANES
from numerics.kernels._cuda_kernels import mixed_source
from numerics.kernels.cuda import EnsembleKernel
from numerics.kernels.shared_values import Shared, SharedValues

if TYPE_CHECKING:
    from numerics.model import NetworkModel

_NUMBER_BYTES = 1 << 28  # of the numbers of a call


class MixedKernel(EnsembleKernel):
    """The CUDA kernel of networks with shared parameters that are drawn anew for each network.

    Parameters
    ----------
    drawn, model_of, points, max_points, seed, dtype, usual_width
        As for :class:`numerics.kernels.mixed.MixedKernel`.

    Raises
    ------
    ValueError
        If the outputs at the points do not fit the shared memory of a block.
    """

    def __init__(
        self,
        drawn: Callable[[int, int, int], Shared],
        model_of: Callable[[Shared], NetworkModel],
        points: NDArray[np.float64],
        *,
        max_points: int,
        seed: int,
        dtype: str,
        usual_width: int | None = None,
    ) -> None:
        self._shared, self._model_of = SharedValues(drawn), model_of
        model = model_of(drawn(0, 0, 1))
        self._n_numbers = len(model.lane_rows)
        width = int(np.ravel(model.width)[0]) if usual_width is None else usual_width
        # by network: points that are not scaled, and their squares in place of offsets
        plain = replace(
            model, width=width, input_scale=1.0, output_scale=1.0, output_bias=0.0, offset=(0.0, 1.0),
            constants=tuple(0.0 for _ in model.constants),
        )  # fmt: skip
        super().__init__(plain, points, max_points=max_points, seed=seed, dtype=dtype)

    def _made_source(self, model: NetworkModel, n_points: int) -> str:
        shape = model.neuron, model.input_dim, n_points, self._dtype.name
        return mixed_source(*shape, self.layout, self._n_numbers)

    @property
    def _most_units(self) -> int:
        bytes_per_network = self._n_numbers * self._dtype.itemsize + 4
        return min(super()._most_units, _NUMBER_BYTES // (self.layout.unit * bytes_per_network))

    def add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: NDArray[np.float64]
    ) -> None:
        """Add lane groups of each block to its row of ``sums``, see :meth:`EnsembleKernel.add`."""
        size, start = max(sizes), group0 * LANES
        stop = min(group1 * LANES, size)
        if start < stop:
            arguments = self._arguments_of(blocks, start, stop, size)
            self._add(blocks, sizes, group0, group1, arguments, sums)

    def outputs(self, block: int, start: int, count: int) -> Any:
        """Return the outputs of networks of a block, shape (count, n_fields)."""
        arguments = self._arguments_of([block], start, start + count, start + count)
        return self._sampled(block, start, count, arguments)

    def _arguments_of(self, blocks: Sequence[int], start: int, stop: int, size: int) -> tuple[Any, ...]:
        """Return the arguments with the widths and numbers of networks ``start`` to ``stop - 1`` of every block."""
        n_networks = len(blocks) * (stop - start)
        model = self._model_of(self._shared.joined(blocks, start, stop, size))
        numbers = np.empty((self._n_numbers, n_networks), dtype=self._dtype)
        for row, values in zip(numbers, model.lane_rows, strict=True):
            row[:] = values
        widths = np.empty(n_networks, dtype=np.int32)
        widths[:] = model.width
        _, x, offsets, _, splines, _, _, *key = self._arguments
        own = self._xp.asarray(widths), x, offsets, self._xp.asarray(numbers), splines
        return *own, np.int64(n_networks), np.int64(stop - start), *key
