"""One request for samples of interacting networks: the pilot run, then chains or weighted networks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from numerics.backends import array_module
from numerics.chain_tuning import NETWORK_COST, Chains, Movable, Tuning, tuned
from numerics.checkpoint import Checkpoint
from numerics.interacting_samples import HIGHEST, PILOT, InteractingSamples
from numerics.parts import ConditionalFields, PlainFields, conditional_moments
from numerics.scalar_density import ScalarDensity

Floats = NDArray[np.float64]

_PREFERENCE = 0.8
_CHAIN_COSTS = ("hmc_cost", "pcn_cost")
_CHUNK = 100  # trajectories between two looks at the clock


class ChainRun:
    """One request: the pilot run, then chains or weighted networks."""

    def __init__(
        self,
        density: ScalarDensity,
        points: Floats,
        n_chains: int,
        n_draws: int,
        warmup: int,
        seed: int,
        progress: bool,
        backend: str,
    ) -> None:
        self.backend = backend
        self.density, self.points, self.seed, self.progress = density, points, seed, progress
        self.n_chains, self.n_draws, self.warmup = n_chains, n_draws, warmup
        self._measure: ConditionalFields | PlainFields = PlainFields(density, points)
        if density.n_fields == 1 and backend == "numba":
            self._measure = ConditionalFields(density, points, HIGHEST)
        self._label = str(density.ensemble.architecture)
        self._costs: dict[str, float] = {}
        self._ready: dict[str, tuple[Movable, Tuning]] = {}

    def choose(self) -> str:
        """Return the cheapest method of a pilot run."""
        _, actions, _ = self._pilot
        weights = np.exp(actions.min() - actions)
        share = float(weights.sum() ** 2 / (weights**2).sum()) / len(weights)
        if self.backend == "numba":
            self._costs["reweighting_cost"] = NETWORK_COST / share
        for method in ("hmc", "pcn"):
            tuning = self._tuned(method)[1]
            self._costs[f"{method}_cost"] = tuning.cost
        # independent networks need no trust in convergence: chains must be clearly cheaper
        best = min(self._costs, key=lambda name: self._costs[name] * (1.0 if name in _CHAIN_COSTS else _PREFERENCE))
        return best.removesuffix("_cost")

    @cached_property
    def _pilot(self) -> tuple[tuple[Floats, Floats, Floats], Floats, Floats]:
        """Parameters and interaction of independent networks, and random numbers to choose from them."""
        places, left = [], PILOT
        for block in self.density.ensemble.blocks:
            places.append((block.index, 0, min(left, block.n_nets)))
            left -= places[-1][2]
            if left == 0:
                break
        parts = [self.density.draw(place) for place in places]
        states = tuple(np.concatenate([p[i] for p in parts]) for i in range(3))
        actions = np.concatenate([self._measure(place)[1] for place in places])
        return (states[0], states[1], states[2]), actions, np.random.default_rng(self.seed).random(self.n_chains)

    def _tuned(self, method: str) -> tuple[Movable, Tuning]:
        if method not in self._ready:
            states, actions, heights = self._pilot
            cumulative = np.cumsum(np.exp(actions.min() - actions))
            chosen = np.minimum(np.searchsorted(cumulative, heights * cumulative[-1]), len(actions) - 1)
            chains = self._chains([a[chosen].copy() for a in states])
            self._ready[method] = chains, tuned(chains, method)
        return self._ready[method]

    def _chains(self, state: list[Floats]) -> Movable:
        if self.backend == "numba":
            return Chains(self.density, state, self.points, self.seed)
        from numerics.array_chains import ArrayChains

        return ArrayChains(array_module(self.backend), self.density, state, self.points, self.seed)

    def chains(self, method: str, checkpoint: str | Path | None, seconds: float) -> InteractingSamples:
        """Return the samples of chains."""
        chains, tuning = self._tuned(method)
        if self.warmup:
            chains.run(tuning, self.warmup)
        counts = [min(_CHUNK, self.n_draws - a) for a in range(0, self.n_draws, _CHUNK)]
        file = self._file(checkpoint, seconds, tuning, len(counts)) if checkpoint is not None else None
        found: list[tuple[Floats, Floats, Floats, Floats]] = []
        try:
            with tqdm(total=self.n_draws, disable=not self.progress, unit="traj") as bar:
                for i, count in enumerate(counts):
                    found.append(self._chunk(chains, tuning, count, i, file))
                    bar.update(count)
        finally:
            if file is not None:
                file.write()
        fields, actions, accepted, moments = (np.concatenate([f[j] for f in found], axis=1) for j in range(4))
        run = {"acceptance": float(accepted[..., 1].mean()), "divergences": int(accepted[..., 2].sum())}
        zero = np.zeros_like(actions)
        return InteractingSamples(
            self.points, fields, actions, moments, zero, tuning, self._label, {**self._attrs(), **run}
        )

    def _chunk(
        self, chains: Movable, tuning: Tuning, count: int, i: int, file: Checkpoint | None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        if file is not None and file.done[i]:
            return _unpacked(file.rows[i], chains, count, self._shapes(count))
        fields, actions, accepted, parts = chains.run(
            tuning, count, n_parts=self._measure.n_parts, tables=self._measure.tables
        )
        found = fields, actions, accepted, self._moments(parts)
        if file is not None:
            row = np.zeros(file.rows.shape[1])
            numbers = np.concatenate([a.ravel() for a in (*chains.state, *found)])
            row[: len(numbers)] = numbers
            file.add(i, row[None])
        return found

    def _moments(self, parts: Floats) -> Floats:
        """Return conditional moments, shape (..., n_monomials); none where no parts are measured."""
        if not self._measure.n_parts:
            return parts
        flat = conditional_moments(parts.reshape(-1, parts.shape[-1]), len(self.points), HIGHEST).T
        return np.ascontiguousarray(flat.reshape(*parts.shape[:-1], flat.shape[1]))

    def _shapes(self, count: int) -> list[tuple[int, ...]]:
        n = max(0, self._measure.n_parts - len(self.points) * (len(self.points) + 1) // 2)
        shape = (self.n_chains, count)
        return [(*shape, self.density.n_fields * len(self.points)), shape, (*shape, 3), (*shape, n)]

    def _file(self, path: str | Path, seconds: float, tuning: Tuning, n_chunks: int) -> Checkpoint:
        definition = {
            "ensemble": self._label,
            "chains": f"{tuning!r}, {self.n_chains} x {self.n_draws} after {self.warmup}, seed {self.seed}",
            "points": self.points.tolist(),
            **{k: str(v) for k, v in self._attrs().items() if k in ("stream", "versions", "quadrature_nodes")},
        }
        count = min(_CHUNK, self.n_draws)
        columns = sum(a.size for a in self._tuned(tuning.method)[0].state)
        columns += sum(int(np.prod(s)) for s in self._shapes(count))
        return Checkpoint(path, definition, (n_chunks, columns), seconds=seconds)

    def reweighted(self) -> InteractingSamples:
        """Return independent networks with their weights."""
        wanted = self.n_chains * self.n_draws
        found, left = [], wanted
        with tqdm(total=wanted, disable=not self.progress, unit="net") as bar:
            for block in self.density.ensemble.blocks:
                if left <= 0:
                    break
                count = min(left, block.n_nets)
                fields, actions, parts = self._measure((block.index, 0, count))
                found.append((fields, actions, parts))
                left -= count
                bar.update(count)
        fields, actions, parts = (np.concatenate([f[j] for f in found]) for j in range(3))
        moments = self._moments(parts)
        shape = (self.n_chains, self.n_draws)
        return InteractingSamples(
            self.points,
            fields.reshape(*shape, -1),
            actions.reshape(shape),
            moments.reshape(*shape, moments.shape[1]),
            -actions.reshape(shape),
            None,
            self._label,
            self._attrs(),
        )

    def _attrs(self) -> dict[str, Any]:
        return {
            **self.density.ensemble._attrs(),
            "backend": self.backend,
            "quadrature_nodes": int(self.density.table.shape[0] * self.density.table.shape[1]),
            "quadrature_error": self.density.quadrature_error,
            **self._costs,
        }


def _unpacked(
    row: Floats, chains: Movable, count: int, shapes: list[tuple[int, ...]]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Put chains where they were after a chunk, and return what they had met in it."""
    at, found = 0, []
    for i, shape in enumerate([*(a.shape for a in chains.state), *shapes]):
        size = int(np.prod(shape))
        part = row[at : at + size].reshape(shape).copy()
        at += size
        if i < len(chains.state):
            chains.state[i] = part
        else:
            found.append(part)
    chains.n_done += count
    return found[0], found[1], found[2], found[3]
