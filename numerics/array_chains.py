r"""Chains over the parameters of a density in array code: the twin of the compiled chains, on the CPU or on a GPU.

The code uses only what numpy and cupy share. Random words are those of :mod:`numerics.kernels.chain_moves`, so that
both make the same chains to rounding. All chains move at once: arrays are (n_chains, N) for phases, (n_chains, d, N)
for momenta and (n_chains, n_fields, N) for output weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.chain_tuning import Tuning, adapted_speeds
from numerics.kernels.philox import random_words
from numerics.scalar_density import ScalarDensity

Floats = NDArray[np.float64]

_ELEMENTS = {"numpy": 1 << 18, "cupy": 1 << 26}  # numbers in a temporary array: fits the cache, fills the device
_UNIT = 2.0**-32
_BOUNCES = 1000
_LOST = 1000.0  # energy; more is a divergence
_HEIGHT, _MOMENTA = 1000, 2  # tags of random words


@dataclass
class _State:
    """Parameters of all chains with their energies and slopes."""

    z: Any
    k: Any
    c: Any
    action: Any = None
    prior: Any = None
    grads: tuple[Any, Any, Any] | None = None


class ArrayChains:
    """Chains over the parameters of a density, with the face of :class:`numerics.chain_tuning.Chains`.

    Parameters
    ----------
    xp : module
        numpy or cupy.
    density : ScalarDensity
    state : sequence of arrays
        z (n_chains, n_fields n), k (n_chains, dim, n) and c (n_chains, n) on the CPU, where they are kept between runs.
    points : array (n_points, dim)
        Where fields are measured.
    seed : int
    """

    def __init__(self, xp: Any, density: ScalarDensity, state: Sequence[Floats], points: Floats, seed: int) -> None:
        self.density, self.state = density, [np.ascontiguousarray(a) for a in state]
        self.points, self.n_done = np.ascontiguousarray(points), 0
        self._xp, self._seed = xp, seed
        self._energy = ArrayEnergy(xp, density)
        self._places = xp.asarray(self.points)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return len(self.state[0])

    def run(
        self, tuning: Tuning, count: int, *, n_parts: int = 0, tables: Sequence[NDArray[np.int64]] | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Move all chains and return what they met, as :meth:`numerics.chain_tuning.Chains.run`; parts are none.

        Raises
        ------
        ValueError
            If parts are asked for: conditional moments are measured by the compiled chains.
        """
        if n_parts:
            raise ValueError("conditional moments are measured by the compiled chains: use backend='numba'")
        shape, xp = (self.n_chains, count), self._xp
        fields = xp.empty((*shape, self.density.n_fields * len(self.points)), dtype=xp.float64)
        actions, accepted = xp.empty(shape, dtype=xp.float64), xp.empty((*shape, 3), dtype=xp.float64)
        state = self._on_device()
        self._evaluate(state, tuning)
        measured = self._energy.fields(state.z, state.k, state.c, self._places)
        for t in range(count):
            state, accepted[:, t] = self._trajectory(state, tuning, self.n_done + t)
            measured = self._energy.fields(state.z, state.k, state.c, self._places)
            fields[:, t], actions[:, t] = measured.reshape(self.n_chains, -1), state.action
        self.n_done += count
        self.state = [
            _on_host(a).reshape(b.shape) for a, b in zip((state.z, state.k, state.c), self.state, strict=True)
        ]
        return _on_host(fields), _on_host(actions), _on_host(accepted), np.empty((*shape, 0))

    def speeds(self, method: str) -> tuple[float, float]:
        """Return the inverse square roots of the masses of momenta and of phases, where the chains are."""
        return adapted_speeds(self.density, self.mean_square_gradients if method == "hmc" else None)

    def mean_square_gradients(self) -> tuple[float, float]:
        """Return the mean squared slopes of the energy in momenta and in phases, over neurons and chains."""
        state, width = self._on_device(), self.density.width
        _, _, (_, slope_k, slope_c) = self._energy(state.z, state.k, state.c, is_gradient=True)
        return float((slope_k[:, :, :width] ** 2).mean()), float((slope_c[:, :width] ** 2).mean())

    def _on_device(self) -> _State:
        z, k, c = (self._xp.array(a) for a in self.state)
        return _State(z.reshape(len(z), self.density.n_fields, -1), k, c)

    def _evaluate(self, state: _State, tuning: Tuning) -> None:
        found = self._energy(state.z, state.k, state.c, is_gradient=tuning.method == "hmc")
        state.action, state.prior, state.grads = found

    def _trajectory(self, old: _State, tuning: Tuning, draw: int) -> tuple[_State, Any]:
        """Return the state after a proposal, and the acceptance, whether it was accepted, and whether it diverged."""
        xp, is_hmc = self._xp, tuning.method == "hmc"
        p = [self._normals(0, draw, old.z), self._normals(1, draw, old.c), self._momenta(draw, old.k)]
        height, time = self._heights(draw, tuning.step_size)
        before = old.action + old.prior + self._kinetic(p, old.z)
        new = _State(old.z, old.k, old.c, old.action, old.prior, old.grads)
        for _ in range(tuning.n_leaps):
            if is_hmc:
                self._kick(0.5 * time, p, new, tuning.speeds)
            self._drift(time, p, new, tuning.speeds)
            if is_hmc:
                self._evaluate(new, tuning)
                self._kick(0.5 * time, p, new, tuning.speeds)
        if not is_hmc:
            self._evaluate(new, tuning)
        change = new.action + new.prior + self._kinetic(p, new.z) - before
        is_new = height < -change  # false where the change is not a number
        probability = xp.where(change == change, xp.exp(-xp.maximum(change, 0.0)), 0.0)
        is_lost = ~(xp.abs(change) < _LOST)
        new.c = new.c - 2 * pi * xp.floor(new.c / (2 * pi) + 0.5)
        return self._chosen(is_new, new, old), xp.stack([probability, is_new * 1.0, is_lost * 1.0], axis=1)

    def _chosen(self, is_new: Any, new: _State, old: _State) -> _State:
        def pick(a: Any, b: Any) -> Any:
            return self._xp.where(is_new.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

        grads: Any = None
        if new.grads is not None and old.grads is not None:
            grads = tuple(pick(a, b) for a, b in zip(new.grads, old.grads, strict=True))
        z, k, c = pick(new.z, old.z), pick(new.k, old.k), pick(new.c, old.c)
        return _State(z, k, c, pick(new.action, old.action), pick(new.prior, old.prior), grads)

    def _kinetic(self, p: Sequence[Any], z: Any) -> Any:
        return 0.5 * sum((a**2).reshape(self.n_chains, -1).sum(axis=1) for a in (*p, z))

    def _kick(self, time: Any, p: list[Any], state: _State, speeds: tuple[float, float]) -> None:
        assert state.grads is not None
        slope_z, slope_k, slope_c = state.grads
        p[0] = p[0] - time[:, None, None] * slope_z
        p[1] = p[1] - time[:, None] * speeds[1] * slope_c
        p[2] = p[2] - time[:, None, None] * speeds[0] * slope_k

    def _drift(self, time: Any, p: list[Any], state: _State, speeds: tuple[float, float]) -> None:
        cosine, sine = (f(time)[:, None, None] for f in (self._xp.cos, self._xp.sin))
        state.z, p[0] = cosine * state.z + sine * p[0], cosine * p[0] - sine * state.z
        state.c = state.c + time[:, None] * speeds[1] * p[1]
        state.k, p[2] = fly(self._xp, state.k, p[2], time * speeds[0], self.density.radius)

    def _heights(self, draw: int, step_size: float) -> tuple[Any, Any]:
        """Return the logarithms that decide on acceptance, and the step sizes of the chains."""
        xp = self._xp
        w0, w1, _, _ = random_words(xp, (0, draw, xp.arange(self.n_chains), _HEIGHT), self._seed)
        height = xp.log((w0.astype(xp.float64) + 0.5) * _UNIT)
        return height, step_size * (0.8 + 0.4 * (w1.astype(xp.float64) + 0.5) * _UNIT)

    def _momenta(self, draw: int, like: Any) -> Any:
        parts = [self._normals(_MOMENTA + mu, draw, like[:, mu]) for mu in range(like.shape[1])]
        return self._xp.stack(parts, axis=1)

    def _normals(self, tag: int, draw: int, like: Any) -> Any:
        """Return standard normals of the shape of ``like``, whose first axis is that of the chains."""
        xp, n = self._xp, int(np.prod(like.shape[1:]))
        half = (n + 1) // 2
        counters = xp.arange(half)[None, :], draw, xp.arange(self.n_chains)[:, None], tag
        high, low, angle, _ = (w.astype(xp.float64) for w in random_words(xp, counters, self._seed))
        radius = xp.sqrt(-2.0 * xp.log((high + (low + 0.5) * _UNIT) * _UNIT))
        turned = 2 * pi * angle * _UNIT
        both = [radius * xp.cos(turned), (radius * xp.sin(turned))[:, : n - half]]
        return xp.concatenate(both, axis=1).reshape(like.shape)


class ArrayEnergy:
    """Delta S and the prior of the momenta with their slopes, of many networks at once.

    Parameters
    ----------
    xp : module
        numpy or cupy.
    density : ScalarDensity
    """

    def __init__(self, xp: Any, density: ScalarDensity) -> None:
        self._xp, self._density = xp, density
        n_lines, n_steps, n_columns = density.table.shape
        nodes = np.repeat(density.starts[:, None], n_steps, axis=1)
        nodes[:, :, 0] += density.step * np.arange(n_steps)
        table = density.table.reshape(n_lines * n_steps, n_columns)
        used = np.abs(table).sum(axis=1) > 0
        self._nodes, self._table = xp.asarray(nodes.reshape(-1, density.input_dim)[used]), xp.asarray(table[used])
        self._powers = density.powers or tuple((n,) for n in range(n_columns))

    def __call__(self, z: Any, k: Any, c: Any, *, is_gradient: bool) -> tuple[Any, Any, Any]:
        """Return Delta S (n_chains,), the prior (n_chains,), and slopes in z, k and c, None if they are not asked for.

        Parameters
        ----------
        z, k, c : arrays (n_chains, n_fields, n), (n_chains, dim, n) and (n_chains, n)
        is_gradient : bool
        """
        xp = self._xp
        u, amplitude = self._amplitudes(k)
        weights = z * amplitude[:, None]
        action = xp.zeros(len(z), dtype=xp.float64)
        sums: Any = [0.0, 0.0, 0.0]
        step = max(1, _ELEMENTS[xp.__name__] // c.size)
        for first in range(0, len(self._nodes), step):
            nodes, table = self._nodes[first : first + step], self._table[first : first + step]
            phase = self._phases(k, c, nodes)
            cosine = xp.cos(phase)
            values, forces = self._potential(table, xp.matmul(weights, cosine), is_gradient)
            action = action + values
            if is_gradient:
                self._add(sums, forces, cosine, xp.sin(phase), nodes)
        prior = self._density.exponent * (xp.log(u) * (amplitude > 0)).sum(axis=1)
        return action, prior, self._slopes(sums, z, k, u, amplitude) if is_gradient else None

    def fields(self, z: Any, k: Any, c: Any, points: Any) -> Any:
        """Return the fields at points, shape (n_chains, n_fields, n_points)."""
        _, amplitude = self._amplitudes(k)
        return self._xp.matmul(z * amplitude[:, None], self._xp.cos(self._phases(k, c, points)))

    def _amplitudes(self, k: Any) -> tuple[Any, Any]:
        """Return k^2 + m^2, and the amplitudes over sqrt(N), zero beyond the width."""
        density, xp = self._density, self._xp
        u = (k**2).sum(axis=1) + density.mass**2
        amplitude = density.constant * u**-density.power / density.width**0.5
        return u, amplitude * (xp.arange(u.shape[1]) < density.width)

    def _phases(self, k: Any, c: Any, places: Any) -> Any:
        return self._xp.matmul(self._xp.swapaxes(k, 1, 2), places.T) + c[:, :, None]

    def _potential(self, table: Any, phi: Any, is_gradient: bool) -> tuple[Any, Any]:
        """Return the sum of the polynomial over nodes (n_chains,), and its slopes in the fields, shape of ``phi``."""
        xp, total = self._xp, 0.0
        forces = [0.0] * phi.shape[1]
        for j, exponents in enumerate(self._powers):
            total = total + (self._monomial(phi, exponents) * table[:, j]).sum(axis=1)
            for a, n in enumerate(exponents if is_gradient else ()):
                if n:
                    lowered = tuple(m - (b == a) for b, m in enumerate(exponents))
                    forces[a] = forces[a] + n * self._monomial(phi, lowered) * table[:, j]
        zero = xp.zeros(phi[:, 0].shape, dtype=xp.float64)
        return total, xp.stack([f + zero for f in forces], axis=1) if is_gradient else None

    def _monomial(self, phi: Any, exponents: tuple[int, ...]) -> Any:
        product = self._xp.ones(phi[:, 0].shape, dtype=self._xp.float64)
        for a, n in enumerate(exponents):
            product = product * phi[:, a] ** n if n else product
        return product

    def _add(self, sums: list[Any], forces: Any, cosine: Any, sine: Any, nodes: Any) -> None:
        """Add sums over nodes of force times cosine, times sine, and times sine and coordinate, for each field."""
        xp = self._xp
        turned = xp.swapaxes(sine, 1, 2)
        sums[0] = sums[0] + xp.matmul(forces, xp.swapaxes(cosine, 1, 2))
        sums[1] = sums[1] + xp.matmul(forces, turned)
        far = [xp.matmul(forces * nodes[:, mu], turned) for mu in range(nodes.shape[1])]
        sums[2] = sums[2] + xp.stack(far, axis=1)

    def _slopes(self, sums: Sequence[Any], z: Any, k: Any, u: Any, amplitude: Any) -> tuple[Any, Any, Any]:
        density, weights = self._density, z * amplitude[:, None]
        cosines, sines, far = sums
        inner = density.exponent * (amplitude > 0) - density.power * (weights * cosines).sum(axis=1)
        slope_k = 2 * k / u[:, None] * inner[:, None] - (weights[:, None] * far).sum(axis=2)
        return cosines * amplitude[:, None], slope_k, -(weights * sines).sum(axis=1)


def fly(xp: Any, k: Any, p: Any, time: Any, radius: float) -> tuple[Any, Any]:
    """Return places and momenta after free flights inside a ball, reflected at its surface.

    Parameters
    ----------
    xp : module
    k, p : arrays (n_chains, dim, n)
        Places inside the ball and momenta.
    time : array (n_chains,)
    radius : float
    """
    speed2 = (p**2).sum(axis=1)
    left = time[:, None] + xp.zeros(speed2.shape, dtype=xp.float64)
    left = xp.where(speed2 > 0, left, 0.0)
    safe = xp.where(speed2 > 0, speed2, 1.0)
    for _ in range(_BOUNCES):
        along = (k * p).sum(axis=1)
        inside = xp.maximum(radius**2 - (k**2).sum(axis=1), 0.0)
        until = (xp.sqrt(along**2 + speed2 * inside) - along) / safe
        ahead = xp.minimum(left, until)
        k = k + ahead[:, None] * p
        left = left - ahead
        is_out = left > 0
        if not bool(is_out.any()):
            break
        square = xp.where(is_out, (k**2).sum(axis=1), 1.0)
        turn = xp.where(is_out, 2 * (k * p).sum(axis=1) / square, 0.0)
        p = p - turn[:, None] * k
        k = k * xp.where(is_out, xp.minimum(1.0, radius / xp.sqrt(square)), 1.0)[:, None]
    return k, p


def _on_host(array: Any) -> Floats:
    return np.asarray(array.get() if hasattr(array, "get") else array, dtype=np.float64)
