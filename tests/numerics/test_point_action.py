"""The action on finitely many points: exact tensors, an exact density, sampled networks."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import opt_einsum
import pytest
import sympy
from scipy.special import i0e

from diagrams import cos_net, one_variable_couplings
from diagrams.cumulants import moment_from_cumulants
from diagrams.symbols import symbol
from numerics import Ensemble, point_action, schwinger_dyson_test
from numerics.contract import amputate, symmetric_tensor
from numerics.kernels import index_tuples
from numerics.point_action import coupling_tensors, inverse, scaled_correlator

half = sympy.Rational(1, 2)


def contract(equation, *tensors):
    return opt_einsum.contract(equation, *tensors)


def random_tensors(seed, m=2, top=6):
    """Symmetric tensors with small rational entries, the two-point function positive definite."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for n in range(2, top + 1):
        values = np.array([Fraction(int(rng.integers(-9, 10)), 7) for _ in index_tuples(m, n)], object)
        tensors[n] = symmetric_tensor(values, m, n)
    for i in range(m):
        tensors[2][i, i] += 5
    return tensors


def channels(tensor):
    """Sum over the distinct permutations of axes."""
    seen = []
    for p in permutations(range(tensor.ndim)):
        moved = np.transpose(tensor, p)
        if not any((moved == t).all() for t in seen):
            seen.append(moved)
    return sum(seen)


@pytest.fixture(scope="module")
def mixed():
    G = random_tensors(1)
    return G, inverse(G[2]), coupling_tensors(G, order=2, even=False)


@pytest.fixture(scope="module")
def even():
    G = random_tensors(2)
    return G, inverse(G[2]), coupling_tensors(G, order=2, even=True)


def test_inverse_is_exact(mixed):
    G, D, _ = mixed
    assert (D @ G[2] == np.array([[1, 0], [0, 1]], object)).all()
    with pytest.raises(ValueError, match="singular"):
        inverse(np.array([[Fraction(1), Fraction(2)], [Fraction(2), Fraction(4)]], object))


def test_leading_tensors_with_odd_correlators(mixed):
    G, D, g = mixed
    t3 = contract("abc,bc->a", G[3], D)  # G3 closed with D
    assert (g[1][half] == amputate(t3, D) / 2).all()
    bubble = contract("acd,ce,df,bef->ab", G[3], D, D, G[3])
    tadpole = contract("abc,cd,d->ab", G[3], D, t3)
    one_loop = contract("abcd,cd->ab", G[4], D) / 2 - bubble / 2 - tadpole / 2
    assert (g[2][1] == amputate(one_loop, D)).all()
    assert (g[2][0] == D).all()
    assert (g[3][half] == -amputate(G[3], D)).all()
    exchange = contract("abe,ef,cdf->abcd", G[3], D, G[3])
    three = exchange + exchange.transpose(0, 2, 1, 3) + exchange.transpose(0, 3, 2, 1)
    assert (g[4][1] == amputate(three - G[4], D)).all()


def test_leading_tensors_of_an_even_theory(even):
    G, D, g = even
    t4 = contract("abcd,cd->ab", G[4], D)
    assert sorted(g) == [2, 4, 6]
    assert (g[2][1] == amputate(t4, D) / 2).all()
    assert (g[4][1] == -amputate(G[4], D)).all()
    bubble = contract("abef,eg,fh,cdgh->abcd", G[4], D, D, G[4])
    three = bubble + bubble.transpose(0, 2, 1, 3) + bubble.transpose(0, 3, 2, 1)
    leg = contract("abce,ef,fd->abcd", G[4], D, t4)
    four = leg + leg.transpose(3, 1, 2, 0) + leg.transpose(0, 3, 2, 1) + leg.transpose(0, 1, 3, 2)
    one_loop = contract("abcdef,ef->abcd", G[6], D) / 2 - three / 2 - four / 2
    assert (g[4][2] == amputate(one_loop, D)).all()
    two_loops = (
        -contract("abcdef,cd,ef->ab", G[6], D, D) / 8
        + contract("acde,bfgh,cf,dg,eh->ab", G[4], G[4], D, D, D) / 6
        + contract("abcd,ce,df,ef->ab", G[4], D, D, t4) / 4
        + contract("ac,cd,db->ab", t4, D, t4) / 4
    )
    assert (g[2][2] == amputate(two_loops, D)).all()
    trees = contract("abcg,gh,defh->abcdef", G[4], D, G[4])
    ten = sum(
        np.transpose(trees, np.argsort(p)) for p in permutations(range(6)) if p[0] < p[1] < p[2] and p[3] < p[4] < p[5]
    )
    assert (g[6][2] == amputate(ten / 2 - G[6], D)).all()  # each of the 10 channels was counted twice


