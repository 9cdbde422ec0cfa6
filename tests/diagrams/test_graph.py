"""FeynmanGraph against brute force over half-edges, orbits of labellings and networkx."""

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import suppress
from itertools import permutations
from math import factorial

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams.cumulants import pairings
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph

# --- independent routes -------------------------------------------------------------------------------------------


def brute_force_symmetry(graph):
    """Count the permutations of half-edges that keep lines, fields, arrows, vertices, kinds and labelled legs."""
    node, partner, role = [], [], []
    for (u, v), f in zip(graph.edges, graph.fields or [""] * len(graph.edges), strict=True):
        arrow = f in graph.directed
        node += [u, v]
        partner += [len(partner) + 1, len(partner)]
        role += [(f, "out" if arrow else ""), (f, "in" if arrow else "")]
    colour = []
    for h, place in enumerate(node):
        if place >= graph.n_legs:
            colour.append((graph.kinds[place - graph.n_legs], role[h]))
        else:
            colour.append(("leg", place if graph.labelled else 0, role[h]))
    n = len(node)
    image = [-1] * n

    def fits(h, target):
        if colour[h] != colour[target]:
            return False
        for other in range(h):
            if (node[h] == node[other]) != (node[target] == node[image[other]]):
                return False
        return partner[h] > h or image[partner[h]] == partner[target]

    def count(h):
        if h == n:
            return 1
        total = 0
        for target in range(n):
            if target not in image[:h] and fits(h, target):
                image[h] = target
                total += count(h + 1)
        image[h] = -1
        return total

    return count(0)


def is_isomorphic(a, b, *, fixed_legs=True):
    """Try every renumbering of the vertices (and of the legs, unless they are fixed)."""
    if (a.n_legs, a.n_vertices, len(a.edges)) != (b.n_legs, b.n_vertices, len(b.edges)):
        return False
    goal = described_lines(b, range(b.n_legs + b.n_vertices))
    legs = [tuple(range(a.n_legs))] if fixed_legs else permutations(range(a.n_legs))
    for leg in legs:
        for places in permutations(range(a.n_legs, a.n_legs + a.n_vertices)):
            kinds = all(a.kinds[i] == b.kinds[p - a.n_legs] for i, p in enumerate(places))
            if kinds and described_lines(a, [*leg, *places]) == goal:
                return True
    return False


def described_lines(graph, place):
    fields = graph.fields or ("",) * len(graph.edges)
    lines = Counter()
    for (u, v), f in zip(graph.edges, fields, strict=True):
        ends = (place[u], place[v])
        lines[(ends if f in graph.directed else tuple(sorted(ends))), f] += 1
    return lines


def all_graphs(n_legs, degrees, labelled=True):
    """Return every graph with given vertex degrees, from all pairings of half-edges."""
    owner = [*range(n_legs)] + [n_legs + v for v, d in enumerate(degrees) for _ in range(d)]
    seen = {}
    for pairing in pairings(range(len(owner))):
        edges = tuple(sorted(tuple(sorted((owner[a], owner[b]))) for a, b in pairing))
        seen.setdefault(edges, None)
    return [FeynmanGraph(n_legs, edges, labelled=labelled) for edges in seen]


def as_networkx(graph):
    result = nx.MultiGraph()
    result.add_nodes_from(range(graph.n_legs + graph.n_vertices))
    result.add_edges_from(graph.edges)
    return result


def cuts(graph):
    """Return, for every internal line, the components that its removal leaves and how many there were before."""
    found = []
    whole = as_networkx(graph)
    before = nx.number_connected_components(whole)
    for i, (u, v) in enumerate(graph.edges):
        if min(u, v) >= graph.n_legs:
            rest = whole.copy()
            key = sum((u, v) == e for e in graph.edges[:i])
            rest.remove_edge(u, v, key)
            parts = [nx.node_connected_component(rest, w) for w in (u, v)]
            found.append((before, nx.number_connected_components(rest), parts))
    return found


SMALL = [
    (0, (4,)),
    (0, (3, 3)),
    (0, (6,)),
    (0, (4, 4)),
    (0, (5, 5)),
    (0, (3, 3, 4)),
    (1, (3,)),
    (1, (5,)),
    (1, (3, 4)),
    (2, ()),
    (2, (4,)),
    (2, (3, 3)),
    (2, (4, 4)),
    (2, (3, 3, 4)),
    (3, (3,)),
    (3, (3, 4)),
    (4, (4,)),
    (4, (3, 3)),
    (4, ()),
    (4, (8,)),
    (5, (3,)),
    (5, (5,)),
]
SMALL_IDS = [f"{n} legs, vertices {d}" for n, d in SMALL]

