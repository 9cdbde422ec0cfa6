r"""The leading non-Gaussian terms of the action in closed form, for nets of plane waves and for the Gauss-net.

With :math:`\psi = G_2^{-1} \phi` the tree-level contact terms of any net are

.. math:: S_\text{contact} = -\sum_{r \ge 3} \frac{1}{r!} N^{1 - r/2}\,
          \kappa_r\!\left[z \langle h_\theta, \psi \rangle\right], \qquad z = \sqrt N W^1,

so the quartic action is :math:`S_4 = -\frac{1}{4!\,N} \{E[Y^4] - 3 E[Y^2]^2\}` with :math:`Y = z \langle h, \psi
\rangle`, and its second part is :math:`S_G^2 / (2N)` for every net (arXiv:2307.03223, section 3). The action has weight
exp(-S), and couplings carry 1/n!.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import comb, factorial

import sympy

from diagrams._architecture import Architecture
from diagrams.cumulants import cumulants_from_moments
from diagrams.exponents import gauss_vertex_form
from diagrams.features import GaussFeature, dot
from diagrams.momentum_space import MomentumKernel, Spectrum, gauss_feature, momentum_kernel
from diagrams.symbols import symbol
from diagrams.theory import check_order
from diagrams.typing import Expr
from diagrams.wave_packets import WavePackets, gaussian_momentum_integral, momentum_integral

MEASURE = r"\int \frac{d^dk}{(2\pi)^d}\,"


@dataclass(frozen=True)
class ContactVertex:
    r"""The part of g_4 that is no product of two propagators, a function of the differences of pairs only.

    .. math:: g_4(x_1, \ldots, x_4) = \sum_{3} v(-i\nabla)\, \delta^d(x_a + x_b - x_c - x_d)

    In momentum space it is :math:`v(p_a)` with three delta functions, which make all four momenta equal up to their
    signs; total momentum alone, as in a local vertex, is one.

    Parameters
    ----------
    kernel : MomentumKernel
    symbol_of_momentum : sympy.Expr
        v as a function of ``kernel.momenta``.
    """

    kernel: MomentumKernel
    symbol_of_momentum: Expr

    @property
    def arguments(self) -> tuple[tuple[int, ...], ...]:
        """The signs of x_1 ... x_4 in the three arguments of the delta function."""
        return ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))

    @property
    def n_delta_functions(self) -> int:
        """Delta functions of the momenta: legs less the combinations of points that one term depends on."""
        return 4 - sympy.Matrix([self.arguments[0]]).rank()

    @property
    def coefficient(self) -> Expr:
        """The value of v at zero momentum, which multiplies the delta function of the points."""
        return self.symbol_of_momentum.xreplace(dict.fromkeys(self.kernel.momenta, sympy.S.Zero))

    def to_latex(self) -> str:
        """Return g_4 in LaTeX: an exponential of the Laplacian for Gaussian kernels, else v of the gradient."""
        delta = r"\delta^{d}\!\left(x_a + x_b - x_c - x_d\right)"
        if self.kernel.variance is None:
            v = sympy.latex(self.symbol_of_momentum)
            return (
                rf"g_4^{{\text{{contact}}}} = \sum_{{3}} v(-i\nabla)\, {delta}, \quad "
                rf"v({', '.join(map(sympy.latex, self.kernel.momenta))}) = {v}"
            )
        rate = sympy.latex(3 / (2 * self.kernel.variance))
        return (
            rf"g_4^{{\text{{contact}}}} = {sympy.latex(self.coefficient)} \sum_{{3}} "
            rf"\exp\!\left[-{rate}\, \nabla^2\right] {delta}"
        )

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


@dataclass(frozen=True, repr=False)
class QuarticAction(ABC):
    """The free and the leading quartic action of a net; make it with :func:`quartic_action`.

    :meth:`free`, :meth:`quartic` and :meth:`contact` evaluate them on wave packets: closed forms for Gaussian kernels,
    exact integrals (:func:`diagrams.expectation.evaluate`) for others.

    Parameters
    ----------
    net : Architecture
    kernel : MomentumKernel
    """

    net: Architecture
    kernel: MomentumKernel

    @abstractmethod
    def overlap_moment(self, field: WavePackets, power: int, *, projected: bool = False) -> Expr:
        """Return ``E[<h, psi>**power]`` over the hidden parameters of a neuron."""

    @property
    @abstractmethod
    def contact_vertex(self) -> ContactVertex:
        """The part of g_4 that is no product of two propagators."""

    @property
    @abstractmethod
    def contact_latex(self) -> str:
        """The part of S_4 that is no square of the free action."""

    def free(self, field: WavePackets, *, projected: bool = False) -> Expr:
        r"""Return :math:`S_G = \frac12 \int \frac{d^dp}{(2\pi)^d} |\phi(p)|^2 / G_2(p)` of wave packets.

        Parameters
        ----------
        field : WavePackets
        projected : bool
            Leave out the momenta of the field beyond the cutoff of G2. Without it they make the action infinite.

        Raises
        ------
        ValueError
            If the action of the field is infinite: the text says by how much its packets are too narrow.
        """
        return self.net.readout.moment(2) / 2 * self.overlap_moment(field, 2, projected=projected)

    def contact(self, field: WavePackets, legs: int, *, projected: bool = False) -> Expr:
        r"""Return the contact term of r fields, :math:`-\frac{1}{r!} N^{1-r/2} \kappa_r[z \langle h,\psi\rangle]`.

        Parameters
        ----------
        field : WavePackets
        legs : int
            r, at least 3; odd terms vanish.
        projected : bool
            As for :meth:`free`.

        Raises
        ------
        ValueError
            If the term is infinite for this field, or ``legs`` is below 3.
        """
        if check_order("legs", legs) < 3:
            raise ValueError(f"contact terms have 3 legs or more, got legs={legs}; use free(field) for the free action")
        if legs % 2:
            return sympy.S.Zero
        z = self.net.readout
        moments = [
            sympy.S.Zero if r % 2 else z.moment(r) * self.overlap_moment(field, r, projected=projected)
            for r in range(1, legs + 1)
        ]
        cumulant = cumulants_from_moments(moments)[-1]
        return -cumulant * self.net.width ** (1 - sympy.Rational(legs, 2)) / factorial(legs)

    def quartic(self, field: WavePackets, *, projected: bool = False) -> Expr:
        """Return S_4 of wave packets, ``contact(field, 4)``."""
        return self.contact(field, 4, projected=projected)

    def to_latex(self) -> str:
        """Return S_G, S_4 and the kernel in LaTeX."""
        width = sympy.latex(self.net.width)
        lines = [
            r"S_G ={} & \frac{1}{2} \int \frac{d^dp}{(2\pi)^d}\, \frac{|\phi(p)|^2}{G_2(p)}",
            rf"S_4 ={{}} & \frac{{S_G^2}}{{2 \cdot {width}}} {self.contact_latex}",
            self.kernel.to_latex().replace(" = ", " ={} & ", 1),
        ]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.net}>"

    def _at(self, field: WavePackets, expr: Expr) -> Expr:
        """Return an expression with the dimension of the field in place of a symbolic one."""
        d = self.kernel.dimension
        if d.is_Symbol:
            return sympy.sympify(expr).xreplace({d: sympy.Integer(field.dim)})
        if d.is_Integer and d != field.dim:
            raise ValueError(f"the field lives in {field.dim} dimension(s), the net in {d}: {self.net}")
        return expr


@dataclass(frozen=True, repr=False)
class PlaneWaveAction(QuarticAction):
    r"""The quartic action of a net of plane waves, for any even momentum density.

    .. math:: S_4 = \frac{S_G^2}{2N}
              - \frac{E[z^4]}{32 E[z^2] N} \int \frac{d^dk}{(2\pi)^d} \frac{A(k)^2 |\phi(k)|^4}{G_2(k)^3}

    The prefactor is :math:`3 \sigma_{w1}^2 / (32 N)` for Gaussian output weights.
    """

    @property
    def spectrum(self) -> Spectrum:
        """The momenta of the net."""
        assert self.kernel.spectrum is not None  # see quartic_action
        return self.kernel.spectrum

    def overlap_moment(self, field: WavePackets, power: int, *, projected: bool = False) -> Expr:
        r"""Return :math:`\binom{r}{r/2} 2^{-r} \int d^dk\, p(k) A^r |\phi|^r / G_2^r` with r = ``power`` (even)."""
        kernel, half = self.kernel, power // 2
        if kernel.has_cutoff and not projected:
            raise ValueError(
                f"wave packets have momenta beyond the cutoff {kernel.cutoffs} of G2, where no field of this ensemble "
                "has any: their action is infinite. projected=True evaluates the part below the cutoff"
            )
        front = sympy.Rational(comb(power, half), 2 ** (power - 1)) / self.net.readout.moment(2)
        function = self._at(field, self.spectrum.squared_amplitude ** (half - 1) / kernel.expr ** (power - 1))
        packets = field.spectrum_power(half)
        if kernel.variance is None:
            return front * momentum_integral(function, kernel.momenta, kernel.cutoffs, packets)
        s = self._at(field, kernel.variance)
        if (field.narrowest**2 * power - (power - 1) / s).is_nonpositive:
            raise ValueError(
                f"the term with {power} fields is infinite: the field needs |phi(p)|**{power} "
                f"exp({power - 1} p**2/(2 s)) integrable, hence packets of width**2 above {(power - 1) / (power * s)}; "
                f"the narrowest has width**2 = {field.narrowest**2}"
            )
        constant = function.xreplace(dict.fromkeys(kernel.momenta, sympy.S.Zero))
        shifted = [(c, b - (power - 1) / s, shift) for c, b, shift in packets]
        return front * constant * sympy.Add(*map(gaussian_momentum_integral, shifted))

    @cached_property
    def contact_vertex(self) -> ContactVertex:
        r"""The vertex with :math:`v(k) = -\frac{E[z^4]}{4 E[z^2] N} A(k)^2 / G_2(k)^3`."""
        z = self.net.readout
        front = -z.moment(4) / (4 * z.moment(2) * self.net.width)
        return ContactVertex(self.kernel, front * self.spectrum.squared_amplitude / self.kernel.expr**3)

    @property
    def contact_latex(self) -> str:
        """The part of S_4 with |phi|^4."""
        z, square = self.net.readout, self.spectrum.squared_amplitude
        front = sympy.latex(z.moment(4) / (32 * z.moment(2) * self.net.width))
        amplitude = "" if square == 1 else sympy.latex(square.xreplace({symbol("p"): symbol("k")})) + r"\,"
        return rf"- {front} {MEASURE} {amplitude} \frac{{|\phi(k)|^4}}{{G_2(k)^3}}"


@dataclass(frozen=True, repr=False)
class GaussNetAction(QuarticAction):
    r"""The quartic action of the Gauss-net, which exists in position space only.

    .. math:: S_4 = \frac{S_G^2}{2N} - \frac{E[z^4] e^{4 \sigma_{b0}^2}}{24 N}\,
              E_{w \sim \mathcal N(0, s)} \left(\int d^dx\, e^{w \cdot x - s x^2} \psi(x)\right)^4

    It is finite on packets of ``1/(2 s) < width**2 < 3/(2 s)``: narrower ones have an infinite free action, wider ones
    meet the growth of the four-point function away from the origin.
    """

    @property
    def feature(self) -> GaussFeature:
        """The feature."""
        found = gauss_feature(self.net)
        assert found is not None  # see quartic_action
        return found

    def overlap_moment(self, field: WavePackets, power: int, *, projected: bool = False) -> Expr:
        r"""Return :math:`e^{(r^2/2 - r) \sigma_{b0}^2} E_w[(\int e^{w \cdot x - s x^2} \psi)^r]` with r = ``power``."""
        if projected:
            raise ValueError("the Gauss-net has no momentum cutoff to project on: leave out projected")
        s = self._at(field, self.kernel.variance)
        if (2 * s * field.narrowest**2 - 1).is_nonpositive:
            raise ValueError(
                f"the free action is infinite: packets need width**2 above 1/(2 s) = {1 / (2 * s)}, the narrowest has "
                f"{field.narrowest**2}"
            )
        curvatures = [(w**2 - 1 / s) / (2 * s * w**2 - 1) for w in field.widths]
        if (1 - s * power * sympy.Max(*curvatures)).is_nonpositive:
            limit = sympy.Rational(power - 1, power - 2) / s
            raise ValueError(
                f"the term with {power} fields is infinite: packets need width**2 below {limit} because the "
                f"correlators of the Gauss-net grow away from the origin; the widest has {field.widest**2}"
            )
        bias = (sympy.Rational(power**2, 2) - power) * self._at(field, self.feature.bias_variance)
        return sympy.exp(bias) * self._weight_average(field, power, s, curvatures)

    def _weight_average(self, field: WavePackets, power: int, s: Expr, curvatures: list[Expr]) -> Expr:
        # <h_w, psi> of one packet is c exp(a w^2/2 + b.w): no division by the width of psi, which may be imaginary
        d = field.dim
        constant = self._at(field, 1 / self.kernel.expr).xreplace(dict.fromkeys(self.kernel.momenta, sympy.S.Zero))
        fronts, tilts = [], []
        for amplitude, centre, width in zip(field.amplitudes, field.centres, field.widths, strict=True):
            scale = 2 * s * width**2 - 1
            front = constant * amplitude * (2 * sympy.pi * width**2 / scale) ** sympy.Rational(d, 2)
            fronts.append(front * sympy.exp(-s * dot(centre, centre) / scale))
            tilts.append([c / scale for c in centre])
        total = []
        for chosen in product(range(len(fronts)), repeat=power):
            damping = 1 - s * sympy.Add(*(curvatures[i] for i in chosen))
            tilt = [sympy.Add(*(tilts[i][mu] for i in chosen)) for mu in range(d)]
            average = damping ** -sympy.Rational(d, 2) * sympy.exp(s * dot(tilt, tilt) / (2 * damping))
            total.append(sympy.Mul(*(fronts[i] for i in chosen)) * average)
        return sympy.Add(*total)

    @property
    def contact_vertex(self) -> ContactVertex:
        """Refuse: the vertex has no Fourier transform.

        Raises
        ------
        ValueError
            Always; the text gives the eigenvalues of the quadratic form of the four-point function.
        """
        form = gauss_vertex_form(self.net)
        eigenvalues = ", ".join(f"{v} ({m}x)" if m > 1 else f"{v}" for v, m in form.eigenvalues().items())
        raise ValueError(
            "the quartic vertex of the Gauss-net has no momentum-space form: its four-point function is the "
            f"exponential of -x.M.x/2 with eigenvalues {eigenvalues} of M; the negative one, along a common shift of "
            "all points, makes the Fourier integral diverge. Use the position-space form, quartic(field)"
        )

    @property
    def contact_latex(self) -> str:
        """The part of S_4 with the average over weights."""
        front = self.net.readout.moment(4) * sympy.exp(4 * self.feature.bias_variance) / (24 * self.net.width)
        s = sympy.latex(self.kernel.variance)
        return (
            rf"- {sympy.latex(front)}\, \mathbb{{E}}_{{w \sim \mathcal{{N}}(0, {s})}} "
            rf"\left(\int d^dx\, e^{{w \cdot x - {s} x^2}}\, \psi(x)\right)^4, \quad \psi = G_2^{{-1}} \phi"
        )


def quartic_action(net: Architecture) -> QuarticAction:
    """Return the free and the leading quartic action of a net in closed form.

    Parameters
    ----------
    net : Architecture
        The Gauss-net, or a net of plane waves with any even momentum density, with zero-mean fields.

    Returns
    -------
    QuarticAction

    Raises
    ------
    TypeError, ValueError
        As :func:`diagrams.momentum_space.momentum_kernel`, and if the net has an output bias.

    Examples
    --------
    >>> from diagrams.architectures import cos_net
    >>> from diagrams.wave_packets import WavePackets
    >>> action = quartic_action(cos_net().at(sigma_w0=1, sigma_w1=1))
    >>> field = WavePackets([1], centres=[0], widths=[2])
    >>> action.free(field), action.quartic(field).expand()
    (4*sqrt(7)/7, -12*sqrt(13)/(13*N) + 8/(7*N))
    """
    kernel = momentum_kernel(net)
    if kernel.constant != 0:
        raise ValueError(
            f"the output bias of {net} adds a constant to the field, of zero momentum: the action is that of the net "
            "without it (output_bias=False)"
        )
    return GaussNetAction(net, kernel) if kernel.spectrum is None else PlaneWaveAction(net, kernel)
