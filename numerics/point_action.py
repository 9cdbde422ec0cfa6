"""The reconstructed action on a finite set of inputs: couplings as tensors, value and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators
from diagrams.reconstruction import coupling_diagrams, reconstruction_rules
from diagrams.theory import check_order
from diagrams.value_source import ValueSource
from numerics.contract import Tensor, diagram_sum, multiplicities, symmetric_tensor
from numerics.kernels import index_tuples
from numerics.points import as_points, check_distinct

MAX_CONDITION = 1e13  # beyond it float64 leaves no correct digit in the inverse two-point function
_BATCH = 8192


@dataclass(frozen=True, eq=False)
class PointAction:
    r"""The action at fixed points, :math:`S(\phi) = \sum_n \frac{1}{n!} g_{n; i_1 \ldots i_n} \phi_{i_1} \ldots`.

    Made by :func:`point_action`. The constant (normalisation) is left out. Away from small fields the truncated
    action need not be bounded below although the density behind it is normalisable: evaluate it, do not sample it.

    Parameters
    ----------
    points : array (n_points, input_dim)
    order : int
        Highest power of 1/N kept.
    width : float
        The value of N.
    orders : mapping from n to mapping from exponent of 1/N to array ``(n_points,) * n``
        The coefficients of the powers of 1/N in ``g_n``.
    """

    points: NDArray[np.float64]
    order: int
    width: float
    orders: Mapping[int, Mapping[Any, NDArray[np.float64]]]

    @property
    def couplings(self) -> dict[int, NDArray[np.float64]]:
        """``g_n`` as symmetric tensors, summed over orders; ``g_2`` includes the inverse two-point function."""
        return {
            n: np.asarray(sum(self.width ** -float(e) * tensor for e, tensor in parts.items()))
            for n, parts in self.orders.items()
        }

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.points)

    def value(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return the action of fields at the points.

        Parameters
        ----------
        phi : array (..., n_points)

        Returns
        -------
        array (...)

        Raises
        ------
        ValueError
            If the last axis of ``phi`` is not ``n_points`` long or a field is not finite.
        """
        fields = self._fields(phi)
        flat = fields.reshape(-1, self.n_points)
        result = np.zeros(len(flat))
        for start in range(0, len(flat), _BATCH):
            block = flat[start : start + _BATCH].T
            for n, tensor in self.couplings.items():
                index = index_tuples(self.n_points, n)
                weights = tensor[tuple(index.T)] * multiplicities(index) / factorial(n)
                result[start : start + _BATCH] += weights @ _monomials(block, n)
        return result.reshape(fields.shape[:-1])

    def gradient(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return dS/dphi_i; shapes and errors as in :meth:`value`, result of shape (..., n_points)."""
        fields = self._fields(phi)
        flat = fields.reshape(-1, self.n_points)
        result = np.zeros_like(flat)
        for start in range(0, len(flat), _BATCH):
            block = flat[start : start + _BATCH].T
            for n, tensor in self.couplings.items():
                index = index_tuples(self.n_points, n - 1)
                weights = tensor[(slice(None), *index.T)] * multiplicities(index) / factorial(n - 1)
                weights = weights.reshape(self.n_points, len(index))
                result[start : start + _BATCH] += (weights @ _monomials(block, n - 1)).T
        return result.reshape(fields.shape)

    def _fields(self, phi: ArrayLike) -> NDArray[np.float64]:
        fields = np.asarray(phi, dtype=np.float64)
        if fields.ndim == 0 or fields.shape[-1] != self.n_points:
            raise ValueError(f"phi has shape {fields.shape}; its last axis must hold the {self.n_points} points")
        if not np.isfinite(fields).all():
            raise ValueError("phi contains values that are not finite")
        return fields

    def __repr__(self) -> str:
        shown = ", ".join(f"g_{n}" for n in self.orders)
        return f"<PointAction: {self.n_points} points, N = {self.width:g}, through N^-{self.order}: {shown}>"


def point_action(
    theory: Architecture | ConnectedCorrelators, points: ArrayLike | None = None, *, order: int = 1
) -> PointAction:
    """Return the action at a finite set of points, complete through ``N**-order``.

    On n points every correlator is a tensor and the reconstruction is exact algebra; its expansion parameter is
    (number of points)/N.

    Parameters
    ----------
    theory : Architecture or ConnectedCorrelators
        With numbers for all parameters.
    points : array (n_points, input_dim)
        Distinct points. Left out for correlators given as numbers (``ConnectedCorrelators.from_values``), which have
        their own points.
    order : int
        Highest power of 1/N kept, >= 0.

    Returns
    -------
    PointAction

    Raises
    ------
    TypeError, ValueError
        For points of the wrong shape or type, points that are not finite, coincident points (the text names the
        pair), a two-point function that is singular there, symbolic parameters, or an impossible order.
    """
    check_order("order", order)
    if isinstance(theory, Architecture):
        theory.parameter_values()  # names the symbols that have no numbers
        correlators = theory.connected_correlators(max_points=2 * order + 2)
    elif isinstance(theory, ConnectedCorrelators):
        correlators = theory
    else:
        raise TypeError(f"point_action takes an Architecture or ConnectedCorrelators, got {type(theory).__name__}")
    x, tensors = _tensors(correlators, points, order)
    _check_invertible(tensors[2], x)
    orders = coupling_tensors(tensors, order=order, even=correlators.source.is_even)
    return PointAction(x, order, float(correlators.source.width), orders)


def _tensors(
    correlators: ConnectedCorrelators, points: ArrayLike | None, order: int
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.float64]]]:
    """Return the points and ``N**(n/2 - 1) G_c^(n)`` on them for all n that the action needs."""
    source = correlators.source
    if isinstance(source, ValueSource):
        if points is not None:
            raise ValueError("these correlators are numbers on their own points: leave out the argument points")
        return np.array(source.points, dtype=np.float64), source.scaled_tensors(2 * order + 2)
    if points is None:
        raise TypeError("points are missing: only correlators given as numbers have their own")
    x = as_points(points, source.input_dim)
    check_distinct(x)
    step = 2 if source.is_even else 1
    return x, {n: scaled_correlator(correlators, n, x) for n in range(2, 2 * order + 3, step)}


def scaled_correlator(correlators: ConnectedCorrelators, n: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``N**(n/2 - 1) G_c^(n)`` on points as a symmetric tensor of shape ``(n_points,) * n``."""
    from numerics.lower import lower

    correlator = correlators[n]
    index = index_tuples(len(x), n)
    evaluate = lower(correlator, backend="numpy")
    values = np.asarray(evaluate(*(x[index[:, i]] for i in range(n))))
    return symmetric_tensor(values * float(correlators.source.width) ** (n / 2 - 1), len(x), n)


def coupling_tensors(correlators: Mapping[int, Tensor], *, order: int, even: bool) -> dict[int, dict[Any, Tensor]]:
    """Return all couplings through ``N**-order`` as tensors, exactly if the input is exact.

    Parameters
    ----------
    correlators : mapping from n to array ``(m,) * n``
        ``N**(n/2 - 1) G_c^(n)`` for n = 2 ... 2 order + 2: float64, or object arrays of Fractions.
    order : int
        Highest power of 1/N kept.
    even : bool
        All odd correlators vanish (and need not be given).

    Returns
    -------
    dict from n to dict from exponent of 1/N to array ``(m,) * n``

    Raises
    ------
    ValueError
        If a correlator is missing or the two-point function is singular.
    """
    step = 2 if even else 1
    missing = [n for n in range(2, 2 * order + 3, step) if n not in correlators]
    if missing:
        raise ValueError(f"the action through N^-{order} needs the {missing}-point correlators too")
    rules = reconstruction_rules(2 * order + 2, even=even)
    tensors = {f"G{n}": tensor for n, tensor in correlators.items() if n > 2} | {"D": inverse(correlators[2])}
    result: dict[int, dict[Any, Tensor]] = {}
    for n in range(2 if even else 1, 2 * order + 3, step):
        lead = sympy.Rational(n, 2) - 1
        parts = {sympy.Integer(0): tensors["D"]} if n == 2 else {}
        for loops in range(int(sympy.floor(order - lead)) + 1):
            found = coupling_diagrams(n, loops, even=even)
            if len(found):
                parts[lead + loops] = diagram_sum(found, rules, tensors)
        if parts:
            result[n] = parts
    return result


def inverse(matrix: Tensor) -> Tensor:
    """Return the inverse of a symmetric matrix, exact for object arrays of Fractions.

    Raises
    ------
    ValueError
        If the matrix is singular.
    """
    if matrix.dtype != object:
        return np.asarray(np.linalg.inv(matrix))
    size = len(matrix)
    rows = [[Fraction(v) for v in row] + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(matrix)]
    for c in range(size):
        pivot = next((r for r in range(c, size) if rows[r][c]), None)
        if pivot is None:
            raise ValueError("the two-point function is singular: it has no inverse on these points")
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(size):
            if r != c and rows[r][c]:
                factor = rows[r][c]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[c], strict=True)]
    result = np.empty((size, size), object)
    result[:] = [row[size:] for row in rows]
    return result


def _check_invertible(kernel: NDArray[np.float64], x: NDArray[np.float64]) -> None:
    condition = np.linalg.cond(kernel)
    if not condition < MAX_CONDITION:
        gaps = np.linalg.norm(x[:, None] - x[None], axis=-1) + np.diag(np.full(len(x), np.inf))
        i, j = divmod(int(np.argmin(gaps)), len(x))
        raise ValueError(
            f"the two-point function on these points is singular to rounding (condition number {condition:.1e}); "
            f"the closest points are {i} and {j}, {gaps[i, j]:.3g} apart. Use fewer points, or spread them out"
        )


def _monomials(fields: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return all monomials of one degree, shape (K, batch), in the order of index_tuples; fields (m, batch)."""
    m = len(fields)
    result = np.ones((1, fields.shape[1]))
    last = np.zeros(1, np.intp)
    for _ in range(degree):
        repeat = m - last
        result = np.repeat(result, repeat, axis=0)
        last = np.concatenate([np.arange(start, m) for start in last])
        result *= fields[last]
    return result
