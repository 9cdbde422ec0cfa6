r"""Powers of a cosine network integrated over a region in closed form: sums over tuples of neurons.

With :math:`\phi(x) = \sum_i w_i \cos(k_i \cdot x + c_i) = \sum_a u_a e^{i q_a \cdot x}`, two modes per neuron,

.. math:: \int f \phi^n = \sum_{a_1 \ldots a_n} u_{a_1} \cdots u_{a_n}\, \tilde f(q_{a_1} + \ldots + q_{a_n}),
          \qquad \tilde f(q) = \int f(x)\, e^{i q \cdot x} d^dx .

The tuple is cut in two: :math:`\phi^{n_1}` and :math:`\phi^{n_2}` are sums over multisets of modes, and the transform
of the weight is a matrix between them. There are of order :math:`N^n` terms; quadrature needs of order N.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.regions import Box, GaussianWeight, Region, Sites

Floats = NDArray[np.float64]

_MAX_TERMS = 1 << 27


def power_integral(
    power: int, region: Region, *, amplitudes: ArrayLike, momenta: ArrayLike, phases: ArrayLike
) -> Floats:
    r"""Return :math:`\int f(x)\, \phi(x)^n\, d^dx` of networks :math:`\phi = \sum_i w_i \cos(k_i \cdot x + c_i)`.

    Parameters
    ----------
    power : int
        n, at least 1.
    region : Region
        f, with numbers.
    amplitudes, phases : array_like (n_nets, N)
        w and c.
    momenta : array_like (n_nets, N, dim)
        k.

    Returns
    -------
    array (n_nets,)

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are more than 2**27 terms.

    Examples
    --------
    >>> one = power_integral(2, Box(2), amplitudes=[[1.0]], momenta=[[[3.0]]], phases=[[0.0]])
    >>> bool(abs(one[0] - (1 + np.sin(6) / 6)) < 1e-15)
    True
    """
    w, k, c = (np.asarray(a, dtype=np.float64) for a in (amplitudes, momenta, phases))
    if w.ndim != 2 or k.shape[:2] != w.shape or k.ndim != 3 or c.shape != w.shape:
        raise ValueError(
            f"need amplitudes and phases (n_nets, N) and momenta (n_nets, N, dim), got {w.shape}, {c.shape}, {k.shape}"
        )
    modes = np.concatenate([w * np.exp(1j * c), w * np.exp(-1j * c)], axis=1) / 2
    waves = np.concatenate([k, -k], axis=1)
    left, right = (_multisets(modes.shape[1], n) for n in (power // 2, power - power // 2))
    if len(left[0]) * len(right[0]) > _MAX_TERMS:
        raise ValueError(f"a closed sum of {len(left[0]) * len(right[0])} terms for N = {w.shape[1]}: use quadrature")
    result = np.empty(len(w))
    for i in range(len(w)):  # one network at a time: the matrix is as large as its number of terms
        (u, p), (v, q) = (_powers(modes[i], waves[i], *half) for half in (left, right))
        result[i] = (u @ _transform(region, p[:, None] + q[None]) @ v).real
    return result


def _multisets(n_modes: int, size: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the multisets of modes of a size, shape (n, size), and the number of orderings of each."""
    found = list(combinations_with_replacement(range(n_modes), size))
    ways = [factorial(size) / prod(factorial(m) for m in Counter(t).values()) for t in found]
    return np.array(found, dtype=np.int64).reshape(len(found), size), np.array(ways)


def _powers(modes: Any, waves: Floats, members: NDArray[np.int64], ways: Floats) -> tuple[Any, Floats]:
    """Return amplitudes and wave vectors of a power of the field."""
    return ways * modes[members].prod(axis=1), waves[members].sum(axis=1)


def _transform(region: Region, q: Floats) -> Any:
    """Return the Fourier transform of the weight at wave vectors of shape (..., dim)."""
    if isinstance(region, Box):
        length = float(region.length)
        return (length * np.sinc(q * length / (2 * np.pi))).prod(axis=-1)
    if isinstance(region, GaussianWeight):
        length = float(region.length)
        return (2 * np.pi * length**2) ** (q.shape[-1] / 2) * np.exp(-(length**2) * (q**2).sum(axis=-1) / 2)
    if isinstance(region, Sites):
        pairs = zip(region.points, region.weights, strict=True)
        return sum(float(w) * np.exp(1j * q @ np.array([float(x) for x in p])) for p, w in pairs)
    raise TypeError(f"there is no closed transform of {region!r}")
