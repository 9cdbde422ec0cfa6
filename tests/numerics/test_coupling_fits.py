"""Couplings of the effective action: point by point, by least squares, six points, naturalness."""

import json

import numpy as np
import pytest

from diagrams import DivergentIntegralError, cos_net, gauss_net, relu_net
from numerics import Ensemble, coupling_tensor, extract_couplings, naturalness, six_point_prediction
from numerics.coupling_fits import design
from numerics.field_data import field_data, full_moments, split_products, wick_sum
from numerics.kernels import index_tuples
from numerics.neuron_quadrature import exact_correlators
from numerics.published import published_inputs, published_net

RELU, X = published_net("relu", width=20), published_inputs("relu")


@pytest.fixture(scope="module")
def measured():
    return Ensemble(RELU, n_nets=400_000, seed=11).connected_correlators(X, max_points=6)


class TestWickSums:
    def test_pairings_of_numbers(self):
        x = np.zeros((1, 1))
        assert wick_sum(x, np.array([2.0]), 4) == 3 * 4
        assert wick_sum(x, np.array([2.0]), 6) == 15 * 8
        assert full_moments(x, np.array([2.0]), np.array([5.0]), np.array([7.0])) == 15 * 8 + 15 * 2 * 5 + 7

    def test_of_several_points_against_a_sum_over_pairings(self):
        from diagrams.cumulants import pairings

        rng = np.random.default_rng(0)
        a = rng.normal(size=(3, 3))
        k = a @ a.T
        for n in (4, 6):
            expected = [
                sum(np.prod([k[i[a], i[b]] for a, b in p]) for p in pairings(range(n))) for i in index_tuples(3, n)
            ]
            np.testing.assert_allclose(wick_sum(np.zeros((3, 1)), k[np.triu_indices(3)], n), expected)

    def test_splits_of_three(self):
        """Connected three-point functions in products: the ten ways to split six points."""
        x = np.zeros((1, 1))
        assert split_products(x, 6, 3, np.array([1.0]), np.array([1.0])) == 10


class TestTensor:
    def test_exact_value(self):
        """lambda = -12.5 / (N cutoff^5), and kappa = -(165/2) / (720/7/2^6) / (N^2 cutoff^7), at all inputs."""
        tensor = coupling_tensor(RELU, X, cutoff=100.0)
        np.testing.assert_allclose(tensor.values, -12.5 / 20 / 1e10, rtol=1e-12)
        assert tensor.spread < 1e-12
        assert tensor.mean_error == 0
        kappa = coupling_tensor(RELU, X, cutoff=100.0, n=6)
        np.testing.assert_allclose(kappa.values, -(165 / 2 / 400) / (720 / 7 / 64 * 1e14), rtol=1e-12)

    def test_measured(self, measured):
        tensor = coupling_tensor(RELU, measured, cutoff=100.0)
        assert abs(tensor.mean + 12.5 / 20 / 1e10) < 4 * tensor.mean_error
        assert tensor.mean_error < 0.05 * abs(tensor.mean)
        # the sign of the action, and the factor 24, are seen
        assert abs(tensor.mean - 12.5 / 20 / 1e10) > 10 * tensor.mean_error
        assert abs(tensor.mean + 4 * 12.5 / 20 / 1e10) > 10 * tensor.mean_error

    def test_spread_grows_with_the_dimension(self):
        spreads = [
            coupling_tensor(published_net("relu", d, width=20), published_inputs("relu", d), cutoff=100.0).spread
            for d in (1, 2, 3)
        ]
        assert spreads[0] < 1e-12 < spreads[1] < spreads[2]

    def test_noise_is_taken_out_of_the_spread(self):
        """Exact spread of the Gauss-net is 1e-4; what is measured is mostly noise, and recognised as such."""
        net, x = published_net("gauss", width=1000), published_inputs("gauss") * 30
        exact = coupling_tensor(net, x, cutoff=np.inf)
        found = coupling_tensor(
            net,
            Ensemble(net, n_nets=40_000, seed=1).connected_correlators(x, method="neuron", sampling="importance"),
            cutoff=np.inf,
        )
        assert found.intrinsic_spread <= found.spread
        assert found.intrinsic_spread < 3 * exact.spread + found.mean_error / abs(found.mean)

    def test_components_without_a_vertex(self):
        x = np.array([[-1.0], [1.0]])
        tensor = coupling_tensor(RELU, x, cutoff=10.0)
        assert np.isfinite(tensor.values).tolist() == [True, False, False, False, True]
        assert "left out" in str(tensor)


