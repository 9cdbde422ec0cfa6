"""Node positions of a diagram: stress layout from deterministic starts, the best one oriented and straightened.

Positions are complex numbers, one unit is the length of a plain internal line, and y points up.
"""

from __future__ import annotations

from functools import lru_cache

import networkx as nx
import numpy as np

from diagrams._planar_layout import planar_positions
from diagrams._stress import (
    Positions,
    Reals,
    Skeleton,
    crossings,
    crowding,
    disjoint_pairs,
    ideal_distances,
    mirror_match,
    relax,
    separate,
    stress,
    symmetrised,
)
from diagrams.graph import CORRELATOR, FeynmanGraph

BLOB_RADIUS = 0.22
_LEG, _LOOP, _GAP = 0.75, 0.55, 0.8
_CLEARANCE = 0.42
_GOLDEN = 2.399963
_STEPS, _SWEEPS = (0.5, 0.25, 0.12, 0.06), 6
_TOLERATED = 14.0  # ugliness of one crossing and a little more
_RIGHT_LEFT = {1: (np.pi,), 2: (np.pi, 0.0), 3: (np.pi, -np.pi / 3, np.pi / 3)}
_CORNERS = (0.75 * np.pi, -0.75 * np.pi, -0.25 * np.pi, 0.25 * np.pi)


@lru_cache(maxsize=4096)
def node_positions(graph: FeynmanGraph) -> tuple[complex, ...]:
    """Return the position of every node; components stand side by side.

    Examples
    --------
    >>> node_positions(FeynmanGraph(2, ((0, 1),)))
    (0j, (1.5+0j))
    """
    positions: dict[int, complex] = {}
    right = 0.0
    for part in sorted(map(sorted, nx.connected_components(nx.Graph(graph.edges)))):
        skeleton = _skeleton(graph, tuple(part))
        z = _component(skeleton)
        z -= z.real.min() - right
        right = float(z.real.max()) + _GAP + 0.5 * (graph.labelled and skeleton.n_legs > 0)
        positions |= {node: _rounded(complex(z[i])) for i, node in enumerate(skeleton.nodes)}
    return tuple(positions[node] for node in sorted(positions))


def _rounded(z: complex) -> complex:
    return complex(round(z.real, 2) + 0.0, round(z.imag, 2) + 0.0)


def _skeleton(graph: FeynmanGraph, nodes: tuple[int, ...]) -> Skeleton:
    place = {node: i for i, node in enumerate(nodes)}
    n_legs = sum(node < graph.n_legs for node in nodes)
    count: dict[tuple[int, int], int] = {}
    size = len(nodes)
    for u, v in graph.edges:
        if u in place:
            i, j = sorted((place[u], place[v]))
            if i == j:
                j, size = size, size + 1
            count[i, j] = count.get((i, j), 0) + 1
    blobs = [v >= graph.n_legs and graph.kinds[v - graph.n_legs] == CORRELATOR for v in nodes]
    blobs += [False] * (size - len(nodes))
    lengths = {
        (i, j): _length(i < n_legs, j < n_legs, j >= len(nodes), m) + 0.8 * BLOB_RADIUS * (blobs[i] + blobs[j])
        for (i, j), m in count.items()
    }
    lines = tuple(sorted(count))
    multiplicities = tuple(count[line] for line in lines)
    axis = _backbone(n_legs, size, lines)
    return Skeleton(nodes, n_legs, size, lines, multiplicities, ideal_distances(size, lengths), axis, graph.labelled)


def _length(first_leg: bool, second_leg: bool, loop: bool, multiplicity: int) -> float:
    if first_leg:
        return 2 * _LEG if second_leg else _LEG
    return _LOOP if loop else 1.0 + 0.12 * min(multiplicity - 1, 3)


def _backbone(n_legs: int, size: int, lines: tuple[tuple[int, int], ...]) -> tuple[bool, ...]:
    """Mark what lies on the axis of a two-leg component: its legs and the nodes that separate them."""
    if n_legs != 2:
        return (False,) * size
    net = nx.Graph(lines)
    return tuple(i < 2 or not nx.has_path(nx.restricted_view(net, [i], []), 0, 1) for i in range(size))


