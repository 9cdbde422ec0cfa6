"""How the sums of monomials of a group of networks are laid out in the shared memory of a CUDA block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

SHARED_BYTES = 48 * 1024  # what every device grants without asking
UNIT = 2048  # networks whose sums are one partial sum


@dataclass(frozen=True)
class SumLayout:
    """Rows of products of fields, one column for each network, and how every monomial is a product of rows.

    Parameters
    ----------
    n_fields, max_points : int
        Fields of a network, and highest degree of a monomial.
    stored : int
        Monomials up to this degree are rows.
    lanes : int
        Networks side by side, and threads.
    unit : int
        Networks that make one partial sum: results depend on it, and on nothing else of how work is dealt out.
    """

    n_fields: int
    max_points: int
    stored: int
    lanes: int
    unit: int = UNIT

    @classmethod
    def fitting(cls, n_fields: int, max_points: int, dtype: str, *, has_weights: bool = False) -> SumLayout:
        """Return the layout with the longest products that leaves enough threads, and room for weights if wanted.

        Raises
        ------
        ValueError
            If not even the fields fit.
        """
        size = np.dtype(dtype).itemsize
        for lanes in (128, 64, 32, 16, 8):
            for stored in range((max_points + 1) // 2, 0, -1):
                layout = cls(n_fields, max_points, stored, lanes)
                # a row of ones, and with weights one of these and two of numbers in double precision
                more = (lanes + 1) * size + 2 * 8 * lanes if has_weights else 0
                if (layout.n_rows + 1) * (lanes + 1) * size + more <= SHARED_BYTES and layout.n_rows < 2**16:
                    return layout
        most = (SHARED_BYTES - 2 * 8 * 8 * has_weights) // (9 * size) - 1 - has_weights
        raise ValueError(
            f"the CUDA kernel takes up to {most} outputs times points in {dtype}, got {n_fields}: use fewer points, "
            "dtype='float32', or backend='numba'"
        )

    @property
    def n_rows(self) -> int:
        """Rows of products; one row of ones comes after them."""
        return comb(self.n_fields + self.stored, self.stored) - 1

    @property
    def n_monomials(self) -> int:
        """Monomials of degree 1 to ``max_points``."""
        return comb(self.n_fields + self.max_points, self.max_points) - 1

    @property
    def n_parts(self) -> int:
        """Rows whose product a monomial is."""
        return -(-self.max_points // self.stored)

    def factors(self) -> NDArray[np.int32]:
        """Return the two rows whose product each row is, shape (n_rows, 2); -1 for the fields."""
        return _tables(self)[0]

    def parts(self) -> NDArray[np.uint16]:
        """Return the rows of each monomial, shape (n_monomials, n_parts), filled up with the row of ones.

        Examples
        --------
        >>> SumLayout(2, 3, 2, 128).parts()[:4].tolist()  # fields, then squares; row 5 holds ones
        [[0, 5], [1, 5], [2, 5], [3, 5]]
        """
        return _tables(self)[1]


@cache
def _tables(layout: SumLayout) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    tuples = [
        t for g in range(1, layout.max_points + 1) for t in combinations_with_replacement(range(layout.n_fields), g)
    ]
    row = {t: i for i, t in enumerate(tuples[: layout.n_rows])}
    factors = np.array([(row[t[:-1]], row[t[-1:]]) if len(t) > 1 else (-1, -1) for t in row], dtype=np.int32)
    parts = np.full((len(tuples), layout.n_parts), layout.n_rows, dtype=np.uint16)
    for m, t in enumerate(tuples):
        for j, first in enumerate(range(0, len(t), layout.stored)):
            parts[m, j] = row[t[first : first + layout.stored]]
    return factors, parts
