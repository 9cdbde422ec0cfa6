r"""What is added to the action of an ensemble: local powers of the field and bilocal terms, and sums of them.

Couplings carry 1/n!, as everywhere: :math:`\Delta S = \sum_n \frac{1}{n!} \int f(x)\, g_n\, \phi(x)^n\, d^dx`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import factorial
from typing import Any

import sympy

from diagrams.regions import Region, exact_real
from diagrams.symbols import coordinates
from diagrams.typing import Expr


class Interaction(ABC):
    """A functional of the field that is added to the action; interactions add with ``+``."""

    @property
    @abstractmethod
    def terms(self) -> tuple[Any, ...]:
        """The terms of a sum: local, bilocal, or of several fields."""

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols that have no number yet, those of couplings and of regions."""
        return set().union(*(t._symbols() for t in self.terms))

    @property
    def is_even(self) -> bool:
        """True if the sign of the field does not matter."""
        return all(t._even() for t in self.terms)

    @property
    def n_fields(self) -> int:
        """Number of components of the field, one except for a :class:`~diagrams.vector_interactions.VectorInteraction`.

        Raises
        ------
        ValueError
            If terms of a sum have different numbers.
        """
        numbers = {getattr(t, "components", 1) for t in self.terms}
        if len(numbers) > 1:
            raise ValueError(f"terms of one interaction are of fields with {sorted(numbers)} components")
        return int(numbers.pop())

    @property
    def local(self) -> tuple[LocalInteraction, ...]:
        """The local terms."""
        return tuple(t for t in self.terms if isinstance(t, LocalInteraction))

    @property
    def bilocal(self) -> tuple[BilocalInteraction, ...]:
        """The bilocal terms."""
        return tuple(t for t in self.terms if isinstance(t, BilocalInteraction))

    def subs(self, values: Mapping[sympy.Symbol, Expr]) -> Interaction:
        """Return the interaction with values for some symbols."""
        return total(t._with(values) for t in self.terms)

    def check_dimension(self, dim: int) -> None:
        """Raise ValueError if a region does not fit points of ``dim`` components."""
        for term in self.terms:
            term.region.check_dimension(dim)

    def check_bounded(self, *, allow_linear: bool = False) -> None:
        """Raise ValueError if exp(-Delta S) is not known to be normalisable for a field without bounds.

        On every region the highest power of the field decides: it must be even and its coupling not negative. Symbols
        are given the benefit of the doubt until they have numbers.

        Parameters
        ----------
        allow_linear : bool
            Accept a source term alone, phi^1: the field is known to have exponential moments.

        Raises
        ------
        ValueError
            With the power, the coupling and the region.
        """
        for term in self.terms:
            if term is not self and not isinstance(term, (LocalInteraction, BilocalInteraction)):
                term.check_bounded(allow_linear=allow_linear)
        for region, powers in _by_region(self.local).items():
            known = [(n, g) for n, g in sorted(powers.items()) if g != 0]
            if not known:
                continue
            degree, coupling = known[-1]
            if degree == 1 and allow_linear:
                continue
            if degree % 2:
                raise ValueError(
                    f"exp(-Delta S) cannot be normalised: the highest power of the field on {region} is phi^{degree}, "
                    "which is odd, so that Delta S falls without bound for one sign of the field. Add a higher even "
                    "power with a positive coupling"
                )
            if coupling.is_negative and degree == 2:
                raise ValueError(
                    f"g_2 = {coupling} on {region} is negative: exp(-Delta S) can be normalised only while -g_2 is "
                    "below every eigenvalue of the inverse two-point function there, which is not checked. Add phi^4 "
                    "with a positive coupling, or make g_2 positive"
                )
            if coupling.is_negative:
                raise ValueError(
                    f"exp(-Delta S) cannot be normalised: the highest power of the field on {region} is phi^{degree} "
                    f"and its coupling g_{degree} = {coupling} is negative, so that Delta S falls without bound as the "
                    "field grows. Make it positive, or add a higher even power with a positive coupling"
                )

    def to_latex(self, field: str = r"\phi", *, dim: int = 1) -> str:
        """Return Delta S in LaTeX, with ``field`` for the field; ``field(x)`` where it is one letter."""
        parts = [t._latex(field, dim) for t in self.terms]
        return " + ".join(parts).replace("+ -", "- ")

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \Delta S[\phi] = {self.to_latex()}$"

    def __add__(self, other: Any) -> Interaction:
        if not isinstance(other, Interaction):
            return NotImplemented
        return total([*self.terms, *other.terms])


