"""Connected correlators on a finite set of points, as tensors for each power of their expansion parameters."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import factorial
from typing import Any, NamedTuple

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.cumulants import set_partitions
from diagrams.expectation import ExpectationIntegral, evaluate
from diagrams.series import Exponents
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr
from diagrams.value_source import ValueSource
from diagrams.vertex_orders import VertexOrders, vertex_orders
from numerics.contract import Graded, Powers, symmetric_tensor
from numerics.estimators import ranks
from numerics.kernels import index_tuples
from numerics.lower import Kernel, lower
from numerics.points import as_points, check_distinct

Order = int | Mapping[str, int]
_Array = NDArray[np.float64]
_WIDTH = "1/N"
_FROM_MOMENTS = 5  # points from which the moments of a neuron are lowered in place of its cumulants


class PointCorrelators(NamedTuple):
    """Connected correlators on points as series, and the numbers that belong to them.

    ``series[n]`` maps powers of the parameters to arrays ``(n_points,) * n`` for n >= 2, ``mean`` is the whole
    one-point function, ``parameters`` maps names such as ``"1/N"`` to numbers.
    """

    points: _Array
    mean: _Array
    series: dict[int, Graded]
    parameters: dict[str, float]
    limit: Powers


def point_correlators(correlators: ConnectedCorrelators, points: ArrayLike | None, order: Order) -> PointCorrelators:
    """Return the connected correlators on points that an action through an order needs.

    Parameters
    ----------
    correlators : ConnectedCorrelators
        With numbers for all parameters.
    points : array (n_points, input_dim)
        Left out for correlators given as numbers.
    order : int or mapping
        Highest power of each expansion parameter.

    Raises
    ------
    TypeError, ValueError
        For bad points or orders, more than one output, and as :func:`diagrams.vertex_orders.vertex_orders`.
    """
    source = correlators.source
    if (n_outputs := getattr(source, "output_dim", 1)) != 1:
        raise ValueError(f"the action on points is for one output; this network has output_dim={n_outputs}")
    vertices = vertex_orders(correlators, order)
    parameters = _parameter_values(correlators, vertices)
    limit = tuple(Fraction(h) for h in vertices.order)
    if isinstance(source, ValueSource):
        if points is not None:
            raise ValueError("these correlators are numbers on their own points: leave out the argument points")
        tensors = source.scaled_tensors(vertices.max_points)
        series: dict[int, Graded] = {n: {(Fraction(n, 2) - 1,): t} for n, t in tensors.items()}
        return PointCorrelators(source.points, source.tensor(1), series, parameters, limit)
    if points is None:
        raise TypeError("points are missing: only correlators given as numbers have their own")
    x = as_points(points, source.input_dim)
    check_distinct(x)
    series = {}
    for n in vertices.needed:
        keys = [(sympy.S.Zero,) * len(limit)] * (n == 2) + list(vertices.keys(n))
        series[n] = {_powers(key): _coefficient(correlators, n, key, x) for key in keys}
    mean = np.zeros(len(x)) if source.is_even else values_on_points(correlators[1].expr, correlators[1], x)
    return PointCorrelators(x, mean, series, parameters, limit)


def _powers(key: Exponents) -> Powers:
    return tuple(Fraction(int(e.p), int(e.q)) for e in map(sympy.Rational, key))


def _parameter_values(correlators: ConnectedCorrelators, vertices: VertexOrders) -> dict[str, float]:
    """Return the numbers of the expansion parameters by name."""
    known = {str(s): v for s, v in getattr(correlators.source, "expansion_values", ())}
    width = correlators.source.width
    known |= {_WIDTH: 1 / width} if width.is_number else {}
    names = [str(p) for p in vertices.parameters]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"the expansion parameters {unknown} have no numbers: give them with .at(...)")
    return {name: float(known[name]) for name in names}


def _coefficient(correlators: ConnectedCorrelators, n: int, key: Exponents, x: _Array) -> _Array:
    """Return the coefficient of one power in a correlator as a tensor."""
    if (values := scaled_from_neurons(correlators, n, x)) is None:
        correlator = correlators[n]
        numbers = {symbol("N"): correlator.width} | dict(correlator.values)
        values = values_on_points(correlator.series[key].xreplace(numbers), correlator, x)
    return np.asarray(symmetric_tensor(values, len(x), n))


def scaled_from_neurons(correlators: ConnectedCorrelators, n: int, x: _Array) -> _Array | None:
    """Return ``N**(n/2 - 1) G_c^(n)`` of independent neurons from moments at points, or None if that is not the way.

    Moments have far fewer terms than the expanded cumulant of many points, which would take long to compile.
    """
    source = correlators.source
    if n < _FROM_MOMENTS or not isinstance(source, Architecture) or source.output_dim != 1:
        return None
    index, m = index_tuples(len(x), n), len(x)
    moments: dict[int, _Array] = {}
    total = np.zeros(len(index))
    for partition in set_partitions(range(n), even=source.is_even):
        term = np.full(len(index), (-1.0) ** (len(partition) - 1) * factorial(len(partition) - 1))
        for block in partition:
            if len(block) not in moments:
                if (found := _moment_on_points(source, len(block), x)) is None:
                    return None
                moments[len(block)] = found
            term *= moments[len(block)][ranks(index[:, list(block)], m)]
        total += term
    return total


def _moment_on_points(net: Architecture, degree: int, x: _Array) -> _Array | None:
    """Return E[z^r] E[h h ... h] of one neuron on unique index tuples, or None if there is no closed form."""
    places = [coordinates(i + 1, net.input_dim) for i in range(degree)]
    expr = net.readout.moment(degree) * net.feature.expected_product(places)
    if expr.has(ExpectationIntegral):
        return None
    index = index_tuples(len(x), degree)
    values = _kernel(expr, tuple(places))(*(x[index[:, i]] for i in range(degree)))
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(index),))


def values_on_points(expr: Expr, correlator: Correlator, x: _Array) -> _Array:
    """Return an expression in the arguments of a correlator on all unique index tuples of points (m, input_dim)."""
    index = index_tuples(len(x), correlator.n)
    if expr == 0:
        return np.zeros(len(index))
    if expr.has(ExpectationIntegral):
        symbols = [s for point in correlator.points for s in point]
        rows = [map(sympy.Rational, x[i].ravel().tolist()) for i in index]
        return np.array([evaluate(expr.xreplace(dict(zip(symbols, row, strict=True)))).value for row in rows])
    function = _kernel(expr, correlator.points)
    values = function(*(x[index[:, i]] for i in range(correlator.n)))
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(index),))


@lru_cache(maxsize=128)
def _kernel(expr: Expr, arguments: tuple[Any, ...]) -> Kernel:
    return lower(expr, arguments=arguments, backend="numpy")


def scaled_correlator(correlators: ConnectedCorrelators, n: int, x: _Array) -> _Array:
    """Return ``N**(n/2 - 1) G_c^(n)`` on points as a symmetric tensor of shape ``(n_points,) * n``."""
    if (scaled := scaled_from_neurons(correlators, n, x)) is None:
        correlator = correlators[n]
        values = values_on_points(correlator.expr, correlator, x)
        scaled = values * float(correlators.source.width) ** (n / 2 - 1)
    return np.asarray(symmetric_tensor(scaled, len(x), n))
