"""From connected correlators to the action: g_n as a sum of diagrams whose vertices are connected correlators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

from diagrams.architectures import Architecture
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.counting import weights_by_valences
from diagrams.decorated import GraphList, ReconstructionRules, decorations
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, FeynmanGraph
from diagrams.rules import FeynmanRules
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import Action, check_order
from diagrams.typing import Expr
from diagrams.vertex_orders import Functions, VertexOrders, remainder_of, vertex_orders
from diagrams.vertex_topologies import enumerated, graphs_with_valences, valence_lists


@cache
def coupling_diagrams(n: int, loops: int, *, even: bool, labelled: bool = False) -> Diagrams:
    """Return the diagrams of the coupling ``g_n`` with ``loops`` loops.

    Connected graphs with ``n`` legs whose vertices are connected correlators of three and more points (of four, six,
    ... points in an even theory), self-loops and multiple lines included. For independent neurons they are of order
    ``N**(1 - n/2 - loops)``.

    Parameters
    ----------
    n, loops : int
    even : bool
        Only vertices of even valence.
    labelled : bool
        Default exchangeable legs, each diagram standing for ``multiplicity`` labelled ones.

    Examples
    --------
    >>> [len(coupling_diagrams(4, loops, even=True)) for loops in (0, 1)]
    [1, 3]
    """
    top = n + 2 * loops  # a single vertex with all legs and loops
    valences = range(4, top + 1, 2) if even else range(3, top + 1)
    if not len(valences):
        return Diagrams()
    return enumerate_diagrams(valences=valences, legs=n, loops=loops, labelled=labelled).with_kind(CORRELATOR)


def reconstruction_rules(max_valence: int, *, even: bool) -> FeynmanRules:
    """Return the Feynman rules for an action from connected correlators of up to ``max_valence`` points."""
    valences = range(4, max_valence + 1, 2) if even else range(3, max_valence + 1)
    return FeynmanRules.connected_correlators(valences, (1 / symbol("N"),))


def reconstruction_functions(correlators: ConnectedCorrelators, order: Any) -> Functions:
    """Return the coefficient functions that are the vertices of an action through an order.

    Parameters
    ----------
    correlators : ConnectedCorrelators
    order : int or mapping from names of parameters to int
        As in :func:`reconstruct_action`.

    Returns
    -------
    dict from str to (int, exponents)
        ``"G4": (4, (1,))`` is the coefficient of ``1/N`` in the 4-point correlator, ``"G4[1,0]": (4, (1, 0))`` the one
        of the powers (1, 0) where there are several, ``"G2[1]"`` a correction to the two-point function, whose zeroth
        order is the inverse of ``D`` and not listed.

    Raises
    ------
    TypeError, ValueError
        As :func:`reconstruct_action`.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> reconstruction_functions(cos_net(input_dim=1).connected_correlators(max_points=6), 2)
    {'G4': (4, (1,)), 'G6': (6, (2,))}
    """
    return dict(vertex_orders(correlators, order).functions)


def reconstruct_action(correlators: ConnectedCorrelators, *, order: int | Mapping[str, int]) -> Action:
    r"""Return the action whose connected correlators are given, complete through an order.

    .. math:: g_n = \delta_{n2} G_2^{-1} - \sum_\Gamma \frac{(-1)^I}{|\mathrm{Aut}\,\Gamma|}
              \prod_v G_c^{(r_v)} \prod_{\mathrm{internal}} G_2^{-1} \prod_{\mathrm{external}} G_2^{-1}

    (arXiv:2307.03223, section 3; here with 1/n! in front of g_n and labelled legs). The vertices are the coefficient
    functions of the correlators, one for each power of the expansion parameters, and a diagram has the product of
    their powers. G_2 is the two-point function at zeroth order; its other terms are vertices with two lines. For
    independent neurons a graph with n legs and L loops is of order N^(1 - n/2 - L).

    Every coupling is a Series that knows its diagrams. Coefficients are integrals over ``D``, the inverse two-point
    function, and ``G4, G6, ...`` (coefficients of the correlators) or ``G4[1,0], G4[1,1], ...`` where a correlator has
    several powers, see :func:`reconstruction_functions`. With a non-zero mean the action is that of phi - <phi>: the
    connected correlators of two and more points do not know of the mean.

    Parameters
    ----------
    correlators : ConnectedCorrelators
    order : int or mapping from names of parameters to int
        Highest power kept, >= 0: ``2``, or ``{"1/N": 2, "alpha": 1}`` with all parameters of the correlators.

    Returns
    -------
    Action

    Raises
    ------
    TypeError, ValueError
        If the order is not understood (the text lists the parameters), correlators of too few points are given (the
        text names the missing ones), or the diagrams of an order are infinitely many because a correlator of three or
        more points survives at zeroth order.
    """
    vertices = vertex_orders(correlators, order)
    rules = ReconstructionRules.of(vertices)
    even = correlators.source.is_even
    couplings = []
    for n in range(2 if even else 1, vertices.max_points + 1, 2 if even else 1):
        sources = ordered_diagrams(n, vertices)
        terms = [(key, sympy.Add(*(rules.amplitude(d) for d in found))) for key, found in sources.items()]
        couplings.append((n, Series(rules.parameters, tuple(terms), remainder_of(n, vertices), sources)))
    return Action(
        couplings=tuple(couplings),
        parameters=rules.parameters,
        is_local=False,
        kinetic_latex=_kinetic_latex(correlators),
        propagator_latex="",
        source=correlators,
        remainder=tuple(sympy.Integer(h + 1) for h in vertices.order),
        diagram_rules=rules,
    )


def _kinetic_latex(correlators: ConnectedCorrelators) -> str:
    kinetic = r"\frac{1}{2} \int dx_1\, dx_2\; \phi(x_1)\, G_2^{-1}(x_1, x_2)\, \phi(x_2)"
    source = correlators.source
    if source.is_even or isinstance(source, Architecture) or not len(source.correlator_series(1)):
        return kinetic
    return kinetic + r" \quad (\phi \text{ without its mean})"


def ordered_diagrams(n: int, vertices: VertexOrders, *, labelled: bool = False) -> dict[Exponents, Diagrams]:
    """Return the diagrams of the coupling ``g_n`` by their powers of the expansion parameters, lowest first.

    Where a correlator has several powers, or the two-point function has corrections, the diagrams are
    :class:`~diagrams.decorated.DecoratedGraph`.

    Parameters
    ----------
    n : int
    vertices : VertexOrders
    labelled : bool
        Default exchangeable legs.

    Returns
    -------
    dict from exponents to Diagrams
    """
    parts: dict[Exponents, list[Diagrams]] = {}
    if n == 2:
        zero = (sympy.S.Zero,) * len(vertices.order)
        parts[zero] = [enumerated((), 2, 0, labelled=labelled)]
    for loops, lists in sorted(valence_lists(dict(vertices.functions), n, vertices.order).items()):
        for key, found in _diagrams_of_loops(n, loops, lists - {()}, vertices, labelled):
            parts.setdefault(key, []).append(found)
    return {key: Diagrams.concatenate(parts[key]) for key in sorted(parts, key=lambda k: (sum(k), k))}


def _diagrams_of_loops(
    n: int, loops: int, lists: set[tuple[int, ...]], vertices: VertexOrders, labelled: bool
) -> Iterator[tuple[Exponents, Diagrams]]:
    """Iterate over the powers and diagrams of one number of loops, diagrams without names first."""
    choices: dict[int, dict[str, Exponents]] = {}
    for name, (r, key) in vertices.functions:
        choices.setdefault(r, {})[name] = key
    plain = {v for v in lists if all(f"G{r}" in choices[r] for r in v)}
    if plain:
        allowed = tuple(sorted({r for v in plain for r in v}))
        keys: dict[Exponents, list[Diagrams]] = {}
        for valences, found in enumerated(allowed, n, loops, labelled=labelled).by_valences().items():
            if valences in plain:
                key = tuple(sum(e) for e in zip(*(choices[r][f"G{r}"] for r in valences), strict=True))
                keys.setdefault(key, []).append(found)
        yield from ((key, Diagrams.concatenate(found)) for key, found in keys.items())
    for valences in sorted(lists - plain):
        named: dict[Exponents, list[FeynmanGraph]] = {}
        for graph in graphs_with_valences(valences, n, loops, labelled=labelled):
            for key, decorated in decorations(graph, choices, vertices.order).items():
                named.setdefault(key, []).extend(decorated)
        yield from ((key, Diagrams((GraphList(tuple(graphs)),))) for key, graphs in named.items())


def coefficient_function(correlators: ConnectedCorrelators, name: str, *, order: int | Mapping[str, int]) -> Correlator:
    """Return one coefficient function of a reconstruction, as a correlator that can be evaluated at points.

    Parameters
    ----------
    correlators : ConnectedCorrelators
    name : str
        ``"D"`` is not one; ``"G4"``, ``"G4[1,0]"``, ... as in :func:`reconstruction_functions`.
    order : int or mapping
        Of the reconstruction.

    Raises
    ------
    ValueError
        If there is no such function; the text lists those there are.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> Gc = cos_net(input_dim=1).connected_correlators(max_points=4)
    >>> coefficient_function(Gc, "G4", order=1)(0, 0, 0, 0)
    3*sigma_w1**4/8
    """
    known = reconstruction_functions(correlators, order)
    if name not in known:
        raise ValueError(f"there is no coefficient function {name!r} through this order; there are {sorted(known)}")
    n, key = known[name]
    whole = correlators[n]
    zero = (sympy.S.Zero,) * len(key)
    return replace(whole, series=Series(whole.series.parameters, ((zero, whole.series[key]),)))


def one_variable_couplings(*, order: int) -> dict[int, Series]:
    r"""Return the couplings of one standardised random variable from its cumulants, through ``N**-order``.

    For cumulants :math:`\kappa_r = k_r N^{1 - r/2}` and variance one, :math:`-\log p = \mathrm{const} + \sum_n g_n
    x^n/n!`. The coefficients are polynomials in symbols ``k3, k4, ...``; for variance kappa_2 replace
    ``k_r`` by ``kappa_r / kappa_2**(r/2)`` and ``g_n`` by ``g_n / kappa_2**(n/2)``.

    Parameters
    ----------
    order : int
        Highest power of 1/N kept, >= 0; half-integer powers below it are included for odd n.

    Returns
    -------
    dict of int to Series
        ``result[n][e]`` is the coefficient of ``N**-e`` in ``g_n``: e integer for even n, a sympy half for odd n.

    Raises
    ------
    TypeError, ValueError
        If ``order`` is not an integer >= 0.

    Examples
    --------
    >>> one_variable_couplings(order=2)[4][2]
    -24*k3**4 + 59*k3**2*k4/2 - 11*k3*k5/2 - 7*k4**2/2 + k6/2
    """
    check_order("order", order)
    parameters = (1 / symbol("N"),)
    couplings = {}
    for n in range(1, 2 * order + 3):
        lead = sympy.Rational(n, 2) - 1
        loop_orders = range(int(sympy.floor(order - lead)) + 1)
        terms = [((0,), sympy.S.One)] if n == 2 else []
        terms += [((lead + loops,), _one_variable_sum(n, loops)) for loops in loop_orders]
        sources = _SourcesWhenAsked(n, tuple(lead + loops for loops in loop_orders))
        couplings[n] = Series(parameters, tuple(terms), (lead + len(loop_orders),), sources)
    return couplings


def _one_variable_sum(n: int, loops: int) -> Expr:
    """Return - sum (-1)^I / |Aut| prod k_r; only the vertex degrees matter, so no diagram is made."""
    top = n + 2 * loops
    if top < 3:
        return sympy.S.Zero
    total = []
    for valences, weight in weights_by_valences(valences=range(3, top + 1), legs=n, loops=loops).items():
        if valences:
            n_internal = (sum(valences) - n) // 2
            total.append(_rational(-weight * (-1) ** n_internal) * sympy.Mul(*(symbol(f"k{r}") for r in valences)))
    return sympy.Add(*total)


@dataclass(frozen=True)
class _SourcesWhenAsked(Mapping[Exponents, Diagrams]):
    """The diagrams of ``g_n`` by power of 1/N, enumerated only when one looks."""

    n: int
    powers: tuple[Expr, ...]

    def __getitem__(self, key: Exponents) -> Diagrams:
        if key not in {(e,) for e in self.powers}:
            raise KeyError(key)
        return coupling_diagrams(self.n, self.powers.index(key[0]), even=False)

    def __iter__(self) -> Iterator[Exponents]:
        return iter((e,) for e in self.powers)

    def __len__(self) -> int:
        return len(self.powers)


def _rational(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)
