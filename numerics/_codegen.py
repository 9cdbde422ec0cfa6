"""Generated Python source as importable modules on disk, so that numba's compiled code outlives the process."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
import tempfile
import threading
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numba
import numpy

_PREFIX = "nnft_generated_"
_LOCK = threading.RLock()


def cache_directory() -> Path:
    """Return the directory of generated modules, made if need be.

    ``NNFT_CACHE_DIR`` if that is set, else ``nnft`` in the user's cache directory (``XDG_CACHE_HOME`` or ``~/.cache``,
    ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows). Where that cannot be written, a directory of this
    process alone, with a warning: everything works, but is compiled anew by each process.

    Returns
    -------
    pathlib.Path
    """
    wanted = Path(os.environ["NNFT_CACHE_DIR"]) if os.environ.get("NNFT_CACHE_DIR") else _user_cache() / "nnft"
    return wanted if _is_writable(wanted) else _private_directory(str(wanted))


def load_module(source: str, *, label: str) -> ModuleType:
    """Return the module with the given text, written to the cache directory once and imported from there.

    The file name holds a hash of the text and of the versions of Python, numpy, numba and llvmlite, so an edited
    text is another module and compiled code can never be stale. Within a process the same text gives the same module.
    Several processes may call this at once: files are put in place by an atomic rename.

    Parameters
    ----------
    source : str
        Python text. For compiled code that is kept on disk, its functions say ``cache=True``.
    label : str
        What the module is, for readers of file names and tracebacks; letters, digits and underscores.

    Returns
    -------
    module

    Raises
    ------
    ValueError
        If the label is not an identifier.

    Examples
    --------
    >>> load_module("def double(x):\\n    return 2 * x\\n", label="doc_double").double(21)
    42
    """
    if not label.isidentifier():
        raise ValueError(f"label must be an identifier (letters, digits, underscores), got {label!r}")
    name = f"{_PREFIX}{label}_{_digest(source)}"
    with _LOCK:
        if name in sys.modules:
            return sys.modules[name]
        path = cache_directory() / f"{name}.py"
        if not _holds(path, source):
            write_atomically(path, source)
        return _import(name, path)


def imported(module: ModuleType, *names: str) -> str:
    """Return the line with which a generated module imports names from another.

    The name of a generated module changes with its text, and so does this line: compiled code that contains functions
    of the other module is as fresh as its own text.

    Examples
    --------
    >>> module = load_module("def double(x):\\n    return 2 * x\\n", label="doc_double")
    >>> imported(module, "double").startswith("from nnft_generated_doc_double_")
    True
    """
    return f"from {module.__name__} import {', '.join(names)}\n"


def _digest(source: str) -> str:
    versions = (platform.python_version(), numpy.__version__, numba.__version__, version("llvmlite"))
    return hashlib.sha256("\n".join([*versions, source]).encode()).hexdigest()[:20]


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import generated source {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _holds(path: Path, source: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == source
    except (OSError, UnicodeDecodeError):
        return False


def write_atomically(path: Path, source: str) -> None:
    """Write a file and put it in place by a rename, so that no process sees a part of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(source)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


@cache
def _private_directory(wanted: str) -> Path:
    """Return a temporary directory of this process, removed when it ends; warn once for each unusable place."""
    warnings.warn(
        f"cannot write generated code to {wanted}: using a temporary directory, so kernels are compiled again by every "
        "process. Set NNFT_CACHE_DIR to a directory that you can write to.",
        RuntimeWarning,
        stacklevel=2,
    )
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="nnft-", ignore_cleanup_errors=True)
