"""Tilts ``P exp(-alpha V)`` and smooth families ``P(theta; alpha)``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import sympy

from diagrams.deformed import DeformedArchitecture
from diagrams.deformed_correlators import neuron_parameters
from diagrams.neuron_sums import NeuronSum
from diagrams.normalisable import StrengthInterval, strength_interval
from diagrams.symbols import symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.architectures import Architecture


@dataclass(frozen=True, repr=False)
class TiltedArchitecture(DeformedArchitecture):
    r"""The density :math:`P(\theta) = P_0(\theta) e^{-\alpha V(\theta)} / Z`; make it with :func:`tilted`."""

    @property
    def potential(self) -> Expr:
        """V, a polynomial in :class:`NeuronSum` objects, with the value of N in place."""
        return self.deformation.subs(symbol("N"), self.width)

    def log_weight(self, order: int) -> Expr:
        """Return -V at order one, zero at all others."""
        return -self.deformation if order == 1 else sympy.S.Zero

    @cached_property
    def strength_interval(self) -> StrengthInterval:
        """The strengths at which the density can be normalised."""
        return strength_interval(self.base, self.terms(1), self.deformation)

    @property
    def exponent_latex(self) -> str:
        r"""The factor :math:`e^{-\alpha V}`."""
        return rf"\exp\!\left[-{sympy.latex(self.strength)} \left({sympy.latex(self.deformation)}\right)\right]"

    def __str__(self) -> str:
        return f'{self.base}.tilted({self.deformation}, strength="{self.strength}"){self._value_text()}'

    def __repr__(self) -> str:
        return f"<TiltedArchitecture: {self}>"


@dataclass(frozen=True, repr=False)
class SmoothFamily(DeformedArchitecture):
    r"""A smooth family :math:`P(\theta; \alpha)`, independent at alpha = 0; make it with :func:`score_family`.

    ``deformation`` is log P(theta; alpha) - log P(theta; 0) up to a constant.
    """

    def log_weight(self, order: int) -> Expr:
        """Return the Taylor coefficient of log P at ``order``."""
        slope = self.deformation
        for _ in range(order):
            slope = slope.diff(self.strength)
        value = slope.subs(self.strength, 0) / sympy.factorial(order)
        if value.has(sympy.nan, sympy.zoo, sympy.oo):
            raise ValueError(f"log P = {self.deformation} has no derivative of order {order} at {self.strength} = 0")
        return value

    @property
    def strength_interval(self) -> StrengthInterval:
        """All strengths: for a general family it is left to the user to know where the density exists."""
        return StrengthInterval(-sympy.oo, sympy.oo)

    @property
    def exponent_latex(self) -> str:
        """The exponential of the change of log P."""
        return rf"\exp\!\left[{sympy.latex(self.deformation)}\right]"

    def __str__(self) -> str:
        return f'score_family({self.base}, {self.deformation}, strength="{self.strength}"){self._value_text()}'

    def __repr__(self) -> str:
        return f"<SmoothFamily: {self}>"


def tilted(net: Architecture, potential: Expr, strength: str = "alpha") -> TiltedArchitecture:
    r"""Return the ensemble :math:`P(\theta) \propto P_0(\theta) e^{-\alpha V(\theta)}`, whose neurons are correlated.

    To first order :math:`d\langle O \rangle / d\alpha = -\mathrm{Cov}_0(O, V)`; connected correlators to order r are
    joint cumulants with r more entries V, :math:`(-\alpha)^r/r!\; \kappa_0(\phi \ldots \phi; V \ldots V)`, evaluated
    exactly in N (arXiv:2307.03223, section 2.3, gives the first order).

    Parameters
    ----------
    net : Architecture
        Independent neurons.
    potential : sympy.Expr
        V, any polynomial in sums over neurons, see :func:`neuron_sum`, with coefficients that are powers of N and
        free parameters (taken to be positive where the sign decides whether the density exists).
    strength : str
        Name of alpha.

    Raises
    ------
    TypeError, ValueError
        If V is not such a polynomial, the name of the strength is taken, or the density cannot be normalised for
        small positive alpha.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> from diagrams.independence import neuron_sum
    >>> net = cos_net(input_dim=1)
    >>> broken = tilted(net, neuron_sum(net.w0**2) ** 2 / net.N**2)
    >>> broken.connected_correlators(max_points=2, order={"alpha": 1})[2].series
    <Series: terms in 1, N^-1 alpha, N^-2 alpha + O(alpha^2)>
    """
    result = TiltedArchitecture(net, *_checked(net, potential, strength, "the potential"), None, _symbolic_width(net))
    if result.deformation.has(result.strength):
        raise ValueError(
            f"the potential contains the strength {strength!r} itself; choose another name for one of them"
        )
    result.terms(1)
    result.check_normalisable()
    return result


def score_family(
    net: Architecture, log_density: Expr | None = None, *, score: Expr | None = None, strength: str = "alpha"
) -> SmoothFamily:
    r"""Return a smooth family of ensembles :math:`P(\theta; \alpha)`, given by its log density or its score.

    Derivatives follow from the score polynomials :math:`P_1 = \partial_\alpha \log P`, :math:`P_{r+1} = (P_1 +
    \partial_\alpha) P_r` as :math:`\partial_\alpha^r \langle O \rangle = E_0[O P_r]`; connected correlators are
    Series in alpha of any order, exact in N. It is not checked that the density exists for finite alpha.

    Parameters
    ----------
    net : Architecture
        The independent ensemble P(theta; 0).
    log_density : sympy.Expr
        ``log P(theta; alpha) - log P(theta; 0)`` in sums over neurons and the strength, zero at strength zero up to
        a constant; the normalisation may be left out. Each Taylor coefficient in the strength must be a polynomial
        in neuron sums.
    score : sympy.Expr
        Instead, ``P_1``, the derivative of log P with respect to the strength, as a polynomial in the strength.
    strength : str
        Name of alpha.

    Raises
    ------
    TypeError, ValueError
        If both or none of ``log_density`` and ``score`` are given, or they are not of the form above.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> from diagrams.independence import neuron_sum
    >>> net = cos_net(input_dim=1)
    >>> alpha = symbol("alpha")
    >>> family = score_family(net, -sympy.log(1 + alpha) * neuron_sum(net.w0**2) ** 2 / net.N)
    >>> family.log_weight(2)
    neuron_sum(W0**2)**2/(2*N)
    """
    if (log_density is None) == (score is None):
        raise TypeError("score_family takes either log_density or score=, one of the two")
    given = log_density if score is None else score
    expr, t = _checked(net, given, strength, "log_density" if score is None else "score")
    if score is not None:
        coefficients = sympy.Poly(expr, t).all_coeffs()[::-1] if expr.is_polynomial(t) else None
        if coefficients is None:
            raise ValueError(f"the score {expr} is not a polynomial in {strength}; give log_density instead")
        expr = sympy.Add(*(c * t ** (k + 1) / (k + 1) for k, c in enumerate(coefficients)))
    if not expr.has(t):
        raise ValueError(f"{expr} does not depend on the strength {strength!r}; nothing would be deformed")
    if expr.subs(t, 0).has(NeuronSum):
        raise ValueError(
            f"log_density must vanish (up to a constant) at {strength} = 0, where the ensemble is the net itself; "
            f"got {expr.subs(t, 0)}"
        )
    result = SmoothFamily(net, expr, t, None, _symbolic_width(net))
    result.terms(1)
    return result


def _symbolic_width(net: Architecture) -> bool:
    return not net.width.is_number


def _checked(net: Architecture, given: Expr | None, strength: str, what: str) -> tuple[Expr, sympy.Symbol]:
    from diagrams.architectures import Architecture

    if not isinstance(net, Architecture):
        raise TypeError(f"only a network of independent neurons can be deformed, got {type(net).__name__}")
    if not isinstance(strength, str) or not strength.isidentifier():
        raise ValueError(f"strength must be a name such as 'alpha', got {strength!r}")
    taken = {s.name for s in neuron_parameters(net)} | set(net._symbols()) | {"N"}
    if strength in taken or strength.startswith("x_"):
        raise ValueError(f"the strength cannot be called {strength!r}: the net uses {sorted(taken)} and x_1, x_2, ...")
    try:
        expr = sympy.sympify(given, strict=True)
    except sympy.SympifyError:
        raise TypeError(f"{what} must be a sympy expression in neuron sums, got {given!r}") from None
    if not isinstance(expr, sympy.Expr):
        raise TypeError(f"{what} must be one sympy expression, got {given!r}")
    if not expr.has(NeuronSum):
        raise ValueError(f"{what} {expr} contains no sum over neurons; make one with neuron_sum(net.w0**2)")
    return (expr.xreplace({net.width: symbol("N")}) if net.width.is_Symbol else expr), symbol(strength)
