"""Architecture: a random network with one hidden layer, and the correlators that its densities imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import sympy

from diagrams.correlators import ConnectedCorrelators, as_point
from diagrams.cumulants import cumulant_from_moments, set_partitions
from diagrams.distributions import Distribution, Gaussian
from diagrams.features import Feature, bias_symbol, monomials, weight_symbols
from diagrams.series import Series
from diagrams.symbols import coordinates, output_index, symbol
from diagrams.typing import Expr, Point, PointLike

if TYPE_CHECKING:
    from diagrams.eft import EffectiveTheory
    from diagrams.independence import IndependentSum, TiltedArchitecture
    from diagrams.symmetry import SymmetryVerdict
    from diagrams.tangent_kernel import TangentKernel

PARAMETERS = ("N", "sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")


@dataclass(frozen=True)
class Architecture:
    r"""A one-hidden-layer random network :math:`\phi(x) = \sum_{i=1}^N W^1_i h(x; \theta_i) + b^1`.

    The neurons are independent and identically distributed and :math:`\sqrt N W^1_i` has a density that does not
    depend on N, so every connected correlator is known exactly in N:
    :math:`G_c^{(n)} = N^{1 - n/2} \kappa_n[z h]` with :math:`z = \sqrt N W^1` (arXiv:2307.03223, section 2.2). A mean
    of the output weights is therefore of order :math:`N^{-1/2}` for one weight, :math:`N^{1/2}` for the output.

    Make one with a constructor such as :func:`cos_net`; :meth:`at` gives parameters numbers.

    Parameters
    ----------
    feature : Feature
        Hidden feature with the density of its parameters.
    input_dim : int
        Number of components of a point x.
    width : sympy.Expr
        Number of neurons.
    readout : Distribution
        Density of sqrt(N) times an output weight.
    sigma_b1 : sympy.Expr
        Standard deviation of the Gaussian output bias, zero for none.
    output_dim : int
        Number of outputs; output weights and biases of different outputs are independent, the hidden neurons shared.
    values : tuple of (name, value)
        Parameters that were given numbers.
    means : tuple of sympy.Expr
        Means of sqrt(N) times the output weights of each output, where they differ (Gaussian weights of several
        outputs only; ``readout`` then has none). Empty if all outputs have the density ``readout``.
    """

    feature: Feature
    input_dim: int
    width: Expr
    readout: Distribution
    sigma_b1: Expr
    output_dim: int = 1
    values: tuple[tuple[str, Expr], ...] = ()
    means: tuple[Expr, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.output_dim, bool) or not isinstance(self.output_dim, int) or self.output_dim < 1:
            raise ValueError(f"output_dim must be a positive integer, got {self.output_dim!r}")
        if self.means and (len(self.means) != self.output_dim or not isinstance(self.readout, Gaussian)):
            raise ValueError(
                f"means are those of Gaussian output weights, one for each of {self.output_dim} outputs; got "
                f"{self.means} with the density {self.readout}"
            )

    @property
    def name(self) -> str:
        """Name of the feature, for example ``"cos"``."""
        return self.feature.name

    @property
    def N(self) -> Expr:
        """The width, symbolic until :meth:`at` gives it a number."""
        return self.width

    @property
    def sigma_w1(self) -> Expr:
        """Standard deviation of the output weights, times sqrt(N)."""
        return sympy.sqrt(self.readout.cumulant(2))

    @property
    def w0(self) -> Any:
        """Symbol of the input weight of one neuron; above one dimension a tuple with one for each component."""
        weights = weight_symbols(self.input_dim)
        if not set(weights) <= set(self.feature.parameters):
            raise ValueError(f"the {self.name} net has no input weights w0; its parameters: {self.feature.parameters}")
        return weights[0] if self.input_dim == 1 else weights

    @property
    def b0(self) -> sympy.Symbol:
        """Symbol of the hidden bias (or phase) of one neuron.

        Raises
        ------
        ValueError
            If the net has none.
        """
        if bias_symbol() not in self.feature.parameters:
            raise ValueError(f"the {self.name} net has no hidden bias; its parameters: {self.feature.parameters}")
        return bias_symbol()

    @property
    def w1(self) -> sympy.Symbol:
        """Symbol of the output weight of one neuron, N**(-1/2) times a draw of :attr:`readout`."""
        return symbol("W1")

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish, through the output weights or through the features."""
        return self.has_symmetric_readout or self.feature.is_odd

    @property
    def has_symmetric_readout(self) -> bool:
        """True if the output weights and their negatives have the same density."""
        return self.readout.is_symmetric and not any(self.means)

    def readout_of(self, output: int) -> Distribution:
        """Return the density of sqrt(N) times a weight of one output (0, 1, ...)."""
        return Gaussian(self.readout.cumulant(2), self.means[output]) if self.means else self.readout

    @property
    def is_dimension_explicit(self) -> bool:
        """True if correlators are functions of coordinates, False if of abstract points (a symbolic ``input_dim``)."""
        return self.feature.is_dimension_explicit

    def at(self, **values: Any) -> Architecture:
        """Return the architecture with numbers (or expressions) for some of its parameters.

        Parameters
        ----------
        **values
            Any of ``N``, ``sigma_w0``, ``sigma_w1``, ``sigma_b0``, ``sigma_b1`` that the architecture has, and the
            names of the other symbols in its densities (``m`` and ``Lambda`` of the scalar net).

        Raises
        ------
        ValueError
            For an unknown name, a width that is not a positive integer, or a negative standard deviation.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> cos_net(input_dim=1).at(N=20, sigma_w0=1).width
        20
        """
        known = self._symbols()
        numbers = {name: _check_parameter(name, value, list(known)) for name, value in values.items()}
        checked = {known[name]: value for name, value in numbers.items()}
        return replace(
            self,
            feature=self.feature.subs(checked),
            width=self.width.xreplace(checked),
            readout=self.readout.subs(checked),
            sigma_b1=self.sigma_b1.xreplace(checked),
            means=tuple(m.xreplace(checked) for m in self.means),
            values=tuple(sorted({**numbers, **{name: v.xreplace(checked) for name, v in self.values}}.items())),
        )

    def _symbols(self) -> dict[str, sympy.Symbol]:
        """Return the free parameters by name, the usual ones first."""
        used = self.feature.free_symbols | self.width.free_symbols
        used |= self.readout.free_symbols.union(self.sigma_b1.free_symbols, *(m.free_symbols for m in self.means))
        order = {name: i for i, name in enumerate(PARAMETERS)}
        return {s.name: s for s in sorted(used, key=lambda s: (order.get(s.name, len(order)), s.name))}

    def parameter_values(self) -> dict[str, float]:
        """Return all parameters as floats, ``{"N": ..., "sigma_w0": ..., ...}``.

        Raises
        ------
        ValueError
            If a parameter is still symbolic; the text names it.
        """
        if symbolic := [name for name, value in self.values if not value.is_number]:
            raise ValueError(f"parameter(s) {symbolic} of this {self.name} net are expressions, not numbers: {self}")
        if missing := list(self._symbols()):
            given = ", ".join(f"{name}=..." for name in missing)
            raise ValueError(f"parameter(s) {missing} of this {self.name} net have no numbers: use net.at({given})")
        return {"sigma_b1": 0.0} | {name: float(value) for name, value in self.values}

    def symmetry(self, group: Any, *, acting_on: str | Sequence[str] | None = None) -> SymmetryVerdict:
        """Return whether all n-point functions are invariant under a group, with the steps of the proof.

        See :func:`diagrams.symmetry.prove_symmetry`.

        Parameters
        ----------
        group : Group
            Such as ``Euclidean(1)`` or ``Orthogonal(5)``.
        acting_on : str or sequence of str, optional
            ``"inputs"``, ``"outputs"``, names of parameters such as ``"W0"``, or ``"neurons"``. Default: inputs for
            groups with translations, else outputs if there are several, else inputs.

        Returns
        -------
        SymmetryVerdict

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> from diagrams.groups import Euclidean
        >>> cos_net(input_dim=1).symmetry(Euclidean(1)).holds
        True
        """
        from diagrams.symmetry import prove_symmetry

        return prove_symmetry(self, group, acting_on=acting_on)

    def correlator_series(self, n: int) -> Series:
        """Return the n-point connected correlator as an exact Series in 1/N, in the coordinates of x_1 ... x_n.

        With several outputs it contains ``KroneckerDelta(a_i, a_j)`` in the output indices a_1 ... a_n
        (:func:`diagrams.symbols.output_index`).
        """
        weights = (self.readout, self.output_dim, self.means)
        return _correlator_series(self.feature, self.input_dim, weights, self.sigma_b1, n)

    def neuron_moment(self, points: Sequence[PointLike], weight: Expr = 1) -> Expr:
        """Return ``E[weight(w1, w0, b0) prod_i w1 h(x_i)]`` over the parameters of one neuron.

        The output weight's factor N**(-1/2) is included, so n points and no weight give a result of order N**(-n/2).

        Parameters
        ----------
        points : sequence of points
            Any number of them, none included.
        weight : sympy.Expr
            Polynomial in :attr:`w1` and the feature's parameters (:attr:`w0`, :attr:`b0`).

        Raises
        ------
        ValueError
            If the weight is not such a polynomial, or the net has several outputs.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> net = cos_net(input_dim=1)
        >>> net.neuron_moment([], net.w0**2 * net.w1**2)
        sigma_w0**2*sigma_w1**2/N
        """
        if self.output_dim > 1:
            raise ValueError(f"a neuron moment is defined for one output, this net has output_dim={self.output_dim}")
        given = tuple(as_point(p, self.input_dim) for p in points)
        return _neuron_moment(self.feature, self.readout, self.width, given, sympy.sympify(weight))

    def connected_correlators(self, *, max_points: int = 4) -> ConnectedCorrelators:
        """Return the connected correlators up to ``max_points`` points, exact in N.

        Parameters
        ----------
        max_points : int
            Highest number of points, at least 1.

        Raises
        ------
        ValueError
            If ``max_points`` is not a positive integer.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> Gc = cos_net(input_dim=1).connected_correlators(max_points=4)
        >>> Gc[2](0, 0)
        sigma_w1**2/2
        >>> Gc[4](0, 0, 0, 0)
        3*sigma_w1**4/(8*N)
        """
        return ConnectedCorrelators(self, max_points=max_points)

    def eft(self, *, max_fields: int = 6) -> EffectiveTheory:
        """Return the local effective theory of the ensemble: Gaussian process limit, couplings, beta functions.

        See :class:`diagrams.eft.EffectiveTheory`.

        Parameters
        ----------
        max_fields : int
            Highest power of the field, even, at least 4.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> print(relu_net(hidden_bias=False).eft().beta_functions(cutoff="Lambda"))
        relu_net(input_dim=1): K ~ |y|^1 far out
          beta(lambda) = -5*lambda, irrelevant
          beta(kappa) = -7*kappa, irrelevant
        """
        from diagrams.eft import EffectiveTheory

        return EffectiveTheory(self, max_fields)

    def tangent_kernel(self, parametrisation: str = "standard") -> TangentKernel:
        """Return the neural tangent kernel at initialisation, averaged over the ensemble, exact at every width.

        See :class:`diagrams.tangent_kernel.TangentKernel`.

        Parameters
        ----------
        parametrisation : {"standard", "ntk"}
            Whether parameters count alike, or with their variances, which gives a limit at infinite width.
        """
        from diagrams.tangent_kernel import TangentKernel

        return TangentKernel(self, parametrisation)

    def tilted(self, V: Expr, strength: str = "alpha") -> TiltedArchitecture:
        """Return the net with parameter density P(theta) exp(-strength V); see :func:`diagrams.independence.tilted`."""
        from diagrams.independence import tilted

        return tilted(self, V, strength)

    def __add__(self, other: Any) -> IndependentSum:
        """Return the sum of two independent networks; see :func:`diagrams.independence.independent_sum`."""
        from diagrams.independence import independent_sum

        return independent_sum(self, other) if isinstance(other, Architecture) else NotImplemented

    def to_latex(self) -> str:
        """Return phi(x) and P(theta) in LaTeX."""
        a = "" if self.output_dim == 1 else "_a"
        w, b = ("W^1_i", "b^1") if self.output_dim == 1 else ("W^1_{ai}", "b^1_a")
        bias = "" if self.sigma_b1 == 0 else f" + {b}"
        field = rf"\phi{a}(x) = \sum_{{i=1}}^{{{sympy.latex(self.width)}}} {w}\, {self.feature.latex()}{bias}"
        densities = [*self.feature.density_latex(), self._weight_law().density_latex(w)]
        if self.sigma_b1 != 0:
            densities.append(Gaussian(self.sigma_b1**2).density_latex(b))
        if any(self.means):
            densities.append(rf"m = \left({', '.join(map(sympy.latex, self.means))}\right)")
        lines = [field, r"P(\theta):\quad " + r",\quad ".join(densities)]
        return r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"

    def _weight_law(self) -> Distribution:
        """Return the density of an output weight; a mean ``m_a`` stands for those of the outputs."""
        law = self.readout
        if any(self.means):
            law = Gaussian(law.cumulant(2), sympy.Symbol("m_a", real=True))
        return law.scaled(1 / sympy.sqrt(self.width))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        values = ", ".join(f"{k}={v}" for k, v in self.values)
        outputs = "" if self.output_dim == 1 else f", output_dim={self.output_dim}"
        means = f", mean_w1=({', '.join(map(str, self.means))})" if self.means else ""
        return f"{self.name}_net(input_dim={self.input_dim}{outputs}{means}){'.at(' + values + ')' if values else ''}"


