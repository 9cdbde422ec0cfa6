"""Densities of random parameters: moments and characteristic functions against quadrature."""

from __future__ import annotations

from math import pi, prod

import mpmath
import numpy as np
import pytest
import sympy

from diagrams.cumulants import moments_from_cumulants
from diagrams.distributions import Constant, Density, Distribution, Gaussian, StudentT, Uniform, UniformPhase
from diagrams.momenta import Ball, RadialDensity, angular_moment, radial_power_integral
from diagrams.symbols import symbol


@pytest.mark.parametrize("order", range(9))
def test_gaussian_moments_by_quadrature(order):
    t, c = np.polynomial.hermite_e.hermegauss(20)
    expected = float((c / c.sum()) @ (1.5 * t) ** order)
    assert float(Gaussian(sympy.Rational(9, 4)).moment(order)) == pytest.approx(expected, abs=1e-9)
    assert Gaussian(symbol("sigma_w0") ** 2).moment(4) == 3 * symbol("sigma_w0") ** 4


@pytest.mark.parametrize("wave", [(0.0,), (0.7,), (-1.2, 0.4), (0.3, 0.5, -0.9)], ids=str)
def test_gaussian_characteristic_function_by_quadrature(wave):
    t, c = np.polynomial.hermite_e.hermegauss(60)
    expected = prod(float((c / c.sum()) @ np.cos(k * 1.5 * t)) for k in wave)
    assert float(Gaussian(sympy.Rational(9, 4)).characteristic_function(wave)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("order", range(7))
def test_phase_moments_by_quadrature(order):
    t, c = np.polynomial.legendre.leggauss(20)
    assert float(UniformPhase().moment(order)) == pytest.approx(float(c @ (pi * t) ** order) / 2, abs=1e-9)


def test_phase_average_needs_integers():
    assert [UniformPhase().characteristic_function((k,)) for k in (-2, 0, 3)] == [0, 1, 0]
    with pytest.raises(ValueError, match="integer multiples of the phase, got 1/2"):
        UniformPhase().characteristic_function((sympy.Rational(1, 2),))


# --- all distributions: one integral each --------------------------------------------------------------------------

HALF = sympy.Rational(1, 2)
LAWS = {
    "gaussian": Gaussian(sympy.Rational(3, 2), sympy.Rational(1, 3)),
    "uniform": Uniform(-1, 3),
    "symmetric uniform": Uniform(-2, 2),
    "phase": UniformPhase(),
    "ball": Ball(2, 1),
    "radial": RadialDensity(1 / (symbol("k") ** 2 + 1), 3, 1),
    "student": StudentT(9, HALF),
    "laplace": Density(sympy.exp(-sympy.Abs(symbol("w"))) / 2, symbol("w")),
}
WITH_WAVES = {k: v for k, v in LAWS.items() if type(v).fourier_moment is not Distribution.fourier_moment}


def integral(law, function):
    lower, upper = (mpmath.mpf(float(e)) for e in law.support)
    v = sympy.Symbol("v", real=True)
    density = sympy.lambdify(v, law.density(v), "mpmath")
    ends = [lower, *([0] if lower < 0 < upper else []), upper]
    if isinstance(law, Gaussian):
        ends = [-12, -4, 0, 4, 12]
    return complex(mpmath.quad(lambda t: function(t) * density(t), ends))


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("order", range(5))
def test_moments_are_integrals_of_the_density(name, order):
    law = LAWS[name]
    expected = integral(law, lambda t: t**order).real
    assert float(law.moment(order)) == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", WITH_WAVES)
@pytest.mark.parametrize("power", range(4))
def test_moments_of_waves_are_integrals_of_the_density(name, power):
    law = LAWS[name]
    for k in (1, -2) if name == "phase" else (sympy.Rational(7, 10), -HALF, 0):
        real, imaginary = law.fourier_moment((power,), (sympy.sympify(k),))
        wave = integral(law, lambda t, k=k: t**power * mpmath.expj(float(k) * t))
        assert complex(float(real), float(imaginary)) == pytest.approx(wave, rel=1e-9, abs=1e-9)
        swapped = complex(float(real), -float(imaginary))
        assert name in ("gaussian", "uniform") or power % 2 == 0 or k == 0 or abs(swapped - wave) > 1e-3


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_ball_waves_by_sampling_the_ball_on_a_grid(dim):
    """Against a fine radial and angular grid: E[k_1^p exp(i k.r)] with r along another direction."""
    law, r = Ball(sympy.Rational(3, 2), dim), [sympy.Rational(2, 5)] * dim
    t, c = np.polynomial.legendre.leggauss(40)
    k, w = 0.75 * (1 + t), c * (1 + t) ** (dim - 1)
    if dim == 1:
        k, w, n = np.concatenate([k, -k]), np.concatenate([w, w]), np.ones((1, 1))
        u = np.ones(1)
    elif dim == 2:
        phi = 2 * pi * np.arange(64) / 64
        n, u = np.stack([np.cos(phi), np.sin(phi)], -1), np.ones(64)
    else:
        phi = 2 * pi * np.arange(64) / 64
        z = np.repeat(t, 64)
        ring = np.sqrt(1 - z**2)
        n, u = np.stack([ring * np.cos(np.tile(phi, 40)), ring * np.sin(np.tile(phi, 40)), z], -1), np.repeat(c, 64)
    weights = np.outer(w, u) / np.outer(w, u).sum()
    vectors = k[:, None, None] * n
    for powers in [(0,) * dim, (1, *(0,) * (dim - 1)), (2, *(1,) * (dim - 1)), (3, *(0,) * (dim - 1))]:
        wave = np.exp(1j * vectors @ np.array(r, dtype=float)) * np.prod(vectors**powers, -1)
        real, imaginary = law.fourier_moment(powers, r)
        assert complex(float(real), float(imaginary)) == pytest.approx(complex((weights * wave).sum()), abs=1e-10)
        real, imaginary = RadialDensity(sympy.S.One, law.radius, dim).fourier_moment(powers, r)
        assert complex(float(real), float(imaginary)) == pytest.approx(complex((weights * wave).sum()), abs=1e-8)
        assert float(law.joint_moment(powers)) == pytest.approx(float((weights * np.prod(vectors**powers, -1)).sum()))


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("exponent", [-1, 0, 1, 2, 3, HALF])
def test_radial_integrals(dim, exponent):
    found = float(radial_power_integral(dim, sympy.sympify(exponent), sympy.Rational(4, 5), sympy.Integer(2)))
    expected = mpmath.quad(lambda k: k ** (dim - 1) / (k**2 + mpmath.mpf("0.64")) ** float(exponent), [0, 1, 2])
    assert found == pytest.approx(float(expected), rel=1e-11)


def test_angular_moments():
    assert angular_moment((2, 0, 0)) == sympy.Rational(1, 3)
    assert (angular_moment((4, 0)), angular_moment((2, 2))) == (sympy.Rational(3, 8), sympy.Rational(1, 8))
    assert angular_moment((1, 1)) == 0
    assert angular_moment((6,)) == 1


@pytest.mark.parametrize("name", LAWS)
def test_cumulants_belong_to_the_moments(name):
    law = LAWS[name]
    moments = moments_from_cumulants([law.cumulant(k) for k in range(1, 5)])
    assert [float(m) for m in moments] == pytest.approx([float(law.moment(k)) for k in range(1, 5)], abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"phase"}))
