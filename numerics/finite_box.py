r"""Correlators of a theory with a cutoff in a finite region as numbers: diagrams contracted on quadrature nodes.

A vertex is a sum over the nodes z of the region with the weights w(z), a line the matrix of the propagator between
nodes and points. Products of n propagators have momenta below n Lambda, so that Gauss-Legendre nodes (a box) and the
trapezoidal rule (a Gaussian weight) converge exponentially; the change with denser nodes is the error that is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from diagrams._couplings import product_terms
from diagrams.finite_box import CutoffAction, CutoffSeries
from diagrams.graph import FeynmanGraph
from diagrams.rules import Contraction
from diagrams.series import Exponents
from diagrams.vector_theory import VectorAction, index_pairings
from numerics.contract import contract
from numerics.node_sums import GridLines, grid_amplitude
from numerics.points import as_points
from numerics.propagators import CutoffPropagator
from numerics.quadrature_grids import Grid, region_grid
from numerics.results import format_uncertainty

Floats = NDArray[np.float64]

_DENSER = 1.5  # factor on the nodes of an axis by which the error is found
_MAX_MATRIX = 1 << 26  # entries of the propagator between nodes: half a gigabyte


@dataclass(frozen=True, eq=False)
class CorrelatorValues:
    """An n-point function on points, order by order in the couplings.

    Parameters
    ----------
    points : array (n_points, input_dim)
    orders : mapping from exponents to array
        The contribution of each order, couplings included, shape ``(n_points,) * n``. For a field of several
        components an axis has all points of the first component, then those of the second.
    quadrature_error : float
        Largest change of any value when the quadrature nodes are made denser.
    n_nodes : int
        Quadrature nodes of one vertex.
    """

    points: Floats
    orders: Mapping[tuple[Any, ...], Floats]
    quadrature_error: float
    n_nodes: int

    @property
    def values(self) -> Floats:
        """The sum of all orders, shape as each of :attr:`orders`."""
        return np.asarray(sum(self.orders.values()))

    def through(self, order: int) -> Floats:
        """Return the sum of the orders whose powers add up to at most ``order``."""
        total: Floats = np.zeros_like(self.values)
        for key, value in self.orders.items():
            if sum(key) <= order:
                total = total + value
        return total

    def __str__(self) -> str:
        shape = "x".join(map(str, self.values.shape))
        return f"{shape} values on {self.n_nodes} nodes, quadrature error below {self.quadrature_error:.1e}"

    def __repr__(self) -> str:
        first = format_uncertainty(float(self.values.flat[0]), self.quadrature_error)
        return f"<CorrelatorValues: {first} at the first point; {self}>"


def correlator_values(series: CutoffSeries, x: ArrayLike, *, tolerance: float = 1e-9) -> CorrelatorValues:
    """Return the numbers of a correlator of a finite theory on all tuples of points.

    Parameters
    ----------
    series : CutoffSeries
        From ``phi4(mass=1, coupling=0.5, cutoff=8, box=4).correlator(legs=2, order=2)`` and its relatives.
    x : array_like (n_points, input_dim)
    tolerance : float
        Nodes are made denser until values change by less than this, relative to the largest.

    Returns
    -------
    CorrelatorValues

    Raises
    ------
    TypeError
        If the Series is not one of a finite theory.
    ValueError
        If a parameter has no number (the text names it), the points do not fit, or there are too many nodes.
    ArithmeticError
        If the values do not converge within the nodes allowed.

    Examples
    --------
    >>> from diagrams.theory import phi4
    >>> theory = phi4(mass=1, coupling=0.5, cutoff=8, box=4)
    >>> found = correlator_values(theory.correlator(legs=2, order=2), [[0.0]])
    >>> [round(v.item(), 6) for v in found.orders.values()], found.quadrature_error < 1e-9
    ([0.460417, -0.028233, 0.004779], True)
    """
    theory = finite_theory(series)
    points = as_points(x, theory.input_dim)
    refinement = 1.0
    coarse = _on_grid(series, theory, points, _grid(theory, refinement))
    while True:
        grid = _grid(theory, _DENSER * refinement)
        fine = _on_grid(series, theory, points, grid)
        error = max(float(np.abs(fine[key] - coarse[key]).max()) for key in fine)
        scale = max(float(np.abs(value).max()) for value in fine.values())
        if error <= tolerance * scale:
            return CorrelatorValues(points, fine, error, grid.n_nodes)
        if refinement > 8:
            raise ArithmeticError(
                f"the diagrams change by {error:.1e} of {scale:.1e} when the quadrature nodes are made denser, more "
                f"than tolerance={tolerance:g}: use a larger tolerance or a smaller region"
            )
        refinement, coarse = _DENSER * refinement, fine


def finite_theory(series: Any) -> CutoffAction:
    """Return the theory of a Series, with numbers for everything.

    Raises
    ------
    TypeError, ValueError
        If it has none, or a parameter is a symbol.
    """
    if not isinstance(series, CutoffSeries) or series.theory is None:
        raise TypeError(
            "values need a correlator of a finite theory, such as phi4(mass=1, coupling=0.5, cutoff=8, box=4)"
            f".correlator(legs=2, order=2); got {series!r}"
        )
    if missing := series.theory.free_parameters:
        raise ValueError(f"parameter(s) {list(missing)} of the theory have no numbers: give them to phi4(...)")
    return series.theory


def _grid(theory: CutoffAction, refinement: float) -> Grid:
    wavenumber = max(theory.valences, default=2) * float(theory.cutoff)
    grid = region_grid(theory.region, theory.input_dim, wavenumber=wavenumber, refinement=refinement)
    if grid.n_nodes**2 > _MAX_MATRIX:
        raise ValueError(
            f"{grid.n_nodes} quadrature nodes are too many for propagators between all of them: use a smaller region "
            "or cutoff, or a lower dimension"
        )
    return grid


def _on_grid(series: CutoffSeries, theory: CutoffAction, points: Floats, grid: Grid) -> dict[Exponents, Floats]:
    """Return every order of a correlator on one set of nodes."""
    tensors = _Lines(theory, points, grid)
    values = dict(theory.values)
    rules = theory.rules
    bare = rules.without_constants
    order = tuple(max((key[i] for key, _ in series.terms), default=0) for i in range(len(series.parameters)))
    found: dict[Exponents, Floats] = {}
    for key in sorted(series.sources):
        number = float(series.power(key).xreplace(values))
        for graph in series.sources[key]:
            constant = product_terms(rules.constants(graph), order)[key] if graph.n_vertices else 1
            factor = number * float(sympy.sympify(constant)) / graph.symmetry_factor
            part = factor * tensors.contracted(bare.contraction(graph), graph)
            if isinstance(theory, VectorAction):
                part = _with_components(part, index_pairings(graph), int(theory.components))
            found[key] = found[key] + part if key in found else part
    size = len(points) * int(theory.n_components)
    return found or {(0,) * len(series.parameters): np.zeros((size,) * series.legs)}


def _with_components(value: Floats, pairings: Mapping[Any, Mapping[int, Any]], components: int) -> Floats:
    """Return the value of a diagram for all components of its legs, from that of one field."""
    legs = value.ndim
    indices = np.zeros((components,) * legs)
    for pairing, powers in pairings.items():
        weight = sum(float(w) * components**n_loops for n_loops, w in powers.items())
        term = np.asarray(weight)
        for _ in pairing:
            term = np.multiply.outer(term, np.eye(components))
        indices += term.transpose(np.argsort([leg for pair in pairing for leg in pair]))
    outer = np.multiply.outer(indices, value)  # components of all legs, then their points
    order = [axis for leg in range(legs) for axis in (leg, legs + leg)]
    return np.asarray(outer.transpose(order).reshape((components * value.shape[0],) * legs))


class _Lines:
    """Propagators between points and nodes, and the diagrams made of them."""

    def __init__(self, theory: CutoffAction, points: Floats, grid: Grid) -> None:
        propagator = CutoffPropagator(theory.input_dim, float(theory.mass), float(theory.cutoff))
        nodes, weights = grid.nodes, grid.weights.ravel()
        self._lines = GridLines(
            propagator.between(points, points),
            propagator.between(points, nodes),
            propagator.between(nodes, nodes),
            weights,
            np.full(len(weights), propagator.at_zero),
        )

    def contracted(self, contraction: Contraction, graph: FeynmanGraph) -> Floats:
        """Return the value of a diagram, one axis for each leg, without its symmetry factor and couplings."""
        factor = float(contraction.factor)
        if not graph.n_vertices:
            names = {name for name, _ in contraction.operands}
            return factor * contract(contraction, dict.fromkeys(names, self._lines.outer))
        return np.asarray(factor * grid_amplitude(graph, self._lines))
