"""Files that are whole or not there: written beside their place and renamed at the end. Without a screen."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


class Taken(Exception):
    """There is such a file already; says so in words for a person."""


def path_of(typed: str) -> Path:
    """What was typed as a path: `~` is the home, anything relative is below the current directory.

    Raises:
        Taken: nothing was typed, or it is a directory.
    """
    if not typed.strip():
        raise Taken("type a file's name")
    path = Path(typed.strip()).expanduser()
    if path.is_dir():
        raise Taken(f"{path} is a directory: type a file's name behind it")
    return path.absolute()


class Written:
    """A file that is being written; it takes its place when `done` is called, else nothing of it stays.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        """Opens a file beside its place, readable for the user alone until it is whole as others would be.

        Args:
            path: its place.
            replace: whether it may take the place of another file.

        Raises:
            Taken: it may not, and there is one.
            OSError: it cannot be written there.
        """
        if path.exists() and not replace:
            raise Taken(f"{path.name} exists")
        self._path, self._replace = path, replace
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: BinaryIO = self._beside.open("xb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Writes the next bytes.

        Raises:
            OSError: the disk is full, or gone.
        """
        self._file.write(data)
        self.size += len(data)

    def done(self) -> None:
        """Puts the file in its place; takes as long as the disk needs.

        Raises:
            Taken: there is one now that was not there before.
            OSError: the disk is full, or gone.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._replace:
            self._beside.replace(self._path)
            return
        try:
            os.link(self._beside, self._path)  # unlike a rename it never takes the place of another
        except FileExistsError:
            raise Taken(f"{self._path.name} exists by now") from None
        except OSError:  # a file system without hard links
            if self._path.exists():
                raise Taken(f"{self._path.name} exists by now") from None
            self._beside.rename(self._path)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leaves nothing beside the place."""
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._beside.unlink()
