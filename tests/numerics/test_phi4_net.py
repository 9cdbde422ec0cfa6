"""phi^4 in one dimension: networks against the oscillator that the theory is, in the same box with the same cutoff."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from diagrams.phi4_networks import phi4_net
from numerics import Ensemble

MASS, CUTOFF, LENGTH, LAM = 1.0, 10.0, 8.0, 1.0
TIMES = np.array([0.0, 0.5, 1.0])
STATES = 80


def propagator(r: float, top: float | None) -> float:
    """Return the free propagator, with a cutoff or without."""
    if top is None:
        return float(np.exp(-MASS * abs(r)) / (2 * MASS))
    t, w = np.polynomial.legendre.leggauss(200)
    p = top * (1 + t) / 2
    return float((w * top / 2 * np.cos(p * r) / (p**2 + MASS**2)).sum() / np.pi)


@cache
def oscillator(*, is_matched: bool = True, lam: float = LAM) -> tuple[float, ...]:
    """Return <phi(0) phi(t)> at TIMES by diagonalising the Hamiltonian in the basis of the free oscillator.

    Outside the box the oscillator is free, so its ends are in the free vacuum. The cutoff lowers the tadpole, which is
    a change of the mass inside the box, and the free two-point function, which is taken off.
    """
    n = np.arange(STATES + 8)
    lower = np.diag(np.sqrt(n[1:]), 1)
    x = (lower + lower.T) / np.sqrt(2 * MASS)
    shift = -lam / 2 * (propagator(0, None) - propagator(0, CUTOFF)) if is_matched else 0.0
    h = np.diag(MASS * (n + 0.5)) + lam / 24 * np.linalg.matrix_power(x, 4) + shift / 2 * x @ x
    energies, vectors = np.linalg.eigh(h[:STATES, :STATES])
    q, vacuum, energies = vectors.T @ x[:STATES, :STATES] @ vectors, vectors[0], energies - energies[0]

    def amplitude(t: float) -> float:
        before, after = LENGTH / 2, LENGTH / 2 - t
        state = q @ (vacuum * np.exp(-energies * before))
        state = np.exp(-energies * after) * (q @ (np.exp(-energies * t) * state))
        return float(vacuum @ state / (vacuum @ (np.exp(-energies * LENGTH) * vacuum)))

    tails = [propagator(t, None) - propagator(t, CUTOFF) for t in TIMES]
    return tuple(amplitude(t) - (tail if is_matched else 0.0) for t, tail in zip(TIMES, tails, strict=True))


def correction(t: float, width: int) -> float:
    """Return what finite width adds to dG2(0, t)/dlambda at zero coupling, exactly."""
    s, w = np.polynomial.legendre.leggauss(100)
    z = LENGTH / 2 * s
    g, v = np.polynomial.legendre.leggauss(160)
    k, probability = CUTOFF * (1 + g) / 2, v / 2
    square = 2 * CUTOFF / np.pi / (k**2 + MASS**2)

    def wave(power: int, gap: np.ndarray) -> np.ndarray:
        """Average of square**power cos(k gap)."""
        return np.cos(np.multiply.outer(gap, k)) @ (probability * square**power)

    def two(gap: np.ndarray) -> np.ndarray:
        return wave(1, gap) / 2

    zero = np.zeros_like(z)
    xz, yz, xy, zz = two(z), two(z - t), two(zero + t), two(zero)
    xzzz = 3 / 8 * 3 * wave(2, z) - 3 * xz * zz
    yzzz = 3 / 8 * 3 * wave(2, z - t) - 3 * yz * zz
    xyzz = 3 / 8 * (wave(2, t - 2 * z) * 1 + 2 * wave(2, zero + t)) - xy * zz - 2 * xz * yz
    m_xzzz, m_yzzz = xzzz + 3 * xz * zz, yzzz + 3 * yz * zz
    m_xyzz, m_zzzz = xyzz + xy * zz + 2 * xz * yz, 9 / 8 * wave(2, zero)
    # six cosines: 20 balanced signs; x and y on the same side leave one z there, four ways twice over
    m6 = 15 / 64 * (2 * 4 * wave(3, t - 2 * z) + 2 * 6 * wave(3, zero + t))
    pairs = xy * m_zzzz + zz * 6 * m_xyzz + 4 * (xz * m_yzzz + yz * m_xzzz)
    triple = 2 * (xy * 3 * zz**2 + 12 * xz * yz * zz)
    six = m6 - pairs + triple
    fourth = 4 * xz * yzzz + 4 * yz * xzzz + 6 * zz * xyzz
    return float(-((fourth / width + six / width**2) * w).sum() * LENGTH / 2 / 24)


def measured(width: int, n_nets: int, seed: int):
    net = phi4_net(input_dim=1, mass=MASS, cutoff=CUTOFF, coupling=LAM, box=LENGTH).at(N=width)
    return Ensemble(net, n_nets=n_nets, seed=seed).connected_correlators(TIMES[:, None], max_points=2)


def test_wide_networks_are_the_oscillator():
    """At N = 512 the correction in 1/N is a fraction of the signal; its first order in lambda is added."""
    width = 512
    estimate = measured(width, 12_000, seed=21)
    values, errors = estimate.values(2)[:3], estimate.errors(2)[:3]
    exact = np.array(oscillator()) + LAM * np.array([correction(t, width) for t in TIMES])
    assert np.abs((values - exact) / errors).max() < 4
    free = np.array([propagator(t, CUTOFF) for t in TIMES])
    assert np.abs((values - free) / errors).max() > 10
    assert 1.1 * exact[0] < free[0]


@pytest.mark.slow
def test_the_oscillator_is_approached_as_one_over_the_width():
    widths = (64, 128, 256, 512)
    runs = [measured(n, 60_000, seed=30 + n) for n in widths]
    values = np.array([r.values(2)[:3] for r in runs])
    errors = np.array([r.errors(2)[:3] for r in runs])
    exact = np.array(oscillator())
    powers = np.vander(1 / np.array(widths), 3, increasing=True)
    for i in range(3):
        weighted = powers / errors[:, i : i + 1]
        covariance = np.linalg.inv(weighted.T @ weighted)
        limit, slope, _ = covariance @ weighted.T @ (values[:, i] / errors[:, i])
        assert abs(limit - exact[i]) < 4 * np.sqrt(covariance[0, 0])
        assert abs(limit - propagator(TIMES[i], CUTOFF)) > 4 * np.sqrt(covariance[0, 0])
        assert slope < 0
    unmatched = np.array(oscillator(is_matched=False))
    assert (unmatched[0] - exact[0]) / exact[0] > 0.05  # the cutoff cannot be left out


def test_the_oscillator_without_interaction_is_the_propagator():
    np.testing.assert_allclose(oscillator(lam=0.0), [propagator(t, CUTOFF) for t in TIMES], atol=1e-10)
