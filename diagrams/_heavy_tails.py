"""Densities whose moments need not exist: Student's t, and any density given by hand."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import sympy

from diagrams._distribution import Distribution, as_parameter, check_order
from diagrams.typing import Expr


@dataclass(frozen=True)
class StudentT(Distribution):
    """Student's t density of ``degrees`` degrees of freedom, ``(1 + (w/scale)**2 / degrees)**(-(degrees + 1)/2)``.

    Only the moments below ``degrees`` exist; one degree of freedom is the Cauchy density, which has none.

    Parameters
    ----------
    degrees : int
        Degrees of freedom.
    scale : sympy.Expr
        Width of the density.

    Raises
    ------
    ValueError
        If the degrees of freedom are not a positive integer or the scale is not positive.
    """

    degrees: int
    scale: Expr = sympy.S.One

    def __post_init__(self) -> None:
        if isinstance(self.degrees, bool) or not isinstance(self.degrees, int) or self.degrees < 1:
            raise ValueError(f"degrees of freedom must be a positive integer, got {self.degrees!r}")
        if as_parameter(self, "scale").is_nonpositive:
            raise ValueError(f"the scale of a Student density must be positive, got {self.scale}")

    @classmethod
    def cauchy(cls, scale: Expr = sympy.S.One) -> StudentT:
        """Return the Cauchy density."""
        return cls(1, scale)

    def moment(self, order: int) -> Expr:
        """Return E[w**order]; zero for odd orders below ``degrees``.

        Raises
        ------
        ValueError
            If ``order >= degrees``: that moment does not exist.
        """
        check_order(order)
        if order == 0:
            return sympy.S.One
        if order >= self.degrees:
            raise _missing_moment(order, str(self), f"it needs more than {order} degrees of freedom")
        if order % 2:
            return sympy.S.Zero
        nu, half = sympy.Integer(self.degrees), order // 2
        rising = prod((2 * j - 1) * nu / (nu - 2 * j) for j in range(1, half + 1))
        return rising * self.scale**order

    @property
    def is_symmetric(self) -> bool:
        """True."""
        return True

    @property
    def support(self) -> tuple[Expr, Expr]:
        """The real line."""
        return -sympy.oo, sympy.oo

    def density(self, value: Expr) -> Expr:
        """Return the density of one component at ``value``."""
        nu = sympy.Integer(self.degrees)
        norm = sympy.gamma((nu + 1) / 2) / (sympy.gamma(nu / 2) * sympy.sqrt(nu * sympy.pi) * self.scale)
        return norm * (1 + (value / self.scale) ** 2 / nu) ** (-(nu + 1) / 2)

    def scaled(self, factor: Expr) -> StudentT:
        """Return the density of ``factor * w`` for a positive factor."""
        return StudentT(self.degrees, factor * self.scale)

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim {sympy.latex(self.scale)}\, t_{{{self.degrees}}}"


def _missing_moment(order: int, owner: str, reason: str) -> ValueError:
    names = {1: "1st", 2: "2nd", 3: "3rd"}
    return ValueError(f"the {names.get(order, f'{order}th')} moment does not exist for {owner}: {reason}")


@dataclass(frozen=True)
class Density(Distribution):
    """A density given by hand, with moments by quadrature.

    Parameters
    ----------
    expr : sympy.Expr
        The density, normalised.
    variable : sympy.Symbol
        Its variable.
    lower, upper : sympy.Expr
        Ends of the support, infinite by default.

    Raises
    ------
    ValueError
        If it holds numbers only and is not normalised.
    """

    expr: Expr
    variable: sympy.Symbol
    lower: Expr = -sympy.oo
    upper: Expr = sympy.oo

    def __post_init__(self) -> None:
        for name in ("expr", "lower", "upper"):
            object.__setattr__(self, name, sympy.sympify(getattr(self, name)))
        if not isinstance(self.variable, sympy.Symbol):
            raise ValueError(f"the variable of a density must be a symbol, got {self.variable!r}")
        if not self.free_symbols and abs((total := self._average(sympy.S.One).evaluate(rtol=1e-8).value) - 1) > 1e-6:
            raise ValueError(f"the density {self.expr} is not normalised: its integral is {total:.6g}")

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the parameters; the variable is none."""
        return super().free_symbols - {self.variable}

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Density:
        """Return the density with symbols replaced, the variable kept."""
        return super().subs({k: v for k, v in values.items() if k != self.variable})

    @property
    def support(self) -> tuple[Expr, Expr]:
        """Ends of the support."""
        return self.lower, self.upper

    @property
    def is_symmetric(self) -> bool:
        """True if that is plain from the expression and the support."""
        mirrored = self.expr.xreplace({self.variable: -self.variable})
        return bool(self.lower == -self.upper and sympy.expand(mirrored - self.expr) == 0)

    def _average(self, value: Expr) -> Any:
        from diagrams.expectation import ParameterIntegral, integration_variable

        u = integration_variable(1)
        integrand = (value * self.expr).xreplace({self.variable: u})
        return ParameterIntegral(integrand, (u, self.lower, self.upper))

    def moment(self, order: int) -> Expr:
        """Return E[w**order], an exact integral (zero for odd orders of a symmetric density).

        Raises
        ------
        ValueError
            If the tail of the density is too heavy for that moment.
        """
        check_order(order)
        if order == 0:
            return sympy.S.One
        self._check_tail(order)
        return sympy.S.Zero if order % 2 and self.is_symmetric else self._average(self.variable**order)

    def _check_tail(self, order: int) -> None:
        """Refuse a moment whose integrand does not fall faster than 1/w; decided once the parameters are numbers."""
        for end, sign in ((self.lower, -1), (self.upper, 1)):
            if self.free_symbols or not end.is_infinite:
                continue
            far = [sympy.Integer(10) ** k for k in (8, 16)]
            first, last = (abs(w ** (order + 1) * self.density(sign * w).evalf()) for w in far)
            if last != 0 and last > first * sympy.Rational(9, 10):
                raise _missing_moment(order, str(self.expr), "its density falls too slowly")

    def density(self, value: Expr) -> Expr:
        """Return the density at ``value``."""
        return self.expr.xreplace({self.variable: value})

    def scaled(self, factor: Expr) -> Density:
        """Return the density of ``factor * w`` for a positive factor."""
        expr = self.expr.xreplace({self.variable: self.variable / factor}) / factor
        return Density(expr, self.variable, factor * self.lower, factor * self.upper)

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"p({name}) = {sympy.latex(self.expr.xreplace({self.variable: sympy.Symbol(name)}))}"
