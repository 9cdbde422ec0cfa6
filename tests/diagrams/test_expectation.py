"""Exact integral objects: substitution, derivatives, tolerances, failures; functions at their singular points."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
import sympy
from scipy import special

from diagrams._quadrature import bessel_ratio
from diagrams.expectation import ParameterIntegral, QuadratureError, evaluate, integration_variable
from diagrams.half_spaces import HalfSpaceExpectation, half_space_average
from diagrams.special import Angle, BesselRatio
from diagrams.symbols import symbol

u, v = integration_variable(1), integration_variable(2)
x, y = symbol("x_1"), symbol("x_2")
ERF = ParameterIntegral(sympy.erf(x * u + y * v) ** 2, (u,), (v,))


def erf_square(a, b):
    q = a**2 + b**2
    return 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q))


@pytest.mark.parametrize("point", [(0.5, 1.0), (1, -2), (0, 0.25)], ids=str)
def test_normal_averages(point):
    found = ERF.xreplace(dict(zip((x, y), map(sympy.sympify, point), strict=True))).evaluate(rtol=1e-8)
    assert found.value == pytest.approx(erf_square(*point), rel=1e-8)
    assert found.error <= 1e-8 * found.value
    assert abs(found.value - erf_square(point[0] + 0.1, point[1])) > 1e-4


def test_intervals_finite_and_infinite():
    for limits, exact in [((0, sympy.oo), 0.5), ((-sympy.oo, 0), 0.5), ((-sympy.oo, sympy.oo), 1), ((-1, 1), 0.5)]:
        integral = ParameterIntegral(1 / (sympy.pi * (1 + u**2)), (u, *limits))
        assert integral.evaluate().value == pytest.approx(exact, rel=1e-10)
    mixed = ParameterIntegral(sympy.cos(u * v) * v, (u,), (v, 0, 1))
    assert mixed.evaluate().value == pytest.approx(1 - np.exp(-0.5), rel=1e-10)


def test_kinks_are_found_by_adaptive_quadrature():
    found = ParameterIntegral(sympy.Max(u + sympy.Rational(3, 10), 0), (u,)).evaluate(rtol=1e-9)
    exact = 0.3 * special.ndtr(0.3) + np.exp(-0.045) / np.sqrt(2 * np.pi)
    assert found.value == pytest.approx(exact, rel=1e-9)


def test_it_is_a_sympy_expression():
    assert ERF.free_symbols == {x, y}
    assert ERF.subs(u, 3) == ERF == ERF.xreplace({v: sympy.Integer(2)})
    assert ERF.subs(x, y).free_symbols == {y}
    assert ParameterIntegral(sympy.erf(x * u + y * v) ** 2, (u,), (v,)) == ERF
    assert hash(pickle.loads(pickle.dumps(ERF))) == hash(ERF)
    assert (2 * ERF).subs({x: 1, y: 0}).evalf() == pytest.approx(2 * erf_square(1, 0))
    assert float(ERF.subs({x: 1, y: 0})) == pytest.approx(erf_square(1, 0))
    assert ERF.is_real
    assert ERF.evalf() == ERF
    slope = ERF.diff(x).subs({x: 1, y: 1})
    assert float(slope) == pytest.approx((erf_square(1 + 1e-5, 1) - erf_square(1 - 1e-5, 1)) / 2e-5, rel=1e-6)
    assert ERF.diff(symbol("b")) == 0


def test_capture_is_refused():
    with pytest.raises(ValueError, match=r"variable.* of integration"):
        ERF.xreplace({x: u})
    with pytest.raises(ValueError, match=r"variable.* of integration"):
        ERF.subs(x, v + 1)
    with pytest.raises(NotImplementedError, match="an end of the integration"):
        ParameterIntegral(u, (u, 0, x)).diff(x)


def test_expressions_of_integrals_carry_their_error():
    found = evaluate(ERF.subs({x: 1, y: 0}) ** 2 - 3 * ERF.subs({x: 0, y: 2}), rtol=1e-9)
    assert found.value == pytest.approx(erf_square(1, 0) ** 2 - 3 * erf_square(0, 2), rel=1e-9)
    assert 0 < found.error <= 1e-9 * abs(found.value)
    assert evaluate(sympy.pi) == (float(sympy.pi), 0)
    with pytest.raises(ValueError, match=r"symbol\(s\) x_1, x_2"):
        evaluate(ERF)


def test_tolerances_that_are_not_reached_are_refused():
    jump = ParameterIntegral(sympy.Heaviside(u + v + x, 0), (u,), (v,), (integration_variable(3),)).subs(x, 0.2)
    with pytest.raises(QuadratureError, match=r"allow a larger tolerance, or sample") as caught:
        jump.evaluate(rtol=1e-12)
    assert caught.value.estimate.value == pytest.approx(special.ndtr(0.2 / 2**0.5), abs=0.1)
    with pytest.raises(ValueError, match=r"no numbers for the symbol\(s\) x_1, x_2"):
        ERF.evaluate()
    many = [integration_variable(i) for i in range(1, 9)]
    with pytest.raises(NotImplementedError, match=r"8 variables is too much .*numerics\.Ensemble"):
        ParameterIntegral(sympy.cos(sum(many)), *((m,) for m in many)).evaluate()
    with pytest.raises(NotImplementedError, match=r"no quadrature with .*numerics\.Ensemble"):
        ParameterIntegral(sympy.Function("f")(u), (u,)).evaluate()


def test_latex():
    shown = sympy.latex(ERF)
    assert shown.startswith(r"\mathbb{E}_{u_{1}, u_{2} \sim \mathcal{N}(0, 1)}")
    assert r"\int_{0}^{1} du_{1}" in sympy.latex(ParameterIntegral(u * x, (u, 0, 1)))
    assert r"\left[u \cdot \left(x_{1}, 1, 0\right)\right]_+" in sympy.latex(HalfSpaceExpectation([(x, 1, 0)], []))


# --- half spaces ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(1, 0), (1, 3), (2, 2), (4, 1)])
def test_half_spaces_embedded_in_more_dimensions(n, m):
    """A rotation into three dimensions changes nothing: the plane's closed form against the integral on the sphere."""
    rng = np.random.default_rng(10 * n + m)
    flat = rng.normal(size=(n + m, 2)).round(2)
    flat[:n] = np.abs(flat[:n])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    raised = flat @ rotation[:2]
    closed = half_space_average(flat[:n].tolist(), flat[n:].tolist())
    integral = HalfSpaceExpectation(raised[:n].tolist(), raised[n:].tolist())
    assert evaluate(integral).value == pytest.approx(float(closed), rel=1e-10)
    assert abs(float(closed)) > 1e-3


