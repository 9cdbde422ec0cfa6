"""Couplings of the reconstructed action as tensors on points, as series in one or several expansion parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import sympy

from diagrams.reconstruction import coupling_diagrams, reconstruction_rules
from numerics.contract import (
    Graded,
    Powers,
    Tensor,
    add_powers,
    amputate_graded,
    graded_diagram_sum,
    is_kept,
    product,
)


class PointCouplings(NamedTuple):
    """Couplings ``g_n`` and what the diagrams without legs add to the logarithm of the normalisation."""

    couplings: dict[int, Graded]
    log_normalisation: Graded


def point_couplings(correlators: Mapping[int, Graded], *, limit: Powers) -> PointCouplings:
    r"""Return all couplings through the powers ``limit``, and the vacuum diagrams, exactly if the input is exact.

    .. math:: g_n = \delta_{n2} D - \sum_\Gamma \frac{(-1)^I}{|\mathrm{Aut}\,\Gamma|} \prod_v G_c^{(r_v)}
              \prod_{\mathrm{internal}} D \prod_{\mathrm{external}} D, \qquad
              \log Z = \tfrac12 \log\det 2 \pi G_2 + g_0

    (arXiv:2307.03223, section 3), with :math:`D = G_2^{-1}` of the whole two-point function as a series: expanding it
    is the same as allowing vertices with two legs. :math:`g_0` is the sum of the diagrams without legs, which is the
    logarithm of the norm of the Edgeworth series.

    Parameters
    ----------
    correlators : mapping from n to mapping from powers to array ``(m,) * n``
        Connected correlators for n = 2, 3, ... as series; those that vanish may be left out. Arrays of float64, or
        object arrays of Fractions.
    limit : tuple of Fraction
        Highest power of each expansion parameter kept.

    Returns
    -------
    PointCouplings
        Without the logarithm of the determinant of the two-point function at powers zero.

    Raises
    ------
    ValueError
        If the two-point function at powers zero is singular or missing, or a correlator of three points or more
        survives at powers zero.
    """
    _check_powers(correlators, limit)
    inverse_series, log_det = invert_series(correlators[2], limit)
    vertices = {n: graded for n, graded in correlators.items() if n > 2 and graded}
    even = not any(n % 2 for n in vertices)
    couplings: dict[int, Graded] = {2: dict(inverse_series)}
    log_normalisation: Graded = log_det
    for n, loops in needed_diagrams(vertices, limit):
        bare = _bare_coupling(n, loops, even, vertices, inverse_series, limit)
        if n == 0:
            log_normalisation = _sum(log_normalisation, bare)
        else:
            part = amputate_graded(bare, inverse_series, limit, n)
            couplings[n] = _sum(couplings.get(n, {}), part)
    return PointCouplings({n: couplings[n] for n in sorted(couplings) if couplings[n]}, log_normalisation)


def _check_powers(correlators: Mapping[int, Graded], limit: Powers) -> None:
    zero = (Fraction(0),) * len(limit)
    if zero not in correlators.get(2, {}):
        raise ValueError("the two-point function has no part of order zero: there is no Gaussian action to start from")
    for n, graded in correlators.items():
        for powers in graded:
            if len(powers) != len(limit) or min(powers) < 0 or (n > 2 and not any(powers)):
                shown = ", ".join(map(str, powers))
                raise ValueError(
                    f"the {n}-point correlator has a part with powers ({shown}) of the expansion parameters: the "
                    "number of diagrams at each order is finite only if every correlator of three points or more "
                    "carries a positive power; give what survives an expansion parameter of its own"
                )


def needed_diagrams(vertices: Mapping[int, Graded], limit: Powers) -> list[tuple[int, int]]:
    """Return the (number of legs, number of loops) of the connected diagrams that stay within the limit.

    Examples
    --------
    >>> one = Fraction(1)
    >>> needed_diagrams({4: {(one,): np.zeros((1, 1, 1, 1))}}, (one,))
    [(0, 2), (2, 1), (4, 0)]
    """
    steps = {(n - 2, powers) for n, graded in vertices.items() for powers in graded if is_kept(powers, limit)}
    reached, new = set(), {(0, (Fraction(0),) * len(limit))}
    while new:
        reached |= new
        sums = {(excess + step, add_powers(powers, own)) for excess, powers in new for step, own in steps}
        new = {(excess, powers) for excess, powers in sums if is_kept(powers, limit)} - reached
    # a connected diagram with vertices r has sum (r - 2) = n + 2 (L - 1)
    excesses = {excess for excess, _ in reached if excess}
    return sorted({(n, (excess - n) // 2 + 1) for excess in excesses for n in range(excess % 2, excess + 3, 2)})


def _bare_coupling(
    n: int, loops: int, even: bool, vertices: Mapping[int, Graded], inverse_series: Graded, limit: Powers
) -> Graded:
    found = coupling_diagrams(n, loops, even=even)
    top = n + 2 * loops
    tensors: dict[str, Graded] = {f"G{r}": vertices.get(r, {}) for r in range(3, top + 1)}
    return graded_diagram_sum(found, _rules(top, even), tensors | {"D": inverse_series}, limit)


@cache
def _rules(max_valence: int, even: bool) -> Any:
    return reconstruction_rules(max_valence, even=even)


def _sum(a: Graded, b: Graded) -> Graded:
    found = dict(a)
    for powers, tensor in b.items():
        found[powers] = np.asarray(found[powers] + tensor) if powers in found else tensor
    return found


def invert_series(kernel: Graded, limit: Powers) -> tuple[Graded, Graded]:
    r"""Return the inverse of a series of symmetric matrices, and :math:`\tfrac12 \log\det` of it against order zero.

    .. math:: (K + \Delta)^{-1} = \sum_p (-K^{-1} \Delta)^p K^{-1}, \qquad
              \tfrac12 \log\det(1 + K^{-1} \Delta) = \tfrac12 \sum_p \frac{(-1)^{p+1}}{p} \mathrm{tr} (K^{-1} \Delta)^p

    Raises
    ------
    ValueError
        If the matrix of order zero is singular.
    """
    zero = (Fraction(0),) * len(limit)
    base = inverse(kernel[zero])
    ratio = {powers: base @ matrix for powers, matrix in kernel.items() if any(powers) and is_kept(powers, limit)}
    found: Graded = {zero: base}
    log_det: Graded = {}
    power, p = dict(ratio), 1
    while power:
        found = _sum(found, {powers: (-1) ** p * matrix @ base for powers, matrix in power.items()})
        half = {q: np.asarray(np.trace(matrix) * Fraction((-1) ** (p + 1), 2 * p)) for q, matrix in power.items()}
        log_det = _sum(log_det, half)
        power, p = product(power, ratio, limit, np.matmul), p + 1
    return found, log_det


def coupling_tensors(correlators: Mapping[int, Tensor], *, order: int, even: bool) -> dict[int, dict[Any, Tensor]]:
    """Return all couplings through ``N**-order`` of independent neurons as tensors, exactly if the input is exact.

    Parameters
    ----------
    correlators : mapping from n to array ``(m,) * n``
        ``N**(n/2 - 1) G_c^(n)`` for n = 2 ... 2 order + 2: float64, or object arrays of Fractions.
    order : int
        Highest power of 1/N kept.
    even : bool
        All odd correlators vanish (and need not be given).

    Returns
    -------
    dict from n to dict from exponent of 1/N to array ``(m,) * n``

    Raises
    ------
    ValueError
        If a correlator is missing or the two-point function is singular.
    """
    step = 2 if even else 1
    missing = [n for n in range(2, 2 * order + 3, step) if n not in correlators]
    if missing:
        raise ValueError(f"the action through N^-{order} needs the {missing}-point correlators too")
    used = {n: correlators[n] for n in range(2, 2 * order + 3, step)}
    graded = independent_series(used)
    found = point_couplings(graded, limit=(Fraction(order),))
    return {n: by_exponent(parts) for n, parts in found.couplings.items()}


def independent_series(correlators: Mapping[int, Tensor]) -> dict[int, Graded]:
    """Return ``N**(n/2 - 1) G_c^(n)`` as series in 1/N of one term."""
    return {n: {(Fraction(n, 2) - 1,): tensor} for n, tensor in correlators.items()}


def by_exponent(graded: Graded) -> dict[Any, Tensor]:
    """Return a series with sympy exponents as keys, lowest first; tuples of them if there are several parameters."""
    keys = {powers: tuple(sympy.Rational(e.numerator, e.denominator) for e in powers) for powers in graded}
    ordered: Sequence[Powers] = sorted(graded, key=lambda powers: (sum(powers), powers))
    return {keys[p] if len(p) > 1 else keys[p][0]: graded[p] for p in ordered}


def inverse(matrix: Tensor) -> Tensor:
    """Return the inverse of a symmetric matrix, exact for object arrays of Fractions.

    Raises
    ------
    ValueError
        If the matrix is singular.
    """
    if matrix.dtype != object:
        return np.asarray(np.linalg.inv(matrix))
    size = len(matrix)
    rows = [[Fraction(v) for v in row] + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(matrix)]
    for c in range(size):
        pivot = next((r for r in range(c, size) if rows[r][c]), None)
        if pivot is None:
            raise ValueError("the two-point function is singular: it has no inverse on these points")
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(size):
            if r != c and rows[r][c]:
                factor = rows[r][c]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[c], strict=True)]
    result = np.empty((size, size), object)
    result[:] = [row[size:] for row in rows]
    return result