QED = FeynmanGraph(
    2, ((0, 2), (2, 3), (3, 1), (2, 3)), fields=("psi", "psi", "psi", "A"), directed=("psi",)
)  # one-loop self-energy
ARROWED_BUBBLE = FeynmanGraph(0, ((0, 1), (1, 0), (0, 1)), fields=("psi", "psi", "A"), directed=("psi",))
ARROWED_LOOPS = FeynmanGraph(0, ((0, 0), (0, 0)), fields=("psi", "psi"), directed=("psi",))
MIXED_LOOPS = FeynmanGraph(0, ((0, 0), (0, 0), (0, 0)), fields=("psi", "A", "A"), directed=("psi",))
TWO_SORTS = FeynmanGraph(0, ((0, 1), (0, 1), (0, 1), (0, 1)), kinds=(INTERACTION, CORRELATOR))
BOX = FeynmanGraph(4, ((0, 4), (1, 5), (2, 6), (3, 7), (4, 5), (5, 6), (6, 7), (7, 4)), labelled=False)
TREE = FeynmanGraph(4, ((0, 4), (1, 4), (2, 5), (3, 5), (4, 5)), labelled=False)
SUNSET = FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1)))


# --- symmetry factors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_legs", "degrees"), SMALL, ids=SMALL_IDS)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_symmetry_factor_is_number_of_half_edge_permutations(n_legs, degrees, labelled):
    for graph in set(all_graphs(n_legs, degrees, labelled)):
        assert graph.symmetry_factor == brute_force_symmetry(graph), graph


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (SUNSET, 6),
        (FeynmanGraph(0, ((0, 0), (0, 0))), 8),
        (FeynmanGraph(0, ((0, 1), (0, 1), (0, 1))), 12),
        (FeynmanGraph(0, ((0, 0), (0, 1), (1, 1))), 8),
        (FeynmanGraph(0, ((0, 1), (0, 1), (0, 1), (0, 1))), 48),
        (QED, 1),
        (ARROWED_BUBBLE, 2),
        (ARROWED_LOOPS, 2),
        (MIXED_LOOPS, 8),
        (TWO_SORTS, 24),
        (TWO_SORTS.with_kind(CORRELATOR), 48),
        (BOX, 8),
        (TREE, 8),
        (FeynmanGraph(2, ((0, 1),), labelled=False), 2),
        (FeynmanGraph(2, ((0, 1),), fields=("psi",), directed=("psi",), labelled=False), 1),
        (FeynmanGraph(4, ((0, 1), (2, 3)), labelled=False), 8),
    ],
    ids=[
        "sunset",
        "figure eight",
        "theta",
        "dumbbell",
        "basketball",
        "QED self-energy",
        "QED vacuum",
        "two arrowed self-loops",
        "arrowed and plain self-loops",
        "basketball of two kinds",
        "basketball of one kind",
        "box",
        "tree",
        "bare propagator",
        "bare arrow",
        "two bare propagators",
    ],
)
def test_known_symmetry_factors(graph, expected):
    assert graph.symmetry_factor == expected == brute_force_symmetry(graph)


@st.composite
def decorated_graphs(draw):
    """Draw any small graph: self-loops, multiple lines, two fields of which one may be directed, two kinds."""
    n_legs = draw(st.integers(0, 3))
    n_vertices = draw(st.integers(1, 4))
    vertex = st.integers(n_legs, n_legs + n_vertices - 1)
    edges = [(leg, draw(vertex)) for leg in range(n_legs)]
    edges += [(v, draw(vertex)) for v in range(n_legs, n_legs + n_vertices)]
    edges += draw(st.lists(st.tuples(vertex, vertex), max_size=2))
    edges = [draw(st.permutations(e)) for e in edges]
    fields = [draw(st.sampled_from(["psi", "A"])) for _ in edges]
    directed = ("psi",) if "psi" in fields and draw(st.booleans()) else ()
    kinds = [draw(st.sampled_from([INTERACTION, CORRELATOR])) for _ in range(n_vertices)]
    return n_legs, [tuple(e) for e in edges], kinds, fields, directed, draw(st.booleans())