def _component(skeleton: Skeleton) -> Positions:
    starts = _starts(skeleton)
    pool = np.concatenate([relax(starts, skeleton, sweeps=50), relax(starts, skeleton, sweeps=2)])
    z = pool[int(np.argmin(_score(pool, skeleton)))]
    settled = relax(z[None], skeleton, sweeps=100)[0]
    before, after = _score(np.array([z, settled]), skeleton)
    z = settled if after < before + 3.0 else z  # less than a new crossing or a leg shut in
    z = _polished(_cornered(_oriented(z, skeleton), skeleton), skeleton)
    z = _uncrossed(z, skeleton) if _n_crossings(z, skeleton) else z
    return z if skeleton.n_legs == 2 else z - 1j * (z.imag.max() + z.imag.min()) / 2


def _polished(z: Positions, skeleton: Skeleton) -> Positions:
    for _ in range(2):
        z = symmetrised(_upright(separate(symmetrised(z, skeleton), skeleton, _CLEARANCE), skeleton), skeleton)
    return z


def _uncrossed(z: Positions, skeleton: Skeleton) -> Positions:
    """Return a layout with fewer crossings where the component can be drawn so, the given one where not.

    Four labelled legs keep 1, 2 left of 3, 4 at the price of one crossing, as in a u-channel, but not of more.
    """
    orders = _leg_orders(skeleton)
    kept = 2 if skeleton.n_legs == 4 and skeleton.labelled else len(orders)
    found = planar_positions(skeleton, orders[:kept])
    if found is None and kept < len(orders) and _score(z[None], skeleton)[0] > _TOLERATED:
        found = planar_positions(skeleton, orders[kept:])
    if found is None:
        return z
    better = _climbed(_level(_oriented(found, skeleton), skeleton), skeleton)
    candidates = np.array([z, _polished(better, skeleton), better])
    return candidates[int(np.argmin(_score(candidates, skeleton)))]


def _climbed(z: Positions, skeleton: Skeleton) -> Positions:
    """Return the layout after moves of single nodes that make it less ugly, from large steps to small ones."""
    directions = np.exp(2j * np.pi * np.arange(12) / 12)
    z = z.copy()
    for step in np.repeat(_STEPS, _SWEEPS):
        for i in range(skeleton.size):
            moves = np.append(step * directions, 0.0)
            if skeleton.n_legs == 2 and i < 2:
                moves = moves.real.astype(np.complex128)
            trials = np.repeat(z[None], len(moves), axis=0)
            trials[:, i] += moves
            z = trials[int(np.argmin(_score(trials, skeleton)))]
    return z


def _level(z: Positions, skeleton: Skeleton) -> Positions:
    """Return the layout with both legs of two at the same height, the first on the left."""
    if skeleton.n_legs != 2:
        return z
    z = (z - z[0]) * (z[1] - z[0]).conjugate() / abs(z[1] - z[0])
    return z.conjugate() if z.imag.sum() < 0 else z


def _n_crossings(z: Positions, skeleton: Skeleton) -> int:
    return int(crossings(z[None], disjoint_pairs(skeleton.lines))[0])


def _score(z: Positions, skeleton: Skeleton) -> Reals:
    """Return the ugliness of each candidate: crossings, legs shut in, crowding, bent distances."""
    pairs = disjoint_pairs(skeleton.lines)
    score: Reals = 10.0 * crossings(z, pairs) + 6.0 * crowding(z, skeleton, _CLEARANCE) + 4.0 * stress(z, skeleton)
    legs = [line for line in skeleton.lines if line[0] < skeleton.n_legs <= line[1]]
    if legs:
        reach = z.copy()
        for leg, vertex in legs:
            reach[:, leg] = z[:, vertex] + 20.0 * (z[:, leg] - z[:, vertex])
        inner = [line for line in skeleton.lines if line[0] >= skeleton.n_legs]
        score = score + 5.0 * crossings(reach, [(e, f) for e in legs for f in inner if not set(e) & set(f)])
        score = score + 2.0 * _misplaced(z, skeleton)
    return np.asarray(np.round(score, 3), dtype=np.float64)


def _misplaced(z: Positions, skeleton: Skeleton) -> Reals:
    """Return by how much legs 3, 4 of four labelled ones fail to stay right of legs 1, 2."""
    if skeleton.n_legs != 4 or not skeleton.labelled:
        return np.zeros(len(z))
    turned = z * _rotation(z, skeleton)[:, None]
    overlap = turned[:, :2].real.max(1) - turned[:, 2:4].real.min(1)
    return np.asarray(np.maximum(overlap + 0.3, 0.0), dtype=np.float64)


