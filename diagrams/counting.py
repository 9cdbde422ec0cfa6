r"""Numbers of Feynman diagrams and sums of their 1/\|Aut\|, exactly and without making the diagrams.

Enumeration is checked against these: they share nothing with it. The sum over matchings of half-edges is in
:mod:`diagrams._burnside`, the reduction to connected and 1PI diagrams in :mod:`diagrams._components`. The sum of all
weights, which every enumeration needs, has a shorter way of its own in :mod:`diagrams._zero_dimensional`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import factorial

import numpy as np

from diagrams._burnside import FIRST_DEGREE, matchings
from diagrams._components import connected_parts, disconnected, irreducible_part
from diagrams._zero_dimensional import zero_dimensional_weight

Degrees = tuple[int, ...]


def count_diagrams(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
) -> int:
    """Return the number of diagrams that :func:`diagrams.enumerate_diagrams` makes for the same arguments.

    By Burnside's lemma, without making any.

    Parameters
    ----------
    valences : sequence of int
        Allowed numbers of half-edges at a vertex, each at least 3.
    legs, loops : int
        Numbers of external legs and of independent cycles.
    connected, one_particle_irreducible, self_loops, tadpoles, labelled : bool
        As for :func:`diagrams.enumerate_diagrams`: a bare propagator is connected but not 1PI, a bare vertex is 1PI.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        For valences below 3, negative or non-integer counts, or contradictory options.

    Examples
    --------
    >>> count_diagrams(valences=(4,), legs=2, loops=8), count_diagrams(valences=(4,), legs=4, loops=6)
    (27607, 72314)
    >>> count_diagrams(valences=(4,), legs=4, loops=1, one_particle_irreducible=True)
    3
    """
    request = _request(valences, legs, loops, connected, one_particle_irreducible, self_loops, tadpoles)
    return int(sum(_tally(replace(request, orbits=True, labelled=labelled)).values()))


def counts_by_valences(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
) -> dict[Degrees, int]:
    """Return the number of diagrams for each multiset of vertex degrees, as increasing tuples.

    Parameters, errors: see :func:`count_diagrams`.

    Examples
    --------
    >>> counts_by_valences(valences=(3, 4), legs=2, loops=1)
    {(4,): 1, (3, 3): 2}
    """
    request = _request(valences, legs, loops, connected, one_particle_irreducible, self_loops, tadpoles)
    found = _tally(replace(request, orbits=True, labelled=labelled, refined=True))
    return {degrees: int(number) for degrees, number in found.items()}


def total_weight(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
) -> Fraction:
    r"""Return the exact sum of 1/\|Aut\| over diagrams, from the zero-dimensional field theory.

    .. math:: \sum_{\text{diagrams}} \frac{1}{|\mathrm{Aut}|} = \frac{\partial^n}{\partial J^n} \Bigl[t^{n + 2 (L - 1)}
              \Bigr] \log \Bigl\langle \exp \Bigl(J x + \sum_d t^{d - 2} \frac{x^d}{d!}\Bigr) \Bigr\rangle_{J = 0}

    with x a standard normal variable; without self-loops :math:`x^d` becomes a Hermite polynomial. 1PI diagrams by a
    Legendre transform. With exchangeable legs Aut includes permutations of legs, a factor 1/n!.

    Parameters, errors: see :func:`count_diagrams`.

    Examples
    --------
    >>> total_weight(valences=(4,), legs=2, loops=2), total_weight(valences=(4,), legs=0, loops=2)
    (Fraction(2, 3), Fraction(1, 8))
    """
    request = _request(valences, legs, loops, connected, one_particle_irreducible, self_loops, tadpoles)
    return _weight(request) / (1 if labelled else factorial(legs))


def weights_by_valences(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
) -> dict[Degrees, Fraction]:
    r"""Return the sum of 1/\|Aut\| for each multiset of vertex degrees, as increasing tuples.

    Parameters, errors: see :func:`count_diagrams`. With ``labelled=True`` the same as
    :meth:`diagrams.Diagrams.weights_by_valences`, whichever legs were enumerated.

    Examples
    --------
    >>> weights_by_valences(valences=(3, 4), legs=2, loops=1)
    {(4,): Fraction(1, 2), (3, 3): Fraction(1, 1)}
    """
    request = _request(valences, legs, loops, connected, one_particle_irreducible, self_loops, tadpoles)
    shared = 1 if labelled else factorial(legs)
    return {degrees: weight / shared for degrees, weight in _tally(replace(request, refined=True)).items()}


@dataclass(frozen=True)
class _Request:
    """What is asked for, in a form in which equal requests are equal."""

    valences: tuple[int, ...]
    legs: int
    loops: int
    connected: bool
    irreducible: bool
    self_loops: bool
    tadpoles: bool
    labelled: bool = True
    orbits: bool = False
    refined: bool = False

    @property
    def order(self) -> int:
        """Highest sum of (degree - 2), that of a connected diagram."""
        return self.legs + 2 * (self.loops - 1)


def _request(
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool,
    irreducible: bool,
    self_loops: bool,
    tadpoles: bool,
) -> _Request:
    allowed = checked_valences(valences)
    check_count("legs", legs)
    check_count("loops", loops)
    if irreducible and not connected:
        raise ValueError("one_particle_irreducible=True needs connected=True: a 1PI diagram is connected")
    order = int(legs) + 2 * (int(loops) - 1)
    fitting = tuple(sorted(d for d in allowed if d - 2 <= order))
    return _Request(
        fitting,
        int(legs),
        int(loops),
        bool(connected),
        bool(irreducible),
        bool(self_loops),
        bool(tadpoles or irreducible),
    )


def checked_valences(valences: Sequence[int]) -> tuple[int, ...]:
    """Return the allowed degrees of vertices in decreasing order, or raise."""
    if not isinstance(valences, Iterable):
        raise TypeError(f"valences must be a sequence of integers such as (4,), got {valences!r}")
    if not (given := tuple(valences)):
        raise ValueError("valences is empty: give the allowed numbers of half-edges at a vertex, for example (4,)")
    for d in given:
        if isinstance(d, bool) or not isinstance(d, int | np.integer):
            raise TypeError(f"valences must be integers, got {d!r}")
        if d < 3:
            raise ValueError(
                f"valence {d} is not allowed: every vertex needs at least 3 half-edges, because chains of 2-leg "
                "vertices (and trees of 1-leg ones) make the number of diagrams at a loop order infinite"
            )
    return tuple(sorted({int(d) for d in given}, reverse=True))


def check_count(name: str, value: int) -> None:
    """Raise unless ``value`` is a non-negative integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be >= 0, got {value}")


