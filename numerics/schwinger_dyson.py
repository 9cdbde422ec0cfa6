"""Schwinger-Dyson identities: does an action belong to the fields that an ensemble produces?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from diagrams.deformed import DeformedArchitecture
from numerics.contract import symmetric_tensor
from numerics.ensemble import Ensemble
from numerics.kernels import index_tuples
from numerics.point_action import PointAction
from numerics.results import format_uncertainty
from numerics.reweighting import MIN_EFFECTIVE_SAMPLES, EffectiveSampleSizeError

_CHUNK = 1 << 16
_DEGREES = (1, 3)
_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SchwingerDyson:
    """Violations of the identities ``E[F dS/dphi_l] = E[dF/dphi_l]`` for F = phi_i and F = phi_i phi_j phi_k.

    Fields are measured from their mean; for an action on the range of a singular kernel they are its coordinates.

    Parameters
    ----------
    order : int or mapping
        Order of the action tested.
    n_nets : int
    violations, errors : mapping from the degree of F (1 or 3) to array ``(m,) * (degree + 1)``
        ``E[F dS/dphi_l] - E[dF/dphi_l]`` and its standard error; the last index is l.
    effective_sample_size : float, optional
        For weighted networks, how many equally weighted ones they are worth.
    """

    order: int | Mapping[str, int]
    n_nets: int
    violations: Mapping[int, NDArray[np.float64]]
    errors: Mapping[int, NDArray[np.float64]]
    effective_sample_size: float | None = None

    def pulls(self, degree: int) -> NDArray[np.float64]:
        """Return violations over standard errors."""
        return self.violations[degree] / self.errors[degree]

    def max_violation(self, degree: int) -> float:
        """Return the largest violation in absolute value."""
        return float(np.abs(self.violations[degree]).max())

    def describe_most_significant(self, degree: int) -> str:
        """Return the component that is violated most significantly, as text with its error and pull."""
        place = np.unravel_index(int(np.argmax(np.abs(self.pulls(degree)))), self.violations[degree].shape)
        value, error = float(self.violations[degree][place]), float(self.errors[degree][place])
        return f"{format_uncertainty(value, error)}, {value / error:+.1f} standard errors"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{degree}</td><td>{escape(self.describe_most_significant(degree))}</td></tr>"
            for degree in self.violations
        )
        head = "<tr><th>degree of F</th><th>E[F dS] - E[dF], most significant component</th></tr>"
        caption = f"Schwinger-Dyson identities, action of order {self.order}, {self.n_nets} networks"
        return f"<table><caption>{escape(caption)}</caption>{head}{rows}</table>"


def schwinger_dyson_test(action: PointAction, ensemble: Ensemble) -> SchwingerDyson:
    r"""Test an action on sampled networks by integration by parts.

    For the exact density :math:`e^{-S}` of fields with zero mean the identities

    .. math:: E[\phi_i \partial_l S] = \delta_{il}, \qquad
              E[\phi_i \phi_j \phi_k \partial_l S] = \delta_{il} E[\phi_j \phi_k] + \delta_{jl} E[\phi_i \phi_k]
              + \delta_{kl} E[\phi_i \phi_j]

    hold exactly. An action complete through ``N**-k`` violates them at order ``N**-(k+1)``.

    Parameters
    ----------
    action : PointAction
        Its points are where the networks are evaluated. It may come from any correlators, measured ones too.
    ensemble : Ensemble
        Of the architecture that the action belongs to; networks of a deformed density are weighted.

    Returns
    -------
    SchwingerDyson

    Raises
    ------
    ValueError
        If the widths of action and ensemble differ, or the ensemble has several outputs.
    EffectiveSampleSizeError
        If weights are so uneven that errors cannot be trusted; the error carries the result as ``estimate``.
    """
    width = float(ensemble.architecture.width)
    if width != action.width:
        raise ValueError(f"the action has N = {action.width:g}, the ensemble N = {width:g}")
    if ensemble.n_outputs != 1:
        raise ValueError(f"the action is of one output, the ensemble has {ensemble.n_outputs}")
    weights = _weights(ensemble)
    m = action.polynomial.size
    # rows: sum of w s, of w^2 s and of w^2 s^2, s = F dS - dF
    sums = {d: np.zeros((3, len(index_tuples(m, d)), m)) for d in _DEGREES}
    for fields, force, weight in _chunks(action, ensemble, weights):
        for degree, total in sums.items():
            _add_samples(fields, force, weight, degree, total)
    n, norm, square = ensemble.n_nets, float(weights.sum()), float((weights**2).sum())
    mean = {d: s[0] / norm for d, s in sums.items()}
    # the average of (s - mean)^2 with weights w^2; n / (n - 1) makes it unbiased for equal weights
    spread = {d: s[2] - 2 * mean[d] * s[1] + mean[d] ** 2 * square for d, s in sums.items()}
    error = {d: np.sqrt(np.maximum(v, 0) * n / (n - 1)) / norm for d, v in spread.items()}
    size = norm**2 / square if isinstance(ensemble.architecture, DeformedArchitecture) else None
    result = SchwingerDyson(
        action.order,
        n,
        {d: _full(v, m, d) for d, v in mean.items()},
        {d: _full(v, m, d) for d, v in error.items()},
        size,
    )
    if size is not None and size < MIN_EFFECTIVE_SAMPLES:
        raise EffectiveSampleSizeError(
            f"{n} networks are worth {size:.1f} of the deformed density, fewer than {MIN_EFFECTIVE_SAMPLES}: use more "
            "networks or a smaller strength",
            result,
        )
    return result


def _weights(ensemble: Ensemble) -> _Array:
    """Return the weights of the networks, the largest being one."""
    if not isinstance(ensemble.architecture, DeformedArchitecture):
        return np.ones(ensemble.n_nets)
    logs = ensemble.log_weights()
    return np.asarray(np.exp(logs - logs.max()))


def _chunks(action: PointAction, ensemble: Ensemble, weights: _Array) -> Iterator[tuple[_Array, _Array, _Array | None]]:
    """Iterate over fields (m, n), derivatives of the action (m, n) and weights (n,), if any, of networks."""
    is_weighted = isinstance(ensemble.architecture, DeformedArchitecture)
    for start in range(0, ensemble.n_nets, _CHUNK):
        count = min(_CHUNK, ensemble.n_nets - start)
        phi = ensemble.sample(action.points, start=start, count=count)
        inner = action.coordinates(np.asarray(phi, np.float64))
        force = np.ascontiguousarray(action.polynomial.gradient(inner).T)
        yield np.ascontiguousarray(inner.T), force, weights[start : start + count] if is_weighted else None


def _add_samples(fields: _Array, force: _Array, weight: _Array | None, degree: int, total: _Array) -> None:
    """Add sums over networks of s = F dS/dphi_l - dF/dphi_l for every F = phi_i ... of one degree.

    Without weights these are one, which saves time.
    """
    for row, index in enumerate(index_tuples(len(fields), degree).tolist()):
        product = np.prod(fields[index], axis=0)
        for l in range(len(fields)):
            sample = product * force[l]
            for place in (p for p, i in enumerate(index) if i == l):
                sample -= np.prod(fields[index[:place] + index[place + 1 :]], axis=0)
            if weight is None:
                total[:, row, l] += sample.sum(), sample.sum(), sample @ sample
            else:
                weighted = weight * sample
                total[:, row, l] += weighted.sum(), weighted @ weight, weighted @ weighted


def _full(values: _Array, m: int, degree: int) -> _Array:
    """Return an array symmetric in all indices but the last, from its values on unique index tuples."""
    return np.stack([symmetric_tensor(values[:, l], m, degree) for l in range(m)], axis=-1)