def test_a_wrong_sign_would_be_noticed(even):
    G, D, g = even
    t4 = contract("abcd,cd->ab", G[4], D)
    assert (g[2][1] != -amputate(t4, D) / 2).any()
    flipped = dict(G)
    flipped[6] = -G[6]
    assert (coupling_tensors(flipped, order=2, even=True)[4][2] != g[4][2]).any()


def test_one_point_agrees_with_the_one_variable_table():
    rng = np.random.default_rng(3)
    kappa = {n: Fraction(int(rng.integers(1, 9)), 5) for n in range(2, 7)}
    kappa[2] = Fraction(1)
    tensors = {n: np.full((1,) * n, value, object) for n, value in kappa.items()}
    g = coupling_tensors(tensors, order=2, even=False)
    values = {symbol(f"k{r}"): sympy.Rational(v.numerator, v.denominator) for r, v in kappa.items()}
    for n, series in one_variable_couplings(order=2).items():
        for e, coefficient in series.items():
            assert sympy.Rational(str(g[n][e].item())) == coefficient.subs(values)


def _exact_two_point_density(N, distance, sigma=1.0):
    """Return (g_2, g_4) tensors of -log p at zero field for the Cos-net at two points, by Fourier inversion.

    The characteristic function is (E_w exp(-u) I_0(u))^N with u = |t_1 + t_2 exp(i w distance)|^2 / (4 N); the
    derivatives of p at zero are its moments.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(48)
    weights = weights / weights.sum()
    step, reach = 0.1, 26.0
    t = np.arange(-reach, reach + step / 2, step)
    t1, t2 = np.meshgrid(t, t, indexing="ij")
    chi = np.zeros_like(t1)
    for w, p in zip(nodes * sigma, weights, strict=True):
        square = t1**2 + t2**2 + 2 * t1 * t2 * np.cos(w * distance)
        chi += p * i0e(square / (4 * N))
    chi = chi**N
    assert chi[0].max() < 1e-12  # nothing is cut off at the border

    def moment(a, b):
        return float((t1**a * t2**b * chi).sum() / chi.sum())

    m2 = np.array([[moment(2, 0), moment(1, 1)], [moment(1, 1), moment(0, 2)]])
    m4 = symmetric_tensor(np.array([moment(4 - i, i) for i in range(5)]), 2, 4)
    pairs = np.einsum("ab,cd->abcd", m2, m2)
    return m2, pairs + pairs.transpose(0, 2, 1, 3) + pairs.transpose(0, 3, 2, 1) - m4


@pytest.fixture(scope="module")
def residuals():
    """Largest deviations of g_2 and g_4 from the exact density, by order and width."""
    x = np.array([[0.0], [1.0]])
    found = {}
    for N in (40, 80, 160):
        exact2, exact4 = _exact_two_point_density(N, 1.0)
        net = cos_net(input_dim=1).at(N=N, sigma_w0=1, sigma_w1=1)
        for order in (1, 2):
            g = point_action(net, x, order=order).couplings
            found[2, order, N] = np.abs(g[2] - exact2).max()
            found[4, order, N] = np.abs(g[4] - exact4).max()
    return found


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("order", [1, 2])
def test_residual_falls_as_the_next_power_of_the_width(residuals, n, order):
    steps = [residuals[n, order, N] / residuals[n, order, 2 * N] for N in (40, 80)]
    exponents = np.log2(steps)
    # corrections of relative order 1/N make the measured power approach order + 1 from one side
    assert abs(exponents[1] - (order + 1)) < 0.25
    assert abs(exponents[1] - (order + 1)) < abs(exponents[0] - (order + 1))


def test_a_wrong_loop_coefficient_spoils_the_power(residuals):
    """Dropping the loop terms leaves a residual that falls no faster than the first omitted order."""
    x = np.array([[0.0], [1.0]])
    left = {}
    for N in (80, 160):
        net = cos_net(input_dim=1).at(N=N, sigma_w0=1, sigma_w1=1)
        action = point_action(net, x, order=2)
        tree = action.orders[4][sympy.Integer(1)] / N
        left[N] = np.abs(tree - _exact_two_point_density(N, 1.0)[1]).max()
    assert np.log2(left[80] / left[160]) < 2.4
    assert left[160] > 10 * residuals[4, 2, 160]


def _exact_three_point_density(N, x):
    """As for two points: u = |sum_a t_a exp(i w x_a)|^2 / (4 N)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    t = np.arange(-13.5, 13.6, 0.45)
    grid = np.stack(np.meshgrid(t, t, t, indexing="ij"))
    chi = np.zeros(grid.shape[1:])
    for w, p in zip(nodes, weights / weights.sum(), strict=True):
        real, imaginary = (np.tensordot(f(w * x), grid, axes=1) for f in (np.cos, np.sin))
        chi += p * i0e((real**2 + imaginary**2) / (4 * N))
    chi = chi**N
    assert max(chi[0].max(), chi[:, 0].max(), chi[:, :, 0].max()) < 1e-9  # nothing is cut off at the border
    total = chi.sum()

    def moments(n):
        index = index_tuples(3, n)
        return symmetric_tensor(np.array([float((grid[i].prod(axis=0) * chi).sum() / total) for i in index]), 3, n)

    m2, m4 = moments(2), moments(4)
    pairs = np.einsum("ab,cd->abcd", m2, m2)
    return m2, pairs + pairs.transpose(0, 2, 1, 3) + pairs.transpose(0, 3, 2, 1) - m4


