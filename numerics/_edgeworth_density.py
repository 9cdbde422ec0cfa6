"""The Edgeworth density of a field on points as an object: density, logarithm, marginals, where it is negative."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.edgeworth import edgeworth_latex
from diagrams.hermite import Polynomial, hermite_transform, logarithm
from diagrams.theory import check_order
from numerics._edgeworth_terms import evaluate, hermite_series, weights_by_degree
from numerics.contract import amputate

_FAR = 1400.0  # squared distance at which exp(-y^2/2), times a polynomial, is zero in float64

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Edgeworth:
    r"""The density of the field at fixed points through a power of 1/N.

    Made by :func:`numerics.edgeworth.edgeworth_density`.

    .. math:: p(\phi) = \exp\Bigl(\sum_{r \ge 3} \frac{(-1)^r}{r!} G^{(r)}_{c; i_1 \ldots i_r}
              \partial_{i_1} \ldots \partial_{i_r}\Bigr) \frac{e^{-S_0}}{\sqrt{\det 2 \pi G_2}}

    The truncated :meth:`density` integrates to one and has the connected correlators of the net to the order kept, but
    it can be negative, typically a few standard deviations out: :meth:`relative`, :meth:`negative_fraction` and
    :meth:`negative_region` say where. :meth:`positive_density`, the exponential of the truncated logarithm, is
    positive, but it integrates to one only to the order kept and may grow far out, as the truncated action is not
    bounded below.

    Parameters
    ----------
    points : array (n_points, input_dim)
    order : int
        Highest power of 1/N kept.
    width : float
        The value of N.
    mean : array (n_points,)
    tensors : mapping from n to array ``(n_points,) * n``
        ``N**(n/2 - 1) G_c^(n)`` for n = 2 ... 2 order + 2; odd ones are left out where they vanish.
    """

    points: _Array
    order: int
    width: float
    mean: _Array
    tensors: Mapping[int, _Array]

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.points)

    @property
    def cumulants(self) -> dict[int, _Array]:
        """The connected correlators ``G_c^(n)`` at the points as symmetric tensors, the mean as n = 1."""
        scaled = {n: tensor * self.width ** (1 - n / 2) for n, tensor in self.tensors.items()}
        return {1: self.mean, **scaled}

    @property
    def is_even(self) -> bool:
        """True if odd connected correlators vanish (beyond the mean)."""
        return all(n % 2 == 0 for n in self.tensors)

    def density(self, phi: ArrayLike) -> _Array:
        """Return the truncated density of fields at the points; it can be negative.

        Parameters
        ----------
        phi : array (..., n_points)

        Returns
        -------
        array (...)

        Raises
        ------
        ValueError
            If the last axis of ``phi`` is not ``n_points`` long or a field is not finite.
        """
        y = self._standardised(phi)
        square = (y**2).sum(axis=-1)
        near = square < _FAR
        factor = evaluate(self._density_by_degree, np.where(near[..., None], y, 0.0))
        return np.where(near, np.exp(-square / 2 - self._log_norm) * factor, 0.0)

    def log_density(self, phi: ArrayLike) -> _Array:
        """Return the logarithm of the density through ``N**-order``, its constant included.

        That is minus the reconstructed action, and the constant normalises the density to the order kept. Shapes and
        errors as for :meth:`density`.
        """
        y = self._standardised(phi)
        return -(y**2).sum(axis=-1) / 2 - self._log_norm + evaluate(self._log_by_degree, y)

    def positive_density(self, phi: ArrayLike) -> _Array:
        """Return the exponential of :meth:`log_density`: positive, equal to the density to the order kept.

        Far out it may grow without bound (then ``inf``); use it where it falls.
        """
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_density(phi)))

    def relative(self, phi: ArrayLike) -> _Array:
        """Return the density over the Gaussian with the same mean and two-point function; below zero where it fails."""
        return evaluate(self._density_by_degree, self._standardised(phi))

    def negative_fraction(self, phi: ArrayLike) -> float:
        """Return the fraction of the given fields, for example of sampled ones, at which the density is negative."""
        return float((self.relative(phi) < 0).mean())

    def negative_region(self, index: int = 0, *, reach: float = 8.0) -> tuple[tuple[float, float], ...]:
        """Return the intervals of the field at one point where its truncated marginal density is negative.

        Parameters
        ----------
        index : int
            The point.
        reach : float
            Look this many standard deviations to both sides of the mean.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> from numerics.edgeworth import edgeworth_density
        >>> net = relu_net().at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=0)
        >>> p = edgeworth_density(net, [[1.0]], order=2)
        >>> [(round(a, 3), round(b, 3)) for a, b in p.negative_region()]
        [(-2.562, -1.942), (1.942, 2.562)]
        """
        if not (np.isfinite(reach) and reach > 0):
            raise ValueError(f"reach is a positive number of standard deviations, got {reach!r}")
        one = self.marginal(index)
        polynomial = np.zeros(1 + max(one._density_by_degree))
        for degree, weights in one._density_by_degree.items():
            polynomial[degree] = weights[0]
        roots = np.polynomial.polynomial.polyroots(np.trim_zeros(polynomial, "b"))
        real = np.sort(roots.real[(abs(roots.imag) < 1e-9 * (1 + abs(roots))) & (abs(roots) < reach)])
        edges = np.concatenate([[-reach], real, [reach]])
        below = np.polynomial.polynomial.polyval((edges[1:] + edges[:-1]) / 2, polynomial) < 0
        field = float(one.mean[0]) + float(one._factor[0, 0]) * edges
        pairs = zip(field[:-1][below], field[1:][below], strict=True)
        return tuple((float(low), float(high)) for low, high in pairs)

    def cumulative(self, phi: ArrayLike) -> _Array:
        """Return the integral of the truncated density from minus infinity, for a density at one point.

        Parameters
        ----------
        phi : array (..., 1)
            As for :meth:`density`; infinite fields are allowed.

        Returns
        -------
        array (...)

        Raises
        ------
        ValueError
            If there are several points (take a :meth:`marginal`), or a field is not a number.
        """
        from scipy.special import ndtr

        if self.n_points != 1:
            raise ValueError(
                f"the cumulative distribution is that of one point, not of {self.n_points}: use marginal(i)"
            )
        y = self._standardised(phi, infinite=True)[..., 0]
        # the integral of exp(-y^2/2) He_n is -exp(-y^2/2) He_{n-1}
        lowered = np.zeros(max(1, max(self._operator_by_degree)))
        for degree, weights in self._operator_by_degree.items():
            if degree:
                lowered[degree - 1] = weights[0]
        near = np.where(y**2 < _FAR, y, 0.0)
        tail = np.exp(-(near**2) / 2) / sqrt(2 * pi) * np.polynomial.hermite_e.hermeval(near, lowered)
        return np.asarray(ndtr(y) - np.where(y**2 < _FAR, tail, 0.0))

    def marginal(self, index: int | Iterable[int]) -> Edgeworth:
        """Return the density of the field at some of the points, in the order given; exact to the order kept.

        Its connected correlators are those of the whole at these points: integrating a derivative out gives nothing.

        Parameters
        ----------
        index : int or tuple of int
            Distinct points, counted from 0.

        Raises
        ------
        ValueError
            If there is no such point, or one is given twice.
        """
        chosen = [index] if isinstance(index, int | np.integer) else list(index)
        wrong = [i for i in chosen if not isinstance(i, int | np.integer) or not 0 <= i < self.n_points]
        if wrong or len(set(chosen)) != len(chosen) or not chosen:
            raise ValueError(f"marginal takes distinct points numbered 0 to {self.n_points - 1}, got {index!r}")
        tensors = {n: tensor[np.ix_(*[chosen] * n)] for n, tensor in self.tensors.items()}
        return replace(self, points=self.points[chosen], mean=self.mean[chosen], tensors=tensors)

    def truncated(self, order: int) -> Edgeworth:
        """Return the same density through a lower power of 1/N (0 is the Gaussian).

        Raises
        ------
        TypeError, ValueError
            If the order is not an integer from 0 to :attr:`order`.
        """
        if check_order("order", order) > self.order:
            raise ValueError(f"this density is known through N^-{self.order}, order {order} was asked for")
        return replace(self, order=order, tensors={n: t for n, t in self.tensors.items() if n <= 2 * order + 2})

    @cached_property
    def _factor(self) -> _Array:
        """Lower triangular L with L L^T = G2: the fields y = L^-1 (phi - mean) are standard normal at order 0."""
        return np.asarray(np.linalg.cholesky(self.tensors[2]))

    @cached_property
    def _log_norm(self) -> float:
        return float(np.log(np.diag(self._factor)).sum() + self.n_points * log(2 * pi) / 2)

    @cached_property
    def _operator(self) -> list[Polynomial]:
        inverse = np.linalg.inv(self._factor)
        vertices = {n: amputate(tensor, inverse.T) for n, tensor in self.tensors.items() if n > 2}
        return hermite_series(vertices, order=self.order)

    @cached_property
    def _density(self) -> list[Polynomial]:
        unit = {(i, i): 1.0 for i in range(self.n_points)}
        return [hermite_transform(p, unit) for p in self._operator]

    @cached_property
    def _operator_by_degree(self) -> dict[int, _Array]:
        return weights_by_degree(self._operator, self.n_points, self.width, lambda s: 3 * s)

    @cached_property
    def _density_by_degree(self) -> dict[int, _Array]:
        return weights_by_degree(self._density, self.n_points, self.width, lambda s: 3 * s)

    @cached_property
    def _log_by_degree(self) -> dict[int, _Array]:
        # higher degrees cancel in the logarithm and leave rounding errors
        return weights_by_degree(logarithm(self._density), self.n_points, self.width, lambda s: s + 2)

    def _standardised(self, phi: ArrayLike, *, infinite: bool = False) -> _Array:
        from scipy.linalg import solve_triangular

        fields = np.asarray(phi, dtype=np.float64)
        if fields.ndim == 0 or fields.shape[-1] != self.n_points:
            raise ValueError(f"phi has shape {fields.shape}; its last axis must hold the {self.n_points} points")
        if not infinite and not np.isfinite(fields).all():
            raise ValueError("phi contains values that are not finite")
        if infinite:
            if np.isnan(fields).any():
                raise ValueError("phi contains values that are not numbers")
            return np.asarray((fields - self.mean) / self._factor[0, 0])
        flat = (fields - self.mean).reshape(-1, self.n_points)
        return np.asarray(solve_triangular(self._factor, flat.T, lower=True).T.reshape(fields.shape))

    def __repr__(self) -> str:
        kind = "even" if self.is_even else "odd and even"
        return (
            f"<Edgeworth density: {self.n_points} point{'s'[: self.n_points > 1]}, N = {self.width:g}, "
            f"through N^-{self.order}, {kind} correlators>"
        )

    def to_latex(self) -> str:
        """Return the symbolic form of the density in LaTeX."""
        return edgeworth_latex(order=self.order, even=self.is_even)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to_latex()}$"
