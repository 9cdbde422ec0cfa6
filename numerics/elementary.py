r"""Branch-free elementary functions that LLVM vectorises inside numba loops, as source text.

numba calls the C library once per element for ``math.exp`` and its kin, which keeps a whole loop scalar. The functions
here are straight-line polynomials without calls or branches, so a loop that uses them becomes vector code. They are
handed out as *text* so that a generated module holds everything it depends on: numba does not notice an edit of a
callee in another file, and a cached kernel would go stale.

A caller must compile with ``error_model="numpy"`` (the default model puts a branch into every division) and with
fast-math flags that leave out ``nnan``, ``ninf`` (special values would be lost) and ``reassoc`` (it undoes the
compensated range reductions). :data:`FASTMATH` is such a set.

Largest errors found against 30-digit references (the tests repeat the measurement):

============  =========  =========  ================================================================
function      float64    float32    range
============  =========  =========  ================================================================
exp           1.0 ulp    1.4 ulp    all; results below 1.4 times the smallest normal number are 0
log           0.8 ulp    0.8 ulp    all, subnormal numbers included
root_log      1.5 ulp    1.6 ulp    ``sqrt(-log u)`` for 0 < u <= 1, u not subnormal
cos_turns     2.4 ulp    3.2 ulp    all; ``cos(2 pi t)``
sin_turns     2.0 ulp    2.6 ulp    all; ``sin(2 pi t)``
cos_quarter   1.7 ulp    1.6 ulp    ``cos(pi y / 2)`` for \|y\| <= 1/2 only
sin_quarter   1.5 ulp    1.6 ulp    ``sin(pi y / 2)`` for \|y\| <= 1/2 only
cos_wave      8e-16      3.0e-7     all; ``cos(2 pi t)``, the error absolute: terms of a sum
cos           2.2 ulp    3.6 ulp    \|x\| <= 1e5 radians (beyond, the error grows; nan above 1e9)
sin           2.2 ulp    3.6 ulp    \|x\| <= 1e5 radians (beyond, the error grows; nan above 1e9)
erf           3.6 ulp    3.0 ulp    all
tanh          2.8 ulp    2.8 ulp    all
============  =========  =========  ================================================================

An ulp is the spacing of numbers of the type at the exact result. At infinity and nan the functions return what the
C library returns: ``exp(-inf) = 0``, ``log(0) = -inf``, ``log(-1) = nan``, ``cos(inf) = nan``, ``erf(inf) = 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from numerics._codegen import load_module

DTYPES = ("float64", "float32")

#: Fast-math flags under which the functions keep their accuracy and their special values.
FASTMATH = frozenset({"contract", "nsz"})

# Polynomials in ascending powers, by interpolation at the Chebyshev nodes of the interval in 50-digit arithmetic and
# rounding to the type:
#   expm1     (exp(r) - 1 - r) / r^2                      in r,             |r| <= ln(2)/2
#   sin_turn  sin(2 pi y) / y                             in y^2,           |y| <= 1/4
#   sin       (sin(y) - y) / y^3                          in y^2,           |y| <= pi/2
#   log       float64: (log((1+s)/(1-s)) - 2s) / s^3      in s^2,           |s| <= (sqrt(2)-1)/(sqrt(2)+1)
#             float32: (log(1+f) - f + f^2/2) / f^3       in f,             1/sqrt(2) <= 1+f <= sqrt(2)
#   minus_log -log(1+f) / f                               in f,             1/sqrt(2) <= 1+f <= sqrt(2)
#   sin_quarter, cos_quarter  sin(pi y / 2) / y, cos(pi y / 2) in y^2,      |y| <= 1/2
#   wave      float64: sqrt(2) cos(pi y)                  in y^2,           |y| <= 1/2
# and, with the smallest relative error (by Remez' exchange), "erf_top" over "erf_bottom", of erf(y) / y in y^2 for
# |y| <= 5.9 (2.6e-17) or 3.9 (1.7e-8), and "inverse", of 1/x for 1 + 1/sqrt(2) <= x <= 1 + sqrt(2) (1.3e-3). "wave" in
# float32 is by least squares, weighted by the function itself because its square is wanted, coefficient by coefficient
# from the lowest on, so that the later ones make up for the rounding of the earlier.
# fmt: off
_COEFFICIENTS: dict[str, dict[str, tuple[float, ...]]] = {
    "float64": {
        "expm1": (0.5000000000000001, 0.16666666666666669, 0.041666666666624164, 0.008333333333330065,
            0.0013888888917196719, 0.00019841269863040545, 2.4801521322368692e-05, 2.7557268480310024e-06,
            2.7620075879983367e-07, 2.5100375832561234e-08),
        "sin_turn": (6.283185307179586, -41.341702240399755, 81.60524927607362, -76.70585975282492,
            42.058693925428685, -15.0946416761179, 3.8199280942271643, -0.7177337921413454, 0.10089695501646812),
        "sin": (-0.16666666666666666, 0.008333333333333316, -0.00019841269841254974, 2.7557319219163234e-06,
            -2.5052107616996182e-08, 1.6058977312464087e-10, -7.643970296798572e-13, 2.7314447669863995e-15),
        "log": (0.666666666666667, 0.39999999999899505, 0.28571428625975487, 0.2222221113479508, 0.18182889125261723,
            0.15331721600556042, 0.14616449685043406),
        "erf_top": (1.1283791670955126, 0.21966536693651223, 0.06603312450654547, 0.006862158413585197,
            0.000853233853096323, 5.663876808391889e-05, 3.8844550248257954e-06, 1.6844166701870125e-07,
            6.732024743840521e-09, 1.711299934490199e-10, 3.3441605658567317e-12, 2.2519927428567416e-14,
            1.5996039771555236e-17),
        "erf_bottom": (1.0, 0.5280066961019284, 0.13452256494347892, 0.021931138733185508, 0.002556240270907877,
            0.00022517954318432775, 1.5426113367264392e-05, 8.307497149893261e-07, 3.497254065776309e-08,
            1.119449897091656e-09, 2.5432219295751227e-11, 3.3427942698214334e-13, 8.982394436104786e-16),
        "inverse": (1.4777559147244488, -0.7224441133556709, 0.11686289071326848),
        "sin_quarter": (1.5707963267948966, -0.6459640975062443, 0.07969262624604301, -0.004681754132340976,
            0.0001604411507421909, -3.59864335298231e-06, 5.633933781537854e-08),
        "cos_quarter": (1.0, -1.2337005501361513, 0.25366950789986475, -0.02086348073494657, 0.000919259950041661,
            -2.520013526428479e-05, 4.6552961874867623e-07),
        "wave": (1.4142135623730951, -6.978864199638876, 5.739885734946354, -1.888346717030254, 0.3328077687709919,
            -0.03649645205452199, 0.002728804649905714, -0.00014787943797119497, 5.868370187285554e-06),
    },
    "float32": {
        "expm1": (0.5, 0.16666578, 0.041666556, 0.008363173, 0.0013926176),
        "sin_turn": (6.2831855, -41.3417, 81.605225, -76.70428, 42.00978, -14.393967),
        "log": (0.3333333, -0.24999997, 0.20000716, -0.16667803, 0.14249058, -0.12425687, 0.1168542, -0.11479734,
            0.06971612),
        "erf_top": (1.1283791, 0.1896685, 0.052668262, 0.0037384068, 0.00028506163, 2.0664354e-06),
        "erf_bottom": (1.0, 0.5014221, 0.113819614, 0.0149144, 0.0011573873, 3.8269598e-05),
        "minus_log": (-1.0, 0.49999997, -0.33334193, 0.25001353, -0.19955933, 0.16577993, -0.14977401, 0.14269258,
            -0.08533313),
        "sin_quarter": (1.5707964, -0.6459635, 0.07968022, -0.004602149),
        "cos_quarter": (1.0, -1.233697, 0.25359857, -0.02040816),
        "wave": (1.4142135, -6.9788585, 5.739652, -1.8850597, 0.31426287),
    },
}
# fmt: on


@dataclass(frozen=True)
class _Precision:
    """What the text of a function needs to know about a floating-point type."""

    dtype: str
    bits: str  # unsigned integer type of the same size
    mantissa: int
    bias: int
    largest_exp: float  # exp overflows above
    smallest_exp: float  # exp is taken as 0 below
    ln2: tuple[float, float]  # high part (few bits, so that its multiples are exact) and the rest
    sqrt_half: int  # bit pattern of sqrt(1/2)
    largest_erf: float  # square from which erf is 1

    def number(self, value: float) -> str:
        """Return a literal of the type; a bare one would promote float32 to float64."""
        return f"np.float32({np.float32(value)!s})" if self.dtype == "float32" else repr(float(value))

    def integer(self, value: int) -> str:
        """Return an unsigned literal as wide as the type."""
        return f"{self.bits}({value:#x})"

    def as_bits(self, text: str) -> str:
        """Return text for the bit pattern of a number."""
        return f"np.{self.dtype}({text}).view({self.bits})"

    def from_bits(self, text: str) -> str:
        """Return text for the number with a bit pattern."""
        return f"{self.bits}({text}).view(np.{self.dtype})"

    def polynomial(self, target: str, variable: str, name: str) -> list[str]:
        """Return lines that set ``target`` to a polynomial of :data:`_COEFFICIENTS`, by Horner's scheme."""
        *rest, highest = (self.number(c) for c in _COEFFICIENTS[self.dtype][name])
        return [f"{target} = {highest}", *(f"{target} = {target} * {variable} + {c}" for c in reversed(rest))]


