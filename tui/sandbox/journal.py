"""The objects on disk: one file of JSON lines, so that a process that is killed loses nothing that it answered.

A line says what became of one object. A line is handed to the system before the change is answered (which survives the
process), and the disk is told to keep it a moment later (which survives the machine). The first line is a mark; a last
line that is torn is dropped; when most lines are of the past, the file is written anew.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

_MARK = b'{"statetui-sandbox":1}\n'
#: A file is written anew when it is larger than this and more than twice what its objects take, bytes.
_WORTH = 4 << 20


class Damaged(Exception):
    """The file of objects cannot be read."""


class Line(msgspec.Struct, omit_defaults=True):
    """What became of an object.

    Attributes:
        r: the store's revision with it.
        k: the resource's key.
        n: namespace and name, with a slash between; empty when only the revision is told.
        o: the object; absent when it was deleted.
    """

    r: int
    k: str = ""
    n: str = ""
    o: msgspec.Raw = msgspec.Raw(b"")


class Journal:
    """The file of objects in a directory that belongs to one process at a time."""

    def __init__(self, directory: Path) -> None:
        """Takes the directory and reads nothing yet.

        Raises:
            BlockingIOError: another process has it.
            OSError: it cannot be made or written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / "objects.jsonl"
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            os.close(self._lock)
            raise
        self.size = 0
        self.dirty = False

    def read(self) -> Iterator[Line]:
        """Every line, oldest first; what follows the last whole one is cut off.

        Raises:
            Damaged: a line that is not the last cannot be read, or the file is not one of these.
        """
        decode = msgspec.json.Decoder(Line).decode
        with self._path.open("rb") as file:
            first = file.readline()
            if first and first != _MARK and first.endswith(b"\n"):
                raise Damaged(f"{self._path} is not a file of this sandbox")
            self.size = len(first) if first == _MARK else 0
            number = 1
            for line in file if self.size else ():
                number += 1
                if not line.endswith(b"\n"):
                    break
                try:
                    yield decode(line)
                except (msgspec.DecodeError, msgspec.ValidationError) as problem:
                    if file.readline():
                        raise Damaged(f"{self._path}, line {number}: {problem}") from None
                    break
                self.size += len(line)
        os.ftruncate(self._file, self.size)
        if not self.size:
            self._write(_MARK)

    def append(self, line: Line) -> None:
        """Adds a line.

        Raises:
            OSError: the disk takes no more; the file ends with its last whole line, as if nothing had been tried.
        """
        self._write(msgspec.json.encode(line) + b"\n")

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._file, data)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        if written != len(data):
            os.ftruncate(self._file, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self.size += written
        self.dirty = True

    def outgrown(self, live: int) -> bool:
        """Whether the file is worth writing anew; `live` is what its objects take, in bytes."""
        return self.size > _WORTH and self.size > 2 * live

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Writes the file anew with these lines only; until that is done, the old one stands.

        Raises:
            OSError: the disk takes no more; the old file stands.
        """
        new = self._path.with_suffix(".new")
        made = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(os.dup(made), "wb", buffering=1 << 20) as file:
                size = file.write(_MARK)
                for line in lines:
                    size += file.write(msgspec.json.encode(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError:
            os.close(made)
            new.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._file, self.size, self.dirty = made, size, False

    def sync(self) -> None:
        """Has the disk keep what was written. It may take a while: call it in a thread."""
        if self.dirty:
            self.dirty = False
            os.fsync(self._file)

    def close(self) -> None:
        """Keeps everything and gives the directory back."""
        self.sync()
        os.close(self._file)
        os.close(self._lock)
