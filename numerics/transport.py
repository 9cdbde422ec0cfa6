r"""Random parameters of any density as smooth functions of standard normals, kept as cubic splines.

A parameter with distribution function F is :math:`T(z) = F^{-1}(\Phi(z))` of a standard normal z, and an isotropic
vector in d dimensions whose length has distribution function R is :math:`k = g\, m(|g|)` with
:math:`m(\rho) = R^{-1}(\chi_d(\rho)) / \rho`, g a vector of d standard normals and :math:`\chi_d` the distribution
function of its length. Both maps are smooth where the density is, so splines over a few thousand knots are good to
about 1e-11 of the scale of the density; where a density jumps or has a corner, to the square of the spacing of knots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]

N_CELLS = 1 << 12
_LARGEST_NORMAL = 9.5  # Box-Muller from 64 bits stays below sqrt(2 ln(2**65)) = 9.49
_QUADRATURE_CELLS, _NODES = 4096, 12
_STEPS = 60  # of bisection
_REACH = 60.0  # infinite supports are cut at exp(60) times the width of the density


@dataclass(frozen=True, eq=False)
class Transport:
    """A cubic spline on equidistant knots.

    Parameters
    ----------
    low, inverse_step : float
        First knot, and inverse of the spacing.
    coefficients : array (n_cells, 4)
        Of ``1, t, t**2, t**3`` in each cell, t from 0 to 1.
    """

    low: float
    inverse_step: float
    coefficients: Floats

    @classmethod
    def through(cls, low: float, high: float, values: Floats) -> Transport:
        """Return the spline through values at equidistant knots from ``low`` to ``high``."""
        n = len(values) - 1
        powers = CubicSpline(np.arange(n + 1.0), values).c[::-1].T
        return cls(low, n / (high - low), np.ascontiguousarray(powers))

    def __call__(self, xp: Any, z: Any) -> Any:
        """Return the spline at an array of ``xp``, in the type of the array; beyond the ends, at the ends."""
        n = len(self.coefficients)
        table = xp.asarray(self.coefficients, dtype=z.dtype)
        s = xp.clip((z - xp.asarray(self.low, z.dtype)) * xp.asarray(self.inverse_step, z.dtype), 0, n)
        cell = xp.minimum(s.astype(xp.int64), n - 1)
        t = s - cell.astype(z.dtype)
        c = table[cell]
        return ((c[..., 3] * t + c[..., 2]) * t + c[..., 1]) * t + c[..., 0]


def quantile_map(density: Callable[[Floats], Floats], lower: float, upper: float) -> Transport:
    """Return T with ``T(z)`` of the given density for a standard normal z.

    Parameters
    ----------
    density : callable
        Takes and returns arrays; need not be normalised.
    lower, upper : float
        Ends of the support, infinite ones allowed.

    Raises
    ------
    ValueError
        If the density is negative or not finite somewhere, or cannot be normalised.

    Examples
    --------
    >>> T = quantile_map(lambda x: np.exp(-x), 0.0, np.inf)
    >>> bool(np.allclose(T(np, np.array([-2.0, 0.0, 2.0])), -special.log_ndtr([2.0, 0.0, -2.0]), rtol=1e-9))
    True
    """
    z = np.linspace(-_LARGEST_NORMAL, _LARGEST_NORMAL, N_CELLS + 1)
    values = _Distribution(density, lower, upper).quantiles(special.ndtr(z), special.ndtr(-z))
    return Transport.through(-_LARGEST_NORMAL, _LARGEST_NORMAL, values)


def radial_map(weight: Callable[[Floats], Floats], radius: float, dimension: int) -> Transport:
    """Return m such that ``g m(|g|)`` has the isotropic density ``weight(|k|)`` within a ball, for d normals g.

    Parameters
    ----------
    weight : callable
        Density up to a factor as a function of |k|, finite and positive at 0.
    radius : float
        Radius of the ball; infinity is allowed.
    dimension : int
        Components of k.

    Raises
    ------
    ValueError
        As :func:`quantile_map`.
    """
    largest = _LARGEST_NORMAL * dimension**0.5
    rho = np.linspace(0, largest, N_CELLS + 1)
    lengths = _Distribution(lambda k: k ** (dimension - 1) * weight(k), 0.0, radius)
    chi = stats.chi(dimension)
    values = np.empty_like(rho)
    values[1:] = lengths.quantiles(chi.cdf(rho[1:]), chi.sf(rho[1:])) / rho[1:]
    # a vector's density at 0 is multiplied by m(0)**d: that of g there is (2 pi)**(-d/2)
    at_zero = float(weight(np.zeros(1))[0]) / (lengths.norm * _sphere(dimension))
    values[0] = ((2 * np.pi) ** (-dimension / 2) / at_zero) ** (1 / dimension)
    return Transport.through(0.0, largest, values)


def _sphere(dimension: int) -> float:
    """Return the area of the unit sphere in d dimensions."""
    return float(2 * np.pi ** (dimension / 2) / special.gamma(dimension / 2))


class _Distribution:
    """Distribution function of a density on an interval, by Gauss-Legendre quadrature over many cells."""

    def __init__(self, density: Callable[[Floats], Floats], lower: float, upper: float) -> None:
        self._density, self._lower, self._upper = density, lower, upper
        self._centre, self._scale = 0.0, 1.0
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        self._nodes, self._weights = (nodes + 1) / 2, weights / 2
        self._tabulate()
        for _ in range(0 if np.isfinite([lower, upper]).all() else 2):  # where the density is, and how wide
            low, middle, high = self.quantiles(np.array([0.25, 0.5, 0.75]), np.array([0.75, 0.5, 0.25]))
            self._centre, self._scale = float(middle), float(high - low)
            self._tabulate()

    def _tabulate(self) -> None:
        first, last = (0.0, 1.0) if np.isfinite([self._lower, self._upper]).all() else (-_REACH, _REACH)
        self._edges = np.linspace(first, last, _QUADRATURE_CELLS + 1)
        mass = self._mass(self._edges[:-1], self._edges[1:])
        self.norm = float(mass.sum())
        if not np.isfinite(self.norm) or self.norm <= 0:
            raise ValueError(f"the density on ({self._lower}, {self._upper}) has norm {self.norm}: it must be positive")
        if mass.min() < 0:
            raise ValueError(f"the density on ({self._lower}, {self._upper}) is negative somewhere")
        self._below = np.concatenate([[0.0], np.cumsum(mass)])
        self._above = np.concatenate([np.cumsum(mass[::-1])[::-1], [0.0]])

    def _place(self, s: Floats) -> tuple[Floats, Floats]:
        """Return x(s) and dx/ds of the variable in which cells are equal."""
        lower, upper = self._lower, self._upper
        if np.isfinite(lower) and np.isfinite(upper):
            return lower + (upper - lower) * s, np.full_like(s, upper - lower)
        if np.isfinite(lower):
            step = self._scale * np.exp(s)
            return lower + step, step
        if np.isfinite(upper):
            step = self._scale * np.exp(-s)
            return upper - step, step
        return self._centre + self._scale * np.sinh(s), self._scale * np.cosh(s)

    def _mass(self, start: Floats, stop: Floats) -> Floats:
        """Return the integrals of the density between two values of s in one cell."""
        s = start[:, None] + (stop - start)[:, None] * self._nodes
        x, slope = self._place(s)
        with np.errstate(over="ignore", under="ignore"):
            values = np.asarray(self._density(x), dtype=np.float64) * slope
        return np.asarray((values @ self._weights) * (stop - start))

    def quantiles(self, below: Floats, above: Floats) -> Floats:
        """Return x with the probability ``below`` under it; ``above`` is its complement, without rounding."""
        is_left = below <= above
        left = np.searchsorted(self._below, below * self.norm, side="right") - 1
        right = np.searchsorted(-self._above, -above * self.norm, side="right") - 1
        cell = np.clip(np.where(is_left, left, right), 0, len(self._edges) - 2)
        first = self._edges[cell]
        wanted = np.where(is_left, below * self.norm - self._below[cell], self._above[cell] - above * self.norm)
        low, high = first.copy(), self._edges[cell + 1].copy()
        for _ in range(_STEPS):
            middle = (low + high) / 2
            is_low = self._mass(first, middle) < wanted
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return self._place((low + high) / 2)[0]
