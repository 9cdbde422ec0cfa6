"""The demonstration behind ``nnft demo``: derive the Cos-net action, show it, check it on sampled networks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diagrams.architectures import Architecture, cos_net
from diagrams.collection import Diagrams
from diagrams.correlators import ConnectedCorrelators
from diagrams.latex import plain_text, write_tex
from diagrams.series import Series
from diagrams.theory import Action
from diagrams.typing import Expr
from numerics.compare import Comparison, compare
from numerics.ensemble import Ensemble
from numerics.plot import save_comparisons
from numerics.point_action import point_action
from numerics.schwinger_dyson import SchwingerDyson, schwinger_dyson_test

WIDTHS = {5: 4_000_000, 20: 16_000_000, 100: 8_000_000}  # networks for each width N
IDENTITY_WIDTH, IDENTITY_NETS = 40, 2_000_000
MAX_PULL = 5.0
SABOTAGE = {"sign": -1, "factor": 2}


@dataclass(frozen=True)
class Sabotaged:
    """An architecture whose connected 4-point function carries a wrong factor: the check must notice."""

    architecture: Architecture
    factor: int

    def __str__(self) -> str:
        return f"{self.architecture} with G_c4 times {self.factor}"

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return self.architecture.input_dim

    @property
    def width(self) -> Expr:
        """Number of neurons."""
        return self.architecture.width

    @property
    def is_even(self) -> bool:
        """True if odd correlators vanish."""
        return self.architecture.is_even

    @property
    def is_dimension_explicit(self) -> bool:
        """True if correlators are functions of coordinates."""
        return self.architecture.is_dimension_explicit

    def correlator_series(self, n: int) -> Series:
        """Return the n-point function, wrong for n = 4."""
        series = self.architecture.correlator_series(n)
        return series * self.factor if n == 4 else series


def run_demo(*, out: Path, seed: int, scale: float, sabotage: str | None, as_json: bool) -> int:
    """Run the demonstration; returns 0 if theory and networks agree, else 1.

    Parameters
    ----------
    out : Path
        Folder for the LaTeX, the diagrams, the table and the plot (made if needed).
    seed : int
    scale : float
        Factor on the number of networks.
    sabotage : {"sign", "factor"}, optional
        Multiply the predicted connected 4-point function by -1 or 2.
    as_json : bool
        Print the numbers as JSON on standard output; text then goes to standard error.
    """
    say: Callable[[str], None] = (lambda text: print(text, file=sys.stderr)) if as_json else print
    out.mkdir(parents=True, exist_ok=True)
    net = cos_net(input_dim=1)
    correlators = net.connected_correlators(max_points=6)
    action = correlators.action(order=2)
    say(_action_report(correlators, action))
    written = _write_documents(out, net, correlators, action)
    say("\nSampling networks ...")
    comparisons = [_check(net, n, round(n_nets * scale), seed, sabotage) for n, n_nets in WIDTHS.items()]
    identities = _identities(net.at(N=IDENTITY_WIDTH, **_VALUES), round(IDENTITY_NETS * scale), seed)
    report = _check_report(comparisons, identities)
    say(report)
    (out / "comparison.txt").write_text("\n\n".join(c.to_text(rows=None) for c in comparisons) + "\n", encoding="utf-8")
    titles = [f"Cos-net, N = {n}" for n in WIDTHS]
    written += [out / "comparison.txt", save_comparisons(comparisons, out / "comparison.png", titles=titles)]
    agree = all(c.is_compatible(max_pull=MAX_PULL) for c in comparisons)
    say("\nwritten: " + ", ".join(str(p) for p in written))
    if as_json:
        print(json.dumps({"agree": agree, "comparisons": [c.to_dict() for c in comparisons]}, indent=1))
    say(_verdict(comparisons, agree, sabotage))
    return 0 if agree else 1


_VALUES: dict[str, Any] = {"sigma_w0": 1, "sigma_w1": 1}
_POINTS = np.linspace(-1, 1, 6)[:, None]


def _check(net: Architecture, width: int, n_nets: int, seed: int, sabotage: str | None) -> Comparison:
    numeric = net.at(N=width, **_VALUES)
    measured = Ensemble(numeric, n_nets=n_nets, seed=seed).connected_correlators(_POINTS, max_points=4, progress=True)
    if sabotage is None:
        return compare(numeric, measured)
    return compare(ConnectedCorrelators(Sabotaged(numeric, SABOTAGE[sabotage]), max_points=4), measured)


def _identities(net: Architecture, n_nets: int, seed: int) -> list[SchwingerDyson]:
    """Test the Gaussian and the reconstructed actions on the same networks."""
    ensemble = Ensemble(net, n_nets=n_nets, seed=seed + 1)
    return [schwinger_dyson_test(point_action(net, _POINTS[1::3], order=k), ensemble) for k in (0, 1, 2)]


def _action_report(correlators: ConnectedCorrelators, action: Action) -> str:
    lines = ["Cos-net: phi(x) = sum_i W1_i cos(W0_i x + b0_i), its action through O(1/N^2)", "", action.to_text(), ""]
    lines.append("with the connected correlators, exact in N:")
    for n in (2, 4):
        lines.append(f"  G_c{n} = {plain_text(correlators[n].expr)}")
    n_terms = len(correlators[6].expr.expand().args)
    lines.append(f"  G_c6 = {n_terms} terms of order 1/N^2, see cos_net_action.tex")
    n_diagrams = sum(d.multiplicity for n, s in action.couplings for d in s.diagrams)
    lines.append(
        f"({n_diagrams} labelled diagrams, {sum(len(s.diagrams) for _, s in action.couplings)} up to leg order)"
    )
    return "\n".join(lines)


def _write_documents(out: Path, net: Architecture, correlators: ConnectedCorrelators, action: Action) -> list[Path]:
    parts: list[Any] = [net, correlators[2], correlators[4], action]
    for n, series in action.couplings:
        parts += [rf"\subsection*{{Coupling $g_{n}$ and its diagrams}}", series, series.diagrams]
    parts += [r"\subsection*{The 6-point correlator}", correlators[6]]
    tex = write_tex(out / "cos_net_action.tex", *parts, title=r"The Cos-net action through $O(1/N^2)$")
    everything = Diagrams.concatenate(series.diagrams for _, series in action.couplings)
    written = [tex, everything.write_svg(out / "diagrams.svg")]
    pdf = compile_pdf(tex)
    return written + ([pdf] if pdf else [])


def compile_pdf(tex: Path) -> Path | None:
    """Compile a document with pdflatex; returns the PDF beside it, or None if pdflatex is not installed.

    Raises
    ------
    RuntimeError
        If pdflatex reports an error.
    """
    program = shutil.which("pdflatex")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as work:
        command = [program, "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={work}", str(tex)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise RuntimeError(f"pdflatex failed on {tex}:\n{done.stdout[-1500:]}")
        return Path(shutil.copy(Path(work) / tex.with_suffix(".pdf").name, tex.with_suffix(".pdf")))


def _check_report(comparisons: list[Comparison], identities: list[SchwingerDyson]) -> str:
    lines = [""]
    for comparison in comparisons:
        lines += [comparison.to_text(rows=3), ""]
    lines.append(
        f"Schwinger-Dyson identities at two points, N = {IDENTITY_WIDTH}: E[phi_i phi_j phi_k dS/dphi_l] - (pairings)\n"
        "  an action through N^-k violates them at order N^-(k+1)"
    )
    for identity in identities:
        kind = "Gaussian action" if identity.order == 0 else f"action through N^-{identity.order}"
        lines.append(f"  {kind:<22} most significant violation {identity.describe_most_significant(3)}")
    return "\n".join(lines)


def _verdict(comparisons: list[Comparison], agree: bool, sabotage: str | None) -> str:
    worst = max(comparisons, key=lambda c: c.max_pull)
    note = f" (theory sabotaged on purpose: wrong {sabotage} of G_c4)" if sabotage else ""
    total = sum(c.measured.n_nets for c in comparisons)
    if agree:
        verdict = f"VERDICT: PASS - theory and {total:,} networks agree"
        return f"{verdict}, largest pull {worst.max_pull:.2f} < {MAX_PULL:g}{note}"
    return f"VERDICT: FAIL - theory and networks disagree: {worst.label} has a pull of {worst.max_pull:.1f}{note}"
