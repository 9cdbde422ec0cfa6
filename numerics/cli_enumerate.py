"""The command ``nnft enumerate``: Feynman diagrams with their symmetry factors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numerics.cli_options import HelpWithExamples, add_results, guarded, tell_written

if TYPE_CHECKING:
    from diagrams.collection import Diagrams
    from diagrams.graph import FeynmanGraph

MODELS = ("qed", "yukawa", "yukawa-phi4", "complex-phi4", "o-n")
_FILTERS = {
    "1pi": ("one_particle_irreducible", True, "one-particle irreducible"),
    "2pi": ("two_particle_irreducible", True, "two-particle irreducible"),
    "amputated": ("amputated", True, "without corrections of legs"),
    "vertex-2-connected": ("vertex_two_connected", True, "without cut vertices"),
    "planar": ("planar", True, "planar"),
    "no-self-loops": ("self_loops", False, "without lines from a vertex to itself"),
    "no-tadpoles": ("tadpoles", False, "without parts that hang on one line"),
    "disconnected": ("connected", False, "disconnected diagrams too"),
    "free-legs": ("labelled", False, "with exchangeable legs"),
}
_EXAMPLE = """examples:
  nnft enumerate --valences 4 --legs 2 --loops 2
  nnft enumerate --valences 4 6 --legs 4 --loops 3 --1pi --out two_to_two
  nnft enumerate --model qed --external psi 'psi*' --loops 3 --1pi --count"""


def add_parser(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the subcommand ``enumerate``."""
    parser = commands.add_parser(
        "enumerate",
        help="Feynman diagrams with symmetry factors",
        description="Enumerate Feynman diagrams with their symmetry factors, checked against a generating function "
        "where one is known. Prints the number, the exact sum of 1/|Aut| and the first diagrams; --out writes all of "
        "them as LaTeX, SVG and JSON.",
        epilog=_EXAMPLE,
        formatter_class=HelpWithExamples,
    )
    parser.add_argument("--valences", type=int, nargs="+", help="degrees of the vertices of one field (default: 4)")
    parser.add_argument("--legs", type=int, help="number of external legs (default: 2)")
    parser.add_argument("--model", choices=MODELS, help="a model with several fields in place of --valences, --legs")
    parser.add_argument(
        "--external", nargs="*", metavar="FIELD", help="fields of the legs of --model, such as psi psi*"
    )
    parser.add_argument("--loops", type=int, default=1, help="number of loops (default: 1)")
    for option, (_, _, text) in _FILTERS.items():
        parser.add_argument(f"--{option}", action="store_true", dest=option, help=text)
    parser.add_argument("--count", action="store_true", help="only the number and the sum of 1/|Aut|")
    parser.add_argument("--show", type=int, help="diagrams to print (default: 20, with --json all)")
    parser.add_argument("--max-graphs", type=int, default=5_000_000, help="refuse more than this (default: 5000000)")
    add_results(parser, "diagrams as LaTeX, SVG and JSON")
    parser.set_defaults(run=guarded("enumerate", _run))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.show is not None and arguments.show < 0:
        raise ValueError(f"--show must be >= 0, got {arguments.show}")
    options = {name: value for option, (name, value, _) in _FILTERS.items() if getattr(arguments, option)}
    number, weight, found = _counted(arguments, options) if arguments.count else _made(arguments, options)
    if arguments.out is not None:
        if found is None:
            raise ValueError("--count makes no diagrams that --out could write: leave out one of both")
        tell_written(_write(found, arguments.out))
    data = {**_request(arguments, options), "n_diagrams": number, "sum_of_weights": weight}
    if arguments.json:
        shown = [] if found is None else [_as_dict(d) for d in found[: arguments.show]]
        print(json.dumps({**data, "diagrams": shown}, indent=1))
        return 0
    print(f"{number} diagrams" + ("" if weight is None else f", sum of 1/|Aut| = {weight}"))
    if found is not None:
        n_shown = 20 if arguments.show is None else arguments.show
        for i, diagram in enumerate(found[:n_shown]):
            print(f"{i:>4}  {_nickel(diagram) or '':<24} {diagram}")
        if len(found) > n_shown:
            print(f" ... {len(found) - n_shown} more (--show)")
    return 0


