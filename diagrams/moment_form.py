"""A reconstructed action in moments of a single neuron, with amputated two-point functions cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import factorial

import sympy

from diagrams.architectures import Architecture
from diagrams.cumulants import set_partitions
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.pointfunctions import AMPUTATED, INVERSE, PointFunction
from diagrams.rules import LEG, FeynmanRules, LineRule, VertexRule
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import Action
from diagrams.typing import Expr

TRACE = symbol("Tr 1")  # number of points of a finite set; volume times momentum cutoff in the continuum
FREE_ACTION = symbol("S_G")
_BARE = {PointFunction(AMPUTATED): 2 * FREE_ACTION}  # phi D phi: a line from leg to leg has no point left
HalfEdge = tuple[int, int]  # line, and which end of it

Weights = tuple[tuple[FeynmanGraph, Expr], ...]


@dataclass(frozen=True, repr=False)
class MomentForm:
    r"""An action of independent neurons in their moments: :math:`G_4 = m_4 - \sum_3 G_2 G_2` and so on.

    Made by :func:`in_moments`. Graphs have vertices ``m4, m6, ...`` (central moments of one neuron times N to half the
    number of points) and lines ``D``, the inverse two-point function; they may hang together or not. The weight of a
    graph is what it contributes to the action with ``psi = D phi`` at its legs, a polynomial in ``Tr 1``.

    Parameters
    ----------
    parameters : tuple of sympy.Expr
    terms : tuple of (int, exponents, weights)
        For each number of legs and power the graphs with exchangeable legs and their weights.
    remainders : tuple of (int, exponents or None)
        Those of the couplings.
    """

    parameters: tuple[Expr, ...]
    terms: tuple[tuple[int, Exponents, Weights], ...]
    remainders: tuple[tuple[int, Exponents | None], ...]

    @property
    def rules(self) -> FeynmanRules:
        """The rules for the graphs: vertices are moments, lines and legs ``D``, no signs."""
        valences = sorted({r for _, _, weights in self.terms for g, _ in weights for r in g.valences})
        vertices = tuple(VertexRule(CORRELATOR, r, sympy.S.One, f"m{r}", False, ()) for r in valences)
        ends = ((LEG, LEG), (CORRELATOR, LEG), (CORRELATOR, CORRELATOR))
        return FeynmanRules(vertices, tuple(LineRule(pair, INVERSE) for pair in ends), 1, self.parameters)

    def coupling(self, n: int) -> Series:
        """Return ``g_n`` as a Series in moments, ``D`` and ``Tr 1``.

        Raises
        ------
        ValueError
            If there is no such coupling; the text lists those there are.
        """
        known = dict(self.remainders)
        if n not in known:
            raise ValueError(f"no coupling g_{n} in this action; available: n in {sorted(known)}")
        rules, found = self.rules, []
        for legs, key, weights in self.terms:
            if legs == n:
                found += [(key, w * g.symmetry_factor * rules.amplitude(g)) for g, w in weights]
        return Series(self.parameters, tuple(found), known[n])

    def functional_terms(self) -> list[tuple[Exponents, list[tuple[FeynmanGraph, Expr]]]]:
        """Return the terms of the action with ``psi`` at the legs, the free action left out, lowest order first.

        A line between two legs is twice the free action ``S_G``.
        """
        rules = self.rules
        orders: dict[Exponents, list[tuple[FeynmanGraph, Expr]]] = {}
        for n, key, weights in self.terms:
            if not (n == 2 and not any(key)):
                shown = [(g, w * g.symmetry_factor * rules.functional(g).xreplace(_BARE)) for g, w in weights]
                orders.setdefault(key, []).extend(shown)
        return sorted(orders.items(), key=lambda item: (sum(item[0]), item[0]))

    def to_latex(self, *, terms_per_line: int = 2) -> str:
        """Return the couplings in LaTeX, one under the other."""
        from diagrams.latex import aslatex

        shown = [(n, aslatex(self.coupling(n), terms_per_line=terms_per_line)) for n, _ in self.remainders]
        return r"\begin{aligned} " + r" \\ ".join(rf"g_{{{n}}} ={{}} & {text}" for n, text in shown) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __repr__(self) -> str:
        return f"<MomentForm: {', '.join(f'g_{n}' for n, _ in self.remainders)}>"


def in_moments(action: Action) -> MomentForm:
    r"""Return a reconstructed action of independent neurons in terms of moments of one neuron.

    Connected correlators are cumulants of one neuron, :math:`\hat G_r = \sum_\pi (-1)^{|\pi|-1} (|\pi|-1)!
    \prod_{B \in \pi} m_{|B|}` with :math:`m_2 = G_2`. Where a two-point function meets the lines :math:`D = G_2^{-1}`
    of the diagram it is cancelled, :math:`D G_2 D = D`; a closed line gives Tr 1.

    Raises
    ------
    ValueError
        If the action is not that of independent identical neurons in 1/N, or has an output bias (then G_2 is not the
        second moment of a neuron).

    Examples
    --------
    >>> from diagrams import cos_net
    >>> S = cos_net(input_dim=1).connected_correlators(max_points=4).action(order=1)
    >>> in_moments(S).functional_terms()[0][1][0][1]
    S_G*(-Tr 1/2 - 1)
    """
    _check_independent(action)
    terms, remainders = [], []
    for n, series in action.couplings:
        remainders.append((n, series.remainder))
        for key, found in series.sources.items():
            total: dict[FeynmanGraph, Expr] = {}
            for graph in found:
                sign = 1 if not graph.n_vertices else -((-1) ** len(graph.internal_edges))
                for contracted, n_closed, factor in _contracted(graph, even=action.is_even):
                    weight = Fraction(sign * factor, graph.symmetry_factor)
                    value = sympy.Rational(weight.numerator, weight.denominator) * TRACE**n_closed
                    total[contracted] = total.get(contracted, sympy.S.Zero) + value
            kept = tuple((g, w) for g in sorted(total) if (w := sympy.expand(total[g])) != 0)
            terms.append((n, key, kept))
    return MomentForm(action.parameters, tuple(terms), tuple(remainders))


def _check_independent(action: Action) -> None:
    rules = action.reconstruction_rules
    if action.parameters != (1 / symbol("N"),) or any(
        tuple(rule.order) != (sympy.Rational(rule.valence, 2) - 1,) for rule in rules.vertices
    ):
        raise ValueError(
            "moments of one neuron exist for independent identical neurons, whose connected r-point function is "
            f"N^(1 - r/2) times a cumulant of one neuron; this action is an expansion in {action.parameters}"
        )
    source = action.source.source if action.source is not None else None
    if isinstance(source, Architecture) and source.sigma_b1 != 0:
        raise ValueError(
            "with an output bias the two-point function is not the second moment of a neuron; use a net without one"
        )


def _contracted(graph: FeynmanGraph, *, even: bool) -> Iterator[tuple[FeynmanGraph, int, int]]:
    """Iterate over the graphs in moments, with the number of closed lines and the combinatorial factor of each."""
    slots: dict[int, list[HalfEdge]] = {v: [] for v in graph.vertices}
    for line, edge in enumerate(graph.edges):
        for end, node in enumerate(edge):
            if node in slots:
                slots[node].append((line, end))
    choices = [
        [p for p in set_partitions(range(len(slots[v])), even=even) if all(len(block) > 1 for block in p)]
        for v in graph.vertices
    ]
    for chosen in product(*choices):
        factor, blocks = 1, []
        for v, partition in zip(graph.vertices, chosen, strict=True):
            factor *= (-1) ** (len(partition) - 1) * factorial(len(partition) - 1)
            blocks += [[slots[v][i] for i in block] for block in partition]
        yield (*_joined(graph, blocks), factor)


def _joined(graph: FeynmanGraph, blocks: list[list[HalfEdge]]) -> tuple[FeynmanGraph, int]:
    """Return the graph whose vertices are the blocks of three and more half-edges, and the number of closed lines."""
    partner: dict[HalfEdge, HalfEdge] = {}
    node: dict[HalfEdge, int] = {
        (line, end): v for line, edge in enumerate(graph.edges) for end, v in enumerate(edge) if v < graph.n_legs
    }
    n_nodes = graph.n_legs
    for block in blocks:
        if len(block) == 2:
            partner[block[0]], partner[block[1]] = block[1], block[0]
        else:
            node |= dict.fromkeys(block, n_nodes)
            n_nodes += 1
    edges, seen = [], set()
    for start in sorted(node):
        if start[0] in seen:
            continue
        at = start
        while True:
            seen.add(at[0])
            at = (at[0], 1 - at[1])
            if at in node:
                break
            at = partner[at]
        edges.append((node[start], node[at]))
    n_closed = 0
    for line in range(len(graph.edges)):
        if line not in seen:
            n_closed += 1
            at = (line, 0)
            while at[0] not in seen:
                seen.add(at[0])
                at = partner[at[0], 1 - at[1]]
    kinds = (CORRELATOR,) * (n_nodes - graph.n_legs)
    return FeynmanGraph(graph.n_legs, tuple(edges), kinds, labelled=False), n_closed
