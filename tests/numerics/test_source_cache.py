"""Generated source kept on disk: found again by other processes, damaged files replaced, edits noticed."""

import os
import subprocess
import sys

import numpy as np
import sympy

import numerics._source_cache as cache
from diagrams import cos_net
from numerics import lower
from numerics._source_cache import cached_source, structural_digest

X, Y = sympy.symbols("x y", real=True)
CODE = """
import sympy
from diagrams import cos_net
from numerics._source_cache import structural_digest
x, y = sympy.symbols("x y", real=True)
four = cos_net().at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=4)[4].expr
print(structural_digest(four).hex(), structural_digest(sympy.exp(x - y) * y + sympy.Max(x, y, 0)).hex())
"""


def test_the_same_in_every_process():
    four = cos_net().at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=4)[4].expr
    expected = f"{structural_digest(four).hex()} {structural_digest(sympy.exp(X - Y) * Y + sympy.Max(X, Y, 0)).hex()}"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == expected


def test_different_expressions_differ():
    some = [X, Y, X + Y, X - Y, X * Y, X**2, X**Y, Y**X, sympy.exp(X), sympy.Integer(2), sympy.Float(2)]
    some += [
        sympy.Rational(1, 2),
        sympy.Function("f")(X),
        sympy.Function("g")(X),
        sympy.Symbol("x"),
        sympy.Symbol("x", positive=True),
    ]
    some += [sympy.Piecewise((X, Y > 0), (Y, True)), sympy.Piecewise((Y, Y > 0), (X, True))]
    assert len({structural_digest(e) for e in some}) == len(some)


def test_generated_once_and_again_after_damage_or_edits(tmp_path, monkeypatch):
    monkeypatch.setenv("NNFT_CACHE_DIR", str(tmp_path))
    made = []

    def generate():
        made.append(1)
        return "text\nof source\n"

    for _ in range(2):
        assert cached_source(("numba", "float64"), [X + Y], [X, Y], generate) == "text\nof source\n"
    assert len(made) == 1
    cached_source(("numpy", "float64"), [X + Y], [X, Y], generate)
    cached_source(("numba", "float64"), [X + Y], [Y, X], generate)
    assert len(made) == 3
    for path in tmp_path.iterdir():
        path.write_text(path.read_text().replace("of source", "of sauce"))
    assert cached_source(("numba", "float64"), [X + Y], [X, Y], generate) == "text\nof source\n"
    assert len(made) == 4
    monkeypatch.setattr(cache, "_generators", lambda: b"another version")
    cached_source(("numba", "float64"), [X + Y], [X, Y], generate)
    assert len(made) == 5


def test_kernels_from_kept_source_give_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("NNFT_CACHE_DIR", str(tmp_path))
    expression = sympy.exp(-(X**2)) * sympy.cos(Y) + X * Y
    first = lower(expression, arguments=(X, Y), backend="numpy")
    again = lower(expression, arguments=(X, Y), backend="numpy")
    x = np.linspace(-1, 1, 7)
    np.testing.assert_array_equal(first(x, 2 * x), again(x, 2 * x))
    assert first.source == again.source
    assert len([p for p in tmp_path.iterdir() if p.name.startswith("nnft_source_")]) == 1
