"""What FeynmanGraph says of wrong arguments."""

from __future__ import annotations

import pytest

from diagrams.graph import INTERACTION, FeynmanGraph


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"n_legs": 0, "edges": ()}, ValueError, "at least one line"),
        ({"n_legs": -1, "edges": ((0, 0),)}, ValueError, "n_legs must be >= 0, got -1"),
        ({"n_legs": 1.0, "edges": ((0, 1),)}, TypeError, "must be integers, got 1.0"),
        ({"n_legs": True, "edges": ((0, 1), (1, 1))}, TypeError, "must be integers, got True"),
        ({"n_legs": 1, "edges": ((0, 1.5),)}, TypeError, "must be integers, got 1.5"),
        ({"n_legs": 1, "edges": ((0.0, 1),)}, TypeError, "must be integers, got 0.0"),
        ({"n_legs": 1, "edges": ((0, "1"),)}, TypeError, "must be integers, got '1'"),
        ({"n_legs": 1, "edges": ((0, 1, 2),)}, ValueError, r"pair of nodes.*got \[\(0, 1, 2\)\]"),
        ({"n_legs": 1, "edges": ((0,),)}, ValueError, r"pair of nodes.*got \[\(0,\)\]"),
        ({"n_legs": 0, "edges": ((-1, 0), (0, 0))}, ValueError, r"numbered from 0, got \[\(-1, 0\)\]"),
        ({"n_legs": 1, "edges": ((0, 1), (1, 3), (3, 3))}, ValueError, r"0 \.\. 3 .*without one: \[2\]"),
        ({"n_legs": 1, "edges": ((1, 1),)}, ValueError, r"without one: \[0\]"),
        ({"n_legs": 1, "edges": ((0, 1), (0, 1))}, ValueError, r"exactly one line; leg\(s\) \[0\]"),
        ({"n_legs": 1, "edges": ((0, 0),)}, ValueError, r"exactly one line; leg\(s\) \[0\]"),
        ({"n_legs": 3, "edges": ((0, 1),)}, ValueError, r"leg\(s\) \[2\]"),
        ({"n_legs": 1, "edges": ((0, 1),), "kinds": ("blob",)}, ValueError, r"\['blob'\].*interaction.*correlator"),
        ({"n_legs": 1, "edges": ((0, 1),), "kinds": (INTERACTION,) * 2}, ValueError, "2 entries for 1 vertices"),
        ({"n_legs": 1, "edges": ((0, 1), (1, 1)), "fields": ("A",)}, ValueError, "1 entries for 2 lines"),
        (
            {"n_legs": 1, "edges": ((0, 1), (1, 1)), "fields": ("A", "psi"), "directed": "psi"},
            ValueError,
            r"\['A', 'psi'\], got 'psi'",
        ),
        (
            {"n_legs": 1, "edges": ((0, 1), (1, 1)), "fields": ("A", "A"), "directed": ("psi",)},
            ValueError,
            r"\['A'\], got \('psi',\)",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_errors_say_what_was_given_and_allowed(arguments, error, text):
    with pytest.raises(error, match=text):
        FeynmanGraph(**arguments)


def test_unknown_kind_by_method():
    with pytest.raises(ValueError, match="blob"):
        FeynmanGraph(1, ((0, 1), (1, 1))).with_kind("blob")