_PRECISIONS = {
    "float64": _Precision(
        "float64", "np.uint64", 52, 1023, 709.79, -708.05,
        (0.6931471803691238, 1.9082149292705877e-10), 0x3FE6A09E667F3BCD,
        34.81,
    ),
    "float32": _Precision(
        "float32", "np.uint32", 23, 127, 88.73, -86.98,
        (0.693115234375, 3.1946184945309415e-05), 0x3F3504F3,
        15.21,
    ),
}  # fmt: skip

_PI = (3.1415926534682512, 1.2154201012607932e-10, 4.044532497591901e-21)  # 33 bits, 33 bits, the rest


def _exp_parts(p: _Precision, x: str) -> list[str]:
    """Lines for ``exp(x) = 2 * half * (1 + e)``: ``e = exp(r) - 1`` with ``|r| <= ln(2)/2``, ``half`` a power of 2.

    The exponent is written into the bits of a float by adding ``1.5 * 2**mantissa``: processors below AVX-512 have no
    vector conversion between doubles and 64-bit integers.
    """
    shifted = p.as_bits(f"k + {p.number(1.5 * 2.0**p.mantissa + p.bias - 1)}")
    return [
        f"k = np.floor({x} * {p.number(1.4426950408889634)} + {p.number(0.5)})",
        f"r = {x} - k * {p.number(p.ln2[0])} - k * {p.number(p.ln2[1])}",
        *p.polynomial("q", "r", "expm1"),
        "e = r + r * r * q",
        f"half = {p.from_bits(f'{shifted} << {p.integer(p.mantissa)}')}",
    ]


