"""Cos-net correlators against closed forms, quadrature over one neuron, and the exact generating functional."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, exp, factorial, pi

import mpmath
import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net
from diagrams.symbols import symbol

S0, S1, WIDTH = Fraction(6, 5), Fraction(4, 5), 3
PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]


def net_at(dim, width=WIDTH):
    return cos_net(input_dim=dim).at(N=width, sigma_w0=S0, sigma_w1=S1)


def number(value):
    assert sympy.sympify(value).is_number
    return float(value)


def points(rng, n, dim):
    return rng.uniform(-1.5, 1.5, (n, dim))


def at_points(correlator, x):
    return number(correlator(*(p.tolist() if len(p) > 1 else float(p[0]) for p in x)))


# --- independent routes -------------------------------------------------------------------------------------------


def neuron_grid(dim, nodes=48, phases=64):
    """Return weights (k, dim), phases and quadrature weights: Gauss-Hermite in w, trapezoid in b."""
    t, c = np.polynomial.hermite_e.hermegauss(nodes)
    w = np.stack(np.meshgrid(*[t] * dim, indexing="ij"), -1).reshape(-1, dim) * float(S0) / np.sqrt(dim)
    weight = np.stack(np.meshgrid(*[c / c.sum()] * dim, indexing="ij"), -1).reshape(-1, dim).prod(-1)
    return w, 2 * pi * np.arange(phases) / phases, weight


def feature_average(x, grid):
    """Return E prod_i cos(w.x_i + b) by quadrature."""
    w, b, weight = grid
    h = np.cos((w @ x.T)[:, None, :] + b[None, :, None])
    return float(weight @ h.prod(-1).mean(1))


def neuron_moment(x, grid):
    """Return E prod_i (s1 z h(x_i)), z a standard normal."""
    z, c = np.polynomial.hermite_e.hermegauss(12)
    return float(S1) ** len(x) * float((c / c.sum()) @ z ** len(x)) * feature_average(x, grid)


def connected(x, grid):
    """Return the cumulant of one neuron by the formulas for 2, 4 and 6 points, written out."""
    n = len(x)

    def m(*index):
        return neuron_moment(x[list(index)], grid)

    if n == 2:
        return m(0, 1)
    if n == 4:
        return m(0, 1, 2, 3) - sum(m(*a) * m(*b) for a, b in PAIRINGS)
    total = m(*range(6))
    for pair in combinations(range(6), 2):
        rest = [i for i in range(6) if i not in pair]
        total -= m(*pair) * m(*rest)
        if pair[0] == 0:
            total += 2 * m(*pair) * sum(m(*(rest[i] for i in a)) * m(*(rest[i] for i in b)) for a, b in PAIRINGS)
    return total


def functional_cumulants(x, c, width, top):
    """Return the cumulants of sum_a c_a phi(x_a) from W[J] = N log E_w[e^u I_0(u)], u = s1^2 |J^(w)|^2 / (4 N)."""
    w, _, weight = neuron_grid(x.shape[1])
    squared = np.abs(np.exp(1j * (w @ x.T)) @ c) ** 2
    bessel = [Fraction(1, 4 ** (k // 2) * factorial(k // 2) ** 2) if k % 2 == 0 else Fraction(0) for k in range(top)]
    kernel = [sum(Fraction(1, factorial(k - j)) * bessel[j] for j in range(k + 1)) for k in range(top // 2 + 1)]
    # coefficients of t^(2k) in E_w[e^u I_0(u)] and of its logarithm
    a = [
        float(kernel[k]) * (float(S1) ** 2 / (4 * width)) ** k * float(weight @ squared**k) for k in range(top // 2 + 1)
    ]
    log = [0.0]
    for k in range(1, len(a)):
        log.append(a[k] - sum(j * log[j] * a[k - j] for j in range(1, k)) / k)
    return {2 * k: width * factorial(2 * k) * log[k] for k in range(1, len(a))}


def closed_two(x, dim, s0=float(S0), s1=float(S1)):
    return s1**2 / 2 * exp(-(s0**2) / dim * float(np.sum((x[0] - x[1]) ** 2)) / 2)


def closed_four(x, dim, width, sign=-2.0, double=3.0):
    """(s1^4/8N) [3 sum_3 e^(-s|xa+xb-xc-xd|^2/2) - 2 sum_3 e^(-s(x_ab^2 + x_cd^2)/2)], s = s0^2/d."""
    s = float(S0) ** 2 / dim

    def e(v):
        return exp(-s / 2 * float(np.sum(v**2)))

    total = 0.0
    for (a, b), (c, d) in PAIRINGS:
        total += double * e(x[a] + x[b] - x[c] - x[d]) + sign * e(x[a] - x[b]) * e(x[c] - x[d])
    return float(S1) ** 4 / (8 * width) * total


# --- closed forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 3, 50])
def test_two_and_four_point_closed_forms(dim, width):
    Gc = net_at(dim, width).connected_correlators(max_points=4)
    rng = np.random.default_rng(dim)
    for _ in range(3):
        x = points(rng, 4, dim)
        assert at_points(Gc[2], x[:2]) == pytest.approx(closed_two(x, dim), abs=1e-13)
        assert at_points(Gc[4], x) == pytest.approx(closed_four(x, dim, width), abs=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_four_point_function_symbolically(dim):
    """The explicit form is the same expression, with the parameters left as symbols."""
    N, s1 = symbol("N"), symbol("sigma_w1")
    s = symbol("sigma_w0") ** 2 / dim
    x = [tuple(sympy.Symbol(f"{name}{i}", real=True) for i in range(dim)) for name in "abcd"]

    def e(*signs):
        return sum(sum(sign * p[i] for sign, p in zip(signs, x, strict=True)) ** 2 for i in range(dim))

    rows = [((1, 1, -1, -1), (1, -1, 0, 0), (0, 0, 1, -1)), ((1, -1, 1, -1), (1, 0, -1, 0), (0, 1, 0, -1))]
    rows.append(((1, -1, -1, 1), (1, 0, 0, -1), (0, 1, -1, 0)))
    expected = sum(3 * sympy.exp(-s / 2 * e(*u)) - 2 * sympy.exp(-s / 2 * (e(*v) + e(*w))) for u, v, w in rows)
    found = cos_net(input_dim=dim).connected_correlators(max_points=4)[4](*x)

    def normal_form(expr):
        return sympy.expand(sympy.powsimp(expr.replace(sympy.exp, lambda p: sympy.exp(sympy.expand(p)))))

    difference = normal_form(sympy.expand_mul(found)) - normal_form(sympy.expand_mul(s1**4 / (8 * N) * expected))
    assert sympy.expand(difference) == 0


def test_wrong_closed_forms_would_be_caught():
    """Twin of the tests above: a wrong sign or a missing (n-1)!! is far outside their tolerance."""
    x = points(np.random.default_rng(1), 4, 1)
    found = at_points(net_at(1).connected_correlators(max_points=4)[4], x)
    assert abs(found - closed_four(x, 1, WIDTH, sign=2.0)) > 1e-3
    assert abs(found - closed_four(x, 1, WIDTH, double=1.0)) > 1e-3
    assert abs(found - closed_four(x, 1, WIDTH + 1)) > 1e-3
    assert abs(found - closed_four(x, 2, WIDTH)) > 1e-3


@pytest.mark.parametrize(
    ("n", "kappa"),
    # E h^n = C(n, n/2)/2^n: moments (n-1)!! C(n, n/2)/2^n, cumulants by hand
    [
        (2, Fraction(1, 2)),
        (4, Fraction(9, 8) - Fraction(3, 4)),
        (6, Fraction(75, 16) - 15 * Fraction(9, 16) + Fraction(30, 8)),
    ],
)
def test_coincident_points(n, kappa):
    N, s1 = symbol("N"), symbol("sigma_w1")
    found = cos_net().connected_correlators(max_points=6)[n](*[sympy.Symbol("y", real=True)] * n)
    assert sympy.expand(found - sympy.Rational(kappa.numerator, kappa.denominator) * s1**n * N ** (1 - n // 2)) == 0


# --- quadrature over one neuron -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("n", [2, 4, 6, 8])
def test_feature_average_by_quadrature(n, dim):
    rng, grid = np.random.default_rng(n), neuron_grid(dim)
    feature = net_at(dim).feature
    for _ in range(3):
        x = points(rng, n, dim) / (1 if n < 6 else 2)
        found = number(feature.expected_product([tuple(map(float, p)) for p in x]))
        assert found == pytest.approx(feature_average(x, grid), abs=1e-10)
        assert abs(found) > 1e-6


@pytest.mark.parametrize("n", [1, 3, 5])
def test_odd_feature_averages_vanish(n):
    assert cos_net().feature.expected_product([(i,) for i in range(n)]) == 0


@pytest.mark.parametrize(("n", "dim"), [(2, 1), (4, 1), (6, 1), (2, 2), (4, 2), (6, 2)])
@pytest.mark.parametrize("width", [1, 7])
def test_connected_correlators_by_quadrature(n, dim, width):
    x = points(np.random.default_rng(10 * n + dim), n, dim) / 2
    found = at_points(net_at(dim, width).connected_correlators(max_points=6)[n], x)
    assert found == pytest.approx(width ** (1 - n // 2) * connected(x, neuron_grid(dim)), abs=1e-10)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_fourth_moment_of_a_finite_network(width):
    """E phi^4 by expanding (sum_i W_i h_i)^4 over the neurons, no cumulants."""
    variance = float(S1) ** 2 / width
    h2, h4 = 0.5, 3 / 8
    fourth = width * 3 * variance**2 * h4 + 3 * width * (width - 1) * (variance * h2) ** 2
    Gc = net_at(1, width).connected_correlators(max_points=4)
    assert number(Gc[4](0, 0, 0, 0) + 3 * Gc[2](0, 0) ** 2) == pytest.approx(fourth, rel=1e-13)


# --- exact generating functional ----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 4])
def test_one_point_against_the_generating_functional(width):
    """Taylor coefficients of N log(e^u I_0(u)) by numerical differentiation at high precision."""
    with mpmath.workdps(40):
        scale = mpmath.mpf(S1.numerator) ** 2 / S1.denominator**2 / (4 * width)
        coefficients = mpmath.taylor(
            lambda t: width * (scale * t**2 + mpmath.log(mpmath.besseli(0, scale * t**2))), 0, 8
        )
    Gc = net_at(1, width).connected_correlators(max_points=8)
    for n in (2, 4, 6, 8):
        found = number(Gc[n](*[sympy.Rational(1, 3)] * n))
        assert found == pytest.approx(float(coefficients[n]) * factorial(n), rel=1e-9)


@pytest.mark.parametrize(("dim", "width"), [(1, 1), (1, 6), (2, 3)])
def test_two_points_against_the_generating_functional(dim, width):
    x, c = np.array([[-0.6, 0.2], [0.8, 0.5]])[:, :dim], np.array([0.7, -1.3])
    exact = functional_cumulants(x, c, width, 6)
    Gc = net_at(dim, width).connected_correlators(max_points=6)
    for n in (2, 4, 6):
        found = sum(
            comb(n, k) * c[0] ** k * c[1] ** (n - k) * at_points(Gc[n], x[[0] * k + [1] * (n - k)])
            for k in range(n + 1)
        )
        assert found == pytest.approx(exact[n], rel=1e-9)
        assert abs(found) > 1e-3


def test_linear_combination_twin():
    """A wrong width or a wrong argument of the functional is far from the correlators."""
    x, c = np.array([[0.3], [0.9]]), np.array([1.0, 0.5])
    right, wrong = functional_cumulants(x, c, 3, 6), functional_cumulants(x, c, 4, 6)
    assert right[2] == pytest.approx(wrong[2], rel=1e-12)
    assert abs(right[4] / wrong[4] - 4 / 3) < 1e-12
    assert abs(right[6] / wrong[6] - 16 / 9) < 1e-12


# --- properties ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("n", [2, 4, 6])
def test_translations_and_rotations_are_symmetries_at_finite_width(n, dim):
    rng = np.random.default_rng(n)
    x = points(rng, n, dim) / 2
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    G = net_at(dim, 2).connected_correlators(max_points=6)[n]
    value = at_points(G, x)
    assert at_points(G, x @ rotation.T + rng.normal(size=dim)) == pytest.approx(value, abs=1e-12)
    assert at_points(G, x[rng.permutation(n)]) == pytest.approx(value, abs=1e-12)
    assert abs(at_points(G, 1.1 * x) - value) > 1e-6, "dilatations are not a symmetry"


def test_cluster_decomposition_fails_for_pairs_only():
    """Two pairs far apart keep a connected part of order 1/N, three points and one do not."""
    s, u, v = float(S0) ** 2, 0.4, 0.9
    G = net_at(1).connected_correlators(max_points=4)[4]

    def e(r):
        return exp(-s * r**2 / 2)

    expected = float(S1) ** 4 / (8 * WIDTH) * (3 * e(u + v) + 3 * e(u - v) - 2 * e(u) * e(v))
    far = 100.0
    assert at_points(G, np.array([[u], [0.0], [far + v], [far]])) == pytest.approx(expected, abs=1e-14)
    assert expected > 1e-3
    assert abs(at_points(G, np.array([[0.1], [0.0], [0.3], [far]]))) < 1e-14
