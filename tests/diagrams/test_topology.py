"""Shape of diagrams against networkx, all subsets of lines, rotation systems and conservation of momentum."""

from __future__ import annotations

import pickle
from itertools import combinations, permutations, product

import networkx as nx
import numpy as np
import pytest

from diagrams import FeynmanGraph, enumerate_diagrams, symbol
from diagrams.nickel import from_nickel, nickel_index
from diagrams.topology import (
    articulation_vertices,
    has_diloop,
    has_leg_correction,
    has_parallel_lines,
    has_self_energy,
    has_self_loop,
    has_snail,
    is_bipartite,
    is_cycle_irreducible,
    is_planar,
    is_simple,
    is_two_particle_irreducible,
    is_vertex_two_connected,
    loop_momentum_basis,
    subdivergences,
    superficial_degree,
)


def family(valences, legs, loops, **options):
    return list(enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=False, **options))


CONNECTED = [
    graph
    for valences, legs, loops in [
        ((4,), 0, 3),
        ((4,), 2, 3),
        ((4,), 4, 2),
        ((3,), 1, 2),
        ((3,), 2, 2),
        ((3,), 4, 1),
        ((3, 4), 0, 3),
        ((3, 4), 1, 2),
        ((3, 4), 3, 1),
        ((5, 6), 2, 2),
    ]
    for graph in family(valences, legs, loops)
] + [
    FeynmanGraph(2, ((0, 2), (2, 3), (3, 1))),  # two vertices with two lines each
    FeynmanGraph(1, ((0, 1), (1, 2))),  # a source
    FeynmanGraph(2, ((0, 1),)),
    FeynmanGraph(1, ((0, 1),)),
]
DISCONNECTED = [*family((4,), 4, 2, connected=False), *family((3,), 2, 2, connected=False)]


def inner_lines(graph):
    return [i for i, e in enumerate(graph.edges) if min(e) >= graph.n_legs]


def multigraph(graph, lines=None):
    """Return the chosen lines as a networkx graph, with edge keys that are positions in ``graph.edges``."""
    result = nx.MultiGraph()
    for i in range(len(graph.edges)) if lines is None else lines:
        result.add_edge(*graph.edges[i], key=i)
    return result


def simple_graph(graph, *, join_legs):
    """Return a simple graph with two extra nodes on every line; legs are dropped, or joined to one node."""
    result = nx.Graph()
    result.add_nodes_from(graph.vertices)
    for i, (u, v) in enumerate(graph.edges):
        if min(u, v) >= graph.n_legs:
            nx.add_path(result, [u, ("line", i, 0), ("line", i, 1), v])
        elif join_legs:
            nx.add_path(result, ["infinity", ("line", i, 0), max(u, v)])
    return result


# --- connectivity -------------------------------------------------------------------------------------------------


def test_articulation_vertices_agree_with_networkx():
    n_found = 0
    for graph in CONNECTED + DISCONNECTED:
        cuts = set(nx.articulation_points(simple_graph(graph, join_legs=False)))
        expected = tuple(v for v in graph.vertices if v in cuts)
        assert articulation_vertices(graph) == expected
        assert is_vertex_two_connected(graph) == (graph.is_connected and graph.n_vertices > 0 and not expected)
        n_found += bool(expected)
    assert 0 < n_found < len(CONNECTED)


def test_two_particle_irreducibility_by_cutting_all_pairs():
    answers = []
    for graph in CONNECTED + DISCONNECTED:
        expected = graph.n_vertices > 0 and all(
            nx.is_connected(nx.restricted_view(multigraph(graph), [], [(*graph.edges[i], i) for i in cut]))
            for r in (0, 1, 2)
            for cut in combinations(inner_lines(graph), r)
        )
        assert is_two_particle_irreducible(graph) == expected
        answers.append(expected)
    assert {True, False} == set(answers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ee11|ee|", False), ("e111|e|", True), ("111||", True), ("1111||", True), ("ee12|e22|e|", False), ("ee0|", True)],
)
def test_two_particle_irreducibility_of_known_diagrams(text, expected):
    assert is_two_particle_irreducible(from_nickel(text)) == expected


def test_snails_are_blocks_away_from_the_legs():
    """With the legs joined, a part that hangs on one vertex is a block of its own."""
    answers = []
    for graph in CONNECTED:
        if graph.n_vertices:
            blocks = nx.biconnected_components(simple_graph(graph, join_legs=graph.n_legs > 1))
            # the two extra nodes cut a bridge into three blocks; only those at different lines count
            names = {frozenset(n[1] for n in block if isinstance(n, tuple)) for block in blocks}
            expected = len(merged(names)) > 1
            assert has_snail(graph) == expected, nickel_index(graph)
            answers.append(expected)
    assert {True, False} == set(answers)


