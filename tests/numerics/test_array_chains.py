"""Chains in array code: the same chains as the compiled ones, on any namespace that keeps its arrays to itself."""

from __future__ import annotations

import types
from dataclasses import replace

import numpy as np
import pytest

from diagrams import phi4_net
from numerics import Ensemble, sample_interacting, usable_gpu
from numerics.array_chains import ArrayChains, ArrayEnergy, fly
from numerics.backends import array_module
from numerics.chain_tuning import Chains, Tuning
from numerics.scalar_density import ScalarDensity

STRONG = phi4_net(mass=1, cutoff=4, coupling=30, box=2).at(N=32)
POINTS = np.array([[0.0], [0.7]])
MOVES = {"hmc": Tuning("hmc", 0.9, 3, (1.2, 0.9)), "pcn": Tuning("pcn", 0.3, 1, (1.2, 0.9))}
CASES = {"one": (1, 1, -1), "plane": (2, 1, -1), "two fields": (1, 2, -1), "other momenta": (1, 1, 0)}


def _density(name: str) -> ScalarDensity:
    dim, components, alpha = CASES[name]
    net = phi4_net(input_dim=dim, mass=1, cutoff=4, coupling=20, box=2, components=components, alpha=alpha).at(N=20)
    return ScalarDensity.of(Ensemble(net, n_nets=1000, seed=1))


def _both(density: ScalarDensity, xp: object = np) -> list[Chains | ArrayChains]:
    state = density.draw((0, 0, 6))
    points = np.zeros((2, density.input_dim))
    points[1] = 0.4
    arrays = ArrayChains(xp, density, [a.copy() for a in state], points, 7)
    return [Chains(density, [a.copy() for a in state], points, 7), arrays]


@pytest.mark.parametrize("method", MOVES)
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "plane")) for n in CASES])
def test_they_are_the_compiled_chains(name, method):
    """Trajectory by trajectory: random numbers, gradients, flights, reflections and decisions are the same."""
    compiled, arrays = _both(_density(name))
    np.testing.assert_allclose(arrays.mean_square_gradients(), compiled.mean_square_gradients(), rtol=1e-12)
    for _ in range(2):
        expected, found = (chains.run(MOVES[method], 6) for chains in (compiled, arrays))
        for a, b in zip(expected[:3], found[:3], strict=True):
            np.testing.assert_allclose(b, a, atol=1e-10)
    assert 0 < expected[2][..., 1].mean() < 1
    for a, b in zip(compiled.state, arrays.state, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-11)


def test_another_energy_gives_other_chains():
    compiled, arrays = _both(_density("one"))
    arrays._energy._table = 1.01 * arrays._energy._table
    expected, found = (chains.run(MOVES["hmc"], 6) for chains in (compiled, arrays))
    assert np.abs(expected[0] - found[0]).max() > 1e-4


def test_flights_stay_in_the_ball_and_keep_their_speed():
    rng = np.random.default_rng(1)
    k, p = rng.uniform(-1, 1, (4, 3, 50)), rng.standard_normal((4, 3, 50))
    p[0, :, 0] = 0
    there, momenta = fly(np, k, p, np.array([0.5, 3.0, 10.0, 30.0]), 3.0)
    assert (np.sqrt((there**2).sum(axis=1)) <= 3 * (1 + 1e-12)).all()
    np.testing.assert_allclose((momenta**2).sum(axis=1), (p**2).sum(axis=1), rtol=1e-10)
    back, _ = fly(np, there, -momenta, np.array([0.5, 3.0, 10.0, 30.0]), 3.0)
    np.testing.assert_allclose(back, k, atol=1e-8)
    np.testing.assert_array_equal(there[0, :, 0], k[0, :, 0])


def test_they_are_sampled_and_compared_with_one_another():
    samples = sample_interacting(STRONG, POINTS, method="hmc", n_draws=400, seed=7, backend="numpy")
    assert samples.attrs["backend"] == "numpy"
    found = samples.correlators(max_points=2)
    weighted = Ensemble(STRONG, n_nets=16_000, seed=5).connected_correlators(POINTS, max_points=2)
    pulls = (found.values(2) - weighted.values(2)) / np.hypot(found.errors(2), weighted.errors(2))
    assert np.abs(pulls).max() < 4
    free = ScalarDensity.of(Ensemble(STRONG, n_nets=100)).propagator(POINTS)[np.triu_indices(2)]
    assert np.abs((found.values(2) - free) / found.errors(2)).min() > 10
    with pytest.raises(ValueError, match="use estimator='plain'"):
        samples.correlators(estimator="parts")


