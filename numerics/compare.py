"""compare: theory against estimate, component by component and all together."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import stats

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.deep import DeepArchitecture
from diagrams.deformed import DeformedArchitecture
from diagrams.deformed_correlators import DeformedCorrelators
from diagrams.expectation import ExpectationIntegral, evaluate
from diagrams.finite_box import CutoffSeries
from diagrams.mixtures import Mixture
from diagrams.nonidentical import IndependentSum
from diagrams.typing import Expr
from numerics.results import Estimate, format_uncertainty

_EIGENVALUE_CUT = 1e-2  # relative; below it p-values come out too small (measured with 1e-4: mean 0.41, not 0.5)
_BLOCKS_PER_DIRECTION = 4


@dataclass(frozen=True, eq=False)
class Comparison:
    """Predicted against measured connected correlators.

    Parameters
    ----------
    label : str
        What was compared.
    measured : Estimate
    predicted : mapping from n to array
        Values on the unique index tuples of every order compared.
    """

    label: str
    measured: Estimate
    predicted: Mapping[int, NDArray[np.float64]]

    @property
    def orders(self) -> tuple[int, ...]:
        """Numbers of points that were compared."""
        return tuple(self.predicted)

    def pulls_of(self, n: int) -> NDArray[np.float64]:
        """Return (measured - predicted) / standard error of the n-point function, one for each unique tuple.

        Where the estimate is exact, such as zero by symmetry, the pull is zero if the prediction is the same number to
        rounding, else infinite.
        """
        residual, error = self.measured.values(n) - self.predicted[n], self.measured.errors(n)
        exact = error == 0
        wrong = np.abs(residual) > 1e-12 * np.abs(self.predicted[n])
        pulls = np.where(wrong, np.copysign(np.inf, residual), 0.0)
        pulls[~exact] = residual[~exact] / error[~exact]
        return pulls

    @property
    def pulls(self) -> NDArray[np.float64]:
        """All pulls, order after order."""
        return np.concatenate([self.pulls_of(n) for n in self.orders])

    @property
    def max_pull(self) -> float:
        """Largest pull in absolute value."""
        return float(np.abs(self.pulls).max())

    @cached_property
    def _quadratic_form(self) -> tuple[float, int]:
        """Residuals in the inverse covariance, on its well-determined directions: (chi^2, their number)."""
        covariance = self.measured.covariance(self.orders[0] if len(self.orders) == 1 else None)
        pulls = self.pulls
        uncertain = np.diag(covariance) > 0
        if not uncertain.any() or np.isinf(pulls).any():
            return float(np.inf if np.isinf(pulls).any() else 0.0), int(uncertain.any())
        rows = well_determined(covariance, self.measured.n_blocks)
        projected = rows @ (pulls * np.sqrt(np.diag(covariance)))
        return float(np.sum(projected**2)), len(rows)

    @property
    def chi2(self) -> float:
        """Squared residuals in the inverse of their measured covariance.

        Components are strongly correlated, so only the ``dof`` well-determined directions are used: eigenvalues of the
        correlation matrix above 1/100 of the largest, at most a quarter of the number of blocks.
        """
        return self._quadratic_form[0]

    @property
    def dof(self) -> int:
        """Number of directions in :attr:`chi2`."""
        return self._quadratic_form[1]

    @property
    def p_value(self) -> float:
        """Probability of a larger chi^2 if the theory is right (Hotelling: the covariance is itself an estimate)."""
        chi2, p = self._quadratic_form
        if not p:
            return 1.0  # everything is exact and right
        n = self.measured.n_blocks
        return float(stats.f.sf(chi2 * (n - p) / (p * (n - 1)), p, n - p))

    def is_compatible(self, *, max_pull: float = 5.0) -> bool:
        """Return True if every component is within ``max_pull`` standard errors."""
        return self.max_pull < max_pull

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each component: points, predicted, measured, standard error, pull."""
        return [
            {
                "n": n,
                "points": tuple(int(i) for i in index),
                "predicted": float(predicted),
                "measured": float(value),
                "error": float(error),
                "pull": float(pull),
            }
            for n in self.orders
            for index, predicted, value, error, pull in zip(
                self.measured.indices(n),
                self.predicted[n],
                self.measured.values(n),
                self.measured.errors(n),
                self.pulls_of(n),
                strict=True,
            )
        ]

    def summary(self) -> str:
        """Return the verdict in one line."""
        return (
            f"{self.label}: {len(self.pulls)} components, max |pull| = {self.max_pull:.2f}, "
            f"chi2/dof = {self.chi2:.1f}/{self.dof} (p = {self.p_value:.2g})"
        )

    def to_text(self, *, rows: int | None = 12) -> str:
        """Return a table as text; ``rows`` of each order, the largest pulls first (None: all, in order)."""
        lines = [self.summary(), f"{'n':>3} {'points':>16} {'predicted':>13} {'measured':>18} {'pull':>7}"]
        for n in self.orders:
            chosen = [r for r in self.table if r["n"] == n]
            if rows is not None:
                chosen = sorted(chosen, key=lambda r: -abs(r["pull"]))[:rows]
            for r in chosen:
                shown = format_uncertainty(r["measured"], r["error"])
                points = ",".join(map(str, r["points"]))
                lines.append(f"{n:>3} {points:>16} {r['predicted']:>13.6g} {shown:>18} {r['pull']:>7.2f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        return {
            "label": self.label,
            "n_nets": self.measured.n_nets,
            "max_pull": self.max_pull,
            "chi2": self.chi2,
            "dof": self.dof,
            "p_value": self.p_value,
            "rows": [{**r, "points": list(r["points"])} for r in self.table],
        }

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{r['n']}</td><td>{','.join(map(str, r['points']))}</td><td>{r['predicted']:.6g}</td>"
            f"<td>{format_uncertainty(r['measured'], r['error'])}</td><td>{r['pull']:+.2f}</td></tr>"
            for n in self.orders
            for r in sorted((r for r in self.table if r["n"] == n), key=lambda r: -abs(r["pull"]))[:12]
        )
        head = "<tr><th>n</th><th>points</th><th>predicted</th><th>measured</th><th>pull</th></tr>"
        return f"<div><p>{html.escape(self.summary())}</p><table>{head}{cells}</table></div>"


