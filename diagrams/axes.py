"""Diagrams on matplotlib axes, drawn from the same geometry as SVG and TikZ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagrams._strokes import Drawing, Stroke, Vertex, drawing
from diagrams.draw import DASHES, INK, SHADE, arrow_head, caption
from diagrams.graph import FeynmanGraph

if TYPE_CHECKING:
    from diagrams.collection import Diagrams

_UNIT = 0.62  # inches for a plain internal line
_CELL = 1.9  # inches for a cell of a gallery
_LEAST_REACH = 1.4  # units from the middle of a cell to its edge: small diagrams are not blown up


def plot_diagram(graph: FeynmanGraph, ax: Any | None = None) -> Any:
    """Draw a diagram on matplotlib axes, with its weight underneath.

    Parameters
    ----------
    graph : FeynmanGraph
        The diagram.
    ax : matplotlib Axes, optional
        Where to draw; default: axes of a new figure, as large as the diagram needs. Its frame is taken away and both
        directions get the same scale.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> ax = plot_diagram(FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))))
    >>> len(ax.patches), ax.get_xlabel()
    (4, '1/2')
    """
    picture = drawing(graph)
    left, bottom, right, top = picture.box()
    if ax is None:
        import matplotlib.pyplot as plt

        size = (_UNIT * (right - left) + 0.4, _UNIT * (top - bottom) + 0.7)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    _draw(picture, ax)
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(bottom - 0.1, top + 0.1), aspect="equal", xticks=(), yticks=())
    ax.set_xlabel(caption(graph))
    ax.spines[:].set_visible(False)
    return ax


def plot_gallery(diagrams: Diagrams, *, columns: int = 6, limit: int = 48) -> Any:
    """Draw diagrams on a grid of axes, as many as ``limit`` allows.

    Parameters
    ----------
    diagrams : Diagrams
        What to draw.
    columns : int
        Diagrams in a row.
    limit : int
        Number of diagrams that are drawn; the title says so where there are more.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If there is nothing to draw, or ``columns`` or ``limit`` is not positive.
    """
    if columns < 1 or limit < 1:
        raise ValueError(f"columns and limit must be >= 1, got {columns} and {limit}")
    if not len(diagrams):
        raise ValueError("there are no diagrams to draw")
    import matplotlib.pyplot as plt

    shown = diagrams[:limit]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(_CELL * columns, _CELL * rows), squeeze=False, layout="constrained"
    )
    for ax in grid.flat:
        ax.set_axis_off()
    for graph, ax in zip(shown, grid.flat, strict=False):
        ax.set_axis_on()
        plot_diagram(graph, ax)
        left, bottom, right, top = drawing(graph).box()
        reach = max((right - left) / 2 + 0.1, (top - bottom) / 2 + 0.1, _LEAST_REACH)
        x, y = (left + right) / 2, (bottom + top) / 2
        ax.set(xlim=(x - reach, x + reach), ylim=(y - reach, y + reach))
    if len(shown) < len(diagrams):
        figure.suptitle(f"showing {len(shown)} of {len(diagrams)}", fontsize="small")
    return figure


def _draw(picture: Drawing, ax: Any) -> None:
    """Add strokes, arrows, vertices and labels to axes, in the order in which SVG and TikZ have them."""
    from matplotlib.patches import Polygon

    for stroke in picture.strokes:
        ax.add_patch(_stroke(stroke))
    for stroke in picture.strokes:
        if stroke.arrow:
            corners = [_xy(z) for z in arrow_head(*stroke.arrow)]
            ax.add_patch(Polygon(corners, closed=True, facecolor=INK, edgecolor="none", zorder=2))
    for vertex in picture.vertices:
        _vertex(vertex, ax)
    for place, number in picture.labels:
        ax.text(*_xy(place), f"$x_{{{number}}}$", ha="center", va="center", color=INK)


def _stroke(stroke: Stroke) -> Any:
    from matplotlib.patches import Circle, PathPatch
    from matplotlib.path import Path

    dashes = DASHES.get(stroke.style)
    style: Any = "solid" if dashes is None else (0, dashes)
    look = {
        "facecolor": "none",
        "edgecolor": INK,
        "linewidth": 1.2,
        "linestyle": style,
        "capstyle": "round",
        "zorder": 1,
    }
    if stroke.radius:
        return Circle(_xy(stroke.points[0]), stroke.radius, **look)
    step = Path.LINETO if len(stroke.points) == 2 else Path.CURVE4
    codes = [Path.MOVETO, *[step] * (len(stroke.points) - 1)]
    return PathPatch(Path([_xy(z) for z in stroke.points], codes), **look)


def _vertex(vertex: Vertex, ax: Any) -> None:
    from matplotlib.patches import Circle

    fill = SHADE if vertex.text else INK
    ax.add_patch(Circle(_xy(vertex.place), vertex.radius, facecolor=fill, edgecolor=INK, linewidth=1.0, zorder=3))
    if vertex.text.strip():
        ax.text(*_xy(vertex.place), vertex.text, ha="center", va="center", color=INK, fontsize="small", zorder=4)


def _xy(z: complex) -> tuple[float, float]:
    return z.real, z.imag