@cache
def _weight(request: _Request) -> Fraction:
    """Return the sum of the weights with labelled legs."""
    return zero_dimensional_weight(
        valences=request.valences,
        legs=request.legs,
        loops=request.loops,
        connected=request.connected,
        irreducible=request.irreducible,
        self_loops=request.self_loops,
        tadpoles=request.tadpoles,
    )


@cache
def _tally(request: _Request) -> Mapping[Degrees, Fraction]:
    """Return the number or weight for each multiset of degrees (without ``refined``: all together)."""
    if request.order < 0:
        return {}
    exchangeable = not request.labelled
    pairs, denominator = matchings(
        valences=request.valences,
        top=request.order,
        fixed=request.legs if request.labelled else 0,
        free=0 if request.labelled else request.legs,
        orbits=request.orbits,
        self_loops=request.self_loops,
        refined=request.refined,
    )
    if request.irreducible:
        row = irreducible_part(pairs, request.legs, exchangeable=exchangeable)[request.order]
    else:
        parts = connected_parts(pairs, request.legs, exchangeable=exchangeable, tadpoles=request.tadpoles)
        if request.connected:
            row = parts[request.legs][request.order]
        else:
            row = disconnected(
                pairs.ring, parts, request.legs, request.loops, orbits=request.orbits, exchangeable=exchangeable
            )
    modulus = pairs.ring.modulus
    found = {
        tuple(d for d, m in zip(request.valences, _exponents(key, pairs.ring.width), strict=False) for _ in range(m)): c
        for key, c in row.items()
    }
    return {
        degrees: Fraction(c * denominator % modulus, denominator)
        for degrees, c in sorted(found.items(), key=lambda item: (len(item[0]), item[0]))
    }


def _exponents(key: int, width: int) -> Iterator[int]:
    """Iterate over the numbers of vertices of each degree that a key holds, above the fields for legs."""
    key >>= FIRST_DEGREE * width
    while key:
        yield key & ((1 << width) - 1)
        key >>= width
