"""Whether the density ``P exp(-alpha V)`` can be normalised, and for which alpha."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.distributions import Distribution, Gaussian
from diagrams.neuron_sums import OUTPUT_WEIGHT, SumKey, Term
from diagrams.symbols import symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.architectures import Architecture

N_DIRECTIONS = 400
SMALL = 1e-9  # leading coefficients below this part of the sum of their terms are rounding
WIDTHS = (1, 2, 3, 8)  # of the search where the width is symbolic
MAX_WIDTH = 64


@dataclass(frozen=True)
class StrengthInterval:
    """The open interval of strengths at which a tilted density can be normalised, zero itself always included.

    Parameters
    ----------
    lower, upper : sympy.Expr
    reason : str
        Why the density does not exist above ``upper``, empty if it exists for all positive strengths.
    """

    lower: Expr
    upper: Expr
    reason: str = ""

    def check(self, strength: sympy.Symbol, value: Expr | None, potential: Expr) -> None:
        """Raise ValueError if no positive strength is possible, or ``value`` is not."""
        if self.upper == 0:
            raise ValueError(
                f"exp(-{strength} V) with V = {potential} cannot be normalised for {strength} > 0: {self.reason}. "
                "Add a term that grows faster and is positive, or change the sign"
            )
        if value is None or value == 0:
            return
        if (self.upper - value).is_nonpositive or (value - self.lower).is_nonpositive:
            raise ValueError(
                f"exp(-{strength} V) with V = {potential} cannot be normalised at {strength} = {value}; "
                f"it can for {self.lower} < {strength} < {self.upper}"
            )


def strength_interval(net: Architecture, log_weight: Sequence[Term], potential: Expr) -> StrengthInterval:
    """Return the strengths alpha at which ``P exp(-alpha V)`` can be normalised.

    A potential of degree two in Gaussian parameters is diagonalised exactly. Any other one is followed to infinity
    along random, sparse and uniform directions in the space of the parameters without bound: a negative leading power
    above the second (any, if a density has no Gaussian tail) is a proof that the density does not exist. Finding none
    is not a proof that it does. Free symbols are taken to be positive.

    Parameters
    ----------
    net : Architecture
    log_weight : sequence of Term
        The terms of -V.
    potential : sympy.Expr
        V, for the texts of errors.
    """
    terms = [Term(-t.coefficient, t.n_power, t.sums) for t in log_weight]
    laws = _unbounded(net)
    degrees = [_degree(t, laws) for t in terms]
    has_fields = any(key.points for t in terms for key in t.sums)
    if max(degrees, default=0) == 0:
        return StrengthInterval(-sympy.oo, sympy.oo)
    gaussian = all(isinstance(law, Gaussian) for law in laws.values())
    if gaussian and not has_fields and max(degrees) <= 2 and not _mixes_bounded(terms, laws):
        return _quadratic_interval(net, terms, laws)
    return _searched_interval(net, terms, laws, has_fields, 1 if gaussian else 0)


def _unbounded(net: Architecture) -> dict[sympy.Symbol, Distribution]:
    """Return the parameters of a neuron that can be arbitrarily large, with their distributions."""
    laws = {s: law for block, law in net.feature.distributions for s in block}
    laws[symbol(OUTPUT_WEIGHT)] = net.readout
    return {s: law for s, law in laws.items() if any(end in (sympy.oo, -sympy.oo) for end in law.support)}


def _key_degree(key: SumKey, scaled: Sequence[sympy.Symbol]) -> int:
    powers = key.monomial.as_powers_dict()
    fields = len(key.points) if symbol(OUTPUT_WEIGHT) in scaled else 0
    return fields + sum(int(powers[s]) for s in scaled if s in powers)


def _degree(term: Term, laws: dict[sympy.Symbol, Distribution]) -> int:
    return sum(_key_degree(key, tuple(laws)) for key in term.sums)


def _mixes_bounded(terms: Sequence[Term], laws: dict[sympy.Symbol, Distribution]) -> bool:
    """Return True if a term of degree two contains bounded parameters too."""
    return any(_degree(t, laws) == 2 and any(key.monomial.free_symbols - set(laws) for key in t.sums) for t in terms)


def _positive(expr: Expr) -> Expr:
    return expr.xreplace({s: sympy.Symbol(s.name, positive=True) for s in expr.free_symbols})


def _quadratic_interval(
    net: Architecture, terms: Sequence[Term], laws: dict[sympy.Symbol, Distribution]
) -> StrengthInterval:
    """Diagonalise ``1 x B + J x C`` (J all ones on neurons): eigenvalues of B and B + N C, in units of variances."""
    symbols, n = list(laws), net.width
    alone, together = sympy.zeros(len(symbols)), sympy.zeros(len(symbols))
    scale = {s: sympy.sqrt(law.cumulant(2)) for s, law in laws.items()}
    scale[symbol(OUTPUT_WEIGHT)] = net.sigma_w1 / sympy.sqrt(n)
    for term in terms:
        if _degree(term, laws) == 2:
            powers = [s for key in term.sums for s, e in key.monomial.as_powers_dict().items() for _ in range(int(e))]
            i, j = (symbols.index(s) for s in powers if s in laws)
            value = term.coefficient * n**term.n_power * scale[symbols[i]] * scale[symbols[j]] / 2
            target = alone if len(term.sums) == 1 else together
            target[i, j] += value
            target[j, i] += value
    matrices = [alone + n * together] + ([] if n == 1 else [alone])
    values = [_positive(e) for m in matrices for e in _eigenvalues(m)]
    negative = [1 / (-2 * v) for v in values if not v.is_nonnegative]
    positive = [-1 / (2 * v) for v in values if not v.is_nonpositive]
    back = {sympy.Symbol(s.name, positive=True): s for m in matrices for s in m.free_symbols}
    if any(v.is_nonnegative is None and not v.is_nonpositive for v in values):  # a sign that hangs on free parameters
        return StrengthInterval(-sympy.oo, sympy.oo)
    upper = sympy.Min(*negative).xreplace(back) if negative else sympy.oo
    lower = sympy.Max(*positive).xreplace(back) if positive else -sympy.oo
    return StrengthInterval(lower, upper)


def _eigenvalues(matrix: Any) -> list[Expr]:
    if matrix.is_diagonal():
        return list(matrix.diagonal())
    if not matrix.free_symbols:
        return [sympy.Float(v) for v in np.linalg.eigvalsh(np.array(matrix.evalf(), float))]
    return [value for value, repeat in matrix.eigenvals().items() for _ in range(repeat)]


def _searched_interval(
    net: Architecture, terms: Sequence[Term], laws: dict[sympy.Symbol, Distribution], fields: bool, tolerated: int
) -> StrengthInterval:
    lower: Expr = -sympy.oo
    for n in [min(int(net.width), MAX_WIDTH)] if net.width.is_number else WIDTHS:
        for scaled, frozen in _scalings(tuple(laws), fields):
            for degree, leading in _leading_powers(net, terms, scaled, frozen, n):
                if degree <= tolerated:
                    continue
                if leading < 0:
                    growth = {1: "linearly", 2: "quadratically"}.get(degree, f"as the power {degree}")
                    where = ", ".join(s.name for s in scaled)
                    hint = (
                        "; a negative quadratic is possible only in a V of degree two in Gaussian parameters"
                        if degree == 2
                        else ""
                    )
                    reason = f"V falls {growth} without bound as the parameters {where} grow (found for N = {n}){hint}"
                    return StrengthInterval(sympy.S.Zero, sympy.S.Zero, reason)
                lower = sympy.S.Zero
    return StrengthInterval(lower, sympy.oo)


def _scalings(
    unbounded: tuple[sympy.Symbol, ...], fields: bool
) -> Iterator[tuple[tuple[sympy.Symbol, ...], tuple[sympy.Symbol, ...]]]:
    """Yield (parameters taken to infinity, parameters set to zero).

    With fields in the potential, whose growth with the hidden parameters depends on the feature, the output weights
    are taken to infinity alone, and the hidden parameters at vanishing output weights.
    """
    w1 = symbol(OUTPUT_WEIGHT)
    if not fields:
        yield unbounded, ()
        return
    if w1 in unbounded:
        yield (w1,), ()
        yield tuple(s for s in unbounded if s != w1), (w1,)


def _leading_powers(
    net: Architecture,
    terms: Sequence[Term],
    scaled: tuple[sympy.Symbol, ...],
    frozen: tuple[sympy.Symbol, ...],
    n: int,
) -> Iterator[tuple[int, float]]:
    """Yield the leading power of R and its coefficient along directions R u of the scaled parameters of n neurons."""
    if not scaled:
        return
    symbols = (*net.feature.parameters, symbol(OUTPUT_WEIGHT))
    theta = dict(zip(symbols, _directions(len(symbols), n), strict=True))
    theta |= {s: np.zeros_like(theta[s]) for s in frozen}
    by_degree: dict[int, list[NDArray[np.float64]]] = {}
    for term in terms:
        coefficient = float(_numbers(term.coefficient * symbol("N") ** term.n_power, n))
        sums = [_key_values(net, key, theta, n).sum(-1) for key in term.sums]
        degree = sum(_key_degree(key, scaled) for key in term.sums)
        value = coefficient * np.prod(np.array(sums), axis=0) if sums else np.full(len(theta[symbols[0]]), coefficient)
        by_degree.setdefault(degree, []).append(value)
    undecided = np.ones(len(next(iter(theta.values()))), bool)
    for degree in sorted(by_degree, reverse=True):
        total = np.sum(by_degree[degree], axis=0)
        clear = undecided & (np.abs(total) > SMALL * np.sum(np.abs(by_degree[degree]), axis=0)) & (total != 0)
        if clear.any():
            yield degree, float(total[clear].min())
            if total[clear].max() > 0:
                yield degree, float(total[clear].max())
        undecided &= ~clear


def _directions(n_symbols: int, n: int) -> NDArray[np.float64]:
    """Return directions (symbol, direction, neuron): random, sparse, equal for all neurons, one symbol at a time."""
    rng = np.random.default_rng(0)
    shape = (N_DIRECTIONS, n_symbols, n)
    dense = rng.standard_normal(shape)
    sparse = dense * (rng.random(shape) < 1.5 / n) * (rng.random((N_DIRECTIONS, n_symbols, 1)) < 0.5)
    equal = np.broadcast_to(rng.standard_normal((N_DIRECTIONS, n_symbols, 1)), shape)
    single = equal * np.eye(n_symbols)[rng.integers(n_symbols, size=N_DIRECTIONS)][:, :, None]
    return np.concatenate([dense, sparse, equal, single]).transpose(1, 0, 2)


def _numbers(expr: Expr, n: int) -> Expr:
    """Return the value at width n with all other symbols, in want of numbers, equal to one."""
    return sympy.sympify(expr).subs(symbol("N"), n).xreplace(dict.fromkeys(expr.free_symbols, sympy.S.One)).evalf()


def _key_values(
    net: Architecture, key: SumKey, theta: dict[sympy.Symbol, NDArray[np.float64]], n: int
) -> NDArray[np.float64]:
    """Return the summand of a neuron sum, shape (direction, neuron)."""
    value = np.ones_like(next(iter(theta.values())))
    for s, power in key.monomial.as_powers_dict().items():
        if s in theta:
            value = value * theta[s] ** int(power)
    for point in key.points:
        value = value * theta[symbol(OUTPUT_WEIGHT)] * _feature_values(net, point, theta, n)
    return value


def _feature_values(
    net: Architecture, point: Sequence[Expr], theta: dict[sympy.Symbol, NDArray[np.float64]], n: int
) -> NDArray[np.float64]:
    hidden = net.feature.parameters
    expr = net.feature.expression(tuple(point))
    others = dict.fromkeys(expr.free_symbols - set(hidden), sympy.S.One)
    function = sympy.lambdify(hidden, expr.xreplace(others), "numpy")
    first = theta[symbol(OUTPUT_WEIGHT)]
    return np.broadcast_to(np.asarray(function(*(theta[s] for s in hidden)), float), first.shape)
