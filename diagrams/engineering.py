r"""Engineering an action: a term Delta S[phi] is added by a change of the density of the parameters of a network.

The partition function is a sum over networks as well as over fields, so that

.. math:: S \to S + \Delta S[\phi] \quad \Longleftrightarrow \quad
          P(\theta) \to \frac{1}{Z} P(\theta)\, e^{-\Delta S[\phi_\theta]}

(arXiv:2307.03223, section 4). The deformed density couples all neurons.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sympy

from diagrams._architecture import Architecture
from diagrams.distributions import Gaussian
from diagrams.interactions import Interaction, LocalInteraction
from diagrams.regions import Box, GaussianWeight, Sites, exact_real
from diagrams.scalar_feature import ScalarFeature
from diagrams.typing import Expr
from diagrams.vector_interactions import VectorInteraction

if TYPE_CHECKING:
    from diagrams.correlators import ConnectedCorrelators
    from diagrams.tilts import TiltedArchitecture

COSINES = ("cos", "scalar")  # features with a closed sum for a box or a Gaussian weight


@dataclass(frozen=True, repr=False)
class FieldDeformed:
    r"""The ensemble :math:`P(\theta) = \frac1Z P_0(\theta) e^{-\Delta S[\phi_\theta]}`; make it with :func:`deform`.

    Parameters
    ----------
    base : Architecture, or a mixture, a sum of networks or a tilted net
        P_0.
    interaction : Interaction
        Delta S.

    Raises
    ------
    ValueError
        If the density is known not to be normalisable, or the interaction does not fit the input dimension.
    """

    base: Any
    interaction: Interaction

    def __post_init__(self) -> None:
        self.interaction.check_dimension(self.input_dim)
        if self.output_dim != self.interaction.n_fields:
            raise ValueError(
                f"the net has output_dim={self.output_dim}, and the interaction is that of a field of "
                f"{self.interaction.n_fields} component(s): use VectorInteraction({self.output_dim}, ...), or a net "
                f"with output_dim={self.interaction.n_fields}"
            )
        self.interaction.check_bounded(allow_linear=_has_exponential_moments(self.base))

    @property
    def name(self) -> str:
        """Name of the feature."""
        return str(self.base.name)

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return int(self.base.input_dim)

    @property
    def output_dim(self) -> int:
        """Number of outputs: of components of the field."""
        return int(getattr(self.base, "output_dim", 1))

    @property
    def width(self) -> Expr:
        """Number of neurons, symbolic until :meth:`at` gives it a number."""
        return self.base.width

    @property
    def N(self) -> Expr:
        """The width."""
        return self.base.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return bool(self.base.is_even) and self.interaction.is_even

    @property
    def free_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that have no number yet, of the network first, then of the interaction."""
        own = _base_symbols(self.base)
        return (*own, *sorted(s.name for s in self.interaction.free_symbols if s.name not in own))

    def connected_correlators(self, *, order: Mapping[str, int], max_points: int = 2) -> ConnectedCorrelators:
        """Return the connected correlators to an order in 1/N and in the coupling, by diagrams of both kinds of vertex.

        See :func:`diagrams.finite_width.finite_width_correlators`.

        Parameters
        ----------
        order : mapping
            Highest powers, ``{"1/N": 1, "lambda": 1}``.
        max_points : int
            Highest number of points.
        """
        from diagrams.finite_width import finite_width_correlators

        return finite_width_correlators(self, order=order, max_points=max_points)

    def at(self, **values: Any) -> FieldDeformed:
        """Return the ensemble with numbers for parameters of the network, couplings and lengths.

        A symbol that network and interaction share gets one value in both. ``lambda`` is a keyword of Python: write
        ``.at(**{"lambda": 0.5})``, or call the coupling something else.

        Raises
        ------
        TypeError, ValueError
            For a name that is not a free parameter, or a value at which the density cannot be normalised.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> from diagrams.symbols import symbol
        >>> g = symbol("g")
        >>> deform(cos_net(), LocalInteraction({4: g}, region=Box(2))).at(N=5, g=0.25).interaction.couplings
        ((4, 1/4),)
        """
        free = self.free_parameters
        if unknown := [name for name in values if name not in free]:
            raise ValueError(f"no free parameter {unknown[0]!r} in this ensemble; it has {list(free)}")
        known = _base_symbols(self.base)
        base = self.base.at(**{k: v for k, v in values.items() if k in known})
        names = {s.name: s for s in self.interaction.free_symbols}
        replaced = {names[k]: exact_real(k, v) for k, v in values.items() if k in names}
        result = replace(self, base=base, interaction=self.interaction.subs(replaced))
        if set(values) - {"N"}:
            _warn_of_short_boxes(result)
        return result

    def parameter_values(self) -> dict[str, float]:
        """Return the parameters of the network as floats, once everything has a number.

        Raises
        ------
        ValueError
            If a parameter of the network or of the interaction is still symbolic; the text names it.
        """
        if missing := sorted(s.name for s in self.interaction.free_symbols):
            given = ", ".join(f"{name!r}: ..." for name in missing)
            raise ValueError(f"parameter(s) {missing} of the interaction have no numbers: use .at(**{{{given}}})")
        values = getattr(self.base, "parameter_values", None)
        return dict(values()) if values is not None else {}

    def as_tilt(self, strength: str = "t") -> TiltedArchitecture:
        """Return the ensemble as a tilt exp(-strength Delta S), for an interaction at sites; strength 1 is this one.

        Its connected correlators are then known exactly in N, order by order in the strength.

        Parameters
        ----------
        strength : str
            Name of the expansion parameter.

        Raises
        ------
        ValueError
            If the interaction is not local at sites, or the net has an output bias (sums over neurons have none).

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> from diagrams.interactions import LocalInteraction
        >>> from diagrams.regions import Sites
        >>> tilt = deform(cos_net(), LocalInteraction({4: 1}, region=Sites([0]))).as_tilt()
        >>> tilt.connected_correlators(max_points=2)[2].series
        <Series: terms in 1, t, N^-1 t, N^-2 t + O(t^2)>
        """
        from diagrams.neuron_sums import neuron_sum
        from diagrams.tilts import tilted

        local = [(t, t.region) for t in self.interaction.local if isinstance(t.region, Sites)]
        if len(local) < len(self.interaction.terms):
            raise ValueError("only a local interaction at Sites is a polynomial in sums over neurons")
        if getattr(self.base, "sigma_b1", 0) != 0:
            raise ValueError("the net has an output bias, which is no sum over neurons: leave it out")
        potential = sympy.Add(
            *(
                w * g / sympy.factorial(n) * neuron_sum(1, at=[point]) ** n
                for term, sites in local
                for point, w in zip(sites.points, sites.weights, strict=True)
                for n, g in term.couplings
            )
        )
        return tilted(self.base, potential, strength)

    def closed_sums(self) -> tuple[str, ...]:
        r"""Return Delta S as closed sums over neurons in LaTeX, one for each power, for cosine features.

        .. math:: \int f \phi^n = \frac{1}{2^{n-1}} \sum_{i_1 \ldots i_n} w_{i_1} \cdots w_{i_n}
            \sum_{s_2 \ldots s_n = \pm 1} \cos(c_{i_1} + s_2 c_{i_2} + \ldots)\;
            \tilde f(k_{i_1} + s_2 k_{i_2} + \ldots), \qquad \tilde f(q) = \int f(x) \cos(q \cdot x)\, d^dx

        with amplitudes w, momenta k and phases c; the number of terms grows as N^n.

        Raises
        ------
        ValueError
            If the feature is no cosine, or the interaction is not local in a box or with a Gaussian weight.
        """
        if self.interaction.n_fields > 1:
            raise ValueError("closed sums are shown for a field of one component")
        if self.name not in COSINES:
            raise ValueError(f"a closed sum is known for cosine features ({', '.join(COSINES)}), not for {self.name}")
        return tuple(
            _closed_sum(n, g, term, self.input_dim) for term in self.interaction.local for n, g in term.couplings
        )

    def to_latex(self) -> str:
        """Return phi(x), the density P_0 and the deformed one in LaTeX."""
        body = self.base.to_latex().removesuffix(r" \end{aligned}")
        field = _field_latex(self.base)
        exponent = self.interaction.to_latex(field, dim=self.input_dim)
        is_one_term = [len(getattr(t, "couplings", "ab")) for t in self.interaction.terms] == [1]
        shown = exponent if is_one_term else rf"\left({exponent}\right)"
        factor = rf"\exp\!\left[-{shown}\right]"
        return body + rf" \\ & P_{{\Delta S}}(\theta) = \frac{{1}}{{Z}}\, P(\theta)\, {factor} \end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        shown = ", ".join(map(_term_text, self.interaction.terms))
        return f"{self.base} deformed by {shown}"

    def __repr__(self) -> str:
        return f"<FieldDeformed: {self}>"