def _check_parameter(name: str, value: Any, allowed: list[str]) -> Expr:
    if name not in allowed:
        raise ValueError(f"no free parameter {name!r} in this architecture; it has {allowed}")
    try:
        number = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        raise TypeError(f"{name} must be a number or a sympy expression, got {value!r}") from None
    if number.has(sympy.nan, sympy.oo, sympy.zoo) or not number.is_real:
        raise ValueError(f"{name} must be a finite real number, got {value!r}")
    if name == "N" and number.is_number and (not number.is_Integer or number < 1):
        raise ValueError(f"the width N must be a positive integer, got {value!r}")
    if name.startswith("sigma_") and number.is_number and number < 0:
        raise ValueError(f"the standard deviation {name} must be >= 0, got {value!r}")
    if name in ("m", "Lambda") and number.is_number and number <= 0:
        raise ValueError(f"{'the mass m' if name == 'm' else 'the cutoff Lambda'} must be positive, got {value!r}")
    return sympy.nsimplify(number) if number.has(sympy.Float) else number


@cache
def _neuron_moment(
    feature: Feature, readout: Distribution, width: Expr, points: tuple[Point, ...], weight: Expr
) -> Expr:
    n, total = len(points), []
    for (k,), rest in monomials(weight, (symbol("W1"),)):
        if (size := readout.moment(n + k)) != 0:
            power = width ** sympy.Rational(-(n + k), 2)
            total.append(power * size * feature.expected_product(points, rest))
    return sympy.Add(*total)


