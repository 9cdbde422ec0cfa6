"""Chunks of an ensemble that is trained: one after another or on several threads, kept, and put together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from numerics.checkpoint import Checkpoint
from numerics.layered_nets import LayeredNet, Parameters
from numerics.training_steps import Schedule

RECORDED = ("loss", "outputs", "ntk")  # names that no measure can have


class Arguments:
    """The data of a run, checked.

    Parameters
    ----------
    net, inputs, targets, n_nets, points, ntk, measures, losses, dtype, chunk
        As for :func:`numerics.training.train_ensemble`.
    group : int
        Networks that are only worked on together: chunks are made of whole groups.
    """

    def __init__(
        self,
        net: LayeredNet,
        inputs: Any,
        targets: Any,
        *,
        n_nets: int,
        points: Any,
        ntk: bool,
        measures: Mapping[str, tuple[Any, Any]],
        losses: bool,
        dtype: str,
        chunk: int,
        group: int,
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
        if n_nets < 1 or chunk < 1:
            raise ValueError(f"n_nets and chunk must be positive, got {n_nets} and {chunk}")
        if ntk and points is None:
            raise ValueError("ntk=True needs points to record the kernel at")
        self.net, self.n_nets, self.ntk, self.losses, self.dtype = net, n_nets, ntk, losses, dtype
        self.chunk = -(-min(chunk, n_nets) // group) * group
        self.inputs = self._matrix("inputs", inputs, net.widths[0])
        self.targets = self._matrix("targets", targets, net.widths[-1])
        if len(self.inputs) != len(self.targets) or not len(self.inputs):
            raise ValueError(f"{len(self.inputs)} inputs and {len(self.targets)} targets: there must be equally many")
        self.points = None if points is None else self._matrix("points", points, net.widths[0])
        places = {name: self._matrix(f"inputs of {name}", x, net.widths[0]) for name, (x, _) in measures.items()}
        self.measures = {name: (places[name], f) for name, (_, f) in measures.items()}
        if taken := set(RECORDED) & set(self.measures):
            raise ValueError(f"a measure cannot be called {sorted(taken)[0]!r}: that name is taken")

    def _matrix(self, name: str, values: Any, columns: int) -> NDArray[Any]:
        array = np.ascontiguousarray(values, dtype=self.dtype)
        if array.ndim != 2 or array.shape[1] != columns or not np.isfinite(array).all():
            raise ValueError(f"{name} must be a finite array (n, {columns}), got shape {array.shape}")
        return array

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each record of a chunk at one step."""
        d, p = self.net.widths[-1], 0 if self.points is None else len(self.points)
        shapes: dict[str, tuple[int, ...]] = {"loss": (self.chunk,)} if self.losses else {}
        shapes |= {"outputs": (self.chunk, d, p)} if self.points is not None else {}
        shapes |= {"ntk": (self.chunk, d, p, d, p)} if self.ntk else {}
        return shapes | dict.fromkeys(self.measures, (self.chunk,))

    @property
    def definition(self) -> dict[str, Any]:
        """What fixes the data, as plain values."""
        places = [x for x, _ in self.measures.values()]
        return {
            "net": repr(self.net), "n_nets": self.n_nets, "chunk": self.chunk, "dtype": self.dtype, "ntk": self.ntk,
            "data": digest(self.inputs, self.targets, *places),
            "points": "none" if self.points is None else digest(self.points),
            "measures": ", ".join(self.measures), "losses": self.losses,
        }  # fmt: skip


class Engine(Protocol):
    """What trains the networks of one chunk."""

    threads: int  #: chunks that it can train at the same time

    def begin(self, parameters: Parameters) -> Any:
        """Return the state of a chunk of networks with these parameters before the first step."""

    def advance(self, state: Any, start: int, stop: int) -> Any:
        """Return the state after the steps from ``start`` to ``stop``; the one given is used up."""

    def observe(self, state: Any) -> Mapping[str, Any]:
        """Return what is recorded, in the shapes of :attr:`Arguments.shapes`."""

    def parameters(self, state: Any) -> Parameters:
        """Return the parameters, networks first."""


