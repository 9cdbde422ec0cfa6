"""Diagrams whose vertices say which coefficient function of a correlator they carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.rules import Contraction, FeynmanRules, VertexRule
from diagrams.series import Exponents
from diagrams.vertex_orders import Functions, VertexOrders


@dataclass(frozen=True, order=True)
class DecoratedGraph(FeynmanGraph):
    """A Feynman graph with the name of a function at each vertex, which isomorphisms must keep.

    Parameters
    ----------
    functions : tuple of str
        One for each vertex; the others as :class:`~diagrams.graph.FeynmanGraph`. Vertices are correlators by default.

    Raises
    ------
    ValueError
        As :class:`~diagrams.graph.FeynmanGraph`, or if there is not one function for each vertex.

    Examples
    --------
    >>> chain = ((0, 2), (2, 3), (3, 1))
    >>> DecoratedGraph(2, chain, functions=("a", "b"), labelled=False).symmetry_factor
    1
    >>> DecoratedGraph(2, chain, functions=("a", "a"), labelled=False).symmetry_factor
    2
    """

    functions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds = self.kinds or (CORRELATOR,) * len(self.functions)
        if len(kinds) != len(self.functions):
            raise ValueError(f"give one function for each vertex, got {len(self.functions)} for {len(kinds)} vertices")
        # canonical order and automorphisms compare kinds, so the name rides along while they are found
        object.__setattr__(self, "kinds", tuple(f"{k} {f}" for k, f in zip(kinds, self.functions, strict=True)))
        super().__post_init__()
        pairs = [kind.split(" ", 1) for kind in self.kinds]
        object.__setattr__(self, "kinds", tuple(kind for kind, _ in pairs))
        object.__setattr__(self, "functions", tuple(function for _, function in pairs))

    def _validate(self, n_nodes: int, kinds: tuple[str, ...], fields: tuple[str, ...]) -> None:
        super()._validate(n_nodes, tuple(kind.split(" ", 1)[0] for kind in kinds), fields)

    @property
    def plain(self) -> FeynmanGraph:
        """The graph without the names."""
        return FeynmanGraph(self.n_legs, self.edges, self.kinds, self.fields, self.directed, self.labelled)

    @cached_property
    def multiplicity(self) -> int:
        """Number of distinct labelled diagrams that this one stands for (1 if its legs are labelled)."""
        if self.labelled:
            return 1
        fixed = self.relabel_legs(range(self.n_legs))
        return factorial(self.n_legs) * fixed.symmetry_factor // self.symmetry_factor

    def _with(self, *, labelled: bool, edges: Any = None) -> DecoratedGraph:
        lines = self.edges if edges is None else edges
        return DecoratedGraph(self.n_legs, lines, self.kinds, self.fields, self.directed, labelled, self.functions)

    def with_exchangeable_legs(self) -> DecoratedGraph:
        """Return the same diagram with legs that may be permuted."""
        return self._with(labelled=False)

    def relabel_legs(self, permutation: Any) -> DecoratedGraph:
        """Return the labelled diagram whose leg node ``i`` carries the label ``permutation[i]``."""
        move = list(permutation) + list(self.vertices)
        return self._with(labelled=True, edges=tuple((move[u], move[v]) for u, v in self.edges))

    def with_kind(self, kind: str) -> DecoratedGraph:
        """Return the same diagram with every vertex of one kind."""
        kinds = (kind,) * self.n_vertices
        return DecoratedGraph(self.n_legs, self.edges, kinds, self.fields, self.directed, self.labelled, self.functions)

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.n_legs, self.edges, self.kinds, self.fields, self.directed, self.labelled, self.functions)
        return DecoratedGraph, given


@dataclass(frozen=True, eq=False)
class GraphList:
    """Graphs given one by one as a block of :class:`~diagrams.collection.Diagrams`; all with equally many legs."""

    graphs: tuple[FeynmanGraph, ...]

    def __len__(self) -> int:
        return len(self.graphs)

    @property
    def n_legs(self) -> int:
        """Number of external legs."""
        return self.graphs[0].n_legs

    @property
    def labelled(self) -> bool:
        """True if the legs are labelled."""
        return self.graphs[0].labelled

    @property
    def symmetry(self) -> NDArray[Any]:
        """Order of the automorphism group of each graph."""
        return np.array([g.symmetry_factor for g in self.graphs], np.int64)

    @property
    def multiplicity(self) -> NDArray[Any]:
        """Number of labelled diagrams behind each graph."""
        return np.array([g.multiplicity for g in self.graphs], np.int64)

    @property
    def leg_permutations(self) -> int:
        """Number of ways to number the legs."""
        return factorial(self.n_legs)

    @property
    def nbytes(self) -> int:
        """Memory of the lines and vertices, roughly."""
        return sum(16 * len(g.edges) + 8 * g.n_vertices for g in self.graphs)

    def valences(self) -> dict[tuple[int, ...], NDArray[np.intp]]:
        """Return the members with each multiset of vertex degrees."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, g in enumerate(self.graphs):
            groups.setdefault(tuple(sorted(g.valences)), []).append(i)
        return {key: np.array(members, np.intp) for key, members in groups.items()}

    def graph(self, index: int) -> FeynmanGraph:
        """Return one member."""
        return self.graphs[index]

    def take(self, chosen: NDArray[np.intp]) -> GraphList:
        """Return the block with some of its members."""
        return GraphList(tuple(self.graphs[i] for i in chosen.tolist()))

    def with_kind(self, kind: str) -> GraphList:
        """Return the block with every vertex of one kind."""
        return GraphList(tuple(g.with_kind(kind) for g in self.graphs))


