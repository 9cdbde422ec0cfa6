r"""Quadrature nodes for integrals of powers of a field over a region, laid out as straight lines of equidistant nodes.

A field whose momenta stay below k has powers whose momenta stay below K = n k. In a box every axis is cut into panels
with 16 Gauss-Legendre nodes each: the j-th nodes of all panels are equidistant, so a cosine runs along them by the
recurrence :math:`c_{s+1} = 2 \cos(k h)\, c_s - c_{s-1}`. A Gaussian weight is summed by the trapezoidal rule, whose
error is exponentially small once :math:`2\pi/h - K` is a few inverse widths. Other features have kinks or no largest
momentum; there the number of nodes is doubled until the integrals stop changing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from diagrams.regions import Box, GaussianWeight, Region, Sites

Floats = NDArray[np.float64]

MAX_NODES = 1 << 17
_PANEL_NODES = 16
_PANEL_PHASE = 32.0  # of the highest wave across a panel: 16 nodes integrate it to 5e-7 of its amplitude
_EXTRA_NODES = 10  # beyond the KL/4 that resolve the highest wave on an axis with one panel
_ALIAS = 6.0  # widths of the Fourier transform of the weight between K and the first alias: exp(-18)
_REACH = 7.5  # widths of the Gaussian weight that are summed over: exp(-28)
_PLAIN_PHASE = 64.0  # highest phase across a region that is assumed where there is no largest momentum


@dataclass(frozen=True, eq=False)
class Grid:
    """Nodes ``starts[i] + (s * step, 0, ...)`` for s = 0 ... n_steps - 1, with their weights.

    Parameters
    ----------
    starts : array (n_lines, dim)
    step : float
    weights : array (n_lines, n_steps)
    """

    starts: Floats
    step: float
    weights: Floats

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.weights.size

    @cached_property
    def nodes(self) -> Floats:
        """All nodes line by line, shape (n_nodes, dim)."""
        nodes = np.repeat(self.starts[:, None], self.weights.shape[1], axis=1)
        nodes[:, :, 0] += self.step * np.arange(self.weights.shape[1])
        return nodes.reshape(-1, self.starts.shape[1])


def region_grid(region: Region, dim: int, *, wavenumber: float | None, refinement: float = 1.0) -> Grid:
    """Return quadrature nodes for a region.

    Parameters
    ----------
    region : Region
        With numbers.
    dim : int
        Number of coordinates.
    wavenumber : float or None
        Highest wavenumber of the integrand along an axis; None if there is none.
    refinement : float
        Factor on the number of nodes along each axis.

    Raises
    ------
    ValueError
        If there would be more than :data:`MAX_NODES` nodes.

    Examples
    --------
    >>> grid = region_grid(Box(2), 1, wavenumber=10.0)
    >>> grid.n_nodes, bool(abs((grid.weights.ravel() * grid.nodes[:, 0] ** 2).sum() - 2 / 3) < 1e-14)
    (16, True)
    """
    if isinstance(region, Sites):
        places = np.array([[float(c) for c in p] for p in region.points])
        return Grid(places, 0.0, np.array([[float(w)] for w in region.weights]))
    if isinstance(region, Box):
        first, others = _box_axes(float(region.length), wavenumber, refinement)
    elif isinstance(region, GaussianWeight):
        first = _trapezoid(float(region.length), wavenumber, refinement)
        others = first[0] + first[1] * np.arange(first[2].shape[1]), first[2].ravel()
    else:
        raise TypeError(f"there is no quadrature for {region!r}")
    starts, step, weights = first
    n_nodes = weights.size * len(others[0]) ** (dim - 1)
    if n_nodes > MAX_NODES:
        raise ValueError(
            f"{n_nodes} quadrature nodes in {dim} dimensions, more than {MAX_NODES}: use a smaller {region} or cutoff"
        )
    axes = [starts] + [others[0]] * (dim - 1)
    factors = [np.ones(len(starts))] + [others[1]] * (dim - 1)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
    product = np.prod(np.stack(np.meshgrid(*factors, indexing="ij"), axis=-1), axis=-1).ravel()
    line = np.repeat(np.arange(len(starts)), len(places) // len(starts))
    return Grid(places, step, product[:, None] * weights[line])


def _box_axes(
    length: float, wavenumber: float | None, refinement: float
) -> tuple[tuple[Floats, float, Floats], tuple[Floats, Floats]]:
    """Return panels along the first axis (starts, step, weights), and nodes and weights of the other axes."""
    phase = (_PLAIN_PHASE if wavenumber is None else wavenumber * length) * refinement
    n_panels = max(1, ceil(phase / _PANEL_PHASE))
    panel = length / n_panels
    t, w = np.polynomial.legendre.leggauss(_PANEL_NODES)
    first = (-length / 2 + panel * (1 + t) / 2, panel, np.repeat(w[:, None] * panel / 2, n_panels, axis=1))
    t, w = np.polynomial.legendre.leggauss(ceil(phase / 4 + _EXTRA_NODES * refinement))
    return first, (length / 2 * t, length / 2 * w)


def _trapezoid(width: float, wavenumber: float | None, refinement: float) -> tuple[Floats, float, Floats]:
    highest = _PLAIN_PHASE / (2 * width) if wavenumber is None else wavenumber
    n = ceil(_REACH * width * (highest + _ALIAS / width) / (2 * pi) * refinement)
    step = _REACH * width / n
    x: Floats = step * np.arange(-n, n + 1, dtype=np.float64)
    weights: Floats = step * np.exp(-(x**2) / (2 * width**2))
    return x[:1], step, weights[None]
