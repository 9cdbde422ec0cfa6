"""Plots of accuracy against symmetry breaking; functions take the axes to draw on and return them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from numerics.fashion_grid import AccuracyGrid


def plot_heat_map(grid: AccuracyGrid, *, ax: Any = None) -> Any:
    """Draw the mean one-hot accuracy over (mu, k) and return the axes."""
    ax = _axes() if ax is None else ax
    s, percent = grid.settings, 100 * grid.heat.mean(axis=2)
    image = ax.imshow(percent.T, origin="lower", aspect="auto", cmap="viridis")
    ax.set_xticks(range(len(s.means)), [f"{mu:g}" for mu in s.means], rotation=90 if len(s.means) > 8 else 0)
    ax.set_yticks(range(len(s.shifted)), [str(k) for k in s.shifted])
    ax.set(xlabel=r"mean $\mu$ of the last layer", ylabel="shifted outputs $k$", title="one-hot")
    ax.figure.colorbar(image, ax=ax, label="test accuracy in %")
    return ax


def plot_scan(grid: AccuracyGrid, *, ax: Any = None) -> Any:
    """Draw accuracy against mu with all outputs shifted, both encodings with standard errors; returns the axes."""
    ax = _axes() if ax is None else ax
    for (name, scan), color in zip(grid.scans.items(), ("C0", "C3"), strict=True):
        errors = 100 * scan.std(axis=1, ddof=1) / np.sqrt(scan.shape[1])
        means = 100 * scan.mean(axis=1)
        ax.errorbar(grid.settings.scan_means, means, errors, fmt="o-", ms=4, capsize=3, color=color,
                    label=name.replace("_", "-"))  # fmt: skip
    ax.set(xlabel=r"mean $\mu$ of the last layer", ylabel="test accuracy in %", title="all outputs shifted")
    ax.legend(frameon=False)
    return ax


def save_plots(grid: AccuracyGrid, path: Path) -> Path:
    """Write heat map and scan side by side; returns the path."""
    figure = _figure((9.5, 4.0))
    left, right = figure.subplots(1, 2)
    plot_heat_map(grid, ax=left)
    plot_scan(grid, ax=right)
    figure.savefig(path, dpi=130)
    return path


def _figure(size: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _axes() -> Any:
    return _figure((5.2, 4.0)).subplots()
