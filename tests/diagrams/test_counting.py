"""Counts and weights without enumeration: published sequences, all matchings, identities, and enumeration itself."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from math import factorial, prod

import numpy as np
import pytest

from diagrams._burnside import gaussian_moment, partitions
from diagrams._graded import Ring, coprime_modulus, moebius
from diagrams.counting import count_diagrams, counts_by_valences, total_weight, weights_by_valences
from diagrams.generate import enumerate_diagrams

ANY = tuple(range(3, 40))
EVEN = tuple(range(4, 40, 2))

# --- known numbers ------------------------------------------------------------------------------------------------

COUNTS = [
    ((4,), 2, 8, 27_607),
    ((4,), 4, 6, 72_314),
    ((4,), 8, 2, 97_335),
    ((4,), 0, 9, 1_635),
    ((3,), 2, 6, 45_519),
    ((3,), 4, 4, 71_172),
    ((3,), 0, 6, 388),
    (EVEN, 2, 6, 3_197),
    (EVEN, 4, 5, 31_819),
    (EVEN, 8, 2, 170_129),
    (ANY, 2, 4, 8_475),
    (ANY, 4, 3, 75_388),
]


def name(value):
    return f"{value[0]},{value[1]},.." if isinstance(value, tuple) and len(value) > 4 else str(value)


@pytest.mark.parametrize(("valences", "legs", "loops", "expected"), COUNTS, ids=name)
def test_counts_on_which_several_generators_agree(valences, legs, loops, expected):
    assert count_diagrams(valences=valences, legs=legs, loops=loops) == expected


@pytest.mark.parametrize(
    ("valences", "legs", "loops", "expected"),
    [((4,), 2, 8, 15_237), ((4,), 4, 6, 25_722), ((3,), 2, 6, 4_999)],
    ids=name,
)
def test_irreducible_counts_on_which_several_generators_agree(valences, legs, loops, expected):
    given = {"valences": valences, "legs": legs, "loops": loops}
    assert count_diagrams(**given, one_particle_irreducible=True) == expected


ACTION = [
    (EVEN, 2, 1, 1, Fraction(1, 2)),
    (EVEN, 2, 2, 4, Fraction(19, 24)),
    (EVEN, 2, 3, 18, Fraction(23, 12)),
    (EVEN, 4, 1, 8, Fraction(4)),
    (EVEN, 4, 2, 62, Fraction(395, 24)),
    (EVEN, 6, 0, 11, Fraction(11)),
    (EVEN, 6, 1, 187, Fraction(101)),
    (ANY, 2, 1, 3, Fraction(3, 2)),
    (ANY, 2, 2, 35, Fraction(19, 2)),
    (ANY, 4, 0, 4, Fraction(4)),
    (ANY, 4, 1, 111, Fraction(63)),
]


@pytest.mark.parametrize(("valences", "legs", "loops", "number", "weight"), ACTION, ids=name)
def test_vertices_of_every_degree(valences, legs, loops, number, weight):
    given = {"valences": valences, "legs": legs, "loops": loops}
    assert (count_diagrams(**given), total_weight(**given)) == (number, weight)


SEQUENCES = [
    ("connected cubic multigraphs, A005967", 3, True, [2, 5, 17, 71, 388, 2592]),
    ("connected cubic multigraphs without loops, A000421", 3, False, [1, 2, 6, 20, 91, 509]),
    ("connected 4-regular multigraphs, A085549", 4, True, [1, 2, 4, 10, 28, 97, 359, 1635]),
]


@pytest.mark.parametrize(("title", "degree", "self_loops", "expected"), SEQUENCES, ids=[s[0] for s in SEQUENCES])
def test_regular_multigraphs(title, degree, self_loops, expected):
    found = [
        count_diagrams(valences=(degree,), legs=0, loops=loops, self_loops=self_loops)
        for loops in range(2, len(expected) + 2)
    ]
    assert found == expected


def test_trees_with_labelled_leaves():
    """Cubic trees: (2 n - 5)!!; trees without 2-leg vertices: Schröder's fourth problem, A000311."""
    assert [count_diagrams(valences=(3,), legs=n, loops=0) for n in range(3, 9)] == [1, 3, 15, 105, 945, 10395]
    assert [count_diagrams(valences=ANY, legs=n, loops=0) for n in range(3, 9)] == [1, 4, 26, 236, 2752, 39208]


@pytest.mark.parametrize("options", [{}, {"one_particle_irreducible": True}], ids=["connected", "1PI"])
def test_orders_that_nobody_enumerates(options):
    """A wrong average would not be an integer, and its residue not of the size of the weight."""
    given = {"valences": (4,), "legs": 4, "loops": 10, **options}
    labelled, free = count_diagrams(**given), count_diagrams(**given, labelled=False)
    assert total_weight(**given) < labelled < 24 * free < 2 * labelled
    assert labelled > 10**8


