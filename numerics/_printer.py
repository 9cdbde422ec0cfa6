"""Expressions as straight-line source: one pass of common-subexpression elimination, then text in a dialect.

Everything is exact until a number is printed. Integer powers become products, half-integer powers square roots, the
negative powers of a product one division, long sums are added pairwise, and there are no branches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import sympy
from sympy.logic.boolalg import BooleanAtom

from diagrams.expectation import ExpectationIntegral
from diagrams.typing import Expr
from numerics import elementary

Replacements: TypeAlias = tuple[tuple[Expr, Expr], ...]

# sympy name -> (numba, numpy, CUDA); "*" stands for the branch-free function of numerics.elementary
_FUNCTIONS = {
    "exp": ("*", "np.exp", "exp"),
    "log": ("*", "np.log", "log"),
    "cos": ("*", "np.cos", "cos"),
    "sin": ("*", "np.sin", "sin"),
    "tanh": ("*", "np.tanh", "tanh"),
    "erf": ("*", "special.erf", "erf"),
    "erfc": ("math.erfc", "special.erfc", "erfc"),
    "tan": ("math.tan", "np.tan", "tan"),
    "asin": ("math.asin", "np.arcsin", "asin"),
    "acos": ("math.acos", "np.arccos", "acos"),
    "atan": ("math.atan", "np.arctan", "atan"),
    "atan2": ("math.atan2", "np.arctan2", "atan2"),
    "Angle": ("math.atan2", "np.arctan2", "atan2"),  # of diagrams.special: 0 at the origin, as in C
    "sinh": ("math.sinh", "np.sinh", "sinh"),
    "cosh": ("math.cosh", "np.cosh", "cosh"),
    "Abs": ("abs", "np.abs", "fabs"),
}
_SELECTIONS = {"Max", "Min", "Piecewise", "ExprCondPair", "sign", "Heaviside", "KroneckerDelta"}
_LOGIC = {"And", "Or", "Not"}

#: Functions that can be lowered.
SUPPORTED = tuple(sorted({*_FUNCTIONS, *_SELECTIONS} - {"ExprCondPair", "Angle"} | {"sqrt", "BesselRatio"}))

_NOT_FINITE = frozenset({sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo})
_GROUP = 8  # terms of a sum that are added one after the other


def check_supported(expressions: Iterable[Expr]) -> None:
    """Raise if an expression holds something that has no real-valued source.

    Raises
    ------
    ValueError
        Naming every function that is not in :data:`SUPPORTED`, or the imaginary unit, infinity or nan.
    """
    unknown: set[str] = set()
    seen: set[Expr] = set()
    for expression in expressions:
        if expression.has(ExpectationIntegral):
            raise ValueError(
                "the expression contains exact integrals over the parameters of a neuron, which have no closed form to "
                "lower: evaluate it at points with diagrams.expectation.evaluate(correlator(x_1, ...)), as compare() "
                "does by itself, or sample the networks with Ensemble"
            )
        waiting = [expression]
        while waiting:
            node = waiting.pop()
            if node in seen:  # parts that expressions have in common are looked at once
                continue
            seen.add(node)
            waiting += node.args
            if node in _NOT_FINITE:
                raise ValueError(
                    f"the expression contains {node}; only finite real expressions can be evaluated "
                    "(take real and imaginary parts, or limits, before lowering)"
                )
            name = type(node).__name__
            is_known = name in {*_FUNCTIONS, *_SELECTIONS, *_LOGIC, "BesselRatio"} or _is_structure(node)
            if not is_known:
                unknown.add(name)
    if unknown:
        raise ValueError(
            f"cannot evaluate {', '.join(sorted(unknown))} numerically; rewrite it (for example with .doit() or "
            f".rewrite(...)) in terms of arithmetic and {', '.join(SUPPORTED)}; or register what it stands for, once, "
            "with numerics.register_function(function, rewrite)"
        )


def _is_structure(node: Expr) -> bool:
    simple = (sympy.Number, sympy.NumberSymbol, sympy.Symbol, sympy.Add, sympy.Mul, sympy.Pow)
    return isinstance(node, (*simple, sympy.core.relational.Relational, BooleanAtom))


@lru_cache(maxsize=128)
def eliminate_common(expressions: tuple[Expr, ...]) -> tuple[Replacements, tuple[Expr, ...]]:
    """Return sympy's common subexpressions of all ``expressions`` together, and what is left of each."""
    taken = {s.name for e in expressions for s in e.free_symbols}
    names = (s for s in sympy.numbered_symbols("shared_") if s.name not in taken)
    replacements, reduced = sympy.cse(list(expressions), symbols=names)
    return tuple(replacements), tuple(reduced)


