"""Nets in a symbolic number of dimensions against the nets with coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, gauss_net, relu_net
from diagrams.inner_products import InnerProduct, in_coordinates
from diagrams.symbols import external_point, symbol

d = symbol("d")


@pytest.mark.parametrize("make", [cos_net, gauss_net], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 4, 6])
def test_symbolic_dimension(make, dim, n):
    values = {"N": 3, "sigma_w0": sympy.Rational(6, 5), "sigma_w1": 1}
    values |= {"sigma_b0": sympy.Rational(1, 2)} if make is gauss_net else {}
    x = np.random.default_rng(n + dim).uniform(-0.5, 0.5, (n, dim)).round(2)
    rows = [tuple(sympy.Rational(str(c)) for c in p) for p in x]
    abstract = make(input_dim=d).at(**values).connected_correlators(max_points=6)[n].expr
    found = float(in_coordinates(abstract, {external_point(i + 1): p for i, p in enumerate(rows)}, d))
    explicit = make(input_dim=dim).at(**values).connected_correlators(max_points=6)[n]
    assert found == pytest.approx(float(explicit(*(p if dim > 1 else p[0] for p in rows))), rel=1e-12)
    other = float(in_coordinates(abstract, {external_point(i + 1): (*p, 0) for i, p in enumerate(rows)}, d))
    assert abs(other - found) > 1e-4 * abs(found), "the variance of a weight depends on the dimension"


def test_the_two_point_function_in_inner_products():
    a, b = symbol("a"), symbol("b")
    G = cos_net(input_dim=d).connected_correlators(max_points=2)[2]
    distance = InnerProduct(a, a) + InnerProduct(b, b) - 2 * InnerProduct(a, b)
    expected = symbol("sigma_w1") ** 2 / 2 * sympy.exp(-sympy.expand(symbol("sigma_w0") ** 2 / (2 * d) * distance))
    assert G(a, b) == expected
    assert r"x_{1} \cdot x_{2}" in G.to_latex()
    assert "sigma_{w0}^{2}}{d}" in cos_net(input_dim=d).to_latex()


def test_what_needs_coordinates_says_so():
    net = cos_net(input_dim=d)
    with pytest.raises(ValueError, match="needs components"):
        net.neuron_moment([symbol("a"), symbol("b")], net.w0**2)
    with pytest.raises(ValueError, match="points in d dimensions are symbols"):
        net.neuron_moment([1, symbol("a")])
    with pytest.raises(ValueError, match="input_dim must be a positive integer, got d"):
        relu_net(input_dim=d)
    with pytest.raises(ValueError, match=r"no coordinates for the point\(s\) \['b'\]"):
        in_coordinates(InnerProduct(symbol("a"), symbol("b")), {symbol("a"): (1,)}, d)
    with pytest.raises(ValueError, match=r"one length, got lengths \[1, 2\]"):
        in_coordinates(sympy.S.One, {symbol("a"): (1,), symbol("b"): (1, 2)}, d)
