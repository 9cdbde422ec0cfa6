"""Source text of the CUDA ensemble kernel: one thread a network, from the random words of the CPU kernel.

What a thread does by itself (drawing and evaluating a network, its products, its share of the sums) has neither
barriers nor anything else of the device, so that a C++ compiler makes a program for the host of the same text.
"""

from __future__ import annotations

from string import Template
from textwrap import indent

from numerics.kernels import LANES, LaneRows, Neuron, Round, neuron_round, philox
from numerics.kernels._cuda_elementary import library
from numerics.kernels._cuda_tilt_source import functions_source, term_lines
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.kernels.features import FeatureNeuron, printed_statements
from numerics.kernels.layout import SumLayout
from numerics.transport import N_CELLS

EXPRESSIONS = {"relu": "(a > 0 ? a : (real)0)", "identity": "a"}

_UNROLLED_WORDS = 64  # more words of a round than this stay in memory, fewer in registers
_UNROLLED_DIMS = _UNROLLED_WORDS // 4
_UNROLLED_FIELDS = 32

_NETWORK = Template("""
typedef $real real;
typedef unsigned int u32;
typedef unsigned long long u64;
enum { N_POINTS = $n_points, N_FIELDS = $n_fields };
#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#define ROLL _Pragma("unroll 1")
#else
#define UNROLL
#define ROLL
#endif

DEVICE void philox4x32(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1, u32* words) {
    UNROLL
    for (int i = 0; i < 10; i++) {
        const u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c1 = (u32)p1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0; words[1] = c1; words[2] = c2; words[3] = c3;
}

DEVICE void draw(u32 network, u32 block, u32 round, u32 key0, u32 key1, real* normals, real* phases) {
    u32 words[4 * $n_calls];
    $unroll_words
    for (int call = 0; call < $n_calls; call++)
        philox4x32(network, block, round, call, key0, key1, words + 4 * call);
    $unroll_words
    for (int pair = 0; pair < $n_pairs; pair++) {
        const u32* w = words + $words_per_pair * pair;
        const u32 angle = w[$words_per_pair - 1];
        const real r = sqrt(-$log($radius));
        const real y = $quarter;
        const real c = r * $cos(y), s = r * $sin(y);
        normals[2 * pair] = angle >> 31 ? s - c : c - s;
        normals[2 * pair + 1] = angle >> 30 & 1 ? -c - s : c + s;
    }
    $unroll_words
    for (int k = 0; k < $n_phases; k++) {
        const u32 angle = words[$words_per_pair * $n_pairs + k];
        phases[k] = $phase;
    }
}

DEVICE real interpolate(const real* table, real low, real inverse_step, real z) {
    real s = (z - low) * inverse_step;
    s = s > 0 ? s : (real)0;
    s = s < $n_cells ? s : (real)$n_cells;
    int cell = (int)s;
    cell = cell < $n_cells - 1 ? cell : $n_cells - 1;
    const real t = s - (real)cell;
    const real* c = table + 4 * cell;
    return ((c[3] * t + c[2]) * t + c[1]) * t + c[0];
}

${more}DEVICE void add_neuron(const real* points, const real* offsets, const real* constants, const real* tables,
                       const real* normals, const real* phases, real* field$terms_in) {
$add_neuron}

DEVICE void evaluate(u32 network, u32 block, int width, const real* points, const real* offsets,
                     const real* constants, const real* tables, real scale, real bias, u32 key0, u32 key1,
                     real* field$terms_in) {
    real normals[2 * $n_pairs], phases[$n_phase_rows];
$alone$clear    $unroll_fields
    for (int i = 0; i < N_FIELDS; i++) field[i] = 0;
    const int n_rounds = (width + $n_neurons - 1) / $n_neurons;
    for (int round = 0; round < n_rounds; round++) {
        draw(network, block, round, key0, key1, normals, phases);
$give        $unroll_words
        for (int k = 0; k < $n_neurons; k++)
            if ($is_used)
                add_neuron(points, offsets, constants, tables, normals + k * $n_normals, phases + k * $n_uniforms,
                           field$terms);
    }
    if ($has_bias) draw(network, block, ${output_round}u, key0, key1, normals, phases);
    $unroll_fields
    for (int i = 0; i < N_FIELDS; i++) field[i] *= scale;
    if ($has_bias) {
        $unroll_fields
        for (int i = 0; i < N_FIELDS; i++) field[i] += bias * normals[i / N_POINTS];
    }
}
""")

