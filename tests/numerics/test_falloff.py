"""Fall-off with the width: exact curves, sampled networks, slopes; the published inputs; claims; the command line."""

import json
import sys

import numpy as np
import pytest

from diagrams import relu_net
from numerics import eft_claims, fall_off, published_inputs, published_net
from numerics.cli import main
from numerics.falloff import _power_law

RELU, X = published_net("relu"), published_inputs("relu")


@pytest.fixture(scope="module")
def relu():
    return fall_off(RELU, X, (5, 10, 20, 50), n_nets=100_000, seed=3, method="conditional")


class TestExact:
    def test_relu_in_one_dimension(self, relu):
        N = np.array(relu.widths)
        np.testing.assert_allclose(relu.exact["4"], 5 / N, rtol=1e-10)
        np.testing.assert_allclose(relu.exact["6"], 15 / N + 44 / N**2, rtol=1e-10)
        np.testing.assert_allclose(relu.exact["6c"], 44 / N**2, rtol=1e-10)
        np.testing.assert_allclose(relu.exact["2"], 0)

    @pytest.mark.parametrize(("name", "dim"), [("erf", 2), ("relu", 3), ("gauss", 2)])
    def test_exact_functions_at_one_width_are_those_of_another(self, name, dim):
        """Powers of N between widths, against correlators computed at the second width."""
        net, x = published_net(name, dim), published_inputs(name, dim)[:2]
        options = {"n_nets": 2048, "method": "neuron", "sampling": "importance" if name == "gauss" else "random"}
        both, alone = fall_off(net, x, (4, 9), **options), fall_off(net, x, (9,), **options)
        for s in ("4", "6", "6c"):
            assert both.exact[s][1] == pytest.approx(alone.exact[s][0], rel=1e-9)


class TestSampled:
    def test_against_exact(self, relu):
        assert relu.max_pull < 5

    def test_slopes(self, relu):
        for s, power in (("4", -1), ("6c", -2)):
            value, error = relu.slope(s)
            assert relu.exact_slope(s) == pytest.approx(power, abs=1e-6)
            assert abs(value - power) < 4 * error
        value, error = relu.slope("6")
        assert abs(value - relu.exact_slope("6")) < 4 * error
        assert abs(relu.slope("4")[0] + 2) > 10 * relu.slope("4")[1]

    def test_two_points_show_nothing(self, relu):
        assert not relu.seen("2").any()
        with pytest.raises(ValueError, match="above noise"):
            relu.slope("2")

    def test_erf_deviates_from_below_and_is_followed_with_its_sign(self):
        found = fall_off(published_net("erf"), published_inputs("erf"), (2, 4), n_nets=100_000, method="neuron", seed=2)
        assert (found.measured["4"] > 0).all()
        assert found.max_pull < 5

    def test_heavy_tails_of_the_gauss_net(self):
        """Whole networks miss the six-point function by far; importance sampling of neurons has it."""
        net, x = published_net("gauss"), published_inputs("gauss")
        found = fall_off(net, x, (5, 50), n_nets=64_000, method="neuron", sampling="importance", seed=1)
        assert found.max_pull < 5
        with pytest.warns(Warning, match="tails are heavy"):
            plain = fall_off(net, x, (5,), n_nets=20_000, seed=1)
        assert plain.measured["6c"][0] < 0.7 * plain.exact["6c"][0]

    def test_background_is_the_mean_modulus_of_noise(self, relu):
        """Two-point deviations are noise alone: over widths m_2 scatters about its background."""
        ratio = relu.modulus["2"] / relu.background["2"]
        assert 0.3 < ratio.mean() < 2.0

    def test_power_law_fit_is_unbiased(self):
        rng, widths, errors = np.random.default_rng(0), (2, 5, 10, 50), np.full(4, 0.01)
        truth = 0.5 / np.array(widths)
        pulls = []
        for _ in range(200):
            value, error = _power_law(widths, truth + errors * rng.normal(size=4), errors)
            pulls.append((value + 1) / error)
        assert abs(np.mean(pulls)) < 4 / np.sqrt(200)
        assert 0.85 < np.std(pulls) < 1.15

    def test_resumes(self, tmp_path):
        first = fall_off(RELU, X[:2], (3, 5), n_nets=2000, folder=tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
        again = fall_off(RELU, X[:2], (3, 5), n_nets=2000, folder=tmp_path)
        np.testing.assert_array_equal(first.measured["6"], again.measured["6"])

    def test_shown_and_refused(self, relu):
        assert "slope of" in str(relu)
        json.dumps(relu.to_dict())
        assert relu.plot().get_yscale() == "log"
        with pytest.raises(ValueError, match="distinct"):
            fall_off(RELU, X, (3, 3), n_nets=1000)
        with pytest.raises(ValueError, match="vanishes"):
            fall_off(RELU, [[-1.0], [1.0]], (3,), n_nets=1000)


class TestPublished:
    def test_inputs(self):
        assert [published_inputs(n, d).shape for n in ("erf", "gauss", "relu") for d in (1, 2, 3)] == [
            (6, 1), (4, 2), (4, 3),
        ] * 3  # fmt: skip
        np.testing.assert_allclose(published_inputs("gauss"), 0.01 * published_inputs("erf"))
        np.testing.assert_allclose(published_inputs("relu", held_out=True), X / np.sqrt(2))

    def test_networks(self):
        assert published_net("relu", width=3) == relu_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1).at(N=3)
        assert published_net("erf").sigma_b1 == 1

    def test_refused(self):
        with pytest.raises(ValueError, match="the nets"):
            published_net("cos")
        with pytest.raises(ValueError, match="dimensions"):
            published_inputs("relu", 4)
        with pytest.raises(ValueError, match="dimensions"):
            published_inputs("relu", 2, held_out=True)


