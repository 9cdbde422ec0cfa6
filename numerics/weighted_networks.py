"""Networks of a deformed density: those of the independent one, with weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.deformed import DeformedArchitecture
from diagrams.symbols import symbol
from diagrams.tilts import TiltedArchitecture
from diagrams.typing import Expr
from numerics.potentials import Potential, network_functions
from numerics.sources import Networks, Outputs

Floats = NDArray[np.float64]


def _log_density(architecture: DeformedArchitecture) -> Expr:
    """Return log P(theta; alpha) - log P(theta; 0) up to a constant."""
    is_tilt = isinstance(architecture, TiltedArchitecture)
    return -architecture.strength * architecture.deformation if is_tilt else architecture.deformation


@dataclass(frozen=True, eq=False)
class WeightedNetworks:
    """Independent networks with functions of their parameters.

    Parameters
    ----------
    architecture : DeformedArchitecture
    networks : Networks
        Of its independent base.
    expressions : tuple of sympy.Expr
        Functions of a network, in neuron sums, the strength and the width; the first one is its log weight where
        sums are weighted.
    """

    architecture: DeformedArchitecture
    networks: Networks
    expressions: tuple[Expr, ...]

    @classmethod
    def of(cls, architecture: DeformedArchitecture, networks: Networks) -> WeightedNetworks:
        """Return the networks with their log weights up to a constant, ``log P(theta; alpha) - log P(theta; 0)``.

        Raises
        ------
        ValueError
            If the strength has no number.
        """
        architecture.parameter_values()
        return cls(architecture, networks, (_log_density(architecture),))

    @classmethod
    def scores(cls, architecture: DeformedArchitecture, networks: Networks, order: int) -> WeightedNetworks:
        """Return the networks with the coefficients of the log density in the strength that do not vanish."""
        if isinstance(architecture, TiltedArchitecture):  # the log density at strength one: the same compiled kernel
            return cls(replace(architecture, value=sympy.S.One), networks, (_log_density(architecture),))
        coefficients = [sympy.sympify(architecture.log_weight(k)) for k in range(1, order + 1)]
        return cls(architecture, networks, tuple(coefficients[: 1 if coefficients[-1] == 0 else order]))

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return self.networks.n_outputs

    @property
    def backend(self) -> str:
        """The backend that evaluates the networks."""
        return self.networks.backend

    @property
    def dtype(self) -> str:
        """Precision of the evaluation of fields; functions are float64."""
        return self.networks.dtype

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`."""
        return self.backend != "numpy"

    def outputs(self, points: Floats) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""
        return self.networks.outputs(points)

    def kernel(self, points: Floats, max_points: int, shift: Floats | None = None) -> Any:
        """Return the compiled kernel for weighted sums, or for sums with the functions minus ``shift`` as variables."""
        numbers: dict[Expr, float] = {symbol("N"): float(self.architecture.width)}
        if self.architecture.value is not None:
            numbers[self.architecture.strength] = float(self.architecture.value)
        functions = network_functions(self.architecture.base, self.expressions, list(numbers))
        given = self.networks.model, points, functions, list(numbers.values())
        options: dict[str, Any] = {
            "max_points": max_points, "seed": self.networks.seed, "dtype": self.dtype, "shift": shift
        }  # fmt: skip
        if self.backend == "numba":
            from numerics.kernels import tilted

            return tilted.TiltedKernel(*given, **options)
        from numerics.kernels import cuda_tilted

        return cuda_tilted.TiltedKernel(*given, **options)

    def weighted_outputs(self, points: Floats) -> Callable[[int, int, int], tuple[Any, Floats]]:
        """Return a function of (block, start, count) that returns outputs and functions, of the same networks."""
        if self.is_compiled:
            sample: Callable[[int, int, int], tuple[Any, Floats]] = self.kernel(points, 1).sample
            return sample
        outputs = self.outputs(points)

        def evaluate(block: int, start: int, count: int) -> tuple[Any, Floats]:
            phi = outputs(block, start, count)
            return phi.get() if hasattr(phi, "get") else phi, self.values(block, start, count)

        return evaluate

    def values(self, block: int, start: int, count: int) -> Floats:
        """Return the functions of networks, shape (n_functions, count)."""
        if self.is_compiled:
            found: Floats = self._kernel_of_no_points.sample(block, start, count)[1]
            return found
        return self._potential(self.networks.parameters(block, start, count))

    @cached_property
    def _kernel_of_no_points(self) -> Any:
        return self.kernel(np.zeros((0, self.networks.model.input_dim)), 1)

    @cached_property
    def _potential(self) -> Potential:
        strength, value = self.architecture.strength, self.architecture.value
        expressions: Sequence[Expr] = [
            e if value is None else e.subs(strength, sympy.sympify(value)) for e in self.expressions
        ]
        return Potential(self.architecture.base, expressions, backend=self.backend)
