"""Distributions of parameters that all neurons share, and averages over them by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Protocol, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.distributions import Distribution
from diagrams.typing import Expr, Number

Powers: TypeAlias = dict[tuple[Expr, Expr], Expr]  # (p, c) -> coefficient of s**p exp(c s**q)


class Law(Protocol):
    """Distribution of a shared parameter: moments at least."""

    def moment(self, order: int) -> Expr:
        """Return E[s**order]."""

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Law:
        """Return the distribution with symbols replaced."""


def _exact(value: Number | Expr, what: str) -> Expr:
    try:
        number = sympy.nsimplify(sympy.sympify(value, strict=True), rational=True)
    except sympy.SympifyError:
        raise TypeError(f"{what} must be a number or a sympy expression, got {value!r}") from None
    if number.is_finite is False or number.is_real is False:
        raise ValueError(f"{what} must be finite and real, got {value!r}")
    return number


@dataclass(frozen=True)
class Discrete:
    """A finite number of values with their probabilities; any function can be averaged over it.

    Parameters
    ----------
    values : sequence of numbers or sympy expressions
    weights : sequence of numbers or sympy expressions, optional
        Probabilities, with sum one; equal ones by default.

    Raises
    ------
    ValueError
        If there is no value, the numbers of values and weights differ, or the weights are no probabilities.

    Examples
    --------
    >>> Discrete((1, 3)).moment(2)
    5
    """

    values: tuple[Expr, ...]
    weights: tuple[Expr, ...] = ()

    def __post_init__(self) -> None:
        values = tuple(_exact(v, "a value") for v in self.values)
        given = tuple(_exact(w, "a weight") for w in self.weights)
        weights = given or (sympy.Rational(1, max(len(values), 1)),) * len(values)
        if not values or len(weights) != len(values):
            raise ValueError(f"give as many weights as values and at least one, got {len(values)} and {len(weights)}")
        total = sympy.Add(*weights)
        if any(w.is_negative for w in weights) or (total.is_number and total != 1):
            raise ValueError(f"weights must be probabilities with sum 1, got {weights} with sum {total}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)

    def moment(self, order: int) -> Expr:
        """Return E[s**order]."""
        return sympy.Add(*(w * v**order for v, w in zip(self.values, self.weights, strict=True)))

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Discrete:
        """Return the distribution with symbols replaced."""
        return Discrete(tuple(v.xreplace(values) for v in self.values), tuple(w.xreplace(values) for w in self.weights))

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` draws."""
        values, weights = (np.array([float(v) for v in row]) for row in (self.values, self.weights))
        return rng.choice(values, size=size, p=weights)

    def density_latex(self, name: str) -> str:
        """Return the values with their probabilities in LaTeX."""
        rows = [
            rf"{sympy.latex(v)} & \text{{with probability }} {sympy.latex(w)}"
            for v, w in zip(self.values, self.weights, strict=True)
        ]
        return rf"{name} = \begin{{cases}} " + r" \\ ".join(rows) + r" \end{cases}"


