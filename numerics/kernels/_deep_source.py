"""Source text of networks with several hidden layers in compiled code.

A strip of networks lie side by side, fewer than the lanes of other kernels: what a hidden layer hands on is an array
(unit, point, network), which has to fit the second-level cache. Weights are drawn a chunk at a time and multiplied at
once with what comes from below; they are never stored.
"""

from __future__ import annotations

from functools import cache
from textwrap import indent
from types import ModuleType

import numpy as np

from diagrams._gaussian_activations import ACTIVATION_VARIABLE, Activation, Cosine, Relu
from numerics import elementary
from numerics._codegen import imported, load_module
from numerics.kernels import WORDS_PER_PAIR, Round
from numerics.kernels._sums_source import INTRINSICS, sums_module
from numerics.kernels._words_source import drawing_module
from numerics.kernels.features import statements

#: Networks of a strip: the more the faster, as long as two layers fit the second-level cache.
STRIPS = (64, 32)
_CACHE = 1 << 20  # bytes
_SUMS = 1 << 8  # bytes of sums that stay in registers: four of the widest ones, eight of half the width
_CHUNK = 1 << 10  # normals of all networks of a strip; for a network they are the words of whole calls

_HEAD = """
import math
import numpy as np
from numba import njit
{imports}
FLAGS = {{'contract', 'nsz'}}
U64 = np.uint64
ZERO = np.{dtype}(0.0)
"""
_WORDS = """LOW = U64(0xFFFFFFFF)
M0 = U64(0xD2511F53)
M1 = U64(0xCD9E8D57)
UNIT = np.{dtype}(2.0**-32)
"""

# The products are written down: their order is then that of the units below, and LLVM need not ask whether arrays
# overlap. Vectors are cut into registers by LLVM.
_PRODUCTS = """
@intrinsic
def add_products(context, normals, first, n, below, unit, n_points, sums):
    # sums[p] += sum over c < n of normal (first + c) * below[(unit + c) n_points + p]
    def generate(context, builder, signature, arguments):
        normals, below, sums = (
            make_array(signature.args[i])(context, builder, value=arguments[i]).data for i in (0, 3, 6)
        )
        first, n, unit, n_points = (arguments[i] for i in (1, 2, 4, 5))
        integer = ir.IntType(64)
        vector = ir.VectorType(context.get_value_type(signature.args[0].dtype), {lanes})

        def add(lane, point, count):
            def address(array, row):
                start = builder.gep(array, [builder.add(builder.mul(row, integer({strip})), lane)])
                return builder.bitcast(start, vector.as_pointer())

            places = [builder.add(point, integer(i)) for i in range(count)]
            totals = [cgutils.alloca_once(builder, vector) for _ in places]
            for total, p in zip(totals, places):
                builder.store(builder.load(address(sums, p), align=ALIGNMENT), total)
            with cgutils.for_range(builder, n) as loop:
                q = builder.add(first, loop.index)
                plane = builder.mul(builder.and_(q, integer(1)), integer({n_pairs}))
                weight = builder.load(
                    address(normals, builder.add(plane, builder.lshr(q, integer(1)))), align=ALIGNMENT
                )
                row = builder.mul(builder.add(unit, loop.index), n_points)
                for total, p in zip(totals, places):
                    value = builder.load(address(below, builder.add(row, p)), align=ALIGNMENT)
                    term = builder.fmul(weight, value, flags=['contract'])
                    builder.store(builder.fadd(builder.load(total), term, flags=['contract']), total)
            for total, p in zip(totals, places):
                builder.store(builder.load(total), address(sums, p), align=ALIGNMENT)

        pairs = builder.and_(n_points, integer(-{at_a_time}))
        with cgutils.for_range_slice(builder, integer(0), integer({strip}), integer({lanes})) as (lane, _):
            with cgutils.for_range_slice(builder, integer(0), pairs, integer({at_a_time})) as (point, _):
                add(lane, point, {at_a_time})
            with cgutils.for_range_slice(builder, pairs, n_points, integer(1)) as (point, _):
                add(lane, point, 1)
        return context.get_dummy_value()

    return types.none(normals, first, n, below, unit, n_points, sums), generate
"""

