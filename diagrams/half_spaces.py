r"""Gaussian averages of products of half-space linear forms, :math:`E \prod_i (u \cdot v_i)_+ \prod_j (u \cdot e_j)`.

The average over the length of u is elementary; what remains is an average over directions. In two dimensions the
product of half circles is one arc and the average a finite trigonometric sum; for two vectors in any dimension it is
the arc-cosine kernel of order one. Above that it is an exact integral over the sphere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import integrate as scipy_integrate
from sympy.printing.latex import LatexPrinter

from diagrams.expectation import ExpectationIntegral, Quadrature
from diagrams.special import Angle
from diagrams.typing import Expr

Vector = Sequence[Expr]
Floats = NDArray[np.float64]

_MAX_RANK = 4


def radial_moment(order: int, dim: int) -> Expr:
    """Return E|u|**order of a standard normal vector of ``dim`` components."""
    half, d = sympy.Rational(order, 2), sympy.Rational(dim, 2)
    return sympy.sqrt(2) ** order * sympy.gamma(d + half) / sympy.gamma(d)


def half_space_average(vectors: Sequence[Vector], forms: Sequence[Vector] = ()) -> Expr:
    """Return ``E prod_i (u.v_i)_+ prod_j (u.e_j)`` for a standard normal vector u.

    Parameters
    ----------
    vectors : sequence of vectors
        The v_i, at least one, of equal numbers of components.
    forms : sequence of vectors
        The e_j, factors without the cut.

    Returns
    -------
    sympy.Expr
        A closed form in one and two dimensions, and for two vectors and no forms in any; else a
        :class:`HalfSpaceExpectation`.
    """
    dim = len(vectors[0])
    if dim == 1:
        return _on_a_line([v[0] for v in vectors], [e[0] for e in forms])
    if len(vectors) == 2 and not forms:
        return _arc_cosine(*vectors)
    if dim == 2:
        return _on_a_plane(vectors, forms)
    return HalfSpaceExpectation(vectors, forms)


def _on_a_line(vectors: Vector, forms: Vector) -> Expr:
    n, sign = len(vectors) + len(forms), (-1) ** len(forms)
    right = sympy.Mul(*(sympy.Max(v, 0) for v in vectors))
    left = sympy.Mul(*(sympy.Max(-v, 0) for v in vectors))
    return radial_moment(n, 1) / 2 * sympy.Mul(*forms) * (right + sign * left)


def _inner(u: Vector, v: Vector) -> Expr:
    return sympy.Add(*(a * b for a, b in zip(u, v, strict=True)))


def _arc_cosine(v: Vector, w: Vector) -> Expr:
    """Return E[(u.v)_+ (u.w)_+] = (sin t + (pi - t) cos t) |v| |w| / (2 pi), t the angle between v and w.

    |v| |w| sin t is taken as the root of a sum of squares: never negative, and nothing is divided by |v| |w|.
    """
    minors = [v[i] * w[j] - v[j] * w[i] for j in range(len(v)) for i in range(j)]
    area, inner = sympy.sqrt(sympy.Add(*(m**2 for m in minors))), _inner(v, w)
    return (area + (sympy.pi - Angle(area, inner)) * inner) / (2 * sympy.pi)


def half_space_probability(v: Vector, w: Vector) -> Expr:
    """Return ``P(u.v > 0 and u.w > 0) = (pi - t) / (2 pi)`` for a standard normal u, t the angle between v and w.

    Examples
    --------
    >>> half_space_probability([1, 0], [0, 1]), half_space_probability([1], [2]), half_space_probability([1], [-2])
    (1/4, 1/2, 0)
    """
    minors = [v[i] * w[j] - v[j] * w[i] for j in range(len(v)) for i in range(j)]
    area = sympy.sqrt(sympy.Add(*(m**2 for m in minors)))
    return (sympy.pi - Angle(area, _inner(v, w))) / (2 * sympy.pi)


def _on_a_plane(vectors: Sequence[Vector], forms: Sequence[Vector]) -> Expr:
    """Return the average in two dimensions: the product of half circles leaves one arc."""
    first = vectors[0]
    angles = [Angle(first[0] * v[1] - first[1] * v[0], _inner(first, v)) for v in vectors[1:]]
    start, quarter = Angle(first[1], first[0]), sympy.pi / 2
    lower = _extreme(sympy.Max, 0, *angles) - quarter
    upper = _extreme(sympy.Max, lower, _extreme(sympy.Min, 0, *angles) + quarter)
    factors = [*vectors, *forms]
    over_arc = [a - b for a, b in zip(*(_at_end(start + end, len(factors)) for end in (upper, lower)), strict=True)]
    integral = sympy.Add(*(c * p for c, p in zip(_cosine_sine_coefficients(factors), over_arc, strict=True)))
    return radial_moment(len(factors), 2) / (2 * sympy.pi) * integral


def _extreme(largest: Any, *values: Expr) -> Expr:
    """Return Max or Min; among symbols sympy's search for what can be left out finds nothing, slowly."""
    return largest(*values, evaluate=all(sympy.sympify(v).is_number for v in values))


