"""Maps of the inputs of a net, absorbed into the parameters of its neurons."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams._symmetry_verdict import (
    DIGITS,
    HIGHEST,
    PRIMES,
    Breaking,
    SymmetryVerdict,
    sample_point,
    sample_text,
    with_numbers,
)
from diagrams.distributions import Distribution
from diagrams.expectation import ExpectationIntegral
from diagrams.features import bias_symbol, weight_symbols
from diagrams.groups import Group
from diagrams.momenta import RadialDistribution
from diagrams.symbols import coordinates
from diagrams.typing import Expr

_ZERO = sympy.Float("1e-20")
_CHANGED = sympy.Float("1e-12")
_PLACES = 6


def of_inputs(net: Architecture, group: Group) -> SymmetryVerdict:
    moves = [(f"the generator {i + 1}", t, None) for i, t in enumerate(group.generators)]
    moves += [(f"the translation along axis {i + 1}", None, t) for i, t in enumerate(group.translations)]
    attempts = [_attempt(net, group, moves, roles) for roles in _roles(net)]
    roles, failures, residual = min(attempts, key=lambda attempt: len(attempt[1]))
    steps = [_absorbed(group, roles)]
    if not failures:
        steps += _input_steps(net, group, roles)
        return SymmetryVerdict(net, group, "inputs", True, True, tuple(steps), None, tuple(residual))
    steps += [f"the parameters do not absorb {failure}" for failure in failures]
    elements = sample_elements(group)
    breaking = _first_change(net, elements, range(1, HIGHEST + 1))
    limit: bool | None = True
    if breaking and breaking.n <= 2:
        limit = False
    elif breaking is None:
        steps.append(f"no correlator of up to {HIGHEST} points changes at the sample points")
        limit = None
    else:
        steps.append(_limit_step(net, group))
    return SymmetryVerdict(
        net, group, "inputs", False if breaking else None, limit, tuple(steps), breaking, tuple(residual)
    )


def _limit_step(net: Architecture, group: Group) -> str:
    """Return how it is known that functions of one and two points, all there is at infinite width, do not change."""
    places = [coordinates(i, net.input_dim) for i in (1, 2)]
    for n in (1, 2):
        if n % 2 and net.is_even:
            continue
        kind = {"outputs": [0] * n} if net.output_dim > 1 else {}
        correlator = net.connected_correlators(max_points=2)[n](*places[:n], **kind)
        if correlator.has(ExpectationIntegral):
            return "the one- and two-point functions do not change at the sample points"
        if not all(map(vanishes, _changes(correlator, places[:n], group))):
            return "the one- and two-point functions do not change at the sample points"
    return "the one- and two-point functions are invariant: they have no slope along the generators, at six places"


def _changes(function: Expr, points: Sequence[Any], group: Group) -> list[Expr]:
    """Return the slopes of a function of points along generators and translations, and its changes by reflections."""
    found = []
    for matrix in group.generators:
        velocities = [zip(x, sympy.Matrix(matrix) * sympy.Matrix(x), strict=True) for x in points]
        found.append(sympy.Add(*(u * sympy.diff(function, s) for pairs in velocities for s, u in pairs)))
    for shift in group.translations:
        found.append(sympy.Add(*(a * sympy.diff(function, s) for x in points for s, a in zip(x, shift, strict=True))))
    for r in group.reflections:
        moved = {s: u for x in points for s, u in zip(x, sympy.Matrix(r) * sympy.Matrix(x), strict=True)}
        found.append(function.xreplace(moved) - function)
    return found


Roles = tuple[tuple[Any, ...], Any]  # weights that multiply x, and the bias that absorbs shifts, or None


def _roles(net: Architecture) -> list[Roles]:
    """Return which parameters may be the weights and the bias: those of that name, else what a user's net may mean."""
    parameters, d = net.feature.parameters, net.input_dim
    weights, bias = weight_symbols(d), bias_symbol()
    if set(weights) <= set(parameters):
        return [(weights, bias if bias in parameters else None)]
    blocks = [symbols for symbols, _ in net.feature.distributions if len(symbols) == d]
    return [(tuple(w), b) for w in blocks for b in (*(s for s in parameters if s not in w), None)] or [((), None)]


