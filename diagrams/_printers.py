"""Printers of symbolic expressions: LaTeX with rational factors in front, and readable text."""

from __future__ import annotations

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from diagrams.pointfunctions import PointFunction
from diagrams.typing import Expr


class ExpressionLatex(LatexPrinter):
    """Integrals over all of space name their points below the sign; rational factors stand in front.

    In integrals with connected correlators, which have many points, arguments become indices: ``y_3`` is 3.
    """

    def _print_Integral(self, expr: Expr) -> str:
        return f"{integral_sign(expr)} {integrand_printer(expr)._print(expr.function)}"

    def _print_Mul(self, expr: Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient.q == 1 if coefficient.is_Rational else True:
            return str(super()._print_Mul(expr))
        sign = "- " if coefficient < 0 else ""
        body = self._print(rest)
        return sign + sympy.latex(abs(coefficient)) + " " + (rf"\left({body}\right)" if rest.is_Add else body)

    def _print_Symbol(self, expr: Expr, style: str = "plain") -> str:
        if expr.name.startswith("Tr "):  # the trace of moment_form
            return rf"\operatorname{{Tr}} {expr.name[3:]}"
        return str(super()._print_Symbol(expr, style=style))

    def _print_ExpBase(self, expr: Expr, exp: str | None = None) -> str:
        body = sympy.latex(expr.args[0], fold_short_frac=True, fold_frac_powers=True)
        return rf"e^{{{body}}}" if exp is None else rf"e^{{{exp} \left({body}\right)}}"


class _IndexLatex(ExpressionLatex):
    points_as_indices = True


class _Text(StrPrinter):
    def _print_Integral(self, expr: Expr) -> str:
        measure = " ".join("d" + self._print(limits[0]) for limits in expr.limits)
        return f"∫{measure} {self._print(expr.function)}"

    def _print_Mul(self, expr: Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if rest.is_Add or rest == 1:
            return str(super()._print_Mul(expr))
        body = (
            " ".join(self.parenthesize(f, 50) for f in sympy.Mul.make_args(rest)) if rest.is_Mul else self._print(rest)
        )
        if coefficient in (1, -1):
            return body if coefficient == 1 else f"-{body}"
        return f"{self._print(coefficient)} {body}"


def integral_sign(expr: Expr) -> str:
    """Return the sign of an integral over all of space with its points, those in the middle left out."""
    points = [sympy.latex(limits[0]) for limits in expr.limits]
    shown = points if len(points) < 4 else [points[0], r"\ldots", points[-1]]
    return rf"\int_{{{', '.join(shown)}}}"


def integrand_printer(expr: Expr) -> ExpressionLatex:
    """Return the printer for the integrand: points become indices when there are functions of many points."""
    names = {f.name for f in expr.function.atoms(PointFunction)}
    return _IndexLatex() if names - {"G"} else ExpressionLatex()


def plain_text(expr: Expr) -> str:
    """Return an expression as readable text: ``1/2 ∫dy_1 G(x_1, y_1) ...``.

    Examples
    --------
    >>> plain_text(-sympy.Symbol("a") * sympy.Symbol("b") / 2)
    '-1/2 a b'
    """
    return str(_Text().doprint(sympy.sympify(expr)))


def expression_latex(expr: Expr) -> str:
    r"""Return an expression as LaTeX on one line.

    Examples
    --------
    >>> print(expression_latex(-sympy.exp(-sympy.Symbol("x") ** 2 / 2) / 3))
    - \frac{1}{3} e^{- x^{2} / 2}
    """
    return str(ExpressionLatex().doprint(sympy.sympify(expr)))
