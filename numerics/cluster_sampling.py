"""Cluster decomposition on sampled networks: the four-point function of two pairs of points that move apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.cluster import cluster_decomposition
from diagrams.expectation import evaluate
from diagrams.symbols import coordinates
from numerics.ensemble import Ensemble
from numerics.points import as_points
from numerics.results import format_uncertainty

Floats = NDArray[np.float64]

_SEEN = 4.0  # standard errors


@dataclass(frozen=True, eq=False)
class ClusterTest:
    """``G_c4(x1, x2, x3 + X, x4 + X)`` against the distance \\|X\\|; make it with :func:`cluster_test`.

    Parameters
    ----------
    net : Architecture
    distances : array (n,)
    values, errors : array (n,)
        Measured, and their standard errors.
    exact : array (n,)
        The exact correlator at each distance.
    limit : float
        The exact limit for infinite distance; nan if there is none.
    """

    net: Architecture
    distances: Floats
    values: Floats
    errors: Floats
    exact: Floats
    limit: float

    @property
    def pulls(self) -> Floats:
        """(measured - exact) / standard error at each distance."""
        return (self.values - self.exact) / self.errors

    @property
    def violation(self) -> float:
        """The correlator at the largest distance in standard errors: zero if distant pairs are independent."""
        return float(self.values[-1] / self.errors[-1])

    @property
    def verdict(self) -> str:
        """The result in words."""
        last = format_uncertainty(float(self.values[-1]), float(self.errors[-1]))
        at = f"G_c4 = {last} at distance {self.distances[-1]:g}, {abs(self.violation):.1f} standard errors from zero"
        if abs(self.violation) > _SEEN:
            known = f"the exact limit is {self.limit:.6g}" if np.isfinite(self.limit) else "there is no limit"
            return f"distant pairs are correlated: {at}; {known}"
        reach = format_uncertainty(0.0, _SEEN * float(self.errors[-1]))
        return f"no correlation of distant pairs is seen: {at}; anything beyond {reach} would have been"

    def __str__(self) -> str:
        rows = [
            f"  {d:>8g} {format_uncertainty(v, e):>20} {x:>14.6g} {p:>7.2f}"
            for d, v, e, x, p in zip(
                self.distances.tolist(), self.values.tolist(), self.errors.tolist(), self.exact.tolist(),
                self.pulls.tolist(), strict=True,
            )
        ]  # fmt: skip
        head = f"  {'distance':>8} {'measured':>20} {'exact':>14} {'pull':>7}"
        return "\n".join([f"{self.net}: {self.verdict}", head, *rows])

    def __repr__(self) -> str:
        return f"<ClusterTest: {self.net}, {self.verdict}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def cluster_test(
    net: Architecture,
    first: ArrayLike,
    second: ArrayLike,
    *,
    distances: Sequence[float],
    direction: ArrayLike | None = None,
    n_nets: int = 100_000,
    seed: int = 0,
    method: str = "network",
) -> ClusterTest:
    """Measure the connected four-point function of two pairs of points that move apart.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters.
    first, second : array_like (2, input_dim)
        The pairs; the second is moved.
    distances : sequence of float
        Increasing.
    direction : array_like (input_dim,), optional
        Of the move; default the first axis.
    n_nets : int
        Networks (neurons for ``method="neuron"``) at each distance; the same ones for all.
    seed : int
    method : {"network", "conditional", "neuron"}
        As for :meth:`numerics.Ensemble.connected_correlators`.

    Returns
    -------
    ClusterTest

    Raises
    ------
    TypeError, ValueError
        If the points, distances or direction are not as above, or nothing is known about the limits of the net.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> net = cos_net().at(N=2, sigma_w0=1, sigma_w1=1)
    >>> found = cluster_test(net, [[0], [0.5]], [[0], [0.2]], distances=(1, 40), n_nets=20_000, method="neuron")
    >>> abs(found.violation) > 10, bool(abs(found.pulls).max() < 5)
    (True, True)
    """
    one, two = (as_points(x, int(net.input_dim)) for x in (first, second))
    if len(one) != 2 or len(two) != 2:
        raise ValueError(f"each cluster is a pair of points, got {len(one)} and {len(two)}")
    far = np.asarray(distances, dtype=np.float64)
    if far.ndim != 1 or len(far) < 1 or not np.isfinite(far).all() or (np.diff(far) <= 0).any():
        raise ValueError(f"distances must be finite and increasing, got {distances!r}")
    axis = np.eye(int(net.input_dim))[0] if direction is None else np.asarray(direction, dtype=np.float64)
    if axis.shape != (int(net.input_dim),) or not np.isfinite(axis).all() or not axis.any():
        raise ValueError(f"the direction must be a vector of {net.input_dim} components, not zero, got {direction!r}")
    moves = far[:, None] * axis / np.linalg.norm(axis)
    ensemble = Ensemble(net, n_nets=n_nets, seed=seed)
    values, errors = np.empty(len(far)), np.empty(len(far))
    for k, move in enumerate(moves):
        measured = ensemble.connected_correlators(np.vstack([one, two + move]), max_points=4, method=method)
        place = measured.indices(4).tolist().index([0, 1, 2, 3])
        values[k], errors[k] = measured.values(4)[place], measured.errors(4)[place]
    correlator = net.connected_correlators(max_points=4)[4]
    exact = []
    for move, error in zip(moves, errors, strict=True):
        value = correlator(*(x.tolist() for x in (*one, *(two + move))))
        exact.append(evaluate(value, rtol=1e-6, atol=1e-3 * float(error)).value)
    return ClusterTest(net, far, values, errors, np.array(exact, np.float64), _limit(net, one, two))


def _limit(net: Architecture, one: Floats, two: Floats) -> float:
    """Return the exact limit of the four-point function of two pairs, in a general direction."""
    found = cluster_decomposition(net)
    limit = found[2, 2].limit if found.splits else None
    if limit is None:
        return float("nan")
    places = [coordinates(i + 1, int(net.input_dim)) for i in range(4)]
    numbers = {
        s: sympy.Float(float(v)) for xs, point in zip(places, (*one, *two), strict=True)
        for s, v in zip(xs, point, strict=True)
    }  # fmt: skip
    return float(sympy.N(limit.subs(numbers)))
