r"""The compiled kernels of Markov chains over the parameters of a deformed free scalar net.

A network is :math:`\phi_a(x) = \sum_i w_{ai} \cos(k_i \cdot x + c_i)` with
:math:`w_{ai} = z_{ai} A(|k_i|)/\sqrt N`, :math:`A = A_0 (k^2 + m^2)^{-q}`, z standard normal, k of density
:math:`(k^2 + m^2)^{-s}` in a ball and c uniform. The energy with its gradient, the moves and what is measured are
assembled from their sources, for the fields and the monomials of the interaction.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import elementary
from numerics._codegen import load_module
from numerics.kernels import philox
from numerics.kernels.chain_moves import MOVES
from numerics.kernels.scalar_energy import Powers, energy_source
from numerics.kernels.scalar_measure import measure_source
from numerics.kernels.threads import share_out

Floats = NDArray[np.float64]

_FUNCTIONS = {"COS": "cos_turns", "SIN": "sin_turns", "LOG": "log", "EXP": "exp"}


class ChainKernels:
    """Compiled energy, moves and measurements of chains; several threads share out chains and networks.

    Arrays are of float64 and contiguous; ``grid`` is the law of the amplitudes, the starts of lines, the step along
    them and the table of the interaction (:class:`numerics.scalar_density.ScalarDensity`).

    Parameters
    ----------
    powers : tuple of tuples of int, optional
        Powers of the fields in each monomial of the interaction; default: one field, all powers in order.
    """

    def __init__(self, powers: Powers = ()) -> None:
        self._module = _module(powers)

    def energy_and_gradient(
        self, z: Floats, k: Floats, c: Floats, law: Floats, starts: Floats, step: float, table: Floats, *grad: Floats
    ) -> tuple[float, float]:
        """Return the interaction and the energy of the free density of a network; slopes are written to ``grad``."""
        scratch = np.empty((self._module.N_ROWS, len(c)))
        phi, force = np.empty((2, self._module.N_FIELDS, table.shape[1]))
        found: tuple[float, float] = self._module.energy(
            z, k, c, law, starts, step, table, True, scratch, phi, force, *grad
        )
        return found

    def run_chains(self, first: int, count: int, z: Floats, *arguments: Any) -> None:
        """Move chains by draws ``first`` to ``first + count`` and write down what they meet."""
        share_out(lambda start, stop: self._module.move_chains(start, stop, first, count, z, *arguments), len(z))

    def measure_all(self, z: Floats, *arguments: Any) -> None:
        """Write down fields, values of the interaction and parts of networks."""
        share_out(lambda start, stop: self._module.measure_nets(start, stop, z, *arguments), len(z))


@cache
def chain_kernels(powers: Powers = ()) -> ChainKernels:
    """Return the kernels for an interaction, see :class:`ChainKernels`."""
    return ChainKernels(powers)


def _module(powers: Powers) -> Any:
    n_fields = len(powers[0]) if powers else 1
    body = f"{MOVES}\n\n{energy_source(powers)}\n\n{measure_source(n_fields)}"
    for short, name in _FUNCTIONS.items():
        body = body.replace(f"{short}(", f"{elementary.function_name(name, 'float64')}(")
    library = elementary.library(sorted(_FUNCTIONS.values()), "float64")
    return load_module(f"{library}\n{philox.source()}\n{body}", label="scalar_chains")
