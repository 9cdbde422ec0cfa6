r"""Vertex integrals over boxes on a set of points, :math:`\int_{|y_j| < \Lambda} d^dy\, |y|^w \prod_i K_W(x_i, y)`.

Closed forms where :mod:`diagrams.box_integrals` has them. Else the box is cut into the pyramids over its faces, with
the point y = r (face point): products of Gauss-Legendre rules over the face and over geometric intervals of r, so that
the growth of a kernel over many decades costs a few intervals, and all cutoffs share one pass. For a homogeneous kernel
the integral over r is exact, and kinks of the kernel along the directions of the points lie at ends of intervals.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.box_integrals import box_integral, homogeneous_degree
from diagrams.eft import EffectiveTheory
from diagrams.symbols import coordinates
from numerics.estimators import ranks
from numerics.kernels import index_tuples
from numerics.lower import Kernel, lower
from numerics.points import as_points

Floats = NDArray[np.float64]

_SMALLEST = 2.0**-24  # of the smallest cutoff: where the first interval of r ends
_NODES = ((8, 12), (12, 16), (18, 24), (28, 36))
_NUMBA = 200_000  # kernel values above which it is compiled
_CHUNK = 1 << 16


class CutoffWarning(UserWarning):
    """A cutoff is smaller than the input points: vertices are missing where the correlators live."""


class CubatureError(ArithmeticError):
    """Raised when a vertex integral does not reach the tolerance."""


class VertexIntegrals(NamedTuple):
    """Vertex integrals on unique index tuples of points.

    ``values`` and ``errors`` have shape (n_cutoffs, number of tuples); ``method`` says how they were found.
    """

    values: Floats
    errors: Floats
    method: str


def vertex_integrals(
    net: Architecture, x: ArrayLike, n: int, cutoffs: ArrayLike, *, weight: int = 0, rtol: float = 1e-9
) -> VertexIntegrals:
    """Return the integrals of products of n kernels over boxes.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters.
    x : array_like (n_points, input_dim)
        Distinct or not.
    n : int
        Number of kernels, even.
    cutoffs : array_like (n_cutoffs,), or float
        Half the sides of the boxes; ``inf`` for all of space.
    weight : int
        An even power of |y| in the integrand.
    rtol : float
        Relative to the largest integral at each cutoff.

    Returns
    -------
    VertexIntegrals

    Raises
    ------
    ValueError
        For a cutoff that is not positive, or an odd or negative power.
    DivergentIntegralError
        For an infinite cutoff where the integral diverges.
    CubatureError
        If the tolerance is not reached.

    Examples
    --------
    >>> from diagrams import relu_net
    >>> net = relu_net(hidden_bias=False).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> vertex_integrals(net, [[1.0]], 4, 2.0).values * 16 * 5 / 2**5
    array([[1.]])
    """
    points, eft = as_points(x, net.input_dim), EffectiveTheory(net)
    net.parameter_values()
    lengths = np.atleast_1d(np.asarray(cutoffs, dtype=float))
    if not (lengths > 0).all():
        raise ValueError(f"cutoffs must be positive, got {cutoffs!r}")
    if weight < 0 or weight % 2 or n < 2 or n % 2:
        raise ValueError(f"the number of kernels and the power of |y| must be even, got {n!r} and {weight!r}")
    if lengths.min() < np.abs(points).max():
        warnings.warn(
            f"the cutoff {lengths.min():g} is inside the input points, which reach {np.abs(points).max():g}: vertices "
            "are missing where the correlators live",
            CutoffWarning,
            stacklevel=2,
        )
    if np.isinf(lengths).any():
        eft.check_converges(n)
    if (closed := _closed(eft, points, n, lengths, weight)) is not None:
        return closed
    if np.isinf(lengths).any():
        return _to_infinity(eft, points, n, lengths, weight, rtol)
    degree = homogeneous_degree(eft.weight_kernel, eft.arguments[1])
    kernel = _KernelOnPoints(eft, points)
    route = _scaled if degree is not None else _by_radius
    found, method = None, "homogeneous kernel" if degree is not None else "cubature"
    for low, high in _NODES:
        coarse, found = (route(kernel, n, lengths, weight, degree, q) for q in (low, high))
        errors = np.abs(found - coarse)
        size = np.abs(found).max(axis=1, keepdims=True)
        if (errors <= rtol * np.where(size > 0, size, 1.0)).all():
            return VertexIntegrals(found, errors, method)
    raise CubatureError(
        f"vertex integrals of {net} reached an error of {np.max(errors / size):.1e}, asked for {rtol:g}: allow a "
        "larger tolerance or a smaller cutoff"
    )


def cancelling_components(net: Architecture, x: ArrayLike, n: int, cutoff: float) -> NDArray[np.bool_]:
    """Return for which index tuples the vertex integral cancels between directions of y, to 1/100 or better.

    With kernels of changing sign the leading power of the cutoff can be absent by symmetry: the integral of the product
    is then far below that of its modulus.
    """
    points, eft = as_points(x, net.input_dim), EffectiveTheory(net)
    kernel = _KernelOnPoints(eft, points)
    lengths = np.array([float(cutoff)])
    total = _by_radius(kernel, n, lengths, 0, None, _NODES[0][1])[0]
    kernel.modulus = True
    return np.abs(total) <= 0.01 * _by_radius(kernel, n, lengths, 0, None, _NODES[0][1])[0]


def _closed(eft: EffectiveTheory, points: Floats, n: int, lengths: Floats, weight: int) -> VertexIntegrals | None:
    """Return closed forms on all index tuples, or None."""
    x, y = eft.arguments
    places, free = [coordinates(i + 1, eft.input_dim) for i in range(n)], coordinates(0, eft.input_dim)
    factors = [eft.weight_kernel.xreplace(dict(zip((*x, *y), (*p, *free), strict=True))) for p in places]
    norm = sympy.Add(*(c**2 for c in free)) ** (weight // 2)
    index = index_tuples(len(points), n)
    values = np.empty((len(lengths), len(index)))
    for row, length in zip(values, lengths, strict=True):
        end = sympy.oo if np.isinf(length) else sympy.Rational(float(length))
        extra = [norm] if weight else []
        if (expr := box_integral([*factors, *extra], free, end)) is None:
            return None
        row[:] = lower(expr, arguments=places, backend="numpy")(*(points[index[:, i]] for i in range(n)))
    return VertexIntegrals(values, np.zeros_like(values), "closed form")


class _KernelOnPoints:
    """K_W(x_i, y) for all points at once."""

    def __init__(self, eft: EffectiveTheory, points: Floats) -> None:
        self.points, self.dim = points, eft.input_dim
        self.expression, self.arguments = eft.weight_kernel, eft.arguments
        self.modulus = False
        self._functions: dict[str, Kernel] = {}

    def __call__(self, y: Floats) -> Floats:
        """Return shape (n_points, len(y))."""
        backend = "numba" if y.size * len(self.points) > _NUMBA else "numpy"
        if backend not in self._functions:
            self._functions[backend] = lower(self.expression, arguments=self.arguments, backend=backend)
        values = np.asarray(self._functions[backend](self.points[:, None], y[None]))
        return np.broadcast_to(np.abs(values) if self.modulus else values, (len(self.points), len(y)))


def _products(kernel: _KernelOnPoints, y: Floats, w: Floats, n: int) -> Floats:
    """Return the sums over nodes of products of n kernels, on unique index tuples: Gram matrices of half products."""
    m = len(kernel.points)
    half = index_tuples(m, n // 2)
    index = index_tuples(m, n)
    rows, columns = (ranks(np.ascontiguousarray(index[:, part]), m) for part in (slice(n // 2), slice(n // 2, None)))
    total = np.zeros((len(half), len(half)))
    for first in range(0, len(y), _CHUNK):
        values = kernel(y[first : first + _CHUNK])
        parts = values[half[:, 0]]
        for leg in range(1, n // 2):
            parts = parts * values[half[:, leg]]
        total += (parts * w[first : first + _CHUNK]) @ parts.T
    return total[rows, columns]


def _rule(edges: Floats, q: int) -> tuple[Floats, Floats]:
    """Return a Gauss-Legendre rule with q nodes between each two edges."""
    nodes, weights = np.polynomial.legendre.leggauss(q)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def _faces(points: Floats, dim: int, q: int, *, with_kinks: bool) -> Iterator[tuple[Floats, Floats]]:
    """Iterate over the 2d faces of the unit box: points of a rule on the face, shape (K, dim), and their weights."""
    for axis, sign in product(range(dim), (1.0, -1.0)):
        if dim == 1:
            yield np.array([[sign]]), np.ones(1)
            continue
        others = [k for k in range(dim) if k != axis]
        rules = []
        for k in others:
            edges = {-1.0, 0.0, 1.0}
            if with_kinks:  # where the line through a point and the origin meets the face
                some = points[points[:, axis] != 0]
                edges |= {float(t) for t in some[:, k] / (sign * some[:, axis]) if abs(t) < 1}
            rules.append(_rule(np.array(sorted(edges)), q))
        grid = np.stack(np.meshgrid(*(r[0] for r in rules), indexing="ij"), axis=-1).reshape(-1, dim - 1)
        weights = np.prod(np.stack(np.meshgrid(*(r[1] for r in rules), indexing="ij"), -1).reshape(-1, dim - 1), axis=1)
        yield np.insert(grid, axis, sign, axis=1), weights


def _scaled(kernel: _KernelOnPoints, n: int, lengths: Floats, weight: int, degree: sympy.Expr | None, q: int) -> Floats:
    """Return the integrals of a homogeneous kernel: those over the faces times a power of the cutoff."""
    assert degree is not None
    power = kernel.dim + n * float(degree) + weight
    total = np.zeros(len(index_tuples(len(kernel.points), n)))
    for y, w in _faces(kernel.points, kernel.dim, q, with_kinks=True):
        total += _products(kernel, y, w * (y**2).sum(axis=1) ** (weight // 2), n)
    return lengths[:, None] ** power / power * total


def _by_radius(
    kernel: _KernelOnPoints, n: int, lengths: Floats, weight: int, degree: sympy.Expr | None, q: int
) -> Floats:
    """Return the integrals for all cutoffs by intervals of r; ``degree`` does not matter."""
    del degree
    order = np.argsort(lengths)
    ends = lengths[order]
    start = ends[0] * _SMALLEST
    found = np.zeros((len(ends), len(index_tuples(len(kernel.points), n))))
    total, low = np.zeros(found.shape[1]), 0.0
    faces = list(_faces(kernel.points, kernel.dim, q if kernel.dim < 3 else min(q, 16), with_kinks=False))
    for k, high in enumerate(ends):
        if high > low:
            first = start if low == 0 else low
            count = max(1, int(np.ceil(np.log2(high / first))))
            edges = np.unique(np.concatenate([[low], np.geomspace(first, high, count + 1)]))
            edges[-1] = high
            r, w = _rule(_with_points(edges, kernel.points), q)
            for t, v in faces:
                y = (r[:, None, None] * t).reshape(-1, kernel.dim)
                norm = (t**2).sum(axis=1) ** (weight // 2)
                total = total + _products(kernel, y, np.outer(w * r ** (kernel.dim - 1 + weight), v * norm).ravel(), n)
            low = high
        found[k] = total
    return found[np.argsort(order)]


def _with_points(edges: Floats, points: Floats) -> Floats:
    """Add the sizes of the points, where kernels may have kinks."""
    sizes = np.abs(points).max(axis=1)
    return np.unique(np.concatenate([edges, sizes[(sizes > edges[0]) & (sizes < edges[-1])]]))


def _to_infinity(
    eft: EffectiveTheory, points: Floats, n: int, lengths: Floats, weight: int, rtol: float
) -> VertexIntegrals:
    """Return convergent integrals over all of space: boxes are doubled until nothing changes."""
    finite = lengths[np.isfinite(lengths)]
    reach = max(finite.max(initial=0.0), np.abs(points).max(), 1.0)
    for _ in range(40):
        longer = np.where(np.isinf(lengths), 2 * reach, lengths)
        found = vertex_integrals(eft.net, points, n, np.append(longer, reach), weight=weight, rtol=rtol)
        *_, last = found.values
        far = np.isinf(lengths)
        change = np.abs(found.values[:-1][far] - last).max()
        if change <= rtol * np.abs(last).max():
            errors = found.errors[:-1] + np.where(far, change, 0.0)[:, None]
            return VertexIntegrals(found.values[:-1], errors, found.method)
        reach *= 2
    raise CubatureError(f"vertex integrals of {eft.net} over all of space do not settle")
