"""Every net sampled and compared with its exact correlators, and with theories that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net, scalar_net
from diagrams.distributions import Gaussian, StudentT, Uniform, UniformPhase
from diagrams.momenta import Ball
from diagrams.symbols import symbol
from numerics import Ensemble, compare
from numerics.demo import Sabotaged

X = np.array([[0.6], [-0.4], [0.9]])
BACKENDS = ("numba", "numpy")

# small sigma_b0 and points for the Gauss-net: its moments are those of a lognormal variable
NETS = {
    "cos": cos_net().at(sigma_w0=1, sigma_w1=1),
    "gauss": gauss_net().at(sigma_w0=0.5, sigma_w1=1, sigma_b0=0.2),
    "relu": relu_net().at(sigma_w0=1.2, sigma_w1=1, sigma_b0=0.4),
    "relu without bias": relu_net().at(sigma_w0=1, sigma_w1=1.1, sigma_b0=0),
    "erf": erf_net().at(sigma_w0=1, sigma_w1=1, sigma_b0=0.5),
    "linear": linear_net(hidden_bias=True).at(sigma_w0=1, sigma_w1=1, sigma_b0=0.3),
}
N_NETS = {"linear": 2_000_000, "erf": 1_000_000}


@pytest.mark.parametrize("width", [1, 2, 8, 20])
@pytest.mark.parametrize("name", NETS)
def test_correlators_agree_with_the_exact_ones(name, width):
    net = NETS[name].at(N=width)
    points = X[:2] if name == "erf" else X
    assert compare(net, Ensemble(net, n_nets=200_000, seed=21).connected_correlators(points)).max_pull < 5


@pytest.mark.parametrize("name", NETS)
def test_wrong_theories_are_excluded(name):
    net = NETS[name].at(N=4)
    measured = Ensemble(net, n_nets=N_NETS.get(name, 500_000), seed=22).connected_correlators(X[:2])
    assert compare(net, measured).max_pull < 5
    for wrong in (Sabotaged(net, -1), Sabotaged(net, 2), NETS[name].at(N=8)):
        correlators = wrong.connected_correlators(max_points=4) if wrong.width == 8 else connected(wrong)
        failed = compare(correlators, measured)
        assert np.abs(failed.pulls_of(4)).max() > 10
        assert np.abs(failed.pulls_of(2)).max() < 5


def connected(source):
    from diagrams.correlators import ConnectedCorrelators

    return ConnectedCorrelators(source, max_points=4)


@pytest.mark.parametrize("name", ["cos", "relu without bias"])
def test_six_point_functions(name):
    net = NETS[name].at(N=2)
    measured = Ensemble(net, n_nets=4_000_000, seed=23).connected_correlators(X[:2], max_points=6)
    right = compare(net, measured)
    assert right.max_pull < 5
    wrong = compare(NETS[name].at(N=4), measured)  # the six-point function goes as 1/N^2
    assert np.abs(wrong.pulls_of(6)).max() > 5


@pytest.mark.parametrize("name", NETS)
def test_array_code_is_the_same_ensemble(name):
    net = NETS[name].at(N=5)
    compiled, reference = (Ensemble(net, n_nets=400, seed=24, backend=b).block_sums(X).sums for b in BACKENDS)
    np.testing.assert_allclose(compiled, reference, rtol=1e-12, atol=1e-11)


def custom_net(output_dim: int = 1):
    """A feature with every kind of parameter density: ball, uniform, Gaussian with a mean, and Student's t."""
    k1, k2, c, a, t = (symbol(name) for name in ("k_1", "k_2", "c", "a", "t"))
    x, y = symbol("x"), symbol("y")
    feature = a * sympy.cos(k1 * x + k2 * y + c) / sympy.sqrt(1 + k1**2 + k2**2) + sympy.tanh(t * x) / 5
    laws = {
        (k1, k2): Ball(sympy.Integer(2), 2),
        c: UniformPhase(),
        a: Gaussian(sympy.Rational(1, 4), sympy.Integer(1)),
        t: StudentT(3),
    }
    net = network(
        feature, parameters=laws, point=(x, y), readout=Uniform(-2, 3), output_dim=output_dim, output_bias=True
    )
    return net.at(N=3, sigma_b1=0.5)


