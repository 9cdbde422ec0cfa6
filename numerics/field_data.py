"""Connected correlators on points, exact or measured, in a form in which errors are carried along linearly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.cumulants import set_partitions
from numerics.estimators import ranks
from numerics.kernels import index_tuples
from numerics.neuron_quadrature import exact_correlators
from numerics.points import as_points
from numerics.results import Estimate

Floats: TypeAlias = NDArray[np.float64]
Measured: TypeAlias = Estimate | ArrayLike


@dataclass(frozen=True, eq=False)
class FieldData:
    """Connected correlators of one output on unique index tuples of points.

    Parameters
    ----------
    points : array (n_points, input_dim)
    values : dict from n to array (K_n,)
    deviations : dict from n to array (n_blocks, K_n)
        Their product over blocks is the covariance; no blocks for exact correlators.
    estimate : Estimate or None
        Where they were measured.
    """

    points: Floats
    values: dict[int, Floats]
    deviations: dict[int, Floats]
    estimate: Estimate | None = None

    @property
    def is_exact(self) -> bool:
        """True if there are no errors."""
        return not self.n_blocks

    @property
    def n_blocks(self) -> int:
        """Blocks of networks behind the errors; zero for exact correlators."""
        return len(next(iter(self.deviations.values())))

    def index(self, n: int) -> NDArray[np.int64]:
        """Return the index tuples of the n-point function, shape (K_n, n)."""
        return index_tuples(len(self.points), n)


def field_data(net: Architecture, measured: Measured, orders: Iterable[int]) -> FieldData:
    """Return the connected correlators of a measurement, or the exact ones on points.

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    measured : Estimate or array_like (n_points, input_dim)
        Points stand for the exact correlators on them.
    orders : iterable of int
        Numbers of points.

    Raises
    ------
    TypeError, ValueError
        If the measurement is of other networks (dimension, outputs), or stops below the orders.
    """
    if not isinstance(net, Architecture):
        raise TypeError(f"the networks must be an Architecture with numbers, such as net.at(N=20, ...); got {net!r}")
    if net.output_dim != 1:
        raise ValueError(f"couplings are those of one output; {net} has {net.output_dim}")
    net.parameter_values()
    if not isinstance(measured, Estimate):
        points = as_points(measured, net.input_dim)
        exact = {n: exact_correlators(net, points, n) for n in orders}
        return FieldData(points, exact, {n: np.empty((0, len(v))) for n, v in exact.items()})
    if measured.points.shape[1] != net.input_dim or measured.outputs.any():
        raise ValueError(
            f"{net} has input_dim={net.input_dim} and one output, the measurement points of "
            f"{measured.points.shape[1]} coordinates and {int(measured.outputs.max()) + 1} output(s)"
        )
    width = measured.dataset.attrs.get("architecture")
    if width is not None and str(net) != width:
        raise ValueError(f"measured on {width}, but couplings were asked for {net}: give the same networks")
    wanted = sorted(set(orders))
    if missing := [n for n in wanted if n not in measured.orders]:
        raise ValueError(f"correlators of {missing} points are needed; measure with max_points={max(missing)}")
    values = {n: measured.values(n) for n in wanted}
    deviations = {n: np.asarray(measured.dataset[f"jackknife_{n}"].values) for n in wanted}
    return FieldData(measured.points, values, deviations, measured)


def errors_of(deviations: Floats) -> Floats:
    """Return standard errors from deviations, shape (n_blocks, ...)."""
    return np.sqrt((deviations**2).sum(axis=0))


def split_products(points: Floats, n: int, small: int, left: Floats, right: Floats) -> Floats:
    """Return ``sum_S left(x_S) right(x_rest)`` over subsets S of ``small`` of n points, on unique index tuples.

    ``left`` and ``right`` hold values on unique index tuples in the last axis; for halves of equal size each pair of
    subsets counts once.

    Examples
    --------
    >>> split_products(np.zeros((1, 1)), 4, 2, np.array([2.0]), np.array([3.0]))
    array([18.])
    """
    m, index = len(points), index_tuples(len(points), n)
    total = np.zeros((*np.broadcast_shapes(left.shape[:-1], right.shape[:-1]), len(index)))
    for first, rest in _splits(n, small):
        a, b = (ranks(np.ascontiguousarray(index[:, part]), m) for part in (first, rest))
        total += left[..., a] * right[..., b]
    return total


def _splits(n: int, small: int) -> list[tuple[list[int], list[int]]]:
    found = []
    for partition in set_partitions(range(n)):
        sizes = sorted(len(block) for block in partition)
        if sizes == sorted([small, n - small]):
            first, rest = sorted((list(block) for block in partition), key=lambda b: (len(b) != small, b))
            found.append((first, rest))
    return found


def wick_sum(points: Floats, kernel: Floats, n: int) -> Floats:
    """Return the full n-point function of a Gaussian process, n = 2, 4 or 6, from its kernel on index pairs."""
    if n == 2:
        return kernel
    lower = wick_sum(points, kernel, n - 2)
    # each pairing of n points arises once for every pair that is taken out first
    return split_products(points, n, 2, kernel, lower) * (1.0 if n == 4 else 1 / 3)


def full_moments(points: Floats, kernel: Floats, four: Floats, six: Floats | None = None) -> Floats:
    """Return the full 4- or 6-point function from connected ones with an exact two-point function."""
    if six is None:
        return wick_sum(points, kernel, 4) + four
    return wick_sum(points, kernel, 6) + split_products(points, 6, 2, kernel, four) + six
