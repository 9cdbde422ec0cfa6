"""Streams of diagrams of models: the same diagrams, resumable, checked, interruptible, in constant memory."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import tracemalloc
from fractions import Fraction

import pytest
from sample_models import PROPAGATOR, charged_current

from diagrams import _field_stream, _model_diagrams
from diagrams._field_stream import ModelPosition
from diagrams.models import bipartite, complex_phi4, o_n, qed, yukawa

CASES = [
    (qed(), PROPAGATOR, {"loops": 4}),
    (qed(), ("psi", "psi", "psi*", "psi*"), {"loops": 2, "labelled": False}),
    (qed(), ("A", "A"), {"loops": 2, "connected": False}),
    (qed(), ("A", "A"), {"loops": 4, "furry": True, "one_particle_irreducible": True}),
    (yukawa(phi4=True), PROPAGATOR, {"loops": 3}),
    (yukawa(phi4=True), ("phi",) * 4, {"loops": 1, "tadpoles": False, "amputated": True}),
    (complex_phi4(), ("phi", "phi*"), {"loops": 4}),
    (charged_current(), ("e", "e*"), {"loops": 3, "self_loops": False}),
    (o_n(), ("phi", "phi"), {"loops": 3, "self_loops": False}),
    (bipartite(), ("phi", "phi"), {"order": {"g_4": (0, 2)}}),
]


@pytest.mark.parametrize("block_size", [1, 17, 10**6])
@pytest.mark.parametrize(("model", "legs", "options"), CASES, ids=[f"{m.name}-{len(k)}-{len(o)}" for m, k, o in CASES])
def test_a_stream_gives_the_same_diagrams_in_the_same_order(model, legs, options, block_size):
    expected = model.diagrams(legs, **options)
    parts = list(model.iter_diagrams(legs, block_size=block_size, **options))
    assert [d for part in parts for d in part] == list(expected)
    assert all(len(part) >= block_size for part in parts[:-1])
    if block_size > len(expected):
        assert len(parts) == 1


@pytest.mark.parametrize(("model", "legs", "options"), CASES[:5], ids=[f"{m.name}-{len(k)}" for m, k, _ in CASES[:5]])
def test_a_stream_goes_on_from_any_position(model, legs, options):
    stream = model.iter_diagrams(legs, block_size=40, **options)
    parts, positions = [], [stream.position]
    for part in stream:
        parts.append(list(part))
        positions.append(stream.position)
    assert sum(map(len, parts)) == positions[-1].count
    for i in range(0, len(positions), max(1, len(positions) // 5)):
        position = ModelPosition.from_json(json.loads(json.dumps(positions[i].to_json())))
        assert position == positions[i]
        rest = model.iter_diagrams(legs, block_size=40, start=position, **options)
        assert [list(part) for part in rest] == parts[i:]
        assert rest.position == positions[-1]


RESUMED = """
import sys
from diagrams._field_stream import ModelPosition
from diagrams.models import qed

