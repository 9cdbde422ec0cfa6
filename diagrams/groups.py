r"""Groups that act linearly on outputs or inputs of networks, by their real generators.

Complex representations act on real and imaginary parts: ``Unitary(n)`` on the 2n real numbers
``(Re f_1 ... Re f_n, Im f_1 ... Im f_n)``, the compact ``Symplectic(n)`` on the 4n real numbers of n quaternions, each
a pair of complex numbers in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import sympy

Matrix = sympy.ImmutableMatrix


def _check(name: str, value: Any, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")


class Group(ABC):
    """A group of affine maps ``x -> R x + t`` of a real vector space."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Dimension of the space."""

    @property
    def generators(self) -> tuple[Any, ...]:
        """Real matrices whose exponentials are the elements R connected to one."""
        return ()

    @property
    def reflections(self) -> tuple[Any, ...]:
        """Matrices that generate what is not connected to one."""
        return ()

    @property
    def translations(self) -> tuple[Any, ...]:
        """Directions t."""
        return ()

    @property
    @abstractmethod
    def label(self) -> str:
        """Name of the group in mathematics, such as ``SO(3)``."""

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Orthogonal(Group):
    """O(n), or SO(n), of real n-vectors.

    Parameters
    ----------
    n : int
    special : bool
        True for SO(n).

    Examples
    --------
    >>> len(Orthogonal(5).generators), len(Orthogonal(5, special=True).reflections)
    (10, 0)
    """

    n: int
    special: bool = False

    def __post_init__(self) -> None:
        _check("n", self.n)

    @property
    def label(self) -> str:
        """Its name."""
        return f"{'S' if self.special else ''}O({self.n})"

    @property
    def size(self) -> int:
        """n."""
        return self.n

    @property
    def generators(self) -> tuple[Any, ...]:
        """Rotations of the planes (i, j)."""
        return tuple(_plane(self.n, i, j) for i, j in combinations(range(self.n), 2))

    @property
    def reflections(self) -> tuple[Any, ...]:
        """The reflection of the first component."""
        return () if self.special else (Matrix(sympy.diag(-1, *[1] * (self.n - 1))),)


@dataclass(frozen=True)
class Unitary(Group):
    """U(n), or SU(n), of complex n-vectors, on 2n real numbers.

    Parameters
    ----------
    n : int
    special : bool
        True for SU(n).

    Examples
    --------
    >>> Unitary(2).size, len(Unitary(2).generators), len(Unitary(2, special=True).generators)
    (4, 4, 3)
    """

    n: int
    special: bool = False

    def __post_init__(self) -> None:
        _check("n", self.n)

    @property
    def label(self) -> str:
        """Its name."""
        return f"{'S' if self.special else ''}U({self.n})"

    @property
    def size(self) -> int:
        """2n."""
        return 2 * self.n

    @property
    def generators(self) -> tuple[Any, ...]:
        """Antihermitian matrices X + iY as real ones."""
        pairs = list(combinations(range(self.n), 2))
        zero = sympy.zeros(self.n)
        found = [_complex(_plane(self.n, i, j), zero) for i, j in pairs]
        found += [_complex(zero, _symmetric(self.n, i, j)) for i, j in pairs]
        if self.special:
            diagonal = [_symmetric(self.n, i, i) - _symmetric(self.n, i + 1, i + 1) for i in range(self.n - 1)]
        else:
            diagonal = [_symmetric(self.n, i, i) for i in range(self.n)]
        return tuple(found + [_complex(zero, y) for y in diagonal])


@dataclass(frozen=True)
class Symplectic(Group):
    """The compact group Sp(n) of n quaternions, on 4n real numbers.

    Examples
    --------
    >>> Symplectic(1).size, len(Symplectic(1).generators), len(Symplectic(2).generators)
    (4, 3, 10)
    """

    n: int

    def __post_init__(self) -> None:
        _check("n", self.n)

    @property
    def label(self) -> str:
        """Its name."""
        return f"Sp({self.n})"

    @property
    def size(self) -> int:
        """4n."""
        return 4 * self.n

    @property
    def generators(self) -> tuple[Any, ...]:
        r"""Matrices ``[[A, B], [-conj(B), conj(A)]]`` with A antihermitian and B symmetric."""
        n, zero = self.n, sympy.zeros(self.n)
        pairs = list(combinations(range(n), 2))
        plain = [(_plane(n, i, j), zero) for i, j in pairs]
        plain += [(zero, _symmetric(n, i, j)) for i, j in combinations_with_replacement(range(n), 2)]
        found = [_complex(sympy.diag(x, x), sympy.diag(y, -y)) for x, y in plain]
        for i, j in combinations_with_replacement(range(n), 2):
            s = _symmetric(n, i, j)
            real = sympy.Matrix(sympy.BlockMatrix([[zero, s], [-s, zero]]))
            imaginary = sympy.Matrix(sympy.BlockMatrix([[zero, s], [s, zero]]))
            found += [_complex(real, sympy.zeros(2 * n)), _complex(sympy.zeros(2 * n), imaginary)]
        return tuple(found)


@dataclass(frozen=True)
class Permutation(Group):
    """All permutations of n components."""

    n: int

    def __post_init__(self) -> None:
        _check("n", self.n)

    @property
    def label(self) -> str:
        """Its name."""
        return f"S({self.n})"

    @property
    def size(self) -> int:
        """n."""
        return self.n

    @property
    def reflections(self) -> tuple[Any, ...]:
        """The exchanges of neighbours."""
        eye = sympy.eye(self.n)
        return tuple(Matrix(eye.elementary_row_op("n<->m", row1=i, row2=i + 1)) for i in range(self.n - 1))