def _rotation(z: Positions, skeleton: Skeleton) -> Positions:
    """Return the phase that turns legs 1, 2 of each row to the left and the others to the right."""
    centred = z - z[:, : len(skeleton.nodes)].mean(1, keepdims=True)
    centred = centred / np.maximum(np.abs(centred), 1e-9)
    axis = centred[:, 2:4].sum(1) - centred[:, :2].sum(1)
    return axis.conjugate() / np.maximum(np.abs(axis), 1e-9)


def _leg_orders(skeleton: Skeleton) -> list[list[int]]:
    """Return the orders of the legs around the outside that are tried."""
    n = skeleton.n_legs
    if n < 4:
        return [list(range(n))]
    if n == 4:
        return [[0, 1, 3, 2], [0, 1, 2, 3], [0, 2, 3, 1], [0, 2, 1, 3], [0, 3, 2, 1], [0, 3, 1, 2]]
    net = nx.Graph(skeleton.lines)
    by_depth = [node for node in nx.dfs_preorder_nodes(net, 0) if node < n]
    net.add_edges_from(("outside", leg) for leg in range(n))
    planar, embedding = nx.check_planarity(net)
    around = [list(embedding.neighbors_cw_order("outside"))] if planar else []
    return [list(range(n)), by_depth, *around]


def _starts(skeleton: Skeleton) -> Positions:
    """Return the candidate starts: legs on a circle in a trial order, vertices at the mean of their neighbours."""
    n, size = skeleton.n_legs, skeleton.size
    angles = _RIGHT_LEFT.get(n, _CORNERS if n == 4 else tuple(np.pi - 2 * np.pi * np.arange(n) / max(n, 1)))
    radius = 0.5 * float(skeleton.ideal.max())
    rows = []
    orders = _leg_orders(skeleton)
    for order in orders[: 2 if n == 4 and skeleton.labelled else None]:
        centre = np.zeros(size, dtype=np.complex128)
        for leg, angle in zip(order, angles, strict=False):
            centre[leg] = radius * np.exp(1j * angle)
        centre[n:] = _barycentres(skeleton, centre[:n])
        for k in range(6):
            step = np.arange(size - n) * (k + 1) + k
            spiral = np.zeros(size, dtype=np.complex128)
            spiral[n:] = np.exp(1j * (_GOLDEN * step + 0.3)) * radius * 0.2 * k
            rows.append(centre + spiral)
    if n == 0:
        rows += _planar_start(skeleton, radius)
    return np.array(rows)


def _planar_start(skeleton: Skeleton, radius: float) -> list[Positions]:
    """Return, for a planar vacuum component, Tutte's positions around its longest face."""
    net = nx.Graph(skeleton.lines)
    planar, embedding = nx.check_planarity(net)
    if skeleton.size < 4 or not planar:
        return []
    faces = [embedding.traverse_face(u, v) for u, v in sorted(embedding.edges)]
    face: list[int] = max((f for f in faces if len(set(f)) == len(f)), key=len, default=[])
    if len(face) < 3:
        return []
    inside = [i for i in range(skeleton.size) if i not in face]
    order = [*face, *inside]
    rank = {node: k for k, node in enumerate(order)}
    lines = tuple((rank[i], rank[j]) for i, j in skeleton.lines)
    rim = radius * np.exp(2j * np.pi * np.arange(len(face)) / len(face))
    z = np.concatenate([rim, _barycentres(skeleton._replace(n_legs=len(face), lines=lines), rim)])
    return [z[[rank[i] for i in range(skeleton.size)]]]


def _barycentres(skeleton: Skeleton, legs: Positions) -> Positions:
    """Return Tutte's positions of the inner nodes for fixed legs."""
    n = skeleton.n_legs
    laplacian = np.zeros((skeleton.size, skeleton.size))
    for i, j in skeleton.lines:
        laplacian[[i, j, i, j], [i, j, j, i]] += (1.0, 1.0, -1.0, -1.0)
    inner = laplacian[n:, n:] + 1e-6 * np.eye(skeleton.size - n)
    return np.asarray(np.linalg.solve(inner, -laplacian[n:, :n] @ legs), dtype=np.complex128)


