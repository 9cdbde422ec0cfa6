"""The memory in which a thread draws and evaluates a group of networks."""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from numerics.kernels import LANES, Round

_LINE = 64  # bytes; a vector of 512 bits that crosses the end of a line of the cache costs two accesses
_PAGE = 4096  # bytes; where arrays lie within it decides which accesses wait for others

Kind: TypeAlias = tuple[tuple[int, ...], DTypeLike]  # shape and type of an array


def arrays_side_by_side(kinds: list[Kind]) -> list[NDArray[Any]]:
    """Return arrays, not filled, one after the other from the beginning of a page on, each at a line of the cache.

    Examples
    --------
    >>> first, second = arrays_side_by_side([((2, 3), "float32"), ((5,), "float64")])
    >>> second.ctypes.data - first.ctypes.data, first.ctypes.data % 4096
    (64, 0)
    """
    sizes = [-(-prod(shape) * np.dtype(dtype).itemsize // _LINE) * _LINE for shape, dtype in kinds]
    space = np.empty(sum(sizes) + _PAGE, np.uint8)
    start, found = -space.ctypes.data % _PAGE, []
    for (shape, dtype), size in zip(kinds, sizes, strict=True):
        length = prod(shape) * np.dtype(dtype).itemsize
        found.append(space[start : start + length].view(dtype).reshape(shape))
        start += size
    return found


def group_buffers(plan: Round, n_scratch: int, dtype: str, *more: Kind) -> tuple[tuple[NDArray[Any], ...], ...]:
    """Return what kernels take as ``buffers`` (words, openings, normals, phases and scratch), and other arrays.

    Words and normals are in planes: word ``4 c + j`` in plane j, normal ``2 p + j`` in plane j.

    Parameters
    ----------
    plan : Round
    n_scratch : int
        Rows of scratch.
    dtype : {"float64", "float32"}
    more : pairs of a shape and a type
    """
    kinds: list[Kind] = [
        ((4, plan.n_calls, LANES), np.float64 if dtype == "float64" else np.uint32),
        ((plan.n_calls + 1, LANES), np.uint64),
        ((2, plan.n_pairs, LANES), dtype),
        ((max(1, plan.n_phases), LANES), dtype),
        ((n_scratch * LANES,), dtype),
    ]
    arrays = arrays_side_by_side([*kinds, *more])
    return tuple(arrays[: len(kinds)]), tuple(arrays[len(kinds) :])
