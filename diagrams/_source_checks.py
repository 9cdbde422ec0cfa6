"""Checks of what users give as correlators: functions, tensors, widths and powers of N."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.pointfunctions import PointFunction
from diagrams.series import Series
from diagrams.symbols import coordinates, relabelled, symbol
from diagrams.typing import Expr

SYMMETRY_TOLERANCE = 1e-8  # of the largest entry, for numbers
SCALINGS = ("powers", "independent")


def check_numbers_of_points(given: Mapping[int, Any]) -> None:
    """Raise TypeError or ValueError unless a mapping from positive integers was given."""
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f"give a mapping from the number of points, such as {{2: ..., 4: ...}}, got {given!r}")
    if wrong := [n for n in given if isinstance(n, bool) or not isinstance(n, int) or n < 1]:
        raise ValueError(f"numbers of points must be positive integers, got {wrong[0]!r}")


def check_input_dim(input_dim: int | None) -> None:
    """Raise ValueError unless a positive integer or None was given."""
    if input_dim is not None and (isinstance(input_dim, bool) or not isinstance(input_dim, int) or input_dim < 1):
        raise ValueError(f"input_dim must be a positive integer, or None for abstract points, got {input_dim!r}")


def checked_width(width: Any) -> Expr:
    """Return a positive width as an exact expression."""
    value = sympy.nsimplify(sympy.sympify(width), rational=True)
    if value.is_positive is False or value.is_finite is False or (value.is_number and not value.is_positive):
        raise ValueError(f"the width must be positive and finite, got {width!r}")
    return value


def expression_of(function: Callable[..., Expr] | Expr, n: int, dim: int | None) -> Expr:
    """Return an n-point function as an expression in the coordinates of x_1 ... x_n."""
    points = [coordinates(i + 1, dim or 1) for i in range(n)]
    if callable(function) and not isinstance(function, sympy.Basic):
        function = function(*(p[0] if len(p) == 1 else p for p in points))
    try:
        expr = sympy.sympify(function, strict=True)
    except sympy.SympifyError:
        expr = None
    if not isinstance(expr, sympy.Expr):
        raise TypeError(f"the {n}-point function must give a sympy expression, got {function!r}")
    allowed = {c for p in points for c in p}
    foreign = sorted(s.name for s in expr.free_symbols - allowed if s.name.startswith("x_"))
    if foreign:
        raise ValueError(
            f"the {n}-point function contains {foreign}; its points are {sorted(c.name for c in allowed)}"
            + ("" if dim is None else f" for input_dim={dim}")
        )
    return sympy.nsimplify(expr, rational=True) if expr.has(sympy.Float) else expr


def check_symmetric(expr: Expr, n: int, dim: int | None) -> None:
    """Exchange neighbouring points: as expressions, then at rational points."""
    for i in range(n - 1):
        order = [*range(i), i + 1, i, *range(i + 2, n)]
        moved = expr.xreplace(relabelled(tuple(order), dim or 1))
        if moved != expr and not _equal(moved - expr):
            raise ValueError(
                f"the {n}-point function is not symmetric: exchanging x_{i + 1} and x_{i + 2} changes it; "
                "correlators are symmetric functions of their points"
            )


def _equal(difference: Expr) -> bool:
    """Return True if an expression vanishes: after expansion, or else at ten random rational points."""
    if sympy.expand_mul(difference) == 0:
        return True
    if difference.has(PointFunction) or difference.atoms(sympy.core.function.AppliedUndef):
        return False
    rng = np.random.default_rng(0)
    names = sorted(difference.free_symbols, key=lambda s: s.name)
    for _ in range(10):
        values = {s: sympy.Rational(int(rng.integers(1, 1000)), 499) for s in names}
        terms = [t.xreplace(values).evalf(30) for t in sympy.Add.make_args(difference)]
        if abs(sympy.Add(*terms)) > 1e-12 * (1 + sympy.Add(*map(abs, terms))):
            return False
    return True


def scaled_series(expr: Expr, n: int, scaling: Mapping[int, Expr] | str) -> Series:
    """Return an n-point function as a Series in 1/N, its orders known as ``scaling`` says."""
    width, parameters = symbol("N"), (1 / symbol("N"),)
    if scaling == "powers":
        return Series(parameters, tuple(((-power,), rest) for rest, power in _powers_of_n(expr, n)))
    if expr.has(width):
        raise ValueError(f"the {n}-point function contains N; with scaling={scaling!r} it must not (use 'powers')")
    if scaling == "independent":
        return Series(parameters, (((sympy.Rational(n, 2) - 1,), expr),))
    if not isinstance(scaling, Mapping) or n not in scaling:
        raise ValueError(f"scaling must be one of {SCALINGS} or give an exponent for n = {n}, got {scaling!r}")
    return Series(parameters, (((sympy.nsimplify(scaling[n]),), expr),))


def _powers_of_n(expr: Expr, n: int) -> list[tuple[Expr, Expr]]:
    """Return (coefficient, exponent of N) pairs; only terms that need it are multiplied out."""
    width, found = symbol("N"), []
    for term in sympy.Add.make_args(expr):
        rest, power = term.as_coeff_exponent(width)
        if not rest.has(width) and (2 * power).is_Integer:
            found.append((rest, power))
            continue
        expanded = sympy.expand_mul(term)
        if not expanded.is_Add:
            raise ValueError(f"the {n}-point function must be a sum of powers of N (halves allowed), got {term}")
        found += _powers_of_n(expanded, n)
    return found


def checked_tensor(tensor: Any, n: int) -> NDArray[Any]:
    """Return a symmetric tensor of n equal axes."""
    array = np.asarray(tensor, dtype=np.float64)
    if array.ndim != n or len(set(array.shape)) != 1 or not array.size:
        raise ValueError(f"the {n}-point function must have {n} equal axes, one per point, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"the {n}-point function contains values that are not finite")
    scale = np.abs(array).max()
    for axes in permutations(range(n)) if n <= 3 else _neighbours(n):
        if np.abs(array - array.transpose(axes)).max() > SYMMETRY_TOLERANCE * scale:
            raise ValueError(f"the {n}-point function is not symmetric: exchanging its axes as {axes} changes it")
    return array


def _neighbours(n: int) -> list[tuple[int, ...]]:
    return [(*range(i), i + 1, i, *range(i + 2, n)) for i in range(n - 1)]
