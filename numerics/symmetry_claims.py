"""What arXiv:2106.00694 says about training and broken symmetry, as claims with measured verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics.fashion_grid import AccuracyGrid
from numerics.layered_nets import LayeredNet
from numerics.training import train_ensemble

MAX_PULL = 5.0


@dataclass(frozen=True)
class Claim:
    """A statement, whether the measurement bears it out, and the measurement in words."""

    name: str
    statement: str
    holds: bool
    evidence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", bool(self.holds))  # plain, for JSON

    def __str__(self) -> str:
        return f"{self.name:<3} {'holds' if self.holds else 'FAILS':<6} {self.statement}: {self.evidence}"


def invariance_pull(loss: Any, *, n_nets: int = 2000, steps: int = 30, seed: int = 1) -> float:
    """Return the largest pull against rotation invariance of the outputs of small trained networks.

    Invariance under O(3) wants ``E f_i = 0``, ``E f_i f_j = 0`` for different outputs, and equal ``E f_i^2``.

    Parameters
    ----------
    loss : str or callable
        As for :func:`numerics.training.train_ensemble`; targets are the first unit vector.
    n_nets, steps, seed : int
    """
    x = np.random.default_rng(5).normal(size=(8, 2))
    targets = np.tile([1.0, 0.0, 0.0], (8, 1))
    run = train_ensemble(
        LayeredNet((2, 20, 3), "tanh"), x, targets, n_nets=n_nets, steps=steps, seed=seed, loss=loss,
        learning_rate=0.05, points=x[:2], record=(steps,), keep_parameters=False, chunk=500,
    )  # fmt: skip
    f = run.dataset["outputs"].values[0]
    a, b = f[:, :, 0], f[:, :, 1]
    mixed = [a[:, i] * b[:, j] for i in range(3) for j in range(3) if i != j]
    equal = [a[:, i] ** 2 - a[:, i - 1] ** 2 for i in range(3)]
    samples = np.stack([*a.T, *b.T, *mixed, *equal])
    pulls = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / np.sqrt(n_nets))
    return float(np.abs(pulls).max())


def invariant_loss(f: Any, y: Any) -> Any:
    """Return the mean of ``(sqrt(|f|^2 + 1/100) - 1)^2``: rotations of the outputs do not change it; no targets."""
    import jax.numpy as jnp

    return jnp.mean((jnp.sqrt(jnp.sum(f**2, axis=1) + 0.01) - 1) ** 2)


def kurtosis_pulls(widths: tuple[int, ...] = (10, 50, 250), *, n_nets: int = 20_000, seed: int = 1) -> dict[int, Any]:
    r"""Return, for each width, the measured excess kurtosis of a ReLU network at a point, its error and exact value.

    For ``f = W_1 relu(W_0 x)`` without biases it is :math:`15/N`, which vanishes with the width: a Gaussian process.
    """
    found = {}
    for i, n in enumerate(widths):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
        hidden = np.maximum(rng.standard_normal((n_nets, n)), 0)
        f = np.einsum("an,an->a", rng.standard_normal((n_nets, n)), hidden) * np.sqrt(2 / n)
        values = f**4 - 6 * f**2 + 3  # E = kurtosis, as E f^2 = 1 exactly
        found[n] = (float(values.mean()), float(values.std(ddof=1) / np.sqrt(n_nets)), 15 / n)
    return found


def training_claims(grid: AccuracyGrid) -> list[Claim]:
    """Return the claims C4 to C6 with verdicts.

    Parameters
    ----------
    grid : AccuracyGrid
        For the claims about accuracy.
    """
    d = grid.differences()
    kept, lost = invariance_pull(invariant_loss), invariance_pull("mse")
    claims = [
        Claim("C4", "training keeps invariance for invariant losses only", kept < MAX_PULL and lost > 10,
              f"largest pull {kept:.1f} with an invariant loss, {lost:.0f} with fixed labels"),
        _falls("one-hot accuracy falls with mu", d["one_hot_mean"]),
        _falls("one-hot accuracy falls with k", d["one_hot_shifted"]),
    ]  # fmt: skip
    if "one_cold_small" in d:
        change, error = d["one_cold_small"]
        claims.append(Claim("C5", "one-cold accuracy at small mu is unharmed", change / error > -3,
                            f"worst change {100 * change:+.2f} +- {100 * error:.2f} % for mu <= 0.04"))  # fmt: skip
    claims.append(_falls("one-cold accuracy falls where mu is beyond the mean of the labels", d["one_cold_mean"]))
    kurtoses = kurtosis_pulls()
    worst = max(abs(v - exact) / e for v, e, exact in kurtoses.values())
    shown = ", ".join(f"{v:.3f} at N = {n}" for n, (v, _, _) in kurtoses.items())
    claims.append(Claim("C6", "a Gaussian process at infinite width", worst < MAX_PULL,
                        f"excess kurtosis {shown}; largest pull against 15/N is {worst:.1f}"))  # fmt: skip
    return claims


def _falls(statement: str, change: tuple[float, float]) -> Claim:
    value, error = change
    evidence = f"{100 * value:+.2f} +- {100 * error:.2f} % ({value / error:.1f} errors)"
    return Claim("C5", statement, value / error < -3, evidence)
