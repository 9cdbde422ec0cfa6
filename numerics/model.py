"""NetworkModel: how the networks of an architecture with numbers for all parameters are drawn and evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.distributions import Constant, Distribution, Gaussian, Uniform, UniformPhase
from diagrams.features import Feature
from diagrams.momenta import MODULUS, RadialDistribution
from diagrams.symbols import coordinates
from diagrams.typing import Expr
from numerics.kernels import NEURONS, Neuron
from numerics.kernels.features import Draw, FeatureNeuron
from numerics.transport import N_CELLS, Transport, quantile_map, radial_map

Floats: TypeAlias = NDArray[np.float64]
Number: TypeAlias = Any  # a float, or an array with one number for each network

#: Densities drawn by a rule whose numbers may differ between networks; others are drawn by a spline.
DRAWN_BY_NUMBERS = (Gaussian, Uniform, UniformPhase, Constant)


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """What a backend needs to draw and evaluate the networks of one architecture.

    In array code, and for the kernel of :mod:`numerics.kernels.mixed`, every number may be an array with one number
    for each network; for that kernel the width, too.

    Parameters
    ----------
    neuron : Neuron or FeatureNeuron
        How a hidden neuron is drawn and evaluated.
    input_dim : int
        Components of a point.
    width : int
        Neurons per network.
    input_scale : float
        Factor on the coordinates that makes w.x of standard normal w the argument of the activation (Neuron only).
    output_scale : float
        Factor on the sum over neurons: the standard deviation of an output weight where weights are drawn as standard
        normals, else one.
    output_bias : float
        Standard deviation of the output bias.
    constants : tuple of float
        For a Neuron: standard deviation of the hidden bias, then standard deviation and mean of an output weight. For
        a FeatureNeuron the numbers of its draws.
    offset : pair of float
        The offset of the argument is ``offset[0] + offset[1] |x|^2``.
    tables : tuple of Transport
        Splines of the draws of a FeatureNeuron.
    """

    neuron: Neuron | FeatureNeuron
    input_dim: int
    width: Any  # int, or an array of them
    input_scale: Number
    output_scale: Number
    output_bias: Number
    constants: tuple[Number, ...] = (0.0, 1.0, 0.0)
    offset: tuple[Number, Number] = (0.0, 0.0)
    tables: tuple[Transport, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return self.neuron.n_outputs

    @classmethod
    def of(cls, architecture: Architecture) -> NetworkModel:
        """Return the model of an architecture with numbers for all parameters.

        Raises
        ------
        ValueError
            If a parameter is still symbolic.
        NotImplementedError
            If the networks of the architecture cannot be drawn.
        """
        architecture.parameter_values()
        return model_of(architecture)

    def offsets(self, xp: Any, points: Any) -> Any:
        """Return what is added to the argument at each point: (n_points,), or (n, n_points) for numbers per network."""
        squares = (points * points).sum(axis=-1)
        constant, slope = (xp.asarray(v, dtype=xp.float64)[..., None] for v in self.offset)
        return constant + slope * squares

    def arrays(self, points: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return scaled points, offsets, constants and tables, as the compiled kernel takes them."""
        tables = [t.coefficients for t in self.tables] or [np.zeros((N_CELLS, 4))]
        return points * self.input_scale, self.offsets(np, points), np.array(self.constants), np.array(tables)

    @property
    def lane_rows(self) -> tuple[Number, ...]:
        """The numbers in the order of :class:`~numerics.kernels.LaneRows`."""
        return (self.input_scale, self.output_scale, self.output_bias, *self.offset, *self.constants)

    def slice(self, start: int, stop: int) -> NetworkModel:
        """Return the model of a range of networks, where numbers are given for each network."""

        def cut(value: Number) -> Number:
            return value[start:stop] if np.ndim(value) else value

        return replace(
            self,
            input_scale=cut(self.input_scale), output_scale=cut(self.output_scale), output_bias=cut(self.output_bias),
            constants=tuple(map(cut, self.constants)), offset=(cut(self.offset[0]), cut(self.offset[1])),
        )  # fmt: skip


def number(value: Expr, values: dict[sympy.Symbol, Floats] | None = None) -> Number:
    """Return an expression as a float, or as an array where symbols have one number for each network."""
    expression = sympy.sympify(value)
    if not values or not (used := sorted(expression.free_symbols & set(values), key=str)):
        return float(expression)
    return np.asarray(_function(tuple(used), expression)(*(values[s] for s in used)), dtype=np.float64)


@lru_cache(maxsize=256)
def _function(symbols: tuple[sympy.Symbol, ...], expression: Expr) -> Any:
    return sympy.lambdify(symbols, expression, "numpy")


def model_of(architecture: Architecture, values: dict[sympy.Symbol, Floats] | None = None) -> NetworkModel:
    """Return the model of an architecture whose remaining symbols have one value for each network.

    Parameters
    ----------
    architecture : Architecture
    values : mapping from symbol to array (n_networks,), optional
        That of the width holds integers.

    Raises
    ------
    NotImplementedError
        If the networks cannot be drawn.
    """
    width = number(architecture.width, values)
    width = np.rint(width).astype(np.int64) if np.ndim(width) else int(width)
    bias = number(architecture.sigma_b1, values)
    weight = output_law(architecture)
    kind = NEURONS.get(architecture.feature.name)
    laws = None if kind is None or architecture.means else _standard_laws(architecture.feature)
    if kind is not None and isinstance(weight, Gaussian) and laws is not None:
        return _argument_model(architecture, kind, weight, laws, bias, width, values)
    return _feature_model(architecture, bias, width, values)


def output_law(architecture: Architecture, output: int = 0) -> Distribution:
    """Return the density of one weight of an output."""
    return architecture.readout_of(output).scaled(1 / sympy.sqrt(architecture.width))


