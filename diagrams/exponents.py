"""Correlators that are sums of exponentials of quadratic forms in the points, read off term by term."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy

from diagrams._architecture import Architecture
from diagrams.features import CosFeature, GaussFeature
from diagrams.inner_products import InvariantFeature
from diagrams.symbols import external_point
from diagrams.typing import Expr


@dataclass(frozen=True)
class QuadraticForm:
    """The term ``coefficient * exp(-x.M.x / 2)``, M the same for every coordinate of the points x."""

    coefficient: Expr
    matrix: sympy.ImmutableMatrix

    def eigenvalues(self) -> dict[Expr, int]:
        """Return the eigenvalues of M with their multiplicities, largest multiplicity first."""
        return dict(sorted(self.matrix.eigenvals().items(), key=lambda item: (-item[1], str(item[0]))))


def exponential_terms(net: Architecture, n: int) -> tuple[QuadraticForm, ...]:
    """Return the n-point connected correlator of a Cos- or Gauss-net with Gaussian weights as quadratic forms.

    Raises
    ------
    ValueError
        If the correlator is no such sum.
    """
    points = [external_point(i + 1) for i in range(n)]
    expr = sympy.expand_mul(_one_dimensional(net).correlator_series(n).as_expr())
    return tuple(_quadratic_form(term, points, net) for term in sympy.Add.make_args(expr))


def gauss_vertex_form(net: Architecture) -> QuadraticForm:
    """Return the term of the four-point function of a Gauss-net that is no product of two-point functions."""
    return max(exponential_terms(net, 4), key=lambda term: sum(1 for m in term.matrix if m != 0))


def _one_dimensional(net: Architecture) -> Architecture:
    """Return the net whose points have one coordinate, with the variance of the weights unchanged."""
    feature = net.feature.base if isinstance(net.feature, InvariantFeature) else net.feature
    if not isinstance(feature, CosFeature | GaussFeature):
        raise ValueError(f"the correlators of {net} are not sums of exponentials of quadratic forms in the points")
    return replace(net, feature=replace(feature, input_dim=1), input_dim=1)


def _quadratic_form(term: Expr, points: list[sympy.Symbol], net: Architecture) -> QuadraticForm:
    exponentials = [f for f in sympy.Mul.make_args(term) if isinstance(f, sympy.exp) and f.has(*points)]
    exponent = sympy.Add(*(f.args[0] for f in exponentials))
    coefficient = sympy.Mul(*(f for f in sympy.Mul.make_args(term) if f not in exponentials))
    matrix = -sympy.hessian(exponent, points)
    zero = dict.fromkeys(points, sympy.S.Zero)
    if coefficient.has(*points) or matrix.has(*points):
        raise ValueError(f"a correlator of {net} is not a sum of exponentials of quadratic forms: {term}")
    return QuadraticForm(coefficient * sympy.exp(exponent.xreplace(zero)), sympy.ImmutableMatrix(matrix))
