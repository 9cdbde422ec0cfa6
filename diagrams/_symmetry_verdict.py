"""What is known about a symmetry of a net, and the numbers at which correlators are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import sympy

from diagrams._architecture import Architecture
from diagrams.groups import Group
from diagrams.typing import Expr

HIGHEST = 6  # points of the correlators that are evaluated
DIGITS = 30
#: Places where identities are evaluated: numbers without relations between them.
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)


@dataclass(frozen=True)
class Breaking:
    """The first correlator that is not invariant.

    Parameters
    ----------
    n : int
        Number of points.
    element : str
        What was applied.
    before, after : sympy.Expr
        Its value at sample points (for outputs the component that changes most).
    where : str
        The numbers that were put in for symbols.
    component : tuple of int
        Output of each point, where the correlator is a tensor of several outputs.
    """

    n: int
    element: str
    before: Expr
    after: Expr
    where: str = ""
    component: tuple[int, ...] = ()

    @property
    def change(self) -> Expr:
        """By how much."""
        return self.after - self.before

    def __str__(self) -> str:
        place = f", component {self.component}," if self.component else ""
        text = f"the {self.n}-point function{place} changes from {self.before} to {self.after} under {self.element}"
        return f"{text} ({self.where})" if self.where else text


@dataclass(frozen=True)
class SymmetryVerdict:
    """What is known about a symmetry of a net.

    Parameters
    ----------
    net : Architecture or DeepArchitecture
    group : Group
    acting_on : str
        What is mapped: ``"inputs"``, ``"outputs"``, parameters or units.
    holds : bool or None
        At every width; None if it is neither proved nor disproved.
    holds_at_infinite_width : bool or None
        For the one- and two-point functions, which are all there is at infinite width.
    steps : tuple of str
        The proof, or how far it goes.
    breaking : Breaking or None
        The first correlator that is not invariant.
    residual : tuple of matrices
        Generators of the subgroup (connected to one, without translations) that remains a symmetry.
    """

    net: Any
    group: Group
    acting_on: str
    holds: bool | None
    holds_at_infinite_width: bool | None
    steps: tuple[str, ...]
    breaking: Breaking | None = None
    residual: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        """True only if the symmetry is proved."""
        return self.holds is True

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        words = {True: "is a symmetry", False: "is no symmetry", None: "is neither proved nor disproved as a symmetry"}
        depth = f" of depth {self.net.depth}" if hasattr(self.net, "depth") else ""
        net = f"the {self.net.name} net{depth}"
        text = f"{self.group} on the {self.acting_on} {words[self.holds]} of {net} at finite width"
        if self.holds is not True and self.holds_at_infinite_width is not None:
            text += f"; at infinite width it {words[self.holds_at_infinite_width]}"
        return text

    def __str__(self) -> str:
        lines = [self.verdict, *(f"  {i}. {step}" for i, step in enumerate(self.steps, start=1))]
        if self.breaking:
            lines.append(f"  {self.breaking}")
        if self.holds is False and self.group.generators:
            lines.append(f"  {len(self.residual)} of {len(self.group.generators)} generators remain")
        return "\n".join(lines)

    __repr__ = __str__

    def to_latex(self) -> str:
        """Return the verdict and the steps in LaTeX."""
        lines = [rf"\text{{{_as_latex_text(line)}}}" for line in str(self).splitlines()]
        return r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"

    def _repr_html_(self) -> str:
        steps = "".join(f"<li>{escape(step)}</li>" for step in self.steps)
        breaking = f"<p>{escape(str(self.breaking))}</p>" if self.breaking else ""
        return f"<p><b>{escape(self.verdict)}</b></p><ol>{steps}</ol>{breaking}"


def _as_latex_text(line: str) -> str:
    """Return plain text as LaTeX text, arrows and powers as formulas."""
    special = (("^", r"\^{}"), ("**", r"\^{}"), ("_", r"\_"), ("->", r"$\to$"), ("|", r"$|$"), ("theta", r"$\theta$"))
    for plain, latex in special:
        line = line.replace(plain, latex)
    return line.replace("  ", r"\quad ")


def sample_point(d: int, j: int) -> tuple[Expr, ...]:
    return tuple(sympy.Rational(PRIMES[(3 * j + mu) % 20], 20 + 7 * mu) - sympy.Rational(j, 3) for mu in range(d))


def with_numbers(net: Architecture) -> Architecture:
    """Return the net with numbers for the symbols that are left: a width of ten, ones for the others."""
    free = sample_values(net)
    return net.at(**free) if free else net


def sample_values(net: Architecture) -> dict[str, int]:
    """Return the numbers that are put in for symbols."""
    return {name: {"N": 10, "Lambda": 5}.get(name, 1) for name in net._symbols()}


def sample_text(net: Architecture) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sample_values(net).items())
