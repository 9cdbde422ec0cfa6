"""Compiled sums of monomials of outputs that are made elsewhere: by other kernels, group by group, or by array code.

A batch of groups small enough for the cache is made, summed and forgotten. Groups of a block are added in order, so
sums depend neither on threads nor on how networks are dealt to calls and batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numerics._codegen import imported, load_module
from numerics.kernels import LANES
from numerics.kernels._sums_source import INTRINSICS, sums_module
from numerics.kernels.buffers import arrays_side_by_side
from numerics.kernels.cpu import monomial_tables
from numerics.kernels.threads import n_threads, share_out
from numerics.kernels.tiles import monomial_tiles

if TYPE_CHECKING:
    from numerics.kernels.cpu import EnsembleKernel

Floats: TypeAlias = NDArray[np.floating[Any]]

_BATCH = 1 << 18  # bytes of outputs between their making and their sums: they stay in the second-level cache

_ADD = """
@njit(nogil=True, fastmath={{'contract', 'nsz'}}, error_model='numpy', cache=True)
def add_groups(sizes, group0, group1, outputs, weights, factors, squares, oblongs, rows, tiles):
    use_wide_vectors()
    n_fields = outputs.shape[1]
    n_rows = factors.shape[0] + 1
    for b in range(sizes.shape[0]):
        for group in range(group0, min(group1, (sizes[b] + LANES - 1) // LANES)):
            place = b * (group1 - group0) + group - group0
            n_valid = min(LANES, sizes[b] - group * LANES)
            for i in range(n_fields):
                for l in range(n_valid):
                    rows[i, l] = outputs[place, i, l]
                for l in range(n_valid, LANES):
                    rows[i, l] = np.{dtype}(0.0)
            fill_monomials(rows, factors)
            if weights.shape[0] > 0:
                for i in range(n_rows):
                    for l in range(n_valid):
                        rows[n_rows + i, l] = rows[i, l] * weights[place, l]
                    for l in range(n_valid, LANES):
                        rows[n_rows + i, l] = np.{dtype}(0.0)
            add_tiles(rows, squares, oblongs, tiles[b])
"""


@cache
def _module(dtype: str) -> Any:
    head = imported(sums_module(dtype), *INTRINSICS, "fill_monomials", "add_tiles")
    source = f"import numpy as np\nfrom numba import njit\n{head}\n{_ADD.format(dtype=dtype)}"
    return load_module(source, label=f"sums_of_given_{dtype}")


class GivenSums:
    """Adds the monomials of outputs to sums of blocks.

    Parameters
    ----------
    n_fields : int
        Outputs of a network at all points.
    max_points : int
        Highest degree of the monomials.
    dtype : {"float64", "float32"}
        Type of the outputs.
    is_weighted : bool
        Every network has a weight.
    """

    def __init__(self, n_fields: int, max_points: int, dtype: str, *, is_weighted: bool = False) -> None:
        self._n_fields, self._dtype, self._is_weighted = n_fields, dtype, is_weighted
        factors, products = monomial_tables(n_fields, max_points)
        self.n_monomials = len(factors) + len(products)
        self._tiles = monomial_tiles(n_fields, max_points)
        tiles = self._tiles.weighted_rows() if is_weighted else (self._tiles.squares, self._tiles.oblongs)
        self._tables = factors, *tiles
        self._no_weights = np.empty((0, LANES), dtype)

    def rows(self) -> Floats:
        """Return the rows of monomials of a group, the last one filled with ones; each thread has its own."""
        n_rows = self._tiles.n_rows
        (rows,) = arrays_side_by_side([(((1 + self._is_weighted) * n_rows, LANES), self._dtype)])
        rows[n_rows - 1] = 1
        found: Floats = rows
        return found

    def add_groups(
        self, sizes: NDArray[np.int64], group0: int, group1: int, outputs: Floats, rows: Floats,
        sums: NDArray[np.float64], weights: Floats | None = None,
    ) -> None:  # fmt: skip
        """Add groups of lanes of some blocks, on the calling thread.

        Parameters
        ----------
        sizes : array (n_blocks,)
            Networks in each block.
        group0, group1 : int
            Groups; networks beyond the end of a block are left out.
        outputs : array (n_blocks * (group1 - group0), n_fields, LANES)
            Block by block.
        rows : array
            As :meth:`rows` returns it.
        sums : array (n_blocks, n_monomials)
            Changed in place.
        weights : array (n_blocks * (group1 - group0), LANES), optional
        """
        tiles, weights = self._tiles.filled(sums), self._no_weights if weights is None else weights
        _module(self._dtype).add_groups(sizes, group0, group1, outputs, weights, *self._tables, rows, tiles)
        self._tiles.empty(tiles, sums)

    def add_rows(self, values: Floats, sums: NDArray[np.float64], weights: Floats | None = None) -> None:
        """Add networks to the sums of one block.

        Parameters
        ----------
        values : array (count, n_fields)
            Outputs, one network in each row.
        sums : array (n_monomials,)
            Changed in place.
        weights : array (count,), optional
            If they are given, and only then, ``is_weighted`` must be true.
        """
        assert (weights is not None) == self._is_weighted
        rows, batch = self.rows(), LANES * groups_in_cache(self._n_fields, self._dtype)
        for start in range(0, len(values), batch):
            outputs = _in_lanes(np.asarray(values[start : start + batch], self._dtype))
            own = None if weights is None else _in_lanes(np.asarray(weights[start : start + batch, None], self._dtype))
            size = np.array([min(batch, len(values) - start)])
            self.add_groups(size, 0, len(outputs), outputs, rows, sums[None], None if own is None else own[:, 0])

    def monomial_sums(self, values: Floats, weights: Floats | None = None) -> NDArray[np.float64]:
        """Return the sums over networks, see :func:`numerics.estimators.monomial_sums`."""
        sums = np.zeros(self.n_monomials)
        self.add_rows(values, sums, weights)
        return sums


@lru_cache(maxsize=16)
def _given_sums(n_fields: int, max_points: int, is_weighted: bool) -> GivenSums:
    return GivenSums(n_fields, max_points, "float64", is_weighted=is_weighted)


def compiled_monomials(values: Floats, max_points: int, weights: Floats | None = None) -> NDArray[np.float64]:
    """Return the sums over networks of all monomials, as :func:`numerics.estimators.monomial_sums` does in array code.

    Parameters
    ----------
    values : array (count, n_fields)
        Outputs, one network in each row; taken as float64.
    max_points : int
        Highest degree.
    weights : array (count,), optional
        Factors on every monomial.
    """
    return _given_sums(values.shape[1], max_points, weights is not None).monomial_sums(values, weights)


def _in_lanes(columns: Floats) -> Floats:
    """Return rows of networks as groups of lanes, shape (n_groups, n_columns, LANES), filled up with zeros."""
    n_groups = -(-len(columns) // LANES)
    lanes = np.zeros((n_groups * LANES, columns.shape[1]), columns.dtype)
    lanes[: len(columns)] = columns
    return np.ascontiguousarray(lanes.reshape(n_groups, LANES, -1).transpose(0, 2, 1))


def groups_in_cache(n_fields: int, dtype: str) -> int:
    """Return how many groups of lanes have outputs that fit the cache, at least one."""
    return max(1, _BATCH // max(1, n_fields * LANES * np.dtype(dtype).itemsize))


class OutputsKernel(ABC):
    """A compiled kernel that makes outputs of groups of networks, with their sums of monomials.

    It has the face of :class:`~numerics.kernels.cpu.EnsembleKernel`.

    Parameters
    ----------
    n_fields : int
        Outputs of a network at all points.
    max_points : int
        Highest degree of the monomials.
    dtype : {"float64", "float32"}
    """

    def __init__(self, n_fields: int, max_points: int, dtype: str) -> None:
        self._n_fields, self._dtype = n_fields, dtype
        self._sums = GivenSums(n_fields, max_points, dtype)

    @property
    @abstractmethod
    def seconds_per_group(self) -> float:
        """Rough cost of one group of lanes, from which callers choose how much to do at once."""

    @abstractmethod
    def _space(self) -> Any:
        """Return the memory of a thread."""

    @abstractmethod
    def _write(
        self, blocks: NDArray[np.int64], sizes: NDArray[np.int64], group0: int, group1: int, space: Any, outputs: Floats
    ) -> None:
        """Fill ``outputs``, shape (n_blocks * (group1 - group0), n_fields, LANES), on the calling thread.

        Networks beyond the end of a block may be left out.
        """

    def _filled(self, size: int) -> int:
        """Return the networks that are evaluated for a block of ``size`` networks."""
        return -(-size // LANES) * LANES

    def _blocks_together(self, size: int) -> int:
        """Return how many blocks of ``size`` networks are better evaluated together."""
        return 1

    def portions(self, seconds: float, size: int) -> tuple[int, int]:
        """Return how many groups of lanes, and how many blocks of ``size`` networks, make a call of some seconds."""
        per_thread = max(1, int(seconds / self.seconds_per_group))
        return per_thread, n_threads() * max(1, per_thread * LANES // self._filled(size))

    def add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: NDArray[np.float64]
    ) -> None:
        """Add lane groups of each block to its row of ``sums``, see :meth:`EnsembleKernel.add`."""
        numbers, counts = np.array(blocks, dtype=np.int64), np.array(sizes, dtype=np.int64)
        group1 = min(group1, -(-int(counts.max(initial=0)) // LANES))
        if group0 >= group1:
            return
        most = groups_in_cache(self._n_fields, self._dtype)
        together = self._blocks_together(int(counts.max()))
        n_groups = min(most, group1 - group0)
        n_blocks = max(together, most // n_groups)

        def some(first: int, stop: int) -> None:
            first, stop = first * together, min(stop * together, len(numbers))
            space, rows = self._space(), self._sums.rows()
            lanes = np.empty((n_blocks * n_groups, self._n_fields, LANES), self._dtype)
            for block in range(first, stop, n_blocks):
                part = slice(block, min(block + n_blocks, stop))
                for group in range(group0, group1, n_groups):
                    end = min(group + n_groups, group1)
                    outputs = lanes[: (part.stop - part.start) * (end - group)]
                    self._write(numbers[part], counts[part], group, end, space, outputs)
                    self._sums.add_groups(counts[part], group, end, outputs, rows, sums[part])

        share_out(some, -(-len(numbers) // together))

    def outputs(self, block: int, start: int, count: int) -> Floats:
        """Return the outputs of networks ``start`` to ``start + count - 1`` of a block, shape (count, n_fields)."""
        group0, group1 = start // LANES, -(-(start + count) // LANES)
        lanes = np.empty((group1 - group0, self._n_fields, LANES), dtype=self._dtype)
        number, size = np.array([block]), np.array([start + count])

        def some(first: int, stop: int) -> None:
            self._write(number, size, group0 + first, group0 + stop, self._space(), lanes[first:stop])

        share_out(some, len(lanes))
        begin = start - group0 * LANES
        flat = lanes.transpose(0, 2, 1).reshape(len(lanes) * LANES, self._n_fields)
        return np.ascontiguousarray(flat[begin : begin + count])


class SumKernel(OutputsKernel):
    """The compiled kernel of sums of independent networks: the parts are added before monomials are made of them.

    Parameters
    ----------
    parts : sequence of EnsembleKernel
        Of the same points and type.
    n_fields : int
    max_points : int
        Highest degree of the monomials.
    dtype : {"float64", "float32"}
    """

    def __init__(self, parts: Sequence[EnsembleKernel], n_fields: int, max_points: int, dtype: str) -> None:
        super().__init__(n_fields, max_points, dtype)
        self._parts = tuple(parts)

    @property
    def seconds_per_group(self) -> float:
        """Rough cost of one group of lanes, from which callers choose how much to do at once."""
        return sum(part.seconds_per_group for part in self._parts) + 1e-9 * LANES * self._sums.n_monomials

    def _space(self) -> Any:
        return [part.space() for part in self._parts]

    def _write(
        self, blocks: NDArray[np.int64], sizes: NDArray[np.int64], group0: int, group1: int, space: Any, outputs: Floats
    ) -> None:
        outputs[...] = 0
        for part, own in zip(self._parts, space, strict=True):
            part.add_outputs(blocks, sizes, group0, group1, own, outputs)
