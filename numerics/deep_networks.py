"""Networks with several hidden layers, drawn layer by layer from the numbered stream of random words.

Layer l of a network takes the words of round l: the weights row by row and then the biases from its normals, the phases
from its uniform numbers. A network is thus a function of the seed, its block and its number within the block alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams._gaussian_activations import Activation, Cosine, Erf, Linear, Relu
from diagrams.deep import DeepArchitecture
from diagrams.symbols import symbol
from numerics._printer import check_supported
from numerics.backends import array_module
from numerics.forward import round_numbers
from numerics.kernels import special_functions

Outputs = Any
_ELEMENTS = {"numba": 1 << 19, "numpy": 1 << 19, "cupy": 1 << 25}  # random numbers of one layer in a temporary array


@dataclass(frozen=True)
class Layer:
    """How the weights and biases above one set of units are drawn.

    Parameters
    ----------
    above, below : int
        Units.
    weight, bias : float
        Standard deviations; zero for no bias.
    has_phase : bool
        Whether the units above have uniform phases.
    """

    above: int
    below: int
    weight: float
    bias: float
    has_phase: bool

    @property
    def n_normals(self) -> int:
        """Standard normals in use."""
        return self.above * (self.below + (self.bias > 0))


@dataclass(frozen=True, eq=False)
class DeepNetworks:
    """Independent networks with several hidden layers.

    Parameters
    ----------
    layers : tuple of Layer
        From the first to the outputs.
    activation : Activation
    seed : int
    backend : {"numba", "numpy", "cupy"}
        numba compiles all of it (:mod:`numerics.kernels.deep`), the others are array code with matrix products.
    dtype : str
    is_conditional : bool
        Whether the field is, in place of the outputs, their covariance ``K(x, y)`` given the hidden layers, without the
        output bias, at pairs of points (``2 input_dim`` components).
    """

    layers: tuple[Layer, ...]
    activation: Activation
    seed: int
    backend: str
    dtype: str
    is_conditional: bool = False

    @classmethod
    def of(cls, net: DeepArchitecture, *, seed: int, backend: str, dtype: str) -> DeepNetworks:
        """Return the networks of an architecture.

        Raises
        ------
        ValueError
            If a parameter has no number, or a layer no whole number of units.
        """
        sigma, units = net.parameter_values(), net.layer_widths()
        waves, layers = isinstance(net.activation, Cosine), []
        for k, (below, above) in enumerate(pairwise(units)):
            is_top = k == net.depth
            weight = sigma["sigma_w0" if k == 0 else "sigma_w1"] / np.sqrt(below)
            layers.append(
                Layer(above, below, float(weight), sigma["sigma_b1" if is_top else "sigma_b0"], waves and not is_top)
            )
        return cls(tuple(layers), net.activation, seed, backend, dtype)

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return 1 if self.is_conditional else self.layers[-1].above

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`; functions that only scipy has are for array code."""
        return self.backend == "numba" and _has_source(self.activation)

    def kernel(self, points: NDArray[np.float64], max_points: int) -> Any:
        """Return the compiled kernel for sums of monomials at the points, or pairs of points."""
        from numerics.kernels.deep import DeepKernel

        pairs = None
        if self.is_conditional:
            points, pairs = _ends(points)
        return DeepKernel(
            self.layers, self.activation, points, pairs=pairs, max_points=max_points, seed=self.seed, dtype=self.dtype
        )

    def outputs(self, points: NDArray[np.float64]) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""
        if self.is_compiled:
            return self.kernel(points, 1).outputs
        return partial(self._outputs, points)

    def _outputs(self, points: NDArray[np.float64], block: int, start: int, count: int) -> Any:
        xp = array_module(self.backend)
        parts = [self._some(xp, points, block, first, stop) for first, stop in self._chunks(start, count)]
        return xp.concatenate(parts) if parts else xp.zeros((0, self.n_outputs * len(points)), dtype=self.dtype)

    def _some(self, xp: Any, points: NDArray[np.float64], block: int, first: int, stop: int) -> Any:
        index = xp.arange(first, stop, dtype=xp.uint64)
        if self.is_conditional:
            ends, places = _ends(points)
            h, pairs = self._hidden(xp, ends, index, block), xp.asarray(places)
            top = xp.asarray(self.layers[-1].weight ** 2, dtype=self.dtype)
            return (h[:, :, pairs[:, 0]] * h[:, :, pairs[:, 1]]).sum(axis=1) * top
        weights, bias, _ = self._drawn(xp, self.layers[-1], index, block, len(self.layers) - 1)
        f = xp.matmul(weights, self._hidden(xp, points, index, block))
        return (f if bias is None else f + bias[..., None]).reshape(stop - first, -1)

    def _hidden(self, xp: Any, points: NDArray[np.float64], index: Any, block: int) -> Any:
        """Return what the last hidden layer hands on, shape (n, units, points)."""
        h = xp.asarray(points.T, dtype=self.dtype)
        for k, layer in enumerate(self.layers[:-1]):
            weights, bias, phase = self._drawn(xp, layer, index, block, k)
            z = xp.matmul(weights, h)
            for shift in (bias, phase):
                z = z if shift is None else z + shift[..., None]
            h = activation_value(xp, self.activation, z)
        return h

    def _drawn(self, xp: Any, layer: Layer, index: Any, block: int, number: int) -> tuple[Any, Any, Any]:
        """Return weights (n, above, below), and biases and phases (n, above) or None."""
        n_phases = layer.above if layer.has_phase else 0
        wanted = (block, number, layer.n_normals, n_phases, self.seed)
        if self.backend == "numba" and self.dtype == "float64":
            from numerics.kernels.normals import compiled_round

            normals, turns = compiled_round(int(index[0]) if len(index) else 0, len(index), *wanted)
        else:
            normals, turns = round_numbers(xp, index, *wanted, self.dtype)
        n_weights = layer.above * layer.below
        one = xp.asarray(layer.weight, dtype=self.dtype)
        weights = normals[:, :n_weights].reshape(-1, layer.above, layer.below) * one
        bias = normals[:, n_weights:] * xp.asarray(layer.bias, dtype=self.dtype) if layer.bias > 0 else None
        if not layer.has_phase:
            return weights, bias, None
        half = xp.asarray(0.5, dtype=self.dtype)
        return weights, bias, (turns - xp.floor(turns + half)) * xp.asarray(2 * np.pi, dtype=self.dtype)

    def parameters(self, block: int, start: int, count: int) -> dict[str, Any]:
        """Return the parameters by name: ``W0``, ``b0``, ``c0`` of the first layer, and so on."""
        xp = array_module(self.backend)
        index = xp.arange(start, start + count, dtype=xp.uint64)
        found: dict[str, Any] = {}
        for k, layer in enumerate(self.layers):
            parts = zip("Wbc", self._drawn(xp, layer, index, block, k), strict=True)
            found |= {f"{name}{k}": values for name, values in parts if values is not None}
        return found

    def _chunks(self, start: int, count: int) -> Iterator[tuple[int, int]]:
        """Cut networks so that the random numbers of a layer fit the budget."""
        size = max(1, _ELEMENTS[self.backend] // max(layer.n_normals for layer in self.layers))
        for first in range(start, start + count, size):
            yield first, min(first + size, start + count)


def _has_source(activation: Activation) -> bool:
    """Return whether an activation can be written in compiled code."""
    try:
        check_supported([activation.expression(symbol("z"))])
    except ValueError:
        return False
    return True


def _ends(pairs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the points in pairs of points (n, 2 input_dim), each once, and which they are, shape (n, 2)."""
    ends, place = np.unique(pairs.reshape(2 * len(pairs), -1), axis=0, return_inverse=True)
    return ends, place.reshape(-1, 2)


def activation_value(xp: Any, activation: Activation, z: Any, *, order: int = 0) -> Any:
    """Return an activation, or its first derivative, over an array namespace."""
    if isinstance(activation, Linear):
        return xp.ones_like(z) if order else z
    if isinstance(activation, Relu):
        return (z > 0).astype(z.dtype) if order else xp.maximum(z, 0)
    if isinstance(activation, Cosine):
        return -xp.sin(z) if order else xp.cos(z)
    if isinstance(activation, Erf):
        return 2 / np.sqrt(np.pi) * xp.exp(-z * z) if order else special_functions(xp).erf(z)
    variable = symbol("z")
    expression = sympy.diff(activation.expression(variable), variable, order)
    function = sympy.lambdify(variable, expression, [special_functions(xp), xp])
    return xp.broadcast_to(xp.asarray(function(z), dtype=z.dtype), z.shape)
