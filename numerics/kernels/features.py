"""Neurons with any feature and any parameter densities: how they are drawn, and their printed source.

A parameter is made of the numbers of the stream by one of a few rules (:class:`Draw`), and the feature is a sympy
expression in parameters and coordinates that is printed into the compiled kernel and into array code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from textwrap import indent
from typing import Any

import numpy as np

from diagrams.typing import Expr
from numerics._codegen import load_module
from numerics._printer import Dialect, Writer, check_supported, eliminate_common
from numerics.kernels import LANES, LaneRows, special_functions

# rule -> (normals per parameter, uniform numbers, numbers that the rule needs, splines that it needs)
RULES = {
    "normal": (1, 0, 2, 0),  # mean + scale z
    "uniform": (0, 1, 2, 0),  # lower + width u
    "map": (1, 0, 2, 1),  # T(z), numerics.transport.quantile_map
    "radial": (1, 0, 2, 1),  # a vector g m(|g|), numerics.transport.radial_map
    "constant": (0, 0, 1, 0),
}


@dataclass(frozen=True)
class Draw:
    """The rule by which one parameter, or a vector of them, is made of the numbers of the stream.

    Parameters
    ----------
    rule : str
        A key of :data:`RULES`.
    symbols : tuple of sympy.Symbol
        What is drawn: one parameter, or the components of a vector for ``"radial"``.
    """

    rule: str
    symbols: tuple[Expr, ...]

    @property
    def n_normals(self) -> int:
        """Normals in use."""
        return RULES[self.rule][0] * len(self.symbols)

    @property
    def n_uniforms(self) -> int:
        """Uniform numbers in use."""
        return RULES[self.rule][1]

    @property
    def n_numbers(self) -> int:
        """Numbers that the rule is given."""
        return RULES[self.rule][2]

    @property
    def n_tables(self) -> int:
        """Splines that the rule is given."""
        return RULES[self.rule][3]


@dataclass(frozen=True)
class FeatureNeuron:
    """A neuron ``h(x; theta)`` given by an expression.

    Parameters
    ----------
    name : str
        Name of the architecture's feature.
    draws : tuple of Draw
        Output weights (one for each output), then the hidden parameters.
    n_outputs : int
        Output weights per neuron.
    expression : sympy.Expr
        The feature, in the hidden parameters and the coordinates.
    coordinates : tuple of sympy.Symbol
        The ``input_dim`` coordinates of a point.
    half : sympy.Expr, optional
        Points are pairs, all pairs i <= j of some points in lexicographic order, and the feature is this expression in
        the first half of the coordinates times the same in the second half.
    is_alone : bool
        Samples are single neurons, all those of a round of neurons in turn: sample i of a block is neuron
        ``(i // LANES) % n`` of the first round of network ``i // (LANES n) * LANES + i % LANES``, with n neurons a
        round.

    Raises
    ------
    ValueError
        If the expression holds symbols that are neither, or functions that cannot be evaluated.
    """

    name: str
    draws: tuple[Draw, ...]
    n_outputs: int
    expression: Expr
    coordinates: tuple[Expr, ...]
    half: Expr | None = None
    is_alone: bool = False

    def __post_init__(self) -> None:
        check_supported([self.expression])
        if unknown := self.expression.free_symbols - {*self.parameters, *self.coordinates}:
            raise ValueError(
                f"the feature {self.expression} holds {', '.join(sorted(map(str, unknown)))}, which are neither random "
                "parameters nor coordinates: give them numbers with net.at(...)"
            )

    @property
    def label(self) -> str:
        """Identifier for file names."""
        return re.sub(r"\W", "_", f"{self.name}_{self.n_outputs}out")

    @property
    def hidden(self) -> tuple[Draw, ...]:
        """Draws of the hidden parameters."""
        return self.draws[self.n_outputs :]

    @property
    def parameters(self) -> tuple[Expr, ...]:
        """Hidden parameters in the order in which they are drawn."""
        return tuple(s for draw in self.hidden for s in draw.symbols)

    @property
    def n_uniforms(self) -> int:
        """Uniform numbers per neuron."""
        return sum(draw.n_uniforms for draw in self.draws)

    def n_normals(self, input_dim: int) -> int:
        """Return the normals per neuron."""
        return sum(draw.n_normals for draw in self.draws)

    @property
    def n_coordinates(self) -> int:
        """Coordinates of a point, half of those of a pair of points."""
        return len(self.coordinates) // (1 if self.half is None else 2)

    @cached_property
    def factors(self) -> tuple[Expr, Expr]:
        """The feature as a factor that depends on parameters only, times the rest."""
        amplitude, rest = self.expression.as_independent(*self.coordinates, as_Add=False)
        return amplitude, rest

    def __reduce__(self) -> tuple[Any, ...]:
        fields = self.name, self.draws, self.n_outputs, self.expression, self.coordinates, self.half, self.is_alone
        return FeatureNeuron, fields


@cache
def array_function(neuron: FeatureNeuron, dtype: str) -> Callable[[Any, list[Any], list[Any]], Any]:
    """Return ``h(xp, parameters, coordinates)`` over arrays that broadcast."""
    arguments = (*neuron.parameters, *neuron.coordinates)
    names = {s: f"in_{i}" for i, s in enumerate(arguments)}
    lines, result, _, _ = statements(neuron.expression, "numpy", dtype, names)
    head = f"def feature(np, special, {', '.join(names.values())}):"
    text = "\n".join([head, *(f"    {line}" for line in lines), f"    return {result}", ""])
    function = load_module(text, label=f"feature_{neuron.label}_{dtype}").feature

    def evaluate(xp: Any, parameters: list[Any], coordinates: list[Any]) -> Any:
        with np.errstate(all="ignore"):
            return function(xp, special_functions(xp), *parameters, *coordinates)

    return evaluate


def printed_statements(expression: Expr, language: str, dtype: str, names: dict[Expr, str]) -> tuple[list[str], str]:
    """Return the statements of an expression in a language, and the text of its value.

    Parameters
    ----------
    expression : sympy.Expr
    language : {"numba", "numpy", "cuda"}
    dtype : {"float64", "float32"}
    names : mapping from sympy.Symbol to str
        What the symbols are called.
    """
    return statements(expression, language, dtype, names)[:2]


def statements(
    expression: Expr, language: str, dtype: str, names: dict[Expr, str]
) -> tuple[list[str], str, set[str], dict[str, str]]:
    """Return statements, the text of the value, the elementary functions and the named constants in use."""
    writer = Writer(Dialect(language, dtype), names)
    replacements, (reduced,) = eliminate_common((expression,))
    for symbol, value in replacements:
        writer.define(symbol, value)
    result = writer.result(reduced)
    return writer.lines, result, writer.elementary, writer.constants


_PREPARE = """
@njit(fastmath=FLAGS, error_model='numpy')
def interpolate(table, low, inverse_step, scratch, source, target):
    use_wide_vectors()
    n = table.shape[0]
    end = np.{dtype}(n)
    for l in range(LANES):
        s = (scratch[source + l] - low) * inverse_step
        s = s if s > ZERO else ZERO
        s = s if s < end else end
        cell = min(np.int64(s), n - 1)
        t = s - np.{dtype}(cell)
        c = table[cell]
        scratch[target + l] = ((c[3] * t + c[2]) * t + c[1]) * t + c[0]


@njit(fastmath=FLAGS, error_model='numpy')
def prepare(first, phase, constants, tables, normals, phases, scratch):
    use_wide_vectors()
    for j in range({n_normals}):
        row = normals[(first + j) % 2, (first + j) // 2]
        for l in range(LANES):
            scratch[j * LANES + l] = row[l]
    for j in range({n_uniforms}):
        row = phases[phase + j]
        for l in range(LANES):
            scratch[({n_normals} + j) * LANES + l] = row[l] + np.{dtype}({middle})
{draws}

@njit(fastmath=FLAGS, error_model='numpy')
def weigh(scratch):
    use_wide_vectors()
{constants_before}    for l in range(LANES):
{amplitude}

"""

# Neurons at or beyond the width of a network: output weights are zero, and so is the feature, which may have no value.
_LEAVE_OUT = """
@njit(fastmath=FLAGS, error_model='numpy')
def leave_out(place, widths, scratch):
    use_wide_vectors()
    for l in range(LANES):
        is_there = place < widths[l]
        {there} = np.{dtype}(is_there)
{weights}
"""

_ADD_NEURON = """
@njit(fastmath=FLAGS, error_model='numpy')
def add_neuron(k, {place}points, offsets, constants, tables, normals, phases, scratch, field):
    use_wide_vectors()
    prepare(k * {n_normals}, k * {n_uniforms}, constants, tables, normals, phases, scratch)
    weigh(scratch)
{leave_out}    n_points = points.shape[0]
{constants_inside}    for i in range(n_points):
{coordinates}{feature}
"""

# The feature at each of the points whose pairs are given, then the products. These go through the lanes 16 at a time,
# in vectors that are written down: plain loops over lanes would test for overlap of rows once for each pair.
_ADD_PAIRS = """
@intrinsic
def add_products(context, scratch, weight, first, n_ends, field):
    # field[pair] += scratch[weight] * scratch[first + i] * scratch[first + j] for pairs i <= j in order
    def generate(context, builder, signature, arguments):
        start, total = (make_array(signature.args[i])(context, builder, value=arguments[i]).data for i in (0, 4))
        index, vector = ir.IntType(64), ir.VectorType(context.get_value_type(scratch.dtype), 16)
        pair = cgutils.alloca_once(builder, index)

        def place(array, row, block):
            return vector_at(builder, pointer(builder, array, (row, LANES), (block, 16)), vector)

        def read(row, block):
            return builder.load(place(start, row, block), align=ALIGNMENT)

        with cgutils.for_range(builder, ir.Constant(index, LANES // 16)) as blocks:
            block = blocks.index
            builder.store(ir.Constant(index, 0), pair)
            with cgutils.for_range(builder, arguments[3]) as left:
                x = builder.fmul(read(arguments[1], block), read(builder.add(arguments[2], left.index), block))
                with cgutils.for_range(builder, arguments[3], start=left.index) as right:
                    term = builder.fmul(x, read(builder.add(arguments[2], right.index), block), flags=['contract'])
                    at = place(total, builder.load(pair), block)
                    found = builder.fadd(builder.load(at, align=ALIGNMENT), term, flags=['contract'])
                    builder.store(found, at, align=ALIGNMENT)
                    builder.store(builder.add(builder.load(pair), ir.Constant(index, 1)), pair)
        return context.get_dummy_value()

    return types.none(scratch, types.int64, types.int64, types.int64, field), generate


@njit(fastmath=FLAGS, error_model='numpy')
def add_neuron(k, points, offsets, constants, tables, normals, phases, scratch, field):
    use_wide_vectors()
    prepare(k * {n_normals}, k * {n_uniforms}, constants, tables, normals, phases, scratch)
    weigh(scratch)
    n_ends = scratch.shape[0] // LANES - {n_rows}
    ends = scratch[{n_rows} * LANES:].reshape((n_ends, LANES))
{constants_inside}    for i in range(n_ends):
{coordinates}        for l in range(LANES):
{feature}
    add_products(scratch, {weight}, {n_rows}, n_ends, field)
"""


class Layout:
    """Rows of the scratch buffer: raw numbers, then one row for each parameter, for lengths, and for h.

    With widths by lane, one more for what says whether a network has the neuron.
    """

    def __init__(self, neuron: FeatureNeuron, by_width: bool = False) -> None:
        self.n_raw = neuron.n_normals(0) + neuron.n_uniforms
        self.rows: dict[Any, int] = {}
        for a, draw in enumerate(neuron.draws):
            for j, symbol in enumerate(draw.symbols):
                self.rows[a, j] = self.n_raw + len(self.rows)
                if a >= neuron.n_outputs:
                    self.rows[symbol] = self.rows[a, j]
        self.length = self.n_raw + len(self.rows)
        self.feature = self.length + 1
        self.there = self.length + 2
        self.n_rows = self.there + by_width

    def at(self, key: Any) -> str:
        """Return text for the entry of lane ``l``."""
        return f"scratch[{(key if isinstance(key, int) else self.rows[key]) * LANES} + l]"


def feature_source(
    neuron: FeatureNeuron, dtype: str, by_lane: bool = False, by_width: bool = False
) -> tuple[str, set[str], int]:
    """Return the functions that draw and add one neuron, the elementary functions in use, and the rows of scratch.

    With numbers by lane every network has constants of its own, see :class:`~numerics.kernels.LaneRows`. With widths by
    lane, which are not for pairs of points, ``add_neuron`` also takes the number of the neuron in its network, and the
    widths.
    """
    layout = Layout(neuron, by_width)
    names = {s: layout.at(s) for s in neuron.parameters}
    first = neuron.coordinates[: neuron.n_coordinates]
    amplitude, rest = (neuron.half if neuron.half is not None else neuron.expression).as_independent(
        *first, as_Add=False
    )
    before = statements(amplitude, "numba", dtype, names)
    inside = statements(rest, "numba", dtype, names | {s: f"x{mu}" for mu, s in enumerate(first)})
    weights = [layout.at((a, 0)) for a in range(neuron.n_outputs)]
    factor = "amplitude" if neuron.half is None else "amplitude * amplitude"
    weigh = [*before[0], f"amplitude = {before[1]}", *(f"{w} *= {factor}" for w in weights)]
    numbers = {"dtype": dtype, "n_normals": neuron.n_normals(0), "n_uniforms": neuron.n_uniforms}
    text = _PREPARE.format(
        middle=2.0**-33 if dtype == "float64" else 0.5, draws=_draw_lines(neuron, layout, by_lane),
        amplitude=indent("\n".join(weigh if amplitude != 1 else ["pass"]), " " * 8),
        constants_before=_constant_lines(before[3]), **numbers,
    )  # fmt: skip
    # the points themselves are the second ends of the first pairs
    shift = 0 if neuron.half is None else len(first)
    loads = [f"x{mu} = points[i, {mu + shift}]" for mu, s in enumerate(first) if rest.has(s)]
    body = {
        "constants_inside": _constant_lines(inside[3]), "coordinates": "".join(f"        {line}\n" for line in loads)
    }  # fmt: skip
    if neuron.half is None:
        cut = {"place": "", "leave_out": ""}
        if by_width:
            cut = {"place": "place, widths, ", "leave_out": "    leave_out(place, widths, scratch)\n"}
            zeros = "\n".join(f"        {w} = {w} if is_there else ZERO" for w in weights)
            text += _LEAVE_OUT.format(there=layout.at(layout.there), dtype=dtype, weights=zeros)
        feature = indent("\n".join(_feature_lines(inside[0], inside[1], weights, layout, by_width)), " " * 8)
        text += _ADD_NEURON.format(feature=feature, **cut, **body, **numbers)
    else:
        lines = indent("\n".join([*inside[0], f"ends[i, l] = {inside[1]}"]), " " * 12)
        text += _ADD_PAIRS.format(feature=lines, weight=layout.rows[0, 0], n_rows=layout.n_rows, **body, **numbers)
    return text, before[2] | inside[2], layout.n_rows


def _constant_lines(constants: dict[str, str]) -> str:
    return "".join(f"    {name} = np.float32({text})\n" for text, name in constants.items())


def _feature_lines(
    lines: list[str], result: str, weights: list[str], layout: Layout, by_width: bool = False
) -> list[str]:
    """Return the lines that add ``weight h`` to the field of every output at point ``i``."""
    if by_width:
        lines, result = [*lines, f"h = {result}"], f"h if {layout.at(layout.there)} > ZERO else ZERO"
    body = [f"    {line}" for line in lines]
    if len(weights) == 1:
        return [
            "value = field[i]", "for l in range(LANES):", *body, f"    value[l] += {weights[0]} * ({result})",
        ]  # fmt: skip
    loops = ["for l in range(LANES):", *body, f"    {layout.at(layout.feature)} = {result}"]
    for a, weight in enumerate(weights):
        loops += [
            f"value = field[{a} * n_points + i]", "for l in range(LANES):",
            f"    value[l] += {weight} * {layout.at(layout.feature)}",
        ]  # fmt: skip
    return loops


def _draw_lines(neuron: FeatureNeuron, layout: Layout, by_lane: bool) -> str:
    """Return the lines that turn raw numbers into parameters."""
    lines: list[str] = []
    start, lane, one = (LaneRows.constants, "[l]", ", 0") if by_lane else (0, "", "")
    normal, uniform, number, table = 0, neuron.n_normals(0), 0, 0
    for a, draw in enumerate(neuron.draws):
        first = layout.at((a, 0))
        raw = layout.at(uniform if draw.rule == "uniform" else normal)
        given = [f"constants[{start + number + j}]" for j in range(draw.n_numbers)]
        spline = [f"constants[{start + number + j}{one}]" for j in range(draw.n_numbers)]  # one spline for all networks
        if draw.rule in ("normal", "uniform"):
            lines += [f"c, s = {given[0]}, {given[1]}", "for l in range(LANES):"]
            lines.append(f"    {first} = c{lane} + s{lane} * {raw}")
        elif draw.rule == "constant":
            lines += [f"c = {given[0]}", "for l in range(LANES):", f"    {first} = c{lane}"]
        elif draw.rule == "map":
            lines.append(_spline(table, spline, normal, layout.rows[a, 0]))
        else:
            raws = [layout.at(normal + j) for j in range(len(draw.symbols))]
            length = layout.at(layout.length)
            squares = " + ".join(f"{r} * {r}" for r in raws)
            lines += ["for l in range(LANES):", f"    {length} = np.sqrt({squares})"]
            lines += [_spline(table, spline, layout.length, layout.length), "for l in range(LANES):"]
            lines += [f"    {layout.at((a, j))} = {r} * {length}" for j, r in enumerate(raws)]
        normal, uniform = normal + draw.n_normals, uniform + draw.n_uniforms
        number, table = number + draw.n_numbers, table + draw.n_tables
    return indent("\n".join(lines), " " * 4) + "\n"


def _spline(table: int, given: list[str], source: int, target: int) -> str:
    places = f"{source * LANES}, {target * LANES}"
    return f"interpolate(tables[{table}], {given[0]}, {given[1]}, scratch, {places})"


def drawn(xp: Any, neuron: FeatureNeuron, normals: Any, uniforms: Any, numbers: Any, tables: Any) -> list[Any]:
    """Return the parameters, output weights first, from raw numbers by the rules of the draws.

    Parameters
    ----------
    xp : module
    neuron : FeatureNeuron
    normals, uniforms : arrays (networks, neurons, n_normals or n_uniforms)
    numbers : sequence of float or of array (networks, 1)
        The numbers of all draws, one draw after the other.
    tables : sequence of Transport

    Returns
    -------
    list of arrays (networks, neurons)
    """
    result: list[Any] = []
    normal, uniform, number, table = 0, 0, 0, 0
    for draw in neuron.draws:
        given = [xp.asarray(v, dtype=normals.dtype) for v in numbers[number : number + draw.n_numbers]]
        raw = [normals[..., normal + j] for j in range(draw.n_normals)]
        raw += [uniforms[..., uniform + j] for j in range(draw.n_uniforms)]
        if draw.rule in ("normal", "uniform"):
            result.append(given[0] + given[1] * raw[0])
        elif draw.rule == "constant":
            result.append(given[0] + xp.zeros(normals.shape[:2], dtype=normals.dtype))
        elif draw.rule == "map":
            result.append(tables[table](xp, raw[0]))
        else:
            factor = tables[table](xp, xp.sqrt(sum(r * r for r in raw)))
            result += [r * factor for r in raw]
        normal, uniform = normal + draw.n_normals, uniform + draw.n_uniforms
        number, table = number + draw.n_numbers, table + draw.n_tables
    return result
