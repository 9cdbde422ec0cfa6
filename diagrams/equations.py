r"""Equations as lines of LaTeX: :func:`aslatex` and the rule of each type for breaking into lines.

:func:`equation_lines` is a ``singledispatch``: a type registers how it breaks into lines. Lines begin with an alignment
mark, so they fit ``aligned`` and ``align*`` alike. A type that is not registered may have a ``to_latex`` method.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from functools import singledispatch
from typing import Any

import sympy

from diagrams._line_breaking import (
    LINE_WIDTH,
    PAGE_WIDTH,
    Shorthands,
    bracketed,
    broken,
    narrow_terms,
    width,
    with_tail,
)
from diagrams._printers import expression_latex, plain_text
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.functionals import functional_terms
from diagrams.large_width import LargeWidth
from diagrams.pointfunctions import expand_channels
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import Action
from diagrams.typing import Expr

ACCEPTED = (
    "an Action, Series, Correlator, ConnectedCorrelators, LargeWidth, FeynmanRules, an architecture, a sympy "
    "expression, or anything with a to_latex() method"
)


def aslatex(obj: Any, *, terms_per_line: int = 3, expand: bool = False) -> str:
    """Return any object of the package, or a sympy expression, as LaTeX with long sums broken over lines.

    Parameters
    ----------
    obj : object
        An Action, Series, Correlator, ConnectedCorrelators, LargeWidth, FeynmanRules, an architecture, a sympy
        expression, or anything with a ``to_latex()`` method that returns a formula.
    terms_per_line : int
        Terms of a sum on one line, at least 1.
    expand : bool
        Write sums over channels out, instead of "+ 2 perms".

    Returns
    -------
    str
        Valid in math mode; several lines stand in an ``aligned`` environment.

    Raises
    ------
    TypeError
        If there is no LaTeX for such an object.
    ValueError
        If ``terms_per_line`` is not a positive integer.

    Examples
    --------
    >>> a, b, c = sympy.symbols("a b c")
    >>> print(aslatex(a + b + c, terms_per_line=2))
    \\begin{aligned} & a + b \\\\ & \\quad + c \\end{aligned}
    """
    check_terms_per_line(terms_per_line)
    lines = equation_lines(written_out(obj) if expand else obj, terms_per_line)
    if len(lines) == 1:
        return lines[0].removeprefix("& ").replace("={} & ", "= ")
    return r"\begin{aligned} " + " \\\\ ".join(lines) + r" \end{aligned}"


def check_terms_per_line(value: Any) -> None:
    """Raise ValueError if the number of terms on a line is not a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"terms_per_line must be a positive integer, got {value!r}")


def written_out(obj: Any) -> Any:
    """Return the object with its sums over channels written out; one that has none is returned as it is."""
    if isinstance(obj, sympy.Basic):
        return expand_channels(obj)
    if isinstance(obj, Series):
        return obj.map(expand_channels)
    if isinstance(obj, Correlator):
        return replace(obj, series=obj.series.map(expand_channels))
    if isinstance(obj, ConnectedCorrelators):
        return [written_out(obj[n]) for n in shown_points(obj)]
    return obj


def shown_points(correlators: ConnectedCorrelators) -> list[int]:
    """Return the numbers of points of the correlators that do not vanish."""
    return [n for n in correlators if len(correlators[n].series)]


@singledispatch
def equation_lines(obj: Any, terms_per_line: int) -> list[str]:
    """Return the lines of an equation, each with its alignment mark."""
    method = getattr(obj, "to_latex", None)
    if method is None or isinstance(obj, type):
        raise TypeError(f"no LaTeX for {type(obj).__name__}; give {ACCEPTED}")
    takes = "terms_per_line" in inspect.signature(method).parameters
    return unwrapped(method(terms_per_line=terms_per_line) if takes else method())


def unwrapped(text: str) -> list[str]:
    r"""Return the lines of LaTeX source in an ``aligned`` environment, or the source as one line.

    Examples
    --------
    >>> unwrapped(r"\begin{aligned} a & b \\ & c \end{aligned}"), unwrapped("a = b")
    (['a & b', '& c'], ['& a = b'])
    """
    head, tail = r"\begin{aligned}", r"\end{aligned}"
    body = text.strip().removeprefix(head).removesuffix(tail)
    if not (text.strip().startswith(head) and text.strip().endswith(tail)) or not _is_balanced(body):
        return ["& " + text]
    lines, depth, start = [], 0, 0
    for token in re.finditer(r"\\begin\b|\\end\b|\\\\|\{|\}", body):
        depth += {r"\begin": 1, "{": 1, r"\end": -1, "}": -1}.get(token.group(), 0)
        if token.group() == r"\\" and depth == 0:
            lines.append(body[start : token.start()])
            start = token.end()
    lines.append(body[start:])
    return [line.strip() if "&" in line else f"& {line.strip()}" for line in lines]


