"""Source text of what a neuron adds to the field, for neurons whose feature is a function of w.x + b."""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent

from numerics import elementary
from numerics.kernels import LANES, LaneRows, Neuron, Round

#: Activations that are not elementary functions, as text of the argument ``a``.
EXPRESSIONS = {"relu": "(a if a > ZERO else ZERO)", "identity": "a"}

UNROLLED_DIMS = 4  # up to here w.x is one expression, beyond it is summed in a buffer

_ADD_NEURON = """
@njit(fastmath=FLAGS, error_model='numpy')
def add_neuron(k, points, offsets, constants, tables, normals, phases, scratch, field):
    use_wide_vectors()
    stay_apart()
    q = k * {n_normals}
    n_points = points.shape[0]
{rows}    for i in range(n_points):
{body}
"""


# All neurons of a round at some points at a time: fields stay in registers while the neurons are added to them. Arrays
# of normals, phases and fields are flat, so that LLVM can tell their rows from each other, and places unsigned numbers,
# which need no test of sign.
_ADD_ROUND = """
@njit(fastmath=FLAGS, error_model='numpy')
def add_round(points, constants, given, turns, flat):
    use_wide_vectors()
    stay_apart()
{numbers}    i = 0
{loops}"""

# Where networks have numbers of their own, normals are turned into parameters before neurons are added.
_GIVE_NUMBERS = """
@njit(fastmath=FLAGS, error_model='numpy')
def give_numbers(constants, normals):
    use_wide_vectors()
{rows}    for k in range({n_neurons}):
        q = k * {n_normals}
{body}
"""

# All numbers of a neuron that is not there are zero: not only its output weights, as zero times an overflow is no zero.
_LEAVE_OUT = """
@njit(fastmath=FLAGS, error_model='numpy')
def leave_out(widths, first, normals):
    use_wide_vectors()
    for j in range({n_neurons} * {n_normals}):
        place = first + j // {n_normals}
        row = normals[j % 2, j // 2]
        for l in range(LANES):
            row[l] = row[l] if place < widths[l] else ZERO
"""

_POINTS_AT_A_TIME = (3, 1)


def neuron_source(
    model: Neuron, input_dim: int, dtype: str, plan: Round, by_lane: bool = False, by_width: bool = False
) -> tuple[str, set[str], int]:
    """Return the functions that add neurons to the field, their elementary functions, and the rows of scratch.

    ``add_neuron`` adds one neuron at all points, ``add_round`` (see :func:`has_round`) the neurons of a whole round.
    With numbers by lane, ``give_numbers`` turns the normals of a round into parameters beforehand; with widths by lane,
    ``leave_out`` then makes those of neurons zero that a network does not have.

    Parameters
    ----------
    model : Neuron
    input_dim : int
    dtype : {"float64", "float32"}
    plan : Round
    by_lane : bool
        Whether every lane has numbers of its own, see :class:`LaneRows`.
    by_width : bool
        Whether every lane has a width of its own too.
    """
    given = _given_numbers(model, input_dim, plan) if by_lane else ""
    if by_width:
        given += _LEAVE_OUT.format(n_neurons=plan.n_neurons, n_normals=model.n_normals(input_dim))
    model = replace(model, has_mean=model.has_mean and not by_lane)
    numbers = "".join(f"    {line}\n" for line in _number_lines(by_lane, dtype))
    is_elementary = model.activation not in EXPRESSIONS
    activation = f"{elementary.function_name(model.activation, dtype)}(a)" if is_elementary else None
    value = activation or EXPRESSIONS[model.activation]
    text = _ADD_NEURON.format(
        n_normals=model.n_normals(input_dim), rows=_rows(model, input_dim) + numbers,
        body=indent(
            "\n".join([*_argument(model, input_dim, by_lane), *_add_outputs(model, input_dim, value, by_lane)]), " " * 8
        ),
    )  # fmt: skip
    if has_round(model, input_dim):
        text += _ADD_ROUND.format(numbers=numbers, loops=_round_loops(model, input_dim, value, plan))
    return given + text, {model.activation} if is_elementary else set(), 1


def _number_lines(by_lane: bool, dtype: str) -> list[str]:
    """Return the lines that name the numbers of the model; those by lane are in the normals but for the slope."""
    if by_lane:
        return [f"spread = np.{dtype}(1.0)", f"slope = constants[{LaneRows.slope}]"]
    return ["spread = constants[0]", "deviation = constants[1]", "mean = constants[2]"]


def _given_numbers(model: Neuron, input_dim: int, plan: Round) -> str:
    """Return the function that turns the normals of a round into parameters."""
    spread, deviation, mean = range(LaneRows.constants, LaneRows.constants + 3)
    names = {"scale": LaneRows.input_scale}
    changes = [(f"q + {model.n_outputs + mu}", "row[l] *= scale[l]") for mu in range(input_dim)]
    if model.bias == "normal":
        names |= {"spread": spread, "base": LaneRows.base}
        changes.append((f"q + {model.n_outputs + input_dim}", "row[l] = row[l] * spread[l] + base[l]"))
    if model.has_mean:
        names |= {"deviation": deviation, "mean": mean}
        changes += [(f"q + {a}", "row[l] = row[l] * deviation[l] + mean[l]") for a in range(model.n_outputs)]
    lines = []
    for place, change in changes:
        lines += [f"row = normals[({place}) % 2, ({place}) // 2]", "for l in range(LANES):", f"    {change}"]
    return _GIVE_NUMBERS.format(
        rows="".join(f"    {name} = constants[{row}]\n" for name, row in names.items()),
        n_neurons=plan.n_neurons, n_normals=model.n_normals(input_dim), body=indent("\n".join(lines), " " * 8),
    )  # fmt: skip


