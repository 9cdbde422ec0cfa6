"""Markov chains over the parameters of networks with an interaction, beside reweighting."""

from __future__ import annotations

import pickle

import numba
import numpy as np
import pytest
import sympy

from diagrams import cos_net, phi4_net
from diagrams.architectures import scalar_net
from diagrams.distributions import Uniform
from diagrams.engineering import deform
from diagrams.interactions import LocalInteraction
from diagrams.momenta import MODULUS
from diagrams.regions import Box, Sites
from numerics.chain_tuning import Chains, Tuning
from numerics.checkpoint import CheckpointError
from numerics.ensemble import Ensemble
from numerics.interacting_samples import InteractingSamples, NotConvergedError, sample_interacting
from numerics.kernels.scalar_chains import chain_kernels
from numerics.scalar_density import ScalarDensity

POINTS = np.array([[0.0], [0.7]])
STRONG = phi4_net(mass=1, cutoff=4, coupling=30, box=2).at(N=32)


def _density(dim: int, alpha: float, width: int = 70) -> ScalarDensity:
    base = scalar_net(input_dim=dim, mass=1, cutoff=4, alpha=alpha).at(N=width)
    return ScalarDensity.of(Ensemble(deform(base, LocalInteraction({3: 0.5, 4: 3}, region=Box(2))), n_nets=100))


@pytest.mark.parametrize(("dim", "alpha"), [(1, -1), (1, 0), pytest.param(2, -1, marks=pytest.mark.slow), (3, -1)])
def test_gradients_are_differences_of_the_energy(dim, alpha):
    density = _density(dim, alpha, width=20)
    z, k, c = (a[0] for a in density.draw((0, 0, 1)))

    def energy(z, k, c):
        grad = np.empty_like(z), np.empty_like(k), np.empty_like(c)
        action, prior = chain_kernels().energy_and_gradient(z, k, c, *density.grid, *grad)
        return action + prior, grad

    _, grad = energy(z, k, c)
    u = (k**2).sum(axis=0) + 1
    for which, at in ((0, (3,)), (0, (19,)), (1, (0, 4)), (1, (dim - 1, 7)), (2, (11,))):
        ends = []
        for h in (1e-5, -1e-5):
            state = [z.copy(), k.copy(), c.copy()]
            state[which][at] += h
            ends.append(energy(*state)[0])
        assert abs((ends[0] - ends[1]) / 2e-5 - grad[which][at]) < 1e-7 * max(1.0, abs(grad[which]).max())
    assert density.exponent == pytest.approx(alpha + 1)
    square = density.ensemble.architecture.base.feature.squared_amplitude.subs(MODULUS, 2)
    assert (density.constant * 5.0**-density.power) ** 2 == pytest.approx(float(square))
    assert u.min() >= 1