# a sample that is a single neuron: its network, and its place in the round of neurons
_ALONE = """    const int chosen = (int)(network / {lanes} % {n_neurons});
    network = network / {lanes} / {n_neurons} * {lanes} + network % {lanes};
"""

_GIVE = "        give_numbers(constants, normals);\n"
_CLEAR = "    UNROLL\n    for (int i = 0; i < N_SUMS; i++) terms[i] = 0;\n"

# Where networks have numbers of their own, normals are turned into parameters before neurons are added.
_GIVEN_NUMBERS = """DEVICE void give_numbers(const real* numbers, real* normals) {{
    {unroll}
    for (int k = 0; k < {n_neurons}; k++) {{
        real* own = normals + {n_normals} * k;
{lines}    }}
}}

"""

_SUMS = Template("""
enum { LANES = $lanes, PITCH = LANES + 1, N_ROWS = $n_rows, N_MONOMIALS = $n_monomials };

DEVICE void fill_lane(int lane, const real* field, const int* factors, real* rows) {
    $unroll_fields
    for (int i = 0; i < $n_fields; i++) rows[i * PITCH + lane] = field[i];
    for (int p = $n_fields; p < N_ROWS; p++)
        rows[p * PITCH + lane] = rows[factors[2 * p] * PITCH + lane] * rows[factors[2 * p + 1] * PITCH + lane];
    rows[N_ROWS * PITCH + lane] = 1;
}

DEVICE void add_monomials(int thread, int count, const real* rows, const unsigned short* parts, double* sums) {
    for (int m = thread; m < N_MONOMIALS; m += LANES) {
        const unsigned short* part = parts + $n_parts * m;
        real s = 0;
        for (int lane = 0; lane < count; lane++) {
            real product = rows[part[0] * PITCH + lane];
            UNROLL
            for (int j = 1; j < $n_parts; j++) product *= rows[part[j] * PITCH + lane];
            s += product;
        }
        sums[m] += s;
    }
}
""")

_NUMBERS = {
    "float64": {
        "real": "double",
        "radius": "((double)w[0] + ((double)w[1] + 0.5) * 0x1p-32) * 0x1p-32",
        "quarter": "(double)(angle << 2) * 0x1p-32 - (0.5 - 0x1p-31)",
        "phase": "(double)angle * 0x1p-32",
    },
    "float32": {
        "real": "float",
        "radius": "((float)(int)(w[0] >> 1) + 0.5f) * 0x1p-31f",
        "quarter": "(float)(int)(angle << 2) * 0x1p-32f",
        "phase": "(float)(int)angle * 0x1p-32f",
    },
}


