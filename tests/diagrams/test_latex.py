"""LaTeX and text: golden forms, line breaking, documents that compile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import sympy

from diagrams import cos_net, phi4
from diagrams._line_breaking import LINE_WIDTH, width
from diagrams.latex import aslatex, plain_text, write_tex

GOLDEN = Path(__file__).parent / "golden"


def check_golden(name, text):
    """Compare with a file of tests/diagrams/golden; NNFT_REGENERATE_GOLDEN=1 writes it anew."""
    path = GOLDEN / name
    if os.environ.get("NNFT_REGENERATE_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def correlators():
    return cos_net(input_dim=1).connected_correlators(max_points=6)


@pytest.fixture(scope="module")
def action(correlators):
    return correlators.action(order=2)


def test_golden_forms(correlators, action):
    check_golden("cos_net.tex", cos_net(input_dim=1).to_latex())
    check_golden("cos_net_g4c.tex", correlators[4].to_latex(terms_per_line=2))
    check_golden("cos_net_action.tex", action.to_latex(terms_per_line=2))
    check_golden("cos_net_action.txt", action.to_text())
    check_golden("cos_net_g4.tex", action.coupling(4).to_latex(terms_per_line=1))
    check_golden("phi4.tex", phi4().to_latex())
    check_golden("phi4_two_point.tex", phi4().correlator(legs=2, order=2).to_latex(terms_per_line=2))
    check_golden("phi4_two_point.txt", str(phi4().correlator(legs=2, order=2)))


@pytest.mark.parametrize("per_line", [1, 2, 3])
def test_no_line_has_more_terms_than_asked_for(action, per_line):
    counts = [line.count(r"\int_") for line in action.to_latex(terms_per_line=per_line).split(r"\\")]
    assert max(counts) <= per_line
    assert sum(counts) == 12  # 11 diagrams, and one integral in the definition of psi


def test_long_sums_break_by_width():
    terms = sympy.symbols("a:40")
    lines = aslatex(sympy.Add(*(t**2 for t in terms)), terms_per_line=40).split(r"\\")
    assert len(lines) >= 3
    assert all(width(line.replace("{aligned}", "")) <= LINE_WIDTH + 3 for line in lines)


def test_braces_and_environments_balance(action, correlators):
    for text in (action.to_latex(), correlators.to_latex(), action.coupling(6).to_latex(terms_per_line=1)):
        assert text.count("{") == text.count("}")
        assert text.count(r"\begin") == text.count(r"\end")
        assert len(re.findall(r"\\left\b", text)) == len(re.findall(r"\\right\b", text))
        for line in text.split(r"\\"):  # \left and \right must stand on one line
            assert len(re.findall(r"\\left\b", line)) == len(re.findall(r"\\right\b", line))


def test_orders_and_remainder_are_shown(action):
    text = action.to_latex()
    assert "N^{-1}" in text
    assert "N^{-2}" in text
    assert r"O\!\left(N^{-3}\right)" in text
    assert "O(N^-3)" in action.to_text()


def test_plain_text():
    a, b = sympy.symbols("a b")
    assert plain_text(-a * b / 2) == "-1/2 a b"
    assert plain_text((a + b) / 3) in ("a/3 + b/3", "1/3 a + 1/3 b")


def test_notebook_representations(action, correlators):
    for shown in (action, correlators, correlators[4], action.coupling(4), cos_net(input_dim=2), phi4()):
        text = shown._repr_latex_()
        assert text.startswith("$\\displaystyle ")
        assert text.endswith("$")


def test_numeric_width_is_shown():
    text = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=4)[4].to_latex()
    assert r"\frac{1}{20}" in text


def test_errors():
    with pytest.raises(TypeError, match="no LaTeX for dict"):
        aslatex({})
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="terms_per_line must be a positive integer"):
            aslatex(sympy.Symbol("a"), terms_per_line=bad)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_document_compiles(tmp_path, action, correlators):
    theory = phi4()
    path = write_tex(
        tmp_path / "all.tex",
        "Some text with $x$.",
        cos_net(input_dim=1),
        correlators,
        action,
        *(action.coupling(n) for n in (2, 4, 6)),
        action.coupling(4).diagrams,
        theory,
        theory.correlator(legs=4, order=2),
        cos_net(input_dim=2).connected_correlators(max_points=4),
        title="Everything",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    overfull = [float(w) for w in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", done.stdout)]
    assert not [w for w in overfull if w > 5], overfull
    two_point = theory.diagrams(legs=2, max_loops=2).write_tex(tmp_path / "two_point.tex")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", two_point.name],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_one_line_equations_have_no_alignment_mark(correlators):
    assert "&" not in phi4().to_latex()
    assert "&" not in correlators[2].to_latex()
    assert phi4().to_latex().startswith(r"S[\phi] = \frac{1}{2}")


def test_short_representations(action, correlators):
    assert repr(action) == "<Action: non-local, g_2, g_4, g_6>"
    assert repr(correlators) == "<ConnectedCorrelators: 1 to 6 points>"
    assert repr(correlators[4]) == "<Correlator: connected 4-point function>"
    assert repr(action.coupling(4)) == "<Series: terms in N^-1, N^-2 + O(N^-3)>"
