"""Symmetries of networks with several hidden layers, from the densities of the layers one after the other.

Weights of every layer are independent Gaussians of one variance and mean zero, so that their density is a function of
the sum of their squares: it is invariant under rotations of the units above, with their biases, and of those below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy

from diagrams._gaussian_activations import Cosine
from diagrams._input_symmetry import sample_elements, vanishes
from diagrams._output_symmetry import _combinations, _is_antisymmetric, _is_orthogonal, _is_signed_permutation
from diagrams._parameter_effects import Effect
from diagrams._parameter_symmetry import ParameterVerdict
from diagrams._symmetry_verdict import Breaking, SymmetryVerdict, sample_point
from diagrams.deep import DeepArchitecture
from diagrams.expectation import evaluate
from diagrams.groups import Group
from diagrams.symbols import symbol
from diagrams.typing import Expr

_CHANGED = 1e-6


def prove_deep_symmetry(net: DeepArchitecture, group: Group, acting_on: str | None) -> SymmetryVerdict:
    """Return whether all n-point functions of a deep net are invariant, with the proof; see ``net.symmetry``.

    Raises
    ------
    TypeError, ValueError
        If the group is none, its size does not fit, or there is nothing of that name to act on.
    """
    if not isinstance(group, Group):
        raise TypeError(f"the group must be one such as Orthogonal(3) or Euclidean(1), got {group!r}")
    acting_on = acting_on or ("outputs" if net.output_dim > 1 and not group.translations else "inputs")
    if acting_on in ("inputs", "outputs"):
        size = net.input_dim if acting_on == "inputs" else net.output_dim
        if group.size != size:
            raise ValueError(f"{group} acts on {group.size} real components, but the net has {size} {acting_on}")
    if acting_on != "inputs" and group.translations:
        raise ValueError(f"{group} shifts what it acts on; only inputs can be translated")
    if acting_on == "inputs":
        return _of_inputs(net, group)
    if acting_on == "outputs":
        return _of_outputs(net, group)
    found = re.fullmatch(r"layer (\d+)", acting_on)
    if found is None or not 1 <= int(found[1]) <= net.depth:
        layers = ", ".join(repr(f"layer {k}") for k in range(1, net.depth + 1))
        raise ValueError(f"acting_on must be 'inputs', 'outputs' or one of {layers}, got {acting_on!r}")
    return _of_units(net, group, int(found[1]))


def _is_rotation(group: Group) -> bool:
    return all(map(_is_antisymmetric, group.generators)) and all(map(_is_orthogonal, group.reflections))


def _rotations(group: Group) -> tuple[Any, ...]:
    """Return the combinations of the generators that are antisymmetric."""
    if not group.generators:
        return ()
    parts = [sympy.Matrix(t) + sympy.Matrix(t).T for t in group.generators]
    return _combinations(group, sympy.Matrix.hstack(*(p.reshape(group.size**2, 1) for p in parts)))


def _of_outputs(net: DeepArchitecture, group: Group) -> SymmetryVerdict:
    top = net.depth + 1
    bias = "" if net.sigma_b1 == 0 else f", b({top}) -> R b({top})"
    steps = [f"f -> R f is absorbed by W({top}) -> R W({top}){bias}; the other layers do not change"]
    if _is_rotation(group):
        steps += [
            f"the density of W({top}) is a function of |W({top})|^2 alone, and |det R| = 1 on every column",
            "all n-point functions are invariant tensors of the outputs, at every width",
        ]
        return SymmetryVerdict(net, group, "outputs", True, True, tuple(steps), None, tuple(group.generators))
    steps.append(f"R is not orthogonal, and the density of W({top}) is a function of |W({top})|^2")
    return _broken(net, group, "outputs", steps, _output_change(net, group))


def _of_inputs(net: DeepArchitecture, group: Group) -> SymmetryVerdict:
    shifts, waves = bool(group.translations), isinstance(net.activation, Cosine)
    turns = bool(group.generators or group.reflections)
    image = " + ".join([("R x" if turns else "x"), *(["a"] if shifts else [])])
    steps, failures = [], []
    absorbed = "W(1) -> W(1) R^T" if turns else "W(1) -> W(1)"
    if shifts and waves:
        absorbed += ", c(1) -> c(1) - W(1) a"
    steps.append(f"x -> {image} is absorbed by {absorbed}; the other layers do not change")
    if turns and _is_rotation(group):
        steps.append("the density of W(1) is a function of |W(1)|^2 alone, and |det R| = 1 on every row")
    elif turns:
        failures.append("R is not orthogonal, and the density of W(1) is a function of |W(1)|^2")
    if shifts and waves:
        steps.append("the phases c(1) are uniform over a period of the cosine: a shift leaves their density alone")
    elif shifts:
        failures.append("there are no uniform phases in the first layer that could absorb a shift of its arguments")
    if not failures:
        steps.append("all n-point functions are invariant, at every width")
        return SymmetryVerdict(net, group, "inputs", True, True, tuple(steps), None, tuple(group.generators))
    return _broken(net, group, "inputs", [*steps, *failures], _input_change(net, group))


def _broken(
    net: DeepArchitecture, group: Group, acting_on: str, steps: Sequence[str], breaking: Breaking | None
) -> SymmetryVerdict:
    if breaking is None:
        steps = [*steps, "the two-point function at infinite width does not change at the sample points"]
        return SymmetryVerdict(net, group, acting_on, None, None, tuple(steps), None, _rotations(group))
    steps = [*steps, "the two-point function changes already at infinite width"]
    return SymmetryVerdict(net, group, acting_on, False, False, tuple(steps), breaking, _rotations(group))


def _numbers(net: DeepArchitecture) -> tuple[DeepArchitecture, str]:
    free = sorted({s.name for p in net._parameters() for s in p.free_symbols if s.name != "N"})
    return net.at(**dict.fromkeys(free, 1)), ", ".join([*(f"{name} = 1" for name in free), "N to infinity"])


def _kernel(net: DeepArchitecture, points: Sequence[Sequence[Expr]]) -> float:
    return evaluate(net.orders([tuple(p) for p in points])[0]).value


def _input_change(net: DeepArchitecture, group: Group) -> Breaking | None:
    numbers, where = _numbers(net)
    points = [sample_point(net.input_dim, j) for j in range(2)]
    before = _kernel(numbers, points)
    for name, rotation, shift in sample_elements(group):
        after = _kernel(numbers, [rotation * sympy.Matrix(p) + shift for p in points])
        if abs(after - before) > _CHANGED * max(abs(before), abs(after)):
            return Breaking(2, name, sympy.Float(before, 8), sympy.Float(after, 8), where)
    return None


def _output_change(net: DeepArchitecture, group: Group) -> Breaking | None:
    numbers, where = _numbers(net)
    kernel = _kernel(numbers, [sample_point(net.input_dim, 0)] * 2)
    one = sympy.eye(group.size)
    for name, rotation, _ in sample_elements(group):
        after = sympy.Matrix(rotation) * sympy.Matrix(rotation).T
        size, a, b = max(((abs(e), *divmod(i, group.size)) for i, e in enumerate(after - one)), key=lambda t: t[0])
        if size > 0:
            shown = [sympy.Float(kernel * m[a, b], 8) for m in (one, after)]
            return Breaking(2, name, shown[0], shown[1], where, (a, b) if group.size > 1 else ())
    return None


def _of_units(net: DeepArchitecture, group: Group, layer: int) -> ParameterVerdict:
    width = net.widths[layer - 1] * net.width
    if width.is_number and group.size > width:
        raise ValueError(f"{group} acts on {group.size} units, but layer {layer} has {width}")
    label = f"units of layer {layer}"
    bias = "" if net.sigma_b0 == 0 else f", b({layer}) -> R b({layer})"
    phase = f", c({layer}) -> R c({layer}) where R exchanges units" if isinstance(net.activation, Cosine) else ""
    steps = [f"W({layer}) -> R W({layer}){bias}{phase}, W({layer + 1}) -> W({layer + 1}) R^-1 on {group.size} units"]
    invariant = _is_rotation(group)
    steps.append(
        "both weights are independent Gaussians of one variance and |det R| = 1: density and Jacobian are invariant"
        if invariant
        else "R is not orthogonal: the density of the weights is not invariant"
    )
    effects = tuple(Effect("none" if same else "other") for same in _units_commute(net, group))
    kept = all(e.kind == "none" for e in effects)
    steps.append(
        "R goes through the activation, sigma(R z) = R sigma(z): every network computes the function that it did"
        if kept
        else "R does not go through the activation: functions of networks change"
    )
    known = (invariant, "none" if kept else "other", effects)
    if not (invariant or kept):
        steps.append("correlators of networks with mixed units are not evaluated: sample them with numerics.Ensemble")
        return ParameterVerdict(net, group, label, None, None, tuple(steps), None, _rotations(group), *known)
    steps.append("all n-point functions are invariant, at every width")
    residual = tuple(group.generators) if invariant else _rotations(group)
    return ParameterVerdict(net, group, label, True, True, tuple(steps), None, residual, *known)


def _units_commute(net: DeepArchitecture, group: Group) -> list[bool]:
    """Return for each generator and each discrete element whether it goes through the activation."""
    z = sympy.Matrix([symbol(f"z_{i}") for i in range(1, group.size + 1)])
    waves = isinstance(net.activation, Cosine)
    phases = sympy.Matrix([symbol(f"c_{i}") for i in range(1, group.size + 1)]) if waves else 0 * z

    def sigma(arguments: Any) -> Any:
        return sympy.Matrix([net.activation.expression(e) for e in arguments])

    here, found = sigma(z + phases), []
    for t in group.generators:
        slopes = [here[i].diff(z[i]) for i in range(group.size)]
        moved = sympy.Matrix([s * v for s, v in zip(slopes, sympy.Matrix(t) * z, strict=True)])
        found.append(all(map(vanishes, moved - sympy.Matrix(t) * here)))
    for r in group.reflections:
        carried = sympy.Matrix(r) * phases if _is_signed_permutation(r) else phases
        found.append(all(map(vanishes, sigma(sympy.Matrix(r) * z + carried) - sympy.Matrix(r) * here)))
    return found
