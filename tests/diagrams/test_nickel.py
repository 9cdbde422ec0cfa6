"""Nickel index against all numberings of the vertices and the literature; networkx and Graphviz round trips."""

from __future__ import annotations

import re
from collections import Counter
from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from diagrams import FeynmanGraph, enumerate_diagrams
from diagrams.nickel import from_networkx, from_nickel, nickel_index, to_dot
from diagrams.topology import has_snail

SUNSET = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1)))
QED = FeynmanGraph(2, ((0, 2), (2, 3), (3, 1), (3, 2)), fields=("psi", "psi", "psi", "A"), directed=("psi",))
MIXED = FeynmanGraph(1, ((0, 1), (1, 2), (1, 2), (2, 2)), kinds=("interaction", "correlator"))
NAMED_FIELDS = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (3, 1)), fields=("pi", "pi", "sigma", "pi"))
ARROWS = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (3, 1)), fields=("psi",) * 4, directed=("psi",))


def family(valences, legs, loops, **options):
    return list(enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=False, **options))


# --- Nickel index -------------------------------------------------------------------------------------------------


def index_by_brute_force(graph):
    """Write the index of every numbering of the vertices and take the smallest."""
    order = "|e0123456789"
    texts = []
    for numbers in permutations(range(graph.n_vertices)):
        rows = [[] for _ in numbers]
        for u, v in graph.edges:
            a, b = (numbers[w - graph.n_legs] if w >= graph.n_legs else None for w in (u, v))
            if a is None:
                rows[b].append("e")
            else:
                rows[min(a, b)].append(str(max(a, b)))
        texts.append("".join("".join(sorted(row, key=order.index)) + "|" for row in rows))
    return min(texts, key=lambda text: [order.index(c) for c in text])


SMALL = [
    ((4,), 0, 4),
    ((4,), 2, 4),
    ((4,), 4, 3),
    ((3,), 0, 3),
    ((3,), 2, 2),
    ((3,), 3, 1),
    ((3, 4), 2, 2),
    ((5, 6), 2, 3),
]


@pytest.mark.parametrize(("valences", "legs", "loops"), SMALL, ids=str)
def test_index_is_the_smallest_of_all_numberings(valences, legs, loops):
    for graph in family(valences, legs, loops):
        if graph.n_vertices <= 6:
            assert nickel_index(graph) == index_by_brute_force(graph)


def test_index_of_disconnected_diagrams():
    for graph in family((4,), 2, 3, connected=False) + family((3,), 2, 2, connected=False):
        if all(max(e) >= graph.n_legs for e in graph.edges):
            assert nickel_index(graph) == index_by_brute_force(graph)
            assert from_nickel(nickel_index(graph)) == graph


@pytest.mark.parametrize(
    ("valences", "legs", "loops"),
    [((4,), 0, 6), ((4,), 2, 5), ((4,), 4, 4), ((3,), 0, 4), ((3,), 4, 2), ((3, 4), 3, 2), ((3, 4, 5, 6), 2, 3)],
    ids=str,
)
def test_round_trip_of_all_diagrams(valences, legs, loops):
    graphs = family(valences, legs, loops)
    texts = [nickel_index(graph) for graph in graphs]
    assert len(set(texts)) == len(graphs)
    assert [from_nickel(text) for text in texts] == graphs


# The diagrams of phi^4 that massless calculations need. The index of the two-loop diagram with a triangle, by hand: one
# vertex has two legs, and a row that starts with "ee" is the smallest, so it is vertex 0. It has single lines to the
# two others, which are 1 and 2 in either order (each has a leg): row 0 is "ee12". Two lines join 1 and 2: row 1 is
# "e22", row 2 keeps its leg, "e".
PROPAGATORS = {
    2: {"e111|e|"},
    3: {"e112|22|e|"},
    4: {"e112|23|33|e|", "e112|33|e33||", "e112|e3|333||", "e123|e23|33||"},
}
VERTICES = {
    1: {"ee11|ee|"},
    2: {"ee11|22|ee|", "ee12|e22|e|"},
    3: {
        "ee11|22|33|ee|",  # chain of three bubbles
        "ee11|23|e33|e|",
        "ee12|223|3|ee|",
        "ee12|e23|33|e|",
        "ee12|e33|e33||",
        "ee12|ee3|333||",  # sunset on a line of the bubble
        "e112|e3|e33|e|",
        "e123|e23|e3|e|",  # tetrahedron: any vertex is 0, its neighbours in any order
    },
}


