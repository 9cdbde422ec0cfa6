"""Enumeration of Feynman diagrams: vertex lists, skeletons of each, legs attached by orbits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from diagrams._request import Request
from diagrams._run import Stage, TooManyGraphsError, run
from diagrams.collection import Diagrams
from diagrams.counting import check_count, count_diagrams

MAX_GRAPHS = 5_000_000
_MOST_COUNTED = 100_000  # so many are made and dropped to state their number in an error


def enumerate_diagrams(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
    two_particle_irreducible: bool = False,
    amputated: bool = False,
    vertex_two_connected: bool = False,
    planar: bool = False,
    max_graphs: int = MAX_GRAPHS,
) -> Diagrams:
    """Return all Feynman diagrams of one real field with given vertices, legs and loops, each exactly once.

    Parameters
    ----------
    valences : sequence of int
        Allowed numbers of half-edges at a vertex, each at least 3 (with 1 or 2 the number of graphs at a given
        loop order is not finite).
    legs : int
        Number of external legs, 0 for vacuum diagrams.
    loops : int
        Number of independent cycles, lines - vertices + components (external ends not counted as vertices).
    connected : bool
        Only connected diagrams. Otherwise vacuum parts and legs joined directly to one another count too.
    one_particle_irreducible : bool
        Only connected diagrams with at least one vertex that stay connected when any internal line is cut
        (external legs are not internal lines: a bare vertex is 1PI, a bare propagator is not).
    self_loops : bool
        False leaves out diagrams with a line that begins and ends at one vertex (QGRAF: ``noselfloop``).
    tadpoles : bool
        False leaves out diagrams with an internal line that, when cut, splits off a part without external legs
        (QGRAF: ``notadpole``).
    labelled : bool
        Legs are labelled (symmetry factors fix every leg). Otherwise legs are exchangeable: symmetry factors count
        leg permutations, and every diagram has a ``multiplicity``.
    two_particle_irreducible : bool
        Only connected diagrams with at least one vertex that stay connected when any one or two internal lines are
        cut (:func:`diagrams.topology.is_two_particle_irreducible`).
    amputated : bool
        Only connected diagrams without an internal line that, when cut, splits off exactly one leg from one or more
        others (none with :func:`diagrams.topology.has_leg_correction`; QGRAF: ``onshell``).
    vertex_two_connected : bool
        Only connected diagrams with a vertex that do not fall apart at any one vertex
        (:func:`diagrams.topology.is_vertex_two_connected`; QGRAF: ``onevi``).
    planar : bool
        Only connected diagrams that can be drawn without crossings with all legs at infinity, in any order
        (:func:`diagrams.topology.is_planar`).
    max_graphs : int
        Refuse when more graphs than this would have to be kept.

    Returns
    -------
    Diagrams
        Ordered by number of vertices, then from many self-loops to few.

    Raises
    ------
    TypeError, ValueError
        For valences below 3, negative or non-integer counts, or contradictory options.
    MemoryError
        If there are more than ``max_graphs`` diagrams; the text states the exact number (with filters that
        no generating function covers only up to 100,000).
    RuntimeError
        If the result fails the self-check.

    Notes
    -----
    Orderly generation, see :mod:`diagrams._orderly`: isomorphic copies are never made. Every result is checked against
    the exact sum of 1/|Aut| from zero-dimensional field theory (:func:`diagrams.total_weight`), except with
    ``two_particle_irreducible``, ``amputated``, ``vertex_two_connected`` or ``planar``, for which no generating
    function is known here. Use :func:`diagrams.streaming.iter_diagrams` where memory does not hold all diagrams.

    Examples
    --------
    >>> ds = enumerate_diagrams(valences=(4,), legs=4, loops=1, one_particle_irreducible=True)
    >>> len(ds), ds.total_weight()
    (3, Fraction(3, 2))
    """
    request = Request(
        valences=valences,
        legs=legs,
        loops=loops,
        connected=connected,
        one_particle_irreducible=one_particle_irreducible,
        self_loops=self_loops,
        tadpoles=tadpoles,
        labelled=labelled,
        two_particle_irreducible=two_particle_irreducible,
        amputated=amputated,
        vertex_two_connected=vertex_two_connected,
        planar=planar,
    )
    check_count("max_graphs", max_graphs)
    expected = request.expected_weight()
    if expected is not None and expected > max_graphs:  # no weight is above one
        raise _too_many(request, max_graphs)
    try:
        found = Diagrams(tuple(run([Stage(request, lists) for lists in request.vertex_lists()], max_graphs)))
    except TooManyGraphsError:
        raise _too_many(request, max_graphs) from None
    check_weight(request, len(found), found.total_weight(), expected)
    return found


def check_weight(request: Request, n_graphs: int, weight: Fraction, expected: Fraction | None) -> None:
    """Raise RuntimeError unless the diagrams made have the sum of 1/|Aut| that is expected of them."""
    if expected is not None and weight != expected:
        raise RuntimeError(
            f"self-check failed: the sum of 1/|Aut| over {n_graphs} diagrams is {weight}, but the generating function "
            f"gives {expected} for {request.covered}. Please report this as a bug"
        )


def _too_many(request: Request, max_graphs: int) -> MemoryError:
    """Return the error that states the exact number, with filters as far as making diagrams tells it soon."""
    remedy = "raise max_graphs, or take them one block after another from diagrams.streaming.iter_diagrams"
    options = request.covered
    shown = ", ".join(f"{key}={options[key]}" for key in ("legs", "loops", "valences"))
    if request.filters:
        number = _number_made(request) if max_graphs < _MOST_COUNTED else None
        stated = f"more than max_graphs={max_graphs} diagrams" if number is None else f"{number} diagrams"
        return MemoryError(f"there are {stated} with {shown}, max_graphs={max_graphs}; {remedy}")
    if request.labelled and request.legs > 1:
        n_free = count_diagrams(**(options | {"labelled": False}))
        remedy += f", or use labelled=False, which keeps one diagram for all orders of the legs: {n_free}"
    return MemoryError(
        f"there are {count_diagrams(**options)} diagrams with {shown}, max_graphs={max_graphs}; {remedy}"
    )


def _number_made(request: Request) -> int | None:
    """Return the number of diagrams by making them, a block at a time, None if there are very many."""
    from diagrams.streaming import DiagramStream

    number = 0
    with DiagramStream(request, 8192, None) as stream:
        for block in stream:
            number += len(block)
            if number > _MOST_COUNTED:
                return None
    return number
