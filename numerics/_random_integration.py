"""Integrals over the unit cube by random points: scrambled Sobol replicates, and an importance grid that adapts."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numerics._cubature import Floats, Found, Integrand

Seed: TypeAlias = int | np.random.SeedSequence

REPLICATES = 16
FEWEST_EVALS = 4096
MOST_SOBOL_AXES = 64
_EDGE = 2.0**-53  # points stay this far inside the cube
_CHUNK = 1 << 17
_BINS = 128
_WARM_UP = 8  # rounds that only shape the grid
_DAMPING = 0.75  # exponent that slows the adaptation of the grid
_LARGEST_SHARE = 0.1  # of the sum of squares in one point: with more, the variance is not known


def sobol(f: Integrand, d: int, *, rtol: float, atol: float, max_evals: int, seed: Seed) -> Found:
    """Return the mean over independently scrambled Sobol sequences; its standard error is that of the replicates.

    The sequences are doubled until the error is below ``max(atol, rtol * |value|)``. Replicates are independent, so
    their spread measures the error whatever the integrand.
    """
    from scipy.stats import qmc

    streams = np.random.SeedSequence(_entropy(seed)).spawn(REPLICATES)
    sequences: list[Any] = [qmc.Sobol(d, scramble=True, seed=np.random.default_rng(s)) for s in streams]
    log_size = int(np.log2(FEWEST_EVALS // REPLICATES))
    sums, n = _sobol_sums(f, sequences, log_size), 1 << log_size
    while True:
        means = sums / n
        value, error = float(means.mean()), float(means.std(ddof=1) / np.sqrt(REPLICATES))
        if error <= max(atol, rtol * abs(value)):
            return Found(value, error, n * REPLICATES)
        if 2 * n * REPLICATES > max_evals:
            return Found(value, error, n * REPLICATES, f"stopped by max_evals={max_evals}")
        sums, n = sums + _sobol_sums(f, sequences, log_size), 2 * n
        log_size += 1


def _entropy(seed: Seed) -> int:
    """Return what makes the same streams at every call: a SeedSequence counts the children that it has spawned."""
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    return seed


def _sobol_sums(f: Integrand, sequences: list[Any], log_size: int) -> Floats:
    n = 1 << log_size
    group = max(1, _CHUNK // n)
    sums: list[Floats] = []
    for start in range(0, len(sequences), group):
        points = np.concatenate([_points(s, n) for s in sequences[start : start + group]])
        values = np.concatenate([f(points[i : i + _CHUNK]) for i in range(0, len(points), _CHUNK)])
        sums.append(values.reshape(-1, n).sum(axis=1))
    return np.concatenate(sums)


def _points(sequence: Any, n: int) -> Floats:
    drawn: Floats = sequence.random(n)
    return np.clip(drawn, _EDGE, 1 - _EDGE)


def importance(f: Integrand, d: int, *, rtol: float, atol: float, max_evals: int, seed: Seed) -> Found:
    """Return a Monte Carlo mean over a density that is a product of step functions, shaped as in vegas (Lepage 1978).

    Some rounds move the edges of the steps towards equal contributions to the variance; they are not counted in the
    result. The grid then stays as it is, so that all further points are independent and equally distributed, and their
    mean and standard error are unbiased.
    """
    rng = np.random.default_rng(np.random.SeedSequence(_entropy(seed)))
    edges = np.tile(np.linspace(0, 1, _BINS + 1), (d, 1))
    n_round = min(20_000, max_evals // (2 * _WARM_UP))
    for _ in range(_WARM_UP):
        points, weights, bins = _draw(edges, rng, n_round)
        edges = _moved(edges, bins, (f(points) * weights) ** 2)
    n_evals, n, total, squares, largest = _WARM_UP * n_round, 0, 0.0, 0.0, 0.0
    size = n_round
    while True:
        size = min(size, max_evals - n_evals, _CHUNK)
        points, weights, _ = _draw(edges, rng, size)
        values = f(points) * weights
        n, n_evals = n + size, n_evals + size
        total, squares = total + float(values.sum()), squares + float((values**2).sum())
        largest = max(largest, float(np.max(values**2)))
        value = total / n
        error = float(np.sqrt(max(squares / n - value**2, 0.0) / (n - 1)))
        is_heavy = largest > _LARGEST_SHARE * squares and squares > 0
        if error <= max(atol, rtol * abs(value)) and not is_heavy:
            return Found(value, error, n_evals)
        if max_evals - n_evals < 2:
            heavy = "single points dominate the sum of squares, so that the error is not reliable; "
            return Found(value, error, n_evals, f"{heavy if is_heavy else ''}stopped by max_evals={max_evals}")
        size = n


def _draw(edges: Floats, rng: np.random.Generator, n: int) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return points, the inverse of their density, and the step of each coordinate."""
    d = len(edges)
    y = rng.random((n, d)) * _BINS
    bins = np.minimum(y.astype(np.intp), _BINS - 1)
    axes = np.arange(d)
    low, high = edges[axes, bins], edges[axes, bins + 1]
    points = np.clip(low + (high - low) * (y - bins), _EDGE, 1 - _EDGE)
    return points, np.prod((high - low) * _BINS, axis=1), bins


def _moved(edges: Floats, bins: NDArray[np.intp], squares: Floats) -> Floats:
    """Return edges between which the smoothed contributions to the variance are equal."""
    moved = edges.copy()
    for k, old in enumerate(edges):
        share = np.bincount(bins[:, k], weights=squares, minlength=_BINS)
        if not share.any():
            continue
        padded = np.concatenate([share[:1], share, share[-1:]])
        smooth = (padded[:-2] + 6 * padded[1:-1] + padded[2:]) / 8
        smooth = smooth / smooth.sum()
        part = np.maximum(smooth, 1e-30)
        importance_of = np.where(part < 1 - 1e-12, (part - 1) / np.log(np.minimum(part, 1 - 1e-12)), 1.0) ** _DAMPING
        reached = np.concatenate([[0.0], np.cumsum(importance_of)])
        moved[k] = np.interp(np.linspace(0, reached[-1], _BINS + 1), reached, old)
        moved[k, 0], moved[k, -1] = 0.0, 1.0
    return moved
