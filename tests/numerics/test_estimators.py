from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, factorial

import numpy as np
import pytest

from diagrams.cumulants import set_partitions
from numerics.estimators import (
    BlockSums,
    block_sums,
    estimate_cumulants,
    jackknife,
    k_statistic_coefficient,
    n_monomials,
)
from numerics.kernels import index_tuples

# cumulants of a Bernoulli variable with p = 1/3, from the recursion kappa_{r+1} = p (1 - p) d kappa_r / dp
BERNOULLI = [(1, 3), (2, 9), (2, 27), (-2, 27), (-10, 81), (14, 243)]


def exact_k_statistic(samples, order):
    """The k-statistic of the first ``order`` components of each sample, in exact rationals."""
    total = Fraction(0)
    for partition in set_partitions(range(order)):
        term = k_statistic_coefficient(tuple(map(len, partition)), len(samples))
        for block in partition:
            term *= sum(Fraction(int(np.prod([s[i] for i in block]))) for s in samples)
        total += term
    return total


@pytest.mark.parametrize("order", range(1, 7))
def test_k_statistics_are_unbiased_exactly(order):
    p, n = Fraction(1, 3), 7
    mean = Fraction(0)
    for successes in range(n + 1):
        samples = [(1,) * order] * successes + [(0,) * order] * (n - successes)
        probability = comb(n, successes) * p**successes * (1 - p) ** (n - successes)
        mean += probability * exact_k_statistic(samples, order)
    assert mean == Fraction(*BERNOULLI[order - 1])


def test_joint_k_statistics_are_unbiased_exactly():
    atoms = [(0, 0, 1), (1, 2, 0), (2, 0, -1)]  # equally likely: a correlated triple

    def mean(*legs):
        return sum(Fraction(int(np.prod([a[i] for i in legs]))) for a in atoms) / 3

    ex, ey, ez = mean(0), mean(1), mean(2)
    third = mean(0, 1, 2) - mean(0, 1) * ez - mean(0, 2) * ey - mean(1, 2) * ex + 2 * ex * ey * ez
    average = sum(exact_k_statistic(samples, 3) for samples in product(atoms, repeat=4)) / 3**4
    assert average == third


def test_known_formulas_of_one_variable():
    x = np.random.default_rng(1).gamma(2.0, size=40)
    n, d = len(x), x - x.mean()
    s2, s3, s4 = (d**2).sum(), (d**3).sum(), (d**4).sum()
    k4 = (n * (n + 1) * s4 - 3 * (n - 1) * s2**2) / ((n - 1) * (n - 2) * (n - 3))  # Kendall and Stuart, chapter 12
    sums = block_sums(x[:, None], block_size=5)
    values = [estimate_cumulants(sums, order).values[0] for order in (1, 2, 3, 4)]
    assert values == pytest.approx([x.mean(), s2 / (n - 1), s3 * n / ((n - 1) * (n - 2)), k4], rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 10.0, 1e4])
def test_large_means_cost_no_digits(offset):
    x = np.random.default_rng(2).normal(size=(1000, 2))
    plain = block_sums(x, block_size=100, shift=[0, 0])
    moved = block_sums(x + offset, block_size=100)
    for order in (2, 3, 4):
        a, b = estimate_cumulants(plain, order), estimate_cumulants(moved, order)
        assert b.values == pytest.approx(a.values, rel=0, abs=1e-10)
        assert b.errors == pytest.approx(a.errors, rel=1e-8)
    assert estimate_cumulants(moved, 1).values == pytest.approx(x.mean(axis=0) + offset, rel=1e-13)


def test_sums_merge_and_coarsen():
    x = np.random.default_rng(3).normal(size=(103, 3))
    whole = block_sums(x, block_size=10, shift=np.zeros(3))
    parts = [block_sums(x[a:b], block_size=10, shift=np.zeros(3)) for a, b in ((0, 40), (40, 103))]
    merged = parts[0].merge(parts[1])
    assert np.array_equal(merged.sums, whole.sums)
    assert merged.counts.tolist() == [10] * 10 + [3]
    coarse = whole.coarsen(4)
    assert coarse.counts.tolist() == [40, 40, 23]
    assert coarse.sums == pytest.approx(block_sums(x, block_size=40, shift=np.zeros(3)).sums, abs=1e-12)
    with pytest.raises(ValueError, match="same shift"):
        whole.merge(block_sums(x, block_size=10, shift=np.ones(3)))


def test_mean_has_the_textbook_error_also_with_unequal_blocks():
    x = np.random.default_rng(4).normal(size=(50, 1))
    single = estimate_cumulants(block_sums(x, block_size=1), 1)
    assert single.errors[0] == pytest.approx(x.std(ddof=1) / np.sqrt(50), rel=1e-12)
    long = np.random.default_rng(5).normal(size=(10_050, 1))
    uneven = estimate_cumulants(block_sums(long, block_size=100), 1)
    assert uneven.errors[0] == pytest.approx(0.01, rel=5 / np.sqrt(2 * 100))


def gaussian_covariance(c, first, second):
    """Covariance times n of two sample covariances of Gaussian variables with covariance matrix c."""
    (i, j), (k, m) = first, second
    return c[i, k] * c[j, m] + c[i, m] * c[j, k]


