"""The compiled CPU kernel of an ensemble: networks are drawn, evaluated, added to sums of monomials, and forgotten.

Lanes are networks: a group of :data:`LANES` networks is kept as structure of arrays in the first-level cache, neurons
are the outer loop, and every inner loop runs over the lanes without calls or branches, so that LLVM makes vector code
of it. Nothing is stored per network. The sums of a block are added group by group in order, so they do not depend on
the number of threads, nor on how blocks are dealt to calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics._codegen import load_module
from numerics.kernels import LANES, Neuron, index_tuples, neuron_round, philox
from numerics.kernels._cpu_source import kernel_source
from numerics.kernels._sums_source import TILE
from numerics.kernels.buffers import group_buffers
from numerics.kernels.features import FeatureNeuron
from numerics.kernels.threads import n_threads, share_out
from numerics.kernels.tiles import monomial_tiles

if TYPE_CHECKING:
    from numerics.model import NetworkModel


@cache
def kernel_module(
    neuron: Neuron | FeatureNeuron, input_dim: int, dtype: str, by_lane: bool = False, by_width: bool = False
) -> Any:
    """Return the module made of :func:`kernel_source`; its functions are compiled at their first calls."""
    kind = neuron.label + "_by_lane" * by_lane + "_by_width" * by_width
    source = kernel_source(neuron, input_dim, dtype, by_lane=by_lane, by_width=by_width)
    return load_module(source, label=f"ensemble_{kind}_{input_dim}d_{dtype}")


@cache
def monomial_tables(n_points: int, max_points: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how each monomial of the field at the points is a product of two earlier ones.

    Monomials of degree 1 to ``max_points`` are ordered by degree and, within a degree, as index tuples
    ``i <= j <= ...`` in lexicographic order. Those of degree at most ``(max_points + 1) // 2`` are kept as rows.

    Parameters
    ----------
    n_points : int
    max_points : int

    Returns
    -------
    factors : array (n_rows, 2)
        The two rows whose product a row is; -1 for the field itself.
    products : array (n_products, 2)
        The two rows of each higher monomial.

    Examples
    --------
    >>> factors, products = monomial_tables(2, 4)
    >>> factors.tolist()
    [[-1, -1], [-1, -1], [0, 0], [0, 1], [1, 1]]
    >>> len(products)  # 4 of degree 3, 5 of degree 4
    9
    """
    stored = (max_points + 1) // 2
    tuples = [t for g in range(1, max_points + 1) for t in combinations_with_replacement(range(n_points), g)]
    row = {t: i for i, t in enumerate(tuples) if len(t) <= stored}
    factors = [(row[t[:-1]], row[t[-1:]]) if len(t) > 1 else (-1, -1) for t in row]
    products = [(row[t[:stored]], row[t[stored:]]) for t in tuples[len(row) :]]
    return _table(factors), _table(products)


