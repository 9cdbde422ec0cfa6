"""Expressions arranged for few operations: sums over exponentials, with polynomials in the fewest linear forms.

A sum such as a loop integral with Gaussian lines has many terms that share an exponential, and its polynomials depend
on a few linear combinations of the points only. Everything is exact: prefactors of the same exponential are merged,
each becomes a Horner scheme in the linear forms that it depends on, and exponents are sums over groups of monomials
with the same coefficient, which many exponents share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import sympy

from diagrams.typing import Expr
from numerics._printer import Replacements, eliminate_common

Monomial: TypeAlias = tuple[tuple[int, int], ...]  # (generator, power >= 1), generators in increasing order
Polynomial: TypeAlias = dict[tuple[Monomial, Expr], Fraction]  # (monomial, irrational constant) -> rational
Wave: TypeAlias = frozenset[tuple[tuple[Monomial, Expr], Fraction]]  # the exponent of an exponential
Sum: TypeAlias = dict[Wave, Polynomial]

_ONE: Wave = frozenset()
_MOST_PRODUCTS = 200_000  # of terms in one multiplication: beyond it an expression stays as it is
_DIGITS = 40
_GAIN = 2  # least factor in operations for which expressions are multiplied out
_SMALL = 2_000  # operations up to which both arrangements are tried


class _TooLarge(Exception):
    """Multiplying out would give too many terms."""


@lru_cache(maxsize=128)
def arrange(expressions: tuple[Expr, ...]) -> tuple[Replacements, tuple[Expr, ...]]:
    """Return shared values and what is left of each expression, with as few operations as were found.

    Parameters
    ----------
    expressions : tuple of sympy.Expr

    Returns
    -------
    tuple of (symbol, value), tuple of sympy.Expr
        As :func:`sympy.cse`; a value may use symbols that are defined after it.
    """
    plain = sum(int(sympy.count_ops(e)) for e in expressions)
    try:
        sums = _Sums(expressions)
    except _TooLarge:
        return eliminate_common(expressions)
    arranged = _shared(sums.definitions, sums.results)
    if plain > _SMALL and _cost(arranged) * 8 < plain:
        return arranged
    # multiplying out can cost digits where terms cancel, so it has to pay
    found = eliminate_common(expressions)
    return arranged if _GAIN * _cost(arranged) < _cost(found) else found


def _shared(definitions: Replacements, results: tuple[Expr, ...]) -> tuple[Replacements, tuple[Expr, ...]]:
    """Eliminate common subexpressions of definitions and results together."""
    names = [name for name, _ in definitions]
    found, reduced = eliminate_common((*(value for _, value in definitions), *results))
    values = zip(names, reduced[: len(names)], strict=True)
    return (*found, *values), reduced[len(names) :]


def _cost(arrangement: tuple[Replacements, tuple[Expr, ...]]) -> int:
    replacements, reduced = arrangement
    return sum(int(sympy.count_ops(e)) for e in (*(value for _, value in replacements), *reduced))


class _Sums:
    """All expressions as sums of polynomials times exponentials, and these as statements.

    Generators of the polynomials are symbols and everything that is neither sum, product, whole power nor exponential.
    """

    def __init__(self, expressions: tuple[Expr, ...]) -> None:
        taken = {s.name for e in expressions for s in e.free_symbols}
        self._fresh: Iterator[Expr] = (s for s in sympy.numbered_symbols("form_") if s.name not in taken)
        self._generators: dict[Expr, int] = {}
        self._shown: list[Expr] = []  # what each generator is written as
        self._names: dict[Expr, Expr] = {}
        self._read: dict[Expr, Sum] = {}
        self._exponents: dict[Wave, Expr] = {}  # as they were given: differences of points stay differences
        sums = [self._sum(e) for e in expressions]
        self.results = tuple(sympy.Add(*(self._term(w, p) for w, p in s.items())) for s in sums)

    @property
    def definitions(self) -> Replacements:
        return tuple((name, value) for value, name in self._names.items())

    # expressions to sums

    def _sum(self, expression: Expr) -> Sum:
        if expression not in self._read:
            self._read[expression] = self._sum_of(expression)
        return self._read[expression]

    def _sum_of(self, expression: Expr) -> Sum:
        if expression.is_Add:
            return _add(self._sum(a) for a in expression.args)
        if expression.is_Mul and not expression.is_number:
            return self._product(map(self._sum, expression.args))
        if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0 and not expression.is_number:
            return self._power(self._sum(expression.base), int(expression.exp))
        if expression.is_number:
            return {_ONE: _constant(expression)}
        if isinstance(expression, sympy.exp):
            exponent = self._sum(expression.args[0])
            if set(exponent) <= {_ONE}:
                wave = frozenset(exponent.get(_ONE, {}).items())
                self._exponents.setdefault(wave, expression.args[0])
                return {wave: _constant(sympy.S.One)}
        return {_ONE: {(((self._generator(expression), 1),), sympy.S.One): Fraction(1)}}

    def _generator(self, expression: Expr) -> int:
        if expression not in self._generators:
            shown = expression if expression.is_Symbol else self._rewritten(expression)
            self._generators[expression] = len(self._generators)
            self._shown.append(shown)
        return self._generators[expression]

    def _rewritten(self, expression: Expr) -> Expr:
        """Return a function or power with its arguments arranged; conditions stay as they are."""
        if isinstance(expression, (sympy.Function, sympy.Pow)) and not isinstance(expression, sympy.Piecewise):
            return expression.func(*(self._argument(a) for a in expression.args))
        return expression

    def _argument(self, expression: Expr) -> Expr:
        if expression.is_number or expression.is_Symbol:
            return expression
        return sympy.Add(*(self._term(w, p) for w, p in self._sum(expression).items()))

    def _product(self, factors: Iterable[Sum]) -> Sum:
        total: Sum = {_ONE: _constant(sympy.S.One)}
        for factor in factors:
            total = self._multiply(total, factor)
        return total

    def _power(self, base: Sum, exponent: int) -> Sum:
        if exponent == 1:
            return base
        half = self._power(base, exponent // 2)
        square = self._multiply(half, half)
        return self._multiply(square, base) if exponent % 2 else square

    def _multiply(self, left: Sum, right: Sum) -> Sum:
        if sum(map(len, left.values())) * sum(map(len, right.values())) > _MOST_PRODUCTS:
            raise _TooLarge
        return _add({self._joined(v, w): _times(p, q)} for v, p in left.items() for w, q in right.items())

    def _joined(self, left: Wave, right: Wave) -> Wave:
        """Return the exponent of a product of exponentials."""
        if not left or not right:
            return left or right
        total = _add([{_ONE: dict(left)}, {_ONE: dict(right)}]).get(_ONE, {})
        wave = frozenset(total.items())
        if wave:
            self._exponents.setdefault(wave, self._exponents[left] + self._exponents[right])
        return wave

    # sums to expressions

    def _name(self, value: Expr) -> Expr:
        """Return a symbol for a value; its definition may be shared by many terms."""
        if value.is_Symbol or value.is_number:
            return value
        if value not in self._names:
            self._names[value] = next(self._fresh)
        return self._names[value]

    def _term(self, wave: Wave, polynomial: Polynomial) -> Expr:
        forms, reduced = essential_forms(polynomial)
        names = {g: self._name(self._linear(form)) for g, form in forms.items()}
        prefactor = _horner(reduced, lambda g: names.get(g, self._shown[g]))
        if not wave:
            return prefactor
        given = self._exponents[wave]
        is_expanded = all(_is_monomial(term) for term in sympy.Add.make_args(given))
        return prefactor * self._name(sympy.exp(self._grouped(dict(wave)) if is_expanded else given))

    def _linear(self, form: dict[int, Fraction]) -> Expr:
        return sympy.Add(*(_rational(c) * self._shown[g] for g, c in form.items()))

    def _grouped(self, polynomial: Polynomial) -> Expr:
        """Return a polynomial as a sum over groups of monomials whose coefficients agree up to a sign."""
        groups: dict[Expr, list[Expr]] = {}
        for monomial, value in sorted(_numbers(polynomial).items()):
            shown = sympy.Mul(*(self._shown[g] ** power for g, power in monomial))
            if -value in groups:
                groups[-value].append(-shown)
            else:
                groups.setdefault(value, []).append(shown)
        return sympy.Add(*(value * self._name(sympy.Add(*monomials)) for value, monomials in groups.items()))


def essential_forms(polynomial: Polynomial) -> tuple[dict[int, dict[int, Fraction]], Polynomial]:
    """Return the linear forms that a polynomial depends on, and the polynomial in terms of them.

    The gradient takes its values in the span of these forms. In reduced echelon form each has a generator of its own
    (its pivot) with coefficient one; the polynomial in terms of the forms is the one where all other generators are
    zero, with a form in place of each pivot.

    Parameters
    ----------
    polynomial : dict from (monomial, constant) to Fraction

    Returns
    -------
    dict from pivot to dict from generator to Fraction
        Empty where no fewer forms than generators are enough.
    dict from (monomial, constant) to Fraction

    Examples
    --------
    >>> one = sympy.S.One
    >>> square = {(((0, 2),), one): Fraction(1), (((0, 1), (1, 1)), one): Fraction(2), (((1, 2),), one): Fraction(1)}
    >>> essential_forms(square)  # (x + y)^2
    ({0: {0: Fraction(1, 1), 1: Fraction(1, 1)}}, {(((0, 2),), 1): Fraction(1, 1)})
    """
    used = sorted({g for monomial, _ in polynomial for g, _ in monomial})
    if len(used) < 2:
        return {}, polynomial
    rows: dict[tuple[Monomial, Expr], dict[int, Fraction]] = {}
    for (monomial, constant), value in polynomial.items():
        for g, power in monomial:
            rows.setdefault((_lowered(monomial, g), constant), {})[g] = value * power
    forms = _echelon(rows.values(), len(used))
    if len(forms) == len(used):
        return {}, polynomial
    kept = {key: value for key, value in polynomial.items() if all(g in forms for g, _ in key[0])}
    return forms, kept


def _echelon(rows: Iterable[dict[int, Fraction]], full: int) -> dict[int, dict[int, Fraction]]:
    """Return the reduced echelon form of rows by pivot; empty entries are left out; stops at full rank."""
    found: dict[int, dict[int, Fraction]] = {}
    for given in rows:
        row = dict(given)
        for pivot in [g for g in row if g in found]:
            _subtract(row, found[pivot], row.get(pivot, Fraction(0)))
        if not row:
            continue
        pivot = min(row)
        lead = row[pivot]
        row = {g: c / lead for g, c in row.items()}
        for other in found.values():
            if pivot in other:
                _subtract(other, row, other[pivot])
        found[pivot] = row
        if len(found) == full:
            break
    return found


def _subtract(row: dict[int, Fraction], other: dict[int, Fraction], factor: Fraction) -> None:
    if not factor:
        return
    for g, c in other.items():
        value = row.get(g, Fraction(0)) - factor * c
        if value:
            row[g] = value
        else:
            row.pop(g, None)


def _lowered(monomial: Monomial, generator: int) -> Monomial:
    lowered = ((g, power - (g == generator)) for g, power in monomial)
    return tuple((g, power) for g, power in lowered if power)


def _is_monomial(term: Expr) -> bool:
    factors = (factor.as_base_exp()[0] for factor in sympy.Mul.make_args(term))
    return all(base.is_Symbol or base.is_number for base in factors)


def _horner(polynomial: Polynomial, symbol: Callable[[int], Expr]) -> Expr:
    """Return a polynomial as nested products, the generator of most terms outermost."""
    return _nested(_numbers(polynomial), symbol)


def _nested(terms: dict[Monomial, Expr], symbol: Callable[[int], Expr]) -> Expr:
    counts = Counter(g for monomial in terms for g, _ in monomial)
    if len(terms) == 1 or not counts:
        return sympy.Add(*(c * sympy.Mul(*(symbol(g) ** p for g, p in m)) for m, c in terms.items()))
    chosen = max(counts, key=lambda g: (counts[g], -g))
    least = min(dict(m)[chosen] for m in terms if chosen in dict(m))
    inner, rest = {}, {}
    for monomial, value in terms.items():
        powers = dict(monomial)
        if chosen in powers:
            powers[chosen] -= least
            inner[tuple((g, p) for g, p in powers.items() if p)] = value
        else:
            rest[monomial] = value
    result = symbol(chosen) ** least * _nested(inner, symbol)
    return result + _nested(rest, symbol) if rest else result


def _numbers(polynomial: Polynomial) -> dict[Monomial, Expr]:
    """Return the coefficients of a polynomial as numbers: irrational ones to more digits than any dtype has."""
    parts: dict[Monomial, list[Expr]] = {}
    for (monomial, constant), value in polynomial.items():
        parts.setdefault(monomial, []).append(_rational(value) * constant)
    sums = {monomial: sympy.Add(*values) for monomial, values in parts.items()}
    return {monomial: value if value.is_Rational else sympy.N(value, _DIGITS) for monomial, value in sums.items()}


def _rational(value: Fraction) -> Expr:
    return sympy.Rational(value.numerator, value.denominator)


def _constant(value: Expr) -> Polynomial:
    number, irrational = value.as_coeff_Mul()
    if not isinstance(number, (sympy.Rational, sympy.Float)):
        number, irrational = sympy.S.One, value
    exact = sympy.Rational(number)
    return {((), irrational): Fraction(int(exact.p), int(exact.q))} if exact else {}


def _add(sums: Iterable[Sum]) -> Sum:
    total: Sum = {}
    for part in sums:
        for wave, polynomial in part.items():
            target = total.setdefault(wave, {})
            for key, value in polynomial.items():
                target[key] = target.get(key, Fraction(0)) + value
    kept = {w: {k: v for k, v in p.items() if v} for w, p in total.items()}
    return {w: p for w, p in kept.items() if p}


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for (m, a), c in left.items():
        for (n, b), d in right.items():
            number, constant = (a * b).as_coeff_Mul() if a != 1 and b != 1 else (sympy.S.One, a * b)
            powers = Counter(dict(m))
            powers.update(dict(n))
            key = (tuple(sorted(powers.items())), constant)
            total[key] = total.get(key, Fraction(0)) + c * d * Fraction(int(number.p), int(number.q))
    return total
