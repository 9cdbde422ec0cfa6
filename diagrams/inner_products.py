"""Nets in a symbolic number of dimensions: rotation-invariant correlators as functions of inner products of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy.core.sorting import default_sort_key
from sympy.printing.latex import LatexPrinter

from diagrams.distributions import Distribution
from diagrams.features import CosFeature, Feature, GaussFeature, dot
from diagrams.typing import Expr, Point


class InnerProduct(sympy.Expr):
    """The inner product of two abstract points, symmetric in them.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> InnerProduct(symbol("x_2"), symbol("x_1"))
    InnerProduct(x_1, x_2)
    """

    is_commutative = True
    is_real = True

    def __new__(cls, first: Expr, second: Expr) -> InnerProduct:
        """Return the inner product with its points sorted."""
        return super().__new__(cls, *sorted((first, second), key=default_sort_key))

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        first, second = map(printer._print, self.args)
        body = rf"\left|{first}\right|^{{2}}" if first == second else rf"{first} \cdot {second}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


def in_coordinates(expr: Expr, points: Mapping[sympy.Symbol, Sequence[Expr]], dimension: sympy.Symbol) -> Expr:
    """Return an expression in inner products with coordinates for its points, and a number for the dimension.

    Parameters
    ----------
    expr : sympy.Expr
    points : mapping
        Coordinates of each abstract point, all of one length.
    dimension : sympy.Symbol
        Symbol of the dimension, replaced by that length.

    Raises
    ------
    ValueError
        If the lengths differ, or a point of the expression is missing.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> a, b, d = symbol("a"), symbol("b"), symbol("d")
    >>> in_coordinates(InnerProduct(a, b) / d, {a: (1, 2), b: (3, 4)}, d)
    11/2
    """
    lengths = {len(p) for p in points.values()}
    if len(lengths) != 1:
        raise ValueError(f"points need coordinates of one length, got lengths {sorted(lengths)}")
    products = expr.atoms(InnerProduct)
    if missing := sorted({str(a) for q in products for a in q.args if a not in points}):
        raise ValueError(f"no coordinates for the point(s) {missing}")
    explicit = {q: dot(*(tuple(map(sympy.sympify, points[a])) for a in q.args)) for q in products}
    return expr.xreplace(explicit | {dimension: sympy.Integer(lengths.pop())})


@dataclass(frozen=True)
class InvariantFeature(Feature):
    """A Cos- or Gauss-net feature in a symbolic number of dimensions, whose points are abstract.

    Averages depend on points through an exponent of second degree only, so that the one-dimensional result holds with
    every product of two coordinates read as an inner product.

    Parameters
    ----------
    base : CosFeature or GaussFeature
        The feature in one dimension, with the variance that a component has in ``dimension`` dimensions.
    dimension : sympy.Expr
    """

    base: CosFeature | GaussFeature
    dimension: Expr
    input_dim: int = 1  # an abstract point is one symbol

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the feature, with the remark that it has no coordinates."""
        return f"{self.base.name}_invariant"

    @property
    def is_dimension_explicit(self) -> bool:
        """False: points are abstract."""
        return False

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the parameters; weights are vectors here."""
        return self.base.parameters

    @property
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """Weights and bias or phase."""
        return self.base.distributions

    @property
    def is_odd(self) -> bool:
        """As in one dimension."""
        return self.base.is_odd

    def subs(self, values: dict[sympy.Symbol, Expr]) -> InvariantFeature:
        """Return the feature with symbols replaced."""
        return InvariantFeature(self.base.subs(values), self.dimension.xreplace(values))

    def expression(self, point: Point) -> Expr:
        """Return h(x; theta) with products of weight and point read as inner products."""
        return _read_as_inner_products(self.base.expression(point), [*self.parameters[:1], *point])

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[prod h] in inner products of the points.

        Raises
        ------
        ValueError
            If a point is not a symbol, or there is a weight in the parameters, which needs components.
        """
        symbols = [x for (x,) in points]
        if not all(isinstance(x, sympy.Symbol) for x in symbols):
            raise ValueError(f"points in {self.dimension} dimensions are symbols, got {symbols}; see in_coordinates")
        if sympy.sympify(weight).free_symbols & set(self.parameters):
            raise ValueError(f"the weight {weight} needs components of the parameters: give the net a number input_dim")
        return weight * _read_as_inner_products(self.base.expected_product(points), symbols)

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return self.base.latex()


def _read_as_inner_products(expr: Expr, vectors: Sequence[sympy.Symbol]) -> Expr:
    """Return the expression with every product of two of the vectors in an argument turned into an inner product."""

    def invariant(argument: Expr) -> Expr:
        if not argument.free_symbols & set(vectors):
            return argument
        terms = []
        for powers, c in sympy.Poly(sympy.expand(argument), *dict.fromkeys(vectors)).terms():
            pair = [v for v, p in zip(dict.fromkeys(vectors), powers, strict=True) for _ in range(p)]
            terms.append(c * InnerProduct(*pair) if pair else c)
        return sympy.Add(*terms)

    return expr.replace(lambda e: isinstance(e, sympy.exp | sympy.cos), lambda e: e.func(invariant(e.args[0])))
