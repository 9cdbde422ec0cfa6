"""Features given by hand: any expression in the parameters of a neuron and the coordinates of a point.

Averages follow by rule where the feature is a sum of monomials times exponentials, sines and cosines of linear
functions of the parameters; else they are exact integrals over the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from diagrams.distributions import Complex, Distribution, Gaussian, Uniform, UniformPhase, times
from diagrams.expectation import ParameterIntegral, integration_variable
from diagrams.features import Feature, monomials
from diagrams.momenta import RadialDistribution
from diagrams.typing import Expr, Point

Powers = tuple[int, ...]

#: Names that a feature of one's own cannot have.
BUILT_IN = frozenset({"cos", "gauss", "relu", "erf", "linear", "scalar"})


@dataclass(frozen=True)
class Wave:
    """The term ``coefficient prod theta**powers exp(growth.theta + i wave.theta)``, its coefficient complex."""

    coefficient: Complex
    powers: Powers
    growth: tuple[Expr, ...]
    wave: tuple[Expr, ...]

    def times(self, other: Wave) -> Wave:
        """Return the product."""
        powers = tuple(a + b for a, b in zip(self.powers, other.powers, strict=True))
        growth = tuple(a + b for a, b in zip(self.growth, other.growth, strict=True))
        wave = tuple(a + b for a, b in zip(self.wave, other.wave, strict=True))
        return Wave(times(self.coefficient, other.coefficient), powers, growth, wave)


@dataclass(frozen=True)
class CustomFeature(Feature):
    """A feature given by an expression.

    Parameters
    ----------
    formula : sympy.Expr
        h in the parameters and the coordinates ``point``.
    laws : tuple of (symbols, Distribution)
        Independent blocks of parameters; the components of a block are drawn independently, except in a ball.
    point : tuple of sympy.Symbol
        Symbols of the coordinates in the formula.
    name : str

    Raises
    ------
    ValueError
        If a symbol is both parameter and coordinate, is given twice, a block does not fit its distribution, or the name
        is that of a net of the library.
    """

    formula: Expr
    laws: tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]
    point: tuple[sympy.Symbol, ...]
    name: str = "custom"

    def __post_init__(self) -> None:
        symbols = [*self.parameters, *self.point]
        if doubled := sorted({str(s) for s in symbols if symbols.count(s) > 1}):
            raise ValueError(f"symbol(s) {doubled} are given twice among the parameters and coordinates")
        for block, law in self.laws:
            if isinstance(law, RadialDistribution) and law.dim != len(block):
                raise ValueError(f"{law} is a density of {law.dim} components, but is given to {block}")
        if self.name in BUILT_IN:  # numerics and closed sums go by the names of features
            raise ValueError(
                f"the name {self.name!r} is that of a net of the library, whose feature is another function: take one "
                f"that is not among {', '.join(sorted(BUILT_IN))}"
            )
        if not self.formula.free_symbols & set(self.parameters):
            raise ValueError(f"the feature {self.formula} depends on none of its parameters {self.parameters}")

    @property
    def input_dim(self) -> int:  # type: ignore[override]
        """Number of coordinates."""
        return len(self.point)

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the parameters, block by block."""
        return tuple(s for block, _ in self.laws for s in block)

    @property
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """The blocks of parameters."""
        return self.laws

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the formula and the densities that are neither parameters nor coordinates."""
        inside = self.formula.free_symbols - set(self.parameters) - set(self.point)
        return inside | super().free_symbols

    def subs(self, values: dict[sympy.Symbol, Expr]) -> CustomFeature:
        """Return the feature with symbols replaced."""
        laws = tuple((block, law.subs(values)) for block, law in self.laws)
        return CustomFeature(self.formula.xreplace(values), laws, self.point, self.name)

    @property
    def is_odd(self) -> bool:
        """True if a reflection of all parameters, or a shift of a uniform phase by pi, plainly changes the sign."""
        mirrored = self.formula.xreplace({s: -s for s in self.parameters})
        if all(law.is_symmetric for _, law in self.laws) and sympy.expand(self.formula + mirrored) == 0:
            return True
        phases = [s for block, law in self.laws if isinstance(law, UniformPhase) for s in block]
        return any(sympy.expand(self.formula + self.formula.subs(s, s + sympy.pi)) == 0 for s in phases)

    def expression(self, point: Point) -> Expr:
        """Return h(x; theta)."""
        return self.formula.xreplace(dict(zip(self.point, point, strict=True)))

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h], by rule where there is one, else as an exact integral over the parameters."""
        terms = monomials(weight, self.parameters)
        if not points:
            return sympy.Add(*(c * self._joint_moment(powers) for powers, c in terms))
        features = [self.expression(x) for x in points]
        waves = [wave_sum(h, self.parameters) for h in features]
        if self._has_rule(waves):
            one = (sympy.S.Zero,) * len(self.parameters)
            total = [Wave((c, sympy.S.Zero), p, one, one) for p, c in terms]
            for factor in waves:
                total = [a.times(b) for a in total for b in factor or ()]
            return sympy.Add(*(self._average(term) for term in total))
        return self._integral(sympy.sympify(weight) * sympy.Mul(*features))

    def _has_rule(self, waves: Sequence[list[Wave] | None]) -> bool:
        """Tell whether every factor is a sum of waves whose averages are known in closed form."""
        if any(w is None for w in waves):
            return False
        start = 0
        for block, law in self.laws:
            part = slice(start, start := start + len(block))
            terms = [t for w in waves for t in w or ()]
            grows = any(g != 0 for t in terms for g in t.growth[part])
            oscillates = any(k != 0 for t in terms for k in t.wave[part])
            if grows and not isinstance(law, Gaussian):
                return False
            if oscillates and type(law).fourier_moment is Distribution.fourier_moment:
                return False
        return True

    def _joint_moment(self, powers: Powers) -> Expr:
        moments, start = [], 0
        for block, law in self.laws:
            moments.append(law.joint_moment(powers[start : start + len(block)]))
            start += len(block)
        return sympy.Mul(*moments)

    def _average(self, term: Wave) -> Expr:
        total, start = term.coefficient, 0
        for block, law in self.laws:
            part = slice(start, start := start + len(block))
            total = times(total, _block_average(law, term.powers[part], term.growth[part], term.wave[part]))
        return total[0]

    def _integral(self, integrand: Expr) -> Expr:
        rule: dict[sympy.Symbol, Expr] = {}
        limits: list[tuple[Expr, ...]] = []
        jacobian = sympy.S.One
        for block, law in self.laws:
            values, block_limits, factor = _coordinates_of(law, len(block), len(limits))
            rule.update(zip(block, values, strict=True))
            limits += block_limits
            jacobian *= factor
        return ParameterIntegral(jacobian * integrand.xreplace(rule), *limits)

    def density_latex(self) -> list[str]:
        """Return the densities of the hidden parameters in LaTeX."""
        return [law.density_latex(", ".join(map(sympy.latex, block))) for block, law in self.laws]

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return rf"\left[{sympy.latex(self.formula)}\right]_{{\theta_i}}"


