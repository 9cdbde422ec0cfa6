"""Source text of the compiled CPU kernel.

Words and normals are stored in planes (word ``4 c + j`` in plane j, normal ``2 p + j`` in plane j): LLVM tests for
overlap of rows over a whole loop nest at once, and rows that alternate would fail the test and be left scalar.
"""

from __future__ import annotations

from numerics import elementary
from numerics.kernels import LANES, LaneRows, Neuron, Round, _sums_source, neuron_round, philox
from numerics.kernels._neuron_source import has_round, neuron_source
from numerics.kernels._words_source import words_source
from numerics.kernels.features import FeatureNeuron, feature_source

_FLAT = """    given = normals.reshape(normals.size)
    turns = phases.reshape(phases.size)
    fields = rows.reshape(rows.size)
"""
_FULL_ROUND = """        if n_left >= {}:
            add_round(points, constants, given, turns, fields)
            continue
"""
# Networks with numbers of their own, see LaneRows. Normals of the output biases, the last round, are left as they are.
_GIVEN_ROUND = """        if n_left > 0:
            give_numbers(constants, normals)
"""
_LANE_ROWS = """    scales = constants[{}]
    biases = constants[{}]
"""

# Uniform numbers for the radius, angles of a pair in quarter turns from the middle of the quarter, and phases. The
# words of float64 are the low bits of numbers 2**52 + word (MAGIC), and what is subtracted here is exact.
_UNIFORM = {
    "float64": "(radius[l] * UNIT - 2.0**20) + (rest[l] * (UNIT * UNIT) - (2.0**-12 - 2.0**-65))",
    "float32": "np.float32(np.int32(radius[l] >> np.uint32(1))) * np.float32(2.0**-31) + UNIT",
}
_ANGLE = {
    "float64": "U64((bits << U64(2)) & LOW | MAGIC).view(np.float64) * UNIT - (2.0**20 + 0.5 - 2.0**-31)",
    "float32": "np.float32(np.int32(bits << np.uint32(2))) * UNIT",
}
_PHASE = {"float64": "angle[l] * UNIT - 2.0**20", "float32": "np.float32(np.int32(angle[l])) * UNIT"}
# the two highest bits of the angle are the signs of the pair
_BITS = {"float64": ("np.float64(angle[l]).view(U64)", "U64", 32), "float32": ("angle[l]", "np.uint32", 0)}

# The array of a shape that begins at the first cache line of some space: a vector of 512 bits that crosses the end of a
# line costs two accesses. Written as an intrinsic, it compiles in a tenth of the time of slices, views and reshape.
_ALIGNED = """
from numba.core.imputils import impl_ret_borrowed
from numba.np.arrayobj import populate_array


@intrinsic
def line_aligned(context, space, shape):
    result = types.Array(space.dtype, len(shape), 'C')

    def generate(context, builder, signature, arguments):
        given = make_array(space)(context, builder, value=arguments[0])
        array = make_array(result)(context, builder)
        word = context.get_value_type(types.intp)
        line = builder.add(builder.ptrtoint(given.data, word), word(63))
        lengths = cgutils.unpack_tuple(builder, arguments[1])
        size = word(context.get_abi_sizeof(context.get_data_type(space.dtype)))
        strides = [size]
        for length in lengths[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        populate_array(
            array, data=builder.inttoptr(builder.and_(line, word(-64)), array.data.type), shape=lengths,
            strides=strides, itemsize=size, meminfo=given.meminfo, parent=given.parent,
        )
        return impl_ret_borrowed(context, builder, result, array._getvalue())

    return result(space, shape), generate
"""

_EVALUATE = """
@njit(fastmath=FLAGS, error_model='numpy')
def evaluate(block, first, width, points, offsets, constants, tables, scale, bias, key0, key1,
             words, opening, normals, phases, scratch, rows):
    use_wide_vectors()
    n_points = points.shape[0]
    open_words(first, key1, opening)
{flat}    n_rounds = (width + {n_neurons} - 1) // {n_neurons}
    for i in range({n_outputs} * n_points):
        for l in range(LANES):
            rows[i, l] = ZERO
    for r in range(n_rounds + (bias > ZERO)):
        draw(block, r if r < n_rounds else {output_round}, key0, key1, opening, words)
        transform(words, normals, phases)
        n_left = width - {n_neurons} * r
{add_round}        for k in range(min({n_neurons}, n_left)):
            add_neuron(k, points, offsets, constants, tables, normals, phases, scratch, rows)
{lane_rows}    for a in range({n_outputs}):
        shift = normals[a % 2, a // 2]
        for i in range(a * n_points, (a + 1) * n_points):
            for l in range(LANES):
                rows[i, l] = rows[i, l] * {scale} + {bias} * shift[l]
"""

