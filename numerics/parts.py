r"""Correlators of a deformed scalar net by integration by parts: conditional moments in place of products of fields.

Given the momenta and phases, the output weights are Gaussian, so the field is Gaussian with covariance K before the
interaction acts. Shifting the field, :math:`\phi \to \phi + K J`, shows that in any weighted average a product of
fields may be replaced by the moments of a variable with cumulants

.. math:: \kappa_n(x_1 \ldots x_n) = \delta_{n,2} K(x_1, x_2) - \int V^{(n)}(\phi(y)) \prod_i K(x_i, y)\, d^dy,

for :math:`\Delta S = \int V(\phi)`; this is the Schwinger-Dyson equation of the output weights, used once for each
field. What is left to fluctuate is of first order in the interaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.blocks import Block
from numerics.estimators import Cumulants, jackknife_deviations, n_monomials
from numerics.kernels import index_tuples
from numerics.reweighting import WeightedSums, reweighted_estimate, weighted_sums
from numerics.scalar_density import Place, ScalarDensity, check_parts, tables

if TYPE_CHECKING:
    from numerics.ensemble import Ensemble
    from numerics.results import Estimate

Floats = NDArray[np.float64]

_NETS = 1024  # at a time
_NOISE = 1e-13  # standard error of an average below which it only rounds
_MIN_BLOCKS = 4  # for each known average
_FOLDS = 8


def conditional_moments(parts: Floats, n_points: int, max_points: int) -> Floats:
    """Return moments of degree 1 to ``max_points`` in the order of monomials, shape (n_monomials, count).

    Parameters
    ----------
    parts : array (count, n_monomials + n_pairs)
        Integrals of the derivatives of the interaction in the order of monomials, then K at pairs of points.
    n_points, max_points : int
    """
    k = _conditional_cumulants(parts, n_points, max_points)
    position = {t: i for i, t in enumerate(_tuples(n_points, max_points))}
    moments = np.empty_like(k)
    for t, i in position.items():
        total = k[i].copy()
        for size in range(len(t) - 1):
            for chosen in combinations(range(1, len(t)), size):
                inside = tuple(t[j] for j in (0, *chosen))
                outside = tuple(t[j] for j in range(1, len(t)) if j not in chosen)
                total += k[position[inside]] * moments[position[outside]]
        moments[i] = total
    return moments


def _tuples(n_points: int, max_points: int) -> list[tuple[int, ...]]:
    return [t for g in range(1, max_points + 1) for t in combinations_with_replacement(range(n_points), g)]


def _conditional_cumulants(parts: Floats, n_points: int, max_points: int) -> Floats:
    n = n_monomials(n_points, max_points)
    cumulants = -parts[:, :n].T
    if max_points >= 2:
        cumulants[n_points : n_monomials(n_points, 2)] += parts[:, n:].T
    return np.ascontiguousarray(cumulants)


class ConditionalFields:
    """Fields, interaction and conditional moments of networks without the interaction.

    Parameters
    ----------
    density : ScalarDensity
    points : array (n_points, input_dim)
    max_points : int
    """

    def __init__(self, density: ScalarDensity, points: Floats, max_points: int) -> None:
        check_parts(max_points)
        self.density, self.points, self.max_points = density, np.ascontiguousarray(points), max_points
        self.tables = tables(len(points), max_points)
        self.n_parts = n_monomials(len(points), max_points) + len(index_tuples(len(points), 2))

    def __call__(self, place: Place) -> tuple[Floats, Floats, Floats]:
        """Return fields (count, n_points), values of Delta S (count,) and parts (count, n_parts) of networks."""
        z, k, c = self.density.draw(place)
        fields, actions = np.empty((len(z), len(self.points))), np.empty(len(z))
        parts = np.empty((len(z), self.n_parts))
        self.density.kernels.measure_all(z, k, c, *self.density.grid, self.points, fields, actions, parts, *self.tables)
        return fields, actions, parts


class PlainFields:
    """Fields and interaction of networks without the interaction, for any number of fields; no conditional moments.

    Parameters
    ----------
    density : ScalarDensity
    points : array (n_points, input_dim)
    """

    n_parts = 0

    def __init__(self, density: ScalarDensity, points: Floats) -> None:
        self.density, self.points = density, np.ascontiguousarray(points)
        self.tables = (np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3), dtype=np.int64))

    def __call__(self, place: Place) -> tuple[Floats, Floats, Floats]:
        """Return fields (count, n_fields n_points), values of Delta S (count,) and parts (count, 0) of networks."""
        z, k, c = self.density.draw(place)
        fields, actions = np.empty((len(z), self.density.n_fields * len(self.points))), np.empty(len(z))
        parts = np.empty((len(z), 0))
        self.density.kernels.measure_all(z, k, c, *self.density.grid, self.points, fields, actions, parts, *self.tables)
        return fields, actions, parts


def parts_correlators(
    ensemble: Ensemble,
    points: Floats,
    *,
    max_points: int,
    progress: bool = False,
    first_order: Floats | None = None,
) -> Estimate:
    """Return the connected correlators from conditional moments, see ``Ensemble.connected_correlators``.

    Parameters
    ----------
    ensemble : Ensemble
    points : array (n_points, input_dim)
    max_points : int
    progress : bool
    first_order : array (n_pairs,), optional
        What the interaction changes in the two-point function at first order at this width, exactly: one more average
        that is known.

    Raises
    ------
    ValueError
        If the net is not a free scalar net with a local interaction, or ``max_points`` is above 4.
    EffectiveSampleSizeError
        If the weights are too uneven.
    """
    from tqdm import tqdm

    density = ScalarDensity.of(ensemble)
    if density.n_fields > 1:
        raise ValueError("conditional moments are those of a field of one component: use method='network', or chains")
    conditional = ConditionalFields(density, points, max_points)
    columns: list[Floats] = []
    with tqdm(total=ensemble.n_nets, disable=not progress, unit="net", unit_scale=True) as bar:
        blocks = _blocks(ensemble, conditional, columns, bar)
        sums = weighted_sums(blocks, len(points), max_points, monomials=_weighted_moments)
    attrs = ensemble._attrs() | {
        "quadrature_nodes": int(density.table.shape[0] * density.table.shape[1]),
        "quadrature_error": density.quadrature_error,
    }
    means = _known_means(density, points)
    if first_order is not None:
        means = np.concatenate([means, first_order])
    found = controlled(sums, np.array(columns), means)
    label = str(ensemble.architecture)
    return reweighted_estimate(sums, points, attrs, label, cumulants=found, method="integration by parts, reweighted")


def _weighted_moments(moments: Floats, max_points: int, weight: Floats) -> Floats:
    return np.asarray(moments.T @ weight)


def _blocks(ensemble: Ensemble, conditional: ConditionalFields, columns: list[Floats], bar: Any) -> Iterator[Any]:
    """Iterate over blocks as (n_nets, iterator of (moments, log weights)); several blocks are measured at a time.

    Averages of K, Delta S, and K Delta S + S'' of each block go to ``columns``.
    """
    n_points, n_moments = len(conditional.points), n_monomials(len(conditional.points), conditional.max_points)
    for group in _groups(ensemble.blocks):
        found = [conditional((block.index, a, b)) for block in group for a, b in _cut(block.n_nets)]
        actions, parts = (np.concatenate([f[i] for f in found]) for i in (1, 2))
        moments = conditional_moments(parts, n_points, conditional.max_points).T
        kernel = parts[:, n_moments:]
        change = kernel * actions[:, None]
        if conditional.max_points > 1:
            change = change + parts[:, n_points : n_monomials(n_points, 2)]
        known = np.column_stack([kernel, actions, change])
        start = 0
        for block in group:
            part = slice(start, start + block.n_nets)
            start += block.n_nets
            columns.append(known[part].mean(axis=0))
            yield block.n_nets, iter([(moments[part], -actions[None, part])])
            bar.update(block.n_nets)


def _groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    group: list[Block] = []
    for block in blocks:
        group.append(block)
        if sum(b.n_nets for b in group) >= _NETS:
            yield group
            group = []
    if group:
        yield group


def _cut(n_nets: int) -> list[tuple[int, int]]:
    return [(a, min(_NETS, n_nets - a)) for a in range(0, n_nets, _NETS)]


def _known_means(density: ScalarDensity, points: Floats) -> Floats:
    pairs = tuple(index_tuples(len(points), 2).T)
    return np.append(density.propagator(points)[pairs], density.mean_interaction)


def controlled(sums: WeightedSums, columns: Floats, means: Floats) -> Sequence[Cumulants]:
    """Return the cumulants of weighted sums with the part removed that follows averages whose limits are known.

    Coefficients are those of least squares over the deviations of the jackknife.

    Parameters
    ----------
    sums : WeightedSums
    columns : array (n_blocks, 2 n_pairs + 1)
        Averages over blocks of K, Delta S and K Delta S + S''.
    means : array (n_pairs + 1,) or (2 n_pairs + 1,)
        Exact values of the averages of K and Delta S, and of the first order of the two-point function if it is known.
    """
    n_blocks = len(sums.counts)
    plain = [sums.cumulants(n) for n in range(1, sums.max_points + 1)]
    if n_blocks < _MIN_BLOCKS * (columns.shape[1] + 1) // 2:  # too few to find the coefficients from
        return plain
    total, rest = sums.counts.sum(), (sums.counts.sum() - sums.counts)[:, None]
    averages = sums.counts @ columns / total
    overall = _controls(averages)[: len(means)]
    left_out = _controls((averages * total - columns * sums.counts[:, None]) / rest)[:, : len(means)]
    x, excess = jackknife_deviations(overall, left_out, sums.counts), overall - means
    n_fitted = (columns.shape[1] - 1) // 2 + 1
    found = [_without(c, x[:, :n_fitted], excess[:n_fitted]) for c in plain]
    if len(means) > n_fitted and len(plain) > 1:
        # through first order the two-point function is K and the change: what is left is of second order
        pair, known = plain[1], x[:, : n_fitted - 1] + x[:, n_fitted:]
        beyond = excess[: n_fitted - 1] + excess[n_fitted:]
        found[1] = _better(found[1], Cumulants(pair.indices, pair.values - beyond, pair.deviations - known))
    return found


def _better(a: Cumulants, b: Cumulants) -> Cumulants:
    """Return b for the components where its errors are smaller, a for the others."""
    take = (b.deviations**2).sum(axis=0) < (a.deviations**2).sum(axis=0)
    values, deviations = np.where(take, b.values, a.values), np.where(take, b.deviations, a.deviations)
    return Cumulants(a.indices, values, deviations)


def _controls(averages: Floats) -> Floats:
    """Return averages of K and Delta S, and the first order of the two-point function (minus covariance and S'')."""
    n_pairs = (averages.shape[-1] - 1) // 2
    known = averages[..., : n_pairs + 1]
    first = known[..., :n_pairs] * known[..., n_pairs:] - averages[..., n_pairs + 1 :]
    return np.concatenate([known, first], axis=-1)


def _without(found: Cumulants, x: Floats, excess: Floats) -> Cumulants:
    """Return the estimate without the part that follows the deviations x of the known averages.

    Coefficients for the blocks of a fold come from the other folds: fitted to their own blocks they would take away
    some of the noise as well, and the errors would be too small.
    """
    used = np.sqrt((x**2).sum(axis=0)) > _NOISE
    if not used.any():
        return found
    x, excess, y = x[:, used], excess[used], found.deviations
    n_blocks = len(y)
    fold = np.arange(n_blocks) % _FOLDS
    values, deviations = found.values.copy(), np.empty_like(y)
    for f in range(_FOLDS):
        inside = fold == f
        slopes = np.linalg.lstsq(x[~inside], y[~inside], rcond=1e-8)[0]
        share = inside.mean()
        values -= (share * excess + np.sqrt((n_blocks - 1) / n_blocks) * x[inside].sum(axis=0)) @ slopes
        deviations[inside] = y[inside] - x[inside] @ slopes
    return Cumulants(found.indices, values, deviations - deviations.mean(axis=0))