# --- every matching -----------------------------------------------------------------------------------------------


def all_matchings(ends):
    if not ends:
        yield []
        return
    first, rest = ends[0], ends[1:]
    for i, second in enumerate(rest):
        for tail in all_matchings(rest[:i] + rest[i + 1 :]):
            yield [(first, second), *tail]


def n_parts(nodes, lines):
    part = {node: {node} for node in nodes}
    for u, v in lines:
        if part[u] is not part[v]:
            part[u] |= part[v]
            for node in part[v]:
                part[node] = part[u]
    return len({id(p) for p in part.values()})


def least_form(lines, legs, degrees, labelled):
    """Return the smallest list of lines over renumberings of equal vertices and of exchangeable legs."""
    return min(
        tuple(sorted(tuple(sorted((move[u], move[v]))) for u, v in lines))
        for places in permutations(range(len(degrees)))
        if all(degrees[v] == degrees[p] for v, p in enumerate(places))
        for order in ([range(legs)] if labelled else permutations(range(legs)))
        for move in [[*order, *(legs + p for p in places)]]
    )


def shape(lines, legs, n_vertices):
    """Return (parts, loops, self-loops, 1PI, tadpoles)."""
    nodes = range(legs + n_vertices)
    parts = n_parts(nodes, lines)
    bridge = tadpole = False
    for i, (u, v) in enumerate(lines):
        rest = [*lines[:i], *lines[i + 1 :]]
        if min(u, v) >= legs and n_parts(nodes, rest) > parts:
            bridge = True
            # with a leg tied to u (to v) a part without legs stays apart
            hub = [(leg, legs + n_vertices) for leg in range(legs)]
            tied = [n_parts([*nodes, legs + n_vertices], [*rest, *hub, (w, legs + n_vertices)]) for w in (u, v)]
            loose = n_parts([*nodes, legs + n_vertices], [*rest, *hub])
            tadpole |= any(t < loose for t in tied)
    irreducible = parts == 1 and not bridge and n_vertices > 0
    loops = len(lines) - len(nodes) + parts
    return parts, loops, any(u == v for u, v in lines), irreducible, tadpole


@cache
def all_classes(legs, degrees, labelled):
    """Return [(weight, shape)] of all diagrams with these vertices, weights from numbers of matchings."""
    owner = [*range(legs), *(legs + v for v, d in enumerate(degrees) for _ in range(d))]
    matched = Counter(tuple(sorted((owner[a], owner[b]) for a, b in m)) for m in all_matchings(list(range(len(owner)))))
    shared = prod(factorial(m) * factorial(d) ** m for d, m in Counter(degrees).items())
    classes = Counter()
    for lines, number in matched.items():
        classes[least_form(lines, legs, degrees, labelled)] += number
    shared *= 1 if labelled else factorial(legs)
    return [(Fraction(n, shared), shape(lines, legs, len(degrees))) for lines, n in classes.items()]


OPTIONS = [
    {},
    {"self_loops": False},
    {"tadpoles": False},
    {"self_loops": False, "tadpoles": False},
    {"one_particle_irreducible": True},
    {"one_particle_irreducible": True, "self_loops": False},
    {"connected": False},
    {"connected": False, "self_loops": False},
    {"connected": False, "tadpoles": False},
]


def allowed(shape, connected=True, self_loops=True, tadpoles=True, one_particle_irreducible=False):
    parts, _, has_self_loop, irreducible, has_tadpole = shape
    return (
        (parts == 1 or not connected)
        and (self_loops or not has_self_loop)
        and (tadpoles or not has_tadpole)
        and (irreducible or not one_particle_irreducible)
    )


