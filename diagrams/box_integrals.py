r"""Vertex integrals over a box, :math:`\int_{|y_j| < \Lambda} d^dy \prod_i K(x_i, y)`, in closed form if there is one.

Closed: kernels that are polynomials in y within every orthant (ReLU in one dimension, linear nets), and Gaussian
kernels, whose exponent is a quadratic form without products of different components.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import sympy

from diagrams.special import Angle
from diagrams.typing import Expr, Point


class DivergentIntegralError(ValueError):
    """Raised for an integral over all of space that does not converge."""


def box_integral(factors: Sequence[Expr], y: Point, cutoff: Expr) -> Expr | None:
    """Return the integral of a product over the box ``-cutoff < y_j < cutoff``, or None if no closed form is known.

    Parameters
    ----------
    factors : sequence of sympy.Expr
        Functions of y.
    y : tuple of symbols
    cutoff : sympy.Expr
        Positive; ``oo`` for all of space, where only Gaussian kernels have a value.

    Returns
    -------
    sympy.Expr or None

    Examples
    --------
    >>> y, cutoff = sympy.Symbol("y", real=True), sympy.Symbol("Lambda", positive=True)
    >>> box_integral([sympy.Max(0, y)] * 4, (y,), cutoff)
    Lambda**5/5
    >>> box_integral([sympy.exp(-(y**2)), sympy.exp(-(y**2))], (y,), sympy.oo)
    sqrt(2)*sqrt(pi)/2
    """
    if (gaussian := _gaussian(factors, y, cutoff)) is not None:
        return gaussian
    return None if cutoff == sympy.oo else _piecewise_polynomial(factors, y, cutoff)


def unevaluated(factors: Sequence[Expr], y: Point, cutoff: Expr) -> Expr:
    """Return the same integral as a sympy.Integral."""
    return sympy.Integral(sympy.Mul(*factors), *((c, -cutoff, cutoff) for c in y))


def _piecewise_polynomial(factors: Sequence[Expr], y: Point, cutoff: Expr) -> Expr | None:
    positive = [sympy.Dummy(positive=True) for _ in y]
    total = []
    for signs in product((1, -1), repeat=len(y)):
        orthant = {c: e * t for c, e, t in zip(y, signs, positive, strict=True)}
        here = [f.xreplace(orthant).doit() for f in factors]
        if not all(f.is_polynomial(*positive) for f in here):
            return None
        poly = sympy.Poly(1, *positive, domain="EX")
        for f in here:
            poly *= sympy.Poly(f, *positive, domain="EX")
        for powers, c in poly.terms():
            total.append(c * sympy.Mul(*(cutoff ** (p + 1) / (p + 1) for p in powers)))
    return sympy.Add(*total)


def _gaussian(factors: Sequence[Expr], y: Point, cutoff: Expr) -> Expr | None:
    """Return the integral of ``c exp(sum_j (-a_j y_j**2 + b_j y_j) + e)``, or None for other integrands."""
    front, exponent = [], []
    for f in factors:
        for part in sympy.Mul.make_args(sympy.powsimp(f)):
            if isinstance(part, sympy.exp):
                exponent.append(part.args[0])
            elif part.has(*y):
                return None
            else:
                front.append(part)
    form = sympy.expand(sympy.Add(*exponent))
    if not form.is_polynomial(*y) or not form.has(*y):
        return None
    poly = sympy.Poly(form, *y)
    if any(sum(powers) > 2 or sum(p > 0 for p in powers) > 1 for powers in poly.monoms()):
        return None
    result = sympy.Mul(*front)
    rest = poly.coeff_monomial(1)
    for c in y:
        a, b = -poly.coeff_monomial(c**2), poly.coeff_monomial(c)
        if not a.is_positive:
            return None
        rest += b**2 / (4 * a)
        root, middle = sympy.sqrt(a), sympy.cancel(b / (2 * a))
        ends = [sympy.erf(root * (cutoff + e * middle)) if cutoff != sympy.oo else sympy.S.One for e in (1, -1)]
        result *= sympy.sqrt(sympy.pi) / (2 * root) * sympy.Add(*ends)
    return result * sympy.exp(sympy.factor_terms(sympy.expand(rest)))


def homogeneous_degree(expr: Expr, y: Point) -> Expr | None:
    """Return p if ``expr(s y) = s**p expr(y)`` for all s > 0 follows from the form of the expression, else None.

    A zero expression has degree None too. Other symbols are constants.

    Examples
    --------
    >>> a, b = sympy.symbols("a b", real=True)
    >>> homogeneous_degree(sympy.sqrt(a**2 + b**2) * Angle(a, b), (a, b))
    1
    >>> homogeneous_degree(a**2 + b, (a, b)) is None
    True
    """
    if not expr.has(*y):
        return None if expr == 0 else sympy.S.Zero
    if expr in y:
        return sympy.S.One
    if isinstance(expr, sympy.Mul):
        degrees = [homogeneous_degree(a, y) for a in expr.args]
        return None if None in degrees else sympy.Add(*degrees)
    if isinstance(expr, sympy.Add):
        return _common_degree(expr.args, y) if (d := _common_degree(sympy.expand(expr).args, y)) is None else d
    if isinstance(expr, sympy.Pow) and not expr.exp.has(*y):
        inner = homogeneous_degree(expr.base, y)
        return None if inner is None else inner * expr.exp
    if isinstance(expr, sympy.Abs):
        return homogeneous_degree(expr.args[0], y)
    if isinstance(expr, (sympy.Max, sympy.Min)):
        return _common_degree([a for a in expr.args if a != 0], y)
    if isinstance(expr, Angle):  # an angle does not change if both components grow alike
        same = _common_degree([a for a in expr.args if a != 0], y)
        return None if same is None else sympy.S.Zero
    inner = [homogeneous_degree(a, y) for a in expr.args]
    return sympy.S.Zero if isinstance(expr, sympy.Function) and all(d == 0 for d in inner) else None


def _common_degree(terms: Sequence[Expr], y: Point) -> Expr | None:
    degrees = {homogeneous_degree(a, y) for a in terms}
    return degrees.pop() if len(degrees) == 1 else None
