"""Action: kinetic operator and couplings, its Feynman rules, diagrams and correlators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sympy

from diagrams._couplings import Values, with_values
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators
from diagrams.generate import enumerate_diagrams
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.series import Exponents, Series
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.moment_form import MomentForm


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
    ``x_1 ... x_n`` (non-local). It may have several terms, such as a coupling and its counterterms.

    Parameters
    ----------
    couplings : tuple of (int, Series)
        ``(n, g_n)``; for a non-local action ``g_2`` contains the kinetic term, for a local one it is a mass counterterm
        and ``g_1`` a source.
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
    values : tuple of (symbol, value)
        Numbers for expansion parameters: expansions stay in the symbols, ``as_expr()`` and amplitudes have the numbers.
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
    values: Values = ()

    def __post_init__(self) -> None:
        for n, series in self.couplings:
            if series.parameters != self.parameters:
                raise ValueError(f"coupling g_{n} expands in {series.parameters}, the action in {self.parameters}")
        if unknown := [s for s, _ in self.values if s not in self.parameters]:
            raise ValueError(f"values for {unknown}, but the expansion parameters are {list(self.parameters)}")
        if self.values:
            shown = tuple((n, with_values(series, self.values)) for n, series in self.couplings)
            object.__setattr__(self, "couplings", shown)

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
    def n_components(self) -> Expr:
        """Number of components of the field."""
        return sympy.S.One

    def index_factor(self, graph: FeynmanGraph) -> Expr:
        """Return what the components of the field contribute to a diagram; one for a field of one component."""
        return sympy.S.One

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before using the action, for example that its potential is unbounded below."""
        interactions = {n: series for n, series in self.couplings if n > 2 and len(series)}
        if not self.is_local or not interactions:
            return ()
        top = max(interactions)
        reason = f"g_{top} multiplies an odd power" if top % 2 else ""
        if not reason and interactions[top].as_expr().is_negative:
            reason = f"g_{top} = {interactions[top].as_expr()} is negative"
        if not reason:
            return ()
        return (
            f"the potential is unbounded below ({reason} and no higher power is present): exp(-S) cannot be "
            "normalised, and the perturbation series is formal",
        )

    @property
    def rules(self) -> FeynmanRules:
        """Ordinary Feynman rules: correlators from this action, every term of every coupling included.

        A vertex of a non-local action is the function ``g3``, ``g4``, ... as a whole, and its order that of its first
        term.
        """
        vertices = []
        for n, series in self.couplings:
            if self.is_local and len(series):
                vertices.append(VertexRule.local(n, series))
            elif n != 2 and len(series):
                exponent, _ = series.terms[0]
                vertices.append(VertexRule(INTERACTION, n, sympy.S.NegativeOne, f"g{n}", False, exponent))
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

        Raises
        ------
        ValueError
            If the action has a source or a counterterm: any number of them fits into each number of loops.

        Examples
        --------
        >>> from diagrams.theory import phi4
        >>> [(d.n_loops, d.symmetry_factor) for d in phi4().diagrams(legs=2, max_loops=2)]
        [(0, 1), (1, 2), (2, 4), (2, 4), (2, 6)]
        """
        check_order("legs", legs)
        if self.is_local and (endless := [f"g_{n}" for n, series in self.couplings if n < 3 and len(series)]):
            raise ValueError(
                f"infinitely many diagrams: max_loops does not limit the number of vertices {endless}; "
                "use correlator(legs=..., order=...).diagrams"
            )
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
        coupling of a reconstructed action. A coupling of several terms stands at its vertices as a whole.

        Examples
        --------
        >>> from diagrams.theory import phi4
        >>> theory = phi4()
        >>> theory.amplitude(theory.diagrams(legs=2, max_loops=1)[-1])
        -lambda*Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1), (y_1, -oo, oo))/2
        """
        if graph.n_vertices and set(graph.kinds) == {CORRELATOR}:
            return self.reconstruction_rules.amplitude(graph)
        return self.rules.amplitude(graph).xreplace(dict(self.values)) * self.index_factor(graph)

    def correlator(self, *, legs: int, order: int | Mapping[str, int]) -> Series:
        """Return the connected correlator with ``legs`` points through an order in the expansion parameters.

        Legs sit at ``x_1, x_2, ...``; exact in the couplings kept, with the diagrams attached to each order. Numbers
        given for the parameters are put in by ``as_expr()``.

        Parameters
        ----------
        legs : int
        order : int or mapping from name to int
            Highest power: ``2``, or ``{"g": 2, "lambda": 1}`` where there are several parameters.

        Raises
        ------
        TypeError, ValueError
            If ``legs`` or an order is not an integer >= 0 (>= 1 for ``legs``), a parameter is missing or unknown, or
            infinitely many diagrams contribute.
        """
        if check_order("legs", legs) == 0:
            raise ValueError("a correlator needs at least one leg, got legs=0")
        series: Series = self._correlators(order).correlator_series(legs)
        return with_values(series, self.values) if self.values else series

    def correlators(self, *, order: int | Mapping[str, int]) -> ConnectedCorrelators:
        """Return the connected correlators of this action through an order in the expansion parameters.

        For a reconstructed action this is the way back: every diagram of the action with its couplings written as
        diagrams is added up, and all but the original correlators cancel.

        Raises
        ------
        TypeError, ValueError
            As :meth:`correlator`, or if the action itself is not known to that order.
        """
        source = self._correlators(order)
        return ConnectedCorrelators(source, max_points=max(2, source.max_points))

    def _correlators(self, order: Any) -> Any:
        from diagrams.perturbation import local_correlators
        from diagrams.round_trip import ReconstructedCorrelators

        return local_correlators(self, order) if self.is_local else ReconstructedCorrelators(self, order)

    def in_moments(self) -> MomentForm:
        """Return a reconstructed action of independent neurons in moments of one neuron, amputations cancelled.

        See :func:`diagrams.moment_form.in_moments`.

        Raises
        ------
        ValueError
            If the action is not that of independent identical neurons in 1/N.
        """
        from diagrams.moment_form import in_moments

        return in_moments(self)

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return S[phi] in LaTeX, order by order, with the definitions that it needs."""
        from diagrams.latex import aslatex

        return aslatex(self, terms_per_line=terms_per_line)

    def to_text(self) -> str:
        """Return S[phi] as readable text, order by order, with its notes."""
        from diagrams.latex import action_text

        return "\n".join([action_text(self), *(f"Note: {note}." for note in self.notes)])

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        shown = ", ".join(f"g_{n}" for n, _ in self.couplings)
        return f"<Action: {'local' if self.is_local else 'non-local'}, {shown}>"
