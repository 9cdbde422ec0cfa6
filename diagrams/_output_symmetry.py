"""Maps of the outputs of a net, absorbed into its output weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations_with_replacement, permutations
from typing import Any

import numpy as np
import sympy

from diagrams._architecture import Architecture
from diagrams._input_symmetry import sample_elements
from diagrams._symmetry_verdict import (
    DIGITS,
    HIGHEST,
    Breaking,
    SymmetryVerdict,
    sample_point,
    sample_text,
    with_numbers,
)
from diagrams.distributions import Distribution, Gaussian
from diagrams.groups import Group
from diagrams.typing import Expr

_TENSOR_CHANGED = 1e-12


def of_outputs(net: Architecture, group: Group) -> SymmetryVerdict:
    steps = ["f -> R f is absorbed by W1 -> R W1 (and b1 -> R b1); hidden parameters do not change"]
    law = net.readout
    orthogonal = all(_is_antisymmetric(t) for t in group.generators)
    round_rows = isinstance(law, Gaussian) and law.cumulant(1) == 0
    discrete = all(_is_signed_permutation(r) or (round_rows and _is_orthogonal(r)) for r in group.reflections)
    even = law.is_symmetric or all(entry >= 0 for r in group.reflections for entry in r)
    mean = sympy.Matrix(net.means or [0] * group.size)
    kept = all(t * mean == 0 * mean for t in group.generators) and all(r * mean == mean for r in group.reflections)
    is_isotropic = not group.generators or (round_rows and orthogonal)
    has_bias = net.sigma_b1 != 0
    if is_isotropic and discrete and even and kept and (orthogonal or not has_bias):
        if group.generators:
            steps += [
                "the generators are antisymmetric, so R is orthogonal with determinant one on its Jacobian",
                _radial_step(net, law),
            ]
        if group.reflections:
            steps.append(
                "exchanges (and changes of sign) of rows leave independent, identical (symmetric) rows as they are"
            )
        steps.append("all n-point functions are invariant tensors of the outputs, at every width")
        return SymmetryVerdict(net, group, "outputs", True, True, tuple(steps), None, tuple(group.generators))
    steps.append(_broken_step(net, law))
    breaking = _first_tensor_change(net, _output_elements(group))
    if breaking is None:
        steps.append(f"no correlator of up to {HIGHEST} points changes at the sample point")
        return SymmetryVerdict(net, group, "outputs", None, None, tuple(steps))
    remaining = _stabiliser(net, group)
    return SymmetryVerdict(net, group, "outputs", False, breaking.n > 2, tuple(steps), breaking, remaining)


def _radial_step(net: Architecture, law: Distribution) -> str:
    if any(net.means):
        return f"the density of the rows of W1 is a function of |W1 - m|^2, and R m = m for their means m = {net.means}"
    return f"the joint density of the rows of W1, independent {law}, is a function of |W1|^2 alone"


def _broken_step(net: Architecture, law: Distribution) -> str:
    if any(net.means):
        return f"the rows of W1 have the means m = {net.means} (times N**(-1/2)), which R moves: R m is another vector"
    return f"the density of the rows of W1, independent {law}, is not a function of |W1|^2 alone"


def _output_elements(group: Group) -> list[tuple[str, Any]]:
    return [(name, rotation) for name, rotation, _ in sample_elements(group)]


def _first_tensor_change(net: Architecture, elements: Sequence[tuple[str, Any]]) -> Breaking | None:
    """Return the first n at which the correlators at one point, a tensor of the outputs, change under an element."""
    numbers, point = with_numbers(net), sample_point(net.input_dim, 0)
    for n in range(1, HIGHEST + 1):
        if net.is_even and n % 2:
            continue
        correlator = numbers.connected_correlators(max_points=n)[n]
        tensor = np.empty((net.output_dim,) * n)
        for index in combinations_with_replacement(range(net.output_dim), n):
            kind = {"outputs": index} if net.output_dim > 1 else {}
            value = float(sympy.N(correlator(*[point] * n, **kind), DIGITS))
            for place in set(permutations(index)):
                tensor[place] = value
        for name, rotation in elements:
            matrix = np.array(rotation.tolist(), dtype=np.float64)
            moved = tensor
            for axis in range(n):
                moved = np.moveaxis(np.tensordot(matrix, moved, axes=(1, axis)), 0, axis)
            change = np.abs(moved - tensor)
            if change.max() > _TENSOR_CHANGED * np.abs(tensor).max():
                at = int(change.argmax())
                before, after = (sympy.Float(float(t.ravel()[at]), 8) for t in (tensor, moved))
                component = tuple(map(int, np.unravel_index(at, tensor.shape))) if net.output_dim > 1 else ()
                return Breaking(n, name, before, after, sample_text(net), component)
    return None


def _is_antisymmetric(matrix: Any) -> bool:
    return bool(sympy.Matrix(matrix) + sympy.Matrix(matrix).T == sympy.zeros(matrix.rows))


def _is_orthogonal(matrix: Any) -> bool:
    return bool(sympy.Matrix(matrix) * sympy.Matrix(matrix).T == sympy.eye(matrix.rows))


def _is_signed_permutation(matrix: Any) -> bool:
    rows = [[abs(e) for e in matrix.row(i)] for i in range(matrix.rows)]
    return all(sorted(row) == [0] * (len(row) - 1) + [1] for row in rows)


@cache
def _moment(laws: tuple[Distribution, ...], index: tuple[int, ...]) -> Expr:
    return sympy.Mul(*(laws[a].moment(index.count(a)) for a in set(index)))


def _tensor_changes(laws: tuple[Distribution, ...], group: Group, n: int) -> list[list[Expr]]:
    """Return the change of the n-th moment tensor of the rows under each generator, its independent components."""
    indices = list(combinations_with_replacement(range(group.size), n))
    found = []
    for t in group.generators:
        nonzero = {a: [(b, t[a, b]) for b in range(group.size) if t[a, b] != 0] for a in range(group.size)}
        found.append(
            [
                sympy.expand(
                    sum(
                        (
                            v * _moment(laws, tuple(sorted((*i[:k], b, *i[k + 1 :]))))
                            for k in range(n)
                            for b, v in nonzero[i[k]]
                        ),
                        sympy.S.Zero,
                    )
                )
                for i in indices
            ]
        )
    return found


def _stabiliser(net: Architecture, group: Group) -> tuple[Any, ...]:
    """Return combinations of the generators under which no moment of the rows changes that neurons let through."""
    if not group.generators:
        return ()
    if isinstance(net.readout, Gaussian) and all(_is_antisymmetric(t) for t in group.generators):
        # rotations do not change the covariance of Gaussian rows: what remains is what leaves their mean alone
        mean = sympy.Matrix([net.readout_of(a).moment(1) for a in range(group.size)])
        return _combinations(group, sympy.Matrix.hstack(*(sympy.Matrix(t) * mean for t in group.generators)))
    x = sample_point(net.input_dim, 0)
    orders = [
        n for n in range(1, HIGHEST + 1) if sympy.N(with_numbers(net).feature.expected_product([x] * n), DIGITS) != 0
    ]
    laws = tuple(net.readout_of(a) for a in range(net.output_dim))
    changes = [_tensor_changes(laws, group, n) for n in orders]
    rows = [[e for table in changes for e in table[g]] for g in range(len(group.generators))]
    columns = [c for c in zip(*rows, strict=True) if any(e != 0 for e in c)]
    return _combinations(group, sympy.Matrix(columns or [(0,) * len(rows)]))


def _combinations(group: Group, table: Any) -> tuple[Any, ...]:
    """Return the combinations of the generators with coefficients in the null space of a matrix."""
    zero = sympy.zeros(group.size)
    return tuple(
        sympy.ImmutableMatrix(sum((c * sympy.Matrix(t) for c, t in zip(v, group.generators, strict=True)), zero))
        for v in table.nullspace()
    )
