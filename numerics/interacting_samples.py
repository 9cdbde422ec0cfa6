r"""Networks of an interacting density by Markov chains or by reweighting, with what the samples are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib import import_module
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.engineering import FieldDeformed
from numerics.backends import require_backend
from numerics.chain_tuning import Tuning, slow_quantities
from numerics.checkpoint import SECONDS
from numerics.ensemble import Ensemble, _seed_number
from numerics.estimators import Cumulants, monomial_sums, n_monomials
from numerics.points import as_points
from numerics.results import Estimate
from numerics.reweighting import MIN_EFFECTIVE_SAMPLES, weighted_sums
from numerics.scalar_density import ScalarDensity

Floats = NDArray[np.float64]

ESTIMATORS = ("combined", "parts", "plain")
METHODS = ("auto", "hmc", "pcn", "reweighting")
MAX_R_HAT = 1.01
PILOT = 1024  # networks without the interaction from which chains start
_BLOCK = 10.0  # autocorrelation times in a block
_MIN_BLOCKS = 20
_TAIL = (0.05, 0.95)
_WORTH = 2.0  # in variance, what a combination must gain over plain averages, which have no heavy tails
_FOLDS = 8  # of blocks, for the share of two estimators in their combination
HIGHEST = 4  # points of the conditional moments that are kept


class NotConvergedError(ArithmeticError):
    """Chains that disagree with each other, or are worth too few independent samples.

    Parameters
    ----------
    message : str
    estimate : Estimate
        The estimate that is not to be trusted.
    """

    def __init__(self, message: str, estimate: Any) -> None:
        super().__init__(message)
        self.estimate = estimate

    def __reduce__(self) -> tuple[Any, ...]:
        return NotConvergedError, (self.args[0], self.estimate)


@dataclass(frozen=True, eq=False)
class InteractingSamples:
    """Fields of networks with an interaction, from chains or from weighted independent networks.

    Parameters
    ----------
    points : array (n_points, input_dim)
    fields : array (n_chains, n_draws, n_fields * n_points)
        All points of the first component, then of the second.
    actions : array (n_chains, n_draws)
        Delta S.
    moments : array (n_chains, n_draws, n_monomials)
        Conditional moments of degree 1 to 4, see :mod:`numerics.parts`; none of them for several fields or array code.
    log_weights : array (n_chains, n_draws)
        Zero for chains.
    tuning : Tuning or None
        How the chains moved; None for reweighting.
    label : str
        The ensemble.
    attrs : mapping
        How the samples were made; goes into estimates.
    """

    points: Floats
    fields: Floats
    actions: Floats
    moments: Floats
    log_weights: Floats
    tuning: Tuning | None
    label: str
    attrs: Mapping[str, Any]

    @property
    def n_fields(self) -> int:
        """Components of the field."""
        return self.fields.shape[2] // len(self.points)

    @property
    def method(self) -> str:
        """``"hmc"``, ``"pcn"`` or ``"reweighting"``."""
        return self.tuning.method if self.tuning else "reweighting"

    @cached_property
    def diagnostics(self) -> dict[str, Any]:
        """What the samples are worth.

        ``r_hat`` (largest, rank-normalised split), ``ess_bulk`` and ``ess_tail`` (smallest) over Delta S, the fields
        and their squares, by arviz-stats; ``autocorrelation_time`` in trajectories; ``acceptance``, ``step_size``,
        ``n_leaps`` and ``divergences`` of chains. For reweighting ``ess_bulk`` is
        (sum of weights)^2 / (sum of squared weights), and what belongs to chains is absent.
        """
        if self.tuning is None:
            weights = np.exp(self.log_weights - self.log_weights.max())
            return {"ess_bulk": float(weights.sum() ** 2 / (weights**2).sum()), "autocorrelation_time": 1.0}
        array_stats: Any = import_module("arviz_stats.base").array_stats  # takes a second

        values = slow_quantities(self.fields, self.actions)
        axes = {"chain_axis": 0, "draw_axis": 1}
        bulk = float(np.min(array_stats.ess(values, method="bulk", **axes)))
        return {
            "r_hat": float(np.max(array_stats.rhat(values, **axes))),
            "ess_bulk": bulk,
            "ess_tail": float(np.min(array_stats.ess(values, method="tail", prob=_TAIL, **axes))),
            "autocorrelation_time": max(1.0, self.actions.size / bulk),
            "acceptance": float(self.attrs["acceptance"]),
            "divergences": int(self.attrs["divergences"]),
            "step_size": self.tuning.step_size,
            "n_leaps": self.tuning.n_leaps,
        }

    def correlators(self, *, max_points: int = 4, estimator: str = "combined") -> Estimate:
        """Return the connected correlators with errors.

        Parameters
        ----------
        max_points : int
            Highest order, 1 to 4.
        estimator : {"combined", "parts", "plain"}
            Averages of conditional moments (:mod:`numerics.parts`), of products of fields, or of that combination of
            both, component by component, that has the smallest error; several fields and array code have plain
            averages only, and those are their "combined" ones.

        Returns
        -------
        Estimate
            Errors are those of a jackknife over blocks of ten autocorrelation times or more.

        Raises
        ------
        ValueError
            If an argument is out of range.
        NotConvergedError
            If R-hat is above 1.01, or the samples are worth fewer than 200; it carries the estimate.
        """
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {', '.join(map(repr, ESTIMATORS))}, got {estimator!r}")
        if isinstance(max_points, bool) or not isinstance(max_points, int) or not 1 <= max_points <= 4:
            raise ValueError(f"max_points must be an integer from 1 to 4, got {max_points!r}")
        if not self.moments.shape[2]:
            if estimator == "parts":
                raise ValueError(
                    "conditional moments are measured by compiled chains of a field of one component: use "
                    "estimator='plain'"
                )
            estimator = "plain"
        found, n_blocks = {}, 0
        for name in ("parts", "plain") if estimator == "combined" else (estimator,):
            values, monomials = (self.moments, _moments) if name == "parts" else (self.fields, _plain)
            sums = weighted_sums(self._blocks(values), self.fields.shape[2], max_points, monomials=monomials)
            found[name], n_blocks = [sums.cumulants(n) for n in range(1, max_points + 1)], len(sums.counts)
        best = found[estimator] if estimator in found else list(map(_combined, found["parts"], found["plain"]))
        run = {"n_nets": self.actions.size, "estimator": estimator, **self.diagnostics, "method": self.method}
        orders = dict(enumerate(best, start=1))
        estimate = Estimate.from_cumulants(orders, self.points, {**self.attrs, **run}, n_outputs=self.n_fields)
        self._check(estimate, n_blocks)
        return estimate

    def _blocks(self, values: Floats) -> Iterator[Any]:
        n_chains, n_draws = self.actions.shape
        length = ceil(_BLOCK * self.diagnostics["autocorrelation_time"]) if self.tuning else max(1, n_draws // 64)
        n_blocks = max(1, n_draws // length)
        edges = np.linspace(0, n_draws, n_blocks + 1).astype(int)
        for chain in range(n_chains):
            for a, b in pairwise(edges.tolist()):
                yield b - a, iter([(values[chain, a:b], self.log_weights[None, chain, a:b])])

    def _check(self, estimate: Estimate, n_blocks: int) -> None:
        d = self.diagnostics
        size, r_hat = d["ess_bulk"], d.get("r_hat", 1.0)
        if r_hat > MAX_R_HAT:
            why = f"the chains disagree (R-hat {r_hat:.3f}, above {MAX_R_HAT})"
        elif not size >= MIN_EFFECTIVE_SAMPLES or n_blocks < _MIN_BLOCKS:
            why = f"they are worth {size:.1f} independent samples, fewer than {MIN_EFFECTIVE_SAMPLES}"
            why = why if not size >= MIN_EFFECTIVE_SAMPLES else f"they have {n_blocks} independent blocks only"
        else:
            return
        raise NotConvergedError(
            f"{self.actions.size} samples of {self.label} by {self.method} have not converged: {why}; use more draws "
            "or another method; the estimate is the .estimate of this error",
            estimate,
        )

    def _rows(self) -> Iterator[tuple[str, str]]:
        d = self.diagnostics
        yield "samples", f"{self.actions.shape[0]} x {self.actions.shape[1]} by {self.method}"
        for choice in ("hmc_cost", "pcn_cost", "reweighting_cost"):
            if choice in self.attrs:
                yield choice.replace("_", " "), f"{self.attrs[choice]:.3g} evaluations per effective sample (pilot run)"
        for name, value in d.items():
            yield name.replace("_", " "), f"{value:.4g}"

    def __repr__(self) -> str:
        n, size = self.actions.size, self.diagnostics["ess_bulk"]
        return f"<InteractingSamples of {self.label}: {n} by {self.method}, worth {size:.0f}>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in self._rows())
        return f"<table><caption>{escape(self.label)}</caption>{rows}</table>"


def _moments(values: Any, max_points: int, weight: Floats) -> Floats:
    n_points = next(n for n in range(1, values.shape[1] + 1) if n_monomials(n, HIGHEST) == values.shape[1])
    return np.asarray(values[:, : n_monomials(n_points, max_points)].T @ weight)


def _plain(values: Any, max_points: int, weight: Floats) -> Floats:
    return monomial_sums(np, np.ascontiguousarray(values), max_points, weight)


def _combined(a: Cumulants, b: Cumulants) -> Cumulants:
    """Return a with as much of b - a, whose average vanishes, as makes its error smallest; b where little is gained.

    The share for the blocks of a fold is that of the other folds: conditional moments have heavy tails at strong
    coupling, and a share fitted to the block that outweighs the others would hide its error.
    """
    difference, n_blocks = b.deviations - a.deviations, len(a.deviations)
    fold = np.arange(n_blocks) * _FOLDS // n_blocks
    products, squares = a.deviations * difference, difference**2
    shares = np.empty_like(difference)
    for f in range(_FOLDS):
        inside = fold == f
        square = np.maximum(squares[~inside].sum(axis=0), np.finfo(float).tiny)
        shares[inside] = -products[~inside].sum(axis=0) / square
    values = a.values + shares.mean(axis=0) * (b.values - a.values)
    deviations = a.deviations + shares * difference
    is_plain = (b.deviations**2).sum(axis=0) <= _WORTH * (deviations**2).sum(axis=0)
    return Cumulants(a.indices, np.where(is_plain, b.values, values), np.where(is_plain, b.deviations, deviations))


def sample_interacting(
    net: FieldDeformed,
    x: ArrayLike,
    *,
    method: str = "auto",
    n_chains: int = 16,
    n_draws: int = 1000,
    warmup: int = 200,
    seed: Any = 0,
    progress: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = SECONDS,
    backend: str = "numba",
) -> InteractingSamples:
    r"""Return networks of a deformed free scalar net, weak or strong the interaction.

    ``"hmc"`` is Hamiltonian Monte Carlo over output weights, momenta and phases of all neurons: output weights turn
    exactly under their Gaussian, momenta are reflected at the sphere of the cutoff, phases are periodic, and only the
    interaction is integrated by leapfrog steps. ``"pcn"`` makes the same moves without the gradient: the
    preconditioned Crank-Nicolson proposal. ``"reweighting"`` draws independent networks. ``"auto"`` takes the one
    whose effective samples are cheapest in a pilot run, by counts of evaluations and not by the clock.

    Parameters
    ----------
    net : FieldDeformed
        A :func:`diagrams.phi4_net`, or another free scalar net with a local interaction, with numbers for all.
    x : array_like (n_points, input_dim)
    method : {"auto", "hmc", "pcn", "reweighting"}
    n_chains : int
        At least 4.
    n_draws : int
        Trajectories of each chain after the warm-up, or a ``n_chains``-th of the independent networks.
    warmup : int
        Trajectories after tuning that are thrown away.
    seed : int or numpy.random.SeedSequence
        Results do not depend on the number of threads.
    progress : bool
        Show a progress bar on standard error.
    checkpoint : str or Path, optional
        File that keeps the chains; the same call goes on from there, with the same result to the last bit.
    checkpoint_seconds : float
        Time between two writes.
    backend : {"numba", "numpy", "cupy"}
        Compiled chains on the CPU, or the same chains in array code (:mod:`numerics.array_chains`), on a GPU for cupy:
        many chains at once, without conditional moments and, with ``method="auto"``, without independent networks.

    Returns
    -------
    InteractingSamples

    Raises
    ------
    TypeError, ValueError
        For a net without such a density, or an argument out of range.
    CheckpointError
        If the file is damaged, or belongs to another run.
    ImportError, RuntimeError
        If the backend is not available here.

    Examples
    --------
    >>> from diagrams.phi4_networks import phi4_net
    >>> net = phi4_net(mass=1, cutoff=5, coupling=20, box=4).at(N=64)
    >>> samples = sample_interacting(net, [[0.0]], method="hmc", n_chains=8, n_draws=400, seed=3)
    >>> found = samples.correlators(max_points=2)
    >>> bool(abs(found.values(2)[0] - 0.224) < 5 * found.errors(2)[0])
    True
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; choose one of {', '.join(map(repr, METHODS))}")
    for name, value, low in (("n_chains", n_chains, 4), ("n_draws", n_draws, 20), ("warmup", warmup, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise ValueError(f"{name} must be an integer >= {low}, got {value!r}")
    if require_backend(backend) != "numba" and method == "reweighting":
        raise ValueError(
            f"independent networks are drawn by the compiled kernel here: use backend='numba', or Ensemble(net, "
            f"n_nets=..., backend={backend!r}).connected_correlators(x)"
        )
    number = _seed_number(seed)
    ensemble = Ensemble(net, n_nets=max(PILOT, n_chains * n_draws), seed=number)
    density = ScalarDensity.of(ensemble)
    points = as_points(x, net.input_dim)
    from numerics.chain_runs import ChainRun  # it needs this module

    sampler = ChainRun(density, points, int(n_chains), int(n_draws), int(warmup), number, progress, backend)
    if method == "auto":
        method = sampler.choose()
    if method == "reweighting":
        if checkpoint is not None:
            raise ValueError("checkpoint= keeps chains; independent networks are drawn again in no time")
        return sampler.reweighted()
    return sampler.chains(method, checkpoint, checkpoint_seconds)
