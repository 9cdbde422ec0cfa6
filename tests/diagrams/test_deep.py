"""Networks with several hidden layers: one layer against the shallow nets, linear ones exactly, others sampled."""

from __future__ import annotations

import pickle
from math import prod

import numpy as np
import pytest
import sympy
from scipy import special

from diagrams._gaussian_activations import ACTIVATION_VARIABLE, Relu, Smooth
from diagrams.architectures import cos_net, erf_net, linear_net, relu_net
from diagrams.deep import ACTIVATIONS, deep_net
from diagrams.expectation import evaluate
from diagrams.symbols import symbol

N = symbol("N")
SHALLOW = {"cos": cos_net, "erf": erf_net, "linear": linear_net, "relu": relu_net}
Z = symbol("z")


@pytest.mark.parametrize("name", SHALLOW)
def test_one_hidden_layer_is_the_shallow_net(name):
    extra = {} if name == "cos" else {"hidden_bias": False}
    values = {"sigma_w0": sympy.Rational(3, 2), "sigma_w1": sympy.Rational(4, 5), "N": 3}
    shallow = SHALLOW[name](input_dim=2, **extra).at(**values).connected_correlators()
    net = deep_net(activation=name, depth=1, input_dim=2).at(**values)
    deep = net.connected_correlators()
    assert deep[4].series.remainder is None
    points = [(1, 0), (sympy.Rational(1, 2), 1), (-1, sympy.Rational(1, 3)), (0, sympy.Rational(2, 3))]
    for n in (2, 4):
        assert evaluate(deep[n](*points[:n])).value == pytest.approx(evaluate(shallow[n](*points[:n])).value, rel=1e-8)
    assert len(deep[1].series) == len(deep[3].series) == 0


def test_hidden_bias_of_one_layer():
    values = {"sigma_w0": 1, "sigma_w1": 1, "sigma_b0": sympy.Rational(1, 2), "sigma_b1": 2, "N": 2}
    deep = deep_net(activation="erf", depth=1, hidden_bias=True, output_bias=True).at(**values)
    shallow = erf_net(output_bias=True).at(**values)
    for n, x in ((2, (1, -2)), (4, (1, -2, 0, 1))):
        pair = [evaluate(net.connected_correlators()[n](*x), rtol=1e-7).value for net in (deep, shallow)]
        assert pair[0] == pytest.approx(pair[1], rel=1e-7)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_linear_networks_are_exact(depth):
    """E phi^4 = 3 K^2 prod_l (1 + 2/n_l), E phi^2 = K: products of Gaussian matrices."""
    ratios = [sympy.Rational(k + 1, 2) for k in range(depth)]
    net = deep_net(activation="linear", depth=depth, widths=ratios).at(sigma_w0=1, sigma_w1=1)
    exact = sympy.expand(3 * (prod(1 + 2 / (r * N) for r in ratios) - 1))
    G = net.connected_correlators()
    assert G[4].series[1] == exact.coeff(N, -1) * sympy.Mul(*(symbol(f"x_{i}") for i in range(1, 5)))
    assert G[2].series[1] == 0
    assert G[2](1, 1) == 1
    assert exact.coeff(N, -1) != 6


@pytest.mark.parametrize("name", ["cos", "erf", "linear", "relu"])
def test_derivatives_of_the_pair_average_follow_from_prices_theorem(name):
    """Closed averages of derivatives against differences of the average itself."""
    activation = ACTIVATIONS[name]
    q = [sympy.Rational(6, 5), sympy.Rational(4, 5), sympy.Rational(1, 3)]

    def average(shift):
        a, b, c = (v + s for v, s in zip(q, shift, strict=True))
        return sympy.sympify(activation.average((0, 0), [[a, c], [c, b]])).evalf(40)

    h = sympy.Rational(1, 10**9)
    units = [tuple(h if i == k else 0 for k in range(3)) for i in range(3)]
    base = [[q[0], q[2]], [q[2], q[1]]]
    slopes, curvatures = activation.slopes(base), activation.curvatures(base)
    for i, e in enumerate(units):
        up, down = average(e), average(tuple(-s for s in e))
        assert float(slopes[i]) == pytest.approx(float((up - down) / (2 * h)), abs=1e-12)
        for j, f in enumerate(units):
            corners = [
                average(tuple(s * a + t * b for a, b in zip(e, f, strict=True))) for s in (1, -1) for t in (1, -1)
            ]
            mixed = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h**2)
            assert float(curvatures[i][j]) == pytest.approx(float(mixed), abs=1e-10)


