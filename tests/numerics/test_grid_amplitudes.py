"""Diagrams on quadrature nodes against plain sums, with slices, and against the finite theory in a box."""

import numpy as np
import pytest

from diagrams import enumerate_diagrams, phi4, phi_n
from numerics import grid_amplitude, grid_amplitudes
from numerics.node_sums import GridLines


def grid_lines(n_points, n_nodes, seed=0):
    rng = np.random.default_rng(seed)
    inner = rng.random((n_nodes, n_nodes))
    return GridLines(
        np.eye(n_points), rng.random((n_points, n_nodes)), inner + inner.T, rng.random(n_nodes), rng.random(n_nodes)
    )


def plain(graph, lines):
    """Every line and weight as an operand of one sum."""
    operands = []
    for edge in graph.edges:
        u, v = sorted(edge)
        if u == v:
            operands += [lines.loop, [u]]
        else:
            operands += [lines.leg if u < graph.n_legs else lines.inner, [u, v]]
    for v in graph.vertices:
        operands += [lines.weights, [v]]
    return np.einsum(*operands, list(range(graph.n_legs)), optimize="greedy")


def with_vertices(diagrams):
    return [g for g in diagrams if all(max(edge) >= g.n_legs for edge in g.edges)]


CASES = [(4, 2, 3), (4, 4, 2), (3, 3, 2), (4, 6, 1), (4, 0, 3)]


@pytest.mark.parametrize(("power", "legs", "loops"), CASES)
def test_every_diagram_against_a_plain_sum(power, legs, loops):
    lines = grid_lines(3, 5)
    for graph in with_vertices(enumerate_diagrams(valences=(power,), legs=legs, loops=loops)):
        np.testing.assert_allclose(grid_amplitude(graph, lines), plain(graph, lines), rtol=1e-11)


@pytest.mark.parametrize(("power", "legs", "loops"), CASES[:4])
def test_sums_with_labelled_and_exchangeable_legs(power, legs, loops):
    lines, g = grid_lines(3, 5), 0.7
    labelled = with_vertices(enumerate_diagrams(valences=(power,), legs=legs, loops=loops))
    free = with_vertices(enumerate_diagrams(valences=(power,), legs=legs, loops=loops, labelled=False))
    expected = sum((-g) ** d.n_vertices / d.symmetry_factor * plain(d, lines) for d in labelled)
    np.testing.assert_allclose(grid_amplitudes(labelled, lines, {power: g}), expected, rtol=1e-10)
    np.testing.assert_allclose(grid_amplitudes(free, lines, {power: g}), expected, rtol=1e-10)
    assert np.abs(grid_amplitudes(labelled, lines, {power: -g}) - expected).max() > 1e-3 or legs % 2 == 0


def test_several_couplings():
    lines = grid_lines(2, 6)
    diagrams = with_vertices(enumerate_diagrams(valences=(3, 4), legs=2, loops=1))
    expected = sum(
        np.prod([-{3: 0.2, 4: 0.5}[v] for v in d.valences]) / d.symmetry_factor * plain(d, lines) for d in diagrams
    )
    np.testing.assert_allclose(grid_amplitudes(diagrams, lines, {3: 0.2, 4: 0.5}), expected, rtol=1e-11)


def test_slices_change_nothing():
    lines = grid_lines(4, 30)
    diagrams = [d for d in phi4().diagrams(legs=4, max_loops=2) if d.n_vertices == 3]
    for graph in diagrams:
        whole = grid_amplitude(graph, lines)
        np.testing.assert_allclose(grid_amplitude(graph, lines, memory=1500), whole, rtol=1e-12)
    with pytest.raises(MemoryError, match="fewer"):
        grid_amplitude(diagrams[-1], lines, memory=100)
    with pytest.raises(MemoryError, match="fewer"):
        grid_amplitude(enumerate_diagrams(valences=(4,), legs=0, loops=4)[-1], lines, memory=10)


def test_bad_input():
    lines = grid_lines(2, 4)
    with pytest.raises(ValueError, match="no vertex"):
        grid_amplitude(phi4().diagrams(legs=2, max_loops=0)[0], lines)
    with pytest.raises(ValueError, match="no couplings for vertices of \\[3\\]"):
        grid_amplitudes(phi_n(3).diagrams(legs=1, max_loops=1), lines, {4: 1.0})
    with pytest.raises(ValueError, match="different numbers"):
        grid_amplitudes(
            [*phi4().diagrams(legs=2, max_loops=1)[1:], *phi4().diagrams(legs=4, max_loops=0)], lines, {4: 1.0}
        )
    with pytest.raises(ValueError, match="no diagrams"):
        grid_amplitudes([], lines, {4: 1.0})
    with pytest.raises(ValueError, match="inner must have shape"):
        GridLines(np.eye(2), np.ones((2, 4)), np.eye(3), np.ones(4))
