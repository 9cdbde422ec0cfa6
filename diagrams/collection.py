"""Diagrams: a lazy sequence of Feynman graphs held as compact arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, combinations
from math import factorial
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from diagrams.graph import INTERACTION, KINDS, FeynmanGraph


class Block(Protocol):
    """Some graphs as arrays: what :class:`Diagrams` needs to know of them."""

    @property
    def n_legs(self) -> int:
        """Number of external legs."""

    @property
    def symmetry(self) -> NDArray[Any]:
        """Order of the automorphism group of each graph."""

    @property
    def multiplicity(self) -> NDArray[Any]:
        """Number of labelled diagrams behind each graph."""

    @property
    def labelled(self) -> bool:
        """True if the legs are labelled."""

    @property
    def leg_permutations(self) -> int:
        """Number of ways to number the legs of each type."""

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""

    def __len__(self) -> int: ...

    def valences(self) -> dict[tuple[int, ...], NDArray[np.intp]]:
        """Return the members with each multiset of vertex degrees."""

    def graph(self, index: int) -> FeynmanGraph:
        """Make one member as a FeynmanGraph."""

    def take(self, chosen: NDArray[np.intp]) -> Block:
        """Return the block with some of its members."""

    def with_kind(self, kind: str) -> Block:
        """Return the block with every vertex of one kind."""


@dataclass(frozen=True, eq=False)
class GraphBlock:
    """Graphs of one real field as arrays; many graphs share a skeleton, many skeletons a list of vertices.

    Parameters
    ----------
    types : uint8 array (T, V, 3)
        Lists of (degree, external legs, self-loops), filled up with zeros.
    sizes : int64 array (T,)
        Number of vertices of each list.
    adjacency : uint8 array
        Strict upper triangles of the adjacency matrices of all skeletons, one after the other.
    start : int64 array (S + 1,)
        Where each begins.
    vertex_list : int64 array (S,)
        List of vertices of each skeleton.
    skeleton : int32 array (G,)
        Skeleton of each graph.
    owners : uint8 array (G, n)
        Vertex of each leg; an entry ``V + b`` joins the leg directly to leg ``b``.
    symmetry, multiplicity : int64 array (G,)
        Order of the automorphism group, and number of labelled diagrams behind each graph.
    kind : str
        Kind of all vertices.
    labelled : bool
    """

    types: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    adjacency: NDArray[np.uint8]
    start: NDArray[np.int64]
    vertex_list: NDArray[np.int64]
    skeleton: NDArray[np.int32]
    owners: NDArray[np.uint8]
    symmetry: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    kind: str = INTERACTION
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.skeleton)

    @property
    def n_legs(self) -> int:
        """Number of external legs."""
        return int(self.owners.shape[1])

    @property
    def leg_permutations(self) -> int:
        """Number of ways to number the legs."""
        return factorial(self.n_legs)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.types, self.sizes, self.adjacency, self.start, self.vertex_list)
        per_graph = (self.skeleton, self.owners, self.symmetry, self.multiplicity)
        return sum(a.nbytes for a in arrays + per_graph if 0 not in a.strides)  # a constant takes no memory

    def valences(self) -> dict[tuple[int, ...], NDArray[np.intp]]:
        """Return the members with each multiset of vertex degrees."""
        lists = [tuple(sorted(row[:size, 0].tolist())) for row, size in zip(self.types, self.sizes, strict=True)]
        number = {key: i for i, key in enumerate(dict.fromkeys(lists))}
        of_list = np.array([number[key] for key in lists])
        of_graph = of_list[self.vertex_list[self.skeleton]]
        groups = {key: np.flatnonzero(of_graph == i) for key, i in number.items()}
        return {key: members for key, members in groups.items() if len(members)}

    def graph(self, index: int) -> FeynmanGraph:
        """Make one member as a FeynmanGraph."""
        s = int(self.skeleton[index])
        t = int(self.vertex_list[s])
        n, V = self.n_legs, int(self.sizes[t])
        edges: list[tuple[int, int]] = []
        for leg, owner in enumerate(self.owners[index].tolist()):
            if owner < V:
                edges.append((leg, n + owner))
            elif leg < owner - V:
                edges.append((leg, owner - V))
        entries = self.adjacency[self.start[s] : self.start[s + 1]].tolist()
        for (i, j), m in zip(combinations(range(n, n + V), 2), entries, strict=True):
            edges += [(i, j)] * m
        for v, loops in enumerate(self.types[t, :V, 2].tolist()):
            edges += [(n + v, n + v)] * loops
        return FeynmanGraph(n, tuple(edges), (self.kind,) * V, labelled=self.labelled)

    def take(self, chosen: NDArray[np.intp]) -> GraphBlock:
        """Return the block with some of its members."""
        return replace(
            self,
            skeleton=self.skeleton[chosen],
            owners=self.owners[chosen],
            symmetry=self.symmetry[chosen],
            multiplicity=self.multiplicity[chosen],
        )

    def with_kind(self, kind: str) -> GraphBlock:
        """Return the block with every vertex of one kind.

        Raises
        ------
        ValueError
            If there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown vertex kind {kind!r}; allowed: {list(KINDS)}")
        return replace(self, kind=kind)


