"""Pictures of diagrams: golden files, geometry, determinism and LaTeX.

The golden files in ``golden/`` are compared as exact text. After a wanted change of the drawing, regenerate them with
``NNFT_REGENERATE_GOLDEN=1 pytest tests/diagrams/test_draw.py`` and look at the new pictures before committing them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from diagrams import enumerate_diagrams
from diagrams._layout import node_positions
from diagrams._strokes import drawing
from diagrams.draw import caption, gallery_html, gallery_svg, gallery_tex, to_svg, to_tikz
from diagrams.graph import FeynmanGraph

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
C = "correlator"
STAR = tuple((i, 6) for i in range(6))
TREE = ((0, 6), (1, 6), (2, 6), (6, 7), (7, 3), (7, 4), (7, 5))
RING = ((0, 4), (4, 5), (5, 1), (2, 6), (6, 7), (7, 3), (4, 6), (5, 7))
BUBBLE = ((0, 4), (1, 4), (4, 5), (4, 5), (5, 2), (5, 3))
QED = {"fields": ("psi", "psi", "psi", "A"), "directed": ("psi",)}

GRAPHS = {
    "propagator": FeynmanGraph(2, ((0, 1),)),
    "tadpole": FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))),
    "double_scoop": FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (3, 3), (2, 1))),
    "sunset": FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 1))),
    "two_tadpoles": FeynmanGraph(2, ((0, 2), (2, 2), (2, 3), (3, 3), (3, 1))),
    "three_scoops": FeynmanGraph(2, ((0, 2), (2, 1), (2, 3), (2, 3), (3, 4), (3, 4), (4, 4))),
    "mickey": FeynmanGraph(2, ((0, 2), (2, 1), (2, 3), (2, 4), (3, 4), (3, 3), (4, 4))),
    "cone": FeynmanGraph(2, ((0, 2), (2, 1), (2, 3), (2, 4), (3, 4), (3, 4), (3, 4))),
    "hat": FeynmanGraph(2, ((0, 2), (3, 1), (2, 3), (2, 3), (2, 4), (3, 4), (4, 4))),
    "tent": FeynmanGraph(2, ((0, 2), (3, 1), (2, 3), (2, 4), (2, 4), (3, 4), (3, 4))),
    "sunset_tadpole": FeynmanGraph(2, ((0, 2), (2, 3), (2, 3), (2, 3), (3, 4), (4, 4), (4, 1))),
    "self_energy": FeynmanGraph(2, ((0, 2), (2, 3), (3, 1), (2, 3)), **QED),
    "polarisation": FeynmanGraph(
        2, ((0, 2), (2, 3), (3, 2), (3, 1)), fields=("A", "psi", "psi", "A"), directed=("psi",)
    ),
    "blob_two_loops": FeynmanGraph(2, ((0, 2), (2, 1), (2, 2), (2, 2)), kinds=(C,)),
    "rainbow": FeynmanGraph(2, ((0, 2), (2, 3), (3, 4), (4, 5), (5, 1), (2, 5), (3, 4))),
    "diamond": FeynmanGraph(2, ((0, 2), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5), (5, 1))),
    "tadpole_one_leg": FeynmanGraph(1, ((0, 1), (1, 1))),
    "cubic": FeynmanGraph(3, ((0, 3), (1, 3), (2, 3))),
    "triangle": FeynmanGraph(3, ((0, 3), (1, 4), (2, 5), (3, 4), (4, 5), (5, 3))),
    "cross": FeynmanGraph(4, ((0, 4), (1, 4), (2, 4), (3, 4))),
    "bubble_s": FeynmanGraph(4, BUBBLE),
    "bubble_t": FeynmanGraph(4, ((0, 4), (2, 4), (4, 5), (4, 5), (5, 1), (5, 3))),
    "bubble_u": FeynmanGraph(4, ((0, 4), (3, 4), (4, 5), (4, 5), (5, 1), (5, 2))),
    "bubble_exchangeable": FeynmanGraph(4, BUBBLE, labelled=False),
    "leg_correction": FeynmanGraph(4, ((0, 4), (1, 4), (2, 4), (4, 5), (5, 5), (5, 3))),
    "bubble_chain": FeynmanGraph(4, ((0, 4), (1, 4), (4, 5), (4, 5), (5, 6), (5, 6), (6, 2), (6, 3))),
    "box": FeynmanGraph(4, RING),
    "crossed_box": FeynmanGraph(4, ((0, 4), (4, 5), (5, 1), (2, 6), (6, 7), (7, 3), (4, 7), (5, 6))),
    "blob_loop": FeynmanGraph(4, ((0, 4), (1, 4), (2, 4), (3, 4), (4, 4)), kinds=(C,)),
    "disconnected": FeynmanGraph(4, ((0, 4), (4, 4), (4, 1), (2, 3), (5, 5), (5, 5))),
    "star": FeynmanGraph(6, STAR),
    "blob_star": FeynmanGraph(6, STAR, kinds=(C,)),
    "tree": FeynmanGraph(6, TREE),
    "blob_tree": FeynmanGraph(6, TREE, kinds=(C, C)),
    "exchangeable_tree": FeynmanGraph(6, TREE, kinds=(C, C), labelled=False),
    "mixed_tree": FeynmanGraph(
        6, ((0, 6), (1, 6), (6, 7), (7, 2), (7, 3), (7, 8), (8, 4), (8, 5)), kinds=(C, "interaction", C)
    ),
    "figure_eight": FeynmanGraph(0, ((0, 0), (0, 0))),
    "flower": FeynmanGraph(0, ((0, 0), (0, 0), (0, 0)), kinds=(C,)),
    "basketball": FeynmanGraph(0, ((0, 1), (0, 1), (0, 1), (0, 1))),
    "dumbbell": FeynmanGraph(0, ((0, 0), (0, 1), (1, 1))),
    "tetrahedron": FeynmanGraph(0, ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))),
    "lens_triangle": FeynmanGraph(0, ((0, 1), (0, 1), (1, 2), (1, 2), (2, 0), (2, 0))),
    "pentagram": FeynmanGraph(0, tuple((i, j) for i in range(5) for j in range(i))),
}
GOLDEN_NAMES = ["sunset", "double_scoop", "bubble_exchangeable", "blob_tree", "lens_triangle", "self_energy"]
every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
@pytest.mark.parametrize(("suffix", "render"), [("svg", to_svg), ("tikz", to_tikz)], ids=["svg", "tikz"])
def test_golden(name, suffix, render):
    path = GOLDEN / f"{name}.{suffix}"
    text = render(GRAPHS[name]) + "\n"
    if os.environ.get("NNFT_REGENERATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@every_graph
def test_svg_is_well_formed_and_counts_vertices(graph):
    root = ET.fromstring(to_svg(graph))
    assert root.tag == f"{SVG}svg"
    filled = [c for c in root.iter(f"{SVG}circle") if c.get("fill")]
    assert len(filled) == graph.n_vertices
    assert len(root.findall(".//*[@id]")) == 0


@every_graph
def test_every_line_is_drawn_once_in_its_direction(graph):
    drawn = Counter(s.nodes for s in drawing(graph).strokes)
    assert drawn == Counter(graph.edges)
    places = node_positions(graph)
    for stroke in drawing(graph).strokes:
        if not stroke.radius:
            assert stroke.points[0] == pytest.approx(places[stroke.nodes[0]])
            assert stroke.points[-1] == pytest.approx(places[stroke.nodes[1]])


@every_graph
def test_svg_and_tikz_draw_the_same_lines(graph):
    tikz = to_tikz(graph)
    group = ET.fromstring(to_svg(graph)).find(f"{SVG}g")
    assert group is not None
    assert tikz.count(r"\draw") - tikz.count("fill=black") == len(group) == len(graph.edges)


@every_graph
def test_matplotlib_draws_the_strokes_of_tikz(graph):
    """The numbers in the TikZ source are those of the patches, stroke by stroke."""
    figure = Figure()
    patches = graph.plot(figure.subplots()).patches
    lines = [line for line in to_tikz(graph).splitlines() if line.lstrip().startswith(r"\draw")]
    lines = [line for line in lines if "fill=black" not in line]
    for patch, line in zip(patches[: len(lines)], lines, strict=True):
        drawn = [patch.center] if isinstance(patch, Circle) else patch.get_path().vertices
        numbers = re.findall(r"\(([-\d.]+),([-\d.]+)\)", line)
        assert np.allclose(np.array(numbers, dtype=float), drawn, atol=6e-4)
    assert len(patches) == len(lines) + sum(s.arrow is not None for s in drawing(graph).strokes) + graph.n_vertices


def test_matplotlib_gallery():
    diagrams = enumerate_diagrams(valences=(4,), legs=4, loops=2)
    figure = diagrams.plot(columns=5, limit=12)
    used = [ax for ax in figure.axes if ax.patches]
    assert [ax.get_xlabel() for ax in used] == [caption(d) for d in diagrams[:12]]
    assert figure.get_suptitle() == f"showing 12 of {len(diagrams)}"
    with pytest.raises(ValueError, match="no diagrams"):
        diagrams[:0].plot()
    with pytest.raises(ValueError, match="columns"):
        diagrams.plot(columns=0)


@every_graph
def test_parallel_lines_do_not_coincide(graph):
    middles: dict[frozenset[int], list[complex]] = {}
    for stroke in drawing(graph).strokes:
        far = stroke.points[0] if stroke.radius else stroke.samples(129)[len(stroke.samples(129)) // 2]
        middles.setdefault(frozenset(stroke.nodes), []).append(complex(far))
    for points in middles.values():
        gaps = np.abs(np.subtract.outer(points, points)) + 9 * np.eye(len(points))
        assert gaps.min() > 0.09


@every_graph
def test_nodes_keep_their_distance(graph):
    places = np.array(node_positions(graph))
    gaps = np.abs(places[:, None] - places) + 9 * np.eye(len(places))
    assert gaps.min() > 0.5


@every_graph
def test_no_line_passes_through_a_foreign_node(graph):
    places = np.array(node_positions(graph))
    for stroke in drawing(graph).strokes:
        foreign = np.delete(places, list(set(stroke.nodes)))
        if len(foreign):
            assert np.abs(stroke.samples(65)[:, None] - foreign).min() > 0.24


@pytest.mark.parametrize("name", [n for n, g in GRAPHS.items() if g.n_legs == 2])
def test_two_legs_lie_on_a_horizontal_backbone(name):
    left, right, *_ = node_positions(GRAPHS[name])
    assert left.imag == right.imag
    assert right.real - left.real > 1


@pytest.mark.parametrize("name", [n for n, g in GRAPHS.items() if g.n_legs == 4 and g.labelled and g.is_connected])
def test_legs_1_2_left_of_3_4(name):
    x1, x2, x3, x4, *_ = (z.real for z in node_positions(GRAPHS[name]))
    assert max(x1, x2) < min(x3, x4)


def test_equal_graphs_have_equal_pictures():
    shuffled = FeynmanGraph(4, ((5, 4), (7, 3), (6, 5), (0, 5), (4, 1), (2, 6), (7, 6), (7, 4)))
    assert shuffled == GRAPHS["box"]
    assert to_svg(shuffled) == to_svg(GRAPHS["box"])
    assert to_tikz(shuffled) == to_tikz(GRAPHS["box"])


@every_graph
def test_layout_is_deterministic(graph):
    before = node_positions(graph)
    node_positions.cache_clear()
    assert node_positions(graph) == before


def test_labels_only_on_labelled_legs():
    assert len(drawing(GRAPHS["bubble_s"]).labels) == 4
    assert "x_{1}" in to_tikz(GRAPHS["bubble_s"])
    assert drawing(GRAPHS["bubble_exchangeable"]).labels == ()


def test_captions_show_symmetry_factor_and_multiplicity():
    assert ">1/6<" in to_svg(GRAPHS["sunset"])
    assert ">1/2 × 3<" in to_svg(GRAPHS["bubble_exchangeable"])


def test_photon_is_wavy_and_fermion_has_an_arrow_along_its_line():
    picture = drawing(GRAPHS["polarisation"])
    assert Counter(s.style for s in picture.strokes) == {"wavy": 2, "solid": 2}
    loop = [s for s in picture.strokes if s.style == "solid"]
    directions = [round(s.arrow[1].real) for s in loop if s.arrow]
    assert sorted(directions) == [-1, 1]


def test_gallery_html_says_what_it_leaves_out():
    html = gallery_html(GRAPHS.values(), total=97335, limit=5)
    assert html.count("<svg") == 5
    assert "showing 5 of 97335" in html
    assert "showing" not in gallery_html([GRAPHS["sunset"]], total=1)


def test_gallery_svg_is_one_document():
    root = ET.fromstring(gallery_svg(GRAPHS.values(), columns=4))
    assert len(root.findall(f"{SVG}g")) == len(GRAPHS)
    assert ET.fromstring(gallery_svg([])).tag == f"{SVG}svg"
    with pytest.raises(ValueError, match="columns"):
        gallery_svg([], columns=0)


def test_tikz_compiles_with_pdflatex(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not on PATH")
    (tmp_path / "all.tex").write_text(gallery_tex(GRAPHS.values(), title=r"All $\phi^4$ diagrams"), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert (tmp_path / "all.pdf").stat().st_size > 1000


def test_empty_tex_gallery_is_a_document():
    assert gallery_tex([], title="none").count(r"\begin{document}") == 1
