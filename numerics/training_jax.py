"""Ensembles trained by jax: any depth, activation, loss and optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numerics.layered_nets import Parameters, outputs, packed, tangent_kernels, unpacked
from numerics.training_chunks import Arguments
from numerics.training_steps import Schedule, batch_rows, loss_function, optimizer_for


class JaxEngine:
    """Compiled functions that train a chunk and record it; used within the same setting of ``jax.enable_x64``."""

    threads = 1  # jax uses all cores for one chunk

    def __init__(
        self, arguments: Arguments, schedule: Schedule, *, loss: Any, optimizer: Any, learning_rate: float, decay: float
    ) -> None:
        import jax.numpy as jnp

        self.a, self.schedule, self.loss = arguments, schedule, loss_function(loss)
        self.optimizer = optimizer_for(optimizer, learning_rate=learning_rate, decay=decay, per_pass=schedule.per_pass)
        self.data = jnp.asarray(arguments.inputs), jnp.asarray(arguments.targets)
        self._segment, self._observe = self._compiled()

    def begin(self, parameters: Parameters) -> Any:
        """Return packed parameters and the moments of the optimiser."""
        import jax
        import jax.numpy as jnp

        side_by_side = jax.tree.map(jnp.array, packed(parameters))
        return side_by_side, self.optimizer.init(side_by_side)

    def advance(self, state: Any, start: int, stop: int) -> Any:
        """Return the state after a stretch of steps."""
        return self._segment(state, batch_rows(self.schedule, start, stop), stop - start, *self.data)

    def observe(self, state: Any) -> Mapping[str, Any]:
        """Return what is recorded."""
        seen: Mapping[str, Any] = self._observe(state[0], *self.data)
        return seen

    def parameters(self, state: Any) -> Parameters:
        """Return the parameters, networks first."""
        return unpacked(state[0], self.a.chunk)

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
            seen = {"loss": self._losses(parameters, x, y)} if a.losses else {}
            if a.points is not None:
                seen["outputs"] = outputs(a.net, parameters, a.points, a.chunk).transpose(1, 2, 0)
            if a.ntk:
                seen["ntk"] = tangent_kernels(a.net, parameters, a.points, a.chunk)
            for name, (places, function) in a.measures.items():
                seen[name] = jax.vmap(function, in_axes=1)(outputs(a.net, parameters, places, a.chunk))
            return seen

        return jax.jit(segment, static_argnums=2, donate_argnums=0), jax.jit(observe)
