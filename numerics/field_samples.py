"""FieldSamples: networks of a deformed ensemble with their weights, and what the weights are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.results import Estimate, format_uncertainty
from numerics.reweighting import jackknife_mean, monomials_for, reweighted_estimate, weighted_sums

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FieldSamples:
    """Fields of independent networks at points, with the weights that make them networks of the deformed density.

    ``np.asarray(samples)`` gives the fields.

    Parameters
    ----------
    fields : array (count, n_points)
        Outputs at the points.
    log_weights : array (count,)
        -Delta S of each network, the normalisation left out.
    points : array (n_points, input_dim)
    counts : tuple of int
        Networks in each block, for errors.
    label : str
        The ensemble.
    attrs : mapping
        How the networks were made; goes into estimates.
    """

    fields: NDArray[np.floating[Any]]
    log_weights: Floats
    points: Floats
    counts: tuple[int, ...]
    label: str
    attrs: Mapping[str, Any]

    @cached_property
    def weights(self) -> Floats:
        """Weights with mean one, shape (count,)."""
        weights = np.exp(self.log_weights - self.log_weights.max())
        return weights / weights.mean()

    @property
    def effective_sample_size(self) -> float:
        """(sum of weights)^2 / (sum of squared weights): how many equally weighted networks these are worth."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    @cached_property
    def diagnostics(self) -> dict[str, Any]:
        """What the weights are worth, and how well the interaction was integrated.

        ``n_nets``; ``effective_sample_size`` and its ``fraction`` of n_nets; ``largest_weight``, the share of the
        heaviest network; ``mean_interaction``, the average of Delta S over independent networks (reweighting works
        while it is below about 15); ``log_normalisation``, the logarithm of Z = E_0 exp(-Delta S), with
        ``log_normalisation_error``; ``quadrature_nodes`` and ``quadrature_error``, the largest change of Delta S
        among test networks when the nodes are made denser.
        """
        top = float(self.log_weights.max())
        mean, error = jackknife_mean(np.exp(self.log_weights - top), self.counts)
        size = self.effective_sample_size
        return {
            "n_nets": len(self.fields),
            "effective_sample_size": size,
            "fraction": size / len(self.fields),
            "largest_weight": float(self.weights.max() / self.weights.sum()),
            "mean_interaction": float(-self.log_weights.mean()),
            "log_normalisation": float(np.log(mean) + top),
            "log_normalisation_error": error / mean,
            "quadrature_nodes": self.attrs["quadrature_nodes"],
            "quadrature_error": self.attrs["quadrature_error"],
        }

    def correlators(self, *, max_points: int = 4) -> Estimate:
        """Return the connected correlators of the deformed ensemble with errors.

        Parameters
        ----------
        max_points : int
            Highest order, at least 1.

        Returns
        -------
        Estimate
            Self-normalised averages; the same as ``Ensemble.connected_correlators`` gives without keeping networks.

        Raises
        ------
        ValueError
            If ``max_points`` is not positive, or there are too few networks or blocks.
        EffectiveSampleSizeError
            If the weights are too uneven; the error carries the estimate.
        """
        if isinstance(max_points, bool) or not isinstance(max_points, int) or not 1 <= max_points <= 6:
            raise ValueError(f"max_points must be an integer from 1 to 6, got {max_points!r}")
        if len(self.counts) < 2 or len(self.fields) <= max_points:
            raise ValueError(f"{len(self.fields)} networks are too few for {max_points} points with errors: use more")
        monomials = monomials_for(str(self.attrs.get("backend")))
        sums = weighted_sums(self._blocks(), self.fields.shape[1], max_points, monomials=monomials)
        return reweighted_estimate(sums, self.points, self.attrs, self.label)

    def _blocks(self) -> Iterator[Any]:
        start = 0
        for count in self.counts:
            part = slice(start, start + count)
            yield count, iter([(self.fields[part], self.log_weights[None, part])])
            start += count

    def __len__(self) -> int:
        return len(self.fields)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.fields, dtype=dtype, copy=bool(copy)) if copy else np.asarray(self.fields, dtype=dtype)

    def _rows(self) -> Iterator[tuple[str, str]]:
        d = self.diagnostics
        yield "networks", str(d["n_nets"])
        yield "effective sample size", f"{d['effective_sample_size']:.1f} ({100 * d['fraction']:.3g} %)"
        yield "largest weight", f"{100 * d['largest_weight']:.3g} % of the sum"
        yield "mean of Delta S over independent networks", f"{d['mean_interaction']:.4g}"
        shown = format_uncertainty(d["log_normalisation"], d["log_normalisation_error"])
        yield "log Z", shown
        yield "quadrature", f"{d['quadrature_nodes']} nodes, error of Delta S below {d['quadrature_error']:.1e}"

    def __str__(self) -> str:
        return "\n".join([self.label, *(f"  {name}: {text}" for name, text in self._rows())])

    def __repr__(self) -> str:
        n, size = len(self.fields), self.effective_sample_size
        return f"<FieldSamples of {self.label}: {n} networks worth {size:.1f} at {len(self.points)} points>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in self._rows())
        return f"<table><caption>{escape(self.label)}</caption>{rows}</table>"
