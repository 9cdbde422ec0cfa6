"""The compiled CPU kernel of networks with several hidden layers: drawn and evaluated layer by layer, nothing stored.

The words are those of the array code (:mod:`numerics.deep_networks`), so that the networks are the same to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagrams._gaussian_activations import Activation
from numerics._codegen import load_module
from numerics.kernels import LANES, philox
from numerics.kernels._deep_source import activation_unit, chunk_of_normals, deep_source, strip_for
from numerics.kernels.buffers import Kind, arrays_side_by_side
from numerics.kernels.given import Floats, OutputsKernel

if TYPE_CHECKING:
    from numerics.deep_networks import Layer


@cache
def deep_module(activation: Activation, dtype: str, strip: int) -> Any:
    """Return the module made of :func:`deep_source`; its functions are compiled at their first calls."""
    name = type(activation).__name__.lower()
    return load_module(deep_source(activation, dtype, strip), label=f"deep_{name}_{strip}side_{dtype}")


class DeepKernel(OutputsKernel):
    """The compiled kernel of networks with several hidden layers.

    Parameters
    ----------
    layers : sequence of Layer
        From the first to the outputs.
    activation : Activation
    points : array (n_points, input_dim)
    pairs : array (n_pairs, 2), optional
        The field is the covariance of an output at these pairs of points, given the hidden layers and without the
        output bias, in place of the outputs.
    max_points : int
        Highest degree of the monomials.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        activation: Activation,
        points: NDArray[np.float64],
        *,
        pairs: NDArray[np.int64] | None = None,
        max_points: int,
        seed: int,
        dtype: str,
    ) -> None:
        super().__init__(layers[-1].above * len(points) if pairs is None else len(pairs), max_points, dtype)
        unit, hidden, top = activation_unit(activation), layers[:-1], layers[-1]
        drawn = hidden if pairs is not None else layers
        scales = [layer.weight / unit for layer in hidden] + [top.weight if pairs is None else top.weight**2]
        biases = [layer.bias / unit for layer in hidden] + [top.bias]
        units = [layers[0].below, *(layer.above for layer in drawn)]
        self._points = np.ascontiguousarray(points, dtype=dtype)
        self._most = max(units[1:])
        self._n_rows = max(self._most * len(points), self._n_fields)
        self._strip = strip_for(self._n_rows, dtype)
        self._module = deep_module(activation, dtype, self._strip)
        self._n_normals = sum(layer.n_normals for layer in drawn)
        key = (np.uint64(word) for word in philox.key_words(seed))
        self._arguments = (
            np.array(units), np.array(scales, dtype=dtype), np.array(biases, dtype=dtype),
            len(hidden), hidden[0].has_phase, np.zeros((0, 2), np.int64) if pairs is None else pairs,
            len(points), *key,
        )  # fmt: skip

    @property
    def seconds_per_group(self) -> float:
        """Rough cost of one group of lanes, from which callers choose how much to do at once."""
        return 1e-9 * LANES * (self._n_normals * (3 + 0.3 * len(self._points)) + self._sums.n_monomials)

    def _filled(self, size: int) -> int:
        """Return the networks that are evaluated for a block: those of several blocks share a strip."""
        return size

    def _blocks_together(self, size: int) -> int:
        """Return how many blocks of ``size`` networks fill a strip."""
        return -(-self._strip // size)

    def _space(self) -> tuple[Any, ...]:
        """Return buffers of a chunk, numbers of networks and of their words, shifts, sums, inputs, and two layers."""
        dtype, n_points, dim = self._dtype, len(self._points), self._points.shape[1]
        word = np.float64 if dtype == "float64" else np.uint32
        strip = self._strip
        plan = chunk_of_normals(dtype, strip)
        kinds: list[Kind] = [
            ((4, plan.n_calls, strip), word),
            ((plan.n_calls + 2, strip), np.uint64),
            ((2, plan.n_pairs, strip), dtype),
            ((1, strip), dtype),
            ((3, strip), np.int64),
            ((strip,), np.uint64),
            ((self._most, strip), dtype),
            ((n_points, strip), dtype),
            ((dim * n_points, strip), dtype),
            ((self._n_rows, strip), dtype),
            ((self._n_rows, strip), dtype),
        ]
        arrays = arrays_side_by_side(kinds)
        networks, high, shift, sums, inputs, *layers = arrays[4:]
        inputs[...] = self._points.T.reshape(-1, 1)
        return tuple(arrays[:4]), networks, high, shift, sums, inputs, tuple(layers)

    def _write(
        self, blocks: NDArray[np.int64], sizes: NDArray[np.int64], group0: int, group1: int, space: Any, outputs: Floats
    ) -> None:
        self._module.write_groups(blocks, sizes, group0, group1, *self._arguments, *space, outputs)
