"""Models and an enumeration by brute force that several test files share."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import factorial, prod

from diagrams.graph import FeynmanGraph
from diagrams.models import Field, Model, Vertex

PROPAGATOR = ("psi", "psi*")


def fermion(name):
    return Field(name, is_complex=True, is_grassmann=True)


def two_flavours():
    vertices = (Vertex(("e*", "e", "A")), Vertex(("m*", "m", "A")))
    return Model("two flavours", (fermion("e"), fermion("m"), Field("A")), vertices)


def charged_current():
    vertices = (Vertex(("e*", "nu", "W")), Vertex(("nu*", "e", "W*")))
    return Model("charged current", (fermion("e"), fermion("nu"), Field("W", is_complex=True)), vertices)


def fermi():
    vertices = (Vertex(("a*", "b", "c*", "d")), Vertex(("b*", "a", "d*", "c")))
    return Model("four fermions", tuple(fermion(f) for f in "abcd"), vertices)


def gross_neveu():
    return Model("bilinears", (fermion("psi"), Field("s", is_contact=True)), (Vertex(("psi*", "psi", "s")),))


def majorana():
    return Model("majorana", (Field("chi", is_grassmann=True), Field("phi")), (Vertex(("chi", "chi", "phi")),))


def with_counterterm():
    vertices = (Vertex(("psi*", "psi", "A")), Vertex(("psi*", "psi"), (("delta", 1),), is_counterterm=True))
    return Model("counterterm", (fermion("psi"), Field("A")), vertices)


def conjugate(model, half_edge):
    field = next(f for f in model.fields if half_edge in f.half_edges)
    return half_edge if not field.is_complex else half_edge[:-1] if half_edge.endswith("*") else half_edge + "*"


def matchings(model, names, free):
    """Iterate over all ways to contract the half-edges with numbers ``free``."""
    if not free:
        yield ()
        return
    first, rest = free[0], free[1:]
    for other in rest:
        if names[other] == conjugate(model, names[first]):
            for tail in matchings(model, names, [h for h in rest if h != other]):
                yield ((first, other), *tail)


def contraction_sign(names, pairs, anticommuting):
    """Sign of the permutation that brings contracted Grassmann half-edges together, psi before psi*."""
    listed = []
    for a, b in pairs:
        if names[a] in anticommuting:
            listed += [b, a] if names[a].endswith("*") else [a, b]
    return (-1) ** sum(x > y for i, x in enumerate(listed) for y in listed[i + 1 :])


def contractions(model, legs, vertices):
    """Return {graph: (number of contractions, set of signs)} for one list of vertices."""
    names = [*legs, *(h for v in vertices for h in v.half_edges)]
    nodes = [*range(len(legs)), *(len(legs) + i for i, v in enumerate(vertices) for _ in v.half_edges)]
    anticommuting = {h for f in model.fields if f.is_grassmann for h in f.half_edges}
    arrows = {f for f, arrow in zip(model.table.fields, model.table.arrows, strict=True) if arrow}
    numbers, signs = Counter(), {}
    for pairs in matchings(model, names, list(range(len(names)))):
        lines = []
        for a, b in pairs:
            tail, head = (a, b) if names[a].endswith("*") else (b, a)
            lines.append((nodes[tail], nodes[head], names[head].rstrip("*")))
        key = tuple(sorted(lines))
        numbers[key] += 1
        signs.setdefault(key, set()).add(contraction_sign(names, pairs, anticommuting))
    result = {}
    for lines, number in numbers.items():
        fields = () if model.table.is_plain else tuple(f for _, _, f in lines)
        graph = FeynmanGraph(
            len(legs),
            tuple((u, v) for u, v, _ in lines),
            tuple(v.kind for v in vertices),
            fields,
            tuple(arrows & {f for _, _, f in lines}),
        )
        before = result.get(graph, (0, set()))
        result[graph] = before[0] + number, before[1] | signs[lines]
    return result


def by_brute_force(model, legs, accept, most=6, **keep):
    """Return {graph: (symmetry factor, signs)} over all vertex lists up to ``most`` vertices that ``accept`` takes."""
    found = {}
    for counts in product(range(most + 1), repeat=len(model.vertices)):
        if sum(counts) > most or not accept(counts):
            continue
        vertices = [v for v, n in zip(model.vertices, counts, strict=True) for _ in range(n)]
        exchanges = prod(factorial(n) for n in counts)
        exchanges *= prod(factorial(n) for v in vertices for n in Counter(v.half_edges).values())
        for graph, (number, signs) in contractions(model, legs, vertices).items():
            if keep.get("connected", True) <= graph.is_connected:
                found[graph] = Fraction(exchanges, number), signs
    return found
