"""Series: an expansion in one or several small parameters, kept order by order with its remainder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy

if TYPE_CHECKING:
    from diagrams.collection import Diagrams

Exponent: TypeAlias = Any  # int or sympy.Rational; sympy carries no types
Exponents: TypeAlias = tuple[Exponent, ...]


@dataclass(frozen=True, repr=False)
class Series:
    """An expansion ``sum_k c_k prod_i p_i**k_i`` with exact coefficients and a stated remainder.

    Sympy sorts a plain sum its own way and forgets where it was cut; a Series is read in the order of the
    expansion and knows both. With one parameter it is indexed by the exponent, with several by a tuple.

    Parameters
    ----------
    parameters : tuple of sympy.Expr
        The small parameters, for example ``(1/N,)`` or ``(1/N, alpha)``.
    terms : tuple of (exponents, coefficient)
        Exponents are tuples as long as ``parameters`` (integers or sympy Rationals, halves for odd functions).
        Zero coefficients are dropped, the rest is sorted.
    remainder : tuple of exponents, or None
        The first exponent of each parameter that was *not* computed; ``None`` means that the series is exact,
        ``sympy.oo`` for one parameter that it is exact in that one.
    sources : mapping from exponents to Diagrams, optional
        The diagrams that each coefficient was read from. They do not take part in comparisons.

    Raises
    ------
    ValueError
        If a term has the wrong number of exponents, or lies at or beyond the remainder.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> s = Series((1 / symbol("N"),), (((1,), sympy.Rational(3, 8)),), remainder=(3,))
    >>> s[1], s[2]
    (3/8, 0)
    >>> print(s)
    N^-1 * (3/8) + O(N^-3)
    """

    parameters: tuple[sympy.Expr, ...]
    terms: tuple[tuple[Exponents, sympy.Expr], ...]
    remainder: Exponents | None = None
    sources: Mapping[Exponents, Diagrams] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        n = len(self.parameters)
        if self.remainder is not None and len(self.remainder) != n:
            raise ValueError(
                f"remainder {self.remainder} has {len(self.remainder)} exponents; the series has {n} parameter(s)"
            )
        merged: dict[Exponents, sympy.Expr] = {}
        for exponents, coefficient in self.terms:
            key = tuple(sympy.Rational(e) for e in exponents)
            if len(key) != n:
                raise ValueError(f"term {exponents} has {len(key)} exponents; the series has {n} parameter(s)")
            if not self._is_kept(key):
                raise ValueError(f"term {exponents} lies at or beyond the remainder {self.remainder} of the series")
            merged[key] = merged.get(key, sympy.S.Zero) + sympy.sympify(coefficient)
        kept = tuple(sorted(((k, c) for k, c in merged.items() if c != 0), key=lambda kc: (sum(kc[0]), kc[0])))
        object.__setattr__(self, "terms", kept)

    def _is_kept(self, key: Exponents) -> bool:
        return self.remainder is None or all(e < r for e, r in zip(key, self.remainder, strict=True))

    def _key(self, exponent: Exponent | Exponents) -> Exponents:
        key = exponent if isinstance(exponent, tuple) else (exponent,)
        if len(key) != len(self.parameters):
            raise KeyError(f"{exponent!r}: give one exponent for each of the parameters {self.parameters}")
        return tuple(sympy.Rational(e) for e in key)

    @cached_property
    def _coefficients(self) -> dict[Exponents, sympy.Expr]:
        return dict(self.terms)

    def __getitem__(self, exponent: Exponent | Exponents) -> sympy.Expr:
        key = self._key(exponent)
        if not self._is_kept(key):
            raise KeyError(
                f"exponent {exponent!r} was not computed: this series stops before {self._order_text()}; "
                "ask for a higher order where the series was made"
            )
        return self._coefficients.get(key, sympy.S.Zero)

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[Exponent | Exponents]:
        """Iterate over the exponents with a non-zero coefficient, lowest first."""
        return (k[0] if len(k) == 1 else k for k, _ in self.terms)

    def __contains__(self, exponent: Exponent | Exponents) -> bool:
        return self._key(exponent) in self._coefficients

    def items(self) -> Iterator[tuple[Exponent | Exponents, sympy.Expr]]:
        """Iterate over (exponent, coefficient), lowest order first."""
        return ((k, self[k]) for k in self)

    @property
    def diagrams(self) -> Diagrams:
        """All diagrams behind this series, lowest order first.

        Raises
        ------
        ValueError
            If the series did not come from diagrams.
        """
        from diagrams.collection import Diagrams

        if not self.sources:
            raise ValueError("this series was not computed from diagrams, so it has none to show")
        return Diagrams.concatenate([self.sources[k] for k in sorted(self.sources)])

    def diagrams_at(self, exponent: Exponent | Exponents) -> Diagrams:
        """Return the diagrams of one order.

        Raises
        ------
        KeyError
            If no diagram contributes at that order.
        """
        key = self._key(exponent)
        if key not in self.sources:
            raise KeyError(f"no diagrams at exponent {exponent!r}; there are some at {sorted(self.sources)}")
        return self.sources[key]

    def map(self, function: Callable[[sympy.Expr], sympy.Expr]) -> Series:
        """Return the series with ``function`` applied to every coefficient; orders and diagrams stay."""
        terms = tuple((k, function(c)) for k, c in self.terms)
        return Series(self.parameters, terms, self.remainder, self.sources)

    def truncate(self, remainder: Exponents) -> Series:
        """Return the series cut at a lower remainder (one exponent for each parameter)."""
        cut = tuple(r if r == sympy.oo else sympy.Rational(r) for r in remainder)
        if self.remainder is not None and any(c > r for c, r in zip(cut, self.remainder, strict=True)):
            raise ValueError(f"cannot extend a series known to {self.remainder} up to {remainder}")
        kept = tuple((k, c) for k, c in self.terms if all(e < r for e, r in zip(k, cut, strict=True)))
        sources = {k: d for k, d in self.sources.items() if all(e < r for e, r in zip(k, cut, strict=True))}
        return Series(self.parameters, kept, cut, sources)

    def __add__(self, other: Series) -> Series:
        if not isinstance(other, Series):
            return NotImplemented
        self._check_parameters(other)
        remainder = _smaller(self.remainder, other.remainder)
        terms = [(k, c) for k, c in self.terms + other.terms if _below(k, remainder)]
        return Series(self.parameters, tuple(terms), remainder)

    def __mul__(self, other: Series | sympy.Expr | int) -> Series:
        if not isinstance(other, Series):
            return self.map(lambda c: c * other)
        self._check_parameters(other)
        remainder = _smaller(_shift(self.remainder, other), _shift(other.remainder, self))
        products = [
            (tuple(a + b for a, b in zip(k1, k2, strict=True)), c1 * c2)
            for k1, c1 in self.terms
            for k2, c2 in other.terms
        ]
        return Series(self.parameters, tuple(t for t in products if _below(t[0], remainder)), remainder)

    __rmul__ = __mul__

    def _check_parameters(self, other: Series) -> None:
        if self.parameters != other.parameters:
            raise ValueError(f"cannot combine expansions in {self.parameters} and {other.parameters}")

    def as_expr(self) -> sympy.Expr:
        """Return the sum of the computed terms as one sympy expression (the remainder is dropped)."""
        return sympy.Add(*(c * self.power(k) for k, c in self.terms))

    def power(self, key: Exponents) -> sympy.Expr:
        """Return the product of the parameters raised to ``key``."""
        return sympy.Mul(*(p**e for p, e in zip(self.parameters, key, strict=True)))

    def _powers(self, key: Exponents) -> Iterator[tuple[sympy.Expr, sympy.Rational]]:
        """Iterate over (base, exponent) of the non-trivial powers at ``key``, with ``1/N`` as a power of N."""
        for p, e in zip(self.parameters, key, strict=True):
            base, power = p.as_base_exp()
            if (exponent := sympy.Rational(e) * power) != 0:
                yield base, exponent

    def power_text(self, key: Exponents) -> str:
        """Return the power of the parameters at ``key`` as plain text, ``N^-1`` rather than ``1/N``."""
        parts = []
        for base, exponent in self._powers(key):
            shown = f"({exponent})" if exponent.q != 1 else str(exponent)
            parts.append(str(base) if exponent == 1 else f"{base}^{shown}")
        return " ".join(parts) or "1"

    def power_latex(self, key: Exponents) -> str:
        """Return the power of the parameters at ``key`` as LaTeX, ``N^{-1}`` rather than a fraction."""
        parts = [
            sympy.latex(base) + ("" if exponent == 1 else f"^{{{exponent}}}") for base, exponent in self._powers(key)
        ]
        return r"\,".join(parts) or "1"

    def remainder_keys(self) -> list[Exponents]:
        """Return the exponents of the first omitted order of each parameter in which the series is not exact."""
        if self.remainder is None:
            return []
        zero = (sympy.S.Zero,) * len(self.parameters)
        return [(*zero[:i], r, *zero[i + 1 :]) for i, r in enumerate(self.remainder) if r != sympy.oo]

    def __str__(self) -> str:
        from diagrams.latex import plain_text

        parts = [f"{self.power_text(k)} * ({plain_text(c)})" for k, c in self.terms] or ["0"]
        return " + ".join(parts + ([self._order_text()] if self.remainder_keys() else []))

    def _order_text(self) -> str:
        return " + ".join(f"O({self.power_text(k)})" for k in self.remainder_keys())

    def __repr__(self) -> str:
        powers = ", ".join(self.power_text(k) for k, _ in self.terms)
        rest = "".join(f" + O({self.power_text(k)})" for k in self.remainder_keys())
        return f"<Series: terms in {powers or 'no power'}{rest}>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return the series as LaTeX, order by order, broken over lines after ``terms_per_line`` terms."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def _below(key: Exponents, remainder: Exponents | None) -> bool:
    return remainder is None or all(e < r for e, r in zip(key, remainder, strict=True))


def _smaller(a: Exponents | None, b: Exponents | None) -> Exponents | None:
    if a is None or b is None:
        return b if a is None else a
    return tuple(min(x, y) for x, y in zip(a, b, strict=True))


def _shift(remainder: Exponents | None, factor: Series) -> Exponents | None:
    """Return the order at which a product becomes unknown through the remainder of one factor."""
    if remainder is None:
        return None
    # a factor without known terms begins at its remainder when that is below order zero
    start = [min(sympy.S.Zero, r) for r in factor.remainder or (sympy.S.Zero,) * len(remainder)]
    lead = [min((k[i] for k, _ in factor.terms), default=start[i]) for i in range(len(remainder))]
    return tuple(r + low for r, low in zip(remainder, lead, strict=True))