def merged(sets):
    parts = nx.Graph((a, b) for a in sets for b in sets if a & b)
    return list(nx.connected_components(parts))


@pytest.mark.parametrize(
    ("text", "snail"),
    [
        ("ee0|", True),
        ("ee11|ee|", False),
        ("e111|e|", False),
        ("ee11|1|", True),  # two loops on top of one another
        ("ee12|222||", True),  # sunset closed to a vacuum part of one vertex: 1 and 2 hang on 0
        ("e0|", False),  # all there is of a one-point diagram
        ("e1|1|", True),
        ("00|", True),  # figure eight: two blocks
        ("0|", False),
        ("111||", False),
    ],
)
def test_snails_of_known_diagrams(text, snail):
    assert has_snail(from_nickel(text)) == snail


@pytest.mark.parametrize(
    ("legs", "counts"),
    [(2, {2: 1, 3: 1, 4: 4, 5: 11, 6: 50}), (4, {1: 1, 2: 2, 3: 8, 4: 26, 5: 124, 6: 627})],
    ids=["2", "4"],
)
def test_number_of_phi4_diagrams_without_snails(legs, counts):
    """The diagrams of the massless six-loop calculation, M. V. Kompaniets and E. Panzer, arXiv:1705.06483."""
    for loops, expected in counts.items():
        graphs = family((4,), legs, loops, one_particle_irreducible=True, self_loops=False)
        assert sum(not has_snail(graph) for graph in graphs) == expected


def test_snails_of_a_disconnected_diagram():
    sunset = ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))
    assert not has_snail(FeynmanGraph(2, (*sunset, (4, 5), (4, 5), (4, 5))))
    assert has_snail(FeynmanGraph(2, (*sunset, (4, 4), (4, 4))))


def test_leg_corrections_carry_the_momentum_of_one_leg():
    answers = []
    for graph in CONNECTED + DISCONNECTED:
        routing = loop_momentum_basis(graph)
        rows = np.hstack([np.array(m, int).reshape(len(graph.edges), -1) for m in coefficients(routing)])
        outer = [rows[i] for i in range(len(graph.edges)) if i not in inner_lines(graph)]
        expected = any(
            rows[i].any() and any((rows[i] == s * leg).all() for leg in outer for s in (1, -1))
            for i in inner_lines(graph)
        )
        assert has_leg_correction(graph) == expected, nickel_index(graph)
        answers.append(expected)
    assert {True, False} == set(answers)


def test_amputated_diagrams_have_no_leg_corrections():
    for graph in family((4,), 4, 3, one_particle_irreducible=True):
        assert not has_leg_correction(graph)
    tadpole = FeynmanGraph(1, ((0, 1), (1, 2), (2, 2)))
    assert tadpole.has_tadpole
    assert not has_leg_correction(tadpole)


# --- self-energies, cycles and colours ------------------------------------------------------------------------------


def test_self_energies_are_pairs_of_lines_with_equal_momentum():
    """Away from tadpoles and vacuum parts: two lines, not both legs of a two-point diagram, carry the same momentum."""
    answers = []
    for graph in CONNECTED + family((3,), 5, 1) + family((3, 4), 2, 2):
        if graph.has_tadpole or graph.n_legs == 0:
            continue
        routing = loop_momentum_basis(graph)
        rows = np.hstack([np.array(m, int).reshape(len(graph.edges), -1) for m in coefficients(routing)])
        expected = any(
            (rows[i] == s * rows[j]).all() and max(i, j) >= graph.n_legs
            for i, j in combinations(range(len(graph.edges)), 2)
            for s in (1, -1)
            if graph.edges[i][0] != graph.edges[i][1] and graph.edges[j][0] != graph.edges[j][1] and rows[i].any()
        )
        assert has_self_energy(graph) == expected, nickel_index(graph)
        answers.append(expected)
    assert {True, False} == set(answers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e111|e|", False),  # the sunset is a self-energy, not an insertion
        ("ee11|ee|", False),
        ("ee12|e22|e|", False),
        ("ee12|ee3|333||", True),  # sunset on a line of the bubble
        ("e11|2|e|", True),  # a bubble on a leg
        ("e1|22|e|", True),
        ("ee11|1|", True),  # what hangs on the vertex is joined by two lines
        ("ee0|", False),
        ("e12|e3|33||", True),  # a bubble on the inner line
        ("e12|23|3|e|", False),  # a correction of a vertex
        ("e0|", False),
        ("e1|1|", True),  # a 2-leg vertex on the line of a tadpole
        ("e1|23|4|4|4|", True),
        ("11|1|", True),  # two loops of two vertices: each vertex with its self-loop
        ("111||", False),
        ("e1|e|", True),  # a chain of two 2-leg vertices
    ],
)
def test_self_energies_of_known_diagrams(text, expected):
    assert has_self_energy(from_nickel(text)) == expected


