"""Couplings on points against zero-dimensional series, exact characteristic functions and derivative identities."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest
import sympy
from scipy.special import i0e

from diagrams import Uniform, cos_net, gauss_net, linear_net, neuron_sum, relu_net
from diagrams.correlators import ConnectedCorrelators
from diagrams.cumulants import cumulant_from_moments, moments_from_cumulants
from numerics import Ensemble, point_action, schwinger_dyson_test
from numerics.contract import symmetric_tensor
from numerics.kernels import index_tuples
from numerics.point_action import scaled_correlator
from numerics.point_tensors import coupling_tensors, independent_series, needed_diagrams, point_couplings

ONE = Fraction(1)


# --- one variable: the density as a formal series, with Gaussian moments (no diagrams) --------------------------------


def double_factorial(n):
    return 0 if n % 2 else factorial(n) // (2 ** (n // 2) * factorial(n // 2))


def series_product(a, b, top):
    out = defaultdict(Fraction)
    for (h, p), c in a.items():
        for (k, q), d in b.items():
            if h + k <= top:
                out[h + k, p + q] += c * d
    return out


def expanded_moments(found, top, highest):
    """Moments of exp(-S - log Z) for kappa_2 = 1 as series in N^-1/2: {(order, n): coefficient}."""
    exponent = defaultdict(Fraction)
    for n, parts in found.couplings.items():
        for (e,), tensor in parts.items():
            if e:
                exponent[int(2 * e), n] -= Fraction(tensor.item()) / factorial(n)
    for (e,), value in found.log_normalisation.items():
        exponent[int(2 * e), 0] -= Fraction(value.item())
    density, power = defaultdict(Fraction, {(0, 0): ONE}), {(0, 0): ONE}
    for k in range(1, top + 1):
        power = {key: c / k for key, c in series_product(power, exponent, top).items()}
        for key, c in power.items():
            density[key] += c
    result = defaultdict(Fraction)
    for (h, p), c in density.items():
        for n in range(highest + 1):
            result[h, n] += c * double_factorial(p + n)
    return result


def one_variable(seed, order, *, odd):
    rng = np.random.default_rng(seed)
    kappa = {2: ONE}
    for n in range(3, 2 * order + 3):
        kappa[n] = Fraction(int(rng.integers(1, 9)), 5) if odd or n % 2 == 0 else Fraction(0)
    tensors = {n: np.full((1,) * n, k, object) for n, k in kappa.items() if k}
    return kappa, independent_series(tensors), (Fraction(order),)


def cumulant_moments(kappa, order, highest):
    """Moments of cumulants kappa_r N^(1 - r/2) as the same kind of series."""
    u = sympy.Symbol("u")
    cumulants = [0] + [sympy.Rational(str(kappa.get(r, 0))) * u ** (r - 2) for r in range(2, highest + 1)]
    result = defaultdict(Fraction)
    for n, moment in enumerate([1, *moments_from_cumulants(cumulants)]):
        for (h,), c in sympy.Poly(moment, u).terms():
            result[int(h), n] = Fraction(int(c.p), int(c.q))
    return result


@pytest.mark.parametrize(("order", "odd"), [(3, False), (2, True)], ids=["even", "odd"])
def test_log_density_has_unit_norm_and_the_given_cumulants(order, odd):
    kappa, series, limit = one_variable(5, order, odd=odd)
    highest = 2 * order + 2
    found = expanded_moments(point_couplings(series, limit=limit), 2 * order, highest)
    expected = cumulant_moments(kappa, order, highest)
    assert [found[h, 0] for h in range(2 * order + 1)] == [1] + [0] * 2 * order
    for n, h in product(range(1, highest + 1), range(2 * order + 1)):
        assert found[h, n] == expected[h, n], (n, h)


def test_a_wrong_normalisation_or_coupling_is_noticed():
    kappa, series, limit = one_variable(5, 2, odd=True)
    right = point_couplings(series, limit=limit)
    first = right.log_normalisation[ONE,]
    assert Fraction(first.item()) == -kappa[4] / 8 + 5 * kappa[3] ** 2 / 24  # log p(0) of the Edgeworth series
    wrong = right._replace(log_normalisation={**right.log_normalisation, (ONE,): np.asarray(-first)})
    assert expanded_moments(wrong, 4, 0)[2, 0] != 0
    couplings = {**right.couplings, 4: {p: 2 * t for p, t in right.couplings[4].items()}}
    assert expanded_moments(right._replace(couplings=couplings), 4, 0)[2, 0] != 0


# --- several expansion parameters -------------------------------------------------------------------------------------


def random_symmetric(rng, m, n):
    values = np.array([Fraction(int(rng.integers(-9, 10)), 7) for _ in index_tuples(m, n)], object)
    return symmetric_tensor(values, m, n)


@pytest.mark.parametrize("odd", [False, True], ids=["even", "odd"])
def test_two_parameters_are_the_derivative_of_one(odd):
    """A first power of alpha in every correlator gives d/dalpha of the couplings, exactly linear in the limit."""
    rng, m, order = np.random.default_rng(7), 2, 2 if not odd else 1
    steps = range(2, 2 * order + 3, 1 if odd else 2)
    base, change = ({n: random_symmetric(rng, m, n) for n in steps} for _ in range(2))
    for i in range(m):
        base[2][i, i] += 6
    series = {n: {(Fraction(n, 2) - 1, 0 * ONE): base[n], (Fraction(n, 2) - 1, ONE): change[n]} for n in steps}
    found = point_couplings(series, limit=(Fraction(order), ONE))
    alpha = Fraction(1, 10**9)
    moved = point_couplings(
        independent_series({n: base[n] + alpha * change[n] for n in steps}), limit=(Fraction(order),)
    )
    still = point_couplings(independent_series(base), limit=(Fraction(order),))
    for n, parts in still.couplings.items():
        for (e,), tensor in parts.items():
            assert (found.couplings[n][e, 0 * ONE] == tensor).all()
            slope = ((moved.couplings[n][(e,)] - tensor) / alpha).astype(float)
            np.testing.assert_allclose(found.couplings[n][e, ONE].astype(float), slope, rtol=1e-5, atol=1e-6)
    for (e,), value in still.log_normalisation.items():
        slope = float((moved.log_normalisation[(e,)] - value) / alpha)
        assert float(found.log_normalisation[e, ONE]) == pytest.approx(slope, rel=1e-5)
    half = {**change, 4: 2 * change[4]}
    wrong = {n: {(Fraction(n, 2) - 1, 0 * ONE): base[n], (Fraction(n, 2) - 1, ONE): half[n]} for n in steps}
    twin = point_couplings(wrong, limit=(Fraction(order), ONE))
    assert (twin.couplings[4][ONE, ONE] != found.couplings[4][ONE, ONE]).any()


def test_a_correction_of_the_two_point_function_alone():
    """Gaussian fields of covariance K + alpha Delta: inverse and determinant, through alpha^3."""
    K, delta = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.3, -0.2], [-0.2, 0.4]])
    limit = (0 * ONE, 3 * ONE)
    found = point_couplings({2: {(0 * ONE, 0 * ONE): K, (0 * ONE, ONE): delta}}, limit=limit)
    left = []
    for alpha in (0.02, 0.04):
        inverse = sum(alpha ** float(p[1]) * t for p, t in found.couplings[2].items())
        half_log = sum(alpha ** float(p[1]) * t for p, t in found.log_normalisation.items())
        exact = K + alpha * delta
        left.append(np.abs(inverse - np.linalg.inv(exact)).max())
        assert half_log == pytest.approx(0.5 * np.log(np.linalg.det(exact) / np.linalg.det(K)), abs=2 * alpha**4)
    assert abs(np.log2(left[1] / left[0]) - 4) < 0.1


def test_correlators_that_survive_are_refused():
    kernel = {(0 * ONE, 0 * ONE): np.eye(1)}
    with pytest.raises(ValueError, match=r"4-point correlator has a part with powers \(0, 0\)"):
        point_couplings({2: kernel, 4: {(0 * ONE, 0 * ONE): np.ones((1,) * 4)}}, limit=(ONE, ONE))
    with pytest.raises(ValueError, match="no part of order zero"):
        point_couplings({2: {(ONE, 0 * ONE): np.eye(1)}}, limit=(ONE, ONE))
    assert needed_diagrams({4: {(ONE, ONE): np.ones((1,) * 4)}}, (ONE, ONE)) == [(0, 2), (2, 1), (4, 0)]


@pytest.fixture(scope="module")
def tilted():
    net = cos_net(input_dim=1)
    return net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2).at(N=20, sigma_w0=1, sigma_w1=1, alpha=0.5)


def test_tilted_net_obeys_the_derivative_identities(tilted):
    x = np.array([[-0.6], [0.6]])
    action = point_action(tilted, x, order={"1/N": 1, "alpha": 1})
    assert list(action.parameters.items()) == [("1/N", 0.05), ("alpha", 0.5)]
    # THEORY: dG2 = (s1^2/2) D1(x - y), of order 1/N: D1(v) = (2/N) exp(-v^2/2) (v^2 ...) in one dimension
    v = x - x.T
    change = 0.5 * 2 * v**2 * np.exp(-(v**2) / 2)  # coefficient of alpha/N
    D = action.orders[2][0, 0]
    np.testing.assert_allclose(action.orders[2][1, 1], -D @ change @ D, rtol=1e-9)
    np.testing.assert_allclose(action.normalisation[1, 1], 0.5 * np.trace(D @ change), rtol=1e-9)
    assert np.abs(action.orders[2][1, 1] + D @ (2 * change) @ D).max() > 0.1
    base = point_action(tilted.base, x, order=1)
    np.testing.assert_allclose(action.orders[4][1, 0], base.orders[4][1], rtol=1e-12)
    shift = 0.5 / 20 * action.orders[2][1, 1]
    np.testing.assert_allclose(action.couplings[2] - base.couplings[2], shift, rtol=1e-9)


@pytest.mark.slow
def test_tilted_action_on_weighted_networks(tilted):
    x = np.array([[-0.6], [0.6]])
    ensemble = Ensemble(tilted, n_nets=100_000, seed=2)
    found = schwinger_dyson_test(point_action(tilted, x, order={"1/N": 1, "alpha": 1}), ensemble)
    assert found.effective_sample_size < 100_000
    assert np.abs(found.pulls(1)).max() < 4
    without = schwinger_dyson_test(point_action(tilted.base, x, order=1), ensemble)
    assert np.abs(without.pulls(1)).max() > 10  # the tilt of G2 is missing
    assert "Schwinger-Dyson" in found._repr_html_()


# --- exact densities --------------------------------------------------------------------------------------------------


def cos_cumulants(x, top):
    """N^(n/2 - 1) G_c^(n) of the Cos-net (unit variances) from sums over signs, without symbolic work."""

    def moment(points):
        n = len(points)
        signs = [s for s in product((1, -1), repeat=n) if sum(s) == 0]
        terms = [np.exp(-(float(np.dot(s, points)) ** 2) / 2) for s in signs]
        return double_factorial(n) * sum(terms) / 2**n

    out = {}
    for n in range(2, top + 1, 2):
        values = [cumulant_from_moments(tuple(x[i]), moment, even=True) for i in index_tuples(len(x), n)]
        out[n] = symmetric_tensor(np.array(values), len(x), n)
    return out


def cos_density(x, width, step, reach):
    """(g_2, g_4) of -log p at zero field, from the exact characteristic functional on a grid."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    axis = np.arange(-reach, reach + step / 2, step)
    t = np.meshgrid(axis[axis > -step / 2], *[axis] * (len(x) - 1), indexing="ij")
    chi = np.zeros(t[0].shape)
    for w, p in zip(nodes[20:], 2 * weights[20:] / weights.sum(), strict=True):
        wave = sum(tk * np.exp(1j * w * xk) for tk, xk in zip(t, x, strict=True))
        chi += p * i0e(np.abs(wave) ** 2 / (4 * width))
    chi = chi**width
    assert max(chi[:, 0].max(), chi[:, -1].max()) < 1e-11
    chi[1:] *= 2  # the other half of the grid
    m, total = len(x), chi.sum()

    def moment(index):
        return float(np.prod([t[i] for i in index], axis=0).ravel() @ chi.ravel()) / total

    m2 = symmetric_tensor(np.array([moment(i) for i in index_tuples(m, 2)]), m, 2)
    m4 = symmetric_tensor(np.array([moment(i) for i in index_tuples(m, 4)]), m, 4)
    pairs = np.einsum("ab,cd->abcd", m2, m2)
    return {2: m2, 4: pairs + pairs.transpose(0, 2, 1, 3) + pairs.transpose(0, 3, 2, 1) - m4}


