"""Canonical labelling and automorphisms of small coloured multigraphs (individualise and refine)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Key = tuple[Any, ...]


class Canonical(NamedTuple):
    """Result of :func:`canonical_order`."""

    order: list[int]  # order[i]: the node that takes place i
    n_automorphisms: int  # permutations of nodes that keep colours and edges (edge exchanges not counted)
    generators: list[list[int]]  # generators of that group, as images of the nodes


def canonical_order(colours: Sequence[Any], matrix: Sequence[Sequence[Any]]) -> Canonical:
    """Return a node order that is the same for isomorphic graphs, with the automorphism group.

    Equitable refinement by neighbour colours, then a search over the members of the first cell that is not a
    single node. Branches that a known automorphism maps onto an explored one are skipped, and a branch is left as
    soon as it repeats the first leaf, so that highly symmetric graphs stay cheap.

    Parameters
    ----------
    colours : sequence of sortable values
        Colour of each node; nodes of different colours are never exchanged.
    matrix : square sequence of sortable values
        ``matrix[u][v]`` describes the lines from ``u`` to ``v`` (a falsy value: none); ``matrix[u][u]`` self-loops.

    Returns
    -------
    Canonical
    """
    rank = {c: i for i, c in enumerate(sorted(set(colours)))}
    search = _Search(len(colours), matrix)
    start = search.refine([rank[c] for c in colours])
    search.visit(start, [])
    return Canonical(search.best_order, search.n_automorphisms, search.generators)


@dataclass
class _Search:
    n: int
    matrix: Sequence[Sequence[Any]]
    generators: list[list[int]] = field(default_factory=list)
    first_order: list[int] = field(default_factory=list)
    first_key: Key = ()
    best_order: list[int] = field(default_factory=list)
    best_key: Key = ()
    n_automorphisms: int = 1

    def __post_init__(self) -> None:
        self.neighbours = [[v for v in range(self.n) if self.matrix[u][v] or self.matrix[v][u]] for u in range(self.n)]

    def refine(self, colour: list[int]) -> list[int]:
        """Split colours by the colours of neighbours until nothing changes; the ranks are invariant."""
        m = self.matrix
        n_cells = len(set(colour))
        while True:
            keys = [
                (colour[u], sorted((colour[v], m[u][v], m[v][u]) for v in self.neighbours[u])) for u in range(self.n)
            ]
            ranked = sorted(range(self.n), key=keys.__getitem__)
            fresh = [0] * self.n
            for place, u in enumerate(ranked):
                # a cell is numbered by its first place, so that individualising a node needs no renumbering
                same = place and keys[u] == keys[ranked[place - 1]]
                fresh[u] = fresh[ranked[place - 1]] if same else place
            count = len(set(fresh))
            if count == n_cells:
                return fresh
            colour, n_cells = fresh, count

    def visit(self, colour: list[int], prefix: list[int]) -> bool:
        """Explore one node of the search tree; True when it repeated the first leaf (an automorphism)."""
        cells: dict[int, list[int]] = {}
        for u, c in enumerate(colour):
            cells.setdefault(c, []).append(u)
        target = next((cells[c] for c in sorted(cells) if len(cells[c]) > 1), None)
        if target is None:
            return self.leaf(colour)
        on_first_path = not self.first_order
        tried: list[int] = []
        for u in target:
            if tried and not self.orbit(u, prefix).isdisjoint(tried):
                continue
            split = [c + 1 if c == colour[u] and v != u else c for v, c in enumerate(colour)]
            repeated = self.visit(self.refine(split), [*prefix, u])
            tried.append(u)
            if repeated and not on_first_path:
                return True
        if on_first_path:
            self.n_automorphisms *= len(self.orbit(target[0], prefix))
        return False

    def orbit(self, u: int, prefix: list[int]) -> set[int]:
        """Return the orbit of ``u`` under the known automorphisms that fix ``prefix``."""
        fixing = [g for g in self.generators if all(g[p] == p for p in prefix)]
        orbit, fresh = {u}, [u]
        while fresh:
            fresh = [w for w in {g[v] for g in fixing for v in fresh} if w not in orbit]
            orbit.update(fresh)
        return orbit

    def leaf(self, colour: list[int]) -> bool:
        order = sorted(range(self.n), key=colour.__getitem__)
        m = self.matrix
        key = tuple(m[u][v] for u in order for v in order)
        if not self.first_order:
            self.first_order, self.first_key = order, key
            self.best_order, self.best_key = order, key
            return False
        if key == self.first_key:
            self.add_generator(self.first_order, order)
            return True
        if key == self.best_key:
            self.add_generator(self.best_order, order)
        elif key > self.best_key:
            self.best_order, self.best_key = order, key
        return False

    def add_generator(self, source: list[int], target: list[int]) -> None:
        image = [0] * self.n
        for a, b in zip(source, target, strict=True):
            image[a] = b
        self.generators.append(image)
