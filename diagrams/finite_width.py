r"""Correlators of a deformed ensemble of finite width: expansion in 1/N and in the couplings at once."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from diagrams._couplings import largest_gain
from diagrams.correlators import ConnectedCorrelators
from diagrams.engineering import FieldDeformed
from diagrams.interacting import interacting_correlators
from diagrams.interactions import Interaction, LocalInteraction, total
from diagrams.symbols import symbol
from diagrams.typing import Expr


def finite_width_correlators(
    net: FieldDeformed, *, order: Mapping[str, int | None], max_points: int = 2
) -> ConnectedCorrelators:
    r"""Return the connected correlators of a deformed ensemble through powers of 1/N and of the couplings.

    All bipartite diagrams of the connected correlators of the free net, exact in N, and of the interaction: the tadpole
    and its relatives at infinite width, and what finite width adds at every order of the couplings, such as
    lambda/N (:func:`~diagrams.interacting.interacting_correlators`). ``numerics.compare`` takes them; their numbers are
    :func:`numerics.interacting_values`.

    Parameters
    ----------
    net : FieldDeformed
        From :func:`~diagrams.phi4_networks.phi4_net` or :func:`~diagrams.engineering.deform`, with local interactions.
    order : mapping from name to int
        Highest powers, ``{"1/N": 1, "lambda": 1}``; ``None`` for 1/N does not limit it. A coupling that is a number is
        called ``lambda`` if it is the only one, else ``g_n`` for :math:`\phi^n`.
    max_points : int

    Returns
    -------
    ConnectedCorrelators

    Raises
    ------
    TypeError, ValueError
        If an interaction is not local, or the order is not understood.

    Examples
    --------
    >>> from diagrams.phi4_networks import phi4_net
    >>> net = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4).at(N=100)
    >>> found = finite_width_correlators(net, order={"1/N": 1, "lambda": 1})
    >>> [diagram.symmetry_factor for diagram in found.source.diagrams(2)]
    [1, 6, 4, 6, 2]
    """
    if not isinstance(net, FieldDeformed):
        raise TypeError(f"net must be a deformed ensemble such as phi4_net(...).at(N=100), got {net!r}")
    if not isinstance(order, Mapping) or "1/N" not in order:
        raise TypeError(f'order must name 1/N and the couplings, such as {{"1/N": 1, "lambda": 1}}, got {order!r}')
    interaction, values = _named(net)
    highest = [order[str(p)] for p in values if isinstance(order.get(str(p)), int)]
    valences = [(n, (sympy.S.One,)) for term in interaction.local for n, _ in term.couplings]
    legs = max_points + largest_gain(tuple(valences), (sympy.Integer(sum(h for h in highest if h is not None)),))
    limit = order["1/N"]
    # blobs of r points are of order N**(1 - r/2)
    top = legs if limit is None else min(legs, 2 * limit + 2)
    base = net.base.connected_correlators(max_points=max(2, top))
    return interacting_correlators(
        base, interaction, order=order, expansion=tuple(values), values=values, max_points=max_points
    )


def _named(net: FieldDeformed) -> tuple[Interaction, dict[Expr, Expr]]:
    """Return the interaction with symbols for its couplings, and what they stand for."""
    terms = net.interaction.terms
    if net.output_dim > 1:
        raise ValueError(
            "diagrams of both kinds of vertex are those of a field of one component; the first order of several fields "
            "at finite width is numerics.vector_first_order"
        )
    if any(not isinstance(t, LocalInteraction) for t in terms):
        raise ValueError("only local interactions have an expansion by points: leave non-local terms out")
    found: dict[Expr, Expr] = {}
    named = []
    is_single = len(terms) == 1 and len(net.interaction.local[0].couplings) == 1
    for term in net.interaction.local:
        couplings = {}
        for n, g in term.couplings:
            couplings[n] = g if g.is_Symbol else symbol("lambda" if is_single else f"g_{n}")
            if found.setdefault(couplings[n], g) != g:
                raise ValueError(f"two couplings of phi^{n} with different values: give symbols for them")
        named.append(LocalInteraction(couplings, term.region))
    return total(named), found
