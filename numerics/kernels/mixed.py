"""The compiled CPU kernel of networks whose parameters differ from network to network.

It is the kernel of :mod:`numerics.kernels.cpu`, compiled with one more array: the numbers of every network, a column
for each lane. Normals are turned into parameters once for each round of neurons, before the loop over points, so that
a network costs what one with fixed parameters does and what drawing its shared values takes.

Widths may differ as well. A group of networks then takes the rounds of neurons of its widest network, in which neurons
that a network does not have count as zero; words belong to the number of a neuron, whatever the width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import LANES, Neuron
from numerics.kernels.cpu import EnsembleKernel, kernel_module
from numerics.kernels.features import FeatureNeuron
from numerics.kernels.shared_values import Shared, SharedValues
from numerics.kernels.threads import n_threads

if TYPE_CHECKING:
    from numerics.model import NetworkModel

_GROUPS_PER_CALL = 2048  # whose numbers, about 16 MB, go into memory that is used again and again


class MixedKernel(EnsembleKernel):
    """The compiled kernel of networks with shared parameters that are drawn anew for each network.

    Parameters
    ----------
    drawn : callable
        ``drawn(block, start, count)`` returns the shared values of networks of a block, arrays (count,); the first ones
        do not depend on the count.
    model_of : callable
        Returns the NetworkModel of networks with given shared values. Its width is a number, or an array with one for
        each network.
    points : array (n_points, input_dim)
    max_points : int
        Highest degree of the monomials.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
        Type of the evaluation.
    usual_width : int, optional
        From which the time that networks take is guessed where widths are random; by default that of one network.
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
        self._has_widths = bool(np.ndim(model.width))
        width = int(np.ravel(model.width)[0]) if usual_width is None else usual_width
        # by lane: points that are not scaled, their squares in place of offsets, and a flag in place of the bias
        has_bias = float(bool(np.ndim(model.output_bias) or model.output_bias))
        plain = replace(
            model, width=width, input_scale=1.0, output_scale=1.0, output_bias=has_bias, offset=(0.0, 1.0),
            constants=tuple(0.0 for _ in model.constants),
        )  # fmt: skip
        super().__init__(plain, points, max_points=max_points, seed=seed, dtype=dtype)

    def _made_module(self, neuron: Neuron | FeatureNeuron, input_dim: int, dtype: str) -> Any:
        return kernel_module(neuron, input_dim, dtype, by_lane=True, by_width=self._has_widths)

    def portions(self, seconds: float, size: int) -> tuple[int, int]:
        """Return how much makes a call of some seconds, see :meth:`EnsembleKernel.portions`, or of some memory."""
        per_thread, at_once = super().portions(seconds, size)
        threads = n_threads()
        per_thread = min(per_thread, max(1, _GROUPS_PER_CALL // threads))
        return per_thread, max(threads, min(at_once, _GROUPS_PER_CALL // -(-size // LANES)))

    def add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: NDArray[np.float64]
    ) -> None:
        """Add lane groups of each block to its row of ``sums``, see :meth:`EnsembleKernel.add`."""
        n_groups = -(-max(sizes) // LANES)
        stop = min(group1, n_groups)
        if group0 >= stop:
            return
        arguments = self._arguments_of(blocks, group0, stop, n_groups)
        self._add(blocks, sizes, group0, stop, arguments, sums)

    def _outputs(self, block: int, group0: int, group1: int) -> NDArray[np.floating[Any]]:
        arguments = self._arguments_of([block], group0, group1, group1)
        return self._sampled(block, group0, group1, arguments)

    def _part(self, arguments: tuple[Any, ...], blocks: slice, groups: slice) -> tuple[Any, ...]:
        width, points, offsets, numbers, *rest = arguments
        part = width[blocks, groups] if self._has_widths else width
        return part, points, offsets, numbers[blocks, groups], *rest

    def _arguments_of(self, blocks: Sequence[int], group0: int, group1: int, n_groups: int) -> tuple[Any, ...]:
        """Return the arguments with the numbers of lane groups, shape (n_blocks, group1 - group0, n_numbers, LANES).

        Widths have the shape (n_blocks, group1 - group0, LANES).
        """
        model = self._model_of(self._shared.joined(blocks, group0 * LANES, group1 * LANES, n_groups * LANES))
        rows = model.lane_rows
        shape = len(blocks), group1 - group0, LANES
        numbers = np.empty((*shape[:2], len(rows), LANES), dtype=self._arguments[1].dtype)
        for i, row in enumerate(rows):
            numbers[:, :, i] = np.reshape(row, shape) if np.ndim(row) else row
        width, points, offsets, _, *rest = self._arguments
        return np.reshape(model.width, shape) if self._has_widths else width, points, offsets, numbers, *rest
