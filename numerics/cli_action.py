"""The command ``nnft action``: the action of a network ensemble from its connected correlators."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numerics.cli_options import HelpWithExamples, add_network, add_results, guarded, network, tell_written

if TYPE_CHECKING:
    from diagrams.theory import Action

_POINTS_SHOWN = 4  # beyond them correlators fill pages
_EXAMPLE = """examples:
  nnft action --net cos --order 2
  nnft action --net relu --order 1 --latex
  nnft action --net gauss --dim 2 --order 2 --out gauss_action"""


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``action``."""
    parser = commands.add_parser(
        "action",
        help="the action of a network ensemble, order by order in 1/N",
        description="Derive the connected correlators of a network ensemble exactly in its width N, and from them its "
        "action with diagrams whose vertices are connected correlators and whose propagator is minus the inverse "
        "two-point function. --out writes a LaTeX document with every term beside its diagram, and correlators up "
        "to four points.",
        epilog=_EXAMPLE,
        formatter_class=HelpWithExamples,
    )
    add_network(parser)
    parser.add_argument("--order", type=int, default=1, help="through this power of 1/N (default: 1)")
    parser.add_argument("--latex", action="store_true", help="print LaTeX in place of text")
    parser.add_argument("--terms-per-line", type=int, default=2, help="terms on a line of LaTeX (default: 2)")
    add_results(parser, "the LaTeX document, the diagrams, and the PDF where pdflatex is installed")
    parser.set_defaults(run=guarded("action", _run))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.order < 1:
        raise ValueError(f"--order must be >= 1, got {arguments.order}: at order 0 every network is a Gaussian process")
    net = network(arguments)
    correlators = net.connected_correlators(max_points=2 * arguments.order + 2)
    action = correlators.action(order=arguments.order)
    if arguments.out is not None:
        tell_written(_write(arguments.out, net, correlators, action))
    if arguments.json:
        print(json.dumps(_as_dict(net, correlators, action, arguments.order), indent=1))
    elif arguments.latex:
        print(action.to_latex(terms_per_line=arguments.terms_per_line))
    else:
        print(f"{net}: its action through O(N^-{arguments.order})\n\n{action.to_text()}")
    return 0


def _as_dict(net: Any, correlators: Any, action: Action, order: int) -> dict[str, Any]:
    from diagrams.latex import plain_text

    def shown(series: Any) -> dict[str, str]:
        return {series.power_text(key): plain_text(expr) for key, expr in series.terms}

    return {
        "net": str(net),
        "order": order,
        "text": action.to_text(),
        "latex": action.to_latex(),
        "couplings": {str(n): shown(series) for n, series in action.couplings},
        "n_diagrams": {str(n): len(series.diagrams) for n, series in action.couplings},
        "connected_correlators": {str(n): plain_text(correlators[n].expr) for n in (2, 4)},
    }


def _write(out: Path, net: Any, correlators: Any, action: Action) -> list[Path]:
    from diagrams.latex import write_tex
    from numerics.demo import compile_pdf

    out.mkdir(parents=True, exist_ok=True)
    parts: list[Any] = [net, action]
    written = []
    for n, series in action.couplings:
        parts += [rf"\subsection*{{Coupling $g_{n}$, each term beside its diagram}}", series]
        written.append(series.diagrams.write_svg(out / f"diagrams_g{n}.svg"))
    shown = [n for n in correlators if n <= _POINTS_SHOWN and (n % 2 == 0 or not net.is_even)]
    parts += [r"\subsection*{Connected correlators, exact in $N$}", *(correlators[n] for n in shown)]
    tex = write_tex(out / "action.tex", *parts, title="The action of a network ensemble", diagrams=True)
    pdf = compile_pdf(tex)
    if pdf is None:
        print("pdflatex was not found: no PDF", file=sys.stderr)
    return [tex, *written, *([pdf] if pdf else [])]
