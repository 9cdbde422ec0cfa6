"""Checkpoints of long runs: finished rows of sums in one file, replaced at once, refused where anything has changed."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"nnft checkpoint\n"
FORMAT = 1
SECONDS = 30.0  # between two writes


class CheckpointError(ValueError):
    """A checkpoint file that is damaged, or belongs to another run. It is left as it is."""


class CheckpointWarning(UserWarning):
    """A checkpoint that could not be written; the run goes on and the last one stays."""


class Checkpoint:
    """The file that holds the finished rows of a run.

    A file begins with a line that names its kind and a line of JSON: format, definition of the run, shape, and the
    SHA-256 of the definition and of what follows, which is one byte for each row (finished or not) and the rows as
    little-endian float64.

    Parameters
    ----------
    path : str or Path
        The folder must exist. An existing file is read.
    definition : mapping
        Everything that the sums depend on, as JSON.
    shape : tuple of int
        Rows and columns.
    seconds : float
        Time between two writes.

    Raises
    ------
    CheckpointError
        If there is a file that is damaged, or of a run with another definition; the text names what differs.
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If the path is a folder.
    """

    def __init__(
        self, path: str | Path, definition: Mapping[str, Any], shape: tuple[int, int], *, seconds: float = SECONDS
    ) -> None:
        self.path = Path(path)
        if not self.path.absolute().parent.is_dir():
            raise FileNotFoundError(
                f"no folder {self.path.absolute().parent} to keep the checkpoint {self.path.name} in"
            )
        if self.path.is_dir():
            raise IsADirectoryError(f"the checkpoint {self.path} is a folder; give the name of a file")
        self.definition: dict[str, Any] = json.loads(json.dumps(dict(definition)))
        self.seconds = seconds
        self.done = np.zeros(shape[0], np.bool_)
        self.rows = np.zeros(shape)
        self._last, self._warned = time.monotonic(), False
        if self.path.exists():
            self._read()

    def add(self, first: int, rows: NDArray[np.float64]) -> None:
        """Take finished rows, and write the file if it is time to."""
        self.rows[first : first + len(rows)] = rows
        self.done[first : first + len(rows)] = True
        if time.monotonic() - self._last >= self.seconds:
            self.write()

    def write(self) -> None:
        """Write the file: a new one is made beside it, brought to the disk, and takes its place.

        Warns
        -----
        CheckpointWarning
            Once, if that is impossible; the old file stays.
        """
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as file:
                file.write(self._bytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            _sync_folder(self.path.absolute().parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if not self._warned:
                message = f"the checkpoint {self.path} cannot be written ({error}); the run goes on without a new one"
                warnings.warn(message, CheckpointWarning, stacklevel=2)
            self._warned = True
        self._last = time.monotonic()

    def _bytes(self) -> bytes:
        body = self.done.astype(np.uint8).tobytes() + self.rows[self.done].astype("<f8").tobytes()
        head = {
            "format": FORMAT,
            "definition": self.definition,
            "shape": list(self.rows.shape),
            "sha256": _digest(self.definition, body),
        }
        return MAGIC + json.dumps(head).encode() + b"\n" + body

    def _read(self) -> None:
        raw = self.path.read_bytes()
        if not raw.startswith(MAGIC):
            raise CheckpointError(
                f"{self.path} is not a checkpoint ({len(raw)} bytes, or cut off): it is left as it is; move it away to "
                "start afresh, or give another path"
            )
        line, _, body = raw[len(MAGIC) :].partition(b"\n")
        try:
            head = json.loads(line)
            version, definition, shape, wanted = (head[k] for k in ("format", "definition", "shape", "sha256"))
        except (ValueError, KeyError, TypeError):
            raise self._damaged("its first lines cannot be read") from None
        if version != FORMAT:
            raise CheckpointError(f"{self.path} has format {version}, this version of nnft reads format {FORMAT}")
        if _digest(definition, body) != wanted:
            raise self._damaged("its contents do not match their checksum")
        self._check_definition(definition)
        if shape != list(self.rows.shape):
            raise self._damaged("its shape is not that of the run")
        self.done[:] = np.frombuffer(body, np.uint8, count=len(self.done)).astype(np.bool_)
        rows = np.frombuffer(body, "<f8", offset=len(self.done)).reshape(-1, self.rows.shape[1])
        self.rows[self.done] = rows

    def _damaged(self, how: str) -> CheckpointError:
        return CheckpointError(f"{self.path} is damaged: {how}. It is left as it is; move it away to start afresh")

    def _check_definition(self, found: Any) -> None:
        if not isinstance(found, dict):
            raise self._damaged("it has no definition")
        names = sorted({k for k in {*found, *self.definition} if found.get(k) != self.definition.get(k)})
        if names:
            changed = "; ".join(
                f"{k}: {_short(found.get(k))} there, {_short(self.definition.get(k))} here" for k in names
            )
            raise CheckpointError(
                f"{self.path} belongs to another run ({changed}): resume with the same definition, or give another path"
            )


def _digest(definition: Any, body: bytes) -> str:
    return hashlib.sha256(json.dumps(definition).encode() + body).hexdigest()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk, where the system knows how to."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
