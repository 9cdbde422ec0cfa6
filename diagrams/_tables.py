"""What lists of vertices contribute to symmetry factors and numbers of diagrams, and how much work they are."""

from __future__ import annotations

from math import comb, factorial, lgamma, log, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams._compile import compiled
from diagrams._request import Request, VertexLists

LARGE = 2**62
_COST_OF_A_LIST, _COST_OF_LEGS = 3.0, 0.015  # in skeletons: a list of vertices, legs on a skeleton


@compiled
def _list_factors(types: NDArray[np.uint8], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return products over the vertices of each list, shape (T, 2): n! for n legs, 2^k k! for k self-loops.

    A product beyond 2**62 is returned as -1.
    """
    result = np.ones((sizes.size, 2), np.int64)
    for t in range(sizes.size):
        for part in range(2):
            exact, size = 1, 1.0
            for v in range(sizes[t]):
                for f in range(1, types[t, v, 1 + part] + 1):
                    factor = 2 * f if part else f
                    exact *= factor
                    size *= factor
            result[t, part] = exact if size < 2.0**62 else -1
    return result


@compiled
def list_costs(types: NDArray[np.uint8], sizes: NDArray[np.int64], worth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the work for each list in units of one skeleton, roughly.

    The number of skeletons is taken for that of matchings over permutations that change nothing.
    """
    costs = np.empty(sizes.size)
    for t in range(sizes.size):
        total, equal, exponent = 0, 0, 0.0
        for v in range(sizes[t]):
            rest = types[t, v, 0] - types[t, v, 1] - 2 * np.int64(types[t, v, 2])
            total += rest
            equal = equal + 1 if v and (types[t, v] == types[t, v - 1]).all() else 1
            exponent -= lgamma(rest + 1.0) + log(equal)
        half = total / 2
        exponent += lgamma(total + 1.0) - lgamma(half + 1.0) - half * log(2.0)
        costs[t] = _COST_OF_A_LIST + np.exp(min(exponent, 100.0)) * (1.0 + _COST_OF_LEGS * worth[t])
    return costs


class ListTables:
    """Exact factors of lists of vertices, as int64 or, where one is too large, Python integers.

    ``n_graphs`` (T,) is the number of labelled diagrams of a skeleton times the order in which automorphisms permute
    the vertices with legs; ``local`` (T,) multiplies the order of its automorphism group; ``worth`` (T,) counts the
    graphs that are kept, no more than 2**62.
    """

    def __init__(self, request: Request, lists: VertexLists) -> None:
        factors = _list_factors(lists.types, lists.sizes)
        if (factors < 0).any():
            factors = _exact_factors(lists)
        at_vertices, flips = factors[:, 0], factors[:, 1]
        legs, n_joined = request.legs, lists.n_joined
        assignments = comb(legs, 2 * n_joined) * prod(range(1, 2 * n_joined, 2)) * factorial(legs - 2 * n_joined)
        self.n_graphs = _as_integers(assignments) // at_vertices
        if request.labelled:
            self.local = flips
            self.worth = np.minimum(self.n_graphs, LARGE).astype(np.int64)
        else:
            swaps = 2**n_joined * factorial(n_joined)
            largest = int(flips.max(initial=1)) * int(at_vertices.max(initial=1)) * swaps
            if largest >= LARGE:
                flips = flips.astype(object)
            self.local = flips * at_vertices * swaps
            self.worth = np.ones(len(flips), np.int64)


def _as_integers(value: int) -> Any:
    return value if value < LARGE else np.array(value, object)


def _exact_factors(lists: VertexLists) -> NDArray[Any]:
    rows = lists.types.tolist()
    legs = [prod(factorial(n) for _, n, _ in row) for row in rows]
    loops = [prod(2**k * factorial(k) for _, _, k in row) for row in rows]
    return np.array([legs, loops], object).T