PLANE = np.array([[0.3, -0.5], [1.0, 0.2]])


def test_features_given_by_hand():
    net = custom_net(output_dim=2)
    compiled, reference = (Ensemble(net, n_nets=300, seed=25, backend=b).block_sums(PLANE).sums for b in BACKENDS)
    np.testing.assert_allclose(compiled, reference, rtol=1e-12, atol=1e-11)


def test_features_given_by_hand_in_float32():
    net = custom_net()
    single, double = (Ensemble(net, n_nets=9, backend="numpy", dtype=d).sample(PLANE) for d in ("float32", "float64"))
    assert single.dtype == np.float32
    assert single.shape == double.shape
    assert not np.allclose(single, double, atol=0.1)  # a stream of its own


def test_features_given_by_hand_have_their_moments():
    net = custom_net()
    ensemble = Ensemble(net, n_nets=40_000, seed=26, backend="numpy")
    measured = ensemble.connected_correlators(PLANE, max_points=2)
    p = ensemble.parameters()
    mean, spread = 0.5 / np.sqrt(3), np.sqrt(25 / 12 / 3)  # of Uniform(-2, 3) / sqrt(3)
    assert abs(p["W1"].mean() - mean) < 5 * spread / np.sqrt(p["W1"].size)
    assert abs(p["a"].mean() - 1) < 5 * 0.5 / np.sqrt(p["a"].size)
    assert abs(p["a"].var() - 0.25) < 5 * 0.25 * np.sqrt(2 / p["a"].size)
    radius = np.linalg.norm(p["k"], axis=-1)
    assert radius.max() < 2
    assert abs((radius**2).mean() - 2) < 5 * np.sqrt(4 / 3 / radius.size)  # variance of 4u, u uniform
    k, x = p["k"], PLANE
    wave = np.cos(k @ x.T + p["c"][..., None]) / np.sqrt(1 + radius**2)[..., None]
    h = p["a"][..., None] * wave + np.tanh(p["t"][..., None] * x[:, 0]) / 5
    phi = np.einsum("sn,snp->sp", p["W1"], h)
    sample = ensemble.sample(x) - phi  # the output bias, the same at both points
    np.testing.assert_allclose(sample[:, 0], sample[:, 1], atol=1e-12)
    assert abs(sample[:, 0].var() - 0.25) < 5 * 0.25 * np.sqrt(2 / len(sample))
    np.testing.assert_allclose(measured.tensor(2), np.cov(ensemble.sample(x).T), atol=1e-12)


@pytest.mark.parametrize("input_dim", [1, 2, 3])
def test_scalar_net_has_the_propagator_at_every_width(input_dim):
    x = np.random.default_rng(input_dim).uniform(-1, 1, (2, input_dim))
    net = scalar_net(input_dim=input_dim).at(N=2, m=1, Lambda=3)
    measured = Ensemble(net, n_nets=100_000, seed=27, backend="numpy").connected_correlators(x, max_points=2)
    assert compare(net, measured).max_pull < 5
    wrong = scalar_net(input_dim=input_dim).at(N=2, m=1.2, Lambda=3)
    assert compare(wrong, measured).max_pull > 10


def test_scalar_net_with_constant_amplitude():
    net = scalar_net(input_dim=1, alpha=0).at(N=2, m=1, Lambda=3)
    measured = Ensemble(net, n_nets=100_000, seed=28, backend="numpy").connected_correlators(X[:2])
    assert compare(net, measured).max_pull < 5


