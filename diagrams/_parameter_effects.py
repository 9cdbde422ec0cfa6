r"""What a map of parameters does to the functions of networks: nothing, a map of outputs or inputs, or something else.

For the velocity u of the parameters the change of an output is :math:`u \cdot \partial_\theta f_a`. Matrices M, or A
and t, for which it is :math:`M_{ab} f_b` or :math:`(A x + t) \cdot \partial_x f_a` are fitted at random places, rounded
to rational numbers, and then checked as identities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams._input_symmetry import vanishes
from diagrams._parameter_space import Map, ParameterSpace
from diagrams._symmetry_verdict import sample_values
from diagrams.features import weight_symbols
from diagrams.symbols import coordinates
from diagrams.typing import Expr

_RESIDUE = 1e-8  # of a fit in double precision


@dataclass(frozen=True)
class Effect:
    """What a map of parameters does to functions.

    Parameters
    ----------
    kind : {"none", "outputs", "inputs", "other"}
        Nothing; the map M of the outputs; ``x -> A x + t``; a change that is neither.
    matrix, shift : matrices or None
        M, or A and t; for infinitesimal maps their velocities.
    """

    kind: str
    matrix: Any = None
    shift: Any = None


def flow_effect(space: ParameterSpace, flow: Map) -> Effect:
    """Return what an infinitesimal map of the parameters does to functions."""
    changes = [sympy.Add(*(u * sympy.diff(f, s) for s, u in flow.items())) for f in space.functions]
    if all(vanishes(c) for c in changes):
        return Effect("none")
    if (matrix := _output_map(space, changes)) is not None:
        return Effect("outputs", matrix)
    return _input_flow(space, changes) or Effect("other")


def image_effect(space: ParameterSpace, image: Map, rotation: Any) -> Effect:
    """Return what a finite map of the parameters does to functions."""
    moved = [f.xreplace(image) for f in space.functions]
    if all(vanishes(g - f) for f, g in zip(space.functions, moved, strict=True)):
        return Effect("none")
    if (matrix := _output_map(space, moved)) is not None:
        return Effect("outputs", matrix)
    d = space.net.input_dim
    candidates = [-sympy.eye(d)]
    if tuple(space.columns) == (weight_symbols(d),):
        candidates.insert(0, sympy.Matrix(rotation).T)
    for a in candidates:
        x = coordinates(1, d)
        there = dict(zip(x, a * sympy.Matrix(x), strict=True))
        if all(vanishes(f.xreplace(there) - g) for f, g in zip(space.functions, moved, strict=True)):
            return Effect("inputs", sympy.ImmutableMatrix(a), sympy.zeros(d, 1).as_immutable())
    return Effect("other")


def _output_map(space: ParameterSpace, changes: Sequence[Expr]) -> Any:
    """Return M with ``changes_a = M_ab f_b``, or None."""
    rows = []
    for change in changes:
        found = _fitted(space, [[f] for f in space.functions], [change])
        if found is None:
            return None
        rows.append(found)
    return sympy.ImmutableMatrix(rows)


def _input_flow(space: ParameterSpace, changes: Sequence[Expr]) -> Effect | None:
    d = space.net.input_dim
    x = coordinates(1, d)
    slopes = [[sympy.diff(f, s) for f in space.functions] for s in x]
    basis = [[y * g for g in slopes[mu]] for mu in range(d) for y in x] + slopes
    found = _fitted(space, basis, changes)
    if found is None:
        return None
    return Effect("inputs", sympy.ImmutableMatrix(d, d, found[: d * d]), sympy.ImmutableMatrix(d, 1, found[d * d :]))


def _fitted(space: ParameterSpace, basis: Sequence[Sequence[Expr]], wanted: Sequence[Expr]) -> list[Any] | None:
    """Return rational c with ``wanted = sum_k c_k basis_k`` component by component, or None."""
    table = _at_places(space, [*(e for column in basis for e in column), *wanted], 3 * len(basis) + 5)
    m = len(wanted)
    columns = [table[k * m : (k + 1) * m].ravel() for k in range(len(basis))]
    target = table[len(basis) * m :].ravel()
    matrix = np.stack(columns, axis=1)
    numbers, *_ = np.linalg.lstsq(matrix, target, rcond=1e-10)
    if np.abs(matrix @ numbers - target).max() > _RESIDUE * max(1.0, np.abs(target).max()):
        return None
    exact = [sympy.nsimplify(round(float(c), 9), rational=True, tolerance=1e-8) for c in numbers]
    for i, change in enumerate(wanted):
        total = sympy.Add(*(c * column[i] for c, column in zip(exact, basis, strict=True)))
        if not vanishes(change - total):
            return None
    return exact


def _at_places(space: ParameterSpace, expressions: Sequence[Expr], count: int) -> NDArray[np.float64]:
    """Return expressions at random places, shape (n_expressions, count)."""
    given = {s: sympy.Integer(sample_values(space.net)[s.name]) for s in space.net._symbols().values()}
    values = [sympy.sympify(e).xreplace(given) for e in expressions]
    symbols = sorted(set().union(*(e.free_symbols for e in values)), key=str)
    places = np.random.default_rng(0).normal(size=(len(symbols), count))
    function = sympy.lambdify(symbols, values, ["scipy", "numpy"])
    return np.array([np.broadcast_to(np.asarray(v, dtype=np.float64), (count,)) for v in function(*places)])
