"""Generation of rigid diagrams: all half-edges of a vertex differ, and there is at least one leg.

A connected diagram of that kind with labelled legs has no automorphism but the identity, and it is walked through in
exactly one way: start at the first leg, always go on from the first half-edge found so far that is still open, and
number the vertices as they turn up. Every choice of where that half-edge ends (an open half-edge found before, another
leg, a new vertex) belongs to a different diagram, so nothing is ever compared.

Exchangeable legs of one type are numbered as they turn up, too. Then a diagram is found once for every leg of the type
of the first one, up to automorphisms, and is kept when the walk from no other such leg is smaller; the walks that look
the same are its automorphisms.
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


class RigidModel(NamedTuple):
    """Half-edges of a list of vertices.

    Parameters
    ----------
    n_legs, root : int
        Number of legs, at least 1, and the leg to begin with; their ends are the half-edges ``0 .. n_legs - 1``.
    types : int64 array (H,)
        Type of each half-edge; the types at a vertex differ.
    owner : int64 array (H,)
        Vertex of each half-edge, -1 for legs.
    first : int64 array (V + 1,)
        First half-edge of each vertex; equal vertices stand together.
    kind_start : int64 array (K + 1,)
        First vertex of each kind of equal vertices.
    place : int64 array (K, T)
        Which half-edge of such a vertex is of that type, -1 for none.
    partner : int64 array (T,)
        The type that each type is joined to.
    cuttable : bool array (H,)
        False for half-edges whose line is not a propagator: it is never cut, and may be a self-loop.
    """

    n_legs: int
    root: int
    types: Ints
    owner: Ints
    first: Ints
    kind_start: Ints
    place: Ints
    partner: Ints
    cuttable: Bools


class RigidState(NamedTuple):
    """Where a walk is: what :func:`rigid_diagrams` needs to go on.

    ``at`` holds depth, vertices found, open half-edges, waiting legs and length of the queue; depth -1 is the end.
    """

    at: Ints
    mate: Ints
    steps: Ints  # (4, depth): half-edge, choice, kind of the new vertex, place in the queue
    listed: Ints
    length: Ints
    ends: Ints  # (2, T): open half-edges of vertices found, waiting legs
    used: Ints
    queue: Ints
    found: Ints
    entrance: Ints


def rigid_start(model: RigidModel) -> RigidState:
    """Return the state at the beginning."""
    n_ends, n_vertices, n_types = model.types.size, model.first.size - 1, model.partner.size
    steps = np.full((4, n_ends // 2 + 1), -1, np.int64)
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
    return RigidState(
        np.array([0, 0, 1, model.n_legs - 1, 0]),
        np.full(n_ends, -1, np.int64),
        steps,
        listed,
        length,
        ends,
        np.zeros(len(model.place), np.int64),
        np.zeros(n_ends, np.int64),
        np.zeros(n_vertices, np.int64),
        np.zeros(n_vertices, np.int64),
    )


MAX_CYCLES = 64  # lines that are not in a tree, one bit each


@compiled
def _is_dropped(
    mate: Ints,
    n_legs: int,
    owner: Ints,
    found: Ints,
    entrance: Ints,
    cuttable: Bools,
    flags: int,
    mask: Ints,
    behind: Ints,
) -> bool:
    """Tell whether the finished diagram has a line that a filter does not allow.

    The lines by which vertices were found form a tree; every other line gets a bit. The bits of the lines that leave
    the part behind a tree line add up (exclusive or) to zero exactly when there is none.
    """
    mask[:] = 0
    behind[:] = 0
    bit = np.int64(1)
    for h in range(n_legs, mate.size):
        g = mate[h]
        u = owner[h]
        if g < n_legs:
            behind[u] += 1
        elif g > h and entrance[u] != h and entrance[owner[g]] != g:
            mask[u] ^= bit
            mask[owner[g]] ^= bit
            bit <<= 1
    for k in range(found.size - 1, 0, -1):
        v = found[k]
        if mask[v] == 0 and cuttable[entrance[v]] and drops(flags, behind[v], n_legs):
            return True
        u = owner[mate[entrance[v]]]
        mask[u] ^= mask[v]
        behind[u] += behind[v]
    return False


@compiled
def rigid_diagrams(
    model: RigidModel, state: RigidState, flags: int, self_loops: bool, pooled: bool, limit: int, budget: int
) -> Bytes:
    """Go on with a walk through all connected diagrams with given legs and vertices.

    Parameters
    ----------
    model, state : RigidModel, RigidState
        The state is changed; ``state.at[0]`` is -1 after the last diagram.
    flags : int
        Filters of :mod:`diagrams._field_filters`.
    self_loops : bool
        Keep diagrams with a propagator from a vertex to itself.
    pooled : bool
        Legs of one type are numbered as they turn up.
    limit, budget : int
        Stop after so many diagrams, or so many steps.

    Returns
    -------
    mates : uint8 array (count, H)
        The half-edge joined to each half-edge.
    """
    n_legs, types, owner, first, kind_start = model.n_legs, model.types, model.owner, model.first, model.kind_start
    place, partner, cuttable = model.place, model.partner, model.cuttable
    mate, listed, length, used, queue = state.mate, state.listed, state.length, state.used, state.queue
    found, entrance = state.found, state.entrance
    current, choice, new_kind, scanned = state.steps[0], state.steps[1], state.steps[2], state.steps[3]
    open_ends, waiting = state.ends[0], state.ends[1]
    n_ends, n_vertices, n_kinds = types.size, first.size - 1, place.shape[0]
    mask, behind = np.zeros(n_vertices, np.int64), np.zeros(n_vertices, np.int64)
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
        c += 1
        while c < length[t]:
            g = listed[t, c]
            allowed = g < n_legs or self_loops or owner[g] != owner[h] or not cuttable[h]
            skipped = pooled and g < n_legs and c > 0 and mate[listed[t, c - 1]] < 0  # an earlier leg waits
            if mate[g] < 0 and g != h and allowed and not skipped:
                break
            c += 1
        if c >= length[t]:
            k = c - length[t]
            while k < n_kinds and (place[k, t] < 0 or used[k] == kind_start[k + 1] - kind_start[k]):
                k += 1
            if k == n_kinds:
                choice[depth] = -1
                depth -= 1
                continue
            c = length[t] + k
            v = kind_start[k] + used[k]
            used[k] += 1
            found[n_found] = v
            n_found += 1
            new_kind[depth] = k
            g = first[v] + place[k, t]
            entrance[v] = g
            for e in range(first[v], first[v + 1]):
                listed[types[e], length[types[e]]] = e
                length[types[e]] += 1
                open_ends[types[e]] += 1
                queue[n_queue] = e
                n_queue += 1
            n_open += first[v + 1] - first[v]
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
                depth += 1
                current[depth] = queue[q]
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
        if n_waiting == 0 and not (
            flags and _is_dropped(mate, n_legs, owner, found, entrance, cuttable, flags, mask, behind)
        ):
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


@compiled
def exchange_orders(
    mates: Bytes, n_legs: int, root: int, types: Ints, owner: Ints, first: Ints, kind_of: Ints, kind_start: Ints
) -> Ints:
    """Return the order of the automorphism group of diagrams with exchangeable legs, 0 for those not to be kept.

    ``kind_of`` (V,) is the kind of each vertex. The walk of each diagram from each leg of the type of the first one is
    compared with the diagram as it is, half-edge by half-edge in the order of the walk.
    """
    n_graphs, n_ends = mates.shape
    orders = np.zeros(n_graphs, np.int64)
    name, queue = np.empty(n_ends, np.int64), np.empty(n_ends, np.int64)  # number in the walk; half-edges in its order
    used, next_leg = np.empty(kind_start.size, np.int64), np.empty(types.max() + 1, np.int64)
    for g in range(n_graphs):
        for start in range(n_legs):
            if types[start] != types[root]:
                continue
            name[:] = -1
            used[:] = 0
            next_leg[:] = 0
            n_queue, read, difference = 0, 0, 0
            name[start] = root
            next_leg[types[root]] = root + 1
            h = start
            while True:
                other = np.int64(mates[g, h])
                if name[other] < 0:
                    if other < n_legs:
                        leg = next_leg[types[other]]
                        while leg == root or types[leg] != types[other]:
                            leg += 1
                        name[other] = leg
                        next_leg[types[other]] = leg + 1
                    else:
                        v = owner[other]
                        w = kind_start[kind_of[v]] + used[kind_of[v]]
                        used[kind_of[v]] += 1
                        for e in range(first[v], first[v + 1]):
                            name[e] = first[w] + e - first[v]
                            queue[n_queue] = e
                            n_queue += 1
                # as long as nothing differs, the half-edge has the name of the one at this place of the diagram
                difference = name[other] - np.int64(mates[g, name[h]])
                if difference or read == n_queue:
                    break
                h = queue[read]
                read += 1
            if difference < 0:
                orders[g] = 0
                break
            orders[g] += difference == 0
    return orders
