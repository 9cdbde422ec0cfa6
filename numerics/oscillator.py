r"""phi^4 theory and its relatives in one dimension, exactly: the oscillator with an interaction that is switched on.

The free field in one dimension is the harmonic oscillator in Euclidean time. With an interaction of weight f(t),

.. math:: H(t) = \frac{p^2}{2} + \frac{m^2 q^2}{2} + f(t) \sum_n \frac{g_n}{n!} q^n,

correlators are :math:`\langle 0| T\, q(t_1) \cdots q(t_n)\, e^{-\int H} |0\rangle` over the same without q, with the
vacuum of the *free* oscillator at both ends, since the field is free outside of the region: no limit of a large box is
needed. H is a matrix in the states of the free oscillator. In a box it is diagonalised; a Gaussian weight is cut into
short times with the symmetric product :math:`e^{-H_0 h/2} e^{-f V h} e^{-H_0 h/2}`, extrapolated in their length.

A momentum cutoff is put in as far as it matters: the tadpole G(0) that every vertex sees is lowered by
:math:`\delta = 1/(2m) - G_\Lambda(0)`, which :math:`V \to e^{-(\delta/2) \partial_q^2} V` does exactly (for phi^4 a
change of m^2 by :math:`-\lambda\delta/2`), and the free two-point function is replaced by that with the cutoff. What is
left is of order :math:`\Lambda^{-3}`; its part of first order in the couplings is known and can be added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, factorial, pi
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.cumulants import cumulant_from_moments
from diagrams.regions import Box, GaussianWeight, Region, exact_real
from numerics.kernels import index_tuples
from numerics.points import as_points
from numerics.propagators import CutoffPropagator
from numerics.quadrature_grids import region_grid

Floats = NDArray[np.float64]

_FIRST_STATES, _MAX_STATES = 48, 384
_REACH = 7.5  # widths of a Gaussian weight after which it is zero: exp(-28)
_FIRST_SLICES, _MAX_SLICES = 256, 16384
_SMALL = 1e-3  # of the couplings, for the slope at zero


@dataclass(frozen=True, eq=False)
class OscillatorCorrelators:
    """Exact connected correlators of the oscillator on unique index tuples of the times.

    Parameters
    ----------
    points : array (n_points, 1)
        The times.
    cumulants : mapping from n to array
        n-point functions on :func:`~numerics.kernels.index_tuples`.
    errors : mapping from n to array
        Change with the number of states and of time slices.
    cutoff_corrections : mapping from n to array
        The part of first order in the couplings that matching the tadpole leaves over: included in the values if it was
        asked for, else the size of what they miss. Zero without a cutoff.
    n_states : int
        States of the free oscillator.
    """

    points: Floats
    cumulants: Mapping[int, Floats]
    errors: Mapping[int, Floats]
    cutoff_corrections: Mapping[int, Floats]
    n_states: int

    def values(self, n: int) -> Floats:
        """Return the n-point functions, shape (K,), in the order of :meth:`indices`."""
        return self.cumulants[n]

    def indices(self, n: int) -> NDArray[np.intp]:
        """Return the unique index tuples of order n, shape (K, n)."""
        return index_tuples(len(self.points), n)

    def __str__(self) -> str:
        worst = max(float(e.max(initial=0.0)) for e in self.errors.values())
        left = max(float(np.abs(c).max(initial=0.0)) for c in self.cutoff_corrections.values())
        return f"oscillator of {self.n_states} states, numerical error {worst:.1e}, cutoff correction {left:.1e}"


def oscillator_correlators(
    x: ArrayLike,
    *,
    mass: float = 1.0,
    coupling: float | Mapping[int, float] = 0.5,
    box: float | None = None,
    weight: float | None = None,
    cutoff: float | None = None,
    max_points: int = 4,
    first_order: bool = True,
    tolerance: float = 1e-9,
) -> OscillatorCorrelators:
    r"""Return the exact connected correlators of the theory in one dimension, with an interaction in a finite region.

    Parameters
    ----------
    x : array_like (n_points, 1)
        Times; inside the box or not.
    mass : float
    coupling : float, or mapping from n to g_n
        lambda of phi^4 theory, or all couplings of :math:`\sum_n g_n \phi^n / n!`.
    box, weight : float
        One of them: the side of the box or the width of the Gaussian weight of the interaction.
    cutoff : float, optional
        Momentum cutoff; default none.
    max_points : int
        1 to 6.
    first_order : bool
        Add what matching the tadpole of the cutoff leaves over at first order in the couplings. Right while they are
        weak (lambda of order m^3); at strong coupling leave it out, it overshoots in the 4-point function.
    tolerance : float
        States and time slices are doubled until values change by less than this.

    Returns
    -------
    OscillatorCorrelators

    Raises
    ------
    ValueError
        If the potential is unbounded below, or a value is out of range.
    ArithmeticError
        If the values do not converge (couplings too large for the number of states allowed).

    Examples
    --------
    >>> found = oscillator_correlators([[0.0]], coupling=0.0, box=4.0, max_points=2)
    >>> round(found.values(2).item(), 12)
    0.5
    """
    points = as_points(x, 1)
    m, couplings, region = checked_oscillator(mass, coupling, box, weight, cutoff, max_points)
    system = _System(m, couplings, region, None if cutoff is None else float(cutoff), _FIRST_STATES)
    cumulants, errors, n_states = converged(system, points, max_points, tolerance)
    zero = {n: np.zeros_like(values) for n, values in cumulants.items()}
    corrections = zero
    if cutoff is not None and any(couplings.values()):
        corrections = _cutoff_corrections(replace(system, n_states=n_states), points, max_points)
    shift = zero if cutoff is None else zero | {2: _free_shift(m, float(cutoff), points)} if max_points > 1 else zero
    added = corrections if first_order else zero
    final = {n: cumulants[n] + shift[n] + added[n] for n in cumulants}
    return OscillatorCorrelators(points, final, errors, corrections, n_states)


def ground_state_energies(
    *, mass: float = 1.0, coupling: float | Mapping[int, float] = 0.5, count: int = 1, n_states: int = 160
) -> Floats:
    """Return the lowest eigenvalues of the Hamiltonian with the interaction always on.

    Examples
    --------
    >>> ground_state_energies(coupling=24.0).round(9).tolist()  # p^2/2 + q^2/2 + q^4
    [0.803770651]
    """
    couplings = dict(coupling) if isinstance(coupling, Mapping) else {4: float(coupling)}
    system = _System(float(mass), couplings, Box(1), None, n_states)
    energies = np.linalg.eigvalsh(system.free + system.potential)[:count]
    return np.asarray(energies + mass / 2, dtype=np.float64)


def checked_oscillator(
    mass: Any, coupling: Any, box: Any, weight: Any, cutoff: Any, max_points: Any
) -> tuple[float, dict[int, float], Region]:
    """Return the mass, the couplings and the region of an oscillator; raise ValueError if a value is out of range."""
    if (box is None) == (weight is None):
        raise ValueError(f"give either box (a side) or weight (a Gaussian width), got box={box!r}, weight={weight!r}")
    region: Region = GaussianWeight(weight) if box is None else Box(box)
    for name, value in (("mass", mass), ("cutoff", cutoff)):
        if value is not None and not exact_real(name, value) > 0:
            raise ValueError(f"the {name} must be positive, got {value!r}")
    if isinstance(max_points, bool) or not isinstance(max_points, int) or not 1 <= max_points <= 6:
        raise ValueError(f"max_points must be an integer from 1 to 6, got {max_points!r}")
    given = coupling if isinstance(coupling, Mapping) else {4: coupling}
    couplings = {int(n): float(exact_real(f"g_{n}", g)) for n, g in given.items()}
    top = max((n for n, g in couplings.items() if g), default=0)
    if top and (top % 2 or couplings[top] < 0):
        raise ValueError(
            f"the highest coupling is g_{top} = {couplings[top]:g}: the potential is unbounded below, so that the "
            "oscillator has no ground state. The highest power must be even, with a positive coupling"
        )
    return float(mass), couplings, region


@dataclass(frozen=True)
class _System:
    """The Hamiltonian as matrices in the states of the free oscillator."""

    mass: float
    couplings: Mapping[int, float]
    region: Region
    cutoff: float | None
    n_states: int

    @property
    def position(self) -> Floats:
        return _position(self.mass, self.n_states)

    @property
    def free(self) -> Floats:
        """H_0 less the energy of its ground state."""
        return np.diag(self.mass * np.arange(self.n_states, dtype=np.float64))

    @property
    def potential(self) -> Floats:
        """The sum of g_n q^n / n!, with the tadpoles of the cutoff."""
        polynomial = matched_couplings(self.couplings, self.mass, self.cutoff)
        size = self.n_states + max(polynomial, default=0)  # a product of cut matrices would be wrong at its edge
        q, power, total = _position(self.mass, size), np.eye(size), np.zeros((size, size))
        for n in range(1, max(polynomial, default=0) + 1):
            power = power @ q
            total += polynomial.get(n, 0.0) / factorial(n) * power
        return total[: self.n_states, : self.n_states]

    def cumulants(self, points: Floats, max_points: int, factor: int | None) -> dict[int, Floats]:
        """Return connected correlators on unique index tuples, with ``factor`` times the fewest time slices."""
        return _cumulants(evolution(self, factor), self, points, max_points)


def _position(mass: float, size: int) -> Floats:
    lowering = np.diag(np.sqrt(np.arange(1.0, size)), 1)
    position: Floats = (lowering + lowering.T) / np.sqrt(2 * mass)
    return position


def tadpole_shift(mass: float, cutoff: float) -> float:
    """Return by how much the cutoff lowers G(0)."""
    return 1 / (2 * mass) - float(np.arctan(cutoff / mass)) / (pi * mass)


def matched_couplings(couplings: Mapping[int, float], mass: float, cutoff: float | None) -> dict[int, float]:
    r"""Return the couplings of :math:`e^{-(\delta/2)\partial^2} V`, whose tadpoles are those of the cutoff.

    Examples
    --------
    >>> found = matched_couplings({4: 1.0}, 1.0, 10.0)
    >>> sorted(found), round(found[2], 6)
    ([2, 4], -0.015863)
    """
    if cutoff is None:
        return {n: g for n, g in couplings.items() if g}
    delta = tadpole_shift(mass, cutoff)
    found: dict[int, float] = {}
    for n, g in couplings.items():
        for k in range(n // 2 + 1):
            if n > 2 * k and g:  # g q^n/n! -> sum_k (-delta/2)^k/k! g q^(n-2k)/(n-2k)!
                found[n - 2 * k] = found.get(n - 2 * k, 0.0) + g * (-delta / 2) ** k / factorial(k)
    return found


def converged(
    system: Any, points: Floats, max_points: int, tolerance: float
) -> tuple[dict[int, Floats], dict[int, Floats], int]:
    """Return the cumulants without what the cutoff does to the free propagator, their errors, and the states used."""
    coarse = sliced(system, points, max_points, tolerance)
    while True:
        denser = replace(system, n_states=2 * system.n_states)
        fine = sliced(denser, points, max_points, tolerance)
        errors = {n: np.abs(fine[0][n] - coarse[0][n]) + fine[1][n] for n in fine[0]}
        worst = max(float(e.max(initial=0.0)) for e in errors.values())
        if worst <= tolerance:
            return fine[0], errors, denser.n_states
        if denser.n_states >= _MAX_STATES:
            raise ArithmeticError(
                f"values still change by {worst:.1e} with {denser.n_states} states, more than tolerance={tolerance:g}: "
                "use weaker couplings, a shorter region or a larger tolerance"
            )
        system, coarse = denser, fine


def sliced(
    system: Any, points: Floats, max_points: int, tolerance: float
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Return the cumulants of a number of states, and their errors in the slicing of time (none in a box)."""
    if isinstance(system.region, Box):
        values = system.cumulants(points, max_points, None)
        return values, {n: np.zeros_like(v) for n, v in values.items()}
    raw = [system.cumulants(points, max_points, 1), system.cumulants(points, max_points, 2)]
    best, factor = _extrapolated(raw), 2
    while True:
        factor *= 2
        raw = [raw[-1], system.cumulants(points, max_points, factor)]
        finer = _extrapolated(raw)
        errors = {n: np.abs(finer[n] - best[n]) for n in finer}
        if max(float(e.max(initial=0.0)) for e in errors.values()) <= tolerance / 2:
            return finer, errors
        if factor * _FIRST_SLICES >= _MAX_SLICES:
            raise ArithmeticError(
                f"{factor * _FIRST_SLICES} time slices leave an error of {max(e.max() for e in errors.values()):.1e}, "
                f"more than tolerance={tolerance:g}: use a larger tolerance or a shorter region"
            )
        best = finer


