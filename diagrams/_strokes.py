"""The picture of a diagram as plain geometry: strokes, vertices and leg labels, shared by every output format.

Points are complex numbers, one unit is the length of a plain internal line, and y points up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._layout import BLOB_RADIUS, node_positions
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph

DOT_RADIUS = 0.07
PLAIN, WAVY = "solid", "wavy"
_PATTERNS = ("solid", "dashed", "dotted", "dashdot", "densely dashed", "densely dotted")
_WAVY_FIELDS = frozenset({"A", "photon", "gamma"})
_LOOP_RADIUS, _LOOP_REACH, _LABEL_GAP = 0.3, 0.68, 0.24
_LOOP_SIZES, _LOOP_CLEARANCE, _FAR = (1.0, 0.8, 0.65, 0.5), 0.1, np.array([1e6 + 0j])
_BUNDLE_ANGLES = {2: 50.0, 3: 68.0}
_HALF_WAVE, _AMPLITUDE = 0.11, 0.06
_ROOM_ENOUGH = 2.9  # nearly a half-plane: a wider gap is no better for a self-loop
_WIDE_ANGLE, _MAX_SAGITTA = 75.0, 0.55

_Line = tuple[int, int, str]  # both nodes and the field
Curve = tuple[complex, ...]
Samples = NDArray[np.complex128]


class Stroke(NamedTuple):
    """One line: a straight segment (2 points), joined cubic Béziers (3 n + 1 points) or a circle (its centre)."""

    nodes: tuple[int, int]
    points: Curve
    radius: float = 0.0
    style: str = PLAIN
    arrow: tuple[complex, complex] | None = None

    def samples(self, n: int = 33) -> Samples:
        """Return points along the line, `n` on each piece."""
        t = np.linspace(0.0, 1.0, n)
        if self.radius:
            return np.asarray(self.points[0] + self.radius * np.exp(2j * np.pi * t), dtype=np.complex128)
        if len(self.points) == 2:
            return np.asarray(self.points[0] + t * (self.points[1] - self.points[0]), dtype=np.complex128)
        pieces = [_bezier(self.points[i : i + 4], t) for i in range(0, len(self.points) - 1, 3)]
        return np.concatenate(pieces)


class Vertex(NamedTuple):
    """A dot, or a blob that shows its valence."""

    place: complex
    radius: float
    text: str = ""


class Drawing(NamedTuple):
    """Everything to be drawn, in order: strokes, vertices on top of them, labels of the legs."""

    strokes: tuple[Stroke, ...]
    vertices: tuple[Vertex, ...]
    labels: tuple[tuple[complex, int], ...]

    def box(self) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top of the picture."""
        points = [*np.concatenate([s.samples() for s in self.strokes])]
        points += [v.place + d * v.radius for v in self.vertices for d in (1, -1, 1j, -1j)]
        points += [place + d for place, _ in self.labels for d in (0.16, -0.16, 0.13j, -0.13j)]
        z = np.array(points)
        return float(z.real.min()), float(z.imag.min()), float(z.real.max()), float(z.imag.max())


@lru_cache(maxsize=4096)
def drawing(graph: FeynmanGraph) -> Drawing:
    """Return the picture of a diagram.

    Examples
    --------
    >>> picture = drawing(FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))))
    >>> [len(stroke.points) for stroke in picture.strokes], len(picture.vertices), len(picture.labels)
    ([2, 2, 1], 1, 2)
    """
    places = node_positions(graph)
    strokes = [*_open_lines(graph, places)]
    strokes += _self_loops(graph, places, strokes)
    vertices = tuple(
        Vertex(places[v], BLOB_RADIUS, str(n)) if kind == CORRELATOR else Vertex(places[v], DOT_RADIUS)
        for v, kind, n in zip(graph.vertices, graph.kinds, graph.valences, strict=True)
    )
    labels = _labels(graph, places) if graph.labelled else ()
    return Drawing(tuple(_finished(s) for s in strokes), vertices, labels)


