"""Random elements of groups as matrices of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from diagrams.groups import Euclidean, Group, Orthogonal, Permutation, Symplectic, Unitary

Floats = NDArray[np.float64]

SAMPLINGS = ("haar", "positive")
_MOST_ELEMENTS = 10_000


def random_elements(group: Group, count: int, *, sampling: str = "haar", seed: Any = 0) -> Floats:
    """Return the linear parts of random elements, shape (count, size, size).

    Parameters
    ----------
    group : Group
    count : int
    sampling : {"haar", "positive"}
        Uniform over the group; or ``expm(sum_g u_g T_g)`` with u uniform between 0 and 1, not uniform over the group
        (the choice of arXiv:2106.00694).
    seed : int or numpy.random.SeedSequence

    Raises
    ------
    ValueError
        For an unknown sampling, one that the group does not have, or a count below one.

    Examples
    --------
    >>> R = random_elements(Orthogonal(3, special=True), 2, seed=1)
    >>> np.allclose(R @ R.transpose(0, 2, 1), np.eye(3)), np.linalg.det(R).round(12).tolist()
    (True, [1.0, 1.0])
    """
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling must be 'haar' or 'positive', got {sampling!r}")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a positive integer, got {count!r}")
    rng = np.random.default_rng(seed)
    if sampling == "positive":
        if not group.generators:
            raise ValueError(f"{group} has no generators: use sampling='haar'")
        generators = np.array([np.array(t.tolist(), dtype=np.float64) for t in group.generators])
        return np.array([expm(np.tensordot(rng.random(len(generators)), generators, axes=1)) for _ in range(count)])
    return np.array([_haar(group, rng) for _ in range(count)])


def _haar(group: Group, rng: np.random.Generator) -> Floats:
    if isinstance(group, Permutation):
        return np.eye(group.size)[rng.permutation(group.size)]
    if isinstance(group, (Orthogonal, Euclidean)):
        q = _unitary(rng.standard_normal((group.size, group.size)))
        if isinstance(group, Orthogonal) and group.special and np.linalg.det(q) < 0:
            q[:, 0] *= -1
        return q
    if isinstance(group, Unitary):
        n = group.n
        u = _unitary(rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n)))
        return _real(u / np.linalg.det(u) ** (1 / n) if group.special else u)
    if isinstance(group, Symplectic):
        return _real(_quaternionic(group.n, rng))
    if not (group.generators or group.reflections):  # translations alone
        return np.eye(group.size)
    if not group.generators:
        elements = _finite_group(np.array([np.array(r.tolist(), dtype=np.float64) for r in group.reflections]))
        return elements[rng.integers(len(elements))]
    raise ValueError(f"there are no uniform random elements of {group} here: use sampling='positive'")


def _finite_group(generators: Floats) -> Floats:
    """Return all products of some matrices.

    Raises
    ------
    ValueError
        If there are very many.
    """
    size = generators.shape[-1]
    found = {np.eye(size).round(9).tobytes(): np.eye(size)}
    new = list(found.values())
    while new:
        products = [g @ e + 0.0 for e in new for g in generators]  # no negative zeros
        fresh = {(p.round(9) + 0.0).tobytes(): p for p in products}
        new = [p for key, p in fresh.items() if key not in found]
        found |= fresh
        if len(found) > _MOST_ELEMENTS or max(np.abs(p).max() for p in products) > 1e6:
            raise ValueError(f"the discrete elements generate more than {_MOST_ELEMENTS} elements")
    return np.array(list(found.values()))


def _unitary(a: NDArray[Any]) -> NDArray[Any]:
    """Return the Q of QR with positive diagonal R: uniform for Gaussian a (Mezzadri, Notices AMS 54 (2007) 592)."""
    q, r = np.linalg.qr(a)
    d = np.diag(r)
    return np.asarray(q * (d / np.abs(d)))


def _quaternionic(n: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Return a unitary matrix [[A, B], [-conj(B), conj(A)]] by Gram-Schmidt over pairs of columns v, J conj(v)."""
    found: list[NDArray[np.complex128]] = []
    for _ in range(n):
        v = rng.standard_normal(2 * n) + 1j * rng.standard_normal(2 * n)
        for w in found:
            v = v - w * np.vdot(w, v)
        v = v / np.linalg.norm(v)
        found += [v, np.concatenate([-v[n:].conj(), v[:n].conj()])]
    return np.stack(found[::2] + found[1::2], axis=1)


def _real(u: NDArray[np.complex128]) -> Floats:
    return np.block([[u.real, -u.imag], [u.imag, u.real]])
