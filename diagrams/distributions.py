"""Densities of random parameters: moments and characteristic functions, by rule rather than by integration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, prod

import sympy

from diagrams._distribution import Complex, Distribution, as_parameter, check_order, times
from diagrams._heavy_tails import Density, StudentT
from diagrams.typing import Expr

__all__ = [
    "Complex",
    "Constant",
    "Density",
    "Distribution",
    "Gaussian",
    "StudentT",
    "Uniform",
    "UniformPhase",
    "gaussian_moment",
    "times",
]


@dataclass(frozen=True)
class Gaussian(Distribution):
    """Independent Gaussian components of equal variance and mean.

    Parameters
    ----------
    variance : sympy.Expr
        Variance of each component, not negative.
    mean : sympy.Expr
        Mean of each component, zero by default.

    Raises
    ------
    ValueError
        If the variance is negative, or a parameter is not a finite real expression.
    """

    variance: Expr
    mean: Expr = sympy.S.Zero

    def __post_init__(self) -> None:
        as_parameter(self, "mean")
        if as_parameter(self, "variance").is_negative:
            raise ValueError(f"the variance of a Gaussian must be >= 0, got {self.variance}")

    def moment(self, order: int) -> Expr:
        """Return E[w**order] of one component; ``(order - 1)!! variance**(order/2)`` or zero if the mean is zero."""
        check_order(order)
        return gaussian_moment(order, self.mean, self.variance)

    def cumulant(self, order: int) -> Expr:
        """Return the mean, the variance, and zero beyond."""
        return {1: self.mean, 2: self.variance}.get(order, sympy.S.Zero)

    @property
    def is_symmetric(self) -> bool:
        """True if the mean is zero."""
        return bool(self.mean == 0)

    @property
    def support(self) -> tuple[Expr, Expr]:
        """The real line."""
        return -sympy.oo, sympy.oo

    def density(self, value: Expr) -> Expr:
        """Return the density of one component at ``value``."""
        return sympy.exp(-((value - self.mean) ** 2) / (2 * self.variance)) / sympy.sqrt(2 * sympy.pi * self.variance)

    def scaled(self, factor: Expr) -> Gaussian:
        """Return the density of ``factor * w``."""
        return Gaussian(factor**2 * self.variance, factor * self.mean)

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return E[prod w_j**p_j exp(i k.w)]: shift w to mean + i variance k and take its Gaussian moments."""
        # of k and -k always the same one, so that equal terms of a sum merge
        squares = ((-k if k.could_extract_minus_sign() else k) ** 2 for k in map(sympy.sympify, wave_vector))
        damping = sympy.exp(-self.variance / 2 * sympy.Add(*squares))
        total: Complex = (damping, sympy.S.Zero)
        if self.mean != 0:
            angle = self.mean * sympy.Add(*wave_vector)
            total = (damping * sympy.cos(angle), damping * sympy.sin(angle))
        for power, k in zip(powers, wave_vector, strict=True):
            if power:
                total = times(total, self._shifted_moment(power, k))
        return total

    def _shifted_moment(self, power: int, k: Expr) -> Complex:
        """Return E[(mean + i variance k + z)**power] for z of zero mean."""
        total: list[list[Expr]] = [[], []]
        for q in range(power + 1):
            even = comb(power, q) * gaussian_moment(power - q, self.mean, self.variance)
            sign = 1 if q % 4 < 2 else -1
            total[q % 2].append(sign * even * (self.variance * k) ** q)
        return sympy.Add(*total[0]), sympy.Add(*total[1])

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{N}}\!\left({sympy.latex(self.mean)}, {sympy.latex(self.variance)}\right)"


