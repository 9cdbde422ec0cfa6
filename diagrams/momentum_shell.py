r"""Wilson's renormalisation by momentum shells at one loop, with the diagrams that give it.

Fields with momenta in a thin shell below the cutoff are integrated out. At first order in the thickness every line of a
loop lies in the shell, so what remains of a diagram at vanishing external momenta is its symmetry factor, its vertices
and one shell integral of a power of the propagator; one-particle irreducible diagrams of one loop are all there are
(Wilson and Kogut, Phys. Rep. 12 (1974) 75, section 4; Wegner and Houghton, Phys. Rev. A 8 (1973) 401). The
diagrams come from the enumeration, with their symmetry factors and index structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import sympy

from diagrams.collection import Diagrams
from diagrams.cumulants import pairings
from diagrams.generate import enumerate_diagrams
from diagrams.graph import FeynmanGraph
from diagrams.symbols import output_index, symbol
from diagrams.theory import Action
from diagrams.typing import Expr
from diagrams.vector_theory import VectorAction

_LENGTH = symbol("Lambda")
_MODULUS = symbol("k")


@dataclass(frozen=True)
class ShellTerm:
    """One diagram and what it adds to ``dg_n / d log(1/Lambda)``.

    Parameters
    ----------
    diagram : FeynmanGraph
        With labelled legs.
    value : sympy.Expr
        In dimensionful couplings and Lambda.
    """

    diagram: FeynmanGraph
    value: Expr


@dataclass(frozen=True, repr=False)
class MomentumShellFlow:
    r"""One-loop flow of the couplings of a local theory as the cutoff is lowered, at vanishing external momenta.

    Dimensionless couplings are :math:`g_n \Lambda^{n(d-\sigma)/2 - d}` with the kinetic term :math:`c\,k^\sigma`, and
    ``r`` is :math:`m^2 / \Lambda^\sigma`.

    Parameters
    ----------
    theory : Action
    dimension : sympy.Expr
        d, a number or a symbol.
    kinetic : sympy.Expr
        Inverse of the massless propagator, a power of the modulus ``k`` of the momentum.
    names : tuple of (n, symbol)
        Coupling of each power of the field; for two fields the dimensionless mass term r.
    terms : tuple of (n, tuple of ShellTerm)
        What the diagrams add.
    """

    theory: Action
    dimension: Expr
    kinetic: Expr
    names: tuple[tuple[int, sympy.Symbol], ...]
    terms: tuple[tuple[int, tuple[ShellTerm, ...]], ...]

    @property
    def couplings(self) -> tuple[sympy.Symbol, ...]:
        """The dimensionless couplings: r, then that of each power of the field."""
        return tuple(s for _, s in self.names)

    def diagrams(self, n: int) -> Diagrams:
        """Return the diagrams that renormalise the coupling of n fields, with labelled legs."""
        return _loops(n, max(dict(self.names)))

    @cached_property
    def loop_factor(self) -> Expr:
        r"""The area of the unit sphere over :math:`(2\pi)^d`, for example 1/(8 pi^2) in four dimensions."""
        return shell_area(self.dimension)

    @cached_property
    def flow(self) -> dict[sympy.Symbol, Expr]:
        """``du/dl``, l = log(1/Lambda), of every dimensionless coupling u, exact in r at one loop."""
        found = {}
        for (n, u), (_, terms) in zip(self.names, self.terms, strict=True):
            engineering = self.dimension - sympy.Rational(n, 2) * (self.dimension - self.kinetic_power)
            loops = sympy.Add(*(t.value for t in terms)).xreplace(self._in_units)
            found[u] = engineering * u + sympy.factor_terms(loops)
        return found

    @property
    def kinetic_power(self) -> Expr:
        """The exponent sigma of the kinetic term, 2 for the Laplace operator."""
        return _power(self.kinetic)

    @property
    def _in_units(self) -> dict[Expr, Expr]:
        return {_LENGTH: sympy.S.One, symbol("m"): sympy.sqrt(dict(self.names)[2])}

    @property
    def beta_functions(self) -> dict[sympy.Symbol, Expr]:
        """``du / d log(Lambda)`` of every dimensionless coupling, the negative of :attr:`flow`."""
        return {u: -f for u, f in self.flow.items()}

    def massless(self) -> dict[sympy.Symbol, Expr]:
        """Return the beta functions of the couplings other than r, at r = 0.

        Examples
        --------
        >>> from diagrams.theory import phi4
        >>> momentum_shell_flow(phi4(), dimension=4).massless()
        {lambda: 3*lambda**2/(16*pi**2)}
        """
        r = dict(self.names)[2]
        return {u: sympy.factor(b.subs(r, 0)) for u, b in self.beta_functions.items() if u != r}

    def at_dimension(self, dimension: Any) -> MomentumShellFlow:
        """Return the flow in another dimension."""
        return momentum_shell_flow(self.theory, dimension, max_fields=max(dict(self.names)), kinetic=self.kinetic)

    def fixed_points(self) -> list[dict[sympy.Symbol, Expr]]:
        """Return the real solutions of ``flow = 0`` with r > -1, for a number as dimension (and of components).

        Raises
        ------
        ValueError
            If the flow has other symbols than the couplings.
        """
        self.check_numbers()
        equations = [sympy.numer(sympy.together(f)) for f in self.flow.values()]
        r, found = dict(self.names)[2], []
        for solution in sympy.solve(equations, self.couplings, dict=True):
            if set(solution) == set(self.couplings) and all(v.is_real for v in solution.values()) and solution[r] > -1:
                found.append({u: sympy.simplify(solution[u]) for u in self.couplings})
        return sorted(found, key=lambda point: [abs(float(point[u])) for u in self.couplings])

    def stability(self, point: Mapping[sympy.Symbol, Any]) -> Expr:
        """Return the matrix ``d flow_i / d u_j`` at a point; its positive eigenvalues belong to relevant directions."""
        matrix = sympy.Matrix(list(self.flow.values())).jacobian(list(self.couplings))
        return matrix.subs(dict(point)).applyfunc(sympy.simplify)

    def check_numbers(self) -> None:
        """Raise an error if the flow has other symbols than the couplings.

        Raises
        ------
        ValueError
        """
        free = set().union(*(f.free_symbols for f in self.flow.values())) - set(self.couplings)
        if free:
            raise ValueError(f"no numbers for {sorted(map(str, free))}: use dimension=... and a theory with numbers")

    def to_latex(self) -> str:
        """Return ``du/dl`` of all couplings in LaTeX."""
        lines = [
            rf"\frac{{d {sympy.latex(u)}}}{{d\ell}} ={{}} & {sympy.latex(f, order='none')}"
            for u, f in self.flow.items()
        ]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each kind of diagram, alike but for labels: fields, valences, number, symmetry factor, sum."""
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for n, terms in self.terms:
            for term in terms:
                valences = tuple(sorted(term.diagram.valences))
                start = {"n": n, "valences": valences, "diagrams": 0, "value": sympy.S.Zero}
                row = rows.setdefault((n, valences, term.diagram.symmetry_factor), start)
                row["diagrams"] += 1
                row["symmetry_factor"] = term.diagram.symmetry_factor
                row["value"] += term.value
        return list(rows.values())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{self._name(r['n'])}</td><td>{r['diagrams']} x {self._picture(r)}</td>"
            f"<td>1/{r['symmetry_factor']}</td><td>{escape(str(r['value']))}</td></tr>"
            for r in self.table
        )
        head = "<tr><th>coupling</th><th>diagrams</th><th>weight</th><th>adds to dg/dl</th></tr>"
        lines = "<br>".join(escape(line) for line in str(self).split("\n"))
        return f"<div><p>{lines}</p><table>{head}{rows}</table></div>"

    def _name(self, n: int) -> str:
        return "m^2" if n == 2 else escape(str(dict(self.names)[n]))

    def _picture(self, row: Mapping[str, Any]) -> str:
        alike = (t.diagram for t in dict(self.terms)[row["n"]] if tuple(sorted(t.diagram.valences)) == row["valences"])
        return next(alike)._repr_svg_()

    def __str__(self) -> str:
        return "\n".join(f"d{u}/dl = {f}" for u, f in self.flow.items())

    def __repr__(self) -> str:
        return f"<MomentumShellFlow: d = {self.dimension}, couplings {', '.join(map(str, self.couplings))}>"