def _oriented(z: Positions, skeleton: Skeleton) -> Positions:
    """Return the layout turned and flipped into its conventional attitude."""
    n = skeleton.n_legs
    if n == 1:
        z = z - z[n:].mean()
        z = -z * z[0].conjugate() / abs(z[0])
    elif n == 3:
        z = z - z[:3].mean()
        z = -z * z[0].conjugate() / abs(z[0])
    elif n == 4 and skeleton.labelled:
        z = (z - z.mean()) * _rotation(z[None], skeleton)[0]
    elif n != 2:
        z = _aligned(z - z.mean(), skeleton)
    if skeleton.labelled and n >= 4:
        low = z[0].imag < z[1].imag - 1e-6
    else:
        low = ((z.imag - (z.imag.mean() if n != 2 else 0.0)) ** 3).sum() < -1e-6
    if n >= 5 and z[0].real > 1e-6:
        z = -z.conjugate()
    return z.conjugate() if low else z


def _cornered(z: Positions, skeleton: Skeleton) -> Positions:
    """Return a layout whose labelled legs 1, 2 end left of 3, 4, by force on the corners of a rectangle."""
    if skeleton.n_legs != 4 or not skeleton.labelled or z[:2].real.max() < z[2:4].real.min() - 0.3:
        return z
    z = z - z[:4].mean()
    side = 1.0 if z[2].imag > z[3].imag else -1.0
    x, y = float(np.abs(z[:4].real).mean()), max(float(np.abs(z[:4].imag).mean()), 0.5)
    pinned = z.copy()
    pinned[:4] = (complex(-x, y), complex(-x, -y), complex(x, side * y), complex(x, -side * y))
    return relax(pinned[None], skeleton, sweeps=100, fixed=4)[0]


def _upright(z: Positions, skeleton: Skeleton) -> Positions:
    """Return a two-leg layout whose hanging parts stand straight on the backbone, above it where there is room."""
    if skeleton.n_legs != 2:
        return z
    z = z.copy()
    net = nx.Graph(skeleton.lines)
    free = [i for i in range(skeleton.size) if not skeleton.on_axis[i]]
    parts = [sorted(part) for part in nx.connected_components(net.subgraph(free))]
    roots = [sorted({j for i in part for j in net[i]} - set(part)) for part in parts]
    for part, root in zip(parts, roots, strict=True):
        if len(root) == 1 and roots.count(root) == 1:
            solid = [i for i in part if i < len(skeleton.nodes)] or part
            arm = z[solid].mean() - z[root[0]]
            turned = z.copy()
            turned[part] = z[root[0]] + (z[part] - z[root[0]]) * (1j * abs(arm) / arm)
            lowered = turned.copy()
            lowered[part] = turned[part].conjugate()
            raised, below = _score(np.array([turned, lowered]), skeleton)
            z = lowered if arm.imag < 0 and below < raised - 0.5 else turned
    return z


def _aligned(z: Positions, skeleton: Skeleton) -> Positions:
    """Return a free layout turned to be mirror symmetric if it can be, and wider than high."""
    spread = (z**2).sum()
    phases = [np.sqrt(spread) / abs(np.sqrt(spread))] if abs(spread) > 1e-9 else []
    arms = [z[i] - z[j] for i in range(len(z)) for j in range(i) if abs(z[i] - z[j]) > 0.05]
    arms += [w for w in z if abs(w) > 0.05]
    phases += [w / abs(w) * turn for w in arms for turn in (1, 1j)]

    def ugliness(phase: complex) -> float:
        w = z * np.conjugate(phase)
        skew = sum(mirror_match(w, skeleton, s * w.conjugate()) is None for s in (-1, 1))
        error = min(float(np.abs((s * w.conjugate())[:, None] - w).min(1).max()) for s in (-1, 1)) if skew < 2 else 0.0
        tall = float(np.ptp(w.imag)) - float(np.ptp(w.real))
        slope = sum(abs((w[i] - w[j]).imag) for i, j in skeleton.lines if i >= skeleton.n_legs)
        return round(2.0 * skew + 2.0 * error + 0.3 * tall + 0.3 * slope, 2)

    best = min(phases, key=ugliness, default=1.0)
    return np.asarray(z * np.conjugate(best), dtype=np.complex128)
