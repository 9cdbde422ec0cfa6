"""Ways to measure connected correlators: whole networks, output weights integrated out, or single neurons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.deep import DeepArchitecture
from diagrams.distributions import Constant
from diagrams.engineering import FieldDeformed
from numerics.blocks import Run, collected
from numerics.conditional_method import check_conditional, conditional_correlators, pair_model, pairs_of
from numerics.deep_networks import DeepNetworks
from numerics.estimators import BlockSums
from numerics.kernels.features import FeatureNeuron
from numerics.model import NetworkModel, model_of
from numerics.neuron_cumulants import neuron_correlators
from numerics.neuron_sampling import SAMPLINGS, HiddenNumbers, sampled_sums
from numerics.results import Estimate
from numerics.sources import Networks
from numerics.tails import warn_of_heavy_tails

if TYPE_CHECKING:
    from numerics.ensemble import Ensemble

METHODS = ("network", "conditional", "neuron", "parts")
ASSUMPTIONS = {
    "network": "independent networks",
    "conditional": "independent networks, Gaussian output weights integrated out",
    "neuron": "single neurons: independent and identical, every power of N exact, output weights integrated out",
}
REMEDIES = (
    "method='neuron' with sampling='importance' draws neurons where such moments live",
    "use more neurons",
)


def check_method(method: str, sampling: str, architecture: Any) -> None:
    """Raise an error if there is no such method or sampling, or it does not fit the architecture.

    Raises
    ------
    ValueError
        For an unknown name, a scheme that the method does not have, or a net whose neurons are not independent.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; choose one of {', '.join(map(repr, METHODS))}")
    if sampling not in SAMPLINGS:
        raise ValueError(f"no sampling {sampling!r}; choose one of {', '.join(map(repr, SAMPLINGS))}")
    if method != "neuron" and sampling != "random":
        raise ValueError(
            f"sampling={sampling!r} is for method='neuron', whose integrals have few dimensions; method={method!r} "
            "draws whole networks"
        )
    if method == "parts" and not isinstance(architecture, FieldDeformed):
        raise ValueError(
            f"method='parts' is for networks with an interaction, such as phi4_net(), and {architecture} has none: use "
            "method='conditional' or 'neuron'"
        )
    if method == "conditional" and isinstance(architecture, DeepArchitecture):
        return
    if method in ("conditional", "neuron") and not isinstance(architecture, Architecture):
        raise ValueError(
            f"method={method!r} needs the independent neurons of an Architecture, {architecture} is none: use "
            "method='network', which assumes nothing"
        )


def measured(
    ensemble: Ensemble,
    points: NDArray[np.float64],
    *,
    max_points: int,
    method: str,
    sampling: str,
    run: Run,
) -> Estimate:
    """Return the connected correlators by the methods that integrate output weights, see ``Ensemble``."""
    architecture = ensemble.architecture
    assert isinstance(architecture, (Architecture, DeepArchitecture))
    attrs: dict[str, Any] = {"method": ASSUMPTIONS[method], "sampling": sampling}
    if method == "conditional":
        check_conditional(architecture, ensemble.dtype)
        pairs, degree = pairs_of(points), max(1, max_points // 2)
        if isinstance(architecture, DeepArchitecture):
            assert isinstance(ensemble._source, DeepNetworks)
            source = replace(ensemble._source, is_conditional=True)
            sums = collected(source, ensemble.blocks, ensemble.blocks, pairs, degree, ensemble.block_size, run)
        else:
            sums = _collected(ensemble, pair_model(architecture), pairs, degree, run)
        found = {n: conditional_correlators(sums, n, architecture, len(points)) for n in range(1, max_points + 1)}
    else:
        assert isinstance(architecture, Architecture)
        model = neuron_model(architecture)
        if sampling == "random":
            # odd moments of symmetric output weights vanish, whatever those of the features are
            sums = _collected(ensemble, model, points, max_points, run, even_only=architecture.has_symmetric_readout)
        else:
            numbers = HiddenNumbers.of(architecture, model, points)
            is_compiled = ensemble.backend == "numba"
            sums = sampled_sums(
                numbers, max_points, ensemble.n_nets, _seed(ensemble), sampling, run.progress, is_compiled=is_compiled
            )
            backend = "numba" if is_compiled else "numpy"
            attrs |= {"dimension": numbers.dim, "replicates": len(sums.counts), "backend": backend, "dtype": "float64"}
        independent = sampling == "random"
        found = {
            n: neuron_correlators(sums, n, architecture, independent=independent) for n in range(1, max_points + 1)
        }
        attrs |= {"width": int(architecture.width), "samples": "neurons"}
    warn_of_heavy_tails(found, sums.n_samples, REMEDIES[sampling == "importance"])
    attrs = {**ensemble._attrs(), "n_nets": sums.n_samples, **attrs}
    return Estimate.from_cumulants(found, points, attrs, n_outputs=architecture.output_dim)


def neuron_model(architecture: Architecture) -> NetworkModel:
    """Return networks of one neuron, whose field is its feature: all neurons that are drawn together, in turn."""
    one = architecture.width**0
    bare = replace(
        architecture, width=one, readout=Constant(1), sigma_b1=0 * architecture.sigma_b1, output_dim=1, means=()
    )
    model = model_of(bare)
    assert isinstance(model.neuron, FeatureNeuron)  # weights of value one are not those of the argument kernels
    return replace(model, neuron=replace(model.neuron, is_alone=True))


def _collected(
    ensemble: Ensemble,
    model: NetworkModel,
    points: NDArray[np.float64],
    max_points: int,
    run: Run,
    *,
    even_only: bool = False,
) -> BlockSums:
    source = Networks(model, _seed(ensemble), ensemble.backend, ensemble.dtype, even_only)
    return collected(source, ensemble.blocks, ensemble.blocks, points, max_points, ensemble.block_size, run)


def _seed(ensemble: Ensemble) -> int:
    assert isinstance(ensemble.seed, int)  # Ensemble turns a SeedSequence into a number
    return ensemble.seed
