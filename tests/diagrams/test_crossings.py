"""What can be drawn without crossings is drawn so, curves included."""

from __future__ import annotations

from itertools import combinations
from random import Random

import networkx as nx
import numpy as np
import pytest

from diagrams import FeynmanGraph, enumerate_diagrams
from diagrams._layout import node_positions
from diagrams._strokes import drawing

# valences, legs, loops; four legs keep 1, 2 left of 3, 4
CASES = [
    ((3,), 2, 4),
    ((4,), 2, 4),
    ((3,), 4, 3),
    ((4,), 4, 4),
    ((3, 4), 3, 3),
    ((4,), 6, 2),
    ((3,), 6, 2),
    ((4,), 0, 4),
]
HARD = [  # the stress layout alone makes lines cross or loops overlap
    "[x1-1 x2-2 1-2 1-3 1-4 2-3 2-4 3-4*2]",
    "[x1-1 x2-2 1-7*2 2-3 2-4 3-5 3-6 4-5 4-6 5-7 6-8 8-8]",
    "[x1-1 x2-2 1-2 1-3 2-4 3-5 3-6 4-5 4-6 5-7 6-8 7-7 8-8]",
]


def graph_of(text):
    edges = []
    for piece in text.strip("[]").split():
        ends, _, times = piece.partition("*")
        edges += [ends.split("-")] * int(times or 1)
    n_legs = sum(u.startswith("x") for u, _ in edges)

    def number(name):
        return int(name[1:]) - 1 if name.startswith("x") else n_legs + int(name) - 1

    return FeynmanGraph(n_legs, tuple((number(u), number(v)) for u, v in edges))


def can_be_drawn(graph):
    """True without crossings, with all legs outside and, of four, 1 and 2 next to each other."""
    net = nx.Graph(graph.edges)
    net.add_edges_from(("outside", leg) for leg in range(graph.n_legs))
    if graph.n_legs != 4:
        return nx.check_planarity(net)[0]
    orders = ((0, 1, 2, 3), (0, 1, 3, 2))
    rims = ([(order[k - 1], order[k]) for k in range(4)] for order in orders)
    return any(nx.check_planarity(nx.Graph([*net.edges, *rim]))[0] for rim in rims)


def pieces(stroke, shared, places):
    """Polylines along a stroke, without the neighbourhood of nodes that it shares."""
    z = stroke.samples(25)
    apart = np.all([np.abs(z - places[k]) > 0.12 for k in shared], axis=0) if shared else np.ones(len(z), bool)
    cuts = np.flatnonzero(np.diff(np.flatnonzero(apart)) > 1) + 1
    return [piece for piece in np.split(z[apart], cuts) if len(piece) > 1]


def polylines_cross(z, w):
    a, b, c, d = z[:-1, None], z[1:, None], w[None, :-1], w[None, 1:]

    def side(p, q, r):
        return ((q - p).conjugate() * (r - p)).imag

    return bool(((side(a, b, c) * side(a, b, d) < -1e-12) & (side(c, d, a) * side(c, d, b) < -1e-12)).any())


def has_crossing(graph):
    places, strokes = node_positions(graph), drawing(graph).strokes
    for s, t in combinations(strokes, 2):
        shared = set(s.nodes) & set(t.nodes)
        if any(polylines_cross(z, w) for z in pieces(s, shared, places) for w in pieces(t, shared, places)):
            return True
    return False


@pytest.mark.parametrize(("valences", "legs", "loops"), CASES)
def test_no_crossings_where_planar(valences, legs, loops):
    diagrams = enumerate_diagrams(valences=valences, legs=legs, loops=loops)
    chosen = Random(7).sample(range(len(diagrams)), min(12, len(diagrams)))
    drawable = [diagrams[i] for i in chosen if can_be_drawn(diagrams[i])]
    assert drawable
    assert not [str(graph) for graph in drawable if has_crossing(graph)]


@pytest.mark.parametrize("text", HARD)
def test_hard_cases(text):
    graph = graph_of(text)
    assert can_be_drawn(graph)
    assert not has_crossing(graph)


def test_crossings_are_seen():
    """The twin: the pentagram cannot be drawn without them, and a crossed pair of lines is found."""
    pentagram = FeynmanGraph(0, tuple((i, j) for i in range(5) for j in range(i)))
    assert not can_be_drawn(pentagram)
    assert has_crossing(pentagram)
    crossed_box = FeynmanGraph(4, ((0, 4), (4, 5), (5, 1), (2, 6), (6, 7), (7, 3), (4, 7), (5, 6)))
    assert has_crossing(crossed_box) != can_be_drawn(crossed_box)