def _block_average(law: Distribution, powers: Powers, growth: Sequence[Expr], wave: Sequence[Expr]) -> Complex:
    """Return E[prod w**p exp((a + i k).w)]; a real exponential shifts the mean of a Gaussian by variance times a."""
    if all(g == 0 for g in growth):
        if all(k == 0 for k in wave):
            return law.joint_moment(powers), sympy.S.Zero
        if isinstance(law, UniformPhase) and not all(k.is_Integer for k in wave):
            law = Uniform(-sympy.pi, sympy.pi)
        return law.fourier_moment(powers, wave)
    assert isinstance(law, Gaussian)  # see _has_rule
    total: Complex = (sympy.S.One, sympy.S.Zero)
    for p, a, k in zip(powers, growth, wave, strict=True):
        front = sympy.exp(a * law.mean + a**2 * law.variance / 2)
        re, im = Gaussian(law.variance, law.mean + law.variance * a).fourier_moment((p,), (k,))
        total = times(total, (front * re, front * im))
    return total


def wave_sum(expr: Expr, parameters: Sequence[sympy.Symbol]) -> list[Wave] | None:
    """Return an expression as a sum of waves in the parameters, or None if it is none."""
    zero = (sympy.S.Zero,) * len(parameters)
    if not expr.free_symbols & set(parameters):
        return [Wave((expr, sympy.S.Zero), (0,) * len(parameters), zero, zero)]
    if expr in parameters:
        powers = tuple(int(expr == s) for s in parameters)
        return [Wave((sympy.S.One, sympy.S.Zero), powers, zero, zero)]
    if isinstance(expr, sympy.Add):
        parts = [wave_sum(a, parameters) for a in expr.args]
        return None if any(p is None for p in parts) else [t for p in parts for t in p or ()]
    if isinstance(expr, sympy.Mul) or (isinstance(expr, sympy.Pow) and expr.exp.is_Integer and expr.exp > 0):
        factors = expr.args if isinstance(expr, sympy.Mul) else [expr.base] * int(expr.exp)
        return _wave_product([wave_sum(f, parameters) for f in factors])
    if isinstance(expr, sympy.exp | sympy.cos | sympy.sin):
        return _elementary_wave(expr, parameters)
    return None


