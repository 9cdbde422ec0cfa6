"""Enumeration of Feynman diagrams: vertex lists, skeletons of each, legs attached by orbits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations, pairwise
from math import comb, factorial, prod

import numpy as np
from numpy.typing import NDArray

from diagrams._orderly import leg_assignments, skeletons
from diagrams._permutations import group_elements
from diagrams.collection import Diagrams, GraphBlock, VertexType
from diagrams.cumulants import pairings

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
        If there are more than ``max_graphs`` diagrams.

    Notes
    -----
    Orderly generation, see :mod:`diagrams._orderly`: isomorphic copies are never made.

    Examples
    --------
    >>> ds = enumerate_diagrams(valences=(4,), legs=4, loops=1, one_particle_irreducible=True)
    >>> len(ds), ds.total_weight()
    (3, Fraction(3, 2))
    """
    allowed = _check_valences(valences)
    _check_count("legs", legs)
    _check_count("loops", loops)
    if one_particle_irreducible and not connected:
        raise ValueError("one_particle_irreducible=True needs connected=True: a 1PI diagram is connected")
    blocks: list[GraphBlock] = []
    kept = 0
    lists = _vertex_lists(allowed, legs, loops, self_loops=self_loops, connected=connected)
    for types, n_joined in lists:
        block = _block(types, legs, n_joined, connected, one_particle_irreducible, labelled)
        if block is None:
            continue
        if not connected:
            block = _with_loops(block, loops)
        if not tadpoles:
            block = _without_tadpoles(block)
        kept += len(block)
        if kept > max_graphs:
            raise MemoryError(
                f"more than max_graphs={max_graphs} diagrams with legs={legs}, loops={loops}, valences={allowed}; "
                "raise max_graphs, or use labelled=False, which keeps one diagram for all orders of the legs"
            )
        if len(block):
            blocks.append(block)
    return Diagrams(tuple(blocks))


def _check_valences(valences: Sequence[int]) -> tuple[int, ...]:
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


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be >= 0, got {value}")


