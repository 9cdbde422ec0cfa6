r"""The Edgeworth expansion: densities from cumulants without diagrams.

For cumulants :math:`\kappa_r` of order :math:`N^{1 - r/2}` the density is

.. math:: p(x) = \exp\Bigl(\sum_{r \ge 3} \frac{(-1)^r}{r!} \kappa_r \frac{d^r}{dx^r}\Bigr)
          \frac{e^{-x^2/2}}{\sqrt{2\pi}}

expanded in powers of :math:`N^{-1/2}` (for a field: arXiv:2307.03223, section 3). Every derivative of the Gaussian is a
Hermite polynomial. The terms are those of the Gram-Charlier series A in another order: that one is sorted by the degree
of the Hermite polynomial, which mixes orders in 1/N (:math:`\mathrm{He}_6` comes with :math:`k_6/N^2` and with
:math:`k_3^2/N`), and cutting it at a degree is not an expansion in 1/N.

The logarithm of the density is minus the action, including its constant. It is found here as the logarithm of a power
series, so it is an independent check of the diagrams of :mod:`diagrams.reconstruction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

import sympy

from diagrams._edgeworth_vector import VectorEdgeworth, as_real, edgeworth_expansion
from diagrams.hermite import He, Polynomial, exponential, exponents_of, hermite_transform, logarithm, packed
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import check_order
from diagrams.typing import Expr

__all__ = [
    "VectorEdgeworth",
    "edgeworth_density",
    "edgeworth_expansion",
    "edgeworth_latex",
    "edgeworth_log_density",
]


def edgeworth_density(
    *, order: int, mean: Expr = 0, variance: Expr = 1, cumulants: Mapping[int, Expr] | None = None
) -> Series:
    r"""Return the density of one random variable from its cumulants, through ``N**-order``.

    .. math:: p(x) = \frac{e^{-u^2/2}}{\sqrt{2 \pi \sigma^2}} \Bigl[1 + N^{-1/2} \frac{k_3}{3!\,\sigma^3}
              \mathrm{He}_3(u) + N^{-1} \Bigl(\frac{k_4}{4!\,\sigma^4} \mathrm{He}_4(u)
              + \frac{k_3^2}{2 (3!)^2 \sigma^6} \mathrm{He}_6(u)\Bigr) + \ldots\Bigr], \qquad
              u = \frac{x - \mu}{\sigma}

    for :math:`\kappa_r = k_r N^{1 - r/2}` (F. Y. Edgeworth 1905; H. Cramér, Mathematical Methods of Statistics,
    section 17.7, where k_r is for variance one). The truncated density integrates to one and has the cumulants that
    were put in, to the order kept; it can be negative.

    Parameters
    ----------
    order : int
        Highest power of 1/N kept, >= 0; half-integer powers below it are included.
    mean, variance : number or sympy expression
        Exact ones, of any dependence on N.
    cumulants : mapping from r to number or sympy expression, optional
        Values of k_r for r = 3 ... 2 order + 2, without N (higher ones do not enter at this order). If no odd one is
        given they vanish. By default the symbols ``k3, k4, ...``.

    Returns
    -------
    Series
        In 1/N; coefficients are functions of the symbol ``x`` with Hermite polynomials
        :class:`~diagrams.hermite.He`, which ``sympy.expand_func`` writes out.

    Raises
    ------
    TypeError, ValueError
        If ``order`` is not an integer >= 0, the variance is not positive, or a cumulant is missing (the text names it)
        or not a finite real number or expression.

    Examples
    --------
    >>> p = edgeworth_density(order=1)
    >>> p[sympy.Rational(1, 2)]
    sqrt(2)*k3*exp(-x**2/2)*He(3, x)/(12*sqrt(pi))
    >>> sympy.expand(p[1] / p[0])
    k3**2*He(6, x)/72 + k4*He(4, x)/24
    """
    variable = _variable(order, mean, variance, cumulants)
    terms = [(sympy.Rational(s, 2), variable.in_hermite(p)) for s, p in enumerate(_operator(order))]
    return _series(order, [(e, variable.gaussian * c) for e, c in terms])


def edgeworth_log_density(
    *, order: int, mean: Expr = 0, variance: Expr = 1, cumulants: Mapping[int, Expr] | None = None
) -> Series:
    r"""Return the logarithm of the density of one random variable, its constant included, through ``N**-order``.

    Minus this is the action: the coefficient of :math:`x^n` is :math:`-g_n/n!` with the couplings of
    :func:`diagrams.reconstruction.one_variable_couplings` (for mean zero and variance one). The constant makes the
    exponential integrate to one to the order kept.

    Parameters
    ----------
    order, mean, variance, cumulants
        As for :func:`edgeworth_density`.

    Returns
    -------
    Series
        In 1/N; coefficients are polynomials in the symbol ``x``.

    Raises
    ------
    TypeError, ValueError
        As :func:`edgeworth_density`.

    Examples
    --------
    >>> edgeworth_log_density(order=1)[1]
    -k3**2*x**4/8 + k3**2*x**2/2 - 5*k3**2/24 + k4*x**4/24 - k4*x**2/4 + k4/8
    """
    variable = _variable(order, mean, variance, cumulants)
    density = [hermite_transform(p, {(0, 0): Fraction(1)}) for p in _operator(order)]
    terms = [(sympy.Rational(s, 2), variable.in_powers(p)) for s, p in enumerate(logarithm(density))]
    u2 = (variable.x - variable.mean) ** 2 / variable.variance
    return _series(order, [(0, -u2 / 2 - sympy.log(2 * sympy.pi * variable.variance) / 2), *terms])


def edgeworth_latex(*, order: int, even: bool = False) -> str:
    r"""Return the Edgeworth form of the density of a field (or of several variables) in LaTeX, through ``N**-order``.

    Each term is a full contraction of connected correlators with a Hermite tensor,
    :math:`H^{(n)}_{i_1 \ldots i_n} = e^{S_0} (-\partial_{i_1}) \ldots (-\partial_{i_n}) e^{-S_0}`.

    Parameters
    ----------
    order : int
        Highest power of 1/N kept, >= 0.
    even : bool
        Odd correlators vanish.

    Examples
    --------
    >>> edgeworth_latex(order=1, even=True).split("[")[1].split("]")[0]
    '1 + N^{-1} \\Bigl(\\tfrac{1}{24} \\hat G_{4} \\cdot H^{(4)}\\Bigr) + O(N^{-2})\\Bigr'
    """
    check_order("order", order)
    parts = ["1"]
    for s, polynomial in enumerate(_operator(order)):
        powers = {key: exponents_of(key, 2 * order + 1) for key in sorted(polynomial) if s}
        shown = [_term_latex(p, polynomial[key]) for key, p in powers.items() if not (even and any(p[1::2]))]
        if shown:
            parts.append(rf"{_power_latex(s)} \Bigl({' + '.join(shown)}\Bigr)")
    parts.append(f"O({_power_latex(2 * order + (2 if even else 1))})")
    return (
        r"p(\phi) = \frac{e^{-S_0}}{\sqrt{\det 2 \pi G_2}} \Bigl["
        + " + ".join(parts)
        + r"\Bigr], \quad S_0 = \tfrac{1}{2} (\phi - \bar\phi)\, G_2^{-1} (\phi - \bar\phi), \quad"
        + r" \hat G_n = N^{n/2 - 1} G_c^{(n)}, \quad H^{(n)} = e^{S_0} (-\partial)^n e^{-S_0}"
    )


def _power_latex(halves: int) -> str:
    return f"N^{{-{sympy.Rational(halves, 2)}}}"


def _term_latex(powers: tuple[int, ...], coefficient: Fraction) -> str:
    degree, *multiplicities = powers
    tensors = [rf"\hat G_{{{r}}}" + (f"^{{{m}}}" if m > 1 else "") for r, m in enumerate(multiplicities, 3) if m]
    fraction = rf"\tfrac{{{coefficient.numerator}}}{{{coefficient.denominator}}}"
    return rf"{fraction} {' '.join(tensors)} \cdot H^{{({degree})}}"


def _operator(order: int) -> list[Polynomial]:
    """Return the coefficients of N^(-s/2), s = 0 ... 2 order, as polynomials in -d/dx (variable 0) and k_(2 + i)."""
    top = 2 * order
    terms = {}
    for s in range(1, top + 1):
        exponents = [0] * (top + 1)
        exponents[0], exponents[s] = s + 2, 1
        terms[s] = {packed(exponents): Fraction(1, factorial(s + 2))}
    return exponential(terms, top=top, one=Fraction(1))


@dataclass(frozen=True)
class _Variable:
    """A random variable of which polynomials in the standardised one are written."""

    mean: Expr
    variance: Expr
    cumulants: tuple[Expr, ...]  # k_3, k_4, ...

    @property
    def x(self) -> Expr:
        return symbol("x")

    @property
    def gaussian(self) -> Expr:
        norm = sympy.sqrt(2 * sympy.pi * self.variance)
        return sympy.exp(-((self.x - self.mean) ** 2) / (2 * self.variance)) / norm

    def in_hermite(self, polynomial: Polynomial) -> Expr:
        """Return a polynomial in -d/dx, applied to the Gaussian and divided by it."""
        u = (self.x - self.mean) / sympy.sqrt(self.variance)
        parts: dict[int, list[Expr]] = {}
        for key, coefficient in polynomial.items():
            degree, product = self._product(key, coefficient)
            parts.setdefault(degree, []).append(product)
        return sympy.Add(*(sympy.Add(*p) * self.variance ** sympy.Rational(-n, 2) * He(n, u) for n, p in parts.items()))

    def in_powers(self, polynomial: Polynomial) -> Expr:
        """Return a polynomial in the standardised variable and the standardised cumulants."""
        total = []
        for key, coefficient in polynomial.items():
            degree, product = self._product(key, coefficient)
            powers = exponents_of(key, len(self.cumulants) + 1)[1:]
            weight = degree + sum(r * m for r, m in enumerate(powers, 3))
            total.append(product * self.variance ** sympy.Rational(-weight, 2) * (self.x - self.mean) ** degree)
        return sympy.Add(*total)

    def _product(self, key: int, coefficient: Fraction) -> tuple[int, Expr]:
        degree, *powers = exponents_of(key, len(self.cumulants) + 1)
        factors = [k**m for k, m in zip(self.cumulants, powers, strict=True)]
        return degree, sympy.Mul(sympy.Rational(coefficient.numerator, coefficient.denominator), *factors)


def _variable(order: int, mean: Expr, variance: Expr, cumulants: Mapping[int, Expr] | None) -> _Variable:
    check_order("order", order)
    spread = as_real("variance", variance)
    if spread.is_positive is False or (spread.is_number and not spread > 0):
        raise ValueError(f"the variance must be positive, got {variance!r}")
    wanted = range(3, 2 * order + 3)
    if cumulants is None:
        values = tuple(symbol(f"k{r}") for r in wanted)
    else:
        _check_keys(cumulants, order)
        values = tuple(as_real(f"k_{r}", cumulants.get(r, 0)) for r in wanted)
    return _Variable(as_real("mean", mean), spread, values)


def _check_keys(cumulants: Mapping[int, Expr], order: int) -> None:
    if not isinstance(cumulants, Mapping):
        raise TypeError(f"cumulants must be a mapping such as {{3: ..., 4: ...}}, got {type(cumulants).__name__}")
    if wrong := [r for r in cumulants if isinstance(r, bool) or not isinstance(r, int) or r < 3]:
        raise ValueError(
            f"cumulants are k_3, k_4, ..., got the key {wrong[0]!r}; use mean= and variance= for the first"
        )
    even = all(r % 2 == 0 for r in cumulants)
    if missing := [r for r in range(4 if even else 3, 2 * order + 3, 2 if even else 1) if r not in cumulants]:
        raise ValueError(
            f"the density through N^-{order} needs the cumulants k_r for r = {missing} too; give 0 if one vanishes"
        )


def _series(order: int, terms: list[tuple[Any, Expr]]) -> Series:
    half = sympy.Rational(1, 2)
    return Series((1 / symbol("N"),), tuple(((e,), c) for e, c in terms), (order + half,))
