r"""The six-point function predicted from couplings that were read off fewer points (arXiv:2008.08601, section 3.3).

.. math:: G^{(6)} = \sum_{15} K K K - 24 \sum_{15} K \int \lambda \prod_4 K_W - 720 \int \kappa \prod_6 K_W

The first term is the Gaussian process; with the second, coupled to four points, most of the deviation from it is known
before six points are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics.coupling_fits import OPERATORS, CouplingFit, design
from numerics.field_data import Floats, Measured, errors_of, field_data, split_products, wick_sum
from numerics.neuron_quadrature import exact_correlators
from numerics.results import format_uncertainty

LEVELS = ("gp", "lambda", "kappa")


@dataclass(frozen=True, eq=False)
class SixPointPrediction:
    """Full six-point functions, predicted and measured or exact, on unique index tuples of points.

    Parameters
    ----------
    fit : CouplingFit
        Where the couplings come from.
    points : array (n_points, input_dim)
    actual, actual_deviations : arrays (K,), (n_blocks, K)
        The six-point function of the networks.
    predicted, deviations : dict from level to the same
        ``"gp"``, ``"lambda"`` with the couplings of four fields, ``"kappa"`` with that of six if it was fitted.
    """

    fit: CouplingFit
    points: Floats
    actual: Floats
    actual_deviations: Floats
    predicted: dict[str, Floats]
    deviations: dict[str, Floats]

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels of the prediction."""
        return tuple(self.predicted)

    def ratios(self, level: str) -> Floats:
        """Return predicted over actual values, shape (K,)."""
        return self.predicted[level] / self.actual

    def _ratio_deviations(self, level: str) -> Floats:
        ratio, blocks = self.ratios(level), max(len(self.deviations[level]), len(self.actual_deviations))
        if not blocks:
            return np.empty((0, len(ratio)))
        total = np.zeros((blocks, len(ratio)))
        total[: len(self.deviations[level])] += self.deviations[level] / self.actual
        total[: len(self.actual_deviations)] -= ratio * self.actual_deviations / self.actual
        return total

    def ratio_errors(self, level: str) -> Floats:
        """Return standard errors of :meth:`ratios`, with the covariance of both sides."""
        return errors_of(self._ratio_deviations(level))

    def mean_ratio(self, level: str) -> tuple[float, float]:
        """Return the mean over components of predicted over actual values, and its standard error."""
        error = errors_of(self._ratio_deviations(level).mean(axis=1))
        return float(self.ratios(level).mean()), float(error)

    @property
    def explained(self) -> Floats:
        """Part of the deviation from the Gaussian process that the couplings of four fields predict, shape (K,)."""
        return (self.predicted["lambda"] - self.predicted["gp"]) / (self.actual - self.predicted["gp"])

    def to_dict(self) -> dict[str, Any]:
        """Return the mean ratios as plain numbers."""
        rows = {level: self.mean_ratio(level) for level in self.levels}
        return {level: {"ratio": value, "error": error} for level, (value, error) in rows.items()}

    def __str__(self) -> str:
        names = {"gp": "GP", "lambda": "GP + phi^4", "kappa": "GP + phi^4 + phi^6"}
        lines = [f"six-point function of {self.fit.net}, predicted over actual, mean of {len(self.actual)} components"]
        for level in self.levels:
            value, error = self.mean_ratio(level)
            shown = format_uncertainty(value, error) if error > 1e-12 else f"{value:.9g}"
            lines.append(f"  {names[level]:<20} {shown}")
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, ax: Any | None = None) -> Any:
        """Plot predicted over actual values, components sorted by size; returns the matplotlib Axes."""
        from numerics.plot import axes_or_new

        ax = axes_or_new(ax)
        order = np.argsort(self.actual, kind="stable")
        for level, label in zip(self.levels, ("GP", r"GP $+\,\lambda$", r"GP $+\,\lambda + \kappa$"), strict=False):
            errors = self.ratio_errors(level)[order]
            ax.errorbar(np.arange(len(order)), self.ratios(level)[order], errors, fmt=".", ms=4, lw=0.7, label=label)
        ax.axhline(1, color="black", lw=0.8)
        ax.set_xlabel(f"component ({len(order)} index tuples, sorted by value)")
        ax.set_ylabel(r"predicted / actual $G^{(6)}$")
        ax.legend(frameon=False)
        return ax


def six_point_prediction(fit: CouplingFit, measured: Measured | None = None) -> SixPointPrediction:
    """Return the full six-point function of a fitted effective action beside that of the networks.

    Parameters
    ----------
    fit : CouplingFit
        With at least one operator of four fields; ``"phi^6"`` in its basis gives the level ``"kappa"``.
    measured : Estimate or array_like (n_points, input_dim), optional
        The six-point function to compare with, measured or (points) exact. If it is the measurement of the fit, the
        covariance of couplings and six-point function is taken into account; another one counts as independent.
        Default: exact values at the points of the fit.

    Returns
    -------
    SixPointPrediction

    Raises
    ------
    ValueError
        If no operator of four fields was fitted, or fewer than six points were measured.

    Examples
    --------
    >>> from diagrams import relu_net
    >>> from numerics.coupling_fits import extract_couplings
    >>> net = relu_net(hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> prediction = six_point_prediction(extract_couplings(net, [[0.2], [0.8]], cutoff=100.0))
    >>> [round(prediction.mean_ratio(level)[0], 4) for level in ("gp", "lambda")]
    [0.5376, 0.9409]
    """
    if not any(OPERATORS[name] == 4 for name in fit.basis):
        raise ValueError(f"the prediction needs a coupling of four fields, the fit has {fit.basis} only")
    data = field_data(fit.net, fit.data.points if measured is None else measured, [4, 6])
    points = data.points
    kernel = exact_correlators(fit.net, points, 2)
    gp = wick_sum(points, kernel, 6)
    blocks = design(fit.net, points, fit.basis, fit.cutoff)

    def moments(four: Floats, six: Floats | float) -> Floats:
        return split_products(points, 6, 2, kernel, four) + six

    with_lambda = blocks[4] @ fit.values
    predicted = {"gp": gp, "lambda": gp + moments(with_lambda, 0.0)}
    bent = fit.deviations @ blocks[4].T
    deviations = {"gp": np.empty((0, len(gp))), "lambda": moments(bent, 0.0)}
    if "phi^6" in fit.basis:
        predicted["kappa"] = predicted["lambda"] + blocks[6] @ fit.values
        deviations["kappa"] = deviations["lambda"] + fit.deviations @ blocks[6].T
    actual = gp + moments(data.values[4], data.values[6])
    spread = moments(data.deviations[4], data.deviations[6])
    if data.estimate is not None and data.estimate is not fit.data.estimate:  # independent: blocks of its own
        spread = np.concatenate([np.zeros((fit.data.n_blocks, len(gp))), spread])
    return SixPointPrediction(fit, points, actual, spread, predicted, deviations)