def shell_area(dimension: Any) -> Expr:
    r"""Return the area of the unit sphere over :math:`(2\pi)^d`, :math:`2 / ((4\pi)^{d/2} \Gamma(d/2))`.

    Examples
    --------
    >>> shell_area(4), shell_area(3), shell_area(1)
    (1/(8*pi**2), 1/(2*pi**2), 1/pi)
    """
    d = sympy.sympify(dimension)
    return 2 / ((4 * sympy.pi) ** (d / 2) * sympy.gamma(d / 2))


def momentum_shell_flow(
    theory: Action, dimension: Any = None, *, max_fields: int | None = None, kinetic: Any = None
) -> MomentumShellFlow:
    r"""Return the one-loop flow of a local theory under Wilson's momentum-shell renormalisation.

    Parameters
    ----------
    theory : Action
        With even powers of the field, such as ``phi4()`` or ``o_n_theory()``; its couplings run, and so does the mass.
        Numbers given for them are left aside.
    dimension : number or sympy expression, optional
        d; default the symbol ``d``.
    max_fields : int, optional
        Highest power of the field that is kept, also where the theory does not have it at the start (``6``: the
        coupling phi^6 that phi^4 generates); default the highest of the theory.
    kinetic : sympy expression, optional
        Kinetic term in the modulus ``k`` of the momentum, a power ``c * k**sigma``; default ``k**2``. Together with the
        cutoff it is the two-point function :math:`\theta(\Lambda - |p|) / (c|p|^\sigma + m^2)`, for sigma = 2 that of
        :func:`~diagrams.architectures.scalar_net`.

    Returns
    -------
    MomentumShellFlow

    Raises
    ------
    TypeError, ValueError
        If the theory is not local or has odd powers of the field, or an option is out of range.

    Examples
    --------
    >>> from diagrams.theory import phi4
    >>> flow = momentum_shell_flow(phi4(), 4)
    >>> print(flow)
    dr/dl = lambda/(16*pi**2*(r + 1)) + 2*r
    dlambda/dl = -3*lambda**2/(16*pi**2*(r + 1)**2)
    >>> [(row["n"], row["diagrams"], row["symmetry_factor"]) for row in flow.table]
    [(2, 1, 2), (4, 3, 2)]
    """
    if not isinstance(theory, Action) or not theory.is_local:
        raise TypeError(f"the flow is that of a local theory, such as phi4(); got {theory!r}")
    if not theory.is_even:
        raise ValueError(f"odd powers of the field renormalise the field itself; this theory has {theory.valences}")
    top = max(theory.valences) if max_fields is None else max_fields
    if isinstance(top, bool) or not isinstance(top, int) or top < max(theory.valences) or top % 2:
        raise ValueError(f"max_fields must be even and at least {max(theory.valences)}, got {max_fields!r}")
    d = symbol("d") if dimension is None else sympy.sympify(dimension)
    if d.is_number and not d.is_positive:
        raise ValueError(f"the dimension must be positive, got {dimension!r}")
    term = _MODULUS**2 if kinetic is None else sympy.sympify(kinetic)
    _power(term)
    names = tuple((n, _coupling(theory, n)) for n in range(2, top + 1, 2))
    values = {n: s for n, s in names if n > 2}
    shell = shell_area(d) * _LENGTH**d
    line = 1 / (term.subs(_MODULUS, _LENGTH) + symbol("m") ** 2)
    terms = tuple((n, tuple(_terms(theory, n, values, shell, line))) for n in range(2, top + 1, 2))
    return MomentumShellFlow(theory, d, term, names, terms)