def test_what_array_code_refuses():
    with pytest.raises(ValueError, match="independent networks are drawn by the compiled kernel"):
        sample_interacting(STRONG, POINTS, method="reweighting", backend="numpy")
    with pytest.raises(ValueError, match="no backend 'torch'"):
        sample_interacting(STRONG, POINTS, backend="torch")
    with pytest.raises(ValueError, match="measured by the compiled chains"):
        _both(_density("one"))[1].run(MOVES["hmc"], 1, n_parts=3)


@pytest.mark.skipif(usable_gpu(), reason="there is a GPU")
def test_without_a_device_cupy_is_an_error():
    with pytest.raises((RuntimeError, ImportError), match=r"no usable GPU|not installed"):
        sample_interacting(STRONG, POINTS, backend="cupy")


class _Device(np.ndarray):
    """Arrays that refuse to meet arrays of the host, as those of a GPU do."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        bare = [_bare(a) for a in inputs]
        if out:
            options["out"] = tuple(_bare(a) for a in out)
        return _device(getattr(ufunc, method)(*bare, **options))

    def __array_function__(self, function, kinds, arguments, options):
        return _device(function(*_bare(arguments), **{key: _bare(a) for key, a in options.items()}))

    def __setitem__(self, key, value):
        np.ndarray.__setitem__(self.view(np.ndarray), key, _bare(value))

    def __array__(self, *rest, **options):
        raise TypeError("an array of the device is not one of the host: use .get()")

    def get(self):
        return self.view(np.ndarray).copy()


def _bare(value):
    if isinstance(value, (list, tuple)):
        return type(value)(map(_bare, value))
    if type(value) is np.ndarray and value.ndim:
        raise TypeError("an array of the host among those of the device: use xp.asarray")
    return value.view(np.ndarray) if isinstance(value, _Device) else value


def _device(value):
    return value.view(_Device) if type(value) is np.ndarray else value


def _maker(function):
    return lambda *arguments, **options: _device(function(*arguments, **options))


def _namespace() -> types.SimpleNamespace:
    """Return a namespace with what the chains use, whose arrays are those of a device."""
    made = ("asarray", "array", "zeros", "ones", "empty", "arange")
    names = [
        "abs",
        "concatenate",
        "cos",
        "exp",
        "floor",
        "log",
        "matmul",
        "maximum",
        "minimum",
        "sin",
        "sqrt",
        "stack",
        "swapaxes",
        "where",
    ]
    functions = {name: getattr(np, name) for name in (*names, "float64", "uint64", "uint32")}
    makers = {name: _maker(getattr(np, name)) for name in made}
    return types.SimpleNamespace(__name__="cupy", **functions, **makers)


@pytest.mark.parametrize("method", MOVES)
def test_arrays_of_a_device_never_meet_those_of_the_host(method):
    density = _density("two fields")
    (compiled, arrays) = _both(density, _namespace())
    assert type(arrays._energy._table) is _Device
    np.testing.assert_allclose(arrays.mean_square_gradients(), compiled.mean_square_gradients(), rtol=1e-12)
    expected, found = (chains.run(MOVES[method], 4) for chains in (compiled, arrays))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-10)
    assert type(found[0]) is np.ndarray
    arrays._places = arrays.points  # an array of the host
    with pytest.raises(TypeError, match="array of the host"):
        arrays.run(MOVES[method], 1)


@pytest.mark.gpu
@pytest.mark.skipif(not usable_gpu(), reason="no usable CUDA device")
@pytest.mark.parametrize("name", CASES)
def test_chains_on_a_gpu_are_the_compiled_chains(name):
    density = _density(name)
    compiled, arrays = _both(density, array_module("cupy"))
    for method, moves in MOVES.items():
        expected, found = (chains.run(moves, 6) for chains in (compiled, arrays))
        for a, b in zip(expected[:3], found[:3], strict=True):
            np.testing.assert_allclose(b, a, atol=1e-9, err_msg=method)


def test_chunks_of_nodes_do_not_matter(monkeypatch):
    from numerics import array_chains

    density = _density("plane")
    z, k, c = density.draw((0, 0, 3))
    parts = []
    for size in (1, 1 << 18):
        monkeypatch.setitem(array_chains._ELEMENTS, "numpy", size)
        parts.append(ArrayEnergy(np, density)(z[:, None], k, c, is_gradient=True))
    np.testing.assert_allclose(parts[0][0], parts[1][0], rtol=1e-12)
    for a, b in zip(parts[0][2], parts[1][2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    other = ArrayEnergy(np, replace(density, table=2 * density.table))(z[:, None], k, c, is_gradient=False)
    np.testing.assert_allclose(other[0], 2 * parts[0][0])
    assert other[2] is None
