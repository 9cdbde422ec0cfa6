"""Documents and fragments: diagrams beside terms, channels written out, pages without overfull lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import sympy

from diagrams import FeynmanGraph, FeynmanRules, Series, aslatex, cos_net, neuron_sum, phi4, phi_n, symbol
from diagrams._line_breaking import width
from diagrams.documents import latex_fragment, preamble, write_tex
from diagrams.draw import gallery_body, gallery_html, gallery_svg
from diagrams.pictured_terms import term_diagram
from diagrams.pointfunctions import expand_channels
from diagrams.rules import VertexRule

GOLDEN = Path(__file__).parent / "golden"
MIXED_GRAPH = FeynmanGraph(
    4,
    ((0, 4), (1, 4), (4, 6), (4, 6), (6, 5), (6, 5), (5, 2), (5, 3)),
    ("correlator", "correlator", "interaction"),
)


@pytest.fixture(scope="module")
def correlators():
    return cos_net(input_dim=1).connected_correlators(max_points=6)


@pytest.fixture(scope="module")
def action(correlators):
    return correlators.action(order=2)


@dataclass(frozen=True)
class Formula:
    """A type that the documents know nothing of."""

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        matrix = r"\begin{matrix} 1 \\ 2 \end{matrix}"
        return rf"\begin{{aligned}} a & = {terms_per_line} \\ & \quad + {matrix} \end{{aligned}}"


@pytest.mark.parametrize(("k", "legs", "order"), [(4, 2, 2), (4, 4, 2), (3, 1, 3), (3, 3, 3)])
def test_a_term_of_a_correlator_knows_its_diagram(k, legs, order):
    series = phi_n(k).correlator(legs=legs, order=order)
    for key, coefficient in series.terms:
        found = [term_diagram(t) for t in sympy.Add.make_args(coefficient)]
        assert Counter(found) == Counter(series.sources[key])


@pytest.mark.parametrize("n", [2, 4, 6])
def test_a_term_of_a_coupling_knows_its_diagram(action, n):
    rules = action.reconstruction_rules
    diagrams = [d for d in action.coupling(n).diagrams if d.n_vertices]  # without the line of the free action
    assert diagrams
    for d in diagrams:
        found = term_diagram(rules.amplitude(d))
        assert found in (d, d.relabel_legs(range(n)))  # a single channel is written with labelled legs
        assert term_diagram(rules.functional(d)) == d
    assert len({term_diagram(rules.functional(d)) for d in diagrams}) == len(diagrams)  # a wrong picture would differ


def test_terms_without_points_have_no_diagram():
    a, b = sympy.symbols("a b")
    assert term_diagram(a * b) is None
    assert term_diagram(a + phi4().correlator(legs=2, order=0)[0]) is None


def test_every_term_of_an_action_stands_beside_its_picture(action):
    text = latex_fragment(action, diagrams=True)
    assert text.count(r"\begin{tikzpicture}") == 11
    assert latex_fragment(action).count("tikzpicture") == 0
    for line in text.split("\\\\\n"):
        assert line.count(r"\termdiagram{\begin{tikzpicture}") == (1 if r"\psi_{1}" in line else 0)


def test_pictures_of_local_correlators():
    text = latex_fragment(phi4().correlator(legs=2, order=2), diagrams=True)
    assert text.count(r"\begin{tikzpicture}") == 5
    assert latex_fragment(phi4().correlators(order=1), diagrams=True).count(r"\begin{tikzpicture}") == 3
    assert "tikzpicture" not in latex_fragment(cos_net(input_dim=1), diagrams=True)


def test_channel_sums_are_written_out_on_request(action):
    series = action.coupling(4)
    short, long = aslatex(series), aslatex(series, expand=True)
    assert short.count("perms") == 2
    assert "perms" not in long
    assert long.count(r"\int") == len(sympy.Add.make_args(expand_channels(series[2]))) + 1 == 9
    assert "perms" not in latex_fragment(series, expand=True, diagrams=True)
    assert latex_fragment(series, expand=True, diagrams=True).count(r"\begin{tikzpicture}") == 9


def test_orders_of_several_parameters():
    net = cos_net(input_dim=1)
    tilted = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2).connected_correlators(max_points=4)
    text = aslatex(tilted[2])
    assert r"N^{-1}\,\alpha \left[" in text
    assert r"O\!\left(\alpha^{2}\right)" in text
    text = aslatex(Series((1 / symbol("N"), symbol("alpha")), (((1, 2), 3),), remainder=(2, 3)))
    assert text == r"N^{-1}\,\alpha^{2} \left[3\right] + O\!\left(N^{-2}\right) + O\!\left(\alpha^{3}\right)"


def test_an_action_in_several_parameters():
    net = cos_net(input_dim=1)
    tilted = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2).connected_correlators(max_points=4)
    action = tilted.action(order={"1/N": 1, "alpha": 1})
    text = latex_fragment(action, diagrams=True)
    assert text.count(r"\begin{tikzpicture}") == 3  # loop on G4, G4, and the first-order change of G2
    assert r"N^{-1}\,\alpha \Bigl[" in text
    assert r"\sum_{a, b} N^{-a} \alpha^{b}\, \hat G^{(a,b)}_{1 \ldots n}" in text
    assert "O(N^-2) + O(alpha^2)" in action.to_text()
    assert aslatex(action.reconstruction_rules).count(r"\begin{tikzpicture}") == 5


def test_golden_fragments(action):
    for name, text in (
        ("cos_net_action_diagrams.tex", latex_fragment(action, diagrams=True)),
        ("cos_net_rules.tex", latex_fragment(action.reconstruction_rules)),
        ("phi4_two_point_diagrams.tex", latex_fragment(phi4().correlator(legs=2, order=2), diagrams=True)),
    ):
        path = GOLDEN / name
        if os.environ.get("NNFT_REGENERATE_GOLDEN"):
            path.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == path.read_text(encoding="utf-8")


def test_wide_terms_are_cut_between_factors_and_named():
    xs = sympy.symbols("x:12")
    product = sympy.Mul(*(sympy.sin(x + 1) for x in xs))
    lines = aslatex(product).split(r" \\ ")
    assert len(lines) > 1
    assert all(r"\times" in line for line in lines[1:])
    nested = sympy.sin(sum(sympy.cos(x * y) for x, y in pairwise(xs)))
    text = aslatex(nested)
    assert r"\eta_{1} ={} &" in text
    assert all(width(line) < 44 for line in text.split(r" \\ "))
    defined = re.findall(r"(\\eta_\{\d+\}) =", text)
    assert set(re.findall(r"\\eta_\{\d+\}", text)) == set(defined)  # every name has its definition


def test_widths_follow_the_type_size():
    assert width(r"\frac{abc}{d}") < width("abcd") + 0.5
    assert width("a^{bcd}") < width("abcd")
    assert width("x_{1}^{2}") == pytest.approx(width("x_{1}"))


def test_other_types_are_taken_by_their_method():
    assert aslatex(Formula(), terms_per_line=2).startswith(r"\begin{aligned} a & = 2 \\ & \quad + \begin{matrix}")
    assert latex_fragment(("b", Formula())).splitlines()[1] == r"& b ={} \\"


@pytest.mark.parametrize("bad", [{}, 3 + 2j, (1, 2), Formula, None], ids=repr)
def test_refused_parts(tmp_path, bad):
    with pytest.raises(TypeError, match=r"no LaTeX for .*Action"):
        write_tex(tmp_path / "bad.tex", "text", bad)
    assert not (tmp_path / "bad.tex").exists()


def test_refused_options():
    with pytest.raises(ValueError, match="terms_per_line must be a positive integer"):
        latex_fragment(phi4(), terms_per_line=0)


def test_a_legend_where_both_kinds_of_vertices_occur():
    assert "interaction vertex" in gallery_body([MIXED_GRAPH])
    assert "connected r-point" in gallery_html([MIXED_GRAPH], total=1)
    assert "connected r-point" in gallery_svg([MIXED_GRAPH])
    for single in (MIXED_GRAPH.with_kind("correlator"), MIXED_GRAPH.with_kind("interaction")):
        assert "interaction vertex" not in gallery_body([single])
        assert "connected r-point" not in gallery_html([single], total=1) + gallery_svg([single])


def overfull(path):
    """Compile with pdflatex; return the widths by which lines are too long, in points."""
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=path.parent, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    return [float(w) for w in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", done.stdout)]


def paper(correlators, action):
    """Return the parts of a complete document about the Cos-net."""
    return (
        r"\subsection*{The network}", cos_net(input_dim=1),
        r"\subsection*{Connected correlators}", correlators[2], correlators[4],
        r"\subsection*{The action}", action,
        r"\subsection*{Its quartic coupling}", (r"g_4(x_1, \ldots, x_4)", action.coupling(4)),
        r"\subsection*{Feynman rules}", action.reconstruction_rules,
        r"\subsection*{Diagrams of the quartic coupling}", action.coupling(4).diagrams,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_complete_paper_compiles_without_overfull_lines(tmp_path, correlators, action):
    path = write_tex(tmp_path / "paper.tex", *paper(correlators, action), title="The Cos-net", diagrams=True)
    assert max(overfull(path), default=0.0) < 5


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_everything_compiles_without_overfull_lines(tmp_path, correlators, action):
    net = cos_net(input_dim=1)
    tilted = net.tilted(neuron_sum(net.w0**2) ** 2 / net.N**2)
    lam = VertexRule("interaction", 4, -symbol("lambda"), None, True, (1, 0))
    rules = FeynmanRules.mixed([lam], (2, 4, 6), (symbol("lambda"), 1 / symbol("N")))
    parts = (correlators[6], correlators[4].large_width(), tilted, tilted.connected_correlators(max_points=4)[2])
    parts += (
        phi4().correlators(order=2),
        phi4().rules,
        rules,
        action.rules,
        MIXED_GRAPH,
        Formula(),
        action.coupling(6),
    )
    path = write_tex(tmp_path / "all.tex", *parts, diagrams=True, expand=True)
    assert max(overfull(path), default=0.0) < 5


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_an_overfull_line_is_noticed(tmp_path):
    path = tmp_path / "wide.tex"
    body = r"\hbox to 2cm{" + "wide " * 40 + "}"
    path.write_text(rf"\documentclass{{article}}{preamble()}\begin{{document}}{body}\end{{document}}")
    assert max(overfull(path)) > 5
