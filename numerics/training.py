"""Ensembles of networks trained all at once, and what is recorded on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from numerics.checkpoint import Checkpoint
from numerics.layered_nets import LayeredNet, Parameters, outputs, packed, tangent_kernels, unpacked
from numerics.training_steps import Schedule, batch_rows, loss_function, optimizer_for, require_training

CHUNK = 10  # networks at a time: parameters and moments of 784-50-10 then stay in the cache of a processor


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What was recorded while an ensemble was trained.

    Parameters
    ----------
    dataset : xarray.Dataset
        ``loss`` (step, net), on all the data; with points ``outputs`` (step, net, output, point); with ``ntk=True``
        ``ntk`` (step, net, output, point, output_2, point_2); and each measure under its name, (step, net). In
        ``attrs`` what was run, and the versions.
    parameters : dict, optional
        ``weights`` and ``biases`` at the end, networks first; None if they were not kept.
    """

    dataset: xr.Dataset
    parameters: Parameters | None

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps at which something was recorded."""
        return tuple(int(s) for s in self.dataset["step"].values)

    def correlator(self, n: int, *, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the n-point function of the outputs over the ensemble, and its standard error.

        Parameters
        ----------
        n : int
        step : int
            One of :attr:`steps`.

        Returns
        -------
        pair of arrays (output, point, output, point, ...)
            ``E f_i(x) f_j(y) ...``, not connected.
        """
        if "outputs" not in self.dataset:
            raise ValueError("no outputs were recorded: give points to train_ensemble")
        if step not in self.steps or n < 1:
            raise ValueError(f"n must be positive and step one of {self.steps}; got n = {n}, step = {step}")
        f = self.dataset["outputs"].sel(step=step).values.astype(np.float64)
        flat = f.reshape(len(f), -1)
        products = np.ones((len(f), 1))
        for _ in range(n):
            products = (products[:, :, None] * flat[:, None, :]).reshape(len(f), -1)
        shape = f.shape[1:] * n
        errors = products.std(axis=0, ddof=1) / np.sqrt(len(f))
        return products.mean(axis=0).reshape(shape), errors.reshape(shape)


