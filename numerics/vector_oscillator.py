r"""O(n) theory in one dimension, exactly: the oscillator in n dimensions with an interaction that is switched on.

.. math:: H(t) = \frac{p^2}{2} + \frac{m^2 q^2}{2} + f(t) \sum_k \frac{g_{2k}}{(2k)!} (q \cdot q)^k

keeps the angular momentum l, so that H is one small matrix for each l in the radial states of the free oscillator,
whatever n. The position :math:`q_a = r \hat q_a` changes l by one. Between l = 0 at both ends two positions pass l = 1,
and four pass l = 0 or 2 in the middle:

.. math:: \langle q_a q_b \rangle = \frac{\delta_{ab}}{n} M, \qquad \langle q_a q_b q_c q_d \rangle =
    \frac{\delta_{ab}\delta_{cd}}{n^2} M_0 + \frac{1}{n(n + 2)} \Big[\delta_{ac}\delta_{bd} + \delta_{ad}\delta_{bc}
    - \frac2n \delta_{ab}\delta_{cd}\Big] M_2

for ordered times. Ends, boxes, weights and the momentum cutoff are those of :mod:`numerics.oscillator`; the tadpole of
the cutoff is matched by :math:`V \to e^{-(\delta/2) \nabla_q^2} V`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.regions import Region
from numerics.kernels import index_tuples
from numerics.oscillator import (
    _FIRST_STATES,
    _SMALL,
    OscillatorCorrelators,
    checked_oscillator,
    converged,
    ends,
    evolution,
    sliced,
    states,
    tadpole_shift,
)
from numerics.points import as_points
from numerics.propagators import CutoffPropagator

Floats = NDArray[np.float64]


def o_n_oscillator_correlators(
    x: ArrayLike,
    *,
    components: int = 2,
    mass: float = 1.0,
    coupling: float | Mapping[int, float] = 0.5,
    box: float | None = None,
    weight: float | None = None,
    cutoff: float | None = None,
    max_points: int = 4,
    first_order: bool = True,
    tolerance: float = 1e-9,
) -> OscillatorCorrelators:
    r"""Return the exact connected correlators of O(n) theory in one dimension, in a finite region.

    Parameters
    ----------
    x : array_like (n_points, 1)
        Times.
    components : int
        n.
    coupling : float, or mapping from even 2k to g_2k
        lambda of :math:`\frac{\lambda}{4!} (\phi_a\phi_a)^2`, or all couplings.
    max_points : int
        2 to 4.
    mass, box, weight, cutoff, first_order, tolerance
        As in :func:`numerics.oscillator_correlators`.

    Returns
    -------
    OscillatorCorrelators
        Its points are those of the first component, then of the second, and so on, as in estimates.

    Raises
    ------
    ValueError, ArithmeticError
        As :func:`numerics.oscillator_correlators`, or if a power is odd.

    Examples
    --------
    >>> found = o_n_oscillator_correlators([[0.0]], components=3, coupling=1.0, box=4.0, max_points=2)
    >>> found.values(2).round(6).tolist()  # 11, 12, 13, 22, 23, 33
    [0.430958, 0.0, 0.0, 0.430958, 0.0, 0.430958]
    """
    points = as_points(x, 1)
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ValueError(f"the number of components must be a positive integer, got {components!r}")
    m, couplings, region = checked_oscillator(mass, coupling, box, weight, cutoff, max_points)
    if odd := [n for n, g in couplings.items() if n % 2 and g]:
        raise ValueError(f"an O(n) invariant interaction has even powers of the field only, got {odd}")
    if not 2 <= max_points <= 4:
        raise ValueError(f"max_points must be 2 to 4 for a field of several components, got {max_points!r}")
    top = None if cutoff is None else float(cutoff)
    system = _RadialSystem(m, components, couplings, region, top, _FIRST_STATES)
    cumulants, errors, n_states = converged(system, points, max_points, tolerance)
    corrections = {n: np.zeros_like(values) for n, values in cumulants.items()}
    if top is not None:
        cumulants[2] = (
            cumulants[2] + _free(components, points, CutoffPropagator(1, m, top)) - _free(components, points, m)
        )
        if any(couplings.values()):
            corrections = _cutoff_corrections(replace(system, n_states=n_states), points, max_points)
    final = {n: values + corrections[n] * first_order for n, values in cumulants.items()}
    return OscillatorCorrelators(np.tile(points, (components, 1)), final, errors, corrections, n_states)


@dataclass(frozen=True)
class _Sector:
    """The Hamiltonian of one angular momentum."""

    region: Region
    free: Floats
    potential: Floats


@dataclass(frozen=True)
class _RadialSystem:
    """The oscillator in n dimensions by angular momenta."""

    mass: float
    components: int
    couplings: Mapping[int, float]
    region: Region
    cutoff: float | None
    n_states: int

    def position(self, momentum: int, size: int) -> Floats:
        """Return r between radial states, from angular momentum l to l + 1."""
        k = np.arange(size, dtype=np.float64)
        same = np.diag(np.sqrt((k + momentum + self.components / 2) / self.mass))
        return np.asarray(same + np.diag(np.sqrt(k[1:] / self.mass), 1))

    @cached_property
    def polynomial(self) -> dict[int, float]:
        """What multiplies each power of q.q, with the tadpoles of the cutoff."""
        delta = 0.0 if self.cutoff is None else tadpole_shift(self.mass, self.cutoff)
        found: dict[int, float] = {}
        for n, g in self.couplings.items():
            for j in range(n // 2 + 1):
                powers = range(n // 2 - j + 1, n // 2 + 1)
                slopes = prod(2 * k * (2 * k + self.components - 2) for k in powers)  # the Laplacian, j times
                part = g / factorial(n) * (-delta / 2) ** j / factorial(j) * slopes
                found[n // 2 - j] = found.get(n // 2 - j, 0.0) + part
        return {k: c for k, c in found.items() if k}

    def sector(self, momentum: int) -> _Sector:
        """Return the Hamiltonian of angular momentum l."""
        top = max(self.polynomial, default=0)
        size = self.n_states + top  # a product of cut matrices would be wrong at its edge
        r = self.position(momentum, size)
        square, power, total = r.T @ r, np.eye(size), np.zeros((size, size))
        for k in range(1, top + 1):
            power = power @ square
            total += self.polynomial.get(k, 0.0) * power
        energies = self.mass * (2.0 * np.arange(self.n_states) + momentum)
        return _Sector(self.region, np.diag(energies), total[: self.n_states, : self.n_states])

    def cumulants(self, points: Floats, max_points: int, factor: int | None) -> dict[int, Floats]:
        """Return connected correlators of all components on unique index tuples."""
        order = np.argsort(points[:, 0], kind="stable")
        radial = _Radial(self, points, points[order, 0], factor, max_points)
        rank = np.argsort(order, kind="stable")
        found = {1: np.zeros(self.components * len(points))}
        for n in range(2, max_points + 1):
            legs = index_tuples(self.components * len(points), n)
            a, p = np.divmod(legs, len(points))
            found[n] = np.array([radial.cumulant(*row) for row in zip(a.tolist(), rank[p].tolist(), strict=True)])
        return found


class _Radial:
    """Radial matrix elements at ordered times, and the correlators made of them."""

    def __init__(
        self, system: _RadialSystem, points: Floats, stops: Floats, factor: int | None, max_points: int
    ) -> None:
        self._n, self._stops, self._four = system.components, stops, max_points >= 4
        sectors = [system.sector(momentum) for momentum in range(3)]
        zero = float(np.linalg.eigvalsh(sectors[0].free + sectors[0].potential)[0])  # the same for all momenta
        self._evolve = [evolution(sector, factor, zero) for sector in sectors]
        self._up = [system.position(momentum, system.n_states) for momentum in range(2)]
        first, last = ends(sectors[0], points)
        vacuum = np.zeros(system.n_states)
        vacuum[0] = 1.0
        before = list(states(self._evolve[0], vacuum, [first, *stops]))
        self._after = list(states(self._evolve[0], vacuum, [-last, *(-stops[::-1])]))[::-1]
        self._norm = float(before[-1] @ self._after[-1])
        self._pairs: dict[tuple[int, ...], float] = {}
        self._quadruples: dict[tuple[int, ...], tuple[float, float]] = {}
        for i, state in enumerate(before):
            for j, moved in self._on(1, i, self._up[0] @ state):
                self._pairs[i, j] = self._closed(j, moved)
                if self._four:
                    self._add_quadruples((i, j), moved)

    def _on(self, momentum: int, place: int, state: Floats) -> Any:
        """Iterate over later places and the state there."""
        for k in range(place, len(self._stops)):
            if k > place and self._stops[k] > self._stops[k - 1]:
                state = self._evolve[momentum](float(self._stops[k - 1]), float(self._stops[k]), state)
            yield k, state

    def _closed(self, place: int, state: Floats) -> float:
        return float(self._after[place] @ (self._up[0].T @ state)) / self._norm

    def _add_quadruples(self, pair: tuple[int, int], state: Floats) -> None:
        down, up = self._up[0].T @ state, self._up[1] @ state
        middle = zip(self._on(0, pair[1], down), self._on(2, pair[1], up), strict=True)
        for (k, scalar), (_, tensor) in middle:
            ways = zip(self._on(1, k, self._up[0] @ scalar), self._on(1, k, self._up[1].T @ tensor), strict=True)
            for (place, a), (_, b) in ways:
                self._quadruples[(*pair, k, place)] = self._closed(place, a), self._closed(place, b)

    def cumulant(self, components: list[int], places: list[int]) -> float:
        """Return the connected correlator of components at places."""
        if len(components) == 2:
            return self._pair(components, places, 0, 1)
        if len(components) % 2:
            return 0.0
        legs = sorted(range(4), key=lambda leg: places[leg])
        a, b, c, d = (components[leg] for leg in legs)
        scalar, tensor = self._quadruples[tuple(places[leg] for leg in legs)]
        n, through = self._n, float(a == b and c == d)
        crossed = float(a == c and b == d) + float(a == d and b == c) - 2 * through / n
        full = through * scalar / n**2 + crossed * tensor / (n * (n + 2))
        pairings = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
        return full - sum(prod(self._pair(components, places, *pair) for pair in pairing) for pairing in pairings)

    def _pair(self, components: list[int], places: list[int], i: int, j: int) -> float:
        low, high = sorted((places[i], places[j]))
        return self._pairs[low, high] / self._n if components[i] == components[j] else 0.0


def _free(components: int, points: Floats, propagator: CutoffPropagator | float) -> Floats:
    """Return the free two-point function, with a cutoff or of a mass alone."""
    legs = index_tuples(components * len(points), 2)
    a, p = np.divmod(legs, len(points))
    r = np.abs(points[p[:, 0], 0] - points[p[:, 1], 0])
    values = propagator(r) if callable(propagator) else np.exp(-propagator * r) / (2 * propagator)
    return np.asarray(np.where(a[:, 0] == a[:, 1], values, 0.0))


def _cutoff_corrections(system: _RadialSystem, points: Floats, max_points: int) -> dict[int, Floats]:
    """Return what is missing at first order: diagrams with the cutoff less the slope of the oscillator."""
    largest = max(abs(g) for g in system.couplings.values())
    slopes = []
    for size in (_SMALL, 2 * _SMALL):
        weak = {n: g * size / largest for n, g in system.couplings.items()}
        slopes.append(sliced(replace(system, couplings=weak, n_states=_FIRST_STATES), points, max_points, 1e-11)[0])
    for change in slopes:
        change[2] = change[2] - _free(system.components, points, system.mass)
    scale = largest / _SMALL
    found = {}
    for n in slopes[0]:
        # the slope at zero from two small couplings: 2 s(e) - s(2 e)/2 is free of the second order
        slope = scale * (2 * slopes[0][n] - slopes[1][n] / 2)
        found[n] = _first_order(system, points, n) - slope if n % 2 == 0 else np.zeros_like(slope)
    return found


def _first_order(system: _RadialSystem, points: Floats, legs: int) -> Floats:
    """Return all connected diagrams with one vertex and the cutoff, from the O(n) theory of the engine."""
    from diagrams.vector_theory import o_n_theory
    from numerics.finite_box import correlator_values

    length = system.region.length  # type: ignore[attr-defined]
    where = {"box": length} if type(system.region).__name__ == "Box" else {"weight": length}
    theory = o_n_theory(system.components, system.couplings, mass=system.mass, cutoff=system.cutoff, **where)
    names = dict.fromkeys(map(str, theory.parameters), 1)
    series: Any = theory.correlator(legs=legs, order=names)
    found = correlator_values(series, points)
    first = [value for key, value in found.orders.items() if sum(key) == 1]
    return np.asarray(sum(first))[tuple(index_tuples(system.components * len(points), legs).T)]
