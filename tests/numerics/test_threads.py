"""Work shared out among threads: every range once, errors told, forks and many callers at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from numerics.kernels import threads


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 3)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 23, 24, 25, 1000])
def test_every_number_once(n):
    found, lock = [], threading.Lock()

    def work(start: int, stop: int) -> None:
        with lock:
            found.extend(range(start, stop))

    threads.share_out(work, n)
    assert sorted(found) == list(range(n))


def test_several_threads_take_part():
    who = set()

    def work(start: int, stop: int) -> None:
        who.add(threading.get_ident())
        time.sleep(0.02)

    threads.share_out(work, 12)
    assert threading.get_ident() in who
    assert len(who) > 1


@pytest.mark.parametrize("is_caller", [True, False])
def test_errors_of_any_thread_are_told_and_end_the_work(is_caller):
    caller, done = threading.get_ident(), []

    def work(start: int, stop: int) -> None:
        time.sleep(0.01)
        if (threading.get_ident() == caller) == is_caller:
            raise RuntimeError("here")
        done.append(start)

    with pytest.raises(RuntimeError, match="here"):
        threads.share_out(work, 10_000)
    if is_caller:  # the others end with what they are at
        assert len(done) < 10
    before = len(done)
    time.sleep(0.05)
    assert len(done) == before  # nobody works on


def test_many_callers_at_once():
    def total(n: int) -> int:
        found = []
        threads.share_out(lambda start, stop: found.append(sum(range(start, stop))), n)
        return sum(found)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(total, range(200))) == [n * (n - 1) // 2 for n in range(200)]


FORK = """
import os, sys, time
from numerics.kernels import threads
threads.n_threads = lambda: 3
threads.share_out(lambda start, stop: time.sleep(0.001), 100)
child = os.fork()
if child == 0:
    found, who = [], set()
    def work(start, stop):
        found.append(stop - start)
        who.add(__import__("threading").get_ident())
        time.sleep(0.005)
    threads.share_out(work, 100)
    os._exit(0 if sum(found) == 100 and len(who) > 1 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_makes_threads_of_its_own():
    """In a process of its own: other libraries of this one may not bear a fork."""
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)
