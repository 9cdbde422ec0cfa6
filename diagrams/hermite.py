r"""Hermite polynomials of one and of several variables, as symbols and as an operation on polynomials.

A polynomial in several variables is a dict ``{packed exponents: coefficient}``; the exponent of variable i sits in bit
field i, so that a product of monomials is a sum of keys. Coefficients are of any one field: Fractions, floats, elements
of a domain of sympy. (Integers are not: they do not divide.)

The Hermite transform :math:`e^{-\frac12 M_{ij} \partial_i \partial_j}` takes :math:`x^n` to :math:`\mathrm{He}_n(x)`
for :math:`M = 1`, and in several variables takes a monomial to the Hermite polynomial of the Gaussian with covariance
M. With the exponential and the logarithm of a power series it is all that an Edgeworth expansion needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import factorial
from typing import Any

import sympy

from diagrams._graded import add_product
from diagrams.typing import Expr

Polynomial = dict[int, Any]

_BITS = 12  # exponents below 4096: Edgeworth series through N^-680
_MASK = (1 << _BITS) - 1


class He(sympy.Function):
    r"""The Hermite polynomial :math:`\mathrm{He}_n(x) = e^{x^2/2} (-d/dx)^n e^{-x^2/2}`, left as a symbol.

    ``sympy.expand_func`` writes it out in powers of x; at a number it has its value.
    (:class:`sympy.hermite_prob` is the same polynomial, written out at once.)

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> He(4, x), sympy.expand_func(He(4, x)), He(4, 2), He(4, x).diff(x)
    (He(4, x), x**4 - 6*x**2 + 3, -5, 4*He(3, x))
    """

    nargs = 2

    @classmethod
    def eval(cls, n: Expr, x: Expr) -> Expr:
        """Return the value at a number, the polynomials of degree 0 and 1, else None (unevaluated).

        Raises
        ------
        ValueError
            If n is a number but not an integer >= 0.
        """
        if not n.is_number:
            return None
        if not n.is_Integer or n < 0:
            raise ValueError(f"a Hermite polynomial has a degree 0, 1, 2, ..., got {n}")
        return _in_powers(int(n), x) if n < 2 or x.is_number else None

    def fdiff(self, argindex: int = 2) -> Expr:
        """Return the derivative with respect to x, ``n He_{n-1}(x)``."""
        if argindex != 2:
            raise sympy.ArgumentIndexError(self, argindex)
        n, x = self.args
        return n * He(n - 1, x)

    def _eval_expand_func(self, **hints: Any) -> Expr:
        n, x = self.args
        return sympy.expand_mul(_in_powers(int(n), x)) if n.is_Integer else self

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        n, x = map(printer._print, self.args)
        return rf"\mathrm{{He}}_{{{n}}}" + ("" if exp is None else f"^{{{exp}}}") + rf"\!\left({x}\right)"


def _in_powers(n: int, x: Expr) -> Expr:
    terms = ((-1) ** k * factorial(n) // (factorial(k) * factorial(n - 2 * k) * 2**k) for k in range(n // 2 + 1))
    return sympy.Add(*(c * x ** (n - 2 * k) for k, c in enumerate(terms)))


def packed(exponents: Iterable[int]) -> int:
    """Return the key of a monomial.

    Examples
    --------
    >>> exponents_of(packed((2, 0, 1)), 3)
    (2, 0, 1)
    """
    return sum(e << (_BITS * i) for i, e in enumerate(exponents))


def exponents_of(key: int, n_variables: int) -> tuple[int, ...]:
    """Return the exponents of the first ``n_variables`` variables in a monomial."""
    return tuple(key >> (_BITS * i) & _MASK for i in range(n_variables))


def hermite_transform(polynomial: Polynomial, contraction: Mapping[tuple[int, int], Any]) -> Polynomial:
    r"""Return :math:`e^{-\frac12 M_{ij} \partial_i \partial_j}` of a polynomial.

    Parameters
    ----------
    polynomial : dict
    contraction : mapping from (i, j) with i <= j to number
        The non-zero entries of the symmetric matrix M.

    Examples
    --------
    >>> from fractions import Fraction
    >>> hermite_transform({packed([4]): Fraction(1)}, {(0, 0): Fraction(1)}) == {4: 1, 2: -6, 0: 3}
    True
    """
    total, term, step = dict(polynomial), polynomial, 0
    while term:
        step += 1
        term = _contracted(term, contraction, step)
        for key, value in term.items():
            total[key] = total[key] + value if key in total else value
    return {key: value for key, value in total.items() if value}


def _contracted(polynomial: Polynomial, contraction: Mapping[tuple[int, int], Any], step: int) -> Polynomial:
    """Return ``-M_ij d_i d_j / (2 step)`` of a polynomial."""
    result: Polynomial = {}
    for key, value in polynomial.items():
        for (i, j), entry in contraction.items():
            a, b = key >> (_BITS * i) & _MASK, key >> (_BITS * j) & _MASK
            pairs = a * (a - 1) if i == j else 2 * a * b
            if pairs:
                target = key - (1 << (_BITS * i)) - (1 << (_BITS * j))
                change = value * entry * -pairs / (2 * step)
                result[target] = result[target] + change if target in result else change
    return result


def exponential(terms: Mapping[int, Polynomial], *, top: int, one: Any) -> list[Polynomial]:
    r"""Return the coefficients of :math:`t^0 \ldots t^{top}` in :math:`\exp(\sum_{s \ge 1} t^s W_s)`.

    Parameters
    ----------
    terms : mapping from s to Polynomial
        The W_s; those that are not given vanish.
    top : int
    one : number
        The 1 of the field of the coefficients.
    """
    result: list[Polynomial] = [{0: one}]
    for s in range(1, top + 1):
        total: Polynomial = {}
        for j in range(1, s + 1):
            add_product(total, terms.get(j, {}), result[s - j], j)
        result.append({key: value / s for key, value in total.items() if value})
    return result


def logarithm(series: Sequence[Polynomial]) -> list[Polynomial]:
    r"""Return the coefficients of the logarithm of a series :math:`1 + \sum_{s \ge 1} t^s q_s`, that of t^0 empty."""
    result: list[Polynomial] = [{}]
    for s in range(1, len(series)):
        total: Polynomial = {key: value * s for key, value in series[s].items()}
        for j in range(1, s):
            add_product(total, result[j], series[s - j], -j)
        result.append({key: value / s for key, value in total.items() if value})
    return result
