"""Running the generation for several fields: all at once on all cores, or piece by piece in constant memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

from diagrams._field_blocks import FieldBlock, HalfEdgeTable
from diagrams._field_request import Request
from diagrams._field_shapes import with_shape
from diagrams._species import Task, is_little, tasks

_SIZE = 65536
_MANY_VERTICES = 7  # with fewer, tasks are done before another thread has started
Stop = NDArray[np.uint8]


class TooManyDiagramsError(MemoryError):
    """There are more diagrams than there is room for."""


def all_blocks(
    table: HalfEdgeTable, request: Request, room: int, *, meanwhile: Callable[[], object] = lambda: None
) -> list[FieldBlock]:
    """Return all diagrams in order; the main thread calls ``meanwhile`` while compiled code makes them.

    Compiled code runs in threads without the interpreter lock, so that the main thread can be interrupted; it then
    tells the others to stop. (An interrupt while numba turns a named tuple into one of the interpreter would be an
    error, which is why the main thread enters only functions that return plain arrays, and those for little work.)

    Raises
    ------
    TooManyDiagramsError
        If there are more than ``room``.
    """
    work = _Work(table, request, room)
    if is_little(table, request):
        work.run()
        meanwhile()
        return work.blocks()
    try:
        work.start()
        meanwhile()
        work.wait()
    except BaseException:
        work.stop[0] = 1
        work.wait()
        raise
    if work.errors:
        raise work.errors[0]
    return work.blocks()


class _Work:
    """The tasks of a request, taken one after another by as many threads as are worth their start."""

    def __init__(self, table: HalfEdgeTable, request: Request, room: int) -> None:
        self.table, self.request, self.room = table, request, room
        self.stop = np.zeros(1, np.uint8)
        self.tasks: list[Task] = []
        self.found: list[list[FieldBlock]] = []
        self.errors: list[BaseException] = []
        self.threads: list[tuple[Thread, Event]] = []
        self.numbers: Iterator[int] = iter(())

    def blocks(self) -> list[FieldBlock]:
        """Return what has been found, in order."""
        return [block for blocks in self.found for block in blocks]

    def run(self) -> None:
        """Do everything in this thread."""
        self._prepare()
        self._work_off()

    def start(self, *, is_first: bool = True) -> None:
        """Start a thread; its start ends when it has entered compiled code and given the interpreter free."""
        ended = Event()
        thread = Thread(target=self._run, args=(ended, is_first))
        self.threads.append((thread, ended))
        thread.start()

    def wait(self) -> None:
        """Return when all threads have ended; the first one lives until it has started the others.

        An interrupt while a thread is joined would mark it as ended (Python 3.11), which is why events come first.
        """
        for thread, ended in self.threads:
            if thread.ident is not None:
                ended.wait()
                thread.join()

    def _run(self, ended: Event, is_first: bool) -> None:
        try:
            if is_first:
                self._prepare()
                if max((len(task.vertices) for task in self.tasks), default=0) >= _MANY_VERTICES:
                    for _ in range(min(os.cpu_count() or 1, len(self.tasks)) - 1):
                        self.start(is_first=False)
            self._work_off()
        except BaseException as error:
            self.stop[0] = 1
            self.errors.append(error)
        finally:
            ended.set()

    def _prepare(self) -> None:
        self.tasks = list(tasks(self.table, self.request))
        self.found = [[] for _ in self.tasks]
        self.numbers = iter(range(len(self.tasks)))

    def _work_off(self) -> None:
        for number in self.numbers:  # a step of this iterator is not interrupted by other threads
            self.found[number] = _drained(self.tasks[number], self.request, self.room, self.stop)
            if sum(map(len, self.blocks())) > self.room:
                raise TooManyDiagramsError


def _drained(task: Task, request: Request, room: int, stop: Stop) -> list[FieldBlock]:
    blocks: list[FieldBlock] = []
    for found in task.pieces(_SIZE):
        if stop[0]:
            break
        if found is not None and len(block := kept(found, request)):
            blocks.append(block)
            room -= len(block)
            if room < 0:
                raise TooManyDiagramsError
    return blocks


def kept(block: FieldBlock, request: Request) -> FieldBlock:
    """Return the diagrams that pass the filters that need complete diagrams."""
    if not request.connected and request.loops is not None:
        block = block.take(np.flatnonzero(block.cycles == request.loops))
    if not request.self_loops:
        block = block.without_contracted_self_loops()
    if request.odd:
        block = block.without_odd_fermion_loops(request.odd)
    return with_shape(block, request.shape) if request.shape else block


def ordered_pieces(table: HalfEdgeTable, request: Request, size: int, start: int) -> Iterator[tuple[int, FieldBlock]]:
    """Iterate over the diagrams of all tasks from number ``start`` on, with the number of the task.

    The first pieces of the tasks that follow are made at the same time as those of the present one.
    """
    n_cores = os.cpu_count() or 1
    todo = enumerate(islice(tasks(table, request), start, None), start)
    stop = np.zeros(1, np.uint8)
    ahead: deque[tuple[int, Iterator[FieldBlock | None], Future[FieldBlock | None]]] = deque()
    with ThreadPoolExecutor(max_workers=n_cores + 1) as pool:
        try:
            while True:
                missing = islice(todo, max(0, n_cores + 1 - len(ahead)))
                for number, task in pool.submit(list, missing).result():
                    pieces = task.pieces(size)
                    ahead.append((number, pieces, pool.submit(_next_piece, pieces, request, stop)))
                if not ahead:
                    return
                number, pieces, future = ahead.popleft()
                if (block := future.result()) is not None:
                    ahead.appendleft((number, pieces, pool.submit(_next_piece, pieces, request, stop)))
                    yield number, block
        finally:
            stop[0] = 1
            for _, _, future in ahead:
                future.cancel()


def _next_piece(pieces: Iterator[FieldBlock | None], request: Request, stop: Stop) -> FieldBlock | None:
    """Return the next piece that is not empty, or None at the end."""
    for found in pieces:
        if stop[0]:
            return None
        if found is not None and len(block := kept(found, request)):
            return block
    return None
