"""Compiled filters against the predicates of diagrams.topology, networkx, and all completions of a prefix."""

from __future__ import annotations

import inspect
import pickle
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams import FeynmanGraph, enumerate_diagrams
from diagrams._filters import (
    AMPUTATED,
    PLANAR,
    TWO_PARTICLE_IRREDUCIBLE,
    VERTEX_TWO_CONNECTED,
    may_pass,
    passes,
)
from diagrams._planarity import is_planar as is_planar_matrix
from diagrams.topology import (
    FILTERS,
    has_leg_correction,
    is_planar,
    is_two_particle_irreducible,
    is_vertex_two_connected,
    qgraf_filter,
)

PREDICATES = {
    TWO_PARTICLE_IRREDUCIBLE: is_two_particle_irreducible,
    AMPUTATED: lambda graph: not has_leg_correction(graph),
    VERTEX_TWO_CONNECTED: is_vertex_two_connected,
    PLANAR: is_planar,
}
ALL_FLAGS = range(16)


def arrays(graph, order=None):
    """Return lines between vertices, legs and self-loops of the vertices in the given order."""
    n = graph.n_legs
    place = {n + v: i for i, v in enumerate(range(graph.n_vertices) if order is None else order)}
    A = np.zeros((graph.n_vertices,) * 2, np.int64)
    counts, loops = np.zeros(graph.n_vertices, np.int64), np.zeros(graph.n_vertices, np.int64)
    for u, v in map(sorted, graph.edges):
        if u < n:
            counts[place[v]] += 1
        elif u == v:
            loops[place[v]] += 1
        else:
            A[place[u], place[v]] += 1
            A[place[v], place[u]] += 1
    return A, counts, loops


def scratch(n):
    return np.full(16 * (n + 2) ** 2, -7, np.int64)


def compiled_answer(graph, flags, order=None):
    A, counts, loops = arrays(graph, order)
    return passes(A, len(A), counts, loops, flags, scratch(len(A)))


def prefix(A, last):
    """Return what is known after row ``last``, and the half-edges still missing; the rest is made unreadable."""
    known = A.copy()
    known[last + 1 :, last + 1 :] = 0
    return known, A.sum(axis=1) - known.sum(axis=1)


def check_graph(graph, order=None):
    """Compare single filters with the predicates, sets of filters with single ones, and prefixes with the graph."""
    answers = {flag: predicate(graph) for flag, predicate in PREDICATES.items()}
    A, counts, loops = arrays(graph, order)
    n = len(A)
    for flags in ALL_FLAGS:
        expected = all(answers[flag] for flag in PREDICATES if flags & flag)
        assert passes(A, n, counts, loops, flags, scratch(n)) == expected, (graph, flags)
        for last in range(n if expected else 0):
            known, missing = prefix(A, last)
            assert may_pass(known, n, last, missing, counts, loops, flags, scratch(n)), (graph, flags, last)
    return answers


@pytest.mark.parametrize(
    ("valences", "legs", "loops"),
    [
        ((3,), 0, 4),
        ((3,), 1, 3),
        ((3,), 2, 3),
        ((3,), 4, 1),
        ((3,), 5, 1),
        ((4,), 0, 4),
        ((4,), 2, 3),
        ((4,), 4, 3),
        ((3, 4), 0, 3),
        ((3, 4), 1, 2),
        ((3, 4), 2, 2),
        ((3, 5), 3, 1),
        ((4, 6), 2, 3),
        ((3, 4, 5, 6), 3, 1),
    ],
)
def test_all_diagrams_of_an_enumeration(valences, legs, loops):
    for graph in enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=False):
        check_graph(graph)


