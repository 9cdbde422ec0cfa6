"""Ensembles deformed by a functional of the field: independent networks, each with the values of the functional."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import NDArray
from tqdm import tqdm

from diagrams.deformed import DeformedArchitecture
from diagrams.engineering import FieldDeformed
from diagrams.interactions import BilocalInteraction, Interaction, LocalInteraction, total
from diagrams.symbols import symbol
from diagrams.vector_interactions import VectorInteraction
from numerics.blocks import slices
from numerics.field_functionals import FieldFunctional, check_positive, field_functional, highest_momentum
from numerics.field_samples import FieldSamples
from numerics.kernels import LANES
from numerics.results import Estimate
from numerics.reweighting import (
    derivative_cumulants,
    derivative_sums,
    monomials_for,
    reweighted_estimate,
    weighted_sums,
)
from numerics.sources import Networks
from numerics.weighted_networks import WeightedNetworks

if TYPE_CHECKING:
    from numerics.ensemble import Ensemble

Floats = NDArray[np.float64]
Place = tuple[int, int, int]  # block, first network, number of networks

TOLERANCE = 1e-6  # of Delta S, relative to its size or to one
_WARNING = 1e-3  # error of Delta S of a network above which a warning is given
_DENSER = 1.5  # factor on the nodes of an axis by which the error is found
_MAX_REFINEMENT = 64.0
_TEST_NETS = 256
_NUMBERS = 1 << 23  # of a temporary array


class FieldValues:
    """Fields at points and values of interactions for the networks of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
        Of a FieldDeformed architecture.
    points : array (n_points, input_dim)
    interactions : sequence of Interaction
        With numbers; one value for each.

    Raises
    ------
    ValueError
        If an interaction has too many quadrature nodes, or is not known to be bounded below.
    """

    def __init__(self, ensemble: Ensemble, points: Floats, interactions: Sequence[Interaction]) -> None:
        self._ensemble, self._points, self._interactions = ensemble, points, tuple(interactions)
        self._momentum = highest_momentum(ensemble._base)
        self.functional, self.error = self._converged()
        self._evaluate = self._evaluator(points, self.functional)

    def __call__(self, places: Sequence[Place]) -> Iterator[tuple[Any, Floats]]:
        """Iterate over (outputs (count, n_points), values (n_values, count)) of ranges of networks."""
        return self._evaluate(places)

    def sparsest(self, refinements: Sequence[float]) -> tuple[FieldFunctional, float]:
        """Return the functional with the first refinement that integrates test networks well enough, and its error.

        The nodes of refinement one resolve the highest wave of the highest power, which few networks reach.
        """
        exact = self._test_values(self.functional)
        for refinement in refinements:
            functional = self._functional(refinement)
            error = float(np.abs(self._test_values(functional) - exact).max()) + self.error
            if error <= TOLERANCE * max(1.0, float(np.abs(exact).mean())):
                return functional, error
        return self.functional, self.error

    def _functional(self, refinement: float) -> FieldFunctional:
        dim = self._ensemble.input_dim
        return field_functional(self._interactions, dim, momentum=self._momentum, refinement=refinement)

    def _converged(self) -> tuple[FieldFunctional, float]:
        """Return the functional with enough nodes, and the largest error among test networks."""
        refinement, coarse = 1.0, self._functional(1.0)
        while True:
            try:
                fine = self._functional(_DENSER * refinement)
            except ValueError:
                if refinement == 1.0:
                    raise
                break
            both = self._test_values(coarse), self._test_values(fine)
            error = float(np.abs(both[0] - both[1]).max())
            if error <= TOLERANCE * max(1.0, float(np.abs(both[1]).mean())) or refinement >= _MAX_REFINEMENT:
                break
            try:
                finer = self._functional(2 * refinement)
            except ValueError:
                break
            refinement, coarse = 2 * refinement, finer
        if not error <= _WARNING:
            warnings.warn(
                f"the interaction is integrated with an error of {error:.1e} on {coarse.n_nodes} quadrature nodes: "
                "weights are off by that much. Use a smaller region",
                RuntimeWarning,
                stacklevel=2,
            )
        return coarse, error

    def _test_values(self, functional: FieldFunctional) -> Floats:
        count = min(self._ensemble.blocks[0].n_nets, max(8, min(_TEST_NETS, _NUMBERS // functional.n_nodes)))
        nothing = np.empty((0, self._ensemble.input_dim))
        return next(iter(self._evaluator(nothing, functional)([(0, 0, count)])))[1]

    def _evaluator(self, points: Floats, functional: FieldFunctional) -> Any:
        source = self._ensemble._source
        is_compiled = isinstance(source, Networks) and source.backend == "numba" and source.dtype == "float64"
        is_compiled = is_compiled and not functional.powers
        if is_compiled and functional.forms is None:
            from numerics.kernels.field_integrals import FieldKernel

            assert isinstance(source, Networks)
            return _compiled(FieldKernel(source.model, points, functional, seed=source.seed), len(points))
        outputs = source.outputs(np.concatenate([points, functional.nodes]))
        n_fields, n_places = source.n_outputs, len(points) + functional.n_nodes
        step = max(1, _NUMBERS // (LANES * n_fields * functional.n_nodes)) * LANES

        def evaluate(places: Sequence[Place]) -> Iterator[tuple[Any, Floats]]:
            for block, start, count in places:
                fields, values = [], []
                for first in range(start, start + count, step):
                    phi = outputs(block, first, min(step, start + count - first))
                    phi = np.asarray(phi.get() if hasattr(phi, "get") else phi)
                    split = phi.reshape(len(phi), n_fields, n_places)
                    fields.append(split[:, :, : len(points)].reshape(len(phi), -1))
                    values.append(functional(split[:, :, len(points) :].reshape(len(phi), -1).astype(np.float64)))
                yield np.concatenate(fields), np.concatenate(values, axis=1)

        return evaluate


def _compiled(kernel: Any, n_points: int) -> Any:
    """Return the evaluator that deals several ranges of networks to the threads at once."""

    def evaluate(places: Sequence[Place]) -> Iterator[tuple[Any, Floats]]:
        todo: list[Place] = []
        size = 0
        for place in places:
            todo.append(place)
            size += -(-place[2] // LANES)
            if size >= 2 * kernel.groups_per_call:
                yield from _of_groups(kernel, todo, n_points)
                todo, size = [], 0
        yield from _of_groups(kernel, todo, n_points)

    return evaluate


def _of_groups(kernel: Any, places: Sequence[Place], n_points: int) -> Iterator[tuple[Any, Floats]]:
    spans = [(b, start // LANES, -(-(start + count) // LANES)) for b, start, count in places]
    pairs = [(b, g) for b, low, high in spans for g in range(low, high)]
    if not pairs:
        return
    found = kernel([b for b, _ in pairs], [g for _, g in pairs])
    ends = np.cumsum([0, *(high - low for _, low, high in spans)])
    for (_, start, count), (a, b) in zip(places, pairwise(ends), strict=True):
        flat = found[a:b].transpose(0, 2, 1).reshape(-1, found.shape[1])[start % LANES :][:count]
        yield np.ascontiguousarray(flat[:, :n_points]), np.ascontiguousarray(flat[:, n_points:].T)


def _architecture(ensemble: Ensemble) -> FieldDeformed:
    assert isinstance(ensemble.architecture, FieldDeformed)
    return ensemble.architecture


class WeightedFields:
    """Fields at points with log weights, for ranges of networks of an ensemble with numbers for all parameters."""

    def __init__(self, ensemble: Ensemble, points: Floats) -> None:
        architecture = _architecture(ensemble)
        architecture.parameter_values()
        self._values = FieldValues(ensemble, points, [architecture.interaction])
        check_positive(architecture.interaction, self._values.functional)
        self._tilt = None
        if isinstance(base := architecture.base, DeformedArchitecture):
            assert isinstance(ensemble._source, Networks)
            self._tilt = WeightedNetworks.of(base, ensemble._source).values
        self.attrs = ensemble._attrs() | {
            "quadrature_nodes": self._values.functional.n_nodes,
            "quadrature_error": self._values.error,
        }

    def __call__(self, places: Sequence[Place]) -> Iterator[tuple[Any, Floats]]:
        """Iterate over (outputs (count, n_points), log weights (1, count))."""
        for place, (phi, values) in zip(places, self._values(places), strict=True):
            log_weights = -values
            if self._tilt is not None:
                log_weights = log_weights + self._tilt(*place)
            yield phi, log_weights


def _ranges(ensemble: Ensemble) -> list[list[Place]]:
    return [[(b.index, start, count) for start, count in slices(0, b.n_nets)] for b in ensemble.blocks]


def _blocks(ensemble: Ensemble, evaluate: Any, progress: bool) -> Iterator[Any]:
    """Iterate over blocks as (n_nets, iterator of (outputs, values))."""
    ranges = _ranges(ensemble)
    with tqdm(total=ensemble.n_nets, disable=not progress, unit="net", unit_scale=True) as bar:
        stream = evaluate([place for block in ranges for place in block])

        def parts(n: int) -> Iterator[tuple[Any, Floats]]:
            for _ in range(n):
                phi, values = next(stream)
                bar.update(len(phi))
                yield phi, values

        for block, places in zip(ensemble.blocks, ranges, strict=True):
            yield block.n_nets, parts(len(places))


def reweighted(ensemble: Ensemble, points: Floats, *, max_points: int, progress: bool) -> Estimate:
    """Return the connected correlators of the deformed ensemble, see :meth:`Ensemble.connected_correlators`."""
    weighted = WeightedFields(ensemble, points)
    n_fields = ensemble.n_outputs * len(points)
    monomials = monomials_for(ensemble.backend)
    sums = weighted_sums(_blocks(ensemble, weighted, progress), n_fields, max_points, monomials=monomials)
    return reweighted_estimate(sums, points, weighted.attrs, str(ensemble.architecture))


def samples(ensemble: Ensemble, points: Floats, places: Sequence[Place]) -> FieldSamples:
    """Return networks with weights, see :meth:`Ensemble.sample`."""
    weighted = WeightedFields(ensemble, points)
    fields, logs = [np.empty((0, ensemble.n_outputs * len(points)), dtype=ensemble.dtype)], [np.empty(0)]
    counts: dict[int, int] = {}
    for place, (phi, log_weights) in zip(places, weighted(places), strict=True):
        fields.append(phi)
        logs.append(log_weights[0])
        counts[place[0]] = counts.get(place[0], 0) + len(phi)
    label = str(ensemble.architecture)
    return FieldSamples(
        np.concatenate(fields), np.concatenate(logs), points, tuple(counts.values()), label, weighted.attrs
    )


def log_weights(ensemble: Ensemble, places: Sequence[Place]) -> Floats:
    """Return the log weights of networks, shape (count,)."""
    weighted = WeightedFields(ensemble, np.empty((0, ensemble.input_dim)))
    return np.concatenate([np.empty(0), *(values[0] for _, values in weighted(places))])


def derivatives(
    ensemble: Ensemble, points: Floats, *, strength: str, order: int, max_points: int, progress: bool
) -> Estimate:
    """Return derivatives with respect to a coupling at zero, see :meth:`Ensemble.correlator_derivatives`.

    Raises
    ------
    ValueError
        If the interaction does not vanish with the coupling, or other symbols have no numbers.
    NotImplementedError
        If the undeformed ensemble is a tilt, whose own weights would have to be kept.
    """
    architecture, coupling = _architecture(ensemble), symbol(strength)
    if isinstance(architecture.base, DeformedArchitecture):
        raise NotImplementedError("derivatives of a tilted net with respect to a coupling: add both to one interaction")
    coefficients = [_derivative(architecture.interaction, coupling, k) for k in range(order + 1)]
    if _is_zero(coefficients[0]) is False:
        raise ValueError(f"the interaction does not vanish at {strength} = 0: derivatives there need weights")
    wanted = [c for c in coefficients[1:] if not _is_zero(c)]
    if not wanted or wanted[0] is not coefficients[1]:
        raise ValueError(f"the interaction has no part linear in {strength}")
    if missing := sorted(s.name for c in wanted for s in c.free_symbols):
        raise ValueError(f"parameter(s) {missing} of the interaction have no numbers: use .at(...)")
    values = FieldValues(ensemble, points, wanted)

    def coefficients_of_log_density(places: Sequence[Place]) -> Iterator[tuple[Any, Floats]]:
        for phi, found in values(places):
            yield phi, -found

    blocks = _blocks(ensemble, coefficients_of_log_density, progress)
    n_fields = ensemble.n_outputs * len(points)
    monomials = monomials_for(ensemble.backend)
    sums = derivative_sums(blocks, n_fields, max_points + order, monomials=monomials)
    run: dict[str, Any] = {
        "n_nets": ensemble.n_nets,
        "method": "joint cumulants with the interaction",
        "strength": strength,
        "derivative": order,
        "quadrature_nodes": values.functional.n_nodes,
        "quadrature_error": values.error,
    }
    cumulants = {n: derivative_cumulants(sums, n_fields, n, order) for n in range(1, max_points + 1)}
    return Estimate.from_cumulants(cumulants, points, ensemble._attrs() | run, n_outputs=ensemble.n_outputs)


def _derivative(interaction: Interaction, coupling: sympy.Symbol, order: int) -> Interaction:
    """Return the Taylor coefficient of an interaction in a coupling at zero."""

    def coefficient(expr: Any) -> Any:
        if order and coupling not in expr.free_symbols:
            return sympy.S.Zero
        return (expr.diff(coupling, order) / sympy.factorial(order)).xreplace({coupling: sympy.S.Zero})

    terms: list[Any] = []
    for term in interaction.terms:
        if coupling in term.region.free_symbols:
            raise ValueError(f"{coupling} is a length of {term.region}, not a coupling")
        if isinstance(term, VectorInteraction):
            terms.append(term.with_couplings(coefficient))
        elif isinstance(term, LocalInteraction):
            terms.append(LocalInteraction({n: coefficient(g) for n, g in term.couplings}, term.region))
        else:
            terms.append(BilocalInteraction(coefficient(term.kernel), term.region))
    return total(terms)


def _is_zero(interaction: Interaction) -> bool:
    local = all(g == 0 for t in interaction.terms for _, g in getattr(t, "couplings", ()))
    return local and all(t.kernel == 0 for t in interaction.bilocal)
