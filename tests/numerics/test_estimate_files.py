"""Estimates in files and merged: the same to the last bit, statistics of the union, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from diagrams import Uniform, cos_net
from numerics import Ensemble, Estimate, compare

X = np.array([[0.0], [0.5], [1.0]])
NET = cos_net(input_dim=1).at(N=5, sigma_w0=1, sigma_w1=1)


@pytest.fixture(scope="module")
def measured():
    return Ensemble(NET, n_nets=4000, seed=2**63 + 5, backend="numpy").connected_correlators(X)


def test_round_trip_is_exact(measured, tmp_path):
    path = measured.save(tmp_path / "run.nc")
    again = Estimate.load(path)
    assert again.dataset.identical(measured.dataset)
    assert {k: v.dtype for k, v in again.dataset.variables.items()} == {
        k: v.dtype for k, v in measured.dataset.variables.items()
    }
    assert dict(again.dataset.attrs) == dict(measured.dataset.attrs)
    assert compare(NET, again).chi2 == compare(NET, measured).chi2
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]
    with xr.open_dataset(path, engine="scipy") as other_program:
        assert "cumulant_4" in other_program
        assert json.loads(other_program.attrs["nnft_estimate"])["attrs"]["seed"] == str(2**63 + 5)


def test_other_files_are_refused(measured, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        Estimate.load(tmp_path / "nothing.nc")
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing to keep the estimate"):
        measured.save(tmp_path / "missing" / "run.nc")
    with pytest.raises(ValueError, match=r"end in \.nc"):
        measured.save(tmp_path / "run.txt")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(ValueError, match="does not hold an estimate"):
        Estimate.load(tmp_path / "text.nc")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="scipy")
    with pytest.raises(ValueError, match="does not hold an estimate"):
        Estimate.load(tmp_path / "other.nc")
    path = measured.save(tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="does not hold an estimate"):
        Estimate.load(path)


def test_merged_estimates_are_those_of_the_union():
    parts = [Ensemble(NET, n_nets=n, seed=s).connected_correlators(X) for s, n in ((1, 40_000), (2, 80_000))]
    both = parts[0].merge(parts[1])
    assert (both.n_nets, both.n_blocks) == (120_000, parts[0].n_blocks + parts[1].n_blocks)
    assert both.values(4) == pytest.approx((parts[0].values(4) + 2 * parts[1].values(4)) / 3, rel=1e-14)
    for n in (2, 4):
        expected = np.sqrt(parts[0].errors(n) ** 2 / 9 + 4 * parts[1].errors(n) ** 2 / 9)
        assert both.errors(n) == pytest.approx(expected, rel=1e-12)
        assert np.diag(both.covariance(n)) == pytest.approx(both.errors(n) ** 2, rel=1e-12)
    assert compare(NET, both).max_pull < 4.5
    assert both.merge(Ensemble(NET, n_nets=1000, seed=3).connected_correlators(X)).dataset.attrs["seed"] == "1, 2, 3"


def test_estimates_that_do_not_belong_together(measured):
    other = Ensemble(cos_net(input_dim=1).at(N=6, sigma_w0=1, sigma_w1=1), n_nets=100, seed=1, backend="numpy")
    with pytest.raises(ValueError, match="different things"):
        measured.merge(other.connected_correlators(X))
    again = Ensemble(NET, n_nets=100, seed=1, backend="numpy")
    with pytest.raises(ValueError, match="different points"):
        measured.merge(again.connected_correlators(X + 1))
    with pytest.raises(ValueError, match="the same ones"):
        measured.merge(measured)
    with pytest.raises(TypeError, match="only an Estimate"):
        measured.merge(1)


def test_attributes_hold_seed_versions_and_the_whole_definition(measured):
    attrs = measured.dataset.attrs
    assert attrs["seed"] == str(2**63 + 5)
    assert all(f"{name} " in attrs["versions"] for name in ("nnft", "numpy", "numba", "python"))
    assert "width=5" in attrs["definition"]
    assert "Gaussian(variance=1, mean=0)" in attrs["definition"]


def test_densities_of_the_same_name_do_not_merge():
    nets = [cos_net(input_dim=1, readout=Uniform(-k, k)).at(N=5, sigma_w0=1) for k in (1, 2)]
    found = [Ensemble(net, n_nets=100, seed=k).connected_correlators(X) for k, net in enumerate(nets)]
    assert str(nets[0]) == str(nets[1])
    with pytest.raises(ValueError, match="different things"):
        found[0].merge(found[1])


def test_single_neurons_merge_at_any_width():
    runs = [
        Ensemble(cos_net(input_dim=1).at(N=n, sigma_w0=1, sigma_w1=1), n_nets=640, seed=n, backend="numpy")
        for n in (5, 20)
    ]
    found = [run.connected_correlators(X, method="neuron") for run in runs]
    assert found[0].at_width(20).merge(found[1]).n_nets == 1280
    with pytest.raises(ValueError, match="different things"):
        found[0].merge(found[1])
