"""Outputs of the networks of an ensemble over an array namespace: the readable twin of the compiled kernels.

Parameters come from the same random words as in :mod:`numerics.kernels.cpu`, so the two agree network by network to
rounding. The code uses only what numpy and cupy share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagrams.architectures import Architecture
from numerics.kernels import LANES, Neuron, Round, neuron, neuron_round
from numerics.kernels.philox import OUTPUT_ROUND, random_words

_ELEMENTS = {"numpy": 1 << 17, "cupy": 1 << 25}  # numbers per temporary array: fits the cache, fills the device


@dataclass(frozen=True)
class NetworkModel:
    """What a backend needs to draw and evaluate the networks of one architecture.

    Parameters
    ----------
    neuron : Neuron
        How a hidden neuron is drawn and evaluated.
    input_dim, width : int
        Components of a point, and neurons per network.
    input_scale : float
        Factor on the coordinates that makes w.x of standard normal w the argument of the activation.
    output_scale : float
        Standard deviation of an output weight, ``sigma_w1 / sqrt(N)``.
    output_bias : float
        Standard deviation of the output bias.
    """

    neuron: Neuron
    input_dim: int
    width: int
    input_scale: float
    output_scale: float
    output_bias: float

    @classmethod
    def of(cls, architecture: Architecture) -> NetworkModel:
        """Return the model of an architecture with numbers for all parameters.

        Raises
        ------
        ValueError
            If a parameter is still symbolic.
        NotImplementedError
            If there is no kernel for the architecture.
        """
        kind = neuron(architecture.name)
        values = architecture.parameter_values()
        width, input_dim = round(values["N"]), architecture.input_dim
        input_scale = values["sigma_w0"] / input_dim**0.5 * kind.argument_unit
        return cls(kind, input_dim, width, input_scale, values["sigma_w1"] / width**0.5, values["sigma_b1"])


def network_outputs(
    xp: Any, model: NetworkModel, points: Any, *, block: int, start: int, count: int, seed: int, dtype: str = "float64"
) -> Any:
    """Return the outputs of networks ``start`` to ``start + count - 1`` of one block.

    Parameters
    ----------
    xp : module
        numpy or cupy.
    model : NetworkModel
    points : array of ``xp``, shape (n_points, input_dim)
    block, start, count : int
        Block, first network within it, and number of networks.
    seed : int
        ``0 <= seed < 2**64``.
    dtype : {"float64", "float32"}
        Type of the evaluation; it selects the stream too (see :mod:`numerics.kernels`).

    Returns
    -------
    array of ``xp``, shape (count, n_points)
    """
    x = xp.asarray(points, dtype=xp.float64) * model.input_scale
    x = x.astype(dtype)
    plan = neuron_round(model.neuron, model.input_dim, dtype)
    chunks = _network_chunks(xp, model, plan, start, count)
    parts = [_outputs(xp, model, plan, x, block, nets, seed, dtype) for nets in chunks]
    return xp.concatenate(parts) if parts else xp.zeros((0, len(x)), dtype=dtype)


def _network_chunks(xp: Any, model: NetworkModel, plan: Round, start: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut the networks so that all their random words fit the budget, but not below the lanes of a kernel."""
    per_network = 4 * plan.n_calls * -(-model.width // plan.n_neurons)
    size = max(LANES, _ELEMENTS[xp.__name__] // per_network)
    for first in range(start, start + count, size):
        yield first, min(first + size, start + count)


def _outputs(
    xp: Any, model: NetworkModel, plan: Round, x: Any, block: int, nets: tuple[int, int], seed: int, dtype: str
) -> Any:
    index = xp.arange(*nets, dtype=xp.uint64)
    total = xp.zeros((len(index), len(x)), dtype=dtype)
    n_rounds = -(-model.width // plan.n_neurons)
    per_round = len(index) * plan.n_neurons * max(len(x), 4 * plan.n_calls)
    step = max(1, _ELEMENTS[xp.__name__] // per_round)
    for first in range(0, n_rounds, step):
        rounds = xp.arange(first, min(first + step, n_rounds), dtype=xp.uint64)
        readout, weights, phases = _neurons(xp, plan, model.input_dim, index, block, rounds, seed, dtype)
        valid = min(model.width - first * plan.n_neurons, readout.shape[1])
        argument = xp.matmul(weights[:, :valid], x.T)
        if plan.n_phases:
            argument += phases[:, :valid, None]
        hidden = model.neuron.evaluate(xp, argument)
        total += xp.matmul(readout[:, None, :valid], hidden)[:, 0]
    total *= xp.asarray(model.output_scale, dtype=dtype)
    if model.output_bias:
        total += xp.asarray(model.output_bias, dtype=dtype) * _bias(xp, index, plan, block, seed, dtype)[:, None]
    return total


def _neurons(
    xp: Any, plan: Round, input_dim: int, index: Any, block: int, rounds: Any, seed: int, dtype: str
) -> tuple[Any, Any, Any]:
    """Return output weights (n, k), input weights (n, k, input_dim) and phases (n, k) of k neurons, unscaled."""
    words = _words(xp, plan, index, block, rounds, seed)
    n, n_neurons = len(index), len(rounds) * plan.n_neurons
    normals = _normals(xp, plan, words, dtype)[..., : plan.n_neurons * (input_dim + 1)]
    parameters = normals.reshape(n, n_neurons, input_dim + 1)
    used = plan.n_pairs * plan.words_per_pair
    phases = _turns(xp, words[..., used : used + plan.n_phases], dtype).reshape(n, len(rounds) * plan.n_phases)
    return parameters[..., 0], parameters[..., 1:], phases


def _words(xp: Any, plan: Round, index: Any, block: int, rounds: Any, seed: int) -> Any:
    """Return the words of rounds, shape (networks, rounds, 4 * calls)."""
    calls = xp.arange(plan.n_calls, dtype=xp.uint64)
    four = random_words(xp, (index[:, None, None], block, rounds[None, :, None], calls), seed)
    return xp.stack(four, axis=-1).reshape(len(index), len(rounds), 4 * plan.n_calls)


def _normals(xp: Any, plan: Round, words: Any, dtype: str) -> Any:
    """Return standard normals by Box-Muller, shape (networks, rounds, 2 * pairs)."""
    used = words[..., : plan.n_pairs * plan.words_per_pair]
    pairs = used.reshape(*words.shape[:2], plan.n_pairs, plan.words_per_pair)
    radius = xp.sqrt(-2 * xp.log(_unit_interval(xp, pairs, dtype)))
    angle = _turns(xp, pairs[..., -1], dtype) * xp.asarray(2 * np.pi, dtype=dtype)
    both = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)], axis=-1)
    return both.reshape(*words.shape[:2], 2 * plan.n_pairs)


def _unit_interval(xp: Any, pairs: Any, dtype: str) -> Any:
    """Return uniform numbers in (0, 1] from the first words of each pair."""
    if dtype == "float64":
        high, low = pairs[..., 0].astype(dtype), pairs[..., 1].astype(dtype)
        return (high + (low + 0.5) * 2.0**-32) * 2.0**-32
    half = xp.asarray(0.5, dtype=dtype)
    return ((pairs[..., 0] >> xp.uint32(1)).astype(dtype) + half) * xp.asarray(2.0**-31, dtype=dtype)


def _turns(xp: Any, words: Any, dtype: str) -> Any:
    """Return angles in turns: from 0 to 1 in float64, from -1/2 to 1/2 (more of them exact) in float32."""
    signed = words if dtype == "float64" else words.view(xp.int32)
    return signed.astype(dtype) * xp.asarray(2.0**-32, dtype=dtype)


def _bias(xp: Any, index: Any, plan: Round, block: int, seed: int, dtype: str) -> Any:
    """Return the standard normal of each network's output bias."""
    rounds = xp.asarray([OUTPUT_ROUND], dtype=xp.uint64)
    return _normals(xp, plan, _words(xp, plan, index, block, rounds, seed), dtype)[:, 0, 0]
