r"""From all diagrams to connected, tadpole-free and 1PI ones: transforms of generating functions.

Each comes for sums of 1/\|Aut\| and for numbers of diagrams, where unlabelled parts that are equal need care.

- Connected diagrams by a logarithm. Components with a labelled leg are all different, so that cumulants over the
  legs separate them; those without one can repeat, which the inverse Euler transform takes into account.
- A connected diagram is a tree of 1PI blocks joined by lines. One-leg sources c(t), found from the condition that the
  connected one-leg function vanishes (Newton's method in the order), cancel every part that hangs on a single line
  and has no leg: c is minus the 1PI one-leg function. What remains are the diagrams without tadpoles, and among
  those without legs the 1PI ones.
- For labelled legs the branches of what remains are all different: the ordinary Legendre transform, by Lagrange
  inversion of phi(J).
- For exchangeable legs, with one factor s each, find the source J(s) at which the one-leg function equals s. Then
  Gamma(s) = W[J] - s J(s): in a tree the orbits of nodes less those of lines, plus one if a line can be reversed, is 1,
  so that W = Gamma[phi] + J phi - (phi(s)^2 - phi(s^2)) / 2, and the last term vanishes for phi = s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import factorial

from diagrams._burnside import EXCHANGEABLE, Matchings
from diagrams._graded import Ring, Series


def connected_parts(matchings: Matchings, n_legs: int, *, exchangeable: bool, tadpoles: bool) -> list[Series]:
    """Return the connected diagrams with 0, 1, ..., ``n_legs`` legs."""
    ring = matchings.ring
    source = None if tadpoles else tadpole_source(matchings, ring.top)
    found = matchings.partition_functions(source)
    if exchangeable:
        together = _components(matchings, found[0])
        parts = [ring.part(together, EXCHANGEABLE, n) for n in range(n_legs + 1)]
        if n_legs >= 2:
            parts[2][0] = {0: 1}
    else:
        parts = ring.cumulants([ring.quotient(z, found[0]) for z in found])
        parts[0] = _components(matchings, found[0])
    if source is not None and n_legs >= 1:
        parts[1] = ring.combination((-1, source))
    return parts


def irreducible_part(matchings: Matchings, n_legs: int, *, exchangeable: bool) -> Series:
    """Return the 1PI diagrams with ``n_legs`` legs."""
    ring = matchings.ring
    if n_legs == 1:
        return ring.combination((-1, tadpole_source(matchings, ring.top)))
    if exchangeable and n_legs:
        return _irreducible_exchangeable(matchings, n_legs)
    # a source ends at a vertex, of order 1 at least
    source = tadpole_source(matchings, ring.top - 1)
    found = matchings.partition_functions(ring.cut(source))
    if n_legs == 0:
        return _components(matchings, found[0])
    cumulants = ring.cumulants([ring.quotient(z, found[0]) for z in found])
    return ring.combination((int(n_legs == 2), ring.constant()), (-1, _inverse_coefficient(ring, cumulants)))


def tadpole_source(matchings: Matchings, top: int) -> Series:
    """Return the one-leg source, through order ``top``, that makes the connected one-leg function vanish."""
    ring = replace(matchings.ring, top=max(top, 0), free=0)
    if not any(d % 2 for d in matchings.valences):
        return ring.cut([])
    return _balancing_source(replace(matchings, ring=ring), {})


def _irreducible_exchangeable(matchings: Matchings, n_legs: int) -> Series:
    ring = matchings.ring
    source = _balancing_source(matchings, {1: 1})
    found = replace(matchings, fixed=0).partition_functions(source)
    one_leg = ring.constant(1)
    gamma = ring.combination((1, _components(matchings, found[0])), (-1, ring.product(one_leg, source)))
    return ring.part(gamma, EXCHANGEABLE, n_legs)


def _balancing_source(matchings: Matchings, target: dict[int, int]) -> Series:
    """Return the orders from 1 on of the source at which the connected one-leg function equals ``target``.

    A source that is right through order k misses the target by something of order k + 1, and a Newton step with the
    two-leg function leaves an error of order 2 (k + 1) + 1: the first correction involves one vertex more.
    """
    top, known = matchings.ring.top, 0
    source: Series = []
    while known < top:
        known = min(top, 2 * known + 2)
        ring = replace(matchings.ring, top=known)
        source = ring.cut(source)
        z = replace(matchings, ring=ring, fixed=2).partition_functions(source)
        _, one_leg, two_legs = ring.cumulants([ring.quotient(part, z[0]) for part in z])
        miss = ring.combination((1, one_leg), (-1, [target, *ring.zero[1:]]))
        source = ring.combination((1, source), (-1, ring.quotient(miss, two_legs)))
    return matchings.ring.cut(source)


def _components(matchings: Matchings, z: Series) -> Series:
    return matchings.ring.connected(z) if matchings.orbits else matchings.ring.logarithm(z)


def _inverse_coefficient(ring: Ring, cumulants: Sequence[Series]) -> Series:
    r"""Return the derivative of order n - 1 of J(phi) at 0, n being the last cumulant's number of legs.

    With phi(J) = J f(J), f_i = C_(i+2) / (i+1)!, Lagrange gives (n - 2)! [J^(n-2)] f^(1-n); the power h = f^a satisfies
    m f_0 h_m = sum_i (a i - m + i) f_i h_(m-i).
    """
    n = len(cumulants) - 1
    power = 1 - n
    f = [ring.combination((pow(factorial(i + 1), -1, ring.modulus), c)) for i, c in enumerate(cumulants[2:])]
    h = [ring.constant()]
    for _ in range(-power):
        h[0] = ring.quotient(h[0], f[0])
    for m in range(1, n - 1):
        terms = [((power * i - m + i) * ring.inverses[m], ring.product(f[i], h[m - i])) for i in range(1, m + 1)]
        h.append(ring.quotient(ring.combination(*terms), f[0]))
    return ring.combination((factorial(n - 2), h[n - 2]))


def disconnected(
    ring: Ring, parts: Sequence[Series], n_legs: int, n_loops: int, *, orbits: bool, exchangeable: bool
) -> dict[int, int]:
    """Return the diagrams with any components, given the connected ones with 0, 1, ..., ``n_legs`` legs by order.

    Here loops take the place of the order, with exchangeable legs the sum of legs and loops.
    """
    by_loops = [_by_loops(part, n, n_loops) for n, part in enumerate(parts)]
    if exchangeable:
        ring = replace(ring, top=n_loops + n_legs)
        together = ring.zero
        for n, part in enumerate(by_loops):
            for loops, row in enumerate(part):
                together[loops + n].update({k + n: c for k, c in row.items()})
        return ring.part(ring.multisets(together), EXCHANGEABLE, n_legs)[ring.top]
    ring = replace(ring, top=n_loops, free=0)
    vacuum = ring.multisets(by_loops[0]) if orbits else ring.exponential(by_loops[0])
    return ring.product(vacuum, ring.moments(by_loops)[n_legs])[n_loops]


def _by_loops(part: Series, n_legs: int, n_loops: int) -> Series:
    orders = [n_legs + 2 * (loops - 1) for loops in range(n_loops + 1)]
    return [dict(part[order]) if 0 <= order < len(part) else {} for order in orders]
