"""The networks: constructors of :class:`Architecture` for each hidden feature (arXiv:2307.03223, section 2.2).

All of them take ``input_dim``; ``output_bias``, which adds ``b1 ~ N(0, sigma_b1**2)`` to the output; ``output_dim``,
the number of outputs, which share the hidden neurons and have independent output weights; and ``readout``, the density
of sqrt(N) times an output weight, by default a Gaussian of variance ``sigma_w1**2`` and mean ``mean_w1`` (zero; a
sequence gives the outputs means of their own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.activations import ErfFeature, ReluFeature
from diagrams.custom_feature import CustomFeature
from diagrams.distributions import Distribution, Gaussian
from diagrams.features import CosFeature, Feature, GaussFeature, LinearFeature
from diagrams.inner_products import InvariantFeature
from diagrams.momenta import MODULUS, Ball, RadialDensity, RadialDistribution
from diagrams.scalar_feature import ScalarFeature
from diagrams.symbols import symbol
from diagrams.typing import Expr

__all__ = ["Architecture", "cos_net", "erf_net", "gauss_net", "linear_net", "network", "relu_net", "scalar_net"]


def cos_net(
    *,
    input_dim: int | sympy.Symbol = 1,
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the Cos-net, :math:`\phi(x) = \sum_i W^1_i \cos(W^0_i \cdot x + b^0_i)`.

    ``W0 ~ N(0, sigma_w0**2/d)``, ``b0 ~ U(-pi, pi)``, ``W1 ~ N(0, sigma_w1**2/N)`` (arXiv:2307.03223, section 2.2).
    The phase makes every odd correlator vanish, whatever the output weights.

    Parameters
    ----------
    input_dim : int or sympy.Symbol
        Number of components of x, d above; with a symbol, points are abstract and correlators functions of inner
        products (:mod:`diagrams.inner_products`).
    output_bias : bool
        Add ``b1 ~ N(0, sigma_b1**2)`` to the output; default none.
    output_dim : int
        Number of outputs.
    mean_w1 : sympy.Expr, or sequence of them
        Mean of sqrt(N) times an output weight; one for each output if they differ, such as ``(mu, mu, 0, 0, 0)``,
        which breaks rotations of the outputs to those that keep this vector (arXiv:2106.00694, section 4).
    readout : Distribution, optional
        Density of sqrt(N) times an output weight in place of the Gaussian.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If ``input_dim`` or ``output_dim`` is not a positive integer, or both ``mean_w1`` and ``readout`` are given.

    Examples
    --------
    >>> net = cos_net(input_dim=1)
    >>> net.connected_correlators(max_points=2)[2](0, 1)
    sigma_w1**2*exp(-sigma_w0**2/2)/2
    """
    if isinstance(input_dim, sympy.Symbol):
        feature: Feature = InvariantFeature(CosFeature(_weights(input_dim)), input_dim)
    else:
        feature = CosFeature(_weights(input_dim), input_dim=input_dim)
    return assemble(feature, output_bias, output_dim, mean_w1, readout)