def well_determined(covariance: NDArray[np.float64], n_blocks: int) -> NDArray[np.float64]:
    """Return rows R for which ``|R r|**2`` is the chi^2 of residuals r, on well-determined directions only.

    Components of correlators are strongly correlated: eigenvalues of the correlation matrix above 1/100 of the largest
    are kept, at most a quarter of the number of blocks that the covariance was measured with. Components without error
    are left out.

    Parameters
    ----------
    covariance : array (K, K)
    n_blocks : int

    Returns
    -------
    array (dof, K)
    """
    sigma = np.sqrt(np.diag(covariance))
    inverse = np.divide(1, sigma, where=sigma > 0, out=np.zeros_like(sigma))
    eigenvalues, vectors = np.linalg.eigh(covariance * np.outer(inverse, inverse))
    limit = max(1, n_blocks // _BLOCKS_PER_DIRECTION)
    kept = np.flatnonzero(eigenvalues > _EIGENVALUE_CUT * eigenvalues[-1])[-limit:]
    return vectors[:, kept].T / np.sqrt(eigenvalues[kept])[:, None] * inverse


Theory: TypeAlias = (
    Architecture
    | DeepArchitecture
    | Mixture
    | IndependentSum
    | DeformedArchitecture
    | ConnectedCorrelators
    | CutoffSeries
)


def compare(theory: Theory, measured: Estimate) -> Comparison:
    """Return the comparison of exact connected correlators with measured ones.

    Correlators that are exact integrals are evaluated by quadrature, component by component.

    Parameters
    ----------
    theory : Architecture, DeepArchitecture, Mixture, IndependentSum, DeformedArchitecture, ConnectedCorrelators or \
CutoffSeries
        With numbers for all parameters; correlators must reach the orders that were measured. Those of a
        DeepArchitecture, of up to four points, are known without terms of order 1/N^2. A DeformedArchitecture
        stands for the derivatives that were measured; where correlators at a finite strength were, give its
        ``connected_correlators(order=...)``, which says through which order it is expanded. A CutoffSeries, a
        correlator of n legs of a theory that is finite on its own, is compared with the n-point function only; the
        label says through which order, and with which error of quadrature.
    measured : Estimate
        From :meth:`numerics.Ensemble.connected_correlators` or :meth:`~numerics.Ensemble.correlator_derivatives`.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError
        For other types of arguments.
    ValueError
        If parameters are symbolic, the input dimensions differ, or the theory stops at fewer points.
    """
    if not isinstance(measured, Estimate):
        raise TypeError(f"measured must be an Estimate (Ensemble(...).connected_correlators), got {type(measured)}")
    if isinstance(theory, CutoffSeries):
        return _compare_series(theory, measured)
    top = max(measured.orders)
    correlators = _correlators(theory, measured, top)
    if correlators.max_points < top:
        raise ValueError(
            f"measured up to {top} points, but the theory stops at {correlators.max_points}; "
            f"use connected_correlators(max_points={top})"
        )
    if correlators.source.input_dim != measured.points.shape[1]:
        raise ValueError(
            f"the theory has input_dim={correlators.source.input_dim}, the measured points "
            f"{measured.points.shape[1]} coordinates"
        )
    derivative = int(measured.dataset.attrs.get("derivative", 0))
    _check_outputs(correlators, measured, derivative)
    predicted = {n: _predicted(correlators, n, measured, derivative) for n in measured.orders}
    label = str(correlators.source if isinstance(theory, ConnectedCorrelators) else theory)
    return Comparison(f"d^{derivative} of {label}" if derivative else label, measured, predicted)


def _compare_series(series: CutoffSeries, measured: Estimate) -> Comparison:
    """Return the comparison of the correlator of a finite theory with the measured one of as many points."""
    from numerics.finite_box import correlator_values, finite_theory

    theory, n = finite_theory(series), series.legs
    n_outputs = int(measured.outputs.max()) + 1
    if theory.input_dim != measured.points.shape[1] or int(theory.n_components) != n_outputs:
        raise ValueError(
            f"the theory has input_dim={theory.input_dim} and {theory.n_components} output(s), the measured points "
            f"{measured.points.shape[1]} coordinates and {n_outputs} output(s)"
        )
    if n not in measured.orders:
        raise ValueError(f"a correlator of {n} points, but {max(measured.orders)} were measured: use max_points={n}")
    found = correlator_values(series, measured.points[: len(measured.points) // n_outputs])
    predicted = found.values[tuple(measured.indices(n).T)]
    rest = " + ".join(f"O({series.power_text(key)})" for key in series.remainder_keys())
    label = f"{theory}, quadrature error {found.quadrature_error:.0e}" + (f", without {rest}" if rest else "")
    return Comparison(label, measured, {n: predicted})


def _correlators(theory: Theory, measured: Estimate, top: int) -> ConnectedCorrelators:
    """Return the correlators of any theory, for derivatives through the order that was measured."""
    derivative = int(measured.dataset.attrs.get("derivative", 0))
    if isinstance(theory, ConnectedCorrelators):
        return theory
    if isinstance(theory, DeformedArchitecture):
        theory.base.parameter_values()
        if not derivative:
            raise ValueError(
                f"{theory} is known as an expansion in {theory.strength}: give compare its "
                f"connected_correlators(max_points={top}, order={{'{theory.strength}': ...}})"
            )
        return theory.connected_correlators(max_points=top, order=derivative)
    if isinstance(theory, DeepArchitecture) and top > 4:
        raise ValueError(f"correlators of {theory} are known up to 4 points, measured were {top}: use max_points=4")
    if isinstance(theory, (Architecture, DeepArchitecture, IndependentSum)):
        theory.parameter_values()
    elif not isinstance(theory, Mixture):
        raise TypeError(f"theory must be an Architecture or ConnectedCorrelators, got {type(theory).__name__}")
    return theory.connected_correlators(max_points=top)


def _check_outputs(correlators: ConnectedCorrelators, measured: Estimate, derivative: int) -> None:
    n_outputs, known = int(measured.outputs.max()) + 1, getattr(correlators.source, "output_dim", 1)
    if n_outputs != known:
        raise ValueError(f"the theory has output_dim={known}, but {n_outputs} outputs were measured")
    source = correlators.source
    if derivative and not (isinstance(source, DeformedCorrelators) and source.order >= derivative):
        raise ValueError(
            f"derivatives of order {derivative} were measured; give compare the deformed architecture, or its "
            f"connected_correlators with that order in {measured.dataset.attrs['strength']} or a higher one"
        )


def _predicted(correlators: ConnectedCorrelators, n: int, measured: Estimate, derivative: int) -> NDArray[np.float64]:
    """Return the n-point function, or its derivative, on the unique index tuples."""
    from numerics.finite_width import has_numbers, interacting_values

    source, index = correlators.source, measured.indices(n)
    if has_numbers(correlators):
        if n % 2 and source.is_even:
            return np.zeros(len(index))
        return interacting_values(correlators, n, measured.points).values[tuple(index.T)]
    if isinstance(source, DeepArchitecture):
        return _deep_values(source, n, measured)
    correlator = correlators[n]
    if derivative and isinstance(source, DeformedCorrelators):
        t, bare = source.architecture.strength, replace(correlator, values=())
        expr = bare.expr.diff(t, derivative).xreplace({t: sympy.S.Zero})
    else:
        expr = correlator.expr
    if isinstance(source, Architecture) and source.output_dim == 1 and expr.has(ExpectationIntegral):
        from numerics.neuron_quadrature import exact_correlators

        return exact_correlators(source, measured.points, n)
    result = np.empty(len(index))
    rows = measured.outputs[index]
    for outputs in np.unique(rows, axis=0):
        where = (rows == outputs).all(axis=1)
        chosen = expr.xreplace(correlator._output_values(tuple(map(int, outputs)))) if measured.outputs.any() else expr
        result[where] = _on_points(chosen, correlator, measured.points, index[where])
    return result


def _deep_values(net: DeepArchitecture, n: int, measured: Estimate) -> NDArray[np.float64]:
    """Return the n-point function on the unique index tuples, coinciding points included."""
    index = measured.indices(n)
    if n % 2:
        return np.zeros(len(index))
    points = [tuple(map(sympy.Rational, x)) for x in measured.points.tolist()]
    found = []
    for row in index:
        outputs = [int(measured.outputs[i]) for i in row]
        orders = net.orders([points[i] for i in row], outputs)
        found.append(evaluate(sympy.Add(*(c * net.width**-k for k, c in orders.items()))).value)
    return np.array(found)


def predict(
    correlators: ConnectedCorrelators, n: int, points: NDArray[np.float64], index: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the n-point function on index tuples: points (m, input_dim), index (K, n), result (K,)."""
    return _on_points(correlators[n].expr, correlators[n], points, index)


def _on_points(
    expr: Expr, correlator: Correlator, points: NDArray[np.float64], index: NDArray[np.intp]
) -> NDArray[np.float64]:
    from numerics.lower import lower

    if expr == 0:
        return np.zeros(len(index))
    if expr.has(ExpectationIntegral):
        symbols = [s for point in correlator.points for s in point]
        rows = [map(sympy.Rational, points[i].ravel().tolist()) for i in index]
        return np.array([evaluate(expr.xreplace(dict(zip(symbols, row, strict=True)))).value for row in rows])
    function = lower(expr, arguments=correlator.points, backend="numpy")
    values = function(*(points[index[:, i]] for i in range(correlator.n)))
    return np.asarray(values, dtype=np.float64)