def test_half_spaces_in_four_dimensions():
    """The orthant along the axes factorises: E prod (u_i)_+ = (2 pi)^(-n/2)."""
    axes = np.eye(4, dtype=int).tolist()
    assert evaluate(HalfSpaceExpectation(axes[:3], []), rtol=1e-8).value == pytest.approx((2 * np.pi) ** -1.5, rel=1e-8)
    found = HalfSpaceExpectation(axes, []).evaluate(rtol=1e-5)
    assert found.value == pytest.approx((2 * np.pi) ** -2, rel=1e-5)


# --- functions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nu", ["-1/2", "0", "1/2", "1", "3/2", "2"])
def test_bessel_ratio(nu):
    nu = sympy.Rational(nu)
    assert BesselRatio(nu, 0) == 1
    q = symbol("q")
    for z in (0.01, 0.5, 3.0, 20.0):
        exact = mpmath.gamma(nu + 1) * (2 / mpmath.mpf(z)) ** float(nu) * mpmath.besselj(float(nu), z)
        square = sympy.Rational(str(z)) ** 2
        assert float(BesselRatio(nu, square)) == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
        assert float(bessel_ratio(nu, z**2)) == pytest.approx(float(exact), rel=1e-11, abs=1e-14)
        slope = BesselRatio(nu, q).diff(q).subs(q, square)
        steps = [BesselRatio(nu, square + s * sympy.Rational(1, 10**12)).evalf(40) for s in (1, -1)]
        assert float(slope) == pytest.approx(float((steps[0] - steps[1]) / 2 * 10**12), rel=1e-9)
    assert float(BesselRatio(nu, 2).rewrite(sympy.besselj)) == pytest.approx(float(BesselRatio(nu, 2)))


def test_bessel_ratio_reads_as_the_textbook_form():
    k = sympy.Symbol("k", positive=True)
    assert BesselRatio(sympy.S.Half, k**2).rewrite(sympy.sin).equals(sympy.sin(k) / k)
    assert sympy.latex(BesselRatio(sympy.S.Half, k**2)) == r"\frac{\sin k}{k}"
    assert "J_{1}" in sympy.latex(BesselRatio(1, k**2))


def test_angle():
    assert (Angle(0, 0), Angle(0, 1), Angle(0, -1), Angle(1, 0)) == (0, 0, sympy.pi, sympy.pi / 2)
    assert Angle(-2, -2) == -3 * sympy.pi / 4
    general = Angle(x, y)
    assert general.subs({x: 0, y: 0}) == 0
    assert float(general.subs({x: 0.3, y: -1})) == pytest.approx(np.arctan2(0.3, -1))
    assert sympy.expand(general.diff(x) * (x**2 + y**2)) == y
    assert general.rewrite(sympy.atan2) == sympy.atan2(x, y)
