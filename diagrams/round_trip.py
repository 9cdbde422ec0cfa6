"""The way back of a reconstruction: from an action made of connected correlators to its own connected correlators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import product

import sympy

from diagrams.collection import Diagrams
from diagrams.composite import composite_decorated, inserted_edges
from diagrams.decorated import DecoratedGraph, ReconstructionRules
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.pointfunctions import INVERSE, PointFunction
from diagrams.reconstruction import coupling_diagrams
from diagrams.rules import LEG, LineRule
from diagrams.series import Series
from diagrams.symbols import coordinates, external_point
from diagrams.theory import Action
from diagrams.typing import Expr
from diagrams.vertex_orders import VertexOrders, checked_orders, remainder_of, vertex_orders


@dataclass(frozen=True)
class ReconstructedCorrelators:
    """Connected correlators of a reconstructed action: the way back W -> S -> W.

    Every diagram of the action (vertices ``g_n``, propagator ``G2``) is written out with the diagrams of its
    couplings. Where legs of couplings meet the propagator, ``G2^{-1} G2 G2^{-1} = G2^{-1}``, so the result is a sum
    of graphs with connected-correlator vertices again; it is collected exactly, graph by graph.

    Parameters
    ----------
    action : Action
        Made by :func:`diagrams.reconstruction.reconstruct_action`.
    order : int or mapping from names of parameters to int
        Highest power kept.

    Raises
    ------
    TypeError, ValueError
        If the order is not understood, or the action is not known to that order.
    """

    action: Action
    order: int | Mapping[str, int]

    def __post_init__(self) -> None:
        assert self.action.remainder is not None
        for name, stop, h in zip(self.action.parameters, self.action.remainder, self._highest, strict=True):
            if h >= stop:
                shown, known = (f"N^-{e}" if str(name) == "1/N" else f"{name}^{e}" for e in (h, stop - 1))
                raise ValueError(
                    f"this action is known through {known}; its correlators through {shown} need an action "
                    "reconstructed to that order: connected_correlators(max_points=...).action(order=...)"
                )

    @cached_property
    def _highest(self) -> tuple[int, ...]:
        return checked_orders(self.action.parameters, self.order)

    @cached_property
    def _vertices(self) -> VertexOrders:
        """The vertices behind the action through the order asked for."""
        assert self.action.source is not None
        names = [str(p) for p in self.action.parameters]
        return vertex_orders(self.action.source, dict(zip(names, self._highest, strict=True)))

    @property
    def _source(self):  # type: ignore[no-untyped-def]
        return self.action.source.source  # type: ignore[union-attr]

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return int(self._source.input_dim)

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self._source.width

    @property
    def is_even(self) -> bool:
        """True if the action is even in the field."""
        return bool(self._source.is_even)

    @property
    def is_dimension_explicit(self) -> bool:
        """True if the original correlators are functions of coordinates."""
        return bool(self._source.is_dimension_explicit)

    @property
    def max_points(self) -> int:
        """Highest number of points with a tree at this order."""
        return self._vertices.max_points

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series in 1/N."""
        if n % 2 and self.is_even:
            return Series(self.action.parameters, ())
        terms = [(key, self._value(graphs)) for key, graphs in composite_decorated(n, self._vertices).items()]
        return Series(self.action.parameters, tuple(terms), remainder_of(n, self._vertices))

    def _value(self, graphs: dict[DecoratedGraph, Fraction]) -> Expr:
        rules = self._unamputated_rules
        total = []
        for graph, weight in graphs.items():
            amplitude = rules.amplitude(graph) * graph.symmetry_factor  # weights already contain 1/|Aut|
            total.append(sympy.Rational(weight.numerator, weight.denominator) * amplitude)
        value = sympy.Add(*total)
        return value if value.has(sympy.Integral) else value.replace(PointFunction, self._explicit)

    @property
    def _unamputated_rules(self) -> ReconstructionRules:
        """The rules of :func:`composite_decorated`: legs end at the vertices themselves."""
        lines = (
            LineRule((LEG, LEG), "G2"),
            LineRule((CORRELATOR, LEG), None),
            LineRule((CORRELATOR, CORRELATOR), INVERSE),
        )
        return ReconstructionRules(ReconstructionRules.of(self._vertices).vertices, lines, 1, self.action.parameters)

    def _explicit(self, name: sympy.Symbol, *points: Expr) -> Expr:
        """Return the original correlator behind ``G2``, ``G4``, ... at external points, without its power of N."""
        zero = (sympy.S.Zero,) * len(self.action.parameters)
        n, key = (2, zero) if str(name) == "G2" else dict(self._vertices.functions)[str(name)]
        d = self.input_dim
        if not self.is_dimension_explicit:
            return PointFunction(name, *points)
        labels = {external_point(i + 1): i + 1 for i in range(n)}
        moved = {
            old: new
            for i, p in enumerate(points)
            for old, new in zip(coordinates(i + 1, d), coordinates(labels[p], d), strict=True)
        }
        return self._source.correlator_series(n)[key].xreplace(moved)


