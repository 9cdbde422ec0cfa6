"""Compiled steps against jax, and against themselves for other chunks, threads and after a restart."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from numerics.checkpoint import CheckpointError
from numerics.layered_nets import LayeredNet
from numerics.training import train_ensemble

RNG = np.random.default_rng(3)
X, Y, POINTS = RNG.normal(size=(40, 6)), RNG.normal(size=(40, 3)), RNG.normal(size=(5, 6))
NET = LayeredNet((6, 10, 3))
MEASURES = {"size": (X[:7], lambda f: (f**2).sum())}


def trained(backend="numba", **options):
    common = {"n_nets": 6, "steps": 60, "batch_size": 8, "learning_rate": 0.02, "points": POINTS}
    return train_ensemble(NET, X, Y, backend=backend, **common | options)


def deviation(a, b):
    recorded = [np.abs(a.dataset[name] - b.dataset[name]).max() for name in a.dataset]
    pairs = zip(a.parameters["weights"], b.parameters["weights"], strict=True)
    return float(max(*recorded, *(np.abs(v - w).max() for v, w in pairs)))


@pytest.mark.parametrize("batch_size", [8, None], ids=["batches", "all data"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_same_trajectories_as_jax(optimizer, batch_size):
    pytest.importorskip("optax")
    options = {"optimizer": optimizer, "batch_size": batch_size, "decay": 0.8, "ntk": True, "measures": MEASURES}
    options |= {"record": (0, 30, 60)}
    ours, theirs = trained(**options), trained("jax", **options)
    assert deviation(ours, theirs) < 1e-12
    assert deviation(trained(**options, learning_rate=0.0202), theirs) > 1e-4
    assert deviation(trained(**options | {"decay": 0.81}), theirs) > 1e-4


def test_in_single_precision_trajectories_part_slowly():
    pytest.importorskip("optax")
    options = {"optimizer": "adam", "dtype": "float32"}
    assert deviation(trained(**options), trained("jax", **options)) < 2e-5


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_chunks_threads_and_company_change_no_bit(optimizer, monkeypatch):
    options = {"optimizer": optimizer, "dtype": "float32", "n_nets": 14, "ntk": True, "measures": MEASURES}
    whole = trained(**options)
    monkeypatch.setattr("numerics.kernels.threads.n_threads", lambda: 3)
    start = NET.initial(19, seed=0, dtype="float32")
    for other in ({"chunk": 1}, {"chunk": 9}, {"n_nets": 19, "initial": start, "chunk": 5}):
        run = trained(**options | other)
        for name in whole.dataset:
            np.testing.assert_array_equal(whole.dataset[name], run.dataset[name][:, :14])
        for v, w in zip(whole.parameters["weights"], run.parameters["weights"], strict=True):
            np.testing.assert_array_equal(v, w[:14])
    assert deviation(whole, trained(**options, seed=1)) > 0.1


def test_resumed_runs_agree_to_the_last_bit(tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(done, total):
        if done >= 8:
            raise Stopped

    monkeypatch.setattr("numerics.kernels.threads.n_threads", lambda: 2)
    options = {"n_nets": 18, "chunk": 5, "optimizer": "adam", "dtype": "float32", "losses": False}
    whole = trained(**options)
    assert "loss" not in whole.dataset
    with pytest.raises(Stopped):
        trained(checkpoint=tmp_path / "run", callback=stop, **options)
    assert deviation(whole, trained(checkpoint=tmp_path / "run", **options)) == 0
    with pytest.raises(CheckpointError, match="learning_rate"):
        trained(checkpoint=tmp_path / "run", learning_rate=0.5, **options)


@pytest.mark.parametrize("backend", ["jax", "numba"])
@pytest.mark.parametrize("losses", [True, False], ids=["loss", "parameter"])
def test_divergence_is_reported(backend, losses):
    if backend == "jax":
        pytest.importorskip("optax")
    what = "loss" if losses else "parameter"
    with pytest.raises(FloatingPointError, match=f"a {what} is not finite at step 60: take a smaller"):
        trained(backend, learning_rate=1e6, losses=losses)


@pytest.mark.parametrize(
    ("net", "options", "says"),
    [
        (LayeredNet((6, 4, 4, 3)), {}, "one hidden layer"),
        (LayeredNet((6, 4, 3), "tanh"), {}, "'relu', not 'tanh'"),
        (LayeredNet((6, 4, 3), sigma_b=0), {}, "no biases"),
        (NET, {"loss": "cross_entropy"}, "the loss 'mse'"),
        (NET, {"optimizer": "newton"}, "'sgd' or 'adam'"),
        (NET, {"learning_rate": 0.0}, "must be positive"),
        (NET, {"backend": "torch"}, "choose one of 'jax', 'numba'"),
    ],
    ids=["depth", "activation", "biases", "loss", "optimizer", "rate", "backend"],
)
def test_refused(net, options, says):
    with pytest.raises(ValueError, match=says):
        train_ensemble(net, X, Y, **{"n_nets": 2, "steps": 5, "backend": "numba"} | options)


def test_needs_no_jax():
    code = (
        "import sys; sys.modules.update(jax=None, optax=None)\n"
        "from numerics import LayeredNet, train_ensemble\n"
        "options = {'n_nets': 2, 'steps': 0, 'record': (0,), 'backend': 'numba'}\n"
        "print(train_ensemble(LayeredNet((2, 3, 1)), [[1, 2]], [[0]], **options).dataset.sizes['net'])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "2"
