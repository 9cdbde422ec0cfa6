"""Numerical passes over node positions: stress relaxation, crossings, clearances, mirror symmetry.

Positions are complex; the passes that compare candidate layouts take them as rows of one array.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.complex128]
Reals = NDArray[np.float64]
Line = tuple[int, int]


class Skeleton(NamedTuple):
    """One connected component, numbered afresh: legs, then vertices, then a phantom node for each self-loop.

    The phantom stands where the self-loop will be drawn, so that other lines keep out of its way.
    """

    nodes: tuple[int, ...]
    n_legs: int
    size: int
    lines: tuple[Line, ...]
    multiplicities: tuple[int, ...]
    ideal: Reals
    on_axis: tuple[bool, ...]
    labelled: bool


def ideal_distances(size: int, lengths: dict[Line, float]) -> Reals:
    """Return the shortest-path distance between every two nodes (Floyd and Warshall).

    Examples
    --------
    >>> ideal_distances(3, {(0, 1): 1.0, (1, 2): 0.5})[0].tolist()
    [0.0, 1.0, 1.5]
    """
    d = np.full((size, size), np.inf)
    np.fill_diagonal(d, 0.0)
    for (i, j), length in lengths.items():
        d[i, j] = d[j, i] = length
    for k in range(size):
        d = np.minimum(d, d[:, k, None] + d[None, k])
    return d


def relax(z: Positions, skeleton: Skeleton, *, sweeps: int, fixed: int = 0) -> Positions:
    """Return every row of `z` moved downhill in the stress sum of (distance / ideal - 1)^2.

    The first `fixed` nodes stay; nodes on the axis keep y = 0. Phantoms hardly push other nodes, so that a line
    with self-loops on it stays straight.
    """
    z = z.copy()
    ideal = skeleton.ideal + np.eye(skeleton.size)
    weights = ideal**-2 * (1.0 - np.eye(skeleton.size))
    n = len(skeleton.nodes)
    weights[:n, n:] *= 1e-3
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    for _ in range(sweeps):
        for i in range(fixed, skeleton.size):
            delta = z[:, i, None] - z
            unit = delta / np.maximum(np.abs(delta), 1e-9)
            z[:, i] = (z + ideal[i] * unit) @ weights[i]
            if skeleton.on_axis[i]:
                z[:, i] = z[:, i].real
    return z


def stress(z: Positions, skeleton: Skeleton) -> Reals:
    """Return the mean squared relative error of the distances, for each row."""
    above = np.triu_indices(skeleton.size, 1)
    distance = np.abs(z[:, above[0]] - z[:, above[1]])
    return np.asarray(((distance / skeleton.ideal[above] - 1.0) ** 2).mean(1), dtype=np.float64)


def _cross(a: Positions, b: Positions) -> Reals:
    return np.asarray((a.conjugate() * b).imag, dtype=np.float64)


def crossings(z: Positions, first: list[tuple[Line, Line]]) -> NDArray[np.int64]:
    """Return for each row how many of the given pairs of straight lines cross."""
    if not first:
        return np.zeros(len(z), dtype=np.int64)
    a, b, c, d = (z[:, [pair[i][j] for pair in first]] for i in (0, 1) for j in (0, 1))
    sides = _cross(b - a, c - a) * _cross(b - a, d - a) < 0
    other = _cross(d - c, a - c) * _cross(d - c, b - c) < 0
    return np.asarray((sides & other).sum(1), dtype=np.int64)


def disjoint_pairs(lines: tuple[Line, ...]) -> list[tuple[Line, Line]]:
    """Return the pairs of lines that share no node.

    Examples
    --------
    >>> disjoint_pairs(((0, 1), (1, 2), (2, 3)))
    [((0, 1), (2, 3))]
    """
    return [(e, f) for e, f in combinations(lines, 2) if not set(e) & set(f)]


def foreign_pairs(skeleton: Skeleton) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return nodes and line indices (n_pairs each): every line with every node that it does not touch."""
    pairs = [(n, k) for k, line in enumerate(skeleton.lines) for n in range(skeleton.size) if n not in line]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def offsets_from_lines(z: Positions, skeleton: Skeleton) -> tuple[Positions, Reals]:
    """Return the vector from each foreign line to the node, and where on the line (0 to 1), for each row."""
    nodes, lines = foreign_pairs(skeleton)
    ends = np.array(skeleton.lines, dtype=np.int64)[lines]
    a, b = z[:, ends[:, 0]], z[:, ends[:, 1]]
    along = b - a
    t = ((z[:, nodes] - a) * along.conjugate()).real / np.maximum(np.abs(along) ** 2, 1e-12)
    t = np.clip(t, 0.0, 1.0)
    return z[:, nodes] - a - t * along, t


