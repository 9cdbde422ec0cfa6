"""Validation of points at the public edge: shape, type, finiteness, distinctness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_points(points: ArrayLike, input_dim: int) -> NDArray[np.float64]:
    """Return points as a float64 array of shape (n_points, input_dim).

    Parameters
    ----------
    points : array_like (n_points, input_dim)
        Real numbers (integers are converted).
    input_dim : int
        Number of components of a point.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, there is no point, or a coordinate is not finite (the text names the first).

    Examples
    --------
    >>> as_points([[0], [1]], 1).shape
    (2, 1)
    """
    array = np.asarray(points)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"points must be real numbers, got an array of dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] != input_dim or not len(array):
        hint = "; in one dimension write x[:, None]" if input_dim == 1 and array.ndim == 1 else ""
        raise ValueError(f"points must have shape (n_points, {input_dim}) with n_points >= 1, got {array.shape}{hint}")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(f"point {bad} is {array[bad].tolist()}: coordinates must be finite")
    return np.ascontiguousarray(array, dtype=np.float64)


def check_distinct(x: NDArray[np.float64]) -> None:
    """Raise ValueError if two points coincide; the text names the pair."""
    gaps = np.abs(x[:, None] - x[None]).max(axis=-1)
    i, j = np.nonzero(np.triu(gaps == 0, k=1))
    if len(i):
        raise ValueError(
            f"points {i[0]} and {j[0]} coincide at {x[i[0]].tolist()}: the two-point function there is a singular "
            "matrix, which the action needs the inverse of. Remove one of them"
        )
