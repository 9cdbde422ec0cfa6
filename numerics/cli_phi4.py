"""The command ``nnft phi4``: networks, diagrams and the exact oscillator for phi^4 theory in one dimension."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

SAMPLERS = ("auto", "parts", "hmc", "pcn")
_EXAMPLE = "example: nnft phi4 --coupling 0.1 --widths 100 400 --nets 20000 --out phi4"


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``phi4``."""
    parser = commands.add_parser(
        "phi4",
        help="phi^4 theory in one dimension: networks, diagrams and the exact oscillator",
        description="Sample phi^4 networks of several widths, extrapolate the two-point function to infinite width and "
        "compare it with the exact oscillator in the same box with the same cutoff, and with perturbation theory. Exit "
        "status 1 if networks and oscillator disagree.",
        epilog=_EXAMPLE,
    )
    for name, default, text in (
        ("mass", 1.0, "mass m"),
        ("coupling", 1.0, "lambda, >= 0"),
        ("cutoff", 10.0, "momentum cutoff"),
        ("box", 8.0, "side of the box in which the field interacts"),
    ):
        parser.add_argument(f"--{name}", type=float, default=default, help=f"{text} (default: {default:g})")
    parser.add_argument("--points", type=float, nargs="+", default=[0.0, 0.5, 1.0], help="points (default: 0 0.5 1)")
    parser.add_argument("--widths", type=int, nargs="+", default=[200, 800], help="widths N (default: 200 800)")
    parser.add_argument("--nets", type=int, default=20_000, help="networks of each width (default: 20000)")
    parser.add_argument(
        "--sampler", choices=SAMPLERS, default="auto", help="independent networks (parts) or chains (default: auto)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the networks (default: 1)")
    parser.add_argument("--out", type=Path, help="folder for a plot, LaTeX and the table")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from numerics.phi4_report import run_phi4, write_results

    try:
        result = run_phi4(
            mass=arguments.mass,
            coupling=arguments.coupling,
            cutoff=arguments.cutoff,
            box=arguments.box,
            points=tuple(arguments.points),
            n_nets=dict.fromkeys(arguments.widths, arguments.nets),
            sampler=arguments.sampler,
            seed=arguments.seed,
        )
    except ValueError as error:
        print(f"nnft phi4: {error}", file=sys.stderr)
        return 2
    if arguments.out is not None:
        written = write_results(result, arguments.out)
        print("written: " + ", ".join(map(str, written)), file=sys.stderr)
    worst = float(abs(result.pulls).max())
    verdict = f"VERDICT: {'PASS' if result.agrees else 'FAIL'} - largest pull against the oscillator {worst:.2f}"
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
        print(verdict, file=sys.stderr)
    else:
        print(f"{result}\n{verdict}")
    return 0 if result.agrees else 1
