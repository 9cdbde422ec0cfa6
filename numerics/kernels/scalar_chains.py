r"""The compiled kernels of Markov chains over the parameters of a deformed free scalar net.

A network is :math:`\phi_a(x) = \sum_i w_{ai} \cos(k_i \cdot x + c_i)` with
:math:`w_{ai} = z_{ai} A(|k_i|)/\sqrt N`, :math:`A = A_0 (k^2 + m^2)^{-q}`, z standard normal, k of density
:math:`(k^2 + m^2)^{-s}` in a ball and c uniform. The energy with its gradient, the moves and what is measured are
assembled from their sources, for the fields and the monomials of the interaction.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numerics import elementary
from numerics._codegen import load_module
from numerics.kernels import philox
from numerics.kernels.chain_moves import MOVES
from numerics.kernels.scalar_energy import Powers, energy_source
from numerics.kernels.scalar_measure import measure_source

_FUNCTIONS = {"COS": "cos_turns", "SIN": "sin_turns", "LOG": "log", "EXP": "exp"}


@cache
def module(powers: Powers = ()) -> Any:
    """Return the module with ``run_chains``, ``measure_all`` and ``energy_and_gradient``.

    Parameters
    ----------
    powers : tuple of tuples of int, optional
        Powers of the fields in each monomial of the interaction; default: one field, all powers in order.
    """
    n_fields = len(powers[0]) if powers else 1
    body = f"{MOVES}\n\n{energy_source(powers)}\n\n{measure_source(n_fields)}"
    for short, name in _FUNCTIONS.items():
        body = body.replace(f"{short}(", f"{elementary.function_name(name, 'float64')}(")
    library = elementary.library(sorted(_FUNCTIONS.values()), "float64")
    return load_module(f"{library}\n{philox.source()}\n{body}", label="scalar_chains")
