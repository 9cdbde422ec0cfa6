from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from diagrams.symbols import symbol
from numerics import _codegen
from numerics._codegen import cache_directory, load_module
from numerics.lower import lower

SOURCE = "VALUE = {}\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NNFT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_same_text_is_the_same_module(cache):
    first = load_module(SOURCE.format(1), label="same")
    assert load_module(SOURCE.format(1), label="same") is first
    assert len(list(cache.glob("*.py"))) == 1


def test_edited_text_is_another_module(cache):
    assert load_module(SOURCE.format(2), label="edited").VALUE == 2
    assert load_module(SOURCE.format(3), label="edited").VALUE == 3
    assert len(list(cache.glob("*.py"))) == 2


def test_file_name_depends_on_versions(monkeypatch):
    name = _codegen._digest("text")
    monkeypatch.setattr(_codegen.numba, "__version__", "0.0")
    assert _codegen._digest("text") != name


def test_damaged_file_is_replaced(cache):
    source = SOURCE.format(4)
    cache.mkdir()
    (cache / f"nnft_generated_damaged_{_codegen._digest(source)}.py").write_text("VALUE = 'cut sho")
    assert load_module(source, label="damaged").VALUE == 4


def test_broken_source_leaves_nothing_behind(cache):
    for _ in range(2):
        with pytest.raises(SyntaxError):
            load_module("def broken(:\n", label="broken")
    assert not list(cache.glob("*.tmp"))


def test_label_must_be_an_identifier():
    with pytest.raises(ValueError, match=r"label must be an identifier .* got '\.\./x'"):
        load_module("", label="../x")


def test_unwritable_directory_warns_once_and_works(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("NNFT_CACHE_DIR", str(blocked / "cache"))
    with pytest.warns(RuntimeWarning, match="NNFT_CACHE_DIR"):
        private = cache_directory()
    assert cache_directory() == private  # no second warning: it would be an error here
    assert load_module(SOURCE.format(5), label="private").VALUE == 5


def test_default_directory_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("NNFT_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory() == tmp_path / "nnft"


def test_edited_expressions_and_options_are_never_stale(cache):
    x = symbol("x_1")
    kernels = [lower(x + 1, arguments=[x]), lower(x + 2, arguments=[x]), lower(x + 1, arguments=[x], dtype="float32")]
    assert [float(f(1.0)) for f in kernels] == [2.0, 3.0, 2.0]
    assert len({f._function.__module__ for f in kernels}) == 3


PROCESS = """
import json, sympy
from diagrams.architectures import cos_net
from numerics.lower import lower
f = lower(cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=4)[4])
value = float(f([0.1], [0.2], [0.3], [0.4]))
stats = f._function.stats
print(json.dumps([value, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), f._function.__module__]))
"""


def in_process(environment):
    command = [sys.executable, "-c", textwrap.dedent(PROCESS)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_second_process_does_not_compile_again(tmp_path):
    """Hash randomisation must not change the source, or processes would not find each other's code."""
    cache = {"NNFT_CACHE_DIR": str(tmp_path)}
    first, hits, misses, name = in_process({**cache, "PYTHONHASHSEED": "1"})
    assert (hits, misses) == (0, 1)
    assert in_process({**cache, "PYTHONHASHSEED": "2"}) == [first, 1, 0, name]


def test_processes_may_start_at_once(tmp_path):
    environment = os.environ | {"NNFT_CACHE_DIR": str(tmp_path)}
    text = "from numerics._codegen import load_module; print(load_module('VALUE = 6', label='race').VALUE)"
    command = [sys.executable, "-W", "error", "-c", text]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate(timeout=120)[0].strip() for p in running] == ["6"] * 2
    assert len(list(tmp_path.glob("*.py"))) == 1
