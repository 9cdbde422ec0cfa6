"""Running couplings: slopes from exact and measured correlators, and trajectories of the momentum-shell flow."""

import json

import numpy as np
import pytest
import sympy

from diagrams import linear_net, momentum_shell_flow, o_n_theory, phi4
from numerics import Ensemble, rg_flow, run_couplings
from numerics.published import published_inputs, published_net
from numerics.rg import CUTOFFS

RELU, X = published_net("relu", width=20), published_inputs("relu")


class TestSlopes:
    @pytest.mark.parametrize("dim", [1, 2, 3])
    def test_relu_is_a_power_to_1e_6(self, dim):
        net, x = published_net("relu", dim, width=20), published_inputs("relu", dim)
        flow = rg_flow(net, x)
        assert flow.slope == pytest.approx(-(dim + 4), abs=1e-6)
        assert flow.expected_slope == -(dim + 4)
        assert flow.beta.relevance == "irrelevant"
        assert flow.r_squared > 0.9999

    def test_six_fields(self):
        flow = rg_flow(RELU, X[:3], n=6)
        assert flow.slope == pytest.approx(-7, abs=1e-6)
        assert flow.expected_slope == -7

    @pytest.mark.parametrize("dim", [1, 2, 3])
    def test_erf_is_a_power_at_large_cutoff(self, dim):
        net, x = published_net("erf", dim, width=5), published_inputs("erf", dim)
        flow = rg_flow(net, x)
        _, local = flow.beta_function()
        assert local[-1] == pytest.approx(-dim, abs=2e-4)
        assert flow.expected_slope == -dim
        assert flow.left_out == (16 if dim == 2 else 0)  # right angles: no leading power

    def test_gauss_does_not_run(self):
        flow = rg_flow(published_net("gauss", width=5), published_inputs("gauss"))
        assert flow.slope == pytest.approx(0, abs=1e-10)
        assert flow.beta.relevance == "marginal"

    def test_one_measurement_moves_lines_without_turning_them(self):
        measured = Ensemble(RELU, n_nets=100_000, seed=1).connected_correlators(X)
        flow = rg_flow(RELU, measured)
        assert flow.slope == pytest.approx(-5, abs=1e-9)
        assert flow.errors[0].min() > 0
        assert flow.slope_error < 1e-9

    def test_networks_of_their_own_at_each_cutoff(self):
        cutoffs = CUTOFFS[:8]
        several = [Ensemble(RELU, n_nets=50_000, seed=100 + k).connected_correlators(X) for k in range(8)]
        flow = rg_flow(RELU, several, cutoffs)
        assert abs(flow.slope + 5) < 4 * flow.slope_error
        assert 1e-3 < flow.slope_error < 0.2
        assert abs(flow.slope + 6) > 5 * flow.slope_error  # another dimension would be seen

    def test_scatter_of_slopes_has_the_size_of_the_error(self):
        found = []
        for s in range(12):
            several = [Ensemble(RELU, n_nets=4000, seed=1000 * s + k).connected_correlators(X[:2]) for k in range(5)]
            flow = rg_flow(RELU, several, CUTOFFS[:5])
            found.append((flow.slope + 5) / flow.slope_error)
        assert 0.3 < np.std(found) < 2.0

    def test_shown(self):
        flow = rg_flow(RELU, X[:2])
        assert "slope -5.0" in str(flow)
        json.dumps(flow.to_dict())
        assert flow.plot().get_xscale() == "log"

    def test_bad_input(self):
        with pytest.raises(ValueError, match="three different"):
            rg_flow(RELU, X, [10.0, 10.0, 20.0])
        with pytest.raises(ValueError, match="finite"):
            rg_flow(RELU, X, [10.0, 20.0, np.inf])
        measured = Ensemble(RELU, n_nets=100, seed=1).connected_correlators(X)
        with pytest.raises(ValueError, match="2 measurements for 3"):
            rg_flow(RELU, [measured, measured], [10.0, 20.0, 30.0])
        other = Ensemble(RELU, n_nets=100, seed=1).connected_correlators(X[:2])
        with pytest.raises(ValueError, match="same points"):
            rg_flow(RELU, [measured, measured, other], [10.0, 20.0, 30.0])
        with pytest.raises(ValueError, match="leading power"):
            rg_flow(linear_net(input_dim=2).at(N=2, sigma_w0=1, sigma_w1=1), [[0.0, 0.0]], [10.0, 20.0, 30.0])


class TestTrajectories:
    def test_four_dimensions_in_closed_form(self):
        """The coupling obeys d(1/lambda)/dl = 3/(16 pi^2 (1 + r)^2) whatever r does."""
        flow = momentum_shell_flow(phi4(), 4)
        l = np.linspace(0, 2, 9)
        run = run_couplings(flow, {"lambda": 2.0, "r": 0.1}, l)
        r, lam = run.values.values()
        inverse = 1 / lam
        slope = 3 / (16 * np.pi**2 * (1 + r) ** 2)
        expected = 1 / 2.0 + np.array([np.trapezoid(np.interp(f := np.linspace(0, e, 2001), l, slope), f) for e in l])
        np.testing.assert_allclose(inverse, expected, rtol=2e-3)

    def test_stays_at_the_fixed_point(self):
        flow = momentum_shell_flow(o_n_theory(2), 3)
        point = flow.fixed_points()[1]
        start = {str(u): float(v) for u, v in point.items()}
        run = run_couplings(flow, start, [0.0, 1.0, 2.0])
        for u, v in point.items():
            np.testing.assert_allclose(run.values[u], float(v), rtol=1e-6)
        assert run.plot().get_legend()

    def test_linear_without_coupling(self):
        flow = momentum_shell_flow(phi4(), 3)
        run = run_couplings(flow, {"r": 0.25}, [0.0, 1.5])
        np.testing.assert_allclose(run.values[sympy.Symbol("r", real=True)][-1], 0.25 * np.exp(3.0), rtol=1e-8)

    def test_bad_input(self):
        flow = momentum_shell_flow(phi4(), 3)
        with pytest.raises(ValueError, match="no couplings"):
            run_couplings(flow, {"g": 1.0}, [0.0, 1.0])
        with pytest.raises(ValueError, match="start at zero"):
            run_couplings(flow, {"lambda": 1.0}, [1.0, 2.0])
        with pytest.raises(ValueError, match="above -1"):
            run_couplings(flow, {"r": -1.0}, [0.0, 1.0])
        with pytest.raises(ValueError, match="no numbers"):
            run_couplings(momentum_shell_flow(phi4()), {"lambda": 1.0}, [0.0, 1.0])
        with pytest.raises(ArithmeticError, match="run off"):
            run_couplings(flow, {"r": -0.9, "lambda": 0.1}, [0.0, 5.0])
