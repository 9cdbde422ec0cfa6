"""Models of field theory: field species, vertices, and ready-made theories whose diagrams can be enumerated."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from diagrams._field_stream import ModelPosition, ModelStream
from diagrams._fields import Field, Vertex
from diagrams._model import Model
from diagrams.graph import CORRELATOR

__all__ = [
    "Field",
    "Model",
    "ModelPosition",
    "ModelStream",
    "Vertex",
    "bipartite",
    "complex_phi4",
    "o_n",
    "qed",
    "scalar",
    "yukawa",
]


def qed() -> Model:
    """Return quantum electrodynamics: fermion ``psi``, photon ``A``, coupling ``e``."""
    psi = Field("psi", is_complex=True, is_grassmann=True)
    return Model("qed", (psi, Field("A")), (Vertex(("psi*", "psi", "A"), (("e", 1),)),), charge_odd=("A",))


def yukawa(*, phi4: bool = False) -> Model:
    """Return a fermion ``psi`` and a real scalar ``phi`` with coupling ``y``, and ``phi^4`` (``lambda``) if asked."""
    psi = Field("psi", is_complex=True, is_grassmann=True)
    vertices = [Vertex(("psi*", "psi", "phi"), (("y", 1),))]
    if phi4:
        vertices.append(Vertex(("phi",) * 4, (("lambda", 1),)))
    return Model("yukawa", (psi, Field("phi")), tuple(vertices))


def scalar(valences: int | Sequence[int] = (4,)) -> Model:
    """Return one real field ``phi`` with couplings ``g_k`` for the valences ``k`` given."""
    degrees = (valences,) if isinstance(valences, int) else tuple(sorted(set(valences)))
    return Model("scalar", (Field("phi"),), tuple(Vertex(("phi",) * k, ((f"g_{k}", 1),)) for k in degrees))


def complex_phi4() -> Model:
    """Return a complex field with the vertex ``(phi* phi)^2`` (coupling ``lambda`` with 1/(2! 2!))."""
    vertex = Vertex(("phi*", "phi*", "phi", "phi"), (("lambda", 1),))
    return Model("complex phi4", (Field("phi", is_complex=True),), (vertex,))


def o_n() -> Model:
    r"""Return ``phi^4`` theory of ``N_c`` real fields, each vertex split into its index pairings.

    A vertex :math:`-\lambda/4!\,(\phi_a \phi_a)^2` is a pair of vertices, each with two ``phi`` half-edges of equal
    index, joined by a line of the contact field ``sigma``, which carries :math:`-\lambda/3`: each pairing one third of
    the vertex. The index sums of a diagram give :meth:`Model.index_factor`.

    Examples
    --------
    >>> model = o_n()
    >>> ds = model.diagrams({"phi": 2}, loops=1)
    >>> [(d.symmetry_factor, model.index_factor(d)) for d in ds]
    [(2, N_c), (1, 1)]
    """
    vertex = Vertex(("phi", "phi", "sigma"), (("lambda", Fraction(1, 2)),))
    return Model("O(N)", (Field("phi"), Field("sigma", is_contact=True)), (vertex,), index_field="phi")


def bipartite(*, interactions: Sequence[int] = (4,), blobs: Sequence[int] = (2, 4, 6)) -> Model:
    """Return interactions on top of a finite-N ensemble: vertices joined by connected-correlator blobs.

    Lines join an interaction of degree ``n`` (order ``g_n``) to a connected correlator of degree ``r``
    (order ``1/N`` to the power ``r/2 - 1``) and only say that two points coincide; legs end at blobs. A blob of
    degree 2 is the propagator. Amplitudes: :meth:`diagrams.FeynmanRules.mixed`.

    Examples
    --------
    >>> model = bipartite()
    >>> ds = model.diagrams({"phi": 2}, order={"g_4": 1})
    >>> sorted(24 // d.symmetry_factor for d in ds)
    [1, 4, 4, 6, 12]
    """
    vertices = [Vertex(("phi",) * n, ((f"g_{n}", 1),)) for n in sorted(set(interactions))]
    vertices += [Vertex(("phi*",) * r, (("1/N", Fraction(r, 2) - 1),), kind=CORRELATOR) for r in sorted(set(blobs))]
    line = Field("phi", is_complex=True, is_contact=True)
    return Model("bipartite", (line,), tuple(vertices), external=("phi",))
