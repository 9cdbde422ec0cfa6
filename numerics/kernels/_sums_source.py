"""Source text of the sums of monomials in the compiled CPU kernel: inner products of rows, a tile at a time.

A tile is the 16 inner products of 4 rows with 4, or of 2 with 8, see :mod:`numerics.kernels.tiles`. The sums stay in
registers over all lanes, so that a number that is loaded enters several products, and they are added across the lanes
of registers together.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from numerics._codegen import load_module
from numerics.kernels import LANES

#: What sources with intrinsics of their own import from :func:`sums_module`.
INTRINSICS = (
    "LANES", "ALIGNMENT", "ir", "cgutils", "types", "intrinsic", "make_array", "pointer", "vector_at",
    "use_wide_vectors", "stay_apart",
)  # fmt: skip
#: Inner products in a tile.
TILE = 16

# Some processors with 512-bit vectors are taken by LLVM for better off with 256 bits; these loops gain up to 1.5 times
# from the full width. The attribute has no effect where vectors are shorter. The stack begins at a cache line, so that
# numbers kept there do not cross one.
_WIDE_VECTORS = """
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def use_wide_vectors(context):
    def generate(context, builder, signature, arguments):
        builder.function.attributes.alignstack = 64
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # past llvmlite's list of known names
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def stay_apart(context):
    # not to be inlined: LLVM keeps the constants of small loops in registers only in small functions
    def generate(context, builder, signature, arguments):
        builder.function.attributes.add('noinline')
        return context.get_dummy_value()

    return types.none(), generate
"""

# Lanes l, l + 16, l + 32, ... are added first, then these 16 sums in pairs at distances 8, 4, 2, 1. The order is
# written down: where LLVM may choose one, kernels from the cache of compiled code, which have been through its passes
# once more, add in another order than those just compiled. It is the same for all widths of vectors and kinds of tiles.
_TILES = """
def registers(context, bits):
    features = context.codegen().magic_tuple()[2]
    size = 512 if '+avx512f' in features else 256 if '+avx' in features else 128
    return size // bits, 16 if size == 512 else 8  # lanes of one, and how many sums there is room for


def pointer(builder, start, *offsets):
    index = ir.IntType(64)
    for number, size in offsets:
        number = ir.Constant(index, number) if isinstance(number, int) else number
        start = builder.gep(start, [builder.mul(number, ir.Constant(index, size))])
    return start


def vector_at(builder, start, vector):
    return builder.bitcast(start, vector.as_pointer())


