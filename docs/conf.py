"""Configuration of the documentation: ``make docs`` builds it offline, warnings are errors."""

from __future__ import annotations

import re
import shutil
import sys
import warnings
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from _pages import write_pages  # noqa: E402

project = "nnft"
author = "nnft maintainers"
copyright = "nnft maintainers"
release = version = metadata.version("nnft")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build", "_generated", "notebooks/README.md"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_url_schemes = ("http", "https", "mailto")
nb_execution_mode = "off"  # notebooks are stored with their output, and the tests run them
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc shows the types of the docstring
warnings.filterwarnings("ignore", "Unknown section", UserWarning)  # docstrings that a class inherits from sympy
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# docstrings write 1/|Aut| and |k| as one reads it; to docutils bars mean a substitution
sources = [
    p.read_text(encoding="utf-8") for folder in ("diagrams", "numerics") for p in (HERE.parent / folder).rglob("*.py")
]
between_bars = sorted({word for text in sources for word in re.findall(r"\|(\w+)\|", text)})
rst_prolog = "\n".join(rf".. |{word}| replace:: \|{word}\|" for word in between_bars) + "\n"

html_theme = "pydata_sphinx_theme"
html_title = "nnft"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]
single_pages = ("install", "theory", "filters", "command_line", "performance", "comparison", "changelog")
html_sidebars: dict[str, list[str]] = {page: [] for page in single_pages}  # nothing below them to navigate

# pages and notebooks that are made from other files of the project
write_pages(HERE / "_generated")
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", dirs_exist_ok=True)
