"""One-leg sources that cancel what hangs on a single line, order by order in the number of vertices."""

from __future__ import annotations

from math import factorial, prod
from typing import TYPE_CHECKING

from diagrams._field_series import Series, SeriesRing, divisors
from diagrams._vertex_lists import Counts

if TYPE_CHECKING:
    from diagrams._field_counting import Theory


class Sources:
    """One-leg sources ``c_t`` that make the average field at the partner of each type equal to its leg ``s_t``.

    Series in the vertices and at most ``legs`` legs; without legs the average fields vanish. What is averaged adds a
    vertex to every source where ``ends_at_vertex``, so that the last order of the sources is not needed.
    """

    def __init__(self, theory: Theory, legs: Counts, *, ends_at_vertex: bool = False) -> None:
        self.theory = theory
        self.legs = legs
        self.ring = theory.ring(legs)
        charged = {t for pair in theory.moments.conserved for t in pair}
        # an average field carries the charge of the legs that it depends on
        self.types = [t for t, c in enumerate(theory.table.cuttable) if c and (any(legs) or t not in charged)]
        n_types, zero = len(legs), (0,) * len(legs)
        self.units = [tuple(int(u == t) for u in range(n_types)) for t in range(n_types)]
        self.one_leg = [{theory.leg_key(u): 1} if legs[t] else {} for t, u in enumerate(self.units)]
        # by order, the number of vertices, and only the orders that do not vanish: J_t = s_t + c_t ...
        self.currents: list[dict[int, Series]] = [{0: one} if one else {} for one in self.one_leg]
        # ... and J^k / k!
        self.powers: dict[Counts, dict[int, Series]] = {zero: {0: {0: 1}}}
        self._averages: dict[Counts, dict[Counts, dict[int, Series]]] = {}
        self.free = self._free_inverse()
        self._grow(0)
        for order in range(1, theory.top + 1):
            self._grow(order)
            if ends_at_vertex and order == theory.top:
                return
            found = {t: source for t in self.types if (source := self._source(t, order))}
            for t, source in found.items():
                self.currents[t][order] = source
            self._correct(found, order)

    def source(self, t: int) -> list[Series]:
        """Return the orders of c_t that do not vanish."""
        return [row for order, row in self.currents[t].items() if order]

    def partition_function(self, legs: Counts) -> Series:
        """Return the average with some labelled legs and the sources."""
        total: Series = {}
        for k, rows in self.powers.items():
            if average := self.theory.moments.average(tuple(map(int.__add__, k, legs))):
                self.ring.add_product(total, {key: c for row in rows.values() for key, c in row.items()}, average)
        return self.ring.reduced(total)

    def full_partition_function(self) -> Series:
        """Return the average with the sources, and with the legs that they depend on."""
        return self.partition_function((0,) * len(self.legs))

    def _free_inverse(self) -> Series:
        """Return exp(- s s / 2), the inverse of the average without vertices."""
        theory, M = self.theory, self.theory.modulus
        pairs: Series = {}
        for t, p in enumerate(theory.table.partner):
            if t <= p and self.legs[t] and self.legs[p]:
                half = pow(2, -1, M) if t == p else 1
                pairs[theory.leg_key(self.units[t]) + theory.leg_key(self.units[p])] = -half % M
        kept = {theory.leg_key(some): sum(some) for some in divisors([self.legs])}
        return SeriesRing(kept, M).exponential({k: c for k, c in pairs.items() if k in kept})

    def _grow(self, order: int) -> None:
        """Add an order to all powers, its sources not yet known."""
        level: list[Counts] = [(0,) * len(self.legs)]
        while level:
            following = []
            for k in level:
                first = next((t for t, n in enumerate(k) if n), len(k) - 1)
                for t in range(first + 1):
                    if self.currents[t]:
                        larger = tuple(map(int.__add__, k, self.units[t]))
                        if self._extend(larger, k, t, order):
                            following.append(larger)
            level = following

    def _extend(self, larger: Counts, smaller: Counts, t: int, order: int) -> bool:
        """Add an order to a power; return False if all its orders vanish."""
        total: Series = {}
        rows = self.powers[smaller]
        for i, current in self.currents[t].items():
            if row := rows.get(order - i):
                self.ring.add_product(total, current, row)
        if total:
            shared = pow(larger[t], -1, self.ring.modulus)
            if row := self.ring.reduced({k: c * shared for k, c in total.items()}):
                self.powers.setdefault(larger, {})[order] = row
        return larger in self.powers

    def _average(self, legs: Counts, order: int) -> Series:
        total: Series = {}
        known = self._averages.setdefault(legs, {})
        for k, rows in self.powers.items():
            if k not in known:
                by_order = self.theory.averages(tuple(map(int.__add__, k, legs)))
                known[k] = {i: row for i, row in enumerate(by_order) if row}
            averages = known[k]
            if averages:
                for i, row in rows.items():
                    if other := averages.get(order - i):
                        self.ring.add_product(total, row, other)
        return total

    def _source(self, t: int, order: int) -> Series:
        """Return the order of c_t for which the average field is the leg."""
        miss = self._average(self.units[self.theory.table.partner[t]], order)
        if self.one_leg[t]:
            z = self._average((0,) * len(self.legs), order)
            self.ring.add_product(miss, self.one_leg[t], {k: -c for k, c in z.items()})
        miss = self.ring.reduced(miss)
        return self.ring.reduced({k: -c for k, c in self.ring.product(miss, self.free).items()}) if miss else {}

    def _correct(self, found: dict[int, Series], order: int) -> None:
        """Add what the new sources contribute to the powers at their order."""
        for t, source in found.items():
            for some in divisors([self.legs]):
                larger = tuple(map(int.__add__, some, self.units[t]))
                rows = self.powers.setdefault(larger, {})
                total = rows.pop(order, {})
                shared = pow(prod(map(factorial, some)), -1, self.ring.modulus)
                self.ring.add_product(total, source, {self.theory.leg_key(some): shared})
                if row := self.ring.reduced(total):
                    rows[order] = row
