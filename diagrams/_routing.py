"""Routing of momenta: a spanning tree, a loop momentum on each other line, momentum conserved everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy

from diagrams.graph import Edge, FeynmanGraph, _components
from diagrams.symbols import symbol
from diagrams.typing import Expr


@dataclass(frozen=True)
class MomentumRouting:
    """Momenta of all lines in terms of loop momenta l_1, ..., l_L and external momenta p_1, ..., p_n.

    All external momenta flow in. In every component the momentum of the last leg is minus the sum of the others,
    so its column of coefficients is zero. The momentum of a line ``(u, v)`` of ``graph.edges`` flows from u to v.

    Parameters
    ----------
    graph : FeynmanGraph
    chords : tuple of int
        The line that carries l_1, the line that carries l_2, ...; the other lines form spanning trees.
    loop_coefficients, external_coefficients : tuple of tuple of int
        One row for each line of ``graph.edges``, one column for each loop momentum or external leg.
    """

    graph: FeynmanGraph
    chords: tuple[int, ...]
    loop_coefficients: tuple[tuple[int, ...], ...]
    external_coefficients: tuple[tuple[int, ...], ...]

    @property
    def tree(self) -> tuple[int, ...]:
        """The lines of the spanning trees."""
        return tuple(i for i in range(len(self.graph.edges)) if i not in self.chords)

    @cached_property
    def momenta(self) -> tuple[Expr, ...]:
        """The momentum of each line as a sympy expression; one symbol stands for a vector."""
        return tuple(sympy.Add(*(c * symbol(f"{x}_{k}") for c, x, k in self._terms(i))) for i in self._rows)

    @cached_property
    def latex(self) -> tuple[str, ...]:
        """The momentum of each line as LaTeX, loop momenta first."""
        return tuple(self._line_latex(i) for i in self._rows)

    @property
    def _rows(self) -> range:
        return range(len(self.graph.edges))

    def _terms(self, line: int) -> list[tuple[int, str, int]]:
        rows = (("l", self.loop_coefficients[line]), ("p", self.external_coefficients[line]))
        return [(c, name, k) for name, row in rows for k, c in enumerate(row, 1) if c]

    def _line_latex(self, line: int) -> str:
        text = " ".join(f"{'-' if c < 0 else '+'} {name}_{{{k}}}" for c, name, k in self._terms(line))
        return text.replace("- ", "-", 1) if text.startswith("-") else text.removeprefix("+ ") or "0"

    def _repr_latex_(self) -> str:
        n = self.graph.n_legs
        names = [
            f"x_{{{i + 1}}}" if i < n else str(i - n + 1) for i in range(self.graph.n_legs + self.graph.n_vertices)
        ]
        rows = (rf"{names[u]} \to {names[v]}: & {self.latex[i]}" for i, (u, v) in enumerate(self.graph.edges))
        return r"$\displaystyle \begin{array}{rl}" + r" \\ ".join(rows) + r"\end{array}$"


def loop_momentum_basis(graph: FeynmanGraph) -> MomentumRouting:
    """Return a choice of loop momenta, with momentum conserved at every vertex.

    Every component gets a spanning tree of shortest paths to its last leg (to its first vertex if it has no leg),
    and each line outside carries a loop momentum of its own. External momenta thus flow along shortest paths to
    the last leg, and among equally short ones along those already in use; they never touch a chord.

    Examples
    --------
    >>> routing = loop_momentum_basis(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    >>> [(edge, str(p)) for edge, p in zip(routing.graph.edges, routing.momenta)]
    [((0, 2), 'p_1'), ((1, 3), '-p_1'), ((2, 3), '-l_1 - l_2 + p_1'), ((2, 3), 'l_1'), ((2, 3), 'l_2')]
    """
    parents, inwards = _spanning_forest(graph)
    tree = {line for line, _ in parents.values()}
    chords = tuple(i for i in range(len(graph.edges)) if i not in tree)
    L, n = len(chords), graph.n_legs
    load = [[0] * (L + n) for _ in range(graph.n_legs + graph.n_vertices)]
    rows = [[0] * (L + n) for _ in graph.edges]
    for leg in range(n):
        load[leg][L + leg] = 1
    for k, line in enumerate(chords):
        tail, head = graph.edges[line]
        load[tail][k] -= 1
        load[head][k] += 1
        rows[line][k] = 1
    for node in inwards:
        line, towards = parents[node]
        sign = 1 if graph.edges[line][0] == node else -1
        rows[line] = [sign * x for x in load[node]]
        load[towards] = [a + b for a, b in zip(load[towards], load[node], strict=True)]
    return MomentumRouting(graph, chords, tuple(tuple(row[:L]) for row in rows), tuple(tuple(row[L:]) for row in rows))


def _spanning_forest(graph: FeynmanGraph) -> tuple[dict[int, tuple[int, int]], list[int]]:
    """Return (line, next node) towards the root for each node but the roots, and these nodes from far to near."""
    around: list[list[Edge]] = [[] for _ in range(graph.n_legs + graph.n_vertices)]
    for line, (u, v) in enumerate(graph.edges):
        around[u].append((v, line))
        around[v].append((u, line))
    parents: dict[int, tuple[int, int]] = {}
    inwards: list[int] = []
    for component in _components((graph.n_legs + graph.n_vertices), graph.edges):
        root = max((v for v in component if v < graph.n_legs), default=min(component))
        distance = _distances(root, around)
        used = {root}
        for node in sorted(component):  # legs come first: their momenta share lines
            while node not in used:
                nearer = [(w not in used, w, i) for w, i in around[node] if distance[w] < distance[node]]
                _, towards, line = min(nearer)
                parents[node] = line, towards
                used.add(node)
                node = towards
        inwards += sorted(component - {root}, key=lambda v: (-distance[v], v))
    return parents, inwards


def _distances(root: int, around: list[list[Edge]]) -> dict[int, int]:
    distance = {root: 0}
    queue = [root]
    for node in queue:
        for w, _ in around[node]:
            if w not in distance:
                distance[w] = distance[node] + 1
                queue.append(w)
    return distance
