"""Other generators graph by graph, a million graphs against the generating functions, orbits against stabilisers.

FeynGraph and Symbolica are no dependencies: their tests are skipped where they are missing. Without a licence one
process at a time may run Symbolica, so that all of its graphs come from one process, started once. Two things are not
asked of them: vacuum graphs of FeynGraph 0.1.0b4, which leaves out some of vertices of different degrees (two vertices
of degrees 3 and 5 with three lines between them), and 1PI graphs with one leg of Symbolica 3.0, which counts that leg
as a bridge.
"""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import permutations
from math import factorial, prod

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams import FeynmanGraph, count_diagrams, enumerate_diagrams, qed, total_weight, yukawa

MOST = 2000  # graphs of a random model


def random_requests(seed, number):
    """Draw sets of valences, legs and loops with some, but not too many, connected diagrams."""
    rng = random.Random(seed)
    found = []
    while len(found) < number:
        valences = tuple(sorted(rng.sample(range(3, 9), rng.randint(1, 4))))
        legs, loops = rng.randint(0, 6), rng.randint(0, 5)
        irreducible = rng.random() < 0.3
        if legs + 2 * (loops - 1) > 8 or (legs, loops) == (2, 0) or (valences, legs, loops, irreducible) in found:
            continue
        n = count_diagrams(valences=valences, legs=legs, loops=loops, one_particle_irreducible=irreducible)
        if 3 <= n <= MOST:
            found.append((valences, legs, loops, irreducible))
    return found


REQUESTS = random_requests(7, 24)
IDS = [f"{v}, {n} legs, {loops} loops{', 1PI' if i else ''}" for v, n, loops, i in REQUESTS]


def ours(valences, legs, loops, irreducible):
    diagrams = enumerate_diagrams(valences=valences, legs=legs, loops=loops, one_particle_irreducible=irreducible)
    found = {d: d.symmetry_factor for d in diagrams}
    assert len(found) == len(diagrams)
    return found


def read(legs, graphs):
    """Return {diagram: symmetry factor} from lists of (lines, symmetry factor) with the legs as first nodes."""
    found = {}
    for lines, symmetry in graphs:
        graph = nx.MultiGraph()
        graph.add_nodes_from(range(legs + 1 if not lines else 1 + max(max(line) for line in lines)))
        graph.add_edges_from(lines)
        diagram = FeynmanGraph.from_networkx(graph, legs=range(legs))
        assert diagram not in found
        found[diagram] = symmetry
        assert diagram.symmetry_factor == symmetry
    return found


# --- FeynGraph ----------------------------------------------------------------------------------------------------


def from_feyngraph(valences, legs, loops, irreducible):
    topology = pytest.importorskip("feyngraph", reason="FeynGraph is not installed").topology
    selector = topology.TopologySelector()
    if irreducible:
        selector.select_opi_components(1)
    model = topology.TopologyModel(list(valences))
    made = topology.TopologyGenerator(legs, loops, model, selector).generate()
    return [([tuple(e.nodes()) for e in t.edges()], t.symmetry_factor()) for t in (made[i] for i in range(len(made)))]


@pytest.mark.parametrize(
    "request_", [r for r in REQUESTS if r[1]], ids=[i for i, r in zip(IDS, REQUESTS, strict=True) if r[1]]
)
def test_feyngraph(request_):
    assert read(request_[1], from_feyngraph(*request_)) == ours(*request_)


# --- Symbolica ----------------------------------------------------------------------------------------------------

SYMBOLICA = """
import json, sys
from symbolica import Graph, HalfEdge, S

psi = HalfEdge(S("psi"), False)
lines = {"phi": HalfEdge(S("phi")), "A": HalfEdge(S("A")), "psi": psi, "psi*": psi.flip()}
answers = []
for vertices, legs, loops, irreducible in json.load(sys.stdin):
    options = {"max_bridges": 0} if irreducible else {}
    made = Graph.generate(
        external_edges=[(i + 1, lines[name]) for i, name in enumerate(legs)],
        vertex_signatures=[[lines[name] for name in vertex] for vertex in vertices],
        max_loops=loops, allow_self_loops=True, allow_zero_flow_edges=True, **options,
    )
    graphs = []
    for graph, symmetry in made.items():
        if graph.num_loops() != loops:
            continue
        order = sorted(range(graph.num_nodes()), key=lambda v: int(str(graph.node(v)[1])) or 10**6)
        place = {v: i for i, v in enumerate(order)}
        edges = [(place[u], place[v], directed, str(data)) for u, v, directed, data in graph.edges()]
        graphs.append((edges, int(str(symmetry))))
    answers.append(graphs)
print(json.dumps(answers))
"""


