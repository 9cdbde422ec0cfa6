"""Pictures of diagrams: SVG for notebooks and files, plain TikZ for papers, galleries of both.

SVG, TikZ and matplotlib (:mod:`diagrams.axes`) are made from one and the same :class:`diagrams._strokes.Drawing`, so
they agree. The fraction under a
diagram is 1 over the symmetry factor with labelled legs; for exchangeable legs ``× m`` says how many labelled diagrams
the picture stands for, so that their product is the weight in the labelled correlator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from math import factorial
from xml.sax.saxutils import escape

from diagrams._strokes import Curve, Drawing, Stroke, Vertex, drawing
from diagrams.graph import FeynmanGraph

DASHES = {
    "dashed": (5, 3),
    "dotted": (1, 2.5),
    "dashdot": (6, 2.5, 1, 2.5),
    "densely dashed": (3.5, 2),
    "densely dotted": (1, 1.5),
}
_TIKZ_STYLES = {"dashdot": "dash dot", "solid": "", "wavy": ""}
INK, SHADE, _PAPER = "#1a1a1a", "#d5d9e0", "#ffffff"
_SERIF = "font-family='Latin Modern Roman,STIX Two Text,Times New Roman,serif'"
_ARROW = 0.1
_LEGEND = "dot: interaction vertex; shaded, r: connected r-point function"
_LEGEND_TEX = (
    r"\tikz[baseline=-0.6ex]\fill (0,0) circle[radius=0.07]; interaction vertex,\quad "
    r"\tikz[baseline=-0.6ex]\draw[fill=black!14] (0,0) circle[radius=0.2] node {\scriptsize $r$}; "
    r"connected $r$-point function"
)


def to_svg(graph: FeynmanGraph, *, width: int = 160) -> str:
    """Return a self-contained SVG of the diagram on a white card, with its symmetry factor underneath.

    Parameters
    ----------
    graph : FeynmanGraph
        The diagram.
    width : int, optional
        Width in pixels; the height is the same.

    Examples
    --------
    >>> svg = to_svg(FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))))
    >>> svg.startswith("<svg"), svg.count("<circle"), "1/2" in svg
    (True, 2, True)
    """
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{width}' viewBox='0 0 160 160' "
        f"role='img'>{_svg_card(graph)}</svg>"
    )


def to_tikz(graph: FeynmanGraph) -> str:
    r"""Return a ``tikzpicture`` of the diagram; it needs ``\usepackage{tikz}`` and nothing else.

    Examples
    --------
    >>> print(to_tikz(FeynmanGraph(0, ((0, 0), (0, 0)))))
    \begin{tikzpicture}[baseline=0,line width=0.7pt,line cap=round]
      \useasboundingbox (-0.05,-0.3) rectangle (1.15,0.3);
      \draw (0.85,0) circle[radius=0.3];
      \draw (0.25,0) circle[radius=0.3];
      \fill (0.55,0) circle[radius=0.07];
    \end{tikzpicture}
    """
    return drawing_tikz(drawing(graph))


def drawing_tikz(picture: Drawing, *, scale: float = 1.0, baseline: str = "0") -> str:
    """Return the ``tikzpicture`` of a drawing; ``scale`` is the length of a plain line in centimetres."""
    left, bottom, right, top = picture.box()
    # TikZ would count the control points of the curves too
    body = [rf"\useasboundingbox {_xy(complex(left, bottom))} rectangle {_xy(complex(right, top))};"]
    body += [line for stroke in picture.strokes for line in _tikz_stroke(stroke)]
    body += [_tikz_vertex(vertex) for vertex in picture.vertices]
    body += [rf"\node[transform shape] at {_xy(place)} {{$x_{{{number}}}$}};" for place, number in picture.labels]
    inner = "\n".join(f"  {line}" for line in body)
    size = "" if scale == 1.0 else f"scale={_number(scale)},"
    head = rf"\begin{{tikzpicture}}[{size}baseline={baseline},line width=0.7pt,line cap=round]"
    return f"{head}\n{inner}\n\\end{{tikzpicture}}"


def inline_tikz(graph: FeynmanGraph) -> str:
    """Return a small ``tikzpicture`` to stand beside a formula, at most 2.6 cm wide and 1.25 cm high.

    Examples
    --------
    >>> inline_tikz(FeynmanGraph(2, ((0, 2), (2, 2), (2, 1)))).splitlines()[0]
    '\\\\begin{tikzpicture}[scale=0.65,baseline=0,line width=0.7pt,line cap=round]'
    """
    picture = drawing(graph)
    left, bottom, right, top = picture.box()
    return drawing_tikz(picture, scale=round(min(0.65, 2.6 / (right - left), 1.25 / max(top - bottom, 0.1)), 3))


def drawing_svg(picture: Drawing, *, width: int, height: int) -> str:
    """Return a drawing as SVG of the given size on a white card, without a caption."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' "
        f"role='img'><rect width='{width}' height='{height}' rx='6' fill='{_PAPER}'/>"
        f"{''.join(_svg_placed(picture, width, height, 46.0))}</svg>"
    )


