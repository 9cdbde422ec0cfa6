r"""Gaussian averages of products of signs and of error functions, by integrals over one variable for each extra pair.

With :math:`R(t)` the correlation matrix whose elements off the diagonal are multiplied by t,

.. math:: \frac{d}{dt} E \prod_i \operatorname{sgn} g_i = \sum_{i<j} \frac{2}{\pi}
          \frac{R_{ij}}{\sqrt{1 - t^2 R_{ij}^2}}
          \; E\Bigl[\prod_{k \ne i,j} \operatorname{sgn} g_k \Bigm| g_i = g_j = 0\Bigr],

(Plackett, Biometrika 41 (1954) 351), which starts from the arcsine law for two and needs no more variables in more
dimensions. Error functions are signs averaged over a normal of their own, :math:`\operatorname{erf}(z) =
E_u \operatorname{sgn}(\sqrt2 z + u)`.
"""

from __future__ import annotations

from itertools import combinations
from math import pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES = (12, 18, 27, 40, 60, 90)
_CHUNK = 1 << 21  # numbers per temporary array


def sign_moments(correlations: Floats, n_nodes: int) -> Floats:
    """Return ``E prod_i sgn(g_i)`` for Gaussian vectors with these correlation matrices.

    Parameters
    ----------
    correlations : array (..., n, n)
        Positive definite with ones on the diagonal, n even.
    n_nodes : int
        Gauss-Legendre nodes of each integral.

    Returns
    -------
    array (...)

    Examples
    --------
    >>> r = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> float(sign_moments(r, 12)) * 3  # 2/pi asin(1/2) = 1/3
    1.0
    """
    n = correlations.shape[-1]
    if n == 0:
        return np.ones(correlations.shape[:-2])
    if n == 2:
        return 2 / pi * np.arcsin(correlations[..., 0, 1])
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    t = ((nodes + 1) / 2).reshape(-1, *[1] * (correlations.ndim - 2))
    scaled = t[..., None, None] * correlations
    total = np.zeros(correlations.shape[:-2])
    for i, j in combinations(range(n), 2):
        a = scaled[..., i, j]
        conditional = sign_moments(_given_zero(scaled, i, j), n_nodes)
        slopes = 2 / pi * correlations[..., i, j] / np.sqrt(1 - a * a)
        total += np.tensordot(weights / 2, slopes * conditional, axes=1)
    return total


def _given_zero(scaled: Floats, i: int, j: int) -> Floats:
    """Return the correlations of the other variables given that i and j vanish; the diagonal is taken as one."""
    n = scaled.shape[-1]
    rest = [k for k in range(n) if k not in (i, j)]
    a, left, right = scaled[..., i, j], scaled[..., rest, i], scaled[..., rest, j]
    shrink = 1 / (1 - a * a)
    size = 1 / np.sqrt(1 - shrink[..., None] * (left * (left - 2 * a[..., None] * right) + right * right))
    found = np.empty((*scaled.shape[:-2], n - 2, n - 2))
    for p, q in combinations(range(n - 2), 2):
        l, r = left[..., p], right[..., p]
        taken = l * left[..., q] + r * right[..., q] - a * (l * right[..., q] + r * left[..., q])
        found[..., p, q] = (scaled[..., rest[p], rest[q]] - shrink * taken) * size[..., p] * size[..., q]
        found[..., q, p] = found[..., p, q]
    found[..., range(n - 2), range(n - 2)] = 1.0
    return found


def erf_moments(covariance: Floats, index: NDArray[np.intp], *, rtol: float = 1e-11) -> Floats | None:
    """Return ``E prod_i erf(z_i)`` for each index tuple into Gaussian variables z; None if it does not converge.

    Parameters
    ----------
    covariance : array (m, m)
        Of all variables.
    index : array (K, n) of int
        An index may be repeated.
    rtol : float
        Of the largest average.
    """
    n = index.shape[1]
    if n % 2:
        return np.zeros(len(index))
    size = np.sqrt(1 + 2 * np.diag(covariance))
    correlations = (2 * covariance / np.outer(size, size))[index[:, :, None], index[:, None, :]]
    correlations[:, range(n), range(n)] = 1.0
    previous: Floats | None = None
    for n_nodes in _NODES:
        step = max(1, _CHUNK // (n * n * n_nodes ** (n // 2 - 1)))
        parts = [sign_moments(correlations[k : k + step], n_nodes) for k in range(0, len(index), step)]
        found = np.concatenate(parts)
        if n == 2 or (previous is not None and np.abs(found - previous).max() <= rtol * np.abs(found).max()):
            return found
        previous = found
    return None
