"""Momentum space, contact terms and clusters against direct quadrature and limits of exact correlators."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams import (
    WavePackets,
    cluster_decomposition,
    cos_net,
    derivative_expansion,
    erf_net,
    evaluate,
    gauss_net,
    momentum_kernel,
    quartic_action,
    relu_net,
)

COS = cos_net(input_dim=1).at(N=20, sigma_w0=sympy.Rational(6, 5), sigma_w1=sympy.Rational(4, 5))
GAUSS = gauss_net(input_dim=1).at(
    N=20, sigma_w0=sympy.Rational(6, 5), sigma_w1=sympy.Rational(4, 5), sigma_b0=sympy.Rational(1, 5)
)
FIELD = WavePackets([1, sympy.Rational(-1, 2)], centres=[0, 1], widths=[2, sympy.Rational(5, 2)])
S, VARIANCE = 1.44, 0.64


def spectrum(k):
    """Return the Fourier transform of FIELD by its definition, sum of Gaussians."""
    parts = [(1.0, 0.0, 2.0), (-0.5, 1.0, 2.5)]
    return sum(a * w * np.sqrt(2 * np.pi) * np.exp(-1j * k * c - (w * k) ** 2 / 2) for a, c, w in parts)


def number(expr):
    return float(evaluate(sympy.sympify(expr)).value)


def grid(reach, n=4001):
    x = np.linspace(-reach, reach, n)
    return x, x[1] - x[0]


@pytest.mark.parametrize("net", [COS, GAUSS], ids=["cos", "gauss"])
def test_momentum_kernel_is_the_fourier_transform_of_the_kernel(net):
    kernel = sympy.lambdify((), [net.connected_correlators(max_points=2)[2](0, sympy.Rational(7, 10))])
    p, dp = grid(12.0)
    (symbol,) = momentum_kernel(net)(sympy.Symbol("q", real=True)).free_symbols or {None}
    values = sympy.lambdify(symbol, momentum_kernel(net)(symbol))(p)
    assert np.sum(values * np.cos(0.7 * p)) * dp / (2 * np.pi) == pytest.approx(kernel()[0], rel=1e-10)


def cos_moments():
    """Return E[<h, psi>^2] and E[<h, psi>^4] by quadrature over momentum and phase."""
    w, dw = grid(9.0)
    kernel = VARIANCE / 2 * np.sqrt(2 * np.pi / S) * np.exp(-(w**2) / (2 * S))
    psi = spectrum(w) / kernel
    density = np.exp(-(w**2) / (2 * S)) / np.sqrt(2 * np.pi * S)
    phases = np.exp(2j * np.pi * np.arange(16) / 16)
    overlap = (phases[:, None] * psi.conj()).real
    return [float(np.sum(np.mean(overlap**n, axis=0) * density) * dw) for n in (2, 4)]


def gauss_moment():
    """Return E[<h, psi>^2] for the Gauss-net: psi on a grid of points, then averages over weights and biases."""
    k, dk = grid(14.0)
    x, dx = grid(24.0, 2401)
    kernel = VARIANCE * np.sqrt(2 * np.pi / S) * np.exp(-(k**2) / (2 * S))
    psi = (np.exp(1j * np.outer(x, k)) @ (spectrum(k) / kernel)).real * dk / (2 * np.pi)
    w, dw = grid(45.0, 1801)
    overlap = np.exp(np.outer(w, x) - S * x**2 - 0.04) @ psi * dx
    density = np.exp(-(w**2) / (2 * S)) / np.sqrt(2 * np.pi * S)
    return float(np.sum(overlap**2 * density) * dw) * np.exp(2 * 0.04)


def test_free_action_of_the_gauss_net_against_quadrature():
    expected = VARIANCE * gauss_moment() / 2
    assert number(quartic_action(GAUSS).free(FIELD)) == pytest.approx(expected, rel=1e-9)


def test_quartic_action_of_the_gauss_net_is_infinite_for_wide_packets():
    with pytest.raises(ValueError, match="infinite"):
        quartic_action(GAUSS).quartic(FIELD)


def test_free_and_quartic_action_of_the_cos_net_against_quadrature():
    second, fourth = cos_moments()
    action = quartic_action(COS)
    assert number(action.free(FIELD)) == pytest.approx(VARIANCE * second / 2, rel=1e-10)
    expected = -(3 * VARIANCE**2 * fourth - 3 * (VARIANCE * second) ** 2) / (24 * 20)
    found = number(action.quartic(FIELD))
    assert found == pytest.approx(expected, rel=1e-9)
    wrong = -(3 * VARIANCE**2 * fourth - (VARIANCE * second) ** 2) / (24 * 20)
    assert abs(found - wrong) > 1e-3 * abs(found)


def test_cos_net_closed_form_of_the_quartic_action():
    k, dk = grid(9.0)
    kernel = VARIANCE / 2 * np.sqrt(2 * np.pi / S) * np.exp(-(k**2) / (2 * S))
    free = np.sum(abs(spectrum(k)) ** 2 / kernel) * dk / (4 * np.pi)
    contact = 3 * VARIANCE / (32 * 20) * np.sum(abs(spectrum(k)) ** 4 / kernel**3) * dk / (2 * np.pi)
    assert number(quartic_action(COS).quartic(FIELD)) == pytest.approx(free**2 / 40 - contact, rel=1e-10)


def test_packets_that_are_too_narrow_are_refused():
    narrow = WavePackets([1], centres=[0], widths=[sympy.Rational(1, 2)])
    with pytest.raises(ValueError, match="narrow"):
        quartic_action(COS).free(narrow)


def test_gauss_net_has_no_momentum_vertex():
    with pytest.raises(ValueError, match="eigenvalue"):
        quartic_action(GAUSS).contact_vertex  # noqa: B018


def test_derivative_expansion_is_the_exponential_of_the_laplacian():
    text = derivative_expansion(COS, order=2).to_latex()
    assert r"\exp" in text
    assert r"\nabla" in text
    with pytest.raises((TypeError, ValueError)):
        derivative_expansion(COS, order=-1)


def test_clusters_of_the_cos_net():
    verdict = cluster_decomposition(COS)
    assert verdict.holds_at_infinite_width
    assert not verdict.holds
    G4 = COS.connected_correlators(max_points=4)[4]
    far = [float(sympy.N(G4(0, sympy.Rational(1, 2), 60 + a, 60 + b))) for a, b in ((0, sympy.Rational(3, 10)),)]
    E = lambda u: np.exp(-S * u**2 / 2)  # noqa: E731
    limit = VARIANCE**2 / (8 * 20) * (3 * E(-0.5 - 0.3) + 3 * E(-0.5 + 0.3) - 2 * E(0.5) * E(0.3))
    assert far[0] == pytest.approx(limit, rel=1e-10)
    assert "2+2: survives" in str(verdict)
    assert "3+1: vanishes" in str(verdict)


def test_clusters_of_the_gauss_net_grow():
    verdict = cluster_decomposition(GAUSS)
    assert not verdict.holds
    assert not verdict.is_translation_invariant


@pytest.mark.parametrize("net", [relu_net(input_dim=1), erf_net(input_dim=1)], ids=["relu", "erf"])
def test_nets_without_translation_invariance_have_no_momentum_space(net):
    with pytest.raises(ValueError, match="translation"):
        momentum_kernel(net)
    assert not cluster_decomposition(net).is_translation_invariant
