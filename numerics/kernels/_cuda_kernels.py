"""Source text of whole CUDA modules: which networks a thread takes, and where their sums go.

There are three kinds: networks of one density, networks with numbers of their own, and networks with functions of their
parameters, which are weights or further variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from textwrap import indent

from numerics.kernels import LaneRows, Neuron
from numerics.kernels._cuda_source import network_source, sums_source
from numerics.kernels._cuda_tilt_source import weighted_sums_source
from numerics.kernels._tilt_source import NetworkFunctions
from numerics.kernels.features import FeatureNeuron
from numerics.kernels.layout import SumLayout

_PARAMETERS = """
#define PARAMETERS int width, const real* __restrict__ points, const real* __restrict__ offsets, \\
    const real* __restrict__ constants, const real* __restrict__ tables, real scale, real bias, u32 key0, u32 key1
"""
_ARGUMENTS = """\
#define ARGUMENTS width, points, offsets, constants, tables, scale, bias, key0, key1
"""

# numbers are rows, one column for each network of a call, so that the threads of a block read neighbours
_OWN_PARAMETERS = """
#define PARAMETERS const int* __restrict__ widths, const real* __restrict__ points, \\
    const real* __restrict__ offsets, const real* __restrict__ numbers, const real* __restrict__ tables, \\
    long long n_networks, long long networks_per_block, u32 key0, u32 key1
#define ARGUMENTS widths[place], points, offsets, own, tables, own[{scale}], own[{bias}], key0, key1
enum {{ N_NUMBERS = {n_numbers} }};

DEVICE void load_numbers(const real* numbers, long long n_networks, long long place, real* own) {{
    UNROLL
    for (int j = 0; j < N_NUMBERS; j++) own[j] = numbers[j * n_networks + place];
}}
"""
_FUNCTION_PARAMETERS = """
#define PARAMETERS int width, const real* __restrict__ points, const real* __restrict__ offsets, \\
    const real* __restrict__ constants, const real* __restrict__ tables, real scale, real bias, u32 key0, u32 key1, \\
    const double* __restrict__ known, const double* __restrict__ shift
"""

_SUMS_OF_UNITS = Template("""
extern "C" __global__ void __launch_bounds__(LANES)
add_units(const long long* __restrict__ blocks, const long long* __restrict__ sizes, long long first_unit,
          long long units_per_block, long long n_units, PARAMETERS, const int* __restrict__ factors,
          const unsigned short* __restrict__ parts, double* __restrict__ partial) {
    __shared__ real rows[(N_ROWS + 1) * PITCH];
    for (long long u = blockIdx.x; u < n_units; u += gridDim.x) {
        const long long b = u / units_per_block, start = (first_unit + u % units_per_block) * $unit;
        const long long end = start + $unit < sizes[b] ? start + $unit : sizes[b];
        double* sums = partial + u * N_MONOMIALS;
        for (int m = threadIdx.x; m < N_MONOMIALS; m += LANES) sums[m] = 0;
        for (long long first = start; first < end; first += LANES) {
            const int count = end - first < LANES ? (int)(end - first) : LANES;
            if (threadIdx.x < count) {
                real field[$n_variables];
${before}                evaluate((u32)(first + threadIdx.x), (u32)blocks[b], ARGUMENTS, field$more);
${after}                fill_lane(threadIdx.x, field, factors, rows);
            }
            __syncthreads();
            add_monomials(threadIdx.x, count, rows, parts, sums);
            __syncthreads();
        }
    }
}

extern "C" __global__ void add_partial(const double* __restrict__ partial, long long units_per_block,
                                       long long n_sums, double* __restrict__ sums) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n_sums) return;
    const double* first = partial + i / N_MONOMIALS * units_per_block * N_MONOMIALS + i % N_MONOMIALS;
    double total = sums[i];
    for (long long u = 0; u < units_per_block; u++) total += first[u * N_MONOMIALS];
    sums[i] = total;
}
""")

_WEIGHTED_SUMS_OF_UNITS = Template("""
extern "C" __global__ void __launch_bounds__(LANES)
add_units(const long long* __restrict__ blocks, const long long* __restrict__ sizes, long long first_unit,
          long long units_per_block, long long n_units, PARAMETERS, const int* __restrict__ factors,
          const unsigned short* __restrict__ parts, double* __restrict__ partial) {
    __shared__ real rows[(N_ROWS + 2) * PITCH];
    __shared__ double logs[LANES], weights[LANES];
    for (long long u = blockIdx.x; u < n_units; u += gridDim.x) {
        const long long b = u / units_per_block, start = (first_unit + u % units_per_block) * $unit;
        const long long end = start + $unit < sizes[b] ? start + $unit : sizes[b];
        double* sums = partial + u * N_COLUMNS;
        double top = least_log();
        for (int column = 1 + threadIdx.x; column < N_COLUMNS; column += LANES) sums[column] = 0;
        for (long long first = start; first < end; first += LANES) {
            const int count = end - first < LANES ? (int)(end - first) : LANES;
            if (threadIdx.x < count) {
                real field[$n_variables];
${before}                evaluate((u32)(first + threadIdx.x), (u32)blocks[b], ARGUMENTS, field$more);
${after}                fill_lane(threadIdx.x, field, factors, rows);
                logs[threadIdx.x] = values[0];
            }
            __syncthreads();
            const double before = top;
            top = largest(top, logs, count);
            if (threadIdx.x < count) weigh_lane(threadIdx.x, weight_of(logs[threadIdx.x], top), weights, rows);
            __syncthreads();
            add_weighted(threadIdx.x, count, weight_of(before, top), weights, rows, parts, sums);
            __syncthreads();
        }
        if (threadIdx.x == 0) sums[0] = top;
    }
}