def gauss_net(
    *,
    input_dim: int | sympy.Symbol = 1,
    hidden_bias: bool = True,
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the Gauss-net, feature :math:`\exp(W^0 \cdot x + b^0) / \sqrt{\exp[2(\sigma_{b0}^2 + s x^2)]}`.

    ``W0 ~ N(0, s)`` with ``s = sigma_w0**2/d``, ``b0 ~ N(0, sigma_b0**2)`` (arXiv:2008.08601, section 2; its
    normalisation makes the square of the feature average to one). The moments are those of a lognormal variable: they
    grow like ``exp(n**2 sigma_b0**2/2)``, so sampled averages converge only for small ``sigma_b0`` and points.

    Parameters
    ----------
    hidden_bias : bool
        False leaves out b0 (``sigma_b0 = 0``).
    input_dim, output_bias, output_dim, mean_w1, readout
        As for :func:`cos_net`.

    Returns
    -------
    Architecture

    Examples
    --------
    >>> gauss_net(input_dim=1).connected_correlators(max_points=2)[2](0, 1)
    sigma_w1**2*exp(-sigma_w0**2/2)
    """
    if isinstance(input_dim, sympy.Symbol):
        feature: Feature = InvariantFeature(GaussFeature(_weights(input_dim), _bias(hidden_bias)), input_dim)
    else:
        feature = GaussFeature(_weights(input_dim), _bias(hidden_bias), input_dim)
    return assemble(feature, output_bias, output_dim, mean_w1, readout)


def linear_net(
    *,
    input_dim: int = 1,
    hidden_bias: bool = False,
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the linear net, :math:`\phi(x) = \sum_i W^1_i (W^0_i \cdot x)`.

    In one dimension phi(x)/x has the characteristic function ``(1 + sigma_w0**2 sigma_w1**2 t**2 / N)**(-N/2)``.

    Parameters
    ----------
    hidden_bias : bool
        True adds ``b0 ~ N(0, sigma_b0**2)`` to the feature.
    input_dim, output_bias, output_dim, mean_w1, readout
        As for :func:`cos_net`.

    Returns
    -------
    Architecture

    Examples
    --------
    >>> linear_net(input_dim=1).connected_correlators(max_points=4)[4](1, 1, 1, 1)
    6*sigma_w0**4*sigma_w1**4/N
    """
    feature = LinearFeature(_weights(check_dimension(input_dim)), _bias(hidden_bias), input_dim)
    return assemble(feature, output_bias, output_dim, mean_w1, readout)


def relu_net(
    *,
    input_dim: int = 1,
    hidden_bias: bool = True,
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the ReLU-net, :math:`\phi(x) = \sum_i W^1_i \max(W^0_i \cdot x + b^0_i, 0)`.

    ``W0 ~ N(0, sigma_w0**2/d)``, ``b0 ~ N(0, sigma_b0**2)``. With D the number of hidden parameters of a neuron,
    correlators are closed for D = 1 and 2, and the 2-point function for any D; the rest are exact integrals over
    directions (:class:`diagrams.half_spaces.HalfSpaceExpectation`).

    Parameters
    ----------
    hidden_bias : bool
        False leaves out b0, as does ``.at(sigma_b0=0)``.
    input_dim, output_bias, output_dim, mean_w1, readout
        As for :func:`cos_net`.

    Returns
    -------
    Architecture

    Examples
    --------
    >>> relu_net(input_dim=1, hidden_bias=False).connected_correlators(max_points=4)[4](1, 1, -1, -1)
    -sigma_w0**4*sigma_w1**4/(4*N)
    """
    feature = ReluFeature(_weights(check_dimension(input_dim)), _bias(hidden_bias), input_dim)
    return assemble(feature, output_bias, output_dim, mean_w1, readout)


def erf_net(
    *,
    input_dim: int = 1,
    hidden_bias: bool = True,
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the Erf-net, :math:`\phi(x) = \sum_i W^1_i \operatorname{erf}(W^0_i \cdot x + b^0_i)`.

    ``W0 ~ N(0, sigma_w0**2/d)``, ``b0 ~ N(0, sigma_b0**2)``. The 2-point function is closed; from four points on the
    correlators are exact integrals over the parameters of a neuron (:mod:`diagrams.expectation`).

    Parameters
    ----------
    hidden_bias : bool
        False leaves out b0.
    input_dim, output_bias, output_dim, mean_w1, readout
        As for :func:`cos_net`.

    Returns
    -------
    Architecture

    Examples
    --------
    >>> erf_net(input_dim=1, hidden_bias=False).at(sigma_w0=1).connected_correlators(max_points=2)[2](1, 1)
    2*sigma_w1**2*asin(2/3)/pi
    """
    feature = ErfFeature(_weights(check_dimension(input_dim)), _bias(hidden_bias), input_dim)
    return assemble(feature, output_bias, output_dim, mean_w1, readout)


def scalar_net(
    *,
    input_dim: int = 1,
    mass: Expr | None = None,
    cutoff: Expr | None = None,
    alpha: Expr = -1,
    momentum_density: Expr | None = None,
    output_bias: bool = False,
    output_dim: int = 1,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return the cosine net that is a free scalar field: ``G2(p) = theta(Lambda - |p|)/(p**2 + m**2)`` at every N.

    .. math:: \phi(x) = \sum_i W^1_i A(|k_i|) \cos(k_i \cdot x + c_i), \quad
              A(k)^2 = \frac{2}{(2\pi)^d p(k) (k^2 + m^2)}

    with momenta of density p(k) in the ball of radius Lambda, uniform phases and output weights of variance 1/N
    (arXiv:2307.03223, section 5: uniform momenta, ``alpha = -1``; :math:`p \sim (k^2 + m^2)^{-\alpha-1}` and hence
    :math:`A \sim (k^2 + m^2)^{\alpha/2}` after arXiv:2604.27050). The cutoff is a ball, not a box.

    Parameters
    ----------
    input_dim : int
        Dimension d of space.
    mass, cutoff : sympy.Expr, optional
        m and Lambda; default the symbols of these names, which ``.at(m=1, Lambda=8)`` replaces.
    alpha : sympy.Expr
        Exponent above; a rational number.
    momentum_density : sympy.Expr, optional
        Density of the momenta in place of the power, any positive function of ``symbol("k")`` (need not be
        normalised); the amplitude follows from it.
    output_bias, output_dim
        As for :func:`cos_net`.
    readout : Distribution, optional
        Density of sqrt(N) times an output weight, by default a standard normal. ``Constant(1)`` gives constant output
        weights; G2 is multiplied by its second moment.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If the mass or the cutoff is not positive, or both ``alpha`` and ``momentum_density`` are given.

    Examples
    --------
    >>> net = scalar_net(input_dim=1, mass=1, cutoff=1)
    >>> net.connected_correlators(max_points=2)[2](0, 0).evalf(6), sympy.atan(1) / sympy.pi
    (0.250000, 1/4)
    """
    mass, cutoff = (symbol(n) if v is None else sympy.sympify(v) for n, v in (("m", mass), ("Lambda", cutoff)))
    if mass.is_nonpositive or not mass.is_real:
        raise ValueError(f"the mass must be positive, got {mass}")
    momenta = _momenta(check_dimension(input_dim), mass, cutoff, sympy.nsimplify(alpha), momentum_density)
    readout = Gaussian(sympy.S.One) if readout is None else readout
    return assemble(ScalarFeature(momenta, mass), output_bias, output_dim, 0, readout)


def _momenta(dim: int, mass: Expr, cutoff: Expr, alpha: Expr, density: Expr | None) -> RadialDistribution:
    if density is None:
        weight = (MODULUS**2 + mass**2) ** (-alpha - 1)
        return Ball(cutoff, dim) if alpha == -1 else RadialDensity(weight, cutoff, dim)
    if alpha != -1:
        raise ValueError(f"give either alpha or momentum_density, got {alpha} and {density}")
    return RadialDensity(sympy.sympify(density), cutoff, dim)


def network(
    feature: Expr,
    *,
    parameters: Mapping[Any, Distribution],
    point: sympy.Symbol | Sequence[sympy.Symbol],
    name: str = "custom",
    output_bias: bool = False,
    output_dim: int = 1,
    mean_w1: Expr | Sequence[Expr] = 0,
    readout: Distribution | None = None,
) -> Architecture:
    r"""Return a one-hidden-layer net with a feature and parameter densities of your own.

    Averages over a neuron are closed where the feature is made of monomials, exponentials, sines and cosines of linear
    functions of the parameters; else they are exact integrals over the parameters of a neuron, evaluated by quadrature
    (:func:`diagrams.expectation.evaluate`).

    Parameters
    ----------
    feature : sympy.Expr
        h(x; theta).
    parameters : mapping from symbols to Distribution
        Density of each parameter; a tuple of symbols is a vector of independent components, or a vector in a ball.
    point : sympy.Symbol or sequence of them
        Symbols of the coordinates of x in ``feature``.
    name : str
        Name of the net, shown in texts; not one of the library's own, such as "cos".
    output_bias, output_dim, mean_w1, readout
        As for :func:`cos_net`.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If symbols clash, the feature depends on no parameter, or the name is taken.
    TypeError
        If a density is not a Distribution.

    Examples
    --------
    >>> w, x = symbol("w"), symbol("x")
    >>> net = network(sympy.exp(w * x), parameters={w: Gaussian(1)}, point=x)
    >>> net.connected_correlators(max_points=2)[2](1, 1)
    sigma_w1**2*exp(2)
    """
    laws = []
    for key, law in parameters.items():
        if not isinstance(law, Distribution):
            raise TypeError(f"the density of {key} must be one from diagrams.distributions, got {law!r}")
        block = tuple(key) if isinstance(key, Sequence) else (key,)
        if not all(isinstance(s, sympy.Symbol) for s in block):
            raise TypeError(f"parameters must be sympy symbols or tuples of them, got {key!r}")
        laws.append((block, law))
    coordinates = tuple(point) if isinstance(point, Sequence) else (point,)
    custom = CustomFeature(sympy.sympify(feature), tuple(laws), coordinates, name)
    return assemble(custom, output_bias, output_dim, mean_w1, readout)


def assemble(
    feature: Feature,
    output_bias: bool,
    output_dim: int,
    mean_w1: Expr | Sequence[Expr],
    readout: Distribution | None,
) -> Architecture:
    """Return the architecture with this feature."""
    mean, means = _means(mean_w1, output_dim)
    if readout is None:
        readout = Gaussian(symbol("sigma_w1") ** 2, mean)
    elif means or mean != 0:
        raise ValueError(f"give either mean_w1 or a readout density with a mean, got {mean_w1} and {readout}")
    if not isinstance(readout, Distribution):
        raise TypeError(f"readout must be a density from diagrams.distributions, got {readout!r}")
    bias = symbol("sigma_b1") if output_bias else sympy.S.Zero
    return Architecture(feature, feature.input_dim, symbol("N"), readout, bias, output_dim, means=means)


def _means(mean_w1: Expr | Sequence[Expr], output_dim: int) -> tuple[Expr, tuple[Expr, ...]]:
    """Return the mean of all outputs, or zero and the means of each if they differ."""
    if not isinstance(mean_w1, Sequence):
        return mean_w1, ()
    # checked as the mean of a Gaussian is
    found = tuple(Gaussian(sympy.S.One, m).mean for m in mean_w1)
    if len(found) != output_dim:
        raise ValueError(f"mean_w1 must be one mean, or one for each of {output_dim} outputs, got {len(found)}")
    return (found[0], ()) if len(set(found)) == 1 else (sympy.S.Zero, found)


def check_dimension(input_dim: Any) -> int:
    """Return the input dimension.

    Raises
    ------
    ValueError
        If it is not a positive integer.
    """
    if isinstance(input_dim, bool) or not isinstance(input_dim, int) or input_dim < 1:
        raise ValueError(f"input_dim must be a positive integer, got {input_dim!r}")
    return input_dim


def _weights(input_dim: int | sympy.Symbol) -> Gaussian:
    dim = input_dim if isinstance(input_dim, sympy.Symbol) else check_dimension(input_dim)
    return Gaussian(symbol("sigma_w0") ** 2 / dim)


def _bias(hidden_bias: bool) -> Gaussian | None:
    return Gaussian(symbol("sigma_b0") ** 2) if hidden_bias else None
