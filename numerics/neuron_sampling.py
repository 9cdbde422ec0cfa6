"""Features of single neurons at points of a randomised quasi-random sequence, in antithetic pairs, or tilted.

Every scheme makes R independent replicates; errors come from their spread. A replicate is one block of the jackknife.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from diagrams.architectures import Architecture
from numerics.estimators import BlockSums, monomial_sums, n_monomials
from numerics.kernels import NEURONS
from numerics.kernels.features import FeatureNeuron, array_function, drawn
from numerics.model import NetworkModel

Floats = NDArray[np.float64]
Raw = tuple[Floats, Floats, Floats | None]  # normals, uniform numbers, weights
Stream = Callable[[int], Raw]

REPLICATES = {"sobol": 16, "antithetic": 64, "importance": 64}
SAMPLINGS = ("random", "sobol", "antithetic", "importance")
_CHUNK = 1 << 14  # neurons evaluated at once
_MIDDLE = 2.0**-31  # half a step of the Sobol sequence, which keeps away from 0 and 1


@dataclass(frozen=True)
class HiddenNumbers:
    """The raw numbers behind the hidden parameters of one neuron that matter at some points.

    Parameters
    ----------
    model : NetworkModel
        Of single neurons with output weight one.
    neuron : FeatureNeuron
        Of the model.
    points : array (n_points, input_dim)
        Rotated where the net allows, so that as few coordinates as possible are in use.
    normals, uniforms : tuple of int
        Which of the raw normals and uniform numbers the features depend on.
    """

    model: NetworkModel
    neuron: FeatureNeuron
    points: Floats
    normals: tuple[int, ...]
    uniforms: tuple[int, ...]

    @classmethod
    def of(cls, architecture: Architecture, model: NetworkModel, points: Floats) -> HiddenNumbers:
        """Return the numbers that matter at the points."""
        if _is_isotropic(architecture):
            points = _in_few_coordinates(points)
        neuron = model.neuron
        assert isinstance(neuron, FeatureNeuron)  # weights of value one are not those of the argument kernels
        zero = {c: 0 for c, column in zip(neuron.coordinates, points.T, strict=True) if not column.any()}
        needed = neuron.expression.subs(zero).free_symbols
        normals: list[int] = []
        uniforms: list[int] = []
        normal = uniform = 0
        for draw in neuron.draws:
            if set(draw.symbols) & needed:
                normals += range(normal, normal + draw.n_normals)
                uniforms += range(uniform, uniform + draw.n_uniforms)
            normal, uniform = normal + draw.n_normals, uniform + draw.n_uniforms
        return cls(model, neuron, points, tuple(normals), tuple(uniforms))

    @property
    def dim(self) -> int:
        """Dimension of the integral over a neuron."""
        return len(self.normals) + len(self.uniforms)

    def features(self, normals: Floats, uniforms: Floats) -> Floats:
        """Return the feature at the points, shape (n, n_points), from the numbers that matter."""
        neuron, dim = self.neuron, self.model.input_dim
        raw = np.zeros((len(normals), 1, max(1, neuron.n_normals(dim))))
        phases = np.full((len(normals), 1, max(1, neuron.n_uniforms)), 0.5)
        raw[:, 0, self.normals], phases[:, 0, self.uniforms] = normals, uniforms
        hidden = drawn(np, neuron, raw, phases, self.model.constants, self.model.tables)[neuron.n_outputs :]
        places = [self.points[:, mu] for mu in range(dim)]
        values = array_function(neuron, "float64")(np, hidden, places)
        return np.ascontiguousarray(np.broadcast_to(values, (len(normals), len(self.points))))


def _is_isotropic(architecture: Architecture) -> bool:
    """Return True for the nets whose features depend on w.x and |x| alone, with isotropic Gaussian w."""
    from numerics.model import _standard_laws

    return architecture.feature.name in NEURONS and _standard_laws(architecture.feature) is not None


def _in_few_coordinates(points: Floats) -> Floats:
    """Return the points rotated so that all coordinates but the first few vanish."""
    left, sizes, _ = np.linalg.svd(points, full_matrices=False)
    rank = int((sizes > 1e-13 * max(sizes.max(initial=0.0), 1e-300)).sum())
    rotated = np.zeros_like(points)
    rotated[:, :rank] = left[:, :rank] * sizes[:rank]
    return rotated


def sampled_sums(
    numbers: HiddenNumbers,
    max_points: int,
    n_neurons: int,
    seed: int,
    sampling: str,
    progress: bool,
    *,
    is_compiled: bool = False,
) -> BlockSums:
    """Return the sums of products of features over replicates of a sampling scheme.

    Parameters
    ----------
    numbers : HiddenNumbers
    max_points : int
        Highest degree.
    n_neurons : int
        At most so many neurons in all; Sobol replicates hold a power of two.
    seed : int
    sampling : {"sobol", "antithetic", "importance"}
    progress : bool
    is_compiled : bool
        Make the sums by compiled code; neurons are evaluated by array code.

    Raises
    ------
    ValueError
        If there are too few neurons, or the scheme means nothing for the net.
    """
    from tqdm import tqdm

    replicates = REPLICATES[sampling]
    if n_neurons < 16 * replicates:
        raise ValueError(
            f"sampling={sampling!r} makes {replicates} replicates of 16 neurons or more: n_nets must be at least "
            f"{16 * replicates}, got {n_neurons}"
        )
    if numbers.dim == 0:
        raise ValueError("the features do not depend on random parameters at these points: there is nothing to sample")
    size = n_neurons // replicates
    size = 1 << (size.bit_length() - 1) if sampling == "sobol" else size - size % 2
    scheme: Any = {"sobol": _Sobol, "antithetic": _Antithetic, "importance": _Importance}[sampling](numbers)
    sums = np.zeros((replicates, n_monomials(len(numbers.points), max_points)))
    sums_of: Callable[..., Floats] = partial(monomial_sums, np)
    if is_compiled:
        from numerics.kernels.given import compiled_monomials as sums_of
    streams = [scheme.stream(child, max_points) for child in np.random.SeedSequence(seed).spawn(replicates)]
    together = max(1, _CHUNK // size)  # short replicates share a call
    with tqdm(total=size * replicates, disable=not progress, unit="neuron", unit_scale=True) as bar:
        for begin in range(0, replicates, together):
            rows, some = sums[begin : begin + together], streams[begin : begin + together]
            for first in range(0, size, _CHUNK):
                count = min(_CHUNK, size - first)
                normals, uniforms, weights = zip(*(stream(count) for stream in some), strict=True)
                features = numbers.features(np.concatenate(normals), np.concatenate(uniforms))
                for row, part, w in zip(rows, np.split(features, len(some)), weights, strict=True):
                    row += sums_of(part, max_points, w)
                bar.update(count * len(some))
    if not np.isfinite(sums).all():
        raise FloatingPointError("sums are not finite: points or parameters are too large")
    return BlockSums(len(numbers.points), max_points, np.full(replicates, size), sums, np.zeros(len(numbers.points)))


class _Sobol:
    """Scrambled Sobol sequences (Owen scrambling), one for each replicate."""

    def __init__(self, numbers: HiddenNumbers) -> None:
        self.numbers = numbers

    def stream(self, seed: np.random.SeedSequence, max_points: int) -> Stream:
        sequence = qmc.Sobol(self.numbers.dim, scramble=True, seed=int(seed.generate_state(1)[0]))
        cut = len(self.numbers.normals)

        def take(count: int) -> Raw:
            u = sequence.random(count) + _MIDDLE
            return ndtri(u[:, :cut]), u[:, cut:], None

        return take


class _Antithetic:
    """Each neuron together with the one of opposite raw numbers."""

    def __init__(self, numbers: HiddenNumbers) -> None:
        self.numbers = numbers
        rng = np.random.default_rng(0)
        normals, uniforms = rng.normal(size=(64, len(numbers.normals))), rng.random((64, len(numbers.uniforms)))
        there, back = numbers.features(normals, uniforms), numbers.features(-normals, 1 - uniforms)
        if np.allclose(there, back, rtol=1e-9, atol=1e-12) or np.allclose(there, -back, rtol=1e-9, atol=1e-12):
            raise ValueError(
                "antithetic neurons have the same feature up to a sign here: they would change nothing in even "
                "correlators; use sampling='sobol' or 'random'"
            )

    def stream(self, seed: np.random.SeedSequence, max_points: int) -> Stream:
        rng, numbers = np.random.default_rng(seed), self.numbers

        def take(count: int) -> Raw:
            normals = rng.normal(size=(count // 2, len(numbers.normals)))
            uniforms = rng.random((count // 2, len(numbers.uniforms)))
            return np.concatenate([normals, -normals]), np.concatenate([uniforms, 1 - uniforms]), None

        return take


class _Importance:
    r"""Features that are exponentials, such as those of the Gauss-net, with their parameters shifted.

    The product of k features behaves as :math:`e^{k v \cdot g}` in the raw normals g, so that moments of degree k live
    about k v. Neurons are drawn from the mixture of normals about 0, v, ..., n v, with exact weights.
    """

    def __init__(self, numbers: HiddenNumbers) -> None:
        self.numbers = numbers
        step, n = 1e-4, len(numbers.normals)
        moved = np.concatenate([np.zeros((1, n)), step * np.eye(n), -step * np.eye(n)])
        uniforms = np.full((len(moved), len(numbers.uniforms)), 0.5)
        values = numbers.features(moved, uniforms)
        rng = np.random.default_rng(0)
        some = numbers.features(rng.normal(size=(256, n)), rng.random((256, len(numbers.uniforms))))
        if n == 0 or not ((values > 0).all() and (some > 0).all()):
            raise ValueError(
                "sampling='importance' shifts Gaussian parameters along the logarithm of the feature, which must be "
                "positive (the Gauss-net); use sampling='sobol' for bounded features"
            )
        logs = np.log(values)
        self.shift = ((logs[1 : n + 1] - logs[n + 1 :]) / (2 * step)).mean(axis=1)

    def stream(self, seed: np.random.SeedSequence, max_points: int) -> Stream:
        rng, numbers, shift = np.random.default_rng(seed), self.numbers, self.shift
        centres = np.arange(max_points + 1)

        def take(count: int) -> Raw:
            normals = rng.normal(size=(count, len(numbers.normals)))
            uniforms = rng.random((count, len(numbers.uniforms)))
            normals += rng.choice(centres, count)[:, None] * shift
            # density of the mixture over that of the net: mean of exp(k v.g - k^2 v^2 / 2)
            logs = centres * (normals @ shift)[:, None] - 0.5 * centres**2 * (shift @ shift)
            top = logs.max(axis=1)
            return normals, uniforms, np.exp(-top) / np.exp(logs - top[:, None]).mean(axis=1)

        return take
