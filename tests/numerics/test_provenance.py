"""Definitions as text: equal for equal ones in any process, different for different ones."""

from __future__ import annotations

import re

import pytest
import sympy

from numerics.provenance import definition_of


class Plain:
    def __init__(self, number: float) -> None:
        self.number = number


def scaled(factor: float):
    def function(x: float) -> float:
        return factor * x + 1

    return function


def shifted(factor: float):
    def function(x: float) -> float:
        return factor * x + 2

    return function


@pytest.mark.parametrize("make", [Plain, scaled], ids=["object", "function"])
def test_objects_that_print_their_place_in_memory(make):
    assert "0x" in repr(make(1.5))
    text = definition_of({"a": [make(1.5)]})
    assert not re.search(r"0x[0-9a-f]{6}", text)
    assert text == definition_of({"a": [make(1.5)]})
    assert text != definition_of({"a": [make(1.25)]})


def test_functions_differ_by_their_text():
    assert definition_of(scaled(2.0)).replace("scaled", "") != definition_of(shifted(2.0)).replace("shifted", "")
    assert definition_of(abs) == definition_of(abs)


def test_a_function_that_calls_itself():
    def down(n: int) -> int:
        return down(n - 1) if n else 0

    assert definition_of(down) == definition_of(down)


def test_numbers_are_exact():
    texts = [definition_of(sympy.Float(v) * sympy.Symbol("x")) for v in (0.1, 0.1 + 1e-16)]
    assert texts[0] != texts[1]
