"""Groups, and proofs that all n-point functions are invariant under them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from diagrams import (
    Euclidean,
    Gaussian,
    MatrixGroup,
    Orthogonal,
    Permutation,
    Symplectic,
    Translation,
    Uniform,
    UniformPhase,
    Unitary,
    cos_net,
    erf_net,
    gauss_net,
    linear_net,
    network,
    relu_net,
    scalar_net,
    symbol,
)
from diagrams._input_symmetry import vanishes
from diagrams.groups import _rank

INPUTS = [
    (cos_net(input_dim=1), Euclidean(1), True, True),
    (cos_net(input_dim=3), Euclidean(3), True, True),
    (scalar_net(input_dim=2), Euclidean(2), True, True),
    (gauss_net(input_dim=2), Orthogonal(2), True, True),
    (gauss_net(input_dim=1), Translation(1), False, True),  # only at finite width
    (gauss_net(input_dim=2), Euclidean(2), False, True),
    (relu_net(input_dim=2), Orthogonal(2), True, True),
    (relu_net(input_dim=2), Orthogonal(2, special=True), True, True),
    (erf_net(input_dim=1), Translation(1), False, False),
    (linear_net(input_dim=2), Translation(2), False, False),
    (linear_net(input_dim=4), Unitary(2), True, True),
    (linear_net(input_dim=3), Permutation(3), True, True),
]


@pytest.mark.parametrize(
    ("net", "group", "finite", "infinite"), INPUTS, ids=[f"{n.name}{n.input_dim} {g}" for n, g, *_ in INPUTS]
)
def test_inputs(net, group, finite, infinite):
    found = net.symmetry(group)
    assert found.acting_on == "inputs"
    assert found.holds is finite
    assert bool(found) is finite
    assert found.holds_at_infinite_width is infinite
    assert (found.breaking is None) is finite
    assert str(group) in str(found)
    assert found.steps[0].startswith("x -> ")


OUTPUTS = [
    (cos_net(output_dim=5), Orthogonal(5), True, 10),
    (gauss_net(output_dim=4), Unitary(2), True, 4),
    (relu_net(output_dim=4), Unitary(2, special=True), True, 3),
    (relu_net(output_dim=4), Symplectic(1), True, 3),
    (erf_net(output_dim=3), Permutation(3), True, 0),
    (cos_net(output_dim=3, readout=Uniform(-sympy.sqrt(3), sympy.sqrt(3))), Permutation(3), True, 0),
    (cos_net(output_dim=3, mean_w1=1), Permutation(3), True, 0),
    (cos_net(output_dim=3, output_bias=True), Orthogonal(3), True, 3),
]


@pytest.mark.parametrize(
    ("net", "group", "finite", "remaining"), OUTPUTS, ids=[f"{n.name} {g}" for n, g, *_ in OUTPUTS]
)
def test_outputs_that_hold(net, group, finite, remaining):
    found = net.symmetry(group)
    assert found.acting_on == "outputs"
    assert found.holds is finite
    assert len(found.residual) == remaining


@pytest.mark.parametrize("size", [3, 4])
def test_a_common_mean_leaves_the_stabiliser_of_one_vector(size):
    found = relu_net(output_dim=size, mean_w1=sympy.Rational(1, 5)).symmetry(Orthogonal(size, special=True))
    assert found.holds is False
    assert found.holds_at_infinite_width is False
    assert found.breaking.n == 1
    assert len(found.residual) == (size - 1) * (size - 2) // 2  # SO(D - 1)
    ones = sympy.ones(size, 1)
    assert all(t * ones == sympy.zeros(size, 1) for t in found.residual)


@pytest.mark.parametrize("shifted", [1, 2, 4])
def test_means_of_some_outputs_leave_the_stabiliser_of_their_vector(shifted):
    """mu for k of D outputs is one vector, whatever k: SO(D - 1) remains, and is proved as a symmetry of its own."""
    mu = symbol("mu")
    net = gauss_net(output_dim=5, mean_w1=[mu] * shifted + [0] * (5 - shifted))
    found = net.symmetry(Orthogonal(5))
    assert (found.holds, found.holds_at_infinite_width, found.breaking.n, len(found.residual)) == (False, False, 1, 6)
    assert len(found.breaking.component) == 1
    assert abs(found.breaking.change) > 1e-2
    v = sympy.Matrix([1] * shifted + [0] * (5 - shifted))
    assert all(t * v == sympy.zeros(5, 1) for t in found.residual)
    remaining = net.symmetry(MatrixGroup(found.residual, name="SO(4)"))
    assert remaining.holds
    assert "R m = m" in str(remaining)
    assert net.symmetry(Permutation(5)).holds is False


def test_exact_correlators_with_means_of_some_outputs():
    """kappa_3 of one neuron by hand, and correlators as functions of the output indices."""
    net = linear_net(output_dim=3, mean_w1=(symbol("mu"), 0, 0)).at(sigma_w0=1, sigma_w1=1)
    correlators = net.connected_correlators(max_points=4)
    mu, N = symbol("mu"), symbol("N")
    assert [correlators[2](1, 1, outputs=(a, a)) for a in range(3)] == [mu**2 + 1, 1, 1]
    assert correlators[2](1, 1, outputs=(0, 1)) == 0
    # E z_0^2 z_1^2 E w^4 - E z_0^2 E z_1^2 (E w^2)^2, z of means (mu, 0)
    assert sympy.expand(correlators[4](1, 1, 1, 1, outputs=(0, 0, 1, 1)) - 2 * (mu**2 + 1) / N) == 0
    relu = relu_net(output_dim=2, hidden_bias=False, mean_w1=(mu, 0)).at(sigma_w0=1, sigma_w1=1)
    first, third = (relu.connected_correlators(max_points=3)[n] for n in (1, 3))
    m1, m2, m3 = 1 / sympy.sqrt(2 * sympy.pi), sympy.Rational(1, 2), sympy.sqrt(2 / sympy.pi)  # E relu(w)^n
    assert sympy.simplify(first(1, outputs=[0]) - sympy.sqrt(N) * mu * m1) == 0
    assert first(1, outputs=[1]) == 0
    expected = (mu * m3 - mu * m1 * m2) / sympy.sqrt(N)
    assert sympy.simplify(third(1, 1, 1, outputs=(0, 1, 1)) - expected) == 0
    assert "m = \\left(\\mu, 0\\right)" in relu.to_latex()
    same = relu_net(output_dim=2, mean_w1=(1, 1))
    assert same == relu_net(output_dim=2, mean_w1=1)


def test_the_order_at_which_output_symmetry_breaks():
    """Uniform rows have the covariance of Gaussian ones: the four-point function is the first to know."""
    flat = cos_net(output_dim=2, readout=Uniform(-sympy.sqrt(3), sympy.sqrt(3))).symmetry(Orthogonal(2))
    assert (flat.holds, flat.holds_at_infinite_width, flat.breaking.n) == (False, True, 4)
    assert flat.residual == ()
    # odd functions of the phase vanish, so a mean shows at two points in the Cos-net and at one point in the ReLU-net
    assert cos_net(output_dim=2, mean_w1=1).symmetry(Orthogonal(2)).breaking.n == 2
    assert relu_net(output_dim=2, mean_w1=1).symmetry(Orthogonal(2)).breaking.n == 1
    # the reflection alone: a mean has no sign symmetry
    one = relu_net(mean_w1=1).symmetry(Orthogonal(1), acting_on="outputs")
    assert (one.holds, one.breaking.n) == (False, 1)


def test_the_gauss_net_against_its_closed_forms():
    """The kernel is a function of the distance; the 4-point function at the origin is not that at a shifted place."""
    net = gauss_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1, sigma_b0=1)
    found = net.symmetry(Translation(1))
    assert found.breaking.n == 4
    assert "a shift by 3/5" in found.breaking.element
    assert any("no slope along the generators" in step for step in found.steps)
    assert any("no slope" in step for step in gauss_net(input_dim=2).symmetry(Euclidean(2)).steps)
    correlators = net.connected_correlators(max_points=4)
    assert abs(sympy.N(correlators[2](0, 1) - correlators[2](3, 4))) < 1e-14
    before, after = (float(correlators[4](*[x + sympy.Rational(j, 7) for j in range(4)])) for x in (0, 1))
    assert abs(after / before - 1) > 0.1


def test_exact_invariance_of_the_cos_net_at_every_width():
    """E(2) on the exact 2-, 4- and 6-point functions, to 1e-14; the Gauss-net fails the same test."""
    rotation, shift = sympy.Matrix([[3, -4], [4, 3]]) / 5, sympy.Matrix([3, -11]) / 10  # rational: exact arithmetic
    numbers = np.random.default_rng(1).integers(-12, 12, size=(6, 2)).tolist()
    points = [sympy.Matrix(p) / 10 for p in numbers]
    moved = [rotation * p + shift for p in points]
    for width in (1, 7, 1000):
        for net, limit in ((cos_net(input_dim=2), True), (gauss_net(input_dim=2), False)):
            values = {"N": width, "sigma_w0": 1, "sigma_w1": 1} | ({} if limit else {"sigma_b0": sympy.Rational(1, 10)})
            correlators = net.at(**values).connected_correlators(max_points=6)
            changes = []
            for n in (2, 4, 6):
                a, b = (sympy.N(correlators[n](*map(tuple, p[:n])), 30) for p in (points, moved))
                changes.append(float(abs(a - b) / max(abs(a), abs(b))))
            assert (max(changes) < 1e-14) if limit else (changes[0] < 1e-14 and changes[1] > 1e-2)


def test_a_net_of_ones_own():
    x, w, c = symbol("x"), symbol("w"), symbol("c")
    laws = {w: Uniform(-1, 1), c: UniformPhase()}
    found = network(sympy.cos(w * x + c) ** 3, parameters=laws, point=x).symmetry(Euclidean(1))
    assert found.holds
    assert "c -> c + w.a" in found.steps[0]
    third = network(sympy.cos((w * x + c) / 3), parameters=laws, point=x).symmetry(Translation(1))
    assert third.holds is False  # a third of a period of the phase is not enough
    half = sympy.cos((w * x + c) / 2)  # changes its sign, as output weights may
    assert network(half, parameters=laws, point=x).symmetry(Translation(1)).holds
    assert network(half, parameters=laws, point=x, mean_w1=1).symmetry(Translation(1)).holds is False
    assert network(sympy.cos(w * x), parameters={w: Uniform(-1, 1)}, point=x).symmetry(Orthogonal(1)).holds
    lopsided = network(sympy.exp(w * x), parameters={w: Uniform(0, 1)}, point=x).symmetry(Orthogonal(1))
    assert (lopsided.holds, lopsided.breaking.n) == (False, 2)


def test_a_cube_of_momenta_is_not_round():
    x, w = (symbol("x"), symbol("y")), (symbol("w_1"), symbol("w_2"))
    wave = sympy.cos(w[0] * x[0] + w[1] * x[1])
    cube = network(wave, parameters={w: Uniform(-1, 1)}, point=x).symmetry(Orthogonal(2))
    assert cube.holds is False
    assert any("a cube" in step for step in cube.steps)
    assert network(wave, parameters={w: Uniform(-1, 1)}, point=x).symmetry(Permutation(2)).holds
    assert network(wave, parameters={w: Gaussian(1)}, point=x).symmetry(Orthogonal(2)).holds


def test_groups_close_and_are_orthogonal():
    for group, dim in (
        (Orthogonal(4), 6), (Unitary(2), 4), (Unitary(3, special=True), 8), (Symplectic(1), 3), (Symplectic(2), 10),
    ):  # fmt: skip
        found = group.generators
        assert len(found) == _rank(found) == dim
        assert all(t + t.T == sympy.zeros(group.size) for t in found)
        assert MatrixGroup(found, name=str(group)).size == group.size


def test_user_generators():
    rotation = MatrixGroup([[[0, 1, 0], [-1, 0, 0], [0, 0, 0]]], name="SO(2) of the first two")
    found = linear_net(input_dim=3).symmetry(rotation)
    assert found.holds
    assert "SO(2) of the first two" in found.verdict
    squeeze = MatrixGroup([[[1, 0], [0, -1]]], name="squeeze")
    assert linear_net(input_dim=2).symmetry(squeeze).holds is False
    assert cos_net(output_dim=2).symmetry(squeeze).breaking.n == 2


def test_the_zero_test_is_no_rubber_stamp():
    x, w = sympy.symbols("x w", real=True)
    assert vanishes(sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1)
    assert not vanishes(sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1 + 1e-12 * w)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MatrixGroup(Orthogonal(3).generators[:2]), ValueError, "do not close"),
        (lambda: MatrixGroup([[[0, 1], [-1, 0]], [[0, 2], [-2, 0]]]), ValueError, "only 1 are independent"),
        (lambda: MatrixGroup([[[0, 1]]]), ValueError, "square"),
        (lambda: MatrixGroup([[[0, sympy.I], [sympy.I, 0]]]), ValueError, "real numbers"),
        (lambda: MatrixGroup([]), ValueError, "at least one"),
        (lambda: cos_net(output_dim=3, mean_w1=(1, 0)), ValueError, "one for each of 3 outputs, got 2"),
        (lambda: cos_net(output_dim=2, mean_w1=(1, 0), readout=Gaussian(1)), ValueError, "either mean_w1 or"),
        (lambda: Orthogonal(0), ValueError, "n must be an integer >= 1"),
        (lambda: cos_net(input_dim=2).symmetry(Euclidean(3)), ValueError, "acts on 3 real components"),
        (lambda: cos_net(output_dim=3).symmetry(Unitary(2)), ValueError, "has 3 outputs"),
        (lambda: cos_net(output_dim=2).symmetry(Translation(2), acting_on="outputs"), ValueError, "only inputs"),
        (lambda: cos_net().symmetry(Euclidean(1), acting_on="weights"), ValueError, "acting_on must be"),
        (lambda: cos_net().symmetry("SO(3)"), TypeError, "must be one such as"),
        (lambda: cos_net(input_dim=sympy.Symbol("d")).symmetry(Euclidean(1)), ValueError, "symbolic input_dim"),
    ],
)
def test_wrong_requests(call, error, message):
    with pytest.raises(error, match=message):
        call()
