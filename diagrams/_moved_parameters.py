"""Correlators after a finite map of the parameters of every neuron, and the first one that is another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams._input_symmetry import sample_elements, vanishes
from diagrams._parameter_space import Map, ParameterSpace, weight_symbols_of
from diagrams._symmetry_verdict import HIGHEST, Breaking, sample_point, sample_text, with_numbers
from diagrams.cumulants import cumulant_from_moments
from diagrams.custom_feature import CustomFeature
from diagrams.expectation import Quadrature, QuadratureError, evaluate
from diagrams.features import monomials, weight_symbols
from diagrams.groups import Group
from diagrams.symbols import coordinates
from diagrams.typing import Expr, Point

_CHANGED = 1e-6  # relative, and ten times the errors of averages that are integrated
_TOLERANCES = (1e-7, 1e-4)


@dataclass(frozen=True)
class MovedNeuron:
    """Averages over one neuron whose parameters were moved, output weights and hidden parameters each for themselves.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters.
    image : dict
        Images of the parameters that are moved.
    """

    net: Architecture
    image: Map

    @property
    def is_apart(self) -> bool:
        """Whether neither output weights depend on hidden parameters after the map, nor the other way round."""
        weights = set(weight_symbols_of(self.net))
        return all((s in weights) == (p in weights) for s, u in self.image.items() for p in u.free_symbols)

    def correlator(self, points: Sequence[Point], outputs: tuple[int, ...]) -> Quadrature:
        """Return the connected correlator of a network of such neurons, with the error of quadrature."""
        n = len(points)
        moment = cache(self._moment(points, outputs))
        total = cumulant_from_moments(range(n), moment) * self.net.width ** (1 - sympy.Rational(n, 2))
        bias = self.net.sigma_b1**2 if n == 2 and outputs[0] == outputs[1] else sympy.S.Zero
        try:
            return evaluate(total + bias, rtol=_TOLERANCES[0])
        except QuadratureError:
            return evaluate(total + bias, rtol=_TOLERANCES[1])

    def _moment(self, points: Sequence[Point], outputs: tuple[int, ...]) -> Callable[[tuple[int, ...]], Expr]:
        def moment(block: tuple[int, ...]) -> Expr:
            weights = self._weights([outputs[i] for i in block])
            return weights * self._hidden(tuple(points[i] for i in block)) if weights != 0 else sympy.S.Zero

        return moment

    def _weights(self, outputs: Sequence[int]) -> Expr:
        symbols = weight_symbols_of(self.net)
        moved = sympy.Mul(*(self.image.get(symbols[a], symbols[a]) for a in outputs))
        laws = [self.net.readout_of(a) for a in range(self.net.output_dim)]
        terms = monomials(sympy.expand(moved), symbols)
        return sympy.Add(*(c * sympy.Mul(*(w.moment(p) for w, p in zip(laws, ps, strict=True))) for ps, c in terms))

    def _hidden(self, points: tuple[Point, ...]) -> Expr:
        return _hidden_average(self.net, tuple(sorted(self.image.items(), key=str)), points)


@cache
def _hidden_average(net: Architecture, image: tuple[tuple[Any, Expr], ...], points: tuple[Point, ...]) -> Expr:
    feature, moved = net.feature, {s: u for s, u in image if s in net.feature.parameters}
    if not moved:
        return feature.expected_product(points)
    x = coordinates(1, net.input_dim)
    h = feature.expression(x).xreplace(moved)
    if set(moved) <= set(weights := weight_symbols(net.input_dim)):
        turn = sympy.Matrix([[sympy.diff(moved.get(w, w), v) for v in weights] for w in weights]).T
        there = dict(zip(x, turn * sympy.Matrix(x), strict=True))
        if vanishes(feature.expression(x).xreplace(there) - h):  # absorbed by the points
            return feature.expected_product([tuple(turn * sympy.Matrix(p)) for p in points])
    return CustomFeature(h, feature.distributions, x).expected_product(points)


def first_change(space: ParameterSpace, group: Group) -> tuple[Breaking | None, str | None]:
    """Return the first correlator that is another after an element of the group, or why none was found."""
    net, unmoved = with_numbers(space.net), MovedNeuron(with_numbers(space.net), {})
    elements = [(name, space.image(r, t)) for name, r, t in sample_elements(group)]
    moved = [(name, MovedNeuron(net, image)) for name, image in elements]
    if len(space.columns) > 1 or not all(neuron.is_apart for _, neuron in moved):
        return None, "correlators are evaluated for maps that mix neither neurons, nor output weights with others"
    try:
        for n in range(1, HIGHEST + 1):
            if found := _change_of_order(space.net, unmoved, moved, n):
                return found, None
    except (NotImplementedError, QuadratureError, ValueError) as error:
        return None, f"averages over the moved parameters were not found: {error}"
    return None, f"no correlator of up to {HIGHEST} points changes at the sample points"


def _change_of_order(
    source: Architecture, unmoved: MovedNeuron, moved: Sequence[tuple[str, MovedNeuron]], n: int
) -> Breaking | None:
    net = unmoved.net
    points = [sample_point(net.input_dim, j) for j in range(n)]
    changes = []
    for outputs in combinations_with_replacement(range(net.output_dim), n):
        before = unmoved.correlator(points, outputs)
        for name, neuron in moved:
            after = neuron.correlator(points, outputs)
            size, error = max(abs(before.value), abs(after.value)), before.error + after.error
            if (change := abs(after.value - before.value)) > max(_CHANGED * size, 10 * error):
                changes.append((change, name, before, after, outputs if net.output_dim > 1 else ()))
    if not changes:
        return None
    _, name, before, after, component = max(changes, key=lambda change: change[0])
    shown = [sympy.Float(v.value, 8 if v.error < 1e-6 * abs(v.value) else 4) for v in (before, after)]
    return Breaking(n, name, shown[0], shown[1], sample_text(source), component)
