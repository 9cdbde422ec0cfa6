r"""The sum of 1/\|Aut\| over diagrams from the field theory in zero dimensions: moments of one Gaussian variable.

.. math:: Z_n(J) = \Bigl\langle x^n \exp \Bigl(J x + \sum_d t^{d - 2} \frac{x^d}{d!}\Bigr) \Bigr\rangle, \qquad
          \langle x^{2 m} \rangle = (2 m - 1)!!

The order, the power of t, is legs + 2 (loops - components). Connected diagrams are the cumulants of the Z_n. Without
self-loops :math:`x^d` becomes a Hermite polynomial. The one-leg source J at which Z_1 vanishes cancels every part that
hangs on one line and has no leg; what remains are diagrams without tadpoles, and by Lagrange inversion of
:math:`\phi(J)` the 1PI ones (see :mod:`diagrams._components`, which does the same for counts).

The order is even for an even number of legs and odd for an odd one: the terms of a series with n legs are those of the
orders ``n % 2, n % 2 + 2, ...``. An empty list of terms is zero. Coefficients are residues as in
:mod:`diagrams._graded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import comb, factorial
from operator import mul

from diagrams._burnside import bounds

Terms = list[int]


def zero_dimensional_weight(
    *,
    valences: tuple[int, ...],
    legs: int,
    loops: int,
    connected: bool,
    irreducible: bool,
    self_loops: bool,
    tadpoles: bool,
) -> Fraction:
    """Return the sum of 1/|Aut| over diagrams with labelled legs; arguments as in :mod:`diagrams.counting`."""
    order = legs + 2 * (loops - 1)
    if order < 0:
        return Fraction(0)
    denominator, modulus, largest = bounds(valences=valences, top=order, fixed=legs)
    theory = _Theory(valences, order, self_loops, _Residues(modulus, largest))
    if irreducible:
        terms = theory.irreducible(legs)
    elif connected:
        terms = theory.connected(legs, tadpoles=tadpoles)[legs]
    else:
        terms = _disconnected(theory.arithmetic, theory.connected(legs, tadpoles=tadpoles), legs, loops)
    return Fraction(terms[-1] * denominator % modulus, denominator) if terms else Fraction(0)


@dataclass(frozen=True)
class _Residues:
    """Series with coefficients modulo ``modulus``, which is coprime to 1, ..., ``largest``."""

    modulus: int
    largest: int

    @cached_property
    def inverse_factorials(self) -> list[int]:
        """1 / k! for k through ``largest``."""
        M, top = self.modulus, self.largest
        last = pow(factorial(top), -1, M)
        return list(accumulate(range(top, 0, -1), lambda value, k: value * k % M, initial=last))[::-1]

    def inverse(self, k: int) -> int:
        """Return 1 / k."""
        return self.inverse_factorials[k] * factorial(k - 1) % self.modulus

    def product(self, a: Terms, b: Terms, size: int, carry: int = 0) -> Terms:
        """Return that many terms of a b; ``carry=1`` if both have an odd number of legs."""
        if not a or not b:
            return []
        return [0] * carry + [sum(map(mul, a, b[k::-1])) % self.modulus for k in range(size - carry)]

    def quotient(self, a: Terms, b: Terms) -> Terms:
        """Return a / b for a b that begins with 1."""
        found: Terms = []
        for k, value in enumerate(a):
            found.append((value - sum(map(mul, b[1 : k + 1], found[::-1]))) % self.modulus)
        return found

    def logarithm(self, a: Terms) -> Terms:
        """Return log(a) for an a that begins with 1."""
        slopes: Terms = [0]  # k times term k
        for k in range(1, len(a)):
            slopes.append((k * a[k] - sum(map(mul, slopes[1:], a[k - 1 : 0 : -1]))) % self.modulus)
        return [0, *(slopes[k] * self.inverse(k) % self.modulus for k in range(1, len(a)))]

    def exponential(self, a: Terms) -> Terms:
        """Return exp(a) for an a that begins with 0."""
        slopes, found = [k * value for k, value in enumerate(a)], [1]
        for k in range(1, len(a)):
            found.append(sum(map(mul, slopes[1 : k + 1], found[::-1])) * self.inverse(k) % self.modulus)
        return found

    def combination(self, size: int, *parts: tuple[int, Terms]) -> Terms:
        """Return the sum of coefficient times series."""
        total = [0] * size
        for factor, a in parts:
            if a:
                total = [x + factor * y for x, y in zip(total, a, strict=True)]
        return [x % self.modulus for x in total] if any(total) else []


@dataclass(frozen=True)
class _Theory:
    """The theory with given degrees of vertices through order ``top``."""

    valences: tuple[int, ...]
    top: int
    self_loops: bool
    arithmetic: _Residues

    def size(self, legs: int) -> int:
        """Return the number of terms of a series with that many legs."""
        return (self.top - legs % 2) // 2 + 1

    @cached_property
    def vertices(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """For each degree the order, and the powers of x with coefficients."""
        M, inverse = self.arithmetic.modulus, self.arithmetic.inverse_factorials
        half = pow(-2, -1, M)
        return [
            (
                d - 2,
                [
                    (d - 2 * k, inverse[d - 2 * k] * inverse[k] * pow(half, k, M) % M)
                    for k in range(1 if self.self_loops else d // 2 + 1)
                ],
            )
            for d in self.valences
        ]

    @cached_property
    def rows(self) -> list[tuple[int, Terms]]:
        """For each order the lowest power of x in exp(vertices), and the coefficients of every second power from it."""
        M = self.arithmetic.modulus
        found: list[dict[int, int]] = [{0: 1}]
        for order in range(1, self.top + 1):
            row: dict[int, int] = {}
            for step, terms in self.vertices:
                for before, value in found[order - step].items() if step <= order else ():
                    for power, c in terms:
                        row[before + power] = row.get(before + power, 0) + step * c * value
            shared = self.arithmetic.inverse(order)
            found.append({power: value * shared % M for power, value in row.items()})
        ranges = [range(min(row), max(row) + 1, 2) if row else range(0) for row in found]
        return [(powers.start, [row.get(p, 0) for p in powers]) for powers, row in zip(ranges, found, strict=True)]

    def moments(self, highest: int) -> list[Terms]:
        """Return Z_0, ..., Z_highest without source."""
        M, top_power = self.arithmetic.modulus, max(low + 2 * len(row) for low, row in self.rows)
        table = list(accumulate(range(1, top_power + highest + 1, 2), mul, initial=1))  # (2 m - 1)!!
        found = []
        for n in range(highest + 1):
            z = [sum(map(mul, row, table[(low + n) // 2 :])) % M for low, row in self.rows[n % 2 :: 2]]
            found.append(z if any(z) else [])
        return found

    @cached_property
    def source(self) -> Terms:
        """The one-leg source at which Z_1 vanishes, by Newton's method, which doubles the number of terms."""
        source: Terms = []
        if not any(d % 2 for d in self.valences):
            return source
        moments, highest, M = self.moments(self.top + 2), self.size(1), self.arithmetic.modulus
        while (known := len(source)) < highest:
            size = min(2 * known + 1, highest)
            source += [0] * (size - known)
            powers = self.powers(source)
            one, two = self.displaced(moments, 1, powers, size), self.displaced(moments, 2, powers, size - known)
            source[known:] = [-miss % M for miss in self.arithmetic.quotient(one[known:], two)]
        return source

    def powers(self, source: Terms) -> list[Terms]:
        """Return J^m / m! for m = 0, 1, ...; J begins with order 1, so that as many terms matter as are left of it."""
        size, M, inverse = len(source), self.arithmetic.modulus, self.arithmetic.inverse
        found = [[1] + [0] * size]
        while len(found) <= 2 * size:
            m = len(found)
            power = self.arithmetic.product(found[-1], source, size - (m - 1) // 2)
            found.append([value * inverse(m) % M for value in power])
        return found

    def displaced(self, moments: Sequence[Terms], n: int, powers: Sequence[Terms], size: int) -> Terms:
        """Return that many terms of Z_n(J) = sum_m J^m / m! Z_(n + m)."""
        total = [0] * size
        for m, power in enumerate(powers[: len(moments) - n]):
            shift = (m + (n + 1) % 2) // 2  # the order of J^m begins at m
            for k, value in enumerate(self.arithmetic.product(power, moments[n + m], size - shift), shift):
                total[k] += value
        return [value % self.arithmetic.modulus for value in total]

    def connected(self, legs: int, *, tadpoles: bool) -> list[Terms]:
        """Return the connected diagrams C with 0, ..., ``legs`` legs: Z_n = sum_k binom(n - 1, k - 1) C_k Z_(n - k)."""
        arithmetic = self.arithmetic
        if tadpoles or not self.source:
            z = self.moments(legs)
        else:
            known = self.moments(legs + self.top + 1)
            powers = self.powers(self.source)
            z = [[] if n == 1 else self.displaced(known, n, powers, self.size(n)) for n in range(legs + 1)]
        found = [arithmetic.logarithm(z[0])]
        for n in range(1, legs + 1):
            products = [
                (-comb(n - 1, k - 1), arithmetic.product(found[k], z[n - k], self.size(n), k * (n - k) % 2))
                for k in range(1, n)
            ]
            rest = arithmetic.combination(self.size(n), (1, z[n]), *products)
            found.append(arithmetic.quotient(rest, z[0]))
        if legs and not tadpoles:
            found[1] = self.one_leg_part()
        return found

    def one_leg_part(self) -> Terms:
        """Return the 1PI one-leg diagrams, minus the source."""
        return [-value % self.arithmetic.modulus for value in self.source]

    def irreducible(self, legs: int) -> Terms:
        """Return the 1PI diagrams, for two legs or more from the inverse function J(phi)."""
        if legs == 1:
            return self.one_leg_part()
        parts = self.connected(legs, tadpoles=False)
        if legs == 0:
            return parts[0]
        bare: Terms = [1] + [0] * (self.size(0) - 1) if legs == 2 else []
        return self.arithmetic.combination(self.size(legs), (1, bare), (-1, self.inverse_derivative(parts)))

    def inverse_derivative(self, parts: Sequence[Terms]) -> Terms:
        r"""Return the derivative of order n - 1 of J(phi) at 0, n being the last part's number of legs.

        With phi(J) = J f(J), f_i = C_(i+2) / (i+1)!, Lagrange gives (n - 2)! [J^(n-2)] f^(1-n); the power h = f^a
        satisfies m f_0 h_m = sum_i (a i - m + i) f_i h_(m-i).
        """
        arithmetic, n = self.arithmetic, len(parts) - 1
        f = [
            arithmetic.combination(self.size(i), (arithmetic.inverse_factorials[i + 1], part))
            for i, part in enumerate(parts[2:])
        ]
        h: list[Terms] = [[1] + [0] * (self.size(0) - 1)]
        for _ in range(n - 1):
            h[0] = arithmetic.quotient(h[0], f[0])
        for m in range(1, n - 1):
            products = [
                (i - m - (n - 1) * i, arithmetic.product(f[i], h[m - i], self.size(m), i * (m - i) % 2))
                for i in range(1, m + 1)
            ]
            total = arithmetic.quotient(arithmetic.combination(self.size(m), *products), f[0])
            h.append(arithmetic.combination(self.size(m), (arithmetic.inverse(m), total)))
        return arithmetic.combination(self.size(n), (factorial(n - 2), h[n - 2]))


def _disconnected(arithmetic: _Residues, parts: Sequence[Terms], legs: int, loops: int) -> Terms:
    """Return the diagrams with any components through a number of loops, given the connected ones."""
    by_loops = [([0, *part] if n < 2 else part[n // 2 - 1 :])[: loops + 1] for n, part in enumerate(parts)]
    size = loops + 1
    found: list[Terms] = [[1] + [0] * loops]
    for n in range(1, legs + 1):
        products = [(comb(n - 1, k - 1), arithmetic.product(by_loops[k], found[n - k], size)) for k in range(1, n + 1)]
        found.append(arithmetic.combination(size, *products))
    return arithmetic.product(arithmetic.exponential(by_loops[0]), found[legs], size)