@pytest.mark.parametrize(
    ("valences", "legs", "loops"), [((3,), 0, 5), ((3,), 3, 3), ((4,), 0, 6), ((4,), 4, 4), ((5,), 2, 6)]
)
def test_irreducible_diagrams_without_self_loops(valences, legs, loops):
    """Where the filters of connectivity and planarity have work to do."""
    found = enumerate_diagrams(
        valences=valences,
        legs=legs,
        loops=loops,
        one_particle_irreducible=True,
        self_loops=False,
        labelled=False,
    )
    answers = [check_graph(graph) for graph in found[:: max(1, len(found) // 60)]]
    # in phi^3 a vertex with a leg hangs on two lines
    assert any(a[TWO_PARTICLE_IRREDUCIBLE] for a in answers) == (valences != (3,) or legs == 0)
    assert any(a[VERTEX_TWO_CONNECTED] for a in answers)


def test_filters_tell_diagrams_apart():
    answers = []
    for valences, legs, loops in [((3,), 4, 2), ((3, 4), 2, 3)]:
        found = enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=False, self_loops=False)
        answers += [tuple(compiled_answer(d, flag) for flag in PREDICATES) for d in found]
    assert all({True, False} == {a[i] for a in answers} for i in range(3))
    kuratowski = [FeynmanGraph(0, tuple(g.edges)) for g in (nx.complete_graph(5), nx.complete_bipartite_graph(3, 3))]
    assert [compiled_answer(g, PLANAR) for g in kuratowski] == [False, False]
    assert not compiled_answer(FeynmanGraph.from_nickel("e123|e23|e3|e|"), PLANAR)
    assert compiled_answer(FeynmanGraph.from_nickel("123|23|3||"), PLANAR)


@pytest.mark.parametrize("text", ["e0|", "ee0|", "00|", "0|", "ee00|", "eee|"])
def test_a_single_vertex(text):
    check_graph(FeynmanGraph.from_nickel(text))


@st.composite
def connected_diagrams(draw):
    """A random connected diagram: a tree, more lines, self-loops and legs."""
    n = draw(st.integers(1, 9))
    vertex = st.integers(0, n - 1)
    lines = [(draw(st.integers(0, v - 1)), v) for v in range(1, n)]
    lines += draw(st.lists(st.tuples(vertex, vertex), max_size=14))
    owners = draw(st.lists(vertex, max_size=4))
    if not lines and not owners:
        owners = [0]
    legs = len(owners)
    edges = [(i, legs + v) for i, v in enumerate(owners)] + [(legs + u, legs + v) for u, v in lines]
    return FeynmanGraph(legs, tuple(edges)), draw(st.permutations(range(n)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(connected_diagrams())
def test_random_multigraphs_in_random_order(case):
    graph, order = case
    check_graph(graph, order)


@st.composite
def dense_diagrams(draw):
    """Many lines, few of them parallel: two- and three-particle cuts and crossings."""
    n = draw(st.integers(5, 9))
    pairs = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=2 * n - 2, max_size=3 * n, unique=True))
    owners = draw(st.lists(st.integers(0, n - 1), max_size=3))
    lines = [*chosen, *((v, v + 1) for v in range(n - 1))]
    legs = len(owners)
    return FeynmanGraph(
        legs, tuple((i, legs + v) for i, v in enumerate(owners)) + tuple((legs + u, legs + v) for u, v in lines)
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(dense_diagrams())
def test_dense_multigraphs(graph):
    check_graph(graph)


def all_completions(known, missing, last):
    """Return all ways to join the missing half-edges among the vertices after ``last``."""
    n = len(known)
    pairs = list(combinations(range(last + 1, n), 2))
    found = []

    def fill(k, A, left):
        if k == len(pairs):
            if not any(left):
                found.append(A.copy())
            return
        u, v = pairs[k]
        for m in range(min(left[u], left[v]) + 1):
            A[u, v] = A[v, u] = m
            left[u] -= m
            left[v] -= m
            fill(k + 1, A, left)
            left[u] += m
            left[v] += m
        A[u, v] = A[v, u] = 0

    fill(0, known.copy(), missing.copy())
    return found


def test_a_prefix_that_may_not_pass_has_no_completion_that_passes():
    """Random prefixes, all completions by brute force; and the test of prefixes has to reject many."""
    rng = np.random.default_rng(5)
    n_rejected = dict.fromkeys(PREDICATES, 0)
    for _ in range(120):
        n = int(rng.integers(4, 7))
        A = np.triu(rng.poisson(0.9, (n, n)), 1)
        A += A.T
        counts, loops = rng.poisson(0.5, n), np.zeros(n, np.int64)
        last = int(rng.integers(0, n - 2))
        known, missing = prefix(A, last)
        completions = [c for c in all_completions(known, missing, last) if nx.is_connected(nx.Graph(c > 0))]
        for flag in PREDICATES:
            possible = any(passes(c, n, counts, loops, flag, scratch(n)) for c in completions)
            allowed = may_pass(known, n, last, missing, counts, loops, flag, scratch(n))
            assert allowed or not possible, (known, missing, counts, flag)
            n_rejected[flag] += not allowed
    assert min(n_rejected[flag] for flag in PREDICATES if flag != PLANAR) > 10, n_rejected


@pytest.mark.parametrize("seed", range(4))
def test_planarity_against_networkx(seed):
    rng = np.random.default_rng(seed)
    answers = []
    for _ in range(150):
        n = int(rng.integers(1, 16))
        graph = nx.gnp_random_graph(n, min(1.0, rng.uniform(2, 5) / n), seed=int(rng.integers(2**31)))
        matrix = nx.to_numpy_array(graph, dtype=np.int64) * int(rng.integers(1, 3))
        answers.append(is_planar_matrix(matrix, n, scratch(n)))
        assert answers[-1] == nx.check_planarity(graph)[0], graph.edges
    assert 20 < sum(answers) < 140


def test_scratch_is_not_overrun():
    """The entries after the promised size stay as they are, also in the largest planar and nearly planar graphs."""
    for n in (4, 8, 12):
        grid = nx.convert_node_labels_to_integers(nx.triangular_lattice_graph(n // 2, n // 2))
        A = nx.to_numpy_array(grid, dtype=np.int64)
        size = len(A)
        room = np.full(16 * (size + 2) ** 2 + 64, -7, np.int64)
        assert passes(A, size, np.zeros(size, np.int64), np.zeros(size, np.int64), 15 - TWO_PARTICLE_IRREDUCIBLE, room)
        counts, loops = np.ones(size, np.int64), np.zeros(size, np.int64)
        passes(A, size, counts, loops, 15, room)
        may_pass(A, size, size // 2, np.zeros(size, np.int64), counts, loops, 15, room)
        assert (room[-64:] == -7).all()


# --- the table of filters -----------------------------------------------------------------------------------------

# numbers of diagrams of QGRAF 4.0.6 with the option named, phi^3, as listed in the golden masters of the project
# Feynfeld.jl (github.com/tobiasosborne/Feynfeld.jl, refs/qgraf)
QGRAF_COUNTS = [
    ("", 3, 1, 7),
    ("", 3, 2, 58),
    ("", 4, 1, 39),
    ("", 4, 2, 465),
    ("onepi", 3, 1, 1),
    ("onepi", 3, 2, 7),
    ("onepi", 4, 1, 3),
    ("onepi", 4, 2, 36),
    ("notadpole", 3, 1, 4),
    ("notadpole", 3, 2, 22),
    ("notadpole", 4, 1, 24),
    ("noselfloop", 3, 1, 4),
    ("noselfloop", 3, 2, 25),
    ("nosnail", 3, 1, 4),
    ("nosnail", 3, 2, 22),
    ("nosnail", 4, 1, 24),
    ("nosigma", 3, 1, 1),
    ("nosigma", 3, 2, 4),
    ("nosigma", 4, 1, 9),
    ("onevi", 4, 1, 3),
    ("nodiloop", 4, 1, 24),
    ("noparallel", 4, 1, 24),
]


@pytest.mark.parametrize(("name", "legs", "loops", "expected"), QGRAF_COUNTS)
def test_as_many_diagrams_as_qgraf_makes(name, legs, loops, expected):
    found = enumerate_diagrams(valences=(3,), legs=legs, loops=loops)
    assert len(found.filter(qgraf_filter(name)) if name else found) == expected


def test_opposites_share_out_all_diagrams():
    found = enumerate_diagrams(valences=(3, 4), legs=3, loops=2, labelled=False)
    for row in FILTERS:
        if row.opposite:
            some, others = found.filter(qgraf_filter(row.qgraf)), found.filter(qgraf_filter(row.opposite))
            assert len(some) + len(others) == len(found), row
            assert {*some}.isdisjoint(others), row
            assert some, row
            assert others, row


# for each row a diagram that is selected and one that is not
EXAMPLES = {
    "onepi": ("e111|e|", "e11|2|e|"),
    "two_particle_irreducible=True": ("e111|e|", "ee11|ee|"),
    "onshell": ("ee1|ee|", "ee1|22|e|"),
    "nosigma": ("ee12|e22|e|", "ee12|ee3|333||"),
    "nosnail": ("ee11|ee|", "ee12|222||"),
    "notadpole": ("ee12|222||", "ee1|1|"),
    "noselfloop": ("ee11|ee|", "ee0|"),
    "nodiloop": ("ee00|", "ee11|ee|"),
    "noparallel": ("ee0|", "ee00|"),
    "simple": ("e12|e2|e|", "e112|e2|e|"),
    "onevi": ("ee11|ee|", "ee11|22|ee|"),
    "bipart": ("ee12|e3|e3|ee|", "e12|e2|e|"),
    "cycli": ("ee11|ee|", "ee11|22|ee|"),
    "planar=True": ("123|23|3||", "e123|e23|e3|e|"),
}


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.qgraf or row.option)
def test_each_row_by_examples(row):
    selected, dropped = map(FeynmanGraph.from_nickel, EXAMPLES[row.qgraf or row.option])
    assert row(selected)
    assert not row(dropped)


def test_each_row_is_a_line_of_the_table_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    table = page[page.index("| QGRAF |") :].partition("\n\n")[0]
    lines = table.splitlines()
    for row in FILTERS:
        names = " / ".join(f"`{name}`" for name in (row.qgraf, row.opposite) if name)
        predicate = getattr(row.predicate, "__name__", "")
        how = f"`{row.option}`" if row.option else f"`not {predicate}`" if not row.wanted else f"`{predicate}`"
        assert f"| {names or '-'} | {how} | {row.definition} |" in lines, row
    assert len(lines) == len(FILTERS) + 2


def test_options_of_the_enumeration_select_the_same():
    for row in FILTERS:
        name = row.option.partition("=")[0]
        if name in inspect.signature(enumerate_diagrams).parameters:
            for legs, loops in ((2, 3), (3, 2)):
                everything = enumerate_diagrams(valences=(3, 4), legs=legs, loops=loops)
                value = row.option.endswith("True")
                chosen = enumerate_diagrams(valences=(3, 4), legs=legs, loops=loops, **{name: value})
                assert chosen == everything.filter(row), row


def test_unknown_names_are_refused():
    for name in ("", "onshellx", "1PI"):
        with pytest.raises(ValueError, match=f"unknown filter {name!r}"):
            qgraf_filter(name)


def test_filters_are_values():
    for row in FILTERS:
        assert pickle.loads(pickle.dumps(row)).definition == row.definition
    assert len({row.definition for row in FILTERS}) == len(FILTERS)
