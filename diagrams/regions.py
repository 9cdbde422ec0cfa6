r"""Where a field interacts with itself: a box, a Gaussian weight, or finitely many sites, each as a measure f(x) dx."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import sympy

from diagrams.correlators import as_point
from diagrams.typing import Expr, Point

R = TypeVar("R", bound="Region")


def exact_real(name: str, value: Any) -> Expr:
    """Return a finite real number or expression, floats as the rational numbers they stand for.

    Raises
    ------
    TypeError
        If it is no expression.
    ValueError
        If it is not finite or not real.
    """
    try:
        number = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        raise TypeError(f"{name} must be a number or a sympy expression, got {value!r}") from None
    if not isinstance(number, sympy.Expr):
        raise TypeError(f"{name} must be a number or a sympy expression, got {value!r}")
    if number.has(sympy.nan, sympy.oo, sympy.zoo) or number.is_real is False:
        raise ValueError(f"{name} must be finite and real, got {value!r}")
    return sympy.nsimplify(number, rational=True) if number.has(sympy.Float) else number


class Region(ABC):
    r"""A measure :math:`f(x)\, d^dx` over which an interaction is integrated."""

    @property
    @abstractmethod
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols that have no number yet."""

    @abstractmethod
    def subs(self: R, values: Mapping[sympy.Symbol, Expr]) -> R:
        """Return the region with values for some symbols."""

    @abstractmethod
    def total(self, dim: int) -> Expr:
        r"""Return :math:`\int f(x) d^dx`."""

    @abstractmethod
    def fourier(self, momentum: Sequence[Expr]) -> Expr:
        r"""Return :math:`\int f(x) e^{i k \cdot x} d^dx`, real for a region that is symmetric about the origin."""

    @abstractmethod
    def integral_latex(self, dim: int, body: str, variable: str = "x") -> str:
        """Return the integral of ``body``, a function of the variable, in LaTeX."""

    def check_dimension(self, dim: int) -> None:
        """Raise ValueError if the region does not fit points of ``dim`` components; most fit any."""
        return


@dataclass(frozen=True)
class Box(Region):
    r"""The box :math:`[-L/2, L/2]^d` of side ``length``; f = 1 inside.

    Parameters
    ----------
    length : number or sympy.Expr
        Side L, positive. Every side has this length, and the box is centred at the origin.

    Raises
    ------
    ValueError
        If the side is not positive.

    Examples
    --------
    >>> Box(4.0).total(2), Box(4).fourier((0,))
    (16, 4)
    """

    length: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", _positive("the side of the box", self.length))

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in L."""
        return self.length.free_symbols

    def subs(self, values: Mapping[sympy.Symbol, Expr]) -> Box:
        """Return the box with values for some symbols."""
        return replace(self, length=self.length.xreplace(dict(values)))

    def total(self, dim: int) -> Expr:
        """Return L**d."""
        return self.length**dim

    def fourier(self, momentum: Sequence[Expr]) -> Expr:
        """Return the product of 2 sin(k_j L/2)/k_j."""
        return sympy.Mul(*(self.length * sympy.sinc(k * self.length / 2) for k in map(sympy.sympify, momentum)))

    def integral_latex(self, dim: int, body: str, variable: str = "x") -> str:
        """Return the integral over the box in LaTeX."""
        edge, d = sympy.latex(self.length / 2), "" if dim == 1 else f"^{{{dim}}}"
        return rf"\int_{{\left[-{edge}, {edge}\right]{d}}} d{d}{variable}\; {body}"


@dataclass(frozen=True)
class GaussianWeight(Region):
    r"""All of space with the weight :math:`f(x) = e^{-x^2/(2 L^2)}`, L = ``length``.

    Parameters
    ----------
    length : number or sympy.Expr
        Width L, positive.

    Raises
    ------
    ValueError
        If the width is not positive.

    Examples
    --------
    >>> GaussianWeight(2).total(1)
    2*sqrt(2)*sqrt(pi)
    """

    length: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", _positive("the width of the Gaussian weight", self.length))

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in L."""
        return self.length.free_symbols

    def subs(self, values: Mapping[sympy.Symbol, Expr]) -> GaussianWeight:
        """Return the weight with values for some symbols."""
        return replace(self, length=self.length.xreplace(dict(values)))

    def total(self, dim: int) -> Expr:
        """Return (2 pi L**2)**(d/2)."""
        return (sympy.sqrt(2 * sympy.pi) * self.length) ** dim

    def fourier(self, momentum: Sequence[Expr]) -> Expr:
        """Return (2 pi L**2)**(d/2) exp(-L**2 k**2 / 2)."""
        square = sympy.Add(*(sympy.sympify(k) ** 2 for k in momentum))
        return self.total(len(momentum)) * sympy.exp(-(self.length**2) * square / 2)

    def integral_latex(self, dim: int, body: str, variable: str = "x") -> str:
        """Return the weighted integral over all of space in LaTeX."""
        d = "" if dim == 1 else f"^{{{dim}}}"
        exponent = rf"-{variable}^2 / \left(2 \cdot {sympy.latex(self.length**2)}\right)"
        if self.length.is_Symbol:
            exponent = rf"-{variable}^2 / 2 {sympy.latex(self.length)}^2"
        return rf"\int d{d}{variable}\; e^{{{exponent}}} {body}"


