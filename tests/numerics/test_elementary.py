from __future__ import annotations

import math

import mpmath
import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from numerics import elementary

REFERENCE = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "root_log": lambda u: mpmath.sqrt(-mpmath.log(u)),
    "cos_turns": lambda t: mpmath.cospi(2 * t),
    "cos_quarter": lambda y: mpmath.cospi(y / 2),
    "sin_quarter": lambda y: mpmath.sinpi(y / 2),
    "cos_wave": lambda t: mpmath.cospi(2 * t),
    "sin_turns": lambda t: mpmath.sinpi(2 * t),
    "cos": mpmath.cos,
    "sin": mpmath.sin,
    "erf": mpmath.erf,
    "tanh": mpmath.tanh,
}
# the bounds that the module's docstring states, in units of the last place
BOUNDS = {
    "exp": {"float64": 1.0, "float32": 1.4},
    "log": {"float64": 0.8, "float32": 0.8},
    "root_log": {"float64": 1.5, "float32": 1.6},
    "cos_turns": {"float64": 2.4, "float32": 3.2},
    "sin_turns": {"float64": 2.0, "float32": 2.6},
    "cos_quarter": {"float64": 1.7, "float32": 1.6},
    "sin_quarter": {"float64": 1.5, "float32": 1.6},
    "cos_wave": {"float64": 8e-16, "float32": 3.0e-7},
    "cos": {"float64": 2.2, "float32": 3.6},
    "sin": {"float64": 2.2, "float32": 3.6},
    "erf": {"float64": 3.6, "float32": 3.0},
    "tanh": {"float64": 2.8, "float32": 2.8},
}
ABSOLUTE = {"cos_wave"}
SIGNED_SCALES = (1e-30, 1e-8, 1e-3, 0.3, 1.0, 8.0, 100.0, 1e5)
CASES = [pytest.param(n, d, id=f"{n}-{d}") for n in elementary.FUNCTIONS for d in elementary.DTYPES]


