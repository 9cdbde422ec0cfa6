"""Mixtures by the law of total cumulance, and neurons that are not identical."""

from __future__ import annotations

import pickle
from functools import cache
from itertools import product

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, gauss_net
from diagrams.cumulants import cumulant_from_moments, moment_from_cumulants
from diagrams.distributions import Gaussian, Uniform
from diagrams.independence import (
    Discrete,
    Gamma,
    IndependentSum,
    Mixture,
    Moments,
    SquareRoot,
    independent_sum,
    mixture,
    neuron_sum,
    tilted,
    with_parameter_list,
)
from diagrams.symbols import symbol

PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
X4 = [sympy.Rational(k, 5) for k in (3, -1, 7, 2)]
X6 = [*X4, sympy.Rational(-4, 5), sympy.Rational(1, 3)]


def number(expr, **values):
    return float(sympy.N(expr.subs({symbol(k): sympy.nsimplify(v, rational=True) for k, v in values.items()})))


# --- mixtures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [3, 300])
def test_a_random_output_scale(width):
    # G_c4 = E[tau^2] G_c4,iid + Var(tau) sum_3 K K
    net, tau = cos_net(input_dim=1), Gamma(sympy.Rational(3, 2), sympy.Rational(1, 3))
    mixed = mixture(net, {"sigma_w1": SquareRoot(tau)})
    Gc, iid = mixed.connected_correlators(max_points=4), net.at(sigma_w1=1).connected_correlators(max_points=4)
    mean, variance = tau.moment(1), tau.moment(2) - tau.moment(1) ** 2
    kernels = sum(iid[2](X4[a], X4[b]) * iid[2](X4[c], X4[d]) for (a, b), (c, d) in PAIRINGS)
    expected = tau.moment(2) * iid[4](*X4) + variance * kernels
    assert abs(number(Gc[4](*X4) - expected, N=width, sigma_w0=1.2)) < 1e-14
    assert abs(number(Gc[2](*X4[:2]) - mean * iid[2](*X4[:2]), sigma_w0=1.2)) < 1e-14
    assert Gc[4].survives()
    limit = Gc[4].at_infinite_width().subs(dict(zip([p[0] for p in Gc[4].points], X4, strict=True)))
    assert abs(number(limit - variance * kernels, sigma_w0=1.2)) < 1e-14
    assert "survives, terms 1, corrections N^-1" in str(Gc[4].large_width())


def mixed_cumulant(components, weights, n, at):
    """Return the n-point cumulant of a finite mixture: cumulants -> moments of each, average, moments -> cumulants."""
    tables = [c.connected_correlators(max_points=n) for c in components]

    @cache
    def value(which, block):
        return float(tables[which][len(block)](*(at[i] for i in block)))

    def moment(block):
        parts = (moment_from_cumulants(block, lambda b, k=k: value(k, b), even=True) for k in range(len(tables)))
        return sum(w * p for w, p in zip(weights, parts, strict=True))

    return cumulant_from_moments(range(n), moment, even=True)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_two_shared_parameters_at_random(n):
    net = cos_net(input_dim=1, output_bias=True).at(N=3, sigma_b1=0.3)
    laws = {"sigma_w0": Discrete((1, 2), (0.25, 0.75)), "sigma_w1": Discrete((0.5, 1.5))}
    found = mixture(net, laws).connected_correlators(max_points=n)[n](*X6[:n])
    components = [net.at(sigma_w0=a, sigma_w1=b) for a, b in product((1, 2), (0.5, 1.5))]
    expected = mixed_cumulant(components, [0.125, 0.125, 0.375, 0.375], n, X6)
    assert abs(float(found) - expected) < 1e-12
    assert abs(expected - mixed_cumulant(components, [0.25] * 4, n, X6)) > 1e-6


def test_a_random_width():
    net = cos_net(input_dim=1).at(sigma_w0=1, sigma_w1=1)
    found = mixture(net, {"N": Discrete((2, 5))}).connected_correlators(max_points=4)[4](*X4)
    expected = mixed_cumulant([net.at(N=2), net.at(N=5)], [0.5, 0.5], 4, X4)
    assert abs(float(found) - expected) < 1e-13