def has_round(model: object, input_dim: int) -> bool:
    """Return True for neurons of so few operations that loads and stores of the field would set the pace."""
    return (
        isinstance(model, Neuron)
        and model.activation in EXPRESSIONS
        and not model.has_offset
        and model.n_outputs == 1
        and input_dim <= UNROLLED_DIMS
    )


def _round_loops(model: Neuron, input_dim: int, value: str, plan: Round) -> str:
    lines = []
    for count in _POINTS_AT_A_TIME:
        lines += [f"while n_points - i >= {count}:"]
        lines += [f"    x{p}_{mu} = points[i + {p}, {mu}]" for p in range(count) for mu in range(input_dim)]
        lines += ["    place = U64(i) * U64(LANES)", "    for l in range(LANES):", "        j = U64(l)"]
        lines += [f"        v{p} = flat[place + U64({p * LANES}) + j]" for p in range(count)]
        for k in range(plan.n_neurons):
            lines += indent("\n".join(_neuron_at_points(model, input_dim, value, plan, k, count)), " " * 8).split("\n")
        lines += [f"        flat[place + U64({p * LANES}) + j] = v{p}" for p in range(count)]
        lines += [f"    i += {count}"]
    return indent("\n".join(["n_points = points.shape[0]", *lines]), " " * 4) + "\n"


def _neuron_at_points(model: Neuron, input_dim: int, value: str, plan: Round, k: int, count: int) -> list[str]:
    """Return the lines that add neuron ``k`` of a round at the points in hand."""

    def normal(number: int) -> str:
        q = k * model.n_normals(input_dim) + number
        return f"given[U64({(q % 2 * plan.n_pairs + q // 2) * LANES}) + j]"

    lines = [f"readout = {normal(0)}{' * deviation + mean' if model.has_mean else ''}"]
    lines += [f"w{mu} = {normal(1 + mu)}" for mu in range(input_dim)]
    if model.bias == "normal":
        lines.append(f"shift = spread * {normal(1 + input_dim)}")
    elif model.bias == "phase":
        lines.append(f"shift = turns[U64({k * LANES}) + j]")
    end = "" if model.bias == "none" else " + shift"
    for p in range(count):
        lines += [
            f"a = {' + '.join(f'w{mu} * x{p}_{mu}' for mu in range(input_dim))}{end}",
            f"v{p} += readout * {value}",
        ]
    return lines


def _rows(model: Neuron, input_dim: int) -> str:
    """Return the lines that name the rows of the parameters of neuron ``k``."""
    names = {f"readout{a}": a for a in range(model.n_outputs)}
    if input_dim <= UNROLLED_DIMS:
        names |= {f"w{mu}": model.n_outputs + mu for mu in range(input_dim)}
    if model.bias == "normal":
        names["shift"] = model.n_outputs + input_dim
    lines = [f"{name} = normals[(q + {j}) % 2, (q + {j}) // 2]" for name, j in names.items()]
    lines += ["shift = phases[k]"] if model.bias == "phase" else []
    return "".join(f"    {line}\n" for line in lines)


def _argument(model: Neuron, input_dim: int, by_lane: bool) -> list[str]:
    """Return the lines before the loop over lanes at point ``i``; long w.x are summed in the buffer."""
    head = ["offset = offsets[i]"] if model.has_offset else []
    if input_dim <= UNROLLED_DIMS:
        return [*head, *(f"x{mu} = points[i, {mu}]" for mu in range(input_dim))]
    return [
        *head,
        "for l in range(LANES):",
        f"    scratch[l] = {_constant_terms(model, by_lane) or 'ZERO'}",
        f"for mu in range({input_dim}):",
        "    x = points[i, mu]",
        f"    w = normals[(q + mu + {model.n_outputs}) % 2, (q + mu + {model.n_outputs}) // 2]",
        "    for l in range(LANES):",
        "        scratch[l] += w[l] * x",
    ]


def _constant_terms(model: Neuron, by_lane: bool) -> str:
    terms = {"phase": ["shift[l]"], "normal": ["spread * shift[l]"], "none": []}[model.bias]
    offset = "slope[l] * offset" if by_lane else "offset"
    return " + ".join(terms + ([offset] if model.has_offset else []))


def _add_outputs(model: Neuron, input_dim: int, value: str, by_lane: bool) -> list[str]:
    """Return the loops that add ``weight h`` to the field of every output at point ``i``."""
    products = " + ".join(f"w{mu}[l] * x{mu}" for mu in range(input_dim))
    terms = [products, _constant_terms(model, by_lane)] if input_dim <= UNROLLED_DIMS else ["scratch[l]"]
    argument = f"    a = {' + '.join(filter(None, terms))}"
    weights = [
        f"(readout{a}[l] * deviation + mean)" if model.has_mean else f"readout{a}[l]" for a in range(model.n_outputs)
    ]
    if model.n_outputs == 1:
        return ["value = field[i]", "for l in range(LANES):", argument, f"    value[l] += {weights[0]} * {value}"]
    lines = ["for l in range(LANES):", argument, f"    scratch[l] = {value}"]
    for a, weight in enumerate(weights):
        lines += [
            f"value = field[{a} * n_points + i]",
            "for l in range(LANES):",
            f"    value[l] += {weight} * scratch[l]",
        ]
    return lines