class TestFit:
    def test_design_against_the_definition(self):
        """d G_c / d coupling at zero, from the free theory: -n! I for a local vertex, -8 sum_3 I I for two of them."""
        x = np.array([[0.5], [1.0]])
        blocks = design(RELU, x, ("phi^4", "phi^2 phi^2"), 2.0)
        kernel = exact_correlators(RELU, x, 2)
        assert blocks[4].shape == (5, 2)
        i4, i2 = 1 / 16 * 2**5 / 5, 1 / 4 * 2**3 / 3
        assert blocks[4][-1] == pytest.approx([-24 * i4, -24 * i2**2])
        assert kernel[-1] == 0.5

    def test_recovers_couplings_that_were_put_in(self):
        """Synthetic correlators with correlated noise: values and errors, and chi^2 of the right size."""
        net, x = published_net("gauss", width=1000), published_inputs("gauss") * 50
        measured = Ensemble(net, n_nets=40_000, seed=2).connected_correlators(x, method="neuron", sampling="importance")
        names = ("phi^4", "x^2 phi^4")
        block = design(net, x, names, np.inf)[4]
        truth = np.array([-0.004, 0.006])
        data = measured.dataset.copy(deep=True)
        noise = np.random.default_rng(3).normal(size=measured.n_blocks) @ data["jackknife_4"].values
        data["cumulant_4"].values[:] = block @ truth + noise
        fit = extract_couplings(net, type(measured)(data), cutoff=np.inf, basis=names)
        assert np.abs((fit.values - truth) / fit.errors).max() < 4
        assert 1e-4 < fit.p_value < 1 - 1e-4
        wrong = extract_couplings(net, type(measured)(data), cutoff=np.inf, basis=("phi^4",))
        assert wrong.p_value < 1e-4

    def test_gauss_net_needs_a_nonlocal_operator(self):
        """Residuals fall with each operator; three of them describe the exact function to 1e-7."""
        net, x = published_net("gauss", width=1000), published_inputs("gauss")
        residuals = [
            extract_couplings(net, x, cutoff=np.inf, basis=basis).residual
            for basis in (("phi^4",), ("phi^4", "x^2 phi^4"), ("phi^4", "x^2 phi^4", "phi^2 phi^2"))
        ]
        assert 1e-3 > residuals[0] > residuals[1] > residuals[2]
        assert residuals[2] < 1e-7

    def test_held_out_inputs(self):
        net, x = published_net("erf", width=5), published_inputs("erf")
        poor, good = (
            extract_couplings(net, x, cutoff=100.0, basis=basis, test=0.7 * x).test
            for basis in (("phi^4",), ("phi^4", "x^2 phi^4", "phi^2 phi^2"))
        )
        assert good.mape < poor.mape
        assert good.max_ape < poor.max_ape
        assert good.mse < poor.mse
        relu = extract_couplings(RELU, X, cutoff=100.0, test=published_inputs("relu", held_out=True))
        assert relu.test.max_ape < 1e-9

    def test_kappa_is_fitted_with_the_covariance_of_both_orders(self, measured):
        fit = extract_couplings(RELU, measured, cutoff=100.0, basis=("phi^4", "phi^6"))
        exact = extract_couplings(RELU, X, cutoff=100.0, basis=("phi^4", "phi^6"))
        assert np.abs((fit.values - exact.values) / fit.errors).max() < 4
        assert fit.covariance[0, 1] != 0

    def test_what_is_shown(self, measured):
        fit = extract_couplings(RELU, measured, cutoff=100.0, basis="phi^4", test=X[:2])
        assert "phi^4" in str(fit)
        assert "held out" in fit._repr_html_()
        json.dumps(fit.to_dict())
        assert len(fit.plot().lines) > 1
        with pytest.raises(KeyError, match="no operator"):
            fit["phi^6"]
        with pytest.raises(ValueError, match="6-point"):
            fit.predicted(6)

    def test_bad_input(self, measured):
        for basis in (("phi^5",), (), ("phi^4", "phi^4")):
            with pytest.raises(ValueError, match="operators"):
                extract_couplings(RELU, X, cutoff=10.0, basis=basis)
        with pytest.raises(ValueError, match="cannot be told apart"):
            extract_couplings(RELU, X, cutoff=10.0, basis=("phi^4", "x^2 phi^4"))
        with pytest.raises(DivergentIntegralError):
            extract_couplings(published_net("erf", width=5), X, cutoff=np.inf)
        with pytest.raises(ValueError, match="measured on"):
            extract_couplings(RELU.__class__(**vars(published_net("relu", width=5))), measured, cutoff=10.0)
        four = Ensemble(RELU, n_nets=100, seed=1).connected_correlators(X)
        with pytest.raises(ValueError, match="max_points=6"):
            extract_couplings(RELU, four, cutoff=10.0, basis=("phi^6",))
        with pytest.raises(TypeError, match="Architecture"):
            extract_couplings("relu", X, cutoff=10.0)
        with pytest.raises(ValueError, match="one output"):
            field_data(relu_net(output_dim=2).at(N=2, sigma_w0=1, sigma_w1=1, sigma_b0=1), X, [4])
        with pytest.raises(ValueError, match="4 and 6"):
            coupling_tensor(RELU, X, cutoff=10.0, n=8)


