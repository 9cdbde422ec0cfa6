"""Several fields against integrals in zero dimensions: sums of 1/|Aut|, with and without signs, and numbers."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import factorial, prod

import pytest
from sample_models import PROPAGATOR, charged_current, fermi, majorana, two_flavours

from diagrams.collection import Diagrams
from diagrams.graph import CORRELATOR
from diagrams.models import Model, bipartite, complex_phi4, o_n, qed, scalar, yukawa


def blob_degrees(diagram):
    return tuple(sorted(v for v, k in zip(diagram.valences, diagram.kinds, strict=True) if k == CORRELATOR))


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


# --- total_weight: the same without making diagrams, order by order -------------------------------------------------


@pytest.mark.parametrize("phi4", [0, 1])
@pytest.mark.parametrize(
    ("function", "legs", "shift"),
    [
        (fermion_two_point, PROPAGATOR, 0),
        (boson_two_point, ("phi", "phi"), 0),
        (three_point, ("psi", "psi*", "phi"), 1),
    ],
    ids=["fermion", "boson", "vertex"],
)
def test_total_weight_is_the_integral(function, legs, shift, phi4):
    model = yukawa(phi4=bool(phi4))
    plain, signed = (function(boson_averages(s, 13, phi4)) for s in (1, -1))
    for loops in range(6):
        assert model.total_weight(legs, loops=loops) == plain.c[2 * loops + shift]
        assert model.total_weight(legs, loops=loops, signed=True) == signed.c[2 * loops + shift]


def test_signs_matter():
    model = yukawa()
    plain, signed = (boson_two_point(boson_averages(s, 8)) for s in (1, -1))
    assert plain.c[4] != signed.c[4]
    ds = model.diagrams(("phi", "phi"), loops=2)
    assert signed_sum(model, ds) == signed.c[4] != plain.c[4] == ds.total_weight()


def test_irreducible_two_point_weight_is_the_inverse_propagator():
    model, order = qed(), 12
    average = boson_averages(1, order)
    z = average(0, 0).inverse()
    mean = (average(1, 0) * z).c[1::2]  # tadpoles: A -> A + a with a = <A> order by order
    assert mean[0] == 1
    free = boson_averages(1, order, furry=True)  # no tadpoles, so the 1PI function is 1 - 1 / S
    inverse = fermion_two_point(free).inverse()
    for loops in range(1, 6):
        weight = model.total_weight(PROPAGATOR, loops=loops, one_particle_irreducible=True, furry=True)
        assert weight == -inverse.c[2 * loops]
        assert weight != fermion_two_point(free).c[2 * loops] or loops == 1


CHARGED = [qed(), two_flavours(), charged_current(), fermi()]


@pytest.mark.parametrize("model", CHARGED, ids=lambda m: m.name)
def test_signed_weight_is_that_of_the_diagrams(model):
    first = model.fields[0].half_edges
    for legs in ((), first, first + first, first + model.fields[1].half_edges):
        for loops in range(3 - len(legs) // 4):
            ds = model.diagrams(legs, loops=loops)
            assert model.total_weight(legs, loops=loops, signed=True) == signed_sum(model, ds)


OPTIONS = [
    {},
    {"one_particle_irreducible": True},
    {"self_loops": False},
    {"tadpoles": False},
    {"connected": False},
    {"connected": False, "self_loops": False},
    {"one_particle_irreducible": True, "self_loops": False},
    {"tadpoles": False, "self_loops": False},
    {"labelled": False},
    {"labelled": False, "one_particle_irreducible": True},
    {"labelled": False, "connected": False, "tadpoles": False},
]
READY_MADE = [
    (qed(), ("psi", "psi", "psi*", "psi*")),
    (qed(), ("A", "A")),
    (yukawa(phi4=True), ("phi", "psi", "psi*")),
    (yukawa(), ()),
    (scalar((3, 4)), ("phi", "phi")),
    (complex_phi4(), ("phi", "phi", "phi*", "phi*")),
    (o_n(), ("phi", "phi")),
    (majorana(), ("chi", "chi", "phi")),
    (two_flavours(), ("e", "e*")),
    (charged_current(), ("W", "W*")),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("model", "legs"), READY_MADE, ids=[f"{m.name}-{len(k)}" for m, k in READY_MADE])
def test_total_weight_is_the_sum_over_the_diagrams(model, legs, options):
    for loops in range(2):
        ds = model.diagrams(legs, loops=loops, **options)
        assert model.total_weight(legs, loops=loops, **options) == ds.total_weight()


def test_bipartite_weight_by_orders():
    model = bipartite()
    for order in ({"g_4": (0, 2)}, {"g_4": 1, "1/N": 1}, {"g_4": 2, "1/N": (0, 1)}):
        assert model.total_weight({"phi": 2}, order=order) == model.diagrams({"phi": 2}, order=order).total_weight()
        free = model.diagrams({"phi": 2}, order=order, labelled=False)
        assert model.total_weight({"phi": 2}, order=order, labelled=False) == free.total_weight()


@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("model", [qed(), two_flavours()], ids=lambda m: m.name)
def test_furry_weights(self_loops, model):
    odd = Model("odd", model.fields, model.vertices, charge_odd=("A",))
    f = odd.fields[0].name
    for legs in ((f, f + "*"), ("A", "A"), (f, "A", f + "*"), ("A",) * 4, ()):
        for one_particle_irreducible in (False, True):
            for loops in range(1, 4 - len(legs) // 2):
                options = {"furry": True, "self_loops": self_loops, "loops": loops}
                options["one_particle_irreducible"] = one_particle_irreducible
                assert odd.total_weight(legs, **options) == odd.diagrams(legs, **options).total_weight()


def test_published_numbers_of_qed_diagrams():
    # Cvitanovic, Lautrup and Pearson, Phys. Rev. D 18, 1939 (1978): electron propagator and vertex without tadpoles
    model = qed()
    propagator = [model.total_weight(PROPAGATOR, loops=n, furry=True) for n in range(5)]
    assert propagator == [1, 1, 4, 25, 208]
    vertex = [model.total_weight(("psi", "A", "psi*"), loops=n, furry=True) for n in range(4)]
    proper = [
        model.total_weight(("psi", "A", "psi*"), loops=n, furry=True, one_particle_irreducible=True) for n in range(4)
    ]
    assert vertex == [1, 4, 25, 208]
    assert proper == [1, 1, 7, 72]


def test_what_no_generating_function_covers():
    weak = charged_current()
    weak = Model("m", weak.fields, weak.vertices, charge_odd=("W",))
    with pytest.raises(ValueError, match="fermions change"):
        weak.total_weight(("e", "e*"), loops=1, furry=True)
    with pytest.raises(ValueError, match="real"):
        majorana().total_weight(("phi",), loops=1, signed=True)
    with pytest.raises(ValueError, match="no other filter"):
        qed().total_weight(PROPAGATOR, loops=1, signed=True, tadpoles=False)
