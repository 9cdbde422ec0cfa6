r"""Growth of a two-point function at large separation, :math:`K(x, s\,y) \sim c(x, y)\, s^p` as s goes to infinity.

The exponent p decides how vertex integrals depend on a cutoff. It is derived from the expression: leading powers are
combined along sums, products, powers and the functions that kernels are made of; where leading powers cancel, or for
other functions, sympy's limits decide.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import sympy

from diagrams.special import Angle
from diagrams.typing import Expr, Point

_SCALE = sympy.Symbol("s", positive=True)
_BOUNDED = (sympy.asin, sympy.acos, sympy.atan, sympy.erf, sympy.tanh, sympy.sin, sympy.cos)


class Leading(NamedTuple):
    """Leading term ``coefficient * s**exponent``; exponent ``-oo`` for what vanishes faster than any power, and 0."""

    exponent: Expr
    coefficient: Expr


class GrowthError(ValueError):
    """Raised when the growth of an expression cannot be derived."""


def leading_power(expr: Expr, scale: sympy.Symbol) -> Leading:
    """Return the leading term of an expression as a positive symbol goes to infinity.

    Parameters
    ----------
    expr : sympy.Expr
        With no other free symbols, so that signs are known.
    scale : sympy.Symbol
        Positive.

    Returns
    -------
    Leading

    Raises
    ------
    GrowthError
        If the expression does not behave like a power, or this cannot be decided.

    Examples
    --------
    >>> s = sympy.Symbol("s", positive=True)
    >>> leading_power(sympy.sqrt(1 + 4 * s**2) * sympy.asin(s / sympy.sqrt(1 + 4 * s**2)), s)
    Leading(exponent=1, coefficient=pi/3)
    >>> leading_power(sympy.exp(3 * s - s**2), s).exponent
    -oo
    """
    if not expr.has(scale):
        return _constant(expr)
    if expr == scale:
        return Leading(sympy.S.One, sympy.S.One)
    if isinstance(expr, sympy.Add):
        return _of_sum(expr, scale)
    if isinstance(expr, sympy.Mul):
        parts = [leading_power(a, scale) for a in expr.args]
        return Leading(sympy.Add(*(p.exponent for p in parts)), sympy.Mul(*(p.coefficient for p in parts)))
    if isinstance(expr, sympy.exp):
        return _of_exponential(expr, scale)
    if isinstance(expr, sympy.Pow) and not expr.exp.has(scale):
        base = leading_power(expr.base, scale)
        if base.coefficient == 0:
            return base if expr.exp.is_positive else _by_limits(expr, scale)
        return Leading(base.exponent * expr.exp, base.coefficient**expr.exp)
    if isinstance(expr, (sympy.Max, sympy.Min)):
        return _of_extreme(expr, scale)
    if isinstance(expr, sympy.Abs):
        inner = leading_power(expr.args[0], scale)
        return Leading(inner.exponent, abs(inner.coefficient))
    if isinstance(expr, Angle):
        return _of_angle(expr, scale)
    if isinstance(expr, _BOUNDED):
        return _of_function(expr, scale)
    return _by_limits(expr, scale)


def growth_exponent(kernel: Expr, x: Point, y: Point) -> Expr:
    r"""Return the largest p with :math:`K(x, s\,y) \sim s^p` over directions of y, at generic x.

    Parameters
    ----------
    kernel : sympy.Expr
        Two-point function in the coordinates x and y. Other symbols stand for positive numbers; the exponent must not
        depend on them.
    x, y : tuple of symbols

    Returns
    -------
    sympy.Expr
        Rational, or ``-oo`` for a kernel that falls off faster than any power in all directions.

    Raises
    ------
    GrowthError
        If it cannot be derived, or differs between points x.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> growth_exponent(sympy.Max(0, x) * sympy.Max(0, y) + sympy.Max(0, -x) * sympy.Max(0, -y), (x,), (y,))
    1
    >>> growth_exponent(sympy.exp(-((x - y) ** 2)), (x,), (y,))
    -oo
    """
    others = sorted(kernel.free_symbols - {*x, *y}, key=str)
    sizes = {s: sympy.Rational(p, 7) for s, p in zip(others, _primes(len(others)), strict=True)}
    fixed, found = kernel.xreplace(sizes), set()
    for point in _generic_points(len(x)):
        at_x = fixed.xreplace(dict(zip(x, point, strict=True)))
        directions = [dict(zip(y, (c * _SCALE for c in v), strict=True)) for v in _directions(len(y))]
        found.add(max(leading_power(at_x.xreplace(d), _SCALE).exponent for d in directions))
    if len(found) > 1:
        raise GrowthError(f"the growth of {kernel} depends on the point x: exponents {sorted(found)}")
    return found.pop()


def _primes(n: int) -> list[int]:
    return [int(sympy.prime(i + 5)) for i in range(n)]


def _generic_points(dim: int) -> list[tuple[Expr, ...]]:
    first = tuple(sympy.Rational(3 + 2 * i, 4 + i) for i in range(dim))
    second = tuple((-1) ** i * sympy.Rational(5 + i, 7 + 4 * i) for i in range(dim))
    return [first, second]


def _directions(dim: int) -> list[tuple[Expr, ...]]:
    """Return directions in all orthants, none along an axis or a diagonal."""
    return [
        tuple(e * sympy.Rational(7 + 4 * i, 9) for i, e in enumerate(signs)) for signs in product((1, -1), repeat=dim)
    ]


def _constant(value: Expr) -> Leading:
    return Leading(-sympy.oo if value == 0 else sympy.S.Zero, value)


def _of_sum(expr: Expr, scale: sympy.Symbol) -> Leading:
    parts = [leading_power(a, scale) for a in expr.args]
    top = max(p.exponent for p in parts)
    total = sympy.Add(*(p.coefficient for p in parts if p.exponent == top))
    if top == -sympy.oo or not _is_zero(total):
        return Leading(top, total)
    return _by_limits(expr, scale)


def _is_zero(value: Expr) -> bool:
    """Return True if a number is zero: to 30 digits, as all numbers here are made of small ones."""
    return bool(abs(sympy.N(value, 30, maxn=200)) < sympy.Float("1e-25"))


def _of_exponential(expr: Expr, scale: sympy.Symbol) -> Leading:
    inner = leading_power(sympy.expand(expr.args[0]), scale)
    if inner.exponent > 0 and inner.coefficient != 0:
        if inner.coefficient > 0:
            raise GrowthError(f"{expr} grows exponentially, not like a power")
        return Leading(-sympy.oo, sympy.S.Zero)
    return Leading(sympy.S.Zero, sympy.exp(_limit(inner)))


def _of_extreme(expr: Expr, scale: sympy.Symbol) -> Leading:
    sign = 1 if isinstance(expr, sympy.Max) else -1
    parts = [leading_power(a, scale) for a in expr.args]

    def size(part: Leading) -> tuple[Expr, Expr]:
        """Order by value at large s: negative coefficients fall the more, the higher the power."""
        c = sign * part.coefficient
        if c == 0 or part.exponent == -sympy.oo:
            return (sympy.S.Zero, sympy.S.Zero)
        return (c.is_positive - c.is_negative + 0, c)

    best = max(parts, key=lambda p: (size(p)[0], size(p)[0] * p.exponent if size(p)[0] else 0, size(p)[1]))
    return best


def _of_angle(expr: Expr, scale: sympy.Symbol) -> Leading:
    """Return the limit of the angle, which has no dimension: only the longer component counts, or both."""
    y, x = (leading_power(a, scale) for a in expr.args)
    top = max(x.exponent, y.exponent)
    limits = [p.coefficient if p.exponent == top else sympy.S.Zero for p in (y, x)]
    value = Angle(*limits)
    return Leading(sympy.S.Zero, value) if not _is_zero(value) else _by_limits(expr, scale)


def _of_function(expr: Expr, scale: sympy.Symbol) -> Leading:
    inner = leading_power(expr.args[0], scale)
    if inner.exponent > 0 and inner.coefficient != 0:
        return _by_limits(expr, scale)
    value = expr.func(_limit(inner))
    if not _is_zero(value):
        return Leading(sympy.S.Zero, value)
    if isinstance(expr, sympy.cos | sympy.acos):
        return _by_limits(expr, scale)
    slope = expr.func(_SCALE).diff(_SCALE).subs(_SCALE, 0)  # odd functions: linear near zero
    return Leading(inner.exponent, slope * inner.coefficient)


def _limit(part: Leading) -> Expr:
    return part.coefficient if part.exponent == 0 else sympy.S.Zero


def _by_limits(expr: Expr, scale: sympy.Symbol) -> Leading:
    """Return the leading term from ``p = lim d log(expr) / d log(s)``."""
    try:
        exponent = sympy.limit(scale * sympy.diff(expr, scale) / expr, scale, sympy.oo)
        coefficient = sympy.limit(expr / scale**exponent, scale, sympy.oo) if exponent.is_finite else sympy.S.Zero
    except (NotImplementedError, ValueError, TypeError, AttributeError) as error:
        raise GrowthError(f"cannot derive how {expr} grows with {scale}") from error
    if exponent == -sympy.oo:
        return Leading(exponent, sympy.S.Zero)
    if not (exponent.is_Rational and coefficient.is_finite and coefficient.is_real and coefficient != 0):
        raise GrowthError(f"{expr} does not behave like a power of {scale}")
    return Leading(exponent, coefficient)
