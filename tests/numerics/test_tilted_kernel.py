"""Deformed densities in the compiled kernel: weights, sums and scores are those of the array code."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import sympy
from sample_ensembles import TILTS, points

from diagrams.architectures import cos_net
from diagrams.independence import neuron_sum, tilted
from numerics import Ensemble, blocks, compare
from numerics.blocks import Block, block_summer, nobody
from numerics.broken import _weighted
from numerics.checkpoint import CheckpointError
from numerics.reweighting import joined_rows


def both(net, n_nets: int, dtype: str) -> list[Ensemble]:
    return [Ensemble(net, n_nets=n_nets, seed=9, dtype=dtype, backend=b) for b in ("numba", "numpy")]


@pytest.mark.parametrize(
    ("name", "dtype", "bound"), [*((name, "float64", 1e-12) for name in TILTS), ("cos", "float32", 3e-6)]
)
def test_weights_sums_and_scores_are_those_of_array_code(name, dtype, bound):
    net = TILTS[name]
    x = points(net)
    compiled, arrays = both(net, 20_000, dtype)
    log_weights = arrays.log_weights(start=70, count=1000)
    scale = np.abs(log_weights).max()
    assert compiled.log_weights(start=70, count=1000) == pytest.approx(log_weights, rel=0, abs=bound * scale)
    assert compiled.sample(x, start=70, count=300) == pytest.approx(
        arrays.sample(x, start=70, count=300), rel=bound, abs=10 * bound
    )
    measured, expected = (e.connected_correlators(x) for e in (compiled, arrays))
    assert measured.dataset.attrs["effective_sample_size"] == pytest.approx(
        expected.dataset.attrs["effective_sample_size"], rel=10 * bound
    )
    derived, wanted = (e.correlator_derivatives(x[:2], order=2, max_points=2) for e in (compiled, arrays))
    for found, right, orders in ((measured, expected, (1, 2, 3, 4)), (derived, wanted, (1, 2))):
        for n in orders:  # in units of the errors: two estimates of other networks would differ by one
            pull = (found.values(n) - right.values(n)) / right.errors(n)
            assert np.abs(pull).max() < 1e4 * bound
            assert found.errors(n) == pytest.approx(right.errors(n), rel=1e4 * bound)


def test_sums_do_not_depend_on_threads_calls_or_blocks_of_a_call(monkeypatch):
    net = TILTS["cos"]
    x, source = points(net), _weighted(both(net, 1000, "float64")[0])
    some = [Block(i, 0, n) for i, n in enumerate((700, 300, 128, 1, 640))]

    def rows(order) -> np.ndarray:
        return np.concatenate(list(block_summer(source, x, 4, 700)([some[i] for i in order], nobody)))

    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = rows(range(5))
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        assert np.array_equal(rows(range(5)), one)
        assert np.array_equal(rows([4, 2, 0, 1, 3]), one[[4, 2, 0, 1, 3]])
        monkeypatch.setattr(blocks, "_SECONDS_PER_CALL", 1e-9)  # calls of one group
        assert np.array_equal(rows(range(5)), one)
    finally:
        numba.set_num_threads(before)


def test_weights_of_any_size():
    """Log weights of thousands: sums are relative to the largest one."""
    net = cos_net(input_dim=1)
    x = np.array([[0.0], [0.5]])
    for potential in (neuron_sum(net.w0**2) + 10_000, neuron_sum(net.w0**2) - 10_000):
        strong = tilted(net, potential).at(N=3, sigma_w0=1, sigma_w1=1, alpha=0.3)
        plain = tilted(net, neuron_sum(net.w0**2)).at(N=3, sigma_w0=1, sigma_w1=1, alpha=0.3)
        far, near = (Ensemble(n, n_nets=5000, seed=1).connected_correlators(x) for n in (strong, plain))
        assert np.abs(Ensemble(strong, n_nets=10).log_weights()).min() > 2900
        for n in (2, 4):
            assert far.values(n) == pytest.approx(near.values(n), rel=1e-9)


def test_rows_of_several_blocks_are_those_of_one():
    """Where sums of all blocks would not fit, consecutive ones share a row."""
    net = TILTS["family"]
    source = _weighted(both(net, 1000, "float64")[0])
    x = points(net)
    parts = np.concatenate(list(block_summer(source, x, 3, 256)([Block(i, 0, 256) for i in range(3)], nobody)))
    assert len(set(parts[:, 0])) == 3  # other largest weights
    joined = joined_rows(joined_rows(parts[0], parts[1]), parts[2])
    logs = [source.values(i, 0, 256)[0] for i in range(3)]
    phi = np.concatenate([source.outputs(x)(i, 0, 256) for i in range(3)])
    weights = np.exp(np.concatenate(logs) - max(map(np.max, logs)))
    assert joined[:3] == pytest.approx([max(map(np.max, logs)), weights.sum(), (weights**2).sum()], rel=1e-12)
    assert joined[3:6] == pytest.approx(weights @ phi, rel=1e-9)
    assert not np.allclose(parts.sum(axis=0)[3:6], joined[3:6], rtol=1e-3)  # rows are not just added


def test_a_long_run_goes_on_where_it_was(tmp_path, monkeypatch):
    net = TILTS["cos"]
    ensemble, x, path = Ensemble(net, n_nets=50_000, seed=2), points(net), tmp_path / "run"
    whole = ensemble.connected_correlators(x)
    add, calls = blocks._Rows.add, []

    def interrupted(self, first, rows):
        add(self, first, rows)
        calls.append(first)
        if len(calls) == 20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blocks._Rows, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ensemble.connected_correlators(x, checkpoint=path)
    other = Ensemble(net.at(alpha=0.4), n_nets=50_000, seed=2)
    with pytest.raises(CheckpointError, match="another"):
        other.connected_correlators(x, checkpoint=path)
    resumed = ensemble.connected_correlators(x, checkpoint=path)
    assert resumed.dataset.identical(whole.dataset)
    assert not np.array_equal(other.connected_correlators(x).values(2), whole.values(2))


def test_sums_that_are_not_finite():
    net = cos_net(input_dim=1)
    tilt = tilted(net, neuron_sum(net.w0**2) ** 2).at(N=3, sigma_w0=1e90, sigma_w1=1, alpha=1e200)
    with pytest.raises(FloatingPointError, match="weights or sums are not finite"):
        Ensemble(tilt, n_nets=1000).connected_correlators([[0.0]], max_points=2)


def test_networks_without_weight_and_without_a_number():
    net = TILTS["cos"]
    weigh = _weighted(both(net, 1000, "float64")[0]).kernel(points(net), 2)._module.weigh_networks
    nothing, some = np.full(128, -np.inf), np.where(np.arange(128) % 2, -np.inf, 3.0)
    head, weights, tiles = np.array([-np.inf, 0.0, 0.0]), np.ones(128), np.zeros((2, 16))
    weigh(nothing, 128, head, weights, tiles)  # the first group: none is of any weight
    assert np.array_equal(head, [-np.inf, 0, 0])
    assert not weights.any()
    weigh(some, 100, head, weights, tiles)
    assert np.array_equal(head, [3, 50, 50])
    assert np.array_equal(weights, (np.arange(128) % 2 == 0) & (np.arange(128) < 100))
    for logs in (np.where(np.arange(128) == 5, np.nan, nothing), np.where(np.arange(128) == 5, np.nan, some)):
        head = np.array([-np.inf, 0.0, 0.0])
        weigh(logs, 128, head, weights, tiles)
        assert np.isnan(head[1])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_quadratic_tilt_changes_the_variance(dtype):
    net, x = cos_net(), np.array([[0.0], [0.7]])
    tilt = tilted(net, neuron_sum(net.w0**2)).at(N=3, sigma_w0=1, sigma_w1=1, alpha=0.3)
    measured = Ensemble(tilt, n_nets=2_000_000, seed=43, dtype=dtype).connected_correlators(x)
    narrow = net.at(N=3, sigma_w0=sympy.sqrt(1 / (1 + 2 * sympy.Rational(3, 10))), sigma_w1=1)
    assert compare(narrow, measured).max_pull < 4.5
    for wrong in (1, sympy.sqrt(1 / (1 - 2 * sympy.Rational(3, 10)))):
        assert compare(net.at(N=3, sigma_w0=wrong, sigma_w1=1), measured).max_pull > 10
