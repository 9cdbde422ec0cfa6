"""Numbered blocks of networks, how work on them is cut into pieces, and the sums of monomials over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from numerics.backends import array_module
from numerics.estimators import BlockSums, monomial_sums, n_monomials
from numerics.kernels import LANES
from numerics.sources import Networks, Source

_SECONDS_PER_CALL = 0.1  # of compiled code, during which Ctrl-C has to wait
_NETS_PER_CALL = 8192  # of array code
_MAX_SUMS = 1 << 26  # float64 numbers kept: 512 MiB


@dataclass(frozen=True)
class Block:
    """A numbered block of networks: the unit of work that may run anywhere."""

    index: int
    start: int
    n_nets: int


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


def collected(
    source: Source,
    wanted: Sequence[Block],
    blocks: Sequence[Block],
    points: NDArray[np.float64],
    max_points: int,
    size: int,
    progress: bool,
) -> BlockSums:
    """Return the sums of monomials over blocks of networks.

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
    progress : bool
        Show a progress bar on standard error.

    Raises
    ------
    FloatingPointError
        If a sum overflows.
    """
    n_fields = source.n_outputs * len(points)
    n_columns = n_monomials(n_fields, max_points)
    share = -(-len(blocks) * n_columns // _MAX_SUMS)
    sums = np.zeros((-(-len(wanted) // share), n_columns))
    with tqdm(total=sum(b.n_nets for b in wanted), disable=not progress, unit="net", unit_scale=True) as bar:
        done = 0
        for part in summed(source, wanted, points, max_points, size, bar):
            for row in part:
                sums[done // share] += row
                done += 1
    if not np.isfinite(sums).all():
        raise FloatingPointError(f"sums are not finite in {source.dtype}: points or parameters are too large")
    counts = np.add.reduceat([b.n_nets for b in wanted], np.arange(0, len(wanted), share))
    return BlockSums(n_fields, max_points, counts, sums, np.zeros(n_fields))


def summed(
    source: Source, blocks: Sequence[Block], points: NDArray[np.float64], max_points: int, size: int, bar: Any
) -> Iterator[NDArray[np.float64]]:
    """Iterate over the sums of consecutive blocks, a few blocks at a time, shape (n, n_monomials).

    Parameters
    ----------
    source : Source
    blocks : sequence of Block
    points : array (n_points, input_dim)
    max_points : int
        Highest degree.
    size : int
        Networks in a full block.
    bar : tqdm
        Told of every network.
    """
    if isinstance(source, Networks) and source.backend == "numba":
        yield from _summed_compiled(source, blocks, points, max_points, size, bar)
        return
    xp, outputs = array_module(source.backend), source.outputs(points)
    for block in blocks:
        total = np.zeros(n_monomials(source.n_outputs * len(points), max_points))
        for start, count in slices(0, block.n_nets):
            total += monomial_sums(xp, outputs(block.index, start, count), max_points)
            bar.update(count)
        yield total[None]


def _summed_compiled(
    source: Networks, blocks: Sequence[Block], points: NDArray[np.float64], max_points: int, size: int, bar: Any
) -> Iterator[NDArray[np.float64]]:
    from numerics.kernels.cpu import EnsembleKernel, n_threads

    kernel = EnsembleKernel(source.model, points, max_points=max_points, seed=source.seed, dtype=source.dtype)
    n_groups = -(-size // LANES)
    per_thread = max(1, int(_SECONDS_PER_CALL / kernel.seconds_per_group))
    at_once = n_threads() * max(1, per_thread // n_groups)
    for i in range(0, len(blocks), at_once):
        part = blocks[i : i + at_once]
        sums = np.zeros((len(part), kernel.n_monomials))
        for group in range(0, n_groups, per_thread):
            stop = min(group + per_thread, n_groups)
            kernel.add([b.index for b in part], [b.n_nets for b in part], group, stop, sums)
            bar.update(sum(max(0, min(b.n_nets, stop * LANES) - group * LANES) for b in part))
        yield sums
