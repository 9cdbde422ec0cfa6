"""Networks that are not all drawn from one density of independent neurons: mixtures, and sums of several networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.distributions import Constant, Gaussian
from diagrams.mixtures import Mixture
from diagrams.nonidentical import IndependentSum
from numerics.backends import array_module
from numerics.forward import network_outputs
from numerics.model import DRAWN_BY_NUMBERS, NetworkModel, model_of, spline_of
from numerics.sources import Networks, Outputs

Floats = NDArray[np.float64]

_SHARED_STREAM = 1  # spawn key of the generators of shared values
_PARTS_STREAM = 2


@dataclass(frozen=True, eq=False)
class MixedNetworks:
    """Networks whose shared parameters are drawn for each network; the rest is as in :class:`Networks`.

    The shared values of a block come from a generator seeded by the seed and the number of the block. The compiled
    kernels (:mod:`numerics.kernels.mixed` and :mod:`numerics.kernels.cuda_mixed`) take them as numbers of each network,
    widths included; array code evaluates a random width once for each of its values.

    Parameters
    ----------
    mixture : Mixture
        With numbers for all other parameters.
    seed : int
    backend : {"numba", "numpy", "cupy"}
    dtype : str

    Raises
    ------
    ValueError
        If another parameter has no number, or a random width is not a positive integer.
    NotImplementedError
        If a distribution is known by its moments only, or splines for densities depend on what is random (for the
        compiled kernel, on the width too).
    """

    mixture: Mixture
    seed: int
    backend: str
    dtype: str

    def __post_init__(self) -> None:
        free = self.mixture.base._symbols()
        if missing := [name for name in free if name not in self.mixture.shared]:
            given = ", ".join(f"{name}=..." for name in missing)
            raise ValueError(f"parameter(s) {missing} of {self.mixture} have no numbers: use .at({given})")
        if wrong := [n for n in self._widths if not (n.is_Integer and n > 0)]:
            raise ValueError(f"a random width takes positive integers as values, got {wrong[0]} in {self.mixture}")
        self._model(self.shared_values(0, 0, 1))  # distributions that cannot be drawn are found here

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return int(self.mixture.output_dim)

    def shared_values(self, block: int, start: int, count: int) -> dict[str, Floats]:
        """Return the shared parameters of networks, arrays (count,)."""
        key = (_SHARED_STREAM, block)
        streams = np.random.SeedSequence(self.seed, spawn_key=key).spawn(len(self.mixture.laws))
        return {
            name: _draws(law, np.random.default_rng(stream), start + count)[start:]
            for (name, law), stream in zip(self.mixture.laws, streams, strict=True)
        }

    def outputs(self, points: Floats) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""
        if self.is_compiled:
            outputs: Outputs = self.kernel(points, 1).outputs
            return outputs
        xp = array_module(self.backend)

        def evaluate(block: int, start: int, count: int) -> Any:
            place: dict[str, Any] = {
                "block": block,
                "start": start,
                "count": count,
                "seed": self.seed,
                "dtype": self.dtype,
            }
            shared = self.shared_values(block, start, count)
            widths = shared.pop("N", None)
            if widths is None:
                return network_outputs(xp, self._model(shared), points, **place)
            result = xp.zeros((count, self.n_outputs * len(points)), dtype=self.dtype)
            for width in np.unique(widths):
                part = network_outputs(xp, self._model({**shared, "N": width}), points, **place)
                result = xp.where(xp.asarray(widths == width)[:, None], part, result)
            return result

        return evaluate

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`."""
        return self.backend == "numba" or (self.backend == "cupy" and not _has_splines_by_width(self.mixture))

    def kernel(self, points: Floats, max_points: int) -> Any:
        """Return the compiled kernel of the backend for sums of monomials at the points."""
        kernels: Any
        if self.backend == "numba":
            from numerics.kernels import mixed as kernels
        else:
            from numerics.kernels import cuda_mixed as kernels
        return kernels.MixedKernel(
            self.shared_values, self._model, points, max_points=max_points, seed=self.seed, dtype=self.dtype,
            usual_width=int(max(self._widths)) if self._widths else None,
        )  # fmt: skip

    @property
    def _widths(self) -> tuple[Any, ...]:
        """The values of a random width."""
        law: Any = self.mixture.shared.get("N")  # Discrete
        return () if law is None else tuple(law.values)

    def _model(self, shared: dict[str, Any]) -> NetworkModel:
        base, symbols = self.mixture.base, self.mixture.base._symbols()
        if "N" in shared and not self.is_compiled:
            base = base.at(N=int(np.ravel(shared["N"])[0]))
            shared = {name: values for name, values in shared.items() if name != "N"}
        return model_of(base, {symbols[name]: values for name, values in shared.items()})


