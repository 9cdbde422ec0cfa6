"""Kernels of a function with its gradient and Hessian-vector products, in one pass over shared subexpressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy
from numpy.typing import ArrayLike

from diagrams.series import Series
from diagrams.typing import Expr
from numerics.backends import array_module
from numerics.lower import Argument, Kernel, lower


@dataclass(frozen=True)
class DerivativeKernel:
    """A compiled function with its derivatives; made by :func:`lower_derivatives`.

    Parameters
    ----------
    expression : sympy.Expr
    variables : tuple of sympy.Symbol
        What it is differentiated by; their arrays are one argument with these components in the last axis.
    arguments : tuple
        The other arguments, as for :func:`numerics.lower.lower`.
    backend, dtype : str
    """

    expression: Expr
    variables: tuple[sympy.Symbol, ...]
    arguments: tuple[Argument, ...]
    backend: str
    dtype: str

    @cached_property
    def direction(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the direction of Hessian-vector products."""
        return tuple(sympy.Dummy(f"v_{s.name}", real=True) for s in self.variables)

    @cached_property
    def gradient_expressions(self) -> tuple[Expr, ...]:
        """The first derivatives."""
        return tuple(sympy.diff(self.expression, s) for s in self.variables)

    @cached_property
    def product_expressions(self) -> tuple[Expr, ...]:
        """The products of the Hessian with the direction: derivatives of the slope along it."""
        slope = sympy.Add(*(g * v for g, v in zip(self.gradient_expressions, self.direction, strict=True)))
        return tuple(sympy.diff(slope, s) for s in self.variables)

    @cached_property
    def first_order(self) -> Kernel:
        """The kernel of value and gradient."""
        return self._lowered([self.expression, *self.gradient_expressions], (self.variables,))

    @cached_property
    def second_order(self) -> Kernel:
        """The kernel of value, gradient and Hessian-vector product."""
        every = [self.expression, *self.gradient_expressions, *self.product_expressions]
        named = tuple(sympy.Symbol(f"direction_{k}", real=True) for k in range(len(self.variables)))
        renamed = dict(zip(self.direction, named, strict=True))
        return self._lowered([e.xreplace(renamed) for e in every], (self.variables, named))

    def _lowered(self, expressions: list[Expr], first: tuple[Argument, ...]) -> Kernel:
        return lower(expressions, arguments=(*first, *self.arguments), backend=self.backend, dtype=self.dtype)

    def __call__(self, x: ArrayLike, *arrays: ArrayLike, direction: ArrayLike | None = None) -> tuple[Any, ...]:
        """Return value and gradient, with a direction also the product of the Hessian with it.

        Parameters
        ----------
        x : array_like (..., n_variables)
        *arrays : array_like
            The other arguments.
        direction : array_like (..., n_variables), optional

        Returns
        -------
        tuple of arrays
            Value (...), gradient (..., n_variables), and the product (..., n_variables).

        Raises
        ------
        TypeError, ValueError
            As a :class:`~numerics.lower.Kernel`.
        """
        n = len(self.variables)
        if direction is None:
            value, *rest = self.first_order(x, *arrays)
        else:
            value, *rest = self.second_order(x, direction, *arrays)
        xp = array_module(self.backend)
        parts = [xp.stack(rest[k : k + n], axis=-1) for k in range(0, len(rest), n)]
        return (value, *parts)


def lower_derivatives(
    target: Any,
    variables: Sequence[sympy.Symbol],
    *,
    arguments: Sequence[Argument] = (),
    backend: str = "numba",
    dtype: str = "float64",
) -> DerivativeKernel:
    """Return a compiled function that evaluates an expression with its gradient and Hessian-vector products.

    All results of a call come from one kernel, which evaluates what they have in common once.

    Parameters
    ----------
    target : Correlator, Series or sympy.Expr
    variables : sequence of sympy.Symbol
        What to differentiate by, such as the coordinates of points or the values of a field.
    arguments : sequence, optional
        Other symbols (or tuples of them, points), in the order of their arrays.
    backend, dtype : str
        As for :func:`numerics.lower.lower`.

    Returns
    -------
    DerivativeKernel

    Raises
    ------
    TypeError, ValueError
        For variables that are no distinct symbols, and as :func:`numerics.lower.lower`.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> f = lower_derivatives(x**2 * y, (x, y), backend="numpy")
    >>> value, gradient, product = f([3.0, 2.0], direction=[1.0, 0.0])
    >>> float(value), gradient.tolist(), product.tolist()
    (18.0, [12.0, 9.0], [4.0, 6.0])
    """
    given = target.as_expr() if isinstance(target, Series) else getattr(target, "expr", target)
    if not isinstance(given, sympy.Expr):
        raise TypeError(f"cannot differentiate {type(target).__name__}; give a Correlator, a Series or an expression")
    chosen = tuple(variables)
    if not chosen or not all(isinstance(s, sympy.Symbol) for s in chosen) or len(set(chosen)) < len(chosen):
        raise ValueError(f"variables must be distinct sympy symbols, got {variables!r}")
    kernel = DerivativeKernel(given, chosen, tuple(arguments), backend, dtype)
    kernel.first_order  # noqa: B018 (unknown functions and symbols without values are found here)
    return kernel
