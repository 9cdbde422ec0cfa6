"""All diagrams to a given order: vertices with weights, in one expansion parameter or several at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

from diagrams._fields import Field, Vertex
from diagrams._model import Model
from diagrams._weights import Powers, WeightedVertices
from diagrams.collection import Diagrams
from diagrams.counting import check_count
from diagrams.generate import enumerate_diagrams
from diagrams.graph import INTERACTION, KINDS

Number = int | Fraction
Key = int | tuple[int, str]
Weight = Number | Mapping[str, Number]
Order = Number | Mapping[str, Number | None]
ByOrder = dict[Fraction, Diagrams] | dict[Powers, Diagrams]

_SINGLE = "order"  # the parameter, when weights are plain numbers
_FIELD = "phi"
_FROM_HERE = {"valences", "legs", "loops", "order", "self"}  # what the callers of the generators set


@dataclass(frozen=True)
class _Source(Vertex):
    """A vertex with one half-edge, which a :class:`Vertex` of a model does not have."""

    def __post_init__(self) -> None:
        if len(self.half_edges) != 1:
            raise ValueError(f"a source has one half-edge, got {self.half_edges}")


def diagrams_to_order(weights: Mapping[Key, Weight], *, legs: int, order: Order, **options: Any) -> dict[Any, Diagrams]:
    r"""Return all diagrams of one real field through an order, sorted by their power of the expansion parameters.

    The power of a diagram is the sum of the weights of its vertices; all numbers of loops are included.

    Parameters
    ----------
    weights : mapping
        For each vertex its weight. A vertex is a valence ``r >= 1``, or a pair ``(r, kind)`` with kind
        ``"interaction"`` (default) or ``"correlator"``. A weight is a number, or ``{parameter: power}`` for several
        parameters: ``{4: 1}`` counts powers of a coupling, ``{r: Fraction(r, 2) - 1 for r in (4, 6, 8)}`` powers of
        1/N (connected correlators of r points are of order :math:`N^{1 - r/2}`, arXiv:2307.03223, section 3), and
        ``{4: {"lambda": 1}, (4, "correlator"): {"1/N": 1}}`` both.
    legs : int
        Number of external legs.
    order : number or mapping
        Highest power kept, for each parameter if there are several (``None``: not limited).
    **options
        Options of :func:`diagrams.enumerate_diagrams`, such as ``one_particle_irreducible``, ``self_loops``,
        ``connected`` or ``labelled``; ``max_graphs`` holds for each power by itself. With vertices of several kinds or
        of fewer than three half-edges, or with ``connected=False``, those of :meth:`diagrams.Model.diagrams`.

    Returns
    -------
    dict
        Power to :class:`Diagrams`, lowest powers first, powers without a diagram left out. A power is a Fraction, or a
        tuple of Fractions in the order in which ``order`` names the parameters.

    Raises
    ------
    TypeError, ValueError
        For weights that are not exact numbers, unknown parameters or options, or orders that leave infinitely many
        diagrams (the text names the vertices of which there could be any number).
    MemoryError
        If there are more than ``max_graphs`` diagrams of one power.

    Notes
    -----
    A connected diagram with :math:`n_r` vertices of valence r has :math:`\sum_r (r - 2) n_r = \text{legs} + 2 (L - 1)`.
    The lists :math:`(n_r)` with this, L >= 0 and no power too high are found first; there are infinitely many if, for
    instance, a 2-leg vertex has no weight in a parameter that is limited.

    Examples
    --------
    >>> found = diagrams_to_order({4: 1}, legs=2, order=3)
    >>> [(int(power), len(ds)) for power, ds in found.items()]
    [(0, 1), (1, 1), (2, 3), (3, 10)]

    A mass counterterm of first order (vertex 2), with the coupling:

    >>> found = diagrams_to_order({4: 1, 2: 1}, legs=2, order=1)
    >>> [(int(power), [d.valences for d in ds]) for power, ds in found.items()]
    [(0, [()]), (1, [(2,), (4,)])]
    """
    check_count("legs", legs)
    vertices = {_vertex_key(key): weight for key, weight in weights.items()}
    if not vertices:
        raise ValueError("weights is empty: give at least one vertex, such as {4: 1}")
    if len(vertices) < len(weights):
        raise ValueError(f"a vertex is given twice in {list(weights)}; {INTERACTION!r} is the default kind")
    names, highest = _orders(order, vertices)
    rows = tuple(_powers(key, weight, names) for key, weight in vertices.items())
    connected = bool(options.get("connected", True))
    problem = WeightedVertices(tuple(vertices), rows, highest, legs, connected)
    kinds = {kind for _, kind in vertices}
    if len(kinds) == 1 and min(valence for valence, _ in vertices) >= 3 and connected:
        found = _by_loops(problem, kinds.pop(), _checked_options(enumerate_diagrams, options))
    else:
        found = _by_model(problem, names, _checked_options(Model.diagrams, options))
    ranked = sorted(found.items(), key=lambda item: (sum(item[0]), item[0]))
    if not isinstance(order, Mapping):
        return {power: ds for (power,), ds in ranked if len(ds)}
    return {powers: ds for powers, ds in ranked if len(ds)}


def concatenate(by_order: Mapping[Any, Diagrams]) -> Diagrams:
    """Return the diagrams of all orders as one collection, in the order of the mapping.

    Examples
    --------
    >>> len(concatenate(diagrams_to_order({4: 1}, legs=2, order=3)))
    15
    """
    return Diagrams(tuple(block for ds in by_order.values() for block in ds.blocks))


def _vertex_key(key: Any) -> tuple[int, str]:
    valence, kind = key if isinstance(key, tuple) and len(key) == 2 else (key, INTERACTION)
    if isinstance(valence, bool) or not isinstance(valence, int):
        raise TypeError(f"a vertex is a valence such as 4 or a pair such as (4, 'correlator'), got {key!r}")
    if valence < 1:
        raise ValueError(f"a vertex has at least one half-edge, got {key!r}")
    if kind not in KINDS:
        raise ValueError(f"unknown vertex kind {kind!r} in {key!r}; allowed: {list(KINDS)}")
    return valence, kind


def _orders(order: Any, vertices: Mapping[tuple[int, str], Any]) -> tuple[tuple[str, ...], tuple[Fraction | None, ...]]:
    """Return the names of the parameters and their highest powers."""
    several = [key for key, weight in vertices.items() if isinstance(weight, Mapping)]
    if not isinstance(order, Mapping):
        if several:
            raise ValueError(f"vertex {several[0]} has a weight for each parameter; give order={{parameter: highest}}")
        return (_SINGLE,), (_exact("order", order),)
    if len(several) < len(vertices):
        key = next(k for k in vertices if k not in several)
        raise ValueError(f"order names parameters, so the weight of vertex {key} must be {{parameter: power}}")
    used = {name for key in several for name in vertices[key]}
    if unknown := sorted(used - set(order)):
        raise ValueError(f"order does not name the parameters {unknown}; give a highest power, or None for no limit")
    if unknown := sorted(set(order) - used):
        raise ValueError(f"no vertex has a weight in {unknown}; the parameters are {sorted(used)}")
    limits = (None if value is None else _exact(f"order[{name!r}]", value) for name, value in order.items())
    return tuple(order), tuple(limits)


def _powers(key: tuple[int, str], weight: Any, names: tuple[str, ...]) -> Powers:
    if not isinstance(weight, Mapping):
        return (_exact(f"the weight of vertex {key}", weight),)
    return tuple(_exact(f"the weight of vertex {key} in {name!r}", weight.get(name, 0)) for name in names)


def _exact(name: str, value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, Rational):
        raise TypeError(f"{name} must be an exact number such as 1 or Fraction(1, 2), got {value!r}")
    return Fraction(value)


def _checked_options(generator: Callable[..., Diagrams], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the generator is called with; those it does not have must have their default value."""
    everywhere = inspect.signature(enumerate_diagrams).parameters
    here = inspect.signature(generator).parameters
    known = (set(everywhere) | set(here)) - _FROM_HERE
    if unknown := sorted(set(options) - known):
        raise TypeError(f"unknown options {unknown}; allowed: {sorted(known)}")
    missing = {name for name in options if name not in here}
    if refused := sorted(name for name in missing if options[name] != everywhere[name].default):
        raise ValueError(
            f"options {refused} are not available here: only for connected diagrams with vertices of one kind and "
            "three half-edges or more"
            if generator is not enumerate_diagrams
            else f"options {refused} need vertices of several kinds or with fewer than three half-edges"
        )
    return {name: value for name, value in options.items() if name not in missing}


