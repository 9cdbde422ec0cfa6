"""Streams of diagrams: the same as an enumeration, resumable anywhere, in constant memory."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from diagrams import _request
from diagrams.collection import Diagrams
from diagrams.counting import count_diagrams, total_weight
from diagrams.generate import enumerate_diagrams
from diagrams.streaming import StreamPosition, iter_diagrams

EVEN = range(4, 40, 2)
ANY = range(3, 20)


def rows(ds):
    """Return all that a collection holds of each diagram, without making graphs."""
    found = []
    for b in ds.blocks:
        lists = [t[:n].tobytes() for t, n in zip(b.types, b.sizes.tolist(), strict=True)]
        for i, s in enumerate(b.skeleton.tolist()):
            matrix = b.adjacency[b.start[s] : b.start[s + 1]].tobytes()
            found.append((lists[b.vertex_list[s]], matrix, b.owners[i].tobytes(), b.symmetry[i], b.multiplicity[i]))
    return found


REQUESTS = [
    {"valences": (3,), "legs": 2, "loops": 4},
    {"valences": (3,), "legs": 3, "loops": 3, "labelled": False, "tadpoles": False},
    {"valences": (3,), "legs": 0, "loops": 7, "self_loops": False},
    {"valences": (3,), "legs": 2, "loops": 5, "one_particle_irreducible": True},
    {"valences": (4,), "legs": 4, "loops": 3},
    {"valences": (4,), "legs": 2, "loops": 6, "labelled": False},
    {"valences": (4,), "legs": 6, "loops": 1},
    {"valences": EVEN, "legs": 2, "loops": 4},
    {"valences": EVEN, "legs": 6, "loops": 1, "labelled": False},
    {"valences": ANY, "legs": 2, "loops": 3},
    {"valences": (3, 4), "legs": 2, "loops": 2, "connected": False},
    {"valences": (4,), "legs": 4, "loops": 2, "connected": False, "labelled": False},
    {"valences": (3,), "legs": 2, "loops": 5, "two_particle_irreducible": True},
    {"valences": (4,), "legs": 4, "loops": 4, "amputated": True, "planar": True, "labelled": False},
    {"valences": ANY, "legs": 3, "loops": 2, "vertex_two_connected": True},
    {"valences": (4,), "legs": 2, "loops": 0},
    {"valences": (4,), "legs": 3, "loops": 2},
]
BLOCK_SIZES = [1, 30, 10**6]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_blocks_are_the_enumeration_and_can_be_resumed_anywhere(request_, block_size):
    whole = rows(enumerate_diagrams(**request_))
    stream = iter_diagrams(**request_, block_size=block_size)
    positions, blocks = [stream.position], []
    for block in stream:
        positions.append(stream.position)
        blocks.append(rows(block))
    assert [row for block in blocks for row in block] == whole
    assert all(blocks)
    assert [p.n_graphs for p in positions] == [sum(map(len, blocks[:i])) for i in range(len(positions))]
    chosen = np.random.default_rng(3).integers(len(positions), size=4).tolist()
    for i in {0, 1, len(blocks) - 1, len(blocks), *chosen} & set(range(len(positions))):
        resumed = iter_diagrams(**request_, block_size=block_size, start=positions[i])
        assert [rows(block) for block in resumed] == blocks[i:]
        assert resumed.position == positions[-1]


@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "exchangeable"])
def test_blocks_hold_no_more_than_asked_except_for_orders_of_the_legs(labelled):
    request = {"valences": (3, 4), "legs": 4, "loops": 2, "labelled": labelled}
    for block_size in (1, 10, 64):
        for block in iter_diagrams(**request, block_size=block_size):
            assert len(block) <= block_size or (labelled and len(block) < block_size + 24)
            if len(block) > block_size:  # everything up to the last skeleton fits
                (arrays,) = block.blocks
                assert (arrays.skeleton < arrays.skeleton[-1]).sum() < block_size


LARGE = {"valences": (4,), "legs": 8, "loops": 3}


def test_a_million_diagrams():
    number, weight = 0, Fraction(0)
    for block in iter_diagrams(**LARGE, block_size=20_000):
        number += len(block)
        weight += block.total_weight()
    assert number == count_diagrams(**LARGE) > 10**6
    assert weight == total_weight(**LARGE)


MEMORY = """
import resource, sys
from itertools import islice
from pathlib import Path
from diagrams.streaming import iter_diagrams

request, block_size, n_blocks, keep = eval(sys.argv[1])


def resident():  # kilobytes
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


with iter_diagrams(**request, block_size=block_size) as stream:
    held = list(islice(stream, 3))
    held.clear()
    before = most = resident()
    number = 0
    for block in islice(stream, n_blocks):
        number += len(block)
        if keep:
            held.append(block)
        most = max(most, resident())
    print(number, most - before)
"""
LONG = {"valences": (3,), "legs": 2, "loops": 9, "labelled": False, "self_loops": False}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident memory from /proc")
@pytest.mark.parametrize(
    ("request_", "block_size", "n_blocks"), [(LARGE, 20_000, 10**6), (LONG, 1000, 150)], ids=["legs", "skeletons"]
)
def test_memory_is_constant(request_, block_size, n_blocks):
    """The same run with all blocks kept shows that the measurement would notice."""
    growth = []
    for keep in (False, True):
        argument = repr((request_, block_size, n_blocks, keep))
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, argument], capture_output=True, text=True, timeout=120, check=True
        )
        number, kilobytes = map(int, done.stdout.split())
        assert number > 10**5
        growth.append(kilobytes)
    assert growth[0] < 8_000 < 16_000 < growth[1]


KILLED = """
import sys
from diagrams.streaming import iter_diagrams

