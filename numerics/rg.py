r"""Running of couplings: read off correlators at many cutoffs, and integrated along a momentum-shell flow.

Correlators do not know the cutoff, so a coupling changes with it as the inverse of its vertex integral,
:math:`\lambda(\Lambda) = -G_c^{(4)} / (24 I_4(\Lambda))` (arXiv:2008.08601, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any, cast

import numpy as np
import sympy
from numpy.typing import ArrayLike

from diagrams.architectures import Architecture
from diagrams.beta_functions import BetaFunction
from diagrams.eft import EffectiveTheory
from diagrams.momentum_shell import MomentumShellFlow
from numerics.field_data import Floats, Measured, field_data
from numerics.results import Estimate, format_uncertainty
from numerics.vertex_boxes import cancelling_components, vertex_integrals

#: Cutoffs of arXiv:2008.08601 for the ReLU-net.
CUTOFFS = (7, 10, 15, 20, 30, 40, 50, 70, 100, 200, 500, 1e3, 2e3, 5e3, 7e3, 1e4, 2e4, 4e4, 6e4, 8e4, 1e5)


@dataclass(frozen=True, eq=False)
class CouplingFlow:
    r"""The coupling of f^n against the cutoff, for all components.

    Parameters
    ----------
    net : Architecture
    n : int
        Number of fields.
    cutoffs : array (n_cutoffs,)
    values : array (n_cutoffs, K)
        Couplings of the components that are kept.
    deviations : array (n_blocks, n_cutoffs, K)
        Their product over blocks is the covariance; no blocks for exact correlators.
    beta : BetaFunction
        What theory says.
    left_out : int
        Components without a coupling of the leading power: their vertex integral vanishes, or cancels between
        directions.
    """

    net: Architecture
    n: int
    cutoffs: Floats
    values: Floats
    deviations: Floats
    beta: BetaFunction
    left_out: int

    @property
    def errors(self) -> Floats:
        """Standard errors, shape (n_cutoffs, K)."""
        return np.sqrt((self.deviations**2).sum(axis=0))

    @property
    def _weights(self) -> Floats:
        """Weights of a straight line through values at the cutoffs: their sum with these is the slope."""
        t = np.log10(self.cutoffs)
        t = t - t.mean()
        return t / (t @ t)

    @property
    def slopes(self) -> Floats:
        """Slope of log10 |coupling| against log10 cutoff of each component, shape (K,)."""
        return self._weights @ np.log10(np.abs(self.values))

    @property
    def slope(self) -> float:
        """The same over all components together."""
        return float(self.slopes.mean()) + 0.0

    @property
    def slope_error(self) -> float:
        """Standard error of :attr:`slope`: scatter about straight lines, and errors of the couplings.

        Couplings read off one measurement share its error at all cutoffs, which then moves lines without turning them;
        what remains is how much the dependence is bent, and the scatter between components.
        """
        t = np.log10(self.cutoffs) - np.log10(self.cutoffs).mean()
        y = np.log10(np.abs(self.values))
        rest = y - y.mean(axis=0) - self.slope * t[:, None]
        bent = rest.mean(axis=1)
        scatter = np.sum(bent**2) / max(1, len(t) - 2) / (t @ t)
        relative = self.deviations / self.values / np.log(10)
        measured = np.sum(np.einsum("c,bck->bk", self._weights, relative).mean(axis=1) ** 2)
        return float(np.sqrt(scatter + measured))

    @property
    def expected_slope(self) -> float:
        """Slope at large cutoff that the beta function says, ``-(d + n p)`` or zero."""
        return float(-max(self.beta.exponent, sympy.S.Zero))

    @property
    def r_squared(self) -> float:
        """Squared correlation coefficient of one line through all components (as in the paper)."""
        t, y = np.log10(self.cutoffs), np.log10(np.abs(self.values))
        x = np.broadcast_to(t[:, None], y.shape)
        if np.ptp(y) < 1e-12:
            return 1.0
        return float(np.corrcoef(x.ravel(), y.ravel())[0, 1] ** 2)

    def beta_function(self) -> tuple[Floats, Floats]:
        """Return cutoffs between those measured, and ``d log|g| / d log(cutoff)`` there (mean over components)."""
        t, y = np.log(self.cutoffs), np.log(np.abs(self.values)).mean(axis=1)
        return np.exp((t[1:] + t[:-1]) / 2), np.diff(y) / np.diff(t)

    def to_dict(self) -> dict[str, Any]:
        """Return the flow as plain numbers, lists and strings."""
        return {
            "net": str(self.net),
            "n": self.n,
            "cutoffs": self.cutoffs.tolist(),
            "mean": self.values.mean(axis=1).tolist(),
            "slope": self.slope,
            "slope_error": self.slope_error,
            "expected_slope": self.expected_slope,
            "r_squared": self.r_squared,
            "relevance": self.beta.relevance,
        }

    def __str__(self) -> str:
        exact = f"{round(self.slope, 9) + 0.0:.9f}"
        shown = format_uncertainty(self.slope, self.slope_error) if self.slope_error > 1e-12 else exact
        return (
            f"coupling of f^{self.n} of {self.net}: {self.values.shape[1]} components"
            f"{f' ({self.left_out} left out)' if self.left_out else ''}, {len(self.cutoffs)} cutoffs from "
            f"{self.cutoffs.min():g} to {self.cutoffs.max():g}: slope {shown}, expected {self.expected_slope:g} at "
            f"large cutoff, R^2 = {self.r_squared:.6f}, {self.beta.relevance}"
        )

    __repr__ = __str__

    def plot(self, ax: Any | None = None) -> Any:
        """Plot |coupling| against the cutoff with the fitted line; returns the matplotlib Axes."""
        from numerics.plot import axes_or_new

        ax = axes_or_new(ax)
        size = np.abs(self.values)
        error = np.abs(self.errors)
        for k in range(size.shape[1]):
            ax.errorbar(self.cutoffs, size[:, k], error[:, k] if error.any() else None, fmt=".", ms=3, color="0.5")
        y = np.log10(size)
        line = y.mean() + self.slope * (np.log10(self.cutoffs) - np.log10(self.cutoffs).mean())
        label = rf"slope {self.slope:.3f}, $R^2 = {self.r_squared:.4f}$"
        ax.plot(self.cutoffs, 10**line, color="tab:red", lw=1.2, label=label)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(r"cutoff $\Lambda$")
        ax.set_ylabel(rf"$|{sympy.latex(self.beta.coupling)}|$")
        ax.legend(frameon=False)
        return ax


def rg_flow(
    net: Architecture,
    measured: Measured | Sequence[Estimate],
    cutoffs: ArrayLike = CUTOFFS,
    *,
    n: int = 4,
) -> CouplingFlow:
    """Return the coupling of f^n read off correlators at several cutoffs, with slopes.

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    measured : Estimate, array_like (n_points, input_dim), or sequence of Estimate
        Of these networks; points stand for exact correlators; a sequence has independent networks for each cutoff.
    cutoffs : sequence of float
        At least three different ones, finite. Default: those of the paper.
    n : {4, 6}
        Number of fields.

    Returns
    -------
    CouplingFlow
        Without the components whose vertex integral vanishes or cancels between directions, such as that of three
        equal inputs and one at a right angle to them for the Erf-net.

    Raises
    ------
    TypeError, ValueError
        If the cutoffs or the measurements are not as above, or no component is left.

    Examples
    --------
    >>> from diagrams import relu_net
    >>> net = relu_net(hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> flow = rg_flow(net, [[0.2], [0.8]])
    >>> round(flow.slope, 9), flow.beta.relevance
    (-5.0, 'irrelevant')
    """
    lengths = np.atleast_1d(np.asarray(cutoffs, dtype=float))
    if lengths.ndim != 1 or len(np.unique(lengths)) < 3 or not np.isfinite(lengths).all():
        raise ValueError(f"a flow needs at least three different finite cutoffs, got {cutoffs!r}")
    if n not in (4, 6):
        raise ValueError(f"couplings of 4 and 6 fields are read off, got n={n!r}")
    each: list[Any] = list(measured) if isinstance(measured, (list, tuple)) else []
    several = bool(each) and all(isinstance(m, Estimate) for m in each)
    if several and len(each) != len(lengths):
        raise ValueError(f"{len(each)} measurements for {len(lengths)} cutoffs: give one, or one for each")
    data = [field_data(net, m, [n]) for m in (each if several else [cast(Measured, measured)])]
    points = data[0].points
    if any(not np.array_equal(d.points, points) for d in data):
        raise ValueError("the measurements must be on the same points")
    beta = EffectiveTheory(net).beta_functions()[n]
    integrals = vertex_integrals(net, points, n, lengths).values
    kept = (integrals != 0).all(axis=0) & ~cancelling_components(net, points, n, lengths.max())
    if not kept.any():
        raise ValueError(f"no vertex integral of {n} kernels of {net} has its leading power at these points")
    factor = -1 / (factorial(n) * integrals[:, kept])
    values = factor * np.stack([d.values[n][kept] for d in data])
    if several:
        sizes = np.cumsum([0, *(d.n_blocks for d in data)])
        deviations = np.zeros((sizes[-1], *values.shape))
        for c, d in enumerate(data):
            deviations[sizes[c] : sizes[c + 1], c] = factor[c] * d.deviations[n][:, kept]
    else:
        deviations = factor * data[0].deviations[n][:, None, kept]
    return CouplingFlow(net, n, lengths, values, deviations, beta, int((~kept).sum()))


@dataclass(frozen=True, eq=False)
class ShellTrajectory:
    """Dimensionless couplings along a momentum-shell flow.

    Parameters
    ----------
    flow : MomentumShellFlow
    scales : array (n_scales,)
        l = log(cutoff at the start / cutoff).
    values : dict from symbol to array (n_scales,)
    """

    flow: MomentumShellFlow
    scales: Floats
    values: dict[sympy.Symbol, Floats]

    def plot(self, ax: Any | None = None) -> Any:
        """Plot the couplings against l; returns the matplotlib Axes."""
        from numerics.plot import axes_or_new

        ax = axes_or_new(ax)
        for u, row in self.values.items():
            ax.plot(self.scales, row, label=f"${sympy.latex(u)}$")
        ax.set_xlabel(r"$\ell = \log(\Lambda_0/\Lambda)$")
        ax.legend(frameon=False)
        return ax


def run_couplings(
    flow: MomentumShellFlow, start: Mapping[str, float], scales: ArrayLike, *, rtol: float = 1e-9
) -> ShellTrajectory:
    """Return couplings integrated along a momentum-shell flow.

    Parameters
    ----------
    flow : MomentumShellFlow
        With numbers for dimension and components.
    start : mapping from name to float
        Dimensionless couplings at l = 0; those left out start at zero.
    scales : array_like
        Values of l in ascending order, from 0.
    rtol : float
        Of the integration.

    Returns
    -------
    ShellTrajectory

    Raises
    ------
    ValueError
        For unknown couplings, symbols without numbers, scales that are not ascending, or r <= -1.
    ArithmeticError
        If the couplings run off before the last scale.

    Examples
    --------
    >>> from diagrams import momentum_shell_flow, phi4
    >>> run = run_couplings(momentum_shell_flow(phi4(), 4), {"lambda": 1.0}, [0.0, 1.0])
    >>> round(float(run.values[run.flow.couplings[1]][-1]), 4)
    0.9816
    """
    from scipy.integrate import solve_ivp

    names = {str(u): k for k, u in enumerate(flow.couplings)}
    if unknown := [name for name in start if name not in names]:
        raise ValueError(f"no couplings {unknown} in this flow; it has {list(names)}")
    flow.check_numbers()
    times = np.atleast_1d(np.asarray(scales, dtype=float))
    if times[0] != 0 or not (np.diff(times) > 0).all() or not np.isfinite(times).all():
        raise ValueError(f"scales must start at zero and grow, got {scales!r}")
    values = np.array([float(start.get(name, 0.0)) for name in names])
    if not values[0] > -1:
        raise ValueError(f"r must be above -1, where the propagator in the shell is infinite; got {values[0]}")
    function = sympy.lambdify(flow.couplings, list(flow.flow.values()), "numpy")

    def pole(_: float, u: Floats) -> float:
        """Return how far the propagator in the shell is from infinite."""
        return float(u[0] + 1 - 1e-6)

    pole.terminal = True  # type: ignore[attr-defined]
    with np.errstate(all="ignore"):  # steps that reach past the pole are rejected
        found = solve_ivp(
            lambda _, u: np.asarray(function(*u), float), (0.0, times[-1]), values,
            t_eval=times, rtol=rtol, atol=1e-14, method="DOP853", events=pole,
        )  # fmt: skip
    if found.status != 0 or found.y.shape[1] != len(times):
        stopped: Any = found.t_events[0] if found.t_events else []
        reached = float(stopped[0]) if len(stopped) else float(found.t[-1])
        raise ArithmeticError(f"the couplings run off at l = {reached:.4g}, before {times[-1]:g}: {found.message}")
    return ShellTrajectory(flow, times, dict(zip(flow.couplings, found.y, strict=True)))
