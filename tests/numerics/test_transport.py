"""Parameters of any density from standard normals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from numerics.transport import Transport, quantile_map, radial_map

Z = np.random.default_rng(0).normal(size=2000) * 2

CASES = {
    "shifted normal": (lambda x: np.exp(-((x - 1e3) ** 2) / 2), -np.inf, np.inf, lambda z: 1e3 + z),
    "uniform": (np.ones_like, -2.0, 3.0, lambda z: -2 + 5 * special.ndtr(z)),
    "exponential": (lambda x: np.exp(-x / 3), 0.0, np.inf, lambda z: -3 * special.log_ndtr(-z)),
    "mirrored": (lambda x: np.exp(x), -np.inf, 0.0, special.log_ndtr),
    "logistic": (stats.logistic.pdf, -np.inf, np.inf, lambda z: special.logit(special.ndtr(z))),
    "Cauchy": (stats.cauchy.pdf, -np.inf, np.inf, lambda z: np.tan(np.pi * (special.ndtr(z) - 0.5))),
}


@pytest.mark.parametrize("name", CASES)
def test_quantile_maps(name):
    density, lower, upper, exact = CASES[name]
    z = Z[np.abs(Z) < 5]
    found = quantile_map(density, lower, upper)(np, z)
    np.testing.assert_allclose(found, exact(z), rtol=1e-6 if name == "Cauchy" else 1e-9, atol=1e-10)


def test_densities_need_no_norm_and_stay_in_their_support():
    one, five = (quantile_map(lambda x, c=c: c * x, 0.0, 2.0) for c in (1.0, 5.0))
    np.testing.assert_allclose(one(np, Z), five(np, Z), rtol=1e-12)
    np.testing.assert_allclose(one(np, Z), 2 * np.sqrt(special.ndtr(Z)), atol=1e-9)
    ends = one(np, np.array([-50.0, 50.0]))
    assert 0 <= ends[0] < 1e-9
    assert ends[1] == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_radial_maps(dimension):
    g = np.random.default_rng(dimension).normal(size=(3000, dimension)) * 1.5
    rho = np.linalg.norm(g, axis=1)
    uniform = radial_map(np.ones_like, 2.5, dimension)(np, rho)
    np.testing.assert_allclose(uniform * rho, 2.5 * stats.chi(dimension).cdf(rho) ** (1 / dimension), atol=1e-9)
    normal = radial_map(lambda k: np.exp(-(k**2) / 8), 60.0, dimension)(np, rho)
    np.testing.assert_allclose(normal, 2.0, rtol=1e-8)  # a Gaussian of deviation 2 is twice a standard one
    assert float(radial_map(np.ones_like, 2.5, dimension)(np, np.zeros(1))[0]) == pytest.approx(uniform.max(), rel=0.2)


def test_splines_in_float32_and_at_their_ends():
    spline = Transport.through(-1.0, 1.0, np.linspace(-1, 1, 65) ** 3)
    z = np.linspace(-1.5, 1.5, 31)
    np.testing.assert_allclose(spline(np, z), np.clip(z, -1, 1) ** 3, atol=1e-12)
    single = spline(np, z.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, np.clip(z, -1, 1) ** 3, atol=1e-6)


@pytest.mark.parametrize("density", [np.zeros_like, lambda x: np.full_like(x, np.inf), lambda x: x - 0.2])
def test_what_is_no_density(density):
    with pytest.raises(ValueError, match="the density on"):
        quantile_map(density, 0.0, 1.0)
