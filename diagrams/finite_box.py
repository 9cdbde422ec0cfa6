r"""Local theories with a momentum cutoff that interact in a finite region: every diagram is a finite number.

.. math:: S = \frac12 \phi\, G^{-1} \phi + \sum_n \frac{g_n}{n!} \int f(x)\, \phi(x)^n\, d^dx, \qquad
          G(p) = \frac{\theta(\Lambda - |p|)}{p^2 + m^2}

The free field fills all of space; f is one in a box, or a Gaussian. This is what a network of infinite width samples
(arXiv:2307.03223, section 5). :func:`numerics.correlator_values` puts in numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import sympy

from diagrams._action import Action
from diagrams._couplings import ValuedSeries
from diagrams.architectures import check_dimension
from diagrams.equations import equation_lines, over_factorial
from diagrams.graph import FeynmanGraph
from diagrams.latex import expression_latex
from diagrams.pointfunctions import PointFunction
from diagrams.regions import Box, GaussianWeight, Region, exact_real
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.typing import Expr


class RegionWeight(PointFunction):
    """The weight f of the interaction at a point."""

    def __new__(cls, name: Any, *points: Expr) -> RegionWeight:
        """Return f at a point."""
        return super().__new__(cls, name, *points)

    def _eval_subs(self, old: Expr, new: Expr) -> Expr:
        return RegionWeight(self.name, *(p._subs(old, new) for p in self.points))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        (point,) = self.points
        if getattr(printer, "points_as_indices", False):
            label = str(point)[2:] if str(point).startswith("y_") else printer._print(point)
            body = f"f_{{{label}}}"
        else:
            body = f"f({printer._print(point)})"
        return body if exp is None else f"{body}^{{{exp}}}"


@dataclass(frozen=True, repr=False)
class CutoffAction(Action):
    """A local action with a momentum cutoff whose interaction acts in a finite region; see :func:`with_cutoff`.

    Parameters
    ----------
    region : Region
        The weight f of the interaction.
    cutoff : sympy.Expr
        Radius Lambda of the ball of momenta.
    input_dim : int
        Dimension d of space.
    """

    region: Region = Box(symbol("L"))  # noqa: RUF009 (immutable)
    cutoff: Expr = symbol("Lambda")  # noqa: RUF009
    input_dim: int = 1

    def amplitude(self, graph: FeynmanGraph) -> Expr:
        """Return the value of a diagram; the weight f stands at every interaction."""
        return weighted(super().amplitude(graph))

    def correlator(self, *, legs: int, order: int | Mapping[str, int]) -> Series:
        """Return the connected correlator through an order, with its diagrams; see :meth:`Action.correlator`.

        The Series knows the theory, so that :func:`numerics.compare` and :func:`numerics.correlator_values` can
        evaluate it at points.
        """
        series = super().correlator(legs=legs, order=order)
        return CutoffSeries(
            series.parameters,
            tuple((key, weighted(value)) for key, value in series.terms),
            series.remainder,
            series.sources,
            self.values,
            self,
            legs,
        )

    @property
    def propagator_at_zero(self) -> Expr:
        """The tadpole G(0), elementary in every dimension."""
        from diagrams.phi4_networks import cutoff_propagator

        return cutoff_propagator(input_dim=self.input_dim, mass=self.mass, cutoff=self.cutoff)

    @property
    def free_parameters(self) -> tuple[str, ...]:
        """Names of what has no number yet: the mass, the cutoff, a length, couplings."""
        known = {s for s, _ in self.values}
        left = self.mass.free_symbols | self.cutoff.free_symbols | self.region.free_symbols
        left |= {s for _, series in self.couplings for _, c in series.terms for s in c.free_symbols}
        return tuple(sorted(s.name for s in left | (set(self.parameters) - known)))

    def __str__(self) -> str:
        return f"{self.to_text()} with |p| < {self.cutoff} and the interaction on {self.region}"


@dataclass(frozen=True, repr=False)
class CutoffSeries(ValuedSeries):
    """A correlator of a :class:`CutoffAction`, order by order; it knows its theory and its number of legs.

    Parameters
    ----------
    theory : CutoffAction
    legs : int
    """

    theory: CutoffAction | None = None
    legs: int = 0

    def map(self, function: Callable[[Expr], Expr]) -> Series:
        """Return a plain Series of changed coefficients, which are diagrams of the theory no more."""
        return ValuedSeries.of(Series(self.parameters, self.terms, self.remainder, self.sources), self.values).map(
            function
        )

    def truncate(self, remainder: Exponents) -> Series:
        """Return the series cut at a lower remainder; theory and values stay."""
        cut = super().truncate(remainder)
        return CutoffSeries(cut.parameters, cut.terms, cut.remainder, cut.sources, self.values, self.theory, self.legs)


def weighted(expr: Expr) -> Expr:
    """Return integrals over interaction points with the weight f at every one of them.

    Examples
    --------
    >>> from diagrams.theory import phi4
    >>> weighted(phi4().correlator(legs=2, order=1)[1])
    -Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1)*f(y_1), (y_1, -oo, oo))/2
    """

    def with_weights(integral: Expr) -> Expr:
        weights = sympy.Mul(*(RegionWeight("f", limit[0]) for limit in integral.limits))
        return sympy.Integral(integral.function * weights, *integral.limits)

    return expr.replace(lambda e: isinstance(e, sympy.Integral), with_weights)


def with_cutoff(
    action: Action, *, cutoff: Any = None, box: Any = None, weight: Any = None, input_dim: int | None = None
) -> Action:
    """Return a local action with a momentum cutoff and a finite region of interaction; as it is if none is given.

    Parameters
    ----------
    action : Action
        Local.
    cutoff : number or sympy.Expr
        Radius Lambda of the ball of momenta.
    box : number or sympy.Expr
        Side L of the box in which the field interacts.
    weight : number or sympy.Expr
        Instead of a box, the width L of the weight exp(-x**2 / (2 L**2)).
    input_dim : int, optional
        Dimension of space, default 1.

    Raises
    ------
    TypeError, ValueError
        If only some are given, both a box and a weight are, a length or the cutoff is not positive, or a number that
        makes the even potential unbounded below is given.

    Examples
    --------
    >>> from diagrams.theory import phi4
    >>> phi4(mass=1, coupling=0.5, cutoff=8, box=4.0).correlator(legs=2, order=1)
    <Series: terms in 1, lambda + O(lambda^2)>
    """
    if cutoff is None and box is None and weight is None and input_dim is None:
        return action
    if box is not None and weight is not None:
        raise ValueError(f"give either box (side {box!r}) or weight (Gaussian width {weight!r}), not both")
    if cutoff is None or (box is None and weight is None):
        raise ValueError(
            "a theory that is finite on its own needs a cutoff and a region: give cutoff=... and box=... or "
            f"weight=...; got cutoff={cutoff!r}, box={box!r}, weight={weight!r}, input_dim={input_dim!r}"
        )
    top = exact_real("the cutoff", cutoff)
    if top.is_nonpositive:
        raise ValueError(f"the cutoff must be positive, got {cutoff!r}")
    if action.notes:
        raise ValueError(
            f"{action.notes[0].split(':')[0]}: a finite theory needs a bounded potential; leave the cutoff and the "
            "region out for formal diagrams"
        )
    given = {f.name: getattr(action, f.name) for f in fields(Action)}
    region: Region = GaussianWeight(weight) if weight is not None else Box(box)
    dim = check_dimension(1 if input_dim is None else input_dim)
    given["kinetic_latex"] = action.kinetic_latex.replace("^d", "" if dim == 1 else f"^{dim}")
    given["propagator_latex"] = _propagator_latex(dim, action.mass, top)
    return CutoffAction(**given, region=region, cutoff=top, input_dim=dim)


def _propagator_latex(dim: int, mass: Expr, cutoff: Expr) -> str:
    d = "" if dim == 1 else f"^{dim}"
    return (
        rf"G(x, y) = \int_{{|p| < {expression_latex(cutoff)}}} \frac{{d{d}p}}{{(2\pi){d}}} "
        rf"\frac{{e^{{ip(x - y)}}}}{{p^2 + {expression_latex(mass**2)}}}"
    )


@equation_lines.register(CutoffAction)
def _(obj: CutoffAction, terms_per_line: int) -> list[str]:
    terms = []
    for n, series in obj.couplings:
        body = obj.region.integral_latex(obj.input_dim, rf"\phi(x)^{{{n}}}")
        terms.append(f"{over_factorial(series.as_expr(), n)} {body}")
    return [
        rf"S[\phi] ={{}} & {obj.kinetic_latex} + {' + '.join(terms)}",
        rf"& {obj.propagator_latex}",
    ]
