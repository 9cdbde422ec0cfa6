"""ConnectedCorrelators: the connected n-point functions of an ensemble or of an action, as symbolic functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import sympy

from diagrams.series import Series
from diagrams.symbols import coordinates, external_point, symbol
from diagrams.typing import Expr, Point, PointLike

if TYPE_CHECKING:
    from diagrams.theory import Action


class CorrelatorSource(Protocol):
    """What a set of connected correlators is read from: an architecture, an action, a user's functions."""

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""

    @property
    def width(self) -> Expr:
        """Value of N in the result (a symbol or a number)."""

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""

    @property
    def is_dimension_explicit(self) -> bool:
        """True if correlators are functions of coordinates, False if of abstract points."""

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series."""


@dataclass(frozen=True, repr=False)
class Correlator:
    """One connected n-point function: call it with n points.

    Parameters
    ----------
    n : int
        Number of points.
    series : Series
        The function in the coordinates of ``x_1 ... x_n``, order by order.
    points : tuple of tuple of symbols
        Those coordinates.
    width : sympy.Expr
        Value of N in :attr:`expr`.
    """

    n: int
    series: Series
    points: tuple[Point, ...]
    width: Expr

    @cached_property
    def expr(self) -> Expr:
        """The correlator as one sympy expression."""
        return self.series.as_expr().subs(symbol("N"), self.width)

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return len(self.points[0])

    def __call__(self, *points: PointLike) -> Expr:
        """Return the correlator at ``n`` points (scalars in one dimension, else sequences of coordinates).

        Raises
        ------
        TypeError
            If the number of points is not n.
        ValueError
            If a point has the wrong number of coordinates or is not finite.
        """
        if len(points) != self.n:
            raise TypeError(f"the {self.n}-point correlator takes {self.n} points, got {len(points)}")
        given = [as_point(p, self.input_dim) for p in points]
        pairs = zip(self.points, given, strict=True)
        return self.expr.xreplace({s: v for old, new in pairs for s, v in zip(old, new, strict=True)})

    def __repr__(self) -> str:
        return f"<Correlator: connected {self.n}-point function>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return ``G_c^(n)(x_1 ... x_n) = ...`` in LaTeX."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


@dataclass(frozen=True, repr=False)
class ConnectedCorrelators:
    """The connected correlators ``Gc[1] ... Gc[max_points]`` of one source, computed when asked for.

    Parameters
    ----------
    source : CorrelatorSource
        Architecture or action that they belong to.
    max_points : int
        Highest number of points.

    Raises
    ------
    ValueError
        If ``max_points`` is not a positive integer.
    """

    source: CorrelatorSource
    max_points: int

    def __post_init__(self) -> None:
        if isinstance(self.max_points, bool) or not isinstance(self.max_points, int) or self.max_points < 1:
            raise ValueError(f"max_points must be a positive integer, got {self.max_points!r}")

    def __getitem__(self, n: int) -> Correlator:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= self.max_points:
            raise KeyError(
                f"there is no {n!r}-point correlator here: n runs from 1 to {self.max_points}; "
                "ask for more with connected_correlators(max_points=...)"
            )
        return Correlator(n, self.source.correlator_series(n), self._points(n), self.source.width)

    def _points(self, n: int) -> tuple[Point, ...]:
        if self.source.is_dimension_explicit:
            return tuple(coordinates(i + 1, self.source.input_dim) for i in range(n))
        return tuple((external_point(i + 1),) for i in range(n))

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self.max_points + 1))

    def __len__(self) -> int:
        return self.max_points

    def keys(self) -> range:
        """The numbers of points, 1 to max_points."""
        return range(1, self.max_points + 1)

    def action(self, *, order: int = 1) -> Action:
        """Return the action with these connected correlators, complete through ``N**-order``.

        See :func:`diagrams.reconstruction.reconstruct_action`.
        """
        from diagrams.reconstruction import reconstruct_action

        return reconstruct_action(self, order=order)

    def __repr__(self) -> str:
        return f"<ConnectedCorrelators: 1 to {self.max_points} points>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return all non-zero correlators in LaTeX, one under the other."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def as_point(value: PointLike, input_dim: int) -> Point:
    """Return the coordinates of one point as a tuple of ``input_dim`` sympy expressions.

    Raises
    ------
    ValueError
        If the number of coordinates is wrong or one of them is not finite.
    """
    items = list(value) if hasattr(value, "__len__") or isinstance(value, sympy.Tuple) else [value]
    if len(items) != input_dim:
        raise ValueError(
            f"point {value!r} has {len(items)} coordinate(s), the correlator needs input_dim={input_dim}; "
            "give a scalar in one dimension, else a sequence of coordinates"
        )
    try:
        point = tuple(sympy.sympify(item, strict=True) for item in items)
    except sympy.SympifyError:
        raise TypeError(f"coordinates must be numbers or sympy expressions, got point {value!r}") from None
    if any(isinstance(c, sympy.Expr) and c.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo) for c in point):
        raise ValueError(f"point {value!r} is not finite")
    if not all(isinstance(c, sympy.Expr) and c.is_real is not False for c in point):
        raise TypeError(f"coordinates must be real numbers or expressions, got point {value!r}")
    return point
