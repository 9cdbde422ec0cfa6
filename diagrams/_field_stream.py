"""Diagrams of a model piece by piece, with a position from which another process can go on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction

import numpy as np

from diagrams._field_blocks import FieldBlock, HalfEdgeTable
from diagrams._field_counting import weights, why_not_covered
from diagrams._field_request import Request
from diagrams._field_run import ordered_pieces
from diagrams._vertex_lists import Counts
from diagrams.collection import Diagrams


@dataclass(frozen=True)
class ModelPosition:
    """Where a stream of the diagrams of a model stands.

    Parameters
    ----------
    fingerprint : str
        Of the model, the request and the block size.
    task : int
        The task (a list of vertices, or some of them) that the last diagram belongs to.
    index : int
        Number of diagrams of that task that have been delivered.
    count : int
        Number of diagrams that have been delivered in all.
    weight : str
        Their exact sum of 1/|Aut|, numerator/denominator.
    """

    fingerprint: str
    task: int = 0
    index: int = 0
    count: int = 0
    weight: str = "0"

    def to_json(self) -> str:
        """Return the position as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelPosition:
        """Return the position that :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not that of a position.
        """
        given = json.loads(text)
        if not isinstance(given, dict) or set(given) != set(cls.__dataclass_fields__):
            raise ValueError(f"not a position: expected a JSON object with {sorted(cls.__dataclass_fields__)}")
        return cls(**given)


class ModelStream(Iterator[Diagrams]):
    """Iterator over the diagrams of a model in pieces; see :meth:`diagrams.Model.iter_diagrams`.

    ``position`` is where it stands after the piece delivered last. The self-check runs at the end.
    """

    def __init__(self, table: HalfEdgeTable, request: Request, block_size: int, start: ModelPosition | None) -> None:
        if isinstance(block_size, bool) or not isinstance(block_size, int | np.integer) or block_size < 1:
            raise ValueError(f"block_size must be a positive integer, got {block_size!r}")
        self._table, self._request, self._size = table, request, int(block_size)
        fingerprint = hashlib.sha256(repr((table, request, self._size)).encode()).hexdigest()[:32]
        if start is not None and start.fingerprint != fingerprint:
            raise ValueError(
                "the position belongs to another stream: model, legs, limits, filters and block_size have to be those "
                "of the stream that it was taken from"
            )
        self.position = self._next = start or ModelPosition(fingerprint)
        self._pieces = self._remaining()

    def __next__(self) -> Diagrams:
        return next(self._pieces)

    def close(self) -> None:
        """Stop the threads; nothing more is delivered."""
        self._pieces.close()

    def _remaining(self) -> Generator[Diagrams, None, None]:
        begin, to_skip = self.position.task, self.position.index
        gathered: list[FieldBlock] = []
        for number, block in ordered_pieces(self._table, self._request, self._size, begin):
            if number == begin and to_skip > 0:
                to_skip -= len(block)
                continue
            gathered.append(block)
            self._next = self._advanced(number, block)
            if sum(map(len, gathered)) >= self._size:
                self.position = self._next
                yield Diagrams(tuple(gathered))
                gathered = []
        if gathered:
            self.position = self._next
            yield Diagrams(tuple(gathered))
        self._check()

    def _advanced(self, number: int, block: FieldBlock) -> ModelPosition:
        at = self._next
        weight = Fraction(at.weight) + Diagrams((block,)).total_weight()
        index = len(block) + (at.index if number == at.task else 0)
        return replace(at, task=number, index=index, count=at.count + len(block), weight=str(weight))

    def _check(self) -> None:
        if why_not_covered(self._table, self._request):
            return
        expected = sum(weights(self._table, self._request).values(), Fraction(0))
        if Fraction(self.position.weight) != expected:
            raise RuntimeError(
                f"self-check failed: the sum of 1/|Aut| over {self.position.count} diagrams is {self.position.weight}, "
                f"but the generating function gives {expected}. Please report this as a bug"
            )


def check_weights(expected: Mapping[Counts, Fraction], blocks: Sequence[FieldBlock]) -> None:
    """Compare the sums of 1/|Aut| of blocks with those of the generating function, for each list of vertices.

    Raises
    ------
    RuntimeError
        If one of them differs.
    """
    found: dict[Counts, Counter[int]] = {}
    for block in blocks:
        counts = tuple(block.vertices.count(m) for m in range(len(block.table.vertices)))
        values, numbers = np.unique(block.symmetry, return_counts=True)
        found.setdefault(counts, Counter()).update(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
    for counts in {**found, **expected}:
        total = sum((Fraction(n, s) for s, n in found.get(counts, Counter()).items()), Fraction(0))
        if total != expected.get(counts, 0):
            raise RuntimeError(
                f"self-check failed: with {counts} vertices of each type the sum of 1/|Aut| is {total}, but the "
                f"generating function gives {expected.get(counts, 0)}. Please report this as a bug"
            )
