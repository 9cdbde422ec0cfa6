"""Functions that stay finite where their textbook forms divide zero by zero."""

from __future__ import annotations

from functools import cache
from math import comb
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter

from diagrams.typing import Expr


class BesselRatio(sympy.Function):
    r"""The entire function :math:`\Gamma(\nu + 1) (2/z)^\nu J_\nu(z)` of ``nu`` and the *square* of z.

    It is one at z = 0; ``BesselRatio(1/2, z**2)`` is ``sin(z)/z``, and ``BesselRatio(d/2 - 1, k**2 r**2)`` the average
    of ``exp(i k n.r)`` over the directions n in d dimensions. The derivative with respect to ``z**2`` is
    ``-BesselRatio(nu + 1, z**2) / (4 (nu + 1))``.

    Examples
    --------
    >>> BesselRatio(sympy.Rational(1, 2), 0), BesselRatio(sympy.Rational(1, 2), 4).evalf(6)
    (1, 0.454649)
    """

    nargs = 2
    is_real = True

    @classmethod
    def eval(cls, nu: Expr, square: Expr) -> Expr | None:
        """Return one at zero."""
        return sympy.S.One if square == 0 else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the derivative with respect to the square."""
        nu, square = self.args
        if argindex != 2:
            raise sympy.core.function.ArgumentIndexError(self, argindex)
        return -BesselRatio(nu + 1, square) / (4 * (nu + 1))

    def _eval_rewrite(self, rule: Any, args: Any, **hints: Any) -> Expr:
        nu, square = args
        z = sympy.sqrt(square)
        if rule == sympy.besselj:
            return sympy.gamma(nu + 1) * (2 / z) ** nu * sympy.besselj(nu, z)
        if rule == sympy.sin and (nu - sympy.S.Half).is_Integer:
            return sympy.gamma(nu + 1) * sympy.expand_func((2 / z) ** nu * sympy.besselj(nu, z))
        if rule == sympy.hyper:
            return sympy.hyper((), (nu + 1,), -square / 4)
        return None

    def _eval_evalf(self, prec: int) -> Expr:
        import mpmath  # type: ignore[import-untyped]

        nu, square = self.args
        with mpmath.workprec(prec):
            value = mpmath.hyp0f1(nu._to_mpmath(prec) + 1, -square._eval_evalf(prec)._to_mpmath(prec) / 4)
        return sympy.Float._new(value.real._mpf_, prec)

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        nu, square = self.args
        z = printer._print(sympy.sqrt(square))
        if nu == sympy.S.Half:
            body = rf"\frac{{\sin {z}}}{{{z}}}"
        elif nu == 0:
            body = rf"J_0\!\left({z}\right)"
        else:
            front = printer._print(sympy.gamma(nu + 1))
            front = "" if front == "1" else front + r"\,"
            power = printer._print(nu)
            order = sympy.latex(nu, fold_short_frac=True)
            body = rf"{front}\left(\frac{{2}}{{{z}}}\right)^{{{power}}} J_{{{order}}}\!\left({z}\right)"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class Angle(sympy.Function):
    """The angle of the point ``(x, y)``, called as ``Angle(y, x)`` like atan2, and zero at the origin."""

    nargs = 2
    is_real = True

    @classmethod
    def eval(cls, y: Expr, x: Expr) -> Expr | None:
        """Return the angle of numbers, and of a zero component."""
        if y == 0:
            return sympy.S.Zero if x.is_nonnegative else sympy.pi if x.is_negative else None
        if y.is_number and x.is_number and y.is_comparable and x.is_comparable:
            return sympy.atan2(y, x)
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the derivative with respect to y (1) or x (2)."""
        y, x = self.args
        return (x if argindex == 1 else -y) / (x**2 + y**2)

    def _eval_rewrite(self, rule: Any, args: Any, **hints: Any) -> Expr:
        return sympy.atan2(*args) if rule == sympy.atan2 else None

    def _eval_evalf(self, prec: int) -> Expr:
        y, x = (a._eval_evalf(prec) for a in self.args)
        return sympy.S.Zero if y == 0 and x == 0 else sympy.atan2(y, x)._eval_evalf(prec)

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        y, x = map(printer._print, self.args)
        body = rf"\operatorname{{atan}}_2\!\left({y}, {x}\right)"
        return body if exp is None else rf"{body}^{{{exp}}}"


_Z = sympy.Dummy("z", real=True)


@cache
def _sinc_derivative(order: int) -> Expr:
    return sympy.diff(BesselRatio(sympy.S.Half, _Z**2), _Z, order) if order else BesselRatio(sympy.S.Half, _Z**2)


def interval_fourier_moment(power: int, k: Expr, centre: Expr, half: Expr) -> tuple[Expr, Expr]:
    """Return the real and imaginary part of E[w**power exp(i k w)], w uniform on centre - half to centre + half."""
    parts: list[list[Expr]] = [[], []]
    for q in range(power + 1):
        # E[t**q exp(i z t)] = (-i d/dz)**q sin(z)/z for t uniform on (-1, 1)
        sign = 1 if q % 4 in (0, 3) else -1
        term = sign * comb(power, q) * centre ** (power - q) * half**q * _sinc_derivative(q).xreplace({_Z: half * k})
        parts[q % 2].append(term)
    real, imaginary = sympy.Add(*parts[0]), sympy.Add(*parts[1])
    if centre == 0:
        return real, imaginary
    cos, sin = sympy.cos(k * centre), sympy.sin(k * centre)
    return real * cos - imaginary * sin, real * sin + imaginary * cos
