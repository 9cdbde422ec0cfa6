r"""The action as a sum of terms with more and more derivatives, its local couplings and what is left out.

The free action is :math:`S_G = \frac12 \int \phi\, G_2^{-1}(-i\nabla)\, \phi`. For a Gaussian kernel of height
``1/C`` it is the exponential of the Laplacian,

.. math:: S_G = \frac{C}{2} \int d^dx\, \phi\, e^{-\nabla^2/(2s)} \phi
          = \sum_m \frac{C}{2\, m!} \left(\frac{1}{2s}\right)^m \int d^dx\, (\nabla^m \phi)^2,

with :math:`\int (\nabla^m \phi)^2 := \int \frac{d^dp}{(2\pi)^d} p^{2m} |\phi(p)|^2` (arXiv:2307.03223, section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy

from diagrams._architecture import Architecture
from diagrams.contact_terms import PlaneWaveAction, QuarticAction, quartic_action
from diagrams.momentum_space import MomentumKernel, P
from diagrams.theory import check_order
from diagrams.typing import Expr
from diagrams.wave_packets import WavePackets, gaussian_momentum_integral, momentum_integral

_NOT_SMOOTH = (sympy.Abs, sympy.sign, sympy.Max, sympy.Min, sympy.Piecewise, sympy.Heaviside)


@dataclass(frozen=True)
class LocalCouplings:
    r"""The couplings of the derivative expansion.

    Parameters
    ----------
    quadratic : tuple of sympy.Expr
        c_m in :math:`\sum_m \frac{c_m}{2} \int (\nabla^m \phi)^2`.
    quartic : tuple of sympy.Expr
        v_m in :math:`\frac{1}{4!} \int \sum_3 v_m (-\nabla^2)^m \delta(x_a + x_b - x_c - x_d)\, \phi \phi \phi \phi`;
        empty if the vertex has no momentum-space form, or no Taylor series at zero momentum.
    """

    quadratic: tuple[Expr, ...]
    quartic: tuple[Expr, ...]

    @property
    def kinetic(self) -> Expr:
        """The coefficient Z of (grad phi)^2 / 2.

        Raises
        ------
        ValueError
            If the expansion was not taken to two derivatives.
        """
        if len(self.quadratic) < 2:
            raise ValueError("the kinetic term has two derivatives: use derivative_expansion(net, order=1) or more")
        return self.quadratic[1]

    @property
    def mass_squared(self) -> Expr:
        """The square of the mass of the field ``sqrt(Z) phi``.

        Raises
        ------
        ValueError
            If there is no kinetic term.
        """
        if self.kinetic == 0:
            raise ValueError("there is no kinetic term, hence no mass")
        return self.quadratic[0] / self.kinetic

    @property
    def canonical_quartic(self) -> tuple[Expr, ...]:
        """The v_m for the field ``sqrt(Z) phi``: ``v_m / Z**2``."""
        return tuple(v / self.kinetic**2 for v in self.quartic)

    @property
    def phi4(self) -> Expr:
        """Zero: no term of the quartic action is the integral of phi(x)^4.

        A term with ``delta(x_a + x_b - x_c - x_d)`` of a constant field grows as the third power of the volume, a local
        one as the first.
        """
        return sympy.S.Zero


@dataclass(frozen=True)
class ExpansionOnField:
    """A derivative expansion evaluated on wave packets.

    Parameters
    ----------
    terms : tuple of sympy.Expr
        ``c_m/2 int (grad^m phi)^2`` for m = 0 ... order.
    exact : sympy.Expr or None
        The free action, None where it is infinite.
    ratio : sympy.Expr or None
        Limit of the ratio of successive terms for a Gaussian kernel: the sum converges if it is below one.
    """

    terms: tuple[Expr, ...]
    exact: Expr
    ratio: Expr = None

    @property
    def partial_sums(self) -> tuple[Expr, ...]:
        """The sums of the first 1, 2, ... terms."""
        return tuple(sympy.Add(*self.terms[: m + 1]) for m in range(len(self.terms)))

    @property
    def remainder(self) -> Expr:
        """The free action less the terms kept.

        Raises
        ------
        ValueError
            If the free action is infinite.
        """
        if self.exact is None:
            raise ValueError(self.verdict)
        return self.exact - self.partial_sums[-1]

    @property
    def converges(self) -> bool | None:
        """True or False where that is decided, None for kernels that are not Gaussian."""
        return None if self.ratio is None else bool(self.ratio < 1)

    @property
    def verdict(self) -> str:
        """Whether the expansion converges on this field, and why."""
        if self.ratio is None:
            return "the kernel is not Gaussian: compare remainder with the sum to see how good the expansion is"
        ratio = f"successive terms have the ratio 1/(2 s width**2) = {self.ratio} for the narrowest packet"
        if self.converges:
            return f"converges: {ratio}"
        return f"diverges: {ratio}; |phi(p)|**2 exp(p**2/(2 s)) is not integrable, so the free action is infinite"


@dataclass(frozen=True, repr=False)
class DerivativeExpansion:
    r"""The action of a net to ``2 order`` derivatives; make it with :func:`derivative_expansion`.

    Parameters
    ----------
    action : QuarticAction
    order : int
        Highest power of the Laplacian kept.
    quadratic : tuple of sympy.Expr
        Taylor coefficients c_m of 1/G2 in p^2.
    quartic : tuple of sympy.Expr
        Those of v(k) in k^2, see :class:`diagrams.contact_terms.ContactVertex`; empty where there are none.
    is_complete : bool
        1/G2 is a polynomial in p^2 of degree ``order`` or less, so nothing of the free action is left out.
    """

    action: QuarticAction
    order: int
    quadratic: tuple[Expr, ...]
    quartic: tuple[Expr, ...]
    is_complete: bool

    @property
    def net(self) -> Architecture:
        """The net."""
        return self.action.net

    @property
    def kernel(self) -> MomentumKernel:
        """Its two-point function."""
        return self.action.kernel

    @cached_property
    def local_couplings(self) -> LocalCouplings:
        """The couplings order by order."""
        return LocalCouplings(self.quadratic, self.quartic)

    @property
    def remainder(self) -> Expr:
        """What is left of 1/G2(p): the free action lacks ``1/2 int |phi|^2 remainder``."""
        return self.kernel.inverse - sympy.Add(*(c * P ** (2 * m) for m, c in enumerate(self.quadratic)))

    @property
    def remainder_bound(self) -> Expr:
        r"""A bound on :attr:`remainder` for Gaussian kernels, :math:`C\, \frac{t^{M+1}}{(M+1)!} e^t`, t = p^2/(2s).

        The remainder is positive there: all terms of the expansion are.

        Raises
        ------
        ValueError
            If the kernel is not Gaussian; :attr:`remainder` is exact for any kernel.
        """
        self._need_gaussian()
        t = P**2 / (2 * self.kernel.variance)
        n = self.order + 1
        return self.quadratic[0] * t**n / sympy.factorial(n) * sympy.exp(t)

    @property
    def convergence_condition(self) -> str:
        """On which fields the sum to all orders is finite and equals the free action."""
        if self.is_complete:
            return "the expansion ends: it is exact on every field" + (
                " with momenta below the cutoff" if self.kernel.has_cutoff else ""
            )
        if self.kernel.variance is not None:
            rate = sympy.Rational(1, 2) / self.kernel.variance
            return f"|phi(p)|**2 exp({rate} p**2) integrable, which is also what makes the free action finite"
        return "|phi(p)|**2 sum_m |c_m| p**(2 m) integrable: momenta within the radius of convergence of 1/G2(p)"

    def on(self, field: WavePackets, *, projected: bool = False) -> ExpansionOnField:
        """Return the terms, the exact free action and a verdict for wave packets.

        Parameters
        ----------
        field : WavePackets
        projected : bool
            As for :meth:`diagrams.contact_terms.QuarticAction.free`.
        """
        packets, at = field.spectrum_power(1), self.action._at
        if self.kernel.has_cutoff:
            exact = self.action.free(field, projected=projected)
            powers = [
                momentum_integral(P ** (2 * m), (P,), self.kernel.cutoffs, packets) for m in range(self.order + 1)
            ]
            return ExpansionOnField(self._terms(field, powers), exact)
        powers = [sympy.Add(*(gaussian_momentum_integral(p, m) for p in packets)) for m in range(self.order + 1)]
        if self.kernel.variance is None:
            return ExpansionOnField(self._terms(field, powers), self.action.free(field))
        ratio = 1 / (2 * at(field, self.kernel.variance) * field.narrowest**2)
        exact = None if (1 - ratio).is_nonpositive else self.action.free(field)
        return ExpansionOnField(self._terms(field, powers), exact, ratio)

    def _terms(self, field: WavePackets, powers: list[Expr]) -> tuple[Expr, ...]:
        return tuple(self.action._at(field, c) / 2 * p for c, p in zip(self.quadratic, powers, strict=True))

    def bound_on(self, field: WavePackets) -> Expr:
        r"""Return a bound on the remainder on wave packets that falls geometrically with the order.

        :math:`\sum_{m > M} t^m/m! \le \lambda^{M+1} e^{t/\lambda}` for :math:`\lambda < 1`; with lambda just above the
        ratio of successive terms the bound is :math:`\lambda^{M+1}` times a free action.

        Raises
        ------
        ValueError
            If the kernel is not Gaussian or the free action of the field is infinite.
        """
        self._need_gaussian()
        s, n = self.action._at(field, self.kernel.variance), self.order + 1
        ratio = 1 / (2 * s * field.narrowest**2)
        if not (1 - ratio).is_positive:
            raise ValueError(f"no bound on the remainder: the ratio {ratio} of successive terms is not below one")
        best = ratio * sympy.Rational(2 * n + field.dim, 2 * n)  # the minimum over lambda for one packet
        rate = best if (1 - best).is_positive else (1 + ratio) / 2
        shifted = [(c, b - 1 / (rate * s), shift) for c, b, shift in field.spectrum_power(1)]
        front = self.action._at(field, self.quadratic[0]) / 2 * rate**n
        return front * sympy.Add(*map(gaussian_momentum_integral, shifted))

    def _need_gaussian(self) -> None:
        if self.kernel.variance is None:
            raise ValueError(
                f"the bound is that of a Gaussian kernel, {self.kernel} is none; its remainder is exact as it is"
            )

    def to_latex(self) -> str:
        """Return the expanded free action, its remainder, and the quartic vertex in LaTeX."""
        terms = [rf"\frac{{1}}{{2}} {_factor(c)} {_gradient(m)}" for m, c in enumerate(self.quadratic) if c != 0]
        lines = [rf"S_G ={{}} & \int d^dx \Bigl[{' + '.join(terms)}\Bigr]"]
        if self.kernel.variance is not None:
            rate = sympy.latex(1 / (2 * self.kernel.variance))
            lines.insert(
                0,
                rf"S_G ={{}} & \frac{{1}}{{2}} {_factor(self.quadratic[0])} \int d^dx\, "
                rf"\phi\, \exp\!\left[-{rate}\, \nabla^2\right] \phi",
            )
        if not self.is_complete:
            lines.append(
                r"& + \frac{1}{2} \int \frac{d^dp}{(2\pi)^d}\, |\phi(p)|^2 \Bigl[\frac{1}{G_2(p)} - \sum_{m \le "
                rf"{self.order}}} c_m p^{{2m}}\Bigr]"
            )
        if self.quartic:
            terms = [rf"{_factor(v)} {_laplacian(m)}" for m, v in enumerate(self.quartic) if v != 0]
            lines.append(
                rf"g_4 ={{}} & \sum_3 \Bigl[{' + '.join(terms)} + \ldots\Bigr] \delta^d(x_a + x_b - x_c - x_d)"
            )
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __repr__(self) -> str:
        return f"<DerivativeExpansion: {self.net}, order {self.order}{', complete' if self.is_complete else ''}>"


def _factor(c: Expr) -> str:
    return "" if c == 1 else rf"\left[{sympy.latex(c)}\right]"


def _gradient(m: int) -> str:
    return r"\phi^2" if m == 0 else r"(\nabla \phi)^2" if m == 1 else rf"(\nabla^{{{m}}} \phi)^2"


def _laplacian(m: int) -> str:
    return "" if m == 0 else r"(-\nabla^2)" if m == 1 else rf"(-\nabla^2)^{{{m}}}"


def derivative_expansion(net: Architecture, *, order: int) -> DerivativeExpansion:
    r"""Return the action expanded in derivatives, :math:`\frac{1}{G_2(p)} = \sum_{m \le M} c_m p^{2m} + \ldots`.

    Parameters
    ----------
    net : Architecture
        With a rotation-invariant two-point function in momentum space
        (:func:`diagrams.momentum_space.momentum_kernel`).
    order : int
        M, the highest power of the Laplacian, at least 0.

    Returns
    -------
    DerivativeExpansion

    Raises
    ------
    TypeError, ValueError
        If ``order`` is not an integer >= 0, 1/G2 depends on the components of p separately, or it has no Taylor series
        in p^2 at zero momentum.

    Examples
    --------
    >>> from diagrams.architectures import cos_net, scalar_net
    >>> derivative_expansion(cos_net(), order=2).local_couplings.mass_squared
    2*sigma_w0**2
    >>> derivative_expansion(scalar_net(), order=1)
    <DerivativeExpansion: scalar_net(input_dim=1), order 1, complete>
    """
    check_order("order", order)
    action = quartic_action(net)
    if not action.kernel.is_isotropic:
        raise ValueError(
            f"G2 of {net} depends on the components {action.kernel.momenta} of the momentum separately; the expansion "
            "in the Laplacian needs a rotation-invariant density"
        )
    inverse = action.kernel.inverse
    degree = polynomial_degree(inverse)
    quadratic, quartic = taylor_coefficients(inverse, order, "1/G2(p)"), ()
    if isinstance(action, PlaneWaveAction) and has_taylor_series(vertex := action.contact_vertex.symbol_of_momentum):
        quartic = taylor_coefficients(vertex, order, "the quartic vertex")
    complete = degree is not None and degree <= order
    return DerivativeExpansion(action, order, quadratic, quartic, complete)


def polynomial_degree(function: Expr) -> int | None:
    """Return the degree in p^2 of a function of p, or None if it is no polynomial in p^2."""
    expanded = sympy.expand(function)
    if not expanded.is_polynomial(P):
        return None
    powers = [m for (m,), _ in sympy.Poly(expanded, P).terms()]
    return max(powers) // 2 if all(m % 2 == 0 for m in powers) else None


def has_taylor_series(function: Expr) -> bool:
    """Tell whether a function of the length p is plainly analytic in p^2 at zero."""
    if function.has(*_NOT_SMOOTH) or sympy.expand(function - function.xreplace({P: -P})) != 0:
        return False
    at_zero = function.xreplace({P: sympy.S.Zero})
    return bool(at_zero.is_finite is not False and not at_zero.has(sympy.nan, sympy.zoo, sympy.oo))


def taylor_coefficients(function: Expr, order: int, name: str) -> tuple[Expr, ...]:
    """Return the coefficients of p^0, p^2 ... p^(2 order) of a function of the length p.

    Raises
    ------
    ValueError
        If it is not analytic in p^2 at zero; ``name`` says what it is.
    """
    if not has_taylor_series(function):
        raise ValueError(
            f"{name} = {function} has no Taylor series in p**2 at zero momentum: there is no derivative expansion, the "
            "action is not local at any order"
        )
    t = sympy.Dummy("t", positive=True)
    in_square = function.subs(P**2, t)
    variable, step = (P, 2) if in_square.has(P) else (t, 1)
    current, found = (function if step == 2 else in_square), []
    for m in range(order + 1):
        value = current.xreplace({variable: sympy.S.Zero}) / sympy.factorial(step * m)
        found.append(value)
        current = sympy.diff(current, variable, step) if m < order else current
    return tuple(found)
