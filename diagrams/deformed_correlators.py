"""The connected correlators of deformed ensembles, order by order in the strength."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import sympy

from diagrams._neuron_cumulants import deformed_cumulant
from diagrams.collecting import collect_exponentials
from diagrams.neuron_sums import OUTPUT_WEIGHT
from diagrams.series import Series
from diagrams.symbols import coordinates, output_index, symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.architectures import Architecture
    from diagrams.deformed import DeformedArchitecture

EXPANDED = 4  # correlators of more points stay in terms of cumulants of one neuron: fewer operations
MAX_NODES = 10_000  # of an expression whose terms are collected


@dataclass(frozen=True)
class DeformedCorrelators:
    """The connected correlators of a deformed architecture through one order in its strength."""

    architecture: DeformedArchitecture
    order: int

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.architecture.input_dim

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return self.architecture.output_dim

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self.architecture.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return self.architecture.is_even

    @property
    def is_dimension_explicit(self) -> bool:
        """True: correlators are functions of coordinates."""
        return self.architecture.base.is_dimension_explicit

    @property
    def expansion_values(self) -> tuple[tuple[sympy.Symbol, Expr], ...]:
        """The strength with its number, if it has one."""
        value = self.architecture.value
        return () if value is None else ((self.architecture.strength, value),)

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series in 1/N (exact) and the strength (truncated)."""
        return _deformed_series(replace(self.architecture, value=None), self.order, n)

    def __str__(self) -> str:
        return f"{self.architecture} through {self.architecture.strength}^{self.order}"


@cache
def _deformed_series(architecture: DeformedArchitecture, order: int, n: int) -> Series:
    base = architecture.base
    legs = [(coordinates(i + 1, base.input_dim), output_index(i + 1)) for i in range(n)]
    terms = [((e, 0), c) for (e,), c in base.correlator_series(n).terms]
    if n % 2 == 0 or not architecture.is_even:
        log_weight = architecture.log_weights(order)
        for r in range(1, order + 1):
            found = deformed_cumulant(unit_width(base), legs, log_weight, r)
            terms += [((-power, r), _shorter(c) if n <= EXPANDED else c) for power, c in found.items()]
    width, t = symbol("N"), architecture.strength
    if architecture.has_symbolic_width:
        return Series((1 / width, t), tuple(terms), (sympy.oo, order + 1))
    folded = tuple(((r,), c * base.width ** (-e)) for (e, r), c in terms)
    return Series((t,), folded, (order + 1,))


def _shorter(expr: Expr) -> Expr:
    """Return the expression with the prefactors of equal exponentials merged; long ones stay as they are."""
    if sum(1 for _ in islice(sympy.preorder_traversal(expr), MAX_NODES)) == MAX_NODES:
        return expr
    collected = collect_exponentials(expr)
    return collected if sympy.count_ops(collected) < sympy.count_ops(expr) else expr


def neuron_parameters(net: Architecture) -> tuple[sympy.Symbol, ...]:
    """Return the parameters of one neuron, the hidden ones and the output weight."""
    return (*net.feature.parameters, symbol(OUTPUT_WEIGHT))


def unit_width(net: Architecture) -> Architecture:
    """Return the net with N = 1, in which moments of one neuron have no power of N."""
    return replace(net, width=sympy.S.One)
