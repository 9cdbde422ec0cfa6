"""Networks with several hidden layers, sampled: against the recursion in 1/N, symmetries, tangent kernels."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy import special

from diagrams import Euclidean, Orthogonal, Translation, cos_net, deep_net, erf_net, relu_net, symbol
from numerics import (
    Ensemble,
    compare,
    input_symmetry_test,
    sampled_tangent_kernels,
    symmetry_test,
    tangent_kernel,
    tangent_kernel_symmetry,
)

X = [[0.6, 0.3], [1.1, -0.2]]
VALUES = {"sigma_w0": sympy.Rational(3, 2), "sigma_w1": sympy.Rational(6, 5)}
BIASES = {"sigma_b0": sympy.Rational(3, 10), "sigma_b1": sympy.Rational(1, 5)}
TANH = sympy.tanh(symbol("z"))


def _net(activation, width, **options):
    net = deep_net(activation=activation, depth=2, input_dim=2, hidden_bias=True, output_bias=True, **options)
    return net.at(N=width, **VALUES, **BIASES)


@pytest.mark.parametrize(("activation", "width", "x"), [("relu", 60, X[:1]), ("cos", 40, X)], ids=["relu", "cos"])
def test_correlators_against_the_recursion(activation, width, x):
    """Through order 1/N; without the fluctuations that the first layer hands on the four-point function is wrong."""
    ensemble = Ensemble(_net(activation, width), n_nets=20_000, seed=3)
    measured = ensemble.connected_correlators(x, method="conditional")
    assert compare(_net(activation, width), measured).max_pull < 5
    assert compare(_net(activation, width, widths=(10**9, 1)), measured).max_pull > 8
    networks = ensemble.connected_correlators(x)  # the same networks, with output weights
    assert compare(_net(activation, width), networks).max_pull < 5
    difference = networks.values(2) - measured.values(2)
    assert np.abs(difference / networks.errors(2)).max() < 4
    assert (measured.errors(4) < networks.errors(4) / 3).all()


def test_correction_of_the_two_point_function():
    net = deep_net(activation="erf", depth=2, input_dim=2).at(N=10, **VALUES)
    measured = Ensemble(net, n_nets=100_000, seed=4).connected_correlators(X, max_points=2, method="conditional")
    errors = measured.errors(2)
    points = [tuple(map(sympy.Rational, p)) for p in X]
    orders = [net.orders([points[i] for i in pair]) for pair in ((0, 0), (0, 1), (1, 1))]
    limit, first = np.array([[float(o[k]) for k in (0, 1)] for o in orders]).T
    pulls = (measured.values(2) - limit - first / 10) / errors
    assert np.abs((measured.values(2) - limit) / errors).max() > 10
    assert np.abs(pulls).max() < 5


def test_linear_networks_of_two_outputs_are_exact():
    """E f_a f_a f_b f_b of products of Gaussian matrices, against the sampled outputs."""
    net = deep_net(activation="linear", depth=2, output_dim=2).at(N=20, sigma_w0=1, sigma_w1=1)
    measured = Ensemble(net, n_nets=60_000, seed=1).connected_correlators([[1.0]])
    assert compare(net, measured).max_pull < 5
    at = [tuple(i) for i in measured.indices(4)].index((0, 0, 1, 1))
    exact = (1 + 2 / 20) ** 2 - 1  # one of the three pairings
    assert abs(measured.values(4)[at] - exact) < 5 * measured.errors(4)[at]
    assert measured.values(4)[at] > 10 * measured.errors(4)[at]


@pytest.mark.parametrize(("name", "shallow"), [("cos", cos_net), ("relu", relu_net)])
def test_one_hidden_layer_against_the_exact_correlators(name, shallow):
    extra = {} if name == "cos" else {"hidden_bias": False}
    deep = deep_net(activation=name, depth=1, input_dim=2).at(N=4, sigma_w0=1, sigma_w1=1)
    exact = shallow(input_dim=2, **extra).at(N=4, sigma_w0=1, sigma_w1=1)
    measured = Ensemble(deep, n_nets=20_000, seed=2).connected_correlators(X, method="conditional")
    assert compare(exact, measured).max_pull < 5
    wrong = shallow(input_dim=2, **extra).at(N=3, sigma_w0=1, sigma_w1=1)
    assert compare(wrong, measured).max_pull > 6


def _by_hand(p, x, sigma):
    h = np.broadcast_to(x.T, (len(p["W0"]), *x.T.shape))
    for k in range(3):
        z = np.einsum("nij,njx->nix", p[f"W{k}"], h)
        z = sum((p[name][..., None] for name in (f"b{k}", f"c{k}") if name in p), z)
        h = sigma(z)
    return z


@pytest.mark.parametrize(
    ("activation", "sigma"),
    [("relu", lambda z: np.maximum(z, 0)), ("cos", np.cos), ("erf", special.erf), (TANH, np.tanh)],
    ids=["relu", "cos", "erf", "tanh"],
)
def test_networks_are_those_of_their_parameters(activation, sigma):
    net = _net(activation, 7, output_dim=3)
    ensemble = Ensemble(net, n_nets=500, seed=5)
    f, p = ensemble.sample(X), ensemble.parameters()
    np.testing.assert_allclose(f, _by_hand(p, np.array(X), sigma), atol=1e-13)
    reference = Ensemble(net, n_nets=500, seed=5, backend="numpy")
    np.testing.assert_allclose(reference.sample(X), f, atol=1e-12)
    np.testing.assert_array_equal(ensemble.sample(X, start=130, count=100), f[130:230])
    assert np.abs(Ensemble(net, n_nets=500, seed=6).sample(X) - f).max() > 0.1
    assert p["W1"].shape == (500, 7, 7)
    for name, scale in (("W0", 1.5 / np.sqrt(2)), ("W1", 1.2 / np.sqrt(7)), ("b2", 0.2)):
        assert abs((p[name] / scale).std() - 1) < 5 / np.sqrt(2 * p[name].size)
    if activation == "cos":
        assert np.abs(p["c1"]).max() < np.pi


def test_sums_do_not_depend_on_who_asks(tmp_path):
    net = deep_net(activation="relu", depth=2).at(N=5, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(net, n_nets=3000, seed=7)
    whole = ensemble.connected_correlators([[1.0]], max_points=2, checkpoint=tmp_path / "c")
    parts = ensemble.block_sums([[1.0]], max_points=2, blocks=ensemble.blocks[10:20])
    np.testing.assert_array_equal(parts.sums, ensemble.block_sums([[1.0]], max_points=2).sums[10:20])
    again = ensemble.connected_correlators([[1.0]], max_points=2, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(again.values(2), whole.values(2))
    single = Ensemble(net, n_nets=3000, seed=7, dtype="float32").connected_correlators([[1.0]], max_points=2)
    assert abs(single.values(2)[0] - whole.values(2)[0]) < 5 * np.hypot(single.errors(2)[0], whole.errors(2)[0])


def test_symmetries_that_are_proved_are_compatible():
    waves = deep_net(activation="cos", depth=3, input_dim=2, output_dim=3).at(N=8, sigma_w0=1, sigma_w1=1)
    assert waves.symmetry(Orthogonal(3)).holds
    assert symmetry_test(Ensemble(waves, n_nets=4000, seed=1), Orthogonal(3), x=X, elements=20).max_sigma < 4
    f = Ensemble(waves, n_nets=4000, seed=1).sample(X) * np.array([1, 1, 1.3])[:, None]
    assert symmetry_test(f, Orthogonal(3), elements=20).max_sigma > 10
    one = deep_net(activation="cos", depth=3, input_dim=2).at(N=8, sigma_w0=1, sigma_w1=1)
    assert one.symmetry(Euclidean(2)).holds
    assert input_symmetry_test(Ensemble(one, n_nets=4000, seed=2), Euclidean(2), X).max_sigma < 4
    relu = deep_net(activation="relu", depth=2, input_dim=2).at(N=8, sigma_w0=1, sigma_w1=1)
    assert relu.symmetry(Translation(2)).holds is False
    assert input_symmetry_test(Ensemble(relu, n_nets=4000, seed=3), Orthogonal(2), X).max_sigma < 4
    assert input_symmetry_test(Ensemble(relu, n_nets=4000, seed=3), Translation(2), X, orders=(2,)).max_sigma > 10


class TestTangentKernels:
    def test_against_finite_differences(self):
        net = _net("erf", 3, output_dim=2)
        p = {k: np.array(v) for k, v in Ensemble(net, n_nets=3, seed=2).parameters().items()}
        step, expected = 1e-6, 0.0
        for name, values in p.items():
            for k in range(values[0].size):
                ends = []
                for sign in (1, -1):
                    moved = {q: v.copy() for q, v in p.items()}
                    moved[name].reshape(3, -1)[:, k] += sign * step
                    ends.append(_by_hand(moved, np.array(X), special.erf))
                slope = (ends[0] - ends[1]) / (2 * step)
                expected = expected + np.einsum("nax,nby->nabxy", slope, slope)
        np.testing.assert_allclose(tangent_kernel(net, p, X), expected, rtol=1e-7, atol=1e-8)

    def test_one_hidden_layer_is_the_shallow_net(self):
        deep = deep_net(activation="relu", depth=1, input_dim=2).at(N=6, sigma_w0=1, sigma_w1=1)
        shallow = relu_net(input_dim=2, hidden_bias=False).at(N=6, sigma_w0=1, sigma_w1=1)
        p = Ensemble(deep, n_nets=9, seed=1).parameters()
        flat = {"W0": p["W0"], "W1": p["W1"][:, 0]}
        for kind in ("standard", "ntk"):
            theirs = tangent_kernel(shallow, flat, X, parametrisation=kind)
            np.testing.assert_allclose(tangent_kernel(deep, p, X, parametrisation=kind), theirs, rtol=1e-12)

    @pytest.mark.parametrize("name", ["relu", "erf", "cos"])
    def test_limit_of_infinite_width(self, name):
        shallow = {"relu": relu_net, "erf": erf_net, "cos": cos_net}[name]
        extra = {} if name == "cos" else {"hidden_bias": False}
        one = deep_net(activation=name, depth=1, input_dim=2).at(**VALUES)
        points = [tuple(map(sympy.Rational, p)) for p in X]
        exact = shallow(input_dim=2, **extra).at(**VALUES).tangent_kernel("ntk")
        assert float(one.limiting_tangent_kernel(*points)) == pytest.approx(float(exact.mean(*points)), rel=1e-12)
        net = _net(name, 100)
        kernels = sampled_tangent_kernels(net, X, n_nets=400, seed=3, parametrisation="ntk")[:, 0, 0]
        limit = [[float(net.limiting_tangent_kernel(a, b)) for b in points] for a in points]
        error = kernels.std(axis=0, ddof=1) / 20
        assert np.abs((kernels.mean(axis=0) - limit) / error).max() < 5  # corrections are of order 1/N
        top_layer_alone = np.abs((kernels.mean(axis=0) - np.array(limit) / 2) / error)
        assert top_layer_alone.max() > 10

    def test_symmetry(self):
        net = _net("relu", 6, output_dim=3)
        kernels = sampled_tangent_kernels(net, X, n_nets=3000, seed=2)
        assert tangent_kernel_symmetry(kernels, Orthogonal(3)).sigma < 4
        scales = np.array([1, 1, 1.2])
        assert (
            tangent_kernel_symmetry(kernels * scales[:, None, None] * scales[:, None, None, None], Orthogonal(3)).sigma
            > 10
        )


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda net: Ensemble(deep_net(activation="cos", depth=2), n_nets=9), ValueError, "have no numbers"),
        (lambda net: Ensemble(_net("cos", 3, widths=("1/2", 1)), n_nets=9), ValueError, "3/2 neurons"),
        (lambda net: Ensemble(net, n_nets=9).connected_correlators(X, method="neuron"), ValueError, "needs the indep"),
        (lambda net: tangent_kernel(net, {"W0": np.ones((1, 3, 2))}, X), ValueError, "'b0' is missing"),
        (lambda net: sampled_tangent_kernels(net, X, n_nets=2, parametrisation="lazy"), ValueError, "parametrisation"),
        (lambda net: compare(net, Ensemble(net, n_nets=99).connected_correlators(X[:1], max_points=5)), ValueError,
         "up to 4 points"),
    ],
)  # fmt: skip
def test_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(_net("cos", 3))