def _cosine_sine_coefficients(factors: Sequence[Vector]) -> list[Expr]:
    """Return the coefficients of cos**(n-k) sin**k, k = 0 ... n, in prod_i (v_i1 cos + v_i2 sin)."""
    coefficients: list[Expr] = [sympy.S.One]
    for a, b in factors:
        pairs = zip([*coefficients, sympy.S.Zero], [sympy.S.Zero, *coefficients], strict=True)
        coefficients = [same * a + less * b for same, less in pairs]
    return coefficients


_T, _C, _S = sympy.symbols("t c s", real=True)


@cache
def _antiderivative(a: int, b: int) -> Expr:
    """Return the antiderivative of cos(t)**a sin(t)**b as a polynomial in t, c = cos(t) and s = sin(t)."""
    if a >= 2:
        return _C ** (a - 1) * _S ** (b + 1) / (a + b) + sympy.Rational(a - 1, a + b) * _antiderivative(a - 2, b)
    if a == 1:
        return _S ** (b + 1) / (b + 1)
    if b >= 2:
        return -_C * _S ** (b - 1) / b + sympy.Rational(b - 1, b) * _antiderivative(0, b - 2)
    return -_C if b else _T


def _at_end(angle: Expr, order: int) -> list[Expr]:
    """Return the antiderivatives of cos**(n-k) sin**k, k = 0 ... n, at one end."""
    values = {_T: angle, _C: sympy.cos(angle), _S: sympy.sin(angle)}
    return [_antiderivative(order - k, k).xreplace(values) for k in range(order + 1)]


class HalfSpaceExpectation(ExpectationIntegral):
    r"""The average :math:`E \prod_i (u \cdot v_i)_+ \prod_j (u \cdot e_j)` over a standard normal vector u.

    Evaluated by exact integration over arcs between kinks inside adaptive quadrature over the other angles, in the
    subspace that the vectors span, up to four dimensions of it.
    """

    def __new__(cls, vectors: Any, forms: Any = ()) -> HalfSpaceExpectation:
        """Return the average."""
        rows = [sympy.Tuple(*(sympy.Tuple(*v) for v in block)) for block in (vectors, forms)]
        return super().__new__(cls, *rows)

    @property
    def vectors(self) -> tuple[tuple[Expr, ...], ...]:
        """The v_i."""
        return tuple(tuple(v) for v in self.args[0])

    @property
    def forms(self) -> tuple[tuple[Expr, ...], ...]:
        """The e_j."""
        return tuple(tuple(e) for e in self.args[1])

    def _eval_derivative(self, s: sympy.Symbol) -> Expr:
        if not self.has(s):
            return sympy.S.Zero
        raise NotImplementedError(f"the derivative of this average with respect to {s} is not available")

    def _quadrature(self, rtol: float, atol: float) -> Quadrature:
        numbers = [np.array([[float(c) for c in v] for v in rows], dtype=np.float64) for rows in self.args]
        vectors = numbers[0]
        forms = numbers[1].reshape(-1, vectors.shape[1])
        return gaussian_half_spaces(vectors, forms, rtol, atol)

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        def form(v: Sequence[Expr]) -> str:
            return rf"u \cdot \left({', '.join(map(printer._print, v))}\right)"

        cut = [rf"\left[{form(v)}\right]_+" for v in self.vectors]
        body = " ".join(cut + [rf"\left[{form(e)}\right]" for e in self.forms])
        body = rf"\mathbb{{E}}_{{u \sim \mathcal{{N}}(0, 1)}}\left[{body}\right]"
        return body if exp is None else rf"{body}^{{{exp}}}"


