"""Ensemble: random networks in numbered blocks, streamed into connected correlators or handed out as samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagrams.architectures import Architecture
from diagrams.deep import DeepArchitecture
from diagrams.deformed import DeformedArchitecture
from diagrams.engineering import FieldDeformed
from diagrams.mixtures import Mixture
from diagrams.nonidentical import IndependentSum
from numerics.backends import require_backend
from numerics.blocks import Block, Run, block_size, collected, make_blocks, slices
from numerics.checkpoint import SECONDS
from numerics.deep_networks import DeepNetworks
from numerics.estimators import BlockSums, estimate_cumulants, n_monomials
from numerics.kernels import STREAM
from numerics.points import as_points
from numerics.provenance import definition_of, versions
from numerics.results import Estimate
from numerics.sources import Networks, Source, named_parameters, source_of
from numerics.tails import warn_of_heavy_tails, warn_of_rounding

EnsembleLike: TypeAlias = (
    Architecture | DeepArchitecture | DeformedArchitecture | FieldDeformed | Mixture | IndependentSum
)

MAX_POINTS = 6
DTYPES = ("float64", "float32")
_SAID_ELSEWHERE = ("architecture", "block_size", "method", "definition")
_MAX_COMPONENTS = 1 << 20


@dataclass(frozen=True)
class Ensemble:
    """``n_nets`` independent random networks of one architecture.

    A network is a function of the seed, the number of its block and its number within the block, so results do not
    depend, bit for bit, on the number of threads or on the order in which blocks are run.

    Neurons need not be independent. For a deformed density (:func:`diagrams.independence.tilted`, ``score_family``) the
    networks are those of the independent base and carry :meth:`log_weights`; :meth:`connected_correlators` reweights
    them (also where an interaction was added to the action, :func:`diagrams.engineering.deform`), and
    :meth:`correlator_derivatives` expands in the strength without reweighting. Mixtures draw the shared values anew for
    each network. For ``backend="numba"`` all of them are compiled like independent networks, and so are sums of
    non-identical neurons and networks with several hidden layers (:func:`diagrams.deep_net`), drawn layer by layer; for
    ``"cupy"`` deformed densities and mixtures are. Where a random width changes a density that is drawn by a spline, or
    an activation is none of elementary functions, array code does it (``dataset.attrs["backend"]`` says which it was).

    With several outputs, components are ordered output by output: all points of the first, then of the second.

    Parameters
    ----------
    architecture : Architecture, DeepArchitecture, DeformedArchitecture, FieldDeformed, Mixture or IndependentSum
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

    architecture: EnsembleLike
    _: KW_ONLY
    n_nets: int
    seed: int | np.random.SeedSequence = 0
    backend: str = "numba"
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(map(repr, DTYPES))}, got {self.dtype!r}")
        if _integer("n_nets", self.n_nets) < 1:
            raise ValueError(f"n_nets must be a positive number of networks, got {self.n_nets!r}")
        require_backend(self.backend)
        object.__setattr__(self, "n_nets", int(self.n_nets))
        object.__setattr__(self, "seed", _seed_number(self.seed))
        self._source  # noqa: B018 (parameters without numbers and missing kernels are found here)

    @cached_property
    def _source(self) -> Source:
        return source_of(self._base, seed=_seed_number(self.seed), backend=self.backend, dtype=self.dtype)

    @property
    def _base(self) -> Any:
        """The ensemble that networks are drawn from."""
        base: Any = self.architecture
        while isinstance(base, (DeformedArchitecture, FieldDeformed)):
            base = base.base
        return base

    @property
    def _is_deformed(self) -> bool:
        return isinstance(self.architecture, DeformedArchitecture)

    def _run(self, progress: bool, checkpoint: str | Path | None, seconds: float, client: Any, method: str) -> Run:
        if not seconds >= 0:
            raise ValueError(f"checkpoint_seconds must be >= 0, got {seconds!r}")
        definition = {
            "architecture": f"{self.architecture}: {definition_of(self.architecture)}",
            "method": method,
            **{k: v for k, v in self._attrs().items() if k not in _SAID_ELSEWHERE},
            "n_nets": self.n_nets,
        }
        return Run(progress, checkpoint, seconds, client, definition)

    @property
    def input_dim(self) -> int:
        """Number of components of a point."""
        return int(self.architecture.input_dim)

    @property
    def n_outputs(self) -> int:
        """Components of the field at a point."""
        return self._source.n_outputs

    @property
    def block_size(self) -> int:
        """Networks per block (the last may hold fewer): a function of ``n_nets`` alone."""
        return block_size(self.n_nets)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The numbered blocks."""
        return make_blocks(self.n_nets, self.block_size)

    def connected_correlators(
        self,
        x: ArrayLike,
        *,
        max_points: int = 4,
        method: str = "network",
        sampling: str = "random",
        progress: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_seconds: float = SECONDS,
        client: Any = None,
    ) -> Estimate:
        """Return the connected correlators of the outputs at the points, orders 1 to ``max_points``.

        Estimates are unbiased at any number of networks; errors and covariance come from a jackknife over blocks. For
        a deformed density they are self-normalised averages over weighted networks, with the bias of order 1/n_nets
        removed; ``dataset.attrs["effective_sample_size"]`` says how many networks they are worth.

        Parameters
        ----------
        x : array_like (n_points, input_dim)
            Real, finite points.
        max_points : int
            Highest order, 1 to 6.
        method : {"network", "conditional", "neuron", "parts"}
            ``"network"`` assumes nothing but independent networks. ``"conditional"`` integrates Gaussian output
            weights analytically (:mod:`numerics.conditional_method`). ``"neuron"`` draws ``n_nets`` single neurons in
            place of networks, and has every power of N exactly (:mod:`numerics.neuron_cumulants`): its result holds
            for any width, :meth:`~numerics.results.Estimate.at_width`. Errors of the four-point function fall by
            about N and N**(3/2) against those of as many networks; any library can make use of that. ``"parts"`` is
            for phi4_net and other deformed scalar nets: output weights are integrated by parts
            (:mod:`numerics.parts`) and known averages of the free net are used, up to four points.
        sampling : {"random", "sobol", "antithetic", "importance"}
            How neurons are drawn, for ``method="neuron"``: independently; along scrambled Sobol sequences; in pairs
            of opposite parameters; or with the parameters of an exponential feature shifted to where its moments live
            (:mod:`numerics.neuron_sampling`).
        progress : bool
            Show a progress bar with rate and time left on standard error.
        checkpoint : str or Path, optional
            File that keeps the blocks that are finished (:mod:`numerics.checkpoint`). After an interrupt, a crash or
            ``kill -9`` the same call goes on from there, with the same result to the last bit; a complete file gives
            it at once. Independent networks only.
        checkpoint_seconds : float
            Time between two writes; what is newer is lost in a crash.
        client : distributed.Client, optional
            Run the blocks on a Dask cluster (:mod:`numerics.distributed`), with the same result to the last bit.

        Returns
        -------
        Estimate
            Its ``dataset.attrs["method"]`` says what was assumed.

        Raises
        ------
        TypeError, ValueError
            If the points are not as above, ``max_points`` is out of range, there are fewer networks than
            ``max_points + 1``, there are too many components to keep, or the method does not fit the net.
        MemoryError
            If sums and estimates would not fit; said before the start.
        FloatingPointError
            If a sum overflows.
        CheckpointError
            If the file is damaged, or belongs to a run with another definition; it is left as it is.
        ImportError
            If a client is given and ``distributed`` is not installed.
        EffectiveSampleSizeError
            If weights are so uneven that the estimate cannot be trusted; the error carries it as ``estimate``.

        Examples
        --------
        >>> from diagrams.architectures import cos_net
        >>> ensemble = Ensemble(cos_net().at(N=20, sigma_w0=1, sigma_w1=1), n_nets=1000, backend="numpy")
        >>> measured = ensemble.connected_correlators([[0.0], [1.0]], max_points=2)
        >>> bool(abs(measured.values(2)[0] - 0.5) < 5 * measured.errors(2)[0])
        True
        """
        from numerics import methods

        points = as_points(x, self.input_dim)
        methods.check_method(method, sampling, self.architecture)
        run = self._run(progress, checkpoint, checkpoint_seconds, client, method)
        is_interacting = isinstance(self.architecture, FieldDeformed)
        if (checkpoint is not None or client is not None) and (is_interacting or sampling != "random"):
            raise ValueError(
                "checkpoint= and client= are for sums over networks or neurons drawn independently, not for "
                f"{'actions with an interaction' if is_interacting else f'sampling={sampling!r}'}"
            )
        self._check_max_points(max_points, len(points))
        if method == "parts":
            from numerics.parts import parts_correlators

            return parts_correlators(self, points, max_points=max_points, progress=progress)
        if method != "network":
            return methods.measured(self, points, max_points=max_points, method=method, sampling=sampling, run=run)
        if is_interacting:
            from numerics import field_deformation

            return field_deformation.reweighted(self, points, max_points=max_points, progress=progress)
        if self._is_deformed:
            from numerics.broken import reweighted

            return reweighted(self, points, max_points=max_points, run=run)
        sums = collected(self._source, self.blocks, self.blocks, points, max_points, self.block_size, run)
        warn_of_rounding(sums, self.dtype)
        cumulants = {n: estimate_cumulants(sums, n) for n in range(1, max_points + 1)}
        warn_of_heavy_tails(cumulants, sums.n_samples, methods.REMEDIES[0])
        attrs = {**self._attrs(), "n_nets": sums.n_samples}
        return Estimate.from_cumulants(cumulants, points, attrs, n_outputs=self.n_outputs)

    def correlator_derivatives(
        self, x: ArrayLike, *, strength: str = "alpha", order: int = 1, max_points: int = 4, progress: bool = False
    ) -> Estimate:
        r"""Return derivatives of the connected correlators with respect to the strength of a deformation, at zero.

        Unbiased: the derivative of a cumulant is a joint cumulant of the outputs and the potential,
        :math:`d \kappa(\phi_1 \ldots \phi_n) / d\alpha = -\kappa_0(\phi_1 \ldots \phi_n, V)`, which is estimated by
        a k-statistic (the score-function estimator of arXiv:2307.03223, section 2.3, for connected correlators).

        Parameters
        ----------
        x : array_like (n_points, input_dim)
            Real, finite points.
        strength : str
            Name of the strength, for example ``"alpha"``.
        order : int
            1 or 2. Orders ``max_points + order`` up to 6 are possible.
        max_points : int
            Highest order of the correlators.
        progress : bool
            Show a progress bar on standard error.

        Returns
        -------
        Estimate
            Of the derivatives; ``compare`` takes it with the correlators of the deformed architecture.

        Raises
        ------
        TypeError, ValueError
            If the architecture has no such strength, an argument is out of range, or there are too few networks.
        """
        from numerics.broken import derivatives

        points = as_points(x, self.input_dim)
        if isinstance(self.architecture, FieldDeformed) and strength in self.architecture.free_parameters:
            from numerics import field_deformation

            if _integer("order", order) not in (1, 2):
                raise ValueError(f"order must be 1 or 2, got {order!r}")
            self._check_max_points(_integer("max_points", max_points) + order, len(points))
            return field_deformation.derivatives(
                self, points, strength=strength, order=order, max_points=max_points, progress=progress
            )
        if not isinstance(self.architecture, DeformedArchitecture) or self.architecture.strength.name != strength:
            raise ValueError(
                f"{self.architecture} has no strength {strength!r}; make one with net.tilted(V, {strength!r})"
            )
        if _integer("order", order) not in (1, 2):
            raise ValueError(f"order must be 1 or 2, got {order!r}")
        self._check_max_points(_integer("max_points", max_points) + order, len(points))
        return derivatives(self, points, order=order, max_points=max_points, progress=progress)

    def block_sums(
        self, x: ArrayLike, *, max_points: int = 4, blocks: Sequence[Block] | None = None, progress: bool = False
    ) -> BlockSums:
        """Return the sums of monomials over blocks, from which :meth:`connected_correlators` makes its estimate.

        For a deformed density they are those of the independent base. Where there are so many components that the sums
        of all blocks would not fit, consecutive blocks share a row.

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
        points = as_points(x, self.input_dim)
        self._check_max_points(max_points, len(points))
        wanted = self.blocks if blocks is None else tuple(blocks)
        run = Run(progress=progress)
        return collected(self._source, wanted, self.blocks, points, max_points, self.block_size, run)

    def sample(self, x: ArrayLike, *, start: int = 0, count: int | None = None) -> Any:
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
            Of the ensemble's dtype; (count, n_outputs, n_points) with several outputs. For a tilt or a smooth family,
            outputs of the independent base, which :meth:`log_weights` belong to. For an action with an added
            interaction (:func:`diagrams.engineering.deform`) a :class:`numerics.field_samples.FieldSamples`: fields,
            weights, diagnostics and correlators.

        Raises
        ------
        TypeError, ValueError
            If the points are not as above, or the networks are not in the ensemble.
        """
        points = as_points(x, self.input_dim)
        if isinstance(self.architecture, FieldDeformed):
            from numerics import field_deformation

            return field_deformation.samples(self, points, list(self._places(start, count)))
        outputs = self._source.outputs(points)
        parts = [np.empty((0, self.n_outputs * len(points)), dtype=self.dtype)]
        parts += [_as_numpy(outputs(*place)) for place in self._places(start, count)]
        joined = np.concatenate(parts)
        return joined if self.n_outputs == 1 else joined.reshape(len(joined), self.n_outputs, len(points))

    def parameters(self, *, start: int = 0, count: int | None = None) -> dict[str, NDArray[np.floating[Any]]]:
        """Return the parameters of networks, from the same random numbers as :meth:`sample`.

        Parameters
        ----------
        start, count : int
            As for :meth:`sample`.

        Returns
        -------
        dict
            ``"W1"`` (count, N), or (count, N, n_outputs) with several outputs; ``"W0"`` (count, N, input_dim); ``"b0"``
            (count, N) where there is a hidden bias or phase (from -pi to pi); other parameters by name, (count, N).
            Output biases are not included. For a deep net ``"W0"``, ``"W1"``, ... (count, units above, units below)
            from the first layer to the outputs, ``"b0"``, ``"b1"``, ... (count, units above) where there are biases,
            that of the outputs included, and ``"c0"``, ... (count, units) for the phases of hidden layers.

        Raises
        ------
        TypeError, ValueError
            If the networks are not in the ensemble, or are made of several architectures.
        """
        source = self._source
        if isinstance(source, DeepNetworks):
            found = [source.parameters(*place) for place in self._places(start, count)] or [source.parameters(0, 0, 0)]
            return {name: np.concatenate([_as_numpy(part[name]) for part in found]) for name in found[0]}
        if not isinstance(source, Networks):
            raise ValueError(
                f"networks of {self.architecture} have no single list of neurons; ask for those of its parts"
            )
        places = list(self._places(start, count)) or [(0, 0, 0)]
        parts = [named_parameters(self._base, *source.parameters(*place)) for place in places]
        return {name: np.concatenate([_as_numpy(part[name]) for part in parts]) for name in parts[0]}

    def log_weights(self, *, start: int = 0, count: int | None = None) -> NDArray[np.float64]:
        """Return the logarithms of the weights that turn the networks of :meth:`sample` into the deformed ensemble.

        Parameters
        ----------
        start, count : int
            As for :meth:`sample`.

        Returns
        -------
        array (count,)
            ``-alpha V`` for a tilt; the normalisation is left out.

        Raises
        ------
        TypeError, ValueError
            If the architecture is not deformed, its strength has no number, or the networks are not in the ensemble.
        """
        from numerics.broken import log_weight_function

        if isinstance(self.architecture, FieldDeformed):
            from numerics import field_deformation

            return field_deformation.log_weights(self, list(self._places(start, count)))
        weights = log_weight_function(self)
        return np.concatenate([np.empty(0), *(weights(*place)[0] for place in self._places(start, count))])

    def _places(self, start: int, count: int | None) -> Iterator[tuple[int, int, int]]:
        """Iterate over (block, start, count) of a range of networks."""
        first = _integer("start", start)
        stop = self.n_nets if count is None else first + _integer("count", count)
        if not 0 <= first <= stop <= self.n_nets:
            raise ValueError(f"networks {first} to {stop} are not within the ensemble's {self.n_nets}")
        for block in self.blocks[first // self.block_size : -(-stop // self.block_size)]:
            begin, end = max(first - block.start, 0), min(stop - block.start, block.n_nets)
            yield from ((block.index, i, n) for i, n in slices(begin, end))

    def _check_max_points(self, max_points: int, n_points: int) -> None:
        if not 1 <= _integer("max_points", max_points) <= MAX_POINTS:
            raise ValueError(f"max_points must be 1 to {MAX_POINTS}, got {max_points!r}")
        if self.n_nets <= max_points:
            raise ValueError(
                f"n_nets={self.n_nets} is too few for max_points={max_points}: an unbiased cumulant of order n with an "
                f"error needs n + 1 networks, so use n_nets >= {max_points + 1}"
            )
        if (n_columns := n_monomials(self.n_outputs * n_points, max_points)) > _MAX_COMPONENTS:
            raise ValueError(
                f"{n_points} points up to order {max_points} have {n_columns} components, more than {_MAX_COMPONENTS}: "
                f"their sums over {len(self.blocks)} blocks alone would take {8e-9 * n_columns * len(self.blocks):.1f} "
                "GB; use fewer points or a lower max_points"
            )

    def _attrs(self) -> dict[str, str | int]:
        return {
            "architecture": str(self.architecture),
            "seed": str(self.seed),  # text: a 64-bit number does not fit the attributes of every file format
            "block_size": self.block_size,
            "backend": self._source.backend,
            "method": "independent networks",
            "dtype": self.dtype,
            "stream": STREAM,
            "versions": versions(),
            "definition": definition_of(self.architecture),
        }


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
