"""Distribution: what every density of a random parameter can tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TypeVar

import sympy

from diagrams.cumulants import cumulants_from_moments
from diagrams.typing import Expr

Complex = tuple[Expr, Expr]  # real and imaginary part
D = TypeVar("D", bound="Distribution")


class Distribution(ABC):
    """Density of a random number, or of a vector whose components are independent draws of it.

    Fields of a concrete distribution are sympy expressions; distributions are immutable values.
    """

    @abstractmethod
    def moment(self, order: int) -> Expr:
        """Return E[w**order] of one component.

        Raises
        ------
        ValueError
            If that moment does not exist.
        """

    @abstractmethod
    def density(self, value: Expr) -> Expr:
        """Return the density of one component at ``value``."""

    @abstractmethod
    def density_latex(self, name: str) -> str:
        """Return "name distributed as" in LaTeX."""

    @abstractmethod
    def scaled(self: D, factor: Expr) -> D:
        """Return the density of ``factor * w`` for a positive factor."""

    @property
    @abstractmethod
    def support(self) -> tuple[Expr, Expr]:
        """Ends of the interval on which the density of one component is not zero."""

    @property
    def is_symmetric(self) -> bool:
        """True if w and -w have the same density."""
        return False

    @property
    def mean(self) -> Expr:
        """The mean of one component."""
        return self.moment(1)

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the parameters."""
        values = [getattr(self, f.name) for f in fields(self)]  # type: ignore[arg-type]
        return set().union(*(v.free_symbols for v in values if isinstance(v, sympy.Basic)))

    def subs(self: D, values: dict[sympy.Symbol, Expr]) -> D:
        """Return the density with symbols replaced."""
        old = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        new = {k: v.xreplace(values) for k, v in old.items() if isinstance(v, sympy.Basic)}
        return replace(self, **new)  # type: ignore[type-var]

    def cumulant(self, order: int) -> Expr:
        """Return the cumulant of one component, from its moments.

        Raises
        ------
        ValueError
            If one of the moments up to ``order`` does not exist.
        """
        return cumulants_from_moments([self.moment(k) for k in range(1, order + 1)])[-1]

    def joint_moment(self, powers: Sequence[int]) -> Expr:
        """Return E[prod_j w_j**powers_j] of a vector of components."""
        return sympy.Mul(*(self.moment(p) for p in powers))

    def joint_density(self, values: Sequence[Expr]) -> Expr:
        """Return the density of a vector of components."""
        return sympy.Mul(*(self.density(v) for v in values))

    def fourier_moment(self, powers: Sequence[int], wave_vector: Sequence[Expr]) -> Complex:
        """Return the real and the imaginary part of E[prod_j w_j**powers_j exp(i k.w)].

        Raises
        ------
        NotImplementedError
            If no closed form is known.
        """
        raise NotImplementedError(
            f"no closed characteristic function for {self}; use a Gaussian, uniform or ball density, "
            "or a feature given to network(...), which is averaged by quadrature"
        )

    def characteristic_function(self, wave_vector: Sequence[Expr]) -> Expr:
        """Return E[exp(i k.w)]."""
        real, imaginary = self.fourier_moment((0,) * len(wave_vector), wave_vector)
        return real + sympy.I * imaginary


def times(a: Complex, b: Complex) -> Complex:
    """Return the product of two complex numbers given by real and imaginary part."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def as_parameter(owner: object, name: str) -> Expr:
    value = getattr(owner, name)
    try:
        number = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        number = None
    if not isinstance(number, sympy.Expr) or number.is_real is False or number.has(sympy.nan, sympy.zoo, sympy.oo):
        raise ValueError(f"{name} of {type(owner).__name__} must be a finite real number or expression, got {value!r}")
    number = sympy.nsimplify(number, rational=True) if number.has(sympy.Float) else number
    object.__setattr__(owner, name, number)
    return number


def check_order(order: int) -> None:
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise ValueError(f"the order of a moment must be a non-negative integer, got {order!r}")