Weights = tuple[Distribution, int, tuple[Expr, ...]]  # density, number of outputs, means of the outputs


@cache
def _correlator_series(feature: Feature, input_dim: int, weights: Weights, sigma_b1: Expr, n: int) -> Series:
    readout, output_dim, means = weights
    parameters, even = (1 / symbol("N"),), feature.is_odd or (readout.is_symmetric and not any(means))
    if n % 2 and even:
        return Series(parameters, ())
    points = [coordinates(i + 1, input_dim) for i in range(n)]

    @cache
    def moment(block: tuple[int, ...]) -> Expr:
        labels = [output_index(i + 1) for i in block] if output_dim > 1 else []
        if (size := readout_moment(readout, labels, means) if labels else readout.moment(len(block))) == 0:
            return sympy.S.Zero
        return size * feature.expected_product([points[i] for i in block])

    cumulant = cumulant_from_moments(range(n), moment, even=even)
    if n == 2:
        bias = sympy.S.One if output_dim == 1 else _same_output((0, 1))
        cumulant += sigma_b1**2 * bias
    elif n == 4 and even:  # the others stay in terms of moments: fewer terms, and shared when lowered to a kernel
        cumulant = sympy.Add(*(sympy.expand_mul(t, deep=False) for t in sympy.Add.make_args(cumulant)))
    return Series(parameters, (((sympy.Rational(n, 2) - 1,), cumulant),))


def readout_moment(readout: Distribution, outputs: Sequence[Expr], means: tuple[Expr, ...] = ()) -> Expr:
    """Return the average of the (scaled) weights of one neuron to the given outputs, numbers or output indices.

    Weights to different outputs are independent: a sum over partitions into equal outputs, a cumulant for each part.
    """
    items, terms = range(len(outputs)), []
    for partition in set_partitions(items, even=readout.is_symmetric and not any(means)):
        factors = [_weight_cumulant(readout, [outputs[i] for i in part], means) for part in partition]
        if all(f != 0 for f in factors):
            terms.append(sympy.Mul(*factors))
    return sympy.Add(*terms)


def _weight_cumulant(readout: Distribution, outputs: Sequence[Expr], means: tuple[Expr, ...]) -> Expr:
    first, *others = outputs
    if means and not others:
        return sympy.Add(*(m * sympy.KroneckerDelta(first, a) for a, m in enumerate(means)))
    return readout.cumulant(len(outputs)) * sympy.Mul(*(sympy.KroneckerDelta(first, a) for a in others))


def _same_output(part: Sequence[int]) -> Expr:
    first, *others = (output_index(i + 1) for i in part)
    return sympy.Mul(*(sympy.KroneckerDelta(first, a) for a in others))