def test_residual_falls_at_three_points():
    x = np.array([0.0, 2.5, 5.5])
    found = {}
    for N in (40, 80):
        exact2, exact4 = _exact_three_point_density(N, x)
        net = cos_net(input_dim=1).at(N=N, sigma_w0=1, sigma_w1=1)
        for order in (0, 1, 2):
            g = point_action(net, x[:, None], order=order).couplings
            found[2, order, N] = np.abs(g[2] - exact2).max()
            found[4, order, N] = np.abs(g.get(4, 0) - exact4).max()
    for n, order in ((2, 0), (2, 1), (2, 2), (4, 1), (4, 2)):
        exponent = np.log2(found[n, order, 40] / found[n, order, 80])
        assert abs(exponent - (order + 1)) < 0.45, (n, order, exponent)
        if order:
            assert found[n, order, 80] < 0.25 * found[n, order - 1, 80]


@pytest.fixture(scope="module")
def action():
    net = cos_net(input_dim=2).at(N=8, sigma_w0=1, sigma_w1=1)
    return point_action(net, [[0.0, 0.1], [0.8, -0.4], [-0.5, 0.9]], order=2)


def test_value_and_gradient(action):
    rng = np.random.default_rng(0)
    phi = rng.normal(size=(4, 5, 3)) * 0.5
    value, gradient = action.value(phi), action.gradient(phi)
    assert value.shape == (4, 5)
    assert gradient.shape == (4, 5, 3)
    direct = np.zeros((4, 5))
    for n, g in action.couplings.items():
        term = g
        flat = np.zeros((4, 5))
        for index in np.ndindex(4, 5):
            term = g
            for _ in range(n):
                term = np.tensordot(term, phi[index], axes=(0, 0))
            flat[index] = term
        direct += flat / float(sympy.factorial(n))
    np.testing.assert_allclose(value, direct, rtol=1e-11)
    h = 1e-5
    for i in range(3):
        shift = np.eye(3)[i] * h
        numeric = (action.value(phi + shift) - action.value(phi - shift)) / (2 * h)
        np.testing.assert_allclose(gradient[..., i], numeric, rtol=1e-6, atol=1e-7)


def test_couplings_are_symmetric(action):
    for n, g in action.couplings.items():
        assert g.shape == (3,) * n
        for p in ((1, 0, *range(2, n)), (*range(1, n), 0)):
            np.testing.assert_allclose(g, np.transpose(g, p), rtol=1e-9, atol=1e-9 * np.abs(g).max())


@pytest.fixture(scope="module")
def schwinger_dyson():
    x = np.array([[-0.6], [0.6]])
    found = {}
    for N in (16, 32):
        net = cos_net(input_dim=1).at(N=N, sigma_w0=1, sigma_w1=1)
        ensemble = Ensemble(net, n_nets=1_000_000 if N == 16 else 3_000_000, seed=11)
        found[N] = {k: schwinger_dyson_test(point_action(net, x, order=k), ensemble) for k in (0, 1)}
    return found