@dataclass(frozen=True, eq=False)
class Diagrams(Sequence[FeynmanGraph]):
    """A sequence of Feynman diagrams, stored as arrays; graph objects are made when asked for.

    Supports ``len``, indexing, slicing, iteration, :meth:`filter`, :meth:`group_by`, concatenation with ``+`` and a
    gallery in notebooks. Made by :func:`diagrams.enumerate_diagrams` or a theory's ``diagrams`` method.

    Examples
    --------
    >>> from diagrams import enumerate_diagrams
    >>> ds = enumerate_diagrams(valences=(4,), legs=2, loops=2)
    >>> len(ds), ds.total_weight(), [d.symmetry_factor for d in ds]
    (3, Fraction(2, 3), [4, 4, 6])
    """

    blocks: tuple[Block, ...] = field(default=())

    @classmethod
    def concatenate(cls, parts: Iterable[Diagrams]) -> Diagrams:
        """Return the diagrams of all ``parts``, in that order."""
        return cls(tuple(block for part in parts for block in part.blocks if len(block)))

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(b) for b in self.blocks))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> FeynmanGraph: ...
    @overload
    def __getitem__(self, index: slice) -> Diagrams: ...
    def __getitem__(self, index: int | slice) -> FeynmanGraph | Diagrams:
        if isinstance(index, slice):
            return self._take(np.arange(len(self))[index])
        i = index + len(self) if index < 0 else index
        if not 0 <= i < len(self):
            raise IndexError(f"diagram {index} of a collection of {len(self)}")
        b = int(np.searchsorted(self._ends, i, side="right"))
        return self.blocks[b].graph(i - (self._ends[b] - len(self.blocks[b])))

    def _take(self, chosen: NDArray[np.intp]) -> Diagrams:
        which = np.searchsorted(self._ends, chosen, side="right")
        cuts = np.flatnonzero(np.diff(which)) + 1
        parts = []
        for run in np.split(np.arange(len(chosen)), cuts):
            if len(run):
                b = int(which[run[0]])
                parts.append(self.blocks[b].take(chosen[run] - (self._ends[b] - len(self.blocks[b]))))
        return Diagrams(tuple(parts))

    def __iter__(self) -> Iterator[FeynmanGraph]:
        return (block.graph(i) for block in self.blocks for i in range(len(block)))

    def __add__(self, other: Diagrams) -> Diagrams:
        return Diagrams(self.blocks + other.blocks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagrams):
            return NotImplemented
        return len(self) == len(other) and Counter(self) == Counter(other)

    def __hash__(self) -> int:
        return hash((len(self), self.total_weight()))

    def filter(self, predicate: Callable[[FeynmanGraph], Any]) -> Diagrams:
        """Return the diagrams for which ``predicate(diagram)`` is true."""
        return self._take(np.flatnonzero([bool(predicate(d)) for d in self]))

    def group_by(self, key: Callable[[FeynmanGraph], Hashable]) -> dict[Hashable, Diagrams]:
        """Return the diagrams sorted into groups of equal ``key(diagram)``, in order of first appearance."""
        groups: dict[Hashable, list[int]] = {}
        for i, d in enumerate(self):
            groups.setdefault(key(d), []).append(i)
        return {k: self._take(np.array(v)) for k, v in groups.items()}

    def with_kind(self, kind: str) -> Diagrams:
        """Return the same diagrams with every vertex of one kind (``"interaction"`` or ``"correlator"``)."""
        return Diagrams(tuple(b.with_kind(kind) for b in self.blocks))

    def total_weight(self) -> Fraction:
        """Return the exact sum of 1/|Aut|.

        With exchangeable legs |Aut| counts permutations of legs too; :meth:`labelled_weight` is then the sum over
        the labelled diagrams that the members stand for.
        """
        total: Counter[int] = Counter()
        for block in self.blocks:
            values, counts = np.unique(block.symmetry, return_counts=True)
            total.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        return sum((Fraction(c, s) for s, c in total.items()), Fraction(0))

    def labelled_weight(self) -> Fraction:
        """Return the sum of 1/|Aut| over the labelled diagrams behind the members."""
        return sum(
            (Diagrams((b,)).total_weight() * (1 if b.labelled else b.leg_permutations) for b in self.blocks),
            Fraction(0),
        )

    def weights_by_valences(self) -> dict[tuple[int, ...], Fraction]:
        """Return the sum of 1/|Aut| over labelled diagrams for each multiset of vertex degrees."""
        return {valences: found.labelled_weight() for valences, found in self.by_valences().items()}

    def by_valences(self) -> dict[tuple[int, ...], Diagrams]:
        """Return the diagrams sorted by their vertex degrees, without making any graph."""
        groups: dict[tuple[int, ...], list[Block]] = {}
        for block in self.blocks:
            for valences, members in block.valences().items():
                groups.setdefault(valences, []).append(block.take(members))
        return {k: Diagrams(tuple(v)) for k, v in groups.items()}

    @property
    def nbytes(self) -> int:
        """Memory of the arrays behind the collection."""
        return sum(b.nbytes for b in self.blocks)

    def to_tex(self, *, title: str = "Feynman diagrams") -> str:
        """Return a LaTeX document (plain TikZ) that shows all diagrams with their symmetry factors."""
        from diagrams.draw import gallery_tex

        return gallery_tex(self, title=title)

    def write_tex(self, path: str | Path, *, title: str = "Feynman diagrams") -> Path:
        """Write :meth:`to_tex` to ``path``; the document compiles with pdflatex. Returns the path."""
        path = Path(path)
        path.write_text(self.to_tex(title=title), encoding="utf-8")
        return path

    def write_svg(self, path: str | Path, *, columns: int = 6) -> Path:
        """Write one SVG picture of all diagrams on a grid. Returns the path."""
        from diagrams.draw import gallery_svg

        path = Path(path)
        path.write_text(gallery_svg(self, columns=columns), encoding="utf-8")
        return path

    def plot(self, *, columns: int = 6, limit: int = 48) -> Any:
        """Draw the first ``limit`` diagrams with matplotlib; returns the figure, see :mod:`diagrams.axes`."""
        from diagrams.axes import plot_gallery

        return plot_gallery(self, columns=columns, limit=limit)

    def _repr_html_(self) -> str:
        from diagrams.draw import gallery_html

        return gallery_html(self, total=len(self))

    def __repr__(self) -> str:
        return f"<Diagrams: {len(self)} diagrams, sum of 1/|Aut| = {self.total_weight()}>"
