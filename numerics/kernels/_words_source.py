"""Source text of the random words of the compiled CPU kernel: Philox4x32-10 on vectors of sixteen networks.

Words are those of :func:`numerics.kernels.philox.philox4x32`, bit for bit; only the order of the work is another. Of
the counter ``(network, block, round of neurons, call)`` one word differs between networks. So the first two rounds of
the generator multiply numbers that are the same for all networks, or the same for all rounds of neurons: these products
are made once for a group of networks (``open_words``). One product of the third round is shared by all calls.

The vectors are written down because LLVM, left to itself, narrows 64-bit lanes to 32-bit words in five operations where
one permutation of two registers does.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from numerics import elementary
from numerics._codegen import imported, load_module
from numerics.kernels import LANES, WORDS_PER_PAIR, Round
from numerics.kernels._sums_source import INTRINSICS, sums_module

#: Rounds of the generator that are left after the first three.
_LATER_ROUNDS = range(4, 11)

_WORDS = """
U64 = np.uint64
LOW = U64(0xFFFFFFFF)
EIGHT = ir.VectorType(ir.IntType(64), 8)
SIXTEEN = ir.VectorType(ir.IntType(32), 16)


class Lanes:
    # the 64-bit numbers of sixteen networks, as two vectors of eight

    def __init__(self, builder, halves):
        self.builder, self.halves = builder, halves

    def _each(self, name, other):
        operation = getattr(self.builder, name)
        return Lanes(self.builder, [operation(a, b) for a, b in zip(self.halves, other.halves)])

    def _with(self, name, number):
        return self._each(name, Lanes(self.builder, [ir.Constant(EIGHT, [number] * 8)] * 2))

    def __xor__(self, other):
        return self._each('xor', other)

    def high(self):
        return self._with('lshr', 32)

    def times(self, number):
        return self._with('and_', 0xFFFFFFFF)._with('mul', number)

    def store(self, address):
        # the low halves, as unsigned numbers in the type of the words
        lines = self.halves
        if {is_double}:  # with the bits of 2**52 above, which makes a float64
            lines = self._with('and_', 0xFFFFFFFF)._with('or_', 0x4330000000000000).halves
        else:
            parts = [self.builder.bitcast(half, SIXTEEN) for half in lines]
            lines = [self.builder.shuffle_vector(*parts, ir.Constant(SIXTEEN, list(range(0, 32, 2))))]
        address = self.builder.bitcast(address, lines[0].type.as_pointer())
        for i, line in enumerate(lines):
            self.builder.store(line, self.builder.gep(address, [ir.IntType(64)(i)]), align={align})


