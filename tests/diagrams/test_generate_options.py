"""Enumerations against one another, and what their arguments may be."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.graph import FeynmanGraph

ANY = range(3, 40)
EVEN = range(4, 40, 2)

RUNS = [
    ((3,), 2, 3, {}),
    ((3,), 4, 1, {}),
    ((4,), 2, 4, {}),
    ((4,), 4, 2, {}),
    ((3, 4), 3, 1, {}),
    (EVEN, 4, 2, {}),
    (EVEN, 6, 0, {}),
    (ANY, 3, 1, {}),
    ((4,), 4, 2, {"one_particle_irreducible": True}),
    ((4,), 4, 2, {"self_loops": False}),
    ((3,), 3, 2, {"tadpoles": False}),
    ((4,), 2, 2, {"connected": False}),
    ((4,), 4, 1, {"connected": False}),
    ((3,), 4, 1, {"connected": False, "tadpoles": False, "self_loops": False}),
]


def run(case, **more):
    valences, legs, loops, options = case
    return enumerate_diagrams(valences=valences, legs=legs, loops=loops, **options, **more)


@pytest.mark.parametrize("case", RUNS, ids=str)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_graphs_of_a_run_are_distinct_and_carry_their_own_symmetry(case, labelled):
    ds = run(case, labelled=labelled)
    graphs = list(ds)
    assert len(set(graphs)) == len(graphs) == len(ds) > 0
    assert all(d.labelled == labelled for d in graphs)
    symmetry = [s for b in ds.blocks for s in b.symmetry.tolist()]
    multiplicity = [m for b in ds.blocks for m in b.multiplicity.tolist()]
    assert symmetry == [d.symmetry_factor for d in graphs]
    assert multiplicity == [d.multiplicity for d in graphs]
    assert {(d.n_legs, d.n_loops) for d in graphs} == {(case[1], case[2])}
    assert {v for d in graphs for v in d.valences} <= set(case[0])


@pytest.mark.parametrize("case", RUNS, ids=str)
def test_exchangeable_legs_group_the_labelled_diagrams(case):
    labelled, free = run(case), run(case, labelled=False)
    groups = labelled.group_by(FeynmanGraph.with_exchangeable_legs)
    assert set(groups) == set(free)
    for graph in free:
        members = groups[graph]
        assert len(members) == graph.multiplicity
        assert members.total_weight() == Fraction(factorial(graph.n_legs), graph.symmetry_factor)
        assert {graph.relabel_legs(p) for p in graph.labelled_versions()} == set(members)
    assert free.labelled_weight() == labelled.total_weight()
    assert free.weights_by_valences() == labelled.weights_by_valences()


@pytest.mark.parametrize("case", [c for c in RUNS if not c[3]], ids=str)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_options_equal_filtering_afterwards(case, labelled):
    everything = run(case, labelled=labelled)

    def kept(**options):
        return set(run((*case[:3], options), labelled=labelled))

    assert kept(one_particle_irreducible=True) == set(everything.filter(lambda d: d.is_one_particle_irreducible))
    assert kept(self_loops=False) == set(everything.filter(lambda d: not d.n_self_loops))
    assert kept(tadpoles=False) == set(everything.filter(lambda d: not d.has_tadpole))
    both = kept(self_loops=False, tadpoles=False)
    assert both == set(everything.filter(lambda d: not d.n_self_loops and not d.has_tadpole))
    loose = run((*case[:3], {"connected": False}), labelled=labelled)
    assert set(everything) == set(loose.filter(lambda d: d.is_connected))


def test_valences_given_in_any_order_or_twice():
    first = enumerate_diagrams(valences=(3, 4), legs=2, loops=2)
    assert list(first) == list(enumerate_diagrams(valences=[4, 3, 4], legs=2, loops=2))
    assert first == enumerate_diagrams(valences=np.array([3, 4]), legs=np.int64(2), loops=np.int64(2))


def test_bare_propagators():
    propagator = FeynmanGraph(2, ((0, 1),))
    assert list(enumerate_diagrams(valences=(4,), legs=2, loops=0)) == [propagator]
    assert len(enumerate_diagrams(valences=(4,), legs=2, loops=0, one_particle_irreducible=True)) == 0
    assert len(enumerate_diagrams(valences=(6,), legs=4, loops=0, connected=False)) == 3
    (free,) = enumerate_diagrams(valences=(6,), legs=6, loops=0, connected=False, labelled=False).filter(
        lambda d: not d.n_vertices
    )
    assert (free.symmetry_factor, free.multiplicity) == (48, 15)


@pytest.mark.parametrize(
    ("valences", "legs", "loops", "options"),
    [
        ((4,), 3, 1, {}),
        ((4,), 1, 0, {"connected": False}),
        ((6,), 2, 1, {}),
        ((3,), 0, 0, {}),
        ((3,), 0, 1, {}),
        ((3,), 1, 0, {}),
        ((5,), 4, 0, {}),
        ((4,), 0, 0, {"connected": False}),
        ((4,), 0, 1, {"connected": False}),
        ((3,), 4, 0, {"one_particle_irreducible": True}),
        ((4,), 0, 2, {"self_loops": False}),
        ((3,), 1, 1, {"self_loops": False}),
    ],
    ids=str,
)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_impossible_requests_give_an_empty_collection(valences, legs, loops, options, labelled):
    ds = enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=labelled, **options)
    assert (len(ds), ds.total_weight(), ds.labelled_weight(), list(ds)) == (0, 0, 0, [])
    assert ds == Diagrams()
    assert repr(ds) == "<Diagrams: 0 diagrams, sum of 1/|Aut| = 0>"


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"valences": ()}, ValueError, r"valences is empty.*\(4,\)"),
        ({"valences": (2, 4)}, ValueError, "valence 2 is not allowed.*at least 3"),
        ({"valences": (1,)}, ValueError, "valence 1 is not allowed"),
        ({"valences": (-4,)}, ValueError, "valence -4 is not allowed"),
        ({"valences": (4.0,)}, TypeError, "valences must be integers, got 4.0"),
        ({"valences": ("4",)}, TypeError, "valences must be integers, got '4'"),
        ({"valences": (True,)}, TypeError, "valences must be integers, got True"),
        ({"valences": (4, "a")}, TypeError, "valences must be integers"),
        ({"valences": 4}, TypeError, r"valences.*4"),
        ({"legs": -1}, ValueError, "legs must be >= 0, got -1"),
        ({"legs": 2.0}, TypeError, "legs must be an integer, got 2.0"),
        ({"legs": "2"}, TypeError, "legs must be an integer, got '2'"),
        ({"legs": True}, TypeError, "legs must be an integer, got True"),
        ({"loops": -2}, ValueError, "loops must be >= 0, got -2"),
        ({"loops": None}, TypeError, "loops must be an integer, got None"),
        ({"one_particle_irreducible": True, "connected": False}, ValueError, "needs connected=True"),
    ],
    ids=str,
)
def test_argument_errors_say_what_was_given(change, error, text):
    with pytest.raises(error, match=text):
        enumerate_diagrams(**({"valences": (4,), "legs": 2, "loops": 1} | change))


def test_arguments_are_keyword_only():
    with pytest.raises(TypeError):
        enumerate_diagrams((4,), 2, 1)


def test_too_many_graphs_are_refused():
    request = {"valences": (4,), "legs": 4, "loops": 2}
    exact = len(enumerate_diagrams(**request))
    assert len(enumerate_diagrams(**request, max_graphs=exact)) == exact
    with pytest.raises(
        MemoryError,
        match=rf"{exact} diagrams with legs=4, loops=2, valences=\(4,\).*max_graphs={exact - 1}; .*labelled=False",
    ):
        enumerate_diagrams(**request, max_graphs=exact - 1)
    assert len(enumerate_diagrams(**request, max_graphs=exact - 1, labelled=False)) < exact


def test_refusing_takes_little_memory():
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError):
            enumerate_diagrams(valences=(6,), legs=14, loops=0, max_graphs=100)  # 126,126 graphs in one block
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # the graphs alone would take 2.5 MB
    finally:
        tracemalloc.stop()


def test_large_symmetry_factors_are_exact():
    ds = enumerate_diagrams(valences=(30,), legs=18, loops=6, labelled=False)
    (single,) = ds[:1]
    assert single.symmetry_factor == factorial(18) * 2**6 * factorial(6)
    assert ds.total_weight() == Fraction(1, single.symmetry_factor)
