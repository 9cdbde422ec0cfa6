"""Which groups measured outputs are compatible with, where the density is unknown: candidates tested and ranked.

The largest group that the correlators do not contradict comes first (arXiv:2106.00694, section 5). For a group that is
broken, :func:`numerics.symmetry_breaking` finds the part that remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import sympy
from numpy.typing import ArrayLike

from diagrams.groups import Group, MatrixGroup, Orthogonal, Permutation, Symplectic, Unitary
from numerics.symmetry_tests import InvarianceTest, _order, _outputs, _tested, check_linear_group


@dataclass(frozen=True, eq=False)
class SymmetryRanking:
    """Candidate groups with their tests, compatible ones first, larger ones before smaller ones.

    Parameters
    ----------
    tests : tuple of InvarianceTest
    """

    tests: tuple[InvarianceTest, ...]

    @property
    def compatible(self) -> tuple[Group, ...]:
        """The groups that no order contradicts by five standard deviations."""
        return tuple(t.group for t in self.tests if t.holds)

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each group: name, number of generators, verdict, significance of the strongest violation."""
        return [
            {
                "group": str(t.group),
                "generators": len(t.group.generators),
                "compatible": t.holds,
                "sigma": t.max_sigma,
                "order": max(t.orders, key=lambda o: o.sigma).n,
                "smallest": max(o.smallest for o in t.orders),
            }
            for t in self.tests
        ]

    def __str__(self) -> str:
        lines = [f"candidates for the symmetry of the outputs of {self.tests[0].n_nets} networks"]
        for row in self.table:
            verdict = "compatible" if row["compatible"] else f"broken at n = {row['order']}"
            lines.append(
                f"  {row['group']:<10} {row['generators']:>3} generators  {verdict:<16} {row['sigma']:.1f} sigma "
                f"(5 sigma from {row['smallest']:.2g} of the spread)"
            )
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(r['group'])}</td><td>{r['generators']}</td><td>{r['compatible']}</td>"
            f"<td>{r['sigma']:.1f}</td><td>{r['order']}</td></tr>"
            for r in self.table
        )
        head = "<tr><th>group</th><th>generators</th><th>compatible</th><th>sigma</th><th>at order</th></tr>"
        return f"<table>{head}{rows}</table>"


def candidate_groups(n_outputs: int) -> tuple[Group, ...]:
    """Return the groups of this package that act on so many real outputs, and changes of sign of each of them.

    Examples
    --------
    >>> [str(g) for g in candidate_groups(4)]
    ['O(4)', 'SO(4)', 'U(2)', 'SU(2)', 'Sp(1)', 'S(4)', 'signs']
    """
    flips = [sympy.diag(*(-1 if a == b else 1 for a in range(n_outputs))) for b in range(n_outputs)]
    found: list[Group] = [Orthogonal(n_outputs)]
    if n_outputs > 1:
        found.append(Orthogonal(n_outputs, special=True))
    if n_outputs % 2 == 0:
        found.append(Unitary(n_outputs // 2))
        if n_outputs > 2:
            found.append(Unitary(n_outputs // 2, special=True))
    if n_outputs % 4 == 0:
        found.append(Symplectic(n_outputs // 4))
    if n_outputs > 1:
        found += [Permutation(n_outputs), MatrixGroup([], name="signs", discrete=flips)]
    return tuple(found)


def rank_symmetries(
    networks: Any,
    candidates: Sequence[Group] | None = None,
    *,
    x: ArrayLike | None = None,
    orders: Sequence[int] = (1, 2, 4),
) -> SymmetryRanking:
    """Return which groups measured n-point functions of the outputs are compatible with.

    Parameters
    ----------
    networks : Ensemble or array (n_nets, n_outputs, n_points)
        As for :func:`numerics.symmetry_test`.
    candidates : sequence of Group, optional
        Default: :func:`candidate_groups`.
    x : array_like (n_points, input_dim), optional
        For an Ensemble.
    orders : sequence of int
        As for :func:`numerics.symmetry_test`.

    Returns
    -------
    SymmetryRanking
        A group counts as larger if it has more generators, then if it has more reflections.

    Raises
    ------
    TypeError, ValueError
        If a group does not act on the outputs, there is none, or there are too few networks.

    Examples
    --------
    >>> import numpy as np
    >>> f = np.random.default_rng(0).uniform(-1, 1, (20_000, 2, 1))  # a square of outputs is not round
    >>> [str(g) for g in rank_symmetries(f).compatible]
    ['signs', 'S(2)']
    """
    f = _outputs(networks, x)
    groups = candidate_groups(f.shape[1]) if candidates is None else tuple(candidates)
    if not groups:
        raise ValueError("there are no candidates to rank")
    for group in groups:
        check_linear_group(group, f.shape[1])
    tests = [InvarianceTest(g, len(f), tuple(_tested(f, g, _order(n)) for n in orders)) for g in groups]

    def place(test: InvarianceTest) -> tuple[Any, ...]:
        size = (-len(test.group.generators), -len(test.group.reflections))
        return (False, *size) if test.holds else (True, test.max_sigma, *size)

    return SymmetryRanking(tuple(sorted(tests, key=place)))
