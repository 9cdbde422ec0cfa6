"""Connected correlators from a user's own functions, numbers on points, or moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams._source_checks import (
    check_input_dim,
    check_numbers_of_points,
    check_symmetric,
    checked_tensor,
    checked_width,
    expression_of,
    scaled_series,
)
from diagrams.correlators import ConnectedCorrelators
from diagrams.cumulants import cumulant_from_moments, set_partitions
from diagrams.series import Series
from diagrams.symbols import relabelled, symbol
from diagrams.typing import Expr
from diagrams.value_source import ValueSource


@dataclass(frozen=True)
class FunctionSource:
    """Connected correlators given as expressions in the coordinates of x_1, x_2, ...

    Parameters
    ----------
    series : tuple of (n, Series)
        Those that are not given vanish.
    dim : int or None
        Number of components of a point; None for abstract points.
    value_of_width : sympy.Expr
        Value of N.
    """

    series: tuple[tuple[int, Series], ...]
    dim: int | None
    value_of_width: Expr

    @property
    def input_dim(self) -> int:
        """Number of components of a point (one for abstract points)."""
        return 1 if self.dim is None else self.dim

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self.value_of_width

    @property
    def is_even(self) -> bool:
        """True if no odd correlator was given."""
        return all(n % 2 == 0 or not len(series) for n, series in self.series)

    @property
    def is_dimension_explicit(self) -> bool:
        """True if points have coordinates."""
        return self.dim is not None

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series in 1/N; zero if it was not given."""
        return dict(self.series).get(n, Series((1 / symbol("N"),), ()))

    def __str__(self) -> str:
        return f"correlators of {', '.join(str(n) for n, _ in self.series)} points"


def from_functions(
    functions: Mapping[int, Callable[..., Expr] | Expr],
    *,
    input_dim: int | None = 1,
    scaling: Mapping[int, Expr] | str = "powers",
    width: Expr = None,
) -> ConnectedCorrelators:
    """Return connected correlators given as functions of points.

    Parameters
    ----------
    functions : mapping from n to callable or sympy expression
        A callable takes n points: scalars in one dimension, else tuples of coordinates. An expression is in ``x_1``,
        ``x_2``, ... or their coordinates (:func:`diagrams.symbols.coordinates`). Correlators that are not given vanish.
    input_dim : int or None
        Number of components of a point; None for abstract points ``x_1, x_2, ...`` (with :class:`PointFunction`
        and the like).
    scaling : "powers", "independent", or mapping from n to exponent
        How the orders in 1/N are known: ``"powers"`` reads them off the powers of N in the functions;
        ``"independent"`` says that the functions are without N, and stand for ``N**(n/2 - 1) G_c^(n)`` as for
        independent identical neurons; a mapping gives the exponent of 1/N that multiplies each function.
    width : sympy.Expr, optional
        Value of N, symbolic by default.

    Returns
    -------
    ConnectedCorrelators

    Raises
    ------
    TypeError, ValueError
        If a function is not one, is not symmetric under exchange of its points, or contains N in another way.

    Examples
    --------
    >>> Gc = from_functions({2: lambda x, y: sympy.exp(-((x - y) ** 2) / 2)})
    >>> Gc[2](0, 1)
    exp(-1/2)
    """
    check_numbers_of_points(functions)
    check_input_dim(input_dim)
    series = []
    for n, function in sorted(functions.items()):
        expr = expression_of(function, n, input_dim)
        check_symmetric(expr, n, input_dim)
        series.append((n, scaled_series(expr, n, scaling)))
    value = symbol("N") if width is None else checked_width(width)
    return ConnectedCorrelators(FunctionSource(tuple(series), input_dim, value), max(functions))


