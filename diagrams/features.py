"""Features: what one hidden neuron computes, the density of its parameters, and averages of products of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any, TypeVar

import sympy

from diagrams.distributions import Distribution, Gaussian, UniformPhase, gaussian_moment, times
from diagrams.symbols import symbol
from diagrams.typing import Expr, Point

F = TypeVar("F", bound="Feature")
WEIGHT_LATEX = r"W^0_{ij}"
BIAS_LATEX = "b^0_i"


class Feature(ABC):
    """The hidden feature ``h(x; theta)`` of one neuron with its parameter density; an immutable value."""

    name: str
    input_dim: int

    @property
    @abstractmethod
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the parameters theta of one neuron, weights first."""

    @abstractmethod
    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return ``E_theta[weight(theta) prod_i h(x_i; theta)]``.

        Parameters
        ----------
        points : sequence of points
            Any number of them, none included.
        weight : sympy.Expr
            Polynomial in :attr:`parameters`.

        Returns
        -------
        sympy.Expr
            A closed form, or an exact integral (:class:`diagrams.expectation.ExpectationIntegral`).

        Raises
        ------
        ValueError
            If the weight is not such a polynomial, or a moment of the parameters does not exist.
        """

    @abstractmethod
    def expression(self, point: Point) -> Expr:
        """Return ``h(x; theta)`` in :attr:`parameters` and the coordinates of the point."""

    @property
    @abstractmethod
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """The independent blocks of :attr:`parameters`, each with its distribution."""

    @abstractmethod
    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""

    @property
    def is_dimension_explicit(self) -> bool:
        """True if points have coordinates, False if they are abstract symbols."""
        return True

    @property
    @abstractmethod
    def is_odd(self) -> bool:
        """True if h and -h have the same distribution, so that products of an odd number of features average to 0."""

    def density(self) -> Expr:
        """Return the joint density of :attr:`parameters`."""
        return sympy.Mul(*(law.joint_density(block) for block, law in self.distributions))

    def density_latex(self) -> list[str]:
        """Return the densities of the hidden parameters in LaTeX."""
        names = (WEIGHT_LATEX, BIAS_LATEX)
        return [law.density_latex(name) for (_, law), name in zip(self.distributions, names, strict=False)]

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the parameters of the densities."""
        return set().union(*(law.free_symbols for _, law in self.distributions))

    def subs(self: F, values: dict[sympy.Symbol, Expr]) -> F:
        """Return the feature with symbols replaced."""
        old = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        new = {k: _replaced(v, values) for k, v in old.items()}
        return replace(self, **{k: v for k, v in new.items() if v is not old[k]})  # type: ignore[type-var]


def _replaced(value: Any, values: dict[sympy.Symbol, Expr]) -> Any:
    if isinstance(value, Distribution):
        return value.subs(values)
    return value.xreplace(values) if isinstance(value, sympy.Basic) else value


def weight_symbols(input_dim: int) -> tuple[sympy.Symbol, ...]:
    """Return the symbols of the input weights of one neuron: ``W0``, or ``W0_1, W0_2, ...`` above one dimension."""
    if input_dim == 1:
        return (symbol("W0"),)
    return tuple(symbol(f"W0_{j}") for j in range(1, input_dim + 1))


def bias_symbol() -> sympy.Symbol:
    """Return the symbol of the hidden bias (or phase) of one neuron, ``b0``."""
    return symbol("b0")


def monomials(weight: Expr, parameters: Sequence[sympy.Symbol]) -> list[tuple[tuple[int, ...], Expr]]:
    """Return a polynomial as (powers of the parameters, coefficient) pairs.

    Raises
    ------
    ValueError
        If it is not a polynomial in the parameters.
    """
    weight = sympy.sympify(weight)
    if not weight.free_symbols & set(parameters):
        return [((0,) * len(parameters), weight)]
    try:
        return list(sympy.Poly(weight, *parameters).terms())
    except sympy.PolynomialError:
        raise ValueError(
            f"the weight must be a polynomial in the parameters {tuple(map(str, parameters))}, got {weight}"
        ) from None


def dot(u: Sequence[Expr], v: Sequence[Expr]) -> Expr:
    """Return the inner product."""
    return sympy.Add(*(a * b for a, b in zip(u, v, strict=True)))


