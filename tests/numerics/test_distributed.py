"""The same blocks on a Dask cluster: the same bits, whatever the tasks and the workers."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diagrams import Discrete, cos_net, deep_net, independent_sum, mixture, neuron_sum, relu_net
from numerics import Ensemble, distributed
from numerics.blocks import Block, block_summer, nobody

dask = pytest.importorskip("distributed")

X = np.array([[0.0], [0.7]])
NET = cos_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1)
ENSEMBLE = Ensemble(NET, n_nets=200_000, seed=3)


@pytest.fixture(scope="module")
def plain():
    return ENSEMBLE.connected_correlators(X)


@pytest.fixture(scope="module")
def client():
    options = {"processes": False, "dashboard_address": None, "threads_per_worker": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with dask.LocalCluster(n_workers=2, **options) as cluster, dask.Client(cluster) as client:
            yield client


def test_a_cluster_gives_the_same(plain, client, tmp_path):
    assert ENSEMBLE.connected_correlators(X, client=client).dataset.identical(plain.dataset)
    path = tmp_path / "run"
    ENSEMBLE.connected_correlators(X, client=client, checkpoint=path)
    assert ENSEMBLE.connected_correlators(X, checkpoint=path).dataset.identical(plain.dataset)


@pytest.mark.parametrize(
    "kind", ["neuron", "conditional", "deep", "mixture", "tilt", "sum", "several outputs", "float32"]
)
def test_every_kind_of_ensemble(client, kind):
    nets = {
        "deep": deep_net(activation="erf", depth=2).at(N=4, sigma_w0=1, sigma_w1=1),
        "mixture": mixture(cos_net(), {"sigma_w1": Discrete((1, 2)), "N": Discrete((1, 4))}).at(sigma_w0=1),
        "tilt": NET.tilted(neuron_sum(NET.w0**2) ** 2 / 100).at(alpha=0.2),
        "sum": independent_sum(NET, relu_net().at(N=3, sigma_w0=1, sigma_w1=1, sigma_b0=1)),
        "several outputs": relu_net(input_dim=1, output_dim=2).at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=1),
    }
    options = {"method": kind} if kind in ("neuron", "conditional") else {}
    dtype = "float32" if kind == "float32" else "float64"
    ensemble = Ensemble(nets.get(kind, NET), n_nets=2000, seed=3, dtype=dtype)
    alone = ensemble.connected_correlators(X, **options)
    assert ensemble.connected_correlators(X, client=client, **options).dataset.identical(alone.dataset)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_tasks_of_any_length(plain, client, monkeypatch, seconds):
    learn, done = distributed._Plan.learn, []

    def noted(self, networks, found):
        done.append(networks)
        learn(self, networks, found)

    monkeypatch.setattr(distributed._Plan, "learn", noted)
    monkeypatch.setattr(distributed, "SECONDS_PER_TASK", seconds)
    assert ENSEMBLE.connected_correlators(X, client=client).dataset.identical(plain.dataset)
    assert sum(done) == 200_000
    assert len(done) > (700 if seconds == 0 else 4)


def test_a_task_stops_in_time_at_the_end_of_a_row(monkeypatch):
    rows = [[Block(2 * i, 0, 100), Block(2 * i + 1, 0, 50)] for i in range(5)]
    monkeypatch.setattr(distributed, "time", SimpleNamespace(perf_counter=iter(range(10)).__next__))
    assert [b.index for b in distributed._in_time(rows, -1)] == [0, 1]  # one row at least
    assert [b.index for b in distributed._in_time(rows, 3)] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [b.index for b in distributed._in_time(rows, 60)] == list(range(10))


def test_rows_travel_as_numbers():
    portion = [(7, [Block(14, 1400, 100), Block(15, 1500, 90)]), (3, [Block(6, 600, 100)]), (2, [Block(5, 500, 100)])]
    assert distributed._from_table(distributed._as_table(portion)) == [blocks for _, blocks in portion]


def test_what_a_worker_prepares_is_kept_for_the_run(monkeypatch):
    from distributed.protocol.pickle import dumps

    definition = dumps((ENSEMBLE._source, X, 4, ENSEMBLE.block_size))
    assert distributed._summer(definition) is distributed._summer(definition)
    blocks = ENSEMBLE.blocks[:3]
    here = np.concatenate(list(block_summer(ENSEMBLE._source, X, 4, ENSEMBLE.block_size)(blocks, nobody)))
    assert np.array_equal(np.concatenate(list(distributed._summer(definition)[1](blocks, nobody))), here)


def test_tasks_are_dealt_by_time():
    rows = [(i, [Block(i, 100 * i, 100 + i % 3)]) for i in range(1000)]
    plan, sizes, given = distributed._Plan(rows), [], []
    first = plan.take(n_workers=2)
    assert len(first) == 250  # a fair share, as the speed is not known yet
    assert plan.reserve(2) == 0
    plan.learn(sum(b.n_nets for _, blocks in first[:3] for b in blocks), 3.0)  # compiled for most of its time
    plan.take_back(first[3:])
    given += first[:3]
    while plan.left:
        part = plan.take(n_workers=2)
        given += part
        sizes.append(len(part))
        networks = sum(b.n_nets for _, blocks in part for b in blocks)
        plan.learn(networks, networks / 5000.0)
    assert given == rows
    assert sizes[0] == 1  # a second of the speed known so far
    assert max(sizes) == 49  # a second of 5000 networks a second, in rows of 101
    assert sizes[-1] == 1  # fair shares of what is left
    assert plan.reserve(2) == 0


def test_workers_are_given_enough_to_do(monkeypatch):
    rows = [(i, [Block(i, 100 * i, 100)]) for i in range(100_000)]
    plan = distributed._Plan(rows)
    assert len(plan.portions(0, n_workers=3)) == 6  # two for each while the speed is unknown
    plan = distributed._Plan(rows)
    plan._rate = 1e6
    assert [len(p) for p in plan.portions(0, n_workers=3)] == [10_000] * 5 + [8333]  # a second, or a fair share
    assert plan.reserve(3) == distributed._RESERVE
    assert plan.portions(6, n_workers=3) == []
    assert len(plan.portions(5, n_workers=3)) == 1
    for seconds, tasks in ((0.005, 60), (0.001, 3 * distributed._MOST_WAITING)):
        monkeypatch.setattr(distributed, "SECONDS_PER_TASK", seconds)
        plan = distributed._Plan(rows)
        plan._rate = 1e6
        assert abs(len(plan.portions(0, n_workers=3)) - tasks) <= 1  # a tenth of a second for each worker


def test_a_failing_task_ends_the_run_and_takes_back_the_others(client, monkeypatch):
    def failing(*_):
        raise ArithmeticError("on purpose")

    monkeypatch.setattr(distributed, "block_summer", failing)
    monkeypatch.setattr(distributed, "_RETRIES", 0)
    distributed._summer.cache_clear()
    with pytest.raises(ArithmeticError, match="on purpose"):
        ENSEMBLE.connected_correlators(X, client=client)
    limit = time.monotonic() + 10
    while client.scheduler_info() and client.cluster.scheduler.tasks and time.monotonic() < limit:
        time.sleep(0.05)
    assert not client.cluster.scheduler.tasks


@pytest.mark.slow
def test_workers_that_are_killed_and_come_back_change_nothing():
    ensemble = Ensemble(NET, n_nets=1_000_000, seed=3, backend="numpy")
    plain = ensemble.connected_correlators(X)
    stop, killed = threading.Event(), set()

    def kill(nannies):
        """Kill one worker after the other; their nannies start new ones."""
        while not stop.wait(1.0) and len(killed) < 4:
            if pid := nannies[len(killed) % 2].pid:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with dask.LocalCluster(**options) as cluster, dask.Client(cluster) as client:
            thread = threading.Thread(target=kill, args=(list(cluster.workers.values()),))
            thread.start()
            try:
                found = ensemble.connected_correlators(X, client=client)
            finally:
                stop.set()
                thread.join()
    assert found.dataset.identical(plain.dataset)
    assert len(killed) >= 2
    assert not Path("dask-worker-space").exists()
