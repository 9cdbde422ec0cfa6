r"""Interactions on top of an ensemble of any width: connected correlators of P_0 exp(-Delta S), by bipartite diagrams.

An interaction :math:`\Delta S = \sum_n \frac{1}{n!} \int g_n \phi^n` is added to an ensemble with connected correlators
:math:`G_c^{(r)}`. The connected correlators of the result are the sum of all connected bipartite graphs: interaction
vertices (factor :math:`-g_n`) joined by blobs (factor :math:`+G_c^{(r)}`); every slot of a vertex and every leg belongs
to exactly one blob; weight 1/\|Aut\|.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams._bipartite import BlobPlaces, bipartite_diagrams
from diagrams._couplings import Values, first_omitted, largest_gain, product_terms
from diagrams._interaction_terms import InteractionTerm, interaction_terms, weighted_integral
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators, CorrelatorSource
from diagrams.graph import CORRELATOR, INTERACTION, FeynmanGraph
from diagrams.regions import Region
from diagrams.rules import FeynmanRules, VertexRule
from diagrams.series import Exponents, Series
from diagrams.sources import FunctionSource
from diagrams.symbols import symbol
from diagrams.typing import Expr
from diagrams.value_source import ValueSource
from diagrams.vertex_orders import checked_orders

Term = tuple[Exponents, Expr]

_COMPLETE = (FunctionSource, ValueSource)  # correlators that are not given vanish


@dataclass(frozen=True)
class InteractingCorrelators:
    """Connected correlators of an ensemble with an interaction; make them with :func:`interacting_correlators`.

    Parameters
    ----------
    base : ConnectedCorrelators
        Those of the ensemble without the interaction.
    terms : tuple of InteractionTerm
        The interaction.
    couplings : tuple of sympy.Expr
        Its expansion parameters.
    order : tuple of int or None
        Highest power of the parameters of the base, then of the couplings; None is not limited.
    values : tuple of (symbol, value)
        Numbers for the couplings.
    """

    base: ConnectedCorrelators
    terms: tuple[InteractionTerm, ...]
    couplings: tuple[Expr, ...]
    order: tuple[int | None, ...]
    values: Values = ()

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.base.source.input_dim

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self.base.source.width

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return self.base.source.is_even and all(t.valence % 2 == 0 for t in self.terms)

    @property
    def is_dimension_explicit(self) -> bool:
        """True if correlators are functions of coordinates."""
        return self.base.source.is_dimension_explicit

    @property
    def expansion_values(self) -> Values:
        """Numbers for expansion parameters, those of the base included."""
        return (*getattr(self.base.source, "expansion_values", ()), *self.values)

    @property
    def parameters(self) -> tuple[Expr, ...]:
        """The expansion parameters: those of the base, then the couplings."""
        return (*self._base_parameters, *self.couplings)

    @property
    def _base_parameters(self) -> tuple[Expr, ...]:
        return self.base.source.correlator_series(2).parameters

    @property
    def _powers(self) -> dict[int, list[Exponents]]:
        """Powers of all parameters that the interaction vertices of each valence carry."""
        zero = (sympy.S.Zero,) * len(self._base_parameters)
        found: dict[int, list[Exponents]] = {}
        for term in self.terms:
            found.setdefault(term.valence, []).append((*zero, *term.order))
        return found

    @property
    def _most_slots(self) -> int:
        """The largest number of slots that the interaction vertices of one diagram can have."""
        high = self.order[len(self._base_parameters) :]
        return largest_gain(tuple((t.valence, t.order) for t in self.terms), tuple(map(sympy.Integer, high)))

    def blob_sizes(self, n: int) -> tuple[int, ...]:
        """Return the numbers of points of the connected correlators that the n-point function needs.

        Blobs have no more points than there are legs and slots. Where r-point correlators are of order N**(1 - r/2), as
        those of independent neurons are, the order in 1/N limits them too.
        """
        top = n + self._most_slots
        highest = dict(zip(self.parameters, self.order, strict=True)).get(1 / symbol("N"))
        if isinstance(self.base.source, _COMPLETE):
            top = min(top, self.base.max_points)
        elif highest is not None and self._falls_off(2 * highest + 2):
            top = min(top, 2 * highest + 2)
        return tuple(r for r in range(1, top + 1) if r % 2 == 0 or not self.base.source.is_even)

    def _falls_off(self, top: int) -> bool:
        """Return True if the r-point correlators are of order N**(1 - r/2), by those of up to ``top`` points."""
        if isinstance(self.base.source, Architecture):
            return True
        seen = max(top, 4)  # a common random scale of all neurons shows in the 4-point function
        if self.base.max_points < seen:
            return False
        place = self._base_parameters.index(1 / symbol("N"))
        found = ((r, self.base.source.correlator_series(r)) for r in range(3, seen + 1))
        return all(key[place] >= sympy.Rational(r, 2) - 1 for r, series in found for key, _ in series.terms)

    def _blobs(self, n: int) -> dict[int, Series]:
        """Return the non-zero connected correlators of the base that the n-point function needs."""
        sizes = self.blob_sizes(n)
        if missing := [r for r in sizes if r > self.base.max_points]:
            raise ValueError(
                f"the {n}-point function to this order needs the connected correlators of {missing} points of the "
                f"ensemble, but these stop at max_points={self.base.max_points}; use "
                f"connected_correlators(max_points={max(sizes)})"
            )
        found = {r: self.base.source.correlator_series(r) for r in sizes}
        for r, series in found.items():
            self._check_known(r, series)
        return {r: series for r, series in found.items() if len(series)}

    def _check_known(self, r: int, series: Series) -> None:
        if series.parameters != self._base_parameters:
            raise ValueError(
                f"the {r}-point correlator expands in {series.parameters}, the 2-point one in {self._base_parameters}"
            )
        for p, stop, h in zip(series.parameters, series.remainder or (), self.order, strict=False):
            if stop != sympy.oo and (h is None or h >= stop):
                raise ValueError(
                    f"the {r}-point correlator of the ensemble is known below {p}^{stop} only, but powers "
                    f"{'without limit' if h is None else f'through {h}'} are asked for; lower order[{str(p)!r}] or "
                    "compute the correlators to a higher order"
                )

    def rules(self, n: int) -> FeynmanRules:
        """Return the Feynman rules of the n-point function: vertices, blobs and their orders."""
        blobs = {r: self._lift(min(key for key, _ in series.terms)) for r, series in self._blobs(n).items()}
        return FeynmanRules.mixed(self._vertex_rules(), blobs, self.parameters)

    def _vertex_rules(self) -> list[VertexRule]:
        rules = []
        for n, keys in sorted(self._powers.items()):
            own = [t for t in self.terms if t.valence == n]
            local = own[0].is_local
            total = sympy.Add(*(-t.kernel * t.power(self.couplings) for t in own)) if local else sympy.S.NegativeOne
            rules.append(VertexRule(INTERACTION, n, total, None if local else f"g{n}", local, min(keys)))
        return rules

    def _lift(self, key: Exponents) -> Exponents:
        return (*key, *(sympy.S.Zero,) * len(self.couplings))

    def diagrams(self, n: int) -> Diagrams:
        """Return the bipartite diagrams of the n-point function, those of too high orders included.

        A vertex or blob of several terms counts with the lowest power of each.
        """
        vertices: dict[Any, list[Exponents]] = {(v, INTERACTION): keys for v, keys in self._powers.items()}
        for r, series in self._blobs(n).items():
            vertices[r, CORRELATOR] = [self._lift(key) for key, _ in series.terms]
        if not any(kind == CORRELATOR for _, kind in vertices):
            return Diagrams()
        return bipartite_diagrams(vertices, self.parameters, self.order, n)

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function as a Series in the parameters of the base and the couplings."""
        return _interacting_series(self, n)

    def __str__(self) -> str:
        powers = ", ".join(
            f"{p} to the power {h}" for p, h in zip(self.parameters, self.order, strict=True) if h is not None
        )
        return f"{self.base.source} with an interaction of {len(self.terms)} term(s), through {powers}"

    def amplitude(self, graph: FeynmanGraph) -> dict[Exponents, Expr]:
        """Return the contribution of a diagram order by order, with the correlators of the base written out."""
        blobs = {r: [(self._lift(k), c) for k, c in s.terms] for r, s in self._blobs(graph.n_legs).items()}
        return _amplitude(self, graph, blobs)


