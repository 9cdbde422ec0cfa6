"""The nets of the ensemble benchmarks, and batched array code that samples them and sums products of their outputs.

Every peer draws a batch of networks, evaluates it at the points and adds up the products of one to ``max_points``
outputs: rows of products of up to half the degree, and matrix products of those rows for the rest.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import cos_net, erf_net, gauss_net, relu_net
from numerics.kernels import index_tuples, special_functions
from numerics.model import NetworkModel

NETS = {"cos": cos_net, "relu": relu_net, "erf": erf_net, "gauss": gauss_net}
SPREADS = {"cos": 0.0, "relu": 0.0, "erf": 1.0, "gauss": 0.3}  # standard deviation of the hidden bias
BATCHES = (64, 256, 1024)  # networks at a time; the best is reported

Run = Callable[[], Any]


def model_of(name: str, input_dim: int, width: int) -> NetworkModel:
    """Return a net as the kernel takes it: ReLU without biases, erf with standard normal biases of both layers."""
    options = {"cos": {}, "relu": {"hidden_bias": False}, "erf": {"output_bias": True}, "gauss": {}}[name]
    bias = {"sigma_b0": SPREADS[name]} if SPREADS[name] else {}
    bias |= {"sigma_b1": 1} if name == "erf" else {}
    net = NETS[name](input_dim=input_dim, **options)
    return NetworkModel.of(net.at(N=width, sigma_w0=1, sigma_w1=1, **bias))


def hidden(lib: Any, name: str, argument: Any, squares: Any) -> Any:
    """Return the feature in numpy or torch; ``squares`` is |x|^2 / d of each point."""
    if name == "relu":
        return lib.relu(argument) if hasattr(lib, "relu") else np.maximum(argument, 0)
    if name == "erf":
        return lib.erf(argument) if hasattr(lib, "erf") else special_functions(np).erf(argument)
    return lib.cos(argument) if name == "cos" else lib.exp(argument - (squares + SPREADS["gauss"] ** 2))


def factor_tables(n_points: int, max_points: int) -> list[NDArray[np.int64]]:
    """Return, for every degree from 2 to half of ``max_points``, the row and the output whose product each row is.

    Examples
    --------
    >>> [table.tolist() for table in factor_tables(2, 4)]
    [[[0, 0], [0, 1], [1, 1]]]
    """
    tables = []
    for degree in range(2, (max_points + 1) // 2 + 1):
        row = {tuple(t): i for i, t in enumerate(index_tuples(n_points, degree - 1).tolist())}
        tables.append(np.array([(row[tuple(t[:-1])], t[-1]) for t in index_tuples(n_points, degree).tolist()]))
    return tables


def product_sums(phi: Any, tables: list[Any], max_points: int) -> list[Any]:
    """Return the sums over a batch of all products of up to ``max_points`` outputs; ``phi`` is (batch, n_points)."""
    rows = [phi]
    for table in tables:
        rows.append(rows[-1][:, table[:, 0]] * phi[:, table[:, 1]])
    longest = rows[-1].T
    return [*(r.sum(0) for r in rows), *(longest @ rows[g - 1] for g in range(1, max_points - len(rows) + 1))]


def numpy_batch(
    name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray, max_points: int = 4
) -> Run:
    rng = np.random.Generator(np.random.SFC64(0))
    x, real, tables = points.astype(dtype), np.dtype(dtype).type, factor_tables(len(points), max_points)
    squares = (x * x).sum(axis=1) / real(input_dim)

    def run() -> Any:
        w0 = rng.standard_normal((size, width, input_dim), dtype=real) * real(input_dim**-0.5)
        w1 = rng.standard_normal((size, 1, width), dtype=real)
        argument = w0 @ x.T
        if name == "cos":
            argument += rng.random((size, width, 1), dtype=real) * real(2 * np.pi)
        elif SPREADS[name]:
            argument += rng.standard_normal((size, width, 1), dtype=real) * real(SPREADS[name])
        phi = np.matmul(w1, hidden(np, name, argument, squares))[:, 0] * real(width**-0.5)
        if name == "erf":
            phi += rng.standard_normal((size, 1), dtype=real)
        return product_sums(phi, tables, max_points)

    return run


def torch_batch(
    name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray, max_points: int = 4
) -> Run:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, dtype)
    x, tables = torch.tensor(points, dtype=kind), [torch.tensor(t) for t in factor_tables(len(points), max_points)]
    squares = (x * x).sum(1) / input_dim

    def run() -> Any:
        w0 = torch.randn(size, width, input_dim, dtype=kind) * input_dim**-0.5
        w1 = torch.randn(size, 1, width, dtype=kind)
        argument = w0 @ x.T
        if name == "cos":
            argument += torch.rand(size, width, 1, dtype=kind) * (2 * np.pi)
        elif SPREADS[name]:
            argument += torch.randn(size, width, 1, dtype=kind) * SPREADS[name]
        phi = torch.matmul(w1, hidden(torch, name, argument, squares))[:, 0] * width**-0.5
        if name == "erf":
            phi += torch.randn(size, 1, dtype=kind)
        return product_sums(phi, tables, max_points)

    return run


def jax_batch(
    name: str, input_dim: int, dtype: str, width: int, size: int, points: np.ndarray, max_points: int = 4
) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)
    lib, rng = jax.numpy, jax.random
    x, tables = lib.asarray(points, dtype=dtype), factor_tables(len(points), max_points)
    squares = (x * x).sum(axis=1) / input_dim

    @jax.jit
    def sums(key: Any) -> Any:
        keys = rng.split(key, 4)
        argument = rng.normal(keys[0], (size, width, input_dim), dtype) * input_dim**-0.5 @ x.T
        if name == "cos":
            argument += rng.uniform(keys[1], (size, width, 1), dtype) * (2 * np.pi)
        elif SPREADS[name]:
            argument += rng.normal(keys[1], (size, width, 1), dtype) * SPREADS[name]
        if name == "relu":
            values = lib.maximum(argument, 0)
        else:
            values = jax.scipy.special.erf(argument) if name == "erf" else hidden(lib, name, argument, squares)
        phi = lib.matmul(rng.normal(keys[2], (size, 1, width), dtype), values)[:, 0] * width**-0.5
        phi = phi + rng.normal(keys[3], (size, 1), dtype) if name == "erf" else phi
        return product_sums(phi, tables, max_points)

    keys = iter(range(1 << 60))
    return lambda: jax.block_until_ready(sums(rng.key(next(keys))))


PEERS = {"numpy": numpy_batch, "torch": torch_batch, "jax": jax_batch}


def peer_names() -> list[str]:
    """Return the peers that are installed."""
    return [name for name in PEERS if importlib.util.find_spec(name)]


def one_module_at_a_time(n_nets: int, width: int, points: np.ndarray) -> Run:
    """Return a run over erf networks as torch modules, made one by one, whose outputs are concatenated in the loop.

    Then the two- and four-point functions are means of arrays of n_nets x n_points^n numbers, all index tuples in full.
    This is how a script for a few networks is written; its time grows with the square of their number.
    """
    import torch

    torch.set_num_threads(1)

    class ErfNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(points.shape[1], width)
            self.outer = torch.nn.Linear(width, 1)
            torch.nn.init.normal_(self.inner.weight, std=points.shape[1] ** -0.5)
            torch.nn.init.normal_(self.inner.bias)
            torch.nn.init.normal_(self.outer.weight, std=width**-0.5)
            torch.nn.init.normal_(self.outer.bias)

        def forward(self, x: Any) -> Any:
            return self.outer(torch.erf(self.inner(x)))

    def correlator(outputs: Any, n: int) -> Any:
        products = outputs
        for _ in range(n - 1):
            products = products[..., None] * outputs.reshape(n_nets, *[1] * (products.ndim - 1), -1)
        return products.mean(0)

    def run() -> Any:
        x = torch.tensor(points, dtype=torch.float32)
        outputs = torch.empty(0, len(points))
        for _ in range(n_nets):
            outputs = torch.cat([outputs, ErfNet()(x).T])
        return correlator(outputs, 2), correlator(outputs, 4)

    return run
