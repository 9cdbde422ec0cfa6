"""The ``nnft`` command."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from numerics.backends import BACKENDS, usable_gpu
from numerics.cli_action import add_parser as add_action
from numerics.cli_check import add_parser as add_check
from numerics.cli_enumerate import add_parser as add_enumerate
from numerics.cli_experiment import add_parser as add_experiment
from numerics.cli_fashion import add_parser as add_fashion
from numerics.cli_phi4 import add_parser as add_phi4
from numerics.cli_symmetry import add_parser as add_symmetry

SHELLS = ("bash", "zsh", "fish", "powershell")
_BROKEN_PIPE = 128 + 13  # as a shell reports SIGPIPE
_PACKAGES = ("nnft", "sympy", "networkx", "numpy", "scipy", "numba", "opt_einsum", "xarray", "matplotlib")
_OPTIONAL = ("cupy-cuda12x", "cupy-cuda13x", "distributed", "jax", "optax")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0 fine, 1 a check failed, 2 wrong usage)."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        import argcomplete

        argcomplete.autocomplete(parser)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # as in "nnft ... | head": whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return status


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="nnft", description="Feynman diagrams for neural network field theory: derive actions and check them."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="derive the Cos-net action and check it on sampled networks",
        description="Derive the Cos-net action to O(1/N^2), write LaTeX, diagrams and plots, and compare exact "
        "correlators with sampled networks. Exit status 1 if theory and networks disagree.",
        epilog="example: nnft demo --out out --seed 7",
    )
    demo.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (default: out)")
    demo.add_argument("--seed", type=int, default=2307, help="seed of the networks (default: 2307)")
    demo.add_argument("--scale", type=float, default=1.0, help="factor on the number of networks (default: 1)")
    demo.add_argument(
        "--sabotage", choices=("sign", "factor"), help="put a wrong theory in on purpose; the check must then fail"
    )
    demo.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    demo.set_defaults(run=_demo)
    add_enumerate(commands)
    add_action(commands)
    add_check(commands)
    add_experiment(commands)
    add_fashion(commands)
    add_phi4(commands)
    add_symmetry(commands)
    info = commands.add_parser(
        "info",
        help="versions, backends found, folders of caches",
        description="Versions of the package and its dependencies, backends that work here, folders of caches.",
        epilog="example: nnft info --json",
    )
    info.add_argument("--json", action="store_true", help="print as JSON")
    info.set_defaults(run=_info)
    completion = commands.add_parser(
        "completion",
        help="completion of commands and options for a shell",
        description="Print the script that completes commands and options of nnft in a shell.",
        epilog="example: nnft completion bash >> ~/.bash_completion",
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    completion.set_defaults(run=_completion)
    return parser


def _completion(arguments: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["nnft"], shell=arguments.shell))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from numerics.demo import run_demo

    if not arguments.scale > 0:
        print(f"nnft demo: --scale must be positive, got {arguments.scale}", file=sys.stderr)
        return 2
    if arguments.seed < 0:
        print(f"nnft demo: --seed must be >= 0, got {arguments.seed}", file=sys.stderr)
        return 2
    return run_demo(
        out=arguments.out,
        seed=arguments.seed,
        scale=arguments.scale,
        sabotage=arguments.sabotage,
        as_json=arguments.json,
    )


def collect_info() -> dict[str, Any]:
    """Return versions of the package and its dependencies, and whether each backend can be used."""
    from numerics._codegen import cache_directory

    versions = {name: _version(name) for name in _PACKAGES}
    versions |= {name: v for name in _OPTIONAL if (v := _version(name)) is not None}
    usable = {name: name != "cupy" or usable_gpu() for name in BACKENDS}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": versions,
        "backends": usable,
        "caches": {"generated kernels": str(cache_directory()), "compiled code": compiled_code_directory()},
    }


def compiled_code_directory() -> str:
    """Return the folder in which numba keeps the compiled generator of diagrams."""
    from diagrams._orderly import skeletons

    return str(skeletons.stats.cache_path)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _info(arguments: argparse.Namespace) -> int:
    info = collect_info()
    if arguments.json:
        print(json.dumps(info, indent=2))
        return 0
    print(f"python {info['python']} on {info['machine']}")
    for name, version in info["versions"].items():
        print(f"  {name:<14} {version}")
    for name, place in info["caches"].items():
        print(f"cache of {name}: {place}")
    print("backends: " + ", ".join(f"{name} {'yes' if ok else 'no'}" for name, ok in info["backends"].items()))
    return 0
