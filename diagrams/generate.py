"""Enumeration of Feynman diagrams: vertex lists, skeletons of each, legs attached by orbits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from diagrams._multisets import vertex_multisets
from diagrams._run import Request, TooManyGraphsError, VertexLists, run
from diagrams.collection import Diagrams, GraphBlock
from diagrams.counting import check_count, checked_valences, count_diagrams, total_weight

MAX_GRAPHS = 5_000_000


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
        If there are more than ``max_graphs`` diagrams; the text states the exact number.
    RuntimeError
        If the result fails the self-check.

    Notes
    -----
    Orderly generation, see :mod:`diagrams._orderly`: isomorphic copies are never made. Every result is checked against
    the exact sum of 1/|Aut| from zero-dimensional field theory (:func:`diagrams.total_weight`).

    Examples
    --------
    >>> ds = enumerate_diagrams(valences=(4,), legs=4, loops=1, one_particle_irreducible=True)
    >>> len(ds), ds.total_weight()
    (3, Fraction(3, 2))
    """
    allowed = checked_valences(valences)
    for name, value in (("legs", legs), ("loops", loops), ("max_graphs", max_graphs)):
        check_count(name, value)
    if one_particle_irreducible and not connected:
        raise ValueError("one_particle_irreducible=True needs connected=True: a 1PI diagram is connected")
    options: dict[str, Any] = {
        "valences": allowed,
        "legs": legs,
        "loops": loops,
        "connected": connected,
        "one_particle_irreducible": one_particle_irreducible,
        "self_loops": self_loops,
        "tadpoles": tadpoles,
        "labelled": labelled,
    }
    expected = total_weight(**options)
    if expected > max_graphs:  # no weight is above one
        raise _too_many(options, max_graphs)
    request = Request(legs, one_particle_irreducible, tadpoles, labelled)
    blocks: list[GraphBlock] = []
    try:
        for lists in _vertex_lists(options):
            blocks += run(request, lists, max_graphs - sum(map(len, blocks)))
    except TooManyGraphsError:
        raise _too_many(options, max_graphs) from None
    found = Diagrams(tuple(blocks))
    if found.total_weight() != expected:
        raise RuntimeError(
            f"self-check failed: the sum of 1/|Aut| over {len(found)} diagrams is {found.total_weight()}, but the "
            f"generating function gives {expected} for {options}. Please report this as a bug"
        )
    return found


def _too_many(options: dict[str, Any], max_graphs: int) -> MemoryError:
    """Return the error that states the exact number, which is known without making them."""
    remedy = "raise max_graphs"
    if options["labelled"] and options["legs"] > 1:
        n_free = count_diagrams(**(options | {"labelled": False}))
        remedy += f", or use labelled=False, which keeps one diagram for all orders of the legs: {n_free}"
    shown = ", ".join(f"{key}={options[key]}" for key in ("legs", "loops", "valences"))
    return MemoryError(
        f"there are {count_diagrams(**options)} diagrams with {shown}, max_graphs={max_graphs}; {remedy}"
    )


def _vertex_lists(options: dict[str, Any]) -> Iterator[VertexLists]:
    """Iterate over the lists of vertices that can occur, by number of directly joined legs and of components.

    With C components that have vertices, the degrees satisfy sum (d - 2) = attached legs + 2 (loops - C); a component
    without legs has at least two loops.
    """
    legs, loops, irreducible = options["legs"], options["loops"], options["one_particle_irreducible"]
    if options["connected"]:
        if legs == 2 and loops == 0 and not irreducible:
            yield VertexLists(np.zeros((1, 1, 3), np.uint8), np.zeros(1, np.int64), 0, 1)
        yield _lists_with_excess(options, legs, legs + 2 * (loops - 1), 1, 0)
        return
    for n_joined in range(legs // 2 + 1):
        attached = legs - 2 * n_joined
        if attached == 0 and loops == 0 and n_joined:
            yield VertexLists(np.zeros((1, 1, 3), np.uint8), np.zeros(1, np.int64), 0, n_joined)
        for components in range(1, attached + loops // 2 + 1):
            yield _lists_with_excess(options, attached, attached + 2 * (loops - components), components, n_joined)


def _lists_with_excess(options: dict[str, Any], legs: int, excess: int, components: int, n_joined: int) -> VertexLists:
    """Return all lists of vertices with sum (degree - 2) = excess and ``legs`` attached legs, few vertices first."""
    types = [
        (d, n, o)
        for d in options["valences"]
        if d - 2 <= excess
        for n in range(min(d, legs), -1, -1)
        for o in range((d - n) // 2 if options["self_loops"] else 0, -1, -1)
    ]
    if any(d > 255 for d, _, _ in types):
        raise ValueError(f"valences up to 255 are supported, got {max(options['valences'])}")
    types.sort(key=lambda t: (-t[1], -t[2], -t[0]))
    allowed = np.array(types, np.int64).reshape(len(types), 3)
    bridgeless = options["one_particle_irreducible"]
    lists, sizes = vertex_multisets(allowed, excess, legs, options["connected"], bridgeless)
    order = np.lexsort((-lists[:, :, 2].sum(axis=1, dtype=np.int64), sizes))
    return VertexLists(lists[order, : sizes.max(initial=1)], sizes[order], components, n_joined)
