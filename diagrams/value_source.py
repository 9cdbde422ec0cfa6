"""Connected correlators given as numbers on a finite set of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.series import Series
from diagrams.symbols import external_point, symbol
from diagrams.typing import Expr, Point


class Tabulated(sympy.Expr):
    """The number in a table at labels 0, 1, ...; stays as it is while a label is a symbol."""

    is_commutative = True

    def __new__(cls, table: Any, *labels: Expr) -> Expr:
        """Return the entry at integer labels, else the unevaluated object.

        Raises
        ------
        ValueError
            If a label is not a point of the table.
        """
        labels = tuple(map(sympy.sympify, labels))
        for label in labels:
            if label.is_number and not (label.is_Integer and 0 <= label < table.shape[0]):
                raise ValueError(
                    "correlators given as numbers are functions of the labels of their points, "
                    f"0 to {table.shape[0] - 1}, got {label}"
                )
        if all(label.is_Integer for label in labels):
            return table[tuple(map(int, labels))]
        return super().__new__(cls, table, *labels)

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        """The labels that are symbols."""
        return set().union(*(label.free_symbols for label in self.args[1:]))

    def _eval_is_extended_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"G{len(self.args) - 1}[{', '.join(map(printer._print, self.args[1:]))}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"G^{{({len(self.args) - 1})}}_{{{' '.join(map(printer._print, self.args[1:]))}}}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


@dataclass(frozen=True)
class ValueSource:
    """Connected correlators given as numbers on points; as functions they take the labels 0, 1, ... of points.

    Parameters
    ----------
    tables : tuple of (n, array)
        The numbers, as immutable arrays of sympy.
    coordinates_of_points : tuple of Point
        Where the points are.
    value_of_width : sympy.Expr
        Value of N.
    """

    tables: tuple[tuple[int, sympy.ImmutableDenseNDimArray], ...]
    coordinates_of_points: tuple[Point, ...]
    value_of_width: Expr

    @property
    def input_dim(self) -> int:
        """One: a label."""
        return 1

    @property
    def width(self) -> Expr:
        """Value of N."""
        return self.value_of_width

    @property
    def is_even(self) -> bool:
        """True if no odd correlator was given."""
        return all(n % 2 == 0 for n, _ in self.tables)

    @property
    def is_dimension_explicit(self) -> bool:
        """True: functions of labels, not of abstract points."""
        return True

    @property
    def points(self) -> NDArray[np.float64]:
        """Coordinates of the points, shape (n_points, input_dim of the points)."""
        return np.array([[float(c) for c in p] for p in self.coordinates_of_points])

    def tensor(self, n: int) -> NDArray[np.float64]:
        """Return the n-point function on the points, shape ``(n_points,) * n``; zero if it was not given."""
        size = len(self.coordinates_of_points)
        table = dict(self.tables).get(n)
        return np.zeros((size,) * n) if table is None else np.array(table.tolist(), float).reshape((size,) * n)

    def scaled_tensors(self, max_points: int) -> dict[int, NDArray[np.float64]]:
        """Return ``N**(n/2 - 1) G_c^(n)`` for n = 2 ... max_points, as :func:`numerics.point_action` uses them."""
        step = 2 if self.is_even else 1
        return {n: self.tensor(n) * float(self.width) ** (n / 2 - 1) for n in range(2, max_points + 1, step)}

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function of labels, of order ``N**(1 - n/2)``."""
        table, parameters = dict(self.tables).get(n), (1 / symbol("N"),)
        if table is None:
            return Series(parameters, ())
        lead = sympy.Rational(n, 2) - 1
        entry = Tabulated(table, *(external_point(i + 1) for i in range(n)))
        return Series(parameters, (((lead,), self.value_of_width**lead * entry),))

    def __str__(self) -> str:
        shown = ", ".join(str(n) for n, _ in self.tables)
        return f"correlators of {shown} points given on {len(self.coordinates_of_points)} points"
