"""Numbered blocks of networks, how work on them is cut into pieces, and the sums of monomials over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from numerics.backends import array_module
from numerics.estimators import BlockSums, monomial_sums, n_monomials
from numerics.kernels import LANES, N_HEADS
from numerics.reweighting import joined_rows, weighted_row
from numerics.sources import Outputs, Source
from numerics.weighted_networks import WeightedNetworks

_SECONDS_PER_CALL = 0.1  # of compiled code, during which Ctrl-C has to wait
_NETS_PER_CALL = 8192  # of array code
_MAX_SUMS = 1 << 26  # float64 numbers kept: 512 MiB
_MEMORY_PER_SUM = 64  # bytes, with what estimates of the highest order need on the way (7.5 numbers were measured)


@dataclass(frozen=True)
class Block:
    """A numbered block of networks: the unit of work that may run anywhere."""

    index: int
    start: int
    n_nets: int


Told: TypeAlias = Callable[[int], Any]  # of a number of networks
BlockSummer: TypeAlias = Callable[[Iterable[Block], Told], Iterator[NDArray[np.float64]]]


def nobody(_: int) -> None:
    """Do nothing with a number of networks."""


def block_size(n_nets: int) -> int:
    """Return 64 blocks for few networks; beyond 8192, full lane groups, and about 1024 blocks in the long run."""
    if n_nets < 64 * LANES:
        return -(-n_nets // 64)
    return LANES * -(-n_nets // (1024 * LANES))


def make_blocks(n_nets: int, size: int) -> tuple[Block, ...]:
    """Return the blocks of ``size`` networks; the last may hold fewer."""
    starts = range(0, n_nets, size)
    return tuple(Block(i, start, min(size, n_nets - start)) for i, start in enumerate(starts))


def slices(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut a range of networks into (start, count) at fixed places, so that sums do not depend on who asks."""
    while start < stop:
        end = min(stop, (start // _NETS_PER_CALL + 1) * _NETS_PER_CALL)
        yield start, end - start
        start = end


@dataclass(frozen=True)
class Run:
    """How the blocks of a long run are worked through.

    Parameters
    ----------
    progress : bool
        Show a progress bar with rate and time left on standard error.
    checkpoint : str or Path, optional
        File that keeps what is finished, see :mod:`numerics.checkpoint`.
    seconds : float, optional
        Time between two checkpoints.
    client : distributed.Client, optional
        Run the blocks on its cluster.
    definition : mapping
        What the sums depend on besides the arguments of :func:`collected`; kept in the checkpoint.
    """

    progress: bool = False
    checkpoint: str | Path | None = None
    seconds: float | None = None
    client: Any = None
    definition: Mapping[str, Any] = field(default_factory=dict)


def collected(
    source: Source,
    wanted: Sequence[Block],
    blocks: Sequence[Block],
    points: NDArray[np.float64],
    max_points: int,
    size: int,
    run: Run,
) -> BlockSums:
    """Return the sums of monomials over blocks of networks, see :func:`collected_rows`."""
    counts, sums = collected_rows(source, wanted, blocks, points, max_points, size, run)
    n_fields = source.n_outputs * len(points)
    return BlockSums(n_fields, max_points, counts, sums, np.zeros(n_fields))


def collected_rows(
    source: Source,
    wanted: Sequence[Block],
    blocks: Sequence[Block],
    points: NDArray[np.float64],
    max_points: int,
    size: int,
    run: Run,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the networks in each row of sums, and the rows.

    Parameters
    ----------
    source : Source
    wanted : sequence of Block
        One row for each, unless the sums of all ``blocks`` would not fit: then consecutive ones share a row.
    blocks : sequence of Block
        All blocks of the ensemble.
    points : array (n_points, input_dim)
    max_points : int
        Highest degree.
    size : int
        Networks in a full block.
    run : Run
        Where, and what is kept on the way.

    Raises
    ------
    MemoryError
        If the sums and what is made of them would not fit; nothing was done by then.
    FloatingPointError
        If a sum overflows.
    CheckpointError
        If the checkpoint is damaged or belongs to another run.
    """
    n_columns = row_length(source, len(points), max_points)
    share = -(-len(blocks) * n_columns // _MAX_SUMS)
    rows = [tuple(wanted[i : i + share]) for i in range(0, len(wanted), share)]
    _require_memory(
        len(rows) * n_columns, f"{n_columns} products of up to {max_points} outputs at {len(points)} points"
    )
    counts = np.array([sum(b.n_nets for b in row) for row in rows])
    kept = _Rows((len(rows), n_columns), run, points, max_points, size)
    todo = [(i, row) for i, row in enumerate(rows) if not kept.done[i]]
    bar = tqdm(
        total=int(counts.sum()), initial=int(counts[kept.done].sum()),
        disable=not run.progress, unit="net", unit_scale=True,
    )  # fmt: skip
    with bar, kept:
        if run.client is not None:
            from numerics.distributed import require_client, rows_on_cluster

            for number, n_nets, row_sum in rows_on_cluster(
                require_client(run.client), source, todo, points, max_points, size
            ):
                kept.add(number, row_sum[None])
                bar.update(n_nets)
        else:
            _run_here(source, todo, points, max_points, size, kept, bar)
    if not np.isfinite(kept.sums).all():
        weights = "weights or " if isinstance(source, WeightedNetworks) else ""
        raise FloatingPointError(f"{weights}sums are not finite in {source.dtype}: points or parameters are too large")
    return counts, kept.sums


def row_length(source: Source, n_points: int, max_points: int) -> int:
    """Return the number of sums in a row."""
    heads = N_HEADS if isinstance(source, WeightedNetworks) else 0
    return heads + n_monomials(source.n_outputs * n_points, max_points)


def _require_memory(n_sums: int, what: str) -> None:
    """Raise if sums, and estimates made of them, need more memory than there is."""
    needed, there = _MEMORY_PER_SUM * n_sums, _physical_memory()
    if there is not None and needed > there:
        raise MemoryError(
            f"sums of {what} and their estimates need about {needed / 1e9:.3g} GB, this machine has {there / 1e9:.3g} "
            "GB: use fewer points or a lower max_points"
        )


def _physical_memory() -> int | None:
    """Return the bytes of this machine's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


class _Rows:
    """The rows of sums, in memory or with a checkpoint; as a context it leaves a last one behind."""

    def __init__(
        self, shape: tuple[int, int], run: Run, points: NDArray[np.float64], max_points: int, size: int
    ) -> None:
        self._file = None
        if run.checkpoint is None:
            self.sums, self.done = np.zeros(shape), np.zeros(shape[0], np.bool_)
        else:
            from numerics.checkpoint import SECONDS, Checkpoint

            definition = {
                **run.definition, "points": [[float(c).hex() for c in x] for x in points],
                "max_points": int(max_points), "block_size": size,
            }  # fmt: skip
            seconds = SECONDS if run.seconds is None else run.seconds
            self._file = Checkpoint(run.checkpoint, definition, shape, seconds=seconds)
            self.sums, self.done = self._file.rows, self._file.done
        self._complete = bool(self.done.all())

    def add(self, first: int, rows: NDArray[np.float64]) -> None:
        """Take finished rows."""
        if self._file is not None:
            self._file.add(first, rows)
            return
        self.sums[first : first + len(rows)] = rows
        self.done[first : first + len(rows)] = True

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._file is None or self._complete:
            return
        self._file.write()
        if error is not None:
            error.add_note(f"what was finished is kept: the same call with checkpoint={str(self._file.path)!r} goes on")


def _run_here(
    source: Source, todo: Sequence[tuple[int, tuple[Block, ...]]], points: NDArray[np.float64], max_points: int,
    size: int, kept: _Rows, bar: Any,
) -> None:  # fmt: skip
    """Make rows one after the other; blocks of several rows go to the threads together."""
    if not todo:
        return
    parts = block_summer(source, points, max_points, size)((b for _, row in todo for b in row), bar.update)
    for (number, _), total in zip(todo, row_totals(source, parts, [len(row) for _, row in todo]), strict=True):
        kept.add(number, total[None])


def row_totals(
    source: Source, parts: Iterable[NDArray[np.float64]], lengths: Sequence[int]
) -> Iterator[NDArray[np.float64]]:
    """Iterate over the sums of rows of so many blocks each, added in their order, shape (n_columns,).

    Parameters
    ----------
    source : Source
    parts : iterable of array (n, n_columns)
        Sums of consecutive blocks; it may end at the end of any row.
    lengths : sequence of int
    """
    add = joined_rows if isinstance(source, WeightedNetworks) else np.add
    blocks = (block for part in parts for block in part)
    for length in lengths:
        if (first := next(blocks, None)) is None:
            return
        total = first.copy()
        for block in islice(blocks, length - 1):
            total = add(total, block)
        yield total


def block_summer(source: Source, points: NDArray[np.float64], max_points: int, size: int) -> BlockSummer:
    """Return a function of (blocks, told) that iterates over the sums of consecutive blocks, a few at a time.

    Each item has shape (n, n_columns), see :func:`row_length`. Blocks are asked for when they are needed; ``told`` is
    called with the number of networks whenever some are done. What can be made beforehand is made once, here.

    Parameters
    ----------
    source : Source
    points : array (n_points, input_dim)
    max_points : int
        Highest degree.
    size : int
        Networks in a full block.
    """
    n_columns = row_length(source, len(points), max_points)
    if source.is_compiled:
        return partial(summed_compiled, source.kernel(points, max_points), n_columns, size)
    if isinstance(source, WeightedNetworks):
        return partial(_weighted_by_arrays, source.weighted_outputs(points), n_columns, max_points)
    return partial(_summed_by_arrays, _adder(source, len(points), max_points), source.outputs(points), n_columns)


def _adder(source: Source, n_points: int, max_points: int) -> Callable[[Any, NDArray[np.float64]], None]:
    """Return a function of (outputs, sums) that adds the monomials of networks to sums."""
    if source.backend == "numba":
        from numerics.kernels.given import GivenSums

        return GivenSums(source.n_outputs * n_points, max_points, source.dtype).add_rows
    xp = array_module(source.backend)

    def add(outputs: Any, sums: NDArray[np.float64]) -> None:
        sums += monomial_sums(xp, outputs, max_points)

    return add


def _summed_by_arrays(
    add: Callable[[Any, NDArray[np.float64]], None], outputs: Outputs, n_columns: int,
    blocks: Iterable[Block], told: Told,
) -> Iterator[NDArray[np.float64]]:  # fmt: skip
    for block in blocks:
        total = np.zeros(n_columns)
        for start, count in slices(0, block.n_nets):
            add(outputs(block.index, start, count), total)
            told(count)
        yield total[None]


def _weighted_by_arrays(
    weighted_outputs: Any, n_columns: int, max_points: int, blocks: Iterable[Block], told: Told
) -> Iterator[NDArray[np.float64]]:
    for block in blocks:

        def parts(index: int, n_nets: int) -> Iterator[Any]:
            for start, count in slices(0, n_nets):
                yield weighted_outputs(index, start, count)
                told(count)

        yield weighted_row(parts(block.index, block.n_nets), n_columns - N_HEADS, max_points)[None]


def summed_compiled(
    kernel: Any, n_columns: int, size: int, blocks: Iterable[Block], told: Told
) -> Iterator[NDArray[np.float64]]:
    """Iterate over the sums of consecutive blocks of ``size`` networks, as :func:`block_summer` says."""
    n_portion, at_once = kernel.portions(_SECONDS_PER_CALL, size)
    n_groups = -(-size // LANES)
    remaining = iter(blocks)
    while part := list(islice(remaining, at_once)):
        sums = np.zeros((len(part), n_columns))
        for group in range(0, n_groups, n_portion):
            stop = min(group + n_portion, n_groups)
            kernel.add([b.index for b in part], [b.n_nets for b in part], group, stop, sums)
            told(sum(max(0, min(b.n_nets, stop * LANES) - group * LANES) for b in part))
        yield sums