@dataclass(frozen=True)
class Translation(Group):
    """Translations of d-dimensional space."""

    d: int

    def __post_init__(self) -> None:
        _check("d", self.d)

    @property
    def label(self) -> str:
        """Its name."""
        return f"T({self.d})"

    @property
    def size(self) -> int:
        """d."""
        return self.d

    @property
    def translations(self) -> tuple[Any, ...]:
        """The unit vectors."""
        return tuple(Matrix(sympy.eye(self.d)[:, i]) for i in range(self.d))


@dataclass(frozen=True)
class Euclidean(Group):
    """Rotations, reflections and translations of d-dimensional space.

    Examples
    --------
    >>> group = Euclidean(2)
    >>> len(group.generators), len(group.reflections), len(group.translations)
    (1, 1, 2)
    """

    d: int

    def __post_init__(self) -> None:
        _check("d", self.d)

    @property
    def label(self) -> str:
        """Its name."""
        return f"E({self.d})"

    @property
    def size(self) -> int:
        """d."""
        return self.d

    @property
    def generators(self) -> tuple[Any, ...]:
        """Those of the rotations."""
        return Orthogonal(self.d).generators

    @property
    def reflections(self) -> tuple[Any, ...]:
        """The reflection of the first coordinate."""
        return Orthogonal(self.d).reflections

    @property
    def translations(self) -> tuple[Any, ...]:
        """The unit vectors."""
        return Translation(self.d).translations


@dataclass(frozen=True)
class MatrixGroup(Group):
    """The group of affine maps with given generators, of elements connected to one, discrete elements, and shifts.

    Parameters
    ----------
    matrices : sequence of square real matrices
        Generators of the elements connected to one. Exact numbers; commutators must be combinations of them.
    name : str
    discrete : sequence of square real matrices
        Elements that are not connected to one, such as changes of sign.
    shifts : sequence of real vectors
        Directions of translations; the matrices must map them to combinations of themselves.

    Raises
    ------
    ValueError
        If the matrices are not square, of one size, real and independent, or do not close.

    Examples
    --------
    >>> MatrixGroup([[[0, 1], [-1, 0]]], name="SO(2)")
    SO(2)
    >>> signs = MatrixGroup([], name="signs", discrete=[[[-1, 0], [0, 1]], [[1, 0], [0, -1]]])
    >>> len(signs.reflections), signs.size
    (2, 2)
    """

    matrices: Any
    name: str = "G"
    discrete: Any = ()
    shifts: Any = ()

    def __post_init__(self) -> None:
        found, discrete = (tuple(Matrix(sympy.Matrix(m)) for m in part) for part in (self.matrices, self.discrete))
        shifts = tuple(Matrix(sympy.Matrix(t).reshape(len(sympy.Matrix(t)), 1)) for t in self.shifts)
        linear = (*found, *discrete)
        if not linear and not shifts:
            raise ValueError("a group needs at least one generator")
        size = (linear or shifts)[0].rows
        if any(m.shape != (size, size) for m in linear) or any(t.rows != size for t in shifts):
            shapes = [m.shape for m in (*linear, *shifts)]
            raise ValueError(f"generators must be square and of one size, shifts vectors of it; got shapes {shapes}")
        if any(entry.is_real is not True for m in (*linear, *shifts) for entry in m):
            raise ValueError("generators must have real numbers; write complex ones by real and imaginary parts")
        for name, value in (("matrices", found), ("discrete", discrete), ("shifts", shifts)):
            object.__setattr__(self, name, value)
        if singular := [i for i, r in enumerate(discrete) if r.det() == 0]:
            raise ValueError(f"element {singular[0]} of discrete has no inverse")
        self._check_closure()

    def _check_closure(self) -> None:
        found = self.matrices
        for name, part in (("generators", found), ("shifts", self.shifts)):
            if (rank := _rank(part)) < len(part):
                raise ValueError(f"{len(part)} {name} of which only {rank} are independent: leave the others out")
        for (i, a), (j, b) in combinations(enumerate(found), 2):
            if _rank([*found, a * b - b * a]) > len(found):
                raise ValueError(
                    f"the generators do not close: the commutator of numbers {i} and {j} is no combination of them; "
                    "add it to the generators"
                )
        for i, r in enumerate(self.discrete):
            if any(_rank([*found, r * a * r.inv()]) > len(found) for a in found):
                raise ValueError(f"the generators do not close: element {i} of discrete takes them to other ones")
        for m in (*found, *self.discrete):
            if any(_rank([*self.shifts, m * t]) > len(self.shifts) for t in self.shifts):
                raise ValueError("the shifts do not close: a generator takes them to directions that are not given")

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def size(self) -> int:
        """Rows of the generators."""
        return int((*self.matrices, *self.discrete, *self.shifts)[0].rows)

    @property
    def generators(self) -> tuple[Any, ...]:
        """Those given."""
        return tuple(self.matrices)

    @property
    def reflections(self) -> tuple[Any, ...]:
        """The discrete elements given."""
        return tuple(self.discrete)

    @property
    def translations(self) -> tuple[Any, ...]:
        """The shifts given."""
        return tuple(self.shifts)

    def __repr__(self) -> str:
        return self.name


def _rank(matrices: Sequence[Any]) -> int:
    return int(sympy.Matrix([list(m) for m in matrices]).rank()) if matrices else 0


def _plane(n: int, i: int, j: int) -> Any:
    return Matrix(n, n, lambda a, b: int((a, b) == (i, j)) - int((a, b) == (j, i)))


def _symmetric(n: int, i: int, j: int) -> Any:
    return Matrix(n, n, lambda a, b: int((a, b) in ((i, j), (j, i))))


def _complex(x: Any, y: Any) -> Any:
    """Return x + iy as a real matrix."""
    return Matrix(sympy.Matrix(sympy.BlockMatrix([[x, -y], [y, x]])))
