"""Heavy tails: estimates whose error is that of a few networks."""

from __future__ import annotations

import warnings

import numpy as np

from numerics.estimators import Cumulants

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