def _is_balanced(body: str) -> bool:
    """Return False if an environment ends in the text that did not begin there."""
    depth = 0
    for token in re.findall(r"\\begin\b|\\end\b", body):
        depth += 1 if token == r"\begin" else -1
        if depth < 0:
            return False
    return depth == 0


@equation_lines.register(list)
def _(obj: list[Any], terms_per_line: int) -> list[str]:
    return [line for part in obj for line in equation_lines(part, terms_per_line)]


@equation_lines.register(sympy.Basic)
def _(obj: Expr, terms_per_line: int) -> list[str]:
    names = Shorthands()
    lines = ["& " + line for line in broken(narrow_terms(obj, names), terms_per_line)]
    return lines + list(names.definitions(terms_per_line, LINE_WIDTH))


@equation_lines.register(Series)
def _(obj: Series, terms_per_line: int) -> list[str]:
    lines, definitions = series_lines(obj, terms_per_line)
    return ["& " + line for line in lines] + definitions


@equation_lines.register(Correlator)
def _(obj: Correlator, terms_per_line: int) -> list[str]:
    head = correlator_head(obj)
    lines, definitions = series_lines(obj.series, terms_per_line, n_neurons=obj.width)
    if obj.n > 4 or max(map(width, lines)) + width(head) > PAGE_WIDTH:  # it would push the terms off the page
        return [f"& {head}", *(r"& \quad " + line for line in lines), *definitions]
    return [f"{head}& {lines[0]}", *("& " + line for line in lines[1:]), *definitions]


def correlator_head(obj: Correlator) -> str:
    """Return the left-hand side of a correlator."""
    return rf"G_c^{{({obj.n})}}({', '.join(f'x_{i + 1}' for i in range(obj.n))}) ={{}} "


@equation_lines.register(ConnectedCorrelators)
def _(obj: ConnectedCorrelators, terms_per_line: int) -> list[str]:
    found = [equation_lines(obj[n], terms_per_line) for n in shown_points(obj)]
    if any(lines[0].startswith("& ") for lines in found):  # a long one begins at the mark: then short ones do too
        found = [["& " + lines[0].replace("={} & ", "= ", 1)] if len(lines) == 1 else lines for lines in found]
    return [line for lines in found for line in lines]


@equation_lines.register(LargeWidth)
def _(obj: LargeWidth, terms_per_line: int) -> list[str]:
    return unwrapped(obj.to_latex(terms_per_line=terms_per_line))


@equation_lines.register(Action)
def _(obj: Action, terms_per_line: int) -> list[str]:
    return _local_lines(obj) if obj.is_local else _reconstructed_lines(obj, terms_per_line)


def series_lines(series: Series, terms_per_line: int, *, n_neurons: Expr = None) -> tuple[list[str], list[str]]:
    """Return the lines of a series, order by order, and those that define the short names of its wide parts."""
    lines: list[str] = []
    names = Shorthands()
    for k, c in series.terms:
        body = broken(narrow_terms(c, names), terms_per_line)
        lines += bracketed(power_latex(series, k, n_neurons), body, first=not lines)
    tail = remainder_latex(series)
    if not lines:
        return [tail or "0"], []
    return with_tail(lines, tail) if tail else lines, list(names.definitions(terms_per_line, LINE_WIDTH))


def remainder_latex(series: Series) -> str:
    """Return the O(...) terms of a series, empty for an exact one."""
    return " + ".join(rf"O\!\left({series.power_latex(k)}\right)" for k in series.remainder_keys())


def power_latex(series: Series, key: Exponents, n_neurons: Expr) -> str:
    """Return the power of the expansion parameters at ``key``, with the number of neurons where it is known."""
    if n_neurons is None or n_neurons == symbol("N"):
        return series.power_latex(key)
    return expression_latex(series.power(key).subs(symbol("N"), n_neurons))


def _local_lines(action: Action) -> list[str]:
    terms = []
    for n, series in action.couplings:
        terms.append(rf"{over_factorial(series.as_expr(), n)} \phi^{{{n}}}")
    return [rf"S[\phi] ={{}} & {action.kinetic_latex} + \int d^dx\; {_summed(terms)}"]


def _factor_latex(expr: Expr) -> str:
    """Return an expression as a factor: a sum is put in brackets."""
    text = expression_latex(expr)
    return rf"\left({text}\right)" if expr.is_Add else text


def _summed(terms: list[str]) -> str:
    joined = " + ".join(terms)
    return joined if len(terms) == 1 else rf"\left[{joined}\right]"


def _reconstructed_lines(action: Action, terms_per_line: int) -> list[str]:
    series = action.couplings[0][1]
    lines = [rf"S[\phi] ={{}} & {action.kinetic_latex}"]
    names = Shorthands()
    for key, terms in functional_terms(action):
        body = broken([t for _, term in terms for t in narrow_terms(term, names)], terms_per_line)
        lines += ["& " + line for line in bracketed(series.power_latex(key), body, first=False)]
    lines = with_tail(lines, action_remainder(action))
    if "&" not in lines[-1]:
        lines[-1] = "& " + lines[-1]
    return lines + definition_lines(action) + list(names.definitions(terms_per_line, LINE_WIDTH))


