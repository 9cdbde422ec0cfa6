r"""The neural tangent kernel at initialisation, averaged over the ensemble, exact at every width.

.. math:: \Theta_{ab}(x, y) = \sum_\theta s_\theta\, \partial_\theta f_a(x)\, \partial_\theta f_b(y)

(Jacot, Gabriel and Hongler, arXiv:1806.07572). In the ``"standard"`` parametrisation, that of arXiv:2106.00694, every
parameter counts with s = 1 and the kernel grows with the width; in the ``"ntk"`` parametrisation, where Gaussian
parameters are standard normals times their standard deviation, s is their variance and the kernel has a limit. Neurons
are independent, so that the average is that of one neuron times their number:

.. math:: E\,\Theta_{ab} = \delta_{ab} \bigl(s_W N\, E[h h'] + s_b\bigr)
          + E[z_a z_b] \sum_k s_k\, E[\partial_k h\, \partial_k h'], \qquad z = \sqrt N W^1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.activations import ErfFeature, ReluFeature, erf_pair_average
from diagrams.correlators import as_point
from diagrams.custom_feature import CustomFeature
from diagrams.distributions import Distribution, Gaussian
from diagrams.features import LinearInputFeature
from diagrams.half_spaces import half_space_probability
from diagrams.latex import equation_lines
from diagrams.scalar_feature import ScalarFeature
from diagrams.symbols import coordinates
from diagrams.typing import Expr, Point, PointLike

PARAMETRISATIONS = ("standard", "ntk")


@dataclass(frozen=True, repr=False)
class TangentKernel:
    """The averaged tangent kernel of an ensemble; make one with ``net.tangent_kernel()``.

    Parameters
    ----------
    net : Architecture
    parametrisation : {"standard", "ntk"}

    Raises
    ------
    ValueError
        For an unknown parametrisation, or a net with a symbolic dimension of inputs.
    """

    net: Architecture
    parametrisation: str = "standard"

    def __post_init__(self) -> None:
        if self.parametrisation not in PARAMETRISATIONS:
            raise ValueError(f"parametrisation must be 'standard' or 'ntk', got {self.parametrisation!r}")
        if not self.net.is_dimension_explicit:
            raise ValueError("derivatives are with respect to components: give input_dim a number")

    def scale(self, law: Distribution | None) -> Expr:
        """Return s of parameters with a density; one for densities that are not Gaussian."""
        if self.parametrisation == "standard" or not isinstance(law, Gaussian):
            return sympy.S.One
        return law.cumulant(2)

    @property
    def readout_scale(self) -> Expr:
        """s of the output weights: one, or their variance, which is of order 1/N."""
        return self.scale(self.net.readout) / (self.net.width if self.parametrisation == "ntk" else 1)

    @property
    def bias_scale(self) -> Expr:
        """s of the output bias; zero without one."""
        variance = self.net.sigma_b1**2
        return variance if self.parametrisation == "ntk" or variance == 0 else sympy.S.One

    def derivatives(self, point: Point) -> list[tuple[Expr, Expr]]:
        """Return pairs of s and the derivative of the feature, for every hidden parameter that is not fixed."""
        feature = self.net.feature
        h, found = feature.expression(point), []
        for block, law in feature.distributions:
            if law.cumulant(2) != 0:
                found += [(self.scale(law), sympy.diff(h, s)) for s in block]
        return found

    def hidden_part(self, x: PointLike, y: PointLike) -> Expr:
        """Return ``sum_k s_k E[d_k h(x) d_k h(y)]``.

        Raises
        ------
        NotImplementedError
            For the scalar net.
        """
        a, b = (as_point(p, self.net.input_dim) for p in (x, y))
        feature = self.net.feature
        if isinstance(feature, ScalarFeature):
            raise NotImplementedError("the tangent kernel is not known where the amplitude depends on momenta")
        if isinstance(feature, (ReluFeature, ErfFeature)):
            inner = _bias_scale(self, feature) + self.scale(feature.weights) * sympy.Add(
                *(u * v for u, v in zip(a, b, strict=True))
            )
            return inner * _slopes(feature, a, b)
        place = coordinates(0, self.net.input_dim)
        total = []
        for s, slope in self.derivatives(place):
            if slope.free_symbols & set(feature.parameters):
                average = CustomFeature(slope, feature.distributions, place).expected_product([a, b])
            else:
                average = sympy.Mul(*(slope.xreplace(dict(zip(place, p, strict=True))) for p in (a, b)))
            total.append(s * average)
        return sympy.signsimp(sympy.Add(*total))

    def mean(self, x: PointLike, y: PointLike, *, output: int = 0) -> Expr:
        """Return the average for one output, exact in N.

        Parameters
        ----------
        x, y : points
        output : int
            Which one, where the means of their weights differ.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> net = relu_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1)
        >>> net.tangent_kernel().mean(1, 2), net.tangent_kernel("ntk").mean(1, 2)
        (N + 1, 2)
        """
        return self.readout_part(x, y) + self.net.readout_of(output).moment(2) * self.hidden_part(x, y)

    def mixed_mean(self, x: PointLike, y: PointLike, *, outputs: tuple[int, int] = (0, 1)) -> Expr:
        """Return the average for two different outputs: zero unless both output weights have a mean."""
        a, b = (self.net.readout_of(i).moment(1) for i in outputs)
        return sympy.S.Zero if a * b == 0 else a * b * self.hidden_part(x, y)

    def readout_part(self, x: PointLike, y: PointLike) -> Expr:
        """Return what derivatives with respect to output weights and biases give: ``s_W N E[h h'] + s_b``."""
        pair = self.net.feature.expected_product([as_point(p, self.net.input_dim) for p in (x, y)])
        return self.readout_scale * self.net.width * pair + self.bias_scale

    @property
    def expr(self) -> Expr:
        """The average for one output at ``x_1`` and ``x_2``."""
        return self.mean(*(coordinates(i, self.net.input_dim) for i in (1, 2)))

    @property
    def head(self) -> str:
        """The left-hand side in LaTeX."""
        points = "; ".join(", ".join(map(sympy.latex, coordinates(i, self.net.input_dim))) for i in (1, 2))
        delta = "" if self.net.output_dim == 1 else r"_{aa}"
        return rf"\mathbb{{E}}\,\Theta{delta}({points})"

    def to_latex(self) -> str:
        """Return the average in LaTeX."""
        return f"{self.head} = {sympy.latex(self.expr)}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        return f"E Theta of {self.net} ({self.parametrisation} parametrisation) = {self.expr}"

    __repr__ = __str__


@equation_lines.register(TangentKernel)
def _(obj: TangentKernel, terms_per_line: int) -> list[str]:
    first, *others = equation_lines(obj.expr, terms_per_line)
    return [f"{obj.head} ={{}} {first}", *others]


def _bias_scale(kernel: TangentKernel, feature: LinearInputFeature) -> Expr:
    fixed = feature.bias is None or feature.bias.variance == 0
    return sympy.S.Zero if fixed else kernel.scale(feature.bias)


def _slopes(feature: Any, x: Point, y: Point) -> Expr:
    """Return E[sigma'(z_x) sigma'(z_y)] in closed form for ReLU and the error function."""
    if isinstance(feature, ErfFeature):
        return erf_pair_average((1, 1), *(feature.covariance(*pair) for pair in ((x, x), (y, y), (x, y))))
    kept = [j for j, v in enumerate(feature.variances()) if v != 0]
    scales = [sympy.sqrt(feature.variances()[j]) for j in kept]
    if not kept:
        return sympy.S.Zero
    rows = [[s * (*p, sympy.S.One)[j] for s, j in zip(scales, kept, strict=True)] for p in (x, y)]
    return half_space_probability(*rows)
