"""Invariant tensors: complete by counting, and the index structure of exact correlators."""

from itertools import product

import numpy as np
import pytest
import sympy

from diagrams import (
    Euclidean,
    MatrixGroup,
    Orthogonal,
    Permutation,
    Symplectic,
    Unitary,
    cos_net,
    invariant_tensors,
)


@pytest.mark.parametrize(
    ("group", "dimensions"),
    [  # known numbers of invariants of rank 1 ... 4
        (Orthogonal(3), (0, 1, 0, 3)),
        (Orthogonal(3, special=True), (0, 1, 1, 3)),
        (Orthogonal(4, special=True), (0, 1, 0, 4)),
        (Orthogonal(2, special=True), (0, 2, 0, 6)),  # central binomial coefficients
        (Unitary(1), (0, 2, 0, 6)),
        (Unitary(2), (0, 2, 0, 12)),  # 2! times 6 choices of conjugates
        (Unitary(2, special=True), (0, 4, 0, 32)),  # SU(2) = Sp(1)
        (Unitary(3, special=True), (0, 2, 2, 12)),
        (Symplectic(1), (0, 4, 0, 32)),  # 2^n times Catalan numbers
        (Permutation(3), (1, 2, 5, 14)),  # set partitions into at most three blocks
        (Permutation(4), (1, 2, 5, 15)),
    ],
)
def test_numbers(group, dimensions):
    found = [invariant_tensors(group, n) for n in range(1, 5)]
    assert tuple(t.dimension for t in found) == dimensions
    assert all(t.is_complete for t in found)


@pytest.mark.parametrize(
    "group", [Orthogonal(3), Orthogonal(3, special=True), Unitary(3, special=True), Symplectic(1), Permutation(3)]
)
def test_finite_elements_leave_them_as_they_are(group):
    from numerics import random_elements

    for n in (2, 3, 4):
        found = invariant_tensors(group, n)
        if not len(found):
            continue
        for r in random_elements(group, 2, seed=n):
            moved = found.tensors
            for axis in range(1, n + 1):
                moved = np.moveaxis(np.tensordot(r, moved, axes=(1, axis)), 0, axis)
            np.testing.assert_allclose(moved, found.tensors, atol=1e-12)


def _tensor(net, n, points):
    correlator = net.connected_correlators(max_points=n)[n]
    size = net.output_dim
    values = [float(correlator(*points, outputs=a)) for a in product(range(size), repeat=n)]
    return np.array(values).reshape((size,) * n)


def test_structure_of_exact_correlators():
    """The coefficients of deltas are the four-point functions with outputs equal in pairs."""
    net = cos_net(output_dim=3).at(N=7, sigma_w0=1, sigma_w1=1)
    points = [0, sympy.Rational(1, 2), 1, 2]
    tensor = _tensor(net, 4, points)
    coefficients, rest = invariant_tensors(Orthogonal(3), 4).decompose(tensor)
    assert rest < 1e-12
    assert coefficients["δ_12 δ_34"] == pytest.approx(tensor[0, 0, 1, 1], rel=1e-12)
    assert coefficients["δ_13 δ_24"] == pytest.approx(tensor[0, 1, 0, 1], rel=1e-12)
    assert abs(coefficients["δ_12 δ_34"] - coefficients["δ_13 δ_24"]) > 1e-4


@pytest.mark.parametrize("group", [Orthogonal(4), Unitary(2), Unitary(2, special=True), Symplectic(1)], ids=str)
def test_structure_for_complex_outputs(group):
    """Independent Gaussian weights have every group of their outputs: deltas alone, and no omega."""
    net = cos_net(output_dim=4).at(N=7, sigma_w0=1, sigma_w1=1)
    for n, points in ((2, [0, 1]), (4, [0, sympy.Rational(1, 2), 1, 2])):
        tensor = _tensor(net, n, points)
        coefficients, rest = invariant_tensors(group, n).decompose(tensor)
        assert rest < 1e-12
        if n == 2:
            assert coefficients["δ_12"] == pytest.approx(tensor[0, 0])
            assert max((abs(c) for name, c in coefficients.items() if name != "δ_12"), default=0) < 1e-12
    uneven = np.einsum("ai,bj,ij->ab", *[np.diag([1, 1.3, 1, 1])] * 2, _tensor(net, 2, [0, 1]))
    assert invariant_tensors(group, 2).decompose(uneven)[1] > 0.1


def test_a_mean_leaves_a_remainder():
    net = cos_net(output_dim=3, mean_w1=1).at(N=7, sigma_w0=1, sigma_w1=1)
    points = [0, sympy.Rational(1, 2), 1, 2]
    tensor = _tensor(net, 4, points)
    assert invariant_tensors(Orthogonal(3), 4).decompose(tensor)[1] > 0.1
    assert invariant_tensors(Permutation(3), 4).decompose(tensor)[1] < 1e-12  # the same mean for all outputs


def test_groups_of_your_own_say_whether_the_list_is_complete():
    """Rotations about an axis have an invariant vector, which products of two-forms do not give."""
    turn = sympy.Matrix([[0, -1, 0], [1, 0, 0], [0, 0, 0]])
    found = invariant_tensors(MatrixGroup((turn,), name="about z"), 2)
    assert found.is_complete
    assert found.dimension == 3
    assert invariant_tensors(MatrixGroup((turn,), name="about z"), 1).is_complete is False
    assert "not all of them" in str(invariant_tensors(MatrixGroup((turn,), name="about z"), 1))


def test_bad_input():
    with pytest.raises(ValueError, match="1 to 6"):
        invariant_tensors(Orthogonal(3), 7)
    with pytest.raises(ValueError, match="shifts"):
        invariant_tensors(Euclidean(2), 2)
    with pytest.raises(TypeError, match="group"):
        invariant_tensors("O(3)", 2)
    with pytest.raises(ValueError, match="shape"):
        invariant_tensors(Orthogonal(3), 2).decompose(np.eye(2))
    assert invariant_tensors(Orthogonal(3), 1).decompose([1.0, 0, 0]) == ({}, 1.0)
    assert invariant_tensors(Orthogonal(6), 5).is_complete is None
