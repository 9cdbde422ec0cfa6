"""Perturbation theory: the connected correlators of a local action, by all diagrams to an order in its couplings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy

from diagrams._couplings import JOINT, Values, below, first_omitted, largest_gain, product_terms, vertex_weights
from diagrams.collection import Diagrams
from diagrams.orders import diagrams_to_order
from diagrams.rules import FeynmanRules
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import Action
from diagrams.typing import Expr
from diagrams.vertex_orders import checked_orders


@dataclass(frozen=True)
class LocalCorrelators:
    """Connected correlators of a local action by ordinary perturbation theory.

    Parameters
    ----------
    action : Action
        Local.
    order : tuple of int
        Highest power of each expansion parameter.
    """

    action: Action
    order: tuple[int, ...]
    input_dim: int = 1
    is_dimension_explicit: bool = False

    @property
    def width(self) -> Expr:
        """The symbol N; a local action does not contain it."""
        return symbol("N")

    @property
    def is_even(self) -> bool:
        """True if the action is even in the field."""
        return self.action.is_even

    @property
    def output_dim(self) -> int:
        """Number of components of the field.

        Raises
        ------
        ValueError
            If it is a symbol.
        """
        n = self.action.n_components
        if not n.is_Integer:
            raise ValueError(
                f"the number of components is the symbol {n}, but correlators called with outputs need a number: "
                "o_n_theory(3); correlator(legs=..., order=...) keeps the symbol"
            )
        return int(n)

    @property
    def expansion_values(self) -> Values:
        """Numbers for expansion parameters."""
        return self.action.values

    @property
    def max_points(self) -> int:
        """Highest number of points with a non-zero tree diagram at this order."""
        options = [(v.valence - 2, key) for v in self.action.rules.vertices if v.valence > 2 for key, _ in v.terms]
        return 2 + largest_gain(tuple(options), tuple(sympy.Integer(h) for h in self.order))

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series with its diagrams."""
        return _local_series(self.action, self.order, n)


def local_correlators(action: Action, order: Any) -> LocalCorrelators:
    """Return the connected correlators of a local action through an order.

    Parameters
    ----------
    action : Action
        Local.
    order : int or mapping from names of parameters to int

    Raises
    ------
    TypeError, ValueError
        If the order is not understood, or a coupling is not known to that order.
    """
    highest = checked_orders(action.parameters, order)
    for n, series in action.couplings:
        for p, stop, h in zip(action.parameters, series.remainder or (), highest, strict=False):
            if h >= stop:
                raise ValueError(
                    f"coupling g_{n} is known below {p}^{stop} only, so that correlators through {p}^{h} are not "
                    "determined; give further terms of it or ask for a lower order"
                )
    return LocalCorrelators(action, highest)


@cache
def _local_series(action: Action, order: tuple[int, ...], n: int) -> Series:
    rules = action.rules
    keys = [key for v in rules.vertices for key, _ in v.terms]
    amplitudes: dict[Exponents, list[Expr]] = {}
    sources: dict[Exponents, list[Diagrams]] = {}
    for alike in _alike_diagrams(rules, order, n):
        constants = product_terms(rules.constants(alike[0]), order)
        if not constants:
            continue
        shape = sympy.Add(*(rules.without_constants.amplitude(d) * action.index_factor(d) for d in alike))
        for key, value in constants.items():
            # the integrals stay apart: a constant in front of a sum of them would hide the diagrams
            amplitudes.setdefault(key, []).append(sympy.Add(*(value * t for t in sympy.Add.make_args(shape))))
            sources.setdefault(key, []).append(alike)
    terms = tuple((key, sympy.Add(*parts)) for key, parts in amplitudes.items())
    attached = {key: Diagrams.concatenate(parts) for key, parts in sources.items()}
    return Series(rules.parameters, terms, first_omitted(order, keys), attached)


def _alike_diagrams(rules: FeynmanRules, order: tuple[int, ...], n: int) -> list[Diagrams]:
    """Return the diagrams that can contribute, those with equal vertices together, in order of their lowest powers."""
    vertices = {v.valence: [key for key, _ in v.terms] for v in rules.vertices}
    limits = dict(zip(map(str, rules.parameters), order, strict=True)) | {JOINT: sum(order)}
    try:
        found = diagrams_to_order(vertex_weights(vertices, rules.parameters), legs=n, order=limits)
    except ValueError as error:
        if "infinitely many" not in str(error):
            raise
        raise ValueError(
            f"infinitely many diagrams of {n} points through {limits}: a vertex of the couplings "
            f"{[f'g_{v}' for v in vertices]} carries no positive power of a parameter ({error})"
        ) from error
    return [
        alike for ds in found.values() for alike in ds.by_valences().values() if _is_low_enough(rules, alike, order)
    ]


def _is_low_enough(rules: FeynmanRules, alike: Diagrams, order: tuple[int, ...]) -> bool:
    """Return True if the lowest powers of the vertices of some diagrams are not above the order."""
    return below(rules.order(alike[0]), order)
