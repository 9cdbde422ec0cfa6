r"""Beta functions :math:`\beta(g) = dg/d\log\Lambda` of couplings whose vertices are integrated over a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

import sympy

from diagrams.typing import Expr


@dataclass(frozen=True)
class BetaFunction:
    r"""How the coupling of f^n runs with the cutoff.

    Parameters
    ----------
    n : int
        Power of the field.
    coupling, cutoff : sympy.Symbol
    input_dim : int
        Dimension d.
    growth : sympy.Expr
        Exponent p of the kernel far out, ``-oo`` if it falls off faster than any power.
    exact : sympy.Expr or None
        The beta function at every cutoff, where the vertex integral has a closed form or is an exact power; for kernels
        that are not homogeneous it depends on the points ``x_1 ... x_n``.
    """

    n: int
    coupling: sympy.Symbol
    cutoff: sympy.Symbol
    input_dim: int
    growth: Expr
    exact: Expr | None

    @property
    def exponent(self) -> Expr:
        """d + n p: the vertex integral grows like this power of the cutoff (if negative, it converges)."""
        return self.input_dim + self.n * self.growth

    @property
    def leading(self) -> Expr:
        """The beta function at large cutoff: ``-(d + n p) g``, or zero where the vertex integral converges.

        For d + n p = 0 the integral grows like the logarithm of the cutoff and this is ``-g / log(cutoff)``.
        """
        if self.exponent == 0:
            return -self.coupling / sympy.log(self.cutoff)
        return sympy.S.Zero if self.exponent < 0 else -self.exponent * self.coupling

    @property
    def relevance(self) -> str:
        """``"irrelevant"`` (falls as the cutoff grows), ``"marginally irrelevant"``, or ``"marginal"``."""
        if self.exponent == 0:
            return "marginally irrelevant"
        return "irrelevant" if self.exponent > 0 else "marginal"

    @property
    def is_exact(self) -> bool:
        """True if :attr:`leading` holds at every cutoff."""
        return self.exact is not None and self.exact == self.leading

    def running(self, start: Expr, start_cutoff: Expr) -> Expr:
        """Return the coupling at the cutoff, from its value at another one, as :attr:`leading` has it.

        Examples
        --------
        >>> from diagrams.architectures import relu_net
        >>> beta = relu_net(hidden_bias=False).eft().beta_functions()[4]
        >>> beta.running(1, 10)
        100000/Lambda**5
        """
        g, first = sympy.sympify(start), sympy.sympify(start_cutoff)
        if self.exponent == 0:
            return g * sympy.log(first) / sympy.log(self.cutoff)
        return g if self.exponent < 0 else g * (self.cutoff / first) ** -self.exponent

    def to_latex(self) -> str:
        """Return the beta function at large cutoff in LaTeX."""
        relation = "=" if self.is_exact else r"\simeq"
        return rf"\beta({sympy.latex(self.coupling)}) {relation} {sympy.latex(self.leading)}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        relation = "=" if self.is_exact else "->"
        return f"beta({self.coupling}) {relation} {self.leading}, {self.relevance}"


@dataclass(frozen=True, repr=False)
class BetaFunctions(Mapping[int, BetaFunction]):
    """The beta functions of an effective theory by the power of the field, 4, 6, ...

    Parameters
    ----------
    functions : tuple of BetaFunction
    label : str
        Whose they are.
    """

    functions: tuple[BetaFunction, ...]
    label: str

    def __getitem__(self, n: int) -> BetaFunction:
        for function in self.functions:
            if function.n == n:
                return function
        raise KeyError(f"no coupling of {n!r} fields; there are {tuple(self)}: use net.eft(max_fields=...)")

    def __iter__(self) -> Iterator[int]:
        return iter(function.n for function in self.functions)

    def __len__(self) -> int:
        return len(self.functions)

    @property
    def growth(self) -> str:
        """How the kernel behaves far out, in words."""
        p = self.functions[0].growth
        return f"K ~ |y|^{p} far out" if p.is_finite else "K falls off faster than any power"

    def to_latex(self) -> str:
        """Return all of them in LaTeX, one a line."""
        lines = [f.to_latex().replace(" = ", " ={} & ").replace(r" \simeq ", r" \simeq{} & ") for f in self.functions]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>f^{f.n}</td><td>{escape(str(f.coupling))}</td><td>{escape(str(f.leading))}</td>"
            f"<td>{'every cutoff' if f.is_exact else 'large cutoff'}</td><td>{f.relevance}</td></tr>"
            for f in self.functions
        )
        head = "<tr><th>operator</th><th>coupling</th><th>dg/dlogΛ</th><th>holds at</th><th></th></tr>"
        return f"<div><p>{escape(self.label)}: {escape(self.growth)}</p><table>{head}{rows}</table></div>"

    def __str__(self) -> str:
        return "\n".join([f"{self.label}: {self.growth}", *(f"  {f}" for f in self.functions)])

    __repr__ = __str__
