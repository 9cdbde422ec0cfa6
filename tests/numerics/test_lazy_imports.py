"""Packages and the command line answer before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"jax", "matplotlib", "networkx", "numba", "pandas", "scipy", "sympy", "torch", "xarray"}


def _run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _imported_by(code):
    return HEAVY & set(_run(f"{code}\nimport sys\nprint(*sys.modules)").split())


@pytest.mark.parametrize(
    "code",
    [
        "import diagrams",
        "import numerics",
        "import numerics; dir(numerics)",
        "from numerics.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass",
        "from numerics.cli import main\ntry:\n    main(['phi4', '--help'])\nexcept SystemExit:\n    pass",
    ],
    ids=["diagrams", "numerics", "names", "help", "help of a command"],
)
def test_nothing_heavy_is_imported(code):
    assert not _imported_by(code)


def test_a_name_imports_what_it_needs():
    """The twin: the check sees imports."""
    assert {"numba", "sympy", "xarray"} <= _imported_by("from numerics import Ensemble")


@pytest.mark.parametrize("name", ["compare", "lower", "point_action", "violation_order"])
@pytest.mark.parametrize("first", ["from numerics import {0}", "import numerics.{0}", "import numerics.demo"])
def test_a_function_is_not_hidden_by_its_module(name, first):
    code = f"{first.format(name)}\nimport numerics\nprint(type(numerics.{name}).__name__)"
    assert _run(code).split() == ["function"]


def test_unknown_names():
    import diagrams
    import numerics

    for package in (diagrams, numerics):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            package.nothing  # noqa: B018
        assert set(package.__all__) <= set(dir(package))