@dataclass(frozen=True)
class CosFeature(Feature):
    """``h = cos(w.x + b)`` with weights of any known characteristic function and a phase."""

    weights: Distribution
    phase: UniformPhase = field(default_factory=UniformPhase)
    input_dim: int = 1
    name: str = "cos"

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the weights and the phase."""
        return (*weight_symbols(self.input_dim), bias_symbol())

    @property
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """Weights and phase."""
        return ((weight_symbols(self.input_dim), self.weights), ((bias_symbol(),), self.phase))

    @property
    def is_odd(self) -> bool:
        """True: a shift of the phase by pi changes the sign."""
        return True

    def expression(self, point: Point) -> Expr:
        """Return cos(w.x + b)."""
        return sympy.cos(dot(weight_symbols(self.input_dim), point) + bias_symbol())

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod cos(w.x_i + b)] by product-to-sum and characteristic functions.

        ``2^-n sum_eps E[exp(i (sum eps_i x_i).w)] E[exp(i (sum eps_i) b)]``; a sign vector and its negative give
        complex conjugates, so only half of them are formed. A weight takes derivatives of the characteristic functions.
        """
        terms = monomials(weight, self.parameters)
        if not points:
            return sympy.Add(*(c * self.weights.joint_moment(p[:-1]) * self.phase.moment(p[-1]) for p, c in terms))
        waves = list(self._waves(points))
        parts = [c * part for powers, c in terms for wave in waves if (part := self._part(powers, *wave)) != 0]
        return sympy.Rational(1, 2 ** (len(points) - 1)) * sympy.Add(*parts)

    def _waves(self, points: Sequence[Point]) -> Iterator[tuple[int, list[Expr]]]:
        """Yield sum eps_i and sum eps_i x_i for half of the sign vectors."""
        for rest in product((1, -1), repeat=len(points) - 1):
            signs = (1, *rest)
            yield (
                sum(signs),
                [sympy.Add(*(e * x for e, x in zip(signs, row, strict=True))) for row in zip(*points, strict=True)],
            )

    def _part(self, powers: tuple[int, ...], turns: int, wave: list[Expr]) -> Expr:
        """Return the real part of E[w**p b**q exp(i k.w + i turns b)]."""
        phase = self.phase.fourier_moment(powers[-1:], (turns,))
        if phase[0] == 0 and phase[1] == 0:
            return sympy.S.Zero
        return times(phase, self.weights.fourier_moment(powers[:-1], wave))[0]

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return r"\cos\!\left(W^0_i \cdot x + b^0_i\right)"


@dataclass(frozen=True)
class LinearInputFeature(Feature):
    """Common part of features of ``w.x + b`` with zero-mean Gaussian weights and, unless left out, hidden bias."""

    weights: Gaussian
    bias: Gaussian | None
    input_dim: int = 1

    def __post_init__(self) -> None:
        for law in (self.weights, self.bias):
            if law is not None and law.mean != 0:
                raise ValueError(f"{self.name} needs zero-mean Gaussian parameters, got mean {law.mean}")

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the weights and, if there is one, the bias."""
        return tuple(s for block, _ in self.distributions for s in block)

    @property
    def distributions(self) -> tuple[tuple[tuple[sympy.Symbol, ...], Distribution], ...]:
        """Weights and, if there is one, bias."""
        weights = (weight_symbols(self.input_dim), self.weights)
        return (weights,) if self.bias is None else (weights, ((bias_symbol(),), self.bias))

    @property
    def bias_variance(self) -> Expr:
        """Variance of the hidden bias, zero without one."""
        return sympy.S.Zero if self.bias is None else self.bias.variance

    def preactivation(self, point: Point) -> Expr:
        """Return w.x + b."""
        bias = sympy.S.Zero if self.bias is None else bias_symbol()
        return dot(weight_symbols(self.input_dim), point) + bias

    def covariance(self, x: Point, y: Point) -> Expr:
        """Return q(x, y), the covariance of w.x + b and w.y + b."""
        return self.bias_variance + self.weights.variance * dot(x, y)

    def variances(self) -> tuple[Expr, ...]:
        """Return the variance of each of :attr:`parameters`."""
        return (self.weights.variance,) * self.input_dim + (() if self.bias is None else (self.bias.variance,))

    def parameter_moment(self, powers: Sequence[int]) -> Expr:
        """Return E of a monomial in the parameters."""
        zero, laws = sympy.S.Zero, zip(powers, self.variances(), strict=True)
        return sympy.Mul(*(gaussian_moment(p, zero, v) for p, v in laws))

    def _argument_latex(self) -> str:
        return r"W^0_i \cdot x" + ("" if self.bias is None else " + b^0_i")


@dataclass(frozen=True)
class GaussFeature(LinearInputFeature):
    """``h = exp(w.x + b - variance(b) - variance(w) |x|^2)``, whose square averages to one."""

    name: str = "gauss"

    @property
    def is_odd(self) -> bool:
        """False: the feature is positive."""
        return False

    def expression(self, point: Point) -> Expr:
        """Return the feature."""
        s = self.weights.variance
        return sympy.exp(self.preactivation(point) - self.bias_variance - s * dot(point, point))

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h]: the exponentials shift the Gaussian parameters by variance times their factor."""
        terms = monomials(weight, self.parameters)
        n = len(points)
        sums = [sympy.Add(*row) for row in zip(*points, strict=True)] if n else [sympy.S.Zero] * self.input_dim
        factors = sums if self.bias is None else [*sums, sympy.Integer(n)]
        shifted = [
            c
            * sympy.Mul(
                *(gaussian_moment(p, v * k, v) for p, v, k in zip(powers, self.variances(), factors, strict=True))
            )
            for powers, c in terms
        ]
        return sympy.Add(*shifted) * sympy.exp(self._exponent(points))

    def _exponent(self, points: Sequence[Point]) -> Expr:
        """Return (n^2/2 - n) sb^2 + (s/2) |sum x|^2 - s sum x^2."""
        n, s = len(points), self.weights.variance
        bias = self.bias_variance * (sympy.Rational(n**2, 2) - n)
        if n == 2:  # translation invariant, so keep the difference
            return bias - s / 2 * sympy.Add(*((x - y) ** 2 for x, y in zip(*points, strict=True)))
        squares = sympy.Add(*(dot(x, x) for x in points))
        cross = sympy.Add(*(dot(x, y) for i, x in enumerate(points) for y in points[:i]))
        return bias - s / 2 * (squares - 2 * cross)

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        variance = "" if self.bias is None else f" - {sympy.latex(self.bias_variance)}"
        return rf"\exp\!\left({self._argument_latex()}{variance} - {sympy.latex(self.weights.variance)}\, x^2\right)"


