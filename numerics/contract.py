"""Diagrams as tensor contractions: named symmetric tensors on a finite set of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from math import factorial, prod
from typing import Any, TypeAlias

import numpy as np
import opt_einsum
import sympy
from numpy.typing import NDArray

from diagrams.collection import Diagrams
from diagrams.graph import FeynmanGraph
from diagrams.pointfunctions import INVERSE
from diagrams.rules import Contraction, FeynmanRules
from numerics.kernels import index_tuples

Tensor = NDArray[Any]  # float64, or object arrays of Fractions for exact work
Powers: TypeAlias = tuple[Fraction, ...]  # of the expansion parameters
Graded: TypeAlias = dict[Powers, Tensor]  # a tensor as a series in the expansion parameters


def symmetric_tensor(values: Tensor, n_points: int, n: int) -> Tensor:
    """Return the full tensor of shape ``(n_points,) * n`` from its values on :func:`~numerics.kernels.index_tuples`."""
    if n == 0:
        return values.reshape(())
    grid = np.indices((n_points,) * n, dtype=np.min_scalar_type(max(n_points - 1, 0))).reshape(n, n_points**n)
    grid.sort(axis=0)
    strides = _strides(n_points, n)
    place = np.zeros(n_points**n, np.intp)
    place[unique_tuples(n_points, n) @ strides] = np.arange(len(values))
    rows = place[sum((strides[k] * grid[k] for k in range(n)), np.zeros(n_points**n, np.intp))]
    return values[rows].reshape((n_points,) * n)


def unique_tuples(n_points: int, n: int) -> NDArray[np.intp]:
    """Return :func:`~numerics.kernels.index_tuples`, for n = 0 the one empty tuple."""
    return index_tuples(n_points, n) if n else np.zeros((1, 0), np.intp)


def _strides(n_points: int, n: int) -> NDArray[np.intp]:
    return n_points ** np.arange(n - 1, -1, -1, dtype=np.intp)


def contract(contraction: Contraction, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the value of a contraction, one axis for each external leg in order.

    Parameters
    ----------
    contraction : Contraction
        From :meth:`diagrams.rules.FeynmanRules.contraction`.
    tensors : mapping from function name to array
        Symmetric tensors; float64 or, for exact arithmetic, object arrays of Fractions.

    Raises
    ------
    KeyError
        If a tensor is missing (the text names it).
    """
    _check_given(contraction, tensors)
    return _contract(contraction, [tensors[name] for name, _ in contraction.operands])


def _check_given(contraction: Contraction, tensors: Mapping[str, Any]) -> None:
    missing = sorted({name for name, _ in contraction.operands} - set(tensors))
    if missing:
        raise KeyError(f"no tensor for {missing}; given: {sorted(tensors)}")


def _contract(contraction: Contraction, arrays: list[Tensor]) -> Tensor:
    subscripts = ",".join(_letters(index) for _, index in contraction.operands)
    equation = f"{subscripts}->{_letters(contraction.output)}"
    expression = _expression(equation, tuple(array.shape for array in arrays))
    return _times(np.asarray(expression(*arrays), dtype=arrays[0].dtype), contraction.factor)


def _times(tensor: Tensor, factor: Any) -> Tensor:
    """Return a tensor times an exact number; without axes it stays an array, also of Fractions."""
    return np.asarray(_number(factor, tensor.dtype) * tensor, dtype=tensor.dtype)


@cache
def _expression(equation: str, shapes: tuple[tuple[int, ...], ...]) -> Callable[..., Any]:
    """Return a contraction whose order of steps is found once."""
    result: Callable[..., Any] = opt_einsum.contract_expression(equation, *shapes, optimize="auto")
    return result


def _letters(index: tuple[int, ...]) -> str:
    return "".join(opt_einsum.get_symbol(i) for i in index)


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "O":
        exact = sympy.Rational(value)
        return Fraction(int(exact.p), int(exact.q))
    return float(value)


def without_amputation(contraction: Contraction) -> Contraction:
    """Drop the inverse two-point functions on external legs; the legs then end at the vertices themselves."""
    outer = set(contraction.output)
    operands, moved = [], {}
    for name, index in contraction.operands:
        if name == INVERSE and len(outer & set(index)) == 1:
            leg, inner = sorted(index, key=lambda i: i not in outer)
            moved[leg] = inner
        else:
            operands.append((name, index))
    return Contraction(contraction.factor, tuple(operands), tuple(moved.get(i, i) for i in contraction.output))


def amputate(tensor: Tensor, inverse: Tensor) -> Tensor:
    """Return the tensor with the matrix ``inverse`` applied to every axis."""
    for _ in range(tensor.ndim):
        tensor = np.tensordot(tensor, inverse, axes=(0, 0))  # the new axis goes last: after all, order is restored
    return tensor