def test_colours_cycles_and_parallel_lines_agree_with_networkx():
    answers = []
    for graph in CONNECTED + DISCONNECTED:
        inner = multigraph(graph, inner_lines(graph))
        simple = nx.Graph(inner)
        multiple = len({frozenset(e[:2]) for e in inner.edges}) < inner.number_of_edges()
        double = any(inner.number_of_edges(u, v) > 1 for u, v in simple.edges if u != v)
        assert has_parallel_lines(graph) == multiple
        assert has_diloop(graph) == double
        assert has_self_loop(graph) == (nx.number_of_selfloops(inner) > 0)
        assert is_simple(graph) == (not multiple and nx.number_of_selfloops(inner) == 0)
        assert is_bipartite(graph) == nx.is_bipartite(simple)
        fine = simple_graph(graph, join_legs=False)  # cycles have three lines or more
        blocks = [b for b in nx.biconnected_components(fine) if len(b) > 2]
        assert is_cycle_irreducible(graph) == (len(blocks) <= 1)
        answers.append((multiple, double, is_simple(graph), is_bipartite(graph), len(blocks) <= 1))
    assert all({True, False} == set(column) for column in zip(*answers, strict=True))


# --- planarity ----------------------------------------------------------------------------------------------------


def has_planar_rotation(graph):
    """Try every cyclic order of the half-edges around every node, and count faces (Euler)."""
    nodes = {v: [] for v in graph.vertices}
    half_edges = [(v if v >= graph.n_legs else -1) for e in graph.edges for v in e]
    if graph.n_legs:
        nodes[-1] = []
    for h, v in enumerate(half_edges):
        nodes[v].append(h)
    orders = [[(hs[0], *rest) for rest in permutations(hs[1:])] for hs in nodes.values()]
    for rotation in product(*orders):
        following = {h: hs[(i + 1) % len(hs)] for hs in rotation for i, h in enumerate(hs)}
        n_faces, seen = 0, set()
        for h in range(len(half_edges)):
            n_faces += h not in seen
            while h not in seen:
                seen.add(h)
                h = following[h ^ 1]
        if len(nodes) - len(graph.edges) + n_faces == 2:
            return True
    return False


@pytest.mark.parametrize(
    ("valences", "legs", "loops"), [((3,), 0, 4), ((3,), 2, 2), ((3,), 4, 1), ((3,), 3, 2), ((4,), 4, 2), ((4,), 4, 3)]
)
def test_planarity_by_rotation_systems(valences, legs, loops):
    graphs = family(valences, legs, loops, one_particle_irreducible=True, self_loops=False)
    for graph in graphs[-8:]:
        assert is_planar(graph) == has_planar_rotation(graph), nickel_index(graph)


def test_planarity_of_known_diagrams():
    def box_ladder(*rungs):
        sides = ((4, 5), (5, 6), (7, 8), (8, 9))
        return FeynmanGraph(4, ((0, 4), (1, 6), (2, 7), (3, 9), *sides, *rungs))

    assert is_planar(box_ladder((4, 7), (5, 8), (6, 9)))
    crossed = FeynmanGraph(4, ((0, 4), (1, 5), (2, 6), (3, 8), (4, 5), (5, 7), (7, 6), (6, 9), (9, 8), (8, 7), (4, 9)))
    assert not is_planar(crossed)
    assert is_planar(from_nickel("123|23|3||"))
    assert not is_planar(from_nickel("e123|e23|e3|e|")), "K4 and the point at infinity are K5"
    assert not is_planar(FeynmanGraph(0, tuple(nx.complete_graph(5).edges)))
    assert not is_planar(FeynmanGraph(0, tuple(nx.complete_bipartite_graph(3, 3).edges)))
    assert is_planar(FeynmanGraph(2, ((0, 1),)))
    assert is_planar(FeynmanGraph(2, ((0, 2), (1, 2), (2, 2))))


# --- divergent subgraphs ------------------------------------------------------------------------------------------


