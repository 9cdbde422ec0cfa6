r"""Sums over matchings of half-edges, up to isomorphism or weighted by 1/\|Aut\|, as averages over Gaussian variables.

A diagram is an orbit of matchings of half-edges under permutations of the half-edges of each vertex and of equal
vertices. Burnside's lemma turns the number of orbits into a scalar product of symmetric functions, and in the basis of
power sums :math:`p_r` that is an average over independent Gaussian variables with variance :math:`r` and mean 1 for
even, 0 for odd r:

.. math:: Z = \Bigl\langle p_1^n \exp \sum_r \frac{1}{r} \Bigl[J(s^r, t^r)\, p_r
          + \sum_d g_d^r\, t^{r (d-2)}\, h_d(p_r, p_{2r}, p_{3r}, \dots)\Bigr] \Bigr\rangle,\qquad
          h_d = \sum_{\lambda \vdash d} \prod_i p_{\lambda_i} / z_\lambda .

A cycle of r equal vertices whose half-edges return permuted by :math:`\lambda` gives a term of :math:`h_d`; a cycle of
lines of length r gives the variance, one whose lines are flipped on the way round the mean. The n factors
:math:`p_1` are labelled legs; J is the weight of one-leg sources, s for an exchangeable leg. Vertices without
self-loops have :math:`h_d - h_{d-2}`, because a vertex with o self-loops is to the other lines one of degree d - 2 o.

Of the identity permutation alone there remains the zero-dimensional field theory, the sum of 1/\|Aut\|:
:math:`h_d \to p_1^d / d!`, normal-ordered (a Hermite polynomial) without self-loops, and only r = 1.

The variables are averaged over in increasing order, since cycles of length r involve only multiples of r.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import factorial, prod

from diagrams._graded import Ring, Row, Series, coprime_modulus

NEVER = 10**9  # larger than any order
EXCHANGEABLE, LABELLED, FIRST_DEGREE = 0, 1, 2  # numbers of the bit fields of a key


@dataclass(frozen=True)
class Matchings:
    """All ways to join the half-edges of vertices and legs, through a given order.

    The order of a diagram is its sum of (degree - 2) over the vertices; it is legs + 2 (loops - components) and adds
    up over components.

    Parameters
    ----------
    valences : tuple of int
        Allowed degrees of vertices, at least 3.
    ring : Ring
        Sets the highest order and the highest number of exchangeable legs.
    fixed : int
        Highest number of labelled legs.
    orbits : bool
        Count isomorphism classes; otherwise sum 1/|Aut|, for labelled legs only.
    self_loops : bool
        Whether a line may begin and end at one vertex.
    refined : bool
        Keep the number of vertices of each degree in the keys.
    """

    valences: tuple[int, ...]
    ring: Ring
    fixed: int
    orbits: bool
    self_loops: bool
    refined: bool

    @cached_property
    def units(self) -> dict[int, int]:
        """The key of one vertex of each degree."""
        width = self.ring.width
        return {d: (1 << ((FIRST_DEGREE + i) * width)) if self.refined else 0 for i, d in enumerate(self.valences)}

    @cached_property
    def places(self) -> dict[int, int]:
        """The bit at which the exponent of each Gaussian variable begins."""
        top, free = self.ring.top, self.ring.free
        variables = {1, *range(1, max(top, free) + 1)} if self.orbits else {1}
        for r in range(1, top + 1 if self.orbits else 1):
            for d in self.valences:
                if r * (d - 2) <= top:
                    variables.update(r * part for part in range(1, d + 1))
        first = FIRST_DEGREE + (len(self.valences) if self.refined else 0)
        return {j: (first + i) * self.ring.width for i, j in enumerate(sorted(variables))}

    def partition_functions(self, source: Series | None = None) -> list[Series]:
        """Return Z for 0, 1, ..., ``fixed`` labelled legs; lines between exchangeable legs are left out.

        ``source`` has the orders from 1 on of the weight J; order 0, one for an exchangeable leg, is understood.
        """
        ring = self.ring
        state = ring.constant()
        for r in self.places:
            level = self._level(r, source)
            if any(level):
                state = ring.unreduced_product(state, ring.exponential(level, self._hopeless(1)))
            state = self._averaged(state, r, self._hopeless(r + 1))
        parts = [ring.part(state, LABELLED, n) for n in range(self.fixed + 1)]
        if not ring.free:
            return parts
        unjoined: Series = [{0: 1, 2: -1}, *ring.zero[1:]]  # each number of joined pairs is one diagram: 1 / (1 - s^2)
        return [ring.product(unjoined, part) for part in parts]

    def _level(self, r: int, source: Series | None) -> Series:
        """Return the exponent's terms with cycles of length r."""
        ring = self.ring
        level = ring.zero
        if r > 1 and not self.orbits:
            return level
        for order in range(1, ring.top // r + 1):
            for key, c in source[order].items() if source else ():
                if r * (key & ring.mask) <= ring.free:
                    level[r * order][r * key + (1 << self.places[r])] = c * ring.inverses[r]
        for d in self.valences:
            if r * (d - 2) <= ring.top:
                row = level[r * (d - 2)]
                for parts, c in self.vertices[d].items():
                    key = r * self.units[d] + sum(1 << self.places[r * part] for part in parts)
                    row[key] = row.get(key, 0) + c * ring.inverses[r]
        return level

    @cached_property
    def vertices(self) -> dict[int, dict[tuple[int, ...], int]]:
        """For each degree {parts: coefficient} of the power sums in a vertex."""
        return {d: self._vertex(d) for d in self.valences}

    def _vertex(self, d: int) -> dict[tuple[int, ...], int]:
        ring = self.ring
        terms: dict[tuple[int, ...], int] = {}
        if not self.orbits:
            for k in range(1 if self.self_loops else d // 2 + 1):
                z = 2**k * factorial(k) * factorial(d - 2 * k)
                terms[(1,) * (d - 2 * k)] = (-1) ** k * pow(z, -1, ring.modulus)
            return terms
        for size, sign in [(d, 1)] if self.self_loops else [(d, 1), (d - 2, -1)]:
            for parts in partitions(size, size):
                z = prod(part**m * factorial(m) for part, m in Counter(parts).items())
                terms[parts] = sign * pow(z, -1, ring.modulus)
        return terms

    def _hopeless(self, first: int) -> list[int]:
        """Return for each order the bits that mark a monomial whose average vanishes at every order in reach.

        Odd variables have to occur an even number of times; the partner comes from a leg or a cycle of length
        ``first`` at least (a source stands for parts with vertices and has no smaller order than one vertex).
        """
        ring = self.ring
        cost = dict.fromkeys((j for j in self.places if j % 2 and j >= first), NEVER)
        for j in cost:
            if j <= (ring.free if self.orbits else 0) or (j == 1 and self.fixed):
                cost[j] = 0
            for r in range(first, j + 1):
                if j % r == 0:
                    cost[j] = min([cost[j], *(r * (d - 2) for d in self.valences if d * r >= j)])
        return [
            sum(1 << self.places[j] for j, extra in cost.items() if order + extra > ring.top)
            for order in range(ring.top + 1)
        ]

    def _averaged(self, state: Series, r: int, forbidden: list[int]) -> Series:
        """Average over one variable, legs attached to it."""
        place, mask = self.places[r], self.ring.mask
        attached: dict[int, Row] = {}
        result: Series = []
        for order, row in enumerate(state):
            total: Row = {}
            for key, c in row.items():
                power = (key >> place) & mask
                if power not in attached:
                    attached[power] = self._with_legs(r, power)
                rest = key - (power << place)
                for legs, factor in attached[power].items():
                    total[rest + legs] = total.get(rest + legs, 0) + c * factor
            result.append(self.ring.reduced(total, forbidden[order]))
        return result

    def _with_legs(self, r: int, power: int) -> Row:
        """Return {legs: <p_r^power legs>}."""
        ring = self.ring
        row: Row = {}
        for n in range(self.fixed + 1 if r == 1 else 1):
            for m in range(ring.free // r + 1):
                moment = gaussian_moment(power + n + m, r)
                if moment:
                    weight = pow(r**m * factorial(m), -1, ring.modulus)
                    row[(n << ring.width) + r * m] = moment * weight % ring.modulus
        return row


def matchings(
    *, valences: tuple[int, ...], top: int, fixed: int, free: int, orbits: bool, self_loops: bool, refined: bool
) -> tuple[Matchings, int]:
    r"""Return the matchings through order ``top``, and a number that makes every sum of 1/\|Aut\| an integer."""
    denominator, modulus, largest = bounds(valences=valences, top=top, fixed=fixed, free=free, orbits=orbits)
    ring = Ring(top, free, (2 * largest).bit_length(), modulus, largest)
    return Matchings(valences, ring, fixed, orbits, self_loops, refined), denominator


def bounds(
    *, valences: tuple[int, ...], top: int, fixed: int, free: int = 0, orbits: bool = False
) -> tuple[int, int, int]:
    r"""Return a common denominator of all sums of 1/\|Aut\|, a modulus, and the largest number it is coprime to.

    Of n half-edges at vertices with m vertices of degree d each, the product of d!^m m! divides n!, because the
    quotient counts set partitions. No sum exceeds the number of matchings of all lists of vertices together.
    """
    n_vertices = top // (min(valences) - 2) if valences else 0
    n_half_edges = fixed + free + top + 2 * n_vertices
    denominator = 1 if orbits else factorial(n_half_edges)
    n_matchings = prod(range(1, n_half_edges + 2, 2)) << (2 * top + fixed + free + 2)
    largest = max(3 * top, n_half_edges, 1) + fixed + free
    return denominator, coprime_modulus(n_matchings * denominator, largest), largest


def gaussian_moment(power: int, r: int) -> int:
    """Return <p^power> for variance r and mean 1 if r is even, 0 if it is odd."""
    mean = 1 - r % 2
    before, now = 0, 1
    for k in range(power):
        before, now = now, mean * now + r * k * before
    return now


def partitions(n: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Iterate over the partitions of n into parts of at most ``largest``.

    Examples
    --------
    >>> list(partitions(4, 3))
    [(3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1)]
    """
    if n == 0:
        yield ()
    for part in range(min(n, largest), 0, -1):
        for rest in partitions(n - part, part):
            yield (part, *rest)
