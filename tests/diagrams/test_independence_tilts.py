"""Tilted ensembles against typed formulas, solvable tilts, quadrature at finite strength, and sampled covariances."""

from __future__ import annotations

import pickle
from itertools import product
from math import factorial

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, gauss_net, linear_net
from diagrams.correlators import Correlator
from diagrams.independence import TiltedArchitecture, neuron_sum, tilted
from diagrams.symbols import symbol

PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
ALPHA = symbol("alpha")


def component_sums(net):
    """Return the components of w0 and V = N^-2 sum_j (sum_i W0_ij^2)^2."""
    weights = [net.w0] if net.input_dim == 1 else list(net.w0)
    return sum(neuron_sum(w**2) ** 2 for w in weights) / net.N**2


def rational_points(rng, n, dim):
    return [tuple(sympy.Rational(int(k), 7) for k in rng.integers(-12, 12, dim)) for _ in range(n)]


def as_arguments(points):
    return [p[0] if len(p) == 1 else p for p in points]


# --- the worked example of a quartic tilt, typed from its own derivation ---------------------------------------------


def typed_first_order(net, x):
    """Return dG2 and dG_c4 of the Cos-net under V = sum_j Q_j^2 as functions of N, s, sigma_w1."""
    s, s1, n = symbol("sigma_w0") ** 2 / net.input_dim, symbol("sigma_w1"), symbol("N")

    def minus(a, b):
        return [p - q for p, q in zip(a, b, strict=True)]

    def e(v):
        return sympy.exp(-s * sum(c**2 for c in v) / 2)

    def d1(v):
        return s**3 / n**2 * e(v) * (2 * (n + 2) * sum(c**2 for c in v) - s * sum(c**4 for c in v))

    if len(x) == 2:
        return s1**2 / 2 * d1(minus(*x))
    total = sympy.S.Zero
    for (a, b), (c, d) in PAIRINGS:
        u, v = minus(x[a], x[b]), minus(x[c], x[d])
        crossed = [p + q - r - t for p, q, r, t in zip(x[a], x[b], x[c], x[d], strict=True)]
        d12 = e(u) * d1(v) + d1(u) * e(v)
        c12 = -(2 * s**4 / n**2) * sum(p**2 * q**2 for p, q in zip(u, v, strict=True)) * e(u) * e(v)
        total += 3 * s1**4 / (8 * n) * d1(crossed) + s1**4 / 4 * ((n - 1) / n * (d12 + c12) - d12)
    return total


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("n", [2, 4])
def test_first_order_of_the_quartic_tilt(dim, n):
    net = cos_net(input_dim=dim)
    correlator = tilted(net, component_sums(net)).connected_correlators(max_points=4, order={"alpha": 1})[n]
    x = rational_points(np.random.default_rng(dim), n, dim)
    found = correlator(*as_arguments(x)).coeff(ALPHA, 1)
    difference = found - typed_first_order(net, x)
    values = {symbol("N"): 5, symbol("sigma_w0"): sympy.Rational(6, 5), symbol("sigma_w1"): sympy.Rational(4, 5)}
    assert abs(sympy.N(difference.subs(values), 30)) < 1e-25
    assert abs(sympy.N(found.subs(values), 30)) > 1e-6
    assert sympy.expand(difference) == 0  # exact in N and in all parameters


# --- tilts that stay independent: solvable to all orders --------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize(
    ("potential", "name", "solved"),
    [
        (lambda net: neuron_sum(net.w0**2), "sigma_w0", lambda s: s / sympy.sqrt(1 + 2 * ALPHA * s**2)),
        (lambda net: neuron_sum(net.w1**2), "sigma_w1", lambda s: s / sympy.sqrt(1 + 2 * ALPHA * s**2 / symbol("N"))),
    ],
    ids=["w0", "w1"],
)
def test_a_tilt_by_one_sum_of_squares_changes_the_variance(potential, name, solved, n):
    net, order = cos_net(input_dim=1), 3 if n == 2 else 2
    correlator = tilted(net, potential(net)).connected_correlators(max_points=n, order=order)[n]
    x = as_arguments(rational_points(np.random.default_rng(3), n, 1))
    numbers = {"N": sympy.Integer(3), "sigma_w0": sympy.Rational(6, 5), "sigma_w1": sympy.Rational(4, 5)}
    numbers = {symbol(k): v for k, v in numbers.items()}
    exact = net.connected_correlators(max_points=n)[n](*x).subs(symbol(name), solved(symbol(name))).subs(numbers)
    found = correlator(*x).subs(numbers)
    for r in range(order + 1):
        expected = exact.diff(ALPHA, r).subs(ALPHA, 0) / factorial(r)
        assert abs(sympy.N(found.coeff(ALPHA, r) - expected, 30)) < 1e-24
        assert expected != 0


