r"""Couplings of the effective action of networks, point by point and by least squares over a basis of operators.

.. math:: S = S_{GP} + \int_{|y_j| < \Lambda} [\lambda f^4 + \lambda_2 |y|^2 f^4 + \kappa f^6] + \int\!\!\int
          \lambda_{NL} f(y)^2 f(y')^2

At first order the connected correlators are linear in the couplings (arXiv:2008.08601, sections 3.2 and 4), with
:math:`I_n = \int \prod_i K_W(x_i, y)`:

.. math:: G_c^{(4)} = -24 \lambda I_4 - 24 \lambda_2 \int |y|^2 \prod K_W - 8 \lambda_{NL} \sum_3 I_2 I_2,
          \qquad G_c^{(6)} = -720 \kappa I_6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import factorial
from typing import Any

import numpy as np
from scipy import stats

from diagrams.architectures import Architecture
from numerics.compare import well_determined
from numerics.field_data import FieldData, Floats, Measured, errors_of, field_data, split_products
from numerics.results import format_uncertainty
from numerics.vertex_boxes import vertex_integrals

#: Operators by name: the correlator that each of them enters.
OPERATORS = {"phi^4": 4, "x^2 phi^4": 4, "phi^2 phi^2": 4, "phi^6": 6}


@dataclass(frozen=True, eq=False)
class CouplingTensor:
    r"""The coupling of f^n read off each n-point function, :math:`-G_c^{(n)} / (n! I_n)`.

    Parameters
    ----------
    net : Architecture
    data : FieldData
    n : int
        Number of fields.
    cutoff : float
    values : array (K,)
        On unique index tuples; nan where the vertex integral vanishes.
    deviations : array (n_blocks, K)
        Their product over blocks is the covariance.
    """

    net: Architecture
    data: FieldData
    n: int
    cutoff: float
    values: Floats
    deviations: Floats

    @property
    def errors(self) -> Floats:
        """Standard errors, shape (K,)."""
        return errors_of(self.deviations)

    @property
    def _kept(self) -> Any:
        return np.isfinite(self.values)

    @property
    def mean(self) -> float:
        """Mean over the components."""
        return float(self.values[self._kept].mean())

    @property
    def mean_error(self) -> float:
        """Standard error of the mean, with the covariance of the components."""
        return float(errors_of(self.deviations[:, self._kept].mean(axis=1)))

    @property
    def spread(self) -> float:
        """Standard deviation over components in units of the mean; noise included."""
        return float(self.values[self._kept].std() / abs(self.mean))

    @property
    def intrinsic_spread(self) -> float:
        """The spread without what the measurement errors account for (zero if that is all of it)."""
        kept = self.deviations[:, self._kept]
        noise = (errors_of(kept) ** 2).mean() - errors_of(kept.mean(axis=1)) ** 2 if len(kept) else 0.0
        return float(np.sqrt(max(0.0, (self.spread * self.mean) ** 2 - noise)) / abs(self.mean))

    def __str__(self) -> str:
        shown = format_uncertainty(self.mean, self.mean_error) if not self.data.is_exact else f"{self.mean:.9g} (exact)"
        left_out = int((~self._kept).sum())
        text = f"coupling of f^{self.n} at cutoff {self.cutoff:g}: mean {shown}, spread {self.spread:.3g}"
        return text + (f"; {left_out} components without a vertex left out" if left_out else "")

    __repr__ = __str__


def coupling_tensor(net: Architecture, measured: Measured, *, cutoff: float, n: int = 4) -> CouplingTensor:
    """Return the coupling of f^n at all index tuples of points.

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    measured : Estimate or array_like (n_points, input_dim)
        Of these networks; points stand for exact correlators.
    cutoff : float
        ``inf`` where the vertex integral converges.
    n : {4, 6}
        Number of fields.

    Raises
    ------
    TypeError, ValueError
        If the measurement does not fit the networks, or for another n.
    DivergentIntegralError
        For an infinite cutoff where the integral diverges.

    Examples
    --------
    >>> from diagrams import relu_net
    >>> net = relu_net(hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> coupling_tensor(net, [[0.2], [0.8]], cutoff=10.0).mean * 20 * 10**5  # -12.5 / (N cutoff^5)
    -12.5...
    """
    if n not in (4, 6):
        raise ValueError(f"couplings of 4 and 6 fields are read off, got n={n!r}")
    data = field_data(net, measured, [n])
    integral = vertex_integrals(net, data.points, n, cutoff).values[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(integral != 0, -1 / (factorial(n) * integral), np.nan)
    return CouplingTensor(net, data, n, float(cutoff), factor * data.values[n], factor * data.deviations[n])


def design(net: Architecture, points: Floats, basis: Sequence[str], cutoff: float) -> dict[int, Floats]:
    """Return what each operator with unit coupling adds to the connected correlators: n to array (K_n, n_operators)."""
    blocks: dict[int, Floats] = {}
    for n in sorted({OPERATORS[name] for name in basis}):
        columns = [_response(net, points, name, cutoff) if OPERATORS[name] == n else None for name in basis]
        size = next(len(c) for c in columns if c is not None)
        blocks[n] = np.stack([np.zeros(size) if c is None else c for c in columns], axis=1)
    return blocks


def _response(net: Architecture, points: Floats, name: str, cutoff: float) -> Floats:
    if name == "phi^2 phi^2":
        pair = vertex_integrals(net, points, 2, cutoff).values[0]
        return -8 * split_products(points, 4, 2, pair, pair)
    n, weight = OPERATORS[name], 2 if name.startswith("x^2") else 0
    return -factorial(n) * vertex_integrals(net, points, n, cutoff, weight=weight).values[0]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How a fit does on points that it has not seen.

    ``mape`` and ``max_ape`` are the mean and the largest absolute deviation in percent of the four-point deviation from
    the Gaussian process, ``mse`` the mean squared one; ``pulls`` are with the errors of both sides, empty if exact.
    """

    mape: float
    max_ape: float
    mse: float
    pulls: Floats

    def __str__(self) -> str:
        text = f"mean deviation {self.mape:.3g} %, largest {self.max_ape:.3g} %, mean square {self.mse:.3g}"
        return text + (f", largest pull {np.abs(self.pulls).max():.1f}" if len(self.pulls) else "")


@dataclass(frozen=True, eq=False)
class CouplingFit:
    """Couplings of a basis of operators by least squares.

    Parameters
    ----------
    net : Architecture
    data : FieldData
        What was fitted.
    basis : tuple of str
    cutoff : float
    values : array (n_operators,)
    deviations : array (n_blocks, n_operators)
        Their product over blocks is the covariance, which holds whether or not the operators can describe the data.
    chi2 : float
        Of the residuals in the inverse of their measured covariance, on its well-determined directions; nan for exact
        correlators.
    dof : int
    residual : float
        Root mean square of the residuals in units of that of the correlators.
    test : HeldOut or None
    """

    net: Architecture
    data: FieldData
    basis: tuple[str, ...]
    cutoff: float
    values: Floats
    deviations: Floats
    chi2: float
    dof: int
    residual: float
    test: HeldOut | None = None

    @property
    def errors(self) -> Floats:
        """Standard errors of the couplings; zero for exact correlators."""
        return errors_of(self.deviations)

    @property
    def covariance(self) -> Floats:
        """Covariance of the couplings."""
        return self.deviations.T @ self.deviations

    @property
    def p_value(self) -> float:
        """Probability of a larger chi^2 if the operators describe the data (Hotelling); nan for exact correlators."""
        n, p = self.data.n_blocks, self.dof
        if not p or np.isnan(self.chi2):
            return float("nan")
        return float(stats.f.sf(self.chi2 * (n - p) / (p * (n - 1)), p, n - p))

    def __getitem__(self, name: str) -> float:
        """Return one coupling by the name of its operator."""
        if name not in self.basis:
            raise KeyError(f"no operator {name!r} in this fit; it has {self.basis}")
        return float(self.values[self.basis.index(name)])

    def predicted(self, n: int, points: Any = None) -> Floats:
        """Return the connected n-point function of the fitted action on unique index tuples, by default of the data."""
        where = self.data.points if points is None else np.asarray(points, float)
        blocks = design(self.net, where, self.basis, self.cutoff)
        if n not in blocks:
            raise ValueError(f"no operator of this fit enters the {n}-point function; it has {self.basis}")
        return blocks[n] @ self.values

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        return {
            "net": str(self.net),
            "cutoff": self.cutoff,
            "couplings": dict(zip(self.basis, self.values.tolist(), strict=True)),
            "errors": dict(zip(self.basis, self.errors.tolist(), strict=True)),
            "chi2": self.chi2,
            "dof": self.dof,
            "p_value": self.p_value,
            "residual": self.residual,
            "test": None
            if self.test is None
            else {k: float(getattr(self.test, k)) for k in ("mape", "max_ape", "mse")},
        }

    def plot(self, ax: Any | None = None) -> Any:
        """Plot fitted against given connected four-point functions; returns the matplotlib Axes."""
        from numerics.plot import axes_or_new

        ax, n = axes_or_new(ax), min(self.data.values)
        given, errors = self.data.values[n], errors_of(self.data.deviations[n])
        ax.errorbar(self.predicted(n), given, errors if errors.any() else None, fmt=".", ms=4, lw=0.7)
        ends = [min(given.min(), 0.0), max(given.max(), 0.0)]
        ax.plot(ends, ends, color="black", lw=0.8)
        ax.set_xlabel(f"$G_c^{{({n})}}$ of the fitted action")
        ax.set_ylabel(f"$G_c^{{({n})}}$ of the networks")
        return ax

    def _rows(self) -> list[tuple[str, str]]:
        exact = self.data.is_exact
        pairs = zip(self.basis, self.values, self.errors, strict=True)
        return [(name, f"{v:.9g}" if exact else format_uncertainty(v, e)) for name, v, e in pairs]

    def _verdict(self) -> str:
        text = f"residual {self.residual:.3g}"
        if self.dof:
            text += f", chi2/dof = {self.chi2:.1f}/{self.dof} (p = {self.p_value:.2g})"
        return text + (f"; held out: {self.test}" if self.test is not None else "")

    def __str__(self) -> str:
        head = (
            f"couplings of {self.net} at cutoff {self.cutoff:g}{' (exact correlators)' if self.data.is_exact else ''}"
        )
        return "\n".join([head, *(f"  {name:<12} {value}" for name, value in self._rows()), f"  {self._verdict()}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{value}</td></tr>" for name, value in self._rows())
        head = f"<p>{escape(str(self.net))}, cutoff {self.cutoff:g}</p>"
        return (
            f"<div>{head}<table><tr><th>operator</th><th>coupling</th></tr>{rows}</table>"
            f"<p>{escape(self._verdict())}</p></div>"
        )


def extract_couplings(
    net: Architecture,
    measured: Measured,
    *,
    cutoff: float,
    basis: Sequence[str] = ("phi^4",),
    test: Measured | None = None,
) -> CouplingFit:
    """Return the couplings of a basis of operators, fitted to connected correlators by generalised least squares.

    Measured correlators are weighted with the inverse of their full covariance (its well-determined directions, as in
    :class:`~numerics.compare.Comparison`), exact ones equally.

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    measured : Estimate or array_like (n_points, input_dim)
        Of these networks, up to four points (six for ``"phi^6"``); points stand for exact correlators.
    cutoff : float
        Half the side of the box of the vertices; ``inf`` where their integrals converge.
    basis : sequence of str
        Any of ``"phi^4"``, ``"x^2 phi^4"``, ``"phi^2 phi^2"`` (two vertices phi^2 at different points) and ``"phi^6"``.
    test : Estimate or array_like, optional
        Other inputs, held out: how well the fit predicts the four-point function there.

    Returns
    -------
    CouplingFit

    Raises
    ------
    TypeError, ValueError
        For an unknown or repeated operator, operators that cannot be told apart at these points, or a measurement that
        does not fit the networks.
    DivergentIntegralError
        For an infinite cutoff where an integral diverges.

    Examples
    --------
    >>> from diagrams import relu_net
    >>> net = relu_net(hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> fit = extract_couplings(net, [[0.2], [0.8]], cutoff=10.0)
    >>> round(fit["phi^4"] * 20 * 10**5, 9), fit.residual < 1e-12
    (-12.5, True)
    """
    names = tuple([basis] if isinstance(basis, str) else basis)
    if unknown := [name for name in names if name not in OPERATORS]:
        raise ValueError(f"unknown operators {unknown}; choose from {', '.join(map(repr, OPERATORS))}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"the basis must name operators once each, got {names}")
    orders = sorted({OPERATORS[name] for name in names})
    data = field_data(net, measured, orders)
    blocks = design(net, data.points, names, cutoff)
    a, y = np.concatenate([blocks[n] for n in orders]), np.concatenate([data.values[n] for n in orders])
    d = np.concatenate([data.deviations[n] for n in orders], axis=1)
    rows = _equal_rows(data, orders) if data.is_exact else well_determined(d.T @ d, len(d))
    scale = np.linalg.norm(rows @ a, axis=0)
    small = np.linalg.svd(rows @ a / np.where(scale > 0, scale, 1), compute_uv=False)
    if len(rows) < len(names) or small[-1] < 1e-10 * small[0]:
        raise ValueError(
            f"the operators {names} cannot be told apart at these {len(data.points)} points: use fewer operators or "
            "more points"
        )
    solve = np.linalg.pinv(rows @ a / scale) / scale[:, None] @ rows
    values = solve @ y
    residual = y - a @ values
    chi2 = float("nan") if data.is_exact else float(np.sum((rows @ residual) ** 2))
    relative = float(np.sqrt(np.mean(residual**2) / np.mean(y**2)))
    dof = 0 if data.is_exact else len(rows) - len(names)
    fit = CouplingFit(net, data, names, float(cutoff), values, d @ solve.T, chi2, dof, relative)
    return fit if test is None else CouplingFit(**{**vars(fit), "test": _held_out(fit, test)})


def _equal_rows(data: FieldData, orders: Sequence[int]) -> Floats:
    """Return weights for exact correlators: all components of one order alike, orders in units of their size."""
    parts = [np.full(len(data.values[n]), 1 / np.sqrt(np.mean(data.values[n] ** 2))) for n in orders]
    return np.diag(np.concatenate(parts))


def _held_out(fit: CouplingFit, test: Measured) -> HeldOut:
    data = field_data(fit.net, test, [4])
    block = design(fit.net, data.points, fit.basis, fit.cutoff).get(4)
    if block is None:
        raise ValueError("held-out inputs test the four-point function, which no operator of the basis enters")
    difference = block @ fit.values - data.values[4]
    percent = 100 * np.abs(difference / data.values[4])
    variance = errors_of(fit.deviations @ block.T) ** 2 + errors_of(data.deviations[4]) ** 2
    pulls = difference / np.sqrt(variance) if (variance > 0).all() else np.empty(0)
    return HeldOut(float(percent.mean()), float(percent.max()), float(np.mean(difference**2)), pulls)
