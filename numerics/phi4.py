r"""The two-point function of a deformed net at several widths, and its limit of infinite width.

The change of the two-point function by the interaction is split in two. Its first order in the couplings is known
exactly at every width, by the bipartite diagrams; only the rest is sampled, by reweighting, and extrapolated in 1/N.
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
from numerics.kernels import index_tuples
from numerics.mode_monte_carlo import change_by_interaction
from numerics.points import as_points

Floats = NDArray[np.float64]

_MIN_EFFECTIVE = 100.0


@dataclass(frozen=True, eq=False)
class WidthStudy:
    """Two-point functions of networks of several widths, and their limit.

    Parameters
    ----------
    points : array (n_points, input_dim)
    widths : tuple of int
    free : array (K,)
        Without interaction, the same at every width.
    first_order : array (n_widths, K)
        What the interaction changes at first order, exactly, at each width.
    values, errors : arrays (n_widths, K)
        The two-point function and its standard errors.
    limit, limit_errors : arrays (K,)
        At infinite width.
    first_order_limit : array (K,)
        The first order at infinite width.
    diagnostics : tuple of dict
        What the weights are worth at each width.
    """

    points: Floats
    widths: tuple[int, ...]
    free: Floats
    first_order: Floats
    values: Floats
    errors: Floats
    limit: Floats
    limit_errors: Floats
    first_order_limit: Floats
    diagnostics: tuple[Mapping[str, Any], ...]

    @property
    def indices(self) -> NDArray[np.intp]:
        """The pairs of points, shape (K, 2)."""
        return index_tuples(len(self.points), 2)

    def pulls(self, exact: ArrayLike) -> Floats:
        """Return (limit - exact) / error for every pair of points."""
        return np.asarray((self.limit - np.asarray(exact, dtype=np.float64)) / self.limit_errors)


def width_study(
    net: FieldDeformed, x: ArrayLike, *, n_nets: Mapping[int, int], seed: int = 0, progress: bool = False
) -> WidthStudy:
    r"""Return the two-point function at several widths and at infinite width, from reweighted networks.

    Parameters
    ----------
    net : FieldDeformed
        A :func:`diagrams.phi4_net`, or a scalar net with even local interactions, with numbers for all but the width.
    x : array_like (n_points, input_dim)
    n_nets : mapping from width to number of networks
        At least two widths. The rest after the first order in the couplings is fitted as a polynomial in 1/N: linear
        for two widths, quadratic for three and more.
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
        If there are fewer than two widths, the theory is not even, or weights are worth fewer than 100 networks.

    Examples
    --------
    >>> from diagrams.phi4_networks import phi4_net
    >>> net = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4)
    >>> study = width_study(net, [[0.0]], n_nets={50: 2000, 200: 1000}, seed=1)
    >>> bool(abs(study.limit[0] - 0.4364) < 5 * study.limit_errors[0])
    True
    """
    if len(n_nets) < 2:
        raise ValueError(f"the limit of infinite width needs at least two widths, got {sorted(n_nets)}")
    if not net.is_even:
        raise ValueError("the change by an interaction is known for even theories: leave odd powers out")
    points = as_points(x, net.input_dim)
    widths = tuple(sorted(n_nets))
    first = [_first_order(net.at(N=n), points) for n in widths]
    changes, errors, diagnostics = [], [], []
    for i, n in enumerate(widths):
        if progress:
            _say(f"sampling {n_nets[n]} networks of width {n}")
        samples = Ensemble(net.at(N=n), n_nets=n_nets[n], seed=seed + i).sample(points)
        if samples.effective_sample_size < _MIN_EFFECTIVE:
            raise ValueError(
                f"{n_nets[n]} networks of width {n} are worth {samples.effective_sample_size:.1f} after reweighting, "
                f"fewer than {_MIN_EFFECTIVE:g}: the coupling or the region is too large for independent networks"
            )
        change, error = change_by_interaction(samples, first_order=first[i][1])
        changes.append(change)
        errors.append(error)
        diagnostics.append(samples.diagnostics)
    free, slopes, ordinary = first[0][0], np.array([f[1] for f in first]), first[0][2]
    rest, rest_errors = _limit(np.array(widths), np.array(changes) - slopes, np.array(errors))
    return WidthStudy(
        points,
        widths,
        free,
        slopes,
        free + np.array(changes),
        np.array(errors),
        free + ordinary + rest,
        rest_errors,
        ordinary,
        tuple(diagnostics),
    )


def _first_order(net: FieldDeformed, points: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the free two-point function, the first order at this width, and that at infinite width, on pairs."""
    couplings = [n for term in net.interaction.local for n, _ in term.couplings]
    names = ["lambda"] if len(couplings) == 1 else [f"g_{n}" for n in couplings]
    order: dict[str, int | None] = {"1/N": None} | dict.fromkeys(names, 1)
    found = interacting_values(finite_width_correlators(net, order=order), 2, points)
    pairs = tuple(index_tuples(len(points), 2).T)
    by_order = {0: np.zeros(len(pairs[0])), 1: np.zeros(len(pairs[0]))}
    ordinary = np.zeros(len(pairs[0]))
    for key, value in found.orders.items():
        vertices = int(sum(key[1:]))
        if vertices < 2:
            by_order[vertices] += value[pairs]
        if vertices == 1 and key[0] == 0:
            ordinary += value[pairs]
    return by_order[0], by_order[1], ordinary


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
