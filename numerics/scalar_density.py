r"""The density of a deformed free scalar net as arrays, for samplers that need its gradient or its conditional moments.

.. math:: P(z, k, c) \propto e^{-z^2/2}\, \prod_i (k_i^2 + m^2)^{-s}\, \theta(\Lambda - |k_i|)\, e^{-\Delta S[\phi]},
          \qquad \phi_a(x) = \frac{1}{\sqrt N} \sum_i z_{ai} A(|k_i|) \cos(k_i \cdot x + c_i)

Several fields share momenta and phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, log, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagrams.architectures import Architecture
from diagrams.distributions import Gaussian
from diagrams.engineering import FieldDeformed
from diagrams.momenta import MODULUS
from diagrams.scalar_feature import ScalarFeature
from numerics.field_functionals import Powers
from numerics.kernels.cpu import monomial_tables
from numerics.kernels.scalar_chains import ChainKernels, chain_kernels
from numerics.propagators import CutoffPropagator
from numerics.sources import Networks

if TYPE_CHECKING:
    from numerics.ensemble import Ensemble

Floats = NDArray[np.float64]
Place = tuple[int, int, int]  # block, first network, number of networks

LANES = 64  # neurons are padded to a multiple of this, as the compiled kernel wants them
_MAX_PARTS = 4  # highest derivative of the interaction that the kernel sums
_RADIAL_NODES = 200
_REFINEMENTS = (0.3, 0.4, 0.5, 0.6, 0.75)  # of the quadrature, the first that is good enough is taken


@dataclass(frozen=True, eq=False)
class ScalarDensity:
    """A free scalar net with a local interaction, made by :meth:`of`.

    Parameters
    ----------
    ensemble : Ensemble
        Where networks without the interaction come from.
    mass, radius : float
        m, and the radius Lambda of the ball of momenta.
    constant, power : float
        The amplitude is ``constant (k^2 + m^2)^(-power)``.
    exponent : float
        s.
    starts, step, table : arrays (n_lines, dim), float, (n_lines, n_steps, degree + 1)
        Lines of quadrature nodes, and the polynomial of the field at each, weights included.
    quadrature_error : float
        Largest error of Delta S among test networks.
    powers : tuple of tuples of int
        For several fields the powers of each in the monomials that ``table`` multiplies.
    """

    ensemble: Ensemble
    mass: float
    radius: float
    constant: float
    power: float
    exponent: float
    starts: Floats
    step: float
    table: Floats
    quadrature_error: float
    powers: Powers = ()

    @classmethod
    def of(cls, ensemble: Ensemble) -> ScalarDensity:
        """Return the density of an ensemble.

        Raises
        ------
        ValueError
            If the ensemble is not a free scalar net with Gaussian output weights and a local interaction.
        """
        from numerics.field_deformation import FieldValues

        net = _checked(ensemble)
        net.parameter_values()
        feature = net.base.feature
        mass, radius = float(feature.mass), float(feature.momenta.radius)
        exponent = _exponent(feature, mass, radius)
        power = (1 - exponent) / 2
        squared = float(feature.squared_amplitude.subs(MODULUS, radius))
        constant = squared**0.5 * (radius**2 + mass**2) ** power
        values = FieldValues(ensemble, np.empty((0, net.input_dim)), [net.interaction])
        functional, error = values.sparsest(_REFINEMENTS)
        starts, step, table = _lines(functional)
        return cls(ensemble, mass, radius, constant, power, exponent, starts, step, table, error, functional.powers)

    @property
    def width(self) -> int:
        """N."""
        return int(self.ensemble.architecture.width)

    @property
    def n_fields(self) -> int:
        """Components of the field."""
        return len(self.powers[0]) if self.powers else 1

    @property
    def kernels(self) -> ChainKernels:
        """The compiled kernels for this density."""
        return chain_kernels(self.powers)

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return int(self.starts.shape[1])

    @property
    def law(self) -> Floats:
        """What the kernel wants to know: m^2, constant, power, s, N."""
        return np.array([self.mass**2, self.constant, self.power, self.exponent, float(self.width)])

    @property
    def grid(self) -> tuple[Floats, Floats, float, Floats]:
        """Arguments of the kernel that describe the density: law, starts, step, table."""
        return self.law, self.starts, self.step, self.table

    def draw(self, place: Place) -> tuple[Floats, Floats, Floats]:
        """Return z (count, n_fields n), k (count, dim, n) and c (count, n) without the interaction.

        n is a multiple of LANES.
        """
        from numerics.kernels.parameters import drawn_parameters

        source = self.ensemble._source
        assert isinstance(source, Networks)
        block, start, count = place
        drawn = drawn_parameters(source.model, block=block, start=start, count=count, seed=source.seed)
        weights, hidden = drawn[: self.n_fields], drawn[self.n_fields :]
        n = -(-self.width // LANES) * LANES
        z, k, c = np.zeros((count, self.n_fields * n)), np.zeros((count, self.input_dim, n)), np.zeros((count, n))
        for a, weight in enumerate(weights):
            z[:, a * n : a * n + self.width] = weight * self.width**0.5
        for mu in range(self.input_dim):
            k[:, mu, : self.width] = hidden[mu]
        c[:, : self.width] = hidden[self.input_dim]
        return z, k, c

    def propagator(self, points: Floats) -> Floats:
        """Return the two-point function without the interaction at all pairs of points, shape (n, n)."""
        return CutoffPropagator(self.input_dim, self.mass, self.radius).between(points, points)

    @cached_property
    def mean_square_distance(self) -> float:
        """Average of x^2 over the nodes, by the sizes of their weights."""
        n_steps = self.table.shape[1]
        size = np.abs(self.table).max(axis=2)
        along = self.starts[:, None, 0] + self.step * np.arange(n_steps)
        square = along**2 + (self.starts[:, None, 1:] ** 2).sum(axis=2)
        return float((size * square).sum() / size.sum()) if size.sum() > 0 else 0.0

    @cached_property
    def mean_interaction(self) -> float:
        """The exact average of Delta S over networks without the interaction, by one radial quadrature."""
        powers = self.powers or tuple((n,) for n in range(self.table.shape[2]))
        neuron = [self._neuron_moment(n) for n in range(max(map(sum, powers)) + 1)]
        moments = _field_moments(neuron, self.width)
        # given momenta and phases all fields are Gaussian with one variance: only the pairings differ
        ways = [prod(map(_pairings, p)) / _pairings(sum(p)) if sum(p) % 2 == 0 else 0.0 for p in powers]
        return float(self.table.sum(axis=(0, 1)) @ (moments[[sum(p) for p in powers]] * ways))

    def _neuron_moment(self, n: int) -> float:
        if n % 2:
            return 0.0
        t, w = np.polynomial.legendre.leggauss(_RADIAL_NODES)
        # k = m sinh(y): the integrand is smooth where the cutoff is far above the mass
        top = float(np.arcsinh(self.radius / self.mass))
        y, w = top * (t + 1) / 2, top * w / 2
        k = self.mass * np.sinh(y)
        u = k**2 + self.mass**2
        density = w * self.mass * np.cosh(y) * k ** (self.input_dim - 1) * u**-self.exponent
        amplitude = self.constant * u**-self.power
        cosine = comb(n, n // 2) / 2.0**n
        return _pairings(n) * cosine * float(density @ amplitude**n / density.sum())


def tables(n_points: int, max_points: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tables of products of the kernel: two rows, and the degree of their product."""
    factors, products = monomial_tables(n_points, max_points)
    degrees = [g for g in range(1, max_points + 1) for _ in range(comb(n_points + g - 1, g))]
    column = np.array(degrees, dtype=np.int64)[:, None]
    n = len(factors)
    return np.hstack([factors, column[:n]]), np.hstack([products, column[n:]])


