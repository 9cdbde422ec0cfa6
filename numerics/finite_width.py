r"""Correlators of deformed ensembles of finite width as numbers: bipartite diagrams on quadrature nodes.

A blob of r points is the r-th cumulant of one neuron, :math:`N^{1-r/2} \kappa_r`. A neuron of the free scalar net has a
momentum and a phase; with Gauss-Legendre nodes for the modulus of the momentum and equidistant ones for angles it is a
finite sum of features, and its moments at points and at nodes of the region are products of their matrices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from math import ceil, factorial, pi
from typing import Any

import numpy as np
import opt_einsum
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams._architecture import Architecture
from diagrams.correlators import ConnectedCorrelators
from diagrams.cumulants import set_partitions
from diagrams.graph import INTERACTION
from diagrams.interacting import InteractingCorrelators
from diagrams.momenta import MODULUS
from diagrams.regions import Sites
from diagrams.rules import FeynmanRules
from diagrams.scalar_feature import ScalarFeature
from diagrams.series import Exponents
from numerics.finite_box import _DENSER, CorrelatorValues
from numerics.points import as_points
from numerics.propagators import radial_momenta
from numerics.quadrature_grids import Grid, region_grid

Floats = NDArray[np.float64]

_MAX_FEATURES = 1 << 27  # numbers: one gigabyte


def has_numbers(correlators: ConnectedCorrelators) -> bool:
    """Return True for correlators that :func:`interacting_values` evaluates: integrals over regions of a scalar net."""
    source = correlators.source
    if not isinstance(source, InteractingCorrelators) or not isinstance(source.base.source, Architecture):
        return False
    is_region = all(t.is_local and t.region is not None and not isinstance(t.region, Sites) for t in source.terms)
    return is_region and isinstance(source.base.source.feature, ScalarFeature)


def interacting_values(
    correlators: ConnectedCorrelators, n: int, x: ArrayLike, *, tolerance: float = 1e-8
) -> CorrelatorValues:
    """Return the numbers of an n-point function of :func:`diagrams.finite_width_correlators` on all tuples of points.

    Parameters
    ----------
    correlators : ConnectedCorrelators
        Of a free scalar net with local interactions in one box or with one Gaussian weight, with numbers for all.
    n : int
    x : array_like (n_points, input_dim)
    tolerance : float
        Nodes are made denser until values change by less than this, relative to the largest.

    Returns
    -------
    CorrelatorValues
        Orders are the powers of 1/N, then of the couplings, numbers put in.

    Raises
    ------
    ValueError
        If the correlators are of another kind, a number is missing, or there are too many nodes.
    ArithmeticError
        If the values do not converge within the nodes allowed.

    Examples
    --------
    >>> from diagrams.finite_width import finite_width_correlators
    >>> from diagrams.phi4_networks import phi4_net
    >>> net = phi4_net(mass=1, cutoff=8, coupling=0.5, box=4).at(N=100)
    >>> found = interacting_values(finite_width_correlators(net, order={"1/N": 1, "lambda": 1}), 2, [[0.0]])
    >>> {tuple(map(int, key)): round(v.item(), 6) for key, v in found.orders.items()}
    {(0, 0): 0.460417, (0, 1): -0.028233, (1, 1): -0.007526}
    """
    if not has_numbers(correlators):
        raise ValueError(
            "numbers are known for a free scalar net with local interactions in a box or a Gaussian weight"
        )
    source: Any = correlators.source
    if len({t.region for t in source.terms}) > 1:
        raise ValueError("interactions on several regions have no common quadrature nodes: evaluate them one by one")
    points = as_points(x, source.input_dim)
    refinement = 1.0
    coarse, _ = _on_nodes(source, n, points, refinement)
    while True:
        fine, n_nodes = _on_nodes(source, n, points, _DENSER * refinement)
        error = max((float(np.abs(fine[key] - coarse[key]).max()) for key in fine), default=0.0)
        scale = max((float(np.abs(value).max()) for value in fine.values()), default=1.0)
        if error <= tolerance * scale:
            return CorrelatorValues(points, fine, error, n_nodes)
        if refinement > 4:
            raise ArithmeticError(
                f"values change by {error:.1e} of {scale:.1e} with denser nodes: use a smaller region"
            )
        refinement, coarse = _DENSER * refinement, fine


def _on_nodes(
    source: InteractingCorrelators, n: int, points: Floats, refinement: float
) -> tuple[dict[Exponents, Floats], int]:
    net, region = source.base.source, source.terms[0].region
    assert isinstance(net, Architecture)
    assert isinstance(net.feature, ScalarFeature)
    assert region is not None
    net.parameter_values()
    largest = max(source.blob_sizes(n))
    wavenumber = max(t.valence for t in source.terms) * float(net.feature.momenta.radius)
    grid = region_grid(region, net.input_dim, wavenumber=wavenumber, refinement=refinement)
    blobs = _Blobs(net, points, grid, largest, refinement)
    rules = FeynmanRules.mixed(source._vertex_rules(), source.blob_sizes(n), source.parameters).without_constants
    found: dict[Exponents, Floats] = {}
    for graph in source.diagrams(n):
        _, operands, output = rules.contraction(graph)
        kinds = zip(graph.kinds, graph.valences, strict=True)
        constants = _vertex_constants(source, [v for kind, v in kinds if kind == INTERACTION])
        power = sum((sympy.Rational(len(i), 2) - 1 for _, i in operands), sympy.S.Zero)
        wanted = {key: c for key, c in constants.items() if _is_kept((power, *key), source.order)}
        if not wanted:
            continue
        value = blobs.contracted([index for _, index in operands], output) / graph.symmetry_factor
        for key, constant in wanted.items():
            full = (power, *key)
            part = constant * float(net.width) ** -float(power) * value
            found[full] = found[full] + part if full in found else part
    return dict(sorted(found.items(), key=lambda kv: (sum(kv[0]), kv[0]))), grid.n_nodes


def _is_kept(key: Exponents, order: Iterable[int | None]) -> bool:
    return all(h is None or e <= h for e, h in zip(key, order, strict=True))


def _vertex_constants(source: InteractingCorrelators, valences: list[int]) -> dict[Exponents, float]:
    """Return the product of the couplings of vertices, signs included, by powers of the couplings."""
    values = dict(source.values)
    found: dict[Exponents, float] = {}
    for chosen in product(*([t for t in source.terms if t.valence == v] for v in valences)):
        key = tuple(sum((t.order[i] for t in chosen), sympy.S.Zero) for i in range(len(source.couplings)))
        number = sympy.Mul(*(-t.kernel * t.power(source.couplings) for t in chosen)).xreplace(values)
        if number.free_symbols:
            raise ValueError(f"parameter(s) {sorted(map(str, number.free_symbols))} of the interaction have no numbers")
        found[key] = found.get(key, 0.0) + float(number)
    return found


class _Blobs:
    """Cumulants of one neuron at points and nodes, without powers of N."""

    def __init__(self, net: Architecture, points: Floats, grid: Grid, largest: int, refinement: float) -> None:
        nodes = grid.nodes
        reach = largest * float(np.sqrt((np.concatenate([points, nodes]) ** 2).sum(axis=1)).max())
        probability, features = _neuron(net.feature, reach, largest, refinement)
        if len(probability) * len(nodes) > _MAX_FEATURES:
            raise ValueError(
                f"{len(probability)} neurons at {len(nodes)} quadrature nodes are too many: use a smaller region or "
                "cutoff, or a lower order in 1/N"
            )
        self._weights = grid.weights.ravel()
        self._features = {True: features(points), False: features(nodes)}
        self._probability = probability
        self._readout = {r: float(net.readout.moment(r)) for r in range(1, largest + 1)}
        self._is_even = net.is_even
        self._power = cache(self._feature_power)
        self._cumulant = cache(self._cumulant_of)

    def contracted(self, blobs: list[tuple[int, ...]], output: tuple[int, ...]) -> Floats:
        """Return the product of blobs at indices, summed over the nodes of all that are not in the output."""
        operands: list[Any] = []
        for index in blobs:
            counts = sorted(Counter(index).items(), key=lambda item: (item[0] not in output, item[1], item[0]))
            pattern = tuple((i in output, count) for i, count in counts)
            operands += [self._cumulant(pattern), [i for i, _ in counts]]
        for i in sorted({i for index in blobs for i in index} - set(output)):
            operands += [self._weights, [i]]
        return np.asarray(opt_einsum.contract(*operands, list(output)))

    def _feature_power(self, is_point: bool, count: int) -> Floats:
        return self._features[is_point] ** count

    def _cumulant_of(self, pattern: tuple[tuple[bool, int], ...]) -> Floats:
        """Return the cumulant with each variable as often as the pattern says, one axis for each variable."""
        labels = [k for k, (_, count) in enumerate(pattern) for _ in range(count)]
        partitions: Counter[tuple[tuple[int, ...], ...]] = Counter()
        for partition in set_partitions(range(len(labels)), even=self._is_even):
            partitions[tuple(sorted(tuple(sorted(labels[i] for i in block)) for block in partition))] += 1
        moments: dict[tuple[int, ...], Floats] = {}
        total: Any = 0.0
        for blocks, ways in partitions.items():
            factor = ways * (-1) ** (len(blocks) - 1) * factorial(len(blocks) - 1)
            term: Any = factor
            for block in blocks:
                if block not in moments:
                    moments[block] = self._moment(block, pattern)
                term = term * moments[block]
            total = total + term
        return np.asarray(total)

    def _moment(self, block: tuple[int, ...], pattern: tuple[tuple[bool, int], ...]) -> Floats:
        counts = Counter(block)
        operands: list[Any] = [self._probability, [0]]
        for k, count in counts.items():
            operands += [self._power(pattern[k][0], count), [0, k + 1]]
        value = opt_einsum.contract(*operands, [k + 1 for k in sorted(counts)])
        shape = [self._features[is_point].shape[1] if k in counts else 1 for k, (is_point, _) in enumerate(pattern)]
        return np.asarray(self._readout[len(block)] * value).reshape(shape)


def _neuron(feature: Any, reach: float, largest: int, refinement: float) -> tuple[Floats, Any]:
    """Return probabilities of quadrature nodes for the parameters of a neuron, and its features at points."""
    dim, cutoff = feature.input_dim, float(feature.momenta.radius)
    if dim > 2:
        raise ValueError(f"quadrature over the momenta of a neuron is there for 1 and 2 dimensions, got {dim}")
    k, w = radial_momenta(float(feature.mass), cutoff, refinement * reach)
    profile = _of_modulus(feature.momenta.profile / feature.momenta.normalisation, k)
    amplitude = np.sqrt(_of_modulus(feature.squared_amplitude, k))
    # k and -k are one neuron up to its phase, and a shift of the phase by pi only changes the sign
    n_angles = 1 if dim == 1 else ceil(refinement * (cutoff * reach / 2 + 24))
    angles = pi * np.arange(n_angles) / n_angles
    area = 2.0 if dim == 1 else 2 * pi
    n_phases = largest // 2 + 1 if largest % 2 == 0 else largest + 1
    phases = (pi if largest % 2 == 0 else 2 * pi) * np.arange(n_phases) / n_phases
    radial = w * profile * area * k ** (dim - 1)
    probability = np.repeat(radial, n_angles * n_phases) / (n_angles * n_phases)
    directions = np.stack([np.cos(angles), np.sin(angles)][:dim], axis=1)

    def features(x: Floats) -> Floats:
        wave = np.multiply.outer(k, directions @ x.T)  # (n_k, n_angles, n_points)
        values = np.cos(wave[:, :, None, :] + phases[None, None, :, None]) * amplitude[:, None, None, None]
        return values.reshape(-1, len(x))

    return probability, features


def _of_modulus(expr: Any, k: Floats) -> Floats:
    values = sympy.lambdify(MODULUS, sympy.sympify(expr), "numpy")(k)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), k.shape)
