"""Tuning of Markov chains: masses, step size and number of leapfrog steps, by short runs of all chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, log, pi, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import philox
from numerics.scalar_density import ScalarDensity

Floats = NDArray[np.float64]

LEAPS = (1, 2, 4, 8)
NETWORK_COST = 0.9  # of random numbers and Delta S of a network, in evaluations of Delta S with its gradient
_RANDOM_COST = 0.4  # of the random numbers alone
TARGETS = {"hmc": 0.8, "pcn": 0.35}  # acceptance
_ROUND = 20  # trajectories between two changes of the step size
_ROUNDS = 8
_JUDGED = 60  # trajectories from which the number of steps is judged
_LONGEST = pi / 2  # a quarter of a turn of the free output weights: longer is never better
_NO_TABLES = np.zeros((0, 3), dtype=np.int64)


@dataclass(frozen=True)
class Tuning:
    """How chains move.

    Parameters
    ----------
    method : {"hmc", "pcn"}
    step_size : float
        Of one leapfrog step, in units in which an output weight of the free net turns once in 2 pi.
    n_leaps : int
        Leapfrog steps of one trajectory.
    speeds : tuple of float
        Of momenta and of phases, inverse square roots of their masses.
    acceptance : float
        Average probability to accept a trajectory.
    independence : float
        Estimated effective samples per trajectory of the slowest quantity.
    """

    method: str
    step_size: float
    n_leaps: int
    speeds: tuple[float, float]
    acceptance: float = float("nan")
    independence: float = float("nan")

    @property
    def cost(self) -> float:
        """Cost of an effective sample, in evaluations of Delta S with its gradient."""
        work = self.n_leaps + _RANDOM_COST if self.method == "hmc" else NETWORK_COST
        return work / self.independence


class Chains:
    """Chains over the parameters of a density, moved by :meth:`run`.

    Parameters
    ----------
    density : ScalarDensity
    state : tuple of arrays
        z (n_chains, n_fields n), k (n_chains, dim, n) and c (n_chains, n); taken over and changed.
    points : array (n_points, dim)
        Where fields are measured.
    seed : int
    """

    def __init__(self, density: ScalarDensity, state: Sequence[Floats], points: Floats, seed: int) -> None:
        self.density, self.state = density, [np.ascontiguousarray(a) for a in state]
        self.points, self._key = np.ascontiguousarray(points), [np.uint64(w) for w in philox.key_words(seed)]
        self.n_done = 0

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return len(self.state[0])

    def run(
        self, tuning: Tuning, count: int, *, n_parts: int = 0, tables: Sequence[NDArray[np.int64]] | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Move all chains and return what they met.

        Returns
        -------
        fields : array (n_chains, count, n_fields n_points)
        actions : array (n_chains, count)
            Delta S.
        accepted : array (n_chains, count, 3)
            Probability to accept, whether it was, and whether the energy was lost by more than 1000.
        parts : array (n_chains, count, n_parts)
        """
        shape = (self.n_chains, count)
        fields, actions = np.empty((*shape, self.density.n_fields * len(self.points))), np.empty(shape)
        accepted, parts = np.empty((*shape, 3)), np.empty((*shape, n_parts))
        factors, products = tables or (_NO_TABLES, _NO_TABLES)
        self.density.kernels.run_chains(
            self.n_done, count, *self.state, *self.density.grid, tuning.step_size, tuning.n_leaps,
            np.array(tuning.speeds), self.density.radius, tuning.method == "hmc", *self._key, self.points,
            fields, actions, accepted, parts, factors, products,
        )  # fmt: skip
        self.n_done += count
        return fields, actions, accepted, parts

    def speeds(self, method: str) -> tuple[float, float]:
        """Return the inverse square roots of the masses of momenta and of phases, where the chains are."""
        return adapted_speeds(self.density, self.mean_square_gradients if method == "hmc" else None)

    def mean_square_gradients(self) -> tuple[float, float]:
        """Return the mean squared slopes of the energy in momenta and in phases, over neurons and chains."""
        z, k, c = self.state
        grad = np.empty_like(z[0]), np.empty_like(k[0]), np.empty_like(c[0])
        width, squares = self.density.width, np.zeros(2)
        for chain in range(self.n_chains):
            self.density.kernels.energy_and_gradient(z[chain], k[chain], c[chain], *self.density.grid, *grad)
            squares += (grad[1][:, :width] ** 2).mean(), (grad[2][:width] ** 2).mean()
        return float(squares[0]) / self.n_chains, float(squares[1]) / self.n_chains


