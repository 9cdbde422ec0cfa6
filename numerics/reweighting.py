r"""Deformed ensembles from independent networks: weights for finite strengths, joint cumulants for derivatives.

With :math:`P(\theta; \alpha) \propto P_0(\theta) e^{L(\alpha; \theta)}`, averages are
:math:`\langle O \rangle_\alpha = E_0[O e^L] / E_0[e^L]`, and with the Taylor coefficients :math:`L_k` of L

.. math:: \frac{d}{d\alpha} \kappa_\alpha(\phi_1 \ldots \phi_n)\Big|_0 = \kappa_0(\phi_1 \ldots \phi_n, L_1), \qquad
          \frac{d^2}{d\alpha^2} \kappa_\alpha\Big|_0 = \kappa_0(\ldots, L_1, L_1) + 2 \kappa_0(\ldots, L_2).

A joint cumulant with one more entry is the product rule applied to the cumulant: it is *not* a covariance with a
product of estimated cumulants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.estimators import (
    BlockSums,
    Cumulants,
    cumulants_of_means,
    estimate_cumulants,
    jackknife,
    monomial_sums,
    n_monomials,
)
from numerics.kernels import N_HEADS, index_tuples

if TYPE_CHECKING:
    from numerics.results import Estimate

Floats = NDArray[np.float64]

#: Effective samples below which a reweighted estimate and its error are not to be trusted.
MIN_EFFECTIVE_SAMPLES = 200


class EffectiveSampleSizeError(ArithmeticError):
    """The weights are so uneven that a few networks make up the estimate.

    Parameters
    ----------
    message : str
    estimate : Estimate
        The estimate that is not to be trusted.
    """

    def __init__(self, message: str, estimate: Any) -> None:
        super().__init__(message)
        self.estimate = estimate

    def __reduce__(self) -> tuple[Any, ...]:
        return EffectiveSampleSizeError, (self.args[0], self.estimate)


@dataclass(frozen=True, eq=False)
class WeightedSums:
    """Sums of weights and of weighted monomials over blocks; the weights have a common factor.

    Parameters
    ----------
    n_fields, max_points : int
    counts : array (n_blocks,) of int
        Samples per block.
    weights, squares : array (n_blocks,)
        Sums of the weights and of their squares.
    sums : array (n_blocks, n_monomials)
        Sums of weight times monomial.
    """

    n_fields: int
    max_points: int
    counts: NDArray[np.int64]
    weights: Floats
    squares: Floats
    sums: Floats

    @property
    def effective_samples(self) -> float:
        """(sum of weights)^2 / (sum of squared weights)."""
        return float(self.weights.sum() ** 2 / self.squares.sum())

    def cumulants(self, order: int) -> Cumulants:
        """Return self-normalised cumulants of one order, with their bias in 1/n removed by the jackknife."""
        total, weight = self.sums.sum(axis=0), self.weights.sum()
        sets = np.vstack([total, total - self.sums]) / np.concatenate([[weight], weight - self.weights])[:, None]
        ends = [n_monomials(self.n_fields, g) for g in range(order + 1)]
        means = [sets[:, a:b] for a, b in pairwise(ends)]
        indices = index_tuples(self.n_fields, order)
        values = cumulants_of_means(means, indices)
        corrected, deviations = jackknife(values[0], values[1:], self.counts)
        return Cumulants(indices, corrected, deviations)


def _monomials(phi: Any, max_points: int, weight: Floats | None = None) -> Floats:
    return monomial_sums(np, np.asarray(phi, dtype=np.float64), max_points, weight)


def monomials_for(backend: str) -> Callable[..., Floats]:
    """Return the function of (outputs, degree, weights) that sums monomials: compiled for ``"numba"``."""
    if backend != "numba":
        return _monomials
    from numerics.kernels.given import compiled_monomials

    return compiled_monomials


def weighted_sums(
    blocks: Iterator[tuple[int, Iterator[tuple[Any, Floats]]]],
    n_fields: int,
    max_points: int,
    *,
    monomials: Callable[[Any, int, Floats], Floats] = _monomials,
) -> WeightedSums:
    """Return the sums over blocks of outputs with log weights.

    Parameters
    ----------
    blocks : iterator of (n_nets, iterator of (outputs (n, n_fields), log weights (1, n)))
    n_fields, max_points : int
    monomials : callable, optional
        Weighted sums of what stands for the monomials, from outputs (or what blocks give in their place),
        ``max_points`` and weights.

    Raises
    ------
    FloatingPointError
        If a log weight or an output is not finite.
    """
    counts, rows = [], []
    for n_nets, parts in blocks:
        counts.append(n_nets)
        rows.append(weighted_row(parts, n_monomials(n_fields, max_points), max_points, monomials))
    return weighted_sums_of_rows(n_fields, max_points, np.array(counts), np.array(rows))


def weighted_row(
    parts: Iterator[tuple[Any, Floats]],
    n_sums: int,
    max_points: int,
    monomials: Callable[[Any, int, Floats], Floats] = _monomials,
) -> Floats:
    """Return the sums of one block, see :data:`numerics.kernels.N_HEADS`.

    Parameters
    ----------
    parts : iterator of (outputs (n, n_fields), log weights (1, n))
    n_sums : int
        Number of monomials.
    max_points, monomials
        As for :func:`weighted_sums`.
    """
    row = np.array([-np.inf, *np.zeros(N_HEADS - 1 + n_sums)])
    for phi, (log_weight,) in parts:
        top = float(log_weight.max())
        weight = np.exp(log_weight - top)
        head = np.array([top, weight.sum(), (weight**2).sum()])
        row = joined_rows(row, np.concatenate([head, monomials(phi, max_points, weight)]))
    return row


def joined_rows(first: Floats, second: Floats) -> Floats:
    """Return the row of sums over the samples of two rows."""
    top = np.maximum(first[0], second[0])
    total: Floats = _rescaled(first[1:], first[0] - top) + _rescaled(second[1:], second[0] - top)
    return np.concatenate([[top], total])


def weighted_sums_of_rows(n_fields: int, max_points: int, counts: NDArray[np.int64], rows: Floats) -> WeightedSums:
    """Return the sums over blocks with a common factor of the weights, from rows of sums of blocks.

    Raises
    ------
    FloatingPointError
        If a sum is not finite.
    """
    table = np.array([_rescaled(row[1:], row[0] - rows[:, 0].max()) for row in rows])
    if not np.isfinite(table).all():
        raise FloatingPointError("weights or outputs are not finite: the strength, points or parameters are too large")
    return WeightedSums(n_fields, max_points, counts, table[:, 0], table[:, 1], table[:, N_HEADS - 1 :])


def _rescaled(total: Floats, log_factor: float) -> Floats:
    """Return sums of weights (and of their squares, the second entry) after all weights take a common factor."""
    factor = np.exp(log_factor)
    powers = np.full(len(total), factor)
    powers[1] = factor**2
    return np.where(total == 0, 0.0, total * powers)


def derivative_sums(
    blocks: Iterator[tuple[int, Iterator[tuple[Any, Floats]]]],
    n_fields: int,
    max_degree: int,
    *,
    monomials: Callable[..., Floats] = _monomials,
) -> BlockSums:
    """Return block sums of the columns (outputs, log-density coefficients L_1, L_2, ...).

    Parameters
    ----------
    blocks : iterator of (n_nets, iterator of (outputs (n, n_fields), coefficients (n_coefficients, n)))
    n_fields, max_degree : int
    monomials : callable, optional
        Sums of monomials, from an array (n, n_columns) and the degree.
    """
    counts, rows = [], []
    shift: Floats | None = None
    for n_nets, parts in blocks:
        row: Any = 0.0
        for phi, coefficients in parts:
            if shift is None:  # a few digits of the mean: cumulants do not depend on it, rounding errors do
                shift = np.concatenate([np.zeros(n_fields), coefficients.mean(axis=1).round(12)])
            columns = np.concatenate([np.asarray(phi, dtype=np.float64), coefficients.T], axis=1) - shift
            row = row + monomials(columns, max_degree)
        counts.append(n_nets)
        rows.append(row)
    table = np.array(rows)
    if not np.isfinite(table).all():
        raise FloatingPointError("sums are not finite: points or parameters are too large")
    if shift is None:
        raise ValueError("there are no blocks")
    return BlockSums(len(shift), max_degree, np.array(counts), table, shift)


def derivative_cumulants(sums: BlockSums, n_fields: int, n: int, order: int) -> Cumulants:
    """Return the estimate of the derivative of the n-point cumulant, of first or second order, at strength zero."""
    fields = index_tuples(n_fields, n)

    def joint(*extra: int) -> Cumulants:
        columns = [np.full((len(fields), 1), n_fields + k) for k in extra]
        return estimate_cumulants(sums, n + len(extra), np.hstack([fields, *columns]))

    parts: Sequence[tuple[int, Cumulants]] = [(1, joint(*[0] * order))]
    if order == 2 and sums.n_points > n_fields + 1:
        parts = [*parts, (2, joint(1))]
    values = sum(factor * part.values for factor, part in parts)
    deviations = sum(factor * part.deviations for factor, part in parts)
    return Cumulants(fields, np.asarray(values), np.asarray(deviations))


def reweighted_estimate(
    sums: WeightedSums,
    points: Floats,
    attrs: Mapping[str, Any],
    label: str,
    *,
    cumulants: Sequence[Cumulants] | None = None,
    method: str = "reweighting",
) -> Estimate:
    """Return the connected correlators of a deformed ensemble from weighted sums.

    Parameters
    ----------
    sums : WeightedSums
    points : array (n_points, input_dim)
    attrs : mapping
        What to record.
    label : str
        The ensemble, for the text of the error.
    cumulants : sequence of Cumulants, optional
        Of 1 to ``max_points`` points, if they are not those of the sums.
    method : str
        What to call it.

    Raises
    ------
    EffectiveSampleSizeError
        If the networks are worth fewer than :data:`MIN_EFFECTIVE_SAMPLES`.
    """
    from numerics.results import Estimate

    size, n_nets = sums.effective_samples, int(sums.counts.sum())
    run = {"n_nets": n_nets, "method": method, "effective_sample_size": size}
    orders = range(1, sums.max_points + 1)
    found = dict(zip(orders, cumulants or [sums.cumulants(n) for n in orders], strict=True))
    estimate = Estimate.from_cumulants(found, points, {**attrs, **run}, n_outputs=sums.n_fields // len(points))
    if size < MIN_EFFECTIVE_SAMPLES:
        raise EffectiveSampleSizeError(
            f"{n_nets} independent networks are worth {size:.1f} of {label}, fewer than {MIN_EFFECTIVE_SAMPLES}: use "
            "more networks, a weaker interaction or a smaller region; the estimate is the .estimate of this error",
            estimate,
        )
    return estimate


def jackknife_mean(values: Floats, counts: Sequence[int]) -> tuple[float, float]:
    """Return the mean of values, and its standard error from the means of consecutive blocks."""
    sizes = np.asarray(counts, dtype=np.float64)
    means = np.add.reduceat(values, np.cumsum([0, *counts[:-1]])) / sizes
    mean = float(values.mean())
    spread = (sizes**2 * (means - mean) ** 2).sum() / sizes.sum() ** 2
    n = len(sizes)
    return mean, float(np.sqrt(spread * n / (n - 1))) if n > 1 else float("nan")