@dataclass(frozen=True)
class Dialect:
    """How the same statements are spelled in a language.

    Parameters
    ----------
    language : {"numba", "numpy", "cuda"}
        Scalar Python for numba, array Python, or CUDA C++.
    dtype : {"float64", "float32"}
        Type of every value.
    """

    language: str
    dtype: str

    def literal(self, value: Expr) -> str:
        """Return a number rounded once, to the dtype.

        Raises
        ------
        ValueError
            If it is not real, overflows, or underflows to zero.
        """
        exact = sympy.N(value, 40)
        if not exact.is_real:
            raise ValueError(f"the constant {value} is not a finite real number")
        with np.errstate(over="ignore", under="ignore"):
            rounded = float(exact) if self.dtype == "float64" else np.float32(float(exact))
        if not math.isfinite(rounded) or (rounded == 0 and exact != 0):
            raise ValueError(f"the constant {sympy.N(value, 6)} does not fit into {self.dtype}; rescale the expression")
        text = str(rounded) if self.dtype == "float32" else repr(rounded)
        return text + "f" if self.language == "cuda" and self.dtype == "float32" else text

    def callee(self, name: str) -> str:
        """Return what a sympy function is called."""
        if name == "sqrt":
            return {"numba": "math.sqrt", "numpy": "np.sqrt", "cuda": "sqrt"}[self.language]
        spelled = _FUNCTIONS[name][("numba", "numpy", "cuda").index(self.language)]
        return elementary.function_name(name, self.dtype) if spelled == "*" else spelled

    def assign(self, name: str, text: str) -> str:
        """Return a statement that defines a value once."""
        if self.language == "cuda":
            return f"const {'double' if self.dtype == 'float64' else 'float'} {name} = {text};"
        return f"{name} = {text}"

    def select(self, condition: str, yes: str, no: str) -> str:
        """Return ``yes`` where the condition holds, else ``no``; both are evaluated."""
        return {
            "numba": f"{yes} if {condition} else {no}",
            "numpy": f"np.where({condition}, {yes}, {no})",
            "cuda": f"({condition}) ? {yes} : {no}",
        }[self.language]

    def power(self, base: str, exponent: str) -> str:
        """Return a power that is not an integer or half an integer."""
        return f"pow({base}, {exponent})" if self.language == "cuda" else f"({base}) ** ({exponent})"

    def negation(self, condition: str) -> str:
        """Return the negated condition."""
        return f"!({condition})" if self.language == "cuda" else f"(({condition}) == False)"