_NEXT_GROUP = """
        evaluate(block, first, width, points, offsets, {constants}, tables, scale, bias, key0, key1,
                 words, opening, normals, phases, scratch, rows)
"""

# Neurons that are sampled alone: as many groups as there are neurons in a round come from the words of one group.
_EVALUATE_ALONE = """
@njit(fastmath=FLAGS, error_model='numpy')
def draw_group(block, group, key0, key1, words, opening, normals, phases):
    use_wide_vectors()
    open_words(group // {n_neurons} * LANES, key1, opening)
    draw(block, 0, key0, key1, opening, words)
    transform(words, normals, phases)


@njit(fastmath=FLAGS, error_model='numpy')
def one_neuron(group, points, offsets, constants, tables, normals, phases, scratch, rows):
    use_wide_vectors()
    for i in range({n_outputs} * points.shape[0]):
        for l in range(LANES):
            rows[i, l] = ZERO
    add_neuron(group % {n_neurons}, points, offsets, constants, tables, normals, phases, scratch, rows)


@njit(fastmath=FLAGS, error_model='numpy')
def evaluate(block, first, width, points, offsets, constants, tables, scale, bias, key0, key1,
             words, opening, normals, phases, scratch, rows):
    use_wide_vectors()
    group = first // LANES
    draw_group(block, group, key0, key1, words, opening, normals, phases)
    one_neuron(group, points, offsets, constants, tables, normals, phases, scratch, rows)
"""

_NEXT_GROUP_ALONE = """
        if group == group0 or group % {n_neurons} == 0:
            draw_group(block, group, key0, key1, words, opening, normals, phases)
        one_neuron(group, points, offsets, constants, tables, normals, phases, scratch, rows)
"""

_MODULE = """
from numba import njit, prange

FLAGS = {{'contract', 'nsz'}}
U64 = np.uint64
LOW = U64(0xFFFFFFFF)
MAGIC = U64(0x4330000000000000)
ZERO = np.{dtype}(0.0)
UNIT = np.{dtype}(2.0**-32)
SIGN = {integer}({sign:#x})


{words}

@njit(fastmath=FLAGS, error_model='numpy')
def transform(words, normals, phases):
    use_wide_vectors()
    for pair in range({n_pairs}):
        w = {words_per_pair} * pair
        radius = words[w % 4, w // 4]
        rest = words[(w + 1) % 4, (w + 1) // 4]
        angle = words[(w + {words_per_pair} - 1) % 4, (w + {words_per_pair} - 1) // 4]
        left = normals[0, pair]
        right = normals[1, pair]
        for l in range(LANES):
            bits = {bits}
            y = {angle}
            r = {root_log}({uniform})
            c = r * {cos}(y)
            s = {sin}(y)
            flip = bits << {integer}({shift}) & SIGN
            left[l] = {integer}(np.{dtype}(c - r * s).view({integer}) ^ flip).view(np.{dtype})
            flip = bits << {integer}({shift} + 1) & SIGN
            right[l] = {integer}(np.{dtype}(c + r * s).view({integer}) ^ flip).view(np.{dtype})
    for k in range({n_phases}):
        w = {words_per_pair} * {n_pairs} + k
        angle = words[w % 4, w // 4]
        phase = phases[k]
        for l in range(LANES):
            phase[l] = {phase}

{add_neuron}

{sums}


{evaluate}


@njit
def aligned_rows(n_rows):
    return line_aligned(np.empty(n_rows * LANES + 64, np.{dtype}), (n_rows, LANES))


@njit
def buffers(n_more):
    words = line_aligned(np.empty(4 * {n_calls} * LANES + 64, np.{stored}), (4, {n_calls}, LANES))
    opening = line_aligned(np.empty(({n_calls} + 1) * LANES + 64, np.uint64), ({n_calls} + 1, LANES))
    normals = line_aligned(np.empty(2 * {n_pairs} * LANES + 64, np.{dtype}), (2, {n_pairs}, LANES))
    scratch = line_aligned(np.empty(({n_scratch} + n_more) * LANES + 64, np.{dtype}), (({n_scratch} + n_more) * LANES,))
    return words, opening, normals, aligned_rows({n_phase_rows}), scratch


@njit(fastmath=FLAGS, error_model='numpy')
def add_block(block, n_nets, group0, group1, width, points, offsets, constants, tables, scale, bias, key0, key1,
              factors, squares, oblongs, places, total):
    use_wide_vectors()
    words, opening, normals, phases, scratch = buffers({n_more})
    rows = aligned_rows(factors.shape[0] + 1)
    rows[factors.shape[0]] = 1
    sums = in_tiles(total, places)
    for group in range(group0, min(group1, (n_nets + LANES - 1) // LANES)):
        first = group * LANES
{next_group}
        for i in range({n_outputs} * points.shape[0]):
            for l in range(n_nets - first, LANES):
                rows[i, l] = ZERO
        add_monomials(rows, factors, squares, oblongs, sums)
    out_of_tiles(sums, places, total)


@njit(parallel=True, nogil=True, error_model='numpy', cache=True)
def sample_block(block, group0, width, points, offsets, constants, tables, scale, bias, key0, key1, outputs):
    for g in prange(outputs.shape[0]):
        use_wide_vectors()
        words, opening, normals, phases, scratch = buffers({n_more})
        evaluate(block, (group0 + g) * LANES, width, points, offsets, {of_group}, tables, scale, bias, key0, key1,
                 words, opening, normals, phases, scratch,
                 outputs[g])


@njit(parallel=True, nogil=True, error_model='numpy', cache=True)
def add_blocks(blocks, sizes, group0, group1, width, points, offsets, constants, tables, scale, bias, key0, key1,
               factors, squares, oblongs, places, totals):
    for b in prange(blocks.shape[0]):
        use_wide_vectors()
        add_block(blocks[b], sizes[b], group0, group1, width, points, offsets, {of_block}, tables, scale, bias,
                  key0, key1, factors, squares, oblongs, places, totals[b])
"""


