"""Estimates that should not be trusted: the error is that of a few networks, or rounding is larger than the error."""

from __future__ import annotations

import warnings

import numpy as np

from numerics.estimators import BlockSums, Cumulants, estimate_cumulants

LARGEST_SHARE = 0.5  # of the variance that one block may hold
FEWEST_SAMPLES = 4096  # fewer say nothing about tails
_FALSE_ALARM = 1e-4  # probability for normal block sums


class HeavyTailWarning(UserWarning):
    """A few networks dominate an estimate: its error bar cannot be trusted, and the value is probably too small."""


def largest_share(cumulants: Cumulants) -> float:
    """Return the part of the variance that comes from a single block, the median over components.

    Where exact values have no error it is zero.
    """
    squares = cumulants.deviations**2
    total = squares.sum(axis=0)
    if not (positive := total > 0).any():
        return 0.0
    return float(np.median(squares[:, positive].max(axis=0) / total[positive]))


def allowed_share(n_blocks: int) -> float:
    """Return the share above which one block dominates.

    At least :data:`LARGEST_SHARE`; for few blocks what normal block sums exceed with probability 1e-4.
    """
    from scipy.stats import beta

    if n_blocks < 3:
        return 1.0
    return max(LARGEST_SHARE, float(beta.isf(_FALSE_ALARM / n_blocks, 0.5, (n_blocks - 1) / 2)))


def warn_of_heavy_tails(cumulants: dict[int, Cumulants], n_samples: int, remedy: str) -> None:
    """Warn if one block holds most of the variance of a correlator of three points or more."""
    if n_samples < FEWEST_SAMPLES:
        return
    for n, found in cumulants.items():
        share, allowed = largest_share(found), allowed_share(len(found.deviations))
        if n > 2 and share > allowed:
            warnings.warn(
                f"{share:.0%} of the variance of the {n}-point correlators comes from one block of "
                f"{len(found.deviations)} (above {allowed:.0%}): tails are heavy, the error bar is a lower bound and "
                f"the value is likely to be off by more; {remedy}",
                HeavyTailWarning,
                stacklevel=4,
            )


class CancellationWarning(UserWarning):
    """Rounding in float32 is not small against the error bar of an estimate."""


def warn_of_rounding(sums: BlockSums, dtype: str) -> None:
    """Warn if the rounding of moments in float32, which cumulants are small differences of, is like the error bar.

    The systematic part of the rounding of a moment of degree n is at most of the order of 2**-24 of it.
    """
    if dtype != "float32":
        return
    for n in range(2, sums.max_points + 1):
        moments = np.abs(sums.degree(n).sum(axis=0)) / sums.n_samples
        found = estimate_cumulants(sums, n)
        certain = found.errors > 0
        if not certain.any():
            continue
        loss = np.max(2.0**-24 * n * moments[certain] / found.errors[certain])
        if loss > 0.5:
            value = np.median(2.0**-24 * n * moments[certain] / np.maximum(np.abs(found.values[certain]), 1e-300))
            warnings.warn(
                f"float32 rounds the {n}-point moments by up to {loss:.1f} standard errors of the correlators (about "
                f"{value:.1e} of their value): use dtype='float64'",
                CancellationWarning,
                stacklevel=3,
            )
            return