def _power(kinetic: Expr) -> Expr:
    """Return sigma of ``c k**sigma``."""
    k = sympy.Symbol("k", positive=True)
    coefficient, power = sympy.powsimp(kinetic.subs(_MODULUS, k)).as_coeff_exponent(k)
    if coefficient.has(k) or not power.is_positive or not coefficient.is_positive:
        raise ValueError(f"the kinetic term must be c * k**sigma with positive c and sigma, got {kinetic}")
    return power


def _coupling(theory: Action, n: int) -> sympy.Symbol:
    if n == 2:
        return symbol("r")
    known = dict(theory.couplings)
    found = known[n].as_expr() if n in known else symbol(f"g_{n}")
    return found if found.is_Symbol else symbol(f"g_{n}")


def _loops(n: int, top: int) -> Diagrams:
    return enumerate_diagrams(valences=range(4, top + 1, 2), legs=n, loops=1, one_particle_irreducible=True)


def _terms(theory: Action, n: int, couplings: Mapping[int, sympy.Symbol], shell: Expr, line: Expr) -> list[ShellTerm]:
    """Return what each diagram adds to ``dg_n/dl``: weight, vertices -g, index factor, shell integral."""
    found = []
    for graph in _loops(n, max(couplings)):
        vertices = sympy.Mul(*(-couplings[v] for v in graph.valences))
        weight = sympy.Rational(1, graph.symmetry_factor) * _index_weight(theory, graph)
        found.append(ShellTerm(graph, -weight * vertices * shell * line ** len(graph.internal_edges)))
    return found


def _index_weight(theory: Action, graph: FeynmanGraph) -> Expr:
    """Return the index factor of a diagram, averaged over permutations of its legs, in units of that of a vertex.

    The sum over labelled diagrams is symmetric, and so is a vertex: each pairing of legs counts the same, so that the
    sum over pairings of the coefficients is all that matters.
    """
    if not isinstance(theory, VectorAction):
        return sympy.S.One
    factor, n = theory.index_factor(graph), graph.n_legs
    total = []
    for pairing in pairings(range(n)):
        deltas = sympy.Mul(*(sympy.KroneckerDelta(output_index(a + 1), output_index(b + 1)) for a, b in pairing))
        total.append(sympy.expand(factor).coeff(deltas))
    return sympy.factor(sympy.Add(*total))
