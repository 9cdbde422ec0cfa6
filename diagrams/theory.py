"""Local theories: any couplings, phi^4 and its relatives, on all of space or cut off in a finite region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from diagrams._action import Action, check_order
from diagrams._couplings import named_couplings, real_value
from diagrams.symbols import symbol
from diagrams.typing import Expr

__all__ = ["Action", "check_order", "local_action", "phi4", "phi_n", "positive_mass"]


def local_action(
    couplings: Mapping[int, Any],
    *,
    mass: Any = None,
    expansion: Sequence[Any] | str | None = None,
    values: Mapping[Any, Any] | None = None,
    cutoff: Any = None,
    box: Any = None,
    weight: Any = None,
    input_dim: int | None = None,
) -> Action:
    r"""Return a local theory with any couplings, sources and counterterms.

    .. math:: S = \int \frac12 (\nabla\phi)^2 + \frac{m^2}{2} \phi^2 + \sum_n \frac{g_n}{n!} \phi^n

    Parameters
    ----------
    couplings : mapping from n to number, sympy expression, name of a symbol, or Series
        ``{3: "g", 4: "lambda"}``. ``g_2`` is a mass counterterm and ``g_1`` a source. Expressions are polynomials in
        the expansion parameters, such as ``lam + c * lam**2`` (a coupling with its counterterm); powers may be
        rational: ``{3: sqrt(lam), 4: lam}``. A number becomes the value of a parameter called ``g_n``.
    mass : number or sympy expression, optional
        Default the symbol ``m``.
    expansion : sequence of symbols or names, optional
        Expansion parameters; default every symbol in the couplings except those in the mass. All other symbols are
        constants. A source needs none: diagrams with any number of them are finitely many at each order of the rest.
    values : mapping from parameter to number, optional
        Numbers that ``as_expr()`` and amplitudes put in for the parameters.
    cutoff, box, weight, input_dim : optional
        A momentum cutoff and the finite region where the field interacts, as in
        :func:`~diagrams.finite_box.with_cutoff`; default none, and no dimension.

    Returns
    -------
    Action

    Raises
    ------
    TypeError, ValueError
        If a coupling is no polynomial in the expansion parameters, contains none of them, or is not real.

    Examples
    --------
    >>> theory = local_action({3: "g", 4: "lambda"})
    >>> theory.correlator(legs=1, order={"g": 1, "lambda": 0}).as_expr()
    -g*Integral(G(x_1, y_1)*G(y_1, y_1), (y_1, -oo, oo))/2
    """
    m = positive_mass(mass)
    series, parameters, numbers = named_couplings(couplings, expansion=expansion, values=values, fixed=m.free_symbols)
    for n, coupling in series:
        if n > 1 and any(not any(key) for key, _ in coupling.terms):
            raise ValueError(
                f"coupling g_{n} has a term without an expansion parameter, so that any number of its vertices would "
                f"contribute at each order; the parameters are {[str(p) for p in parameters]}"
            )
    square, term = sympy.latex(m**2), "" if m == 1 else sympy.latex(m**2)
    action = Action(
        couplings=series,
        parameters=parameters,
        is_local=True,
        kinetic_latex=r"\frac{1}{2} \int d^dx \left[(\nabla\phi)^2 + " + term + r" \phi^2\right]",
        propagator_latex=r"G(x, y) = \int \frac{d^dp}{(2\pi)^d} \frac{e^{ip(x - y)}}{p^2 + " + square + "}",
        mass=m,
        values=numbers,
    )
    if cutoff is None and box is None and weight is None and input_dim is None:
        return action
    from diagrams.finite_box import with_cutoff  # it extends the LaTeX of actions, which needs this module

    return with_cutoff(action, cutoff=cutoff, box=box, weight=weight, input_dim=input_dim)


def positive_mass(mass: Any) -> Expr:
    """Return the mass, by default the symbol ``m``.

    Raises
    ------
    ValueError
        If it is not positive.
    """
    m = symbol("m") if mass is None else real_value("mass", mass)
    if m.is_number and m <= 0:
        raise ValueError(f"mass must be positive, got {mass!r}: a massless propagator needs an infrared regulator")
    return m


def phi_n(
    k: int,
    *,
    mass: Any = None,
    coupling: Any = None,
    cutoff: Any = None,
    box: Any = None,
    weight: Any = None,
    input_dim: int | None = None,
) -> Action:
    r"""Return the local theory :math:`S = \int \frac12 (\nabla\phi)^2 + \frac{m^2}{2} \phi^2 + \frac{g}{k!} \phi^k`.

    Parameters
    ----------
    k : int
        Power of the interaction, at least 3.
    mass, coupling : number or sympy expression, optional
        Default the symbols ``m`` and ``lambda``. Expansions are in the symbol given, else in ``lambda`` with the number
        or expression as its value.
    cutoff, box, weight, input_dim : optional
        A momentum cutoff and the finite region where the field interacts, as in
        :func:`~diagrams.finite_box.with_cutoff`: the theory of :func:`~diagrams.phi4_networks.phi4_net` at infinite
        width, whose correlators have numbers. Default none, and no dimension.

    Raises
    ------
    TypeError, ValueError
        If ``k`` is not an integer >= 3, or a value is not a finite real number (the mass must be positive).

    Examples
    --------
    >>> phi_n(3).diagrams(legs=1, max_loops=1)[0].symmetry_factor
    2
    >>> series = phi_n(4, coupling=0.5).correlator(legs=4, order=1)
    >>> series, series.as_expr()
    (<Series: terms in lambda + O(lambda^2)>,
     -Integral(G(x_1, y_1)*G(x_2, y_1)*G(x_3, y_1)*G(x_4, y_1), (y_1, -oo, oo))/2)
    """
    if check_order("k", k) < 3:
        raise ValueError(f"an interaction phi^k needs k >= 3, got {k}; phi^2 belongs to the mass")
    value = symbol("lambda") if coupling is None else real_value("coupling", coupling)
    parameter = value if value.is_Symbol else symbol("lambda")
    values = None if value.is_Symbol else {parameter: value}
    region = {"cutoff": cutoff, "box": box, "weight": weight, "input_dim": input_dim}
    return local_action({k: parameter}, mass=mass, expansion=(parameter,), values=values, **region)


def phi4(
    *,
    mass: Any = None,
    coupling: Any = None,
    cutoff: Any = None,
    box: Any = None,
    weight: Any = None,
    input_dim: int | None = None,
) -> Action:
    r"""Return phi^4 theory, :math:`S = \int \frac12 (\nabla\phi)^2 + \frac{m^2}{2} \phi^2 + \frac{\lambda}{4!} \phi^4`.

    Parameters as in :func:`phi_n`.

    Examples
    --------
    >>> phi4().correlator(legs=2, order=1)[0]
    G(x_1, x_2)
    """
    region = {"cutoff": cutoff, "box": box, "weight": weight, "input_dim": input_dim}
    return phi_n(4, mass=mass, coupling=coupling, **region)
