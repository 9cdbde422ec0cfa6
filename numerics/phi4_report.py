"""Networks, diagrams and the exact oscillator for phi^4 theory in one dimension, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagrams.finite_box import CutoffAction
from diagrams.latex import write_tex
from diagrams.phi4_networks import phi4_net
from diagrams.theory import phi4
from numerics.finite_box import CorrelatorValues, correlator_values
from numerics.oscillator import OscillatorCorrelators, oscillator_correlators
from numerics.phi4 import WidthStudy, width_study
from numerics.results import format_uncertainty

Floats = NDArray[np.float64]

MAX_PULL = 5.0


@dataclass(frozen=True, eq=False)
class Phi4Result:
    """Three routes to the two-point function of phi^4 theory in one dimension, on the same pairs of points."""

    theory: CutoffAction
    study: WidthStudy
    diagrams: CorrelatorValues
    exact: OscillatorCorrelators

    @property
    def pulls(self) -> Floats:
        """Pulls of the networks at infinite width against the oscillator."""
        return self.study.pulls(self.exact.values(2))

    @property
    def agrees(self) -> bool:
        """True if all pulls are below 5."""
        return bool(np.abs(self.pulls).max() < MAX_PULL)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row for each pair of points."""
        pairs = self.study.indices
        by_order = [self.diagrams.through(k)[tuple(pairs.T)] for k in range(3)]
        times = self.study.points[:, 0]
        return [
            {
                "points": [float(times[a]), float(times[b])],
                "free": float(by_order[0][i]),
                "first_order": float(by_order[1][i]),
                "second_order": float(by_order[2][i]),
                "exact": float(self.exact.values(2)[i]),
                "networks": float(self.study.limit[i]),
                "error": float(self.study.limit_errors[i]),
                "pull": float(self.pulls[i]),
            }
            for i, (a, b) in enumerate(pairs)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        widths = [
            {
                "width": n,
                "values": self.study.values[i].tolist(),
                "errors": self.study.errors[i].tolist(),
                "effective_fraction": self.study.diagnostics[i]["fraction"],
            }
            for i, n in enumerate(self.study.widths)
        ]
        return {
            "theory": str(self.theory),
            "agree": self.agrees,
            "max_pull": float(np.abs(self.pulls).max()),
            "quadrature_error": self.diagrams.quadrature_error,
            "oscillator": str(self.exact),
            "widths": widths,
            "rows": self.rows,
        }

    def __str__(self) -> str:
        lines = [str(self.theory), f"diagrams: {self.diagrams}", str(self.exact), ""]
        for n, found, how in zip(self.study.widths, self.study.diagnostics, self.study.samplers, strict=True):
            way = "reweighted" if how == "parts" else f"of {how}"
            lines.append(
                f"N = {n}: {found['n_nets']} networks {way}, worth {100 * found['fraction']:.1f} % of that number"
            )
        lines.append(
            f"{'points':>12} {'free':>9} {'order 1':>9} {'order 2':>9} {'exact':>9} {'networks':>14} {'pull':>6}"
        )
        for r in self.rows:
            points = f"{r['points'][0]:g}, {r['points'][1]:g}"
            shown = format_uncertainty(r["networks"], r["error"])
            numbers = " ".join(f"{r[k]:>9.6f}" for k in ("free", "first_order", "second_order", "exact"))
            lines.append(f"{points:>12} {numbers} {shown:>14} {r['pull']:>6.2f}")
        return "\n".join(lines)


def run_phi4(
    *,
    mass: float = 1.0,
    coupling: float = 1.0,
    cutoff: float = 10.0,
    box: float = 8.0,
    points: tuple[float, ...] = (0.0, 0.5, 1.0),
    n_nets: dict[int, int] | None = None,
    sampler: str = "auto",
    seed: int = 1,
) -> Phi4Result:
    """Return networks, diagrams and the oscillator for one theory, with progress on standard error."""
    x = np.array(points, dtype=np.float64)[:, None]
    theory = phi4(mass=mass, coupling=coupling, cutoff=cutoff, box=box)
    assert isinstance(theory, CutoffAction)
    exact = oscillator_correlators(x, mass=mass, coupling=coupling, box=box, cutoff=cutoff, max_points=2)
    perturbative = correlator_values(theory.correlator(legs=2, order=2), x)  # type: ignore[arg-type]
    net = phi4_net(mass=mass, coupling=coupling, cutoff=cutoff, box=box)
    sizes = n_nets or {200: 20_000, 800: 20_000}
    study = width_study(net, x, n_nets=sizes, method=sampler, seed=seed, progress=True)
    return Phi4Result(theory, study, perturbative, exact)


def plot_two_point(result: Phi4Result, path: Path) -> Path:
    """Write a plot of the two-point function from the first point, with all routes and the pulls of the networks."""
    from matplotlib.figure import Figure

    study, start = result.study, result.study.points[0, 0]
    reach = 1.05 * float(np.abs(study.points[:, 0] - start).max() or 1.0)
    side = 1.0 if study.points[:, 0].mean() >= start else -1.0
    line = (start + side * np.linspace(0, reach, 90))[:, None]
    theory = result.theory
    curves = correlator_values(theory.correlator(legs=2, order=2), line)  # type: ignore[arg-type]
    (_, coupling) = theory.values[0]
    exact = oscillator_correlators(
        line,
        mass=float(theory.mass),
        coupling=float(coupling),
        box=float(theory.region.length),  # type: ignore[attr-defined]
        cutoff=float(theory.cutoff),
        max_points=2,
    )
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    gaps = np.abs(line[:, 0] - start)
    for k, (label, style) in enumerate((("free", ":"), ("first order", "--"), ("second order", "-."))):
        top.plot(gaps, curves.through(k)[0], style, color="0.55", label=label)
    top.plot(gaps, exact.values(2)[: len(line)], color="C0", label="oscillator (exact)")
    here = study.indices[:, 0] == 0
    places = np.abs(study.points[study.indices[here, 1], 0] - start)
    top.errorbar(
        places,
        study.limit[here],
        study.limit_errors[here],
        fmt="o",
        ms=4,
        capsize=3,
        color="C3",
        label=r"networks, $N \to \infty$",
    )
    later = "t" if start == 0 else f"{start:g} {'+' if side > 0 else '-'} t"
    top.set_ylabel(rf"$\langle \phi({start:g})\, \phi({later}) \rangle$")
    top.legend(frameon=False)
    bottom.axhspan(-1, 1, color="0.92")
    bottom.axhline(0, color="C0", lw=1)
    bottom.plot(places, result.pulls[here], "o", ms=4, color="C3")
    limit = max(3.0, 1.2 * float(np.abs(result.pulls[here]).max()))
    bottom.set(ylim=(-limit, limit), xlabel="$t$", ylabel="pull")
    figure.savefig(path, dpi=150)
    return path


def write_results(result: Phi4Result, out: Path) -> list[Path]:
    """Write the plot, the LaTeX of theory, correlator and diagrams, and the table; returns the paths."""
    out.mkdir(parents=True, exist_ok=True)
    series = result.theory.correlator(legs=2, order=2)
    title = r"$\phi^4$ theory in a finite region: the two-point function"
    tex = write_tex(out / "phi4.tex", result.theory, series, series.diagrams, title=title)
    table = out / "phi4.txt"
    table.write_text(str(result) + "\n")
    return [plot_two_point(result, out / "two_point.png"), tex, table]
