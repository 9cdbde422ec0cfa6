"""The Edgeworth expansion of several variables with exact cumulant tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations_with_replacement, permutations
from math import factorial, prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy.polys.fields import sfield
from sympy.polys.matrices import DomainMatrix

from diagrams.hermite import Polynomial, exponential, exponents_of, hermite_transform, logarithm, packed
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import check_order
from diagrams.typing import Expr

Tensor = NDArray[Any]


@dataclass(frozen=True, repr=False)
class VectorEdgeworth:
    r"""Density of several variables from their cumulant tensors; made by :func:`edgeworth_expansion`.

    .. math:: p(\phi) = \exp\Bigl(\sum_{r \ge 3} \frac{(-1)^r}{r!} \kappa_{i_1 \ldots i_r}
              \partial_{i_1} \ldots \partial_{i_r}\Bigr)
              \frac{e^{-S_0}}{\sqrt{\det 2 \pi C}}, \qquad S_0 = \frac12 (\phi - \mu) C^{-1} (\phi - \mu)

    Parameters
    ----------
    order : int
        Highest power of 1/N kept.
    tables : tuple of (r, array)
        ``N**(r/2 - 1) kappa_r`` as immutable arrays of sympy, covariance first.
    mean : tuple of sympy.Expr
    """

    order: int
    tables: tuple[tuple[int, sympy.ImmutableDenseNDimArray], ...]
    mean: tuple[Expr, ...]

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return len(self.mean)

    @property
    def variables(self) -> tuple[sympy.Symbol, ...]:
        """The symbols ``phi_1, phi_2, ...`` that densities are functions of."""
        return tuple(symbol(f"phi_{i + 1}") for i in range(self.n_variables))

    @property
    def is_even(self) -> bool:
        """True if no odd cumulant was given."""
        return all(r % 2 == 0 for r, _ in self.tables)

    @property
    def covariance(self) -> sympy.ImmutableMatrix:
        """The covariance matrix."""
        m = self.n_variables
        return sympy.ImmutableMatrix(m, m, list(dict(self.tables)[2].reshape(m * m)))

    @cached_property
    def _domain(self) -> Any:
        """The field of the entries: rational numbers, or rational functions of the symbols and functions in them."""
        entries = [e for _, table in self.tables for e in table.reshape(len(table))]
        return sympy.QQ if all(e.is_Rational for e in entries) else sfield(entries)[0].to_domain()

    def _elements(self, table: sympy.ImmutableDenseNDimArray) -> Tensor:
        elements = np.empty(len(table), object)
        elements[:] = [self._domain.from_sympy(e) for e in table.reshape(len(table))]
        return elements.reshape(table.shape)

    @cached_property
    def _covariance(self) -> Tensor:
        return self._elements(dict(self.tables)[2])

    @cached_property
    def _inverse_and_determinant(self) -> tuple[Tensor, Any]:
        matrix = DomainMatrix(self._covariance.tolist(), self._covariance.shape, self._domain)
        inverse = np.empty(self._covariance.shape, object)
        inverse[:] = matrix.inv().to_list()
        return inverse, matrix.det()

    @cached_property
    def _density(self) -> list[Polynomial]:
        """Coefficients of N^(-s/2) in the density over the Gaussian, polynomials in phi - mean."""
        pairs = {(i, j): value for (i, j), _ in self._components(2) if (value := self._covariance[i, j])}
        terms = {r - 2: self._vertex(r, table) for r, table in self.tables if r > 2}
        operator = exponential(terms, top=2 * self.order, one=self._domain.one)
        return [hermite_transform(p, pairs) for p in operator]

    def _vertex(self, r: int, table: sympy.ImmutableDenseNDimArray) -> Polynomial:
        """Return ``kappa (C^-1 phi)^r / r!``, which stands for ``kappa (-d/dphi)^r / r!``."""
        tensor = self._elements(table)
        for _ in range(r):
            tensor = np.tensordot(tensor, self._inverse_and_determinant[0], axes=(0, 0))
        return {
            packed(powers): tensor[index] / prod(map(factorial, powers))
            for index, powers in self._components(r)
            if tensor[index]
        }

    def _components(self, r: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Iterate over (sorted indices, powers of the variables)."""
        for index in combinations_with_replacement(range(self.n_variables), r):
            yield index, tuple(index.count(i) for i in range(self.n_variables))

    @cached_property
    def _log_density(self) -> list[Polynomial]:
        return logarithm(self._density)

    def density(self) -> Series:
        """Return the density as a Series in 1/N: the Gaussian times polynomials in :attr:`variables`."""
        normal = sympy.exp(self._expr(self._exponent)) / sympy.sqrt(self._norm)
        return self._series([(sympy.Rational(s, 2), normal * self._expr(p)) for s, p in enumerate(self._density)])

    def log_density(self) -> Series:
        """Return the logarithm of the density, its constant included, as a Series in 1/N."""
        terms = [(sympy.Rational(s, 2), self._expr(p)) for s, p in enumerate(self._log_density)]
        return self._series([(0, self._expr(self._exponent) - sympy.log(self._norm) / 2), *terms])

    def couplings(self) -> dict[int, dict[Expr, Tensor]]:
        r"""Return the couplings of minus the logarithm, :math:`-\log p = const + \sum_n \frac{1}{n!} g_n \phi^n`.

        The variables are counted from their means, and the exponents are of 1/N, as in
        :func:`numerics.point_action.coupling_tensors`, which has the same tensors from diagrams.

        Returns
        -------
        dict from n to dict from exponent of 1/N to array ``(m,) * n``
            Object arrays of Fractions (of sympy expressions if the cumulants are such).
        """
        terms = [(sympy.Integer(0), self._exponent)]
        terms += [(sympy.Rational(s, 2), p) for s, p in enumerate(self._log_density) if p]
        result: dict[int, dict[Expr, Tensor]] = {}
        for exponent, polynomial in terms:
            degrees = {sum(exponents_of(key, self.n_variables)) for key in polynomial} - {0}
            for n in sorted(degrees):
                result.setdefault(n, {})[exponent] = self._coupling(n, polynomial)
        return dict(sorted(result.items()))

    def _coupling(self, n: int, polynomial: Polynomial) -> Tensor:
        tensor = np.empty((self.n_variables,) * n, object)
        for index, powers in self._components(n):
            value = -polynomial.get(packed(powers), self._domain.zero) * prod(map(factorial, powers))
            for place in set(permutations(index)):
                tensor[place] = self._number(value)
        return tensor

    def _number(self, value: Any) -> Any:
        exact = self._domain.to_sympy(value)
        return Fraction(int(exact.p), int(exact.q)) if exact.is_Rational else exact

    def _expr(self, polynomial: Polynomial) -> Expr:
        shifted = [v - m for v, m in zip(self.variables, self.mean, strict=True)]
        terms = []
        for key, value in polynomial.items():
            powers = [v**e for v, e in zip(shifted, exponents_of(key, self.n_variables), strict=True)]
            terms.append(sympy.Mul(self._domain.to_sympy(value), *powers))
        return sympy.Add(*terms)

    @property
    def _exponent(self) -> Polynomial:
        """Minus S_0."""
        inverse, _ = self._inverse_and_determinant
        return {packed(powers): -inverse[ij] / prod(map(factorial, powers)) for ij, powers in self._components(2)}

    @property
    def _norm(self) -> Expr:
        return (2 * sympy.pi) ** self.n_variables * self._domain.to_sympy(self._inverse_and_determinant[1])

    def _series(self, terms: Sequence[tuple[Any, Expr]]) -> Series:
        remainder = (self.order + sympy.Rational(1, 2),)
        return Series((1 / symbol("N"),), tuple(((e,), c) for e, c in terms), remainder)

    def __repr__(self) -> str:
        return f"<VectorEdgeworth: {self.n_variables} variables, through N^-{self.order}>"

    def to_latex(self, *, terms_per_line: int = 3) -> str:
        """Return the logarithm of the density in LaTeX, order by order."""
        return self.log_density().to_latex(terms_per_line=terms_per_line)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \log p = {self.to_latex()}$"


