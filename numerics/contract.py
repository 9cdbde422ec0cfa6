"""Diagrams as tensor contractions: named symmetric tensors on a finite set of points."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations
from math import factorial, prod
from typing import Any

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


def symmetric_tensor(values: Tensor, n_points: int, n: int) -> Tensor:
    """Return the full tensor of shape ``(n_points,) * n`` from its values on :func:`~numerics.kernels.index_tuples`."""
    full = np.empty((n_points,) * n, dtype=values.dtype)
    index = index_tuples(n_points, n)
    for order in permutations(range(n)):
        full[tuple(index[:, order].T)] = values
    return full


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
    missing = sorted({name for name, _ in contraction.operands} - set(tensors))
    if missing:
        raise KeyError(f"no tensor for {missing}; given: {sorted(tensors)}")
    arrays = [tensors[name] for name, _ in contraction.operands]
    subscripts = ",".join(_letters(index) for _, index in contraction.operands)
    equation = f"{subscripts}->{_letters(contraction.output)}"
    factor = _number(contraction.factor, arrays[0].dtype)
    return factor * np.asarray(opt_einsum.contract(equation, *arrays, optimize="auto"))


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


def diagram_sum(diagrams: Diagrams, rules: FeynmanRules, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the amplitudes of ``diagrams`` as a tensor, external amputation done once at the end.

    Diagrams with exchangeable legs are summed over their distinct labellings.
    """
    total: Any = 0
    for graph in diagrams:
        total = total + _all_labellings(graph, rules, tensors)
    return amputate(np.asarray(total), tensors[INVERSE])


def _all_labellings(graph: FeynmanGraph, rules: FeynmanRules, tensors: Mapping[str, Tensor]) -> Tensor:
    core = contract(without_amputation(rules.contraction(graph)), tensors)
    fixed = graph if graph.labelled else graph.relabel_legs(range(graph.n_legs))
    weight = Fraction(1, fixed.symmetry_factor)
    labellings = ((*range(graph.n_legs),),) if graph.labelled else graph.labelled_versions()
    # leg node i carries label p[i]: axis i of the core becomes axis p[i]
    summed = sum(np.transpose(core, np.argsort(p)) for p in labellings)
    return np.asarray(summed * (weight if core.dtype == object else float(weight)))


def multiplicities(index: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return in how many orders each row of sorted indices can be written, n! / prod(repetitions!)."""
    n = index.shape[1]
    return np.array(
        [factorial(n) // prod(factorial(int(c)) for c in np.unique(row, return_counts=True)[1]) for row in index],
        np.int64,
    )
