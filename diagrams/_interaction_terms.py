"""The terms of an interaction added to an ensemble, and integrals over the regions where they act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from diagrams._couplings import Values, check_valence, named_couplings
from diagrams._source_checks import check_symmetric, expression_of
from diagrams.correlators import CorrelatorSource
from diagrams.interactions import BilocalInteraction, Interaction, LocalInteraction
from diagrams.regions import Box, GaussianWeight, Region, Sites
from diagrams.series import Exponents, Series
from diagrams.symbols import coordinates
from diagrams.typing import Expr, Point
from diagrams.value_source import ValueSource


@dataclass(frozen=True)
class InteractionTerm:
    """One power of the couplings in an interaction of ``valence`` fields.

    Parameters
    ----------
    valence : int
    order : tuple of exponents
        Powers of the couplings.
    kernel : sympy.Expr
        The coefficient: a constant (local), or a function of the coordinates of ``x_1 ... x_n``.
    is_local : bool
    region : Region or None
        Weight of every point; None for all of space.
    """

    valence: int
    order: Exponents
    kernel: Expr
    is_local: bool
    region: Region | None

    def power(self, couplings: Sequence[Expr]) -> Expr:
        """Return the product of the couplings raised to the order."""
        return sympy.Mul(*(p**e for p, e in zip(couplings, self.order, strict=True)))


def interaction_terms(
    delta_s: Any, source: CorrelatorSource, region: Region | None, *, expansion: Any, values: Mapping[Any, Any] | None
) -> tuple[tuple[InteractionTerm, ...], tuple[Expr, ...], Values]:
    """Return the terms of an interaction, its expansion parameters and numbers for them.

    Raises
    ------
    TypeError, ValueError
        If it is not understood, a coupling has no expansion parameter, or local and non-local couplings of one power of
        the field are mixed.
    """
    dim = source.input_dim if source.is_dimension_explicit else None
    if isinstance(source, ValueSource) and not isinstance(delta_s, Interaction) and not isinstance(region, Sites):
        raise ValueError(
            "correlators on finitely many points: give region=Sites([0, 1, ...]) with labels of the points"
        )
    if isinstance(delta_s, Interaction):
        if region is not None:
            raise ValueError("an interaction knows its own region: leave region out")
        delta_s.check_dimension(1 if dim is None else dim)
        parts = _parts(delta_s)
    elif isinstance(delta_s, Mapping) and delta_s:
        parts = [(check_valence(n), g, region) for n, g in delta_s.items()]
    else:
        raise TypeError(f"an interaction is a mapping such as {{4: 'lambda'}} or an Interaction, got {delta_s!r}")
    if any(isinstance(g, Series) for _, g, _ in parts):
        raise TypeError(
            "give the couplings of an interaction as expressions in the expansion parameters, not as Series"
        )
    return _parsed(parts, dim, expansion, values)


def _parts(delta_s: Interaction) -> list[tuple[int, Any, Region | None]]:
    found: list[tuple[int, Any, Region | None]] = []
    for term in delta_s.terms:
        if isinstance(term, LocalInteraction):
            found += [(n, g, term.region) for n, g in term.couplings]
        elif isinstance(term, BilocalInteraction):
            found.append((2, _Kernel(term.kernel), term.region))
    return found


@dataclass(frozen=True)
class _Kernel:
    """A non-local coupling that is an expression in the coordinates of x_1, x_2, ... already."""

    expr: Expr


def _parsed(
    parts: list[tuple[int, Any, Region | None]], dim: int | None, expansion: Any, values: Mapping[Any, Any] | None
) -> tuple[tuple[InteractionTerm, ...], tuple[Expr, ...], Values]:
    kernels = {i: _kernel(n, g, dim) for i, (n, g, _) in enumerate(parts) if isinstance(g, _Kernel) or callable(g)}
    places = {s for k in range(max(n for n, _, _ in parts)) for s in coordinates(k + 1, dim or 1)}
    local = {i: g for i, (_, g, _) in enumerate(parts) if i not in kernels}
    # named_couplings wants one coupling for each number; the place in the list serves as that number, counted from 1
    given = {i + 1: g for i, g in local.items()} | {i + 1: kernel for i, kernel in kernels.items()}
    names = {i + 1: n for i, (n, _, _) in enumerate(parts)}
    series, parameters, numbers = named_couplings(
        given, expansion=expansion, values=values, fixed=places | _region_symbols(parts), names=names
    )
    found = []
    for (i, coupling), (n, _, region) in zip(series, parts, strict=True):
        for key, value in coupling.terms:
            if not any(key):
                raise ValueError(
                    f"coupling g_{n} has a term without an expansion parameter, so that any number of its vertices "
                    f"would contribute at each order; the parameters are {[str(p) for p in parameters]}"
                )
            found.append(InteractionTerm(n, key, value, i - 1 not in kernels, region))
    mixed = {t.valence for t in found if t.is_local} & {t.valence for t in found if not t.is_local}
    if mixed:
        raise ValueError(
            f"local and non-local couplings of the same power of the field, {sorted(mixed)}: give one kind"
        )
    return tuple(sorted(found, key=lambda t: (t.valence, t.order))), parameters, numbers


def _kernel(n: int, given: Any, dim: int | None) -> Expr:
    expr = given.expr if isinstance(given, _Kernel) else expression_of(given, n, dim)
    check_symmetric(expr, n, dim)
    return expr


def _region_symbols(parts: list[tuple[int, Any, Region | None]]) -> set[Expr]:
    return set().union(*(region.free_symbols for _, _, region in parts if region is not None))


def weighted_integral(integrand: Expr, points: Sequence[tuple[Point, Region | None]]) -> Expr:
    """Return the unevaluated integral over points with the weights of their regions; sums over sites are written out.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> y = symbol("y_1")
    >>> weighted_integral(y**2, [((y,), Box(4))]), weighted_integral(y**2, [((y,), Sites([1, 3]))])
    (Integral(y_1**2, (y_1, -2, 2)), 10)
    """
    limits = []
    for point, region in points:
        if isinstance(region, Sites):
            integrand = sympy.Add(
                *(w * integrand.xreplace(dict(zip(point, site, strict=True))) for site, w in _sites(region))
            )
            continue
        if isinstance(region, GaussianWeight):
            integrand *= sympy.exp(-sympy.Add(*(c**2 for c in point)) / (2 * region.length**2))
        edge = region.length / 2 if isinstance(region, Box) else sympy.oo
        limits += [(c, -edge, edge) for c in point]
    if not limits or integrand == 0:
        return integrand
    constant, rest = integrand.as_coeff_Mul()
    return constant * sympy.Integral(rest, *limits)


def _sites(region: Sites) -> list[tuple[Point, Expr]]:
    return list(zip(region.points, region.weights, strict=True))
