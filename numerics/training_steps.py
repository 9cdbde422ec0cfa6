"""Losses, optimisers and the order of the data for trained ensembles."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOSSES = ("mse", "cross_entropy")
OPTIMIZERS = ("sgd", "adam")


def require_training() -> None:
    """Raise an ImportError that says how to install what training needs, if it is not there."""
    if missing := [name for name in ("jax", "optax") if importlib.util.find_spec(name) is None]:
        raise ImportError(f'training needs {" and ".join(missing)}: pip install "nnft[training]"')


@dataclass(frozen=True)
class Schedule:
    """How many steps, on which data, and which of them are recorded."""

    steps: int
    batch: int
    n_data: int
    seed: int
    record: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.steps < 0 or not 1 <= self.batch <= self.n_data:
            raise ValueError(
                f"steps must be >= 0 and batch_size from 1 to the {self.n_data} data, got {self.steps}, {self.batch}"
            )
        rising = all(a < b for a, b in zip(self.record, self.record[1:], strict=False))
        if not self.record or not rising or self.record[0] < 0 or self.record[-1] != self.steps:
            raise ValueError(f"record must rise from >= 0 to the last step {self.steps}, got {self.record}")

    @property
    def per_pass(self) -> int:
        """Steps of one pass through the data."""
        return max(1, self.n_data // self.batch)

    @property
    def definition(self) -> dict[str, Any]:
        """What fixes the schedule, as plain values."""
        return {"steps": self.steps, "batch_size": self.batch, "seed": self.seed, "record": list(self.record)}

    @cached_property
    def rows(self) -> NDArray[np.int32] | None:
        """Rows of the data of every step, (steps, batch); None if each step sees all."""
        if self.batch == self.n_data:
            return None
        per_pass, passes = self.per_pass, []
        for epoch in range(-(-self.steps // per_pass)):
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, 1)))
            passes.append(rng.permutation(self.n_data)[: per_pass * self.batch].reshape(per_pass, self.batch))
        empty = np.empty((0, self.batch), np.int32)
        return np.vstack([empty, *passes])[: self.steps].astype(np.int32)


def batch_rows(schedule: Schedule, start: int, stop: int) -> NDArray[np.int32] | None:
    """Return the rows of the data for a stretch of steps; None if each step sees all."""
    return None if schedule.rows is None else schedule.rows[start:stop]


def loss_function(loss: str | Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the loss of one network as a function of outputs and targets (batch, outputs)."""
    import jax.numpy as jnp
    import optax

    if callable(loss):
        return loss
    if loss == "mse":
        return lambda f, y: jnp.mean((f - y) ** 2)
    if loss == "cross_entropy":
        return lambda f, y: jnp.mean(optax.softmax_cross_entropy(f, y))
    raise ValueError(f"no loss {loss!r}; choose one of {', '.join(map(repr, LOSSES))}, or give a function")


def optimizer_for(optimizer: Any, *, learning_rate: float, decay: float, per_pass: int) -> Any:
    """Return the optax optimiser of that name, its rate multiplied by ``decay`` after each pass; or the one given."""
    import optax

    if not isinstance(optimizer, str):
        _check_separate(optimizer)
        return optimizer
    if optimizer not in OPTIMIZERS:
        raise ValueError(
            f"no optimizer {optimizer!r}; choose one of {', '.join(map(repr, OPTIMIZERS))}, or one of optax"
        )
    check_rate(learning_rate, decay)
    rate: Any = learning_rate
    if decay < 1:
        import jax.numpy as jnp

        def rate(count: Any) -> Any:  # optax.exponential_decay would count in float32
            return learning_rate * jnp.asarray(decay, float) ** (count // per_pass)

    return {"sgd": optax.sgd, "adam": optax.adam}[optimizer](rate)


def check_rate(learning_rate: float, decay: float) -> None:
    """Raise a ValueError if the learning rate is impossible."""
    if not learning_rate > 0 or not 0 < decay <= 1:
        raise ValueError(f"learning_rate must be positive and decay in (0, 1], got {learning_rate} and {decay}")


def _check_separate(optimizer: Any) -> None:
    """Refuse an optimiser that mixes parameters, such as clipping by a global norm: it would mix networks."""
    import jax.numpy as jnp

    start = jnp.ones(2)
    for size in (1.0, 1e8):
        moves = [
            optimizer.update(jnp.array([1.0, other]), optimizer.init(start), start)[0][0] for other in (1.0, 3.0 * size)
        ]
        if not np.allclose(moves[0], moves[1], rtol=1e-12, atol=0):
            raise ValueError(
                "this optimizer mixes parameters, so that networks trained together would influence each other; "
                "use one that treats every parameter by itself, such as optax.sgd or optax.adam"
            )