@dataclass(frozen=True)
class LinearFeature(LinearInputFeature):
    """``h = w.x + b``."""

    name: str = "linear"

    @property
    def is_odd(self) -> bool:
        """True: the parameters are symmetric."""
        return True

    def expression(self, point: Point) -> Expr:
        """Return w.x + b."""
        return self.preactivation(point)

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h] by pairing the linear forms (Isserlis)."""
        if self.input_dim == 1 and self.bias is None:
            return self._one_dimensional(points, weight)
        variances = self.variances()
        rows = [(*x, sympy.S.One)[: len(variances)] for x in points]
        total = []
        for powers, c in monomials(weight, self.parameters):
            forms = rows + [unit(j, len(variances)) for j, p in enumerate(powers) for _ in range(p)]
            total.append(c * isserlis(forms, variances))
        return sympy.Add(*total)

    def _one_dimensional(self, points: Sequence[Point], weight: Expr) -> Expr:
        n, terms = len(points), monomials(weight, self.parameters)
        moments = sympy.Add(*(c * self.parameter_moment((p + n,)) for (p,), c in terms))
        return moments * sympy.Mul(*(x[0] for x in points))

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return self._argument_latex() if self.bias is None else rf"\left({self._argument_latex()}\right)"


def unit(j: int, dim: int) -> tuple[Expr, ...]:
    """Return the unit vector along component ``j``."""
    return tuple(sympy.Integer(int(k == j)) for k in range(dim))


def isserlis(forms: Sequence[Sequence[Expr]], variances: Sequence[Expr]) -> Expr:
    """Return E[prod_a (sum_j c_aj u_j)] for independent zero-mean Gaussians u_j, by recursion on the subset of forms.

    The result is nested, ``q_12 (...) + q_13 (...) + ...``, with every subset's average formed once.
    """
    if len(forms) % 2:
        return sympy.S.Zero
    pairs: dict[tuple[int, int], Expr] = {}
    for j, b in enumerate(forms):
        for i, a in enumerate(forms[:j]):
            pairs[i, j] = sympy.Add(*(v * x * y for v, x, y in zip(variances, a, b, strict=True)))
    known: dict[tuple[int, ...], Expr] = {(): sympy.S.One}

    def average(left: tuple[int, ...]) -> Expr:
        if left not in known:
            first, rest = left[0], left[1:]
            terms = [pairs[first, j] * average(tuple(k for k in rest if k != j)) for j in rest if pairs[first, j] != 0]
            known[left] = sympy.Add(*terms)
        return known[left]

    return average(tuple(range(len(forms))))
