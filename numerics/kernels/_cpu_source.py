"""Source text of the compiled CPU kernel.

Words and normals are stored in planes (word ``4 c + j`` in plane j, normal ``2 p + j`` in plane j): LLVM tests for
overlap of rows over a whole loop nest at once, and rows that alternate would fail the test and be left scalar.
"""

from __future__ import annotations

from textwrap import indent

from numerics import elementary
from numerics._codegen import imported
from numerics.kernels import LaneRows, Neuron, Round, neuron_round, philox
from numerics.kernels._neuron_source import has_round, neuron_source
from numerics.kernels._sums_source import INTRINSICS, sums_module
from numerics.kernels._tilt_source import ADD_TERMS, NetworkFunctions, add_source, terms_source
from numerics.kernels._words_source import drawing_module
from numerics.kernels.features import FeatureNeuron, feature_source

_FLAT = """given = normals.reshape(normals.size)
turns = phases.reshape(phases.size)
fields = rows.reshape(rows.size)
"""
_FULL_ROUND = """    if n_left >= {}:
        add_round(points, numbers, given, turns, fields)
        continue
"""
# Networks with numbers of their own, see LaneRows. Normals of the output biases, the last round, are left as they are.
_GIVEN_ROUND = """    if n_left > 0:
        give_numbers(numbers, normals)
"""
# Neurons at or beyond the width of a network count as zero, where networks have widths of their own.
_GIVEN_WIDTHS = """own = widths[b, group - group0]
least, width = own[0], own[0]
for l in range(LANES):
    least, width = min(least, own[l]), max(width, own[l])
"""
_CUT_ROUND = """        if {n_neurons} * (r + 1) > least:
            leave_out(own, {n_neurons} * r, normals)
"""
_LANE_ROWS = """scales = numbers[{}]
biases = numbers[{}]
"""

# The outputs of a group of networks, as text of the loop over groups: a function of its own would be compiled three
# times, by itself and in each function that calls it.
_EVALUATE = """
{widths}open_words(first, key1, opening)
{flat}n_rounds = (width + {n_neurons} - 1) // {n_neurons}
for i in range({n_outputs} * n_points):
    for l in range(LANES):
        rows[i, l] = ZERO
for r in range(n_rounds + (bias > ZERO)):
    draw(block, r if r < n_rounds else {output_round}, key0, key1, opening, words)
    transform(words, normals, phases)
    n_left = width - {n_neurons} * r
{before_neurons}    for k in range(min({n_neurons}, n_left)):
        add_neuron(k, {place}points, offsets, numbers, tables, normals, phases, scratch, rows)
{lane_rows}for a in range({n_outputs}):
    shift = normals[a % 2, a // 2]
    for i in range(a * n_points, (a + 1) * n_points):
        for l in range(LANES):
            rows[i, l] = rows[i, l] * {scale} + {bias} * shift[l]
"""

# Neurons that are sampled alone: as many groups as there are neurons in a round come from the words of one group.
_EVALUATE_ALONE = """
if group == group0 or group % {n_neurons} == 0:
    open_words(group // {n_neurons} * LANES, key1, opening)
    draw(block, 0, key0, key1, opening, words)
    transform(words, normals, phases)
for i in range({n_outputs} * n_points):
    for l in range(LANES):
        rows[i, l] = ZERO
add_neuron(group % {n_neurons}, points, offsets, numbers, tables, normals, phases, scratch, rows)
"""

_HEAD = """
import math
{imports}
FLAGS = {{'contract', 'nsz'}}
U64 = np.uint64
ZERO = np.{dtype}(0.0)
SCRATCH_ROWS = {n_scratch}

{add_neuron}
"""

_ADD = """
@njit(nogil=True, fastmath=FLAGS, error_model='numpy', cache=True)
def add_blocks(blocks, sizes, group0, group1, {width}, points, offsets, constants, tables, scale, bias, key0, key1,
               factors, squares, oblongs, buffers, rows, tiles, outputs):
    use_wide_vectors()
    n_points = points.shape[0]
    words, opening, normals, phases, scratch = buffers
    for b in range(blocks.shape[0]):
        block = blocks[b]
        for group in range(group0, min(group1, (sizes[b] + LANES - 1) // LANES)):
            first = group * LANES
            numbers = {numbers}
{evaluate}
            if outputs.shape[0] > 0:
                place = b * (group1 - group0) + group - group0
                for i in range({n_outputs} * n_points):
                    for l in range(LANES):
                        outputs[place, i, l] += rows[i, l]
            else:
                for i in range({n_outputs} * n_points):
                    for l in range(sizes[b] - first, LANES):
                        rows[i, l] = ZERO
                fill_monomials(rows, factors)
                add_tiles(rows, squares, oblongs, tiles[b])
"""


