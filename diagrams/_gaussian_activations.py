"""Gaussian averages of products of an activation and its derivatives at correlated pre-activations z_1, z_2, ..."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import special
from sympy.printing.latex import LatexPrinter

from diagrams.cumulants import pairings
from diagrams.expectation import ExpectationIntegral, Quadrature
from diagrams.special import Angle
from diagrams.symbols import symbol
from diagrams.typing import Expr

Covariance = Sequence[Sequence[Expr]]
Orders = tuple[int, ...]
ACTIVATION_VARIABLE = symbol("z")


class Activation(ABC):
    """An activation sigma(z) with its averages; ``response`` gives how a kernel reacts to the one below."""

    @abstractmethod
    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return E prod_i sigma^(k_i)(z_i) for Gaussian z of this covariance, k_i the orders of derivatives."""

    @abstractmethod
    def latex(self, argument: str) -> str:
        """Return sigma(argument) in LaTeX."""

    @abstractmethod
    def expression(self, z: Expr) -> Expr:
        """Return sigma(z); a phase of the neuron is part of z."""

    def slopes(self, covariance: Covariance) -> list[Expr]:
        """Return the derivatives of E[sigma sigma] with respect to q_11, q_22 and q_12 (Price's theorem)."""
        return [factor * self.average(orders, covariance) for factor, orders in _PRICE]

    def curvatures(self, covariance: Covariance) -> list[list[Expr]]:
        """Return the second derivatives of E[sigma sigma] with respect to q_11, q_22 and q_12."""
        return [[f * g * self.average(_sum(a, b), covariance) for g, b in _PRICE] for f, a in _PRICE]

    def coincident(self, variance: Expr) -> tuple[Expr, Expr]:
        """Return the first and second derivative of E[sigma^2] with respect to the variance."""
        square = [[variance, variance], [variance, variance]]
        return sympy.Add(*self.slopes(square)), sympy.Add(*(c for row in self.curvatures(square) for c in row))


_HALF = sympy.S.Half
_PRICE: tuple[tuple[Expr, Orders], ...] = ((_HALF, (2, 0)), (_HALF, (0, 2)), (sympy.S.One, (1, 1)))


def _sum(a: Orders, b: Orders) -> Orders:
    return tuple(i + j for i, j in zip(a, b, strict=True))


@dataclass(frozen=True)
class Linear(Activation):
    """sigma(z) = z."""

    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return the sum over pairings of the factors that are not differentiated."""
        if max(orders) > 1:
            return sympy.S.Zero
        left = [i for i, k in enumerate(orders) if k == 0]
        return sympy.Add(*(sympy.Mul(*(covariance[i][j] for i, j in p)) for p in pairings(left)))

    def expression(self, z: Expr) -> Expr:
        """Return sigma(z)."""
        return z

    def latex(self, argument: str) -> str:
        """Return the argument."""
        return argument


@dataclass(frozen=True)
class Cosine(Activation):
    """sigma(z) = cos(z + b) with a phase b of each neuron uniform on (-pi, pi)."""

    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return the product-to-sum formula; a derivative shifts the phase by pi/2."""
        n, terms = len(orders), []
        for rest in product((1, -1), repeat=n - 1):
            signs = (1, *rest)
            turns = sum(e * k for e, k in zip(signs, orders, strict=True)) % 4
            if sum(signs) == 0 and turns % 2 == 0:
                variance = [signs[i] * signs[j] * covariance[i][j] for i in range(n) for j in range(n)]
                terms.append((1 - turns) * sympy.exp(-sympy.Add(*variance) / 2))
        return sympy.Add(*terms) / 2 ** (n - 1)

    def expression(self, z: Expr) -> Expr:
        """Return sigma(z)."""
        return sympy.cos(z)

    def latex(self, argument: str) -> str:
        """Return the cosine."""
        return rf"\cos\!\left({argument} + c\right)"


@dataclass(frozen=True)
class Erf(Activation):
    """sigma(z) = erf(z)."""

    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return the closed form for two factors, else an exact integral."""
        if len(orders) != 2:
            return Smooth(sympy.erf(ACTIVATION_VARIABLE)).average(orders, covariance)
        from diagrams.activations import erf_pair_average

        return erf_pair_average(orders, covariance[0][0], covariance[1][1], covariance[0][1])

    def expression(self, z: Expr) -> Expr:
        """Return sigma(z)."""
        return sympy.erf(z)

    def latex(self, argument: str) -> str:
        """Return the error function."""
        return rf"\operatorname{{erf}}\!\left({argument}\right)"


@dataclass(frozen=True)
class Relu(Activation):
    """sigma(z) = max(z, 0)."""

    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return closed forms for two factors at different points, else an exact integral."""
        if len(orders) != 2:
            return GaussianExpectation("relu", [0] * len(orders), covariance)
        (a, c), (_, b) = covariance
        area, angle = sympy.sqrt(a * b - c**2), sympy.pi - Angle(sympy.sqrt(a * b - c**2), c)
        closed = {
            (0, 0): area + angle * c,
            (1, 1): angle,
            (2, 0): area / a,
            (0, 2): area / b,
            (2, 2): 1 / area,
            (3, 1): -c / (a * area),
            (1, 3): -c / (b * area),
            (4, 0): b / (a * area) - 2 * area / a**2,
            (0, 4): a / (b * area) - 2 * area / b**2,
        }
        return closed[orders] / (2 * sympy.pi)

    def coincident(self, variance: Expr) -> tuple[Expr, Expr]:
        """Return the derivatives of variance/2."""
        return _HALF, sympy.S.Zero

    def expression(self, z: Expr) -> Expr:
        """Return sigma(z)."""
        return sympy.Max(z, 0)

    def latex(self, argument: str) -> str:
        """Return the maximum."""
        return rf"\max\!\left({argument}, 0\right)"


