r"""Gaussian averages of vertices and legs in zero dimensions, one for each list of vertices.

Lines become numbers: the average over a real field is :math:`\langle x^{2k} \rangle = (2k - 1)!!`, over a complex one
:math:`\langle (x^* x)^k \rangle = k!`, which counts the ways to join half-edges. Anticommuting fields count like
commuting ones as long as every line counts +1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from math import comb, factorial, prod
from operator import mul

from diagrams._field_blocks import HalfEdgeTable
from diagrams._field_series import Series, SeriesRing
from diagrams._vertex_lists import Counts

Monomial = tuple[int, ...]  # exponents of all half-edge types, then of all bilinears


@dataclass(frozen=True)
class Moments:
    r"""Sums over joinings of half-edges, weighted by the 1/n! of equal vertices and of equal half-edges at a vertex.

    Parameters
    ----------
    table : HalfEdgeTable
    lists : mapping
        Key of each list of vertices.
    ring : SeriesRing
        Series in the numbers of vertices.
    self_loops : bool
        False leaves out propagators with both ends at one vertex (vertices joined by other lines count as one).
    odd : tuple of int
        Leave out closed fermion lines with an odd number of half-edges of these types.
    """

    table: HalfEdgeTable
    lists: Mapping[Counts, int]
    ring: SeriesRing
    self_loops: bool
    odd: Counts

    def average(self, legs: Counts) -> Series:
        """Return the sum for each list of vertices together with ``legs[t]`` legs of each type."""
        if any(legs[t] != legs[p] for t, p in self.conserved):
            return {}
        if self.self_loops and not self.bilinears:
            return self._free_average(legs)
        wanted = legs + (0,) * len(self.bilinears)
        found = {}
        for key, polynomial in self.polynomials.items():
            total = 0
            for monomial, c in polynomial.items():
                total += c * self._joinings(tuple(map(int.__add__, monomial, wanted)))
            if x := total % self.ring.modulus:
                found[key] = x
        return found

    def _free_average(self, legs: Counts) -> Series:
        """Return the sum where all half-edges of a list can be joined freely."""
        modulus, real, charged = self.ring.modulus, self._real, self._charged
        found = {}
        for key, exponents, c in self._lists:
            for t in real:
                n = exponents[t] + legs[t]
                if n & 1:
                    break
                c *= _pairings(n)
            else:
                for t, p in charged:
                    n = exponents[t] + legs[t]
                    if n != exponents[p] + legs[p]:
                        break
                    c *= factorial(n)
                else:
                    found[key] = c % modulus
        return found

    @cached_property
    def _lists(self) -> list[tuple[int, Monomial, int]]:
        """Key, half-edges and weight of each list."""
        return [(key, m, c) for key, polynomial in self.polynomials.items() for m, c in polynomial.items()]

    @cached_property
    def _real(self) -> list[int]:
        return [t for t, p in enumerate(self.table.partner) if t == p]

    @cached_property
    def _charged(self) -> list[tuple[int, int]]:
        return [(t, p) for t, p in enumerate(self.table.partner) if t < p]

    @cached_property
    def conserved(self) -> list[tuple[int, int]]:
        """Types of which every vertex has as many as of the other end of their lines."""
        table = self.table
        return [
            (t, p)
            for t, p in self._charged
            if all(table.count(m, t) == table.count(m, p) for m in range(len(table.vertices)))
        ]

    @cached_property
    def bilinears(self) -> list[tuple[int, int]]:
        """Without odd fermion loops: (type, parity) of the bilinears, kept as variables of their own."""
        if not self.odd:
            return []
        grassmann = [t for t, g in enumerate(self.table.grassmann) if g and t < self.table.partner[t]]
        return [(t, parity) for t in grassmann for parity in (0, 1)]

    @cached_property
    def polynomials(self) -> dict[int, dict[Monomial, int]]:
        """The product of the vertices of each list."""
        if self.self_loops:
            return {
                key: {self._together(counts): self._inverse(self.denominator(counts))}
                for counts, key in self.lists.items()
            }
        return self._products(self._points())

    def _together(self, counts: Counts) -> Monomial:
        return tuple([sum(map(mul, counts, powers)) for powers in self._exponents])

    @cached_property
    def _exponents(self) -> list[tuple[int, ...]]:
        """For each variable of a monomial its exponent in every vertex."""
        return list(zip(*map(self._monomial, range(len(self.table.vertices))), strict=True))

    def _monomial(self, vertex: int) -> Monomial:
        table = self.table
        exponents = [table.count(vertex, t) for t in range(len(table.names))]
        parity = sum(exponents[t] for t in self.odd) % 2
        paired = []
        for t, p in self.bilinears:
            n = exponents[t] if p == parity else 0
            paired.append(n)
            exponents[t] -= n
            exponents[table.partner[t]] -= n
        return (*exponents, *paired)

    def denominator(self, counts: Counts) -> int:
        """Return the order of the group of exchanges of equal vertices and of equal half-edges at a vertex."""
        return prod([factorial(n) * order**n for n, order in zip(counts, self._vertex_orders, strict=True)])

    @cached_property
    def _vertex_orders(self) -> list[int]:
        """For each vertex the number of permutations of equal half-edges."""
        return [prod(map(factorial, Counter(v).values())) for v in self.table.vertices]

    def _inverse(self, x: int) -> int:
        return pow(x, -1, self.ring.modulus)

    def _points(self) -> dict[Counts, dict[Monomial, int]]:
        """Vertices that lines other than propagators join to one point, without propagators inside a point."""
        n_types = len(self.table.names)
        fixed = [not c for c in self.table.cuttable]
        parts: Series = {}
        for counts, key in self.lists.items():
            shared = tuple(n if i < n_types and fixed[i] else 0 for i, n in enumerate(self._together(counts)))
            parts[key] = self._joinings(shared) * self._inverse(self.denominator(counts))
        joined = self.ring.logarithm(self.ring.reduced(parts))
        result = {}
        for counts, key in self.lists.items():
            if c := joined.get(key, 0):
                free = tuple(0 if i < n_types and fixed[i] else n for i, n in enumerate(self._together(counts)))
                result[counts] = {m: c * x for m, x in self._normal_ordered(free).items()}
        return result

    def _normal_ordered(self, monomial: Monomial) -> dict[Monomial, int]:
        """Return the monomial with all joinings inside it taken out."""
        partner, n_types = self.table.partner, len(self.table.names)
        pairs = [(t, p) for t, p in enumerate(partner) if t <= p]
        most = [monomial[t] // 2 if t == p else min(monomial[t], monomial[p]) for t, p in pairs]
        even = [n_types + i for i, (_, parity) in enumerate(self.bilinears) if parity == 0]
        terms: dict[Monomial, int] = {}
        for taken in product(*(range(k + 1) for k in most), *(range(monomial[b] + 1) for b in even)):
            left, c = list(monomial), (-1) ** sum(taken)
            for (t, p), k in zip(pairs, taken, strict=False):
                c *= comb(left[t], 2 * k) * _pairings(2 * k) if t == p else comb(left[t], k) * comb(left[p], k)
                c *= 1 if t == p else factorial(k)
                left[t] -= k
                left[p] -= k
            for b, k in zip(even, taken[len(pairs) :], strict=True):
                c *= comb(left[b], k)
                left[b] -= k
            terms[tuple(left)] = terms.get(tuple(left), 0) + c
        return terms

    def _products(self, points: dict[Counts, dict[Monomial, int]]) -> dict[int, dict[Monomial, int]]:
        """Return exp(sum of points) for each list, from n_v P(n) = sum over points of f_v C(f) P(n - f)."""
        M = self.ring.modulus
        done: dict[Counts, dict[Monomial, int]] = {}
        for counts in sorted(self.lists, key=sum):
            if not any(counts):
                done[counts] = {self._together(counts): 1}
                continue
            v = next(i for i, n in enumerate(counts) if n)
            total: dict[Monomial, int] = {}
            for f, polynomial in points.items():
                rest = tuple(map(int.__sub__, counts, f))
                if f[v] and min(rest) >= 0:
                    for a, x in polynomial.items():
                        for b, y in done[rest].items():
                            key = tuple(map(int.__add__, a, b))
                            total[key] = total.get(key, 0) + f[v] * x * y
            shared = self._inverse(counts[v])
            done[counts] = {m: y for m, x in total.items() if (y := x * shared % M)}
        return {self.lists[counts]: polynomial for counts, polynomial in done.items()}

    def _joinings(self, exponents: Monomial) -> int:
        """Return the number of ways to join so many half-edges, those of bilinears along fermion lines."""
        total = 1
        for t, p in enumerate(self.table.partner):
            if t == p:
                total *= 0 if exponents[t] % 2 else _pairings(exponents[t])
            elif t < p and exponents[t] != exponents[p]:
                return 0
            elif t < p and not (self.bilinears and self.table.grassmann[t]):
                total *= factorial(exponents[t])
        for i in range(0, len(self.bilinears), 2):
            t, place = self.bilinears[i][0], len(self.table.names) + i
            total *= _fermion_lines(exponents[t], exponents[place], exponents[place + 1])
        return total


@cache
def _pairings(n: int) -> int:
    return prod(range(1, n, 2))


@cache
def _fermion_lines(n_open: int, n_even: int, n_odd: int) -> int:
    r"""Return the ways to string bilinears on open and closed lines, the number of odd ones even on each closed line.

    .. math:: n_e!\, n_o!\, r!\, [x^{n_e} y^{n_o}]\, (1 - x - y)^{-r} \bigl((1 - x)^2 - y^2\bigr)^{-1/2}
    """
    total = 0
    for a, b in product(range(n_even + 1), range(0, n_odd + 1, 2)):  # bilinears on closed lines
        closed = _pairings(b) ** 2 * prod(range(b + 1, a + b + 1))
        m = n_even + n_odd - a - b
        strung = prod(range(n_open, n_open + m))
        total += comb(n_even, a) * comb(n_odd, b) * closed * strung
    return factorial(n_open) * total


def is_diagonal(table: HalfEdgeTable) -> bool:
    """Tell whether every fermion goes through vertices unchanged, so that fermion loops are known by their fields."""
    for m, vertex in enumerate(table.vertices):
        for i, j in enumerate(table.fermion_partners(m)):
            if j >= 0 and (table.partner[vertex[i]] != vertex[j] or vertex[i] == vertex[j]):
                return False
    return True


def signed_joinings(table: HalfEdgeTable, legs: Sequence[int], counts: Counts) -> int:
    """Return the sum of the signs of all joinings, for complex anticommuting fields.

    Each of them is one Grassmann variable then, whose square vanishes.
    """
    anticommuting = [t for t in legs if table.grassmann[t]]
    others = Counter(t for t in legs if not table.grassmann[t])
    for m, n in enumerate(counts):
        fermions = [t for t in table.vertices[m] if table.grassmann[t]]
        if fermions and n > 1:
            return 0
        anticommuting += fermions * n
        for t in table.vertices[m]:
            others[t] += 0 if table.grassmann[t] else n
    total = 1
    for t, p in enumerate(table.partner):
        if not table.grassmann[t]:
            total *= 0 if t == p and others[t] % 2 else _pairings(others[t]) if t == p else 1
            total *= (factorial(others[t]) if others[t] == others[p] else 0) if t < p else 1
    if len(set(anticommuting)) < len(anticommuting) or {table.partner[t] for t in anticommuting} != set(anticommuting):
        return 0
    # psi psi* is the order of a line without sign
    ordered = [i for t, p in enumerate(table.partner) if t < p and t in anticommuting for i in (t, p)]
    places = [ordered.index(t) for t in anticommuting]
    inversions = sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])
    return total * (-1) ** inversions
