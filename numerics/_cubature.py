"""Adaptive cubature over boxes: nested rules whose differences say which boxes to halve and along which axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integrand: TypeAlias = Callable[[Floats], Floats]  # points (n, d) to values (n,)

MOST_AXES = 12
_CHUNK = 1 << 17  # points that are evaluated at a time
_SPLIT = 0.1  # boxes with more than this part of the largest error are halved together
_EPSILON = float(np.finfo(np.float64).eps)

# nodes >= 0 of the 15-point Kronrod extension of the 7-point Gauss rule with both weights (QUADPACK, qk15)
_KRONROD = (
    (0.991455371120812639206854697526329, 0.022935322010529224963732008058970, 0.0),
    (0.949107912342758524526189684047851, 0.063092092629978553290700663189204, 0.129484966168869693270611432679082),
    (0.864864423359769072789712788640926, 0.104790010322250183839876322541518, 0.0),
    (0.741531185599394439863864773280788, 0.140653259715525918745189590510238, 0.279705391489276667901467771423780),
    (0.586087235467691130294144838258730, 0.169004726639267902826583426598550, 0.0),
    (0.405845151377397166906606412076961, 0.190350578064785409913256402421014, 0.381830050505118944950369775488975),
    (0.207784955007898467600689403773245, 0.204432940075298892414161999234649, 0.0),
    (0.000000000000000000000000000000000, 0.209482141084727828012999174891714, 0.417959183673469387755102040816327),
)


@dataclass(frozen=True, eq=False)
class Rule:
    """Nodes in the cube from -1 to 1 and, as rows of weights, the averages that are formed of the values there.

    Parameters
    ----------
    nodes : array (n_nodes, d)
    weights : array (2 + d, n_nodes)
        The rule, one of lower degree, and for each axis a difference that says how rough the integrand is along it.
    """

    nodes: Floats
    weights: Floats


@dataclass(frozen=True)
class Found:
    """Value and error of an integral, the number of evaluations, and why the method stopped early (or nothing)."""

    value: float
    error: float
    n_evals: int
    reason: str = ""


@cache
def rule(d: int) -> Rule:
    """Return products of 15-point Gauss-Kronrod rules for one or two axes, Genz-Malik rules for more."""
    return _kronrod(d) if d <= 2 else _genz_malik(d)


def _kronrod(d: int) -> Rule:
    rows = [(x, k, g) for x, k, g in _KRONROD] + [(-x, k, g) for x, k, g in _KRONROD if x]
    x, fine, coarse = np.array(rows).T
    fine, coarse = fine / 2, coarse / 2
    nodes = np.array(list(product(x, repeat=d)))

    def weights(*per_axis: Floats) -> Floats:
        return np.prod(np.array(list(product(*per_axis))), axis=1)

    full = weights(*[fine] * d)
    rough = [full - weights(*(coarse if j == k else fine for j in range(d))) for k in range(d)]
    return Rule(nodes, np.array([full, weights(*[coarse] * d), *rough]))


def _genz_malik(d: int) -> Rule:
    """Return the rule of degree 7 with its embedded rule of degree 5 (Genz and Malik 1980)."""
    near, far, corner = np.sqrt(9 / 70), np.sqrt(9 / 10), np.sqrt(9 / 19)
    unit = np.eye(d)
    pairs = [far * (s * unit[i] + t * unit[j]) for i, j in combinations(range(d), 2) for s in (1, -1) for t in (1, -1)]
    corners = corner * np.array(list(product((1.0, -1.0), repeat=d)))
    nodes = np.concatenate([np.zeros((1, d)), near * unit, -near * unit, far * unit, -far * unit, pairs, corners])
    counts = (1, 2 * d, 2 * d, len(pairs), len(corners))
    first = (12824 - 9120 * d + 400 * d**2) / 19683
    fine = (first, 980 / 6561, (1820 - 400 * d) / 19683, 200 / 19683, 6859 / 19683 / 2**d)
    coarse = ((729 - 950 * d + 50 * d**2) / 729, 245 / 486, (265 - 100 * d) / 1458, 25 / 729, 0.0)
    rough = np.zeros((d, len(nodes)))
    for k in range(d):  # fourth differences
        rough[k, 0] = -2 + 2 / 7
        rough[k, [1 + k, 1 + d + k]], rough[k, [1 + 2 * d + k, 1 + 3 * d + k]] = 1.0, -1 / 7
    return Rule(nodes, np.array([np.repeat(fine, counts), np.repeat(coarse, counts), *rough]))


def adaptive(f: Integrand, d: int, *, rtol: float, atol: float, max_evals: int) -> Found:
    """Return the integral over the unit cube; the error is the sum of the differences of the two rules over all boxes.

    Parameters
    ----------
    f : callable
    d : int
    rtol, atol : float
        It stops when the error is below ``max(atol, rtol * |value|)``.
    max_evals : int

    Returns
    -------
    Found
    """
    used = rule(d)
    n_nodes = len(used.nodes)
    centres, halves = np.full((1, d), 0.5), np.full((1, d), 0.5)
    values, errors, axes = _apply(f, used, centres, halves)
    n_evals = n_nodes
    while True:
        value, error = float(values.sum()), float(errors.sum() + 4 * _EPSILON * np.abs(values).sum())
        if error <= max(atol, rtol * abs(value)):
            return Found(value, error, n_evals)
        rows = np.arange(len(axes))
        is_divisible = halves[rows, axes] > 8 * _EPSILON * np.abs(centres[rows, axes])
        chosen = np.flatnonzero(is_divisible & (errors >= _SPLIT * errors.max()))
        room = (max_evals - n_evals) // (2 * n_nodes)
        if room < 1:
            return Found(value, error, n_evals, f"stopped by max_evals={max_evals}")
        if not len(chosen):
            return Found(value, error, n_evals, "boxes at a singularity cannot be halved any more")
        chosen = chosen[np.argsort(-errors[chosen], kind="stable")[:room]]
        new_centres, new_halves = _halved(centres[chosen], halves[chosen], axes[chosen])
        found = _apply(f, used, new_centres, new_halves)
        n_evals += len(new_centres) * n_nodes
        kept = np.ones(len(values), bool)
        kept[chosen] = False
        centres, halves, values, errors, axes = (
            np.concatenate([old[kept], new])
            for old, new in zip((centres, halves, values, errors, axes), (new_centres, new_halves, *found), strict=True)
        )


def _halved(centres: Floats, halves: Floats, axes: NDArray[np.intp]) -> tuple[Floats, Floats]:
    rows = np.arange(len(axes))
    smaller, shift = halves.copy(), np.zeros_like(centres)
    smaller[rows, axes] /= 2
    shift[rows, axes] = smaller[rows, axes]
    return np.concatenate([centres - shift, centres + shift]), np.concatenate([smaller, smaller])


def _apply(f: Integrand, used: Rule, centres: Floats, halves: Floats) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return value, error and roughest axis of every box."""
    step = max(1, _CHUNK // len(used.nodes))
    averages = []
    for start in range(0, len(centres), step):
        c, h = centres[start : start + step, None], halves[start : start + step, None]
        points = c + h * used.nodes
        averages.append(f(points.reshape(-1, points.shape[-1])).reshape(points.shape[:2]) @ used.weights.T)
    found = np.concatenate(averages)
    volume = np.prod(2 * halves, axis=1)
    # a tie goes to the longest side: a difference that vanishes by symmetry must not stop an axis from being halved
    difference = np.abs(found[:, 0] - found[:, 1])
    rough = np.abs(found[:, 2:]) + 1e-3 * difference[:, None] * halves / halves.max(axis=1, keepdims=True)
    return found[:, 0] * volume, difference * volume, np.argmax(rough, axis=1)