def vertex_drawing(kind: str, valence: int) -> Drawing:
    """Return the picture of one vertex with its half-edges, without labels.

    Examples
    --------
    >>> len(vertex_drawing("interaction", 4).strokes)
    4
    """
    radius = BLOB_RADIUS if kind == CORRELATOR else DOT_RADIUS
    reach = radius + 0.45
    turns = (np.arange(valence) + 0.5) / valence if valence != 2 else np.array([0.0, 0.5])
    ends = [complex(reach * np.exp(2j * np.pi * t)) for t in turns]
    strokes = tuple(Stroke((i, valence), (0j, end)) for i, end in enumerate(ends))
    return Drawing(strokes, (Vertex(0j, radius, str(valence) if kind == CORRELATOR else ""),), ())


def line_drawing(ends: tuple[str, str]) -> Drawing:
    """Return the picture of a line between two kinds of ends; a blob of any valence carries no number.

    Examples
    --------
    >>> line_drawing(("leg", "correlator")).vertices[0].text
    ' '
    """
    places = (0j, 1.2 + 0j)
    vertices = []
    for kind, place in zip(ends, places, strict=True):
        if kind == CORRELATOR:
            vertices.append(Vertex(place, BLOB_RADIUS, " "))
        elif kind == INTERACTION:
            vertices.append(Vertex(place, DOT_RADIUS))
    return Drawing((Stroke((0, 1), places),), tuple(vertices), ())


def _bezier(points: Curve, t: NDArray[np.float64]) -> Samples:
    a, b, c, d = points
    s = 1.0 - t
    return np.asarray(s**3 * a + 3 * s**2 * t * b + 3 * s * t**2 * c + t**3 * d, dtype=np.complex128)


def line_styles(graph: FeynmanGraph) -> dict[str, str]:
    """Return the style of each field: wavy for a photon, otherwise by sorted name.

    Examples
    --------
    >>> line_styles(FeynmanGraph(0, ((0, 0), (0, 0), (0, 0)), fields=("chi", "A", "phi")))
    {'A': 'wavy', 'chi': 'solid', 'phi': 'dashed'}
    """
    names = sorted(set(graph.fields) or {""})
    patterned = [name for name in names if name not in _WAVY_FIELDS]
    rank = {name: _PATTERNS[i % len(_PATTERNS)] for i, name in enumerate(patterned)}
    return {name: rank.get(name, WAVY) for name in names}


def _lines(graph: FeynmanGraph) -> list[_Line]:
    fields = graph.fields or ("",) * len(graph.edges)
    return [(u, v, f) for (u, v), f in zip(graph.edges, fields, strict=True)]


def _open_lines(graph: FeynmanGraph, places: tuple[complex, ...]) -> list[Stroke]:
    styles = line_styles(graph)
    bundles: dict[tuple[int, int], list[_Line]] = {}
    for u, v, f in _lines(graph):
        if u != v:
            bundles.setdefault((min(u, v), max(u, v)), []).append((u, v, f))
    strokes = []
    for (i, j), lines in bundles.items():
        bends = [_clear_bend(i, j, places)]
        if len(lines) > 1:
            room = min(_room(i, j, places, bundles), _room(j, i, places, bundles))
            bends = _bends(lines, graph.directed, abs(places[j] - places[i]), room)
        for (u, v, f), bend in zip(_paired(lines), bends, strict=True):
            points = _arc(places[u], places[v], bend if u == i else -bend)
            arrow = _arrow(graph, u, v, points) if f in graph.directed else None
            strokes.append(Stroke((u, v), points, style=styles[f], arrow=arrow))
    return strokes


def _paired(lines: list[_Line]) -> list[_Line]:
    """Return parallel lines with those of one field at mirror places, so that the bundle looks symmetric."""
    left, middle, right = list[_Line](), list[_Line](), list[_Line]()
    for line in sorted(lines, key=lambda e: e[2]):
        if middle and middle[-1][2] == line[2]:
            left.append(middle.pop())
            right.append(line)
        else:
            middle.append(line)
    return left + middle + right[::-1]


def _bends(lines: list[_Line], directed: tuple[str, ...], length: float, room: float) -> list[float]:
    """Return twice the sagitta over the chord for each of the parallel lines, symmetric about the chord."""
    angle = min(np.radians(_BUNDLE_ANGLES.get(m := len(lines), _WIDE_ANGLE)), room)
    widest = min(float(np.tan(angle / 2)), 2 * _MAX_SAGITTA / length)
    fields = [f for _, _, f in _paired(lines)]
    if m == 2 and fields[0] != fields[1] and any(f in directed for f in fields):
        return [0.0 if f in directed else 1.5 * widest for f in fields]
    return [widest * (1 - 2 * k / max(m - 1, 1)) for k in range(m)]


