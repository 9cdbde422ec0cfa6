from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numba
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from diagrams.architectures import cos_net
from diagrams.series import Series
from diagrams.symbols import symbol
from numerics.lower import Kernel, cuda_source, lower

X, Y = symbol("x_1"), symbol("x_2")
NET = cos_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
FOUR_POINT = NET.connected_correlators(max_points=4)[4]
LINE = np.linspace(-1, 1, 6)[:, None]
EPSILON = {"float64": 2.0**-53, "float32": 2.0**-24}
CPU = ["numpy", "numba"]


def on_grid(kernel: Kernel) -> np.ndarray:
    return kernel(LINE[:, None, None, None], LINE[:, None, None], LINE[:, None], LINE)


@pytest.mark.parametrize("backend", CPU)
def test_correlator_of_points(backend):
    values = on_grid(lower(FOUR_POINT, backend=backend))
    assert values.shape == (6, 6, 6, 6)
    assert values.dtype == np.float64
    exact = FOUR_POINT(*(sympy.Rational(v) for v in ("-1", "-3/5", "1/5", "1")))
    assert values[0, 1, 3, 5] == pytest.approx(float(exact), rel=1e-14)
    np.testing.assert_allclose(values, values.transpose(3, 1, 0, 2), atol=1e-17)


def test_points_of_two_coordinates():
    correlator = cos_net(input_dim=2).at(N=20, sigma_w0=1, sigma_w1=1).connected_correlators(max_points=2)[2]
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    values = lower(correlator)(x[:, None], x)
    np.testing.assert_allclose(values, np.exp(-((x[:, None] - x) ** 2).sum(-1) / 4) / 2, rtol=1e-14)


FUNCTIONS = {
    "arithmetic": (X - Y / 3) ** 7 / (1 + Y**2) ** 3 - sympy.Rational(2, 7) * sympy.pi,
    "roots": sympy.sqrt(1 + X**2) + (2 + X**2) ** sympy.Rational(-3, 2) + (3 + Y) ** sympy.Rational(1, 3),
    "exp-log": sympy.exp(-(X**2)) * sympy.log(3 + Y) + sympy.exp(X) ** 2,
    "periodic": sympy.cos(X) * sympy.sin(3 * Y) + sympy.tan(X / 2),
    "inverse": sympy.asin(X / 3) + sympy.acos(Y / 3) + sympy.atan(X) + sympy.atan2(X, Y),
    "hyperbolic": sympy.tanh(X) + sympy.sinh(Y) * sympy.cosh(X),
    "error": sympy.erf(X) * sympy.erfc(Y),
    "kinks": sympy.Abs(X) + sympy.Max(X, Y, 0) * sympy.Min(X, Y, 1) + sympy.sign(X) + sympy.Heaviside(Y),
    "pieces": sympy.Piecewise((X, (X > 0) & (Y < 1)), (Y**2, sympy.Or(X > Y, Y >= 1)), (-1, True)),
    "negated": sympy.Piecewise((X, sympy.Not(sympy.And(X > Y, Y > 0))), (Y, True)) + sympy.exp(-X),
    "constant": sympy.sqrt(2) * sympy.exp(-sympy.Rational(1, 3)),
}


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_against_mpmath(name, dtype, backend):
    points = np.random.default_rng(1).uniform(-2, 2, (2, 60)).astype(dtype)
    values = lower(FUNCTIONS[name], arguments=[X, Y], backend=backend, dtype=dtype)(*points)
    assert values.dtype == dtype
    exact = sympy.lambdify([X, Y], FUNCTIONS[name], "mpmath")
    with mpmath.workdps(30):
        expected = [float(exact(mpmath.mpf(float(x)), mpmath.mpf(float(y)))) for x, y in points.T]
    scale = np.maximum(1, np.abs(expected))
    # a few dozen operations of condition of order one each
    assert np.max(np.abs(values - expected) / scale) < 200 * EPSILON[dtype]


