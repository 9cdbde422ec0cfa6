r"""Connected correlators of independent neurons from products of features of single neurons.

With independent, identically distributed neurons :math:`G_c^{(n)} = N^{1 - n/2} \kappa_n[z h]`, where
:math:`z = \sqrt N W^1` is independent of the feature h. A product of moments in the cumulant factorises,
:math:`E[\prod z h] = E[\prod z]\, E[\prod h]`: the first factor is known exactly and only the second is sampled.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from math import factorial, perm, prod

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.cumulants import set_partitions
from diagrams.deep import DeepArchitecture
from numerics.estimators import BlockSums, Cumulants, jackknife, jackknife_deviations, n_monomials, ranks
from numerics.kernels import index_tuples

Floats = NDArray[np.float64]
Outputs = tuple[int, ...]


class ReadoutMoments:
    """``E[z_a1 ... z_ak]`` of the output weights of one neuron times sqrt(N), independent for different outputs.

    Parameters
    ----------
    architecture : Architecture
        With numbers for all parameters.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._moment = cache(lambda a, k: float(architecture.readout_of(a).moment(k)))
        self.parts = cache(self._parts)

    def __call__(self, outputs: Outputs) -> float:
        """Return the moment of weights to the outputs given."""
        return prod(self._moment(a, outputs.count(a)) for a in set(outputs))

    def _parts(self, outputs: Outputs) -> tuple[float, ...]:
        r"""Return for b = 1, 2, ... the sum over partitions into b parts of the product of the moments of the parts.

        Each is multiplied by :math:`(-1)^{b-1} (b-1)!`, the Moebius function of a block that consists of b others.
        """
        found = [0.0] * len(outputs)
        for partition in set_partitions(range(len(outputs))):
            value = prod(self(tuple(sorted(outputs[i] for i in part))) for part in partition)
            found[len(partition) - 1] += value
        return tuple((-1) ** b * factorial(b) * value for b, value in enumerate(found))


def _coefficient(blocks: list[tuple[float, ...]], n: int | None) -> float:
    r"""Return the factor of a product of means of features, one for each block T of a set partition.

    Products of b moments are estimated without bias by sums over b distinct samples, as in
    :func:`numerics.estimators.k_statistic_coefficient`; the Stirling numbers there become sums weighted with moments of
    output weights. Without ``n``, the factor for infinitely many samples.
    """
    total = 0.0
    sizes = [range(1, 2 if n is None else len(parts) + 1) for parts in blocks]
    for chosen in product(*sizes):
        if value := prod(parts[b - 1] for parts, b in zip(blocks, chosen, strict=True)):
            b = sum(chosen)
            distinct = 1.0 if n is None else n ** len(blocks) / perm(n, b)
            total += (-1) ** (b - 1) * factorial(b - 1) * distinct * value
    return total


def weighted_cumulants(
    means: list[Floats], counts: NDArray[np.int64] | None, indices: NDArray[np.int64], moments: ReadoutMoments
) -> Floats:
    r"""Return :math:`\kappa_n[z h]` for several sets of means of products of features.

    Parameters
    ----------
    means : list of arrays (n_sets, number of index tuples of degree g), g = 1 ... n
        Means of products of features at the points.
    counts : array (n_sets,) of int, optional
        Samples in each set; the result is then unbiased for independent samples. Without, products of means are taken
        as they are.
    indices : array (K, n) of int
        Index tuples of fields: point plus number of points times output.
    moments : ReadoutMoments

    Returns
    -------
    array (n_sets, K)
    """
    n_points, order = means[0].shape[1], indices.shape[1]
    places, outputs = indices % n_points, indices // n_points
    total = np.zeros((len(means[0]), len(indices)))
    distinct, which = (None, None) if counts is None else np.unique(counts, return_inverse=True)
    patterns, members = np.unique(outputs, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        chosen = np.flatnonzero(members.ravel() == k)
        for partition in set_partitions(range(order)):
            blocks = [moments.parts(tuple(int(pattern[i]) for i in block)) for block in partition]
            if distinct is None:
                factor = np.full((len(total), 1), _coefficient(blocks, None))
            else:
                factor = np.array([_coefficient(blocks, int(n)) for n in distinct])[which][:, None]
            if not factor.any():
                continue
            term: Floats = np.ones((1, 1))
            for block in partition:
                rows = np.sort(places[chosen][:, list(block)], axis=1)
                term = term * means[len(block) - 1][:, ranks(rows, n_points)]
            total[:, chosen] += factor * term
    return total


def neuron_correlators(
    sums: BlockSums, order: int, architecture: Architecture, *, independent: bool, factor: float = 1.0
) -> Cumulants:
    r"""Return the n-point connected correlators from sums of products of features of single neurons.

    Parameters
    ----------
    sums : BlockSums
        Of features at the points, about zero.
    order : int
    architecture : Architecture
        With numbers for all parameters.
    independent : bool
        Whether the samples of a block are independent: the estimate is then unbiased, else its bias of first order is
        taken out by the jackknife.
    factor : float
        Features were divided by this number.
    """
    moments, width = ReadoutMoments(architecture), float(architecture.width)
    totals = sums.sums.sum(axis=0)
    sets = np.vstack([totals, totals - sums.sums])
    counts = np.concatenate([[sums.n_samples], sums.n_samples - sums.counts])
    columns = [slice(n_monomials(sums.n_points, g - 1), n_monomials(sums.n_points, g)) for g in range(1, order + 1)]
    means = [sets[:, c] / counts[:, None] for c in columns]
    indices = index_tuples(architecture.output_dim * sums.n_points, order)
    found = weighted_cumulants(means, counts if independent else None, indices, moments)
    found *= width ** (1 - order / 2) * factor**order
    if independent:
        values, deviations = found[0], jackknife_deviations(found[0], found[1:], sums.counts)
    else:
        values, deviations = jackknife(found[0], found[1:], sums.counts)
    return Cumulants(indices, values + output_bias(architecture, indices, sums.n_points), deviations)


def output_bias(architecture: Architecture | DeepArchitecture, indices: NDArray[np.int64], n_points: int) -> Floats:
    """Return what the output bias adds: its variance to the two-point function of equal outputs."""
    outputs = indices // n_points
    same = (indices.shape[1] == 2) & (outputs == outputs[:, :1]).all(axis=1)
    return float(architecture.sigma_b1) ** 2 * same
