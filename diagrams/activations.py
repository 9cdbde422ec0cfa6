"""Features that apply a non-polynomial activation to w.x + b: ReLU and the error function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from math import prod

import sympy

from diagrams.cumulants import pairings
from diagrams.expectation import ParameterIntegral, integration_variable
from diagrams.features import LinearInputFeature, monomials, unit
from diagrams.half_spaces import half_space_average
from diagrams.typing import Expr, Point


@dataclass(frozen=True)
class ReluFeature(LinearInputFeature):
    """``h = max(w.x + b, 0)``."""

    name: str = "relu"

    @property
    def is_odd(self) -> bool:
        """False: the feature is not negative."""
        return False

    def expression(self, point: Point) -> Expr:
        """Return max(w.x + b, 0)."""
        return sympy.Max(self.preactivation(point), 0)

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h], a Gaussian average over half spaces; see :mod:`diagrams.half_spaces`."""
        terms = monomials(weight, self.parameters)
        if not points:
            return sympy.Add(*(c * self.parameter_moment(powers) for powers, c in terms))
        scales = [sympy.sqrt(v) for v in self.variances() if v != 0]  # parameters that are not fixed at zero
        kept = [j for j, v in enumerate(self.variances()) if v != 0]
        if not kept:
            return sympy.S.Zero
        rows = [[(*x, sympy.S.One)[j] for j in kept] for x in points]
        total = []
        for powers, c in terms:
            if any(p and j not in kept for j, p in enumerate(powers)):
                continue
            forms = [unit(i, len(kept)) for i, j in enumerate(kept) for _ in range(powers[j])]
            total.append(c * self._average(rows, forms, scales))
        return sympy.Add(*total)

    def _average(self, rows: Sequence[Sequence[Expr]], forms: Sequence[Sequence[Expr]], scales: list[Expr]) -> Expr:
        """Return the average; scales common to all components, which are positive, are taken out of the half spaces."""
        if len(set(scales)) == 1:
            return scales[0] ** (len(rows) + len(forms)) * half_space_average(rows, forms)
        scaled = [[[s * a for s, a in zip(scales, row, strict=True)] for row in block] for block in (rows, forms)]
        return half_space_average(*scaled)

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return rf"\max\!\left({self._argument_latex()}, 0\right)"