def test_scaling_and_symmetry(name):
    law = LAWS[name]
    scaled = law.scaled(sympy.Rational(3, 2))
    for order in (1, 2, 4):
        expected = float(law.moment(order)) * 1.5**order
        assert float(scaled.moment(order)) == pytest.approx(expected, rel=1e-8, abs=1e-12)
    assert law.is_symmetric == (name not in ("gaussian", "uniform"))
    assert law.density_latex("w").startswith(("w", "p"))
    assert hash(law) == hash(law.subs({}))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_missing_moments_are_named(order):
    name = {1: "1st", 2: "2nd", 3: "3rd"}[order]
    w = symbol("w")
    for law in (StudentT.cauchy(), Density(1 / (sympy.pi * (1 + w**2)), w)):
        with pytest.raises(ValueError, match=f"the {name} moment does not exist"):
            law.moment(order)
    with pytest.raises(ValueError, match="the 4th moment does not exist"):
        StudentT(4).moment(4)
    assert StudentT(5).moment(4) == 25


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Gaussian(-1), "variance of a Gaussian must be >= 0, got -1"),
        (lambda: Gaussian(sympy.oo), "finite real number"),
        (lambda: Gaussian("1"), "finite real number or expression, got '1'"),
        (lambda: Uniform(2, 1), "lower < upper, got 2 and 1"),
        (lambda: Uniform(1, 1), "lower < upper"),
        (lambda: Ball(0, 2), "radius of a ball must be positive, got 0"),
        (lambda: Ball(1, 0), "dimension of a ball must be a positive integer"),
        (lambda: StudentT(0), "degrees of freedom must be a positive integer, got 0"),
        (lambda: StudentT(3, -1), "scale of a Student density must be positive"),
        (lambda: Density(sympy.exp(-(symbol("w") ** 2)), symbol("w")), "not normalised: its integral is 1.77245"),
        (lambda: Gaussian(1).moment(-1), "non-negative integer, got -1"),
        (lambda: Ball(1, 2).density(0), "use joint_density"),
        (lambda: UniformPhase().scaled(2), "an angle cannot be scaled"),
    ],
    ids=range(13),
)
def test_bad_densities(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_constants_and_densities_without_a_transform():
    assert [Constant(3).moment(k) for k in range(3)] == [1, 3, 9]
    assert Constant(3).cumulant(2) == 0
    assert Constant(2).characteristic_function((sympy.pi,)) == 1
    with pytest.raises(NotImplementedError, match="no closed characteristic function"):
        StudentT(3).characteristic_function((1,))