def amputate_graded(graded: Graded, inverse: Graded, limit: Powers, n: int) -> Graded:
    """Return the series of tensors of n axes with the series of matrices ``inverse`` applied to every axis."""
    for _ in range(n):
        graded = product(graded, inverse, limit, lambda a, b: np.tensordot(a, b, axes=(0, 0)))
    return graded


def product(a: Graded, b: Graded, limit: Powers, multiply: Callable[[Tensor, Tensor], Tensor]) -> Graded:
    """Return the product of two series through the powers ``limit``."""
    found: Graded = {}
    for first, x in a.items():
        for second, y in b.items():
            powers = add_powers(first, second)
            if is_kept(powers, limit):
                value = multiply(x, y)
                found[powers] = found[powers] + value if powers in found else value
    return found


def add_powers(a: Powers, b: Powers) -> Powers:
    """Return the powers of a product."""
    return tuple(x + y for x, y in zip(a, b, strict=True))


def is_kept(powers: Powers, limit: Powers) -> bool:
    """Return True if no power is above its limit."""
    return all(x <= y for x, y in zip(powers, limit, strict=True))


def diagram_sum(diagrams: Diagrams, rules: FeynmanRules, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the amplitudes of ``diagrams`` as a tensor, external amputation done once at the end.

    Diagrams with exchangeable legs are summed over their distinct labellings. Parts that diagrams have in common are
    contracted once.
    """
    bare = graded_diagram_sum(diagrams, rules, {name: {(): tensor} for name, tensor in tensors.items()}, ())
    return amputate(bare[()], tensors[INVERSE])


def graded_diagram_sum(diagrams: Diagrams, rules: FeynmanRules, tensors: Mapping[str, Graded], limit: Powers) -> Graded:
    """Return the sum of the amplitudes of ``diagrams`` as a series of tensors, without external amputation.

    Parameters
    ----------
    diagrams : Diagrams
    rules : FeynmanRules
    tensors : mapping from function name to mapping from powers to array
        Every function as a series in the expansion parameters.
    limit : tuple of Fraction
        Highest power of each parameter kept.

    Returns
    -------
    dict from powers to array
    """
    labelled: Graded = {}
    unique: Graded = {}
    n, size = 0, len(next(iter(tensors[INVERSE].values())))
    with opt_einsum.shared_intermediates():
        for graph in diagrams:
            contraction = _bare_contraction(graph, rules)
            _check_given(contraction, tensors)
            n = graph.n_legs
            for powers, arrays in _terms([tensors[name] for name, _ in contraction.operands], limit):
                core = _times(_contract(contraction, arrays), sympy.Rational(1, _weight(graph)))
                is_full = graph.labelled or not n
                target, part = (labelled, core) if is_full else (unique, _all_labellings(graph, core, size))
                target[powers] = np.asarray(target[powers] + part) if powers in target else part
    for powers, values in unique.items():
        full = symmetric_tensor(values, size, n)
        labelled[powers] = labelled[powers] + full if powers in labelled else full
    return labelled


def _terms(factors: list[Graded], limit: Powers) -> Iterator[tuple[Powers, list[Tensor]]]:
    """Iterate over the ways to take one power of every factor, with the powers of the product."""
    if not factors:
        yield (Fraction(0),) * len(limit), []
        return
    for powers, arrays in _terms(factors[:-1], limit):
        for own, array in factors[-1].items():
            total = add_powers(powers, own)
            if is_kept(total, limit):
                yield total, [*arrays, array]


@cache
def _bare_contraction(graph: FeynmanGraph, rules: FeynmanRules) -> Contraction:
    return without_amputation(rules.contraction(graph))


def _weight(graph: FeynmanGraph) -> int:
    fixed = graph if graph.labelled else graph.relabel_legs(range(graph.n_legs))
    return int(fixed.symmetry_factor)


def _all_labellings(graph: FeynmanGraph, core: Tensor, n_points: int) -> Tensor:
    """Return the sum over distinct labellings of the legs on unique index tuples."""
    index = unique_tuples(n_points, graph.n_legs)
    strides, flat = _strides(n_points, graph.n_legs), core.reshape(-1)
    total: Any = 0
    for labels in graph.labelled_versions():  # leg node i carries label p[i]: axis i of the core is axis p[i] of a term
        total = total + flat[index[:, list(labels)] @ strides]
    return np.asarray(total)


def multiplicities(index: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return in how many orders each row of sorted indices can be written, n! / prod(repetitions!)."""
    n = index.shape[1]
    return np.array(
        [factorial(n) // prod(factorial(int(c)) for c in np.unique(row, return_counts=True)[1]) for row in index],
        np.int64,
    )
