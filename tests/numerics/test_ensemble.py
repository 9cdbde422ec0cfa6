from __future__ import annotations

import dataclasses
import json
import pickle
from functools import cache

import numba
import numpy as np
import pytest
import sympy

from diagrams.architectures import Architecture, cos_net
from numerics import blocks as blocks_module
from numerics import ensemble as ensemble_module
from numerics.backends import usable_gpu
from numerics.ensemble import Block, Ensemble
from numerics.estimators import monomial_sums
from numerics.results import Estimate, format_uncertainty

POINTS = {d: np.random.default_rng(d).uniform(-1, 1, (3, d)) for d in (1, 2, 3)}


def net_at(n: int, *, input_dim: int = 1, **values: float) -> Architecture:
    net = cos_net(input_dim=input_dim, output_bias="sigma_b1" in values)
    return net.at(N=n, **({"sigma_w0": 1, "sigma_w1": 1} | values))


@cache
def function(net: Architecture, n: int):
    correlator = net.connected_correlators(max_points=n)[n]
    return sympy.lambdify(correlator.points, correlator.expr, "numpy")


def exact(net: Architecture, measured: Estimate, n: int) -> np.ndarray:
    x, legs = measured.points.T, measured.indices(n).T
    return function(net, n)(*(x[:, leg] for leg in legs)) + np.zeros(len(legs[0]))


def pulls(theory: np.ndarray, measured: Estimate, n: int) -> np.ndarray:
    return (measured.values(n) - theory) / measured.errors(n)


@pytest.mark.parametrize("width", [1, 2, 8, 20])
@pytest.mark.parametrize("input_dim", [1, 2, 3])
def test_correlators_agree_with_the_exact_ones(input_dim, width):
    net = net_at(width, input_dim=input_dim)
    measured = Ensemble(net, n_nets=200_000, seed=11).connected_correlators(POINTS[input_dim])
    for n in (2, 4):
        assert np.abs(pulls(exact(net, measured, n), measured, n)).max() < 5
    for n in (1, 3):
        assert np.abs(measured.values(n) / measured.errors(n)).max() < 5


def test_wrong_theories_are_excluded():
    net = net_at(20)
    measured = Ensemble(net, n_nets=3_000_000, seed=12).connected_correlators(POINTS[1])
    right = {n: exact(net, measured, n) for n in (2, 4)}
    assert max(np.abs(pulls(right[n], measured, n)).max() for n in (2, 4)) < 5
    wrong_width = [exact(net_at(width), measured, 4) for width in (10, 40)]
    for wrong in (-right[4], 2 * right[4], right[4] / 2, *wrong_width):
        assert np.abs(pulls(wrong, measured, 4)).max() > 10
    for wrong in (1.1 * right[2], exact(net_at(20, sigma_w0=1.2), measured, 2)):
        assert np.abs(pulls(wrong, measured, 2)).max() > 10


def test_output_bias_adds_its_variance_to_the_two_point_function_only():
    net = net_at(8, sigma_b1=0.5)
    measured = Ensemble(net, n_nets=1_000_000, seed=13).connected_correlators(POINTS[1])
    without = {n: exact(net_at(8), measured, n) for n in (2, 4)}
    assert np.abs(pulls(without[2] + 0.25, measured, 2)).max() < 5
    assert np.abs(pulls(without[2], measured, 2)).max() > 10
    assert np.abs(pulls(without[4], measured, 4)).max() < 5
    assert np.abs(pulls(without[4] + 0.25**2, measured, 4)).max() > 10


def test_pulls_have_unit_spread_and_the_covariance_is_complete():
    net, scores, chi2 = net_at(2), [], []
    for seed in range(24):
        measured = Ensemble(net, n_nets=20_000, seed=seed).connected_correlators(POINTS[1][:2], max_points=4)
        difference = np.concatenate([measured.values(n) - (exact(net, measured, n) if n > 1 else 0) for n in (2, 4)])
        covariance = measured.covariance()
        keep = np.r_[2:5, 9:14]  # orders 2 and 4 after 2 + 3 and 2 + 3 + 4 components
        assert np.sqrt(np.diag(covariance)[keep]) == pytest.approx(np.r_[measured.errors(2), measured.errors(4)])
        assert np.array_equal(measured.covariance(2), covariance[2:5, 2:5])
        scores.append(difference / np.sqrt(np.diag(covariance)[keep]))
        chi2.append(difference @ np.linalg.solve(covariance[np.ix_(keep, keep)], difference))
    assert np.all(np.abs(np.std(scores, axis=0, ddof=1) - 1) < 3 / np.sqrt(48))
    assert abs(np.mean(chi2) - 8) < 5 * np.sqrt(2 * 8 / 24)


