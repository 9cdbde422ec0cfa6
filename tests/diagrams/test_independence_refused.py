"""Potentials and strengths that are refused, and why."""

from __future__ import annotations

import pytest
import sympy

from diagrams.architectures import cos_net
from diagrams.independence import neuron_sum, tilted
from diagrams.symbols import symbol


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: -neuron_sum(net.w0**4), "falls as the power 4"),
        (lambda net: neuron_sum(net.w0**3), "falls as the power 3"),
        (lambda net: neuron_sum(net.w0**2) ** 2 - 2 * net.N * neuron_sum(net.w0**4), "falls as the power 4"),
        (lambda net: neuron_sum(net.w1**2) * neuron_sum(net.w0**2) - neuron_sum(net.w0**3), "falls as the power 3"),
        (lambda net: neuron_sum(net.b0 * net.w0**2), "falls quadratically"),
        (lambda net: -(neuron_sum(1, at=[0.3]) ** 4), "falls as the power 4"),
        (lambda net: neuron_sum(1, at=[0.3]) ** 3, "falls as the power 3"),
    ],
)
def test_tilts_that_cannot_be_normalised(make, message):
    net = cos_net(input_dim=1)
    with pytest.raises(ValueError, match=message):
        tilted(net, make(net))


def test_bounds_on_the_strength():
    net = cos_net(input_dim=1)
    lowered = tilted(net, -neuron_sum(net.w0**2))
    assert lowered.strength_interval.upper == 1 / (2 * symbol("sigma_w0") ** 2)
    assert lowered.at(sigma_w0=1, alpha=0.4).value == sympy.Rational(2, 5)
    with pytest.raises(ValueError, match="it can for -oo < alpha < 1/2"):
        lowered.at(sigma_w0=1, alpha=0.6)
    together = tilted(net, -(neuron_sum(net.w0) ** 2) / net.N)
    assert together.strength_interval.upper == 1 / (2 * symbol("sigma_w0") ** 2)
    positive = tilted(net, neuron_sum(net.w0**4))
    with pytest.raises(ValueError, match="cannot be normalised at alpha = -1/10"):
        positive.at(alpha=-0.1)
    assert tilted(net, neuron_sum(net.b0) ** 3).strength_interval.lower == -sympy.oo  # a bounded phase


@pytest.mark.parametrize(
    ("potential", "error", "message"),
    [
        (symbol("W0") ** 4, ValueError, "contains no sum over neurons"),
        (symbol("W0") * neuron_sum(symbol("W0")), ValueError, "outside of a sum over neurons"),
        (sympy.exp(neuron_sum(symbol("W0"))), ValueError, "not a polynomial in sums"),
        (neuron_sum(sympy.cos(symbol("W0"))), ValueError, "not a polynomial in sums"),
        (neuron_sum(symbol("W0") ** 2) / (symbol("N") + 1), ValueError, "sum of powers of N"),
        (neuron_sum(symbol("W0_1") ** 2), ValueError, "do not have"),
        (neuron_sum(1, at=[(1, 2)]) ** 2, ValueError, "has 2 coordinate"),
        (symbol("alpha") * neuron_sum(symbol("W0") ** 2), ValueError, "contains the strength"),
        ("a text?", TypeError, "must be a sympy expression"),
    ],
)
def test_potentials_that_are_refused(potential, error, message):
    with pytest.raises(error, match=message):
        tilted(cos_net(input_dim=1), potential)


def test_other_bad_input():
    net = cos_net(input_dim=1)
    broken = tilted(net, neuron_sum(net.w0**4))
    for order, message in [({"beta": 1}, "beta"), (-1, ">= 0"), (1.5, ">= 0"), ({"alpha": True}, ">= 0")]:
        with pytest.raises(ValueError, match=message):
            broken.connected_correlators(order=order)
    for name in ("sigma_w0", "N", "W0", "not a name", ""):
        with pytest.raises(ValueError, match="strength"):
            tilted(net, neuron_sum(net.w0**4), name)
    with pytest.raises(ValueError, match="cannot stand inside"):
        neuron_sum(neuron_sum(net.w0))
    with pytest.raises(TypeError, match=r"net\.w0\[j\]"):
        neuron_sum(cos_net(input_dim=2).w0)
    with pytest.raises(TypeError, match="network of independent neurons"):
        tilted(broken, neuron_sum(net.w0**4))
    two = cos_net(input_dim=1, output_dim=2)
    with pytest.raises(ValueError, match="hidden parameters only"):
        tilted(two, neuron_sum(two.w1**2) ** 2).connected_correlators(max_points=2)[2]
    with pytest.raises(ValueError, match="numbered 0 to 0"):
        broken.connected_correlators(max_points=2)[2](0, 1, outputs=(0, 1))