def check_parts(max_points: int) -> None:
    """Raise ValueError if conditional moments of so many points are not available."""
    if not 1 <= max_points <= _MAX_PARTS:
        raise ValueError(f"integration by parts goes up to max_points={_MAX_PARTS}, got {max_points!r}")


def _checked(ensemble: Ensemble) -> FieldDeformed:
    net = ensemble.architecture
    reason = None
    if not isinstance(net, FieldDeformed):
        reason = "it is not deformed by a local interaction"
    elif not isinstance(net.base, Architecture) or not isinstance(net.base.feature, ScalarFeature):
        reason = "its networks are not a free scalar_net"
    elif net.base.readout != Gaussian(1) or net.base.sigma_b1 != 0:
        reason = "its output weights are not standard normal numbers over sqrt(N)"
    elif net.interaction.bilocal:
        reason = "its interaction has a bilocal term"
    elif ensemble.backend != "numba" or ensemble.dtype != "float64":
        reason = f"they take networks of backend='numba' in float64, not {ensemble.backend!r} in {ensemble.dtype}"
    if reason:
        raise ValueError(
            f"no chains and no integration by parts for {net}: {reason}; "
            "Ensemble(net, n_nets=...).connected_correlators(x) reweights independent networks of any net"
        )
    assert isinstance(net, FieldDeformed)
    return net