def inner_products(builder, vector, left, right, lane):
    sums = [cgutils.alloca_once(builder, vector) for _ in range(len(left) * len(right))]
    for total in sums:
        builder.store(ir.Constant(vector, None), total)
    with cgutils.for_range(builder, ir.Constant(ir.IntType(64), LANES // 16)) as loop:
        x, y = (
            [
                builder.load(
                    vector_at(builder, pointer(builder, row, (loop.index, 16), (lane, 1)), vector), align=ALIGNMENT
                )
                for row in side
            ]
            for side in (left, right)
        )
        for i, total in enumerate(sums):
            term = builder.fmul(x[i % len(left)], y[i // len(left)], flags=['contract'])
            builder.store(builder.fadd(builder.load(total), term, flags=['contract']), total)
    return [builder.load(total) for total in sums]


def folded(builder, vector, left, right, lane, distance):
    if distance == 16:
        return inner_products(builder, vector, left, right, lane)
    here, there = (folded(builder, vector, left, right, l, 2 * distance) for l in (lane, lane + distance))
    return [builder.fadd(x, y) for x, y in zip(here, there)]


def across_lanes(builder, vectors):
    lanes, half = range(len(vectors)), len(vectors) // 2
    n_lanes, index = len(lanes), ir.IntType(32)
    while half:
        is_low = [l % (2 * half) < half for l in lanes]
        straight = [l if low else n_lanes + l for l, low in zip(lanes, is_low)]
        crossed = [l + half if low else n_lanes + l - half for l, low in zip(lanes, is_low)]
        masks = [ir.Constant(ir.VectorType(index, n_lanes), mask) for mask in (straight, crossed)]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(x, y, mask) for mask in masks))
            for x, y in zip(vectors[:half], vectors[half:])
        ]
        half //= 2
    return vectors[0]


def tile(n_left):
    @intrinsic
    def add_tile(context, rows, members, t, sums, place):
        def generate(context, builder, signature, arguments):
            start, member, total = (
                make_array(signature.args[i])(context, builder, value=arguments[i]).data for i in (0, 1, 3)
            )
            n_rows = n_left + 16 // n_left
            members = [builder.load(pointer(builder, member, (arguments[2], n_rows), (i, 1))) for i in range(n_rows)]
            row = [pointer(builder, start, (m, LANES)) for m in members]
            n_lanes, n_sums = registers(context, rows.dtype.bitwidth)
            vector = ir.VectorType(context.get_value_type(rows.dtype), n_lanes)
            left, right, step = row[:n_left], row[n_left:], n_sums // n_left
            for j in range(0, len(right), step):
                found = folded(builder, vector, left, right[j:j + step], 0, n_lanes)
                for first in range(0, n_sums, n_lanes):
                    part = across_lanes(builder, found[first:first + n_lanes])
                    wide = ir.VectorType(ir.DoubleType(), n_lanes)
                    part = part if rows.dtype.bitwidth == 64 else builder.fpext(part, wide)
                    at = vector_at(builder, pointer(builder, total, (arguments[4], 16), (j * n_left + first, 1)), wide)
                    builder.store(builder.fadd(builder.load(at, align=8), part), at, align=8)
            return context.get_dummy_value()

        return types.none(rows, members, types.int64, sums, types.int64), generate

    return add_tile


add_square_tile = tile(4)
add_oblong_tile = tile(2)
"""

_FUNCTIONS = """
@njit(fastmath={'contract', 'nsz'}, error_model='numpy', cache=True)
def fill_monomials(rows, factors):
    use_wide_vectors()
    for p in range(factors.shape[0]):
        if factors[p, 1] >= 0:
            x = factors[p, 0]
            y = factors[p, 1]
            for l in range(LANES):  # by two indices: slices of rows would count references
                rows[p, l] = rows[x, l] * rows[y, l]


@njit(fastmath={'contract', 'nsz'}, error_model='numpy', cache=True)
def add_tiles(rows, squares, oblongs, sums):
    use_wide_vectors()
    n_squares = squares.shape[0]
    for t in range(n_squares):
        add_square_tile(rows, squares, t, sums, t)
    for t in range(oblongs.shape[0]):
        add_oblong_tile(rows, oblongs, t, sums, n_squares + t)
"""


@cache
def sums_module(dtype: str) -> ModuleType:
    """Return the module of sums of monomials, which all kernels share, with what other sources need of it.

    ``fill_monomials(rows, factors)`` makes the rows of products of two rows above them, ``add_tiles(rows, squares,
    oblongs, sums)`` adds the tiles of :func:`numerics.kernels.tiles.monomial_tiles` to ``sums``.

    Parameters
    ----------
    dtype : {"float64", "float32"}
        Type of the rows, whose length is :data:`~numerics.kernels.LANES`.
    """
    numbers = f"LANES = {LANES}\nALIGNMENT = {8 if dtype == 'float64' else 4}"
    source = "\n".join(["from numba import njit", _WIDE_VECTORS, numbers, _TILES, _FUNCTIONS])
    return load_module(source, label=f"monomials_{dtype}")


_PLACES = """
import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def to_tiles(sums, places, tiles):
    for b in range(sums.shape[0]):
        for t in range(places.shape[0]):
            for k in range(places.shape[1]):
                tiles[b, t, k] = sums[b, places[t, k]] if places[t, k] >= 0 else 0.0


@njit(nogil=True, cache=True)
def from_tiles(tiles, places, sums):
    for b in range(sums.shape[0]):
        for t in range(places.shape[0]):
            for k in range(places.shape[1]):
                if places[t, k] >= 0:
                    sums[b, places[t, k]] = tiles[b, t, k]
"""


@cache
def places_module() -> ModuleType:
    """Return the module that moves sums of monomials to tiles and back: ``to_tiles`` and ``from_tiles``."""
    return load_module(_PLACES, label="places_of_monomials")
