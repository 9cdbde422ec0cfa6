"""The action of finitely many variables from their cumulants without diagrams: a formal Edgeworth inversion, exact."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import factorial, prod

import numpy as np

# a polynomial is {exponents: coefficient}; a series in the expansion parameters is {key: polynomial}


def _multiply(a, b):
    result = {}
    for x, c in a.items():
        for y, d in b.items():
            z = tuple(i + j for i, j in zip(x, y, strict=True))
            result[z] = result.get(z, 0) + c * d
    return result


def _add(a, b, factor=1):
    result = dict(a)
    for x, c in b.items():
        result[x] = result.get(x, 0) + factor * c
    return result


def _series_product(a, b, highest):
    result = {}
    for k, p in a.items():
        for m, q in b.items():
            key = tuple(i + j for i, j in zip(k, m, strict=True))
            if all(e <= h for e, h in zip(key, highest, strict=True)):
                result[key] = _add(result.get(key, {}), _multiply(p, q))
    return result


def _hermite(a, inverse, cache):
    """Return (-d)^a g / g for the Gaussian g of inverse covariance ``inverse``."""
    if a in cache:
        return cache[a]
    m = len(a)
    i = next(j for j in range(m) if a[j])
    lower = tuple(e - (j == i) for j, e in enumerate(a))
    h = _hermite(lower, inverse, cache)
    psi = {tuple(int(j == k) for j in range(m)): inverse[i, k] for k in range(m)}
    slope = {tuple(e - (j == i) for j, e in enumerate(x)): -c * x[i] for x, c in h.items() if x[i]}
    cache[a] = _add(_multiply(psi, h), slope)
    return cache[a]


def couplings(cumulants, inverse, highest):
    """Return the derivatives of -log p at zero as ``{(n, key): tensor}``, the free term left out.

    ``cumulants`` is ``{(r, key): object array (m,) * r}`` without the covariance, whose inverse is ``inverse``.
    """
    m = len(inverse)
    exponent = {}
    for (r, key), tensor in cumulants.items():
        term = {}
        for index in product(range(m), repeat=r):
            a = tuple(index.count(i) for i in range(m))
            term[a] = term.get(a, 0) + Fraction(tensor[index]) / factorial(r)
        exponent[key] = _add(exponent.get(key, {}), term)
    zero, one = tuple(Fraction(0) for _ in highest), {(0,) * m: Fraction(1)}
    ratio, power, k = {zero: one}, {zero: one}, 0
    while power:
        k += 1
        power = _series_product(power, exponent, highest)
        for key, p in power.items():
            ratio[key] = _add(ratio.get(key, {}), p, Fraction(1, factorial(k)))
    cache, density = {(0,) * m: one}, {}
    for key, p in ratio.items():
        total = {}
        for a, c in p.items():
            if c:
                total = _add(total, _hermite(a, inverse, cache), c)
        density[key] = total
    rest = {key: p for key, p in density.items() if key != zero}
    action, power, k = {}, {zero: one}, 0
    while power:
        k += 1
        power = _series_product(power, rest, highest)
        for key, p in power.items():
            action[key] = _add(action.get(key, {}), p, Fraction((-1) ** k, k))
    return _tensors(action, m)


def _tensors(action, m):
    result = {}
    for key, p in action.items():
        for a, c in p.items():
            if c and sum(a):
                tensor = result.setdefault((sum(a), key), np.full((m,) * sum(a), Fraction(0), object))
                for index in product(range(m), repeat=sum(a)):
                    if tuple(index.count(i) for i in range(m)) == a:
                        tensor[index] = c * prod(factorial(e) for e in a)
    return result
