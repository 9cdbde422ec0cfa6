"""What a result depends on, as text: the whole definition of an architecture, and versions."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from types import CodeType, FunctionType
from typing import Any

import sympy


@cache
def versions() -> str:
    """Return the versions that a result depends on."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("nnft", "numpy", "numba"))
    return f"{packages}, python {platform.python_version()}"


def definition_of(value: Any) -> str:
    """Return everything that defines an architecture; its printed name leaves out densities and what is nested.

    Parameters
    ----------
    value : Architecture, Mixture, ...
        Dataclasses are taken apart, whatever their own ``repr``, and so are objects that have none, which would print
        their place in memory, and functions.

    Examples
    --------
    >>> from diagrams import Uniform, cos_net, mixture
    >>> nets = [cos_net(readout=Uniform(-k, k)).at(N=3, sigma_w0=1) for k in (1, 2)]
    >>> str(nets[0]) == str(nets[1]), definition_of(nets[0]) == definition_of(nets[1])
    (True, False)
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f"{f.name}={definition_of(getattr(value, f.name))}" for f in dataclasses.fields(value)]
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(definition_of, value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{definition_of(k)}: {definition_of(v)}' for k, v in value.items())}}}"
    if isinstance(value, sympy.Basic):
        return sympy.srepr(value) if value.has(sympy.Float) else str(value)
    if isinstance(value, FunctionType):
        code, cells = value.__code__, [cell.cell_contents for cell in value.__closure__ or ()]
        constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
        around = [c.__qualname__ if isinstance(c, FunctionType) else c for c in cells]  # one may be the function itself
        inside = [code.co_code.hex(), code.co_names, constants, around, value.__defaults__]
        return f"{value.__module__}.{value.__qualname__}{definition_of(inside)}"
    if repr(value) == object.__repr__(value):
        return f"{type(value).__qualname__}({definition_of(getattr(value, '__dict__', {}))})"
    return repr(value)
