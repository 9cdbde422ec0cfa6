"""Is a truncated action bounded below, and independent samples of fields from it if it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import factorial

import numpy as np
from numpy.typing import NDArray

from numerics.contract import multiplicities, unique_tuples
from numerics.point_polynomial import FieldPolynomial

_Array = NDArray[np.float64]
_TOLERANCE = 1e-9  # of the largest entry: forms closer to zero than this are not decided
_STARTS = 24
_CHUNK = 1 << 15
_MIN_ACCEPTANCE = 1e-4
_MAX_CELLS = 1 << 18


@dataclass(frozen=True, eq=False)
class Boundedness:
    """Whether a polynomial action is bounded below.

    Parameters
    ----------
    is_bounded : bool or None
        None if it could not be decided.
    degree : int
        Degree of the leading form, which decides.
    reason : str
    direction : array (m,), optional
        For an unbounded action a direction in which the leading form is negative.
    """

    is_bounded: bool | None
    degree: int
    reason: str
    direction: _Array | None = None


def boundedness(action: FieldPolynomial, root: _Array) -> Boundedness:
    r"""Return whether an action is bounded below, from its form of highest degree.

    A form of odd degree is negative somewhere; one of even degree makes the action unbounded if minimisation over the
    sphere finds a negative value. It is positive, for two fields, if it has no real zero and one positive value; for
    more, if its symmetric matrix :math:`T_{(i_1 \ldots i_k)(j_1 \ldots j_k)}` is positive (it is then a sum of
    squares), or if Taylor bounds on cells that cover all directions say so. Where neither settles it nothing is
    claimed.

    Parameters
    ----------
    action : FieldPolynomial
    root : array (m, m)
        ``root @ root.T`` is the two-point function: directions are searched in units of it.
    """
    degree = action.degree
    if degree == 0:
        return Boundedness(None, 0, "the action is constant: it has no normalisable density")
    form = action.couplings[degree]
    for _ in range(degree):
        form = np.tensordot(form, root, axes=(0, 0))
    form = form / np.abs(form).max()
    value, z = _smallest_value(form)
    if degree % 2 or value < -_TOLERANCE:
        kind = f"g_{degree}, of odd degree," if degree % 2 else f"g_{degree}"
        return Boundedness(
            False, degree, f"the leading coupling {kind} is negative in a direction of field space", root @ z
        )
    if len(form) <= 2 and value > _TOLERANCE:
        return Boundedness(True, degree, f"g_{degree} has no real zero and is positive")
    lowest = _lowest_eigenvalue(form)
    if lowest > _TOLERANCE:
        return Boundedness(True, degree, f"g_{degree} is a sum of squares (lowest eigenvalue {lowest:.2g})")
    if value > _TOLERANCE and _is_positive(form):
        return Boundedness(True, degree, f"g_{degree} is bounded away from zero on a covering of all directions")
    return Boundedness(
        None, degree, f"no negative direction of g_{degree} was found, but it could not be shown to be positive either"
    )


def _form_values(form: _Array, directions: _Array) -> _Array:
    return FieldPolynomial(len(form), {form.ndim: form}).value(directions)


def _smallest_value(form: _Array) -> tuple[float, _Array]:
    """Return the smallest value found on the unit sphere, and where; exact for one field and for two."""
    m = len(form)
    if m == 1:
        directions = np.array([[1.0], [-1.0]])
    elif m == 2:
        directions = _stationary_directions(form)
    else:
        directions = _descended(form)
    values = _form_values(form, directions)
    best = int(np.argmin(values))
    return float(values[best]), directions[best]


def _stationary_directions(form: _Array) -> _Array:
    """Return the directions on the circle where a form of two fields is stationary (and the axes)."""
    n = form.ndim
    index, t = unique_tuples(2, n), np.polynomial.Polynomial([0, 1])
    coefficients = form[tuple(index.T)] * multiplicities(index)  # of t**k with z = (1, t)
    p = np.polynomial.Polynomial(coefficients)
    slope = p.deriv() * (1 + t**2) - n * t * p
    roots = slope.trim(1e-13).roots() if slope.trim(1e-13).degree() else np.array([])
    ends = np.array([[1.0, r.real] for r in roots if abs(r.imag) < 1e-6 * (1 + abs(r))] + [[1, 0], [0, 1]], float)
    ends = ends / np.linalg.norm(ends, axis=1)[:, None]
    return np.concatenate([ends, -ends])


def _descended(form: _Array) -> _Array:
    """Return unit vectors near local minima of a form, by projected descent from many starts."""
    from scipy.optimize import minimize

    polynomial, m, n = FieldPolynomial(len(form), {form.ndim: form}), len(form), form.ndim

    def target(z: _Array) -> tuple[float, _Array]:
        size = float(np.linalg.norm(z))
        u = z / size
        value, slope = float(polynomial.value(u)), polynomial.gradient(u)
        return value, (slope - n * value * u) / size

    starts = np.random.default_rng(0).normal(size=(_STARTS, m))
    found = [minimize(target, z, jac=True, method="BFGS").x for z in np.concatenate([starts, np.eye(m), -np.eye(m)])]
    return np.array([z / np.linalg.norm(z) for z in found])


def _lowest_eigenvalue(form: _Array) -> float:
    """Return the lowest eigenvalue of an even form as a matrix on symmetric tensors of half its degree."""
    half = unique_tuples(len(form), form.ndim // 2)
    weights = np.sqrt(multiplicities(half) / 1.0)
    rows = tuple(half.T[:, :, None]) + tuple(half.T[:, None, :])
    return float(np.linalg.eigvalsh(form[rows] * weights[:, None] * weights)[0])


def _is_positive(form: _Array) -> bool:
    r"""Return True if bounds on a covering of all directions prove an even form positive; False proves nothing.

    Directions are points of the faces :math:`u_i = 1, |u_j| \le 1` of a cube, which are divided into cells of half
    width h until :math:`q(c) - h |\nabla q(c)|_1 - \tfrac12 (m - 1) h^2 M > 0` on each, where M bounds second
    derivatives by the norm of the tensor.
    """
    m, n = len(form), form.ndim
    polynomial = FieldPolynomial(m, {n: form})
    norm = float(np.linalg.norm(form)) / factorial(n - 2)  # second derivatives of T(u, ..., u)/n!, over |u|^(n - 2)
    corners = np.array(list(product((-0.5, 0.5), repeat=m - 1)))
    for face in range(m):
        centres, half = np.zeros((1, m - 1)), 1.0
        while len(centres):
            u = np.insert(centres, face, 1.0, axis=1)
            value, slope = polynomial.value(u), np.delete(polynomial.gradient(u), face, axis=1)
            reach = np.linalg.norm(u, axis=1) + half * np.sqrt(m - 1)
            curvature = norm * reach ** (n - 2)
            bound = value - half * np.abs(slope).sum(axis=1) - 0.5 * (m - 1) * half**2 * curvature
            left = centres[bound <= 0]
            if len(left) << (m - 1) > _MAX_CELLS:
                return False
            half /= 2
            centres = (left[:, None] + 2 * half * corners).reshape(-1, m - 1)
    return True


def sample(action: FieldPolynomial, root: _Array, verdict: Boundedness, n: int, seed: int) -> _Array:
    r"""Return independent fields from the density :math:`e^{-S}` of a bounded action, shape (n, m).

    Rejection from the Gaussian fields of the two-point function. The bound on :math:`e^{-S + z^2/2}` comes from
    minimisation from many starts; should a proposal exceed it, it is raised and all fields are drawn anew.

    Raises
    ------
    ValueError
        If the action is unbounded below or cannot be shown to be bounded, or almost no proposal is accepted.
    """
    if not verdict.is_bounded:
        what = "is unbounded below" if verdict.is_bounded is False else "may be unbounded below"
        raise ValueError(
            f"this truncated action {what}: {verdict.reason}. exp(-S) then has no meaning as a density although the "
            "density of the networks does; sample the ensemble itself (numerics.Ensemble), or another order"
        )
    rest = _Rest(action, root)
    rng = np.random.default_rng(seed)
    level = rest.minimum(rng)
    while True:
        found, lowest = _accepted(rest, level, n, rng)
        if found is not None:
            return found @ root.T
        level = lowest


@dataclass(frozen=True, eq=False)
class _Rest:
    """What the action adds to that of standard normals z, with ``phi = root @ z``."""

    action: FieldPolynomial
    root: _Array

    def __call__(self, z: _Array) -> _Array:
        return self.action.value(z @ self.root.T) - 0.5 * (z**2).sum(axis=-1)

    def minimum(self, rng: np.random.Generator) -> float:
        """Return the lowest value found, less a margin for rounding."""
        from scipy.optimize import minimize

        def target(z: _Array) -> tuple[float, _Array]:
            return float(self(z)), self.action.gradient(self.root @ z) @ self.root - z

        draws = rng.normal(size=(1 << 12, len(self.root)))
        starts = np.concatenate([draws[np.argsort(self(draws))[:8]], draws[:8], 3 * draws[8:16]])
        lowest = min(float(minimize(target, z, jac=True, method="BFGS").fun) for z in starts)
        return lowest - 1e-9 * (1 + abs(lowest))


def _accepted(rest: _Rest, level: float, n: int, rng: np.random.Generator) -> tuple[_Array | None, float]:
    """Return n accepted proposals, or None and a lower level if one was below ``level``."""
    parts: list[_Array] = []
    n_found = n_tried = 0
    while n_found < n:
        z = rng.normal(size=(_CHUNK, len(rest.root)))
        excess = rest(z) - level
        if excess.min() < 0:
            return None, level + float(excess.min())
        parts.append(z[rng.random(_CHUNK) < np.exp(-excess)])
        n_found, n_tried = n_found + len(parts[-1]), n_tried + _CHUNK
        if n_tried >= 16 * _CHUNK and n_found < _MIN_ACCEPTANCE * n_tried:
            raise ValueError(
                f"only {n_found} of {n_tried} Gaussian proposals were accepted: this action is far from its Gaussian "
                "part, and an expansion about it is of no use; increase the width"
            )
    return np.concatenate(parts)[:n], level