@dataclass(frozen=True)
class ErfFeature(LinearInputFeature):
    """``h = erf(w.x + b)``."""

    name: str = "erf"

    @property
    def is_odd(self) -> bool:
        """True: the parameters are symmetric."""
        return True

    def expression(self, point: Point) -> Expr:
        """Return erf(w.x + b)."""
        return sympy.erf(self.preactivation(point))

    def expected_product(self, points: Sequence[Point], weight: Expr = 1) -> Expr:
        """Return E[weight prod h]: closed for up to two points, else an integral over the parameters."""
        terms = monomials(weight, self.parameters)
        n = len(points)
        kept = [(p, c) for p, c in terms if (sum(p) + n) % 2 == 0]
        if not points:
            return sympy.Add(*(c * self.parameter_moment(powers) for powers, c in kept))
        if n <= 2:
            return sympy.Add(*(c * self._few(points, powers) for powers, c in kept))
        return self._integral(points, sympy.Add(*(c * _monomial(self.parameters, p) for p, c in kept)))

    def _few(self, points: Sequence[Point], powers: Sequence[int]) -> Expr:
        """Return E[u_j u_k ... prod erf(z)] by partial integration.

        The weights are paired among themselves or differentiate the features; with ``d/dq_ab`` acting as
        ``(d/dz_a d/dz_b) / (1 + delta_ab)`` on a Gaussian average this differentiates the closed average.
        """
        forms = [j for j, p in enumerate(powers) for _ in range(p)]
        total = []
        for size in range(len(points) % 2, len(forms) + 1, 2):
            for chosen in combinations(range(len(forms)), size):
                rest = [forms[i] for i in range(len(forms)) if i not in chosen]
                if paired := self._paired(rest):
                    total.append(paired * self._differentiated(points, [forms[i] for i in chosen]))
        return sympy.Add(*total)

    def _paired(self, forms: Sequence[int]) -> Expr:
        variances = self.variances()
        ways = [sympy.Mul(*(variances[a] for a, b in p)) for p in pairings(forms) if all(a == b for a, b in p)]
        return sympy.Add(*ways)

    def _differentiated(self, points: Sequence[Point], forms: Sequence[int]) -> Expr:
        """Return sum over a_1, a_2, ... of prod cov(u_j, z_a) times E[d_a1 d_a2 ... prod erf(z)]."""
        variances = self.variances()
        slopes = [[variances[j] * (*x, sympy.S.One)[j] for x in points] for j in forms]
        totals: dict[tuple[int, ...], list[Expr]] = {}
        for index in _indices(len(points), len(forms)):
            count = tuple(index.count(a) for a in range(len(points)))
            totals.setdefault(count, []).append(prod(slopes[k][a] for k, a in enumerate(index)))
        average = _erf_derivative if len(points) == 1 else _erf_pair_derivative
        covariances = self._covariances(points)
        return sympy.Add(*(sympy.Add(*c) * average(count).xreplace(covariances) for count, c in totals.items()))

    def _covariances(self, points: Sequence[Point]) -> dict[sympy.Symbol, Expr]:
        if len(points) == 1:
            return {_Q11: self.covariance(points[0], points[0])}
        x, y = points
        return {_Q11: self.covariance(x, x), _Q22: self.covariance(y, y), _Q12: self.covariance(x, y)}

    def _integral(self, points: Sequence[Point], weight: Expr) -> Expr:
        if weight == 0:
            return sympy.S.Zero
        kept = [(s, v) for s, v in zip(self.parameters, self.variances(), strict=True)]
        variables = [integration_variable(i + 1) for i in range(len(kept))]
        normal = {s: sympy.sqrt(v) * u for (s, v), u in zip(kept, variables, strict=True)}
        integrand = weight * sympy.Mul(*(self.expression(x) for x in points))
        limits = [(u,) for u, (_, v) in zip(variables, kept, strict=True) if v != 0]
        replaced = integrand.xreplace(normal)
        return ParameterIntegral(replaced, *limits) if limits else replaced

    def latex(self) -> str:
        """Return h(x; theta) in LaTeX."""
        return rf"\operatorname{{erf}}\!\left({self._argument_latex()}\right)"


_Q11, _Q22, _Q12 = sympy.symbols("q_11 q_22 q_12", real=True)


def _monomial(symbols: Sequence[sympy.Symbol], powers: Sequence[int]) -> Expr:
    return sympy.Mul(*(s**p for s, p in zip(symbols, powers, strict=True)))


def _indices(n: int, length: int) -> list[tuple[int, ...]]:
    return list(product(range(n), repeat=length))


def erf_pair_average(orders: tuple[int, ...], q11: Expr, q22: Expr, q12: Expr) -> Expr:
    """Return E[d_1**a d_2**b erf(z_1) erf(z_2)], a + b even, for zero-mean Gaussian z of this covariance."""
    return _erf_pair_derivative(orders).xreplace({_Q11: q11, _Q22: q22, _Q12: q12})


@cache
def _erf_derivative(count: tuple[int, ...]) -> Expr:
    """Return E of the (odd) derivative of erf(z), z Gaussian of variance q_11."""
    start = 2 / sympy.sqrt(sympy.pi * (1 + 2 * _Q11))
    half = (count[0] - 1) // 2
    return 2**half * sympy.diff(start, _Q11, half) if half else start


@cache
def _erf_pair_derivative(count: tuple[int, ...]) -> Expr:
    """Return E[d_1**a d_2**b erf(z_1) erf(z_2)], a + b even, for Gaussian z of covariance q."""
    mixed, (a, b) = count[0] % 2, (c // 2 for c in count)
    start = 2 / sympy.pi * sympy.asin(2 * _Q12 / sympy.sqrt((1 + 2 * _Q11) * (1 + 2 * _Q22)))
    for variable, times in ((_Q12, mixed), (_Q11, a), (_Q22, b)):
        start = sympy.diff(start, variable, times) if times else start
    return 2 ** (a + b) * start
