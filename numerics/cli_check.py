"""The command ``nnft check``: exact connected correlators against sampled networks."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from numerics.cli_options import (
    PARAMETERS,
    HelpWithExamples,
    add_network,
    add_results,
    guarded,
    network,
    numbers_for,
    tell_written,
)

if TYPE_CHECKING:
    from numerics.compare import Comparison

MAX_PULL = 5.0
METHODS = ("network", "conditional", "neuron")
BACKENDS = ("numba", "numpy", "cupy")
_EXAMPLE = """examples:
  nnft check --net cos --width 20 --nets 1000000 --points -1 -0.6 -0.2 0.2 0.6 1
  nnft check --net relu --dim 2 --points 0.5,1 1,0.5 --sigma-b0 0.5 --out relu
  nnft check --net erf --method neuron --nets 100000 --json > erf.json"""


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``check``."""
    parser = commands.add_parser(
        "check",
        help="exact correlators against sampled networks",
        description="Compare the exact connected correlators of a network ensemble with sampled networks, component by "
        "component, with pulls and chi^2. Exit status 1 if a component is off by more than five standard errors.",
        epilog=_EXAMPLE,
        formatter_class=HelpWithExamples,
    )
    add_network(parser)
    parser.add_argument("--width", type=int, default=20, help="width N (default: 20)")
    for name in PARAMETERS:
        text = {"w": "standard deviation of weights", "b": "standard deviation of biases"}[name[6]]
        layer = "of the hidden layer" if name.endswith("0") else "of the output (weights: times sqrt N)"
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"{text} {layer} (default: 1)")
    parser.add_argument(
        "--points", nargs="+", default=["-1", "-0.2", "0.6"], metavar="X",
        help="inputs; components joined by commas, as in 0.5,1 (default: -1 -0.2 0.6 in each component)",
    )  # fmt: skip
    parser.add_argument("--max-points", type=int, default=4, help="highest n-point function, 1 to 6 (default: 4)")
    parser.add_argument("--nets", type=int, default=1_000_000, help="networks (default: 1000000)")
    parser.add_argument("--method", choices=METHODS, default="network", help="estimator (default: network)")
    parser.add_argument("--backend", choices=BACKENDS, default="numba", help="where networks run (default: numba)")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64", help="default: float64")
    parser.add_argument("--seed", type=int, default=0, help="seed of the networks (default: 0)")
    parser.add_argument("--checkpoint", type=Path, help="file that keeps finished blocks; the same command goes on")
    parser.add_argument("--rows", type=int, default=12, help="components to print (default: 12)")
    add_results(parser, "the table, a plot with pulls and the estimate as netCDF")
    parser.set_defaults(run=guarded("check", _run))


def _run(arguments: argparse.Namespace) -> int:
    from numerics.compare import compare
    from numerics.ensemble import Ensemble

    symbolic = network(arguments, output_bias=arguments.sigma_b1 is not None)
    net = symbolic.at(N=arguments.width, **numbers_for(symbolic, {n: getattr(arguments, n) for n in PARAMETERS}))
    ensemble = Ensemble(
        net, n_nets=arguments.nets, seed=arguments.seed, backend=arguments.backend, dtype=arguments.dtype
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        measured = ensemble.connected_correlators(
            _points(arguments.points, arguments.dim),
            max_points=arguments.max_points,
            method=arguments.method,
            checkpoint=arguments.checkpoint,
            progress=sys.stderr.isatty(),
        )
        result = compare(net, measured)
    notes = list(dict.fromkeys(str(w.message) for w in caught))
    if arguments.out is not None:
        tell_written(_write(result, str(net), arguments.out))
    agree = result.is_compatible(max_pull=MAX_PULL)
    if arguments.json:
        print(json.dumps({"net": str(net), "agree": agree, **result.to_dict(), "notes": notes}, indent=1))
    else:
        print("\n".join([result.to_text(rows=arguments.rows), *(f"note: {note}" for note in notes)]))
    verdict = f"VERDICT: {'PASS' if agree else 'FAIL'} - largest pull {result.max_pull:.2f}"
    print(verdict, file=sys.stderr if arguments.json else sys.stdout)
    return 0 if agree else 1


def _points(texts: list[str], dim: int) -> list[list[float]]:
    """Return the points as rows; a single number stands for a point with equal components."""
    rows = []
    for text in texts:
        try:
            row = [float(part) for part in text.split(",")]
        except ValueError:
            raise ValueError(f"--points takes numbers, joined by commas for several components, got {text!r}") from None
        row = row * dim if len(row) == 1 else row
        if len(row) != dim:
            raise ValueError(f"the point {text!r} has {len(row)} components, --dim says {dim}")
        rows.append(row)
    return rows


def _write(result: Comparison, net: str, out: Path) -> list[Path]:
    from numerics.plot import save_comparisons

    out.mkdir(parents=True, exist_ok=True)
    table, data = out / "comparison.txt", out / "comparison.json"
    table.write_text(result.to_text(rows=None) + "\n", encoding="utf-8")
    data.write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    plot = save_comparisons([result], out / "comparison.png", titles=[net], n=max(result.orders))
    return [table, data, plot, result.measured.save(out / "estimate.nc")]
