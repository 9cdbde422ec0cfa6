r"""Tables of Feynman rules: a picture of each vertex, line and leg, what it stands for, its factor and its order."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from diagrams._printers import expression_latex
from diagrams._strokes import Drawing, line_drawing, vertex_drawing
from diagrams.draw import drawing_svg, drawing_tikz
from diagrams.graph import CORRELATOR, INTERACTION
from diagrams.pointfunctions import function_latex
from diagrams.rules import LEG, FeynmanRules, LineRule, VertexRule
from diagrams.series import Series

_NAMES = {LEG: "leg", INTERACTION: "interaction", CORRELATOR: "correlator"}


@dataclass(frozen=True)
class RuleRow:
    """One row of a table of Feynman rules.

    Parameters
    ----------
    picture : Drawing or None
        None in the row about the whole diagram.
    meaning : str
        Plain words.
    factor : str
        LaTeX, math mode.
    order : str
        Power of the expansion parameters, LaTeX, math mode; empty where there is none.
    """

    picture: Drawing | None
    meaning: str
    factor: str
    order: str = ""


@dataclass(frozen=True, repr=False)
class RulesTable:
    """Feynman rules as a table; shows itself as HTML in a notebook.

    Parameters
    ----------
    rows : tuple of RuleRow
    """

    rows: tuple[RuleRow, ...]

    def to_latex(self) -> str:
        r"""Return an ``array``, valid in math mode; it needs :func:`diagrams.documents.preamble`."""
        lines = [
            r"\begin{array}{clcc}",
            r"& \text{element} & \text{factor} & \text{order} \\[2pt] \hline",
        ]
        for row in self.rows:
            picture = "" if row.picture is None else rf"\rulepicture{{{drawing_tikz(row.picture, scale=0.8)}}}"
            strut = r"\rule[-1.9ex]{0pt}{5.2ex}"
            cells = (
                picture,
                rf"\text{{{row.meaning}}}",
                rf"{strut}\displaystyle {row.factor}",
                row.order or r"\text{--}",
            )
            lines.append(" & ".join(cells) + r" \\")
        return "\n".join([*lines, r"\hline", r"\end{array}"])

    def _repr_html_(self) -> str:
        rows = []
        for row in self.rows:
            picture = "" if row.picture is None else drawing_svg(row.picture, width=90, height=56)
            order = f"${escape(row.order)}$" if row.order else "–"
            factor = rf"$\displaystyle {escape(row.factor)}$"
            cells = (picture, escape(row.meaning), factor, order)
            rows.append("<tr>" + "".join(f"<td style='text-align:left'>{c}</td>" for c in cells) + "</tr>")
        head = "".join(f"<th style='text-align:left'>{c}</th>" for c in ("", "element", "factor", "order"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def __repr__(self) -> str:
        return f"<RulesTable: {len(self.rows)} rules>"


def rules_table(rules: FeynmanRules) -> RulesTable:
    """Return the table of Feynman rules: vertices, lines, legs, and what belongs to the diagram as a whole.

    Parameters
    ----------
    rules : FeynmanRules
        ``theory.rules``, ``action.reconstruction_rules`` or ``FeynmanRules.mixed(...)``.

    Raises
    ------
    TypeError
        If ``rules`` are not FeynmanRules.

    Examples
    --------
    >>> from diagrams import phi4
    >>> [(row.meaning, row.factor, row.order) for row in rules_table(phi4().rules).rows][:2]
    [('interaction vertex, 4 lines', '- \\\\lambda \\\\int d^dy', '\\\\lambda'), ('external leg', 'G(x, y)', '')]
    """
    if not isinstance(rules, FeynmanRules):
        raise TypeError(
            f"a table of Feynman rules needs FeynmanRules, got {type(rules).__name__}; "
            "use theory.rules, action.reconstruction_rules or FeynmanRules.mixed(...)"
        )
    rows = [_vertex_row(v, rules) for v in sorted(rules.vertices, key=lambda v: (v.kind, v.valence, v.order))]
    lines = sorted(rules.lines, key=lambda line: (line.ends.count(LEG) != 1, line.ends))
    rows += [_line_row(line, rules) for line in lines]
    return RulesTable((*rows, _whole_row(rules.sign)))


def _vertex_row(vertex: VertexRule, rules: FeynmanRules) -> RuleRow:
    order = Series(rules.parameters, ()).power_latex(vertex.order) if any(vertex.order) else "1"
    r = vertex.valence
    if vertex.kind == CORRELATOR:
        meaning = f"connected {r}-point function"
        coefficient = "" if vertex.coefficient == 1 else expression_latex(vertex.coefficient)
    else:
        meaning = f"interaction vertex, {r} line{'s' if r > 1 else ''}"
        coefficient = expression_latex(vertex.coefficient)
    return RuleRow(vertex_drawing(vertex.kind, r), meaning, _vertex_factor(vertex, coefficient), order)


def _vertex_factor(vertex: VertexRule, coefficient: str) -> str:
    if vertex.function is None:
        return rf"{coefficient} \int d^dy"
    sign = {"-1": "- ", "1": ""}.get(coefficient, coefficient)
    name = function_latex(vertex.function)
    if vertex.function.startswith("Gc"):
        hat = r"\hat " if any(vertex.order) else ""  # without its power of N, which the order shows
        name = rf"{hat}G_c^{{({vertex.valence})}}"
    points = (
        "y_1" if vertex.valence == 1 else r"y_1, y_2" if vertex.valence == 2 else rf"y_1, \ldots, y_{vertex.valence}"
    )
    return f"{sign}{name}({points})"


def _line_row(line: LineRule, rules: FeynmanRules) -> RuleRow:
    legs = line.ends.count(LEG)
    meaning = {0: "internal line", 1: "external leg", 2: "leg to leg"}[legs]
    ends = sorted(line.ends, key=(LEG, INTERACTION, CORRELATOR).index)
    kinds = {v.kind for v in rules.vertices}
    if len(kinds) > 1 and legs < 2:
        meaning += f", {_NAMES[ends[0]]} to {_NAMES[ends[1]]}" if not legs else f" of {_NAMES[ends[1]]}"
    points = {0: ("y_1", "y_2"), 1: ("x", "y"), 2: ("x_1", "x_2")}[legs]
    if line.function is None:
        meaning += ": one point"
        factor = rf"\delta({points[0]} - {points[1]})"
    else:
        factor = ("- " if line.sign < 0 else "") + f"{function_latex(line.function)}({', '.join(points)})"
    return RuleRow(line_drawing((ends[0], ends[1])), meaning, factor)


def _whole_row(sign: int) -> RuleRow:
    return RuleRow(
        None,
        "whole diagram: sign, symmetry, integrals",
        rf"{'-' if sign < 0 else '+'} \frac{{1}}{{|\mathrm{{Aut}}|}} \int dy_1\, dy_2 \cdots",
    )
