"""Ensembles with broken independence, sampled: tilts, smooth families, mixtures, non-identical neurons."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, linear_net
from diagrams.independence import (
    Discrete,
    Gamma,
    Moments,
    SquareRoot,
    independent_sum,
    mixture,
    neuron_sum,
    score_family,
    tilted,
    with_parameter_list,
)
from diagrams.symbols import symbol
from numerics import Ensemble, compare
from numerics.estimators import block_sums, estimate_cumulants
from numerics.reweighting import EffectiveSampleSizeError, WeightedSums, weighted_sums

ALPHA = symbol("alpha")


def quartic(input_dim: int):
    """The tilt sum_j Q_j^2, Q_j the average over neurons of the squared weight W0_j (arXiv:2307.03223, section 2.3)."""
    net = cos_net(input_dim=input_dim)
    weights = (net.w0,) if input_dim == 1 else net.w0
    return tilted(net, sympy.Add(*(neuron_sum(w**2) ** 2 for w in weights)) / net.N**2)


def points(input_dim: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1.5, 1.5, (3, input_dim))


def derivative_by_hand(n: int, x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The first derivative of the quartic tilt, in closed form, for the Cos-net with unit variances."""
    dim = x.shape[1]
    s, e = 1 / dim, lambda v: np.exp(-(v**2).sum(-1) / 2 / dim)

    def d1(v):
        return s**3 / n**2 * e(v) * (2 * (n + 2) * (v**2).sum(-1) - s * (v**4).sum(-1))

    if index.shape[1] == 2:
        return d1(x[index[:, 0]] - x[index[:, 1]]) / 2
    total = 0.0
    for a, b, c, d in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)):
        u, v = x[index[:, a]] - x[index[:, b]], x[index[:, c]] - x[index[:, d]]
        both = d1(u) * e(v) + d1(v) * e(u)
        cross = -2 * s**4 / n**2 * (u**2 * v**2).sum(-1) * e(u) * e(v)
        total += 3 / (8 * n) * d1(x[index[:, a]] + x[index[:, b]] - x[index[:, c]] - x[index[:, d]])
        total += 0.25 * ((n - 1) / n * (both + cross) - both)
    return total


@pytest.mark.parametrize("input_dim", [1, 2])
def test_first_derivative_of_a_tilt(input_dim):
    broken, x = quartic(input_dim).at(N=2, sigma_w0=1, sigma_w1=1), points(input_dim)
    measured = Ensemble(broken, n_nets=200_000, seed=41).correlator_derivatives(x)
    result = compare(broken, measured)
    assert result.max_pull < 5
    for n in (2, 4):
        by_hand = derivative_by_hand(2, x, measured.indices(n))
        np.testing.assert_allclose(result.predicted[n], by_hand, rtol=1e-9, atol=1e-12)
        assert np.abs((measured.values(n) + by_hand) / measured.errors(n)).max() > 10  # the sign
    wrong_width = derivative_by_hand(3, x, measured.indices(2))
    assert np.abs((measured.values(2) - wrong_width) / measured.errors(2)).max() > 10
    assert "d^1/dalpha^1 of cos_net" in str(measured)


def test_a_covariance_with_a_product_of_cumulants_is_something_else():
    """The derivative of the four-point function is no covariance of V with phi^4 minus products of estimates."""
    broken, x = quartic(1).at(N=2, sigma_w0=1, sigma_w1=1), points(1)
    ensemble = Ensemble(broken, n_nets=200_000, seed=41)
    measured = ensemble.correlator_derivatives(x)
    phi, p = ensemble.sample(x), ensemble.parameters()
    v = (p["W0"][..., 0] ** 2).mean(axis=1) ** 2
    phi, dv = phi - phi.mean(axis=0), v - v.mean()
    first = np.einsum("sa,sb,s->ab", phi, phi, dv) / len(v)
    i, j = measured.indices(2).T
    np.testing.assert_allclose(measured.values(2), -first[i, j], atol=1e-4)
    a, b, c, d = measured.indices(4).T
    naive = -(phi[:, a] * phi[:, b] * phi[:, c] * phi[:, d] * dv[:, None]).mean(axis=0)
    assert np.abs((naive - measured.values(4)) / measured.errors(4)).max() > 10


def test_second_derivatives():
    broken, x = quartic(1).at(N=1, sigma_w0=1, sigma_w1=1), points(1)
    measured = Ensemble(broken, n_nets=1_000_000, seed=42).correlator_derivatives(x[:2], order=2, max_points=2)
    right = compare(broken, measured)
    assert right.max_pull < 5
    wrong = (measured.values(2) - right.predicted[2] / 2) / measured.errors(2)  # the Taylor coefficient instead
    assert np.abs(wrong).max() > 5
    assert np.abs(measured.values(2) / measured.errors(2)).max() > 10