extern "C" __global__ void add_partial(const double* __restrict__ partial, long long units_per_block,
                                       long long n_sums, const double* __restrict__ before,
                                       double* __restrict__ sums) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n_sums) return;
    const long long row = i / N_COLUMNS;
    sums[i] = joined_sum((int)(i % N_COLUMNS), partial + row * units_per_block * N_COLUMNS, units_per_block,
                         before + row * N_COLUMNS);
}
""")

_SAMPLES = Template("""
extern "C" __global__ void __launch_bounds__(LANES)
sample_block(long long block, long long start, long long count, PARAMETERS, real* __restrict__ outputs$results) {
    const long long i = (long long)blockIdx.x * LANES + threadIdx.x;
    if (i >= count) return;
    real field[N_FIELDS];
${before}    evaluate((u32)(start + i), (u32)block, ARGUMENTS, field$more);
${after}    for (int f = 0; f < N_FIELDS; f++) outputs[i * N_FIELDS + f] = field[f];
}
""")


@dataclass(frozen=True)
class _Kind:
    """What a kind of networks adds to the text: statements before and after a network is evaluated, and arguments.

    The networks of a sum have a number ``first + threadIdx.x`` in block ``b`` of the call, those of a sample ``i``.
    """

    parameters: str
    more: str = ""
    n_variables: str = "N_FIELDS"
    results: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before_sample: tuple[str, ...] = ()
    after_sample: tuple[str, ...] = ()


def kernel_source(neuron: Neuron | FeatureNeuron, input_dim: int, n_points: int, dtype: str, layout: SumLayout) -> str:
    """Return the text of the CUDA module of a kind of neuron at a number of points.

    Parameters
    ----------
    neuron : Neuron or FeatureNeuron
    input_dim, n_points : int
    dtype : {"float64", "float32"}
    layout : SumLayout
        Of the sums of monomials.
    """
    text = network_source(neuron, input_dim, n_points, dtype) + sums_source(layout)
    return text + _kernels(_Kind(_PARAMETERS + _ARGUMENTS), layout)


def mixed_source(
    neuron: Neuron | FeatureNeuron, input_dim: int, n_points: int, dtype: str, layout: SumLayout, n_numbers: int
) -> str:
    """Return the text of the CUDA module of networks with widths and numbers of their own.

    Parameters
    ----------
    neuron, input_dim, n_points, dtype, layout
        As for :func:`kernel_source`.
    n_numbers : int
        Of each network, see :class:`~numerics.kernels.LaneRows`.
    """
    loads = ("real own[N_NUMBERS];", "load_numbers(numbers, n_networks, place, own);")
    place = f"b * networks_per_block + (first - first_unit * {layout.unit}) + threadIdx.x"
    kind = _Kind(
        _OWN_PARAMETERS.format(scale=LaneRows.output_scale, bias=LaneRows.output_bias, n_numbers=n_numbers),
        before=(f"const long long place = {place};", *loads), before_sample=("const long long place = i;", *loads),
    )  # fmt: skip
    text = network_source(neuron, input_dim, n_points, dtype, by_network=True) + sums_source(layout)
    return text + _kernels(kind, layout)


def tilted_source(
    neuron: Neuron | FeatureNeuron,
    input_dim: int,
    n_points: int,
    dtype: str,
    layout: SumLayout,
    functions: NetworkFunctions,
    is_weighted: bool,
) -> str:
    """Return the text of the CUDA module of networks with functions of their parameters.

    Parameters
    ----------
    neuron, input_dim, n_points, dtype, layout
        As for :func:`kernel_source`.
    functions : NetworkFunctions
    is_weighted : bool
        The first function is a log weight. Otherwise functions are variables after the fields.
    """
    n_sums, n_variables = max(1, len(functions.sums)), "N_FIELDS" if is_weighted else "(N_FIELDS + N_VALUES)"
    made = ("evaluate_functions(known, terms, values);",)
    shifted = "for (int j = 0; j < N_VALUES; j++) field[N_FIELDS + j] = (real)(values[j] - shift[j]);"
    kind = _Kind(
        _FUNCTION_PARAMETERS + _ARGUMENTS, more=", known, terms", n_variables=n_variables,
        results=", double* __restrict__ found",
        before=(declared := (f"double terms[{n_sums}], values[N_VALUES];",)), before_sample=declared,
        after=made if is_weighted else (*made, "UNROLL", shifted),
        after_sample=(*made, "for (int j = 0; j < N_VALUES; j++) found[j * count + i] = values[j];"),
    )  # fmt: skip
    text = network_source(neuron, input_dim, n_points, dtype, functions=functions) + sums_source(layout, n_variables)
    return text + (weighted_sums_source(layout) if is_weighted else "") + _kernels(kind, layout, is_weighted)


def _kernels(kind: _Kind, layout: SumLayout, is_weighted: bool = False) -> str:
    sums = (_WEIGHTED_SUMS_OF_UNITS if is_weighted else _SUMS_OF_UNITS).substitute(
        unit=layout.unit, n_variables=kind.n_variables, more=kind.more,
        before=_lines(kind.before, 16), after=_lines(kind.after, 16),
    )  # fmt: skip
    samples = _SAMPLES.substitute(
        more=kind.more, results=kind.results, before=_lines(kind.before_sample, 4), after=_lines(kind.after_sample, 4)
    )
    return kind.parameters + sums + samples


def _lines(lines: tuple[str, ...], depth: int) -> str:
    return indent("".join(f"{line}\n" for line in lines), " " * depth)
