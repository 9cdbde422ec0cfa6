"""The command ``nnft symmetry``: proofs from the density of the parameters, tests on networks, claims."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from numerics.cli_options import add_network, guarded, network

GROUPS = ("O", "SO", "U", "SU", "Sp", "S", "T", "E")
_EXAMPLE = "example: nnft symmetry prove --net gauss --group T"


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``symmetry``."""
    parser = commands.add_parser(
        "symmetry",
        help="symmetries of networks: proofs, tests, claims",
        description="Symmetries of all n-point functions (arXiv:2106.00694): proved from the density of the "
        "parameters, tested on sampled outputs, and the claims C1, C2, C3 and C6 with verdicts.",
        epilog=_EXAMPLE,
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    prove = kinds.add_parser(
        "prove",
        help="prove or disprove a symmetry of all n-point functions",
        description="Prove a symmetry from the density of the parameters, or show the first n-point function that "
        "breaks it. Exit status 0 if it holds at every width, 1 if it is broken, 3 if it is not decided.",
        epilog=_EXAMPLE,
    )
    test = kinds.add_parser(
        "test",
        help="test a symmetry of the outputs of sampled networks",
        description="Test a symmetry of the outputs of sampled networks. Exit status 1 if it is broken by five "
        "standard deviations.",
        epilog="example: nnft symmetry test --net gauss --outputs 5 --group SO --width 50",
    )
    claims = kinds.add_parser(
        "claims",
        help="the claims C1, C2, C3 and C6 with verdicts",
        description="Measure the claims. Exit status 1 if one fails.",
    )
    for kind in (prove, test):
        add_network(kind)
        kind.add_argument("--outputs", type=int, default=1, help="number of outputs (default: 1)")
        kind.add_argument("--group", choices=GROUPS, required=True,
                          help="orthogonal, unitary, symplectic, permutations, translations, Euclidean")  # fmt: skip
    prove.add_argument("--on", help="what the group acts on: inputs, outputs, or parameters of a neuron: W0, b0, W1 "
                       "(default: inputs or outputs, as it fits)")  # fmt: skip
    test.add_argument("--width", type=int, default=20, help="width (default: 20)")
    test.add_argument("--mean", type=float, default=0.0, help="mean of the output weights, which breaks symmetries")
    test.add_argument("--shifted", type=int, help="how many outputs have weights with that mean (default: all)")
    for kind in (test, claims):
        kind.add_argument("--nets", type=int, default=4000, help="networks (default: 4000)")
        kind.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    for kind, run in ((prove, _prove), (test, _test), (claims, _claims)):
        kind.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
        kind.set_defaults(run=guarded("symmetry", run))


def _group(name: str, size: int) -> Any:
    from diagrams import groups

    if name in ("U", "SU", "Sp"):
        if size % 2 or (name == "Sp" and size % 4):
            needed = "a multiple of 4" if name == "Sp" else "even"
            raise ValueError(f"{name} acts on real and imaginary parts: their number must be {needed}, got {size}")
        return groups.Symplectic(size // 4) if name == "Sp" else groups.Unitary(size // 2, special=name == "SU")
    made: dict[str, Any] = {"S": groups.Permutation, "T": groups.Translation, "E": groups.Euclidean}
    return made[name](size) if name in made else groups.Orthogonal(size, special=name == "SO")


def _size(arguments: argparse.Namespace, net: Any) -> int:
    """Return the number of components that the group acts on."""
    from diagrams._parameter_space import parameter_names

    names = parameter_names(net)
    if arguments.on in names:
        return len(names[arguments.on])
    inputs = arguments.on == "inputs" or arguments.group in ("T", "E") or arguments.outputs == 1
    return int(arguments.dim if inputs and arguments.on != "outputs" else arguments.outputs)


def _prove(arguments: argparse.Namespace) -> int:
    net = network(arguments, output_dim=arguments.outputs)
    size = _size(arguments, net)
    verdict = net.symmetry(_group(arguments.group, size), acting_on=arguments.on)
    broken = verdict.breaking
    data = {
        "net": str(net),
        "group": str(verdict.group),
        "acting_on": verdict.acting_on,
        "holds": verdict.holds,
        "holds_at_infinite_width": verdict.holds_at_infinite_width,
        "steps": list(verdict.steps),
        "breaking": None if broken is None else str(broken),
    }
    print(json.dumps(data, indent=1) if arguments.json else verdict)
    return {True: 0, False: 1, None: 3}[verdict.holds]


def _test(arguments: argparse.Namespace) -> int:
    import numpy as np
    import sympy

    from numerics.ensemble import Ensemble
    from numerics.symmetry_tests import symmetry_test

    mean = sympy.nsimplify(arguments.mean) * sympy.sqrt(arguments.width)
    shifted = arguments.outputs if arguments.shifted is None else arguments.shifted
    if not 0 <= shifted <= arguments.outputs:
        raise ValueError(f"--shifted must lie between 0 and the {arguments.outputs} outputs, got {shifted}")
    means = [mean] * shifted + [0] * (arguments.outputs - shifted)
    net = network(arguments, output_dim=arguments.outputs, mean_w1=means)
    names = {s.name for s in net.feature.free_symbols} | {"sigma_w1"}
    net = net.at(N=arguments.width, **dict.fromkeys(sorted(names), 1))
    x = 0.01 * np.linspace(-1, 1, 2)[:, None] * np.ones(arguments.dim)
    ensemble = Ensemble(net, n_nets=arguments.nets, seed=arguments.seed)
    found = symmetry_test(ensemble, _group(arguments.group, arguments.outputs), x=x)
    data = {"net": str(net), "group": str(found.group), "holds": found.holds, "n_nets": found.n_nets,
            "seed": arguments.seed, "orders": [asdict(o) for o in found.orders]}  # fmt: skip
    print(json.dumps(data, indent=1) if arguments.json else found)
    return 0 if found.holds else 1


def _claims(arguments: argparse.Namespace) -> int:
    from numerics.duality import duality_claims

    claims = duality_claims(n_nets=arguments.nets, seed=arguments.seed)
    print(json.dumps([asdict(c) for c in claims], indent=1) if arguments.json else "\n".join(map(str, claims)))
    failed = [c.statement for c in claims if not c.holds]
    verdict = "VERDICT: " + ("FAIL - " + "; ".join(failed) if failed else f"PASS - all {len(claims)} claims hold")
    print(verdict, file=sys.stderr if arguments.json else sys.stdout)
    return 1 if failed else 0
