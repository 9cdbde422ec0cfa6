"""ConnectedCorrelators: the connected n-point functions of an ensemble or of an action, as symbolic functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import sympy

from diagrams.series import Series
from diagrams.symbols import coordinates, external_point, output_index, symbol
from diagrams.typing import Expr, Point, PointLike

if TYPE_CHECKING:
    from diagrams.large_width import LargeWidth
    from diagrams.regions import Region
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
    output_dim : int
        Number of outputs; above one the function carries an output index a_i for each point.
    values : tuple of (symbol, value)
        Numbers for other expansion parameters in :attr:`expr`, for example of the strength of a tilt.
    """

    n: int
    series: Series
    points: tuple[Point, ...]
    width: Expr
    output_dim: int = 1
    values: tuple[tuple[sympy.Symbol, Expr], ...] = ()

    @cached_property
    def expr(self) -> Expr:
        """The correlator as one sympy expression (the remainder of its series is dropped)."""
        return self.series.as_expr().subs(symbol("N"), self.width).xreplace(dict(self.values))

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return len(self.points[0])

    def __call__(self, *points: PointLike, outputs: Sequence[int] | None = None) -> Expr:
        """Return the correlator at ``n`` points (scalars in one dimension, else sequences of coordinates).

        Parameters
        ----------
        *points
        outputs : sequence of int, optional
            The output (0, 1, ...) of each point. Without it a net of several outputs gives an expression in the
            output indices ``a_1 ... a_n`` (:func:`diagrams.symbols.output_index`).

        Raises
        ------
        TypeError
            If the number of points or of outputs is not n.
        ValueError
            If a point has the wrong number of coordinates or is not finite, or there is no such output.
        """
        if len(points) != self.n:
            raise TypeError(f"the {self.n}-point correlator takes {self.n} points, got {len(points)}")
        given = [as_point(p, self.input_dim) for p in points]
        pairs = zip(self.points, given, strict=True)
        replaced = {s: v for old, new in pairs for s, v in zip(old, new, strict=True)}
        return self.expr.xreplace(replaced | self._output_values(outputs))

    def _output_values(self, outputs: Sequence[int] | None) -> dict[sympy.Symbol, Expr]:
        if outputs is None:
            return {}
        if len(outputs) != self.n:
            raise TypeError(f"the {self.n}-point correlator takes {self.n} outputs, got {len(outputs)}")
        wrong = [a for a in outputs if isinstance(a, bool) or not isinstance(a, int) or not 0 <= a < self.output_dim]
        if wrong:
            raise ValueError(f"there is no output {wrong[0]!r}: outputs are numbered 0 to {self.output_dim - 1}")
        return {output_index(i + 1): sympy.Integer(a) for i, a in enumerate(outputs)}

    def large_width(self) -> LargeWidth:
        """Return what survives N -> infinity at fixed other parameters, and how fast the rest vanishes.

        Raises
        ------
        ValueError
            If the dependence on N is not known as powers of it.
        """
        from diagrams.large_width import large_width

        return large_width(self)

    def at_infinite_width(self) -> Expr:
        """Return the limit N -> infinity at fixed other parameters.

        Raises
        ------
        ValueError
            If the correlator grows with N, or its dependence on N is not known as powers of it.
        """
        return self.large_width().limit

    def survives(self) -> bool:
        """Return True if the limit N -> infinity at fixed other parameters is not zero.

        Raises
        ------
        ValueError
            As :meth:`at_infinite_width`.
        """
        return bool(self.at_infinite_width() != 0)

    def __repr__(self) -> str:
        return f"<Correlator: connected {self.n}-point function>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return ``G_c^(n)(x_1, ..., x_n) = ...`` in LaTeX."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


@dataclass(frozen=True, repr=False)
class ConnectedCorrelators:
    """The connected correlators ``Gc[1], ..., Gc[max_points]`` of one source, computed when asked for.

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
        # a source need not know of several outputs or of numbers for its expansion parameters
        outputs, values = getattr(self.source, "output_dim", 1), getattr(self.source, "expansion_values", ())
        return Correlator(n, self.source.correlator_series(n), self._points(n), self.source.width, outputs, values)

    @classmethod
    def from_functions(
        cls,
        functions: Mapping[int, Callable[..., Expr] | Expr],
        *,
        input_dim: int | None = 1,
        scaling: Mapping[int, Expr] | str = "powers",
        width: Expr = None,
    ) -> ConnectedCorrelators:
        """Return correlators given as functions of points.

        See :func:`diagrams.sources.from_functions`.
        """
        from diagrams.sources import from_functions

        return from_functions(functions, input_dim=input_dim, scaling=scaling, width=width)

    @classmethod
    def from_values(cls, values: Mapping[int, Any], *, points: Any = None, width: Any = 1) -> ConnectedCorrelators:
        """Return correlators given as numbers on a finite set of points.

        See :func:`diagrams.sources.from_values`.
        """
        from diagrams.sources import from_values

        return from_values(values, points=points, width=width)

    @classmethod
    def from_moments(
        cls,
        moments: Mapping[int, Any],
        *,
        input_dim: int | None = 1,
        points: Any = None,
        scaling: Mapping[int, Expr] | str = "powers",
        width: Any = None,
    ) -> ConnectedCorrelators:
        """Return the connected correlators of full moments, given as functions or as numbers on points.

        See :func:`diagrams.sources.from_moments`.
        """
        from diagrams.sources import from_moments

        return from_moments(moments, input_dim=input_dim, points=points, scaling=scaling, width=width)

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

    def action(self, *, order: int | Mapping[str, int] = 1) -> Action:
        """Return the action with these connected correlators, complete through an order in every expansion parameter.

        With a mean, it is the action of phi minus its mean. See :func:`diagrams.reconstruction.reconstruct_action`.

        Parameters
        ----------
        order : int or mapping from names of parameters to int
            Highest power: ``2`` for one parameter, else all of them by name, ``{"1/N": 2, "alpha": 1}``.

        Raises
        ------
        TypeError, ValueError
            If a parameter is missing or unknown, correlators of too few points are given, or a correlator of three or
            more points survives at zeroth order.
        """
        from diagrams.reconstruction import reconstruct_action

        return reconstruct_action(self, order=order)

    def with_interaction(
        self, delta_s: Any, *, order: Any, region: Region | None = None, max_points: int | None = None
    ) -> ConnectedCorrelators:
        """Return the connected correlators after the density of this ensemble is multiplied by exp(-Delta S).

        See :func:`diagrams.interacting.interacting_correlators`, which takes further options.

        Parameters
        ----------
        delta_s : mapping from n to coupling, or Interaction
            ``{4: "lambda"}`` for a local interaction.
        order : int or mapping from names of parameters to int
            Highest power of the parameters of the ensemble and of the couplings, ``{"1/N": 1, "lambda": 1}``.
        region : Region, optional
            Where a mapping of couplings acts; default all of space.
        max_points : int, optional
            Of the result; default as many as these correlators suffice for.

        Raises
        ------
        TypeError, ValueError
            If a coupling cannot be read, a parameter is missing, or correlators of too few points are given.
        """
        from diagrams.interacting import interacting_correlators

        return interacting_correlators(self, delta_s, order=order, region=region, max_points=max_points)

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