class ChunkedRun:
    """Trains an ensemble chunk by chunk; a row holds all that is kept of one chunk."""

    def __init__(self, arguments: Arguments, engine: Engine, schedule: Schedule, keep: bool) -> None:
        self.a, self.engine, self.schedule, self.keep = arguments, engine, schedule, keep
        self._stop = Event()

    def rows(self, start: Parameters, definition: Any, path: str | Path | None, callback: Any) -> NDArray[np.float64]:
        """Return the rows of all chunks.

        Parameters
        ----------
        start : dict
            Initial parameters of all networks.
        definition : dict
            What fixes the run, for the checkpoint.
        path : str or Path, optional
            Of the checkpoint.
        callback : callable, optional
        """
        a = self.a
        n_chunks = -(-a.n_nets // a.chunk)
        columns = len(self.schedule.record) * sum(int(np.prod(s)) for s in a.shapes.values())
        columns += a.chunk * a.net.n_parameters if self.keep else 0
        kept = None if path is None else Checkpoint(path, definition, (n_chunks, columns), seconds=0.0)
        rows = np.zeros((n_chunks, columns)) if kept is None else kept.rows
        missing = [c for c in range(n_chunks) if kept is None or not kept.done[c]]
        with self._trained(lambda c: self._chunk(start, c), missing) as trained:
            for c in range(n_chunks):
                if c in missing:
                    rows[c] = row = next(trained)
                    if kept is not None:
                        kept.add(c, row[None])
                if callback is not None:
                    callback(min((c + 1) * a.chunk, a.n_nets), a.n_nets)
        return rows

    @contextmanager
    def _trained(self, train: Callable[[int], Any], chunks: list[int]) -> Iterator[Iterator[Any]]:
        """Open the rows of chunks in their order; chunks under way are given up when the context is left."""
        if self.engine.threads == 1:
            yield map(train, chunks)
            return
        with ThreadPoolExecutor(self.engine.threads, thread_name_prefix="nnft-train") as pool:
            results: Any = pool.map(train, chunks)
            try:
                with closing(results):
                    yield results
            finally:
                self._stop.set()

    def _chunk(self, start: Parameters, c: int) -> NDArray[np.float64]:
        a, engine = self.a, self.engine
        # the last chunk is filled up with networks of the beginning, so that all have the same compiled code
        which = np.arange(c * a.chunk, (c + 1) * a.chunk) % a.n_nets
        state = engine.begin({kind: tuple(w[which] for w in arrays) for kind, arrays in start.items()})
        found: list[NDArray[np.float64]] = []
        now = 0
        for goal in self.schedule.record:
            if self._stop.is_set():
                break
            if goal > now:
                state, now = engine.advance(state, now, goal), goal
            seen = engine.observe(state)
            self._check_finite(state, seen, now)
            found += [np.asarray(seen[name], np.float64).ravel() for name in a.shapes]
        if self.keep:
            final = engine.parameters(state)
            found += [np.asarray(w, np.float64).ravel() for w in (*final["weights"], *final["biases"])]
        return np.concatenate([np.empty(0), *found])

    def _check_finite(self, state: Any, seen: Mapping[str, Any], step: int) -> None:
        """Raise a FloatingPointError if a training has diverged, by the loss where it is recorded."""
        if "loss" in seen:
            what, arrays = "loss", [seen["loss"]]
        else:
            parameters = self.engine.parameters(state)
            what, arrays = "parameter", [*parameters["weights"], *parameters["biases"]]
        if not all(np.isfinite(np.asarray(w)).all() for w in arrays):
            raise FloatingPointError(f"a {what} is not finite at step {step}: take a smaller learning rate")

    def collected(self, rows: NDArray[np.float64], definition: dict[str, Any]) -> tuple[xr.Dataset, Parameters | None]:
        """Return what was recorded, and the parameters if they are kept."""
        a, dims = self.a, {"outputs": ("output", "point"), "ntk": ("output", "point", "output_2", "point_2")}
        place = 0
        parts: dict[str, list[Any]] = {name: [] for name in a.shapes}
        for _ in self.schedule.record:
            for name, shape in a.shapes.items():
                size = int(np.prod(shape))
                parts[name].append(rows[:, place : place + size].reshape(-1, *shape[1:])[: a.n_nets])
                place += size
        variables = {name: (("step", "net", *dims.get(name, ())), np.stack(p)) for name, p in parts.items()}
        data = xr.Dataset(variables, coords={"step": list(self.schedule.record)}, attrs=definition)
        return data, self._parameters(rows, place) if self.keep else None

    def _parameters(self, rows: NDArray[np.float64], place: int) -> Parameters:
        a, pairs = self.a, list(zip(self.a.net.widths[:-1], self.a.net.widths[1:], strict=True))
        wanted: list[tuple[str, tuple[int, ...]]] = [("weights", (m, n)) for m, n in pairs]
        wanted += [("biases", (n,)) for _, n in pairs] if a.net.sigma_b is not None else []
        result: dict[str, list[Any]] = {"weights": [], "biases": []}
        for kind, shape in wanted:
            size = a.chunk * int(np.prod(shape))
            values = rows[:, place : place + size].reshape(-1, *shape)[: a.n_nets]
            result[kind].append(values.astype(a.dtype))
            place += size
        return {kind: tuple(arrays) for kind, arrays in result.items()}


def digest(*arrays: NDArray[Any]) -> str:
    """Return a short hash of shapes, types and contents."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.shape} {array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:16]
