r"""Interactions of a field with several components: O(n) invariants, and any polynomial of the components.

Couplings carry 1/n! as those of one field do: an invariant :math:`\frac{g_{2k}}{(2k)!} (\phi_a \phi_a)^k`, and a
monomial :math:`g \prod_a \phi_a^{n_a} / n_a!`, so that g is the component :math:`g_{a_1 \ldots a_n}` of the symmetric
tensor of couplings in :math:`\frac{1}{n!} g_{a_1 \ldots a_n} \phi_{a_1} \cdots \phi_{a_n}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Any

import numpy as np
import sympy

from diagrams.interactions import Interaction, coefficient_latex
from diagrams.regions import Region, exact_real
from diagrams.typing import Expr

Exponents = tuple[int, ...]

_DIRECTIONS = 4096  # in which the potential is looked at, before the lowest are made lower
_DESCENTS = 200
_FLAT = 1e-9


@dataclass(frozen=True)
class VectorInteraction(Interaction):
    r"""A local interaction of a field with several components, with an O(n) invariant or any other polynomial.

    .. math:: \Delta S = \int f(x) \Big[ \sum_k \frac{g_{2k}}{(2k)!} (\phi_a \phi_a)^k
              + \sum_{n_1 \ldots n_r} g_{n_1 \ldots n_r} \prod_a \frac{\phi_a^{n_a}}{n_a!} \Big]\, d^dx

    Parameters
    ----------
    components : int
        Number of components of the field.
    couplings : mapping to number or sympy.Expr
        An even power 2k stands for the invariant, ``{4: lam}`` for :math:`\frac{\lambda}{4!} (\phi_a\phi_a)^2`; a tuple
        of powers, one for each component, for a monomial: ``{(2, 2): g}`` for
        :math:`\frac{g}{2!\,2!} \phi_1^2 \phi_2^2`.
    region : Region
        The weight f.

    Raises
    ------
    TypeError, ValueError
        If a power or a coupling is none, there is no coupling, or the region is none.

    Examples
    --------
    >>> from diagrams.regions import Box
    >>> o2 = VectorInteraction(2, {4: 3}, region=Box(4))
    >>> {powers: str(c) for powers, c in o2.monomials.items()}  # 3/4! of phi_1^4 + 2 phi_1^2 phi_2^2 + phi_2^4
    {(0, 4): '1/8', (2, 2): '1/4', (4, 0): '1/8'}
    """

    components: int
    couplings: Any
    region: Region

    def __post_init__(self) -> None:
        if isinstance(self.components, bool) or not isinstance(self.components, int) or self.components < 1:
            raise ValueError(f"the number of components must be a positive integer, got {self.components!r}")
        items = self.couplings.items() if isinstance(self.couplings, Mapping) else self.couplings
        checked = [(_key(k, self.components), exact_real(f"the coupling of {k}", g)) for k, g in items]
        if not checked:
            raise ValueError("an interaction needs at least one coupling, for example {4: 0.5}")
        if not isinstance(self.region, Region):
            raise TypeError(f"region must be a Box, a GaussianWeight or Sites, got {self.region!r}")
        order = sorted(checked, key=lambda item: (isinstance(item[0], tuple), _degree(item[0]), str(item[0])))
        object.__setattr__(self, "couplings", tuple(order))

    @property
    def n_fields(self) -> int:
        """Number of components of the field."""
        return self.components

    @property
    def terms(self) -> tuple[Any, ...]:
        """This one."""
        return (self,)

    @property
    def monomials(self) -> dict[Exponents, Expr]:
        """What multiplies each monomial of the components, factorials included."""
        found: dict[Exponents, Expr] = {}
        for key, g in self.couplings:
            for powers, factor in _expanded(key, self.components):
                found[powers] = found.get(powers, sympy.S.Zero) + g * factor
        return dict(sorted(found.items()))

    def check_bounded(self, *, allow_linear: bool = False) -> None:
        """Raise ValueError if Delta S falls without bound in some direction of the field.

        An O(n) invariant is decided by the sign of its highest coupling. For other polynomials the directions in which
        the terms of the highest power are lowest are looked for; a direction that is found is shown, none found is no
        proof. Symbols are given the benefit of the doubt until they have numbers.
        """
        numbers = {powers: float(c) for powers, c in self.monomials.items() if c.is_number and c != 0}
        if len(numbers) < len([c for c in self.monomials.values() if c != 0]):
            return
        for direction in self._directions(numbers):
            along: dict[int, float] = {}
            for powers, c in numbers.items():
                value = c * prod(u**n for u, n in zip(direction, powers, strict=True))
                along[sum(powers)] = along.get(sum(powers), 0.0) + value
            scale = max(map(abs, numbers.values()))
            known = [(n, v) for n, v in sorted(along.items()) if abs(v) > _FLAT * scale]
            if known and (known[-1][1] < 0 or known[-1][0] % 2):
                shown = ", ".join(f"{u:.3g}" for u in direction)
                raise ValueError(
                    f"exp(-Delta S) cannot be normalised: along the direction ({shown}) of the components on "
                    f"{self.region} the highest power of the field is phi^{known[-1][0]} with coefficient "
                    f"{known[-1][1]:.3g}, so that Delta S falls without bound. The highest power must be even and "
                    "positive in every direction"
                )

    def _directions(self, numbers: Mapping[Exponents, float]) -> Iterator[tuple[float, ...]]:
        """Iterate over directions of the field in which the highest terms may be lowest."""
        if all(not isinstance(key, tuple) for key, _ in self.couplings) or self.components == 1:
            yield from ((sign,) + (0.0,) * (self.components - 1) for sign in (1.0, -1.0))
            return
        if not numbers:
            return
        top = max(map(sum, numbers))
        powers = np.array([p for p in numbers if sum(p) == top])
        coefficients = np.array([numbers[tuple(p)] for p in powers.tolist()])
        start = np.random.default_rng(0).standard_normal((_DIRECTIONS, self.components))
        axes = np.vstack([np.eye(self.components), -np.eye(self.components)])
        u = np.vstack([axes, start / np.linalg.norm(start, axis=1, keepdims=True)])
        values = _form(u, powers, coefficients)
        lowest = _descended(u[np.argsort(values)[:32]], powers, coefficients)
        yield from map(tuple, np.vstack([axes, lowest]).tolist())

    def _symbols(self) -> set[sympy.Symbol]:
        return self.region.free_symbols.union(*(g.free_symbols for _, g in self.couplings))

    def _even(self) -> bool:
        return all(_degree(key) % 2 == 0 or g == 0 for key, g in self.couplings)

    def _with(self, values: Mapping[sympy.Symbol, Expr]) -> VectorInteraction:
        return self.with_couplings(lambda g: g.xreplace(dict(values)), self.region.subs(values))

    def with_couplings(self, function: Any, region: Region | None = None) -> VectorInteraction:
        """Return the interaction with a function of each coupling, and another region if one is given."""
        changed = tuple((key, function(g)) for key, g in self.couplings)
        return VectorInteraction(self.components, changed, self.region if region is None else region)

    def _latex(self, field: str, dim: int) -> str:
        parts = [f"{_coefficient(key, g)} {_fields_latex(key)}" for key, g in self.couplings]
        if len(parts) == 1:
            key, g = self.couplings[0]
            return f"{_coefficient(key, g)} {self.region.integral_latex(dim, _fields_latex(key))}"
        return self.region.integral_latex(dim, rf"\left[{' + '.join(parts)}\right]".replace("+ -", "- "))


def _key(key: Any, components: int) -> int | Exponents:
    if isinstance(key, (tuple, list)):
        powers = tuple(key)
        if len(powers) != components or not all(isinstance(n, int) and n >= 0 for n in powers) or not sum(powers):
            raise ValueError(f"a monomial of {components} components is a tuple of as many powers >= 0, got {key!r}")
        return powers
    if isinstance(key, bool) or not isinstance(key, int) or key < 2 or key % 2:
        raise ValueError(
            f"an O(n) invariant has an even power of the field, and a monomial a tuple of powers; got {key!r}"
        )
    return key


def _degree(key: int | Exponents) -> int:
    return sum(key) if isinstance(key, tuple) else key


def _expanded(key: int | Exponents, components: int) -> Iterator[tuple[Exponents, Expr]]:
    """Iterate over the monomials of a term with their factors."""
    if isinstance(key, tuple):
        yield key, sympy.Rational(1, prod(map(factorial, key)))
        return
    half = key // 2
    for counts in product(range(half + 1), repeat=components):
        if sum(counts) == half:
            ways = factorial(half) // prod(map(factorial, counts))
            yield tuple(2 * n for n in counts), sympy.Rational(ways, factorial(key))


def _form(u: Any, powers: Any, coefficients: Any) -> Any:
    return (np.prod(u[:, None, :] ** powers, axis=2) * coefficients).sum(axis=1)


def _descended(u: Any, powers: Any, coefficients: Any) -> Any:
    """Return directions after steps down a homogeneous form on the unit sphere, each halved until it goes down."""
    step = np.full(len(u), 0.1)
    for _ in range(_DESCENTS):
        slope = np.stack([_form(u, *_lowered(powers, coefficients, a)) for a in range(u.shape[1])], axis=1)
        slope -= (slope * u).sum(axis=1, keepdims=True) * u
        size = np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), np.finfo(float).tiny)
        moved = u - step[:, None] * slope / size
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        is_lower = _form(moved, powers, coefficients) < _form(u, powers, coefficients)
        u = np.where(is_lower[:, None], moved, u)
        step = np.where(is_lower, step, step / 2)
    return u


def _lowered(powers: Any, coefficients: Any, a: int) -> tuple[Any, Any]:
    lower = powers.copy()
    lower[:, a] = np.maximum(powers[:, a] - 1, 0)
    return lower, coefficients * powers[:, a]


def _coefficient(key: int | Exponents, g: Expr) -> str:
    if not isinstance(key, tuple):
        return coefficient_latex(key, g)
    below = r"\,".join(f"{n}!" for n in key if n > 1)
    if g.is_Rational or not below:
        return sympy.latex(g / prod(map(factorial, key)))
    return rf"\frac{{{sympy.latex(g)}}}{{{below}}}"


def _fields_latex(key: int | Exponents) -> str:
    if isinstance(key, tuple):
        fields = ((a, n) for a, n in enumerate(key, start=1) if n)
        return r"\, ".join(rf"\phi_{{{a}}}(x)" + (f"^{{{n}}}" if n > 1 else "") for a, n in fields)
    square = r"\phi_a(x) \phi_a(x)"
    return square if key == 2 else rf"\left[{square}\right]^{{{key // 2}}}"