# Layer l takes the words of round l: pairs of normals for the weights, row by row, and the biases; then the phases.
# ``number`` is the layer; ``shift`` holds the biases and phases of its units.
_LAYER = """
@njit(error_model='numpy', cache=True)
def open_layer(number, networks, key0, high, opening):
    # numbers of networks, and what their blocks change in the second round of the generator against block 0
    use_wide_vectors()
    layer = (M1 * U64(number)) >> U64(32) ^ key0
    zero = M0 * layer
    for l in range({strip}):
        product = M0 * U64(networks[0, l])
        change = (M0 * (layer ^ U64(networks[1, l]))) ^ zero
        high[l] = product >> U64(32)
        opening[0, l] = (product & LOW) ^ change >> U64(32)
        opening[{calls} + 1, l] = change & LOW


@njit(error_model='numpy', cache=True)
def open_calls(call, key1, high, opening):
    use_wide_vectors()
    for c in range({calls}):
        mask = U64(call + c) ^ key1
        for l in range({strip}):
            opening[c + 1, l] = M1 * ((high[l] ^ mask) & LOW)


@njit(fastmath=FLAGS, error_model='numpy', cache=True)
def draw_shifts(number, above, below, bias, has_phase, key0, key1, high, buffers, shift):
    use_wide_vectors()
    words, opening, normals, phases = buffers
    n_weights = above * below
    n_normals = n_weights + (above if bias > ZERO else 0)
    for i in range(above):
        for l in range({strip}):
            shift[i, l] = ZERO
    for chunk in range(n_weights // {chunk}, (n_normals + {chunk} - 1) // {chunk} if bias > ZERO else 0):
        open_calls({calls} * chunk, key1, high, opening)
        draw(0, number, key0, key1, opening, words)
        transform(words, normals, phases)
        for c in range({chunk}):
            i = {chunk} * chunk + c - n_weights
            if 0 <= i and i < above:
                for l in range({strip}):
                    shift[i, l] = bias * normals[c % 2, c // 2, l]
    if has_phase:
        start = (n_normals + 1) // 2 * {words_per_pair}
        for k in range(0, above + start % 4, {n_words}):
            open_calls(start // 4 + k // 4, key1, high, opening)
            draw(0, number, key0, key1, opening, words)
            for c in range({n_words}):
                i = k + c - start % 4
                if 0 <= i and i < above:
                    for l in range({strip}):
                        shift[i, l] += {turn}


@njit(fastmath=FLAGS, error_model='numpy', cache=True)
def finish_unit(i, weight, n_points, shift, sums, values):
    use_wide_vectors()
    for p in range(n_points):
        for l in range({strip}):
            values[i * n_points + p, l] = weight * sums[p, l] + shift[i, l]
        for l in range({strip}):
            sums[p, l] = ZERO


@njit(fastmath=FLAGS, error_model='numpy', cache=True)
def evaluate_layer(
    number, above, below, weight, n_points, key0, key1, high, buffers, shift, sums, given, values
):
    use_wide_vectors()
    words, opening, normals, phases = buffers
    n_weights = above * below
    for p in range(n_points):
        for l in range({strip}):
            sums[p, l] = ZERO
    i, unit = 0, 0
    for chunk in range((n_weights + {chunk} - 1) // {chunk}):
        open_calls({calls} * chunk, key1, high, opening)
        draw(0, number, key0, key1, opening, words)
        transform(words, normals, phases)
        c, end = 0, min({chunk}, n_weights - {chunk} * chunk)
        while c < end:
            n = min(end - c, below - unit)
            add_products(normals, c, n, given, unit, n_points, sums)
            c += n
            unit += n
            if unit == below:
                finish_unit(i, weight, n_points, shift, sums, values)
                i += 1
                unit = 0
"""

# Words of float64 are the low bits of numbers 2**52 + word.
_TURN = {"float64": "words{plane} * UNIT - 2.0**20", "float32": "np.float32(np.int32(words{plane})) * UNIT"}

_WRITE = """
@njit(fastmath=FLAGS, error_model='numpy', cache=True)
def activate(n_rows, values):
    use_wide_vectors()
    stay_apart()
    for row in range(n_rows):
        for l in range({strip}):
            z = values[row, l]
{activation}


@njit(nogil=True, fastmath=FLAGS, error_model='numpy', cache=True)
def write_groups(
    blocks, sizes, group0, group1, units, scales, biases, n_hidden, has_phases, pairs, n_points, key0, key1,
    buffers, networks, high, shift, sums, inputs, layers, outputs
):
    use_wide_vectors()
    n_layers, n_blocks = units.shape[0] - 1, blocks.shape[0]
    b, network = 0, group0 * LANES
    while True:
        n = 0  # networks of a strip: number in the block, number of the block, and which of the blocks that is
        while n < {strip} and b < n_blocks:
            if network >= min(group1 * LANES, sizes[b]):
                b, network = b + 1, group0 * LANES
                continue
            networks[0, n], networks[1, n], networks[2, n] = network, blocks[b], b
            n, network = n + 1, network + 1
        if n == 0:
            break
        for l in range(n, {strip}):
            networks[0, l], networks[1, l] = networks[0, 0], networks[1, 0]
        for number in range(n_layers):
            below, above, values = units[number], units[number + 1], layers[number % 2]
            open_layer(number, networks, key0, high, buffers[1])
            draw_shifts(
                number, above, below, biases[number], has_phases and number < n_hidden, key0, key1, high, buffers, shift
            )
            evaluate_layer(
                number, above, below, scales[number], n_points, key0, key1, high, buffers, shift, sums,
                inputs if number == 0 else layers[(number + 1) % 2], values,
            )
            if number < n_hidden:
                activate(above * n_points, values)
        found = layers[(n_layers + 1) % 2]
        if pairs.shape[0] > 0:
            given, found, top = found, layers[n_layers % 2], scales[n_layers]
            for i in range(pairs.shape[0]):
                x, y = pairs[i, 0], pairs[i, 1]
                for l in range({strip}):
                    found[i, l] = ZERO
                for j in range(units[n_layers]):
                    for l in range({strip}):
                        found[i, l] += given[j * n_points + x, l] * given[j * n_points + y, l]
                for l in range({strip}):
                    found[i, l] *= top
        for l in range(n):
            group = networks[0, l] // LANES
            place, lane = networks[2, l] * (group1 - group0) + group - group0, networks[0, l] - group * LANES
            for i in range(outputs.shape[1]):
                outputs[place, i, lane] = found[i, l]
"""


