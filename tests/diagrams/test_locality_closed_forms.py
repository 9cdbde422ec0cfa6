"""Closed forms of locality: other densities, two dimensions, the Gauss-net, derivative expansions, the verdicts."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy import integrate, special

from diagrams import (
    WavePackets,
    cos_net,
    derivative_expansion,
    erf_net,
    evaluate,
    gauss_net,
    linear_net,
    network,
    quartic_action,
    relu_net,
    scalar_net,
    symbol,
)
from diagrams.distributions import Gaussian, Uniform, UniformPhase
from diagrams.locality_report import locality

half = sympy.Rational(1, 2)


def number(expr):
    return float(evaluate(sympy.sympify(expr)).value)


def packets(amplitudes, centres, widths):
    exact = [sympy.nsimplify(v) for v in amplitudes], [sympy.nsimplify(v) for v in centres]
    return WavePackets(*exact, widths=[sympy.nsimplify(v) for v in widths])


AMPLITUDES, CENTRES, WIDTHS = (1, -0.5), (0, 1), (2, 2.5)
FIELD = packets(AMPLITUDES, CENTRES, WIDTHS)


def spectrum(k):
    parts = zip(AMPLITUDES, CENTRES, WIDTHS, strict=True)
    return sum(a * w * np.sqrt(2 * np.pi) * np.exp(-1j * k * c - (w * k) ** 2 / 2) for a, c, w in parts)


def integral(function, low, high):
    return integrate.quad(function, low, high, epsabs=0, epsrel=1e-12, limit=400)[0]


def plane_wave_net(law):
    k, c, x = symbol("k"), symbol("c"), symbol("x")
    return network(sympy.cos(k * x + c), parameters={k: law, c: UniformPhase()}, point=x).at(N=7, sigma_w1=half)


DENSITIES = {
    "Gaussian": (Gaussian(sympy.Rational(3, 4)), lambda k: np.exp(-(k**2) / 1.5) / np.sqrt(1.5 * np.pi), 12.0),
    "uniform": (Uniform(-2, 2), lambda k: 0.25 * (abs(k) < 2), 2.0),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_quartic_action_for_any_even_momentum_density(name):
    """S_4 = S_G^2/(2N) - (3 s^2/(32 N)) int dk/2pi |phi|^4/G2^3 and its definition, -(E[Y^4] - 3 E[Y^2]^2)/(4! N)."""
    law, density, reach = DENSITIES[name]
    net = plane_wave_net(law)
    variance, N = 0.25, 7

    def kernel(k):
        return variance / 2 * 2 * np.pi * density(k)

    options = {"projected": True} if name == "uniform" else {}
    inside = reach * (1 - 1e-12)
    free = integral(lambda k: abs(spectrum(k)) ** 2 / kernel(k), -inside, inside) / (4 * np.pi)
    contact = integral(lambda k: abs(spectrum(k)) ** 4 / kernel(k) ** 3, -inside, inside) / (2 * np.pi)
    action = quartic_action(net)
    assert number(action.free(FIELD, **options)) == pytest.approx(free, rel=1e-10)
    found = number(action.quartic(FIELD, **options))
    assert found == pytest.approx(free**2 / (2 * N) - 3 * variance / (32 * N) * contact, rel=1e-10)
    second, fourth = (
        average * integral(lambda k, r=r: density(k) * abs(spectrum(k) / kernel(k)) ** r, -inside, inside)
        for r, average in ((2, 1 / 2), (4, 3 / 8))  # averages over the phase
    )
    assert found == pytest.approx(-3 * variance**2 * (fourth - second**2) / (24 * N), rel=1e-10)
    assert abs(found + 3 * variance**2 * (fourth - 3 * second**2) / (24 * N)) > 1e-3 * abs(found)


def test_quartic_action_of_the_scalar_net_below_its_cutoff():
    net = scalar_net(input_dim=1).at(N=9, m=1, Lambda=3)
    free = integral(lambda k: abs(spectrum(k)) ** 2 * (k**2 + 1), -3, 3) / (4 * np.pi)
    density, squared = 1 / 6, lambda k: 6 / np.pi / (k**2 + 1)  # G2 = A^2 2 pi p / 2
    overlap = integral(lambda k: density * (squared(k) ** 2) * abs(spectrum(k)) ** 4 * (k**2 + 1) ** 4, -3, 3) * 3 / 8
    action = quartic_action(net)
    assert number(action.free(FIELD, projected=True)) == pytest.approx(free, rel=1e-10)
    expected = -3 * (overlap - (2 * free) ** 2) / (24 * 9)
    assert number(action.quartic(FIELD, projected=True)) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="beyond the cutoff"):
        action.free(FIELD)


def test_quartic_action_in_two_dimensions():
    net = cos_net(input_dim=2).at(N=5, sigma_w0=1, sigma_w1=1)  # s = 1/2
    field = WavePackets([1, half], centres=[(0, 0), (1, half)], widths=[2, sympy.Rational(9, 4)])
    k, weights = np.polynomial.hermite.hermgauss(80)
    scale = 0.8
    kx, ky = np.meshgrid(scale * k, scale * k, indexing="ij")
    measure = np.outer(weights * np.exp(k**2), weights * np.exp(k**2)) * scale**2 / (2 * np.pi) ** 2
    parts = ((1.0, (0.0, 0.0), 2.0), (0.5, (1.0, 0.5), 2.25))
    squared = kx**2 + ky**2
    phi = sum(a * w**2 * 2 * np.pi * np.exp(-1j * (kx * c[0] + ky * c[1]) - w**2 * squared / 2) for a, c, w in parts)
    kernel = 0.5 * (2 * np.pi / 0.5) * np.exp(-squared)
    free = 0.5 * np.sum(measure * abs(phi) ** 2 / kernel)
    contact = 3 / (32 * 5) * np.sum(measure * abs(phi) ** 4 / kernel**3)
    action = quartic_action(net)
    assert number(action.free(field)) == pytest.approx(free, rel=1e-10)
    assert number(action.quartic(field)) == pytest.approx(free**2 / 10 - contact, rel=1e-9)


@pytest.mark.parametrize(
    ("amplitudes", "centres", "widths"),
    [((1,), (0,), (0.8,)), ((1, -0.5), (0, 0.4), (0.8, 0.9)), ((0.3, 1), (-0.5, 0.2), (0.7, 1))],
)
def test_quartic_action_of_the_gauss_net_in_position_space(amplitudes, centres, widths):
    """<h_w, G2^{-1} phi> by quadrature over momentum, then averages over weights and biases."""
    s, variance, bias, N = 1.44, 0.64, 0.04, 20
    net = gauss_net(input_dim=1).at(
        N=N, sigma_w0=sympy.Rational(6, 5), sigma_w1=sympy.Rational(4, 5), sigma_b0=sympy.Rational(1, 5)
    )
    w = np.linspace(-45, 45, 1201)
    weights = np.exp(-(w**2) / (2 * s)) / np.sqrt(2 * np.pi * s) * (w[1] - w[0])
    line = np.linspace(-30, 30, 2001)
    kernel = variance * np.sqrt(2 * np.pi / s)
    total = np.zeros(len(w))
    for a, c, width in zip(amplitudes, centres, widths, strict=True):
        # feature exp(w x - s x^2 - sigma_b^2) times phi / G2 decays with k for width^2 > 1/(2 s); the contour goes
        # through the saddle point, where nothing cancels
        k = line + 1j * w[:, None] / (2 * s * width**2 - 1)
        logs = (w[:, None] + 1j * k) ** 2 / (4 * s) - 1j * k * c - (width**2 - 1 / s) * k**2 / 2
        front = np.sqrt(np.pi / s) * a * width * np.sqrt(2 * np.pi) / kernel
        total += front * (np.exp(logs).sum(axis=1) * (line[1] - line[0]) / (2 * np.pi)).real
    moment = {r: float(np.sum(weights * total**r)) * np.exp((r**2 / 2 - r) * bias) for r in (2, 4)}
    action = quartic_action(net)
    field = packets(amplitudes, centres, widths)
    assert number(action.free(field)) == pytest.approx(variance * moment[2] / 2, rel=1e-9)
    expected = -3 * variance**2 * (moment[4] - moment[2] ** 2) / (24 * N)
    assert number(action.quartic(field)) == pytest.approx(expected, rel=1e-9)
    assert abs(expected + 3 * variance**2 * (moment[4] - 3 * moment[2] ** 2) / (24 * N)) > 1e-3 * abs(expected)


# derivative expansion


COS = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)


def test_terms_are_the_powers_of_the_laplacian():
    """Each term by finite differences of the field in space, an independent route to int (grad^m phi)^2."""
    found = derivative_expansion(COS, order=3).on(FIELD)
    x = np.linspace(-30, 30, 6001)
    field = np.array(
        [sum(a * np.exp(-((x - c) ** 2) / (2 * w**2)) for a, c, w in zip(AMPLITUDES, CENTRES, WIDTHS, strict=True))][0]
    )
    k = 2 * np.pi * np.fft.fftfreq(len(x), x[1] - x[0])
    front = 2 / np.sqrt(2 * np.pi)  # 1/G2(0), s = 1
    for m, term in enumerate(found.terms):
        derivative = np.fft.ifft((1j * k) ** m * np.fft.fft(field)).real
        expected = front / (2 * special.factorial(m) * 2**m) * np.sum(derivative**2) * (x[1] - x[0])
        assert number(term) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("width", [1.0, 1.5, 3.0])
def test_truncated_action_and_its_remainder(width):
    field = packets((1, 0.5), (0, 0.7), (width, 1.2 * width))
    exact = number(quartic_action(COS).free(field))
    previous = np.inf
    for order in range(7):
        expansion = derivative_expansion(COS, order=order)
        found = expansion.on(field)
        kept, rest = number(found.partial_sums[-1]), number(found.remainder)
        assert kept + rest == pytest.approx(exact, rel=1e-12)
        assert 0 < rest < previous
        bound = number(expansion.bound_on(field))
        assert rest <= bound < 40 * rest  # it holds, and is no looser than that
        assert found.converges
        previous = rest
    assert previous < 0.02 * exact
    ratio = 1 / (2 * width**2)
    last = number(found.terms[-1]) / number(found.terms[-2])
    assert 0.4 * ratio < last < 1.1 * ratio


def test_narrow_packets_diverge():
    threshold = sympy.sqrt(half)  # width^2 = 1/(2 s)
    for width, converges in (
        (threshold * sympy.Rational(99, 100), False),
        (threshold * sympy.Rational(101, 100), True),
    ):
        found = derivative_expansion(COS, order=4).on(WavePackets([1], centres=[0], widths=[width]))
        assert found.converges is converges
        assert found.verdict.startswith("converges" if converges else "diverges")
    narrow = WavePackets([1], centres=[0], widths=[half])
    found = derivative_expansion(COS, order=8).on(narrow)
    terms = [number(t) for t in found.terms]
    assert terms[8] > terms[6] > terms[4]  # they grow
    with pytest.raises(ValueError, match="diverges"):
        found.remainder  # noqa: B018
    with pytest.raises(ValueError, match="no bound"):
        derivative_expansion(COS, order=1).bound_on(narrow)


def test_exponential_of_the_laplacian_acts_as_a_shift_of_the_variance():
    """exp(-Laplacian/(2 s)) on a packet of width w is a packet of width^2 w^2 - 1/s, here on a grid of points."""
    width, s = 2.0, 1.0
    x = np.linspace(-25, 25, 5001)
    phi = np.exp(-(x**2) / (2 * width**2))
    narrower = np.sqrt(width**2 - 1 / s)
    applied = width / narrower * np.exp(-(x**2) / (2 * narrower**2))
    expected = 2 / np.sqrt(2 * np.pi) / 2 * np.sum(phi * applied) * (x[1] - x[0])
    assert number(quartic_action(COS).free(packets((1,), (0,), (width,)))) == pytest.approx(expected, rel=1e-10)


def test_local_couplings():
    expansion = derivative_expansion(cos_net(input_dim=1), order=2)
    s, v = symbol("sigma_w0") ** 2, symbol("sigma_w1") ** 2
    front = 2 / (v * sympy.sqrt(2 * sympy.pi / s))
    couplings = expansion.local_couplings
    for found, expected in zip(couplings.quadratic, (1, 1 / (2 * s), 1 / (8 * s**2)), strict=True):
        assert sympy.expand(found - front * expected) == 0
    assert sympy.expand(couplings.mass_squared - 2 * s) == 0
    assert couplings.phi4 == 0
    vertex = -3 / (4 * symbol("N")) * v * front**3  # -E[z^4]/(4 E[z^2] N) / G2(0)^3
    assert sympy.expand(couplings.quartic[0] - vertex) == 0
    assert sympy.expand(couplings.quartic[1] - vertex * 3 / (2 * s)) == 0
    scalar = derivative_expansion(scalar_net(input_dim=1).at(m=2), order=1)
    assert scalar.is_complete
    assert scalar.remainder == 0
    assert scalar.local_couplings.mass_squared == 4


# verdicts


def test_locality_of_the_nets():
    answers = {
        cos_net(): (False, False, True, True, False),
        scalar_net(): (True, False, True, True, False),
        gauss_net(): (False, False, False, True, False),
        relu_net(): (None, None, None, False, False),
        erf_net(): (None, None, None, False, False),
        linear_net(): (None, None, None, False, False),
        cos_net(output_bias=True): (None, None, None, False, False),
    }
    for net, expected in answers.items():
        report = locality(net)
        assert tuple(s.answer for s in report.statements) == expected, str(net)
        assert all(s.reason for s in report.statements)
        assert report.is_local is (None if expected[0] is None else False)
        assert str(net) in report._repr_html_()


def test_locality_decides_nothing_that_it_does_not_know():
    w, x = symbol("w"), symbol("x")
    report = locality(network(sympy.tanh(w * x), parameters={w: Gaussian(1)}, point=x))
    assert {s.answer for s in report.statements} == {None}
    assert report.is_local is None
    assert "not decided" in repr(report)
    with pytest.raises(TypeError):
        locality(3)
