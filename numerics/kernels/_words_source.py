"""Source text of the random words of the compiled CPU kernel: Philox4x32-10 on vectors of sixteen networks.

Words are those of :func:`numerics.kernels.philox.philox4x32`, bit for bit; only the order of the work is another. Of
the counter ``(network, block, round of neurons, call)`` one word differs between networks. So the first two rounds of
the generator multiply numbers that are the same for all networks, or the same for all rounds of neurons: these products
are made once for a group of networks (``open_words``). One product of the third round is shared by all calls.

The vectors are written down because LLVM, left to itself, narrows 64-bit lanes to 32-bit words in five operations where
one permutation of two registers does.
"""

from __future__ import annotations

#: Rounds of the generator that are left after the first three.
_LATER_ROUNDS = range(4, 11)

_TEXT = """
from numba.core import cgutils

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
            with cgutils.for_range(builder, integer({n_calls})) as loop:
                table = load_lanes(builder, place(opening, builder.add(loop.index, integer(1)), lane))
                p0 = (table.high() ^ first).times({m0})
                c0, c1, c2, c3 = shared.high() ^ table ^ keys[0], shared, p0.high() ^ keys[1], p0
                for i in range(2, len(keys), 2):
                    p0, p1 = c0.times({m0}), c2.times({m1})
                    c0, c1, c2, c3 = p1.high() ^ c1 ^ keys[i], p1, p0.high() ^ c3 ^ keys[i + 1], p0
                for j, word in enumerate((c0, c1, c2, c3)):
                    word.store(place(words, builder.add(loop.index, integer(j * {n_calls})), lane))
        return context.get_dummy_value()

    return types.none(opening, numbers, words), generate


@njit(error_model='numpy')
def open_words(first, key1, opening):
    use_wide_vectors()
    for l in range(LANES):
        opening[0, l] = (U64({m0}) * U64(first + l)) & LOW
    for call in range({n_calls}):
        for l in range(LANES):
            high = (U64({m0}) * U64(first + l)) >> U64(32)
            opening[call + 1, l] = U64({m1}) * (high ^ U64(call) ^ key1)


@njit(error_model='numpy')
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


def words_source(n_calls: int, lanes: int, dtype: str) -> str:
    """Return the text of ``open_words`` and ``draw``; it needs ``ir``, ``make_array``, ``intrinsic``, ``types``,
    ``njit``, ``U64``, ``LANES`` and ``use_wide_vectors``.
    """
    steps = 0x9E3779B9, 0xBB67AE85
    later = [f"(key{j} + U64({(r - 1) * steps[j] & 0xFFFFFFFF:#x})) & LOW," for r in _LATER_ROUNDS for j in range(2)]
    multiples = {
        f"w{j}{name}": f"{k * steps[j] & 0xFFFFFFFF:#x}" for j in range(2) for name, k in (("", 1), ("_twice", 2))
    }
    return _TEXT.format(
        n_calls=n_calls, lanes=lanes, is_double=dtype == "float64", align=8 if dtype == "float64" else 4,
        m0="0xD2511F53", m1="0xCD9E8D57", n_numbers=4 + len(later), later_keys="\n        ".join(later), **multiples,
    )  # fmt: skip