def network_source(
    neuron: Neuron | FeatureNeuron,
    input_dim: int,
    n_points: int,
    dtype: str,
    *,
    by_network: bool = False,
    functions: NetworkFunctions | None = None,
) -> str:
    """Return the text of ``evaluate``, the outputs of one network at the points.

    Parameters
    ----------
    neuron : Neuron or FeatureNeuron
    input_dim, n_points : int
    dtype : {"float64", "float32"}
    by_network : bool
        Every network has numbers of its own: ``constants`` are those of :class:`~numerics.kernels.LaneRows`, points are
        not scaled, and ``offsets`` are the squares of the points.
    functions : NetworkFunctions, optional
        Functions of the parameters of a network: ``evaluate`` also adds up the sums over neurons that they are made of,
        and ``evaluate_functions`` makes them of these. Of networks of one density.
    """
    plan = neuron_round(neuron, input_dim, dtype)
    n_fields = neuron.n_outputs * n_points
    unroll = _unroll_fields(n_fields)
    if isinstance(neuron, FeatureNeuron):
        used: set[str] = set()
        draws, body = (
            _draws(neuron, dtype, LaneRows.constants if by_network else 0),
            _feature_body(neuron, dtype, unroll),
        )
    else:
        draws, (body, used) = [], _argument_body(neuron, input_dim, dtype, unroll, by_network)
    terms = [] if functions is None else term_lines(functions, neuron, input_dim)
    given = _given_numbers(neuron, input_dim, plan) if by_network and isinstance(neuron, Neuron) else ""
    is_alone = isinstance(neuron, FeatureNeuron) and neuron.is_alone
    text = _NETWORK.substitute(
        _NUMBERS[dtype], unroll_words="UNROLL" if plan.n_words <= _UNROLLED_WORDS else "ROLL",
        unroll_fields=unroll, n_points=n_points, n_fields=n_fields,
        n_calls=plan.n_calls, n_pairs=plan.n_pairs, words_per_pair=plan.words_per_pair, n_phases=plan.n_phases,
        n_phase_rows=max(1, plan.n_phases), n_neurons=plan.n_neurons, n_normals=neuron.n_normals(input_dim),
        n_uniforms=neuron.n_uniforms, n_cells=N_CELLS, output_round=philox.OUTPUT_ROUND,
        alone=_ALONE.format(lanes=LANES, n_neurons=plan.n_neurons) if is_alone else "",
        is_used="k == chosen" if is_alone else f"k < width - {plan.n_neurons} * round",
        add_neuron=indent("\n".join([*draws, *terms, *body]) + "\n", " " * 4),
        has_bias="bias != 0" if by_network else "bias > 0", give=_GIVE if given else "",
        terms_in="" if functions is None else ", const double* known, double* terms",
        more=given + (functions_source(functions) if functions else ""),
        terms="" if functions is None else ", known, terms", clear="" if functions is None else _CLEAR,
        **{f: f"{f if f == 'log' else f + '_quarter'}_f{dtype[5:]}" for f in ("log", "cos", "sin")},
    )  # fmt: skip
    return library({"log", "cos_quarter", "sin_quarter"} | used, dtype) + text


def sums_source(layout: SumLayout, n_fields: str = "N_FIELDS") -> str:
    """Return the text of what a thread adds to the sums of monomials, of variables whose number is called so."""
    return _SUMS.substitute(
        unroll_fields=_unroll_fields(layout.n_fields), lanes=layout.lanes, n_rows=layout.n_rows,
        n_monomials=layout.n_monomials, n_parts=layout.n_parts, n_fields=n_fields,
    )  # fmt: skip


def _unroll_fields(n_fields: int) -> str:
    """Return how loops over fields are compiled: unrolled ones keep the fields in registers."""
    return "UNROLL" if n_fields <= _UNROLLED_FIELDS else "ROLL"


def _given_numbers(neuron: Neuron, input_dim: int, plan: Round) -> str:
    """Return the function that turns the normals of a round into parameters, see :class:`LaneRows`."""
    spread, deviation, mean = range(LaneRows.constants, LaneRows.constants + 3)
    lines = ["UNROLL" if input_dim <= _UNROLLED_DIMS else "ROLL", f"for (int mu = 0; mu < {input_dim}; mu++)"]
    lines.append(f"    own[{neuron.n_outputs} + mu] *= numbers[{LaneRows.input_scale}];")
    if neuron.bias == "normal":
        shift = f"own[{neuron.n_outputs + input_dim}]"
        lines.append(f"{shift} = {shift} * numbers[{spread}] + numbers[{LaneRows.base}];")
    if neuron.has_mean:
        lines += [f"own[{a}] = own[{a}] * numbers[{deviation}] + numbers[{mean}];" for a in range(neuron.n_outputs)]
    return _GIVEN_NUMBERS.format(
        unroll="UNROLL" if plan.n_words <= _UNROLLED_WORDS else "ROLL", n_neurons=plan.n_neurons,
        n_normals=neuron.n_normals(input_dim), lines=indent("\n".join(lines) + "\n", " " * 8),
    )  # fmt: skip


