"""The command ``nnft experiment``: fall-off, couplings, six-point prediction and running of arXiv:2008.08601."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from importlib import metadata
from math import isfinite
from pathlib import Path
from typing import Any

from numerics.published import COUPLING_CUTOFFS, COUPLING_WIDTHS, NETS, WIDTHS

_ABOUT = {
    "falloff": "deviations of 2, 4 and 6 points from the Gaussian process against the width",
    "couplings": "couplings from measured correlators by generalised least squares, with held-out inputs",
    "sixpoint": "the six-point function predicted from couplings of four fields",
    "rg": "couplings against the cutoff, with slopes and the beta functions",
}
_EXAMPLE = "example: nnft experiment falloff --net relu --nets 1000000 --out falloff"
MAX_PULL = 5.0


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``experiment``."""
    parser = commands.add_parser(
        "experiment",
        help="experiments on the effective field theory of networks",
        description="Run an experiment of arXiv:2008.08601 on the networks and inputs of the paper and compare with "
        "exact values. Exit status 1 if networks and exact values disagree by more than five standard errors.",
        epilog=_EXAMPLE,
    )
    kinds = parser.add_subparsers(required=True, metavar="EXPERIMENT")
    for name, about in _ABOUT.items():
        kind = kinds.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".", epilog=_EXAMPLE)
        kind.add_argument("--net", choices=NETS, default="relu", help="networks (default: relu)")
        kind.add_argument("--dim", type=int, choices=(1, 2, 3), default=1, help="dimension of inputs (default: 1)")
        kind.add_argument("--nets", type=int, default=10**6, help="networks at each width (default: 1000000)")
        kind.add_argument(
            "--method",
            choices=("network", "conditional", "neuron"),
            help="how networks are measured, as in Ensemble.connected_correlators (default: network; neuron with "
            "importance sampling for the Gauss-net)",
        )
        kind.add_argument("--seed", type=int, default=0, help="seed of the networks (default: 0)")
        kind.add_argument("--out", type=Path, help="folder for the plot, a table, JSON and finished blocks")
        kind.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
        if name == "falloff":
            text = f"widths (default: {' '.join(map(str, WIDTHS))})"
            kind.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS), help=text)
        else:
            kind.add_argument("--width", type=int, help="width (default: that of the paper)")
        if name in ("couplings", "sixpoint"):
            kind.add_argument("--cutoff", type=float, help="cutoff of the vertices (default: that of the paper)")
            kind.add_argument("--basis", nargs="+", help='operators (default: "phi^4"), as in extract_couplings')
        kind.set_defaults(run=_run, experiment=name)