@pytest.mark.parametrize(
    ("legs", "loops", "expected"),
    [(2, loops, texts) for loops, texts in PROPAGATORS.items()]
    + [(4, loops, texts) for loops, texts in VERTICES.items()],
)
def test_phi4_diagrams_without_tadpoles(legs, loops, expected):
    """All 1PI diagrams in which no part without legs hangs on a single vertex."""
    graphs = [g for g in family((4,), legs, loops, one_particle_irreducible=True) if not has_snail(g)]
    assert {nickel_index(g) for g in graphs} == expected


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [("ee0|", 4), ("e111|e|", 12), ("1111||", 48), ("ee11|ee|", 16), ("00|", 8), ("e123|e23|e3|e|", 24), ("0|", 2)],
)
def test_known_indices(text, symmetry):
    graph = from_nickel(text)
    assert not graph.labelled
    assert graph.symmetry_factor == symmetry
    assert nickel_index(graph) == text


def test_index_ignores_labels_kinds_fields_and_arrows():
    assert nickel_index(SUNSET) == nickel_index(SUNSET.with_exchangeable_legs()) == "e111|e|"
    assert nickel_index(SUNSET.with_kind("correlator")) == "e111|e|"
    assert nickel_index(QED) == nickel_index(ARROWS) == "e11|e|"


def test_other_numberings_are_read():
    assert nickel_index(from_nickel("1e11|e|")) == "e111|e|"
    assert nickel_index(from_nickel("22|ee2|e|")) == "ee1|e22||"
    assert nickel_index(from_nickel("11|ee2|e2|")) == index_by_brute_force(from_nickel("11|ee2|e2|"))


@pytest.mark.parametrize(
    ("source", "start"),
    [
        (nx.complete_graph(8), "1234567|234567|34567|4567|567|67|7||"),
        (nx.cycle_graph(24), "12|3|4|5|6|7|8|9|A|B|C|D|E|F|G|H|I|J|K|L|M|N|N||"),
        (nx.dodecahedral_graph(), "123|45|67|"),
        (nx.hypercube_graph(4), "1234|"),
    ],
    ids=["K8", "24-cycle", "dodecahedron", "4-cube"],
)
def test_symmetric_and_large_graphs(source, start):
    plain = nx.convert_node_labels_to_integers(source)
    graph = FeynmanGraph(0, tuple(plain.edges), labelled=False)
    text = nickel_index(graph)
    assert text.startswith(start)
    assert from_nickel(text) == graph


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "also the last; got ''"),
        ("ee11|ee", ValueError, r"ends with '\|'"),
        ("ee11-ee|", ValueError, r"got \['-'\]"),
        ("e1a|e|", ValueError, r"got \['a'\]"),
        ("ee1 |e|", ValueError, r"got \[' '\]"),
        ("ee12|e|", ValueError, "line to vertex 2, but only 2 end"),
        ("ee1|0|", ValueError, "vertex 1 .* lists the earlier vertex 0"),
        ("ee0||", ValueError, r"vertices \[1\] do not"),
        ("|", ValueError, r"vertices \[0\] do not"),
        (b"ee0|", TypeError, "a str such as"),
        (None, TypeError, "got None"),
    ],
    ids=repr,
)
def test_invalid_indices(text, error, message):
    with pytest.raises(error, match=message):
        from_nickel(text)


def test_diagrams_without_index():
    with pytest.raises(ValueError, match="two legs are joined directly"):
        nickel_index(FeynmanGraph(2, ((0, 1),)))
    ring = FeynmanGraph(0, tuple((i, (i + 1) % 37) for i in range(37)))
    with pytest.raises(ValueError, match=r"at most 36 vertices .* got 37"):
        nickel_index(ring)


# --- networkx -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [SUNSET, MIXED, NAMED_FIELDS, ARROWS, FeynmanGraph(2, ((0, 1),))], ids=str)
def test_networkx_round_trip(graph):
    assert from_networkx(graph.graph) == graph
    assert from_networkx(graph.graph, labelled=False) == graph.with_exchangeable_legs()


