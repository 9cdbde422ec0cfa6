r"""Exact sums of 1/\|Aut\| over the diagrams of several fields, without making any: zero-dimensional field theory.

With sources J, one for each half-edge type, Z[J] is a Gaussian average of vertices, see :mod:`diagrams._field_moments`,
and W = log Z counts connected diagrams. Cutting lines leads to one-leg sources c that cancel what hangs on one line:

- Without tadpoles: c cancels the connected one-leg functions; what is left of W has none.
- 1PI: c depends on the legs s too, so that J = s + c makes the average field at the partner of every type equal to s.
  This is the Legendre transform, c = - d Gamma / ds, and any leg of a 1PI diagram can be the one of the derivative.

Both are found order by order in the number of vertices. Everything is done for each list of vertices separately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import factorial, prod

from diagrams._field_blocks import HalfEdgeTable
from diagrams._field_moments import Moments, is_diagonal, signed_joinings
from diagrams._field_request import Request, wanted_counts
from diagrams._field_series import Series, SeriesRing, divisors, prime_above
from diagrams._field_sources import Sources
from diagrams._vertex_lists import Counts


def why_not_covered(table: HalfEdgeTable, request: Request) -> str:
    """Return why there is no generating function for a request, an empty string if there is one."""
    if request.amputated:
        return "amputated=True"
    if request.shape:
        return "two_particle_irreducible, vertex_two_connected or planar diagrams"
    if request.odd and not is_diagonal(table):
        return "furry=True in a model where fermions change their species at a vertex"
    contact_legs = any(not table.cuttable[t] for t in request.legs)
    if not request.self_loops and (contact_legs or (request.odd and not all(table.cuttable))):
        return "self_loops=False together with furry=True or contact legs in a model with contact fields"
    return ""


@cache
def weights(table: HalfEdgeTable, request: Request) -> dict[Counts, Fraction]:
    r"""Return the sum of 1/\|Aut\| for each list of vertices, given as how often each vertex of the model occurs."""
    found = Theory(table, request, tuple(wanted_counts(table, request))).weights()
    legs = prod(map(factorial, Counter(request.legs).values()))
    return {counts: w if request.labelled else w / legs for counts, w in found.items()}


@cache
def signed_weight(table: HalfEdgeTable, request: Request) -> Fraction:
    r"""Return the sum of sign/\|Aut\| over connected diagrams with labelled legs."""
    wanted = tuple(wanted_counts(table, request))
    if any(n > 1 and table.grassmann[t] for t, n in Counter(request.legs).items()):
        return Fraction(0)  # odd under exchange of the legs
    return sum(Theory(table, request, wanted).signed_weights().values(), Fraction(0))


@dataclass(frozen=True)
class Theory:
    """The zero-dimensional theory, expanded as far as needed for some lists of vertices."""

    table: HalfEdgeTable
    request: Request
    wanted: tuple[Counts, ...]

    @cached_property
    def leg_types(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.request.legs))

    @cached_property
    def legs(self) -> Counts:
        """Number of legs of each type."""
        return tuple(self.request.legs.count(t) for t in range(len(self.table.names)))

    @cached_property
    def width(self) -> int:
        """Bits of one exponent, enough for a sum of two."""
        loops = self.request.loops or 0
        return (2 * max([loops, *self.legs, *(n for counts in self.wanted for n in counts)])).bit_length()

    @cached_property
    def modulus(self) -> int:
        table, legs = self.table, len(self.request.legs)
        n = max((sum(k * len(v) for k, v in zip(c, table.vertices, strict=True)) for c in self.wanted), default=0)
        return prime_above(2 * prod(range(1, n + legs + 2, 2)))

    @cached_property
    def lists(self) -> dict[Counts, int]:
        """Every list of vertices that can be part of a diagram, with its key."""
        return {counts: self._key(counts) for counts in sorted(divisors(self.wanted), key=sum)}

    @cached_property
    def moments(self) -> Moments:
        ring = SeriesRing({key: sum(counts) for counts, key in self.lists.items()}, self.modulus)
        return Moments(self.table, self.lists, ring, self.request.self_loops, self.request.odd)

    @cached_property
    def _averages(self) -> dict[Counts, list[Series]]:
        return {}

    def averages(self, legs: Counts) -> list[Series]:
        """Return the averages with some legs, by number of vertices."""
        if legs not in self._averages:
            self._averages[legs] = self.by_order(self.moments.average(legs))
        return self._averages[legs]

    def by_order(self, series: Series) -> list[Series]:
        """Return a series in the vertices by number of vertices."""
        rows: list[Series] = [{} for _ in range(self.top + 1)]
        for key, c in series.items():
            rows[self.moments.ring.degree[key]][key] = c
        return rows

    @cached_property
    def top(self) -> int:
        """Largest number of vertices."""
        return max(map(sum, self.lists), default=0)

    def _key(self, counts: Sequence[int]) -> int:
        return sum(n << (i * self.width) for i, n in enumerate(counts))

    def leg_key(self, legs: Counts) -> int:
        """Key of the monomial with so many legs of each type."""
        first = len(self.table.vertices)
        return sum(legs[t] << ((first + i) * self.width) for i, t in enumerate(self.leg_types))

    def ring(self, legs: Counts) -> SeriesRing:
        """Return the ring of series in vertices and in legs, at most ``legs``."""
        degree = {
            key + self.leg_key(some): sum(counts) + sum(some)
            for counts, key in self.lists.items()
            for some in divisors([legs])
        }
        return SeriesRing(degree, self.modulus)

    def weights(self) -> dict[Counts, Fraction]:
        """Return the sum for each list of vertices that is wanted."""
        if not self.wanted:
            return {}
        found = self._irreducible() if self.request.bridgeless else self._reducible()
        shared = prod(map(factorial, self.legs))
        return {
            counts: weight
            for counts in self.wanted
            if (
                weight := self.moments.ring.rational(
                    found.get(self.lists[counts], 0) * shared, self.moments.denominator(counts)
                )
            )
        }

    def _reducible(self) -> Series:
        nothing = (0,) * len(self.legs)
        source = None if self.request.tadpoles else Sources(self, nothing)
        ring = self.ring(self.legs)
        z: Series = {}
        for some in divisors([self.legs]):
            row = source.partition_function(some) if source else self.moments.average(some)
            shared = pow(prod(map(factorial, some)), -1, self.modulus)
            z |= {key + self.leg_key(some): c * shared % self.modulus for key, c in row.items()}
        w = ring.logarithm(z)
        if source:
            self._replace_one_leg(w, source)
        if not self.request.connected:
            w = self._disconnected(w)
        legs = self.leg_key(self.legs)
        return {key - legs: c for key, c in w.items() if key - legs in self.moments.ring.degree}

    def _replace_one_leg(self, w: Series, source: Sources) -> None:
        """Give back the one-leg functions, which the source has cancelled: 1PI parts are left of them."""
        for t in self.leg_types:
            if not self.table.cuttable[t]:
                continue
            leg = self.leg_key(tuple(int(u == t) for u in range(len(self.legs))))
            for row in source.source(self.table.partner[t]):
                w.update({key + leg: -c % self.modulus for key, c in row.items()})

    def _disconnected(self, w: Series) -> Series:
        """Return the sum over diagrams with any components and the number of loops that is wanted."""
        loops, degree = self.request.loops, self.ring(self.legs).degree
        if loops is None:
            return SeriesRing(degree, self.modulus).exponential(w)
        place = (len(self.table.vertices) + len(self.leg_types)) * self.width
        cycles = self._cycles()
        kept = {key + (n << place): d for key, d in degree.items() for n in range(loops + 1)}
        by_loops = {k: c for key, c in w.items() if (k := key + (cycles[key] << place)) in kept}
        found = SeriesRing(kept, self.modulus).exponential(by_loops)
        return {key - (loops << place): c for key, c in found.items() if key >> place == loops}

    def _cycles(self) -> dict[int, int]:
        """Return the number of independent cycles of a connected diagram with each monomial (rounded down)."""
        sizes = [len(v) - 2 for v in self.table.vertices]
        return {
            key + self.leg_key(some): (sum(n * s for n, s in zip(counts, sizes, strict=True)) - sum(some)) // 2 + 1
            for counts, key in self.lists.items()
            for some in divisors([self.legs])
        }

    def _irreducible(self) -> Series:
        if (self_energy := self._self_energy()) is not None:
            return self_energy
        t = next((t for t in self.leg_types if self.table.cuttable[t]), None)
        if t is not None:
            rest = tuple(n - (u == t) for u, n in enumerate(self.legs))
            legs = self.leg_key(rest)
            rows = Sources(self, rest).source(self.table.partner[t])
            shared = pow(self.legs[t], -1, self.modulus)
            found = {k - legs: -c * shared for row in rows for k, c in row.items()}
        else:
            legs = self.leg_key(self.legs)
            full = Sources(self, self.legs).full_partition_function()
            found = {k - legs: c for k, c in self.ring(self.legs).logarithm(full).items()}
        return {key: c for key, c in found.items() if key and key in self.moments.ring.degree}

    def _self_energy(self) -> Series | None:
        r"""Return the 1PI diagrams with the two ends of one line as legs, None for other legs and for fields that mix.

        The propagator G, tadpoles cancelled, is a chain of 1PI parts, :math:`G = 1 + \Sigma + \Sigma^2 + \dots`
        """
        table, legs = self.table, self.request.legs
        if len(legs) != 2 or table.partner[legs[0]] != legs[1] or not table.cuttable[legs[0]]:
            return None
        nothing = (0,) * len(self.legs)
        source = Sources(self, nothing, ends_at_vertex=True)
        for t in source.types:
            mixed = tuple(int(u == t) + int(u == legs[0]) for u in range(len(self.legs)))
            if t != legs[1] and legs[0] in source.types and source.partition_function(mixed):
                return None
        ring = self.moments.ring
        z, propagator = source.full_partition_function(), source.partition_function(self.legs)
        # Sigma G = G - 1, times the partition function
        chain = ring.quotient(z, propagator)
        found = {k: -c % ring.modulus for k, c in chain.items() if k}
        shared = pow(prod(map(factorial, self.legs)), -1, ring.modulus)
        return {k: c * shared % ring.modulus for k, c in found.items()}

    def signed_weights(self) -> dict[Counts, Fraction]:
        """Return the sum of sign/|Aut| over connected diagrams; every type of fermionic leg occurs once at most."""
        z: Series = {}
        for some in divisors([self.legs]):
            order = [t for t in self.leg_types for _ in range(some[t])]
            shared = prod(map(factorial, some))
            for counts, key in self.lists.items():
                c = signed_joinings(self.table, order, counts)
                c *= pow(shared * self.moments.denominator(counts), -1, self.modulus)
                if c % self.modulus:
                    z[key + self.leg_key(some)] = c % self.modulus
        w = SeriesRing(self.ring(self.legs).degree, self.modulus, self._exchange_sign).logarithm(z)
        legs, shared = self.leg_key(self.legs), prod(map(factorial, self.legs))
        return {
            counts: self.moments.ring.rational(
                w.get(self.lists[counts] + legs, 0) * shared, self.moments.denominator(counts)
            )
            for counts in self.wanted
        }

    def _exchange_sign(self, a: int, b: int) -> int:
        first = len(self.table.vertices)
        places = [(first + i) * self.width for i, t in enumerate(self.leg_types) if self.table.grassmann[t]]
        one = [i for i, p in enumerate(places) if (a >> p) & 1]
        two = [i for i, p in enumerate(places) if (b >> p) & 1]
        return -1 if sum(i > j for i in one for j in two) % 2 else 1
