"""Several fields: published counts, one generator against another, collections, and errors."""

from __future__ import annotations

import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from sample_models import PROPAGATOR, charged_current, fermion

from diagrams._field_request import Request, is_rigid
from diagrams._model_display import vertex_graph
from diagrams._species import _orderly_tasks, tasks
from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.models import Field, Model, Vertex, bipartite, complex_phi4, o_n, qed, scalar, yukawa


def test_published_counts():
    model = qed()
    assert [model.count(PROPAGATOR, loops=n) for n in range(6)] == [1, 2, 10, 74, 706, 8162]
    assert model.count(PROPAGATOR, loops=5, one_particle_irreducible=True) == 2232
    assert len(model.diagrams(PROPAGATOR, loops=5, one_particle_irreducible=True)) == 2232
    assert len(yukawa(phi4=True).diagrams(PROPAGATOR, loops=4)) == 1165


def test_orders_instead_of_loops():
    model = qed()
    assert len(model.diagrams(PROPAGATOR, order={"e": 4})) == 10
    assert len(model.diagrams(PROPAGATOR, order={"e": (0, 4)})) == model.count(PROPAGATOR, order={"e": (0, 4)}) == 13
    assert len(model.diagrams(PROPAGATOR, loops=1, order={"e": 4})) == 0
    mixed = yukawa(phi4=True)
    parts = [mixed.diagrams(PROPAGATOR, order={"y": 2 * n, "lambda": 2 - n}) for n in range(3)]
    assert sum(parts, Diagrams()) == mixed.diagrams(PROPAGATOR, loops=2)


@pytest.mark.parametrize("legs", [PROPAGATOR, ("A", "A"), ("psi", "A", "psi*"), ("psi", "psi", "psi*", "psi*")])
@pytest.mark.parametrize("one_particle_irreducible", [False, True])
def test_rigid_and_orderly_generators_agree(legs, one_particle_irreducible):
    model = qed()
    table = model.table
    ends = tuple(table.names.index(h) for h in legs)
    for loops in range(3):
        request = Request(ends, loops, (), bridgeless=one_particle_irreducible)
        counts = (len(legs) + 2 * (loops - 1),)
        if counts == (0,):
            continue
        assert is_rigid(table, counts, ends)
        orderly = [b for t in _orderly_tasks(table, request, counts, ends, [()]) for b in t.pieces(10**6) if b]
        rigid = [b for t in tasks(table, request) for b in t.pieces(10**6) if b]
        assert Counter(d for b in orderly for d in Diagrams((b,))) == Counter(d for b in rigid for d in Diagrams((b,)))


def walked(blocks):
    return Counter((d, d.symmetry_factor, d.multiplicity) for b in blocks if b for d in Diagrams((b,)))


@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
@pytest.mark.parametrize(
    "options", [{}, {"bridgeless": True}, {"tadpoles": False}, {"amputated": True}, {"self_loops": False}], ids=str
)
def test_walks_through_equal_half_edges_and_the_orderly_generator_agree(options, labelled, monkeypatch):
    monkeypatch.setattr("diagrams._species._MOST_LEGS", 4)  # walks whatever they cost
    charged = complex_phi4()
    for model, legs, loops in (
        (yukawa(phi4=True), PROPAGATOR, 3),
        (yukawa(phi4=True), ("phi",) * 3, 1),
        (scalar((3, 4)), ("phi",) * 3, 1),
        (scalar((4, 6)), ("phi",) * 2, 3),
        (charged, charged.external[:2] * 2, 2),
    ):
        table = model.table
        ends = tuple(table.names.index(h) for h in legs)
        request = Request(ends, loops, (), labelled=labelled, **options)
        todo = list(tasks(table, request))
        assert {type(t).__name__ for t in todo} == {"WalkTask"}
        for task in todo:
            orderly = [b for t in _orderly_tasks(table, request, task.counts, ends, [()]) for b in t.pieces(10**6)]
            assert walked(task.pieces(10**6)) == walked(orderly)


@pytest.mark.parametrize("options", [{}, {"one_particle_irreducible": True}, {"labelled": False}], ids=str)
def test_parts_of_the_walks_are_all_of_them(options, monkeypatch):
    model = yukawa(phi4=True)
    whole = {loops: walked(model.diagrams(PROPAGATOR, loops=loops, **options).blocks) for loops in (1, 2, 4)}
    monkeypatch.setattr("diagrams._species._MANY_VERTICES", 0)
    for loops, before in whole.items():
        blocks = model.diagrams(PROPAGATOR, loops=loops, **options).blocks
        assert walked(blocks) == before
    assert max(Counter(b.vertices for b in blocks).values()) > 2  # the last ones came in several parts


