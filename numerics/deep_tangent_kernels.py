r"""Neural tangent kernels of networks with several hidden layers, by backpropagation.

With the pre-activations :math:`z^{(l)}`, what layer l hands on :math:`h^{(l)}` (the inputs for l = 0), and the slopes
:math:`\delta^{(l)}_{ai} = \partial f_a / \partial z^{(l)}_i`,

.. math:: \Theta_{ab}(x, y) = \sum_{l=1}^{L+1} \Bigl(s^{(l)}_W\, h^{(l-1)}(x) \cdot h^{(l-1)}(y) + s^{(l)}_b\Bigr)
          \sum_i \delta^{(l)}_{ai}(x)\, \delta^{(l)}_{bi}(y).

Phases of hidden units are parameters like biases, with s = 1 in both parametrisations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.deep import DeepArchitecture
from diagrams.tangent_kernel import PARAMETRISATIONS
from numerics.deep_networks import DeepNetworks, activation_value
from numerics.points import as_points

Floats = NDArray[np.float64]


def deep_tangent_kernel(
    net: DeepArchitecture, parameters: Mapping[str, ArrayLike], x: ArrayLike, parametrisation: str
) -> Floats:
    """Return the tangent kernels of networks with given parameters, as :func:`numerics.tangent_kernel` does.

    Raises
    ------
    ValueError
        If a parameter is missing, points do not fit, or the parametrisation is unknown.
    """
    if parametrisation not in PARAMETRISATIONS:
        raise ValueError(f"parametrisation must be 'standard' or 'ntk', got {parametrisation!r}")
    points = as_points(x, net.input_dim)
    given = {name: np.asarray(values, dtype=np.float64) for name, values in parameters.items()}
    layers = DeepNetworks.of(net, seed=0, backend="numpy", dtype="float64").layers
    for k, layer in enumerate(layers):
        wanted = [f"W{k}", *([f"b{k}"] if layer.bias > 0 else []), *([f"c{k}"] if layer.has_phase else [])]
        if missing := [name for name in wanted if name not in given]:
            raise ValueError(f"parameter {missing[0]!r} is missing; given are {sorted(given)}")
    handed, slopes = _forwards(net, given, points)
    n_nets, n_outputs = len(given["W0"]), net.output_dim
    back = np.broadcast_to(np.eye(n_outputs)[:, :, None], (n_nets, n_outputs, n_outputs, len(points)))
    found = np.zeros((n_nets, n_outputs, n_outputs, len(points), len(points)))
    for k in reversed(range(len(layers))):
        scale = (1.0, 1.0) if parametrisation == "standard" else (layers[k].weight ** 2, layers[k].bias ** 2)
        inner = (
            scale[0] * np.einsum("nix,niy->nxy", handed[k], handed[k])
            + scale[1] * (layers[k].bias > 0)
            + layers[k].has_phase
        )
        found += inner[:, None, None] * np.einsum("naix,nbiy->nabxy", back, back, optimize=True)
        if k:
            back = np.einsum("naix,nij->najx", back, given[f"W{k}"], optimize=True) * slopes[k - 1][:, None]
    return found


def _forwards(net: DeepArchitecture, given: Mapping[str, Floats], points: Floats) -> tuple[list[Floats], list[Floats]]:
    """Return what the inputs and each hidden layer hand on (n, units, points), and the slopes of the activations."""
    handed = [np.broadcast_to(points.T, (len(given["W0"]), *points.T.shape))]
    slopes = []
    for k in range(net.depth):
        z = np.matmul(given[f"W{k}"], handed[-1])
        for name in (f"b{k}", f"c{k}"):
            z = z + given[name][..., None] if name in given else z
        handed.append(activation_value(np, net.activation, z))
        slopes.append(activation_value(np, net.activation, z, order=1))
    return handed, slopes
