"""The order in 1/N at which a truncated action violates the Schwinger-Dyson identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.cumulants import moment_from_cumulants
from numerics.contract import symmetric_tensor
from numerics.ensemble import Ensemble
from numerics.kernels import index_tuples
from numerics.point_action import PointAction, point_action
from numerics.point_values import scaled_correlator
from numerics.results import format_uncertainty
from numerics.schwinger_dyson import schwinger_dyson_test

_Array = NDArray[np.float64]
_RESOLVED = 3.0  # standard errors from zero at which a violation counts as seen


@dataclass(frozen=True, eq=False)
class ViolationOrder:
    """How the violation of one Schwinger-Dyson identity falls with the width; made by :func:`violation_order`.

    Parameters
    ----------
    order : int
        Order in 1/N of the action; the violation should set in at ``order + 1``.
    component : tuple of int
        The fields in F and, last, the field l of the derivative: the largest exact violation at the largest width.
    widths : tuple of int
    exact : array (n_widths,)
        ``E[F dS/dphi_l] - E[dF/dphi_l]`` from exact moments at finite N.
    measured, errors : array (n_widths,), optional
        The same on sampled networks, with standard errors.
    """

    order: int
    component: tuple[int, ...]
    widths: tuple[int, ...]
    exact: NDArray[np.float64]
    measured: NDArray[np.float64] | None = None
    errors: NDArray[np.float64] | None = None

    @property
    def expected(self) -> int:
        """The first order in 1/N that the action leaves out."""
        return self.order + 1

    @property
    def exact_exponents(self) -> NDArray[np.float64]:
        """Local powers of 1/N of the exact violation between successive widths; they tend to the true power."""
        pairs = zip(pairwise(self.widths), pairwise(self.exact), strict=True)
        return np.array([np.log(abs(v / w)) / np.log(b / a) for (a, b), (v, w) in pairs])

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Widths at which the measured violation is more than three standard errors from zero."""
        if self.measured is None or self.errors is None:
            raise ValueError("nothing was measured: give violation_order a number of networks, n_nets=...")
        return np.asarray(np.abs(self.measured) > _RESOLVED * self.errors)

    @property
    def measured_exponent(self) -> tuple[float, float]:
        """Power of 1/N of the measured violation with its standard error, a weighted fit over all widths.

        A violation that is not resolved has no logarithm, and leaving it out would bias the power downwards.

        Raises
        ------
        ValueError
            If the violation is not resolved at some width; only an upper limit is known there.
        """
        if not self.resolved.all():
            hidden = [n for n, seen in zip(self.widths, self.resolved, strict=True) if not seen]
            raise ValueError(
                f"the violation is within {_RESOLVED:g} standard errors of zero at N = {hidden}: there only an upper "
                "limit is known, and no power follows; use more networks or smaller widths"
            )
        assert self.measured is not None
        assert self.errors is not None
        x, y = np.log(np.array(self.widths, float)), np.log(np.abs(self.measured))
        weights = (self.measured / self.errors) ** 2
        centre = (weights @ x) / weights.sum()
        spread = float(weights @ (x - centre) ** 2)
        return -float(weights @ ((x - centre) * y)) / spread, spread**-0.5

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for i, n in enumerate(self.widths):
            row = [str(n), f"{self.exact[i]:.4g}", "" if i == 0 else f"{self.exact_exponents[i - 1]:.3f}"]
            if self.measured is not None and self.errors is not None:
                value, error = float(self.measured[i]), float(self.errors[i])
                limit = "" if self.resolved[i] else f" (not resolved: below {abs(value) + 2 * error:.2g})"
                row += [format_uncertainty(value, error) + limit, f"{(value - self.exact[i]) / error:+.1f}"]
            rows.append(tuple(row))
        return rows

    def _title(self) -> str:
        return (
            f"Violation of a Schwinger-Dyson identity, component {self.component}, by the action through "
            f"N^-{self.order}: expected to fall as N^-{self.expected}"
        )

    @property
    def _head(self) -> tuple[str, ...]:
        return ("N", "exact", "power of 1/N", "measured", "pull")[: 3 if self.measured is None else 5]

    def __str__(self) -> str:
        return "\n".join([self._title(), *("  ".join(row) for row in [self._head, *self._rows()])])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self._head)
        rows = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in self._rows())
        return f"<table><caption>{escape(self._title())}</caption><tr>{head}</tr>{rows}</table>"


