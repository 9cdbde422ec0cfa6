"""Set partitions, moments <-> cumulants, Wick pairings: the combinatorics under every correlator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import factorial
from typing import Any, TypeVar

T = TypeVar("T")
Partition = tuple[tuple[T, ...], ...]


def set_partitions(items: Sequence[T], *, even: bool = False) -> Iterator[Partition[T]]:
    """Iterate over the partitions of ``items`` into blocks (by position: equal items stay distinct).

    Parameters
    ----------
    items : sequence
    even : bool
        Only blocks of even size, which is all that a theory symmetric under a sign change of the field needs.

    Examples
    --------
    >>> len(list(set_partitions(range(6)))), len(list(set_partitions(range(6), even=True)))
    (203, 31)
    """
    items = tuple(items)
    if not items:
        yield ()
        return
    if even and len(items) % 2:
        return
    first, rest = items[0], items[1:]
    for mask in range(1 << len(rest)):
        if even and mask.bit_count() % 2 == 0:
            continue
        block = (first, *(x for i, x in enumerate(rest) if mask >> i & 1))
        for tail in set_partitions([x for i, x in enumerate(rest) if not mask >> i & 1], even=even):
            yield (block, *tail)


def pairings(items: Sequence[T]) -> Iterator[tuple[tuple[T, T], ...]]:
    """Iterate over the ways to join ``items`` in pairs (Wick contractions; none if their number is odd).

    Examples
    --------
    >>> list(pairings("abcd"))
    [(('a', 'b'), ('c', 'd')), (('a', 'c'), ('b', 'd')), (('a', 'd'), ('b', 'c'))]
    """
    items = tuple(items)
    if not items:
        yield ()
        return
    first = items[0]
    for i in range(1, len(items)):
        for tail in pairings(items[1:i] + items[i + 1 :]):
            yield ((first, items[i]), *tail)


def cumulant_from_moments(items: Sequence[T], moment: Callable[[tuple[T, ...]], Any], *, even: bool = False) -> Any:
    r"""Return the joint cumulant of ``items`` from a function that gives the moment of any block.

    .. math:: \kappa(X_1 \ldots X_n) = \sum_\pi (-1)^{|\pi| - 1} (|\pi| - 1)! \prod_{B \in \pi} E \prod_{i \in B} X_i

    Parameters
    ----------
    items : sequence
        Labels of the variables (repeat one for a higher power).
    moment : callable
        Takes a tuple of labels; its values need ``+`` and ``*`` only: numbers, arrays or sympy expressions.
    even : bool
        Skip blocks of odd size because their moments vanish.

    Examples
    --------
    >>> cumulant_from_moments("aaaa", lambda block: {1: 0, 2: 1, 3: 0, 4: 3}[len(block)])
    0
    """
    total: Any = 0
    for partition in set_partitions(items, even=even):
        term: Any = (-1) ** (len(partition) - 1) * factorial(len(partition) - 1)
        for block in partition:
            term = term * moment(block)
        total = total + term
    return total


def moment_from_cumulants(items: Sequence[T], cumulant: Callable[[tuple[T, ...]], Any], *, even: bool = False) -> Any:
    r"""Return the moment of ``items`` from a function that gives the cumulant of any block.

    .. math:: E \prod_i X_i = \sum_\pi \prod_{B \in \pi} \kappa(X_B)

    The inverse of :func:`cumulant_from_moments`, with the same conventions.

    Examples
    --------
    >>> moment_from_cumulants("aaaa", lambda block: 1 if len(block) == 2 else 0)
    3
    """
    total: Any = 0
    for partition in set_partitions(items, even=even):
        term: Any = 1
        for block in partition:
            term = term * cumulant(block)
        total = total + term
    return total