def kernel_source(
    model: Neuron | FeatureNeuron,
    input_dim: int,
    dtype: str,
    functions: tuple[str, ...] = (),
    *,
    by_lane: bool = False,
    by_width: bool = False,
    network: NetworkFunctions | None = None,
) -> str:
    """Return the text of the module with the compiled kernel of a kind of neuron.

    Parameters
    ----------
    model : Neuron or FeatureNeuron
    input_dim : int
        Components of a point.
    dtype : {"float64", "float32"}
        Type in which networks are evaluated; sums of blocks are float64 always.
    functions : tuple of str
        Elementary functions that code added to the module needs.
    by_lane : bool
        Every network has numbers of its own: ``constants`` has axes (block, group, number, lane), with the rows of
        :class:`~numerics.kernels.LaneRows`; points are not scaled, and ``offsets`` are the squares of the points. For
        whole networks, not for neurons that are sampled alone.
    by_width : bool
        With numbers by lane, every network has a width of its own too: ``widths`` in place of the ``width`` has axes
        (block, group, lane). Groups run up to the largest width in them.
    network : NetworkFunctions, optional
        Functions of the parameters of a network that are evaluated with the fields. Of networks of one density.
    """
    plan = neuron_round(model, input_dim, dtype)
    if isinstance(model, FeatureNeuron):
        add_neuron, used, n_scratch = feature_source(model, dtype, by_lane, by_width)
    else:
        add_neuron, used, n_scratch = neuron_source(model, input_dim, dtype, plan, by_lane, by_width)
    imports = [
        "from numba import njit\n",
        imported(sums_module(dtype), *INTRINSICS, "fill_monomials", "add_tiles"),
        imported(drawing_module(plan, dtype), "open_words", "draw", "transform"),
    ]
    parts = [elementary.library({*functions, *used}, dtype)]
    parts.append(
        _HEAD.format(dtype=dtype, imports="".join(imports), add_neuron=add_neuron.strip("\n"), n_scratch=n_scratch)
    )
    evaluate = evaluate_source(model, plan, input_dim, by_lane, has_terms=network is not None, by_width=by_width)
    evaluate = indent(evaluate, " " * 12)
    if network is None:
        numbers = "constants[b, group - group0]" if by_lane else "constants"
        width = "widths" if by_width else "width"
        parts.append(_ADD.format(evaluate=evaluate, numbers=numbers, n_outputs=model.n_outputs, width=width))
    else:
        terms, more = terms_source(network, model, input_dim)
        parts[:0] = [elementary.library({"exp", *more}, "float64")]
        parts += [terms, add_source(dtype, model.n_outputs, evaluate)]
    return "\n".join(parts)


def evaluate_source(
    model: Neuron | FeatureNeuron,
    plan: Round,
    input_dim: int,
    by_lane: bool = False,
    *,
    has_terms: bool = False,
    by_width: bool = False,
) -> str:
    """Return the lines that fill ``rows`` with the fields of a group of networks.

    Their names are those of ``add_blocks``: ``first`` is the first network of the group, ``numbers`` what is said of
    its neurons.
    """
    is_alone, in_rounds = isinstance(model, FeatureNeuron) and model.is_alone, has_round(model, input_dim)
    before, place = "", ""
    if isinstance(model, Neuron) and by_lane:
        before = _GIVEN_ROUND + (_CUT_ROUND.format(n_neurons=plan.n_neurons) if by_width else "")
    elif by_width:
        place = f"{plan.n_neurons} * r + k, own, "
    before += ADD_TERMS.format(n_neurons=plan.n_neurons) if has_terms else ""
    before += _FULL_ROUND.format(plan.n_neurons) if in_rounds else ""
    text = (_EVALUATE_ALONE if is_alone else _EVALUATE).strip("\n")
    return text.format(
        n_neurons=plan.n_neurons, n_outputs=model.n_outputs, output_round=philox.OUTPUT_ROUND,
        flat=_FLAT if in_rounds else "", before_neurons=before, place=place, widths=_GIVEN_WIDTHS if by_width else "",
        lane_rows=_LANE_ROWS.format(LaneRows.output_scale, LaneRows.output_bias) if by_lane else "",
        scale="scales[l]" if by_lane else "scale", bias="biases[l]" if by_lane else "bias",
    )  # fmt: skip
