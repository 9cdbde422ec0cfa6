"""Which numbers of weighted vertices a diagram through a given order can have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor

Powers = tuple[Fraction, ...]
Row = tuple[tuple[Fraction, ...], Fraction]  # coefficients times numbers of vertices <= bound


@dataclass(frozen=True)
class WeightedVertices:
    """Vertices with a weight in each parameter, and how high the powers may be.

    Parameters
    ----------
    vertices : tuple of (int, str)
        Valence and kind of each.
    weights : tuple of tuple of Fraction
        One row for each vertex, one column for each parameter.
    highest : tuple of Fraction or None
        Highest power of each parameter; None does not limit it.
    legs : int
    connected : bool
        Connected diagrams obey the Euler relation.
    """

    vertices: tuple[tuple[int, str], ...]
    weights: tuple[Powers, ...]
    highest: tuple[Fraction | None, ...]
    legs: int
    connected: bool

    def powers(self, counts: tuple[int, ...]) -> Powers:
        """Return the power of each parameter."""
        columns = zip(*self.weights, strict=True)
        return tuple(sum((n * w for n, w in zip(counts, c, strict=True)), Fraction(0)) for c in columns)

    def n_loops(self, counts: tuple[int, ...]) -> int:
        """Return the number of loops of a connected diagram."""
        excess = sum(n * (valence - 2) for n, (valence, _) in zip(counts, self.vertices, strict=True))
        return 1 + (excess - self.legs) // 2

    def counts(self) -> list[tuple[int, ...]]:
        """Return the numbers of vertices that diagrams can have, few vertices first.

        Raises
        ------
        ValueError
            If there are infinitely many; the text names the vertices responsible.
        """
        rows = self._rows()
        limits = [_upper_limit(rows, v, len(self.vertices)) for v in range(len(self.vertices))]
        endless = [key for key, limit in zip(self.vertices, limits, strict=True) if limit is None]
        if endless:
            raise ValueError(
                f"infinitely many diagrams: the highest orders do not limit the number of vertices {endless}; give "
                "each of them a positive weight in a parameter whose highest order is given"
            )
        known = [-1 if limit is None else floor(limit) for limit in limits]
        found = [n for n in _solutions(rows, known) if self._can_be_joined(n)]
        return sorted(found, key=lambda n: (sum(n), n))

    def _rows(self) -> list[Row]:
        columns = zip(*self.weights, strict=True)
        rows: list[Row] = [(c, high) for c, high in zip(columns, self.highest, strict=True) if high is not None]
        if self.connected:  # no fewer than zero loops
            rows.append((tuple(Fraction(2 - valence) for valence, _ in self.vertices), Fraction(2 - self.legs)))
        return rows

    def _can_be_joined(self, counts: tuple[int, ...]) -> bool:
        if not any(counts):
            return self.legs == 2 if self.connected else self.legs > 0 and self.legs % 2 == 0
        return (self.legs + sum(n * valence for n, (valence, _) in zip(counts, self.vertices, strict=True))) % 2 == 0


def _upper_limit(rows: list[Row], kept: int, n: int) -> Fraction | None:
    """Return the largest real value of one number of vertices, None if there is none, -1 if there is no solution.

    All others are eliminated from the inequalities (Fourier and Motzkin).
    """
    unit = [tuple(Fraction(-1 if u == v else 0) for u in range(n)) for v in range(n)]
    left = {*rows, *((row, Fraction(0)) for row in unit)}
    for v in range(n):
        if v != kept:
            above = [row for row in left if row[0][v] > 0]
            below = [row for row in left if row[0][v] < 0]
            left = {row for row in left if not row[0][v]}
            left |= {_combined(a, b, v) for a in above for b in below}
    if any(bound < 0 for row, bound in left if not row[kept]):
        return Fraction(-1)
    limits = [bound / row[kept] for row, bound in left if row[kept] > 0]
    lowest = max(bound / row[kept] for row, bound in left if row[kept] < 0)
    if not limits:
        return None
    return min(limits) if min(limits) >= lowest else Fraction(-1)


def _combined(above: Row, below: Row, v: int) -> Row:
    p, q = above[0][v], -below[0][v]
    row = tuple(a / p + b / q for a, b in zip(above[0], below[0], strict=True))
    return row, above[1] / p + below[1] / q


def _solutions(rows: list[Row], limits: list[int]) -> Iterator[tuple[int, ...]]:
    """Iterate over all numbers up to the limits that obey the inequalities."""
    n = len(limits)
    least = [
        [
            sum((min(c, Fraction(0)) * k for c, k in zip(row[v:], limits[v:], strict=True)), Fraction(0))
            for v in range(n + 1)
        ]
        for row, _ in rows
    ]

    def extend(chosen: tuple[int, ...], sums: tuple[Fraction, ...]) -> Iterator[tuple[int, ...]]:
        v = len(chosen)
        if any(s + low[v] > bound for s, low, (_, bound) in zip(sums, least, rows, strict=True)):
            return
        if v == n:
            yield chosen
            return
        for k in range(limits[v] + 1):
            step = tuple(s + k * row[v] for s, (row, _) in zip(sums, rows, strict=True))
            yield from extend((*chosen, k), step)

    yield from extend((), (Fraction(0),) * len(rows))
