"""Filters on the shape of finished diagrams of several fields: two-particle irreducible, planar, no cut vertex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._filters import PLANAR, TWO_PARTICLE_IRREDUCIBLE, VERTEX_TWO_CONNECTED, passes

if TYPE_CHECKING:
    from diagrams._field_blocks import FieldBlock

SHAPES = {
    "two_particle_irreducible": TWO_PARTICLE_IRREDUCIBLE,
    "vertex_two_connected": VERTEX_TWO_CONNECTED,
    "planar": PLANAR,
}


def with_shape(block: FieldBlock, flags: int) -> FieldBlock:
    """Return the block with the connected diagrams that pass the filters of :mod:`diagrams._filters` in ``flags``."""
    if not block.vertices:  # a bare propagator
        return block if flags == PLANAR else block.take(np.zeros(0, np.intp))
    return block.take(np.flatnonzero(_have_shape(block.mates, block.n_legs, block.nodes, flags)))


@compiled
def _have_shape(
    mates: NDArray[np.uint8], n_legs: int, nodes: NDArray[np.int64], flags: int
) -> NDArray[np.bool_]:  # pragma: no cover (compiled)
    n_graphs, n_ends = mates.shape
    n = nodes[n_ends - 1] + 1 - n_legs
    kept = np.zeros(n_graphs, np.bool_)
    A = np.zeros((n, n), np.int64)
    counts, loops = np.zeros(n, np.int64), np.zeros(n, np.int64)
    scratch = np.zeros(16 * (n + 2) ** 2, np.int64)
    for k in range(n_graphs):
        A[:] = 0
        counts[:] = 0
        loops[:] = 0
        for h in range(n_legs, n_ends):
            v, mate = nodes[h] - n_legs, np.int64(mates[k, h])
            if mate < n_legs:
                counts[v] += 1
            elif nodes[mate] - n_legs == v:
                loops[v] += h < mate
            else:
                A[v, nodes[mate] - n_legs] += 1
        kept[k] = passes(A, n, counts, loops, flags, scratch)
    return kept
