"""The ensemble kernel on a CUDA device: networks are drawn, evaluated, added to sums of monomials, and forgotten.

A thread draws and evaluates one network at a time, from the random words of the CPU kernel; then the threads of a block
share out the monomials and add them over the networks of the block, in order. Partial sums over :data:`UNIT` networks
are added in order by a second kernel: no atomic additions, so results depend neither on the device nor on the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import LANES, philox
from numerics.kernels._cuda_kernels import kernel_source
from numerics.kernels.layout import UNIT, SumLayout

if TYPE_CHECKING:
    from numerics.model import NetworkModel

_PARTIAL_BYTES = 1 << 28
_SECONDS_PER_TERM = 3e-13  # rough, of a large device: one neuron at one point
_FEWEST_UNITS = 1 << 11  # fill a large device
_BLOCKS_PER_PROCESSOR = 16


class EnsembleKernel:
    """The compiled kernel with its parameters, with the face of :class:`numerics.kernels.cpu.EnsembleKernel`.

    Parameters
    ----------
    model : NetworkModel
    points : array (n_points, input_dim)
    max_points : int
        Highest degree of the monomials.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
        Type of the evaluation.

    Raises
    ------
    ValueError
        If the outputs at the points do not fit the shared memory of a block.
    """

    def __init__(
        self, model: NetworkModel, points: NDArray[np.float64], *, max_points: int, seed: int, dtype: str
    ) -> None:
        import cupy

        self._xp, self._dtype, self._width = cupy, np.dtype(dtype), int(model.width)
        self._n_fields = model.n_outputs * len(points)
        self.layout = self._made_layout(max_points)
        self.n_monomials = self.layout.n_monomials
        self.source = self._made_source(model, len(points))
        x, offsets, constants, splines = (cupy.asarray(a, dtype=dtype) for a in model.arrays(points))
        scales = self._dtype.type(model.output_scale), self._dtype.type(model.output_bias)
        key = (np.uint32(word) for word in philox.key_words(seed))
        self._arguments = (np.int32(model.width), x, offsets, constants, splines, *scales, *key)
        self._tables = cupy.asarray(self.layout.factors()), cupy.asarray(self.layout.parts())

    def _made_layout(self, max_points: int) -> SumLayout:
        return SumLayout.fitting(self._n_fields, max_points, self._dtype.name)

    def _made_source(self, model: NetworkModel, n_points: int) -> str:
        return kernel_source(model.neuron, model.input_dim, n_points, self._dtype.name, self.layout)

    @property
    def _n_columns(self) -> int:
        """Sums of a unit or block."""
        return self.n_monomials

    @property
    def _most_units(self) -> int:
        """Units in a call for which there is memory."""
        return _PARTIAL_BYTES // (8 * self._n_columns)

    @cached_property
    def _module(self) -> Any:
        return self._xp.RawModule(code=self.source, options=("-std=c++17",))

    def portions(self, seconds: float, size: int) -> tuple[int, int]:
        """Return how many groups of lanes, and how many blocks of ``size`` networks, make a call of some seconds.

        Whole units, as many as fill the device at least and as have room for their partial sums at most.
        """
        terms = UNIT * self._width * (self.layout.n_fields + 5)
        units = max(_FEWEST_UNITS, int(seconds / (_SECONDS_PER_TERM * terms)))
        units = max(1, min(units, self._most_units))
        per_block = -(-size // UNIT)
        return min(units, per_block) * (UNIT // LANES), max(1, units // per_block)

    def add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: NDArray[np.float64]
    ) -> None:
        """Add the lane groups ``group0`` to ``group1 - 1`` of each block to its row of ``sums``.

        Parameters
        ----------
        blocks, sizes, group0, group1, sums
            As for the CPU kernel; ``group0`` must be a multiple of the groups in :data:`UNIT` networks.
        """
        self._add(blocks, sizes, group0, group1, self._arguments, sums)

    def _add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int,
        arguments: tuple[Any, ...], sums: NDArray[np.float64],
    ) -> None:  # fmt: skip
        xp, n_blocks = self._xp, len(blocks)
        first, per_block = group0 * LANES // UNIT, -(-(group1 - group0) * LANES // UNIT)
        last = group1 * LANES  # of the networks wanted
        numbers = xp.asarray(np.array(blocks, dtype=np.int64))
        counts = xp.asarray(np.minimum(np.array(sizes, dtype=np.int64), last))
        partial = xp.empty((n_blocks * per_block, self._n_columns))
        grid = xp.cuda.Device().attributes["MultiProcessorCount"] * _BLOCKS_PER_PROCESSOR
        units = np.int64(n_blocks * per_block)
        self._module.get_function("add_units")(
            (min(grid, int(units)),), (self.layout.lanes,),
            (numbers, counts, np.int64(first), np.int64(per_block), units, *arguments, *self._tables, partial),
        )  # fmt: skip
        sums[...] = self._joined(partial, per_block, xp.asarray(sums)).get()

    def _joined(self, partial: Any, per_block: int, sums: Any) -> Any:
        """Return the sums of blocks, those so far and those of their units in order."""
        self._add_partial(partial, per_block, sums)
        return sums

    def _add_partial(self, partial: Any, per_block: int, *sums: Any) -> None:
        size = sums[0].size
        self._module.get_function("add_partial")(
            (-(-size // 256),), (256,), (partial, np.int64(per_block), np.int64(size), *sums)
        )

    def outputs(self, block: int, start: int, count: int) -> Any:
        """Return the outputs of networks ``start`` to ``start + count - 1`` of a block, shape (count, n_fields)."""
        return self._sampled(block, start, count, self._arguments)

    def _sampled(self, block: int, start: int, count: int, arguments: tuple[Any, ...], *more: Any) -> Any:
        """Return the outputs of networks, and fill what other arrays the kernel writes."""
        result = self._xp.empty((count, self._n_fields), dtype=self._dtype)
        if count:
            lanes = self.layout.lanes
            place = np.int64(block), np.int64(start), np.int64(count)
            self._module.get_function("sample_block")(
                (-(-count // lanes),), (lanes,), (*place, *arguments, result, *more)
            )
        return result
