"""The commands enumerate, action, check and completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction

import pytest

from diagrams import FeynmanGraph, cos_net, count_diagrams
from numerics import Estimate, compare
from numerics.cli import main


def run(*argv):
    try:
        return main([str(a) for a in argv])
    except SystemExit as stop:
        return stop.code


def report(capsys, *argv, status=0):
    assert run(*argv, "--json") == status
    return json.loads(capsys.readouterr().out)


def test_enumerate_writes_all_it_found(tmp_path, capsys):
    data = report(capsys, "enumerate", "--legs", 2, "--loops", 2, "--out", tmp_path)
    assert [d["nickel_index"] for d in data["diagrams"]] == ["e01|e1|", "ee11|1|", "e111|e|"]
    assert data["sum_of_weights"] == str(sum(Fraction(1, d["symmetry_factor"]) for d in data["diagrams"])) == "2/3"
    assert json.loads((tmp_path / "diagrams.json").read_text()) == data["diagrams"]
    for d in data["diagrams"]:
        assert FeynmanGraph(d["n_legs"], tuple(map(tuple, d["edges"]))).symmetry_factor == d["symmetry_factor"]
    assert (tmp_path / "diagrams.svg").read_text().count("<g transform") == 3
    assert "tikzpicture" in (tmp_path / "diagrams.tex").read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {}),
        (("--1pi",), {"one_particle_irreducible": True}),
        (("--no-tadpoles",), {"tadpoles": False}),
        (("--no-self-loops", "--free-legs"), {"self_loops": False, "labelled": False}),
        (("--disconnected",), {"connected": False}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_filters_of_enumerate_reach_the_generator(options, expected, capsys):
    problem = ("enumerate", "--valences", 4, 6, "--legs", 4, "--loops", 2, *options)
    number = count_diagrams(valences=(4, 6), legs=4, loops=2, **expected)
    assert report(capsys, *problem)["n_diagrams"] == report(capsys, *problem, "--count")["n_diagrams"] == number


@pytest.mark.parametrize("option", ["--2pi", "--amputated", "--planar", "--vertex-2-connected"])
def test_filters_without_generating_function(option, capsys):
    problem = ("enumerate", "--valences", 4, "--legs", 4, "--loops", 3)
    everything = report(capsys, *problem, "--count")["n_diagrams"]
    assert 0 < report(capsys, *problem, option)["n_diagrams"] < everything
    assert run(*problem, option, "--count") == 2
    assert "no generating function" in capsys.readouterr().err


def test_enumerate_models(capsys):
    problem = ("enumerate", "--model", "qed", "--external", "psi", "psi*", "--loops", 2)
    assert report(capsys, *problem)["n_diagrams"] == report(capsys, *problem, "--count")["n_diagrams"] == 10
    assert run(*problem, "--1pi", "--show", 1) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 diagrams")
    assert "2 more" in out


def test_action(tmp_path, capsys):
    data = report(capsys, "action", "--net", "cos", "--order", 1, "--out", tmp_path)
    assert data["n_diagrams"] == {"2": 2, "4": 1}  # g_2 begins with the bare line
    assert data["text"].startswith("S[phi] = 1/2")
    names = {"action.tex", "diagrams_g2.svg", "diagrams_g4.svg"}
    assert {p.name for p in tmp_path.iterdir()} == names | ({"action.pdf"} if shutil.which("pdflatex") else set())
    assert run("action", "--latex") == 0
    assert "N^{-1}" in capsys.readouterr().out


def test_check(tmp_path, capsys):
    data = report(capsys, "check", "--net", "relu", "--dim", 2, "--points", "0.5,1", "1", "--sigma-b0", 0.5,
                  "--nets", 20_000, "--out", tmp_path)  # fmt: skip
    assert data["agree"]
    assert data["net"].endswith("at(N=20, sigma_b0=1/2, sigma_w0=1, sigma_w1=1)")
    estimate = Estimate.load(tmp_path / "estimate.nc")
    assert estimate.points.tolist() == [[0.5, 1.0], [1.0, 1.0]]
    assert estimate.n_nets == 20_000
    assert {p.name for p in tmp_path.iterdir()} == {
        "comparison.json",
        "comparison.png",
        "comparison.txt",
        "estimate.nc",
    }


def test_check_fails_with_a_wrong_theory(monkeypatch, capsys):
    """Twin: the theory of another width against the same networks."""
    other = cos_net().at(N=20, sigma_w0=1, sigma_w1=1)
    monkeypatch.setattr(sys.modules["numerics.compare"], "compare", lambda net, measured: compare(other, measured))
    assert run("check", "--net", "cos", "--width", 5, "--nets", 200_000) == 1
    assert "VERDICT: FAIL" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        ("enumerate", "--valences", "0"),
        ("enumerate", "--legs", "-1"),
        ("enumerate", "--external", "psi"),
        ("enumerate", "--model", "qed", "--legs", "2"),
        ("enumerate", "--model", "qed", "--external", "quark"),
        ("enumerate", "--legs", "4", "--loops", "6", "--max-graphs", "10"),
        ("enumerate", "--show", "-1"),
        ("enumerate", "--count", "--out", "x"),
        ("action", "--order", "0"),
        ("check", "--points", "a"),
        ("check", "--dim", "2", "--points", "1,2,3"),
        ("check", "--sigma-b0", "1"),
        ("check", "--nets", "2"),
        ("check", "--net", "tanh"),
        ("completion", "ksh"),
    ],
    ids=" ".join,
)
def test_wrong_usage(argv, capsys):
    assert run(*argv) == 2
    error = capsys.readouterr().err
    assert "nnft" in error
    assert "Traceback" not in error


def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m numerics enumerate --legs 4 --loops 4 --json | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell, capsys):
    assert run("completion", shell) == 0
    assert "nnft" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "offered"), [("nnft enu", "enumerate"), ("nnft check --met", "--method")])
def test_completion_offers_what_the_parser_knows(typed, offered, tmp_path):
    answers = tmp_path / "answers"
    environment = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": typed, "COMP_POINT": str(len(typed)),
                   "_ARGCOMPLETE_STDOUT_FILENAME": str(answers), "_ARGCOMPLETE_IFS": "\n"}  # fmt: skip
    code = "from numerics.cli import main; main()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)
    assert offered in answers.read_text().split()