def _svg_placed(picture: Drawing, width: float, height: float, largest: float) -> list[str]:
    left, bottom, right, top = picture.box()
    scale = min(largest, (width - 20) / max(right - left, 0.1), (height - 20) / max(top - bottom, 0.1))
    centre = complex(left + right, bottom + top) / 2
    middle = complex(width, height) / 2

    def place(z: complex) -> complex:
        return middle + (z - centre).conjugate() * scale

    return _svg_drawing(picture, place, scale)


def gallery_html(diagrams: Iterable[FeynmanGraph], *, total: int, limit: int = 48) -> str:
    """Return a wrapping grid of pictures for a notebook; it says so when it shows fewer than `total`.

    Examples
    --------
    >>> html = gallery_html([FeynmanGraph(2, ((0, 1),))] * 3, total=97335, limit=2)
    >>> html.count("<svg"), "showing 2 of 97335" in html
    (2, True)
    """
    shown = list(islice(diagrams, limit))
    cards = "".join(to_svg(graph) for graph in shown)
    note = f"<div>showing {len(shown)} of {total}</div>" if len(shown) < total else ""
    note += f"<div>{_LEGEND}</div>" if _has_both_kinds(shown) else ""
    return f"<div style='display:flex;flex-wrap:wrap;gap:6px'>{cards}</div>{note}"


