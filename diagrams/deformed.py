"""Ensembles whose neurons are not independent: the density of the parameters times the exponential of neuron sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import sympy

from diagrams._neuron_cumulants import deformed_cumulant, expectation
from diagrams.correlators import ConnectedCorrelators, as_point
from diagrams.deformed_correlators import DeformedCorrelators, neuron_parameters, unit_width
from diagrams.neuron_sums import OUTPUT_WEIGHT, NeuronSum, Term, polynomial_terms
from diagrams.normalisable import StrengthInterval
from diagrams.symbols import symbol
from diagrams.typing import Expr, PointLike

if TYPE_CHECKING:
    from diagrams.architectures import Architecture

T = TypeVar("T", bound="DeformedArchitecture")


@dataclass(frozen=True)
class DeformedArchitecture(ABC):
    r"""An independent network with the density :math:`P(\theta; t) \propto P_0(\theta) e^{L(t; \theta)}`, L(0) = 0.

    Parameters
    ----------
    base : Architecture
        The network of independent neurons.
    deformation : sympy.Expr
        What L is made of, with the width symbolic where the net had a symbolic width.
    strength : sympy.Symbol
        The expansion parameter t.
    value : sympy.Expr or None
        Number for the strength, if :meth:`at` gave one.
    has_symbolic_width : bool
        The deformation was written for a symbolic width, so that its powers of N are known.
    """

    base: Architecture
    deformation: Expr
    strength: sympy.Symbol
    value: Expr | None = None
    has_symbolic_width: bool = True

    @abstractmethod
    def log_weight(self, order: int) -> Expr:
        """Return the coefficient of ``strength**order`` in log P(theta; t) - log P(theta; 0)."""

    @property
    @abstractmethod
    def exponent_latex(self) -> str:
        """What stands in the exponential, in LaTeX."""

    @property
    @abstractmethod
    def strength_interval(self) -> StrengthInterval:
        """The strengths at which the density can be normalised."""

    def check_normalisable(self) -> None:
        """Raise ValueError if the density cannot be normalised, at positive strength or at the one given."""
        self.strength_interval.check(self.strength, self.value, self.deformation)

    @property
    def name(self) -> str:
        """Name of the feature."""
        return self.base.name

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.base.input_dim

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return self.base.output_dim

    @property
    def width(self) -> Expr:
        """Number of neurons, symbolic until :meth:`at` gives it a number."""
        return self.base.width

    @property
    def N(self) -> Expr:
        """The width."""
        return self.base.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish because a sign change of the output weights leaves the density alone."""
        flip = symbol(OUTPUT_WEIGHT)

        def flipped(atom: NeuronSum) -> Expr:
            return (-1) ** len(atom.points) * NeuronSum(atom.expr.xreplace({flip: -flip}), atom.points)

        if not self.base.has_symmetric_readout:
            return False
        mirror = self.deformation.replace(lambda e: isinstance(e, NeuronSum), flipped)
        return bool(_canonical(mirror - self.deformation) == 0)

    def terms(self, order: int) -> tuple[Term, ...]:
        """Return :meth:`log_weight` at one order as terms of a polynomial in neuron sums.

        Raises
        ------
        ValueError
            If it is not such a polynomial.
        """
        return _terms(self, order)

    def at(self: T, **values: Any) -> T:
        """Return the ensemble with numbers for the strength and parameters of the network.

        Raises
        ------
        ValueError
            As :meth:`Architecture.at`; for a strength at which the density cannot be normalised.

        Examples
        --------
        >>> from diagrams import cos_net
        >>> from diagrams.independence import neuron_sum, tilted
        >>> net = cos_net(input_dim=1)
        >>> tilted(net, neuron_sum(net.w0**2), strength="alpha").at(alpha=0.5, N=20).value
        1/2
        """
        name = self.strength.name
        value = self._checked_strength(values.pop(name)) if name in values else self.value
        parameters = {s.name for s in neuron_parameters(self.base)}
        free = {s.name for s in self.deformation.free_symbols} - parameters - {"N", name}
        in_net = {k: v for k, v in values.items() if k not in free or k in self.base._symbols()}
        checked = {symbol(k): sympy.nsimplify(v, rational=True) for k, v in values.items() if k != "N"}
        deformation = self.deformation.xreplace(checked)
        result = replace(self, base=self.base.at(**in_net), deformation=deformation, value=value)
        result.check_normalisable()
        return result

    def _checked_strength(self, value: Any) -> Expr:
        try:
            number = sympy.nsimplify(sympy.sympify(value, strict=True), rational=True)
        except sympy.SympifyError:
            raise TypeError(f"{self.strength} must be a number, got {value!r}") from None
        if not number.is_number or not number.is_real or not number.is_finite:
            raise ValueError(f"{self.strength} must be a finite real number, got {value!r}")
        return number

    def parameter_values(self) -> dict[str, float]:
        """Return all parameters as floats, those of the network and the strength.

        Raises
        ------
        ValueError
            If one of them is still symbolic; the text names it.
        """
        if self.value is None:
            raise ValueError(f"the strength {self.strength} has no number: use .at({self.strength}=...)")
        return self.base.parameter_values() | {self.strength.name: float(self.value)}

    def connected_correlators(self, *, max_points: int = 4, order: Mapping[str, int] | int = 1) -> ConnectedCorrelators:
        """Return the connected correlators as expansions in the strength, exact in N at every order.

        Parameters
        ----------
        max_points : int
            Highest number of points, at least 1.
        order : mapping from the name of the strength to an integer, or an integer
            Highest power of the strength kept, for example ``{"alpha": 1}``.

        Returns
        -------
        ConnectedCorrelators
            Their ``series`` are in ``(1/N, strength)``; in the strength alone when the deformation was written for a
            net whose width is a number already.

        Raises
        ------
        TypeError, ValueError
            If ``order`` is not a non-negative integer for this strength, or ``max_points`` is not positive.
        """
        return ConnectedCorrelators(DeformedCorrelators(self, self._checked_order(order)), max_points=max_points)

    def _checked_order(self, order: Mapping[str, int] | int) -> int:
        name = self.strength.name
        if isinstance(order, Mapping):
            if set(order) != {name}:
                raise ValueError(f"order names the expansion parameters {sorted(order)}; this ensemble has {name!r}")
            order = order[name]
        if isinstance(order, bool) or not isinstance(order, int) or order < 0:
            raise ValueError(f"the order in {name} must be an integer >= 0, got {order!r}")
        return order

    def expectation(self, expr: Expr, *points: PointLike) -> Expr:
        """Return ``E[phi(x_1)...phi(x_n) * expr]`` over independent neurons (strength zero), exact in N.

        Parameters
        ----------
        expr : sympy.Expr
            Polynomial in sums over neurons.
        *points
            Any number of points; the field is taken without output bias.
        """
        legs = [(as_point(p, self.input_dim), sympy.S.Zero) for p in points]
        terms = polynomial_terms(expr, neuron_parameters(self.base), self.input_dim, "the observable")
        return expectation(unit_width(self.base), legs, terms).subs(symbol("N"), self.width)

    def score(self, order: int) -> Expr:
        r"""Return the score polynomial :math:`P_r` at strength zero, with neuron sums as its variables.

        :math:`P_1 = \partial_t \log P`, :math:`P_{r+1} = (P_1 + \partial_t) P_r`, so that :math:`\partial_t^r
        \langle O \rangle = E_0[O P_r]` at t = 0. Normalisation is included: :math:`E_0[P_r] = 0`.

        Parameters
        ----------
        order : int
            r, at least 1.

        Raises
        ------
        ValueError
            If ``order`` is not a positive integer.
        """
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise ValueError(f"the order of a score polynomial must be a positive integer, got {order!r}")
        t, width = self.strength, symbol("N")
        log_p = []
        for k in range(1, order + 1):
            log_z = deformed_cumulant(unit_width(self.base), (), self.log_weights(order), k)
            log_p.append(t**k * (self.log_weight(k) - sympy.Add(*(c * width**e for e, c in log_z.items()))))
        first = sympy.Add(*log_p).diff(t)
        result = first
        for _ in range(order - 1):
            result = sympy.expand(first * result + result.diff(t))
        return result.subs(t, 0).subs(width, self.width)

    def log_weights(self, order: int) -> dict[int, tuple[Term, ...]]:
        """Return :meth:`terms` of all orders from one to ``order``."""
        return {k: self.terms(k) for k in range(1, order + 1)}

    def to_latex(self) -> str:
        """Return phi(x), the independent density and the deformed one in LaTeX."""
        body = self.base.to_latex().removesuffix(r" \end{aligned}")
        if self.value is not None:
            body += rf" \\ & {sympy.latex(self.strength)} = {sympy.latex(self.value)}"
        t = sympy.latex(self.strength)
        return body + rf" \\ & P_{{{t}}}(\theta) = \frac{{P(\theta)}}{{Z}} {self.exponent_latex} \end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _value_text(self) -> str:
        return "" if self.value is None else f".at({self.strength}={self.value})"


def _canonical(expr: Expr) -> Expr:
    """Return the expression with the constants of sums over neurons pulled out, so that equal ones cancel."""

    def pulled(atom: NeuronSum) -> Expr:
        terms = []
        for term in sympy.Add.make_args(sympy.expand(atom.expr)):
            coefficient, rest = term.as_coeff_Mul()
            terms.append(coefficient * NeuronSum(rest, atom.points))
        return sympy.Add(*terms)

    return sympy.expand(expr.replace(lambda e: isinstance(e, NeuronSum), pulled))


@cache
def _terms(architecture: DeformedArchitecture, order: int) -> tuple[Term, ...]:
    expr = architecture.log_weight(order)
    return tuple(polynomial_terms(expr, neuron_parameters(architecture.base), architecture.input_dim, "the exponent"))
