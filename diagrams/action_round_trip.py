r"""The round trip S -> W -> S: an action rebuilt from its own connected correlators, graph by graph.

The mirror image of :mod:`diagrams.round_trip`. Every correlator is written out with its diagrams (vertices
:math:`-g_n`, lines :math:`+G`) and put into the rules for an action from connected correlators (lines :math:`-G^{-1}`,
overall sign -1). Where legs meet, :math:`G G^{-1} G = G`, so the result is a sum of graphs with the vertices of the
action again, in which all but the couplings themselves cancel.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import sympy

from diagrams._couplings import below, product_terms
from diagrams.composite import inserted_edges
from diagrams.decorated import assignments
from diagrams.graph import FeynmanGraph
from diagrams.models import o_n
from diagrams.perturbation import local_correlators
from diagrams.series import Exponents
from diagrams.theory import Action
from diagrams.typing import Expr
from diagrams.vector_theory import VectorAction
from diagrams.vertex_orders import checked_orders
from diagrams.vertex_topologies import graphs_with_valences, valence_lists

Terms = dict[FeynmanGraph, Expr]


def recovered_couplings(action: Action, n: int, *, order: Any) -> dict[Exponents, Terms]:
    r"""Return what is left of ``g_n`` when a local action is rebuilt from its own connected correlators.

    .. math:: g_n = \delta_{n2} G^{-1} - \sum_\Gamma \frac{(-1)^I}{|\mathrm{Aut}\,\Gamma|} \prod_v G_c^{(r_v)}
              \prod G^{-1}

    with the free propagator G, the corrections to the two-point function and the one-point function as vertices with
    two lines and one. Graphs whose coefficients cancel are left out, so a correct round trip leaves the single vertex
    ``g_n``; the free part of ``g_2`` is left out too.

    Parameters
    ----------
    action : Action
        Local, every coupling with an expansion parameter. For an O(n) theory (quartic) the graphs are those of the
        model :func:`diagrams.o_n`, whose vertices are split into index pairings.
    n : int
        Number of fields of the coupling.
    order : int or mapping from name to int
        Highest power of each parameter.

    Returns
    -------
    dict from exponents to dict from FeynmanGraph to sympy.Expr
        Labelled legs, coefficients without the powers of the parameters.

    Raises
    ------
    TypeError, ValueError
        If the action is not local, or the order is not understood.

    Examples
    --------
    >>> from diagrams import phi4
    >>> ((power, graphs),) = recovered_couplings(phi4(), 4, order=2).items()
    >>> power, {str(g): c for g, c in graphs.items()}
    ((1,), {'[x1-1 x2-1 x3-1 x4-1] loops=0 symmetry=1': 1})
    >>> recovered_couplings(phi4(), 6, order=2)
    {}
    """
    if not action.is_local:
        raise ValueError("the round trip of a reconstructed action is W -> S -> W: use action.correlators(order=...)")
    highest = checked_orders(action.parameters, order)
    terms: dict[str, list[tuple[FeynmanGraph, Expr]]] = {}
    places: dict[str, tuple[int, Exponents]] = {}
    for r in range(1, max(2, local_correlators(action, order).max_points) + 1):
        for key, found in correlator_terms(action, r, highest).items():
            name = f"G{r}{key}"
            terms[name], places[name] = found, (r, key)
    total: dict[Exponents, Terms] = {}
    for skeleton, names, key in _skeletons(n, places, highest):
        target = total.setdefault(key, {})
        # the overall sign of the rules and one sign for each line between correlators
        sign = -((-1) ** len(skeleton.internal_edges))
        for chosen in product(*(terms[name] for name in names)):
            graph = _inserted(skeleton, [g for g, _ in chosen])
            weight = sympy.Mul(sympy.Rational(sign, skeleton.symmetry_factor), *(c for _, c in chosen))
            target[graph] = target.get(graph, sympy.S.Zero) + weight
    kept = {key: {g: w for g, c in found.items() if (w := sympy.expand(c)) != 0} for key, found in total.items()}
    return {key: kept[key] for key in sorted(kept, key=lambda k: (sum(k), k)) if kept[key]}


def correlator_terms(
    action: Action, r: int, highest: tuple[int, ...]
) -> dict[Exponents, list[tuple[FeynmanGraph, Expr]]]:
    """Return the labelled diagrams of the r-point function with their coefficients, by powers; no bare propagator."""
    if isinstance(action, VectorAction):
        return _split_terms(action, r, highest)
    found: dict[Exponents, list[tuple[FeynmanGraph, Expr]]] = {}
    rules = action.rules
    series = local_correlators(action, dict(zip(map(str, action.parameters), highest, strict=True))).correlator_series(
        r
    )
    graphs = {g: None for ds in series.sources.values() for g in ds if g.n_vertices}
    for graph in graphs:
        for key, value in product_terms(rules.constants(graph), highest).items():
            found.setdefault(key, []).append((graph, value / graph.symmetry_factor))
    return found


def _split_terms(
    action: VectorAction, r: int, highest: tuple[int, ...]
) -> dict[Exponents, list[tuple[FeynmanGraph, Expr]]]:
    """Return the diagrams of an O(n) theory with each vertex split into its index pairings, each one third of it."""
    if [n for n, _ in action.couplings] != [4]:
        raise ValueError(f"the round trip of an O(n) theory is for the quartic one, got {action!r}")
    (vertex,) = action.rules.vertices
    found: dict[Exponents, list[tuple[FeynmanGraph, Expr]]] = {}
    lowest = min(sum(key) for key, _ in vertex.terms)
    for n_vertices in range(1, int(sum(highest) / lowest) + 1):
        constants = product_terms([vertex.terms] * n_vertices, highest)
        if not constants:
            break
        for graph in o_n().diagrams({"phi": r}, order={"lambda": n_vertices}):
            for key, value in constants.items():
                weight = value / (sympy.Integer(3) ** n_vertices * graph.symmetry_factor)
                found.setdefault(key, []).append((graph, weight))
    return found


def _skeletons(
    n: int, places: dict[str, tuple[int, Exponents]], highest: tuple[int, ...]
) -> Iterator[tuple[FeynmanGraph, tuple[str, ...], Exponents]]:
    """Iterate over the graphs whose vertices are correlators: graph, name of each vertex, total powers."""
    choices: dict[int, dict[str, Exponents]] = {}
    for name, (r, key) in places.items():
        choices.setdefault(r, {})[name] = key
    zero = (sympy.S.Zero,) * len(highest)
    for loops, lists in valence_lists(places, n, highest).items():
        for valences in lists - {()}:
            for graph in graphs_with_valences(valences, n, loops, labelled=True):
                for names, key in assignments([choices[r] for r in graph.valences], zero, highest):
                    if below(key, highest):
                        yield graph, names, key


def _inserted(skeleton: FeynmanGraph, inner: list[FeynmanGraph]) -> FeynmanGraph:
    """Return the graph with every vertex replaced by a diagram; fields stay on their lines."""
    edges = inserted_edges(skeleton, inner)
    kinds = tuple(kind for part in inner for kind in part.kinds)
    if not any(part.fields for part in inner):
        return FeynmanGraph(skeleton.n_legs, edges, kinds)
    fields = [
        field
        for part in inner
        for (u, v), field in zip(part.edges, part.fields, strict=True)
        if min(u, v) >= part.n_legs
    ]
    line = next(part.fields[0] for part in inner)  # the first line of a diagram with legs ends at one of them
    return FeynmanGraph(skeleton.n_legs, edges, kinds, (*fields, *(line,) * len(skeleton.edges)))
