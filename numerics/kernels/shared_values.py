"""Shared values of networks that draw them anew, from block to block and call to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Shared: TypeAlias = dict[str, NDArray[np.float64]]


class SharedValues:
    """The shared values of networks, drawn once for blocks that take several calls one after the other.

    Parameters
    ----------
    drawn : callable
        ``drawn(block, start, count)`` returns the shared values of networks of a block, arrays (count,); the first ones
        do not depend on the count.
    """

    def __init__(self, drawn: Callable[[int, int, int], Shared]) -> None:
        self.drawn = drawn
        self._values: dict[int, Shared] = {}

    def joined(self, blocks: Sequence[int], start: int, stop: int, size: int) -> Shared:
        """Return the values of networks ``start`` to ``stop - 1`` of every block, one block after the other.

        Parameters
        ----------
        blocks : sequence of int
        start, stop : int
        size : int
            Networks of a block that are drawn together, ``stop`` at least.
        """
        # values of blocks that take several calls are kept; those of other blocks are forgotten before any are drawn
        kept, self._values = self._values, {}
        values = {b: found for b in blocks if (found := kept.get(b)) and _length(found) >= stop}
        del kept
        values |= {b: self.drawn(b, 0, size) for b in blocks if b not in values}
        self._values = values
        return {
            name: np.concatenate([values[b][name][start:stop] for b in blocks]) for name in values[blocks[0]]
        }  # fmt: skip


def _length(shared: Shared) -> int:
    return len(next(iter(shared.values())))
