"""From connected correlators to the action: g_n as a sum of diagrams whose vertices are connected correlators."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import sympy

from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR
from diagrams.rules import FeynmanRules
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import Action, check_order


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


def reconstruct_action(correlators: ConnectedCorrelators, *, order: int) -> Action:
    r"""Return the action whose connected correlators are given, complete through ``N**-order``.

    .. math:: g_n = \delta_{n2} G_2^{-1} - \sum_\Gamma \frac{(-1)^I}{|\mathrm{Aut}\,\Gamma|}
              \prod_v G_c^{(r_v)} \prod_{\mathrm{internal}} G_2^{-1} \prod_{\mathrm{external}} G_2^{-1}

    (arXiv:2307.03223, section 3; here with 1/n! in front of g_n and labelled legs). A graph with n legs and L loops is
    of order N^(1 - n/2 - L), so all n <= 2 order + 2 and L <= order + 1 - n/2 contribute. Every coupling is a Series
    whose coefficients are integrals over connected correlators ``G4, G6, ...`` (those of the source without their
    power of N) and ``D``, the inverse two-point function, summed over channels.

    Parameters
    ----------
    correlators : ConnectedCorrelators
        Of zero mean, with ``G_c^(r)`` of order ``N**(1 - r/2)``.
    order : int
        Highest power of 1/N kept, >= 0.

    Returns
    -------
    Action

    Raises
    ------
    TypeError, ValueError
        If ``order`` is not an integer >= 0, correlators of too few points are given (the text names the missing ones),
        or a correlator is not of the order in 1/N assumed.
    """
    check_order("order", order)
    _check_source(correlators, order)
    even = correlators.source.is_even
    rules = reconstruction_rules(2 * order + 2, even=even)
    couplings = []
    for n in range(2 if even else 1, 2 * order + 3, 2 if even else 1):
        lead = sympy.Rational(n, 2) - 1
        terms, sources = [], {}
        if n == 2:
            free = enumerate_diagrams(valences=(4,), legs=2, loops=0, labelled=False).with_kind(CORRELATOR)
            terms.append(((0,), rules.amplitude(free[0])))
            sources[(sympy.S.Zero,)] = free
        for loops in range(int(order - lead) + 1):
            key = (lead + loops,)
            found = coupling_diagrams(n, loops, even=even)
            if len(found):
                terms.append((key, sympy.Add(*(rules.amplitude(d) for d in found))))
                sources[key] = found
        remainder = (lead + int(order - lead) + 1,)
        couplings.append((n, Series(rules.parameters, tuple(terms), remainder, sources)))
    return Action(
        couplings=tuple(couplings),
        parameters=rules.parameters,
        is_local=False,
        kinetic_latex=r"\frac{1}{2} \int dx_1\, dx_2\; \phi(x_1)\, G_2^{-1}(x_1, x_2)\, \phi(x_2)",
        propagator_latex="",
        source=correlators,
        remainder=(sympy.Integer(order + 1),),
        diagram_rules=rules,
    )


def _check_source(correlators: ConnectedCorrelators, order: int) -> None:
    step = 2 if correlators.source.is_even else 1
    needed = range(2 if step == 2 else 3, 2 * order + 3, step)
    missing = [n for n in needed if n > correlators.max_points]
    if missing:
        raise ValueError(
            f"the action through N^-{order} needs the connected correlators of {missing} points, but these stop at "
            f"max_points={correlators.max_points}; use connected_correlators(max_points={2 * order + 2})"
        )
    for n in [m for m in needed if m <= 4]:  # the architecture's own scaling; cheap to ask for few points
        wrong = [k for k, _ in correlators.source.correlator_series(n).terms if k != (sympy.Rational(n, 2) - 1,)]
        if wrong:
            raise ValueError(
                f"the {n}-point correlator contains N^-{wrong[0][0]}, but the loop expansion assumes "
                f"N^-({sympy.Rational(n, 2) - 1}) as for independent identical neurons"
            )


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
        terms, sources = [], {}
        if n == 2:
            terms.append(((0,), sympy.S.One))
        for loops in range(int(sympy.floor(order - lead)) + 1):
            found = coupling_diagrams(n, loops, even=False)
            terms.append(((lead + loops,), _one_variable_sum(n, found)))
            sources[(lead + loops,)] = found
        remainder = (lead + int(sympy.floor(order - lead)) + 1,)
        couplings[n] = Series(parameters, tuple(terms), remainder, sources)
    return couplings


def _one_variable_sum(n: int, found: Diagrams) -> sympy.Expr:
    """Return - sum (-1)^I / |Aut| prod k_r; only the vertex degrees of a diagram matter."""
    total = []
    for valences, weight in found.weights_by_valences().items():
        n_internal = (sum(valences) - n) // 2
        total.append(_rational(-weight * (-1) ** n_internal) * sympy.Mul(*(symbol(f"k{r}") for r in valences)))
    return sympy.Add(*total)


def _rational(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)