def definition_lines(action: Action) -> list[str]:
    """Return the lines that define the functions in a reconstructed action."""
    series = action.couplings[0][1]
    first = r"D ={} & G_2^{-1}, \qquad \psi_1 = \int_x D(y_1, x)\, \phi(x)"
    if not _is_decorated(action):
        return [first, r"\hat G_{1 \ldots n} ={} & N^{n/2 - 1}\, G_c^{(n)}(y_1, \ldots, y_n)"]
    letters = sympy.symbols(f"a:{len(series.parameters)}") if len(series.parameters) > 3 else sympy.symbols("a b c")
    keys = [str(letter) for letter, _ in zip(letters, series.parameters, strict=False)]
    powers = []
    for letter, parameter in zip(keys, series.parameters, strict=True):
        base, exponent = parameter.as_base_exp()
        powers.append(rf"{sympy.latex(base)}^{{{'-' if exponent == -1 else ''}{letter}}}")
    return [
        first.replace("G_2^{-1}", r"G_2^{-1} \text{ at zeroth order}"),
        rf"G_c^{{(n)}}(y_1, \ldots, y_n) ={{}} & \sum_{{{', '.join(keys)}}} "
        rf"{' '.join(powers)}\, \hat G^{{({','.join(keys)})}}_{{1 \ldots n}}",
    ]


def _is_decorated(action: Action) -> bool:
    """Return True if the vertices carry powers of their own: coefficient functions such as ``G4[1,0]``."""
    functions = [v.function for v in action.reconstruction_rules.vertices]
    return any(f is not None and f.endswith("]") for f in functions)


def action_remainder(action: Action) -> str:
    """Return the O(...) terms of a reconstructed action."""
    series = action.couplings[0][1]
    if len(action.parameters) == 1:
        return rf"O\!\left({series.power_latex(_first_omitted(action))}\right)"
    return remainder_latex(Series(action.parameters, (), action.remainder))


def _first_omitted(action: Action) -> Exponents:
    step = sympy.Integer(1) if action.is_even else sympy.Rational(1, 2)
    assert action.remainder is not None
    return tuple(r - 1 + step for r in action.remainder)


def over_factorial(coupling: Expr, n: int) -> str:
    """Return a coupling over n! in LaTeX, without a fraction in the numerator."""
    numerator, denominator = sympy.fraction(coupling)
    below = f"{n}!" if denominator == 1 else rf"{_factor_latex(denominator)} \cdot {n}!"
    return rf"\frac{{{expression_latex(numerator)}}}{{{below}}}"


def mass_text(mass: Expr) -> str:
    """Return m^2/2 in front of the square of a field as readable text.

    Examples
    --------
    >>> mass_text(sympy.S.One), mass_text(sympy.sqrt(2)), mass_text(symbol("m"))
    ('1/2 ', '', '1/2 m^2 ')
    """
    square = mass**2
    if square.is_Rational:
        return "" if square == 2 else f"{square / 2} "
    return f"1/2 {mass}^2 " if mass.is_Symbol else f"1/2 ({plain_text(mass)})^2 "


def action_text(action: Action) -> str:
    """Return an action as readable text, order by order, with the meaning of its functions."""
    if action.is_local:
        terms = [f"{_factor_text(s.as_expr())}/{n}! phi^{n}" for n, s in action.couplings]
        return f"S[phi] = ∫dx [ 1/2 (∇phi)^2 + {mass_text(action.mass)}phi^2 + " + " + ".join(terms) + " ]"
    series = action.couplings[0][1]
    lines = ["S[phi] = 1/2 ∫dx_1 dx_2 phi(x_1) D(x_1, x_2) phi(x_2)"]
    for key, found in functional_terms(action):
        lines.append(f"  + {series.power_text(key)} * [")
        for i, (_, term) in enumerate(found):
            text = plain_text(term)
            lines.append(
                "      " + (f"- {text[1:]}" if text.startswith("-") else f"  {text}" if i == 0 else f"+ {text}")
            )
        lines.append("    ]")
    if len(action.parameters) == 1:
        omitted = [_first_omitted(action)]
    else:
        omitted = Series(action.parameters, (), action.remainder).remainder_keys()
    lines.append("  + " + " + ".join(f"O({series.power_text(k)})" for k in omitted))
    shown = "D = inverse of the two-point function, psi(y) = ∫dx D(y, x) phi(x), "
    if _is_decorated(action):
        powers = ", ".join(map(str, action.parameters))
        lines.append(
            f"{shown}Gn[a,b,...] = coefficient of the powers a, b, ... of {powers} in G_c^(n), D at zeroth order"
        )
    else:
        lines.append(f"{shown}Gn = N^(n/2 - 1) G_c^(n)")
    return "\n".join(lines)


def _factor_text(expr: Expr) -> str:
    text = plain_text(expr)
    return f"({text})" if expr.is_Add or (expr.is_Rational and not expr.is_Integer) else text