def lists_of_degrees(most, legs):
    """Return all lists of degrees with at most that many half-edges, legs included."""
    return [
        degrees
        for n_vertices in range(most // 3 + 1)
        for degrees in combinations_with_replacement(range(3, most + 1), n_vertices)
        if 0 < legs + sum(degrees) <= most and (legs + sum(degrees)) % 2 == 0
    ]


@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_all_matchings(options, labelled):
    """Every list of degrees with at most ten half-edges: the numbers, and the sums of weights, loop by loop."""
    checked = 0
    for legs in range(5):
        for degrees in lists_of_degrees(10, legs):
            truth = all_classes(legs, degrees, labelled)
            for loops in {s[1] for _, s in truth}:
                expected = [w for w, s in truth if s[1] == loops and allowed(s, **options)]
                given = {"valences": degrees or (3,), "legs": legs, "loops": loops, "labelled": labelled, **options}
                assert counts_by_valences(**given).get(degrees, 0) == len(expected)
                assert weights_by_valences(**given).get(degrees, 0) == sum(expected)
                checked += len(expected)
    assert checked > 10


@pytest.mark.parametrize(("degrees", "legs"), [((3, 3, 3, 3), 0), ((4, 4, 4), 0), ((4, 4), 4), ((3, 3, 3), 3)], ids=str)
def test_twelve_half_edges(degrees, legs):
    truth = [s for _, s in all_classes(legs, degrees, True)]
    for options in OPTIONS:
        for loops in {s[1] for s in truth}:
            expected = sum(allowed(s, **options) and s[1] == loops for s in truth)
            found = counts_by_valences(valences=degrees, legs=legs, loops=loops, **options)
            assert found.get(degrees, 0) == expected


# --- enumeration --------------------------------------------------------------------------------------------------


GRID = [((3,), 4), ((4,), 8), ((3, 4), 4), ((5,), 6), ((4, 6), 6), (EVEN, 6), (ANY, 3)]


@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
@pytest.mark.parametrize(("valences", "highest"), GRID, ids=name)
def test_enumeration(valences, highest, labelled):
    """Numbers and weights of what the enumeration returns, as a whole and for each list of degrees."""
    for legs, loops, options in product(range(6), range(6), OPTIONS):
        order = legs + 2 * (loops - 1)
        if order > highest - (0 if options.get("connected", True) else 2):
            continue
        given = {"valences": valences, "legs": legs, "loops": loops, "labelled": labelled, **options}
        diagrams = enumerate_diagrams(**given)
        assert count_diagrams(**given) == len(diagrams)
        assert total_weight(**given) == diagrams.total_weight()
        if len(diagrams) < 300:
            numbers = Counter(tuple(sorted(diagram.valences)) for diagram in diagrams)
            assert counts_by_valences(**given) == numbers
        assert weights_by_valences(**{**given, "labelled": True}) == diagrams.weights_by_valences()


# --- identities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "legs"), [((4, 4, 4), 2), ((3, 3, 4, 5), 3), ((3,) * 6, 2), ((6, 8), 4), ((), 6)], ids=str
)
def test_weights_of_all_diagrams_add_up_to_the_number_of_matchings(degrees, legs):
    """Summed over loops, vacuum parts included, (number of matchings) / (prod d!^m m!)."""
    n_lines = (legs + sum(degrees)) // 2
    matched = prod(range(1, 2 * n_lines, 2))
    shared = prod(factorial(m) * factorial(d) ** m for d, m in Counter(degrees).items())
    total = Fraction(0)
    for loops in range(n_lines + 1):
        given = {"valences": degrees or (3,), "legs": legs, "loops": loops, "connected": False}
        total += weights_by_valences(**given).get(degrees, Fraction(0))
    assert total == Fraction(matched, shared)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_refinement_adds_up(options):
    given = {"valences": (3, 4, 6), "legs": 3, "loops": 2, **options}
    assert sum(counts_by_valences(**given).values()) == count_diagrams(**given)
    assert sum(weights_by_valences(**given).values()) == total_weight(**given)
    assert total_weight(**given, labelled=False) == total_weight(**given) / 6


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("valences", [(3,), (4,), (5,), (3, 4), (4, 6), (3, 5, 8), EVEN, ANY], ids=name)
def test_two_ways_to_the_sum_of_weights(valences, options):
    """Moments of one variable, and matchings with the number of vertices of each degree kept."""
    nonzero = 0
    for legs, loops in product(range(6), range(5)):
        given = {"valences": valences, "legs": legs, "loops": loops, **options}
        expected = sum(weights_by_valences(**given).values())
        assert total_weight(**given) == expected
        nonzero += expected > 0
    assert nonzero > 1


def test_trees_of_irreducible_parts():
    """With labelled legs a two-leg diagram is a chain of 1PI parts if no vertex is odd: 1 / (1 - Sigma) = G."""
    highest = 7
    given = {"valences": (4,), "legs": 2}
    for count in (count_diagrams, total_weight):
        sigma = [count(**given, loops=n, one_particle_irreducible=True) for n in range(highest + 1)]
        chain = [1]
        for n in range(1, highest + 1):
            chain.append(sum(sigma[k] * chain[n - k] for k in range(1, n + 1)))
        assert chain == [count(**given, loops=n) for n in range(highest + 1)]


def test_no_diagrams():
    nothing = [(0, 0), (0, 1), (1, 0)]
    for (legs, loops), connected in product(nothing, [True, False]):
        given = {"valences": ANY, "legs": legs, "loops": loops, "connected": connected}
        assert count_diagrams(**given) == total_weight(**given) == 0
        assert counts_by_valences(**given) == {}
    assert count_diagrams(valences=(4,), legs=3, loops=2) == 0
    assert weights_by_valences(valences=(4,), legs=3, loops=2) == {}