def _exp(p: _Precision) -> list[str]:
    one, zero, low, high = (p.number(v) for v in (1.0, 0.0, p.smallest_exp, p.largest_exp))
    return [
        f"y = {high} if x > {high} else x",
        *_exp_parts(p, "y"),
        f"v = ({one} + e) * half",
        f"return {zero} if x < {low} else v + v",
    ]


def _log(p: _Precision) -> list[str]:
    shift, tiny = 2.0 ** (p.mantissa + 2), float(np.finfo(p.dtype).tiny)
    one_bits, field = p.bias << p.mantissa, (1 << p.mantissa) - 1
    magic = 2.0**p.mantissa
    magic_bits = (p.bias + p.mantissa) << p.mantissa
    zero, half, inf = p.number(0.0), p.number(0.5), "np." + p.dtype + "(np.inf)"
    series = (
        ["s = f / (" + p.number(2.0) + " + f)", "z = s * s", *p.polynomial("q", "z", "log"), "q = s * (h + z * q)"]
        if p.dtype == "float64"
        else [*p.polynomial("q", "f", "log"), "q = f * f * f * q"]
    )
    return [
        f"y = x * {p.number(shift)} if x < {p.number(tiny)} else x",
        f"offset = {p.number(p.bias + p.mantissa + 2 + magic)} if x < {p.number(tiny)} else {p.number(p.bias + magic)}",
        f"i = {p.bits}({p.as_bits('y')} + {p.integer(one_bits - p.sqrt_half)})",
        f"e = {p.from_bits(f'(i >> {p.integer(p.mantissa)}) | {p.integer(magic_bits)}')} - offset",
        f"f = {p.from_bits(f'(i & {p.integer(field)}) + {p.integer(p.sqrt_half)}')} - {p.number(1.0)}",
        f"h = {half} * f * f",
        *series,
        f"v = e * {p.number(p.ln2[0])} - ((h - (q + e * {p.number(p.ln2[1])})) - f)",
        f"v = x if x == {inf} else v",
        f"v = -{inf} if x == {zero} else v",
        f"return v if x >= {zero} else np.{p.dtype}(np.nan)",
    ]


