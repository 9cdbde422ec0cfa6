"""How many vector instructions a second one thread of this machine executes, measured in compiled code.

Each loop keeps independent chains in vector registers, more of them than an instruction takes cycles, so that nothing
but the number of vector units limits it. The instructions of a loop are counted by
:mod:`_instruction_counts`, so that a rate is one of the machine whatever the compiler has made of the loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from _instruction_counts import by_kind, executed
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

CHAINS = 16
WAITING = 12  # cycles: three times three of a product and one of an exclusive or
SECONDS = 0.02  # of one repetition
_KINDS = {"float32": ir.FloatType(), "float64": ir.DoubleType(), "words": ir.IntType(64), "word": ir.IntType(64)}
_BITS = {"float32": 32, "float64": 64, "words": 64}


def vector_bytes() -> int:
    """Return the length of the longest vectors of this processor."""
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


@dataclass(frozen=True)
class Chain:
    """A chain of dependent vector instructions; the operands are a few numbers that the compiler cannot know.

    Parameters
    ----------
    what : {"fma", "multiply", "root", "logic", "wait"}
        Fused multiply-adds; products of 32-bit words; square roots; additions and exclusive or of words; products and
        exclusive or of one number each, which take :data:`WAITING` cycles as each waits for the last.
    dtype : {"float32", "float64", "words", "word"}
    """

    what: str
    dtype: str

    @property
    def register(self) -> ir.Type:
        """The type of an element of the chain."""
        if self.dtype == "word":
            return _KINDS["word"]
        return ir.VectorType(_KINDS[self.dtype], 8 * vector_bytes() // _BITS[self.dtype])

    def step(self, builder: Any, x: Any, a: Any, b: Any) -> Any:
        """Return the next element of the chain."""
        if self.what == "fma":
            return self._intrinsic(builder, "fma", x, a, b)
        if self.what == "root":
            return self._intrinsic(builder, "sqrt", x)
        if self.what == "multiply":
            low = ir.Constant(self.register, [2**32 - 1] * self.register.count)
            return builder.mul(builder.and_(x, low), builder.and_(a, low))
        if self.what == "wait":
            for _ in range(WAITING // 4):
                x = builder.xor(builder.mul(x, a), b)
            return x
        return builder.xor(builder.add(x, a), b)

    def _intrinsic(self, builder: Any, name: str, *operands: Any) -> Any:
        full = f"llvm.{name}.v{self.register.count}f{_BITS[self.dtype]}"
        kind = ir.FunctionType(self.register, [self.register] * len(operands))
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), operands)


LOOPS = {
    "multiply-add, float32": (Chain("fma", "float32"),) * CHAINS,
    "multiply-add, float64": (Chain("fma", "float64"),) * CHAINS,
    "integer multiply": (Chain("multiply", "words"),) * CHAINS,
    "root, float32": (Chain("root", "float32"),) * CHAINS,
    "root, float64": (Chain("root", "float64"),) * CHAINS,
    "any": (Chain("fma", "float32"), Chain("logic", "words")) * (CHAINS // 2),
}
CYCLES = {  # processors slow down while long vectors are multiplied
    "cycles": (Chain("wait", "word"),),
    "cycles while multiplying": (*LOOPS["multiply-add, float32"], Chain("wait", "word")),
}


@cache
def compiled_loop(name: str) -> Any:
    """Return a compiled loop of :data:`LOOPS` or :data:`CYCLES`, a function of the number of turns and two operands."""
    chains = (LOOPS | CYCLES)[name]

    @intrinsic
    def run(context: Any, turns: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # past llvmlite's list of known names
            count, left, right = arguments
            places = [builder.alloca(chain.register) for chain in chains]
            operands = [[_spread(builder, v, chain) for v in (left, right)] for chain in chains]
            for i, (chain, place) in enumerate(zip(chains, places, strict=True)):
                start = builder.mul(left, ir.Constant(left.type, 2 * i + 3))
                builder.store(_spread(builder, start, chain), place)
            with cgutils.for_range(builder, count):
                for chain, place, (x, y) in zip(chains, places, operands, strict=True):
                    builder.store(chain.step(builder, builder.load(place), x, y), place)
            total = ir.Constant(_KINDS["words"], 0)
            for chain, place in zip(chains, places, strict=True):
                total = builder.add(total, _number(builder, builder.load(place), chain))
            return total

        return numba.int64(numba.int64, numba.int64, numba.int64), generate

    @numba.njit
    def loop(turns: int, a: int, b: int) -> int:
        return run(turns, a, b)

    return loop


def _spread(builder: Any, number: Any, chain: Chain) -> Any:
    """Return a register full of one number."""
    if chain.dtype == "word":
        return number
    element = number if chain.dtype == "words" else builder.sitofp(number, _KINDS[chain.dtype])
    empty, zero = ir.Constant(chain.register, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    places = ir.Constant(ir.VectorType(ir.IntType(32), chain.register.count), None)
    return builder.shuffle_vector(builder.insert_element(empty, element, zero), empty, places)


def _number(builder: Any, register: Any, chain: Chain) -> Any:
    """Return the first number in a register."""
    if chain.dtype == "word":
        return register
    first = builder.extract_element(register, ir.Constant(ir.IntType(32), 0))
    return first if chain.dtype == "words" else builder.fptosi(first, _KINDS["words"])


def instructions_per_turn(name: str) -> float:
    """Return the vector instructions of one turn of a loop, counted in its machine code."""
    loop = compiled_loop(name)
    counts = [sum(by_kind(executed(loop, lambda n=n: loop(n, 1, 0))).values()) for n in (16, 48)]
    return (counts[1] - counts[0]) / 32


def rates(repetitions: int = 9) -> dict[str, float]:
    """Return vector instructions, and cycles, per second of one thread in each of :data:`LOOPS` and :data:`CYCLES`.

    The loops take turns, and the best of the repetitions counts; time is CPU time of the process.
    """
    work = {name: instructions_per_turn(name) for name in LOOPS} | dict.fromkeys(CYCLES, float(WAITING))
    best = dict.fromkeys(work, 0.0)
    turns = {name: int(SECONDS / (_seconds(name, 20_000) / 20_000)) for name in work}
    for _ in range(repetitions):
        for name, each in work.items():
            best[name] = max(best[name], turns[name] * each / _seconds(name, turns[name]))
    return best


def _seconds(name: str, turns: int) -> float:
    loop = compiled_loop(name)
    loop(1, 1, 0)
    start = time.process_time()
    loop(turns, 1, 0)
    return time.process_time() - start


def limit(counts: dict[str, float], speed: dict[str, float], dtype: str) -> float:
    """Return the least seconds in which a thread can execute vector instructions of each kind.

    All of them share the vector units; products use only those units that multiply, and divisions and square roots a
    divider of their own. The unit that needs longest decides; waiting, loads and stores are left out.

    Parameters
    ----------
    counts : dict
        Instructions of each of :data:`_instruction_counts.KINDS`.
    speed : dict
        Of :func:`rates`.
    dtype : {"float32", "float64"}
        Type of the floating-point instructions.

    Examples
    --------
    >>> counts = {"multiply": 30, "integer multiply": 20, "divide": 1, "other": 149}
    >>> speed = {"any": 4, "multiply-add, float32": 2, "integer multiply": 2, "root, float32": 0.1}
    >>> limit(counts, speed, "float32")  # 200 instructions at four a second take longer than 50 products at two
    50.0
    """
    units = sum(counts.values()) / speed["any"]
    products = counts["multiply"] / speed[f"multiply-add, {dtype}"]
    products += counts["integer multiply"] / speed["integer multiply"]
    return float(np.max([units, products, counts["divide"] / speed[f"root, {dtype}"]]))
