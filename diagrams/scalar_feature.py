"""The feature whose networks are a free scalar field with a momentum cutoff at every width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import sympy

from diagrams.distributions import Distribution, UniformPhase, times
from diagrams.features import Feature, bias_symbol, dot, monomials, weight_symbols
from diagrams.momenta import MODULUS, RadialDistribution
from diagrams.typing import Expr, Point


@dataclass(frozen=True)
class ScalarFeature(Feature):
    r"""``h = A(|k|) cos(k.x + c)`` with the amplitude that makes G2 the propagator below the cutoff.

    The 2-point function of a cosine is :math:`(2\pi)^d p(k) A(k)^2 / 2` in momentum space, so
    :math:`A^2 = 2 / [(2\pi)^d p(k) (k^2 + m^2)]` for a momentum density p(k) of choice.

    Parameters
    ----------
    momenta : RadialDistribution
        Density of the momenta k.
    mass : sympy.Expr
    phase : UniformPhase
        Density of c.
    """

    momenta: RadialDistribution
    mass: Expr
    phase: UniformPhase = field(default_factory=UniformPhase)
    name: str = "scalar"

    @property
    def input_dim(self) -> int:  # type: ignore[override]
        """Number of components of a momentum."""
        return self.momenta.dim

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the momentum and the phase."""
        return (*weight_symbols(self.input_dim), bias_symbol())

    @property
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """Momentum and phase."""
        return ((weight_symbols(self.input_dim), self.momenta), ((bias_symbol(),), self.phase))

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the parameters of the densities, and the mass."""
        return self.momenta.free_symbols | self.mass.free_symbols

    @property
    def is_odd(self) -> bool:
        """True: a shift of the phase by pi changes the sign."""
        return True

    @property
    def squared_amplitude(self) -> Expr:
        """The square of the amplitude as a function of the length ``symbol("k")`` of the momentum."""
        density = self.momenta.profile / self.momenta.normalisation
        return 2 / ((2 * sympy.pi) ** self.input_dim * density * (MODULUS**2 + self.mass**2))

    def expression(self, point: Point) -> Expr:
        """Return A(|k|) cos(k.x + c)."""
        k = weight_symbols(self.input_dim)
        amplitude = sympy.sqrt(self.squared_amplitude).xreplace({MODULUS**2: dot(k, k)})
        amplitude = amplitude.xreplace({MODULUS: sympy.sqrt(dot(k, k))})
        return amplitude * sympy.cos(dot(k, point) + bias_symbol())

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h] by product-to-sum; momentum averages are radial integrals over the ball."""
        terms = monomials(weight, self.parameters)
        if not points:
            return sympy.Add(*(c * self.momenta.joint_moment(p[:-1]) * self.phase.moment(p[-1]) for p, c in terms))
        parts = [
            c * part
            for rest in product((1, -1), repeat=len(points) - 1)
            for powers, c in terms
            if (part := self._part(powers, (1, *rest), points)) != 0
        ]
        return self._constant(len(points)) / 2 ** (len(points) - 1) * sympy.Add(*parts)

    def _constant(self, n: int) -> Expr:
        """Return the part of the product of n amplitudes and the density that does not depend on the momentum."""
        half = sympy.Rational(n, 2)
        return (2 / (2 * sympy.pi) ** self.input_dim) ** half * self.momenta.normalisation ** (half - 1)

    def _part(self, powers: tuple[int, ...], signs: tuple[int, ...], points: Sequence[Point]) -> Expr:
        phase = self.phase.fourier_moment(powers[-1:], (sum(signs),))
        if phase[0] == 0 and phase[1] == 0:
            return sympy.S.Zero
        half = sympy.Rational(len(points), 2)
        spectrum = self.momenta.profile ** (1 - half) * (MODULUS**2 + self.mass**2) ** (-half)
        wave = [dot(signs, row) for row in zip(*points, strict=True)]
        return times(phase, self.momenta.wave_integral(spectrum, powers[:-1], wave))[0]

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        amplitude = sympy.latex(
            sympy.sqrt(self.squared_amplitude).xreplace({MODULUS: sympy.Symbol(r"\left|W^0_{i}\right|")})
        )
        return rf"{amplitude}\; \cos\!\left(W^0_i \cdot x + b^0_i\right)"