def _draws(law: Any, rng: np.random.Generator, size: int) -> Floats:
    """Return draws one after the other: the first ones do not depend on the number of them."""
    if hasattr(law, "sample"):
        return np.asarray(law.sample(rng, size), dtype=np.float64)
    if isinstance(law, Gaussian):
        return float(law.mean) + float(sympy.sqrt(law.variance)) * rng.standard_normal(size)
    if isinstance(law, Constant):
        return np.full(size, float(law.value))
    if hasattr(law, "density") and hasattr(law, "support"):
        return np.asarray(spline_of(law)(np, rng.standard_normal(size)))
    raise NotImplementedError(
        f"{law} is known by its moments only and cannot be drawn; give a density, such as Discrete"
    )


@dataclass(frozen=True, eq=False)
class SumOfNetworks:
    """Sums of independent networks of several architectures.

    For ``backend="numba"`` the parts are compiled, and added a few groups of networks at a time
    (:mod:`numerics.kernels.given`).

    Parameters
    ----------
    parts : tuple of Networks
        With a seed of its own for each.
    """

    parts: tuple[Networks, ...]

    @classmethod
    def of(cls, total: IndependentSum, *, seed: int, backend: str, dtype: str) -> SumOfNetworks:
        """Return the networks of a sum.

        Raises
        ------
        ValueError
            If a parameter has no number.
        """
        streams = np.random.SeedSequence(seed, spawn_key=(_PARTS_STREAM,)).spawn(len(total.parts))
        seeds = [int(stream.generate_state(1, np.uint64)[0]) for stream in streams]
        parts: Sequence[Architecture] = total.parts
        return cls(tuple(Networks(NetworkModel.of(p), s, backend, dtype) for p, s in zip(parts, seeds, strict=True)))

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return self.parts[0].n_outputs

    @property
    def backend(self) -> str:
        """The backend that evaluates the parts."""
        return self.parts[0].backend

    @property
    def dtype(self) -> str:
        """Precision of the evaluation."""
        return self.parts[0].dtype

    @property
    def is_compiled(self) -> bool:
        """Whether sums of blocks are those of :meth:`kernel`."""
        return self.backend == "numba"

    def kernel(self, points: Floats, max_points: int) -> Any:
        """Return the compiled kernel for sums of monomials at the points."""
        from numerics.kernels.given import SumKernel

        parts = [part.kernel(points, 1) for part in self.parts]
        return SumKernel(parts, self.n_outputs * len(points), max_points, self.dtype)

    def outputs(self, points: Floats) -> Outputs:
        """Return a function of (block, start, count) that returns outputs, shape (count, n_outputs * n_points)."""
        if self.is_compiled:
            outputs: Outputs = self.kernel(points, 1).outputs
            return outputs
        functions = [part.outputs(points) for part in self.parts]

        def evaluate(block: int, start: int, count: int) -> Any:
            first, *others = (function(block, start, count) for function in functions)
            return sum(others, start=first)

        return evaluate


def is_mixed(architecture: Any) -> bool:
    """Return whether an object is a mixture or a sum of independent networks."""
    return isinstance(architecture, (Mixture, IndependentSum))


def mixed_source(
    architecture: Mixture | IndependentSum, *, seed: int, backend: str, dtype: str
) -> MixedNetworks | SumOfNetworks:
    """Return where the networks of a mixture or of a sum come from.

    Array code has to do where a random width changes a density that is drawn by a spline.
    """
    if isinstance(architecture, Mixture):
        is_array_code = backend == "numba" and _has_splines_by_width(architecture)
        return MixedNetworks(architecture, seed, "numpy" if is_array_code else backend, dtype)
    return SumOfNetworks.of(architecture, seed=seed, backend=backend, dtype=dtype)


def _has_splines_by_width(mixture: Mixture) -> bool:
    if "N" not in mixture.shared:
        return False
    base = mixture.base
    laws = [base.readout, *(law for _, law in base.feature.distributions)]  # the readout is that of sqrt(N) W1
    return any(law.free_symbols & base.width.free_symbols and not isinstance(law, DRAWN_BY_NUMBERS) for law in laws)
