"""Which vertices a diagram of several fields can have: how many of each, and what is attached to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from math import ceil, floor, lcm
from typing import NamedTuple

from diagrams._field_blocks import HalfEdgeTable

Counts = tuple[int, ...]


class Bound(NamedTuple):
    """``low <= sum of coefficients times numbers of vertices <= high``."""

    coefficients: tuple[Fraction | int, ...]
    low: Fraction | int
    high: Fraction | int


class VertexClass(NamedTuple):
    """A vertex of the model with its legs and self-loops (numbers for each half-edge type)."""

    vertex: int
    legs: Counts  # half-edges that end in external legs
    loops: Counts  # self-loops, at the smaller type of a pair
    rest: Counts  # half-edges that go to other vertices

    @property
    def key(self) -> tuple[int, int, int, Counts]:
        """What vertex lists are sorted by: legs first, then self-loops."""
        return -sum(self.legs), -sum(self.loops), self.vertex, tuple(-n for n in self.legs + self.loops)


def vertex_counts(table: HalfEdgeTable, legs: Sequence[int], bounds: Sequence[Bound]) -> list[Counts]:
    """Return how often each vertex of the model can occur, subject to ``bounds`` and to lines having two ends.

    Raises
    ------
    ValueError
        If the bounds allow infinitely many lists.
    """
    supply = half_edge_counts(table, legs)
    balance = [
        Bound(
            tuple([table.count(m, t) - table.count(m, p) for m in range(len(table.vertices))]),
            supply[p] - supply[t],
            supply[p] - supply[t],
        )
        for t, p in enumerate(table.partner)
        if t < p
    ]
    everything = [_integral(b) for b in (*bounds, *balance)]
    limits = _limits(len(table.vertices), everything)
    found = _solutions(limits, everything)
    real = [t for t, p in enumerate(table.partner) if t == p]
    return [
        n
        for n in found
        if all((supply[t] + sum(k * table.count(m, t) for m, k in enumerate(n))) % 2 == 0 for t in real)
    ]


def _integral(bound: Bound) -> Bound:
    """Return the same bound on integers, with which it is much faster to work."""
    if all(isinstance(x, int) for x in (*bound.coefficients, bound.low, bound.high)):
        return bound
    scale = lcm(*(c.denominator for c in bound.coefficients))
    coefficients = tuple(int(c * scale) for c in bound.coefficients)
    return Bound(coefficients, ceil(bound.low * scale), floor(bound.high * scale))


def half_edge_counts(table: HalfEdgeTable, half_edges: Sequence[int]) -> Counts:
    """Return how many of the half-edges are of each type."""
    return tuple(list(half_edges).count(t) for t in range(len(table.names)))


def _limits(n_vertices: int, bounds: Sequence[Bound]) -> list[int]:
    """Return the largest number of each vertex, from one bound after another until nothing changes."""
    limits: list[int | None] = [None] * n_vertices
    upper = [(b.coefficients, b.high) for b in bounds]
    upper += [(tuple(-c for c in b.coefficients), -b.low) for b in bounds]
    for _ in range(2 * n_vertices + 2):
        for coefficients, high in upper:
            slack = high
            for c, limit in zip(coefficients, limits, strict=True):
                if c < 0 and limit is None:
                    break
                slack -= min(c, 0) * (limit or 0)
            else:
                for m, c in enumerate(coefficients):
                    if c > 0:
                        most, known = int(slack // c), limits[m]
                        limits[m] = most if known is None else min(known, most)
    unbounded = [m for m, limit in enumerate(limits) if limit is None]
    if unbounded and min((m for m in limits if m is not None), default=0) >= 0:
        raise ValueError(
            f"infinitely many diagrams: nothing limits the number of vertices of type {unbounded} of the model. "
            "Give loops, and an order for every coupling of a 2-leg vertex"
        )
    return [-1 if m is None else m for m in limits]


def _solutions(limits: Sequence[int], bounds: Sequence[Bound]) -> list[Counts]:
    found: list[Counts] = []

    def extend(chosen: Counts, sums: list[Fraction | int]) -> None:
        m = len(chosen)
        if not all(_reachable(b, s, limits, m) for b, s in zip(bounds, sums, strict=True)):
            return
        if m == len(limits):
            found.append(chosen)
            return
        for n in range(limits[m] + 1):
            extend((*chosen, n), [s + n * b.coefficients[m] for b, s in zip(bounds, sums, strict=True)])

    extend((), [0] * len(bounds))
    return sorted(found, key=lambda n: (sum(n), n))


def _reachable(bound: Bound, total: Fraction | int, limits: Sequence[int], start: int) -> bool:
    least = most = total
    for c, n in zip(bound.coefficients[start:], limits[start:], strict=True):
        if c > 0:
            most += c * n
        else:
            least += c * n
    return most >= bound.low and least <= bound.high


@cache
def vertex_classes(table: HalfEdgeTable, vertex: int, legs: Counts, self_loops: bool) -> list[VertexClass]:
    """Return all ways to give a vertex at most ``legs`` legs, and self-loops (without ``self_loops`` contact lines)."""
    degrees = [table.count(vertex, t) for t in range(len(table.names))]
    found = []
    for attached in _below([min(d, n) for d, n in zip(degrees, legs, strict=True)]):
        left = [d - n for d, n in zip(degrees, attached, strict=True)]
        most = [
            _most_loops(left, t, p) if self_loops or not table.cuttable[t] else 0 for t, p in enumerate(table.partner)
        ]
        for loops in _below(most):
            rest = list(left)
            for t, p in enumerate(table.partner):
                rest[t] -= loops[t]
                rest[p] -= loops[t]
            found.append(VertexClass(vertex, attached, loops, tuple(rest)))
    return sorted(found, key=lambda c: c.key)


def _most_loops(left: Sequence[int], t: int, p: int) -> int:
    return left[t] // 2 if t == p else min(left[t], left[p]) if t < p else 0


def _below(limits: Sequence[int]) -> Iterator[Counts]:
    if not limits:
        yield ()
        return
    for n in range(limits[0] + 1):
        yield from ((n, *tail) for tail in _below(limits[1:]))
