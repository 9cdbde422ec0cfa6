r"""Effective field theory of networks: the Gaussian process limit, local couplings, and how they run with a cutoff.

.. math:: S = S_{GP} + \int_{|y_j| < \Lambda} d^dy\, [\lambda f(y)^4 + \kappa f(y)^6 + \ldots]

The two-point function K of the limit is exact at every width, so couplings follow from the connected correlators
(arXiv:2008.08601, sections 3 and 4; the sign is that of the action above):

.. math:: \lambda(x_1 \ldots x_4) = -\frac{G_c^{(4)}(x_1 \ldots x_4)}{24 \int d^dy \prod_i K_W(x_i, y)},

where :math:`K_W` is K without the constant of the output bias, which meets no vertex. The coupling of n fields is
defined alike with n! and the n-point function; exchange diagrams of order :math:`\lambda^2` in it are left out, as the
paper does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.beta_functions import BetaFunction, BetaFunctions
from diagrams.box_integrals import DivergentIntegralError, box_integral, homogeneous_degree, unevaluated
from diagrams.correlators import as_point
from diagrams.cumulants import moment_from_cumulants, pairings
from diagrams.growth import GrowthError, growth_exponent
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr, Point, PointLike

NAMES = {4: "lambda", 6: "kappa"}


@dataclass(frozen=True, repr=False)
class EffectiveTheory:
    """Local effective theory of an ensemble of networks; make one with ``net.eft()``.

    Parameters
    ----------
    net : Architecture
        One output, odd correlators zero.
    max_fields : int
        Highest power of the field, even, at least 4.

    Raises
    ------
    ValueError
        If the net or ``max_fields`` is not as above.
    """

    net: Architecture
    max_fields: int = 6

    def __post_init__(self) -> None:
        n = self.max_fields
        if isinstance(n, bool) or not isinstance(n, int) or n < 4 or n % 2:
            raise ValueError(f"max_fields must be an even integer, at least 4, got {n!r}")
        if self.net.output_dim != 1:
            raise ValueError(f"the effective theory is that of one output; {self.net} has {self.net.output_dim}")
        if not self.net.is_even:
            raise ValueError(
                f"the effective theory has even couplings only; odd correlators of {self.net} do not vanish"
            )
        if not self.net.is_dimension_explicit:
            raise ValueError("the effective theory integrates over coordinates: give input_dim a number")

    @property
    def input_dim(self) -> int:
        """Dimension d of the space of inputs."""
        return self.net.input_dim

    @property
    def powers(self) -> tuple[int, ...]:
        """Powers of the field that have a coupling, 4, 6, ..."""
        return tuple(range(4, self.max_fields + 1, 2))

    @cached_property
    def _two_point(self) -> Any:
        return self.net.connected_correlators(max_points=2)[2]

    @property
    def arguments(self) -> tuple[Point, Point]:
        """Symbols of the two points in :attr:`kernel` and :attr:`weight_kernel`."""
        x, y = self._two_point.points
        return x, y

    @property
    def kernel(self) -> Expr:
        """Two-point function K(x_1, x_2), that of the Gaussian process and of every width."""
        return self._two_point.expr

    @property
    def weight_kernel(self) -> Expr:
        """K_W, the kernel without the constant of the output bias."""
        return self.kernel - self.net.sigma_b1**2

    def gp_correlator(self, n: int, *points: PointLike) -> Expr:
        """Return the full n-point function of the Gaussian process, the sum over pairings (zero for odd n).

        Parameters
        ----------
        n : int
        *points
            n of them; default symbols ``x_1 ... x_n``.
        """
        x = self._points(n, points)
        return sympy.Add(*(sympy.Mul(*(self._at(self.kernel, x[a], x[b]) for a, b in p)) for p in pairings(range(n))))

    def full_correlator(self, n: int, *points: PointLike) -> Expr:
        """Return the full n-point function of the networks, exact in N. Parameters as for :meth:`gp_correlator`."""
        x = self._points(n, points)
        found = self.net.connected_correlators(max_points=max(n, 1))
        return moment_from_cumulants(range(n), lambda block: found[len(block)](*(x[i] for i in block)), even=True)

    def deviation(self, n: int, *points: PointLike) -> Expr:
        """Return ``(G - G_GP) / G_GP`` of the full n-point function, exact in N.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> eft = relu_net(hidden_bias=False).eft()
        >>> eft.deviation(4, 1, 2, 1, 3), eft.deviation(6, 1, 1, 2, 1, 1, 1)
        (5/N, 15/N + 44/N**2)
        """
        limit = self.gp_correlator(n, *points)
        return sympy.expand(sympy.simplify((self.full_correlator(n, *points) - limit) / limit))

    def vertex_integral(self, n: int, *points: PointLike, cutoff: Any = "Lambda") -> Expr:
        """Return the integral of ``prod_i K_W(x_i, y)`` over the box ``-cutoff < y_j < cutoff``.

        Parameters
        ----------
        n : int
            Number of kernels.
        *points
            n of them; default symbols.
        cutoff : str, number or sympy expression
            ``oo`` for all of space.

        Returns
        -------
        sympy.Expr
            A closed form, or an unevaluated ``Integral`` (for its numbers :func:`numerics.vertex_integrals`).

        Raises
        ------
        DivergentIntegralError
            If the cutoff is infinite and the integral diverges.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> relu_net(hidden_bias=False).eft().vertex_integral(4, 1, 1, 1, 1)
        Lambda**5*sigma_w0**8*sigma_w1**8/80
        """
        length = _cutoff(cutoff)
        if length == sympy.oo:
            self.check_converges(n)
        y = coordinates(0, self.input_dim)
        factors = [self._at(self.weight_kernel, x, y) for x in self._points(n, points)]
        closed = box_integral(factors, y, length)
        return unevaluated(factors, y, length) if closed is None else closed

    def check_converges(self, n: int) -> None:
        """Raise an error if the integral of n kernels over all of space diverges.

        Raises
        ------
        DivergentIntegralError
        """
        power = self.input_dim + n * self.growth
        if power >= 0:
            how = "log(Lambda)" if power == 0 else f"Lambda**{power}"
            raise DivergentIntegralError(
                f"the integral of {n} kernels of {self.net} over all of space diverges like {how}: each kernel goes "
                f"like |y|**{self.growth} far out. Give a finite cutoff"
            )

    @cached_property
    def growth(self) -> Expr:
        """Exponent p of ``K_W(x, y) ~ |y|**p`` far out, derived from the kernel; ``-oo`` if it falls off faster.

        Raises
        ------
        GrowthError
            If it cannot be derived. For kernels known by their momenta see :func:`diagrams.momentum_shell_flow`.
        """
        try:
            return growth_exponent(self.weight_kernel, *self.arguments)
        except GrowthError as error:
            raise GrowthError(
                f"{error}. For a kernel with a cutoff in momentum space, momentum_shell_flow(theory) has the flow"
            ) from None

    @cached_property
    def is_homogeneous(self) -> bool:
        """True if K_W is a homogeneous function of y, so that couplings are exact powers of the cutoff."""
        return homogeneous_degree(self.weight_kernel, self.arguments[1]) is not None

    def coupling(self, n: int, *points: PointLike, cutoff: Any = "Lambda") -> Expr:
        r"""Return the coupling of f^n at n points, :math:`-G_c^{(n)} / (n! \int \prod K_W)`, exact in N.

        Parameters as for :meth:`vertex_integral`.

        Raises
        ------
        ValueError
            If n is not one of :attr:`powers`.
        DivergentIntegralError
            As :meth:`vertex_integral`.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> relu_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1).eft().coupling(4, 1, 2, 1, 3)
        -25/(2*Lambda**5*N)
        """
        if n not in self.powers:
            raise ValueError(f"this effective theory has couplings of {self.powers} fields, not of {n!r}")
        x = self._points(n, points)
        connected = self.net.connected_correlators(max_points=n)[n](*x)
        return sympy.factor_terms(-connected / (factorial(n) * self.vertex_integral(n, *x, cutoff=cutoff)))

    def beta_functions(self, cutoff: Any = "Lambda") -> BetaFunctions:
        r"""Return how the couplings run with the cutoff, :math:`\beta(g) = dg / d\log\Lambda`.

        Measured correlators do not depend on the cutoff, so :math:`\beta = -g\, d\log I / d\log\Lambda` with the vertex
        integral I. With K ~ \|y\|^p far out it is :math:`-(d + n p) g` for the coupling of n fields.

        Parameters
        ----------
        cutoff : str or sympy.Symbol
            Name of the cutoff.

        Returns
        -------
        BetaFunctions

        Raises
        ------
        ValueError
            If the cutoff is not a symbol; an infinite one for a kernel whose vertex integrals diverge.
        GrowthError
            If the growth of the kernel cannot be derived.

        Examples
        --------
        >>> from diagrams.architectures import gauss_net, relu_net
        >>> relu_net(input_dim=3, hidden_bias=False).eft().beta_functions(cutoff="Lambda")[4].leading
        -7*lambda
        >>> gauss_net().eft().beta_functions()[4].leading
        0
        """
        length = _cutoff(cutoff)
        if length == sympy.oo:
            self.check_converges(4)
        if not length.is_Symbol:
            raise ValueError(f"beta functions are derivatives with respect to the cutoff: give a name, got {cutoff!r}")
        return BetaFunctions(tuple(self._beta(n, length) for n in self.powers), str(self.net))

    def _beta(self, n: int, cutoff: sympy.Symbol) -> BetaFunction:
        g = symbol(NAMES.get(n, f"g_{n}"))
        exponent = self.input_dim + n * self.growth
        if self.is_homogeneous:
            exact = -exponent * g
        else:
            integral = self.vertex_integral(n, cutoff=cutoff)
            slope = cutoff * sympy.diff(integral, cutoff) / integral
            exact = None if integral.has(sympy.Integral) else -g * slope
        return BetaFunction(n, g, cutoff, self.input_dim, self.growth, exact)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about the vertex integrals."""
        notes = []
        if self.net.sigma_b1 != 0:
            notes.append("legs of vertices are K without sigma_b1**2, which the output bias adds to K only")
        if self.vertex_integral(4).has(sympy.Integral):
            biased = ": it has a hidden bias" if _has_bias(self.net) else ""
            notes.append(f"no closed form for the vertex integrals of this net{biased}; numbers come from cubature")
        return tuple(notes)

    def to_latex(self) -> str:
        """Return the action in LaTeX."""
        terms = " + ".join(rf"{sympy.latex(symbol(NAMES.get(n, f'g_{n}')))}\, f(y)^{{{n}}}" for n in self.powers)
        measure = "dy" if self.input_dim == 1 else f"d^{{{self.input_dim}}}y"
        x, y = self.arguments
        left = rf"K({_point_latex(x)}; {_point_latex(y)})"
        lines = [
            rf"S[f] ={{}} & S_{{\mathrm{{GP}}}}[f] + \int_{{|y_j| < \Lambda}} {measure}\, \left[{terms}\right]",
            rf"{left} ={{}} & {sympy.latex(self.kernel)}",
        ]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        terms = " + ".join(f"{NAMES.get(n, f'g_{n}')} f^{n}" for n in self.powers)
        text = f"S[f] = S_GP[f] + ∫_box d^{self.input_dim}y [ {terms} ], networks {self.net}"
        return "\n".join([text, *(f"Note: {note}." for note in self.notes)])

    def __repr__(self) -> str:
        return f"<EffectiveTheory: {self.net}, couplings of {', '.join(map(str, self.powers))} fields>"

    def _points(self, n: int, points: Sequence[PointLike]) -> list[Point]:
        if not points:
            return [coordinates(i + 1, self.input_dim) for i in range(n)]
        if len(points) != n:
            raise TypeError(f"{n} points are needed, got {len(points)}")
        return [as_point(p, self.input_dim) for p in points]

    def _at(self, kernel: Expr, a: Point, b: Point) -> Expr:
        x, y = self.arguments
        return kernel.xreplace(dict(zip((*x, *y), (*a, *b), strict=True)))


def _cutoff(value: Any) -> Expr:
    """Return the cutoff: a positive symbol for a name, a positive number, or infinity."""
    if isinstance(value, str) and value != "oo":
        return sympy.Symbol(value, positive=True)
    length = sympy.sympify(value)
    if not isinstance(length, sympy.Expr) or not (length.is_positive or length == sympy.oo):
        raise ValueError(f"the cutoff must be a name, a positive number or oo, got {value!r}")
    return length


def _has_bias(net: Architecture) -> bool:
    return symbol("sigma_b0") in net.feature.free_symbols or dict(net.values).get("sigma_b0", 0) != 0


def _point_latex(point: Point) -> str:
    return ", ".join(map(sympy.latex, point))
