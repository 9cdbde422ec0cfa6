"""The compiled kernel that fills one round of networks with normals and angles, from the words of the array code."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import elementary
from numerics._codegen import load_module
from numerics.kernels import philox

Floats = NDArray[np.float64]

_MODULE = """
from numba import njit

U64 = np.uint64
UNIT = 2.0**-32


@njit(nogil=True, error_model='numpy', cache=True)
def fill(first, block, number, key0, key1, normals, turns):
    n_normals, n_turns = normals.shape[1], turns.shape[1]
    n_pairs = (n_normals + 1) // 2
    n_calls = (3 * n_pairs + n_turns + 3) // 4
    for net in range(normals.shape[0]):
        words = np.empty(4 * n_calls)
        for call in range(n_calls):
            w0, w1, w2, w3 = philox4x32(U64(first + net), U64(block), U64(number), U64(call), key0, key1)
            words[4 * call] = np.float64(np.int64(w0))
            words[4 * call + 1] = np.float64(np.int64(w1))
            words[4 * call + 2] = np.float64(np.int64(w2))
            words[4 * call + 3] = np.float64(np.int64(w3))
        left, right = np.empty(n_pairs), np.empty(n_pairs)
        for p in range(n_pairs):
            radius = ROOT((words[3 * p] + (words[3 * p + 1] + 0.5) * UNIT) * UNIT)
            angle = words[3 * p + 2]
            quarter = np.floor(angle * (4 * UNIT))
            y = angle * (4 * UNIT) - quarter + (2.0**-31 - 0.5)
            cosine, sine = radius * COS(y), radius * SIN(y)
            left[p] = (cosine - sine) * (-1.0 if quarter > 1.5 else 1.0)
            right[p] = (cosine + sine) * (-1.0 if abs(quarter - 2.0) == 1.0 else 1.0)
        for p in range(n_pairs):
            normals[net, 2 * p] = left[p]
        for p in range(n_normals // 2):
            normals[net, 2 * p + 1] = right[p]
        for j in range(n_turns):
            turns[net, j] = words[3 * n_pairs + j] * UNIT
"""


@cache
def _module() -> Any:
    names = {"COS": "cos_quarter", "SIN": "sin_quarter", "ROOT": "root_log"}
    body = _MODULE
    for short, name in names.items():
        body = body.replace(f"{short}(", f"{elementary.function_name(name, 'float64')}(")
    library = elementary.library(sorted(names.values()), "float64")
    return load_module(f"{library}\n{philox.source()}\n{body}", label="normals")


def compiled_round(
    first: int, count: int, block: int, number: int, n_normals: int, n_turns: int, seed: int
) -> tuple[Floats, Floats]:
    """Return normals (count, n_normals) and angles in turns (count, n_turns) of one round of consecutive networks.

    The same numbers as :func:`numerics.forward.round_numbers` in float64, to rounding.
    """
    normals, turns = np.empty((count, n_normals)), np.empty((count, n_turns))
    key = (np.uint64(word) for word in philox.key_words(seed))
    _module().fill(first, block, number, *key, normals, turns)
    return normals, turns
