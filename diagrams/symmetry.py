r"""Symmetries of all n-point functions, proved from the density of the parameters (arXiv:2106.00694, section 3).

A map of outputs or inputs is absorbed into the parameters: :math:`\phi(x; \theta)` transformed is
:math:`\phi(x; \theta')`. If the density of the parameters is the same at :math:`\theta'`, with the Jacobian, then every
n-point function at every width is invariant. For the elements connected to one this is checked infinitesimally: with
the vector field :math:`u(\theta)` of the map of parameters,

.. math:: v \cdot \partial_x h = u \cdot \partial_\theta h \quad \text{and} \quad \partial_\theta \cdot (P u) = 0,

the second being invariance of the density and the Jacobian at once. Where the proof fails, the exact correlators are
evaluated: the first one that changes disproves the symmetry. Where none does, the verdict is that it is not decided.
"""

from __future__ import annotations

from typing import Any

from diagrams._architecture import Architecture
from diagrams._input_symmetry import of_inputs
from diagrams._output_symmetry import of_outputs
from diagrams._parameter_symmetry import ParameterVerdict, of_parameters
from diagrams._symmetry_verdict import Breaking, SymmetryVerdict
from diagrams.deep import DeepArchitecture
from diagrams.groups import Group

__all__ = ["Breaking", "ParameterVerdict", "SymmetryVerdict", "prove_symmetry"]


def prove_symmetry(net: Architecture | DeepArchitecture, group: Group, *, acting_on: Any = None) -> SymmetryVerdict:
    """Return whether all n-point functions of a net are invariant under a group, with the proof.

    Parameters
    ----------
    net : Architecture or DeepArchitecture
        With numbers or symbols for its parameters.
    group : Group
    acting_on : str or sequence of str, optional
        ``"inputs"``, ``"outputs"``, or what is mapped of the parameters: ``"W0"``, ``"b0"``, ``"W1"`` or other names of
        parameters of a neuron, several of them (``("W0", "b0")``), all of them (``"parameters"``: hidden ones, then
        output weights), in every neuron alike; or ``"neurons"``, which exchanges or mixes as many neurons as the group
        has components; ``"layer 1"``, ... for the units of a deep net. Default: inputs for groups with translations,
        else outputs if the net has several, else inputs.

    Returns
    -------
    SymmetryVerdict
        For parameters a :class:`ParameterVerdict`, which says whether their density is invariant and what happens to
        functions.

    Raises
    ------
    TypeError, ValueError
        If the net is no architecture with explicit dimensions, or the size of the group is not that of
        the inputs or outputs.

    Examples
    --------
    >>> from diagrams.architectures import cos_net, gauss_net
    >>> from diagrams.groups import Euclidean, Orthogonal, Translation
    >>> prove_symmetry(cos_net(input_dim=2), Euclidean(2)).holds
    True
    >>> found = prove_symmetry(gauss_net(input_dim=1), Translation(1))
    >>> found.holds, found.holds_at_infinite_width, found.breaking.n
    (False, True, 4)
    >>> prove_symmetry(cos_net(output_dim=3, mean_w1=1), Orthogonal(3, special=True)).holds
    False
    >>> turned = prove_symmetry(cos_net(input_dim=2), Orthogonal(2), acting_on="W0")
    >>> turned.holds, turned.density_is_invariant, turned.effect
    (True, True, 'inputs')
    """
    if isinstance(net, DeepArchitecture):
        return net.symmetry(group, acting_on=acting_on)
    if not isinstance(net, Architecture):
        raise TypeError(f"proofs are for nets such as cos_net() or deep_net(...), got {net!r}")
    if not isinstance(group, Group):
        raise TypeError(f"the group must be one such as Orthogonal(3) or Euclidean(1), got {group!r}")
    if not net.is_dimension_explicit:
        raise ValueError("a net with a symbolic input_dim has no coordinates to act on: give input_dim a number")
    acting_on = acting_on or ("outputs" if net.output_dim > 1 and not group.translations else "inputs")
    if acting_on not in ("inputs", "outputs"):
        return of_parameters(net, group, acting_on)
    size = net.input_dim if acting_on == "inputs" else net.output_dim
    if group.size != size:
        raise ValueError(f"{group} acts on {group.size} real components, but the net has {size} {acting_on}")
    if acting_on == "outputs":
        if group.translations:
            raise ValueError(f"{group} shifts what it acts on; only inputs can be translated")
        return of_outputs(net, group)
    return of_inputs(net, group)
