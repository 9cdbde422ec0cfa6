"""Correlators and tangent kernels while networks are trained: what stays of a symmetry, step by step."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from diagrams import Orthogonal
from numerics.layered_nets import LayeredNet
from numerics.symmetry_claims import invariant_loss
from numerics.symmetry_tests import symmetry_test
from numerics.tangent_kernels import tangent_kernel_symmetry
from numerics.training import train_ensemble

pytest.importorskip("optax")

RNG = np.random.default_rng(12)
X, Y = RNG.normal(size=(10, 2)), RNG.normal(size=(10, 3))
STEPS = (0, 10, 40)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def test_kernels_turn_with_outputs_and_inputs_at_every_step():
    net, r, q = LayeredNet((2, 12, 3)), rotation(3, 1), rotation(2, 2)
    w0, w1 = net.initial(5, seed=2)["weights"]

    def kernels(first, second, x, y, **options):
        options = {"optimizer": "sgd", "learning_rate": 0.1, **options}
        start = {"weights": (first, second), "biases": ()}
        run = train_ensemble(
            net, x, y, n_nets=5, steps=40, record=STEPS, initial=start, points=x[:3], ntk=True, backend="numba",
            **options,
        )  # fmt: skip
        return np.array([run.tangent_kernels(step=s) for s in STEPS])

    theta = kernels(w0, w1, X, Y)
    assert np.abs(theta[2] - theta[0]).max() > 0.1  # the kernel moves
    outputs = np.einsum("ab,snbcxy,dc->snadxy", r, theta, r)
    np.testing.assert_allclose(kernels(w0, w1 @ r.T, X, Y @ r.T), outputs, atol=1e-12)
    np.testing.assert_allclose(kernels(q @ w0, w1, X @ q.T, Y), theta, atol=1e-12)
    fixed = np.abs(kernels(w0, w1 @ r.T, X, Y) - outputs).max(axis=(1, 2, 3, 4, 5))
    assert fixed[0] < 1e-12 < 1e-2 < fixed[1]  # fixed labels: not once training has begun
    adam = np.abs(kernels(w0, w1 @ r.T, X, Y @ r.T, optimizer="adam") - kernels(w0, w1, X, Y, optimizer="adam"))
    assert adam[2].max() > 1e-2  # Adam singles out a basis


@cache
def trained(loss):
    labels = np.tile([1.0, 0.0, 0.0], (len(X), 1))
    return train_ensemble(
        LayeredNet((2, 12, 3)), X, labels, n_nets=1500, steps=40, seed=4, record=STEPS, loss=loss, learning_rate=0.1,
        points=X[:2], ntk=True, keep_parameters=False, chunk=500,
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_invariant_losses_keep_the_symmetry(step):
    run = trained(invariant_loss)
    kernels = run.tangent_kernels(step=step)
    assert symmetry_test(run.dataset["outputs"].sel(step=step).values, Orthogonal(3), elements=20).holds
    assert max(tangent_kernel_symmetry(kernels, Orthogonal(3), point=p).sigma for p in ((0, 0), (0, 1))) < 4


def test_fixed_labels_leave_their_stabiliser():
    run = trained("mse")
    for step in STEPS:
        f, kernels = run.dataset["outputs"].sel(step=step).values, run.tangent_kernels(step=step)
        broken = symmetry_test(f, Orthogonal(3), elements=20), tangent_kernel_symmetry(kernels, Orthogonal(3))
        rest = symmetry_test(f[:, 1:], Orthogonal(2), elements=20)
        assert rest.holds
        assert tangent_kernel_symmetry(kernels[:, 1:, 1:], Orthogonal(2)).sigma < 4
        if step == 0:
            assert broken[0].holds
            assert broken[1].sigma < 4
        else:
            assert not broken[0].holds
            assert broken[1].sigma > 10
    assert np.abs(run.dataset["ntk"].mean("net").diff("step")).max() > 0.05  # the averaged kernel moves


def test_not_recorded():
    run = train_ensemble(LayeredNet((2, 4, 3)), X, Y, n_nets=2, steps=1, points=X[:1], backend="numba")
    with pytest.raises(ValueError, match="ntk=True"):
        run.tangent_kernels(step=1)
    with pytest.raises(ValueError, match="one of"):
        trained("mse").tangent_kernels(step=3)