def test_covariance_of_the_two_point_function_is_the_known_one():
    net, n_nets = net_at(2), 1_000_000
    measured = Ensemble(net, n_nets=n_nets, seed=14).connected_correlators(POINTS[1][:2])
    g2, g4 = np.empty((2, 2)), np.empty((2,) * 4)
    for tensor, n in ((g2, 2), (g4, 4)):
        for index in np.ndindex(tensor.shape):
            tensor[index] = function(net, n)(*(POINTS[1][i] for i in index))
    i, j = measured.indices(2).T
    a, b = i[:, None], j[:, None]
    known = g4[a, b, i, j] + g2[a, i] * g2[b, j] + g2[a, j] * g2[b, i]
    diagonal = np.diag(known)
    noise = np.sqrt((known**2 + np.outer(diagonal, diagonal)) / measured.n_blocks)
    assert np.abs((n_nets * measured.covariance(2) - known) / noise).max() < 5


@pytest.mark.parametrize("n_nets", [1, 63, 64, 65, 1000, 8191, 8192, 100_000, 10**6, 10**9])
def test_blocks_cover_the_networks(n_nets):
    blocks = Ensemble(net_at(2), n_nets=n_nets).blocks
    assert [b.start for b in blocks] == np.cumsum([0, *(b.n_nets for b in blocks)])[:-1].tolist()
    assert sum(b.n_nets for b in blocks) == n_nets
    assert len(blocks) <= 1024
    assert len(blocks) >= (512 if n_nets >= 100_000 else 33 if n_nets >= 64 else n_nets)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_do_not_depend_on_threads_chunks_or_order(dtype, monkeypatch):
    ensemble = Ensemble(net_at(7), n_nets=20_011, seed=2**40 + 1, dtype=dtype)
    reference = ensemble.block_sums(POINTS[1]).sums
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert np.array_equal(ensemble.block_sums(POINTS[1]).sums, reference)
    finally:
        numba.set_num_threads(threads)
    backwards = ensemble.block_sums(POINTS[1], blocks=ensemble.blocks[::-1])
    assert np.array_equal(backwards.sums[::-1], reference)
    parts = [ensemble.block_sums(POINTS[1], blocks=ensemble.blocks[a:b]) for a, b in ((0, 50), (50, None))]
    assert np.array_equal(parts[0].merge(parts[1]).sums, reference)
    monkeypatch.setattr(blocks_module, "_SECONDS_PER_CALL", 0.0)  # one group of lanes at a time
    assert np.array_equal(ensemble.block_sums(POINTS[1]).sums, reference)


def test_large_blocks_are_cut_into_pieces(monkeypatch):
    monkeypatch.setattr(ensemble_module, "block_size", lambda n_nets: 700)
    ensemble = Ensemble(net_at(3), n_nets=2000, seed=3)
    assert [b.n_nets for b in ensemble.blocks] == [700, 700, 600]
    whole = ensemble.block_sums(POINTS[1]).sums
    monkeypatch.setattr(blocks_module, "_SECONDS_PER_CALL", 0.0)
    assert np.array_equal(ensemble.block_sums(POINTS[1]).sums, whole)
    monkeypatch.setattr(blocks_module, "_NETS_PER_CALL", 256)
    assert monomial_sums(np, ensemble.sample(POINTS[1]), 4) == pytest.approx(whole.sum(axis=0), abs=1e-10)


def test_many_components_share_rows(monkeypatch):
    ensemble = Ensemble(net_at(3), n_nets=10_000, seed=4)
    full = ensemble.block_sums(POINTS[1])
    monkeypatch.setattr("numerics.blocks._MAX_SUMS", 20 * full.sums.shape[1])
    coarse = ensemble.block_sums(POINTS[1])
    assert len(coarse.counts) == 20
    assert coarse.sums == pytest.approx(full.coarsen(4).sums, abs=1e-10)
    assert coarse.counts.tolist() == full.coarsen(4).counts.tolist()