def test_several_outputs():
    net = linear_net(output_dim=2, output_bias=True).at(N=3, sigma_w0=1, sigma_w1=1, sigma_b1=0.5)
    ensemble = Ensemble(net, n_nets=300_000, seed=29, backend="numpy")
    measured = ensemble.connected_correlators(X[:2])
    assert ensemble.sample(X[:2], count=7).shape == (7, 2, 2)
    assert measured.outputs.tolist() == [0, 0, 1, 1]
    assert measured.points[:, 0].tolist() == [0.6, -0.4, 0.6, -0.4]
    assert compare(net, measured).max_pull < 5
    assert "2 outputs" in str(measured)
    assert "0:x_1, 1:x_2" in str(measured)
    wrong = measured.values(4)[[tuple(i) for i in measured.indices(4)].index((0, 0, 2, 2))]
    error = measured.errors(4)[[tuple(i) for i in measured.indices(4)].index((0, 0, 2, 2))]
    assert wrong / error > 10  # outputs share the neurons: E[h^4] - E[h^2]^2 for one pairing of the outputs
    with pytest.raises(ValueError, match="output_dim=1, but 2 outputs were measured"):
        compare(linear_net().at(N=3, sigma_w0=1, sigma_w1=1), measured)


def test_mean_of_output_weights():
    net = relu_net(mean_w1=sympy.Rational(1, 2)).at(N=4, sigma_w0=1, sigma_w1=1, sigma_b0=0)
    measured = Ensemble(net, n_nets=300_000, seed=30, backend="numpy").connected_correlators(X[:2])
    assert compare(net, measured).max_pull < 5
    assert measured.values(1)[0] / measured.errors(1)[0] > 10
    assert np.abs(measured.values(3) / measured.errors(3)).max() > 10  # odd correlators do not vanish
    zero_mean = relu_net().at(N=4, sigma_w0=1, sigma_w1=1, sigma_b0=0)
    assert compare(zero_mean, measured).max_pull > 10


def test_means_of_some_outputs():
    """Networks and single neurons against exact correlators; the same mean for the other output is another theory."""
    values = {"N": 4, "sigma_w0": 1, "sigma_w1": 1}
    net = relu_net(output_dim=2, hidden_bias=False, mean_w1=(1, 0)).at(**values)
    other = relu_net(output_dim=2, hidden_bias=False, mean_w1=(0, 1)).at(**values)
    for method in ("network", "neuron"):
        ensemble = Ensemble(net, n_nets=40_000, seed=31, backend="numpy")
        measured = ensemble.connected_correlators(X[:2], max_points=3, method=method)
        assert compare(net, measured).max_pull < 5
        assert compare(other, measured).max_pull > 10
    weights = ensemble.parameters(count=4000)["W1"]
    np.testing.assert_allclose(weights.mean(axis=(0, 1)), [0.5, 0], atol=5 * 0.5 / np.sqrt(16_000))


@pytest.mark.parametrize("name", ["cos", "gauss", "linear"])
def test_parameters_are_those_of_the_networks(name):
    net = NETS[name].at(N=6)
    features = {
        "cos": lambda w, b: np.cos(w + b),
        "gauss": lambda w, b: np.exp(w + b - 0.04 - 0.25 * X[:, 0] ** 2),
        "linear": lambda w, b: w + b,
    }
    ensemble = Ensemble(net, n_nets=500, seed=31, backend="numpy")
    p = ensemble.parameters(start=100, count=250)
    assert {k: v.shape for k, v in p.items()} == {"W1": (250, 6), "W0": (250, 6, 1), "b0": (250, 6)}
    h = features[name](p["W0"] @ X.T, p["b0"][..., None])
    np.testing.assert_allclose(
        np.einsum("sn,snp->sp", p["W1"], h), ensemble.sample(X, start=100, count=250), atol=1e-13
    )
    assert ensemble.parameters(start=500)["W0"].shape == (0, 6, 1)
    assert np.abs(p["b0"]).max() < np.pi


def test_what_cannot_be_drawn():
    x, w = symbol("x"), symbol("w")
    open_net = network(sympy.exp(-symbol("beta") * w**2 * x**2), parameters={w: Gaussian(1)}, point=x)
    with pytest.raises(ValueError, match="beta"):
        Ensemble(open_net.at(N=2, sigma_w1=1), n_nets=10)
    no_source = network(sympy.gamma(1 + w**2 * x**2), parameters={w: Gaussian(1)}, point=x).at(N=2, sigma_w1=1)
    with pytest.raises(ValueError, match="cannot evaluate gamma"):
        Ensemble(no_source, n_nets=10)