def _run(arguments: argparse.Namespace) -> int:
    from numerics.checkpoint import CheckpointError

    name = f"nnft experiment {arguments.experiment}"
    try:
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result, worst = _EXPERIMENTS[arguments.experiment](arguments)
    except (ArithmeticError, CheckpointError, OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    notes = list(dict.fromkeys(str(w.message) for w in caught))
    ran = {"experiment": arguments.experiment, "seed": arguments.seed, "n_nets": arguments.nets, **_method(arguments)}
    data = _finite({**result.to_dict(), **ran, "max_pull": worst, "notes": notes, "nnft": metadata.version("nnft")})
    text = "\n".join([str(result), *(f"note: {note}" for note in notes)])
    if arguments.out is not None:
        _write(result, data, text, arguments.out, arguments.experiment)
    print(json.dumps(data, indent=1) if arguments.json else text)
    passed = worst < MAX_PULL
    verdict = f"VERDICT: {'PASS' if passed else 'FAIL'} - largest pull against exact values {worst:.2f}"
    print(verdict, file=sys.stderr if arguments.json else sys.stdout)
    return 0 if passed else 1


def _finite(value: Any) -> Any:
    """Return plain data with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _write(result: Any, data: dict[str, Any], text: str, out: Path, name: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    (out / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    (out / f"{name}.txt").write_text(text + "\n")
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    result.plot(figure.subplots())
    figure.savefig(out / f"{name}.png", dpi=150)
    print(f"written: {out / name}.png, .txt and .json", file=sys.stderr)


def _networks(arguments: argparse.Namespace) -> tuple[Any, Any]:
    from numerics.published import published_inputs, published_net

    width = COUPLING_WIDTHS[arguments.net] if arguments.width is None else arguments.width
    return published_net(arguments.net, arguments.dim, width=width), published_inputs(arguments.net, arguments.dim)


def _method(arguments: argparse.Namespace) -> dict[str, str]:
    """Return how networks are measured: the lognormal tails of the Gauss-net are out of reach for whole networks."""
    method = arguments.method or ("neuron" if arguments.net == "gauss" else "network")
    if method == "neuron" and arguments.net == "gauss":
        return {"method": method, "sampling": "importance"}
    return {"method": method}


def _measured(arguments: argparse.Namespace, net: Any, x: Any, max_points: int) -> Any:
    from numerics.ensemble import Ensemble

    ensemble = Ensemble(net, n_nets=arguments.nets, seed=arguments.seed)
    options = _method(arguments)
    if arguments.out is not None and "sampling" not in options:
        label = f"{arguments.net}-{arguments.dim}d-N{net.width}-{max_points}pt.blocks"
        options = {**options, "checkpoint": str(arguments.out / label)}
    return ensemble.connected_correlators(x, max_points=max_points, **options)  # type: ignore[arg-type]


def _falloff(arguments: argparse.Namespace) -> tuple[Any, float]:
    from numerics.falloff import fall_off
    from numerics.published import published_inputs, published_net

    net, x = published_net(arguments.net, arguments.dim), published_inputs(arguments.net, arguments.dim)
    options = {**_method(arguments), "folder": arguments.out}
    found = fall_off(net, x, arguments.widths, n_nets=arguments.nets, seed=arguments.seed, **options)
    return found, found.max_pull


def _fit(arguments: argparse.Namespace, max_points: int, basis: tuple[str, ...]) -> tuple[Any, Any, Any]:
    from numerics.coupling_fits import extract_couplings
    from numerics.published import published_inputs

    net, x = _networks(arguments)
    cutoff = COUPLING_CUTOFFS[arguments.net] if arguments.cutoff is None else arguments.cutoff
    measured = _measured(arguments, net, x, max_points)
    test = published_inputs(arguments.net, held_out=True) if arguments.dim == 1 else None
    fit = extract_couplings(net, measured, cutoff=cutoff, basis=arguments.basis or basis, test=test)
    return fit, extract_couplings(net, x, cutoff=cutoff, basis=fit.basis), measured


def _couplings(arguments: argparse.Namespace) -> tuple[Any, float]:
    """Return the fit and the pull of its four-point functions: where operators do not suffice, weights matter."""
    import numpy as np

    from numerics.compare import compare

    basis = tuple(arguments.basis or ("phi^4",))
    fit, _, measured = _fit(arguments, 6 if "phi^6" in basis else 4, basis)
    comparison = compare(fit.net, measured)
    return fit, float(np.abs(comparison.pulls_of(4)).max())


def _sixpoint(arguments: argparse.Namespace) -> tuple[Any, float]:
    from numerics.six_point import six_point_prediction

    fit, exact, measured = _fit(arguments, 6, ("phi^4", "phi^6"))
    found, reference = six_point_prediction(fit, measured), six_point_prediction(exact)
    pulls = []
    for level in ("gp", "lambda"):
        value, error = found.mean_ratio(level)
        pulls.append(abs(value - reference.mean_ratio(level)[0]) / error)
    return found, max(pulls)


def _rg(arguments: argparse.Namespace) -> tuple[Any, float]:
    """Return the flow of measured couplings, and the largest pull of the couplings at the first cutoff."""
    import numpy as np

    from numerics.rg import rg_flow

    net, x = _networks(arguments)
    found, exact = rg_flow(net, _measured(arguments, net, x, 4)), rg_flow(net, x)
    print(net.eft().beta_functions(), file=sys.stderr)
    return found, float(np.abs((found.values - exact.values) / found.errors).max())


_EXPERIMENTS = {"falloff": _falloff, "couplings": _couplings, "sixpoint": _sixpoint, "rg": _rg}
