"""Vertex integrals over boxes: closed forms, homogeneous kernels, pyramids, all of space."""

import numpy as np
import pytest
from scipy import integrate

from diagrams import DivergentIntegralError, erf_net, gauss_net, relu_net
from numerics import CutoffWarning, lower, vertex_integrals
from numerics.kernels import index_tuples
from numerics.published import published_inputs, published_net
from numerics.rg import CUTOFFS
from numerics.vertex_boxes import _by_radius, _KernelOnPoints, cancelling_components

BIASED = {"N": 1, "sigma_w0": 1, "sigma_w1": 1, "sigma_b0": 1}


def direct(net, x, n, cutoff, weight=0):
    """Nested adaptive quadrature of one integrand per index tuple."""
    eft = net.eft()
    kernel = lower(eft.weight_kernel, arguments=eft.arguments, backend="numpy")
    found = []
    for row in index_tuples(len(x), n):

        def f(*y, row=row):
            k = kernel(x[row], np.array(y)[None])
            return float(np.prod(k)) * float(np.sum(np.square(y))) ** (weight // 2)

        ranges = [[-cutoff, cutoff]] * x.shape[1]
        found.append(integrate.nquad(f, ranges, opts={"epsabs": 1e-10, "epsrel": 1e-9, "limit": 200})[0])
    return np.array(found)


@pytest.mark.parametrize("weight", [0, 2])
@pytest.mark.parametrize("name", ["relu", "erf", "gauss", "relu with bias"])
def test_one_dimension_against_adaptive_quadrature(name, weight):
    net = relu_net().at(**BIASED) if "bias" in name else published_net(name, width=1)
    x = np.array([[-0.7], [0.4], [1.1]])
    found = vertex_integrals(net, x, 4, 3.0, weight=weight)
    np.testing.assert_allclose(found.values[0], direct(net, x, 4, 3.0, weight), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_two_dimensions_against_adaptive_quadrature(name):
    net, x = published_net(name, 2, width=1), np.array([[0.5, 1.0], [-0.3, 0.8]])
    found = vertex_integrals(net, x, 2, 2.0)
    np.testing.assert_allclose(found.values[0], direct(net, x, 2, 2.0), rtol=1e-7)


@pytest.mark.parametrize("dim", [2, 3])
def test_general_route_finds_the_power_of_a_homogeneous_kernel(dim):
    """The pyramids know nothing of homogeneity: the same integrals, and slopes 6 and 7 to 1e-6."""
    net, x = published_net("relu", dim, width=1), published_inputs("relu", dim)
    exact = vertex_integrals(net, x, 4, CUTOFFS)
    assert exact.method == "homogeneous kernel"
    found = _by_radius(_KernelOnPoints(net.eft(), x), 4, np.array(CUTOFFS), 0, None, 12)
    np.testing.assert_allclose(found, exact.values, rtol=2e-6)
    slopes = np.polyfit(np.log(CUTOFFS), np.log(found), 1)[0]
    np.testing.assert_allclose(slopes, 4 + dim, atol=1e-6)


def test_closed_form_is_used_where_it_is_known():
    net, x = published_net("relu", width=1), published_inputs("relu")
    found = vertex_integrals(net, x, 4, [10.0, 100.0])
    products = np.prod(x[index_tuples(6, 4)][..., 0], axis=1)
    np.testing.assert_allclose(found.values, np.outer([1e5, 1e10], products) / 80, rtol=1e-14)
    assert found.method == "closed form"
    assert vertex_integrals(relu_net().at(**BIASED), x, 4, 10.0).method == "cubature"


def test_all_of_space():
    gauss, x = published_net("gauss", width=1), published_inputs("gauss")
    far, everywhere = vertex_integrals(gauss, x, 4, [40.0, np.inf]).values
    np.testing.assert_allclose(far, everywhere, rtol=1e-13)
    squares = vertex_integrals(gauss, x, 4, [40.0, np.inf], weight=2)  # no closed form
    np.testing.assert_allclose(*squares.values, rtol=1e-9)
    with pytest.raises(DivergentIntegralError, match="finite cutoff"):
        vertex_integrals(published_net("erf", width=1), published_inputs("erf"), 4, np.inf)


def test_order_of_cutoffs_does_not_matter():
    net, x = erf_net().at(**BIASED), published_inputs("erf")
    lengths = [50.0, 7.0, 200.0]
    found = vertex_integrals(net, x, 4, lengths).values
    one = np.concatenate([vertex_integrals(net, x, 4, c).values for c in lengths])
    np.testing.assert_allclose(found, one, rtol=1e-8, atol=1e-10)


def test_components_without_a_leading_power():
    """Three equal inputs and one at a right angle: odd under a reflection, so the leading power is absent."""
    net = erf_net(input_dim=2).at(**BIASED)
    x = np.array([[1.0, 1.0], [1.0, -1.0]])
    found = cancelling_components(net, x, 4, 1e4)
    assert found.tolist() == [False, True, False, True, False]
    assert not cancelling_components(gauss_net().at(**BIASED), x[:, :1], 4, 10.0).any()


def test_bad_input():
    net, x = published_net("relu", width=1), published_inputs("relu")
    with pytest.warns(CutoffWarning, match="inside the input points"):
        vertex_integrals(net, x, 4, 0.5)
    for wrong in ({"cutoffs": -1.0}, {"cutoffs": 0.0}, {"cutoffs": float("nan")}):
        with pytest.raises(ValueError, match="cutoffs must be positive"):
            vertex_integrals(net, x, 4, **wrong)
    with pytest.raises(ValueError, match="even"):
        vertex_integrals(net, x, 3, 10.0)
    with pytest.raises(ValueError, match="even"):
        vertex_integrals(net, x, 4, 10.0, weight=1)
    with pytest.raises(ValueError, match="no numbers"):
        vertex_integrals(published_net("relu"), x, 4, 10.0)
