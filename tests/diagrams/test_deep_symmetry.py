"""Symmetries of networks with several hidden layers, proved layer by layer."""

from __future__ import annotations

import pytest
import sympy

from diagrams import (
    Euclidean,
    MatrixGroup,
    Orthogonal,
    Permutation,
    Translation,
    Unitary,
    deep_net,
    invariant_tensors,
    prove_symmetry,
    symbol,
)

TANH = sympy.tanh(symbol("z"))
RELU = deep_net(activation="relu", depth=2, input_dim=2, output_dim=4, hidden_bias=True, output_bias=True)
COS = deep_net(activation="cos", depth=3, input_dim=2)
SQUEEZE = MatrixGroup([sympy.diag(1, -1)], name="squeeze")
TURN_OR_SQUEEZE = MatrixGroup([[[1, 0], [0, -1]], [[0, 1], [-1, 0]], [[0, 1], [1, 0]]], name="SL(2)")
SIGN = MatrixGroup([], name="sign", discrete=[sympy.diag(-1, 1)])
SCALE = MatrixGroup([sympy.diag(1, 0)], name="scale")

CASES = [
    (RELU, Orthogonal(4), "outputs", True),
    (RELU, Unitary(2), "outputs", True),
    (RELU, Permutation(4), "outputs", True),
    (RELU, Orthogonal(2), "inputs", True),
    (RELU, SQUEEZE, "inputs", False),
    (RELU, Translation(2), "inputs", False),
    (COS, Euclidean(2), "inputs", True),
    (COS, Translation(2), "inputs", True),
    (deep_net(activation=TANH, depth=2), Translation(1), "inputs", False),
    (deep_net(activation="linear", depth=2, output_dim=2), SQUEEZE, "outputs", False),
]


@pytest.mark.parametrize(("net", "group", "on", "holds"), CASES, ids=[f"{c[0].name} {c[1]} {c[2]}" for c in CASES])
def test_inputs_and_outputs(net, group, on, holds):
    found = net.symmetry(group, acting_on=on)
    assert (found.holds, found.holds_at_infinite_width, found.breaking is None) == (holds, holds, holds)
    assert prove_symmetry(net, group, acting_on=on).steps == found.steps
    assert "net of depth" in str(found)
    if holds:
        assert len(found.residual) == len(group.generators)


def test_what_remains_and_by_how_much_the_rest_breaks():
    net = deep_net(activation="linear", depth=2, input_dim=2, output_dim=2)
    found = net.symmetry(TURN_OR_SQUEEZE, acting_on="outputs")
    assert (found.holds, found.breaking.n) == (False, 2)
    assert [t + t.T for t in found.residual] == [sympy.zeros(2)]  # the rotations
    assert found.breaking.change == pytest.approx(8 * float(found.breaking.before), rel=1e-6)  # a factor of nine
    stretched = net.symmetry(SQUEEZE, acting_on="inputs").breaking
    assert float(stretched.after) != pytest.approx(float(stretched.before), rel=0.1)


UNITS = [
    (RELU, Permutation(5), "layer 2", True, True, "none"),
    (COS, Permutation(3), "layer 2", True, True, "none"),
    (RELU, Orthogonal(2), "layer 1", True, True, "other"),
    (COS, Orthogonal(2), "layer 1", True, True, "other"),
    (COS, SIGN, "layer 1", True, True, "other"),
    (deep_net(activation="linear", depth=2), Orthogonal(3), "layer 1", True, True, "none"),
    (deep_net(activation=TANH, depth=2), SIGN, "layer 2", True, True, "none"),  # odd
    (RELU, SCALE, "layer 1", True, False, "none"),  # homogeneous
    (deep_net(activation="erf", depth=2), SCALE, "layer 1", None, False, "other"),
]


@pytest.mark.parametrize(
    ("net", "group", "on", "holds", "density", "effect"), UNITS, ids=[f"{c[0].name} {c[1]} {c[2]}" for c in UNITS]
)
def test_hidden_units(net, group, on, holds, density, effect):
    found = net.symmetry(group, acting_on=on)
    assert (found.holds, found.density_is_invariant, found.effect) == (holds, density, effect)


def test_correlators_of_several_outputs_are_invariant_tensors():
    """The orders of the recursion carry the deltas of the outputs; one output has all of them."""
    import numpy as np

    net = deep_net(activation="cos", depth=2, output_dim=2).at(N=9, sigma_w0=1, sigma_w1=1)
    G2, G4 = (net.connected_correlators()[n] for n in (2, 4))
    assert G2(0, 1, outputs=(0, 1)) == 0
    one = deep_net(activation="cos", depth=2).at(N=9, sigma_w0=1, sigma_w1=1).connected_correlators()
    assert sympy.simplify(G2(0, 1, outputs=(1, 1)) - one[2](0, 1)) == 0
    points = (0, 1, 2, sympy.Rational(7, 2))
    tensor = np.array([float(G4(*points, outputs=a)) for a in np.ndindex(2, 2, 2, 2)]).reshape(2, 2, 2, 2)
    coefficients, rest = invariant_tensors(Orthogonal(2), 4).decompose(tensor)
    assert rest < 1e-12
    assert sum(coefficients.values()) == pytest.approx(float(one[4](*points)), rel=1e-12)
    orders = net.orders(points, (0, 0, 1, 1))
    assert float(orders[1]) / 9 == pytest.approx(tensor[0, 0, 1, 1], rel=1e-12)
    assert len({round(c, 6) for c in coefficients.values()}) == 3


@pytest.mark.parametrize(
    ("group", "on", "message"),
    [
        (Orthogonal(3), "outputs", "has 4 outputs"),
        (Translation(4), "outputs", "only inputs can be translated"),
        (Permutation(3), "layer 3", "one of 'layer 1', 'layer 2', got 'layer 3'"),
        (Permutation(3), "neurons", "one of 'layer 1'"),
    ],
)
def test_wrong_requests(group, on, message):
    with pytest.raises(ValueError, match=message):
        RELU.symmetry(group, acting_on=on)
    with pytest.raises(TypeError, match="must be one such as"):
        RELU.symmetry("O(2)")


def test_more_units_than_there_are():
    with pytest.raises(ValueError, match="9 units, but layer 1 has 5"):
        RELU.at(N=5).symmetry(Permutation(9), acting_on="layer 1")
    with pytest.raises(ValueError, match="output_dim must be a positive integer"):
        deep_net(activation="cos", depth=1, output_dim=0)