def edgeworth_expansion(
    cumulants: Mapping[int, Any], *, order: int, mean: Sequence[Expr] | None = None
) -> VectorEdgeworth:
    r"""Return the Edgeworth expansion of the density of several variables, exact.

    Parameters
    ----------
    cumulants : mapping from r to array ``(m,) * r``
        ``N**(r/2 - 1) kappa_r`` for r = 2 ... 2 order + 2 (higher ones do not enter at this order): Fractions, integers
        or sympy expressions; floats are turned into rationals. If no odd one is given they vanish.
    order : int
        Highest power of 1/N kept, >= 0; half-integer powers below it are included.
    mean : sequence of m numbers, optional
        Zero by default.

    Returns
    -------
    VectorEdgeworth

    Raises
    ------
    TypeError, ValueError
        If ``order`` is not an integer >= 0, a cumulant is missing (the text names it), not symmetric or not of the same
        variables, or the covariance is singular or not positive (the text names the variable).

    Examples
    --------
    >>> pair = edgeworth_expansion({2: [[2, 1], [1, 2]], 4: [[[[1] * 2] * 2] * 2] * 2}, order=1)
    >>> pair
    <VectorEdgeworth: 2 variables, through N^-1>
    >>> pair.couplings()[4][1][0, 0, 0, 0]
    Fraction(-1, 81)
    """
    check_order("order", order)
    if not isinstance(cumulants, Mapping) or 2 not in cumulants:
        raise TypeError("cumulants must be a mapping {2: covariance matrix, 3: ..., 4: ...}")
    if wrong := [r for r in cumulants if isinstance(r, bool) or not isinstance(r, int) or r < 2]:
        raise ValueError(f"cumulants have 2, 3, ... indices, got the key {wrong[0]!r}; use mean= for the first")
    step = 2 if all(r % 2 == 0 for r in cumulants) else 1
    if missing := [r for r in range(2, 2 * order + 3, step) if r not in cumulants]:
        raise ValueError(
            f"the density through N^-{order} needs the cumulants of {missing} variables too; give zeros for those that "
            "vanish"
        )
    size = len(cumulants[2])
    tables = tuple((r, _table(cumulants[r], r, size)) for r in range(2, 2 * order + 3, step))
    center = [0] * size if mean is None else list(mean)
    if len(center) != size:
        raise ValueError(f"mean has {len(center)} entries, the covariance {size} variables")
    result = VectorEdgeworth(order, tables, tuple(as_real(f"mean[{i}]", c) for i, c in enumerate(center)))
    _check_positive(result)
    return result


