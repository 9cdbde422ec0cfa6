"""Where the networks of an ensemble come from: one object for each kind of ensemble, all with the same face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.deep import DeepArchitecture
from numerics.backends import array_module
from numerics.forward import network_outputs, network_parameters
from numerics.model import NetworkModel

Outputs: TypeAlias = Callable[[int, int, int], Any]
Parameters: TypeAlias = tuple[list[Any], list[Any]]


class Source(Protocol):
    """Numbered blocks of random networks."""

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""

    @property
    def backend(self) -> str:
        """The backend that evaluates the networks."""

    @property
    def dtype(self) -> str:
        """Precision of the evaluation."""

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`."""

    def kernel(self, points: NDArray[np.float64], max_points: int) -> Any:
        """Return the compiled kernel for sums of monomials at the points; only where :attr:`is_compiled` is true."""

    def outputs(self, points: NDArray[np.float64]) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Independent networks with independent, identically distributed neurons.

    Parameters
    ----------
    model : NetworkModel
    seed : int
    backend, dtype : str
    even_only : bool
        Compiled sums of blocks may leave out products of three, five, ... outputs.
    """

    model: NetworkModel
    seed: int
    backend: str
    dtype: str
    even_only: bool = False

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return self.model.n_outputs

    def outputs(self, points: NDArray[np.float64]) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""
        if not self.is_compiled:
            return partial(self._array_outputs, points)
        outputs: Outputs = self.kernel(points, 1).outputs
        return outputs

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`."""
        return self.backend != "numpy"

    def kernel(self, points: NDArray[np.float64], max_points: int) -> Any:
        """Return the compiled kernel of the backend, ``numba`` or ``cupy``, for sums of monomials at the points."""
        options: dict[str, Any] = {"max_points": max_points, "seed": self.seed, "dtype": self.dtype}
        if self.backend == "numba":
            from numerics.kernels import cpu

            return cpu.EnsembleKernel(self.model, points, even_only=self.even_only, **options)
        from numerics.kernels import cuda

        return cuda.EnsembleKernel(self.model, points, **options)

    def _array_outputs(self, points: NDArray[np.float64], block: int, start: int, count: int) -> Any:
        return network_outputs(
            array_module(self.backend), self.model, points,
            block=block, start=start, count=count, seed=self.seed, dtype=self.dtype,
        )  # fmt: skip

    def parameters(self, block: int, start: int, count: int) -> Parameters:
        """Return output weights, one array for each output, and hidden parameters, each (count, N)."""
        return network_parameters(
            array_module(self.backend), self.model,
            block=block, start=start, count=count, seed=self.seed, dtype=self.dtype,
        )  # fmt: skip


def source_of(architecture: Any, *, seed: int, backend: str, dtype: str) -> Source:
    """Return where the networks of an ensemble come from.

    Raises
    ------
    TypeError
        If the architecture is none that can be sampled.
    ValueError
        If a parameter has no number.
    NotImplementedError
        If there is no way to draw a parameter.
    """
    if isinstance(architecture, Architecture):
        return Networks(NetworkModel.of(architecture), seed, backend, dtype)
    if isinstance(architecture, DeepArchitecture):
        from numerics.deep_networks import DeepNetworks

        return DeepNetworks.of(architecture, seed=seed, backend=backend, dtype=dtype)
    from numerics.mixed import is_mixed, mixed_source

    if is_mixed(architecture):
        return mixed_source(architecture, seed=seed, backend=backend, dtype=dtype)
    raise TypeError(f"architecture must be one such as cos_net().at(N=20, ...), got {architecture!r}")


def named_parameters(architecture: Architecture, readout: list[Any], hidden: list[Any]) -> dict[str, Any]:
    """Return parameters by name: components of a vector ``W0_1, W0_2 ...`` and output weights on the last axis.

    Parameters
    ----------
    architecture : Architecture
    readout, hidden : lists of arrays (count, N)
        As :meth:`Networks.parameters` returns them.
    """
    xp = array_module("numpy") if isinstance(readout[0], np.ndarray) else array_module("cupy")
    vectors: dict[str, list[Any]] = {}
    for parameter, values in zip(architecture.feature.parameters, hidden, strict=True):
        vectors.setdefault(parameter.name.partition("_")[0], []).append(values)
    named = {"W1": readout[0] if len(readout) == 1 else xp.stack(readout, axis=-1)}
    for name, columns in vectors.items():
        named[name] = xp.stack(columns, axis=-1) if len(columns) > 1 or name == "W0" else columns[0]
    return named
