"""The enumeration of the diagrams of a model: all at once, streamed, counted, or only their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from diagrams._field_blocks import HalfEdgeTable
from diagrams._field_counting import signed_weight, weights, why_not_covered
from diagrams._field_request import Request, is_rigid
from diagrams._field_run import TooManyDiagramsError, all_blocks
from diagrams._field_shapes import SHAPES
from diagrams._field_stream import ModelPosition, ModelStream, check_weights
from diagrams._fields import Field, Vertex
from diagrams._vertex_lists import Bound, Counts
from diagrams.collection import Diagrams
from diagrams.counting import check_count
from diagrams.generate import MAX_GRAPHS

_MOST_COUNTED = 100_000  # so many are made and dropped to state their number in an error
Legs = Mapping[str, int] | Sequence[str]
Orders = Mapping[str, int | Fraction | tuple[int | Fraction, int | Fraction]]


class ModelDiagrams:
    """What a model needs for the enumeration of its diagrams, and the enumeration."""

    name: str
    fields: tuple[Field, ...]
    vertices: tuple[Vertex, ...]
    external: tuple[str, ...]
    charge_odd: tuple[str, ...]

    @property
    def table(self) -> HalfEdgeTable:
        """The model in numbers, as the generators take it."""
        raise NotImplementedError

    def diagrams(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        tadpoles: bool = True,
        amputated: bool = False,
        two_particle_irreducible: bool = False,
        vertex_two_connected: bool = False,
        planar: bool = False,
        furry: bool = False,
        labelled: bool = True,
        max_graphs: int = MAX_GRAPHS,
    ) -> Diagrams:
        r"""Return all diagrams, each exactly once.

        Parameters
        ----------
        legs : mapping or sequence
            The fields of the correlation function, ``("psi", "psi*")`` or ``{"psi": 1, "psi*": 1}``: a leg ``psi``
            ends a line that comes from a ``psi*`` at a vertex. Legs are numbered in this order.
        loops : int, optional
            Number of independent cycles, lines - vertices + components.
        order : mapping, optional
            For each expansion parameter the power that the vertices carry together: a number, or (lowest, highest).
        connected, one_particle_irreducible, self_loops, tadpoles : bool
            As in :func:`diagrams.enumerate_diagrams`; contact lines count as part of one vertex.
        amputated : bool
            Leave out diagrams with a self-energy insertion on a leg: an internal propagator that, when cut, splits off
            exactly one leg from others (see :func:`diagrams.topology.has_leg_correction`).
        two_particle_irreducible, vertex_two_connected, planar : bool
            As in :func:`diagrams.enumerate_diagrams`; not for models with contact lines, except ``planar``.
        furry : bool
            Leave out diagrams with a fermion loop that carries an odd number of charge-odd half-edges.
        labelled : bool
            Legs are labelled. Otherwise legs of the same type are exchangeable: symmetry factors count their
            permutations, and every diagram has a ``multiplicity``.
        max_graphs : int
            Refuse when more diagrams than this would have to be kept.

        Returns
        -------
        Diagrams
            Its graphs carry ``fields``, ``directed`` and ``kinds``; signs are given by :meth:`signs`.

        Raises
        ------
        ValueError, TypeError
            For unknown legs or parameters, contradictory options, or limits that leave infinitely many diagrams.
        MemoryError
            If there are more than ``max_graphs`` diagrams; the text states how many, or, where there are more than
            100,000 and no generating function counts them, at least how many.
        RuntimeError
            If the result fails the self-check.

        Notes
        -----
        Every result is checked against :meth:`total_weight`, for each list of vertices separately. There is no
        generating function for ``amputated``, ``two_particle_irreducible``, ``vertex_two_connected`` and ``planar``,
        nor for some combinations with ``furry`` and contact fields that :meth:`total_weight` names; those are not
        checked.
        """
        request = self._request(
            legs,
            loops,
            order,
            connected=connected,
            bridgeless=one_particle_irreducible,
            self_loops=self_loops,
            tadpoles=tadpoles,
            amputated=amputated,
            two_particle_irreducible=two_particle_irreducible,
            vertex_two_connected=vertex_two_connected,
            planar=planar,
            furry=furry,
            labelled=labelled,
        )
        check_count("max_graphs", max_graphs)
        expected: dict[Counts, Fraction] | None = None

        def count() -> None:
            nonlocal expected
            if not why_not_covered(self.table, request):
                expected = weights(self.table, request)
                if ceil(sum(expected.values(), Fraction(0))) > max_graphs:  # no weight is above one
                    raise TooManyDiagramsError

        try:
            blocks = all_blocks(self.table, request, max_graphs, meanwhile=count)
        except TooManyDiagramsError:
            raise self._too_many(request, max_graphs) from None
        found = Diagrams(tuple(blocks))
        if expected is not None:
            check_weights(expected, blocks)
        return found

    def iter_diagrams(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        tadpoles: bool = True,
        amputated: bool = False,
        two_particle_irreducible: bool = False,
        vertex_two_connected: bool = False,
        planar: bool = False,
        furry: bool = False,
        labelled: bool = True,
        block_size: int = 65536,
        start: ModelPosition | None = None,
    ) -> ModelStream:
        """Return an iterator over the same diagrams in the same order, in collections of about ``block_size``.

        Memory does not depend on the number of diagrams. A collection ends with a list of vertices, or where
        ``block_size`` is reached, after all leg assignments of one skeleton.

        Parameters
        ----------
        legs, loops, order, furry, labelled and all filters
            As for :meth:`diagrams`.
        block_size : int
        start : ModelPosition, optional
            Where an earlier stream of the same request stood, its ``position``: only what is left is delivered.

        Returns
        -------
        ModelStream
            Iterator over :class:`diagrams.Diagrams`; at the end the same self-check as in :meth:`diagrams`.

        Raises
        ------
        ValueError, TypeError
            As :meth:`diagrams`, and for a position that belongs to another request.
        """
        request = self._request(
            legs,
            loops,
            order,
            connected=connected,
            bridgeless=one_particle_irreducible,
            self_loops=self_loops,
            tadpoles=tadpoles,
            amputated=amputated,
            two_particle_irreducible=two_particle_irreducible,
            vertex_two_connected=vertex_two_connected,
            planar=planar,
            furry=furry,
            labelled=labelled,
        )
        return ModelStream(self.table, request, block_size, start)

    def count(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        tadpoles: bool = True,
        amputated: bool = False,
        two_particle_irreducible: bool = False,
        vertex_two_connected: bool = False,
        planar: bool = False,
        furry: bool = False,
        labelled: bool = True,
    ) -> int:
        """Return the number of diagrams; the options are those of :meth:`diagrams`.

        Connected diagrams with labelled legs and different half-edges at each vertex, as in QED, have no symmetry:
        their number is :meth:`total_weight`. Others are made and counted, a block at a time.
        """
        request = self._request(
            legs,
            loops,
            order,
            connected=connected,
            bridgeless=one_particle_irreducible,
            self_loops=self_loops,
            tadpoles=tadpoles,
            amputated=amputated,
            two_particle_irreducible=two_particle_irreducible,
            vertex_two_connected=vertex_two_connected,
            planar=planar,
            furry=furry,
            labelled=labelled,
        )
        if (exact := self._exact_count(request)) is not None:
            return exact
        return sum(len(ds) for ds in ModelStream(self.table, request, 65536, None))

    def total_weight(
        self,
        legs: Legs = (),
        *,
        loops: int | None = None,
        order: Orders | None = None,
        connected: bool = True,
        one_particle_irreducible: bool = False,
        self_loops: bool = True,
        tadpoles: bool = True,
        furry: bool = False,
        labelled: bool = True,
        signed: bool = False,
    ) -> Fraction:
        r"""Return the exact sum of 1/\|Aut\| over the diagrams, without making any: from the theory in zero dimensions.

        Parameters
        ----------
        legs, loops, order, connected, one_particle_irreducible, self_loops, tadpoles, furry, labelled
            As for :meth:`diagrams`.
        signed : bool
            Sum sign/\|Aut\| instead, with the signs of :meth:`signs`: the theory with anticommuting numbers. For
            connected diagrams with labelled legs, complex fermions and no other filter.

        Raises
        ------
        ValueError, TypeError
            As :meth:`diagrams`, and for options that no generating function covers.

        Examples
        --------
        >>> from diagrams import qed
        >>> qed().total_weight(("psi", "psi*"), loops=12)
        Fraction(7213364729026, 1)
        >>> qed().total_weight(("A", "A"), loops=1), qed().total_weight(("A", "A"), loops=1, signed=True)
        (Fraction(1, 1), Fraction(-1, 1))
        """
        request = self._request(
            legs,
            loops,
            order,
            connected=connected,
            bridgeless=one_particle_irreducible,
            self_loops=self_loops,
            tadpoles=tadpoles,
            amputated=False,
            furry=furry,
            labelled=labelled,
        )
        if signed:
            self._check_signed(request)
            return signed_weight(self.table, request)
        if reason := why_not_covered(self.table, request):
            raise ValueError(f"no generating function for {reason}; enumerate the diagrams and add up their weights")
        return sum(weights(self.table, request).values(), Fraction(0))

    def _check_signed(self, request: Request) -> None:
        filtered = request.bridgeless or request.odd or not (request.self_loops and request.tadpoles)
        if filtered or not (request.connected and request.labelled):
            raise ValueError("signed=True is for connected diagrams with labelled legs and no other filter")
        if real := [f.name for f in self.fields if f.is_grassmann and not f.is_complex]:
            raise ValueError(f"signed=True needs complex fermions; {real} are real")

    def _exact_count(self, request: Request) -> int | None:
        """Return the number of diagrams if none of them has automorphisms and a generating function exists."""
        if not (request.connected and request.labelled) or why_not_covered(self.table, request):
            return None
        found = weights(self.table, request)
        if not all(is_rigid(self.table, counts, request.legs) for counts in found):
            return None
        return int(sum(found.values()))

    def _too_many(self, request: Request, max_graphs: int) -> MemoryError:
        number = f"more than {max_graphs}"
        if (exact := self._exact_count(request)) is None and max_graphs < _MOST_COUNTED:
            exact = self._number_made(request)
        if exact is not None:
            number = str(exact)
        elif not why_not_covered(self.table, request):
            least = ceil(sum(weights(self.table, request).values()))
            number = f"at least {least}" if least > max_graphs else number
        remedy = "raise max_graphs, or use iter_diagrams, which keeps one block at a time"
        if request.labelled and any(n > 1 for n in Counter(request.legs).values()):
            remedy += ", or labelled=False, which keeps one diagram for all orders of equal legs"
        return MemoryError(f"there are {number} diagrams of model {self.name!r}, max_graphs={max_graphs}; {remedy}")

    def _number_made(self, request: Request) -> int | None:
        """Return the number of diagrams by making them, a block at a time, None if there are very many."""
        stream, number = ModelStream(self.table, request, 8192, None), 0
        for block in stream:
            number += len(block)
            if number > _MOST_COUNTED:
                stream.close()
                return None
        return number

    def _request(self, legs: Legs, loops: int | None, order: Orders | None, *, furry: bool, **options: bool) -> Request:
        shapes = {name: options.pop(name, False) for name in SHAPES}
        if (asked := [name for name, wanted in shapes.items() if wanted and name != "planar"]) and not all(
            self.table.cuttable
        ):
            raise ValueError(f"{asked[0]}=True is for models whose lines are all propagators, not for {self.name!r}")
        for name in ("bridgeless", "amputated", *shapes):
            if (options | shapes)[name] and not options["connected"]:
                shown = "one_particle_irreducible" if name == "bridgeless" else name
                raise ValueError(f"{shown}=True needs connected=True: it is a property of connected diagrams")
        filtered = options["bridgeless"] or options["amputated"] or not (options["self_loops"] and options["tadpoles"])
        if not any(self.table.cuttable) and filtered:
            raise ValueError(
                f"model {self.name!r} has no propagators: 1PI, amputated, self_loops=False and tadpoles=False mean "
                "nothing there"
            )
        if furry and not (self.charge_odd and any(f.is_grassmann for f in self.fields)):
            raise ValueError(f"furry=True: model {self.name!r} has no fermions that meet a field odd under conjugation")
        if loops is None and order is None:
            raise ValueError("give loops, or the order in the expansion parameters, or both")
        if loops is not None:
            check_count("loops", loops)
        ends = tuple(self.table.names.index(h) for h in self._leg_names(legs))
        orders = tuple(self._bound(parameter, value) for parameter, value in (order or {}).items())
        odd = tuple(i for i, f in enumerate(self.table.fields) if f in self.charge_odd) if furry else ()
        flags = {name: bool(value) for name, value in options.items()}
        flags["bridgeless"] |= bool(shapes["two_particle_irreducible"])
        shape = sum(SHAPES[name] for name, wanted in shapes.items() if wanted)
        return Request(ends, None if loops is None else int(loops), orders, odd=odd, shape=shape, **flags)

    def _leg_names(self, legs: Legs) -> list[str]:
        if isinstance(legs, str):
            raise TypeError(f"legs is a mapping or a sequence of names such as ('psi', 'psi*'), got {legs!r}")
        if isinstance(legs, Mapping):
            for name, n in legs.items():
                check_count(f"legs[{name!r}]", n)
            names = [name for name, n in legs.items() for _ in range(n)]
        else:
            names = list(legs)
        if unknown := sorted(set(names) - set(self.external)):
            raise ValueError(f"{unknown} cannot be external legs; allowed in model {self.name!r}: {self.external}")
        return names

    def _bound(self, parameter: str, value: Any) -> Bound:
        powers = [dict(v.order) for v in self.vertices]
        if not any(parameter in p for p in powers):
            known = sorted({name for p in powers for name in p})
            raise ValueError(f"no vertex carries {parameter!r}; the expansion parameters of {self.name!r} are {known}")
        low, high = value if isinstance(value, tuple) else (value, value)
        return Bound(tuple(Fraction(p.get(parameter, 0)) for p in powers), Fraction(low), Fraction(high))
