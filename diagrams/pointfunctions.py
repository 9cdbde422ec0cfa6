"""Symbolic functions of points: symmetric point functions, sums over channels, integrals over points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
from sympy.core.sorting import default_sort_key
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from diagrams.symbols import external_point
from diagrams.typing import Expr

INVERSE = "D"  # the inverse two-point function
PROPAGATOR = "G"  # the two-point function
INDEXED = {"D": "D", "psi": r"\psi", "G": "G"}
AMPUTATED = "psi"  # the inverse two-point function applied to the field


class PointFunction(sympy.Expr):
    """A named function of points that is symmetric in its arguments, such as ``G4(x1, x2, y1, y2)``.

    Arguments are kept sorted, so equal functions compare equal. Names used by the package: ``G`` the propagator,
    ``D`` its inverse, ``psi`` the field acted on by ``D``, ``G3, G4, ...`` connected correlators without their power
    of N, ``g3, g4, ...`` couplings.

    Examples
    --------
    >>> from diagrams.symbols import symbol
    >>> x, y = symbol("x_1"), symbol("y_1")
    >>> PointFunction("G", y, x) == PointFunction("G", x, y)
    True
    """

    is_commutative = True

    def __new__(cls, name: str | sympy.Symbol, *points: Expr) -> PointFunction:
        """Return the function with its points sorted."""
        ordered = sorted(points, key=default_sort_key)
        return super().__new__(cls, sympy.Symbol(str(name)), *ordered)

    @property
    def name(self) -> str:
        """Name of the function."""
        return str(self.args[0])

    @property
    def points(self) -> tuple[Expr, ...]:
        """The arguments."""
        return tuple(self.args[1:])

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The symbols in the arguments (the name is not one)."""
        return set().union(*(p.free_symbols for p in self.points))

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_subs(self, old: Expr, new: Expr) -> Expr:
        return PointFunction(self.name, *(p._subs(old, new) for p in self.points))

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"{self.name}({', '.join(printer._print(p) for p in self.points)})"

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        if getattr(printer, "points_as_indices", False):
            labels = [str(p)[2:] if str(p).startswith("y_") else printer._print(p) for p in self.points]
            head, _, key = self.name.rstrip("]").partition("[")
            base = INDEXED.get(self.name) or ("m" if head[:1] == "m" and head[1:].isdigit() else r"\hat G")
            base += f"^{{({key})}}" if key else ""
            body = f"{base}_{{{('' if all(len(i) == 1 for i in labels) else ',').join(labels)}}}"
        else:
            body = function_latex(self.name) + "(" + ", ".join(printer._print(p) for p in self.points) + ")"
        return body if exp is None else rf"{body}^{{{exp}}}"


def function_latex(name: str) -> str:
    r"""Return the LaTeX name of a point function: ``D`` is :math:`G_2^{-1}`, ``G4`` is :math:`\hat G_c^{(4)}`.

    The coefficient ``G4[1,0]`` of the powers (1, 0) of the expansion parameters is :math:`\hat G_{4}^{(1,0)}`.
    """
    if name == INVERSE:
        return "G_2^{-1}"
    if name == AMPUTATED:
        return r"\psi"
    head, digits = name[:1], name[1:]
    if name.endswith("]"):
        number, _, key = digits.rstrip("]").partition("[")
        return rf"\hat {head}_{{{number}}}^{{({key})}}"
    if digits.isdigit() and head == "G":
        return rf"\hat G_c^{{({digits})}}"
    if digits.isdigit():
        return f"{head}_{{{digits}}}"
    return {"phi": r"\phi"}.get(name, name)


class ChannelSum(sympy.Expr):
    """A sum of one expression over distinct exchanges of external points, printed as "expression + 2 perms".

    ``ChannelSum.of(expr, permutations)`` returns the expression itself when there is only one; ``doit()`` writes the
    sum out.
    """

    is_commutative = True

    def __new__(cls, expr: Expr, permutations: sympy.Tuple) -> ChannelSum:
        """Return the sum; use :meth:`of` to make one."""
        return super().__new__(cls, expr, permutations)

    @classmethod
    def of(cls, expr: Expr, permutations: Sequence[Sequence[int]]) -> Expr:
        """Return the sum over ``permutations``, each the new label (from 0) of external points x_1, x_2, ..."""
        if len(permutations) == 1:
            return expr
        return cls(expr, sympy.Tuple(*(sympy.Tuple(*p) for p in permutations)))

    @property
    def expr(self) -> Expr:
        """The first term."""
        return self.args[0]

    @property
    def permutations(self) -> tuple[tuple[int, ...], ...]:
        """The exchanges of external points, the identity first."""
        return tuple(tuple(int(i) for i in p) for p in self.args[1])

    def doit(self, **hints: Any) -> Expr:
        """Return the sum of all terms."""
        terms = []
        for permutation in self.permutations:
            moved = {external_point(i + 1): external_point(j + 1) for i, j in enumerate(permutation)}
            terms.append(self.expr.subs(moved, simultaneous=True))
        return sympy.Add(*terms)

    def _eval_is_extended_real(self) -> bool:
        return True

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"[{printer._print(self.expr)} + {len(self.permutations) - 1} perms]"

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        body = rf"\left[{printer._print(self.expr)} + \text{{{len(self.permutations) - 1} perms}}\right]"
        return body if exp is None else rf"{body}^{{{exp}}}"


def expand_channels(expr: Expr) -> Expr:
    """Return the expression with every sum over channels written out."""
    return expr.replace(lambda e: isinstance(e, ChannelSum), lambda e: e.doit())


def integral(integrand: Expr, points: Sequence[sympy.Symbol]) -> Expr:
    """Return the unevaluated integral over all of space of every point in ``points``."""
    if not points:
        return integrand
    return sympy.Integral(integrand, *((p, -sympy.oo, sympy.oo) for p in points))
