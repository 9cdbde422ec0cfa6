"""Model: field species and the vertices they meet at, and the enumeration of its diagrams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams._field_blocks import FieldBlock, HalfEdgeTable, block_of
from diagrams._fields import Field, Vertex, check_lines
from diagrams._species import Request, check_size, count_diagrams, field_blocks
from diagrams._vertex_lists import Bound
from diagrams.collection import Diagrams
from diagrams.counting import check_count
from diagrams.generate import MAX_GRAPHS
from diagrams.graph import FeynmanGraph
from diagrams.symbols import symbol
from diagrams.typing import Expr

Legs = Mapping[str, int] | Sequence[str]
Orders = Mapping[str, int | Fraction | tuple[int | Fraction, int | Fraction]]


@dataclass(frozen=True)
class Model:
    """Field species and the vertices they meet at.

    Parameters
    ----------
    name : str
    fields : tuple of Field
    vertices : tuple of Vertex
    external : tuple of str, optional
        Half-edges that may be external legs; default those of all fields that are not contact fields.
    charge_odd : tuple of str, optional
        Fields that are odd under charge conjugation, as the photon: a fermion loop with an odd number of them
        cancels against the loop with reversed direction (Furry's theorem).
    index_field : str, optional
        Field that carries an index along its lines, for :meth:`index_factor`.

    Raises
    ------
    ValueError
        For unknown or repeated fields, fields that cannot form lines, or vertices with Grassmann half-edges that have
        no sign: an odd number of them, or more than two with equal ones among them.

    Examples
    --------
    >>> psi, A = Field("psi", is_complex=True, is_grassmann=True), Field("A")
    >>> model = Model("qed", (psi, A), (Vertex(("psi*", "psi", "A"), (("e", 1),)),), charge_odd=("A",))
    >>> ds = model.diagrams({"psi": 1, "psi*": 1}, loops=2)
    >>> len(ds), ds.total_weight(), int(model.signs(ds).sum())
    (10, Fraction(10, 1), 0)
    """

    name: str
    fields: tuple[Field, ...]
    vertices: tuple[Vertex, ...]
    external: tuple[str, ...] = ()
    charge_odd: tuple[str, ...] = ()
    index_field: str = ""

    def __post_init__(self) -> None:
        names = [f.name for f in self.fields]
        if not names or not self.vertices:
            raise ValueError(f"model {self.name!r} needs at least one field and one vertex")
        if repeated := [n for n, k in Counter(names).items() if k > 1]:
            raise ValueError(f"fields named twice: {repeated}")
        if not self.external:
            ends = tuple(h for f in self.fields if not f.is_contact for h in f.half_edges)
            object.__setattr__(self, "external", ends)
        self._check_names(names)
        check_lines(self.fields, {h for v in self.vertices for h in v.half_edges}, set(self.external))
        for vertex in self.vertices:
            vertex.check_grassmann(self.fields)
            if self.index_field:
                vertex.check_index(self.index_field)

    def _check_names(self, names: Sequence[str]) -> None:
        known = [h for f in self.fields for h in f.half_edges]
        used = {h for v in self.vertices for h in v.half_edges}
        if unknown := sorted({*used, *self.external} - set(known)):
            raise ValueError(f"unknown half-edges {unknown}; the fields of model {self.name!r} have {known}")
        if unknown := sorted({*self.charge_odd, *filter(None, [self.index_field])} - set(names)):
            raise ValueError(f"unknown fields {unknown}; model {self.name!r} has {names}")
        shapes = Counter((v.kind, tuple(sorted(v.half_edges))) for v in self.vertices)
        if shapes.most_common(1)[0][1] > 1:
            raise ValueError(f"model {self.name!r} has two vertices of one kind with the same half-edges: merge them")

    @cached_property
    def table(self) -> HalfEdgeTable:
        """The model in numbers, as the generators take it."""
        ends = [(h, f) for f in self.fields for h in f.half_edges]
        names = tuple(h for h, _ in ends)
        return HalfEdgeTable(
            names,
            tuple(names.index(f.half_edges[::-1][f.half_edges.index(h)]) for h, f in ends),
            tuple(f.name for _, f in ends),
            tuple(f.is_complex and not self._kinds_give_direction(f) for _, f in ends),
            tuple(f.is_grassmann for _, f in ends),
            tuple(not f.is_contact for _, f in ends),
            tuple(tuple(names.index(h) for h in v.half_edges) for v in self.vertices),
            tuple(v.kind for v in self.vertices),
        )

    def _kinds_give_direction(self, field: Field) -> bool:
        """True for a contact field that only joins vertices of different kinds, so that no arrow is needed."""
        kinds = [{v.kind for v in self.vertices if h in v.half_edges} for h in field.half_edges]
        return field.is_contact and all(kinds) and kinds[0].isdisjoint(kinds[1])

    def diagrams(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        furry: bool = False,
        max_graphs: int = MAX_GRAPHS,
    ) -> Diagrams:
        """Return all diagrams with labelled legs, each exactly once.

        Parameters
        ----------
        legs : mapping or sequence
            The fields of the correlation function, ``("psi", "psi*")`` or ``{"psi": 1, "psi*": 1}``: a leg ``psi``
            ends a line that comes from a ``psi*`` at a vertex. Legs are numbered in this order.
        loops : int, optional
            Number of independent cycles, lines - vertices + components.
        order : mapping, optional
            For each expansion parameter the power that the vertices carry together: a number, or (lowest, highest).
        connected, one_particle_irreducible, self_loops : bool
            As in :func:`diagrams.enumerate_diagrams`; contact lines count as part of one vertex.
        furry : bool
            Leave out diagrams with a fermion loop that carries an odd number of charge-odd half-edges.
        max_graphs : int
            Refuse when more diagrams than this would have to be kept.

        Returns
        -------
        Diagrams
            Its graphs carry ``fields``, ``directed`` and ``kinds``; signs are given by :meth:`signs`.

        Raises
        ------
        ValueError, TypeError
            For unknown legs or parameters, contradictory options, or limits that leave infinitely many diagrams.
        MemoryError
            If there are more than ``max_graphs`` diagrams.
        """
        request = self._request(legs, loops, order, connected, one_particle_irreducible, self_loops, max_graphs)
        if furry and not (self.charge_odd and any(f.is_grassmann for f in self.fields)):
            raise ValueError(f"furry=True: model {self.name!r} has no fermions that meet a field odd under conjugation")
        odd = tuple(i for i, f in enumerate(self.table.fields) if f in self.charge_odd)
        blocks: list[FieldBlock] = []
        for found in field_blocks(self.table, request):
            block = found if self_loops else found.without_contracted_self_loops()
            if furry:
                block = block.without_odd_fermion_loops(odd)
            if len(block):
                blocks.append(block)
            check_size(sum(len(b) for b in blocks), request)
        return Diagrams(tuple(blocks))

    def count(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
    ) -> int:
        """Return the number of connected diagrams; the options are those of :meth:`diagrams`.

        Nothing is kept when all half-edges of each vertex differ and there is a leg, as in QED.
        """
        if not self_loops and not all(self.table.cuttable):
            found = self.diagrams(
                legs,
                loops=loops,
                order=order,
                one_particle_irreducible=one_particle_irreducible,
                self_loops=False,
            )
            return len(found)
        request = self._request(legs, loops, order, True, one_particle_irreducible, self_loops, MAX_GRAPHS)
        return count_diagrams(self.table, request)

    def _request(
        self,
        legs: Legs,
        loops: int | None,
        order: Orders | None,
        connected: bool,
        one_particle_irreducible: bool,
        self_loops: bool,
        max_graphs: int,
    ) -> Request:
        if one_particle_irreducible and not connected:
            raise ValueError("one_particle_irreducible=True needs connected=True: a 1PI diagram is connected")
        if not any(self.table.cuttable) and (one_particle_irreducible or not self_loops):
            raise ValueError(f"model {self.name!r} has no propagators: 1PI and self_loops=False mean nothing there")
        if loops is None and order is None:
            raise ValueError("give loops, or the order in the expansion parameters, or both")
        if loops is not None:
            check_count("loops", loops)
        ends = tuple(self.table.names.index(h) for h in self._leg_names(legs))
        orders = tuple(self._bound(parameter, value) for parameter, value in (order or {}).items())
        return Request(ends, loops, orders, connected, one_particle_irreducible, self_loops, max_graphs)

    def _leg_names(self, legs: Legs) -> list[str]:
        if isinstance(legs, str):
            raise TypeError(f"legs is a mapping or a sequence of names such as ('psi', 'psi*'), got {legs!r}")
        if isinstance(legs, Mapping):
            for name, n in legs.items():
                check_count(f"legs[{name!r}]", n)
            names = [name for name, n in legs.items() for _ in range(n)]
        else:
            names = list(legs)
        if unknown := sorted(set(names) - set(self.external)):
            raise ValueError(f"{unknown} cannot be external legs; allowed in model {self.name!r}: {self.external}")
        return names

    def _bound(self, parameter: str, value: Any) -> Bound:
        powers = [dict(v.order) for v in self.vertices]
        if not any(parameter in p for p in powers):
            known = sorted({name for p in powers for name in p})
            raise ValueError(f"no vertex carries {parameter!r}; the expansion parameters of {self.name!r} are {known}")
        low, high = value if isinstance(value, tuple) else (value, value)
        return Bound(tuple(Fraction(p.get(parameter, 0)) for p in powers), Fraction(low), Fraction(high))

    def signs(self, diagrams: Diagrams) -> NDArray[np.int64]:
        r"""Return the sign of each diagram of a collection.

        Minus one for each closed fermion loop, times the sign of the permutation that lists the fermionic legs line
        by line, relative to their order in the correlation function: :math:`\langle \psi(x_1) \psi^*(x_2) \rangle`
        has sign +1 at tree level. A line is listed with :math:`\psi` before :math:`\psi^*` (with the lower leg first
        if both its ends are alike). Signs of couplings and propagators are not included.
        """
        parts = [np.zeros(0, np.int64)]
        for block in diagrams.blocks:
            if isinstance(block, FieldBlock):
                parts.append(block.signs)
            else:
                parts.append(np.array([self.sign(d) for d in Diagrams((block,))], np.int64))
        return np.concatenate(parts)

    def sign(self, graph: FeynmanGraph) -> int:
        """Return the sign of one diagram, as :meth:`signs`.

        Raises
        ------
        ValueError
            If it has lines or vertices that the model does not have.
        """
        return int(block_of(self.table, graph).signs[0])

    def index_factor(self, graph: FeynmanGraph) -> Expr:
        """Return ``N_c`` to the power of the number of index loops of a diagram.

        Raises
        ------
        ValueError
            If no field of the model carries an index.
        """
        return symbol("N_c") ** self.n_index_loops(graph)

    def n_index_loops(self, graph: FeynmanGraph) -> int:
        """Return the number of closed lines of the field that carries the index.

        Raises
        ------
        ValueError
            If no field of the model carries an index.
        """
        if not self.index_field:
            raise ValueError(f"no field of model {self.name!r} carries an index")
        lines = graph.fields or (self.index_field,) * len(graph.edges)
        parent = list(range(graph.n_legs + graph.n_vertices))

        def root(v: int) -> int:
            while parent[v] != v:
                v = parent[v]
            return v

        carried = [e for e, f in zip(graph.edges, lines, strict=True) if f == self.index_field]
        for u, v in carried:
            parent[root(u)] = root(v)
        open_lines = {root(leg) for leg in range(graph.n_legs)}
        return len({root(u) for u, _ in carried} - open_lines)
