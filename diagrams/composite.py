"""The way back for expansions in several parameters: diagrams of an action with its couplings written out."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import prod

import sympy

from diagrams.decorated import DecoratedGraph, assignments
from diagrams.graph import CORRELATOR, Edge, FeynmanGraph
from diagrams.reconstruction import ordered_diagrams
from diagrams.series import Exponents
from diagrams.vertex_orders import VertexOrders
from diagrams.vertex_topologies import graphs_with_valences, valence_lists

Terms = list[tuple[DecoratedGraph, Fraction]]


def coupling_terms(n: int, vertices: VertexOrders) -> dict[Exponents, Terms]:
    """Return the labelled diagrams of ``-g_n`` with their coefficients by power; lines count as ``+G2^{-1}``.

    The free action is left out.
    """
    result: dict[Exponents, Terms] = {}
    for key, found in ordered_diagrams(n, vertices, labelled=True).items():
        if any(key):
            result[key] = [
                (_named(g), Fraction((-1) ** len(g.internal_edges), g.symmetry_factor)) for g in found if g.n_vertices
            ]
    return result


def composite_decorated(n: int, vertices: VertexOrders) -> dict[Exponents, dict[DecoratedGraph, Fraction]]:
    """Return all graphs in the n-point function of a reconstructed action, with their total coefficients.

    Every diagram of the action (its 1- and 2-leg couplings included) is written out with the diagrams of its couplings,
    powers through those kept. Lines count as ``+G2^{-1}``, legs are attached directly; coefficients contain 1/|Aut|.
    Graphs whose coefficients cancel are left out, so a correct reconstruction leaves the correlators put in.

    Parameters
    ----------
    n : int
        Number of points.
    vertices : VertexOrders

    Returns
    -------
    dict from exponents to dict from DecoratedGraph to Fraction
    """
    terms: dict[str, Terms] = {}
    couplings: dict[str, tuple[int, Exponents]] = {}
    for m in range(1, vertices.max_points + 1):
        for key, found in coupling_terms(m, vertices).items():
            name = f"g{m}{key}"
            terms[name], couplings[name] = found, (m, key)
    choices: dict[int, dict[str, Exponents]] = {}
    for name, (m, key) in couplings.items():
        choices.setdefault(m, {})[name] = key
    zero = (sympy.S.Zero,) * len(vertices.order)
    total: dict[Exponents, Counter[DecoratedGraph]] = {}
    for loops, lists in valence_lists(couplings, n, vertices.order).items():
        for valences in lists:
            for graph in graphs_with_valences(valences, n, loops, labelled=True):
                for names, key in assignments([choices[r] for r in graph.valences], zero, vertices.order):
                    target = total.setdefault(key, Counter())
                    for chosen in product(*(terms[name] for name in names)):
                        weight = prod((w for _, w in chosen), start=Fraction(1, graph.symmetry_factor))
                        target[_insert(graph, [g for g, _ in chosen])] += weight  # type: ignore[assignment]
    kept = {key: {g: Fraction(w) for g, w in found.items() if w} for key, found in total.items()}
    return {key: kept[key] for key in sorted(kept, key=lambda k: (sum(k), k)) if kept[key]}


def _named(graph: FeynmanGraph) -> DecoratedGraph:
    if isinstance(graph, DecoratedGraph):
        return graph
    return DecoratedGraph(graph.n_legs, graph.edges, functions=tuple(f"G{r}" for r in graph.valences))


def _insert(graph: FeynmanGraph, inner: list[DecoratedGraph]) -> DecoratedGraph:
    names = tuple(name for part in inner for name in part.functions)
    return DecoratedGraph(graph.n_legs, inserted_edges(graph, inner), (CORRELATOR,) * len(names), functions=names)


def inserted_edges(graph: FeynmanGraph, inner: list[DecoratedGraph] | list[FeynmanGraph]) -> tuple[Edge, ...]:
    """Return the lines of ``graph`` with every vertex replaced by a diagram whose legs take over its half-edges."""
    offset = graph.n_legs
    edges: list[Edge] = []
    free: dict[int, list[int]] = {}
    for v, part in zip(graph.vertices, inner, strict=True):
        shift = offset - part.n_legs
        ends: dict[int, int] = {}
        for a, b in part.edges:
            if a < part.n_legs:
                ends[a] = b + shift
            else:
                edges.append((a + shift, b + shift))
        free[v] = [ends[leg] for leg in range(part.n_legs)]
        offset += part.n_vertices
    for a, b in graph.edges:
        u, w = (free[node].pop(0) if node in free else node for node in (a, b))
        edges.append((u, w))
    return tuple(edges)
