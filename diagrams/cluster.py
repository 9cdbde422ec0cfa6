r"""Cluster decomposition: what is left of a connected correlator when groups of its points move apart.

Every connected correlator is a sum of products of averages :math:`E_k[A(k)^b \cos(k \cdot \sum_i \epsilon_i x_i)]` for
nets of plane waves, and of exponentials :math:`e^{-x M x/2}` for the Gauss-net. A cosine average vanishes when its
argument becomes infinite (Riemann-Lebesgue: k has a density), so a term survives the separation of clusters exactly if
its signs :math:`\epsilon_i` add up to zero in each of them; an exponential follows from M along the displacement
(arXiv:2307.03223, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.asymptotics import TwoPointGrowth, two_point_growth
from diagrams.cluster_terms import Cluster, Direction, gauss_split, wave_split
from diagrams.latex import expression_latex
from diagrams.momentum_space import check_net, gauss_feature, plane_waves
from diagrams.typing import Expr

MAX_POINTS = 8
VANISHES, SURVIVES, GROWS = "vanishes", "survives", "grows"


@dataclass(frozen=True)
class Split:
    """What becomes of a connected correlator when its points separate into clusters.

    Parameters
    ----------
    clusters : tuple of tuple of int
        The points of each cluster, counted from 1.
    outcome : {"vanishes", "survives", "grows"}
        In generic directions of the displacements.
    limit : sympy.Expr or None
        The limit, None where there is none.
    directions : tuple of Direction
        Displacements other than generic along which the correlator does not vanish.
    reason : str
        Which terms decide.
    """

    clusters: tuple[Cluster, ...]
    outcome: str
    limit: Expr
    directions: tuple[Direction, ...] = ()
    reason: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of points of the clusters."""
        return tuple(map(len, self.clusters))

    @property
    def name(self) -> str:
        """For example ``"2+2"``."""
        return "+".join(map(str, self.sizes))

    @property
    def factorises(self) -> bool:
        """True if the connected correlator vanishes whatever the directions."""
        return self.outcome == VANISHES and not self.directions

    def __str__(self) -> str:
        special = "; ".join(f"not along {d}" for d in self.directions[:3])
        more = f" and {len(self.directions) - 3} more" if len(self.directions) > 3 else ""
        return f"{self.name}: {self.outcome}" + (f", but {special}{more}" if special else "") + f" ({self.reason})"


@dataclass(frozen=True, repr=False)
class ClusterDecomposition:
    """Whether distant groups of points are independent; make it with :func:`cluster_decomposition`.

    Parameters
    ----------
    net : Architecture
    n : int
        Number of points.
    splits : tuple of Split
        One for each way of splitting n into cluster sizes; empty for nets without translation invariance.
    two_point : Split
        The two-point function at infinite separation.
    growth : TwoPointGrowth, optional
        How the two-point function behaves far away, for nets without translation invariance.
    note : str
        What else breaks it.
    """

    net: Architecture
    n: int
    splits: tuple[Split, ...]
    two_point: Split
    growth: TwoPointGrowth | None = None
    note: str = ""

    @property
    def holds_at_infinite_width(self) -> bool:
        """True if it holds for N -> infinity, where only the two-point function is left."""
        return self.two_point.factorises

    @property
    def holds(self) -> bool:
        """True if it holds for the two- and the n-point function at finite N."""
        return self.holds_at_infinite_width and not self.note and all(s.factorises for s in self.splits)

    @property
    def is_translation_invariant(self) -> bool:
        """True if correlators at finite N depend on differences of points only."""
        return self.growth is None and not self.note

    def __getitem__(self, sizes: tuple[int, ...]) -> Split:
        """Return the split with these cluster sizes, in any order.

        Raises
        ------
        KeyError
            If there is none; the text lists those there are.
        """
        for split in self.splits:
            if sorted(split.sizes) == sorted(sizes):
                return split
        raise KeyError(f"no split {sizes} of {self.n} points here: there are {[s.sizes for s in self.splits]}")

    @property
    def verdict(self) -> str:
        """The result in words, one line for each statement."""
        answer = {True: "holds", False: "fails"}
        lines = [
            f"{self.net}: cluster decomposition {answer[self.holds_at_infinite_width]} at N = infinity "
            f"({self.two_point.reason}) and {answer[self.holds]} at finite N"
        ]
        lines += [f"  {split}" for split in self.splits]
        return "\n".join([*lines, *([f"  {self.note}"] if self.note else [])])

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return (
            f"<ClusterDecomposition: {self.net}, n = {self.n}, N = infinity: {self.holds_at_infinite_width}, "
            f"finite N: {self.holds}>"
        )

    def to_latex(self) -> str:
        """Return the limits in LaTeX, one line for each split."""
        shown = self.splits if self.n == 2 else (self.two_point, *self.splits)
        lines = [_split_latex(s, self.growth) for s in shown]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _repr_html_(self) -> str:
        shown = self.splits if self.n == 2 else (self.two_point, *self.splits)
        rows = "".join(f"<tr><td>{s.name}</td><td>{_html(s.outcome)}</td><td>{_html(str(s))}</td></tr>" for s in shown)
        head = _html(self.verdict.splitlines()[0] + (f"; {self.note}" if self.note else ""))
        return f"<p>{head}</p><table><tr><th>split</th><th>outcome</th><th>reason</th></tr>{rows}</table>"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _split_latex(split: Split, growth: TwoPointGrowth | None) -> str:
    points = " | ".join(", ".join(f"x_{i}" for i in c) for c in split.clusters)
    head = rf"G_c^{{({sum(split.sizes)})}}({points}) \longrightarrow{{}} & "
    if growth is not None and split.sizes == (1, 1):
        return head.replace(r"\longrightarrow{}", r"\sim{}") + growth.to_latex()
    body = r"\text{no limit}" if split.limit is None else expression_latex(split.limit)
    special = [rf"{expression_latex(d.limit)} \quad \text{{along }} {d.to_latex()}" for d in split.directions[:3]]
    return head + r", \quad ".join([body, *special])


