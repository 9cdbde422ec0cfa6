r"""Breaking formulas over lines: the width that LaTeX source takes, and sums and products cut to the width of a page.

Widths are in em of the formula's font. What is still too wide after sums are cut into terms and terms into factors gets
a short name: its widest parts become :math:`\eta_1, \eta_2, \ldots`, defined on lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sympy

from diagrams._printers import expression_latex, integral_sign, integrand_printer
from diagrams.pointfunctions import ChannelSum
from diagrams.symbols import symbol
from diagrams.typing import Expr

LINE_WIDTH = 38.0  # em that fit on a line of an A4 page with margins of 2 cm at 11 points, beside a left-hand side
PAGE_WIDTH = 44.0  # em of the whole line
_NARROW = 3.0  # nothing narrower is worth a name

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}_^]|\s+|.", re.DOTALL)
_GLYPHS = {
    **dict.fromkeys("0123456789/", 0.5),
    **dict.fromkeys("ijltf", 0.4),
    **dict.fromkeys("+-=", 1.22),
    **dict.fromkeys("()[]", 0.42),
    **dict.fromkeys("|.", 0.28),
    **dict.fromkeys("&'", 0.0),
    ",": 0.45,
}
_COMMANDS = {
    **dict.fromkeys((r"\left", r"\right", r"\Bigl", r"\Bigr"), 0.2),
    **dict.fromkeys((r"\hat", r"\tilde", r"\bar", r"\mathbb", r"\mathcal", r"\mathrm", r"\textstyle"), 0.0),
    **dict.fromkeys((r"\displaystyle", r"\text", r"\operatorname", r"\boldsymbol"), 0.0),
    **dict.fromkeys((r"\sin", r"\cos", r"\exp", r"\max", r"\min", r"\log", r"\erf"), 1.7),
    **dict.fromkeys((r"\ldots", r"\sim", r"\to", r"\times", r"\infty", r"\int"), 1.2),
    r"\sum": 1.5,
    r"\sqrt": 0.9,
    r"\quad": 1.0,
    r"\qquad": 2.0,
    r"\,": 0.17,
    r"\;": 0.28,
    r"\:": 0.22,
    r"\!": -0.17,
}
_SCRIPT = 0.72


def width(text: str) -> float:
    r"""Estimate the width in em that LaTeX source takes in a displayed formula.

    Examples
    --------
    >>> round(width(r"\frac{1}{24} a"), 1), width("e^{x}") < width("e x")
    (1.8, True)
    """
    tokens = _TOKEN.findall(text)
    return _Measure(tokens).sequence()


class _Measure:
    """A cursor over the tokens of LaTeX source."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.place = tokens, 0

    def sequence(self) -> float:
        """Return the width up to the closing brace or the end."""
        total, raised, lowered = 0.0, 0.0, 0.0
        while self.place < len(self.tokens) and self.tokens[self.place] != "}":
            token = self.tokens[self.place]
            if token in "^_":
                self.place += 1
                size = _SCRIPT * self.item()
                raised, lowered = (max(raised, size), lowered) if token == "^" else (raised, max(lowered, size))
            else:
                total, raised, lowered = total + max(raised, lowered), 0.0, 0.0
                total += self.item()
        return total + max(raised, lowered)

    def item(self) -> float:
        """Return the width of the next group, command or glyph."""
        if self.place >= len(self.tokens):
            return 0.0
        token = self.tokens[self.place]
        self.place += 1
        if token == "{":
            size = self.sequence()
            self.place += 1
            return size
        if token in (r"\frac", r"\tfrac"):
            return (0.25 + max(self.item(), self.item())) * (1.0 if token == r"\frac" else _SCRIPT)
        if token.isspace():
            return 0.0
        return _COMMANDS.get(token, 0.62) if token[0] == "\\" else _GLYPHS.get(token, 0.75 if token.isupper() else 0.55)


@dataclass
class Shorthands:
    """The short names given to wide parts of one equation, in the order in which they were needed."""

    names: dict[Expr, Expr] = field(default_factory=dict)
    _widths: dict[Expr, float] = field(default_factory=dict)

    def name(self, expr: Expr) -> Expr:
        r"""Return the name of a part, :math:`\eta_k`."""
        return self.names.setdefault(expr, symbol(f"eta_{len(self.names) + 1}"))

    def width(self, expr: Expr) -> float:
        """Return the width of an expression; parts recur in many terms, so it is measured once."""
        if expr not in self._widths:
            self._widths[expr] = width(expression_latex(expr))
        return self._widths[expr]

    def fitted(self, expr: Expr, limit: float) -> Expr:
        """Return the expression with its widest parts replaced by names until it fits."""
        while self.width(expr) > limit:
            parts = [a for a in _inner(expr) if self.width(a) > _NARROW]
            if not parts:
                break
            widest = max(parts, key=self.width)
            expr = expr.xreplace({widest: self.name(widest)})
        return expr

    def definitions(self, terms_per_line: int, limit: float) -> Iterator[str]:
        """Iterate over the lines that define the names; a definition may need further ones."""
        shown = 0
        while shown < len(self.names):
            expr, name = list(self.names.items())[shown]
            shown += 1
            lines = broken(narrow_terms(expr, self, limit), terms_per_line, limit)
            yield rf"{expression_latex(name)} ={{}} & {lines[0]}"
            yield from ("& " + line for line in lines[1:])