def over(name: str, dtype: str, x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Apply the compiled function inside a loop, as generated kernels do."""
    function = elementary.function(name, dtype)

    @numba.njit(error_model="numpy", fastmath=set(elementary.FASTMATH))
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    out = np.empty_like(x)
    loop(x, out)
    return out


def sample(name: str, dtype: str) -> NDArray[np.floating]:
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    if name == "log":
        x = np.concatenate([np.exp(rng.uniform(np.log(info.tiny), np.log(info.max), 600)), rng.uniform(0.5, 2, 600)])
        return np.concatenate([x, info.tiny * rng.uniform(1e-5, 1, 50), [1.0, info.max, info.tiny]]).astype(dtype)
    if name == "exp":
        low, high = (-708.0, 709.7) if dtype == "float64" else (-86.9, 88.7)
        return np.concatenate([rng.uniform(low, high, 800), rng.uniform(-1, 1, 500), [low, high]]).astype(dtype)
    if name == "root_log":
        near_one = 1 - 2.0**-24 * rng.uniform(0, 9, 9)
        return np.concatenate([np.exp(rng.uniform(-40, 0, 800)), rng.uniform(0.3, 1, 800), near_one]).astype(dtype)
    if name in ("cos_quarter", "sin_quarter"):
        return rng.uniform(-0.5, 0.5, 1600).astype(dtype)
    return np.concatenate([rng.uniform(-s, s, 200) for s in SIGNED_SCALES]).astype(dtype)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_error_is_below_the_stated_bound(name, dtype):
    x = sample(name, dtype)
    values = over(name, dtype, x)
    with mpmath.workdps(40):
        exact = [REFERENCE[name](mpmath.mpf(float(v))) for v in x]
        rounded = np.array([float(e) for e in exact]).astype(dtype)
        ulp = np.ones_like(rounded) if name in ABSOLUTE else np.spacing(np.abs(rounded))
        errors = [abs(mpmath.mpf(float(v)) - e) / float(u) for v, e, u in zip(values, exact, ulp, strict=True)]
    worst = int(np.argmax(np.array([float(e) for e in errors])))
    assert errors[worst] <= BOUNDS[name][dtype], f"{float(errors[worst])} ulp at {x[worst]!r}"


INF, NAN = np.inf, np.nan
SPECIAL = {
    "exp": {INF: INF, -INF: 0, NAN: NAN, 0.0: 1, 1e4: INF, -1e4: 0},
    "log": {INF: INF, -INF: NAN, NAN: NAN, 0.0: -INF, -1.0: NAN, 1.0: 0},
    "root_log": {1.0: 0},
    "cos_turns": {INF: NAN, -INF: NAN, NAN: NAN, 0.0: 1, 0.25: 0, 0.5: -1, -3.0: 1},
    "cos_quarter": {0.0: 1},
    "sin_quarter": {0.0: 0},
    "cos_wave": {INF: NAN, -INF: NAN, NAN: NAN},
    "sin_turns": {INF: NAN, -INF: NAN, NAN: NAN, 0.0: 0, 0.25: 1, 0.5: 0, -0.25: -1, 7.0: 0},
    "cos": {INF: NAN, -INF: NAN, NAN: NAN, 0.0: 1, 2e9: NAN},
    "sin": {INF: NAN, -INF: NAN, NAN: NAN, 0.0: 0, 2e9: NAN},
    "erf": {INF: 1, -INF: -1, NAN: NAN, 0.0: 0, 1e30: 1, -1e30: -1},
    "tanh": {INF: 1, -INF: -1, NAN: NAN, 0.0: 0, 1e30: 1, -1e30: -1},
}


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_special_values(name, dtype):
    x = np.array(list(SPECIAL[name]), dtype)
    np.testing.assert_array_equal(over(name, dtype, x), np.array(list(SPECIAL[name].values()), dtype))


@pytest.mark.parametrize("dtype", elementary.DTYPES)
def test_exp_near_its_limits(dtype):
    info = np.finfo(dtype)
    largest = np.nextafter(np.log(info.max), info.dtype.type(0))
    x = np.array([largest, np.log(info.max) * 1.01, np.log(info.tiny) - 1], dtype)
    values = over("exp", dtype, x)
    assert np.isfinite(values[0])
    assert values[0] > 0.9 * info.max
    assert values[1] == np.inf
    assert values[2] == 0


@pytest.mark.parametrize("name", elementary.FUNCTIONS)
def test_float32_stays_float32(name):
    function = elementary.function(name, "float32")
    function(np.float32(0.5))
    assert function.nopython_signatures[0].return_type == numba.float32


def chebyshev_interpolation(function, low, high, degree):
    nodes = [mpmath.cos((k + mpmath.mpf(1) / 2) * mpmath.pi / (degree + 1)) for k in range(degree + 1)]
    points = [(low + high) / 2 + (high - low) / 2 * x for x in nodes]
    vandermonde = mpmath.matrix([[p**j for j in range(degree + 1)] for p in points])
    return list(mpmath.lu_solve(vandermonde, mpmath.matrix([function(p) for p in points])))


def test_coefficients_come_from_the_stated_interpolation():
    with mpmath.workdps(50):
        half = mpmath.log(2) / 2
        remainder = chebyshev_interpolation(lambda r: (mpmath.exp(r) - 1 - r) / r**2, -half, half, 9)
        sinc = chebyshev_interpolation(
            lambda s: mpmath.sin(2 * mpmath.pi * mpmath.sqrt(s)) / mpmath.sqrt(s), mpmath.mpf(0), mpmath.mpf(1) / 16, 8
        )
    assert tuple(map(float, sinc)) == elementary._COEFFICIENTS["float64"]["sin_turn"]
    assert tuple(map(float, remainder)) == elementary._COEFFICIENTS["float64"]["expm1"]


def is_vector_code(function, dtype: str) -> bool:
    @numba.njit(error_model="numpy", fastmath=set(elementary.FASTMATH))
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    loop(np.ones(64, dtype), np.empty(64, dtype))
    (llvm,) = loop.inspect_llvm().values()
    return f" x {'double' if dtype == 'float64' else 'float'}>" in llvm


@pytest.mark.parametrize("dtype", elementary.DTYPES)
def test_loops_are_vector_code(dtype):
    assert all(is_vector_code(elementary.function(name, dtype), dtype) for name in elementary.FUNCTIONS)
    assert not is_vector_code(numba.njit(lambda x: math.erf(x)), dtype)


def test_source_is_self_contained():
    for name in elementary.FUNCTIONS:
        namespace = {"np": np}
        exec(elementary.source(name, "float64"), namespace)
        assert callable(namespace[elementary.function_name(name, "float64")])


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no elementary function 'gamma'; there are exp, log"):
        elementary.source("gamma", "float64")
    with pytest.raises(ValueError, match="dtype 'float16'; there are float64, float32"):
        elementary.library(["exp"], "float16")
