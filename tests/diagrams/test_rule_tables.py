"""Tables of Feynman rules: every rule has its row, factors and signs are those of the rules, HTML is well formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import sympy

from diagrams import FeynmanRules, aslatex, cos_net, phi4, phi_n, symbol
from diagrams.documents import latex_fragment
from diagrams.rule_tables import rules_table
from diagrams.rules import VertexRule


def mixed(parameters):
    zero = (sympy.S.Zero,) * (len(parameters) - 1)
    lam = VertexRule("interaction", 4, -symbol("lambda"), None, True, (sympy.S.One, *zero))
    return FeynmanRules.mixed([lam], (2, 4), parameters)


@pytest.fixture(scope="module")
def action():
    return cos_net(input_dim=1).connected_correlators(max_points=6).action(order=2)


def rows(rules):
    return {row.meaning: (row.factor, row.order) for row in rules_table(rules).rows}


def test_interaction_rules():
    found = rows(phi_n(3).rules)
    assert found["interaction vertex, 3 lines"] == (r"- \lambda \int d^dy", r"\lambda")
    assert found["internal line"] == ("G(y_1, y_2)", "")
    assert found["external leg"] == ("G(x, y)", "")
    assert found["whole diagram: sign, symmetry, integrals"][0].startswith(r"+ \frac{1}{|\mathrm{Aut}|}")


def test_reconstruction_rules(action):
    found = rows(action.reconstruction_rules)
    assert found["connected 4-point function"] == (r"\hat G_c^{(4)}(y_1, \ldots, y_4)", "N^{-1}")
    assert found["connected 6-point function"] == (r"\hat G_c^{(6)}(y_1, \ldots, y_6)", "N^{-2}")
    assert found["internal line"] == ("- G_2^{-1}(y_1, y_2)", "")
    assert found["external leg"] == ("G_2^{-1}(x, y)", "")
    assert found["whole diagram: sign, symmetry, integrals"][0].startswith(r"- \frac")


def test_rules_of_the_reconstructed_action(action):
    found = rows(action.rules)
    assert found["interaction vertex, 4 lines"] == (r"- g_{4}(y_1, \ldots, y_4)", "N^{-1}")


def test_mixed_rules():
    found = rows(mixed((symbol("lambda"), 1 / symbol("N"))))
    assert found["connected 4-point function"] == (r"\hat G_c^{(4)}(y_1, \ldots, y_4)", "N^{-1}")
    assert found["connected 2-point function"] == ("G_c^{(2)}(y_1, y_2)", "1")
    assert found["internal line, interaction to correlator: one point"] == (r"\delta(y_1 - y_2)", "")
    alone = rows(mixed((symbol("lambda"),)))  # the blob then contains its power of N
    assert alone["connected 4-point function"] == (r"G_c^{(4)}(y_1, \ldots, y_4)", "1")


@pytest.mark.parametrize("kind", ["interactions", "reconstruction", "mixed"])
def test_every_rule_has_a_row_and_a_picture(action, kind):
    rules = {
        "interactions": phi4().rules,
        "reconstruction": action.reconstruction_rules,
        "mixed": mixed((symbol("lambda"),)),
    }[kind]
    table = rules_table(rules)
    assert len(table.rows) == len(rules.vertices) + len(rules.lines) + 1
    assert [row.picture is None for row in table.rows] == [False] * (len(table.rows) - 1) + [True]
    html = table._repr_html_()
    tree = ET.fromstring(html)
    assert len(tree.findall(".//tbody/tr")) == len(table.rows)
    assert html.count("<svg") == len(table.rows) - 1
    latex = table.to_latex()
    assert latex.count(r"\begin{tikzpicture}") == len(table.rows) - 1
    assert latex.count("{") == latex.count("}")
    assert aslatex(rules) == latex
    assert latex in latex_fragment(rules)
    assert latex_fragment(table) == latex_fragment(rules)


def test_rules_show_their_table(action):
    for rules in (phi4().rules, action.reconstruction_rules):
        assert rules._repr_html_() == rules_table(rules)._repr_html_()
        assert aslatex(rules) == rules.to_latex() == rules_table(rules).to_latex()


def test_a_wrong_sign_would_show(action):
    """The signs come from the rules: with a flipped line the row flips too."""
    rules = action.reconstruction_rules
    flipped = FeynmanRules(
        rules.vertices, tuple(type(r)(r.ends, r.function, -r.sign) for r in rules.lines), -rules.sign, rules.parameters
    )
    assert rows(flipped)["internal line"][0] == "G_2^{-1}(y_1, y_2)"
    assert rows(flipped)["whole diagram: sign, symmetry, integrals"][0].startswith("+")


def test_only_rules_make_a_table():
    with pytest.raises(TypeError, match=r"needs FeynmanRules, got Action; use theory\.rules"):
        rules_table(phi4())