def interacting_correlators(
    correlators: ConnectedCorrelators,
    delta_s: Any,
    *,
    order: Any,
    region: Region | None = None,
    expansion: Any = None,
    values: Mapping[Any, Any] | None = None,
    max_points: int | None = None,
) -> ConnectedCorrelators:
    r"""Return the connected correlators of an ensemble whose density is multiplied by exp(-Delta S).

    .. math:: P = \frac{1}{Z} P_0\, e^{-\Delta S[\phi]}, \qquad
              \Delta S = \sum_n \frac{1}{n!} \int g_n\, \phi^n

    (arXiv:2307.03223, section 5). Every diagram of both kinds of vertices is included, so that the expansion is in the
    couplings and in the parameters of the ensemble, such as 1/N, at once. At infinite width only two-point blobs are
    left: the ordinary Feynman rules.

    Parameters
    ----------
    correlators : ConnectedCorrelators
        Of the ensemble without the interaction.
    delta_s : mapping from n to coupling, or Interaction
        A coupling is a number, a symbol, its name, or a polynomial in the expansion parameters (local interaction), or
        a symmetric function ``g_n(z1, ..., zn)`` of n points that returns such an expression (non-local). Or the
        interactions of :mod:`diagrams.interactions`, which know their regions.
    order : int or mapping from name to int
        Highest power of every parameter of the ensemble and of the couplings, ``{"1/N": 2, "lambda": 1}``. ``None``
        does not limit a parameter of the ensemble: exact in it.
    region : Region, optional
        Where a mapping of couplings acts (:class:`~diagrams.regions.Box`, :class:`~diagrams.regions.GaussianWeight`,
        :class:`~diagrams.regions.Sites`); default all of space.
    expansion, values
        Expansion parameters among the symbols in the couplings (default all of them) and numbers for them, as in
        :func:`~diagrams.theory.local_action`.
    max_points : int, optional
        Of the result; default the highest number of points for which the correlators given suffice. Correlators given
        as functions or tables suffice for any (those that are not given vanish); the default is then the number of
        points of the largest of them, or of the largest tree of propagators.

    Returns
    -------
    ConnectedCorrelators
        With diagrams attached to each order.

    Raises
    ------
    TypeError, ValueError
        If the interaction or the order is not understood, a coupling has no expansion parameter, or the correlators
        given are of too few points or not known to this order (the text says which).

    Examples
    --------
    >>> from diagrams.pointfunctions import PointFunction
    >>> G2 = ConnectedCorrelators.from_functions({2: lambda x, y: PointFunction("G", x, y)}, input_dim=None)
    >>> interacting = interacting_correlators(G2, {4: "lambda"}, order={"1/N": 0, "lambda": 1})
    >>> interacting[2].series[0, 1]
    -Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1), (y_1, -oo, oo))/2
    """
    source: CorrelatorSource = correlators.source
    if getattr(source, "output_dim", 1) != 1:
        raise ValueError("interactions are for a field of one component; give the correlators of a net of one output")
    terms, couplings, numbers = interaction_terms(delta_s, source, region, expansion=expansion, values=values)
    known = source.correlator_series(2).parameters
    if clash := [str(p) for p in couplings if p in known]:
        raise ValueError(f"{clash} are expansion parameters of the ensemble already; name the couplings differently")
    limits = _limits(order, known, couplings)
    found = InteractingCorrelators(correlators, terms, couplings, limits, numbers)
    return ConnectedCorrelators(found, _enough_points(found) if max_points is None else max_points)


