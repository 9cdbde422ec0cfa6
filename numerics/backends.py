"""The array backends that a calculation can be asked to run on, and whether they can."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

#: numpy is the reference, numba compiles for the CPU, cupy for an NVIDIA GPU.
BACKENDS = ("numpy", "numba", "cupy")

_INSTALL_CUPY = 'pip install "nnft[cuda13]" (or "nnft[cuda12]" for a CUDA 12 driver)'


def usable_gpu() -> bool:
    """Return whether cupy is installed and a CUDA device answers. Never raises and emits no warnings.

    The device is asked, since cupy imports without one. No memory is allocated.

    Returns
    -------
    bool

    Examples
    --------
    >>> usable_gpu() in (True, False)
    True
    """
    return _gpu_problem() is None


def require_backend(name: str) -> str:
    """Return ``name`` if it is a backend that can run here.

    Parameters
    ----------
    name : str
        One of :data:`BACKENDS`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no backend of that name.
    ImportError
        If cupy is asked for and is not installed.
    RuntimeError
        If cupy is asked for and finds no usable GPU.

    Examples
    --------
    >>> require_backend("numpy")
    'numpy'
    """
    if name not in BACKENDS:
        raise ValueError(f"no backend {name!r}; choose one of {', '.join(map(repr, BACKENDS))}")
    if name == "cupy" and (problem := _gpu_problem()) is not None:
        if isinstance(problem, ImportError):
            raise ImportError(f"backend 'cupy' needs cupy, which is not installed: {_INSTALL_CUPY}") from problem
        raise RuntimeError(
            f"backend 'cupy' found no usable GPU ({problem}); check that `nvidia-smi` lists a device and that its "
            "driver is new enough for the installed cupy, or use backend='numba'"
        ) from problem
    return name


def array_module(backend: str) -> Any:
    """Return the module whose arrays the backend computes on: cupy for ``"cupy"``, else numpy.

    Raises
    ------
    ValueError, ImportError, RuntimeError
        As :func:`require_backend`.

    Examples
    --------
    >>> array_module("numba").__name__
    'numpy'
    """
    if require_backend(backend) != "cupy":
        return np
    import cupy

    return cupy


def _gpu_problem() -> Exception | None:
    """Return what keeps a GPU from being used, or None; an ImportError if cupy itself is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import cupy
        except ModuleNotFoundError as error:
            return error
        except Exception as error:  # a broken installation: libraries missing or of the wrong version
            return RuntimeError(f"cupy does not import: {error}")
        try:
            if cupy.cuda.runtime.getDeviceCount() < 1:
                return RuntimeError("no CUDA device")
            cupy.cuda.Device().compute_capability  # noqa: B018 (asks the current device)
        except Exception as error:  # cupy raises its own types, which differ between versions
            return error if not isinstance(error, ImportError) else RuntimeError(str(error))
    return None
