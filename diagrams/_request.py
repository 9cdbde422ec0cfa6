"""What an enumeration is asked for, and the lists of vertices that can occur in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._filters import AMPUTATED, PLANAR, TWO_PARTICLE_IRREDUCIBLE, VERTEX_TWO_CONNECTED
from diagrams._multisets import vertex_multisets
from diagrams.counting import check_count, checked_valences, total_weight

_COUNTED = ("valences", "legs", "loops", "connected", "one_particle_irreducible", "self_loops", "tadpoles", "labelled")
_FILTERS = {
    "two_particle_irreducible": TWO_PARTICLE_IRREDUCIBLE,
    "amputated": AMPUTATED,
    "vertex_two_connected": VERTEX_TWO_CONNECTED,
    "planar": PLANAR,
}
_MANY_LEAVES = 5
_FEWEST_LINES = 3  # of a vertex to others if no two lines disconnect the diagram


class VertexLists(NamedTuple):
    """Lists of vertices for classes of graphs that have as many components and directly joined legs.

    ``types`` (T, V, 3) and ``sizes`` (T,) as in :func:`diagrams._orderly.skeletons`.
    """

    types: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    components: int
    n_joined: int


@dataclass(frozen=True)
class Request:
    """Checked options of :func:`diagrams.enumerate_diagrams`.

    Raises
    ------
    TypeError, ValueError
        For valences below 3, negative or non-integer counts, or contradictory options.
    """

    valences: Sequence[int]
    legs: int
    loops: int
    connected: bool
    one_particle_irreducible: bool
    self_loops: bool
    tadpoles: bool
    labelled: bool
    two_particle_irreducible: bool
    amputated: bool
    vertex_two_connected: bool
    planar: bool

    def __post_init__(self) -> None:
        allowed = checked_valences(self.valences)
        for name in ("legs", "loops"):
            check_count(name, getattr(self, name))
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in (*_COUNTED[3:], *_FILTERS):
            object.__setattr__(self, name, bool(getattr(self, name)))
        for name in ("one_particle_irreducible", *_FILTERS):
            if getattr(self, name) and not self.connected:
                short = "1PI" if name == "one_particle_irreducible" else name.replace("_", " ")
                raise ValueError(f"{name}=True needs connected=True: {short} diagrams are connected ones")
        excess = self.legs + 2 * (self.loops - 1)
        fitting = tuple(d for d in allowed if d - 2 <= excess)
        if any(d > 255 for d in fitting):
            raise ValueError(f"valences up to 255 are supported, got {fitting[0]}")
        object.__setattr__(self, "valences", fitting or allowed[-1:])

    @property
    def filters(self) -> int:
        """Filters that no generating function covers, as in :mod:`diagrams._filters`."""
        return sum(flag for name, flag in _FILTERS.items() if getattr(self, name))

    @property
    def bridgeless(self) -> bool:
        """True if no line may disconnect a diagram."""
        return self.one_particle_irreducible or self.two_particle_irreducible

    @property
    def covered(self) -> dict[str, Any]:
        """The options that :func:`diagrams.total_weight` knows."""
        return {name: getattr(self, name) for name in _COUNTED}

    def expected_weight(self) -> Fraction | None:
        """Return the exact sum of 1/|Aut|, None where no generating function is known."""
        return None if self.filters else total_weight(**self.covered)

    def vertex_lists(self) -> Iterator[VertexLists]:
        """Iterate over the lists of vertices that can occur, by number of directly joined legs and of components.

        With C components that have vertices, the degrees satisfy sum (d - 2) = attached legs + 2 (loops - C); a
        component without legs has at least two loops.
        """
        legs, loops = self.legs, self.loops
        if self.connected:
            if legs == 2 and loops == 0 and not self.bridgeless and not self.vertex_two_connected:
                yield _no_vertices(1)
            yield self._lists(legs, legs + 2 * (loops - 1), 1, 0)
            return
        for n_joined in range(legs // 2 + 1):
            attached = legs - 2 * n_joined
            if attached == 0 and loops == 0 and n_joined:
                yield _no_vertices(n_joined)
            for components in range(1, attached + loops // 2 + 1):
                yield self._lists(attached, attached + 2 * (loops - components), components, n_joined)

    def _lists(self, legs: int, excess: int, components: int, n_joined: int) -> VertexLists:
        """Return all lists with sum (degree - 2) = excess and ``legs`` attached legs, few vertices first."""
        types = [
            (d, n, o)
            for d in self.valences
            if d - 2 <= excess
            for n in range(min(d, legs), -1, -1)
            for o in range((d - n) // 2 if self.self_loops else 0, -1, -1)
        ]
        types.sort(key=lambda t: (-t[1], -t[2], -t[0]))
        allowed = np.array(types, np.int64).reshape(len(types), 3)
        lists, sizes = vertex_multisets(allowed, excess, legs, self.connected, self.bridgeless)
        if self.two_particle_irreducible or self.vertex_two_connected:
            chosen = self._possible(lists, sizes)
            lists, sizes = lists[chosen], sizes[chosen]
        order = np.lexsort((-lists[:, :, 2].sum(axis=1, dtype=np.int64), sizes))
        return VertexLists(_leaves_last(lists[order, : sizes.max(initial=1)]), sizes[order], components, n_joined)

    def _possible(self, lists: NDArray[np.uint8], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which lists have only vertices that pass the filters."""
        degrees, legs, loops = lists.astype(np.int64).transpose(2, 0, 1)
        fits = np.ones(degrees.shape, bool)
        if self.two_particle_irreducible:
            fits &= degrees - legs - 2 * loops >= _FEWEST_LINES
        if self.vertex_two_connected:
            fits &= loops == 0
        return (sizes == 1) | (fits | (degrees == 0)).all(axis=1)


def _leaves_last(lists: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put vertices with a single line to others after the rest, with and without legs, in lists where there are many.

    Where they come first a search tries all their orders before it looks at anything else.
    """
    degrees, legs, loops = lists.astype(np.int64).transpose(2, 0, 1)
    leaves = degrees - legs - 2 * loops == 1
    many = leaves.sum(axis=1) > _MANY_LEAVES
    if not many.any():
        return lists
    place = leaves[many] + 2 * (legs[many] == 0) + 4 * (degrees[many] == 0)
    order = np.argsort(place, axis=1, kind="stable")
    sorted_lists = lists.copy()
    sorted_lists[many] = np.take_along_axis(lists[many], order[:, :, None], axis=1)
    return sorted_lists


def _no_vertices(n_joined: int) -> VertexLists:
    return VertexLists(np.zeros((1, 1, 3), np.uint8), np.zeros(1, np.int64), 0, n_joined)
