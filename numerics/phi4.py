r"""Correlators of a deformed net at several widths, and their limit of infinite width.

What is of zeroth and first order in the couplings is known exactly at every width, by the bipartite diagrams; only the
rest is sampled, and extrapolated in 1/N. At strong coupling the first order says nothing, and the correlator itself is
extrapolated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.engineering import FieldDeformed
from diagrams.finite_width import finite_width_correlators
from numerics.ensemble import Ensemble
from numerics.finite_width import interacting_values
from numerics.interacting_samples import sample_interacting
from numerics.kernels import index_tuples
from numerics.parts import parts_correlators
from numerics.points import as_points
from numerics.results import Estimate
from numerics.reweighting import EffectiveSampleSizeError
from numerics.scalar_density import ScalarDensity

Floats = NDArray[np.float64]

ORDERS = (2, 4)
SAMPLERS = ("auto", "parts", "hmc", "pcn")
_MIN_EFFECTIVE = 100.0
_WEAK = 6.0  # average of Delta S over free networks up to which independent networks are reweighted
_CHAINS = 16


@dataclass(frozen=True, eq=False)
class WidthStudy:
    """An n-point function of networks of several widths, and its limit.

    Parameters
    ----------
    n : int
        2 or 4.
    points : array (n_points, input_dim)
    widths : tuple of int
    exact : array (n_widths, K)
        What is of zeroth and first order in the couplings at each width.
    exact_limit : array (K,)
        The same at infinite width.
    free, first_order_limit : arrays (K,)
        Its two parts, at infinite width.
    values, errors : arrays (n_widths, K)
        The connected correlator and its standard errors.
    limit, limit_errors : arrays (K,)
        At infinite width.
    samplers : tuple of str
        How networks of each width were sampled.
    estimates : tuple of Estimate
        What was measured at each width.
    net : FieldDeformed
    is_weak : bool
        Whether what is known of first order was taken off before the fit in 1/N. At strong coupling it depends on the
        width far more than the correlator itself does, which is then fitted as it is.
    """

    n: int
    points: Floats
    widths: tuple[int, ...]
    exact: Floats
    exact_limit: Floats
    free: Floats
    first_order_limit: Floats
    values: Floats
    errors: Floats
    limit: Floats
    limit_errors: Floats
    samplers: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    net: FieldDeformed
    is_weak: bool = True

    @property
    def diagnostics(self) -> tuple[dict[str, Any], ...]:
        """What the samples are worth at each width."""
        return tuple(_diagnostics(e) for e in self.estimates)

    def order(self, n: int) -> WidthStudy:
        """Return the study of fewer points from the same networks: ``width_study(..., n=4).order(2)``.

        Raises
        ------
        ValueError
            If n is not 2 or 4, or larger than the n of this study.
        """
        if n not in ORDERS or n > self.n:
            raise ValueError(f"n must be 2 or 4 and at most {self.n}, got {n!r}")
        return _fitted(self.net, n, self.points, self.widths, self.estimates, self.samplers)

    @property
    def indices(self) -> NDArray[np.intp]:
        """The tuples of points, shape (K, n)."""
        return index_tuples(len(self.points), self.n)

    def pulls(self, exact: ArrayLike) -> Floats:
        """Return (limit - exact) / error for every tuple of points."""
        return np.asarray((self.limit - np.asarray(exact, dtype=np.float64)) / self.limit_errors)


def width_study(
    net: FieldDeformed,
    x: ArrayLike,
    *,
    n_nets: Mapping[int, int],
    n: int = 2,
    method: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> WidthStudy:
    r"""Return a connected correlator at several widths and at infinite width, from sampled networks.

    Parameters
    ----------
    net : FieldDeformed
        A :func:`diagrams.phi4_net`, or a scalar net with even local interactions, with numbers for all but the width.
    x : array_like (n_points, input_dim)
    n_nets : mapping from width to number of networks
        At least two widths. The rest after the first order in the couplings, or the correlator itself where it depends
        on the width less than the rest does, is fitted as a polynomial in 1/N: linear for two widths, quadratic for
        three and more. What the fit leaves out, of the next power, is not in the errors.
    n : {2, 4}
        Points of the correlator.
    method : {"auto", "parts", "hmc", "pcn"}
        Independent networks by parts (:mod:`numerics.parts`), or chains (:func:`sample_interacting`). ``"auto"``
        takes chains where Delta S of networks without the interaction is above 6 on average.
    seed : int
        Of the first width; the others follow.
    progress : bool
        Say on standard error what is being sampled.

    Returns
    -------
    WidthStudy

    Raises
    ------
    ValueError
        If an argument is out of range, there are fewer than two widths, the theory is not even, or weights are worth
        fewer than 100 networks.
    NotConvergedError
        If chains have not converged.

    Examples
    --------
    >>> from diagrams.phi4_networks import phi4_net
    >>> net = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4)
    >>> study = width_study(net, [[0.0]], n_nets={50: 1000, 200: 1000}, seed=1)
    >>> bool(abs(study.limit[0] - 0.4364) < 5 * study.limit_errors[0])
    True
    """
    if len(n_nets) < 2:
        raise ValueError(f"the limit of infinite width needs at least two widths, got {sorted(n_nets)}")
    if n not in ORDERS:
        raise ValueError(f"n must be 2 or 4, got {n!r}")
    if method not in SAMPLERS:
        raise ValueError(f"no method {method!r}; choose one of {', '.join(map(repr, SAMPLERS))}")
    if not net.is_even:
        raise ValueError("the change by an interaction is known for even theories: leave odd powers out")
    points = as_points(x, net.input_dim)
    widths = tuple(sorted(n_nets))
    estimates, samplers = [], []
    pairs = _first_order(net.at(N=widths[0]), 2, points)
    for i, width in enumerate(widths):
        if progress:
            _say(f"sampling {n_nets[width]} networks of width {width}")
        found, name = _sampled(net.at(N=width), points, n, n_nets[width], method, seed + i, pairs.change(width))
        estimates.append(found)
        samplers.append(name)
    return _fitted(net, n, points, widths, tuple(estimates), tuple(samplers))


def _fitted(
    net: FieldDeformed,
    n: int,
    points: Floats,
    widths: tuple[int, ...],
    estimates: tuple[Estimate, ...],
    samplers: tuple[str, ...],
) -> WidthStudy:
    known = _first_order(net.at(N=widths[0]), n, points)
    exact = np.array([known.at(width) for width in widths])
    values, errors = (np.array([getattr(e, kind)(n) for e in estimates]) for kind in ("values", "errors"))
    is_weak = _variation(values - exact, errors) < _variation(values, errors)
    rest, rest_errors = _limit(np.array(widths), values - exact if is_weak else values, errors)
    limit = known.limit + rest if is_weak else rest
    parts = exact, known.limit, known.free, known.first, values, errors, limit, rest_errors
    return WidthStudy(n, points, widths, *parts, samplers, estimates, net, is_weak)


def _variation(values: Floats, errors: Floats) -> float:
    """Return how much values differ between the widths, by their errors."""
    weights = errors**-2.0
    mean = (weights * values).sum(axis=0) / weights.sum(axis=0)
    return float((weights * (values - mean) ** 2).sum())


def _sampled(
    net: FieldDeformed, points: Floats, n: int, n_nets: int, method: str, seed: int, first_order: Floats
) -> tuple[Estimate, str]:
    """Return an estimate, and the sampler that made it."""
    ensemble = Ensemble(net, n_nets=n_nets, seed=seed)
    if method == "auto":
        method = "parts" if ScalarDensity.of(ensemble).mean_interaction <= _WEAK else "hmc"
    if method != "parts":
        samples = sample_interacting(
            net, points, method=method, n_chains=_CHAINS, n_draws=max(20, n_nets // _CHAINS), seed=seed
        )
        return samples.correlators(max_points=n), method
    try:
        found = parts_correlators(ensemble, points, max_points=n, first_order=first_order)
    except EffectiveSampleSizeError as error:
        found = error.estimate
    size = float(found.dataset.attrs["effective_sample_size"])
    if size < _MIN_EFFECTIVE:
        raise ValueError(
            f"{n_nets} networks of width {net.width} are worth {size:.1f} after reweighting, fewer than "
            f"{_MIN_EFFECTIVE:g}: the coupling or the region is too large for independent networks; use method='hmc'"
        )
    return found, method


def _diagnostics(estimate: Estimate) -> dict[str, Any]:
    attrs = estimate.dataset.attrs
    names = ("n_nets", "effective_sample_size", "ess_bulk", "r_hat", "acceptance", "n_leaps", "quadrature_error")
    found = {name: attrs[name] for name in names if name in attrs}
    worth = found["effective_sample_size"] if "effective_sample_size" in found else found["ess_bulk"]
    return found | {"fraction": float(worth) / found["n_nets"]}


@dataclass(frozen=True, eq=False)
class _Known:
    """Zeroth and first order in the couplings as powers of 1/N."""

    powers: Mapping[float, Floats]
    free: Floats
    first: Floats

    def change(self, width: float) -> Floats:
        """Return what is of first order in the couplings at a width."""
        return self.at(width) - self.free

    def at(self, width: float) -> Floats:
        return np.asarray(sum(value * width**-power for power, value in self.powers.items()))

    @property
    def limit(self) -> Floats:
        return self.free + self.first


def _first_order(net: FieldDeformed, n: int, points: Floats) -> _Known:
    couplings = [m for term in net.interaction.local for m, _ in term.couplings]
    names = ["lambda"] if len(couplings) == 1 else [f"g_{m}" for m in couplings]
    order: dict[str, int | None] = {"1/N": None} | dict.fromkeys(names, 1)
    found = interacting_values(finite_width_correlators(net, order=order, max_points=n), n, points)
    places = tuple(index_tuples(len(points), n).T)
    powers: dict[float, Floats] = {}
    parts = [np.zeros(len(places[0])), np.zeros(len(places[0]))]
    for key, value in found.orders.items():
        vertices, power = int(sum(key[1:])), float(key[0])
        if vertices > 1:
            continue
        powers[power] = powers.get(power, 0.0) + value[places] * float(net.width) ** power
        if power == 0:
            parts[vertices] += value[places]
    return _Known(powers, *parts)


def _limit(widths: NDArray[np.intp], rest: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Return the constants of weighted polynomial fits in 1/N, and their errors."""
    powers = np.vander(1 / widths, min(3, len(widths)), increasing=True)
    limits, sigmas = np.empty(rest.shape[1]), np.empty(rest.shape[1])
    for i in range(rest.shape[1]):
        weighted = powers / errors[:, i : i + 1]
        covariance = np.linalg.inv(weighted.T @ weighted)
        limits[i] = covariance[0] @ weighted.T @ (rest[:, i] / errors[:, i])
        sigmas[i] = np.sqrt(covariance[0, 0])
    return limits, sigmas


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr)