def test_networkx_round_trip_of_many():
    shuffle = np.random.default_rng(1)
    for graph in enumerate_diagrams(valences=(3, 4), legs=3, loops=1, connected=False):
        drawn = graph.graph
        nodes = list(drawn)
        mixed = nx.MultiGraph()
        mixed.add_nodes_from((nodes[i], drawn.nodes[nodes[i]]) for i in shuffle.permutation(len(nodes)))
        mixed.add_edges_from(drawn.edges(data=True))
        assert from_networkx(mixed) == graph


def test_real_and_complex_fields_together():
    drawn = QED.graph
    for _, _, data in drawn.edges(data=True):
        data["directed"] = data["field"] in QED.directed
    assert from_networkx(drawn) == QED
    for _, _, data in drawn.edges(data=True):
        del data["directed"]
    assert from_networkx(drawn).directed == ("A", "psi")


def test_legs_named_marked_or_guessed():
    lines = [("a", 1), (1, 2), (1, 2), (2, "b"), ("c", 1)]
    guessed = from_networkx(nx.MultiGraph(lines))
    assert guessed == FeynmanGraph(3, ((0, 3), (3, 4), (3, 4), (4, 1), (2, 3)))
    named = from_networkx(nx.MultiGraph(lines), legs=["b", "a", "c"])
    assert named == FeynmanGraph(3, ((1, 3), (3, 4), (3, 4), (4, 0), (2, 3)))
    marked = nx.MultiGraph(lines)
    nx.set_node_attributes(marked, {"a": "leg", "b": "leg", "c": "leg"}, "kind")
    assert from_networkx(marked) == guessed
    nx.set_node_attributes(marked, {"a": 2, "b": 1, "c": 3}, "label")
    assert from_networkx(marked) == named


def test_vertices_with_a_single_line():
    source = nx.MultiGraph([("x", 1), (1, 2)])
    source.add_node(2, kind="correlator")
    graph = from_networkx(source)
    assert (graph.n_legs, sorted(graph.kinds)) == (1, ["correlator", "interaction"])
    assert from_networkx(source, legs=["x"]) == graph


def test_simple_graphs_and_no_legs():
    assert from_networkx(nx.complete_graph(4)) == FeynmanGraph(0, tuple(nx.complete_graph(4).edges))
    arrows = nx.DiGraph([(0, 1), (1, 2), (2, 0)])
    nx.set_edge_attributes(arrows, "psi", "field")
    assert from_networkx(arrows).directed == ("psi",)


def with_attributes(lines, nodes=(), cls=nx.MultiGraph):
    graph = cls()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(lines)
    return graph


LINE = [("x", 1), (1, 1)]
INVALID = {
    "not a graph": ([(0, 1)], {}, TypeError, "must be a networkx Graph"),
    "text as legs": (with_attributes(LINE), {"legs": "x"}, TypeError, "sequence of node names, got 'x'"),
    "number as legs": (with_attributes(LINE), {"legs": 1}, TypeError, "sequence of node names, got 1"),
    "unknown leg": (with_attributes(LINE), {"legs": ["y"]}, ValueError, r"\['x', 1\]; unknown node\(s\) \['y'\]"),
    "repeated leg": (with_attributes(LINE), {"legs": ["x", "x"]}, ValueError, r"repeated node\(s\) \['x', 'x'\]"),
    "degree of leg": (with_attributes(LINE), {"legs": ["x", 1]}, ValueError, r"exactly one line; .* \[1\]"),
    "degree of marked leg": (
        with_attributes(LINE, [(1, {"kind": "leg"})]),
        {},
        ValueError,
        r"exactly one line; .* \[1\]",
    ),
    "leg is a vertex": (
        with_attributes(LINE, [("x", {"kind": "interaction"})]),
        {"legs": ["x"]},
        ValueError,
        r"another kind node\(s\) \['x'\]",
    ),
    "marked but not named": (
        with_attributes([*LINE, ("y", 1)], [("y", {"kind": "leg"})]),
        {"legs": ["x"]},
        ValueError,
        r"missing node\(s\) \['y'\]",
    ),
    "dangling beside named": (
        with_attributes([*LINE, ("y", 1)]),
        {"legs": ["x"]},
        ValueError,
        r"dangling half-edge: name it in legs= .* node\(s\) \['y'\]",
    ),
    "dangling beside marked": (
        with_attributes([*LINE, ("y", 1)], [("x", {"kind": "leg"})]),
        {},
        ValueError,
        r"dangling half-edge.* \['y'\]",
    ),
    "isolated": (with_attributes(LINE, [7]), {}, ValueError, r"connect or remove node\(s\) \[7\]"),
    "unknown kind": (
        with_attributes(LINE, [(1, {"kind": "blob"})]),
        {},
        ValueError,
        r"\['leg', 'interaction', 'correlator'\].* \[1\]",
    ),
    "some labels": (
        with_attributes([*LINE, ("y", 1)], [("x", {"kind": "leg", "label": 1}), ("y", {"kind": "leg"})]),
        {},
        ValueError,
        r"not an integer at node\(s\) \['y'\]",
    ),
    "equal labels": (
        with_attributes([*LINE, ("y", 1)], [(n, {"kind": "leg", "label": 1}) for n in "xy"]),
        {},
        ValueError,
        r"the same at node\(s\) \['x', 'y'\]",
    ),
    "field": (with_attributes([("x", 1, {"field": 3}), (1, 1)]), {}, TypeError, r"is a str, .* got \[3\]"),
    "arrow without direction": (
        with_attributes([("x", 1, {"field": "psi", "directed": True}), (1, 1)]),
        {},
        ValueError,
        r"\['psi'\] have directed=True, which needs a MultiDiGraph",
    ),
    "half directed": (
        with_attributes(
            [(0, 1, {"field": "psi", "directed": True}), (1, 2, {"field": "psi", "directed": False})],
            cls=nx.MultiDiGraph,
        ),
        {},
        ValueError,
        r"fields \['psi'\] have both",
    ),
    "no lines": (nx.MultiGraph(), {}, ValueError, "at least one line"),
}