def cluster_decomposition(net: Architecture, *, n: int = 4) -> ClusterDecomposition:
    """Return what becomes of the n-point connected correlator when its points separate into clusters.

    Parameters
    ----------
    net : Architecture
        A net of plane waves (cos_net, scalar_net, ...), the Gauss-, ReLU-, Erf- or linear net, one output.
    n : int
        Number of points: even, 2 to 8 (to 6 for the Gauss-net).

    Returns
    -------
    ClusterDecomposition

    Raises
    ------
    TypeError, ValueError
        If n is not such a number, or nothing is known about the net: the text says what to do.

    Examples
    --------
    >>> from diagrams.architectures import cos_net
    >>> found = cluster_decomposition(cos_net())
    >>> found.holds_at_infinite_width, found.holds, found[3, 1].limit
    (True, False, 0)
    >>> print(found[2, 2].limit.subs({symbol: 0 for symbol in found[2, 2].limit.free_symbols if symbol.name[0] == "x"}))
    sigma_w1**4/(2*N)
    """
    check_net(net)
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"the number of points n must be an integer, got {n!r}")
    if n % 2 or not 2 <= n <= MAX_POINTS:
        raise ValueError(f"n must be 2, 4, 6 or 8 (odd correlators are not treated), got {n}")
    if (growth := two_point_growth(net)) is not None:
        return _without_translations(net, n, growth)
    bias = net.sigma_b1**2
    if gauss_feature(net) is None:
        waves = plane_waves(net)
        splits = tuple(_found(wave_split(net, waves, clusters), clusters) for clusters in _all_splits(n))
        return ClusterDecomposition(net, n, _with_bias(splits, bias), _two_point(bias), None, _bias_note(bias))
    if n > 6:
        raise ValueError(f"splits of the Gauss-net are found for n up to 6, got {n}")
    splits = tuple(_found(gauss_split(net, clusters), clusters) for clusters in _all_splits(n))
    note = _bias_note(bias)
    if n > 2:
        rate = n * (n - 2) / sympy.Integer(2)
        note += (
            f"the {n}-point function is not translation invariant: a common shift X of all points multiplies its "
            f"leading term by exp({rate} s X**2), s = sigma_w0**2/d, so it grows with the distance from the origin"
        )
    return ClusterDecomposition(net, n, _with_bias(splits, bias), _two_point(bias), None, note)


def _two_point(bias: Expr) -> Split:
    if bias == 0:
        return Split(((1,), (2,)), VANISHES, sympy.S.Zero, (), "G2(x - y) vanishes at infinity")
    reason = f"G2 tends to {bias}, the variance of the output bias, which is common to all points"
    return Split(((1,), (2,)), SURVIVES, bias, (), reason)


def _bias_note(bias: Expr) -> str:
    return "" if bias == 0 else "the output bias correlates all points; "


def _with_bias(splits: tuple[Split, ...], bias: Expr) -> tuple[Split, ...]:
    return (_two_point(bias),) if splits and splits[0].sizes == (1, 1) else splits


def _found(result: tuple[str, Expr, tuple[Direction, ...], str], clusters: tuple[Cluster, ...]) -> Split:
    outcome, limit, directions, reason = result
    return Split(clusters, outcome, limit, directions, reason)


def _all_splits(n: int) -> Iterator[tuple[Cluster, ...]]:
    """Yield one split for each partition of n into at least two cluster sizes, largest first."""
    for sizes in _partitions(n, n - 1):
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        yield tuple(tuple(range(a + 1, a + k + 1)) for a, k in zip(starts, sizes, strict=True))


def _partitions(n: int, largest: int) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for first in range(min(n, largest), 0, -1):
        for rest in _partitions(n - first, first):
            yield (first, *rest)


def _without_translations(net: Architecture, n: int, growth: TwoPointGrowth) -> ClusterDecomposition:
    outcome = GROWS if growth.exponent > 0 else SURVIVES
    split = Split(((1,), (2,)), outcome, None if growth.exponent else growth.coefficient, (), str(growth))
    note = "no translation invariance: correlators depend on the points themselves"
    if n > 2:
        factor = "a factor L" if growth.exponent else "no decaying factor"
        note += f"; the {n}-point function has {factor} for each point moved, so its splits are not listed"
    splits: tuple[Any, ...] = (split,) if n == 2 else ()
    return ClusterDecomposition(net, n, splits, split, growth, note)
