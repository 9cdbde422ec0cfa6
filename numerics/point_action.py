"""The reconstructed action on a finite set of inputs: couplings as tensors, value, derivatives and normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.correlators import ConnectedCorrelators
from diagrams.deep import DeepArchitecture
from diagrams.deformed import DeformedArchitecture
from diagrams.mixtures import Mixture
from diagrams.nonidentical import IndependentSum
from diagrams.vertex_orders import checked_orders
from numerics.point_polynomial import FieldPolynomial, monomials
from numerics.point_range import check_invertible as _check_invertible
from numerics.point_range import on_basis, range_basis
from numerics.point_sampling import Boundedness, boundedness, sample
from numerics.point_tensors import by_exponent, coupling_tensors, inverse, point_couplings
from numerics.point_values import Order, point_correlators, scaled_correlator

__all__ = ["PointAction", "coupling_tensors", "inverse", "point_action", "scaled_correlator"]

PointTheory = Architecture | IndependentSum | Mixture | DeepArchitecture | DeformedArchitecture | ConnectedCorrelators
_Array = NDArray[np.float64]
_OFF_RANGE = 1e-6  # relative distance of a field from the range of the kernel that counts as off it


@dataclass(frozen=True, eq=False)
class PointAction:
    r"""The action at fixed points, :math:`S(\phi) = \sum_n \frac{1}{n!} g_{n; i_1 \ldots i_n} \phi_{i_1} \ldots`.

    Made by :func:`point_action`. The polynomial is in the deviation of the fields from their :attr:`mean` (in the
    coordinates of :attr:`basis` if there is one); methods take the fields themselves. The constant is left out of
    :meth:`value` and is :attr:`log_normalisation`. Away from small fields a truncated action need not be bounded below
    although the density behind it is normalisable: see :meth:`boundedness`.

    Parameters
    ----------
    points : array (n_points, input_dim)
    order : int or mapping from name to int
        Highest power of 1/N kept, or of each of several expansion parameters.
    width : float
        The value of N.
    orders : mapping from n to mapping from exponent to array ``(m,) * n``
        The coefficients of the powers of 1/N in ``g_n``; with several parameters the keys are tuples of exponents. m is
        ``n_points``, or the rank of the kernel for an action on its range.
    parameters : mapping from name to float, optional
        The expansion parameters in the order of the exponents, ``{"1/N": 1 / width}`` by default.
    normalisation : mapping from exponent to float, optional
        The coefficients of the logarithm of the normalisation.
    mean : array (n_points,), optional
        Mean of the fields, zero by default.
    basis : array (n_points, m), optional
        Orthonormal columns that span the range of a singular kernel: ``phi = mean + basis @ coordinates``.
    """

    points: NDArray[np.float64]
    order: int | Mapping[str, int]
    width: float
    orders: Mapping[int, Mapping[Any, NDArray[np.float64]]]
    parameters: Mapping[str, float] = field(default_factory=dict)
    normalisation: Mapping[Any, float] = field(default_factory=dict)
    mean: NDArray[np.float64] | None = None
    basis: NDArray[np.float64] | None = None

    def _power(self, exponent: Any) -> float:
        numbers = tuple(self.parameters.values()) or (1 / self.width,)
        exponents = exponent if isinstance(exponent, tuple) else (exponent,)
        return float(np.prod([p ** float(e) for p, e in zip(numbers, exponents, strict=True)]))

    @cached_property
    def couplings(self) -> dict[int, NDArray[np.float64]]:
        """``g_n`` as symmetric tensors, summed over orders; ``g_2`` includes the inverse two-point function."""
        return {
            n: np.asarray(sum(self._power(e) * tensor for e, tensor in parts.items()))
            for n, parts in self.orders.items()
        }

    @property
    def log_normalisation(self) -> float:
        r""":math:`\log Z = \frac12 \log\det 2 \pi G_2 +` diagrams without legs, to the order kept."""
        return float(sum(self._power(e) * value for e, value in self.normalisation.items()))

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.points)

    @cached_property
    def polynomial(self) -> FieldPolynomial:
        """The action as a polynomial in :meth:`coordinates`."""
        return FieldPolynomial(self.n_points if self.basis is None else self.basis.shape[1], self.couplings)

    def coordinates(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return what the polynomial is in: fields minus their mean, on the range of a singular kernel its coordinates.

        Parameters
        ----------
        phi : array (..., n_points)

        Returns
        -------
        array (..., m)

        Raises
        ------
        ValueError
            If a field is not on the range of the kernel; shapes as in :meth:`value`.
        """
        inner, is_off = self._inner(phi)
        if is_off.any():
            raise ValueError(
                f"{int(is_off.sum())} field(s) are not on the range of the singular kernel, where their density is "
                "zero: give phi = mean + basis @ coordinates"
            )
        return inner

    def value(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return the action of fields at the points.

        Parameters
        ----------
        phi : array (..., n_points)

        Returns
        -------
        array (...)
            Infinite for fields off the range of a singular kernel, whose density is zero.

        Raises
        ------
        ValueError
            If the last axis of ``phi`` is not ``n_points`` long or a field is not finite.
        """
        inner, is_off = self._inner(phi)
        return np.asarray(np.where(is_off, np.inf, self.polynomial.value(inner)))

    def log_density(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithm of the density, ``-S - log_normalisation``; shapes and errors as in :meth:`value`.

        Minus infinity off the range of a singular kernel; there the density is that of the coordinates.
        """
        if not self.normalisation:
            raise ValueError("this action was made without its normalisation: make it with point_action")
        return np.asarray(-self.value(phi) - self.log_normalisation)

    def gradient(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return dS/dphi_i, shape (..., n_points); along the range of a singular kernel only.

        Raises
        ------
        ValueError
            As :meth:`value`, and for fields off the range.
        """
        slope = self.polynomial.gradient(self.coordinates(phi))
        return slope if self.basis is None else slope @ self.basis.T

    def hessian(self, phi: ArrayLike) -> NDArray[np.float64]:
        """Return d^2 S/dphi_i dphi_j, shape (..., n_points, n_points); errors as in :meth:`gradient`."""
        matrix = self.polynomial.hessian(self.coordinates(phi))
        return matrix if self.basis is None else self.basis @ matrix @ self.basis.T

    def hessian_vector_product(self, phi: ArrayLike, vector: ArrayLike) -> NDArray[np.float64]:
        """Return the Hessian at fields times vectors, both (..., n_points); errors as in :meth:`gradient`."""
        directions = self._checked("vector", vector)
        return np.einsum("...ij,...j->...i", self.hessian(phi), directions)

    @cached_property
    def _root(self) -> _Array:
        """Cholesky factor of the two-point function at order zero."""
        free = next(t for e, t in self.orders[2].items() if not any(e if isinstance(e, tuple) else (e,)))
        return np.linalg.cholesky(np.linalg.inv(free))

    def boundedness(self) -> Boundedness:
        """Return whether the truncated action is bounded below, or that this could not be decided, with the reason."""
        return self._verdict

    @cached_property
    def _verdict(self) -> Boundedness:
        return boundedness(self.polynomial, self._root)

    def sample(self, n: int, *, seed: int = 0) -> NDArray[np.float64]:
        """Return independent fields from ``exp(-S)`` of a truncated action that is bounded below, shape (n, n_points).

        By rejection from Gaussian fields with the two-point function of order zero. They are distributed as the
        truncated action says, which differs from the networks by the first order left out.

        Parameters
        ----------
        n : int
            Number of fields.
        seed : int

        Raises
        ------
        TypeError, ValueError
            If ``n`` is not a positive integer; if the action is unbounded below (as at odd orders, for Gaussian output
            weights) or cannot be shown to be bounded; or if it is too far from its Gaussian part.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"n must be an integer, got {n!r}")
        if n < 1:
            raise ValueError(f"n must be a positive number of fields, got {n}")
        inner = sample(self.polynomial, self._root, self._verdict, int(n), seed)
        fields = inner if self.basis is None else inner @ self.basis.T
        return fields if self.mean is None else fields + self.mean

    def _checked(self, name: str, array: ArrayLike) -> _Array:
        fields = np.asarray(array, dtype=np.float64)
        if fields.ndim == 0 or fields.shape[-1] != self.n_points:
            raise ValueError(f"{name} has shape {fields.shape}; its last axis must hold the {self.n_points} points")
        if not np.isfinite(fields).all():
            raise ValueError(f"{name} contains values that are not finite")
        return fields

    def _inner(self, phi: ArrayLike) -> tuple[_Array, NDArray[np.bool_]]:
        """Return the coordinates of fields, and which fields are off the range."""
        fields = self._checked("phi", phi)
        centred = fields if self.mean is None else fields - self.mean
        if self.basis is None:
            return centred, np.zeros(fields.shape[:-1], bool)
        inner = centred @ self.basis
        off = np.linalg.norm(centred - inner @ self.basis.T, axis=-1)
        return inner, off > _OFF_RANGE * np.linalg.norm(centred, axis=-1)

    def __repr__(self) -> str:
        shown = ", ".join(f"g_{n}" for n in self.orders)
        where = "" if self.basis is None else f", on the range of a kernel of rank {self.basis.shape[1]}"
        through = f"N^-{self.order}" if isinstance(self.order, int) else str(dict(self.order))
        return f"<PointAction: {self.n_points} points, N = {self.width:g}, through {through}: {shown}{where}>"


def point_action(
    theory: PointTheory, points: ArrayLike | None = None, *, order: Order = 1, on_range: bool = False
) -> PointAction:
    """Return the action at a finite set of points, complete through an order.

    On n points every correlator is a tensor and the reconstruction is exact algebra; its expansion parameter is
    (number of points)/N.

    Parameters
    ----------
    theory : Architecture, another ensemble, or ConnectedCorrelators
        With numbers for all parameters. Tilted densities, mixtures, sums of networks and deep networks are ensembles.
    points : array (n_points, input_dim)
        Distinct points. Left out for correlators given as numbers (``ConnectedCorrelators.from_values``), which have
        their own points.
    order : int or mapping
        Highest power of 1/N kept, >= 0; with several expansion parameters the highest power of each,
        ``{"1/N": 1, "alpha": 1}``.
    on_range : bool
        For a singular two-point function give the action on its range (in the coordinates of an orthonormal
        :attr:`PointAction.basis`; fields off the range have infinite action). Default an error that says the rank.

    Returns
    -------
    PointAction

    Raises
    ------
    TypeError, ValueError
        For points of the wrong shape or type, points that are not finite, coincident points (the text names the
        pair), a two-point function that is singular there (the text gives its rank), symbolic parameters, correlators
        of too few points (the text names those missing), or an impossible order.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> net = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
    >>> point_action(net, [[0.0], [1.0]], order=2)
    <PointAction: 2 points, N = 20, through N^-2: g_2, g_4, g_6>
    """
    correlators = _correlators(theory, order)
    x, mean, series, parameters, limit = point_correlators(correlators, points, order)
    zero = tuple(0 * power for power in limit)
    basis = None
    if on_range:
        basis = range_basis(series[2][zero], series)
        series = on_basis(series, basis)
    else:
        _check_invertible(series[2][zero], x)
    found = point_couplings(series, limit=limit)
    orders = {n: by_exponent(parts) for n, parts in found.couplings.items()}
    kernel = series[2][zero]
    log_det = np.asarray(0.5 * np.linalg.slogdet(2 * np.pi * kernel)[1])
    normalisation = {e: float(v) for e, v in by_exponent({zero: log_det, **found.log_normalisation}).items()}
    width = correlators.source.width
    return PointAction(x, order, float(width), orders, parameters, normalisation, mean if np.any(mean) else None, basis)


def _correlators(theory: Any, order: Order) -> ConnectedCorrelators:
    """Return the correlators of a theory, as many as an action through an order can need."""
    if isinstance(theory, ConnectedCorrelators):
        return theory
    if isinstance(theory, DeformedArchitecture):
        theory.parameter_values()
        parameters = theory.connected_correlators(max_points=2).source.correlator_series(2).parameters
        limit = dict(zip(map(str, parameters), checked_orders(parameters, order), strict=True))
        name = theory.strength.name
        return theory.connected_correlators(max_points=_max_points(order), order={name: limit[name]})
    if isinstance(theory, (Architecture, IndependentSum)):
        theory.parameter_values()  # names the symbols that have no numbers
    elif not isinstance(theory, (Mixture, DeepArchitecture)):
        raise TypeError(f"point_action takes an Architecture or ConnectedCorrelators, got {type(theory).__name__}")
    return theory.connected_correlators(max_points=_max_points(order))


def _max_points(order: Any) -> int:
    """Return the number of points that an order can need; what is no order is refused where it is checked."""
    powers = [p for p in (order.values() if isinstance(order, Mapping) else [order]) if isinstance(p, int) and p > 0]
    return 2 * sum(powers) + 2


def _monomials(fields: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return all monomials of one degree, shape (K, batch), in the order of index_tuples; fields (m, batch)."""
    *_, last = monomials(fields, degree)
    return last
