"""The plot of densities against samples draws what the density says."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from diagrams import cos_net
from numerics import Ensemble
from numerics.edgeworth import edgeworth_density
from numerics.plot import plot_density

mpl.use("Agg")
POINTS = np.array([[0.0], [1.0]])
NET = cos_net(input_dim=1).at(N=6, sigma_w0=1, sigma_w1=1)


@pytest.fixture(scope="module")
def drawn():
    import matplotlib.pyplot as plt

    density = edgeworth_density(NET, POINTS, order=2)
    fields = Ensemble(NET, n_nets=200_000, seed=1).sample(POINTS)
    figure, ax = plt.subplots()
    returned = plot_density(density, fields, index=1, bins=40, ax=ax)
    yield density, fields, ax, returned
    plt.close(figure)


def test_curves_are_the_densities_order_by_order(drawn):
    density, _, ax, returned = drawn
    assert returned is ax
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) > 50]
    assert len(curves) == 3
    one = density.marginal(1)
    for order, curve in enumerate(curves):
        x, y = curve.get_data()
        inside = np.abs(x) < 1.5
        assert y[inside] == pytest.approx(one.truncated(order).density(x[inside, None]), rel=1e-12)
    x, gaussian = curves[0].get_data()
    inside = np.abs(x) < 1.5
    assert np.abs(gaussian[inside] / one.density(x[inside, None]) - 1).max() > 0.01  # the orders differ


def test_points_are_the_histogram_of_the_samples(drawn):
    _, fields, ax, _ = drawn
    (container,) = ax.containers
    x, y = container.lines[0].get_data()
    width = x[1] - x[0]
    counts = np.array([np.sum(np.abs(fields[:, 1] - c) < width / 2) for c in x])
    assert y == pytest.approx(counts / (len(fields) * width), rel=1e-9)
    assert 0.97 < np.sum(y) * width <= 1


def test_axes_are_named_and_pulls_have_their_panel(drawn):
    _, _, ax, _ = drawn
    (pulls,) = ax.child_axes
    assert ax.get_ylabel() == "density"
    assert pulls.get_ylabel() == "pull"
    assert "phi" in pulls.get_xlabel()
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts[0] == "Gaussian"
    assert any("200,000 samples" in t for t in texts)
    spread = [float(np.std(line.get_ydata())) for line in pulls.get_lines() if np.size(line.get_ydata()) > 20]
    assert spread[0] > 2 * spread[-1]  # Gaussian against the highest order


def test_wrong_samples_are_refused(drawn):
    density, fields, _, _ = drawn
    for bad in (fields[:, :1], fields[:1], np.full((5, 2), np.nan), fields[:, 0]):
        with pytest.raises(ValueError, match="samples must be finite"):
            plot_density(density, bad)
    with pytest.raises(ValueError, match="bins must be an integer"):
        plot_density(density, fields, bins=1)
