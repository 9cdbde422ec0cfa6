"""PointAction as a function of fields: derivatives, normalisation, mean, boundedness and samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diagrams import cos_net, linear_net
from diagrams.correlators import ConnectedCorrelators
from numerics import Ensemble, point_action, schwinger_dyson_test
from numerics.contract import symmetric_tensor
from numerics.kernels import index_tuples
from numerics.point_polynomial import FieldPolynomial
from numerics.point_sampling import boundedness


def random_correlators(seed, m, top, width=30, odd=True):
    rng = np.random.default_rng(seed)
    values = {}
    for n in range(2, top + 1, 1 if odd else 2):
        values[n] = symmetric_tensor(rng.normal(size=len(index_tuples(m, n))), m, n) * width ** (1 - n / 2)
    values[2] = values[2] @ values[2].T + np.eye(m)
    return values


@pytest.fixture(scope="module")
def odd():
    given = ConnectedCorrelators.from_values({**random_correlators(1, 3, 6), 1: np.array([0.3, -0.2, 0.1])}, width=30)
    return point_action(given, order=2)


def test_hessian_is_the_difference_of_gradients(odd):
    rng = np.random.default_rng(0)
    phi, vector = rng.normal(size=(4, 5, 3)), rng.normal(size=(4, 5, 3))
    hessian = odd.hessian(phi)
    assert hessian.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(hessian, hessian.swapaxes(-1, -2), rtol=1e-12)
    # differences of a polynomial of degree 5 along a line: five points are exact
    h = 0.25

    def gradient(k):
        return odd.gradient(phi + k * h * vector)

    exact = (8 * (gradient(1) - gradient(-1)) - (gradient(2) - gradient(-2))) / (12 * h)
    wiggle = 5 * np.abs(_fifth(odd, vector)) * h**4 / 30  # of which the fifth derivative is left
    found = odd.hessian_vector_product(phi, vector)
    np.testing.assert_allclose(found, np.einsum("...ij,...j->...i", hessian, vector), rtol=1e-12)
    assert (np.abs(found - exact) <= 24 * wiggle + 1e-9 * np.abs(exact).max()).all()
    assert np.abs(2 * found - exact).max() > 0.1


def _fifth(action, vector):
    """Return the directional derivative of order five of the gradient divided by 5!."""
    top = action.couplings[6]
    flat = vector.reshape(-1, 3)
    result = np.einsum("abcdef,xb,xc,xd,xe,xf->xa", top, *[flat] * 5) / 120
    return result.reshape(vector.shape)


def test_gradient_is_the_derivative_of_the_value(odd):
    rng = np.random.default_rng(3)
    phi = rng.normal(size=(6, 3))
    assert sorted(odd.couplings) == [1, 2, 3, 4, 5, 6]
    for i in range(3):
        shift = 1e-5 * np.eye(3)[i]
        numeric = (odd.value(phi + shift) - odd.value(phi - shift)) / 2e-5
        np.testing.assert_allclose(odd.gradient(phi)[:, i], numeric, rtol=1e-6, atol=1e-6)


def test_the_mean_is_taken_off(odd):
    assert odd.value(odd.mean) == 0
    np.testing.assert_allclose(odd.gradient(odd.mean), odd.couplings[1], rtol=1e-12)
    with pytest.raises(ValueError, match="last axis must hold the 3 points"):
        odd.hessian_vector_product(odd.mean, [1.0, 2.0])


def test_nets_with_a_mean():
    net = cos_net(input_dim=1, mean_w1=0.4).at(N=60, sigma_w0=1, sigma_w1=1)
    x = np.array([[0.0], [0.9]])
    action = point_action(net, x, order=1)
    assert (action.mean is None) == net.is_even
    found = schwinger_dyson_test(action, Ensemble(net, n_nets=50_000, seed=8))
    assert max(np.abs(found.pulls(d)).max() for d in (1, 3)) < 5
    free = replace(action, orders={2: {0: action.orders[2][0] * 1.1}})
    assert np.abs(schwinger_dyson_test(free, Ensemble(net, n_nets=50_000, seed=8)).pulls(1)).max() > 10


def test_log_density_of_the_linear_net():
    """The exact density is known: at zero field, p(0) = Gamma((N - 1)/2) sqrt(N) / (2 sqrt(pi) Gamma(N/2))."""
    from scipy.special import gammaln

    net = linear_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)

    def exact(n):
        return gammaln((n - 1) / 2) + 0.5 * np.log(n / (4 * np.pi)) - gammaln(n / 2)

    for order in (0, 1, 2, 3):
        left = []
        for n in (100, 200):
            action = point_action(net.at(N=n), [[1.0]], order=order)
            left.append(abs(float(action.log_density([0.0])) - exact(n)))
        assert abs(np.log2(left[0] / left[1]) - (order + 1)) < 0.1
        wrong = replace(action, normalisation={e: (v if e == 0 else -v) for e, v in action.normalisation.items()})
        if order:
            assert abs(float(wrong.log_density([0.0])) - exact(200)) > 10 * left[1]
    assert float(action.log_density([0.3])) == pytest.approx(
        -float(action.value([0.3])) - action.log_normalisation, rel=1e-14
    )


def test_log_density_has_unit_integral_up_to_the_next_order():
    net = cos_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)
    axis = np.linspace(-5, 5, 121)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    left = []
    for n in (100, 200):
        action = point_action(net.at(N=n), [[0.0], [1.0]], order=2)  # bounded below: the integral exists
        left.append(abs(np.exp(action.log_density(grid)).sum() * (axis[1] - axis[0]) ** 2 - 1))
    assert abs(np.log2(left[0] / left[1]) - 3) < 0.5
    without = replace(action, normalisation={0: action.normalisation[0]})
    assert abs(np.exp(without.log_density(grid)).sum() * (axis[1] - axis[0]) ** 2 - 1) > 100 * left[1]


# --- bounded or not ---------------------------------------------------------------------------------------------------


def form(degree, m, function):
    """Symmetric tensor of a homogeneous polynomial given by its values, solved for on random directions."""
    index = index_tuples(m, degree)
    z = np.random.default_rng(0).normal(size=(4 * len(index), m))
    columns = [FieldPolynomial(m, {degree: symmetric_tensor(row, m, degree)}).value(z) for row in np.eye(len(index))]
    values = np.linalg.lstsq(np.array(columns).T, function(*z.T), rcond=None)[0]
    return FieldPolynomial(m, {2: np.eye(m), degree: symmetric_tensor(values, m, degree)})


FORMS = {
    "one variable": (True, 4, 1, lambda x: x**4),
    "one variable, negative": (False, 4, 1, lambda x: -(x**4)),
    "odd": (False, 3, 2, lambda x, y: x**3 + y**3),
    "two variables": (True, 4, 2, lambda x, y: x**4 - 1.9 * x**2 * y**2 + y**4),
    "two variables, negative in a narrow cone": (False, 4, 2, lambda x, y: x**4 - 2.001 * x**2 * y**2 + y**4),
    "square": (None, 4, 2, lambda x, y: (x - y) ** 4 * 1.0),
    "sum of squares": (True, 4, 3, lambda x, y, z: x**4 + y**4 + z**4 + (x * y - z * z) ** 2),
    "not a sum of squares": (True, 6, 3, lambda x, y, z: x**4 * y**2 + x**2 * y**4 - 3 * (x * y * z) ** 2 + z**6
                             + 0.05 * (x**2 + y**2 + z**2) ** 3),
    "negative near an axis": (False, 4, 3, lambda x, y, z: x**4 + y**4 - 0.01 * z**4),
}  # fmt: skip


@pytest.mark.parametrize(("bounded", "degree", "m", "function"), FORMS.values(), ids=FORMS)
def test_boundedness(bounded, degree, m, function):
    action = form(degree, m, function)
    found = boundedness(action, np.eye(m))
    assert found.is_bounded is bounded
    if bounded is False:
        assert float(action.value(1e3 * found.direction)) < 0


def test_unbounded_actions_are_not_sampled():
    net = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
    x = [[0.0], [1.0], [2.0]]
    action = point_action(net, x, order=1)
    assert action.boundedness().is_bounded is False
    assert action.value(50 * action.boundedness().direction) < 0
    with pytest.raises(ValueError, match=r"unbounded below: the leading coupling g_4 is negative.*sample the ensemble"):
        action.sample(10, seed=0)
    with pytest.raises(ValueError, match="g_3, of odd degree"):
        _cubic().sample(10)
    with pytest.raises(TypeError, match="n must be an integer"):
        action.sample(1.5)
    with pytest.raises(ValueError, match="positive number"):
        action.sample(0)


def _cubic():
    values = {2: np.eye(1), 3: np.ones((1,) * 3), 4: 3 * np.ones((1,) * 4)}  # g_4 = 3 k3^2 - k4 vanishes
    return point_action(ConnectedCorrelators.from_values(values), order=1)


def test_samples_follow_the_truncated_action():
    net = cos_net(input_dim=1).at(N=3, sigma_w0=1, sigma_w1=1)
    x, n = [[0.0], [1.0]], 100_000
    action = point_action(net, x, order=2)
    assert action.boundedness().is_bounded
    fields = action.sample(n, seed=5)
    assert fields.shape == (n, 2)
    np.testing.assert_array_equal(fields[:7], action.sample(n, seed=5)[:7])
    axis = np.linspace(-6, 6, 241)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    weight = np.exp(-action.value(grid))
    gauss = np.exp(-0.5 * np.einsum("xyi,ij,xyj->xy", grid, action.orders[2][0], grid))
    pulls, wrong = [], []
    for a, b in ((2, 0), (1, 1), (4, 0), (2, 2), (6, 0)):
        values = fields[:, 0] ** a * fields[:, 1] ** b
        monomial = grid[..., 0] ** a * grid[..., 1] ** b
        error = values.std() / np.sqrt(n)
        pulls.append((values.mean() - (monomial * weight).sum() / weight.sum()) / error)
        wrong.append((values.mean() - (monomial * gauss).sum() / gauss.sum()) / error)
    assert np.abs(pulls).max() < 4
    assert np.abs(wrong).max() > 10
    free = point_action(net, x, order=0).sample(1000, seed=1)
    assert free.shape == (1000, 2)


def test_actions_far_from_gaussian_are_refused():
    tensor = 1e20 * np.ones((1,) * 4)
    action = replace(_cubic(), orders={2: {0: np.eye(1)}, 4: {0: tensor}})
    with pytest.raises(ValueError, match="far from its Gaussian part"):
        action.sample(100, seed=0)
    with pytest.raises(ValueError, match="made without its normalisation"):
        replace(action, normalisation={}).log_density([0.0])