def _vertex_lists(
    valences: tuple[int, ...], legs: int, loops: int, *, self_loops: bool, connected: bool
) -> Iterator[tuple[tuple[VertexType, ...], int]]:
    """Iterate over (list of vertex types, number of pairs of legs joined directly).

    With C components the degrees satisfy sum (d - 2) = attached legs + 2 (loops - C'), C' the components with
    vertices; a component without legs has at least two loops.
    """
    if connected:
        if legs == 2 and loops == 0:
            yield (), 1
        yield from ((t, 0) for t in _types_with_excess(valences, legs, legs + 2 * (loops - 1), self_loops, True))
        return
    for n_joined in range(legs // 2 + 1):
        attached = legs - 2 * n_joined
        for components in range(attached + loops // 2 + 1):
            excess = attached + 2 * (loops - components)
            if components == 0:
                if attached == 0 and loops == 0 and n_joined:
                    yield (), n_joined
                continue
            yield from ((t, n_joined) for t in _types_with_excess(valences, attached, excess, self_loops, False))


def _types_with_excess(
    valences: tuple[int, ...], legs: int, excess: int, self_loops: bool, connected: bool
) -> list[tuple[VertexType, ...]]:
    """Return all multisets of vertex types with sum (degree - 2) = excess and ``legs`` legs in all."""
    if excess < 1:
        return []
    types = [
        (d, n, o)
        for d in valences
        if d - 2 <= excess
        for n in range(min(d, legs), -1, -1)
        for o in range((d - n) // 2 if self_loops else 0, -1, -1)
    ]
    types.sort(key=lambda t: (-t[1], -t[2], -t[0]))
    found: list[tuple[VertexType, ...]] = []

    def extend(first: int, chosen: list[VertexType], excess_left: int, legs_left: int) -> None:
        if excess_left == 0:
            if legs_left == 0 and _is_graphical(chosen, connected):
                found.append(tuple(chosen))
            return
        for i in range(first, len(types)):
            d, n, _ = types[i]
            if d - 2 <= excess_left and n <= legs_left:
                extend(i, [*chosen, types[i]], excess_left - (d - 2), legs_left - n)

    extend(0, [], excess, legs)
    return sorted(found, key=lambda t: (len(t), -sum(o for _, _, o in t)))


def _is_graphical(types: Sequence[VertexType], connected: bool) -> bool:
    """Check necessary conditions on the numbers of lines to other vertices."""
    rest = [d - n - 2 * o for d, n, o in types]
    total = sum(rest)
    if total % 2 or 2 * max(rest) > total:
        return False
    if len(types) == 1 or not connected:
        return True
    return min(rest) > 0 and total >= 2 * (len(types) - 1)


def _block(
    types: tuple[VertexType, ...], legs: int, n_joined: int, connected: bool, bridgeless: bool, labelled: bool
) -> GraphBlock | None:
    """Return all graphs with one list of vertices."""
    V = len(types)
    rest = np.array([d - n - 2 * o for d, n, o in types], np.int64)
    if bridgeless and V == 0:
        return None
    if V < 2:
        adjacency = np.zeros((int(not rest.any()), 0), np.uint8)
        order = np.ones(len(adjacency), np.int64)
        generators, first = np.zeros((0, V), np.uint8), np.zeros(len(adjacency) + 1, np.int64)
    else:
        colours = np.cumsum([0] + [a != b for a, b in pairwise(types)])
        adjacency, order, generators, first = skeletons(rest, colours, connected, bridgeless)
    if len(adjacency) == 0:
        return None
    factorials = np.array([factorial(min(k, 20)) for k in range(max(21, int(adjacency.max(initial=0)) + 1))])
    local = prod(2**o * factorial(o) for _, _, o in types)
    symmetry = order * local * factorials[adjacency].prod(axis=1)
    groups = _leg_groups(types, generators, first)
    attach = _attach_labelled if labelled else _attach_exchangeable
    return attach(types, legs, n_joined, adjacency, symmetry, groups)


Group = frozenset[tuple[int, ...]]


def _leg_groups(
    types: tuple[VertexType, ...], generators: NDArray[np.uint8], first: NDArray[np.int64]
) -> dict[Group, NDArray[np.intp]]:
    """Sort skeletons by the group in which their automorphisms permute the vertices with legs."""
    carriers = [v for v, (_, n, _) in enumerate(types) if n]
    k = len(carriers)
    trivial = frozenset({tuple(range(k))})
    n_graphs = len(first) - 1
    moves = (
        (generators[:, carriers] != np.array(carriers, np.uint8)).any(axis=1) if k else np.zeros(len(generators), bool)
    )
    counts = np.concatenate([[0], np.cumsum(moves)])
    touched = counts[first[1:]] > counts[first[:-1]]
    sorted_out: dict[Group, list[int]] = {}
    position = {v: i for i, v in enumerate(carriers)}
    for g in np.flatnonzero(touched).tolist():
        rows = generators[first[g] : first[g + 1]][:, carriers].tolist()
        images = [tuple(position[v] for v in row) for row in rows]
        sorted_out.setdefault(group_elements(k, images), []).append(g)
    result = {group: np.array(members) for group, members in sorted_out.items()}
    if not touched.all() or n_graphs == 0:
        result[trivial] = np.flatnonzero(~touched)
    return result


def _attach_labelled(
    types: tuple[VertexType, ...],
    legs: int,
    n_joined: int,
    adjacency: NDArray[np.uint8],
    symmetry: NDArray[np.int64],
    groups: dict[Group, NDArray[np.intp]],
) -> GraphBlock:
    carriers = np.array([v for v, (_, n, _) in enumerate(types) if n], np.uint8)
    counts = np.array([types[v][1] for v in carriers], np.int64)
    skeleton, owners, factor = [], [], []
    for group, members in groups.items():
        chosen, stabiliser = _assignments(counts, group)
        full = _with_joined_legs(carriers[chosen], legs, n_joined, len(types))
        repeat = len(full) // len(chosen)
        skeleton.append(np.repeat(members, len(full)).astype(np.int32))
        owners.append(np.tile(full, (len(members), 1)))
        factor.append((symmetry[members][:, None] // len(group) * np.tile(stabiliser, repeat)).ravel())
    # graphs of one skeleton stand together, skeletons in the order of generation
    all_skeletons = np.concatenate(skeleton)
    ranked = np.argsort(all_skeletons, kind="stable")
    total = np.concatenate(factor)[ranked]
    return GraphBlock(
        types, adjacency, all_skeletons[ranked], np.concatenate(owners)[ranked], total, np.ones_like(total)
    )


def _assignments(counts: NDArray[np.int64], group: Group) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if counts.size == 0:
        return np.zeros((1, 0), np.uint8), np.ones(1, np.int64)
    owners, stabiliser = leg_assignments(counts, np.array(sorted(group), np.int64))
    return owners, stabiliser


def _with_joined_legs(owners: NDArray[np.uint8], legs: int, n_joined: int, n_vertices: int) -> NDArray[np.uint8]:
    """Choose which legs are joined directly in pairs, the others keep their owners in order."""
    if n_joined == 0:
        return owners
    parts = []
    for chosen in combinations(range(legs), 2 * n_joined):
        for pairs in pairings(chosen):
            full = np.zeros((len(owners), legs), np.uint8)
            full[:, [i for i in range(legs) if i not in chosen]] = owners
            for a, b in pairs:
                full[:, a], full[:, b] = n_vertices + b, n_vertices + a
            parts.append(full)
    return np.concatenate(parts)


def _attach_exchangeable(
    types: tuple[VertexType, ...],
    legs: int,
    n_joined: int,
    adjacency: NDArray[np.uint8],
    symmetry: NDArray[np.int64],
    groups: dict[Group, NDArray[np.intp]],
) -> GraphBlock:
    owner = [v for v, (_, n, _) in enumerate(types) for _ in range(n)]
    joined = [len(types) + len(owner) + (i ^ 1) for i in range(2 * n_joined)]
    acting = np.ones(len(adjacency), np.int64)
    for group, members in groups.items():
        acting[members] = len(group)
    attached = legs - 2 * n_joined
    at_vertices = prod(factorial(n) for _, n, _ in types)
    # n! / |permutations of legs by automorphisms|
    joinings = comb(legs, attached) * prod(range(1, 2 * n_joined, 2))
    multiplicity = joinings * factorial(attached) // at_vertices // acting
    swaps = 2**n_joined * factorial(n_joined)
    G = len(adjacency)
    owners = np.tile(np.array(owner + joined, np.uint8), (G, 1))
    return GraphBlock(
        types,
        adjacency,
        np.arange(G, dtype=np.int32),
        owners,
        symmetry * at_vertices * swaps,
        multiplicity,
        labelled=False,
    )


def _with_loops(block: GraphBlock, loops: int) -> GraphBlock:
    """Keep graphs with the right number of cycles (the number of components varies at fixed vertices)."""
    V = len(block.types)
    lines = sum(d - n for d, n, _ in block.types) // 2
    components = [_count_components(row, V) for row in block.adjacency]
    wanted = np.array([lines - V + c == loops for c in components], bool)
    return block.take(np.flatnonzero(wanted[block.skeleton]))


def _count_components(upper_triangle: NDArray[np.uint8], V: int) -> int:
    parent = list(range(V))

    def root(v: int) -> int:
        while parent[v] != v:
            v = parent[v]
        return v

    for (i, j), m in zip(combinations(range(V), 2), upper_triangle.tolist(), strict=True):
        if m:
            parent[root(i)] = root(j)
    return sum(parent[v] == v for v in range(V))


def _without_tadpoles(block: GraphBlock) -> GraphBlock:
    """Drop graphs in which a line splits off a part without legs; that depends on the skeleton alone."""
    carriers = tuple(n > 0 for _, n, _ in block.types)
    good = np.array([not _splits_off_vacuum(tuple(row), carriers) for row in block.adjacency.tolist()], bool)
    return block.take(np.flatnonzero(good[block.skeleton]))


@cache
def _splits_off_vacuum(upper_triangle: tuple[int, ...], carriers: tuple[bool, ...]) -> bool:
    V = len(carriers)
    pairs = list(combinations(range(V), 2))
    lines = {pair for pair, m in zip(pairs, upper_triangle, strict=True) if m}
    for pair, m in zip(pairs, upper_triangle, strict=True):
        if m == 1:
            for start, other in (pair, pair[::-1]):
                part = _reachable(start, lines - {pair})
                if other not in part and not any(carriers[v] for v in part):
                    return True
    return False


def _reachable(start: int, lines: set[tuple[int, int]]) -> set[int]:
    part, fresh = {start}, [start]
    while fresh:
        v = fresh.pop()
        for a, b in lines:
            w = b if a == v else a if b == v else None
            if w is not None and w not in part:
                part.add(w)
                fresh.append(w)
    return part