@dataclass(frozen=True)
class ReconstructionRules(FeynmanRules):
    """The rules for an action from connected correlators that are expansions in one parameter or several.

    As :meth:`FeynmanRules.connected_correlators`, with one vertex for each coefficient function: a graph without names
    has the first one of each valence at its vertices, a :class:`DecoratedGraph` those that it names.
    """

    @classmethod
    def of(cls, vertices: VertexOrders) -> ReconstructionRules:
        """Return the rules for the coefficient functions given."""
        base = FeynmanRules.connected_correlators((), vertices.parameters)
        rules = tuple(VertexRule(CORRELATOR, n, sympy.S.One, name, False, key) for name, (n, key) in vertices.functions)
        return cls(rules, base.lines, base.sign, vertices.parameters)

    @property
    def functions(self) -> Functions:
        """Number of points and powers of the parameters of every coefficient function."""
        return {str(rule.function): (rule.valence, rule.order) for rule in self.vertices}

    def order(self, graph: FeynmanGraph) -> Exponents:
        """Return the powers of the expansion parameters that a graph carries."""
        if not isinstance(graph, DecoratedGraph):
            return super().order(graph)
        known, zero = self.functions, (sympy.S.Zero,) * len(self.parameters)
        return tuple(sum(e, sympy.S.Zero) for e in zip(zero, *(known[f][1] for f in graph.functions), strict=True))

    def contraction(self, graph: FeynmanGraph) -> Contraction:
        """Return the graph as a tensor contraction, without its symmetry factor."""
        found = super().contraction(graph)
        if not isinstance(graph, DecoratedGraph) or not graph.n_vertices:
            return found
        lines = found.operands[: -graph.n_vertices]  # vertices come last, in the order of the graph
        places = [index for _, index in found.operands[-graph.n_vertices :]]
        return found._replace(operands=(*lines, *zip(graph.functions, places, strict=True)))


def decorations(
    graph: FeynmanGraph, choices: Mapping[int, Mapping[str, Exponents]], highest: tuple[int, ...]
) -> dict[Exponents, list[DecoratedGraph]]:
    """Return the distinct ways to put coefficient functions at the vertices, by their total powers.

    Parameters
    ----------
    graph : FeynmanGraph
    choices : mapping from valence to mapping from name to exponents
    highest : tuple of int
        Total powers above these are left out.

    Returns
    -------
    dict from exponents to list of DecoratedGraph
    """
    found: dict[Exponents, set[DecoratedGraph]] = {}
    zero = (sympy.S.Zero,) * len(highest)
    for names, key in assignments([choices[r] for r in graph.valences], zero, highest):
        decorated = DecoratedGraph(graph.n_legs, graph.edges, graph.kinds, labelled=graph.labelled, functions=names)
        found.setdefault(key, set()).add(decorated)
    return {key: sorted(graphs) for key, graphs in found.items()}


def assignments(
    options: list[Mapping[str, Exponents]], start: Exponents, highest: tuple[int, ...]
) -> Iterator[tuple[tuple[str, ...], Exponents]]:
    """Iterate over one choice from each of the options with the sum of their powers, none above ``highest``."""
    if not options:
        yield (), start
        return
    for name, powers in options[0].items():
        total = tuple(a + b for a, b in zip(start, powers, strict=True))
        if all(e <= h for e, h in zip(total, highest, strict=True)):
            for names, key in assignments(options[1:], total, highest):
                yield (name, *names), key
