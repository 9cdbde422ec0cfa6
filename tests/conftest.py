"""Order of the tests: what takes longest first, so that no process works alone at the end."""

from __future__ import annotations

LONGEST = ("notebooks/*", "tests/documentation/*", "tests/numerics/*")  # the first two are single long tests


def pytest_collection_modifyitems(items):
    ranks = {path: [path.match(pattern) for pattern in (*LONGEST, "*")].index(True) for path in {i.path for i in items}}
    items.sort(key=lambda item: ranks[item.path])