def _argument_body(
    neuron: Neuron, input_dim: int, dtype: str, unroll: str, by_network: bool
) -> tuple[list[str], set[str]]:
    """Return the statements that add a Neuron to the field, and the elementary functions in use.

    Normals are parameters already where networks have numbers of their own.
    """
    used = set() if neuron.activation in EXPRESSIONS else {neuron.activation}
    value = EXPRESSIONS.get(neuron.activation, f"{neuron.activation}_f{dtype[5:]}(a)")
    factor, slope = ("", f"constants[{LaneRows.slope}] * ") if by_network else ("constants[0] * ", "")
    shift = {"phase": ["phases[0]"], "none": []}.get(neuron.bias, [f"{factor}normals[{neuron.n_outputs + input_dim}]"])
    offset = [f"{slope}offsets[i]"] if neuron.has_offset else []
    has_mean = neuron.has_mean and not by_network
    weights = [
        f"(normals[{a}] * constants[1] + constants[2])" if has_mean else f"normals[{a}]"
        for a in range(neuron.n_outputs)
    ]
    lines = [
        f"real a = {' + '.join(shift + offset) or '0'};",
        "UNROLL" if input_dim <= _UNROLLED_DIMS else "ROLL",
        f"for (int mu = 0; mu < {input_dim}; mu++)",
        f"    a += normals[{neuron.n_outputs} + mu] * points[i * {input_dim} + mu];",
        f"const real h = {value};",
        *(f"field[{a} * N_POINTS + i] += {w} * h;" for a, w in enumerate(weights)),
    ]
    return _over_points(lines, unroll), used


def _over_points(lines: list[str], unroll: str) -> list[str]:
    return [unroll, "for (int i = 0; i < N_POINTS; i++) {", *(f"    {line}" for line in lines), "}"]


def _feature_body(neuron: FeatureNeuron, dtype: str, unroll: str) -> list[str]:
    """Return the statements that add a FeatureNeuron to the field."""
    names = {s: f"p{j}" for j, s in enumerate(neuron.parameters)}
    coordinates = {s: f"x{mu}" for mu, s in enumerate(neuron.coordinates)}
    amplitude, rest = neuron.factors
    before, factor = printed_statements(amplitude, "cuda", dtype, names)
    inside, value = printed_statements(rest, "cuda", dtype, names | coordinates)
    dim = len(coordinates)
    loads = [f"const real x{mu} = points[i * {dim} + {mu}];" for s, mu in zip(coordinates, range(dim), strict=True)
             if rest.has(s)]  # fmt: skip
    lines = [*loads, *inside, f"const real h = {value};"]
    lines += [f"field[{a} * N_POINTS + i] += weight{a} * h;" for a in range(neuron.n_outputs)]
    weights = [f"const real weight{a} = w{a} * amplitude;" for a in range(neuron.n_outputs)]
    return [*before, f"const real amplitude = {factor};", *weights, *_over_points(lines, unroll)]


def _draws(neuron: FeatureNeuron, dtype: str, first: int) -> list[str]:
    """Return the statements that make output weights ``w0, w1 ...`` and parameters ``p0, p1 ...``.

    Their numbers begin at number ``first`` of the constants.
    """
    middle = "0x1p-33" if dtype == "float64" else "0.5f"
    lines: list[str] = []
    number, normal, uniform, table, parameter = first, 0, 0, 0, 0
    for a, draw in enumerate(neuron.draws):
        names = [f"w{a}"] if a < neuron.n_outputs else [f"p{parameter + j}" for j in range(len(draw.symbols))]
        parameter += 0 if a < neuron.n_outputs else len(draw.symbols)
        given = [f"constants[{number + j}]" for j in range(draw.n_numbers)]
        raw = [f"normals[{normal + j}]" for j in range(draw.n_normals)]
        spline = f"interpolate(tables + {4 * N_CELLS * table}, {', '.join(given)}, "
        if draw.rule == "normal":
            lines.append(f"const real {names[0]} = {given[0]} + {given[1]} * {raw[0]};")
        elif draw.rule == "uniform":
            lines.append(f"const real {names[0]} = {given[0]} + {given[1]} * (phases[{uniform}] + {middle});")
        elif draw.rule == "constant":
            lines.append(f"const real {names[0]} = {given[0]};")
        elif draw.rule == "map":
            lines.append(f"const real {names[0]} = {spline}{raw[0]});")
        else:
            length = f"sqrt({' + '.join(f'{r} * {r}' for r in raw)})"
            lines.append(f"const real factor{a} = {spline}{length});")
            lines += [f"const real {name} = {r} * factor{a};" for name, r in zip(names, raw, strict=True)]
        normal, uniform = normal + draw.n_normals, uniform + draw.n_uniforms
        number, table = number + draw.n_numbers, table + draw.n_tables
    return lines
