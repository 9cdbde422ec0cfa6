"""Estimate: measured connected correlators with their errors and full covariance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from numerics.contract import symmetric_tensor
from numerics.estimators import BlockSums, Cumulants, estimate_cumulants

_ROWS = 12  # components per order that a table shows


def format_uncertainty(value: float, error: float) -> str:
    """Return ``value`` with two digits of ``error`` in parentheses, in units of the last digits shown.

    An error of ten or more is printed whole, ``1230(120)``; one between 1 and 10 keeps its decimal point; numbers far
    from one get an exponent.

    Parameters
    ----------
    value, error : float
        Number and its standard error.

    Examples
    --------
    >>> format_uncertainty(0.49983, 0.00121), format_uncertainty(-12.3456, 1.23), format_uncertainty(1234.5, 123.0)
    ('0.4998(12)', '-12.3(1.2)', '1234(123)')
    >>> format_uncertainty(1.23456e-7, 4.5e-9), format_uncertainty(0.5, 0.0), format_uncertainty(0.5, float("nan"))
    ('1.235(45)e-07', '0.5(0)', '0.5(nan)')
    """
    if not (isfinite(value) and isfinite(error)) or error <= 0:
        return f"{value:.12g}({error:.3g})"
    size = max(abs(value), error)
    exponent = floor(log10(size))
    if -5 < exponent < 7:
        return _fixed(value, error)
    return f"{_fixed(value / 10.0**exponent, error / 10.0**exponent)}e{exponent:+03d}"


def _fixed(value: float, error: float) -> str:
    digits = max(0, 1 - floor(log10(float(f"{error:.1e}"))))  # the error is rounded first: 0.0996 becomes 0.10
    if error >= 9.5:
        return f"{value:.0f}({error:.0f})"
    shown = f"{error:.{digits}f}" if float(f"{error:.1e}") >= 1 else f"{round(error * 10**digits)}"
    return f"{value:.{digits}f}({shown})"


@dataclass(frozen=True, eq=False)
class Estimate:
    """Connected correlators measured on an ensemble, as unbiased cumulants of the outputs at a set of points.

    Every order n is kept on the unique index tuples ``i <= j <= ...`` into the points. With several outputs, the list
    of points is repeated for each output, so that an index means a point and an output. Make one with
    :meth:`numerics.ensemble.Ensemble.connected_correlators`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables ``cumulant_n``, ``stderr_n`` on ``component_n`` and ``jackknife_n`` on ``(block, component_n)``, whose
        product over blocks is the covariance; coordinates ``points``, ``outputs`` and ``index_n``; what was run in
        ``attrs``.
    """

    dataset: xr.Dataset

    @classmethod
    def from_sums(
        cls, sums: BlockSums, points: NDArray[np.float64], attrs: Mapping[str, Any], *, n_outputs: int = 1
    ) -> Estimate:
        """Return the estimate of all orders in block sums.

        Parameters
        ----------
        sums : BlockSums
        points : array (n_points, input_dim)
        attrs : mapping
            What to record: strings and numbers. The number of networks and of blocks is added.
        n_outputs : int
            Components of the field at a point: all points of the first output are followed by those of the second.

        Raises
        ------
        ValueError
            If there are too few samples or blocks.
        """
        cumulants = {n: estimate_cumulants(sums, n) for n in range(1, sums.max_points + 1)}
        return cls.from_cumulants(cumulants, points, {"n_nets": sums.n_samples, **attrs}, n_outputs=n_outputs)

    @classmethod
    def from_cumulants(
        cls,
        cumulants: Mapping[int, Cumulants],
        points: NDArray[np.float64],
        attrs: Mapping[str, Any],
        *,
        n_outputs: int = 1,
    ) -> Estimate:
        """Return the estimate made of the cumulants of orders 1, 2, ...

        Parameters
        ----------
        cumulants : mapping from n to Cumulants
        points, attrs, n_outputs
            As for :meth:`from_sums`; ``attrs`` holds ``n_nets``.
        """
        outputs = np.repeat(np.arange(n_outputs), len(points))
        places = {"points": (("point", "coordinate"), np.tile(points, (n_outputs, 1))), "outputs": ("point", outputs)}
        variables: dict[str, Any] = {}
        for n, order in sorted(cumulants.items()):
            variables |= _variables(n, order)
        indices = {f"index_{n}": variables.pop(f"index_{n}") for n in sorted(cumulants)}
        n_blocks = len(next(iter(cumulants.values())).deviations)
        described = {"n_blocks": n_blocks, "max_points": max(cumulants), **attrs}
        return cls(xr.Dataset(variables, coords={**places, **indices}, attrs=described))

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders n that were measured, 1 to ``max_points``."""
        return tuple(range(1, int(self.dataset.attrs["max_points"]) + 1))

    @property
    def n_nets(self) -> int:
        """Number of networks."""
        return int(self.dataset.attrs["n_nets"])

    @property
    def n_blocks(self) -> int:
        """Number of jackknife blocks: the covariance has at most this rank, less one."""
        return int(self.dataset.attrs["n_blocks"])

    @property
    def points(self) -> NDArray[np.float64]:
        """The points, shape (n_points, input_dim); with several outputs all points once for each output."""
        return self._array("points")

    @property
    def outputs(self) -> NDArray[np.int64]:
        """The output that each of :attr:`points` belongs to, shape (n_points,)."""
        outputs: NDArray[np.int64] = self.dataset["outputs"].values
        return outputs

    def indices(self, n: int) -> NDArray[np.int64]:
        """Return the unique index tuples of order n in lexicographic order, shape (K, n)."""
        self._check(n)
        indices: NDArray[np.int64] = self.dataset[f"index_{n}"].values
        return indices

    def values(self, n: int) -> NDArray[np.float64]:
        """Return the n-point connected correlators, shape (K,), in the order of :meth:`indices`."""
        self._check(n)
        return self._array(f"cumulant_{n}")

    def errors(self, n: int) -> NDArray[np.float64]:
        """Return their standard errors, shape (K,)."""
        self._check(n)
        return self._array(f"stderr_{n}")

    def covariance(self, n: int | None = None) -> NDArray[np.float64]:
        """Return the covariance matrix of the values.

        Parameters
        ----------
        n : int, optional
            One order; default: the components of all orders one after the other, order 1 first, each in the order of
            :meth:`indices`.

        Returns
        -------
        array (K, K)
        """
        for order in (wanted := self.orders if n is None else (n,)):
            self._check(order)
        deviations = np.hstack([self._array(f"jackknife_{order}") for order in wanted])
        covariance: NDArray[np.float64] = deviations.T @ deviations
        return covariance

    def tensor(self, n: int) -> NDArray[np.float64]:
        """Return the n-point correlators as a full symmetric tensor, ``n_points`` along each of n axes."""
        self._check(n)
        return symmetric_tensor(self.values(n), len(self.points), n)

    def at_width(self, width: int) -> Estimate:
        """Return the same estimate for networks of another width; only for ``method="neuron"``.

        Single neurons do not know the width: n-point correlators are multiplied by a power, ``N**(1 - n/2)``.

        Raises
        ------
        TypeError, ValueError
            If the width is not a positive integer, or whole networks were measured.
        """
        if isinstance(width, bool) or not isinstance(width, (int, np.integer)):
            raise TypeError(f"width must be an integer, got {width!r}")
        if width < 1:
            raise ValueError(f"width must be positive, got {width}")
        if "width" not in self.dataset.attrs:
            raise ValueError("networks of one width were measured; method='neuron' gives estimates for every width")
        ratio = width / int(self.dataset.attrs["width"])
        data = self.dataset.copy()
        for n in self.orders:
            for name in (f"cumulant_{n}", f"stderr_{n}", f"jackknife_{n}"):
                data[name] = data[name] * ratio ** (1 - n / 2)
        label = re.sub(r"\bN=\d+", f"N={width}", str(data.attrs["architecture"]))
        definition = re.sub(r"(\bwidth=|\('N', )\d+", rf"\g<1>{width}", str(data.attrs.get("definition", "")))
        return Estimate(data.assign_attrs({"width": int(width), "architecture": label, "definition": definition}))

    def merge(self, other: Estimate) -> Estimate:
        """Return the estimate from both sets of networks, weighted by their numbers.

        Each is unbiased, so their average is; the covariance is that of independent parts.

        Raises
        ------
        TypeError, ValueError
            If ``other`` is no Estimate, of other correlators, or of networks of the same seed, which are the same ones.
        """
        from numerics.estimate_files import merged

        return merged(self, other)

    def save(self, path: str | Path) -> Path:
        """Write the estimate, with everything that is known about it, to a netCDF file; see :meth:`load`.

        Parameters
        ----------
        path : str or Path
            Ends in ``.nc``. A file that exists is replaced at once.

        Raises
        ------
        ValueError
            If the name does not end in ``.nc``.
        FileNotFoundError
            If the folder does not exist.
        """
        from numerics.estimate_files import save

        return save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Estimate:
        """Return the estimate that :meth:`save` wrote, the same to the last bit.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no file, or none that holds an estimate.
        """
        from numerics.estimate_files import load

        return load(Path(path))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the covariance in plain Python types, ready for JSON."""
        cumulants = {
            n: {
                "indices": self.indices(n).tolist(),
                "values": self.values(n).tolist(),
                "errors": self.errors(n).tolist(),
            }
            for n in self.orders
        }
        return {**self.dataset.attrs, "points": self.points.tolist(), "cumulants": cumulants}

    def _array(self, name: str) -> NDArray[np.float64]:
        array: NDArray[np.float64] = self.dataset[name].values
        return array

    def _check(self, n: int) -> None:
        if n not in self.orders:
            raise KeyError(f"no {n!r}-point correlators were measured; there are n = 1 to {self.orders[-1]}")

    def _title(self) -> str:
        what = self.dataset.attrs.get("architecture", "samples")
        n_outputs = int(self.outputs[-1]) + 1
        order = self.dataset.attrs.get("derivative")
        of = f"d^{order}/d{self.dataset.attrs['strength']}^{order} of " if order else ""
        many = f", {n_outputs} outputs" if n_outputs > 1 else ""
        samples = self.dataset.attrs.get("samples", "networks")
        return f"{of}{what}: {self.n_nets} {samples} at {len(self.points) // n_outputs} points{many}"

    def _leg(self, index: int) -> str:
        n_outputs = int(self.outputs[-1]) + 1
        if n_outputs == 1:
            return f"x_{index + 1}"
        return f"{self.outputs[index]}:x_{index % (len(self.points) // n_outputs) + 1}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        for n in self.orders:
            components = list(zip(self.indices(n), self.values(n), self.errors(n), strict=True))
            for index, value, error in components[:_ROWS]:
                legs = ", ".join(map(self._leg, index))
                yield f"Gc{n}({legs})", format_uncertainty(float(value), float(error))
            if len(components) > _ROWS:
                yield f"Gc{n}", f"... {len(components) - _ROWS} more"

    def __str__(self) -> str:
        return "\n".join([self._title(), *(f"  {name} = {text}" for name, text in self._rows())])

    def __repr__(self) -> str:
        return f"<Estimate {self._title()}, orders {self.orders}>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in self._rows())
        head = "<tr><th>connected correlator</th><th>measured</th></tr>"
        return f"<table><caption>{escape(self._title())}</caption>{head}{rows}</table>"


def _variables(n: int, cumulants: Cumulants) -> dict[str, tuple[Any, NDArray[Any]]]:
    component = f"component_{n}"
    return {
        f"index_{n}": ((component, f"leg_{n}"), cumulants.indices),
        f"cumulant_{n}": (component, cumulants.values),
        f"stderr_{n}": (component, cumulants.errors),
        f"jackknife_{n}": (("block", component), cumulants.deviations),
    }
