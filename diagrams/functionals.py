"""The terms of a reconstructed action as functionals of the field, each with the diagram that it comes from."""

from __future__ import annotations

from diagrams.graph import FeynmanGraph
from diagrams.series import Exponents
from diagrams.theory import Action
from diagrams.typing import Expr


def functional_terms(action: Action) -> list[tuple[Exponents, list[tuple[FeynmanGraph, Expr]]]]:
    """Return the terms of a reconstructed action, one for each diagram with exchangeable legs, order by order.

    Fields appear as ``psi``, the inverse two-point function acting on phi. The free action is left out. With several
    expansion parameters, or a correlator with several powers of one, a diagram appears once for each way to put the
    coefficient functions ``G4[1,0], G4[1,1], ...`` at its vertices (:class:`~diagrams.decorated.DecoratedGraph`).

    Parameters
    ----------
    action : Action
        Made by :func:`diagrams.reconstruction.reconstruct_action`.

    Returns
    -------
    list of (exponents, list of (FeynmanGraph, sympy.Expr))
        Lowest total order first.

    Raises
    ------
    ValueError
        If the action did not come from connected correlators.
    """
    rules = action.reconstruction_rules
    orders: dict[Exponents, list[tuple[FeynmanGraph, Expr]]] = {}
    for n, series in action.couplings:
        for key, found in series.sources.items():
            if not (n == 2 and not any(key)):
                orders.setdefault(key, []).extend((d, rules.functional(d)) for d in found)
    return sorted(orders.items(), key=lambda item: (sum(item[0]), item[0]))
