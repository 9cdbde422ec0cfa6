"""Value, gradient and Hessian-vector product from one kernel."""

import pickle

import numpy as np
import pytest
import sympy

from diagrams import cos_net, symbol
from numerics import lower_derivatives
from numerics._printer import eliminate_common
from numerics.lower import cuda_source

NET = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
FOUR = NET.connected_correlators(max_points=4)[4]
X = tuple(symbol(f"x_{k}") for k in range(1, 5))


def operations(expressions):
    replaced, reduced = eliminate_common(tuple(expressions))
    return sum(sympy.count_ops(e) for _, e in replaced) + sum(sympy.count_ops(e) for e in reduced)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_four_point_function_against_exact_derivatives(backend):
    kernel = lower_derivatives(FOUR, X, backend=backend)
    x, v = np.array([-1.0, -0.5, 0.25, 1.0]), np.array([1.0, -2.0, 0.5, 3.0])
    value, gradient, product = kernel(x, direction=v)
    at = dict(zip(X, map(sympy.Rational, x.tolist()), strict=True))
    assert float(value) == pytest.approx(float(FOUR.expr.xreplace(at)), rel=1e-14)
    exact = [float(FOUR.expr.diff(s).xreplace(at)) for s in X]
    np.testing.assert_allclose(gradient, exact, rtol=1e-12, atol=1e-16)
    hessian = np.array([[float(FOUR.expr.diff(s, t).xreplace(at)) for t in X] for s in X])
    np.testing.assert_allclose(product, hessian @ v, rtol=1e-11, atol=1e-15)


def test_broadcasting_and_first_order_alone():
    kernel = lower_derivatives(FOUR, X)
    x = np.random.default_rng(0).uniform(-1, 1, (7, 1, 4))
    v = np.random.default_rng(1).normal(size=(3, 4))
    value, gradient, product = kernel(x, direction=v)
    assert value.shape == (7, 3)
    assert gradient.shape == product.shape == (7, 3, 4)
    first = kernel(x)
    assert len(first) == 2
    np.testing.assert_allclose(first[1], gradient[:, :1], rtol=1e-12, atol=1e-16)
    step = 1e-6
    up, down = (kernel(x + s * step * v)[1] for s in (1, -1))
    np.testing.assert_allclose(product, (up - down) / (2 * step), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(kernel(x, direction=2 * v)[2], 2 * product, rtol=1e-12)


def test_other_arguments_are_constants():
    x, a = symbol("x"), symbol("a")
    kernel = lower_derivatives(a * x**3, (x,), arguments=(a,), backend="numpy")
    value, gradient, product = kernel([2.0], np.array([1.0, 5.0]), direction=[1.0])
    np.testing.assert_allclose(value, [8, 40])
    np.testing.assert_allclose(gradient[:, 0], [12, 60])
    np.testing.assert_allclose(product[:, 0], [12, 60])


def test_results_share_what_they_have_in_common():
    kernel = lower_derivatives(FOUR, X, backend="numpy")
    parts = ([kernel.expression], kernel.gradient_expressions, kernel.product_expressions)
    apart = sum(operations(p) for p in parts)
    together = operations([e for p in parts for e in p])
    assert together < 0.75 * apart
    assert 0 < kernel.second_order.source.count("np.exp(") <= kernel.first_order.source.count("np.exp(")


def test_goes_with_pickle_and_cuda():
    kernel = lower_derivatives(FOUR, X)
    again = pickle.loads(pickle.dumps(kernel))
    x = np.ones(4)
    np.testing.assert_array_equal(again(x)[1], kernel(x)[1])
    named = kernel.second_order
    assert "extern" in cuda_source(list(named.expressions), arguments=named.arguments)


def test_bad_input():
    x, y = symbol("x"), symbol("y")
    with pytest.raises(ValueError, match="distinct"):
        lower_derivatives(x**2, (x, x))
    with pytest.raises(ValueError, match="distinct"):
        lower_derivatives(x**2, ())
    with pytest.raises(TypeError, match="differentiate"):
        lower_derivatives("x**2", (x,))
    with pytest.raises(ValueError, match="y"):
        lower_derivatives(x * y, (x,))
    with pytest.raises(ValueError, match="axis"):
        lower_derivatives(x**2, (x,))([1.0, 2.0])
