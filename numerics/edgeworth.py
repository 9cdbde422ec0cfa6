"""The Edgeworth density of the field of a net on a finite set of points, with numbers."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Rational

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators
from diagrams.theory import check_order
from diagrams.value_source import ValueSource
from numerics._edgeworth_density import Edgeworth
from numerics.point_range import MAX_CONDITION
from numerics.point_values import scaled_correlator
from numerics.points import as_points, check_distinct

__all__ = ["Edgeworth", "edgeworth_density"]

MAX_COMPONENTS = 1 << 24  # numbers in the largest tensor: 128 MiB

_Array = NDArray[np.float64]


def edgeworth_density(
    theory: Architecture | ConnectedCorrelators, points: ArrayLike | None = None, *, order: int = 1
) -> Edgeworth:
    """Return the density of the field at a finite set of points from its connected correlators, through ``N**-order``.

    On n points the expansion parameter is (number of points)/N. No diagrams are involved:
    :func:`numerics.point_action` has minus the logarithm, without its constant, from diagrams.

    Parameters
    ----------
    theory : Architecture or ConnectedCorrelators
        With numbers for all parameters and ``G_c^(n)`` of order ``N**(1 - n/2)``; a mean is allowed.
    points : array (n_points, input_dim)
        Distinct points. Left out for correlators given as numbers (``ConnectedCorrelators.from_values``), which have
        their own points.
    order : int
        Highest power of 1/N kept, >= 0; half-integer powers below it are included.

    Returns
    -------
    Edgeworth

    Raises
    ------
    TypeError, ValueError
        For points of the wrong shape or type, points that are not finite or coincide, a variance that is not positive
        or a two-point function that is singular (the text names the points), symbolic parameters, several outputs,
        correlators of too few points (the text names the missing ones) or of another order in 1/N, more components than
        fit, or an impossible order.

    Examples
    --------
    >>> from diagrams.architectures import cos_net
    >>> p = edgeworth_density(cos_net().at(N=20, sigma_w0=1, sigma_w1=1), [[0.0], [1.0]], order=2)
    >>> p
    <Edgeworth density: 2 points, N = 20, through N^-2, even correlators>
    >>> round(float(p.density([0.0, 0.0])), 4), float(p.marginal(0).cumulative([0.0]))
    (0.4261, 0.5)
    """
    check_order("order", order)
    correlators = _correlators(theory, order)
    source = correlators.source
    if isinstance(source, ValueSource):
        if points is not None:
            raise ValueError("these correlators are numbers on their own points: leave out the argument points")
        x, mean = source.points, source.tensor(1)
        tensors = source.scaled_tensors(2 * order + 2)
    else:
        if points is None:
            raise TypeError("points are missing: only correlators given as numbers have their own")
        x = as_points(points, source.input_dim)
        check_distinct(x)
        _check_size(len(x), order)
        orders = [n for n in range(1, 2 * order + 3) if not (source.is_even and n % 2)]
        tensors = {n: scaled_correlator(correlators, n, x) for n in orders}
        mean = sqrt(float(source.width)) * tensors.pop(1) if 1 in tensors else np.zeros(len(x))
    _check_covariance(tensors[2], x)
    return Edgeworth(x, order, float(source.width), mean, tensors)


def _correlators(theory: Architecture | ConnectedCorrelators, order: int) -> ConnectedCorrelators:
    if isinstance(theory, Architecture):
        theory.parameter_values()  # names the symbols that have no numbers
        correlators = theory.connected_correlators(max_points=2 * order + 2)
    elif isinstance(theory, ConnectedCorrelators):
        correlators = theory
    else:
        raise TypeError(f"edgeworth_density takes an Architecture or ConnectedCorrelators, got {type(theory).__name__}")
    source = correlators.source
    if (outputs := getattr(source, "output_dim", 1)) != 1:
        raise ValueError(f"the field must have one output, got output_dim={outputs}; use a net with output_dim=1")
    if not source.width.is_number:
        raise ValueError(
            f"the width is still the symbol {source.width}: give it a number, for example net.at(N=20, ...)"
        )
    needed = [n for n in range(2, 2 * order + 3) if not (source.is_even and n % 2)]
    if missing := [n for n in needed if n > correlators.max_points]:
        raise ValueError(
            f"the density through N^-{order} needs the connected correlators of {missing} points, but these stop at "
            f"max_points={correlators.max_points}; use connected_correlators(max_points={2 * order + 2})"
        )
    for n in [n for n in needed if n <= 4]:  # as for the action: the order of all follows from independent neurons
        wrong = [k for k, _ in source.correlator_series(n).terms if k != (Rational(n, 2) - 1,)]
        if wrong:
            raise ValueError(
                f"the {n}-point correlator contains the power {wrong[0]} of the expansion parameters, but the "
                f"Edgeworth expansion counts it as N^-({Rational(n, 2) - 1}), as for independent identical neurons"
            )
    return correlators


def _check_size(n_points: int, order: int) -> None:
    size = n_points ** (2 * order + 2)
    if size > MAX_COMPONENTS:
        raise ValueError(
            f"the {2 * order + 2}-point function on {n_points} points has {size} components, more than the "
            f"{MAX_COMPONENTS} allowed: use fewer points, or a lower order"
        )


def _check_covariance(kernel: _Array, x: _Array) -> None:
    variance = np.diag(kernel)
    if not (variance > 0).all():
        i = int(np.argmin(variance > 0))
        raise ValueError(
            f"the variance at point {i}, {x[i].tolist()}, is {variance[i]:.3g}: a density needs a positive one. Leave "
            "this point out"
        )
    values, vectors = np.linalg.eigh(kernel)
    if not values[0] > values[-1] / MAX_CONDITION:
        part = np.abs(vectors[:, 0])
        involved = np.flatnonzero(part > 1e-3 * part.max()).tolist()
        raise ValueError(
            f"the two-point function on these points is singular to rounding or not positive: it has the eigenvalues "
            f"{values[0]:.3g} and {values[-1]:.3g}, and the fields at points {involved} obey a linear relation. Leave "
            "one of them out, or spread them"
        )
