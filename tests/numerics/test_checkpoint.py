"""Long runs: killed, interrupted, resumed, damaged, on a full disk, and on a cluster; the result never changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from diagrams import Box, Discrete, LocalInteraction, Uniform, cos_net, deform, mixture
from numerics import Ensemble
from numerics.blocks import _Rows
from numerics.checkpoint import MAGIC, Checkpoint, CheckpointError, CheckpointWarning
from numerics.estimators import block_sums
from numerics.tails import CancellationWarning, warn_of_rounding

X = np.array([[0.0], [0.7]])
NET = cos_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1)
ENSEMBLE = Ensemble(NET, n_nets=200_000, seed=3)

SCRIPT = """
import sys
import numpy as np
from diagrams import cos_net
from numerics import Ensemble
net = cos_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1)
ensemble = Ensemble(net, n_nets=600_000, seed=3, backend="numpy")
print("begins", flush=True)
ensemble.connected_correlators(
    [[0.0], [0.7]], checkpoint=sys.argv[1], checkpoint_seconds=0, method="neuron"
).save(sys.argv[2])
"""


@pytest.fixture(scope="module")
def plain():
    return ENSEMBLE.connected_correlators(X)


def test_a_checkpoint_changes_nothing_and_is_used(plain, tmp_path, monkeypatch):
    path = tmp_path / "run"
    assert ENSEMBLE.connected_correlators(X, checkpoint=path).dataset.identical(plain.dataset)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    monkeypatch.setattr("numerics.blocks.block_summer", None)  # nothing is left to be done
    assert ENSEMBLE.connected_correlators(X, checkpoint=path).dataset.identical(plain.dataset)


@pytest.mark.parametrize("finished", [[0], [0, 1, 2], [5, 6, 40]], ids=str)
def test_resumed_from_any_rows(plain, tmp_path, finished, monkeypatch):
    path = tmp_path / "run"
    ENSEMBLE.connected_correlators(X, checkpoint=path)
    original = Checkpoint._read

    def some(self):
        original(self)
        kept = np.isin(np.arange(len(self.done)), finished)
        self.rows[~kept], self.done[~kept] = 1e30, False

    monkeypatch.setattr(Checkpoint, "_read", some)
    assert ENSEMBLE.connected_correlators(X, checkpoint=path).dataset.identical(plain.dataset)


def test_kill_nine_several_times(tmp_path):
    """Each process is killed once it has written something new; the last one may finish."""
    path, result = tmp_path / "run", tmp_path / "result.nc"
    sizes = []
    for _ in range(2):
        before = path.stat().st_size if path.exists() else 0
        with subprocess.Popen([sys.executable, "-c", SCRIPT, path, result], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"begins\n"
            limit = time.monotonic() + 60
            while not (path.exists() and path.stat().st_size > before) and time.monotonic() < limit:
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
        sizes.append(path.stat().st_size)
    assert not result.exists()
    assert 0 < sizes[0] < sizes[1]
    subprocess.run([sys.executable, "-c", SCRIPT, path, result], check=True, capture_output=True)
    ensemble = Ensemble(NET, n_nets=600_000, seed=3, backend="numpy")
    untouched = ensemble.connected_correlators(X, method="neuron").save(tmp_path / "untouched.nc")
    assert result.read_bytes() == untouched.read_bytes()


def test_an_interrupt_leaves_a_checkpoint_and_says_so(plain, tmp_path, monkeypatch):
    path = tmp_path / "run"
    add, calls = _Rows.add, []

    def interrupted(self, first, rows):
        add(self, first, rows)
        calls.append(first)
        if len(calls) == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(_Rows, "add", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        ENSEMBLE.connected_correlators(X, checkpoint=path)
    assert "goes on" in caught.value.__notes__[0]
    assert len(calls) == 10
    assert ENSEMBLE.connected_correlators(X, checkpoint=path).dataset.identical(plain.dataset)
    assert calls[10:] == list(range(10, len(ENSEMBLE.blocks)))


INTERRUPTED = """
import signal
import sys
import numpy as np
from diagrams import cos_net
from numerics import Ensemble
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    net = cos_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1)
    ensemble = Ensemble(net, n_nets=10**10, seed=3, backend="numpy")
    options = {}
    if sys.argv[2] == "cluster":
        from distributed import Client, LocalCluster
        options = {"client": Client(LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None))}
    print("begins", flush=True)
    ensemble.connected_correlators([[0.0]], max_points=2, checkpoint=sys.argv[1], progress=True, **options)