@dataclass(frozen=True)
class Gamma:
    r"""The Gamma density :math:`s^{k-1} e^{-s/\theta} / (\Gamma(k) \theta^k)` of shape k and scale theta.

    Parameters
    ----------
    shape, scale : number or sympy expression
        Positive. Mean ``shape * scale``, variance ``shape * scale**2``.

    Raises
    ------
    ValueError
        If one of them is not positive.

    Examples
    --------
    >>> Gamma(2, 3).moment(1)
    6
    """

    shape: Expr
    scale: Expr

    def __post_init__(self) -> None:
        for name in ("shape", "scale"):
            value = _exact(getattr(self, name), f"the {name} of a Gamma density")
            if value.is_nonpositive:
                raise ValueError(f"the {name} of a Gamma density must be positive, got {value}")
            object.__setattr__(self, name, value)

    def moment(self, order: int) -> Expr:
        """Return E[s**order]; the order may be a half-integer."""
        return self.exponential_moment(sympy.sympify(order), sympy.S.Zero)

    def exponential_moment(self, order: Expr, rate: Expr) -> Expr:
        """Return E[s**order exp(rate s)]; it exists for ``rate * scale < 1``.

        Raises
        ------
        ValueError
            If it does not exist.
        """
        damping = 1 - self.scale * rate
        if damping.is_nonpositive:
            raise ValueError(f"E[exp({rate} s)] does not exist for {self}: the rate must be below 1/scale")
        if sympy.sympify(order).is_Integer:
            rising = sympy.Mul(*(self.shape + j for j in range(int(order))))
        else:
            rising = sympy.gamma(self.shape + order) / sympy.gamma(self.shape)
        return self.scale**order * rising * damping ** (-self.shape - order)

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Gamma:
        """Return the distribution with symbols replaced."""
        return Gamma(self.shape.xreplace(values), self.scale.xreplace(values))

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` draws."""
        return rng.gamma(float(self.shape), float(self.scale), size)

    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""
        return rf"{name} \sim \Gamma\!\left({sympy.latex(self.shape)}, {sympy.latex(self.scale)}\right)"


@dataclass(frozen=True)
class SquareRoot:
    """The square root of a positive random number: a standard deviation whose variance has a known law.

    Parameters
    ----------
    law : Gamma or Discrete
        Distribution of the square.

    Examples
    --------
    >>> SquareRoot(Gamma(2, 3)).moment(2)
    6
    """

    law: Gamma | Discrete

    def __post_init__(self) -> None:
        if not isinstance(self.law, (Gamma, Discrete)):
            raise TypeError(f"SquareRoot takes a Gamma or Discrete distribution, got {type(self.law).__name__}")
        if isinstance(self.law, Discrete) and any(v.is_negative for v in self.law.values):
            raise ValueError(f"the square must not be negative, got the values {self.law.values}")

    def moment(self, order: int) -> Expr:
        """Return E[s**order], the moment of half that order of the square."""
        half = sympy.Rational(order, 2)
        if isinstance(self.law, Gamma):
            return self.law.moment(half)
        return sympy.Add(*(w * v**half for v, w in zip(self.law.values, self.law.weights, strict=True)))

    def subs(self, values: dict[sympy.Symbol, Expr]) -> SquareRoot:
        """Return the distribution with symbols replaced."""
        return SquareRoot(self.law.subs(values))

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` draws."""
        return np.sqrt(self.law.sample(rng, size))

    def density_latex(self, name: str) -> str:
        """Return "name**2 distributed as" in LaTeX."""
        return self.law.density_latex(rf"{{{name}}}^2")


@dataclass(frozen=True)
class Moments:
    """A distribution of which only moments are known; polynomials can be averaged over it.

    Parameters
    ----------
    moments : sequence of numbers or sympy expressions
        ``E[s], E[s**2], ...``.
    """

    moments: tuple[Expr, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "moments", tuple(_exact(m, "a moment") for m in self.moments))

    def moment(self, order: int) -> Expr:
        """Return E[s**order].

        Raises
        ------
        ValueError
            If that moment was not given.
        """
        if order > len(self.moments):
            raise ValueError(f"the moment E[s^{order}] is needed, but only {len(self.moments)} moment(s) were given")
        return self.moments[order - 1] if order else sympy.S.One

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Moments:
        """Return the distribution with symbols replaced."""
        return Moments(tuple(m.xreplace(values) for m in self.moments))

    def density_latex(self, name: str) -> str:
        """Return the moments in LaTeX."""
        return r",\; ".join(rf"E[{name}^{{{k}}}] = {sympy.latex(m)}" for k, m in enumerate(self.moments, 1))


@singledispatch
def average(law: Any, expr: Expr, s: sympy.Symbol) -> Expr:
    """Return the average over ``s`` of an expression.

    Any function for a :class:`Discrete` law; polynomials times exponentials linear in the Gamma variable (or in
    the square of its square root); polynomials for all other laws.

    Raises
    ------
    TypeError, ValueError
        If ``law`` is no distribution, or no rule applies.
    """
    if not isinstance(law, (Distribution, Moments)):
        raise TypeError(f"cannot average over {law!r}; give Discrete, Gamma, SquareRoot, Moments or a Distribution")
    terms = _powers(expr, s, 1)
    if any(rate != 0 for _, rate in terms):
        raise ValueError(
            f"the conditional correlators are not polynomials in {s}, and only polynomials can be averaged over "
            f"{type(law).__name__}; use Discrete, or Gamma and SquareRoot where exponentials are linear in {s} or {s}^2"
        )
    return sympy.Add(*(c * law.moment(int(p)) for (p, _), c in terms.items()))


@average.register
def _(law: Discrete, expr: Expr, s: sympy.Symbol) -> Expr:
    return sympy.Add(*(w * expr.xreplace({s: v}) for v, w in zip(law.values, law.weights, strict=True)))


@average.register
def _(law: Gamma, expr: Expr, s: sympy.Symbol) -> Expr:
    return sympy.Add(*(c * law.exponential_moment(p, rate) for (p, rate), c in _powers(expr, s, 1).items()))


@average.register
def _(law: SquareRoot, expr: Expr, s: sympy.Symbol) -> Expr:
    if isinstance(law.law, Discrete):
        return average(Discrete(tuple(sympy.sqrt(v) for v in law.law.values), law.law.weights), expr, s)
    terms = _powers(expr, s, 2)
    return sympy.Add(*(c * law.law.exponential_moment(p / 2, rate) for (p, rate), c in terms.items()))


def _powers(expr: Expr, s: sympy.Symbol, q: int) -> Powers:
    """Return the coefficients of ``s**p exp(rate s**q)``; what does not contain s is not expanded."""
    zero = sympy.S.Zero
    if not expr.has(s):
        return {(zero, zero): expr}
    if expr == s:
        return {(sympy.S.One, zero): sympy.S.One}
    if expr.is_Add:
        merged: dict[tuple[Expr, Expr], list[Expr]] = {}
        for arg in expr.args:
            for key, c in _powers(arg, s, q).items():
                merged.setdefault(key, []).append(c)
        return {key: sympy.Add(*c) for key, c in merged.items()}
    if expr.is_Mul:
        return _multiply([_powers(arg, s, q) for arg in expr.args])
    if isinstance(expr, sympy.exp):
        exponent = _powers(expr.exp, s, q)
        if set(exponent) <= {(zero, zero), (sympy.Integer(q), zero)}:
            rate = exponent.get((sympy.Integer(q), zero), zero)
            return {(zero, rate): sympy.exp(exponent.get((zero, zero), zero))}
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
        return _multiply([_powers(expr.base, s, q)] * int(expr.exp))
    raise ValueError(f"no rule to average {expr} over {s}: polynomials times exp(c {s}^{q}) have one; use Discrete")


def _multiply(factors: Sequence[Powers]) -> Powers:
    result: Powers = {(sympy.S.Zero, sympy.S.Zero): sympy.S.One}
    for factor in factors:
        merged: dict[tuple[Expr, Expr], list[Expr]] = {}
        for (p1, r1), c1 in result.items():
            for (p2, r2), c2 in factor.items():
                merged.setdefault((p1 + p2, r1 + r2), []).append(c1 * c2)
        result = {key: sympy.Add(*c) for key, c in merged.items()}
    return result
