"""Several fields: against all Wick contractions with signs, zero-dimensional integrals, and published counts."""

from __future__ import annotations

import pickle
from collections import Counter
from fractions import Fraction
from itertools import product
from math import factorial, prod

import numpy as np
import pytest

from diagrams._species import Request, _orderly_blocks, field_blocks, is_rigid
from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.models import Field, Model, Vertex, bipartite, complex_phi4, o_n, qed, scalar, yukawa
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.symbols import symbol

PROPAGATOR = ("psi", "psi*")


def fermion(name):
    return Field(name, is_complex=True, is_grassmann=True)


def two_flavours():
    vertices = (Vertex(("e*", "e", "A")), Vertex(("m*", "m", "A")))
    return Model("two flavours", (fermion("e"), fermion("m"), Field("A")), vertices)


def charged_current():
    vertices = (Vertex(("e*", "nu", "W")), Vertex(("nu*", "e", "W*")))
    return Model("charged current", (fermion("e"), fermion("nu"), Field("W", is_complex=True)), vertices)


def fermi():
    vertices = (Vertex(("a*", "b", "c*", "d")), Vertex(("b*", "a", "d*", "c")))
    return Model("four fermions", tuple(fermion(f) for f in "abcd"), vertices)


def gross_neveu():
    return Model("bilinears", (fermion("psi"), Field("s", is_contact=True)), (Vertex(("psi*", "psi", "s")),))


def majorana():
    return Model("majorana", (Field("chi", is_grassmann=True), Field("phi")), (Vertex(("chi", "chi", "phi")),))


def with_counterterm():
    vertices = (Vertex(("psi*", "psi", "A")), Vertex(("psi*", "psi"), (("delta", 1),), is_counterterm=True))
    return Model("counterterm", (fermion("psi"), Field("A")), vertices)


# --- every Wick contraction ---------------------------------------------------------------------------------------


def conjugate(model, half_edge):
    field = next(f for f in model.fields if half_edge in f.half_edges)
    return half_edge if not field.is_complex else half_edge[:-1] if half_edge.endswith("*") else half_edge + "*"


def matchings(model, names, free):
    """Iterate over all ways to contract the half-edges with numbers ``free``."""
    if not free:
        yield ()
        return
    first, rest = free[0], free[1:]
    for other in rest:
        if names[other] == conjugate(model, names[first]):
            for tail in matchings(model, names, [h for h in rest if h != other]):
                yield ((first, other), *tail)


def contraction_sign(names, pairs, anticommuting):
    """Sign of the permutation that brings contracted Grassmann half-edges together, psi before psi*."""
    listed = []
    for a, b in pairs:
        if names[a] in anticommuting:
            listed += [b, a] if names[a].endswith("*") else [a, b]
    return (-1) ** sum(x > y for i, x in enumerate(listed) for y in listed[i + 1 :])


def contractions(model, legs, vertices):
    """Return {graph: (number of contractions, set of signs)} for one list of vertices."""
    names = [*legs, *(h for v in vertices for h in v.half_edges)]
    nodes = [*range(len(legs)), *(len(legs) + i for i, v in enumerate(vertices) for _ in v.half_edges)]
    anticommuting = {h for f in model.fields if f.is_grassmann for h in f.half_edges}
    arrows = {f for f, arrow in zip(model.table.fields, model.table.arrows, strict=True) if arrow}
    numbers, signs = Counter(), {}
    for pairs in matchings(model, names, list(range(len(names)))):
        lines = []
        for a, b in pairs:
            tail, head = (a, b) if names[a].endswith("*") else (b, a)
            lines.append((nodes[tail], nodes[head], names[head].rstrip("*")))
        key = tuple(sorted(lines))
        numbers[key] += 1
        signs.setdefault(key, set()).add(contraction_sign(names, pairs, anticommuting))
    result = {}
    for lines, number in numbers.items():
        fields = () if model.table.is_plain else tuple(f for _, _, f in lines)
        graph = FeynmanGraph(
            len(legs),
            tuple((u, v) for u, v, _ in lines),
            tuple(v.kind for v in vertices),
            fields,
            tuple(arrows & {f for _, _, f in lines}),
        )
        before = result.get(graph, (0, set()))
        result[graph] = before[0] + number, before[1] | signs[lines]
    return result