def test_reweighting():
    """A quadratic tilt only changes the variance of the weights: exact at any strength."""
    net, alpha = cos_net(), 0.3
    broken = tilted(net, neuron_sum(net.w0**2)).at(N=3, sigma_w0=1, sigma_w1=1, alpha=alpha)
    ensemble = Ensemble(broken, n_nets=200_000, seed=43)
    measured = ensemble.connected_correlators(points(1))
    narrow = net.at(N=3, sigma_w0=sympy.sqrt(1 / (1 + 2 * sympy.Rational(3, 10))), sigma_w1=1)
    assert compare(narrow, measured).max_pull < 5
    assert compare(net.at(N=3, sigma_w0=1, sigma_w1=1), measured).max_pull > 10
    opposite = net.at(N=3, sigma_w0=sympy.sqrt(1 / (1 - 2 * sympy.Rational(3, 10))), sigma_w1=1)
    assert compare(opposite, measured).max_pull > 10
    assert measured.dataset.attrs["method"] == "reweighting"
    log_weights = ensemble.log_weights()
    np.testing.assert_allclose(log_weights, -alpha * (ensemble.parameters()["W0"] ** 2).sum(axis=(1, 2)))
    weights = np.exp(log_weights)
    size = weights.sum() ** 2 / (weights**2).sum()
    assert measured.dataset.attrs["effective_sample_size"] == pytest.approx(size, rel=1e-12)
    exact = 200_000 * ((1 + 4 * alpha) ** 0.5 / (1 + 2 * alpha)) ** 3
    assert size == pytest.approx(exact, rel=0.02)