CASES = {
    "two points, order 3": ([0.0, 1.0], (2, 3), 0.2, 26.0, (60, 120)),
    "three points, order 2": ([0.0, 1.5, 3.0], (1, 2), 0.5, 20.0, (160, 320)),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def powers(request):
    """Measured powers of 1/N of the deviation from the exact density, and those with g_4 halved."""
    x, orders, step, reach, widths = request.param
    cumulants = cos_cumulants(np.array(x), 2 * max(orders) + 2)
    left, wrong = {}, {}
    for width in widths:
        exact = cos_density(x, width, step, reach)
        values = {n: t * width ** (1 - n / 2) for n, t in cumulants.items()}
        given = ConnectedCorrelators.from_values(values, points=x, width=width)
        for order, n in product(orders, (2, 4)):
            g = point_action(given, order=order).couplings[n]
            left[order, n, width] = np.abs(g - exact[n]).max()
            flipped = {k: (-v if k == 4 else v) for k, v in values.items()}
            if order == orders[0]:
                bad = point_action(ConnectedCorrelators.from_values(flipped, points=x, width=width), order=order)
                wrong[n, width] = np.abs(bad.couplings[n] - exact[n]).max()
    a, b = widths
    return (
        {key[:2]: np.log2(v / left[key[0], key[1], b]) for key, v in left.items() if key[2] == a},
        {n: np.log2(v / wrong[n, b]) for (n, width), v in wrong.items() if width == a},
    )


def test_deviation_from_the_exact_density_falls_as_the_next_power(powers):
    right, wrong = powers
    for (order, n), power in right.items():
        assert abs(power - (order + 1)) < 0.3, (order, n, power)
    assert all(power < 1.3 for power in wrong.values())


def test_linear_net_to_third_order():
    """-log p of the characteristic function (1 + t^2/N)^(-N/2), from its exact moments."""

    def exact(width):
        r = [ONE]
        for k in range(3):
            r.append(r[-1] * width * Fraction(2 * k + 1, width - 2 * k - 3))
        return {2: r[1], 4: 3 * r[1] ** 2 - r[2]}

    net = linear_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)
    for order in (1, 2, 3):
        left = {}
        for width in (500, 1000):
            g = point_action(net.at(N=width), [[1.0]], order=order).couplings
            left[width] = [abs(g[n].item() - float(exact(width)[n])) for n in (2, 4)]
        measured = np.log2(np.array(left[500]) / left[1000])
        assert np.abs(measured - (order + 1)).max() < 0.1
    kappa = {2 * k: factorial(2 * k - 1) for k in range(1, 4)}  # THEORY 2.4
    tensors = {n: np.full((1,) * n, Fraction(k), object) for n, k in kappa.items()}
    assert coupling_tensors(tensors, order=2, even=True)[4][1].item() == -6