@dataclass(frozen=True)
class LocalInteraction(Interaction):
    r"""The local interaction :math:`\Delta S = \sum_n \frac{1}{n!} \int f(x)\, g_n\, \phi(x)^n\, d^dx`.

    Parameters
    ----------
    couplings : mapping from n to number or sympy.Expr
        g_n for powers n >= 1 of the field. ``{4: lam}`` is phi^4 theory with :math:`\lambda/4!`.
    region : Region
        :class:`Box`, :class:`GaussianWeight` or :class:`Sites`: the weight f.

    Raises
    ------
    TypeError, ValueError
        If a power is not a positive integer, a coupling is not a finite real number or expression, there is no
        coupling, or the region is none.

    Examples
    --------
    >>> from diagrams.regions import Box
    >>> LocalInteraction({4: 0.5}, region=Box(4.0)).couplings
    ((4, 1/2),)
    """

    couplings: Any
    region: Region

    def __post_init__(self) -> None:
        items = self.couplings.items() if isinstance(self.couplings, Mapping) else self.couplings
        checked = tuple(sorted((_power(n), exact_real(f"the coupling g_{n}", g)) for n, g in items))
        if not checked:
            raise ValueError("an interaction needs at least one coupling, for example {4: 0.5}")
        if not isinstance(self.region, Region):
            raise TypeError(f"region must be a Box, a GaussianWeight or Sites, got {self.region!r}")
        object.__setattr__(self, "couplings", checked)

    @property
    def terms(self) -> tuple[LocalInteraction | BilocalInteraction, ...]:
        """This one."""
        return (self,)

    def _symbols(self) -> set[sympy.Symbol]:
        return self.region.free_symbols.union(*(g.free_symbols for _, g in self.couplings))

    def _even(self) -> bool:
        return all(n % 2 == 0 or g == 0 for n, g in self.couplings)

    def _with(self, values: Mapping[sympy.Symbol, Expr]) -> LocalInteraction:
        table = dict(values)
        return LocalInteraction({n: g.xreplace(table) for n, g in self.couplings}, self.region.subs(values))

    def _latex(self, field: str, dim: int) -> str:
        shown = field if len(field) > 6 else f"{field}(x)"
        base = rf"\left({shown}\right)" if len(field) > 6 else shown
        powers = {n: base if n == 1 else f"{base}^{{{n}}}" for n, _ in self.couplings}
        if len(self.couplings) == 1:
            (n, g), *_ = self.couplings
            return f"{coefficient_latex(n, g)} {self.region.integral_latex(dim, powers[n])}"
        body = " + ".join(f"{coefficient_latex(n, g)} {powers[n]}" for n, g in self.couplings).replace("+ -", "- ")
        return self.region.integral_latex(dim, rf"\left[{body}\right]")


@dataclass(frozen=True)
class BilocalInteraction(Interaction):
    r"""The term :math:`\Delta S = \frac12 \iint f(x) f(y)\, g(x, y)\, \phi(x) \phi(y)\, d^dx\, d^dy`.

    Only the part of g that is symmetric under exchange of x and y contributes, and it is what is kept. On its own it
    must be a non-negative quadratic form; that is checked on the quadrature points when the ensemble is sampled.

    Parameters
    ----------
    kernel : sympy.Expr
        g(x, y) in the coordinates of ``x_1`` and ``x_2`` (:func:`diagrams.symbols.coordinates`) and parameters.
    region : Region
        The weight f, the same for both points.

    Raises
    ------
    TypeError, ValueError
        If the kernel is not a finite expression, or the region is none.
    """

    kernel: Any
    region: Region

    def __post_init__(self) -> None:
        if not isinstance(self.region, Region):
            raise TypeError(f"region must be a Box, a GaussianWeight or Sites, got {self.region!r}")
        kernel = exact_real("the kernel", self.kernel)
        swap = {a: b for d in range(1, 5) for a, b in _pairs(d)}
        swapped = kernel.xreplace(swap | {b: a for a, b in swap.items()})
        object.__setattr__(self, "kernel", kernel if sympy.expand(kernel - swapped) == 0 else (kernel + swapped) / 2)

    @property
    def terms(self) -> tuple[LocalInteraction | BilocalInteraction, ...]:
        """This one."""
        return (self,)

    def _symbols(self) -> set[sympy.Symbol]:
        places = {s for d in range(1, 5) for pair in _pairs(d) for s in pair}
        return self.region.free_symbols | (self.kernel.free_symbols - places)

    def _even(self) -> bool:
        return True

    def _with(self, values: Mapping[sympy.Symbol, Expr]) -> BilocalInteraction:
        return replace(self, kernel=self.kernel.xreplace(dict(values)), region=self.region.subs(values))

    def _latex(self, field: str, dim: int) -> str:
        names: dict[sympy.Symbol, str] = {}
        for letter, index in (("x", 1), ("y", 2)):
            symbols = coordinates(index, dim)
            names |= {s: letter if dim == 1 else f"{letter}_{{{mu}}}" for mu, s in enumerate(symbols, start=1)}
        body = rf"\left[{sympy.latex(self.kernel, symbol_names=names)}\right] \phi(x)\, \phi(y)"
        return r"\frac{1}{2} " + self.region.integral_latex(dim, self.region.integral_latex(dim, body, "y"))


@dataclass(frozen=True)
class InteractionSum(Interaction):
    """A sum of interactions on several regions; made with ``+``."""

    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        self.n_fields  # noqa: B018 (terms of different numbers of fields are found here)

    @property
    def terms(self) -> tuple[Any, ...]:
        """The terms of the sum."""
        return self.parts


def total(terms: Iterable[Any]) -> Interaction:
    """Return the sum of interactions, with local terms on the same region put together."""
    local: dict[Region, dict[int, Expr]] = {}
    others: list[Any] = []
    for term in terms:
        if not isinstance(term, LocalInteraction):
            others.append(term)
            continue
        powers = local.setdefault(term.region, {})
        for n, g in term.couplings:
            powers[n] = powers.get(n, sympy.S.Zero) + g
    parts = (*(LocalInteraction(powers, region) for region, powers in local.items()), *others)
    return parts[0] if len(parts) == 1 else InteractionSum(parts)


def _by_region(terms: Iterable[LocalInteraction]) -> dict[Region, dict[int, Expr]]:
    return {t.region: dict(t.couplings) for t in terms}


def _power(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"the power of the field in an interaction must be a positive integer, got {n!r}")
    return n


def _pairs(dim: int) -> Iterator[tuple[sympy.Symbol, sympy.Symbol]]:
    return zip(coordinates(1, dim), coordinates(2, dim), strict=True)


def coefficient_latex(n: int, coupling: Expr) -> str:
    """Return coupling / n! in LaTeX."""
    if n == 1:
        return sympy.latex(coupling)
    if coupling.is_Rational:
        return sympy.latex(coupling / factorial(n))
    return rf"\frac{{{sympy.latex(coupling)}}}{{{n}!}}"
