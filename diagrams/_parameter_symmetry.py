"""Maps of the parameters of networks: is their density invariant, and what becomes of the functions?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams._moved_parameters import first_change
from diagrams._parameter_effects import Effect, flow_effect, image_effect
from diagrams._parameter_space import ParameterSpace, parameter_space
from diagrams._symmetry_verdict import PRIMES, SymmetryVerdict, sample_values
from diagrams.groups import Group


@dataclass(frozen=True, repr=False)
class ParameterVerdict(SymmetryVerdict):
    """What is known about a map of the parameters.

    ``holds`` says whether the n-point functions of networks with mapped parameters are those of the networks. They are
    if the density of the parameters is invariant, and also if no network's function changes.

    Parameters
    ----------
    density_is_invariant : bool
        With the Jacobian, for every element.
    effect : {"none", "outputs", "inputs", "inputs and outputs", "other"}
        What elements do to the function of a network: nothing, a linear map of outputs, an affine map of inputs, some
        elements the one and some the other, or something else.
    induced : tuple of Effect
        The same for each generator, translation and reflection, with the matrices of the maps.
    """

    density_is_invariant: bool = False
    effect: str = "other"
    induced: tuple[Effect, ...] = ()


def of_parameters(net: Architecture, group: Group, acting_on: str | Sequence[str]) -> ParameterVerdict:
    space = parameter_space(net, group, acting_on)
    flows = [(f"generator {i}", space.flow(t, None)) for i, t in enumerate(group.generators, start=1)]
    flows += [(f"translation {i}", space.flow(None, t)) for i, t in enumerate(group.translations, start=1)]
    nothing = sympy.zeros(group.size, 1)
    images = [(f"reflection {i}", r, space.image(r, nothing)) for i, r in enumerate(group.reflections, start=1)]
    failures = [(name, space.flow_failure(flow)) for name, flow in flows]
    failures += [(name, space.image_failure(image)) for name, _, image in images]
    effects = [flow_effect(space, flow) for _, flow in flows] + [image_effect(space, m, r) for _, r, m in images]
    broken = [(name, why) for name, why in failures if why is not None]
    kinds = {e.kind for e in effects} - {"none"}
    effect = "other" if "other" in kinds else " and ".join(sorted(kinds)) or "none"
    steps = [_map_step(space, group), *_density_steps(space, broken), *_effect_steps(failures, effects)]
    known = (not broken, effect, tuple(effects))
    named = (net, group, space.label)
    moved = {name for (name, why), e in zip(failures, effects, strict=True) if why and e.kind != "none"}
    if not moved:
        steps.append("all n-point functions are invariant, at every width")
        kept = tuple(group.generators) if not broken else _residual(space, group, failures)
        return ParameterVerdict(*named, True, True, tuple(steps), None, kept, *known)
    breaking, reason = first_change(space, group)
    steps += [reason] if reason else []
    holds, limit = (None, None) if breaking is None else (False, breaking.n > 2)
    residual = _residual(space, group, failures)
    return ParameterVerdict(*named, holds, limit, tuple(steps), breaking, residual, *known)


def _map_step(space: ParameterSpace, group: Group) -> str:
    linear = bool(group.generators or group.reflections)
    image = " + ".join([("R theta" if linear else "theta"), *(["a"] if group.translations else [])])
    if len(space.columns) > 1:
        n, verb = len(space.columns[0]), "mixes" if group.generators else "exchanges"
        return f"theta -> {image} {verb} {n} neurons, for each of the parameters {_names(space)} alike"
    return f"theta -> {image} acts on theta = ({space.names}) of every neuron"


def _names(space: ParameterSpace) -> str:
    return ", ".join(str(column[0]).partition("[")[0] for column in space.columns)


def _density_steps(space: ParameterSpace, broken: Sequence[tuple[str, str | None]]) -> list[str]:
    if broken:
        return [f"the density of the parameters is not invariant under {name}: {why}" for name, why in broken]
    moved = {s for column in space.columns for s in column}
    laws = dict.fromkeys(str(law) for symbols, law in space.blocks if moved & set(symbols))
    return [f"div(P u) = 0 and P(R theta) |det R| = P(theta) for {', '.join(laws)}: density and Jacobian are invariant"]


def _effect_steps(failures: Sequence[tuple[str, str | None]], effects: Sequence[Effect]) -> list[str]:
    """Return what happens to functions, equal effects told once."""
    told: dict[str, list[str]] = {}
    for (name, _), effect in zip(failures, effects, strict=True):
        told.setdefault(_effect_text(effect, name.startswith("reflection")), []).append(name)
    if len(told) == 1:
        return [f"functions of networks: {text}" for text in told]
    return [f"functions of networks under {', '.join(names)}: {text}" for text, names in told.items()]


def _effect_text(effect: Effect, is_finite: bool) -> str:
    """Return what happens to a function; for generators and translations to first order in a small e."""
    if effect.kind == "none":
        return "every network computes the function that it did"
    if effect.kind == "other":
        return "a change that is no linear map of outputs and no affine map of inputs"
    matrix = effect.matrix.tolist()
    if effect.kind == "outputs":
        return f"the map of outputs f -> {matrix} f" if is_finite else f"the map of outputs f -> f + e {matrix} f"
    terms = [] if effect.matrix.is_zero_matrix else [f"{matrix} x"]
    terms += [] if effect.shift.is_zero_matrix else [str(list(effect.shift))]
    image = " + ".join(terms)
    if is_finite:
        return f"the map of inputs x -> {image}"
    return f"the map of inputs x -> x + e {f'({image})' if len(terms) > 1 else image}"


def _residual(space: ParameterSpace, group: Group, failures: Sequence[tuple[str, str | None]]) -> tuple[Any, ...]:
    """Return combinations of the generators under which the density of the parameters is invariant."""
    kept = tuple(t for t, (_, why) in zip(group.generators, failures, strict=False) if why is None)
    if len(kept) == len(group.generators):
        return kept
    divergences = [space.divergence(space.flow(t, None)) for t in group.generators]
    table = sympy.Matrix([_at_rational_place(space, divergences, k) for k in range(2 * len(divergences) + 2)])
    if not all(e.is_Rational for e in table):
        return kept
    found = []
    for v in table.nullspace():
        total = sum((c * sympy.Matrix(t) for c, t in zip(v, group.generators, strict=True)), sympy.zeros(group.size))
        if space.flow_failure(space.flow(total, None)) is None:
            found.append(sympy.ImmutableMatrix(total))
    return tuple(found) if len(found) > len(kept) else kept


def _at_rational_place(space: ParameterSpace, expressions: Sequence[Any], k: int) -> list[Any]:
    numbers = {s: sympy.Integer(sample_values(space.net)[s.name]) for s in space.net._symbols().values()}
    symbols = [s for block, _ in space.blocks for s in block]
    place = {s: sympy.Rational(PRIMES[(3 * i + 5 * k) % 20], 7 + i + 2 * k) for i, s in enumerate(symbols)}
    return [sympy.sympify(e).xreplace(numbers).xreplace(place) for e in expressions]
