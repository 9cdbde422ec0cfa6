"""Trained ensembles against plain loops, rotated copies, the linearised solution, and themselves after a restart."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from numerics.checkpoint import CheckpointError
from numerics.layered_nets import LayeredNet
from numerics.symmetry_claims import invariance_pull, invariant_loss, kurtosis_pulls
from numerics.training import train_ensemble

pytest.importorskip("jax")
optax = pytest.importorskip("optax")

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))
NET = LayeredNet((3, 8, 2), "tanh", sigma_b=0.3)


def forward(weights, biases, x):
    h = np.tanh(np.einsum("pi,nih->nph", x, weights[0]) + biases[0][:, None])
    return h, np.einsum("nph,nho->npo", h, weights[1]) + biases[1][:, None]


def test_gradient_descent_against_a_plain_loop():
    run = train_ensemble(NET, X, Y, n_nets=5, steps=30, seed=4, learning_rate=0.1, chunk=2, points=X[:4])
    start = NET.initial(5, seed=4)
    (w0, w1), (b0, b1) = start["weights"], start["biases"]
    for _ in range(30):
        h, f = forward((w0, w1), (b0, b1), X)
        df = 2 * (f - Y) / Y.size
        dz = np.einsum("npo,nho->nph", df, w1) * (1 - h**2)
        w1, b1 = w1 - 0.1 * np.einsum("nph,npo->nho", h, df), b1 - 0.1 * df.sum(axis=1)
        w0, b0 = w0 - 0.1 * np.einsum("pi,nph->nih", X, dz), b0 - 0.1 * dz.sum(axis=1)
    for found, expected in zip((*run.parameters["weights"], *run.parameters["biases"]), (w0, w1, b0, b1), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-13)
    f = forward((w0, w1), (b0, b1), X)[1]
    np.testing.assert_allclose(run.dataset["outputs"].values[-1], f[:, :4].transpose(0, 2, 1), atol=1e-13)
    np.testing.assert_allclose(run.dataset["loss"].values[-1], ((f - Y) ** 2).mean(axis=(1, 2)), atol=1e-13)
    assert (run.dataset["loss"].values[-1] < run.dataset["loss"].values[0]).all()


def test_tangent_kernel_against_its_formula():
    run = train_ensemble(NET, X, Y, n_nets=3, steps=7, learning_rate=0.1, points=X[:3], ntk=True)
    weights, biases = run.parameters["weights"], run.parameters["biases"]
    h, x = forward(weights, biases, X[:3])[0], X[:3]
    slope, eye = 1 - h**2, np.eye(2)
    exact = np.einsum("ij,nph,nqh->nipjq", eye, h, h) + eye[:, None, :, None]
    exact = exact + np.einsum("nhi,nhj,nph,nqh,pq->nipjq", weights[1], weights[1], slope, slope, x @ x.T + 1)
    np.testing.assert_allclose(run.dataset["ntk"].values[-1], exact, atol=1e-12)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    "loss", ["rotated labels", "fixed labels", invariant_loss], ids=["rotated", "fixed", "invariant"]
)
def test_equivariance_under_rotations_of_the_outputs(loss, optimizer):
    net, R = LayeredNet((3, 8, 2), "relu"), rotation(2, 1)
    start = net.initial(4, seed=2)
    turned = {"weights": (start["weights"][0], start["weights"][1] @ R.T), "biases": ()}
    named = {"loss": loss if callable(loss) else "mse", "optimizer": optimizer, "learning_rate": 0.05}
    labels = Y @ R.T if loss == "rotated labels" else Y
    f = train_ensemble(net, X, Y, n_nets=4, steps=60, initial=start, points=X, **named)
    g = train_ensemble(net, X, labels, n_nets=4, steps=60, initial=turned, points=X, **named)
    expected = np.einsum("ij,snjp->snip", R, f.dataset["outputs"].values)
    deviation = np.abs(g.dataset["outputs"].values - expected).max()
    if optimizer == "sgd" and loss != "fixed labels":
        assert deviation < 1e-12
    else:  # Adam scales every parameter by itself, which singles out a basis
        assert deviation > 1e-2


def test_invariance_is_kept_by_invariant_losses_only():
    assert invariance_pull(invariant_loss) < 5
    assert invariance_pull("mse") > 10


def deviation_from_linear(width):
    net = LayeredNet((3, width, 2), "tanh")
    rate, steps = 1.5 / width, 40
    run = train_ensemble(net, X, Y, n_nets=6, steps=steps, learning_rate=rate, points=X, ntk=True)
    f, theta = run.dataset["outputs"].values.reshape(2, 6, -1), run.dataset["ntk"].values[0].reshape(6, 24, 24)
    target, linear = Y.T.ravel(), f[0]
    for _ in range(steps):
        linear = linear - rate * 2 / Y.size * np.einsum("nab,nb->na", theta, linear - target)
    moved = np.sqrt(((f[1] - f[0]) ** 2).mean())
    return np.sqrt(((f[1] - linear) ** 2).mean()) / moved


def test_wide_networks_follow_the_linearised_solution():
    narrow, wide = deviation_from_linear(30), deviation_from_linear(1920)
    assert wide < 0.02
    assert wide < narrow / 4  # the deviation falls as width**-1/2


def test_minibatches_do_not_depend_on_chunks_but_on_the_seed():
    options = {"n_nets": 5, "steps": 9, "batch_size": 4, "optimizer": "adam", "decay": 0.5, "loss": "cross_entropy"}
    a = train_ensemble(NET, X, abs(Y) / abs(Y).sum(axis=1)[:, None], chunk=5, points=X, **options)
    b = train_ensemble(NET, X, abs(Y) / abs(Y).sum(axis=1)[:, None], chunk=2, points=X, **options)
    np.testing.assert_allclose(a.dataset["outputs"], b.dataset["outputs"], atol=1e-13)
    c = train_ensemble(NET, X, abs(Y) / abs(Y).sum(axis=1)[:, None], chunk=5, points=X, seed=1, **options)
    assert not np.allclose(a.dataset["outputs"], c.dataset["outputs"])


def test_resumed_runs_agree_to_the_last_bit(tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total):
        if done >= 4:
            raise Stopped

    options = {"n_nets": 7, "steps": 9, "batch_size": 4, "chunk": 2, "points": X, "ntk": True, "dtype": "float32"}
    whole = train_ensemble(NET, X, Y, **options)
    with pytest.raises(Stopped):
        train_ensemble(NET, X, Y, checkpoint=tmp_path / "run", callback=stop, **options)
    resumed = train_ensemble(NET, X, Y, checkpoint=tmp_path / "run", **options)
    for name in whole.dataset:
        np.testing.assert_array_equal(whole.dataset[name], resumed.dataset[name])
    for kind in ("weights", "biases"):
        for a, b in zip(whole.parameters[kind], resumed.parameters[kind], strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(CheckpointError, match="learning_rate"):
        train_ensemble(NET, X, Y, checkpoint=tmp_path / "run", learning_rate=0.5, **options)


def test_correlators_over_the_ensemble():
    run = train_ensemble(NET, X, Y, n_nets=400, steps=0, record=(0,), points=X[:2], chunk=400)
    f = run.dataset["outputs"].values[0]
    value, error = run.correlator(2, step=0)
    assert value.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(value[0, 1, 1, 0], (f[:, 0, 1] * f[:, 1, 0]).mean())
    assert abs(value[0, 0, 1, 0] / error[0, 0, 1, 0]) < 5
    with pytest.raises(ValueError, match="step one of"):
        run.correlator(2, step=3)


def test_kurtosis_of_untrained_networks():
    found = kurtosis_pulls()
    assert all(abs(v - exact) < 5 * e for v, e, exact in found.values())
    value, error, exact = found[10]
    assert abs(value - exact / 2) > 5 * error


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": "l3"}, "no loss"),
        ({"optimizer": "newton"}, "no optimizer"),
        ({"optimizer": optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))}, "mixes parameters"),
        ({"batch_size": 13}, "batch_size from 1 to the 12"),
        ({"record": (0, 3)}, "record must rise"),
        ({"ntk": True}, "needs points"),
        ({"dtype": "float16"}, "float64"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"initial": {"weights": (np.zeros((2, 3, 8)),), "biases": ()}}, "initial must have the shapes"),
        ({"points": np.zeros((2, 4))}, r"points must be a finite array \(n, 3\)"),
        ({"checkpoint": "x", "loss": invariant_loss}, "given by name"),
    ],
)
def test_bad_input(options, says):
    with pytest.raises(ValueError, match=says):
        train_ensemble(NET, X, Y, **{"n_nets": 2, "steps": 5} | options)


def test_divergence_is_reported():
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        train_ensemble(LayeredNet((3, 8, 2), "linear"), X, Y, n_nets=2, steps=400, learning_rate=50.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"widths": (3, 2)}, "three positive"), ({"activation": "step"}, "no activation"), ({"shifted": 3}, "shifted")],
    ids=["widths", "activation", "shifted"],
)
def test_bad_nets(options, says):
    with pytest.raises(ValueError, match=says):
        LayeredNet(**{"widths": (3, 4, 2)} | options)


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optax" else real(name))
    with pytest.raises(ImportError, match=r'pip install "nnft\[training\]"'):
        train_ensemble(NET, X, Y, n_nets=2, steps=5)


def test_importing_does_not_need_jax():
    names = "training, training_steps, layered_nets, fashion_grid, symmetry_claims, cli_fashion"
    code = f"import sys; sys.modules.update(jax=None, optax=None); from numerics import {names}"
    subprocess.run([sys.executable, "-c", code], check=True)