def _limits(order: Any, known: tuple[Expr, ...], couplings: tuple[Expr, ...]) -> tuple[int | None, ...]:
    free = {str(p) for p in known if isinstance(order, Mapping) and str(p) in order and order[str(p)] is None}
    limited = tuple(p for p in (*known, *couplings) if str(p) not in free)
    given = {k: v for k, v in order.items() if k not in free} if isinstance(order, Mapping) else order
    chosen = dict(zip(limited, checked_orders(limited, given), strict=True))
    return tuple(chosen.get(p) for p in (*known, *couplings))


def _enough_points(found: InteractingCorrelators) -> int:
    """Return the highest number of points for which the correlators of the base suffice."""
    top = found.base.max_points
    if isinstance(found.base.source, _COMPLETE):
        free = tuple((t.valence - 2, t.order) for t in found.terms if t.valence > 2)
        high = found.order[len(found.order) - len(found.couplings) :]
        # trees of propagators, or as many points as the largest correlator given
        return max(top, 2 + largest_gain(free, tuple(map(sympy.Integer, high))))
    for n in range(top, 1, -1):
        if max(found.blob_sizes(n), default=0) <= top:
            return n
    needed = max(found.blob_sizes(2), default=2)
    raise ValueError(
        f"even the 2-point function to this order needs the connected correlators of up to {needed} points, but these "
        f"stop at max_points={top}; use connected_correlators(max_points={needed})"
    )


