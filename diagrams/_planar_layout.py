"""Layouts without crossings, for components that can be drawn so and came out with crossings from the stress layout.

The legs stand on a circle in an order for which the component is planar. All faces inside are cut into triangles, so
that Tutte's barycentric positions have no crossings (W. T. Tutte, Proc. London Math. Soc. 13 (1963) 743); stress
relaxation then moves one node after another and gives up every move that would make lines cross.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import networkx as nx
import numpy as np

from diagrams._stress import Line, Positions, Skeleton, crossings, disjoint_pairs

_SWEEPS, _HALVINGS = 40, 4
_HUB, _TOP, _BOTTOM = -1, -2, -3  # a node at infinity, and corners that complete the circle of few legs


def planar_positions(skeleton: Skeleton, orders: Sequence[Sequence[int]]) -> Positions | None:
    """Return positions without crossings, None if there are none for these orders of the legs around the outside.

    Examples
    --------
    >>> from diagrams._stress import ideal_distances
    >>> lines = ((0, 2), (1, 3), (2, 3), (2, 4), (3, 5), (2, 5), (3, 4), (4, 5))  # K_4 with a leg on either side
    >>> ideal = ideal_distances(6, dict.fromkeys(lines, 1.0))
    >>> skeleton = Skeleton(tuple(range(6)), 2, 6, lines, (1,) * 8, ideal, (False,) * 6, True)
    >>> z = planar_positions(skeleton, [(0, 1)])
    >>> int(crossings(z[None], disjoint_pairs(lines))[0])
    0
    """
    for rim in _rims(skeleton, orders):
        start = _barycentric(skeleton, rim)
        if start is not None:
            return _relaxed(start, skeleton, _fence(rim))
    return None


def _rims(skeleton: Skeleton, orders: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """Iterate over the nodes that may stand on the outer circle, in their order."""
    n = skeleton.n_legs
    if n == 0:
        planar, embedding = nx.check_planarity(nx.Graph(skeleton.lines))
        faces = {frozenset(f): f for u, v in embedding.edges for f in [embedding.traverse_face(u, v)]} if planar else {}
        simple = [tuple(f) for key, f in faces.items() if len(key) == len(f) > 2]
        yield from sorted(simple, key=lambda f: (-len(f), sorted(f)))[:1]
    elif n == 1:
        yield (0, _TOP, _BOTTOM)
    elif n == 2:
        yield (0, _TOP, 1, _BOTTOM)
    else:
        yield from (tuple(order) for order in orders)


def _fence(rim: tuple[int, ...]) -> tuple[Line, ...]:
    """Return lines along the circle between real nodes, which no other line may cross: nothing leaves past a leg."""
    pairs = [(rim[k - 1], rim[k]) for k in range(len(rim))]
    return tuple((min(p), max(p)) for p in pairs if min(p) >= 0)


def _barycentric(skeleton: Skeleton, rim: tuple[int, ...]) -> Positions | None:
    net = nx.Graph(skeleton.lines)
    net.add_edges_from((rim[k - 1], rim[k]) for k in range(len(rim)))
    net.add_edges_from((_HUB, node) for node in rim)
    planar, embedding = nx.check_planarity(net)
    if not planar:
        return None
    full = nx.Graph(nx.algorithms.planar_drawing.triangulate_embedding(embedding)[0])
    around = list(embedding.neighbors_cw_order(_HUB))
    first = around.index(rim[0])
    around = around[first:] + around[:first]
    angles = np.pi - 2 * np.pi * np.arange(len(around)) / len(around)
    place = dict(zip(around, np.exp(1j * angles), strict=True))
    inner = [node for node in full if node not in place and node != _HUB]
    rank = {node: k for k, node in enumerate(inner)}
    matrix = np.eye(len(inner), dtype=np.complex128)
    known = np.zeros(len(inner), dtype=np.complex128)
    for node in inner:
        neighbours = [m for m in full[node] if m != _HUB]
        for m in neighbours:
            if m in rank:
                matrix[rank[node], rank[m]] -= 1 / len(neighbours)
            else:
                known[rank[node]] += place[m] / len(neighbours)
    place |= dict(zip(inner, np.linalg.solve(matrix, known), strict=True))
    radius = float(skeleton.ideal.max()) / 2
    return np.array([radius * complex(place[i]) for i in range(skeleton.size)], dtype=np.complex128)


def _relaxed(z: Positions, skeleton: Skeleton, fence: tuple[Line, ...]) -> Positions:
    """Return the positions moved downhill in stress, keeping every line off every other one."""
    lines = skeleton.lines + tuple(line for line in fence if line not in skeleton.lines)
    pairs = disjoint_pairs(lines)
    near = [[p for p in pairs if i in p[0] + p[1]] for i in range(skeleton.size)]
    ideal = skeleton.ideal + np.eye(skeleton.size)
    weights = ideal**-2 * (1.0 - np.eye(skeleton.size))
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    z = z.copy()
    for _ in range(_SWEEPS):
        for i in range(skeleton.size):
            delta = z[i] - z
            goal = (z + ideal[i] * delta / np.maximum(np.abs(delta), 1e-9)) @ weights[i]
            goal = goal.real if skeleton.on_axis[i] else goal
            z[i] = _allowed(z, i, complex(goal), near[i])
    return z


def _allowed(z: Positions, i: int, goal: complex, pairs: list[tuple[Line, Line]]) -> complex:
    """Return how far node ``i`` may go to its goal, by halves, without a crossing."""
    start = complex(z[i])
    steps = start + (goal - start) * 0.5 ** np.arange(_HALVINGS)
    trials = np.repeat(z[None], _HALVINGS, axis=0)
    trials[:, i] = steps
    free = np.flatnonzero(crossings(trials, pairs) == 0)
    return complex(steps[free[0]]) if len(free) else start
