"""The elementary functions of :mod:`numerics.elementary` as C++ text, from the very text that numba compiles."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from numerics import elementary

_TYPES = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}
_SUFFIXES = {"float32": "f", "float64": "", "int32": "", "uint32": "u", "uint64": "ull"}
_CALLS = {"floor": "floor", "rint": "rint", "sqrt": "sqrt", "abs": "fabs"}
_OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&",
    ast.BitOr: "|", ast.BitXor: "^", ast.USub: "-", ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=",
    ast.Eq: "==",
}  # fmt: skip
_BITS = {("float32", "inf"): "0x7f800000u", ("float32", "nan"): "0x7fc00000u",
         ("float64", "inf"): "0x7ff0000000000000ull", ("float64", "nan"): "0x7ff8000000000000ull"}  # fmt: skip

# what both compilers of the text need; a union read after a write is defined by both
PRELUDE = """
#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#include <math.h>
#define DEVICE static inline
#endif
DEVICE unsigned int as_bits(float x) { union { float real; unsigned int bits; } u; u.real = x; return u.bits; }
DEVICE float as_real(unsigned int x) { union { float real; unsigned int bits; } u; u.bits = x; return u.real; }
DEVICE unsigned long long as_bits(double x) {
    union { double real; unsigned long long bits; } u; u.real = x; return u.bits; }
DEVICE double as_real(unsigned long long x) {
    union { double real; unsigned long long bits; } u; u.bits = x; return u.real; }
"""

# 2**-21.2 from the exact value at most for half a turn (CUDA C++ Programming Guide, section on intrinsic functions)
_HARDWARE = {
    "cos_turns": "__cosf(6.2831855f * (x - rintf(x)))",
    "sin_turns": "__sinf(6.2831855f * (x - rintf(x)))",
    "cos_wave": "__cosf(6.2831855f * (x - rintf(x)))",
    "cos_quarter": "__cosf(1.5707964f * x)",
    "sin_quarter": "__sinf(1.5707964f * x)",
}


def c_source(name: str, dtype: str) -> str:
    """Return one function of :data:`numerics.elementary.FUNCTIONS` in C++.

    Parameters
    ----------
    name : str
    dtype : {"float64", "float32"}

    Examples
    --------
    >>> print(c_source("cos_turns", "float32").partition("auto s")[0])
    DEVICE float cos_turns_f32(float x) {
        auto t = x;
        auto y = (0.25f - fabs((t - rint(t))));
    """
    tree = ast.parse(elementary.source(name, dtype)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    real, known, lines = _TYPES[dtype], {"x"}, []
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            assert isinstance(target, ast.Name)
            lines.append(f"{'' if target.id in known else 'auto '}{target.id} = {_text(statement.value)};")
            known.add(target.id)
        else:
            assert isinstance(statement, ast.Return)
            assert statement.value is not None
            lines.append(f"return {_text(statement.value)};")
    body = "".join(f"    {line}\n" for line in lines)
    return f"DEVICE {real} {tree.name}({real} x) {{\n{body}}}\n"


def library(names: Iterable[str], dtype: str) -> str:
    """Return the C++ text of functions, in float32 with the sine and cosine of the hardware where it has them.

    Parameters
    ----------
    names : iterable of str
        From :data:`numerics.elementary.FUNCTIONS`.
    dtype : {"float64", "float32"}
    """
    wanted = set(names)
    parts = [PRELUDE]
    for name in (n for n in elementary.FUNCTIONS if n in wanted):
        text = c_source(name, dtype)
        if dtype == "float32" and name in _HARDWARE:
            head = f"DEVICE float {elementary.function_name(name, dtype)}(float x)"
            text = f"#ifdef __CUDA_ARCH__\n{head} {{ return {_HARDWARE[name]}; }}\n#else\n{text}#endif\n"
        parts.append(text)
    return "\n".join(parts)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant):
        return repr(node.value)
    if isinstance(node, ast.UnaryOp):
        return f"({_OPERATORS[type(node.op)]}{_text(node.operand)})"
    if isinstance(node, ast.BinOp):
        return f"({_text(node.left)} {_OPERATORS[type(node.op)]} {_text(node.right)})"
    if isinstance(node, ast.Compare):
        return f"({_text(node.left)} {_OPERATORS[type(node.ops[0])]} {_text(node.comparators[0])})"
    if isinstance(node, ast.IfExp):
        return f"({_text(node.test)} ? {_text(node.body)} : {_text(node.orelse)})"
    assert isinstance(node, ast.Call)
    return _call(node)


def _call(node: ast.Call) -> str:
    function, argument = node.func, node.args[0]
    name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    if name == "view":
        assert isinstance(function, ast.Attribute)
        is_real = "float" in ast.unparse(argument)
        return f"{'as_real' if is_real else 'as_bits'}({_text(function.value)})"
    if name in _CALLS:
        return f"{_CALLS[name]}({_text(argument)})"
    if isinstance(argument, ast.Attribute):  # np.float64(np.inf)
        return f"as_real({_BITS[name, argument.attr]})"
    if isinstance(argument, ast.Constant):
        assert isinstance(argument.value, (int, float))
        text = hex(int(argument.value)) if "int" in name else repr(float(argument.value))
        return text + _SUFFIXES[name]
    return f"({_TYPES[name]})({_text(argument)})"