def _table(tensor: Any, r: int, size: int) -> sympy.ImmutableDenseNDimArray:
    array = np.asarray(tensor, dtype=object)
    if array.shape != (size,) * r or not size:
        raise ValueError(f"the cumulant of {r} variables must have shape {(size,) * r}, got {array.shape}")
    entries: Tensor = np.empty(array.size, object)
    entries[:] = [as_real(f"an entry of the cumulant of {r} variables", e) for e in array.ravel()]
    exact = entries.reshape(array.shape)
    for i in range(r - 1):
        if (exact != exact.swapaxes(i, i + 1)).any():
            raise ValueError(f"the cumulant of {r} variables is not symmetric in its indices {i} and {i + 1}")
    return sympy.ImmutableDenseNDimArray(exact.ravel().tolist(), array.shape)


def as_real(name: str, value: Any) -> Expr:
    """Return a finite real number or expression, floats as rationals."""
    try:
        number = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        number = None
    if not isinstance(number, sympy.Expr):
        raise TypeError(f"{name} must be a number or a sympy expression, got {value!r}")
    if number.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo) or number.is_real is False:
        raise ValueError(f"{name} must be a finite real number or a real expression, got {value!r}")
    return sympy.nsimplify(number, rational=True) if number.has(sympy.Float) else number


def _check_positive(density: VectorEdgeworth) -> None:
    """Eliminate variable by variable: what is left of a variance must be positive."""
    left, m = density._covariance.copy(), density.n_variables
    for i in range(m):
        variance = density._domain.to_sympy(left[i, i])
        if variance == 0 or (variance.is_number and not variance > 0):
            given = f" given variables 0 to {i - 1}" if i else ""
            raise ValueError(
                f"the covariance is not positive definite: the variance of variable {i}{given} is {variance}. "
                "Variables must not be linear combinations of each other"
            )
        for j in range(i + 1, m):
            left[j] = left[j] - left[i] * (left[j, i] / left[i, i])
