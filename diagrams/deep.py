r"""Networks with several hidden layers: the recursion of the conditional kernel through next-to-leading order in 1/N.

Given the neurons of layer l - 1, the pre-activations of layer l are Gaussian with the random kernel
:math:`\hat K_{xy} = \sigma_b^2 + (\sigma_w^2/n) \sum_j \sigma(z_j(x)) \sigma(z_j(y))`, so that
:math:`G_2 = E \hat K` and :math:`G_c^{(4)} = \sum_3 \mathrm{Cov}(\hat K_{ab}, \hat K_{cd})`, exactly. With
:math:`B = E[\sigma \sigma]` as a function of the kernel below, its mean ``K + K1/N`` and covariance ``V/N`` obey
(compare arXiv:1910.00019, section 3)

.. math::
   K' &= \sigma_b^2 + \sigma_w^2 B(K), \qquad
   K1' = \sigma_w^2 \Big[ \partial_e B\, K1_e + \tfrac12 \partial_e \partial_f B\, V_{ef} \Big], \\
   V'_{12,34} &= (N/n) \sigma_w^4 \big( E[\sigma_1 \sigma_2 \sigma_3 \sigma_4] - B_{12} B_{34} \big)
     + \sigma_w^4\, \partial_e B_{12}\, \partial_f B_{34}\, V_{ef}

where e and f run over the entries of the kernel at the points concerned, and n is the width below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import sympy

from diagrams._architecture import _check_parameter
from diagrams._gaussian_activations import Activation, Cosine, Erf, Linear, Relu, Smooth
from diagrams.correlators import ConnectedCorrelators, as_point
from diagrams.cumulants import pairings
from diagrams.features import dot
from diagrams.series import Series
from diagrams.symbols import coordinates, output_index, symbol
from diagrams.typing import Expr, Point, PointLike

if TYPE_CHECKING:
    from diagrams.symmetry import SymmetryVerdict

ACTIVATIONS: dict[str, Activation] = {"cos": Cosine(), "erf": Erf(), "linear": Linear(), "relu": Relu()}
_ORDER = ("N", "sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")
Pair = tuple[Point, Point]


@dataclass(frozen=True)
class DeepArchitecture:
    """A fully connected random network with several hidden layers; make one with :func:`deep_net`.

    Parameters
    ----------
    activation : Activation
    name : str
        Its name.
    input_dim : int
    widths : tuple of sympy.Expr
        Widths of the hidden layers in units of N.
    width : sympy.Expr
        N.
    sigma_w0, sigma_w1, sigma_b0, sigma_b1 : sympy.Expr
        Standard deviations: weights of the first layer (times sqrt(input_dim)), of every later layer (times the root of
        the width below), biases of the hidden layers, output bias.
    output_dim : int
        Number of outputs, with independent output weights and biases.
    """

    activation: Activation
    name: str
    input_dim: int
    widths: tuple[Expr, ...]
    width: Expr
    sigma_w0: Expr
    sigma_w1: Expr
    sigma_b0: Expr
    sigma_b1: Expr
    output_dim: int = 1

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths)

    @property
    def N(self) -> Expr:
        """The unit of width, symbolic until :meth:`at` gives it a number."""
        return self.width

    @property
    def is_even(self) -> bool:
        """True: the output weights have zero mean."""
        return True

    @property
    def is_dimension_explicit(self) -> bool:
        """True: correlators are functions of the ``input_dim`` coordinates of their points."""
        return True

    def _parameters(self) -> tuple[Expr, ...]:
        return self.width, self.sigma_w0, self.sigma_w1, self.sigma_b0, self.sigma_b1

    def at(self, **values: Any) -> DeepArchitecture:
        """Return the network with numbers (or expressions) for some of its parameters; see :meth:`Architecture.at`."""
        free = set().union(*(p.free_symbols for p in self._parameters()))
        known = {s.name: s for s in sorted(free, key=lambda s: _ORDER.index(s.name) if s.name in _ORDER else 99)}
        checked = {n: _check_parameter(n, v, list(known)) for n, v in values.items()}
        numbers = {known[n]: v for n, v in checked.items()}
        names = ("width", "sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")
        return replace(self, **{k: p.xreplace(numbers) for k, p in zip(names, self._parameters(), strict=True)})

    def parameter_values(self) -> dict[str, float]:
        """Return all parameters as floats.

        Raises
        ------
        ValueError
            If a parameter is still symbolic, or a layer has no whole number of neurons.
        """
        names = ("N", *_ORDER[1:])
        numbers = dict(zip(names, self._parameters(), strict=True))
        if missing := sorted({s.name for v in numbers.values() for s in v.free_symbols}):
            given = ", ".join(f"{name}=..." for name in missing)
            raise ValueError(f"parameter(s) {missing} of {self} have no numbers: use net.at({given})")
        self.layer_widths()
        return {name: float(value) for name, value in numbers.items()}

    def layer_widths(self) -> tuple[int, ...]:
        """Return the numbers of inputs, of neurons of each hidden layer, and of outputs.

        Raises
        ------
        ValueError
            If one of them is no positive integer.
        """
        hidden = [ratio * self.width for ratio in self.widths]
        if wrong := [n for n in hidden if not (n.is_Integer and n > 0)]:
            raise ValueError(f"a hidden layer of {self} has {wrong[0]} neurons, not a positive integer: choose N")
        return (self.input_dim, *map(int, hidden), self.output_dim)

    def symmetry(self, group: Any, *, acting_on: str | None = None) -> SymmetryVerdict:
        """Return whether all n-point functions are invariant under a group, with the steps of the proof.

        Parameters
        ----------
        group : Group
        acting_on : str, optional
            ``"inputs"``, ``"outputs"``, or the units of a hidden layer: ``"layer 1"``, ``"layer 2"``, ... Default as
            for :meth:`diagrams.Architecture.symmetry`.

        Examples
        --------
        >>> from diagrams.groups import Orthogonal, Permutation
        >>> net = deep_net(activation="relu", depth=2, input_dim=3, output_dim=2)
        >>> net.symmetry(Orthogonal(3), acting_on="inputs").holds, net.symmetry(Orthogonal(2)).holds
        (True, True)
        >>> net.symmetry(Permutation(5), acting_on="layer 1").effect
        'none'
        """
        from diagrams._deep_symmetry import prove_deep_symmetry

        return prove_deep_symmetry(self, group, acting_on)

    def limiting_tangent_kernel(self, x: PointLike, y: PointLike) -> Expr:
        r"""Return the neural tangent kernel at infinite width, parameters counted with their variances.

        .. math:: \Theta^{(1)} = K^{(1)}, \qquad
                  \Theta^{(l+1)} = K^{(l+1)} + \sigma_{w1}^2 E[\sigma'(z) \sigma'(z')]\, \Theta^{(l)}

        (Jacot, Gabriel and Hongler, arXiv:1806.07572), for equal outputs; zero for different ones. Phases, which have
        no variance of a Gaussian, count with one: it is added to K of the hidden layers of cosines.
        """
        pair = (as_point(x, self.input_dim), as_point(y, self.input_dim))
        phase, theta = int(isinstance(self.activation, Cosine)), sympy.S.Zero
        for layer in range(1, self.depth + 2):
            passed = self.sigma_w1**2 * _slope_average(self, layer - 1, pair) * theta if layer > 1 else theta
            theta = _kernel(self, layer, pair) + (phase if layer <= self.depth else 0) + passed
        return theta

    def correlator_series(self, n: int) -> Series:
        """Return the connected correlator of up to four points as a Series in 1/N with its remainder.

        The 2-point function is given through 1/N, the 4-point function at order 1/N, its leading one. With several
        outputs it contains ``KroneckerDelta(a_i, a_j)`` in the output indices.

        Raises
        ------
        NotImplementedError
            For more than four points.
        """
        parameters = (1 / symbol("N"),)
        if n % 2:
            return Series(parameters, ())
        points = tuple(coordinates(i + 1, self.input_dim) for i in range(n))
        outputs = [output_index(i + 1) for i in range(n)] if self.output_dim > 1 else None
        terms = tuple(((order,), term) for order, term in self.orders(points, outputs).items())
        return Series(parameters, terms, None if self.depth == 1 else (2,))

    def orders(self, points: Sequence[PointLike], outputs: Sequence[Any] | None = None) -> dict[int, Expr]:
        """Return the coefficients of the powers of 1/N of the connected correlator at two or four points.

        Points given here may coincide for every activation; a ReLU correlator of general points has a removable
        singularity there.

        Parameters
        ----------
        points : sequence of points
        outputs : sequence of int or output indices, optional
            The output of each point; default the same one. Given the hidden layers, outputs are independent.

        Raises
        ------
        NotImplementedError
            For other numbers of points.
        """
        x, top = tuple(as_point(p, self.input_dim) for p in points), self.depth + 1
        labels = [0] * len(x) if outputs is None else list(outputs)
        if len(x) == 2:
            same = sympy.KroneckerDelta(*labels)
            return {0: same * _kernel(self, top, x), 1: same * _correction(self, top, x)}
        if len(x) == 4:
            terms = []
            for (a, b), (c, d) in pairings(range(4)):
                same = sympy.KroneckerDelta(labels[a], labels[b]) * sympy.KroneckerDelta(labels[c], labels[d])
                if same != 0:
                    terms.append(same * _covariance(self, top, (x[a], x[b]), (x[c], x[d])))
            return {1: sympy.Add(*terms)}
        raise NotImplementedError(
            f"the recursion in 1/N is implemented for 2 and 4 points, got {len(x)}; for more, sample the network"
        )

    def connected_correlators(self, *, max_points: int = 4) -> ConnectedCorrelators:
        """Return the connected correlators up to ``max_points`` (at most 4) points, to the orders of the recursion."""
        return ConnectedCorrelators(self, max_points=max_points)

    def to_latex(self) -> str:
        """Return the layers and the densities in LaTeX."""
        first, bias = ("", "") if self.sigma_b0 == 0 else (" + b^{(1)}_i", r" + b^{(\ell)}_i")
        inner = self.activation.latex(r"z^{(\ell - 1)}_j(x)")
        wide = ", ".join(sympy.latex(r * self.width) for r in self.widths)
        s0, s1 = (sympy.latex(s**2) for s in (self.sigma_w0, self.sigma_w1))
        index = "" if self.output_dim == 1 else "_a"
        top = rf"\phi{index} = z^{{({self.depth + 1})}}"
        lines = [
            rf"z^{{(1)}}_i(x) = \textstyle\sum_j W^{{(1)}}_{{ij}} x_j{first}",
            rf"z^{{(\ell)}}_i(x) = \textstyle\sum_j W^{{(\ell)}}_{{ij}}\, {inner}{bias},\quad {top}",
            rf"W^{{(1)}} \sim \mathcal{{N}}\!\left(0, {s0}/{self.input_dim}\right),\quad "
            rf"W^{{(\ell)}} \sim \mathcal{{N}}\!\left(0, {s1}/n_{{\ell - 1}}\right),\quad n = ({wide})",
        ]
        return r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        outputs = "" if self.output_dim == 1 else f", output_dim={self.output_dim}"
        return f"deep_net(activation={self.name!r}, depth={self.depth}, input_dim={self.input_dim}{outputs})"


def _bias(net: DeepArchitecture, layer: int) -> Expr:
    return (net.sigma_b1 if layer == net.depth + 1 else net.sigma_b0) ** 2


def _matrix(net: DeepArchitecture, layer: int, points: Sequence[Point]) -> list[list[Expr]]:
    return [[_kernel(net, layer, (x, y)) for y in points] for x in points]


@cache
def _sorted(pair: Pair) -> Pair:
    keys = [sympy.default_sort_key(sympy.Tuple(*x)) for x in pair]
    return pair if keys[0] <= keys[1] else pair[::-1]


def _kernel(net: DeepArchitecture, layer: int, pair: Pair) -> Expr:
    """Return the leading kernel of the pre-activations of a layer (1 is the first)."""
    return _ordered_kernel(net, layer, _sorted(pair))


@cache
def _ordered_kernel(net: DeepArchitecture, layer: int, pair: Pair) -> Expr:
    if layer == 1:
        return _bias(net, 1) + net.sigma_w0**2 / net.input_dim * dot(*pair)
    return _bias(net, layer) + net.sigma_w1**2 * _pair_average(net, layer - 1, pair)


@cache
def _pair_average(net: DeepArchitecture, layer: int, pair: Pair) -> Expr:
    if pair[0] == pair[1] and isinstance(net.activation, Relu):
        return _kernel(net, layer, pair) / 2
    return net.activation.average((0, 0), _matrix(net, layer, pair))


def _slope_average(net: DeepArchitecture, layer: int, pair: Pair) -> Expr:
    """Return E[sigma'(z_x) sigma'(z_y)] for the pre-activations of a layer."""
    if pair[0] == pair[1] and isinstance(net.activation, Relu):
        return sympy.S.Half
    return net.activation.average((1, 1), _matrix(net, layer, pair))


@cache
def _slopes(net: DeepArchitecture, layer: int, pair: Pair) -> list[tuple[Pair, Expr]]:
    """Return the entries of the kernel below that E[sigma sigma] depends on, with the derivatives."""
    x, y = pair
    if x == y:
        return [(pair, net.activation.coincident(_kernel(net, layer, pair))[0])]
    return list(zip(_entries(pair), net.activation.slopes(_matrix(net, layer, pair)), strict=True))


def _entries(pair: Pair) -> list[Pair]:
    x, y = pair
    return [(x, x)] if x == y else [(x, x), (y, y), (x, y)]


@cache
def _covariance(net: DeepArchitecture, layer: int, first: Pair, second: Pair) -> Expr:
    """Return N times the covariance of two entries of the conditional kernel of a layer, at leading order."""
    if layer == 1:
        return sympy.S.Zero
    first, second = _sorted(first), _sorted(second)
    below = layer - 1
    four = net.activation.average((0, 0, 0, 0), _matrix(net, below, (*first, *second)))
    pairs = _pair_average(net, below, first) * _pair_average(net, below, second)
    passed = [
        f * g * _covariance(net, below, e, d)
        for e, f in _slopes(net, below, first)
        for d, g in _slopes(net, below, second)
    ]
    return net.sigma_w1**4 * ((four - pairs) / net.widths[below - 1] + sympy.Add(*passed))


@cache
def _correction(net: DeepArchitecture, layer: int, pair: Pair) -> Expr:
    """Return N times the correction of order 1/N to the kernel of a layer."""
    if layer == 1:
        return sympy.S.Zero
    pair, below = _sorted(pair), layer - 1
    terms = [f * _correction(net, below, e) for e, f in _slopes(net, below, pair)]
    entries = _entries(pair)
    covariances = [[_covariance(net, below, e, d) for d in entries] for e in entries]
    if any(v != 0 for row in covariances for v in row):
        if len(entries) == 1:
            curvatures = [[net.activation.coincident(_kernel(net, below, pair))[1]]]
        else:
            curvatures = net.activation.curvatures(_matrix(net, below, pair))
        terms += [
            c * v / 2 for cs, vs in zip(curvatures, covariances, strict=True) for c, v in zip(cs, vs, strict=True)
        ]
    return net.sigma_w1**2 * sympy.Add(*terms)


def deep_net(
    *,
    activation: str | Expr,
    depth: int,
    input_dim: int = 1,
    widths: Sequence[Expr] | None = None,
    hidden_bias: bool = False,
    output_bias: bool = False,
    output_dim: int = 1,
) -> DeepArchitecture:
    """Return a fully connected network with ``depth`` hidden layers.

    Weights of the first layer are ``N(0, sigma_w0**2/d)``, of the later ones ``N(0, sigma_w1**2/n)`` with n the width
    below. Its 2-point function is known through 1/N and its connected 4-point function at order 1/N, by the recursion
    of the conditional kernel; with one hidden layer both are exact.

    Parameters
    ----------
    activation : {"cos", "erf", "linear", "relu"} or sympy.Expr
        ``"cos"`` has a phase uniform on (-pi, pi) in every neuron; an expression in ``symbol("z")`` is a smooth
        activation of your own, averaged by quadrature.
    depth : int
        Number of hidden layers.
    input_dim : int
    widths : sequence, optional
        Width of every hidden layer in units of N; default all one.
    hidden_bias, output_bias : bool
        Gaussian biases of standard deviation ``sigma_b0`` in the hidden layers, ``sigma_b1`` at the output.
    output_dim : int
        Number of outputs.

    Returns
    -------
    DeepArchitecture

    Raises
    ------
    ValueError
        If ``depth``, ``input_dim`` or ``output_dim`` is not a positive integer, the widths do not match the depth, or
        the activation is unknown.

    Examples
    --------
    >>> net = deep_net(activation="linear", depth=2).at(sigma_w0=1, sigma_w1=1)
    >>> net.connected_correlators(max_points=4)[4](1, 1, 1, 1)
    12/N
    """
    for name, value in (("depth", depth), ("input_dim", input_dim), ("output_dim", output_dim)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    given = (1,) * depth if widths is None else tuple(widths)
    if len(given) != depth or any(sympy.sympify(r).is_nonpositive for r in given):
        raise ValueError(f"widths must be {depth} positive numbers, one for each hidden layer, got {widths!r}")
    chosen, name = _activation(activation)
    sigma = [symbol(s) for s in ("sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")]
    biases = [s if wanted else sympy.S.Zero for s, wanted in zip(sigma[2:], (hidden_bias, output_bias), strict=True)]
    ratios = tuple(sympy.sympify(r) for r in given)
    s0, s1, b0, b1 = *sigma[:2], *biases
    return DeepArchitecture(chosen, name, input_dim, ratios, symbol("N"), s0, s1, b0, b1, output_dim)


def _activation(activation: str | Expr) -> tuple[Activation, str]:
    if isinstance(activation, sympy.Expr) and activation.free_symbols == {symbol("z")}:
        return Smooth(activation), str(activation)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(map(repr, ACTIVATIONS))} or an expression in symbol('z'), "
            f"got {activation!r}"
        )
    return ACTIVATIONS[activation], activation
