"""The generators that the enumeration benchmark compares: for each, a call that makes the graphs of a workload."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

TOOLS = ("nnft", "nnft free legs", "feyngraph", "symbolica")
PEERS = ("feyngraph", "symbolica")


class Workload(NamedTuple):
    name: str
    theory: str  # "4", "3", "even" (valences >= 4), "any" (>= 3), "qed" or "yukawa" (with phi4)
    legs: int  # of the scalar field; in "qed" and "yukawa" of the fermion line
    loops: int
    irreducible: bool = False

    @property
    def degrees(self) -> tuple[int, ...]:
        """The valences of one scalar field, empty for several fields."""
        top = self.legs + 2 * self.loops
        ranges = {"even": range(4, top + 1, 2), "any": range(3, top + 1)}
        return tuple(ranges.get(self.theory, (int(self.theory),) if self.theory.isdigit() else ()))


WORKLOADS = (
    Workload("phi4, 2 legs, 8 loops", "4", 2, 8),
    Workload("phi4, 4 legs, 6 loops", "4", 4, 6),
    Workload("phi4, 6 legs, 3 loops", "4", 6, 3),
    Workload("phi4, 6 legs, 4 loops", "4", 6, 4),
    Workload("phi4, 8 legs, 2 loops", "4", 8, 2),
    Workload("phi4 vacuum, 9 loops", "4", 0, 9),
    Workload("phi3, 2 legs, 6 loops", "3", 2, 6),
    Workload("phi3, 4 legs, 4 loops", "3", 4, 4),
    Workload("phi3, 6 legs, 2 loops", "3", 6, 2),
    Workload("phi4 1PI, 2 legs, 8 loops", "4", 2, 8, True),
    Workload("phi4 1PI, 4 legs, 6 loops", "4", 4, 6, True),
    Workload("phi3 1PI, 2 legs, 6 loops", "3", 2, 6, True),
    Workload("even >= 4, 2 legs, 6 loops", "even", 2, 6),
    Workload("even >= 4, 4 legs, 5 loops", "even", 4, 5),
    Workload("even >= 4, 6 legs, 3 loops", "even", 6, 3),
    Workload("even >= 4, 8 legs, 2 loops", "even", 8, 2),
    Workload("any >= 3, 2 legs, 4 loops", "any", 2, 4),
    Workload("any >= 3, 4 legs, 3 loops", "any", 4, 3),
    Workload("any >= 3, 6 legs, 1 loop", "any", 6, 1),
    Workload("QED, 2 fermion legs, 4 loops", "qed", 2, 4),
    Workload("QED, 2 fermion legs, 5 loops", "qed", 2, 5),
    Workload("QED, 2 fermion legs, 6 loops", "qed", 2, 6),
    Workload("QED 1PI, 2 fermion legs, 4 loops", "qed", 2, 4, True),
    Workload("QED 1PI, 2 fermion legs, 5 loops", "qed", 2, 5, True),
    Workload("QED 1PI, 2 fermion legs, 6 loops", "qed", 2, 6, True),
    Workload("Yukawa + phi4, 2 fermion legs, 4 loops", "yukawa", 2, 4),
)
QUICK = tuple(
    i
    for i, work in enumerate(WORKLOADS)
    if work.name
    in (
        "phi4, 2 legs, 8 loops",
        "phi4, 4 legs, 6 loops",
        "phi4, 8 legs, 2 loops",
        "even >= 4, 2 legs, 6 loops",
        "any >= 3, 2 legs, 4 loops",
        "QED, 2 fermion legs, 5 loops",
    )
)


def maker(tool: str, work: Workload) -> Callable[[], int]:
    """Return a call that makes all graphs of the workload and returns their number."""
    several = not work.degrees
    if tool == "feyngraph":
        return _feyngraph_model(work) if several else _feyngraph(work)
    if tool == "symbolica":
        return _symbolica(work)
    return _nnft_model(work) if several else _nnft(work, labelled=tool == "nnft")


def can_make(tool: str, work: Workload) -> bool:
    """Return False where there is nothing to measure: the two ends of a fermion line are not exchangeable."""
    return bool(work.degrees) or tool != "nnft free legs"


def forget() -> None:
    """Empty every cache of the package, so that the exact self-check is part of what is timed."""
    for name, module in list(sys.modules.items()):
        if name.startswith("diagrams"):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _nnft(work: Workload, *, labelled: bool) -> Callable[[], int]:
    from diagrams import enumerate_diagrams

    def call() -> int:
        return len(
            enumerate_diagrams(
                valences=work.degrees,
                legs=work.legs,
                loops=work.loops,
                one_particle_irreducible=work.irreducible,
                labelled=labelled,
            )
        )

    return call


def _nnft_model(work: Workload) -> Callable[[], int]:
    from diagrams import qed, yukawa

    def call() -> int:
        model = qed() if work.theory == "qed" else yukawa(phi4=True)
        legs = {"psi": work.legs // 2, "psi*": work.legs // 2}
        return len(model.diagrams(legs, loops=work.loops, one_particle_irreducible=work.irreducible))

    return call


def _feyngraph(work: Workload) -> Callable[[], int]:
    import feyngraph
    from feyngraph import topology

    feyngraph.set_threads(1)
    model = topology.TopologyModel(list(work.degrees))
    selector = topology.TopologySelector()
    if work.irreducible:
        selector.select_opi_components(1)
    return lambda: len(topology.TopologyGenerator(work.legs, work.loops, model, selector).generate())


def _feyngraph_model(work: Workload) -> Callable[[], int]:
    import feyngraph

    feyngraph.set_threads(1)
    model = feyngraph.Model.empty()
    boson = "A" if work.theory == "qed" else "phi"
    model.add_particle("psi", "psibar", 2, 1, 1, "psi", "psi", "straight", True)
    model.add_particle(boson, boson, 1, 1, 2, boson, boson, "dashed", False)
    model.add_vertex("fermion", ["psibar", "psi", boson], [1, 0, -1], {"y": 1})
    if work.theory == "yukawa":
        model.add_vertex("quartic", [boson] * 4, [-1] * 4, {"lambda": 1})
    selector = feyngraph.DiagramSelector()
    if work.irreducible:
        selector.select_opi_components(1)
    ends = ["psi"] * (work.legs // 2)
    return lambda: len(feyngraph.DiagramGenerator(ends, ends, work.loops, model, selector).generate())


def _symbolica(work: Workload) -> Callable[[], int]:
    from symbolica import Graph, HalfEdge, S

    line, fermion = HalfEdge(S("phi")), HalfEdge(S("psi"), True)
    legs, vertices = [line] * work.legs, [[line] * d for d in work.degrees]
    if not work.degrees:
        legs = [fermion, fermion.flip()] * (work.legs // 2)
        vertices = [[fermion, fermion.flip(), line]] + [[line] * 4] * (work.theory == "yukawa")
    options: dict[str, Any] = {"allow_self_loops": True, "allow_zero_flow_edges": True}
    if work.irreducible:
        options["max_bridges"] = 0

    def call() -> int:
        graphs = Graph.generate(
            external_edges=[(i + 1, leg) for i, leg in enumerate(legs)],
            vertex_signatures=vertices,
            max_loops=work.loops,
            **options,
        )
        return sum(g.num_loops() == work.loops for g in graphs)

    return call