def _standard_laws(feature: Feature) -> tuple[Gaussian, Distribution | None] | None:
    """Return weights and bias if they are what the kernels of :data:`NEURONS` draw."""
    laws = [law for _, law in feature.distributions]
    if not isinstance(laws[0], Gaussian) or laws[0].mean != 0 or len(laws) > 2:
        return None
    wanted = UniformPhase if feature.name == "cos" else Gaussian
    if feature.name == "cos" and len(laws) < 2:
        return None
    return (laws[0], laws[1] if len(laws) > 1 else None) if all(isinstance(b, wanted) for b in laws[1:]) else None


def _argument_model(
    architecture: Architecture,
    kind: Neuron,
    weight: Gaussian,
    laws: tuple[Gaussian, Distribution | None],
    bias: Number,
    width: Any,
    values: dict[sympy.Symbol, Floats] | None,
) -> NetworkModel:
    weights, hidden = laws
    has_mean = weight.mean != 0
    deviation = number(sympy.sqrt(weight.variance), values)
    spread = hidden.variance if isinstance(hidden, Gaussian) else sympy.S.Zero
    shape = {"n_outputs": architecture.output_dim, "has_mean": has_mean} | ({"bias": "none"} if hidden is None else {})
    scale = number(sympy.sqrt(weights.variance), values) * kind.argument_unit
    offset = (number(-spread, values), number(-weights.variance, values)) if kind.has_offset else (0.0, 0.0)
    return NetworkModel(
        replace(kind, **shape), architecture.input_dim, width, scale,
        1.0 if has_mean else deviation, bias,
        (number(sympy.sqrt(spread), values), deviation, number(weight.mean, values)), offset,
    )  # fmt: skip


def _feature_model(
    architecture: Architecture, bias: Number, width: Any, values: dict[sympy.Symbol, Floats] | None
) -> NetworkModel:
    feature, dim = architecture.feature, architecture.input_dim
    # numbered, so that the neurons of equal architectures are equal and share their compiled kernel
    readouts = tuple((sympy.Dummy(f"W1_{a}", dummy_index=a),) for a in range(architecture.output_dim))
    # where networks have widths of their own, weights are drawn as for one neuron: one spline is enough for all widths
    has_widths = bool(np.ndim(width))
    output_scale = number(1 / sympy.sqrt(architecture.width), values) if has_widths else 1.0
    weights = [architecture.readout_of(a) if has_widths else output_law(architecture, a) for a in range(len(readouts))]
    blocks = [*zip(readouts, weights, strict=True), *feature.distributions]
    draws: list[Draw] = []
    constants: list[Number] = []
    tables: list[Transport] = []
    for symbols, law in blocks:
        for draw, numbers, spline in _draws(tuple(symbols), law, values):
            draws.append(draw)
            constants += numbers
            tables += spline
    places = coordinates(1, dim)
    expression = sympy.nsimplify(e, rational=True) if (e := feature.expression(places)).has(sympy.Float) else e
    for shared in sorted(expression.free_symbols & set(values or {}), key=str):
        draws.append(Draw("constant", (shared,)))
        constants.append(number(shared, values))
    neuron = FeatureNeuron(feature.name, tuple(draws), architecture.output_dim, expression, places)
    return NetworkModel(neuron, dim, width, 1.0, output_scale, bias, tuple(constants), tables=tuple(tables))


def _draws(
    symbols: tuple[sympy.Symbol, ...], law: Distribution, values: dict[sympy.Symbol, Floats] | None
) -> list[tuple[Draw, list[Number], list[Transport]]]:
    """Return the rules for a block of parameters, each with its numbers and splines."""
    if isinstance(law, Gaussian):
        numbers = [number(law.mean, values), number(sympy.sqrt(law.variance), values)]
        return [(Draw("normal", (s,)), numbers, []) for s in symbols]
    if isinstance(law, (Uniform, UniformPhase)):
        lower, upper = law.support
        numbers = [number(lower, values), number(upper - lower, values)]
        return [(Draw("uniform", (s,)), numbers, []) for s in symbols]
    if isinstance(law, Constant):
        return [(Draw("constant", (s,)), [number(law.value, values)], []) for s in symbols]
    if law.free_symbols:
        raise NotImplementedError(
            f"{law} has random parameters {sorted(map(str, law.free_symbols))}: a density shared by a mixture can be "
            "Gaussian, uniform or constant"
        )
    if isinstance(law, RadialDistribution):
        table = _spline(law)
        return [(Draw("radial", symbols), [table.low, table.inverse_step], [table])]
    table = spline_of(law)
    return [(Draw("map", (s,)), [table.low, table.inverse_step], [table]) for s in symbols]


def spline_of(law: Distribution) -> Transport:
    """Return the map that makes a draw of a one-dimensional density of a standard normal."""
    return _spline(law)


def _spline(law: Distribution) -> Transport:
    try:
        hash(law)
    except TypeError:
        return _made_spline(law)
    return _kept_spline(law)


@lru_cache(maxsize=64)
def _kept_spline(law: Distribution) -> Transport:
    return _made_spline(law)


def _made_spline(law: Distribution) -> Transport:
    if isinstance(law, RadialDistribution):
        return radial_map(_array_function(MODULUS, law.profile), float(law.radius), law.dim)
    x = sympy.Dummy("x", real=True)
    density = _array_function(x, law.density(x))
    lower, upper = (float(end) for end in law.support)
    return quantile_map(density, lower, upper)


def _array_function(x: sympy.Symbol, expression: Expr) -> Any:
    function = sympy.lambdify(x, sympy.sympify(expression), ["numpy", "scipy"])
    return lambda values: np.broadcast_to(np.asarray(function(values), dtype=np.float64), np.shape(values))
