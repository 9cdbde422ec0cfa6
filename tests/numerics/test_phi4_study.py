"""Networks of several widths and their limit, and the command that shows them beside the exact oscillator."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from diagrams import phi4, phi4_net
from diagrams.engineering import deform
from diagrams.interactions import LocalInteraction
from diagrams.regions import Box
from numerics import cli_phi4
from numerics.cli_phi4 import add_parser
from numerics.finite_box import correlator_values
from numerics.mode_monte_carlo import field_monte_carlo
from numerics.oscillator import oscillator_correlators
from numerics.phi4 import SAMPLERS, _limit, width_study

POINTS = [[0.0], [0.5]]


def test_the_limit_is_the_oscillator():
    study = width_study(phi4_net(mass=1, cutoff=8, coupling=0.2, box=4), POINTS, n_nets={100: 8000, 400: 4000}, seed=2)
    exact = oscillator_correlators(POINTS, coupling=0.2, box=4, cutoff=8, max_points=2).values(2)
    assert np.abs(study.pulls(exact)).max() < 4
    assert np.abs(study.pulls(study.free)).min() > 10
    assert (study.exact[0] < study.exact[1]).all()  # narrower networks feel more of the interaction
    assert study.values.shape == study.errors.shape == (2, 3)


@pytest.mark.slow
def test_second_order_at_weak_coupling_and_not_at_strong():
    """lambda = 0.1: second order within errors, first excluded; lambda = 1: only the oscillator is right."""
    for lam, sizes in ((0.1, {200: 120_000, 800: 80_000}), (1.0, {200: 200_000, 800: 120_000})):
        region = {"cutoff": 10, "box": 8}
        study = width_study(phi4_net(mass=1, coupling=lam, **region), POINTS, n_nets=sizes, seed=7)
        exact = oscillator_correlators(POINTS, coupling=lam, max_points=2, **region).values(2)
        found = correlator_values(phi4(mass=1, coupling=lam, **region).correlator(legs=2, order=2), POINTS)
        first, second = (found.through(k)[np.triu_indices(2)] for k in (1, 2))
        assert np.abs(study.pulls(exact)).max() < 4
        assert np.abs(study.pulls(first)).max() > 10
        if lam == 0.1:
            assert np.abs(study.pulls(second)).max() < 4
            assert (study.limit_errors / exact).max() < 1e-4
        else:
            assert np.abs(study.pulls(second)).max() > 6
            assert (study.limit_errors / exact).max() < 1.5e-3


def test_what_a_study_refuses():
    net = phi4_net(mass=1, cutoff=8, coupling=0.2, box=4)
    with pytest.raises(ValueError, match="at least two widths"):
        width_study(net, POINTS, n_nets={100: 1000})
    odd = deform(net.base, LocalInteraction({3: 0.1, 4: 1}, Box(4)))
    with pytest.raises(ValueError, match="even theories"):
        width_study(odd, POINTS, n_nets={100: 1000, 200: 1000})
    strong = phi4_net(mass=1, cutoff=8, coupling=1e4, box=8)
    with pytest.raises(ValueError, match="independent networks"):
        width_study(strong, [[0.0]], n_nets={16: 500, 32: 500}, method="parts")
    with pytest.raises(ValueError, match="n must be 2 or 4"):
        width_study(net, POINTS, n_nets={50: 500, 100: 500}, n=3)
    with pytest.raises(ValueError, match="no method 'nuts'"):
        width_study(net, POINTS, n_nets={50: 500, 100: 500}, method="nuts")
    with pytest.raises(ValueError, match="at most 2"):
        width_study(net, POINTS, n_nets={50: 500, 100: 500}).order(4)


def test_four_points_from_the_same_networks():
    """At lambda = 0.2 the 4-point function is that of the oscillator; without the 1/N part it is far from it."""
    net = phi4_net(mass=1, cutoff=5, coupling=0.2, box=4)
    study = width_study(net, [[0.0]], n_nets={100: 2000, 400: 2000, 1600: 1000}, n=4, seed=4)
    theory = phi4(mass=1, coupling=0.2, cutoff=5, box=4)
    second = correlator_values(theory.correlator(legs=4, order=2), [[0.0]]).through(2)[0, 0, 0, 0]
    assert abs(study.pulls(second)[0]) < 4
    assert abs(study.limit[0] - study.values[1, 0]) > 10 * study.limit_errors[0]
    two = study.order(2)
    found = correlator_values(theory.correlator(legs=2, order=2), [[0.0]])
    assert abs(two.pulls(found.through(2)[0, 0])[0]) < 4
    assert abs(two.pulls(two.free)[0]) > 10


def test_a_gaussian_weight_is_the_oscillator_with_that_weight():
    net = phi4_net(mass=1, cutoff=8, coupling=0.5, weight=1.5)
    study = width_study(net, POINTS, n_nets={50: 6000, 200: 4000}, seed=3)
    assert study.is_weak

    def exact(coupling):
        return oscillator_correlators(POINTS, coupling=coupling, cutoff=8, weight=1.5, max_points=2).values(2)

    assert np.abs(study.pulls(exact(0.5))).max() < 4
    assert np.abs(study.pulls(exact(0.65))).min() > 10


@pytest.mark.slow
def test_the_bipartite_rule_is_better_than_extrapolation_alone():
    """A line in 1/N through what is of first order misses its limit by more than the errors: the rule has it."""
    net = phi4_net(mass=1, cutoff=5, coupling=0.1, box=4)
    study = width_study(net, [[0.0]], n_nets={25: 64_000, 100: 64_000}, n=4, seed=4)
    exact = oscillator_correlators([[0.0]], coupling=0.1, cutoff=5, box=4).values(4)
    alone, errors = _limit(np.array(study.widths), study.exact, study.errors)
    assert abs(study.pulls(exact)[0]) < 4
    assert abs(alone[0] - study.exact_limit[0]) > 4 * errors[0]


def test_strong_coupling_is_extrapolated_without_the_first_order():
    """lambda = 30: four points from chains against Monte Carlo of the field at infinite width, cutoff and all."""
    region = {"cutoff": 4, "box": 2}
    study = width_study(
        phi4_net(mass=1, coupling=30, **region), [[0.0]], n_nets={64: 8000, 256: 8000}, n=4, method="hmc", seed=2
    )
    assert not study.is_weak
    assert abs(study.exact[0, 0] - study.exact_limit[0]) > 5 * abs(study.values[0, 0])

    def pulls(coupling):
        modes = field_monte_carlo([[0.0]], coupling=coupling, n_fields=100_000, seed=1, **region).correlators()
        parts = [(study.order(n), modes.values(n)[0], modes.errors(n)[0]) for n in (2, 4)]
        return [abs(part.limit[0] - value) / np.hypot(error, part.limit_errors[0]) for part, value, error in parts]

    assert max(pulls(30)) < 4
    assert pulls(10)[0] > 8
    assert abs(study.limit[0]) > 5 * study.limit_errors[0]


@pytest.mark.slow
@pytest.mark.parametrize(("lam", "sampler"), [(20, "parts"), (100, "hmc")], ids=["20", "100"])
def test_strong_coupling_is_the_oscillator(lam, sampler):
    region = {"cutoff": 10, "box": 8}
    sizes = {128: 32_000, 256: 32_000, 1024: 32_000}
    study = width_study(phi4_net(mass=1, coupling=lam, **region), POINTS, n_nets=sizes, seed=11)
    exact = oscillator_correlators(POINTS, coupling=lam, max_points=2, first_order=False, **region).values(2)
    assert study.samplers == (sampler,) * 3
    assert np.abs(study.pulls(exact)).max() < 4
    assert abs(study.pulls(study.free)[0]) > 10


@pytest.mark.slow
def test_every_four_point_value_to_three_percent():
    """lambda = 1, box 8, cutoff 10: all 70 connected 4-point values against the exact oscillator."""
    region = {"cutoff": 10, "box": 8, "coupling": 1}
    x = [[-1.0], [-0.5], [0.0], [0.5], [1.0]]
    sizes = {128: 10_000, 512: 40_000, 2048: 64_000}
    study = width_study(phi4_net(mass=1, **region), x, n_nets=sizes, n=4, seed=11)
    exact = oscillator_correlators(x, max_points=4, **region)
    assert (study.limit_errors / np.abs(exact.values(4))).max() < 0.03
    assert np.abs(study.pulls(exact.values(4))).max() < 4
    assert np.abs(study.order(2).pulls(exact.values(2))).max() < 4
    assert (study.order(2).limit_errors / exact.values(2)).max() < 1.5e-3


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="nnft")
    add_parser(parser.add_subparsers(required=True))
    chosen = parser.parse_args(["phi4", *arguments])
    return int(chosen.run(chosen))


SMALL = ("--coupling", "0.2", "--cutoff", "8", "--box", "4", "--widths", "50", "100", "--nets", "1000")


def test_the_command_prints_json_alone(capsys, tmp_path):
    assert _run(*SMALL, "--points", "0", "0.5", "--json", "--out", str(tmp_path)) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["agree"]
    assert len(found["rows"]) == 3
    assert {"exact", "first_order", "second_order", "networks", "error", "pull"} <= set(found["rows"][0])
    assert "VERDICT: PASS" in err
    assert (tmp_path / "two_point.png").stat().st_size > 10_000
    assert r"\int_{|p| < 8}" in (tmp_path / "phi4.tex").read_text()


def test_the_command_prints_a_table(capsys):
    assert _run(*SMALL, "--points", "0") == 0
    out, _ = capsys.readouterr()
    assert "oscillator of" in out
    assert out.splitlines()[-1].startswith("VERDICT: PASS")


@pytest.mark.parametrize(
    "arguments", [("--coupling", "-1"), ("--cutoff", "0"), ("--widths", "50")], ids=["coupling", "cutoff", "one width"]
)
def test_wrong_usage(arguments, capsys):
    assert _run(*arguments) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "nnft phi4:" in err


def test_the_command_fails_with_a_wrong_reference(monkeypatch, capsys):
    """Networks against an oscillator of twice the coupling: exit status 1."""
    import numerics.phi4_report as command

    def wrong(x, *, coupling, **rest):
        return oscillator_correlators(x, coupling=2 * coupling, **rest)

    monkeypatch.setattr(command, "oscillator_correlators", wrong)
    assert _run(*SMALL, "--points", "0") == 1
    assert "VERDICT: FAIL" in capsys.readouterr().out


@pytest.mark.parametrize("sampler", ["auto", "hmc"])
def test_the_sampler_asked_for_is_used(sampler, monkeypatch):
    import numerics.phi4_report as report

    asked = []

    def found(net, points, *, method, **rest):
        asked.append(method)
        raise ValueError("enough")

    monkeypatch.setattr(report, "width_study", found)
    assert _run("--sampler", sampler) == 2
    assert asked == [sampler]


def test_help_offers_every_sampler():
    assert cli_phi4.SAMPLERS == SAMPLERS


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        _run("--help")
    assert "example: nnft phi4" in capsys.readouterr().out
