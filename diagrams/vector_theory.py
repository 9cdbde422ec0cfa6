"""O(n) theory: a field of n real components, its action, its diagrams with their index structure, its correlators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod
from typing import Any

import sympy

from diagrams.cumulants import pairings
from diagrams.equations import equation_lines, mass_text, over_factorial
from diagrams.graph import FeynmanGraph
from diagrams.latex import plain_text
from diagrams.symbols import output_index, symbol
from diagrams.theory import Action, local_action
from diagrams.typing import Expr

Pairing = tuple[tuple[int, int], ...]


@dataclass(frozen=True, repr=False)
class VectorAction(Action):
    r"""A local O(n) invariant action of a field with n components; make it with :func:`o_n_theory`.

    .. math:: S = \int \frac12 (\nabla\phi_a)^2 + \frac{m^2}{2} \phi_a \phi_a
              + \sum_k \frac{g_{2k}}{(2k)!} (\phi_a \phi_a)^k

    Parameters
    ----------
    components : sympy.Expr
        n. The other parameters are those of :class:`~diagrams.theory.Action`.
    """

    components: Expr = sympy.S.One

    @property
    def n_components(self) -> Expr:
        """Number n of components of the field."""
        return self.components

    def index_factor(self, graph: FeynmanGraph) -> Expr:
        r"""Return the index structure of a diagram: polynomials in n times products of :math:`\delta_{a_i a_j}`.

        A vertex is the symmetric tensor of its coupling, one term for each of the (2k - 1)!! pairings of its fields
        with weight 1/(2k - 1)!!; a closed index line gives n.

        Examples
        --------
        >>> theory = o_n_theory()
        >>> theory.index_factor(theory.diagrams(legs=2, max_loops=1)[1])
        (N_c + 2)*KroneckerDelta(a_1, a_2)/3
        """
        terms = []
        for pairing, powers in index_pairings(graph).items():
            polynomial = sympy.Add(*(sympy.Rational(w) * self.components**loops for loops, w in powers.items()))
            deltas = (sympy.KroneckerDelta(output_index(i + 1), output_index(j + 1)) for i, j in pairing)
            terms.append(sympy.factor(polynomial) * sympy.Mul(*deltas))
        return sympy.Add(*terms)

    def to_text(self) -> str:
        """Return S[phi] as readable text, with its notes."""
        terms = [f"{plain_text(s.as_expr())}/{n}! {_power(n, 'phi_a phi_a')}" for n, s in self.couplings]
        head = f"S[phi] = ∫dx [ 1/2 (∇phi_a)^2 + {mass_text(self.mass)}phi_a phi_a + " + " + ".join(terms) + " ]"
        return "\n".join([f"{head}, a = 1 ... {self.components}", *(f"Note: {note}." for note in self.notes)])

    def __repr__(self) -> str:
        shown = ", ".join(f"g_{n}" for n, _ in self.couplings)
        return f"<VectorAction: O({self.components}), {shown}>"


@equation_lines.register(VectorAction)
def _(obj: VectorAction, terms_per_line: int) -> list[str]:
    terms = [f"{over_factorial(s.as_expr(), n)} {invariant_latex(n)}" for n, s in obj.couplings]
    return [rf"S[\phi] ={{}} & {obj.kinetic_latex} + \int d^dx\; {' + '.join(terms)}"]


def invariant_latex(n: int) -> str:
    """Return the O(n) invariant of n fields in LaTeX."""
    return _power(n, r"\phi_a \phi_a")


def _power(n: int, square: str) -> str:
    return square if n == 2 else f"({square})^{{{n // 2}}}" if "\\" in square else f"({square})^{n // 2}"


def o_n_theory(
    components: Any = None,
    couplings: Mapping[int, Any] | None = None,
    *,
    mass: Any = None,
    expansion: Sequence[Any] | str | None = None,
    values: Mapping[Any, Any] | None = None,
    cutoff: Any = None,
    box: Any = None,
    weight: Any = None,
    input_dim: int | None = None,
) -> VectorAction:
    r"""Return the O(n) theory with the interaction :math:`\frac{\lambda}{4!} (\phi_a\phi_a)^2`, or others.

    .. math:: S = \int \frac12 (\nabla\phi_a)^2 + \frac{m^2}{2} \phi_a\phi_a
              + \sum_k \frac{g_{2k}}{(2k)!} (\phi_a\phi_a)^k

    For n = 1 it is :func:`~diagrams.theory.local_action` with the same couplings. The vertex of the quartic term is
    :math:`-\frac{\lambda}{3} (\delta_{ab}\delta_{cd} + \delta_{ac}\delta_{bd} + \delta_{ad}\delta_{bc})`.

    Parameters
    ----------
    components : int or sympy expression, optional
        n; default the symbol ``N_c``.
    couplings : mapping from even n to coupling, optional
        Default ``{4: "lambda"}``; ``g_2`` is a mass counterterm.
    mass, expansion, values
        As in :func:`~diagrams.theory.local_action`.
    cutoff, box, weight, input_dim : optional
        A momentum cutoff and the finite region where the field interacts, as in
        :func:`~diagrams.finite_box.with_cutoff`: the theory of :func:`~diagrams.phi4_networks.phi4_net` with
        ``components=n`` at infinite width, whose correlators have numbers. Default none, and no dimension.

    Returns
    -------
    VectorAction

    Raises
    ------
    TypeError, ValueError
        If n is a number but not a positive integer, a power of the field is odd, or as
        :func:`~diagrams.theory.local_action`.

    Examples
    --------
    >>> o_n_theory().correlator(legs=2, order=1)[1]
    -(N_c + 2)*KroneckerDelta(a_1, a_2)*Integral(G(x_1, y_1)*G(x_2, y_1)*G(y_1, y_1), (y_1, -oo, oo))/6
    >>> o_n_theory(2, {4: 0.5}, mass=1, cutoff=8, box=4).correlator(legs=2, order=1)
    <Series: terms in 1, g_4 + O(g_4^2)>
    """
    n = symbol("N_c") if components is None else sympy.sympify(components)
    if isinstance(components, bool) or (n.is_number and not (n.is_Integer and n > 0)):
        raise ValueError(f"the number of components is a positive integer or a symbol, got {components!r}")
    given = {4: "lambda"} if couplings is None else couplings
    region = {"cutoff": cutoff, "box": box, "weight": weight, "input_dim": input_dim}
    base = local_action(given, mass=mass, expansion=expansion, values=values)
    if odd := [k for k, _ in base.couplings if k % 2]:
        raise ValueError(f"an O(n) invariant action has even powers of the field only, got {odd}")
    mass_term = "" if base.mass == 1 else sympy.latex(base.mass**2)
    kinetic = rf"\frac{{1}}{{2}} \int d^dx \left[(\nabla\phi_a)^2 + {mass_term} \phi_a \phi_a\right]"
    action = VectorAction(
        couplings=base.couplings,
        parameters=base.parameters,
        is_local=True,
        kinetic_latex=kinetic,
        propagator_latex=r"\delta_{ab}\, " + base.propagator_latex,
        mass=base.mass,
        values=base.values,
        components=n,
    )
    if all(value is None for value in region.values()):
        return action
    from diagrams.vector_finite_box import cut_off  # it extends the LaTeX of actions, which needs this module

    bare: Any = local_action(given, mass=mass, expansion=expansion, values=values, **region)
    return cut_off(action, bare)


@cache
def index_pairings(graph: FeynmanGraph) -> dict[Pairing, dict[int, Fraction]]:
    """Return how the legs of a diagram are paired by index lines, with the weights of 0, 1, ... closed lines.

    Parameters
    ----------
    graph : FeynmanGraph
        All vertices of even valence.

    Returns
    -------
    dict from pairing of legs to dict from number of closed index lines to Fraction
        The weights add up to one.

    Examples
    --------
    >>> index_pairings(FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))))
    {((0, 1),): {1: Fraction(1, 3), 0: Fraction(2, 3)}}
    """
    ends = [node for edge in graph.edges for node in edge]  # half-edge h belongs to line h // 2
    at_vertex = [[h for h, node in enumerate(ends) if node == v] for v in graph.vertices]
    choices = [tuple(pairings(half_edges)) for half_edges in at_vertex]
    weight = Fraction(1, prod(len(c) for c in choices))
    found: dict[Pairing, Counter[int]] = {}
    for chosen in product(*choices):
        through = {a: b for pairing in chosen for h, k in pairing for a, b in ((h, k), (k, h))}
        legs, n_closed = _index_lines(ends, graph.n_legs, through)
        found.setdefault(legs, Counter())[n_closed] += 1
    return {legs: {k: weight * n for k, n in sorted(c.items(), reverse=True)} for legs, c in sorted(found.items())}


def _index_lines(ends: list[int], n_legs: int, through: dict[int, int]) -> tuple[Pairing, int]:
    """Follow the index lines: which legs they join, and how many of them are closed."""
    left = set(range(len(ends)))
    pairs = []
    for start in (h for h, node in enumerate(ends) if node < n_legs):
        if start in left:
            *_, last = _follow(start, left, through)
            pairs.append(tuple(sorted((ends[start], ends[last]))))
    n_closed = 0
    while left:
        for _ in _follow(next(iter(left)), left, through):
            pass
        n_closed += 1
    return tuple(sorted(pairs)), n_closed  # type: ignore[arg-type]


def _follow(start: int, left: set[int], through: dict[int, int]) -> Iterator[int]:
    """Iterate over the half-edges of an index line, along lines and through vertices, and take them out of ``left``."""
    h: int | None = start
    while h is not None and h in left:
        other = h ^ 1
        left -= {h, other}
        yield other
        h = through.get(other)
