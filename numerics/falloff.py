r"""How n-point functions approach those of the Gaussian process as the width grows (arXiv:2008.08601, section 2).

.. math:: m_n = \Bigl\langle \Bigl| \frac{G^{(n)} - G^{(n)}_{GP}}{G^{(n)}_{GP}} \Bigr| \Bigr\rangle

over inputs :math:`i \le j \le \ldots`; the six-point function also without the part that four points account for,
:math:`G^{(6)} - \sum_{15} K\, G^{(4)} + 2 G^{(6)}_{GP}`, which is the connected one. Noise has a modulus too: the
background is what m_n would be on average if there were no deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from diagrams.architectures import Architecture
from numerics.ensemble import Ensemble
from numerics.field_data import FieldData, Floats, errors_of, field_data, full_moments, wick_sum
from numerics.neuron_quadrature import exact_correlators
from numerics.published import WIDTHS
from numerics.results import format_uncertainty

#: What is followed: full functions of 2, 4 and 6 points, and the connected one of 6.
SERIES = ("2", "4", "6", "6c")
_VISIBLE = 3.0  # standard errors that a deviation needs to be part of a slope


@dataclass(frozen=True, eq=False)
class FallOff:
    """Deviations from the Gaussian process at several widths.

    Parameters
    ----------
    net : Architecture
        Of the first width.
    points : array (n_points, input_dim)
    widths : tuple of int
    n_nets : int
        Networks (or neurons) at each width.
    method : str
    measured : dict from series to array (n_widths,)
        Mean over components of the relative deviation, with the sign of the exact one in each component.
    errors : the same
        Standard errors.
    modulus, background : the same
        m_n as the paper has it, and what noise alone would give.
    exact : the same
    """

    net: Architecture
    points: Floats
    widths: tuple[int, ...]
    n_nets: int
    method: str
    measured: dict[str, Floats]
    errors: dict[str, Floats]
    modulus: dict[str, Floats]
    background: dict[str, Floats]
    exact: dict[str, Floats]

    def pulls(self, series: str) -> Floats:
        """Return (measured - exact) / error at each width."""
        return (self.measured[series] - self.exact[series]) / self.errors[series]

    @property
    def max_pull(self) -> float:
        """Largest modulus of a pull in all series."""
        return max(float(np.abs(self.pulls(s)).max()) for s in self.measured)

    def slope(self, series: str) -> tuple[float, float]:
        """Return the exponent of the power of N through the deviations, weighted by their errors, and its error.

        Raises
        ------
        ValueError
            If deviations are more than three standard errors at fewer than two widths.
        """
        if self.seen(series).sum() < 2:
            count = int(self.seen(series).sum())
            raise ValueError(f"the deviation of series {series!r} is above noise at {count} width(s) only")
        return _power_law(self.widths, self.measured[series], self.errors[series])

    def exact_slope(self, series: str) -> float:
        """Return the exponent of the same fit to the exact values, with the weights of :meth:`slope`."""
        return _power_law(self.widths, self.exact[series], self.errors[series])[0]

    def seen(self, series: str) -> Any:
        """Return at which widths the deviation is more than three standard errors."""
        return self.measured[series] > _VISIBLE * self.errors[series]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each series and width: exact, measured, error, pull, modulus, background."""
        return [
            {
                "series": s,
                "N": n,
                "exact": float(self.exact[s][k]),
                "measured": float(self.measured[s][k]),
                "error": float(self.errors[s][k]),
                "pull": float(self.pulls(s)[k]),
                "modulus": float(self.modulus[s][k]),
                "background": float(self.background[s][k]),
            }
            for s in self.measured
            for k, n in enumerate(self.widths)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        slopes = {s: [*self.slope(s), self.exact_slope(s)] for s in self.measured if self.seen(s).sum() > 1}
        return {
            "net": self.net.name,
            "input_dim": self.net.input_dim,
            "points": self.points.tolist(),
            "n_nets": self.n_nets,
            "method": self.method,
            "max_pull": self.max_pull,
            "slopes": slopes,
            "rows": self.table,
        }

    def __str__(self) -> str:
        head = f"{self.net.name}_net in {self.net.input_dim}d, {self.n_nets:,} {self.method}, deviation from the GP"
        lines = [
            head,
            f"{'series':>6} {'N':>5} {'exact':>11} {'measured':>16} {'pull':>6} {'m_n':>10} {'background':>10}",
        ]
        for r in self.table:
            shown = format_uncertainty(r["measured"], r["error"])
            lines.append(
                f"{r['series']:>6} {r['N']:>5} {r['exact']:>11.4g} {shown:>16} {r['pull']:>6.2f} {r['modulus']:>10.3g} "
                f"{r['background']:>10.3g}"
            )
        for s in self.measured:
            if self.seen(s).sum() > 1:
                lines.append(f"slope of {s:>2}: {format_uncertainty(*self.slope(s))}, exact {self.exact_slope(s):.4f}")
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, ax: Any | None = None) -> Any:
        """Plot deviations against the width, with exact curves and backgrounds; returns the matplotlib Axes."""
        from numerics.plot import axes_or_new

        ax = axes_or_new(ax)
        names = {"2": "2-pt", "4": "4-pt", "6": "6-pt", "6c": "6-pt connected"}
        for k, s in enumerate(self.measured):
            color = f"C{k}"
            if self.exact[s].any():
                ax.plot(self.widths, self.exact[s], color=color, lw=1)
            ax.plot(self.widths, self.background[s], color=color, lw=0.8, ls=":")
            ax.errorbar(self.widths, self.modulus[s], self.errors[s], fmt="o", ms=3, color=color, label=names[s])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("width $N$")
        ax.set_ylabel("$m_n$")
        ax.set_title(f"{self.net.name}-net, $d = {self.net.input_dim}$ (lines: exact; dotted: background)", fontsize=9)
        ax.legend(frameon=False, fontsize=8)
        return ax


