"""What importing the package costs and shows: names are imported when they are first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import diagrams

HEAVY = ("sympy", "networkx", "matplotlib")
PUBLIC_MODULES = sorted(
    path.stem for path in Path(diagrams.__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def fresh(code):
    """Run code in a new interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "use",
    [
        "import diagrams",
        "from diagrams import total_weight; total_weight(valences=(4,), legs=2, loops=2)",
        "from diagrams import enumerate_diagrams; ds = enumerate_diagrams(valences=(3, 4), legs=2, loops=2); "
        "ds[0].symmetry_factor, len(ds.filter(lambda d: d.is_one_particle_irreducible)), repr(ds)",
    ],
    ids=["import", "count", "enumerate"],
)
def test_diagrams_need_no_computer_algebra(use):
    assert fresh(f"{use}; import sys; print(*[name for name in {HEAVY} if name in sys.modules])") == []


def test_the_probe_sees_a_heavy_import():
    use = "from diagrams import symbol"
    assert fresh(f"{use}; import sys; print(*[name for name in {HEAVY} if name in sys.modules])") == ["sympy"]


def test_counting_needs_no_compiler():
    use = "from diagrams import count_diagrams; count_diagrams(valences=(4,), legs=2, loops=2)"
    assert fresh(f"{use}; import sys; print('numba' in sys.modules)") == ["False"]


@pytest.mark.parametrize("name", diagrams.__all__)
def test_every_name_resolves(name):
    value = getattr(diagrams, name)
    assert value is getattr(diagrams, name)
    assert getattr(value, "__name__", name) == name


def test_lists_of_names_agree():
    """What tools read, what type checkers see and where names are found at run time."""
    tree = ast.parse(Path(diagrams.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    shown = {
        (alias.name, node.module.removeprefix("diagrams."))
        for node in block.body
        for alias in node.names
        if node.module
    }
    home = {(name, module) for module, names in diagrams._MODULES.items() for name in names}
    assert shown == home
    assert sorted(diagrams.__all__) == sorted(name for name, _ in home)


def test_no_name_hides_a_module():
    """Importing a submodule binds its name in the package."""
    assert not set(diagrams.__all__) & set(PUBLIC_MODULES)


def test_names_from_a_fresh_package():
    assert fresh("from diagrams import *; print(phi4.__name__, symbol.__name__)") == ["phi4", "symbol"]
    assert fresh("import diagrams; print(diagrams.symbol.__module__)") == ["diagrams.symbols"]
    assert fresh("import diagrams; print(diagrams.symbols.symbol is diagrams.symbol)") == ["True"]
    assert fresh("from diagrams import nickel; print(nickel.__name__)") == ["diagrams.nickel"]
    assert fresh("import pickle, diagrams; print(pickle.loads(pickle.dumps(diagrams.qed)) is diagrams.qed)") == ["True"]


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_public_modules_are_attributes(name):
    assert getattr(diagrams, name).__name__ == f"diagrams.{name}"


def test_completion_lists_every_name():
    listed = fresh("import diagrams; print(*dir(diagrams))")
    assert set(diagrams.__all__) <= set(listed)
    assert listed == sorted(set(listed))


@pytest.mark.parametrize("name", ["phi5", "_private", "__wrapped__"])
def test_unknown_names(name):
    assert not hasattr(diagrams, name)
    with pytest.raises(AttributeError, match=f"module 'diagrams' has no attribute '{name}'"):
        getattr(diagrams, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}' from 'diagrams'"):
        exec(f"from diagrams import {name}")
