"""Model: field species and the vertices they meet at, and the enumeration of its diagrams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diagrams._field_blocks import FieldBlock, HalfEdgeTable, block_of
from diagrams._fields import Field, Vertex, check_lines
from diagrams._model_diagrams import ModelDiagrams
from diagrams.collection import Diagrams
from diagrams.graph import FeynmanGraph
from diagrams.symbols import symbol
from diagrams.typing import Expr


@dataclass(frozen=True)
class Model(ModelDiagrams):
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

    def __str__(self) -> str:
        from diagrams._model_display import model_text

        return model_text(self)

    def _repr_html_(self) -> str:
        from diagrams._model_display import model_html

        return model_html(self)

    def signs(self, diagrams: Diagrams) -> NDArray[np.int64]:
        r"""Return the sign of each diagram of a collection.

        Minus one for each closed fermion loop, times the sign of the permutation that lists the fermionic legs line
        by line, relative to their order in the correlation function: :math:`\langle \psi(x_1) \psi^*(x_2) \rangle`
        has sign +1 at tree level. A line is listed with :math:`\psi` before :math:`\psi^*` (with the lower leg first
        if both its ends are alike). Signs of couplings and propagators are not included.

        With exchangeable legs the order is that of the fields of the model, each before its conjugate.

        Raises
        ------
        ValueError
            With exchangeable legs, if two fermionic ones of the same type could change places.
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