@pytest.mark.parametrize("input_dim", [1, 2])
@pytest.mark.parametrize("backend", ["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def test_backends_agree_to_rounding(backend, input_dim):
    if backend == "cupy" and not usable_gpu():
        pytest.skip("no usable CUDA device")
    net = net_at(5, input_dim=input_dim, sigma_b1=0.3)
    first, second = (Ensemble(net, n_nets=3001, seed=5, backend=b) for b in ("numba", backend))
    a, b = (e.connected_correlators(POINTS[input_dim], max_points=6) for e in (first, second))
    for n in a.orders:
        assert b.values(n) == pytest.approx(a.values(n), rel=0, abs=1e-11)
        assert b.errors(n) == pytest.approx(a.errors(n), rel=1e-9)


def test_samples_are_the_streamed_networks():
    ensemble = Ensemble(net_at(5), n_nets=3001, seed=6)
    phi = ensemble.sample(POINTS[1])
    assert phi.shape == (3001, 3)
    assert monomial_sums(np, phi, 4) == pytest.approx(ensemble.block_sums(POINTS[1]).sums.sum(axis=0), abs=1e-10)
    assert ensemble.sample(POINTS[1], start=1000, count=77) == pytest.approx(phi[1000:1077], rel=0, abs=1e-14)
    assert ensemble.sample(POINTS[1], start=3001).shape == (0, 3)
    more = Ensemble(net_at(5), n_nets=3001, seed=7).sample(POINTS[1])
    assert not np.any(more == phi)


def test_float32_is_as_good_as_its_errors():
    net = net_at(8)
    measured = Ensemble(net, n_nets=1_000_000, seed=8, dtype="float32").connected_correlators(POINTS[1])
    for n in (2, 4):
        assert np.abs(pulls(exact(net, measured, n), measured, n)).max() < 5
    assert measured.dataset.attrs["dtype"] == "float32"
    assert Ensemble(net, n_nets=5, dtype="float32").sample(POINTS[1]).dtype == np.float32


@pytest.mark.parametrize("n_points", [1, 2, 17, 64])
def test_any_number_of_points(n_points):
    x = np.linspace(-1, 1, n_points)[:, None]
    ensemble = Ensemble(net_at(2), n_nets=1000, seed=9)
    phi = ensemble.sample(x)
    measured = ensemble.connected_correlators(x, max_points=2)
    assert measured.tensor(2) == pytest.approx(np.cov(phi.T, ddof=1).reshape(n_points, n_points), abs=1e-12)
    assert measured.values(1) == pytest.approx(phi.mean(axis=0), abs=1e-12)


def test_seeds():
    net = net_at(2)
    first = Ensemble(net, n_nets=10, seed=np.random.SeedSequence(5))
    assert first.seed == Ensemble(net, n_nets=10, seed=np.random.SeedSequence(5)).seed
    assert Ensemble(net, n_nets=10, seed=np.uint64(2**64 - 1)).seed == 2**64 - 1
    assert first == pickle.loads(pickle.dumps(first))
    assert dataclasses.replace(first, n_nets=20).n_nets == 20
    assert hash(first) == hash(dataclasses.replace(first))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"n_nets": 0}, ValueError, "positive number of networks, got 0"),
        ({"n_nets": 10.0}, TypeError, "n_nets must be an integer, got 10.0"),
        ({"n_nets": True}, TypeError, "n_nets must be an integer, got True"),
        ({"seed": True}, TypeError, "seed must be an integer or a numpy.random.SeedSequence, got True"),
        ({"seed": 1.0}, TypeError, "seed must be an integer"),
        ({"seed": -1}, ValueError, "0 <= seed"),
        ({"seed": 2**64}, ValueError, "SeedSequence takes any size"),
        ({"backend": "jax"}, ValueError, "no backend 'jax'"),
        ({"dtype": "float16"}, ValueError, "dtype must be one of 'float64', 'float32', got 'float16'"),
        ({"architecture": "cos"}, TypeError, "architecture must be one such as"),
        ({"architecture": cos_net().at(N=3)}, ValueError, "sigma_w0"),
    ],
)
def test_unusable_ensembles(changes, error, text):
    arguments = {"architecture": net_at(2), "n_nets": 10} | changes
    with pytest.raises(error, match=text):
        Ensemble(arguments.pop("architecture"), **arguments)


