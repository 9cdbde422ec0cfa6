"""Deformed ensembles measured: quadrature, weights, exact models at sites, first order exact in N, diagnostics."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import factorial

import numba
import numpy as np
import pytest
from scipy import integrate

from diagrams.architectures import cos_net, linear_net, relu_net, scalar_net
from diagrams.cumulants import set_partitions
from diagrams.engineering import deform
from diagrams.independence import Discrete, mixture, neuron_sum, tilted
from diagrams.interactions import BilocalInteraction, LocalInteraction
from diagrams.phi4_networks import phi4_net
from diagrams.regions import Box, GaussianWeight, Sites
from diagrams.symbols import symbol
from numerics import EffectiveSampleSizeError, Ensemble
from numerics.closed_sums import power_integral
from numerics.quadrature_grids import region_grid

LAM = symbol("lambda")
X = np.array([[-0.5], [0.0], [0.75]])


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("region", [Box(3), GaussianWeight(1.2)], ids=["box", "weight"])
def test_quadrature_against_closed_sums(region, dim):
    rng = np.random.default_rng(1)
    w, k, c = rng.standard_normal((4, 3)), rng.uniform(-3, 3, (4, 3, dim)), rng.uniform(-np.pi, np.pi, (4, 3))
    for power in (2, 3, 4):
        grid = region_grid(region, dim, wavenumber=3.0 * power)
        phi = (w[:, None] * np.cos(grid.nodes @ np.swapaxes(k, 1, 2) + c[:, None])).sum(axis=-1)
        exact = power_integral(power, region, amplitudes=w, momenta=k, phases=c)
        np.testing.assert_allclose(phi**power @ grid.weights.ravel(), exact, atol=1e-6 * np.abs(exact).max())
    assert power_integral(4, Sites([0] if dim == 1 else [(0, 0)]), amplitudes=w, momenta=k, phases=c) == pytest.approx(
        ((w * np.cos(c)).sum(axis=1)) ** 4
    )


def closed_log_weights(ensemble: Ensemble, count: int) -> np.ndarray:
    """Return -Delta S of the scalar net from the closed sums over its neurons."""
    net = ensemble.architecture
    p = ensemble.parameters(count=count)
    (term,) = net.interaction.local
    amplitude = np.sqrt(2 * ball(net) / (2 * np.pi) ** net.input_dim / ((p["W0"] ** 2).sum(-1) + 1))
    return -sum(
        float(g) / factorial(n) * power_integral(
            n, term.region, amplitudes=p["W1"] * amplitude, momenta=p["W0"], phases=p["b0"]
        )
        for n, g in term.couplings
    )  # fmt: skip


def ball(net) -> float:
    radius = float(net.base.feature.momenta.radius)
    return 2 * radius if net.input_dim == 1 else np.pi * radius**2


@pytest.mark.parametrize(
    ("options", "couplings"),
    [
        ({"input_dim": 1, "box": 4}, {4: 1}),
        ({"input_dim": 1, "weight": 1}, {3: 0.5, 4: 1}),
        ({"input_dim": 2, "box": 2}, {2: -0.5, 4: 1}),
        ({"input_dim": 1, "box": 2}, {6: 2}),
    ],
    ids=["box", "weight, phi3 + phi4", "two dimensions", "phi6"],
)
def test_weights_against_closed_sums(options, couplings):
    region = phi4_net(mass=1, cutoff=4, coupling=1, **options).interaction.terms[0].region
    net = deform(scalar_net(input_dim=options["input_dim"], mass=1, cutoff=4), LocalInteraction(couplings, region))
    ensemble = Ensemble(net.at(N=3), n_nets=500, seed=3)
    few = 6 if 6 in couplings else 40
    found = ensemble.log_weights(count=few)
    np.testing.assert_allclose(found, closed_log_weights(ensemble, few), atol=3e-6, rtol=1e-6)
    assert np.abs(found).max() > 0.01


AGREE = {
    "scalar": phi4_net(mass=1, cutoff=4, coupling=2, box=3).at(N=7),
    "scalar 2d": phi4_net(input_dim=2, mass=1, cutoff=4, coupling=2, weight=1).at(N=7),
    "cos with bias": deform(cos_net(output_bias=True), LocalInteraction({4: 1}, region=GaussianWeight(1))).at(
        N=9, sigma_w0=1, sigma_w1=1, sigma_b1=0.5
    ),
    "relu": deform(relu_net(), LocalInteraction({4: 1}, region=Box(2))).at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=1),
    "two regions": deform(
        cos_net(), LocalInteraction({4: 1}, region=Box(1)) + LocalInteraction({2: 1}, Sites([0, 2]))
    ).at(N=5, sigma_w0=1, sigma_w1=1),
}
ALSO_COMPILED = {  # each compiles a kernel of its own
    "alpha 0": phi4_net(mass=1, cutoff=4, coupling=2, box=3, alpha=0).at(N=7),
    "cos 2d with mean": deform(cos_net(input_dim=2, mean_w1=1), LocalInteraction({4: 1}, region=Box(1))).at(
        N=9, sigma_w0=1, sigma_w1=1
    ),
}


@pytest.mark.parametrize(
    "net",
    [
        *(pytest.param(net, id=name) for name, net in AGREE.items()),
        *(pytest.param(net, id=name, marks=pytest.mark.slow) for name, net in ALSO_COMPILED.items()),
    ],
)
@pytest.mark.filterwarnings("ignore:the interaction is integrated with an error")
def test_compiled_and_array_code_agree(net):
    x = np.random.default_rng(0).uniform(-1, 1, (3, net.input_dim))
    fast = Ensemble(net, n_nets=300, seed=5).sample(x)
    slow = Ensemble(net, n_nets=300, seed=5, backend="numpy").sample(x, count=70)
    np.testing.assert_allclose(slow.fields, fast.fields[:70], atol=1e-12)
    np.testing.assert_allclose(slow.log_weights, fast.log_weights[:70], atol=1e-10, rtol=1e-9)
    np.testing.assert_array_equal(np.asarray(slow), slow.fields)


def test_streamed_and_sampled_estimates_are_the_same_for_any_number_of_threads():
    ensemble = Ensemble(phi4_net(mass=1, cutoff=4, coupling=2, box=4).at(N=10), n_nets=9000, seed=2)
    streamed = ensemble.connected_correlators(X, max_points=4)
    kept = ensemble.sample(X)
    for n in (1, 2, 3, 4):
        np.testing.assert_allclose(kept.correlators(max_points=4).values(n), streamed.values(n), rtol=0, atol=0)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        again = ensemble.connected_correlators(X, max_points=4)
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(again.values(4), streamed.values(4))
    np.testing.assert_array_equal(ensemble.log_weights(start=4000, count=50), kept.log_weights[4000:4050])
    d = kept.diagnostics
    assert d["effective_sample_size"] == pytest.approx(streamed.dataset.attrs["effective_sample_size"])
    assert d["quadrature_error"] < 1e-8
    assert 0 < d["fraction"] < 1
    assert d["log_normalisation"] == pytest.approx(np.log(np.exp(kept.log_weights).mean()))
    assert "effective sample size" in kept._repr_html_()
    assert "worth" in repr(kept)
    assert len(kept) == 9000


def moments_under(density, interaction) -> tuple[float, float]:
    """Return <y^2> and <y^4> of a density times exp(-interaction)."""
    parts = [
        2 * integrate.quad(lambda y, n=n: y**n * density(y) * np.exp(-interaction(y)), 0, 40, limit=400)[0]
        for n in (0, 2, 4)
    ]
    return parts[1] / parts[0], parts[2] / parts[0]


def test_a_lattice_of_two_sites_against_quadrature():
    """The linear net at N = 2 is phi(x) = x Y with a Laplace density: characteristic function 1/(1 + t^2/2)."""
    g = 3.0
    net = deform(linear_net(), LocalInteraction({4: g}, region=Sites([1, -2], weights=0.5)))
    measured = Ensemble(net.at(N=2, sigma_w0=1, sigma_w1=1), n_nets=100_000, seed=8).sample([[1.0]])
    estimate = measured.correlators(max_points=4)

    def action(y):
        return g / 24 * 0.5 * (1 + 16) * y**4

    second, fourth = moments_under(lambda y: np.exp(-np.sqrt(2) * abs(y)), action)
    pulls = [
        (estimate.values(2)[0] - second) / estimate.errors(2)[0],
        (estimate.values(4)[0] - fourth + 3 * second**2) / estimate.errors(4)[0],
    ]
    assert np.abs(pulls).max() < 4
    wrong = moments_under(lambda y: np.exp(-(y**2) / 2), action)[0]  # the limit of infinite width
    assert abs(estimate.values(2)[0] - wrong) / estimate.errors(2)[0] > 10
    half = moments_under(lambda y: np.exp(-np.sqrt(2) * abs(y)), lambda y: action(y) / 2)[0]
    assert abs(estimate.values(2)[0] - half) / estimate.errors(2)[0] > 10


def test_weights_at_sites_are_those_of_the_tilt():
    net = deform(cos_net(), LocalInteraction({2: 1, 4: 2}, region=Sites([0, 0.5]))).at(N=4, sigma_w0=1, sigma_w1=1)
    field = Ensemble(net, n_nets=200, seed=1).log_weights()
    tilt = Ensemble(net.as_tilt().at(t=1), n_nets=200, seed=1).log_weights()
    np.testing.assert_allclose(field, tilt, atol=1e-12)


def test_bilocal_terms():
    """A bilocal term at two sites, by hand; one with a delta-like kernel is refused if it is negative."""
    x, y = symbol("x_1"), symbol("x_2")
    net = deform(cos_net(), BilocalInteraction(1 + x * y, Sites([0, 1])) + LocalInteraction({4: 1}, Sites([0])))
    ensemble = Ensemble(net.at(N=4, sigma_w0=1, sigma_w1=1), n_nets=200, seed=1)
    phi = Ensemble(ensemble._base, n_nets=200, seed=1).sample([[0.0], [1.0]])
    kernel = np.array([[1.0, 1.0], [1.0, 2.0]])
    by_hand = -np.einsum("na,ab,nb->n", phi, kernel, phi) / 2 - phi[:, 0] ** 4 / 24
    np.testing.assert_allclose(ensemble.log_weights(), by_hand, atol=1e-12)
    negative = deform(cos_net(), BilocalInteraction(-1, Box(1))).at(N=4, sigma_w0=1, sigma_w1=1)
    with pytest.raises(ValueError, match="negative eigenvalue"):
        Ensemble(negative, n_nets=200).log_weights()


def test_every_kind_of_ensemble_can_be_deformed():
    quartic = LocalInteraction({4: 1}, region=Sites([0]))
    net = cos_net()
    tilt = tilted(net, neuron_sum(net.w0**2)).at(alpha=0.1, N=4, sigma_w0=1, sigma_w1=1)
    both = Ensemble(deform(tilt, quartic), n_nets=100, seed=1).log_weights()
    parts = [Ensemble(a, n_nets=100, seed=1).log_weights() for a in (tilt, deform(tilt.base, quartic))]
    np.testing.assert_allclose(both, sum(parts), atol=1e-12)
    mixed = mixture(net.at(N=4, sigma_w0=1), {"sigma_w1": Discrete((1, 2))})
    samples = Ensemble(deform(mixed, quartic), n_nets=100, seed=1).sample([[0.0]])
    np.testing.assert_allclose(samples.log_weights, -(samples.fields[:, 0] ** 4) / 24, atol=1e-12)


@cache
def scalar_moment_nodes(mass: float, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return momenta, probabilities and squared amplitudes of the scalar net in one dimension, alpha = -1."""
    t, w = np.polynomial.legendre.leggauss(120)
    k = cutoff * (1 + t) / 2
    return k, w / 2, 2 * cutoff / np.pi / (k**2 + mass**2)


