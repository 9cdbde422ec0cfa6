"""What arXiv:2008.08601 says about networks and effective theory, as numbers: exact, measured on networks, pull."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np
import sympy

from diagrams import network, symbol
from diagrams.distributions import Gaussian
from numerics.coupling_fits import extract_couplings
from numerics.ensemble import Ensemble
from numerics.falloff import FallOff, fall_off
from numerics.natural_couplings import naturalness
from numerics.published import published_inputs, published_net
from numerics.results import format_uncertainty
from numerics.rg import rg_flow
from numerics.six_point import SixPointPrediction, six_point_prediction

MAX_PULL = 4.0
_SHORT = (10, 20, 50, 100)  # widths of slopes
_CUTOFFS = (7.0, 20.0, 100.0, 1e3, 1e4)


@dataclass(frozen=True)
class EFTClaim:
    """A number that a claim is about.

    Parameters
    ----------
    name : str
        "B1" to "B7".
    statement, quantity : str
    exact, measured, error : float
        ``error`` is a standard error, or zero where the measurement is itself exact.
    tolerance : float
        Relative deviation that is allowed where there is no standard error.
    """

    name: str
    statement: str
    quantity: str
    exact: float
    measured: float
    error: float
    tolerance: float = 1e-6

    @property
    def pull(self) -> float:
        """(measured - exact) / error; nan without an error."""
        return (self.measured - self.exact) / self.error if self.error > 0 else float("nan")

    @property
    def holds(self) -> bool:
        """True if the pull is below 4, or without an error the deviation below the tolerance."""
        if self.error > 0:
            return abs(self.pull) < MAX_PULL
        return abs(self.measured - self.exact) <= self.tolerance * max(1.0, abs(self.exact))

    @property
    def _cells(self) -> tuple[str, ...]:
        shown = format_uncertainty(self.measured, self.error) if self.error > 0 else f"{self.measured:.7g}"
        pull = f"{self.pull:+.2f}" if self.error > 0 else ""
        return self.name, self.statement, self.quantity, f"{self.exact:.6g}", shown, pull, "" if self.holds else "FAILS"


@dataclass(frozen=True, eq=False)
class EFTClaims:
    """The claims with their numbers; shows itself as a table.

    Parameters
    ----------
    rows : tuple of EFTClaim
    """

    rows: tuple[EFTClaim, ...]

    def __iter__(self) -> Iterator[EFTClaim]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def hold(self) -> bool:
        """True if all of them hold."""
        return all(row.holds for row in self.rows)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return plain dictionaries."""
        return [{**asdict(row), "pull": row.pull, "holds": row.holds} for row in self.rows]

    def __str__(self) -> str:
        lines = [("", "claim", "quantity", "exact", "measured", "pull", ""), *(row._cells for row in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(7)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{c}</th>" for c in ("", "claim", "quantity", "exact", "measured", "pull", ""))
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row._cells) + "</tr>" for row in self.rows
        )
        return f"<table><tr>{head}</tr>{body}</table>"


def eft_claims(
    *, n_nets: int = 200_000, seed: int = 0, falloff: FallOff | None = None, sixpoint: SixPointPrediction | None = None
) -> EFTClaims:
    """Return the claims B1 to B7 with numbers measured on sampled networks.

    Parameters
    ----------
    n_nets : int
        Networks at each width; five times as many for the six-point function. Their output weights are integrated
        analytically where tails would be heavy (``method="conditional"``).
    seed : int
    falloff : FallOff, optional
        Of the ReLU-net, if it is there already.
    sixpoint : SixPointPrediction, optional
        Of the ReLU-net at N = 20, measured.
    """
    relu, x = published_net("relu"), published_inputs("relu")
    fall = fall_off(relu, x, _SHORT, n_nets=n_nets, seed=seed, method="conditional") if falloff is None else falloff
    six = _sixpoint(5 * n_nets, seed) if sixpoint is None else sixpoint
    parts: tuple[Callable[[], list[EFTClaim]], ...] = (
        lambda: _fall_off_claims(fall),
        lambda: _six_point_claims(six),
        lambda: _running_claims(n_nets, seed),
        lambda: _naturalness_claims(n_nets, seed),
        lambda: _general_claims(n_nets, seed),
    )
    return EFTClaims(tuple(claim for part in parts for claim in part()))


def _sixpoint(n_nets: int, seed: int) -> SixPointPrediction:
    net, x = published_net("relu", width=20), published_inputs("relu")
    measured = Ensemble(net, n_nets=n_nets, seed=seed).connected_correlators(x, max_points=6, method="conditional")
    return six_point_prediction(extract_couplings(net, measured, cutoff=100.0), measured)


