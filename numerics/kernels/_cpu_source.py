"""Source text of the compiled CPU kernel.

Words and normals are stored in planes (word ``4 c + j`` in plane j, normal ``2 p + j`` in plane j): LLVM tests for
overlap of rows over a whole loop nest at once, and rows that alternate would fail the test and be left scalar.
"""

from __future__ import annotations

from numerics import elementary
from numerics.kernels import LANES, Neuron, neuron_round, philox
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

# Some processors with 512-bit vectors are taken by LLVM for better off with 256 bits; these loops gain up to 1.5 times
# from the full width. The attribute has no effect where vectors are shorter. The stack begins at a cache line, so that
# numbers kept there do not cross one.
_WIDE_VECTORS = """
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def use_wide_vectors(context):
    def generate(context, builder, signature, arguments):
        builder.function.attributes.alignstack = 64
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # past llvmlite's list of known names
        return context.get_dummy_value()

    return types.none(), generate
"""

# The sum over lanes in vectors of 16, in an order that is written down: where LLVM may choose one, kernels from the
# cache of compiled code, which have been through its passes once more, add in another order than those just compiled.
_DOT = """
from llvmlite import ir
from numba.np.arrayobj import make_array


@intrinsic
def dot(context, x, y):
    def generate(context, builder, signature, arguments):
        index = ir.IntType(32)
        vector = ir.VectorType(context.get_value_type(x.dtype), 16)
        starts = [
            builder.bitcast(make_array(kind)(context, builder, value=a).data, vector.as_pointer())
            for kind, a in zip(signature.args, arguments)
        ]
        total = None
        for i in range(LANES // 16):
            left, right = (
                builder.load(builder.gep(start, [index(i)]), align=x.dtype.bitwidth // 8) for start in starts
            )
            term = builder.fmul(left, right, flags=['contract'])
            total = term if total is None else builder.fadd(total, term, flags=['contract'])
        width = 8
        while width:
            kind = ir.VectorType(index, width)
            places = [ir.Constant(kind, list(range(k, k + width))) for k in (0, width)]
            total = builder.fadd(*(builder.shuffle_vector(total, total, place) for place in places))
            width //= 2
        return builder.extract_element(total, index(0))

    return x.dtype(x, y), generate
"""

