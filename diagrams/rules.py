"""FeynmanRules: from a graph to its amplitude, for interaction vertices, connected correlators, or both at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import sympy

from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.pointfunctions import AMPUTATED, INVERSE, PROPAGATOR, ChannelSum, PointFunction, integral
from diagrams.series import Exponents, Series
from diagrams.symbols import external_point, integration_point
from diagrams.typing import Expr

LEG = "leg"


@dataclass(frozen=True)
class VertexRule:
    """What one vertex contributes.

    Parameters
    ----------
    kind : str
        ``"interaction"`` or ``"correlator"``.
    valence : int
        Number of half-edges.
    coefficient : sympy.Expr
        Constant factor, sign included.
    function : str, optional
        Name of the function of the half-edge points; none for a constant (local) vertex.
    is_local : bool
        All half-edges share one point.
    order : tuple of exponents
        Powers of the expansion parameters that the vertex carries, the lowest if it has several terms.
    terms : tuple of (exponents, sympy.Expr), optional
        The constant factor order by order, without the powers of the expansion parameters, for a coupling that is a
        series (a counterterm of higher order); the coefficient is then the sum of all terms with their powers.
    """

    kind: str
    valence: int
    coefficient: Expr
    function: str | None
    is_local: bool
    order: Exponents
    terms: tuple[tuple[Exponents, Expr], ...] = ()

    @classmethod
    def local(cls, valence: int, coupling: Series) -> VertexRule:
        """Return the local interaction vertex ``-g_n`` of a constant coupling, all its orders included."""
        terms = tuple((key, -value) for key, value in coupling.terms)
        lowest = tuple(map(min, zip(*(key for key, _ in terms), strict=True)))
        total = sympy.Add(*(value * coupling.power(key) for key, value in terms))
        return cls(INTERACTION, valence, total, None, True, lowest, terms)

    @property
    def expansion(self) -> tuple[tuple[Exponents, Expr], ...]:
        """The constant factor order by order; a vertex of one term has its coefficient at its order."""
        return self.terms or ((self.order, self.coefficient),)


@dataclass(frozen=True)
class LineRule:
    """What a line contributes, by what it joins.

    Parameters
    ----------
    ends : tuple of two str
        Each ``"leg"``, ``"interaction"`` or ``"correlator"``.
    function : str, optional
        Name of the two-point function; none means that the two ends are the same point.
    sign : int
        +1 or -1.
    """

    ends: tuple[str, str]
    function: str | None
    sign: int = 1


class Contraction(NamedTuple):
    """A graph as a tensor contraction: operands (function name, index list) and the open indices.

    Indices 0 .. n_legs - 1 belong to the external points; every other index is summed over.
    """

    factor: Expr
    operands: tuple[tuple[str, tuple[int, ...]], ...]
    output: tuple[int, ...]


@dataclass(frozen=True)
class FeynmanRules:
    r"""The rules that turn a diagram into its amplitude.

    An amplitude is ``sign / |Aut|`` times vertices times lines, integrated over all points that are not external.

    * :meth:`interactions`: vertices ``-g_n``, lines and legs ``+G2``; overall sign +1. Correlators from an action.
    * :meth:`connected_correlators`: vertices ``+G_c^(r)``, lines ``-G2^{-1}``, legs ``+G2^{-1}``; overall sign -1. The
      action from connected correlators (from exp(-S) = int DJ exp(W[J] - J phi) with J shifted by G2^{-1} phi).
    * :meth:`mixed`: interaction vertices joined by connected-correlator blobs; a line only says that two points
      coincide. Correlators of an interacting theory on top of a finite-N ensemble.

    Parameters
    ----------
    vertices : tuple of VertexRule
    lines : tuple of LineRule
    sign : int
    parameters : tuple of sympy.Expr
        Expansion parameters that the vertices' orders refer to.
    """

    vertices: tuple[VertexRule, ...]
    lines: tuple[LineRule, ...]
    sign: int
    parameters: tuple[Expr, ...]

    @classmethod
    def interactions(cls, vertices: Sequence[VertexRule], parameters: tuple[Expr, ...]) -> FeynmanRules:
        """Return ordinary Feynman rules: correlators from the couplings of an action."""
        lines = (LineRule((LEG, LEG), PROPAGATOR), LineRule((LEG, INTERACTION), PROPAGATOR))
        return cls(tuple(vertices), (*lines, LineRule((INTERACTION, INTERACTION), PROPAGATOR)), 1, parameters)

    @classmethod
    def connected_correlators(cls, valences: Sequence[int], parameters: tuple[Expr, ...]) -> FeynmanRules:
        """Return the rules for an action from connected correlators of order ``N**(1 - r/2)``."""
        vertices = [
            VertexRule(CORRELATOR, r, sympy.S.One, f"G{r}", False, (sympy.Rational(r, 2) - 1,)) for r in valences
        ]
        lines = (
            LineRule((LEG, LEG), INVERSE, -1),  # the free action itself enters with the other overall sign
            LineRule((CORRELATOR, LEG), INVERSE),
            LineRule((CORRELATOR, CORRELATOR), INVERSE, -1),
        )
        return cls(tuple(vertices), lines, -1, parameters)

    @classmethod
    def mixed(
        cls,
        vertices: Sequence[VertexRule],
        valences: Sequence[int] | Mapping[int, Exponents],
        parameters: tuple[Expr, ...],
    ) -> FeynmanRules:
        """Return the rules for bipartite graphs: interaction vertices joined by connected-correlator blobs.

        ``vertices`` are the interactions; blobs exist for the ``valences`` given (2 is the propagator). A mapping
        gives their orders too; else they are ``N**(1 - r/2)`` if ``1/N`` is one of the ``parameters``, and zero in
        all others.
        """
        known = valences if isinstance(valences, Mapping) else {r: _blob_order(r, parameters) for r in valences}
        blobs = [VertexRule(CORRELATOR, r, sympy.S.One, f"Gc{r}", False, order) for r, order in known.items()]
        lines = (LineRule((CORRELATOR, LEG), None), LineRule((CORRELATOR, INTERACTION), None))
        return cls((*vertices, *blobs), lines, 1, parameters)

    def vertex(self, kind: str, valence: int) -> VertexRule:
        """Return the rule of one vertex.

        Raises
        ------
        ValueError
            If there is none; the text lists those there are.
        """
        for rule in self.vertices:
            if (rule.kind, rule.valence) == (kind, valence):
                return rule
        known = sorted({(r.kind, r.valence) for r in self.vertices})
        raise ValueError(f"these Feynman rules have no {kind} vertex with {valence} half-edges; they have {known}")

    def line(self, end: str, other: str) -> LineRule:
        """Return the rule of a line between two kinds of ends (in any order).

        Raises
        ------
        ValueError
            If such ends cannot be joined.
        """
        for rule in self.lines:
            if sorted(rule.ends) == sorted((end, other)):
                return rule
        raise ValueError(f"these Feynman rules do not join {end} to {other}; they join {[r.ends for r in self.lines]}")

    def order(self, graph: FeynmanGraph) -> Exponents:
        """Return the powers of the expansion parameters that a graph carries."""
        zero = (sympy.S.Zero,) * len(self.parameters)
        rules = [self.vertex(k, r) for k, r in zip(graph.kinds, graph.valences, strict=True)]
        return tuple(sum(e, sympy.S.Zero) for e in zip(zero, *(r.order for r in rules), strict=True))

    @cached_property
    def without_constants(self) -> FeynmanRules:
        """The same rules with the constant factor of every vertex set to one: signs of lines and functions stay."""
        return replace(self, vertices=tuple(replace(v, coefficient=sympy.S.One, terms=()) for v in self.vertices))

    def constants(self, graph: FeynmanGraph) -> list[tuple[tuple[Exponents, Expr], ...]]:
        """Return for each vertex of a graph its constant factor order by order."""
        return [self.vertex(k, r).expansion for k, r in zip(graph.kinds, graph.valences, strict=True)]

    def contraction(self, graph: FeynmanGraph) -> Contraction:
        """Return the graph as a tensor contraction, without its symmetry factor.

        ``factor`` holds all signs and constants; the operands are named functions on point indices.
        """
        kinds = [LEG] * graph.n_legs + list(graph.kinds)
        rules = {v: self.vertex(k, r) for v, k, r in zip(graph.vertices, graph.kinds, graph.valences, strict=True)}
        points = _Points(graph.n_legs)
        slots: dict[int, list[int]] = {v: [] for v in graph.vertices}
        factor: Expr = sympy.Integer(self.sign)
        operands: list[tuple[str, tuple[int, ...]]] = []
        for u, v in graph.edges:
            rule = self.line(kinds[u], kinds[v])
            ends = [points.end(node, slots, rules) for node in (u, v)]
            factor *= rule.sign
            if rule.function is None:
                points.join(*ends)
            else:
                operands.append((rule.function, (ends[0], ends[1])))
        for v, vertex in rules.items():
            factor *= vertex.coefficient
            if vertex.function is not None:
                operands.append((vertex.function, tuple(slots[v])))
        shown = tuple((name, tuple(points.find(i) for i in index)) for name, index in operands)
        return Contraction(factor, shown, tuple(points.find(i) for i in range(graph.n_legs)))

    def amplitude(self, graph: FeynmanGraph) -> Expr:
        """Return the amplitude of a diagram: symmetry factor, vertices and lines, integrals over internal points.

        Legs sit at ``x_1, x_2, ...``. A diagram with exchangeable legs gives the sum over the distinct ways to label
        them (a :class:`~diagrams.pointfunctions.ChannelSum`). Powers of the expansion parameters are not included
        when the rules carry them separately (see :meth:`order`).

        Raises
        ------
        ValueError
            If the rules have no such vertex or line.
        """
        fixed = graph if graph.labelled else graph.relabel_legs(range(graph.n_legs))
        term = self._integrated(fixed, amputated=False) / fixed.symmetry_factor
        coefficient, rest = term.as_coeff_Mul()
        return coefficient * ChannelSum.of(rest, ((),) if graph.labelled else graph.labelled_versions())

    def functional(self, graph: FeynmanGraph) -> Expr:
        """Return the amplitude with every leg closed by ``psi``, the inverse two-point function acting on the field.

        For a diagram with exchangeable legs this is its complete contribution to the action (its factor is 1/|Aut|
        with legs free to permute, which contains the 1/n! of the coupling).
        """
        return self._integrated(graph, amputated=True) / graph.symmetry_factor

    def to_latex(self) -> str:
        """Return the table of these rules in LaTeX, see :class:`diagrams.rule_tables.RulesTable`."""
        from diagrams.rule_tables import rules_table

        return rules_table(self).to_latex()

    def _repr_html_(self) -> str:
        from diagrams.rule_tables import rules_table

        return rules_table(self)._repr_html_()

    def _integrated(self, graph: FeynmanGraph, *, amputated: bool) -> Expr:
        factor, operands, output = self.contraction(graph)
        internal = sorted({i for _, index in operands for i in index} - set(output))
        points = {i: external_point(leg + 1) for leg, i in enumerate(output)}
        points |= {i: integration_point(k + 1) for k, i in enumerate(internal)}
        legs = set(output)
        factors = []
        for name, index in operands:
            if amputated and (open_ends := legs & set(index)):
                rest = [points[i] for i in index if i not in open_ends]
                factors.append(PointFunction(AMPUTATED, *rest))
            else:
                factors.append(PointFunction(name, *(points[i] for i in index)))
        return factor * integral(sympy.Mul(*factors), [points[i] for i in internal])


class _Points:
    """Point indices of half-edges; identified points are merged."""

    def __init__(self, n_legs: int) -> None:
        self.parent = list(range(n_legs))

    def end(self, node: int, slots: dict[int, list[int]], rules: dict[int, VertexRule]) -> int:
        """Return the point of the next free half-edge of a node."""
        if node not in slots:
            return node
        if rules[node].is_local and slots[node]:
            slots[node].append(slots[node][0])
        else:
            self.parent.append(len(self.parent))
            slots[node].append(len(self.parent) - 1)
        return slots[node][-1]

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            i = self.parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        low, high = sorted((self.find(i), self.find(j)))
        self.parent[high] = low


def _blob_order(valence: int, parameters: tuple[Expr, ...]) -> Exponents:
    power = sympy.Rational(valence, 2) - 1
    return tuple(power if str(p) == "1/N" else sympy.S.Zero for p in parameters)
