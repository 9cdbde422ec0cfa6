r"""Joint cumulants of the field and of sums over neurons, exact in N, for independent identical neurons.

A cumulant of sums over N independent identical neurons is N times the cumulant of one neuron, so with the field
itself a neuron sum, :math:`\phi = \sum_i W^1_i h(x; \theta_i)`, the cumulant of fields and *products* of sums is
(Leonov and Shiryaev 1959)

.. math:: \kappa(\phi_1 \ldots \phi_n; V_1 \ldots V_r) = \sum_\pi \prod_{B \in \pi} N \kappa_{\theta}(B)

over the partitions of all factors that connect the groups ``{phi_1} ... {phi_n}, V_1 ... V_r``. For r >= 1 every
block then holds at least one factor of a V, so the fields are dealt out to the blocks of a connected partition of the
factors of the V's alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement
from math import factorial, prod
from typing import TYPE_CHECKING, TypeAlias

import sympy

from diagrams._architecture import readout_moment
from diagrams.cumulants import set_partitions
from diagrams.neuron_sums import SumKey, Term
from diagrams.symbols import symbol
from diagrams.typing import Expr, Point

if TYPE_CHECKING:
    from diagrams.architectures import Architecture

Leg: TypeAlias = tuple[Point, Expr]  # a point and the output index of the field there
Block: TypeAlias = tuple[int, ...]


@cache
def neuron_moment(net: Architecture, legs: tuple[Leg, ...], sums: tuple[SumKey, ...]) -> Expr:
    """Return ``E_theta[prod W1 h(x) prod (monomial prod W1 h(z))]`` of one neuron of a net of width 1."""
    points = [*(p for p, _ in legs), *(z for key in sums for z in key.points)]
    weight = sympy.Mul(*(key.monomial for key in sums))
    if net.output_dim == 1:
        return net.neuron_moment(points, weight)
    if any(key.output_degree for key in sums):
        raise ValueError(
            f"a net of {net.output_dim} outputs can be deformed by its hidden parameters only: {weight} and points in "
            "neuron sums bring output weights, which carry an output index"
        )
    weights = _output_weights(net, [a for _, a in legs])
    return weights * net.feature.expected_product(points, weight) if weights != 0 else sympy.S.Zero


def _output_weights(net: Architecture, outputs: list[Expr]) -> Expr:
    """Return the average of output weights to the given outputs; those to different outputs are independent."""
    return readout_moment(net.readout, outputs, net.means)


@cache
def neuron_cumulant(net: Architecture, legs: tuple[Leg, ...], sums: tuple[SumKey, ...]) -> Expr:
    """Return the joint cumulant of ``W1 h(x)`` at the legs and of monomials, of one neuron of a net of width 1."""
    n, distinct = len(legs), list(dict.fromkeys(sums))
    odd = [1] * n + [key.output_degree % 2 for key in sums]
    if net.has_symmetric_readout and sum(odd) % 2:
        return sympy.S.Zero
    labels = [*range(n), *(n + distinct.index(key) for key in sums)]  # equal labels are equal factors
    kept = Counter(
        tuple(sorted(tuple(labels[i] for i in block) for block in partition))
        for partition in _partitions(tuple(range(len(labels))), odd if net.has_symmetric_readout else None)
    )

    def moment(block: Block) -> Expr:
        return neuron_moment(
            net, tuple(legs[i] for i in block if i < n), tuple(distinct[i - n] for i in block if i >= n)
        )

    terms = []
    for blocks, multiplicity in kept.items():
        weight = multiplicity * (-1) ** (len(blocks) - 1) * factorial(len(blocks) - 1)
        terms.append(weight * sympy.Mul(*map(moment, blocks)))
    return sympy.Add(*terms)


def _partitions(items: Block, odd: Sequence[int] | None) -> Iterator[tuple[Block, ...]]:
    """Iterate over set partitions; with ``odd``, over those with an even number of odd items in every block."""
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for size in range(len(rest) + 1):
        for chosen in combinations(rest, size):
            block = (first, *chosen)
            if odd is None or sum(odd[i] for i in block) % 2 == 0:
                remaining = tuple(i for i in rest if i not in chosen)
                for tail in _partitions(remaining, odd):
                    yield (block, *tail)


@cache
def connected_partitions(groups: tuple[Block, ...]) -> tuple[tuple[tuple[Block, ...], int], ...]:
    """Return the partitions of all factors of ``groups`` that connect the groups, equal ones counted.

    Factors are labels; blocks and partitions are sorted tuples of them.
    """
    factors = [(g, label) for g, group in enumerate(groups) for label in group]
    counts: Counter[tuple[Block, ...]] = Counter()
    for partition in set_partitions(factors):
        if _connects([{g for g, _ in block} for block in partition], len(groups)):
            counts[tuple(sorted(tuple(sorted(label for _, label in block)) for block in partition))] += 1
    return tuple(counts.items())


def _connects(blocks: list[set[int]], n_groups: int) -> bool:
    reached, waiting = set(blocks[0]), blocks[1:]
    while near := [b for b in waiting if b & reached]:
        waiting = [b for b in waiting if not b & reached]
        reached.update(*near)
    return not waiting and len(reached) == n_groups


def deformed_cumulant(
    net: Architecture, legs: Sequence[Leg], log_weight: Mapping[int, Sequence[Term]], order: int
) -> dict[Expr, Expr]:
    r"""Return one order of the connected correlator of ``exp(sum_k t**k L_k)`` times the density of the net.

    The coefficient of ``t**order`` of :math:`\kappa_t(\phi_1 \ldots \phi_n)`, which is the sum over products of terms
    of the L's of total order ``order``, divided by the factorials of repetitions, of their joint cumulants with the
    fields. The normalisation Z(t) is included: it is the same sum with no field. With ``legs`` empty that is the
    coefficient of log Z.

    Parameters
    ----------
    net : Architecture
        Of width 1 (its powers of N are counted here).
    legs : sequence of Leg
    log_weight : mapping from k to the terms of L_k
    order : int
        At least 1.

    Returns
    -------
    dict from exponent of N to coefficient
    """
    found: dict[Expr, list[Expr]] = {}
    for terms in _products_of_order(log_weight, order):
        if not all(term.sums for term in terms):
            if len(terms) == 1 and not legs:  # a constant in log P only shifts log Z
                found.setdefault(terms[0].n_power, []).append(terms[0].coefficient)
            continue
        keys = list(dict.fromkeys(key for term in terms for key in term.sums))
        groups = tuple(tuple(keys.index(key) for key in term.sums) for term in terms)
        repeats = prod(factorial(m) for m in Counter(terms).values())
        coefficient = sympy.Mul(*(term.coefficient for term in terms)) / repeats
        output_degree = len(legs) + sum(key.output_degree for term in terms for key in term.sums)
        power = sympy.Add(*(term.n_power for term in terms)) - sympy.Rational(output_degree, 2)
        for blocks, count in connected_partitions(groups):
            dealt = _dealt(net, tuple(legs), tuple(tuple(keys[i] for i in block) for block in blocks))
            if dealt != 0:
                found.setdefault(power + len(blocks), []).append(coefficient * count * dealt)
    return {power: sympy.Add(*parts) for power, parts in found.items()}


def _products_of_order(log_weight: Mapping[int, Sequence[Term]], order: int) -> Iterator[tuple[Term, ...]]:
    """Iterate over multisets of terms of total order ``order``."""

    def split(rest: int, smallest: int) -> Iterator[tuple[int, ...]]:
        if not rest:
            yield ()
        for k in range(smallest, rest + 1):
            for tail in split(rest - k, k):
                yield (k, *tail)

    for parts in split(order, 1):
        choices: list[tuple[Term, ...]] = [()]
        for k, repeat in Counter(parts).items():
            picked = list(combinations_with_replacement(log_weight.get(k, ()), repeat))
            choices = [(*a, *b) for a in choices for b in picked]
        yield from choices


def _dealt(net: Architecture, legs: tuple[Leg, ...], blocks: tuple[tuple[SumKey, ...], ...]) -> Expr:
    """Return the sum over all ways to deal the legs to the blocks of the product of the blocks' cumulants."""
    if len(blocks) == 1:
        return neuron_cumulant(net, legs, blocks[0])
    terms = []
    parity = sum(key.output_degree for key in blocks[0])
    for size in range(len(legs) + 1):
        if net.has_symmetric_readout and (size + parity) % 2:
            continue
        for chosen in combinations(range(len(legs)), size):
            head = neuron_cumulant(net, tuple(legs[i] for i in chosen), blocks[0])
            if head != 0:
                rest = tuple(leg for i, leg in enumerate(legs) if i not in chosen)
                terms.append(head * _dealt(net, rest, blocks[1:]))
    return sympy.Add(*terms)


