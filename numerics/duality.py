"""What arXiv:2106.00694 says about symmetries at initialisation, as claims with measured verdicts (C1, C2, C3, C6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from diagrams import Euclidean, Orthogonal, Translation, cos_net, gauss_net, relu_net
from numerics.ensemble import Ensemble
from numerics.group_elements import random_elements
from numerics.published import published_inputs
from numerics.symmetry_claims import Claim
from numerics.symmetry_tests import THRESHOLD, symmetry_breaking, symmetry_test
from numerics.tangent_kernels import (
    expected_tangent_kernel,
    sampled_tangent_kernels,
    tangent_kernel,
    tangent_kernel_symmetry,
)

WIDTHS = (5, 10, 50, 100)
OUTPUTS = 5
SHIFT, SHIFTED = 0.2, 2  # mean of the weights to the first outputs, and their number: it breaks SO(5) to SO(4)
ROUNDING = 1e-12


def published_outputs(width: int, *, shift: float = 0.0, shifted: int = SHIFTED) -> Any:
    """Return the Gauss-net with five outputs of the SO(5) test, weights to the first ``shifted`` of mean ``shift``.

    Parameters
    ----------
    width : int
    shift : float
        mu, the same for all neurons.
    shifted : int
        k: the mean is along (1, ..., 1, 0, ..., 0) with k ones.
    """
    mean = sympy.nsimplify(shift) * sympy.sqrt(width)  # of sqrt(N) times a weight
    net = gauss_net(output_dim=OUTPUTS, mean_w1=[mean] * shifted + [0] * (OUTPUTS - shifted), output_bias=True)
    return net.at(N=width, sigma_w0=1, sigma_w1=1, sigma_b0=1, sigma_b1=1)


def duality_claims(*, n_nets: int = 4000, seed: int = 0) -> list[Claim]:
    """Return the claims C1, C2, C3 and C6 with verdicts.

    Parameters
    ----------
    n_nets : int
        Networks of each test.
    seed : int
    """
    return [*_invariance(n_nets, seed), *_breaking(n_nets, seed), *_tangent(n_nets, seed), *_limits()]


def _invariance(n_nets: int, seed: int) -> list[Claim]:
    x, group, found = published_inputs("gauss"), Orthogonal(OUTPUTS, special=True), []
    for k, width in enumerate(WIDTHS):
        ensemble = Ensemble(
            published_outputs(width), n_nets=n_nets, seed=np.random.SeedSequence(seed, spawn_key=(1, k))
        )
        found.append(symmetry_test(ensemble, group, x=x, orders=(2, 4)).max_sigma)
    shown = ", ".join(f"{s:.1f} at N = {n}" for s, n in zip(found, WIDTHS, strict=True))
    statement = "SO(5) of the outputs of the Gauss-net at every width"
    return [Claim("C1", statement, max(found) < THRESHOLD, f"violation in standard deviations {shown}")]


def _breaking(n_nets: int, seed: int) -> list[Claim]:
    x, group = published_inputs("gauss")[:2], Orthogonal(OUTPUTS, special=True)
    ensemble = Ensemble(
        published_outputs(50, shift=SHIFT), n_nets=n_nets, seed=np.random.SeedSequence(seed, spawn_key=(2,)),
        backend="numpy",  # as fast as compiling a kernel for these few networks
    )  # fmt: skip
    sigma = symmetry_test(ensemble, group, x=x, orders=(1, 2)).max_sigma
    left = symmetry_breaking(ensemble, group, x=x)
    direction = np.array([1.0] * SHIFTED + [0.0] * (OUTPUTS - SHIFTED)) / np.sqrt(SHIFTED)
    moved = float(np.abs(left.unbroken @ direction).max(initial=0.0))
    remaining = OUTPUTS * (OUTPUTS - 1) // 2 - (OUTPUTS - 1)
    return [
        Claim("C2", f"a mean of {SHIFT} of the weights to {SHIFTED} of {OUTPUTS} outputs is detected", sigma > 10,
              f"{sigma:.0f} standard deviations at N = 50"),
        Claim("C2", "SO(4) about the direction of the mean remains", left.n_unbroken == remaining and moved < 0.2,
              f"{left.n_unbroken} of {len(left.sigmas)} generators; they move the direction by at most {moved:.2f}"),
    ]  # fmt: skip


def _tangent(n_nets: int, seed: int) -> list[Claim]:
    net, x = relu_net(output_dim=3, input_dim=2), np.array([[0.5, -0.2], [1.0, 0.7]])
    net = net.at(N=20, sigma_w0=1, sigma_w1=1, sigma_b0=1)
    few = Ensemble(net, n_nets=64, seed=seed).parameters()
    theta = tangent_kernel(net, few, x)
    r, q = random_elements(Orthogonal(3), 1, seed=seed)[0], random_elements(Orthogonal(2), 1, seed=seed + 1)[0]
    outputs = tangent_kernel(net, {**few, "W1": few["W1"] @ r.T}, x)
    turned = np.einsum("ab,nbcxy,dc->nadxy", r, theta, r)
    inputs = tangent_kernel(net, {**few, "W0": few["W0"] @ q.T}, x @ q.T)
    worst = max(np.abs(outputs - turned).max(), np.abs(inputs - theta).max()) / np.abs(theta).max()
    kernels = sampled_tangent_kernels(net, x, n_nets=n_nets, seed=seed)
    exact = expected_tangent_kernel(net, x)
    error = kernels.std(axis=0, ddof=1) / np.sqrt(n_nets)
    pull = float(np.abs((kernels.mean(axis=0) - exact) / error).max())
    sigma = tangent_kernel_symmetry(kernels, Orthogonal(3, special=True)).sigma
    return [
        Claim("C3", "tangent kernels turn with outputs and inputs, network by network", worst < ROUNDING,
              f"relative deviation {worst:.0e}"),
        Claim("C3", "the averaged tangent kernel is delta_ab times the exact kernel", pull < THRESHOLD,
              f"largest pull {pull:.1f}; violation of SO(3) {sigma:.1f} standard deviations"),
    ]  # fmt: skip


def _limits() -> list[Claim]:
    cos, gauss = cos_net().symmetry(Euclidean(1)), gauss_net().symmetry(Translation(1))
    broken = gauss.breaking.n if gauss.breaking is not None else None
    holds = bool(cos.holds and gauss.holds is False and gauss.holds_at_infinite_width)
    evidence = f"Cos-net at every width; Gauss-net at infinite width only, broken at {broken} points"
    return [Claim("C6", "translations, proved from the density of the parameters", holds, evidence)]