stream = qed().iter_diagrams(("psi", "psi*"), loops=4, block_size=100, start=ModelPosition.from_json(sys.argv[1]))
print(sum(len(part) for part in stream), stream.position.count, stream.position.weight)
"""


def test_another_process_can_go_on():
    stream = qed().iter_diagrams(PROPAGATOR, loops=4, block_size=100)
    done = sum(len(next(stream)) for _ in range(3))
    text = stream.position.to_json()
    stream.close()
    command = [sys.executable, "-c", RESUMED, text]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.split()
    assert found == [str(706 - done), "706", "706"]


def test_positions_belong_to_one_request():
    stream = qed().iter_diagrams(PROPAGATOR, loops=3, block_size=10)
    next(stream)
    for change in ({"loops": 4}, {"tadpoles": False}, {"block_size": 11}):
        with pytest.raises(ValueError, match="another stream"):
            qed().iter_diagrams(PROPAGATOR, **({"loops": 3, "block_size": 10} | change), start=stream.position)
    with pytest.raises(ValueError, match="another stream"):
        yukawa().iter_diagrams(PROPAGATOR, loops=3, block_size=10, start=stream.position)
    with pytest.raises(ValueError, match="not a position"):
        ModelPosition.from_json("[1]")
    with pytest.raises(ValueError, match="block_size"):
        qed().iter_diagrams(PROPAGATOR, loops=3, block_size=0)


def test_a_million_diagrams_in_constant_memory():
    model, legs, loops = qed(), {"psi": 2, "psi*": 2}, 5
    expected = model.count(legs, loops=loops)
    assert expected > 10**6
    stream = model.iter_diagrams(legs, loops=loops, block_size=50_000)
    next(stream)
    tracemalloc.start()
    n_rest = sum(len(part) for part in stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stream.position.count == expected
    assert Fraction(stream.position.weight) == expected == model.total_weight(legs, loops=loops)
    assert n_rest > expected - 110_000
    assert peak < 32 * 2**20  # a few blocks of 2 MiB; everything would be 43 bytes for each diagram


def test_a_wrong_weight_raises(monkeypatch):
    wrong = {(6,): Fraction(75)}
    for module in (_model_diagrams, _field_stream):
        monkeypatch.setattr(module, "weights", lambda *arguments: wrong)
    with pytest.raises(RuntimeError, match=r"self-check failed: .* is 74, but the generating function gives 75"):
        qed().diagrams(PROPAGATOR, loops=3)
    stream = qed().iter_diagrams(PROPAGATOR, loops=3, block_size=20)
    with pytest.raises(RuntimeError, match="over 74 diagrams is 74, but the generating function gives 75"):
        list(stream)


def test_a_lost_diagram_is_noticed(monkeypatch):
    complete = _model_diagrams.all_blocks
    monkeypatch.setattr(_model_diagrams, "all_blocks", lambda *a, **options: complete(*a, **options)[:-1])
    with pytest.raises(RuntimeError, match="self-check failed"):
        yukawa(phi4=True).diagrams(PROPAGATOR, loops=2)


INTERRUPTED = """
import os, signal, threading, time
from diagrams.models import complex_phi4, qed

make = {MAKE}
make(2)  # compiled functions are loaded
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    make({LOOPS})  # would take minutes
except KeyboardInterrupt:
    print(time.monotonic() - start < 4.0, threading.active_count())
"""


@pytest.mark.parametrize(
    ("make", "loops"),
    [
        ("lambda n: qed().diagrams((), loops=n, max_graphs=10**9)", 9),
        ("lambda n: complex_phi4().diagrams((), loops=n, max_graphs=10**9)", 12),
        ("lambda n: sum(map(len, qed().iter_diagrams(('psi', 'psi*'), loops=n)))", 9),
    ],
    ids=["qed vacuum", "complex phi4", "stream"],
)
def test_interrupt_stops_at_once_and_leaves_no_thread(make, loops):
    code = INTERRUPTED.replace("{MAKE}", make).replace("{LOOPS}", str(loops))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["True", "1"]


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX timers")
def test_an_interrupt_of_little_work_is_nothing_else():
    model, random_times, interrupted = yukawa(phi4=True), random.Random(3), 0

    def interrupt(*_):
        raise KeyboardInterrupt

    model.diagrams(PROPAGATOR, loops=3)  # imports are done
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, random_times.uniform(1e-5, 1e-3))
                model.diagrams(PROPAGATOR, loops=3)  # in this thread
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 30
    assert len(model.diagrams(PROPAGATOR, loops=3)) == 107


def test_closing_a_stream_leaves_no_thread():
    before = set(threading.enumerate())
    stream = qed().iter_diagrams(PROPAGATOR, loops=6, block_size=100)
    next(stream)
    stream.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(StopIteration):
        next(stream)