def test_a_gamma_input_scale_in_closed_form():
    # E over s ~ Gamma of exp(-s (x-y)^2/2) is (1 + theta (x-y)^2/2)^-k; also by quadrature at four points
    net = cos_net(input_dim=1).at(sigma_w1=1, N=4)
    law = Gamma(2, sympy.Rational(1, 2))
    Gc = mixture(net, {"sigma_w0": SquareRoot(law)}).connected_correlators(max_points=4)
    gap = X4[0] - X4[1]
    assert sympy.expand(Gc[2](X4[0], X4[1]) - 1 / (2 * (1 + gap**2 / 4) ** 2)) == 0
    t, c = np.polynomial.laguerre.laggauss(40)
    weights = c * t / (c @ t)  # s = theta t, density t exp(-t)
    nets = [net.at(sigma_w0=float(np.sqrt(v / 2))) for v in t[:28]]
    assert weights[28:].sum() < 1e-12
    assert abs(float(Gc[4](*X4)) - mixed_cumulant(nets, weights[:28], 4, X4)) < 1e-9


def test_other_laws():
    net = cos_net(input_dim=1)
    second = mixture(net, {"sigma_w1": Moments((1, 2, 5, 14))}).connected_correlators(max_points=2)[2]
    assert second(0, 0) == 1
    uniform = mixture(net, {"sigma_w1": Uniform(0, 1)}).connected_correlators(max_points=4)
    assert uniform[2](0, 0) == sympy.Rational(1, 6)
    assert uniform[4].at_infinite_width().subs({symbol(f"x_{i}"): 0 for i in range(1, 5)}) == 3 * (
        sympy.Rational(1, 5) - sympy.Rational(1, 9)
    ) * sympy.Rational(1, 4)
    assert mixture(net, {"sigma_w1": Gaussian(3)}).connected_correlators(max_points=2)[2](0, 0) == sympy.Rational(3, 2)


@pytest.mark.parametrize("law", [Gamma(3, 0.5), SquareRoot(Gamma(3, 0.5)), Discrete((1, 4), (0.2, 0.8))])
def test_draws_have_the_stated_moments(law):
    draws = law.sample(np.random.default_rng(0), 100_000)
    for order in (1, 2):
        error = (draws**order).std() / np.sqrt(len(draws))
        assert abs((draws**order).mean() - float(law.moment(order))) < 5 * error
        assert abs((draws**order).mean() - 1.2 * float(law.moment(order))) > 10 * error


def test_a_mixture_is_a_value_and_prints():
    k = symbol("k")
    mixed = mixture(cos_net(input_dim=1), {"sigma_w1": SquareRoot(Gamma(k, 1)), "sigma_w0": Discrete((1, 2))})
    assert isinstance(mixed, Mixture)
    assert pickle.loads(pickle.dumps(mixed)) == mixed
    assert hash(mixed) == hash(pickle.loads(pickle.dumps(mixed)))
    assert list(mixed.shared) == ["sigma_w0", "sigma_w1"]
    assert r"\text{shared by all neurons:}" in mixed._repr_latex_()
    assert r"\begin{cases}" in mixed.to_latex()
    assert mixed.at(k=2, N=5).shared["sigma_w1"] == SquareRoot(Gamma(2, 1))
    with pytest.raises(ValueError, match="random and shared"):
        mixed.at(sigma_w1=1)
    with pytest.raises(ValueError, match="no free parameter 'nonsense'"):
        mixed.at(nonsense=1)


def test_bad_mixtures():
    net = cos_net(input_dim=1)
    with pytest.raises(ValueError, match="not a free parameter"):
        mixture(net, {"sigma_b0": Discrete((1, 2))})
    with pytest.raises(TypeError, match="needs a distribution"):
        mixture(net, {"sigma_w0": 3})
    with pytest.raises(ValueError, match="at least one"):
        mixture(net, {})
    with pytest.raises(ValueError, match="Discrete distribution of positive integers"):
        mixture(net, {"N": Gamma(1, 1)})
    with pytest.raises(ValueError, match="use Discrete"):
        mixture(net, {"sigma_w0": Gamma(1, 1)}).connected_correlators(max_points=2)[2]
    with pytest.raises(ValueError, match="only 1 moment"):
        mixture(net, {"sigma_w1": Moments((1,))}).connected_correlators(max_points=2)[2]
    with pytest.raises(ValueError, match="sum 1"):
        Discrete((1, 2), (0.5, 0.6))
    with pytest.raises(ValueError, match="as many weights"):
        Discrete((1, 2), (1,))
    with pytest.raises(ValueError, match="must be positive"):
        Gamma(-1, 1)
    with pytest.raises(TypeError, match="SquareRoot takes"):
        SquareRoot(3)
    with pytest.raises(TypeError, match="network of independent neurons"):
        mixture(tilted(net, neuron_sum(net.w0**2)), {"sigma_w0": Discrete((1, 2))})


