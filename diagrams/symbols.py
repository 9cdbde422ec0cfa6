"""The one factory of symbols: a name always means the same sympy symbol with the same assumptions."""

from __future__ import annotations

from functools import cache

import sympy

_POSITIVE = frozenset({"N", "m", "Lambda", "sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1"})


@cache
def symbol(name: str) -> sympy.Symbol:
    """Return the symbol called ``name`` with the assumptions that the whole package gives it.

    Widths, masses, cutoffs and standard deviations are positive; everything else (points, couplings, expansion
    parameters) is real. Two symbols of one name but different assumptions would silently fail to cancel, so
    nothing in the package calls :class:`sympy.Symbol` for a quantity with a name.

    Parameters
    ----------
    name : str
        For example ``"N"``, ``"lambda"``, ``"sigma_w0"``, ``"x_1"``.

    Returns
    -------
    sympy.Symbol

    Examples
    --------
    >>> symbol("N").is_positive, symbol("x_1").is_real, symbol("N") is symbol("N")
    (True, True, True)
    """
    if name in _POSITIVE:
        return sympy.Symbol(name, positive=True)
    return sympy.Symbol(name, real=True)


def external_point(index: int) -> sympy.Symbol:
    """Return ``x_index``, the point of external leg ``index`` (counted from 1)."""
    return symbol(f"x_{index}")


def integration_point(index: int) -> sympy.Symbol:
    """Return ``y_index``, a point that is integrated over (counted from 1)."""
    return symbol(f"y_{index}")


def coordinates(index: int, input_dim: int) -> tuple[sympy.Symbol, ...]:
    """Return the ``input_dim`` coordinates of external point ``index`` (counted from 1).

    In one dimension that is the point itself, ``x_1``; above it is ``x_{1,1}, x_{1,2}, ...``.
    """
    if input_dim == 1:
        return (external_point(index),)
    return tuple(symbol(f"x_{{{index},{mu}}}") for mu in range(1, input_dim + 1))


@cache
def output_index(index: int) -> sympy.Symbol:
    """Return ``a_index``, the output that external leg ``index`` (counted from 1) belongs to: 0, 1, ..."""
    return sympy.Symbol(f"a_{index}", integer=True, nonnegative=True)


def relabelled(order: tuple[int, ...], input_dim: int) -> dict[sympy.Symbol, sympy.Symbol]:
    """Return the replacement of legs 1, 2, ... (coordinates and output indices) by those of ``order``, counted from 0.

    Examples
    --------
    >>> symbol("x_1").xreplace(relabelled((2,), 1))
    x_3
    """
    moved: dict[sympy.Symbol, sympy.Symbol] = {}
    for new, old in enumerate(order):
        moved |= dict(zip(coordinates(new + 1, input_dim), coordinates(old + 1, input_dim), strict=True))
        moved[output_index(new + 1)] = output_index(old + 1)
    return moved
