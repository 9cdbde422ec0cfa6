r"""LaTeX documents, fragments for papers, and the preamble that both need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from diagrams._line_breaking import PAGE_WIDTH, width
from diagrams.collection import Diagrams
from diagrams.draw import gallery_body
from diagrams.equations import ACCEPTED, check_terms_per_line, equation_lines, written_out
from diagrams.graph import FeynmanGraph
from diagrams.pictured_terms import pictured_lines
from diagrams.rule_tables import RulesTable, rules_table
from diagrams.rules import FeynmanRules

_CLASS = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=2cm]{geometry}
"""

_PREAMBLE = r"""\usepackage{amsmath,amssymb}
\usepackage{tikz}
\allowdisplaybreaks
% power of an order, and a diagram beside its term
\newcommand{\termorder}[1]{\hbox to 1.75cm{$\displaystyle #1$\hss}}
\newcommand{\termdiagram}[1]{\vcenter{\hbox to 2.7cm{\hss #1\hss}}\quad}
% a picture in a table of Feynman rules
\newcommand{\rulepicture}[1]{\vcenter{\kern4pt\hbox to 2.2cm{\rule{0pt}{9pt}\hss #1\hss}\kern4pt}}
% a formula that is shrunk if it is wider than a part of the page
\newsavebox{\fitbox}
\newcommand{\fitline}[2]{\sbox{\fitbox}{$\displaystyle #2$}%
  \ifdim\wd\fitbox>#1\linewidth\resizebox{#1\linewidth}{!}{\usebox{\fitbox}}\else\usebox{\fitbox}\fi}
"""

_BESIDE_PICTURE = r"\end{tikzpicture}} "


def preamble() -> str:
    r"""Return what a paper needs before ``\begin{document}`` to use the fragments of this package.

    The packages amsmath, amssymb and tikz and four short macros.

    Examples
    --------
    >>> r"\usepackage{tikz}" in preamble(), r"\newcommand{\termdiagram}" in preamble()
    (True, True)
    """
    return _PREAMBLE


def latex_fragment(obj: Any, *, terms_per_line: int = 2, expand: bool = False, diagrams: bool = False) -> str:
    r"""Return LaTeX of one object to paste into a paper that has :func:`preamble`.

    Parameters
    ----------
    obj : object
        Text (a string, taken as LaTeX), Diagrams or one FeynmanGraph (drawn on a grid), FeynmanRules or a table of
        them, a pair ``(left-hand side, object)``, and anything :func:`diagrams.aslatex` takes.
    terms_per_line : int
        Terms of a sum on one line, at least 1; with ``diagrams`` every term that has one stands on its own line.
    expand : bool
        Write sums over channels out, instead of "+ 2 perms".
    diagrams : bool
        Draw the diagram of every term beside it, in reconstructed actions and in series that come from diagrams.

    Returns
    -------
    str
        Text mode: formulas stand in ``align*``, which breaks over pages.

    Raises
    ------
    TypeError
        If there is no LaTeX for such an object; the text says what is accepted.
    ValueError
        If ``terms_per_line`` is not a positive integer.

    Examples
    --------
    >>> from diagrams import phi4
    >>> print(latex_fragment(phi4().correlator(legs=2, order=0)))
    \begin{align*}
    & G(x_{1}, x_{2}) + O\!\left(\lambda\right)
    \end{align*}
    """
    check_terms_per_line(terms_per_line)
    if isinstance(obj, str):
        return obj + "\n"
    if isinstance(obj, FeynmanGraph):
        return gallery_body([obj])
    if isinstance(obj, Diagrams):
        return gallery_body(obj)
    if isinstance(obj, RulesTable | FeynmanRules):
        table = rules_table(obj) if isinstance(obj, FeynmanRules) else obj
        return "\\[\n" + table.to_latex() + "\n\\]"
    head, shown = obj if _is_pair(obj) else ("", obj)
    lines = _lines(shown, terms_per_line, expand=expand, diagrams=diagrams)
    if head:
        lines = [rf"& {head} ={{}}", *(line.replace("& ", r"& \quad ", 1) for line in lines)]
    return r"\begin{align*}" + "\n" + " \\\\\n".join(_fitted(lines)) + "\n" + r"\end{align*}"


def write_tex(
    path: str | Path,
    *parts: Any,
    title: str = "",
    terms_per_line: int = 2,
    expand: bool = False,
    diagrams: bool = False,
) -> Path:
    """Write a LaTeX document that compiles with pdflatex.

    Parameters
    ----------
    path : path
    *parts
        Anything :func:`latex_fragment` takes: text, architectures, correlators, actions, series, Diagrams, rules, ...
    title : str
        Title of the document, LaTeX.
    terms_per_line, expand, diagrams
        As in :func:`latex_fragment`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError
        If a part has no LaTeX; nothing is written then.
    ValueError
        If ``terms_per_line`` is not a positive integer.
    """
    body = [latex_fragment(p, terms_per_line=terms_per_line, expand=expand, diagrams=diagrams) for p in parts]
    path = Path(path)
    path.write_text("\n".join(_document(body, title)) + "\n", encoding="utf-8")
    return path


def _document(body: Iterable[str], title: str) -> Iterator[str]:
    yield _CLASS + preamble() + r"\setlength{\parindent}{0pt}" + "\n" + r"\begin{document}"
    if title:
        yield rf"\begin{{center}}\Large {title}\end{{center}}"
    yield from body
    yield r"\end{document}"


def _is_pair(obj: Any) -> bool:
    return isinstance(obj, tuple) and len(obj) == 2 and isinstance(obj[0], str)


def _lines(obj: Any, terms_per_line: int, *, expand: bool, diagrams: bool) -> list[str]:
    if isinstance(obj, tuple | list | dict):
        raise TypeError(f"no LaTeX for {type(obj).__name__}; give text, Diagrams, a pair (text, object), {ACCEPTED}")
    shown = written_out(obj) if expand else obj
    lines = pictured_lines(shown, terms_per_line) if diagrams else equation_lines(shown, terms_per_line)
    return [line if "&" in line else "& " + line for line in lines]


def _fitted(lines: list[str]) -> list[str]:
    """Return the lines; right-hand sides that may be wider than the page are marked to be shrunk if they are."""
    room = PAGE_WIDTH - max(width(line.partition("& ")[0]) for line in lines)
    fitted = []
    for line in lines:
        head, _, body = line.partition("& ")
        before, picture, term = body.rpartition(_BESIDE_PICTURE)
        free = room - (10.0 if picture else 0.0)
        if width(term) > 0.9 * free:
            term = rf"\fitline{{{free / PAGE_WIDTH:.2f}}}{{{term}}}"
        fitted.append(f"{head}& {before}{picture}{term}")
    return fitted