def _inner(expr: Expr) -> Iterator[Expr]:
    """Iterate over the parts of an expression that can carry a name: arguments, and arguments of roots and sums."""
    for arg in expr.args:
        if isinstance(arg, sympy.Expr) and arg.args:
            if (arg.is_Pow and not arg.exp.args) or arg.is_Add or arg.is_Mul:
                yield from _inner(arg) if arg.is_Mul else (arg.base if arg.is_Pow and arg.base.args else arg,)
            else:
                yield arg


def narrow_terms(expr: Expr, shorthands: Shorthands, limit: float = LINE_WIDTH) -> list[tuple[str, ...]]:
    """Return the terms of a sum, each with its lines: wide products of sums are multiplied out, wide ones cut."""
    shown: list[tuple[str, ...]] = []
    for term in sympy.Add.make_args(expr):
        text = expression_latex(term)
        if width(text) <= limit:
            shown.append((text,))
        elif term.has(sympy.Integral):
            shown.append(_cut(term, shorthands, limit))
        else:
            pieces = sympy.Add.make_args(sympy.expand_mul(sympy.expand_mul(term, deep=False), deep=False))
            for piece in pieces:
                text = expression_latex(piece)
                shown.append((text,) if width(text) <= limit else _cut(piece, shorthands, limit))
    return shown


def _cut(term: Expr, shorthands: Shorthands, limit: float) -> tuple[str, ...]:
    """Return a term as lines, cut between its factors."""
    lines: list[str] = []
    for factor in _factor_texts(term, shorthands, limit):
        if lines and width(f"{lines[-1]} {factor}") <= limit - 2:
            lines[-1] += f" {factor}"
        else:
            lines.append(factor)
    return (lines[0], *(rf"\qquad \times {line}" for line in lines[1:]))


def _factor_texts(term: Expr, shorthands: Shorthands, limit: float) -> list[str]:
    coefficient, rest = term.as_coeff_Mul()
    if not coefficient.is_Rational:
        coefficient, rest = sympy.S.One, term
    above, below = sympy.fraction(rest)
    if below.is_Add or width(expression_latex(below)) > limit / 2:
        above, below = rest, sympy.S.One
    texts = [t for factor in sympy.Mul.make_args(above) for t in _pieces(factor, shorthands, limit)]
    size = abs(coefficient)
    if (bottom := size.q * below) != 1:
        texts.insert(0, rf"\frac{{{size.p}}}{{{expression_latex(bottom)}}}")
    elif size != 1:
        texts.insert(0, str(size))
    return [("- " if coefficient < 0 else "") + texts[0], *texts[1:]]


def _pieces(factor: Expr, shorthands: Shorthands, limit: float) -> list[str]:
    """Return a factor as pieces between which a line may end; a sum over channels stays readable, in brackets."""
    if isinstance(factor, ChannelSum):
        inside = _factor_texts(factor.expr, shorthands, limit)
        rest = rf"+ \text{{{len(factor.permutations) - 1} perms}}\Bigr]"
        return [rf"\Bigl[{inside[0]}", *inside[1:-1], f"{inside[-1]} {rest}"]
    if isinstance(factor, sympy.Integral):
        printer = integrand_printer(factor)
        inner = sympy.Mul.make_args(factor.function)
        return [integral_sign(factor), *(printer.parenthesize(f, 50) for f in inner)]
    return [_factor_text(shorthands.fitted(factor, limit - 4))]


def _factor_text(factor: Expr) -> str:
    text = expression_latex(factor)
    return rf"\left({text}\right)" if factor.is_Add else text


def broken(terms: Sequence[tuple[str, ...]], terms_per_line: int, limit: float = LINE_WIDTH) -> list[str]:
    """Join signed terms, at most ``terms_per_line`` and at most a page's width of them on each line."""
    lines: list[list[str]] = []
    open_line = False
    for i, (first, *more) in enumerate(terms):
        signed = first if first.startswith("-") or i == 0 else f"+ {first}"
        full = not open_line or len(lines[-1]) == terms_per_line or width(" ".join([*lines[-1], signed])) > limit
        if full or more:
            lines.append([])
        lines[-1].append(signed)
        lines += [[line] for line in more]
        open_line = not more
    joined = [" ".join(line) for line in lines] or ["0"]
    return [joined[0], *(r"\quad " + line for line in joined[1:])]


def with_tail(lines: list[str], tail: str, limit: float = LINE_WIDTH) -> list[str]:
    """Add a remainder to the last line, or below it when there is no room."""
    if width(lines[-1]) + width(tail) <= limit:
        return [*lines[:-1], f"{lines[-1]} + {tail}"]
    return [*lines, f"+ {tail}"]


def bracketed(power: str, body: list[str], *, first: bool) -> list[str]:
    """Return the lines of one order, its power in front of them in brackets."""
    sign = "" if first else "+ "
    if power == "1":
        return [sign + body[0], *body[1:]]
    if len(body) == 1:
        return [rf"{sign}{power} \left[{body[0]}\right]"]
    # \left and \right cannot stand on different lines
    return [rf"{sign}{power} \Bigl[{body[0]}", *body[1:-1], body[-1] + r"\Bigr]"]