def _extrapolated(pair: Sequence[dict[int, Floats]]) -> dict[int, Floats]:
    """Return the limit of values whose error falls as the square of the slice, which was halved."""
    return {n: (4 * pair[1][n] - pair[0][n]) / 3 for n in pair[0]}


Evolution = Callable[[float, float, Floats], Floats]  # from time a to b, of a state


class Hamiltonian(Protocol):
    """Matrices of the free part and of the interaction, and the region where the latter acts."""

    @property
    def region(self) -> Region:
        """The weight of the interaction."""

    @property
    def free(self) -> Floats:
        """H_0 less the energy of its ground state."""

    @property
    def potential(self) -> Floats:
        """The interaction where its weight is one."""


def evolution(system: Hamiltonian, factor: int | None, zero: float | None = None) -> Evolution:
    """Return the evolution of states, in a box exactly (no factor), else in ``factor`` times the fewest slices.

    ``zero`` is the energy that is taken off in a box, default that of the ground state.
    """
    return _box_evolution(system, zero) if factor is None else _slice_evolution(system, factor)


def _box_evolution(system: Hamiltonian, zero: float | None) -> Evolution:
    half = float(system.region.length) / 2  # type: ignore[attr-defined]
    energies, vectors = np.linalg.eigh(system.free + system.potential)
    energies = energies - (energies[0] if zero is None else zero)
    free = np.diag(system.free)

    def evolve(a: float, b: float, state: Floats) -> Floats:
        for low, high, is_inside in (
            (a, min(b, -half), False),
            (max(a, -half), min(b, half), True),
            (max(a, half), b, False),
        ):
            if high <= low:
                continue
            if is_inside:
                state = vectors @ (np.exp(-energies * (high - low)) * (vectors.T @ state))
            else:
                state = np.exp(-free * (high - low)) * state
        return state

    return evolve