def build(parts):
    n_legs, edges, kinds, fields, directed, labelled = parts
    return FeynmanGraph(n_legs, tuple(edges), tuple(kinds), tuple(fields), directed, labelled)


@settings(max_examples=150, deadline=None)
@given(decorated_graphs())
def test_decorated_symmetry_factor_is_number_of_half_edge_permutations(parts):
    graph = build(parts)
    assert graph.symmetry_factor == brute_force_symmetry(graph)


@settings(max_examples=150, deadline=None)
@given(decorated_graphs(), st.randoms(use_true_random=False))
def test_renumbering_vertices_gives_an_equal_graph(parts, random):
    n_legs, edges, kinds, fields, directed, labelled = parts
    graph = build(parts)
    legs = list(range(n_legs))
    if not labelled:
        random.shuffle(legs)
    places = list(range(n_legs, n_legs + len(kinds)))
    random.shuffle(places)
    move = legs + places
    moved_kinds = [""] * len(kinds)
    for v, kind in enumerate(kinds):
        moved_kinds[places[v] - n_legs] = kind
    lines = [((move[u], move[v]), f) for (u, v), f in zip(edges, fields, strict=True)]
    random.shuffle(lines)
    lines = [(e if f in directed or random.random() < 0.5 else e[::-1], f) for e, f in lines]
    moved = build((n_legs, [e for e, _ in lines], moved_kinds, [f for _, f in lines], directed, labelled))
    assert moved == graph
    assert hash(moved) == hash(graph)
    assert moved.edges == graph.edges
    assert pickle.loads(pickle.dumps(moved)) == graph


@settings(max_examples=150, deadline=None)
@given(decorated_graphs(), decorated_graphs(), st.randoms(use_true_random=False))
def test_equal_exactly_when_isomorphic(first, second, random):
    a = build(first)
    others = [build(second)]
    # a near miss: the same graph with two line ends exchanged
    edges = [list(e) for e in first[1]]
    i, j = random.randrange(len(edges)), random.randrange(len(edges))
    edges[i][1], edges[j][1] = edges[j][1], edges[i][1]
    with suppress(ValueError):  # a leg may have been joined to itself
        others.append(build((first[0], [tuple(e) for e in edges], *first[2:])))
    for b in others:
        comparable = a.directed == b.directed and a.labelled == b.labelled
        assert (a == b) == (comparable and is_isomorphic(a, b, fixed_legs=a.labelled))


@pytest.mark.parametrize(("n_legs", "degrees"), SMALL, ids=SMALL_IDS)
def test_small_graphs_are_equal_exactly_when_isomorphic(n_legs, degrees):
    classes = []
    for graph in all_graphs(n_legs, degrees):
        twins = [c for c in classes if is_isomorphic(graph, c)]
        assert (graph in set(classes)) == bool(twins)
        if not twins:
            classes.append(graph)
    assert len(set(classes)) == len(classes)


# --- legs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_legs", "degrees"), [c for c in SMALL if c[0] > 1], ids=[i for i in SMALL_IDS if i[0] > "1"]
)
def test_labelled_versions_are_complete_and_distinct(n_legs, degrees):
    everything = set(all_graphs(n_legs, degrees))
    covered = set()
    for graph in set(all_graphs(n_legs, degrees, labelled=False)):
        versions = [graph.relabel_legs(p) for p in graph.labelled_versions()]
        assert graph.labelled_versions()[0] == tuple(range(n_legs))
        assert len(versions) == len(set(versions)) == graph.multiplicity
        for a in range(len(versions)):
            assert not any(is_isomorphic(versions[a], versions[b]) for b in range(a))
        orbit = {graph.relabel_legs(p) for p in permutations(range(n_legs))}
        assert set(versions) == orbit
        # orbit and stabiliser: n! labellings fall into `multiplicity` orbits of the leg permutations in Aut
        for version in versions:
            assert graph.multiplicity * graph.symmetry_factor == factorial(n_legs) * version.symmetry_factor
            assert version.with_exchangeable_legs() == graph
        assert not covered & orbit
        covered |= orbit
    assert covered == everything


def test_labelled_graph_stands_for_itself():
    assert SUNSET.multiplicity == 1
    assert SUNSET.relabel_legs((1, 0)) == SUNSET
    assert TREE.multiplicity == 3
    assert BOX.multiplicity == 3
    assert TREE.relabel_legs((0, 2, 1, 3)) != TREE.relabel_legs((0, 1, 2, 3))