def _attempt(
    net: Architecture, group: Group, moves: Sequence[tuple[str, Any, Any]], roles: Roles
) -> tuple[Roles, list[str], list[Any]]:
    """Return what the parameters with these roles do not absorb, and the generators that they do."""
    if not roles[0]:
        return roles, [f"anything: no parameter is a vector of {net.input_dim} weights"], []
    failures, residual = [], []
    for name, matrix, shift in moves:
        if failure := _flow_failure(net, matrix, shift, roles):
            failures.append(f"{name}: {failure}")
        elif matrix is not None:
            residual.append(matrix)
    for i, reflection in enumerate(group.reflections):
        if failure := _reflection_failure(net, reflection, roles[0]):
            failures.append(f"the reflection {i + 1}: {failure}")
    return roles, failures, residual


def _absorbed(group: Group, roles: Roles) -> str:
    turns, shifts = bool(group.generators or group.reflections), bool(group.translations)
    weight = roles[0][0].name.partition("_")[0] if roles[0] else "W0"
    inputs = " + ".join([("R x" if turns else "x"), *(["a"] if shifts else [])])
    parameters = f"{weight} -> R^T {weight}" if turns else f"{weight} -> {weight}"
    if shifts and roles[1] is not None:
        parameters += f", {roles[1]} -> {roles[1]} + {weight}.a"
    elif shifts:
        parameters += " (there is no bias to absorb a shift)"
    return f"x -> {inputs} is absorbed by {parameters}"


def _input_steps(net: Architecture, group: Group, roles: Roles) -> list[str]:
    laws = ", ".join(str(law) for _, law in net.feature.distributions)
    steps = [
        "v.grad_x h = u.grad_theta h holds for every generator (evaluated to 20 digits at six places)",
        f"div(P u) = 0 for the densities {laws}: they and the Jacobian are invariant",
    ]
    if group.translations:
        steps.append(f"the feature is periodic in {roles[1]}, uniform over whole periods: no flux through its ends")
    if group.reflections:
        steps.append("h(R x; theta) = h(x; R^T theta) and P(R^T theta) = P(theta) hold for every reflection")
    steps.append("output weights do not change: all n-point functions are invariant, at every width")
    return steps


def _flow_failure(net: Architecture, matrix: Any, shift: Any, roles: Roles) -> str | None:
    """Return why an infinitesimal map of the inputs is not absorbed, None if it is."""
    feature, (weights, bias) = net.feature, roles
    x = coordinates(1, net.input_dim)
    h = feature.expression(x)
    flow: dict[Any, Expr] = {}
    if matrix is not None:
        column = list(sympy.Matrix(matrix) * sympy.Matrix(x))
        flow |= dict(zip(weights, sympy.Matrix(matrix).T * sympy.Matrix(weights), strict=True))
    else:
        column = list(shift)
        if bias is not None:
            flow[bias] = sum(a * w for a, w in zip(shift, weights, strict=True))
    change = sum(v * sympy.diff(h, s) for v, s in zip(column, x, strict=True))
    change -= sum(u * sympy.diff(h, s) for s, u in flow.items())
    if not vanishes(change):
        return "the feature changes by more than a change of its parameters"
    divergence = sum((_log_change(symbols, law, flow) for symbols, law in feature.distributions), sympy.S.Zero)
    divergence += sum(sympy.diff(u, s) for s, u in flow.items())
    if not vanishes(divergence):
        return "the density of the parameters is not invariant"
    return _boundary_failure(net, h, flow, matrix)


def _log_change(symbols: Sequence[Any], law: Distribution, flow: dict[Any, Expr]) -> Expr:
    moved = [s for s in symbols if s in flow]
    if not moved:
        return sympy.S.Zero
    density = _density(symbols, law)
    return sympy.Add(*(flow[s] * sympy.diff(sympy.log(density), s) for s in moved))


def _density(symbols: Sequence[Any], law: Any) -> Expr:
    if isinstance(law, RadialDistribution):
        return _inside(law.joint_density(symbols))
    return sympy.Mul(*(_inside(law.density(s)) for s in symbols))


def _inside(density: Any) -> Expr:
    """Return the density inside its support, where it is smooth."""
    return density.args[0][0] if isinstance(density, sympy.Piecewise) else density


def _boundary_failure(net: Architecture, h: Expr, flow: dict[Any, Expr], matrix: Any) -> str | None:
    for symbols, law in net.feature.distributions:
        if not any(s in flow for s in symbols) or not all(e.is_finite for e in law.support):
            continue
        if matrix is not None and not isinstance(law, RadialDistribution):
            return f"the density {law} ends at {law.support[1]} in every component: a cube does not turn into itself"
        if matrix is None:
            period = law.support[1] - law.support[0]
            moved = h.xreplace({symbols[0]: symbols[0] + period})
            # a change of sign is absorbed by output weights of either sign
            if not (vanishes(moved - h) or (net.has_symmetric_readout and vanishes(moved + h))):
                return f"the density {law} ends, and the feature is not periodic over its support"
    return None


