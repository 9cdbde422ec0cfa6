"""Plots with matplotlib; functions take the axes to draw on and return them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from numerics._edgeworth_density import Edgeworth
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


def plot_density(
    density: Edgeworth, samples: ArrayLike, *, index: int = 0, bins: int = 60, ax: Any | None = None
) -> Any:
    """Plot the density of the field at one point: samples with errors, the Edgeworth density order by order, pulls.

    The pulls in the lower panel are of the counts against the integrals of each order over the bins; order 0 is the
    Gaussian.

    Parameters
    ----------
    density : Edgeworth
        From :func:`numerics.edgeworth.edgeworth_density`.
    samples : array (n_samples, n_points)
        Independent fields at the points of the density, for example ``Ensemble(net, n_nets=...).sample(points)``.
    index : int
        The point.
    bins : int
        Number of bins, at least 2, over the central part of the samples; those outside it are counted in the norm.
    ax : matplotlib Axes, optional
        Default a new figure. The panel of pulls is its first child axes.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the samples are not finite fields at the points of the density, there is no such point, or too few bins.
    """
    fields = np.asarray(samples, dtype=np.float64)
    if fields.ndim != 2 or fields.shape[1] != density.n_points or len(fields) < 2 or not np.isfinite(fields).all():
        raise ValueError(
            f"samples must be finite, of shape (n_samples, {density.n_points}) with two samples or more, got an array "
            f"of shape {fields.shape}"
        )
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 2:
        raise ValueError(f"bins must be an integer >= 2, got {bins!r}")
    one = density.marginal(index)
    edges = np.linspace(*_central_range(fields[:, index]), bins + 1)
    counts, _ = np.histogram(fields[:, index], edges)
    top = axes_or_new(ax)
    bottom = top.inset_axes((0, -0.42, 1, 0.36), sharex=top)
    _draw_histogram(top, edges, counts, len(fields))
    _draw_orders(top, bottom, one, edges, counts, len(fields))
    _finish_density_axes(top, bottom, f"$\\phi(x_{{{index}}})$, $x_{{{index}}}$ = {_shown_point(one.points[0])}")
    # the lower panel is placed relative to the upper one, which a constrained layout moves: it needs two passes
    top.figure.canvas.figure.draw_without_rendering()
    return top


def _central_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return limits with about ten samples beyond each: further bins hold too few for an error of sqrt(count)."""
    share = min(10 / len(values), 0.25)
    low, high = np.quantile(values, (share, 1 - share))
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def _draw_histogram(top: Any, edges: NDArray[np.float64], counts: NDArray[np.int64], n: int) -> None:
    scale = n * np.diff(edges)
    centres = (edges[1:] + edges[:-1]) / 2
    seen = counts > 0
    errors = np.sqrt(counts) / scale
    top.errorbar(
        centres[seen],
        (counts / scale)[seen],
        errors[seen],
        fmt=".",
        ms=3,
        lw=0.8,
        color="black",
        label=f"{n:,} samples",
        zorder=4,
    )


def _draw_orders(
    top: Any, bottom: Any, one: Edgeworth, edges: NDArray[np.float64], counts: NDArray[np.int64], n: int
) -> None:
    fine = np.linspace(edges[0], edges[-1], 400)
    centres = (edges[1:] + edges[:-1]) / 2
    styles = ("--", "-", "-.", (0, (4, 1, 1, 1, 1, 1)), ":")
    for order in range(one.order + 1):
        truncated = one.truncated(order)
        look = {"color": f"C{order}", "ls": styles[order % len(styles)], "lw": 1.3}
        label = "Gaussian" if order == 0 else rf"through $N^{{-{order}}}$"
        top.plot(fine, truncated.density(fine[:, None]), label=label, **look)
        expected = n * np.diff(truncated.cumulative(edges[:, None]))
        error = np.sqrt(np.where(expected > 0, expected, np.nan))  # a negative density has none: a gap in the line
        bottom.plot(centres, (counts - expected) / error, **look)


def _finish_density_axes(top: Any, bottom: Any, label: str) -> None:
    top.set_yscale("log")
    low, high = top.get_ylim()
    top.set_ylim(max(low, high * 1e-7), high)
    top.set_ylabel("density")
    top.tick_params(labelbottom=False)
    top.legend(frameon=False, fontsize=8)
    bottom.axhspan(-2, 2, color="0.93", zorder=0)
    bottom.axhline(0, color="grey", lw=0.5)
    bottom.set_yscale("symlog", linthresh=4)
    reach = max(5.0, 1.2 * max(float(np.nanmax(np.abs(line.get_ydata()))) for line in bottom.lines))
    bottom.set_ylim(-reach, reach)
    ticks = [t for t in (-1000, -100, -10, -2, 2, 10, 100, 1000) if abs(t) < reach]
    bottom.set_yticks(ticks, labels=[str(t) for t in ticks])
    bottom.set_ylabel("pull")
    bottom.set_xlabel(label)


def _shown_point(point: NDArray[np.float64]) -> str:
    return f"{point[0]:g}" if len(point) == 1 else "(" + ", ".join(f"{c:g}" for c in point) + ")"


def axes_or_new(ax: Any | None = None) -> Any:
    """Return the axes given, or those of a new figure."""
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax
