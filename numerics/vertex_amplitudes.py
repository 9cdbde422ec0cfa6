"""Amplitudes of diagrams as numbers: vertices integrated over continuous positions, with the error of the integrals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from diagrams.pointfunctions import PointFunction, expand_channels
from diagrams.symbols import external_point
from diagrams.typing import Expr, PointLike
from numerics._random_integration import Seed
from numerics.integrals import IntegralEstimate, vertex_integral


def vertex_amplitude(
    amplitude: Expr,
    functions: Mapping[str, Callable[..., Expr]],
    *,
    points: Sequence[PointLike] = (),
    values: Mapping[Expr, Any] | None = None,
    dim: int = 1,
    region: tuple[Any, Any] | None = None,
    method: str = "cubature",
    rtol: float = 1e-4,
    atol: float = 0.0,
    max_evals: int = 1_000_000,
    seed: Seed = 0,
    scale: float = 1.0,
) -> IntegralEstimate:
    """Return an amplitude as a number with its error; vertices are integrated over continuous positions.

    Parameters
    ----------
    amplitude : sympy.Expr
        As :meth:`diagrams.rules.FeynmanRules.amplitude` gives it, or a sum or product of such: integrals of products of
        functions of points.
    functions : mapping from name to callable
        What the functions of points are, such as ``{"G": lambda x, y: sympy.exp(-abs(x - y)) / 2}``: a sympy expression
        of the points, which are tuples of coordinates for ``dim > 1``.
    points : sequence
        Positions of the external points ``x_1, x_2, ...``.
    values : mapping from symbol to number, optional
        Couplings and other constants.
    dim : int
        Dimension of space.
    region : (low, high), optional
        Interval of every coordinate of a vertex in place of all of space.
    method, rtol, atol, max_evals, seed, scale
        As for :func:`numerics.integrals.vertex_integral`, for each integral.

    Returns
    -------
    IntegralEstimate
        The errors of several integrals add up in quadrature for ``"qmc"`` and ``"vegas"`` (their seeds are
        independent), linearly for ``"cubature"``. It has converged if all integrals and the total have.

    Raises
    ------
    ValueError
        If a function, a point or a constant is missing (the text names it), or as ``vertex_integral`` does.

    Examples
    --------
    >>> from diagrams.pointfunctions import integral
    >>> from diagrams.symbols import integration_point
    >>> x, y = external_point(1), integration_point(1)
    >>> mass = integral(PointFunction("G", x, y) ** 2, [y])  # of exp(-|x - y|)/2
    >>> found = vertex_amplitude(mass, {"G": lambda x, y: sympy.exp(-abs(x - y)) / 2}, points=[0], rtol=1e-8)
    >>> abs(found.value - 1 / 4) < 1e-8
    True
    """
    written = expand_channels(sympy.sympify(amplitude))
    _check_names(written, functions)
    coordinates = _coordinates(written, points, dim)
    numbers = {s: sympy.sympify(v) for s, v in (values or {}).items()}
    integrals = sorted(written.atoms(sympy.Integral), key=str)
    marks = [sympy.Dummy(f"integral_{k}") for k in range(len(integrals))]
    rest = _filled(written.xreplace(dict(zip(integrals, marks, strict=True))), functions, coordinates, numbers)
    if free := sorted(str(s) for s in rest.free_symbols - set(marks)):
        raise ValueError(f"no numbers for the symbol(s) {', '.join(free)}: give them in values= or points=")
    seeds = np.random.SeedSequence(seed if isinstance(seed, int) else seed.generate_state(4).tolist())
    found = [
        vertex_integral(
            _numeric(integral, functions, coordinates, numbers, region),
            method=method,
            rtol=rtol,
            atol=atol,
            max_evals=max_evals,
            seed=child,
            scale=scale,
        )
        for integral, child in zip(integrals, seeds.spawn(len(integrals)), strict=True)
    ]
    return _combined(rest, marks, found, method, atol, rtol)


def _combined(
    rest: Expr, marks: list[Expr], found: list[IntegralEstimate], method: str, atol: float, rtol: float
) -> IntegralEstimate:
    at = {mark: sympy.Float(one.value, 17) for mark, one in zip(marks, found, strict=True)}
    total = sympy.N(rest.xreplace(at), 17)
    if total.is_real is not True:
        raise ValueError(f"the amplitude is not a finite real number but {total}")
    value = float(total)
    parts = [abs(float(rest.diff(mark).xreplace(at))) * one.error for mark, one in zip(marks, found, strict=True)]
    error = float(np.sum(parts)) if method == "cubature" else float(np.linalg.norm(parts))
    reasons = [one.reason for one in found if not one.converged]
    if not reasons and found and error > max(atol, rtol * abs(value)):
        reasons = ["the integrals cancel; ask for a smaller rtol"]
    return IntegralEstimate(
        value, error, sum(one.n_evals for one in found), not reasons, method, reasons[0] if reasons else ""
    )


def _check_names(amplitude: Expr, functions: Mapping[str, Any]) -> None:
    missing = sorted({f.name for f in amplitude.atoms(PointFunction)} - set(functions))
    if missing:
        raise ValueError(f"no function for {', '.join(missing)}; given: {', '.join(sorted(functions)) or 'none'}")


def _coordinates(amplitude: Expr, points: Sequence[PointLike], dim: int) -> dict[Expr, tuple[Expr, ...]]:
    """Return the coordinates of every point: numbers of external points, symbols of those integrated over."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    table: dict[Expr, tuple[Expr, ...]] = {}
    for k, point in enumerate(points):
        given = tuple(point) if isinstance(point, (tuple, list, np.ndarray)) else (point,)
        if len(given) != dim:
            raise ValueError(f"point {k + 1} must have {dim} coordinate(s), got {point!r}")
        table[external_point(k + 1)] = tuple(map(sympy.sympify, given))
    for integral in amplitude.atoms(sympy.Integral):
        for variable in integral.variables:
            table[variable] = tuple(
                variable if dim == 1 else sympy.Symbol(f"{variable.name}_{j + 1}", real=True) for j in range(dim)
            )
    used = set().union(*(f.free_symbols for f in amplitude.atoms(PointFunction)))
    if lost := sorted(str(s) for s in used - set(table)):
        raise ValueError(f"no position for {', '.join(lost)}: points= has {len(points)} position(s)")
    return table


def _filled(
    expr: Expr,
    functions: Mapping[str, Callable[..., Expr]],
    coordinates: Mapping[Expr, tuple[Expr, ...]],
    numbers: Mapping[Expr, Expr],
) -> Expr:
    def value(function: PointFunction) -> Expr:
        places = [coordinates[p] for p in function.points]
        return sympy.sympify(functions[function.name](*(p[0] if len(p) == 1 else p for p in places)))

    table = {f: value(f) for f in expr.atoms(PointFunction)}
    places = {point: place[0] for point, place in coordinates.items() if len(place) == 1}
    return expr.xreplace(table).xreplace({**places, **numbers})


def _numeric(
    integral: Expr,
    functions: Mapping[str, Callable[..., Expr]],
    coordinates: Mapping[Expr, tuple[Expr, ...]],
    numbers: Mapping[Expr, Expr],
    region: tuple[Any, Any] | None,
) -> Expr:
    """Return the integral over coordinates of an expression without functions of points."""
    integrand = _filled(integral.function, functions, coordinates, numbers)
    limits = []
    for variable, *ends in integral.limits:
        if len(ends) != 2:
            raise ValueError(f"the integral over {variable} has no limits")
        low, high = (sympy.sympify(e).xreplace(dict(numbers)) for e in ends)
        if region is not None and (low, high) == (-sympy.oo, sympy.oo):
            low, high = map(sympy.sympify, region)
        limits += [(c, low, high) for c in coordinates[variable]]
    return sympy.Integral(integrand, *limits)
