"""Diagrams as a sequence: slices, filters, groups, sums of weights."""

from __future__ import annotations

import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from diagrams.collection import Diagrams
from diagrams.counting import total_weight
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph


@pytest.fixture(scope="module")
def collection():
    ds = enumerate_diagrams(valences=(3, 4), legs=2, loops=2)
    assert len(ds) > 20
    return ds


SLICES = [slice(None), slice(3), slice(-3, None), slice(2, 17), slice(None, None, 5), slice(None, None, -1)]
SLICES += [slice(17, 2, -4), slice(5, 5), slice(1000, None), slice(-1000, 4)]


@pytest.mark.parametrize("chosen", SLICES, ids=str)
def test_slices_are_collections(collection, chosen):
    part = collection[chosen]
    assert isinstance(part, Diagrams)
    graphs = list(collection)[chosen]
    assert list(part) == graphs
    assert len(part) == len(graphs)
    assert part.total_weight() == sum((Fraction(1, d.symmetry_factor) for d in graphs), Fraction(0))


def test_indices(collection):
    graphs = list(collection)
    assert [collection[i] for i in range(len(graphs))] == graphs
    assert [collection[-i] for i in range(1, len(graphs) + 1)] == graphs[::-1]
    assert collection[np.int64(3)] == graphs[3]
    assert list(reversed(collection)) == graphs[::-1]
    assert collection.index(graphs[7]) == 7
    assert graphs[7] in collection
    assert FeynmanGraph(2, ((0, 1),)) not in collection
    for i in (len(graphs), -len(graphs) - 1):
        with pytest.raises(IndexError, match=f"diagram {i} of a collection of {len(graphs)}"):
            collection[i]


def test_filter_and_group_by(collection):
    graphs = list(collection)
    kept = collection.filter(lambda d: d.n_self_loops == 1)
    assert 0 < len(kept) < len(graphs)
    assert list(kept) == [d for d in graphs if d.n_self_loops == 1]
    assert len(collection.filter(lambda d: False)) == 0
    assert len(Diagrams().filter(lambda d: True)) == 0
    groups = collection.group_by(lambda d: d.symmetry_factor)
    assert list(groups) == list(dict.fromkeys(d.symmetry_factor for d in graphs))
    for key, group in groups.items():
        assert list(group) == [d for d in graphs if d.symmetry_factor == key]
        assert group.total_weight() == Fraction(len(group), key)
    assert Diagrams().group_by(len) == {}


def test_concatenation_and_equality(collection):
    first, second = collection[:10], collection[10:]
    assert list(first + second) == list(collection)
    assert first + second == second + first == collection
    assert hash(first + second) == hash(second + first) == hash(collection)
    assert first != second
    assert collection != first
    assert first + first != first
    assert collection[:1] + collection[:2] != collection[:2] + collection[1:2]
    assert collection != list(collection)
    assert Diagrams.concatenate([first, Diagrams(), second]) == collection
    assert Diagrams.concatenate([]) == Diagrams()
    assert len(Diagrams()) == 0


def test_weights_of_mixed_collections():
    two = enumerate_diagrams(valences=(4,), legs=2, loops=2, labelled=False)
    four = enumerate_diagrams(valences=(4,), legs=4, loops=1)
    expected = total_weight(valences=(4,), legs=2, loops=2) + total_weight(valences=(4,), legs=4, loops=1)
    assert (two + four).labelled_weight() == (four + two).labelled_weight() == expected
    assert expected == Fraction(2, 3) + Fraction(7, 2)
    assert (two + four).total_weight() == expected - Fraction(1, 3)


def test_weights_by_valences(collection):
    expected = Counter()
    for d in collection:
        expected[tuple(sorted(d.valences))] += Fraction(1, d.symmetry_factor)
    assert collection.weights_by_valences() == expected


def test_kind_of_all_vertices(collection):
    changed = collection.with_kind(CORRELATOR)
    assert list(changed) == [d.with_kind(CORRELATOR) for d in collection]
    assert changed != collection
    assert changed[3:5].filter(lambda d: set(d.kinds) == {CORRELATOR}) == changed[3:5]


def test_collection_is_a_picklable_value_that_names_itself(collection):
    again = pickle.loads(pickle.dumps(collection))
    assert list(again) == list(collection)
    assert repr(collection[:2]) == f"<Diagrams: 2 diagrams, sum of 1/|Aut| = {collection[:2].total_weight()}>"
    with pytest.raises(AttributeError):
        collection.blocks = ()


def test_order_is_by_vertices_then_self_loops(collection):
    keys = [(d.n_vertices, -d.n_self_loops) for d in collection]
    assert keys == sorted(keys)
