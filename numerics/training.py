"""Ensembles of networks trained all at once, and what is recorded on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from numerics.layered_nets import LayeredNet, Parameters
from numerics.training_chunks import Arguments, ChunkedRun, Engine, digest
from numerics.training_compiled import GROUP, CompiledEngine, check_compiled
from numerics.training_steps import Schedule, require_training

BACKENDS = ("jax", "numba")
_PACKAGES = {"jax": ("jax", "optax", "numpy"), "numba": ("numba", "numpy", "scipy")}
CHUNK = 10  # networks at a time: parameters and moments of 784-50-10 stay near a processor


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What was recorded while an ensemble was trained.

    Parameters
    ----------
    dataset : xarray.Dataset
        ``loss`` (step, net), on all the data, unless ``losses=False``; with points ``outputs`` (step, net, output,
        point); with ``ntk=True`` ``ntk`` (step, net, output, point, output_2, point_2); and each measure under its
        name, (step, net). In ``attrs`` what was run, and the versions.
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

    def tangent_kernels(self, *, step: int) -> NDArray[np.float64]:
        """Return the tangent kernel of every network at one step, as the functions of this name do for other networks.

        Parameters
        ----------
        step : int
            One of :attr:`steps`.

        Returns
        -------
        array (n_nets, n_outputs, n_outputs, n_points, n_points)
            For :func:`numerics.tangent_kernel_symmetry`.
        """
        if "ntk" not in self.dataset:
            raise ValueError("no tangent kernels were recorded: give points and ntk=True to train_ensemble")
        if step not in self.steps:
            raise ValueError(f"step must be one of {self.steps}, got {step}")
        kernels = self.dataset["ntk"].sel(step=step).transpose("net", "output", "output_2", "point", "point_2")
        return kernels.values.astype(np.float64)


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
    losses: bool = True,
    initial: Parameters | None = None,
    keep_parameters: bool = True,
    dtype: str = "float64",
    chunk: int = CHUNK,
    backend: str = "jax",
    checkpoint: str | Path | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> TrainingRun:
    """Return the record of an ensemble trained on shared data.

    All networks see the same batches in the same order, so that the first layers of a chunk of networks are one matrix
    product. Networks do not influence each other. Needs the extra ``training`` (jax and optax), but for
    ``backend="numba"``.

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
        Name to inputs and a function of the outputs (n, outputs) of one network at these, which returns a number. The
        outputs are traced by jax, or with ``backend="numba"`` a numpy array.
    losses : bool
        Record the loss on all the data, which takes a pass through them at every recorded step.
    initial : dict, optional
        Initial parameters as :meth:`LayeredNet.initial` returns them; default drawn with ``seed``.
    keep_parameters : bool
        Return the final parameters.
    dtype : str
        "float32" or "float64".
    chunk : int
        Networks trained at a time; with ``backend="numba"`` on each thread of numba, and rounded up to groups of 5.
    backend : str
        "jax" for everything; "numba" for one hidden layer of rectifiers without biases, the loss "mse" and the
        optimizers "sgd" and "adam": faster, the same result to the last bit for every chunk and number of threads.
        While it runs, BLAS has one thread in the whole process.
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
    options = {"learning_rate": learning_rate, "decay": decay}
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; choose one of {', '.join(map(repr, BACKENDS))}")
    if backend == "jax":
        require_training()
    else:
        check_compiled(net, loss, optimizer)
    if checkpoint is not None and (callable(loss) or not isinstance(optimizer, str)):
        raise ValueError(
            "a checkpoint can only be kept for losses and optimisers given by name: functions cannot be compared when "
            "the run goes on"
        )
    arguments = Arguments(
        net, inputs, targets, n_nets=n_nets, points=points, ntk=ntk, measures=measures or {}, losses=losses,
        dtype=dtype, chunk=chunk, group=GROUP if backend == "numba" else 1,
    )  # fmt: skip
    n_data = len(arguments.inputs)
    batch = n_data if batch_size is None else batch_size
    schedule = Schedule(steps, batch, n_data, seed, tuple(record if record is not None else (0, steps)))
    start = _initial(net, initial, n_nets, seed, dtype)
    definition = {
        **arguments.definition,
        **schedule.definition,
        **options,
        "loss": loss if isinstance(loss, str) else getattr(loss, "__name__", repr(loss)),
        "optimizer": optimizer if isinstance(optimizer, str) else "optax",
        "keep_parameters": keep_parameters,
        "initial": digest(*start["weights"], *start["biases"]),
        "backend": backend,
        "versions": ", ".join(f"{p} {metadata.version(p)}" for p in _PACKAGES[backend]),
    }
    with _setting(backend, dtype):
        engine: Engine
        if backend == "numba":
            engine = CompiledEngine(arguments, schedule, adam=optimizer == "adam", **options)
        else:
            from numerics.training_jax import JaxEngine

            engine = JaxEngine(arguments, schedule, loss=loss, optimizer=optimizer, **options)
        run = ChunkedRun(arguments, engine, schedule, keep_parameters)
        return TrainingRun(*run.collected(run.rows(start, definition, checkpoint, callback), definition))


def _setting(backend: str, dtype: str) -> AbstractContextManager[Any]:
    """Return the context in which an engine works: precision of jax, or one thread of BLAS for each of ours."""
    if backend == "numba":
        from threadpoolctl import threadpool_limits

        limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
        return limits
    import jax

    precision: AbstractContextManager[Any] = jax.enable_x64(dtype == "float64")
    return precision


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
