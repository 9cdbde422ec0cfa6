"""Other notations of a diagram: networkx graphs, Graphviz source and the Nickel index."""

from __future__ import annotations

import string
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from diagrams._canonical import canonical_order
from diagrams.graph import INTERACTION, KINDS, Edge, FeynmanGraph

if TYPE_CHECKING:
    import networkx as nx

LEG = "leg"
VERTEX_CHARACTERS = string.digits + string.ascii_uppercase
_LEG_ENTRY = -1  # "e" comes before every vertex

Row = tuple[int, ...]
Cells = tuple[tuple[int, ...], ...]


def nickel_index(graph: FeynmanGraph) -> str:
    """Return the Nickel index of a diagram, a text that depends on its shape alone.

    For each vertex in turn it lists ``e`` for every external leg, then the vertices of the same or a higher number
    to which a line goes (once for each line; a self-loop gives the number once), then ``|``. Of all numberings of
    the vertices the one with the lexicographically smallest index is taken, where ``|`` < ``e`` < ``0`` < ``1``
    ... < ``9`` < ``A`` ... < ``Z`` (B. G. Nickel, D. I. Meiron and G. A. Baker, Univ. of Guelph report, 1977).
    Diagrams that differ only by leg labels, vertex kinds, fields or arrows have the same index.

    Parameters
    ----------
    graph : FeynmanGraph

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If two legs are joined directly (the index has no notation for it) or there are more than 36 vertices.

    Examples
    --------
    >>> nickel_index(FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))))
    'e111|e|'
    """
    if any(max(e) < graph.n_legs for e in graph.edges):
        raise ValueError(
            f"a Nickel index lists vertices, but in {graph} two legs are joined directly; leave that line out"
        )
    if graph.n_vertices > len(VERTEX_CHARACTERS):
        raise ValueError(
            f"a Nickel index names at most {len(VERTEX_CHARACTERS)} vertices (0-9, A-Z), got {graph.n_vertices}"
        )
    names = {_LEG_ENTRY: "e", **dict(enumerate(VERTEX_CHARACTERS))}
    return "".join("".join(names[entry] for entry in row) + "|" for row in _smallest_rows(graph))


def from_nickel(text: str) -> FeynmanGraph:
    """Return the diagram with a given Nickel index; its legs are exchangeable, as the index does not label them.

    The numbering need not be the smallest one, and the entries of a vertex may stand in any order.

    Parameters
    ----------
    text : str
        For example ``"ee11|ee|"``.

    Returns
    -------
    FeynmanGraph
        With ``labelled=False`` and interaction vertices.

    Raises
    ------
    TypeError, ValueError
        If the text is not a Nickel index.

    Examples
    --------
    >>> print(from_nickel("ee11|ee|"))
    [x1-1 x2-1 x3-2 x4-2 1-2*2] loops=1 symmetry=16
    """
    rows = _parse(text)
    n_legs = text.count("e")
    legs = iter(range(n_legs))
    edges = tuple((next(legs), n_legs + i) if j == _LEG_ENTRY else (n_legs + i, n_legs + j) for i, j in rows)
    return FeynmanGraph(n_legs, edges, labelled=False)


def _parse(text: str) -> list[Edge]:
    """Return (vertex, entry) for every entry of a Nickel index."""
    if not isinstance(text, str):
        raise TypeError(f"a Nickel index is a str such as 'ee11|ee|', got {text!r}")
    if not text.endswith("|"):
        raise ValueError(f"every vertex of a Nickel index ends with '|', also the last; got {text!r}")
    allowed = "e|" + VERTEX_CHARACTERS
    if unknown := sorted(set(text) - set(allowed)):
        raise ValueError(f"a Nickel index holds '0'-'9', 'A'-'Z', 'e' for a leg and '|'; got {unknown} in {text!r}")
    rows = text[:-1].split("|")
    entries = [(i, _LEG_ENTRY if c == "e" else VERTEX_CHARACTERS.index(c)) for i, row in enumerate(rows) for c in row]
    for i, j in entries:
        if j >= len(rows):
            raise ValueError(f"vertex {i} of {text!r} has a line to vertex {j}, but only {len(rows)} end with '|'")
        if _LEG_ENTRY < j < i:
            raise ValueError(f"vertex {i} of {text!r} lists the earlier vertex {j}; list that line at vertex {j}")
    if bare := sorted(set(range(len(rows))) - {v for entry in entries for v in entry}):
        raise ValueError(f"each vertex of a Nickel index carries a line; in {text!r} vertices {bare} do not")
    return entries


