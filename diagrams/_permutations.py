"""Small permutation groups given by generators: elements and coset representatives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import permutations

Permutation = tuple[int, ...]


def group_elements(size: int, generators: Iterable[Sequence[int]]) -> frozenset[Permutation]:
    """Return all elements of the group of permutations of ``range(size)`` that the generators span."""
    return _closure(size, frozenset(tuple(g) for g in generators))


@cache
def _closure(size: int, generators: frozenset[Permutation]) -> frozenset[Permutation]:
    identity = tuple(range(size))
    moving = [g for g in generators if g != identity]
    elements, fresh = {identity}, [identity]
    while fresh:
        products = {tuple(g[i] for i in e) for e in fresh for g in moving}
        fresh = list(products - elements)
        elements.update(fresh)
    return frozenset(elements)


def coset_representatives(size: int, generators: Iterable[Sequence[int]]) -> tuple[Permutation, ...]:
    """Return one permutation ``p`` of each coset ``{p o g}``, lexicographically smallest first.

    These are the distinct ways to put ``size`` labels on places that the group exchanges.
    """
    return _cosets(size, frozenset(tuple(g) for g in generators))


@cache
def _cosets(size: int, generators: frozenset[Permutation]) -> tuple[Permutation, ...]:
    group = sorted(_closure(size, generators))
    # p is smallest in its coset when no group element makes it smaller
    moving = [g for g in group if g != tuple(range(size))]
    return tuple(p for p in permutations(range(size)) if all(p <= tuple(p[i] for i in g) for g in moving))