class Writer:
    """Statements for one program, in order; values have names ``t0, t1, ...``, each defined once.

    A shared value is written just before its first use, and a long sum in groups: few values are alive at a time,
    and registers hold them.

    Parameters
    ----------
    dialect : Dialect
    names : mapping from sympy.Symbol to str
        What the arguments are called.
    """

    def __init__(self, dialect: Dialect, names: dict[Expr, str]) -> None:
        self.dialect = dialect
        self.lines: list[str] = []
        self.elementary: set[str] = set()
        self.constants: dict[str, str] = {}  # float32 literals by name: a bare one would be float64 to numba
        self._names = dict(names)
        self._pending: dict[Expr, Expr] = {}
        self._numbers: dict[Expr, Expr] = {}
        self._bound: dict[str, str] = {}

    def define(self, symbol: Expr, value: Expr) -> None:
        """Let ``symbol`` stand for ``value``, an exact number if it has no symbols."""
        exact = value.xreplace(self._numbers)
        is_condition = isinstance(exact, sympy.logic.boolalg.Boolean)
        (self._numbers if not is_condition and exact.is_number else self._pending)[symbol] = exact

    def result(self, value: Expr) -> str:
        """Return text for a value, after adding the statements that it needs."""
        return self._text(value.xreplace(self._numbers))

    def _name(self, symbol: Expr) -> str:
        if symbol in self._pending:
            value = self._pending.pop(symbol)
            is_condition = isinstance(value, sympy.logic.boolalg.Boolean)
            self._names[symbol] = f"({self._condition(value)})" if is_condition else self._bind(self._text(value))
        return self._names[symbol]

    def _bind(self, text: str) -> str:
        if re.fullmatch(r"[A-Za-z_]\w*", text):
            return text
        if text not in self._bound:
            name = f"t{len(self._bound)}"
            self.lines.append(self.dialect.assign(name, text))
            self._bound[text] = name
        return self._bound[text]

    def _number(self, value: Expr) -> str:
        text = self.dialect.literal(value)
        if self.dialect.language != "numba" or self.dialect.dtype == "float64":
            return text
        sign, magnitude = ("-", text[1:]) if text.startswith("-") else ("", text)
        return sign + self.constants.setdefault(magnitude, f"c{len(self.constants)}")

    def _operand(self, expression: Expr) -> str:
        text = self._text(expression)
        is_atom = expression.is_Symbol or expression.is_Function or re.fullmatch(r"[\w.]+", text)
        return text if is_atom else f"({text})"

    def _text(self, expression: Expr) -> str:
        if expression.is_Symbol:
            return self._name(expression)
        if expression.is_number:
            return self._number(expression)
        handlers: dict[str, Callable[[Expr], str]] = {
            "Add": self._sum,
            "Mul": self._product,
            "Pow": self._power,
            "Max": lambda e: self._extremum(e, ">"),
            "Min": lambda e: self._extremum(e, "<"),
            "sign": self._sign,
            "Heaviside": self._step,
            "KroneckerDelta": self._delta,
            "BesselRatio": self._bessel_ratio,
            "Piecewise": self._piecewise,
        }
        return handlers.get(type(expression).__name__, self._call)(expression)

    def _call(self, expression: Expr) -> str:
        name = type(expression).__name__
        if self.dialect.language == "numba" and _FUNCTIONS[name][0] == "*":
            self.elementary.add(name)
        return f"{self.dialect.callee(name)}({', '.join(self._text(a) for a in expression.args)})"

    def _sum(self, expression: Expr) -> str:
        numbers = [a for a in expression.args if a.is_number]
        terms = [a for a in expression.args if not a.is_number]
        return self._pairwise([*terms, sympy.Add(*numbers)] if numbers else terms)

    def _pairwise(self, terms: Sequence[Expr]) -> str:
        if len(terms) > _GROUP:
            middle = len(terms) // 2
            left = self._bind(self._pairwise(terms[:middle]))
            return f"{left} + {self._bind(self._pairwise(terms[middle:]))}"
        first, *rest = map(self._text, terms)
        return first + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in rest)

    def _product(self, expression: Expr) -> str:
        number, above, below = sympy.S.One, [], []
        for factor in expression.args:
            base, exponent = (factor.base, factor.exp) if factor.is_Pow else (factor, sympy.S.One)
            if factor.is_number:
                number *= factor
            elif exponent.is_Rational and exponent.is_negative:
                below.append(self._operand(base**-exponent))
            else:
                above.append(self._operand(factor))
        sign = "-" if number.is_negative else ""
        if abs(number) != 1 or not above:
            above.insert(0, self._number(abs(number)))
        over = f" / ({' * '.join(below)})" if len(below) > 1 else "".join(f" / {b}" for b in below)
        return sign + " * ".join(above) + over

    def _power(self, expression: Expr) -> str:
        base, exponent = expression.base, expression.exp
        if not (exponent.is_Integer or (exponent.is_Rational and exponent.q == 2)):
            return self.dialect.power(self._bind(self._text(base)), self._text(exponent))
        if exponent.is_negative:
            return f"{self._number(sympy.S.One)} / {self._operand(base**-exponent)}"
        name = self._bind(self._text(base))
        whole = self._integer_power(name, int(exponent)) if exponent >= 1 else ""
        root = f"{self.dialect.callee('sqrt')}({name})" if not exponent.is_Integer else ""
        return f"({whole} * {root})" if whole and root else whole or root

    def _integer_power(self, name: str, exponent: int) -> str:
        if exponent == 1:
            return name
        half = self._integer_power(name, exponent // 2)
        square = self._bind(f"{half} * {half}")
        return self._bind(f"{square} * {name}") if exponent % 2 else square

    def _extremum(self, expression: Expr, relation: str) -> str:
        best, *others = (self._bind(self._text(a)) for a in expression.args)
        for other in others:
            best = self._bind(self.dialect.select(f"{best} {relation} {other}", best, other))
        return best

    def _sign(self, expression: Expr) -> str:
        name, zero = self._bind(self._text(expression.args[0])), self._number(sympy.S.Zero)
        below = self.dialect.select(f"{name} < {zero}", self._number(-sympy.S.One), zero)
        return self._bind(self.dialect.select(f"{name} > {zero}", self._number(sympy.S.One), self._bind(below)))

    def _step(self, expression: Expr) -> str:
        name, zero = self._bind(self._text(expression.args[0])), self._number(sympy.S.Zero)
        at_zero = self.dialect.select(f"{name} < {zero}", zero, self._bind(self._text(expression.args[1])))
        return self._bind(self.dialect.select(f"{name} > {zero}", self._number(sympy.S.One), self._bind(at_zero)))

    def _delta(self, expression: Expr) -> str:
        left, right = (self._bind(self._text(a)) for a in expression.args[:2])
        one, zero = self._number(sympy.S.One), self._number(sympy.S.Zero)
        return self._bind(self.dialect.select(f"{left} == {right}", one, zero))

    def _bessel_ratio(self, expression: Expr) -> str:
        """Return Gamma(nu + 1) (2/z)^nu J_nu(z) = 0F1(nu + 1, -z^2/4) as a function of z^2."""
        order, square = expression.args
        if self.dialect.language != "numpy":
            return self._text(_elementary_bessel_ratio(order, square))
        return (
            f"special.hyp0f1({self._text(order + 1)}, {self._number(-sympy.Rational(1, 4))} * ({self._text(square)}))"
        )

    def _piecewise(self, expression: Expr) -> str:
        *pieces, (last, condition) = [(e, c) for e, c in expression.args]
        if condition != sympy.true:
            raise ValueError(f"{expression} has no value where none of its conditions holds; add (value, True) to it")
        value = self._bind(self._text(last))
        for piece, condition in reversed(pieces):
            chosen = self._bind(self._text(piece))
            value = self._bind(self.dialect.select(self._condition(condition), chosen, value))
        return value

    def _condition(self, condition: Expr) -> str:
        name = type(condition).__name__
        if isinstance(condition, sympy.core.relational.Relational):
            relation = condition.rel_op
            return f"{self._bind(self._text(condition.lhs))} {relation} {self._bind(self._text(condition.rhs))}"
        if name == "Not":
            return self.dialect.negation(self._condition(condition.args[0]))
        if name in ("And", "Or"):
            joint = " & " if name == "And" else " | "
            return joint.join(f"({self._condition(c)})" for c in condition.args)
        return self._name(condition)


def _elementary_bessel_ratio(order: Expr, square: Expr) -> Expr:
    """Return 0F1(order + 1, -square/4) in sines and cosines; near zero, where they cancel, its power series."""
    if order == -sympy.S.Half:
        return sympy.cos(sympy.sqrt(square))
    if not (order - sympy.S.Half).is_Integer or not 0 < order < 3:
        raise ValueError(
            f"compiled code has no Bessel functions of order {order}; use backend='numpy', or evaluate the expression "
            "at points with sympy's evalf"
        )
    q = sympy.Dummy("q", positive=True)
    z = sympy.sqrt(q)
    ratio = sympy.sin(z) / z
    for nu in (sympy.S.Half, sympy.Rational(3, 2))[: int(order - sympy.S.Half)]:
        ratio = sympy.together(-4 * (nu + 1) * ratio.diff(q))
    terms = [(-q / 4) ** k / (sympy.factorial(k) * sympy.rf(order + 1, k)) for k in range(12)]
    near = sympy.horner(sympy.Add(*terms))
    safe = sympy.Max(q, sympy.Rational(1, 2))
    return sympy.Piecewise((near, q < 2), (ratio.xreplace({q: safe}), True)).xreplace({q: square})
