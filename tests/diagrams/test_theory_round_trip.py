"""S -> W -> S: a local action comes back from its own connected correlators, graph by graph and as exact tensors."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations, product
from math import prod

import numpy as np
import pytest
import sympy
from formal_series import add, gaussian_moments, inverse, joint_cumulant, lattice_weight, multiply, without_zeros

from diagrams import FeynmanRules, action_round_trip, cos_net, phi4, phi_n
from diagrams.action_round_trip import recovered_couplings
from diagrams.cumulants import pairings
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.orders import diagrams_to_order
from diagrams.reconstruction import reconstruction_functions
from diagrams.rules import VertexRule
from diagrams.symbols import symbol
from diagrams.theory import local_action
from diagrams.vector_theory import o_n_theory

lam, c, d = symbol("lambda"), symbol("c"), symbol("d")
PHI34 = local_action({3: "g", 4: "lambda"})
COUNTERTERMS = local_action({2: d * lam, 4: lam + c * lam**2}, expansion="lambda")

# action, order, what must be left: {n: {powers: coefficient of the single vertex}}
TRIPS = {
    "phi3": (phi_n(3), 3, (1, 2, 3, 4), {3: {(1,): 1}}),
    "phi4": (phi4(), 2, (2, 4, 6), {4: {(1,): 1}}),
    "phi3+phi4": (PHI34, {"g": 2, "lambda": 1}, (1, 2, 3, 4), {3: {(1, 0): 1}, 4: {(0, 1): 1}}),
    "phi4 with counterterms": (COUNTERTERMS, 2, (2, 4, 6), {2: {(1,): d}, 4: {(1,): 1, (2,): c}}),
    "phi3 with a source": (
        local_action({1: "j", 3: "g"}),
        {"j": 2, "g": 2},
        (1, 2, 3),
        {1: {(1, 0): 1}, 3: {(0, 1): 1}},
    ),
}


HIGHER = {
    "phi3, fourth order": (phi_n(3), 4, (1, 2, 3, 4), {3: {(1,): 1}}),
    "phi4, third order": (phi4(), 3, (2, 4, 6, 8), {4: {(1,): 1}}),
    "O(n), third order": (o_n_theory(), 3, (2,), {}),
}


@pytest.mark.parametrize("name", [*TRIPS, *(pytest.param(name, marks=pytest.mark.slow) for name in HIGHER)])
def test_only_the_couplings_are_left(name):
    action, order, numbers, expected = (TRIPS | HIGHER)[name]
    for n in numbers:
        found = recovered_couplings(action, n, order=order)
        vertex = FeynmanGraph(n, tuple((leg, n) for leg in range(n)))
        assert found == {key: {vertex: value} for key, value in expected.get(n, {}).items()}


@pytest.mark.parametrize("n", [2, 4])
def test_o_n_vertices_come_back_as_pairings(n):
    found = recovered_couplings(o_n_theory(), n, order=2)
    if n == 2:
        assert found == {}
        return
    ((key, graphs),) = found.items()
    assert key == (1,)
    assert len(graphs) == 3
    assert set(graphs.values()) == {sympy.Rational(1, 3)}
    assert all(g.n_loops == 0 and sorted(g.fields) == ["phi"] * 4 + ["sigma"] for g in graphs)


@pytest.mark.parametrize("action", [phi4(), phi_n(3), o_n_theory()], ids=["phi4", "phi3", "O(n)"])
def test_a_wrong_sign_is_noticed(action, monkeypatch):
    """With one correlator of the wrong sign diagrams of two vertices stay; with all couplings negated, g is negated."""
    right = action_round_trip.correlator_terms
    number = min(n for n, _ in action.couplings)

    def flipped(wrong):
        def terms(action, r, highest):
            sign = -1 if wrong(r) else 1
            return {k: [(g, sign * w) for g, w in found] for k, found in right(action, r, highest).items()}

        return terms

    monkeypatch.setattr(action_round_trip, "correlator_terms", flipped(lambda r: r == number))
    found = [recovered_couplings(action, n, order=2) for n in (2, number)]
    assert max(g.n_vertices for by_power in found for graphs in by_power.values() for g in graphs) >= 2
    assert all(w < 0 for w in found[1][(1,)].values())
    assert any(key == (2,) for by_power in found for key in by_power)


def test_errors():
    with pytest.raises(ValueError, match=r"W -> S -> W"):
        recovered_couplings(cos_net(input_dim=1).connected_correlators(max_points=4).action(order=1), 2, order=1)
    with pytest.raises(ValueError, match="for the quartic one"):
        recovered_couplings(o_n_theory(2, {6: "kappa"}), 2, order=1)


# --- exact tensors on two sites: S = 1/2 phi K phi + sum_x V(phi_x) ---


K = np.array([[Fraction(3), Fraction(-1)], [Fraction(-1), Fraction(2)]], dtype=object)


def _inverse(matrix):
    rows = sympy.Matrix(matrix.shape[0], matrix.shape[1], lambda i, j: sympy.Rational(str(matrix[i, j]))).inv()
    return np.array([[Fraction(int(x.p), int(x.q)) for x in rows.row(i)] for i in range(rows.rows)], dtype=object)


def _contract(contraction, tensors):
    operands = []
    for name, index in contraction.operands:
        operands += [tensors[name], list(index)]
    factor = sympy.Rational(contraction.factor)
    value = np.einsum(*operands, list(contraction.output), optimize=True)
    return value * Fraction(int(factor.p), int(factor.q))


def _symmetrised(graph, value):
    """Sum over the labellings of exchangeable legs; leg node i carries label p[i]."""
    return sum(np.transpose(value, np.argsort(p)) for p in graph.labelled_versions())


def _correlator_tensors(action, order, tensors, max_points):
    """Coefficients of the connected correlators of a lattice action, the bare propagator left out."""
    rules, found = action.rules.without_constants, {}
    names = dict(zip(map(str, action.parameters), order, strict=True))
    for r in range(1, max_points + 1):
        series = action.correlator(legs=r, order=names)
        for key, ds in series.sources.items():
            total = 0
            for graph in ds:
                if graph.n_vertices:
                    weight = action_round_trip.product_terms(action.rules.constants(graph), order)[key]
                    factor = Fraction(int(weight.p), int(weight.q)) / graph.symmetry_factor
                    total = total + factor * _contract(rules.contraction(graph), tensors)
            if not np.isscalar(total):
                found[r, key] = total
    return found


def _local(n, m=2, value=1):
    tensor = np.full((m,) * n, Fraction(0), dtype=object)
    for x in range(m):
        tensor[(x,) * n] = Fraction(value)
    return tensor


def _rebuilt(n, correlators, order, inverse_g):
    """g_n from the correlators: minus the sum of all graphs with lines and legs -K and K."""
    places = {f"W{r}{key}": (r, key) for r, key in correlators}
    tensors = {name: correlators[place] for name, place in places.items()} | {"D": inverse_g}
    lines = FeynmanRules.connected_correlators((), ()).lines
    total = {}
    for graph, names, key in action_round_trip._skeletons(n, places, order):
        vertices = [VertexRule(CORRELATOR, v, sympy.S.One, f"v{v}", False, ()) for v in set(graph.valences)]
        found = FeynmanRules(tuple(vertices), lines, -1, ()).contraction(graph)
        lines_only = found.operands[: -graph.n_vertices]
        places_of = [index for _, index in found.operands[-graph.n_vertices :]]
        named = found._replace(operands=(*lines_only, *zip(names, places_of, strict=True)))
        total[key] = total.get(key, 0) + _contract(named, tensors) * Fraction(1, graph.symmetry_factor)
    return {key: value for key, value in total.items() if np.any(value != 0)}


def test_tensors_of_phi3_and_phi4_come_back():
    order = (2, 1)
    tensors = {"G": _inverse(K)}
    correlators = _correlator_tensors(PHI34, order, tensors, 6)
    for n in (1, 2, 3, 4):
        found = _rebuilt(n, correlators, order, K)
        expected = {3: {(1, 0): _local(3)}, 4: {(0, 1): _local(4)}}.get(n, {})
        assert set(found) == set(expected)
        assert all(np.array_equal(found[key], expected[key]) for key in expected)
    wrong = {place: -value if place == (3, (1, 0)) else value for place, value in correlators.items()}
    assert set(_rebuilt(2, wrong, order, K)) | set(_rebuilt(4, wrong, order, K)) != {(0, 1)}


def test_tensors_of_the_correlators_against_moments():
    """The tensors above are the joint cumulants of the lattice theory, from Gaussian moments by brute force."""
    order = (2, 1)
    G = _inverse(K)
    correlators = _correlator_tensors(PHI34, order, {"G": G}, 3)
    weight, moment = lattice_weight([(3, (1, 0), 1), (4, (0, 1), 1)], 2, order), gaussian_moments(G)

    def unnormalised(sites):
        total = {}
        for more, series in weight.items():
            total = add(total, series, moment(sites + more))
        return total

    norm = inverse(unnormalised(()), order)
    for legs in ((0,), (0, 1), (1, 1, 0)):
        exact = without_zeros(joint_cumulant(lambda s: multiply(unnormalised(s), norm, order), legs, order))
        found = {k: sympy.Rational(str(t[legs])) for (r, k), t in correlators.items() if r == len(legs)}
        assert {k: v for k, v in exact.items() if any(k)} == {k: v for k, v in found.items() if v != 0}


def _o2_quartic(m):
    """(1/3)(delta delta + 2 perms) at equal sites, on the index (site, component)."""
    tensor = np.full((2 * m,) * 4, Fraction(0), dtype=object)
    for x in range(m):
        for index in product(range(2), repeat=4):
            weight = sum(prod(index[i] == index[j] for i, j in p) for p in pairings(range(4)))
            tensor[tuple(2 * x + a for a in index)] = Fraction(weight, 3)
    return tensor


@pytest.mark.parametrize(("m", "highest"), [(2, 1), (1, 2)], ids=["two sites", "one site, second order"])
def test_tensors_of_o2_come_back(m, highest):
    order = (highest,)
    inverse_g = np.kron(K[:m, :m], np.array([[1, 0], [0, 1]], dtype=object))
    tensors = {"G": _inverse(inverse_g), "g4": _o2_quartic(m)}
    rules = FeynmanRules.interactions([VertexRule(INTERACTION, 4, -sympy.S.One, "g4", False, (1,))], (lam,))
    correlators = {}
    for r in range(2, 2 * highest + 3, 2):
        for power, ds in diagrams_to_order({4: 1}, legs=r, order=highest).items():
            parts = [
                _contract(rules.contraction(g), tensors) * Fraction(1, g.symmetry_factor) for g in ds if g.n_vertices
            ]
            if parts:
                correlators[r, (sympy.Rational(power.numerator, power.denominator),)] = sum(parts)
    for n, expected in ((2, {}), (4, {(1,): tensors["g4"]}), (6, {})):
        found = _rebuilt(n, correlators, order, inverse_g)
        assert set(found) == set(expected)
        assert all(np.array_equal(found[key], expected[key]) for key in expected)
    # the same site, component 0: the first-order correction is (n + 2)/3 times that of one component
    G = tensors["G"][::2, ::2]
    one = -Fraction(1, 2) * sum(G[0, x] * G[x, x] * G[x, 0] for x in range(m))
    assert correlators[2, (1,)][0, 0] == one * Fraction(4, 3)


def test_reconstruction_from_correlators_gives_the_action_back():
    """The same through the public route: theory.correlators(...).action(...), evaluated on two sites."""
    order = (2,)
    back = phi4().correlators(order=2).action(order=2)
    correlators = _correlator_tensors(phi4(), order, {"G": _inverse(K)}, 6)
    functions = reconstruction_functions(phi4().correlators(order=2), 2)
    tensors = {name: correlators[place] for name, place in functions.items()} | {"D": K}
    rules = back.reconstruction_rules
    for n, series in back.couplings:
        for key, ds in series.sources.items():
            total = 0
            for graph in ds:
                fixed = graph.relabel_legs(range(graph.n_legs))
                value = _contract(rules.contraction(fixed), tensors) * Fraction(1, fixed.symmetry_factor)
                total = total + _symmetrised(graph, value)
            expected = {(2, (0,)): K, (4, (1,)): _local(4)}.get((n, key), np.zeros_like(total))
            assert np.array_equal(np.asarray(total), expected), (n, key)
    assert {n for n, _ in back.couplings} == {2, 4, 6}


def test_local_tensors_are_symmetric():
    tensor = _o2_quartic(1)
    assert all(np.array_equal(tensor, np.transpose(tensor, p)) for p in permutations(range(4)))
    assert tensor[0, 0, 0, 0] == 1
    assert tensor[0, 0, 1, 1] == Fraction(1, 3)
