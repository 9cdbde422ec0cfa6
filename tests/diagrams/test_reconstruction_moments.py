"""The action of independent neurons in moments of one neuron: contractions of lines with two-point functions."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import sympy

from diagrams import cos_net
from diagrams.cumulants import set_partitions
from diagrams.moment_form import FREE_ACTION, TRACE, in_moments
from diagrams.pointfunctions import PointFunction
from diagrams.symbols import symbol
from numerics.contract import contract, diagram_sum

INVERSE = np.array([[Fraction(2), Fraction(1)], [Fraction(1), Fraction(3)]], object)
KERNEL = np.array([[Fraction(3, 5), Fraction(-1, 5)], [Fraction(-1, 5), Fraction(2, 5)]], object)


@pytest.fixture(scope="module")
def action():
    return cos_net(input_dim=1).connected_correlators(max_points=6).action(order=2)


def _moments(m, top):
    rng = np.random.default_rng(0)
    result = {2: KERNEL}
    for r in range(4, top + 1, 2):
        tensor = np.empty((m,) * r, object)
        for index in np.ndindex(tensor.shape):
            if list(index) == sorted(index):
                value = Fraction(int(rng.integers(-5, 6)), int(rng.integers(1, 5)))
                for p in set(permutations(index)):
                    tensor[p] = value
        result[r] = tensor
    return result


def _cumulant(moments, n):
    total = 0 * moments[n]
    for blocks in set_partitions(range(n), even=True):
        operands = []
        for block in blocks:
            operands += [moments[len(block)], list(block)]
        sign = (-1) ** (len(blocks) - 1) * int(sympy.factorial(len(blocks) - 1))
        total = total + sign * np.einsum(*operands, list(range(n)))
    return total


def _value(form, n, key, tensors, trace):
    total = np.full((2,) * n, Fraction(0), object)
    for legs, exponent, weights in form.terms:
        if (legs, exponent[0]) == (n, key):
            for graph, weight in weights:
                fixed = graph.relabel_legs(range(n))
                factor = sympy.Rational(weight.subs(TRACE, trace)) * graph.symmetry_factor / fixed.symmetry_factor
                core = contract(form.rules.contraction(fixed), tensors)
                part = sum(core.transpose(np.argsort(p)) for p in graph.labelled_versions())
                total = total + Fraction(int(factor.p), int(factor.q)) * part
    return total


def test_exact_tensors(action):
    """On m points Tr 1 = m, and both forms of every coupling agree exactly; another trace does not."""
    moments = _moments(2, 6)
    cumulants = {n: KERNEL if n == 2 else _cumulant(moments, n) for n in (2, 4, 6)}
    rules, inputs = action.reconstruction_rules, {f"G{n}": t for n, t in cumulants.items() if n > 2} | {"D": INVERSE}
    form = in_moments(action)
    tensors = {f"m{n}": t for n, t in moments.items() if n > 2} | {"D": INVERSE}
    for n, series in action.couplings:
        for key, found in series.sources.items():
            expected = INVERSE if (n, key[0]) == (2, 0) else diagram_sum(found, rules, inputs)
            assert (_value(form, n, key[0], tensors, 2) == expected).all()
            assert any(key) == (not (_value(form, n, key[0], tensors, 3) == expected).all()) or n == 2 * key[0] + 2


def test_loop_of_the_kernel(action):
    """g_2 at order 1/N contains -(1/2) (Tr 1 + 2) D."""
    x1, x2 = symbol("x_1"), symbol("x_2")
    value = in_moments(action).coupling(2)[1]
    assert sympy.expand(value.coeff(PointFunction("D", x1, x2)) + (TRACE + 2) / 2) == 0


def test_disconnected_part_of_the_quartic_action(action):
    """The pairs of G_c4 give S_G^2 / (2 N), those of the loop -(Tr 1 + 2) S_G / (2 N)."""
    first = in_moments(action).functional_terms()[0]
    assert first[0] == (1,)
    bare = sum(e for _, e in first[1] if not e.has(sympy.Integral))
    assert sympy.expand(bare - FREE_ACTION**2 / 2 + (TRACE + 2) * FREE_ACTION / 2) == 0


def test_refused(action):
    from diagrams.independence import neuron_sum

    net = cos_net(input_dim=1)
    broken = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2, strength="alpha")
    tilted = broken.connected_correlators(max_points=4, order={"alpha": 1}).action(order={"1/N": 1, "alpha": 1})
    with pytest.raises(ValueError, match="independent identical neurons"):
        in_moments(tilted)
    with pytest.raises(ValueError, match="no coupling g_3"):
        in_moments(action).coupling(3)
