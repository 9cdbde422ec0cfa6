"""The command ``nnft fashion``: accuracy on Fashion-MNIST against broken symmetry of the initial density."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

_EXAMPLE = "example: nnft fashion --data fashion-mnist --out fashion"


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``fashion``."""
    parser = commands.add_parser(
        "fashion",
        help="accuracy on Fashion-MNIST against broken symmetry of the initial density",
        description="Train ensembles of networks 784-50-10 whose last layer has the mean mu for k outputs, with "
        "one-hot and one-cold targets; print accuracies and the claims C1 to C6 with verdicts. Finished networks are "
        "kept in --out, and the same command goes on from there. Exit status 1 if a claim fails. Needs the extra "
        "'training'.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--data", type=Path, help="folder with the four IDX files (default: NNFT_DATA)")
    parser.add_argument("--any-files", action="store_true", help="accept files with unknown checksums")
    setting = parser.add_mutually_exclusive_group()
    setting.add_argument(
        "--setting",
        choices=("reduced", "medium", "full"),
        default="reduced",
        help="reduced (default): 6000 images, 3 passes, 125 networks, under a minute; medium: all images, 5 passes, "
        "550 networks, some minutes; full: that of arXiv:2106.00694, all images, 20 passes, 2100 networks, an hour",
    )
    setting.add_argument("--full", dest="setting", action="store_const", const="full", help="--setting full")
    for name, text in (
        ("epochs", "passes through the data"),
        ("train", "training images"),
        ("test", "test images"),
        ("runs", "networks for each point of heat map and scans"),
        ("seed", "seed of the networks"),
    ):
        parser.add_argument(f"--{name}", type=int, help=f"{text} (default: that of the setting)")
    parser.add_argument("--out", type=Path, help="folder for plots, table, JSON and finished networks")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from numerics.checkpoint import CheckpointError
    from numerics.duality import duality_claims
    from numerics.fashion_grid import GridSettings, accuracy_grid
    from numerics.fashion_mnist import load_fashion_mnist
    from numerics.symmetry_claims import training_claims

    try:
        settings = GridSettings.named(arguments.setting)
        given = {"epochs": arguments.epochs, "n_train": arguments.train, "n_test": arguments.test,
                 "runs": arguments.runs, "scan_runs": arguments.runs, "seed": arguments.seed}  # fmt: skip
        settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
        data = load_fashion_mnist(arguments.data, any_files=arguments.any_files)
        grid = accuracy_grid(data, settings, folder=arguments.out)
        claims = sorted([*duality_claims(), *training_claims(grid)], key=lambda claim: claim.name)
    except (ArithmeticError, CheckpointError, FileNotFoundError, ImportError, ValueError) as error:
        print(f"nnft fashion: {error}", file=sys.stderr)
        return 2
    result = {**grid.to_dict(), "claims": [asdict(c) for c in claims]}
    text = "\n".join([str(grid), *map(str, claims)])
    if arguments.out is not None:
        from numerics.fashion_plots import save_plots

        (arguments.out / "fashion.json").write_text(json.dumps(result, indent=1) + "\n")
        (arguments.out / "fashion.txt").write_text(text + "\n")
        print(f"written: {save_plots(grid, arguments.out / 'fashion.png')} and tables", file=sys.stderr)
    failed = [c.statement for c in claims if not c.holds]
    verdict = "VERDICT: " + ("FAIL - " + "; ".join(failed) if failed else f"PASS - all {len(claims)} claims hold")
    print(json.dumps(result, indent=1) if arguments.json else text)
    print(verdict, file=sys.stderr if arguments.json else sys.stdout)
    return 1 if failed else 0