def scalar_cumulant(n: int, width: int, places: list[np.ndarray], mass: float = 1.0, cutoff: float = 4.0) -> np.ndarray:
    """Return the connected n-point function of the free net by quadrature over one neuron's momentum."""
    k, probability, square = scalar_moment_nodes(mass, cutoff)

    def moment(block: tuple[int, ...]) -> np.ndarray:
        total, size = 0.0, len(block)
        for plus in combinations(range(size), size // 2):
            gap = sum(places[b] if i in plus else -places[b] for i, b in enumerate(block))
            total = total + np.cos(np.multiply.outer(gap, k)) @ (probability * square ** (size / 2))
        double = float(np.prod(np.arange(1, size, 2)))
        return double * total / 2**size

    total = 0.0
    for partition in set_partitions(range(n), even=True):
        sign = (-1) ** (len(partition) - 1) * factorial(len(partition) - 1)
        total = total + sign * np.prod([moment(tuple(b)) for b in partition], axis=0)
    return total * float(width) ** (1 - n / 2)


def first_order(width: float, x: float, y: float, length: float, cutoff: float = 4.0) -> float:
    """Return dG2(x, y)/dlambda at zero in a box, exact in N (infinite width included)."""
    t, w = np.polynomial.legendre.leggauss(60)
    z = length / 2 * t
    a, b = np.full_like(z, x), np.full_like(z, y)

    def c(*p: np.ndarray) -> np.ndarray:
        order = len(p)
        if order > 2 and np.isinf(width):
            return np.zeros_like(z)
        return scalar_cumulant(order, 1 if np.isinf(width) else int(width), list(p), cutoff=cutoff)

    body = (
        12 * c(a, z) * c(b, z) * c(z, z)
        + 4 * (c(a, z) * c(b, z, z, z) + c(b, z) * c(a, z, z, z))
        + 6 * c(z, z) * c(a, b, z, z)
        + c(a, b, z, z, z, z)
    )
    return float(-(body * w).sum() * length / 2 / 24)


@pytest.mark.parametrize("width", [5, 25])
def test_first_order_is_exact_in_the_width(width):
    net = phi4_net(mass=1, cutoff=4, box=2).at(N=width)
    measured = Ensemble(net, n_nets=120_000, seed=11).correlator_derivatives(X, strength="lambda", max_points=2)
    index = measured.indices(2)
    exact = np.array([first_order(width, *X[i, 0], 2.0) for i in index])
    assert np.abs((measured.values(2) - exact) / measured.errors(2)).max() < 4
    infinite = np.array([first_order(np.inf, *X[i, 0], 2.0) for i in index])
    if width == 5:  # the correction in 1/N is several times the limit
        assert np.abs(exact / infinite).max() > 2
        assert np.abs((measured.values(2) - infinite) / measured.errors(2)).max() > 10
    assert "d^1/dlambda^1" in str(measured)


def test_small_coupling_agrees_with_first_order():
    lam, width = 0.05, 5
    net = phi4_net(mass=1, cutoff=4, coupling=lam, box=2).at(N=width)
    ensemble = Ensemble(net, n_nets=60_000, seed=12)
    deformed = ensemble.sample(X[1:2])
    free = float(scalar_cumulant(2, width, [np.zeros(1)] * 2)[0])
    weights, phi2 = deformed.weights, deformed.fields[:, 0] ** 2
    shift = ((weights - 1) * phi2 - (weights - 1) * free).mean()  # the free part is known: what the weights change
    error = ((weights - 1) * (phi2 - free)).std() / np.sqrt(len(weights))
    exact = first_order(width, 0.0, 0.0, 2.0)
    assert abs(shift / lam - exact) < 4 * error / lam + 40 * lam * abs(exact) ** 2
    assert shift < 0


def test_too_few_effective_networks():
    net = phi4_net(mass=1, cutoff=4, coupling=10_000, box=4).at(N=10)
    ensemble = Ensemble(net, n_nets=2000, seed=1)
    with pytest.raises(EffectiveSampleSizeError, match="are worth") as caught:
        ensemble.connected_correlators(X, max_points=2)
    assert caught.value.estimate.values(2).shape == (6,)
    samples = ensemble.sample(X)
    assert samples.effective_sample_size < 200
    with pytest.raises(EffectiveSampleSizeError):
        samples.correlators(max_points=2)


def test_numbers_are_asked_for():
    symbolic = phi4_net(mass=1, cutoff=4, box=4).at(N=10)
    ensemble = Ensemble(symbolic, n_nets=1000)
    for use in (lambda: ensemble.sample(X), lambda: ensemble.connected_correlators(X), ensemble.log_weights):
        with pytest.raises(ValueError, match=r"'lambda'.*no numbers"):
            use()
    with pytest.raises(ValueError, match="no numbers"):
        Ensemble(phi4_net(), n_nets=1000)
    with pytest.raises(ValueError, match="has no strength 'beta'"):
        ensemble.correlator_derivatives(X, strength="beta")
    offset = deform(scalar_net(mass=1, cutoff=4), LocalInteraction({4: 1 + LAM}, region=Box(4))).at(N=5)
    with pytest.raises(ValueError, match="does not vanish"):
        Ensemble(offset, n_nets=1000).correlator_derivatives(X, strength="lambda")
    with pytest.raises(ValueError, match="quadrature nodes"):
        Ensemble(phi4_net(input_dim=4, mass=1, cutoff=9, coupling=1, box=9).at(N=2), n_nets=10).sample([[0.0] * 4])
    few = Ensemble(phi4_net(mass=1, cutoff=4, coupling=1, box=4).at(N=2), n_nets=10).sample(X)
    with pytest.raises(ValueError, match="1 to 6"):
        few.correlators(max_points=0)


def test_signs_of_all_powers():
    """One neuron at one site: the weight is exp(-sum g_n phi^n / n!)."""
    net = deform(cos_net(), LocalInteraction({1: 0.5, 2: 1, 3: 1, 4: 2, 6: 3}, region=Sites([0])))
    ensemble = Ensemble(net.at(N=1, sigma_w0=1, sigma_w1=1), n_nets=50, seed=1)
    (phi,) = ensemble.sample([[0.0]]).fields.T
    by_hand = -(phi / 2 + phi**2 / 2 + phi**3 / 6 + phi**4 / 12 + phi**6 / 240)
    np.testing.assert_allclose(ensemble.log_weights(), by_hand, atol=1e-13)