def _fall_off_claims(fall: FallOff) -> list[EFTClaim]:
    weights = 1 / fall.errors["2"] ** 2
    two = float(weights @ fall.measured["2"] / weights.sum())
    claims = [
        EFTClaim(
            "B1", "G2 = K at every width", "relative deviation, all widths", 0.0, two, float(weights.sum() ** -0.5)
        )
    ]
    for series, law in (("4", "m_4 ~ 1/N"), ("6", "m_6 ~ 1/N"), ("6c", "connected 6-pt ~ 1/N^2")):
        if fall.seen(series).sum() > 1:
            value, error = fall.slope(series)
            claims.append(EFTClaim("B2", law, "slope in log N", fall.exact_slope(series), value, error))
    return claims


def _six_point_claims(six: SixPointPrediction) -> list[EFTClaim]:
    exact = six_point_prediction(extract_couplings(six.fit.net, six.points, cutoff=six.fit.cutoff))
    claims = []
    for level, name in (("gp", "GP / G6"), ("lambda", "(GP + lambda) / G6")):
        value, error = six.mean_ratio(level)
        statement = "lambda of 4 points predicts 6 points"
        claims.append(EFTClaim("B3", statement, f"{name} at N = 20", exact.mean_ratio(level)[0], value, error))
    return claims


def _running_claims(n_nets: int, seed: int) -> list[EFTClaim]:
    claims = []
    for dim in (1, 2, 3):
        net, x = published_net("relu", dim, width=20), published_inputs("relu", dim)
        flow = rg_flow(net, x)
        claims.append(EFTClaim("B4", f"ReLU coupling ~ cutoff^-(d+4), d = {dim}", "slope, exact correlators",
                               flow.expected_slope, flow.slope, 0.0))  # fmt: skip
    net, x = published_net("relu", width=20), published_inputs("relu")
    several = [
        Ensemble(net, n_nets=n_nets, seed=np.random.SeedSequence(seed, spawn_key=(4, k))).connected_correlators(x)
        for k in range(len(_CUTOFFS))
    ]
    measured = rg_flow(net, several, _CUTOFFS)
    claims.append(EFTClaim("B4", "the same with networks of their own at each cutoff", "slope", -5.0,
                           measured.slope, measured.slope_error))  # fmt: skip
    return claims


def _naturalness_claims(n_nets: int, seed: int) -> list[EFTClaim]:
    net, x = published_net("gauss", width=1000), published_inputs("gauss")
    exact = naturalness(net, x, cutoff=float("inf"))
    ensemble = Ensemble(net, n_nets=n_nets, seed=np.random.SeedSequence(seed, spawn_key=(5,)))
    measured = ensemble.connected_correlators(x, method="neuron", sampling="importance")
    tensor = naturalness(net, measured, cutoff=float("inf")).tensor
    return [
        EFTClaim(
            "B5", "Gauss-net coupling nearly constant", "mean lambda", exact.tensor.mean, tensor.mean, tensor.mean_error
        ),
        EFTClaim(
            "B5", f"verdict: {exact.verdict}", "spread over inputs below 0.01", 0.0, exact.tensor.spread, 0.0, 0.01
        ),
    ]


def _general_claims(n_nets: int, seed: int) -> list[EFTClaim]:
    """Return B6 for a net of one's own, and B7."""
    w, b, x = symbol("w"), symbol("b"), symbol("x")
    net = network(sympy.tanh(w * x + b), parameters={w: Gaussian(1), b: Gaussian(1)}, point=x).at(sigma_w1=1)
    fall = fall_off(net, published_inputs("relu"), (2, 4, 8), n_nets=n_nets, seed=seed + 6, method="neuron")
    value, error = fall.slope("4")
    claims = [EFTClaim("B6", "any architecture with a GP limit: tanh-net", "slope of m_4", -1.0, value, error)]
    points = published_inputs("relu")
    for width in (20, 1000):
        wide = published_net("relu", width=width)
        six = six_point_prediction(extract_couplings(wide, points, cutoff=100.0))
        quantity = f"GP / G6 at N = {width}"
        claims.append(EFTClaim("B7", "wide networks need no couplings", quantity, _gp_part(width),
                               six.mean_ratio("gp")[0], 0.0, 1e-9))  # fmt: skip
    return claims


def _gp_part(width: int) -> float:
    """Return 15 k2^3 over E[Y^6] for the ReLU-net in one dimension: k2 = 1/2, k4 = 15/(4 N), k6 = 165/(2 N^2)."""
    return (15 / 8) / (15 / 8 + 15 * 15 / (8 * width) + 165 / (2 * width**2))
