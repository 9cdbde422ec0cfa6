r"""Invariant tensors of groups of outputs: what the index structure of an invariant n-point function is made of.

An invariant correlator :math:`G^{(n)}_{a_1 \ldots a_n}` is a combination of invariant tensors (arXiv:2106.00694,
section 3.1). By the first fundamental theorems (Weyl, *The Classical Groups*, chapter 2) they are products of invariant
two-forms over pairings of the indices: :math:`\delta_{ab}` for O; also the complex structure :math:`\omega_{ab}` for U,
three of them for Sp; with the totally antisymmetric tensor for SO, and the real and imaginary parts of the complex
determinant for SU. For permutations they are equalities of indices, one for each set partition. Two-forms are not typed
in: they are the solutions of :math:`T^T B + B T = 0` for the generators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy.combinatorics.permutations import Permutation as Order

from diagrams.cumulants import pairings, set_partitions
from diagrams.groups import Group, Orthogonal, Permutation, Unitary

Floats = NDArray[np.float64]

MOST_COMPONENTS = 1300  # of a tensor for which completeness is checked
_RANK = 1e-9


@dataclass(frozen=True, eq=False)
class InvariantTensors:
    """Invariant tensors of rank n, each with its name.

    Parameters
    ----------
    group : Group
    n : int
        Rank.
    names : tuple of str
        Such as ``"δ_12 δ_34"``, with indices counted from 1.
    tensors : array (n_tensors, size, ..., size)
    is_complete : bool or None
        Whether they span all invariant tensors, by the number of solutions of the invariance equations; None where the
        tensors have too many components to count.
    """

    group: Group
    n: int
    names: tuple[str, ...]
    tensors: Floats
    is_complete: bool | None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dimension(self) -> int:
        """Number of linearly independent ones; smaller than their number where indices have few values."""
        if not len(self):
            return 0
        flat = self.tensors.reshape(len(self), -1)
        return int(np.linalg.matrix_rank(flat, tol=_RANK * np.abs(flat).max()))

    def decompose(self, tensor: ArrayLike) -> tuple[dict[str, float], float]:
        """Return the coefficients of a tensor in the invariant ones, and what is left of it relative to its size.

        Where they are linearly dependent, the coefficients of least squares.

        Parameters
        ----------
        tensor : array_like (size, ..., size)

        Raises
        ------
        ValueError
            If the shape is another.

        Examples
        --------
        >>> from diagrams.groups import Orthogonal
        >>> delta = np.eye(3)
        >>> found = invariant_tensors(Orthogonal(3), 4)
        >>> coefficients, rest = found.decompose(2 * np.einsum("ij,kl->ikjl", delta, delta))
        >>> [name for name, c in coefficients.items() if abs(c) > 1e-12], round(coefficients["δ_13 δ_24"], 12)
        (['δ_13 δ_24'], 2.0)
        """
        given = np.asarray(tensor, dtype=np.float64)
        if given.shape != (self.group.size,) * self.n:
            raise ValueError(f"the tensor must have shape {(self.group.size,) * self.n}, got {given.shape}")
        size = float(np.linalg.norm(given))
        if not len(self):
            return {}, 1.0 if size else 0.0
        flat = self.tensors.reshape(len(self), -1).T
        found = np.linalg.lstsq(flat, given.ravel(), rcond=None)[0]
        rest = float(np.linalg.norm(given.ravel() - flat @ found))
        return dict(zip(self.names, found.tolist(), strict=True)), rest / size if size else 0.0

    def __str__(self) -> str:
        shown = ", ".join(self.names) if self.names else "none"
        complete = {True: "all of them", False: "not all of them", None: "completeness not checked"}[self.is_complete]
        return f"{self.group}, rank {self.n}: {shown} ({self.dimension} independent, {complete})"

    __repr__ = __str__


def invariant_tensors(group: Group, n: int) -> InvariantTensors:
    """Return the invariant tensors of rank n.

    Parameters
    ----------
    group : Group
        Without translations.
    n : int
        1 to 6.

    Raises
    ------
    TypeError, ValueError
        If the group is no such one, or the rank is out of range.

    Examples
    --------
    >>> from diagrams.groups import Orthogonal, Unitary
    >>> invariant_tensors(Orthogonal(3), 4)
    O(3), rank 4: δ_12 δ_34, δ_13 δ_24, δ_14 δ_23 (3 independent, all of them)
    >>> invariant_tensors(Unitary(1), 2)
    U(1), rank 2: δ_12, ω_12 (2 independent, all of them)
    """
    if not isinstance(group, Group):
        raise TypeError(f"the group must be one such as Orthogonal(3), got {group!r}")
    if group.translations:
        raise ValueError(f"{group} shifts what it acts on; invariant tensors are those of linear maps")
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 6:
        raise ValueError(f"the rank must be an integer from 1 to 6, got {n!r}")
    if isinstance(group, Permutation):
        pairs = _equalities(group.size, n)
    else:
        pairs = _paired(_two_forms(group), n, group.size) + _antisymmetric(group, n)
    names = tuple(name for name, _ in pairs)
    shape = (len(pairs), *(group.size,) * n)
    tensors = np.array([t for _, t in pairs]).reshape(shape)
    found = InvariantTensors(group, n, names, tensors, None)
    if group.size**n > MOST_COMPONENTS:
        return found
    return InvariantTensors(group, n, names, tensors, found.dimension == _count(group, n))


def _two_forms(group: Group) -> list[tuple[str, Floats]]:
    """Return delta and the other invariant matrices, exactly."""
    d, equations = group.size, []
    for t in group.generators:
        equations.append(sympy.kronecker_product(t.T, sympy.eye(d)) + sympy.kronecker_product(sympy.eye(d), t.T))
    for r in group.reflections:
        equations.append(sympy.kronecker_product(r.T, r.T) - sympy.eye(d * d))
    solutions = sympy.Matrix.vstack(*equations).nullspace() if equations else []
    if not equations:
        return [("δ", np.eye(d))]
    found, kept = [("δ", np.eye(d))], [sympy.eye(d).reshape(d * d, 1)]
    others = []
    for s in solutions:
        if sympy.Matrix.hstack(*kept, s).rank() > len(kept):
            kept.append(s)
            others.append(np.array(s.tolist(), dtype=np.float64).reshape(d, d))
    names = ["ω"] if len(others) == 1 else [f"ω{chr(0x2080 + k)}" for k in range(1, len(others) + 1)]
    for name, b in zip(names, others, strict=True):
        found.append((name, b - np.trace(b) / d * np.eye(d)))
    return found


def _paired(forms: Sequence[tuple[str, Floats]], n: int, size: int) -> list[tuple[str, Floats]]:
    """Return products of two-forms over pairings of n indices."""
    if n % 2:
        return []
    if n == 0:
        return [("", np.ones(()))]
    found = []
    for pairing in pairings(range(n)):
        for chosen in product(forms, repeat=n // 2):
            name = " ".join(f"{label}_{a + 1}{b + 1}" for (label, _), (a, b) in zip(chosen, pairing, strict=True))
            operands: list[Any] = []
            for (_, form), pair in zip(chosen, pairing, strict=True):
                operands += [form, list(pair)]
            found.append((name, np.einsum(*operands, list(range(n)))))
    return found


def _antisymmetric(group: Group, n: int) -> list[tuple[str, Floats]]:
    """Return epsilon of SO, and the complex determinant of SU, with two-forms of the remaining indices."""
    found: list[tuple[str, Floats]] = []
    if isinstance(group, Orthogonal) and group.special and group.size > 2:
        blocks = [("ε", _epsilon(group.size))]
        rank = group.size
    elif isinstance(group, Unitary) and group.special and group.n > 2:
        rank, value = group.n, _complex_determinant(group.n)
        blocks = [("Re det", value.real), ("Im det", value.imag)]
    else:
        return found
    if n < rank or (n - rank) % 2:
        return found
    others = _two_forms(group)
    for chosen in combinations(range(n), rank):
        rest = [i for i in range(n) if i not in chosen]
        for label, block in blocks:
            head = f"{label}_{''.join(str(i + 1) for i in chosen)}"
            for name, tail in _paired(others, len(rest), group.size):
                operands: list[Any] = [block, list(chosen), tail, rest]
                moved = np.einsum(*operands, list(range(n)))
                found.append((f"{head} {_renamed(name, rest)}".strip(), moved))
    return found


def _renamed(name: str, places: Sequence[int]) -> str:
    """Return a name with indices 1, 2, ... replaced by those of the places."""
    return "".join(str(places[int(c) - 1] + 1) if c.isascii() and c.isdigit() else c for c in name)


def _epsilon(size: int) -> Floats:
    tensor = np.zeros((size,) * size)
    for p in permutations(range(size)):
        tensor[p] = Order(list(p)).signature()
    return tensor


def _complex_determinant(n: int) -> NDArray[np.complex128]:
    """Return det(z_1, ..., z_n) of complex vectors z = x + i y as a tensor in the 2n real components (x, y)."""
    to_complex = np.hstack([np.eye(n), 1j * np.eye(n)])
    tensor: NDArray[np.complex128] = _epsilon(n).astype(complex)
    for axis in range(n):
        tensor = np.moveaxis(np.tensordot(to_complex.T, tensor, axes=(1, axis)), 0, axis)
    return tensor


def _equalities(size: int, n: int) -> list[tuple[str, Floats]]:
    """Return for each set partition the tensor that is one where indices of a block are equal."""
    index = np.indices((size,) * n)
    found = []
    for partition in set_partitions(range(n)):
        equal = np.ones((size,) * n, dtype=bool)
        for block in partition:
            for i in block[1:]:
                equal &= index[block[0]] == index[i]
        parts = [f"δ_{''.join(str(i + 1) for i in block)}" for block in partition if len(block) > 1]
        found.append((" ".join(parts) or "1", equal.astype(float)))
    return found


def _count(group: Group, n: int) -> int:
    """Return the number of independent tensors that all generators annihilate and reflections leave as they are."""
    size, square = group.size**n, np.zeros((group.size**n, group.size**n))
    for t in group.generators:
        matrix, change = np.array(t.tolist(), dtype=np.float64), np.zeros((size, size))
        for k in range(n):
            change += np.kron(np.kron(np.eye(group.size**k), matrix), np.eye(group.size ** (n - k - 1)))
        square += change.T @ change
    for r in group.reflections:
        matrix = np.array(r.tolist(), dtype=np.float64)
        total: Any = matrix
        for _ in range(n - 1):
            total = np.kron(total, matrix)
        square += (total - np.eye(size)).T @ (total - np.eye(size))
    values = np.linalg.eigvalsh(square)
    return int((values < _RANK * max(1.0, values[-1])).sum())
