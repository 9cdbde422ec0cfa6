r"""Invariance of measured correlators under maps of the inputs: the same networks at moved points.

If the density of functions is invariant, :math:`E[f(g x_1) \cdots f(g x_n)] = E[f(x_1) \cdots f(x_n)]`. The same
networks are evaluated at both sets of points, and the differences of products, over several elements g of the group,
are tested against zero with their full covariance (Hotelling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.groups import Group
from numerics.ensemble import Ensemble
from numerics.group_elements import random_elements
from numerics.kernels import index_tuples
from numerics.points import as_points
from numerics.symmetry_tests import InvarianceTest, OrderTest, hotelling

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InputSymmetryTest(InvarianceTest):
    """Whether measured correlators are invariant under maps of the inputs.

    Parameters
    ----------
    moved : array (n_elements, n_points, input_dim)
        Where the points were taken.
    """

    moved: Floats

    def __str__(self) -> str:
        lines = [f"{self.group} on the inputs of {self.n_nets} networks: {'compatible' if self.holds else 'broken'}"]
        lines += [
            f"  n = {o.n}: chi2 {o.chi2:.1f} for {o.degrees} components, {o.sigma:.1f} sigma "
            f"(5 sigma from {o.smallest:.2g} of the spread)"
            for o in self.orders
        ]
        return "\n".join(lines)

    __repr__ = __str__


def input_symmetry_test(
    ensemble: Ensemble,
    group: Group,
    x: ArrayLike,
    *,
    orders: Sequence[int] = (2, 4),
    elements: int = 3,
    reach: float = 1.0,
    seed: Any = 0,
) -> InputSymmetryTest:
    """Return whether measured n-point functions are invariant under maps of the inputs.

    Parameters
    ----------
    ensemble : Ensemble
    group : Group
        Of the size of the inputs: rotations, translations, permutations of components, ...
    x : array_like (n_points, input_dim)
        A few points; all index tuples of them are tested, with all outputs.
    orders : sequence of int
        Numbers of points n, 1 to 6.
    elements : int
        Random elements that move the points.
    reach : float
        Standard deviation of each component of a translation.
    seed : int or numpy.random.SeedSequence
        Of the elements.

    Returns
    -------
    InputSymmetryTest

    Raises
    ------
    TypeError, ValueError
        If the group does not act on the inputs, an order is out of range, or there are too few networks for the
        covariance.

    Examples
    --------
    >>> from diagrams import Translation, cos_net
    >>> ensemble = Ensemble(cos_net().at(N=5, sigma_w0=1, sigma_w1=1), n_nets=4000, seed=1)
    >>> input_symmetry_test(ensemble, Translation(1), [[0.0], [1.0]]).holds
    True
    """
    if not isinstance(group, Group):
        raise TypeError(f"the group must be one such as Orthogonal(2) or Translation(1), got {group!r}")
    points = as_points(x, ensemble.input_dim)
    if group.size != ensemble.input_dim:
        raise ValueError(f"{group} acts on {group.size} real components, but inputs have {ensemble.input_dim}")
    if wrong := [n for n in orders if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 6]:
        raise ValueError(f"orders must be integers from 1 to 6, got {wrong[0]!r}")
    linear, shifts = np.random.SeedSequence(seed).spawn(2)
    matrices = random_elements(group, elements, seed=linear)
    moved = points @ matrices.transpose(0, 2, 1)
    if group.translations:
        moved = moved + reach * np.random.default_rng(shifts).normal(size=(elements, 1, points.shape[1]))
    every = np.concatenate([points[None], moved])
    f = np.asarray(ensemble.sample(every.reshape(-1, points.shape[1])), dtype=np.float64)
    f = f.reshape(len(f), ensemble.n_outputs, elements + 1, len(points)).transpose(0, 2, 1, 3)
    f = f.reshape(len(f), elements + 1, -1)
    return InputSymmetryTest(group, len(f), tuple(_tested(f, n) for n in orders), moved)


def _tested(f: Floats, n: int) -> OrderTest:
    """Return the test that products of n outputs have the same average at the points and at their images."""
    products = np.prod(f[:, :, index_tuples(f.shape[2], n)], axis=3)
    differences = (products[:, 1:] - products[:, :1]).reshape(len(f), -1)
    return hotelling(differences, np.eye(differences.shape[1]), n)