def _exact_violation(N, order, x):
    """Return E[phi_i phi_j phi_k dS/dphi_l] - E[d(phi_i phi_j phi_k)/dphi_l] from exact moments."""
    net = cos_net(input_dim=1).at(N=N, sigma_w0=1, sigma_w1=1)
    correlators = net.connected_correlators(max_points=6)
    tensors = {n: scaled_correlator(correlators, n, x) * N ** (1 - n / 2) for n in (2, 4, 6)}

    def moment(index):
        return moment_from_cumulants(index, lambda block: tensors[len(block)][block], even=True)

    g = point_action(net, x, order=order).couplings
    result = np.zeros((2,) * 4)
    for i, j, k, l in np.ndindex(2, 2, 2, 2):
        for n in (2, 4):
            if n in g:
                for rest in np.ndindex(*(2,) * (n - 1)):
                    factor = g[n][(l, *rest)] / float(sympy.factorial(n - 1))
                    result[i, j, k, l] += factor * moment((i, j, k, *rest))
        for first, others in ((i, (j, k)), (j, (i, k)), (k, (i, j))):
            result[i, j, k, l] -= (first == l) * moment(others)
    return result


@pytest.mark.parametrize("N", [16, 32])
@pytest.mark.parametrize("order", [0, 1])
def test_schwinger_dyson_on_sampled_networks(schwinger_dyson, N, order):
    """The measured violation is the exact one: it is a statement about moments through the sixth."""
    measured = schwinger_dyson[N][order]
    exact = _exact_violation(N, order, np.array([[-0.6], [0.6]]))
    pulls = (measured.violations[3] - exact) / measured.errors[3]
    assert np.abs(pulls).max() < 5
    assert np.abs((measured.violations[3] + exact) / measured.errors[3]).max() > 10  # the wrong sign is noticed


def test_gaussian_action_is_violated_at_first_order_only_it(schwinger_dyson):
    for N in (16, 32):
        gaussian, corrected = schwinger_dyson[N][0], schwinger_dyson[N][1]
        assert np.abs(gaussian.pulls(3)).max() > 10
        assert np.abs(gaussian.pulls(1)).max() < 5  # G2 is exact: the Gaussian action passes the first identity
        if N == 32:  # at N = 16 the coefficient of 1/N^2 still makes up for the power
            assert corrected.max_violation(3) < 0.7 * gaussian.max_violation(3)


def test_violations_fall_as_the_next_power():
    x = np.array([[-0.6], [0.6]])
    for order in (0, 1):
        sizes = [np.abs(_exact_violation(N, order, x)).max() for N in (40, 80)]
        assert abs(np.log2(sizes[0] / sizes[1]) - (order + 1)) < 0.1


@pytest.mark.parametrize(
    ("points", "error", "text"),
    [
        ([0.0, 1.0], ValueError, r"shape \(n_points, 1\).*x\[:, None\]"),
        ([[0.0, 1.0]], ValueError, r"shape \(n_points, 1\)"),
        ([["a"]], TypeError, "real numbers"),
        ([[1j]], TypeError, "real numbers"),
        ([[0.0], [np.nan]], ValueError, "point 1 is"),
        ([[0.0], [np.inf]], ValueError, "finite"),
        ([[0.5], [1.0], [0.5]], ValueError, "points 0 and 2 coincide"),
        ([[0.0], [1e-9]], ValueError, "closest points are 0 and 1"),
        (np.zeros((0, 1)), ValueError, "n_points >= 1"),
    ],
    ids=["flat", "dimension", "text", "complex", "nan", "inf", "coincident", "close", "empty"],
)
def test_bad_points(points, error, text):
    net = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
    with pytest.raises(error, match=text):
        point_action(net, points, order=1)


def test_other_errors(action):
    net = cos_net(input_dim=1)
    x = [[0.0], [1.0]]
    with pytest.raises(ValueError, match=r"\['N', 'sigma_w1'\].*net\.at"):
        point_action(net.at(sigma_w0=1), x, order=1)
    numeric = net.at(N=20, sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match="order must be >= 0, got -1"):
        point_action(numeric, x, order=-1)
    with pytest.raises(TypeError, match="Architecture or ConnectedCorrelators"):
        point_action("net", x, order=1)
    with pytest.raises(ValueError, match=r"connected correlators of \[6\] points"):
        point_action(numeric.connected_correlators(max_points=4), x, order=2)
    with pytest.raises(ValueError, match="last axis must hold the 3 points"):
        action.value(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="not finite"):
        action.gradient([np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"needs the \[6\]-point"):
        coupling_tensors({2: np.eye(2), 4: np.zeros((2,) * 4)}, order=2, even=True)
    other = Ensemble(numeric, n_nets=1000, seed=0)
    with pytest.raises(ValueError, match="the action has N = 10, the ensemble N = 20"):
        schwinger_dyson_test(point_action(net.at(N=10, sigma_w0=1, sigma_w1=1), x, order=0), other)
