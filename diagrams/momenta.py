"""Rotation-invariant densities of vectors inside a ball: uniform, or a function of the length such as a propagator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb, prod

import sympy

from diagrams._distribution import Complex, Distribution, as_parameter
from diagrams.expectation import ParameterIntegral, integration_variable
from diagrams.special import BesselRatio
from diagrams.symbols import symbol
from diagrams.typing import Expr

MODULUS = symbol("k")


def sphere_area(dim: int) -> Expr:
    """Return the area of the unit sphere in ``dim`` dimensions, 2 in one dimension."""
    half = sympy.Rational(dim, 2)
    return 2 * sympy.pi**half / sympy.gamma(half)


def angular_moment(powers: Sequence[int]) -> Expr:
    """Return the average of prod_j n_j**powers_j over unit vectors n."""
    if any(p % 2 for p in powers):
        return sympy.S.Zero
    top = prod(prod(range(1, p, 2)) for p in powers)
    return sympy.Rational(top, prod(len(powers) + 2 * i for i in range(sum(powers) // 2)))


def radial_power_integral(dim: int, exponent: Expr, mass: Expr, radius: Expr) -> Expr:
    r"""Return :math:`\int_0^\Lambda k^{d-1} (k^2 + m^2)^{-q} dk`.

    Elementary for integer and half-integer q, and for any number q in even dimensions.

    Parameters
    ----------
    dim : int
        d, at least 1.
    exponent : sympy.Expr
        q.
    mass, radius : sympy.Expr
        m and Lambda.
    """
    q = sympy.sympify(exponent)
    if not q.is_Integer and ((dim % 2 == 0 and q.is_number) or (2 * q).is_Integer):
        return _root_integral(dim, q, mass, radius)
    if not q.is_Integer:
        half = sympy.Rational(dim, 2)
        series = sympy.hyper((q, half), (half + 1,), -(radius**2) / mass**2)
        return radius**dim / (dim * mass ** (2 * q)) * series
    if q <= 0:
        power = int(-q)
        return sympy.Add(
            *(
                comb(power, j) * mass ** (2 * (power - j)) * radius ** (2 * j + dim) / (2 * j + dim)
                for j in range(power + 1)
            )
        )
    if dim > 2:
        lower = radial_power_integral(dim - 2, q - 1, mass, radius)
        return lower - mass**2 * radial_power_integral(dim - 2, q, mass, radius)
    if dim == 2:
        if q == 1:
            return sympy.log(1 + radius**2 / mass**2) / 2
        return (mass ** (2 - 2 * q) - (radius**2 + mass**2) ** (1 - q)) / (2 * (q - 1))
    if q == 1:
        return sympy.atan(radius / mass) / mass
    last = radial_power_integral(1, q - 1, mass, radius)
    return (radius / (radius**2 + mass**2) ** (q - 1) + (2 * q - 3) * last) / (2 * (q - 1) * mass**2)


def _root_integral(dim: int, q: Expr, mass: Expr, radius: Expr) -> Expr:
    """Return the integral for a q that is no integer: half-integer, or any number in even dimensions."""
    if dim > 2:
        lower = _root_integral(dim - 2, q - 1, mass, radius)
        return lower - mass**2 * _root_integral(dim - 2, q, mass, radius)
    square = radius**2 + mass**2
    if dim == 2:
        return (square ** (1 - q) - mass ** (2 - 2 * q)) / (2 * (1 - q))
    if q == sympy.S.Half:
        return sympy.asinh(radius / mass)
    if q > 0:
        last = _root_integral(1, q - 1, mass, radius)
        return (radius * square ** (1 - q) + (2 * q - 3) * last) / (2 * (q - 1) * mass**2)
    return (2 * q * mass**2 * _root_integral(1, q + 1, mass, radius) - radius * square**-q) / (2 * q - 1)


@cache
def plane_wave(dim: int, powers: tuple[int, ...]) -> tuple[Expr, bool, Expr, tuple[sympy.Symbol, ...]]:
    """Return the average over directions of prod_j k_j**p_j exp(i k.r), whether imaginary, and its symbols k, r."""
    k, r = sympy.Dummy("k", positive=True), tuple(sympy.Dummy(f"r_{j}", real=True) for j in range(dim))
    wave = BesselRatio(sympy.Rational(dim, 2) - 1, k**2 * sympy.Add(*(c**2 for c in r)))
    if dim == 1:
        wave = sympy.cos(k * r[0])
    for coordinate, power in zip(r, powers, strict=True):
        wave = sympy.diff(wave, coordinate, power) if power else wave
    total = sum(powers)
    sign = 1 if total % 4 in (0, 3) else -1  # (-i)**total
    return sign * wave, bool(total % 2), k, r


class RadialDistribution(Distribution):
    """Density of a vector that depends on its length only, inside a ball."""

    dim: int
    radius: Expr

    @property
    def profile(self) -> Expr:
        """The density as a function of the length ``symbol("k")``, not normalised."""
        raise NotImplementedError

    def radial_integral(self, function: Expr) -> Expr:
        """Return the integral of a function of the length ``symbol("k")`` over the ball, without the density."""
        raise NotImplementedError

    def wave_integral(self, function: Expr, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return the integral over the ball of function(|k|) prod_j k_j**p_j exp(i k.r), real and imaginary part."""
        if len(wave_vector) != self.dim:
            raise ValueError(f"a vector of {self.dim} components was expected, got {len(wave_vector)}")
        if all(c == 0 for c in wave_vector):
            power = function * MODULUS ** sum(powers)
            average = angular_moment(powers)
            return (average * self.radial_integral(power) if average != 0 else sympy.S.Zero), sympy.S.Zero
        wave, is_imaginary, k, r = plane_wave(self.dim, tuple(powers))
        placed = wave.xreplace(dict(zip(r, wave_vector, strict=True)))
        u = integration_variable(1)
        length = self.radius * u
        integrand = (function * MODULUS ** (self.dim - 1)).xreplace({MODULUS: length}) * placed.xreplace({k: length})
        value = sphere_area(self.dim) * self.radius * ParameterIntegral(integrand, (u, 0, 1))
        return (sympy.S.Zero, value) if is_imaginary else (value, sympy.S.Zero)

    @property
    def normalisation(self) -> Expr:
        """The integral of :attr:`profile` over the ball."""
        return self.radial_integral(self.profile)

    @property
    def is_symmetric(self) -> bool:
        """True: the density depends on the length only."""
        return True

    @property
    def support(self) -> tuple[Expr, Expr]:
        """Range of one component."""
        return -self.radius, self.radius

    def moment(self, order: int) -> Expr:
        """Return E[k_1**order] of one component."""
        return self.joint_moment((order,) + (0,) * (self.dim - 1))

    def joint_moment(self, powers: Sequence[int]) -> Expr:
        """Return E[prod_j k_j**powers_j]."""
        average = angular_moment(powers)
        if average == 0:
            return sympy.S.Zero
        return average * self.radial_integral(self.profile * MODULUS ** sum(powers)) / self.normalisation

    def density(self, value: Expr) -> Expr:
        """Return the density in one dimension at ``value``.

        Raises
        ------
        ValueError
            In more dimensions, where components are not independent: use :meth:`joint_density`.
        """
        if self.dim > 1:
            raise ValueError("the components of a vector in a ball are not independent: use joint_density")
        return self.joint_density((value,))

    def joint_density(self, values: Sequence[Expr]) -> Expr:
        """Return the density at a vector inside the ball."""
        length = sympy.sqrt(sympy.Add(*(v**2 for v in values)))
        return self.profile.xreplace({MODULUS: length}) / self.normalisation

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return E[prod_j k_j**p_j exp(i k.r)], real and imaginary part."""
        real, imaginary = self.wave_integral(self.profile, powers, wave_vector)
        return real / self.normalisation, imaginary / self.normalisation


@dataclass(frozen=True)
class Ball(RadialDistribution):
    """A vector of ``dim`` components uniform in the ball of this radius.

    Raises
    ------
    ValueError
        If the radius is not positive or ``dim`` is not a positive integer.
    """

    radius: Expr
    dim: int

    def __post_init__(self) -> None:
        _check_ball(self)

    @property
    def profile(self) -> Expr:
        """One."""
        return sympy.S.One

    def radial_integral(self, function: Expr) -> Expr:
        """Return the integral over the ball of a power of the length, in closed form."""
        coefficient, power = sympy.sympify(function).as_coeff_exponent(MODULUS)
        return sphere_area(self.dim) * coefficient * self.radius ** (power + self.dim) / (power + self.dim)

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return E[prod_j k_j**p_j exp(i k.r)], derivatives of ``BesselRatio(d/2, radius**2 r**2)``."""
        # the average over the ball is the average over directions of dimension d + 2 with k at the radius
        wave, is_imaginary, r = _ball_wave(self.dim, tuple(powers), self.radius)
        value = wave.xreplace(dict(zip(r, wave_vector, strict=True)))
        return (sympy.S.Zero, value) if is_imaginary else (value, sympy.S.Zero)

    def scaled(self, factor: Expr) -> Ball:
        """Return the density of ``factor * k`` for a positive factor."""
        return Ball(factor * self.radius, self.dim)

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{U}}\!\left(B^{{{self.dim}}}_{{{sympy.latex(self.radius)}}}\right)"


