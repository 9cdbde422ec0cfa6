"""LaTeX and readable text of everything: expressions, series, correlators, actions, rules, whole documents.

One place to import from; :mod:`diagrams.equations` breaks formulas over lines, :mod:`diagrams.documents` writes
documents and fragments for papers, :mod:`diagrams.rule_tables` makes tables of Feynman rules.
"""

from __future__ import annotations

from diagrams._printers import expression_latex, plain_text
from diagrams.documents import latex_fragment, preamble, write_tex
from diagrams.equations import action_text, aslatex, equation_lines
from diagrams.rule_tables import RulesTable, rules_table

__all__ = [
    "RulesTable",
    "action_text",
    "aslatex",
    "equation_lines",
    "expression_latex",
    "latex_fragment",
    "plain_text",
    "preamble",
    "rules_table",
    "write_tex",
]