@pytest.mark.parametrize("permutation", [(0,), (0, 0), (0, 2), (0, 1, 2), (1, 2)], ids=str)
def test_relabelling_needs_a_permutation(permutation):
    with pytest.raises(ValueError, match=r"each of 0 \.\. 1 once"):
        SUNSET.relabel_legs(permutation)


# --- highly symmetric graphs --------------------------------------------------------------------------------------

NAMED = {
    "K5": (nx.complete_graph(5), 120),
    "Petersen": (nx.petersen_graph(), 120),
    "K33": (nx.complete_bipartite_graph(3, 3), 72),
    "3-cube": (nx.hypercube_graph(3), 48),
    "4-cube": (nx.hypercube_graph(4), 384),
    "dodecahedron": (nx.dodecahedral_graph(), 120),
    "Heawood": (nx.heawood_graph(), 336),
    "K8": (nx.complete_graph(8), 40320),
    "24-cycle": (nx.cycle_graph(24), 48),
    "two K4": (nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4)), 1152),
    "shrikhande-like rook": (nx.line_graph(nx.complete_bipartite_graph(4, 4)), 1152),
}


@pytest.mark.parametrize("name", NAMED)
def test_automorphisms_of_named_graphs(name):
    source, expected = NAMED[name]
    plain = nx.convert_node_labels_to_integers(source)
    graph = FeynmanGraph(0, tuple(plain.edges))
    assert graph.symmetry_factor == expected
    shuffled = np.random.default_rng(0).permutation(len(plain)).tolist()
    again = FeynmanGraph(0, tuple((shuffled[v], shuffled[u]) for u, v in plain.edges))
    assert again == graph
    assert again.symmetry_factor == expected


def test_graphs_that_refinement_cannot_tell_apart_differ():
    """The 4 x 4 rook's graph and the Shrikhande graph are strongly regular with equal parameters."""
    square = [(i, j) for i in range(4) for j in range(4)]
    steps = [(0, 1), (1, 0), (1, 1)]
    shrikhande = [(square.index((i, j)), square.index(((i + a) % 4, (j + b) % 4))) for i, j in square for a, b in steps]
    rook = [
        (u, v) for u, a in enumerate(square) for v, b in enumerate(square) if u < v and (a[0] == b[0]) != (a[1] == b[1])
    ]
    first, second = FeynmanGraph(0, tuple(shrikhande)), FeynmanGraph(0, tuple(rook))
    assert (first.symmetry_factor, second.symmetry_factor) == (192, 1152)
    assert first != second


# --- shape --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_legs", "degrees"), SMALL, ids=SMALL_IDS)
def test_predicates_agree_with_networkx(n_legs, degrees):
    for graph in set(all_graphs(n_legs, degrees)):
        plain = as_networkx(graph)
        components = nx.number_connected_components(plain)
        bridge = any(after > before for before, after, _ in cuts(graph))
        assert graph.n_components == components
        assert graph.is_connected == nx.is_connected(plain)
        assert graph.n_loops == plain.number_of_edges() - plain.number_of_nodes() + components
        assert graph.n_self_loops == nx.number_of_selfloops(plain)
        assert graph.valences == tuple(plain.degree(v) for v in graph.vertices)
        assert graph.has_bridge == bridge
        assert graph.is_one_particle_irreducible == (nx.is_connected(plain) and not bridge and bool(degrees))
        tadpole = any(
            after > before and any(min(part) >= n_legs for part in parts) for before, after, parts in cuts(graph)
        )
        assert graph.has_tadpole == tadpole
        assert len(graph.internal_edges) + len(graph.external_edges) == len(graph.edges)
        assert all(min(e) >= n_legs for e in graph.internal_edges)


def test_shape_of_known_diagrams():
    lollipop = FeynmanGraph(1, ((0, 1), (1, 2), (2, 2)))
    assert (lollipop.has_tadpole, lollipop.has_bridge, lollipop.is_one_particle_irreducible) == (True, True, False)
    bubble = FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)))
    assert (bubble.has_tadpole, bubble.n_self_loops, bubble.is_one_particle_irreducible) == (False, 1, True)
    propagator = FeynmanGraph(2, ((0, 1),))
    assert (propagator.is_one_particle_irreducible, propagator.n_vertices, propagator.n_loops) == (False, 0, 0)
    chain = FeynmanGraph(2, ((0, 2), (2, 2), (2, 3), (3, 3), (3, 1)))
    assert (chain.has_bridge, chain.has_tadpole) == (True, False)
    opposite = FeynmanGraph(0, ((0, 1), (1, 0)), fields=("psi", "psi"), directed=("psi",))
    assert not opposite.has_bridge


