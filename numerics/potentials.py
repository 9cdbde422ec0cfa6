"""Polynomials in sums over neurons, evaluated on sampled networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.deformed_correlators import neuron_parameters
from diagrams.neuron_sums import NeuronSum
from diagrams.symbols import symbol
from diagrams.typing import Expr
from numerics._printer import check_supported
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.lower import lower


def network_functions(
    architecture: Architecture, expressions: Sequence[Expr], numbers: Sequence[Expr]
) -> NetworkFunctions:
    """Return functions of the parameters of a whole network for the compiled kernel.

    Parameters
    ----------
    architecture : Architecture
        With numbers for all parameters, or with a symbolic width.
    expressions : sequence of sympy.Expr
        In :class:`diagrams.neuron_sums.NeuronSum` objects and ``numbers``.
    numbers : sequence of sympy.Symbol
        Whose values are given when the kernel runs.

    Raises
    ------
    ValueError
        If an expression holds symbols without numbers, or functions that cannot be evaluated.
    """
    *hidden, readout = neuron_parameters(architecture)
    more = [sympy.Dummy(f"W1_{a}", dummy_index=a) for a in range(1, architecture.output_dim)]
    sums = sorted(set().union(*(e.atoms(NeuronSum) for e in expressions)), key=sympy.default_sort_key)
    values = {s: symbol(f"sum_{i}") for i, s in enumerate(sums)}
    terms = [_of_one_neuron(s, architecture, readout) for s in sums]
    whole = [sympy.sympify(e).xreplace(values) for e in expressions]
    _check(terms, {readout, *hidden, *numbers})
    _check(whole, {*values.values(), *numbers})
    return NetworkFunctions(
        (readout, *more, *hidden), tuple(numbers), tuple(terms), tuple(values.values()), tuple(whole)
    )


def _check(expressions: Sequence[Expr], known: set[Expr]) -> None:
    check_supported(expressions)
    if missing := sorted(s.name for s in set().union(*(e.free_symbols for e in expressions)) - known):
        raise ValueError(f"no values for the symbol(s) {', '.join(missing)} of a deformation: use .at(...)")


class Potential:
    """Functions of the parameters of a whole network, given by expressions in sums over neurons.

    Parameters
    ----------
    architecture : Architecture
        With numbers for all parameters.
    expressions : sequence of sympy.Expr
        In :class:`diagrams.neuron_sums.NeuronSum` objects and the width.
    backend : str
        That evaluates them, see :func:`numerics.lower`.

    Raises
    ------
    ValueError
        If an expression holds symbols without numbers, or functions that cannot be evaluated.
    """

    def __init__(self, architecture: Architecture, expressions: Sequence[Expr], *, backend: str) -> None:
        *hidden, readout = neuron_parameters(architecture)
        sums = sorted(set().union(*(e.atoms(NeuronSum) for e in expressions)), key=sympy.default_sort_key)
        values = {s: symbol(f"sum_{i}") for i, s in enumerate(sums)}
        width = {symbol("N"): architecture.width}
        terms = [_of_one_neuron(s, architecture, readout).xreplace(width) for s in sums]
        whole = [sympy.sympify(e).xreplace(values).xreplace(width) for e in expressions]
        self._neuron = lower(terms, arguments=[readout, *hidden], backend=backend)
        self._whole = lower(whole, arguments=list(values.values()), backend=backend)

    def __call__(self, parameters: tuple[list[Any], list[Any]]) -> NDArray[np.float64]:
        """Return the values for networks, shape (n_expressions, count).

        Parameters
        ----------
        parameters : pair of lists of arrays (count, N)
            Output weights and hidden parameters.
        """
        readout, hidden = parameters
        sums = [term.sum(axis=1) for term in self._neuron(readout[0], *hidden)]
        return np.stack([v.get() if hasattr(v, "get") else v for v in self._whole(*sums)])


def _of_one_neuron(total: NeuronSum, architecture: Architecture, readout: sympy.Symbol) -> Expr:
    """Return what one neuron adds to a sum."""
    return sympy.Mul(total.expr, *(readout * architecture.feature.expression(z) for z in total.points))
