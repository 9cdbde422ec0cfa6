"""Enumeration against Wick's theorem: all pairings of labelled half-edges, for every list of up to twelve."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from math import factorial, prod

import pytest

from diagrams.counting import count_diagrams, counts_by_valences, weights_by_valences
from diagrams.generate import enumerate_diagrams

MOST = 12  # half-edges, legs included
MANY = 500  # diagrams, with vertices of other lists among them: only their number and weight are compared


def contractions(legs, degrees):
    """Return {lines: number of pairings of half-edges}, lines as increasing pairs of nodes, legs first.

    The first free half-edge is paired with every other one; pairings that differ only by which half-edge of a node is
    meant are counted together.
    """
    todo = {((1,) * legs + tuple(degrees), ()): 1}
    for _ in range((legs + sum(degrees)) // 2):
        after = Counter()
        for (free, lines), number in todo.items():
            u = next(i for i, n in enumerate(free) if n)
            rest = [*free[:u], free[u] - 1, *free[u + 1 :]]
            for v, n in enumerate(rest):
                if n:
                    left = (*rest[:v], n - 1, *rest[v + 1 :])
                    after[left, (*lines, (u, v))] += number * n
        todo = after
    return {lines: number for (_, lines), number in todo.items()}


def form(lines, legs, degrees, *, labelled):
    """Return the least description of a diagram over renumberings of equal vertices.

    Exchangeable legs are numbers at the vertices and a number of lines that join two of them.
    """
    best = None
    for places in permutations(range(len(degrees))):
        if any(degrees[p] != d for p, d in zip(places, degrees, strict=True)):
            continue
        move = [*(range(legs) if labelled else [-1] * legs), *(legs + p for p in places)]
        moved = tuple(sorted(tuple(sorted((move[u], move[v]))) for u, v in lines))
        best = moved if best is None else min(best, moved)
    return best


def pieces(nodes, lines):
    """Return the sets of nodes that hang together."""
    found = []
    for node in nodes:
        found.append({node})
    for u, v in lines:
        joined = [p for p in found if u in p or v in p]
        found = [p for p in found if p not in joined] + [set().union(*joined)]
    return found


class Shape:
    """What the options of an enumeration ask about."""

    def __init__(self, lines, legs, n_vertices):
        nodes = range(legs + n_vertices)
        parts = pieces(nodes, lines)
        self.loops = len(lines) - len(nodes) + len(parts)
        self.is_connected = len(parts) == 1
        self.has_self_loop = any(u == v for u, v in lines)
        self.has_bridge = self.has_tadpole = False
        for i, (u, v) in enumerate(lines):
            if min(u, v) < legs:
                continue
            after = pieces(nodes, [*lines[:i], *lines[i + 1 :]])
            if len(after) > len(parts):
                self.has_bridge = True
                halves = [p for p in after if u in p or v in p]
                self.has_tadpole |= any(min(p) >= legs for p in halves)
        self.is_irreducible = self.is_connected and not self.has_bridge and n_vertices > 0

    def fits(self, *, connected=True, one_particle_irreducible=False, self_loops=True, tadpoles=True):
        return (
            (self.is_connected or not connected)
            and (self.is_irreducible or not one_particle_irreducible)
            and (self_loops or not self.has_self_loop)
            and (tadpoles or not self.has_tadpole)
        )


@cache
def classes(legs, degrees, labelled):
    """Return {form: (1/|Aut|, shape)}: pairings of a class over permutations of half-edges and equal vertices."""
    numbers, shapes = Counter(), {}
    for lines, number in contractions(legs, degrees).items():
        key = form(lines, legs, degrees, labelled=labelled)
        numbers[key] += number
        shapes.setdefault(key, lines)
    shared = prod(factorial(m) * factorial(d) ** m for d, m in Counter(degrees).items())
    shared *= 1 if labelled else factorial(legs)
    return {key: (Fraction(n, shared), Shape(shapes[key], legs, len(degrees))) for key, n in numbers.items()}


CASES = [
    (legs, degrees)
    for n_vertices in range(MOST // 3 + 1)
    for degrees in combinations_with_replacement(range(3, MOST + 1), n_vertices)
    for legs in range(MOST + 1)
    if 0 < legs + sum(degrees) <= MOST and (legs + sum(degrees)) % 2 == 0
]
OPTIONS = [
    {"connected": connected, "one_particle_irreducible": irreducible, "self_loops": self_loops, "tadpoles": tadpoles}
    for connected, irreducible, self_loops, tadpoles in product([True, False], repeat=4)
    if connected or not irreducible
]


def agree(legs, degrees, loops, labelled, options):
    """Compare the classes with these vertices and loops with what is enumerated (or counted); return their number."""
    truth = classes(legs, degrees, labelled)
    expected = {key: w for key, (w, shape) in truth.items() if shape.loops == loops and shape.fits(**options)}
    given = {"valences": degrees or (3,), "legs": legs, "loops": loops, "labelled": labelled, **options}
    if count_diagrams(**given) > MANY:
        assert counts_by_valences(**given).get(degrees, 0) == len(expected)
        assert weights_by_valences(**given).get(degrees, 0) == sum(expected.values())
        return 0
    mine = [d for d in enumerate_diagrams(**given) if tuple(sorted(d.valences)) == degrees]
    assert len(mine) == len(expected)
    found = {}
    for d in mine:
        # the vertices in the order of their degrees, as in `degrees`
        ranks = sorted(range(d.n_vertices), key=lambda v: d.valences[v])
        place = {legs + v: legs + i for i, v in enumerate(ranks)} | {leg: leg for leg in range(legs)}
        lines = [(place[u], place[v]) for u, v in d.edges]
        found[form(lines, legs, degrees, labelled=labelled)] = Fraction(1, d.symmetry_factor)
    assert found == expected
    return len(mine)


def test_contractions_are_pairings():
    assert sum(contractions(0, (4, 4, 4)).values()) == sum(contractions(12, ()).values()) == prod(range(1, 12, 2))
    assert contractions(2, (4,)) == {((0, 1), (2, 2), (2, 2)): 3, ((0, 2), (1, 2), (2, 2)): 12}


@pytest.mark.parametrize(("legs", "degrees"), CASES, ids=[f"{legs} legs, vertices {d}" for legs, d in CASES])
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_every_list_of_vertices(legs, degrees, labelled):
    """A random set of options for each number of loops, besides none: the same classes and weights."""
    rng = random.Random(f"{legs} {degrees} {labelled}")
    for loops in sorted({shape.loops for _, shape in classes(legs, degrees, labelled).values()}):
        for options in [{}, rng.choice(OPTIONS)]:
            agree(legs, degrees, loops, labelled, options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(k for k, v in o.items() if v) or "none")
@pytest.mark.parametrize(("legs", "degrees"), [(0, (3, 3, 3, 3)), (2, (3, 3, 4)), (3, (3, 3, 3)), (4, (4, 4))], ids=str)
def test_every_set_of_options(legs, degrees, options):
    for labelled in (True, False):
        found = {shape.loops for _, shape in classes(legs, degrees, labelled).values()}
        numbers = [agree(legs, degrees, loops, labelled, options) for loops in found]
        assert sum(numbers) > 0


def test_the_oracle_tells_options_apart():
    truth = classes(2, (3, 3, 4), True)
    numbers = {sum(shape.fits(**options) for _, shape in truth.values()) for options in OPTIONS}
    assert len(numbers) > 6
