"""The limit of infinite width: which part of a correlator survives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy

from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.correlators import Correlator


@dataclass(frozen=True, repr=False)
class LargeWidth:
    """A correlator split by its powers of 1/N, the other parameters fixed.

    Parameters
    ----------
    n : int
        Number of points.
    growing, surviving, vanishing : Series
        The terms of negative, zero and positive power of 1/N.
    fixed : tuple of sympy.Symbol
        The expansion parameters that are held fixed.
    values : tuple of (symbol, value)
        Numbers for them.
    """

    n: int
    growing: Series
    surviving: Series
    vanishing: Series
    fixed: tuple[sympy.Symbol, ...]
    values: tuple[tuple[sympy.Symbol, Expr], ...] = ()

    @property
    def limit(self) -> Expr:
        """The limit N -> infinity.

        Raises
        ------
        ValueError
            If the correlator grows with N.
        """
        if len(self.growing):
            raise ValueError(f"the {self.n}-point function has no limit: {self}")
        return self.surviving.as_expr().xreplace(dict(self.values))

    def __str__(self) -> str:
        held = f" at fixed {', '.join(map(str, self.fixed))}" if self.fixed else ""
        head = f"N -> infinity{held}: "
        if len(self.growing):
            return head + f"the {self.n}-point function grows, {_powers(self.growing)}"
        if not len(self.surviving):
            rate = f" as {_powers(self.vanishing)}" if len(self.vanishing) else " identically"
            return head + f"the {self.n}-point function vanishes{rate}"
        rest = f", corrections {_powers(self.vanishing)}" if len(self.vanishing) else ""
        return head + f"the {self.n}-point function survives, terms {_powers(self.surviving)}{rest}"

    def __repr__(self) -> str:
        return f"<LargeWidth: {self}>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        r"""Return ``G_c^(n) -> ...`` in LaTeX."""
        points = ", ".join(f"x_{i + 1}" for i in range(self.n))
        goal = r"\infty" if len(self.growing) else self.surviving.to_latex(terms_per_line=terms_per_line)
        return rf"G_c^{{({self.n})}}({points}) \xrightarrow[N \to \infty]{{}} {goal}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def large_width(correlator: Correlator) -> LargeWidth:
    """Return a correlator split into the parts that grow, survive and vanish as N -> infinity.

    Raises
    ------
    ValueError
        If N is not an expansion parameter of the series, or a coefficient depends on N.
    """
    series, width = correlator.series, symbol("N")
    if 1 / width not in series.parameters:
        raise ValueError(
            f"the series is in {series.parameters}: its powers of N are not known because the width was a number when "
            "it was made; start from a net with symbolic width"
        )
    if any(c.has(width) for _, c in series.terms):
        raise ValueError("a coefficient of the series depends on N itself, so its powers of N are not known")
    position = series.parameters.index(1 / width)

    def part(sign: int) -> Series:
        kept = tuple((k, c) for k, c in series.terms if sympy.sign(k[position]) == sign)
        return Series(series.parameters, kept, series.remainder)

    fixed = tuple(p for p in series.parameters if p != 1 / width)
    return LargeWidth(correlator.n, part(-1), part(0), part(1), fixed, correlator.values)


def _powers(series: Series) -> str:
    return ", ".join(series.power_text(k) for k, _ in series.terms)
