"""Lowering: symbolic correlators, series and expressions become compiled functions of arrays."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any, TypeAlias

import numba
import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams.correlators import Correlator
from diagrams.series import Series
from diagrams.typing import Expr
from numerics._codegen import load_module
from numerics._printer import check_supported
from numerics._source_cache import cached_source
from numerics._sources import LANES, module_source
from numerics.backends import BACKENDS, array_module, require_backend
from numerics.elementary import DTYPES

Argument: TypeAlias = Any  # a sympy symbol, or a tuple of symbols: the coordinates of a point
Floats: TypeAlias = NDArray[np.floating[Any]]

_SLAB = 1 << 18  # points for which broadcast arguments are copied at a time
_NUMPY_CHUNK = 1 << 13  # points for which the numpy function keeps all its temporaries
_TASK = 32 * LANES  # fewest points worth handing to another thread


def lower(
    target: Any, *, backend: str = "numba", dtype: str = "float64", arguments: Sequence[Argument] | None = None
) -> Kernel:
    """Return a compiled function that evaluates a correlator, a series or expressions on arrays.

    Parameters
    ----------
    target : Correlator, Series, sympy.Expr, or a list or tuple of the last two
        What to evaluate. A list gives a function with a tuple of results; they share their common subexpressions.
        A Series is summed; its remainder is dropped.
    backend : {"numba", "numpy", "cupy"}
        One fused loop for the CPU, compiled at the first call and kept on disk; the same statements over numpy
        arrays, the reference; or one fused CUDA kernel, which takes numpy or cupy arrays and returns cupy arrays.
    dtype : {"float64", "float32"}
        Type in which everything is computed and returned.
    arguments : sequence, optional
        The symbols in the order of the arguments; a tuple of symbols is a point, whose array holds the coordinates
        in its last axis. Needed unless ``target`` is a Correlator, whose arguments are its ``n`` points with arrays
        of shape ``(..., input_dim)``, or has no symbols.

    Returns
    -------
    Kernel
        Call it with arrays that broadcast against each other.

    Raises
    ------
    ValueError
        For symbols without values, functions that cannot be evaluated, an unknown backend or dtype.
    TypeError
        For a target that is none of the above.
    ImportError, RuntimeError
        If ``backend="cupy"`` and cupy is missing or finds no GPU.

    Examples
    --------
    >>> import numpy as np
    >>> from diagrams.symbols import symbol
    >>> x, y = symbol("x_1"), symbol("x_2")
    >>> f = lower((x - y) ** 2 / 2, arguments=(x, y), backend="numpy")
    >>> f(np.arange(3.0), 1.0)
    array([0.5, 0. , 0.5])
    """
    require_backend(backend)
    return _kernel(target, backend, dtype, arguments)


def cuda_source(target: Any, *, dtype: str = "float64", arguments: Sequence[Argument] | None = None) -> str:
    """Return the CUDA C++ that ``lower(target, backend="cupy")`` would compile; needs neither cupy nor a GPU.

    Parameters
    ----------
    target, dtype, arguments
        As for :func:`lower`.

    Returns
    -------
    str
        Source of ``extern "C" __global__ void evaluate(inputs..., outputs..., long long n)``.

    Raises
    ------
    ValueError, TypeError
        As :func:`lower`.
    """
    return _kernel(target, "cupy", dtype, arguments).source


@dataclass(frozen=True)
class Kernel:
    """A compiled function of arrays; made by :func:`lower`.

    Kernels compare by value and can be pickled: the expressions travel as text and are compiled (or found in the
    cache of compiled code) where they arrive.

    Parameters
    ----------
    expressions : tuple of sympy.Expr
        One for each result.
    arguments : tuple
        A symbol, or a tuple of symbols (the coordinates of a point), for each argument.
    backend, dtype : str
        As for :func:`lower`.
    returns_tuple : bool
        Whether a call returns a tuple of results (the target was a list) or one array.
    """

    expressions: tuple[Expr, ...]
    arguments: tuple[Argument, ...]
    backend: str
    dtype: str
    returns_tuple: bool

    def __call__(self, *arrays: ArrayLike) -> Any:
        """Return the values at points given as arrays that broadcast against each other.

        Parameters
        ----------
        *arrays : array_like
            One real array for each argument; that of a point has shape ``(..., input_dim)``.

        Returns
        -------
        ndarray or tuple of ndarray
            Of the broadcast shape (without the axis of coordinates); zero-dimensional for scalar arguments. Where
            an expression has a pole the value is infinite or nan.

        Raises
        ------
        TypeError
            For a wrong number of arrays, or one that is not of real numbers.
        ValueError
            For points with a wrong last axis, shapes that do not broadcast, or infinite or nan entries (the text
            names the first).
        """
        xp = array_module(self.backend)
        if len(arrays) != len(self.arguments):
            raise TypeError(f"{self!r} takes {len(self.arguments)} arrays, got {len(arrays)}")
        columns: list[Any] = []
        for argument, array in zip(self.arguments, arrays, strict=True):
            columns += _columns(xp, argument, array, self.dtype)
        shape = _broadcast_shape(columns, self.arguments)
        outputs = tuple(xp.empty(shape, self.dtype) for _ in self.expressions)
        if math.prod(shape):
            self._fill([xp.broadcast_to(c, shape) for c in columns] or [xp.zeros(shape, self.dtype)], outputs)
        return outputs if self.returns_tuple else outputs[0]

    @cached_property
    def source(self) -> str:
        """The generated source: Python for numpy and numba, CUDA C++ for cupy."""
        language = "cuda" if self.backend == "cupy" else self.backend
        return cached_source(
            (language, self.dtype),
            self.expressions,
            self._symbols,
            lambda: module_source(language, self.dtype, self.expressions, self._symbols),
        )

    @property
    def _symbols(self) -> list[Expr]:
        return [s for a in self.arguments for s in (a if isinstance(a, tuple) else (a,))]

    @cached_property
    def _function(self) -> Any:
        if self.backend == "cupy":
            import cupy

            return cupy.RawKernel(self.source, "evaluate", options=("-std=c++17",))
        return load_module(self.source, label=f"lowered_{self.backend}_{self.dtype}").evaluate

    def _fill(self, inputs: list[Any], outputs: tuple[Any, ...]) -> None:
        if self.backend == "cupy":
            _launch(self._function, inputs, outputs)
            return
        run = _run_numba if self.backend == "numba" else _run_numpy
        for place in _slabs(outputs[0].shape):
            flat_in = tuple(np.require(a[place], requirements=["C", "A"]).reshape(-1) for a in inputs)
            run(self._function, flat_in, tuple(a[place].reshape(-1) for a in outputs))

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = tuple(
            tuple(map(sympy.srepr, a)) if isinstance(a, tuple) else sympy.srepr(a) for a in self.arguments
        )
        texts = tuple(map(sympy.srepr, self.expressions))
        return _restore, (texts, arguments, self.backend, self.dtype, self.returns_tuple)

    def __repr__(self) -> str:
        given = ", ".join(
            f"({', '.join(map(str, a))}{',' if len(a) == 1 else ''})" if isinstance(a, tuple) else str(a)
            for a in self.arguments
        )
        results = "1 result" if not self.returns_tuple else f"tuple of {len(self.expressions)} results"
        return f"Kernel({given}) -> {results}, backend={self.backend!r}, dtype={self.dtype!r}"


def _restore(
    texts: tuple[str, ...], arguments: tuple[Any, ...], backend: str, dtype: str, returns_tuple: bool
) -> Kernel:
    symbols = tuple(tuple(map(sympy.sympify, a)) if isinstance(a, tuple) else sympy.sympify(a) for a in arguments)
    return Kernel(tuple(map(sympy.sympify, texts)), symbols, backend, dtype, returns_tuple)


def _kernel(target: Any, backend: str, dtype: str, arguments: Sequence[Argument] | None) -> Kernel:
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; choose one of {', '.join(map(repr, BACKENDS))}")
    if dtype not in DTYPES:
        raise ValueError(f"cannot lower to dtype {dtype!r}; choose one of {', '.join(map(repr, DTYPES))}")
    if isinstance(target, Correlator):
        if arguments is not None:
            raise ValueError(f"a Correlator takes its {target.n} points as arguments; leave out arguments=")
        arguments = target.points
    returns_tuple = isinstance(target, (list, tuple))
    expressions = tuple(map(_expression, target if returns_tuple else [target]))
    if not expressions:
        raise ValueError("nothing to lower: the list of expressions is empty")
    checked = _check_arguments(arguments or ())
    check_supported(expressions)
    _check_symbols(expressions, checked)
    return Kernel(expressions, checked, backend, dtype, returns_tuple)


_REWRITES: dict[Any, Callable[..., Any]] = {}


def register_function(function: Any, rewrite: Callable[..., Any]) -> None:
    """Register what a function stands for, so that expressions with it can be lowered, on every backend.

    Parameters
    ----------
    function : subclass of sympy.Function, or an undefined function ``sympy.Function("g")``
    rewrite : callable
        Takes the arguments as sympy expressions and returns an expression of functions that can be lowered.

    Raises
    ------
    TypeError
        If the function is no sympy function, or ``rewrite`` cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> from diagrams.symbols import symbol
    >>> sech, x = sympy.Function("sech_of_mine"), symbol("x")
    >>> register_function(sech, lambda z: 1 / sympy.cosh(z))
    >>> lower(sech(x) ** 2, arguments=(x,), backend="numpy")(0.0)
    array(1.)
    """
    if not (isinstance(function, type) and issubclass(function, sympy.Function)):
        raise TypeError(f"the function must be a sympy function, such as sympy.airyai, got {function!r}")
    if not callable(rewrite):
        raise TypeError(f"rewrite must be a function of the arguments, got {rewrite!r}")
    _REWRITES[function] = rewrite


def _rewritten(expression: Expr) -> Expr:
    """Return an expression without registered functions, which may stand for one another."""
    for _ in range(len(_REWRITES)):
        used = [function for function in _REWRITES if expression.has(function)]
        if not used:
            break
        for function in used:
            expression = expression.replace(function, lambda *a, f=function: sympy.sympify(_REWRITES[f](*a)))
    return expression


def _expression(target: Any) -> Expr:
    return _rewritten(_plain_expression(target))


def _plain_expression(target: Any) -> Expr:
    if isinstance(target, Correlator):
        return target.expr
    if isinstance(target, Series):
        return target.as_expr()
    if isinstance(target, (sympy.Expr, int, float)) and not isinstance(target, bool):
        return sympy.sympify(target)
    raise TypeError(
        f"cannot lower {type(target).__name__}; give a Correlator, a Series, a sympy expression, or a list of "
        "series and expressions"
    )


def _check_arguments(arguments: Sequence[Argument]) -> tuple[Argument, ...]:
    checked = tuple(tuple(a) if isinstance(a, (tuple, list)) else a for a in arguments)
    flat = [s for a in checked for s in (a if isinstance(a, tuple) else (a,))]
    for s in flat:
        if not isinstance(s, sympy.Symbol):
            raise ValueError(f"arguments must be sympy symbols or tuples of them, got {s!r}")
        if flat.count(s) > 1:
            raise ValueError(f"the symbol {s} appears twice in arguments")
    return checked


def _check_symbols(expressions: tuple[Expr, ...], arguments: tuple[Argument, ...]) -> None:
    known = {s for a in arguments for s in (a if isinstance(a, tuple) else (a,))}
    free = set().union(*(e.free_symbols for e in expressions)) - known
    if not free:
        return
    names = sorted(s.name for s in free)
    values = ", ".join(f"{n}=..." for n in names if n.isidentifier())
    twins = sorted(s.name for s in free if s.name in {k.name for k in known})
    same = f" ({twins}: arguments has a symbol of that name with other assumptions)" if twins else ""
    raise ValueError(
        f"no values for the symbol(s) {', '.join(names)}{same}: list them in arguments=, or give them numbers first "
        f"(for an architecture net.at({values}), for an expression .subs(...))"
    )


def _columns(xp: Any, argument: Argument, values: ArrayLike, dtype: str) -> list[Any]:
    """Return one array of the dtype for each symbol of an argument."""
    is_point = isinstance(argument, tuple)
    what = f"point ({', '.join(map(str, argument))})" if is_point else f"argument {argument}"
    try:
        array = xp.asarray(values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what}: not an array of real numbers: {error}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{what}: expected real numbers, got an array of dtype {array.dtype}; pass integers or floats")
    if is_point and (array.ndim == 0 or array.shape[-1] != len(argument)):
        hint = "; use x[..., None] if these are points on a line" if len(argument) == 1 else ""
        raise ValueError(
            f"{what}: got an array of shape {array.shape}, but its last axis must hold the {len(argument)} "
            f"coordinate(s): (..., {len(argument)}){hint}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(dtype, copy=False)
    finite = xp.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.unravel_index(int(xp.argmin(finite)), array.shape))
        raise ValueError(f"{what}: the entry at index {index} is {array[index]} in {dtype}; all must be finite")
    return [array[..., k] for k in range(len(argument))] if is_point else [array]


def _broadcast_shape(columns: list[Any], arguments: tuple[Argument, ...]) -> tuple[int, ...]:
    shapes = [c.shape for c in columns]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        lengths = [len(a) if isinstance(a, tuple) else 1 for a in arguments]
        firsts = [shapes[sum(lengths[:k])] for k in range(len(arguments))]
        listed = ", ".join(f"{a}: {s}" for a, s in zip(arguments, firsts, strict=True))
        raise ValueError(
            f"the shapes of the arguments do not broadcast against each other: {listed} (for points, without the axis "
            "of coordinates); insert axes of length 1 where each should vary by itself"
        ) from None


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield index tuples that cut an array into contiguous pieces of about ``_SLAB`` entries."""
    axis = len(shape)
    while axis > 0 and math.prod(shape[axis - 1 :]) <= _SLAB:
        axis -= 1
    if axis == 0:
        yield (...,)
        return
    step = max(1, _SLAB // math.prod(shape[axis:]))
    for leading in product(*map(range, shape[: axis - 1])):
        for start in range(0, shape[axis - 1], step):
            yield (*leading, slice(start, start + step))


def _run_numpy(function: Any, inputs: tuple[Floats, ...], outputs: tuple[Floats, ...]) -> None:
    n = outputs[0].size
    with np.errstate(all="ignore"):
        for start in range(0, n, _NUMPY_CHUNK):
            function(inputs, outputs, start, min(n, start + _NUMPY_CHUNK))


def _run_numba(function: Any, inputs: tuple[Floats, ...], outputs: tuple[Floats, ...]) -> None:
    """Run the chunks on numba's number of threads; boundaries lie between whole groups of lanes."""
    n = outputs[0].size
    n_tasks = min(int(numba.get_num_threads()), -(-n // _TASK))
    if n_tasks <= 1:
        function(inputs, outputs, 0, n)
        return
    size = -(-n // (n_tasks * LANES)) * LANES
    pool = _pool(os.getpid(), n_tasks)
    tasks = [pool.submit(function, inputs, outputs, a, min(n, a + size)) for a in range(0, n, size)]
    for task in tasks:
        task.result()


@cache
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Return threads of this process (a forked child makes its own)."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix=f"nnft-{process}")


def _launch(function: Any, inputs: list[Any], outputs: tuple[Any, ...]) -> None:
    import cupy

    n, threads = outputs[0].size, 256
    blocks = min(-(-n // threads), 1 << 16)
    function((blocks,), (threads,), (*map(cupy.ascontiguousarray, inputs), *outputs, np.int64(n)))