@pytest.mark.parametrize("graph", [SUNSET, BOX, TWO_SORTS, FeynmanGraph(1, ((0, 1), (1, 1)))], ids=str)
def test_networkx_attributes(graph):
    drawn = graph.graph
    assert type(drawn) is nx.MultiGraph
    legs = [f"x{i + 1}" for i in range(graph.n_legs)]
    numbers = list(range(1, graph.n_vertices + 1))
    assert list(drawn) == legs + numbers
    assert [drawn.nodes[x] for x in legs] == [{"kind": "leg", "label": i + 1} for i in range(graph.n_legs)]
    assert [drawn.nodes[v]["kind"] for v in numbers] == list(graph.kinds)
    assert [drawn.nodes[v]["valence"] for v in numbers] == [drawn.degree(v) for v in numbers]
    names = legs + numbers
    expected = Counter(frozenset((names[u], names[v])) for u, v in graph.edges)
    assert Counter(frozenset((u, v)) for u, v in drawn.edges()) == expected
    for u, v, data in drawn.edges(data=True):
        assert data == {"field": "", "external": isinstance(u, str) or isinstance(v, str)}
    drawn.remove_node(names[0])
    assert names[0] in graph.graph, "every access makes a new networkx graph"


def test_networkx_keeps_arrows_and_fields():
    drawn = QED.graph
    assert type(drawn) is nx.MultiDiGraph
    arrows = [(u, v) for u, v, f in drawn.edges(data="field") if f == "psi"]
    inner = next(v for u, v in arrows if u == "x1")
    assert nx.is_directed_acyclic_graph(nx.DiGraph(arrows))
    assert Counter(arrows) == Counter([("x1", inner), (inner, 3 - inner), (3 - inner, "x2")])
    assert [f for _, _, f in drawn.edges(data="field")].count("A") == 1


def test_arrows_distinguish():
    there = FeynmanGraph(2, ((0, 2), (2, 1), (2, 2)), fields=("psi", "psi", "psi"), directed=("psi",))
    back = FeynmanGraph(2, ((2, 0), (1, 2), (2, 2)), fields=("psi", "psi", "psi"), directed=("psi",))
    assert there != back
    assert there == back.relabel_legs((1, 0))
    assert there.with_exchangeable_legs() == back.with_exchangeable_legs()


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [SUNSET, QED, BOX, TWO_SORTS, ARROWED_LOOPS], ids=str)
def test_pickle_round_trip(graph):
    again = pickle.loads(pickle.dumps(graph))
    assert again == graph
    assert hash(again) == hash(graph)
    assert again.symmetry_factor == graph.symmetry_factor
    assert again.labelled_versions() == graph.labelled_versions()


def test_graphs_are_frozen_ordered_values():
    with pytest.raises(AttributeError):
        SUNSET.n_legs = 3
    tadpole = FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)))
    assert sorted([SUNSET, tadpole]) == sorted([tadpole, SUNSET])
    assert len({SUNSET, pickle.loads(pickle.dumps(SUNSET)), tadpole}) == 2
    assert SUNSET.with_kind(CORRELATOR) != SUNSET
    assert SUNSET.with_exchangeable_legs() != SUNSET
    assert SUNSET.with_kind(CORRELATOR).with_kind(INTERACTION) == SUNSET


def test_text_names_lines_loops_and_symmetry():
    assert str(SUNSET) == "[x1-1 x2-2 1-2*3] loops=2 symmetry=6"
    assert str(FeynmanGraph(0, ((0, 0), (0, 0)))) == "[1-1*2] loops=2 symmetry=8"


def test_numpy_integers_are_integers():
    edges = np.array([[0, 2], [2, 1], [2, 2]])
    assert FeynmanGraph(int(np.int64(2)), tuple(map(tuple, edges))) == FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)))
    assert FeynmanGraph(np.int64(2), [list(e) for e in edges.tolist()]) == FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)))
