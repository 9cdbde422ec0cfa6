"""Estimates in files, and estimates made of several runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from numerics.results import Estimate

FORMAT = 1
_KEY = "nnft_estimate"
# what estimates of one quantity agree on; short names of architectures do not hold everything, their definitions do
_SAME = ("architecture", "definition", "method", "strength", "derivative", "max_points")

_TOLD = ("dtype", "backend", "sampling", "stream", "versions")  # what may differ, and is named for both
_ESS = "effective_sample_size"


def save(estimate: Estimate, path: Path) -> Path:
    """Write an estimate to a netCDF file (64-bit offset format, which needs no library beyond scipy)."""
    if path.suffix != ".nc":
        raise ValueError(f"estimates are kept in netCDF files, whose names end in .nc; got {path.name!r}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"no folder {path.absolute().parent} to keep the estimate {path.name} in")
    attrs = {"format": FORMAT, "attrs": {k: _plain(v) for k, v in estimate.dataset.attrs.items()}}
    data = estimate.dataset.copy()
    data.attrs = {_KEY: json.dumps(attrs)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        data.to_netcdf(temporary, engine="scipy", format="NETCDF3_64BIT")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load(path: Path) -> Estimate:
    """Return the estimate in a file."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        data = xr.load_dataset(path, engine="scipy")
        known = json.loads(data.attrs[_KEY])
        version, attrs = known["format"], known["attrs"]
    except Exception as error:
        raise ValueError(f"{path} does not hold an estimate, or is damaged ({type(error).__name__}: {error})") from None
    if version != FORMAT:
        raise ValueError(f"{path} has format {version}, this version of nnft reads format {FORMAT}")
    native = {name: (v.dims, _native(v.values)) for name, v in data.variables.items()}
    found = xr.Dataset(native, attrs=attrs)
    return Estimate(found.set_coords([str(name) for name in data.coords]))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _native(values: Any) -> Any:
    """Return the array in the byte order of this machine, integers as 64-bit ones."""
    kind = np.dtype(np.int64) if values.dtype.kind == "i" else values.dtype.newbyteorder("=")
    return np.ascontiguousarray(values.astype(kind))


def merged(first: Estimate, other: Any) -> Estimate:
    """Return the average of two independent estimates, see :meth:`Estimate.merge`."""
    if not isinstance(other, Estimate):
        raise TypeError(f"only an Estimate can be merged with an Estimate, got {type(other).__name__}")
    a, b = first.dataset, other.dataset
    if differing := [k for k in _SAME if a.attrs.get(k) != b.attrs.get(k)]:
        shown = "; ".join(f"{k}: {a.attrs.get(k)} and {b.attrs.get(k)}" for k in differing[:1])
        raise ValueError(f"these are estimates of different things ({shown})")
    if not (np.array_equal(first.points, other.points) and np.array_equal(first.outputs, other.outputs)):
        raise ValueError("these estimates were made at different points")
    seeds = [str(d.attrs["seed"]).split(", ") for d in (a, b)]
    if both := sorted(set(seeds[0]) & set(seeds[1])):
        raise ValueError(f"both estimates hold networks of seed {', '.join(both)}, which are the same ones")
    total = first.n_nets + other.n_nets
    shares = first.n_nets / total, other.n_nets / total
    variables: dict[str, Any] = {}
    for n in first.orders:
        mean = sum(share * e.values(n) for share, e in zip(shares, (first, other), strict=True))
        stacked = np.vstack([share * d[f"jackknife_{n}"].values for share, d in zip(shares, (a, b), strict=True)])
        variables[f"cumulant_{n}"] = (f"component_{n}", mean)
        variables[f"stderr_{n}"] = (f"component_{n}", np.sqrt(np.einsum("bk,bk->k", stacked, stacked)))
        variables[f"jackknife_{n}"] = (("block", f"component_{n}"), stacked)
    attrs = {
        **a.attrs,
        **{k: f"{v}, {b.attrs.get(k)}" for k, v in a.attrs.items() if k in _TOLD and v != b.attrs.get(k)},
        **({_ESS: float(a.attrs[_ESS]) + float(b.attrs[_ESS])} if _ESS in a.attrs and _ESS in b.attrs else {}),
        "n_nets": total,
        "n_blocks": first.n_blocks + other.n_blocks,
        "seed": ", ".join(seeds[0] + seeds[1]),
    }
    return Estimate(a[list(a.coords)].assign(variables).assign_attrs(attrs))