class Movable(Protocol):
    """Chains, compiled or in array code."""

    state: list[Floats]
    n_done: int

    @property
    def n_chains(self) -> int:
        """Number of chains."""

    def run(
        self, tuning: Tuning, count: int, *, n_parts: int = 0, tables: Sequence[NDArray[np.int64]] | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Move all chains and return what they met, see :meth:`Chains.run`."""

    def speeds(self, method: str) -> tuple[float, float]:
        """Return the inverse square roots of the masses of momenta and of phases."""


def tuned(chains: Movable, method: str) -> Tuning:
    """Return masses, step size and number of steps that make effective samples cheapest; the chains warm up by it.

    Masses are the average squared gradients, plus the inverse variances of the free density, plus the square of the
    distance in the region by which a phase turns with its momentum (one for the phases themselves). The step size
    follows the acceptance; the number of steps is the one of :data:`LEAPS` with the most effective samples of the
    slowest of Delta S, the fields and their squares for each gradient.
    """
    best: Tuning | None = None
    step = 0.5
    for n_leaps in LEAPS if method == "hmc" else (1,):
        tuning = Tuning(method, step, n_leaps, chains.speeds(method))
        tuning = _with_step_size(chains, tuning)
        fields, actions, accepted, _ = chains.run(tuning, _JUDGED)
        independence = _independence(slow_quantities(fields, actions))
        tuning = replace(tuning, acceptance=float(accepted[..., 0].mean()), independence=independence)
        if best is None or tuning.cost < best.cost:
            best = tuning
        elif tuning.cost > 1.5 * best.cost:
            break
        step = tuning.step_size
    assert best is not None
    return best


def slow_quantities(fields: Floats, actions: Floats) -> Floats:
    """Return Delta S, the fields and their squares, shape (n_chains, n_draws, 1 + 2 n_points)."""
    return np.concatenate([actions[..., None], fields, fields**2], axis=2)


def _independence(values: Floats) -> float:
    """Return effective samples per draw from the correlation of neighbours, of the slowest quantity."""
    x = values - values.mean(axis=(0, 1))
    variance = np.maximum((x**2).mean(axis=(0, 1)), np.finfo(float).tiny)
    rho = (x[:, 1:] * x[:, :-1]).mean(axis=(0, 1)) / variance
    rho = np.clip(rho, 0.0, 0.999)
    return float(((1 - rho) / (1 + rho)).min())


def adapted_speeds(density: ScalarDensity, gradients: Callable[[], tuple[float, float]] | None) -> tuple[float, float]:
    """Return the inverse square roots of the masses of momenta and of phases.

    Parameters
    ----------
    density : ScalarDensity
    gradients : callable, optional
        Mean squared slopes of the energy in momenta and in phases; default: masses of the free density.
    """
    free = density.radius / sqrt(density.input_dim + 2), pi / sqrt(3)
    if gradients is None:
        return free
    k_mass, c_mass = (1 / v**2 + s for v, s in zip(free, gradients(), strict=True))
    # a step that turns the phases of all neurons by a radian leaves nothing of the field, small as each gradient is
    return 1 / sqrt(k_mass + density.mean_square_distance), 1 / sqrt(c_mass + 1)


def _with_step_size(chains: Movable, tuning: Tuning) -> Tuning:
    target = TARGETS[tuning.method]
    longest = _LONGEST / tuning.n_leaps
    for i in range(_ROUNDS):
        accepted = chains.run(tuning, _ROUND)[2][..., 0]
        change = 2.0 * (float(accepted.mean()) - target) / sqrt(1 + i / 2)
        step = min(exp(log(tuning.step_size) + change), longest)
        tuning = replace(tuning, step_size=step, speeds=chains.speeds(tuning.method))
    return tuning
