r"""The free propagator below a momentum cutoff as numbers, fast for many separations.

.. math:: G(r) = \frac{\Omega_d}{(2\pi)^d} \int_0^\Lambda \frac{p^{d-1}}{p^2 + m^2}\, j_d(p r)\, dp, \qquad
          j_d(z) = \Gamma(\tfrac d2) (2/z)^{d/2 - 1} J_{d/2 - 1}(z)

is an entire function of r whose waves end at the cutoff: a Chebyshev series of a few more than Lambda r/2 terms is
exact to rounding. :func:`diagrams.cutoff_propagator` has the closed forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gamma, pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-13  # size of the last Chebyshev coefficients, relative to the largest


@dataclass(frozen=True)
class CutoffPropagator:
    """The propagator with all momenta below ``cutoff``.

    Parameters
    ----------
    input_dim : int
    mass, cutoff : float

    Examples
    --------
    >>> G = CutoffPropagator(1, 1.0, 8.0)
    >>> np.round(G(np.array([0.0, 0.5])), 6).tolist()
    [0.460417, 0.299465]
    """

    input_dim: int
    mass: float
    cutoff: float

    def __call__(self, r: Floats) -> Floats:
        """Return G at separations r >= 0 of any shape."""
        r = np.asarray(r, dtype=np.float64)
        top = float(r.max(initial=0.0))
        if top == 0.0:
            return np.full(r.shape, float(self._direct(np.zeros(1))[0]))
        values: Floats = self._series(top)(r)
        return values

    def between(self, x: Floats, y: Floats) -> Floats:
        """Return the matrix G(x_i, y_j) of points (n, input_dim) and (m, input_dim)."""
        square = np.zeros((len(x), len(y)))
        for mu in range(self.input_dim):
            square += np.subtract.outer(x[:, mu], y[:, mu]) ** 2
        return self(np.sqrt(square))

    @property
    def at_zero(self) -> float:
        """G(0)."""
        return float(self(np.zeros(())))

    def _series(self, top: float) -> np.polynomial.Chebyshev:
        return _chebyshev(self, top)

    def _direct(self, r: Floats) -> Floats:
        """Return G at separations of shape (n,) by Gauss-Legendre quadrature over the modulus of the momentum."""
        p, w = radial_momenta(self.mass, self.cutoff, float(r.max(initial=0.0)))
        d = self.input_dim
        area = 2 * pi ** (d / 2) / gamma(d / 2)
        density = area / (2 * pi) ** d * w * p ** (d - 1) / (p**2 + self.mass**2)
        values: Floats = angular_average(d, np.multiply.outer(r, p)) @ density
        return values


def radial_momenta(mass: float, cutoff: float, reach: float) -> tuple[Floats, Floats]:
    """Return nodes and weights of a Gauss-Legendre rule on 0 to cutoff for waves over distances up to ``reach``.

    The number of nodes resolves the fastest wave, and the poles of the propagator at plus and minus i mass.
    """
    n = ceil(cutoff * reach / 2 + 40 * (1 + cutoff / mass) ** 0.5 + 20)
    t, w = np.polynomial.legendre.leggauss(n)
    return cutoff * (1 + t) / 2, cutoff * w / 2


def angular_average(dim: int, z: Floats) -> Floats:
    """Return the average of exp(i z n.e) over directions n in ``dim`` dimensions."""
    from scipy.special import jv

    if dim == 1:
        return np.asarray(np.cos(z))
    if dim == 3:
        return np.asarray(np.sinc(z / pi))
    nu = dim / 2 - 1
    safe = np.where(z == 0, 1.0, z)
    return np.where(z == 0, 1.0, gamma(dim / 2) * (2 / safe) ** nu * jv(nu, safe))


@lru_cache(maxsize=64)
def _chebyshev(propagator: CutoffPropagator, top: float) -> np.polynomial.Chebyshev:
    degree = ceil(propagator.cutoff * top / 2 + 10 * (propagator.cutoff * top) ** (1 / 3) + 16)
    while True:
        series = np.polynomial.Chebyshev.interpolate(propagator._direct, degree, domain=[0.0, top])
        size = np.abs(series.coef)
        if size[-3:].max() <= _ROUNDING * size.max() * degree:
            return series
        degree *= 2
