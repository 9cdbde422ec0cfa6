"""Mixtures: ensembles in which all neurons share random parameters (de Finetti)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import factorial
from typing import TYPE_CHECKING, Any

import sympy

from diagrams.correlators import ConnectedCorrelators
from diagrams.cumulants import set_partitions
from diagrams.series import Exponents, Series
from diagrams.shared import Discrete, Gamma, Law, Moments, SquareRoot, average
from diagrams.symbols import relabelled, symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.architectures import Architecture

__all__ = ["Discrete", "Gamma", "Mixture", "Moments", "SquareRoot", "mixture"]


@dataclass(frozen=True, repr=False)
class Mixture:
    """A network whose shared parameters are drawn once for all neurons; make it with :func:`mixture`.

    Parameters
    ----------
    base : Architecture
        The network given the shared parameters.
    laws : tuple of (name, distribution)
        The shared parameters, independent of each other.
    """

    base: Architecture
    laws: tuple[tuple[str, Law], ...]

    @property
    def shared(self) -> dict[str, Law]:
        """The distribution of each shared parameter."""
        return dict(self.laws)

    @property
    def name(self) -> str:
        """Name of the feature."""
        return self.base.name

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.base.input_dim

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return self.base.output_dim

    @property
    def width(self) -> Expr:
        """Number of neurons."""
        return self.base.width

    @property
    def N(self) -> Expr:
        """The width."""
        return self.base.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return self.base.is_even

    @property
    def is_dimension_explicit(self) -> bool:
        """True: correlators are functions of coordinates."""
        return self.base.is_dimension_explicit

    def at(self, **values: Any) -> Mixture:
        """Return the mixture with numbers for parameters of the network or of the shared distributions.

        Raises
        ------
        ValueError
            As :meth:`Architecture.at`, and for a parameter that is shared and therefore random.
        """
        if random := sorted(set(values) & set(self.shared)):
            raise ValueError(f"parameter(s) {random} are random and shared in this mixture; they cannot be fixed")
        symbols: set[sympy.Symbol] = set()
        for _, law in self.laws:
            symbols |= _law_symbols(law)
        checked = {s: sympy.nsimplify(values[s.name], rational=True) for s in symbols if s.name in values}
        in_net = {k: v for k, v in values.items() if k in self.base._symbols() or symbol(k) not in checked}
        laws = tuple((name, law.subs(checked)) for name, law in self.laws)
        return replace(self, base=self.base.at(**in_net), laws=laws)

    def connected_correlators(self, *, max_points: int = 4) -> ConnectedCorrelators:
        """Return the connected correlators up to ``max_points`` points, exact in N.

        Raises
        ------
        ValueError
            If ``max_points`` is not a positive integer; later, if a correlator cannot be averaged in closed form.
        """
        return ConnectedCorrelators(self, max_points=max_points)

    def correlator_series(self, n: int) -> Series:
        r"""Return the n-point connected correlator by the law of total cumulance.

        .. math:: \kappa(X_1 \ldots X_n) = \sum_\pi \kappa_\psi\left(\kappa(X_B | \psi) : B \in \pi\right)
        """
        return _mixture_series(self, n)

    def to_latex(self) -> str:
        """Return phi(x), P(theta) and the shared parameters in LaTeX."""
        body = self.base.to_latex().removesuffix(r" \end{aligned}")
        laws = r",\quad ".join(law.density_latex(sympy.latex(symbol(name))) for name, law in self.laws)
        return body + rf" \\ & \text{{shared by all neurons:}}\quad {laws} \end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        return f"mixture({self.base}, {{{', '.join(f'{k!r}: {v}' for k, v in self.laws)}}})"

    def __repr__(self) -> str:
        return f"<Mixture: {self}>"


def mixture(net: Architecture, shared: Mapping[str, Law]) -> Mixture:
    r"""Return the ensemble in which parameters of the network are random and shared by all neurons.

    Given the shared values psi the neurons are independent; averaging over psi couples them, and unlike a tilt by
    averages over neurons this survives N -> infinity. With a common random scale tau of the output variance,
    :math:`G_c^{(4)} = E[\tau^2] G^{(4)}_{c,iid} + \mathrm{Var}(\tau) \sum_3 K K`.

    Parameters
    ----------
    net : Architecture
    shared : mapping from names of parameters to distributions
        Names as in :meth:`Architecture.at`. Distributions: :class:`Discrete` for any parameter; :class:`Gamma`,
        :class:`SquareRoot` (for standard deviations), :class:`Moments` and those of :mod:`diagrams.distributions`
        where the correlators depend on the parameter in a way that has a rule.

    Raises
    ------
    TypeError, ValueError
        If nothing is shared, a name is not a free parameter of the network, or a distribution is not one.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> mixed = mixture(cos_net(input_dim=1), {"sigma_w1": SquareRoot(Gamma(2, 1))})
    >>> points = {symbol(f"x_{i}"): 0 for i in range(1, 5)}
    >>> mixed.connected_correlators(max_points=4)[4].at_infinite_width().subs(points)
    3/2
    """
    from diagrams.architectures import Architecture

    if not isinstance(net, Architecture):
        raise TypeError(f"mixture takes a network of independent neurons, got {type(net).__name__}")
    if not shared:
        raise ValueError("mixture needs at least one shared parameter, for example {'sigma_w1': Discrete((1, 2))}")
    free = list(net._symbols())
    for name, law in shared.items():
        if name not in free:
            raise ValueError(f"{name!r} is not a free parameter of this {net.name} net; it has {free}")
        if not all(hasattr(law, method) for method in ("moment", "subs", "density_latex")):
            raise TypeError(f"{name} needs a distribution such as Discrete((1, 2)), got {law!r}")
        if name == "N" and not isinstance(law, Discrete):
            raise ValueError(f"a random width needs a Discrete distribution of positive integers, got {law}")
    return Mixture(net, tuple(sorted(shared.items())))


@cache
def _mixture_series(mixed: Mixture, n: int) -> Series:
    even, empty = mixed.base.is_even, Series(mixed.base.correlator_series(2).parameters, ())
    if n % 2 and even:
        return empty
    terms: list[tuple[Exponents, Expr]] = []
    for partition in set_partitions(range(n), even=even):
        by_size = sorted(partition, key=len)
        moved = relabelled(tuple(i for block in by_size for i in block), mixed.input_dim)
        for key, c in _shape_series(mixed, tuple(map(len, by_size))).terms:
            terms.append((key, c.xreplace(moved)))
    merged: dict[Exponents, list[Expr]] = {}
    for key, c in terms:
        merged.setdefault(key, []).append(c)
    return Series(empty.parameters, tuple((key, sympy.Add(*parts)) for key, parts in merged.items()))


@cache
def _shape_series(mixed: Mixture, sizes: tuple[int, ...]) -> Series:
    """Return the shared cumulant of the correlators given psi of the first points, the next ones, and so on."""
    conditional, start = [], 0
    for size in sizes:
        conditional.append(_conditional(mixed, tuple(range(start, start + size))))
        start += size
    return _shared_cumulant(mixed, conditional) if all(map(len, conditional)) else conditional[0].map(lambda c: 0 * c)


def _conditional(mixed: Mixture, block: tuple[int, ...]) -> Series:
    """Return the correlator of the points in ``block`` given the shared parameters."""
    moved = relabelled(block, mixed.input_dim)
    series = mixed.base.correlator_series(len(block)).map(lambda c: c.xreplace(moved))
    if "N" in mixed.shared:  # the width is averaged over as any other parameter
        series = Series(series.parameters, (((0,), series.as_expr()),))
    return series


def _shared_cumulant(mixed: Mixture, conditional: list[Series]) -> Series:
    """Return the joint cumulant, over the shared parameters, of conditional correlators."""

    def expected(expr: Expr) -> Expr:
        for name, law in mixed.laws:
            expr = average(law, expr, mixed.base._symbols()[name])
        return expr

    total: Series | None = None
    for groups in set_partitions(range(len(conditional))):
        term: Series | None = None
        for group in groups:
            factor = conditional[group[0]]
            for i in group[1:]:
                factor = factor * conditional[i]
            factor = factor.map(expected)
            term = factor if term is None else term * factor
        assert term is not None
        term = term * ((-1) ** (len(groups) - 1) * factorial(len(groups) - 1))
        total = term if total is None else total + term
    assert total is not None
    return total.map(_cancelled)


def _cancelled(expr: Expr) -> Expr:
    """Return the expression with its common factors of x in front, so that numbers such as variances are formed."""
    return sympy.factor_terms(expr) if expr.is_Add else expr


def _law_symbols(law: Any) -> set[sympy.Symbol]:
    values = vars(law).values()
    flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    found: set[sympy.Symbol] = set()
    for v in flat:
        found |= v.free_symbols if isinstance(v, sympy.Basic) else _law_symbols(v) if hasattr(v, "moment") else set()
    return found
