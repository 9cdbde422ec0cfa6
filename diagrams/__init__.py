"""Symbolic core of nnft: Feynman diagrams, connected correlators and actions of random neural networks.

Conventions: Euclidean signature, weight exp(-S), couplings with 1/n!, labelled external legs unless asked otherwise.

Every name is imported when it is first used, so that counting and enumerating diagrams waits for no sympy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagrams.lazy_names import lazy_names

if TYPE_CHECKING:
    from diagrams.action_round_trip import recovered_couplings
    from diagrams.architectures import (
        Architecture,
        cos_net,
        erf_net,
        gauss_net,
        linear_net,
        network,
        relu_net,
        scalar_net,
    )
    from diagrams.beta_functions import BetaFunction, BetaFunctions
    from diagrams.box_integrals import DivergentIntegralError
    from diagrams.cluster import ClusterDecomposition, cluster_decomposition
    from diagrams.collection import Diagrams
    from diagrams.contact_terms import quartic_action
    from diagrams.correlators import ConnectedCorrelators, Correlator
    from diagrams.counting import count_diagrams, total_weight
    from diagrams.cumulants import cumulants_from_moments, moments_from_cumulants
    from diagrams.deep import DeepArchitecture, deep_net
    from diagrams.derivatives import DerivativeExpansion, derivative_expansion
    from diagrams.distributions import Constant, Density, Gaussian, StudentT, Uniform, UniformPhase
    from diagrams.edgeworth import edgeworth_density, edgeworth_log_density
    from diagrams.eft import EffectiveTheory
    from diagrams.engineering import FieldDeformed, deform
    from diagrams.expansion import expand_in
    from diagrams.expectation import ExpectationIntegral, evaluate
    from diagrams.finite_box import CutoffAction, CutoffSeries
    from diagrams.finite_width import finite_width_correlators
    from diagrams.generate import enumerate_diagrams
    from diagrams.graph import FeynmanGraph
    from diagrams.groups import Euclidean, Group, MatrixGroup, Orthogonal, Permutation, Symplectic, Translation, Unitary
    from diagrams.growth import GrowthError
    from diagrams.independence import (
        Discrete,
        Gamma,
        IndependentSum,
        Mixture,
        Moments,
        NeuronSum,
        SmoothFamily,
        SquareRoot,
        TiltedArchitecture,
        independent_sum,
        mixture,
        neuron_sum,
        score_family,
        tilted,
        with_parameter_list,
    )
    from diagrams.inner_products import InnerProduct, in_coordinates
    from diagrams.interacting import interacting_correlators
    from diagrams.interactions import BilocalInteraction, LocalInteraction
    from diagrams.large_width import LargeWidth
    from diagrams.latex import RulesTable, aslatex, latex_fragment, preamble, rules_table, write_tex
    from diagrams.locality_report import LocalityReport, locality
    from diagrams.models import (
        Field,
        Model,
        ModelPosition,
        ModelStream,
        Vertex,
        bipartite,
        complex_phi4,
        o_n,
        qed,
        scalar,
        yukawa,
    )
    from diagrams.moment_form import in_moments
    from diagrams.momenta import Ball
    from diagrams.momentum_shell import MomentumShellFlow, momentum_shell_flow
    from diagrams.momentum_space import MomentumKernel, momentum_kernel
    from diagrams.orders import diagrams_to_order
    from diagrams.phi4_networks import cutoff_propagator, phi4_net
    from diagrams.pointfunctions import expand_channels
    from diagrams.reconstruction import one_variable_couplings
    from diagrams.regions import Box, GaussianWeight, Sites
    from diagrams.rules import FeynmanRules
    from diagrams.series import Series
    from diagrams.streaming import DiagramStream, StreamPosition, iter_diagrams
    from diagrams.symbols import symbol
    from diagrams.symmetry import ParameterVerdict, SymmetryVerdict, prove_symmetry
    from diagrams.tangent_kernel import TangentKernel
    from diagrams.tensor_invariants import InvariantTensors, invariant_tensors
    from diagrams.theory import Action, local_action, phi4, phi_n
    from diagrams.topology import FILTERS, qgraf_filter
    from diagrams.vector_interactions import VectorInteraction
    from diagrams.vector_theory import o_n_theory
    from diagrams.wave_packets import WavePackets

__all__ = [
    "FILTERS",
    "Action",
    "Architecture",
    "Ball",
    "BetaFunction",
    "BetaFunctions",
    "BilocalInteraction",
    "Box",
    "ClusterDecomposition",
    "ConnectedCorrelators",
    "Constant",
    "Correlator",
    "CutoffAction",
    "CutoffSeries",
    "DeepArchitecture",
    "Density",
    "DerivativeExpansion",
    "DiagramStream",
    "Diagrams",
    "Discrete",
    "DivergentIntegralError",
    "EffectiveTheory",
    "Euclidean",
    "ExpectationIntegral",
    "FeynmanGraph",
    "FeynmanRules",
    "Field",
    "FieldDeformed",
    "Gamma",
    "Gaussian",
    "GaussianWeight",
    "Group",
    "GrowthError",
    "IndependentSum",
    "InnerProduct",
    "InvariantTensors",
    "LargeWidth",
    "LocalInteraction",
    "LocalityReport",
    "MatrixGroup",
    "Mixture",
    "Model",
    "ModelPosition",
    "ModelStream",
    "Moments",
    "MomentumKernel",
    "MomentumShellFlow",
    "NeuronSum",
    "Orthogonal",
    "ParameterVerdict",
    "Permutation",
    "RulesTable",
    "Series",
    "Sites",
    "SmoothFamily",
    "SquareRoot",
    "StreamPosition",
    "StudentT",
    "SymmetryVerdict",
    "Symplectic",
    "TangentKernel",
    "TiltedArchitecture",
    "Translation",
    "Uniform",
    "UniformPhase",
    "Unitary",
    "VectorInteraction",
    "Vertex",
    "WavePackets",
    "aslatex",
    "bipartite",
    "cluster_decomposition",
    "complex_phi4",
    "cos_net",
    "count_diagrams",
    "cumulants_from_moments",
    "cutoff_propagator",
    "deep_net",
    "deform",
    "derivative_expansion",
    "diagrams_to_order",
    "edgeworth_density",
    "edgeworth_log_density",
    "enumerate_diagrams",
    "erf_net",
    "evaluate",
    "expand_channels",
    "expand_in",
    "finite_width_correlators",
    "gauss_net",
    "in_coordinates",
    "in_moments",
    "independent_sum",
    "interacting_correlators",
    "invariant_tensors",
    "iter_diagrams",
    "latex_fragment",
    "linear_net",
    "local_action",
    "locality",
    "mixture",
    "moments_from_cumulants",
    "momentum_kernel",
    "momentum_shell_flow",
    "network",
    "neuron_sum",
    "o_n",
    "o_n_theory",
    "one_variable_couplings",
    "phi4",
    "phi4_net",
    "phi_n",
    "preamble",
    "prove_symmetry",
    "qed",
    "qgraf_filter",
    "quartic_action",
    "recovered_couplings",
    "relu_net",
    "rules_table",
    "scalar",
    "scalar_net",
    "score_family",
    "symbol",
    "tilted",
    "total_weight",
    "with_parameter_list",
    "write_tex",
    "yukawa",
]

# a new name goes here, into __all__ and into the imports above; tests compare the three
_MODULES = {
    "action_round_trip": ("recovered_couplings",),
    "architectures": (
        "Architecture",
        "cos_net",
        "erf_net",
        "gauss_net",
        "linear_net",
        "network",
        "relu_net",
        "scalar_net",
    ),
    "beta_functions": ("BetaFunction", "BetaFunctions"),
    "box_integrals": ("DivergentIntegralError",),
    "cluster": (
        "ClusterDecomposition",
        "cluster_decomposition",
    ),
    "collection": ("Diagrams",),
    "contact_terms": ("quartic_action",),
    "correlators": (
        "ConnectedCorrelators",
        "Correlator",
    ),
    "counting": (
        "count_diagrams",
        "total_weight",
    ),
    "cumulants": (
        "cumulants_from_moments",
        "moments_from_cumulants",
    ),
    "deep": (
        "DeepArchitecture",
        "deep_net",
    ),
    "derivatives": (
        "DerivativeExpansion",
        "derivative_expansion",
    ),
    "distributions": (
        "Constant",
        "Density",
        "Gaussian",
        "StudentT",
        "Uniform",
        "UniformPhase",
    ),
    "edgeworth": (
        "edgeworth_density",
        "edgeworth_log_density",
    ),
    "eft": ("EffectiveTheory",),
    "engineering": (
        "FieldDeformed",
        "deform",
    ),
    "expansion": ("expand_in",),
    "expectation": (
        "ExpectationIntegral",
        "evaluate",
    ),
    "finite_box": ("CutoffAction", "CutoffSeries"),
    "finite_width": ("finite_width_correlators",),
    "generate": ("enumerate_diagrams",),
    "graph": ("FeynmanGraph",),
    "groups": (
        "Euclidean",
        "Group",
        "MatrixGroup",
        "Orthogonal",
        "Permutation",
        "Symplectic",
        "Translation",
        "Unitary",
    ),
    "growth": ("GrowthError",),
    "independence": (
        "Discrete",
        "Gamma",
        "IndependentSum",
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
    ),
    "inner_products": (
        "InnerProduct",
        "in_coordinates",
    ),
    "interacting": ("interacting_correlators",),
    "interactions": (
        "BilocalInteraction",
        "LocalInteraction",
    ),
    "large_width": ("LargeWidth",),
    "latex": (
        "RulesTable",
        "aslatex",
        "latex_fragment",
        "preamble",
        "rules_table",
        "write_tex",
    ),
    "locality_report": ("LocalityReport", "locality"),
    "models": (
        "Field",
        "Model",
        "ModelPosition",
        "ModelStream",
        "Vertex",
        "bipartite",
        "complex_phi4",
        "o_n",
        "qed",
        "scalar",
        "yukawa",
    ),
    "moment_form": ("in_moments",),
    "momenta": ("Ball",),
    "momentum_shell": ("MomentumShellFlow", "momentum_shell_flow"),
    "momentum_space": (
        "MomentumKernel",
        "momentum_kernel",
    ),
    "orders": ("diagrams_to_order",),
    "phi4_networks": (
        "cutoff_propagator",
        "phi4_net",
    ),
    "pointfunctions": ("expand_channels",),
    "reconstruction": ("one_variable_couplings",),
    "regions": (
        "Box",
        "GaussianWeight",
        "Sites",
    ),
    "rules": ("FeynmanRules",),
    "series": ("Series",),
    "streaming": (
        "DiagramStream",
        "StreamPosition",
        "iter_diagrams",
    ),
    "symbols": ("symbol",),
    "symmetry": ("ParameterVerdict", "SymmetryVerdict", "prove_symmetry"),
    "tangent_kernel": ("TangentKernel",),
    "tensor_invariants": ("InvariantTensors", "invariant_tensors"),
    "theory": (
        "Action",
        "local_action",
        "phi4",
        "phi_n",
    ),
    "topology": (
        "FILTERS",
        "qgraf_filter",
    ),
    "vector_interactions": ("VectorInteraction",),
    "vector_theory": ("o_n_theory",),
    "wave_packets": ("WavePackets",),
}
lazy_names(__name__, _MODULES)
del lazy_names  # the attribute of this name is the module
