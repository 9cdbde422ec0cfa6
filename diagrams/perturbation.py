"""Perturbation theory: the connected correlators of a local action."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from diagrams.collection import Diagrams
from diagrams.generate import enumerate_diagrams
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import Action
from diagrams.typing import Expr


@dataclass(frozen=True)
class LocalCorrelators:
    """Connected correlators of a local action by ordinary perturbation theory.

    Parameters
    ----------
    action : Action
        With one expansion parameter.
    order : int
        Highest power of it kept.
    """

    action: Action
    order: int
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
    def max_points(self) -> int:
        """Highest number of points with a non-zero tree diagram at this order."""
        return 2 + max(int(self.order // v.order[0]) * (v.valence - 2) for v in self.action.rules.vertices)

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series with its diagrams."""
        rules = self.action.rules
        parameter = rules.parameters[0]
        found: dict[tuple[Expr, ...], list[Diagrams]] = {}
        # L - 1 + n/2 = sum of (valence/2 - 1) over vertices, and the orders of the vertices add up to the order kept
        reach = max(sympy.Rational(v.valence - 2, 2) / v.order[0] for v in rules.vertices) * self.order
        for loops in range(max(0, int(sympy.floor(1 - sympy.Rational(n, 2) + reach)) + 1)):
            diagrams = enumerate_diagrams(valences=self.action.valences, legs=n, loops=loops)
            for alike in diagrams.by_valences().values():
                key = rules.order(alike[0])
                if key[0] <= self.order:
                    found.setdefault(key, []).append(alike)
        sources = {key: Diagrams.concatenate(parts) for key, parts in found.items()}
        terms = tuple(
            (key, sympy.Add(*(rules.amplitude(d) / parameter ** key[0] for d in ds))) for key, ds in sources.items()
        )
        return Series(rules.parameters, terms, (sympy.Integer(self.order + 1),), sources)