def _slice_evolution(system: Hamiltonian, factor: int) -> Evolution:
    width = float(system.region.length)  # type: ignore[attr-defined]
    strengths, vectors = np.linalg.eigh(system.potential)
    free = np.diag(system.free)
    longest = 2 * _REACH * width / _FIRST_SLICES

    def evolve(a: float, b: float, state: Floats) -> Floats:
        n = factor * ceil((b - a) / longest)
        h = (b - a) / n
        half = np.exp(-free * h / 2)
        for i in range(n):
            f = np.exp(-((a + (i + 0.5) * h) ** 2) / (2 * width**2))
            state = half * (vectors @ (np.exp(-f * h * strengths) * (vectors.T @ (half * state))))
        return state

    return evolve


def ends(system: Hamiltonian, points: Floats) -> tuple[float, float]:
    """Return times before and after which the field is free."""
    length = float(system.region.length)  # type: ignore[attr-defined]
    edge = length / 2 if isinstance(system.region, Box) else _REACH * length
    return min(-edge, float(points.min())), max(edge, float(points.max()))


def _cumulants(evolve: Evolution, system: _System, points: Floats, max_points: int) -> dict[int, Floats]:
    """Return connected correlators of all orders on unique index tuples."""
    times = points[:, 0]
    first, last = ends(system, points)
    vacuum = np.zeros(system.n_states)
    vacuum[0] = 1.0
    order = np.argsort(times, kind="stable")
    stops = times[order]
    before = list(states(evolve, vacuum, [first, *stops]))
    after = list(states(evolve, vacuum, [-last, *(-stops[::-1])]))[::-1]
    norm = float(before[-1] @ after[-1])
    odd = any(n % 2 and g for n, g in system.couplings.items())
    moments = _moments(evolve, system.position, stops, before, after, max_points, norm, odd)
    ranks = np.argsort(order, kind="stable")
    found = {}
    for n in range(1, max_points + 1):
        rows = ranks[index_tuples(len(times), n)]
        found[n] = np.array(
            [
                cumulant_from_moments(tuple(row), lambda c: moments[tuple(sorted(c))], even=not odd)
                for row in rows.tolist()
            ],
            dtype=np.float64,
        )
    return found