def _smallest_rows(graph: FeynmanGraph) -> list[Row]:
    """Return the rows of the smallest index, found one row at a time.

    A state is an ordered partition of the vertices: a cell holds the vertices that will take the next numbers, in
    an order that no row so far depends on. Numbering one vertex fixes its row and splits the cells behind it. Only
    states with the smallest rows survive, and of several that an isomorphism maps onto one another only one.
    """
    n = graph.n_vertices
    lines = [[0] * n for _ in range(n)]
    legs = [0] * n
    for u, v in graph.edges:
        a, b = u - graph.n_legs, v - graph.n_legs
        if min(a, b) < 0:
            legs[max(a, b)] += 1
        else:
            lines[a][b] += 1
            lines[b][a] += a != b
    states: list[Cells] = [(tuple(range(n)),)]
    rows: list[Row] = []
    for place in range(n):
        options = [_number(cells, place, v, lines, legs) for cells in states for v in cells[place]]
        rows.append(min(row for row, _ in options))
        states = _inequivalent([cells for row, cells in options if row == rows[-1]], lines, legs)
    return rows


def _number(cells: Cells, place: int, v: int, lines: Sequence[Sequence[int]], legs: Sequence[int]) -> tuple[Row, Cells]:
    """Give number ``place`` to ``v``; return its row and the cells split by the lines from ``v``.

    In a cell the most often joined vertices take the lowest numbers, which makes the row smallest.
    """
    row = [_LEG_ENTRY] * legs[v] + [place] * lines[v][v]
    done, rest = cells[:place], (tuple(w for w in cells[place] if w != v), *cells[place + 1 :])
    split: list[tuple[int, ...]] = []
    number = place
    for cell in rest:
        for m in sorted({lines[v][w] for w in cell}, reverse=True):
            part = tuple(w for w in cell if lines[v][w] == m)
            row += [number + i for i in range(1, len(part) + 1) for _ in range(m)]
            number += len(part)
            split.append(part)
    return tuple(row), (*done, (v,), *split)


def _inequivalent(states: list[Cells], lines: Sequence[Sequence[int]], legs: Sequence[int]) -> list[Cells]:
    if len(states) == 1:
        return states
    kept: dict[Hashable, Cells] = {}
    for cells in states:
        colour = {v: i for i, cell in enumerate(cells) for v in cell}
        order = canonical_order([(colour[v], legs[v]) for v in range(len(legs))], lines).order
        kept.setdefault(tuple((legs[u], *(lines[u][v] for v in order)) for u in order), cells)
    return list(kept.values())


