"""Diagrams one block after another in constant memory, in an order that another process can go on with."""

from __future__ import annotations

import json
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from diagrams._request import Request
from diagrams._run import N_CORES, Piece, Stage, Task, TooManyGraphsError
from diagrams.collection import Diagrams
from diagrams.counting import check_count
from diagrams.generate import check_weight

_FORMAT = 1  # changes whenever graphs come in another order, or in other blocks
_MOST_AT_ONCE = 2**31  # graphs of one skeleton


@dataclass(frozen=True)
class StreamPosition:
    """Where a stream of diagrams stands between two blocks.

    Parameters
    ----------
    options : tuple of (str, value)
        The request, its block size included.
    stage, vertex_list : int
        Class of graphs and list of vertices of the last skeleton delivered, -1 if there is none.
    rows : tuple of int
        Upper triangle of the adjacency matrix of that skeleton.
    n_graphs : int
        Number of graphs delivered so far.
    weight : Fraction
        Their sum of 1/\\|Aut\\|.
    """

    options: tuple[tuple[str, Any], ...]
    stage: int = 0
    vertex_list: int = -1
    rows: tuple[int, ...] = ()
    n_graphs: int = 0
    weight: Fraction = Fraction(0)

    def to_json(self) -> str:
        """Return the position as JSON text."""
        values = vars(self) | {"options": dict(self.options), "weight": str(self.weight), "format": _FORMAT}
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> StreamPosition:
        """Return the position that :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is no position, or one of a version that makes diagrams in another order.
        """
        try:
            values = json.loads(text)
            written = values.pop("format")
            options = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in values["options"].items())
            values |= {"options": options, "rows": tuple(values["rows"]), "weight": Fraction(values["weight"])}
            position = cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a stream position: {text[:80]!r}; give what StreamPosition.to_json wrote") from error
        if written != _FORMAT:
            raise ValueError(f"the position has format {written}, this version goes on from {_FORMAT}: start anew")
        return position


def iter_diagrams(
    *,
    valences: Sequence[int],
    legs: int,
    loops: int,
    connected: bool = True,
    one_particle_irreducible: bool = False,
    self_loops: bool = True,
    tadpoles: bool = True,
    labelled: bool = True,
    two_particle_irreducible: bool = False,
    amputated: bool = False,
    vertex_two_connected: bool = False,
    planar: bool = False,
    block_size: int = 65536,
    start: StreamPosition | None = None,
) -> DiagramStream:
    """Return the diagrams of :func:`diagrams.enumerate_diagrams`, in the same order, one block after another.

    Parameters
    ----------
    valences, legs, loops, connected, one_particle_irreducible, self_loops, tadpoles, labelled
    two_particle_irreducible, amputated, vertex_two_connected, planar
        As for :func:`diagrams.enumerate_diagrams`.
    block_size : int
        Number of graphs in a block, at most. Graphs that differ by the order of legs alone stay together: if there are
        more of them, the block is larger by as many.
    start : StreamPosition, optional
        Go on where another stream of the same request stood: the blocks are those that it would have made next.

    Returns
    -------
    DiagramStream
        An iterator over :class:`diagrams.Diagrams` with a ``position``.

    Raises
    ------
    TypeError, ValueError
        As :func:`diagrams.enumerate_diagrams`, and if ``start`` belongs to another request.

    Examples
    --------
    >>> stream = iter_diagrams(valences=(4,), legs=2, loops=5, block_size=100)
    >>> first = next(stream)
    >>> rest = iter_diagrams(valences=(4,), legs=2, loops=5, block_size=100, start=stream.position)
    >>> len(first), [len(block) for block in rest]
    (100, [74])
    >>> stream.close()
    """
    request = Request(
        valences=valences,
        legs=legs,
        loops=loops,
        connected=connected,
        one_particle_irreducible=one_particle_irreducible,
        self_loops=self_loops,
        tadpoles=tadpoles,
        labelled=labelled,
        two_particle_irreducible=two_particle_irreducible,
        amputated=amputated,
        vertex_two_connected=vertex_two_connected,
        planar=planar,
    )
    return DiagramStream(request, block_size, start)


