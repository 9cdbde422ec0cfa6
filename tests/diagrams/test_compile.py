"""The cache of compiled functions notices edits of everything that a function uses."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit, types

from diagrams import enumerate_diagrams
from diagrams._compile import compiled
from diagrams._orderly import skeletons

CALLED = """
from diagrams._compile import compiled

SHIFT = 1


@compiled
def called(x):
    return x + SHIFT
"""
BETWEEN = """
from called_file import called
from diagrams._compile import compiled


@compiled
def between(x):
    return 2 * called(x)
"""
CALLING = """
from between_file import between
from called_file import SHIFT
from diagrams._compile import compiled


@compiled
def calling(x):
    return 100 * SHIFT + between(x)


@compiled
def apart(x):
    return 7 * x


print(calling(1), apart(1), sum(calling.stats.cache_hits.values()), sum(apart.stats.cache_hits.values()))
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "called_file.py").write_text(CALLED)
    (tmp_path / "between_file.py").write_text(BETWEEN)
    (tmp_path / "calling_file.py").write_text(CALLING)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}

    def once():
        done = subprocess.run(
            [sys.executable, "calling_file.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        return list(map(int, done.stdout.split()))

    return once


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_edits_of_other_files_are_noticed(run, tmp_path):
    assert run() == [104, 7, 0, 0]
    assert run() == [104, 7, 1, 1]
    edit(tmp_path / "called_file.py", "return x + SHIFT", "return x - SHIFT")
    assert run() == [100, 7, 0, 1]  # what does not use the file comes from the cache still
    edit(tmp_path / "called_file.py", "SHIFT = 1", "SHIFT = 3")
    assert run() == [296, 7, 0, 1]
    assert run() == [296, 7, 1, 1]
    assert any((tmp_path / "cache").rglob("*.nbi"))


def test_the_plain_cache_does_not_notice(run, tmp_path):
    """Why the decorator is there; when this fails it has become superfluous."""
    for name in ("called_file.py", "between_file.py", "calling_file.py"):
        path = tmp_path / name
        path.write_text(path.read_text().replace("from diagrams._compile import compiled", "from numba import njit"))
        path.write_text(path.read_text().replace("@compiled", "@njit(cache=True)"))
    assert run() == [104, 7, 0, 0]
    edit(tmp_path / "called_file.py", "return x + SHIFT", "return x - SHIFT")
    assert run() == [104, 7, 1, 1]


def test_a_numba_without_the_private_attribute_gives_a_plain_cache(monkeypatch):
    class Bare:
        def __init__(self, function):
            self.py_func = function

    def plain(**options):
        assert options == {"cache": True, "nogil": True}
        return Bare

    monkeypatch.setattr("diagrams._compile.njit", plain)
    assert isinstance(compiled(edit), Bare)


def first_entry(x, shift):
    return x[0] + shift


def compiled_for(decorate):
    """Return the types for which a function has been compiled that is called with a constant and with a number."""
    inner = decorate(first_entry)

    @njit
    def outer(x, shift):
        return inner(x, shift) + inner(x, 1)

    assert outer(np.array([1, 2]), 5) == 8
    return [signature[1] for signature in inner.signatures]


def test_a_constant_is_passed_like_any_other_number():
    assert compiled_for(compiled) == [types.int64]


def test_plain_numba_compiles_anew_for_a_constant():
    """Why the decorator is there; when this fails it has become superfluous."""
    assert len(compiled_for(njit)) == 2


def test_filters_are_compiled_only_where_they_are_asked_for():
    def asked():
        return {str(signature[5]) for signature in skeletons.signatures}

    enumerate_diagrams(valences=(4,), legs=2, loops=2)
    assert "none" in asked()
    enumerate_diagrams(valences=(4,), legs=2, loops=2, planar=True)
    assert asked() == {"none", "int64"}