def states(evolve: Evolution, state: Floats, times: Sequence[float]) -> Iterator[Floats]:
    """Iterate over a state at the times after the first."""
    for a, b in pairwise(times):
        state = evolve(float(a), float(b), state) if b > a else state
        yield state


def _moments(
    evolve: Evolution,
    q: Floats,
    stops: Floats,
    before: Sequence[Floats],
    after: Sequence[Floats],
    max_points: int,
    norm: float,
    odd: bool,
) -> dict[tuple[int, ...], float]:
    """Return full moments on sorted tuples of ordered times, all tuples with a common beginning together."""
    found: dict[tuple[int, ...], float] = {}

    def extend(chosen: tuple[int, ...], state: Floats) -> None:
        # state: after the operators at the chosen times, at the last of them
        place = chosen[-1]
        if odd or len(chosen) % 2 == 0:
            found[chosen] = float(after[place] @ state) / norm
        if len(chosen) == max_points:
            return
        for k in range(place, len(stops)):
            if k > place and stops[k] > stops[k - 1]:
                state = evolve(float(stops[k - 1]), float(stops[k]), state)
            extend((*chosen, k), q @ state)

    for k in range(len(stops)):
        extend((k,), q @ before[k])
    return found


def _free_shift(mass: float, cutoff: float, points: Floats) -> Floats:
    """Return what the cutoff takes off the free two-point function."""
    index = index_tuples(len(points), 2)
    r = np.abs(points[index[:, 0], 0] - points[index[:, 1], 0])
    shift: Floats = CutoffPropagator(1, mass, cutoff)(r) - np.exp(-mass * r) / (2 * mass)
    return shift


