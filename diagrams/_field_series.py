"""Truncated power series in several variables with exact coefficients.

A series is ``{key: coefficient}``; a key packs the exponents of its monomial into bit fields, so that a product of
monomials is a sum of keys. A set of keys that is closed under division says which monomials are kept.

Coefficients are residues modulo a Mersenne prime larger than twice any result: rational arithmetic at the price of
integers. A result is read off once its denominator is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

Series = dict[int, int]

_MERSENNE_EXPONENTS = (61, 89, 127, 521, 607, 1279, 2203, 4253, 9689, 19937)


def prime_above(bound: int) -> int:
    """Return a prime larger than ``bound``."""
    return next((1 << p) - 1 for p in _MERSENNE_EXPONENTS if (1 << p) - 1 > bound)


@dataclass(frozen=True)
class SeriesRing:
    """Arithmetic of truncated series.

    Parameters
    ----------
    degree : dict
        The monomials that are kept, each with the number of its factors.
    modulus : int
        A prime.
    sign : callable, optional
        Sign of the product of two monomials that hold anticommuting variables.
    """

    degree: dict[int, int]
    modulus: int
    sign: Callable[[int, int], int] | None = None

    @cached_property
    def _ascending(self) -> list[tuple[int, int]]:
        return sorted(self.degree.items(), key=lambda item: item[1])

    def reduced(self, a: Series) -> Series:
        """Return the series with coefficients reduced and zeros left out."""
        return {k: x for k, c in a.items() if (x := c % self.modulus)}

    def product(self, a: Series, b: Series) -> Series:
        """Return a b, variables commuting."""
        total: Series = {}
        self.add_product(total, a, b)
        return self.reduced(total)

    def add_product(self, total: Series, a: Series, b: Series) -> None:
        """Add a b to ``total``, coefficients not reduced."""
        kept = self.degree
        for k, x in a.items():
            for j, y in b.items():
                if k + j in kept:
                    total[k + j] = total.get(k + j, 0) + x * y

    def quotient(self, a: Series, b: Series) -> Series:
        """Return a / b for series that begin with 1."""
        kept, M = self.degree, self.modulus
        total = dict(a)
        steps = [(k, c) for k, c in b.items() if k]
        result: Series = {}
        for f, _ in self._ascending:
            if not (x := total.pop(f, 0) % M):
                continue
            result[f] = x
            for k, c in steps:
                if f + k in kept:
                    total[f + k] = total.get(f + k, 0) - x * c
        return result

    def logarithm(self, a: Series) -> Series:
        """Return log a for a series that begins with 1, from D log a = D a / a with D = sum over x of x d/dx."""
        return self._integrated({k: self.degree[k] * c for k, c in a.items()}, a, -1)

    def exponential(self, a: Series) -> Series:
        """Return exp a for a series without constant term."""
        kept, M = self.degree, self.modulus
        steps = [(k, kept[k] * c) for k, c in a.items() if k]
        total: Series = {0: 1}
        result: Series = {}
        for f, d in self._ascending:
            if not (x := total.pop(f, 0) * (pow(d, -1, M) if d else 1) % M):
                continue
            result[f] = x
            for k, c in steps:
                if f + k in kept:
                    total[f + k] = total.get(f + k, 0) + x * c * (self.sign(f, k) if self.sign else 1)
        return result

    def _integrated(self, total: Series, a: Series, factor: int) -> Series:
        kept, M = self.degree, self.modulus
        steps = [(k, factor * c) for k, c in a.items() if k]
        result: Series = {}
        for f, d in self._ascending:
            if not d or not (x := total.pop(f, 0) % M):
                continue
            result[f] = x * pow(d, -1, M) % M
            for k, c in steps:
                if f + k in kept:
                    total[f + k] = total.get(f + k, 0) + x * c * (self.sign(f, k) if self.sign else 1)
        return result

    def rational(self, residue: int, denominator: int) -> Fraction:
        """Return the number with a known denominator that a residue stands for."""
        numerator = residue * denominator % self.modulus
        if 2 * numerator > self.modulus:
            numerator -= self.modulus
        return Fraction(numerator, denominator)


def divisors(exponents: Iterable[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """Return all tuples that are nowhere larger than one of those given."""
    found: set[tuple[int, ...]] = set()
    fresh = set(exponents)
    while fresh:
        found |= fresh
        fresh = {(*e[:i], n - 1, *e[i + 1 :]) for e in fresh for i, n in enumerate(e) if n} - found
    return found
