"""Generation of connected diagrams with legs by walks, which need no search where half-edges at a vertex differ.

A connected diagram with labelled legs is walked through as follows: start at the first leg, always go on from the first
half-edge found so far that is still open, and number the vertices as they turn up. Every choice of where that half-edge
ends (an open half-edge found before, another leg, a new vertex) belongs to a different walk. If all half-edges of a
vertex differ (QED), there is one walk for each diagram, which has no automorphism but the identity.

Equal half-edges of a vertex can be gone on from in any order, so that a diagram has several walks. They are compared
choice by choice: an earlier leg, an earlier half-edge, a new vertex of an earlier kind is smaller, in this order. Walks
in which two equal half-edges are in an order that cannot be smallest are not made; of those that are left
:func:`diagrams._walk_orders.walk_orders` keeps the smallest. The walks that look the same are the automorphisms.

Exchangeable legs of one type are numbered as they turn up, too. Then a diagram also has a walk from every leg of the
type of the first one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._field_filters import drops

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


_PARTING = 8  # the depth at which parts of all walks are told apart: there are a few hundred beginnings


class WalkModel(NamedTuple):
    """Half-edges of a list of vertices.

    Parameters
    ----------
    n_legs, root : int
        Number of legs, at least 1, and the leg to begin with; their ends are the half-edges ``0 .. n_legs - 1``.
    types : int64 array (H,)
        Type of each half-edge.
    twin : int64 array (H,)
        The half-edge before it at the same vertex with the same type, -1 for none.
    owner : int64 array (H,)
        Vertex of each half-edge, -1 for legs.
    first : int64 array (V + 1,)
        First half-edge of each vertex; equal vertices stand together.
    kind_start : int64 array (K + 1,)
        First vertex of each kind of equal vertices.
    place : int64 array (K, T)
        Which half-edge of such a vertex is the first of that type, -1 for none.
    partner : int64 array (T,)
        The type that each type is joined to.
    cuttable : bool array (H,)
        False for half-edges whose line is not a propagator: it is never cut, and may be a self-loop.
    """

    n_legs: int
    root: int
    types: Ints
    twin: Ints
    owner: Ints
    first: Ints
    kind_start: Ints
    place: Ints
    partner: Ints
    cuttable: Bools


class WalkState(NamedTuple):
    """Where a walk is: what :func:`walks` needs to go on.

    ``at`` holds depth, vertices found, open half-edges, waiting legs, length of the queue, and how often the depth was
    reached at which parts are told apart; depth -1 is the end.
    """

    at: Ints
    mate: Ints
    steps: Ints  # (5, depth): half-edge, choice, kind of the new vertex, place in the queue, ends listed before it
    turn: Ints  # step at which the walk last went on from each half-edge
    listed: Ints
    length: Ints
    ends: Ints  # (2, T): open half-edges of vertices found, waiting legs
    used: Ints
    queue: Ints
    entrance: Ints
    tree: (
        Ints  # (4, V): the vertex before, steps from the first one, ends and lines that leave what is behind, its legs
    )


def walk_start(model: WalkModel) -> WalkState:
    """Return the state at the beginning."""
    n_ends, n_vertices, n_types = model.types.size, model.first.size - 1, model.partner.size
    steps = np.full((5, n_ends // 2 + 1), -1, np.int64)
    steps[0], steps[3] = 0, 0
    steps[0, 0] = model.root
    listed, length = np.zeros((n_types, n_ends), np.int64), np.zeros(n_types, np.int64)
    ends = np.zeros((2, n_types), np.int64)
    for leg in range(model.n_legs):
        if leg != model.root:
            t = model.types[leg]
            listed[t, length[t]] = leg
            length[t] += 1
            ends[1, t] += 1
    ends[0, model.types[model.root]] = 1
    return WalkState(
        np.array([0, 0, 1, model.n_legs - 1, 0, 0]),
        np.full(n_ends, -1, np.int64),
        steps,
        np.zeros(n_ends, np.int64),
        listed,
        length,
        ends,
        np.zeros(len(model.place), np.int64),
        np.zeros(n_ends, np.int64),
        np.zeros(n_vertices, np.int64),
        np.zeros((4, n_vertices), np.int64),
    )


@compiled
def _turn_of_twin(
    h: int, depth: int, twin: Ints, turn: Ints, current: Ints, mate: Ints, types: Ints, owner: Ints
) -> int:
    """Return the step at which it was chosen where the equal half-edge before ``h`` ends, -1 if there was no choice."""
    b = twin[h]
    if b < 0:
        return -1
    if turn[b] < depth and current[turn[b]] == b:
        return turn[b]
    b = mate[b]  # the other end of a line: a choice of this vertex too if that was a self-loop
    if owner[b] == owner[h] and types[b] == types[h] and turn[b] < depth and current[turn[b]] == b:
        return turn[b]
    return -1


@compiled
def walks(
    model: WalkModel,
    state: WalkState,
    flags: int,
    self_loops: bool,
    pooled: bool,
    part: int,
    n_parts: int,
    limit: int,
    budget: int,
) -> Bytes:
    """Go on with a walk through all connected diagrams with given legs and vertices.

    Parameters
    ----------
    model, state : WalkModel, WalkState
        The state is changed; ``state.at[0]`` is -1 after the last diagram.
    flags : int
        Filters of :mod:`diagrams._field_filters`.
    self_loops : bool
        Keep diagrams with a propagator from a vertex to itself.
    pooled : bool
        Legs of one type are numbered as they turn up.
    part, n_parts : int
        Make only one of ``n_parts`` parts of the diagrams, numbered from 0.
    limit, budget : int
        Stop after so many diagrams, or so many steps.

    Returns
    -------
    mates : uint8 array (count, H)
        The half-edge joined to each half-edge.
    """
    n_legs, types, owner, first, kind_start = model.n_legs, model.types, model.owner, model.first, model.kind_start
    place, partner, cuttable, twin = model.place, model.partner, model.cuttable, model.twin
    mate, listed, length, used, queue = state.mate, state.listed, state.length, state.used, state.queue
    entrance, turn = state.entrance, state.turn
    # the vertex before and steps to the first one; how much leaves the part behind a vertex, its legs
    parent, level, leaving, behind = state.tree[0], state.tree[1], state.tree[2], state.tree[3]
    current, choice, new_kind, scanned = state.steps[0], state.steps[1], state.steps[2], state.steps[3]
    before = state.steps[4]
    open_ends, waiting = state.ends[0], state.ends[1]
    n_ends, n_vertices, n_kinds = types.size, first.size - 1, place.shape[0]
    mates = np.empty((min(limit, 64), n_ends), np.uint8)
    count, step = 0, 0
    depth, n_found, n_open, n_waiting, n_queue = state.at[0], state.at[1], state.at[2], state.at[3], state.at[4]
    while depth >= 0 and count < limit and step < budget:
        step += 1
        h = current[depth]
        c = choice[depth]
        s = types[h]
        t = partner[s]
        if c >= 0:  # take back the present choice
            g = mate[h]
            if flags and h >= n_legs:
                v = owner[h]
                ends, legs_behind = 2, 0
                if g < n_legs:
                    ends, legs_behind = 1, -1
                elif new_kind[depth] >= 0:
                    ends = 2 - (first[owner[g] + 1] - first[owner[g]])
                else:
                    w = owner[g]
                    while v != w:  # only what both have before them
                        if level[v] < level[w]:
                            w = parent[w]
                        else:
                            v = parent[v]
                while v >= 0:
                    leaving[v] += ends
                    behind[v] += legs_behind
                    v = parent[v]
            mate[h] = -1
            mate[g] = -1
            open_ends[s] += 1
            n_open += 1
            if g < n_legs:
                waiting[t] += 1
                n_waiting += 1
            else:
                open_ends[t] += 1
                n_open += 1
            k = new_kind[depth]
            if k >= 0:
                used[k] -= 1
                n_found -= 1
                v = kind_start[k] + used[k]
                for e in range(first[v], first[v + 1]):
                    length[types[e]] -= 1
                    open_ends[types[e]] -= 1
                n_open -= first[v + 1] - first[v]
                n_queue -= first[v + 1] - first[v]
                new_kind[depth] = -1
        elif twin[h] >= 0:  # the choice must not be smaller than that of an equal half-edge would have been
            d = _turn_of_twin(h, depth, twin, turn, current, mate, types, owner)
            if d >= 0:
                c = before[d] - 1 if new_kind[d] >= 0 else choice[d]
        c += 1
        while c < length[t]:
            g = listed[t, c]
            allowed = g < n_legs or self_loops or owner[g] != owner[h] or not cuttable[h]
            if g < n_legs:
                skipped = pooled and c > 0 and mate[listed[t, c - 1]] < 0  # an earlier leg waits
            else:
                skipped = twin[g] >= 0 and twin[g] != h and mate[twin[g]] < 0
            if mate[g] < 0 and g != h and allowed and not skipped:
                break
            c += 1
        if c >= length[t]:
            k = c - length[t]
            if twin[h] >= 0:
                d = _turn_of_twin(h, depth, twin, turn, current, mate, types, owner)
                if d >= 0 and new_kind[d] > k:
                    k = new_kind[d]
            while k < n_kinds and (place[k, t] < 0 or used[k] == kind_start[k + 1] - kind_start[k]):
                k += 1
            if k == n_kinds:
                choice[depth] = -1
                depth -= 1
                continue
            c = length[t] + k
            v = kind_start[k] + used[k]
            used[k] += 1
            n_found += 1
            new_kind[depth] = k
            before[depth] = length[t]
            g = first[v] + place[k, t]
            entrance[v] = g
            for e in range(first[v], first[v + 1]):
                listed[types[e], length[types[e]]] = e
                length[types[e]] += 1
                open_ends[types[e]] += 1
                queue[n_queue] = e
                n_queue += 1
            n_open += first[v + 1] - first[v]
            if flags:
                w = owner[h]
                parent[v], level[v] = w, 0 if h < n_legs else level[w] + 1
                leaving[v], behind[v] = first[v + 1] - first[v] - 1, 0
                while w >= 0:
                    leaving[w] += first[v + 1] - first[v] - 2
                    w = parent[w]
        choice[depth] = c
        mate[h] = g
        mate[g] = h
        open_ends[s] -= 1
        n_open -= 1
        if g < n_legs:
            waiting[t] -= 1
            n_waiting -= 1
        else:
            open_ends[t] -= 1
            n_open -= 1
        if flags and h >= n_legs and new_kind[depth] < 0:
            v = owner[h]
            ends, legs_behind = 2, 0
            if g < n_legs:
                ends, legs_behind = 1, 1
            else:
                w = owner[g]
                while v != w:
                    if level[v] < level[w]:
                        w = parent[w]
                    else:
                        v = parent[v]
            is_cut = False
            while v >= 0:
                leaving[v] -= ends
                behind[v] += legs_behind
                if leaving[v] == 0 and parent[v] >= 0 and cuttable[entrance[v]] and drops(flags, behind[v], n_legs):
                    is_cut = True
                v = parent[v]
            if is_cut:
                continue
        if n_found == n_vertices:
            # no vertex can supply an end for the legs still waiting
            if open_ends[s] < waiting[t] or open_ends[t] < waiting[s]:
                continue
        elif n_open == 0:
            continue
        last, other = -1, -1
        if n_open > 0:
            q = scanned[depth]
            while mate[queue[q]] >= 0:
                q += 1
            alone = n_open == 1 and n_found < n_vertices and cuttable[queue[q]]
            if flags and alone and drops(flags, n_waiting, n_legs):
                continue
            if n_open > 2 or n_waiting or n_found < n_vertices:
                if n_parts > 1 and depth == _PARTING - 1:
                    state.at[5] += 1
                    if state.at[5] % n_parts != part:
                        continue
                depth += 1
                current[depth] = queue[q]
                turn[queue[q]] = depth
                scanned[depth] = q
                continue
            last = queue[q]  # only one line is left
            q += 1
            while mate[queue[q]] >= 0:
                q += 1
            other = queue[q]
            if not self_loops and owner[last] == owner[other] and cuttable[last]:
                continue
            mate[last] = other
            mate[other] = last
        is_kept = n_waiting == 0 and (depth >= _PARTING or part == 0)
        if flags and is_kept and last >= 0:
            v, w = owner[last], owner[other]
            while v != w:
                if level[v] < level[w]:
                    w = parent[w]
                else:
                    v = parent[v]
            while parent[v] >= 0:
                if leaving[v] == 2 and cuttable[entrance[v]] and drops(flags, behind[v], n_legs):
                    is_kept = False
                v = parent[v]
        if is_kept:
            if count == mates.shape[0]:
                mates = np.concatenate((mates, np.empty_like(mates)))
            for e in range(n_ends):
                mates[count, e] = mate[e]
            count += 1
        if last >= 0:
            mate[last] = -1
            mate[other] = -1
    state.at[0], state.at[1], state.at[2], state.at[3], state.at[4] = depth, n_found, n_open, n_waiting, n_queue
    return mates[:count]