def strip_for(n_rows: int, dtype: str) -> int:
    """Return how many networks lie side by side, where a layer hands on ``n_rows`` numbers of each."""
    size = 2 * n_rows * np.dtype(dtype).itemsize
    return next((strip for strip in STRIPS if size * strip <= _CACHE), STRIPS[-1])


def chunk_of_normals(dtype: str, strip: int) -> Round:
    """Return the words of a chunk of weights or biases of a network."""
    return Round(1, _CHUNK // strip // 2, WORDS_PER_PAIR[dtype], 0)


def activation_unit(activation: Activation) -> float:
    """Return what the text of an activation takes as one: a turn for the cosine, else one."""
    return 6.283185307179586 if isinstance(activation, Cosine) else 1.0


@cache
def layers_module(dtype: str, strip: int) -> ModuleType:
    """Return the module that draws layers and multiplies with them, which all activations share."""
    plan = chunk_of_normals(dtype, strip)
    imports = imported(sums_module(dtype), *INTRINSICS) + imported(
        drawing_module(plan, dtype, strip, has_blocks=True), "draw", "transform"
    )
    layer = _LAYER.format(
        strip=strip, chunk=2 * plan.n_pairs, calls=plan.n_calls, n_words=4 * plan.n_calls,
        words_per_pair=plan.words_per_pair, turn=_TURN[dtype].format(plane="[c % 4, c // 4, l]"),
    )  # fmt: skip
    head = _HEAD.format(dtype=dtype, imports=imports) + _WORDS.format(dtype=dtype)
    lanes = min(strip, _SUMS // np.dtype(dtype).itemsize)
    at_a_time = _SUMS // (lanes * np.dtype(dtype).itemsize)
    products = _PRODUCTS.format(strip=strip, lanes=lanes, at_a_time=at_a_time, n_pairs=plan.n_pairs)
    return load_module("\n".join([head, products, layer]), label=f"deep_layers_{strip}side_{dtype}")


def deep_source(activation: Activation, dtype: str, strip: int) -> str:
    """Return the text of the module that evaluates networks with several hidden layers.

    Parameters
    ----------
    activation : Activation
        Its argument is measured in :func:`activation_unit`.
    dtype : {"float64", "float32"}
    strip : int
        One of :data:`STRIPS`.

    Raises
    ------
    ValueError
        If the activation holds functions that cannot be evaluated.
    """
    lines, used, constants = _activation_lines(activation, dtype)
    imports = imported(sums_module(dtype), *INTRINSICS)
    imports += imported(layers_module(dtype, strip), "open_layer", "draw_shifts", "evaluate_layer")
    head = _HEAD.format(dtype=dtype, imports=imports) + constants
    write = _WRITE.format(strip=strip, activation=indent("\n".join(lines), " " * 12))
    return "\n".join([elementary.library(used, dtype), head, write])


def _activation_lines(activation: Activation, dtype: str) -> tuple[list[str], set[str], str]:
    """Return the lines that write the value at ``z``, the elementary functions and the constants they need."""
    if isinstance(activation, Cosine):
        return [f"values[row, l] = {elementary.function_name('cos_wave', dtype)}(z)"], {"cos_wave"}, ""
    if isinstance(activation, Relu):
        return ["values[row, l] = z if z > ZERO else ZERO"], set(), ""
    expression = activation.expression(ACTIVATION_VARIABLE)
    lines, result, used, constants = statements(expression, "numba", dtype, {ACTIVATION_VARIABLE: "z"})
    text = "".join(f"{name} = np.float32({number})\n" for number, name in constants.items())
    return [*lines, f"values[row, l] = {result}"], used, text