LEAVES = st.one_of(
    st.sampled_from([X, Y, sympy.pi, sympy.sqrt(2)]),
    st.builds(sympy.Rational, st.integers(-9, 9), st.integers(1, 9)),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(sympy.Add, inner, inner),
        st.builds(sympy.Mul, inner, inner),
        st.builds(lambda e, n: e**n, inner, st.integers(2, 3)),
        st.builds(lambda e: 1 / (1 + e**2), inner),
        st.builds(lambda e: sympy.sqrt(1 + e**2), inner),
        st.builds(lambda e: sympy.exp(-(e**2)), inner),
        st.builds(sympy.cos, inner),
        st.builds(sympy.tanh, inner),
        st.builds(sympy.erf, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(EXPRESSIONS, st.floats(-1, 1), st.floats(-1, 1))
def test_random_expressions_against_mpmath(expression, x, y):
    """The error is below 64 roundings at every node of the expression, carried to the result by the derivatives."""
    value = float(lower(expression, arguments=[X, Y], backend="numpy")(x, y))
    exact = sympy.lambdify([X, Y], expression, "mpmath")
    with mpmath.workdps(60):
        expected = exact(mpmath.mpf(x), mpmath.mpf(y))
    bound = 64 * EPSILON["float64"] * condition(expression, x, y)
    assert abs(value - float(expected)) <= bound


def condition(expression: sympy.Expr, x: float, y: float) -> float:
    """Return the sum over all nodes of |node| times |d(root)/d(node)|: what relative errors at nodes add up to."""
    order = dict.fromkeys(node for node in sympy.postorder_traversal(expression) if node.args)
    total, adjoint = 0.0, {expression: 1.0}
    for node in reversed(order):
        weight = adjoint.get(node, 0.0)
        total += abs(weight * float(node.evalf(20, {X: x, Y: y})))
        marks = {sympy.Dummy(): child for child in node.args if not child.is_number}
        rebuilt = node.func(*marks, *(c for c in node.args if c.is_number))  # a power has its exponent last
        values = {mark: child.evalf(20, {X: x, Y: y}) for mark, child in marks.items()}
        for mark, child in marks.items():
            slope = abs(float(rebuilt.diff(mark).evalf(20, values)))
            adjoint[child] = adjoint.get(child, 0.0) + abs(weight) * slope
    leaves = sum(abs(adjoint.get(s, 0.0) * v) for s, v in ((X, x), (Y, y)))
    return total + leaves + abs(float(expression.evalf(20, {X: x, Y: y}))) + 1e-290


def test_backends_agree():
    compiled, reference = (on_grid(lower(FOUR_POINT, backend=b)) for b in ("numba", "numpy"))
    np.testing.assert_allclose(compiled, reference, rtol=1e-13, atol=1e-18)


def test_float32_is_close_and_labelled():
    kernel = lower(FOUR_POINT, dtype="float32")
    values = on_grid(kernel)
    assert values.dtype == np.float32
    assert "float32" in repr(kernel)
    np.testing.assert_allclose(values, on_grid(lower(FOUR_POINT)), rtol=0, atol=1e-8)


@pytest.mark.parametrize("backend", CPU)
def test_list_gives_a_tuple_with_shared_subexpressions(backend):
    shared = sympy.exp(-((X - Y) ** 2) / 2)
    kernel = lower([shared, shared**2 + X, sympy.Integer(3)], arguments=[X, Y], backend=backend)
    first, second, third = kernel(np.array([0.0, 1.0]), np.array([[0.5], [2.0], [3.0]]))
    assert first.shape == second.shape == third.shape == (3, 2)
    np.testing.assert_allclose(second, first**2 + [0, 1], rtol=1e-15)
    assert (third == 3).all()
    assert kernel.source.count("exp_f64(" if backend == "numba" else "np.exp(") <= 3


def test_one_element_list_gives_a_tuple():
    (value,) = lower([X], arguments=[X], backend="numpy")(2)
    assert value == 2


def test_series_is_summed():
    N = symbol("N")
    series = Series((1 / N,), (((0,), X), ((1,), X**2)), remainder=(2,))
    assert lower(series, arguments=[X, N], backend="numpy")(3.0, 10.0) == pytest.approx(3.9)


@pytest.mark.parametrize("backend", CPU)
def test_scalars_give_zero_dimensional_arrays(backend):
    value = lower(X + 1, arguments=[X], backend=backend)(1)
    assert isinstance(value, np.ndarray)
    assert value.shape == ()
    assert lower(sympy.Rational(1, 3), backend=backend)() == 1 / 3


@pytest.mark.parametrize("backend", CPU)
def test_no_points_no_values(backend):
    assert lower(X + Y, arguments=[X, Y], backend=backend)(np.empty((0, 3)), 1.0).shape == (0, 3)


@pytest.mark.parametrize("layout", ["strided", "transposed", "read-only", "integer", "big-endian", "list"])
def test_any_array_layout(layout):
    base = np.arange(12.0).reshape(3, 4)
    array = {
        "strided": np.repeat(base, 2, axis=1)[:, ::2],
        "transposed": np.ascontiguousarray(base.T).T,
        "read-only": np.broadcast_to(base, (3, 4)),
        "integer": base.astype(np.int16),
        "big-endian": base.astype(">f8"),
        "list": base.tolist(),
    }[layout]
    np.testing.assert_array_equal(lower(2 * X, arguments=[X])(array), 2 * base)


def test_large_broadcast_is_cut_into_slabs(monkeypatch):
    monkeypatch.setattr(sys.modules["numerics.lower"], "_SLAB", 100)
    kernel = lower(X - 2 * Y, arguments=[X, Y])
    x, y = np.arange(35.0)[:, None, None], np.arange(77.0).reshape(7, 11)
    np.testing.assert_array_equal(kernel(x, y), x - 2 * y)
    np.testing.assert_array_equal(kernel(np.arange(1234.0), 1.0), np.arange(1234.0) - 2)


def test_result_does_not_depend_on_threads_or_place():
    kernel = lower(FOUR_POINT)
    x = np.random.default_rng(3).uniform(-2, 2, (4, 50_000, 1))
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        serial = kernel(*x)
    finally:
        numba.set_num_threads(threads)
    tasks = 7
    pieces = [kernel(*x[:, i : i + 777]) for i in range(0, 7770, 777)]
    with ThreadPoolExecutor(tasks) as pool:
        concurrent = list(pool.map(lambda _: kernel(*x), range(tasks)))
    assert all(np.array_equal(serial, other) for other in [kernel(*x), *concurrent])
    np.testing.assert_array_equal(np.concatenate(pieces), serial[:7770])


def test_many_inputs_and_outputs():
    symbols = [symbol(f"x_{i}") for i in range(40)]
    outputs = [symbols[i] * symbols[i - 1] + i for i in range(20)]
    values = np.random.default_rng(2).uniform(-1, 1, (40, 300))
    for i, result in enumerate(lower(outputs, arguments=symbols)(*values)):
        np.testing.assert_allclose(result, values[i] * values[i - 1] + i, rtol=1e-15)


def test_kernels_are_values():
    kernel = lower(FOUR_POINT)
    assert kernel == lower(FOUR_POINT)
    assert len({kernel, lower(FOUR_POINT), lower(FOUR_POINT, backend="numpy")}) == 2
    copy = pickle.loads(pickle.dumps(kernel))
    assert copy == kernel
    assert copy.source == kernel.source
    np.testing.assert_array_equal(on_grid(copy), on_grid(kernel))


def test_repr_and_source_are_readable():
    kernel = lower(FOUR_POINT)
    assert repr(kernel) == "Kernel((x_1,), (x_2,), (x_3,), (x_4,)) -> 1 result, backend='numba', dtype='float64'"
    assert "in_x_1 - in_x_2" in kernel.source
    compile(kernel.source, "source", "exec")


def test_names_that_are_words_of_the_languages():
    words = [symbol(n) for n in ("lambda", "x_{1,2}", "x_{1_2}", "double", "t0", "np")]
    values = np.arange(1.0, 7.0)
    for backend in CPU:
        assert lower(sympy.Mul(*words), arguments=words, backend=backend)(*values) == 720


def test_rationals_are_rounded_once():
    third = lower(X + sympy.Rational(1, 3), arguments=[X])
    assert third(0.0) == 1 / 3
    assert str(1 / 3) in third.source


BAD_CALLS = {
    "too-few": (lambda f: f(0.0), TypeError, r"takes 2 arrays, got 1"),
    "complex": (lambda f: f(1j, 0.0), TypeError, r"argument x_1: expected real numbers, got an array of dtype complex"),
    "text": (lambda f: f("a", 0.0), TypeError, r"got an array of dtype <U1"),
    "bool": (lambda f: f(True, 0.0), TypeError, r"dtype bool"),
    "ragged": (lambda f: f([[1.0], [1.0, 2.0]], 0.0), TypeError, r"argument x_1: not an array"),
    "nan": (
        lambda f: f(0.0, [[1, 2], [np.nan, np.inf]]),
        ValueError,
        r"argument x_2: the entry at index \(1, 0\) is nan",
    ),
    "infinite": (lambda f: f(-np.inf, 0.0), ValueError, r"index \(\) is -inf"),
    "shapes": (lambda f: f(np.ones(3), np.ones(4)), ValueError, r"do not broadcast .*x_1: \(3,\), x_2: \(4,\)"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_arrays_are_refused(name):
    call, error, text = BAD_CALLS[name]
    with pytest.raises(error, match=text):
        call(lower(X + Y, arguments=[X, Y], backend="numpy"))


@pytest.mark.parametrize("shape", [(), (6,), (6, 2)], ids=str)
def test_points_need_their_coordinates_last(shape):
    with pytest.raises(
        ValueError, match=r"point \(x_1\): got an array of shape .* \(\.\.\., 1\); use x\[\.\.\., None\]"
    ):
        lower(FOUR_POINT)(np.zeros(shape), LINE, LINE, LINE)


def test_overflow_to_float32_is_refused():
    with pytest.raises(ValueError, match="is inf in float32"):
        lower(X, arguments=[X], dtype="float32", backend="numpy")(1e300)
    with pytest.raises(ValueError, match="does not fit into float32"):
        lower(X * 10**50, arguments=[X], dtype="float32", backend="numpy")(1.0)


F = sympy.Function("F")
BAD_TARGETS = {
    "no-values": (cos_net().connected_correlators(max_points=2)[2], {}, ValueError, r"sigma_w0, sigma_w1: .*net\.at\("),
    "not-listed": (X + Y, {"arguments": [X]}, ValueError, r"no values for the symbol\(s\) x_2"),
    "other-assumptions": (sympy.Symbol("x_1"), {"arguments": [X]}, ValueError, "with other assumptions"),
    "unknown": (F(X) + sympy.gamma(X), {"arguments": [X]}, ValueError, r"cannot evaluate F, gamma numerically"),
    "integral": (sympy.Integral(F(X), X), {"arguments": [X]}, ValueError, "cannot evaluate F, Integral"),
    "complex": (sympy.I * X, {"arguments": [X]}, ValueError, "contains I; only finite real"),
    "infinite": (X + sympy.zoo, {"arguments": [X]}, ValueError, "contains zoo"),
    "complex-constant": (X * sympy.log(-2), {"arguments": [X]}, ValueError, "contains I|not a finite real"),
    "no-default": (sympy.Piecewise((X, X > 0)), {"arguments": [X]}, ValueError, r"add \(value, True\)"),
    "backend": (X, {"arguments": [X], "backend": "torch"}, ValueError, "choose one of 'numpy', 'numba', 'cupy'"),
    "dtype": (X, {"arguments": [X], "dtype": "float16"}, ValueError, "choose one of 'float64', 'float32'"),
    "twice": (X, {"arguments": [X, X]}, ValueError, "x_1 appears twice"),
    "not-a-symbol": (X, {"arguments": [X, X**2]}, ValueError, r"must be sympy symbols .* got x_1\*\*2"),
    "extra-arguments": (FOUR_POINT, {"arguments": [X]}, ValueError, "leave out arguments="),
    "empty": ([], {}, ValueError, "nothing to lower"),
    "type": ("x_1", {}, TypeError, "cannot lower str"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_bad_targets_are_refused(name):
    target, options, error, text = BAD_TARGETS[name]
    with pytest.raises(error, match=text):
        _ = lower(target, **options).source


def test_cuda_source_needs_no_gpu():
    assert cuda_source(FOUR_POINT).startswith('extern "C" __global__ void evaluate(const double* __restrict__ input_0')


def test_poles_are_infinite_without_warnings():
    values = [lower(1 / X, arguments=[X], backend=b)(np.array([0.0, 2.0])) for b in CPU]
    np.testing.assert_array_equal(values, [[np.inf, 0.5]] * 2)


def test_a_registered_function_is_what_it_stands_for():
    """On both processors and in CUDA; functions may stand for one another."""
    from numerics.lower import register_function

    outer, inner = sympy.Function("outer_of_mine"), sympy.Function("inner_of_mine")
    with pytest.raises(ValueError, match="register_function"):
        lower(outer(X), arguments=(X,))
    register_function(outer, lambda z: inner(z, 2) + 1)
    register_function(inner, lambda z, n: sympy.exp(-n * z**2))
    x = np.linspace(-1, 1, 5)
    for backend in CPU:
        kernel = lower(outer(X) * Y, arguments=(X, Y), backend=backend)
        np.testing.assert_allclose(kernel(x, 3.0), 3 * (np.exp(-2 * x**2) + 1), rtol=1e-14)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel))(x, 3.0), kernel(x, 3.0))
    assert "exp" in cuda_source(outer(X), arguments=(X,))
    with pytest.raises(TypeError, match="sympy function"):
        register_function("airyai", lambda z: z)
    with pytest.raises(TypeError, match="rewrite"):
        register_function(outer, 3)