def composite_graphs(n: int, order: int, *, even: bool) -> dict[Expr, dict[FeynmanGraph, Fraction]]:
    """Return all graphs in the n-point function of a reconstructed action, with their total coefficients.

    Lines count as ``+G2^{-1}``, legs are attached directly; coefficients contain 1/|Aut|. Graphs whose coefficients
    cancel are left out, so a correct reconstruction leaves one graph at ``N**(1 - n/2)`` and nothing else.

    Parameters
    ----------
    n, order : int
        Number of points and highest power of 1/N.
    even : bool
        Only vertices of even valence.

    Returns
    -------
    dict from exponent of 1/N to dict from FeynmanGraph to Fraction
    """
    lead = sympy.Rational(n, 2) - 1
    budget = int(sympy.floor(order - lead))
    total: dict[int, Counter[FeynmanGraph]] = {}
    for graph in _skeletons_with_corrections(n, budget, even):
        left = budget - graph.n_loops
        for extra in _loop_assignments(graph.valences, left):
            target = total.setdefault(graph.n_loops + sum(extra), Counter())
            choices = [_coupling_terms(d, loops, even) for d, loops in zip(graph.valences, extra, strict=True)]
            for chosen in product(*choices):
                weight = Fraction(1, graph.symmetry_factor)
                for _, factor in chosen:
                    weight *= factor
                target[_insert(graph, [g for g, _ in chosen])] += weight  # type: ignore[assignment]
    return {lead + k: kept for k in sorted(total) if (kept := {g: Fraction(w) for g, w in total[k].items() if w})}


@cache
def _coupling_terms(n: int, loops: int, even: bool) -> tuple[tuple[FeynmanGraph, Fraction], ...]:
    """Return the labelled diagrams of -g_n at a loop order with their coefficients (lines counted positive)."""
    found = coupling_diagrams(n, loops, even=even, labelled=True)
    return tuple((g, Fraction((-1) ** len(g.internal_edges), g.symmetry_factor)) for g in found)


def _loop_assignments(valences: tuple[int, ...], budget: int) -> Iterator[tuple[int, ...]]:
    """Distribute loop orders over vertices; 1- and 2-leg vertices begin at one loop."""
    if not valences:
        yield ()
        return
    for loops in range(1 if valences[0] < 3 else 0, budget + 1):
        for rest in _loop_assignments(valences[1:], budget - loops):
            yield (loops, *rest)


def _skeletons_with_corrections(n: int, budget: int, even: bool) -> Iterator[FeynmanGraph]:
    """Iterate over the diagrams of the action, its 1- and 2-leg couplings included, within a budget of loops."""
    for loops in range(budget + 1):
        for closed in range(1 if even else budget - loops + 1):
            level = {_close_legs(g, n) for g in _base_graphs(n + closed, loops, even)}
            for _ in range(budget - loops - closed + 1):
                yield from sorted(level)
                level = {h for g in level for h in _insertions(g)}


def _base_graphs(legs: int, loops: int, even: bool) -> Diagrams:
    valences = range(4, legs + 2 * loops + 1, 2) if even else range(3, legs + 2 * loops + 1)
    return enumerate_diagrams(valences=tuple(valences) or (4,), legs=legs, loops=loops)


def _close_legs(graph: FeynmanGraph, n: int) -> FeynmanGraph:
    """End all legs but the first ``n`` at 1-leg vertices."""
    return graph if graph.n_legs == n else FeynmanGraph(n, graph.edges)


def _insertions(graph: FeynmanGraph) -> Iterator[FeynmanGraph]:
    """Put a 2-leg vertex on each line in turn."""
    new = graph.n_legs + graph.n_vertices
    for edge in set(graph.edges):
        edges = list(graph.edges)
        edges.remove(edge)
        yield FeynmanGraph(graph.n_legs, (*edges, (edge[0], new), (new, edge[1])))


def _insert(graph: FeynmanGraph, inner: list[FeynmanGraph]) -> FeynmanGraph:
    """Replace every vertex of ``graph`` by a diagram whose legs take over its half-edges."""
    n_vertices = sum(part.n_vertices for part in inner)
    return FeynmanGraph(graph.n_legs, inserted_edges(graph, inner), (CORRELATOR,) * n_vertices)