def test_tilt_with_the_field_itself():
    """V = phi(z)^2 in a linear net: with the output, not only hidden parameters."""
    net = linear_net()
    broken = tilted(net, neuron_sum(1, at=[1]) ** 2).at(N=2, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(broken, n_nets=100_000, seed=44)
    np.testing.assert_allclose(
        Ensemble(broken.at(alpha=0.1), n_nets=100_000, seed=44).log_weights(count=1000),
        -0.1 * ensemble.sample([[1.0]], count=1000)[:, 0] ** 2,
        atol=1e-12,
    )
    measured = ensemble.correlator_derivatives([[1.0]], max_points=2)
    right = compare(broken, measured)
    assert right.max_pull < 5
    assert right.predicted[2][0] == pytest.approx(-5)  # -(kappa_4 + 2 kappa_2^2), kappa_4 = 6/N
    assert abs(measured.values(2)[0] + 2) / measured.errors(2)[0] > 10  # without kappa_4


def test_smooth_family():
    net = cos_net()
    family = score_family(net, -sympy.log(1 + ALPHA) * neuron_sum(net.w0**2)).at(N=2, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(family, n_nets=400_000, seed=45)
    for order in (1, 2):
        measured = ensemble.correlator_derivatives(points(1)[:2], order=order, max_points=2)
        assert compare(family, measured).max_pull < 5
        assert np.abs(measured.values(2) / measured.errors(2)).max() > 10
    strong = Ensemble(family.at(alpha=0.5), n_nets=100_000, seed=45)
    variance = 1 / (1 + 2 * np.log(1.5))
    narrow = net.at(N=2, sigma_w0=sympy.sqrt(sympy.Rational(variance)), sigma_w1=1)
    assert compare(narrow, strong.connected_correlators(points(1))).max_pull < 5


def test_too_few_effective_samples():
    net = cos_net()
    broken = tilted(net, neuron_sum(net.w0**2)).at(N=20, sigma_w0=1, sigma_w1=1, alpha=5)
    with pytest.raises(EffectiveSampleSizeError, match=r"2000 networks of .* are worth .* use more networks") as caught:
        Ensemble(broken, n_nets=2000).connected_correlators([[0.0]])
    assert caught.value.estimate.n_nets == 2000
    assert caught.value.estimate.dataset.attrs["effective_sample_size"] < 200
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


def test_weights_far_from_one_do_not_overflow():
    rng = np.random.default_rng(0)
    phi, log_weight = rng.normal(size=(900, 2)), rng.normal(size=900)

    def sums(shift: float) -> WeightedSums:
        blocks = [(30, iter([(phi[a : a + 30], log_weight[None, a : a + 30] + shift)])) for a in range(0, 900, 30)]
        return weighted_sums(iter(blocks), 2, 4)

    near = sums(0.0)
    for shift in (1e4, -1e4):
        far = sums(shift)
        assert far.effective_samples == pytest.approx(near.effective_samples)
        for n in (1, 2, 4):
            np.testing.assert_allclose(far.cumulants(n).values, near.cumulants(n).values, atol=1e-8)
            np.testing.assert_allclose(far.cumulants(n).errors, near.cumulants(n).errors, atol=1e-8)


def test_equal_weights_give_the_unweighted_estimate():
    phi = np.random.default_rng(1).normal(size=(3000, 2))
    blocks = [(100, iter([(phi[a : a + 100], np.full((1, 100), 0.7))])) for a in range(0, 3000, 100)]
    weighted = weighted_sums(iter(blocks), 2, 4)
    assert weighted.effective_samples == pytest.approx(3000)
    plain = block_sums(phi, block_size=100, shift=[0.0, 0.0])
    for n in (1, 2, 3, 4):
        expected = estimate_cumulants(plain, n)
        # the jackknife removes the bias of order 1/n with noise of the same order
        np.testing.assert_allclose(weighted.cumulants(n).values, expected.values, atol=3e-3)
        np.testing.assert_allclose(weighted.cumulants(n).errors, expected.errors, rtol=1e-2)


@pytest.mark.parametrize("width", [3, 300])
def test_mixture_of_output_variances(width):
    shared = {"sigma_w1": SquareRoot(Gamma(2, sympy.Rational(1, 2)))}
    mixed = mixture(cos_net(), shared).at(N=width, sigma_w0=1)
    measured = Ensemble(mixed, n_nets=60_000, seed=46).connected_correlators(points(1)[:2])
    assert measured.dataset.attrs["backend"] == "numba"
    assert compare(mixed, measured).max_pull < 5
    independent = cos_net().at(N=width, sigma_w0=1, sigma_w1=1)
    failed = compare(independent, measured)  # the right two-point function, a wrong four-point function
    assert np.abs(failed.pulls_of(2)).max() < 5
    assert np.abs(failed.pulls_of(4)).max() > 10


def test_mixture_of_several_parameters_does_not_depend_on_pieces():
    shared = {"sigma_w0": Discrete((1, 2)), "N": Discrete((1, 4), (sympy.Rational(1, 4), sympy.Rational(3, 4)))}
    mixed = mixture(cos_net(), shared).at(sigma_w1=1)
    ensemble = Ensemble(mixed, n_nets=30_000, seed=47)
    assert ensemble.connected_correlators([[0.0]], max_points=2).dataset.attrs["backend"] == "numba"
    assert compare(mixed, ensemble.connected_correlators(points(1)[:2])).max_pull < 5
    whole = ensemble.sample([[0.3]], count=1000)
    np.testing.assert_allclose(ensemble.sample([[0.3]], start=500, count=100), whole[500:600], atol=1e-14)
    with pytest.raises(ValueError, match="no single list of neurons"):
        ensemble.parameters()
    with pytest.raises(NotImplementedError, match="moments only"):
        Ensemble(mixture(cos_net(), {"sigma_w1": Moments((1, 2, 6, 24))}).at(N=2, sigma_w0=1), n_nets=10)
    with pytest.raises(ValueError, match="sigma_w1"):
        Ensemble(mixture(cos_net(), {"sigma_w0": Discrete((1, 2))}).at(N=2), n_nets=10)


def test_neurons_that_are_not_identical():
    net = cos_net()
    both = independent_sum(net.at(N=2, sigma_w0=1, sigma_w1=1), linear_net().at(N=3, sigma_w0=1, sigma_w1=0.5))
    ensemble = Ensemble(both, n_nets=200_000, seed=48)
    measured = ensemble.connected_correlators(points(1)[:2])
    assert compare(both, measured).max_pull < 5
    assert compare(both.parts[0], measured).max_pull > 10
    listed = with_parameter_list(net.at(sigma_w1=1), sigma_w0=[1, 1, 3])
    assert compare(listed, Ensemble(listed, n_nets=200_000, seed=49).connected_correlators(points(1)[:2])).max_pull < 5
    same = net.at(N=2, sigma_w0=1, sigma_w1=1)
    twice = Ensemble(independent_sum(same, same), n_nets=1000, seed=50)
    first, second = (part.outputs(np.zeros((1, 1)))(0, 0, 10) for part in twice._source.parts)
    assert not np.any(first == second)  # each part has a stream of its own


def test_unusable_requests():
    broken = quartic(1).at(N=2, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(broken, n_nets=100)
    with pytest.raises(ValueError, match="strength alpha has no number"):
        ensemble.connected_correlators([[0.0]])
    with pytest.raises(ValueError, match="has no strength 'beta'"):
        ensemble.correlator_derivatives([[0.0]], strength="beta")
    with pytest.raises(ValueError, match="order must be 1 or 2, got 3"):
        ensemble.correlator_derivatives([[0.0]], order=3)
    with pytest.raises(ValueError, match="max_points must be 1 to 6, got 7"):
        ensemble.correlator_derivatives([[0.0]], order=2, max_points=5)
    with pytest.raises(ValueError, match="has no strength"):
        Ensemble(broken.base, n_nets=100).correlator_derivatives([[0.0]])
    with pytest.raises(TypeError, match="is not deformed"):
        Ensemble(broken.base, n_nets=100).log_weights()
    plain = Ensemble(broken.base, n_nets=100).connected_correlators([[0.0]])
    with pytest.raises(ValueError, match="expansion in alpha: give compare its connected_correlators"):
        compare(broken, plain)
    with pytest.raises(ValueError, match="derivatives of order 1 were measured"):
        compare(broken.base, ensemble.correlator_derivatives([[0.0]]))
    with pytest.raises(ValueError, match="no numbers"):
        Ensemble(quartic(1), n_nets=100)


def test_finite_strength_against_the_expansion():
    broken = quartic(1).at(N=4, sigma_w0=1, sigma_w1=1, alpha=0.05)
    measured = Ensemble(broken, n_nets=100_000, seed=51).connected_correlators(points(1), max_points=2)
    theory = broken.connected_correlators(max_points=2, order={"alpha": 2})
    assert compare(theory, measured).max_pull < 5