def _cos_turns(p: _Precision, *, argument: str = "x") -> list[str]:
    double = argument != "x"  # the argument was formed in float64
    number = repr if double else p.number
    reduced = f"{number(0.25)} - abs(t - np.rint(t))"
    return [
        f"t = {argument}",
        f"y = np.{p.dtype}({reduced})" if double else f"y = {reduced}",
        "s = y * y",
        *p.polynomial("q", "s", "sin_turn"),
        "return y * q",
    ]


def _sin_turns(p: _Precision, *, argument: str = "x") -> list[str]:
    double = argument != "x"
    number = repr if double else p.number
    return [
        f"t = {argument}",
        f"t = t - np.floor(t + {number(0.5)})",
        f"half = {number(0.5)} if t > {number(0.0)} else {number(-0.5)}",
        f"y = half - t if abs(t) > {number(0.25)} else t",
        *([f"y = np.{p.dtype}(y)"] if double else []),
        "s = y * y",
        *p.polynomial("q", "s", "sin_turn"),
        "return y * q",
    ]


def _root_log(p: _Precision) -> list[str]:
    """Lines for ``sqrt(-log u)``; the divider of the processor is left to the square root.

    The quotient in the logarithm is refined from a rough start: two results of the divider for each pair of normals
    would set the pace.
    """
    one_bits, field = p.bias << p.mantissa, (1 << p.mantissa) - 1
    magic = 2.0**p.mantissa
    magic_bits = (p.bias + p.mantissa) << p.mantissa
    one, minus_ln2 = p.number(1.0), p.number(-0.6931471805599453)
    mantissa = f"f = {p.from_bits(f'(i & {p.integer(field)}) + {p.integer(p.sqrt_half)}')} - {one}"
    if p.dtype == "float32":
        return [
            f"i = {p.bits}({p.as_bits('x')} - {p.integer(p.sqrt_half)})",
            f"e = np.float32(np.int32(i) >> np.int32({p.mantissa}))",
            mantissa,
            *p.polynomial("q", "f", "minus_log"),
            f"return np.sqrt(e * {minus_ln2} + f * q)",
        ]
    return [
        f"i = {p.bits}({p.as_bits('x')} + {p.integer(one_bits - p.sqrt_half)})",
        f"e = {p.from_bits(f'(i >> {p.integer(p.mantissa)}) | {p.integer(magic_bits)}')} - {p.number(p.bias + magic)}",
        mantissa,
        f"d = {p.number(2.0)} + f",
        *p.polynomial("w", "d", "inverse"),
        f"m = {one} - d * w",
        "w = w + w * (m + m * m)",
        "s = f * w",
        "s = s + w * (f - d * s)",
        "z = s * s",
        *p.polynomial("q", "z", "log"),
        f"return np.sqrt(e * {minus_ln2} + s * ({p.number(-2.0)} - z * q))",
    ]


