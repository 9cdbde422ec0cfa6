r"""Diagrams whose vertices are summed over the nodes of a quadrature rule, as few matrix products.

A vertex is a sum over nodes z with weights w(z), a line a matrix of the propagator. Before the order of contraction is
chosen, lines between the same two vertices become one matrix of their product, lines from a vertex to itself and
weights become vectors, and legs at one vertex one operand over *sorted* tuples of points: the C(P + l - 1, l) products
of l legs in place of P^l. Diagrams that differ by labels of legs only are contracted once. Large results are computed
in slices, which fit into the cache where that costs no more operations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
import opt_einsum
from numpy.typing import NDArray

from diagrams.graph import FeynmanGraph
from numerics.kernels import index_tuples

Floats = NDArray[np.float64]

_CACHE = 1 << 20  # numbers: slices of this size are faster
_NO_DEARER = 1.05  # times the operations, that slices may cost
MEMORY = 1 << 28  # numbers in the largest intermediate result: two gigabytes


@dataclass(frozen=True, eq=False)
class GridLines:
    """Propagators between points and the nodes of a quadrature rule.

    Parameters
    ----------
    outer : array (n_points, n_points)
        Between points.
    leg : array (n_points, n_nodes)
        From points to nodes.
    inner : array (n_nodes, n_nodes)
        Between nodes; symmetric.
    weights : array (n_nodes,)
        Of the quadrature rule.
    at_zero : array (n_nodes,), optional
        The propagator at coincident points; default the diagonal of ``inner``.

    Raises
    ------
    ValueError
        If shapes do not fit together.
    """

    outer: Floats
    leg: Floats
    inner: Floats
    weights: Floats
    at_zero: Floats | None = None

    def __post_init__(self) -> None:
        points, nodes = self.leg.shape
        expected = {"outer": (points, points), "inner": (nodes, nodes), "weights": (nodes,)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, as leg has {self.leg.shape}; got "
                                 f"{getattr(self, name).shape}")  # fmt: skip

    @property
    def loop(self) -> Floats:
        """The propagator at coincident points, on the nodes."""
        return np.ascontiguousarray(np.diagonal(self.inner)) if self.at_zero is None else self.at_zero


def grid_amplitude(graph: FeynmanGraph, lines: GridLines, *, memory: int = MEMORY) -> Floats:
    """Return the integral of a diagram: its lines, summed over the nodes for each vertex.

    Parameters
    ----------
    graph : FeynmanGraph
        Of one field; its symmetry factor and couplings are not included.
    lines : GridLines
    memory : int
        Numbers that the largest intermediate result may hold; a larger one is computed in slices over the legs of a
        vertex.

    Returns
    -------
    array (n_points,) * n_legs
        One axis for each leg node in order; for exchangeable legs those of the graph as it stands.

    Raises
    ------
    MemoryError
        If slices of one tuple of points are still too large.

    Examples
    --------
    >>> from diagrams import phi4
    >>> tadpole = phi4().diagrams(legs=2, max_loops=1)[1]
    >>> lines = GridLines(np.ones((1, 1)), np.full((1, 3), 2.0), np.ones((3, 3)), np.ones(3))
    >>> grid_amplitude(tadpole, lines)  # three nodes, legs 2 * 2, loop 1
    array([[12.]])
    """
    return _unpacked(graph, _core(graph, lines, memory, {}), len(lines.leg))


def grid_amplitudes(
    diagrams: Iterable[FeynmanGraph],
    lines: GridLines,
    couplings: Mapping[int, float],
    *,
    memory: int = MEMORY,
) -> Floats:
    r"""Return the sum of diagrams with their symmetry factors and vertices :math:`-g_n`.

    Parameters
    ----------
    diagrams : iterable of FeynmanGraph
        With equally many labelled or exchangeable legs; exchangeable ones are summed over their labellings.
    lines : GridLines
    couplings : mapping from valence to float
        g_n of the interaction :math:`g_n \phi^n / n!`.
    memory : int
        As for :func:`grid_amplitude`.

    Returns
    -------
    array (n_points,) * n_legs

    Raises
    ------
    ValueError
        If a coupling is missing, or diagrams have different numbers of legs.
    """
    total: Floats | None = None
    cores: dict[FeynmanGraph, Floats] = {}
    powers: dict[int, Floats] = {}
    for graph in diagrams:
        if missing := sorted(set(graph.valences) - set(couplings)):
            raise ValueError(f"no couplings for vertices of {missing} fields; given: {sorted(couplings)}")
        factor = prod(-float(couplings[n]) for n in graph.valences)
        free = graph.with_exchangeable_legs()
        if free not in cores:
            cores[free] = _unpacked(free, _core(free, lines, memory, powers), len(lines.leg))
        fixed = graph if graph.labelled else graph.relabel_legs(range(graph.n_legs))
        part = np.zeros_like(cores[free])
        if graph.labelled:
            part += cores[free].transpose(_order_of(graph, free))
        else:
            for labels in graph.labelled_versions():
                part += cores[free].transpose(np.argsort(labels))
        part *= factor / fixed.symmetry_factor
        if total is not None and total.shape != part.shape:
            raise ValueError(f"diagrams have different numbers of legs: {total.ndim} and {part.ndim}")
        total = part if total is None else total + part
    if total is None:
        raise ValueError("there are no diagrams to sum")
    return total


@cache
def _order_of(graph: FeynmanGraph, free: FeynmanGraph) -> tuple[int, ...]:
    """Return the axes of the core of the class that are those of a labelled diagram."""
    for labels in free.labelled_versions():
        if free.relabel_legs(labels) == graph:
            return tuple(int(i) for i in np.argsort(labels))
    raise AssertionError(f"{graph} is no labelling of {free}")


def _core(graph: FeynmanGraph, lines: GridLines, memory: int, powers: dict[int, Floats]) -> Floats:
    """Return the contraction with one axis for each vertex that has legs, over sorted tuples of points."""
    legs = _legs(graph)
    merged = Counter(tuple(sorted(edge)) for edge in graph.internal_edges)
    operands: list[Any] = []
    for v in graph.vertices:
        loops = merged.pop((v, v), 0)
        vector = lines.weights * lines.loop**loops if loops else lines.weights
        if v in legs:
            index = index_tuples(len(lines.leg), len(legs[v]))
            packed = lines.leg[index[:, 0]] * vector
            for column in index.T[1:]:
                packed *= lines.leg[column]
            operands += [packed, [_axis(graph, v), v]]
        else:
            operands += [vector, [v]]
    for (u, v), power in merged.items():
        if power not in powers:
            powers[power] = lines.inner**power if power > 1 else lines.inner
        operands += [powers[power], [u, v]]
    return _contracted(operands, [_axis(graph, v) for v in sorted(legs)], memory)


def _axis(graph: FeynmanGraph, vertex: int) -> int:
    return vertex + graph.n_legs + graph.n_vertices


def _legs(graph: FeynmanGraph) -> dict[int, list[int]]:
    """Return the legs at each vertex; legs that are joined to one another are at none."""
    found: dict[int, list[int]] = {}
    for edge in graph.external_edges:
        leg, end = sorted(edge)
        if end >= graph.n_legs:
            found.setdefault(end, []).append(leg)
    return {v: sorted(at) for v, at in found.items()}


def _contracted(operands: list[Any], output: list[int], memory: int) -> Floats:
    if not operands:
        return np.ones(())
    subscripts, arrays = tuple(tuple(s) for s in operands[1::2]), operands[::2]
    plan = _plan(subscripts, tuple(a.shape for a in arrays), tuple(output), memory)
    equation = _equation(subscripts, tuple(output))
    if plan.axis is None:
        return np.asarray(opt_einsum.contract(equation, *arrays, optimize=plan.path))
    parts = []
    for k in range(0, plan.size, plan.step):
        part = slice(k, min(k + plan.step, plan.size))
        some = (_part(a, s, plan.axis, part) for a, s in zip(arrays, subscripts, strict=True))
        parts.append(opt_einsum.contract(equation, *some, optimize=plan.path))
    return np.concatenate(parts, axis=output.index(plan.axis))


class _Plan(NamedTuple):
    """An order of contraction, and the axis of the result that is computed in slices."""

    path: Any
    axis: int | None = None
    step: int = 0
    size: int = 0


@cache
def _plan(
    subscripts: tuple[tuple[int, ...], ...], shapes: tuple[tuple[int, ...], ...], output: tuple[int, ...], memory: int
) -> _Plan:
    """Return the cheapest order within the memory; where slices cost no more, they are made to fit into the cache."""
    equation = _equation(subscripts, output)
    path, cost, largest = _path(equation, shapes)
    if largest <= min(memory, _CACHE):
        return _Plan(path)
    sizes = {i: n for s, shape in zip(subscripts, shapes, strict=True) for i, n in zip(s, shape, strict=True)}
    found: list[tuple[float, int, _Plan]] = []
    for axis in output:
        step = sizes[axis]
        while step > 1:
            step = (step + 1) // 2
            sliced = tuple(
                tuple(step if i == axis else n for i, n in zip(s, shape, strict=True))
                for s, shape in zip(subscripts, shapes, strict=True)
            )
            own, part_cost, part_largest = _path(equation, sliced)
            total = part_cost * ceil(sizes[axis] / step)
            if part_largest <= memory:
                found.append((total, part_largest, _Plan(own, axis, step, sizes[axis])))
    cheap = [f for f in found if f[0] <= _NO_DEARER * cost]
    if cheap:
        fitting = [f for f in cheap if f[1] <= _CACHE]
        return min(fitting, key=lambda f: f[0])[2] if fitting else min(cheap, key=lambda f: f[1])[2]
    if largest <= memory:
        return _Plan(path)
    if not found:
        raise MemoryError(
            f"a contraction needs {largest:.1e} numbers at once, also in slices more than memory={memory}: use fewer "
            "nodes"
        )
    return min(found, key=lambda f: f[0])[2]


def _part(array: Floats, subscript: tuple[int, ...], axis: int, part: slice) -> Floats:
    return array[tuple(part if i == axis else slice(None) for i in subscript)]


def _equation(subscripts: tuple[tuple[int, ...], ...], output: tuple[int, ...]) -> str:
    names = {i: opt_einsum.get_symbol(k) for k, i in enumerate(sorted({i for s in subscripts for i in s}))}
    left = ",".join("".join(names[i] for i in s) for s in subscripts)
    return f"{left}->{''.join(names[i] for i in output)}"


def _path(equation: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[Any, float, int]:
    """Return the best order of contraction, its operations and the size of its largest result."""
    path, info = opt_einsum.contract_path(equation, *shapes, shapes=True, optimize="dp")
    return path, float(info.opt_cost), int(info.largest_intermediate)


def _unpacked(graph: FeynmanGraph, core: Floats, n_points: int) -> Floats:
    """Return the tensor with one axis for each leg, legs joined to one another included by no factor."""
    legs = _legs(graph)
    order = [leg for v in sorted(legs) for leg in legs[v]]
    for axis, v in enumerate(sorted(legs)):
        core = np.take(core, _places(n_points, len(legs[v])), axis=axis)
    full = core.reshape((n_points,) * len(order))
    if len(order) < graph.n_legs:
        raise ValueError("legs that are joined directly have no vertex to sum over")
    return np.ascontiguousarray(full.transpose(np.argsort(order))) if order else full


@cache
def _places(n_points: int, degree: int) -> NDArray[np.intp]:
    """Return for every tuple of points, in any order, the place of the sorted one."""
    place = {tuple(t): k for k, t in enumerate(index_tuples(n_points, degree).tolist())}
    every = np.indices((n_points,) * degree).reshape(degree, -1).T
    return np.array([place[tuple(sorted(t))] for t in every.tolist()], dtype=np.intp)