class DiagramStream(Iterator[Diagrams]):
    """Blocks of diagrams, made by :func:`iter_diagrams`.

    ``position`` says where the stream stands after the last block. When the last block has been delivered, the sum of
    1/\\|Aut\\| over all blocks, those before ``start`` included, is checked against the generating function where there
    is one; a mismatch raises RuntimeError. Closing the stream (:meth:`close`, a ``with`` statement, or losing it) and
    interrupting it stop its threads.
    """

    def __init__(self, request: Request, block_size: int, start: StreamPosition | None) -> None:
        check_count("block_size", block_size)
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}")
        options = (*vars(request).items(), ("block_size", int(block_size)))
        if start is not None:
            _check_same(start, dict(options))
        self.position = StreamPosition(options) if start is None else start
        self._request, self._block_size = request, int(block_size)
        self._stop = np.zeros(1, np.uint8)
        pool = ThreadPoolExecutor(max_workers=N_CORES)
        self._close = weakref.finalize(self, _shut, pool, self._stop)
        self._pieces = _pieces(request, self.position, self._block_size, pool, self._stop)
        self._held: _Placed | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Diagrams:
        if not self._close.alive:
            raise StopIteration
        try:
            pieces = self._next_pieces()
        except BaseException:
            self.close()
            raise
        if not pieces:
            self.close()
            position = self.position
            check_weight(self._request, position.n_graphs, position.weight, self._request.expected_weight())
            raise StopIteration
        found = Diagrams(tuple(p.piece.block for p in pieces))
        self.position = StreamPosition(
            self.position.options,
            pieces[-1].stage,
            pieces[-1].piece.vertex_list,
            tuple(pieces[-1].piece.entries.tolist()),
            self.position.n_graphs + len(found),
            self.position.weight + found.total_weight(),
        )
        return found

    def _next_pieces(self) -> list[_Placed]:
        """Return as many pieces as a block can take; one more may have been made to know that."""
        pieces = [] if self._held is None else [self._held]
        self._held = None
        size = sum(len(p.piece.block) for p in pieces)
        while size < self._block_size and (placed := next(self._pieces, None)) is not None:
            size += len(placed.piece.block)
            if pieces and size > self._block_size:
                self._held = placed
                break
            pieces.append(placed)
        return pieces

    def close(self) -> None:
        """Stop all work; no block comes after this."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Placed(NamedTuple):
    stage: int
    piece: Piece


def _check_same(start: StreamPosition, options: dict[str, Any]) -> None:
    if not isinstance(start, StreamPosition):
        raise TypeError(f"start must be a StreamPosition, got {start!r}; read JSON with StreamPosition.from_json")
    before = dict(start.options)
    changed = [
        f"{key}={before.get(key)!r} then, {value!r} now" for key, value in options.items() if before.get(key) != value
    ]
    if changed:
        raise ValueError(
            f"start belongs to another request: {'; '.join(changed)}. Give the options of the first stream"
        )


def _shut(pool: ThreadPoolExecutor, stop: NDArray[np.uint8]) -> None:
    stop[0] = 1
    with suppress(RuntimeError):  # a lost stream may be collected in one of its own threads, which cannot be waited for
        pool.shutdown(wait=True, cancel_futures=True)


def _tasks(request: Request, position: StreamPosition) -> Iterator[tuple[int, Stage, Task]]:
    """Iterate over the tasks that are left at a position."""
    for number, lists in enumerate(request.vertex_lists()):
        if number < position.stage:
            continue
        stage = Stage(request, lists)
        after = None
        if number == position.stage and position.vertex_list >= 0:
            whole = Task(0, len(lists.sizes))
            entries = np.array(position.rows, np.uint8)
            after = whole.after(position.vertex_list, entries, int(lists.sizes[position.vertex_list]))
        for task in stage.tasks(after):
            yield number, stage, task


def _pieces(
    request: Request, position: StreamPosition, limit: int, pool: ThreadPoolExecutor, stop: NDArray[np.uint8]
) -> Iterator[_Placed]:
    """Iterate over what is left, with the next pieces and tasks in work; pieces depend on where they begin alone."""
    tasks = _tasks(request, position)
    window: deque[tuple[int, Stage, Task, Future[Piece]]] = deque()

    def begin(number: int, stage: Stage, task: Task) -> tuple[int, Stage, Task, Future[Piece]]:
        return number, stage, task, pool.submit(stage.piece, task, limit, _MOST_AT_ONCE, stop)

    while True:
        while len(window) <= N_CORES and (following := next(tasks, None)) is not None:
            window.append(begin(*following))
        if not window:
            return
        number, stage, task, future = window.popleft()
        try:
            piece = future.result()
        except TooManyGraphsError:
            raise MemoryError(
                f"one skeleton alone has more than {_MOST_AT_ONCE} diagrams with labelled legs; use labelled=False"
            ) from None
        if not piece.is_complete:
            rest = task.after(piece.vertex_list, piece.entries, int(stage.lists.sizes[piece.vertex_list]))
            window.appendleft(begin(number, stage, rest))
        if len(piece.block):
            yield _Placed(number, piece)
