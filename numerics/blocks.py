"""Numbered blocks of networks, how work on them is cut into pieces, and the sums of monomials over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends import array_module
from numerics.estimators import monomial_sums, n_monomials
from numerics.kernels import LANES
from numerics.sources import Networks, Source

_SECONDS_PER_CALL = 0.1  # of compiled code, during which Ctrl-C has to wait
_NETS_PER_CALL = 8192  # of array code


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
