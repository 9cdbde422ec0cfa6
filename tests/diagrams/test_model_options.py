"""Filters and exchangeable legs of models: options of the enumeration equal filtering afterwards."""

from __future__ import annotations

from collections import Counter

import pytest
from sample_models import PROPAGATOR, charged_current, gross_neveu, two_flavours

from diagrams import _model_diagrams
from diagrams.graph import FeynmanGraph
from diagrams.models import Field, Model, Vertex, bipartite, complex_phi4, o_n, qed, scalar, yukawa
from diagrams.topology import has_leg_correction, is_planar, is_two_particle_irreducible, is_vertex_two_connected


def two_scalars():
    fields = (Field("a"), Field("b"))
    return Model("two scalars", fields, (Vertex(("a", "a", "b")), Vertex(("b", "b", "b"))))


PREDICATES = {
    "one_particle_irreducible": (True, lambda d: d.is_one_particle_irreducible),
    "self_loops": (False, lambda d: not d.n_self_loops),
    "tadpoles": (False, lambda d: not d.has_tadpole),
    "amputated": (True, lambda d: not has_leg_correction(d)),
}
CHOICES = [
    ("tadpoles",),
    ("amputated",),
    ("tadpoles", "amputated"),
    ("tadpoles", "self_loops"),
    ("amputated", "self_loops"),
]
CASES = [
    (qed(), PROPAGATOR, 3),
    (qed(), ("psi", "A", "psi*"), 2),
    (qed(), ("A",), 3),
    (qed(), ("A",) * 4, 1),
    (qed(), (), 4),
    (yukawa(phi4=True), ("phi", "phi"), 2),
    (yukawa(phi4=True), ("phi", "psi", "psi*"), 2),
    (two_flavours(), ("e", "m", "e*", "m*"), 1),
    (charged_current(), ("W", "W*"), 2),
    (complex_phi4(), ("phi", "phi", "phi*", "phi*"), 2),
    (scalar((3, 4)), ("phi",) * 3, 1),
    (two_scalars(), ("a", "a", "b"), 2),
    (two_scalars(), ("a", "b", "b", "a"), 1),
]


@pytest.mark.parametrize("names", CHOICES, ids="+".join)
@pytest.mark.parametrize(("model", "legs", "loops"), CASES, ids=[f"{m.name}-{len(k)}-{n}" for m, k, n in CASES])
def test_options_equal_filters(model, legs, loops, names):
    expected = model.diagrams(legs, loops=loops)
    for name in names:
        expected = expected.filter(PREDICATES[name][1])
    options = {name: PREDICATES[name][0] for name in names}
    assert model.diagrams(legs, loops=loops, **options) == expected
    assert model.count(legs, loops=loops, **options) == len(expected)


def test_tadpoles_of_disconnected_diagrams():
    model = qed()
    for legs in (("A", "A"), PROPAGATOR, ("A",)):
        for loops in (0, 1, 2):
            everything = model.diagrams(legs, loops=loops, connected=False)
            kept = model.diagrams(legs, loops=loops, connected=False, tadpoles=False)
            assert kept == everything.filter(lambda d: not d.has_tadpole)
            assert model.count(legs, loops=loops, connected=False, tadpoles=False) == len(kept)


def contracted(diagram):
    """Return the diagram of o_n with the ends of each sigma line made one vertex."""
    pairs = [e for e, f in zip(diagram.edges, diagram.fields, strict=True) if f == "sigma"]
    place = {leg: leg for leg in range(diagram.n_legs)}
    place |= {v: diagram.n_legs + i for i, pair in enumerate(pairs) for v in pair}
    lines = tuple((place[u], place[v]) for (u, v), f in zip(diagram.edges, diagram.fields, strict=True) if f != "sigma")
    return FeynmanGraph(diagram.n_legs, lines)


@pytest.mark.parametrize("name", list(PREDICATES))
def test_contact_lines_are_never_cut(name):
    value, predicate = PREDICATES[name]
    for legs, loops in ((2, 2), (4, 1), (0, 3)):
        ds = o_n().diagrams({"phi": legs}, loops=loops)
        assert o_n().diagrams({"phi": legs}, loops=loops, **{name: value}) == ds.filter(
            lambda d: predicate(contracted(d))
        )


FREE = [
    (qed(), ("psi", "psi", "psi*", "psi*"), 2),
    (qed(), ("A",) * 4, 2),
    (qed(), ("psi", "A", "A", "psi*"), 2),
    (yukawa(phi4=True), ("phi", "phi", "psi", "psi*"), 1),
    (charged_current(), ("W", "W", "W*", "W*"), 1),
    (two_scalars(), ("a", "a", "b", "b"), 1),
    (o_n(), ("phi",) * 4, 2),
]


