"""The parameters that a group acts on, their density, and the functions that networks compute with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams._input_symmetry import _density, _log_change, vanishes
from diagrams.distributions import Distribution, Gaussian
from diagrams.groups import Group
from diagrams.momenta import RadialDistribution
from diagrams.symbols import coordinates, symbol
from diagrams.typing import Expr

Symbols = tuple[sympy.Symbol, ...]
Block = tuple[Symbols, Distribution]
Map = dict[sympy.Symbol, Expr]  # symbols that are moved, and their images or velocities


@dataclass(frozen=True)
class ParameterSpace:
    """Parameters of neurons with their joint density, and the sum over these neurons as a function of the inputs.

    Parameters
    ----------
    net : Architecture
    label : str
        What the group acts on, in words.
    columns : tuple of tuples of symbols
        The vectors that every element of the group is applied to.
    blocks : tuple of (symbols, Distribution)
        The independent blocks of all parameters; ``W1`` stands for sqrt(N) times an output weight.
    functions : tuple of sympy.Expr
        ``sum_i W1_ai h(x; theta_i)`` for each output, at the coordinates of ``x_1``, without the output bias.
    """

    net: Architecture
    label: str
    columns: tuple[Symbols, ...]
    blocks: tuple[Block, ...]
    functions: tuple[Expr, ...]

    @cached_property
    def laws(self) -> dict[sympy.Symbol, Distribution]:
        """The distribution of each symbol."""
        return {s: law for symbols, law in self.blocks for s in symbols}

    @property
    def names(self) -> str:
        """The parameters that are moved, as text."""
        return ", ".join(str(s) for column in self.columns for s in column)

    def flow(self, matrix: Any, shift: Any) -> Map:
        """Return the velocities of the parameters along a generator or a translation."""
        found: Map = {}
        for column in self.columns:
            velocity = sympy.Matrix(matrix) * sympy.Matrix(column) if matrix is not None else shift
            found |= {s: u for s, u in zip(column, velocity, strict=True) if u != 0}
        return found

    def image(self, rotation: Any, shift: Any) -> Map:
        """Return the parameters that an element moves, with their images."""
        found: Map = {}
        for column in self.columns:
            moved = sympy.Matrix(rotation) * sympy.Matrix(column) + sympy.Matrix(shift)
            found |= {s: u for s, u in zip(column, moved, strict=True) if u != s}
        return found

    def divergence(self, flow: Map) -> Expr:
        """Return ``div(P u)/P`` inside the support of the density, which has the change of volume in it."""
        total = sympy.Add(*(sympy.diff(u, s) for s, u in flow.items()))
        return total + sympy.Add(*(_log_change(symbols, law, flow) for symbols, law in self.blocks))

    def flow_failure(self, flow: Map) -> str | None:
        """Return why an infinitesimal map changes the density of the parameters, None if it does not."""
        if fixed := [s for s in flow if _is_fixed(self.laws[s])]:
            return f"{fixed[0]} is not random"
        divergence = self.divergence(flow)
        if not vanishes(divergence):
            return f"div(P u)/P = {sympy.collect(sympy.expand(divergence), list(flow))} is not zero"
        for symbols, law in self.blocks:
            if failure := self._boundary_failure(symbols, law, flow):
                return failure
        return None

    def _boundary_failure(self, symbols: Symbols, law: Distribution, flow: Map) -> str | None:
        moved = [s for s in symbols if s in flow]
        if not moved:
            return None
        if isinstance(law, RadialDistribution):
            outwards = sympy.Add(*(s * flow[s] for s in moved))
            return None if vanishes(outwards) else f"the density {law} ends at a sphere that is moved"
        for s in moved:
            ends = [e for e in law.support if e.is_finite]
            if all(vanishes(sympy.sympify(flow[s]).xreplace({s: e})) for e in ends):
                continue
            if len(ends) < 2 or not self._turns(s, law, flow):
                return f"the density {law} of {s} ends, and the feature is not periodic over its support"
        return None

    def _turns(self, s: sympy.Symbol, law: Distribution, flow: Map) -> bool:
        """Return whether a parameter may leave one end of its support and come back at the other."""
        ended = {p for p, other in self.laws.items() if any(e.is_finite for e in other.support)}
        if sympy.sympify(flow[s]).free_symbols & ended:
            return False
        period = law.support[1] - law.support[0]
        moved = [f.xreplace({s: s + period}) for f in self.functions]
        fixed = not any(w in flow for w in weight_symbols_of(self.net))
        signs = (1, -1) if self.net.has_symmetric_readout and fixed else (1,)  # output weights of either sign
        return any(all(vanishes(g - c * f) for f, g in zip(self.functions, moved, strict=True)) for c in signs)

    def image_failure(self, image: Map) -> str | None:
        """Return why a linear map that is not connected to one changes the density, None if it does not."""
        if all(self._is_exchanged(symbols, law, image) for symbols, law in self.blocks):
            return None
        if fixed := [s for s in image if _is_fixed(self.laws[s])]:
            return f"{fixed[0]} is not random"
        volume = abs(sympy.Matrix([[sympy.diff(u, s) for s in image] for u in image.values()]).det())
        if volume != 1:
            return f"volumes of parameters change by the factor {volume}"
        for s in image:
            law = self.laws[s]
            if not isinstance(law, RadialDistribution) and any(e.is_finite for e in law.support):
                return f"the density {law} of {s} ends, at places that are moved"
        change = []
        for symbols, law in self.blocks:
            if any(s in image for s in symbols):
                density = _density(symbols, law)
                change.append(sympy.log(density.xreplace(image)) - sympy.log(density))
        return None if vanishes(sympy.Add(*change)) else "P(R theta) differs from P(theta)"

    def _is_exchanged(self, symbols: Symbols, law: Distribution, image: Map) -> bool:
        """Return whether a block goes to itself or to another of the same density, up to signs that it lets through."""
        moved = [sympy.sympify(image.get(s, s)) for s in symbols]
        if moved == list(symbols):
            return True
        places = [u if u.is_Symbol else -u for u in moved]
        if any(self.laws.get(p) != law for p in places) or (not law.is_symmetric and places != moved):
            return False
        if isinstance(law, RadialDistribution):
            return any(set(places) == set(other) for other, _ in self.blocks)
        return len(set(places)) == len(places)


def _is_fixed(law: Distribution) -> bool:
    return bool(law.support[0] == law.support[1] or (isinstance(law, Gaussian) and law.variance == 0))


def weight_symbols_of(net: Architecture) -> Symbols:
    """Return ``W1``, or ``W1_1, W1_2, ...`` of several outputs."""
    if net.output_dim == 1:
        return (net.w1,)
    return tuple(symbol(f"W1_{a}") for a in range(1, net.output_dim + 1))


def _neuron_blocks(net: Architecture) -> tuple[Block, ...]:
    weights = [((s,), net.readout_of(a)) for a, s in enumerate(weight_symbols_of(net))]
    return (*net.feature.distributions, *weights)


def parameter_names(net: Architecture) -> dict[str, Symbols]:
    """Return the parameters of one neuron by name: single ones, vectors, and all of them as ``"parameters"``."""
    every = [s for symbols, _ in _neuron_blocks(net) for s in symbols]
    found: dict[str, list[sympy.Symbol]] = {"parameters": list(every)}
    for s in every:
        found.setdefault(s.name.partition("_")[0], []).append(s)
        if "_" in s.name:
            found[s.name] = [s]
    return {name: tuple(symbols) for name, symbols in found.items()}


def parameter_space(net: Architecture, group: Group, acting_on: str | Sequence[str]) -> ParameterSpace:
    """Return the parameters that a group acts on.

    Raises
    ------
    ValueError
        If there is no such parameter, or their number is not the size of the group.
    """
    if acting_on == "neurons":
        return _space_of_neurons(net, group)
    names, known = ([acting_on] if isinstance(acting_on, str) else list(acting_on)), parameter_names(net)
    if wrong := [name for name in names if name not in known]:
        raise ValueError(
            f"acting_on must be 'inputs', 'outputs', 'neurons' or names of parameters of a neuron among "
            f"{', '.join(map(repr, known))}; got {wrong[0]!r}"
        )
    moved = tuple(dict.fromkeys(s for name in names for s in known[name]))
    if group.size != len(moved):
        raise ValueError(
            f"{group} acts on {group.size} real components, but {' and '.join(map(repr, names))} of a neuron of this "
            f"net has {len(moved)}: {', '.join(map(str, moved))}"
        )
    label = f"parameters {', '.join(map(str, moved))} of every neuron"
    return _space(net, label, (moved,), [{}])


def _space_of_neurons(net: Architecture, group: Group) -> ParameterSpace:
    if group.translations:
        raise ValueError(f"{group} shifts what it acts on; neurons can be exchanged and mixed, not shifted")
    n = group.size
    if net.width.is_number and n > net.width:
        raise ValueError(f"{group} acts on {n} neurons, but this net has {net.width}")
    every = [s for symbols, _ in _neuron_blocks(net) for s in symbols]
    copies = [{s: symbol(f"{s.name}[{i}]") for s in every} for i in range(1, n + 1)]
    columns = tuple(tuple(copy[s] for copy in copies) for s in every)
    return _space(net, "neurons", columns, copies)


def _space(net: Architecture, label: str, columns: tuple[Symbols, ...], copies: Iterable[Mapping[Any, Any]]) -> Any:
    copies = list(copies)
    h = net.feature.expression(coordinates(1, net.input_dim))
    blocks = [(tuple(c.get(s, s) for s in symbols), law) for c in copies for symbols, law in _neuron_blocks(net)]
    functions = tuple(sympy.Add(*((w * h).xreplace(dict(c)) for c in copies)) for w in weight_symbols_of(net))
    return ParameterSpace(net, label, columns, tuple(blocks), functions)