def gaussian_half_spaces(vectors: Floats, forms: Floats, rtol: float, atol: float) -> Quadrature:
    """Return the average for numbers; vectors of shape (n, dim), forms of shape (m, dim)."""
    sizes = np.linalg.norm(vectors, axis=1)
    scale = float(np.prod(sizes))
    form_sizes = np.linalg.norm(forms, axis=1)
    scale *= float(np.prod(form_sizes))
    if scale == 0:
        return Quadrature(0.0, 0.0)
    stacked = np.concatenate([vectors / sizes[:, None], forms / form_sizes[:, None]])
    left, singular, _ = np.linalg.svd(stacked, full_matrices=False)
    rank = int((singular > 1e-12 * singular[0]).sum())
    if rank > _MAX_RANK:
        raise NotImplementedError(
            f"the average of {len(vectors)} features that span {rank} dimensions is too much for quadrature (at most "
            f"{_MAX_RANK}); sample the net with numerics.Ensemble"
        )
    rows = left[:, :rank] * singular[:rank]
    order = len(stacked)
    if rank == 1:
        rows = np.concatenate([rows, np.zeros_like(rows)], axis=1)
        rank = 2
    area = 2 * np.pi ** (rank / 2) / float(sympy.gamma(sympy.Rational(rank, 2)))
    front = scale * float(radial_moment(order, rank)) / area
    cut, free = rows[: len(vectors)], rows[len(vectors) :]
    tolerance = max(rtol / 10, 1e-13), atol / (10 * front)
    value, error = _sphere(cut, np.zeros(len(cut)), free, np.zeros(len(free)), tolerance)
    return Quadrature(front * value, front * error)


def _sphere(cut: Floats, c: Floats, free: Floats, d: Floats, tolerance: tuple[float, float]) -> tuple[float, float]:
    """Return the integral over unit vectors n of prod (a.n + c)_+ prod (e.n + d), with an error estimate."""
    dim = cut.shape[1]
    if dim == 2:
        return _circle(cut, c, free, d), 0.0
    errors = [0.0]

    def slice_at(angle: float) -> float:
        height, radius = np.cos(angle), np.sin(angle)
        shifted = (c + height * cut[:, -1], d + height * free[:, -1])
        value, error = _sphere(radius * cut[:, :-1], shifted[0], radius * free[:, :-1], shifted[1], tolerance)
        errors.append(error)
        return float(value * radius ** (dim - 2))

    ends = [0.0, *_polar_kinks(cut, c), np.pi]
    total, bound = 0.0, 0.0
    for lower, upper in pairwise(ends):
        if upper - lower > 1e-12:
            value, error = scipy_integrate.quad(
                slice_at, lower, upper, epsrel=tolerance[0], epsabs=tolerance[1], limit=100
            )[:2]
            total, bound = total + value, bound + error
    return total, bound + np.pi * max(errors)


def _polar_kinks(cut: Floats, c: Floats) -> list[float]:
    """Return the polar angles at which the circles a.n + c = 0 begin, end, or cross each other (in 3 dimensions)."""
    norms = np.linalg.norm(cut, axis=1)
    keep = norms > np.abs(c) + 1e-14
    cut, c, norms = cut[keep], c[keep], norms[keep]
    unit, offset = cut / norms[:, None], c / norms
    tilt, opening = np.arccos(np.clip(unit[:, -1], -1, 1)), np.arccos(np.clip(-offset, -1, 1))
    angles = [*(tilt - opening), *(tilt + opening)]
    if cut.shape[1] == 3:
        angles += [a for j in range(len(cut)) for i in range(j) for a in _crossings(unit[[i, j]], offset[[i, j]])]
    folded = np.arccos(np.clip(np.cos(angles), -1, 1))
    return [float(a) for a in np.unique(np.round(folded, 14)) if 0 < a < np.pi]


def _crossings(unit: Floats, offset: Floats) -> list[float]:
    """Return the polar angles of the points of the unit sphere that lie on two planes a.n + c = 0."""
    axis = np.cross(unit[0], unit[1])
    square = float(axis @ axis)
    if square < 1e-20:
        return []
    foot = np.linalg.lstsq(unit, -offset, rcond=None)[0]
    rest = 1 - float(foot @ foot)
    if rest < 0:
        return []
    step = np.sqrt(rest / square) * axis[2]
    return [float(np.arccos(np.clip(foot[2] + s * step, -1, 1))) for s in (-1, 1)]


def _circle(cut: Floats, c: Floats, free: Floats, d: Floats) -> float:
    """Return the integral over the circle, exact: between kinks the integrand is a trigonometric polynomial."""
    radius, angle = np.hypot(cut[:, 0], cut[:, 1]), np.arctan2(cut[:, 1], cut[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = -c / radius
    crossing = np.abs(ratio) < 1
    opening = np.arccos(ratio[crossing])
    roots = np.concatenate([angle[crossing] - opening, angle[crossing] + opening])
    ends = np.sort(np.concatenate([[-np.pi, 0.0, np.pi], (roots + np.pi) % (2 * np.pi) - np.pi]))
    t, w = _legendre(16 + len(cut) + len(free))
    half = np.diff(ends)[:, None] / 2
    phi = ends[:-1, None] + half * (1 + t)
    n = np.stack([np.cos(phi), np.sin(phi)], axis=-1)
    values = np.maximum(n @ cut.T + c, 0).prod(-1) * (n @ free.T + d).prod(-1)
    return float((values * w * half).sum())


@cache
def _legendre(order: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(order)
