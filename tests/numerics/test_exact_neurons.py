"""Exact correlators of smooth features: trapezoidal rule, Plackett's integrals, quadrature of one component."""

import numpy as np
import pytest
import sympy

from diagrams import erf_net, evaluate, gauss_net, network, relu_net, symbol
from diagrams.distributions import Gaussian
from numerics import Ensemble, compare, exact_correlators
from numerics.kernels import index_tuples
from numerics.neuron_quadrature import erf_correlators, trapezoidal_correlators
from numerics.published import published_inputs, published_net
from numerics.sign_moments import erf_moments, sign_moments

VALUES = {"N": 20, "sigma_w0": 1, "sigma_w1": 1, "sigma_b0": 1}


@pytest.mark.parametrize("n", [2, 4, 6])
@pytest.mark.parametrize("dim", [1, 2])
def test_two_routes_agree(dim, n):
    net = erf_net(input_dim=dim, output_bias=True).at(sigma_b1=0.5, **VALUES)
    x = 0.5 * np.random.default_rng(dim).normal(size=(3, dim))
    a, b = trapezoidal_correlators(net, x, n), erf_correlators(net, x, n)
    assert np.abs(a - b).max() < 1e-9 * np.abs(a).max()
    if n == 2:
        kernel = net.connected_correlators(max_points=2)[2]
        exact = [float(kernel(*map(tuple, x[[i, j]]))) for i in range(3) for j in range(i, 3)]
        np.testing.assert_allclose(a, exact, rtol=1e-11)


def test_against_quadrature_of_one_component():
    net, x = erf_net().at(**VALUES), [sympy.Rational(1, 5), 1, 1, sympy.Rational(-3, 5)]
    expected = evaluate(net.connected_correlators(max_points=4)[4](*x)).value
    points = np.array([[-0.6], [0.2], [1.0]])
    found = exact_correlators(net, points, 4)
    place = index_tuples(3, 4).tolist().index([0, 1, 2, 2])
    assert found[place] == pytest.approx(expected, rel=1e-8)


def test_six_points_in_four_parameters():
    """Four dimensions of parameters, where the trapezoidal rule has too many nodes."""
    net, x = published_net("erf", 3, width=20), published_inputs("erf", 3)
    assert trapezoidal_correlators(net, x, 6) is None
    found = exact_correlators(net, x, 6)
    alone = exact_correlators(published_net("erf", 1, width=20), np.array([[1.0]]), 6)
    assert found[0] == pytest.approx(alone[0], rel=1e-9)  # |x|^2 / d = 1 in both
    # the symmetry of the tetrahedron moves its corners
    assert found[1] == pytest.approx(found[2], rel=1e-9)


def test_signs_of_equal_variables():
    assert float(sign_moments(np.eye(4), 12)) == pytest.approx(0, abs=1e-15)
    half = 0.5 * (np.eye(4) + 1)  # g_i = (u_0 + u_i)/sqrt(2): E = int (2 Phi(u) - 1)^4 = 1/5
    assert float(sign_moments(half, 40)) == pytest.approx(1 / 5, rel=1e-12)
    six = 0.5 * (np.eye(6) + 1)
    assert float(sign_moments(six, 40)) == pytest.approx(1 / 7, rel=1e-12)
    assert erf_moments(np.eye(2), np.array([[0, 0, 1]])) == 0


def test_features_that_do_not_qualify():
    x = published_inputs("relu")
    assert trapezoidal_correlators(relu_net().at(**VALUES), x, 4) is None  # a kink
    assert trapezoidal_correlators(gauss_net().at(**{**VALUES, "sigma_b0": 2}), x, 6) is None  # it grows too fast
    assert erf_correlators(relu_net().at(**VALUES), x, 4) is None


def test_a_net_of_your_own_against_networks():
    w, b, x = symbol("w"), symbol("b"), symbol("x")
    net = network(sympy.tanh(w * x + b), parameters={w: Gaussian(1), b: Gaussian(1)}, point=x).at(N=3, sigma_w1=1)
    points = published_inputs("relu")[::2]
    measured = Ensemble(net, n_nets=200_000, seed=4).connected_correlators(points, method="neuron")
    result = compare(net, measured)
    assert result.is_compatible(max_pull=4.5)
    wrong = exact_correlators(net, points, 4) * 4 / 3  # that of another width
    assert np.abs((measured.values(4) - wrong) / measured.errors(4)).max() > 10


def test_compare_evaluates_six_points_of_an_erf_net():
    net = erf_net().at(**VALUES)
    measured = Ensemble(net, n_nets=100_000, seed=3).connected_correlators(
        [[-1.0], [0.5], [1.0]], max_points=6, method="neuron"
    )
    assert compare(net, measured).is_compatible(max_pull=4.5)
