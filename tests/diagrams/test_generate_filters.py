"""Filters of the enumeration against filtering afterwards by the shape of each diagram."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import pytest

from diagrams import topology
from diagrams.counting import total_weight
from diagrams.generate import enumerate_diagrams

ANY = range(3, 40)
EVEN = range(4, 40, 2)
PREDICATES = {
    "one_particle_irreducible": lambda d: d.is_one_particle_irreducible,
    "two_particle_irreducible": topology.is_two_particle_irreducible,
    "amputated": lambda d: not topology.has_leg_correction(d),
    "vertex_two_connected": topology.is_vertex_two_connected,
    "planar": topology.is_planar,
    "tadpoles": lambda d: not d.has_tadpole,
}
VALUES = dict.fromkeys(PREDICATES, True) | {"tadpoles": False}
FILTERS = [name for name in PREDICATES if name not in ("one_particle_irreducible", "tadpoles")]
CHOICES = [(name,) for name in FILTERS] + list(combinations(PREDICATES, 2)) + [tuple(FILTERS)]
MODELS = [("phi3", (3,), n, 4 - n // 2) for n in range(5)] + [("phi4", (4,), n, 5 - n) for n in (0, 2, 4)]
MODELS += [("even", EVEN, n, 4 - n // 2) for n in (0, 2, 4)] + [("any", ANY, n, 3 - n // 2) for n in range(5)]


@cache
def everything(valences, legs, loops, labelled):
    return enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=labelled)


@cache
def passing(name, valences, legs, loops, labelled):
    diagrams = everything(valences, legs, loops, labelled)
    return [bool(PREDICATES[name](d)) for d in diagrams]


@pytest.mark.parametrize(
    ("valences", "legs", "max_loops"), [m[1:] for m in MODELS], ids=[f"{m[0]} {m[2]}" for m in MODELS]
)
def test_filters_equal_filtering_afterwards(valences, legs, max_loops):
    for loops in range(max_loops + 1):
        for labelled in (False, legs < 3):
            diagrams = list(everything(valences, legs, loops, labelled))
            for choice in CHOICES:
                kept = zip(*(passing(name, valences, legs, loops, labelled) for name in choice), strict=True)
                expected = [d for d, fits in zip(diagrams, kept, strict=True) if all(fits)]
                options = {name: VALUES[name] for name in choice}
                found = enumerate_diagrams(valences=valences, legs=legs, loops=loops, labelled=labelled, **options)
                assert list(found) == expected, choice


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_drops_and_keeps_something(name):
    """The comparison above would notice a filter that is ignored."""
    kept = [passing(name, valences, legs, loops, False) for _, valences, legs, loops in MODELS]
    assert any(map(any, kept))
    assert not all(map(all, kept))


def test_known_numbers_of_skeleton_diagrams():
    """2PI vacuum diagrams of phi4 with 2, 3, 4 and 5 loops: the first two are the figure-eight and the basketball."""
    found = [
        len(enumerate_diagrams(valences=(4,), legs=0, loops=n, two_particle_irreducible=True)) for n in range(2, 6)
    ]
    assert found == [1, 1, 1, 2]


@pytest.mark.parametrize("name", FILTERS)
def test_bare_propagator_and_bare_vertex(name):
    (propagator,) = enumerate_diagrams(valences=(4,), legs=2, loops=0)
    (vertex,) = enumerate_diagrams(valences=(4,), legs=4, loops=0)
    for graph, legs in ((propagator, 2), (vertex, 4)):
        found = enumerate_diagrams(valences=(4,), legs=legs, loops=0, **{name: True})
        assert list(found) == ([graph] if PREDICATES[name](graph) else [])


@pytest.mark.parametrize("name", FILTERS)
def test_filters_need_connected_diagrams(name):
    with pytest.raises(ValueError, match=f"{name}=True needs connected=True"):
        enumerate_diagrams(valences=(4,), legs=2, loops=1, connected=False, **{name: True})


def test_too_many_filtered_graphs_are_refused(monkeypatch):
    request = {"valences": (4,), "legs": 4, "loops": 3, "amputated": True}
    number = len(enumerate_diagrams(**request))
    assert len(enumerate_diagrams(**request, max_graphs=number)) == number
    with pytest.raises(MemoryError, match=f"there are {number} diagrams"):
        enumerate_diagrams(**request, max_graphs=number - 1)
    monkeypatch.setattr("diagrams.generate._MOST_COUNTED", number - 1)
    for few in (10, number - 1):
        with pytest.raises(MemoryError, match=f"more than max_graphs={few} diagrams"):
            enumerate_diagrams(**request, max_graphs=few)


def test_no_filter_leaves_the_sum_of_weights():
    request = {"valences": (4,), "legs": 4, "loops": 2}
    assert enumerate_diagrams(**request, amputated=False, planar=False).total_weight() == total_weight(**request)
    assert enumerate_diagrams(**request, amputated=True).total_weight() < total_weight(**request)