def test_an_activation_of_your_own_agrees_with_the_closed_one():
    smooth, closed = Smooth(sympy.erf(ACTIVATION_VARIABLE)), ACTIVATIONS["erf"]
    q = [[sympy.Rational(6, 5), sympy.Rational(1, 3)], [sympy.Rational(1, 3), sympy.Rational(4, 5)]]
    for orders in ((0, 0), (1, 1), (2, 0), (3, 1), (2, 2)):
        found = evaluate(smooth.average(orders, q), rtol=1e-8).value
        assert found == pytest.approx(float(closed.average(orders, q)), rel=1e-7)
    same = sympy.Rational(6, 5)
    for mine, theirs in zip(smooth.coincident(same), closed.coincident(same), strict=True):
        assert evaluate(mine, rtol=1e-7).value == pytest.approx(float(theirs), rel=1e-6)


def test_relu_at_coinciding_points():
    first, second = Relu().coincident(symbol("q"))
    assert (first, second) == (sympy.Rational(1, 2), 0)
    net = deep_net(activation="relu", depth=2).at(sigma_w0=1, sigma_w1=1)
    # K = x^2/4; N Cov doubles its relative size 5 at each layer: Var(relu^2)/E(relu^2)^2 = 3/2 / (1/4) - 1 = 5
    orders = net.orders((1, 1, 1, 1))
    assert evaluate(orders[1]).value == pytest.approx(3 * 2 * 5 / 16, rel=1e-9)
    assert net.orders((1, 1)) == {0: sympy.Rational(1, 4), 1: 0}


# --- sampled networks ---------------------------------------------------------------------------------------------

SIGMA = {"tanh": np.tanh, "erf": special.erf, "relu": lambda z: np.maximum(z, 0)}
X = np.array([[0.6, 0.3], [1.1, -0.2]])