def _exponent(feature: ScalarFeature, mass: float, radius: float) -> float:
    """Return s of a density of momenta (k^2 + m^2)^(-s), by its values."""
    modulus = radius * np.array([0.0, 0.37, 0.71, 1.0])
    density = np.array([float(feature.momenta.profile.subs(MODULUS, k)) for k in modulus])
    u = modulus**2 + mass**2
    s = -log(density[-1] / density[0]) / log(u[-1] / u[0])
    if not np.allclose(density * u**s, density[0] * u[0] ** s, rtol=1e-9):
        raise ValueError(
            f"the momenta of {feature} have no density (k^2 + m^2)^(-s): chains are for phi4_net(alpha=...)"
        )
    return s


def _lines(functional: Any) -> tuple[Floats, float, Floats]:
    """Return the quadrature nodes as lines of an even number of nodes."""
    table = functional.table[0]
    if len(functional.grids) == 1:
        grid = functional.grids[0]
        starts, step, n_steps = grid.starts, float(grid.step), grid.weights.shape[1]
    else:
        starts, step, n_steps = functional.nodes, 0.0, 1
    padded = np.zeros((len(starts), n_steps + n_steps % 2, table.shape[1]))
    padded[:, :n_steps] = table.reshape(len(starts), n_steps, -1)
    return np.ascontiguousarray(starts), step, padded


def _pairings(n: int) -> float:
    """Return (n - 1)!!, the moment of a standard normal; zero for odd n."""
    return 0.0 if n % 2 else float(np.prod(np.arange(1, n, 2)))


def _field_moments(neuron: Sequence[float], width: int) -> Floats:
    """Return the moments of (h_1 + ... + h_N)/sqrt(N) at a point from those of one neuron."""
    cumulants = _cumulants(neuron)
    scaled = [k * float(width) ** (1 - n / 2) for n, k in enumerate(cumulants)]
    moments = [1.0]
    for n in range(1, len(neuron)):
        moments.append(sum(comb(n - 1, j - 1) * scaled[j] * moments[n - j] for j in range(1, n + 1)))
    return np.array(moments)


def _cumulants(moments: Sequence[float]) -> list[float]:
    cumulants = [0.0]
    for n in range(1, len(moments)):
        rest = sum(comb(n - 1, j - 1) * cumulants[j] * moments[n - j] for j in range(1, n))
        cumulants.append(moments[n] - rest)
    return cumulants