# --- the range of a singular kernel -----------------------------------------------------------------------------------

RELU_POINTS = np.array([[0.5], [1.0], [-1.0], [-0.3]])


@pytest.fixture(scope="module")
def relu():
    return relu_net(input_dim=1, hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)


def in_half_lines(tensor, action, x):
    """Couplings in (Y_+, Y_-): phi = X Y with X = max(x, 0), max(-x, 0)."""
    X = np.hstack([np.maximum(x, 0), np.maximum(-x, 0)])
    change = action.basis.T @ X
    for _ in range(tensor.ndim):
        tensor = np.tensordot(tensor, change, axes=(0, 0))
    return tensor


def test_singular_kernel_says_its_rank(relu):
    with pytest.raises(ValueError, match=r"on these 4 points has rank 2.*2 linear relation.*on_range=True"):
        point_action(relu, RELU_POINTS, order=1)
    with pytest.raises(ValueError, match="rank of the two-point function is not clear"):
        point_action(
            cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1), np.linspace(0, 1, 9)[:, None], on_range=True
        )


def test_action_on_the_range_is_that_of_the_two_half_lines(relu):
    action = point_action(relu, RELU_POINTS, order=2, on_range=True)
    assert action.basis.shape == (4, 2)
    np.testing.assert_allclose(action.basis.T @ action.basis, np.eye(2), atol=1e-12)
    cumulants = {2: {(0, 0): (1, 2)}, 4: {(0, 0, 0, 0): (15, 4), (0, 0, 1, 1): (-1, 4)}}
    cumulants[6] = {(0,) * 6: (165, 2), (0, 0, 0, 0, 1, 1): (-3, 2)}
    tensors = {}
    for n, known in cumulants.items():
        full = {k: Fraction(*v) for k, v in known.items()}
        full |= {tuple(sorted(1 - i for i in k)): v for k, v in full.items()}
        values = [full.get(tuple(i), Fraction(0)) for i in index_tuples(2, n).tolist()]
        tensors[n] = symmetric_tensor(np.array(values, object), 2, n)
    expected = coupling_tensors(tensors, order=2, even=True)
    for n, parts in expected.items():
        for e, tensor in parts.items():
            found = in_half_lines(action.orders[n][e], action, RELU_POINTS)
            np.testing.assert_allclose(found, tensor.astype(float), rtol=1e-8, atol=1e-7)
    tensors[4] = -tensors[4]
    wrong = coupling_tensors(tensors, order=2, even=True)[4][1].astype(float)
    assert np.abs(in_half_lines(action.orders[4][1], action, RELU_POINTS) - wrong).max() > 1


