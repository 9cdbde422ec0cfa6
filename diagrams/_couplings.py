"""Couplings as Series: from what a user types to powers of the expansion parameters, and orders in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import sympy

from diagrams.regions import exact_real
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.typing import Expr

Values = tuple[tuple[sympy.Symbol, Expr], ...]

JOINT = "all parameters"  # their sum, as one more parameter to limit


@dataclass(frozen=True, repr=False)
class ValuedSeries(Series):
    """A Series whose parameters stay symbols in the expansion and become numbers in :meth:`as_expr`.

    Parameters
    ----------
    values : tuple of (symbol, value)
        What :meth:`as_expr` puts in for the parameters.
    """

    values: Values = ()

    @classmethod
    def of(cls, series: Series, values: Values) -> Series:
        """Return the series with these values; the series itself if there are none."""
        if not values:
            return series
        return cls(series.parameters, series.terms, series.remainder, series.sources, values)

    def as_expr(self) -> Expr:
        """Return the sum of the computed terms with the values put in (the remainder is dropped)."""
        return super().as_expr().xreplace(dict(self.values))

    def map(self, function: Any) -> Series:
        """Return the series with ``function`` applied to every coefficient; orders, diagrams and values stay."""
        return ValuedSeries.of(super().map(function), self.values)

    def truncate(self, remainder: Exponents) -> Series:
        """Return the series cut at a lower remainder; the values stay."""
        return ValuedSeries.of(super().truncate(remainder), self.values)


def real_value(name: str, value: Any) -> Expr:
    """Return a finite real number (exact) or a real expression; a string is the name of a symbol.

    Raises
    ------
    TypeError, ValueError
        As :func:`diagrams.regions.exact_real`.
    """
    return exact_real(name, symbol(value) if isinstance(value, str) and value.isidentifier() else value)


def check_valence(n: Any) -> int:
    """Return the number of fields of a coupling.

    Raises
    ------
    TypeError, ValueError
        If it is not a positive integer.
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"couplings are {{number of fields: coupling}} with integers >= 1, got {n!r}")
    if n < 1:
        raise ValueError(f"a coupling has at least one field, got n = {n}")
    return n


def parameter_symbols(expansion: Iterable[Any]) -> tuple[Expr, ...]:
    """Return expansion parameters given as symbols or names.

    Raises
    ------
    TypeError, ValueError
        If one is neither a symbol nor a name, or is given twice.
    """
    given = (expansion,) if isinstance(expansion, str | sympy.Symbol) else tuple(expansion)
    found = tuple(symbol(p) if isinstance(p, str) else p for p in given)
    if wrong := [p for p in found if not isinstance(p, sympy.Symbol)]:
        raise TypeError(f"expansion parameters are symbols or their names, got {wrong[0]!r}")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"give at least one expansion parameter, and each of them once, got {list(given)}")
    return found


def named_couplings(
    couplings: Mapping[int, Any],
    *,
    expansion: Any,
    values: Mapping[Any, Any] | None,
    fixed: Iterable[Expr] = (),
    names: Mapping[int, int] | None = None,
) -> tuple[tuple[tuple[int, Series], ...], tuple[Expr, ...], Values]:
    """Return the couplings as Series, the expansion parameters and the numbers that belong to these.

    Parameters
    ----------
    couplings : mapping from n to number, expression, name or Series
        A number becomes the value of a parameter ``g_n``.
    expansion : sequence of symbols or names, or None
        None: every symbol in the couplings that is not ``fixed``.
    values : mapping from parameter to number, or None
    fixed : iterable of sympy.Symbol
        Symbols that are no expansion parameters.
    names : mapping from the keys of ``couplings`` to n, optional
        Where these are not the numbers of fields themselves.

    Raises
    ------
    TypeError, ValueError
        For couplings that are no polynomials in the parameters, or values of unknown parameters.
    """
    if not isinstance(couplings, Mapping) or not couplings:
        raise TypeError(f"give at least one coupling, such as {{4: 'lambda'}}, got {couplings!r}")
    known: dict[Expr, Expr] = {}
    given: dict[int, Any] = {}
    shown = {n: n for n in couplings} if names is None else names
    for n, value in sorted(couplings.items(), key=lambda item: check_valence(item[0])):
        read = value if isinstance(value, Series) else real_value(f"coupling g_{shown[n]}", value)
        if expansion is None and not isinstance(read, Series) and read.is_number:
            name = symbol(f"g_{shown[n]}")
            name = symbol(f"g_{shown[n]}_{n}") if known.get(name, read) != read else name
            known[name], read = read, name
        given[n] = read
    parameters = _found_parameters(given.values(), set(fixed)) if expansion is None else parameter_symbols(expansion)
    if not parameters:
        raise ValueError(f"no expansion parameter in the couplings {dict(couplings)}; name it: expansion=('lambda',)")
    for name, value in (values or {}).items():
        known[_parameter(name, parameters, "values")] = real_value(f"values[{name!r}]", value)
    series = tuple((n, _as_series(shown[n], value, parameters)) for n, value in given.items())
    known = {p: known[p] for p in parameters if p in known}
    return series, parameters, tuple(known.items())


def _found_parameters(given: Iterable[Any], fixed: set[Expr]) -> tuple[Expr, ...]:
    found: dict[Expr, None] = {}
    for value in given:
        symbols = value.parameters if isinstance(value, Series) else sorted(value.free_symbols, key=str)
        found |= dict.fromkeys(s for s in symbols if s not in fixed)
    return tuple(found)


