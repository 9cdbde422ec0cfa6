"""Ensemble: random networks in numbered blocks, streamed into connected correlators or handed out as samples."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from diagrams.architectures import Architecture
from numerics.backends import array_module, require_backend
from numerics.estimators import BlockSums, monomial_sums, n_monomials
from numerics.forward import NetworkModel, network_outputs
from numerics.kernels import LANES
from numerics.points import as_points
from numerics.results import Estimate

MAX_POINTS = 6
DTYPES = ("float64", "float32")
_MAX_COMPONENTS = 1 << 20
_MAX_SUMS = 1 << 26  # float64 numbers kept: 512 MiB
_SECONDS_PER_CALL = 0.1  # of compiled code, during which Ctrl-C has to wait
_NETS_PER_CALL = 8192  # of array code


@dataclass(frozen=True)
class Block:
    """A numbered block of networks: the unit of work that may run anywhere."""

    index: int
    start: int
    n_nets: int


@dataclass(frozen=True)
class Ensemble:
    """``n_nets`` independent random networks of one architecture.

    A network is a function of the seed, the number of its block and its number within the block, so results do not
    depend, bit for bit, on the number of threads or on the order in which blocks are run.

    Parameters
    ----------
    architecture : Architecture
        With numbers for all parameters: ``net.at(N=20, sigma_w0=1, sigma_w1=1)``.
    n_nets : int
        Number of networks.
    seed : int or numpy.random.SeedSequence
        ``0 <= seed < 2**64``; a SeedSequence is turned into such a number.
    backend : {"numba", "numpy", "cupy"}
        numba compiles for the CPU (the default), numpy is the reference, cupy uses a GPU.
    dtype : {"float64", "float32"}
        Precision of the evaluation. Block sums are float64 always; float32 networks come from a stream of their own.

    Raises
    ------
    TypeError
        If the architecture is not an Architecture, or the number of networks or the seed is not an integer.
    ValueError
        If a parameter is still symbolic, or an argument is out of range.
    NotImplementedError
        If there is no kernel for the architecture.
    ImportError, RuntimeError
        If the backend is not available here.

    Examples
    --------
    >>> from diagrams.architectures import cos_net
    >>> ensemble = Ensemble(cos_net().at(N=20, sigma_w0=1, sigma_w1=1), n_nets=10_000, seed=1)
    >>> len(ensemble.blocks), ensemble.blocks[-1]
    (79, Block(index=78, start=9984, n_nets=16))
    """

    architecture: Architecture
    _: KW_ONLY
    n_nets: int
    seed: int | np.random.SeedSequence = 0
    backend: str = "numba"
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if not isinstance(self.architecture, Architecture):
            raise TypeError(f"architecture must be one such as cos_net().at(N=20, ...), got {self.architecture!r}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(map(repr, DTYPES))}, got {self.dtype!r}")
        if _integer("n_nets", self.n_nets) < 1:
            raise ValueError(f"n_nets must be a positive number of networks, got {self.n_nets!r}")
        require_backend(self.backend)
        object.__setattr__(self, "n_nets", int(self.n_nets))
        object.__setattr__(self, "seed", _seed_number(self.seed))
        self._model  # noqa: B018 (parameters without numbers and missing kernels are found here)

    @cached_property
    def _model(self) -> NetworkModel:
        return NetworkModel.of(self.architecture)

    @property
    def block_size(self) -> int:
        """Networks per block (the last may hold fewer): a function of ``n_nets`` alone."""
        return _block_size(self.n_nets)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The numbered blocks."""
        size = self.block_size
        starts = range(0, self.n_nets, size)
        return tuple(Block(i, start, min(size, self.n_nets - start)) for i, start in enumerate(starts))

    def connected_correlators(self, x: ArrayLike, *, max_points: int = 4, progress: bool = False) -> Estimate:
        """Return the connected correlators of the outputs at the points, orders 1 to ``max_points``.

        Estimates are unbiased at any number of networks; errors and covariance come from a jackknife over blocks.

        Parameters
        ----------
        x : array_like (n_points, input_dim)
            Real, finite points.
        max_points : int
            Highest order, 1 to 6.
        progress : bool
            Show a progress bar on standard error.

        Returns
        -------
        Estimate

        Raises
        ------
        TypeError, ValueError
            If the points are not as above, ``max_points`` is out of range, there are fewer networks than
            ``max_points + 1``, or there are too many components to keep.
        FloatingPointError
            If a sum overflows.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> ensemble = Ensemble(cos_net().at(N=20, sigma_w0=1, sigma_w1=1), n_nets=1000, backend="numpy")
        >>> measured = ensemble.connected_correlators([[0.0], [1.0]], max_points=2)
        >>> bool(abs(measured.values(2)[0] - 0.5) < 5 * measured.errors(2)[0])
        True
        """
        points = as_points(x, self.architecture.input_dim)
        sums = self.block_sums(points, max_points=max_points, progress=progress)
        return Estimate.from_sums(sums, points, self._attrs())

    def block_sums(
        self, x: ArrayLike, *, max_points: int = 4, blocks: Sequence[Block] | None = None, progress: bool = False
    ) -> BlockSums:
        """Return the sums of monomials over blocks, from which :meth:`connected_correlators` makes its estimate.

        Where there are so many components that the sums of all blocks would not fit, consecutive blocks share a row.

        Parameters
        ----------
        x, max_points, progress
            As in :meth:`connected_correlators`.
        blocks : sequence of Block, optional
            Some of :attr:`blocks`, in the order in which rows are wanted; default: all. Sums of parts are put together
            with :meth:`~numerics.estimators.BlockSums.merge`.

        Returns
        -------
        BlockSums
        """
        points = as_points(x, self.architecture.input_dim)
        self._check_max_points(max_points, len(points))
        wanted = self.blocks if blocks is None else tuple(blocks)
        n_columns = n_monomials(len(points), max_points)
        share = -(-len(self.blocks) * n_columns // _MAX_SUMS)
        sums = np.zeros((-(-len(wanted) // share), n_columns))
        with tqdm(total=sum(b.n_nets for b in wanted), disable=not progress, unit="net", unit_scale=True) as bar:
            done = 0
            for part in self._summed(wanted, points, max_points, bar):
                for row in part:
                    sums[done // share] += row
                    done += 1
        if not np.isfinite(sums).all():
            raise FloatingPointError(f"sums are not finite in {self.dtype}: points or parameters are too large")
        counts = np.add.reduceat([b.n_nets for b in wanted], np.arange(0, len(wanted), share))
        return BlockSums(len(points), max_points, counts, sums, np.zeros(len(points)))

    def sample(self, x: ArrayLike, *, start: int = 0, count: int | None = None) -> NDArray[np.floating[Any]]:
        """Return outputs of networks at the points: the very networks that the correlators are measured on.

        Parameters
        ----------
        x : array_like (n_points, input_dim)
            Real, finite points.
        start : int
            First network.
        count : int, optional
            Number of networks; default: all from ``start`` on.

        Returns
        -------
        array (count, n_points)
            Of the ensemble's dtype.

        Raises
        ------
        TypeError, ValueError
            If the points are not as above, or the networks are not in the ensemble.
        """
        points = as_points(x, self.architecture.input_dim)
        first = _integer("start", start)
        stop = self.n_nets if count is None else first + _integer("count", count)
        if not 0 <= first <= stop <= self.n_nets:
            raise ValueError(f"networks {first} to {stop} are not within the ensemble's {self.n_nets}")
        parts = [np.empty((0, len(points)), dtype=self.dtype)]
        outputs = self._compiled_outputs(points) if self.backend == "numba" else partial(self._outputs, points)
        for block in self.blocks[first // self.block_size : -(-stop // self.block_size)]:
            begin, end = max(first - block.start, 0), min(stop - block.start, block.n_nets)
            parts += [_as_numpy(outputs(block.index, i, n)) for i, n in _slices(begin, end)]
        return np.concatenate(parts)

    def _compiled_outputs(self, points: NDArray[np.float64]) -> Callable[[int, int, int], Any]:
        from numerics.kernels.cpu import EnsembleKernel

        kernel = EnsembleKernel(self._model, points, max_points=1, seed=_seed_number(self.seed), dtype=self.dtype)
        return kernel.outputs

    def _outputs(self, points: NDArray[np.float64], block: int, start: int, count: int) -> Any:
        return network_outputs(
            array_module(self.backend), self._model, points,
            block=block, start=start, count=count, seed=_seed_number(self.seed), dtype=self.dtype,
        )  # fmt: skip

    def _summed(self, blocks: Sequence[Block], x: NDArray[np.float64], max_points: int, bar: Any) -> Iterator[Any]:
        """Iterate over the sums of consecutive blocks, a few blocks at a time, shape (n, n_monomials)."""
        if self.backend == "numba":
            yield from self._summed_compiled(blocks, x, max_points, bar)
            return
        xp = array_module(self.backend)
        for block in blocks:
            total = np.zeros(n_monomials(len(x), max_points))
            for start, count in _slices(0, block.n_nets):
                total += monomial_sums(xp, self._outputs(x, block.index, start, count), max_points)
                bar.update(count)
            yield total[None]

    def _summed_compiled(
        self, blocks: Sequence[Block], x: NDArray[np.float64], max_points: int, bar: Any
    ) -> Iterator[NDArray[np.float64]]:
        from numerics.kernels.cpu import EnsembleKernel, n_threads

        kernel = EnsembleKernel(self._model, x, max_points=max_points, seed=_seed_number(self.seed), dtype=self.dtype)
        n_groups = -(-self.block_size // LANES)
        per_thread = max(1, int(_SECONDS_PER_CALL / kernel.seconds_per_group))
        at_once = n_threads() * max(1, per_thread // n_groups)
        for i in range(0, len(blocks), at_once):
            part = blocks[i : i + at_once]
            sums = np.zeros((len(part), kernel.n_monomials))
            for group in range(0, n_groups, per_thread):
                stop = min(group + per_thread, n_groups)
                kernel.add([b.index for b in part], [b.n_nets for b in part], group, stop, sums)
                bar.update(sum(max(0, min(b.n_nets, stop * LANES) - group * LANES) for b in part))
            yield sums

    def _check_max_points(self, max_points: int, n_points: int) -> None:
        if not 1 <= _integer("max_points", max_points) <= MAX_POINTS:
            raise ValueError(f"max_points must be 1 to {MAX_POINTS}, got {max_points!r}")
        if self.n_nets <= max_points:
            raise ValueError(
                f"n_nets={self.n_nets} is too few for max_points={max_points}: an unbiased cumulant of order n with an "
                f"error needs n + 1 networks, so use n_nets >= {max_points + 1}"
            )
        if (n_columns := n_monomials(n_points, max_points)) > _MAX_COMPONENTS:
            raise ValueError(
                f"{n_points} points up to order {max_points} have {n_columns} components, more than {_MAX_COMPONENTS}: "
                "use fewer points or a lower max_points"
            )

    def _attrs(self) -> dict[str, str | int]:
        import numba

        versions = f"python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}"
        return {
            "architecture": str(self.architecture),
            "seed": str(self.seed),  # text: a 64-bit number does not fit the attributes of every file format
            "block_size": self.block_size,
            "backend": self.backend,
            "dtype": self.dtype,
            "versions": versions,
        }


def _block_size(n_nets: int) -> int:
    """Return 64 blocks for few networks; beyond 8192, full lane groups, and about 1024 blocks in the long run."""
    if n_nets < 64 * LANES:
        return -(-n_nets // 64)
    return LANES * -(-n_nets // (1024 * LANES))


def _slices(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut a range of networks into (start, count) at fixed places, so that sums do not depend on who asks."""
    while start < stop:
        end = min(stop, (start // _NETS_PER_CALL + 1) * _NETS_PER_CALL)
        yield start, end - start
        start = end


def _as_numpy(array: Any) -> NDArray[np.floating[Any]]:
    return np.asarray(array.get() if hasattr(array, "get") else array)


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    return int(value)


def _seed_number(seed: Any) -> int:
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed must be an integer or a numpy.random.SeedSequence, got {seed!r}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must satisfy 0 <= seed < 2**64, got {seed!r}; numpy.random.SeedSequence takes any size")
    return int(seed)