def _cos_quarter(p: _Precision) -> list[str]:
    return ["s = x * x", *p.polynomial("q", "s", "cos_quarter"), "return q"]


def _sin_quarter(p: _Precision) -> list[str]:
    return ["s = x * x", *p.polynomial("q", "s", "sin_quarter"), "return x * q"]


def _cos_wave(p: _Precision) -> list[str]:
    """Lines for ``cos(2 pi x) = (sqrt(2) cos(pi y))**2 - 1``: half the angle needs a shorter polynomial."""
    return ["y = x - np.rint(x)", "s = y * y", *p.polynomial("q", "s", "wave"), f"return q * q - {p.number(1.0)}"]


def _radians(p: _Precision, n: str, k: str) -> list[str]:
    """Lines for ``(-1)**n sin(x - k pi)``, with pi in three parts so that ``|k| < 2**19`` costs no accuracy."""
    parts = " - ".join(f"k * {p.number(c)}" for c in _PI)
    parity = p.as_bits(f"n + {p.number(1.5 * 2.0**p.mantissa)}")
    return [
        f"n = {n}",
        f"k = {k}",
        f"y = x - {parts}",
        "s = y * y",
        *p.polynomial("q", "s", "sin"),
        "v = y + y * s * q",
        f"sign = {p.bits}({parity} << {p.integer(63)})",
        f"return {p.from_bits(p.as_bits('v') + ' ^ sign')}",
    ]


def _within_range(p: _Precision, lines: list[str]) -> list[str]:
    """Give nan, not a wrong number, for angles so large that their reduction has no digits left."""
    *body, last = lines
    value = last.removeprefix("return ")
    return [*body, f"return {value} if abs(x) <= {p.number(1e9)} else np.{p.dtype}(np.nan)"]


_TURNS_PER_RADIAN = 0.15915494309189535


def _cos(p: _Precision) -> list[str]:
    if p.dtype == "float32":
        return _within_range(p, _cos_turns(p, argument=f"np.float64(x) * {_TURNS_PER_RADIAN!r}"))
    return _within_range(p, _radians(p, f"np.floor(x * {2 * _TURNS_PER_RADIAN!r}) + 1.0", "n - 0.5"))


def _sin(p: _Precision) -> list[str]:
    if p.dtype == "float32":
        return _within_range(p, _sin_turns(p, argument=f"np.float64(x) * {_TURNS_PER_RADIAN!r}"))
    return _within_range(p, _radians(p, f"np.floor(x * {2 * _TURNS_PER_RADIAN!r} + 0.5)", "n"))


def _erf(p: _Precision) -> list[str]:
    one, largest = p.number(1.0), p.number(p.largest_erf)
    return [
        "s = x * x",
        f"s = {largest} if s > {largest} else s",
        *p.polynomial("q", "s", "erf_top"),
        *p.polynomial("v", "s", "erf_bottom"),
        "q = x * q / v",
        f"q = {one} if q > {one} else q",
        f"return {p.number(-1.0)} if q < {p.number(-1.0)} else q",
    ]


