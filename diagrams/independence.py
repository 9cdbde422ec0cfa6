r"""Networks whose neurons are not independent, or not identical, and their connected correlators.

- :func:`tilted`: the density times ``exp(-alpha V)``, V a polynomial in sums over neurons; to any order in alpha.
- :func:`score_family`: any smooth family P(theta; alpha) given by its log density or its score.
- :func:`mixture`: random values of parameters that all neurons share (de Finetti); law of total cumulance.
- :func:`independent_sum`, :func:`with_parameter_list`: independent but not identical neurons; cumulants add.

A tilt by a function of sums that average out cannot survive N -> infinity at fixed strength; a shared random variable
does. Every :class:`Correlator` says which part of it survives, see :meth:`Correlator.large_width`.
"""

from __future__ import annotations

from diagrams.deformed import DeformedArchitecture
from diagrams.deformed_correlators import DeformedCorrelators
from diagrams.large_width import LargeWidth
from diagrams.mixtures import Discrete, Gamma, Mixture, Moments, SquareRoot, mixture
from diagrams.neuron_sums import NeuronSum, neuron_sum
from diagrams.nonidentical import IndependentSum, independent_sum, with_parameter_list
from diagrams.tilts import SmoothFamily, TiltedArchitecture, score_family, tilted

__all__ = [
    "DeformedArchitecture",
    "DeformedCorrelators",
    "Discrete",
    "Gamma",
    "IndependentSum",
    "LargeWidth",
    "Mixture",
    "Moments",
    "NeuronSum",
    "SmoothFamily",
    "SquareRoot",
    "TiltedArchitecture",
    "independent_sum",
    "mixture",
    "neuron_sum",
    "score_family",
    "tilted",
    "with_parameter_list",
]