def test_bare_propagator_and_bare_vertices():
    assert counts_by_valences(valences=(4,), legs=2, loops=0) == {(): 1}
    assert total_weight(valences=(4,), legs=2, loops=0, labelled=False) == Fraction(1, 2)
    assert count_diagrams(valences=(4,), legs=2, loops=0, one_particle_irreducible=True) == 0
    assert counts_by_valences(valences=ANY, legs=5, loops=0, one_particle_irreducible=True) == {(5,): 1}
    assert [count_diagrams(valences=(4,), legs=2 * k, loops=0, connected=False) for k in (1, 2)] == [1, 1 + 3]


def test_every_option_matters():
    given = {"valences": (3, 4), "legs": 2, "loops": 3}
    for function in (count_diagrams, total_weight):
        results = [function(**given, **options) for options in [*OPTIONS, {"labelled": False}]]
        assert len(set(results)) == len(results)


def test_results_are_fresh_and_exact():
    given = {"valences": (4,), "legs": 2, "loops": 2}
    counts_by_valences(**given).clear()
    weights_by_valences(**given).clear()
    assert counts_by_valences(**given) == {(4, 4): 3}
    assert weights_by_valences(**given) == {(4, 4): Fraction(2, 3)}
    assert type(count_diagrams(**given)) is int
    assert type(total_weight(**given)) is Fraction
    assert type(total_weight(valences=(4,), legs=1, loops=1)) is Fraction


def test_arguments_are_normalised():
    given = {"legs": 2, "loops": 2}
    assert count_diagrams(valences=[4, 3, 4], **given) == count_diagrams(valences=(3, 4), **given)
    assert count_diagrams(valences=np.array([3, 4]), legs=np.int64(2), loops=np.int64(2)) == 29
    assert count_diagrams(valences=range(3, 1000), **given) == count_diagrams(valences=ANY, **given)


# --- errors -------------------------------------------------------------------------------------------------------

WRONG = [
    ({"valences": ()}, ValueError, "valences is empty"),
    ({"valences": 4}, TypeError, "sequence of integers"),
    ({"valences": (2, 4)}, ValueError, "at least 3 half-edges"),
    ({"valences": (4.0,)}, TypeError, "valences must be integers"),
    ({"valences": (True,)}, TypeError, "valences must be integers"),
    ({"legs": -1}, ValueError, "legs must be >= 0"),
    ({"legs": 2.0}, TypeError, "legs must be an integer"),
    ({"loops": -1}, ValueError, "loops must be >= 0"),
    ({"loops": "2"}, TypeError, "loops must be an integer"),
    ({"one_particle_irreducible": True, "connected": False}, ValueError, "a 1PI diagram is connected"),
]


@pytest.mark.parametrize("function", [count_diagrams, counts_by_valences, total_weight, weights_by_valences])
@pytest.mark.parametrize(("change", "error", "message"), WRONG, ids=[str(w[0]) for w in WRONG])
def test_errors(function, change, error, message):
    with pytest.raises(error, match=message):
        function(**{"valences": (4,), "legs": 2, "loops": 2, **change})


# --- the parts ----------------------------------------------------------------------------------------------------


def test_modulus_is_large_and_leaves_denominators_invertible():
    modulus = coprime_modulus(10**40, 60)
    assert modulus > 10**40
    assert all(pow(k, -1, modulus) * k % modulus == 1 for k in range(1, 61))


def test_multisets_of_one_thing_and_of_two():
    ring = Ring(top=6, free=0, width=8, modulus=coprime_modulus(10**6, 20), largest=20)
    one = [{0: 1} if order == 1 else {} for order in range(7)]
    assert ring.multisets(one) == [{0: 1}] * 7
    partition_numbers = ring.multisets([{}, *([{0: 1}] * 6)])
    assert [row[0] for row in partition_numbers] == [1, 1, 2, 3, 5, 7, 11]
    assert ring.connected(partition_numbers) == [{}, *([{0: 1}] * 6)]
    assert ring.logarithm(ring.exponential(one)) == one
    assert ring.quotient(ring.product(partition_numbers, partition_numbers), partition_numbers) == partition_numbers


def test_number_theory():
    assert [moebius(n) for n in range(1, 13)] == [1, -1, -1, 0, -1, 1, -1, 0, 0, 1, -1, 0]
    assert [len(list(partitions(n, n))) for n in range(9)] == [1, 1, 2, 3, 5, 7, 11, 15, 22]
    # permutations of n objects that one fixed-point-free involution survives; variance 1, mean 0: double factorials
    assert [gaussian_moment(n, 1) for n in range(7)] == [1, 0, 1, 0, 3, 0, 15]
    assert [gaussian_moment(n, 2) for n in range(4)] == [1, 1, 3, 7]
