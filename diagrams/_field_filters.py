"""Filters on single lines of diagrams of several fields, as bits that compiled code takes."""

from __future__ import annotations

from diagrams._compile import compiled

BRIDGELESS = 1
NO_TADPOLES = 2
AMPUTATED = 4


@compiled
def drops(flags: int, behind: int, legs: int) -> bool:
    """Tell whether a filter drops a diagram with a line that, when cut, splits off ``behind`` of its ``legs``."""
    if flags & BRIDGELESS:
        return True
    fewer = min(behind, legs - behind)
    if fewer == 0:
        return (flags & NO_TADPOLES) != 0
    return fewer == 1 and (flags & AMPUTATED) != 0
