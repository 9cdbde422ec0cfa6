"""Accuracy on Fashion-MNIST against the size and the number of symmetry-breaking means, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.fashion_mnist import N_CLASSES, ImageData, as_inputs, encode
from numerics.layered_nets import LayeredNet, Parameters
from numerics.training import train_ensemble

Floats = NDArray[np.float64]
SMALL_MEAN = 0.04  # the mean 0.9 of one-cold targets is met near 0.036


@dataclass(frozen=True)
class GridSettings:
    """What is trained: a heat map over (mu, k), and scans over mu with all outputs shifted.

    The defaults are the setting of arXiv:2106.00694, 2100 networks; :meth:`medium` has all images but fewer networks
    and passes, :meth:`reduced` is for a quick look.
    """

    means: tuple[float, ...] = tuple(round(0.01 * i, 2) for i in range(21))
    shifted: tuple[int, ...] = (0, 2, 4, 6, 8, 10)
    runs: int = 10
    scan_means: tuple[float, ...] = tuple(round(0.01 * i, 2) for i in range(21))
    scan_runs: int = 20
    epochs: int = 20
    n_train: int = 60_000
    n_test: int = 10_000
    hidden: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-3
    decay: float = 0.7
    seed: int = 1
    chunk: int = 10

    @classmethod
    def reduced(cls) -> GridSettings:
        """Return a setting of a minute: 6000 images, 3 passes, 3 x 3 points."""
        return cls(
            means=(0.0, 0.1, 0.2), shifted=(0, 4, 10), runs=5, scan_means=(0.0, 0.02, 0.04, 0.1, 0.2), scan_runs=8,
            epochs=3, n_train=6000, n_test=2000,
        )  # fmt: skip

    @classmethod
    def medium(cls) -> GridSettings:
        """Return a setting of some minutes: all images, 5 passes, 550 networks."""
        means = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2)
        return cls(means=means, runs=5, scan_means=means, scan_runs=10, epochs=5)

    @classmethod
    def named(cls, name: str) -> GridSettings:
        """Return the setting of that name, ``"reduced"``, ``"medium"`` or ``"full"``."""
        settings: dict[str, Callable[[], GridSettings]]
        settings = {"reduced": cls.reduced, "medium": cls.medium, "full": cls}
        if name not in settings:
            raise ValueError(f"no setting {name!r}; choose one of {', '.join(map(repr, settings))}")
        return settings[name]()

    def __post_init__(self) -> None:
        for name, means in (("means", self.means), ("scan_means", self.scan_means)):
            if len(means) < 2 or means[0] != 0 or any(a >= b for a, b in pairwise(means)):
                raise ValueError(f"{name} must rise from 0, at least two of them; got {means}")
        if any(not 0 <= k <= N_CLASSES for k in self.shifted) or len(set(self.shifted)) < 2:
            raise ValueError(f"shifted must hold at least two numbers from 0 to {N_CLASSES}, got {self.shifted}")
        if min(self.runs, self.scan_runs) < 2 or self.epochs < 1:
            raise ValueError(f"at least 2 runs for errors and 1 epoch are needed, got {self.runs}, {self.scan_runs}, "
                             f"{self.epochs}")  # fmt: skip
        if self.batch_size > self.n_train:
            raise ValueError(f"batch_size {self.batch_size} is more than the {self.n_train} images")


@dataclass(frozen=True, eq=False)
class AccuracyGrid:
    """Best test accuracy over all passes, of every network.

    Parameters
    ----------
    settings : GridSettings
    heat : array (means, shifted, runs)
        One-hot targets.
    scans : dict
        ``"one_hot"`` and ``"one_cold"``: arrays (scan_means, scan_runs), all outputs shifted.
    origin : str
        Which files the images came from.
    """

    settings: GridSettings
    heat: Floats
    scans: dict[str, Floats]
    origin: str

    def differences(self) -> dict[str, tuple[float, float]]:
        """Return changes of mean accuracy with standard errors, from independent networks.

        ``one_hot_mean``: from mu = 0 to the largest, all outputs shifted; ``one_hot_shifted``: from the smallest to the
        largest k at the largest mu; ``one_cold_small`` and ``one_hot_small``: the worst change from mu = 0 to
        0 < mu <= 0.04, in units of its error; ``one_cold_mean`` as ``one_hot_mean``.
        """
        hot, cold = self.scans["one_hot"], self.scans["one_cold"]
        means = np.array(self.settings.scan_means)
        small = np.flatnonzero((means > 0) & (means <= SMALL_MEAN))
        order = np.argsort(self.settings.shifted)
        found = {
            "one_hot_mean": _change(hot[0], hot[-1]),
            "one_hot_shifted": _change(self.heat[-1, order[0]], self.heat[-1, order[-1]]),
            "one_cold_mean": _change(cold[0], cold[-1]),
        }
        if len(small):
            for name, scan in (("one_hot_small", hot), ("one_cold_small", cold)):
                found[name] = min((_change(scan[0], scan[i]) for i in small), key=lambda c: c[0] / c[1])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        return {
            "settings": asdict(self.settings),
            "origin": self.origin,
            "heat": self.heat.tolist(),
            "scans": {name: scan.tolist() for name, scan in self.scans.items()},
            "differences": {name: list(d) for name, d in self.differences().items()},
        }

    def __str__(self) -> str:
        s = self.settings
        lines = [f"one-hot accuracy in % ({self.origin}); mu down, k to the right"]
        lines.append("    mu " + "".join(f"{k:>13}" for k in s.shifted))
        lines += [f"{mu:6.2f} " + "".join(f"{_percent(cell):>13}" for cell in row)
                  for mu, row in zip(s.means, self.heat, strict=True)]  # fmt: skip
        lines += [f"{'mu':>6} {'one-hot':>12} {'one-cold':>12}   (k = {N_CLASSES})"]
        rows = zip(s.scan_means, self.scans["one_hot"], self.scans["one_cold"], strict=True)
        return "\n".join(lines + [f"{mu:6.2f} {_percent(a):>12} {_percent(b):>12}" for mu, a, b in rows])


def accuracy_grid(data: ImageData, settings: GridSettings, *, folder: Path | None = None) -> AccuracyGrid:
    """Return the accuracies of all grid points, trained as one ensemble for each of heat map and scans.

    Parameters
    ----------
    data : ImageData
    settings : GridSettings
    folder : Path, optional
        Keeps finished networks; the same call goes on from there, also after ``kill -9``.

    Returns
    -------
    AccuracyGrid
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    data = data.first(settings.n_train, settings.n_test)
    cells = [(mu, k) for mu in settings.means for k in settings.shifted]
    heat = _accuracies(data, settings, "heat", "one_hot", cells, settings.runs, folder)
    line = [(mu, N_CLASSES) for mu in settings.scan_means]
    scans = {e: _accuracies(data, replace(settings, seed=settings.seed + 1 + i), f"scan_{e}", e, line,
                            settings.scan_runs, folder) for i, e in enumerate(("one_hot", "one_cold"))}  # fmt: skip
    return AccuracyGrid(settings, heat.reshape(len(settings.means), len(settings.shifted), -1), scans, data.origin)


