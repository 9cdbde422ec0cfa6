"""Source text of functions of the parameters of whole networks in the compiled CPU kernel, and of weighted sums.

Such a function is an expression in sums over neurons. Every neuron adds its terms to rows of sums when it is drawn, and
the expressions are evaluated when the network is complete. They are float64 in kernels of either type.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent
from typing import Any

from diagrams.typing import Expr
from numerics.kernels import Neuron
from numerics.kernels.features import FeatureNeuron, Layout, statements


@dataclass(frozen=True)
class NetworkFunctions:
    """Expressions in sums over the neurons of a network.

    Parameters
    ----------
    parameters : tuple of sympy.Symbol
        Output weights, one for each output, then the hidden parameters of a neuron in the order of their drawing.
    numbers : tuple of sympy.Symbol
        What is known at run time only: the width, the strength.
    terms : tuple of sympy.Expr
        What a neuron adds to each sum, in parameters and numbers.
    sums : tuple of sympy.Symbol
    values : tuple of sympy.Expr
        The functions, in sums and numbers.
    """

    parameters: tuple[Expr, ...]
    numbers: tuple[Expr, ...]
    terms: tuple[Expr, ...]
    sums: tuple[Expr, ...]
    values: tuple[Expr, ...]


#: Of one neuron; ``known`` holds the factor on normals of input weights, then the numbers.
_TERMS = """
@njit(fastmath=FLAGS, error_model='numpy')
def add_terms(k, constants, known, tables, normals, phases, scratch, terms):
    use_wide_vectors()
{prepare}{loops}

@njit(fastmath=FLAGS, error_model='numpy')
def evaluate_network(known, terms, values):
    use_wide_vectors()
{values}
"""

_ADD = """
@njit(fastmath=FLAGS, error_model='numpy')
def weigh_networks(logs, n_valid, head, weights, tiles):
    # weights relative to the largest one so far, head[0]; sums so far are brought to the same factor
    use_wide_vectors()
    top = head[0]
    for l in range(n_valid):
        if logs[l] > top:
            top = logs[l]
    if top == -np.inf:  # nothing of any weight so far; what is no number is told
        for l in range(LANES):
            weights[l] = 0.0 if l >= n_valid or logs[l] == -np.inf else np.nan
            head[1] += weights[l]
        return
    if top > head[0]:
        factor = np.exp(head[0] - top)
        for t in range(tiles.shape[0]):
            for j in range(tiles.shape[1]):
                tiles[t, j] *= factor
        head[0] = top
        head[1] *= factor
        head[2] *= factor * factor
    for l in range(LANES):
        weights[l] = exp_f64(logs[l] - top)
    for l in range(n_valid, LANES):
        weights[l] = 0.0
    for l in range(n_valid):
        head[1] += weights[l]
        head[2] += weights[l] * weights[l]


