"""Which connected correlators enter a reconstruction: their powers of the expansion parameters, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

import sympy

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators
from diagrams.series import Exponents
from diagrams.symbols import symbol
from diagrams.theory import check_order
from diagrams.typing import Expr

Functions = dict[str, tuple[int, Exponents]]


def checked_orders(parameters: tuple[Expr, ...], order: Any) -> tuple[int, ...]:
    """Return the highest power of each parameter.

    Parameters
    ----------
    parameters : tuple of sympy.Expr
    order : int or mapping from names of parameters to int
        A plain integer for a single parameter; else every parameter by name.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not named or unknown (the text lists them), or a power is not an integer >= 0.

    Examples
    --------
    >>> checked_orders((1 / symbol("N"), symbol("alpha")), {"alpha": 1, "1/N": 2})
    (2, 1)
    """
    names = [str(p) for p in parameters]
    if not isinstance(order, Mapping):
        if len(names) == 1:
            return (check_order("order", order),)
        example = "{" + ", ".join(f'"{name}": 1' for name in names) + "}"
        raise ValueError(
            f"these correlators are expansions in {names}: give the order of each, such as order={example}"
        )
    if unknown := [name for name in order if name not in names]:
        raise ValueError(f"unknown expansion parameter(s) {unknown}; these correlators are expansions in {names}")
    if missing := [name for name in names if name not in order]:
        raise ValueError(f"order does not name {missing}; give the highest power of every one of {names}")
    return tuple(check_order(f"order[{name!r}]", order[name]) for name in names)


@dataclass(frozen=True)
class VertexOrders:
    """The coefficient functions of connected correlators that are vertices through an order; see :func:`vertex_orders`.

    Parameters
    ----------
    parameters : tuple of sympy.Expr
        Expansion parameters.
    order : tuple of int
        Highest power kept of each.
    functions : tuple of (str, (int, exponents))
        Name, number of points and powers of each coefficient function, few points first.
    needed : tuple of int
        Numbers of points that matter at this order.
    """

    parameters: tuple[Expr, ...]
    order: tuple[int, ...]
    functions: tuple[tuple[str, tuple[int, Exponents]], ...]
    needed: tuple[int, ...]

    @property
    def max_points(self) -> int:
        """Highest number of points that matters."""
        return max(self.needed)

    def keys(self, n: int) -> tuple[Exponents, ...]:
        """Return the powers of the parameters that the n-point vertices carry."""
        return tuple(key for _, (points, key) in self.functions if points == n)

    def names(self) -> dict[tuple[int, Exponents], str]:
        """Return the name of each coefficient function."""
        return {place: name for name, place in self.functions}


def vertex_orders(correlators: ConnectedCorrelators, order: Any) -> VertexOrders:
    r"""Return the vertices of the diagrams of an action through an order, after all checks of the correlators.

    A connected r-point function enters with every power of the expansion parameters that it has; the two-point
    function at zeroth order is the propagator and its other terms are vertices with two lines. An L-loop diagram with
    n legs has :math:`\sum_v (r_v/2 - 1) = n/2 - 1 + L`. If every vertex has :math:`\sum_i c_i e_i \geq r/2 - 1`, with
    :math:`c_i = 1` for 1/N unless the correlators given need more, no more than
    :math:`2 \sum_i c_i\,\mathrm{order}_i + 2` points matter; it is assumed that correlators of more points than were
    given go on like those that were.

    Raises
    ------
    TypeError, ValueError
        If the order is not understood, correlators of too few points are given (the text names the missing ones),
        a series is not known far enough, or infinitely many diagrams would contribute because a correlator of three
        or more points survives at zeroth order or the two-point function has no zeroth order.
    """
    parameters = correlators.source.correlator_series(2).parameters
    highest = checked_orders(parameters, order)
    step = 2 if correlators.source.is_even else 1
    slopes = [sympy.S.One if p == 1 / symbol("N") else sympy.S.Zero for p in parameters]
    known: dict[int, tuple[Exponents, ...]] = {}
    for n in range(2, correlators.max_points + 1, step):  # all of them: any may need more points than 1/N alone
        known[n] = _keys(correlators, n)
        _check_keys(n, known[n], parameters)
        _update_slopes(slopes, n, [k for k in known[n] if n > 2])
    top = _top(slopes, highest)
    functions: list[tuple[str, tuple[int, Exponents]]] = []
    for n, keys in known.items():
        if n <= top:
            _check_known(correlators, n, highest)
            kept = [k for k in keys if any(k) and all(e <= h for e, h in zip(k, highest, strict=True))]
            functions += [(_name(n, k, single=len(keys) == 1), (n, k)) for k in kept]
    needed = tuple(range(2, top + 1, step))
    if missing := [m for m in needed if m > correlators.max_points]:
        raise ValueError(
            f"the action through {_powers_text(parameters, highest)} needs the connected correlators of {missing} "
            f"points, but these stop at max_points={correlators.max_points}; use "
            f"connected_correlators(max_points={top})"
        )
    return VertexOrders(parameters, highest, tuple(functions), needed)


def _top(slopes: list[Expr], highest: tuple[int, ...]) -> int:
    return 2 + floor(2 * sum(c * h for c, h in zip(slopes, highest, strict=True)))


def _update_slopes(slopes: list[Expr], n: int, keys: list[Exponents]) -> None:
    """Raise the slopes c until every key has sum c e >= n/2 - 1, those of later parameters first."""
    for key in keys:
        lack = sympy.Rational(n, 2) - 1 - sum(c * e for c, e in zip(slopes, key, strict=True))
        if lack > 0:
            last = max(i for i, e in enumerate(key) if e)
            slopes[last] += lack / key[last]


def _keys(correlators: ConnectedCorrelators, n: int) -> tuple[Exponents, ...]:
    """Return the powers in the n-point function."""
    if isinstance(correlators.source, Architecture):  # independent identical neurons; long formulas need not be made
        return ((sympy.Rational(n, 2) - 1,),)
    return tuple(key for key, _ in correlators.source.correlator_series(n).terms)


def _check_known(correlators: ConnectedCorrelators, n: int, highest: tuple[int, ...]) -> None:
    if isinstance(correlators.source, Architecture):  # exact
        return
    series = correlators.source.correlator_series(n)
    for p, stop, h in zip(series.parameters, series.remainder or (), highest, strict=False):
        if stop <= h:
            raise ValueError(
                f"the action through order {h} in {p} needs the {n}-point correlator to that order, but it is only "
                f"known below order {stop}; ask for more where the correlators are made, or for a lower order here"
            )


def _check_keys(n: int, keys: tuple[Exponents, ...], parameters: tuple[Expr, ...]) -> None:
    names = [str(p) for p in parameters]
    for key in keys:
        for name, power in zip(names, key, strict=True):
            if power < 0:
                raise ValueError(
                    f"the {n}-point correlator contains {name} to the power {power}; the expansion needs powers >= 0: "
                    "absorb the growth into another parameter (for example alpha = a/N with a fixed)"
                )
    if n == 2 and not any(not any(key) for key in keys):
        raise ValueError(
            f"the 2-point correlator has no part of order zero in {names}, so there is no free action to expand "
            "around; rescale the field so that its variance is of order one"
        )
    if n > 2 and any(not any(key) for key in keys):
        raise ValueError(
            f"the {n}-point correlator has a part of order zero in {names} (it survives the limit in which they "
            "vanish), so infinitely many diagrams contribute to every order; give the part that survives an expansion "
            "parameter of its own, for example the variance of a shared parameter: "
            'expand_in(correlators, {"v": 1}) makes the symbol v one'
        )


def _name(n: int, key: Exponents, *, single: bool) -> str:
    return f"G{n}" if single and n > 2 else f"G{n}[{','.join(str(e) for e in key)}]"


def _powers_text(parameters: tuple[Expr, ...], highest: tuple[int, ...]) -> str:
    shown = [f"N^-{h}" if str(p) == "1/N" else f"{p}^{h}" for p, h in zip(parameters, highest, strict=True)]
    return " and ".join(shown)


def remainder_of(n: int, vertices: VertexOrders) -> Exponents:
    """Return the first powers at which the coupling ``g_n`` was not computed.

    A parameter whose powers are ``r/2 - 1`` plus integers at every r-point vertex has powers ``n/2 - 1`` plus integers
    in ``g_n``; otherwise the common denominator of all powers counts.
    """
    result = []
    for i, h in enumerate(vertices.order):
        powers = [(r, key[i]) for _, (r, key) in vertices.functions]
        lead = sympy.Rational(n, 2) - 1
        if all((e - sympy.Rational(r, 2)).is_integer for r, e in powers) and vertices.parameters[i] == 1 / symbol("N"):
            result.append(lead + max(0, floor(Fraction(h) - Fraction(int(lead.p), int(lead.q))) + 1))
        else:
            step = sympy.ilcm(1, 1, *(e.q for _, e in powers))
            result.append(h + sympy.Rational(1, step))
    return tuple(result)
