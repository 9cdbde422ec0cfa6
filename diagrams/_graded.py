"""Truncated power series with exact coefficients, graded by an order and by any number of further exponents.

A series is a list over orders ``0 .. top`` of ``{key: coefficient}``. A key packs non-negative exponents into bit
fields of equal width, so that a product of monomials is a sum of keys and ``x -> x^r`` is a multiplication by ``r``.
The lowest field is the number of exchangeable legs, truncated at ``free``.

Coefficients are residues modulo a number that is larger than every result and has no prime factor in common with
any denominator: rational arithmetic at the price of integers, and the results are still exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb, isqrt, prod

Row = dict[int, int]
Series = list[Row]


@dataclass(frozen=True)
class Ring:
    """Series through order ``top``, with coefficients modulo ``modulus``, which is coprime to 1, ..., ``largest``."""

    top: int
    free: int
    width: int
    modulus: int
    largest: int

    @property
    def inverses(self) -> tuple[int, ...]:
        """The inverses of 1, ..., ``largest`` (entry 0 is not used)."""
        return _inverses(self.modulus, self.largest)

    @property
    def mask(self) -> int:
        """The bits of the lowest field."""
        return (1 << self.width) - 1

    def reduced(self, row: Row, forbidden: int = 0) -> Row:
        """Return the row without zeros, excess exchangeable legs and keys that share a bit with ``forbidden``."""
        M, mask, free = self.modulus, self.mask, self.free
        return {k: x for k, c in row.items() if (x := c % M) and k & mask <= free and not k & forbidden}

    def part(self, a: Series, field: int, exponent: int) -> Series:
        """Return the terms with that exponent in the bit field of that number, the field cleared."""
        place = field * self.width
        return [
            {k - (exponent << place): c for k, c in row.items() if (k >> place) & self.mask == exponent} for row in a
        ]

    def constant(self, key: int = 0) -> Series:
        """Return the monomial of order 0 with coefficient 1."""
        return [{key: 1}, *self.zero[1:]]

    def cut(self, a: Series) -> Series:
        """Return the series with exactly the orders of this ring, missing ones zero."""
        return [dict(a[i]) if i < len(a) else {} for i in range(self.top + 1)]

    @property
    def zero(self) -> Series:
        """The series without terms."""
        return [{} for _ in range(self.top + 1)]

    def combination(self, *terms: tuple[int, Series]) -> Series:
        """Return the sum of coefficient times series."""
        total = self.zero
        for factor, a in terms:
            for row, more in zip(total, a, strict=True):
                for k, c in more.items():
                    row[k] = row.get(k, 0) + factor * c
        return [self.reduced(row) for row in total]

    def product(self, a: Series, b: Series) -> Series:
        """Return a b."""
        return [self.reduced(row) for row in self.unreduced_product(a, b)]

    def unreduced_product(self, a: Series, b: Series) -> Series:
        """Return a b with coefficients that still have to be reduced."""
        total = self.zero
        for i, row in enumerate(a):
            for j in range(self.top + 1 - i):
                add_product(total[i + j], row, b[j], 1)
        return total

    def quotient(self, a: Series, b: Series) -> Series:
        """Return a / b for b = 1 + O(order 1)."""
        result: Series = []
        for order in range(self.top + 1):
            row = dict(a[order])
            for i in range(1, order + 1):
                add_product(row, b[i], result[order - i], -1)
            result.append(self.reduced(row))
        return result

    def exponential(self, a: Series, forbidden: Sequence[int] = ()) -> Series:
        """Return exp(a) for a without order 0, from order R = sum_i i a_i R_(order - i).

        Monomials of order ``i`` that share a bit with ``forbidden[i]`` are dropped, with all their multiples.
        """
        result = self.constant()
        for order in range(1, self.top + 1):
            row: Row = {}
            for i in range(1, order + 1):
                add_product(row, a[i], result[order - i], i * self.inverses[order])
            result[order] = self.reduced(row, forbidden[order] if forbidden else 0)
        return result

    def logarithm(self, a: Series) -> Series:
        """Return log(a) for a = 1 + O(order 1)."""
        result: Series = [{}]
        for order in range(1, self.top + 1):
            row = dict(a[order])
            for i in range(1, order):
                add_product(row, result[i], a[order - i], -i * self.inverses[order])
            result.append(self.reduced(row))
        return result

    def dilated(self, a: Series, r: int) -> Series:
        """Return a with every variable replaced by its r-th power."""
        total = self.zero
        for i in range(self.top // r + 1):
            total[r * i] = {r * k: c for k, c in a[i].items() if r * (k & self.mask) <= self.free}
        return total

    def multisets(self, a: Series) -> Series:
        """Return the generating function of multisets of the things that ``a`` counts: exp(sum_r a(x^r) / r)."""
        terms = [(self.inverses[r], self.dilated(a, r)) for r in range(1, self.top + 1)]
        return self.exponential(self.combination(*terms))

    def connected(self, a: Series) -> Series:
        """Return the inverse of :meth:`multisets`: sum_r mu(r) / r log a(x^r)."""
        log = self.logarithm(a)
        terms = [(moebius(r) * self.inverses[r], self.dilated(log, r)) for r in range(1, self.top + 1)]
        return self.combination(*terms)

    def cumulants(self, moments: Sequence[Series]) -> list[Series]:
        """Return the cumulants of ``moments`` (entry 0 is 1), entry 0 is zero."""
        result = [self.zero]
        for n in range(1, len(moments)):
            terms = [
                (-comb(n - 1, k - 1), product)
                for k in range(1, n)
                if any(product := self.product(result[k], moments[n - k]))
            ]
            result.append(self.combination((1, moments[n]), *terms))
        return result

    def moments(self, cumulants: Sequence[Series]) -> list[Series]:
        """Return the inverse of :meth:`cumulants`."""
        result = [self.constant()]
        for n in range(1, len(cumulants)):
            terms = [(comb(n - 1, k - 1), self.product(cumulants[k], result[n - k])) for k in range(1, n + 1)]
            result.append(self.combination(*terms))
        return result


def add_product(target: Row, a: Row, b: Row, factor: int) -> None:
    """Add ``factor`` a b to ``target``, coefficients not reduced."""
    if not a or not b:
        return
    get = target.get
    if len(b) < len(a):
        a, b = b, a
    items = list(b.items())
    for k, x in a.items():
        x *= factor
        for l, y in items:
            key = k + l
            target[key] = get(key, 0) + x * y


@cache
def _inverses(modulus: int, largest: int) -> tuple[int, ...]:
    return (0, *(pow(k, -1, modulus) for k in range(1, largest + 1)))


def moebius(n: int) -> int:
    """Return mu(n)."""
    sign = 1
    for p in range(2, isqrt(n) + 1):
        if n % p == 0:
            n //= p
            sign = -sign
            if n % p == 0:
                return 0
    return -sign if n > 1 else sign


def coprime_modulus(bound: int, largest: int) -> int:
    """Return a number above ``bound`` that has no factor in common with 2, ..., ``largest``."""
    primes = [p for p in range(2, largest + 1) if all(p % q for q in range(2, isqrt(p) + 1))]
    product = prod(primes)
    return (product << max(0, bound.bit_length() - product.bit_length() + 1)) + 1