def fall_off(
    net: Architecture,
    x: ArrayLike,
    widths: Sequence[int] = WIDTHS,
    *,
    n_nets: int = 10**6,
    seed: int = 0,
    method: str = "network",
    sampling: str = "random",
    backend: str = "numba",
    progress: bool = False,
    folder: str | Path | None = None,
) -> FallOff:
    """Return how fast the 2-, 4- and 6-point functions of networks approach the Gaussian process.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters but the width (a width that it has is replaced).
    x : array_like (n_points, input_dim)
        Where the two-point function does not vanish between any points, as relative deviations divide by it.
    widths : sequence of int
    n_nets : int
        Independent networks at each width; neurons for ``method="neuron"``.
    seed : int
        Of the first width; the others have seeds of their own.
    method, sampling, backend
        As for :meth:`numerics.Ensemble.connected_correlators`. Heavy tails (the Gauss-net with biases of size one) need
        ``method="neuron", sampling="importance"``.
    progress : bool
        Show a progress bar for each width.
    folder : str or Path, optional
        Where finished blocks of networks are kept: after an interrupt the same call goes on from there. For
        ``sampling="random"``.

    Returns
    -------
    FallOff

    Raises
    ------
    ValueError
        If widths are not distinct positive integers, or the n-point function of the Gaussian process vanishes at some
        inputs.

    Examples
    --------
    >>> from numerics.published import published_inputs, published_net
    >>> found = fall_off(published_net("relu"), published_inputs("relu"), (2, 20), n_nets=20_000, method="conditional")
    >>> found.exact["4"].round(6), found.max_pull < 5
    (array([2.5 , 0.25]), True)
    """
    sizes = tuple(int(n) for n in widths)
    if len(set(sizes)) < len(sizes) or min(sizes) < 1:
        raise ValueError(f"widths must be distinct positive integers, got {widths!r}")
    rows = []
    for k, width in enumerate(sizes):
        here = replace(net, width=sympy.Integer(width), values=_with_width(net, width))
        ensemble = Ensemble(here, n_nets=n_nets, seed=np.random.SeedSequence(seed, spawn_key=(k,)), backend=backend)
        kept = Path(folder) / f"{net.name}-{net.input_dim}d-N{width}.blocks" if folder is not None else None
        if sampling != "random":
            kept = None
        measured = ensemble.connected_correlators(
            x, max_points=6, method=method, sampling=sampling, progress=progress, checkpoint=kept
        )
        rows.append((_deviations(here, measured), here))
    points = rows[0][0].points
    exact = {n: _exact_deviations(rows[0][1], points, n) for n in SERIES}
    found: dict[str, dict[str, Floats]] = {k: {} for k in ("measured", "errors", "modulus", "background", "exact")}
    for s in SERIES:
        per_width = [
            _row(r, s, _at_width(exact, s, sizes[0], width)) for (r, _), width in zip(rows, sizes, strict=True)
        ]
        for name, values in zip(found, np.array(per_width).T, strict=True):
            found[name][s] = values
    kind = "neurons" if method == "neuron" else "networks"
    return FallOff(rows[0][1], points, sizes, int(n_nets), f"{kind} (method={method!r})", **found)