def _cutoff_corrections(system: _System, points: Floats, max_points: int) -> dict[int, Floats]:
    """Return what is missing at first order: diagrams with the cutoff less the slope of the oscillator."""
    largest = max(abs(g) for g in system.couplings.values())
    small = {n: g * _SMALL / largest for n, g in system.couplings.items()}
    scale = largest / _SMALL
    slopes = []
    for factor in (1.0, 2.0):
        weak = replace(system, couplings={n: factor * g for n, g in small.items()}, n_states=_FIRST_STATES)
        slopes.append(sliced(weak, points, max_points, 1e-11)[0])
    free = {n: np.zeros_like(v) for n, v in slopes[0].items()}
    if 2 in free:
        index = index_tuples(len(points), 2)
        r = np.abs(points[index[:, 0], 0] - points[index[:, 1], 0])
        free[2] = np.exp(-system.mass * r) / (2 * system.mass)
    first = _first_order(system, points, max_points)
    # the slope at zero from two small couplings: 2 s(e) - s(2 e)/2 is free of the second order
    return {n: first[n] - scale * (2 * (slopes[0][n] - free[n]) - (slopes[1][n] - free[n]) / 2) for n in slopes[0]}


def _first_order(system: _System, points: Floats, max_points: int) -> dict[int, Floats]:
    """Return all connected diagrams with one vertex and the cutoff."""
    assert system.cutoff is not None
    propagator = CutoffPropagator(1, system.mass, system.cutoff)
    power = max(system.couplings)
    grid = region_grid(system.region, 1, wavenumber=power * system.cutoff, refinement=1.5)
    legs, weights = propagator.between(points, grid.nodes), grid.weights.ravel()
    found = {}
    for n in range(1, max_points + 1):
        index = index_tuples(len(points), n)
        product = np.prod(legs[index], axis=1)
        total = np.zeros(len(index))
        for k, g in system.couplings.items():
            if k >= n and (k - n) % 2 == 0:
                loops = (k - n) // 2
                total -= g / (factorial(loops) * 2**loops) * propagator.at_zero**loops * (product @ weights)
        found[n] = total
    return found
