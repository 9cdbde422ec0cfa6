"""Codes for the lines between two vertices: how many half-edges of each type, packed into bits; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled

Ints = NDArray[np.int64]


@compiled
def reserve(missing: Ints, i: int, j: int, code: int, bits: int, partner: Ints, sign: int) -> int:
    """Take the half-edges of a code away from ``i`` and ``j`` (``sign`` -1 gives them back); return the reverse."""
    reverse = 0
    for t in range(partner.size):
        count = (code >> (bits * t)) & ((1 << bits) - 1)
        missing[i, t] -= sign * count
        missing[j, partner[t]] -= sign * count
        reverse |= count << (bits * partner[t])
    return reverse


@compiled
def largest_code(
    missing: Ints, behind: Ints, i: int, j: int, below: int, bits: int, partner: Ints, limits: Ints
) -> int:
    """Return the largest code smaller than ``below`` that vertices ``i`` and ``j`` can take, -1 if there is none.

    Vertex ``i`` must be able to place its other half-edges at the vertices after ``j``, which have
    ``behind[i, j + 1, t]`` of each type. ``limits`` is workspace.
    """
    n_types = partner.size
    smallest, largest = 0, 0
    for t in range(n_types):
        p = partner[t]
        limits[0, t] = max(0, missing[i, t] - behind[i, j + 1, p])
        limits[1, t] = min(missing[i, t], missing[j, p])
        if limits[0, t] > limits[1, t]:
            return -1
        smallest |= limits[0, t] << (bits * t)
        largest |= limits[1, t] << (bits * t)
    if largest < below:
        return largest
    if smallest >= below:
        return -1
    # follow the digits of below - 1 from the top; where one cannot be followed, everything after it is largest
    code, t = 0, n_types - 1
    while t >= 0:
        digit = ((below - 1) >> (bits * t)) & ((1 << bits) - 1)
        if digit > limits[1, t]:
            break
        if digit < limits[0, t]:  # go back to the last digit that can be made smaller
            t += 1
            while (code >> (bits * t)) & ((1 << bits) - 1) == limits[0, t]:
                code &= ~(((1 << bits) - 1) << (bits * t))
                t += 1
            code -= 1 << (bits * t)
            t -= 1
            break
        code |= digit << (bits * t)
        t -= 1
    while t >= 0:
        code |= limits[1, t] << (bits * t)
        t -= 1
    return code


@compiled
def line_exchanges(codes: Ints, bits: int, n_types: int, product: Any) -> Any:
    """Return ``product`` times the number of exchanges of parallel lines."""
    for code in codes:
        for t in range(n_types):
            for k in range(2, ((code >> (bits * t)) & ((1 << bits) - 1)) + 1):
                product *= k
    return product