def test_action_on_the_range_approaches_the_exact_joint_density():
    axis = np.arange(-16, 16.1, 0.2)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    left = {}
    for width in (60, 120):
        chi = (((1 + a**2 / width) ** -0.5 + (1 + b**2 / width) ** -0.5) / 2) ** width

        def moment(p, q, chi=chi):
            return (a**p * b**q * chi).sum() / chi.sum()

        exact = np.array([3 * moment(2, 0) ** 2 - moment(4, 0), moment(2, 0) ** 2 - moment(2, 2)])
        for order in (1, 2):
            action = point_action(_relu(width), RELU_POINTS, order=order, on_range=True)
            g = in_half_lines(action.couplings[4], action, RELU_POINTS)
            left[order, width] = np.abs(np.array([g[0, 0, 0, 0], g[0, 0, 1, 1]]) - exact)
    for order in (1, 2):
        assert np.abs(np.log2(left[order, 60] / left[order, 120]) - (order + 1)).max() < 0.6


def _relu(width):
    return relu_net(input_dim=1, hidden_bias=False).at(N=width, sigma_w0=1, sigma_w1=1)


def test_fields_off_the_range(relu):
    action = point_action(relu, RELU_POINTS, order=2, on_range=True)
    inside = np.array([[0.5, 1.0, 2.0, 0.6]])
    outside = inside + np.array([0, 0.1, 0, 0])
    assert np.isfinite(action.value(inside)).all()
    assert action.value(outside) == np.inf
    assert action.log_density(outside) == -np.inf
    for method in (action.gradient, action.hessian, action.coordinates):
        with pytest.raises(ValueError, match="not on the range"):
            method(outside)
    step = 1e-5 * inside  # along the range
    slope = (action.value(inside + step) - action.value(inside - step)) / 2e-5
    np.testing.assert_allclose(slope, (action.gradient(inside) * inside).sum(-1), rtol=1e-6)
    assert "rank 2" in repr(action)
    fields = Ensemble(relu, n_nets=2000, seed=4).sample(RELU_POINTS)
    assert np.isfinite(action.value(fields)).all()


