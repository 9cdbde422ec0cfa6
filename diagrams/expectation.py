"""Exact averages without a closed form: objects that print as integrals and evaluate to a requested tolerance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import sympy
from sympy.printing.latex import LatexPrinter

from diagrams.typing import Expr

RTOL, ATOL = 1e-10, 1e-14


class Quadrature(NamedTuple):
    """A number found by quadrature with an estimate of its error."""

    value: float
    error: float


class QuadratureError(ArithmeticError):
    """Raised when a quadrature does not reach the tolerance asked for; ``estimate`` is what it reached."""

    def __init__(self, message: str, estimate: Quadrature) -> None:
        super().__init__(message)
        self.estimate = estimate


class ExpectationIntegral(sympy.Expr):
    """An average over the parameters of a neuron, kept as an exact low-dimensional integral.

    It behaves as a real sympy expression: symbols in it are replaced, it can be differentiated where the integrand
    can, and prints in LaTeX; ``evalf`` and ``float`` call :meth:`evaluate` once it holds numbers only.
    """

    is_commutative = True

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_finite(self) -> bool:
        return True

    def evaluate(self, *, rtol: float = RTOL, atol: float = ATOL) -> Quadrature:
        """Return the value with an error estimate below ``max(atol, rtol * |value|)``.

        Raises
        ------
        ValueError
            If a symbol in it has no number.
        QuadratureError
            If the tolerance is not reached; its ``estimate`` holds the best value.
        NotImplementedError
            If the integral has too many dimensions for quadrature, so that only sampling remains.
        """
        if free := self.free_symbols:
            names = ", ".join(sorted(map(str, free)))
            raise ValueError(f"no numbers for the symbol(s) {names} of this integral: replace them first (net.at(...))")
        return _evaluated(self, rtol, atol)

    @abstractmethod
    def _quadrature(self, rtol: float, atol: float) -> Quadrature:
        """Return value and error; ``evaluate`` checks the tolerance."""

    def _eval_evalf(self, prec: int) -> Expr | None:
        if self.free_symbols:
            return None
        digits = max(2, int(prec * 0.30103) - 2)
        return sympy.Float(self.evaluate(rtol=max(10.0**-digits, RTOL)).value, precision=prec)


@lru_cache(maxsize=4096)
def _evaluated(integral: ExpectationIntegral, rtol: float, atol: float) -> Quadrature:
    found = integral._quadrature(rtol, atol)
    if not found.error <= max(atol, rtol * abs(found.value)):
        raise QuadratureError(
            f"the quadrature reached {found.value:.12g} with error {found.error:.1e}; asked for rtol={rtol:g}, "
            f"atol={atol:g}: allow a larger tolerance, or sample the net with numerics.Ensemble",
            found,
        )
    return found


def evaluate(expr: Expr, *, rtol: float = 1e-8, atol: float = 1e-14) -> Quadrature:
    """Return the number of an expression that contains exact integrals, such as a correlator at points.

    Parameters
    ----------
    expr : sympy.Expr
        Without free symbols.
    rtol, atol : float
        The error estimate, to first order in the errors of the integrals, stays below ``max(atol, rtol * |value|)``.

    Raises
    ------
    ValueError
        If a symbol has no number.
    QuadratureError
        If the tolerance is not reached.
    """
    expr = sympy.sympify(expr)
    if expr.free_symbols:
        names = ", ".join(sorted(map(str, expr.free_symbols)))
        raise ValueError(f"no numbers for the symbol(s) {names}: replace them first (net.at(...), or points)")
    integrals = sorted(expr.atoms(ExpectationIntegral), key=str)
    dummies = {integral: sympy.Dummy(real=True) for integral in integrals}
    skeleton = expr.xreplace(dummies)
    slopes = [skeleton.diff(d) for d in dummies.values()]
    found = Quadrature(float("nan"), float("inf"))
    for tighter in (1e-1, 1e-3):
        values = [i.evaluate(rtol=max(rtol * tighter, 1e-13), atol=atol * tighter) for i in integrals]
        numbers = {d: sympy.Float(v.value) for d, v in zip(dummies.values(), values, strict=True)}
        error = sum(abs(float(s.xreplace(numbers))) * v.error for s, v in zip(slopes, values, strict=True))
        found = Quadrature(float(skeleton.xreplace(numbers)), error)
        if found.error <= max(atol, rtol * abs(found.value)):
            return found
    raise QuadratureError(f"the expression was found to be {found.value:.12g} with error {found.error:.1e}", found)


class ParameterIntegral(ExpectationIntegral):
    """The integral of ``integrand`` over independent variables, each a standard normal or on an interval.

    Parameters
    ----------
    integrand : sympy.Expr
        For a variable on an interval the density is part of it; for a standard normal it is not.
    *limits : tuple
        ``(u,)`` for a standard normal u, ``(u, lower, upper)`` for an interval (ends may be infinite).

    Examples
    --------
    >>> u = sympy.Symbol("u_1", real=True)
    >>> round(ParameterIntegral(u**4, (u,)).evaluate().value, 12)
    3.0
    """

    def __new__(cls, integrand: Expr, *limits: Any) -> ParameterIntegral:
        """Return the integral."""
        return super().__new__(cls, sympy.sympify(integrand), *(sympy.Tuple(*lim) for lim in limits))

    @property
    def integrand(self) -> Expr:
        """The integrand."""
        return self.args[0]

    @property
    def limits(self) -> tuple[sympy.Tuple, ...]:
        """The variables with their intervals."""
        return tuple(self.args[1:])

    @property
    def variables(self) -> tuple[sympy.Symbol, ...]:
        """The variables that are integrated over."""
        return tuple(limit[0] for limit in self.limits)

    @property
    def bound_symbols(self) -> list[sympy.Symbol]:
        """The variables that are integrated over, as sympy asks for them."""
        return list(self.variables)

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """Symbols other than the variables of integration."""
        ends = (end.free_symbols for limit in self.limits for end in limit[1:])
        return set().union(self.integrand.free_symbols, *ends) - set(self.variables)

    def _xreplace(self, rule: Any) -> tuple[Expr, bool]:
        if self in rule:
            return rule[self], True
        inner = {k: v for k, v in rule.items() if k not in self.variables} if isinstance(rule, Mapping) else rule
        if isinstance(rule, Mapping):
            for old, new in inner.items():
                self._refuse_capture(old, new)
        integrand = self.integrand.xreplace(inner)
        limits = [(limit[0], *(end.xreplace(inner) for end in limit[1:])) for limit in self.limits]
        new = ParameterIntegral(integrand, *limits)
        return new, new != self

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        if old in self.variables:
            return self
        self._refuse_capture(old, new)
        return None

    def _refuse_capture(self, old: Any, new: Any) -> None:
        caught: set[sympy.Symbol] = getattr(new, "free_symbols", set()) & set(self.variables)
        if caught and getattr(old, "free_symbols", set()) & self.free_symbols:
            raise ValueError(f"cannot put {new} into {self}: it contains the variable(s) of integration {caught}")

    def _eval_derivative(self, s: sympy.Symbol) -> Expr:
        if any(end.has(s) for limit in self.limits for end in limit[1:]):
            raise NotImplementedError(
                f"the derivative with respect to {s}, an end of the integration, is not available"
            )
        slope = self.integrand.diff(s)
        return sympy.S.Zero if slope == 0 else ParameterIntegral(slope, *self.limits)

    def _quadrature(self, rtol: float, atol: float) -> Quadrature:
        from diagrams._quadrature import integrate

        return integrate(self.integrand, self.limits, rtol, atol)

    def _sympystr(self, printer: Any) -> str:
        over = ", ".join(printer._print(limit[0] if len(limit) == 1 else limit) for limit in self.limits)
        return f"ParameterIntegral({printer._print(self.integrand)}, {over})"

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        normals = [printer._print(limit[0]) for limit in self.limits if len(limit) == 1]
        body = printer._print(self.integrand)
        if normals:
            body = rf"\mathbb{{E}}_{{{', '.join(normals)} \sim \mathcal{{N}}(0, 1)}}\left[{body}\right]"
        signs = [
            rf"\int_{{{printer._print(limit[1])}}}^{{{printer._print(limit[2])}}} d{printer._print(limit[0])}\,"
            for limit in self.limits
            if len(limit) == 3
        ]
        body = " ".join([*signs, body])
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


def integration_variable(index: int) -> sympy.Symbol:
    r"""Return variable of integration ``index`` (counted from 1), printed ``u_1``, ``u_2``, ..."""
    return sympy.Symbol(f"u_{index}", real=True)
