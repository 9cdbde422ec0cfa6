"""Time the enumeration of labelled diagrams: ours, FeynGraph and Symbolica (both from PyPI) on the same graphs.

Run as ``python benchmarks/enumeration.py [--quick] [--out FOLDER]``. Every tool and workload has a process of its own,
one after the other, which calls once to warm up and then reports the median wall time of several calls (a peer that
needs more than two seconds is called once) and its peak memory. Ours includes the exact self-check, whose caches are
emptied before every call. Tools that are not installed are left out (``pip install feyngraph symbolica``; Symbolica is
free for non-commercial use on one core only).

Besides: the first call in a fresh process, imports included, and the memory of a stream of blocks.
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
from pathlib import Path
from typing import Any

from _enumeration_tools import PEERS, QUICK, TOOLS, WORKLOADS, can_make, forget, maker
from _record import processor, write

LONG = 2.0  # seconds; a peer that needs more is called once
FIRST_CALL = "from diagrams import enumerate_diagrams; enumerate_diagrams(valences=(4,), legs=2, loops=2)"
STREAMED: dict[str, Any] = {"valences": (4,), "legs": 8, "loops": 3}  # 1,235,710 graphs


def worker(tool: str, index: int, repeats: int) -> dict[str, Any]:
    """Time one workload in this process."""
    call = maker(tool, WORKLOADS[index])
    start = time.perf_counter()
    count = call()
    seconds = [time.perf_counter() - start]
    if seconds[0] < LONG or tool.startswith("nnft"):
        seconds = []
        for _ in range(repeats):
            forget()
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return {"count": count, "seconds": statistics.median(seconds), "peak_mb": peak_mb()}


def streaming(way: str) -> dict[str, Any]:
    """Go through a million graphs in this process, as a stream of blocks, all at once, or not at all."""
    from diagrams import enumerate_diagrams
    from diagrams.streaming import iter_diagrams

    for _ in iter_diagrams(valences=(4,), legs=2, loops=3):  # what is compiled is loaded
        pass
    enumerate_diagrams(valences=(4,), legs=2, loops=3)
    count, start = 0, time.perf_counter()
    if way == "blocks":
        count = sum(len(block) for block in iter_diagrams(**STREAMED))
    elif way == "at once":
        count = len(enumerate_diagrams(**STREAMED))
    return {"count": count, "seconds": time.perf_counter() - start, "peak_mb": peak_mb()}


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def in_own_process(*arguments: str, timeout: float) -> dict[str, Any]:
    """Run this script as a worker and return its figures, or a note why there are none."""
    nothing = {"count": None, "seconds": None, "peak_mb": None}
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--worker", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return nothing | {"note": f"more than {timeout:.0f} s"}
    except subprocess.CalledProcessError as error:
        return nothing | {"note": error.stderr[-200:]}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(index: int, tools: list[str], *, repeats: int, timeout: float) -> dict[str, Any]:
    """Run the tools on one workload, one process each."""
    row: dict[str, Any] = {"workload": WORKLOADS[index].name}
    for tool in tools:
        if can_make(tool, WORKLOADS[index]):
            row[tool] = in_own_process(tool, str(index), str(repeats), timeout=timeout)
    peers = [row[t]["seconds"] for t in PEERS if row.get(t, {}).get("seconds")]
    for tool, name in (("nnft", "ratio"), ("nnft free legs", "free_legs_ratio")):
        own = row.get(tool, {}).get("seconds")
        row[name] = min(peers) / own if peers and own else None
    return row


def first_call(repeats: int) -> float:
    """Return the median time of a process that makes one small enumeration, compiled code being on disk."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST_CALL], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def line(row: dict[str, Any], tools: list[str]) -> str:
    count = row["nnft"]["count"]
    cells = [f"{row['workload']:>40}", f"{count if count is not None else '-':>8}"]
    for tool in tools:
        entry = row.get(tool, {"seconds": None, "count": None})
        shown = "-" if entry["seconds"] is None else f"{entry['seconds']:.4f}"
        same = tool == "nnft free legs" or entry["count"] in (count, None)
        cells.append(f"{shown + ('' if same else ' (!' + str(entry['count']) + ')'):>16}")
    ratios = (row["ratio"], row["free_legs_ratio"])
    return "".join(cells) + "".join(f"{r:>8.1f}" if r else f"{'-':>8}" for r in ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="six workloads, fewer repetitions")
    parser.add_argument("--out", type=Path, help="JSON file, or a folder for enumeration-<cpu>.json")
    parser.add_argument("--timeout", type=float, default=40, help="seconds for one tool and workload")
    parser.add_argument("--worker", nargs="+", metavar="WHAT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        tool, *rest = arguments.worker
        figures = streaming(*rest) if tool == "streaming" else worker(tool, int(rest[0]), int(rest[1]))
        print(json.dumps(figures))
        return
    tools = [t for t in TOOLS if t not in PEERS or importlib.util.find_spec(t)]
    print(f"{processor()}; seconds, median; ratio, free: the faster peer / nnft, labelled or free legs")
    print(f"{'workload':>40}{'graphs':>8}" + "".join(f"{t:>16}" for t in tools) + f"{'ratio':>8}{'free':>8}")
    rows = []
    for index in QUICK if arguments.quick else range(len(WORKLOADS)):
        rows.append(measure(index, tools, repeats=3 if arguments.quick else 7, timeout=arguments.timeout))
        print(line(rows[-1], tools), flush=True)
    first = first_call(3 if arguments.quick else 7)
    print(f"first call in a fresh process: {first:.2f} s")
    ways = ("nothing", "blocks", "at once")
    in_own_process("streaming", "nothing", timeout=120)  # compiled code is on disk from here on
    streams = {way: in_own_process("streaming", way, timeout=120) for way in ways}
    for way, figures in streams.items():
        print(f"{figures['count']} graphs, {way}: {figures['seconds']} s, peak {figures['peak_mb']} MB")
    if arguments.out:
        packages = ("numba", "numpy", *(t for t in tools if t in PEERS))
        path = write(
            arguments.out,
            "enumeration",
            rows,
            packages=packages,
            first_call_seconds=first,
            streaming=streams,
            timeout=arguments.timeout,
        )
        print(f"written to {path}")


if __name__ == "__main__":
    main()
