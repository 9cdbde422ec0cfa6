"""Continuous integrals: known values, honest errors, coverage, amplitudes with integrated vertices, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy import integrate, special

from diagrams import phi4
from numerics.integrals import vertex_integral
from numerics.vertex_amplitudes import vertex_amplitude

INF = np.inf
METHODS = ("cubature", "qmc", "vegas")


def corner(x):
    return (1 + x.sum(axis=-1)) ** -(x.shape[-1] + 1.0)


def corner_exact(d):
    """Return the integral over the unit cube, by its sum over corners."""
    signs = [(-1) ** k * special.comb(d, k) / (1 + k) for k in range(d + 1)]
    return sum(signs) / special.factorial(d)


CASES = {
    "polynomial": (lambda x: x[:, 0] ** 3 * x[:, 1] ** 2, [(0, 2), (-1, 1)], 4 * 2 / 3),
    "Gaussian, line": (lambda x: np.exp(-(x**2).sum(-1) / 2), [(-INF, INF)], np.sqrt(2 * np.pi)),
    "Gaussian, space": (lambda x: np.exp(-(x**2).sum(-1)), [(-INF, INF)] * 3, np.pi**1.5),
    "half-lines": (lambda x: np.exp(-x[:, 0] + 2 * x[:, 1]), [(1, INF), (-INF, 0.5)], np.exp(-1) * np.exp(1) / 2),
    "oscillating": (lambda x: np.cos(x.sum(-1)), [(0, 1)] * 4, (((np.exp(1j) - 1) / 1j) ** 4).real),
    "corner peak": (corner, [(0, 1)] * 3, corner_exact(3)),
    "kink": (lambda x: np.abs(x[:, 0] - 0.3) * np.exp(x[:, 1]), [(0, 1), (0, 1)], (0.09 + 0.49) / 2 * (np.e - 1)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_known_values(name, method):
    function, region, exact = CASES[name]
    rtol = 1e-6 if method == "cubature" else 2e-3
    found = vertex_integral(function, region, method=method, rtol=rtol, seed=3, max_evals=2_000_000)
    assert found.converged
    assert found.error <= rtol * abs(found.value)
    allowed = found.error if method == "cubature" else 4.5 * found.error
    assert abs(found.value - exact) <= allowed + 1e-14 * abs(exact)
    assert abs(found.value - 1.05 * exact) > 10 * found.error
    assert found.method == method


@pytest.mark.parametrize("method", ["qmc", "vegas"])
@pytest.mark.parametrize(
    ("function", "region", "exact"),
    [
        (lambda x: np.exp(-np.abs(x).sum(-1)), [(-1, 2)] * 2, ((2 - np.exp(-1) - np.exp(-2)) ** 2)),
        (corner, [(0, 1)] * 3, corner_exact(3)),
    ],
    ids=["two", "three"],
)
def test_one_standard_error_covers_two_thirds(method, function, region, exact):
    n = 4096 if method == "qmc" else 8192
    runs = [vertex_integral(function, region, method=method, rtol=1e-12, max_evals=n, seed=s) for s in range(200)]
    off = np.array([abs(run.value - exact) / run.error for run in runs])
    assert 0.6 < np.mean(off < 1) < 0.8
    assert not 0.6 < np.mean(off < 0.5) < 0.8  # errors half as large would not
    assert not any(run.converged for run in runs)
    assert all(run.n_evals <= n for run in runs)


def test_sobol_gains_on_plain_sampling():
    found = vertex_integral(corner, [(0, 1)] * 3, method="qmc", rtol=1e-12, max_evals=65_536)
    x = np.random.default_rng(0).random((65_536, 3))
    assert found.error < 0.1 * np.std(corner(x)) / 256


def test_vegas_finds_a_peak():
    """A narrow peak, of which a uniform sample of the same size sees little."""

    def peak(x):
        return np.exp(-((x - 0.3) ** 2).sum(-1) / (2 * 0.01**2))

    exact = (2 * np.pi * 0.01**2) ** 2
    found = vertex_integral(peak, [(0, 1)] * 4, method="vegas", rtol=5e-3, seed=1)
    assert found.converged
    assert abs(found.value - exact) < 4 * found.error
    plain = peak(np.random.default_rng(0).random((found.n_evals, 4)))
    assert plain.std() / np.sqrt(len(plain)) > 20 * found.error


def test_same_seed_same_result():
    for method in ("qmc", "vegas"):
        first, again, other = (
            vertex_integral(corner, [(0, 1)] * 2, method=method, max_evals=10_000, rtol=1e-12, seed=s)
            for s in (1, 1, 2)
        )
        assert first == again
        assert first.value != other.value
    sequence = np.random.SeedSequence(5)
    pair = [vertex_integral(corner, [(0, 1)] * 2, method="qmc", rtol=1e-3, seed=sequence) for _ in "ab"]
    assert pair[0] == pair[1]


def test_expressions_and_integrals_of_sympy():
    x, y = sympy.symbols("x y", real=True)
    exact = float(sympy.sqrt(sympy.pi) * (1 - sympy.exp(-2)))
    asked = {"rtol": 1e-9}
    found = vertex_integral(sympy.exp(-(x**2) - y), [(-INF, INF), (0, 2)], variables=[x, y], **asked)
    assert found.value == pytest.approx(exact, rel=1e-9)
    integral = sympy.Integral(sympy.exp(-(x**2) - y), (x, -sympy.oo, sympy.oo), (y, 0, 2))
    assert vertex_integral(integral, **asked) == found
    compiled = vertex_integral(integral, backend="numba", **asked)
    assert compiled.value == pytest.approx(exact, rel=1e-9)


def test_a_run_that_is_cut_off_says_so():
    rough = vertex_integral(lambda x: np.sin(1 / (x[:, 0] + 1e-5)), [(0, 1)], rtol=1e-12, max_evals=5000)
    assert not rough.converged
    assert "not converged: stopped by max_evals=5000" in str(rough)
    heavy = vertex_integral(lambda x: x[:, 0] ** -0.9, [(0, 1)], method="vegas", rtol=1e-9, max_evals=20_000)
    assert not heavy.converged


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: vertex_integral(lambda x: 1 / x[:, 0], [(-1, 1)]), ValueError, "must be finite inside"),
        (lambda: vertex_integral(lambda x: np.log(x[:, 0] - 5), [(0, 1)], method="qmc"), ValueError, "is nan at"),
        (lambda: vertex_integral(lambda x: 1j * x[:, 0], [(0, 1)]), TypeError, "real numbers"),
        (lambda: vertex_integral(lambda x: x, [(0, 1)] * 2), ValueError, "one value for each point"),
        (lambda: vertex_integral(corner, [(0, 1)], method="simpson"), ValueError, "no method 'simpson'"),
        (lambda: vertex_integral(corner, [(1, 0)]), ValueError, "low < high"),
        (lambda: vertex_integral(corner, [(0, "a")]), ValueError, "with numbers"),
        (lambda: vertex_integral(corner, []), ValueError, "no intervals"),
        (lambda: vertex_integral(corner), ValueError, "give the region"),
        (lambda: vertex_integral(corner, [(0, 1)] * 20), ValueError, "up to 12 coordinates"),
        (lambda: vertex_integral(corner, [(0, 1)], max_evals=10), ValueError, "at least 4096"),
        (lambda: vertex_integral(corner, [(0, 1)], rtol=-1), ValueError, "must not be negative"),
        (lambda: vertex_integral(corner, [(0, 1)], scale=0), ValueError, "positive length"),
        (lambda: vertex_integral(sympy.Symbol("a"), [(0, 1)]), ValueError, "one symbol for each"),
        (lambda: vertex_integral(3, [(0, 1)]), TypeError, "function or a sympy expression"),
        (lambda: vertex_integral(corner, [(0, 1)], backend="numpy"), ValueError, "are for sympy expressions"),
    ],
)
def test_requests_that_make_no_sense(call, error, match):
    with np.errstate(all="ignore"), pytest.raises(error, match=match):
        call()


# amplitudes


def propagator(x, y):
    return sympy.exp(-sympy.Abs(x - y)) / 2


def in_momentum_space(r, function):
    return integrate.quad(lambda p: function(p) / np.pi, 0, INF, weight="cos", wvar=r, limlst=200)[0]


@pytest.mark.parametrize("method", METHODS)
def test_one_loop_self_energy(method):
    """-lambda/2 G(0) int G G with G = exp(-|x|)/2 of mass one."""
    theory = phi4(mass=1)
    (tadpole,) = [d for d in theory.diagrams(legs=2, max_loops=1) if d.n_loops == 1]
    amplitude = theory.amplitude(tadpole)
    (lam,) = [s for s in amplitude.free_symbols if s.name == "lambda"]
    rtol = 1e-8 if method == "cubature" else 1e-3
    options = {"points": [0, 0.8], "values": {lam: 0.5}, "method": method, "rtol": rtol, "seed": 2}
    found = vertex_amplitude(amplitude, {"G": propagator}, **options)
    exact = -0.5 / 2 / 2 * (1 + 0.8) * np.exp(-0.8) / 4
    assert found.converged
    assert abs(found.value - exact) < (1 if method == "cubature" else 4.5) * found.error + 1e-14
    assert abs(found.value - 2 * exact) > 100 * found.error  # without the symmetry factor


def test_sunset_of_two_vertices():
    theory = phi4(mass=1)
    (sunset,) = [d for d in theory.diagrams(legs=2, max_loops=2) if d.symmetry_factor == 6]
    amplitude = theory.amplitude(sunset)
    (lam,) = [s for s in amplitude.free_symbols if s.name == "lambda"]
    found = vertex_amplitude(amplitude, {"G": propagator}, points=[0, 0.6], values={lam: 2}, rtol=1e-5)
    exact = 4 / 6 * in_momentum_space(0.6, lambda p: 6 / 8 / (9 + p**2) / (1 + p**2) ** 2)
    assert found.converged
    assert found.value == pytest.approx(exact, rel=1e-5)


def test_vertices_in_a_box_and_in_two_dimensions():
    theory = phi4(mass=1)
    (tadpole,) = [d for d in theory.diagrams(legs=2, max_loops=1) if d.n_loops == 1]
    amplitude = theory.amplitude(tadpole)
    (lam,) = [s for s in amplitude.free_symbols if s.name == "lambda"]
    box = vertex_amplitude(amplitude, {"G": propagator}, points=[0, 0.5], values={lam: 1}, region=(-1, 1), rtol=1e-9)
    exact = -0.25 * integrate.quad(lambda z: np.exp(-abs(z) - abs(z - 0.5)) / 4, -1, 1, points=[0, 0.5])[0]
    assert box.value == pytest.approx(exact, rel=1e-8)

    def gaussian(a, b):
        return sympy.exp(-sum((s - t) ** 2 for s, t in zip(a, b, strict=True)))

    plane = vertex_amplitude(amplitude, {"G": gaussian}, points=[(0, 0), (1, 0.5)], values={lam: 1}, dim=2, rtol=1e-6)
    assert plane.value == pytest.approx(-0.5 * np.pi / 2 * np.exp(-1.25 / 2), rel=1e-6)


def test_what_is_missing_is_named():
    theory = phi4(mass=1)
    (tadpole,) = [d for d in theory.diagrams(legs=2, max_loops=1) if d.n_loops == 1]
    amplitude = theory.amplitude(tadpole)
    with pytest.raises(ValueError, match="no function for G"):
        vertex_amplitude(amplitude, {}, points=[0, 1])
    with pytest.raises(ValueError, match="no position for x_2"):
        vertex_amplitude(amplitude, {"G": propagator}, points=[0])
    with pytest.raises(ValueError, match="lambda"):
        vertex_amplitude(amplitude, {"G": propagator}, points=[0, 1])
    with pytest.raises(ValueError, match="coordinate"):
        vertex_amplitude(amplitude, {"G": propagator}, points=[0, 1], dim=2)
