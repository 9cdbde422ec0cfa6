"""Schwinger-Dyson identities: does an action belong to the fields that an ensemble produces?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.contract import symmetric_tensor
from numerics.ensemble import Ensemble
from numerics.kernels import index_tuples
from numerics.point_action import PointAction
from numerics.results import format_uncertainty

_CHUNK = 1 << 16
_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SchwingerDyson:
    """Violations of the identities ``E[F dS/dphi_l] = E[dF/dphi_l]`` for F = phi_i and F = phi_i phi_j phi_k.

    Parameters
    ----------
    order : int
        Order in 1/N of the action tested.
    n_nets : int
    violations, errors : mapping from the degree of F (1 or 3) to array ``(m,) * (degree + 1)``
        ``E[F dS/dphi_l] - E[dF/dphi_l]`` and its standard error; the last index is l.
    """

    order: int
    n_nets: int
    violations: Mapping[int, NDArray[np.float64]]
    errors: Mapping[int, NDArray[np.float64]]

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


def schwinger_dyson_test(action: PointAction, ensemble: Ensemble) -> SchwingerDyson:
    r"""Test an action on sampled networks by integration by parts.

    For the exact density :math:`e^{-S}` the identities

    .. math:: E[\phi_i \partial_l S] = \delta_{il}, \qquad
              E[\phi_i \phi_j \phi_k \partial_l S] = \delta_{il} E[\phi_j \phi_k] + \delta_{jl} E[\phi_i \phi_k]
              + \delta_{kl} E[\phi_i \phi_j]

    hold exactly. An action complete through ``N**-k`` violates them at order ``N**-(k+1)``.

    Parameters
    ----------
    action : PointAction
        Its points are where the networks are evaluated.
    ensemble : Ensemble
        Of the architecture that the action belongs to.

    Returns
    -------
    SchwingerDyson

    Raises
    ------
    ValueError
        If the widths of action and ensemble differ.
    """
    width = float(ensemble.architecture.width)
    if width != action.width:
        raise ValueError(f"the action has N = {action.width:g}, the ensemble N = {width:g}")
    sums = {d: np.zeros((2, len(index_tuples(action.n_points, d)), action.n_points)) for d in (1, 3)}
    for start in range(0, ensemble.n_nets, _CHUNK):
        phi = ensemble.sample(action.points, start=start, count=min(_CHUNK, ensemble.n_nets - start))
        fields = np.ascontiguousarray(phi.T, np.float64)
        force = np.ascontiguousarray(action.gradient(phi).T)
        for degree, total in sums.items():
            _add_samples(fields, force, degree, total)
    n = ensemble.n_nets
    mean = {d: s[0] / n for d, s in sums.items()}
    error = {d: np.sqrt(np.maximum(s[1] / n - mean[d] ** 2, 0) / (n - 1)) for d, s in sums.items()}
    m = action.n_points
    return SchwingerDyson(
        action.order, n, {d: _full(v, m, d) for d, v in mean.items()}, {d: _full(v, m, d) for d, v in error.items()}
    )


def _add_samples(fields: _Array, force: _Array, degree: int, total: _Array) -> None:
    """Add F dS/dphi_l - dF/dphi_l and its square, summed over networks, for every F = phi_i ... of one degree."""
    for row, index in enumerate(index_tuples(len(fields), degree).tolist()):
        product = np.prod(fields[index], axis=0)
        for l in range(len(fields)):
            sample = product * force[l]
            for place in (p for p, i in enumerate(index) if i == l):
                sample -= np.prod(fields[index[:place] + index[place + 1 :]], axis=0)
            total[0, row, l] += sample.sum()
            total[1, row, l] += sample @ sample


def _full(values: _Array, m: int, degree: int) -> _Array:
    """Return an array symmetric in all indices but the last, from its values on unique index tuples."""
    return np.stack([symmetric_tensor(values[:, l], m, degree) for l in range(m)], axis=-1)
