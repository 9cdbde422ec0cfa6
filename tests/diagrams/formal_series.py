"""Formal power series with exact coefficients, and zero-dimensional integrals expanded in them: no diagrams.

A series is a dict from exponents (one for each parameter) to Fraction, cut above the highest exponents.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, factorial

import sympy

from diagrams.cumulants import set_partitions
from diagrams.pointfunctions import PointFunction


def multiply(a, b, highest):
    total = {}
    for k, v in a.items():
        for m, w in b.items():
            key = tuple(x + y for x, y in zip(k, m, strict=True))
            if all(e <= h for e, h in zip(key, highest, strict=True)):
                total[key] = total.get(key, Fraction(0)) + v * w
    return total


def add(a, b, factor=1):
    total = dict(a)
    for k, v in b.items():
        total[k] = total.get(k, Fraction(0)) + factor * v
    return total


def inverse(a, highest):
    """1/a for a series that begins with one at power zero."""
    zero = (0,) * len(highest)
    rest = {k: -v for k, v in a.items() if any(k)}
    assert a[zero] == 1
    total, power = {zero: Fraction(1)}, {zero: Fraction(1)}
    while power := multiply(power, rest, highest):
        total = add(total, power)
    return total


def normal_moment(n):
    return 0 if n % 2 else factorial(n) // (2 ** (n // 2) * factorial(n // 2))


def exponential(terms, highest):
    """exp(-sum_n c x^n / n!) as {power of x: series}; terms: (n, exponents, coefficient c)."""
    zero = (0,) * len(highest)
    total = {0: {zero: Fraction(1)}}
    for n, key, c in terms:
        grown = {}
        for x, series in total.items():
            v = 0
            while part := multiply(series, {tuple(v * e for e in key): Fraction(1)}, highest):
                factor = (-Fraction(c)) ** v / (factorial(v) * factorial(n) ** v)
                grown[x + n * v] = add(grown.get(x + n * v, {}), part, factor)
                v += 1
                assert v < 99, "a vertex without a positive power"
        total = grown
    return total


def deformed_moments(terms, highest, top, moment=normal_moment):
    """E[x^j exp(-sum c x^n/n!)] / E[exp(...)] for j = 0 .. top; ``moment`` gives a number or a series."""
    weight = exponential(terms, highest)
    zero = (0,) * len(highest)

    def mean(j):
        total = {}
        for x, series in weight.items():
            m = moment(j + x)
            total = add(total, multiply(series, m if isinstance(m, dict) else {zero: Fraction(m)}, highest))
        return total

    normalised = inverse(mean(0), highest)
    return [multiply(mean(j), normalised, highest) for j in range(top + 1)]


def cumulants(moments, highest):
    """kappa_0 (unused), kappa_1, ... from moments m_0 = 1, m_1, ..., all series."""
    kappa = [{}]
    for n in range(1, len(moments)):
        value = moments[n]
        for j in range(1, n):
            value = add(value, multiply(kappa[j], moments[n - j], highest), -comb(n - 1, j - 1))
        kappa.append(value)
    return kappa


def moments_of(kappa, highest, top):
    """m_0 .. m_top of one variable with cumulants ``kappa(n)``, all series."""
    zero = (0,) * len(highest)
    moments = [{zero: Fraction(1)}]
    for n in range(1, top + 1):
        value = {}
        for j in range(1, n + 1):
            value = add(value, multiply(kappa(j), moments[n - j], highest), comb(n - 1, j - 1))
        moments.append(value)
    return moments


def without_zeros(series):
    return {tuple(map(sympy.Rational, k)): sympy.Rational(v.numerator, v.denominator) for k, v in series.items() if v}


def at_one_point(series, functions=lambda name: 1):
    """Coefficients of a Series in zero dimensions: no volume, every function of points a number."""
    found = {}
    for key, value in series.terms:
        number = value.replace(lambda t: isinstance(t, PointFunction), lambda t: sympy.sympify(functions(t.name)))
        number = number.replace(lambda t: isinstance(t, sympy.Integral), lambda t: t.function)
        found[key] = sympy.expand(number)
    return {key: number for key, number in found.items() if number != 0}


def gaussian_moments(covariance):
    """Return the function sites -> E[prod phi_site] of a Gaussian with a covariance matrix."""

    @cache
    def moment(sites):
        if not sites:
            return Fraction(1)
        first, rest = sites[0], sites[1:]
        pairs = (covariance[first][rest[i]] * moment(rest[:i] + rest[i + 1 :]) for i in range(len(rest)))
        return sum(pairs, Fraction(0))

    return lambda sites: moment(tuple(sorted(sites)))


def joint_cumulant(moment, sites, highest):
    """Joint cumulant of the fields at ``sites`` from a function that gives moments (series) of tuples of sites."""
    total = {}
    for partition in set_partitions(range(len(sites))):
        value = {(0,) * len(highest): Fraction(1)}
        for block in partition:
            value = multiply(value, moment(tuple(sites[i] for i in block)), highest)
        total = add(total, value, (-1) ** (len(partition) - 1) * factorial(len(partition) - 1))
    return total


def lattice_weight(terms, m, highest):
    """exp(-sum_z sum_n c phi_z^n/n!) on m sites as {sorted sites: series}."""
    zero = (0,) * len(highest)
    one = exponential(terms, highest)
    total = {(): {zero: Fraction(1)}}
    for z in range(m):
        grown = {}
        for (sites, series), (x, own) in product(total.items(), one.items()):
            if part := multiply(series, own, highest):
                key = sites + (z,) * x
                grown[key] = add(grown.get(key, {}), part)
        total = grown
    return total
