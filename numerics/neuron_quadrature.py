"""Connected correlators of smooth features without a closed form, by the trapezoidal rule over a neuron's parameters.

For an analytic function under a Gaussian the trapezoidal rule converges faster than any power of its step (Trefethen
and Weideman, SIAM Review 56 (2014) 385), and one set of nodes serves all components: products of features at the points
are summed as they are for sampled neurons. Steps are refined until two of them agree.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from diagrams.activations import ErfFeature
from diagrams.architectures import Architecture
from diagrams.expectation import ExpectationIntegral
from numerics.compare import predict
from numerics.estimators import BlockSums, monomial_sums, n_monomials
from numerics.kernels import index_tuples
from numerics.methods import neuron_model
from numerics.neuron_cumulants import ReadoutMoments, neuron_correlators, output_bias, weighted_cumulants
from numerics.neuron_sampling import HiddenNumbers
from numerics.point_values import scaled_from_neurons
from numerics.points import as_points
from numerics.sign_moments import erf_moments

Floats = NDArray[np.float64]

_REACH = 8.5  # of a standard normal: exp(-8.5**2 / 2) is below rounding
_STEPS = (0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02)
_MOST_NODES = 1_000_000
_CHUNK = 1 << 15


def exact_correlators(net: Architecture, x: Floats, n: int, *, rtol: float = 1e-10) -> Floats:
    """Return the exact n-point connected correlators on unique index tuples of points.

    From the closed form where there is one, else by the trapezoidal rule or, for error functions of many parameters,
    Plackett's integrals (:mod:`numerics.sign_moments`), else component by component
    (:func:`diagrams.expectation.evaluate`).

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    x : array (n_points, input_dim)
    n : int
    rtol : float
        Of the largest component, where it is not closed.

    Returns
    -------
    array (number of index tuples,)

    Examples
    --------
    >>> from diagrams import erf_net
    >>> net = erf_net().at(N=20, sigma_w0=1, sigma_b0=1, sigma_w1=1)
    >>> exact_correlators(net, np.array([[1.0]]), 4).round(6)
    array([0.01999])
    """
    points = as_points(x, net.input_dim)
    net.parameter_values()
    return _exact(net, points.tobytes(), points.shape, n, rtol).copy()


@lru_cache(maxsize=64)
def _exact(net: Architecture, raw: bytes, shape: tuple[int, int], n: int, rtol: float) -> Floats:
    points = np.frombuffer(raw).reshape(shape)
    index = index_tuples(len(points), n)
    if n % 2 and net.is_even:
        return np.zeros(len(index))
    correlators = net.connected_correlators(max_points=n)
    if (scaled := scaled_from_neurons(correlators, n, points)) is not None:  # moments: fewer terms for many points
        return scaled * float(net.width) ** (1 - n / 2)
    if correlators[n].expr.has(ExpectationIntegral):
        for route in (trapezoidal_correlators, erf_correlators):
            if (found := route(net, points, n, rtol=rtol)) is not None:
                return found
    return predict(correlators, n, points, index)


def trapezoidal_correlators(net: Architecture, points: Floats, n: int, *, rtol: float = 1e-10) -> Floats | None:
    """Return the n-point connected correlators by the trapezoidal rule, or None if it does not converge.

    It does not for features with kinks, for too many parameters, and where products of features grow so fast that the
    Gaussian does not cut them off.
    """
    found = _converged(net, points.tobytes(), points.shape, n, rtol)
    return None if found is None else found.copy()


def erf_correlators(net: Architecture, points: Floats, n: int, *, rtol: float = 1e-10) -> Floats | None:
    """Return the n-point connected correlators of an Erf-net by Plackett's integrals; None for other nets."""
    feature = net.feature
    if not isinstance(feature, ErfFeature):
        return None
    bias = float(feature.bias_variance)
    covariance = bias + float(feature.weights.variance) * (points @ points.T)
    means = [erf_moments(covariance, index_tuples(len(points), g), rtol=rtol / 10) for g in range(1, n + 1)]
    if any(m is None for m in means):
        return None
    index = index_tuples(len(points), n)
    kept = [m[None] for m in means if m is not None]
    found = weighted_cumulants(kept, None, index, ReadoutMoments(net))[0] * float(net.width) ** (1 - n / 2)
    return found + output_bias(net, index, len(points))


@lru_cache(maxsize=64)
def _converged(net: Architecture, raw: bytes, shape: tuple[int, int], n: int, rtol: float) -> Floats | None:
    points = np.frombuffer(raw).reshape(shape)
    try:
        numbers = HiddenNumbers.of(net, neuron_model(net), points)
    except (NotImplementedError, TypeError, ValueError):  # no kernel for this feature
        return None
    if not numbers.normals or numbers.uniforms:
        return None
    previous: Floats | None = None
    for step in _STEPS:
        if len(_nodes(step)[0]) ** len(numbers.normals) > _MOST_NODES:
            return None
        sums = _sums(numbers, n, step)
        if sums is None:
            return None
        values = neuron_correlators(sums, n, net, independent=False).values
        if previous is not None and np.abs(values - previous).max() <= rtol * np.abs(values).max():
            return values
        previous = values
    return None


def _nodes(step: float) -> tuple[Floats, Floats]:
    nodes: Floats = step * np.arange(-round(_REACH / step), round(_REACH / step) + 1, dtype=np.float64)
    weights: Floats = np.exp(-(nodes**2) / 2)
    return nodes, weights / float(weights.sum())


def _sums(numbers: HiddenNumbers, n: int, step: float) -> BlockSums | None:
    """Return averages of products of features as the sums of one block; None if the ends of the range matter."""
    nodes, weights = _nodes(step)
    dim = len(numbers.normals)
    low = min(dim, 2)  # the last two axes are evaluated at once
    inner = np.stack(np.meshgrid(*[nodes] * low, indexing="ij"), axis=-1).reshape(-1, low)
    inner_weights = np.prod(np.stack(np.meshgrid(*[weights] * low, indexing="ij"), axis=-1).reshape(-1, low), axis=1)
    total, ends = np.zeros(n_monomials(len(numbers.points), n)), 0.0
    for outer in product(range(len(nodes)), repeat=dim - low):
        front = np.prod(weights[list(outer)])
        for first in range(0, len(inner), _CHUNK):
            some, w = inner[first : first + _CHUNK], front * inner_weights[first : first + _CHUNK]
            normals = np.concatenate([np.broadcast_to(nodes[list(outer)], (len(some), dim - low)), some], axis=1)
            features = numbers.features(normals, np.zeros((len(some), 0)))
            if not np.isfinite(features).all():
                return None
            total += monomial_sums(np, features, n, w)
            at_end = np.abs(normals).max(axis=1) > nodes[-1] - step / 2
            ends += float((w[at_end, None] * np.abs(features[at_end]) ** n).sum())
    size = np.abs(total[n_monomials(len(numbers.points), n - 1) :]).max()
    if not ends <= 1e-11 * size:
        return None
    # two equal blocks: the estimator of cumulants wants more than one
    return BlockSums(len(numbers.points), n, np.array([1, 1]), np.stack([total, total]), np.zeros(len(numbers.points)))