def _room(
    node: int, far: int, places: tuple[complex, ...], bundles: Mapping[tuple[int, int], Sequence[_Line]]
) -> float:
    """Return the angle that a bundle may open to at a node without meeting the other lines there."""
    rooms = [np.pi]
    for (i, j), lines in bundles.items():
        if node in (i, j) and far not in (i, j):
            other = places[j if i == node else i] - places[node]
            between = abs(np.angle(other / (places[far] - places[node])))
            rooms.append(between * (0.45 if len(lines) > 1 else 0.8))
    return max(float(min(rooms)), 0.2)


def _clear_bend(i: int, j: int, places: tuple[complex, ...]) -> float:
    """Return 0, or the smallest bend that keeps a single line off vertices it does not belong to."""
    others = np.array([z for k, z in enumerate(places) if k not in (i, j)])
    if not len(others):
        return 0.0

    def clearance(bend: float) -> float:
        points = Stroke((i, j), _arc(places[i], places[j], bend)).samples()
        return round(float(np.abs(points[:, None] - others).min()), 3)

    bends = (0.0, 0.25, -0.25, 0.45, -0.45, 0.7, -0.7)
    for bend in bends:
        if clearance(bend) >= 0.24:
            return bend
    return max(bends, key=clearance)


def _arc(start: complex, end: complex, bend: float) -> Curve:
    """Return a circular arc as one cubic, or a segment; `bend` is the tangent of half the angle to the chord."""
    if not bend:
        return start, end
    chord = end - start
    turn = 2 * np.arctan(bend)
    handle = 4 / 3 * np.tan(turn / 2) * chord / (2 * np.sin(turn))
    return start, start + complex(handle * np.exp(1j * turn)), end - complex(handle * np.exp(-1j * turn)), end


def _arrow(graph: FeynmanGraph, u: int, v: int, points: Curve) -> tuple[complex, complex]:
    if len(points) == 4:
        a, b, c, d = points
        return (a + 3 * b + 3 * c + d) / 8, (d + c - b - a) / abs(d + c - b - a)
    unit = (points[1] - points[0]) / abs(points[1] - points[0])
    blob = {k: graph.kinds[k - graph.n_legs] == CORRELATOR for k in (u, v) if k >= graph.n_legs}
    shift = 0.5 * BLOB_RADIUS * (blob.get(u, False) - blob.get(v, False))
    return (points[0] + points[1]) / 2 + shift * unit, unit


def _self_loops(graph: FeynmanGraph, places: tuple[complex, ...], open_lines: list[Stroke]) -> list[Stroke]:
    styles = line_styles(graph)
    strokes: list[Stroke] = []
    for vertex in graph.vertices:
        loops = [f for u, v, f in _lines(graph) if u == v == vertex]
        tangents = [t for s in open_lines for t in _tangents(s, vertex)]
        blob = BLOB_RADIUS if graph.kinds[vertex - graph.n_legs] == CORRELATOR else 0.0
        for f, (angle, room) in zip(loops, _loop_directions(tangents, len(loops)), strict=True):
            unit = complex(np.exp(1j * angle))
            others = np.concatenate([s.samples() for s in (*open_lines, *strokes) if vertex not in s.nodes] or [_FAR])
            others = np.concatenate([others, [z for k, z in enumerate(places) if k != vertex]])
            stroke, reach = _fitting_loop(vertex, places[vertex], unit, room, blob, others)
            arrow = (places[vertex] + reach * unit, 1j * unit) if f in graph.directed else None
            strokes.append(stroke._replace(style=styles[f], arrow=arrow))
    return strokes


def _tangents(stroke: Stroke, vertex: int) -> list[float]:
    """Return the angles under which a line leaves a vertex."""
    ends = zip(stroke.nodes, (stroke.points[:2], stroke.points[:-3:-1]), strict=True)
    return [float(np.angle(b - a)) for node, (a, b) in ends if node == vertex]


