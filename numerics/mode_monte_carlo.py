r"""The theory at infinite width by Monte Carlo over the modes of the field: no network, no diagram.

Below the cutoff the Gaussian field is a sum of waves,

.. math:: \phi(x) = \sum_k \sqrt{w_k G(k)}\, [a_k \cos(k \cdot x) + b_k \sin(k \cdot x)],

with independent standard normals a and b, Gauss-Legendre nodes with weights w for the modulus of k, and equidistant
angles: its two-point function is the propagator to rounding over the distances that occur. At the points and at the
quadrature nodes of the region it is a Gaussian vector, which is drawn through the eigenvectors of its covariance, and
weighted by exp(-Delta S).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, factorial, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.engineering import FieldDeformed
from diagrams.interactions import LocalInteraction
from diagrams.regions import Box, GaussianWeight, Region
from numerics.blocks import block_size, make_blocks
from numerics.field_samples import FieldSamples
from numerics.kernels import index_tuples
from numerics.points import as_points
from numerics.propagators import radial_momenta
from numerics.quadrature_grids import Grid, region_grid

Floats = NDArray[np.float64]

_RANK_CUT = 1e-13  # of the variance: directions below are rounding
_MAX_NUMBERS = 1 << 22  # of a batch of fields
_DENSER = 1.5
_TEST_FIELDS = 256
_TEST = 1 << 30  # number of the random stream of test fields


def field_monte_carlo(
    x: ArrayLike,
    *,
    mass: float = 1.0,
    cutoff: float = 8.0,
    coupling: float | Mapping[int, float] = 0.5,
    box: float | None = None,
    weight: float | None = None,
    input_dim: int = 1,
    n_fields: int = 100_000,
    seed: int | np.random.SeedSequence = 0,
) -> FieldSamples:
    r"""Return fields of the cut-off theory at points, with their weights exp(-Delta S).

    The theory is that of :func:`diagrams.phi4_net` at infinite width: free field with momenta in the ball of radius
    ``cutoff``, interaction :math:`\sum_n (g_n/n!) \int f \phi^n` in a box or with a Gaussian weight.

    Parameters
    ----------
    x : array_like (n_points, input_dim)
    mass, cutoff : float
    coupling : float, or mapping from n to g_n
        lambda of phi^4 theory, or all couplings.
    box, weight : float
        One of them: the side of the box or the width of the Gaussian weight.
    input_dim : int
        1 or 2.
    n_fields : int
        Independent fields.
    seed : int or SeedSequence

    Returns
    -------
    FieldSamples
        ``.correlators(max_points=2)`` has the estimates, ``.diagnostics`` what the weights are worth.

    Raises
    ------
    ValueError
        If a value is out of range, the potential is unbounded below, or there are too many quadrature nodes.

    Examples
    --------
    >>> fields = field_monte_carlo([[0.0]], coupling=0.1, box=4.0, n_fields=20_000)
    >>> estimate = fields.correlators(max_points=2)
    >>> bool(abs(estimate.values(2)[0] - 0.455) < 5 * estimate.errors(2)[0])
    True
    """
    net = _theory(mass, cutoff, coupling, box, weight, input_dim)
    points = as_points(x, input_dim)
    if isinstance(n_fields, bool) or not isinstance(n_fields, int) or n_fields < 16:
        raise ValueError(f"n_fields must be an integer >= 16, got {n_fields!r}")
    sampler = _Sampler(net, points)
    fields, logs, counts = [], [], []
    for block in make_blocks(n_fields, block_size(n_fields)):
        rng = np.random.default_rng(_child(seed, block.index))
        phi, log_weights = sampler.draw(net, rng, block.n_nets)
        fields.append(phi)
        logs.append(log_weights)
        counts.append(block.n_nets)
    attrs: dict[str, Any] = {
        "method": "modes of the Gaussian field, reweighted",
        "quadrature_nodes": len(sampler.weights),
        "quadrature_error": _quadrature_error(net, sampler, seed),
        "n_modes": sampler.rank,
        "seed": str(seed),
    }
    label = f"modes below {float(cutoff):g} in {input_dim} dimension(s) with {net.interaction}"
    return FieldSamples(np.concatenate(fields), np.concatenate(logs), points, tuple(counts), label, attrs)


def _theory(mass: float, cutoff: float, coupling: Any, box: Any, weight: Any, input_dim: int) -> FieldDeformed:
    from diagrams.architectures import scalar_net
    from diagrams.engineering import deform

    if (box is None) == (weight is None):
        raise ValueError(f"give either box (a side) or weight (a Gaussian width), got box={box!r}, weight={weight!r}")
    if input_dim not in (1, 2):
        raise ValueError(f"modes are there for 1 and 2 dimensions, got input_dim={input_dim!r}")
    if not (mass > 0 and cutoff > 0):
        raise ValueError(f"mass and cutoff must be positive, got {mass!r} and {cutoff!r}")
    region: Region = GaussianWeight(weight) if box is None else Box(box)
    couplings = dict(coupling) if isinstance(coupling, Mapping) else {4: coupling}
    if not isinstance(coupling, Mapping) and coupling < 0:
        raise ValueError(f"the coupling must be >= 0, got {coupling!r}: exp(-S) cannot be normalised")
    return deform(scalar_net(input_dim=input_dim, mass=mass, cutoff=cutoff), LocalInteraction(couplings, region))


def change_by_interaction(samples: FieldSamples, *, first_order: ArrayLike | None = None) -> tuple[Floats, Floats]:
    r"""Return the change of the two-point function by the interaction, and its standard errors.

    The weighted less the plain average of the same fields, :math:`\mathrm{Cov}(w, \phi\phi) / \langle w \rangle`: what
    both have in common drops out, so that errors are smaller than those of the two-point function by the square root of
    the variance of the weights. Where the first order in the couplings is known exactly, its estimate
    :math:`-\mathrm{Cov}(\Delta S, \phi\phi)` from the same fields is a control variate: its error is taken off, times
    the factor that leaves the smallest variance over blocks. For fields with zero mean, such as those of even theories.

    Parameters
    ----------
    samples : FieldSamples
        Of :func:`field_monte_carlo`, or of networks.
    first_order : array_like (K,), optional
        :math:`-\mathrm{Cov}(\Delta S, \phi\phi)` of the ensemble that was sampled: the sum of the bipartite diagrams of
        first order, at its width.

    Returns
    -------
    values, errors : arrays (K,)
        On :func:`~numerics.kernels.index_tuples` of two points; errors by a jackknife over blocks.

    Raises
    ------
    ValueError
        If there are fewer than two blocks.
    """
    if len(samples.counts) < 2:
        raise ValueError(f"errors need at least two blocks of fields, got {len(samples.counts)}")
    phi = np.asarray(samples.fields, dtype=np.float64)
    index = index_tuples(phi.shape[1], 2)
    pairs = phi[:, index[:, 0]] * phi[:, index[:, 1]]
    weights = np.exp(samples.log_weights)
    starts = np.cumsum([0, *samples.counts[:-1]])
    parts = [pairs, np.ones((len(phi), 1))]
    for factor in (weights, samples.log_weights):
        parts += [factor[:, None] * pairs, factor[:, None]]
    sums = np.add.reduceat(np.concatenate(parts, axis=1), starts, axis=0)
    total = sums.sum(axis=0)
    value, control = _change(total, len(index))
    values, controls = _change(total - sums, len(index))
    if first_order is not None:
        deviations, others = values - values.mean(axis=0), controls - controls.mean(axis=0)
        slope = (deviations * others).sum(axis=0) / np.maximum((others**2).sum(axis=0), np.finfo(float).tiny)
        value = value - slope * (control - np.asarray(first_order, dtype=np.float64))
        values = values - slope * controls
    n = len(sums)
    return value, np.sqrt((n - 1) / n * ((values - values.mean(axis=0)) ** 2).sum(axis=0))


def _change(total: Floats, k: int) -> tuple[Floats, Floats]:
    """Return the change by the interaction and its first order from sums of pairs, one, and both times weights."""
    mean = total / total[..., k : k + 1]
    pairs, weighted, logs = mean[..., :k], mean[..., k + 1 : 2 * k + 1], mean[..., 2 * k + 2 : 3 * k + 2]
    weight, log = mean[..., 2 * k + 1 : 2 * k + 2], mean[..., 3 * k + 2 : 3 * k + 3]
    return weighted / weight - pairs, logs - pairs * log


class _Sampler:
    """The Gaussian field at points and nodes, and its interaction."""

    def __init__(self, net: FieldDeformed, points: Floats) -> None:
        grid = _grid(net, 1.0)
        self.nodes, self.weights = grid.nodes, grid.weights.ravel()
        waves = _modes(net, np.concatenate([points, grid.nodes]))
        # there are more modes than places: eigenvectors of the covariance leave only the directions that matter
        values, vectors = np.linalg.eigh(waves @ waves.T)
        kept = values > _RANK_CUT * values[-1]
        self.root = vectors[:, kept] * np.sqrt(values[kept])
        self.n_points = len(points)

    @property
    def rank(self) -> int:
        """Number of independent directions."""
        return int(self.root.shape[1])

    def draw(self, net: FieldDeformed, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """Return fields at the points (count, n_points) and log weights (count,)."""
        fields, logs = [], []
        step = max(1, _MAX_NUMBERS // len(self.root))
        for start in range(0, count, step):
            phi = rng.standard_normal((min(step, count - start), self.rank)) @ self.root.T
            fields.append(phi[:, : self.n_points].copy())
            logs.append(-_interaction(net, phi[:, self.n_points :], self.weights))
        return np.concatenate(fields), np.concatenate(logs)


def _grid(net: FieldDeformed, refinement: float) -> Grid:
    (term,) = net.interaction.local
    top = max(n for n, _ in term.couplings)
    wavenumber = top * float(net.base.feature.momenta.radius)
    return region_grid(term.region, net.input_dim, wavenumber=wavenumber, refinement=refinement)


def _interaction(net: FieldDeformed, phi: Floats, weights: Floats) -> Floats:
    """Return Delta S of fields at the quadrature nodes, shape (count,)."""
    (term,) = net.interaction.local
    coefficients = np.zeros(1 + max(n for n, _ in term.couplings))
    for n, g in term.couplings:
        coefficients[n] = float(g) / factorial(n)
    density = np.asarray(np.polynomial.polynomial.polyval(phi, coefficients), dtype=np.float64)
    return density @ weights


def _quadrature_error(net: FieldDeformed, sampler: _Sampler, seed: Any) -> float:
    """Return the largest change of Delta S among test fields when the nodes are made denser."""
    denser = _grid(net, _DENSER)
    waves = _modes(net, np.concatenate([sampler.nodes, denser.nodes]))
    phi = np.random.default_rng(_child(seed, _TEST)).standard_normal((_TEST_FIELDS, waves.shape[1])) @ waves.T
    cut = len(sampler.nodes)
    change = _interaction(net, phi[:, :cut], sampler.weights)
    change = change - _interaction(net, phi[:, cut:], denser.weights.ravel())
    return float(np.abs(change).max())


def _modes(net: FieldDeformed, places: Floats) -> Floats:
    """Return the waves of the field at places, one column for each independent standard normal."""
    dim, feature = net.input_dim, net.base.feature
    mass, cutoff = float(feature.mass), float(feature.momenta.radius)
    reach = 2 * float(np.sqrt((places**2).sum(axis=1)).max())
    k, w = radial_momenta(mass, cutoff, reach)
    n_angles = 1 if dim == 1 else ceil(cutoff * reach / 2 + 24)
    angles = pi * np.arange(n_angles) / n_angles
    area = 2.0 if dim == 1 else 2 * pi
    variance = np.repeat(area * w * k ** (dim - 1) / (k**2 + mass**2) / (2 * pi) ** dim, n_angles) / n_angles
    directions = np.stack([np.cos(angles), np.sin(angles)][:dim], axis=1)
    phase = np.multiply.outer(places @ directions.T, k).transpose(0, 2, 1).reshape(len(places), -1)
    root = np.sqrt(variance)
    return np.concatenate([root * np.cos(phase), root * np.sin(phase)], axis=1)


def _child(seed: Any, index: int) -> np.random.SeedSequence:
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, index))
