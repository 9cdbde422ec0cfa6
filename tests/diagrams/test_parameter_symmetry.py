"""Groups that act on parameters: invariance of their density, and what becomes of the functions of networks."""

from __future__ import annotations

import pytest
import sympy

from diagrams import (
    Euclidean,
    MatrixGroup,
    Orthogonal,
    Permutation,
    Translation,
    Uniform,
    UniformPhase,
    aslatex,
    cos_net,
    erf_net,
    gauss_net,
    linear_net,
    network,
    relu_net,
    scalar_net,
    symbol,
)
from diagrams._symmetry_verdict import sample_point

SCALE = MatrixGroup([[[1]]], name="scalings")
RESCALE = MatrixGroup([sympy.diag(1, 1, -1)], name="W0, b0 -> c; W1 -> 1/c")
SHEAR = MatrixGroup([[[0, 0], [1, 0]]], name="b0 -> b0 + c W0")
SIGNS = MatrixGroup([], name="signs", discrete=[sympy.diag(-1, 1), sympy.diag(1, -1)])
FIXED = MatrixGroup(Orthogonal(3).generators[2:], name="SO(2) of 2 and 3")
FLAT = Uniform(-1, 1)
ROUND = relu_net(input_dim=2).at(sigma_b0=1, sigma_w0=sympy.sqrt(2))  # weights and bias of one variance

