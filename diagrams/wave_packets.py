r"""Test fields for actions: sums of Gaussian wave packets, whose momentum integrals are closed for Gaussian kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import factorial
from typing import Any

import sympy

from diagrams.expectation import ParameterIntegral
from diagrams.features import dot
from diagrams.momenta import sphere_area
from diagrams.special import BesselRatio
from diagrams.typing import Expr, Point

Packet = tuple[Expr, Expr, Point]  # coefficient c, exponent b, shift R of c exp(-b k**2/2) cos(k.R)


@dataclass(frozen=True)
class WavePackets:
    r"""The field :math:`\phi(x) = \sum_i a_i \exp\!\left[-|x - c_i|^2 / (2 w_i^2)\right]`.

    Parameters
    ----------
    amplitudes : sequence of numbers or expressions
        a_i.
    centres : sequence of points
        c_i: numbers in one dimension, else sequences of coordinates.
    widths : sequence of numbers or expressions
        w_i, positive.

    Raises
    ------
    ValueError
        If the lengths differ, there is no packet, centres differ in dimension, or a width is not positive.

    Examples
    --------
    >>> field = WavePackets([1, -2], centres=[0, 1], widths=[1, 2])
    >>> field((0,))
    1 - 2*exp(-1/8)
    """

    amplitudes: tuple[Expr, ...]
    centres: tuple[Point, ...]
    widths: tuple[Expr, ...]

    def __init__(self, amplitudes: Sequence[Any], centres: Sequence[Any], widths: Sequence[Any]) -> None:
        points = tuple(_exact(c) if hasattr(c, "__len__") else _exact([c]) for c in centres)
        object.__setattr__(self, "amplitudes", _exact(amplitudes))
        object.__setattr__(self, "centres", points)
        object.__setattr__(self, "widths", _exact(widths))
        if not len(self.amplitudes) == len(self.centres) == len(self.widths) > 0:
            raise ValueError(
                "wave packets need as many amplitudes as centres and widths, at least one; got "
                f"{len(self.amplitudes)}, {len(self.centres)} and {len(self.widths)}"
            )
        if len({len(c) for c in points}) != 1 or not points[0]:
            raise ValueError(f"the centres of wave packets need the same number of coordinates, got {centres!r}")
        if narrow := [w for w in self.widths if w.is_nonpositive]:
            raise ValueError(f"the width of a wave packet must be positive, got {narrow[0]}")

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return len(self.centres[0])

    def __call__(self, point: Sequence[Expr]) -> Expr:
        """Return the field at a point."""
        if len(point) != self.dim:
            raise ValueError(f"the field lives in {self.dim} dimension(s), got the point {point!r}")
        return sympy.Add(
            *(
                a * sympy.exp(-_square([x - y for x, y in zip(point, c, strict=True)]) / (2 * w**2))
                for a, c, w in zip(self.amplitudes, self.centres, self.widths, strict=True)
            )
        )

    @cached_property
    def narrowest(self) -> Expr:
        """The smallest width, which decides what converges."""
        return sympy.Min(*self.widths)

    @cached_property
    def widest(self) -> Expr:
        """The largest width."""
        return sympy.Max(*self.widths)

    def spectrum_power(self, power: int) -> tuple[Packet, ...]:
        r"""Return :math:`|\phi(k)|^{2 \cdot power}` as terms ``c exp(-b k**2/2) cos(k.R)``, equal ones merged.

        Parameters
        ----------
        power : int
            At least 1.
        """
        merged: defaultdict[tuple[Expr, Point], list[Expr]] = defaultdict(list)
        for chosen in product(range(len(self.widths)), repeat=2 * power):
            signs = (1, -1) * power
            shift = tuple(
                sympy.Add(*(s * self.centres[i][mu] for s, i in zip(signs, chosen, strict=True)))
                for mu in range(self.dim)
            )
            exponent, mirrored = sympy.Add(*(self.widths[i] ** 2 for i in chosen)), tuple(-r for r in shift)
            front = sympy.Mul(*(self.amplitudes[i] * self.widths[i] ** self.dim for i in chosen))
            merged[exponent, mirrored if (exponent, mirrored) in merged else shift].append(front)
        volume = (2 * sympy.pi) ** (self.dim * power)
        terms = [(volume * sympy.Add(*c), b, r) for (b, r), c in merged.items()]
        return tuple(t for t in terms if t[0] != 0)


def gaussian_momentum_integral(packet: Packet, power: int = 0) -> Expr:
    r"""Return :math:`\int \frac{d^dk}{(2\pi)^d} k^{2 m}\, c\, e^{-b k^2/2} \cos(k \cdot R)` with m = ``power``.

    It is :math:`c\, (2\pi b)^{-d/2} (2/b)^m m!\, L_m^{(d/2-1)}(R^2/2b)\, e^{-R^2/(2b)}`.

    Raises
    ------
    ValueError
        If b is not positive: the integral diverges.
    """
    c, b, shift = packet
    if b.is_nonpositive:
        raise ValueError(f"the momentum integral of exp(-({b}) k**2/2) diverges")
    d, z = sympy.Integer(len(shift)), _square(shift) / (2 * b)
    laguerre = sympy.assoc_laguerre(power, d / 2 - 1, z) * factorial(power) * (2 / b) ** power if power else 1
    return c * (2 * sympy.pi * b) ** (-d / 2) * laguerre * sympy.exp(-z)


def momentum_integral(
    function: Expr, momenta: Sequence[sympy.Symbol], cutoffs: Sequence[Expr], terms: Sequence[Packet]
) -> Expr:
    r"""Return :math:`\int \frac{d^dk}{(2\pi)^d} f(k) \sum c\, e^{-b k^2/2} \cos(k \cdot R)` as an exact integral.

    Parameters
    ----------
    function : sympy.Expr
        f, of the length of k (one symbol) or of its components.
    momenta : sequence of sympy.Symbol
    cutoffs : sequence of sympy.Expr
        Ends of the range of these variables, none for all momenta.
    terms : sequence of (c, b, R)
    """
    d = len(terms[0][2])
    ends = list(cutoffs) or [sympy.oo] * len(momenta)
    # names of their own: a momentum may stand in the parameters of a field
    u = {p: sympy.Symbol(f"k_{j}" if len(momenta) > 1 else "k", real=True) for j, p in enumerate(momenta, start=1)}
    front, rest = function.as_independent(*momenta, as_Add=False)
    inside = rest.xreplace(u)
    if len(momenta) == 1:
        k = u[momenta[0]]
        front *= sphere_area(d) / (2 * sympy.pi) ** d
        # exponentials are multiplied term by term, so that large and small ones cancel before they are evaluated
        pieces = [
            c * k ** (d - 1) * _merged_exponentials(inside, -b * k**2 / 2) * _angular(d, k, shift)
            for c, b, shift in terms
        ]
        return front * ParameterIntegral(sympy.Add(*pieces), (k, 0, ends[0]))
    variables = [u[p] for p in momenta]
    square = _square(variables)
    pieces = [
        c * _merged_exponentials(inside, -b * square / 2) * sympy.cos(dot(variables, shift)) for c, b, shift in terms
    ]
    limits = [(v, -e, e) for v, e in zip(variables, ends, strict=True)]
    return front / (2 * sympy.pi) ** d * ParameterIntegral(sympy.Add(*pieces), *limits)


def _merged_exponentials(function: Expr, exponent: Expr) -> Expr:
    """Return function times exp(exponent) with the exponentials of each of its terms combined."""
    return sympy.Add(*(t * sympy.exp(exponent) for t in sympy.Add.make_args(sympy.expand_mul(function))))


def _angular(d: int, k: Expr, shift: Point) -> Expr:
    if d == 1:
        return sympy.cos(k * shift[0])
    square = _square(shift)
    return BesselRatio(sympy.Rational(d, 2) - 1, k**2 * square) if square != 0 else sympy.S.One


def _square(vector: Sequence[Expr]) -> Expr:
    return dot(vector, vector)


def _exact(values: Sequence[Any]) -> tuple[Expr, ...]:
    """Return numbers as exact rationals."""
    found = tuple(map(sympy.sympify, values))
    if any(not isinstance(v, sympy.Expr) or v.has(sympy.nan, sympy.oo, sympy.zoo) or v.is_real is False for v in found):
        raise ValueError(f"finite real numbers or expressions are needed, got {values!r}")
    return tuple(sympy.nsimplify(v, rational=True) if v.has(sympy.Float) else v for v in found)
