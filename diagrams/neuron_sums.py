"""Sums over neurons, and polynomials in them: what a deformation of a parameter density is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.core.sorting import default_sort_key
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from diagrams.symbols import symbol
from diagrams.typing import Expr, Point, PointLike

OUTPUT_WEIGHT = "W1"
PARAMETER_NAMES = ("W0", "W1", "b0")  # those of the neurons of the package's own nets, with an index W0_j above d = 1


class NeuronSum(sympy.Expr):
    r"""The sum over neurons :math:`\sum_{i=1}^N f(\theta_i) \prod_j W^1_i h(z_j; \theta_i)`; make it with `neuron_sum`.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> neuron_sum(symbol("W0") ** 2) ** 2 / symbol("N") ** 2
    neuron_sum(W0**2)**2/N**2
    """

    is_commutative = True

    def __new__(cls, expr: Expr, points: Sequence[Sequence[Expr]] = ()) -> NeuronSum:
        """Return the sum; ``points`` are the z_j with their coordinates, in any order."""
        ordered = sorted((sympy.Tuple(*p) for p in points), key=default_sort_key)
        return super().__new__(cls, sympy.sympify(expr), sympy.Tuple(*ordered))

    @property
    def expr(self) -> Expr:
        """The weight f in the parameters of one neuron."""
        return self.args[0]

    @property
    def points(self) -> tuple[Point, ...]:
        """The points z_j."""
        return tuple(tuple(p) for p in self.args[1])

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_derivative(self, s: sympy.Symbol) -> Expr:
        if any(c.has(s) for p in self.points for c in p):
            raise ValueError(f"the derivative of {self} with respect to a coordinate {s} of its points is not defined")
        slope = self.expr.diff(s)
        return NeuronSum(slope, self.points) if slope != 0 else sympy.S.Zero

    def _sympystr(self, printer: StrPrinter) -> str:
        at = ", ".join("(" + ", ".join(printer._print(c) for c in p) + ",)" for p in self.points)
        return f"neuron_sum({printer._print(self.expr)}{f', at=[{at}]' if at else ''})"

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        fields = [rf"W^1_i h({', '.join(printer._print(c) for c in p)}; \theta_i)" for p in self.points]
        weight = [] if self.expr == 1 and fields else [sympy.latex(self.expr, symbol_names=parameter_names(self.expr))]
        if self.expr.is_Add:
            weight = [rf"\left({weight[0]}\right)"]
        body = r"\sum_{i} " + r"\, ".join([*weight, *fields])
        return rf"\left({body}\right)" + ("" if exp is None else f"^{{{exp}}}")


def parameter_names(expr: Expr) -> dict[sympy.Symbol, str]:
    """Return the LaTeX names of the parameters of neuron i in an expression: ``W0_2`` is :math:`W^0_{i2}`."""
    names = {}
    for s in expr.free_symbols:
        head, _, component = s.name.partition("_")
        if head in PARAMETER_NAMES:
            index = f"_{{i{component}}}" if component else "_i"
            names[s] = f"{head[0]}^{head[1]}{index}"
    return names


def neuron_sum(expr: Expr | float, *, at: PointLike | Sequence[PointLike] = ()) -> NeuronSum:
    r"""Return :math:`\sum_{i=1}^N f(\theta_i)`, or :math:`\sum_i f(\theta_i) \prod_j W^1_i h(z_j; \theta_i)`.

    Polynomials in such sums are the potentials of :func:`diagrams.independence.tilted`.

    Parameters
    ----------
    expr : sympy.Expr
        Polynomial f in the parameters of one neuron: ``net.w0`` (``net.w0[j]`` in more dimensions), ``net.b0``,
        ``net.w1``.
    at : sequence of points
        Points z_j at which the neuron's contribution ``W1 h(z)`` to the field multiplies f. ``neuron_sum(1, at=[z])``
        is the field phi(z) without output bias.

    Raises
    ------
    TypeError, ValueError
        If ``expr`` is not an expression, or contains a sum over neurons itself.

    Examples
    --------
    >>> neuron_sum(1, at=[0.5])
    neuron_sum(1, at=[(1/2,)])
    """
    try:
        weight = sympy.sympify(expr, strict=True)
    except sympy.SympifyError:
        raise TypeError(f"neuron_sum takes a sympy expression in the parameters of a neuron, got {expr!r}") from None
    if not isinstance(weight, sympy.Expr):
        raise TypeError(f"neuron_sum takes one expression, got {expr!r}; for more dimensions sum over net.w0[j]")
    if weight.has(NeuronSum):
        raise ValueError(f"a sum over neurons cannot stand inside another one: {expr}; multiply the two sums instead")
    scalar = isinstance(at, (int, float, sympy.Expr))
    return NeuronSum(weight, [_exact_point(p) for p in ([at] if scalar else list(at))])


def _exact_point(value: PointLike) -> Point:
    items = list(value) if hasattr(value, "__len__") or isinstance(value, sympy.Tuple) else [value]
    try:
        return tuple(sympy.nsimplify(sympy.sympify(c, strict=True), rational=True) for c in items)
    except sympy.SympifyError:
        raise TypeError(f"a point must be a number or a sequence of coordinates, got {value!r}") from None


@dataclass(frozen=True)
class SumKey:
    """A sum over neurons of one monomial.

    Parameters
    ----------
    monomial : sympy.Expr
        Product of powers of neuron parameters, coefficient one.
    points : tuple of Point
        Points z of factors ``W1 h(z)``.
    """

    monomial: Expr
    points: tuple[Point, ...] = ()

    @property
    def output_degree(self) -> int:
        """Number of factors W1, those of the fields included."""
        return int(self.monomial.as_powers_dict()[symbol(OUTPUT_WEIGHT)]) + len(self.points)


@dataclass(frozen=True)
class Term:
    """``coefficient * N**n_power * prod_j S_j``: one term of a polynomial in sums over neurons."""

    coefficient: Expr
    n_power: Expr
    sums: tuple[SumKey, ...]


def polynomial_terms(potential: Expr, parameters: Sequence[sympy.Symbol], input_dim: int, what: str) -> list[Term]:
    """Return a polynomial in neuron sums as a list of terms, equal products of sums merged.

    Parameters
    ----------
    potential : sympy.Expr
    parameters : sequence of symbols
        Parameters of one neuron.
    input_dim : int
        Number of components of the points.
    what : str
        What to call the expression in errors.

    Raises
    ------
    ValueError
        If it is no such polynomial; the text says why.
    """
    merged: dict[tuple[tuple[SumKey, ...], Expr], list[Expr]] = {}
    for factor, sums in _products(sympy.sympify(potential), parameters, input_dim, what):
        for coefficient, power in _powers_of_n(factor, what):
            merged.setdefault((sums, power), []).append(coefficient)
    terms = [Term(sympy.Add(*c), power, sums) for (sums, power), c in merged.items()]
    return [t for t in terms if t.coefficient != 0]


def _products(
    potential: Expr, parameters: Sequence[sympy.Symbol], input_dim: int, what: str
) -> list[tuple[Expr, tuple[SumKey, ...]]]:
    """Return (coefficient, sorted keys) of every product of elementary sums."""
    atoms = {a: sympy.Dummy() for a in potential.atoms(NeuronSum)}
    bare = potential.xreplace(atoms)
    _check_outside(bare, potential, parameters, what)
    if not atoms:
        return [(bare, ())]
    expanded = {d: _elementary(a, parameters, input_dim, what) for a, d in atoms.items()}
    try:
        poly = sympy.Poly(bare, *expanded)
    except sympy.PolynomialError:
        raise ValueError(_not_polynomial(potential, what)) from None
    if poly.free_symbols_in_domain & set(expanded):
        raise ValueError(_not_polynomial(potential, what))
    result: list[tuple[Expr, tuple[SumKey, ...]]] = []
    for powers, coefficient in poly.terms():
        partial: list[tuple[Expr, tuple[SumKey, ...]]] = [(coefficient, ())]
        for elementary, power in zip(expanded.values(), powers, strict=True):
            for _ in range(power):
                partial = [(a * b, (*s, *k)) for a, s in partial for b, k in elementary]
        result += [(c, tuple(sorted(s, key=_key_order))) for c, s in partial]
    return result


def _key_order(key: SumKey) -> Any:
    return default_sort_key(sympy.Tuple(key.monomial, *(sympy.Tuple(*p) for p in key.points)))


def _check_outside(bare: Expr, potential: Expr, parameters: Sequence[sympy.Symbol], what: str) -> None:
    outside = sorted(s.name for s in bare.free_symbols & set(parameters))
    if outside:
        raise ValueError(
            f"{what} {potential} contains the neuron parameter(s) {outside} outside of a sum over neurons; "
            "write neuron_sum(net.w0**2) and the like"
        )
    if bare.has(sympy.nan, sympy.oo, sympy.zoo, sympy.I):
        raise ValueError(f"{what} {potential} must be real and finite")


def _not_polynomial(potential: Expr, what: str) -> str:
    return (
        f"{what} {potential} is not a polynomial in sums over neurons; allowed are sums and products of "
        "neuron_sum(f), f a polynomial in net.w0, net.b0, net.w1, with coefficients in N and free parameters"
    )


def _elementary(
    atom: NeuronSum, parameters: Sequence[sympy.Symbol], input_dim: int, what: str
) -> list[tuple[Expr, tuple[SumKey, ...]]]:
    """Return one neuron sum as a combination of sums of monomials; the sum of a constant is N times it."""
    if wrong := [p for p in atom.points if len(p) != input_dim]:
        raise ValueError(f"point {wrong[0]} in {atom} has {len(wrong[0])} coordinate(s), the net has {input_dim=}")
    named = {s for s in atom.expr.free_symbols if s.name.partition("_")[0] in PARAMETER_NAMES}
    if unknown := sorted(s.name for s in named - set(parameters)):
        raise ValueError(
            f"{atom} contains {unknown}, which the neurons of this net do not have; its parameters are "
            f"{[s.name for s in parameters]}"
        )
    try:
        poly = sympy.Poly(atom.expr, *parameters)
    except sympy.PolynomialError:
        raise ValueError(_not_polynomial(atom, what)) from None
    if poly.free_symbols_in_domain & set(parameters):
        raise ValueError(_not_polynomial(atom, what))
    result: list[tuple[Expr, tuple[SumKey, ...]]] = []
    for powers, coefficient in poly.terms():
        monomial = sympy.Mul(*(p**e for p, e in zip(parameters, powers, strict=True)))
        if monomial == 1 and not atom.points:
            result.append((coefficient * symbol("N"), ()))
        else:
            result.append((coefficient, (SumKey(monomial, atom.points),)))
    return result


def _powers_of_n(coefficient: Expr, what: str) -> list[tuple[Expr, Expr]]:
    """Return (coefficient, exponent of N) of a sum of powers of N."""
    width = symbol("N")
    if not coefficient.has(width):
        return [(coefficient, sympy.S.Zero)]
    found = []
    for term in sympy.Add.make_args(sympy.expand(coefficient)):
        rest, power = term.as_coeff_exponent(width)
        if rest.has(width) or not (2 * power).is_Integer:
            raise ValueError(f"{what} has the coefficient {coefficient}; it must be a sum of powers of N")
        found.append((rest, power))
    return found
