r"""Chains over the modes of the field itself, at infinite width: no network.

The free field at the points and at the quadrature nodes of the region is :math:`\phi = R \xi` with standard normals
:math:`\xi`, so that the theory is the density :math:`e^{-\xi^2/2 - \Delta S[R \xi]}`. The normals turn exactly under
their Gaussian; Hamiltonian Monte Carlo kicks them with :math:`R^T V'(\phi)`, and preconditioned Crank-Nicolson does
without. It goes on where the weights of :func:`numerics.field_monte_carlo` are worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.chain_tuning import Tuning, tuned
from numerics.interacting_samples import InteractingSamples
from numerics.mode_monte_carlo import _child, _quadrature_error, _Sampler, _theory
from numerics.points import as_points

Floats = NDArray[np.float64]

_LOST = 1000.0  # energy; more is a divergence


def sample_field(
    x: ArrayLike,
    *,
    mass: float = 1.0,
    cutoff: float = 8.0,
    coupling: float | Mapping[int, float] = 0.5,
    box: float | None = None,
    weight: float | None = None,
    input_dim: int = 1,
    method: str = "hmc",
    n_chains: int = 16,
    n_draws: int = 1000,
    warmup: int = 200,
    seed: int = 0,
) -> InteractingSamples:
    r"""Return chains of the field with an interaction, at infinite width and any coupling.

    Parameters
    ----------
    x, mass, cutoff, coupling, box, weight, input_dim
        As in :func:`numerics.field_monte_carlo`.
    method : {"hmc", "pcn"}
    n_chains, n_draws, warmup : int
        As in :func:`numerics.sample_interacting`.
    seed : int

    Returns
    -------
    InteractingSamples
        With plain averages only.

    Raises
    ------
    ValueError
        If a value is out of range, or as :func:`numerics.field_monte_carlo`.

    Examples
    --------
    >>> samples = sample_field([[0.0]], coupling=20, cutoff=5, box=4, n_chains=8, n_draws=600, seed=2)
    >>> found = samples.correlators(max_points=2)
    >>> bool(abs(found.values(2)[0] - 0.224) < 5 * found.errors(2)[0])
    True
    """
    if method not in ("hmc", "pcn"):
        raise ValueError(f"no method {method!r}; choose 'hmc' or 'pcn', or field_monte_carlo for weighted fields")
    for name, value, low in (("n_chains", n_chains, 4), ("n_draws", n_draws, 20), ("warmup", warmup, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ValueError(f"{name} must be an integer >= {low}, got {value!r}")
    net = _theory(mass, cutoff, coupling, box, weight, input_dim)
    points = as_points(x, input_dim)
    sampler = _Sampler(net, points)
    (term,) = net.interaction.local
    chains = FieldChains(sampler, dict(term.couplings), n_chains, seed)
    tuning = tuned(chains, method)
    if warmup:
        chains.run(tuning, warmup)
    fields, actions, accepted, moments = chains.run(tuning, n_draws)
    attrs = {
        "seed": str(seed),
        "n_modes": sampler.rank,
        "quadrature_nodes": len(sampler.weights),
        "quadrature_error": _quadrature_error(net, sampler, seed),
        "acceptance": float(accepted[..., 1].mean()),
        "divergences": int(accepted[..., 2].sum()),
    }
    label = f"modes below {float(cutoff):g} in {input_dim} dimension(s) with {net.interaction}"
    return InteractingSamples(points, fields, actions, moments, np.zeros_like(actions), tuning, label, attrs)


class FieldChains:
    """Chains over standard normals of the field, with the face of :class:`numerics.chain_tuning.Chains`."""

    def __init__(self, sampler: _Sampler, couplings: Mapping[int, Any], n_chains: int, seed: int) -> None:
        self._root, self._n_points, self._seed = sampler.root, sampler.n_points, seed
        powers = np.zeros(max(couplings) + 1)
        for n, g in couplings.items():
            powers[n] = float(g) / factorial(n)
        self._polynomial, self._weights = np.polynomial.Polynomial(powers), sampler.weights
        self._slope = self._polynomial.deriv()
        self.n_done = 0
        self.state = [np.random.default_rng(_child(seed, 0)).standard_normal((n_chains, sampler.rank))]

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return len(self.state[0])

    def speeds(self, method: str) -> tuple[float, float]:
        """Return one for both: there are no momenta and no phases."""
        return 1.0, 1.0

    def run(
        self, tuning: Tuning, count: int, *, n_parts: int = 0, tables: Sequence[NDArray[np.int64]] | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Move all chains and return what they met, as :meth:`numerics.chain_tuning.Chains.run`; parts are none."""
        shape = (self.n_chains, count)
        fields, actions, accepted = np.empty((*shape, self._n_points)), np.empty(shape), np.empty((*shape, 3))
        z, is_hmc = self.state[0], tuning.method == "hmc"
        phi, action, slope = self._evaluated(z, is_hmc)
        for t in range(count):
            rng = np.random.default_rng(_child(self._seed, 1 + self.n_done + t))
            p, new, here = rng.standard_normal(z.shape), z, (phi, action, slope)
            height, time = np.log(rng.random(self.n_chains)), tuning.step_size * rng.uniform(0.8, 1.2, self.n_chains)
            before = action + ((p**2).sum(axis=1) + (z**2).sum(axis=1)) / 2
            cosine, sine, half = np.cos(time)[:, None], np.sin(time)[:, None], time[:, None] / 2
            for _ in range(tuning.n_leaps):
                p = p - half * here[2]
                new, p = cosine * new + sine * p, cosine * p - sine * new
                here = self._evaluated(new, is_hmc)
                p = p - half * here[2]
            change = here[1] + ((p**2).sum(axis=1) + (new**2).sum(axis=1)) / 2 - before
            is_new = height < -change
            z = np.where(is_new[:, None], new, z)
            phi, slope = np.where(is_new[:, None], here[0], phi), np.where(is_new[:, None], here[2], slope)
            action = np.where(is_new, here[1], action)
            fields[:, t], actions[:, t] = phi, action
            accepted[:, t] = np.stack([np.exp(-np.maximum(change, 0.0)), is_new, ~(np.abs(change) < _LOST)], axis=1)
        self.n_done += count
        self.state = [z]
        return fields, actions, np.nan_to_num(accepted), np.empty((*shape, 0))

    def _evaluated(self, z: Floats, is_gradient: bool) -> tuple[Floats, Floats, Floats]:
        """Return the field at the points, Delta S, and its slopes (zero if they are not asked for)."""
        phi = z @ self._root.T
        inside = phi[:, self._n_points :]
        action = self._polynomial(inside) @ self._weights
        slope = np.zeros_like(z)
        if is_gradient:
            slope = (self._slope(inside) * self._weights) @ self._root[self._n_points :]
        return phi[:, : self._n_points], np.asarray(action), slope
