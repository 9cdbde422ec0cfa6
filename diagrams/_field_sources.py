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

    Series in the vertices and at most ``legs`` legs; without legs the average fields vanish.
    """

    def __init__(self, theory: Theory, legs: Counts) -> None:
        self.theory = theory
        self.legs = legs
        self.ring = theory.ring(legs)
        self.types = [t for t, c in enumerate(theory.table.cuttable) if c]
        n_types, zero = len(legs), (0,) * len(legs)
        self.units = [tuple(int(u == t) for u in range(n_types)) for t in range(n_types)]
        self.one_leg = [{theory.leg_key(u): 1} if legs[t] else {} for t, u in enumerate(self.units)]
        # for each type the orders of c_t; the order counts vertices
        self.sources: list[list[Series]] = [[{}] for _ in range(n_types)]
        # J^k / k! for J = s + c, by order
        self.powers: dict[Counts, list[Series]] = {zero: [{0: 1}]}
        self.free = self._free_inverse()
        self._grow(0)
        for order in range(1, theory.top + 1):
            self._grow(order)
            found = {t: self._source(t, order) for t in self.types}
            for t, row in found.items():
                self.sources[t][order] = row
            self._correct(found, order)

    def partition_function(self, legs: Counts) -> Series:
        """Return the average with some labelled legs and the sources."""
        return self.theory.moments.ring.reduced(
            {k: c for order in range(self.theory.top + 1) for k, c in self._average(legs, order).items()}
        )

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

    def _current(self, t: int, order: int) -> Series:
        return self.one_leg[t] if order == 0 else self.sources[t][order]

    def _grow(self, order: int) -> None:
        """Add an order to all powers, its sources not yet known."""
        for t in range(len(self.legs)):
            if order:
                self.sources[t].append({})
        zero = (0,) * len(self.legs)
        if order:
            self.powers[zero].append({})
        level = [zero]
        while level:
            following = []
            for k in level:
                first = next((t for t, n in enumerate(k) if n), len(k) - 1)
                for t in range(first + 1):
                    if any(self.one_leg[t]) or any(self.sources[t]):
                        larger = tuple(map(int.__add__, k, self.units[t]))
                        if self._extend(larger, k, t, order):
                            following.append(larger)
            level = following

    def _extend(self, larger: Counts, smaller: Counts, t: int, order: int) -> bool:
        """Add an order to a power; return False if all its orders vanish."""
        total: Series = {}
        for i in range(order + 1):
            self.ring.add_product(total, self._current(t, i), self.powers[smaller][order - i])
        shared = pow(larger[t], -1, self.ring.modulus)
        row = self.ring.reduced({k: c * shared for k, c in total.items()})
        if larger not in self.powers:
            if not row:
                return False
            self.powers[larger] = [{} for _ in range(order)]
        self.powers[larger].append(row)
        return True

    def _average(self, legs: Counts, order: int) -> Series:
        total: Series = {}
        for k, rows in self.powers.items():
            averages = self.theory.averages(tuple(map(int.__add__, k, legs)))
            for i, row in enumerate(rows[: order + 1]):
                if row and averages[order - i]:
                    self.ring.add_product(total, row, averages[order - i])
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
            if not source:
                continue
            for some in divisors([self.legs]):
                larger = tuple(map(int.__add__, some, self.units[t]))
                rows = self.powers.setdefault(larger, [{} for _ in range(order + 1)])
                shared = pow(prod(map(factorial, some)), -1, self.ring.modulus)
                self.ring.add_product(rows[order], source, {self.theory.leg_key(some): shared})
                rows[order] = self.ring.reduced(rows[order])