@pytest.mark.parametrize(
    ("x", "options", "error", "text"),
    [
        ([0.0, 1.0], {}, ValueError, r"shape \(n_points, 1\)"),
        ([[0.0, 1.0]], {}, ValueError, r"shape \(n_points, 1\)"),
        ([[1j]], {}, TypeError, "real numbers"),
        ([["a"]], {}, TypeError, "real numbers"),
        ([[None]], {}, TypeError, "real numbers"),
        ([[0.0], [np.nan]], {}, ValueError, "point 1 is"),
        ([[np.inf]], {}, ValueError, "finite"),
        ([[0.0]], {"max_points": 0}, ValueError, "max_points must be 1 to 6, got 0"),
        ([[0.0]], {"max_points": 7}, ValueError, "max_points must be 1 to 6, got 7"),
        ([[0.0]], {"max_points": 2.0}, TypeError, "max_points must be an integer"),
        ([[0.0]], {"max_points": 6}, ValueError, "n_nets=6 is too few for max_points=6: .* n_nets >= 7"),
        (np.zeros((64, 1)), {"max_points": 5}, ValueError, "use fewer points or a lower max_points"),
    ],
)
def test_unusable_arguments(x, options, error, text):
    with pytest.raises(error, match=text):
        Ensemble(net_at(2), n_nets=6).connected_correlators(x, **options)


def test_what_does_not_fit_is_refused_before_the_start(monkeypatch):
    ensemble = Ensemble(net_at(2), n_nets=1000)
    x = np.linspace(-1, 1, 10)[:, None]
    monkeypatch.setattr("numerics.blocks._physical_memory", lambda: 10**7)
    monkeypatch.setattr("numerics.blocks.block_summer", None)  # nothing is begun
    with pytest.raises(MemoryError, match=r"sums of 8007 products .* need about 0.0323 GB, this machine has 0.01 GB"):
        ensemble.connected_correlators(x, max_points=6)
    monkeypatch.undo()
    monkeypatch.setattr("numerics.blocks._physical_memory", lambda: None)
    assert ensemble.connected_correlators(x, max_points=2).n_nets == 1000
    monkeypatch.undo()
    assert blocks_module._physical_memory() > 10**8


def test_unusable_samples_and_overflow():
    ensemble = Ensemble(net_at(2), n_nets=6)
    with pytest.raises(ValueError, match="networks 4 to 9 are not within the ensemble's 6"):
        ensemble.sample([[0.0]], start=4, count=5)
    with pytest.raises(TypeError, match="start must be an integer"):
        ensemble.sample([[0.0]], start=True)
    with pytest.raises(FloatingPointError, match="not finite in float32"):
        Ensemble(net_at(2, sigma_w1=1e30), n_nets=6, dtype="float32").connected_correlators([[0.0]])


def test_estimate_shows_and_exports_itself(capsys):
    ensemble = Ensemble(net_at(4), n_nets=1000, seed=3)
    measured = ensemble.connected_correlators(POINTS[1], progress=True)
    assert "1.00k/1.00k" in capsys.readouterr().err
    assert ensemble.blocks[1] == Block(1, 16, 16)
    assert (measured.orders, measured.n_nets, measured.n_blocks) == ((1, 2, 3, 4), 1000, 63)
    assert measured.indices(2).tolist() == [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]
    tensor = measured.tensor(4)
    assert tensor[2, 0, 1, 0] == tensor[0, 0, 1, 2] == measured.values(4)[4]
    assert measured.covariance().shape == (34, 34)
    assert "Gc2(x_1, x_1) = 0." in str(measured)
    assert "1000 networks at 3 points" in repr(measured)
    html = measured._repr_html_()
    assert html.startswith("<table>")
    assert "... 3 more" in html
    exported = json.loads(json.dumps(measured.to_dict()))
    assert exported["seed"] == "3"
    assert exported["cumulants"]["2"]["values"] == measured.values(2).tolist()
    assert measured.dataset["cumulant_2"].dims == ("component_2",)
    with pytest.raises(KeyError, match="no 5-point correlators were measured"):
        measured.values(5)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.49983, 0.00121, "0.4998(12)"),
        (0.49983, 0.000996, "0.4998(10)"),
        (-0.5, 0.0996, "-0.50(10)"),
        (1.0, 0.96, "1.00(96)"),
        (1.0, 0.996, "1.0(1.0)"),
        (12.34, 9.96, "12(10)"),
        (-12345.6, 123.4, "-12346(123)"),
        (0.0, 0.0012, "0.0000(12)"),
        (3e-6, 2e-5, "0.3(2.0)e-05"),
        (1.5e8, 2.5e6, "1.500(25)e+08"),
        (2.0, 0.0, "2(0)"),
        (float("nan"), 1.0, "nan(1)"),
    ],
)
def test_uncertainty_notation(value, error, text):
    assert format_uncertainty(value, error) == text
