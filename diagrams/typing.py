"""Type aliases of the symbolic core (sympy itself carries no types)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Expr: TypeAlias = Any  # a sympy expression
Number: TypeAlias = Any  # int, float, Fraction or a sympy number
Point: TypeAlias = tuple[Expr, ...]  # coordinates
PointLike: TypeAlias = Expr | Number | Sequence[Expr | Number]