def from_symbolica(requests):
    """Return the answers to (vertices, legs, loops, 1PI) with names of half-edges, from one process for all."""
    if importlib.util.find_spec("symbolica") is None:
        pytest.skip("Symbolica is not installed")
    done = subprocess.run(
        [sys.executable, "-c", SYMBOLICA],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        text = done.stdout[-300:] + done.stderr[-300:]
        assert "Traceback" not in text, text
        pytest.skip(f"Symbolica did not run (without a licence one process at a time may): {text.strip()[-150:]}")
    return json.loads(done.stdout.splitlines()[-1])


MODELS = [
    (qed(), {"psi": 1, "psi*": 1}, 3),
    (qed(), {"A": 2}, 3),
    (qed(), {"psi": 1, "psi*": 1, "A": 1}, 2),
    (qed(), {"psi": 2, "psi*": 2}, 1),
    (qed(), {"A": 4}, 1),
    (yukawa(phi4=True), {"psi": 1, "psi*": 1}, 2),
    (yukawa(phi4=True), {"phi": 2}, 2),
    (yukawa(phi4=True), {"phi": 4}, 1),
    (yukawa(phi4=True), {}, 3),
    (qed(), {}, 3),
]
MODEL_IDS = [f"{model.name}, legs {legs}, {loops} loops" for model, legs, loops in MODELS]


@pytest.fixture(scope="module")
def symbolica_graphs():
    scalar = [([["phi"] * d for d in v], ["phi"] * n, loops, i) for v, n, loops, i in REQUESTS]
    models = [
        (
            [list(vertex.half_edges) for vertex in model.vertices],
            [f for f, n in legs.items() for _ in range(n)],
            loops,
            i,
        )
        for model, legs, loops in MODELS
        for i in (False, True)
    ]
    return from_symbolica(scalar + models)


@pytest.mark.parametrize("number", [i for i, r in enumerate(REQUESTS) if r[1] != 1 or not r[3]], ids=lambda i: IDS[i])
def test_symbolica(number, symbolica_graphs):
    request_ = REQUESTS[number]
    graphs = [([(u, v) for u, v, _, _ in lines], symmetry) for lines, symmetry in symbolica_graphs[number]]
    assert read(request_[1], graphs) == ours(*request_)


@pytest.mark.parametrize("irreducible", [False, True], ids=["connected", "1PI"])
@pytest.mark.parametrize("number", range(len(MODELS)), ids=MODEL_IDS)
def test_symbolica_models(number, irreducible, symbolica_graphs):
    model, legs, loops = MODELS[number]
    expected = {}
    for lines, symmetry in symbolica_graphs[len(REQUESTS) + 2 * number + irreducible]:
        edges = tuple((u, v) for u, v, _, _ in lines)
        fields = tuple(name for _, _, _, name in lines)
        directed = ("psi",) if "psi" in fields else ()
        diagram = FeynmanGraph(sum(legs.values()), edges, fields=fields, directed=directed)
        assert diagram not in expected
        expected[diagram] = symmetry
    made = model.diagrams(legs, loops=loops, one_particle_irreducible=irreducible)
    assert {d: d.symmetry_factor for d in made} == expected
    assert len(made) == len(expected) > 0


def test_a_wrong_factor_or_graph_would_be_seen():
    sunset = [(0, 2), (2, 3), (2, 3), (2, 3), (3, 1)]
    assert read(2, [(sunset, 6)]) == {FeynmanGraph(2, tuple(sunset)): 6}
    with pytest.raises(AssertionError):
        read(2, [(sunset, 3)])
    with pytest.raises(AssertionError):
        read(2, [(sunset, 6), (sunset[::-1], 6)])


# --- generating functions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_",
    [
        {"valences": (4,), "legs": 8, "loops": 3},
        {"valences": (3,), "legs": 5, "loops": 5, "one_particle_irreducible": True},
    ],
    ids=["phi4, 8 legs, 3 loops", "phi3 1PI, 5 legs, 5 loops"],
)
def test_a_million_graphs(given_):
    """Their number by Burnside's lemma, and the exact sum of weights from the factors of all of them."""
    diagrams = enumerate_diagrams(**given_)
    assert len(diagrams) == count_diagrams(**given_) > 10**6
    weights = Counter()
    for block in diagrams.blocks:
        weights.update(Counter(block.symmetry.tolist()))
    assert sum(Fraction(n, factor) for factor, n in weights.items()) == total_weight(**given_)


# --- orbits and stabilisers ---------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    """Draw a connected or disconnected scalar graph with legs that may be exchanged."""
    n_legs, n_vertices = draw(st.integers(0, 4)), draw(st.integers(1, 5))
    vertex = st.integers(n_legs, n_legs + n_vertices - 1)
    edges = [(leg, draw(vertex)) for leg in range(n_legs)] + [
        (v, draw(vertex)) for v in range(n_legs, n_legs + n_vertices)
    ]
    return FeynmanGraph(n_legs, tuple(edges + draw(st.lists(st.tuples(vertex, vertex), max_size=3))), labelled=False)


def local_factor(graph):
    """Return the number of exchanges of parallel lines and of flips of self-loops, which move no node."""
    lines = Counter(graph.edges)
    return prod(factorial(m) * (2**m if u == v else 1) for (u, v), m in lines.items())


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_orbit_and_stabiliser(graph):
    """Renumberings of vertices and legs make (number of renumberings) / (node automorphisms) different graphs."""
    n, vertices = graph.n_legs, range(graph.n_legs, graph.n_legs + graph.n_vertices)
    orbit = {
        tuple(sorted(tuple(sorted(((*legs, *places)[u], (*legs, *places)[v]))) for u, v in graph.edges))
        for legs in permutations(range(n))
        for places in permutations(vertices)
    }
    stabiliser = graph.symmetry_factor // local_factor(graph)
    assert graph.symmetry_factor == stabiliser * local_factor(graph)
    assert len(orbit) * stabiliser == factorial(n) * factorial(graph.n_vertices)
    relabelled = {FeynmanGraph(n, edges, labelled=False) for edges in sorted(orbit)[:: max(1, len(orbit) // 20)]}
    assert relabelled == {graph}


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_orbits_of_labels(graph):
    """The labelled versions of a diagram share its weight: n! / |Aut| is the sum of their 1/|Aut|."""
    edges, n = graph.edges, graph.n_legs
    move = [(*legs, *range(n, n + graph.n_vertices)) for legs in permutations(range(n))]
    versions = {FeynmanGraph(n, tuple((m[u], m[v]) for u, v in edges)) for m in move}
    assert len(versions) == graph.multiplicity == len(graph.labelled_versions())
    assert sum(Fraction(1, v.symmetry_factor) for v in versions) == Fraction(factorial(n), graph.symmetry_factor)