def test_claims_hold_and_would_fail_otherwise(relu):
    claims = eft_claims(n_nets=40_000, seed=5, falloff=relu)
    assert {c.name for c in claims} == {f"B{k}" for k in range(1, 8)}
    assert claims.hold, str(claims)
    assert "<table>" in claims._repr_html_()
    row = next(c for c in claims if c.quantity.startswith("(GP + lambda)"))
    wrong = type(row)(row.name, row.statement, row.quantity, 2 * row.exact, row.measured, row.error)
    assert not wrong.holds


class TestCommandLine:
    @pytest.mark.parametrize("kind", ["couplings", "sixpoint", "rg"])
    def test_writes_plot_table_and_json(self, kind, tmp_path, capsys):
        assert main(["experiment", kind, "--nets", "20000", "--seed", "3", "--out", str(tmp_path), "--json"]) == 0
        printed = capsys.readouterr()
        data = json.loads(printed.out)
        assert data == json.loads((tmp_path / f"{kind}.json").read_text())
        assert data["seed"] == 3
        assert "VERDICT: PASS" in printed.err
        assert (tmp_path / f"{kind}.png").stat().st_size > 5000
        assert (tmp_path / f"{kind}.txt").read_text()

    def test_falloff(self, tmp_path, capsys):
        options = ["--net", "erf", "--widths", "3", "6", "--nets", "20000", "--method", "neuron"]
        assert main(["experiment", "falloff", *options, "--out", str(tmp_path)]) == 0
        assert "VERDICT: PASS" in capsys.readouterr().out
        assert json.loads((tmp_path / "falloff.json").read_text())["method"] == "neuron"

    def test_bad_input(self, capsys):
        assert main(["experiment", "couplings", "--net", "erf", "--cutoff", "inf", "--nets", "2000"]) == 2
        assert "diverges" in capsys.readouterr().err
        assert main(["experiment", "falloff", "--widths", "0", "--nets", "1000"]) == 2
        assert "positive" in capsys.readouterr().err

    def test_disagreement_fails(self, monkeypatch, capsys):
        """With a wrong width in the exact theory the verdict is FAIL and the status 1."""
        from numerics import compare as right

        wrong = published_net("relu", width=60)
        monkeypatch.setattr(sys.modules["numerics.compare"], "compare", lambda _, measured: right(wrong, measured))
        assert main(["experiment", "couplings", "--nets", "100000"]) == 1
        assert "FAIL" in capsys.readouterr().out


@pytest.mark.parametrize("given", [(), ("--method", "neuron")], ids=["default", "named"])
def test_gauss_neurons_are_drawn_by_importance(given, monkeypatch, capsys):
    seen = {}

    def stop(*arguments, **options):
        seen.update(options)
        raise ValueError("seen enough")

    monkeypatch.setattr("numerics.falloff.fall_off", stop)
    assert main(["experiment", "falloff", "--net", "gauss", *given]) == 2
    assert (seen["method"], seen["sampling"]) == ("neuron", "importance")
    assert "seen enough" in capsys.readouterr().err
