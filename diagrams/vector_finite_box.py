r"""O(n) theory with a momentum cutoff that interacts in a finite region: every diagram is a finite number.

What a :func:`~diagrams.phi4_networks.phi4_net` with several components samples at infinite width; index factors
multiply the diagrams of one field (:meth:`~diagrams.vector_theory.VectorAction.index_factor`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from diagrams.equations import equation_lines, over_factorial
from diagrams.finite_box import CutoffAction
from diagrams.graph import FeynmanGraph
from diagrams.typing import Expr
from diagrams.vector_theory import VectorAction, invariant_latex


@dataclass(frozen=True, repr=False)
class CutoffVectorAction(CutoffAction, VectorAction):
    """An O(n) action with a momentum cutoff in a finite region; make it with :func:`~diagrams.o_n_theory`."""

    def amplitude(self, graph: FeynmanGraph) -> Expr:
        """Return the value of a diagram with its index factor; the weight f stands at every interaction."""
        return CutoffAction.amplitude(self, graph)

    @property
    def free_parameters(self) -> tuple[str, ...]:
        """Names of what has no number yet, the number of components among them."""
        names = {s.name for s in self.components.free_symbols}
        return tuple(sorted({*CutoffAction.free_parameters.fget(self), *names}))  # type: ignore[attr-defined]


def cut_off(action: VectorAction, bare: CutoffAction) -> CutoffVectorAction:
    """Return an O(n) action with the cutoff and the region of an action of one field with the same couplings."""
    own = {f.name: getattr(action, f.name) for f in fields(VectorAction)}
    region = {name: getattr(bare, name) for name in ("region", "cutoff", "input_dim")}
    dim = "" if bare.input_dim == 1 else f"^{bare.input_dim}"
    own["kinetic_latex"] = action.kinetic_latex.replace("^d", dim)
    own["propagator_latex"] = r"\delta_{ab}\, " + bare.propagator_latex
    return CutoffVectorAction(**own, **region)


@equation_lines.register(CutoffVectorAction)
def _(obj: CutoffVectorAction, terms_per_line: int) -> list[str]:
    terms = []
    for n, series in obj.couplings:
        body = obj.region.integral_latex(obj.input_dim, invariant_latex(n))
        terms.append(f"{over_factorial(series.as_expr(), n)} {body}")
    return [rf"S[\phi] ={{}} & {obj.kinetic_latex} + {' + '.join(terms)}", rf"& {obj.propagator_latex}"]