def deform(architecture: Any, delta_s: Interaction) -> FieldDeformed:
    r"""Return the ensemble whose action is that of the architecture plus :math:`\Delta S[\phi]`.

    .. math:: P(\theta) = \frac1Z P_0(\theta)\, e^{-\Delta S[\phi_\theta]}

    Parameters
    ----------
    architecture : Architecture
        Or a mixture, a sum of networks, a tilted net, or a deformed ensemble, whose interaction is added to.
    delta_s : Interaction
        :class:`LocalInteraction`, :class:`BilocalInteraction`, or a sum of them;
        :class:`~diagrams.vector_interactions.VectorInteraction` for a net with several outputs.

    Returns
    -------
    FieldDeformed

    Raises
    ------
    TypeError
        If one of the two is something else.
    ValueError
        If exp(-Delta S) is known not to be normalisable, or the dimensions of inputs or outputs differ.

    Examples
    --------
    >>> from diagrams.architectures import relu_net
    >>> from diagrams.symbols import symbol
    >>> deform(relu_net(input_dim=1), LocalInteraction({4: symbol("lambda")}, region=Box(2)))
    <FieldDeformed: relu_net(input_dim=1) deformed by {4: lambda} on Box(length=2)>
    """
    if not isinstance(delta_s, Interaction):
        raise TypeError(f"delta_s must be an interaction such as LocalInteraction({{4: lam}}, ...), got {delta_s!r}")
    if isinstance(architecture, FieldDeformed):
        return deform(architecture.base, architecture.interaction + delta_s)
    if not hasattr(architecture, "to_latex") or not hasattr(architecture, "width"):
        raise TypeError(f"architecture must be a random network such as cos_net(), got {architecture!r}")
    if not getattr(architecture, "is_dimension_explicit", True):
        raise ValueError("an interaction over a region needs an input dimension that is a number, got a symbol")
    result = FieldDeformed(architecture, delta_s)
    _warn_of_short_boxes(result)
    return result