def train_ensemble(
    net: LayeredNet,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    n_nets: int,
    steps: int,
    seed: int = 0,
    loss: str | Callable[[Any, Any], Any] = "mse",
    optimizer: str | Any = "sgd",
    learning_rate: float = 1e-3,
    decay: float = 1.0,
    batch_size: int | None = None,
    record: Sequence[int] | None = None,
    points: ArrayLike | None = None,
    ntk: bool = False,
    measures: Mapping[str, tuple[ArrayLike, Callable[[Any], Any]]] | None = None,
    initial: Parameters | None = None,
    keep_parameters: bool = True,
    dtype: str = "float64",
    chunk: int = CHUNK,
    checkpoint: str | Path | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> TrainingRun:
    """Return the record of an ensemble trained on shared data.

    All networks see the same batches in the same order, so that the first layers of a chunk of networks are one matrix
    product. Networks do not influence each other. Needs the extra ``training`` (jax and optax).

    Parameters
    ----------
    net : LayeredNet
    inputs : array (n, input_dim)
    targets : array (n, outputs)
    n_nets : int
    steps : int
        Steps of the optimiser.
    seed : int
        Of the initial parameters and of the order of the data.
    loss : str or callable
        ``"mse"`` (mean over batch and outputs), ``"cross_entropy"`` (of softmax), or a function of outputs and targets
        (batch, outputs) of one network that returns a number.
    optimizer : str or optax.GradientTransformation
        ``"sgd"``, ``"adam"``, or an optax optimiser that treats every parameter by itself; the latter has its own rate.
    learning_rate, decay : float
        The rate, multiplied by ``decay`` after every pass through the data.
    batch_size : int, optional
        Default: all data. A last smaller batch of a pass is left out.
    record : sequence of int, optional
        Steps, 0 for the start; default the start and the end.
    points : array (n_points, input_dim), optional
        Where outputs are recorded.
    ntk : bool
        Record the tangent kernel of every network at ``points``.
    measures : mapping, optional
        Name to inputs and a jax function of the outputs (n, outputs) of one network at these, which returns a number.
    initial : dict, optional
        Initial parameters as :meth:`LayeredNet.initial` returns them; default drawn with ``seed``.
    keep_parameters : bool
        Return the final parameters.
    dtype : str
        "float32" or "float64".
    chunk : int
        Networks trained at a time.
    checkpoint : str or Path, optional
        File that keeps finished chunks; the same call goes on from there with the same result to the last bit.
    callback : callable, optional
        Called with finished and all networks after each chunk.

    Returns
    -------
    TrainingRun

    Raises
    ------
    ImportError
        If jax or optax is not installed.
    ValueError
        If shapes or options do not fit.
    FloatingPointError
        If a loss stops being finite.
    """
    require_training()
    arguments = _Arguments(net, inputs, targets, n_nets, points, ntk, measures or {}, dtype, chunk)
    batch = len(arguments.inputs) if batch_size is None else batch_size
    schedule = Schedule(steps, batch, len(arguments.inputs), seed, tuple(record if record is not None else (0, steps)))
    start = _initial(net, initial, n_nets, seed, dtype)
    if checkpoint is not None and (callable(loss) or not isinstance(optimizer, str)):
        raise ValueError(
            "a checkpoint can only be kept for losses and optimisers given by name: functions cannot be compared when "
            "the run goes on"
        )
    definition = (
        arguments.definition
        | schedule.definition
        | {
            "loss": loss if isinstance(loss, str) else getattr(loss, "__name__", repr(loss)),
            "optimizer": optimizer if isinstance(optimizer, str) else "optax",
            "learning_rate": learning_rate,
            "decay": decay,
            "keep_parameters": keep_parameters,
            "initial": _digest(*start["weights"], *start["biases"]),
        }
    )
    import jax

    with jax.enable_x64(dtype == "float64"):
        per_pass = max(1, len(arguments.inputs) // batch)
        optimise = optimizer_for(optimizer, learning_rate=learning_rate, decay=decay, per_pass=per_pass)
        trainer = _Trainer(arguments, loss_function(loss), optimise, schedule, keep_parameters)
        rows = trainer.run(start, definition, checkpoint, callback)
        return trainer.collected(rows, definition)


class _Arguments:
    """The data of a run, checked."""

    def __init__(
        self,
        net: LayeredNet,
        inputs: Any,
        targets: Any,
        n_nets: int,
        points: Any,
        ntk: bool,
        measures: Mapping[str, tuple[Any, Any]],
        dtype: str,
        chunk: int,
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
        if n_nets < 1 or chunk < 1:
            raise ValueError(f"n_nets and chunk must be positive, got {n_nets} and {chunk}")
        if ntk and points is None:
            raise ValueError("ntk=True needs points to record the kernel at")
        self.net, self.n_nets, self.chunk, self.ntk, self.dtype = net, n_nets, min(chunk, n_nets), ntk, dtype
        self.inputs = self._matrix("inputs", inputs, net.widths[0])
        self.targets = self._matrix("targets", targets, net.widths[-1])
        if len(self.inputs) != len(self.targets) or not len(self.inputs):
            raise ValueError(f"{len(self.inputs)} inputs and {len(self.targets)} targets: there must be equally many")
        self.points = None if points is None else self._matrix("points", points, net.widths[0])
        places = {name: self._matrix(f"inputs of {name}", x, net.widths[0]) for name, (x, _) in measures.items()}
        self.measures = {name: (places[name], f) for name, (_, f) in measures.items()}
        if taken := {"loss", "outputs", "ntk"} & set(self.measures):
            raise ValueError(f"a measure cannot be called {sorted(taken)[0]!r}: that name is taken")

    def _matrix(self, name: str, values: Any, columns: int) -> NDArray[Any]:
        array = np.asarray(values, dtype=self.dtype)
        if array.ndim != 2 or array.shape[1] != columns or not np.isfinite(array).all():
            raise ValueError(f"{name} must be a finite array (n, {columns}), got shape {array.shape}")
        return array

    @property
    def definition(self) -> dict[str, Any]:
        from importlib import metadata

        places = [x for x, _ in self.measures.values()]
        return {
            "net": repr(self.net), "n_nets": self.n_nets, "chunk": self.chunk, "dtype": self.dtype, "ntk": self.ntk,
            "data": _digest(self.inputs, self.targets, *places),
            "points": "none" if self.points is None else _digest(self.points),
            "measures": ", ".join(self.measures),
            "versions": ", ".join(f"{p} {metadata.version(p)}" for p in ("jax", "optax", "numpy")),
        }  # fmt: skip


class _Trainer:
    """Trains chunks of networks; a row holds all that is kept of one chunk."""

    def __init__(self, arguments: _Arguments, loss: Any, optimizer: Any, schedule: Schedule, keep: bool) -> None:
        self.a, self.loss, self.optimizer, self.schedule, self.keep = arguments, loss, optimizer, schedule, keep
        self._segment, self._observe = self._compiled()

    def _losses(self, parameters: Parameters, x: Any, y: Any) -> Any:
        import jax

        f = outputs(self.a.net, parameters, x, self.a.chunk)
        return jax.vmap(self.loss, in_axes=(1, None))(f, y)

    def _compiled(self) -> tuple[Any, Any]:
        import jax
        import optax

        a = self.a

        def step(x: Any, y: Any) -> Any:
            def body(state: Any, rows: Any) -> Any:
                parameters, moments = state
                batch = (x, y) if rows is None else (x[rows], y[rows])
                gradient = jax.grad(lambda p: self._losses(p, *batch).sum())(parameters)
                updates, moments = self.optimizer.update(gradient, moments, parameters)
                return (optax.apply_updates(parameters, updates), moments), None

            return body

        def segment(state: Any, rows: Any, n: int, x: Any, y: Any) -> Any:
            return jax.lax.scan(step(x, y), state, rows, length=n)[0]

        def observe(parameters: Any, x: Any, y: Any) -> Any:
            seen = {"loss": self._losses(parameters, x, y)}
            if a.points is not None:
                seen["outputs"] = outputs(a.net, parameters, a.points, a.chunk).transpose(1, 2, 0)
            if a.ntk:
                seen["ntk"] = tangent_kernels(a.net, parameters, a.points, a.chunk)
            for name, (places, function) in a.measures.items():
                seen[name] = jax.vmap(function, in_axes=1)(outputs(a.net, parameters, places, a.chunk))
            return seen

        return jax.jit(segment, static_argnums=2, donate_argnums=0), jax.jit(observe)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each record of a chunk at one step."""
        a, d = self.a, self.a.net.widths[-1]
        p = 0 if a.points is None else len(a.points)
        shapes: dict[str, tuple[int, ...]] = {"loss": (a.chunk,)}
        shapes |= {"outputs": (a.chunk, d, p)} if a.points is not None else {}
        shapes |= {"ntk": (a.chunk, d, p, d, p)} if a.ntk else {}
        return shapes | dict.fromkeys(a.measures, (a.chunk,))

    def run(self, start: Parameters, definition: Any, path: Any, callback: Any) -> NDArray[np.float64]:
        a = self.a
        n_chunks = -(-a.n_nets // a.chunk)
        records = len(self.schedule.record) * sum(int(np.prod(s)) for s in self.shapes.values())
        columns = records + (a.chunk * a.net.n_parameters if self.keep else 0)
        kept = None if path is None else Checkpoint(path, definition, (n_chunks, columns), seconds=0.0)
        rows = np.zeros((n_chunks, columns)) if kept is None else kept.rows
        for c in range(n_chunks):
            if kept is None or not kept.done[c]:
                row = self._chunk(start, c)
                rows[c] = row
                if kept is not None:
                    kept.add(c, row[None])
            if callback is not None:
                callback(min((c + 1) * a.chunk, a.n_nets), a.n_nets)
        return rows

    def _chunk(self, start: Parameters, c: int) -> NDArray[np.float64]:
        import jax
        import jax.numpy as jnp

        a = self.a
        # the last chunk is filled up with networks of the beginning, so that all have the same compiled code
        which = np.arange(c * a.chunk, (c + 1) * a.chunk) % a.n_nets
        parameters = jax.tree.map(jnp.array, packed({k: tuple(w[which] for w in v) for k, v in start.items()}))
        state, x, y = (parameters, self.optimizer.init(parameters)), jnp.asarray(a.inputs), jnp.asarray(a.targets)
        found, now = [], 0
        for goal in self.schedule.record:
            if goal > now:
                rows = batch_rows(self.schedule, now, goal)
                state, now = self._segment(state, rows, goal - now, x, y), goal
            seen = self._observe(state[0], x, y)
            found += [np.asarray(seen[name], np.float64).ravel() for name in self.shapes]
            if not np.isfinite(found[-len(self.shapes)]).all():
                raise FloatingPointError(f"a loss is not finite at step {now}: take a smaller learning rate")
        if self.keep:
            final = unpacked(state[0], a.chunk)
            found += [np.asarray(w, np.float64).ravel() for w in (*final["weights"], *final["biases"])]
        return np.concatenate(found)

    def collected(self, rows: NDArray[np.float64], definition: dict[str, Any]) -> TrainingRun:
        a, dims = self.a, {"outputs": ("output", "point"), "ntk": ("output", "point", "output_2", "point_2")}
        place = 0
        parts: dict[str, list[Any]] = {name: [] for name in self.shapes}
        for _ in self.schedule.record:
            for name, shape in self.shapes.items():
                size = int(np.prod(shape))
                parts[name].append(rows[:, place : place + size].reshape(-1, *shape[1:])[: a.n_nets])
                place += size
        variables = {name: (("step", "net", *dims.get(name, ())), np.stack(p)) for name, p in parts.items()}
        data = xr.Dataset(variables, coords={"step": list(self.schedule.record)}, attrs=definition)
        return TrainingRun(data, self._parameters(rows, place) if self.keep else None)

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


def _initial(net: LayeredNet, given: Parameters | None, n_nets: int, seed: int, dtype: str) -> Parameters:
    if given is None:
        return net.initial(n_nets, seed=seed, dtype=dtype)
    pairs = list(zip(net.widths[:-1], net.widths[1:], strict=True))
    wanted: dict[str, list[tuple[int, ...]]] = {"weights": [(n_nets, a, b) for a, b in pairs], "biases": []}
    if net.sigma_b is not None:
        wanted["biases"] = [(n_nets, b) for _, b in pairs]
    found = {kind: [np.shape(w) for w in given.get(kind, ())] for kind in wanted}
    if found != wanted:
        raise ValueError(f"initial must have the shapes {wanted}, got {found}")
    return {kind: tuple(np.asarray(w, dtype) for w in given.get(kind, ())) for kind in wanted}


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
