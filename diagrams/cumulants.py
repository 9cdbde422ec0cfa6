"""Set partitions, moments <-> cumulants, Wick pairings: the combinatorics under every correlator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import comb, factorial
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
    terms = []
    for partition in set_partitions(items, even=even):
        sign = (-1) ** (len(partition) - 1) * factorial(len(partition) - 1)
        terms.append(_product(sign, [moment(block) for block in partition]))
    return _total(terms)


def moment_from_cumulants(items: Sequence[T], cumulant: Callable[[tuple[T, ...]], Any], *, even: bool = False) -> Any:
    r"""Return the moment of ``items`` from a function that gives the cumulant of any block.

    .. math:: E \prod_i X_i = \sum_\pi \prod_{B \in \pi} \kappa(X_B)

    The inverse of :func:`cumulant_from_moments`, with the same conventions.

    Examples
    --------
    >>> moment_from_cumulants("aaaa", lambda block: 1 if len(block) == 2 else 0)
    3
    """
    return _total([_product(1, [cumulant(block) for block in p]) for p in set_partitions(items, even=even)])


def cumulants_from_moments(moments: Sequence[Any]) -> list[Any]:
    r"""Return the cumulants ``[kappa_1, ..., kappa_n]`` of one variable from its moments ``[E X, ..., E X**n]``.

    .. math:: \kappa_n = m_n - \sum_{k=1}^{n-1} \binom{n-1}{k-1} \kappa_k m_{n-k}

    Parameters
    ----------
    moments : sequence
        Moments of order 1, 2, ...; numbers, arrays or sympy expressions (results of these are expanded).

    Examples
    --------
    >>> cumulants_from_moments([1, 2, 6, 24])
    [1, 1, 2, 6]
    """
    cumulants: list[Any] = []
    for n, moment in enumerate(moments, 1):
        products = [_product(-comb(n - 1, k - 1), [cumulants[k - 1], moments[n - k - 1]]) for k in range(1, n)]
        cumulants.append(_expanded(_total([moment, *products])))
    return cumulants


def moments_from_cumulants(cumulants: Sequence[Any]) -> list[Any]:
    r"""Return the moments ``[E X, ..., E X**n]`` of one variable from its cumulants ``[kappa_1, ..., kappa_n]``.

    .. math:: m_n = \kappa_n + \sum_{k=1}^{n-1} \binom{n-1}{k-1} \kappa_k m_{n-k}

    The inverse of :func:`cumulants_from_moments`, with the same conventions.

    Examples
    --------
    >>> moments_from_cumulants([0, 1, 0, 0, 0, 0])
    [0, 1, 0, 3, 0, 15]
    """
    moments: list[Any] = []
    for n, cumulant in enumerate(cumulants, 1):
        products = [_product(comb(n - 1, k - 1), [cumulants[k - 1], moments[n - k - 1]]) for k in range(1, n)]
        moments.append(_expanded(_total([cumulant, *products])))
    return moments


def _is_symbolic(value: Any) -> bool:
    return hasattr(value, "free_symbols")


def _product(number: int, factors: Sequence[Any]) -> Any:
    """Return the product; sympy makes it in one step, which a chain of ``*`` would do again at every factor."""
    if any(map(_is_symbolic, factors)):
        import sympy

        return sympy.Mul(number, *factors)
    result: Any = number
    for factor in factors:
        result = result * factor
    return result


def _total(terms: Sequence[Any]) -> Any:
    """Return the sum; one sum of many symbolic terms takes linear time, adding them in turn quadratic."""
    if any(map(_is_symbolic, terms)):
        import sympy

        return sympy.Add(*terms)
    result: Any = 0
    for term in terms:
        result = result + term
    return result


def _expanded(value: Any) -> Any:
    return value.expand() if _is_symbolic(value) else value