@pytest.mark.parametrize("method", ["hmc", "pcn"])
@pytest.mark.parametrize("dim", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_free_parameters_keep_their_densities(method, dim):
    """Without an interaction z stays normal, c uniform, and k of density (k^2 + m^2)^(-s) in the ball."""
    alpha = 0 if dim == 1 else -1
    base = scalar_net(input_dim=dim, mass=1, cutoff=3, alpha=alpha).at(N=64)
    net = deform(base, LocalInteraction({4: 0}, region=Sites((0,) if dim == 1 else (((0,) * dim),))))
    density = ScalarDensity.of(Ensemble(net, n_nets=100, seed=2))
    state = [np.repeat(a, 64, axis=0) for a in density.draw((0, 0, 1))]  # all chains from one network
    chains = Chains(density, state, np.zeros((1, dim)), 5)
    moves = Tuning(method, 0.7, 3, (1.5, 1.0)) if method == "hmc" else Tuning(method, 0.2, 1, (1.5, 1.0))
    chains.run(moves, 60 if method == "hmc" else 800)
    z, k, c = chains.state
    radius = np.sqrt((k**2).sum(axis=1))
    assert radius.max() <= 3 * (1 + 1e-12)
    modulus = np.linspace(0, 3, 4001)
    weight = modulus ** (dim - 1) * (modulus**2 + 1.0) ** -(alpha + 1)
    exact = np.trapezoid(modulus**2 * weight, modulus) / np.trapezoid(weight, modulus)
    for values, mean in ((radius**2, exact), (z**2, 1.0), (np.cos(c), 0.0), (np.cos(c) ** 2, 0.5), (k[:, 0], 0.0)):
        per_chain = values.mean(axis=1)  # chains are independent, and so are neurons without an interaction
        error = values.std() / values.size**0.5
        assert abs(per_chain.mean() - mean) < 5 * error
    assert abs((radius**2).mean() - 1.3 * exact) > 10 * (radius**2).std() / radius.size**0.5


def _one_neuron(lam: float) -> np.ndarray:
    """E[phi(0)^2], E[phi(0) phi(0.7)], E[phi(0.7)^2] of a network of one neuron, by quadrature over z, k and c."""
    z, wz = np.polynomial.hermite_e.hermegauss(120)
    t, wk = np.polynomial.legendre.leggauss(60)
    c = 2 * np.pi * np.arange(48) / 48
    x, wx = np.polynomial.legendre.leggauss(30)
    a = np.sqrt(2 * 8 / (2 * np.pi * ((4 * t) ** 2 + 1)))
    shape = a[:, None, None] * np.cos(4 * t[:, None, None] * x + c[None, :, None])  # box of side 2: x from -1 to 1
    quartic = (wx * shape**4).sum(axis=2) * lam / 24
    weight = wk[:, None, None] * wz * np.exp(-quartic[..., None] * z**4)
    fields = [a[:, None] * np.cos(4 * t[:, None] * p + c) for p in POINTS[:, 0]]
    pairs = [fields[0] ** 2, fields[0] * fields[1], fields[1] ** 2]
    return np.array([(weight * z**2 * p[..., None]).sum() for p in pairs]) / weight.sum()


@pytest.mark.parametrize("method", ["hmc", "pcn", "reweighting"])
def test_one_neuron_is_a_three_dimensional_integral(method):
    net = phi4_net(mass=1, cutoff=4, coupling=30, box=2).at(N=1)
    samples = sample_interacting(net, POINTS, method=method, n_draws=4000, seed=6)
    for estimator in ("combined", "plain"):  # conditional moments have heavy tails at strong coupling
        found = samples.correlators(max_points=2, estimator=estimator)
        assert np.abs((found.values(2) - _one_neuron(30)) / found.errors(2)).max() < 4
        assert np.abs((found.values(2) - _one_neuron(10)) / found.errors(2)).max() > 10


def test_all_methods_agree():
    found = {}
    for method in ("hmc", "pcn", "reweighting"):
        samples = sample_interacting(STRONG, POINTS, method=method, n_draws=1500, seed=7)
        assert samples.method == method
        found[method] = samples.correlators()
    for a, b in (("hmc", "pcn"), ("hmc", "reweighting")):
        for n in (2, 4):
            pulls = (found[a].values(n) - found[b].values(n)) / np.hypot(found[a].errors(n), found[b].errors(n))
            assert np.abs(pulls).max() < 4
    free = ScalarDensity.of(Ensemble(STRONG, n_nets=100)).propagator(POINTS)[np.triu_indices(2)]
    assert np.abs((found["hmc"].values(2) - free) / found["hmc"].errors(2)).min() > 10


def test_results_do_not_depend_on_threads():
    threads = numba.get_num_threads()
    results = []
    try:
        for n in (1, threads):
            numba.set_num_threads(n)
            results.append(sample_interacting(STRONG, POINTS, method="hmc", n_chains=5, n_draws=40, seed=1))
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(results[0].fields, results[1].fields)
    assert np.array_equal(results[0].moments, results[1].moments)
    other = sample_interacting(STRONG, POINTS, method="hmc", n_chains=5, n_draws=40, seed=2)
    assert not np.array_equal(results[0].fields, other.fields)


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    options = {"method": "hmc", "n_chains": 4, "n_draws": 250, "warmup": 30, "seed": 6}
    whole = sample_interacting(STRONG, POINTS, **options)
    path = tmp_path / "chains.nnft"
    run, calls = Chains.run, []

    def interrupted(self, tuning, count, **rest):
        if rest:
            calls.append(count)
            if len(calls) == 3:
                raise KeyboardInterrupt
        return run(self, tuning, count, **rest)

    monkeypatch.setattr(Chains, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample_interacting(STRONG, POINTS, checkpoint=path, **options)
    calls[:] = [0, 0, 0]
    resumed = sample_interacting(STRONG, POINTS, checkpoint=path, **options)
    assert calls[3:] == [50]  # two of three parts were on the disk
    for name in ("fields", "actions", "moments"):
        assert np.array_equal(getattr(whole, name), getattr(resumed, name))
    assert whole.diagnostics == resumed.diagnostics
    with pytest.raises(CheckpointError, match="another run"):
        sample_interacting(STRONG, POINTS, checkpoint=path, **(options | {"seed": 7}))


def test_the_pilot_run_chooses():
    weak = phi4_net(mass=1, cutoff=4, coupling=0.5, box=2).at(N=32)
    strong = phi4_net(mass=1, cutoff=4, coupling=1000, box=6).at(N=32)
    for net, expected in ((weak, "reweighting"), (strong, "hmc")):
        samples = sample_interacting(net, POINTS, n_chains=8, n_draws=40, seed=1)
        assert samples.method == expected
        costs = {m: samples.attrs[f"{m}_cost"] for m in ("hmc", "pcn", "reweighting")}
        assert min(costs, key=costs.get) == expected
        assert "pilot run" in samples._repr_html_()
        assert samples.method in repr(samples)


def test_diagnostics_and_errors_of_short_runs():
    samples = sample_interacting(STRONG, POINTS, method="hmc", n_chains=4, n_draws=25, seed=3)
    d = samples.diagnostics
    assert {"r_hat", "ess_bulk", "ess_tail", "autocorrelation_time", "acceptance", "divergences"} <= set(d)
    assert 0.4 < d["acceptance"] <= 1
    with pytest.raises(NotConvergedError, match="have not converged") as caught:
        samples.correlators(max_points=2)
    assert caught.value.estimate.values(2).shape == (3,)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), NotConvergedError)


