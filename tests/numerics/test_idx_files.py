"""IDX files and Fashion-MNIST: what is read, and what is refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from numerics.fashion_mnist import as_inputs, encode, load_fashion_mnist
from numerics.idx_files import IDXError, read_idx

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}
REAL = Path(os.environ.get("NNFT_DATA", Path(__file__).parents[3] / "shared" / "data" / "fashion-mnist"))


def idx_bytes(array, code="u1"):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, CODES[code], array.ndim]) + sizes + array.astype(code).tobytes()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_round_trip(tmp_path, code, pack):
    array = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "file").write_bytes(pack(idx_bytes(array, code)))
    found = read_idx(tmp_path / "file")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(code).newbyteorder("=")


WHOLE = idx_bytes(np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "begins with nothing"),
        (b"PK\x03\x04 something", "not an IDX file"),
        (bytes([0, 0, 10]) + WHOLE[3:], "unknown IDX type 0x0a"),
        (WHOLE[:7], "cut off"),
        (WHOLE[:-1], "is cut off: 5 bytes of data, 6"),
        (WHOLE + b"\0", "bytes left over"),
        (bytes([0, 0, 8, 0]), "0 dimensions"),
        (gzip.compress(WHOLE)[:-9], "gzip"),
    ],
    ids=["empty", "magic", "type", "header", "truncated", "trailing", "no dimension", "gzip"],
)
def test_damaged_files_are_refused(tmp_path, raw, says):
    (tmp_path / "file").write_bytes(raw)
    with pytest.raises(IDXError, match=says):
        read_idx(tmp_path / "file")


def write_images(folder, *, n_train=40, n_test=20, labels=None, side=28, seed=3):
    """Write images whose classes are bright squares at ten places."""
    rng = np.random.default_rng(seed)
    for name, n in (("train", n_train), ("t10k", n_test)):
        y = np.arange(n) % 10 if labels is None else np.full(n, labels)
        images = rng.integers(0, 60, (n, side, side))
        for i, k in enumerate(y % 10):
            images[i, 5 * (k // 5) + 5 : 5 * (k // 5) + 10, 5 * (k % 5) : 5 * (k % 5) + 5] += 150
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(y)))
    return folder


def test_a_folder_of_four_files(tmp_path):
    data = load_fashion_mnist(write_images(tmp_path), any_files=True)
    assert data.train_images.shape == (40, 28, 28)
    assert data.origin == "unknown files"
    part = data.first(10, 5)
    assert (len(part.train_labels), len(part.test_images)) == (10, 5)
    with pytest.raises(ValueError, match="n_train must lie between 1 and 40"):
        data.first(41, 5)


def test_unknown_checksums_are_refused(tmp_path):
    with pytest.raises(IDXError, match=r"checksums.*any_files"):
        load_fashion_mnist(write_images(tmp_path))


@pytest.mark.parametrize(
    ("options", "says"),
    [({"labels": 10}, "between 0 and 9; found up to 10"), ({"side": 27}, "28 x 28"), ({"n_test": 0}, "found none")],
    ids=["label range", "image size", "no images"],
)
def test_wrong_contents(tmp_path, options, says):
    with pytest.raises(IDXError, match=says):
        load_fashion_mnist(write_images(tmp_path, **options), any_files=True)


def test_labels_of_other_images(tmp_path):
    write_images(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.zeros(39))))
    with pytest.raises(IDXError, match="must be 40 bytes"):
        load_fashion_mnist(tmp_path, any_files=True)


def test_missing_files_say_where_they_come_from(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"zalandoresearch/fashion-mnist.*--data"):
        load_fashion_mnist(tmp_path)
    monkeypatch.delenv("NNFT_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_fashion_mnist()


def test_targets():
    labels = np.array([1, 9])
    np.testing.assert_array_equal(encode(labels, "one_hot") + encode(labels, "one_cold"), 1)
    assert encode(labels, "one_hot")[0, 1] == 1
    with pytest.raises(ValueError, match="one_hot"):
        encode(labels, "two_hot")
    with pytest.raises(ValueError, match="between 0 and 9, found -1 to 9"):
        encode(np.array([9, -1]), "one_hot")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no folder {REAL} with Fashion-MNIST (set NNFT_DATA)")
def test_the_real_images():
    data = load_fashion_mnist(REAL)
    assert data.origin in ("published files", "rebuilt split")
    assert data.train_images.shape == (60_000, 28, 28)
    np.testing.assert_array_equal(np.bincount(data.train_labels), 6000)
    np.testing.assert_array_equal(np.bincount(data.test_labels), 1000)
    assert abs(as_inputs(data.test_images).mean() * 0.3081 + 0.1307 - 0.2868) < 1e-3