_MODULE = """
from numba import njit, prange

FLAGS = {{'contract', 'nsz'}}
U64 = np.uint64
LOW = U64(0xFFFFFFFF)
MAGIC = U64(0x4330000000000000)
LANES = {lanes}
ZERO = np.{dtype}(0.0)
HALF = np.{dtype}(0.5)
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

@njit(fastmath=FLAGS, error_model='numpy')
def add_monomials(rows, factors, products, total):
    use_wide_vectors()
    n_rows = rows.shape[0]
    ones = np.ones(LANES, np.{dtype})
    for p in range(n_rows):
        row = rows[p]
        if factors[p, 1] < 0:
            total[p] += dot(row, ones)
        else:
            x = rows[factors[p, 0]]
            y = rows[factors[p, 1]]
            for l in range(LANES):
                row[l] = x[l] * y[l]
            total[p] += dot(x, y)
    for p in range(products.shape[0]):
        total[products[p, 2]] += dot(rows[products[p, 0]], rows[products[p, 1]])


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
    for a in range({n_outputs}):
        shift = normals[a % 2, a // 2]
        for i in range(a * n_points, (a + 1) * n_points):
            for l in range(LANES):
                rows[i, l] = rows[i, l] * scale + bias * shift[l]


@njit
def line_aligned(n_bytes):
    # a vector of 512 bits that crosses the end of a cache line costs two accesses
    space = np.empty(n_bytes + 64, np.uint8)
    start = -space.ctypes.data % 64
    return space[start : start + n_bytes]


@njit
def aligned_rows(n_rows):
    return line_aligned(n_rows * LANES * {size}).view(np.{dtype}).reshape((n_rows, LANES))


@njit
def buffers():
    words = line_aligned(4 * {n_calls} * LANES * {size}).view(np.{stored}).reshape((4, {n_calls}, LANES))
    opening = line_aligned(({n_calls} + 1) * LANES * 8).view(np.uint64).reshape(({n_calls} + 1, LANES))
    normals = aligned_rows(2 * {n_pairs}).reshape((2, {n_pairs}, LANES))
    return words, opening, normals, aligned_rows({n_phase_rows}), aligned_rows({n_scratch}).reshape({n_scratch} * LANES)


@njit(fastmath=FLAGS, error_model='numpy')
def add_block(block, n_nets, group0, group1, width, points, offsets, constants, tables, scale, bias, key0, key1,
              factors, products, total):
    use_wide_vectors()
    words, opening, normals, phases, scratch = buffers()
    rows = aligned_rows(factors.shape[0])
    for group in range(group0, min(group1, (n_nets + LANES - 1) // LANES)):
        first = group * LANES
        evaluate(block, first, width, points, offsets, constants, tables, scale, bias, key0, key1,
                 words, opening, normals, phases, scratch, rows)
        for i in range({n_outputs} * points.shape[0]):
            for l in range(n_nets - first, LANES):
                rows[i, l] = ZERO
        add_monomials(rows, factors, products, total)


@njit(parallel=True, error_model='numpy', cache=True)
def sample_block(block, group0, width, points, offsets, constants, tables, scale, bias, key0, key1, outputs):
    for g in prange(outputs.shape[0]):
        use_wide_vectors()
        words, opening, normals, phases, scratch = buffers()
        evaluate(block, (group0 + g) * LANES, width, points, offsets, constants, tables, scale, bias, key0, key1,
                 words, opening, normals, phases, scratch,
                 outputs[g])


@njit(parallel=True, error_model='numpy', cache=True)
def add_blocks(blocks, sizes, group0, group1, width, points, offsets, constants, tables, scale, bias, key0, key1,
               factors, products, totals):
    for b in prange(blocks.shape[0]):
        use_wide_vectors()
        add_block(blocks[b], sizes[b], group0, group1, width, points, offsets, constants, tables, scale, bias,
                  key0, key1, factors, products, totals[b])
"""


def kernel_source(model: Neuron | FeatureNeuron, input_dim: int, dtype: str, functions: tuple[str, ...] = ()) -> str:
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
    """
    plan = neuron_round(model, input_dim, dtype)
    if isinstance(model, FeatureNeuron):
        add_neuron, used, n_scratch = feature_source(model, dtype)
    else:
        add_neuron, used, n_scratch = neuron_source(model, input_dim, dtype, plan)
    elementary_names = {"root_log", "cos_quarter", "sin_quarter", *functions} | used
    names = {f: elementary.function_name(f, dtype) for f in elementary_names}
    is_double, (bits, integer, shift) = dtype == "float64", _BITS[dtype]
    in_rounds = has_round(model, input_dim)
    body = _MODULE.format(
        lanes=LANES, dtype=dtype, size=8 if is_double else 4, stored="float64" if is_double else "uint32",
        n_calls=plan.n_calls, n_pairs=plan.n_pairs, n_phases=plan.n_phases, n_neurons=plan.n_neurons,
        words_per_pair=plan.words_per_pair, words=words_source(plan.n_calls, LANES, dtype),
        n_outputs=model.n_outputs, output_round=philox.OUTPUT_ROUND,
        uniform=_UNIFORM[dtype], angle=_ANGLE[dtype], phase=_PHASE[dtype], root_log=names["root_log"],
        cos=names["cos_quarter"], sin=names["sin_quarter"], bits=bits, integer=integer, shift=shift,
        sign=1 << (63 if is_double else 31), n_phase_rows=max(1, plan.n_phases), n_scratch=n_scratch,
        add_neuron=add_neuron.strip("\n"), flat=_FLAT if in_rounds else "",
        add_round=_FULL_ROUND.format(plan.n_neurons) if in_rounds else "",
    )  # fmt: skip
    head = [elementary.library(elementary_names, dtype), _WIDE_VECTORS, f"LANES = {LANES}", _DOT]
    return "\n".join([*head, "import math", body])
