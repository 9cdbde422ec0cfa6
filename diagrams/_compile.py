"""Compilation of array code, kept on disk until the source of anything that it uses changes.

The cache of numba takes a function from the disk as long as the file that it stands in is the same, and does not see
edits of a function or a constant that comes from another file. :func:`compiled` makes those part of what has to be the
same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.core.types import unliteral


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers on its first call; it runs without the interpreter lock.

    The result is kept on disk (in ``NUMBA_CACHE_DIR`` if that is set) and made again when the file of the function, of
    a compiled function that it calls, or a constant that it uses has changed.

    Functions and constants of other files have to be imported by name (``from module import name``).
    """
    dispatcher = njit(cache=True, nogil=True)(function)
    index: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if isinstance(function, FunctionType) and hasattr(index, "_source_stamp"):  # else a numba that differs
        index._source_stamp = (index._source_stamp, _fingerprint(function))
    if isinstance(dispatcher, Dispatcher):
        resolve = dispatcher.get_call_template
        # numba would compile a function anew for every constant that compiled code passes to it
        dispatcher.get_call_template = lambda args, kws: resolve(*_without_constants(args, kws))
    return dispatcher


def _without_constants(args: Any, kws: Any) -> tuple[Any, dict[str, Any]]:
    """Return argument types with integers and truth values in place of particular ones."""
    return tuple(map(unliteral, args)), {name: unliteral(value) for name, value in dict(kws).items()}


def _fingerprint(function: FunctionType) -> str:
    """Return a hash of the constants and of the files of the compiled functions that a function uses."""
    digest = hashlib.sha256()
    seen: set[FunctionType] = set()
    todo = [function]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        digest.update(_content(current.__code__.co_filename))
        for name in sorted(set(_names(current.__code__))):
            value = current.__globals__.get(name)
            if isinstance(value, Dispatcher):
                todo.append(value.py_func)
            elif isinstance(value, bool | int | float | complex | str | tuple):
                digest.update(f"{name}={value!r};".encode())
    return digest.hexdigest()


def _names(code: CodeType) -> Iterator[str]:
    """Iterate over the global names in a function and in the functions defined in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@cache
def _content(filename: str) -> bytes:
    path = Path(filename)
    if not path.is_file():  # made in a notebook or read from an archive: numba looks after those by itself
        return b""
    return hashlib.sha256(path.read_bytes()).digest()
