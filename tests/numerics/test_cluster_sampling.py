"""Cluster decomposition on sampled networks: exact limits, failing twins, and what is seen at large width."""

from __future__ import annotations

import numpy as np
import pytest

from diagrams import cos_net, gauss_net, relu_net, scalar_net
from numerics.cluster_sampling import cluster_test

PAIRS = [[0.0], [0.5]], [[0.0], [0.3]]
COS = cos_net().at(N=3, sigma_w0=1.2, sigma_w1=0.8)
S = 1.44


def limit(N, kept=2):
    """Return (s1^4/8N) [3 E(x12 + x34) + 3 E(x12 - x34) - 2 E(x12) E(x34)] with E(u) = exp(-s u^2/2)."""
    E = lambda u: np.exp(-S * u**2 / 2)  # noqa: E731
    return 0.64**2 / (8 * N) * (3 * E(0.8) + 3 * E(0.2) - kept * E(0.5) * E(0.3))


def test_distant_pairs_of_the_cos_net_stay_correlated():
    found = cluster_test(COS, *PAIRS, distances=(1, 10, 40), n_nets=60_000, method="neuron", seed=1)
    assert np.abs(found.pulls).max() < 4
    assert found.limit == pytest.approx(limit(3), rel=1e-12)
    assert found.exact[-1] == pytest.approx(found.limit, rel=1e-10)
    assert abs(found.violation) > 50
    assert found.verdict.startswith("distant pairs are correlated")
    error = found.errors[-1]
    assert abs(found.values[-1] - limit(3, kept=0)) > 10 * error  # without - sum_3 G2 G2
    assert abs(found.values[-1] - limit(4)) > 10 * error  # another width
    assert "distance" in str(found)
    assert "pull" in found._repr_html_()


def test_whole_networks_agree():
    found = cluster_test(COS, *PAIRS, distances=(0.5, 20), n_nets=400_000, seed=2)
    assert np.abs(found.pulls).max() < 4
    assert abs(found.violation) > 8


def test_nothing_is_seen_at_large_width():
    wide = cos_net().at(N=10_000, sigma_w0=1.2, sigma_w1=0.8)
    found = cluster_test(wide, *PAIRS, distances=(20,), n_nets=20_000, seed=3)
    assert np.abs(found.pulls).max() < 4
    assert found.verdict.startswith("no correlation of distant pairs is seen")


def test_scalar_and_gauss_net():
    scalar = cluster_test(
        scalar_net().at(N=3, m=1, Lambda=4), *PAIRS, distances=(1, 50), n_nets=60_000, method="neuron", seed=1
    )
    assert np.abs(scalar.pulls).max() < 4
    assert scalar.exact[-1] == pytest.approx(scalar.limit, rel=0.01)
    assert abs(scalar.violation) > 20
    gauss = gauss_net().at(N=3, sigma_w0=0.5, sigma_w1=0.8, sigma_b0=0.1)
    grown = cluster_test(gauss, *PAIRS, distances=(1, 2), n_nets=60_000, method="neuron", seed=1)
    assert np.abs(grown.pulls).max() < 4
    assert grown.exact[1] > 2 * grown.exact[0]
    assert np.isnan(grown.limit)
    assert "there is no limit" in grown.verdict


def test_two_dimensions_along_a_direction():
    net = cos_net(input_dim=2).at(N=3, sigma_w0=1.2, sigma_w1=0.8)
    pairs = [[0, 0], [0.5, 0.1]], [[0, 0], [0.3, -0.2]]
    found = cluster_test(net, *pairs, distances=(30,), direction=(1, 1), n_nets=60_000, method="neuron")
    assert np.abs(found.pulls).max() < 4
    assert found.exact[-1] == pytest.approx(found.limit, rel=1e-10)


@pytest.mark.parametrize(
    ("net", "options", "match"),
    [
        (COS, {"distances": ()}, "increasing"),
        (COS, {"distances": (2, 1)}, "increasing"),
        (COS, {"distances": (1,), "direction": (0,)}, "not zero"),
        (COS, {"distances": (1,), "direction": (1, 1)}, "1 components"),
        (relu_net().at(N=3, sigma_w0=1, sigma_w1=1), {"distances": (1,)}, "no numbers"),
    ],
)
def test_requests_that_make_no_sense(net, options, match):
    with pytest.raises(ValueError, match=match):
        cluster_test(net, *PAIRS, n_nets=1000, **options)
    with pytest.raises(ValueError, match="pair of points"):
        cluster_test(COS, [[0.0]], PAIRS[1], distances=(1,))
