"""Singular two-point functions: whether the action on points exists, and the range of the kernel on which it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.contract import Graded

MAX_CONDITION = 1e13  # beyond it float64 leaves no correct digit in the inverse two-point function
_KEPT, _DROPPED = 1e-9, 1e-13  # relative eigenvalues above and below which a direction is in the range or not
_Array = NDArray[np.float64]


def check_invertible(kernel: _Array, x: _Array) -> None:
    """Raise ValueError if a two-point function on points is singular to rounding; the text says how, and what to do."""
    condition = np.linalg.cond(kernel)
    if condition < MAX_CONDITION:
        return
    values = np.asarray(np.linalg.eigvalsh(kernel), np.float64)
    rank, m = int((values > _DROPPED * values.max()).sum()), len(x)
    if rank < m and not _is_undecided(values):
        raise ValueError(
            f"the two-point function on these {m} points has rank {rank}: it is singular, the fields obey {m - rank} "
            "linear relation(s) and have no density. Use at most as many points as the rank, or ask for the action on "
            f"the range of the kernel with on_range=True{_closest(x)}"
        )
    raise ValueError(
        f"the two-point function on these points is singular to rounding (condition number {condition:.1e})"
        f"{_closest(x)}. Use fewer points, or spread them out"
    )


def _closest(x: _Array) -> str:
    if len(x) < 2:
        return ""
    gaps = np.linalg.norm(x[:, None] - x[None], axis=-1) + np.diag(np.full(len(x), np.inf))
    i, j = divmod(int(np.argmin(gaps)), len(x))
    return f"; the closest points are {i} and {j}, {gaps[i, j]:.3g} apart"


def _is_undecided(values: _Array) -> bool:
    relative = values / values.max()
    return bool(((relative > _DROPPED) & (relative < _KEPT)).any() or relative.min() < -_DROPPED)


def range_basis(kernel: _Array, series: Mapping[int, Graded]) -> _Array:
    """Return an orthonormal basis of the range of a two-point function, as columns of an array (n_points, rank).

    Parameters
    ----------
    kernel : array (m, m)
        The two-point function at order zero.
    series : mapping from n to mapping from powers to array
        All connected correlators; they must vanish off the range, as those of fields with linear relations do.

    Raises
    ------
    ValueError
        If the rank is not clear to rounding, or a correlator does not vanish off the range.
    """
    values, vectors = (np.asarray(part, np.float64) for part in np.linalg.eigh(kernel))
    if values.max() <= 0 or _is_undecided(values):
        shown = ", ".join(f"{v:.2g}" for v in values)
        raise ValueError(
            f"the rank of the two-point function is not clear to rounding: its eigenvalues are {shown}, and there must "
            f"be none between {_DROPPED:g} and {_KEPT:g} of the largest. Use fewer points, or spread them out"
        )
    inside = values > _KEPT * values.max()
    basis, off = vectors[:, inside], vectors[:, ~inside]
    for n, graded in series.items():
        for tensor in graded.values():
            outside = np.abs(np.tensordot(tensor, off, axes=(0, 0))).max(initial=0)
            if outside > 1e-6 * np.abs(tensor).max():
                raise ValueError(
                    f"the {n}-point correlator does not vanish off the range of the two-point function at order zero: "
                    "there is no action to expand about there"
                )
    return np.ascontiguousarray(basis)


def on_basis(series: Mapping[int, Graded], basis: _Array) -> dict[int, Graded]:
    """Return the correlators of the coordinates ``basis.T @ phi``."""
    return {n: {p: _moved(tensor, basis) for p, tensor in graded.items()} for n, graded in series.items()}


def _moved(tensor: Any, basis: _Array) -> Any:
    for _ in range(tensor.ndim):
        tensor = np.tensordot(tensor, basis, axes=(0, 0))
    return tensor