@pytest.mark.parametrize("name", INVALID)
def test_networkx_errors(name):
    graph, options, error, message = INVALID[name]
    with pytest.raises(error, match=message):
        from_networkx(graph, **options)


# --- Graphviz -----------------------------------------------------------------------------------------------------

QUOTED = r'"(?:[^"\\]|\\.)*"'
OPTIONS = rf"\[(\w+=(?:\w+|{QUOTED})(?:, \w+=(?:\w+|{QUOTED}))*)\]"


def read_dot(text):
    """Read the subset of the DOT grammar that is used: header, node and edge statements."""
    first, *body, last = text.split("\n")
    header = re.fullmatch(r"(graph|digraph) \w+ \{", first)
    assert header
    assert last == "}"
    arrow = {"graph": "--", "digraph": "->"}[header[1]]
    nodes, lines = {}, []
    for line in body:
        node = re.fullmatch(rf"  (\w+) {OPTIONS};", line)
        edge = re.fullmatch(rf"  (\w+) {arrow} (\w+)(?: {OPTIONS})?;", line)
        assert bool(node) != bool(edge), line
        if node:
            nodes[node[1]] = node[2]
        else:
            lines.append((edge[1], edge[2], edge[3] or ""))
    return nodes, lines


@pytest.mark.parametrize("graph", [SUNSET, MIXED, NAMED_FIELDS, ARROWS, QED], ids=str)
def test_dot_names_every_node_and_line(graph):
    nodes, lines = read_dot(to_dot(graph))
    n = graph.n_legs
    names = [f"x{i + 1}" for i in range(n)] + [f"v{i + 1}" for i in range(graph.n_vertices)]
    assert list(nodes) == names
    assert Counter(line[:2] for line in lines) == Counter((names[u], names[v]) for u, v in graph.edges)
    for v, kind in zip(names[n:], graph.kinds, strict=True):
        assert ("circle" in nodes[v]) == (kind == "correlator")
    for (_, _, options), f in zip(lines, graph.fields or ("",) * len(lines), strict=True):
        assert (f'label="{f}"' in options) == bool(f)
        assert ("dir=none" in options) == bool(graph.directed and f not in graph.directed)


def test_dot_is_deterministic_and_escapes_names():
    turned = FeynmanGraph(2, ((1, 2), (3, 2), (2, 3), (3, 2), (3, 0)))
    assert to_dot(turned.relabel_legs((1, 0))) == to_dot(SUNSET)
    strange = FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)), fields=('a"b', "\\psi", "\\"))
    _, lines = read_dot(to_dot(strange))
    assert sorted(options for _, _, options in lines) == [r'label="\\"', r'label="\\psi"', r'label="a\"b"']
    nodes, _ = read_dot(to_dot(SUNSET.with_exchangeable_legs()))
    assert nodes["x1"] == 'shape=plaintext, label=""'