def _parameter(name: Any, parameters: Sequence[Expr], where: str) -> Expr:
    for p in parameters:
        if name == p or name == str(p):
            return p
    raise ValueError(f"{where} names {name!r}, but the expansion parameters are {[str(p) for p in parameters]}")


def _as_series(n: int, value: Any, parameters: tuple[Expr, ...]) -> Series:
    if not isinstance(value, Series):
        return Series(parameters, tuple(powers_of(f"coupling g_{n}", value, parameters)))
    places = [parameters.index(_parameter(p, parameters, f"coupling g_{n}")) for p in value.parameters]

    def spread(key: Exponents, rest: Expr) -> Exponents:
        whole = [rest] * len(parameters)
        for place, exponent in zip(places, key, strict=True):
            whole[place] = exponent
        return tuple(whole)

    remainder = None if value.remainder is None else spread(value.remainder, sympy.oo)
    return Series(parameters, tuple((spread(k, sympy.S.Zero), c) for k, c in value.terms), remainder)


def powers_of(name: str, value: Expr, parameters: tuple[Expr, ...]) -> list[tuple[Exponents, Expr]]:
    """Return the (exponents, coefficient) of a polynomial in the parameters; rational exponents are allowed.

    Raises
    ------
    ValueError
        If it is not one, or a power is negative.
    """
    terms = []
    for term in sympy.Add.make_args(sympy.expand(value)):
        rest, key = term, []
        for p in parameters:
            rest, exponent = rest.as_coeff_exponent(p)
            key.append(exponent)
        if rest.free_symbols & set(parameters) or not all(e.is_Rational and e >= 0 for e in key):
            raise ValueError(
                f"{name} must be a sum of non-negative powers of the expansion parameters "
                f"{[str(p) for p in parameters]}, got the term {term}"
            )
        terms.append((tuple(key), rest))
    return terms


def below(key: Exponents, highest: Sequence[Any]) -> bool:
    """Return True if no exponent is above the highest power of its parameter (None: not limited)."""
    return all(h is None or e <= h for e, h in zip(key, highest, strict=True))


def product_terms(factors: Iterable[Iterable[tuple[Exponents, Expr]]], highest: Sequence[Any]) -> dict[Exponents, Expr]:
    """Return the terms of a product of series, through the highest powers."""
    total: dict[Exponents, Expr] = {(sympy.S.Zero,) * len(highest): sympy.S.One}
    for factor in factors:
        grown: dict[Exponents, Expr] = {}
        for key, value in total.items():
            for more, coefficient in factor:
                raised = tuple(a + b for a, b in zip(key, more, strict=True))
                grown[raised] = grown.get(raised, sympy.S.Zero) + value * coefficient
        total = grown
    # powers of blobs with a mean can be negative, so nothing may be dropped before the end
    return {key: value for key, value in total.items() if below(key, highest) and value != 0}


def first_omitted(highest: Sequence[Any], exponents: Iterable[Exponents]) -> Exponents:
    """Return the first power of each parameter that was not computed, from the powers that its vertices carry."""
    columns = list(zip(*exponents, strict=True)) or [()] * len(highest)
    steps = [sympy.Rational(1, lcm(1, *(int(sympy.Rational(e).q) for e in column))) for column in columns]
    return tuple(sympy.oo if h is None else h + step for h, step in zip(highest, steps, strict=True))


def with_values(series: Series, values: Values) -> Series:
    """Return the series with values for its parameters, replacing those that it has."""
    plain = Series(series.parameters, series.terms, series.remainder, series.sources)
    return ValuedSeries.of(plain, values)


def vertex_weights(
    vertices: Mapping[Any, Sequence[Exponents]], parameters: Sequence[Expr]
) -> dict[Any, dict[str, Fraction]]:
    """Return weights for :func:`diagrams.diagrams_to_order` that keep every diagram that can reach an order.

    A vertex that comes at several powers has, for each parameter and for their sum (named ``JOINT``), the lowest
    of them: with these limits no diagram is lost, and none too many if a lowest power exists.
    """
    names = [str(p) for p in parameters]
    weights = {}
    for vertex, keys in vertices.items():
        rows = [[Fraction(int(e.p), int(e.q)) for e in map(sympy.Rational, key)] for key in keys]
        lowest = {name: min(row[i] for row in rows) for i, name in enumerate(names)}
        weights[vertex] = lowest | {JOINT: min(sum(row, Fraction(0)) for row in rows)}
    return weights


def largest_gain(options: tuple[tuple[int, Exponents], ...], left: Exponents) -> int:
    """Return the largest sum of gains of vertices whose powers add up to no more than those left.

    Parameters
    ----------
    options : tuple of (int, exponents)
        Gain and powers of each vertex, which may be used any number of times; those without a positive power are not
        counted.
    left : tuple of exponents

    Examples
    --------
    >>> largest_gain(((1, (1,)), (2, (1,))), (3,))
    6
    """
    if not options:
        return 0
    (gain, key), *rest = options
    best, n = largest_gain(tuple(rest), left), 0
    while any(key) and all(e >= 0 for e in left):
        best = max(best, n * gain + largest_gain(tuple(rest), left))
        left, n = tuple(a - b for a, b in zip(left, key, strict=True)), n + 1
    return best
