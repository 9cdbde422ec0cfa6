r"""Unbiased cumulants from sums over blocks of samples, with errors and covariance from the same sums.

The estimator of a connected correlator is the multivariate k-statistic, the one symmetric function of the samples whose
expectation is the cumulant at every sample size (Fisher 1930; McCullagh, *Tensor Methods in Statistics*, chapter 4),

.. math:: k(X_1 \ldots X_r) = \sum_\tau c_\tau(n) \prod_{T \in \tau} S_T,
          \qquad S_T = \sum_{s=1}^n \prod_{i \in T} X_{i s},

over set partitions :math:`\tau` of the r variables. Errors are those of the same k-statistics under deletion of one
block at a time, for blocks of any sizes (Busing, Meijer and van der Leeden, Statistics and Computing 9 (1999) 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, factorial, perm, prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.cumulants import set_partitions
from numerics.kernels import index_tuples

Floats: TypeAlias = NDArray[np.float64]

_CHUNK = 1 << 22  # numbers per temporary array of the jackknife


@dataclass(frozen=True, eq=False)
class BlockSums:
    r"""Sums of all monomials of degree 1 to ``max_points`` over the samples of each block.

    Parameters
    ----------
    n_points : int
        Number of variables (field values at the points).
    max_points : int
        Highest degree.
    counts : array (n_blocks,) of int
        Samples per block.
    sums : array (n_blocks, n_monomials)
        Sums of :math:`\prod_i (X_i - a_i)`; columns by degree, then by index tuple in lexicographic order.
    shift : array (n_points,)
        The fixed numbers a. Cumulants of order two and more do not depend on them, but a shift near the mean keeps
        the digits that large means would cost.

    Raises
    ------
    ValueError
        If shapes do not fit together.
    """

    n_points: int
    max_points: int
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    shift: NDArray[np.float64]

    def __post_init__(self) -> None:
        wanted = (len(self.counts), n_monomials(self.n_points, self.max_points))
        if self.sums.shape != wanted or self.shift.shape != (self.n_points,):
            raise ValueError(
                f"sums must have shape {wanted} and shift ({self.n_points},), got {self.sums.shape}, {self.shift.shape}"
            )

    @property
    def n_samples(self) -> int:
        """Samples in all blocks."""
        return int(self.counts.sum())

    def degree(self, n: int) -> NDArray[np.float64]:
        """Return the columns of degree n, shape (n_blocks, number of index tuples)."""
        start = n_monomials(self.n_points, n - 1)
        return self.sums[:, start : n_monomials(self.n_points, n)]

    def merge(self, other: BlockSums) -> BlockSums:
        """Return the sums of both sets of blocks, ours first.

        Raises
        ------
        ValueError
            If they are sums of other monomials, or about another shift.
        """
        same = (self.n_points, self.max_points) == (other.n_points, other.max_points)
        if not same or not np.array_equal(self.shift, other.shift):
            raise ValueError("only sums of the same monomials about the same shift can be merged")
        counts = np.concatenate([self.counts, other.counts])
        return BlockSums(self.n_points, self.max_points, counts, np.vstack([self.sums, other.sums]), self.shift)

    def coarsen(self, factor: int) -> BlockSums:
        """Return the sums with each ``factor`` consecutive blocks made one (the last may be of fewer)."""
        starts = np.arange(0, len(self.counts), factor)
        counts, sums = np.add.reduceat(self.counts, starts), np.add.reduceat(self.sums, starts, axis=0)
        return BlockSums(self.n_points, self.max_points, counts, sums, self.shift)


def n_monomials(n_points: int, max_points: int) -> int:
    """Return the number of monomials of degree 1 to ``max_points`` in ``n_points`` variables."""
    return comb(n_points + max_points, max_points) - 1


def block_sums(
    samples: ArrayLike, *, block_size: int, max_points: int = 4, shift: ArrayLike | None = None
) -> BlockSums:
    """Return the sums of samples that are at hand as an array.

    Parameters
    ----------
    samples : array_like (n_samples, n_points)
    block_size : int
        Samples per block; the last block may be shorter. For a correlated chain, many autocorrelation times.
    max_points : int
        Highest degree.
    shift : array_like (n_points,), optional
        Fixed numbers that are subtracted first; default: the mean of the first block, to a few digits.

    Raises
    ------
    ValueError
        If ``samples`` is not two-dimensional or the block size is not positive.
    """
    x = np.asarray(samples, dtype=np.float64)
    if x.ndim != 2 or block_size < 1:
        raise ValueError(
            f"need samples of shape (n_samples, n_points) and block_size >= 1, got {x.shape}, {block_size}"
        )
    centre = np.asarray(x[:block_size].mean(axis=0) if shift is None else shift, dtype=np.float64)
    x = x - centre
    blocks = [x[i : i + block_size] for i in range(0, len(x), block_size)]
    sums = np.array([monomial_sums(np, block, max_points) for block in blocks])
    return BlockSums(x.shape[1], max_points, np.array([len(b) for b in blocks]), sums, centre)


def monomial_sums(xp: Any, values: Any, max_points: int, weights: Any = None) -> NDArray[np.float64]:
    """Return the float64 sums over the first axis of all monomials of ``values``, an array of ``xp`` (n, n_points).

    ``weights``, shape (n,), multiply every monomial if they are given.
    """
    columns = xp.ascontiguousarray(values.T)
    parts = []
    for degree in range(1, max_points + 1):
        tuples = xp.asarray(index_tuples(columns.shape[0], degree))
        step = max(1, _CHUNK // max(1, columns.shape[1]))
        for first in range(0, len(tuples), step):
            chunk = tuples[first : first + step]
            terms = columns[chunk[:, 0]]
            for leg in range(1, degree):
                terms = terms * columns[chunk[:, leg]]
            terms = terms if weights is None else terms * weights
            parts.append(terms.sum(axis=1, dtype=xp.float64))
    total = xp.concatenate(parts)
    return np.asarray(total.get() if hasattr(total, "get") else total)


@cache
def k_statistic_coefficient(sizes: tuple[int, ...], n: int) -> Fraction:
    r"""Return the exact coefficient of :math:`\prod_T S_T` in a k-statistic of n samples.

    Each product of moments in the cumulant, ``(-1)^(b-1) (b-1)! E_1 ... E_b``, is estimated without bias by a sum over
    b *distinct* samples, and such a sum is a sum of products of power sums over partitions of its blocks with Moebius
    function ``prod (-1)^(m-1) (m-1)!``. Collecting what gives the blocks T, of sizes ``sizes``:

    .. math:: c = \sum_{b_T} \frac{(-1)^{b-1} (b-1)!}{n (n-1) \cdots (n-b+1)}
              \prod_T {|T| \brace b_T} (-1)^{b_T-1} (b_T-1)!, \qquad b = \sum_T b_T

    Parameters
    ----------
    sizes : tuple of int
        Block sizes of the set partition, in any order.
    n : int
        Number of samples, at least the sum of ``sizes``.

    Examples
    --------
    >>> k_statistic_coefficient((2,), 10), k_statistic_coefficient((1, 1), 10)  # variance: 1/9 and -1/90
    (Fraction(1, 9), Fraction(-1, 90))
    """
    total = Fraction(0)
    for parts in product(*(range(1, size + 1) for size in sizes)):
        b = sum(parts)
        ways = prod(_stirling(s, p) * (-1) ** (p - 1) * factorial(p - 1) for s, p in zip(sizes, parts, strict=True))
        total += Fraction((-1) ** (b - 1) * factorial(b - 1) * ways, perm(n, b))
    return total


@cache
def _stirling(n: int, k: int) -> int:
    """Return the number of partitions of n items into k blocks."""
    if k in (0, n):
        return int(n == k)
    return k * _stirling(n - 1, k) + _stirling(n - 1, k - 1)


def k_statistics(sums: Sequence[NDArray[np.float64]], counts: NDArray[np.int64], indices: NDArray[np.int64]) -> Any:
    """Return k-statistics of one order, for several sets of samples and several index tuples at once.

    Parameters
    ----------
    sums : sequence of arrays (n_sets, number of index tuples of degree g), g = 1 ... order
        Power sums of each set.
    counts : array (n_sets,) of int
        Samples in each set, at least ``order``.
    indices : array (K, order) of int
        Index tuples, each in ascending order.

    Returns
    -------
    array (n_sets, K)
    """
    # as means and n**b times the coefficients every term is of the size of the result's own noise, or of the moments
    means = [s / counts[:, None] for s in sums]
    distinct, which = np.unique(counts, return_inverse=True)

    def coefficient(sizes: tuple[int, ...]) -> NDArray[np.float64]:
        scaled = [float(k_statistic_coefficient(sizes, int(n)) * int(n) ** len(sizes)) for n in distinct]
        return np.array(scaled)[which][:, None]

    return _partition_sum(means, indices, coefficient)


def cumulants_of_means(means: Sequence[NDArray[np.float64]], indices: NDArray[np.int64]) -> Any:
    """Return the cumulants of one order that belong to moments, for several sets of moments at once.

    Parameters
    ----------
    means : sequence of arrays (n_sets, number of index tuples of degree g), g = 1 ... order
        Moments of each set.
    indices : array (K, order) of int
        Index tuples, each in ascending order.

    Returns
    -------
    array (n_sets, K)
    """
    return _partition_sum(means, indices, lambda sizes: (-1) ** (len(sizes) - 1) * factorial(len(sizes) - 1))


def _partition_sum(
    means: Sequence[NDArray[np.float64]], indices: NDArray[np.int64], coefficient: Callable[[tuple[int, ...]], Any]
) -> Any:
    order, n_points = indices.shape[1], means[0].shape[1]
    total = np.zeros((len(means[0]), len(indices)))
    for partition in set_partitions(range(order)):
        term = coefficient(tuple(sorted(len(block) for block in partition)))
        for block in partition:
            term = term * means[len(block) - 1][:, ranks(indices[:, list(block)], n_points)]
        total += term
    return total


def ranks(indices: NDArray[np.int64], n_points: int) -> NDArray[np.int64]:
    """Return the positions of ascending index tuples in lexicographic order.

    Parameters
    ----------
    indices : array (K, degree) of int
        Each row in ascending order.
    n_points : int
        Indices are below it.

    Returns
    -------
    array (K,) of int
    """
    degree = indices.shape[1]
    # tuples that agree on the first legs and are smaller on the next: those of the rest over fewer points
    rank = np.zeros(len(indices), dtype=np.int64)
    previous = np.zeros(len(indices), dtype=np.int64)
    for leg in range(degree):
        rest = degree - leg
        table = np.array([comb(n_points - i + rest - 1, rest) for i in range(n_points + 1)])
        rank += table[previous] - table[indices[:, leg]]
        previous = indices[:, leg]
    return rank


@dataclass(frozen=True, eq=False)
class Cumulants:
    """k-statistics of one order with their jackknife.

    Parameters
    ----------
    indices : array (K, order)
        Index tuples.
    values : array (K,)
        Unbiased estimates.
    deviations : array (n_blocks, K)
        Weighted jackknife deviations D; the covariance of the values is ``D.T @ D``, between orders too.
    """

    indices: NDArray[np.int64]
    values: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors, shape (K,)."""
        return np.sqrt(np.einsum("bk,bk->k", self.deviations, self.deviations))