def brute_force_subgraphs(graph, dimension):
    inner = inner_lines(graph)
    found = []
    for r in range(1, len(inner)):
        for lines in combinations(inner, r):
            part = multigraph(graph, lines)
            n_loops = r - len(part) + 1
            bridgeless = nx.is_connected(part) and all(
                nx.is_connected(nx.restricted_view(part, [], [(*graph.edges[i], i)])) for i in lines
            )
            if bridgeless and dimension * n_loops - 2 * r >= 0:
                found.append((lines, tuple(sorted(part)), n_loops))
    return sorted(found)


@pytest.mark.parametrize("dimension", [2, 4, 6])
def test_subdivergences_by_trying_all_sets_of_lines(dimension):
    for graph in [*CONNECTED, *DISCONNECTED[:10], *family((4,), 4, 3, one_particle_irreducible=True)]:
        if len(graph.internal_edges) < 8:
            found = subdivergences(graph, dimension=dimension)
            assert sorted((s.lines, s.vertices, s.n_loops) for s in found) == brute_force_subgraphs(graph, dimension)
            assert [s.n_loops for s in found] == sorted(s.n_loops for s in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ee11|ee|", []),
        ("ee0|", []),
        ("e111|e|", [(1, 4, 0)] * 3),
        ("ee11|22|ee|", [(1, 4, 0)] * 2),
        ("ee12|e22|e|", [(1, 4, 0)]),  # the pair of lines; the triangles with three lines converge
        ("ee11|1|", [(1, 4, 0), (1, 2, 2)]),  # the bubble below, and the self-loop on top
        ("e123|e23|e3|e|", []),  # primitive, 6 zeta(3)
        ("ee11|22|33|ee|", [(1, 4, 0)] * 3 + [(2, 4, 0)] * 2),  # bubbles and pairs of adjacent ones
        ("ee12|ee3|333||", [(1, 4, 0)] * 3 + [(2, 2, 2)]),  # sunset on a line of the bubble
    ],
)
def test_subdivergences_of_phi4_in_four_dimensions(text, expected):
    found = subdivergences(from_nickel(text))
    assert [(s.n_loops, s.n_legs, s.degree) for s in found] == expected


def test_subdivergences_of_phi3_in_six_dimensions():
    # the self-energy with a vertex correction: two overlapping triangles of degree 6 - 6, a square of 6 - 8
    found = subdivergences(from_nickel("e12|23|3|e|"), dimension=6)
    assert [(s.n_loops, s.n_legs, s.degree, len(s.vertices)) for s in found] == [(1, 3, 0, 3)] * 2


def test_degree_counts_legs_in_renormalisable_theories():
    """D L - 2 I = 4 - E for phi^4 in four dimensions, 6 - 2 E for phi^3 in six."""
    for graph in family((4,), 4, 3) + family((4,), 2, 3):
        assert superficial_degree(graph) == 4 - graph.n_legs
        assert all(s.degree == 4 - s.n_legs for s in subdivergences(graph))
    for graph in family((3,), 3, 2):
        assert superficial_degree(graph, dimension=6) == 6 - 2 * graph.n_legs
        assert all(s.degree == 6 - 2 * s.n_legs for s in subdivergences(graph, dimension=6))


@pytest.mark.parametrize(
    ("dimension", "error"), [(0, ValueError), (-4, ValueError), (4.0, TypeError), (True, TypeError)]
)
def test_dimension_is_checked(dimension, error):
    sunset = from_nickel("e111|e|")
    for function in (subdivergences, superficial_degree):
        with pytest.raises(error, match=f"dimension .* got {dimension!r}"):
            function(sunset, dimension=dimension)


# --- momenta ------------------------------------------------------------------------------------------------------


def coefficients(routing):
    return routing.loop_coefficients, routing.external_coefficients


def incidence(graph):
    matrix = np.zeros((graph.n_legs + graph.n_vertices, len(graph.edges)), int)
    for i, (u, v) in enumerate(graph.edges):
        matrix[u, i] -= 1
        matrix[v, i] += 1
    return matrix


COMPLEX = FeynmanGraph(2, ((0, 2), (2, 3), (3, 1), (3, 2)), fields=("psi", "psi", "psi", "A"), directed=("psi",))
BACKWARDS = FeynmanGraph(2, ((2, 0), (2, 3), (1, 3), (2, 3)), fields=("psi",) * 4, directed=("psi",))
ARROWED_LOOP = FeynmanGraph(0, ((0, 1), (1, 0)), fields=("psi", "psi"), directed=("psi",))