def _accuracies(
    data: ImageData, s: GridSettings, name: str, encoding: str, cells: list[tuple[float, int]], runs: int,
    folder: Path | None,
) -> Floats:  # fmt: skip
    """Return the best accuracy of each network, (cells, runs)."""
    net = LayeredNet((data.train_images[0].size, s.hidden, N_CLASSES))
    start = shifted_parameters(net, cells, runs, seed=s.seed)
    per_pass, labels = s.n_train // s.batch_size, data.test_labels

    def accuracy(f: Any) -> Any:
        chosen = f.argmax(axis=1) if encoding == "one_hot" else f.argmin(axis=1)
        return (chosen == labels).mean()

    run = train_ensemble(
        net, as_inputs(data.train_images), encode(data.train_labels, encoding), n_nets=len(cells) * runs,
        steps=s.epochs * per_pass, seed=s.seed, optimizer="adam", learning_rate=s.learning_rate, decay=s.decay,
        batch_size=s.batch_size, record=[per_pass * (e + 1) for e in range(s.epochs)], initial=start, chunk=s.chunk,
        measures={"accuracy": (as_inputs(data.test_images), accuracy)}, losses=False,
        keep_parameters=False, dtype="float32", backend="numba",
        checkpoint=None if folder is None else folder / f"{name}.ckpt",
        callback=lambda done, total: print(f"{name}: {done} of {total} networks", file=sys.stderr),
    )  # fmt: skip
    best: Floats = run.dataset["accuracy"].values.max(axis=0).reshape(len(cells), runs)
    return best


def shifted_parameters(net: LayeredNet, cells: list[tuple[float, int]], runs: int, *, seed: int) -> Parameters:
    """Return initial parameters of ``runs`` networks for each (mu, k), all drawn independently."""
    start = net.initial(len(cells) * runs, seed=seed, dtype="float32")
    for i, (mu, k) in enumerate(cells):
        start["weights"][-1][i * runs : (i + 1) * runs, :, :k] += np.float32(mu)
    return start


def _change(before: Floats, after: Floats) -> tuple[float, float]:
    variances = before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after)
    return float(after.mean() - before.mean()), float(max(np.sqrt(variances), 1e-12))


def _percent(cell: Floats) -> str:
    from numerics.results import format_uncertainty

    return format_uncertainty(100 * float(cell.mean()), 100 * float(cell.std(ddof=1)) / len(cell) ** 0.5)
