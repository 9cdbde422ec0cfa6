"""What is local about a net: its free action, its leading interaction, and distant clusters of points."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from diagrams._architecture import Architecture
from diagrams.cluster import VANISHES, ClusterDecomposition, cluster_decomposition
from diagrams.contact_terms import GaussNetAction, quartic_action
from diagrams.derivatives import polynomial_degree
from diagrams.momentum_space import check_net

UNDECIDED = "not decided"


@dataclass(frozen=True)
class Statement:
    """An answer with its reason.

    Parameters
    ----------
    question : str
    answer : bool or None
        None where it was not decided.
    reason : str
    """

    question: str
    answer: bool | None
    reason: str

    def __str__(self) -> str:
        answer = UNDECIDED if self.answer is None else "yes" if self.answer else "no"
        return f"{self.question}: {answer} ({self.reason})"


@dataclass(frozen=True, repr=False)
class LocalityReport:
    """What is local about a net; make it with :func:`locality`.

    Parameters
    ----------
    net : Architecture
    free_action : Statement
        Whether the free action has finitely many derivatives.
    interaction : Statement
        Whether the leading quartic term is an integral over one point.
    momentum_vertex : Statement
        Whether the quartic vertex is a function of momenta.
    clusters_at_infinite_width, clusters_at_finite_width : Statement
        Whether distant clusters of points are independent.
    clusters : ClusterDecomposition or None
        The limits behind the last two.
    """

    net: Architecture
    free_action: Statement
    interaction: Statement
    momentum_vertex: Statement
    clusters_at_infinite_width: Statement
    clusters_at_finite_width: Statement
    clusters: ClusterDecomposition | None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All answers."""
        return (
            self.free_action,
            self.interaction,
            self.momentum_vertex,
            self.clusters_at_infinite_width,
            self.clusters_at_finite_width,
        )

    @property
    def is_local(self) -> bool | None:
        """True if the free action and the leading interaction are local, False if one is not, None if undecided."""
        answers = {self.free_action.answer, self.interaction.answer}
        return False if False in answers else None if None in answers else True

    def __str__(self) -> str:
        return "\n".join([f"{self.net}", *(f"  {s}" for s in self.statements)])

    def __repr__(self) -> str:
        shown = {True: "local", False: "non-local", None: UNDECIDED}[self.is_local]
        return f"<LocalityReport: {self.net}, {shown}>"

    def _repr_html_(self) -> str:
        rows = ""
        for s in self.statements:
            answer = UNDECIDED if s.answer is None else "yes" if s.answer else "no"
            cells = (s.question, answer, s.reason)
            rows += "<tr>" + "".join(f"<td style='text-align:left'>{escape(c)}</td>" for c in cells) + "</tr>"
        return f"<table><caption>{escape(str(self.net))}</caption>{rows}</table>"


def locality(net: Architecture) -> LocalityReport:
    """Return what is local about a net, at infinite and at finite width, each answer with its reason.

    What the closed forms do not cover is reported as not decided, with the reason why. The answers are those of
    :func:`diagrams.quartic_action`, :func:`diagrams.derivative_expansion` and :func:`diagrams.cluster_decomposition`,
    which have the formulas (arXiv:2307.03223, section 3.4).

    Parameters
    ----------
    net : Architecture
        With one output.

    Returns
    -------
    LocalityReport

    Raises
    ------
    TypeError, ValueError
        If ``net`` is no Architecture with one output.

    Examples
    --------
    >>> from diagrams import cos_net, scalar_net
    >>> print(locality(scalar_net()).free_action)
    local free action: yes (1/G2(p) = m**2 + p**2: at most 2 derivatives, below the momentum cutoff)
    >>> locality(cos_net()).is_local, locality(cos_net()).clusters_at_finite_width.answer
    (False, False)
    """
    check_net(net)
    free, interaction, vertex = _of_action(net)
    infinite, finite, clusters = _of_clusters(net)
    return LocalityReport(net, free, interaction, vertex, infinite, finite, clusters)


_FREE, _QUARTIC, _VERTEX = "local free action", "local quartic interaction", "quartic vertex in momentum space"
_INFINITE, _FINITE = "distant clusters independent at N = infinity", "distant clusters independent at finite N"


def _of_action(net: Architecture) -> tuple[Statement, Statement, Statement]:
    try:
        action = quartic_action(net)
    except (TypeError, ValueError) as error:
        same = "for the same reason"
        return Statement(_FREE, None, str(error)), Statement(_QUARTIC, None, same), Statement(_VERTEX, None, same)
    kernel = action.kernel
    degree = polynomial_degree(kernel.inverse) if kernel.is_isotropic else None
    below = ", below the momentum cutoff" if kernel.has_cutoff else ""
    if degree is not None:
        free = Statement(_FREE, True, f"1/G2(p) = {kernel.inverse}: at most {2 * degree} derivatives{below}")
    else:
        free = Statement(_FREE, False, f"1/G2(p) = {kernel.inverse} is no polynomial: derivatives of every order")
    if isinstance(action, GaussNetAction):
        interaction = Statement(_QUARTIC, False, "its kernel is an average over weights of products of four functions")
        try:
            action.contact_vertex  # noqa: B018 (raises where there is none)
        except ValueError as error:
            return free, interaction, Statement(_VERTEX, False, str(error))
    reason = (
        "the vertex fixes the four momenta to k, k, -k, -k up to order, far more than their sum: with "
        "delta(x_a + x_b - x_c - x_d) it joins points that are far apart"
    )
    return free, Statement(_QUARTIC, False, reason), Statement(_VERTEX, True, "a function of one momentum k")


def _of_clusters(net: Architecture) -> tuple[Statement, Statement, ClusterDecomposition | None]:
    try:
        found = cluster_decomposition(net)
    except (TypeError, ValueError) as error:
        return Statement(_INFINITE, None, str(error)), Statement(_FINITE, None, str(error)), None
    infinite = Statement(_INFINITE, found.holds_at_infinite_width, found.two_point.reason)
    failing = [
        f"{s.name} {s.outcome}" + (" except along special directions" if s.outcome == VANISHES else "")
        for s in found.splits
        if not s.factorises
    ]
    note = found.note.removesuffix("; ")
    reason = "; ".join([*failing, *([note] if note else [])]) or "all splits of four points vanish"
    if not found.holds_at_infinite_width and not failing:
        reason = f"already at N = infinity: {found.two_point.reason}"
    return infinite, Statement(_FINITE, found.holds, reason), found
