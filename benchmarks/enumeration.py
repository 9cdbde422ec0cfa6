"""Time the enumeration of labelled diagrams: ours, FeynGraph and Symbolica (both from PyPI) on the same graphs.

Run as ``python benchmarks/enumeration.py [--quick] [--out FOLDER]``. Every tool and workload has a process of its own,
one after the other, which calls once to warm up and then reports the median wall time of several calls and its peak
memory. Ours includes the exact self-check, whose caches are emptied before every call. Tools that are not installed
are left out (``pip install feyngraph symbolica``; Symbolica is free for non-commercial use on one core only).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from _record import processor, write

TOOLS = ("nnft", "nnft free legs", "feyngraph", "symbolica")


class Workload(NamedTuple):
    name: str
    valences: str  # "4", "3", "even" (>= 4) or "any" (>= 3)
    legs: int
    loops: int
    irreducible: bool = False

    @property
    def degrees(self) -> tuple[int, ...]:
        top = self.legs + 2 * self.loops
        ranges = {"even": range(4, top + 1, 2), "any": range(3, top + 1)}
        return tuple(ranges.get(self.valences, (int(self.valences),) if self.valences.isdigit() else ()))


WORKLOADS = (
    Workload("phi4, 2 legs, 8 loops", "4", 2, 8),
    Workload("phi4, 4 legs, 6 loops", "4", 4, 6),
    Workload("phi4, 8 legs, 2 loops", "4", 8, 2),
    Workload("phi4 vacuum, 9 loops", "4", 0, 9),
    Workload("phi3, 2 legs, 6 loops", "3", 2, 6),
    Workload("phi3, 4 legs, 4 loops", "3", 4, 4),
    Workload("phi4 1PI, 2 legs, 8 loops", "4", 2, 8, True),
    Workload("phi4 1PI, 4 legs, 6 loops", "4", 4, 6, True),
    Workload("phi3 1PI, 2 legs, 6 loops", "3", 2, 6, True),
    Workload("even >= 4, 2 legs, 6 loops", "even", 2, 6),
    Workload("even >= 4, 4 legs, 5 loops", "even", 4, 5),
    Workload("even >= 4, 8 legs, 2 loops", "even", 8, 2),
    Workload("any >= 3, 2 legs, 4 loops", "any", 2, 4),
    Workload("any >= 3, 4 legs, 3 loops", "any", 4, 3),
)
QUICK = (0, 1, 2, 9, 12)


def ours(work: Workload, *, labelled: bool = True) -> Callable[[], int]:
    import diagrams
    from diagrams import _burnside, _components, _graded, counting

    def call() -> int:
        for module in (counting, _burnside, _components, _graded):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
        return len(
            diagrams.enumerate_diagrams(
                valences=work.degrees,
                legs=work.legs,
                loops=work.loops,
                one_particle_irreducible=work.irreducible,
                labelled=labelled,
            )
        )

    return call


def with_feyngraph(work: Workload) -> Callable[[], int]:
    import feyngraph
    from feyngraph import topology

    feyngraph.set_threads(1)
    model = topology.TopologyModel(list(work.degrees))
    selector = topology.TopologySelector()
    if work.irreducible:
        selector.select_opi_components(1)
    return lambda: len(topology.TopologyGenerator(work.legs, work.loops, model, selector).generate())


def with_symbolica(work: Workload) -> Callable[[], int]:
    from symbolica import Graph, HalfEdge, S

    line = HalfEdge(S("phi"))
    options: dict[str, Any] = {"allow_self_loops": True, "allow_zero_flow_edges": True}
    if work.irreducible:
        options["max_bridges"] = 0

    def call() -> int:
        graphs = Graph.generate(
            external_edges=[(i + 1, line) for i in range(work.legs)],
            vertex_signatures=[[line] * d for d in work.degrees],
            max_loops=work.loops,
            **options,
        )
        return sum(g.num_loops() == work.loops for g in graphs)

    return call


def worker(tool: str, index: int, repeats: int) -> None:
    """Time one workload in this process and print the figures as JSON."""
    work = WORKLOADS[index]
    makers: dict[str, Callable[[Workload], Callable[[], int]]] = {
        "nnft": ours,
        "nnft free legs": lambda w: ours(w, labelled=False),
        "feyngraph": with_feyngraph,
        "symbolica": with_symbolica,
    }
    call = makers[tool](work)
    start = time.perf_counter()
    count = call()
    seconds = [time.perf_counter() - start]
    if seconds[0] < 5 or tool.startswith("nnft"):
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"count": count, "seconds": statistics.median(seconds), "peak_mb": round(peak)}))


def measure(index: int, *, repeats: int, timeout: float) -> dict[str, Any]:
    """Run all installed tools on one workload, one process each."""
    row: dict[str, Any] = {"workload": WORKLOADS[index].name}
    for tool in TOOLS:
        if not tool.startswith("nnft") and importlib.util.find_spec(tool) is None:
            continue
        command = [sys.executable, __file__, "--worker", tool, str(index), str(repeats)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
            row[tool] = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            row[tool] = {"count": None, "seconds": None, "peak_mb": None, "note": f"more than {timeout:.0f} s"}
        except subprocess.CalledProcessError as error:
            row[tool] = {"count": None, "seconds": None, "peak_mb": None, "note": error.stderr[-200:]}
    peers = [row[t]["seconds"] for t in ("feyngraph", "symbolica") if row.get(t, {}).get("seconds")]
    row["ratio"] = min(peers) / row["nnft"]["seconds"] if peers else None
    return row


def line(row: dict[str, Any]) -> str:
    cells = [f"{row['workload']:>28}", f"{row['nnft']['count']:>8}"]
    for tool in TOOLS:
        entry = row.get(tool)
        if entry is None:
            continue
        shown = "-" if entry["seconds"] is None else f"{entry['seconds']:.4f}"
        same = tool == "nnft free legs" or entry["count"] in (row["nnft"]["count"], None)
        cells.append(f"{shown + ('' if same else ' (!' + str(entry['count']) + ')'):>16}")
    return "".join(cells) + (f"{row['ratio']:>8.1f}" if row["ratio"] else f"{'-':>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five workloads, fewer repetitions")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for enumeration-<cpu>.json")
    parser.add_argument("--worker", nargs=3, metavar=("TOOL", "INDEX", "REPEATS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        tool, index, repeats = arguments.worker
        worker(tool, int(index), int(repeats))
        return
    names = [t for t in TOOLS if t.startswith("nnft") or importlib.util.find_spec(t)]
    print(f"{processor()}; seconds, median; ratio: the faster peer / nnft")
    print(f"{'workload':>28}{'graphs':>8}" + "".join(f"{t:>16}" for t in names) + f"{'ratio':>8}")
    rows = []
    for index in QUICK if arguments.quick else range(len(WORKLOADS)):
        rows.append(measure(index, repeats=3 if arguments.quick else 5, timeout=40))
        print(line(rows[-1]), flush=True)
    if arguments.out:
        packages = ("numba", "numpy", *(n for n in names if not n.startswith("nnft")))
        print("wrote", write(arguments.out, "enumeration", rows, packages=packages))


if __name__ == "__main__":
    main()
