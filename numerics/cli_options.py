"""Options that several commands of ``nnft`` share: networks, results as JSON or files, errors as exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

NETS = ("cos", "erf", "gauss", "linear", "relu")
PARAMETERS = ("sigma_w0", "sigma_w1", "sigma_b0", "sigma_b1")
_WRONG_USAGE = (ArithmeticError, ImportError, MemoryError, NotImplementedError, OSError, TypeError, ValueError)
Command = Callable[[argparse.Namespace], int]


class HelpWithExamples(argparse.HelpFormatter):
    """Help whose paragraphs are filled, except for those with line breaks of their own, such as lists of examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a network."""
    parser.add_argument("--net", choices=NETS, default="cos", help="network (default: cos)")
    parser.add_argument("--dim", type=int, default=1, help="dimension of inputs (default: 1)")


def add_results(parser: argparse.ArgumentParser, files: str) -> None:
    """Add ``--out`` and ``--json``."""
    parser.add_argument("--out", type=Path, help=f"folder for {files}")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")


def network(arguments: argparse.Namespace, **options: Any) -> Any:
    """Return the network that was asked for, with symbols for its parameters."""
    import diagrams

    return getattr(diagrams, f"{arguments.net}_net")(input_dim=arguments.dim, **options)


def numbers_for(net: Any, given: dict[str, float | None]) -> dict[str, Any]:
    """Return exact numbers for the parameters of a network: as given, else 1.

    Raises
    ------
    ValueError
        If a number is given for a parameter that the network does not have.
    """
    import sympy

    symbols = net.feature.free_symbols | net.readout.free_symbols | net.sigma_b1.free_symbols
    names = sorted(s.name for s in symbols)
    if unknown := sorted(k for k, v in given.items() if v is not None and k not in names):
        options = ", ".join("--" + k.replace("_", "-") for k in unknown)
        raise ValueError(f"{net} has no {', '.join(unknown)}: leave out {options}; it has {', '.join(names)}")
    return {name: sympy.nsimplify(1 if given.get(name) is None else given[name], rational=True) for name in names}


def guarded(name: str, run: Command) -> Command:
    """Return a command that turns wrong usage into a message on standard error and exit status 2."""

    def command(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except BrokenPipeError:  # the reader of our output has gone, see numerics.cli.main
            raise
        except _WRONG_USAGE as error:
            print(f"nnft {name}: {error}", file=sys.stderr)
            return 2

    return command


def tell_written(paths: list[Path]) -> None:
    """Say on standard error which files were written."""
    print("written: " + ", ".join(map(str, paths)), file=sys.stderr)
