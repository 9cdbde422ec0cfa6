"""The command line, end to end."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from numerics.cli import main


def run(argv):
    try:
        return main(argv)
    except SystemExit as stop:
        return stop.code


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, main(["demo", "--out", str(out), "--scale", "0.05"])


def test_demo_passes_and_writes_everything(demo):
    out, status = demo
    assert status == 0
    names = {"cos_net_action.tex", "diagrams.svg", "comparison.txt", "comparison.png"}
    if shutil.which("pdflatex"):
        names.add("cos_net_action.pdf")
    assert {p.name for p in out.iterdir()} == names
    ElementTree.parse(out / "diagrams.svg")
    text = (out / "comparison.txt").read_text()
    assert all(f"N={n}" in text for n in (5, 20, 100))


def test_demo_prints_action_table_and_verdict(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--scale", "0.02", "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)  # standard output holds nothing else
    assert report["agree"] is True
    assert [c["n_nets"] for c in report["comparisons"]] == [80_000, 320_000, 160_000]
    assert "+ N^-2 * [" in captured.err
    assert "Schwinger-Dyson" in captured.err
    assert "VERDICT: PASS" in captured.err


@pytest.mark.parametrize("kind", ["sign", "factor"])
def test_sabotage_is_noticed(tmp_path, capsys, kind):
    assert main(["demo", "--out", str(tmp_path), "--scale", "0.1", "--sabotage", kind]) == 1
    output = capsys.readouterr().out
    assert "VERDICT: FAIL" in output
    assert f"wrong {kind} of G_c4" in output


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["demo", "--sabotage", "nothing"],
        ["demo", "--scale", "0"],
        ["demo", "--scale", "x"],
        ["demo", "--seed", "-1"],
        ["unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_two(argv, capsys):
    assert run(argv) == 2
    assert "nnft" in capsys.readouterr().err


def test_info(capsys):
    assert main(["info", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["backends"]["numba"] is True
    assert info["versions"]["nnft"]
    assert main(["info"]) == 0
    assert "backends: numpy yes" in capsys.readouterr().out
