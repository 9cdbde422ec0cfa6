"""Architectures as values: parameters, errors, points, printing (the Cos-net stands for all)."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net
from diagrams.symbols import symbol


def net_at(dim, width=3):
    return cos_net(input_dim=dim).at(N=width, sigma_w0=sympy.Rational(6, 5), sigma_w1=sympy.Rational(4, 5))


def test_output_bias_adds_to_the_two_point_function_only():
    plain, biased = cos_net(), cos_net(output_bias=True)
    Gc, Gb = plain.connected_correlators(max_points=6), biased.connected_correlators(max_points=6)
    y = sympy.symbols("y1:7", real=True)
    assert sympy.expand(Gb[2](*y[:2]) - Gc[2](*y[:2]) - symbol("sigma_b1") ** 2) == 0
    for n in (4, 6):
        assert Gb[n](*y[:n]) == Gc[n](*y[:n])
    values = {"N": 5, "sigma_w0": 1, "sigma_w1": 1}
    assert biased.at(**values, sigma_b1=2).connected_correlators()[2](0, 0) == sympy.Rational(9, 2)
    assert biased.at(**values, sigma_b1=2).parameter_values()["sigma_b1"] == 2.0
    assert plain.at(**values).parameter_values()["sigma_b1"] == 0.0
    with pytest.raises(ValueError, match="sigma_b1"):
        plain.at(sigma_b1=1)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_odd_correlators_vanish(n):
    G = cos_net().connected_correlators(max_points=5)[n]
    assert G(*range(n)) == 0
    assert len(G.series) == 0
    assert G.series.remainder is None


@pytest.mark.parametrize("n", [2, 4, 6])
def test_exact_in_width(n):
    """One power of N, no remainder."""
    series = cos_net().correlator_series(n)
    assert list(series) == [sympy.Rational(n, 2) - 1]
    assert series.remainder is None
    assert symbol("N") not in series[sympy.Rational(n, 2) - 1].free_symbols


def test_symbols_come_from_the_factory():
    G = cos_net(input_dim=2).connected_correlators(max_points=4)[4].expr
    names = {"N", "sigma_w0", "sigma_w1"} | {f"x_{{{i},{mu}}}" for i in range(1, 5) for mu in (1, 2)}
    assert G.free_symbols == {symbol(name) for name in names}


@pytest.mark.parametrize("net", [cos_net(), cos_net(input_dim=3, output_bias=True), net_at(2)], ids=str)
def test_architectures_are_values(net):
    again = pickle.loads(pickle.dumps(net))
    assert again == net
    assert hash(again) == hash(net)
    assert net.connected_correlators() == again.connected_correlators()
    with pytest.raises(AttributeError):
        net.input_dim = 7


def test_parameters_in_one_step_or_several():
    together = cos_net().at(N=20, sigma_w0=1, sigma_w1=2)
    assert together == cos_net().at(N=20).at(sigma_w1=2).at(sigma_w0=1)
    assert together.parameter_values() == {"N": 20.0, "sigma_w0": 1.0, "sigma_w1": 2.0, "sigma_b1": 0.0}
    assert together.N == 20
    assert symbol("N") == cos_net().N
    assert str(together) == "cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=2)"
    assert (
        cos_net().at(sigma_w0=0.1).connected_correlators()[2](0, 1)
        == symbol("sigma_w1") ** 2 * sympy.exp(-sympy.Rational(1, 200)) / 2
    ), "decimal numbers become exact"
    assert cos_net().at(N=np.int64(4), sigma_w0=np.float64(0.5)) == cos_net().at(N=4, sigma_w0=sympy.Rational(1, 2))


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"width": 3}, ValueError, r"'width'.*\['N', 'sigma_w0', 'sigma_w1'\]"),
        ({"sigma_b0": 1}, ValueError, r"'sigma_b0'"),
        ({"N": 0}, ValueError, "positive integer, got 0"),
        ({"N": -3}, ValueError, "positive integer, got -3"),
        ({"N": 2.5}, ValueError, "positive integer, got 2.5"),
        ({"N": sympy.Rational(1, 2)}, ValueError, "positive integer, got 1/2"),
        ({"sigma_w0": -1}, ValueError, "sigma_w0 must be >= 0, got -1"),
        ({"sigma_w1": -0.5}, ValueError, "sigma_w1 must be >= 0, got -0.5"),
        ({"sigma_w0": float("nan")}, ValueError, "sigma_w0 must be a finite real number, got nan"),
        ({"sigma_w0": float("inf")}, ValueError, "finite real number, got inf"),
        ({"N": sympy.oo}, ValueError, "finite real number, got oo"),
        ({"sigma_w0": 1j}, ValueError, "finite real number, got 1j"),
        ({"N": True}, ValueError, "got True"),
        ({"N": "20"}, TypeError, "N must be a number or a sympy expression, got '20'"),
        ({"sigma_w0": "one"}, TypeError, "got 'one'"),
        ({"N": None}, TypeError, "got None"),
        ({"N": [1]}, TypeError, r"got \[1\]"),
    ],
    ids=str,
)
def test_at_says_what_was_given_and_allowed(values, error, text):
    with pytest.raises(error, match=text):
        cos_net().at(**values)


def test_a_parameter_is_given_once():
    with pytest.raises(ValueError, match=r"no free parameter 'N'.*\['sigma_w0', 'sigma_w1'\]"):
        cos_net().at(N=3).at(N=4)


@pytest.mark.parametrize("dim", [0, -1, 1.0, True, "1", None], ids=repr)
def test_input_dim_must_be_a_positive_integer(dim):
    with pytest.raises(ValueError, match=r"input_dim must be a positive integer, got "):
        cos_net(input_dim=dim)


@pytest.mark.parametrize("max_points", [0, -1, 2.0, True, "4"], ids=repr)
def test_max_points_must_be_a_positive_integer(max_points):
    with pytest.raises(ValueError, match="max_points must be a positive integer, got"):
        cos_net().connected_correlators(max_points=max_points)


@pytest.mark.parametrize("n", [0, 5, -1, True, 2.0, "2"], ids=repr)
def test_missing_correlators_are_named(n):
    with pytest.raises(KeyError, match="n runs from 1 to 4"):
        cos_net().connected_correlators(max_points=4)[n]


@pytest.mark.parametrize(
    ("dim", "given", "error", "text"),
    [
        (1, (0,), TypeError, "takes 2 points, got 1"),
        (1, (0, 1, 2), TypeError, "takes 2 points, got 3"),
        (1, (0, (1, 2)), ValueError, r"2 coordinate\(s\).*input_dim=1"),
        (2, (0, (1, 2)), ValueError, r"point 0 has 1 coordinate\(s\).*input_dim=2"),
        (2, ((0, 0), (1, 2, 3)), ValueError, r"3 coordinate\(s\)"),
        (1, (0, []), ValueError, r"0 coordinate\(s\)"),
        (1, (0, float("nan")), ValueError, "not finite"),
        (1, (0, float("inf")), ValueError, "not finite"),
        (2, ((0, 0), (1, -float("inf"))), ValueError, "not finite"),
        (1, (0, sympy.zoo), ValueError, "not finite"),
        (1, (0, "1"), TypeError, "got point '1'"),
        (1, (0, None), TypeError, "got point None"),
    ],
    ids=str,
)
def test_wrong_points_are_refused(dim, given, error, text):
    with pytest.raises(error, match=text):
        cos_net(input_dim=dim).connected_correlators()[2](*given)


def test_points_may_be_arrays_or_symbols():
    G = cos_net(input_dim=2).connected_correlators()[2]
    assert G((1, 2), (3, 5)) == G([1, 2], sympy.Tuple(3, 5)) == G(np.array([1, 2]), np.array([3, 5]))
    a = sympy.Symbol("a", real=True)
    assert G((a, 0), (0, 0)) == G((0, 0), (a, 0)) != G((a, a), (0, 0))


@pytest.mark.parametrize(
    ("net", "missing"),
    [
        (cos_net(), ["N", "sigma_w0", "sigma_w1"]),
        (cos_net().at(N=3), ["sigma_w0", "sigma_w1"]),
        (cos_net(output_bias=True).at(sigma_w0=1, N=2), ["sigma_w1", "sigma_b1"]),
    ],
    ids=str,
)
def test_parameter_values_name_what_is_missing(net, missing):
    with pytest.raises(ValueError, match=r"use net\.at") as caught:
        net.parameter_values()
    assert str(missing) in str(caught.value)
    for name in missing:
        assert f"{name}=..." in str(caught.value)


# --- collections and printing -------------------------------------------------------------------------------------


def test_correlators_are_a_mapping_from_number_of_points():
    Gc = cos_net().connected_correlators(max_points=4)
    assert (list(Gc), len(Gc), list(Gc.keys())) == ([1, 2, 3, 4], 4, [1, 2, 3, 4])
    assert [Gc[n].n for n in Gc] == [1, 2, 3, 4]
    assert Gc[4].input_dim == 1


@pytest.mark.parametrize("net", [cos_net(), cos_net(input_dim=2, output_bias=True), net_at(1)], ids=str)
def test_everything_has_latex(net):
    shown = net._repr_latex_()
    assert shown.startswith("$")
    assert r"\sum_{i=1}" in shown
    assert r"\mathcal{U}(-\pi, \pi)" in shown
    assert ("b^1" in shown) == (net.sigma_b1 != 0)
    Gc = net.connected_correlators(max_points=4)
    assert "G_c^{(4)}" in Gc._repr_latex_()
    assert "G_c^{(4)}" in Gc[4]._repr_latex_()
    assert "G_c^{(4)}" in Gc[4].to_latex(terms_per_line=1)


@pytest.mark.parametrize("point", [True, 1j, sympy.I], ids=str)
def test_coordinates_must_be_real_numbers(point):
    with pytest.raises(TypeError, match="real numbers or expressions"):
        cos_net(input_dim=1).connected_correlators(max_points=2)[2](0, point)


def test_values_are_put_in_at_once_and_expressions_are_no_numbers():
    width = sympy.Symbol("M", positive=True)
    swapped = cos_net(input_dim=1).at(sigma_w0=sympy.Symbol("sigma_w1", positive=True), sigma_w1=2)
    assert swapped.connected_correlators(max_points=2)[2](0, 0) == 2
    with pytest.raises(ValueError, match=r"\['N'\].*expressions, not numbers"):
        cos_net(input_dim=1).at(N=width, sigma_w0=1, sigma_w1=1).parameter_values()
