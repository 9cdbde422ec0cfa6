"""Numeric backend of nnft: sampled ensembles, compiled kernels, and the comparison of theory with both."""

from __future__ import annotations

import diagrams as _diagrams

if not hasattr(_diagrams, "enumerate_diagrams"):
    raise ImportError(
        f"nnft needs its own package 'diagrams', but Python found another one at {_diagrams.__file__}. "
        "An unrelated distribution on PyPI has the same name: install nnft into a fresh virtual environment."
    )

from numerics.backends import usable_gpu
from numerics.checkpoint import CheckpointError, CheckpointWarning
from numerics.cluster_sampling import ClusterTest, cluster_test
from numerics.compare import Comparison, compare
from numerics.edgeworth import Edgeworth, edgeworth_density
from numerics.ensemble import Ensemble
from numerics.fashion_grid import AccuracyGrid, GridSettings, accuracy_grid
from numerics.fashion_mnist import load_fashion_mnist
from numerics.field_samples import FieldSamples
from numerics.finite_box import CorrelatorValues, correlator_values
from numerics.finite_width import interacting_values
from numerics.group_elements import random_elements
from numerics.idx_files import IDXError, read_idx
from numerics.integrals import IntegralEstimate, vertex_integral
from numerics.interacting_samples import InteractingSamples, NotConvergedError, sample_interacting
from numerics.layered_nets import LayeredNet
from numerics.lower import Kernel, lower
from numerics.mode_monte_carlo import change_by_interaction, field_monte_carlo
from numerics.oscillator import OscillatorCorrelators, ground_state_energies, oscillator_correlators
from numerics.phi4 import WidthStudy, width_study
from numerics.point_action import PointAction, point_action
from numerics.results import Estimate
from numerics.reweighting import EffectiveSampleSizeError
from numerics.schwinger_dyson import SchwingerDyson, schwinger_dyson_test
from numerics.symmetry_claims import training_claims
from numerics.symmetry_tests import SymmetryBreaking, SymmetryTest, symmetry_breaking, symmetry_test
from numerics.tails import CancellationWarning, HeavyTailWarning
from numerics.training import TrainingRun, train_ensemble
from numerics.vertex_amplitudes import vertex_amplitude
from numerics.violation_order import ViolationOrder, violation_order

__all__ = [
    "AccuracyGrid",
    "CancellationWarning",
    "CheckpointError",
    "CheckpointWarning",
    "ClusterTest",
    "Comparison",
    "CorrelatorValues",
    "Edgeworth",
    "EffectiveSampleSizeError",
    "Ensemble",
    "Estimate",
    "FieldSamples",
    "GridSettings",
    "HeavyTailWarning",
    "IDXError",
    "IntegralEstimate",
    "InteractingSamples",
    "Kernel",
    "LayeredNet",
    "NotConvergedError",
    "OscillatorCorrelators",
    "PointAction",
    "SchwingerDyson",
    "SymmetryBreaking",
    "SymmetryTest",
    "TrainingRun",
    "ViolationOrder",
    "WidthStudy",
    "accuracy_grid",
    "change_by_interaction",
    "cluster_test",
    "compare",
    "correlator_values",
    "edgeworth_density",
    "field_monte_carlo",
    "ground_state_energies",
    "interacting_values",
    "load_fashion_mnist",
    "lower",
    "oscillator_correlators",
    "point_action",
    "random_elements",
    "read_idx",
    "sample_interacting",
    "schwinger_dyson_test",
    "symmetry_breaking",
    "symmetry_test",
    "train_ensemble",
    "training_claims",
    "usable_gpu",
    "vertex_amplitude",
    "vertex_integral",
    "violation_order",
    "width_study",
]