def test_action_on_the_range_of_sampled_networks():
    ensemble = Ensemble(_relu(200), n_nets=50_000, seed=4)
    on = schwinger_dyson_test(point_action(_relu(200), RELU_POINTS, order=2, on_range=True), ensemble)
    assert on.violations[3].shape == (2,) * 4
    assert max(np.abs(on.pulls(degree)).max() for degree in (1, 3)) < 5
    other = relu_net(input_dim=1, hidden_bias=False).at(N=200, sigma_w0=1, sigma_w1=1.1)
    wrong = schwinger_dyson_test(point_action(other, RELU_POINTS, order=2, on_range=True), ensemble)
    assert np.abs(wrong.pulls(1)).max() > 10


# --- bad input --------------------------------------------------------------------------------------------------------


def test_missing_correlators_and_orders_are_named(tilted):
    values = {2: np.eye(2), 4: np.zeros((2,) * 4)}
    given = ConnectedCorrelators.from_values(values, width=10)
    with pytest.raises(ValueError, match=r"needs the connected correlators of \[6, 8\]"):
        point_action(given, order=3)
    with pytest.raises(ValueError, match="leave out the argument points"):
        point_action(given, [[0.0]], order=1)
    x = [[0.0], [1.0]]
    with pytest.raises(ValueError, match=r"expansions in \['1/N', 'alpha'\]: give the order of each"):
        point_action(tilted, x, order=1)
    with pytest.raises(ValueError, match=r"does not name \['1/N'\]"):
        point_action(tilted, x, order={"alpha": 1})
    free = replace(tilted, value=None)
    with pytest.raises(ValueError, match="alpha has no number"):
        point_action(free, x, order={"1/N": 1, "alpha": 1})
    two = cos_net(input_dim=1, output_dim=2).at(N=20, sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match="output_dim=2"):
        point_action(two, x)
    with pytest.raises(TypeError, match="points are missing"):
        point_action(tilted.base)


@pytest.mark.parametrize(
    "net",
    [
        cos_net(input_dim=1).at(N=9, sigma_w0=1, sigma_w1=1),
        cos_net(input_dim=1, output_bias=True).at(N=9, sigma_w0=1, sigma_w1=1, sigma_b1=0.5),
        gauss_net(input_dim=1, hidden_bias=False, readout=Uniform(-1, 3)).at(N=9, sigma_w0=0.5),
    ],
    ids=["even", "output bias", "odd moments"],
)
def test_tensors_from_moments_of_a_neuron_are_those_of_the_correlators(net, monkeypatch):
    x = np.array([[0.2], [1.1]])
    Gc = net.connected_correlators(max_points=6)
    from_moments = [scaled_correlator(Gc, n, x) for n in (5, 6)]
    monkeypatch.setattr("numerics.point_values._FROM_MOMENTS", 99)
    for found, expected in zip(from_moments, (scaled_correlator(Gc, n, x) for n in (5, 6)), strict=True):
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-13)
    if not net.is_even:
        assert np.abs(from_moments[0]).max() > 0