def equal_lanes(builder, number):
    one = builder.insert_element(ir.Constant(EIGHT, ir.Undefined), number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
    return Lanes(builder, [builder.shuffle_vector(one, one, zeros)] * 2)


def load_lanes(builder, address):
    halves = builder.bitcast(address, EIGHT.as_pointer())
    return Lanes(builder, [builder.load(builder.gep(halves, [ir.IntType(64)(i)]), align=8) for i in range(2)])


@intrinsic
def words_of_calls(context, opening, numbers, words):
    # all calls of one round of neurons, from the opening of open_words and the numbers of draw
    def generate(context, builder, signature, arguments):
        opening, words = (
            make_array(signature.args[i])(context, builder, value=arguments[i]).data for i in (0, 2)
        )
        integer = ir.IntType(64)

        def place(array, row, lane):
            return builder.gep(array, [builder.add(builder.mul(row, integer({lanes})), lane)])

        first, second, *keys = [
            equal_lanes(builder, builder.extract_value(arguments[1], i)) for i in range({n_numbers})
        ]
        with cgutils.for_range_slice(builder, integer(0), integer({lanes}), integer(16)) as (lane, _):
            shared = (load_lanes(builder, place(opening, integer(0), lane)) ^ second).times({m1})
            fourth = keys[1]
            if {has_blocks}:
                fourth = fourth ^ load_lanes(builder, place(opening, integer({n_calls} + 1), lane))
            with cgutils.for_range(builder, integer({n_calls})) as loop:
                table = load_lanes(builder, place(opening, builder.add(loop.index, integer(1)), lane))
                p0 = (table.high() ^ first).times({m0})
                c0, c1, c2, c3 = shared.high() ^ table ^ keys[0], shared, p0.high() ^ fourth, p0
                for i in range(2, len(keys), 2):
                    p0, p1 = c0.times({m0}), c2.times({m1})
                    c0, c1, c2, c3 = p1.high() ^ c1 ^ keys[i], p1, p0.high() ^ c3 ^ keys[i + 1], p0
                for j, word in enumerate((c0, c1, c2, c3)):
                    word.store(place(words, builder.add(loop.index, integer(j * {n_calls})), lane))
        return context.get_dummy_value()

    return types.none(opening, numbers, words), generate


@njit(error_model='numpy', cache=True)
def open_words(first, key1, opening):
    use_wide_vectors()
    for l in range(LANES):
        opening[0, l] = (U64({m0}) * U64(first + l)) & LOW
    for call in range({n_calls}):
        for l in range(LANES):
            high = (U64({m0}) * U64(first + l)) >> U64(32)
            opening[call + 1, l] = U64({m1}) * (high ^ U64(call) ^ key1)


@njit(error_model='numpy', cache=True)
def draw(block, neurons, key0, key1, opening, words):
    use_wide_vectors()
    p1 = U64({m1}) * U64(neurons)
    p0 = U64({m0}) * ((p1 >> U64(32)) ^ U64(block) ^ key0)
    numbers = (
        (p1 & LOW) ^ ((key0 + U64({w0})) & LOW),
        (p0 >> U64(32)) ^ ((key1 + U64({w1})) & LOW),
        (key0 + U64({w0_twice})) & LOW,
        (p0 & LOW) ^ ((key1 + U64({w1_twice})) & LOW),
        {later_keys}
    )
    words_of_calls(opening, numbers, words)
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

_TRANSFORM = """
MAGIC = U64(0x4330000000000000)
UNIT = np.{dtype}(2.0**-32)
SIGN = {integer}({sign:#x})


@njit(fastmath={{'contract', 'nsz'}}, error_model='numpy', cache=True)
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
"""


def drawing_module(plan: Round, dtype: str, lanes: int = LANES, has_blocks: bool = False) -> ModuleType:
    """Return the module that draws the numbers of a round of neurons, which kernels with such rounds share.

    ``open_words(first, key1, opening)`` prepares a group of networks, ``draw(block, neurons, key0, key1, opening,
    words)`` makes the words of a round of neurons, and ``transform(words, normals, phases)`` turns them into numbers.

    Parameters
    ----------
    plan : Round
    dtype : {"float64", "float32"}
    lanes : int
        Networks side by side, a multiple of 16.
    has_blocks : bool
        Networks may be of different blocks: ``opening`` has one more row, and those who fill it write there, and into
        the first one, what the blocks change in the words of ``draw``.
    """
    return _drawing_module(plan.n_calls, plan.n_pairs, plan.n_phases, dtype, lanes, has_blocks)


@cache
def _drawing_module(n_calls: int, n_pairs: int, n_phases: int, dtype: str, lanes: int, has_blocks: bool) -> ModuleType:
    steps = 0x9E3779B9, 0xBB67AE85
    later = [f"(key{j} + U64({(r - 1) * steps[j] & 0xFFFFFFFF:#x})) & LOW," for r in _LATER_ROUNDS for j in range(2)]
    multiples = {
        f"w{j}{name}": f"{k * steps[j] & 0xFFFFFFFF:#x}" for j in range(2) for name, k in (("", 1), ("_twice", 2))
    }
    is_double, (bits, integer, shift) = dtype == "float64", _BITS[dtype]
    words = _WORDS.format(
        n_calls=n_calls, lanes=lanes, is_double=is_double, has_blocks=has_blocks, align=8 if is_double else 4,
        m0="0xD2511F53", m1="0xCD9E8D57", n_numbers=4 + len(later), later_keys="\n        ".join(later), **multiples,
    )  # fmt: skip
    names = {f: elementary.function_name(f, dtype) for f in ("root_log", "cos_quarter", "sin_quarter")}
    transform = _TRANSFORM.format(
        dtype=dtype, n_pairs=n_pairs, n_phases=n_phases, words_per_pair=WORDS_PER_PAIR[dtype],
        uniform=_UNIFORM[dtype], angle=_ANGLE[dtype], phase=_PHASE[dtype], root_log=names["root_log"],
        cos=names["cos_quarter"], sin=names["sin_quarter"], bits=bits, integer=integer, shift=shift,
        sign=1 << (63 if is_double else 31),
    )  # fmt: skip
    head = "from numba import njit\n" + imported(sums_module(dtype), *INTRINSICS) + f"LANES = {lanes}\n"
    source = "\n".join([elementary.library(names, dtype), head, words, transform])
    return load_module(source, label=f"draw_{n_pairs}pairs_{n_phases}phases_{lanes}lanes_{dtype}")
