"""Invariance of measured correlators under groups acting on outputs."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams import Euclidean, MatrixGroup, Orthogonal, Permutation, Symplectic, Unitary, cos_net
from numerics.duality import published_outputs
from numerics.ensemble import Ensemble
from numerics.group_elements import random_elements
from numerics.symmetry_ranking import rank_symmetries
from numerics.symmetry_tests import _log_tail, _sigma, symmetry_breaking, symmetry_test

X = 0.01 * np.array([-1, -0.6, -0.2, 0.2, 0.6, 1])[:, None]


def _outputs(width: int, n_nets: int, seed: int, **shift: float) -> np.ndarray:
    """Gauss-nets with five outputs, arXiv:2106.00694, appendix C; a mean is drawn with the weights."""
    return np.asarray(Ensemble(published_outputs(width, **shift), n_nets=n_nets, seed=seed, backend="numpy").sample(X))


@pytest.mark.parametrize("width", [5, 10, 50, 100])
def test_so5_passes_and_a_mean_fails(width):
    f = _outputs(width, 4000, seed=width)
    found = symmetry_test(f, Orthogonal(5, special=True), orders=(1, 2, 4), elements=50, sampling="positive")
    assert found.max_sigma < 4
    assert found.holds
    for n in (2, 4):
        assert abs(found.mean_shift[n]) < 4 * found.delta[n]
        assert found.root_mean_square[n] < 4 * found.delta[n]
    control = _outputs(width, 4000, seed=width, shift=0.2, shifted=2)
    broken = symmetry_test(control, Orthogonal(5, special=True), orders=(1, 2), elements=50)
    assert not broken.holds
    assert broken.max_sigma > 10


@pytest.mark.parametrize("shifted", [1, 2, 3, 5])
def test_the_stabiliser_of_a_mean_is_found(shifted):
    """A mean of the weights to k outputs leaves SO(4) of five outputs for every k, found from the networks alone."""
    group = Orthogonal(5, special=True)
    f = _outputs(50, 4000, seed=shifted, shift=0.2, shifted=shifted)
    found = symmetry_breaking(f[:, :, :2], group)
    assert found.n_unbroken == 6
    assert found.sigmas[6:].min() > 10
    v = np.array([1] * shifted + [0] * (5 - shifted)) / np.sqrt(shifted)
    assert np.abs(found.unbroken @ v).max() < 0.1
    proved = published_outputs(50, shift=0.2, shifted=shifted).symmetry(group)
    assert (proved.holds, proved.breaking.n, len(proved.residual)) == (False, 1, 6)
    assert all(np.abs(np.array(t.tolist(), dtype=float) @ v).max() < 1e-12 for t in proved.residual)
    assert symmetry_breaking(f[:, :, :2] - f[:, :, :2].mean(axis=0), Orthogonal(5)).n_unbroken == 10


def test_non_gaussian_outputs_break_rotations_but_not_permutations():
    rng = np.random.default_rng(1)
    f = rng.uniform(-1, 1, (20_000, 3, 1))
    found = symmetry_test(f, Orthogonal(3), elements=20)
    sigmas = {o.n: o.sigma for o in found.orders}
    assert sigmas[4] > 10
    assert max(sigmas[1], sigmas[2]) < 4
    assert symmetry_test(f, Permutation(3), elements=20).max_sigma < 4
    lopsided = symmetry_test(f + np.array([0.1, 0, 0])[:, None], Permutation(3), elements=20)
    assert lopsided.max_sigma > 10


@pytest.mark.parametrize("group", [Unitary(2), Unitary(2, special=True), Symplectic(1), Orthogonal(4)], ids=str)
def test_complex_groups_of_four_outputs(group):
    net = cos_net(output_dim=4).at(N=10, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(net, n_nets=4000, seed=3)
    assert symmetry_test(ensemble, group, x=[[0.0], [1.0]], elements=20).max_sigma < 4
    f = np.asarray(ensemble.sample([[0.0]])).reshape(4000, 4, 1) * np.array([1, 1.3, 1, 1])[:, None]
    assert symmetry_test(f, group, elements=20).max_sigma > 10


def _turned_pairs(n_nets: int) -> np.ndarray:
    """Return two outputs at two points, those at the second turned by a right angle: U(1) without reflections."""
    rng = np.random.default_rng(3)
    a, noise = rng.standard_normal((2, n_nets, 2))
    return np.stack([a, noise + np.stack([-a[:, 1], a[:, 0]], axis=1)], axis=2)


def test_fields_at_different_points_tell_rotations_from_reflections():
    f = _turned_pairs(4000)
    assert symmetry_test(f, Unitary(1), elements=20).max_sigma < 4
    assert symmetry_test(f, Orthogonal(2), elements=20).max_sigma > 10
    assert symmetry_test(f, Orthogonal(2), pairs="equal", elements=20).max_sigma < 4  # blind to it


def test_candidates_are_ranked():
    rng = np.random.default_rng(4)
    turned = rank_symmetries(_turned_pairs(4000), orders=(1, 2))
    assert {str(g) for g in turned.compatible} == {"SO(2)", "U(1)"}
    assert [row["compatible"] for row in turned.table] == [True, True, False, False, False]
    cube = rank_symmetries(rng.uniform(-1, 1, (10_000, 3, 1)))
    assert [str(g) for g in cube.compatible] == ["signs", "S(3)"]
    assert {row["order"] for row in cube.table[2:]} == {4}
    lopsided = rank_symmetries(rng.exponential(size=(4000, 3, 1)))
    assert [str(g) for g in lopsided.compatible] == ["S(3)"]
    net = cos_net(output_dim=4).at(N=10, sigma_w0=1, sigma_w1=1)
    everything = rank_symmetries(Ensemble(net, n_nets=4000, seed=3, backend="numpy"), x=[[0.0], [1.0]])
    assert everything.table[0]["group"] == "O(4)"
    assert len(everything.compatible) == 7
    assert "6 generators  compatible" in str(everything)
    assert everything._repr_html_().count("<tr>") == 8
    turn = MatrixGroup([], discrete=[np.array([[0, 1], [-1, 0]])], name="quarter turns")
    assert [str(g) for g in rank_symmetries(_turned_pairs(4000), [Orthogonal(2), turn], orders=(2,)).compatible] == [
        "quarter turns"
    ]


def test_discrete_groups_of_ones_own():
    turn = MatrixGroup([], discrete=[np.array([[0, 1], [-1, 0]])], name="quarter turns")
    assert len(np.unique(random_elements(turn, 100).round(9), axis=0)) == 4
    f = np.random.default_rng(1).uniform(-1, 1, (4000, 2, 1))
    assert symmetry_test(f, turn, elements=4).max_sigma < 4
    assert symmetry_test(f * np.array([1, 1.3])[:, None], turn, elements=4).max_sigma > 10
    for size in (5, 1):  # a turn by an irrational angle, and one that stretches
        endless = MatrixGroup([], discrete=[sympy.Matrix([[3, 4], [-4, 3]]) / size])
        with pytest.raises(ValueError, match="more than 10000"):
            random_elements(endless, 1)


def test_p_values_are_uniform():
    """For invariant densities p-values above and below one half are equally frequent."""
    rng = np.random.default_rng(5)
    samples = (rng.standard_normal((400, 3, 1)) for _ in range(200))
    found = (symmetry_test(f, Orthogonal(3), orders=(2,), elements=2) for f in samples)
    p = np.array([test.orders[0].p_value for test in found])
    assert abs((p < 0.5).mean() - 0.5) < 4 * 0.5 / np.sqrt(200)
    assert 0.02 < (p < 0.1).mean() < 0.2


ORTHOGONAL = [Orthogonal(3), Orthogonal(3, special=True)]
COMPLEX = [Unitary(2), Unitary(3, special=True), Symplectic(2)]


@pytest.mark.parametrize("group", [*ORTHOGONAL, *COMPLEX, Permutation(4)], ids=str)
def test_random_elements(group):
    found = random_elements(group, 2000, seed=2)
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(group.size), found.shape), atol=1e-12
    )
    determinants = np.linalg.det(found)
    np.testing.assert_allclose(np.abs(determinants), 1)
    if group == Orthogonal(3):
        assert 0.4 < (determinants > 0).mean() < 0.6
    elif not isinstance(group, Permutation):
        np.testing.assert_allclose(determinants, 1)
    if not isinstance(group, Permutation):  # uniform: every entry averages to zero, its square to one over the size
        assert np.abs(found.mean(axis=0)).max() < 5 / np.sqrt(2000 * group.size)
        assert np.abs((found**2).mean(axis=0) * group.size - 1).max() < 0.2
        positive = random_elements(group, 500, sampling="positive", seed=3)
        assert positive.mean(axis=0).diagonal().mean() > 0.1  # not uniform
        ones = np.broadcast_to(np.eye(group.size), positive.shape)
        np.testing.assert_allclose(positive @ positive.transpose(0, 2, 1), ones, atol=1e-12)


def test_positive_elements_have_the_published_diagonal():
    found = random_elements(Orthogonal(5, special=True), 1000, sampling="positive", seed=1)
    assert abs(found.diagonal(axis1=1, axis2=2).mean() - 0.47) < 0.02


def test_the_number_of_standard_deviations_far_out():
    assert _sigma(np.log(0.0026998)) == pytest.approx(3, abs=1e-4)
    assert _sigma(-599.9) == pytest.approx(_sigma(-600.1), abs=1e-2)
    slopes = np.diff([_log_tail(r, 5, 400) for r in np.linspace(2000, 2800, 81)])  # the expansion takes over in between
    assert (slopes < 0).all()
    assert np.abs(np.diff(slopes)).max() < 0.05 * np.abs(slopes).max()
    assert np.isfinite(_log_tail(1e6, 5, 4000))
    assert 99 < _sigma(-5005.0) < 101


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: symmetry_test(np.zeros((10, 3)), Orthogonal(3)), ValueError, "n_outputs, n_points"),
        (lambda: symmetry_test(np.zeros((10, 3, 1)), Orthogonal(4)), ValueError, "there are 3 outputs"),
        (lambda: symmetry_test(np.zeros((10, 2, 1)), Euclidean(2)), ValueError, "shifts"),
        (lambda: symmetry_test(np.random.default_rng(0).normal(size=(10, 3, 1)), Orthogonal(3)), ValueError, "too few"),
        (lambda: symmetry_test(np.ones((99, 3, 1)), Orthogonal(3), orders=(9,)), ValueError, "from 1 to 6"),
        (lambda: symmetry_test(np.ones((99, 3, 1)), "SO(3)"), TypeError, "must be one such as"),
        (lambda: symmetry_test(np.ones((99, 3, 1)), Orthogonal(3), x=[[0]]), TypeError, "at points already"),
        (lambda: symmetry_test(np.ones((99, 3, 1)), Orthogonal(3), pairs="some"), ValueError, "'all' or 'equal'"),
        (lambda: rank_symmetries(np.ones((99, 3, 1)), []), ValueError, "no candidates"),
        (lambda: rank_symmetries(np.ones((99, 3, 1)), [Orthogonal(4)]), ValueError, "there are 3 outputs"),
        (lambda: symmetry_breaking(np.ones((99, 3, 1)), Permutation(3)), ValueError, "no generators"),
        (lambda: random_elements(MatrixGroup([[[0, 1], [-1, 0]]]), 2), ValueError, "sampling='positive'"),
        (lambda: random_elements(Orthogonal(2), 0), ValueError, "positive integer"),
        (lambda: random_elements(Orthogonal(2), 1, sampling="nice"), ValueError, "'haar' or 'positive'"),
    ],
)
def test_wrong_requests(call, error, message):
    with pytest.raises(error, match=message):
        call()
