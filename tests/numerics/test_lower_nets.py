"""Lowering of the correlators of all nets, against 30-digit arithmetic."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, relu_net
from diagrams.special import Angle, BesselRatio
from diagrams.symbols import symbol
from numerics.lower import lower

VALUES = {"N": 7, "sigma_w0": sympy.Rational(6, 5), "sigma_w1": sympy.Rational(4, 5)}
BIAS = {"sigma_b0": sympy.Rational(2, 5)}
CASES = {
    "gauss": (gauss_net(input_dim=2).at(**VALUES, **BIAS), 4),
    "relu": (relu_net().at(**VALUES, sigma_b0=0), 4),
    "relu with bias": (relu_net().at(**VALUES, **BIAS), 4),
    "relu in three dimensions": (relu_net(input_dim=3).at(**VALUES, **BIAS), 2),
    "erf": (erf_net(input_dim=2).at(**VALUES, **BIAS), 2),
    "linear": (linear_net(input_dim=2, hidden_bias=True).at(**VALUES, **BIAS), 4),
}
X, NU = symbol("x_1"), sympy.Rational(1, 2)


def reference(correlator, points: np.ndarray) -> np.ndarray:
    symbols = [s for point in correlator.points for s in point]
    rows = points.swapaxes(0, 1).reshape(points.shape[1], -1)
    exact = [dict(zip(symbols, map(sympy.Rational, row.tolist()), strict=True)) for row in rows]
    return np.array([float(correlator.expr.xreplace(values).evalf(30)) for values in exact])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", CASES)
def test_correlators(name, backend):
    net, n = CASES[name]
    points = np.random.default_rng(5).normal(size=(n, 6, net.input_dim)).round(3)
    correlator = net.connected_correlators(max_points=n)[n]
    values = lower(correlator, backend=backend)(*points)
    np.testing.assert_allclose(values, reference(correlator, points), rtol=1e-11, atol=1e-13)


def test_exact_integrals_are_refused():
    with pytest.raises(ValueError, match=r"exact integrals .* diagrams\.expectation\.evaluate"):
        lower(CASES["erf"][0].connected_correlators(max_points=4)[4])


@pytest.mark.parametrize("order", [-NU, NU, 3 * NU, 5 * NU])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_bessel_ratios(order, backend):
    q = np.array([0.0, 1e-9, 0.3, 1.9, 2.1, 7.0, 400.0])
    values = lower(BesselRatio(order, X**2), arguments=[X], backend=backend)(np.sqrt(q))
    exact = [float(mpmath.hyp0f1(float(order) + 1, -v / 4)) for v in q]
    np.testing.assert_allclose(values, exact, rtol=1e-11, atol=1e-13)


def test_bessel_functions_in_compiled_code():
    target = BesselRatio(0, X**2)
    np.testing.assert_allclose(lower(target, arguments=[X], backend="numpy")(2.0), float(mpmath.besselj(0, 2)))
    with pytest.raises(ValueError, match="compiled code has no Bessel functions of order 0; use backend='numpy'"):
        lower(target, arguments=[X], backend="numba")(2.0)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_angles_and_deltas(backend):
    y = symbol("y")
    a, b = sympy.symbols("a_1 a_2", integer=True, nonnegative=True)
    f = lower([Angle(y, X), sympy.KroneckerDelta(a, b) * X], arguments=[X, y, a, b], backend=backend)
    angle, delta = f(np.array([0.0, -1.0, 1.0]), np.array([0.0, 0.0, 2.0]), [0, 1, 2], [0, 2, 2])
    np.testing.assert_allclose(angle, [0.0, np.pi, np.arctan2(2, 1)])
    assert delta.tolist() == [0.0, 0.0, 1.0]


def test_several_outputs():
    net = cos_net(output_dim=2).at(**VALUES)
    correlator = net.connected_correlators(max_points=2)[2]
    points = [(X,), (symbol("x_2"),)]
    assert lower(correlator(X, symbol("x_2"), outputs=(0, 1)), arguments=points, backend="numpy")([[1.0]], [[2.0]]) == 0
    with pytest.raises(ValueError, match="a_1, a_2"):
        lower(correlator)
