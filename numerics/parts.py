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
_MIN_BLOCKS = 4  # for each control


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
        from numerics.kernels.scalar_chains import module

        z, k, c = self.density.draw(place)
        fields, actions = np.empty((len(z), len(self.points))), np.empty(len(z))
        parts = np.empty((len(z), self.n_parts))
        module().measure_all(z, k, c, *self.density.grid, self.points, fields, actions, parts, *self.tables)
        return fields, actions, parts


def parts_correlators(ensemble: Ensemble, points: Floats, *, max_points: int, progress: bool) -> Estimate:
    """Return the connected correlators from conditional moments, see ``Ensemble.connected_correlators``.

    Raises
    ------
    ValueError
        If the net is not a free scalar net with a local interaction, or ``max_points`` is above 4.
    EffectiveSampleSizeError
        If the weights are too uneven.
    """
    from tqdm import tqdm

    density = ScalarDensity.of(ensemble)
    conditional = ConditionalFields(density, points, max_points)
    controls: list[Floats] = []
    with tqdm(total=ensemble.n_nets, disable=not progress, unit="net", unit_scale=True) as bar:
        blocks = _blocks(ensemble, conditional, controls, bar)
        sums = weighted_sums(blocks, len(points), max_points, monomials=_weighted_moments)
    attrs = ensemble._attrs() | {
        "quadrature_nodes": int(density.table.shape[0] * density.table.shape[1]),
        "quadrature_error": density.quadrature_error,
    }
    found = controlled(sums, np.array(controls), _known_means(density, points))
    label = str(ensemble.architecture)
    return reweighted_estimate(sums, points, attrs, label, cumulants=found, method="integration by parts, reweighted")


def _weighted_moments(moments: Floats, max_points: int, weight: Floats) -> Floats:
    return np.asarray(moments.T @ weight)


def _blocks(ensemble: Ensemble, conditional: ConditionalFields, controls: list[Floats], bar: Any) -> Iterator[Any]:
    """Iterate over blocks as (n_nets, iterator of (moments, log weights)); several blocks are measured at a time."""
    for group in _groups(ensemble.blocks):
        found = [conditional((block.index, a, b)) for block in group for a, b in _cut(block.n_nets)]
        actions, parts = (np.concatenate([f[i] for f in found]) for i in (1, 2))
        moments = conditional_moments(parts, len(conditional.points), conditional.max_points).T
        known = np.column_stack([parts[:, n_monomials(len(conditional.points), conditional.max_points) :], actions])
        start = 0
        for block in group:
            part = slice(start, start + block.n_nets)
            start += block.n_nets
            controls.append(known[part].mean(axis=0))
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


def controlled(sums: WeightedSums, controls: Floats, means: Floats) -> Sequence[Cumulants]:
    """Return the cumulants of weighted sums with the part removed that follows averages whose limits are known.

    Coefficients are those of least squares over the jackknife, whose noise is in the errors.

    Parameters
    ----------
    sums : WeightedSums
    controls : array (n_blocks, n_controls)
        Averages over blocks.
    means : array (n_controls,)
        Their exact values.
    """
    n_blocks = len(sums.counts)
    plain = [sums.cumulants(n) for n in range(1, sums.max_points + 1)]
    if n_blocks < _MIN_BLOCKS * len(means):  # too few to find the coefficients from
        return plain
    overall = sums.counts @ controls / sums.counts.sum()
    total, rest = sums.counts.sum(), (sums.counts.sum() - sums.counts)[:, None]
    left_out = (overall * total - controls * sums.counts[:, None]) / rest
    x = jackknife_deviations(overall, left_out, sums.counts)
    return [_without(c, x, overall - means) for c in plain]


def _without(found: Cumulants, x: Floats, excess: Floats) -> Cumulants:
    scale = np.sqrt((x**2).sum(axis=0))
    used = scale > _NOISE
    if not used.any():
        return found
    x, excess, y = x[:, used] / scale[used], excess[used] / scale[used], found.deviations
    slopes, _, rank, _ = np.linalg.lstsq(x, y, rcond=1e-8)
    wider = np.sqrt((len(y) - 1) / (len(y) - 1 - rank))  # for the freedom that the fit has used up
    return Cumulants(found.indices, found.values - excess @ slopes, wider * (y - x @ slopes))
