"""Independent neurons that are not identical: their connected correlators add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy

from diagrams.correlators import ConnectedCorrelators
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.typing import Expr

if TYPE_CHECKING:
    from diagrams.architectures import Architecture


@dataclass(frozen=True, repr=False)
class IndependentSum:
    r"""The sum of independent networks, :math:`\phi = \phi_1 + \phi_2 + \ldots`, each with its width and parameters.

    Make one with :func:`independent_sum` or :func:`with_parameter_list`.

    Parameters
    ----------
    networks : tuple of Architecture
    lists : tuple of (name, values)
        If not empty, there is one network here and it stands for neurons that differ in these parameters.
    """

    networks: tuple[Architecture, ...]
    lists: tuple[tuple[str, tuple[Expr, ...]], ...] = field(default=())

    @cached_property
    def parts(self) -> tuple[Architecture, ...]:
        """The independent networks; single neurons where parameters were listed."""
        if not self.lists:
            return self.networks
        (net,) = self.networks
        n = len(self.lists[0][1])
        return tuple(_one_neuron(net, n, {name: row[i] for name, row in self.lists}) for i in range(n))

    @property
    def name(self) -> str:
        """Names of the features."""
        return " + ".join(dict.fromkeys(net.name for net in self.networks))

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.networks[0].input_dim

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return self.networks[0].output_dim

    @property
    def width(self) -> Expr:
        """Total number of neurons."""
        return sympy.Add(*(part.width for part in self.parts))

    @property
    def is_even(self) -> bool:
        """True if all odd correlators vanish."""
        return all(net.is_even for net in self.networks)

    @property
    def is_dimension_explicit(self) -> bool:
        """True: correlators are functions of coordinates."""
        return True

    def at(self, **values: Any) -> IndependentSum:
        """Return the sum with numbers for parameters, in every network that has them.

        Raises
        ------
        ValueError
            As :meth:`Architecture.at`, for a name that no network has, and for the width of a list of neurons.
        """
        names = [set(net._symbols()) - ({"N"} if self.lists else set()) for net in self.networks]
        if unknown := sorted(set(values) - set().union(*names)):
            raise ValueError(f"no free parameter(s) {unknown} here; there are {sorted(set().union(*names))}")
        changed = (
            net.at(**{k: v for k, v in values.items() if k in own})
            for net, own in zip(self.networks, names, strict=True)
        )
        return replace(self, networks=tuple(changed))

    def parameter_values(self) -> list[dict[str, float]]:
        """Return the parameters of every part as floats.

        Raises
        ------
        ValueError
            If one of them is symbolic.
        """
        return [part.parameter_values() for part in self.parts]

    def connected_correlators(self, *, max_points: int = 4) -> ConnectedCorrelators:
        """Return the connected correlators up to ``max_points`` points, exact in the widths.

        Raises
        ------
        ValueError
            If ``max_points`` is not a positive integer.
        """
        return ConnectedCorrelators(self, max_points=max_points)

    def correlator_series(self, n: int) -> Series:
        """Return the sum of the n-point functions of the parts, as a Series in one over the total width."""
        found: dict[Expr, list[Expr]] = {}
        for part in self.parts:
            for (e,), coefficient in part.correlator_series(n).terms:
                found.setdefault(e, []).append(coefficient * (self.width / part.width) ** e)
        terms = tuple(((e,), sympy.Add(*parts)) for e, parts in found.items())
        return Series((1 / symbol("N"),), terms)

    def __add__(self, other: Architecture | IndependentSum) -> IndependentSum:
        return independent_sum(self, other)

    def __radd__(self, other: Architecture) -> IndependentSum:
        return independent_sum(other, self)

    def to_latex(self) -> str:
        """Return the sum and its networks in LaTeX."""
        if self.lists:
            body = self.networks[0].to_latex().removesuffix(r" \end{aligned}")
            rows = [
                rf"{sympy.latex(symbol(name))} = ({', '.join(map(sympy.latex, row))})_{{i = 1 \ldots {len(row)}}}"
                for name, row in self.lists
            ]
            return body + r" \\ & " + r",\quad ".join(rows) + r" \end{aligned}"
        head = r"\phi(x) = " + " + ".join(rf"\phi_{{{i}}}(x)" for i in range(1, len(self.networks) + 1))
        bodies = [rf"\phi_{{{i}}}:\quad {net.to_latex()}" for i, net in enumerate(self.networks, 1)]
        return r"\begin{aligned} & " + r" \\ & ".join([head, *bodies]) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        if self.lists:
            rows = ", ".join(f"{name}=[{', '.join(map(str, row))}]" for name, row in self.lists)
            return f"with_parameter_list({self.networks[0]}, {rows})"
        return f"independent_sum({', '.join(map(str, self.networks))})"

    def __repr__(self) -> str:
        return f"<IndependentSum: {self}>"


def independent_sum(*networks: Architecture | IndependentSum) -> IndependentSum:
    """Return the sum of independent networks, whose connected correlators add.

    Parameters
    ----------
    *networks : Architecture or IndependentSum
        At least one, of equal ``input_dim`` and ``output_dim``. Networks with the same symbolic width have equal
        widths; give them numbers, or other symbols with ``net.at(N=symbol("N_1"))``, to make them differ.

    Raises
    ------
    TypeError, ValueError
        If there is no network, one is of another type, or dimensions differ.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> net = cos_net(input_dim=1)
    >>> both = independent_sum(net.at(N=2), net.at(N=3))
    >>> both.connected_correlators(max_points=4)[4](0, 0, 0, 0)
    5*sigma_w1**4/16
    """
    from diagrams.architectures import Architecture

    flat: list[Architecture] = []
    for net in networks:
        if isinstance(net, IndependentSum):
            flat += net.parts
        elif isinstance(net, Architecture):
            flat.append(net)
        else:
            raise TypeError(f"independent_sum takes networks of independent neurons, got {type(net).__name__}")
    if not flat:
        raise ValueError("independent_sum needs at least one network")
    if len(dims := {(net.input_dim, net.output_dim) for net in flat}) > 1:
        raise ValueError(f"the networks have different (input_dim, output_dim): {sorted(dims)}; they must agree")
    return IndependentSum(tuple(flat))


def with_parameter_list(net: Architecture, **lists: Sequence[Any]) -> IndependentSum:
    """Return a network whose neurons differ in listed parameters.

    Parameters
    ----------
    net : Architecture
        With a symbolic width, which becomes the length of the lists; output weights keep variance sigma_w1**2/N.
    **lists
        One value per neuron for each named parameter, for example ``sigma_w0=[1, 1, 2]``.

    Raises
    ------
    ValueError
        If there is no list, lists differ in length, a name is not a free parameter of a neuron, or the width of the
        network is a number already.

    Examples
    --------
    >>> from diagrams import cos_net
    >>> with_parameter_list(cos_net(input_dim=1), sigma_w0=[1, 2]).connected_correlators(max_points=2)[2](0, 1)
    sigma_w1**2*exp(-2)/4 + sigma_w1**2*exp(-1/2)/4
    """
    if not lists:
        raise ValueError("give at least one list, for example sigma_w0=[1, 1, 2]")
    rows = {name: tuple(values) for name, values in lists.items()}
    if len({len(row) for row in rows.values()}) > 1 or not all(rows.values()):
        raise ValueError(f"lists must be equally long and not empty, got { ({k: len(v) for k, v in rows.items()}) }")
    own = {s.name for s in net.feature.free_symbols | net.readout.free_symbols}
    own |= {s.name for m in net.means for s in m.free_symbols}
    allowed = [name for name in net._symbols() if name in own]
    if wrong := sorted(set(rows) - set(allowed)):
        raise ValueError(f"{wrong} cannot differ from neuron to neuron; the parameters that can are {allowed}")
    if not net.width.is_Symbol:
        raise ValueError(f"the width is fixed to {net.width} already; it is given by the length of the lists")
    exact = {name: tuple(sympy.nsimplify(v, rational=True) for v in row) for name, row in rows.items()}
    return IndependentSum((net,), tuple(sorted(exact.items())))


def _one_neuron(net: Architecture, n: int, values: dict[str, Expr]) -> Architecture:
    """Return one neuron of n, as a net of width one whose output weight has the variance that it has among n."""
    given = net.at(**values)
    root = sympy.sqrt(n)
    one = replace(
        given,
        width=sympy.S.One,
        readout=given.readout.scaled(1 / root),
        sigma_b1=given.sigma_b1 / root,
        means=tuple(m / root for m in given.means),
    )
    shown = {name: value / root if name in ("sigma_b1", "mean_w1") else value for name, value in given.values}
    shown |= {"N": sympy.S.One, "sigma_w1": one.sigma_w1}
    return replace(one, values=tuple(sorted(shown.items())))
