"""Ensembles of a deformed density measured on networks of the independent one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import NDArray
from tqdm import tqdm

from diagrams.deformed import DeformedArchitecture
from diagrams.tilts import TiltedArchitecture
from diagrams.typing import Expr
from numerics.blocks import slices
from numerics.potentials import Potential
from numerics.results import Estimate
from numerics.reweighting import (
    MIN_EFFECTIVE_SAMPLES,
    EffectiveSampleSizeError,
    derivative_cumulants,
    derivative_sums,
    weighted_sums,
)
from numerics.sources import Networks

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
    architecture = _deformed(ensemble)
    architecture.parameter_values()
    return _values(ensemble, [_log_density(architecture)])


def _deformed(ensemble: Ensemble) -> DeformedArchitecture:
    if not isinstance(ensemble.architecture, DeformedArchitecture):
        raise TypeError(f"{ensemble.architecture} is not deformed: its networks have no weights")
    return ensemble.architecture


def _log_density(architecture: DeformedArchitecture) -> Expr:
    """Return log P(theta; alpha) - log P(theta; 0) up to a constant, at the number of the strength."""
    if isinstance(architecture, TiltedArchitecture):
        return -sympy.sympify(architecture.value) * architecture.deformation
    return architecture.deformation.subs(architecture.strength, architecture.value)


def _values(ensemble: Ensemble, expressions: list[Expr]) -> Callable[[int, int, int], Floats]:
    source, potential = ensemble._source, Potential(_deformed(ensemble).base, expressions, backend=ensemble.backend)
    assert isinstance(source, Networks)
    return lambda block, start, count: potential(source.parameters(block, start, count))


def _blocks(ensemble: Ensemble, points: Floats, expressions: list[Expr], bar: Any) -> Iterator[Any]:
    """Iterate over blocks as (n_nets, iterator of (outputs, values of the expressions)) of the same networks."""
    outputs, values = ensemble._source.outputs(points), _values(ensemble, expressions)

    def parts(index: int, n_nets: int) -> Iterator[tuple[Any, Floats]]:
        for start, count in slices(0, n_nets):
            phi = outputs(index, start, count)
            yield phi.get() if hasattr(phi, "get") else phi, values(index, start, count)
            bar.update(count)

    for block in ensemble.blocks:
        yield block.n_nets, parts(block.index, block.n_nets)


def _bar(ensemble: Ensemble, progress: bool) -> Any:
    return tqdm(total=ensemble.n_nets, disable=not progress, unit="net", unit_scale=True)


def reweighted(ensemble: Ensemble, points: Floats, *, max_points: int, progress: bool) -> Estimate:
    """Return the connected correlators of a deformed ensemble, see :meth:`Ensemble.connected_correlators`.

    Raises
    ------
    EffectiveSampleSizeError
        If the networks are worth fewer than :data:`numerics.reweighting.MIN_EFFECTIVE_SAMPLES`.
    """
    architecture = _deformed(ensemble)
    architecture.parameter_values()
    with _bar(ensemble, progress) as bar:
        blocks = _blocks(ensemble, points, [_log_density(architecture)], bar)
        sums = weighted_sums(blocks, ensemble.n_outputs * len(points), max_points)
    size = sums.effective_samples
    run = {"n_nets": ensemble.n_nets, "method": "reweighting", "effective_sample_size": size}
    cumulants = {n: sums.cumulants(n) for n in range(1, max_points + 1)}
    estimate = Estimate.from_cumulants(cumulants, points, ensemble._attrs() | run, n_outputs=ensemble.n_outputs)
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
    coefficients = [architecture.log_weight(k) for k in range(1, order + 1)]
    wanted = coefficients[:1] if order == 1 or coefficients[1] == 0 else coefficients
    n_fields = ensemble.n_outputs * len(points)
    with _bar(ensemble, progress) as bar:
        blocks = _blocks(ensemble, points, [sympy.sympify(c) for c in wanted], bar)
        sums = derivative_sums(blocks, n_fields, max_points + order)
    run: dict[str, Any] = {
        "n_nets": ensemble.n_nets,
        "method": "joint cumulants with the potential",
        "strength": architecture.strength.name,
        "derivative": order,
    }
    cumulants = {n: derivative_cumulants(sums, n_fields, n, order) for n in range(1, max_points + 1)}
    return Estimate.from_cumulants(cumulants, points, ensemble._attrs() | run, n_outputs=ensemble.n_outputs)