@njit(nogil=True, fastmath=FLAGS, error_model='numpy', cache=True)
def add_blocks(blocks, sizes, group0, group1, width, points, offsets, constants, tables, scale, bias, key0, key1,
               factors, squares, oblongs, buffers, rows, tiles, outputs, known, network, means, heads, sampled):
    use_wide_vectors()
    n_points = points.shape[0]
    n_fields = {n_outputs} * n_points
    n_rows = factors.shape[0] + 1
    words, opening, normals, phases, scratch = buffers
    terms, values, weights = network
    numbers = constants
    for b in range(blocks.shape[0]):
        block = blocks[b]
        for group in range(group0, min(group1, (sizes[b] + LANES - 1) // LANES)):
            first = group * LANES
            for i in range(terms.shape[0]):
                for l in range(LANES):
                    terms[i, l] = 0.0
{evaluate}
            evaluate_network(known, terms, values)
            if sampled.shape[0] > 0:
                for i in range(outputs.shape[1]):
                    for l in range(LANES):
                        outputs[group - group0, i, l] = rows[i, l]
                for i in range(values.shape[0]):
                    for l in range(LANES):
                        sampled[group - group0, i, l] = values[i, l]
                continue
            n_valid = min(LANES, sizes[b] - first)
            for i in range(n_fields):
                for l in range(n_valid, LANES):
                    rows[i, l] = ZERO
            if heads.shape[0] > 0:
                fill_monomials(rows, factors)
                weigh_networks(values[0], n_valid, heads[b], weights, tiles[b])
                for i in range(n_rows):
                    for l in range(LANES):
                        rows[n_rows + i, l] = rows[i, l] * np.{dtype}(weights[l])
            else:
                for i in range(values.shape[0]):
                    for l in range(LANES):
                        rows[n_fields + i, l] = np.{dtype}(values[i, l] - means[i]) if l < n_valid else ZERO
                fill_monomials(rows, factors)
            add_tiles(rows, squares, oblongs, tiles[b])
"""

#: Text within the loop over rounds of neurons.
ADD_TERMS = """    for k in range(min({n_neurons}, n_left)):
        add_terms(k, numbers, known, tables, normals, phases, scratch, terms)
"""


def terms_source(functions: NetworkFunctions, neuron: Neuron | FeatureNeuron, input_dim: int) -> tuple[str, set[str]]:
    """Return ``add_terms`` and ``evaluate_network``, and the elementary functions of float64 that they use."""
    texts = _parameter_texts(neuron, input_dim)
    names: dict[Any, str] = {s: f"p{i}" for i, s in enumerate(functions.parameters)}
    names |= {s: f"g{i}" for i, s in enumerate(functions.numbers)}
    used: set[str] = set()
    blocks = []
    for row, term in enumerate(functions.terms):
        lines, result, elementary_names, _ = statements(term, "numba", "float64", names)
        used |= elementary_names
        loads = [
            f"p{i} = {texts[i]}" for i, s in enumerate(functions.parameters) if term.has(s)
        ]  # fmt: skip
        body = [*loads, *lines, f"terms[{row}, l] += {result}"]
        blocks.append("for l in range(LANES):\n" + indent("\n".join(body), " " * 4))
    names |= {s: f"s{i}" for i, s in enumerate(functions.sums)}
    known = [f"g{i} = known[{1 + i}]" for i in range(len(functions.numbers))]
    wholes = []
    for row, value in enumerate(functions.values):
        lines, result, elementary_names, _ = statements(value, "numba", "float64", names)
        used |= elementary_names
        loads = [f"s{i} = terms[{i}, l]" for i, s in enumerate(functions.sums) if value.has(s)]
        body = [*loads, *lines, f"values[{row}, l] = {result}"]
        wholes.append("for l in range(LANES):\n" + indent("\n".join(body), " " * 4))
    text = _TERMS.format(
        prepare=indent("\n".join([*_prepare(neuron, input_dim), *known]), " " * 4) + "\n",
        loops=indent("\n".join(blocks) or "return", " " * 4),
        values=indent("\n".join([*known, *wholes]), " " * 4),
    )
    return text, used


def add_source(dtype: str, n_outputs: int, evaluate: str) -> str:
    """Return the functions that add weighted sums, with the lines that fill ``rows`` with fields."""
    return _ADD.format(dtype=dtype, n_outputs=n_outputs, evaluate=evaluate)


def _prepare(neuron: Neuron | FeatureNeuron, input_dim: int) -> list[str]:
    if isinstance(neuron, FeatureNeuron):
        arguments = f"k * {neuron.n_normals(0)}, k * {neuron.n_uniforms}"
        return [f"prepare({arguments}, constants, tables, normals, phases, scratch)"]
    q = [f"(k * {neuron.n_normals(input_dim)} + {j})" for j in range(neuron.n_normals(input_dim))]
    rows = [f"normal{j} = normals[{place} % 2, {place} // 2]" for j, place in enumerate(q)]
    rows += ["turns = phases[k]"] if neuron.bias == "phase" else []
    factors = ["spread = np.float64(constants[0])", "deviation = np.float64(constants[1])"]
    return [*rows, *factors, "mean = np.float64(constants[2])", "scale = known[0]"]


def _parameter_texts(neuron: Neuron | FeatureNeuron, input_dim: int) -> list[str]:
    """Return the text of every parameter of neuron ``k`` in lane ``l``, output weights first."""
    if isinstance(neuron, FeatureNeuron):
        layout = Layout(neuron)
        places = [layout.at((a, 0)) for a in range(neuron.n_outputs)] + [layout.at(s) for s in neuron.parameters]
        return [f"np.float64({place})" for place in places]
    n = neuron.n_outputs
    texts = [f"np.float64(normal{a}[l]) * deviation + mean" for a in range(n)]
    texts += [f"np.float64(normal{n + mu}[l]) * scale" for mu in range(input_dim)]
    if neuron.bias == "phase":
        turns = "np.float64(turns[l])"
        texts.append(f"({turns} - np.floor({turns} + 0.5)) * {2 * 3.141592653589793!r}")
    elif neuron.bias == "normal":
        texts.append(f"np.float64(normal{n + input_dim}[l]) * spread")
    return texts