def by_brute_force(model, legs, accept, most=6, **keep):
    """Return {graph: (symmetry factor, signs)} over all vertex lists up to ``most`` vertices that ``accept`` takes."""
    found = {}
    for counts in product(range(most + 1), repeat=len(model.vertices)):
        if sum(counts) > most or not accept(counts):
            continue
        vertices = [v for v, n in zip(model.vertices, counts, strict=True) for _ in range(n)]
        exchanges = prod(factorial(n) for n in counts)
        exchanges *= prod(factorial(n) for v in vertices for n in Counter(v.half_edges).values())
        for graph, (number, signs) in contractions(model, legs, vertices).items():
            if keep.get("connected", True) <= graph.is_connected:
                found[graph] = Fraction(exchanges, number), signs
    return found


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


def check_contractions(model, legs, ds, expected):
    assert len(set(ds)) == len(ds)
    assert {d: Fraction(d.symmetry_factor) for d in ds} == {d: s for d, (s, _) in expected.items()}
    assert [d.symmetry_factor for d in ds] == [s for b in ds.blocks for s in b.symmetry.tolist()]
    assert [{s} for s in model.signs(ds).tolist()] == [expected[d][1] for d in ds]
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


# --- zero-dimensional theories: sums of 1/|Aut| -------------------------------------------------------------------


class Power:
    """A power series in one variable with exact coefficients."""

    def __init__(self, coefficients, order):
        self.c = [Fraction(x) for x in coefficients][: order + 1]
        self.c += [Fraction(0)] * (order + 1 - len(self.c))
        self.order = order

    def __mul__(self, other):
        if not isinstance(other, Power):
            return Power([x * other for x in self.c], self.order)
        pairs = [sum(self.c[i] * other.c[k - i] for i in range(k + 1)) for k in range(self.order + 1)]
        return Power(pairs, self.order)

    def __add__(self, other):
        return Power([a + b for a, b in zip(self.c, other.c, strict=True)], self.order)

    def __sub__(self, other):
        return self + other * -1

    def exp(self):
        result = [Fraction(1)]
        for n in range(1, self.order + 1):
            result.append(sum(k * self.c[k] * result[n - k] for k in range(1, n + 1)) / n)
        return Power(result, self.order)

    def log(self):
        result = [Fraction(0)]
        for n in range(1, self.order + 1):
            result.append(self.c[n] - sum(k * result[k] * self.c[n - k] for k in range(1, n)) / Fraction(n))
        return Power(result, self.order)

    def inverse(self):
        result = [1 / self.c[0]]
        for n in range(1, self.order + 1):
            result.append(-sum(self.c[k] * result[n - k] for k in range(1, n + 1)) / self.c[0])
        return Power(result, self.order)


def double_factorial(n):
    return prod(range(n, 0, -2))