def _wave_product(factors: Sequence[list[Wave] | None]) -> list[Wave] | None:
    result = factors[0]
    for factor in factors[1:]:
        result = None if result is None or factor is None else [a.times(b) for a in result for b in factor]
    return result


def _elementary_wave(expr: Expr, parameters: Sequence[sympy.Symbol]) -> list[Wave] | None:
    """Return exp, cos or sin of a linear function of the parameters as waves."""
    try:
        polynomial = sympy.Poly(expr.args[0], *parameters)
    except sympy.PolynomialError:
        return None
    if polynomial.total_degree() != 1:
        return None
    slopes, zero = tuple(polynomial.coeff_monomial(s) for s in parameters), (sympy.S.Zero,) * len(parameters)
    offset, none = polynomial.coeff_monomial(1), (0,) * len(parameters)
    if isinstance(expr, sympy.exp):
        return [Wave((sympy.exp(offset), sympy.S.Zero), none, slopes, zero)]
    cos, sin = sympy.cos(offset) / 2, sympy.sin(offset) / 2
    forward, backward = ((cos, sin), (cos, -sin)) if isinstance(expr, sympy.cos) else ((sin, -cos), (sin, cos))
    return [Wave(forward, none, zero, slopes), Wave(backward, none, zero, tuple(-k for k in slopes))]


def _coordinates_of(law: Distribution, size: int, used: int) -> tuple[list[Expr], list[tuple[Expr, ...]], Expr]:
    """Return a block of parameters in variables of integration, their limits, and the density times the Jacobian."""
    u = [integration_variable(used + i + 1) for i in range(size)]
    if isinstance(law, Gaussian):
        return [law.mean + sympy.sqrt(law.variance) * v for v in u], [(v,) for v in u], sympy.S.One
    if isinstance(law, RadialDistribution):
        return _ball_coordinates(law, u)
    ends = law.support
    if ends[0] == ends[1]:
        return [ends[0]] * size, [], sympy.S.One
    return list(u), [(v, *ends) for v in u], law.joint_density(u)


def _ball_coordinates(
    law: RadialDistribution, u: Sequence[sympy.Symbol]
) -> tuple[list[Expr], list[tuple[Expr, ...]], Expr]:
    """Return polar coordinates of a ball in one to three dimensions."""
    if law.dim == 1:
        return list(u), [(u[0], -law.radius, law.radius)], law.joint_density(u)
    if law.dim > 3:
        raise NotImplementedError(
            f"no quadrature over a ball in {law.dim} dimensions for a feature without a rule; sample with "
            "numerics.Ensemble"
        )
    r, phi = u[0] * law.radius, u[1]
    radial = law.joint_density((r, *(sympy.S.Zero,) * (law.dim - 1))) * law.radius
    limits: list[tuple[Expr, ...]] = [(u[0], 0, 1), (phi, -sympy.pi, sympy.pi)]
    if law.dim == 2:
        return [r * sympy.cos(phi), r * sympy.sin(phi)], limits, radial * r
    z = u[2]
    ring = r * sympy.sqrt(1 - z**2)
    return [ring * sympy.cos(phi), ring * sympy.sin(phi), r * z], [*limits, (z, -1, 1)], radial * r**2
