"""The terms of connected correlators that survive when clusters of points move apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import factorial

import sympy

from diagrams._architecture import Architecture
from diagrams.cumulants import set_partitions
from diagrams.exponents import QuadraticForm, exponential_terms
from diagrams.features import dot
from diagrams.inner_products import InnerProduct, InvariantFeature
from diagrams.momentum_space import Spectrum
from diagrams.symbols import coordinates, external_point
from diagrams.typing import Expr
from diagrams.wave_packets import momentum_integral

Cluster = tuple[int, ...]
Row = tuple[int, ...]
Rows = tuple[Row, ...]
Found = tuple[str, Expr, "tuple[Direction, ...]", str]


@dataclass(frozen=True)
class Direction:
    """Displacements u_1, u_2, ... of the clusters along which a correlator does not vanish.

    Parameters
    ----------
    conditions : tuple of tuple of int
        Coefficients of linear equations between the u that hold.
    limit : sympy.Expr
        The limit of the correlator along them.
    """

    conditions: Rows
    limit: Expr

    def _sides(self, names: Sequence[str]) -> Iterable[str]:
        for row in self.conditions:
            left = [f"{abs(c) if abs(c) > 1 else ''}{u}" for c, u in zip(row, names, strict=True) if c > 0]
            right = [f"{abs(c) if abs(c) > 1 else ''}{u}" for c, u in zip(row, names, strict=True) if c < 0]
            yield f"{' + '.join(left) or '0'} = {' + '.join(right) or '0'}"

    def __str__(self) -> str:
        return " and ".join(self._sides([f"u_{i + 1}" for i in range(len(self.conditions[0]))]))

    def to_latex(self) -> str:
        """Return the conditions in LaTeX."""
        return r",\ ".join(self._sides([f"u_{i + 1}" for i in range(len(self.conditions[0]))]))


@dataclass(frozen=True)
class WaveTerm:
    """``coefficient * prod over rows of E_k[A**b cos(k.(row.x))]``, b the number of entries of a row not zero."""

    coefficient: Expr
    rows: Rows


def wave_terms(net: Architecture, n: int) -> tuple[WaveTerm, ...]:
    """Return the n-point connected correlator of a net of plane waves, term by term, its power of N included.

    The joint moment of b features is ``2**(1 - b)`` times the sum over half of the sign vectors of zero sum.
    """
    moments = {b: net.readout.moment(b) / 2 ** (b - 1) for b in range(2, n + 1, 2)}
    power = net.width ** (1 - sympy.Rational(n, 2))
    found = []
    for partition in set_partitions(range(n), even=True):
        front = (-1) ** (len(partition) - 1) * factorial(len(partition) - 1) * power
        front *= sympy.Mul(*(moments[len(block)] for block in partition))
        found += [WaveTerm(front, rows) for rows in product(*(_block_rows(block, n) for block in partition))]
    return tuple(found)


def _block_rows(block: Cluster, n: int) -> list[Row]:
    rows = []
    for rest in product((1, -1), repeat=len(block) - 1):
        signs = dict(zip(block, (1, *rest), strict=True))
        if sum(signs.values()) == 0:
            rows.append(tuple(signs.get(i, 0) for i in range(n)))
    return rows


def wave_split(net: Architecture, waves: Spectrum, clusters: tuple[Cluster, ...]) -> Found:
    """Return outcome, limit, special directions and reason of one split for a net of plane waves."""
    n = sum(map(len, clusters))
    terms = wave_terms(net, n)
    moved = [_restricted(term.rows, clusters) for term in terms]
    kept = [term for term, rows in zip(terms, moved, strict=True) if not any(any(row) for row in rows)]
    limit = _total(net, waves, kept)
    directions = []
    for conditions in sorted({r for rows in moved if (r := _conditions(rows)) and _separates(r, len(clusters))}):
        along = [t for t, rows in zip(terms, moved, strict=True) if _implied(conditions, rows)]
        if len(along) > len(kept):
            directions.append(Direction(conditions, _total(net, waves, along)))
    if kept:
        reason = f"{len(kept)} of {len(terms)} terms have signs that add up to zero in each cluster"
        return "survives", limit, tuple(directions), reason
    reason = "in every term the signs of some cluster do not add up to zero"
    return "vanishes", sympy.S.Zero, tuple(directions), reason


def _restricted(rows: Rows, clusters: tuple[Cluster, ...]) -> Rows:
    """Return the signs of each row added up over each cluster."""
    return tuple(tuple(sum(row[i - 1] for i in cluster) for cluster in clusters) for row in rows)


@lru_cache(maxsize=65536)
def _conditions(rows: Rows) -> Rows:
    """Return the independent linear conditions that the rows put on the displacements, as coprime integers."""
    reduced = sympy.Matrix(rows).rref()[0]
    found = []
    for i in range(reduced.rows):
        row = reduced.row(i)
        if any(row):
            scale = sympy.ilcm(*(c.q for c in row))
            found.append(tuple(int(scale * c) for c in row))
    return tuple(found)


@lru_cache(maxsize=65536)
def _separates(conditions: Rows, n_clusters: int) -> bool:
    """Tell whether some displacement that obeys the conditions moves every cluster away from every other."""
    basis = sympy.Matrix(conditions).nullspace()
    pairs = [(a, b) for a in range(n_clusters) for b in range(a)]
    return all(any(v[a] != v[b] for v in basis) for a, b in pairs)


def _implied(conditions: Rows, rows: Rows) -> bool:
    return _conditions((*conditions, *rows)) == conditions


def _total(net: Architecture, waves: Spectrum, terms: Sequence[WaveTerm]) -> Expr:
    return sympy.Add(*(t.coefficient * sympy.Mul(*(wave_average(net, waves, row) for row in t.rows)) for t in terms))


def wave_average(net: Architecture, waves: Spectrum, row: Row) -> Expr:
    """Return ``E_k[A(k)**b cos(k.y)]`` at ``y = sum_i row_i x_i``, b the number of entries of the row not zero."""
    power = sum(1 for e in row if e)
    if isinstance(net.feature, InvariantFeature):
        points = [external_point(i + 1) for i in range(len(row))]
        pairs = product(zip(row, points, strict=True), repeat=2)
        square = sympy.Add(*(a * b * InnerProduct(x, y) for (a, x), (b, y) in pairs if a and b))
        return sympy.exp(-waves.variance / 2 * square)
    points = [coordinates(i + 1, net.input_dim) for i in range(len(row))]
    y = tuple(dot(row, column) for column in zip(*points, strict=True))
    if waves.squared_amplitude == 1 and waves.law is not None:
        try:
            return waves.law.fourier_moment((0,) * len(y), y)[0]
        except NotImplementedError:
            pass  # no closed characteristic function: the integral below is exact all the same
    density = waves.density * waves.squared_amplitude ** sympy.Rational(power, 2) * (2 * sympy.pi) ** len(y)
    return momentum_integral(density, waves.momenta, waves.cutoffs, [(sympy.S.One, sympy.S.Zero, y)])


def gauss_split(net: Architecture, clusters: tuple[Cluster, ...]) -> Found:
    """Return outcome, limit, special directions and reason of one split for the Gauss-net, cluster 1 held fixed."""
    n = sum(map(len, clusters))
    displacement = sympy.Matrix(n, len(clusters) - 1, lambda i, c: int(i + 1 in clusters[c + 1]))
    kept, reasons = [], set()
    for term in exponential_terms(net, n):
        growth = _growth(term, displacement)
        if growth == "":
            kept.append(term)
        elif growth != "decays":
            reasons.add(growth)
    if reasons:
        return "grows", None, (), "with cluster 1 held fixed, " + " and ".join(sorted(reasons))
    limit = sympy.Add(*(_in_points(net, term) for term in kept))
    if kept:
        return "survives", limit, (), f"{len(kept)} exponents do not depend on the displacements"
    return "vanishes", limit, (), "all exponents fall with the square of the displacements, cluster 1 held fixed"


def _growth(term: QuadraticForm, displacement: sympy.Matrix) -> str:
    """Return "decays", "" for a term that does not change, or how its exponent grows with the displacements."""
    scale = next(m for m in term.matrix if m != 0)
    matrix = term.matrix.applyfunc(lambda m: (m / scale) * sympy.sign(scale))
    curvature = displacement.T * matrix * displacement
    if (matrix * displacement).is_zero_matrix:
        return ""
    values = [v for v in curvature.eigenvals() if v.is_negative]
    if values:
        return "an exponent grows with the square of some displacements"
    for v in curvature.nullspace():
        separated = len({0, *v}) == len(v) + 1
        if separated and not (matrix * displacement * v).is_zero_matrix:
            return "an exponent grows linearly with the distance in half of the directions"
    return "decays"


def _in_points(net: Architecture, term: QuadraticForm) -> Expr:
    """Return the term in the coordinates of the points of the net."""
    n = term.matrix.rows
    if isinstance(net.feature, InvariantFeature):
        pairs = [(i, j, InnerProduct(external_point(i + 1), external_point(j + 1))) for i in range(n) for j in range(n)]
    else:
        x = [coordinates(i + 1, net.input_dim) for i in range(n)]
        pairs = [(i, j, dot(x[i], x[j])) for i in range(n) for j in range(n)]
    return term.coefficient * sympy.exp(-sympy.Add(*(term.matrix[i, j] * q for i, j, q in pairs)) / 2)
