"""Densities of random parameters: moments and characteristic functions, by rule rather than by integration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import sympy


@dataclass(frozen=True)
class Gaussian:
    """Independent zero-mean Gaussian components of equal variance.

    Parameters
    ----------
    variance : sympy.Expr
        Variance of each component.
    """

    variance: sympy.Expr

    def moment(self, order: int) -> sympy.Expr:
        """Return E[w**order] of one component, ``(order - 1)!! variance**(order/2)`` or zero."""
        if order % 2:
            return sympy.S.Zero
        return prod(range(1, order, 2)) * self.variance ** sympy.Rational(order, 2)

    def characteristic_function(self, wave_vector: Sequence[sympy.Expr]) -> sympy.Expr:
        """Return E[exp(i k.w)] = exp(-variance |k|^2 / 2)."""
        return sympy.exp(-self.variance / 2 * sympy.Add(*(k**2 for k in wave_vector)))

    def subs(self, values: dict[sympy.Symbol, sympy.Expr]) -> Gaussian:
        """Return the density with symbols replaced."""
        return Gaussian(self.variance.xreplace(values))

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{N}}\!\left(0, {sympy.latex(self.variance)}\right)"


@dataclass(frozen=True)
class UniformPhase:
    """An angle uniform on (-pi, pi)."""

    def moment(self, order: int) -> sympy.Expr:
        """Return E[b**order]."""
        return sympy.S.Zero if order % 2 else sympy.pi**order / (order + 1)

    def characteristic_function(self, wave_vector: Sequence[sympy.Expr]) -> sympy.Expr:
        """Return E[exp(i k b)] for an integer k: one at k = 0, else zero.

        Raises
        ------
        ValueError
            If the component of ``wave_vector`` is not an integer.
        """
        (k,) = map(sympy.sympify, wave_vector)
        if not k.is_Integer:
            raise ValueError(f"the phase average is defined here for integer multiples of the phase, got {k}")
        return sympy.S.One if k == 0 else sympy.S.Zero

    def subs(self, values: dict[sympy.Symbol, sympy.Expr]) -> UniformPhase:
        """Return the density unchanged: it has no parameters."""
        return self

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \mathcal{{U}}(-\pi, \pi)"
