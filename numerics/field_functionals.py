"""Interactions on quadrature nodes: polynomials and quadratic forms of the field there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.features import CosFeature
from diagrams.interactions import BilocalInteraction, Interaction, LocalInteraction
from diagrams.scalar_feature import ScalarFeature
from diagrams.symbols import coordinates
from diagrams.vector_interactions import VectorInteraction
from numerics.quadrature_grids import Grid, region_grid

Floats = NDArray[np.float64]
Powers = tuple[tuple[int, ...], ...]

_COS_REACH = 6.0  # standard deviations of a Gaussian momentum that quadrature resolves
_POSITIVE = -1e-9  # relative; below it an eigenvalue of a bilocal term is negative


@dataclass(frozen=True, eq=False)
class FieldFunctional:
    """Values :math:`V_t = \\sum_{q,n} C_{tqn} \\phi_q^n + \\frac12 \\sum_{qr} B_{tqr} \\phi_q \\phi_r` of the field.

    Parameters
    ----------
    grids : tuple of Grid
        One for each term; the nodes of all of them are the q.
    table : array (n_values, n_nodes, degree + 1)
        C.
    forms : array (n_values, n_nodes, n_nodes) or None
        B, None if there is no bilocal term.
    powers : tuple of tuples of int
        For several fields the powers of each in the monomials that C multiplies; default: one field, all powers.
    """

    grids: tuple[Grid, ...]
    table: Floats
    forms: Floats | None

    powers: Powers = ()

    @property
    def nodes(self) -> Floats:
        """All nodes, shape (n_nodes, dim)."""
        return np.concatenate([g.nodes for g in self.grids])

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.table.shape[1]

    def __call__(self, phi: Floats) -> Floats:
        """Return the values, shape (n_values, count), of fields at the nodes.

        The fields have shape (count, n_nodes), several fields (count, n_fields * n_nodes), one after the other.
        """
        result = np.zeros((len(self.table), len(phi)))
        if self.powers:
            fields = np.split(phi, len(self.powers[0]), axis=1)
            for j, exponents in enumerate(self.powers):
                factors = (f**n for f, n in zip(fields, exponents, strict=True) if n)
                result += self.table[:, :, j] @ prod(factors, start=np.ones_like(fields[0])).T
            return result
        power = np.ones_like(phi)
        for n in range(self.table.shape[2]):
            result += self.table[:, :, n] @ power.T
            power = power * phi
        if self.forms is not None:
            for t, form in enumerate(self.forms):
                result[t] += ((phi @ form) * phi).sum(axis=1) / 2
        return result


def field_functional(
    interactions: Sequence[Interaction], dim: int, *, momentum: float | None, refinement: float = 1.0
) -> FieldFunctional:
    """Return interactions on quadrature nodes, one value for each of them.

    Parameters
    ----------
    interactions : sequence of Interaction
        With numbers, and the same terms on the same regions in each.
    dim : int
    momentum : float or None
        Highest momentum of the field along an axis, None if there is none.
    refinement : float
        Factor on the number of nodes along each axis.

    Raises
    ------
    ValueError
        If there would be too many nodes, or a bilocal term without a local one on its region is negative.
    """
    if any(isinstance(t, VectorInteraction) for i in interactions for t in i.terms):
        return _of_several_fields(interactions, dim, momentum, refinement)
    degrees = {n for i in interactions for t in i.local for n, _ in t.couplings}
    top = max(degrees, default=0)
    regions = dict.fromkeys(t.region for i in interactions for t in i.terms)
    bilocal = {t.region for i in interactions for t in i.bilocal}
    grids = {}
    for region in regions:
        power = max([top if any(t.region == region for i in interactions for t in i.local) else 1, 2])
        # a bilocal kernel has variations of its own, which the check of the error sees
        wave = None if momentum is None or region in bilocal else momentum * power
        grids[region] = region_grid(region, dim, wavenumber=wave, refinement=refinement)
    ends = np.cumsum([0, *(g.n_nodes for g in grids.values())])
    place = {region: slice(a, b) for region, a, b in zip(grids, ends[:-1], ends[1:], strict=True)}
    table = np.zeros((len(interactions), int(ends[-1]), top + 1))
    forms = np.zeros((len(interactions), int(ends[-1]), int(ends[-1]))) if bilocal else None
    for t, interaction in enumerate(interactions):
        for local in interaction.local:
            _add_local(table[t, place[local.region]], local, grids[local.region])
        for term in interaction.bilocal:
            assert forms is not None
            part = place[term.region]
            forms[t, part, part] += _form(term, grids[term.region], dim)
    return FieldFunctional(tuple(grids.values()), table, forms)


def _of_several_fields(
    interactions: Sequence[Interaction], dim: int, momentum: float | None, refinement: float
) -> FieldFunctional:
    powers = tuple(sorted({p for i in interactions for t in i.terms for p in t.monomials}))
    top = max(map(sum, powers))
    regions = dict.fromkeys(t.region for i in interactions for t in i.terms)
    wave = None if momentum is None else momentum * max(top, 2)
    grids = {r: region_grid(r, dim, wavenumber=wave, refinement=refinement) for r in regions}
    ends = np.cumsum([0, *(g.n_nodes for g in grids.values())])
    place = {region: slice(a, b) for region, a, b in zip(grids, ends[:-1], ends[1:], strict=True)}
    table = np.zeros((len(interactions), int(ends[-1]), len(powers)))
    for t, interaction in enumerate(interactions):
        for term in interaction.terms:
            for exponents, c in term.monomials.items():
                weights = grids[term.region].weights.ravel()
                table[t, place[term.region], powers.index(exponents)] += float(c) * weights
    return FieldFunctional(tuple(grids.values()), table, None, powers)


def highest_momentum(architecture: object) -> float | None:
    """Return the highest momentum of the field along an axis, None for features without one."""
    feature = architecture.feature if isinstance(architecture, Architecture) else None
    if isinstance(feature, ScalarFeature):
        return float(feature.momenta.radius)
    if isinstance(feature, CosFeature):
        law = feature.distributions[0][1]
        return _COS_REACH * float(sympy.sqrt(law.cumulant(2)))
    return None


def check_positive(interaction: Interaction, functional: FieldFunctional) -> None:
    """Raise ValueError if a bilocal term alone on its region is no non-negative quadratic form on the nodes."""
    if functional.forms is None:
        return
    local = {t.region for t in interaction.local if any(n >= 4 and g != 0 for n, g in t.couplings)}
    if all(t.region in local for t in interaction.bilocal):
        return
    # eigenvalues in the measure of the region do not depend on how fine the nodes are
    values = np.linalg.eigvalsh(functional.forms[0] + np.diag(functional.table[0, :, 2:3].sum(axis=-1)) * 2)
    if values[0] < _POSITIVE * np.abs(values).max():
        raise ValueError(
            f"the quadratic part of {interaction} has a negative eigenvalue ({values[0]:.3g}): exp(-Delta S) is not "
            "known to be normalisable. Add phi^4 with a positive coupling on the same region, or a positive kernel"
        )


def _add_local(table: Floats, term: LocalInteraction, grid: Grid) -> None:
    for n, g in term.couplings:
        table[:, n] += float(g) / factorial(n) * grid.weights.ravel()


def _form(term: BilocalInteraction, grid: Grid, dim: int) -> Floats:
    symbols = (*coordinates(1, dim), *coordinates(2, dim))
    function = sympy.lambdify(symbols, term.kernel, ["numpy", "scipy"])
    x, w = grid.nodes, grid.weights.ravel()
    left, right = ([x[:, None, mu] for mu in range(dim)], [x[None, :, mu] for mu in range(dim)])
    kernel = np.broadcast_to(np.asarray(function(*left, *right), dtype=np.float64), (len(x), len(x)))
    if not np.isfinite(kernel).all():
        raise ValueError(f"the kernel {term.kernel} is not finite at all pairs of quadrature nodes")
    return kernel * w[:, None] * w