# net, group, what it acts on; whether correlators and the density are invariant, the effect, the first that breaks
CASES = [
    (cos_net(input_dim=2), Orthogonal(2), "W0", True, True, "inputs", None),
    (gauss_net(input_dim=3), Orthogonal(3, special=True), "W0", True, True, "inputs", None),
    (cos_net(), Translation(1), "b0", True, True, "other", None),  # waves of another phase
    (scalar_net(input_dim=2), Orthogonal(2), "W0", True, True, "inputs", None),
    (gauss_net(), Translation(1), "b0", False, False, "outputs", 2),  # a factor
    (cos_net(), Orthogonal(1), "W1", True, True, "outputs", None),
    (relu_net(mean_w1=1), Orthogonal(1), "W1", False, False, "outputs", 1),
    (relu_net(), Orthogonal(1), "W1", True, True, "outputs", None),
    (cos_net(output_dim=2, readout=FLAT), SIGNS, "W1", True, True, "outputs", None),
    (cos_net(output_dim=2, readout=FLAT), Orthogonal(2), "W1", False, False, "outputs", 4),
    (relu_net(hidden_bias=False, output_dim=3, mean_w1=(1, 0, 0)), FIXED, "W1", True, True, "outputs", None),
    (relu_net(), Permutation(3), "neurons", True, True, "none", None),
    (cos_net(readout=FLAT), Permutation(4), "neurons", True, True, "none", None),
    (linear_net(), Orthogonal(2), "neurons", True, True, "none", None),
    (relu_net(), Orthogonal(2), "neurons", True, True, "other", None),
    (relu_net(), RESCALE, "parameters", True, False, "none", None),  # of the functions, not of the density
    (erf_net(), RESCALE, "parameters", False, False, "other", 2),
    (relu_net(), SCALE, "W0", False, False, "inputs", 2),
    (linear_net(), SCALE, "W0", False, False, "outputs", 2),
    (cos_net(), SHEAR, ("W0", "b0"), True, True, "inputs", None),  # translations of the inputs
    (erf_net(), SHEAR, ("W0", "b0"), False, False, "inputs", 2),
    (ROUND, Orthogonal(3), ("W0", "b0"), True, True, "other", None),
    (cos_net(), Orthogonal(2), "neurons", None, False, "other", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("net", "group", "acting_on", "holds", "density", "effect", "n"),
    CASES,
    ids=[f"{c[0].name} {c[1]} {c[2]}" for c in CASES],
)
def test_verdicts(net, group, acting_on, holds, density, effect, n):
    found = net.symmetry(group, acting_on=acting_on)
    assert (found.holds, found.density_is_invariant, found.effect) == (holds, density, effect)
    assert (found.breaking.n if found.breaking else None) == n
    assert len(found.residual) == (len(group.generators) if density else 0)
    assert found.steps[0].startswith("theta -> ")
    assert all(step in str(found) for step in found.steps)


def test_zero_sums_of_generators_are_found():
    """O(3) of (W0_1, W0_2, b0) keeps rotations of W0 only; with a mean, combinations of generators are left."""
    net = relu_net(input_dim=2)
    found = net.symmetry(Orthogonal(3), acting_on=("W0", "b0"))
    assert (found.holds, found.breaking.n, len(found.residual)) == (False, 2, 1)
    assert found.residual[0] == Orthogonal(3).generators[0]
    mean = relu_net(hidden_bias=False, output_dim=3, mean_w1=(1, 2, 0)).symmetry(Orthogonal(3), acting_on="W1")
    assert len(mean.residual) == 1
    assert mean.residual[0] * sympy.Matrix([1, 2, 0]) == sympy.zeros(3, 1)


def _pair(net):
    numbers = net.at(**{name: {"N": 10}.get(name, 1) for name in net._symbols()})
    return float(numbers.connected_correlators(max_points=2)[2](*(sample_point(1, j) for j in (0, 1))))


def test_values_after_the_map_are_those_of_the_mapped_densities():
    """The sample element of a scaling is a factor of three: sigma_w0, sigma_b0 times three, sigma_w1 by three."""
    net = erf_net()
    found = net.symmetry(RESCALE, acting_on="parameters").breaking
    assert float(found.before) == pytest.approx(_pair(net), rel=1e-6)
    scaled = net.at(sigma_w0=3, sigma_b0=3, sigma_w1=sympy.Rational(1, 3))
    assert float(found.after) == pytest.approx(_pair(scaled), rel=1e-6)
    relu = relu_net()
    for name, sigma in (("W0", "sigma_w0"), ("b0", "sigma_b0"), ("W1", "sigma_w1")):
        found = relu.symmetry(SCALE, acting_on=name).breaking
        assert float(found.after) == pytest.approx(_pair(relu.at(**{sigma: 3})), rel=1e-3)
        assert abs(found.change) > 1e-3


def test_induced_maps_are_those_of_the_functions():
    turn = cos_net(input_dim=2).symmetry(Orthogonal(2, special=True), acting_on="W0").induced[0]
    assert turn.matrix == Orthogonal(2).generators[0].T
    shift = cos_net().symmetry(SHEAR, acting_on=("W0", "b0")).induced[0]
    assert (shift.matrix, shift.shift) == (sympy.zeros(1), sympy.ones(1, 1))
    factor = gauss_net().symmetry(Translation(1), acting_on="b0").induced[0]
    assert factor.matrix == sympy.ones(1)  # exp(b + c) = exp(c) exp(b)
    weights = cos_net(output_dim=3).symmetry(FIXED, acting_on="W1")
    assert weights.induced[0].matrix == FIXED.generators[0]


def test_rectified_networks_are_not_taken_for_linear_ones():
    """Where all arguments are positive a mixture of two neurons would leave the function alone."""
    assert linear_net().symmetry(Orthogonal(2), acting_on="neurons").effect == "none"
    relu = relu_net(hidden_bias=False).symmetry(Orthogonal(2, special=True), acting_on="neurons")
    assert relu.effect == "other"
    x, w = symbol("x"), symbol("w")
    sided = network(sympy.Max(w * x, 0) + x, parameters={w: Uniform(-1, 1)}, point=x)
    assert sided.symmetry(Orthogonal(1)).holds is False


def test_supports():
    """A cube of weights, a third of a period, and phases that shift by other phases are no symmetries."""
    x, w, c = symbol("x"), (symbol("w_1"), symbol("w_2")), symbol("c")
    cube = network(sympy.cos((w[0] + w[1]) * x + c), parameters={w: Uniform(-1, 1), c: UniformPhase()}, point=x)
    rotated = cube.symmetry(Orthogonal(2, special=True), acting_on="w")
    assert rotated.density_is_invariant is False
    assert "ends" in rotated.steps[1]
    assert cube.symmetry(Permutation(2), acting_on=("w_1", "w_2")).effect == "none"
    third = network(sympy.cos((w[0] * x + c) / 3), parameters={w[0]: FLAT, c: UniformPhase()}, point=x)
    assert third.symmetry(Translation(1), acting_on="c").density_is_invariant is False
    half = network(sympy.cos((w[0] * x + c) / 2), parameters={w[0]: FLAT, c: UniformPhase()}, point=x)
    assert half.symmetry(Translation(1), acting_on="c").density_is_invariant  # changes sign, as weights may


def test_latex_of_the_steps():
    found = relu_net().symmetry(RESCALE, acting_on="parameters")
    assert r"$\theta$ $\to$ R $\theta$" in found.to_latex()
    assert "sigma\\_w0" in aslatex(found)
    assert "<li>" in found._repr_html_()


@pytest.mark.parametrize(
    ("net", "group", "acting_on", "message"),
    [
        (cos_net(), Orthogonal(2), "weights", "names of parameters of a neuron among 'parameters', 'W0', 'b0', 'W1'"),
        (cos_net(input_dim=2), Orthogonal(3), "W0", "acts on 3 real components, but 'W0' .* has 2: W0_1, W0_2"),
        (cos_net(), Orthogonal(2), "parameters", "has 3: W0, b0, W1"),
        (relu_net().at(N=3), Permutation(4), "neurons", "4 neurons, but this net has 3"),
        (relu_net(), Euclidean(2), "neurons", "not shifted"),
    ],
)
def test_wrong_requests(net, group, acting_on, message):
    with pytest.raises(ValueError, match=message):
        net.symmetry(group, acting_on=acting_on)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrices": [[[0, 1], [-1, 0]]], "shifts": [[1, 0]]}, "the shifts do not close"),
        ({"matrices": [], "discrete": [[[1, 1], [1, 1]]]}, "has no inverse"),
        ({"matrices": [sympy.diag(1, 0)], "discrete": [[[0, 1], [1, 0]]]}, "element 0 of discrete"),
        ({"matrices": [], "shifts": [[1, 0], [2, 0]]}, "2 shifts of which only 1"),
        ({"matrices": [sympy.eye(2)], "shifts": [[1, 0, 0]]}, "vectors of it"),
    ],
)
def test_affine_generators_that_do_not_close(arguments, message):
    with pytest.raises(ValueError, match=message):
        MatrixGroup(**arguments)


def test_affine_groups_of_ones_own():
    motions = MatrixGroup([[[0, 1], [-1, 0]]], shifts=[[1, 0], [0, 1]], discrete=[sympy.diag(-1, 1)], name="E(2)")
    assert cos_net(input_dim=2).symmetry(motions).holds
    assert gauss_net(input_dim=2).symmetry(motions).breaking.n == 4
    turn = MatrixGroup([], discrete=[sympy.Matrix([[3, 4], [-4, 3]]) / 5], name="a turn")
    assert cos_net(output_dim=2).symmetry(turn).holds
    assert cos_net(output_dim=2, readout=FLAT).symmetry(turn).breaking.n == 4