def estimate_cumulants(sums: BlockSums, order: int, indices: NDArray[np.int64] | None = None) -> Cumulants:
    """Return the unbiased cumulants of one order with their jackknife.

    Parameters
    ----------
    sums : BlockSums
    order : int
    indices : array (K, order) of int, optional
        Index tuples, each in ascending order; default: all.

    Raises
    ------
    ValueError
        If the order is not in the sums, there are fewer than two blocks, or too few samples are left once a block is
        deleted (an unbiased cumulant of order n needs n samples).
    """
    _check_order(sums, order)
    totals = sums.sums.sum(axis=0)
    sets = np.vstack([totals, totals - sums.sums])  # all samples, then all but one block
    counts = np.concatenate([[sums.n_samples], sums.n_samples - sums.counts])
    columns = [_degree(sets, sums.n_points, g) for g in range(1, order + 1)]
    indices = index_tuples(sums.n_points, order) if indices is None else indices
    values, deviations = np.empty(len(indices)), np.empty((len(sums.counts), len(indices)))
    for part in _parts(len(indices), max(1, _CHUNK // len(counts))):
        k = k_statistics(columns, counts, indices[part])
        values[part], deviations[:, part] = k[0], jackknife_deviations(k[0], k[1:], sums.counts)
    shift = sums.shift[indices[:, 0]] if order == 1 else 0.0
    return Cumulants(indices, values + shift, deviations)


def _check_order(sums: BlockSums, order: int) -> None:
    if not 1 <= order <= sums.max_points:
        raise ValueError(f"the sums hold degrees 1 to {sums.max_points}, so there is no cumulant of order {order}")
    left = sums.n_samples - int(sums.counts.max())
    if len(sums.counts) < 2 or left < order:
        raise ValueError(
            f"a cumulant of order {order} with an error needs at least 2 blocks and {order} samples without any one of "
            f"them; there are {len(sums.counts)} block(s) and {left} samples"
        )


def _degree(sets: NDArray[np.float64], n_points: int, degree: int) -> NDArray[np.float64]:
    return sets[:, n_monomials(n_points, degree - 1) : n_monomials(n_points, degree)]


def _parts(total: int, step: int) -> Iterator[slice]:
    return (slice(first, first + step) for first in range(0, total, step))


def jackknife(full: Floats, without: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the jackknife estimate, whose bias is of second order in 1/n, and the deviations D.

    Parameters
    ----------
    full : array (K,)
        Estimates from all samples.
    without : array (n_blocks, K)
        Estimates without each block.
    counts : array (n_blocks,) of int
        Samples per block.

    Returns
    -------
    array (K,), array (n_blocks, K)
        The covariance of the estimates is ``D.T @ D``.
    """
    h = (counts.sum() / counts)[:, None]
    correction = ((1 - 1 / h) * (full - without)).sum(axis=0)
    return full + correction, jackknife_deviations(full, without, counts)


def jackknife_deviations(
    full: NDArray[np.float64], without: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return D with covariance ``D.T @ D`` from the estimates without each block.

    The pseudo-value of block j is ``h_j full - (h_j - 1) without_j`` with ``h_j = n / n_j``; relative to ``full`` it is
    ``(h_j - 1) (full - without_j)``, which loses no digits.
    """
    h = (counts.sum() / counts)[:, None]
    pseudo = (h - 1) * (full - without)
    centre = ((1 - 1 / h) * (full - without)).sum(axis=0)
    deviations: NDArray[np.float64] = (pseudo - centre) / np.sqrt(len(counts) * (h - 1))
    return deviations
