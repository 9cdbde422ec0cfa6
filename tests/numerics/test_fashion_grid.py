"""The grid of accuracies on made-up images: what it finds, resuming, plots, verdicts, the command."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from numerics.checkpoint import CheckpointError
from numerics.cli import main
from numerics.fashion_grid import AccuracyGrid, GridSettings, accuracy_grid, shifted_parameters
from numerics.fashion_mnist import ImageData
from numerics.fashion_plots import plot_heat_map, plot_scan
from numerics.layered_nets import LayeredNet
from numerics.symmetry_claims import Claim, training_claims

SETTINGS = GridSettings(
    means=(0.0, 0.4), shifted=(0, 10), runs=3, scan_means=(0.0, 0.04, 0.4), scan_runs=3, epochs=4, n_train=640,
    n_test=200, hidden=20, batch_size=32, learning_rate=3e-3, decay=1.0, chunk=7,
)  # fmt: skip


def images(n, seed):
    rng, labels = np.random.default_rng(seed), np.arange(n) % 10
    pixels = rng.integers(0, 60, (n, 28, 28))
    for i, k in enumerate(labels):
        pixels[i, 5 * (k // 5) + 5 : 5 * (k // 5) + 10, 5 * (k % 5) : 5 * (k % 5) + 5] += 190
    return pixels.astype(np.uint8), labels


DATA = ImageData(*images(640, 1), *images(200, 2), "made up", ())


def test_grid_falls_resumes_and_is_drawn(tmp_path):
    pytest.importorskip("optax")
    grid = accuracy_grid(DATA, SETTINGS, folder=tmp_path)
    assert grid.heat.shape == (2, 2, 3)
    assert grid.heat[0].mean() > 0.5
    value, error = grid.differences()["one_hot_mean"]
    assert value / error < -5
    (tmp_path / "scan_one_cold.ckpt").unlink()
    again = accuracy_grid(DATA, SETTINGS, folder=tmp_path)
    np.testing.assert_array_equal(again.heat, grid.heat)
    np.testing.assert_array_equal(again.scans["one_cold"], grid.scans["one_cold"])
    with pytest.raises(CheckpointError, match="learning_rate"):
        accuracy_grid(DATA, replace(SETTINGS, learning_rate=1e-4), folder=tmp_path)
    assert plot_heat_map(grid).images[0].get_array().shape == (2, 2)
    assert len(plot_scan(grid).containers) == 2
    json.dumps(grid.to_dict())
    assert "one-cold" in str(grid)


@pytest.mark.parametrize(("sign", "falls"), [(-1, True), (1, False)], ids=["falls", "rises"])
def test_changes_have_the_right_sign_and_error(sign, falls):
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 40))
    scan = 0.5 + sign * 0.1 * np.arange(3)[:, None] + noise
    heat = np.stack([scan[:2], scan[1:]])
    value, error = AccuracyGrid(SETTINGS, heat, {"one_hot": scan, "one_cold": scan}, "").differences()["one_hot_mean"]
    assert (value < 0) == falls
    assert error == pytest.approx(0.01 * np.sqrt(2 / 40), rel=0.3)
    assert abs(value - sign * 0.2) < 5 * error


@pytest.mark.parametrize("sign", [-1, 1], ids=["falls", "rises"])
def test_verdicts(sign, monkeypatch):
    monkeypatch.setattr("numerics.symmetry_claims.invariance_pull", lambda loss: 50.0 if loss == "mse" else 1.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 40))
    scan = 0.5 + sign * np.array([[0.0], [0.03], [0.2]]) * np.array([[1], [-1], [1]]) + noise
    grid = AccuracyGrid(SETTINGS, np.stack([scan[:2], scan[1:]])[:, [0, 1]], {"one_hot": scan, "one_cold": scan}, "")
    verdicts = {c.statement: c.holds for c in training_claims(grid)}
    about_accuracy = [holds for statement, holds in verdicts.items() if "accuracy" in statement]
    assert about_accuracy == ([True] * 4 if sign < 0 else [False] * 4)
    assert {c.name for c in training_claims(grid)} == {"C4", "C5", "C6"}
    assert json.dumps(asdict(Claim("C5", "", np.less(1, 2), "")))


def test_means_go_to_the_first_outputs():
    w = shifted_parameters(LayeredNet((4, 300, 5)), [(0.0, 5), (3.0, 2)], 2, seed=1)["weights"][1].mean(axis=1)
    np.testing.assert_allclose(w[:2], 0, atol=0.02)
    np.testing.assert_allclose(w[2:], [[3, 3, 0, 0, 0]] * 2, atol=0.02)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"means": (0.1, 0.2)}, "rise from 0"), ({"shifted": (0, 11)}, "0 to 10"), ({"runs": 1}, "at least 2 runs"),
     ({"batch_size": 641}, "more than")],
    ids=["means", "shifted", "runs", "batch"],
)  # fmt: skip
def test_bad_settings(options, says):
    with pytest.raises(ValueError, match=says):
        replace(SETTINGS, **options)


def test_command_without_images(tmp_path, capsys):
    assert main(["fashion", "--data", str(tmp_path), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "zalandoresearch" in captured.err


def test_command_says_when_training_diverges(monkeypatch, capsys):
    def diverge(*arguments, **options):
        raise FloatingPointError("a loss is not finite at step 3: take a smaller learning rate")

    monkeypatch.setattr("numerics.fashion_mnist.load_fashion_mnist", lambda *a, **k: None)
    monkeypatch.setattr("numerics.fashion_grid.accuracy_grid", diverge)
    assert main(["fashion"]) == 2
    assert "smaller learning rate" in capsys.readouterr().err
