"""Further expansion parameters: symbols in connected correlators that are taken to be small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy

from diagrams.correlators import ConnectedCorrelators, CorrelatorSource
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import check_order
from diagrams.typing import Expr


@dataclass(frozen=True)
class ExpandedSource:
    """Connected correlators expanded in further symbols; make it with :func:`expand_in`.

    Parameters
    ----------
    base : CorrelatorSource
    orders : tuple of (sympy.Symbol, int)
        New parameters with the highest power computed.
    """

    base: CorrelatorSource
    orders: tuple[tuple[sympy.Symbol, int], ...]

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.base.input_dim

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return int(getattr(self.base, "output_dim", 1))

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self.base.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return self.base.is_even

    @property
    def is_dimension_explicit(self) -> bool:
        """True if correlators are functions of coordinates."""
        return self.base.is_dimension_explicit

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series in the old and the new parameters."""
        known = self.base.correlator_series(n)
        parameters = (*known.parameters, *(s for s, _ in self.orders))
        old = known.remainder or (sympy.oo,) * len(known.parameters)
        remainder = (*old, *(h + 1 for _, h in self.orders))
        return Series(parameters, tuple(t for key, c in known.terms for t in self._expanded(key, c)), remainder)

    def _expanded(self, key: Exponents, coefficient: Expr) -> list[tuple[Exponents, Expr]]:
        parts = [(key, coefficient)]
        for s, highest in self.orders:
            parts = [((*k, r), c) for k, value in parts for r, c in enumerate(_taylor(value, s, highest))]
        return parts

    def __str__(self) -> str:
        return f"{self.base} expanded in {', '.join(str(s) for s, _ in self.orders)}"


def expand_in(correlators: ConnectedCorrelators, orders: Mapping[str, int]) -> ConnectedCorrelators:
    """Return the connected correlators as expansions in further parameters, symbols that occur in them.

    An action can only be reconstructed if correlators of three and more points vanish at zeroth order of all
    parameters. Where a part survives N -> infinity, as with a parameter that all neurons share, its strength (for
    instance the variance of that parameter) has to be an expansion parameter itself.

    Parameters
    ----------
    correlators : ConnectedCorrelators
    orders : mapping from name of a symbol to int
        Highest power computed. Taylor coefficients at zero.

    Returns
    -------
    ConnectedCorrelators

    Raises
    ------
    TypeError, ValueError
        If no name is given, a name is an expansion parameter already, or an order is not an integer >= 0; later, if a
        correlator has no Taylor expansion in a symbol.

    Examples
    --------
    >>> from diagrams.pointfunctions import PointFunction
    >>> v = symbol("v")
    >>> Gc = ConnectedCorrelators.from_functions({2: lambda x, y: 1 + 0 * x * y, 4: lambda *x: v + 3 / symbol("N")})
    >>> expand_in(Gc, {"v": 1})[4].series
    <Series: terms in v, N^-1 + O(v^2)>
    """
    if not isinstance(orders, Mapping) or not orders:
        raise TypeError(f"give the symbols to expand in and the highest power of each, such as {{'v': 1}}: {orders!r}")
    taken = [str(p) for p in correlators.source.correlator_series(2).parameters] + ["N"]
    if clash := sorted(set(orders) & set(taken)):
        raise ValueError(f"{clash} are expansion parameters already; these correlators are expansions in {taken[:-1]}")
    checked = tuple((symbol(name), check_order(f"orders[{name!r}]", h)) for name, h in orders.items())
    return ConnectedCorrelators(ExpandedSource(correlators.source, checked), correlators.max_points)


def _taylor(expr: Expr, variable: sympy.Symbol, highest: int) -> list[Expr]:
    """Return the Taylor coefficients at zero through ``highest``, by differentiation."""
    result = []
    for r in range(highest + 1):
        value = expr.xreplace({variable: sympy.S.Zero})
        if value.has(sympy.nan, sympy.zoo, sympy.oo):
            raise ValueError(f"the correlators have no expansion in powers of {variable} at zero (order {r})")
        result.append(value / sympy.factorial(r))
        expr = expr.diff(variable) if r < highest else expr
    return result
