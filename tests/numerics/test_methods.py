"""Methods that integrate output weights: exact correlators, each other, unbiasedness, coverage, heavy tails."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
import sympy

from diagrams import cos_net, erf_net, gauss_net, relu_net, tilted
from diagrams.cumulants import cumulant_from_moments
from diagrams.distributions import Constant, Uniform
from diagrams.independence import neuron_sum
from numerics import Ensemble, compare
from numerics.estimators import Cumulants, block_sums
from numerics.methods import neuron_model
from numerics.neuron_cumulants import neuron_correlators
from numerics.neuron_sampling import HiddenNumbers
from numerics.tails import HeavyTailWarning, allowed_share, largest_share

ONE = np.array([[-0.8], [0.3], [1.0]])
TWO = np.array([[0.5, -0.2], [1.0, 0.4], [-0.3, 0.9]])
STANDARD = {"N": 50, "sigma_w0": 1, "sigma_w1": 1}
NETS = {
    "cos": (cos_net(input_dim=1).at(**STANDARD), ONE),
    "cos, d = 2": (cos_net(input_dim=2, output_bias=True).at(**STANDARD, sigma_b1=sympy.Rational(1, 2)), TWO),
    "relu, d = 2": (relu_net(input_dim=2, hidden_bias=False).at(**STANDARD), TWO),
    "erf": (erf_net(input_dim=1).at(**STANDARD, sigma_b0=1), ONE),
    "two outputs": (cos_net(input_dim=1, output_dim=2).at(**STANDARD), ONE[:2]),
}
WAYS = [("conditional", "random"), ("neuron", "random"), ("neuron", "sobol")]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("method", "sampling"), WAYS)
def test_exact_correlators(name, method, sampling):
    net, x = NETS[name]
    n_nets = 4000 if method == "conditional" else 20_000
    ensemble = Ensemble(net, n_nets=n_nets, seed=7, backend="numpy")
    measured = ensemble.connected_correlators(x, max_points=4, method=method, sampling=sampling)
    result = compare(net, measured)
    assert result.max_pull < 4.5
    assert not measured.values(3).any()
    assert not measured.errors(3).any()
    assert "integrated out" in measured.dataset.attrs["method"]
    limit = {"conditional": 0.15, "neuron": 0.1}[method]
    assert np.linalg.norm(measured.errors(4)) < limit * np.linalg.norm(measured.values(4))
    doubled = (measured.values(4) - 2 * result.predicted[4]) / np.where(measured.errors(4) == 0, 1, measured.errors(4))
    assert np.abs(doubled).max() > 6


def test_six_points():
    net, x = NETS["cos"]
    for method, sampling in WAYS:
        ensemble = Ensemble(net, n_nets=20_000, seed=5, backend="numpy")
        result = compare(net, ensemble.connected_correlators(x[:2], max_points=6, method=method, sampling=sampling))
        assert result.max_pull < 4.5
    assert np.linalg.norm(result.measured.errors(6)) < 0.02 * np.linalg.norm(result.measured.values(6))
    wrong = (result.measured.values(6) - result.predicted[6] * 50) / result.measured.errors(6)
    assert np.abs(wrong).max() > 10


@pytest.mark.parametrize("method", ["conditional", "neuron"])
def test_compiled_kernel_and_array_code_agree(method):
    net, x = cos_net(input_dim=1).at(N=4, sigma_w0=1, sigma_w1=1), ONE
    found = [
        Ensemble(net, n_nets=3000, seed=2, backend=b).connected_correlators(x, method=method)
        for b in ("numba", "numpy")
    ]
    for n in (2, 4):
        assert np.allclose(found[0].values(n), found[1].values(n), rtol=1e-10, atol=1e-13)


def test_methods_agree_with_whole_networks():
    net, x = erf_net(input_dim=1).at(N=2, sigma_w0=1, sigma_w1=1, sigma_b0=1), ONE[:2]
    plain = Ensemble(net, n_nets=100_000, seed=1).connected_correlators(x)
    for method in ("conditional", "neuron"):
        other = Ensemble(net, n_nets=100_000, seed=2, backend="numpy").connected_correlators(x, method=method)
        for n in (2, 4):
            errors = np.hypot(plain.errors(n), other.errors(n))
            assert np.abs((plain.values(n) - other.values(n)) / errors).max() < 4
    rescaled = other.at_width(8)  # the wrong width
    assert np.abs((plain.values(4) - rescaled.values(4)) / plain.errors(4)).max() > 10


def test_one_run_serves_every_width():
    net, x = NETS["relu, d = 2"]
    measured = Ensemble(net, n_nets=40_000, seed=3, backend="numpy").connected_correlators(x, method="neuron")
    for width in (1, 10, 1000):
        there = measured.at_width(width)
        other = relu_net(input_dim=2, hidden_bias=False).at(N=width, sigma_w0=1, sigma_w1=1)
        assert compare(other, there).max_pull < 4.5
        assert f"N={width}" in repr(there)
    assert np.abs((measured.at_width(10).values(4) - measured.values(4)) / measured.errors(4)).max() > 10


@pytest.mark.parametrize("sampling", ["random", "sobol"])
def test_odd_orders(sampling):
    net = relu_net(input_dim=1, hidden_bias=False, readout=Uniform(-1, 2)).at(N=7, sigma_w0=1)
    x = np.array([[0.5], [-1.0]])
    measured = Ensemble(net, n_nets=200_000, seed=4, backend="numpy").connected_correlators(
        x, max_points=5, method="neuron", sampling=sampling
    )
    result = compare(net, measured)
    assert result.max_pull < 4.5
    for n in (1, 3, 5):
        assert np.abs(result.predicted[n]).max() > 8 * measured.errors(n).max()


def test_unbiased_at_every_sample_size():
    """The average over all possible samples of a feature with three values is the cumulant, exactly."""
    values, readout = np.array([0.0, 1.0, 3.0]), Uniform(-1, 2)
    net = relu_net(input_dim=1, readout=readout).at(N=5, sigma_w0=1, sigma_b0=1)

    def moment(block):
        return readout.moment(len(block)) * sympy.Rational(int((values ** len(block)).sum()), 3)

    for n in (1, 2, 3):
        found = []
        for sample in product(values, repeat=n + 1):
            sums = block_sums(np.array(sample)[:, None], block_size=1, max_points=n, shift=[0.0])
            found.append(neuron_correlators(sums, n, net, independent=True).values[0])
        exact = float(cumulant_from_moments(range(n), moment)) * 5 ** (1 - n / 2)
        assert np.mean(found) == pytest.approx(exact, rel=1e-12)
        if n == 3:  # products of means as they are would be biased
            plug_in = []
            for sample in product(values, repeat=n + 1):
                m = [np.mean(np.array(sample) ** k) * float(readout.moment(k)) for k in (1, 2, 3)]
                plug_in.append((m[2] - 3 * m[1] * m[0] + 2 * m[0] ** 3) * 5 ** (1 - n / 2))
            assert abs(np.mean(plug_in) - exact) > 0.01 * abs(exact)


@pytest.mark.parametrize("sampling", ["random", "sobol"])
def test_errors_cover(sampling):
    net, x = cos_net(input_dim=1).at(**STANDARD), ONE[1:2]
    exact = float(net.connected_correlators()[4](*[x[0, 0]] * 4))
    inside = []
    for seed in range(200):
        ensemble = Ensemble(net, n_nets=256 if sampling == "sobol" else 640, seed=seed, backend="numpy")
        measured = ensemble.connected_correlators(x, method="neuron", sampling=sampling)
        inside.append(abs(measured.values(4)[0] - exact) < measured.errors(4)[0])
    assert 0.6 < np.mean(inside) < 0.8


def test_sobol_is_reproducible_and_gains():
    net, x = NETS["cos"]
    ensemble = Ensemble(net, n_nets=2**14, seed=1, backend="numpy")
    first, again = (ensemble.connected_correlators(x, method="neuron", sampling="sobol") for _ in range(2))
    assert np.array_equal(first.values(4), again.values(4))
    plain = ensemble.connected_correlators(x, method="neuron")
    assert np.linalg.norm(plain.errors(4)) > 5 * np.linalg.norm(first.errors(4))
    assert first.dataset.attrs["dimension"] == 2
    assert "16384 neurons" in repr(first)


def test_antithetic_neurons():
    net = relu_net(input_dim=1, hidden_bias=False).at(**STANDARD)
    x = np.array([[0.5], [1.0]])
    squares = {}
    for sampling in ("random", "antithetic"):
        runs = [
            Ensemble(net, n_nets=6400, seed=seed, backend="numpy").connected_correlators(
                x, max_points=2, method="neuron", sampling=sampling
            )
            for seed in range(30)
        ]
        squares[sampling] = np.mean([run.errors(2)[0] ** 2 for run in runs])
        assert max(compare(net, run).max_pull for run in runs) < 5
    # relu(w)^2 + relu(-w)^2 = w^2: a variance of 1/2 for each pair, where two independent neurons have 5/8
    assert squares["antithetic"] / squares["random"] == pytest.approx(0.8, abs=0.06)
    with pytest.raises(ValueError, match="same feature up to a sign"):
        Ensemble(NETS["cos"][0], n_nets=2000).connected_correlators(ONE, method="neuron", sampling="antithetic")


def test_points_are_rotated_into_few_coordinates():
    net = cos_net(input_dim=5).at(**STANDARD)
    x = np.random.default_rng(0).normal(size=(2, 5))
    numbers = HiddenNumbers.of(net, neuron_model(net), x)
    assert numbers.dim == 3  # two components of w along the points, and the phase
    assert np.allclose(numbers.points @ numbers.points.T, x @ x.T)
    ensemble = Ensemble(net, n_nets=2**14, seed=1, backend="numpy")
    assert compare(net, ensemble.connected_correlators(x, method="neuron", sampling="sobol")).max_pull < 4.5


def test_heavy_tails_are_found_and_mended():
    net = gauss_net(input_dim=1).at(N=100, sigma_w0=1, sigma_w1=1, sigma_b0=1)
    x = np.array([[0.0], [0.01]])
    ensemble = Ensemble(net, n_nets=100_000, seed=3, backend="numpy")
    with pytest.warns(HeavyTailWarning, match="sampling='importance'"):
        plain = ensemble.connected_correlators(x, max_points=6, method="neuron")
    exact = compare(net, plain).predicted[6]
    assert np.all(plain.values(6) < exact / 3)  # the moment is in tails that were not drawn
    tilted_neurons = ensemble.connected_correlators(x, max_points=6, method="neuron", sampling="importance")
    assert compare(net, tilted_neurons).max_pull < 4
    assert np.all(tilted_neurons.errors(6) < 0.02 * exact)


def test_light_tails_raise_no_alarm():
    with warnings.catch_warnings():
        warnings.simplefilter("error", HeavyTailWarning)
        for seed in range(10):
            ensemble = Ensemble(NETS["cos"][0], n_nets=6400, seed=seed, backend="numpy")
            ensemble.connected_correlators(ONE, method="neuron")
    rng = np.random.default_rng(0)
    for n_blocks in (16, 64, 1000):
        shares = [
            largest_share(Cumulants(np.zeros((1, 4)), np.zeros(1), rng.normal(size=(n_blocks, 1)))) for _ in range(300)
        ]
        assert max(shares) < allowed_share(n_blocks)
    lognormal = [
        largest_share(Cumulants(np.zeros((1, 4)), np.zeros(1), np.exp(6 * rng.normal(size=(64, 1))))) for _ in range(50)
    ]
    assert np.mean(np.array(lognormal) > allowed_share(64)) > 0.9


@pytest.mark.parametrize(
    ("net", "options", "match"),
    [
        (NETS["cos"][0], {"method": "neurons"}, "no method 'neurons'"),
        (NETS["cos"][0], {"sampling": "halton", "method": "neuron"}, "no sampling 'halton'"),
        (NETS["cos"][0], {"sampling": "sobol"}, "is for method='neuron'"),
        (NETS["cos"][0], {"sampling": "importance", "method": "neuron"}, "must be positive"),
        (cos_net(mean_w1=1).at(**STANDARD), {"method": "conditional"}, "Gaussian output weights without mean"),
        (cos_net(output_dim=2, mean_w1=(1, 0)).at(**STANDARD), {"method": "conditional"}, "and means"),
        (cos_net(readout=Uniform(-1, 1)).at(N=5, sigma_w0=1), {"method": "conditional"}, "takes any density"),
        (cos_net(readout=Constant(1)).at(N=5, sigma_w0=1), {"method": "conditional"}, "takes any density"),
    ],
)
def test_methods_that_do_not_fit_are_refused(net, options, match):
    with pytest.raises(ValueError, match=match):
        Ensemble(net, n_nets=2000, backend="numpy").connected_correlators(ONE, **options)


def test_other_refusals():
    net = cos_net(input_dim=1).at(**STANDARD)
    with pytest.raises(ValueError, match="float32 would swamp"):
        Ensemble(net, n_nets=1000, dtype="float32").connected_correlators(ONE, method="conditional")
    with pytest.raises(ValueError, match="16 replicates"):
        Ensemble(net, n_nets=100, backend="numpy").connected_correlators(ONE, method="neuron", sampling="sobol")
    with pytest.raises(ValueError, match="method='neuron' gives estimates for every width"):
        Ensemble(net, n_nets=100, backend="numpy").connected_correlators(ONE).at_width(3)
    deformed = tilted(net, neuron_sum(net.w0**2) ** 2 / 2500).at(alpha=0.1)
    with pytest.raises(ValueError, match="use method='network'"):
        Ensemble(deformed, n_nets=1000, backend="numpy").connected_correlators(ONE, method="neuron")
    measured = Ensemble(net, n_nets=1000, backend="numpy").connected_correlators(ONE, method="neuron")
    with pytest.raises(TypeError, match="width must be an integer"):
        measured.at_width(2.5)
    with pytest.raises(ValueError, match="width must be positive"):
        measured.at_width(0)


def test_pull_of_exact_values():
    net, x = NETS["cos"]
    measured = Ensemble(net, n_nets=1000, backend="numpy").connected_correlators(x, method="neuron")
    result = compare(net, measured)
    assert np.all(result.pulls_of(3) == 0)
    shifted = type(result)(result.label, measured, {**result.predicted, 3: result.predicted[3] + 0.1})
    assert np.isinf(shifted.max_pull)
    assert np.isinf(shifted.chi2)
    assert shifted.p_value == 0
