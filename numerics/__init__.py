"""Numeric backend of nnft: sampled ensembles, compiled kernels, and the comparison of theory with both."""

from __future__ import annotations

import diagrams as _diagrams

if not hasattr(_diagrams, "enumerate_diagrams"):
    raise ImportError(
        f"nnft needs its own package 'diagrams', but Python found another one at {_diagrams.__file__}. "
        "An unrelated distribution on PyPI has the same name: install nnft into a fresh virtual environment."
    )

from numerics.backends import usable_gpu
from numerics.compare import Comparison, compare
from numerics.edgeworth import Edgeworth, edgeworth_density
from numerics.ensemble import Ensemble
from numerics.field_samples import FieldSamples
from numerics.lower import Kernel, lower
from numerics.point_action import PointAction, point_action
from numerics.results import Estimate
from numerics.reweighting import EffectiveSampleSizeError
from numerics.schwinger_dyson import SchwingerDyson, schwinger_dyson_test
from numerics.violation_order import ViolationOrder, violation_order

__all__ = [
    "Comparison",
    "Edgeworth",
    "EffectiveSampleSizeError",
    "Ensemble",
    "Estimate",
    "FieldSamples",
    "Kernel",
    "PointAction",
    "SchwingerDyson",
    "ViolationOrder",
    "compare",
    "edgeworth_density",
    "lower",
    "point_action",
    "schwinger_dyson_test",
    "usable_gpu",
    "violation_order",
]
