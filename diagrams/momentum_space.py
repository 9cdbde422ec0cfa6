r"""The two-point function in momentum space, :math:`G_2(p) = \int d^dx\, e^{-ip \cdot x} G_2(x)`, exact at every width.

It exists for nets whose two-point function depends on the difference of the points: plane waves
:math:`A(k) \cos(k \cdot x + c)` with a uniform phase and any even density of the momentum k (Cos-net, scalar net, and
nets of that form given by hand), and the Gauss-net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.custom_feature import CustomFeature
from diagrams.distributions import Constant, Distribution, Gaussian, Uniform, UniformPhase
from diagrams.features import CosFeature, Feature, GaussFeature, dot
from diagrams.inner_products import InvariantFeature
from diagrams.momenta import MODULUS, RadialDistribution
from diagrams.scalar_feature import ScalarFeature
from diagrams.symbols import symbol
from diagrams.typing import Expr

P = symbol("p")


@dataclass(frozen=True)
class Spectrum:
    r"""The momenta of a net of plane waves :math:`A(k) \cos(k \cdot x + c)`.

    Parameters
    ----------
    momenta : tuple of sympy.Symbol
        The length ``p`` of a momentum, or its components where the density does not depend on the length alone.
    density, squared_amplitude : sympy.Expr
        p(k) inside its support, and A(k)**2, as functions of them.
    dimension : sympy.Expr
        Dimension d of space, a number or a symbol.
    cutoffs : tuple of sympy.Expr
        Ends of the support: none, one for the length, or one for each component.
    variance : sympy.Expr, optional
        Variance of a component if the density is Gaussian.
    law : Distribution, optional
        The density, if it is one of the whole vector.
    """

    momenta: tuple[sympy.Symbol, ...]
    density: Expr
    squared_amplitude: Expr
    dimension: Expr
    cutoffs: tuple[Expr, ...] = ()
    variance: Expr = None
    law: Distribution | None = None


@dataclass(frozen=True, repr=False)
class MomentumKernel:
    r"""The two-point function :math:`G_2(p)` of a net; call it with a momentum.

    Parameters
    ----------
    net : Architecture
    momenta : tuple of sympy.Symbol
        The length ``p`` of the momentum (in one dimension the momentum itself), or components ``p_1, p_2, ...``.
    expr : sympy.Expr
        G2 inside its support.
    dimension : sympy.Expr
        Dimension d of space.
    cutoffs : tuple of sympy.Expr
        Momenta beyond which G2 vanishes: none, one for the length, or one for each component.
    variance : sympy.Expr, optional
        s if ``G2(p)`` is proportional to ``exp(-p**2 / (2 s))``.
    constant : sympy.Expr
        Variance of the output bias, which adds ``constant (2 pi)**d delta(p)``.
    spectrum : Spectrum, optional
        The momenta of the net, if it is one of plane waves.
    """

    net: Architecture
    momenta: tuple[sympy.Symbol, ...]
    expr: Expr
    dimension: Expr
    cutoffs: tuple[Expr, ...] = ()
    variance: Expr = None
    constant: Expr = sympy.S.Zero
    spectrum: Spectrum | None = None

    @property
    def is_isotropic(self) -> bool:
        """True if G2 is a function of the length of the momentum."""
        return self.momenta == (P,)

    @property
    def inverse(self) -> Expr:
        """``1/G2(p)`` inside the support: the quadratic form of the free action."""
        return 1 / self.expr

    @property
    def has_cutoff(self) -> bool:
        """True if G2 vanishes beyond a finite momentum; no field of the ensemble has such momenta."""
        return any(not c.is_infinite for c in self.cutoffs)

    def __call__(self, momentum: Any) -> Expr:
        """Return G2 at a momentum: its length, or a sequence of its components.

        The delta function of an output bias is left out.

        Raises
        ------
        ValueError
            If the number of components is not the dimension, or a length is given to a density of components.
        """
        given = self._coordinates(momentum)
        value = self.expr.xreplace(dict(zip(self.momenta, given, strict=True)))
        inside = [sympy.Abs(p) < c for p, c in zip(given, self.cutoffs, strict=False) if not c.is_infinite]
        return sympy.Piecewise((value, sympy.And(*inside)), (0, True)) if inside else value

    def _coordinates(self, momentum: Any) -> tuple[Expr, ...]:
        is_vector = hasattr(momentum, "__len__") or isinstance(momentum, sympy.Tuple)
        items = tuple(map(sympy.sympify, momentum if is_vector else [momentum]))
        if is_vector and self.dimension.is_Integer and len(items) != self.dimension:
            raise ValueError(f"a momentum has {self.dimension} component(s) here, got {len(items)}: {momentum!r}")
        if self.is_isotropic:
            return (sympy.sqrt(dot(items, items)) if len(items) > 1 else items[0],)
        if len(items) != len(self.momenta):
            raise ValueError(f"G2 depends on the {len(self.momenta)} components of the momentum, got {momentum!r}")
        return items

    def to_latex(self) -> str:
        """Return ``G_2(p) = ...`` in LaTeX, with the step function of a cutoff."""
        name = _vector_latex(self)
        steps = [
            rf"\theta\!\left({sympy.latex(c)} - \left|{sympy.latex(p)}\right|\right)"
            for p, c in zip(self.momenta, self.cutoffs, strict=False)
            if not c.is_infinite
        ]
        body = r"\; ".join([sympy.latex(self.expr), *steps])
        if self.constant != 0:
            body += rf" + {sympy.latex(self.constant)} (2\pi)^{{{sympy.latex(self.dimension)}}} \delta({name})"
        return f"G_2({name}) = {body}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        step = "".join(
            f" theta({c} - |{p}|)" for p, c in zip(self.momenta, self.cutoffs, strict=False) if not c.is_infinite
        )
        bias = f" + {self.constant} (2 pi)^{self.dimension} delta(p)" if self.constant != 0 else ""
        return f"G2({', '.join(map(str, self.momenta))}) = {self.expr}{step}{bias}"

    def __repr__(self) -> str:
        return f"<MomentumKernel: {self}>"


def _vector_latex(kernel: MomentumKernel) -> str:
    return ", ".join(map(sympy.latex, kernel.momenta))


def momentum_kernel(net: Architecture) -> MomentumKernel:
    r"""Return the two-point function in momentum space, exact at every width.

    .. math:: G_2(p) = \frac{E[z^2]}{2} (2\pi)^d\, p(p)\, A(p)^2 \quad\text{(plane waves)}, \qquad
              G_2(p) = E[z^2] \left(\frac{2\pi}{s}\right)^{d/2} e^{-p^2/(2s)} \quad\text{(Gauss-net)}

    with :math:`z = \sqrt N W^1`, the density p and amplitude A of the momenta, and
    :math:`s = \sigma_{w0}^2/d` (arXiv:2307.03223, section 3). ``E[z**2]`` is ``sigma_w1**2`` for zero-mean Gaussian
    output weights.

    Parameters
    ----------
    net : Architecture
        With one output.

    Returns
    -------
    MomentumKernel

    Raises
    ------
    TypeError
        If ``net`` is not an architecture with one hidden layer.
    ValueError
        If the net has no translation-invariant two-point function, several outputs, or momenta whose density is not
        even or is concentrated on points.

    Examples
    --------
    >>> from diagrams.architectures import cos_net, scalar_net
    >>> momentum_kernel(scalar_net(mass=1, cutoff=8)).expr
    1/(p**2 + 1)
    >>> print(momentum_kernel(cos_net().at(sigma_w0=1, sigma_w1=1)))
    G2(p) = sqrt(2)*sqrt(pi)*exp(-p**2/2)/2
    """
    check_net(net)
    bias = net.sigma_b1**2
    if (gauss := gauss_feature(net)) is not None:
        _check_gauss(net)
        s, d = gauss.weights.variance, dimension_of(net)
        value = net.readout.moment(2) * (2 * sympy.pi / s) ** (d / 2) * sympy.exp(-(P**2) / (2 * s))
        return MomentumKernel(net, (P,), value, d, (), s, bias)
    waves = plane_waves(net)
    second, d = net.readout.moment(2), waves.dimension
    value = second / 2 * (2 * sympy.pi) ** d * waves.density * waves.squared_amplitude
    variance = waves.variance if waves.squared_amplitude == 1 else None
    if variance is not None:
        value = second / 2 * (2 * sympy.pi / variance) ** (d / 2) * sympy.exp(-(P**2) / (2 * variance))
    return MomentumKernel(net, waves.momenta, value, d, waves.cutoffs, variance, bias, waves)


def check_net(net: Any) -> None:
    """Raise unless ``net`` is an architecture with one hidden layer and one output."""
    if not isinstance(net, Architecture):
        raise TypeError(
            f"a one-hidden-layer architecture is needed (cos_net, gauss_net, scalar_net, network ...), got {net!r}"
        )
    if net.output_dim > 1:
        raise ValueError(f"one output is needed here, {net} has {net.output_dim}: use output_dim=1")


def gauss_feature(net: Architecture) -> GaussFeature | None:
    """Return the feature of a Gauss-net, also in a symbolic number of dimensions, or None for another net."""
    base = net.feature.base if isinstance(net.feature, InvariantFeature) else net.feature
    return base if isinstance(base, GaussFeature) else None


def dimension_of(net: Architecture) -> Expr:
    """Return the dimension of space, a sympy number or a symbol."""
    if isinstance(net.feature, InvariantFeature):
        return sympy.sympify(net.feature.dimension)
    return sympy.Integer(net.input_dim)


def _check_gauss(net: Architecture) -> None:
    if net.readout.moment(1) != 0:
        raise ValueError(
            f"{net} has output weights of mean {net.readout.moment(1)}, hence a mean field exp(-s x**2/2) that singles "
            "out the origin: use zero-mean output weights"
        )


def plane_waves(net: Architecture) -> Spectrum:
    """Return the momenta of a net of plane waves with a uniform phase.

    Raises
    ------
    ValueError
        If the net is none, or the density of its momenta is not even; the text says why.
    """
    check_net(net)
    feature: Feature = net.feature.base if isinstance(net.feature, InvariantFeature) else net.feature
    if isinstance(feature, CosFeature):
        found = _spectrum((feature.weights,), dimension_of(net), sympy.S.One)
    elif isinstance(feature, ScalarFeature):
        found = _spectrum((feature.momenta,), dimension_of(net), feature.squared_amplitude)
    elif isinstance(feature, CustomFeature):
        found = _custom_spectrum(feature, net)
    else:
        raise ValueError(_no_translations(net))
    mirrored = {p: -p for p in found.momenta}
    if sympy.expand(found.squared_amplitude - found.squared_amplitude.xreplace(mirrored)) != 0:
        raise ValueError(f"the amplitude of {net} is not even in the momentum: A(k)**2 = {found.squared_amplitude}")
    return found


def _no_translations(net: Architecture) -> str:
    return (
        f"the two-point function of {net} depends on the points themselves, not on their difference: without "
        "translation invariance it is no function of one momentum. Use a net of plane waves A(k) cos(k.x + c) with a "
        "uniform phase c (cos_net, scalar_net, network) or gauss_net"
    )


def _spectrum(laws: Sequence[Distribution], d: Expr, squared: Expr) -> Spectrum:
    """Return the spectrum of one law for the whole vector, or one for each component; ``squared`` in ``MODULUS``."""
    for law in laws:
        _check_even(law)
    amplitude = sympy.sympify(squared).xreplace({MODULUS: P})
    law = laws[0]
    if len(laws) == 1 and isinstance(law, Gaussian):
        v = law.variance
        return Spectrum((P,), (2 * sympy.pi * v) ** (-d / 2) * sympy.exp(-(P**2) / (2 * v)), amplitude, d, (), v, law)
    if isinstance(law, RadialDistribution):
        density = law.profile.xreplace({MODULUS: P}) / law.normalisation
        return Spectrum((P,), density, amplitude, d, (law.radius,), None, law)
    if d == 1:
        return Spectrum((P,), law.density(P), amplitude, d, _ends(laws), None, law)
    components = tuple(symbol(f"p_{j}") for j in range(1, int(d) + 1))
    each = tuple(laws) if len(laws) > 1 else tuple(laws) * int(d)
    density = sympy.Mul(*(law.density(p) for law, p in zip(each, components, strict=True)))
    return Spectrum(components, density, amplitude, d, _ends(each))


def _ends(laws: Sequence[Distribution]) -> tuple[Expr, ...]:
    ends = tuple(sympy.sympify(law.support[1]) for law in laws)
    return () if all(e.is_infinite for e in ends) else ends


def _check_even(law: Distribution) -> None:
    if isinstance(law, Constant) or law.support[0] == law.support[1]:
        raise ValueError(f"the momenta {law} have no density: G2(p) would be a sum of delta functions")
    if not law.is_symmetric:
        raise ValueError(
            f"the density of the momenta, {law}, is not even. With a uniform phase k and -k are the same wave, so give "
            "the even part (p(k) + p(-k))/2, which is the same ensemble"
        )


def _custom_spectrum(feature: CustomFeature, net: Architecture) -> Spectrum:
    """Return the spectrum of a feature ``A(k) cos(k.x + c)`` given by hand."""
    laws = {s: law for block, law in feature.laws for s in block}
    waves = [f for f in sympy.Mul.make_args(feature.formula) if isinstance(f, sympy.cos | sympy.sin)]
    if len(waves) != 1:
        raise ValueError(_no_translations(net))
    argument, amplitude = waves[0].args[0], feature.formula / waves[0]
    slopes = tuple(argument.diff(x) for x in feature.point)
    offset = argument.xreplace(dict.fromkeys(feature.point, sympy.S.Zero))
    phases = [s for s in offset.free_symbols & set(laws) if _is_phase(laws[s])]
    is_linear = all(k in laws for k in slopes) and sympy.expand(argument - offset - dot(slopes, feature.point)) == 0
    has_phase = len(phases) == 1 and abs(offset.diff(phases[0])) == 1 and not offset.free_symbols & set(slopes)
    outside = amplitude.free_symbols & ((set(laws) - set(slopes)) | set(feature.point))
    if not is_linear or not has_phase or outside or len(set(slopes)) < len(slopes):
        raise ValueError(_no_translations(net))
    return _placed_spectrum(feature, slopes, amplitude**2)


def _placed_spectrum(feature: CustomFeature, slopes: tuple[sympy.Symbol, ...], squared: Expr) -> Spectrum:
    d = sympy.Integer(len(slopes))
    for block, law in feature.laws:
        if set(block) == set(slopes) and (d == 1 or isinstance(law, Gaussian | RadialDistribution)):
            if d == 1:
                return _spectrum((law,), d, squared.xreplace({slopes[0]: MODULUS}))
            last = slopes[-1]
            length = squared.subs(last**2, MODULUS**2 - dot(slopes[:-1], slopes[:-1]))
            if length.free_symbols & set(slopes):
                raise ValueError(f"the amplitude must be a function of {dot(slopes, slopes)}, got A**2 = {squared}")
            return _spectrum((law,), d, length)
    laws = {s: law for block, law in feature.laws for s in block}
    if any(isinstance(laws[s], RadialDistribution) for s in slopes):
        raise ValueError(f"the components {slopes} of the momentum belong to different blocks of parameters")
    placed = squared.xreplace({s: symbol(f"p_{j}") for j, s in enumerate(slopes, start=1)})
    return _spectrum([laws[s] for s in slopes], d, placed)


def _is_phase(law: Distribution) -> bool:
    return isinstance(law, UniformPhase) or law == Uniform(-sympy.pi, sympy.pi)
