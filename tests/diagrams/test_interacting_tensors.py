"""Interactions of an ensemble on two and three sites: exact tensors against moments expanded by brute force."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
import sympy
from formal_series import add, inverse, joint_cumulant, lattice_weight, multiply, without_zeros

from diagrams import ConnectedCorrelators, symbol
from diagrams.cumulants import set_partitions
from diagrams.interacting import interacting_correlators
from diagrams.pointfunctions import PointFunction
from diagrams.regions import Sites

N = symbol("N")
WEIGHTS = (Fraction(1), Fraction(3, 2), Fraction(1, 2))


def _entry(sites):
    """A rational number for each entry of a symmetric tensor; the two-point one is positive definite."""
    if len(sites) == 2:
        return Fraction(3) if sites[0] == sites[1] else Fraction(1, 1 + sum(sites))
    return Fraction((7 * sum((k + 2) * s for k, s in enumerate(sorted(sites))) + 3 * len(sites)) % 11 - 5, 3)


def _base(sizes):
    functions = {r: lambda *x, r=r: PointFunction(f"G{r}", *x) * N ** (1 - sympy.Rational(r, 2)) for r in sizes}
    return ConnectedCorrelators.from_functions(functions, input_dim=None)


def _brute_force(sizes, terms, highest, m, legs):
    """Joint cumulants from all moments of the ensemble times the expanded weight."""
    zero = (0,) * len(highest)
    even = all(r % 2 == 0 for r in sizes)

    @cache
    def base_moment(sites):
        total = {}
        for partition in set_partitions(range(len(sites)), even=even):
            if all(len(block) in sizes for block in partition):
                value = Fraction(1)
                power = Fraction(0)
                for block in partition:
                    value *= _entry(tuple(sites[i] for i in block))
                    power += Fraction(len(block), 2) - 1
                if power <= highest[0]:
                    key = (power, *zero[1:])
                    total[key] = total.get(key, Fraction(0)) + value
        return total

    weight = lattice_weight(terms, m, highest)

    @cache
    def unnormalised(sites):
        total = {}
        for more, series in weight.items():
            total = add(total, multiply(series, base_moment(tuple(sorted(sites + more))), highest))
        return total

    norm = inverse(unnormalised(()), highest)
    return joint_cumulant(lambda s: multiply(unnormalised(tuple(sorted(s))), norm, highest), legs, highest)


CASES = {
    "even, phi^4": ((2, 4, 6), {4: "lambda"}, {"1/N": 2, "lambda": 1}, 2, (0, 1)),
    "even, phi^4, second order": ((2, 4), {4: "lambda"}, {"1/N": 1, "lambda": 2}, 2, (0, 1)),
    "odd, phi^3": ((2, 3, 4), {3: "lambda"}, {"1/N": 1, "lambda": 2}, 2, (0, 1)),
    "odd, phi^3 + phi^4": ((2, 3), {3: "g", 4: "lambda"}, {"1/N": 1, "g": 1, "lambda": 1}, 2, (1,)),
    "three sites": ((2, 3, 4), {3: "lambda"}, {"1/N": 1, "lambda": 1}, 3, (0, 1, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_exact_tensors(name):
    sizes, interaction, order, m, legs = CASES[name]
    highest = tuple(order.values())
    terms = [(n, tuple(int(j == i) for j in range(len(highest))), 1) for i, n in enumerate(interaction, start=1)]
    found = _on_sites(sizes, interaction, order, m, legs, (1,) * m)
    expected = without_zeros(_brute_force(sizes, terms, highest, m, legs))
    assert found == expected
    assert len(expected) > 2
    assert expected != {key: -value if sum(key[1:]) % 2 else value for key, value in found.items()}
    assert expected != _on_sites(sizes[:-1], interaction, order, m, legs, (1,) * m)  # without the largest blobs


def _on_sites(sizes, interaction, order, m, legs, weights):
    region = Sites(range(m), weights=tuple(sympy.Rational(w.numerator, w.denominator) for w in weights))
    series = interacting_correlators(_base(sizes), interaction, order=order, region=region, max_points=4)
    place = {symbol(f"x_{i + 1}"): sympy.Integer(s) for i, s in enumerate(legs)}
    found = {}
    for key, value in series[len(legs)].series.terms:
        number = value.xreplace(place).replace(lambda t: isinstance(t, PointFunction), _number)
        if number != 0:
            found[key] = number
    return found


def _number(function):
    value = _entry(tuple(int(p) for p in function.points))
    return sympy.Rational(value.numerator, value.denominator)


def test_weights_of_sites_multiply_the_coupling():
    """First order in lambda is linear in the weights: the sum of the tensors with one site each."""
    sizes, interaction, order, m, legs = CASES["even, phi^4"]
    whole = _on_sites(sizes, interaction, order, m, legs, WEIGHTS[:2])
    plain = _on_sites(sizes, interaction, order, m, legs, (Fraction(1), Fraction(1)))
    doubled = _on_sites(sizes, interaction, order, m, legs, (Fraction(1), Fraction(2)))
    for key in plain:
        if key[1]:
            assert whole[key] == plain[key] + (doubled[key] - plain[key]) / 2
        else:
            assert whole[key] == plain[key]


def test_bilocal_interaction_resums_to_a_new_inverse():
    """Delta S = (a/2) sum A_xy phi_x phi_y adds a A to the inverse of the two-point function."""
    order = {"1/N": 0, "a": 4}
    kernel = {2: lambda x, y: symbol("a") * PointFunction("A", x, y)}
    series = interacting_correlators(_base((2,)), kernel, order=order, region=Sites([0, 1]))[2].series
    G = sympy.Matrix(2, 2, lambda i, j: _number(PointFunction("G2", sympy.Integer(i), sympy.Integer(j))))
    A = sympy.Matrix([[2, -1], [-1, sympy.Rational(1, 3)]])
    place = {symbol("x_1"): sympy.Integer(0), symbol("x_2"): sympy.Integer(1)}
    expected = G
    for r in range(5):
        value = (
            series[0, r]
            .xreplace(place)
            .replace(
                lambda t: isinstance(t, PointFunction),
                lambda t: A[int(t.points[0]), int(t.points[1])] if t.name == "A" else _number(t),
            )
        )
        assert value == expected[0, 1]
        expected = -expected * A * G


def test_correlators_given_as_numbers():
    """A table of correlators on labelled points takes an interaction on those labels."""
    G2 = [[2.0, 0.5], [0.5, 1.0]]
    base = ConnectedCorrelators.from_values({2: G2})
    found = interacting_correlators(base, {4: "lambda"}, order={"1/N": 0, "lambda": 1}, region=Sites([0, 1]))
    value = found[2].series[0, 1].subs({symbol("x_1"): 0, symbol("x_2"): 1})
    expected = -sum(G2[0][z] * G2[z][z] * G2[z][1] for z in range(2)) / 2
    assert float(value) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"region=Sites\(\[0, 1, ...\]\)"):
        interacting_correlators(base, {4: "lambda"}, order={"1/N": 0, "lambda": 1})
