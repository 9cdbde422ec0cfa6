"""Generated source by what it was generated from: an expression is arranged into statements once, by one process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import sympy

from diagrams.typing import Expr
from numerics._codegen import cache_directory, write_atomically

# what the text of the generated source depends on
_GENERATORS = ("_arrangement.py", "_codegen.py", "_printer.py", "_sources.py", "elementary.py")


def structural_digest(expression: Expr, known: dict[Expr, bytes] | None = None) -> bytes:
    """Return a hash of an expression that is the same in every process; equal parts are hashed once.

    Sums and products are hashed without regard to the order of their arguments.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> structural_digest(x + y * x) == structural_digest(y * x + x)
    True
    >>> structural_digest(x) == structural_digest(sympy.Symbol("x"))  # other assumptions
    False
    """
    memo: dict[Expr, bytes] = {} if known is None else known
    if (found := memo.get(expression)) is not None:
        return found
    if not expression.args:
        content = [sympy.srepr(expression).encode()]
    else:
        content = [structural_digest(a, memo) for a in expression.args]
        if expression.is_Add or expression.is_Mul:
            content.sort()
    head = f"{type(expression).__module__}.{type(expression).__name__}".encode()
    memo[expression] = digest = hashlib.sha256(b"\0".join([head, *content])).digest()
    return digest


def cached_source(
    kind: tuple[str, ...],
    expressions: Sequence[Expr],
    symbols: Sequence[Expr],
    generate: Callable[[], str],
) -> str:
    """Return generated source, from the cache directory if the same was generated before.

    Parameters
    ----------
    kind : tuple of str
        Language and type.
    expressions, symbols : sequences
        What is generated from.
    generate : callable
        Called if there is none yet, or the file cannot be read.
    """
    memo: dict[Expr, bytes] = {}
    parts = [*(k.encode() for k in kind), b"expressions", *(structural_digest(e, memo) for e in expressions)]
    parts += [b"symbols", *(structural_digest(s, memo) for s in symbols), _generators()]
    key = hashlib.sha256(b"\1".join(parts)).hexdigest()[:32]
    path = cache_directory() / f"nnft_source_{key}.txt"
    try:
        head, _, text = path.read_text(encoding="utf-8").partition("\n")
        if head == hashlib.sha256(text.encode()).hexdigest():
            return text
    except (OSError, UnicodeDecodeError):
        pass
    text = generate()
    write_atomically(path, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
    return text


@cache
def _generators() -> bytes:
    """Return a hash of the files that generate source, and of sympy's version, so that edits are noticed."""
    here = Path(__file__).parent
    texts = [(here / name).read_bytes() for name in _GENERATORS]
    return hashlib.sha256(b"\2".join([version("sympy").encode(), *texts])).digest()
