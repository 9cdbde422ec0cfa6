"""Which inner products of rows make the sums of all monomials, sixteen at a time.

Rows hold monomials of low degree, one number for each network. Every higher monomial is one product of two rows, so its
sum is an inner product. A tile takes those of 4 rows with 4, or of 2 with 8, in one go; some of them may be of no use.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from numerics.kernels._sums_source import TILE, places_module

_SHAPES = ((4, 4), (2, 8), (8, 2))  # lines and columns
_NOWHERE = -1
_BLOCK = 32  # rows on either side that tiles are taken from at a time

Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles that add up the sums of monomials of degree 1 to ``max_points``.

    Parameters
    ----------
    n_rows : int
        Rows; the last one is filled with ones.
    squares : array (n, 8)
        Rows of the tiles of 4 times 4 products, left ones first.
    oblongs : array (m, 10)
        Rows of the tiles of 2 times 8 products.
    places : array (n + m, 16)
        The monomial of product ``(i, j)`` of a tile, at ``i + j * (number of left rows)``; -1 for none.
    """

    n_rows: int
    squares: NDArray[np.int64]
    oblongs: NDArray[np.int64]
    places: NDArray[np.int64]

    def weighted_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return squares and oblongs for sums of weighted monomials: weighted rows come after all others.

        One row of each product is a weighted one, that of the weights themselves among them.
        """
        squares, oblongs = (
            table + self.n_rows * (np.arange(table.shape[1]) >= n_left)
            for table, n_left in ((self.squares, 4), (self.oblongs, 2))
        )
        return squares, oblongs

    def filled(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums (n_sets, n_monomials) as kernels take them, (n_sets, n + m, 16), zero at places of no use."""
        tiles = np.empty((len(sums), *self.places.shape))
        places_module().to_tiles(sums, self.places, tiles)
        return tiles

    def empty(self, tiles: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
        """Write sums in tiles to their places."""
        places_module().from_tiles(tiles, self.places, sums)


@cache
def monomial_tiles(n_fields: int, max_points: int, even_only: bool = False) -> Tiles:
    """Return the tiles for all monomials of some fields.

    Rows are the monomials of degree up to ``(max_points + 1) // 2`` in the order of
    :func:`numerics.kernels.cpu.monomial_tables`, then one of ones.

    Parameters
    ----------
    n_fields, max_points : int
    even_only : bool
        Leave out monomials of odd degree above that of the rows.

    Examples
    --------
    >>> tiles = monomial_tiles(2, 2)  # two fields and three squares: products of a field with a field, or with one
    >>> tiles.n_rows, tiles.squares.tolist()
    (3, [[0, 1, 0, 0, 2, 1, 0, 2]])
    """
    stored = (max_points + 1) // 2
    tuples = [t for g in range(1, max_points + 1) for t in combinations_with_replacement(range(n_fields), g)]
    place = {t: i for i, t in enumerate(tuples)}
    rows = [t for t in tuples if len(t) <= stored]
    members: dict[int, list[list[int]]] = {4: [], 2: []}
    places: dict[int, list[list[int]]] = {4: [], 2: []}
    for degree in range(1, stored + 1):
        left = sorted((t for t in rows if len(t) == degree), key=max)
        partners = _partners(degree, stored, max_points, even_only)
        # those of the largest first index come first, so that what a row on the left is multiplied with comes first
        right = sorted((t for t in ((), *rows) if len(t) in partners), key=lambda t: -min(t, default=n_fields))
        firsts = [-min(t, default=n_fields) for t in right]
        for tile in _peeled([bisect_right(firsts, -max(t)) for t in left]):
            n_left, sides, products = tile.of(left, right)
            members[n_left].append([place.get(t, len(rows)) for t in sides])
            places[n_left].append([_NOWHERE if t is None else place[t] for t in products])
    found = [(_table(members[n], n + TILE // n), _table(places[n], TILE), n) for n in (4, 2)]
    (squares, square_places), (oblongs, oblong_places) = (_near_each_other(*kind) for kind in found)
    return Tiles(len(rows) + 1, squares, oblongs, np.concatenate([square_places, oblong_places]))


def _near_each_other(
    members: NDArray[np.int64], places: NDArray[np.int64], n_left: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return tiles in an order in which few rows, which the first-level cache holds, are used many times."""
    left, right = members[:, :n_left].min(axis=1), members[:, n_left:].min(axis=1)
    order = np.lexsort((right, left, right // _BLOCK, left // _BLOCK))
    ordered = members[order], places[order]
    for table in ordered:
        table.setflags(write=False)
    return ordered


def _table(lines: list[list[int]], n_columns: int) -> NDArray[np.int64]:
    table = np.array(lines, dtype=np.int64).reshape(-1, n_columns)
    table.setflags(write=False)
    return table


def _partners(degree: int, stored: int, max_points: int, even_only: bool) -> set[int]:
    """Return the degrees of what rows of a degree are multiplied with on the right; 0 is the row of ones."""
    if degree < stored:
        return {0, 1} if degree == 1 else {1}
    higher = {g for g in range(1, max_points - stored + 1) if not (even_only and (degree + g) % 2)}
    return higher | {0} if degree == 1 else higher


@dataclass(frozen=True)
class _Tile:
    """Some columns from ``first`` on of some lines of a diagram whose lines start at column 0 and end at ``ends``."""

    shape: tuple[int, int]
    lines: list[int]
    ends: list[int]
    first: int

    def of(self, left: list[Index], right: list[Index]) -> tuple[int, list[Index], list[Index | None]]:
        """Return the number of rows on the left, all rows, and the product at each place, None if not wanted."""
        height, width = self.shape
        ends = dict(zip(self.lines, self.ends, strict=True))
        lines = self.lines + self.lines[:1] * (height - len(self.lines))
        columns = [c if c < len(right) else self.first for c in range(self.first, self.first + width)]
        products = {
            (i, j): left[self.lines[i]] + right[c]
            for i in range(len(self.lines))
            for j, c in enumerate(range(self.first, min(self.first + width, ends[self.lines[i]])))
        }
        x, y = [left[i] for i in lines], [right[c] for c in columns]
        if height > width:
            x, y, products = y, x, {(j, i): t for (i, j), t in products.items()}
        return len(x), x + y, [products.get((i, j)) for j in range(len(y)) for i in range(len(x))]


def _peeled(lengths: list[int]) -> Iterator[_Tile]:
    """Cut a diagram of lines that start at column 0 into tiles, each from the ends of the longest lines.

    What is left is such a diagram again. The shape that holds most of it is taken.
    """
    lines = sorted(((n, i) for i, n in enumerate(lengths) if n), reverse=True)
    while lines:
        end = lines[0][0]
        shape = max(_SHAPES, key=lambda s: sum(max(0, n - max(0, end - s[1])) for n, _ in lines[: s[0]]))
        first = max(0, end - shape[1])
        taken = [(n, i) for n, i in lines[: shape[0]] if n > first]
        yield _Tile(shape, [i for _, i in taken], [n for n, _ in taken], first)
        lines = sorted([(min(n, first), i) for n, i in taken if first] + lines[len(taken) :], reverse=True)
