from __future__ import annotations

import numpy as np
import pytest

from numerics.kernels.philox import key_words, philox4x32, philox4x32_numba, random_words

# known-answer tests of the Random123 library (kat_vectors, philox4x32-10): counter, key, words
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS, ids=["zeros", "ones", "pi"])
@pytest.mark.parametrize("function", [philox4x32, philox4x32_numba], ids=["numpy", "numba"])
def test_known_answers(function, counter, key, words):
    assert tuple(map(int, function(*map(np.uint64, counter), *map(np.uint64, key)))) == words


def test_arrays_agree_with_scalars_and_broadcast():
    counters = np.arange(5)[:, None], 7, np.arange(3), 2**32 - 1
    seed = 2**63 + 11
    words = random_words(np, counters, seed)
    assert [w.shape for w in words] == [(5, 3)] * 4
    assert words[0].dtype == np.uint32
    expected = philox4x32_numba(*map(np.uint64, (4, 7, 2, 2**32 - 1, *key_words(seed))))
    assert tuple(int(w[4, 2]) for w in words) == tuple(map(int, expected))


@pytest.mark.parametrize("bit", [0, 31, 32, 63])
def test_every_half_of_the_seed_counts(bit):
    zero = np.concatenate(random_words(np, (np.arange(1000), 0, 0, 0), 0))
    other = np.concatenate(random_words(np, (np.arange(1000), 0, 0, 0), 1 << bit))
    assert np.count_nonzero(zero == other) < 3
    flipped = np.unpackbits((zero ^ other).view(np.uint8)).mean()
    assert abs(flipped - 0.5) < 5 * 0.5 / np.sqrt(32 * zero.size)