# --- neurons that are not identical -----------------------------------------------------------------------------------


def test_cumulants_of_independent_nets_add():
    one, two = cos_net(input_dim=1).at(N=2, sigma_w0=1.5), gauss_net(input_dim=1).at(N=5, sigma_w1=0.5, sigma_b0=0.1)
    both = independent_sum(one, two)
    assert both.width == 7
    for n in (2, 4, 6):
        parts = sum(net.connected_correlators(max_points=n)[n](*X6[:n]) for net in (one, two))
        found = both.connected_correlators(max_points=n)[n](*X6[:n])
        assert abs(number(found - parts, sigma_w0=0.7, sigma_w1=1.1)) < 1e-13
    fixed = both.at(sigma_w0=0.7, sigma_w1=1.1)
    assert [p["N"] for p in fixed.parameter_values()] == [2, 5]
    assert (both + one).parts == (one, two, one)
    assert pickle.loads(pickle.dumps(both)) == both
    assert r"\phi_{1}(x) + \phi_{2}(x)" in both._repr_latex_()


def test_equal_halves_are_one_net():
    half = cos_net(input_dim=1)
    both = independent_sum(half, half).connected_correlators(max_points=4)
    whole = half.connected_correlators(max_points=4)
    # sigma_w1^2/N in each half is 2 sigma_w1^2/(2N) in the whole
    doubled = (
        whole[4](*X4).subs(symbol("sigma_w1"), sympy.sqrt(2) * symbol("sigma_w1")).subs(symbol("N"), 2 * symbol("N"))
    )
    assert sympy.expand(both[4](*X4) - doubled) == 0
    assert list(both[4].series) == [1]
    assert not both[4].survives()


def test_listed_parameters():
    net, s0, s1 = cos_net(input_dim=1), [0.5, 1.0, 2.0], [1.0, 1.5, 0.5]
    mixed = with_parameter_list(net, sigma_w0=s0, sigma_w1=s1)
    assert isinstance(mixed, IndependentSum)
    x = [float(v) for v in X4]

    def pair(i, a, b):
        return s1[i] ** 2 / 3 * np.exp(-(s0[i] ** 2) * (x[a] - x[b]) ** 2 / 2) / 2

    def four(i):
        same = sum(np.exp(-(s0[i] ** 2) * np.dot(e, x) ** 2 / 2) for e in product((1, -1), repeat=4) if sum(e) == 0)
        return 3 * s1[i] ** 4 / 9 * same / 16 - sum(pair(i, *p) * pair(i, *q) for p, q in PAIRINGS)

    Gc = mixed.connected_correlators(max_points=4)
    assert abs(float(Gc[2](*X4[:2])) - sum(pair(i, 0, 1) for i in range(3))) < 1e-14
    assert abs(float(Gc[4](*X4)) - sum(four(i) for i in range(3))) < 1e-14
    assert mixed.width == 3
    assert [round(p["sigma_w1"] ** 2 * 3, 12) for p in mixed.parameter_values()] == [1.0, 2.25, 0.25]
    later = with_parameter_list(net, sigma_w0=s0).at(sigma_w1=2)
    assert [round(p["sigma_w1"] ** 2 * 3, 12) for p in later.parameter_values()] == [4, 4, 4]
    assert "sigma_w0=[1/2, 1, 2]" in str(later)
    assert r"\sigma_{w0} = (" in later._repr_latex_()


def test_bad_sums():
    net = cos_net(input_dim=1)
    with pytest.raises(ValueError, match="at least one"):
        independent_sum()
    with pytest.raises(ValueError, match="must agree"):
        independent_sum(net, cos_net(input_dim=2))
    with pytest.raises(TypeError, match="networks of independent neurons"):
        independent_sum(net, 3)
    with pytest.raises(ValueError, match="equally long"):
        with_parameter_list(net, sigma_w0=[1, 2], sigma_w1=[1])
    with pytest.raises(ValueError, match="cannot differ from neuron to neuron"):
        with_parameter_list(net, N=[1, 2])
    with pytest.raises(ValueError, match="length of the lists"):
        with_parameter_list(net.at(N=3), sigma_w0=[1, 2, 3])
    with pytest.raises(ValueError, match="no free parameter"):
        independent_sum(net, net).at(sigma_b0=1)
