"""Fields of several components: their interaction, its gradient, and networks sampled by every method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diagrams import phi4_net
from diagrams.architectures import scalar_net
from diagrams.engineering import deform
from diagrams.regions import Box
from diagrams.vector_interactions import VectorInteraction
from numerics.ensemble import Ensemble
from numerics.interacting_samples import sample_interacting
from numerics.scalar_density import ScalarDensity

POINTS = np.array([[0.0], [0.5]])
O2 = phi4_net(mass=1, cutoff=5, coupling=3, box=4, components=2)
MIXED = VectorInteraction(3, {4: 3, (2, 1, 0): 0.4, (0, 2, 2): 1}, region=Box(2))


def _density(dim: int = 1) -> ScalarDensity:
    base = scalar_net(input_dim=dim, mass=1, cutoff=4, output_dim=3).at(N=20)
    return ScalarDensity.of(Ensemble(deform(base, MIXED), n_nets=100))


@pytest.mark.parametrize("dim", [1, 2])
def test_gradients_of_all_components_are_differences_of_the_energy(dim):
    density = _density(dim)
    z, k, c = (a[0] for a in density.draw((0, 0, 1)))

    def energy(z, k, c):
        grad = np.empty_like(z), np.empty_like(k), np.empty_like(c)
        return density.kernels.energy_and_gradient(z, k, c, *density.grid, *grad)[0], grad

    _, grad = energy(z, k, c)
    for which, at in ((0, (3,)), (0, (64 + 19,)), (0, (128 + 7,)), (1, (0, 4)), (1, (dim - 1, 7)), (2, (11,))):
        ends = []
        for h in (1e-5, -1e-5):
            state = [z.copy(), k.copy(), c.copy()]
            state[which][at] += h
            ends.append(energy(*state)[0])
        assert abs((ends[0] - ends[1]) / 2e-5 - grad[which][at]) < 1e-7 * max(1.0, abs(grad[which]).max())


def test_one_component_is_the_code_of_one_field():
    one = ScalarDensity.of(Ensemble(phi4_net(mass=1, cutoff=5, coupling=3, box=4).at(N=70), n_nets=100))
    several = replace(one, powers=tuple((n,) for n in range(5)))
    assert several.kernels is not one.kernels
    z, k, c = (a[0] for a in one.draw((0, 0, 1)))
    found = []
    for density in (one, several):
        grad = np.empty_like(z), np.empty_like(k), np.empty_like(c)
        found.append((*density.kernels.energy_and_gradient(z, k, c, *density.grid, *grad), *grad))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)
    assert several.mean_interaction == one.mean_interaction


def test_the_interaction_is_the_polynomial_of_the_fields():
    """At many points of the box the polynomial of all components is summed by hand."""
    ensemble = Ensemble(deform(scalar_net(mass=1, cutoff=4, output_dim=3).at(N=20), MIXED), n_nets=200, seed=3)
    x, w = np.polynomial.legendre.leggauss(80)
    a, b, c = np.split(Ensemble(ensemble.architecture.base, n_nets=200, seed=3).sample(x[:, None]), 3, axis=1)
    a, b, c = a[:, 0], b[:, 0], c[:, 0]
    by_hand = (3 / 24 * (a**2 + b**2 + c**2) ** 2 + 0.4 / 2 * a**2 * b + 1 / 4 * b**2 * c**2) @ w
    np.testing.assert_allclose(-ensemble.log_weights(), by_hand, atol=2e-6)
    density = ScalarDensity.of(ensemble)
    z, k, ph = density.draw((0, 0, 4))
    energies = [
        density.kernels.energy_and_gradient(
            z[i], k[i], ph[i], *density.grid, np.empty_like(z[i]), np.empty_like(k[i]), np.empty_like(ph[i])
        )[0]
        for i in range(4)
    ]
    np.testing.assert_allclose(energies, by_hand[:4], atol=2e-6)
    error = by_hand.std() / len(by_hand) ** 0.5
    assert abs(by_hand.mean() - density.mean_interaction) < 4 * error


@pytest.mark.parametrize("method", ["hmc", "pcn"])
def test_chains_agree_with_weighted_networks(method):
    net = O2.at(N=32)
    samples = sample_interacting(net, POINTS, method=method, n_draws=1200, seed=3)
    found = samples.correlators()
    weighted = Ensemble(net, n_nets=16_000, seed=5).connected_correlators(POINTS, max_points=4)
    assert found.dataset.attrs["estimator"] == "plain"
    np.testing.assert_array_equal(found.outputs, [0, 0, 1, 1])
    for n in (2, 4):
        pulls = (found.values(n) - weighted.values(n)) / np.hypot(found.errors(n), weighted.errors(n))
        assert np.abs(pulls).max() < 4
    free = ScalarDensity.of(Ensemble(net, n_nets=100)).propagator(POINTS)[0, 0]
    assert abs(found.values(2)[0] - free) > 10 * found.errors(2)[0]


def test_what_several_fields_refuse():
    with pytest.raises(ValueError, match="output_dim=2, and the interaction"):
        deform(scalar_net(output_dim=2), VectorInteraction(3, {4: 1}, region=Box(2)))
    with pytest.raises(ValueError, match=r"output_dim=1, and the interaction .* 2 component"):
        deform(scalar_net(), VectorInteraction(2, {4: 1}, region=Box(2)))
    with pytest.raises(ValueError, match="must be >= 0"):
        phi4_net(coupling=-1, components=2)
    unbounded = VectorInteraction(2, {(4, 0): 1, (0, 4): 1, (2, 2): -2}, region=Box(2))
    with pytest.raises(ValueError, match=r"direction \(.*0.707"):
        deform(scalar_net(output_dim=2), unbounded)
    with pytest.raises(ValueError, match="even power of the field"):
        VectorInteraction(2, {3: 1}, region=Box(2))
    with pytest.raises(ValueError, match="one component: use method='network'"):
        Ensemble(O2.at(N=8), n_nets=100).connected_correlators(POINTS, method="parts")
    samples = sample_interacting(O2.at(N=8), POINTS, method="reweighting", n_draws=100)
    with pytest.raises(ValueError, match="use estimator='plain'"):
        samples.correlators(estimator="parts")
    with pytest.raises(ValueError, match="vector_first_order"):
        O2.at(N=8).connected_correlators(order={"1/N": 1, "lambda": 1})


def test_latex_shows_the_invariant():
    shown = O2.to_latex()
    assert (
        r"\exp\!\left[-\frac{1}{8} \int_{\left[-2, 2\right]} dx\; \left[\phi_a(x) \phi_a(x)\right]^{2}\right]" in shown
    )
    assert "W^1_{ai}" in shown
    assert r"\frac{\lambda}{4!}" in phi4_net(components=3).to_latex()
    assert r"\phi_{1}(x)^{2}\, \phi_{2}(x)" in MIXED.to_latex()