stream = iter_diagrams(valences=(3,), legs=2, loops=5, block_size=500)
for block in stream:
    print(len(block), stream.position.to_json(), flush=True)
    if stream.position.n_graphs > 2000:
        sys.stdin.read()  # until it is killed
"""


def test_a_killed_process_is_continued_by_another():
    request = {"valences": (3,), "legs": 2, "loops": 5}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        number, position = 0, StreamPosition(())
        while number <= 2000:
            size, text = process.stdout.readline().split(" ", 1)
            number += int(size)
            position = StreamPosition.from_json(text)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert position.n_graphs == number
    whole = rows(enumerate_diagrams(**request))
    rest = Diagrams.concatenate(iter_diagrams(**request, block_size=500, start=position))
    assert rows(rest) == whole[number:]


@pytest.mark.parametrize("block_size", [1, 50])
def test_a_wrong_sum_of_weights_raises_at_the_end(monkeypatch, block_size):
    request = {"valences": (4,), "legs": 2, "loops": 3, "block_size": block_size}
    start = next(p for p in _positions(request) if p.n_graphs)
    monkeypatch.setattr(_request, "total_weight", lambda **options: Fraction(1, 7))
    for stream in (iter_diagrams(**request), iter_diagrams(**request, start=start)):
        with pytest.raises(RuntimeError, match=r"self-check failed.*generating function gives 1/7"):
            list(stream)


def test_a_diagram_lost_before_the_start_is_noticed():
    request = {"valences": (4,), "legs": 2, "loops": 3, "block_size": 2}
    position = _positions(request)[2]
    wrong = StreamPosition(**vars(position) | {"weight": position.weight - Fraction(1, 8)})
    assert list(iter_diagrams(**request, start=position))
    with pytest.raises(RuntimeError, match="self-check failed"):
        list(iter_diagrams(**request, start=wrong))


def _positions(request):
    stream = iter_diagrams(**request)
    return [stream.position] + [stream.position for _ in stream]


def test_positions_are_values_that_can_be_written():
    for position in _positions({"valences": (3, 4), "legs": 2, "loops": 2, "block_size": 5}):
        assert StreamPosition.from_json(position.to_json()) == position
        assert pickle.loads(pickle.dumps(position)) == position
        assert hash(position) == hash(StreamPosition.from_json(position.to_json()))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"loops": 3}, "loops=2 then, 3 now"),
        ({"valences": (4,)}, r"valences=\(4, 3\) then, \(4,\) now"),
        ({"labelled": False, "block_size": 6}, "labelled=True then, False now; block_size=5 then, 6 now"),
        ({"planar": True}, "planar=False then, True now"),
    ],
    ids=str,
)
def test_a_position_belongs_to_one_request(change, text):
    request = {"valences": (3, 4), "legs": 2, "loops": 2, "block_size": 5}
    with pytest.raises(ValueError, match=f"another request: {text}"):
        iter_diagrams(**(request | change), start=_positions(request)[1])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"block_size": 0}, ValueError, "block_size must be at least 1, got 0"),
        ({"block_size": 2.5}, TypeError, "block_size must be an integer, got 2.5"),
        ({"valences": (2,)}, ValueError, "valence 2 is not allowed"),
        ({"start": "{}"}, TypeError, "start must be a StreamPosition.*from_json"),
        ({"connected": False, "planar": True}, ValueError, "planar=True needs connected=True"),
    ],
    ids=str,
)
def test_argument_errors_say_what_was_given(change, error, text):
    with pytest.raises(error, match=text):
        iter_diagrams(**({"valences": (4,), "legs": 2, "loops": 1} | change))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 1, "options": {}, "rows": 3}'])
def test_text_that_is_no_position(text):
    with pytest.raises(ValueError, match="not a stream position"):
        StreamPosition.from_json(text)


def test_position_of_another_version():
    text = StreamPosition(()).to_json().replace('"format": 1', '"format": 99')
    with pytest.raises(ValueError, match=r"format 99.*start anew"):
        StreamPosition.from_json(text)


@pytest.mark.parametrize("end", ["close", "with", "lose"])
def test_a_stream_that_is_given_up_leaves_no_thread(end):
    n_threads = threading.active_count()
    stream = iter_diagrams(valences=(3,), legs=0, loops=12, block_size=100)  # would take hours
    next(stream)
    begin = time.monotonic()
    if end == "with":
        with stream:
            next(stream)
    elif end == "close":
        stream.close()
    if end != "lose":
        assert list(stream) == []
    del stream
    assert threading.active_count() == n_threads
    assert time.monotonic() - begin < 5.0


INTERRUPTED = """
import os, signal, threading, time
from diagrams.streaming import iter_diagrams

next(iter_diagrams(valences=(3,), legs=2, loops=3))  # compiled functions are loaded
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    for block in iter_diagrams(valences=(3,), legs=0, loops=12, block_size=10**8):  # would take hours
        pass
except KeyboardInterrupt:
    print(time.monotonic() - start < 3.0, threading.active_count())
"""


def test_interrupt_stops_at_once_and_leaves_no_thread():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "1"]