def _reflection_failure(net: Architecture, matrix: Any, weights: tuple[Any, ...]) -> str | None:
    feature, x = net.feature, coordinates(1, net.input_dim)
    h = feature.expression(x)
    inputs = dict(zip(x, sympy.Matrix(matrix) * sympy.Matrix(x), strict=True))
    moved = dict(zip(weights, sympy.Matrix(matrix).T * sympy.Matrix(weights), strict=True))
    if not vanishes(h.xreplace(inputs) - h.xreplace(moved)):
        return "the feature changes by more than a change of its parameters"
    for symbols, law in feature.distributions:
        density = _density(symbols, law)
        if not vanishes(density.xreplace(moved) - density):
            return "the density of the parameters is not invariant"
        if set(symbols) & set(moved) and not _keeps_the_support(law, matrix):
            return f"the density {law} ends at places that are moved"
        is_lopsided = not isinstance(law, RadialDistribution) and not law.is_symmetric
        if is_lopsided and set(symbols) & set(moved) and any(entry < 0 for entry in matrix):
            return f"the density {law} is not symmetric"
    return None


def _keeps_the_support(law: Distribution, matrix: Any) -> bool:
    """Return whether a matrix maps the support of independent components, or a ball, to itself."""
    if isinstance(law, RadialDistribution):
        return bool(sympy.Matrix(matrix) * sympy.Matrix(matrix).T == sympy.eye(matrix.rows))
    permuted = all(sorted(abs(e) for e in matrix.row(i)) == [0] * (matrix.rows - 1) + [1] for i in range(matrix.rows))
    return permuted or all(e.is_infinite for e in law.support)


def vanishes(expression: Expr) -> bool:
    """Return whether an expression in coordinates and parameters is zero, at six places to 20 digits.

    Symbols take both signs, unless they are positive: features may be defined piece by piece.
    """
    expression = sympy.expand(expression)
    if expression == 0:
        return True
    symbols = sorted(expression.free_symbols, key=lambda s: s.name)
    for k in range(_PLACES):
        place = {s: _sign(s, i, k) * sympy.sqrt(PRIMES[(i + k) % 20]) / (3 + i + k) for i, s in enumerate(symbols)}
        size = sympy.Add(*(abs(t.xreplace(place)).evalf(DIGITS) for t in sympy.Add.make_args(expression)))
        if abs(expression.xreplace(place).evalf(DIGITS, maxn=200)) > _ZERO * max(size, sympy.S.One):
            return False
    return True


def _sign(s: sympy.Symbol, i: int, k: int) -> int:
    return 1 if s.is_positive or Random(101 * i + k).random() < 0.5 else -1


def sample_elements(group: Group) -> list[tuple[str, Any, Any]]:
    """Return sample elements (name, R, t), one for each generator, reflection and translation."""
    one, nothing = sympy.eye(group.size), sympy.zeros(group.size, 1)
    angle = sympy.Rational(3, 5), sympy.Rational(4, 5)
    found = []
    for i, t in enumerate(group.generators):
        # a finite element without floats: the Cayley transform of the generator
        rotation = (one - t / 2).inv() * (one + t / 2)
        found.append((f"an element along generator {i + 1}", rotation, nothing))
    found += [(f"the reflection {i + 1}", r, nothing) for i, r in enumerate(group.reflections)]
    found += [
        (f"a shift by {angle[0]} along axis {i + 1}", one, angle[0] * t) for i, t in enumerate(group.translations)
    ]
    return found


def _first_change(
    net: Architecture, elements: Sequence[tuple[str, Any, Any]], orders: Sequence[int]
) -> Breaking | None:
    numbers = with_numbers(net)
    # of several outputs the one whose weights have the largest mean, where there are means
    shown = max(range(net.output_dim), key=lambda a: abs(numbers.readout_of(a).moment(1)))
    for n in orders:
        if net.is_even and n % 2:
            continue
        correlator = numbers.connected_correlators(max_points=n)[n]
        kind = {"outputs": [shown] * n} if net.output_dim > 1 else {}
        points = [sample_point(net.input_dim, j) for j in range(n)]
        before = sympy.N(correlator(*points, **kind), DIGITS)
        for name, rotation, shift in elements:
            moved = [tuple(rotation * sympy.Matrix(p) + shift) for p in points]
            after = sympy.N(correlator(*moved, **kind), DIGITS)
            if abs(after - before) > _CHANGED * max(abs(before), abs(after)):
                return Breaking(n, name, sympy.N(before, 8), sympy.N(after, 8), sample_text(net))
    return None
