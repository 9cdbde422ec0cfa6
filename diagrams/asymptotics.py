r"""How far-away points enter the two-point function of nets without translation invariance.

Their features become homogeneous far away, :math:`h(L n) \to L^p h_\infty(n)`: :math:`(w \cdot n)_+` with p = 1 for
ReLU, :math:`w \cdot n` with p = 1 for the linear net, and the sign of :math:`w \cdot n` with p = 0 for the error
function.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from diagrams._architecture import Architecture
from diagrams.activations import ErfFeature, ReluFeature
from diagrams.features import LinearFeature, LinearInputFeature, dot
from diagrams.half_spaces import half_space_average
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr, Point


@dataclass(frozen=True)
class TwoPointGrowth:
    r"""``G2(x, L n) ~ coefficient * L**exponent`` for L -> infinity along the unit vector n.

    Parameters
    ----------
    exponent : int
    coefficient : sympy.Expr
        A function of the coordinates of ``x_1`` and of ``direction``.
    direction : tuple of sympy.Symbol
        The components of n.
    """

    exponent: int
    coefficient: Expr
    direction: Point

    def __str__(self) -> str:
        if self.exponent == 0:
            return f"G2(x_1, L n) tends to {self.coefficient}, not to zero"
        return f"G2(x_1, L n) grows linearly, with coefficient {self.coefficient}"

    def to_latex(self) -> str:
        """Return the coefficient times the power of L in LaTeX."""
        power = {0: "", 1: "L"}[self.exponent]
        return rf"{power} \left[{sympy.latex(self.coefficient)}\right] \quad (x_2 = L n,\; L \to \infty)"


def two_point_growth(net: Architecture) -> TwoPointGrowth | None:
    """Return the two-point function far away for the ReLU-, Erf- and linear net, None for other nets."""
    feature = net.feature
    if not isinstance(feature, ReluFeature | ErfFeature | LinearFeature):
        return None
    x = coordinates(1, net.input_dim)
    n = (symbol("n"),) if net.input_dim == 1 else tuple(symbol(f"n_{j}") for j in range(1, net.input_dim + 1))
    front, bias = net.readout.moment(2), sympy.S.Zero
    if isinstance(feature, ErfFeature):
        q = [feature.covariance(x, x), feature.weights.variance * dot(n, n), feature.weights.variance * dot(x, n)]
        average, bias = 2 / sympy.pi * sympy.asin(2 * q[2] / sympy.sqrt((1 + 2 * q[0]) * 2 * q[1])), net.sigma_b1**2
        return TwoPointGrowth(0, front * average + bias, n)
    if isinstance(feature, LinearFeature):
        return TwoPointGrowth(1, front * feature.weights.variance * dot(x, n), n)
    return TwoPointGrowth(1, front * _half_space(feature, x, n), n)


def _half_space(feature: LinearInputFeature, x: Point, n: Point) -> Expr:
    root = sympy.sqrt(feature.weights.variance)
    if feature.bias_variance == 0:
        return half_space_average([[root * c for c in x], [root * c for c in n]])
    offset = sympy.sqrt(feature.bias_variance)
    return half_space_average([[*(root * c for c in x), offset], [*(root * c for c in n), sympy.S.Zero]])
