"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def lazy_names(package: str, modules: Mapping[str, tuple[str, ...]]) -> None:
    """Give a package its public names without importing the modules that define them.

    A module may have the name of something it defines (``numerics.compare`` holds ``compare``): as an attribute of the
    package the name then always means what is defined, whichever of both is imported first.

    Parameters
    ----------
    package
        Name of the package, being imported.
    modules
        Module (without the package) to the names it defines.
    """
    home = {name: module for module, names in modules.items() for name in names}

    class LazyPackage(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name in home:
                value = getattr(import_module(f"{package}.{home[name]}"), name)
                setattr(self, name, value)
                return value
            if not name.startswith("_") and find_spec(f"{package}.{name}"):
                return import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")

        def __setattr__(self, name: str, value: object) -> None:
            # importing a module ends by setting it on its package
            if home.get(name) == name and isinstance(value, ModuleType):
                value = getattr(value, name)
            super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted({*vars(self), *home})

    sys.modules[package].__class__ = LazyPackage
