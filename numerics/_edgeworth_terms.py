"""The terms of an Edgeworth density with numbers: polynomials in standardised fields, and their evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import factorial

import numpy as np
from numpy.typing import NDArray

from diagrams.hermite import Polynomial, exponential, exponents_of, packed
from numerics.contract import multiplicities, unique_tuples
from numerics.point_polynomial import monomials

_MAX_NUMBERS = 1 << 22  # monomials times fields evaluated at once

_Array = NDArray[np.float64]


def hermite_series(tensors: Mapping[int, _Array], *, order: int) -> list[Polynomial]:
    """Return the coefficients of N^(-s/2) in the density over the Gaussian, s = 0 ... 2 order.

    Polynomials in the standardised fields y; a power y_i^a stands for the Hermite polynomial He_a(y_i).

    Parameters
    ----------
    tensors : mapping from n to array ``(n_points,) * n``
        Cumulants of the standardised fields, for n >= 3.
    order : int
    """
    terms = {}
    for n, tensor in tensors.items():
        index = unique_tuples(len(tensor), n)
        weights = tensor[tuple(index.T)] * multiplicities(index) / factorial(n)
        terms[n - 2] = {_key(row, len(tensor)): float(w) for row, w in zip(index.tolist(), weights, strict=True) if w}
    return exponential(terms, top=2 * order, one=1.0)


def weights_by_degree(
    series: Sequence[Polynomial], n_points: int, width: float, most: Callable[[int], int]
) -> dict[int, _Array]:
    """Return the sum of a series in N^(-1/2) as weights of the monomials of unique_tuples, degree by degree.

    Parameters
    ----------
    series : sequence of Polynomial
    n_points : int
    width : float
        Value of N.
    most : callable
        Highest degree at order N^(-s/2); what lies above it is rounding error and is dropped.
    """
    total: Polynomial = {0: 0.0}
    for s, polynomial in enumerate(series):
        for key, value in polynomial.items():
            if sum(exponents_of(key, n_points)) <= most(s):
                total[key] = total.get(key, 0.0) + value * width ** (-s / 2)
    degrees = sorted({sum(exponents_of(key, n_points)) for key in total})
    rows = {n: unique_tuples(n_points, n).tolist() for n in degrees}
    return {n: np.array([total.get(_key(row, n_points), 0.0) for row in rows[n]]) for n in degrees}


def evaluate(weights: Mapping[int, _Array], y: _Array) -> _Array:
    """Return a polynomial at fields y of shape (..., n_points), in blocks that fit into memory."""
    flat = y.reshape(-1, y.shape[-1])
    result = np.zeros(len(flat))
    step = max(1, _MAX_NUMBERS // max(map(len, weights.values())))
    for start in range(0, len(flat), step):
        block = np.ascontiguousarray(flat[start : start + step].T)
        for n, powers in enumerate(monomials(block, max(weights))):
            if n in weights:
                result[start : start + step] += weights[n] @ powers
    return result.reshape(y.shape[:-1])


def _key(row: Iterable[int], n_points: int) -> int:
    counts = [0] * n_points
    for i in row:
        counts[i] += 1
    return packed(counts)