def test_a_tilt_by_the_squared_sum_of_output_weights():
    # W1 becomes Gaussian with covariance (sigma^2/N)(delta_ij - c/(1 + N c)), c = 2 alpha sigma^2/N
    net = linear_net(input_dim=1)
    correlator = tilted(net, neuron_sum(net.w1) ** 2).connected_correlators(max_points=2, order=3)[2]
    n, s0, s1 = symbol("N"), symbol("sigma_w0"), symbol("sigma_w1")
    c = 2 * ALPHA * s1**2 / n
    exact = s1**2 * s0**2 * (1 - c / (1 + n * c))
    expected = sum(exact.diff(ALPHA, r).subs(ALPHA, 0) / factorial(r) * ALPHA**r for r in range(4))
    assert sympy.expand(correlator(1, 1) - expected) == 0


# --- two neurons at finite strength, by quadrature --------------------------------------------------------------------


def exact_two_neurons(x, alpha, s0=1.2, s1=0.8):
    """Return the connected 2- and 4-point functions of the Cos-net, N = 2, tilted by (sum w^2)^2/N^2, d = 1."""
    t, c = np.polynomial.hermite_e.hermegauss(90)
    w = s0 * np.stack(np.meshgrid(t, t, indexing="ij"), -1).reshape(-1, 2)
    weight = np.outer(c, c).ravel() * np.exp(-alpha * (w**2).sum(1) ** 2 / 4)
    weight /= weight.sum()
    variance = s1**2 / 2

    def pair(i, a, b):
        return np.cos(w[:, i] * (x[a] - x[b])) / 2

    def two(a, b):
        return variance * weight @ (pair(0, a, b) + pair(1, a, b))

    signs = [e for e in product((1, -1), repeat=4) if sum(e) == 0]
    full = 0.0
    for i in range(2):
        same = sum(np.cos(w[:, i] * np.dot(e, x)) for e in signs) / 16
        full += 3 * variance**2 * weight @ same
    for (a, b), (c4, d) in PAIRINGS:
        full += variance**2 * weight @ (pair(0, a, b) * pair(1, c4, d) + pair(1, a, b) * pair(0, c4, d))
    return two(0, 1), full - sum(two(*p) * two(*q) for p, q in PAIRINGS)


def test_second_order_against_quadrature_at_finite_strength():
    x = [0.3, -0.9, 1.1, 0.4]
    net = cos_net(input_dim=1).at(N=2, sigma_w0=1.2, sigma_w1=0.8)
    points = [sympy.Rational(str(v)) for v in x]

    def residuals(alpha, order):
        exact = exact_two_neurons(x, alpha)
        symbolic = cos_net(input_dim=1)
        broken = tilted(symbolic, component_sums(symbolic)).at(alpha=alpha, N=2, sigma_w0=1.2, sigma_w1=0.8)
        Gc = broken.connected_correlators(max_points=4, order=order)
        return np.array([float(Gc[2](*points[:2])) - exact[0], float(Gc[4](*points)) - exact[1]])

    assert np.abs(residuals(0.0, 1)).max() < 1e-12
    for order in (1, 2):
        ratio = residuals(0.001, order) / residuals(0.0005, order)
        np.testing.assert_allclose(ratio, 2 ** (order + 1), rtol=0.08)  # the first omitted power of alpha
    assert net.width == 2


# --- the field itself in the potential --------------------------------------------------------------------------------


def test_a_quartic_tilt_of_the_field_at_a_point():
    # dG2 = -(1/24) [12 G2 G2 G2 + 4 G2 G4 + 4 G2 G4 + 6 G2 G4 + G6]: every connected correlator at finite N enters
    net = cos_net(input_dim=1)
    z, x, y = sympy.Rational(1, 3), sympy.Rational(-2, 5), sympy.Rational(7, 4)
    Gc = net.connected_correlators(max_points=6)
    expected = -(
        12 * Gc[2](x, z) * Gc[2](y, z) * Gc[2](z, z)
        + 4 * Gc[2](x, z) * Gc[4](y, z, z, z)
        + 4 * Gc[2](y, z) * Gc[4](x, z, z, z)
        + 6 * Gc[2](z, z) * Gc[4](x, y, z, z)
        + Gc[6](x, y, z, z, z, z)
    ) / sympy.Integer(24)
    broken = tilted(net, neuron_sum(1, at=[z]) ** 4 / 24, "lambda")
    found = broken.connected_correlators(max_points=2, order={"lambda": 1})[2](x, y).coeff(symbol("lambda"), 1)
    values = {symbol("N"): 3, symbol("sigma_w0"): 1, symbol("sigma_w1"): 1}
    assert abs(sympy.N((found - expected).subs(values), 30)) < 1e-25
    assert abs(sympy.N((found - expected - Gc[6](x, y, z, z, z, z) / 24).subs(values), 30)) > 1e-6


