"""Polynomials in the fields at a few points, with symmetric tensors as coefficients: value and derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np
from numpy.typing import NDArray

from numerics.contract import multiplicities, unique_tuples

_BATCH = 8192
_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FieldPolynomial:
    r"""The polynomial :math:`\sum_n \frac{1}{n!} g_{n; i_1 \ldots i_n} \phi_{i_1} \ldots \phi_{i_n}`.

    Parameters
    ----------
    size : int
        Number m of fields.
    couplings : mapping from n to array ``(m,) * n``
        Symmetric tensors.
    """

    size: int
    couplings: Mapping[int, _Array]

    @property
    def degree(self) -> int:
        """Highest n with a coupling that is not zero (0 if there is none)."""
        return max((n for n, tensor in self.couplings.items() if np.any(tensor)), default=0)

    def value(self, fields: _Array) -> _Array:
        """Return the polynomial: fields (..., m), result (...)."""
        return self._derivative(fields, 0)

    def gradient(self, fields: _Array) -> _Array:
        """Return the first derivatives: fields (..., m), result (..., m)."""
        return self._derivative(fields, 1)

    def hessian(self, fields: _Array) -> _Array:
        """Return the second derivatives: fields (..., m), result (..., m, m)."""
        return self._derivative(fields, 2)

    def _derivative(self, fields: _Array, order: int) -> _Array:
        flat = fields.reshape(-1, self.size)
        result = np.zeros((len(flat), self.size**order))
        for start in range(0, len(flat), _BATCH):
            block = np.ascontiguousarray(flat[start : start + _BATCH].T)
            degrees = monomials(block, max(self.couplings, default=0) - order)
            for weights, powers in zip(self._weights[order], degrees, strict=True):
                if weights is not None:
                    result[start : start + _BATCH] += (weights @ powers).T
        return result.reshape(fields.shape[:-1] + (self.size,) * order)

    @cached_property
    def _weights(self) -> tuple[list[_Array | None], ...]:
        """For the value, the gradient and the Hessian: the coefficients of the monomials of degree 0, 1, ..."""
        top = max(self.couplings, default=0)
        return tuple([self._coefficients(degree, order) for degree in range(top - order + 1)] for order in range(3))

    def _coefficients(self, degree: int, order: int) -> _Array | None:
        tensor = self.couplings.get(degree + order)
        if tensor is None:
            return None
        index = unique_tuples(self.size, degree)
        rows = tensor.reshape((self.size**order,) + (self.size,) * degree)[(slice(None), *index.T)]
        return rows.reshape(self.size**order, len(index)) * (multiplicities(index) / factorial(degree))


def monomials(fields: _Array, top: int) -> Iterator[_Array]:
    """Iterate over degrees 0 ... top: all monomials (K, batch) in the order of unique_tuples; fields (m, batch)."""
    m = len(fields)
    result = np.ones((1, fields.shape[1]))
    last = np.zeros(1, np.intp)
    for degree in range(top + 1):
        yield result
        if degree < top:
            result = np.repeat(result, m - last, axis=0)
            last = np.concatenate([np.arange(start, m) for start in last])
            result *= fields[last]
