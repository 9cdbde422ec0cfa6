r"""First order of O(n) theory on networks of finite width, exactly.

Components share momenta and phases, given which they are independent Gaussian fields of one covariance
:math:`K(x, y) = \frac1N \sum_i h_i(x) h_i(y)`. Wick's theorem for those, with
:math:`\Delta S = \frac{\lambda}{4!} \int f (\phi_a \phi_a)^2`, leaves averages of products of K over neurons:

.. math:: \frac{\partial}{\partial\lambda} G_{ab}(x, y) \Big|_0 = -\frac{\delta_{ab}}{24} \int f(z) \Big[
          n(n+2) \big( \langle K_{xy} K_{zz}^2 \rangle - \langle K_{xy} \rangle \langle K_{zz}^2 \rangle \big)
          + 4(n+2) \langle K_{xz} K_{yz} K_{zz} \rangle \Big] dz

K is a mean over independent neurons, so that its joint cumulants of order r are of order :math:`N^{1-r}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.engineering import FieldDeformed
from diagrams.scalar_feature import ScalarFeature
from diagrams.vector_interactions import VectorInteraction
from numerics.finite_width import _neuron
from numerics.kernels import index_tuples
from numerics.points import as_points
from numerics.quadrature_grids import region_grid

Floats = NDArray[np.float64]

_FIELDS = 6  # in the averages: two at points, four at a vertex
_DENSER = 1.5


def vector_first_order(net: FieldDeformed, x: ArrayLike) -> Floats:
    r"""Return the first order in the coupling of the two-point function of O(n) theory, by powers of 1/N.

    Parameters
    ----------
    net : FieldDeformed
        A :func:`diagrams.phi4_net` with several components, with numbers for all but the width.
    x : array_like (n_points, input_dim)

    Returns
    -------
    array (3, K)
        What multiplies :math:`N^0`, :math:`N^{-1}` and :math:`N^{-2}`, coupling included, on the index tuples of two
        points of all components. The first row is the tadpole of :func:`diagrams.o_n_theory`.

    Raises
    ------
    ValueError
        If the interaction is no quartic O(n) invariant in one region, or the net no free scalar net.

    Examples
    --------
    >>> from diagrams import phi4_net
    >>> net = phi4_net(mass=1, cutoff=5, coupling=0.1, box=4, components=2)
    >>> vector_first_order(net, [[0.0]]).round(6).tolist()  # 11, 12, 22
    [[-0.007136, 0.0, -0.007136], [-0.1279, 0.0, -0.1279], [-0.229119, 0.0, -0.229119]]
    """
    points = as_points(x, net.input_dim)
    n, coupling, term = _invariant(net)
    first = _at_one_component(net, term, points, n, 1.0)
    error = float(np.abs(_at_one_component(net, term, points, n, _DENSER) - first).max())
    if not error <= 1e-7 * float(np.abs(first).max()):
        raise ArithmeticError(f"the first order changes by {error:.1e} with denser quadrature: use a smaller region")
    legs = index_tuples(n * len(points), 2)
    a, p = np.divmod(legs, len(points))
    values = first[:, p[:, 0], p[:, 1]] * (a[:, 0] == a[:, 1])
    return np.asarray(coupling * values + 0.0)


def _invariant(net: FieldDeformed) -> tuple[int, float, VectorInteraction]:
    terms = net.interaction.terms
    if len(terms) != 1 or not isinstance(terms[0], VectorInteraction) or [k for k, _ in terms[0].couplings] != [4]:
        raise ValueError(f"the first order is known for one quartic O(n) invariant, {{4: lambda}}, got {net}")
    if not isinstance(getattr(net.base, "feature", None), ScalarFeature) or net.base.readout.cumulant(4) != 0:
        raise ValueError(f"the first order is known for scalar_net with Gaussian output weights, got {net.base}")
    (_, coupling), *_ = terms[0].couplings
    return terms[0].components, float(coupling), terms[0]


def _at_one_component(net: FieldDeformed, term: VectorInteraction, points: Floats, n: int, refinement: float) -> Floats:
    """Return the three coefficients at pairs of points, shape (3, n_points, n_points), for a coupling of one."""
    feature: Any = net.base.feature
    wavenumber = 4 * float(feature.momenta.radius)
    grid = region_grid(term.region, net.input_dim, wavenumber=wavenumber, refinement=refinement)
    reach = _FIELDS * float(np.sqrt((np.concatenate([points, grid.nodes]) ** 2).sum(axis=1)).max())
    probability, features = _neuron(feature, reach, _FIELDS, refinement)
    x, z, p = features(points), features(grid.nodes), probability[:, None]
    xy, xz = x.T @ (p * x), x.T @ (p * z)
    zz, z4 = (probability @ z**2), (probability @ z**4)
    xz3 = x.T @ (p * z**3)
    pair = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    shape = (len(points), len(points), len(zz))
    xyzz, xyz4 = ((pair.T @ (p * z**power)).reshape(shape) for power in (2, 4))
    xy = xy[:, :, None]
    legs = xz[:, None] * xz[None]
    outer = np.array([np.zeros(shape), 2 * (xyzz - xy * zz) * zz, xyz4 - 2 * xyzz * zz - xy * z4 + 2 * xy * zz**2])
    mixed = (xz3 - xz * zz)[:, None] * xz[None]
    second = (xyzz - legs) * zz + mixed + mixed.transpose(1, 0, 2)
    shared = xz3[:, None] * xz[None]
    third = xyz4 - xyzz * zz - shared - shared.transpose(1, 0, 2) + 2 * legs * zz
    inner = np.array([legs * zz, second, third])
    total = n * (n + 2) * outer + 4 * (n + 2) * inner
    return np.asarray(-(total @ grid.weights.ravel()) / 24)