def test_walks_are_only_taken_where_they_are_few(monkeypatch):
    request = Request(tuple(yukawa(phi4=True).table.names.index(h) for h in PROPAGATOR), 4, ())
    assert {type(t).__name__ for t in tasks(yukawa(phi4=True).table, request)} == {"WalkTask"}
    before = yukawa(phi4=True).diagrams(PROPAGATOR, loops=3)
    monkeypatch.setattr("diagrams._species._MOST_ORDERS", 1)
    kinds = [(t.counts[1] > 0, type(t).__name__) for t in tasks(yukawa(phi4=True).table, request)]
    assert set(kinds) == {(False, "WalkTask"), (True, "OrderlyTask")}
    assert yukawa(phi4=True).diagrams(PROPAGATOR, loops=3) == before


@pytest.mark.parametrize("valences", [(4,), (3,), (3, 4)], ids=str)
@pytest.mark.parametrize(
    "options", [{}, {"one_particle_irreducible": True}, {"self_loops": False}, {"connected": False}]
)
def test_one_real_field_agrees_with_the_scalar_generator(valences, options):
    for legs, loops in ((2, 0), (2, 1), (2, 2), (4, 1), (0, 2), (0, 3)):
        found = scalar(valences).diagrams({"phi": legs}, loops=loops, **options)
        assert found == enumerate_diagrams(valences=valences, legs=legs, loops=loops, **options)


@pytest.mark.parametrize("model", [qed(), yukawa(phi4=True), charged_current(), complex_phi4()], ids=lambda m: m.name)
def test_filters_agree_with_the_graphs(model):
    legs = model.external[:2] if model.fields[0].is_complex else ()
    for loops in range(1, 4):
        ds = model.diagrams(legs, loops=loops)
        irreducible = model.diagrams(legs, loops=loops, one_particle_irreducible=True)
        assert irreducible == ds.filter(lambda d: d.is_one_particle_irreducible)
        assert model.count(legs, loops=loops, one_particle_irreducible=True) == len(irreducible)
        assert model.diagrams(legs, loops=loops, self_loops=False) == ds.filter(lambda d: not d.n_self_loops)
        assert model.count(legs, loops=loops, self_loops=False) == sum(not d.n_self_loops for d in ds)
        assert model.count(legs, loops=loops) == len(ds)


def contracted(diagram):
    """Return the phi^4 diagram behind one of o_n: the ends of each sigma line become one vertex."""
    pairs = [e for e, f in zip(diagram.edges, diagram.fields, strict=True) if f == "sigma"]
    place = {leg: leg for leg in range(diagram.n_legs)}
    place |= {v: diagram.n_legs + i for i, pair in enumerate(pairs) for v in pair}
    lines = tuple((place[u], place[v]) for (u, v), f in zip(diagram.edges, diagram.fields, strict=True) if f != "sigma")
    return FeynmanGraph(diagram.n_legs, lines)


@pytest.mark.parametrize(
    ("option", "predicate"),
    [
        ({"one_particle_irreducible": True}, lambda d: d.is_one_particle_irreducible),
        ({"self_loops": False}, lambda d: not d.n_self_loops),
    ],
    ids=["1PI", "self-loops"],
)
def test_contact_lines_shrink_for_the_filters(option, predicate):
    model = o_n()
    for loops in (1, 2, 3):
        ds = model.diagrams({"phi": 2}, loops=loops)
        kept = model.diagrams({"phi": 2}, loops=loops, **option)
        assert kept == ds.filter(lambda d: predicate(contracted(d)))
        assert model.count({"phi": 2}, loops=loops, **option) == len(kept)


def test_collections_are_lazy_sequences():
    ds = qed().diagrams(PROPAGATOR, loops=3)
    assert ds.nbytes < 50 * len(ds)
    assert ds[3:5][1] == ds[4]
    assert {d.kinds for d in ds.with_kind(CORRELATOR)} == {(CORRELATOR,) * 6}
    assert ds.weights_by_valences() == {(3,) * 6: Fraction(74)}
    assert ds.labelled_weight() == 74
    assert sum(len(g) for g in ds.group_by(lambda d: d.n_self_loops).values()) == 74
    assert pickle.loads(pickle.dumps(ds)) == ds
    assert np.array_equal(qed().signs(ds[10:20]), qed().signs(ds)[10:20])
    assert len(qed().signs(Diagrams())) == 0
    assert scalar().signs(enumerate_diagrams(valences=(4,), legs=2, loops=2)).tolist() == [1, 1, 1]
    assert ds[0].directed == ("psi",)
    assert set(ds[0].fields) == {"psi", "A"}