def test_chains_that_disagree_are_found():
    """Half of the chains are shifted by half a standard deviation."""
    rng = np.random.default_rng(0)
    fields = rng.standard_normal((8, 500, 1))
    fields[:4] += 0.5
    moments = np.repeat(fields, 4, axis=2)
    zero = np.zeros((8, 500))
    tuning = Tuning("hmc", 0.5, 1, (1.0, 1.0))
    attrs = {"acceptance": 1.0, "divergences": 0}
    samples = InteractingSamples(np.zeros((1, 1)), fields, rng.random((8, 500)), moments, zero, tuning, "test", attrs)
    assert samples.diagnostics["r_hat"] > 1.01
    with pytest.raises(NotConvergedError, match="R-hat"):
        samples.correlators(max_points=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "nuts"}, "no method 'nuts'"),
        ({"n_chains": 2}, "n_chains must be an integer >= 4"),
        ({"n_draws": 5}, "n_draws must be an integer >= 20"),
        ({"warmup": -1}, "warmup must be"),
        ({"method": "reweighting", "checkpoint": "x.nnft"}, "keeps chains"),
    ],
)
def test_wrong_requests(options, message):
    with pytest.raises(ValueError, match=message):
        sample_interacting(STRONG, POINTS, **options)


def test_wrong_nets_and_estimators():
    with pytest.raises(ValueError, match="not deformed"):
        sample_interacting(cos_net().at(N=5, sigma_w0=1, sigma_w1=1), POINTS)
    flat = phi4_net(mass=1, cutoff=4, coupling=1, box=2, readout=Uniform(-sympy.sqrt(3), sympy.sqrt(3))).at(N=5)
    with pytest.raises(ValueError, match=r"output weights are not standard normal .* reweights independent networks"):
        sample_interacting(flat, POINTS)
    with pytest.raises(ValueError, match="have no numbers"):
        sample_interacting(phi4_net(mass=1, cutoff=4, box=2).at(N=5), POINTS)
    samples = sample_interacting(STRONG, POINTS, method="reweighting", n_draws=100)
    with pytest.raises(ValueError, match="estimator must be one of"):
        samples.correlators(estimator="best")
    with pytest.raises(ValueError, match="from 1 to 4"):
        samples.correlators(max_points=5)
