"""Numeric backend of nnft: sampled ensembles, compiled kernels, and the comparison of theory with both.

Every name is imported when it is first used, so that the command line and a look at the names wait for no compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import diagrams as _diagrams

if "enumerate_diagrams" not in getattr(_diagrams, "__all__", ()):
    raise ImportError(
        f"nnft needs its own package 'diagrams', but Python found another one at {_diagrams.__file__}. "
        "An unrelated distribution on PyPI has the same name: install nnft into a fresh virtual environment."
    )

from diagrams.lazy_names import lazy_names

if TYPE_CHECKING:
    from numerics.backends import usable_gpu
    from numerics.checkpoint import CheckpointError, CheckpointWarning
    from numerics.cluster_sampling import ClusterTest, cluster_test
    from numerics.compare import Comparison, compare
    from numerics.coupling_fits import CouplingFit, CouplingTensor, coupling_tensor, extract_couplings
    from numerics.derivatives import DerivativeKernel, lower_derivatives
    from numerics.duality import duality_claims
    from numerics.edgeworth import Edgeworth, edgeworth_density
    from numerics.effective_claims import eft_claims
    from numerics.ensemble import Ensemble
    from numerics.falloff import FallOff, fall_off
    from numerics.fashion_grid import AccuracyGrid, GridSettings, accuracy_grid
    from numerics.fashion_mnist import load_fashion_mnist
    from numerics.field_chains import sample_field
    from numerics.field_samples import FieldSamples
    from numerics.finite_box import CorrelatorValues, correlator_values
    from numerics.finite_width import interacting_values
    from numerics.group_elements import random_elements
    from numerics.idx_files import IDXError, read_idx
    from numerics.integrals import IntegralEstimate, vertex_integral
    from numerics.interacting_samples import InteractingSamples, NotConvergedError, sample_interacting
    from numerics.layered_nets import LayeredNet
    from numerics.lower import Kernel, lower, register_function
    from numerics.mode_monte_carlo import change_by_interaction, field_monte_carlo
    from numerics.moved_inputs import InputSymmetryTest, input_symmetry_test
    from numerics.natural_couplings import Naturalness, naturalness
    from numerics.neuron_quadrature import exact_correlators
    from numerics.node_sums import GridLines, grid_amplitude, grid_amplitudes
    from numerics.oscillator import OscillatorCorrelators, ground_state_energies, oscillator_correlators
    from numerics.phi4 import WidthStudy, width_study
    from numerics.point_action import PointAction, point_action
    from numerics.published import published_inputs, published_net
    from numerics.results import Estimate
    from numerics.reweighting import EffectiveSampleSizeError
    from numerics.rg import CouplingFlow, ShellTrajectory, rg_flow, run_couplings
    from numerics.schwinger_dyson import SchwingerDyson, schwinger_dyson_test
    from numerics.six_point import SixPointPrediction, six_point_prediction
    from numerics.symmetry_claims import training_claims
    from numerics.symmetry_ranking import SymmetryRanking, rank_symmetries
    from numerics.symmetry_tests import SymmetryBreaking, SymmetryTest, symmetry_breaking, symmetry_test
    from numerics.tails import CancellationWarning, HeavyTailWarning
    from numerics.tangent_kernels import (
        expected_tangent_kernel,
        sampled_tangent_kernels,
        tangent_kernel,
        tangent_kernel_symmetry,
    )
    from numerics.training import TrainingRun, train_ensemble
    from numerics.vector_oscillator import o_n_oscillator_correlators
    from numerics.vector_width import vector_first_order
    from numerics.vertex_amplitudes import vertex_amplitude
    from numerics.vertex_boxes import CubatureError, CutoffWarning, VertexIntegrals, vertex_integrals
    from numerics.violation_order import ViolationOrder, violation_order

__all__ = [
    "AccuracyGrid",
    "CancellationWarning",
    "CheckpointError",
    "CheckpointWarning",
    "ClusterTest",
    "Comparison",
    "CorrelatorValues",
    "CouplingFit",
    "CouplingFlow",
    "CouplingTensor",
    "CubatureError",
    "CutoffWarning",
    "DerivativeKernel",
    "Edgeworth",
    "EffectiveSampleSizeError",
    "Ensemble",
    "Estimate",
    "FallOff",
    "FieldSamples",
    "GridLines",
    "GridSettings",
    "HeavyTailWarning",
    "IDXError",
    "InputSymmetryTest",
    "IntegralEstimate",
    "InteractingSamples",
    "Kernel",
    "LayeredNet",
    "Naturalness",
    "NotConvergedError",
    "OscillatorCorrelators",
    "PointAction",
    "SchwingerDyson",
    "ShellTrajectory",
    "SixPointPrediction",
    "SymmetryBreaking",
    "SymmetryRanking",
    "SymmetryTest",
    "TrainingRun",
    "VertexIntegrals",
    "ViolationOrder",
    "WidthStudy",
    "accuracy_grid",
    "change_by_interaction",
    "cluster_test",
    "compare",
    "correlator_values",
    "coupling_tensor",
    "duality_claims",
    "edgeworth_density",
    "eft_claims",
    "exact_correlators",
    "expected_tangent_kernel",
    "extract_couplings",
    "fall_off",
    "field_monte_carlo",
    "grid_amplitude",
    "grid_amplitudes",
    "ground_state_energies",
    "input_symmetry_test",
    "interacting_values",
    "load_fashion_mnist",
    "lower",
    "lower_derivatives",
    "naturalness",
    "o_n_oscillator_correlators",
    "oscillator_correlators",
    "point_action",
    "published_inputs",
    "published_net",
    "random_elements",
    "rank_symmetries",
    "read_idx",
    "register_function",
    "rg_flow",
    "run_couplings",
    "sample_field",
    "sample_interacting",
    "sampled_tangent_kernels",
    "schwinger_dyson_test",
    "six_point_prediction",
    "symmetry_breaking",
    "symmetry_test",
    "tangent_kernel",
    "tangent_kernel_symmetry",
    "train_ensemble",
    "training_claims",
    "usable_gpu",
    "vector_first_order",
    "vertex_amplitude",
    "vertex_integral",
    "vertex_integrals",
    "violation_order",
    "width_study",
]

_MODULES = {
    "backends": ("usable_gpu",),
    "checkpoint": ("CheckpointError", "CheckpointWarning"),
    "cluster_sampling": ("ClusterTest", "cluster_test"),
    "compare": ("Comparison", "compare"),
    "coupling_fits": ("CouplingFit", "CouplingTensor", "coupling_tensor", "extract_couplings"),
    "derivatives": ("DerivativeKernel", "lower_derivatives"),
    "duality": ("duality_claims",),
    "edgeworth": ("Edgeworth", "edgeworth_density"),
    "effective_claims": ("eft_claims",),
    "ensemble": ("Ensemble",),
    "falloff": ("FallOff", "fall_off"),
    "fashion_grid": ("AccuracyGrid", "GridSettings", "accuracy_grid"),
    "fashion_mnist": ("load_fashion_mnist",),
    "field_chains": ("sample_field",),
    "field_samples": ("FieldSamples",),
    "finite_box": ("CorrelatorValues", "correlator_values"),
    "finite_width": ("interacting_values",),
    "group_elements": ("random_elements",),
    "idx_files": ("IDXError", "read_idx"),
    "integrals": ("IntegralEstimate", "vertex_integral"),
    "interacting_samples": ("InteractingSamples", "NotConvergedError", "sample_interacting"),
    "layered_nets": ("LayeredNet",),
    "lower": ("Kernel", "lower", "register_function"),
    "mode_monte_carlo": ("change_by_interaction", "field_monte_carlo"),
    "moved_inputs": ("InputSymmetryTest", "input_symmetry_test"),
    "natural_couplings": ("Naturalness", "naturalness"),
    "neuron_quadrature": ("exact_correlators",),
    "node_sums": ("GridLines", "grid_amplitude", "grid_amplitudes"),
    "oscillator": ("OscillatorCorrelators", "ground_state_energies", "oscillator_correlators"),
    "phi4": ("WidthStudy", "width_study"),
    "point_action": ("PointAction", "point_action"),
    "published": ("published_inputs", "published_net"),
    "results": ("Estimate",),
    "reweighting": ("EffectiveSampleSizeError",),
    "rg": ("CouplingFlow", "ShellTrajectory", "rg_flow", "run_couplings"),
    "schwinger_dyson": ("SchwingerDyson", "schwinger_dyson_test"),
    "six_point": ("SixPointPrediction", "six_point_prediction"),
    "symmetry_claims": ("training_claims",),
    "symmetry_ranking": ("SymmetryRanking", "rank_symmetries"),
    "symmetry_tests": ("SymmetryBreaking", "SymmetryTest", "symmetry_breaking", "symmetry_test"),
    "tails": ("CancellationWarning", "HeavyTailWarning"),
    "tangent_kernels": (
        "expected_tangent_kernel",
        "sampled_tangent_kernels",
        "tangent_kernel",
        "tangent_kernel_symmetry",
    ),
    "training": ("TrainingRun", "train_ensemble"),
    "vector_oscillator": ("o_n_oscillator_correlators",),
    "vector_width": ("vector_first_order",),
    "vertex_amplitudes": ("vertex_amplitude",),
    "vertex_boxes": ("CubatureError", "CutoffWarning", "VertexIntegrals", "vertex_integrals"),
    "violation_order": ("ViolationOrder", "violation_order"),
}
lazy_names(__name__, _MODULES)