def test_arrows_point_along_the_charge():
    (bare,) = qed().diagrams(("psi", "psi*"), loops=0)
    assert bare.edges == ((1, 0),)
    assert qed().signs(qed().diagrams(("psi*", "psi"), loops=0)).tolist() == [-1]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Field("psi*"), "without"),
        (lambda: Vertex(("phi", "phi")), "at least 3"),
        (lambda: Vertex(("phi",) * 3, kind="blob"), "unknown vertex kind"),
        (lambda: Model("m", (), ()), "at least one field"),
        (lambda: Model("m", (Field("a"), Field("a")), (Vertex(("a",) * 3),)), "named twice"),
        (lambda: Model("m", (Field("a"),), (Vertex(("a", "a", "b")),)), "unknown half-edges"),
        (lambda: Model("m", (Field("a"),), (Vertex(("a",) * 3),), charge_odd=("b",)), "unknown fields"),
        (lambda: Model("m", (Field("a"), Field("b")), (Vertex(("a",) * 3),)), "at no vertex"),
        (lambda: Model("m", (Field("a", True),), (Vertex(("a",) * 3),), external=("a",)), "cannot be joined"),
        (lambda: Model("m", (fermion("a"), Field("b")), (Vertex(("a", "b", "b")),)), "odd number of Grassmann"),
        (lambda: Model("m", (fermion("a"),), (Vertex(("a*", "a", "a*", "a")),)), "no sign"),
        (lambda: Model("m", (Field("a"),), (Vertex(("a",) * 3), Vertex(("a",) * 3))), "merge them"),
        (lambda: Model("m", (Field("a"),), (Vertex(("a",) * 3),), index_field="a"), "goes through"),
        (lambda: qed().diagrams(("psi", "phi"), loops=1), "cannot be external"),
        (lambda: o_n().diagrams(("sigma",), loops=1), "cannot be external"),
        (lambda: qed().diagrams({"A": -1}, loops=1), ">= 0"),
        (lambda: qed().diagrams({"A": 2}), "give loops"),
        (lambda: qed().diagrams({"A": 2}, order={"g": 2}), "no vertex carries"),
        (lambda: qed().diagrams({"A": 2}, loops=1, connected=False, one_particle_irreducible=True), "needs connected"),
        (lambda: bipartite().diagrams({"phi": 2}, loops=1, one_particle_irreducible=True), "no propagators"),
        (lambda: yukawa().diagrams(PROPAGATOR, loops=1, furry=True), "odd under conjugation"),
        (lambda: scalar().diagrams({"phi": 2}, loops=70), "not supported"),
        (lambda: qed().sign(yukawa().diagrams(PROPAGATOR, loops=1)[0]), "'phi' is not in the model"),
        (lambda: scalar(4).sign(scalar(3).diagrams({"phi": 2}, loops=1)[0]), "no interaction vertex"),
        (lambda: qed().index_factor(qed().diagrams(PROPAGATOR, loops=1)[0]), "carries an index"),
    ],
)
def test_errors_say_what_is_wrong(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_type_errors():
    with pytest.raises(TypeError, match="half_edges"):
        Vertex("psi")
    with pytest.raises(TypeError, match="legs"):
        qed().diagrams("psi", loops=1)
    with pytest.raises(TypeError, match="loops"):
        qed().diagrams(PROPAGATOR, loops=1.5)


@pytest.mark.parametrize("model", [qed(), yukawa(phi4=True)], ids=lambda m: m.name)
def test_too_many_diagrams_are_refused(model):
    with pytest.raises(MemoryError, match="max_graphs=50"):
        model.diagrams(PROPAGATOR, loops=3, max_graphs=50)


def test_nothing_satisfies_some_requests():
    assert len(qed().diagrams(("psi",), loops=1)) == 0
    assert len(qed().diagrams(("A",), loops=0)) == 0
    assert len(qed().diagrams(PROPAGATOR, loops=0, one_particle_irreducible=True)) == 0
    assert qed().count((), loops=1) == 0


def test_a_model_shows_its_fields_and_vertices():
    assert str(qed()).splitlines() == [
        "Model 'qed'",
        "  field psi: complex Grassmann",
        "  field A: real commuting",
        "  vertex psi* psi A, order e",
    ]
    html = yukawa(phi4=True)._repr_html_()
    assert html.count("<svg") == len(yukawa(phi4=True).vertices)
    for model in (qed(), yukawa(phi4=True), o_n(), bipartite()):
        for vertex in model.vertices:
            picture = vertex_graph(model, vertex)
            assert picture.valences == (len(vertex.half_edges),)
    bare = qed().diagrams(("psi", "psi*", "A"), loops=0)[0]
    assert vertex_graph(qed(), qed().vertices[0]).with_exchangeable_legs() == bare.with_exchangeable_legs()
