"""compare: pulls, chi^2, tables; a wrong theory is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from diagrams import ConnectedCorrelators, cos_net
from numerics import Ensemble, compare
from numerics.demo import Sabotaged
from numerics.plot import plot_comparison, save_comparisons

X = np.array([[-0.7], [0.1], [0.9]])


@pytest.fixture(scope="module")
def net():
    return cos_net(input_dim=1).at(N=4, sigma_w0=1, sigma_w1=1)


@pytest.fixture(scope="module")
def measured(net):
    return Ensemble(net, n_nets=400_000, seed=5).connected_correlators(X, max_points=4)


@pytest.fixture(scope="module")
def comparison(net, measured):
    return compare(net, measured)


def test_right_theory_passes(comparison):
    assert comparison.orders == (1, 2, 3, 4)
    assert comparison.max_pull < 5
    assert comparison.is_compatible()
    assert 1e-3 < comparison.p_value < 1 - 1e-3


@pytest.mark.parametrize("factor", [-1, 2], ids=["sign", "factor"])
def test_wrong_four_point_function_fails(net, measured, factor):
    wrong = compare(ConnectedCorrelators(Sabotaged(net, factor), max_points=4), measured)
    assert wrong.max_pull > 10
    assert not wrong.is_compatible()
    assert wrong.p_value < 1e-6
    assert np.abs(wrong.pulls_of(2)).max() < 5  # only the 4-point function is wrong


def test_wrong_width_fails(net, measured):
    assert compare(cos_net(input_dim=1).at(N=8, sigma_w0=1, sigma_w1=1), measured).max_pull > 10


def test_chi2_is_calibrated(net):
    """p-values of a right theory are uniform: their sum over seeds is normal to good accuracy."""
    p = [compare(net, Ensemble(net, n_nets=50_000, seed=s).connected_correlators(X)).p_value for s in range(40)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert abs(np.mean(p) - 0.5) < 4 * np.sqrt(1 / 12 / len(p))


def test_pulls_are_standard_normal(net):
    pulls = np.array(
        [compare(net, Ensemble(net, n_nets=50_000, seed=s).connected_correlators(X)).pulls for s in range(40)]
    )
    assert abs(pulls.std(axis=0).mean() - 1) < 0.08  # 40 draws each, strongly correlated components
    assert np.abs(pulls.mean(axis=0)).max() < 4.5 / np.sqrt(40)


def test_table_text_and_html(comparison):
    rows = comparison.table
    assert len(rows) == len(comparison.pulls) == 3 + 6 + 10 + 15
    assert {"n", "points", "predicted", "measured", "error", "pull"} == set(rows[0])
    np.testing.assert_allclose([r["pull"] for r in rows], comparison.pulls)
    text = comparison.to_text(rows=2)
    assert text.count("\n") == 1 + 4 * 2
    assert "chi2/dof" in comparison.summary()
    assert comparison._repr_html_().count("<tr>") == 1 + 3 + 6 + 10 + 12
    assert comparison.to_dict()["n_nets"] == 400_000


def test_plots(comparison, tmp_path):
    path = save_comparisons([comparison], tmp_path / "plot.png", titles=["N = 4"])
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="5-point function was not compared"):
        plot_comparison(comparison, n=5)


def test_errors(net, measured):
    with pytest.raises(ValueError, match="have no numbers"):
        compare(cos_net(input_dim=1), measured)
    with pytest.raises(ValueError, match="stops at 2"):
        compare(net.connected_correlators(max_points=2), measured)
    with pytest.raises(ValueError, match="input_dim=2"):
        compare(cos_net(input_dim=2).at(N=4, sigma_w0=1, sigma_w1=1), measured)
    with pytest.raises(TypeError, match="theory must be"):
        compare("cos", measured)
    with pytest.raises(TypeError, match="measured must be an Estimate"):
        compare(net, 3)
