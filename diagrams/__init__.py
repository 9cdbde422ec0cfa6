"""Symbolic core of nnft: Feynman diagrams, connected correlators and actions of random neural networks.

Conventions: Euclidean signature, weight exp(-S), couplings with 1/n!, labelled external legs unless asked otherwise.

Every name is imported when it is first used, so that counting and enumerating diagrams waits for no sympy.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from diagrams.collection import Diagrams
    from diagrams.correlators import ConnectedCorrelators, Correlator
    from diagrams.counting import count_diagrams, total_weight
    from diagrams.cumulants import cumulants_from_moments, moments_from_cumulants
    from diagrams.deep import DeepArchitecture, deep_net
    from diagrams.distributions import Constant, Density, Gaussian, StudentT, Uniform, UniformPhase
    from diagrams.expectation import ExpectationIntegral, evaluate
    from diagrams.generate import enumerate_diagrams
    from diagrams.graph import FeynmanGraph
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
    from diagrams.large_width import LargeWidth
    from diagrams.latex import aslatex, write_tex
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
    from diagrams.momenta import Ball
    from diagrams.orders import diagrams_to_order
    from diagrams.pointfunctions import expand_channels
    from diagrams.reconstruction import one_variable_couplings
    from diagrams.rules import FeynmanRules
    from diagrams.series import Series
    from diagrams.streaming import DiagramStream, StreamPosition, iter_diagrams
    from diagrams.symbols import symbol
    from diagrams.theory import Action, phi4, phi_n
    from diagrams.topology import FILTERS, qgraf_filter

__all__ = [
    "FILTERS",
    "Action",
    "Architecture",
    "Ball",
    "ConnectedCorrelators",
    "Constant",
    "Correlator",
    "DeepArchitecture",
    "Density",
    "DiagramStream",
    "Diagrams",
    "Discrete",
    "ExpectationIntegral",
    "FeynmanGraph",
    "FeynmanRules",
    "Field",
    "Gamma",
    "Gaussian",
    "IndependentSum",
    "InnerProduct",
    "LargeWidth",
    "Mixture",
    "Model",
    "ModelPosition",
    "ModelStream",
    "Moments",
    "NeuronSum",
    "Series",
    "SmoothFamily",
    "SquareRoot",
    "StreamPosition",
    "StudentT",
    "TiltedArchitecture",
    "Uniform",
    "UniformPhase",
    "Vertex",
    "aslatex",
    "bipartite",
    "complex_phi4",
    "cos_net",
    "count_diagrams",
    "cumulants_from_moments",
    "deep_net",
    "diagrams_to_order",
    "enumerate_diagrams",
    "erf_net",
    "evaluate",
    "expand_channels",
    "gauss_net",
    "in_coordinates",
    "independent_sum",
    "iter_diagrams",
    "linear_net",
    "mixture",
    "moments_from_cumulants",
    "network",
    "neuron_sum",
    "o_n",
    "one_variable_couplings",
    "phi4",
    "phi_n",
    "qed",
    "qgraf_filter",
    "relu_net",
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
    "collection": ("Diagrams",),
    "correlators": ("ConnectedCorrelators", "Correlator"),
    "counting": ("count_diagrams", "total_weight"),
    "cumulants": ("cumulants_from_moments", "moments_from_cumulants"),
    "deep": ("DeepArchitecture", "deep_net"),
    "distributions": ("Constant", "Density", "Gaussian", "StudentT", "Uniform", "UniformPhase"),
    "expectation": ("ExpectationIntegral", "evaluate"),
    "generate": ("enumerate_diagrams",),
    "graph": ("FeynmanGraph",),
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
    "inner_products": ("InnerProduct", "in_coordinates"),
    "large_width": ("LargeWidth",),
    "latex": ("aslatex", "write_tex"),
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
    "momenta": ("Ball",),
    "orders": ("diagrams_to_order",),
    "pointfunctions": ("expand_channels",),
    "reconstruction": ("one_variable_couplings",),
    "rules": ("FeynmanRules",),
    "series": ("Series",),
    "streaming": ("DiagramStream", "StreamPosition", "iter_diagrams"),
    "symbols": ("symbol",),
    "theory": ("Action", "phi4", "phi_n"),
    "topology": ("FILTERS", "qgraf_filter"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
