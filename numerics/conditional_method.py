r"""Connected correlators with the output weights integrated analytically.

Given the hidden parameters, outputs are Gaussian with covariance
:math:`K_{ij} = \frac{\sigma^2}{N} \sum_a h_{ai} h_{aj}` (output weights Gaussian without mean, independent of the
hidden parameters, which may depend on one another). By the law of total cumulance

.. math:: G_c^{(n)} = \sum_{\text{pairings}} \kappa_{n/2}[K_{i_1 i_2}, \ldots, K_{i_{n-1} i_n}],

cumulants of fluctuations of K, which are of order N**(-1/2), in place of those of the outputs themselves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.cumulants import pairings
from diagrams.deep import DeepArchitecture
from diagrams.distributions import Constant, Gaussian
from diagrams.symbols import coordinates
from numerics.estimators import BlockSums, Cumulants, estimate_cumulants, ranks
from numerics.kernels import index_tuples
from numerics.kernels.features import FeatureNeuron
from numerics.model import NetworkModel, model_of
from numerics.neuron_cumulants import output_bias


def check_conditional(architecture: Architecture | DeepArchitecture, dtype: str) -> None:
    """Raise ValueError if outputs are not Gaussian given the hidden parameters, or float32 would swamp the result."""
    if isinstance(architecture, Architecture) and not (
        isinstance(architecture.readout, Gaussian) and architecture.has_symmetric_readout
    ):
        raise ValueError(
            f"method='conditional' needs Gaussian output weights without mean, this net has {architecture.readout}"
            f"{' and means ' + str(architecture.means) if architecture.means else ''}; "
            "use method='neuron', which takes any density of the output weights"
        )
    if dtype != "float64":
        raise ValueError(
            "method='conditional' takes cumulants of small fluctuations about a large mean, which float32 would swamp; "
            "use dtype='float64'"
        )


def pair_model(architecture: Architecture) -> NetworkModel:
    """Return networks of the same hidden neurons whose field at a pair of points (x, y) is K(x, y).

    Their points are those of :func:`pairs_of`. Compiled code evaluates the feature once at each of the points that they
    are pairs of.
    """
    bare = replace(architecture, readout=Constant(1), sigma_b1=0 * architecture.sigma_b1, output_dim=1, means=())
    single = model_of(replace(bare, width=architecture.width**0))
    neuron, dim = single.neuron, architecture.input_dim
    assert isinstance(neuron, FeatureNeuron)  # weights of value one are not those of the argument kernels
    other = coordinates(2, dim)
    there = neuron.expression.xreplace(dict(zip(neuron.coordinates, other, strict=True)))
    pair = replace(
        neuron,
        name=f"{neuron.name}_pair",
        expression=neuron.expression * there,
        coordinates=(*neuron.coordinates, *other),
        half=neuron.expression,
    )
    weight = float(architecture.readout.cumulant(2) / architecture.width)
    return replace(
        single, neuron=pair, input_dim=2 * dim, width=int(architecture.width), constants=(weight, *single.constants[1:])
    )


def pairs_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all pairs of points, shape (number of pairs i <= j, 2 input_dim)."""
    first, second = index_tuples(len(points), 2).T
    return np.hstack([points[first], points[second]])


def conditional_correlators(
    sums: BlockSums, order: int, architecture: Architecture | DeepArchitecture, n_points: int
) -> Cumulants:
    """Return the n-point connected correlators from sums of products of K; odd ones vanish.

    Parameters
    ----------
    sums : BlockSums
        Of K at all pairs of points.
    order : int
    architecture : Architecture or DeepArchitecture
    n_points : int
    """
    indices = index_tuples(architecture.output_dim * n_points, order)
    values, deviations = np.zeros(len(indices)), np.zeros((len(sums.counts), len(indices)))
    if order % 2:
        return Cumulants(indices, values, deviations)
    places, outputs = indices % n_points, indices // n_points
    tuples, same = [], []
    for pairing in pairings(range(order)):
        members = [np.sort(places[:, list(pair)], axis=1) for pair in pairing]
        tuples.append(np.sort(np.stack([ranks(m, n_points) for m in members], axis=1), axis=1))
        same.append(np.all([outputs[:, a] == outputs[:, b] for a, b in pairing], axis=0))
    wanted, place = np.unique(np.concatenate(tuples), axis=0, return_inverse=True)
    found = estimate_cumulants(sums, order // 2, wanted)
    for rows, kept in zip(np.split(place.ravel(), len(tuples)), same, strict=True):
        values += np.where(kept, found.values[rows], 0.0)
        deviations += np.where(kept, found.deviations[:, rows], 0.0)
    return Cumulants(indices, values + output_bias(architecture, indices, n_points), deviations)
