r"""Philox4x32-10: random words as a pure function of a counter and a key.

The generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). A counter of four
32-bit words and a key of two give four random 32-bit words; there is no state, so any network can be drawn anywhere, in
any order, and comes out the same bit for bit.

In this package the counter is ``(network within block, block, round of neurons, call within round)`` and the key is the
64-bit seed. Round ``OUTPUT_ROUND`` is set aside for the parameters of the output layer.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numba import njit

OUTPUT_ROUND = 0xFFFFFFFF

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Return four random 32-bit words, held in unsigned 64-bit integers.

    Written once for scalars that numba compiles and for arrays: it needs ``*``, ``&``, ``^``, ``>>`` and ``+`` only.
    Words live in 64-bit lanes because the 32 x 32 -> 64 bit product is then one vector instruction.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64 scalars or arrays that broadcast
        Counter words, each below 2**32.
    k0, k1 : uint64 scalars
        Key words, each below 2**32.

    Returns
    -------
    tuple of four uint64 scalars or arrays
        Each below 2**32.

    Examples
    --------
    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox4x32(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    for _ in range(10):
        p0 = _M0 * (c0 & _LOW)
        p1 = _M1 * (c2 & _LOW)
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0 & _LOW, c1 & _LOW, c2 & _LOW, c3 & _LOW


philox4x32_numba = njit(philox4x32)


def source() -> str:
    """Return the numba source text of ``philox4x32`` with its constants, to paste into a generated module."""
    constants = {"_M0": _M0, "_M1": _M1, "_W0": _W0, "_W1": _W1, "_LOW": _LOW, "_HALF": _HALF}
    lines = [f"{name} = np.uint64({int(value):#x})" for name, value in constants.items()]
    text = inspect.getsource(philox4x32)
    body = text[text.rindex('"""') + 4 :]
    return "\n".join([*lines, "", "@numba.njit(forceinline=True)", "def philox4x32(c0, c1, c2, c3, k0, k1):", body])


def key_words(seed: int) -> tuple[int, int]:
    """Return the two key words (low, high) of a 64-bit seed.

    Examples
    --------
    >>> key_words(2**32 + 5)
    (5, 1)
    """
    return seed & 0xFFFFFFFF, seed >> 32


def random_words(xp: Any, counters: tuple[Any, Any, Any, Any], seed: int) -> tuple[Any, Any, Any, Any]:
    """Return random words as uint32 arrays of the namespace ``xp``.

    Parameters
    ----------
    xp : module
        numpy or cupy.
    counters : tuple of four ints or integer arrays of ``xp`` that broadcast
        Each below 2**32.
    seed : int
        ``0 <= seed < 2**64``; both 32-bit halves are used.

    Returns
    -------
    tuple of four uint32 arrays of ``xp``
    """
    c0, c1, c2, c3 = (xp.asarray(c, dtype=xp.uint64) for c in counters)
    k0, k1 = (xp.uint64(k) for k in key_words(seed))
    w0, w1, w2, w3 = (word.astype(xp.uint32) for word in philox4x32(c0, c1, c2, c3, k0, k1))
    return w0, w1, w2, w3