def conditional_kernels(name, width, n_nets, seed):
    """Return the kernel of the output given both hidden layers of width ``width``, entries 11, 22 and 12."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_nets // 1000):
        z = rng.normal(size=(1000, width, 2)) @ X.T * 1.5 / np.sqrt(2)
        W = rng.normal(size=(1000, width, width)) * 1.2 / np.sqrt(width)
        h = SIGMA[name](W @ SIGMA[name](z))
        found.append(1.2**2 / width * np.einsum("nia,nib->nab", h, h))
    k = np.concatenate(found)
    return np.stack([k[:, 0, 0], k[:, 1, 1], k[:, 0, 1]])


def extrapolated(name, seed):
    """Return N (mean - K), N Cov(11, 22), N Cov(12, 12) at N to infinity from widths 12 and 24, with errors."""
    groups = []
    for width, offset in ((12, 0), (24, 1)):
        k = conditional_kernels(name, width, 40_000, seed + offset)
        parts = k.reshape(3, 40, -1)
        centred = parts - k.mean(1)[:, None, None]
        groups.append(
            width * np.stack([parts[2].mean(1), (centred[0] * centred[1]).mean(1), (centred[2] ** 2).mean(1)])
        )
    return groups


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
def test_two_hidden_layers_against_sampled_networks(name):
    activation = sympy.tanh(Z) if name == "tanh" else name
    net = deep_net(activation=activation, depth=2, input_dim=2).at(
        sigma_w0=sympy.Rational(3, 2), sigma_w1=sympy.Rational(6, 5)
    )
    x, y = (tuple(sympy.Rational(str(c)) for c in v) for v in X)
    two = {k: evaluate(v, rtol=1e-6).value for k, v in net.orders((x, y)).items()}
    four = evaluate(net.orders((x, x, y, y))[1], rtol=1e-6).value  # V_11,22 + 2 V_12,12
    small, large = extrapolated(name, 11)
    mean = [g[0] / w - two[0] for g, w in ((small, 12), (large, 24))]
    slope = 2 * 24 * mean[1] - 12 * mean[0]
    error = np.hypot(2 * 24 * mean[1].std() / 40**0.5, 12 * mean[0].std() / 40**0.5)
    assert abs(slope.mean() - two[1]) < 5 * error
    fluctuation = 2 * (large[1] + 2 * large[2]) - (small[1] + 2 * small[2])
    error = fluctuation.std() / 40**0.5
    assert abs(fluctuation.mean() - four) < 5 * error
    last_layer = evaluate(_without_the_first_layer(net, x, y), rtol=1e-6).value
    direct = large[1] + 2 * large[2]
    error = direct.std() / 40**0.5
    assert abs(direct.mean() - last_layer) > 10 * error, "without the fluctuations passed on by the first layer"


def _without_the_first_layer(net, x, y):
    """Fluctuations of the last layer alone: the first one infinitely wide."""
    wide = deep_net(
        activation=sympy.tanh(Z) if "tanh" in net.name else net.name, depth=2, input_dim=2, widths=(10**9, 1)
    )
    return wide.at(sigma_w0=sympy.Rational(3, 2), sigma_w1=sympy.Rational(6, 5)).orders((x, x, y, y))[1]


def test_correction_of_the_two_point_function():
    """N (E B(K^) - B(K)) with the fluctuating kernel K^ of the second layer sampled, erf in closed form.

    The part of B linear in K^ - K has no mean; taken away with numerical slopes, it leaves little noise.
    """

    def pair(k11, k22, k12):
        return 1.2**2 * 2 / np.pi * np.arcsin(2 * k12 / np.sqrt((1 + 2 * k11) * (1 + 2 * k22)))

    q = 1.5**2 / 2 * X @ X.T
    mean = np.array([pair(*k) for k in ((q[0, 0],) * 3, (q[1, 1],) * 3, (q[0, 0], q[1, 1], q[0, 1]))])
    h = 1e-5 * np.eye(3)
    slopes = np.array([(pair(*(mean + e)) - pair(*(mean - e))) / 2e-5 for e in h])
    rng, found = np.random.default_rng(5), []
    for width in (40, 80):
        z = rng.normal(size=(40_000, width, 2)) @ X.T * 1.5 / np.sqrt(2)
        a, b = np.moveaxis(special.erf(z), -1, 0)
        kernel = 1.2**2 * np.stack([(a * a).mean(1), (b * b).mean(1), (a * b).mean(1)])
        found.append(width * (pair(*kernel) - pair(*mean) - slopes @ (kernel - mean[:, None])))
    values = 2 * found[1] - found[0]
    error = values.std() / np.sqrt(values.size)
    net = deep_net(activation="erf", depth=2, input_dim=2).at(
        sigma_w0=sympy.Rational(3, 2), sigma_w1=sympy.Rational(6, 5)
    )
    expected = float(net.orders([tuple(sympy.Rational(str(c)) for c in v) for v in X])[1])
    assert abs(values.mean() - expected) < 5 * error
    assert abs(values.mean() - expected / 2) > 10 * error, "without the one half of the second derivative"
    assert abs(values.mean() + expected) > 10 * error, "with the other sign"


# --- values and errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["cos", "relu", sympy.tanh(Z)], ids=str)
def test_deep_networks_are_values_with_latex(activation):
    net = deep_net(activation=activation, depth=2, input_dim=2, hidden_bias=True)
    again = pickle.loads(pickle.dumps(net))
    assert again == net
    assert hash(again) == hash(net)
    assert r"z^{(3)}" in net._repr_latex_()
    assert net.at(N=10).N == 10
    assert net.correlator_series(4).remainder == (2,)
    shallow = deep_net(activation=activation, depth=1, input_dim=2)
    assert shallow.connected_correlators(max_points=4)._repr_latex_().startswith("$")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"activation": "cos", "depth": 0}, "depth must be a positive integer, got 0"),
        ({"activation": "cos", "depth": 1, "input_dim": 1.0}, "input_dim must be a positive integer, got 1.0"),
        ({"activation": "sigmoid", "depth": 1}, "activation must be one of 'cos', 'erf'"),
        ({"activation": symbol("x") ** 2, "depth": 1}, r"expression in symbol\('z'\)"),
        ({"activation": "cos", "depth": 2, "widths": (1,)}, "2 positive numbers"),
        ({"activation": "cos", "depth": 1, "widths": (-1,)}, "1 positive numbers"),
    ],
    ids=str,
)
def test_bad_deep_networks(arguments, text):
    with pytest.raises(ValueError, match=text):
        deep_net(**arguments)


def test_higher_correlators_say_what_remains():
    net = deep_net(activation="cos", depth=2)
    with pytest.raises(NotImplementedError, match="sample the network"):
        net.connected_correlators(max_points=6)[6]
    with pytest.raises(ValueError, match="no free parameter 'sigma_b0'"):
        net.at(sigma_b0=1)
