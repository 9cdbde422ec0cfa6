r"""Continuous integrals over the positions of vertices, each with an error: cubature, quasi-Monte Carlo, vegas.

Ranges may be infinite: :math:`x = s\, t / (1 - t^2)` takes the line to :math:`-1 < t < 1`, and :math:`x = a + s\, t /
(1 - t)` a half-line to :math:`0 < t < 1`, where s is the ``scale``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import sympy

from diagrams.typing import Expr
from numerics._cubature import MOST_AXES, Floats, Found, Integrand, adaptive
from numerics._random_integration import FEWEST_EVALS, MOST_SOBOL_AXES, Seed, importance, sobol
from numerics.lower import lower
from numerics.results import format_uncertainty

METHODS = ("cubature", "qmc", "vegas")

Ranges: TypeAlias = Sequence[tuple[Any, Any]]


@dataclass(frozen=True)
class IntegralEstimate:
    """An integral with its error.

    Parameters
    ----------
    value : float
    error : float
        For ``"qmc"`` and ``"vegas"`` a standard error. For ``"cubature"`` the sum of the differences between a rule and
        one of lower degree, usually far above the true error of a smooth integrand.
    n_evals : int
        Points at which the integrand was evaluated.
    converged : bool
        Whether the error is below the tolerance asked for.
    method : str
    reason : str
        Why it has not converged.
    """

    value: float
    error: float
    n_evals: int
    converged: bool
    method: str
    reason: str = ""

    def __str__(self) -> str:
        shown = format_uncertainty(self.value, self.error)
        return shown if self.converged else f"{shown} (not converged: {self.reason})"


def vertex_integral(
    integrand: Any,
    region: Ranges | None = None,
    *,
    variables: Sequence[Expr] | None = None,
    method: str = "cubature",
    rtol: float = 1e-4,
    atol: float = 0.0,
    max_evals: int = 1_000_000,
    seed: Seed = 0,
    scale: float = 1.0,
    backend: str | None = None,
) -> IntegralEstimate:
    """Return the integral of a function over a product of intervals, with its error.

    Parameters
    ----------
    integrand : callable, sympy.Expr or sympy.Integral
        A function of an array of points (n, d) that returns real values (n,); an expression in ``variables``; or an
        integral with numbers as limits, which brings variables and region along.
    region : sequence of (low, high)
        One interval for each coordinate; ends may be infinite.
    variables : sequence of sympy.Symbol
        For an expression: which symbol belongs to each interval.
    method : {"cubature", "qmc", "vegas"}
        Adaptive Gauss-Kronrod (up to two coordinates) or Genz-Malik rules (up to 12); 16 scrambled Sobol sequences (up
        to 64 coordinates); Monte Carlo over an importance grid that adapts.
    rtol, atol : float
        It stops when the error is below ``max(atol, rtol * |value|)``.
    max_evals : int
        Most points. A run that needs more returns what it has, with ``converged=False``.
    seed : int or SeedSequence
        Of ``"qmc"`` and ``"vegas"``; ``"cubature"`` draws nothing.
    scale : float
        Length over which the integrand varies, for infinite ranges.
    backend : {"numpy", "numba"}, optional
        For an expression: how it is evaluated, see :func:`numerics.lower.lower`; numpy if nothing is said.

    Returns
    -------
    IntegralEstimate

    Raises
    ------
    ValueError
        For a region, method or number that does not fit, symbols without values, or an integrand that is infinite or
        not a number at a point (the text names it).
    TypeError
        If the integrand is none of the above, or its values are not real.

    Examples
    --------
    >>> import numpy as np
    >>> found = vertex_integral(lambda x: np.exp(-(x**2).sum(-1)), [(-np.inf, np.inf)] * 2, rtol=1e-10)
    >>> abs(found.value - np.pi) < 1e-10
    True
    >>> y = sympy.Symbol("y")
    >>> found = vertex_integral(y**2, [(0, 3)], variables=[y], method="qmc")
    >>> found.converged, abs(found.value - 9) < 5 * found.error
    (True, True)
    """
    function, ranges = _read(integrand, region, variables, backend)
    _check(method, len(ranges), rtol, atol, max_evals, scale)
    mapped = _on_unit_cube(function, ranges, scale)
    options = {"rtol": rtol, "atol": atol, "max_evals": max_evals}
    if method == "cubature":
        found: Found = adaptive(mapped, len(ranges), **options)  # type: ignore[arg-type]
    else:
        draw = sobol if method == "qmc" else importance
        found = draw(mapped, len(ranges), **options, seed=seed)  # type: ignore[arg-type]
    return IntegralEstimate(found.value, found.error, found.n_evals, not found.reason, method, found.reason)


def _read(
    integrand: Any, region: Ranges | None, variables: Sequence[Expr] | None, backend: str | None
) -> tuple[Integrand, list[tuple[float, float]]]:
    """Return a function of points and the intervals as numbers."""
    if isinstance(integrand, sympy.Integral):
        if region is not None or variables is not None:
            raise ValueError("a sympy Integral has its own limits: leave out region and variables")
        if any(len(limit) != 3 for limit in integrand.limits):
            raise ValueError(f"the integral {integrand} has no limits for some variable; give (variable, low, high)")
        variables = [limit[0] for limit in integrand.limits]
        region, integrand = [(limit[1], limit[2]) for limit in integrand.limits], integrand.function
    if region is None:
        raise ValueError("give the region: one (low, high) for each coordinate, ends may be infinite")
    ranges = [_interval(k, pair) for k, pair in enumerate(region)]
    if not ranges:
        raise ValueError("the region has no intervals: there is nothing to integrate over")
    if isinstance(integrand, sympy.Expr):
        if variables is None or len(variables) != len(ranges):
            raise ValueError(f"an expression needs variables=, one symbol for each of the {len(ranges)} intervals")
        kernel = lower(integrand, arguments=tuple(variables), backend=backend or "numpy")
        return lambda points: kernel(*points.T), ranges
    if not callable(integrand):
        raise TypeError(f"the integrand must be a function or a sympy expression, got {type(integrand).__name__}")
    if variables is not None or backend is not None:
        raise ValueError("variables and backend are for sympy expressions; a function is called as it is")
    return _checked_function(integrand), ranges


def _interval(k: int, pair: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in pair)
    except (TypeError, ValueError):
        raise ValueError(f"interval {k} must be (low, high) with numbers, got {pair!r}") from None
    if not low < high:
        raise ValueError(f"interval {k} must have low < high, got {pair!r}")
    return low, high


def _check(method: str, d: int, rtol: float, atol: float, max_evals: int, scale: float) -> None:
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; choose one of {', '.join(map(repr, METHODS))}")
    if not (rtol >= 0 and atol >= 0 and rtol + atol > 0):
        raise ValueError(f"rtol and atol must not be negative, and one positive; got rtol={rtol}, atol={atol}")
    if not 0 < scale < np.inf:
        raise ValueError(f"scale must be a positive length, got {scale}")
    most = {"cubature": MOST_AXES, "qmc": MOST_SOBOL_AXES}.get(method)
    if most is not None and d > most:
        other = "'qmc' or 'vegas'" if method == "cubature" else "'vegas'"
        raise ValueError(f"method {method!r} takes up to {most} coordinates, got {d}; use method={other}")
    if max_evals < FEWEST_EVALS:
        raise ValueError(f"max_evals must be at least {FEWEST_EVALS}, got {max_evals}")


def _checked_function(function: Callable[[Floats], Any]) -> Integrand:
    def evaluate(points: Floats) -> Floats:
        values = np.asarray(function(points))
        if values.dtype.kind not in "iuf":
            raise TypeError(
                f"the integrand must return real numbers, got an array of dtype {values.dtype}; integrate real and "
                "imaginary part by themselves"
            )
        if values.shape != (len(points),):
            raise ValueError(
                f"the integrand must return one value for each point: for points of shape {points.shape} it returned "
                f"an array of shape {values.shape}, expected ({len(points)},)"
            )
        return values.astype(np.float64, copy=False)

    return evaluate


def _on_unit_cube(function: Integrand, ranges: list[tuple[float, float]], scale: float) -> Integrand:
    """Return the function with the Jacobian of the maps from the unit interval to each range."""

    def evaluate(u: Floats) -> Floats:
        columns = [_mapped(u[:, k], low, high, scale) for k, (low, high) in enumerate(ranges)]
        points = np.stack([x for x, _ in columns], axis=1)
        values = function(points)
        finite = np.isfinite(values)
        if not finite.all():
            place = int(np.argmin(finite))
            where = ", ".join(f"{x:.6g}" for x in points[place])
            raise ValueError(
                f"the integrand is {values[place]} at ({where}); it must be finite inside the region. Cut the "
                "singularity out, or write the integrand so that factors do not overflow"
            )
        for _, jacobian in columns:
            values = values * jacobian
        return values

    return evaluate


def _mapped(u: Floats, low: float, high: float, scale: float) -> tuple[Floats, Any]:
    """Return positions and Jacobian for numbers in the unit interval."""
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * u, high - low
    if np.isfinite(low):
        return low + scale * u / (1 - u), scale / (1 - u) ** 2
    if np.isfinite(high):
        return high - scale * (1 - u) / u, scale / u**2
    t, gap = 2 * u - 1, 4 * u * (1 - u)  # 1 - t**2 without cancellation
    return scale * t / gap, 2 * scale * (1 + t**2) / gap**2