def boson_averages(weight, order, phi4=0, furry=False):
    """Return <B^k S^n> as series in the Yukawa coupling y, with exp(weight * sum (y B)^n / n) from fermion loops.

    S = 1 / (1 - y B) is the fermion propagator in the boson field, a phi^4 vertex counts ``phi4 * y**2``.
    """
    # a polynomial in B at each power of y: y only comes as y B, or as y^2 B^4
    step = 2 if furry else 1
    loops = Power([0] + [Fraction(weight, n) if n % step == 0 else 0 for n in range(1, order + 1)], order).exp()
    line = Power([1] * (order + 1), order)

    def average(k, n):
        lines = loops
        for _ in range(n):
            lines = lines * line
        result = [Fraction(0)] * (order + 1)
        for a, c in enumerate(lines.c):
            for b in range((order - a) // 2 + 1):
                power = a + 4 * b + k
                if power % 2 == 0:
                    moment = double_factorial(power - 1)
                    result[a + 2 * b] += c * Fraction(phi4, 24) ** b / factorial(b) * moment
        return Power(result, order)

    return average


def fermion_two_point(average):
    return average(0, 1) * average(0, 0).inverse()


def boson_two_point(average):
    z = average(0, 0).inverse()
    return average(2, 0) * z - average(1, 0) * z * (average(1, 0) * z)


def three_point(average):
    z = average(0, 0).inverse()
    return average(1, 1) * z - average(0, 1) * z * (average(1, 0) * z)


def signed_sum(model, ds):
    symmetry = [Fraction(1, s) for b in ds.blocks for s in b.symmetry.tolist()]
    return sum((s * w for s, w in zip(model.signs(ds).tolist(), symmetry, strict=True)), Fraction(0))


@pytest.mark.parametrize(
    ("function", "legs", "shift"),
    [
        (fermion_two_point, PROPAGATOR, 0),
        (boson_two_point, ("phi", "phi"), 0),
        (three_point, ("psi", "psi*", "phi"), 1),
    ],
    ids=["fermion", "boson", "vertex"],
)
@pytest.mark.parametrize("phi4", [0, 1])
def test_weights_with_and_without_fermion_signs(function, legs, shift, phi4):
    model = yukawa(phi4=bool(phi4))
    plain, signed = (function(boson_averages(s, 9, phi4)) for s in (1, -1))
    for loops in range(4):
        ds = model.diagrams(legs, loops=loops)
        assert ds.total_weight() == plain.c[2 * loops + shift]
        assert signed_sum(model, ds) == signed.c[2 * loops + shift]


@pytest.mark.parametrize("phi4", [0, 1])
def test_four_fermion_legs(phi4):
    model = yukawa(phi4=bool(phi4))
    average = boson_averages(1, 8, phi4)
    z = average(0, 0).inverse()
    two = average(0, 1) * z
    expected = (average(0, 2) * z - two * two) * 2
    for loops in range(3 if phi4 else 4):
        ds = model.diagrams(("psi", "psi*", "psi", "psi*"), loops=loops)
        assert ds.total_weight() == expected.c[2 * loops + 2]
        assert signed_sum(model, ds) == 0  # psi(x_1) psi(x_3) = 0 without dependence on the points


@pytest.mark.parametrize("model", [qed(), yukawa(phi4=True)], ids=["qed", "yukawa"])
def test_vacuum_weights_with_signs(model):
    phi4 = len(model.vertices) - 1
    plain, signed = (boson_averages(s, 8, phi4)(0, 0).log() for s in (1, -1))
    for loops in range(2, 5):
        ds = model.diagrams(loops=loops)
        assert ds.total_weight() == plain.c[2 * loops - 2]
        assert signed_sum(model, ds) == signed.c[2 * loops - 2]
        assert all(d.symmetry_factor == s for b in ds.blocks for d, s in zip(Diagrams((b,)), b.symmetry, strict=True))


def test_majorana_loops_have_half_the_weight_of_complex_ones():
    model = majorana()
    for loops in range(4):
        ds = model.diagrams(("chi", "chi"), loops=loops)
        assert ds.total_weight() == fermion_two_point(boson_averages(Fraction(1, 2), 6)).c[2 * loops]
        assert signed_sum(model, ds) == fermion_two_point(boson_averages(Fraction(-1, 2), 6)).c[2 * loops]


@pytest.mark.parametrize(
    ("function", "legs", "shift"),
    [(fermion_two_point, PROPAGATOR, 0), (boson_two_point, ("A", "A"), 0), (three_point, ("psi", "A", "psi*"), 1)],
    ids=["fermion", "photon", "vertex"],
)
def test_furry_drops_odd_fermion_loops(function, legs, shift):
    model = qed()
    expected = function(boson_averages(1, 9, furry=True))
    for loops in range(5 - shift):
        ds = model.diagrams(legs, loops=loops, furry=True)
        assert ds.total_weight() == len(ds) == expected.c[2 * loops + shift]


def test_complex_phi4_weights():
    order = 5
    moments = [
        Power([Fraction(factorial(k + 2 * n), 4**n * factorial(n)) for n in range(order + 1)], order) for k in range(3)
    ]
    z = moments[0].inverse()
    two, four = moments[1] * z, moments[2] * z
    connected = four - two * two * 2
    model = complex_phi4()
    for loops in range(5):
        assert model.diagrams({"phi": 1, "phi*": 1}, loops=loops).total_weight() == two.c[loops]
        if loops < 4:
            assert model.diagrams({"phi": 2, "phi*": 2}, loops=loops).total_weight() == connected.c[loops + 1]
            assert model.diagrams(loops=loops + 2).total_weight() == moments[0].log().c[loops + 1]


@pytest.mark.parametrize("n_fields", [1, 2, 3, 7])
def test_o_n_weights(n_fields):
    model, order = o_n(), 4

    def moment(k):  # <(phi^2)^k>
        return prod(range(n_fields, n_fields + 2 * k, 2))

    z, phi2 = (
        Power([Fraction(moment(k + 2 * n), 24**n * factorial(n)) for n in range(order + 1)], order) for k in (0, 1)
    )
    expected = {("phi", "phi"): (phi2 * z.inverse() * Fraction(1, n_fields), 0), (): (z.log(), -1)}
    for legs, (series, shift) in expected.items():
        for loops in range(0 if legs else 2, 4):
            ds = model.diagrams(legs, loops=loops)
            total = sum(
                Fraction(n_fields ** model.n_index_loops(d), 3 ** (d.n_vertices // 2) * d.symmetry_factor) for d in ds
            )
            assert total == series.c[loops + shift]


def moments_from_cumulants(cumulants, order):
    """Return [E x^n / n!] from the cumulants {r: kappa_r}."""
    return Power([Fraction(cumulants.get(r, 0)) / factorial(r) for r in range(order + 1)], order).exp().c


@pytest.mark.parametrize(("blobs", "order"), [((2, 4, 6), 1), ((2, 4, 6, 8, 10), 2)])
def test_bipartite_weights(blobs, order):
    values = {2: Fraction(3, 2), 4: Fraction(-2, 5), 6: Fraction(7, 3), 8: Fraction(1, 11), 10: Fraction(-5, 7)}
    cumulants = {r: values[r] for r in blobs}
    m = [c * factorial(n) for n, c in enumerate(moments_from_cumulants(cumulants, 14))]
    z, two = (Power([m[k + 4 * n] / (24**n * factorial(n)) for n in range(3)], 2) for k in (0, 2))
    ds = bipartite(blobs=blobs).diagrams({"phi": 2}, order={"g_4": order})
    total = sum(prod(cumulants[r] for r in blob_degrees(d)) / d.symmetry_factor for d in ds)
    assert total == (two * z.inverse()).c[order]


def test_bipartite_orders_in_both_parameters():
    model = bipartite()
    everything = model.diagrams({"phi": 2}, order={"g_4": (0, 2)})
    by_power = Counter((d.kinds.count("interaction"), sum(r // 2 - 1 for r in blob_degrees(d))) for d in everything)
    for (g, n), number in by_power.items():
        assert len(model.diagrams({"phi": 2}, order={"g_4": g, "1/N": n})) == number


# --- counts of others, and one generator against the other --------------------------------------------------------


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
        request = Request(ends, loops, (), True, one_particle_irreducible, True, 10**6)
        counts = (len(legs) + 2 * (loops - 1),)
        if counts == (0,):
            continue
        assert is_rigid(table, counts, ends)
        orderly = list(_orderly_blocks(table, counts, request, ends, [()]))
        rigid = list(field_blocks(table, request))
        assert Counter(d for b in orderly for d in Diagrams((b,))) == Counter(d for b in rigid for d in Diagrams((b,)))


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


# --- the collection and its errors --------------------------------------------------------------------------------


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
