"""Action: kinetic operator and couplings, its Feynman rules, diagrams and correlators; phi^4 and its relatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy

from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.typing import Expr


def check_order(name: str, value: Any) -> int:
    """Return ``value`` if it is an integer >= 0.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is negative.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer >= 0, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be >= 0, got {value}")
    return value


@dataclass(frozen=True, repr=False)
class Action:
    r"""A Euclidean action :math:`S = \frac12 \phi K \phi + \sum_n \frac{1}{n!} \int g_n \phi^n`, weight exp(-S).

    Couplings contain no 1/n!, so phi^4 theory has ``lambda/4!`` and ``g_4 = lambda``. A coupling is a
    :class:`~diagrams.series.Series` whose coefficients are constants (local interaction) or functions of the points
    ``x_1 ... x_n`` (non-local).

    Parameters
    ----------
    couplings : tuple of (int, Series)
        ``(n, g_n)``; for a non-local action ``g_2`` contains the kinetic term.
    parameters : tuple of sympy.Expr
        Expansion parameters.
    is_local : bool
        The interaction sits at one point with constant couplings.
    kinetic_latex, propagator_latex : str
        The free part and the free two-point function, for display.
    mass : sympy.Expr, optional
        Mass of a local theory.
    source : ConnectedCorrelators, optional
        The correlators that a reconstructed action came from.
    remainder : tuple of exponents, optional
        First powers of the parameters at which a reconstructed action was not computed.
    diagram_rules : FeynmanRules, optional
        Rules of the diagrams that a reconstructed action was computed from.
    """

    couplings: tuple[tuple[int, Series], ...]
    parameters: tuple[Expr, ...]
    is_local: bool
    kinetic_latex: str
    propagator_latex: str
    mass: Expr = None
    source: ConnectedCorrelators | None = None
    remainder: Exponents | None = None
    diagram_rules: FeynmanRules | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for n, series in self.couplings:
            if series.parameters != self.parameters:
                raise ValueError(f"coupling g_{n} expands in {series.parameters}, the action in {self.parameters}")

    @property
    def is_even(self) -> bool:
        """True if the action is unchanged by phi -> -phi."""
        return all(n % 2 == 0 for n, _ in self.couplings)

    @property
    def valences(self) -> tuple[int, ...]:
        """Numbers of fields in the interaction terms (3 and more)."""
        return tuple(n for n, _ in self.couplings if n > 2)

    def coupling(self, n: int) -> Series:
        """Return ``g_n`` as a Series; its ``diagrams`` are those it was computed from.

        Raises
        ------
        TypeError, ValueError
            If ``n`` is not a positive integer, or the action has no such coupling (the text lists those it has).
        """
        check_order("n", n)
        known: Mapping[int, Series] = dict(self.couplings)
        if n in known:
            return known[n]
        reason = "odd couplings of an even action vanish identically" if self.is_even and n % 2 else "it has none"
        raise ValueError(f"no coupling g_{n} in this action: {reason}; available: n in {sorted(known)}")

    @property
    def rules(self) -> FeynmanRules:
        """Ordinary Feynman rules: correlators from this action."""
        vertices = []
        for n, series in self.couplings:
            if n > 2 and len(series):
                exponent, value = series.terms[0]
                local = self.is_local
                power = sympy.Mul(*(p**e for p, e in zip(series.parameters, exponent, strict=True)))
                coefficient, name = (-value * power, None) if local else (sympy.S.NegativeOne, f"g{n}")
                vertices.append(VertexRule(INTERACTION, n, coefficient, name, local, exponent))
        return FeynmanRules.interactions(vertices, self.parameters)

    @property
    def reconstruction_rules(self) -> FeynmanRules:
        """Rules of the diagrams that a reconstructed action was computed from.

        Raises
        ------
        ValueError
            If the action did not come from connected correlators.
        """
        if self.diagram_rules is None:
            raise ValueError("this action was not reconstructed from connected correlators; use its .rules")
        return self.diagram_rules

    def diagrams(
        self,
        *,
        legs: int,
        max_loops: int,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        tadpoles: bool = True,
        labelled: bool = True,
    ) -> Diagrams:
        """Return the diagrams of an n-point function up to a number of loops, fewest loops first.

        Options as in :func:`diagrams.enumerate_diagrams`. An impossible number of legs gives an empty collection.

        Examples
        --------
        >>> [(d.n_loops, d.symmetry_factor) for d in phi4().diagrams(legs=2, max_loops=2)]
        [(0, 1), (1, 2), (2, 4), (2, 4), (2, 6)]
        """
        check_order("legs", legs)
        return Diagrams.concatenate(
            enumerate_diagrams(
                valences=self.valences,
                legs=legs,
                loops=loops,
                connected=connected,
                one_particle_irreducible=one_particle_irreducible,
                self_loops=self_loops,
                tadpoles=tadpoles,
                labelled=labelled,
            )
            for loops in range(check_order("max_loops", max_loops) + 1)
        )

    def amplitude(self, graph: FeynmanGraph) -> Expr:
        """Return the value of a diagram as a sympy expression with unevaluated integrals.

        A diagram with interaction vertices contributes to a correlator, one with connected-correlator vertices to a
        coupling of a reconstructed action.

        Examples
        --------
        >>> theory = phi4()
        >>> theory.amplitude(theory.diagrams(legs=2, max_loops=1)[-1])
        -lambda*Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1), (y_1, -oo, oo))/2
        """
        if graph.n_vertices and set(graph.kinds) == {CORRELATOR}:
            return self.reconstruction_rules.amplitude(graph)
        return self.rules.amplitude(graph)

    def correlator(self, *, legs: int, order: int) -> Series:
        """Return the connected correlator with ``legs`` points through ``order`` in the expansion parameter.

        Legs sit at ``x_1, x_2, ...``; exact in the couplings kept, with the diagrams attached to each order.

        Raises
        ------
        TypeError, ValueError
            If ``legs`` or ``order`` is not an integer >= 0 (>= 1 for ``legs``).
        """
        if check_order("legs", legs) == 0:
            raise ValueError("a correlator needs at least one leg, got legs=0")
        return self._correlators(check_order("order", order)).correlator_series(legs)

    def correlators(self, *, order: int) -> ConnectedCorrelators:
        """Return the connected correlators of this action through ``order`` in the expansion parameter.

        For a reconstructed action this is the way back: every diagram of the action with its couplings written as
        diagrams is added up, and all but the original correlators cancel.

        Raises
        ------
        ValueError
            If the action itself is not known to that order.
        """
        source = self._correlators(check_order("order", order))
        return ConnectedCorrelators(source, max_points=max(2, source.max_points))

    def _correlators(self, order: int) -> Any:
        from diagrams.perturbation import LocalCorrelators
        from diagrams.round_trip import ReconstructedCorrelators

        return LocalCorrelators(self, order) if self.is_local else ReconstructedCorrelators(self, order)

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return S[phi] in LaTeX, order by order, with the definitions that it needs."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def to_text(self) -> str:
        """Return S[phi] as readable text, order by order."""
        from diagrams.latex import action_text

        return action_text(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        shown = ", ".join(f"g_{n}" for n, _ in self.couplings)
        return f"<Action: {'local' if self.is_local else 'non-local'}, {shown}>"


def phi_n(k: int, *, mass: Any = None, coupling: Any = None) -> Action:
    r"""Return the local theory :math:`S = \int \frac12 (\nabla\phi)^2 + \frac{m^2}{2} \phi^2 + \frac{g}{k!} \phi^k`.

    Parameters
    ----------
    k : int
        Power of the interaction, at least 3.
    mass, coupling : number or sympy expression, optional
        Default the symbols ``m`` and ``lambda``.

    Raises
    ------
    TypeError, ValueError
        If ``k`` is not an integer >= 3, or a value is not a finite real number (the mass must be positive).

    Examples
    --------
    >>> phi_n(3).diagrams(legs=1, max_loops=1)[0].symmetry_factor
    2
    """
    if check_order("k", k) < 3:
        raise ValueError(f"an interaction phi^k needs k >= 3, got {k}; phi^2 belongs to the mass")
    m = symbol("m") if mass is None else _real("mass", mass)
    if m.is_number and m <= 0:
        raise ValueError(f"mass must be positive, got {mass!r}: a massless propagator needs an infrared regulator")
    lam = symbol("lambda")
    value = lam if coupling is None else _real("coupling", coupling)
    series = Series((lam,), (((1,), value / lam),)) if coupling is None else Series((value,), (((1,), 1),))
    return Action(
        couplings=((k, series),),
        parameters=series.parameters,
        is_local=True,
        kinetic_latex=r"\frac{1}{2} \int d^dx \left[(\nabla\phi)^2 + " + sympy.latex(m**2) + r" \phi^2\right]",
        propagator_latex=r"G(x, y) = \int \frac{d^dp}{(2\pi)^d} \frac{e^{ip(x - y)}}{p^2 + " + sympy.latex(m**2) + "}",
        mass=m,
    )


def phi4(*, mass: Any = None, coupling: Any = None) -> Action:
    r"""Return phi^4 theory, :math:`S = \int \frac12 (\nabla\phi)^2 + \frac{m^2}{2} \phi^2 + \frac{\lambda}{4!} \phi^4`.

    Parameters as in :func:`phi_n`.

    Examples
    --------
    >>> phi4().correlator(legs=2, order=1)[0]
    G(x_1, x_2)
    """
    return phi_n(4, mass=mass, coupling=coupling)


def _real(name: str, value: Any) -> Expr:
    number = sympy.sympify(value)
    if number.has(sympy.nan, sympy.oo, sympy.zoo) or number.is_real is False:
        raise ValueError(f"{name} must be a finite real number or a real expression, got {value!r}")
    return sympy.nsimplify(number) if number.has(sympy.Float) else number
