"""What the benchmarks of ensembles count and sum: instructions of compiled code, limits, the products of the peers."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import sys
from itertools import combinations_with_replacement
from math import prod
from pathlib import Path

import numpy as np
import pytest

from numerics.kernels import LANES
from numerics.kernels.cpu import EnsembleKernel

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
counting, kernels, rates, peers = (
    importlib.import_module(name)
    for name in ("_instruction_counts", "_kernel_counts", "_vector_rates", "_ensemble_peers")
)

needs_counting = pytest.mark.skipif(not counting.available(), reason="counting needs Linux on x86-64 and objdump")
forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")


@pytest.mark.parametrize("module", [counting, rates, peers], ids=lambda module: module.__name__)
def test_examples_of_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("vmulps 0x40(%rax),%zmm1,%zmm2", "multiply"),
        ("vfnmadd231pd %ymm0,%ymm1,%ymm2", "multiply"),
        ("vpmuludq %zmm1,%zmm2,%zmm3", "integer multiply"),
        ("vsqrtps %zmm1,%zmm2", "divide"),
        ("vdivpd %zmm1,%zmm2,%zmm3", "divide"),
        ("vaddss %xmm1,%xmm2,%xmm3", "other"),
        ("vpternlogq $0x96,%zmm1,%zmm2,%zmm3", "other"),
        ("vxorps %xmm0,%xmm0,%xmm0", None),
        ("vxorps %xmm0,%xmm0,%xmm1", "other"),
        ("vmovups %zmm1,0x40(%rax)", None),
        ("vpbroadcastq %rax,%zmm0", None),
        ("imul %rax,%rbx", None),
        ("vzeroupper", None),
    ],
)
def test_kinds_of_instructions(instruction, kind):
    assert counting.kind(instruction) == kind


@needs_counting
@forks
@pytest.mark.parametrize(
    ("loop", "kind"), [("multiply-add, float64", "multiply"), ("integer multiply", "integer multiply"),
                       ("root, float32", "divide")]
)  # fmt: skip
def test_loops_are_counted_instruction_by_instruction(loop, kind):
    compiled = rates.compiled_loop(loop)
    low, high = (counting.by_kind(counting.executed(compiled, lambda n=n: compiled(n, 1, 0))) for n in (20, 50))
    assert {k: high[k] - low[k] for k in counting.KINDS} == dict.fromkeys(counting.KINDS, 0) | {kind: 30 * rates.CHAINS}
    assert rates.instructions_per_turn(loop) == rates.CHAINS


@needs_counting
@forks
def test_count_for_any_width_follows_from_two_widths():
    counted = kernels._counted("cos", 1, "float32", 2, 4, 12)
    assert all(count > 0 for count in counted.values())
    assert kernels.vector_instructions("cos", 1, "float32", 12, n_points=2, max_points=4) == pytest.approx(counted)
    wide = kernels.vector_instructions("cos", 1, "float32", 1200, n_points=2, max_points=4)
    assert 80 * sum(counted.values()) < sum(wide.values()) < 100 * sum(counted.values())  # what is left are the sums


@needs_counting
@forks
def test_counts_grow_with_points_and_degree_but_random_numbers_do_not():
    def count(n_points, max_points):
        return kernels.vector_instructions("cos", 1, "float32", 100, n_points=n_points, max_points=max_points)

    two, four, six = (count(n, 2) for n in (2, 4, 6))
    assert two["integer multiply"] == four["integer multiply"] == six["integer multiply"]
    more = sum(four.values()) - sum(two.values())  # two features of 100 neurons, in vectors of 4 numbers or more
    assert 2 * 100 * 3 / 16 < more < 2 * 100 * 40 / 4
    assert sum(six.values()) - sum(four.values()) == pytest.approx(more, rel=0.1)
    assert sum(count(4, 4).values()) > sum(four.values())


@needs_counting
@forks
def test_counting_a_function_that_is_not_called_is_an_error():
    loop = rates.compiled_loop("integer multiply")
    loop(1, 1, 0)
    with pytest.raises(RuntimeError, match="not called"):
        counting.executed(loop, lambda: None)


def test_the_limit_is_that_of_the_unit_that_needs_longest():
    speed = {"any": 4.0, "multiply-add, float64": 2.0, "integer multiply": 1.0, "root, float64": 0.5}
    counts = {"multiply": 10, "integer multiply": 0, "divide": 0, "other": 6}
    assert rates.limit(counts, speed, "float64") == 5.0
    assert rates.limit(counts | {"other": 14}, speed, "float64") == 6.0
    assert rates.limit(counts | {"integer multiply": 3}, speed, "float64") == 8.0
    assert rates.limit(counts | {"divide": 4}, speed, "float64") == 8.0


@pytest.mark.parametrize(("n_points", "max_points"), [(1, 2), (3, 3), (3, 4), (2, 6), (4, 5)])
def test_peers_sum_all_products(n_points, max_points):
    phi = np.random.default_rng(0).normal(size=(7, n_points))
    sums = peers.product_sums(phi, peers.factor_tables(n_points, max_points), max_points)
    found = np.sort(np.concatenate([np.ravel(s) for s in sums]))
    wanted = {
        sum(prod(row[list(t)]) for row in phi)
        for degree in range(1, max_points + 1)
        for t in combinations_with_replacement(range(n_points), degree)
    }
    distance = np.abs(found[:, None] - np.array(sorted(wanted)))
    assert distance.min(axis=0).max() < 1e-12  # every product of outputs is there
    assert distance.min(axis=1).max() < 1e-12  # and nothing else


@pytest.mark.parametrize("net", ["cos", *(pytest.param(n, marks=pytest.mark.slow) for n in ("relu", "erf"))])
def test_peers_sample_the_nets_of_the_kernel(net):
    points, width, n_nets = kernels.points_for(3, 2), 5, 2**15
    _, pairs, _, quads = peers.numpy_batch(net, 2, "float64", width, n_nets, points)()
    kernel = EnsembleKernel(peers.model_of(net, 2, width), points, max_points=4, seed=1, dtype="float64")
    sums = np.zeros((1, kernel.n_monomials))
    kernel.add([0], [n_nets], 0, n_nets // LANES, sums)
    difference = (pairs - sums[0, 3:9]) / n_nets
    errors = np.sqrt(2 * (np.diag(quads) / n_nets - (pairs / n_nets) ** 2) / n_nets)
    assert np.abs(difference / errors).max() < 5
    other = "relu" if net != "relu" else "cos"
    wrong = peers.numpy_batch(other, 2, "float64", width, n_nets, points)()[1]
    assert np.abs((wrong - sums[0, 3:9]) / n_nets / errors).max() > 10


def test_peak_memory_does_not_depend_on_the_number_of_networks():
    peaks = []
    for networks in ("128", "1e5", "3e6"):  # the first one may compile, which takes more memory
        command = [sys.executable, BENCHMARKS / "_peak_memory.py", "--networks", networks, "--width", "1"]
        peaks.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["peak_MB"])
    assert 100 < peaks[1] < 400
    assert abs(peaks[2] - peaks[1]) < 10
