"""Smooth families P(theta; alpha) through their score polynomials, against an exactly solvable correlation."""

from __future__ import annotations

import pickle
from math import factorial

import pytest
import sympy

from diagrams.architectures import cos_net, linear_net
from diagrams.independence import SmoothFamily, neuron_sum, score_family, tilted
from diagrams.symbols import symbol

ALPHA, N = symbol("alpha"), symbol("N")
S0, S1 = symbol("sigma_w0"), symbol("sigma_w1")


def correlated_weights(net):
    """Output weights of covariance (sigma^2/N)(delta_ij + alpha/N): L = alpha/(1 + alpha) (sum w1)^2/(2 sigma^2)."""
    return score_family(net, ALPHA / (1 + ALPHA) * neuron_sum(net.w1) ** 2 / (2 * S1**2) - sympy.log(1 + ALPHA) / 2)


def taylor(expr, order):
    return sum(expr.diff(ALPHA, r).subs(ALPHA, 0) / factorial(r) * ALPHA**r for r in range(order + 1))


def test_correlated_output_weights_two_points():
    Gc = correlated_weights(linear_net(input_dim=1)).connected_correlators(max_points=2, order=3)
    # sum_ij (delta_ij + alpha/N) E[w_i w_j] / N: only i = j, as E w = 0
    assert sympy.expand(Gc[2](1, 1) - S1**2 * S0**2 * (1 + ALPHA / N)) == 0
    assert list(Gc[2].series) == [(0, 0), (1, 1)]


def test_correlated_output_weights_four_points():
    # E phi^4 = 3 E[(h C h)^2] with C = (sigma^2/N)(1 + alpha J/N); h_i = w_i, E w^2 = s, E w^4 = 3 s^2
    found = correlated_weights(linear_net(input_dim=1)).connected_correlators(max_points=4, order=2)[4](1, 1, 1, 1)
    a = ALPHA / N
    diagonal = N * 3 * S0**4 * (1 + a) ** 2  # one neuron
    pairs = N * (N - 1) * S0**4 * ((1 + a) ** 2 + 2 * a**2)  # (h1 C11 h1)(h2 C22 h2), and 2 C12^2 h1^2 h2^2
    four = 3 * (S1**2 / N) ** 2 * (diagonal + pairs) - 3 * (S1**2 * S0**2 * (1 + a)) ** 2
    assert sympy.expand(found - taylor(sympy.expand(four), 2)) == 0
    wrong = 3 * (S1**2 / N) ** 2 * (diagonal + pairs - N * (N - 1) * S0**4 * 2 * a**2) - 3 * (S1**2 * S0**2) ** 2
    assert sympy.expand(found - taylor(sympy.expand(wrong), 2)) != 0


@pytest.mark.parametrize("net", [linear_net(input_dim=1), cos_net(input_dim=1)], ids=["linear", "cos"])
def test_score_polynomials(net):
    alpha_squared = ALPHA * neuron_sum(net.w0**2) ** 2 / N**2 + ALPHA**2 * neuron_sum(net.w0**2 * net.w1**2)
    family = score_family(net, -alpha_squared)
    Gc = family.connected_correlators(max_points=2, order=3)
    x, y = sympy.Rational(1, 2), sympy.Rational(-3, 4)
    for r in (1, 2, 3):
        score = family.score(r)
        assert sympy.expand(family.expectation(score)) == 0  # the normalisation does not change
        slope = family.expectation(score, x, y)  # d^r <phi phi> / d alpha^r = E_0[phi phi P_r]; here also of G_c
        assert sympy.expand(slope - factorial(r) * Gc[2](x, y).coeff(ALPHA, r)) == 0
        assert sympy.expand(slope) != 0
    first, second = family.score(1), family.score(2)
    assert sympy.expand(second - first**2).subs(N, 3) != 0  # P_2 = P_1^2 + d P_1/d alpha


def test_the_score_gives_the_same_family_as_the_density():
    net = cos_net(input_dim=1)
    V, U = neuron_sum(net.w0**2) ** 2 / N**2, neuron_sum(net.w0**4) / N
    density = score_family(net, -ALPHA * V - ALPHA**2 * U)
    score = score_family(net, score=-V - 2 * ALPHA * U)
    for n in (2, 4):
        a, b = (f.connected_correlators(max_points=4, order=2)[n].expr for f in (density, score))
        assert a == b
    plain = tilted(net, V).connected_correlators(max_points=2, order=1)[2].expr
    assert score_family(net, -ALPHA * V).connected_correlators(max_points=2, order=1)[2].expr == plain


def test_moments_by_coinciding_neurons():
    # E[(sum w^2)^2] = N E w^4 + N(N-1) (E w^2)^2 and the like, typed
    net = linear_net(input_dim=1)
    broken = tilted(net, neuron_sum(net.w0**2))
    assert sympy.expand(broken.expectation(neuron_sum(net.w0**2) ** 2) - (N**2 + 2 * N) * S0**4) == 0
    third = broken.expectation(neuron_sum(net.w0**2) ** 3)
    assert sympy.expand(third - (15 * N + 9 * N * (N - 1) + N * (N - 1) * (N - 2)) * S0**6) == 0
    assert sympy.expand(broken.expectation(neuron_sum(net.w1), 1) - 0) == 0
    assert broken.expectation(neuron_sum(net.w0) * neuron_sum(net.w1), 1) == S0**2 * S1**2
    four = broken.expectation(sympy.sympify(neuron_sum(net.w0**2)), 1, 1)
    assert sympy.expand(four - (3 + (N - 1)) * S0**4 * S1**2) == 0


def test_a_family_is_a_value_and_prints():
    family = correlated_weights(linear_net(input_dim=1))
    assert isinstance(family, SmoothFamily)
    assert pickle.loads(pickle.dumps(family)) == family
    assert "score_family(linear_net" in str(family)
    assert r"\exp\!\left[" in family._repr_latex_()


def test_bad_input():
    net = cos_net(input_dim=1)
    V = neuron_sum(net.w0**2)
    with pytest.raises(TypeError, match="one of the two"):
        score_family(net)
    with pytest.raises(TypeError, match="one of the two"):
        score_family(net, ALPHA * V, score=V)
    with pytest.raises(ValueError, match="does not depend on the strength"):
        score_family(net, V)
    with pytest.raises(ValueError, match="must vanish"):
        score_family(net, (1 + ALPHA) * V)
    with pytest.raises(ValueError, match="not a polynomial in alpha"):
        score_family(net, score=V / (1 + ALPHA))
    with pytest.raises(ValueError, match="no derivative of order 1"):
        score_family(net, sympy.sqrt(ALPHA) * V)
    with pytest.raises(ValueError, match="not a polynomial in sums"):
        score_family(net, ALPHA * sympy.sqrt(V))
    with pytest.raises(ValueError, match="positive integer"):
        score_family(net, ALPHA * V).score(0)
