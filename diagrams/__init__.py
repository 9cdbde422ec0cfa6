"""Symbolic core of nnft: Feynman diagrams, connected correlators and actions of random neural networks.

Conventions: Euclidean signature, weight exp(-S), couplings with 1/n!, labelled external legs unless asked otherwise.
"""

from __future__ import annotations

from diagrams.architectures import Architecture, cos_net
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators, Correlator
from diagrams.counting import count_diagrams, total_weight
from diagrams.generate import enumerate_diagrams
from diagrams.graph import FeynmanGraph
from diagrams.latex import aslatex, write_tex
from diagrams.models import Field, Model, Vertex, bipartite, complex_phi4, o_n, qed, scalar, yukawa
from diagrams.pointfunctions import expand_channels
from diagrams.reconstruction import one_variable_couplings
from diagrams.rules import FeynmanRules
from diagrams.series import Series
from diagrams.symbols import symbol
from diagrams.theory import Action, phi4, phi_n

__all__ = [
    "Action",
    "Architecture",
    "ConnectedCorrelators",
    "Correlator",
    "Diagrams",
    "FeynmanGraph",
    "FeynmanRules",
    "Field",
    "Model",
    "Series",
    "Vertex",
    "aslatex",
    "bipartite",
    "complex_phi4",
    "cos_net",
    "count_diagrams",
    "enumerate_diagrams",
    "expand_channels",
    "o_n",
    "one_variable_couplings",
    "phi4",
    "phi_n",
    "qed",
    "scalar",
    "symbol",
    "total_weight",
    "write_tex",
    "yukawa",
]
