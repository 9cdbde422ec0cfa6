"""Connected 4-point function of phi^4 networks at strong coupling, and with a Gaussian weight, against the oscillator.

Mass 1, cutoff 10, d = 1, all components at three points. Chains over the parameters at lambda >= 5 (Hamiltonian Monte
Carlo, the better of plain averages and integration by parts for every component), independent networks by parts at
lambda = 1; three widths, extrapolated in 1/N. Errors are statistical. The oscillator matches the tadpole of the cutoff;
what that leaves over at first order in the coupling is listed as the size of what the reference may miss. Monte Carlo
of the field at infinite width has the cutoff as it is.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from _record import write

from diagrams import phi4_net
from numerics import field_monte_carlo, oscillator_correlators
from numerics.phi4 import width_study

POINTS = [[-0.5], [0.0], [0.5]]
WIDTHS = (128, 256, 1024)
CASES: list[tuple[float, dict[str, float], str, int]] = [
    (1, {"weight": 1.5}, "parts", 32_000),
    (5, {"box": 8}, "hmc", 128_000),
    (20, {"box": 8}, "hmc", 128_000),
    (100, {"box": 8}, "hmc", 128_000),
]


def row(lam: float, region: dict[str, float], method: str, n_nets: int) -> dict[str, Any]:
    start = time.process_time()
    net = phi4_net(mass=1, cutoff=10, coupling=lam, **region)
    study = width_study(net, POINTS, n_nets=dict.fromkeys(WIDTHS, n_nets), n=4, method=method, seed=5)
    seconds = time.process_time() - start
    exact = oscillator_correlators(POINTS, coupling=lam, cutoff=10, first_order=lam <= 1, **region)
    found: dict[str, Any] = {
        "lambda": lam, **region, "method": method, "widths": list(WIDTHS), "n_nets": n_nets, "cpu_seconds": seconds,
        "effective_fraction": [d["fraction"] for d in study.diagnostics],
    }  # fmt: skip
    for n, part in ((2, study.order(2)), (4, study)):
        spread = np.array([len(set(i)) > 1 for i in part.indices.tolist()])
        pulls = part.pulls(exact.values(n))
        found[f"indices_{n}"] = part.indices.tolist()
        for name, values in (
            ("values", part.limit), ("errors", part.limit_errors), ("exact", exact.values(n)), ("pulls", pulls),
            ("cutoff", exact.cutoff_corrections[n]),
        ):  # fmt: skip
            found[f"{name}_{n}"] = [float(v) for v in values]
        found[f"largest_pull_{n}"] = float(np.abs(pulls).max())
        found[f"largest_pull_of_distinct_{n}"] = float(np.abs(pulls[spread]).max())
        relative = part.limit_errors / np.abs(exact.values(n))
        found[f"relative_errors_{n}"] = [float(q) for q in np.percentile(relative, [0, 50, 100])]
    return found


def modes(lam: float, region: dict[str, float], n_fields: int) -> dict[str, Any]:
    """Monte Carlo of the field itself: infinite width, and the cutoff as it is."""
    start = time.process_time()
    runs = [
        field_monte_carlo(POINTS, coupling=lam, cutoff=10, n_fields=n_fields, seed=seed, **region).correlators()
        for seed in range(4)
    ]
    found: dict[str, Any] = {"lambda": lam, **region, "method": "field Monte Carlo", "n_nets": 4 * n_fields}
    for n in (2, 4):
        weights = np.array([run.errors(n) ** -2.0 for run in runs])
        values = (weights * np.array([run.values(n) for run in runs])).sum(axis=0) / weights.sum(axis=0)
        found |= {f"values_{n}": values.tolist(), f"errors_{n}": (weights.sum(axis=0) ** -0.5).tolist()}
    return found | {"cpu_seconds": time.process_time() - start}


def compared(networks: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the largest pulls of networks against the field."""
    found = {}
    for n in (2, 4):
        values, errors = (np.array([r[f"{name}_{n}"] for r in (networks, fields)]) for name in ("values", "errors"))
        pulls = (values[0] - values[1]) / np.hypot(*errors)
        found[f"largest_pull_of_networks_{n}"] = float(np.abs(pulls).max())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for lam, region, method, n_nets in CASES[: 2 if arguments.quick else None]:
        rows.append(row(lam, region, method, n_nets // 16 if arguments.quick else n_nets))
        if lam > 1:
            fields = modes(lam, region, 50_000 if arguments.quick else 1_000_000)
            rows.append(fields | compared(rows[-1], fields))
        shown = (
            "lambda",
            "cpu_seconds",
            "largest_pull_2",
            "largest_pull_4",
            "relative_errors_2",
            "relative_errors_4",
            "largest_pull_of_networks_2",
            "largest_pull_of_networks_4",
        )
        print([{key: r[key] for key in shown if key in r} for r in rows[-2:]], flush=True)
        path = write(arguments.out, "phi4_four_points", rows, packages=("numpy", "numba", "arviz-stats"))
    print(path)


if __name__ == "__main__":
    main()