def _warn_of_short_boxes(ensemble: FieldDeformed) -> None:
    """Warn if a box does not hold one wave of the momentum cutoff."""
    feature = getattr(ensemble.base, "feature", None)
    if not isinstance(feature, ScalarFeature):
        return
    wavelength = 2 * sympy.pi / feature.momenta.radius
    for term in ensemble.interaction.terms:
        if isinstance(term.region, Box) and (term.region.length - wavelength).is_negative:
            warnings.warn(
                f"the box of side {sympy.N(term.region.length, 4)} is shorter than the shortest wavelength "
                f"2 pi/cutoff = {sympy.N(wavelength, 4)}: use a larger box or a larger cutoff",
                stacklevel=3,
            )


def _has_exponential_moments(base: Any) -> bool:
    """Return True if E exp(int J phi) exists for every source: bounded features, Gaussian or bounded output weights."""
    if not isinstance(base, Architecture) or base.name not in (*COSINES, "erf"):
        return False
    bounded = all(end not in (sympy.oo, -sympy.oo) for end in base.readout.support)
    return bounded or isinstance(base.readout, Gaussian)


def _base_symbols(base: Any) -> tuple[str, ...]:
    """Return the names of the free parameters of the undeformed ensemble."""
    if isinstance(base, Architecture):
        return tuple(base._symbols())
    inner = getattr(base, "base", None)
    if inner is not None:
        strength = getattr(base, "strength", None)
        own = (strength.name,) if strength is not None and base.value is None else ()
        shared = {name for name, _ in getattr(base, "laws", ())}
        return (*(n for n in _base_symbols(inner) if n not in shared), *own)
    parts = getattr(base, "parts", ())
    return tuple(dict.fromkeys(name for part in parts for name in _base_symbols(part)))


def _field_latex(base: Any) -> str:
    if not isinstance(base, Architecture):
        return r"\phi_\theta"
    bias = "" if base.sigma_b1 == 0 else " + b^1"
    return rf"\sum_{{i=1}}^{{{sympy.latex(base.width)}}} W^1_i\, h(x; \theta_i){bias}"


def _term_text(term: Any) -> str:
    if isinstance(term, (LocalInteraction, VectorInteraction)):
        couplings = ", ".join(f"{n}: {g}" for n, g in term.couplings)
        return f"{{{couplings}}} on {term.region}"
    return f"the kernel {term.kernel} on {term.region}"


def _closed_sum(n: int, coupling: Expr, term: LocalInteraction, dim: int) -> str:
    if isinstance(term.region, Sites):
        raise ValueError("at Sites the interaction is a finite sum already: .interaction.to_latex()")
    if n > 8:
        raise ValueError(f"a closed sum over {n} neurons has no use: at most 8")
    indices = "ijklpqrt"[:n]
    amplitudes = " ".join(f"w_{i}" for i in indices)
    signs = ", ".join(f"s_{i}" for i in indices[1:])

    def combination(letter: str) -> str:
        return " + ".join([f"{letter}_{indices[0]}", *(f"s_{i} {letter}_{i}" for i in indices[1:])])

    q = combination("k")
    assert isinstance(term.region, (Box, GaussianWeight))
    size, side = term.region.length, sympy.latex(term.region.length)
    if isinstance(term.region, GaussianWeight):
        prefactor = rf"(2\pi)^{{{sympy.latex(sympy.Rational(dim, 2))}}} {side}^{{{dim}}}"
        spectrum = rf"e^{{-{sympy.latex(size**2)} \left|{q}\right|^2 / 2}}"
    else:
        prefactor, half = "", sympy.latex(size / 2)
        spectrum = rf"\prod_{{\mu=1}}^{{{dim}}} \frac{{2 \sin\left({half} Q_\mu\right)}}{{Q_\mu}}"
        spectrum += rf"\Big|_{{Q = {q}}}"
    inner = rf"\sum_{{{signs} = \pm 1}} " if signs else ""
    shown = sympy.latex(coupling / sympy.factorial(n) / 2 ** (n - 1))
    return (
        rf"{shown}\, {prefactor} \sum_{{{' '.join(indices)}}} {amplitudes} {inner}"
        rf"\cos\left({combination('c')}\right) {spectrum}"
    )