def from_networkx(
    graph: nx.MultiGraph | nx.MultiDiGraph | nx.Graph, *, legs: Sequence[Hashable] | None = None, labelled: bool = True
) -> FeynmanGraph:
    """Return the diagram held by a networkx graph, for example by :attr:`FeynmanGraph.graph`.

    Parameters
    ----------
    graph : networkx.Graph, MultiGraph, DiGraph or MultiDiGraph
        Nodes may have ``kind``: ``"leg"``, ``"interaction"`` (default for vertices) or ``"correlator"``. Edges may
        have ``field``, the name of their field. In a directed graph the edges with ``directed=True`` belong to
        complex fields; if no edge has an attribute ``directed``, all named fields are complex.
    legs : sequence of node names, optional
        The ends of the external legs in the order of their labels. By default the nodes with ``kind="leg"``, in
        the order of their integer attribute ``label`` (of the nodes if none has one); if there are none either, all
        nodes without a kind that carry a single line, in the order of the nodes.
    labelled : bool
        False for exchangeable legs.

    Returns
    -------
    FeynmanGraph

    Raises
    ------
    TypeError, ValueError
        If legs are unknown, repeated or do not carry exactly one line, a node without kind carries only one line
        but is no leg (a dangling half-edge), a node carries no line, or attributes are contradictory.

    Examples
    --------
    >>> import networkx as nx
    >>> print(from_networkx(nx.MultiGraph([("in", "a"), ("a", "b"), ("a", "b"), ("a", "b"), ("b", "out")])))
    [x1-1 x2-2 1-2*3] loops=2 symmetry=6
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise TypeError(f"graph must be a networkx Graph, MultiGraph, DiGraph or MultiDiGraph, got {graph!r}")
    kinds = {node: data.get("kind") for node, data in graph.nodes(data=True)}
    ends = _leg_nodes(graph, kinds, legs)
    _check_nodes(graph, kinds, ends)
    vertices = [node for node in graph if node not in set(ends)]
    place = {node: i for i, node in enumerate([*ends, *vertices])}
    lines = list(graph.edges(data=True))
    fields = tuple(data.get("field", "") for _, _, data in lines)
    return FeynmanGraph(
        len(ends),
        tuple((place[u], place[v]) for u, v, _ in lines),
        tuple(kinds[v] or INTERACTION for v in vertices),
        fields,
        _directed_fields(graph, fields),
        labelled,
    )


def _leg_nodes(
    graph: nx.Graph, kinds: Mapping[Hashable, str | None], legs: Sequence[Hashable] | None
) -> list[Hashable]:
    marked = [node for node in graph if kinds[node] == LEG]
    if legs is not None:
        if isinstance(legs, str) or not isinstance(legs, Iterable):
            raise TypeError(f"legs must be a sequence of node names, got {legs!r}")
        named = list(legs)
        _refuse(named, lambda node: node not in graph, f"legs must be nodes of the graph {list(graph)}; unknown")
        _refuse(named, lambda node: named.count(node) > 1, "legs must hold each node once; repeated")
        _refuse(named, lambda node: kinds[node] in KINDS, f"a leg has kind={LEG!r} or no kind; nodes of another kind")
        _refuse(
            marked, lambda node: node not in named, f"with legs= given, nodes of kind={LEG!r} must be in it; missing"
        )
        return named
    if not marked:
        return [node for node in graph if kinds[node] is None and graph.degree(node) == 1]
    labels = {node: graph.nodes[node].get("label") for node in marked}
    if set(labels.values()) == {None}:
        return marked
    _refuse(
        marked,
        lambda node: type(labels[node]) is not int,
        "give every leg an integer label, or none; not an integer at",
    )
    _refuse(
        marked, lambda node: list(labels.values()).count(labels[node]) > 1, "legs need different labels; the same at"
    )
    return sorted(marked, key=lambda node: labels[node])


def _check_nodes(graph: nx.Graph, kinds: Mapping[Hashable, str | None], legs: list[Hashable]) -> None:
    known = (None, LEG, *KINDS)
    others = [node for node in graph if node not in set(legs)]
    _refuse(graph, lambda node: kinds[node] not in known, f"kind must be one of {[LEG, *KINDS]}; not so at")
    _refuse(graph, lambda node: not graph.degree(node), "every node must carry a line; connect or remove")
    _refuse(legs, lambda node: graph.degree(node) != 1, "each external leg ends exactly one line; not so at")
    _refuse(
        others,
        lambda node: kinds[node] is None and graph.degree(node) == 1,
        f"dangling half-edge: name it in legs= or give it kind={LEG!r}, or kind={INTERACTION!r} as a vertex;",
    )


def _directed_fields(graph: nx.Graph, fields: tuple[Any, ...]) -> tuple[str, ...]:
    if wrong := [name for name in fields if not isinstance(name, str)]:
        raise TypeError(f"the edge attribute field is a str, the name of a field; got {wrong}")
    marks = {(name, mark) for name, (_, _, mark) in zip(fields, graph.edges(data="directed"), strict=True)}
    arrows = {name for name, mark in marks if mark}
    if not graph.is_directed():
        if arrows:
            raise ValueError(f"fields {sorted(arrows)} have directed=True, which needs a MultiDiGraph; got a {graph!s}")
        return ()
    if all(mark is None for _, mark in marks):
        return tuple(sorted(set(fields) - {""}))
    if both := sorted(arrows & {name for name, mark in marks if not mark}):
        raise ValueError(f"the lines of one field are all directed or none is; fields {both} have both sorts")
    return tuple(sorted(arrows))


def _refuse(nodes: Iterable[Hashable], is_wrong: Callable[[Hashable], bool], message: str) -> None:
    if wrong := [node for node in nodes if is_wrong(node)]:
        raise ValueError(f"{message} node(s) {wrong}")


def to_dot(graph: FeynmanGraph) -> str:
    r"""Return Graphviz source of a diagram: legs by label, vertices as dots, correlators as filled circles.

    Lines of complex fields have arrows, and named fields are written at their lines. Exchangeable legs are points
    without label.

    Examples
    --------
    >>> print(to_dot(FeynmanGraph(2, ((0, 2), (1, 2), (2, 2)))))
    graph diagram {
      x1 [shape=plaintext, label="x1"];
      x2 [shape=plaintext, label="x2"];
      v1 [shape=point];
      x1 -- v1;
      x2 -- v1;
      v1 -- v1;
    }
    """
    n = graph.n_legs
    names = [f"x{i + 1}" for i in range(n)] + [f"v{i + 1}" for i in range(graph.n_vertices)]
    text = [f"{'digraph' if graph.directed else 'graph'} diagram {{"]
    text += [f'  {x} [shape=plaintext, label="{x if graph.labelled else ""}"];' for x in names[:n]]
    shapes = {INTERACTION: "shape=point", "correlator": 'shape=circle, style=filled, label=""'}
    text += [f"  {name} [{shapes[kind]}];" for name, kind in zip(names[n:], graph.kinds, strict=True)]
    arrow = "->" if graph.directed else "--"
    for (u, v), f in zip(graph.edges, graph.fields or ("",) * len(graph.edges), strict=True):
        label = f.replace("\\", "\\\\").replace('"', '\\"')
        options = [f'label="{label}"'] * bool(f) + ["dir=none"] * bool(graph.directed and f not in graph.directed)
        text.append(f"  {names[u]} {arrow} {names[v]}" + (f" [{', '.join(options)}]" if options else "") + ";")
    return "\n".join([*text, "}"])