def from_values(values: Mapping[int, Any], *, points: Any = None, width: Any = 1) -> ConnectedCorrelators:
    """Return connected correlators given as numbers on a finite set of points.

    They are functions of the labels 0, 1, ... of the points: ``Gc[2](0, 3)``.

    Parameters
    ----------
    values : mapping from n to array ``(n_points,) * n``
        Symmetric tensors. Correlators that are not given vanish.
    points : array (n_points, dim), optional
        Where the points are; by default ``0, 1, ...`` on a line.
    width : number
        Value of N. It orders the reconstruction of an action: ``G_c^(n)`` counts as ``N**(1 - n/2)``.

    Returns
    -------
    ConnectedCorrelators

    Raises
    ------
    ValueError
        For tensors of the wrong shape, that are not symmetric or not finite, or not of the same points.

    Examples
    --------
    >>> Gc = from_values({2: [[2, 1], [1, 2]]}, points=[[0.0], [1.0]])
    >>> float(Gc[2](0, 1))
    1.0
    """
    check_numbers_of_points(values)
    arrays = {n: checked_tensor(tensor, n) for n, tensor in sorted(values.items())}
    sizes = {n: array.shape[0] for n, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"all tensors must be on the same points; numbers of points by order: {sizes}")
    size = next(iter(sizes.values()))
    places = np.arange(size)[:, None] if points is None else np.asarray(points, dtype=np.float64)
    places = places[:, None] if places.ndim == 1 else places
    if places.ndim != 2 or len(places) != size or not np.isfinite(places).all():
        raise ValueError(f"points must be finite, of shape ({size}, dim), got shape {places.shape}")
    where = tuple(tuple(sympy.Float(float(c)) for c in p) for p in places)
    tables = tuple((n, sympy.ImmutableDenseNDimArray(array.tolist())) for n, array in arrays.items())
    number = checked_width(width)
    if not number.is_number:
        raise ValueError(f"correlators given as numbers belong to a width that is a number, got {width!r}")
    return ConnectedCorrelators(ValueSource(tables, where, number), max(values))


def from_moments(
    moments: Mapping[int, Any],
    *,
    input_dim: int | None = 1,
    points: Any = None,
    scaling: Mapping[int, Expr] | str = "powers",
    width: Any = None,
) -> ConnectedCorrelators:
    """Return the connected correlators of full moments, mean and odd ones included.

    Parameters
    ----------
    moments : mapping from n to function or array
        ``E[phi(x_1) ... phi(x_n)]`` as in :func:`from_functions`, or numbers as in :func:`from_values`; for every n
        from 1 to the highest, or for every even n (the odd moments then vanish).
    input_dim, scaling
        As in :func:`from_functions`.
    points
        As in :func:`from_values`.
    width
        Value of N.

    Returns
    -------
    ConnectedCorrelators

    Raises
    ------
    TypeError, ValueError
        As the two functions above, and if a moment is missing; the text names it.

    Examples
    --------
    >>> float(from_moments({1: [1.0], 2: [[3.0]]})[2](0, 0))
    2.0
    """
    check_numbers_of_points(moments)
    top, even = max(moments), all(n % 2 == 0 for n in moments)
    missing = [n for n in range(2 if even else 1, top + 1, 2 if even else 1) if n not in moments]
    if missing:
        raise ValueError(f"cumulants up to {top} points need the moments of {missing} points too")
    functions = {n: callable(m) or isinstance(m, sympy.Expr) for n, m in moments.items()}
    if len(set(functions.values())) > 1:
        raise TypeError("give all moments as functions or all as arrays, not some of each")
    if not functions[top]:
        arrays = {n: checked_tensor(tensor, n) for n, tensor in moments.items()}
        cumulants = {n: _tensor_cumulant(arrays, n, even) for n in moments}
        return from_values(cumulants, points=points, width=1 if width is None else width)
    check_input_dim(input_dim)
    known = {n: expression_of(m, n, input_dim) for n, m in moments.items()}
    joint = {n: _expression_cumulant(known, n, input_dim, even) for n in moments}
    return from_functions(joint, input_dim=input_dim, scaling=scaling, width=width)


def _tensor_cumulant(moments: Mapping[int, NDArray[Any]], n: int, even: bool) -> NDArray[Any]:
    total = np.zeros_like(moments[n])
    for partition in set_partitions(range(n), even=even):
        operands: list[Any] = []
        for block in partition:
            operands += [moments[len(block)], list(block)]
        product = np.einsum(*operands, list(range(n)))
        total = total + (-1) ** (len(partition) - 1) * factorial(len(partition) - 1) * product
    return total


def _expression_cumulant(moments: Mapping[int, Expr], n: int, dim: int | None, even: bool) -> Expr:
    def moment(block: tuple[int, ...]) -> Expr:
        return moments[len(block)].xreplace(relabelled(block, dim or 1))

    return sympy.expand_mul(cumulant_from_moments(range(n), moment, even=even))
