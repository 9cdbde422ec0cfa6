"""Several fields against all Wick contractions, with signs."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from math import factorial, prod

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sample_models import (
    PROPAGATOR,
    by_brute_force,
    charged_current,
    fermi,
    gross_neveu,
    two_flavours,
    with_counterterm,
)

from diagrams.graph import CORRELATOR
from diagrams.models import Field, Model, Vertex, bipartite, complex_phi4, o_n, qed, scalar, yukawa
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.symbols import symbol

CASES = [
    (qed(), PROPAGATOR, 2),
    (qed(), ("psi*", "A", "psi"), 1),
    (qed(), ("A", "A"), 2),
    (qed(), ("psi", "psi", "psi*", "psi*"), 1),
    (qed(), ("psi*", "psi", "psi", "psi*", "A"), 0),
    (qed(), (), 3),
    (yukawa(phi4=True), PROPAGATOR, 2),
    (yukawa(phi4=True), ("phi", "psi", "phi", "psi*"), 0),
    (yukawa(phi4=True), (), 3),
    (two_flavours(), ("e", "m", "m*", "e*"), 1),
    (two_flavours(), (), 2),
    (charged_current(), ("e", "e*"), 2),
    (charged_current(), ("W", "W*"), 1),
    (fermi(), ("a", "b*", "d*", "c"), 1),
    (fermi(), ("a", "a*"), 2),
    (gross_neveu(), ("psi", "psi", "psi*", "psi*"), 1),
    (complex_phi4(), ("phi", "phi*"), 3),
    (complex_phi4(), ("phi", "phi*", "phi*", "phi"), 1),
    (complex_phi4(), (), 4),
    (scalar((3, 4)), ("phi", "phi"), 1),
    (scalar((3, 4)), ("phi", "phi", "phi"), 1),
    (o_n(), ("phi", "phi"), 2),
    (o_n(), (), 3),
]


def excess(model, counts):
    return sum(n * (len(v.half_edges) - 2) for n, v in zip(counts, model.vertices, strict=True))


def check_contractions(model, legs, ds, expected, *, signs=True):
    assert len(set(ds)) == len(ds)
    assert {d: Fraction(d.symmetry_factor) for d in ds} == {d: s for d, (s, _) in expected.items()}
    assert [d.symmetry_factor for d in ds] == [s for b in ds.blocks for s in b.symmetry.tolist()]
    assert not signs or [{s} for s in model.signs(ds).tolist()] == [expected[d][1] for d in ds]
    assert [model.sign(d) for d in ds] == model.signs(ds).tolist()


@pytest.mark.parametrize(("model", "legs", "loops"), CASES, ids=[f"{m.name}-{len(k)}-{n}" for m, k, n in CASES])
def test_every_contraction_and_its_sign(model, legs, loops):
    target = len(legs) + 2 * (loops - 1)
    expected = by_brute_force(model, legs, lambda n: excess(model, n) == target)
    check_contractions(model, legs, model.diagrams(legs, loops=loops), expected)


@pytest.mark.parametrize("legs", [PROPAGATOR, ("A", "A"), ("psi", "psi", "psi*", "psi*"), ("psi", "A", "A", "psi*")])
def test_disconnected_contractions(legs):
    model = qed()
    everything = by_brute_force(model, legs, lambda n: n[0] <= 4, connected=False)
    check_contractions(model, legs, model.diagrams(legs, order={"e": (0, 4)}, connected=False), everything)
    for loops in (0, 1):
        # 4 vertices hold all diagrams with at most this many cycles, vacuum parts with more have been left out
        expected = {d: x for d, x in everything.items() if d.n_loops == loops}
        ds = model.diagrams(legs, loops=loops, connected=False)
        small = [d for d in ds if d.n_vertices <= 4]
        assert {d: Fraction(d.symmetry_factor) for d in small} == {d: s for d, (s, _) in expected.items()}


def test_counterterms_need_an_order():
    model = with_counterterm()
    with pytest.raises(ValueError, match="infinitely many"):
        model.diagrams(PROPAGATOR, loops=1)
    ds = model.diagrams(PROPAGATOR, loops=1, order={"delta": (0, 2)})
    check_contractions(
        model, PROPAGATOR, ds, by_brute_force(model, PROPAGATOR, lambda n: excess(model, n) == 2 and n[1] <= 2)
    )
    assert len(ds) == 2 + 2 * 3 + 2 * 6  # one or two of them on the three fermion lines of either diagram


def blob_degrees(diagram):
    return tuple(sorted(v for v, k in zip(diagram.valences, diagram.kinds, strict=True) if k == CORRELATOR))


def test_bipartite_first_order_has_the_published_weights():
    model, legs = bipartite(), ("phi", "phi")
    ds = model.diagrams(legs, order={"g_4": 1})
    expected = by_brute_force(model, legs, lambda n: n[0] == 1 and 2 * n[1] + 4 * n[2] + 6 * n[3] == 6)
    check_contractions(model, legs, ds, expected)
    weights = sorted((blob_degrees(d), Fraction(24, d.symmetry_factor)) for d in ds)
    assert weights == [((2, 2, 2), 12), ((2, 4), 4), ((2, 4), 4), ((2, 4), 6), ((6,), 1)]
    assert {d.fields for d in ds} == {()}
    assert {d.directed for d in ds} == {()}


def test_bipartite_amplitudes():
    strength = symbol("lambda")
    vertex = VertexRule("interaction", 4, -strength, None, True, (1,))
    rules = FeynmanRules.mixed((vertex,), (2, 4, 6), (strength,))
    found = Counter(
        rules.amplitude(d).as_coeff_Mul()[0] * -24 for d in bipartite().diagrams({"phi": 2}, order={"g_4": 1})
    )
    assert found == {12: 1, 4: 2, 6: 1, 1: 1}


# --- models drawn at random, all diagrams with up to 12 half-edges ---------------------------------------------------

REQUESTS = [(2, 0), (1, 1), (2, 1), (3, 1), (4, 0), (0, 2), (0, 3), (3, 0)]  # at most 12 half-edges with cubic vertices


@st.composite
def models_and_legs(draw):
    kinds = draw(st.lists(st.sampled_from(["real", "complex", "fermion", "majorana"]), min_size=1, max_size=3))
    names = zip("abc", kinds, strict=False)
    fields = [Field(n, k in ("complex", "fermion"), k in ("fermion", "majorana")) for n, k in names]
    ends = [h for f in fields for h in f.half_edges]
    shapes = st.lists(st.sampled_from(ends), min_size=3, max_size=4).map(sorted)
    vertices = draw(st.lists(shapes, min_size=1, max_size=2, unique_by=tuple))
    try:
        model = Model("random", tuple(fields), tuple(Vertex(tuple(v), (("g", 1),)) for v in vertices))
    except ValueError:
        assume(False)
    n_legs, loops = draw(st.sampled_from(REQUESTS))
    legs = tuple(draw(st.lists(st.sampled_from(model.external), min_size=n_legs, max_size=n_legs)))
    return model, legs, loops


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(models_and_legs())
def test_random_models(drawn):
    model, legs, loops = drawn
    target = len(legs) + 2 * (loops - 1)
    expected = by_brute_force(model, legs, lambda n: excess(model, n) == target)
    ds = model.diagrams(legs, loops=loops)
    # the lines of real fermions have no direction, so that a sign is one of convention there
    check_contractions(
        model, legs, ds, expected, signs=not any(f.is_grassmann and not f.is_complex for f in model.fields)
    )
    check_exchangeable(model, legs, model.diagrams(legs, loops=loops, labelled=False), expected)


def check_exchangeable(model, legs, ds, labelled):
    """Compare with the orbits of labelled diagrams: the weights of an orbit add up to (leg permutations) / |Aut|."""
    permutations = prod(map(factorial, Counter(legs).values()))
    number, weight = Counter(), defaultdict(Fraction)
    for d, (s, _) in labelled.items():
        number[d.with_exchangeable_legs()] += 1
        weight[d.with_exchangeable_legs()] += 1 / s
    assert {d: Fraction(permutations, d.symmetry_factor) for d in ds} == weight
    assert [d.symmetry_factor for d in ds] == [s for b in ds.blocks for s in b.symmetry.tolist()]
    found = [m for b in ds.blocks for m in b.multiplicity.tolist()]
    assert dict(zip(ds, found, strict=True)) == number


EXCHANGED = [
    (qed(), ("psi", "psi", "psi*", "psi*"), 1),
    (qed(), ("A", "psi", "A", "psi*"), 0),
    (qed(), ("A", "A", "A"), 1),
    (two_flavours(), ("e", "e", "e*", "e*"), 1),
    (charged_current(), ("W", "W", "W*", "W*"), 1),
    (yukawa(phi4=True), ("phi",) * 4, 1),
    (complex_phi4(), ("phi", "phi", "phi*", "phi*"), 1),
    (o_n(), ("phi",) * 4, 1),
    (scalar((3, 4)), ("phi",) * 3, 1),
]


@pytest.mark.parametrize(("model", "legs", "loops"), EXCHANGED, ids=[f"{m.name}-{len(k)}" for m, k, _ in EXCHANGED])
def test_exchangeable_legs_stand_for_orbits_of_labelled_ones(model, legs, loops):
    target = len(legs) + 2 * (loops - 1)
    expected = by_brute_force(model, legs, lambda n: excess(model, n) == target)
    check_exchangeable(model, legs, model.diagrams(legs, loops=loops, labelled=False), expected)


def test_exchangeable_legs_of_disconnected_diagrams():
    model, legs = qed(), ("psi", "psi", "psi*", "psi*")
    expected = by_brute_force(model, legs, lambda n: n[0] <= 4, connected=False)
    ds = model.diagrams(legs, order={"e": (0, 4)}, connected=False, labelled=False)
    check_exchangeable(model, legs, ds, expected)
    photons = by_brute_force(model, ("A",) * 4, lambda n: n[0] <= 4, connected=False)
    ds = model.diagrams(("A",) * 4, order={"e": (0, 4)}, connected=False, labelled=False)
    check_exchangeable(model, ("A",) * 4, ds, photons)


def test_legs_joined_directly_have_order_zero():
    model = qed()
    for bounds, bare in (((0, 2), True), ((1, 2), False)):
        ds = model.diagrams(("A", "A"), order={"e": bounds}, connected=False)
        assert any(d.n_vertices == 0 for d in ds) == bare
