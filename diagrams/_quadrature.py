"""Tensor quadrature of smooth integrands with doubling, adaptive quadrature of others in one and two dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import integrate as scipy_integrate
from scipy import special

from diagrams.expectation import Quadrature
from diagrams.typing import Expr

Floats = NDArray[np.float64]
Rule = Callable[[int], tuple[Floats, Floats]]

_FIRST_ORDER = 12
_MAX_ORDER = 3072
_MAX_HERMITE = 384
_MAX_NODES = 1 << 25
_CHUNK = 1 << 20
_MAX_DIMENSIONS = 6


def bessel_ratio(nu: Any, square: Any) -> Any:
    """Return Gamma(nu + 1) (2/z)**nu J_nu(z) of the square of z, by its power series near zero."""
    square = np.asarray(square, dtype=np.float64)
    nu = float(nu)
    z = np.sqrt(np.maximum(square, 1e-2))
    far = special.gamma(nu + 1) * (2 / z) ** nu * special.jv(nu, z)
    near, term = np.ones_like(square), np.ones_like(square)
    small = np.minimum(square, 1e-2)
    for k in range(1, 7):
        term = term * (-small / 4) / (k * (k + nu))
        near = near + term
    return np.where(square < 1e-2, near, far)


_FUNCTIONS = {"BesselRatio": bessel_ratio, "Angle": np.arctan2}


def numeric_function(expr: Expr, variables: Sequence[sympy.Symbol]) -> Callable[..., Any]:
    """Return the expression as a function of arrays.

    Raises
    ------
    NotImplementedError
        If a function in it has no counterpart in NumPy or SciPy.
    """
    names = ", ".join(sorted(map(str, expr.atoms(sympy.Function) - expr.atoms(sympy.Piecewise))))
    try:
        function = sympy.lambdify(list(variables), expr, modules=[_FUNCTIONS, "scipy", "numpy"])
        function(*(0.25 + 0.1 * np.arange(len(variables))[:, None] * np.ones(2)))
    except (NameError, TypeError, ValueError) as error:
        raise NotImplementedError(f"no quadrature with {names}: {error}; sample with numerics.Ensemble") from error
    return function


def integrate(integrand: Expr, limits: Sequence[sympy.Tuple], rtol: float, atol: float) -> Quadrature:
    """Return the integral and an error estimate, which may exceed the tolerance where nothing better was reached."""
    if len(limits) > _MAX_DIMENSIONS:
        raise NotImplementedError(
            f"an integral over {len(limits)} variables is too much for quadrature (at most {_MAX_DIMENSIONS}); "
            "sample the net with numerics.Ensemble"
        )
    function = numeric_function(integrand, [limit[0] for limit in limits])
    rules = [_rule(limit) for limit in limits]
    top = _MAX_HERMITE if any(len(limit) == 1 for limit in limits) else _MAX_ORDER
    order, last, best = _FIRST_ORDER, None, Quadrature(float("nan"), float("inf"))
    while order <= top and order ** len(limits) <= _MAX_NODES:
        value = _tensor(function, [rule(order) for rule in rules])
        if last is not None:
            best = min(best, Quadrature(value, abs(value - last) + 1e-16 * abs(value)), key=lambda q: q.error)
            if best.error <= max(atol, rtol * abs(best.value)):
                return best
        order, last = 2 * order, value
    if len(limits) <= 2:
        adaptive = _adaptive(function, limits, rtol, atol)
        return adaptive if adaptive.error < best.error else best
    return best


def _rule(limit: sympy.Tuple) -> Rule:
    """Return nodes and weights of any order for one variable."""
    if len(limit) == 1:
        return _normal_rule
    lower, upper = (float(end) for end in limit[1:])

    def rule(order: int) -> tuple[Floats, Floats]:
        t, c = special.roots_legendre(order)
        return _mapped(t, c, lower, upper)

    return rule


def _normal_rule(order: int) -> tuple[Floats, Floats]:
    t, c = special.roots_hermitenorm(order)
    return t, c / c.sum()


def _mapped(t: Floats, c: Floats, lower: float, upper: float) -> tuple[Floats, Floats]:
    """Map nodes on (-1, 1) to an interval; an infinite end is reached through an algebraic map."""
    if np.isinf(lower) and np.isinf(upper):
        return t / (1 - t**2), c * (1 + t**2) / (1 - t**2) ** 2
    if np.isinf(upper):
        return lower + (1 + t) / (1 - t), c * 2 / (1 - t) ** 2
    if np.isinf(lower):
        return upper - (1 + t) / (1 - t), c * 2 / (1 - t) ** 2
    half = (upper - lower) / 2
    return lower + half * (1 + t), c * half


def _tensor(function: Callable[..., Any], rules: Sequence[tuple[Floats, Floats]]) -> float:
    """Return the sum over the tensor grid, in pieces along the first axis."""
    shape = [len(nodes) for nodes, _ in rules]
    k, rest = len(shape), int(np.prod(shape[1:]))
    step, total = max(1, _CHUNK // rest), 0.0
    grids = [_on_axis(nodes, axis, k) for axis, (nodes, _) in enumerate(rules)]
    for start in range(0, shape[0], step):
        piece = slice(start, start + step)
        with np.errstate(all="ignore"):
            values = np.asarray(function(grids[0][piece], *grids[1:]), dtype=np.float64)
        values = np.broadcast_to(values, (len(grids[0][piece]), *shape[1:]))
        for _, weights in reversed(rules[1:]):
            values = values @ weights
        total += float(values @ rules[0][1][piece])
    return total


def _on_axis(nodes: Floats, axis: int, n_axes: int) -> Floats:
    return nodes.reshape((1,) * axis + (-1,) + (1,) * (n_axes - axis - 1))


def _adaptive(function: Callable[..., Any], limits: Sequence[sympy.Tuple], rtol: float, atol: float) -> Quadrature:
    """Return the integral over one or two variables by nested adaptive quadrature, for integrands with kinks."""
    ranges = [(-np.inf, np.inf) if len(limit) == 1 else (float(limit[1]), float(limit[2])) for limit in limits]
    normal = [len(limit) == 1 for limit in limits]

    def weighted(*u: float) -> float:
        density = np.prod([np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) for x, n in zip(u, normal, strict=True) if n])
        return float(function(*map(np.asarray, u)) * density)

    options: Any = {"epsrel": rtol / 10, "epsabs": atol / 10, "limit": 200}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy_integrate.IntegrationWarning)
        value, error = scipy_integrate.nquad(weighted, ranges, opts=[options] * len(ranges))[:2]
    return Quadrature(float(value), float(error))