def kernel_source(
    model: Neuron | FeatureNeuron,
    input_dim: int,
    dtype: str,
    functions: tuple[str, ...] = (),
    *,
    by_lane: bool = False,
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
    """
    plan = neuron_round(model, input_dim, dtype)
    if isinstance(model, FeatureNeuron):
        add_neuron, used, n_scratch = feature_source(model, dtype, by_lane)
    else:
        add_neuron, used, n_scratch = neuron_source(model, input_dim, dtype, plan, by_lane)
    elementary_names = {"root_log", "cos_quarter", "sin_quarter", *functions} | used
    names = {f: elementary.function_name(f, dtype) for f in elementary_names}
    is_double, (bits, integer, shift) = dtype == "float64", _BITS[dtype]
    has_pairs = isinstance(model, FeatureNeuron) and model.half is not None
    body = _MODULE.format(
        dtype=dtype, size=8 if is_double else 4, stored="float64" if is_double else "uint32",
        n_calls=plan.n_calls, n_pairs=plan.n_pairs, n_phases=plan.n_phases, words_per_pair=plan.words_per_pair,
        words=words_source(plan.n_calls, LANES, dtype), n_outputs=model.n_outputs,
        uniform=_UNIFORM[dtype], angle=_ANGLE[dtype], phase=_PHASE[dtype], root_log=names["root_log"],
        cos=names["cos_quarter"], sin=names["sin_quarter"], bits=bits, integer=integer, shift=shift,
        sign=1 << (63 if is_double else 31), n_phase_rows=max(1, plan.n_phases), n_scratch=n_scratch,
        add_neuron=add_neuron.strip("\n"), sums=_sums_source.FUNCTIONS.strip("\n"),
        n_more="count_ends(points.shape[0])" if has_pairs else "0", of_block="constants[b]" if by_lane else "constants",
        of_group="constants[g]" if by_lane else "constants", **_group_sources(model, plan, input_dim, by_lane),
    )  # fmt: skip
    head = [elementary.library(elementary_names, dtype), _sums_source.intrinsics(LANES, dtype), _ALIGNED]
    return "\n".join([*head, "import math", body])


def _group_sources(model: Neuron | FeatureNeuron, plan: Round, input_dim: int, by_lane: bool) -> dict[str, str]:
    """Return the text of ``evaluate``, and of how ``add_block`` fills the rows of fields of its next group."""
    is_alone, in_rounds = isinstance(model, FeatureNeuron) and model.is_alone, has_round(model, input_dim)
    add_round = _GIVEN_ROUND if by_lane and isinstance(model, Neuron) else ""
    add_round += _FULL_ROUND.format(plan.n_neurons) if in_rounds else ""
    numbers = {
        "n_neurons": plan.n_neurons, "n_outputs": model.n_outputs, "output_round": philox.OUTPUT_ROUND,
        "flat": _FLAT if in_rounds else "", "add_round": add_round,
        "lane_rows": _LANE_ROWS.format(LaneRows.output_scale, LaneRows.output_bias) if by_lane else "",
        "scale": "scales[l]" if by_lane else "scale", "bias": "biases[l]" if by_lane else "bias",
        "constants": "constants[group - group0]" if by_lane else "constants",
    }  # fmt: skip
    texts = (_EVALUATE_ALONE, _NEXT_GROUP_ALONE) if is_alone else (_EVALUATE, _NEXT_GROUP)
    evaluate, next_group = (text.strip("\n").format(**numbers) for text in texts)
    return {"evaluate": evaluate, "next_group": next_group}
