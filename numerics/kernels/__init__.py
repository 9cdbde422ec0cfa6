"""Compiled ensemble kernels, and what every kernel of an ensemble shares: how one neuron is drawn and evaluated.

The stream of random words is part of a result's definition, so it is fixed here, once, for all backends. Neurons are
drawn in rounds of a few neurons, as many as fill whole Philox calls. A round uses its words in order: first the
normals, pair by pair, then one word for each uniform number. Normals are dealt to neurons in turn: output
weights (one for each output), then the hidden ones (the ``input_dim`` input weights, then a Gaussian hidden bias).

A pair of normals (Box and Muller) is ``sqrt(-log u) (cos a - sin a)`` and ``sqrt(-log u) (cos a + sin a)`` up to their
signs: with ``a = pi y / 2`` and ``-1/2 < y < 1/2`` they are a point of a quarter of the plane. The two highest bits of
the word w of the angle are the signs and the others give y, so that sines and cosines are those of small angles.

- float64: a pair takes three words. The radius uses 64 bits, ``u = (w0 + (w1 + 1/2) / 2**32) / 2**32``, the angle
  ``y = (4 w mod 2**32 + 2) / 2**32 - 1/2``, and any phase ``t = w / 2**32`` turns. Angles only ever enter through sines
  and cosines of whole multiples, and 2**32 equidistant angles average every such harmonic below the 2**32-nd exactly.
- float32: a pair takes two words, ``u = (w0 // 2 + 1/2) / 2**31``, ``y = int32(4 w mod 2**32) / 2**32``, and a phase is
  ``t = int32(w) / 2**32``. So float32 networks are other networks than the float64 ones of the same seed.

Where single neurons are sampled (``method="neuron"``), they are all neurons of the first round of networks, so that no
words are drawn in vain: sample i of a block is neuron ``(i // 128) % n`` of network ``i // (128 n) * 128 + i % 128``,
with n neurons a round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

LANES = 128  # networks evaluated side by side in a compiled kernel
#: Sums of a block of weighted networks before those of monomials: the largest log weight, then the sum of the weights
#: relative to it, to which the others belong too, and the sum of their squares.
N_HEADS = 3
WORDS_PER_PAIR = {"float64": 3, "float32": 2}  # of normals
STREAM = 3  # number of the definition above: a run is not resumed, and no sums are shared, across a change of it


@dataclass(frozen=True)
class Neuron:
    """A neuron whose hidden feature is a function of one number, ``h(x; w, b) = activation(w.x + b + offset(x))``.

    Parameters
    ----------
    name : str
        Name of the architecture's feature.
    bias : {"none", "phase", "normal"}
        The b in the argument: absent, a uniform phase in turns, or a standard normal times a scale.
    argument_unit : float
        Factor on w.x: ``1 / (2 pi)`` where the activation takes turns.
    activation : str
        In the compiled kernels: an elementary function, or a key of
        :data:`numerics.kernels._neuron_source.EXPRESSIONS`.
    evaluate : callable
        The same function over an array namespace, ``evaluate(xp, argument)``.
    has_offset : bool
        Whether a number that depends on the point is added to the argument.
    n_outputs : int
        Output weights per neuron.
    has_mean : bool
        Whether output weights have a mean.
    """

    name: str
    bias: str
    argument_unit: float
    activation: str
    evaluate: Callable[[Any, Any], Any]
    has_offset: bool = False
    n_outputs: int = 1
    has_mean: bool = False

    @property
    def label(self) -> str:
        """Identifier for file names."""
        mean = "_mean" if self.has_mean else ""
        return f"{self.name}_{self.bias}_{self.n_outputs}out{mean}"

    @property
    def n_uniforms(self) -> int:
        """Uniform words per neuron."""
        return int(self.bias == "phase")

    def n_normals(self, input_dim: int) -> int:
        """Return the normals per neuron."""
        return self.n_outputs + input_dim + (self.bias == "normal")


def cos_turns(xp: Any, turns: Any) -> Any:
    """Return cos(2 pi turns), in the type of the argument."""
    return xp.cos(turns * xp.asarray(2 * np.pi, dtype=turns.dtype))


def exp(xp: Any, argument: Any) -> Any:
    """Return exp(argument)."""
    return xp.exp(argument)


def relu(xp: Any, argument: Any) -> Any:
    """Return max(argument, 0)."""
    return xp.maximum(argument, 0)


def identity(xp: Any, argument: Any) -> Any:
    """Return the argument."""
    return argument


def erf(xp: Any, argument: Any) -> Any:
    """Return erf(argument)."""
    return special_functions(xp).erf(argument)


def special_functions(xp: Any) -> Any:
    """Return the module of special functions that goes with an array namespace."""
    return import_module("scipy.special" if xp is np else "cupyx.scipy.special")


NEURONS = {
    "cos": Neuron("cos", "phase", 0.5 / np.pi, "cos_wave", cos_turns),
    "gauss": Neuron("gauss", "normal", 1.0, "exp", exp, has_offset=True),
    "relu": Neuron("relu", "normal", 1.0, "relu", relu),
    "erf": Neuron("erf", "normal", 1.0, "erf", erf),
    "linear": Neuron("linear", "normal", 1.0, "identity", identity),
}


@dataclass(frozen=True)
class Round:
    """The random words of one round of neurons.

    Parameters
    ----------
    n_neurons : int
        Neurons per round.
    n_pairs : int
        Pairs of normals.
    words_per_pair : int
        3 in float64, 2 in float32.
    n_phases : int
        Uniform numbers in the round.
    """

    n_neurons: int
    n_pairs: int
    words_per_pair: int
    n_phases: int

    @property
    def n_words(self) -> int:
        """Words in use."""
        return self.n_pairs * self.words_per_pair + self.n_phases

    @property
    def n_calls(self) -> int:
        """Philox calls, four words each."""
        return -(-self.n_words // 4)

    @property
    def words_per_neuron(self) -> float:
        """Words drawn per neuron, the unused ones included."""
        return 4 * self.n_calls / self.n_neurons


class LaneRows:
    """Rows of the numbers of a group of networks that have numbers of their own, one column for each network.

    The rows are those of :class:`numerics.model.NetworkModel`: factors on input weights and on outputs, deviation of
    the output bias, the two numbers of the offset ``base + slope |x|^2``, then all constants.
    """

    input_scale, output_scale, output_bias, base, slope, constants = range(6)


def neuron_round(neuron: Any, input_dim: int, dtype: str) -> Round:
    """Return the round that draws fewest words per neuron, of 1, 2 or 4 neurons.

    Parameters
    ----------
    neuron : Neuron or FeatureNeuron
        Anything with ``n_normals(input_dim)`` and ``n_uniforms``.
    input_dim : int
    dtype : {"float64", "float32"}

    Examples
    --------
    >>> neuron_round(NEURONS["cos"], 1, "float64"), neuron_round(NEURONS["cos"], 1, "float32").n_calls
    (Round(n_neurons=1, n_pairs=1, words_per_pair=3, n_phases=1), 3)
    """
    n_normals, n_uniforms = neuron.n_normals(input_dim), neuron.n_uniforms
    rounds = [Round(k, max(1, -(-k * n_normals // 2)), WORDS_PER_PAIR[dtype], k * n_uniforms) for k in (1, 2, 4)]
    return min(rounds, key=lambda r: (r.words_per_neuron, r.n_neurons))


@cache
def index_tuples(n_points: int, degree: int) -> NDArray[np.int64]:
    """Return all index tuples ``i <= j <= ...`` of a degree in lexicographic order, shape (K, degree), read-only.

    Examples
    --------
    >>> index_tuples(2, 3).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]
    """
    tuples = np.array(list(combinations_with_replacement(range(n_points), degree)), dtype=np.int64)
    tuples = tuples.reshape(-1, degree)
    tuples.setflags(write=False)
    return tuples