def _by_loops(problem: WeightedVertices, kind: str, options: dict[str, Any]) -> dict[Powers, Diagrams]:
    """Enumerate connected diagrams for each number of loops, with the valences that occur in it, and select."""
    wanted: dict[tuple[int, tuple[int, ...]], Powers] = {}
    for counts in problem.counts():
        valences = tuple(sorted(v for (v, _), n in zip(problem.vertices, counts, strict=True) for _ in range(n)))
        wanted[problem.n_loops(counts), valences] = problem.powers(counts)
    lists = [(loops, frozenset(valences)) for loops, valences in wanted]
    largest = {(n, s) for n, s in lists if not any(n == m and s < t for m, t in lists)}
    found: dict[Powers, Diagrams] = {}
    done: set[tuple[int, tuple[int, ...]]] = set()
    fallback = frozenset({min(v for v, _ in problem.vertices)})  # for the bare propagator any valence does
    for loops, allowed in sorted(largest, key=lambda item: (item[0], sorted(item[1]))):
        chosen = sorted(allowed or fallback)
        for valences, ds in (
            enumerate_diagrams(valences=chosen, legs=problem.legs, loops=loops, **options).by_valences().items()
        ):
            key = (loops, valences)
            if key in wanted and key not in done:
                done.add(key)
                found[wanted[key]] = found.get(wanted[key], Diagrams()) + ds.with_kind(kind)
    return found


def _by_model(problem: WeightedVertices, names: tuple[str, ...], options: dict[str, Any]) -> dict[Powers, Diagrams]:
    """Enumerate diagrams for each power with the generator for several kinds of vertices."""
    vertices: list[Vertex] = []
    for (valence, kind), powers in zip(problem.vertices, problem.weights, strict=True):
        half_edges, weight = (_FIELD,) * valence, tuple(zip(names, powers, strict=True))
        if valence == 1:
            vertices.append(_Source(half_edges, weight, kind))
        else:
            vertices.append(Vertex(half_edges, weight, kind, is_counterterm=valence == 2))
    model = Model("weighted vertices", (Field(_FIELD),), tuple(vertices), external=(_FIELD,))
    wanted = {(problem.powers(n), problem.n_loops(n) if problem.connected else None) for n in problem.counts()}
    found: dict[Powers, Diagrams] = {}
    for powers, loops in sorted(wanted, key=lambda item: (item[0], item[1] or 0)):
        order = dict(zip(names, powers, strict=True))
        ds = model.diagrams({_FIELD: problem.legs}, loops=loops, order=order, **options)
        found[powers] = found.get(powers, Diagrams()) + ds
    return found
