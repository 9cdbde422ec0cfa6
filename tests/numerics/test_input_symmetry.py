"""Maps of the inputs of sampled networks: what is proved is compatible, what is disproved is seen."""

import numpy as np
import pytest

from diagrams import Euclidean, Orthogonal, Permutation, Translation, cos_net, erf_net, gauss_net, relu_net
from numerics import Ensemble, input_symmetry_test

X1, X2 = [[0.0], [0.7]], [[0.3, -0.4], [1.0, 0.5]]
COS = cos_net().at(N=3, sigma_w0=1, sigma_w1=1)
RELU = relu_net(input_dim=2).at(N=10, sigma_w0=1, sigma_w1=1, sigma_b0=1)


def test_proved_symmetries_are_compatible():
    for net, group, x in (
        (COS, Translation(1), X1),
        (COS, Euclidean(1), X1),
        (cos_net(input_dim=2).at(N=3, sigma_w0=1, sigma_w1=1), Euclidean(2), X2),
        (RELU, Orthogonal(2), X2),
        (RELU, Permutation(2), X2),
    ):
        assert net.symmetry(group, acting_on="inputs").holds
        for seed in range(2):
            assert input_symmetry_test(Ensemble(net, n_nets=2000, seed=seed), group, x, elements=2, seed=seed).holds


def test_translations_of_the_gauss_net_break_at_four_points():
    """The kernel is invariant at every width, the four-point function is not (small bias: light tails)."""
    net = gauss_net(hidden_bias=False).at(N=2, sigma_w0=0.5, sigma_w1=1)
    found = input_symmetry_test(
        Ensemble(net, n_nets=200_000, seed=1), Translation(1), [[0.0], [0.4]], elements=1, reach=1.0, seed=3
    )
    two, four = found.orders
    assert two.sigma < 5 < four.sigma
    assert not found.holds
    assert "broken" in str(found)


def test_translations_of_the_erf_net_break_at_two_points():
    net = erf_net().at(N=10, sigma_w0=1, sigma_w1=1, sigma_b0=1)
    found = input_symmetry_test(Ensemble(net, n_nets=10_000, seed=1), Translation(1), X1, orders=(2,))
    assert found.max_sigma > 10


def test_significance_has_the_right_size():
    """Under invariance p-values are uniform: their mean over seeds is 1/2 within errors."""
    p = [
        input_symmetry_test(Ensemble(COS, n_nets=1500, seed=s), Translation(1), X1, orders=(2,), seed=s)
        .orders[0]
        .p_value
        for s in range(60)
    ]
    assert abs(np.mean(p) - 0.5) < 4 / np.sqrt(12 * 60)


def test_bad_input():
    ensemble = Ensemble(COS, n_nets=500, seed=0)
    with pytest.raises(ValueError, match="acts on 2"):
        input_symmetry_test(ensemble, Orthogonal(2), X1)
    with pytest.raises(TypeError, match="group"):
        input_symmetry_test(ensemble, "T", X1)
    with pytest.raises(ValueError, match="orders"):
        input_symmetry_test(ensemble, Translation(1), X1, orders=(7,))
    with pytest.raises(ValueError, match="too few"):
        input_symmetry_test(Ensemble(COS, n_nets=20, seed=0), Translation(1), X1)


def test_several_outputs():
    several = Ensemble(cos_net(output_dim=2).at(N=3, sigma_w0=1, sigma_w1=1), n_nets=3000, seed=1, backend="numpy")
    found = input_symmetry_test(several, Translation(1), X1, elements=2, orders=(2,))
    assert found.holds
    assert found.orders[0].degrees > 15  # ten products of four fields at two elements
    erf_nets = erf_net(output_dim=2).at(N=3, sigma_w0=1, sigma_w1=1, sigma_b0=1)
    erf = Ensemble(erf_nets, n_nets=3000, seed=1, backend="numpy")
    assert input_symmetry_test(erf, Translation(1), X1, elements=2, orders=(2,)).max_sigma > 10
