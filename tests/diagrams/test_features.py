"""Averages over one neuron, with polynomial weights: every net against quadrature written independently here."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import sympy
from scipy import special

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net, scalar_net
from diagrams.custom_feature import CustomFeature
from diagrams.distributions import Gaussian, StudentT, Uniform, UniformPhase
from diagrams.expectation import evaluate
from diagrams.momenta import Ball
from diagrams.symbols import symbol

S0, SB = 0.9, 0.5
VALUES = {"sigma_w0": sympy.Rational(9, 10), "sigma_b0": sympy.Rational(1, 2)}


def grid(laws):
    """Return parameter values (k, n_parameters) and weights of a tensor quadrature: ("normal", sd) or ("phase",)."""
    nodes, weights = [], []
    for kind, *scale in laws:
        if kind == "normal":
            t, c = np.polynomial.hermite_e.hermegauss(60)
            nodes.append(t * scale[0])
            weights.append(c / c.sum())
        else:
            t, c = np.polynomial.legendre.leggauss(60)
            nodes.append(np.pi * t)
            weights.append(c / 2)
    theta = np.stack(np.meshgrid(*nodes, indexing="ij"), -1).reshape(-1, len(laws))
    return theta, np.stack(np.meshgrid(*weights, indexing="ij"), -1).reshape(-1, len(laws)).prod(-1)


def neuron(name, dim, bias):
    """Return parameter laws and h(theta, x) of each smooth net, written over arrays."""
    s = S0**2 / dim
    laws = [("normal", S0 / dim**0.5)] * dim + ([("normal", SB)] if bias else [])
    if name == "cos":
        return [*laws[:dim], ("phase",)], lambda z, x: np.cos(z)
    if name == "gauss":
        shift = SB**2 if bias else 0.0
        return laws, lambda z, x: np.exp(z - shift - s * x @ x)
    return laws, {"erf": lambda z, x: special.erf(z), "linear": lambda z, x: z}[name]


def average(name, dim, bias, x, powers):
    laws, h = neuron(name, dim, bias)
    theta, weight = grid(laws)
    rows = np.c_[x, np.ones(len(x))][:, : len(laws)]
    values = np.prod(theta**powers, axis=1)
    for point, row in zip(x, rows, strict=True):
        values = values * h(theta @ row, point)
    return float(weight @ values)


def net_of(name, dim, bias):
    if name == "cos":
        return cos_net(input_dim=dim).at(sigma_w0=VALUES["sigma_w0"])
    make = {"gauss": gauss_net, "erf": erf_net, "linear": linear_net}[name]
    return make(input_dim=dim, hidden_bias=bias).at(**VALUES if bias else {"sigma_w0": VALUES["sigma_w0"]})


def exact(x):
    return [tuple(sympy.Rational(str(c)) for c in p) for p in x]


def sample_points(rng, n, dim):
    return rng.uniform(-1, 1, (n, dim)).round(2)


CASES = [
    ("cos", 1, True),
    ("cos", 2, True),
    ("gauss", 1, True),
    ("gauss", 1, False),
    ("gauss", 2, True),
    ("linear", 1, False),
    ("linear", 2, True),
    ("erf", 1, True),
    ("erf", 2, False),
    ("erf", 2, True),
]


@pytest.mark.parametrize(("name", "dim", "bias"), CASES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_expected_products_by_quadrature(name, dim, bias, n):
    rng = np.random.default_rng(100 * n + dim)
    feature = net_of(name, dim, bias).feature
    symbols, x = feature.parameters, sample_points(rng, n, dim)
    for powers in [(0,) * len(symbols), *rng.integers(0, 3, (3, len(symbols)))]:
        weight = sympy.Mul(*(s**p for s, p in zip(symbols, map(int, powers), strict=True)))
        found = evaluate(feature.expected_product(exact(x), weight), rtol=1e-11, atol=1e-13).value
        assert found == pytest.approx(average(name, dim, bias, x, powers), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("name", ["cos", "gauss", "linear", "erf"])
def test_wrong_averages_would_be_caught(name):
    """A wrong variance, a missing weight and a moved point are far outside the tolerance above."""
    x = np.array([[0.7], [-0.4]])
    right = average(name, 1, True, x, (0, 0))
    assert abs(right - average(name, 1, True, 1.1 * x, (0, 0))) > 1e-3
    assert abs(right - average(name, 1, True, x, (2, 0))) > 1e-3


@pytest.mark.parametrize("name", ["cos", "gauss", "linear", "erf"])
def test_weights_without_points_are_moments_of_the_density(name):
    net = net_of(name, 1, True)
    bias = sympy.pi**2 / 3 if name == "cos" else sympy.Rational(1, 4)
    if name == "linear":
        net = linear_net(hidden_bias=True).at(**VALUES)
    assert net.feature.expected_product((), net.w0**2 * net.b0**2) == sympy.Rational(81, 100) * bias
    assert net.feature.expected_product((), net.w0) == 0
    assert net.feature.expected_product(()) == 1


# --- ReLU: half spaces --------------------------------------------------------------------------------------------


def relu_average(x, variances, powers, nodes=120):
    """Return E prod theta**p prod max(theta.x, 0) over two Gaussian parameters: angle by angle between the kinks."""
    rows = x * np.sqrt(variances)
    kinks = np.concatenate([np.arctan2(rows[:, 1], rows[:, 0]) + s * np.pi / 2 for s in (-1, 1)])
    ends = np.unique(np.concatenate([[-np.pi, np.pi], (kinks + np.pi) % (2 * np.pi) - np.pi]))
    t, c = np.polynomial.legendre.leggauss(nodes)
    total, order = 0.0, len(x) + sum(powers)
    for a, b in pairwise(ends):
        phi = a + (b - a) * (1 + t) / 2
        u = np.stack([np.cos(phi), np.sin(phi)])
        values = np.maximum(rows @ u, 0).prod(0) * np.prod(
            (np.sqrt(variances)[:, None] * u) ** np.array(powers)[:, None], 0
        )
        total += (b - a) / 2 * float(c @ values)
    return total / (2 * np.pi) * 2 ** (order / 2) * special.gamma(order / 2 + 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_relu_with_two_parameters(n, bias):
    rng = np.random.default_rng(n)
    feature = relu_net(input_dim=1 if bias else 2, hidden_bias=bias).at(**VALUES if bias else {"sigma_w0": 1}).feature
    variances = np.array([S0**2, SB**2]) if bias else np.array([0.5, 0.5])
    x = sample_points(rng, n, feature.input_dim) * 0.3 + 0.4
    x = x.round(2)
    rows = np.c_[x, np.ones(n)] if bias else x
    for powers in [(0, 0), (2, 0), (1, 1), (0, 3)]:
        weight = sympy.Mul(*(s**p for s, p in zip(feature.parameters, powers, strict=True)))
        found = float(feature.expected_product(exact(x), weight))
        assert found == pytest.approx(relu_average(rows, variances, powers), rel=1e-11)
    assert abs(found - relu_average(rows, 1.1 * variances, powers)) > 1e-3 * abs(found)


def test_relu_at_special_points():
    """Coincident, opposite and vanishing points: no division by zero, and the values that follow by hand."""
    feature = relu_net(input_dim=2, hidden_bias=False).at(sigma_w0=sympy.sqrt(2)).feature
    a, zero = (sympy.Integer(3), sympy.Integer(4)), (sympy.S.Zero, sympy.S.Zero)
    opposite = (-a[0], -a[1])
    assert feature.expected_product([a, a]) == sympy.Rational(25, 2)
    assert feature.expected_product([a] * 4) == sympy.Rational(3, 2) * 625
    assert feature.expected_product([a, opposite]) == 0
    assert feature.expected_product([a, a, opposite, a]) == 0
    assert feature.expected_product([a, zero]) == 0
    assert feature.expected_product([zero, a, a, a]) == 0
    symbols = [(symbol(f"p{i}"), symbol(f"q{i}")) for i in range(4)]
    general = feature.expected_product(symbols)
    values = {s: c for p, v in zip(symbols, [a, a, a, zero], strict=True) for s, c in zip(p, v, strict=True)}
    assert general.xreplace(values) == 0
    assert general.subs({s: c for p in symbols for s, c in zip(p, a, strict=True)}) == sympy.Rational(3, 2) * 625


@pytest.mark.parametrize(("dim", "n"), [(3, 2), (3, 3), (3, 4), (3, 5)])
def test_relu_in_three_dimensions(dim, n):
    """Against Gauss quadrature on the sphere: kinks are met exactly in the azimuth, the polar angle is refined."""
    rng = np.random.default_rng(dim + n)
    feature = relu_net(input_dim=dim, hidden_bias=False).at(sigma_w0=sympy.sqrt(3)).feature
    x = (rng.normal(size=(n, dim)) + np.array([0, 0, 1.5])).round(2)
    found = evaluate(feature.expected_product(exact(x)), rtol=1e-9)
    cos_theta, weights = np.polynomial.legendre.leggauss(600)
    total = 0.0
    t, c = np.polynomial.legendre.leggauss(12)
    for z, w in zip(cos_theta, weights, strict=True):
        r = np.sqrt(1 - z * z)
        radius, angle = np.hypot(x[:, 0], x[:, 1]) * r, np.arctan2(x[:, 1], x[:, 0])
        cosine = -z * x[:, 2] / radius
        inside = np.abs(cosine) < 1
        opening = np.arccos(cosine[inside])
        ends = np.concatenate([[-np.pi, np.pi], angle[inside] - opening, angle[inside] + opening])
        ends = np.sort((ends + np.pi) % (2 * np.pi) - np.pi)
        ends = np.append(ends, np.pi)
        phi = (ends[:-1, None] + np.diff(ends)[:, None] * (1 + t) / 2).ravel()
        u = np.stack([r * np.cos(phi), r * np.sin(phi), np.full_like(phi, z)])
        values = np.maximum(x @ u, 0).prod(0).reshape(-1, 12)
        total += w * float(np.diff(ends) / 2 @ (values @ c))
    radial = 2 ** (n / 2) * special.gamma((3 + n) / 2) / special.gamma(1.5)
    assert found.value == pytest.approx(radial * total / (4 * np.pi), rel=1e-5)
    assert found.error < 1e-9 * found.value
    assert found.value > 1e-6


def test_relu_weights_in_three_dimensions_through_a_partial_integration():
    """E[w_1^2 (u.x)_+^2] = E[(u.x)_+^2] + 2 x_1^2 E[theta(u.x)] for standard normal u."""
    net = relu_net(input_dim=3, hidden_bias=False).at(sigma_w0=sympy.sqrt(3))
    x = (sympy.Rational(1, 2), sympy.S.One, sympy.Rational(-3, 4))
    found = evaluate(net.feature.expected_product([x, x], net.w0[0] ** 2)).value
    assert found == pytest.approx(float(sum(c**2 for c in x) / 2 + x[0] ** 2), rel=1e-9)


def test_too_many_dimensions_say_that_sampling_remains():
    feature = relu_net(input_dim=5).at(sigma_w0=1, sigma_b0=1).feature
    x = np.random.default_rng(0).normal(size=(6, 5)).round(2)
    with pytest.raises(NotImplementedError, match=r"span 6 dimensions.*numerics\.Ensemble"):
        evaluate(feature.expected_product(exact(x)))


# --- user-defined features ----------------------------------------------------------------------------------------

w, b, x, y = (symbol(n) for n in ("w", "b", "x", "y"))


@pytest.mark.parametrize(
    ("formula", "laws"),
    [
        (sympy.cos(w * x + b), {w: Gaussian(2, 1), b: UniformPhase()}),
        (sympy.exp(w * x) * sympy.sin(b * x), {w: Gaussian(sympy.Rational(1, 3), 1), b: Uniform(-1, 2)}),
        (w * x + b**2, {w: Uniform(0, 1), b: StudentT(9)}),
        (w * sympy.exp(w * x / 2) + 1, {w: Gaussian(1)}),
        ((w + sympy.cos(b)) ** 2 * x, {w: Gaussian(1), b: Gaussian(1, sympy.Rational(1, 2))}),
    ],
    ids=str,
)
def test_rules_agree_with_the_integral(formula, laws):
    feature = network(formula, parameters=laws, point=x).feature
    assert isinstance(feature, CustomFeature)
    points = [(sympy.Rational(1, 3),), (sympy.Rational(-1, 2),)]
    weight = w + 2 if b not in laws else w * b + 2
    by_rule = feature.expected_product(points, weight)
    integral = feature._integral(weight * sympy.Mul(*(feature.expression(p) for p in points)))
    assert not by_rule.has(sympy.I)
    assert not by_rule.has(type(integral))
    assert float(by_rule) == pytest.approx(evaluate(integral, rtol=1e-8).value, rel=1e-5)
    assert abs(float(by_rule) - float(feature.expected_product(points))) > 1e-3


def test_user_defined_nets_are_the_built_in_ones():
    v = symbol("sigma_w0") ** 2
    mine = network(sympy.cos(w * x + b), parameters={w: Gaussian(v), b: UniformPhase()}, point=x)
    at = [sympy.Rational(k, 3) for k in (0, 1, 3, -2)]
    assert sympy.expand(mine.connected_correlators()[4](*at) - cos_net().connected_correlators()[4](*at)) == 0
    assert mine.is_even
    linear = network(w * x + b * y, parameters={(w, b): Gaussian(v / 2)}, point=(x, y))
    points = [(1, 2), (0, 3), (-1, 1), (2, 2)]
    built_in = linear_net(input_dim=2).connected_correlators()[4](*points)
    assert sympy.expand(linear.connected_correlators()[4](*points) - built_in) == 0


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_ball_by_rule_and_by_quadrature(dim):
    names, coordinates = tuple(symbol(f"w{i}") for i in range(dim)), tuple(symbol(f"x{i}") for i in range(dim))
    wave = sympy.cos(sum(a * c for a, c in zip(names, coordinates, strict=True)))
    feature = network(wave, parameters={names: Ball(2, dim)}, point=coordinates).feature
    points = [tuple(sympy.Rational(i + j + 1, 3) for i in range(dim)) for j in range(2)]
    for weight in (sympy.S.One, names[0] ** 2, names[0] * names[-1] ** 3):
        integral = feature._integral(weight * sympy.Mul(*(feature.expression(p) for p in points)))
        found = float(feature.expected_product(points, weight))
        assert found == pytest.approx(evaluate(integral, rtol=1e-9).value, rel=1e-8)
        assert abs(found) > 1e-4


def test_an_activation_without_a_rule_is_an_integral():
    net = network(sympy.tanh(w * x), parameters={w: Gaussian(1)}, point=x, name="tanh").at(N=2, sigma_w1=1)
    correlator = net.connected_correlators(max_points=4)[4]
    t, c = np.polynomial.hermite_e.hermegauss(90)
    c = c / c.sum()

    def m(*points):
        return float(c @ np.prod([np.tanh(t * p) for p in points], axis=0))

    at = (0.5, 0.2, -0.4, 0.7)
    full = 3 * m(*at) - sum(
        m(at[i], at[j]) * m(at[k], at[n]) for i, j, k, n in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))
    )
    assert evaluate(correlator(*at)).value == pytest.approx(full / 2, rel=1e-8)
    assert r"\mathbb{E}_{u_{1} \sim \mathcal{N}(0, 1)}" in correlator.to_latex()
    assert net.is_even
    assert net.to_latex().count("tanh") == 1


@pytest.mark.parametrize(
    ("formula", "laws", "error", "text"),
    [
        (w * x, {w: StudentT(1)}, ValueError, "the 2nd moment does not exist"),
        (w * x, {w: 3}, TypeError, "density of w must be one from diagrams.distributions, got 3"),
        (w * x, {"w": Gaussian(1)}, TypeError, "sympy symbols"),
        (w * x, {x: Gaussian(1)}, ValueError, r"\['x'\] are given twice"),
        (y * x, {w: Gaussian(1)}, ValueError, "depends on none of its parameters"),
        (w * x, {(w,): Ball(1, 2)}, ValueError, "density of 2 components"),
    ],
    ids=str,
)
def test_bad_user_defined_nets(formula, laws, error, text):
    with pytest.raises(error, match=text):
        network(formula, parameters=laws, point=x).connected_correlators(max_points=2)[2]


def test_weights_must_be_polynomials_in_the_parameters():
    net = cos_net()
    with pytest.raises(ValueError, match=r"polynomial in the parameters \('W0', 'b0'\)"):
        net.feature.expected_product([(0,)], sympy.exp(net.w0))
    with pytest.raises(ValueError, match="polynomial"):
        net.neuron_moment([0], 1 / net.w1)


def test_parameters_have_names():
    assert cos_net().feature.parameters == (symbol("W0"), symbol("b0"))
    net = relu_net(input_dim=2, hidden_bias=False)
    assert net.w0 == (symbol("W0_1"), symbol("W0_2"))
    with pytest.raises(ValueError, match="no hidden bias"):
        _ = net.b0
    with pytest.raises(ValueError, match="no input weights"):
        _ = network(w * x, parameters={w: Gaussian(1)}, point=x).w0
    assert scalar_net().w1 == symbol("W1")


@pytest.mark.parametrize(
    "make", [cos_net, gauss_net, linear_net, relu_net, erf_net, scalar_net], ids=lambda f: f.__name__
)
def test_density_integrates_to_one(make):
    net = make(input_dim=1)
    given = {"sigma_w0": 1, "sigma_b0": 1, "m": 1, "Lambda": 2}
    net = net.at(**{k: v for k, v in given.items() if k in net._symbols()})
    t, c = np.polynomial.legendre.leggauss(200)
    ranges = [float(min(sympy.S(9), law.support[1])) for block, law in net.feature.distributions for _ in block]
    mesh = np.meshgrid(*(t * r for r in ranges), indexing="ij")
    density = sympy.lambdify(net.feature.parameters, net.feature.density(), "numpy")
    values = np.broadcast_to(density(*mesh), mesh[0].shape)
    weights = [c * r for r in ranges]
    for weight in reversed(weights):
        values = values @ weight
    assert float(values) == pytest.approx(1, abs=1e-9)