class TestSixPoints:
    @pytest.mark.parametrize("width", [3, 20, 1000])
    def test_exact_ratios_at_any_width_and_cutoff(self, width):
        net = published_net("relu", width=width)
        k2, k4, k6 = 0.5, 15 / 4 / width, 165 / 2 / width**2
        total = 15 * k2**3 + 15 * k4 * k2 + k6
        for cutoff in (10.0, 1e4):
            found = six_point_prediction(extract_couplings(net, X, cutoff=cutoff, basis=("phi^4", "phi^6")))
            np.testing.assert_allclose(found.ratios("gp"), 15 * k2**3 / total, rtol=1e-9)
            np.testing.assert_allclose(found.ratios("lambda"), (total - k6) / total, rtol=1e-9)
            np.testing.assert_allclose(found.ratios("kappa"), 1, rtol=1e-9)

    def test_sampled_ratios(self, measured):
        found = six_point_prediction(extract_couplings(RELU, measured, cutoff=100.0), measured)
        for level, exact in (("gp", 0.5376), ("lambda", 0.9409)):
            value, error = found.mean_ratio(level)
            assert abs(value - exact) < 4 * error
            assert error < 0.03
        assert abs(found.mean_ratio("gp")[0] - 0.9409) > 10 * found.mean_ratio("gp")[1]
        assert 0.8 < found.explained.mean() < 0.95

    def test_errors_know_of_common_networks(self, measured):
        """Against networks of its own the error of the ratio adds up, against the same networks it does not."""
        other = Ensemble(RELU, n_nets=400_000, seed=12).connected_correlators(X, max_points=6)
        fit = extract_couplings(RELU, measured, cutoff=100.0)
        same, apart = six_point_prediction(fit, measured), six_point_prediction(fit, other)
        assert same.mean_ratio("lambda")[1] < apart.mean_ratio("lambda")[1]
        assert abs(apart.mean_ratio("lambda")[0] - 0.9409) < 4 * apart.mean_ratio("lambda")[1]

    def test_shown_and_refused(self, measured):
        fit = extract_couplings(RELU, measured, cutoff=100.0, basis=("phi^6",))
        with pytest.raises(ValueError, match="four fields"):
            six_point_prediction(fit)
        found = six_point_prediction(extract_couplings(RELU, X, cutoff=100.0))
        assert "0.9408" in str(found)
        assert found.plot().get_xlabel()


class TestNaturalness:
    def test_verdicts(self):
        assert (
            naturalness(published_net("gauss", width=20), published_inputs("gauss"), cutoff=np.inf).verdict == "natural"
        )
        far = naturalness(published_net("gauss", width=20), 100 * published_inputs("gauss"), cutoff=np.inf)
        assert far.verdict == "protected but varying"
        erf = naturalness(published_net("erf", width=5), published_inputs("erf"), cutoff=100.0)
        assert erf.verdict == "varying"
        relu = naturalness(RELU, X, cutoff=100.0)
        assert relu.verdict == "constant by accident"
        assert "no translations" in str(relu)

    def test_translations_at_every_width(self):
        """The four-point function of a Cos-net is invariant, but its vertices still depend on differences of inputs."""
        net = cos_net().at(N=20, sigma_w0=1, sigma_w1=1)
        near = naturalness(net, [[0.0], [0.1], [0.2]], cutoff=np.inf)
        assert near.translation.holds
        assert near.is_protected

    def test_gauss_net_without_output_bias(self):
        assert naturalness(
            gauss_net().at(N=5, sigma_w0=1, sigma_w1=1, sigma_b0=0.5), [[0.0], [0.05]], cutoff=np.inf
        ).is_protected