def _with_width(net: Architecture, width: int) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted({**dict(net.values), "N": sympy.Integer(width)}.items()))


@dataclass(frozen=True, eq=False)
class _Relative:
    """Relative deviations of all components with their block deviations, by series."""

    points: Floats
    values: dict[str, Floats]
    deviations: dict[str, Floats]


def _relative(net: Architecture, data: FieldData) -> _Relative:
    """Return deviations from the Gaussian process, which are linear in connected correlators as K is exact."""
    points, kernel = data.points, exact_correlators(net, data.points, 2)
    gp = {n: wick_sum(points, kernel, n) for n in (2, 4, 6)}
    for n, values in gp.items():
        if not (np.abs(values) > 1e-12 * np.abs(values).max()).all():
            raise ValueError(f"the {n}-point function of the Gaussian process vanishes at some inputs: choose others")
    c, d = data.values, data.deviations
    without = full_moments(points, kernel, 0 * c[4], 0 * c[6])
    shift = {"2": c[2] - kernel, "4": c[4], "6": full_moments(points, kernel, c[4], c[6]) - without, "6c": c[6]}
    bent = full_moments(points, kernel, d[4], d[6]) - without if len(d[4]) else d[6]
    deviations = {"2": d[2], "4": d[4], "6": bent, "6c": d[6]}
    return _Relative(
        points,
        {s: v / gp[int(s[0])] for s, v in shift.items()},
        {s: v / gp[int(s[0])] for s, v in deviations.items()},
    )


def _deviations(net: Architecture, measured: Any) -> _Relative:
    return _relative(net, field_data(net, measured, (2, 4, 6)))


def _exact_deviations(net: Architecture, points: Floats, series: str) -> dict[str, Floats]:
    """Return exact relative deviations at the width of the net, four- and six-point parts apart."""
    found = {"2": np.zeros(1)}
    if series == "2":
        return found
    data = field_data(net, points, (2, 4, 6))
    zero = FieldData(points, {**data.values, 6: 0 * data.values[6]}, data.deviations)
    return {"4": _relative(net, zero).values[series], "6": _relative(net, data).values[series]}


def _at_width(exact: dict[str, dict[str, Floats]], series: str, first: int, width: int) -> Floats:
    """Return exact deviations at another width: connected functions of 4 and 6 points go like 1/N and 1/N^2."""
    if series == "2":
        return exact["2"]["2"]
    four, both = exact[series]["4"], exact[series]["6"]
    return four * (first / width) + (both - four) * (first / width) ** 2


def _row(found: _Relative, series: str, exact: Floats) -> tuple[float, ...]:
    values, deviations = found.values[series], found.deviations[series]
    sign = np.where(exact < 0, -1.0, 1.0)
    error = float(errors_of((deviations * sign).mean(axis=1)))
    noise = float(np.sqrt(2 / np.pi) * errors_of(deviations).mean())
    return float((values * sign).mean()), error, float(np.abs(values).mean()), noise, float(np.abs(exact).mean())


def _power_law(widths: Sequence[int], values: Floats, errors: Floats) -> tuple[float, float]:
    """Return the exponent s of the least-squares fit of ``a N**s`` and its standard error.

    Values are fitted rather than their logarithms, so that noisy widths need not be left out, which would be a bias.
    """
    from scipy.optimize import curve_fit

    t = np.log(np.array(widths))
    first = int(np.argmax(np.abs(values / errors)))
    start = (values[first], -1.0)
    found, covariance = curve_fit(
        lambda u, a, s: a * np.exp(s * (u - t[first])),
        t,
        values,
        start,
        sigma=errors,
        absolute_sigma=True,
        maxfev=10_000,
    )
    return float(found[1]), float(np.sqrt(covariance[1, 1]))
