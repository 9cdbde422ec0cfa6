r"""LaTeX and readable text of everything: expressions, series, correlators, actions, whole documents.

:func:`aslatex` is a ``singledispatch``: a type registers how it breaks into lines with
``equation_lines.register``. Lines begin with an alignment mark, so they fit ``aligned`` and ``align*`` alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from diagrams.architectures import Architecture
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.deep import DeepArchitecture
from diagrams.deformed import DeformedArchitecture
from diagrams.functionals import functional_terms
from diagrams.mixtures import Mixture
from diagrams.nonidentical import IndependentSum
from diagrams.pointfunctions import PointFunction
from diagrams.series import Exponents, Series
from diagrams.symbols import symbol
from diagrams.theory import Action
from diagrams.typing import Expr

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage{amsmath,amssymb}
\usepackage{tikz}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
"""


LINE_WIDTH = 58  # glyphs that fit on a line of an A4 page at 11 points


class _Latex(LatexPrinter):
    """Integrals over all of space name their points below the sign; rational factors stand in front.

    In integrals with connected correlators, which have many points, arguments become indices: ``y_3`` is 3.
    """

    def _print_Integral(self, expr: Expr) -> str:
        points = [self._print(limits[0]) for limits in expr.limits]
        shown = points if len(points) < 4 else [points[0], r"\ldots", points[-1]]
        names = {f.name for f in expr.function.atoms(PointFunction)}
        printer = _IndexLatex() if names - {"G"} else self
        return rf"\int_{{{', '.join(shown)}}} {printer._print(expr.function)}"

    def _print_Mul(self, expr: Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient.q == 1 if coefficient.is_Rational else True:
            return str(super()._print_Mul(expr))
        sign = "- " if coefficient < 0 else ""
        body = self._print(rest)
        return sign + sympy.latex(abs(coefficient)) + " " + (rf"\left({body}\right)" if rest.is_Add else body)

    def _print_ExpBase(self, expr: Expr, exp: str | None = None) -> str:
        body = sympy.latex(expr.args[0], fold_short_frac=True, fold_frac_powers=True)
        return rf"e^{{{body}}}" if exp is None else rf"e^{{{exp} \left({body}\right)}}"


class _IndexLatex(_Latex):
    points_as_indices = True


class _Text(StrPrinter):
    def _print_Integral(self, expr: Expr) -> str:
        measure = " ".join("d" + self._print(limits[0]) for limits in expr.limits)
        return f"∫{measure} {self._print(expr.function)}"

    def _print_Mul(self, expr: Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if rest.is_Add or rest == 1:
            return str(super()._print_Mul(expr))
        body = (
            " ".join(self.parenthesize(f, 50) for f in sympy.Mul.make_args(rest)) if rest.is_Mul else self._print(rest)
        )
        if coefficient in (1, -1):
            return body if coefficient == 1 else f"-{body}"
        return f"{self._print(coefficient)} {body}"


def plain_text(expr: Expr) -> str:
    """Return an expression as readable text: ``1/2 ∫dy_1 G(x_1, y_1) ...``."""
    return str(_Text().doprint(sympy.sympify(expr)))


def expression_latex(expr: Expr) -> str:
    """Return an expression as LaTeX on one line."""
    return str(_Latex().doprint(sympy.sympify(expr)))


def aslatex(obj: Any, *, terms_per_line: int = 3) -> str:
    """Return any object of the package, or a sympy expression, as LaTeX with long sums broken over lines.

    Parameters
    ----------
    obj : object
        An Action, Series, Correlator, ConnectedCorrelators, Architecture or sympy expression.
    terms_per_line : int
        Terms of a sum on one line, at least 1.

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
    if isinstance(terms_per_line, bool) or not isinstance(terms_per_line, int) or terms_per_line < 1:
        raise ValueError(f"terms_per_line must be a positive integer, got {terms_per_line!r}")
    lines = equation_lines(obj, terms_per_line)
    if len(lines) == 1:
        return lines[0].removeprefix("& ").replace("={} & ", "= ")
    return r"\begin{aligned} " + " \\\\ ".join(lines) + r" \end{aligned}"


@singledispatch
def equation_lines(obj: Any, terms_per_line: int) -> list[str]:
    """Return the lines of an equation, each with its alignment mark."""
    raise TypeError(
        f"no LaTeX for {type(obj).__name__}; give an Action, Series, correlators, a net or a sympy expression"
    )


@equation_lines.register(sympy.Basic)
def _(obj: Expr, terms_per_line: int) -> list[str]:
    return ["& " + line for line in _broken(_narrow_terms(obj), terms_per_line)]


@equation_lines.register(Series)
def _(obj: Series, terms_per_line: int) -> list[str]:
    return ["& " + line for line in _series_lines(obj, terms_per_line)]


@equation_lines.register(Correlator)
def _(obj: Correlator, terms_per_line: int) -> list[str]:
    head = rf"G_c^{{({obj.n})}}({_points(obj.n)}) ={{}} "
    lines = _series_lines(obj.series, terms_per_line, width=obj.width)
    if obj.n > 4:  # a long left-hand side would push the terms off the page
        return [f"& {head}", *(r"& \quad " + line for line in lines)]
    return [f"{head}& {lines[0]}", *("& " + line for line in lines[1:])]


@equation_lines.register(ConnectedCorrelators)
def _(obj: ConnectedCorrelators, terms_per_line: int) -> list[str]:
    shown = [n for n in obj if len(obj[n].series)]
    return [line for n in shown for line in equation_lines(obj[n], terms_per_line)]


@equation_lines.register(Architecture)
@equation_lines.register(DeepArchitecture)
@equation_lines.register(DeformedArchitecture)
@equation_lines.register(IndependentSum)
@equation_lines.register(Mixture)
def _(obj: Any, terms_per_line: int) -> list[str]:
    return ["& " + obj.to_latex()]


@equation_lines.register(Action)
def _(obj: Action, terms_per_line: int) -> list[str]:
    return _local_lines(obj) if obj.is_local else _reconstructed_lines(obj, terms_per_line)


def _points(n: int) -> str:
    return ", ".join(f"x_{i + 1}" for i in range(n))


def _narrow_terms(expr: Expr) -> list[str]:
    """Return the terms of a sum; products of sums that are too wide for a line are multiplied out."""
    shown: list[str] = []
    for term in sympy.Add.make_args(expr):
        text = expression_latex(term)
        if _width(text) > LINE_WIDTH and not term.has(sympy.Integral):
            pieces = sympy.Add.make_args(sympy.expand_mul(sympy.expand_mul(term, deep=False), deep=False))
            shown += [expression_latex(p) for p in pieces]
        else:
            shown.append(text)
    return shown


_SILENT = re.compile(r"\\(left|right|Bigl|Bigr|hat|frac|quad|int|operatorname|text|,|!|;|:|displaystyle)")


def _width(text: str) -> int:
    """Estimate the number of glyphs that LaTeX source takes on a line; those in sub- and superscripts are smaller."""
    bare = re.sub(r"\\[a-zA-Z]+", "w", _SILENT.sub("", text))
    total, depth, script = 0.0, 0, 0  # script: depth of the braces where a sub- or superscript began
    for i, c in enumerate(bare):
        if c == "{":
            depth += 1
            if not script and i and bare[i - 1] in "_^":
                script = depth
        elif c == "}":
            script = 0 if script == depth else script
            depth -= 1
        elif c not in "_^ ":
            total += 0.62 if script or (i and bare[i - 1] in "_^") else 1
    return round(total)


def _broken(terms: Sequence[str], terms_per_line: int) -> list[str]:
    """Join signed terms, at most ``terms_per_line`` and at most a page's width of them on each line."""
    lines: list[list[str]] = []
    for i, term in enumerate(terms):
        signed = term if term.startswith("-") or i == 0 else f"+ {term}"
        if not lines or len(lines[-1]) == terms_per_line or _width(" ".join([*lines[-1], signed])) > LINE_WIDTH:
            lines.append([])
        lines[-1].append(signed)
    joined = [" ".join(line) for line in lines] or ["0"]
    return [joined[0], *(r"\quad " + line for line in joined[1:])]


def _series_lines(series: Series, terms_per_line: int, width: Expr = None) -> list[str]:
    lines: list[str] = []
    for k, c in series.terms:
        body = _broken(_narrow_terms(c), terms_per_line)
        lines += _bracketed(_power(series, k, width), body, first=not lines)
    tail = [rf"O\!\left({series.power_latex(k)}\right)" for k in series.remainder_keys()]
    if not lines:
        return [" + ".join(tail) or "0"]
    return _with_tail(lines, " + ".join(tail)) if tail else lines


def _with_tail(lines: list[str], tail: str) -> list[str]:
    """Add the remainder to the last line, or below it when there is no room."""
    if _width(lines[-1]) + _width(tail) <= LINE_WIDTH:
        return [*lines[:-1], f"{lines[-1]} + {tail}"]
    return [*lines, f"+ {tail}"]


def _power(series: Series, key: Exponents, width: Expr) -> str:
    if width is None or width == symbol("N"):
        return series.power_latex(key)
    return expression_latex(series.power(key).subs(symbol("N"), width))


def _bracketed(power: str, body: list[str], *, first: bool) -> list[str]:
    sign = "" if first else "+ "
    if power == "1":
        return [sign + body[0], *body[1:]]
    if len(body) == 1:
        return [rf"{sign}{power} \left[{body[0]}\right]"]
    # \left and \right cannot stand on different lines
    return [rf"{sign}{power} \Bigl[{body[0]}", *body[1:-1], body[-1] + r"\Bigr]"]


def _local_lines(action: Action) -> list[str]:
    terms = []
    for n, series in action.couplings:
        value = expression_latex(series.as_expr())
        terms.append(rf"\frac{{{value}}}{{{n}!}} \phi^{{{n}}}")
    kinetic = action.kinetic_latex
    return [rf"S[\phi] ={{}} & {kinetic} + \int d^dx\; {' + '.join(terms)}"]


def _reconstructed_lines(action: Action, terms_per_line: int) -> list[str]:
    series = action.couplings[0][1]
    lines = [rf"S[\phi] ={{}} & {action.kinetic_latex}"]
    for key, terms in functional_terms(action):
        body = _broken([expression_latex(t) for _, t in terms], terms_per_line)
        lines += ["& " + line for line in _bracketed(series.power_latex(key), body, first=False)]
    assert action.remainder is not None
    lines = _with_tail(lines, rf"O\!\left({series.power_latex(_first_omitted(action))}\right)")
    if "&" not in lines[-1]:
        lines[-1] = "& " + lines[-1]
    lines.append(r"D ={} & G_2^{-1}, \qquad \psi_1 = \int_x D(y_1, x)\, \phi(x)")
    lines.append(r"\hat G_{1 \ldots n} ={} & N^{n/2 - 1}\, G_c^{(n)}(y_1, \ldots, y_n)")
    return lines


def _first_omitted(action: Action) -> Exponents:
    step = sympy.Integer(1) if action.is_even else sympy.Rational(1, 2)
    assert action.remainder is not None
    return tuple(r - 1 + step for r in action.remainder)


def action_text(action: Action) -> str:
    """Return an action as readable text, order by order, with the meaning of its functions."""
    if action.is_local:
        terms = [f"{plain_text(s.as_expr())}/{n}! phi^{n}" for n, s in action.couplings]
        return f"S[phi] = ∫dx [ 1/2 (∇phi)^2 + 1/2 {action.mass}^2 phi^2 + " + " + ".join(terms) + " ]"
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
    lines.append(f"  + O({series.power_text(_first_omitted(action))})")
    lines.append("D = inverse of the two-point function, psi(y) = ∫dx D(y, x) phi(x), Gn = N^(n/2 - 1) G_c^(n)")
    return "\n".join(lines)


def write_tex(path: str | Path, *parts: Any, title: str = "", terms_per_line: int = 2) -> Path:
    """Write a LaTeX document that compiles with pdflatex.

    Parameters
    ----------
    path : path
    *parts
        Text (strings, taken as LaTeX), Diagrams (drawn on a grid) and anything :func:`aslatex` takes.
    title : str
        Title of the document, LaTeX.
    terms_per_line : int
        Terms of a sum on one line.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError
        If a part has no LaTeX.
    """
    path = Path(path)
    path.write_text("\n".join(_document(parts, title, terms_per_line)), encoding="utf-8")
    return path


def _document(parts: Iterable[Any], title: str, terms_per_line: int) -> Iterator[str]:
    yield PREAMBLE + r"\begin{document}"
    if title:
        yield rf"\begin{{center}}\Large {title}\end{{center}}"
    for part in parts:
        if isinstance(part, str):
            yield part + "\n"
        elif isinstance(part, Diagrams):
            from diagrams.draw import gallery_body

            yield gallery_body(part)
        else:
            lines = [line if "&" in line else "& " + line for line in equation_lines(part, terms_per_line)]
            yield r"\begin{align*}" + "\n" + " \\\\\n".join(lines) + "\n" + r"\end{align*}"
    yield r"\end{document}"