"""


@pytest.mark.parametrize("where", ["here", pytest.param("cluster", marks=pytest.mark.slow)])
def test_ctrl_c_ends_the_run_at_once(tmp_path, where):
    """A real signal: by then the run is in the middle of its networks, whose first row would take many seconds."""
    path, script = tmp_path / "run", tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    command = [sys.executable, script, path, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begins\n"
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert time.monotonic() - start < 30
    assert "KeyboardInterrupt" in errors
    assert "the same call with checkpoint=" in errors
    assert path.read_bytes().startswith(MAGIC)


@pytest.mark.parametrize(
    "name", ["seed", "n_nets", "dtype", "backend", "points", "max_points", "architecture", "method", "versions"]
)
def test_another_definition_is_refused(tmp_path, name, monkeypatch):
    path = tmp_path / "run"
    small = {"n_nets": 2000, "seed": 1, "backend": "numba", "dtype": "float64"}
    Ensemble(NET, **small).connected_correlators(X, checkpoint=path)
    before = path.read_bytes()
    other = {"seed": 2, "n_nets": 2001, "dtype": "float32", "backend": "numpy"}
    net = cos_net(input_dim=1).at(N=11, sigma_w0=1, sigma_w1=1) if name == "architecture" else NET
    changed = Ensemble(net, **small | ({name: other[name]} if name in other else {}))
    if name == "versions":
        monkeypatch.setattr("numerics.ensemble.versions", lambda: "nnft 0.0.1")
    options = {"max_points": 3} if name == "max_points" else {"method": "neuron"} if name == "method" else {}
    with pytest.raises(CheckpointError, match=name):
        changed.connected_correlators(X + (name == "points"), checkpoint=path, **options)
    assert path.read_bytes() == before


def test_another_density_of_the_same_name_is_refused(tmp_path):
    path = tmp_path / "run"
    nets = [mixture(cos_net(readout=Uniform(-k, k)), {"sigma_w0": Discrete((1, 2))}).at(N=4) for k in (1, 2)]
    assert repr(nets[0]) == repr(nets[1])
    Ensemble(nets[0], n_nets=500, seed=1).connected_correlators(X, checkpoint=path)
    with pytest.raises(CheckpointError, match="architecture"):
        Ensemble(nets[1], n_nets=500, seed=1).connected_correlators(X, checkpoint=path)


def test_damaged_files_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "run"
    ensemble = Ensemble(NET, n_nets=2000, seed=1)
    ensemble.connected_correlators(X, checkpoint=path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) - 100] ^= 4
    cases = {
        b"": "not a checkpoint", whole[:10]: "not a checkpoint", b"text": "not a checkpoint",
        whole[:60]: "cannot be read", whole[:-8]: "checksum", bytes(flipped): "checksum", whole + b"1": "checksum",
        whole.replace(b'"format": 1', b'"format": 9'): "format 9", MAGIC + b"{}\n": "cannot be read",
    }  # fmt: skip
    for content, text in cases.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=text):
            ensemble.connected_correlators(X, checkpoint=path)
        assert path.read_bytes() == content


def test_a_full_disk_keeps_the_old_file_and_the_run(plain, tmp_path, monkeypatch):
    path = tmp_path / "run"
    ENSEMBLE.connected_correlators(X, checkpoint=path)
    before = path.read_bytes()
    monkeypatch.setattr(Checkpoint, "_read", lambda self: None)  # begin anew over the old file

    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "_bytes", full)
    with pytest.warns(CheckpointWarning, match="No space left") as caught:
        found = ENSEMBLE.connected_correlators(X, checkpoint=path, checkpoint_seconds=0)
    assert len(caught) == 1
    assert found.dataset.identical(plain.dataset)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


FULL = """
import resource, sys, warnings
from diagrams import cos_net
from numerics import Ensemble
from numerics.checkpoint import CheckpointWarning
net = cos_net(input_dim=1).at(N=10, sigma_w0=1, sigma_w1=1)
ensemble = Ensemble(net, n_nets=2000, seed=3, backend="numpy")
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # a write fails when its file is half written
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", CheckpointWarning)
    found = ensemble.connected_correlators([[0.0], [0.7]], checkpoint=sys.argv[1], checkpoint_seconds=0)
print([str(w.message) for w in caught if w.category is CheckpointWarning], found.values(4).tolist())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the size of files are POSIX")
def test_a_write_that_fails_in_the_middle(tmp_path):
    path = tmp_path / "run"
    run = subprocess.run([sys.executable, "-c", FULL, path], check=True, capture_output=True, text=True)
    ensemble = Ensemble(NET, n_nets=2000, seed=3, backend="numpy")
    assert run.stdout.count("cannot be written") == 1
    assert str(ensemble.connected_correlators(X).values(4).tolist()) in run.stdout
    assert {p.name for p in tmp_path.iterdir()} <= {"run"}  # no half-written file
    assert ensemble.connected_correlators(X, checkpoint=path).dataset.identical(
        ensemble.connected_correlators(X).dataset
    )


def test_requests_that_cannot_be_met(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        ENSEMBLE.connected_correlators(X, checkpoint=tmp_path / "missing" / "run")
    with pytest.raises(IsADirectoryError, match="give the name of a file"):
        ENSEMBLE.connected_correlators(X, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="checkpoint_seconds must be >= 0"):
        ENSEMBLE.connected_correlators(X, checkpoint=tmp_path / "run", checkpoint_seconds=-1)
    deformed = deform(NET, LocalInteraction({4: 1}, region=Box(2)))
    with pytest.raises(ValueError, match="not for actions with an interaction"):
        Ensemble(deformed, n_nets=1000).connected_correlators(X, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="sampling='sobol'"):
        ENSEMBLE.connected_correlators(X, checkpoint=tmp_path / "run", method="neuron", sampling="sobol")
    with pytest.raises(TypeError, match=r"distributed\.Client"):
        ENSEMBLE.connected_correlators(X, client=3)
    with pytest.raises(ValueError, match="GB"):
        ENSEMBLE.connected_correlators(np.linspace(0, 1, 60)[:, None], max_points=6)


def test_rounding_in_float32_is_reported():
    values = np.random.default_rng(0).normal(size=(20_000, 1))
    far, near = (block_sums(values + mean, block_size=500, max_points=2, shift=[0.0]) for mean in (1000, 0))
    with pytest.warns(CancellationWarning, match="use dtype='float64'"):
        warn_of_rounding(far, "float32")
    warn_of_rounding(far, "float64")
    warn_of_rounding(near, "float32")
    Ensemble(NET, n_nets=100_000, dtype="float32", seed=1).connected_correlators(X)