def _loop_directions(tangents: list[float], n_loops: int) -> list[tuple[float, float]]:
    """Return the direction of each self-loop and the free angle on either side of it.

    The loops go one by one into the widest gap between the other lines, upwards where there is a choice.

    Examples
    --------
    >>> _loop_directions([0.0, 3.141592653589793], 1)
    [(1.57..., 1.57...)]
    """
    if not tangents:
        first = np.pi / 2 if n_loops % 2 else 0.0
        return [(first + 2 * np.pi * k / n_loops, np.pi / n_loops) for k in range(n_loops)]
    edges = sorted(t % (2 * np.pi) for t in tangents)
    gaps = [(a, (b - a) or 2 * np.pi) for a, b in zip(edges, [*edges[1:], edges[0] + 2 * np.pi], strict=True)]
    if len(gaps) > 1:
        gaps = [gap for gap in gaps if gap[1] < 2 * np.pi]
    counts = [0] * len(gaps)
    for _ in range(n_loops):
        share = [
            (-round(min(g / (c + 1), _ROOM_ENOUGH), 2), round(-np.sin(a + g / 2), 2))
            for (a, g), c in zip(gaps, counts, strict=True)
        ]
        counts[share.index(min(share))] += 1
    return [
        (float(a + g * (2 * k + 1) / (2 * c)), float(g / (2 * c)))
        for (a, g), c in zip(gaps, counts, strict=True)
        for k in range(c)
    ]


def _fitting_loop(
    vertex: int, place: complex, unit: complex, room: float, blob: float, others: Samples
) -> tuple[Stroke, float]:
    """Return the largest self-loop that keeps clear of all else, and its reach."""
    for size in _LOOP_SIZES:
        stroke, reach = _loop(vertex, place, unit, room, blob, size)
        if np.abs(stroke.samples()[:, None] - others).min() > _LOOP_CLEARANCE and not _surrounds(stroke, others):
            break
    return stroke, reach


def _surrounds(stroke: Stroke, others: Samples) -> bool:
    """Return True if something lies inside a round self-loop."""
    return bool(stroke.radius) and bool((np.abs(others - stroke.points[0]) < stroke.radius).any())


def _loop(vertex: int, place: complex, unit: complex, room: float, blob: float, size: float) -> tuple[Stroke, float]:
    """Return a circle touching the vertex, or a petal where other lines leave less than a half-plane, and its reach."""
    if room > np.radians(80):
        radius = size * _LOOP_RADIUS
        centre = complex(place + (radius + 0.5 * blob) * unit)
        return Stroke((vertex, vertex), (centre,), radius), 2 * radius + 0.5 * blob
    opening = min(0.75 * room, np.radians(55))
    reach = size * _LOOP_REACH + 0.6 * blob
    handle = reach / (0.75 * np.cos(opening)) * unit
    out, back = place + handle * np.exp(-1j * opening), place + handle * np.exp(1j * opening)
    return Stroke((vertex, vertex), (place, complex(out), complex(back), place)), reach


def _labels(graph: FeynmanGraph, places: tuple[complex, ...]) -> tuple[tuple[complex, int], ...]:
    """Return where the label of each leg stands, beyond its end, and its number."""
    inner = {u: v for edge in graph.edges for u, v in (edge, edge[::-1])}
    outward = [places[leg] - places[inner[leg]] for leg in range(graph.n_legs)]
    return tuple((places[leg] + _LABEL_GAP * arm / abs(arm), leg + 1) for leg, arm in enumerate(outward))


def _finished(stroke: Stroke) -> Stroke:
    """Return the stroke as it is drawn: a wavy one as a chain of half-waves along its base line."""
    if stroke.style != WAVY:
        return stroke
    base = stroke.samples(129)
    arc = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(base)))])
    n = 2 * max(2, round(float(arc[-1]) / (2 * _HALF_WAVE)))
    stops = np.linspace(0.0, arc[-1], n + 1)
    z = np.interp(stops, arc, base.real) + 1j * np.interp(stops, arc, base.imag)
    points = [complex(z[0])]
    for k in range(n):
        step = z[k + 1] - z[k]
        side = 1j * step / abs(step) * _AMPLITUDE * (4 / 3) * (-1) ** k
        points += [complex(z[k] + 0.36 * step + side), complex(z[k + 1] - 0.36 * step + side), complex(z[k + 1])]
    return stroke._replace(points=tuple(points), radius=0.0)
