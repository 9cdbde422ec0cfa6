r"""Neural tangent kernels of sampled networks, and their symmetries (arXiv:2106.00694, section 3.3).

With :math:`f_a = \sum_i W_{ai} h(x; \theta_i) + b_a` the kernel of a network is

.. math:: \Theta_{ab}(x, y) = \delta_{ab} \Bigl(s_W \sum_i h_i h_i' + s_b\Bigr)
          + \sum_i W_{ai} W_{bi} \sum_k s_k\, \partial_k h_i\, \partial_k h_i'.

A map R of the outputs takes it to :math:`R \Theta R^T`, so that for an invariant density of W its average, and every
moment, is an invariant tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.deep import DeepArchitecture
from diagrams.features import bias_symbol, weight_symbols
from diagrams.groups import Group
from diagrams.symbols import coordinates
from diagrams.tangent_kernel import TangentKernel
from numerics.deep_tangent_kernels import deep_tangent_kernel
from numerics.ensemble import Ensemble
from numerics.lower import Kernel, lower
from numerics.points import as_points
from numerics.symmetry_tests import OrderTest, check_linear_group, generator_matrices, hotelling

Floats = NDArray[np.float64]

_CHUNK = 1 << 22  # numbers per temporary array


def tangent_kernel(
    net: Architecture | DeepArchitecture,
    parameters: Mapping[str, ArrayLike],
    x: ArrayLike,
    *,
    parametrisation: str = "standard",
) -> Floats:
    """Return the tangent kernels of networks with given parameters.

    Parameters
    ----------
    net : Architecture or DeepArchitecture
        With numbers for all parameters.
    parameters : mapping from name to array
        As from :meth:`numerics.Ensemble.parameters`: ``"W1"`` (n_nets, N) or (n_nets, N, n_outputs), ``"W0"``
        (n_nets, N, input_dim), ``"b0"`` (n_nets, N), others by name (n_nets, N); of a deep net layer by layer.
    x : array_like (n_points, input_dim)
    parametrisation : {"standard", "ntk"}

    Returns
    -------
    array (n_nets, n_outputs, n_outputs, n_points, n_points)

    Raises
    ------
    ValueError
        If a parameter is missing, or points do not fit.

    Examples
    --------
    >>> from diagrams import linear_net
    >>> net = linear_net().at(N=1, sigma_w0=1, sigma_w1=1)
    >>> tangent_kernel(net, {"W1": [[3.0]], "W0": [[[2.0]]]}, [[1.0]]).ravel()  # (w0 x)^2 + (w1 x)^2
    array([13.])
    """
    if isinstance(net, DeepArchitecture):
        return deep_tangent_kernel(net, parameters, x, parametrisation)
    points, kernel = as_points(x, net.input_dim), TangentKernel(net, parametrisation)
    net.parameter_values()
    hidden = _hidden(net, parameters)
    weights = np.asarray(parameters["W1"], dtype=np.float64)
    weights = weights[:, :, None] if weights.ndim == 2 else weights
    scales, function = _compiled(kernel)
    n_nets, width, outputs = weights.shape
    found = np.empty((n_nets, outputs, outputs, len(points), len(points)))
    step = max(1, _CHUNK // (width * len(points) ** 2))
    for first in range(0, n_nets, step):
        part = slice(first, first + step)
        columns = [h[part, :, None] for h in hidden]
        h, *slopes = (
            np.broadcast_to(np.asarray(v), (len(weights[part]), width, len(points))) for v in function(*columns, points)
        )
        same = float(kernel.readout_scale) * np.einsum("nix,niy->nxy", h, h) + float(kernel.bias_scale)
        moved = sum(s * np.einsum("nix,niy->nixy", d, d) for s, d in zip(scales, slopes, strict=True))
        w = weights[part]
        found[part] = np.einsum("nia,nib,nixy->nabxy", w, w, moved, optimize=True)
        found[part] += np.eye(outputs)[None, :, :, None, None] * same[:, None, None]
    return found


def sampled_tangent_kernels(
    net: Architecture | DeepArchitecture, x: ArrayLike, *, n_nets: int, seed: int = 0, parametrisation: str = "standard"
) -> Floats:
    """Return the tangent kernels of random networks at initialisation, as :func:`tangent_kernel` does.

    Parameters
    ----------
    net : Architecture or DeepArchitecture
        With numbers for all parameters.
    x : array_like (n_points, input_dim)
    n_nets, seed
        As for :class:`numerics.Ensemble`: the same networks.
    parametrisation : {"standard", "ntk"}
    """
    ensemble = Ensemble(net, n_nets=n_nets, seed=seed)
    step = n_nets
    if isinstance(net, DeepArchitecture):  # layers between hidden units have many weights
        units = net.layer_widths()
        step = max(1, _CHUNK // max(a * b for a, b in pairwise(units)))
    parts = [
        tangent_kernel(
            net, ensemble.parameters(start=i, count=min(step, n_nets - i)), x, parametrisation=parametrisation
        )
        for i in range(0, n_nets, step)
    ]
    return np.concatenate(parts)


def expected_tangent_kernel(net: Architecture, x: ArrayLike, *, parametrisation: str = "standard") -> Floats:
    """Return the exact average over the ensemble, shape (n_outputs, n_outputs, n_points, n_points).

    Parameters as for :func:`sampled_tangent_kernels`.
    """
    from diagrams.expectation import evaluate

    points, kernel = as_points(x, net.input_dim), TangentKernel(net, parametrisation)
    net.parameter_values()
    outputs, m = net.output_dim, len(points)
    mean = np.array([float(net.readout_of(a).moment(1)) for a in range(outputs)])
    weights = np.outer(mean, mean) + float(net.readout.cumulant(2)) * np.eye(outputs)
    found = np.zeros((outputs, outputs, m, m))
    exact = [tuple(map(sympy.Rational, p)) for p in points.tolist()]
    for i in range(m):
        for j in range(i, m):
            same, hidden = (evaluate(f(exact[i], exact[j])).value for f in (kernel.readout_part, kernel.hidden_part))
            found[:, :, i, j] = found[:, :, j, i] = same * np.eye(outputs) + hidden * weights
    return found


def tangent_kernel_symmetry(kernels: ArrayLike, group: Group, *, point: tuple[int, int] = (0, 0)) -> OrderTest:
    r"""Return the test that the averaged kernel is an invariant tensor, :math:`R\,E\Theta\,R^T = E\Theta`.

    Parameters
    ----------
    kernels : array_like (n_nets, n_outputs, n_outputs, n_points, n_points)
    group : Group
        With generators, of the size of the outputs.
    point : pair of int
        Which pair of points.

    Returns
    -------
    OrderTest
        By Hotelling, with the covariance of the networks.

    Raises
    ------
    TypeError, ValueError
        If the group does not fit or has no generators, or there are too few networks.
    """
    theta = np.asarray(kernels, dtype=np.float64)
    if theta.ndim != 5 or theta.shape[1] != theta.shape[2]:
        raise ValueError(
            f"kernels must have shape (n_nets, n_outputs, n_outputs, n_points, n_points), got {theta.shape}"
        )
    check_linear_group(group, theta.shape[1])
    if not group.generators:
        raise ValueError(f"{group} has no generators to test")
    components = theta[:, :, :, point[0], point[1]].reshape(len(theta), -1)
    one = np.eye(theta.shape[1])
    maps = np.vstack([np.kron(t, one) + np.kron(one, t) for t in generator_matrices(group)])
    return hotelling(components, maps, 2)


def _hidden(net: Architecture, parameters: Mapping[str, ArrayLike]) -> list[Floats]:
    """Return the hidden parameters in the order of the symbols of the feature, each (n_nets, N)."""
    weights = weight_symbols(net.input_dim)
    found = []
    for symbol in net.feature.parameters:
        name = "W0" if symbol in weights else "b0" if symbol == bias_symbol() else symbol.name
        fixed = name not in parameters
        if fixed and name == "b0":  # a bias of variance zero
            found.append(np.zeros(np.shape(parameters["W1"])[:2]))
            continue
        if fixed:
            raise ValueError(f"parameter {name!r} is missing; given are {sorted(parameters)}")
        values = np.asarray(parameters[name], dtype=np.float64)
        found.append(values[:, :, weights.index(symbol)] if name == "W0" else values)
    return found


@lru_cache(maxsize=32)
def _compiled(kernel: TangentKernel) -> tuple[tuple[float, ...], Kernel]:
    """Return the scales of the hidden parameters, and a function for the feature and its derivatives."""
    place = coordinates(1, kernel.net.input_dim)
    pairs = kernel.derivatives(place)
    expressions: list[Any] = [kernel.net.feature.expression(place), *(slope for _, slope in pairs)]
    arguments = (*kernel.net.feature.parameters, place)
    return tuple(float(s) for s, _ in pairs), lower(expressions, arguments=arguments, backend="numpy")
