"""Technical naturalness: couplings are nearly constant if a symmetry of the Gaussian process would make them so.

A coupling lambda(x) that varies breaks translations. If the limit of infinite width has that symmetry, variations are
as small as what breaks it at finite width, and a constant coupling describes the networks (arXiv:2008.08601, section
4.3, after 't Hooft). Without it nothing keeps couplings constant. What is measured is the spread over inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagrams.architectures import Architecture
from diagrams.groups import Group, Orthogonal, Translation
from diagrams.symmetry import SymmetryVerdict
from numerics.coupling_fits import CouplingTensor, coupling_tensor
from numerics.field_data import Measured

SMALL = 0.05  # a spread that counts as constant


@dataclass(frozen=True, eq=False)
class Naturalness:
    """Symmetries of the Gaussian process against the spread of the coupling.

    Parameters
    ----------
    translation, rotation : SymmetryVerdict
        Of the correlators, at finite and at infinite width.
    tensor : CouplingTensor
    """

    translation: SymmetryVerdict
    rotation: SymmetryVerdict
    tensor: CouplingTensor

    @property
    def is_protected(self) -> bool:
        """True if the Gaussian process is invariant under translations, which a varying coupling breaks."""
        return bool(self.translation.holds_at_infinite_width)

    @property
    def is_nearly_constant(self) -> bool:
        """True if the spread, without noise, is below five percent."""
        return self.tensor.intrinsic_spread < SMALL

    @property
    def verdict(self) -> str:
        """``"natural"``, ``"protected but varying"``, ``"constant by accident"`` or ``"varying"``."""
        if self.is_protected:
            return "natural" if self.is_nearly_constant else "protected but varying"
        return "constant by accident" if self.is_nearly_constant else "varying"

    def __str__(self) -> str:
        why = {
            "natural": "a varying coupling would break the translations of the Gaussian process",
            "protected but varying": "the Gaussian process has translations, but these inputs reach where finite width "
            "breaks them",
            "constant by accident": "no translations protect it: another reason, such as factorised correlators, or "
            "inputs close to one another",
            "varying": "the Gaussian process has no translations, so nothing keeps the coupling constant",
        }
        holds = {True: "yes", False: "no", None: "not decided"}
        return "\n".join(
            [
                f"{self.tensor.net}: {self.verdict}: {why[self.verdict]}",
                f"  translations at infinite width: {holds[self.translation.holds_at_infinite_width]}, at every width: "
                f"{holds[self.translation.holds]}",
                f"  rotations at infinite width: {holds[self.rotation.holds_at_infinite_width]}, at every width: "
                f"{holds[self.rotation.holds]}",
                f"  {self.tensor}",
            ]
        )

    __repr__ = __str__


def naturalness(net: Architecture, measured: Measured, *, cutoff: float, n: int = 4) -> Naturalness:
    """Return whether a constant coupling is protected by a symmetry of the Gaussian process, and how constant it is.

    Parameters
    ----------
    net : Architecture
        One output, numbers for all parameters.
    measured : Estimate or array_like (n_points, input_dim)
        Of these networks; points stand for exact correlators.
    cutoff, n
        As for :func:`numerics.coupling_fits.coupling_tensor`.

    Examples
    --------
    >>> from numerics.published import published_inputs, published_net
    >>> naturalness(published_net("gauss", width=1000), published_inputs("gauss"), cutoff=float("inf")).verdict
    'natural'
    """
    groups: list[Group] = [Translation(net.input_dim), Orthogonal(net.input_dim)]
    translation, rotation = (net.symmetry(group, acting_on="inputs") for group in groups)
    return Naturalness(translation, rotation, coupling_tensor(net, measured, cutoff=cutoff, n=n))
