r"""Invariance of measured correlators under groups of maps of the outputs (arXiv:2106.00694, section 4).

If the density of functions is invariant, the moments :math:`E[f_{a_1}(x) \cdots f_{a_n}(x)]` are invariant tensors:
every generator T annihilates them. Each network gives one value of :math:`T \cdot (f \otimes \cdots \otimes f)`, whose
average over networks is compared with zero by Hotelling's test, the full covariance taken from the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from diagrams.groups import Group
from numerics.ensemble import Ensemble
from numerics.group_elements import random_elements
from numerics.kernels import index_tuples

Floats = NDArray[np.float64]

THRESHOLD = 5.0  # standard errors from which a symmetry counts as broken
_RANK = 1e-9
_CHUNKS = 10


@dataclass(frozen=True)
class OrderTest:
    """The test of one order.

    Parameters
    ----------
    n : int
        Number of fields.
    chi2 : float
        Hotelling's T^2.
    degrees : int
        Independent components that must vanish.
    p_value : float
        By the F distribution.
    sigma : float
        The same as a number of standard deviations of a normal variable.
    smallest : float
        Size of a violation, relative to the spread of the components over networks, that would be seen at 5 sigma.
    """

    n: int
    chi2: float
    degrees: int
    p_value: float
    sigma: float
    smallest: float


@dataclass(frozen=True, eq=False)
class InvarianceTest:
    """Tests of several orders, and the verdict.

    Parameters
    ----------
    group : Group
    n_nets : int
    orders : tuple of OrderTest
    """

    group: Group
    n_nets: int
    orders: tuple[OrderTest, ...]

    @property
    def max_sigma(self) -> float:
        """The most significant violation."""
        return max(o.sigma for o in self.orders)

    @property
    def holds(self) -> bool:
        """True if no order is violated by 5 sigma; a symmetry may be broken by less than the networks can show."""
        return self.max_sigma < THRESHOLD


@dataclass(frozen=True, eq=False)
class SymmetryTest(InvarianceTest):
    """Whether measured correlators are invariant under maps of the outputs.

    Parameters
    ----------
    mean_shift, root_mean_square, delta : dict from n to float
        mu_M and sigma_M of :math:`M_n = R \\cdots R\\, G^{(n)} - G^{(n)}` over sampled elements and components, and the
        error delta M_n from ten chunks of networks, as in arXiv:2106.00694, appendix C.
    """

    mean_shift: dict[int, float]
    root_mean_square: dict[int, float]
    delta: dict[int, float]

    def __str__(self) -> str:
        lines = [f"{self.group} on the outputs of {self.n_nets} networks: {'compatible' if self.holds else 'broken'}"]
        for o in self.orders:
            lines.append(
                f"  n = {o.n}: chi2 {o.chi2:.1f} for {o.degrees} components, {o.sigma:.1f} sigma "
                f"(5 sigma from {o.smallest:.2g} of the spread); mu_M {self.mean_shift[o.n]:.2g}, "
                f"sigma_M {self.root_mean_square[o.n]:.2g}, delta M {self.delta[o.n]:.2g}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def symmetry_test(
    networks: Any,
    group: Group,
    *,
    x: ArrayLike | None = None,
    orders: Sequence[int] = (1, 2, 4),
    pairs: str = "all",
    elements: int = 200,
    sampling: str = "haar",
    seed: Any = 0,
) -> SymmetryTest:
    """Return whether measured n-point functions are invariant under maps of the outputs.

    Parameters
    ----------
    networks : Ensemble or array (n_nets, n_outputs, n_points)
        Outputs of networks, trained or not; an Ensemble is sampled at ``x``.
    group : Group
        Without translations, of the size of the outputs.
    x : array_like (n_points, input_dim), optional
        For an Ensemble.
    orders : sequence of int
        Numbers of fields n. One field is tested at all points, two at all pairs of them, more at the first point, as
        in arXiv:2106.00694.
    pairs : {"all", "equal"}
        Whether the two fields may be at different points; ``"equal"`` needs fewer networks for the covariance.
    elements : int
        Sampled elements, for mu_M and sigma_M.
    sampling : {"haar", "positive"}
        See :func:`numerics.group_elements.random_elements`.
    seed : int or numpy.random.SeedSequence
        Of the elements.

    Returns
    -------
    SymmetryTest

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, or there are too few networks for the covariance.

    Examples
    --------
    >>> from diagrams import Orthogonal, cos_net
    >>> ensemble = Ensemble(cos_net(output_dim=3).at(N=10, sigma_w0=1, sigma_w1=1), n_nets=5000, seed=1)
    >>> symmetry_test(ensemble, Orthogonal(3), x=[[0.0], [1.0]]).holds
    True
    """
    f = _outputs(networks, x)
    check_linear_group(group, f.shape[1])
    if pairs not in ("all", "equal"):
        raise ValueError(f"pairs must be 'all' or 'equal', got {pairs!r}")
    found = [_tested(f, group, _order(n), pairs == "all") for n in orders]
    rotations = random_elements(group, elements, sampling=sampling, seed=seed)
    paper = {n: _published(f, rotations, n) for n in orders}
    mu, sigma, delta = ({n: paper[n][k] for n in orders} for k in range(3))
    return SymmetryTest(group, len(f), tuple(found), mu, sigma, delta)


@dataclass(frozen=True, eq=False)
class SymmetryBreaking:
    """Directions of a Lie algebra, from the least to the most broken.

    Parameters
    ----------
    group : Group
    coefficients : array (n_generators, n_generators)
        Rows: combinations of the generators.
    sigmas : array (n_generators,)
        How far each is broken, in standard deviations.
    """

    group: Group
    coefficients: Floats
    sigmas: Floats

    @property
    def n_unbroken(self) -> int:
        """Dimension of the symmetry that remains: directions broken by less than 5 sigma."""
        return int((self.sigmas < THRESHOLD).sum())

    @property
    def unbroken(self) -> Floats:
        """The generators that remain, shape (n_unbroken, size, size)."""
        generators = generator_matrices(self.group)
        return np.tensordot(self.coefficients[self.sigmas < THRESHOLD], generators, axes=1)

    def __repr__(self) -> str:
        return f"<SymmetryBreaking: {self.n_unbroken} of {len(self.sigmas)} generators of {self.group} remain>"


def symmetry_breaking(networks: Any, group: Group, *, x: ArrayLike | None = None, n: int = 1) -> SymmetryBreaking:
    """Return which part of a group the measured n-point functions leave, by the generators that violate them least.

    Parameters
    ----------
    networks, x
        As for :func:`symmetry_test`.
    group : Group
        With generators.
    n : int
        Number of fields at one point; all points are used.

    Raises
    ------
    TypeError, ValueError
        As for :func:`symmetry_test`, or if the group has no generators.
    """
    f = _outputs(networks, x)
    check_linear_group(group, f.shape[1])
    if not group.generators:
        raise ValueError(f"{group} has no generators to rank")
    monomials = _monomials(f, _order(n), range(f.shape[2]))
    maps = [np.kron(np.eye(f.shape[2]), m) for m in _generator_maps(group, n)]
    mean, covariance = monomials.mean(axis=0), np.atleast_2d(np.cov(monomials, rowvar=False))
    inverse = np.asarray(np.linalg.pinv(covariance, rcond=_RANK, hermitian=True), dtype=np.float64)
    moved = np.array([m @ mean for m in maps])
    _, vectors = np.linalg.eigh(moved @ inverse @ moved.T)
    sigmas = [
        _violation(np.asarray(np.tensordot(c, maps, axes=1)), mean, np.asarray(covariance), inverse, len(f))
        for c in np.ascontiguousarray(vectors.T)
    ]
    order = np.argsort(sigmas)
    return SymmetryBreaking(group, vectors.T[order], np.array(sigmas)[order])


def _violation(change: Floats, mean: Floats, covariance: Floats, inverse: Floats, n_nets: int) -> float:
    """Return how far from zero a map takes the mean, in standard deviations.

    The size is measured in the metric of the covariance of the monomials, whatever the map: in that of their images a
    small admixture of a broken direction would count as much as a large one. Noise in it is a sum of squares with
    weights, taken as a multiple of chi^2 with the same mean and variance (Satterthwaite), over that of the covariance.
    """
    size = n_nets * float((change @ mean) @ inverse @ (change @ mean))
    noise = inverse @ change @ covariance @ change.T
    trace, square = float(np.trace(noise)), float((noise * noise.T).sum())
    if trace <= 0:
        return 0.0
    return _sigma(_log_tail(size / trace, trace**2 / square, n_nets))


def _outputs(networks: Any, x: ArrayLike | None) -> Floats:
    if isinstance(networks, Ensemble):
        if x is None:
            raise TypeError("an Ensemble needs points: x=...")
        f = np.asarray(networks.sample(x), dtype=np.float64)
        return f.reshape(len(f), networks.n_outputs, -1)
    if x is not None:
        raise TypeError("x is for an Ensemble: outputs that are given are at points already")
    f = np.asarray(networks, dtype=np.float64)
    if f.ndim != 3 or 0 in f.shape or not np.isfinite(f).all():
        raise ValueError(f"outputs must be a finite array (n_nets, n_outputs, n_points), got shape {f.shape}")
    return f


def check_linear_group(group: Any, n_outputs: int) -> None:
    """Raise an error if the group does not map so many outputs linearly.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(group, Group):
        raise TypeError(f"the group must be one such as Orthogonal(3), got {group!r}")
    if group.translations:
        raise ValueError(f"{group} shifts what it acts on; outputs can only be mapped linearly")
    if group.size != n_outputs:
        raise ValueError(f"{group} acts on {group.size} real components, but there are {n_outputs} outputs")


