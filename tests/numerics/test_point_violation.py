"""The order in 1/N at which a truncated action violates the Schwinger-Dyson identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diagrams import cos_net, linear_net
from diagrams.correlators import ConnectedCorrelators
from numerics import Ensemble, point_action, schwinger_dyson_test
from numerics.reweighting import EffectiveSampleSizeError
from numerics.violation_order import ViolationOrder, exact_violations, violation_order

X = np.array([[-0.6], [0.6]])


@pytest.fixture(scope="module")
def net():
    return cos_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)


@pytest.mark.parametrize("order", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_violation_sets_in_at_the_first_order_left_out(net, order):
    check_violation(violation_order(net, X, order=order, widths=(50, 100, 200)), order)


def test_violation_of_the_linear_net_sets_in_at_third_order():
    net = linear_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)
    check_violation(violation_order(net, [[1.0]], order=2, widths=(100, 200, 400)), 2)


def test_violation_with_odd_correlators():
    net = cos_net(input_dim=1, mean_w1=1).at(sigma_w0=1, sigma_w1=1)
    found = violation_order(net, [[0.0], [1.3]], order=0, widths=(100, 200, 400))
    assert np.abs(found.exact_exponents - 1).max() < 0.2


def check_violation(found, order):
    assert found.expected == order + 1
    assert np.abs(found.exact_exponents - (order + 1)).max() < 0.15
    assert abs(found.exact_exponents[-1] - (order + 1)) <= abs(found.exact_exponents[0] - (order + 1)) + 1e-3
    assert "power of 1/N" in found._repr_html_()
    assert str(found).count("\n") == 4


def test_a_wrong_coupling_is_violated_earlier(net):
    sizes = []
    for width in (50, 100):
        action = point_action(net.at(N=width), X, order=1)
        orders = {**action.orders, 4: {e: 2 * t for e, t in action.orders[4].items()}}
        sizes.append(np.abs(exact_violations(net.at(N=width), [replace(action, orders=orders)], 3)[0]).max())
    assert abs(np.log2(sizes[0] / sizes[1]) - 1) < 0.3


def test_measured_violation_agrees_with_the_exact_one(net):
    found = violation_order(net, X, order=0, widths=(8, 16, 32), n_nets=100_000, seed=6)
    pulls = (found.measured - found.exact) / found.errors
    assert np.abs(pulls).max() < 4
    assert np.abs((found.measured + found.exact) / found.errors).max() > 10
    power, error = found.measured_exponent
    assert abs(power - found.exact_exponents.mean()) < 4 * error
    assert abs(power - 2) > 4 * error
    assert "measured" in str(found)


def test_an_unresolved_violation_gives_no_power():
    exact = np.array([0.1, 0.02])
    found = ViolationOrder(1, (0, 0), (10, 20), exact, np.array([0.1, 0.02]), np.array([0.01, 0.01]))
    assert found.resolved.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"zero at N = \[20\]: there only an upper limit"):
        _ = found.measured_exponent
    assert "not resolved: below 0.04" in str(found)
    with pytest.raises(ValueError, match="nothing was measured"):
        _ = replace(found, measured=None, errors=None).resolved


def test_violation_order_refuses(net):
    with pytest.raises(ValueError, match="hold exactly"):
        violation_order(net, X, order=0, widths=(10, 20), degree=1)  # G2 is exact
    with pytest.raises(ValueError, match="leave the width symbolic"):
        violation_order(net.at(N=10), X, widths=(10, 20))
    with pytest.raises(ValueError, match="widths must increase"):
        violation_order(net, X, widths=(20, 10))
    with pytest.raises(ValueError, match="degree must be 1 or 3"):
        violation_order(net, X, widths=(10, 20), degree=2)
    with pytest.raises(TypeError, match="takes an Architecture"):
        violation_order("cos", X)


def test_action_of_correlators_alone_on_an_ensemble(net):
    """Numbers on points and an ensemble are enough; measured correlators will do."""
    at = net.at(N=16)
    exact = point_action(at, X, order=1)
    measured = Ensemble(at, n_nets=100_000, seed=1).connected_correlators(X, max_points=4)
    values = {n: measured.tensor(n) for n in (2, 4)}
    action = point_action(ConnectedCorrelators.from_values(values, points=X, width=16), order=1)
    ensemble = Ensemble(at, n_nets=100_000, seed=2)
    ours, theirs = schwinger_dyson_test(action, ensemble), schwinger_dyson_test(exact, ensemble)
    assert np.abs((ours.violations[3] - theirs.violations[3]) / theirs.errors[3]).max() < 6
    wrong = ConnectedCorrelators.from_values({2: values[2], 4: -values[4]}, points=X, width=16)
    assert np.abs(schwinger_dyson_test(point_action(wrong, order=1), ensemble).pulls(3)).max() > 10


def test_uneven_weights_are_refused(net):
    from diagrams import neuron_sum

    tilted = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N).at(N=30, alpha=3)
    action = point_action(net.at(N=30), X, order=1)
    with pytest.raises(EffectiveSampleSizeError, match="smaller strength") as caught:
        schwinger_dyson_test(action, Ensemble(tilted, n_nets=2000, seed=1))
    assert caught.value.estimate.n_nets == 2000
    two = cos_net(input_dim=1, output_dim=2).at(N=30, sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match="the ensemble has 2"):
        schwinger_dyson_test(action, Ensemble(two, n_nets=2000, seed=1))
