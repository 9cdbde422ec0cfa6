"""Architecture: a random network, its feature and parameter densities, and the correlators they imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from math import prod
from typing import Any, Protocol

import sympy

from diagrams.correlators import ConnectedCorrelators
from diagrams.cumulants import cumulant_from_moments
from diagrams.distributions import Gaussian, UniformPhase
from diagrams.series import Series
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr, Point

PARAMETERS = ("N", "sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")


class Feature(Protocol):
    """The hidden feature h(x; theta) of one neuron with its parameter density."""

    @property
    def name(self) -> str:
        """Short name, the key under which numeric kernels are found."""

    def expected_product(self, points: Sequence[Point]) -> Expr:
        """Return E_theta[prod_i h(x_i; theta)] in closed form."""

    def subs(self, values: dict[sympy.Symbol, Expr]) -> Feature:
        """Return the feature with symbols replaced."""

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""

    def density_latex(self) -> list[str]:
        """Return the densities of the hidden parameters in LaTeX."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class CosFeature:
    """``h = cos(w.x + b)`` with weights of any known characteristic function and a phase."""

    weights: Gaussian
    phase: UniformPhase = field(default_factory=UniformPhase)
    name: str = "cos"

    def expected_product(self, points: Sequence[Point]) -> Expr:
        """Return E[prod cos(w.x_i + b)] by product-to-sum and characteristic functions.

        ``2^-n sum_eps E[exp(i (sum eps_i x_i).w)] E[exp(i (sum eps_i) b)]``; a sign vector and its negative give
        the same term, so only half of them are formed.
        """
        n, dim = len(points), len(points[0])
        terms = []
        for rest in product((1, -1), repeat=n - 1):
            signs = (1, *rest)
            phase = self.phase.characteristic_function((sympy.Integer(sum(signs)),))
            if phase != 0:
                wave = [sympy.Add(*(e * x[mu] for e, x in zip(signs, points, strict=True))) for mu in range(dim)]
                terms.append(phase * self.weights.characteristic_function(wave))
        return sympy.Rational(1, 2 ** (n - 1)) * sympy.Add(*terms)

    def subs(self, values: dict[sympy.Symbol, Expr]) -> CosFeature:
        """Return the feature with symbols replaced."""
        return replace(self, weights=self.weights.subs(values), phase=self.phase.subs(values))

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return r"\cos\!\left(W^0_i \cdot x + b^0_i\right)"

    def density_latex(self) -> list[str]:
        """Return the densities of the hidden parameters in LaTeX."""
        return [self.weights.density_latex(r"W^0_{ij}"), self.phase.density_latex("b^0_i")]


