"""O(n) theory: index structure of diagrams, correlators against exact integrals over n components."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import factorial, prod

import pytest
import sympy
from formal_series import add, at_one_point, inverse, multiply, without_zeros

from diagrams import o_n, phi4
from diagrams.graph import FeynmanGraph
from diagrams.latex import aslatex
from diagrams.symbols import output_index, symbol
from diagrams.theory import local_action
from diagrams.vector_theory import index_pairings, o_n_theory

n_c = symbol("N_c")
ORDER = {2: 3, 4: 2}


def _radial(n, k):
    """E |phi|^(2k) of n standard normal components."""
    return prod(n + 2 * i for i in range(k))


def _exact(n, legs, order, *, coupling=Fraction(1, 24)):
    """Connected functions of exp(-coupling lambda |phi|^4): G_11, or (G_1111, G_1122), as series in lambda."""
    highest = (order,)

    def mean(k):
        return {(v,): Fraction(_radial(n, k + 2 * v)) * (-coupling) ** v / factorial(v) for v in range(order + 1)}

    normalised = inverse(mean(0), highest)
    square = multiply(mean(1), normalised, highest)
    g11 = {k: v / n for k, v in square.items()}
    if legs == 2:
        return [g11]
    quartic = multiply(mean(2), normalised, highest)
    g1122 = {k: v / (n * (n + 2)) for k, v in quartic.items()}
    product = multiply(g11, g11, highest)
    return [add({k: 3 * v for k, v in g1122.items()}, product, -3), add(g1122, product, -1)]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("legs", [2, 4])
def test_correlators_against_gaussian_integrals_over_n_components(n, legs):
    order = ORDER[legs]
    correlator = o_n_theory(n).correlators(order=order)[legs]
    expected = _exact(n, legs, order)
    patterns = [(0, 0), (0, 1)] if legs == 2 else [(0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 0, 1)]
    for outputs, exact in zip(patterns, [*expected, {}], strict=True):
        if max(outputs) < n:
            at = dict(zip((output_index(i + 1) for i in range(legs)), map(sympy.Integer, outputs), strict=True))
            assert at_one_point(correlator.series.map(lambda c, at=at: c.xreplace(at))) == without_zeros(exact)


@pytest.mark.parametrize("coupling", [-Fraction(1, 24), Fraction(1, 8)], ids=["sign", "factor"])
def test_a_wrong_normalisation_is_noticed(coupling):
    at = {output_index(1): sympy.S.Zero, output_index(2): sympy.S.Zero}
    series = o_n_theory(2).correlator(legs=2, order=2).map(lambda c: c.xreplace(at))
    assert at_one_point(series) == without_zeros(_exact(2, 2, 2)[0])
    assert at_one_point(series) != without_zeros(_exact(2, 2, 2, coupling=coupling)[0])


@pytest.mark.parametrize("legs", [2, 4])
def test_one_component_is_phi4(legs):
    ones = {output_index(i + 1): sympy.S.Zero for i in range(legs)}
    vector = o_n_theory(1).correlator(legs=legs, order=2).map(lambda c: c.xreplace(ones))
    assert vector == phi4().correlator(legs=legs, order=2)


@pytest.mark.parametrize(("legs", "order"), [(2, 1), (2, 2), (2, 3), (4, 2)])
def test_index_structure_against_the_diagrams_of_split_vertices(legs, order):
    """Each diagram of the model o_n has its vertices split into pairings; together they are the index tensor."""
    expected = defaultdict(lambda: sympy.S.Zero)
    model = o_n()
    for split in model.diagrams({"phi": legs}, order={"lambda": order}):
        graph, pairing = _merged(split)
        weight = sympy.Rational(1, 3**order * split.symmetry_factor)
        expected[graph, pairing] += weight * model.index_factor(split)
    found = defaultdict(lambda: sympy.S.Zero)
    for graph in phi4().correlator(legs=legs, order=order).diagrams_at(order):
        for pairing, powers in index_pairings(graph).items():
            polynomial = sum(sympy.Rational(w) * n_c**k for k, w in powers.items())
            found[graph, pairing] += polynomial / graph.symmetry_factor
    assert {k: sympy.expand(v) for k, v in found.items()} == {k: sympy.expand(v) for k, v in expected.items()}


def _merged(split):
    """The quartic diagram behind a split one, and the legs that its index lines join."""
    place = {i: i for i in range(split.n_legs)}
    contact = [e for e, f in zip(split.edges, split.fields, strict=True) if f == "sigma"]
    for k, (u, v) in enumerate(contact):
        place[u] = place[v] = split.n_legs + k
    lines = [e for e, f in zip(split.edges, split.fields, strict=True) if f == "phi"]
    graph = FeynmanGraph(split.n_legs, tuple((place[u], place[v]) for u, v in lines))
    pairs = set()
    for leg in range(split.n_legs):
        node, left = leg, list(lines)
        while True:
            edge = next((e for e in left if node in e), None)
            if edge is None:
                break
            left.remove(edge)
            node = edge[0] if edge[1] == node else edge[1]
            if node < split.n_legs:
                break
        pairs.add(tuple(sorted((leg, node))))
    return graph, tuple(sorted(pairs))


def test_weights_of_pairings_add_up_to_one():
    for graph in phi4().correlator(legs=4, order=3).diagrams:
        assert sum(w for powers in index_pairings(graph).values() for w in powers.values()) == 1


def test_symbolic_number_of_components():
    series = o_n_theory().correlator(legs=2, order=2)
    sunset, bubble = sympy.Rational(1, 18) * (n_c + 2), sympy.Rational(1, 36) * (n_c + 2) ** 2
    delta = sympy.KroneckerDelta(output_index(1), output_index(2))
    at = at_one_point(series)
    assert sympy.expand(at[(2,)] - delta * (sunset + 2 * bubble)) == 0
    four = o_n_theory().correlator(legs=4, order=1)[1]
    assert len(four.atoms(sympy.KroneckerDelta)) == 6


def test_mass_counterterm_and_sextic_coupling():
    theory = o_n_theory(2, {2: "delta", 4: "lambda", 6: "kappa"})
    order = {"delta": 1, "lambda": 1, "kappa": 1}
    zero = {output_index(i + 1): sympy.S.Zero for i in range(2)}
    found = at_one_point(theory.correlator(legs=2, order=order).map(lambda c: c.xreplace(zero)))
    # -(1/2) d/d... of E|phi|^2 / n: E|phi|^(2+2k) - E|phi|^2 E|phi|^(2k), over n (2k)!
    for key, k in (((1, 0, 0), 1), ((0, 1, 0), 2), ((0, 0, 1), 3)):
        value = -Fraction(_radial(2, k + 1) - _radial(2, 1) * _radial(2, k), 2 * factorial(2 * k))
        assert found[key] == sympy.Rational(value.numerator, value.denominator)


def test_display():
    theory = o_n_theory(3, mass=2)
    assert repr(theory) == "<VectorAction: O(3), g_4>"
    assert r"\frac{\lambda}{4!} (\phi_a \phi_a)^{2}" in aslatex(theory)
    assert "4 phi" not in str(theory)
    assert "a = 1 ... 3" in str(theory)
    assert theory.amplitude(theory.diagrams(legs=2, max_loops=1)[1]).has(sympy.KroneckerDelta)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: o_n_theory(0), "positive integer or a symbol, got 0"),
        (lambda: o_n_theory(2.5), "positive integer or a symbol"),
        (lambda: o_n_theory(True), "positive integer or a symbol"),
        (lambda: o_n_theory(2, {3: "g"}), r"even powers of the field only, got \[3\]"),
        (lambda: o_n_theory().correlators(order=1)[2], "the number of components is the symbol N_c"),
        (lambda: o_n_theory(2).correlators(order=1)[2](0, 1, outputs=(0, 2)), "no output 2"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_local_action_and_o_n_share_their_couplings():
    assert o_n_theory(1, {4: "lambda"}).couplings == local_action({4: "lambda"}).couplings
