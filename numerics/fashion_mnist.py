"""The images of Fashion-MNIST, from the four standard IDX files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.idx_files import IDXError, read_idx

N_CLASSES = 10
SIDE = 28
MEAN, SPREAD = 0.1307, 0.3081  # constants of MNIST, which the experiment of arXiv:2106.00694 uses
_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# digests of the compressed files; the published ones are MD5, as in the list of their authors
_PUBLISHED = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
_REBUILT = {
    "train-images-idx3-ubyte": "c76353bd679da070dcaddee8c8c0e277b149281a1de3df8030c687694fad5be4",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "52f5d53f8e160594d0d4a3d5da6ad460bc6edce201b862ca35279c74118562f5",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_HOW = (
    "get the four files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
    "t10k-labels-idx1-ubyte.gz from https://github.com/zalandoresearch/fashion-mnist (folder data/fashion), put them "
    "into one folder and name it with --data or NNFT_DATA"
)


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images with their labels, for training and for testing.

    Parameters
    ----------
    train_images, test_images : array (n, side, side) of uint8
    train_labels, test_labels : array (n,)
    origin : str
        "published files", "rebuilt split" (all images of the published files, divided otherwise into training and
        test), or "unknown files".
    sha256 : tuple of str
        Of the four files as they are on the disk.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    origin: str
    sha256: tuple[str, ...]

    def first(self, n_train: int, n_test: int) -> ImageData:
        """Return only the first images of both kinds, in an order shuffled once and for all.

        Files may be sorted by class, so that a plain head would miss classes.
        """
        for name, n, have in (("n_train", n_train, len(self.train_labels)), ("n_test", n_test, len(self.test_labels))):
            if not 1 <= n <= have:
                raise ValueError(f"{name} must lie between 1 and {have}, got {n}")
        train = np.random.default_rng(0).permutation(len(self.train_labels))[:n_train]
        test = np.random.default_rng(1).permutation(len(self.test_labels))[:n_test]
        chosen = self.train_images[train], self.train_labels[train], self.test_images[test], self.test_labels[test]
        return ImageData(*chosen, self.origin, self.sha256)


def as_inputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images as inputs of a network: one row each, ``(pixel/255 - 0.1307) / 0.3081``.

    Examples
    --------
    >>> as_inputs(np.zeros((1, 2, 2), np.uint8)).round(3)
    array([[-0.424, -0.424, -0.424, -0.424]], dtype=float32)
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    return ((flat / 255 - MEAN) / SPREAD).astype(np.float32)


def encode(labels: NDArray[Any], encoding: str) -> NDArray[np.float32]:
    """Return targets: ``"one_hot"``, or ``"one_cold"`` which is one minus that.

    Examples
    --------
    >>> encode(np.array([2]), "one_cold")
    array([[1., 1., 0., 1., 1., 1., 1., 1., 1., 1.]], dtype=float32)
    """
    if encoding not in ("one_hot", "one_cold"):
        raise ValueError(f"encoding must be 'one_hot' or 'one_cold', got {encoding!r}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < N_CLASSES):
        raise ValueError(f"labels must lie between 0 and {N_CLASSES - 1}, found {labels.min()} to {labels.max()}")
    hot = np.eye(N_CLASSES, dtype=np.float32)[labels]
    return hot if encoding == "one_hot" else 1 - hot


def load_fashion_mnist(directory: str | Path | None = None, *, any_files: bool = False) -> ImageData:
    """Return Fashion-MNIST from a folder with its four IDX files (``.gz`` or unpacked).

    Parameters
    ----------
    directory : str or Path, optional
        Default: the folder named by the environment variable ``NNFT_DATA``.
    any_files : bool
        Accept compressed files whose checksums are not known, as long as shapes and labels are right. Unpacked files
        have no published checksum and need this too.

    Returns
    -------
    ImageData

    Raises
    ------
    FileNotFoundError
        If there is no such folder or a file is missing; says how to get them.
    IDXError
        If a file is damaged, has an unknown checksum, or images and labels do not fit.
    """
    directory = directory or os.environ.get("NNFT_DATA")
    if not directory:
        raise FileNotFoundError(f"no folder with Fashion-MNIST was given: {_HOW}")
    paths = [_find(Path(directory), name) for name in _NAMES]
    origins = [_origin(path) for path in paths]
    if not any_files and (unknown := [p.name for p, known in zip(paths, origins, strict=True) if not known]):
        raise IDXError(
            f"the checksums of {', '.join(unknown)} in {directory} are not those of Fashion-MNIST: {_HOW}; "
            "pass any_files=True (--any-files) to use them all the same"
        )
    arrays = [read_idx(path) for path in paths]
    _check(arrays[0], arrays[1], paths[0])
    _check(arrays[2], arrays[3], paths[2])
    common = set.intersection(*map(set, origins)) if all(origins) else set()
    origin = "published files" if "published" in common else "rebuilt split" if "rebuilt" in common else "unknown files"
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    labels = [a.astype(np.int64) for a in arrays[1::2]]
    return ImageData(arrays[0], labels[0], arrays[2], labels[1], origin, digests)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"no file {name}.gz (nor {name}) in {folder}: {_HOW}")


def _origin(path: Path) -> tuple[str, ...]:
    """Return which known sets of files this one belongs to; the label files belong to both."""
    raw, name = path.read_bytes(), path.name.removesuffix(".gz")
    published = hashlib.md5(raw, usedforsecurity=False).hexdigest() == _PUBLISHED[name]
    rebuilt = hashlib.sha256(raw).hexdigest() == _REBUILT[name]
    return ("published",) * published + ("rebuilt",) * rebuilt


def _check(images: NDArray[Any], labels: NDArray[Any], path: Path) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise IDXError(
            f"{path} must hold {SIDE} x {SIDE} images of bytes, found {images.dtype} of shape {images.shape}"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise IDXError(
            f"the labels beside {path.name} must be {len(images)} bytes, one for each image; found {labels.dtype} of "
            f"shape {labels.shape}"
        )
    if len(labels) == 0 or labels.max() >= N_CLASSES:
        found = f"up to {labels.max()}" if len(labels) else "none"
        raise IDXError(f"labels beside {path.name} must lie between 0 and {N_CLASSES - 1}; found {found}")