@dataclass(frozen=True)
class Sites(Region):
    r"""Finitely many points, :math:`\int f\, F\, d^dx = \sum_a w_a F(x_a)`: a lattice.

    Parameters
    ----------
    points : sequence of points
        Numbers in one dimension, else sequences of coordinates; all different.
    weights : sequence of numbers or expressions, or one for all sites
        w_a, positive: the volume of a cell of the lattice; default 1.

    Raises
    ------
    ValueError
        If there is no site, two coincide, there are not as many weights as sites, or a weight is not positive.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> Sites([0, 1], weights=symbol("a")).total(1)
    2*a
    """

    points: Any
    weights: Any = 1

    def __post_init__(self) -> None:
        points = tuple(_site(p) for p in self.points)
        if not points:
            raise ValueError("there must be at least one site")
        if len(set(points)) < len(points):
            twice = next(p for p in points if points.count(p) > 1)
            raise ValueError(f"the site {twice} is given twice; give it once, with the sum of the weights")
        if len({len(p) for p in points}) > 1:
            raise ValueError(f"all sites must have as many coordinates, got {points}")
        given = self.weights if isinstance(self.weights, (list, tuple)) else [self.weights] * len(points)
        if len(given) != len(points):
            raise ValueError(f"there are {len(points)} sites, but {len(given)} weights")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "weights", tuple(_positive("the weight of a site", w) for w in given))

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in coordinates and weights."""
        return set().union(*(e.free_symbols for p in (*self.points, self.weights) for e in p))

    def subs(self, values: Mapping[sympy.Symbol, Expr]) -> Sites:
        """Return the sites with values for some symbols."""
        table = dict(values)
        points = tuple(tuple(c.xreplace(table) for c in p) for p in self.points)
        return Sites(points, tuple(w.xreplace(table) for w in self.weights))

    def total(self, dim: int) -> Expr:
        """Return the sum of the weights."""
        return sympy.Add(*self.weights)

    def fourier(self, momentum: Sequence[Expr]) -> Expr:
        """Return the sum over sites of w exp(i k.x)."""
        phases = (sympy.Add(*(k * c for k, c in zip(momentum, p, strict=True))) for p in self.points)
        return sympy.Add(*(w * sympy.exp(sympy.I * t) for w, t in zip(self.weights, phases, strict=True)))

    def integral_latex(self, dim: int, body: str, variable: str = "x") -> str:
        """Return the sum over sites in LaTeX."""
        shown = ", ".join(sympy.latex(p[0] if dim == 1 else sympy.Tuple(*p)) for p in self.points)
        first, *others = self.weights
        weight = "" if first == 1 else sympy.latex(first) + r"\,"
        if any(w != first for w in others):
            weight = rf"w_{variable}\,"
        return rf"\sum_{{{variable} \in \left\{{{shown}\right\}}}} {weight} {body}"

    def check_dimension(self, dim: int) -> None:
        """Raise ValueError if the sites do not have ``dim`` coordinates."""
        for point in self.points:
            as_point(point if dim > 1 or len(point) > 1 else point[0], dim)


def _site(point: Any) -> Point:
    items = tuple(point) if hasattr(point, "__len__") or isinstance(point, sympy.Tuple) else (point,)
    return tuple(exact_real("a coordinate of a site", c) for c in items)


def _positive(what: str, value: Any) -> Expr:
    number = exact_real(what, value)
    if number.is_nonpositive:
        raise ValueError(f"{what} must be positive, got {value!r}")
    return number