def violation_order(
    net: Architecture,
    points: ArrayLike,
    *,
    order: int = 1,
    widths: Sequence[int] = (16, 32, 64, 128),
    degree: int = 3,
    n_nets: int | None = None,
    seed: int = 0,
) -> ViolationOrder:
    """Return how the violation of the Schwinger-Dyson identities by a truncated action falls with the width.

    The violation at finite N is a statement about finitely many moments, which are known exactly: ``degree + 2 order
    + 1`` of them for an action through ``N**-order``. With ``n_nets`` it is measured on sampled networks as well.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters but the width.
    points : array (n_points, input_dim)
    order : int
        Order in 1/N of the action.
    widths : sequence of int
        Increasing, at least two.
    degree : int
        Degree of F, 1 or 3.
    n_nets : int, optional
        Networks to sample at each width.
    seed : int

    Returns
    -------
    ViolationOrder

    Raises
    ------
    TypeError, ValueError
        If ``net`` is not such a network, the widths do not increase, the degree is not 1 or 3, or the identity holds
        exactly at every width (it is then not violated at any order).

    Examples
    --------
    >>> from diagrams import linear_net
    >>> found = violation_order(linear_net().at(sigma_w0=1, sigma_w1=1), [[1.0]], order=1, widths=(100, 200))
    >>> found.expected, round(float(found.exact_exponents[0]), 1)
    (2, 2.0)
    """
    if not isinstance(net, Architecture):
        raise TypeError(
            f"violation_order takes an Architecture, got {type(net).__name__}; for other ensembles use "
            "schwinger_dyson_test at several widths"
        )
    if net.width.is_number:
        raise ValueError(f"the network has N = {net.width} already; leave the width symbolic, widths= gives its values")
    if degree not in (1, 3):
        raise ValueError(f"degree must be 1 or 3, got {degree!r}")
    if len(widths) < 2 or any(a >= b for a, b in pairwise(widths)):
        raise ValueError(f"widths must increase, and there must be two or more, got {list(widths)}")
    first = point_action(net.at(N=widths[0]), points, order=order)
    actions = [_at_width(first, n) for n in widths]
    tensors = exact_violations(net.at(N=widths[0]), actions, degree)
    scale = max(float(np.abs(v).max()) for v in tensors)
    place = np.unravel_index(int(np.argmax(np.abs(tensors[-1]))), tensors[-1].shape)
    exact = np.array([float(v[place]) for v in tensors])
    if scale < 1e-11 or (np.abs(exact) < 1e-12).any():
        raise ValueError(
            f"the identities of degree {degree} hold exactly at these widths (violations below {max(scale, 1e-12):.1e})"
            ": there is no order at which they are violated; try another degree"
        )
    component = tuple(int(i) for i in place)
    if n_nets is None:
        return ViolationOrder(order, component, tuple(widths), exact)
    runs = [
        schwinger_dyson_test(action, Ensemble(net.at(N=n), n_nets=n_nets, seed=seed))
        for n, action in zip(widths, actions, strict=True)
    ]
    measured = np.array([float(run.violations[degree][place]) for run in runs])
    errors = np.array([float(run.errors[degree][place]) for run in runs])
    return ViolationOrder(order, component, tuple(widths), exact, measured, errors)


def _at_width(action: PointAction, width: int) -> PointAction:
    """Return the action of independent neurons at another width: its coefficients do not depend on N."""
    mean = None if action.mean is None else action.mean * (width / action.width) ** 0.5
    return replace(action, width=float(width), parameters={"1/N": 1 / width}, mean=mean)


def exact_violations(net: Architecture, actions: Sequence[PointAction], degree: int) -> list[_Array]:
    """Return ``E[F dS/dphi_l] - E[dF/dphi_l]`` from exact moments at the width of each action.

    Parameters
    ----------
    net : Architecture
        With numbers for all parameters; its own width does not matter.
    actions : sequence of PointAction
        At the same points, without a singular kernel.
    degree : int
        Degree of F.

    Returns
    -------
    list of array ``(n_points,) * (degree + 1)``
        The last index is l.
    """
    x = actions[0].points
    top = degree + max(action.polynomial.degree for action in actions) - 1
    correlators = net.connected_correlators(max_points=top)
    orders = range(2, top + 1, 2 if net.is_even else 1)
    scaled = {n: scaled_correlator(correlators, n, x) for n in orders}
    return [_violation(action, scaled, degree, net.is_even) for action in actions]


def _violation(action: PointAction, scaled: Mapping[int, _Array], degree: int, even: bool) -> _Array:
    m = action.n_points
    moments = _central_moments({n: t * action.width ** (1 - n / 2) for n, t in scaled.items()}, m, even)
    total = np.zeros((m**degree, m))
    for n, tensor in action.couplings.items():
        if degree + n - 1 in moments:
            total += moments[degree + n - 1].reshape(m**degree, -1) @ tensor.reshape(m, -1).T / factorial(n - 1)
    result = total.reshape((m,) * (degree + 1))
    if degree - 1 in moments:
        for place in range(degree):  # delta_{i_place l} times the moment of the others
            result -= np.moveaxis(np.multiply.outer(moments[degree - 1], np.eye(m)), -2, place)
    return result


def _central_moments(cumulants: Mapping[int, _Array], m: int, even: bool) -> dict[int, _Array]:
    """Return the moments of the fields less their mean as tensors; odd ones are left out where they vanish."""

    def cumulant(block: tuple[int, ...]) -> float:
        return float(cumulants[len(block)][block]) if len(block) in cumulants else 0.0

    result: dict[int, _Array] = {0: np.array(1.0)}
    for n in range(2 if even else 1, max(cumulants) + 1, 2 if even else 1):
        unique = [moment_from_cumulants(tuple(i), cumulant, even=even) for i in index_tuples(m, n).tolist()]
        result[n] = symmetric_tensor(np.array(unique, float), m, n)
    return result
