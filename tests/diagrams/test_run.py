"""Running the compiled generator: the self-check raises, and a run can be interrupted."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest

from diagrams import _request, enumerate_diagrams, generate

INTERRUPTED = """
import os, signal, threading, time
from diagrams import enumerate_diagrams

enumerate_diagrams(valences=(3,), legs=2, loops=2)  # compiled functions are loaded
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    enumerate_diagrams(valences=(3,), legs=0, loops=12, max_graphs=10**9)  # would take minutes
except KeyboardInterrupt:
    print(time.monotonic() - start < 3.0, threading.active_count())
"""


def test_interrupt_stops_at_once_and_leaves_no_thread():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["True", "1"]


def test_a_wrong_sum_of_weights_raises(monkeypatch):
    monkeypatch.setattr(_request, "total_weight", lambda **options: Fraction(1, 7))
    with pytest.raises(RuntimeError, match=r"self-check failed: .* is 2/3, but the generating function gives 1/7"):
        enumerate_diagrams(valences=(4,), legs=2, loops=2)


def test_a_lost_diagram_is_noticed(monkeypatch):
    complete = generate.run
    monkeypatch.setattr(generate, "run", lambda *arguments: complete(*arguments)[:-1])
    with pytest.raises(RuntimeError, match="self-check failed"):
        enumerate_diagrams(valences=(3, 4), legs=2, loops=2)