def _request(arguments: argparse.Namespace, options: dict[str, Any]) -> dict[str, Any]:
    if arguments.model is None:
        problem: dict[str, Any] = {"valences": arguments.valences or [4], "legs": _n_legs(arguments)}
    else:
        problem = {"model": arguments.model, "external": arguments.external or []}
    return {**problem, "loops": arguments.loops, **options}


def _n_legs(arguments: argparse.Namespace) -> int:
    if arguments.external is not None:
        raise ValueError("--external names fields of --model; with --valences say --legs NUMBER")
    return 2 if arguments.legs is None else arguments.legs


def _model(arguments: argparse.Namespace) -> Any:
    from diagrams import models

    if arguments.valences is not None or arguments.legs is not None:
        raise ValueError(
            "--model has its own vertices and legs: say --external FIELD ... in place of --valences, --legs"
        )
    made = {
        "qed": models.qed,
        "yukawa": models.yukawa,
        "yukawa-phi4": lambda: models.yukawa(phi4=True),
        "complex-phi4": models.complex_phi4,
        "o-n": models.o_n,
    }
    return made[arguments.model]()


def _made(arguments: argparse.Namespace, options: dict[str, Any]) -> tuple[int, str | None, Diagrams | None]:
    common = {"loops": arguments.loops, "max_graphs": arguments.max_graphs, **options}
    if arguments.model is not None:
        found = _model(arguments).diagrams(tuple(arguments.external or ()), **common)
    else:
        from diagrams.generate import enumerate_diagrams

        found = enumerate_diagrams(valences=arguments.valences or (4,), legs=_n_legs(arguments), **common)
    return len(found), str(found.total_weight()), found


def _counted(arguments: argparse.Namespace, options: dict[str, Any]) -> tuple[int, str | None, None]:
    """Return number and sum of weights without making diagrams where a generating function is known."""
    common = {"loops": arguments.loops, **options}
    if arguments.model is not None:
        model, legs = _model(arguments), tuple(arguments.external or ())
        return model.count(legs, **common), None, None
    from diagrams.counting import count_diagrams, total_weight

    if filters := sorted({"two_particle_irreducible", "amputated", "vertex_two_connected", "planar"} & set(options)):
        raise ValueError(f"no generating function is known with {', '.join(filters)}: leave out --count")
    request = {"valences": arguments.valences or (4,), "legs": _n_legs(arguments), **common}
    return count_diagrams(**request), str(total_weight(**request)), None


def _nickel(diagram: FeynmanGraph) -> str | None:
    """Return the Nickel index, None where the notation has none: joined legs, several fields, many vertices."""
    from diagrams.nickel import VERTEX_CHARACTERS

    joined = any(max(edge) < diagram.n_legs for edge in diagram.edges)
    if joined or diagram.fields or not 0 < diagram.n_vertices <= len(VERTEX_CHARACTERS):
        return None
    return diagram.nickel_index


def _as_dict(diagram: FeynmanGraph) -> dict[str, Any]:
    return {
        "edges": [list(edge) for edge in diagram.edges],
        "fields": list(diagram.fields),
        "n_legs": diagram.n_legs,
        "n_loops": diagram.n_loops,
        "symmetry_factor": diagram.symmetry_factor,
        "multiplicity": diagram.multiplicity,
        "nickel_index": _nickel(diagram),
    }


def _write(found: Diagrams, out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    table = out / "diagrams.json"
    table.write_text(json.dumps([_as_dict(d) for d in found]) + "\n", encoding="utf-8")
    return [found.write_tex(out / "diagrams.tex"), found.write_svg(out / "diagrams.svg"), table]
