"""Field species and vertices, the pieces of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from diagrams.graph import CORRELATOR, INTERACTION, KINDS


@dataclass(frozen=True)
class Field:
    """A field species.

    Parameters
    ----------
    name : str
        Also the name of its half-edges; those of the conjugate field are ``name + "*"``.
    is_complex : bool
        Lines then join ``name*`` to ``name`` and point from the former to the latter.
    is_grassmann : bool
        The field anticommutes.
    is_contact : bool
        Its lines only say that two vertices are parts of one point: they are no propagators, cannot be cut, and
        do not end in external legs unless the model says so.
    """

    name: str
    is_complex: bool = False
    is_grassmann: bool = False
    is_contact: bool = False

    def __post_init__(self) -> None:
        if not self.name or "*" in self.name:
            raise ValueError(f"a field needs a name without '*' (that marks the conjugate), got {self.name!r}")

    @property
    def half_edges(self) -> tuple[str, ...]:
        """Names of the half-edges."""
        return (self.name, f"{self.name}*") if self.is_complex else (self.name,)


@dataclass(frozen=True)
class Vertex:
    """A vertex: a multiset of half-edges.

    Its coupling comes with a factor 1/n! for each n equal half-edges.

    Parameters
    ----------
    half_edges : tuple of str
        For example ``("psi*", "psi", "A")``. Grassmann half-edges form bilinears, two by two in this order, and a
        bilinear counts as written with the conjugate field first.
    order : tuple of (str, number)
        Powers of the expansion parameters, ``(("e", 1),)``.
    kind : str
        ``"interaction"`` or ``"correlator"``.
    is_counterterm : bool
        Allows two half-edges only.
    """

    half_edges: tuple[str, ...]
    order: tuple[tuple[str, int | Fraction], ...] = ()
    kind: str = INTERACTION
    is_counterterm: bool = False

    def __post_init__(self) -> None:
        given: Any = self.half_edges
        if isinstance(given, str):
            raise TypeError(f"half_edges is a tuple of names such as ('psi*', 'psi', 'A'), got {given!r}")
        object.__setattr__(self, "half_edges", tuple(given))
        if self.kind not in KINDS:
            raise ValueError(f"unknown vertex kind {self.kind!r}; allowed: {list(KINDS)}")
        least = 2 if self.is_counterterm or self.kind == CORRELATOR else 3
        if len(self.half_edges) < least:
            raise ValueError(
                f"vertex {self.half_edges} has {len(self.half_edges)} half-edges, at least {least} are needed "
                "(2 with is_counterterm=True: such vertices make chains, so that their order must be limited)"
            )

    def check_grassmann(self, fields: Sequence[Field]) -> None:
        """Check that diagrams with this vertex have signs.

        Raises
        ------
        ValueError
            For an odd number of Grassmann half-edges, or more than two with equal ones among them.
        """
        anticommuting = {h for f in fields if f.is_grassmann for h in f.half_edges}
        fermions = [h for h in self.half_edges if h in anticommuting]
        if len(fermions) % 2:
            raise ValueError(f"vertex {self.half_edges} has an odd number of Grassmann half-edges: {fermions}")
        if len(fermions) > 2 and len(set(fermions)) < len(fermions):
            raise ValueError(
                f"vertex {self.half_edges} has more than two Grassmann half-edges with equal ones among them, so its "
                "diagrams have no sign; split it into bilinears joined by a field with is_contact=True"
            )

    def check_index(self, field: str) -> None:
        """Check that an index can go through the vertex along the lines of ``field``.

        Raises
        ------
        ValueError
            If the number of its half-edges is neither 0 nor 2.
        """
        n = sum(h.rstrip("*") == field for h in self.half_edges)
        if n not in (0, 2):
            raise ValueError(
                f"vertex {self.half_edges} has {n} half-edges of the index field {field!r}: an index goes through a "
                "vertex with 2"
            )


def check_lines(fields: Sequence[Field], used: set[str], external: set[str]) -> None:
    """Check that every half-edge that is used at a vertex has something to be joined to.

    Raises
    ------
    ValueError
        If a field is at no vertex, or its conjugate neither at a vertex nor external.
    """
    for field in fields:
        if not set(field.half_edges) & used:
            raise ValueError(f"field {field.name!r} is at no vertex")
        for h, other in zip(field.half_edges, field.half_edges[::-1], strict=True):
            if h in used and not (other in used or other in external):
                raise ValueError(f"half-edge {h!r} cannot be joined: {other!r} is at no vertex and cannot be external")