def gallery_svg(diagrams: Iterable[FeynmanGraph], *, columns: int = 6) -> str:
    """Return one SVG file with all the diagrams in a grid.

    Raises
    ------
    ValueError
        If `columns` is not positive.
    """
    if columns < 1:
        raise ValueError(f"columns must be >= 1, got {columns}")
    graphs = list(diagrams)
    cards = [_svg_card(graph) for graph in graphs]
    wide, high = 166 * min(columns, max(len(cards), 1)) + 6, 166 * -(-len(cards) // columns) + 6
    legend = ""
    if _has_both_kinds(graphs):
        high += 40
        lines = zip((high - 26, high - 10), _LEGEND.split("; "), strict=True)
        legend = "".join(f"<text x='8' y='{y}' font-size='12' fill='{INK}' {_SERIF}>{t}</text>" for y, t in lines)
    placed = "\n".join(
        f"<g transform='translate({6 + 166 * (k % columns)} {6 + 166 * (k // columns)})'>{card}</g>"
        for k, card in enumerate(cards)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{wide}' height='{high}' viewBox='0 0 {wide} {high}'>\n"
        f"{placed}{legend}\n</svg>\n"
    )


def gallery_tex(diagrams: Iterable[FeynmanGraph], *, title: str) -> str:
    """Return a complete LaTeX document with the diagrams and their symmetry factors, over as many pages as needed.

    `title` is LaTeX source.
    """
    return rf"""\documentclass{{article}}
\usepackage[margin=2cm]{{geometry}}
\usepackage{{amsmath}}
\usepackage{{tikz}}
\setlength{{\parindent}}{{0pt}}
\begin{{document}}
\begin{{center}}
  \Large {title}
\end{{center}}
\bigskip
{gallery_body(diagrams)}
\end{{document}}
"""


def gallery_body(diagrams: Iterable[FeynmanGraph]) -> str:
    """Return the diagrams with their symmetry factors as LaTeX for inside a document that loads TikZ."""
    shown = list(diagrams)
    cells = "\n".join(_tex_cell(graph) for graph in shown)
    legend = f"{{\\small {_LEGEND_TEX}\\par}}\n" if _has_both_kinds(shown) else ""
    return f"{{\\raggedright\n{cells}\n\\par}}\n{legend}".rstrip("\n")


def _has_both_kinds(graphs: Iterable[FeynmanGraph]) -> bool:
    """Return True if interaction vertices and connected-correlator vertices occur, so that a legend is needed."""
    return len({kind for graph in graphs for kind in graph.kinds}) > 1


def _tex_cell(graph: FeynmanGraph) -> str:
    left, _, right, _ = drawing(graph).box()
    scale = min(1.1, 3.9 / (right - left))
    picture = to_tikz(graph).replace("[baseline=0,", f"[scale={_number(scale)},baseline=0,", 1)
    weight = caption(graph).replace("×", r"\times")
    return (
        "\\begin{minipage}[c][4.2cm][c]{0.245\\linewidth}\n\\centering\n"
        f"{picture}\n\n\\medskip\n$\\displaystyle {_tex_fraction(weight)}$\n\\end{{minipage}}%\n\\hfil\\allowbreak"
    )


def _tex_fraction(caption: str) -> str:
    value, *rest = caption.split(" ", 1)
    shown = rf"\tfrac{{1}}{{{value[2:]}}}" if "/" in value else value
    return " ".join([shown, *rest])


def caption(graph: FeynmanGraph) -> str:
    """Return the weight of one labelled diagram, and how many of them exchangeable legs stand for.

    Examples
    --------
    >>> bubble = FeynmanGraph(4, ((0, 4), (1, 4), (4, 5), (4, 5), (5, 2), (5, 3)))
    >>> caption(bubble), caption(bubble.with_exchangeable_legs())
    ('1/2', '1/2 × 3')
    """
    copies = graph.multiplicity
    factor = graph.symmetry_factor if graph.labelled else copies * graph.symmetry_factor // factorial(graph.n_legs)
    return ("1" if factor == 1 else f"1/{factor}") + (f" × {copies}" if copies > 1 else "")


def _svg_card(graph: FeynmanGraph) -> str:
    """Return the elements of a 160 by 160 card."""
    parts = [f"<rect width='160' height='160' rx='8' fill='{_PAPER}'/>"]
    parts += _svg_placed(drawing(graph), 160, 136, 46.0)
    parts.append(f"<text x='80' y='150' font-size='12' text-anchor='middle' fill='{INK}' {_SERIF}>")
    parts.append(f"{escape(caption(graph))}</text>")
    return "".join(parts)


def _svg_drawing(picture: Drawing, place: Callable[[complex], complex], scale: float) -> list[str]:
    parts = [f"<g fill='none' stroke='{INK}' stroke-width='1.4' stroke-linecap='round'>"]
    parts += [_svg_stroke(stroke, place, scale) for stroke in picture.strokes]
    parts.append("</g>")
    for stroke in picture.strokes:
        if stroke.arrow:
            corners = " ".join(_xy_plain(place(z)) for z in arrow_head(*stroke.arrow))
            parts.append(f"<polygon points='{corners}' fill='{INK}'/>")
    parts += [_svg_vertex(vertex, place, scale) for vertex in picture.vertices]
    parts += [_svg_label(place(z), number, min(11.0, max(9.5, 0.24 * scale))) for z, number in picture.labels]
    return parts


def _svg_stroke(stroke: Stroke, place: Callable[[complex], complex], scale: float) -> str:
    dash = DASHES.get(stroke.style)
    style = f" stroke-dasharray='{' '.join(map(_number, dash))}'" if dash else ""
    points = [place(z) for z in stroke.points]
    if stroke.radius:
        x, y = (_number(v) for v in (points[0].real, points[0].imag))
        return f"<circle cx='{x}' cy='{y}' r='{_number(stroke.radius * scale)}'{style}/>"
    command = "L" if len(points) == 2 else "C"
    return f"<path d='M{_xy_plain(points[0])}{command}{' '.join(map(_xy_plain, points[1:]))}'{style}/>"


def _svg_vertex(vertex: Vertex, place: Callable[[complex], complex], scale: float) -> str:
    z = place(vertex.place)
    x, y = _number(z.real), _number(z.imag)
    if not vertex.text:
        return f"<circle cx='{x}' cy='{y}' r='{_number(max(vertex.radius * scale, 2.2))}' fill='{INK}'/>"
    r = vertex.radius * scale
    size = 1.25 * r
    return (
        f"<circle cx='{x}' cy='{y}' r='{_number(r)}' fill='{SHADE}' stroke='{INK}' stroke-width='1.2'/>"
        f"<text x='{x}' y='{_number(z.imag + 0.35 * size)}' font-size='{_number(size)}' text-anchor='middle' "
        f"fill='{INK}' {_SERIF}>{vertex.text}</text>"
    )


def _svg_label(z: complex, number: int, size: float) -> str:
    return (
        f"<text x='{_number(z.real)}' y='{_number(z.imag + 0.27 * size)}' font-size='{_number(size)}' "
        f"text-anchor='middle' fill='{INK}' {_SERIF}><tspan font-style='italic'>x</tspan>"
        f"<tspan dy='{_number(0.22 * size)}' font-size='{_number(0.72 * size)}'>{number}</tspan></text>"
    )


def _tikz_stroke(stroke: Stroke) -> list[str]:
    style = _TIKZ_STYLES.get(stroke.style, stroke.style)
    option = f"[{style}]" if style else ""
    if stroke.radius:
        path = f"{_xy(stroke.points[0])} circle[radius={_number(stroke.radius)}]"
    elif len(stroke.points) == 2:
        path = " -- ".join(map(_xy, stroke.points))
    else:
        path = _xy(stroke.points[0]) + "".join(
            f" .. controls {_xy(a)} and {_xy(b)} .. {_xy(c)}" for a, b, c in _pieces(stroke.points)
        )
    lines = [rf"\draw{option} {path};"]
    if stroke.arrow:
        lines.append(rf"\fill {' -- '.join(map(_xy, arrow_head(*stroke.arrow)))} -- cycle;")
    return lines


def _tikz_vertex(vertex: Vertex) -> str:
    circle = f"{_xy(vertex.place)} circle[radius={_number(vertex.radius)}]"
    if not vertex.text:
        return rf"\fill {circle};"
    return rf"\draw[fill=black!14] {circle} node[transform shape] {{\scriptsize {vertex.text}}};"


def _pieces(points: Curve) -> list[tuple[complex, complex, complex]]:
    return [(points[i], points[i + 1], points[i + 2]) for i in range(1, len(points), 3)]


def arrow_head(middle: complex, unit: complex) -> tuple[complex, complex, complex]:
    """Return the corners of the arrow head at the middle of a line that runs along ``unit``."""
    tip, tail = middle + _ARROW * unit, middle - 0.8 * _ARROW * unit
    return tip, tail + 0.75j * _ARROW * unit, tail - 0.75j * _ARROW * unit


def _number(x: float) -> str:
    """Return at most three decimals, without trailing zeros and without minus zero.

    Examples
    --------
    >>> _number(0.5), _number(-1e-9), _number(2)
    ('0.5', '0', '2')
    """
    return f"{round(x, 3) + 0.0:.3f}".rstrip("0").rstrip(".")


def _xy(z: complex) -> str:
    return f"({_number(z.real)},{_number(z.imag)})"


def _xy_plain(z: complex) -> str:
    return f"{_number(z.real)} {_number(z.imag)}"
