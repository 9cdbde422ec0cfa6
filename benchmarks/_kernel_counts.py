"""Vector instructions that the compiled ensemble kernel executes for each network, counted in its machine code.

The kernel is stepped through for one group of networks. It does the same for every round of neurons, whatever is summed
afterwards, so that two small widths give the count for any width.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from _ensemble_peers import model_of
from _instruction_counts import by_kind, executed

from numerics.kernels import LANES
from numerics.kernels.cpu import EnsembleKernel

WIDTHS = (4, 8)  # whole rounds of neurons, whatever the net
MOST_MONOMIALS = 5000  # beyond it counting takes minutes


def points_for(n_points: int, input_dim: int) -> np.ndarray:
    """Return the points of the benchmarks, shape (n_points, input_dim)."""
    return np.linspace(-1, 1, n_points * input_dim).reshape(n_points, input_dim)


def vector_instructions(
    net: str, input_dim: int, dtype: str, width: int, *, n_points: int = 6, max_points: int = 4
) -> dict[str, float]:
    """Return the arithmetic vector instructions for one network, of each of :data:`_instruction_counts.KINDS`."""
    case = (net, input_dim, dtype, n_points)
    if width <= WIDTHS[0]:
        return _counted(*case, max_points, width)
    few = _counted(*case, max_points, WIDTHS[0])
    low, high = (_counted(*case, 2, w) for w in WIDTHS)  # few sums
    rounds = (width - WIDTHS[0]) / (WIDTHS[1] - WIDTHS[0])
    return {kind: few[kind] + rounds * (high[kind] - low[kind]) for kind in few}


@cache
def _counted(net: str, input_dim: int, dtype: str, n_points: int, max_points: int, width: int) -> dict[str, float]:
    points = points_for(n_points, input_dim)
    kernel = EnsembleKernel(model_of(net, input_dim, width), points, max_points=max_points, seed=0, dtype=dtype)
    sums = np.zeros((1, kernel.n_monomials))
    counts = executed(kernel._module.add_blocks, lambda: kernel.add([0], [LANES], 0, 1, sums))
    return {kind: count / LANES for kind, count in by_kind(counts).items()}