def _order(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 6:
        raise ValueError(f"orders must be integers from 1 to 6, got {n!r}")
    return n


def generator_matrices(group: Group) -> Floats:
    """Return the generators as numbers, shape (n_generators, size, size)."""
    return np.array([np.array(t.tolist(), dtype=np.float64) for t in group.generators])


def _monomials(f: Floats, n: int, points: Sequence[int]) -> Floats:
    """Return products of n outputs at one point, shape (n_nets, n_points * n_monomials)."""
    index = index_tuples(f.shape[1], n)
    return np.hstack([np.prod(f[:, index, p], axis=2) for p in points])


def _generator_maps(group: Group, n: int) -> list[Floats]:
    """Return the changes of the monomials of degree n under the generators, to first order."""
    index = [tuple(map(int, t)) for t in index_tuples(group.size, n)]
    place = {t: i for i, t in enumerate(index)}
    found = []
    for t in generator_matrices(group):
        change = np.zeros((len(index), len(index)))
        for i, monomial in enumerate(index):
            for k, a in enumerate(monomial):
                for b in np.flatnonzero(t[a]):
                    other = tuple(sorted((*monomial[:k], int(b), *monomial[k + 1 :])))
                    change[i, place[other]] += t[a, b]
        found.append(change)
    return found


def _reflection_maps(group: Group, n: int) -> list[Floats]:
    """Return the changes of the monomials of degree n under the reflections."""
    index = [tuple(map(int, t)) for t in index_tuples(group.size, n)]
    place = {t: i for i, t in enumerate(index)}
    found = []
    for r in group.reflections:
        matrix = np.array(r.tolist(), dtype=np.float64)
        change = -np.eye(len(index))
        for i, monomial in enumerate(index):
            for target in product(*(np.flatnonzero(matrix[a]) for a in monomial)):
                weight = np.prod([matrix[a, b] for a, b in zip(monomial, target, strict=True)])
                change[i, place[tuple(sorted(map(int, target)))]] += weight
        found.append(change)
    return found


def _tested(f: Floats, group: Group, n: int, mixed_pairs: bool = True) -> OrderTest:
    points = range(f.shape[2]) if n <= 2 else range(1)
    changes = _row_space(np.vstack([*_generator_maps(group, n), *_reflection_maps(group, n)]))
    images = [_monomials(f, n, [p]) @ changes.T for p in points]
    if n == 2 and mixed_pairs and f.shape[2] > 1:
        changes = _row_space(_pair_maps(group))
        first, second = np.triu_indices(f.shape[2], 1)
        products = f[:, :, None, first] * f[:, None, :, second]
        images += [products[..., k].reshape(len(f), -1) @ changes.T for k in range(len(first))]
    joined = np.hstack(images)
    return hotelling(joined, np.eye(joined.shape[1]), n)


def _pair_maps(group: Group) -> Floats:
    """Return the changes of products of two outputs at different points under generators and reflections."""
    one = np.eye(group.size)
    maps = [np.kron(t, one) + np.kron(one, t) for t in generator_matrices(group)]
    reflections = [np.array(r.tolist(), dtype=np.float64) for r in group.reflections]
    return np.vstack([*maps, *(np.kron(r, r) - np.eye(group.size**2) for r in reflections)])


def _row_space(maps: Floats) -> Floats:
    """Return an orthonormal basis of what the maps see: all of them vanish where these components do."""
    _, size, rows = np.linalg.svd(maps, full_matrices=False)
    return np.asarray(rows[size > _RANK * max(size.max(initial=0.0), 1.0)])


def hotelling(monomials: Floats, maps: Floats, n: int) -> OrderTest:
    """Return the test that the images of the monomials vanish on average."""
    images = monomials @ maps.T
    if not images.shape[1]:
        return OrderTest(n, 0.0, 0, 1.0, 0.0, 0.0)
    mean, covariance = images.mean(axis=0), np.atleast_2d(np.cov(images, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    used = values > _RANK * max(values[-1], np.finfo(float).tiny)
    degrees, n_nets = int(used.sum()), len(monomials)
    if not degrees:
        return OrderTest(n, 0.0, 0, 1.0, 0.0, 0.0)
    if n_nets < 4 * degrees:
        raise ValueError(
            f"{n_nets} networks are too few for the covariance of {degrees} components of order {n}: use "
            f"{4 * degrees} or more networks, fewer points or lower orders"
        )
    scores = (mean @ vectors[:, used]) / np.sqrt(values[used])
    chi2 = float(n_nets * scores @ scores)
    ratio = chi2 * (n_nets - degrees) / (degrees * (n_nets - 1))
    log_p = _log_tail(ratio, degrees, n_nets - degrees)
    limit = degrees + THRESHOLD * np.sqrt(2 * degrees) + THRESHOLD**2
    return OrderTest(n, chi2, degrees, float(np.exp(log_p)), _sigma(log_p), float(np.sqrt(limit / n_nets)))


def _log_tail(ratio: float, a: float, b: float) -> float:
    """Return the logarithm of the probability that an F variable of a and b degrees is larger, also far out."""
    p = float(stats.f.sf(ratio, a, b))
    if p > 1e-290:
        return float(np.log(p))
    z = b / (b + a * ratio)  # the incomplete beta function I_z(b/2, a/2) for small z^(b/2)
    return float(b / 2 * np.log(z) + a / 2 * np.log1p(-z) - np.log(b / 2) - special.betaln(b / 2, a / 2))


def _sigma(log_p: float) -> float:
    """Return the number of standard deviations with this two-sided probability, also where that underflows."""
    if log_p > -600:
        return float(stats.norm.isf(np.exp(log_p) / 2))
    size = np.sqrt(-2 * log_p)
    for _ in range(3):  # p = sqrt(2/pi) exp(-s^2/2)/s
        size = np.sqrt(-2 * (log_p + np.log(size * np.sqrt(np.pi / 2))))
    return float(size)


def _published(f: Floats, rotations: Floats, n: int) -> tuple[float, float, float]:
    """Return mu_M, sigma_M and delta M: of two fields at all pairs of points, of others at the first point."""
    chunks = np.array_split(f if n == 2 else f[:, :, :1], min(_CHUNKS, len(f)))
    tensors = np.array([_pair_tensor(part) if n == 2 else _tensor(part[:, :, 0], n) for part in chunks])
    weights = np.array([len(part) for part in chunks]) / len(f)
    total = np.tensordot(weights, tensors, axes=1)
    changes = np.array([_rotated(total, r, n) - total for r in rotations])
    spread = tensors.std(axis=0, ddof=1) if len(chunks) > 1 else np.full_like(total, np.nan)
    return float(changes.mean()), float(np.sqrt((changes**2).mean())), float(np.sqrt(2) * spread.mean())


def _pair_tensor(f: Floats) -> Floats:
    """Return the averages of two fields, shape (n_outputs, n_outputs, n_points, n_points)."""
    return np.asarray(np.tensordot(f, f, axes=(0, 0)).transpose(0, 2, 1, 3) / len(f))


def _tensor(f: Floats, n: int) -> Floats:
    product: Floats = f
    for k in range(n - 1):
        product = product[..., None] * f.reshape(len(f), *[1] * (k + 1), -1)
    return np.asarray(product.mean(axis=0))


def _rotated(tensor: Floats, rotation: Floats, n: int) -> Floats:
    for axis in range(n):
        tensor = np.moveaxis(np.tensordot(rotation, tensor, axes=(1, axis)), 0, axis)
    return tensor