@cache
def _interacting_series(source: InteractingCorrelators, n: int) -> Series:
    blobs = {r: [(source._lift(k), c) for k, c in s.terms] for r, s in source._blobs(n).items()}
    amplitudes: dict[Exponents, list[Expr]] = {}
    attached: dict[Exponents, list[Diagrams]] = {}
    found = source.diagrams(n)
    for i, graph in enumerate(found):
        for key, value in _amplitude(source, graph, blobs).items():
            amplitudes.setdefault(key, []).append(value)
            attached.setdefault(key, []).append(found[i : i + 1])
    terms = tuple((key, sympy.Add(*parts)) for key, parts in amplitudes.items())
    sources = {key: Diagrams.concatenate(parts) for key, parts in attached.items()}
    keys = [key for keys in source._powers.values() for key in keys]
    keys += [key for terms_of_blob in blobs.values() for key, _ in terms_of_blob]
    remainder = first_omitted(source.order, keys)
    return Series(source.parameters, terms, remainder, sources)


def _amplitude(
    source: InteractingCorrelators, graph: FeynmanGraph, blobs: Mapping[int, list[Term]]
) -> dict[Exponents, Expr]:
    """Return the contribution of one graph, order by order."""
    rules = FeynmanRules.mixed(source._vertex_rules(), tuple(blobs), source.parameters).without_constants
    places = BlobPlaces.of(graph, rules, source.input_dim if source.is_dimension_explicit else 1)
    start: list[Term] = [((sympy.S.Zero,) * len(source.parameters), sympy.Rational(1, graph.symmetry_factor))]
    correlators = []
    for r, index in places.blobs:
        at = places.replaced(index)
        correlators.append([(key, value.xreplace(at)) for key, value in blobs[r]])
    total: dict[Exponents, Expr] = {}
    points = dict(places.points)
    zero = (sympy.S.Zero,) * len(source._base_parameters)
    for chosen in product(*([t for t in source.terms if t.valence == v] for v, _ in places.vertices)):
        vertices, regions = [], []
        for term, (_, index) in zip(chosen, places.vertices, strict=True):
            factor = -term.kernel if term.is_local else -term.kernel.xreplace(places.replaced(index))
            vertices.append([((*zero, *term.order), factor)])
            regions += [(points[i], term.region) for i in index]
        for key, value in product_terms([start, *correlators, *vertices], source.order).items():
            total[key] = total.get(key, sympy.S.Zero) + weighted_integral(value, regions)
    return {key: value for key, value in total.items() if value != 0}