def test_jackknife_covariance_is_the_known_one():
    mixing = np.array([[1.0, 0.0], [0.6, 0.8]])
    c, n, n_blocks = mixing @ mixing.T, 40_000, 400
    x = np.random.default_rng(6).normal(size=(n, 2)) @ mixing.T
    found = estimate_cumulants(block_sums(x, block_size=n // n_blocks), 2)
    covariance = found.deviations.T @ found.deviations
    pairs = [tuple(t) for t in index_tuples(2, 2)]
    known = np.array([[gaussian_covariance(c, a, b) for b in pairs] for a in pairs]) / n
    diagonal = np.diag(known)
    noise = np.sqrt((known**2 + np.outer(diagonal, diagonal)) / n_blocks)
    assert np.abs((covariance - known) / noise).max() < 5
    assert np.abs((2 * covariance - known) / noise).max() > 10  # a factor of two would be seen


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_z_scores_have_unit_spread(order):
    n, exact = 20_000, [2.0, 2.0, 4.0, 12.0][order - 1]  # cumulants of Gamma(2)
    scores = []
    for seed in range(24):
        x = np.random.default_rng(seed).gamma(2.0, size=(n, 1))
        found = estimate_cumulants(block_sums(x, block_size=n // 200), order)
        scores.append((found.values[0] - exact) / found.errors[0])
    assert abs(np.mean(scores)) < 5 / np.sqrt(24)
    assert 1 - 3 / np.sqrt(48) < np.std(scores, ddof=1) < 1 + 3 / np.sqrt(48)


def gamma_cumulants(rng, n):
    return rng.gamma(4.0, size=n), [4.0 * factorial(r - 1) for r in range(1, 7)]


def mixture_cumulants(rng, n):
    """0.3 N(-1, 1/4) + 0.7 N(2, 1): moments by the binomial formula, cumulants by the recursion."""
    laws = ((0.3, -1.0, 0.5), (0.7, 2.0, 1.0))
    first = rng.random(n) < 0.3
    x = np.where(first, rng.normal(-1, 0.5, n), rng.normal(2, 1, n))
    even = {0: 1, 2: 1, 4: 3, 6: 15}
    moments = [
        sum(p * comb(r, k) * m ** (r - k) * s**k * even[k] for p, m, s in laws for k in range(0, r + 1, 2))
        for r in range(7)
    ]
    found = []
    for r in range(1, 7):
        lower = sum(comb(r - 1, k - 1) * found[k - 1] * moments[r - k] for k in range(1, r))
        found.append(moments[r] - lower)
    return x, found


@pytest.mark.parametrize("law", [gamma_cumulants, mixture_cumulants])
def test_cumulants_through_order_six_and_the_coverage_of_their_errors(law):
    """Joint cumulants of x and x + y, y an independent exponential, over 200 seeds."""
    n, seeds = 10_000, 200
    values = {r: [] for r in range(1, 7)}
    errors = {r: [] for r in range(1, 7)}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, exact = law(rng, n)
        samples = np.stack([x, x + rng.exponential(size=n)], axis=1)
        sums = block_sums(samples, block_size=n // 80, max_points=6)
        for r in range(1, 7):
            found = estimate_cumulants(sums, r)
            values[r].append(found.values)
            errors[r].append(found.errors)
    for r in range(1, 7):
        both = np.array([exact[r - 1] + (factorial(r - 1) if 0 not in legs else 0) for legs in index_tuples(2, r)])
        v, e = np.array(values[r]), np.array(errors[r])
        standard = v.std(axis=0, ddof=1) / np.sqrt(seeds)
        assert np.abs((v.mean(axis=0) - both) / standard).max() < 4
        assert np.abs((v.mean(axis=0) - 1.5 * both) / standard).max() > 5  # a half would be seen at every order
        inside = (np.abs(v - both) < e).mean(axis=0)
        assert np.all(inside > (0.58 if r < 5 else 0.5))  # errors of high orders are skewed
        assert np.all(inside < 0.78)


def test_jackknife_of_plain_cumulants_checks_the_k_statistics():
    """Cumulants of moments have a bias of order 1/n, which the jackknife over samples takes away to second order."""
    x = np.random.default_rng(7).gamma(2.0, size=40)
    without = np.array([np.delete(x, i) for i in range(40)])

    def plain(samples):
        d = samples - samples.mean(axis=-1, keepdims=True)
        return (d**4).mean(axis=-1) - 3 * (d**2).mean(axis=-1) ** 2

    unbiased = estimate_cumulants(block_sums(x[:, None], block_size=1), 4)
    estimate, deviations = jackknife(plain(x[None]), plain(without)[:, None], np.ones(40, dtype=np.int64))
    bias = abs(plain(x) - unbiased.values[0])
    assert abs(estimate[0] - unbiased.values[0]) < 0.3 * bias
    assert np.linalg.norm(deviations[:, 0]) == pytest.approx(unbiased.errors[0], rel=0.3)


def test_too_little_data_is_refused():
    x = np.zeros((8, 1))
    with pytest.raises(ValueError, match=r"at least 2 blocks and 4 samples .* 1 block\(s\)"):
        estimate_cumulants(block_sums(x, block_size=8), 4)
    with pytest.raises(ValueError, match="degrees 1 to 4, so there is no cumulant of order 5"):
        estimate_cumulants(block_sums(x, block_size=1), 5)
    with pytest.raises(ValueError, match="sums must have shape"):
        BlockSums(2, 2, np.array([1]), np.zeros((1, 3)), np.zeros(2))
    with pytest.raises(ValueError, match="need samples"):
        block_sums(np.zeros(5), block_size=1)
    assert n_monomials(6, 4) == 6 + 21 + 56 + 126
