"""What every benchmark writes: its figures, the machine and the versions, as one JSON file named after both."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any


def processor() -> str:
    """Return the model name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def write(out: Path, name: str, rows: list[dict[str, Any]], *, packages: tuple[str, ...], **settings: Any) -> Path:
    """Write ``name-<cpu>.json`` into the folder ``out`` (or the file ``out``) and return the path."""
    cpu = processor()
    slug = re.sub(r"[^a-z0-9]+", "-", cpu.lower()).strip("-")
    path = out if out.suffix == ".json" else out / f"{name}-{slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "benchmark": name,
        "machine": {"cpu": cpu, "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{p: metadata.version(p) for p in packages}},
        **settings,
        "rows": rows,
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path
