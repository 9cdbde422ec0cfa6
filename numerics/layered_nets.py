"""Layered networks that can be trained: their shape, the density of their parameters, and their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACTIVATIONS = ("relu", "tanh", "erf", "linear")
Parameters = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class LayeredNet:
    r"""Networks ``f = W_L s(...s(W_1 x + b_1)) + b_L`` with independent Gaussian parameters.

    .. math:: W^l_{ij} \sim N(m_i, \sigma_w^2 / n_{l-1}), \quad b^l_i \sim N(0, \sigma_b^2)

    The mean is zero but in the last layer, where it is ``mean`` for the first ``shifted`` outputs (arXiv:2106.00694).

    Parameters
    ----------
    widths : tuple of int
        Inputs, hidden layers, outputs; at least one hidden layer.
    activation : str
        One of :data:`ACTIVATIONS`.
    sigma_w : float
    sigma_b : float, optional
        Default: no biases. With 0 there are biases, which start at zero and are trained.
    mean : float
    shifted : int
        k, how many outputs have weights with that mean.

    Raises
    ------
    ValueError
        If one of these is impossible.

    Examples
    --------
    >>> LayeredNet((784, 50, 10)).n_parameters
    39700
    """

    widths: tuple[int, ...]
    activation: str = "relu"
    sigma_w: float = 1.0
    sigma_b: float | None = None
    mean: float = 0.0
    shifted: int = 0

    def __post_init__(self) -> None:
        if len(self.widths) < 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.widths):
            raise ValueError(f"widths must be at least three positive integers, got {self.widths!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"no activation {self.activation!r}; choose one of {', '.join(map(repr, ACTIVATIONS))}")
        if not self.sigma_w > 0 or (self.sigma_b is not None and not self.sigma_b >= 0):
            raise ValueError(f"sigma_w must be positive and sigma_b >= 0, got {self.sigma_w} and {self.sigma_b}")
        if not 0 <= self.shifted <= self.widths[-1]:
            raise ValueError(f"shifted must lie between 0 and the {self.widths[-1]} outputs, got {self.shifted}")

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one network."""
        pairs = zip(self.widths[:-1], self.widths[1:], strict=True)
        return sum(a * b + (b if self.sigma_b is not None else 0) for a, b in pairs)

    def initial(self, n_nets: int, *, seed: int, dtype: str = "float64") -> Parameters:
        """Return parameters of networks drawn from the initial density.

        Network i depends on ``seed`` and i only.

        Parameters
        ----------
        n_nets : int
        seed : int
        dtype : str

        Returns
        -------
        dict
            ``"weights"``: one array (n_nets, inputs, outputs) for each layer; ``"biases"``: arrays (n_nets, outputs),
            or nothing if there are no biases.
        """
        if n_nets < 1 or seed < 0:
            raise ValueError(f"n_nets must be positive and seed >= 0, got {n_nets} and {seed}")
        pairs = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        weights = [np.empty((n_nets, a, b), dtype) for a, b in pairs]
        biases = [np.empty((n_nets, b), dtype) for _, b in pairs] if self.sigma_b is not None else []
        for i in range(n_nets):
            rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(i,))))
            for (a, _), w in zip(pairs, weights, strict=True):
                w[i] = rng.standard_normal(w.shape[1:]) * (self.sigma_w / np.sqrt(a))
            for b in biases:
                b[i] = rng.standard_normal(b.shape[1:]) * (self.sigma_b or 0.0)
        weights[-1][:, :, : self.shifted] += self.mean
        return {"weights": tuple(weights), "biases": tuple(biases)}


def packed(parameters: Parameters) -> Parameters:
    """Return the parameters with the first layers of all networks side by side: one matrix for the shared inputs."""
    first, *others = parameters["weights"]
    n_nets, n_in, width = first.shape
    side_by_side = first.transpose(1, 0, 2).reshape(n_in, n_nets * width)
    return {"weights": (side_by_side, *others), "biases": tuple(parameters["biases"])}


def unpacked(parameters: Parameters, n_nets: int) -> Parameters:
    """Return the parameters with networks along the first axis; undoes :func:`packed`."""
    first, *others = parameters["weights"]
    apart = first.reshape(first.shape[0], n_nets, -1).transpose(1, 0, 2)
    return {"weights": (apart, *others), "biases": tuple(parameters["biases"])}


def outputs(net: LayeredNet, parameters: Parameters, x: Any, n_nets: int) -> Any:
    """Return outputs (point, net, output) for packed parameters, traced by jax.

    The first layer is one matrix product for all networks.
    """
    import jax
    import jax.numpy as jnp

    apply = {"relu": jax.nn.relu, "tanh": jnp.tanh, "erf": jax.scipy.special.erf, "linear": lambda z: z}[net.activation]
    first, *others = parameters["weights"]
    z = (x @ first).reshape(len(x), n_nets, -1)
    for layer, w in enumerate([None, *others]):
        if w is not None:
            z = jnp.einsum("beh,eho->beo", apply(z), w)
        if parameters["biases"]:
            z = z + parameters["biases"][layer]
    return z


def tangent_kernels(net: LayeredNet, parameters: Parameters, x: Any, n_nets: int) -> NDArray[Any]:
    r"""Return the neural tangent kernel of each network, shape (n_nets, output, point, output, point), traced by jax.

    .. math:: \Theta_{ij}(x, x') = \sum_\theta \partial_\theta f_i(x) \, \partial_\theta f_j(x')
    """
    import jax

    def one(theta: Parameters) -> Any:
        def f(t: Parameters) -> Any:
            alone = jax.tree.map(lambda a: a[None], t)
            return outputs(net, packed(alone), x, 1)[:, 0].T

        leaves = jax.tree.leaves(jax.jacrev(f)(theta))
        flat = [j.reshape(net.widths[-1], len(x), -1) for j in leaves]
        return sum(jax.numpy.einsum("aip,bjp->aibj", j, j) for j in flat)

    kernels: NDArray[Any] = jax.lax.map(one, unpacked(parameters, n_nets))
    return kernels