@dataclass(frozen=True)
class Smooth(Activation):
    """Any smooth activation, an expression in ``symbol("z")``; averages are exact integrals."""

    formula: Expr

    def average(self, orders: Orders, covariance: Covariance) -> Expr:
        """Return the exact integral."""
        if any(self.derivative(k) == 0 for k in orders):
            return sympy.S.Zero
        return GaussianExpectation(self.formula, orders, covariance)

    def derivative(self, order: int) -> Expr:
        """Return a derivative of the formula."""
        return sympy.diff(self.formula, ACTIVATION_VARIABLE, order) if order else self.formula

    def expression(self, z: Expr) -> Expr:
        """Return sigma(z)."""
        return self.formula.xreplace({ACTIVATION_VARIABLE: z})

    def latex(self, argument: str) -> str:
        """Return the formula."""
        return sympy.latex(self.formula.xreplace({ACTIVATION_VARIABLE: sympy.Symbol(argument)}))


class GaussianExpectation(ExpectationIntegral):
    """The average of a product of derivatives of one activation over correlated Gaussian pre-activations.

    Evaluated in the eigenvectors of the covariance, so that coinciding points are no special case: by Gauss-Hermite
    quadrature with doubling where the activation is smooth, over half spaces for ReLU (``activation = "relu"``).
    """

    def __new__(cls, activation: Expr | str, orders: Sequence[int], covariance: Covariance) -> GaussianExpectation:
        """Return the average."""
        formula = sympy.Symbol("relu") if activation == "relu" else sympy.sympify(activation)
        rows = sympy.Tuple(*(sympy.Tuple(*row) for row in covariance))
        return super().__new__(cls, formula, sympy.Tuple(*orders), rows)

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the covariance."""
        return set(self.args[2].free_symbols)

    @property
    def orders(self) -> Orders:
        """Order of the derivative in each factor."""
        return tuple(int(k) for k in self.args[1])

    def _quadrature(self, rtol: float, atol: float) -> Quadrature:
        covariance = np.array([[float(c) for c in row] for row in self.args[2]], dtype=np.float64)
        values, vectors = np.linalg.eigh(covariance)
        kept = values > 1e-14 * values[-1]
        rows = vectors[:, kept] * np.sqrt(values[kept])
        if str(self.args[0]) == "relu":
            from diagrams.half_spaces import gaussian_half_spaces

            return gaussian_half_spaces(rows, np.zeros((0, rows.shape[1])), rtol, atol)
        return self._hermite(rows, rtol, atol)

    def _hermite(self, rows: NDArray[np.float64], rtol: float, atol: float) -> Quadrature:
        from diagrams._quadrature import numeric_function

        smooth = Smooth(self.args[0])
        factors = [numeric_function(smooth.derivative(k), [ACTIVATION_VARIABLE]) for k in self.orders]
        last, best, rank = float("nan"), Quadrature(float("nan"), float("inf")), rows.shape[1]
        for order in (12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384):
            if order**rank > 1 << 24:
                break
            value = _hermite_average(factors, rows, order)
            if abs(value - last) < best.error:
                best = Quadrature(value, abs(value - last) + 1e-16 * abs(value))
            if best.error <= max(atol, rtol * abs(value)):
                break
            last = value
        return best

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        def factor(i: int, k: int) -> str:
            if str(self.args[0]) == "relu":
                return rf"\left[z_{i}\right]_+"
            derivative = Smooth(self.args[0]).derivative(k)
            return rf"\left[{printer._print(derivative.xreplace({ACTIVATION_VARIABLE: sympy.Symbol(f'z_{i}')}))}\right]"

        body = " ".join(factor(i + 1, k) for i, k in enumerate(self.orders))
        covariance = printer._print(sympy.Matrix([list(row) for row in self.args[2]]))
        body = rf"\mathbb{{E}}_{{z \sim \mathcal{{N}}\left(0, {covariance}\right)}}\left[{body}\right]"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


@cache
def _hermite_rule(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    t, c = special.roots_hermitenorm(order)
    return t, c / c.sum()


def _hermite_average(factors: Sequence[object], rows: NDArray[np.float64], order: int) -> float:
    """Return the average on the tensor grid of one variable for each column of ``rows``."""
    t, c = _hermite_rule(order)
    rank = rows.shape[1]
    total = 0.0
    grids = np.meshgrid(*[t] * (rank - 1), indexing="ij", sparse=True) if rank > 1 else []
    for t0, c0 in zip(t, c, strict=True):  # the first axis in turn keeps the arrays small
        values: NDArray[np.float64] = np.ones((order,) * (rank - 1))
        for f, row in zip(factors, rows, strict=True):
            z = row[0] * t0 + sum((row[k + 1] * g for k, g in enumerate(grids)), np.zeros((1,) * (rank - 1)))
            values = values * f(z)  # type: ignore[operator]
        for _ in range(rank - 1):
            values = values @ c
        total += float(c0 * values)
    return total
