"""How a model shows itself: its fields in words, its vertices as pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from diagrams._fields import Field, Vertex
from diagrams.draw import to_svg
from diagrams.graph import FeynmanGraph

if TYPE_CHECKING:
    from diagrams._model import Model


def model_text(model: Model) -> str:
    """Return fields and vertices as lines of text."""
    lines = [f"Model {model.name!r}", *(f"  field {f.name}: {field_kind(f)}" for f in model.fields)]
    lines += [f"  vertex {_meaning(v)}" for v in model.vertices]
    return "\n".join(lines)


def model_html(model: Model) -> str:
    """Return a table of fields, and the vertices as pictures."""
    rows = "".join(
        f"<tr><td>{escape(f.name)}</td><td style='text-align:left'>{field_kind(f)}</td></tr>" for f in model.fields
    )
    cards = "".join(
        f"<div style='text-align:center'>{to_svg(vertex_graph(model, v), width=120)}"
        f"<div>{escape(_meaning(v))}</div></div>"
        for v in model.vertices
    )
    head = "<tr><th>field</th><th style='text-align:left'>kind</th></tr>"
    return (
        f"<b>{escape(model.name)}</b><table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        f"<div style='display:flex;flex-wrap:wrap;gap:6px'>{cards}</div>"
    )


def field_kind(field: Field) -> str:
    """Return what a field is in words."""
    words = ["complex" if field.is_complex else "real"]
    words.append("Grassmann" if field.is_grassmann else "commuting")
    return " ".join([*words, *(["contact"] if field.is_contact else [])])


def vertex_graph(model: Model, vertex: Vertex) -> FeynmanGraph:
    """Return the vertex with a leg at each of its half-edges; a half-edge ``psi`` receives the line."""
    n = len(vertex.half_edges)
    edges = [(n, i) if h.endswith("*") else (i, n) for i, h in enumerate(vertex.half_edges)]
    fields = tuple(h.rstrip("*") for h in vertex.half_edges)
    directed = tuple(f.name for f in model.fields if f.is_complex and f.name in fields)
    return FeynmanGraph(n, tuple(edges), (vertex.kind,), fields, directed, labelled=False)


def _meaning(vertex: Vertex) -> str:
    order = " ".join(name if power == 1 else f"{name}^{power}" for name, power in vertex.order)
    kind = "" if vertex.kind == "interaction" else f" ({vertex.kind})"
    return " ".join(vertex.half_edges) + (f", order {order}" if order else "") + kind
