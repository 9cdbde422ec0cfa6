"""Plots with matplotlib; functions take the axes to draw on and return them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numerics.compare import Comparison


def plot_comparison(comparison: Comparison, *, n: int = 4, axes: Sequence[Any] | None = None) -> tuple[Any, Any]:
    """Plot the n-point function: theory as a line, measured points with error bars, pulls below.

    Components are sorted by their predicted value.

    Parameters
    ----------
    comparison : Comparison
    n : int
        Which n-point function.
    axes : pair of matplotlib Axes, optional
        For values and pulls; default a new figure.

    Returns
    -------
    pair of matplotlib Axes

    Raises
    ------
    ValueError
        If that order was not compared.
    """
    if n not in comparison.orders:
        raise ValueError(f"the {n}-point function was not compared; available: {comparison.orders}")
    top, bottom = _new_axes() if axes is None else axes
    order = np.argsort(comparison.predicted[n], kind="stable")
    place = np.arange(len(order))
    top.plot(place, comparison.predicted[n][order], color="tab:red", lw=1.5, label="theory", zorder=3)
    top.errorbar(
        place,
        comparison.measured.values(n)[order],
        comparison.measured.errors(n)[order],
        fmt=".",
        ms=3,
        lw=0.8,
        color="black",
        label=f"{comparison.measured.n_nets:,} networks",
    )
    top.axhline(0, color="grey", lw=0.5)
    top.set_ylabel(rf"$G_c^{{({n})}}$")
    top.legend(frameon=False, fontsize=8)
    bottom.axhspan(-2, 2, color="0.93")
    bottom.axhline(0, color="grey", lw=0.5)
    bottom.plot(place, comparison.pulls_of(n)[order], ".", ms=3, color="black")
    reach = max(4.0, 1.1 * float(np.abs(comparison.pulls_of(n)).max()))
    bottom.set_ylim(-reach, reach)
    bottom.set_ylabel("pull")
    bottom.set_xlabel(f"component ({len(order)} index tuples, sorted by prediction)", fontsize=8)
    return top, bottom


def save_comparisons(comparisons: Sequence[Comparison], path: str | Path, *, titles: Sequence[str], n: int = 4) -> Path:
    """Save one picture with a column for each comparison. Returns the path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    figure = Figure(figsize=(4.2 * len(comparisons), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(comparisons), sharex="col", height_ratios=(3, 1), squeeze=False)
    for column, (comparison, title) in enumerate(zip(comparisons, titles, strict=True)):
        plot_comparison(comparison, n=n, axes=(grid[0, column], grid[1, column]))
        grid[0, column].set_title(title)
    figure.savefig(path, dpi=130)
    return path


def _new_axes() -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(2, 1, sharex=True, height_ratios=(3, 1), layout="constrained")
    return axes[0], axes[1]
