"""Outputs of the networks of an ensemble over an array namespace: the readable twin of the compiled kernels.

Parameters come from the same random words as in :mod:`numerics.kernels.cpu`, so the two agree network by network to
rounding. The code uses only what numpy and cupy share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numerics.kernels import LANES, Neuron, Round, neuron_round
from numerics.kernels.features import FeatureNeuron, array_function, drawn
from numerics.kernels.philox import OUTPUT_ROUND, random_words
from numerics.model import NetworkModel

_ELEMENTS = {"numpy": 1 << 17, "cupy": 1 << 25}  # numbers per temporary array: fits the cache, fills the device


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
    array of ``xp``, shape (count, n_outputs * n_points)
        All points of the first output, then of the second, and so on.
    """
    plan = neuron_round(model.neuron, model.input_dim, dtype)
    x = xp.asarray(points, dtype=xp.float64)
    parts = [
        _outputs(xp, model.slice(first - start, stop - start), plan, x, block, (first, stop), seed, dtype)
        for first, stop in _network_chunks(xp, model, plan, start, count)
    ]
    return xp.concatenate(parts) if parts else xp.zeros((0, model.n_outputs * len(x)), dtype=dtype)


def network_parameters(
    xp: Any, model: NetworkModel, *, block: int, start: int, count: int, seed: int, dtype: str = "float64"
) -> tuple[list[Any], list[Any]]:
    """Return the parameters behind :func:`network_outputs`: the same networks from the same words.

    Parameters
    ----------
    xp, model, block, start, count, seed, dtype
        As for :func:`network_outputs`.

    Returns
    -------
    list of arrays (count, N), list of arrays (count, N)
        Output weights, one array for each output; hidden parameters (input weights, then a bias or phase in radians
        from -pi to pi; for a FeatureNeuron those of ``neuron.parameters``).
    """
    plan = neuron_round(model.neuron, model.input_dim, dtype)
    rounds = xp.arange(-(-model.width // plan.n_neurons), dtype=xp.uint64)
    parts = []
    for first, stop in list(_network_chunks(xp, model, plan, start, count)) or [(start, start)]:
        part = model.slice(first - start, stop - start)
        index = xp.arange(first, stop, dtype=xp.uint64)
        normals, uniforms = _raw_numbers(xp, part, plan, index, block, rounds, seed, dtype)
        normals, uniforms = normals[:, : model.width], uniforms[:, : model.width]
        if isinstance(part.neuron, FeatureNeuron):
            parts.append(drawn_parameters(xp, part, part.neuron, normals, uniforms, dtype))
        else:
            parts.append(_argument_parameters(xp, part, part.neuron, normals, uniforms, dtype))
    joined = [xp.concatenate(columns) for columns in zip(*parts, strict=True)]
    return joined[: model.n_outputs], joined[model.n_outputs :]


def _argument_parameters(
    xp: Any, model: NetworkModel, neuron: Neuron, normals: Any, uniforms: Any, dtype: str
) -> list[Any]:
    deviation, mean = (_per_network(xp, v, dtype, 2) for v in model.constants[1:])
    scale = _per_network(xp, model.input_scale, dtype, 2) / xp.asarray(neuron.argument_unit, dtype=dtype)
    readout = [normals[..., a] * deviation + mean for a in range(neuron.n_outputs)]
    hidden = [normals[..., neuron.n_outputs + mu] * scale for mu in range(model.input_dim)]
    if neuron.bias == "phase":
        turns = uniforms[..., 0]
        hidden.append((turns - xp.floor(turns + xp.asarray(0.5, dtype=dtype))) * xp.asarray(2 * np.pi, dtype=dtype))
    elif neuron.bias == "normal":
        hidden.append(normals[..., -1] * _per_network(xp, model.constants[0], dtype, 2))
    return readout + hidden


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
    total = xp.zeros((len(index), model.n_outputs, len(x)), dtype=dtype)
    n_rounds = -(-model.width // plan.n_neurons)
    per_round = len(index) * plan.n_neurons * max(len(x), 4 * plan.n_calls)
    step = max(1, _ELEMENTS[xp.__name__] // per_round)
    for first in range(0, n_rounds, step):
        rounds = xp.arange(first, min(first + step, n_rounds), dtype=xp.uint64)
        readout, hidden = _features(xp, model, plan, x, index, block, rounds, seed, dtype)
        valid = min(model.width - first * plan.n_neurons, readout.shape[-1])
        total += xp.matmul(readout[..., :valid], hidden[:, :valid])
    total *= _per_network(xp, model.output_scale, dtype, 3)
    if np.any(model.output_bias):
        shift = _bias(xp, index, plan, model.n_outputs, block, seed, dtype)
        total += _per_network(xp, model.output_bias, dtype, 3) * shift[..., None]
    return total.reshape(len(index), -1)


def _per_network(xp: Any, value: Any, dtype: str, n_axes: int) -> Any:
    """Return a number, or one for each network along the first of ``n_axes`` axes."""
    array = xp.asarray(value, dtype=dtype)
    return array.reshape(-1, *(1,) * (n_axes - 1)) if array.ndim else array


def _features(
    xp: Any, model: NetworkModel, plan: Round, x: Any, index: Any, block: int, rounds: Any, seed: int, dtype: str
) -> tuple[Any, Any]:
    """Return output weights (n, outputs, k) and features (n, k, points) of the neurons of rounds."""
    normals, uniforms = _raw_numbers(xp, model, plan, index, block, rounds, seed, dtype)
    if isinstance(model.neuron, FeatureNeuron):
        return _any_features(xp, model, model.neuron, normals, uniforms, x, dtype)
    return _argument_features(xp, model, model.neuron, normals, uniforms, x, dtype)


def _argument_features(
    xp: Any, model: NetworkModel, neuron: Neuron, normals: Any, uniforms: Any, x: Any, dtype: str
) -> tuple[Any, Any]:
    n_outputs, spread = neuron.n_outputs, model.constants[0]
    readout = xp.moveaxis(normals[..., :n_outputs], -1, 1)
    weights = normals[..., n_outputs : n_outputs + model.input_dim]
    scaled = (x * _per_network(xp, model.input_scale, "float64", 3)).astype(dtype)
    argument = xp.matmul(weights, xp.swapaxes(scaled, -1, -2))
    if neuron.bias == "phase":
        argument += uniforms
    elif neuron.bias == "normal":
        argument += _per_network(xp, spread, dtype, 3) * normals[..., -1:]
    if neuron.has_offset:
        offsets = model.offsets(xp, x).astype(dtype)
        argument += offsets[:, None] if offsets.ndim > 1 else offsets
    if neuron.has_mean:
        deviation, mean = (_per_network(xp, v, dtype, 3) for v in model.constants[1:])
        readout = readout * deviation + mean
    return readout, neuron.evaluate(xp, argument)


def _any_features(
    xp: Any, model: NetworkModel, neuron: FeatureNeuron, normals: Any, uniforms: Any, x: Any, dtype: str
) -> tuple[Any, Any]:
    parameters = drawn_parameters(xp, model, neuron, normals, uniforms, dtype)
    readout, hidden = parameters[: neuron.n_outputs], parameters[neuron.n_outputs :]
    places = [x[:, mu].astype(dtype) for mu in range(model.input_dim)]
    values = array_function(neuron, dtype)(xp, [p[..., None] for p in hidden], places)
    shape = (*normals.shape[:2], len(x))
    return xp.stack(readout, axis=1), xp.broadcast_to(xp.asarray(values, dtype=dtype), shape)


def drawn_parameters(
    xp: Any, model: NetworkModel, neuron: FeatureNeuron, normals: Any, uniforms: Any, dtype: str
) -> list[Any]:
    """Return output weights and hidden parameters of a FeatureNeuron, each (n, k)."""
    middle = 2.0**-33 if dtype == "float64" else 0.5
    numbers = [_per_network(xp, v, dtype, 2) for v in model.constants]
    return drawn(xp, neuron, normals, uniforms + xp.asarray(middle, dtype=dtype), numbers, model.tables)


def _raw_numbers(
    xp: Any, model: NetworkModel, plan: Round, index: Any, block: int, rounds: Any, seed: int, dtype: str
) -> tuple[Any, Any]:
    """Return standard normals (n, k, n_normals) and uniform numbers (n, k, n_uniforms) of k neurons, in turns."""
    if isinstance(model.neuron, FeatureNeuron) and model.neuron.is_alone:
        nets, chosen = _neurons_alone(index, plan.n_neurons)
        whole = replace(model, neuron=replace(model.neuron, is_alone=False))
        every = _raw_numbers(xp, whole, plan, nets, block, rounds, seed, dtype)
        normals, uniforms = (numbers[xp.arange(len(index)), chosen][:, None] for numbers in every)
        return normals, uniforms
    words = _words(xp, plan, index, block, rounds, seed)
    n, n_neurons = len(index), len(rounds) * plan.n_neurons
    n_normals, n_uniforms = model.neuron.n_normals(model.input_dim), model.neuron.n_uniforms
    normals = _normals(xp, plan, words, dtype)[..., : plan.n_neurons * n_normals]
    used = plan.n_pairs * plan.words_per_pair
    uniforms = _turns(xp, words[..., used : used + plan.n_phases], dtype)
    return normals.reshape(n, n_neurons, n_normals), uniforms.reshape(n, n_neurons, n_uniforms)


def _neurons_alone(index: Any, n_neurons: int) -> tuple[Any, Any]:
    """Return the network and the place in its round of each sample of single neurons."""
    group = index // LANES
    return group // n_neurons * LANES + index % LANES, group % n_neurons


def round_numbers(
    xp: Any, index: Any, block: int, number: int, n_normals: int, n_uniforms: int, seed: int, dtype: str
) -> tuple[Any, Any]:
    """Return the numbers of one round of some networks, as many as asked for.

    Parameters
    ----------
    xp : module
        numpy or cupy.
    index : array of ``xp`` (n,)
        Networks within the block.
    block, number : int
        The block, and the number of the round.
    n_normals, n_uniforms : int
    seed : int
    dtype : {"float64", "float32"}

    Returns
    -------
    array (n, n_normals), array (n, n_uniforms)
        Standard normals, and angles in turns.
    """
    plan = Round(1, -(-n_normals // 2), 3 if dtype == "float64" else 2, n_uniforms)
    words = _words(xp, plan, index, block, xp.asarray([number], dtype=xp.uint64), seed)
    used = plan.n_pairs * plan.words_per_pair
    normals = _normals(xp, plan, words, dtype)[:, 0, :n_normals]
    return normals, _turns(xp, words[:, 0, used : used + n_uniforms], dtype)


def _words(xp: Any, plan: Round, index: Any, block: int, rounds: Any, seed: int) -> Any:
    """Return the words of rounds, shape (networks, rounds, 4 * calls)."""
    calls = xp.arange(plan.n_calls, dtype=xp.uint64)
    four = random_words(xp, (index[:, None, None], block, rounds[None, :, None], calls), seed)
    return xp.stack(four, axis=-1).reshape(len(index), len(rounds), 4 * plan.n_calls)


def _normals(xp: Any, plan: Round, words: Any, dtype: str) -> Any:
    """Return standard normals by Box and Muller's method, shape (networks, rounds, 2 * pairs)."""
    used = words[..., : plan.n_pairs * plan.words_per_pair]
    pairs = used.reshape(*words.shape[:2], plan.n_pairs, plan.words_per_pair)
    word = pairs[..., -1]
    radius = xp.sqrt(-xp.log(_unit_interval(xp, pairs, dtype)))
    angle = _quarter_turns(xp, word, dtype) * xp.asarray(np.pi / 2, dtype=dtype)
    cosine, sine = xp.cos(angle), xp.sin(angle)
    signs = [1 - 2 * ((word >> xp.uint32(bit)) & xp.uint32(1)).astype(dtype) for bit in (31, 30)]
    both = xp.stack([signs[0] * radius * (cosine - sine), signs[1] * radius * (cosine + sine)], axis=-1)
    return both.reshape(*words.shape[:2], 2 * plan.n_pairs)


def _quarter_turns(xp: Any, words: Any, dtype: str) -> Any:
    """Return angles from the middle of a quarter, between -1/2 and 1/2 quarter turns."""
    if dtype == "float64":
        return (words << xp.uint32(2)).astype(dtype) * 2.0**-32 + (2.0**-31 - 0.5)
    return _turns(xp, words << xp.uint32(2), dtype)


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


def _bias(xp: Any, index: Any, plan: Round, n_outputs: int, block: int, seed: int, dtype: str) -> Any:
    """Return the standard normals of the output biases, shape (networks, n_outputs)."""
    rounds = xp.asarray([OUTPUT_ROUND], dtype=xp.uint64)
    return _normals(xp, plan, _words(xp, plan, index, block, rounds, seed), dtype)[:, 0, :n_outputs]