@pytest.mark.parametrize(
    "graphs",
    [CONNECTED, DISCONNECTED, family((4,), 4, 3), [COMPLEX, BACKWARDS, ARROWED_LOOP]],
    ids=["connected", "disconnected", "phi4", "arrows"],
)
def test_momentum_is_conserved(graphs):
    for graph in graphs:
        routing = loop_momentum_basis(graph)
        n, L = graph.n_legs, graph.n_loops
        loops, legs = (np.array(m, int).reshape(len(graph.edges), -1) for m in coefficients(routing))
        assert loops.shape == (len(graph.edges), L)
        assert legs.shape == (len(graph.edges), n)
        flow = incidence(graph)
        assert not (flow[n:] @ loops).any()
        assert not (flow[n:] @ legs).any()
        assert not (flow[:n] @ loops).any()
        assert set(np.unique(loops)) | set(np.unique(legs)) <= {-1, 0, 1}
        # what leaves leg i is p_i, and the last leg of a component supplies minus the others
        parts = [sorted(c) for c in nx.connected_components(multigraph(graph))]
        supplied = np.eye(n, dtype=int)
        for part in parts:
            outer = [v for v in part if v < n]
            if outer:
                supplied[outer[-1]] = [-int(j in outer[:-1]) for j in range(n)]
        assert (-flow[:n] @ legs == supplied).all()


def test_chords_and_trees():
    for graph in CONNECTED + DISCONNECTED:
        routing = loop_momentum_basis(graph)
        assert len(routing.chords) == graph.n_loops
        assert sorted(routing.chords + routing.tree) == list(range(len(graph.edges)))
        rest = multigraph(graph, routing.tree)
        rest.add_nodes_from(range(graph.n_legs + graph.n_vertices))
        assert nx.is_forest(rest)
        assert nx.number_connected_components(rest) == graph.n_components
        for k, line in enumerate(routing.chords):
            assert routing.loop_coefficients[line] == tuple(int(j == k) for j in range(graph.n_loops))
            assert not any(routing.external_coefficients[line])


def test_external_momenta_flow_along_shortest_paths():
    for graph in CONNECTED:
        routing = loop_momentum_basis(graph)
        for leg in range(graph.n_legs - 1):
            carriers = [i for i, row in enumerate(routing.external_coefficients) if row[leg]]
            assert len(carriers) == nx.shortest_path_length(multigraph(graph), leg, graph.n_legs - 1)


def test_external_momenta_share_lines():
    # from 0 to 3 on either side of the square; both momenta that enter at 0 and 1 pass the same corner
    square = FeynmanGraph(3, ((0, 3), (3, 4), (3, 5), (4, 6), (5, 6), (1, 5), (6, 2)))
    routing = loop_momentum_basis(square)
    carriers = [i for i in inner_lines(square) if any(routing.external_coefficients[i])]
    assert len(carriers) == 2


def test_momenta_as_expressions_and_latex():
    routing = loop_momentum_basis(FeynmanGraph(4, ((0, 4), (1, 4), (4, 5), (4, 5), (5, 2), (5, 3))))
    p1, p2, p3, l1 = (symbol(s) for s in ("p_1", "p_2", "p_3", "l_1"))
    assert routing.momenta == (p1, p2, p3, -p1 - p2 - p3, p1 + p2 - l1, l1)
    assert routing.latex[3:] == ("-p_{1} - p_{2} - p_{3}", "-l_{1} + p_{1} + p_{2}", "l_{1}")
    assert routing._repr_latex_().startswith(r"$\displaystyle \begin{array}{rl}x_{1} \to 1: & p_{1} \\ x_{2} \to 1: & ")
    tadpole = loop_momentum_basis(FeynmanGraph(1, ((0, 1), (1, 2), (2, 2))))
    assert tadpole.momenta == (0, 0, l1)
    assert tadpole.latex == ("0", "0", "l_{1}")
    for graph in CONNECTED[:40]:
        routing = loop_momentum_basis(graph)
        symbols = [symbol(f"l_{k + 1}") for k in range(graph.n_loops)] + [
            symbol(f"p_{k + 1}") for k in range(graph.n_legs)
        ]
        for i, momentum in enumerate(routing.momenta):
            row = routing.loop_coefficients[i] + routing.external_coefficients[i]
            assert [momentum.coeff(s) for s in symbols] == list(row)


def test_results_are_values():
    sunset = from_nickel("e111|e|")
    assert loop_momentum_basis(sunset) == loop_momentum_basis(from_nickel("e111|e|"))
    assert len({loop_momentum_basis(sunset), *subdivergences(sunset)}) == 4
    for value in (loop_momentum_basis(sunset), subdivergences(sunset)):
        assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(AttributeError):
        subdivergences(sunset)[0].degree = 3
