r"""Terms with their diagrams: which diagram a term of a correlator or coupling belongs to, drawn beside it.

The diagram is read off the term itself, from the points that its functions share, so that it cannot be the wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch
from typing import Any

import sympy

from diagrams._line_breaking import LINE_WIDTH, Shorthands, narrow_terms, width
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.draw import inline_tikz
from diagrams.equations import (
    action_remainder,
    correlator_head,
    definition_lines,
    equation_lines,
    power_latex,
    remainder_latex,
    shown_points,
)
from diagrams.functionals import functional_terms
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.pointfunctions import AMPUTATED, ChannelSum, PointFunction
from diagrams.series import Series
from diagrams.theory import Action
from diagrams.typing import Expr

_BESIDE = LINE_WIDTH - 9  # em left of a line beside a picture and the power of its order
_ROOM = 5.0  # em of the column of powers

Pictured = tuple[FeynmanGraph | None, Expr]


def term_diagram(term: Expr) -> FeynmanGraph | None:
    """Return the diagram of one term of a correlator or of a coupling; None if it has no functions of points.

    Two-point functions ``G``, ``D`` are lines, ``psi`` a leg, ``G4, G6, ...`` connected-correlator vertices,
    ``g3, g4, ...`` interaction vertices; the points ``x_1, x_2, ...`` are legs. Where there is no function of more
    points, the integrated points are the (local) interaction vertices. A sum over channels has exchangeable legs.

    Parameters
    ----------
    term : sympy.Expr
        A product of a constant and an integral, not a sum.

    Examples
    --------
    >>> from diagrams import phi4
    >>> term_diagram(phi4().correlator(legs=2, order=1)[1]).n_loops
    1
    """
    found = term.atoms(PointFunction)
    if not found or term.is_Add:
        return None
    channels = term.atoms(ChannelSum)
    functions = _functions(next(iter(channels)).expr if channels else term)
    lines = [f for f in functions if len(f.points) == 2 and f.name in ("D", "G")]
    legs = [f for f in functions if f.name == AMPUTATED]
    vertices = [f for f in functions if f.name not in ("D", "G", AMPUTATED)]
    if any(f.name.startswith("Gc") for f in vertices) or not (lines or legs) or any(not f.points for f in legs):
        return None  # blobs of the mixed rule share points with interactions instead of being joined by lines
    return _joined(lines, legs, vertices, labelled=not channels and not legs)


def _functions(term: Expr) -> list[PointFunction]:
    """Return the functions of points in a product, repeated ones as often as they occur."""
    found: list[PointFunction] = []
    for factor in sympy.Mul.make_args(term):
        base, power = factor.as_base_exp()
        if isinstance(base, PointFunction):
            found += [base] * int(power)
        elif isinstance(base, sympy.Integral):
            found += _functions(base.function)
    return found


def _joined(
    lines: list[PointFunction], legs: list[PointFunction], vertices: list[PointFunction], *, labelled: bool
) -> FeynmanGraph | None:
    external = {p for f in lines for p in f.points if str(p).startswith("x_")}
    names = sorted(external, key=lambda p: int(str(p)[2:]))
    n_legs = len(names) + len(legs)
    node: dict[Any, int] = {p: i for i, p in enumerate(names)}
    for i, f in enumerate(vertices):
        node |= dict.fromkeys(f.points, n_legs + i)
    if not vertices:
        inner = sorted({p for f in lines for p in f.points} - external, key=str)
        node |= {p: n_legs + i for i, p in enumerate(inner)}
    ends = [(node.get(a), node.get(b)) for a, b in (f.points for f in lines)]
    ends += [(len(names) + i, node.get(f.points[0])) for i, f in enumerate(legs)]
    edges = tuple((a, b) for a, b in ends if a is not None and b is not None)
    if len(edges) < len(ends):
        return None
    kind = CORRELATOR if any(f.name.startswith("G") for f in vertices) else INTERACTION
    kinds = (kind,) * (max(max(e) for e in edges) + 1 - n_legs)
    return FeynmanGraph(n_legs, edges, kinds, labelled=labelled)


@singledispatch
def pictured_lines(obj: Any, terms_per_line: int) -> list[str]:
    """Return the lines of an equation with a diagram beside each term; terms without one stand alone."""
    return equation_lines(obj, terms_per_line)


@pictured_lines.register(list)
def _(obj: list[Any], terms_per_line: int) -> list[str]:
    return [line for part in obj for line in pictured_lines(part, terms_per_line)]


@pictured_lines.register(Series)
def _(obj: Series, terms_per_line: int) -> list[str]:
    return _series(obj, "", terms_per_line) if obj.sources else equation_lines(obj, terms_per_line)


@pictured_lines.register(Correlator)
def _(obj: Correlator, terms_per_line: int) -> list[str]:
    if not obj.series.sources:
        return equation_lines(obj, terms_per_line)
    return [f"& {correlator_head(obj)}", *_series(obj.series, r"\quad ", terms_per_line, obj.width)]


@pictured_lines.register(ConnectedCorrelators)
def _(obj: ConnectedCorrelators, terms_per_line: int) -> list[str]:
    return [line for n in shown_points(obj) for line in pictured_lines(obj[n], terms_per_line)]


@pictured_lines.register(Action)
def _(obj: Action, terms_per_line: int) -> list[str]:
    if obj.is_local:
        return equation_lines(obj, terms_per_line)
    series = obj.couplings[0][1]
    orders = [(series.power_latex(key), list[Pictured](terms)) for key, terms in functional_terms(obj)]
    names = Shorthands()
    lines = [rf"S[\phi] ={{}} & {obj.kinetic_latex}", *_rows(orders, "", names, first=False)]
    lines.append(rf"& + {action_remainder(obj)}")
    return lines + definition_lines(obj) + list(names.definitions(terms_per_line, LINE_WIDTH))


def _series(series: Series, indent: str, terms_per_line: int, value: Expr = None) -> list[str]:
    orders = (
        (power_latex(series, key, value), [(term_diagram(t), t) for t in sympy.Add.make_args(c)])
        for key, c in series.terms
    )
    names = Shorthands()
    lines = list(_rows(orders, indent, names, first=True))
    if tail := remainder_latex(series):
        lines.append(f"& {indent}+ {tail}")
    return lines + list(names.definitions(terms_per_line, LINE_WIDTH))


def _rows(
    orders: Iterable[tuple[str, list[Pictured]]], indent: str, names: Shorthands, *, first: bool
) -> Iterator[str]:
    """Iterate over the lines of all orders: power, picture, term."""
    for power, terms in orders:
        mark = ("" if first else "{} + ") + ("" if power == "1" else rf"{power} \Bigl[")
        first = False
        if width(mark) > _ROOM:
            yield f"& {indent}{mark}"
            mark = ""
        for i, (graph, term) in enumerate(terms):
            closing = r"\Bigr]" if power != "1" and i == len(terms) - 1 else ""
            picture = inline_tikz(graph) if graph is not None and graph.edges else ""
            pieces = narrow_terms(term, names, _BESIDE)
            signed = [t if t[0].startswith("-") or i + j == 0 else (f"+ {t[0]}", *t[1:]) for j, t in enumerate(pieces)]
            head, *rest = [line for piece in signed for line in piece]
            rows = [rf"\termorder{{{mark if i == 0 else ''}}}\termdiagram{{{picture}}} {head}"]
            rows += [rf"\termorder{{}}\termdiagram{{}} {line}" for line in rest]
            rows[-1] += closing
            yield from (f"& {indent}{row}" for row in rows)