@dataclass(frozen=True)
class Architecture:
    r"""A one-hidden-layer random network :math:`\phi(x) = \sum_{i=1}^N W^1_i h(x; \theta_i) + b^1`.

    Output weights are independent zero-mean Gaussians of variance ``sigma_w1**2 / N`` and the neurons are
    independent, so every connected correlator is known exactly in N:
    :math:`G_c^{(n)} = N^{1 - n/2} \kappa_n[\sigma_{w1} z h]` with z a standard normal (arXiv:2307.03223, section
    2.2; Gaussian output weights give the factor (n-1)!! of the moments).

    Make one with a constructor such as :func:`cos_net`; :meth:`at` gives parameters numbers.

    Parameters
    ----------
    feature : Feature
        Hidden feature with the density of its parameters.
    input_dim : int
        Number of components of a point x.
    width, sigma_w1, sigma_b1 : sympy.Expr
        Number of neurons, and standard deviations of output weight (times sqrt(N)) and output bias.
    """

    feature: Feature
    input_dim: int
    width: Expr
    sigma_w1: Expr
    sigma_b1: Expr
    values: tuple[tuple[str, Expr], ...] = ()

    @property
    def name(self) -> str:
        """Name of the feature, for example ``"cos"``."""
        return self.feature.name

    @property
    def N(self) -> Expr:
        """The width, symbolic until :meth:`at` gives it a number."""
        return self.width

    @property
    def is_even(self) -> bool:
        """True: zero-mean output weights make every odd correlator vanish."""
        return True

    @property
    def is_dimension_explicit(self) -> bool:
        """True: correlators are functions of the ``input_dim`` coordinates of their points."""
        return True

    def at(self, **values: Any) -> Architecture:
        """Return the architecture with numbers (or expressions) for some of its parameters.

        Parameters
        ----------
        **values
            Any of ``N``, ``sigma_w0``, ``sigma_w1``, ``sigma_b0``, ``sigma_b1``.

        Raises
        ------
        ValueError
            For an unknown name, a width that is not a positive integer, or a negative standard deviation.

        Examples
        --------
        >>> cos_net(input_dim=1).at(N=20, sigma_w0=1).width
        20
        """
        checked = {symbol(name): _check_parameter(name, value, self._symbols()) for name, value in values.items()}
        return replace(
            self,
            feature=self.feature.subs(checked),
            width=self.width.xreplace(checked),
            sigma_w1=self.sigma_w1.xreplace(checked),
            sigma_b1=self.sigma_b1.xreplace(checked),
            values=tuple(sorted({**dict(self.values), **{s.name: v for s, v in checked.items()}}.items())),
        )

    def _symbols(self) -> list[str]:
        probe = self.feature.expected_product([coordinates(i, self.input_dim) for i in (1, 2)])
        used = probe.free_symbols | self.width.free_symbols | self.sigma_w1.free_symbols | self.sigma_b1.free_symbols
        names = {s.name for s in used} & set(PARAMETERS)
        return sorted(names, key=PARAMETERS.index)

    def parameter_values(self) -> dict[str, float]:
        """Return all parameters as floats, ``{"N": ..., "sigma_w0": ..., ...}``.

        Raises
        ------
        ValueError
            If a parameter is still symbolic; the text names it.
        """
        if missing := self._symbols():
            given = ", ".join(f"{name}=..." for name in missing)
            raise ValueError(f"parameter(s) {missing} of this {self.name} net have no numbers: use net.at({given})")
        if symbolic := [name for name, value in self.values if not value.is_number]:
            raise ValueError(f"parameter(s) {symbolic} of this {self.name} net are expressions, not numbers: {self}")
        return {"sigma_b1": 0.0} | {name: float(value) for name, value in self.values}

    def correlator_series(self, n: int) -> Series:
        """Return the n-point connected correlator as an exact Series in 1/N, in the coordinates of x_1 ... x_n."""
        return _correlator_series(self.feature, self.input_dim, self.sigma_w1, self.sigma_b1, n)

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
        >>> Gc = cos_net(input_dim=1).connected_correlators(max_points=4)
        >>> Gc[2](0, 0)
        sigma_w1**2/2
        >>> Gc[4](0, 0, 0, 0)
        3*sigma_w1**4/(8*N)
        """
        return ConnectedCorrelators(self, max_points=max_points)

    def to_latex(self) -> str:
        """Return phi(x) and P(theta) in LaTeX."""
        bias = "" if self.sigma_b1 == 0 else " + b^1"
        field = rf"\phi(x) = \sum_{{i=1}}^{{{sympy.latex(self.width)}}} W^1_i\, {self.feature.latex()}{bias}"
        variance = self.sigma_w1**2 / self.width
        densities = [*self.feature.density_latex(), Gaussian(variance).density_latex("W^1_i")]
        if self.sigma_b1 != 0:
            densities.append(Gaussian(self.sigma_b1**2).density_latex("b^1"))
        lines = [field, r"P(\theta):\quad " + r",\quad ".join(densities)]
        return r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        values = ", ".join(f"{k}={v}" for k, v in self.values)
        return f"{self.name}_net(input_dim={self.input_dim}){'.at(' + values + ')' if values else ''}"


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
    if name != "N" and number.is_number and number < 0:
        raise ValueError(f"the standard deviation {name} must be >= 0, got {value!r}")
    return sympy.nsimplify(number) if number.has(sympy.Float) else number


@cache
def _correlator_series(feature: Feature, input_dim: int, sigma_w1: Expr, sigma_b1: Expr, n: int) -> Series:
    parameters = (1 / symbol("N"),)
    if n % 2:
        return Series(parameters, ())
    points = [coordinates(i + 1, input_dim) for i in range(n)]

    @cache
    def moment(block: tuple[int, ...]) -> Expr:
        normal = prod(range(1, len(block), 2))  # E[z^n] of a standard normal
        return normal * sigma_w1 ** len(block) * feature.expected_product([points[i] for i in block])

    cumulant = cumulant_from_moments(range(n), moment, even=True)
    if n == 2:
        cumulant += sigma_b1**2
    elif n == 4:  # the others stay in terms of moments: fewer terms, and shared when lowered to a kernel
        cumulant = sympy.Add(*(sympy.expand_mul(t, deep=False) for t in sympy.Add.make_args(cumulant)))
    return Series(parameters, (((sympy.Rational(n, 2) - 1,), cumulant),))


def cos_net(*, input_dim: int = 1, output_bias: bool = False) -> Architecture:
    r"""Return the Cos-net, :math:`\phi(x) = \sum_i W^1_i \cos(W^0_i \cdot x + b^0_i)`.

    ``W0 ~ N(0, sigma_w0**2/d)``, ``b0 ~ U(-pi, pi)``, ``W1 ~ N(0, sigma_w1**2/N)`` (arXiv:2307.03223, section 2.2).

    Parameters
    ----------
    input_dim : int
        Number of components of x, d above.
    output_bias : bool
        Add ``b1 ~ N(0, sigma_b1**2)`` to the output; default none.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If ``input_dim`` is not a positive integer.

    Examples
    --------
    >>> net = cos_net(input_dim=1)
    >>> net.connected_correlators(max_points=2)[2](*net_points) if (net_points := [0, 1]) else None
    sigma_w1**2*exp(-sigma_w0**2/2)/2
    """
    if isinstance(input_dim, bool) or not isinstance(input_dim, int) or input_dim < 1:
        raise ValueError(f"input_dim must be a positive integer, got {input_dim!r}")
    weights = Gaussian(symbol("sigma_w0") ** 2 / input_dim)
    bias = symbol("sigma_b1") if output_bias else sympy.S.Zero
    return Architecture(CosFeature(weights), input_dim, symbol("N"), symbol("sigma_w1"), bias)