def gaussian_moment(order: int, mean: Expr, variance: Expr) -> Expr:
    """Return E[w**order] of a Gaussian; ``mean`` may be any expression."""
    if mean == 0:
        return sympy.S.Zero if order % 2 else _pairings(order) * variance ** (order // 2)
    pairs = range(order // 2 + 1)
    return sympy.Add(*(comb(order, 2 * j) * _pairings(2 * j) * variance**j * mean ** (order - 2 * j) for j in pairs))


def _pairings(n: int) -> int:
    return prod(range(1, n, 2))


@dataclass(frozen=True)
class UniformPhase(Distribution):
    """An angle uniform on (-pi, pi)."""

    def moment(self, order: int) -> Expr:
        """Return E[b**order]."""
        check_order(order)
        return sympy.S.Zero if order % 2 else sympy.pi**order / (order + 1)

    @property
    def is_symmetric(self) -> bool:
        """True."""
        return True

    @property
    def support(self) -> tuple[Expr, Expr]:
        """From -pi to pi."""
        return -sympy.pi, sympy.pi

    def density(self, value: Expr) -> Expr:
        """Return the density of one component at ``value`` (constant)."""
        return 1 / (2 * sympy.pi)

    def scaled(self, factor: Expr) -> UniformPhase:
        """Return the density of ``factor * b``; an angle has no scale.

        Raises
        ------
        ValueError
            If the factor is not one.
        """
        if factor != 1:
            raise ValueError(f"an angle cannot be scaled, got the factor {factor}; use Uniform")
        return self

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return E[b**p exp(i k b)] for an integer k.

        Raises
        ------
        ValueError
            If the component of ``wave_vector`` is not an integer.
        """
        (k,), (power,) = map(sympy.sympify, wave_vector), powers
        if not k.is_Integer:
            raise ValueError(f"the phase average is defined here for integer multiples of the phase, got {k}")
        if k == 0:
            return self.moment(power), sympy.S.Zero
        return _phase_moment(power, int(k))

    def characteristic_function(self, wave_vector: Sequence[Expr]) -> Expr:
        """Return E[exp(i k b)] for an integer k: one at k = 0, else zero."""
        return self.fourier_moment((0,), wave_vector)[0]

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{U}}(-\pi, \pi)"


def _phase_moment(power: int, k: int) -> Complex:
    """Return E[b**power exp(i k b)] for an integer k other than zero, by parts."""
    total: Complex = (sympy.S.Zero, sympy.S.Zero)
    for p in range(1, power + 1):
        # [b**p exp(i k b) / (i k)] between the ends, divided by 2 pi, less (p / (i k)) times the moment before
        edge = (-1) ** k * sympy.pi ** (p - 1) / k if p % 2 else sympy.S.Zero
        re, im = total
        total = (-sympy.Integer(p) / k * im, sympy.Integer(p) / k * re - edge)
    return total


@dataclass(frozen=True)
class Uniform(Distribution):
    """Independent components uniform between ``lower`` and ``upper``.

    Raises
    ------
    ValueError
        If ``lower`` is not below ``upper``, or one of them is not a finite real expression.
    """

    lower: Expr
    upper: Expr

    def __post_init__(self) -> None:
        width = as_parameter(self, "upper") - as_parameter(self, "lower")
        if width.is_nonpositive:
            raise ValueError(f"a uniform density needs lower < upper, got {self.lower} and {self.upper}")

    def moment(self, order: int) -> Expr:
        """Return E[w**order] of one component."""
        check_order(order)
        a, b = self.lower, self.upper
        if a == -b:
            return sympy.S.Zero if order % 2 else b**order / (order + 1)
        return sympy.Add(*(a**j * b ** (order - j) for j in range(order + 1))) / (order + 1)

    @property
    def is_symmetric(self) -> bool:
        """True if the interval is symmetric about zero."""
        return bool(self.lower == -self.upper)

    @property
    def support(self) -> tuple[Expr, Expr]:
        """The interval."""
        return self.lower, self.upper

    def density(self, value: Expr) -> Expr:
        """Return the density of one component at ``value`` inside the interval."""
        return 1 / (self.upper - self.lower)

    def scaled(self, factor: Expr) -> Uniform:
        """Return the density of ``factor * w`` for a positive factor."""
        return Uniform(factor * self.lower, factor * self.upper)

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return E[prod w_j**p_j exp(i k.w)], in functions that stay finite at k = 0."""
        from diagrams.special import interval_fourier_moment

        centre, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        total: Complex = (sympy.S.One, sympy.S.Zero)
        for power, k in zip(powers, wave_vector, strict=True):
            total = times(total, interval_fourier_moment(power, k, centre, half))
        return total

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{U}}\!\left({sympy.latex(self.lower)}, {sympy.latex(self.upper)}\right)"


@dataclass(frozen=True)
class Constant(Distribution):
    """A number that is not random."""

    value: Expr

    def __post_init__(self) -> None:
        as_parameter(self, "value")

    def moment(self, order: int) -> Expr:
        """Return value**order."""
        check_order(order)
        return self.value**order

    def cumulant(self, order: int) -> Expr:
        """Return the value at order one, zero beyond."""
        return self.value if order == 1 else sympy.S.Zero

    @property
    def is_symmetric(self) -> bool:
        """True only for zero."""
        return bool(self.value == 0)

    @property
    def support(self) -> tuple[Expr, Expr]:
        """The value, twice."""
        return self.value, self.value

    def density(self, value: Expr) -> Expr:
        """Return a delta function."""
        return sympy.DiracDelta(value - self.value)

    def scaled(self, factor: Expr) -> Constant:
        """Return ``factor`` times the number."""
        return Constant(factor * self.value)

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return value**sum(p) exp(i value sum(k))."""
        size, angle = self.value ** sum(powers), self.value * sympy.Add(*wave_vector)
        return size * sympy.cos(angle), size * sympy.sin(angle)

    def density_latex(self, name: str) -> str:
        """Return "name = value" in LaTeX."""
        return f"{name} = {sympy.latex(self.value)}"