@cache
def _ball_wave(dim: int, powers: tuple[int, ...], radius: Expr) -> tuple[Expr, bool, tuple[sympy.Symbol, ...]]:
    r = tuple(sympy.Dummy(f"r_{j}", real=True) for j in range(dim))
    wave = BesselRatio(sympy.Rational(dim, 2), radius**2 * sympy.Add(*(c**2 for c in r)))
    for coordinate, power in zip(r, powers, strict=True):
        wave = sympy.diff(wave, coordinate, power) if power else wave
    total = sum(powers)
    return (1 if total % 4 in (0, 3) else -1) * wave, bool(total % 2), r


@dataclass(frozen=True)
class RadialDensity(RadialDistribution):
    """A vector with density proportional to ``weight`` inside the ball of this radius.

    Parameters
    ----------
    weight : sympy.Expr
        Positive function of the length ``symbol("k")`` and of parameters.
    radius : sympy.Expr
    dim : int

    Raises
    ------
    ValueError
        If the radius is not positive or ``dim`` is not a positive integer.
    """

    weight: Expr
    radius: Expr
    dim: int

    def __post_init__(self) -> None:
        _check_ball(self)

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the parameters; the length is none."""
        return super().free_symbols - {MODULUS}

    @property
    def profile(self) -> Expr:
        """The weight."""
        return self.weight

    def radial_integral(self, function: Expr) -> Expr:
        """Return the integral over the ball: closed for powers of ``k**2 + m**2``, else an exact integral."""
        return sphere_area(self.dim) * _radial_integral(sympy.sympify(function), self.dim, self.radius)

    def scaled(self, factor: Expr) -> RadialDensity:
        """Return the density of ``factor * k`` for a positive factor."""
        return RadialDensity(self.weight.xreplace({MODULUS: MODULUS / factor}), factor * self.radius, self.dim)

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        shown = sympy.latex(self.weight.xreplace({MODULUS: sympy.Symbol(rf"\left|{name}\right|")}))
        return rf"p\!\left({name}\right) \propto {shown}\;\theta\!\left({sympy.latex(self.radius)} - |{name}|\right)"


def _radial_integral(function: Expr, dim: int, radius: Expr) -> Expr:
    coefficient, rest = function.as_independent(MODULUS, as_Add=False)
    power, massive = sympy.S.Zero, []
    for factor in sympy.Mul.make_args(rest):
        if factor.has(MODULUS) and factor.as_base_exp()[0] == MODULUS:
            power += factor.as_base_exp()[1]
        else:
            massive.append(factor)
    base, exponent = sympy.Mul(*massive).as_base_exp()
    square = base - MODULUS**2
    if base == 1:
        exponent, square = sympy.S.Zero, sympy.S.One
    if not square.has(MODULUS) and power.is_Integer and power >= 0 and not exponent.has(MODULUS):
        return coefficient * radial_power_integral(dim + int(power), -exponent, sympy.sqrt(square), radius)
    u = integration_variable(1)
    integrand = (function * MODULUS ** (dim - 1)).xreplace({MODULUS: radius * u})
    return radius * ParameterIntegral(integrand, (u, 0, 1))


def _check_ball(ball: Ball | RadialDensity) -> None:
    if isinstance(ball.dim, bool) or not isinstance(ball.dim, int) or ball.dim < 1:
        raise ValueError(f"the dimension of a ball must be a positive integer, got {ball.dim!r}")
    if as_parameter(ball, "radius").is_nonpositive:
        raise ValueError(f"the radius of a ball must be positive, got {ball.radius}")