def expectation(net: Architecture, legs: Sequence[Leg], terms: Sequence[Term]) -> Expr:
    r"""Return ``E_0[prod phi(x) * polynomial in neuron sums]``, exact in N, without the output bias.

    By set partitions of all factors into coinciding neurons with falling factorials,
    :math:`E \prod_a \sum_i f_a(\theta_i) = \sum_\pi N(N-1) \cdots (N - |\pi| + 1) \prod_{B \in \pi} E_\theta \prod_{a
    \in B} f_a`.

    Parameters
    ----------
    net : Architecture
        Of width 1.
    legs : sequence of Leg
    terms : sequence of Term
    """
    width, n, total = symbol("N"), len(legs), []
    for term in terms:
        odd = [1] * n + [key.output_degree % 2 for key in term.sums]
        power = term.n_power - sympy.Rational(n + sum(key.output_degree for key in term.sums), 2)
        for partition in _partitions(tuple(range(n + len(term.sums))), odd if net.has_symmetric_readout else None):
            falling = sympy.Mul(*(width - i for i in range(len(partition))))
            blocks = (
                neuron_moment(net, tuple(legs[i] for i in b if i < n), tuple(term.sums[i - n] for i in b if i >= n))
                for b in partition
            )
            total.append(term.coefficient * width**power * falling * sympy.Mul(*blocks))
    return sympy.Add(*total)