def _table(pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    table.setflags(write=False)
    return table


def _ends_of_pairs(points: NDArray[np.float64]) -> int:
    """Return the number of points whose pairs i <= j, in lexicographic order, are given; ValueError if they are not."""
    n = int((np.sqrt(8 * len(points) + 1) - 1) / 2 + 0.5)
    ends = points[:n, points.shape[1] // 2 :]
    first, second = index_tuples(n, 2).T
    if len(first) != len(points) or not np.array_equal(points, np.hstack([ends[first], ends[second]])):
        raise ValueError(f"this kernel takes all pairs i <= j of some points in order, got {len(points)} other points")
    return n


class EnsembleKernel:
    """The compiled kernel with its parameters: adds the sums of blocks of networks to an array.

    Parameters
    ----------
    model : NetworkModel
    points : array (n_points, input_dim)
    max_points : int
        Highest degree of the monomials.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
        Type of the evaluation.
    even_only : bool
        Leave out the sums of products of three, five, ... fields, where nobody needs them; they are then zero.
    n_more : int
        Variables besides the fields, see :class:`numerics.kernels.tilted.TiltedKernel`.

    Raises
    ------
    ValueError
        If the points are not all pairs of some points, where the neuron takes those.
    """

    def __init__(
        self,
        model: NetworkModel,
        points: NDArray[np.float64],
        *,
        max_points: int,
        seed: int,
        dtype: str,
        even_only: bool = False,
        n_more: int = 0,
    ) -> None:
        real, neuron = np.dtype(dtype).type, model.neuron
        self._pairs_of = 0
        if isinstance(neuron, FeatureNeuron) and neuron.half is not None:
            self._pairs_of = _ends_of_pairs(points)
        self._n_fields = model.n_outputs * len(points)
        factors, products = monomial_tables(self._n_fields + n_more, max_points)
        self.n_monomials = len(factors) + len(products)
        self._tiles = monomial_tiles(self._n_fields + n_more, max_points, even_only)
        self._module = self._made_module(neuron, model.input_dim, dtype)
        self._plan, self._dtype = neuron_round(neuron, model.input_dim, dtype), dtype
        x, offsets, constants, splines = (np.ascontiguousarray(a, dtype=dtype) for a in model.arrays(points))
        scales = real(model.output_scale), real(model.output_bias)
        key = (np.uint64(word) for word in philox.key_words(seed))
        tables = factors, self._tiles.squares, self._tiles.oblongs
        self._arguments = (model.width, x, offsets, constants, splines, *scales, *key, *tables)
        self._nothing = np.empty((0, self._n_fields, LANES), dtype=dtype)

    def _made_module(self, neuron: Neuron | FeatureNeuron, input_dim: int, dtype: str) -> Any:
        return kernel_module(neuron, input_dim, dtype)

    @property
    def seconds_per_group(self) -> float:
        """Rough cost of one group of lanes, from which callers choose how much to do at once."""
        width, points = self._arguments[0], self._arguments[1]
        return 1e-9 * LANES * (width * (5 * (1 + points.shape[1]) + self._n_fields) + self.n_monomials)

    def portions(self, seconds: float, size: int) -> tuple[int, int]:
        """Return how many groups of lanes, and how many blocks of ``size`` networks, make a call of some seconds."""
        per_thread = max(1, int(seconds / self.seconds_per_group))
        return per_thread, n_threads() * max(1, per_thread // -(-size // LANES))

    def add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int, sums: NDArray[np.float64]
    ) -> None:
        """Add the lane groups ``group0`` to ``group1 - 1`` of each block to its row of ``sums``.

        Parameters
        ----------
        blocks, sizes : sequence of int
            Numbers of the blocks, and networks in each.
        group0, group1 : int
            Groups of :data:`~numerics.kernels.LANES` networks; those beyond the end of a block are left out.
        sums : array (n_blocks, n_monomials)
            Changed in place.
        """
        self._add(blocks, sizes, group0, group1, self._arguments, sums)

    def _add(
        self, blocks: Sequence[int], sizes: Sequence[int], group0: int, group1: int,
        arguments: tuple[Any, ...], sums: NDArray[np.float64],
    ) -> None:  # fmt: skip
        numbers, counts = np.array(blocks, dtype=np.int64), np.array(sizes, dtype=np.int64)

        def some(first: int, stop: int) -> None:
            part = slice(first, stop)
            tiles = self._tiles.filled(sums[part])
            self._module.add_blocks(
                numbers[part], counts[part], group0, group1, *self._part(arguments, part, slice(None)),
                *self.space(), tiles, self._nothing,
            )  # fmt: skip
            self._tiles.empty(tiles, sums[part])

        share_out(some, len(numbers))

    def _part(self, arguments: tuple[Any, ...], blocks: slice, groups: slice) -> tuple[Any, ...]:
        """Return the arguments for some of the blocks and groups."""
        return arguments

    def space(self) -> tuple[Any, ...]:
        """Return the memory of a thread: buffers and the rows of monomials, the last one filled with ones."""
        shape = (self._tiles.n_rows, LANES)
        n_scratch = self._module.SCRATCH_ROWS + self._pairs_of
        buffers, (rows,) = group_buffers(self._plan, n_scratch, self._dtype, (shape, self._dtype))
        rows[-1] = 1
        return buffers, rows

    def outputs(self, block: int, start: int, count: int) -> NDArray[np.floating[Any]]:
        """Return the outputs of networks ``start`` to ``start + count - 1`` of a block, shape (count, n_fields)."""
        group0, group1 = start // LANES, -(-(start + count) // LANES)
        flat = self._outputs(block, group0, group1).transpose(0, 2, 1).reshape(-1, self._n_fields)
        begin = start - group0 * LANES
        return np.ascontiguousarray(flat[begin : begin + count])

    def _outputs(self, block: int, group0: int, group1: int) -> NDArray[np.floating[Any]]:
        """Return the outputs of lane groups, shape (group1 - group0, n_fields, LANES)."""
        return self._sampled(block, group0, group1, self._arguments)

    def _sampled(self, block: int, group0: int, group1: int, arguments: tuple[Any, ...]) -> NDArray[np.floating[Any]]:
        result = np.zeros((group1 - group0, self._n_fields, LANES), dtype=self._dtype)
        number = np.array([block])

        def some(first: int, stop: int) -> None:
            start, end = group0 + first, group0 + stop
            part = self._part(arguments, slice(None), slice(first, stop))
            self._write(number, np.array([end * LANES]), start, end, part, self.space(), result[first:stop])

        share_out(some, len(result))
        return result

    def add_outputs(
        self, blocks: NDArray[np.int64], sizes: NDArray[np.int64], group0: int, group1: int, space: tuple[Any, ...],
        outputs: NDArray[np.floating[Any]],
    ) -> None:  # fmt: skip
        """Add the outputs of groups of lanes to an array, on the calling thread.

        Parameters
        ----------
        blocks, sizes : arrays (n_blocks,)
            Numbers of the blocks, and networks in each.
        group0, group1 : int
            Groups; those beyond the end of a block are left out.
        space : tuple
            As :meth:`space` returns it.
        outputs : array (n_blocks * (group1 - group0), n_fields, LANES)
            Changed in place.
        """
        self._write(blocks, sizes, group0, group1, self._arguments, space, outputs)

    def _write(
        self, blocks: NDArray[np.int64], sizes: NDArray[np.int64], group0: int, group1: int,
        arguments: tuple[Any, ...], space: tuple[Any, ...], outputs: NDArray[np.floating[Any]],
    ) -> None:  # fmt: skip
        no_tiles = np.empty((len(blocks), 0, TILE))
        self._module.add_blocks(blocks, sizes, group0, group1, *arguments, *space, no_tiles, outputs)
