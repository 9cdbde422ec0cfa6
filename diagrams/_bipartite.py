"""Bipartite diagrams, interaction vertices joined by connected-correlator blobs: enumeration, and where they sit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from diagrams._couplings import JOINT, vertex_weights
from diagrams._fields import Field, Vertex
from diagrams._model import Model
from diagrams.collection import Diagrams
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.series import Exponents
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr, Point


@dataclass(frozen=True)
class _OneLegVertex(Vertex):
    """A vertex with one half-edge: a source, or a mean."""

    def __post_init__(self) -> None:
        if len(self.half_edges) != 1:
            raise ValueError(f"one half-edge, got {self.half_edges}")


def bipartite_diagrams(
    vertices: dict[Any, list[Exponents]], parameters: tuple[Expr, ...], order: tuple[int | None, ...], n: int
) -> Diagrams:
    """Return all connected graphs in which interactions are joined by blobs, within the orders."""
    weights = vertex_weights(vertices, parameters)
    pieces: list[Vertex] = []
    for (valence, kind), powers in weights.items():
        half_edges, row = ("phi" if kind == INTERACTION else "phi*",) * valence, tuple(powers.items())
        if valence == 1:
            pieces.append(_OneLegVertex(half_edges, row, kind))
        else:
            pieces.append(Vertex(half_edges, row, kind, is_counterterm=kind == INTERACTION and valence == 2))
    line = Field("phi", is_complex=True, is_contact=True)
    model = Model("interacting ensemble", (line,), tuple(pieces), external=("phi",))
    limits = {str(p): h for p, h in zip(parameters, order, strict=True) if h is not None}
    if None not in order:
        limits[JOINT] = sum(h for h in order if h is not None)
    # a mean lowers the power of N, so there is no bound from below
    least = -sum(abs(w) for row in weights.values() for w in row.values()) * (n + 1 + 8 * sum(limits.values()))
    return model.diagrams({"phi": n}, order={name: (Fraction(least), Fraction(h)) for name, h in limits.items()})


@dataclass(frozen=True)
class BlobPlaces:
    """Which points the blobs and the interaction vertices of a bipartite graph sit at.

    Parameters
    ----------
    blobs : tuple of (int, point indices)
        Number of points of each blob, and where they are.
    vertices : tuple of (int, point indices)
        Valence of each interaction vertex, and its points (one for a local vertex).
    points : tuple of (index, Point)
        Coordinates: legs at x_1, x_2, ..., vertices at y_1, y_2, ...
    """

    blobs: tuple[tuple[int, tuple[int, ...]], ...]
    vertices: tuple[tuple[int, tuple[int, ...]], ...]
    points: tuple[tuple[int, Point], ...]

    @classmethod
    def of(cls, graph: FeynmanGraph, rules: FeynmanRules, dim: int) -> BlobPlaces:
        """Return the places of a graph for points of ``dim`` components."""
        bare = replace(rules, vertices=tuple(_with_function(v) for v in rules.vertices))
        _, operands, output = bare.contraction(graph)
        kinds = zip(graph.kinds, graph.valences, strict=True)
        named = list(zip(kinds, (index for _, index in operands), strict=True))
        blobs = tuple((r, index) for (kind, r), index in named if kind == CORRELATOR)
        vertices = tuple((v, tuple(dict.fromkeys(index))) for (kind, v), index in named if kind == INTERACTION)
        points = {i: coordinates(leg + 1, dim) for leg, i in enumerate(output)}
        inner = [i for _, index in vertices for i in index]
        points |= {i: _inner_point(k + 1, dim) for k, i in enumerate(inner)}
        return cls(blobs, vertices, tuple(points.items()))

    def replaced(self, index: tuple[int, ...]) -> dict[Expr, Expr]:
        """Return the replacement of x_1, x_2, ... by the points of a blob or vertex."""
        known = dict(self.points)
        moved: dict[Expr, Expr] = {}
        for k, i in enumerate(index):
            moved |= dict(zip(coordinates(k + 1, len(known[i])), known[i], strict=True))
        return moved


def _with_function(rule: VertexRule) -> VertexRule:
    return replace(rule, function=rule.function or f"g{rule.valence}")  # so that a local vertex shows its point


def _inner_point(k: int, dim: int) -> Point:
    if dim == 1:
        return (symbol(f"y_{k}"),)
    return tuple(symbol(f"y_{{{k},{mu}}}") for mu in range(1, dim + 1))
