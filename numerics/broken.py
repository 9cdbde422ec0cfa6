"""Ensembles of a deformed density measured on networks of the independent one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from diagrams.deformed import DeformedArchitecture
from numerics.blocks import Run, collected_rows, slices, summed_compiled
from numerics.estimators import BlockSums, n_monomials
from numerics.results import Estimate
from numerics.reweighting import (
    MIN_EFFECTIVE_SAMPLES,
    EffectiveSampleSizeError,
    derivative_cumulants,
    derivative_sums,
    weighted_sums_of_rows,
)
from numerics.sources import Networks
from numerics.weighted_networks import WeightedNetworks

if TYPE_CHECKING:
    from numerics.ensemble import Ensemble

Floats = NDArray[np.float64]


def log_weight_function(ensemble: Ensemble) -> Callable[[int, int, int], Floats]:
    """Return a function of (block, start, count) that returns log weights, shape (1, count).

    Raises
    ------
    TypeError, ValueError
        If the architecture is not deformed, or the strength has no number.
    """
    return _weighted(ensemble).values


def _weighted(ensemble: Ensemble) -> WeightedNetworks:
    assert isinstance(ensemble._source, Networks)
    return WeightedNetworks.of(_deformed(ensemble), ensemble._source)


def _deformed(ensemble: Ensemble) -> DeformedArchitecture:
    if not isinstance(ensemble.architecture, DeformedArchitecture):
        raise TypeError(f"{ensemble.architecture} is not deformed: its networks have no weights")
    return ensemble.architecture


def reweighted(ensemble: Ensemble, points: Floats, *, max_points: int, run: Run) -> Estimate:
    """Return the connected correlators of a deformed ensemble, see :meth:`Ensemble.connected_correlators`.

    Raises
    ------
    EffectiveSampleSizeError
        If the networks are worth fewer than :data:`numerics.reweighting.MIN_EFFECTIVE_SAMPLES`.
    """
    architecture, source = _deformed(ensemble), _weighted(ensemble)
    found = collected_rows(source, ensemble.blocks, ensemble.blocks, points, max_points, ensemble.block_size, run)
    sums = weighted_sums_of_rows(ensemble.n_outputs * len(points), max_points, *found)
    size = sums.effective_samples
    attrs = {"n_nets": ensemble.n_nets, "method": "reweighting", "effective_sample_size": size}
    cumulants = {n: sums.cumulants(n) for n in range(1, max_points + 1)}
    estimate = Estimate.from_cumulants(cumulants, points, ensemble._attrs() | attrs, n_outputs=ensemble.n_outputs)
    if size < MIN_EFFECTIVE_SAMPLES:
        raise EffectiveSampleSizeError(
            f"{ensemble.n_nets} networks of {architecture.base} are worth {size:.1f} of {architecture}, fewer than "
            f"{MIN_EFFECTIVE_SAMPLES}: use more networks or a smaller {architecture.strength}, or expand in "
            f"{architecture.strength} with correlator_derivatives; the estimate is the .estimate of this error",
            estimate,
        )
    return estimate


def derivatives(ensemble: Ensemble, points: Floats, *, order: int, max_points: int, progress: bool) -> Estimate:
    """Return derivatives at strength zero, see :meth:`Ensemble.correlator_derivatives`."""
    architecture = _deformed(ensemble)
    assert isinstance(ensemble._source, Networks)
    source = WeightedNetworks.scores(architecture, ensemble._source, order)
    n_fields = ensemble.n_outputs * len(points)
    with tqdm(total=ensemble.n_nets, disable=not progress, unit="net", unit_scale=True) as bar:
        if source.is_compiled:
            sums = _compiled_sums(ensemble, source, points, max_points + order, bar)
        else:
            sums = derivative_sums(_blocks(ensemble, source, points, bar), n_fields, max_points + order)
    run: dict[str, Any] = {
        "n_nets": ensemble.n_nets,
        "method": "joint cumulants with the potential",
        "strength": architecture.strength.name,
        "derivative": order,
    }
    cumulants = {n: derivative_cumulants(sums, n_fields, n, order) for n in range(1, max_points + 1)}
    return Estimate.from_cumulants(cumulants, points, ensemble._attrs() | run, n_outputs=ensemble.n_outputs)


def _blocks(ensemble: Ensemble, source: WeightedNetworks, points: Floats, bar: Any) -> Iterator[Any]:
    """Iterate over blocks as (n_nets, iterator of (outputs, values of the expressions)) of the same networks."""
    evaluate = source.weighted_outputs(points)

    def parts(index: int, n_nets: int) -> Iterator[tuple[Any, Floats]]:
        for start, count in slices(0, n_nets):
            yield evaluate(index, start, count)
            bar.update(count)

    for block in ensemble.blocks:
        yield block.n_nets, parts(block.index, block.n_nets)


def _compiled_sums(
    ensemble: Ensemble, source: WeightedNetworks, points: Floats, max_degree: int, bar: Any
) -> BlockSums:
    """Return the sums of :func:`numerics.reweighting.derivative_sums` from the compiled kernel."""
    first = ensemble.blocks[0]
    _, count = next(slices(0, first.n_nets))
    means = source.values(first.index, 0, count).mean(axis=1).round(12)
    n_fields = ensemble.n_outputs * len(points)
    n_columns = n_monomials(n_fields + len(means), max_degree)
    kernel = source.kernel(points, max_degree, means)
    parts = list(summed_compiled(kernel, n_columns, ensemble.block_size, ensemble.blocks, bar.update))
    table = np.concatenate(parts)
    if not np.isfinite(table).all():
        raise FloatingPointError("sums are not finite: points or parameters are too large")
    counts = np.array([b.n_nets for b in ensemble.blocks])
    return BlockSums(n_fields + len(means), max_degree, counts, table, np.concatenate([np.zeros(n_fields), means]))