@pytest.mark.parametrize(
    "options", [{}, {"one_particle_irreducible": True}, {"tadpoles": False, "amputated": True}], ids=str
)
@pytest.mark.parametrize(("model", "legs", "loops"), FREE, ids=[f"{m.name}-{len(k)}" for m, k, _ in FREE])
def test_exchangeable_legs_are_orbits_of_labelled_ones(model, legs, loops, options):
    orbits = Counter(d.with_exchangeable_legs() for d in model.diagrams(legs, loops=loops, **options))
    ds = model.diagrams(legs, loops=loops, labelled=False, **options)
    assert dict(zip(ds, [m for b in ds.blocks for m in b.multiplicity.tolist()], strict=True)) == orbits
    assert [d.symmetry_factor for d in ds] == [s for b in ds.blocks for s in b.symmetry.tolist()]
    assert model.count(legs, loops=loops, labelled=False, **options) == len(ds)
    assert not any(d.labelled for d in ds)
    assert [m for b in ds[1:].blocks for m in b.multiplicity.tolist()] == [orbits[d] for d in ds[1:]]


def test_signs_need_legs_that_cannot_be_confused():
    model = qed()
    for legs in (PROPAGATOR, ("A", "psi*", "A", "psi")):
        ds = model.diagrams(legs, loops=1, labelled=False)
        assert model.signs(ds).tolist() == [model.sign(d) for d in ds]
    with pytest.raises(ValueError, match="labelled=True"):
        model.signs(model.diagrams(("psi", "psi", "psi*", "psi*"), loops=0, labelled=False))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: qed().diagrams(PROPAGATOR, loops=1, connected=False, amputated=True), "needs connected"),
        (lambda: bipartite().diagrams({"phi": 2}, order={"g_4": 1}, tadpoles=False), "no propagators"),
        (lambda: bipartite().count({"phi": 2}, order={"g_4": 1}, amputated=True), "no propagators"),
    ],
)
def test_errors(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_memory_errors_state_the_number(monkeypatch):
    with pytest.raises(MemoryError, match=r"there are 8162 diagrams .* max_graphs=100; raise"):
        qed().diagrams(PROPAGATOR, loops=5, max_graphs=100)
    with pytest.raises(MemoryError, match=r"there are 69154 diagrams .* labelled=False"):
        qed().diagrams({"psi": 2, "psi*": 2}, loops=4, max_graphs=100)
    for least in (100, 1164):
        with pytest.raises(MemoryError, match="there are 1165 diagrams"):
            yukawa(phi4=True).diagrams(PROPAGATOR, loops=4, max_graphs=least)
    planar = len(qed().diagrams(PROPAGATOR, loops=3, planar=True))
    with pytest.raises(MemoryError, match=f"there are {planar} diagrams"):
        qed().diagrams(PROPAGATOR, loops=3, planar=True, max_graphs=10)
    monkeypatch.setattr(_model_diagrams, "_MOST_COUNTED", 1100)
    with pytest.raises(MemoryError, match="at least 934 diagrams"):
        yukawa(phi4=True).diagrams(PROPAGATOR, loops=4, max_graphs=100)
    monkeypatch.setattr(_model_diagrams, "_MOST_COUNTED", 1164)
    with pytest.raises(MemoryError, match="more than 1164 diagrams"):
        yukawa(phi4=True).diagrams(PROPAGATOR, loops=4, max_graphs=1164)


SHAPES = {
    "two_particle_irreducible": is_two_particle_irreducible,
    "vertex_two_connected": is_vertex_two_connected,
    "planar": is_planar,
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    ("model", "legs", "loops"),
    [
        (qed(), PROPAGATOR, 3),
        (qed(), ("psi", "psi*", "A"), 2),
        (yukawa(phi4=True), (), 3),
        (complex_phi4(), (), 4),
        (complex_phi4(), ("phi", "phi", "phi*", "phi*"), 2),
    ],
    ids=lambda v: v.name if isinstance(v, Model) else str(v),
)
def test_shapes_are_filters_on_all_diagrams(model, legs, loops, name):
    wanted = [d for d in model.diagrams(legs, loops=loops) if SHAPES[name](d)]
    assert list(model.diagrams(legs, loops=loops, **{name: True})) == wanted
    assert model.count(legs, loops=loops, **{name: True}) == len(wanted)
    blocks = list(model.iter_diagrams(legs, loops=loops, block_size=5, **{name: True}))
    assert [d for block in blocks for d in block] == wanted


def test_shapes_combine():
    legs, both = ("psi", "psi*", "A"), {"vertex_two_connected": True, "planar": True}
    found = qed().diagrams(legs, loops=3, furry=True, **both)
    wanted = [d for d in qed().diagrams(legs, loops=3, furry=True) if all(SHAPES[n](d) for n in both)]
    assert list(found) == wanted
    assert 0 < len(wanted) < qed().count(legs, loops=3, vertex_two_connected=True)


def test_shapes_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="planar=True needs connected=True"):
        qed().diagrams(PROPAGATOR, loops=1, planar=True, connected=False)
    with pytest.raises(ValueError, match="whose lines are all propagators"):
        gross_neveu().diagrams(PROPAGATOR, loops=1, vertex_two_connected=True)
