"""Pages of the documentation made from other files: figures from the benchmarks, help texts of the commands."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def write_pages(folder: Path) -> None:
    """Write all generated pages into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "figures.md").write_text(figures(), encoding="utf-8")
    (folder / "commands.md").write_text(commands(), encoding="utf-8")


def figures() -> str:
    """Return the tables of all benchmark results."""
    records = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    ]
    return "\n\n".join(_section(record) for record in records) + "\n"


def _section(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['cpu']}, {record['machine']['cores']} cores"
    device = record.get("device")
    head = f"### {record['benchmark']}: {device or record['machine']['cpu']}\n\n{machine}; {versions}."
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in record["rows"]:
        flat = dict(_flat({name: value for name, value in row.items() if name != "table"}))
        groups.setdefault((row.get("table", ""), *flat), []).append(flat)
    return "\n\n".join([head, *(_titled(columns[0], _table(columns[1:], rows)) for columns, rows in groups.items())])


def _titled(title: str, table: str) -> str:
    return f"*{title[0].upper()}{title[1:]}*\n\n{table}" if title else table


def _flat(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Iterate over the single figures of a row; nested ones get the names of what they are in."""
    for name, value in row.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{label}: ")
        elif isinstance(value, list):
            yield label, ", ".join(_shown(v) for v in value[:8]) + (" ..." if len(value) > 8 else "")
        else:
            yield label, _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", r"\|")


def _table(columns: tuple[str, ...], rows: list[dict[str, str]]) -> str:
    lines = [columns, ("---",) * len(columns), *(tuple(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def commands() -> str:
    """Return the help text of every command, as it is printed."""
    from numerics.cli import build_parser

    return "\n\n".join(_help(build_parser(), "nnft")) + "\n"


def _help(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    parser.formatter_class = _wide(parser.formatter_class)
    yield f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command, child in action.choices.items():
                yield from _help(child, f"{name} {command}")


def _wide(base: Any) -> Any:
    return lambda prog: base(prog, width=110)
