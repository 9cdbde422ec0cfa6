from __future__ import annotations

import builtins
import sys
import types
import warnings

import numpy as np
import pytest

from numerics import backends
from numerics.backends import BACKENDS, array_module, require_backend, usable_gpu


def fake_cupy(get_device_count):
    cupy = types.ModuleType("cupy")
    runtime = types.SimpleNamespace(getDeviceCount=get_device_count)
    device = types.SimpleNamespace(compute_capability="90")
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=lambda: device)
    return cupy


@pytest.fixture
def no_cupy(monkeypatch):
    def missing(name, *rest, real=builtins.__import__):
        if name.partition(".")[0] == "cupy":
            raise ModuleNotFoundError("No module named 'cupy'", name="cupy")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)


def test_names():
    assert BACKENDS == ("numpy", "numba", "cupy")


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_cpu_backends_are_always_there(name):
    assert require_backend(name) == name
    assert array_module(name) is np


@pytest.mark.parametrize("name", ["torch", "NumPy", ""])
def test_unknown_name_lists_the_allowed(name):
    with pytest.raises(ValueError, match=f"no backend '{name}'; choose one of 'numpy', 'numba', 'cupy'"):
        require_backend(name)


def test_missing_cupy_says_how_to_install_it(no_cupy):
    assert not usable_gpu()
    with pytest.raises(ImportError, match=r'pip install "nnft\[cuda13\]"'):
        require_backend("cupy")


def no_driver():
    raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")


@pytest.mark.parametrize("get_device_count", [no_driver, lambda: 0], ids=["no-driver", "no-device"])
def test_importable_cupy_without_a_device_is_not_usable(monkeypatch, get_device_count):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(get_device_count))
    assert not usable_gpu()
    with pytest.raises(RuntimeError, match=r"no usable GPU .*nvidia-smi.*backend='numba'"):
        array_module("cupy")


def test_device_that_answers_is_usable(monkeypatch):
    cupy = fake_cupy(lambda: 1)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    assert usable_gpu()
    assert array_module("cupy") is cupy


def test_probe_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usable_gpu() in (True, False)


def test_broken_installation_is_told_apart_from_a_missing_one(monkeypatch):
    def broken(name, *rest, real=builtins.__import__):
        if name == "cupy":
            raise ImportError("libnvrtc.so.13: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    assert "libnvrtc" in str(backends._gpu_problem())
    with pytest.raises(RuntimeError, match="libnvrtc"):
        require_backend("cupy")