# --- sampled networks -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def score_covariance():
    """Return estimates and errors of dG2 and dG_c4 from -Cov(O, V), product rule, 50 blocks of Cos-nets with N = 3."""
    rng, n, blocks, per_block = np.random.default_rng(7), 3, 50, 20_000
    x = np.array([0.2, 0.5, -0.3, 0.9])
    rows = []
    for _ in range(blocks):
        w = rng.standard_normal((per_block, n)) * 1.2
        b = rng.uniform(-np.pi, np.pi, (per_block, n))
        w1 = rng.standard_normal((per_block, n)) * 0.8 / np.sqrt(n)
        phi = np.einsum("kn,knp->kp", w1, np.cos(w[..., None] * x + b[..., None]))
        v = (w**2).sum(1) ** 2 / n**2
        v = v - v.mean()

        def slope(*index, phi=phi, v=v):
            return -(phi[:, list(index)].prod(1) * v).mean()

        def mean(*index, phi=phi):
            return phi[:, list(index)].prod(1).mean()

        four = slope(0, 1, 2, 3) - sum(slope(*a) * mean(*b) + mean(*a) * slope(*b) for a, b in PAIRINGS)
        rows.append((slope(0, 1), four))
    table = np.array(rows)
    return x, table.mean(0), table.std(0, ddof=1) / np.sqrt(blocks)


def predicted_slopes(width, x):
    net = cos_net(input_dim=1)
    Gc = tilted(net, component_sums(net)).connected_correlators(max_points=4, order=1)
    points = [sympy.Rational(str(v)) for v in x]
    values = {symbol("N"): width, symbol("sigma_w0"): sympy.Rational(6, 5), symbol("sigma_w1"): sympy.Rational(4, 5)}
    return np.array([float(Gc[n](*points[:n]).coeff(ALPHA, 1).subs(values)) for n in (2, 4)])


def test_slopes_of_sampled_networks(score_covariance):
    x, estimate, error = score_covariance
    assert np.abs((estimate - predicted_slopes(3, x)) / error).max() < 5


def test_slopes_of_the_wrong_theory_fail(score_covariance):
    x, estimate, error = score_covariance
    right = predicted_slopes(3, x)
    assert np.abs((estimate + right) / error).min() > 10  # the wrong sign
    assert np.abs((estimate - predicted_slopes(2, x)) / error).max() > 10  # the wrong width


# --- several outputs --------------------------------------------------------------------------------------------------


def test_several_outputs_share_the_hidden_neurons():
    one, two = cos_net(input_dim=1), cos_net(input_dim=1, output_dim=2)
    single = tilted(one, component_sums(one)).connected_correlators(max_points=4, order=1)
    double = tilted(two, component_sums(two)).connected_correlators(max_points=4, order=1)
    x = as_arguments(rational_points(np.random.default_rng(5), 4, 1))
    assert sympy.expand(double[4](*x, outputs=(1, 1, 1, 1)) - single[4](*x)) == 0
    assert double[2](*x[:2], outputs=(0, 1)) == 0
    assert double[4](*x, outputs=(0, 0, 0, 1)) == 0
    # one neuron: E over W1 factorises, so only hidden averages E[hhhh V], E[hh V] are left
    values = {symbol("N"): 1, symbol("sigma_w0"): 1, symbol("sigma_w1"): 1}
    t, c = np.polynomial.hermite_e.hermegauss(60)
    c = c / c.sum()
    at = [float(v) for v in x]
    four = sum(np.cos(t * np.dot(e, at)) for e in product((1, -1), repeat=4) if sum(e) == 0) / 16
    pairs = [np.cos(t * (at[a] - at[b])) / 2 for a, b in ((0, 1), (2, 3))]

    def slope(f):
        return -(c @ (f * t**4) - (c @ f) * (c @ t**4))

    expected = slope(four) - slope(pairs[0]) * (c @ pairs[1]) - (c @ pairs[0]) * slope(pairs[1])
    found = double[4](*x, outputs=(0, 0, 1, 1)).coeff(ALPHA, 1).subs(values)
    assert abs(float(found) - expected) < 1e-10
    assert abs(expected) > 1e-3


# --- values, text, limits ---------------------------------------------------------------------------------------------