def _shortage(offset: Positions, t: Reals, skeleton: Skeleton, clearance: float) -> Reals:
    """Return by how much each foreign pair is too close; a bundle of lines needs more room around its middle."""
    bundle = np.array(skeleton.multiplicities)[foreign_pairs(skeleton)[1]] > 1
    wanted = clearance + 0.8 * bundle * t * (1 - t)
    return np.asarray(np.maximum(wanted - np.abs(offset), 0.0), dtype=np.float64)


def crowding(z: Positions, skeleton: Skeleton, clearance: float) -> Reals:
    """Return how much nodes are too close to foreign lines, for each row."""
    if not len(foreign_pairs(skeleton)[0]):
        return np.zeros(len(z))
    missing = _shortage(*offsets_from_lines(z, skeleton), skeleton, clearance) / clearance
    return np.asarray((missing**2).sum(1), dtype=np.float64)


def separate(z: Positions, skeleton: Skeleton, clearance: float, *, sweeps: int = 60) -> Positions:
    """Return one layout with nodes pushed away from lines they are not on, and the lines from them."""
    nodes, lines = foreign_pairs(skeleton)
    if not len(nodes):
        return z
    z = z.copy()
    ends = np.array(skeleton.lines, dtype=np.int64)[lines]
    axis = np.array(skeleton.on_axis)
    for _ in range(sweeps):
        offset, t = (row[0] for row in offsets_from_lines(z[None], skeleton))
        distance, short = np.abs(offset), _shortage(offset, t, skeleton, clearance)
        if short.max() < 1e-3:
            break
        push = np.where(distance > 1e-6, offset / np.maximum(distance, 1e-9), 1j) * short * 0.3
        np.add.at(z, nodes, push)
        push[nodes >= len(skeleton.nodes)] = 0.0  # a phantom gives way, and pushes no line
        np.add.at(z, ends[:, 0], -push * (1 - t))
        np.add.at(z, ends[:, 1], -push * t)
        z[axis] = z[axis].real
    return z


def mirror_match(z: Positions, skeleton: Skeleton, image: Positions) -> NDArray[np.int64] | None:
    """Return the node that each reflected node lands on, if the reflection maps the component to itself."""
    gap = np.abs(image[:, None] - z[None, :])
    n = len(skeleton.nodes)
    classes = np.array([0] * skeleton.n_legs + [1] * (n - skeleton.n_legs) + [2] * (skeleton.size - n))
    gap[classes[:, None] != classes[None, :]] = np.inf
    target = gap.argmin(1)
    if gap.min(1).max() > 0.3 or len(set(target.tolist())) < skeleton.size:
        return None
    weight = dict(zip(skeleton.lines, skeleton.multiplicities, strict=True))
    moved = {tuple(sorted((int(target[i]), int(target[j])))): m for (i, j), m in weight.items()}
    return target if moved == weight else None


def symmetrised(z: Positions, skeleton: Skeleton) -> Positions:
    """Return one layout made exactly mirror symmetric where it nearly is (left-right, up-down)."""
    for sign in (1, -1):
        centre = 0.0 if sign == 1 and any(skeleton.on_axis) else _middle(z, sign)
        image = sign * (z - centre).conjugate() + centre
        target = mirror_match(z, skeleton, image)
        if target is not None:
            averaged = np.empty_like(z)
            averaged[target] = (image + z[target]) / 2
            z = averaged
    return z


def _middle(z: Positions, sign: int) -> complex:
    mean = z.mean()
    return complex(0.0, mean.imag) if sign == 1 else complex(mean.real, 0.0)
