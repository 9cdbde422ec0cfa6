"""README and documentation: code blocks run, links resolve, the reference lists every public name."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

import diagrams
import numerics

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
OTHERS = [ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", ROOT / "notebooks" / "README.md"]
MADE = {"notebooks", "_generated"}  # by the build of the documentation, from notebooks/ and benchmarks/


def name(path):
    return str(path.relative_to(ROOT))


def code_blocks(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore::numerics.HeavyTailWarning", "ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("path", [p for p in PAGES if code_blocks(p)], ids=name)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for number, block in enumerate(code_blocks(path), start=1):
        exec(compile(block, f"{name(path)}, block {number}", "exec"), names)


def links(path):
    """Relative targets of links and pictures outside code."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|mailto:|#", t)]


@pytest.mark.parametrize("path", PAGES + OTHERS, ids=name)
def test_links_resolve(path):
    missing = []
    for target in links(path):
        place = path.parent / target
        first = place.resolve().relative_to(ROOT).parts
        if len(first) > 1 and first[0] == "docs" and first[1] in MADE:
            place = ROOT / Path(*first[1:])
        if not place.exists():
            missing.append(target)
    assert not missing


def test_links_are_seen():
    assert "install.md" in links(ROOT / "docs" / "index.md")
    assert len(links(ROOT / "README.md")) > 3


def test_the_tutorial_has_every_notebook():
    listed = re.findall(r"^notebooks/(\w+)$", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE)
    assert listed == [p.stem for p in sorted((ROOT / "notebooks").glob("*.ipynb"))]


@pytest.mark.parametrize("package", [diagrams, numerics], ids=["diagrams", "numerics"])
def test_the_reference_lists_every_public_name_once(package):
    sections = re.split(r"^## `(\w+)`$", (ROOT / "docs" / "api.md").read_text(), flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[package.__name__]
    listed = Counter(re.findall(r"^   (\w+)$", section, re.MULTILINE))
    assert listed == Counter(package.__all__)


def test_figures_show_every_row_under_the_title_of_its_table():
    pages = runpy.run_path(str(ROOT / "docs" / "_pages.py"))
    rows = [{"table": "rates", "limit": 2.0}, {"table": "memory", "limit": None}, {"table": "rates", "limit": 3.0}]
    text = pages["_section"]({"benchmark": "b", "machine": {"cpu": "c", "cores": 1}, "versions": {}, "rows": rows})
    assert text.split("\n\n")[2:] == [
        "*Rates*", "| limit |\n| --- |\n| 2 |\n| 3 |", "*Memory*", "| limit |\n| --- |\n| - |",
    ]  # fmt: skip