def test_a_tilted_net_is_a_value_and_prints():
    net = cos_net(input_dim=1)
    broken = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2, strength="alpha")
    assert isinstance(broken, TiltedArchitecture)
    for value in (broken, broken.at(alpha=0.3, N=20), broken.connected_correlators(max_points=2)):
        assert pickle.loads(pickle.dumps(value)) == value
        assert hash(value) == hash(pickle.loads(pickle.dumps(value)))
    assert str(broken) == 'cos_net(input_dim=1).tilted(neuron_sum(W0**2)**2/N**2, strength="alpha")'
    assert r"\exp\!\left[-\alpha" in broken._repr_latex_()
    assert r"\left(\sum_{i} \left(W^0_i\right)^{2}\right)^{2}" in broken.to_latex()
    at = broken.at(alpha=0.3, N=20, sigma_w0=1, sigma_w1=1)
    assert at.potential == neuron_sum(net.w0**2) ** 2 / 400
    assert at.parameter_values()["alpha"] == 0.3
    with pytest.raises(ValueError, match="strength alpha has no number"):
        broken.parameter_values()


def test_expansion_in_both_parameters_and_its_limit():
    net = cos_net(input_dim=1)
    Gc = tilted(net, component_sums(net)).connected_correlators(max_points=4, order=2)
    assert list(Gc[2].series) == [(0, 0), (1, 1), (2, 1), (2, 2), (3, 2), (4, 2)]
    assert Gc[2].series.remainder == (sympy.oo, 3)
    assert "O(alpha^3)" in repr(Gc[2].series)
    assert "O(N" not in repr(Gc[2].series)
    assert Gc[2].survives()
    assert Gc[2].at_infinite_width() == net.connected_correlators(max_points=2)[2].expr
    assert not Gc[4].survives()  # the sums average out, so at fixed alpha the theory becomes Gaussian
    assert str(Gc[4].large_width()).startswith("N -> infinity at fixed alpha: the 4-point function vanishes")
    assert r"\xrightarrow" in Gc[2].large_width()._repr_latex_()
    with pytest.raises(ValueError, match="give the order of each"):
        Gc.action(order=1)
    unscaled = tilted(net, neuron_sum(net.w0**2) ** 2).connected_correlators(max_points=2)[2]
    with pytest.raises(ValueError, match="grows, N alpha"):
        unscaled.at_infinite_width()
    numeric = net.at(N=4)
    fixed = tilted(numeric, neuron_sum(net.w0**2) ** 2 / numeric.N**2).connected_correlators(max_points=2)[2]
    assert isinstance(fixed, Correlator)
    x = (sympy.Rational(1, 2), sympy.Rational(-1, 3))
    symbolic = tilted(net, component_sums(net)).connected_correlators(max_points=2)[2](*x)
    assert sympy.expand(fixed(*x) - symbolic.subs(symbol("N"), 4)) == 0
    with pytest.raises(ValueError, match="start from a net with symbolic width"):
        fixed.large_width()


def test_a_tilt_that_is_odd_in_the_output_weights():
    # exp(-alpha sum w1) moves the mean of every output weight to m = -alpha sigma^2/N and leaves the rest alone
    net = gauss_net(input_dim=1).at(sigma_w0=1, sigma_b0=sympy.Rational(1, 2))
    shifted = tilted(net, neuron_sum(net.w1))
    assert not shifted.is_even
    Gc = shifted.connected_correlators(max_points=3, order=3)
    x, m = [sympy.Rational(k, 3) for k in (1, -2, 4)], -ALPHA * symbol("sigma_w1") ** 2 / symbol("N")

    def h(*points):
        return net.feature.expected_product([(p,) for p in points])

    one = symbol("N") * m * h(x[0])
    two = net.connected_correlators(max_points=2)[2](*x[:2]) + symbol("N") * m**2 * (h(*x[:2]) - h(x[0]) * h(x[1]))
    # one neuron, w1 = m + z: third cumulant of (m + z) h
    v = symbol("sigma_w1") ** 2 / symbol("N")
    three = (m**3 + 3 * m * v) * h(*x)
    for a, b, c in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        three -= m * h(x[a]) * (m**2 + v) * h(x[b], x[c])
    three = symbol("N") * (three + 2 * m**3 * h(x[0]) * h(x[1]) * h(x[2]))
    for n, expected in ((1, one), (2, two), (3, three)):
        difference = sympy.expand(Gc[n](*x[:n]) - expected)
        for r in range(4):
            assert abs(sympy.N(difference.coeff(ALPHA, r).subs({symbol("N"): 3, symbol("sigma_w1"): 1}), 20)) < 1e-15
        assert sympy.expand(expected).coeff(ALPHA, 1) != 0 or n == 2
