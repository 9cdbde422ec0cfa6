"""Files in the IDX format of MNIST: a header that names type and shape, then the numbers."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


class IDXError(ValueError):
    """A file that is not in IDX format, is cut off, or holds something else than what is wanted."""


def read_idx(path: str | Path) -> NDArray[Any]:
    """Return the array in an IDX file, compressed with gzip or not.

    The file holds two zero bytes, a byte for the type (0x08 unsigned bytes, 0x09 signed bytes, 0x0B and 0x0C
    integers of two and four bytes, 0x0D and 0x0E floats), a byte for the number of dimensions, the dimensions as
    big-endian 32-bit integers, and the numbers in C order, big-endian.

    Parameters
    ----------
    path : str or Path
        Compression is recognised by the contents, not by the name.

    Returns
    -------
    array
        In the byte order of this machine.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IDXError
        If the contents are not IDX, are too short, or have bytes left over.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 2]))
    ...     read_idx(path)
    array([7, 0, 2], dtype=uint8)
    """
    path = Path(path)
    raw = _contents(path)
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise IDXError(f"{path} is not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'}, not with 00 00")
    kind, n_dims = raw[2], raw[3]
    if kind not in _TYPES:
        allowed = ", ".join(f"0x{k:02x}" for k in _TYPES)
        raise IDXError(f"{path} has the unknown IDX type 0x{kind:02x}; known are {allowed}")
    start = 4 + 4 * n_dims
    if n_dims == 0 or len(raw) < start:
        raise IDXError(
            f"{path} announces {n_dims} dimensions in a header of {len(raw)} bytes: it is cut off or damaged"
        )
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", count=n_dims, offset=4))
    dtype = np.dtype(_TYPES[kind])
    wanted = math.prod(shape) * dtype.itemsize
    if (found := len(raw) - start) != wanted:
        how = "is cut off" if found < wanted else "has bytes left over"
        raise IDXError(f"{path} {how}: {found} bytes of data, {wanted} for the shape {shape}")
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _contents(path: Path) -> bytes:
    raw = path.read_bytes()
    if not raw.startswith(_GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise IDXError(f"{path} is compressed with gzip, and cut off or damaged ({error})") from None