def _tanh(p: _Precision) -> list[str]:
    # tanh|x| = -m / (2 + m) with m = exp(-2|x|) - 1 = 2 half e + (2 half - 1), exact for small |x| too
    limit = p.number(40.0)
    return [
        "y = abs(x)",
        f"y = {p.number(-2.0)} * ({limit} if y > {limit} else y)",
        *_exp_parts(p, "y"),
        "half = half + half",
        f"m = half * e + (half - {p.number(1.0)})",
        f"v = m / ({p.number(2.0)} + m)",
        f"return -v if x > {p.number(0.0)} else v",
    ]


_BODIES: dict[str, Callable[[_Precision], list[str]]] = {
    "exp": _exp,
    "log": _log,
    "root_log": _root_log,
    "cos_quarter": _cos_quarter,
    "sin_quarter": _sin_quarter,
    "cos_wave": _cos_wave,
    "cos_turns": _cos_turns,
    "sin_turns": _sin_turns,
    "cos": _cos,
    "sin": _sin,
    "erf": _erf,
    "tanh": _tanh,
}

#: Names of the functions.
FUNCTIONS: tuple[str, ...] = tuple(_BODIES)


def function_name(name: str, dtype: str) -> str:
    """Return the name that ``name`` has in generated source, for example ``"exp_f64"``.

    Raises
    ------
    ValueError
        For a function or a dtype that is not in the library; the text lists those that are.
    """
    if name not in _BODIES:
        raise ValueError(f"no elementary function {name!r}; there are {', '.join(FUNCTIONS)}")
    if dtype not in DTYPES:
        raise ValueError(f"no elementary functions of dtype {dtype!r}; there are {', '.join(DTYPES)}")
    return f"{name}_f{dtype[5:]}"


@cache
def source(name: str, dtype: str) -> str:
    """Return the text of one scalar function, ``def exp_f64(x): ...``; it needs only ``np`` in scope.

    Parameters
    ----------
    name : str
        One of :data:`FUNCTIONS`.
    dtype : {"float64", "float32"}
        Type of the argument and of the result.

    Returns
    -------
    str
        The function without a decorator. It depends on no other function.

    Raises
    ------
    ValueError
        For an unknown name or dtype.

    Examples
    --------
    >>> print(source("cos_turns", "float32").partition("s = ")[0])
    def cos_turns_f32(x):
        t = x
        y = np.float32(0.25) - abs(t - np.rint(t))
    """
    head = f"def {function_name(name, dtype)}(x):"
    return "\n    ".join([head, *_BODIES[name](_PRECISIONS[dtype])]) + "\n"


def library(names: Iterable[str], dtype: str) -> str:
    """Return the text of a module's head: imports, and the named functions decorated so that LLVM inlines them.

    Parameters
    ----------
    names : iterable of str
        From :data:`FUNCTIONS`; order and repetitions do not matter.
    dtype : {"float64", "float32"}
        Type of arguments and results.

    Returns
    -------
    str
        Python source that starts with ``import numpy as np`` and ``import numba``.
    """
    flags = "{" + ", ".join(repr(flag) for flag in sorted(FASTMATH)) + "}"
    wanted = set(names)
    for name in wanted:
        function_name(name, dtype)
    parts = [f"import numba\nimport numpy as np\n\nFASTMATH = {flags}\n"]
    decorator = '@numba.njit(forceinline=True, error_model="numpy", fastmath=FASTMATH)\n'
    parts += [decorator + source(name, dtype) for name in FUNCTIONS if name in wanted]
    return "\n\n".join(parts)


@cache
def function(name: str, dtype: str) -> Any:
    """Return the compiled scalar function, for use in other numba functions or by itself.

    Parameters
    ----------
    name : str
        One of :data:`FUNCTIONS`.
    dtype : {"float64", "float32"}
        Type of the argument and of the result.

    Returns
    -------
    numba dispatcher

    Examples
    --------
    >>> float(function("exp", "float64")(0.0)), float(function("tanh", "float64")(float("inf")))
    (1.0, 1.0)
    """
    module = load_module(library([name], dtype), label=function_name(name, dtype))
    return getattr(module, function_name(name, dtype))
