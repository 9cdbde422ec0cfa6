"""Ensembles of two-layer rectifier networks trained by compiled steps around the matrix products of BLAS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.layered_nets import LayeredNet, Parameters
from numerics.training_chunks import Arguments
from numerics.training_steps import Schedule, check_rate

GROUP = 5  # networks that share the products of the first layer
BLOCK = 2048  # points whose hidden values are held at a time


class CompiledEngine:
    """Trains chunks on as many threads as numba has, with one thread of BLAS in each.

    A chunk is groups of :data:`GROUP` networks. A group is the same sequence of products of the same shapes wherever it
    is trained, so that results depend neither on chunks nor on threads.
    """

    def __init__(self, arguments: Arguments, schedule: Schedule, *, adam: bool, learning_rate: float, decay: float):
        from numerics.kernels.threads import n_threads

        self.a, self.schedule, self.adam = arguments, schedule, adam
        check_rate(learning_rate, decay)
        self.learning_rate, self.decay, self.threads = learning_rate, decay, n_threads()

    def begin(self, parameters: Parameters) -> Any:
        """Return weights (groups, networks, to, from) of both layers, and the moments of Adam."""
        state = []
        for w in parameters["weights"]:
            state.append(np.ascontiguousarray(w.swapaxes(1, 2)).reshape(-1, GROUP, w.shape[2], w.shape[1]))
        moved = [w if self.adam else w[:0] for w in state]
        return (*state, *(np.zeros((2, *w.shape), w.dtype) for w in moved))

    def advance(self, state: Any, start: int, stop: int) -> Any:
        """Train in place for a stretch of steps."""
        from numerics.kernels.training import train_groups

        everything = self.schedule.rows
        rows = np.arange(self.schedule.n_data)[None] if everything is None else everything[start:stop]
        rates, corrections = self._rates(np.arange(start, stop))
        train_groups(*state, self.a.inputs, self.a.targets, rows.astype(np.int64), rates, corrections)
        return state

    def _rates(self, steps: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        rates = self.learning_rate * self.decay ** (steps // self.schedule.per_pass)
        corrections = np.ones(len(steps))
        if self.adam:
            rates, corrections = rates / (1 - 0.9 ** (steps + 1)), 1 / (1 - 0.999 ** (steps + 1))
        return rates.astype(self.a.dtype), corrections.astype(self.a.dtype)

    def observe(self, state: Any) -> Mapping[str, Any]:
        """Return what is recorded."""
        a, seen = self.a, {}
        with np.errstate(all="ignore"):  # of trainings that diverge, which are reported
            if a.losses:
                squares = (self._outputs(state, a.inputs) - a.targets.T) ** 2
                seen["loss"] = squares.reshape(a.chunk, -1).mean(axis=1, dtype=np.float64)
            if a.points is not None:
                seen["outputs"] = self._outputs(state, a.points)
            if a.ntk and a.points is not None:
                seen["ntk"] = _tangent_kernels(state[0], state[1], a.points)
            for name, (places, function) in a.measures.items():
                seen[name] = np.array([function(f.T) for f in self._outputs(state, places)])
        return seen

    def parameters(self, state: Any) -> Parameters:
        """Return the parameters, networks first."""
        apart = (w.reshape(-1, *w.shape[2:]).swapaxes(1, 2) for w in state[:2])
        return {"weights": tuple(apart), "biases": ()}

    def _outputs(self, state: Any, x: NDArray[Any]) -> NDArray[Any]:
        """Return outputs (net, output, point)."""
        first, second = state[:2]
        found = np.empty((*second.shape[:3], len(x)), x.dtype)
        for place in range(0, len(x), BLOCK):
            block = x[place : place + BLOCK]
            for g in range(len(first)):
                found[g, ..., place : place + BLOCK] = second[g] @ np.maximum(_hidden(first[g], block), 0)
        return found.reshape(-1, *found.shape[2:])


def check_compiled(net: LayeredNet, loss: Any, optimizer: Any) -> None:
    """Raise a ValueError if an ensemble is not one that :class:`CompiledEngine` can train."""
    problems = []
    if len(net.widths) != 3:
        problems.append(f"one hidden layer, not widths {net.widths}")
    if net.activation != "relu":
        problems.append(f"the activation 'relu', not {net.activation!r}")
    if net.sigma_b is not None:
        problems.append("no biases (sigma_b=None)")
    if loss != "mse":
        problems.append("the loss 'mse'")
    if not isinstance(optimizer, str) or optimizer not in ("sgd", "adam"):
        problems.append("the optimizer 'sgd' or 'adam'")
    if problems:
        raise ValueError(f"backend 'numba' needs {'; '.join(problems)}: change that, or use backend='jax'")


def _hidden(first: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return what goes into the rectifiers of one group, (networks, hidden, points), as one product."""
    nets, hidden, width = first.shape
    z: NDArray[Any] = (first.reshape(nets * hidden, width) @ x.T).reshape(nets, hidden, len(x))
    return z


def _tangent_kernels(first: NDArray[Any], second: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    r"""Return :math:`\delta_{ij}\, h \cdot h' + x \cdot x' \sum_{k \text{ open}} W_{ik} W_{jk}`, networks first."""
    found = []
    for w0, w1 in zip(first, second, strict=True):
        z = _hidden(w0, x)
        h, is_open = np.maximum(z, 0), (z > 0).astype(x.dtype)
        through = w1[:, :, None, :] * is_open.swapaxes(1, 2)[:, None]  # network, output, point, hidden
        flat = through.reshape(len(through), -1, through.shape[-1])
        theta = (flat @ flat.swapaxes(1, 2)).reshape(*through.shape[:3], *through.shape[1:3]) * (x @ x.T)[:, None, :]
        same = h.swapaxes(1, 2) @ h
        found.append(theta + np.eye(w1.shape[1], dtype=x.dtype)[:, None, :, None] * same[:, None, :, None, :])
    return np.concatenate(found)
