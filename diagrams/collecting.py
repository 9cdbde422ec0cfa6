"""Collecting the terms of an expression that share their exponentials."""

from __future__ import annotations

import sympy

from diagrams.typing import Expr


def collect_exponentials(expr: Expr) -> Expr:
    """Return the expression as a sum over distinct products of exponentials, their prefactors merged.

    Prefactors become polynomials in symbols and in linear forms such as ``x_1 - x_2``, whose powers are not multiplied
    out, with common factors in front; terms that cancel are gone. Exponents are left as they are.

    Parameters
    ----------
    expr : sympy.Expr
        Built from sums, products and whole powers; everything else in it counts as a symbol.

    Returns
    -------
    sympy.Expr

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> s, x, y = (symbol(name) for name in ("sigma_w0", "x_1", "x_2"))
    >>> wave = sympy.exp(-s * (x - y) ** 2)
    >>> collect_exponentials(s * (1 + s * (x - y) ** 2) * wave - s * wave)
    sigma_w0**2*(x_1 - x_2)**2*exp(-sigma_w0*(x_1 - x_2)**2)
    """
    stand_ins: dict[Expr, sympy.Dummy] = {}
    bare = _polynomial(sympy.sympify(expr), stand_ins)
    meaning = {dummy: atom for atom, dummy in stand_ins.items()}
    waves = {dummy for atom, dummy in stand_ins.items() if isinstance(atom, sympy.exp)}
    prefactors: dict[Expr, list[Expr]] = {}
    for term in sympy.Add.make_args(sympy.expand(bare)):
        wave: list[Expr] = []
        rest: list[Expr] = []
        for factor in sympy.Mul.make_args(term):
            (wave if factor.as_base_exp()[0] in waves else rest).append(factor)
        prefactors.setdefault(sympy.Mul(*wave), []).append(sympy.Mul(*rest))
    terms = [wave * sympy.factor_terms(sympy.Add(*rest)) for wave, rest in prefactors.items()]
    return sympy.Add(*(t.xreplace(meaning) for t in terms))


def _polynomial(expr: Expr, stand_ins: dict[Expr, sympy.Dummy]) -> Expr:
    """Return the expression with exponentials and powers of sums replaced by symbols."""
    if expr.is_Add or expr.is_Mul:
        return expr.func(*(_polynomial(a, stand_ins) for a in expr.args))
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
        base = expr.base
        if base.is_Add and not base.has(sympy.exp):
            sign = -1 if base.could_extract_minus_sign() else 1
            return (sign * stand_ins.setdefault(sign * base, sympy.Dummy())) ** expr.exp
        return _polynomial(base, stand_ins) ** expr.exp
    if expr.is_number or expr.is_Symbol:
        return expr
    return stand_ins.setdefault(expr, sympy.Dummy())
