"""Mixtures and deformed densities of every kind that kernels are tested with."""

from __future__ import annotations

import numpy as np
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net
from diagrams.distributions import Constant, Gaussian, StudentT, Uniform
from diagrams.independence import Discrete, Gamma, SquareRoot, mixture, neuron_sum, score_family, tilted
from diagrams.symbols import symbol

THIRD = sympy.Rational(1, 3)
LAWS = {
    "sigma_w0": Discrete((1, 2)),
    "sigma_w1": SquareRoot(Gamma(2, THIRD)),
    "sigma_b0": SquareRoot(Gamma(3, THIRD / 10)),
    "sigma_b1": Discrete((0, THIRD)),
}


WIDTHS = Discrete((1, 2, 5, 7, 8))  # neurons are drawn 1, 2 or 4 a round
N, S, H = (symbol(name) for name in ("N", "s", "h"))


def general_net():
    """A net of the library's general kind: shared widths of Gaussian, uniform and constant draws, and a spline."""
    w, b, c, t, x = (symbol(name) for name in ("w", "b", "c", "t", "x"))
    laws = {w: Gaussian(S**2), b: Uniform(-H, 2 * H), c: Constant(S * H), t: StudentT(5)}
    feature = sympy.tanh(w * x + b) + c * sympy.cos(t * x)
    return network(feature, parameters=laws, point=x, output_dim=2, output_bias=True).at(sigma_w1=1)


def formula_net():
    """A net with its width and a shared parameter in the formula; output weights are drawn by a spline."""
    w, x = symbol("w"), symbol("x")
    return network(sympy.tanh(w * x / S + 1 / N), parameters={w: Gaussian(S**2 / N)}, point=x, readout=StudentT(5))


def mixed_net(net, **laws):
    known = {**LAWS, "s": Discrete((1, 2)), "h": Gamma(2, THIRD), **laws}
    return mixture(net, {name: law for name, law in known.items() if name in net._symbols()})


NETS = {
    "cos": cos_net(output_bias=True),
    "gauss": gauss_net(output_dim=2, mean_w1=1),
    "relu": relu_net(input_dim=2, mean_w1=1, output_bias=True),
    "erf": erf_net(output_dim=2, output_bias=True),
    "linear": linear_net(input_dim=6, hidden_bias=True),
    "feature": general_net(),
}
MIXTURES = {
    **{name: mixed_net(net).at(N=7) for name, net in NETS.items()},
    **{f"{name} of random width": mixed_net(net, N=WIDTHS) for name, net in NETS.items()},
    "formula of random width": mixed_net(formula_net(), N=WIDTHS),
}

TENTH = sympy.Rational(1, 10)


def cos_tilt():
    net = cos_net(input_dim=2)
    potential = (neuron_sum(net.w0[0] ** 2) ** 2 + neuron_sum(net.w0[1] ** 2) ** 2 + neuron_sum(net.b0)) / net.N
    return tilted(net, potential).at(N=7, sigma_w0=1, sigma_w1=1, alpha=0.5)


def field_tilt():
    """With the field itself, in a net whose neurons are added a round at a time."""
    net = relu_net(output_bias=True, mean_w1=1)
    potential = neuron_sum(1, at=[[1]]) ** 4 + neuron_sum(net.w1**2)
    return tilted(net, potential).at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=1, sigma_b1=1, alpha=TENTH)


def family():
    net, alpha = gauss_net(), symbol("alpha")
    log_density = -sympy.log(1 + alpha) * neuron_sum(net.w0**2) ** 2 / net.N - alpha**2 * neuron_sum(net.b0**4)
    return score_family(net, log_density).at(N=6, sigma_w0=1, sigma_w1=1, sigma_b0=1, alpha=0.3)


def feature_tilt():
    """A net of the library's general kind, whose amplitude depends on its parameters."""
    w, b, t, x = (symbol(name) for name in ("w", "b", "t", "x"))
    laws = {w: Gaussian(1), b: Uniform(-1, 2), t: StudentT(5)}
    net = network(w**2 * (sympy.tanh(w * x + b) + sympy.cos(t * x)), parameters=laws, point=x)
    potential = neuron_sum(w**2 * b**2) ** 2 + neuron_sum(w**4) + neuron_sum(net.w1**2 * b**2)
    return tilted(net, potential).at(N=5, sigma_w1=1, alpha=0.05)


TILTS = {"cos": cos_tilt(), "field": field_tilt(), "family": family(), "feature": feature_tilt()}


def points(net) -> np.ndarray:
    return np.random.default_rng(4).uniform(-1, 1, (3, net.input_dim))
